// Shapes that fill register tiles, panels, lanes and threads and leave remainders: products, long sums, rows, gathers,
// scatters and an update fused into a product. The same bits from every backend in every way; products and sums are
// also held against the order of additions that loops/nest.h promises.
#include <criterion/criterion.h>
#include <math.h>

#include "graph/grad.h"
#include "subject.h"

#define SHAPE(...) ((Type){.elem = F32, .rank = sizeof((Dim[]){__VA_ARGS__}) / sizeof(Dim), .dim = {__VA_ARGS__}})
#define N DIM_BATCH

static void output(Graph *graph, const char *name, Node *value) {
  vec_push(graph->arena, &graph->outputs, (GraphOutput){name, value});
}

static Node *sum_all(Graph *graph, Node *x) {
  int axes[MAX_RANK];
  for (int i = 0; i < x->type.rank; i++)
    axes[i] = i;
  return graph_reduce(graph, OP_reduce_sum, x, x->type.rank, axes, false);
}

// The sum of squares, and what it asks of the inputs.
static void output_gradients(Graph *graph, Node *y, int count, Node *const *inputs) {
  Node *slopes[3], *loss = sum_all(graph, graph_binary(graph, OP_mul, y, y));
  grad(graph, loss, count, inputs, slopes);
  output(graph, "loss", loss);
  for (int i = 0; i < count; i++)
    output(graph, "slope", slopes[i]);
}

static Graph *dense(Arena *arena, int64_t batch, Dim in, Dim out) {
  Graph *graph = graph_new(arena, "dense", batch);
  Node *inputs[] = {graph_input(graph, "x", SHAPE(N, in)), graph_input(graph, "w", SHAPE(in, out)),
                    graph_input(graph, "b", SHAPE(out))};
  Node *y = graph_binary(graph, OP_add, graph_matmul(graph, inputs[0], inputs[1]), inputs[2]);
  y = graph_binary(graph, OP_max, y, graph_constant(graph, type_scalar(F32), 0));
  output(graph, "y", y);
  output_gradients(graph, y, 3, inputs);
  return graph;
}

static Graph *batched(Arena *arena, int64_t batch, Type a, Type b) {
  Graph *graph = graph_new(arena, "batched", batch);
  Node *inputs[] = {graph_input(graph, "a", a), graph_input(graph, "b", b)};
  Node *y = graph_matmul(graph, inputs[0], inputs[1]);
  output(graph, "y", y);
  output_gradients(graph, y, 2, inputs);
  return graph;
}

static Graph *reductions(Arena *arena, Type shape, int axis_count, const int *axes) {
  Graph *graph = graph_new(arena, "reductions", 3);
  Node *x = graph_input(graph, "x", shape);
  for (Op op = OP_reduce_sum; op <= OP_reduce_min; op++)
    output(graph, op_name(op), graph_reduce(graph, op, x, axis_count, axes, false));
  output(graph, "argmax", graph_reduce(graph, OP_argmax, x, 1, axes, false));
  return graph;
}

static Node *softmax(Graph *graph, Node *x) {
  int last = x->type.rank - 1;
  Node *e =
      graph_unary(graph, OP_exp, graph_binary(graph, OP_sub, x, graph_reduce(graph, OP_reduce_max, x, 1, &last, true)));
  return graph_binary(graph, OP_div, e, graph_reduce(graph, OP_reduce_sum, e, 1, &last, true));
}

static Graph *rows(Arena *arena, Dim width) {
  Graph *graph = graph_new(arena, "rows", 37);
  Node *x = graph_input(graph, "x", SHAPE(N, width)), *y = softmax(graph, x);
  output(graph, "y", y);
  output_gradients(graph, y, 1, &x);
  return graph;
}

static Graph *embedding(Arena *arena) {
  Graph *graph = graph_new(arena, "embedding", 50);
  Type whole = SHAPE(N, 20);
  whole.elem = I64;
  Node *table = graph_input(graph, "table", SHAPE(100, 33)), *words = graph_input(graph, "words", whole);
  Node *y = graph_node(graph, OP_gather, 2, (Node *[]){table, words}, &(Attr){.axis_count = 1}, NULL);
  output(graph, "y", y);
  output_gradients(graph, y, 1, &table);
  return graph;
}

static Slot *slot_at(Arena *arena, int index, int64_t offset, const char *name, Type type) {
  Slot *slot = arena_new_of(arena, Slot);
  *slot = (Slot){.name = name, .type = type, .index = index, .offset = offset};
  return slot;
}

// A step of gradient descent with momentum.
static Graph *step(Arena *arena) {
  Graph *graph = graph_new(arena, "step", 40);
  Slot *w = slot_at(arena, 0, 0, "w", SHAPE(65, 129)), *m = slot_at(arena, 1, 33600, "m", w->type);
  Node *x = graph_input(graph, "x", SHAPE(N, 65)), *weights = graph_slot(graph, w), *slope;
  Node *y = graph_unary(graph, OP_tanh, graph_matmul(graph, x, weights));
  Node *loss = sum_all(graph, graph_binary(graph, OP_mul, y, y));
  grad(graph, loss, 1, &weights, &slope);
  Node *old = graph_binary(graph, OP_mul, graph_slot(graph, m), graph_constant(graph, type_scalar(F32), 0.9));
  Node *moment = graph_binary(graph, OP_add, old, slope);
  Node *change = graph_binary(graph, OP_mul, moment, graph_constant(graph, type_scalar(F32), 1e-3));
  output(graph, "loss", loss);
  vec_push(arena, &graph->updates, (GraphUpdate){m, moment});
  vec_push(arena, &graph->updates, (GraphUpdate){w, graph_binary(graph, OP_sub, weights, change)});
  return graph;
}

static Graph *moves(Arena *arena) {
  Graph *graph = graph_new(arena, "moves", 9);
  Node *x = graph_input(graph, "x", SHAPE(N, 64, 50));
  Node *turned = graph_transpose(graph, x, (int[]){0, 2, 1});
  Node *joined = graph_concat(graph, 2, (Node *[]){turned, graph_unary(graph, OP_neg, turned)}, 2);
  Node *back = graph_node(graph, OP_reverse, 1, &joined, &(Attr){.axis_count = 1, .axis = {2}}, NULL);
  Node *wide = graph_pad(graph, back, (int64_t[]){0, 2, 1}, &SHAPE(N, 55, 131), 0.5);
  Node *part = graph_slice(graph, wide, (int64_t[]){0, 1, 3}, (int64_t[]){1, 2, 3}, &SHAPE(N, 27, 41));
  output(graph, "wide", wide);
  output(graph, "y", graph_reshape(graph, part, &SHAPE(N, 41, 27)));
  output_gradients(graph, part, 1, &x);
  return graph;
}

// Queries and keys of more than a tile, and sizes that are no vector; a mask, and keys shared by all heads.
static Graph *attention(Arena *arena, Type q, Type k, Type v, bool causal, bool masked) {
  Graph *graph = graph_new(arena, "attention", 3);
  Node *inputs[] = {graph_input(graph, "q", q), graph_input(graph, "k", k), graph_input(graph, "v", v)}, *mask = NULL;
  if (masked) {
    Type known = SHAPE(N, 1, 1, k.dim[k.rank - 2]);
    known.elem = BOOL;
    mask = graph_input(graph, "mask", known);
  }
  Node *y = graph_attention(graph, inputs[0], inputs[1], inputs[2], mask, causal, 0.3);
  output(graph, "y", y);
  output_gradients(graph, y, 3, inputs);
  return graph;
}

// A convolution by minimal filtering, and both its gradients by it.
static Graph *filtering(Arena *arena, int64_t batch, int tile, Type x, Dim out) {
  Graph *graph = graph_new(arena, "filtering", batch);
  Dim in = x.dim[3];
  Node *inputs[] = {graph_input(graph, "x", x), graph_input(graph, "w", SHAPE(3, 3, in, out)),
                    graph_input(graph, "b", SHAPE(out))};
  Window window = {3, 1, 1, 1, 1};
  Attr attr = {.space = 2, .window = {window, window}, .groups = 1, .tile = tile};
  Type shape = x;
  shape.dim[3] = out;
  Node *y = graph_binary(graph, OP_add, graph_conv(graph, inputs[0], inputs[1], &attr, &shape), inputs[2]);
  output(graph, "y", y);
  output_gradients(graph, graph_unary(graph, OP_tanh, y), 3, inputs);
  return graph;
}

static void add_as(Subjects *subjects, ElemType elem, Graph *graph, int64_t state) {
  const char *label = arena_printf(subjects->arena, "%s %d %s", graph->name, subjects->all.count, elem_name(elem));
  graph = elem == F32 ? graph : graph_with_elem(graph, F32, elem, false);
  subject_add(subjects, label, graph, elem == F32 ? state : 2 * state, NULL);
}

static Subjects large_subjects(ElemType elem) {
  Subjects subjects = subjects_new();
  Arena *arena = subjects.arena;
  add_as(&subjects, elem, dense(arena, 67, 300, 130), 0);
  add_as(&subjects, elem, dense(arena, 33, 1, 200), 0);
  add_as(&subjects, elem, dense(arena, 130, 17, 3), 0);
  add_as(&subjects, elem, dense(arena, 8, 2000, 7), 0);
  add_as(&subjects, elem, batched(arena, 6, SHAPE(N, 33, 65), SHAPE(N, 65, 40)), 0);
  add_as(&subjects, elem, batched(arena, 5, SHAPE(3, 1, 20, 31), SHAPE(N, 31, 18)), 0);
  add_as(&subjects, elem, batched(arena, 70, SHAPE(40, N), SHAPE(N, 100)), 0);
  add_as(&subjects, elem, reductions(arena, SHAPE(70001), 1, (int[]){0}), 0);
  add_as(&subjects, elem, reductions(arena, SHAPE(N, 70001), 1, (int[]){1}), 0);
  add_as(&subjects, elem, reductions(arena, SHAPE(5000, 40), 1, (int[]){0}), 0);
  add_as(&subjects, elem, reductions(arena, SHAPE(N, 2100, 5), 1, (int[]){1}), 0);
  add_as(&subjects, elem, reductions(arena, SHAPE(N, 100, 50), 2, (int[]){0, 2}), 0);
  add_as(&subjects, elem, rows(arena, 10), 0);
  add_as(&subjects, elem, rows(arena, 1000), 0);
  add_as(&subjects, elem, attention(arena, SHAPE(N, 70, 40), SHAPE(N, 131, 40), SHAPE(N, 131, 33), true, false), 0);
  add_as(&subjects, elem,
         attention(arena, SHAPE(N, 2, 150, 32), SHAPE(N, 1, 130, 32), SHAPE(N, 1, 130, 16), true, true), 0);
  add_as(&subjects, elem, attention(arena, SHAPE(N, 2, 1, 24), SHAPE(N, 2, 100, 24), SHAPE(N, 2, 100, 24), false, true),
         0);
  add_as(&subjects, elem, attention(arena, SHAPE(4, 5), SHAPE(2, 300, 5), SHAPE(2, 300, 70), false, false), 0);
  add_as(&subjects, elem, filtering(arena, 3, 4, SHAPE(N, 18, 21, 32), 80), 0);
  add_as(&subjects, elem, filtering(arena, 5, 2, SHAPE(N, 7, 6, 80), 48), 0);
  add_as(&subjects, elem, filtering(arena, 3, 4, SHAPE(N, 6, 7, 96), 64), 0);
  add_as(&subjects, elem, filtering(arena, 3, 4, SHAPE(N, 3, 7, 48), 80), 0);
  add_as(&subjects, elem, embedding(arena), 0);
  add_as(&subjects, elem, step(arena), 67200);
  add_as(&subjects, elem, moves(arena), 0);
  return subjects;
}

// The passes over graphs have nothing to do with size.
static const Way size_ways[] = {{.label = "every pass"},
                                {.label = "not fuse", .no_fuse = true},
                                {.label = "not plan", .no_plan = true},
                                {.label = "for AVX2", .cpu = "x86-64-v3"},
                                {.label = "for SSE", .cpu = "x86-64"},
                                {.label = "for AVX-512", .cpu = "x86-64-v4"}};

Test(large, same_bits, .timeout = 600) {
  skip_with_sanitizers();
  Subjects subjects = large_subjects(F32);
  EXPECT_SAME(&subjects, {BACKEND_JIT, sizeof size_ways / sizeof *size_ways, size_ways},
              {BACKEND_GCC, c_way_count, c_ways});
  subjects_free(&subjects);
}

Test(large, same_bits_in_f64, .timeout = 600) {
  skip_with_sanitizers();
  Subjects subjects = large_subjects(F64);
  EXPECT_SAME(&subjects, {BACKEND_JIT, 2, size_ways}, {BACKEND_GCC, 1, c_ways});
  subjects_free(&subjects);
}

// ---- the order of sums. Sums of two f32 in double, rounded, are sums in f32.
static double rounded(ElemType elem, double value) {
  return elem == F32 ? (double)(float)value : value;
}

typedef struct Inputs {
  const Subject *subject;
  ElemType elem;
} Inputs;

static double input_at(const Inputs *in, int input, int64_t at) {
  return rounded(in->elem, subject_value(in->subject, VALUES_PLAIN, input, at).real);
}

static double product(const Inputs *in, int64_t row, int64_t column, int64_t depth, int64_t columns) {
  double sum = 0;
  for (int64_t k = 0; k < depth; k++) {
    double a = input_at(in, 0, row * depth + k), b = input_at(in, 1, k * columns + column);
    sum = in->elem == F32 ? (double)fmaf((float)a, (float)b, (float)sum) : fma(a, b, sum);
  }
  return sum;
}

// 16 lanes and a tree for each 65,536 elements, and a chain of their sums.
static double long_sum(const Inputs *in, int64_t count) {
  enum { LANES = 16, CHUNK = 65536 };
  double total = 0;
  for (int64_t from = 0; from < count; from += CHUNK) {
    double lanes[LANES] = {0};
    for (int64_t r = from; r < count && r < from + CHUNK; r++)
      lanes[r % LANES] = rounded(in->elem, lanes[r % LANES] + input_at(in, 0, r));
    for (int width = LANES / 2; width > 0; width /= 2)
      for (int i = 0; i < width; i++)
        lanes[i] = rounded(in->elem, lanes[i] + lanes[i + width]);
    total = rounded(in->elem, total + lanes[0]);
  }
  return total;
}

// A chain for each 1,024 elements, and a chain of these.
static double column_sum(const Inputs *in, int64_t count, int64_t column, int64_t columns) {
  enum { CHUNK = 1024 };
  double total = 0;
  for (int64_t from = 0; from < count; from += CHUNK) {
    double sum = 0;
    for (int64_t r = from; r < count && r < from + CHUNK; r++)
      sum = rounded(in->elem, sum + input_at(in, 0, r * columns + column));
    total = rounded(in->elem, total + sum);
  }
  return total;
}

Test(large, order_of_sums) {
  enum { ROWS = 20, DEPTH = 300, COLUMNS = 37, LONG = 140003, HIGH = 5000, WIDE = 40 };
  Subjects subjects = subjects_new();
  for (ElemType elem = F32; elem <= F64; elem++) {
    add_as(&subjects, elem, batched(subjects.arena, ROWS, SHAPE(N, DEPTH), SHAPE(DEPTH, COLUMNS)), 0);
    add_as(&subjects, elem, reductions(subjects.arena, SHAPE(LONG), 1, (int[]){0}), 0);
    add_as(&subjects, elem, reductions(subjects.arena, SHAPE(HIGH, WIDE), 1, (int[]){0}), 0);
  }
  Code *code = code_new(&subjects, &every_way[0], BACKEND_JIT);
  for (int i = 0; i < subjects.all.count; i++) {
    Subject *subject = subjects.all.data[i];
    Inputs in = {subject, subject->graph->inputs.data[0].type.elem};
    Outcome outcome = code_run(code, subjects.arena, subject, (Call){ROWS, VALUES_PLAIN, 2});
    int kind = i % 3;
    int64_t count = kind == 0 ? ROWS * COLUMNS : kind == 1 ? 1 : WIDE;
    for (int64_t at = 0; at < count; at++) {
      double truth = kind == 0   ? product(&in, at / COLUMNS, at % COLUMNS, DEPTH, COLUMNS)
                     : kind == 1 ? long_sum(&in, LONG)
                                 : column_sum(&in, HIGH, at, WIDE);
      double found = outcome_real(&outcome, subject, 0, at);
      cr_assert_eq(found, truth, "%s: element %lld is %a, not %a", subject->label, (long long)at, found, truth);
    }
  }
  code_free(code);
  subjects_free(&subjects);
}

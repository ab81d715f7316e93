// What kernels are said to compute and to move: counts worked out by hand.
#include <criterion/criterion.h>

#include "by_hand.h"
#include "loops/mathlib.h"
#include "loops/work.h"

static Arena *arena;
static Graph *graph;

static void begin(void) {
  arena = arena_new();
  graph = graph_new(arena, "test", 32);
  graph->scope = "";
}
static void end(void) {
  arena_free(arena);
}
TestSuite(work, .init = begin, .fini = end);

static Node *input(const char *name, Type type) {
  return graph_input(graph, name, type);
}

static Type shape_of(int rank, const Dim *dims) {
  Type type = {.elem = F32, .rank = rank};
  for (int i = 0; i < rank; i++)
    type.dim[i] = dims[i];
  return type;
}

static Type typed(ElemType elem, Type type) {
  type.elem = elem;
  return type;
}

// Of all kernels of the graph with these outputs, which are at most `most`.
static Work work_for(int count, Node *const *outputs, int most, int64_t batch) {
  static const KernelOptions options = {.fuse = true, .order = true, .plan = true};
  for (int i = 0; i < count; i++)
    vec_push(arena, &graph->outputs, (GraphOutput){"out", outputs[i]});
  KernelGraph *kernels = fuse(arena, graph, &options);
  order(kernels, &options);
  plan(kernels, &options);
  cr_assert_leq(kernels->kernels.count, most);
  Work sum = {0};
  for (int i = 0; i < kernels->kernels.count; i++) {
    Work work = work_of(kernels, kernels->kernels.data[i], batch);
    sum.operations[0] += work.operations[0];
    sum.operations[1] += work.operations[1];
    sum.bytes += work.bytes;
  }
  return sum;
}

static void expect(Node *output, int64_t batch, double f32, double f64, int64_t bytes) {
  Work work = work_for(1, &output, 1, batch);
  cr_expect_float_eq(work.operations[0], f32, 0, "%.0f on f32, not %.0f", work.operations[0], f32);
  cr_expect_float_eq(work.operations[1], f64, 0, "%.0f on f64, not %.0f", work.operations[1], f64);
  cr_expect_eq(work.bytes, bytes, "%lld bytes, not %lld", (long long)work.bytes, (long long)bytes);
}

static double cost(MathFunction function, LType type) {
  LoopModule module = {.arena = arena};
  return (double)work_of_function(mathlib_function(&module, function, type));
}

static Node *dense(ElemType elem) {
  Node *x = input("x", typed(elem, shape_of(2, (Dim[]){DIM_BATCH, 64})));
  Node *w = input("w", typed(elem, shape_of(2, (Dim[]){64, 128})));
  Node *b = input("b", typed(elem, shape_of(1, (Dim[]){128})));
  Node *sum = graph_binary(graph, OP_add, graph_matmul(graph, x, w), b);
  return graph_binary(graph, OP_max, sum, graph_constant(graph, type_scalar(elem), 0));
}

enum { PRODUCT = 2 * 64 * 128, NUMBERS = 64 + 128 }; // of each sample

Test(work, of_a_dense_layer) {
  expect(dense(F32), 32, 32 * (PRODUCT + 2 * 128), 0, 4 * (32 * NUMBERS + 64 * 128 + 128));
}

Test(work, follows_the_batch) {
  expect(dense(F32), 5, 5 * (PRODUCT + 2 * 128), 0, 4 * (5 * NUMBERS + 64 * 128 + 128));
}

Test(work, on_f64_is_counted_apart) {
  expect(dense(F64), 32, 0, 32 * (PRODUCT + 2 * 128), 8 * (32 * NUMBERS + 64 * 128 + 128));
}

Test(work, of_a_convolution) {
  Node *x = input("x", shape_of(4, (Dim[]){DIM_BATCH, 8, 8, 3})), *w = input("w", shape_of(4, (Dim[]){3, 3, 3, 16}));
  Window window = {.size = 3, .stride = 1, .dilation = 1, .before = 1, .spread = 1};
  Attr attr = {.space = 2, .window = {window, window}, .groups = 1};
  Type type = shape_of(4, (Dim[]){DIM_BATCH, 8, 8, 16});
  expect(graph_conv(graph, x, w, &attr, &type), 32, 2.0 * 32 * 8 * 8 * 16 * 27, 0,
         4 * (32 * 8 * 8 * (3 + 16) + 27 * 16));
}

Test(work, of_sums_and_functions) {
  int axis = 1;
  Node *x = input("x", shape_of(2, (Dim[]){DIM_BATCH, 50}));
  Node *sum = graph_reduce(graph, OP_reduce_sum, graph_unary(graph, OP_exp, x), 1, &axis, false);
  double exponential = cost(MATH_EXP, L_F32);
  cr_expect(exponential >= 10 && exponential <= 40, "%.0f", exponential);
  expect(sum, 32, 32 * 50 * (exponential + 1), 0, 4 * (32 * 50 + 32));
}

Test(work, of_whole_numbers_is_none) {
  Node *x = input("x", typed(I64, shape_of(1, (Dim[]){1000})));
  expect(graph_binary(graph, OP_add, x, x), 32, 0, 0, 8 * 2 * 1000);
}

Test(work, reads_the_rows_that_are_gathered) {
  Node *table = input("table", shape_of(2, (Dim[]){50000, 16}));
  Node *rows = input("rows", typed(I64, shape_of(1, (Dim[]){DIM_BATCH}))), *both[] = {table, rows};
  Attr attr = {.axis_count = 1, .axis = {0}};
  Node *taken = graph_node(graph, OP_gather, 2, both, &attr, NULL);
  expect(graph_unary(graph, OP_neg, taken), 32, 32 * 16, 0, 4 * 2 * 32 * 16 + 8 * 32);
}

Test(work, of_attention) {
  Type type = shape_of(3, (Dim[]){DIM_BATCH, 100, 8}), values = shape_of(3, (Dim[]){DIM_BATCH, 100, 24});
  Node *q = input("q", type), *k = input("k", type), *v = input("v", values);
  double each = 2 * (8 + 24) + 1 + cost(MATH_EXP, L_F32);
  expect(graph_attention(graph, q, k, v, NULL, false, 0.25), 32, 32 * 100 * 100 * each, 0,
         4 * 32 * 100 * (2 * 8 + 2 * 24));
}

Test(work, of_attention_that_looks_back) {
  Type type = shape_of(3, (Dim[]){DIM_BATCH, 100, 8});
  Node *q = input("q", type), *k = input("k", type), *v = input("v", type);
  double each = 2 * (8 + 8) + 1 + cost(MATH_EXP, L_F32);
  expect(graph_attention(graph, q, k, v, NULL, true, 0.25), 32, 32 * 100 * 101 / 2 * each, 0, 4 * 32 * 100 * 4 * 8);
}

// A value that two kernels want counts in each that computes it, and is read by each that reads it.
Test(work, of_what_is_shared) {
  int axis = 0;
  Node *x = input("x", shape_of(2, (Dim[]){300, 40})), *y = graph_unary(graph, OP_neg, x);
  Node *down = graph_reduce(graph, OP_reduce_sum, y, 1, &axis, false);
  axis = 1;
  Node *outputs[] = {down, graph_reduce(graph, OP_reduce_sum, y, 1, &axis, false)};
  Work work = work_for(2, outputs, 2, 32);
  cr_expect_float_eq(work.operations[0], 4 * 300 * 40, 0, "%.0f", work.operations[0]);
  cr_expect_eq(work.bytes, 4 * (2 * 300 * 40 + 300 + 40), "%lld", (long long)work.bytes);
}

// let t = fma(x, x, 1) in -t * t > x: two, one, one and one; the product of integers is none.
Test(work, of_a_function) {
  LVar *x = lvar_new(arena, "x", L_F32), *t = lvar_new(arena, "t", L_F32);
  LExpr *at = lx_var(arena, x), *as = lx_var(arena, t);
  LFunction function = {.name = "f", .type = L_BOOL};
  LStmt let = {.kind = LS_LET, .var = t, .value = lx_fma(arena, at, at, lx_real(arena, L_F32, 1))};
  vec_push(arena, &function.lets, &let);
  LExpr *product = lx_binary(arena, LX_MUL, lx_unary(arena, LX_NEG, as), as);
  function.result = lx_binary(arena, LX_GT, product, at);
  cr_expect_eq(work_of_function(&function), 5);
  LVar *i = lvar_new(arena, "i", L_I64);
  function = (LFunction){.name = "g", .type = L_I64};
  function.result = lx_binary(arena, LX_MUL, lx_var(arena, i), lx_var(arena, i));
  cr_expect_eq(work_of_function(&function), 0);
}

// Attention in the order of sums that loops/nest.h lays down, to the bit, for targets of any width; and in little memory.
#include <math.h>

#include "graph/grad.h"
#include "loops/mathlib.h"
#include "loops/run_graph.h"

static void output(Graph *graph, const char *name, Node *value) {
  vec_push(graph->arena, &graph->outputs, (GraphOutput){name, value});
}

static Type shape(int rank, const Dim *dims) {
  Type type = {.elem = F32, .rank = rank};
  memcpy(type.dim, dims, sizeof *dims * (size_t)rank);
  return type;
}

// ---- the order, by hand. Inputs hold run_value(i).
enum { QUERIES = 70, KEYS = 131, DEPTH = 5, WIDTH = 3, TILE = 64 };

typedef struct Truth {
  LoopModule *module;
  bool causal;
  float scale;
  float values[QUERIES][WIDTH], lse[QUERIES], slope[QUERIES][WIDTH], delta[QUERIES];
  float dq[QUERIES][DEPTH], dk[KEYS][DEPTH], dv[KEYS][WIDTH];
} Truth;

static float math(Truth *truth, MathFunction function, float x) {
  Arena *arena = truth->module->arena;
  double real;
  int64_t whole;
  LExpr *arg = lx_real(arena, L_F32, (double)x);
  cr_assert(lx_evaluate(lx_call(arena, mathlib_function(truth->module, function, L_F32), 1, &arg), &real, &whole));
  return (float)real;
}

static float score(const Truth *truth, int i, int j) {
  float sum = 0;
  for (int c = 0; c < DEPTH; c++)
    sum = fmaf(run_value(j * DEPTH + c), run_value(i * DEPTH + c), sum);
  return truth->causal && j > i + KEYS - QUERIES ? -INFINITY : sum * truth->scale;
}

// Tiles of which causality hides all are left out.
static bool hidden(const Truth *truth, int i0, int j0) {
  int last = i0 + TILE < QUERIES ? i0 + TILE - 1 : QUERIES - 1;
  return truth->causal && j0 > last + KEYS - QUERIES;
}

static void forward_row(Truth *truth, int i) {
  float most = -INFINITY, total = 0, sums[WIDTH] = {0};
  for (int j0 = 0; j0 < KEYS && !hidden(truth, i / TILE * TILE, j0); j0 += TILE) {
    int end = j0 + TILE < KEYS ? j0 + TILE : KEYS;
    float old = most, weights[TILE];
    for (int j = j0; j < end; j++)
      most = score(truth, i, j) > most ? score(truth, i, j) : most;
    float factor = math(truth, MATH_EXP, old - most);
    total *= factor;
    for (int j = j0; j < end; j++)
      total += weights[j - j0] = math(truth, MATH_EXP, score(truth, i, j) - most);
    for (int c = 0; c < WIDTH; c++) {
      sums[c] *= factor;
      for (int j = j0; j < end; j++)
        sums[c] = fmaf(weights[j - j0], run_value(j * WIDTH + c), sums[c]);
    }
  }
  for (int c = 0; c < WIDTH; c++)
    truth->values[i][c] = sums[c] / total;
  truth->lse[i] = most + math(truth, MATH_LOG, total);
}

static void backward_pair(Truth *truth, int i, int j) {
  float weight = math(truth, MATH_EXP, score(truth, i, j) - truth->lse[i]), slope = 0;
  for (int c = 0; c < WIDTH; c++) {
    slope = fmaf(truth->slope[i][c], run_value(j * WIDTH + c), slope);
    truth->dv[j][c] = fmaf(weight, truth->slope[i][c], truth->dv[j][c]);
  }
  slope = weight * (slope - truth->delta[i]);
  for (int c = 0; c < DEPTH; c++) {
    truth->dq[i][c] = fmaf(slope, run_value(j * DEPTH + c), truth->dq[i][c]);
    truth->dk[j][c] = fmaf(slope, run_value(i * DEPTH + c), truth->dk[j][c]);
  }
}

// The loss is the sum of squares: slope = 2 o, delta a chain of three.
static void work_out(Truth *truth) {
  for (int i = 0; i < QUERIES; i++) {
    forward_row(truth, i);
    for (int c = 0; c < WIDTH; c++) {
      truth->slope[i][c] = truth->values[i][c] + truth->values[i][c];
      float product = truth->values[i][c] * truth->slope[i][c];
      truth->delta[i] = c ? truth->delta[i] + product : product;
    }
    for (int j = 0; j < KEYS; j++)
      if (!hidden(truth, i / TILE * TILE, j / TILE * TILE))
        backward_pair(truth, i, j);
  }
  for (int c = 0; c < DEPTH; c++) {
    for (int i = 0; i < QUERIES; i++)
      truth->dq[i][c] *= truth->scale;
    for (int j = 0; j < KEYS; j++)
      truth->dk[j][c] *= truth->scale;
  }
}

static void expect_bits(const void *found, const void *right, size_t bytes, const char *what) {
  const float *a = found, *b = right;
  for (size_t i = 0; i < bytes / sizeof *a; i++)
    cr_assert(a[i] == b[i], "%s: element %zu is %a, not %a", what, i, (double)a[i], (double)b[i]);
}

static void check_order(bool causal, const Target *target, bool fused) {
  Arena *arena = arena_new();
  Graph *graph = graph_new(arena, "test", 0);
  Node *inputs[] = {graph_input(graph, "q", shape(2, (Dim[]){QUERIES, DEPTH})),
                    graph_input(graph, "k", shape(2, (Dim[]){KEYS, DEPTH})),
                    graph_input(graph, "v", shape(2, (Dim[]){KEYS, WIDTH}))};
  Node *o = graph_attention(graph, inputs[0], inputs[1], inputs[2], NULL, causal, 0.3), *slopes[3];
  grad(graph, graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, o, o), 2, (int[]){0, 1}, false), 3, inputs,
       slopes);
  output(graph, "o", o);
  for (int i = 0; i < 3; i++)
    output(graph, "slope", slopes[i]);
  RunOptions options = {.kernels = {fused, fused, fused}, .target = *target, .batch = 1, .backwards = causal};
  GraphRun run = run_graph(arena, graph, &options, "attention");
  Truth *truth = arena_new_of(arena, Truth);
  *truth = (Truth){.module = run.module, .causal = causal, .scale = 0.3f};
  work_out(truth);
  expect_bits(run.outputs[0], truth->values, sizeof truth->values, "values");
  expect_bits(run.outputs[1], truth->dq, sizeof truth->dq, "dq");
  expect_bits(run.outputs[2], truth->dk, sizeof truth->dk, "dk");
  expect_bits(run.outputs[3], truth->dv, sizeof truth->dv, "dv");
  arena_free(arena);
}

Test(attention, order_of_sums, .timeout = 300) {
  check_order(false, &wide_target, true);
  check_order(true, &middle_target, true);
  check_order(true, &narrow_target, false);
}

// ---- memory
// A training step's gradients of a layer of 8 heads of 64 over 4,096 places, one sample: the matrix of weights alone would
// be 537 MB.
static int64_t layer_bytes(Arena *arena, bool causal) {
  enum { PLACES = 4096, HEADS = 8, SIZE = 64, ALL = HEADS * SIZE };
  Graph *graph = graph_new(arena, "test", 1);
  Node *x = graph_input(graph, "x", shape(3, (Dim[]){DIM_BATCH, PLACES, ALL})), *heads[3], *weights[4], *slopes[4];
  for (int i = 0; i < 4; i++)
    weights[i] = graph_input(graph, "w", shape(2, (Dim[]){ALL, ALL}));
  for (int i = 0; i < 3; i++) {
    Type split = shape(4, (Dim[]){DIM_BATCH, PLACES, HEADS, SIZE});
    heads[i] =
        graph_transpose(graph, graph_reshape(graph, graph_matmul(graph, x, weights[i]), &split), (int[]){0, 2, 1, 3});
  }
  Node *o = graph_attention(graph, heads[0], heads[1], heads[2], NULL, causal, 0.125);
  o = graph_reshape(graph, graph_transpose(graph, o, (int[]){0, 2, 1, 3}), &x->type);
  o = graph_matmul(graph, o, weights[3]);
  Node *loss = graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, o, o), 3, (int[]){0, 1, 2}, false);
  grad(graph, loss, 4, weights, slopes);
  for (int i = 0; i < 4; i++)
    output(graph, "slope", slopes[i]);
  KernelGraph *kernels = fuse(arena, graph, &all_passes);
  order(kernels, &all_passes);
  plan(kernels, &all_passes);
  LoopModule module = {.arena = arena, .name = "test"};
  schedule(&module, kernels, "test", &wide_target);
  cr_expect(!loops_check(&module));
  return module.arena_bytes;
}

Test(attention, arena_of_4096_places) {
  Arena *arena = arena_new();
  int64_t plain = layer_bytes(arena, false), causal = layer_bytes(arena, true);
  cr_expect(plain < 100000000 && causal < 100000000, "%lld and %lld bytes", (long long)plain, (long long)causal);
  arena_free(arena);
}

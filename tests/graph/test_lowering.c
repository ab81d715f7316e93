// Where an index operation reads its input: an iota behind it is lowered to the index itself. Indices must be linear in
// the loop variables, with the right coefficients, wherever no dimension is taken apart.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "graph/ops.h"

static Arena *arena;
static Graph *graph;
static Lower *lower;
static LVar *vars[MAX_RANK];
static LExpr *index_of[MAX_RANK];

static void begin(void) {
  arena = arena_new();
  graph = graph_new(arena, "test", 32);
  LoopModule *module = arena_new_of(arena, LoopModule);
  module->arena = arena;
  lower = lower_constants(module);
  for (int i = 0; i < MAX_RANK; i++) {
    vars[i] = lvar_new(arena, arena_printf(arena, "i%d", i), L_I64);
    index_of[i] = lx_var(arena, vars[i]);
  }
}
static void end(void) {
  arena_free(arena);
}
TestSuite(lowering, .init = begin, .fini = end);

#define TYPE(...) ((Type){.elem = I64, .rank = sizeof((Dim[]){__VA_ARGS__}) / sizeof(Dim), .dim = {__VA_ARGS__}})

// The index of dimension `axis` of the input is linear with these coefficients of the output's indices.
static void expect_linear(const Node *node, int count, const int64_t *coefficients) {
  LExpr *value = lower_value(lower, node, index_of);
  for (int i = 0; i < count; i++) {
    int64_t coefficient;
    cr_assert(lx_stride(value, vars[i], &coefficient), "not linear in index %d", i);
    cr_assert_eq(coefficient, coefficients[i], "index %d: %lld", i, (long long)coefficient);
  }
}
#define LINEAR(node, ...) expect_linear(node, (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]){__VA_ARGS__})

static Node *reshaped(Type in, int axis, Type out) {
  return graph_reshape(graph, graph_iota(graph, in, axis), &out);
}

Test(lowering, reshapes_keep_equal_dimensions) {
  LINEAR(reshaped(TYPE(-1, 4, 6), 0, TYPE(-1, 24)), 1, 0);
  LINEAR(reshaped(TYPE(-1, 4, 6), 2, TYPE(-1, 2, 2, 6)), 0, 0, 0, 1);
  LINEAR(reshaped(TYPE(7, -1, 3), 1, TYPE(7, 1, -1, 3, 1)), 0, 0, 1, 0, 0);
  LINEAR(reshaped(TYPE(7, 1, 3), 1, TYPE(7, 3)), 0, 0);
}

Test(lowering, reshapes_that_merge_are_linear) {
  LINEAR(reshaped(TYPE(-6, 5), 0, TYPE(-1, 2, 3, 5)), 6, 3, 1, 0);
  LINEAR(reshaped(TYPE(-6, 5), 1, TYPE(-1, 2, 3, 5)), 0, 0, 0, 1);
  LINEAR(reshaped(TYPE(12), 0, TYPE(3, 1, 4)), 4, 0, 1);
}

static int64_t element(const Node *node, int rank, const int64_t *place) {
  LExpr *index[MAX_RANK];
  for (int i = 0; i < rank; i++)
    index[i] = lx_i64(arena, place[i]);
  double real;
  int64_t whole = -1;
  cr_assert(lx_evaluate(lower_value(lower, node, index), &real, &whole));
  return whole;
}

Test(lowering, reshapes_that_split_divide) {
  Node *rows = reshaped(TYPE(4, 6), 0, TYPE(8, 3)), *columns = reshaped(TYPE(4, 6), 1, TYPE(8, 3));
  for (int64_t i = 0; i < 8; i++)
    for (int64_t j = 0; j < 3; j++) {
      cr_assert_eq(element(rows, 2, (int64_t[]){i, j}), (i * 3 + j) / 6);
      cr_assert_eq(element(columns, 2, (int64_t[]){i, j}), (i * 3 + j) % 6);
    }
}

Test(lowering, moves_are_linear) {
  Node *iota = graph_iota(graph, TYPE(5, 4, 6), 1);
  LINEAR(graph_transpose(graph, iota, (int[]){1, 2, 0}), 1, 0, 0);
  Node *slice = graph_slice(graph, iota, (int64_t[]){0, 1, 0}, (int64_t[]){1, 2, 1}, &TYPE(5, 2, 6));
  LINEAR(slice, 0, 2, 0);
  cr_assert_eq(element(slice, 3, (int64_t[]){0, 1, 0}), 3);
  Node *reverse = graph_node(graph, OP_reverse, 1, &iota, &(Attr){.axis_count = 1, .axis = {1}}, NULL);
  LINEAR(reverse, 0, -1, 0);
  cr_assert_eq(element(reverse, 3, (int64_t[]){0, 0, 0}), 3);
  Node *row = graph_reshape(graph, graph_iota(graph, TYPE(4), 0), &TYPE(4, 1));
  LINEAR(graph_broadcast(graph, row, &TYPE(3, 4, 7)), 0, 1, 0);
}

Test(lowering, parts_and_edges) {
  Node *a = graph_iota(graph, TYPE(2), 0), *b = graph_iota(graph, TYPE(3), 0);
  Node *joined = graph_concat(graph, 3, (Node *[]){a, b, a}, 0);
  int64_t expected[] = {0, 1, 0, 1, 2, 0, 1};
  for (int64_t i = 0; i < 7; i++)
    cr_assert_eq(element(joined, 1, &i), expected[i]);
  Node *padded = graph_pad(graph, b, (int64_t[]){2}, &TYPE(6), 9);
  int64_t around[] = {9, 9, 0, 1, 2, 9};
  for (int64_t i = 0; i < 6; i++)
    cr_assert_eq(element(padded, 1, &i), around[i]);
  Node *places = graph_dense(graph, TYPE(4), (int64_t[]){-5, 2, 1, 70});
  Node *taken = graph_node(graph, OP_gather, 2, (Node *[]){b, places}, &(Attr){.axis_count = 1}, NULL);
  int64_t clamped[] = {0, 2, 1, 2};
  for (int64_t i = 0; i < 4; i++)
    cr_assert_eq(element(taken, 1, &i), clamped[i]);
}

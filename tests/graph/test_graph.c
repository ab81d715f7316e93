// Building and printing graphs, and the structure of gradients.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "graph/grad.h"
#include "graph/ops.h"

static Arena *arena;
static Graph *graph;

static void begin(void) {
  arena = arena_new();
  graph = graph_new(arena, "test", 32);
}
static void end(void) {
  arena_free(arena);
}
TestSuite(graph, .init = begin, .fini = end);

#define TYPE(type, ...) ((Type){.elem = type, .rank = sizeof((Dim[]){__VA_ARGS__}) / sizeof(Dim), .dim = {__VA_ARGS__}})
#define X(name, ...) graph_input(graph, name, TYPE(F32, __VA_ARGS__))

static void output(const char *name, Node *value) {
  vec_push(arena, &graph->outputs, (GraphOutput){.name = name, .value = value});
}

static void expect_text(const char *expected) {
  Text text = text_new(arena);
  graph_print(&text, graph);
  cr_assert(strcmp(text_string(&text), expected) == 0, "%s", text_string(&text));
}

Test(graph, a_dense_layer_in_print) {
  const Source *source = source_from_string(arena, "models/digits.nn", "model m\n");
  Slot w = {.name = "m.dense_0.w", .type = TYPE(F32, 64, 10)}, b = {.name = "m.dense_0.b", .type = TYPE(F32, 10)};
  Node *x = X("x", -1, 64);
  graph->span = (Span){.source = source, .line = 5, .column = 3, .end_line = 5, .end_column = 9};
  graph->scope = "m.dense_0";
  Node *product = graph_matmul(graph, x, graph_slot(graph, &w));
  Node *sum = graph_binary(graph, OP_add, product, graph_slot(graph, &b));
  graph->span = (Span){0};
  Node *y = graph_binary(graph, OP_max, sum, graph_constant(graph, type_scalar(F32), 0));
  output("y", y);
  vec_push(arena, &graph->updates, (GraphUpdate){.slot = &b, .value = graph_slot(graph, &b)});
  expect_text("graph test(x: f32[n, 64])   # n <= 32\n"
              "  %0: f32[n, 64] = input(x)\n"
              "  %1: f32[64, 10] = slot(m.dense_0.w)   # digits.nn:5 m.dense_0\n"
              "  %2: f32[n, 10] = matmul(%0, %1)   # digits.nn:5 m.dense_0\n"
              "  %3: f32[10] = slot(m.dense_0.b)   # digits.nn:5 m.dense_0\n"
              "  %4: f32[n, 10] = broadcast(%3)   # digits.nn:5 m.dense_0\n"
              "  %5: f32[n, 10] = add(%2, %4)   # digits.nn:5 m.dense_0\n"
              "  %6: f32[] = constant(0)   # m.dense_0\n"
              "  %7: f32[n, 10] = constant(0)   # m.dense_0\n"
              "  %8: f32[n, 10] = max(%5, %7)   # m.dense_0\n"
              "  %9: f32[10] = slot(m.dense_0.b)   # m.dense_0\n"
              "  output y = %8\n"
              "  update m.dense_0.b := %9\n");
}

Test(graph, attributes_in_print) {
  Node *x = X("x", -1, 4, 6);
  graph_transpose(graph, x, (int[]){1, 0, 2});
  graph_slice(graph, x, (int64_t[]){0, 1, 0}, (int64_t[]){1, 1, 2}, &TYPE(F32, -1, 2, 3));
  graph_slice(graph, graph_concat(graph, 2, (Node *[]){x, x}, 0), (int64_t[]){-1, 0, 0}, NULL, &x->type);
  graph_pad(graph, x, (int64_t[]){0, 1, 0}, &TYPE(F32, -1, 6, 6), -0.0);
  graph_reduce(graph, OP_reduce_max, x, 2, (int[]){2, 0}, false);
  graph_reduce(graph, OP_argmax, x, 1, (int[]){2}, false);
  graph_node(graph, OP_reverse, 1, &x, &(Attr){.axis_count = 1, .axis = {1}}, NULL);
  Node *places = graph_dense(graph, TYPE(I32, 2), (int32_t[]){3, -1});
  graph_node(graph, OP_gather, 2, (Node *[]){x, places}, &(Attr){.axis_count = 1, .axis = {1}}, NULL);
  Node *clocks[] = {graph_clock(graph, 2), graph_clock(graph, 0)};
  graph_node(graph, OP_random, 2, clocks, &(Attr){.integer = 9}, &TYPE(F64, -1));
  graph_iota(graph, TYPE(I64, -1, 2), 1);
  graph_constant(graph, TYPE(BOOL, 2), 5);
  graph_dense(graph, TYPE(F32, 20), (float[20]){0.1F, 2});
  expect_text("graph test(x: f32[n, 4, 6])   # n <= 32\n"
              "  %0: f32[n, 4, 6] = input(x)\n"
              "  %1: f32[4, n, 6] = transpose(%0, [1, 0, 2])\n"
              "  %2: f32[n, 2, 3] = slice(%0, start: [0, 1, 0], step: [1, 1, 2])\n"
              "  %3: f32[2n, 4, 6] = concat(%0, %0, axis: 0)\n"
              "  %4: f32[n, 4, 6] = slice(%3, start: [n, 0, 0])\n"
              "  %5: f32[n, 6, 6] = pad(%0, before: [0, 1, 0], fill: -0)\n"
              "  %6: f32[4] = reduce_max(%0, axes: [0, 2])\n"
              "  %7: i64[n, 4] = argmax(%0, axis: 2)\n"
              "  %8: f32[n, 4, 6] = reverse(%0, axes: [1])\n"
              "  %9: i32[2] = constant([3, -1])\n"
              "  %10: f32[n, 2, 6] = gather(%0, %9, axis: 1)\n"
              "  %11: i64[] = clock(seed)\n"
              "  %12: i64[] = clock(step)\n"
              "  %13: f64[n] = random(%11, %12, stream: 9)\n"
              "  %14: i64[n, 2] = iota(axis: 1)\n"
              "  %15: bool[2] = constant(true)\n"
              "  %16: f32[20] = constant([0.10000000149011612, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, …])\n");
}

Test(graph, powers_of_small_constants_are_products) {
  Node *x = X("x", 3);
  Node *two = graph_constant(graph, type_scalar(F32), 2), *one = graph_constant(graph, type_scalar(F32), 1);
  cr_assert_eq(graph_binary(graph, OP_pow, x, two)->op, OP_mul);
  cr_assert_eq(graph_binary(graph, OP_pow, x, one), x);
  cr_assert_eq(graph_binary(graph, OP_pow, two, x)->op, OP_pow);
}

Test(graph, constants_are_rounded_and_kept_in_range) {
  cr_assert_eq(graph_constant(graph, type_scalar(F32), 0.1)->attr->real, (double)0.1F);
  cr_assert_eq(graph_constant(graph, type_scalar(I64), 1e300)->attr->integer, INT64_MAX);
  cr_assert_eq(graph_constant(graph, type_scalar(U8), 257)->attr->integer, 1);
  cr_assert_eq(graph_constant(graph, type_scalar(BOOL), 0.5)->attr->integer, 1);
}

Test(graph, rows_are_multiplied_at_once) {
  Node *product = graph_matmul(graph, X("x", -1, 7, 3), X("w", 3, 2));
  cr_assert_eq(product->op, OP_reshape);
  cr_assert_str_eq(type_text(arena, &product->inputs[0]->type), "f32[7n, 2]");
  cr_assert_str_eq(type_text(arena, &product->type), "f32[n, 7, 2]");
  Node *two_batches = graph_matmul(graph, X("y", -1, -1, 3), X("v", 3, 2));
  cr_assert_str_eq(type_text(arena, &two_batches->type), "f32[n, n, 2]");
}

Test(graph, relu_needs_only_its_result_backwards) {
  Node *x = X("x", 3), *w = X("w", 3), *slope;
  graph->scope = "relu_0";
  Node *y = graph_binary(graph, OP_max, x, graph_constant(graph, x->type, 0));
  graph->scope = "loss";
  Node *loss = graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, y, w), 1, (int[]){0}, false);
  graph->scope = "outside";
  grad(graph, loss, 1, &x, &slope);
  cr_assert_str_eq(graph->scope, "outside");
  output("slope", slope);
  expect_text("graph test(x: f32[3], w: f32[3])   # n <= 32\n"
              "  %0: f32[3] = input(x)\n"
              "  %1: f32[3] = input(w)\n"
              "  %2: f32[3] = constant(0)   # relu_0\n"
              "  %3: f32[3] = max(%0, %2)   # relu_0\n"
              "  %4: f32[3] = mul(%3, %1)   # loss\n"
              "  %5: f32[] = reduce_sum(%4, axes: [0])   # loss\n"
              "  %6: f32[] = constant(1)   # loss\n"
              "  %7: f32[3] = constant(1)   # loss\n"
              "  %8: f32[3] = mul(%7, %1)   # loss\n"
              "  %9: bool[3] = le(%3, %2)   # relu_0\n"
              "  %10: f32[3] = constant(0)   # relu_0\n"
              "  %11: f32[3] = select(%9, %10, %8)   # relu_0\n"
              "  output slope = %11\n");
}

Test(graph, contributions_are_added_from_the_last_use) {
  Node *x = X("x", 2), *slope;
  Node *first = graph_unary(graph, OP_neg, x), *second = graph_unary(graph, OP_exp, x);
  Node *sum = graph_binary(graph, OP_add, first, second);
  Node *loss = graph_reduce(graph, OP_reduce_sum, sum, 1, (int[]){0}, false);
  grad(graph, loss, 1, &x, &slope);
  cr_assert_eq(slope->op, OP_add);
  cr_assert_eq(slope->inputs[0]->op, OP_mul);
  cr_assert_eq(slope->inputs[1]->op, OP_neg);
}

// A mean is subtracted, the rest scaled and moved: the gradients of both need one sum.
Test(graph, factors_leave_the_sums_of_gradients) {
  Node *x = X("x", 4, 3), *w = X("w", 4, 3), *scale = X("scale", 3), *of[] = {X("mean", 3), X("moved", 3)}, *slopes[2];
  Node *y = graph_binary(graph, OP_mul, graph_binary(graph, OP_sub, x, of[0]), scale);
  y = graph_binary(graph, OP_mul, graph_binary(graph, OP_add, y, of[1]), w);
  grad(graph, graph_reduce(graph, OP_reduce_sum, y, 2, (int[]){0, 1}, false), 2, of, slopes);
  cr_assert_eq(slopes[0]->op, OP_neg);
  const Node *product = slopes[0]->inputs[0];
  cr_assert_eq(product->op, OP_mul);
  cr_assert_eq(product->inputs[1], scale);
  cr_assert_eq(product->inputs[0]->op, OP_reduce_sum);
  cr_assert_eq(slopes[1]->op, OP_reduce_sum);
  cr_assert_eq(product->inputs[0]->inputs[0], slopes[1]->inputs[0]);
}

Test(graph, what_does_not_depend_gets_zeros) {
  Node *x = X("x", 2), *y = X("y", 3), *places = graph_input(graph, "i", TYPE(I64, 2)), *slopes[4];
  Node *cut = graph_unary(graph, OP_stop_gradient, x);
  Node *product = graph_binary(graph, OP_mul, cut, cut);
  Node *loss = graph_reduce(graph, OP_reduce_sum, product, 1, (int[]){0}, false);
  int before = graph->nodes.count;
  grad(graph, loss, 3, (Node *[]){x, y, places}, slopes);
  cr_assert_eq(graph->nodes.count, before + 3);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(slopes[i]->op, OP_constant);
  cr_assert_str_eq(type_text(arena, &slopes[1]->type), "f32[3]");
}

Test(graph, gradients_may_be_taken_of_any_node_and_again) {
  Node *x = X("x", 2), *slope, *curve;
  Node *square = graph_binary(graph, OP_mul, x, x);
  Node *loss = graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, square, x), 1, (int[]){0}, false);
  grad(graph, loss, 1, &square, &slope);
  cr_assert_eq(slope->op, OP_mul); // 1 * x
  cr_assert_eq(slope->inputs[1], x);
  grad(graph, graph_reduce(graph, OP_reduce_sum, slope, 1, (int[]){0}, false), 1, &x, &curve);
  cr_assert_eq(curve->op, OP_mul);
  Node *self;
  grad(graph, loss, 1, &loss, &self);
  cr_assert_eq(self->attr->real, 1);
}

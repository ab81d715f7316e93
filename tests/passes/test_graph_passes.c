// The passes over graphs: the text before and after.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

#include "passes/passes.h"

static Arena *arena;
static Graph *graph;

static void begin(void) {
  arena = arena_new();
  graph = graph_new(arena, "test", 0);
}
static void end(void) {
  arena_free(arena);
}
TestSuite(graph_passes, .init = begin, .fini = end);

#define TYPE(type, ...) ((Type){.elem = type, .rank = sizeof((Dim[]){__VA_ARGS__}) / sizeof(Dim), .dim = {__VA_ARGS__}})
#define X(name, ...) graph_input(graph, name, TYPE(F32, __VA_ARGS__))

static Node *number(double value) {
  return graph_constant(graph, type_scalar(F32), value);
}
static Node *binary(Op op, Node *a, Node *b) {
  return graph_binary(graph, op, a, b);
}
static Node *unary(Op op, Node *a) {
  return graph_unary(graph, op, a);
}

static void output(const char *name, Node *value) {
  vec_push(arena, &graph->outputs, (GraphOutput){.name = name, .value = value});
}

static void expect_text(const Graph *after, const char *expected) {
  Text text = text_new(arena);
  graph_print(&text, after);
  cr_assert(strcmp(text_string(&text), expected) == 0, "%s", text_string(&text));
}

// What the simplified and cleaned graph of one output is, after the line of the input x: f32[n, 4].
static void expect_simple(Node *value, const char *expected) {
  graph->outputs.count = 0;
  output("y", value);
  Text text = text_new(arena);
  graph_print(&text, pass_dce(pass_simplify(graph)));
  const char *body = strchr(text_string(&text), '\n') + 1;
  cr_assert(strcmp(body, expected) == 0, "%s", body);
}

#define IS_X "  %0: f32[n, 4] = input(x)\n  output y = %0\n"

Test(graph_passes, arithmetic_with_neutral_elements) {
  Node *x = X("x", -1, 4);
  expect_simple(binary(OP_mul, x, number(1)), IS_X);
  expect_simple(binary(OP_mul, number(1), x), IS_X);
  expect_simple(binary(OP_div, x, number(1)), IS_X);
  expect_simple(binary(OP_sub, x, number(0)), IS_X);
  expect_simple(binary(OP_add, x, number(-0.0)), IS_X);
  expect_simple(unary(OP_neg, unary(OP_neg, x)), IS_X);
  expect_simple(unary(OP_stop_gradient, x), IS_X);
  Node *yes = graph_constant(graph, type_scalar(BOOL), 1);
  expect_simple(graph_select(graph, yes, x, number(3)), IS_X);
  Node *b = graph_input(graph, "b", TYPE(BOOL, -1, 4));
  expect_simple(unary(OP_not, unary(OP_not, binary(OP_and, b, yes))), "  %0: bool[n, 4] = input(b)\n  output y = %0\n");
  expect_simple(graph_cast(graph, graph_cast(graph, x, F64), F32), IS_X);
}

// x + 0 turns -0 into 0, x * 0 may be NaN, a cast to a whole number and back cuts.
Test(graph_passes, what_could_change_a_bit_stays) {
  Node *x = X("x", -1, 4);
  expect_simple(binary(OP_add, x, number(0)), "  %0: f32[n, 4] = input(x)\n"
                                              "  %1: f32[n, 4] = constant(0)\n"
                                              "  %2: f32[n, 4] = add(%0, %1)\n"
                                              "  output y = %2\n");
  expect_simple(binary(OP_mul, x, number(0)), "  %0: f32[n, 4] = input(x)\n"
                                              "  %1: f32[n, 4] = constant(0)\n"
                                              "  %2: f32[n, 4] = mul(%0, %1)\n"
                                              "  output y = %2\n");
  expect_simple(graph_cast(graph, graph_cast(graph, x, I32), F32), "  %0: f32[n, 4] = input(x)\n"
                                                                   "  %1: i32[n, 4] = cast(%0)\n"
                                                                   "  %2: f32[n, 4] = cast(%1)\n"
                                                                   "  output y = %2\n");
}

Test(graph_passes, division_by_a_power_of_two_is_a_product) {
  Node *x = X("x", -1, 4);
  expect_simple(binary(OP_div, x, number(-8)), "  %0: f32[n, 4] = input(x)\n"
                                               "  %1: f32[n, 4] = constant(-0.125)\n"
                                               "  %2: f32[n, 4] = mul(%0, %1)\n"
                                               "  output y = %2\n");
  expect_simple(binary(OP_div, x, number(3)), "  %0: f32[n, 4] = input(x)\n"
                                              "  %1: f32[n, 4] = constant(3)\n"
                                              "  %2: f32[n, 4] = div(%0, %1)\n"
                                              "  output y = %2\n");
  expect_simple(binary(OP_div, x, number(0x1p-149)), "  %0: f32[n, 4] = input(x)\n"
                                                     "  %1: f32[n, 4] = constant(1.4012984643248171e-45)\n"
                                                     "  %2: f32[n, 4] = div(%0, %1)\n"
                                                     "  output y = %2\n");
}

Test(graph_passes, moves_cancel_and_join) {
  Node *x = X("x", -1, 4);
  int swap[] = {1, 0};
  expect_simple(graph_transpose(graph, graph_transpose(graph, x, swap), swap), IS_X);
  Node *flat = graph_reshape(graph, x, &TYPE(F32, -4));
  expect_simple(graph_reshape(graph, flat, &x->type), IS_X);
  Node *half = graph_slice(graph, x, (int64_t[]){0, 1}, NULL, &TYPE(F32, -1, 3));
  expect_simple(graph_slice(graph, half, (int64_t[]){0, 1}, (int64_t[]){1, 1}, &TYPE(F32, -1, 2)),
                "  %0: f32[n, 4] = input(x)\n"
                "  %1: f32[n, 2] = slice(%0, start: [0, 2])\n"
                "  output y = %1\n");
  expect_simple(graph_slice(graph, x, (int64_t[]){0, 0}, NULL, &x->type), IS_X);
  Node *column = graph_reshape(graph, x, &TYPE(F32, -1, 1, 4));
  expect_simple(graph_transpose(graph, column, (int[]){1, 0, 2}), "  %0: f32[n, 4] = input(x)\n"
                                                                  "  %1: f32[1, n, 4] = reshape(%0)\n"
                                                                  "  output y = %1\n");
  Node *wide = graph_broadcast(graph, graph_broadcast(graph, x, &TYPE(F32, 2, -1, 4)), &TYPE(F32, 3, 2, -1, 4));
  expect_simple(wide, "  %0: f32[n, 4] = input(x)\n"
                      "  %1: f32[3, 2, n, 4] = broadcast(%0)\n"
                      "  output y = %1\n");
  Attr last = {.axis_count = 1, .axis = {1}};
  Node *reversed = graph_node(graph, OP_reverse, 1, &x, &last, NULL);
  expect_simple(graph_node(graph, OP_reverse, 1, &reversed, &last, NULL), IS_X);
}

Test(graph_passes, folding_of_splats) {
  Node *x = X("x", 2);
  Node *rate = binary(OP_div, number(1), binary(OP_add, number(2), number(1)));
  output("y", binary(OP_mul, x, graph_reshape(graph, unary(OP_neg, rate), &TYPE(F32, 1))));
  expect_text(pass_dce(pass_fold(graph)), "graph test(x: f32[2])\n"
                                          "  %0: f32[2] = input(x)\n"
                                          "  %1: f32[2] = constant(-0.3333333432674408)\n"
                                          "  %2: f32[2] = mul(%0, %1)\n"
                                          "  output y = %2\n");
}

Test(graph_passes, folding_keeps_what_is_not_a_number) {
  output("y", binary(OP_div, number(0), number(0)));
  const Graph *after = pass_fold(graph);
  cr_assert_eq(after->outputs.data[0].value->op, OP_div);
}

Test(graph_passes, folding_of_whole_numbers) {
  struct {
    Op op;
    double a, b;
    int64_t result;
  } cases[] = {{OP_div, -7, 2, -4},
               {OP_div, 7, -2, -4},
               {OP_div, 7, 0, 0},
               {OP_mod, -7, 3, 2},
               {OP_mod, 7, -3, -2},
               {OP_mod, 5, 0, 0},
               {OP_mod, 5, -1, 0},
               {OP_div, 6, -1, -6},
               {OP_div, INT32_MIN, -1, INT32_MIN},
               {OP_add, INT32_MAX, 1, INT32_MIN},
               {OP_max, -3, 2, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Type type = type_scalar(I32);
    graph->outputs.count = 0;
    output("y", binary(cases[i].op, graph_constant(graph, type, cases[i].a), graph_constant(graph, type, cases[i].b)));
    const Node *folded = pass_fold(graph)->outputs.data[0].value;
    cr_assert_eq(folded->op, OP_constant);
    cr_assert_eq(folded->attr->integer, cases[i].result, "case %zu: %lld", i, (long long)folded->attr->integer);
  }
}

Test(graph_passes, folding_of_casts) {
  struct {
    double from;
    ElemType to;
    int64_t result;
  } cases[] = {{3.9, I32, 3},
               {-3.9, I32, -3},
               {3e9, I32, INT32_MAX},
               {-3e9, I32, INT32_MIN},
               {INFINITY, I64, INT64_MAX},
               {-1e30, I64, INT64_MIN},
               {NAN, I32, 0},
               {300, U8, 255},
               {-5, U8, 0},
               {0.25, BOOL, 1},
               {-0.0, BOOL, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    graph->outputs.count = 0;
    output("y", graph_cast(graph, graph_constant(graph, type_scalar(F64), cases[i].from), cases[i].to));
    const Node *folded = pass_fold(graph)->outputs.data[0].value;
    cr_assert_eq(folded->op, OP_constant);
    cr_assert_eq(folded->attr->integer, cases[i].result, "case %zu: %lld", i, (long long)folded->attr->integer);
  }
}

Test(graph_passes, folding_of_dense_constants) {
  Node *a = graph_dense(graph, TYPE(F32, 2, 2), (float[]){1, 2, 3, 4});
  Node *sum = binary(OP_add, graph_transpose(graph, a, (int[]){1, 0}), number(0.5));
  output("y", graph_reshape(graph, sum, &TYPE(F32, 4)));
  expect_text(pass_dce(pass_fold(graph)), "graph test()\n"
                                          "  %0: f32[4] = constant([1.5, 3.5, 2.5, 4.5])\n"
                                          "  output y = %0\n");
}

Test(graph_passes, common_subexpressions_are_one) {
  Node *x = X("x", 2);
  Node *first = unary(OP_exp, x), *second = unary(OP_exp, x);
  Node *seed = graph_clock(graph, 2), *step = graph_clock(graph, 0), *again = graph_clock(graph, 0);
  Type type = x->type;
  Node *same[3];
  for (int i = 0; i < 3; i++)
    same[i] = graph_node(graph, OP_random, 2, (Node *[]){seed, i ? again : step}, &(Attr){.integer = i == 2}, &type);
  output("a", binary(OP_add, first, second));
  output("b", binary(OP_add, same[0], same[1]));
  output("c", binary(OP_add, same[0], same[2]));
  output("d", binary(OP_add, x, number(0)));
  output("e", binary(OP_add, x, number(-0.0)));
  expect_text(pass_cse(graph), "graph test(x: f32[2])\n"
                               "  %0: f32[2] = input(x)\n"
                               "  %1: f32[2] = exp(%0)\n"
                               "  %2: i64[] = clock(seed)\n"
                               "  %3: i64[] = clock(step)\n"
                               "  %4: f32[2] = random(%2, %3, stream: 0)\n"
                               "  %5: f32[2] = random(%2, %3, stream: 1)\n"
                               "  %6: f32[2] = add(%1, %1)\n"
                               "  %7: f32[2] = add(%4, %4)\n"
                               "  %8: f32[2] = add(%4, %5)\n"
                               "  %9: f32[] = constant(0)\n"
                               "  %10: f32[2] = constant(0)\n"
                               "  %11: f32[2] = add(%0, %10)\n"
                               "  %12: f32[] = constant(-0)\n"
                               "  %13: f32[2] = constant(-0)\n"
                               "  %14: f32[2] = add(%0, %13)\n"
                               "  output a = %6\n"
                               "  output b = %7\n"
                               "  output c = %8\n"
                               "  output d = %11\n"
                               "  output e = %14\n");
}

Test(graph_passes, dead_code_goes_and_inputs_stay) {
  Slot slot = {.name = "w", .type = TYPE(F32, 2)};
  Node *unused = X("unused", 5), *x = X("x", 2);
  unary(OP_exp, unused);
  Node *kept = unary(OP_neg, x);
  graph->scope = "inner";
  vec_push(arena, &graph->updates, (GraphUpdate){.slot = &slot, .value = binary(OP_mul, kept, kept)});
  Graph *after = pass_dce(graph);
  expect_text(after, "graph test(unused: f32[5], x: f32[2])\n"
                     "  %0: f32[2] = input(x)\n"
                     "  %1: f32[2] = neg(%0)\n"
                     "  %2: f32[2] = mul(%1, %1)   # inner\n"
                     "  update w := %2\n");
  cr_assert_eq(after->nodes.data[0]->attr->index, 1);
}

// What a 3x3 convolution of `channels` to as many over `batch` images, or its weights' gradient, is made in.
static int tile_of(bool gradient, int64_t batch, int64_t side, int64_t channels) {
  Attr attr = {.space = 2, .groups = 1, .window = {{3, 1, 1, 1, 1}, {3, 1, 1, 1, 1}}};
  Graph *own = graph_new(arena, "filter", 0);
  Type image = TYPE(F32, batch, side, side, channels), weights = TYPE(F32, 3, 3, channels, channels);
  Node *x = graph_input(own, "x", image), *second = graph_input(own, "second", gradient ? image : weights);
  Node *made = gradient ? graph_node(own, OP_conv_weight, 2, (Node *[]){x, second}, &attr, NULL)
                        : graph_conv(own, x, second, &attr, &image);
  vec_push(arena, &own->outputs, (GraphOutput){.name = "out", .value = made});
  return pass_winograd(own)->outputs.data[0].value->attr->tile;
}

Test(graph_passes, filtering_takes_large_tiles_of_few_channels) {
  for (int gradient = 0; gradient <= 1; gradient++) {
    cr_expect(eq(int, tile_of(gradient, 8, 28, 128), 4));
    cr_expect(eq(int, tile_of(gradient, 64, 16, 512), 2)); // too many pairs
    cr_expect(eq(int, tile_of(gradient, 1, 6, 64), 0));    // too few tiles
    cr_expect(eq(int, tile_of(gradient, 8, 28, 16), 0));   // too few channels
  }
  for (int gradient = 0; gradient <= 1; gradient++)
    cr_expect(eq(int, tile_of(gradient, 8, 7, 512), 4)); // many pairs, but fewer tiles
  cr_expect(eq(int, tile_of(true, 64, 8, 512), 2));
}

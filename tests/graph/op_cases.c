// The table of op_cases.h. Ranges keep away from kinks: log and sqrt from 0, remainders from whole quotients.
#include "graph/op_cases.h"

#include <math.h>

#define T(...)                                                                                                         \
  {                                                                                                                    \
    .elem = F64, .rank = sizeof((Dim[]){__VA_ARGS__}) / sizeof(Dim), .dim = { __VA_ARGS__ }                            \
  }
#define WHOLE(type, ...)                                                                                               \
  {                                                                                                                    \
    .elem = type, .rank = sizeof((Dim[]){__VA_ARGS__}) / sizeof(Dim), .dim = { __VA_ARGS__ }                           \
  }
#define N DIM_BATCH

#define SHAPE(...) ((Type)T(__VA_ARGS__))

#define UNARY(name)                                                                                                    \
  static Node *build_##name(Graph *g, Node **in) {                                                                     \
    return graph_unary(g, OP_##name, in[0]);                                                                           \
  }
#define BINARY(name)                                                                                                   \
  static Node *build_##name(Graph *g, Node **in) {                                                                     \
    return graph_binary(g, OP_##name, in[0], in[1]);                                                                   \
  }
UNARY(neg)
UNARY(abs)
UNARY(sign)
UNARY(exp)
UNARY(log)
UNARY(sqrt)
UNARY(tanh)
UNARY(logistic)
UNARY(erf) UNARY(sin) UNARY(cos) UNARY(floor) UNARY(not ) UNARY(stop_gradient) BINARY(add) BINARY(sub) BINARY(mul)
    BINARY(div) BINARY(mod) BINARY(pow) BINARY(max) BINARY(min) BINARY(eq) BINARY(ne) BINARY(lt) BINARY(le) BINARY(and)
        BINARY(or)

            static Node *build_input(Graph *g, Node **in) {
  (void)g;
  return in[0];
}
static Node *build_slot(Graph *g, Node **in) {
  static const Slot slot = {.name = "w", .type = {.elem = F64, .rank = 1, .dim = {3}}};
  (void)in;
  return graph_slot(g, &slot);
}
static Node *build_splat(Graph *g, Node **in) {
  (void)in;
  return graph_constant(g, SHAPE(2, 3), 0.25);
}
static Node *build_dense(Graph *g, Node **in) {
  (void)in;
  return graph_dense(g, SHAPE(2, 2), (double[]){1, -0.5, 0.25, 3});
}
static Node *build_clock(Graph *g, Node **in) {
  (void)in;
  return graph_clock(g, 0);
}
static Node *build_iota(Graph *g, Node **in) {
  (void)in;
  return graph_iota(g, (Type){.elem = I64, .rank = 3, .dim = {N, 4, 2}}, 1);
}

static Node *build_cast_whole(Graph *g, Node **in) {
  return graph_cast(g, in[0], I32);
}
static Node *build_cast_byte(Graph *g, Node **in) {
  return graph_cast(g, in[0], U8);
}
static Node *build_cast_bool(Graph *g, Node **in) {
  return graph_cast(g, in[0], BOOL);
}
static Node *build_cast_back(Graph *g, Node **in) {
  return graph_cast(g, graph_cast(g, in[0], F32), F64);
}
static Node *build_select(Graph *g, Node **in) {
  return graph_select(g, in[0], in[1], in[2]);
}
static Node *build_pow_constant(Graph *g, Node **in) {
  return graph_binary(g, OP_pow, in[0], graph_constant(g, type_scalar(F64), 2.5));
}
static Node *build_pow_small(Graph *g, Node **in) {
  Node *sum = NULL;
  for (int i = -2; i <= 6; i++) {
    Node *power = graph_binary(g, OP_pow, in[0], graph_constant(g, type_scalar(F64), i / 2.0));
    sum = sum ? graph_binary(g, OP_add, sum, power) : power;
  }
  return sum;
}

// -((x - a) * b / c), whose factors are the same along some of what a is repeated over.
static Node *build_scaled(Graph *g, Node **in) {
  Node *x = graph_constant(g, SHAPE(N, 2, 3), 0.25);
  Node *apart = graph_binary(g, OP_sub, x, in[0]);
  Node *scaled = graph_binary(g, OP_div, graph_binary(g, OP_mul, apart, in[1]), in[2]);
  return graph_unary(g, OP_neg, scaled);
}

static Node *build_broadcast(Graph *g, Node **in) {
  return graph_broadcast(g, in[0], &SHAPE(N, 2, 3));
}
static Node *build_reshape_merge(Graph *g, Node **in) {
  return graph_reshape(g, in[0], &SHAPE(-2, 6));
}
static Node *build_reshape_split(Graph *g, Node **in) {
  return graph_reshape(g, in[0], &SHAPE(N, 2, 3, 2));
}
static Node *build_reshape_cross(Graph *g, Node **in) {
  return graph_reshape(g, in[0], &SHAPE(3, 1, 4));
}
static Node *build_reshape_batch(Graph *g, Node **in) {
  return graph_reshape(g, in[0], &SHAPE(2, N, 3));
}
static Node *build_reshape_scalar(Graph *g, Node **in) {
  return graph_reshape(g, in[0], &(Type){.elem = F64});
}
static Node *build_transpose(Graph *g, Node **in) {
  return graph_transpose(g, in[0], (int[]){2, 0, 1});
}
static Node *build_slice(Graph *g, Node **in) {
  return graph_slice(g, in[0], (int64_t[]){0, 1, 2}, NULL, &SHAPE(N, 2, 3));
}
static Node *build_slice_step(Graph *g, Node **in) {
  return graph_slice(g, in[0], (int64_t[]){0, 1, 0}, (int64_t[]){1, 2, 3}, &SHAPE(N, 2, 2));
}
static Node *build_slice_batch(Graph *g, Node **in) {
  return graph_slice(g, in[0], (int64_t[]){-1, 0}, NULL, &SHAPE(N, 2));
}
static Node *build_slice_first(Graph *g, Node **in) {
  return graph_slice(g, in[0], (int64_t[]){0, 0}, NULL, &SHAPE(1, 2));
}
static Node *build_pad(Graph *g, Node **in) {
  return graph_pad(g, in[0], (int64_t[]){0, 1, 2}, &SHAPE(N, 4, 5), 0.5);
}
// Columns that are computed in several ways: heads of 16 side by side, other columns behind them, and their sum.
static Node *build_stretches(Graph *g, Node **in) {
  Node *heads = graph_reshape(g, graph_transpose(g, in[0], (int[]){0, 2, 1, 3}), &SHAPE(N, 3, 32));
  Node *left = graph_pad(g, heads, (int64_t[]){0, 0, 0}, &SHAPE(N, 3, 72), 0);
  Node *right = graph_pad(g, in[1], (int64_t[]){0, 0, 52}, &SHAPE(N, 3, 72), 0.25);
  Node *parts[] = {in[1], heads, in[1]};
  return graph_binary(g, OP_mul, graph_binary(g, OP_add, left, right), graph_concat(g, 3, parts, 2));
}
static Node *build_concat(Graph *g, Node **in) {
  return graph_concat(g, 3, in, 1);
}
static Node *build_concat_batch(Graph *g, Node **in) {
  return graph_concat(g, 2, in, 0);
}
static Node *build_reverse(Graph *g, Node **in) {
  return graph_node(g, OP_reverse, 1, in, &(Attr){.axis_count = 2, .axis = {0, 2}}, NULL);
}
static Node *gather(Graph *g, Node **in, int axis) {
  return graph_node(g, OP_gather, 2, in, &(Attr){.axis_count = 1, .axis = {axis}}, NULL);
}
static Node *build_gather_rows(Graph *g, Node **in) {
  return gather(g, in, 0);
}
static Node *build_gather_middle(Graph *g, Node **in) {
  return gather(g, in, 1);
}
static Node *build_random(Graph *g, Node **in) {
  (void)in;
  Node *clocks[] = {graph_clock(g, 2), graph_clock(g, 0)};
  return graph_node(g, OP_random, 2, clocks, &(Attr){.integer = 3}, &SHAPE(N, 4));
}

static Node *build_sum(Graph *g, Node **in) {
  return graph_reduce(g, OP_reduce_sum, in[0], 2, (int[]){0, 2}, false);
}
static Node *build_sum_last(Graph *g, Node **in) {
  return graph_reduce(g, OP_reduce_sum, in[0], 1, (int[]){2}, true);
}
static Node *build_sum_all(Graph *g, Node **in) {
  return graph_reduce(g, OP_reduce_sum, in[0], 3, (int[]){0, 1, 2}, false);
}
static Node *build_reduce_max(Graph *g, Node **in) {
  return graph_reduce(g, OP_reduce_max, in[0], 1, (int[]){1}, false);
}
static Node *build_reduce_min(Graph *g, Node **in) {
  return graph_reduce(g, OP_reduce_min, in[0], 2, (int[]){1, 2}, true);
}
static Node *build_reduce_first(Graph *g, Node **in) {
  return graph_node(g, OP_reduce_max, 1, in, &(Attr){.axis_count = 2, .axis = {1, 2}, .integer = 1}, NULL);
}
static Node *build_argmax(Graph *g, Node **in) {
  return graph_reduce(g, OP_argmax, in[0], 1, (int[]){1}, false);
}
static Node *build_matmul(Graph *g, Node **in) {
  return graph_matmul(g, in[0], in[1]);
}
static Node *build_scatter(Graph *g, Node **in) {
  return graph_node(g, OP_scatter_add, 3, in, &(Attr){.axis_count = 1, .axis = {0}}, NULL);
}
static Node *build_scatter_middle(Graph *g, Node **in) {
  return graph_node(g, OP_scatter_add, 3, in, &(Attr){.axis_count = 1, .axis = {1}}, NULL);
}

#include "graph/op_cases_attention.h"
#include "graph/op_cases_scan.h"
#include "graph/op_cases_window.h"

#define ONE(name, ...)                                                                                                 \
  { #name, OP_##name, 1, {T(N, 3) }, build_##name, __VA_ARGS__ }
#define TWO(name, ...)                                                                                                 \
  { #name, OP_##name, 2, {T(N, 3), T(3) }, build_##name, __VA_ARGS__ }

const OpCase op_cases[] = {
    {"input", OP_input, 1, {T(N, 3)}, build_input, .differentiable = 1},
    {"slot", OP_slot, 0, {{0}}, build_slot, .differentiable = 0},
    {"splat", OP_constant, 0, {{0}}, build_splat, .differentiable = 0},
    {"dense", OP_constant, 0, {{0}}, build_dense, .differentiable = 0},
    {"clock", OP_clock, 0, {{0}}, build_clock, .differentiable = 0},
    {"iota", OP_iota, 0, {{0}}, build_iota, .differentiable = 0},
    ONE(neg, .differentiable = 1),
    ONE(abs, .differentiable = 1),
    ONE(sign, .differentiable = 0),
    ONE(exp, .differentiable = 1),
    ONE(log, .differentiable = 1, .low = 0.2, .high = 3),
    ONE(sqrt, .differentiable = 1, .low = 0.2, .high = 3),
    ONE(tanh, .differentiable = 1),
    ONE(logistic, .differentiable = 1),
    ONE(erf, .differentiable = 1),
    ONE(sin, .differentiable = 1),
    ONE(cos, .differentiable = 1),
    ONE(floor, .differentiable = 0),
    ONE(stop_gradient, .differentiable = 0),
    {"not", OP_not, 1, {WHOLE(BOOL, N, 3)}, build_not, .below = 2},
    {"cast to i32", OP_cast, 1, {T(N, 3)}, build_cast_whole, .low = -3e9, .high = 3e9},
    {"cast to u8", OP_cast, 1, {T(N, 3)}, build_cast_byte, .low = -100, .high = 400},
    {"cast to bool", OP_cast, 1, {T(N, 3)}, build_cast_bool, .differentiable = 0},
    {"cast to f32 and back", OP_cast, 1, {T(N, 3)}, build_cast_back, .differentiable = 1, .tolerance = 2e-2},
    TWO(add, .differentiable = 3),
    TWO(sub, .differentiable = 3),
    TWO(mul, .differentiable = 3),
    TWO(div, .differentiable = 3, .low = 0.5, .high = 2),
    {"div of i32", OP_div, 2, {WHOLE(I32, N, 3), WHOLE(I32, 3)}, build_div, .below = 9},
    TWO(mod, .differentiable = 3, .low = 0.5, .high = 2),
    {"mod of i64", OP_mod, 2, {WHOLE(I64, N, 3), WHOLE(I64, 3)}, build_mod, .below = 9},
    {"add of u8", OP_add, 2, {WHOLE(U8, N, 3), WHOLE(U8, 3)}, build_add, .below = 256},
    TWO(pow, .differentiable = 3, .low = 0.4, .high = 2),
    {"pow of a constant", OP_pow, 1, {T(N, 3)}, build_pow_constant, .differentiable = 1, .low = 0.4, .high = 2},
    {"pow of small constants", OP_pow, 1, {T(N, 3)}, build_pow_small, .differentiable = 1, .low = 0.4, .high = 2},
    TWO(max, .differentiable = 3),
    TWO(min, .differentiable = 3),
    TWO(eq, .differentiable = 0),
    TWO(ne, .differentiable = 0),
    TWO(lt, .differentiable = 0),
    TWO(le, .differentiable = 0),
    {"and", OP_and, 2, {WHOLE(BOOL, N, 3), WHOLE(BOOL, 3)}, build_and, .below = 2},
    {"or", OP_or, 2, {WHOLE(BOOL, N, 3), WHOLE(BOOL, 3)}, build_or, .below = 2},
    {"select", OP_select, 3, {WHOLE(BOOL, N, 1), T(N, 3), T(3)}, build_select, .differentiable = 6, .below = 2},
    {"broadcast of a row", OP_broadcast, 1, {T(3)}, build_broadcast, .differentiable = 1},
    {"broadcast of ones", OP_broadcast, 1, {T(N, 1, 3)}, build_broadcast, .differentiable = 1},
    {"scaled alike", OP_broadcast, 3, {T(3), T(3), T(1, 3)}, build_scaled, .differentiable = 7, .low = 0.5, .high = 2},
    {"scaled by rows", OP_broadcast, 3, {T(2, 1), T(3), T(2, 1)}, build_scaled, .differentiable = 7, .low = 0.5, .high = 2},
    {"scaled apart", OP_broadcast, 3, {T(3), T(N, 1, 3), T(2, 1)}, build_scaled, .differentiable = 7, .low = 1, .high = 2},
    {"broadcast of a scalar", OP_broadcast, 1, {{.elem = F64}}, build_broadcast, .differentiable = 1},
    {"reshape that merges", OP_reshape, 1, {T(N, 2, 3, 2)}, build_reshape_merge, .differentiable = 1},
    {"reshape that splits", OP_reshape, 1, {T(-2, 6)}, build_reshape_split, .differentiable = 1},
    {"reshape across", OP_reshape, 1, {T(4, 3)}, build_reshape_cross, .differentiable = 1},
    {"reshape across the batch", OP_reshape, 1, {T(N, 6)}, build_reshape_batch, .differentiable = 1},
    {"reshape to a scalar", OP_reshape, 1, {T(1, 1)}, build_reshape_scalar, .differentiable = 1},
    {"transpose", OP_transpose, 1, {T(N, 2, 3)}, build_transpose, .differentiable = 1},
    {"slice", OP_slice, 1, {T(N, 4, 5)}, build_slice, .differentiable = 1},
    {"slice with a step", OP_slice, 1, {T(N, 4, 5)}, build_slice_step, .differentiable = 1},
    {"slice of the batch", OP_slice, 1, {T(-2, 2)}, build_slice_batch, .differentiable = 1},
    {"first of the batch", OP_slice, 1, {T(N, 2)}, build_slice_first, .differentiable = 1},
    {"pad", OP_pad, 1, {T(N, 2, 3)}, build_pad, .differentiable = 1},
    {"pads and parts in stretches", OP_pad, 2, {T(N, 2, 3, 16), T(N, 3, 20)}, build_stretches, .differentiable = 3},
    {"concat", OP_concat, 3, {T(N, 2, 2), T(N, 1, 2), T(N, 3, 2)}, build_concat, .differentiable = 7},
    {"concat of batches", OP_concat, 2, {T(N, 3), T(N, 3)}, build_concat_batch, .differentiable = 3},
    {"reverse", OP_reverse, 1, {T(N, 2, 3)}, build_reverse, .differentiable = 1},
    {"gather of rows", OP_gather, 2, {T(5, 2), WHOLE(I64, N)}, build_gather_rows, .differentiable = 1, .below = 5},
    {"gather, clamped", OP_gather, 2, {T(5, 2), WHOLE(I64, 7)}, build_gather_rows, .differentiable = 1, .below = 9},
    {"gather by a matrix",
     OP_gather,
     2,
     {T(2, 4, 2), WHOLE(I32, N, 3)},
     build_gather_middle,
     .differentiable = 1,
     .below = 4},
    {"gather by a scalar",
     OP_gather,
     2,
     {T(2, 4, 2), {.elem = I32}},
     build_gather_middle,
     .differentiable = 1,
     .below = 4},
    {"random", OP_random, 0, {{0}}, build_random, .differentiable = 0},
    {"reduce_sum", OP_reduce_sum, 1, {T(N, 2, 3)}, build_sum, .differentiable = 1},
    {"reduce_sum, kept", OP_reduce_sum, 1, {T(N, 2, 3)}, build_sum_last, .differentiable = 1},
    {"reduce_sum of all", OP_reduce_sum, 1, {T(N, 2, 19)}, build_sum_all, .differentiable = 1},
    {"reduce_max", OP_reduce_max, 1, {T(N, 4, 2)}, build_reduce_max, .differentiable = 1},
    {"reduce_min", OP_reduce_min, 1, {T(N, 4, 2)}, build_reduce_min, .differentiable = 1},
    {"reduce_max, the first", OP_reduce_max, 1, {T(N, 4, 2)}, build_reduce_first, .differentiable = 1},
    {"argmax", OP_argmax, 1, {T(N, 4)}, build_argmax, .differentiable = 0},
    {"matmul", OP_matmul, 2, {T(N, 3), T(3, 2)}, build_matmul, .differentiable = 3},
    {"matmul over the batch", OP_matmul, 2, {T(2, N), T(N, 3)}, build_matmul, .differentiable = 3},
    {"matmul of rows", OP_matmul, 2, {T(N, 2, 3), T(3, 2)}, build_matmul, .differentiable = 3},
    {"matmul, batched", OP_matmul, 2, {T(N, 2, 3), T(N, 3, 2)}, build_matmul, .differentiable = 3},
    {"matmul, broadcast", OP_matmul, 2, {T(2, 1, 2, 3), T(N, 3, 2)}, build_matmul, .differentiable = 3},
    {"matmul by a stack", OP_matmul, 2, {T(2, 3), T(N, 3, 2)}, build_matmul, .differentiable = 3},
    {"scatter_add",
     OP_scatter_add,
     3,
     {T(5, 2), WHOLE(I64, N), T(N, 2)},
     build_scatter,
     .differentiable = 5,
     .below = 5},
    {"scatter_add along the middle",
     OP_scatter_add,
     3,
     {T(2, 3, 2), WHOLE(I32, 4), T(2, 4, 2)},
     build_scatter_middle,
     .differentiable = 5,
     .below = 3},
    {"window", OP_window, 1, {T(N, 5, 2)}, build_window, .differentiable = 1},
    {"window with gaps", OP_window, 1, {T(N, 5, 4, 1)}, build_window_gaps, .differentiable = 1},
    {"window in three dimensions", OP_window, 1, {T(2, 3, 2, 3, 1)}, build_window_volume, .differentiable = 1},
    {"window, spread", OP_window, 1, {T(N, 3, 2)}, build_window_spread, .differentiable = 1},
    {"slide", OP_slide, 1, {T(N, 3, 3, 2)}, build_slide, .differentiable = 1},
    {"slide with gaps", OP_slide, 1, {T(N, 5, 2, 2, 3, 1)}, build_slide_gaps, .differentiable = 1},
    {"slide, spread", OP_slide, 1, {T(N, 6, 3, 2)}, build_slide_spread, .differentiable = 1},
    {"slide backwards", OP_slide, 1, {T(N, 5, 3, 2)}, build_slide_back, .differentiable = 1},
    {"slide in three dimensions", OP_slide, 1, {T(1, 2, 2, 2, 2, 1, 2, 1)}, build_slide_volume, .differentiable = 1},
    {"conv along a line", OP_conv, 2, {T(N, 5, 3), T(3, 3, 2)}, build_conv_line, .differentiable = 3},
    {"conv with gaps", OP_conv, 2, {T(N, 3, 4, 2), T(2, 3, 2, 3)}, build_conv_plane, .differentiable = 3},
    {"conv in groups", OP_conv, 2, {T(N, 3, 3, 4), T(2, 2, 2, 4)}, build_conv_groups, .differentiable = 3},
    {"conv in three dimensions",
     OP_conv,
     2,
     {T(N, 2, 2, 3, 2), T(2, 1, 2, 2, 2)},
     build_conv_volume,
     .differentiable = 3},
    {"conv, spread", OP_conv, 2, {T(N, 3, 2, 2), T(3, 2, 2, 1)}, build_conv_spread, .differentiable = 3},
    {"conv of a batch of rows", OP_conv, 2, {T(N, 2, 3, 1), T(2, 1, 2)}, build_conv_leads, .differentiable = 3},
    {"conv_weight along a line",
     OP_conv_weight,
     2,
     {T(N, 5, 3), T(N, 3, 2)},
     build_conv_weight_line,
     .differentiable = 3},
    {"conv_weight with gaps",
     OP_conv_weight,
     2,
     {T(N, 3, 4, 2), T(N, 2, 4, 3)},
     build_conv_weight_plane,
     .differentiable = 3},
    {"conv_weight in groups",
     OP_conv_weight,
     2,
     {T(N, 3, 3, 4), T(N, 2, 2, 4)},
     build_conv_weight_groups,
     .differentiable = 3},
    {"conv_weight in three dimensions",
     OP_conv_weight,
     2,
     {T(N, 2, 2, 3, 2), T(N, 1, 2, 2, 2)},
     build_conv_weight_volume,
     .differentiable = 3},
    {"conv_weight, spread", OP_conv_weight, 2, {T(N, 3, 2), T(N, 5, 1)}, build_conv_weight_spread, .differentiable = 3},
    {"scan to its end", OP_scan, 3, {T(N, 3), T(4, N, 3), T(3, 3)}, build_scan_last, .differentiable = 7},
    {"scan, its steps from the end",
     OP_scan_result,
     3,
     {T(N, 3), T(4, N, 3), T(3, 3)},
     build_scan_steps,
     .differentiable = 7},
    {"scan, steps and end", OP_scan_result, 3, {T(N, 3), T(4, N, 3), T(3, 3)}, build_scan_both, .differentiable = 7},
    {"scan as far as the longest",
     OP_scan,
     3,
     {T(N, 3), T(6, N, 3), WHOLE(I64, N)},
     build_scan_counted,
     .differentiable = 3,
     .below = 3},
    {"scan of odd length as far as the longest",
     OP_scan,
     3,
     {T(N, 3), T(7, N, 3), WHOLE(I64, N)},
     build_scan_counted,
     .differentiable = 3,
     .below = 3},
    {"scan from the longest's end",
     OP_scan,
     3,
     {T(N, 3), T(7, N, 3), WHOLE(I64, N)},
     build_scan_counted_from_end,
     .differentiable = 3,
     .below = 3},
    {"scan of no step",
     OP_scan,
     3,
     {T(N, 3), T(4, N, 3), WHOLE(I64, N)},
     build_scan_counted,
     .differentiable = 3,
     .below = 1},
    {"attention", OP_attention, 3, {T(N, 5, 3), T(N, 4, 3), T(N, 4, 2)}, build_attention, .differentiable = 7},
    {"attention, causal",
     OP_attention,
     3,
     {T(N, 4, 3), T(N, 4, 3), T(N, 4, 2)},
     build_attention_causal,
     .differentiable = 7},
    {"attention, causal, more keys",
     OP_attention,
     3,
     {T(N, 2, 3), T(N, 5, 3), T(N, 5, 2)},
     build_attention_causal,
     .differentiable = 7},
    {"attention, causal, fewer keys",
     OP_attention,
     3,
     {T(N, 5, 3), T(N, 2, 3), T(N, 2, 2)},
     build_attention_causal,
     .differentiable = 7},
    {"attention, masked",
     OP_attention,
     3,
     {T(N, 4, 3), T(N, 5, 3), T(N, 5, 2)},
     build_attention_masked,
     .differentiable = 7},
    {"attention, masked and causal",
     OP_attention,
     3,
     {T(N, 5, 3), T(N, 5, 3), T(N, 5, 2)},
     build_attention_both,
     .differentiable = 7},
    {"attention of shared heads",
     OP_attention,
     3,
     {T(N, 2, 2, 3, 2), T(N, 2, 1, 4, 2), T(N, 2, 1, 4, 2)},
     build_attention,
     .differentiable = 7},
    {"attention of more than a tile",
     OP_attention,
     3,
     {T(66, 2), T(67, 2), T(67, 1)},
     build_attention_both,
     .differentiable = 7,
     .tolerance = 2e-5},
    {"attention in a scan", OP_attention, 3, {T(N, 3), T(4, N, 3), T(5, 3)}, build_attention_scan, .differentiable = 7},
    {"attention_lse",
     OP_attention_lse,
     3,
     {T(N, 4, 3), T(N, 5, 3), T(N, 5, 2)},
     build_attention_lse,
     .differentiable = 0},
    {"attention_dq", OP_attention_dq, 3, {T(N, 4, 3), T(N, 5, 3), T(N, 5, 3)}, build_attention_dq, .differentiable = 0},
    {"attention_dk", OP_attention_dk, 3, {T(N, 4, 3), T(N, 5, 3), T(N, 5, 3)}, build_attention_dk, .differentiable = 0},
    {"attention_dv", OP_attention_dv, 3, {T(N, 4, 3), T(N, 5, 3), T(N, 5, 3)}, build_attention_dv, .differentiable = 0},
};
const int op_case_count = sizeof op_cases / sizeof *op_cases;

Node *op_case_loss(Graph *graph, Node *result) {
  Type places = result->type;
  places.elem = I64;
  int axes[MAX_RANK];
  Node *weight = graph_constant(graph, result->type, 0.5);
  for (int i = 0; i < places.rank; i++) {
    Node *place = graph_cast(graph, graph_iota(graph, places, i), F64);
    Node *factor = graph_constant(graph, result->type, 0.37 + 0.11 * i);
    weight = graph_binary(graph, OP_add, weight, graph_binary(graph, OP_mul, place, factor));
    axes[i] = i;
  }
  return graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, result, weight), places.rank, axes, false);
}

// Multiples of the golden ratio, modulo 1: no two are near each other.
static double spread(int input, int64_t at) {
  double place = 0.37 + 0.6180339887498949 * (double)at + 0.2360679774997898 * input;
  return place - floor(place);
}

double op_case_real(const OpCase *op_case, int input, int64_t at) {
  bool given = op_case->low != 0 || op_case->high != 0;
  double low = given ? op_case->low : -2, high = given ? op_case->high : 2;
  return low + (high - low) * spread(input, at);
}

int64_t op_case_whole(const OpCase *op_case, int input, int64_t at) {
  return (int64_t)(spread(input, at) * (double)op_case->below);
}

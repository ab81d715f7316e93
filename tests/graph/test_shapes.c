// Shape rules: what they give, and what they say to the user.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

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
TestSuite(shapes, .init = begin, .fini = end);

#define TYPE(type, ...) ((Type){.elem = type, .rank = sizeof((Dim[]){__VA_ARGS__}) / sizeof(Dim), .dim = {__VA_ARGS__}})
#define X(...) graph_input(graph, "x", TYPE(F32, __VA_ARGS__))
#define SCALAR(type) graph_input(graph, "x", type_scalar(type))
#define WHOLE(...) graph_input(graph, "i", TYPE(I64, __VA_ARGS__))

static const char *outcome(Op op, int count, Node *const *inputs, const Attr *attr, const Type *wanted) {
  Type type;
  const char *wrong = graph_check(arena, op, count, inputs, attr, wanted, &type);
  return wrong ? wrong : type_text(arena, &type);
}

#define EXPECT(text, op, attr, wanted, ...)                                                                            \
  do {                                                                                                                 \
    Node *list[] = {__VA_ARGS__};                                                                                      \
    const char *got = outcome(op, (int)(sizeof list / sizeof *list), list, attr, wanted);                              \
    cr_assert(strcmp(got, text) == 0, "%s", got);                                                                      \
  } while (0)

Test(shapes, types_are_printed_with_the_batch) {
  cr_assert_str_eq(type_text(arena, &TYPE(F32, -1, 28, -2)), "f32[n, 28, 2n]");
  Type scalar = type_scalar(BOOL);
  cr_assert_str_eq(type_text(arena, &scalar), "bool[]");
  cr_assert_eq(type_count(&TYPE(F32, -2, 3), 5), 30);
  ElemType elem;
  cr_assert(elem_parse("u8", &elem) && elem == U8);
  cr_assert_not(elem_parse("f16", &elem));
}

Test(shapes, point_operations_broadcast) {
  EXPECT("f32[n, 3]", OP_add, NULL, NULL, X(-1, 3), X(3));
  EXPECT("f32[2, n, 4]", OP_mul, NULL, NULL, X(2, 1, 4), X(-1, 1));
  EXPECT("bool[n]", OP_lt, NULL, NULL, X(-1), SCALAR(F32));
  EXPECT("shapes f32[n, 3] and f32[4] do not match: 3 against 4 in the last dimension", OP_add, NULL, NULL, X(-1, 3),
         X(4));
  EXPECT("shapes f32[n, 3] and f32[2n, 3] do not match: n against 2n in the second to last dimension", OP_sub, NULL,
         NULL, X(-1, 3), X(-2, 3));
  EXPECT("shapes f32[n] and f32[32] do not match: n against 32 in the last dimension", OP_sub, NULL, NULL, X(-1),
         X(32));
}

Test(shapes, point_operations_check_element_types) {
  EXPECT("`+` of f32[2] and i64[2]: the element types must be equal", OP_add, NULL, NULL, X(2), WHOLE(2));
  EXPECT("`exp` needs f32 or f64, not i64", OP_exp, NULL, NULL, WHOLE(2));
  EXPECT("`not` needs bool, not f32", OP_not, NULL, NULL, X(2));
  EXPECT("`-` needs numbers, not bool", OP_neg, NULL, NULL, SCALAR(BOOL));
  EXPECT("a condition must be bool, not f32", OP_select, NULL, NULL, X(2), X(2), X(2));
  EXPECT("`add` takes 2 tensors, not 1", OP_add, NULL, NULL, X(2));
  EXPECT("`cast` needs a type", OP_cast, NULL, NULL, X(2));
}

Test(shapes, products) {
  EXPECT("f32[n, 32]", OP_matmul, NULL, NULL, X(-1, 64), X(64, 32));
  EXPECT("f32[7, n, 2, 4]", OP_matmul, NULL, NULL, X(7, 1, 2, 3), X(-1, 3, 4));
  EXPECT("`@` multiplies [.., m, k] by [.., k, n]: inner sizes 64 and 32 differ in f32[n, 64] @ f32[32, 10]", OP_matmul,
         NULL, NULL, X(-1, 64), X(32, 10));
  EXPECT("`@` multiplies [.., m, k] by [.., k, n]: f32[64] has fewer than two dimensions", OP_matmul, NULL, NULL, X(64),
         X(64, 2));
  EXPECT("`@`: leading dimensions of f32[2, 3, 4] and f32[3, 4, 5] do not match", OP_matmul, NULL, NULL, X(2, 3, 4),
         X(3, 4, 5));
  EXPECT("`@` needs two tensors of f32 or of f64, not i64 and i64", OP_matmul, NULL, NULL, WHOLE(2, 2), WHOLE(2, 2));
}

Test(shapes, reshapes_keep_the_number_of_elements) {
  EXPECT("f32[2n, 6]", OP_reshape, NULL, &TYPE(F32, -2, 6), X(-1, 3, 4));
  EXPECT("f32[n, n, 1]", OP_reshape, NULL, &TYPE(F32, -1, -1, 1), X(-1, 1, -1));
  EXPECT("cannot reshape f32[n, 3, 4] to f32[n, 10]: n * 12 elements against n * 10", OP_reshape, NULL,
         &TYPE(F32, -1, 10), X(-1, 3, 4));
  EXPECT("cannot reshape f32[n, 3] to f32[96]: n * 3 elements against 96", OP_reshape, NULL, &TYPE(F32, 96), X(-1, 3));
  EXPECT("cannot reshape f32[n] to f32[n, n]: n elements against n * n", OP_reshape, NULL, &TYPE(F32, -1, -1), X(-1));
}

Test(shapes, broadcasts) {
  EXPECT("f32[n, 3]", OP_broadcast, NULL, &TYPE(I64, -1, 3), X(3));
  EXPECT("f32[n, 3] does not broadcast to f32[3]", OP_broadcast, NULL, &TYPE(F32, 3), X(-1, 3));
  EXPECT("shapes f32[2] and f32[4] do not match: 2 against 4 in the last dimension", OP_broadcast, NULL, &TYPE(F32, 4),
         X(2));
}

Test(shapes, transposes) {
  EXPECT("f32[3, n, 2]", OP_transpose, &((Attr){.axis_count = 3, .axis = {2, 0, 1}}), NULL, X(-1, 2, 3));
  EXPECT("`transpose`: axis 1 is given twice", OP_transpose, &((Attr){.axis_count = 2, .axis = {1, 1}}), NULL, X(2, 3));
  EXPECT("`transpose` of f32[2, 3] needs 2 axes, not 1", OP_transpose, &((Attr){.axis_count = 1}), NULL, X(2, 3));
  EXPECT("`transpose`: f32[2] has no axis 7", OP_transpose, &((Attr){.axis_count = 1, .axis = {7}}), NULL, X(2));
}

Test(shapes, slices_lie_inside) {
  Attr attr = {.start = {0, 2}, .step = {1, 3}};
  EXPECT("f32[n, 2]", OP_slice, &attr, &TYPE(F32, -1, 2), X(-1, 6));
  EXPECT("3 elements from 2 on are not inside dimension 1 of f32[n, 6]", OP_slice, &attr, &TYPE(F32, -1, 3), X(-1, 6));
  EXPECT("dimension 0 of f32[n, 6] is the batch, whose size is known only at run time: it cannot be cut to 5 elements",
         OP_slice, &attr, &TYPE(F32, 5, 2), X(-1, 6));
  EXPECT("f32[1, 2]", OP_slice, &attr, &TYPE(F32, 1, 2), X(-1, 6));
  Attr second = {.start = {-1}, .step = {1}};
  EXPECT("f32[n]", OP_slice, &second, &TYPE(F32, -1), X(-2));
  EXPECT("dimension 0 of f32[2n] is the batch, whose size is known only at run time: it cannot be cut to 2n elements",
         OP_slice, &second, &TYPE(F32, -2), X(-2));
  Attr backwards = {.step = {0}};
  EXPECT("a slice's step must be at least 1, not 0", OP_slice, &backwards, &TYPE(F32, 2), X(4));
  Attr huge = {.step = {INT64_MAX}};
  EXPECT("2 elements from 0 on are not inside dimension 0 of f32[4]", OP_slice, &huge, &TYPE(F32, 2), X(4));
}

Test(shapes, pads_have_room) {
  Attr attr = {.start = {0, 1}};
  EXPECT("f32[n, 4]", OP_pad, &attr, &TYPE(F32, -1, 4), X(-1, 3));
  EXPECT("padding f32[n, 4] to f32[n, 4]: dimension 1 has no room for 4 elements after 1", OP_pad, &attr,
         &TYPE(F32, -1, 4), X(-1, 4));
}

Test(shapes, parts_are_joined) {
  Attr first = {.axis_count = 1}, second = {.axis_count = 1, .axis = {1}};
  EXPECT("f32[n, 5]", OP_concat, &second, NULL, X(-1, 2), X(-1, 3));
  EXPECT("f32[3n]", OP_concat, &first, NULL, X(-1), X(-2));
  EXPECT("`concat` of f32[n, 2] and f32[n, 3]: all dimensions but 0 must be equal", OP_concat, &first, NULL, X(-1, 2),
         X(-1, 3));
  EXPECT("`concat` of f32[n] and f32[3]: dimension 0 cannot join the batch and a fixed size", OP_concat, &first, NULL,
         X(-1), X(3));
}

Test(shapes, gathers_and_scatters) {
  Attr first = {.axis_count = 1}, second = {.axis_count = 1, .axis = {1}};
  EXPECT("f32[n, 4, 8]", OP_gather, &first, NULL, X(100, 8), WHOLE(-1, 4));
  EXPECT("f32[2, n, 3]", OP_gather, &second, NULL, X(2, 9, 3), WHOLE(-1));
  EXPECT("`gather` needs i32 or i64 indices, not f32", OP_gather, &first, NULL, X(4), X(2));
  EXPECT("`gather`: axis 0 of f32[0] is empty", OP_gather, &first, NULL, X(0), WHOLE(2));
  EXPECT("f32[100, 8]", OP_scatter_add, &first, NULL, X(100, 8), WHOLE(-1), X(-1, 8));
  EXPECT("`scatter_add`: the updates must be f32[n, 8], not f32[n, 7]", OP_scatter_add, &first, NULL, X(100, 8),
         WHOLE(-1), X(-1, 7));
}

Test(shapes, reductions_remove_axes) {
  Attr both = {.axis_count = 2, .axis = {0, 2}}, twice = {.axis_count = 2, .axis = {1, 1}};
  EXPECT("f32[2]", OP_reduce_sum, &both, NULL, X(-1, 2, 3));
  EXPECT("`reduce_max`: axis 1 is given twice", OP_reduce_max, &twice, NULL, X(2, 3));
  EXPECT("`reduce_sum`: f32[2] has no axis 2", OP_reduce_sum, &both, NULL, X(2));
  EXPECT("`reduce_min` over no elements: dimension 0 of f32[0]", OP_reduce_min, &((Attr){.axis_count = 1}), NULL, X(0));
  EXPECT("i64[n]", OP_argmax, &((Attr){.axis_count = 1, .axis = {1}}), NULL, X(-1, 10));
  EXPECT("`reduce_sum` needs numbers, not bool", OP_reduce_sum, &((Attr){.axis_count = 0}), NULL, SCALAR(BOOL));
}

Test(shapes, sizes_are_limited) {
  EXPECT("f32[1099511627776, 2] is too large", OP_broadcast, NULL, &TYPE(F32, (Dim)1 << 40, 2), X(2));
  EXPECT("f32[4611686018427387904, 4611686018427387904] is too large", OP_broadcast, NULL,
         &TYPE(F32, (Dim)1 << 62, (Dim)1 << 62), X(1));
  Attr second = {.axis_count = 1, .axis = {1}};
  EXPECT("`gather` of f32[1, 1, 1, 1, 1] at i64[1, 1, 1, 1, 1]: at most 8 dimensions are possible", OP_gather, &second,
         NULL, X(1, 1, 1, 1, 1), WHOLE(1, 1, 1, 1, 1));
}

Test(shapes, random_numbers_are_real) {
  EXPECT("f64[n]", OP_random, NULL, &TYPE(F64, -1), SCALAR(I64), SCALAR(I64));
  EXPECT("random numbers are f32 or f64", OP_random, NULL, &TYPE(I64, -1), SCALAR(I64), SCALAR(I64));
  EXPECT("the seed and the step of random numbers are i64[], not f32[]", OP_random, NULL, &TYPE(F64, -1), SCALAR(I64),
         SCALAR(F32));
}

Test(shapes, attention) {
  Type bools = TYPE(BOOL, -1, 1, 1, 6), narrow = TYPE(BOOL, 5);
  Node *all = graph_constant(graph, type_scalar(BOOL), 1), *known = graph_input(graph, "mask", bools);
  EXPECT("f32[n, 4, 5, 7]", OP_attention, NULL, NULL, X(-1, 4, 5, 8), X(-1, 4, 6, 8), X(-1, 4, 6, 7), all);
  EXPECT("f32[n, 4, 5, 7]", OP_attention, NULL, NULL, X(-1, 4, 5, 8), X(1, 6, 8), X(1, 6, 7), known);
  EXPECT("f32[n, 4, 5]", OP_attention_lse, NULL, NULL, X(-1, 4, 5, 8), X(-1, 4, 6, 8), X(-1, 4, 6, 7), all);
  EXPECT("`attend` needs three tensors of f32 or of f64, not f32, i64 and f32", OP_attention, NULL, NULL, X(2, 3),
         WHOLE(2, 3), X(2, 3), all);
  EXPECT("`attend`: keys are [.., length, size], but these are f32[3]", OP_attention, NULL, NULL, X(2, 3), X(3),
         X(2, 3), all);
  EXPECT("`attend`: the last two dimensions of values f32[n, 3] must be fixed and not empty", OP_attention, NULL, NULL,
         X(2, 3), X(2, 3), X(-1, 3), all);
  EXPECT("`attend`: queries f32[2, 3] and keys f32[2, 4] must have one size, but 3 and 4 differ", OP_attention, NULL,
         NULL, X(2, 3), X(2, 4), X(2, 3), all);
  EXPECT("`attend`: there must be as many keys as values, not f32[5, 3] and f32[4, 3]", OP_attention, NULL, NULL,
         X(2, 3), X(5, 3), X(4, 3), all);
  EXPECT("`attend`: a mask is of bools, true where a key is seen, not f32[2, 5]", OP_attention, NULL, NULL, X(2, 3),
         X(5, 3), X(5, 3), X(2, 5));
  EXPECT("`attend`: a mask is [.., queries, keys], here [.., 2, 6], not bool[5]", OP_attention, NULL, NULL, X(2, 3),
         X(6, 3), X(6, 3), graph_input(graph, "mask", narrow));
  EXPECT("`attend`: leading dimensions of f32[2, 4, 3], f32[3, 4, 3], f32[3, 4, 3] and the mask's bool[] do not match",
         OP_attention, NULL, NULL, X(2, 4, 3), X(3, 4, 3), X(3, 4, 3), all);
}

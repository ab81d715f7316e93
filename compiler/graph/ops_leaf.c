// Nodes without inputs: the function's inputs, slots, constants, the clock and iota. All but splat constants, iota and
// the batch count lie in memory and are loaded by the nest that needs them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/rules.h"

static const char *as_wanted(Arena *arena, const char *what, const Type *wanted, Type *result) {
  if (!wanted)
    return arena_printf(arena, "`%s` needs a type", what);
  *result = *wanted;
  return NULL;
}

const char *shape_input(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                        Type *result) {
  (void)input_count, (void)inputs, (void)attr;
  return as_wanted(arena, "input", wanted, result);
}
GRAD_NONE(input)
LOWER_ROOT(input)

const char *shape_slot(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                       Type *result) {
  (void)arena, (void)input_count, (void)inputs, (void)wanted;
  *result = attr->slot->type;
  return NULL;
}
GRAD_NONE(slot)
LOWER_ROOT(slot)

const char *shape_constant(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                           Type *result) {
  (void)input_count, (void)inputs;
  if (wanted && attr->data && rule_product(wanted->rank, wanted->dim).batches)
    return "the elements of a dense constant cannot depend on the batch";
  return as_wanted(arena, "constant", wanted, result);
}
GRAD_NONE(constant)

// A dense constant is asked for by constant folding only, at a place that is a constant too.
static LExpr *dense_element(Lower *lower, const Node *node, LExpr *const *index) {
  LExpr *place = rule_linear(lower, node->type.rank, node->type.dim, index);
  if (place->op != LX_CONST)
    return rule_root(node);
  Arena *arena = lower_arena(lower);
  const char *at = (const char *)node->attr->data + place->integer * elem_bytes(node->type.elem);
  union {
    float f32;
    double f64;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
  } element = {0};
  memcpy(&element, at, (size_t)elem_bytes(node->type.elem));
  switch (node->type.elem) {
  case F32:
    return lx_real(arena, L_F32, (double)element.f32);
  case F64:
    return lx_real(arena, L_F64, element.f64);
  case I32:
    return lx_int(arena, L_I32, element.i32);
  case I64:
    return lx_int(arena, L_I64, element.i64);
  default:
    return lx_int(arena, ltype_of(node->type.elem), element.u8);
  }
}

LExpr *lower_constant(Lower *lower, const Node *node, LExpr *const *index) {
  if (node->attr->data)
    return dense_element(lower, node, index);
  LType type = ltype_of(node->type.elem);
  return elem_is_real(node->type.elem) ? lx_real(lower_arena(lower), type, node->attr->real)
                                       : lx_int(lower_arena(lower), type, node->attr->integer);
}

enum { CLOCK_BATCH = 4, CLOCK_COUNT };

const char *shape_clock(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                        Type *result) {
  (void)input_count, (void)inputs, (void)wanted;
  if (attr->index < 0 || attr->index >= CLOCK_COUNT)
    return arena_printf(arena, "there is no clock %d", attr->index);
  *result = type_scalar(I64);
  return NULL;
}
GRAD_NONE(clock)

LExpr *lower_clock(Lower *lower, const Node *node, LExpr *const *index) {
  (void)index;
  return node->attr->index == CLOCK_BATCH ? lower_batch(lower) : rule_root(node);
}

const char *shape_iota(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                       Type *result) {
  (void)input_count, (void)inputs;
  if (wanted && wanted->elem != I64)
    return arena_printf(arena, "`iota` gives i64, not %s", elem_name(wanted->elem));
  const char *wrong = as_wanted(arena, "iota", wanted, result);
  return wrong ? wrong : rule_axes(arena, "`iota`", result, 1, attr->axis);
}
GRAD_NONE(iota)

LExpr *lower_iota(Lower *lower, const Node *node, LExpr *const *index) {
  (void)lower;
  return index[node->attr->axis[0]];
}

LExpr *rule_root(const Node *node) {
  fprintf(stderr, "nnc: internal error: an element of %%%d = %s was to be computed in place\n", node->id,
          op_name(node->op));
  abort();
}

LExpr *rule_linear(Lower *lower, int count, const Dim *dim, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  LExpr *linear = lx_i64(arena, 0);
  for (int i = 0; i < count; i++) {
    linear = lx_binary(arena, LX_MUL, linear, lower_dim(lower, dim[i]));
    linear = lx_binary(arena, LX_ADD, linear, index[i]);
  }
  return linear;
}

// Lowering of operations that move elements: from the place in the result to the place in the input. Both sides of a
// select may be evaluated, so places are clamped into their input even where the value is not used. Indices stay linear in the
// loop variables wherever they can: only a reshape that splits dimensions divides.
#include "graph/rules.h"
#include "loops/mathlib.h"

static LExpr *add(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower_arena(lower), LX_ADD, a, b);
}
static LExpr *sub(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower_arena(lower), LX_SUB, a, b);
}
static LExpr *mul(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower_arena(lower), LX_MUL, a, b);
}
static LExpr *less(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower_arena(lower), LX_LT, a, b);
}
static LExpr *whole(Lower *lower, int64_t value) {
  return lx_i64(lower_arena(lower), value);
}

static LExpr *clamped(Lower *lower, LExpr *index, Dim size) {
  Arena *arena = lower_arena(lower);
  LExpr *last = sub(lower, lower_dim(lower, size), whole(lower, 1));
  return lx_binary(arena, LX_MAX, lx_binary(arena, LX_MIN, index, last), whole(lower, 0));
}

LExpr *lower_broadcast(Lower *lower, const Node *node, LExpr *const *index) {
  const Type *from = &node->inputs[0]->type;
  int missing = node->type.rank - from->rank;
  LExpr *place[MAX_RANK];
  for (int i = 0; i < from->rank; i++)
    place[i] = from->dim[i] == 1 ? whole(lower, 0) : index[i + missing];
  return lower_value(lower, node->inputs[0], place);
}

LExpr *lower_transpose(Lower *lower, const Node *node, LExpr *const *index) {
  LExpr *place[MAX_RANK];
  for (int i = 0; i < node->type.rank; i++)
    place[node->attr->axis[i]] = index[i];
  return lower_value(lower, node->inputs[0], place);
}

LExpr *lower_slice(Lower *lower, const Node *node, LExpr *const *index) {
  LExpr *place[MAX_RANK];
  for (int i = 0; i < node->type.rank; i++)
    place[i] =
        add(lower, lower_dim(lower, node->attr->start[i]), mul(lower, index[i], whole(lower, node->attr->step[i])));
  return lower_value(lower, node->inputs[0], place);
}

LExpr *lower_pad(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  const Type *from = &node->inputs[0]->type;
  LType type = ltype_of(node->type.elem);
  LExpr *fill =
      elem_is_real(node->type.elem) ? lx_real(arena, type, node->attr->real) : lx_int(arena, type, node->attr->integer);
  LExpr *place[MAX_RANK], *inside = lx_int(arena, L_BOOL, 1);
  for (int i = 0; i < from->rank; i++) {
    place[i] = index[i];
    if (from->dim[i] == 0)
      return fill;
    if (from->dim[i] == node->type.dim[i])
      continue;
    place[i] = sub(lower, index[i], lower_dim(lower, node->attr->start[i]));
    if (node->attr->start[i] != 0)
      inside = lx_binary(arena, LX_AND, inside, lx_binary(arena, LX_GE, place[i], whole(lower, 0)));
    inside = lx_binary(arena, LX_AND, inside, less(lower, place[i], lower_dim(lower, from->dim[i])));
    place[i] = clamped(lower, place[i], from->dim[i]);
  }
  return lx_select(arena, inside, lower_value(lower, node->inputs[0], place), fill);
}

// index < end0 ? part0 : index < end1 ? part1 : … Built from the last part to the first.
LExpr *lower_concat(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  int axis = node->attr->axis[0];
  LExpr *place[MAX_RANK], *result = NULL;
  for (int i = 0; i < node->type.rank; i++)
    place[i] = index[i];
  Dim end = node->type.dim[axis];
  for (int part = node->input_count - 1; part >= 0; part--) {
    const Node *input = node->inputs[part];
    Dim size = input->type.dim[axis], start = end - size;
    if (size != 0) {
      place[axis] = clamped(lower, sub(lower, index[axis], lower_dim(lower, start)), size);
      LExpr *value = lower_value(lower, input, place);
      result = result ? lx_select(arena, less(lower, index[axis], lower_dim(lower, end)), value, result) : value;
    }
    end = start;
  }
  return result ? result : lower_value(lower, node->inputs[0], index);
}

LExpr *lower_reverse(Lower *lower, const Node *node, LExpr *const *index) {
  LExpr *place[MAX_RANK];
  for (int i = 0; i < node->type.rank; i++)
    place[i] = index[i];
  for (int i = 0; i < node->attr->axis_count; i++) {
    int axis = node->attr->axis[i];
    LExpr *last = sub(lower, lower_dim(lower, node->type.dim[axis]), whole(lower, 1));
    place[axis] = sub(lower, last, index[axis]);
  }
  return lower_value(lower, node->inputs[0], place);
}

LExpr *lower_gather(Lower *lower, const Node *node, LExpr *const *index) {
  const Node *data = node->inputs[0], *places = node->inputs[1];
  int axis = node->attr->axis[0];
  LExpr *place[MAX_RANK];
  for (int i = 0; i < axis; i++)
    place[i] = index[i];
  for (int i = axis + 1; i < data->type.rank; i++)
    place[i] = index[i + places->type.rank - 1];
  LExpr *at = lower_value(lower, places, index + axis);
  if (at->type != L_I64)
    at = lx_cast(lower_arena(lower), at, L_I64);
  place[axis] = clamped(lower, at, data->type.dim[axis]);
  return lower_value(lower, data, place);
}

LExpr *lower_random(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  LExpr *seed = lower_value(lower, node->inputs[0], NULL), *step = lower_value(lower, node->inputs[1], NULL);
  LExpr *element = rule_linear(lower, node->type.rank, node->type.dim, index);
  LExpr *stream = lower_datum(lower, "stream", node->attr->integer);
  LExpr *args[] = {lx_cast(arena, seed, L_U64), lx_cast(arena, stream, L_U64), lx_cast(arena, step, L_U64),
                   lx_cast(arena, element, L_U64)};
  return lx_call(arena, mathlib_uniform(lower_module(lower), ltype_of(node->type.elem)), 4, args);
}

// ---- reshape

// Dimensions [from, to) of one side of a reshape, those of size 1 left out.
typedef struct Group {
  int count;
  int at[MAX_RANK];
} Group;

static Group group_of(const Type *type, int from, int to) {
  Group group = {0};
  for (int i = from; i < to; i++)
    if (type->dim[i] != 1)
      group.at[group.count++] = i;
  return group;
}

// The place in the input's dimensions of one group, from the index in the output's.
static void map_group(Lower *lower, const Type *in, Group ins, const Type *out, Group outs, LExpr *const *index,
                      LExpr **place) {
  Arena *arena = lower_arena(lower);
  LExpr *linear = whole(lower, 0);
  for (int i = 0; i < outs.count; i++)
    linear = add(lower, mul(lower, linear, lower_dim(lower, out->dim[outs.at[i]])), index[outs.at[i]]);
  for (int i = ins.count - 1; i > 0; i--) {
    LExpr *size = lower_dim(lower, in->dim[ins.at[i]]);
    place[ins.at[i]] = lx_binary(arena, LX_MOD, linear, size);
    linear = lx_binary(arena, LX_DIV, linear, size);
  }
  if (ins.count)
    place[ins.at[0]] = linear;
}

// The shortest next pair of ends at which both sides have spanned the same number of elements.
static bool next_cut(const Type *in, const Type *out, int *in_end, int *out_end) {
  for (int i = *in_end + 1; i <= in->rank; i++)
    for (int j = *out_end + 1; j <= out->rank; j++)
      if (rule_product_equal(rule_product(i, in->dim), rule_product(j, out->dim))) {
        *in_end = i;
        *out_end = j;
        return true;
      }
  return false;
}

// Dimensions are matched in the smallest groups that hold equally many elements on both sides. A dimension that stayed maps
// to itself; merged ones give i * d + j, which is still linear; only split ones are divided.
LExpr *lower_reshape(Lower *lower, const Node *node, LExpr *const *index) {
  const Type *in = &node->inputs[0]->type, *out = &node->type;
  LExpr *place[MAX_RANK];
  for (int i = 0; i < in->rank; i++)
    place[i] = whole(lower, 0);
  bool empty = rule_product(in->rank, in->dim).size == 0;
  int in_start = 0, out_start = 0, in_end = 0, out_end = 0;
  while (!empty && next_cut(in, out, &in_end, &out_end)) {
    map_group(lower, in, group_of(in, in_start, in_end), out, group_of(out, out_start, out_end), index, place);
    in_start = in_end;
    out_start = out_end;
  }
  return lower_value(lower, node->inputs[0], place);
}

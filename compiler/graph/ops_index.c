// Operations that move elements without changing them: shape rules and gradients. Their lowering is ops_index_lower.c.
#include "graph/rules.h"

// ---- broadcast

const char *shape_broadcast(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                            Type *result) {
  (void)input_count, (void)attr;
  const Type *from = &inputs[0]->type;
  if (!wanted)
    return "`broadcast` needs a shape";
  Type to = *wanted, merged;
  to.elem = from->elem;
  if (!type_broadcast(from, &to, &merged))
    return rule_mismatch(arena, from, &to);
  if (!type_same_shape(&merged, &to))
    return arena_printf(arena, "%s does not broadcast to %s", type_text(arena, from), type_text(arena, &to));
  *result = to;
  return NULL;
}

// What x is broadcast from, in the shape that is left when the axes are summed; NULL if it is no broadcast, or not the same along
// the axes.
static Node *same_along(Graph *graph, const Node *x, int count, const int *axes) {
  if (x->op != OP_broadcast)
    return NULL;
  const Type *from = &x->inputs[0]->type;
  Type left = {.elem = from->elem};
  int missing = x->type.rank - from->rank, next = 0;
  for (int i = 0; i < x->type.rank; i++) {
    Dim dim = i < missing ? 1 : from->dim[i - missing];
    bool summed = next < count && axes[next] == i;
    if (summed && dim != 1)
      return NULL;
    next += summed;
    if (!summed)
      left.dim[left.rank++] = dim;
  }
  return graph_reshape(graph, x->inputs[0], &left);
}

// The sum along the axes, of which factors that are the same along them are taken out: the gradient of a mean that was subtracted
// and then scaled is that of what was added behind it, times the scale, and needs no sum of its own.
static Node *sum_along(Graph *graph, Node *x, int count, const int *axes) {
  if (x->op == OP_neg)
    return graph_unary(graph, OP_neg, sum_along(graph, x->inputs[0], count, axes));
  for (int i = 1; i >= 0 && (x->op == OP_mul || (x->op == OP_div && i == 1)); i--) {
    Node *factor = same_along(graph, x->inputs[i], count, axes);
    if (factor)
      return graph_binary(graph, x->op, sum_along(graph, x->inputs[1 - i], count, axes), factor);
  }
  return graph_reduce(graph, OP_reduce_sum, x, count, axes, false);
}

// The sum over everything that was repeated.
void grad_broadcast(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (!out[0])
    return;
  const Type *from = &node->inputs[0]->type, *to = &node->type;
  int axes[MAX_RANK], count = 0, missing = to->rank - from->rank;
  for (int i = 0; i < to->rank; i++)
    if (i < missing || from->dim[i - missing] != to->dim[i])
      axes[count++] = i;
  out[0] = graph_reshape(graph, sum_along(graph, upstream, count, axes), from);
}

// ---- reshape, transpose

const char *shape_reshape(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                          Type *result) {
  (void)input_count, (void)attr;
  const Type *from = &inputs[0]->type;
  if (!wanted)
    return "`reshape` needs a shape";
  Type to = *wanted;
  to.elem = from->elem;
  Product have = rule_product(from->rank, from->dim), want = rule_product(to.rank, to.dim);
  if (!rule_product_equal(have, want))
    return arena_printf(arena, "cannot reshape %s to %s: %s elements against %s", type_text(arena, from),
                        type_text(arena, &to), rule_product_text(arena, have), rule_product_text(arena, want));
  *result = to;
  return NULL;
}

void grad_reshape(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = graph_reshape(graph, upstream, &node->inputs[0]->type);
}

const char *shape_transpose(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                            Type *result) {
  (void)input_count, (void)wanted;
  const Type *from = &inputs[0]->type;
  unsigned seen = 0;
  *result = *from;
  if (attr->axis_count != from->rank)
    return arena_printf(arena, "`transpose` of %s needs %d axes, not %d", type_text(arena, from), from->rank,
                        attr->axis_count);
  for (int i = 0; i < from->rank; i++) {
    int axis = attr->axis[i];
    if (axis < 0 || axis >= from->rank)
      return arena_printf(arena, "`transpose`: %s has no axis %d", type_text(arena, from), axis);
    if (seen >> axis & 1)
      return arena_printf(arena, "`transpose`: axis %d is given twice", axis);
    seen |= 1U << axis;
    result->dim[i] = from->dim[axis];
  }
  return NULL;
}

void grad_transpose(Graph *graph, Node *node, Node *upstream, Node **out) {
  int inverse[MAX_RANK] = {0};
  for (int i = 0; i < node->type.rank; i++)
    inverse[node->attr->axis[i]] = i;
  if (out[0])
    out[0] = graph_transpose(graph, upstream, inverse);
}

// ---- slice, pad

static const char *check_slice(Arena *arena, const Type *from, int i, Dim start, int64_t step, Dim size) {
  Dim dim = from->dim[i];
  if (step < 1)
    return arena_printf(arena, "a slice's step must be at least 1, not %lld", (long long)step);
  bool computed = start < 0 || size < 0;
  bool inside = !computed && (size == 0 || (size - 1 <= INT32_MAX && step <= INT32_MAX))
                    ? rule_fits(start, size ? (size - 1) * step + 1 : 0, dim)
                    : computed && step == 1 && rule_fits(start, size, dim);
  if (inside)
    return NULL;
  if (dim < 0)
    return arena_printf(arena,
                        "dimension %d of %s is the batch, whose size is known only at run time: "
                        "it cannot be cut to %s elements",
                        i, type_text(arena, from), rule_dim_text(arena, size));
  return arena_printf(arena, "%s elements from %s on are not inside dimension %d of %s", rule_dim_text(arena, size),
                      rule_dim_text(arena, start), i, type_text(arena, from));
}

const char *shape_slice(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                        Type *result) {
  (void)input_count;
  const Type *from = &inputs[0]->type;
  if (!wanted || wanted->rank != from->rank)
    return arena_printf(arena, "a slice of %s keeps its %d dimensions", type_text(arena, from), from->rank);
  *result = *wanted;
  result->elem = from->elem;
  for (int i = 0; i < from->rank; i++) {
    const char *wrong = check_slice(arena, from, i, attr->start[i], attr->step[i], wanted->dim[i]);
    if (wrong)
      return wrong;
  }
  return NULL;
}

// Spreads x along one axis to `size` places: element j comes from (j - start) / step where that is a place of x, else 0.
static Node *spread(Graph *graph, Node *x, int axis, int64_t start, int64_t step, int64_t size) {
  Type line = {.elem = I64, .rank = 1, .dim = {size}}, full = x->type, column = {.elem = BOOL};
  full.dim[axis] = size;
  Node *offset = graph_binary(graph, OP_sub, graph_iota(graph, line, 0), graph_constant(graph, line, (double)start));
  Node *stride = graph_constant(graph, line, (double)step), *zero = graph_constant(graph, line, 0);
  Node *place = graph_binary(graph, OP_div, offset, stride);
  Node *count = graph_constant(graph, line, (double)x->type.dim[axis]);
  Node *hit = graph_binary(graph, OP_eq, graph_binary(graph, OP_mod, offset, stride), zero);
  Node *inside =
      graph_binary(graph, OP_and, graph_binary(graph, OP_le, zero, place), graph_binary(graph, OP_lt, place, count));
  column.rank = full.rank - axis;
  column.dim[0] = size;
  for (int i = 1; i < column.rank; i++)
    column.dim[i] = 1;
  Node *mask = graph_reshape(graph, graph_binary(graph, OP_and, hit, inside), &column);
  Node *gathered =
      graph_node(graph, OP_gather, 2, (Node *[]){x, place}, &(Attr){.axis_count = 1, .axis = {axis}}, NULL);
  return graph_select(graph, mask, gathered, rule_zeros(graph, &full));
}

// Zeros around the elements that were taken, and between them where the step is more than 1.
void grad_slice(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (!out[0])
    return;
  const Type *from = &node->inputs[0]->type;
  int64_t before[MAX_RANK] = {0};
  for (int i = 0; i < from->rank; i++) {
    if (upstream->type.dim[i] == 0) {
      out[0] = rule_zeros(graph, from);
      return;
    }
    if (node->attr->step[i] > 1)
      upstream = spread(graph, upstream, i, node->attr->start[i], node->attr->step[i], from->dim[i]);
    else
      before[i] = node->attr->start[i];
  }
  out[0] = type_same_shape(&upstream->type, from) ? upstream : graph_pad(graph, upstream, before, from, 0);
}

const char *shape_pad(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                      Type *result) {
  (void)input_count;
  const Type *from = &inputs[0]->type;
  if (!wanted || wanted->rank != from->rank)
    return arena_printf(arena, "padding %s keeps its %d dimensions", type_text(arena, from), from->rank);
  *result = *wanted;
  result->elem = from->elem;
  for (int i = 0; i < from->rank; i++)
    if (!rule_fits(attr->start[i], from->dim[i], wanted->dim[i]))
      return arena_printf(arena, "padding %s to %s: dimension %d has no room for %s elements after %s",
                          type_text(arena, from), type_text(arena, result), i, rule_dim_text(arena, from->dim[i]),
                          rule_dim_text(arena, attr->start[i]));
  return NULL;
}

void grad_pad(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = graph_slice(graph, upstream, node->attr->start, NULL, &node->inputs[0]->type);
}

// ---- concat, reverse

static const char *check_part(Arena *arena, const Type *first, const Type *part, int axis) {
  if (first->elem != part->elem)
    return arena_printf(arena, "`concat` of %s and %s: the element types must be equal", type_text(arena, first),
                        type_text(arena, part));
  bool same = first->rank == part->rank;
  for (int i = 0; same && i < first->rank; i++)
    same = i == axis || first->dim[i] == part->dim[i];
  if (!same)
    return arena_printf(arena, "`concat` of %s and %s: all dimensions but %d must be equal", type_text(arena, first),
                        type_text(arena, part), axis);
  if ((first->dim[axis] < 0) != (part->dim[axis] < 0))
    return arena_printf(arena, "`concat` of %s and %s: dimension %d cannot join the batch and a fixed size",
                        type_text(arena, first), type_text(arena, part), axis);
  return NULL;
}

const char *shape_concat(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                         Type *result) {
  (void)wanted;
  int axis = attr->axis[0];
  const Type *first = &inputs[0]->type;
  const char *wrong = rule_axes(arena, "`concat`", first, 1, attr->axis);
  if (wrong)
    return wrong;
  *result = *first;
  for (int i = 1; i < input_count; i++) {
    wrong = check_part(arena, first, &inputs[i]->type, axis);
    if (wrong)
      return wrong;
    if (__builtin_add_overflow(result->dim[axis], inputs[i]->type.dim[axis], &result->dim[axis]))
      return "`concat` of too many elements";
  }
  return NULL;
}

void grad_concat(Graph *graph, Node *node, Node *upstream, Node **out) {
  int axis = node->attr->axis[0];
  int64_t start[MAX_RANK] = {0};
  for (int i = 0; i < node->input_count; i++) {
    const Type *part = &node->inputs[i]->type;
    if (out[i])
      out[i] = node->input_count == 1 ? upstream : graph_slice(graph, upstream, start, NULL, part);
    start[axis] += part->dim[axis];
  }
}

const char *shape_reverse(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                          Type *result) {
  (void)input_count, (void)wanted;
  *result = inputs[0]->type;
  return rule_axes(arena, "`reverse`", result, attr->axis_count, attr->axis);
}

void grad_reverse(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = graph_node(graph, OP_reverse, 1, &upstream, node->attr, NULL);
}

// ---- gather, random

const char *shape_gather(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                         Type *result) {
  (void)input_count, (void)wanted;
  const Type *data = &inputs[0]->type, *places = &inputs[1]->type;
  int axis = attr->axis[0], rank = data->rank - 1 + places->rank;
  const char *wrong = rule_axes(arena, "`gather`", data, 1, attr->axis);
  if (wrong)
    return wrong;
  if (places->elem != I32 && places->elem != I64)
    return arena_printf(arena, "`gather` needs i32 or i64 indices, not %s", elem_name(places->elem));
  if (data->dim[axis] == 0)
    return arena_printf(arena, "`gather`: axis %d of %s is empty", axis, type_text(arena, data));
  if (rank > MAX_RANK)
    return arena_printf(arena, "`gather` of %s at %s: at most %d dimensions are possible", type_text(arena, data),
                        type_text(arena, places), MAX_RANK);
  *result = (Type){.elem = data->elem};
  for (int i = 0; i < axis; i++)
    result->dim[result->rank++] = data->dim[i];
  for (int i = 0; i < places->rank; i++)
    result->dim[result->rank++] = places->dim[i];
  for (int i = axis + 1; i < data->rank; i++)
    result->dim[result->rank++] = data->dim[i];
  return NULL;
}

void grad_gather(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0]) {
    Node *base = rule_zeros(graph, &node->inputs[0]->type);
    out[0] = graph_node(graph, OP_scatter_add, 3, (Node *[]){base, node->inputs[1], upstream}, node->attr, NULL);
  }
  out[1] = NULL;
}

const char *shape_random(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                         Type *result) {
  (void)attr;
  if (!wanted || !elem_is_real(wanted->elem))
    return "random numbers are f32 or f64";
  for (int i = 0; i < input_count; i++)
    if (inputs[i]->type.elem != I64 || inputs[i]->type.rank)
      return arena_printf(arena, "the seed and the step of random numbers are i64[], not %s",
                          type_text(arena, &inputs[i]->type));
  *result = *wanted;
  return NULL;
}
GRAD_NONE(random)

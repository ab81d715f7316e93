// Reductions over attr.axis. The axes leave the shape.
#include "graph/rules.h"

static const char *reduced(Arena *arena, const char *what, Node *x, const Attr *attr, bool empty_allowed,
                           Type *result) {
  const Type *type = &x->type;
  if (type->elem == BOOL)
    return arena_printf(arena, "`%s` needs numbers, not bool", what);
  const char *wrong = rule_axes(arena, arena_printf(arena, "`%s`", what), type, attr->axis_count, attr->axis);
  if (wrong)
    return wrong;
  Type shape = {.elem = type->elem};
  int next = 0, batches = 0;
  for (int i = 0; i < type->rank; i++) {
    bool gone = next < attr->axis_count && attr->axis[next] == i;
    if (gone && type->dim[i] == 0 && !empty_allowed)
      return arena_printf(arena, "`%s` over no elements: dimension %d of %s", what, i, type_text(arena, type));
    batches += gone && type->dim[i] < 0;
    if (gone)
      next++;
    else
      shape.dim[shape.rank++] = type->dim[i];
  }
  if (attr->integer && batches > 1)
    return arena_printf(arena, "`%s`: the first of equals is not known along %d dimensions of the batch", what,
                        batches);
  *result = shape;
  return NULL;
}

const char *shape_reduce_sum(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                             Type *result) {
  (void)input_count, (void)wanted;
  return reduced(arena, "reduce_sum", inputs[0], attr, true, result);
}

void grad_reduce_sum(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = rule_expand(graph, upstream, &node->inputs[0]->type, node->attr->axis_count, node->attr->axis);
}
LOWER_ROOT(reduce_sum)

// Of the true elements along the axes the first, in row-major order.
static Node *first_true(Graph *graph, Node *mask, int count, const int *axes) {
  const Type *full = &mask->type;
  Type row = {.elem = I64, .rank = 1, .dim = {1}}, aligned = {.rank = full->rank};
  for (int i = 0; i < full->rank; i++)
    aligned.dim[i] = 1;
  for (int i = 0; i < count; i++) {
    aligned.dim[axes[i]] = full->dim[axes[i]];
    row.dim[0] *= full->dim[axes[i]];
  }
  bool narrow = row.dim[0] > 0 && row.dim[0] < INT32_MAX;
  Node *order = graph_cast(graph, graph_iota(graph, row, 0), narrow ? I32 : I64);
  order = graph_broadcast(graph, graph_reshape(graph, order, &aligned), full);
  Node *none = graph_constant(graph, order->type, narrow ? INT32_MAX : 0x1p62);
  Node *first = graph_reduce(graph, OP_reduce_min, graph_select(graph, mask, order, none), count, axes, false);
  return graph_binary(graph, OP_eq, order, rule_expand(graph, first, full, count, axes));
}

// Equal extremes share the gradient evenly, so that the result does not depend on which of them comes first; with
// attr.integer the first of them has it all.
static void grad_extreme(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (!out[0])
    return;
  Node *x = node->inputs[0], *share = upstream;
  int count = node->attr->axis_count;
  const int *axes = node->attr->axis;
  Node *mask = graph_binary(graph, OP_eq, x, rule_expand(graph, node, &x->type, count, axes));
  if (node->attr->integer) {
    mask = first_true(graph, mask, count, axes);
  } else {
    Node *equals = graph_reduce(graph, OP_reduce_sum, graph_cast(graph, mask, x->type.elem), count, axes, false);
    share = graph_binary(graph, OP_div, upstream, equals);
  }
  out[0] = graph_select(graph, mask, rule_expand(graph, share, &x->type, count, axes), rule_zeros(graph, &x->type));
}

const char *shape_reduce_max(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                             Type *result) {
  (void)input_count, (void)wanted;
  return reduced(arena, "reduce_max", inputs[0], attr, false, result);
}

void grad_reduce_max(Graph *graph, Node *node, Node *upstream, Node **out) {
  grad_extreme(graph, node, upstream, out);
}
LOWER_ROOT(reduce_max)

const char *shape_reduce_min(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                             Type *result) {
  (void)input_count, (void)wanted;
  return reduced(arena, "reduce_min", inputs[0], attr, false, result);
}

void grad_reduce_min(Graph *graph, Node *node, Node *upstream, Node **out) {
  grad_extreme(graph, node, upstream, out);
}
LOWER_ROOT(reduce_min)

const char *shape_argmax(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                         Type *result) {
  (void)input_count, (void)wanted;
  if (attr->axis_count != 1)
    return "`argmax` goes along one axis";
  const char *wrong = reduced(arena, "argmax", inputs[0], attr, false, result);
  if (!wrong)
    result->elem = I64;
  return wrong;
}
GRAD_NONE(argmax)
LOWER_ROOT(argmax)

// Short forms for building graphs. Nothing is appended where the result would be its input, and a repeated splat
// constant is a constant of the larger type, so graphs stay small.
#include <math.h>
#include <string.h>

#include "graph/rules.h"

Node *graph_unary(Graph *graph, Op op, Node *x) {
  return graph_node(graph, op, 1, &x, NULL, NULL);
}

// x ** c for the small exponents people write, by exact or correctly rounded operations: faster than pow and nearer to
// the true value. It happens here and not in a pass, so that no pass changes a bit.
static Node *power(Graph *graph, Node *x, double exponent) {
  if (exponent == 0)
    return rule_number(graph, x, 1);
  if (exponent == 1)
    return x;
  if (exponent == 2)
    return graph_binary(graph, OP_mul, x, x);
  if (exponent == 3)
    return graph_binary(graph, OP_mul, graph_binary(graph, OP_mul, x, x), x);
  if (exponent == 0.5)
    return graph_unary(graph, OP_sqrt, x);
  if (exponent == -1)
    return graph_binary(graph, OP_div, rule_number(graph, x, 1), x);
  return NULL;
}

const Node *rule_splat(const Node *x) {
  while (x->op == OP_broadcast)
    x = x->inputs[0];
  return x->op == OP_constant && !x->attr->data ? x : NULL;
}

Node *graph_binary(Graph *graph, Op op, Node *a, Node *b) {
  const Node *exponent = op == OP_pow && elem_is_real(a->type.elem) ? rule_splat(b) : NULL;
  Type shape;
  if (exponent && a->type.elem == b->type.elem && type_broadcast(&a->type, &b->type, &shape) &&
      type_same_shape(&shape, &a->type)) {
    Node *easy = power(graph, a, exponent->attr->real);
    if (easy)
      return easy;
  }
  return graph_node(graph, op, 2, (Node *[]){a, b}, NULL, NULL);
}

Node *graph_select(Graph *graph, Node *condition, Node *a, Node *b) {
  return graph_node(graph, OP_select, 3, (Node *[]){condition, a, b}, NULL, NULL);
}

// C leaves the conversion of what does not fit undefined.
static int64_t whole(double value) {
  if (isnan(value))
    return 0;
  if (value >= 0x1p63)
    return INT64_MAX;
  return value <= -0x1p63 ? INT64_MIN : (int64_t)value;
}

static int64_t wrap(ElemType elem, int64_t value) {
  switch (elem) {
  case I32:
    return (int32_t)(uint32_t)value;
  case U8:
    return (uint8_t)value;
  case BOOL:
    return value != 0;
  default:
    return value;
  }
}

Node *graph_constant(Graph *graph, Type type, double value) {
  Attr attr = {0};
  if (elem_is_real(type.elem))
    attr.real = type.elem == F32 ? (double)(float)value : value;
  else if (type.elem == BOOL)
    attr.integer = value != 0;
  else
    attr.integer = wrap(type.elem, whole(value));
  return graph_node(graph, OP_constant, 0, NULL, &attr, &type);
}

Node *graph_dense(Graph *graph, Type type, const void *data) {
  size_t bytes = (size_t)type_count(&type, 0) * (size_t)elem_bytes(type.elem);
  Attr attr = {.data = arena_copy(graph->arena, data, bytes ? bytes : 1)};
  return graph_node(graph, OP_constant, 0, NULL, &attr, &type);
}

Node *graph_input(Graph *graph, const char *name, Type type) {
  Attr attr = {.index = graph->inputs.count};
  vec_push(graph->arena, &graph->inputs, (GraphInput){.name = name, .type = type});
  return graph_node(graph, OP_input, 0, NULL, &attr, &type);
}

Node *graph_slot(Graph *graph, const Slot *slot) {
  return graph_node(graph, OP_slot, 0, NULL, &(Attr){.slot = slot}, NULL);
}

Node *graph_clock(Graph *graph, int index) {
  return graph_node(graph, OP_clock, 0, NULL, &(Attr){.index = index}, NULL);
}

Node *graph_iota(Graph *graph, Type type, int axis) {
  return graph_node(graph, OP_iota, 0, NULL, &(Attr){.axis_count = 1, .axis = {axis}}, &type);
}

Node *graph_cast(Graph *graph, Node *x, ElemType elem) {
  Type wanted = x->type;
  wanted.elem = elem;
  return x->type.elem == elem ? x : graph_node(graph, OP_cast, 1, &x, NULL, &wanted);
}

Node *graph_broadcast(Graph *graph, Node *x, const Type *shape) {
  Type wanted = *shape;
  wanted.elem = x->type.elem;
  if (type_same_shape(&x->type, &wanted))
    return x;
  if (x->op == OP_constant && !x->attr->data)
    return graph_node(graph, OP_constant, 0, NULL, x->attr, &wanted);
  return graph_node(graph, OP_broadcast, 1, &x, NULL, &wanted);
}

Node *graph_reshape(Graph *graph, Node *x, const Type *shape) {
  Type wanted = *shape;
  wanted.elem = x->type.elem;
  return type_same_shape(&x->type, &wanted) ? x : graph_node(graph, OP_reshape, 1, &x, NULL, &wanted);
}

Node *graph_transpose(Graph *graph, Node *x, const int *permutation) {
  Attr attr = {.axis_count = x->type.rank};
  for (int i = 0; i < x->type.rank; i++)
    attr.axis[i] = permutation[i];
  return graph_node(graph, OP_transpose, 1, &x, &attr, NULL);
}

Node *graph_reduce(Graph *graph, Op op, Node *x, int axis_count, const int *axes, bool keep) {
  if (axis_count == 0 && op != OP_argmax)
    return x;
  Attr attr = {.axis_count = axis_count};
  for (int i = 0; i < axis_count; i++) { // in ascending order
    int at = i;
    for (; at > 0 && attr.axis[at - 1] > axes[i]; at--)
      attr.axis[at] = attr.axis[at - 1];
    attr.axis[at] = axes[i];
  }
  Node *reduced = graph_node(graph, op, 1, &x, &attr, NULL);
  if (!keep)
    return reduced;
  Type kept = x->type;
  for (int i = 0; i < axis_count; i++)
    kept.dim[attr.axis[i]] = 1;
  return graph_reshape(graph, reduced, &kept);
}

// x[.., m, k] @ w[k, n] is one product of all rows, if their number is one dimension: no copies of w, and w's gradient
// is one product too. Each element is the same chain along k either way.
static bool flatten_rows(const Type *a, Type *flat) {
  Product rows = rule_product(a->rank - 1, a->dim);
  if (rows.batches > 1 || rows.size <= 0)
    return false;
  *flat = (Type){.elem = a->elem, .rank = 2, .dim = {rows.batches ? -rows.size : rows.size, a->dim[a->rank - 1]}};
  return true;
}

Node *graph_matmul(Graph *graph, Node *a, Node *b) {
  Node *pair[] = {a, b};
  Type flat, type;
  bool good = !graph_check(graph->arena, OP_matmul, 2, pair, NULL, NULL, &type);
  if (!good || b->type.rank > 2 || a->type.rank == 2 || !flatten_rows(&a->type, &flat))
    return graph_node(graph, OP_matmul, 2, pair, NULL, NULL);
  Node *rows = graph_reshape(graph, a, &flat);
  Node *product = graph_node(graph, OP_matmul, 2, (Node *[]){rows, b}, NULL, NULL);
  return graph_reshape(graph, product, &type);
}

static void copy_dims(int64_t *to, const int64_t *from, int rank) {
  for (int i = 0; i < rank; i++)
    to[i] = from ? from[i] : 1;
}

Node *graph_slice(Graph *graph, Node *x, const int64_t *start, const int64_t *step, const Type *shape) {
  Type wanted = *shape;
  wanted.elem = x->type.elem;
  Attr attr = {0};
  copy_dims(attr.start, start, x->type.rank);
  copy_dims(attr.step, step, x->type.rank);
  return graph_node(graph, OP_slice, 1, &x, &attr, &wanted);
}

Node *graph_pad(Graph *graph, Node *x, const int64_t *before, const Type *shape, double fill) {
  Type wanted = *shape;
  wanted.elem = x->type.elem;
  Attr attr = {0};
  copy_dims(attr.start, before, x->type.rank);
  if (elem_is_real(wanted.elem))
    attr.real = wanted.elem == F32 ? (double)(float)fill : fill;
  else
    attr.integer = wrap(wanted.elem, whole(fill));
  return graph_node(graph, OP_pad, 1, &x, &attr, &wanted);
}

Node *graph_concat(Graph *graph, int count, Node *const *parts, int axis) {
  return graph_node(graph, OP_concat, count, parts, &(Attr){.axis_count = 1, .axis = {axis}}, NULL);
}

Node *rule_number(Graph *graph, const Node *like, double value) {
  return graph_constant(graph, like->type, value);
}

Node *rule_zeros(Graph *graph, const Type *type) {
  return graph_constant(graph, *type, 0);
}

Node *rule_expand(Graph *graph, Node *x, const Type *full, int axis_count, const int *axes) {
  Type kept = *full;
  for (int i = 0; i < axis_count; i++)
    kept.dim[axes[i]] = 1;
  if (x->op == OP_constant && !x->attr->data)
    return graph_broadcast(graph, x, full);
  return graph_broadcast(graph, graph_reshape(graph, x, &kept), full);
}

// Algebra that changes no bit: x * 1, x - 0, transpose of transpose, reshape of reshape … Each rule looks at a node whose
// inputs are simple already and returns an equal one that is simpler, or NULL. Real algebra is left alone wherever a
// rounding, a signed zero or a NaN could tell the difference: x + 0 is not x, for x = -0.
#include <math.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

// `node` is not in the graph yet: it is what would be copied.
typedef Node *SimplifyRule(Graph *graph, const Node *node);

static bool is_real(const Node *node) {
  return elem_is_real(node->type.elem);
}

// A splat of this value; a zero must have the sign asked for.
static bool is_value(const Node *node, double value) {
  if (!node_is_splat(node))
    return false;
  if (!is_real(node))
    return (double)node->attr->integer == value;
  return node->attr->real == value && !signbit(node->attr->real) == !signbit(value);
}

// The input of `node`, where that is a node of the same operation.
static Node *same_inside(const Node *node) {
  return node->inputs[0]->op == node->op ? node->inputs[0] : NULL;
}

// ---- arithmetic

static Node *simplify_add(Graph *graph, const Node *node) {
  double neutral = is_real(node) ? -0.0 : 0.0;
  (void)graph;
  if (is_value(node->inputs[1], neutral))
    return node->inputs[0];
  return is_value(node->inputs[0], neutral) ? node->inputs[1] : NULL;
}

static Node *simplify_sub(Graph *graph, const Node *node) {
  (void)graph;
  return is_value(node->inputs[1], 0) ? node->inputs[0] : NULL;
}

static Node *simplify_mul(Graph *graph, const Node *node) {
  for (int i = 0; i < 2; i++) {
    if (is_value(node->inputs[i], 1))
      return node->inputs[1 - i];
    if (!is_real(node) && is_value(node->inputs[i], 0))
      return graph_constant(graph, node->type, 0);
  }
  return NULL;
}

// A power of two divides as its reciprocal multiplies: both round the same number once.
static Node *simplify_div(Graph *graph, const Node *node) {
  Node *x = node->inputs[0], *divisor = node->inputs[1];
  if (is_value(divisor, 1))
    return x;
  if (!is_real(node) || !node_is_splat(divisor))
    return NULL;
  int exponent;
  double value = divisor->attr->real, limit = node->type.elem == F32 ? 0x1p126 : 0x1p1022;
  if (fabs(frexp(value, &exponent)) != 0.5 || fabs(value) > limit || fabs(value) < 1 / limit)
    return NULL;
  return graph_binary(graph, OP_mul, x, graph_constant(graph, node->type, 1 / value));
}

static Node *simplify_neg(Graph *graph, const Node *node) {
  (void)graph;
  return same_inside(node) ? node->inputs[0]->inputs[0] : NULL;
}

static Node *simplify_abs(Graph *graph, const Node *node) {
  Node *x = node->inputs[0];
  if (x->op == OP_abs)
    return x;
  return x->op == OP_neg && is_real(node) ? graph_unary(graph, OP_abs, x->inputs[0]) : NULL;
}

static Node *simplify_identity(Graph *graph, const Node *node) {
  (void)graph;
  return node->inputs[0];
}

static Node *simplify_and(Graph *graph, const Node *node) {
  for (int i = 0; i < 2; i++) {
    if (is_value(node->inputs[i], 1))
      return node->inputs[1 - i];
    if (is_value(node->inputs[i], 0))
      return graph_constant(graph, node->type, 0);
  }
  return node->inputs[0] == node->inputs[1] ? node->inputs[0] : NULL;
}

static Node *simplify_or(Graph *graph, const Node *node) {
  for (int i = 0; i < 2; i++) {
    if (is_value(node->inputs[i], 0))
      return node->inputs[1 - i];
    if (is_value(node->inputs[i], 1))
      return graph_constant(graph, node->type, 1);
  }
  return node->inputs[0] == node->inputs[1] ? node->inputs[0] : NULL;
}

static Node *simplify_select(Graph *graph, const Node *node) {
  Node *condition = node->inputs[0], *a = node->inputs[1], *b = node->inputs[2];
  if (a == b || is_value(condition, 1))
    return a;
  if (is_value(condition, 0))
    return b;
  return condition->op == OP_not ? graph_select(graph, condition->inputs[0], b, a) : NULL;
}

// Whether every value of `inner` is one of `outer`, so that going there and back changes nothing.
static bool holds(ElemType outer, ElemType inner) {
  static const int whole_bits[ELEM_COUNT] = {[F32] = 24, [F64] = 53, [I32] = 31, [I64] = 63, [U8] = 8, [BOOL] = 1};
  if (elem_is_real(inner))
    return outer == F64;
  bool sign_kept = outer != U8 && outer != BOOL;
  return whole_bits[outer] >= whole_bits[inner] && (sign_kept || inner == U8 || inner == BOOL);
}

static Node *simplify_cast(Graph *graph, const Node *node) {
  Node *x = node->inputs[0];
  (void)graph;
  if (x->type.elem == node->type.elem)
    return x;
  bool there_and_back = x->op == OP_cast && x->inputs[0]->type.elem == node->type.elem;
  return there_and_back && holds(x->type.elem, node->type.elem) ? x->inputs[0] : NULL;
}

// ---- moving elements

static Node *splat_of(Graph *graph, const Node *node) {
  return graph_node(graph, OP_constant, 0, NULL, node->inputs[0]->attr, &node->type);
}

static Node *simplify_reshape(Graph *graph, const Node *node) {
  Node *x = node->inputs[0], *inner = same_inside(node);
  if (type_same_shape(&x->type, &node->type))
    return x;
  return inner ? graph_reshape(graph, inner->inputs[0], &node->type) : NULL;
}

// Repeating nothing, only adding dimensions of size 1, is a reshape, which costs nothing.
static bool only_adds_ones(const Type *from, const Type *to) {
  for (int i = 0; i < to->rank; i++) {
    int own = i - (to->rank - from->rank);
    if (to->dim[i] != (own < 0 ? 1 : from->dim[own]))
      return false;
  }
  return true;
}

static Node *simplify_broadcast(Graph *graph, const Node *node) {
  Node *x = node->inputs[0], *inner = same_inside(node);
  if (type_same_shape(&x->type, &node->type))
    return x;
  if (only_adds_ones(&x->type, &node->type))
    return graph_reshape(graph, x, &node->type);
  return inner ? graph_broadcast(graph, inner->inputs[0], &node->type) : NULL;
}

// Dimensions of more than one element keep their order: only ones move.
static bool moves_only_ones(const Node *node) {
  int last = -1;
  for (int i = 0; i < node->type.rank; i++) {
    if (node->type.dim[i] == 1)
      continue;
    if (node->attr->axis[i] < last)
      return false;
    last = node->attr->axis[i];
  }
  return true;
}

static Node *simplify_transpose(Graph *graph, const Node *node) {
  Node *x = node->inputs[0], *inner = same_inside(node);
  if (moves_only_ones(node))
    return type_same_shape(&x->type, &node->type) ? x : graph_reshape(graph, x, &node->type);
  if (!inner)
    return NULL;
  int joint[MAX_RANK];
  for (int i = 0; i < node->type.rank; i++)
    joint[i] = inner->attr->axis[node->attr->axis[i]];
  return graph_transpose(graph, inner->inputs[0], joint);
}

static Node *simplify_slice(Graph *graph, const Node *node) {
  Node *x = node->inputs[0], *inner = same_inside(node);
  if (type_same_shape(&x->type, &node->type))
    return x;
  if (!inner)
    return NULL;
  Attr joint = {0};
  for (int i = 0; i < node->type.rank; i++) {
    int64_t first = inner->attr->start[i], start = node->attr->start[i];
    if ((first < 0 && start > 0) || (first > 0 && start < 0)) // n + 1 is no dimension
      return NULL;
    joint.start[i] = first + start * inner->attr->step[i];
    joint.step[i] = inner->attr->step[i] * node->attr->step[i];
  }
  return graph_node(graph, OP_slice, 1, inner->inputs, &joint, &node->type);
}

static Node *simplify_pad(Graph *graph, const Node *node) {
  (void)graph;
  return type_same_shape(&node->inputs[0]->type, &node->type) ? node->inputs[0] : NULL;
}

static Node *simplify_concat(Graph *graph, const Node *node) {
  (void)graph;
  return node->input_count == 1 ? node->inputs[0] : NULL;
}

static Node *simplify_reverse(Graph *graph, const Node *node) {
  (void)graph;
  Node *inner = same_inside(node);
  if (node->attr->axis_count == 0)
    return node->inputs[0];
  return inner && attr_same_axes(inner->attr, node->attr) ? inner->inputs[0] : NULL;
}

static SimplifyRule *const rules[OP_COUNT] = {[OP_add] = simplify_add,
                                              [OP_sub] = simplify_sub,
                                              [OP_mul] = simplify_mul,
                                              [OP_div] = simplify_div,
                                              [OP_neg] = simplify_neg,
                                              [OP_not] = simplify_neg,
                                              [OP_abs] = simplify_abs,
                                              [OP_stop_gradient] = simplify_identity,
                                              [OP_and] = simplify_and,
                                              [OP_or] = simplify_or,
                                              [OP_select] = simplify_select,
                                              [OP_cast] = simplify_cast,
                                              [OP_reshape] = simplify_reshape,
                                              [OP_broadcast] = simplify_broadcast,
                                              [OP_transpose] = simplify_transpose,
                                              [OP_slice] = simplify_slice,
                                              [OP_pad] = simplify_pad,
                                              [OP_concat] = simplify_concat,
                                              [OP_reverse] = simplify_reverse};

// What a rule gives may be simplified further: a product of reciprocals, a reshape that became the identity.
static Node *simplest(Graph *graph, Node *node) {
  for (;;) {
    bool splat = op_keeps_splat(node->op) && node_is_splat(node->inputs[0]);
    SimplifyRule *rule = splat ? splat_of : rules[node->op];
    Node *simpler = rule ? rule(graph, node) : NULL;
    if (!simpler)
      return node;
    node = simpler;
  }
}

Graph *pass_simplify(Graph *graph) {
  Rewrite rewrite = rewrite_begin(graph);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    Node candidate = *node;
    candidate.inputs = rewrite_inputs(&rewrite, node);
    rewrite_place(&rewrite, node);
    Node *simple = simplest(rewrite.to, &candidate);
    rewrite.map[id] = simple == &candidate ? rewrite_copy(&rewrite, node, candidate.inputs) : simple;
  }
  return rewrite_end(&rewrite);
}

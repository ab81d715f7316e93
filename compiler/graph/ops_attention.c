// Attention, softmax(q k^T * scale) v over queries q [.., t, d], keys k [.., s, d] and values v [.., s, e], and its gradients.
// One operation, since its matrix of weights is never stored and its order of sums is its own (loops/nest.h). The gradients
// make the weights again from lse, the logarithm of each row's sum of exponentials: with w = softmax(..), g = dL/do and
// delta = sum(o * g) along e, they are dv = w^T g, dscore = w * (g v^T - delta), dq = dscore k * scale, dk = dscore^T q * scale
// (Dao and others, "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness", 2022).
#include "graph/rules.h"

enum { Q, K, V, MASK, SLOPE, LSE, DELTA };

static Type leading(const Type *type, int last) {
  Type result = *type;
  result.rank -= last;
  return result;
}

// The leading dimensions that q, k, v and the mask, as far as it has any, broadcast to.
static bool common_leading(Node *const *inputs, Type *shape) {
  *shape = leading(&inputs[Q]->type, 2);
  for (int i = K; i <= MASK; i++) {
    Type own = leading(&inputs[i]->type, inputs[i]->type.rank < 2 ? inputs[i]->type.rank : 2);
    if (!type_broadcast(shape, &own, shape))
      return false;
  }
  return true;
}

static const char *check_sizes(Arena *arena, Node *const *inputs) {
  const Type *q = &inputs[Q]->type, *k = &inputs[K]->type, *v = &inputs[V]->type;
  static const char *const names[] = {"queries", "keys", "values"};
  for (int i = Q; i <= V; i++) {
    const Type *type = &inputs[i]->type;
    if (type->rank < 2)
      return arena_printf(arena, "`attend`: %s are [.., length, size], but these are %s", names[i],
                          type_text(arena, type));
    for (int back = 1; back <= 2; back++)
      if (type->dim[type->rank - back] <= 0)
        return arena_printf(arena, "`attend`: the last two dimensions of %s %s must be fixed and not empty", names[i],
                            type_text(arena, type));
  }
  if (q->dim[q->rank - 1] != k->dim[k->rank - 1])
    return arena_printf(arena, "`attend`: queries %s and keys %s must have one size, but %s and %s differ",
                        type_text(arena, q), type_text(arena, k), rule_dim_text(arena, q->dim[q->rank - 1]),
                        rule_dim_text(arena, k->dim[k->rank - 1]));
  if (k->dim[k->rank - 2] != v->dim[v->rank - 2])
    return arena_printf(arena, "`attend`: there must be as many keys as values, not %s and %s", type_text(arena, k),
                        type_text(arena, v));
  return NULL;
}

static const char *check_mask(Arena *arena, Node *const *inputs) {
  const Type *q = &inputs[Q]->type, *k = &inputs[K]->type, *mask = &inputs[MASK]->type;
  Type scores = {.elem = BOOL, .rank = 2, .dim = {q->dim[q->rank - 2], k->dim[k->rank - 2]}}, shape, last = *mask;
  if (mask->elem != BOOL)
    return arena_printf(arena, "`attend`: a mask is of bools, true where a key is seen, not %s",
                        type_text(arena, mask));
  if (last.rank > 2) {
    last.rank = 2;
    last.dim[0] = mask->dim[mask->rank - 2];
    last.dim[1] = mask->dim[mask->rank - 1];
  }
  if (!type_broadcast(&last, &scores, &shape) || !type_same_shape(&shape, &scores))
    return arena_printf(arena, "`attend`: a mask is [.., queries, keys], here [.., %s, %s], not %s",
                        rule_dim_text(arena, scores.dim[0]), rule_dim_text(arena, scores.dim[1]),
                        type_text(arena, mask));
  return NULL;
}

// The rule of all five; `result` is that of the values.
static const char *check(Arena *arena, Node *const *inputs, Type *result) {
  const Type *q = &inputs[Q]->type, *k = &inputs[K]->type, *v = &inputs[V]->type;
  if (!elem_is_real(q->elem) || k->elem != q->elem || v->elem != q->elem)
    return arena_printf(arena, "`attend` needs three tensors of f32 or of f64, not %s, %s and %s", elem_name(q->elem),
                        elem_name(k->elem), elem_name(v->elem));
  const char *wrong = check_sizes(arena, inputs);
  if (!wrong)
    wrong = check_mask(arena, inputs);
  if (wrong)
    return wrong;
  Type shape;
  if (!common_leading(inputs, &shape) || shape.rank + 2 > MAX_RANK)
    return arena_printf(arena, "`attend`: leading dimensions of %s, %s, %s and the mask's %s do not match",
                        type_text(arena, q), type_text(arena, k), type_text(arena, v),
                        type_text(arena, &inputs[MASK]->type));
  shape.elem = q->elem;
  shape.dim[shape.rank++] = q->dim[q->rank - 2];
  shape.dim[shape.rank++] = v->dim[v->rank - 1];
  *result = shape;
  return NULL;
}

const char *shape_attention(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                            Type *result) {
  (void)input_count, (void)attr, (void)wanted;
  return check(arena, inputs, result);
}

const char *shape_attention_lse(Arena *arena, int input_count, Node *const *inputs, const Attr *attr,
                                const Type *wanted, Type *result) {
  (void)input_count, (void)attr, (void)wanted;
  const char *wrong = check(arena, inputs, result);
  result->rank -= !wrong;
  return wrong;
}

// The gradient of input `of`, leading dimensions of all inputs joined.
static const char *gradient_shape(Arena *arena, Node *const *inputs, int of, Type *result) {
  Type values;
  const char *wrong = check(arena, inputs, &values);
  if (wrong)
    return wrong;
  Type rows = leading(&values, 1);
  if (!type_equal(&inputs[SLOPE]->type, &values) || !type_equal(&inputs[LSE]->type, &rows) ||
      !type_equal(&inputs[DELTA]->type, &rows))
    return arena_printf(arena, "attention: a gradient %s, lse %s and delta %s do not belong to values %s",
                        type_text(arena, &inputs[SLOPE]->type), type_text(arena, &inputs[LSE]->type),
                        type_text(arena, &inputs[DELTA]->type), type_text(arena, &values));
  const Type *own = &inputs[of]->type;
  *result = values;
  for (int back = 1; back <= 2; back++)
    result->dim[result->rank - back] = own->dim[own->rank - back];
  return NULL;
}

#define GRADIENT(name, of)                                                                                             \
  const char *shape_##name(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,   \
                           Type *result) {                                                                             \
    (void)input_count, (void)attr, (void)wanted;                                                                       \
    return gradient_shape(arena, inputs, of, result);                                                                  \
  }                                                                                                                    \
  GRAD_NONE(name)                                                                                                      \
  LOWER_ROOT(name)
GRADIENT(attention_dq, Q)
GRADIENT(attention_dk, K)
GRADIENT(attention_dv, V)
GRAD_NONE(attention_lse)
LOWER_ROOT(attention)
LOWER_ROOT(attention_lse)

void grad_attention(Graph *graph, Node *node, Node *upstream, Node **out) {
  static const Op ops[] = {[Q] = OP_attention_dq, [K] = OP_attention_dk, [V] = OP_attention_dv};
  int last = node->type.rank - 1;
  Node *inputs[DELTA + 1];
  for (int i = Q; i <= MASK; i++)
    inputs[i] = node->inputs[i];
  inputs[SLOPE] = upstream;
  inputs[LSE] = graph_node(graph, OP_attention_lse, 4, inputs, node->attr, NULL);
  inputs[DELTA] = graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, node, upstream), 1, &last, false);
  for (int i = Q; i <= V; i++)
    if (out[i])
      out[i] = graph_node(graph, ops[i], DELTA + 1, inputs, node->attr, NULL);
  out[MASK] = NULL;
}

// ---- building
void rule_fit_attention(Graph *graph, Node **inputs) {
  Type shape;
  common_leading(inputs, &shape);
  shape.rank += 2;
  for (int i = Q; i <= MASK; i++) {
    const Type *rows = &inputs[i == MASK ? Q : i]->type, *columns = &inputs[i == MASK ? K : i]->type;
    shape.dim[shape.rank - 2] = rows->dim[rows->rank - 2];
    shape.dim[shape.rank - 1] = columns->dim[columns->rank - (i == MASK ? 2 : 1)];
    inputs[i] = graph_broadcast(graph, inputs[i], &shape);
  }
}

Node *graph_attention(Graph *graph, Node *q, Node *k, Node *v, Node *mask, bool causal, double scale) {
  if (!mask)
    mask = graph_constant(graph, type_scalar(BOOL), 1);
  return graph_node(graph, OP_attention, 4, (Node *[]){q, k, v, mask}, &(Attr){.real = scale, .integer = causal}, NULL);
}

// The matrix product [.., m, k] @ [.., k, n]. Leading dimensions broadcast; graph_node has made them equal.
#include "graph/rules.h"

static Type leading(const Type *type) {
  Type result = *type;
  result.rank -= 2;
  return result;
}

const char *shape_matmul(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                         Type *result) {
  (void)input_count, (void)attr, (void)wanted;
  const Type *a = &inputs[0]->type, *b = &inputs[1]->type;
  if (!elem_is_real(a->elem) || a->elem != b->elem)
    return arena_printf(arena, "`@` needs two tensors of f32 or of f64, not %s and %s", elem_name(a->elem),
                        elem_name(b->elem));
  if (a->rank < 2 || b->rank < 2)
    return arena_printf(arena, "`@` multiplies [.., m, k] by [.., k, n]: %s has fewer than two dimensions",
                        type_text(arena, a->rank < 2 ? a : b));
  Dim m = a->dim[a->rank - 2], k = a->dim[a->rank - 1], inner = b->dim[b->rank - 2], n = b->dim[b->rank - 1];
  if (k != inner)
    return arena_printf(arena, "`@` multiplies [.., m, k] by [.., k, n]: inner sizes %s and %s differ in %s @ %s",
                        rule_dim_text(arena, k), rule_dim_text(arena, inner), type_text(arena, a), type_text(arena, b));
  Type a_leading = leading(a), b_leading = leading(b), shape;
  if (!type_broadcast(&a_leading, &b_leading, &shape))
    return arena_printf(arena, "`@`: leading dimensions of %s and %s do not match", type_text(arena, a),
                        type_text(arena, b));
  shape.dim[shape.rank++] = m;
  shape.dim[shape.rank++] = n;
  *result = shape;
  return NULL;
}

static Node *transposed(Graph *graph, Node *x) {
  int permutation[MAX_RANK], rank = x->type.rank;
  for (int i = 0; i < rank; i++)
    permutation[i] = i;
  permutation[rank - 2] = rank - 1;
  permutation[rank - 1] = rank - 2;
  return graph_transpose(graph, x, permutation);
}

void grad_matmul(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = graph_matmul(graph, upstream, transposed(graph, node->inputs[1]));
  if (out[1])
    out[1] = graph_matmul(graph, transposed(graph, node->inputs[0]), upstream);
}

LOWER_ROOT(matmul)

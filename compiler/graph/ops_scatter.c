// scatter_add(base, indices, updates): base with updates added at places along one axis, in the order of the indices,
// clamped as gather's are. updates: base's dimensions, the axis replaced by those of indices.
#include "graph/rules.h"

const char *shape_scatter_add(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                              Type *result) {
  (void)input_count, (void)wanted;
  const Type *base = &inputs[0]->type, *updates = &inputs[2]->type;
  Type expected;
  const char *wrong = graph_check(arena, OP_gather, 2, inputs, attr, NULL, &expected);
  if (wrong)
    return wrong;
  if (base->elem == BOOL)
    return "`scatter_add` needs numbers, not bool";
  if (!type_equal(&expected, updates))
    return arena_printf(arena, "`scatter_add`: the updates must be %s, not %s", type_text(arena, &expected),
                        type_text(arena, updates));
  *result = *base;
  return NULL;
}

void grad_scatter_add(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = upstream;
  out[1] = NULL;
  if (out[2])
    out[2] = graph_node(graph, OP_gather, 2, (Node *[]){upstream, node->inputs[1]}, node->attr, NULL);
}

LOWER_ROOT(scatter_add)

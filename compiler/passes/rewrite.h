// What the graph passes share: a new graph made from an old one, node by node.
#pragma once
#include "graph/graph.h"

typedef struct Rewrite {
  const Graph *from;
  Graph *to;
  Node **map; // by id in `from`: the node of `to` that has the same value
} Rewrite;

Rewrite rewrite_begin(const Graph *from);
// A new node like `node`, with other inputs (nodes of `to`) and its place in the source.
Node *rewrite_copy(Rewrite *rewrite, const Node *node, Node *const *inputs);
// The inputs of `node` in `to`.
Node **rewrite_inputs(const Rewrite *rewrite, const Node *node);
// New nodes are stamped with the place of `node`.
void rewrite_place(Rewrite *rewrite, const Node *node);
// The new graph, with outputs and updates.
Graph *rewrite_end(Rewrite *rewrite);

// A constant with the same value in every element.
static inline bool node_is_splat(const Node *node) {
  return node->op == OP_constant && !node->attr->data;
}
// The operation only moves elements of its first input: of a splat it gives a splat.
bool op_keeps_splat(Op op);

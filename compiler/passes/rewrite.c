// A new graph made from an old one, node by node: nodes keep their place in the source, the graph its name, inputs,
// outputs and updates.
#include "passes/rewrite.h"

Rewrite rewrite_begin(const Graph *from) {
  Graph *to = graph_new(from->arena, from->name, from->batch);
  for (int i = 0; i < from->inputs.count; i++)
    vec_push(to->arena, &to->inputs, from->inputs.data[i]);
  return (Rewrite){.from = from, .to = to, .map = arena_array(from->arena, Node *, from->nodes.count + 1)};
}

void rewrite_place(Rewrite *rewrite, const Node *node) {
  rewrite->to->span = node->span;
  rewrite->to->scope = node->scope;
  rewrite->to->gradient = node->gradient;
  rewrite->to->again = node->again;
}

Node *rewrite_copy(Rewrite *rewrite, const Node *node, Node *const *inputs) {
  rewrite_place(rewrite, node);
  return graph_node_like(rewrite->to, node, inputs);
}

Node **rewrite_inputs(const Rewrite *rewrite, const Node *node) {
  Node **inputs = arena_array(rewrite->to->arena, Node *, node->input_count + 1);
  for (int i = 0; i < node->input_count; i++)
    inputs[i] = rewrite->map[node->inputs[i]->id];
  return inputs;
}

Graph *rewrite_end(Rewrite *rewrite) {
  const Graph *from = rewrite->from;
  Graph *to = rewrite->to;
  for (int i = 0; i < from->outputs.count; i++) {
    GraphOutput output = from->outputs.data[i];
    output.value = rewrite->map[output.value->id];
    vec_push(to->arena, &to->outputs, output);
  }
  for (int i = 0; i < from->updates.count; i++) {
    GraphUpdate update = from->updates.data[i];
    update.value = rewrite->map[update.value->id];
    vec_push(to->arena, &to->updates, update);
  }
  to->span = from->span;
  to->scope = from->scope;
  to->gradient = from->gradient;
  to->again = from->again;
  return to;
}

bool op_keeps_splat(Op op) {
  return op == OP_broadcast || op == OP_reshape || op == OP_transpose || op == OP_slice || op == OP_reverse ||
         op == OP_gather;
}

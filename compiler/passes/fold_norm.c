// Normalisation in evaluation graphs: what scales and shifts each channel of a convolution's result goes into its weights
// and one sum: (conv(x, w) - m) * s + b becomes conv(x, w * s) + (b - m * s). It is the one pass that may change bits, and it
// is only for graphs that are not trained.
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct Chain {
  int *readers; // of each node, outputs and updates among them
  int *next;    // the node that goes on with the chain, 0 if none: it reads the node alone
  bool *inner;  // has one: its value is not needed
} Chain;

// The operand of a point operation that has one value a channel; NULL if it has more.
static const Node *channel_vector(const Node *node) {
  if (node_is_splat(node))
    return node;
  if (node->op != OP_broadcast)
    return NULL;
  const Type *from = &node->inputs[0]->type;
  for (int i = 0; i < from->rank - 1; i++)
    if (from->dim[i] != 1)
      return NULL;
  return node;
}

static bool continues(const Node *node, const Node *value) {
  if (!type_equal(&node->type, &value->type))
    return false;
  switch (node->op) {
  case OP_add:
  case OP_mul:
    return channel_vector(node->inputs[node->inputs[0] == value]) && node->inputs[0] != node->inputs[1];
  case OP_sub:
  case OP_div:
    return node->inputs[0] == value && channel_vector(node->inputs[1]);
  default:
    return false;
  }
}

static Chain find_chains(const Graph *graph) {
  Arena *arena = graph->arena;
  int count = graph->nodes.count;
  Chain chain = {arena_array(arena, int, count + 1), arena_array(arena, int, count + 1),
                 arena_array(arena, bool, count + 1)};
  bool *member = arena_array(arena, bool, count + 1);
  for (int i = 0; i < count; i++)
    for (int k = 0; k < graph->nodes.data[i]->input_count; k++)
      chain.readers[graph->nodes.data[i]->inputs[k]->id]++;
  for (int i = 0; i < graph->outputs.count; i++)
    chain.readers[graph->outputs.data[i].value->id]++;
  for (int i = 0; i < graph->updates.count; i++)
    chain.readers[graph->updates.data[i].value->id]++;
  for (int i = 0; i < count; i++) {
    const Node *node = graph->nodes.data[i];
    member[i] = node->op == OP_conv;
    for (int k = 0; k < node->input_count; k++) {
      const Node *value = node->inputs[k];
      if (!member[value->id] || chain.readers[value->id] != 1 || !continues(node, value))
        continue;
      chain.next[value->id] = i;
      chain.inner[value->id] = member[i] = true;
    }
  }
  return chain;
}

static bool scales(const Graph *graph, const Chain *chain, int id) {
  for (id = chain->next[id]; id; id = chain->next[id])
    if (graph->nodes.data[id]->op == OP_mul || graph->nodes.data[id]->op == OP_div)
      return true;
  return false;
}

// The operand beside `value`, as a vector of one element a channel.
static Node *vector_of(Rewrite *rewrite, const Node *node, const Node *value) {
  const Node *operand = node->inputs[node->inputs[0] == value];
  Type type = {.elem = node->type.elem, .rank = 1, .dim = {node->type.dim[node->type.rank - 1]}};
  if (node_is_splat(operand))
    return graph_constant(rewrite->to, type, operand->attr->real);
  Node *from = rewrite->map[operand->inputs[0]->id];
  Type own = {.elem = type.elem, .rank = 1, .dim = {type_count(&from->type, 0)}};
  return graph_broadcast(rewrite->to, graph_reshape(rewrite->to, from, &own), &type);
}

// Rewrites the chain that begins at a convolution; gives what stands for its last node.
static Node *fold_chain(Rewrite *rewrite, const Chain *chain, const Node *conv) {
  Graph *to = rewrite->to;
  Node *scale = NULL, *shift = NULL;
  const Node *value = conv;
  for (int id = chain->next[conv->id]; id; id = chain->next[id]) {
    const Node *node = rewrite->from->nodes.data[id];
    rewrite_place(rewrite, node);
    Node *vector = vector_of(rewrite, node, value);
    if (node->op == OP_add)
      shift = shift ? graph_binary(to, OP_add, shift, vector) : vector;
    else if (node->op == OP_sub)
      shift = shift ? graph_binary(to, OP_sub, shift, vector) : graph_unary(to, OP_neg, vector);
    else {
      if (!scale && node->op == OP_div)
        scale = graph_constant(to, vector->type, 1);
      scale = scale ? graph_binary(to, node->op, scale, vector) : vector;
      shift = shift ? graph_binary(to, node->op, shift, vector) : NULL;
    }
    value = node;
  }
  rewrite_place(rewrite, conv);
  Node **inputs = rewrite_inputs(rewrite, conv);
  inputs[1] = graph_binary(to, OP_mul, inputs[1], scale);
  Node *result = rewrite_copy(rewrite, conv, inputs);
  rewrite_place(rewrite, value);
  return shift ? graph_binary(to, OP_add, result, shift) : result;
}

Graph *pass_fold_norm(Graph *graph) {
  Rewrite rewrite = rewrite_begin(graph);
  Chain chain = find_chains(graph);
  const Node **ends = arena_array(graph->arena, const Node *, graph->nodes.count + 1);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    if (node->op == OP_conv && chain.inner[id] && scales(graph, &chain, id)) {
      int last = id;
      while (chain.next[last])
        last = chain.next[last];
      ends[last] = node;
      continue;
    }
    if (ends[id]) {
      rewrite.map[id] = fold_chain(&rewrite, &chain, ends[id]);
      continue;
    }
    bool all = true; // else a node inside a chain, which its last one stands for
    for (int i = 0; i < node->input_count; i++)
      all = all && rewrite.map[node->inputs[i]->id];
    if (all)
      rewrite.map[id] = rewrite_copy(&rewrite, node, rewrite_inputs(&rewrite, node));
  }
  return rewrite_end(&rewrite);
}

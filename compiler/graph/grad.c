// Reverse-mode differentiation: walks from the loss back over its ancestors, each node after all its uses, and asks the
// operation's rule for what each use contributes. Only nodes that depend on what is differentiated for take part.
#include "graph/grad.h"

#include "graph/rules.h"

typedef VEC(Node *) Contributions;

typedef struct Walk {
  Graph *graph;
  bool *active;           // by id: depends on one of wrt, through operations that have a gradient
  Contributions *arrived; // by id: from later uses first
  Node **total;           // by id: dL/d(node), once it was summed
} Walk;

static void mark_active(Walk *walk, int nodes, int count, Node *const *wrt) {
  for (int i = 0; i < count; i++)
    if (wrt[i]->id < nodes && elem_is_real(wrt[i]->type.elem))
      walk->active[wrt[i]->id] = true;
  for (int id = 0; id < nodes; id++) {
    const Node *node = walk->graph->nodes.data[id];
    if (op_info[node->op].no_gradient || !elem_is_real(node->type.elem))
      continue;
    for (int i = 0; i < node->input_count; i++)
      walk->active[id] = walk->active[id] || walk->active[node->inputs[i]->id];
  }
}

// The sum in the order of the uses.
static Node *sum(Walk *walk, const Contributions *parts) {
  Node *total = NULL;
  for (int i = parts->count - 1; i >= 0; i--)
    total = total ? graph_binary(walk->graph, OP_add, total, parts->data[i]) : parts->data[i];
  return total;
}

static void visit(Walk *walk, Node *node) {
  Graph *graph = walk->graph;
  graph->span = node->span;
  graph->scope = node->scope;
  Node *upstream = walk->total[node->id] = sum(walk, &walk->arrived[node->id]);
  if (!upstream || op_info[node->op].no_gradient)
    return;
  Node **out = arena_array(graph->arena, Node *, node->input_count);
  bool wanted = false;
  for (int i = 0; i < node->input_count; i++) {
    out[i] = walk->active[node->inputs[i]->id] ? node->inputs[i] : NULL;
    wanted = wanted || out[i];
  }
  if (!wanted)
    return;
  op_info[node->op].grad(graph, node, upstream, out);
  for (int i = node->input_count - 1; i >= 0; i--)
    if (out[i])
      vec_push(graph->arena, &walk->arrived[node->inputs[i]->id], out[i]);
}

void grad(Graph *graph, Node *loss, int count, Node *const *wrt, Node **out) {
  Span span = graph->span;
  const char *scope = graph->scope;
  int nodes = loss->id + 1;
  Walk walk = {.graph = graph,
               .active = arena_array(graph->arena, bool, nodes),
               .arrived = arena_array(graph->arena, Contributions, nodes),
               .total = arena_array(graph->arena, Node *, nodes)};
  mark_active(&walk, nodes, count, wrt);
  graph->span = loss->span;
  graph->scope = loss->scope;
  if (walk.active[loss->id])
    vec_push(graph->arena, &walk.arrived[loss->id], rule_number(graph, loss, 1));
  for (int id = loss->id; id >= 0; id--)
    if (walk.active[id])
      visit(&walk, graph->nodes.data[id]);
  graph->span = span;
  graph->scope = scope;
  for (int i = 0; i < count; i++) {
    Node *total = wrt[i]->id < nodes ? walk.total[wrt[i]->id] : NULL;
    out[i] = total ? total : rule_zeros(graph, &wrt[i]->type);
  }
}

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

// The sum from the last use to the first.
static Node *sum(Walk *walk, const Contributions *parts) {
  Node *total = NULL;
  for (int i = 0; i < parts->count; i++)
    total = total ? graph_binary(walk->graph, OP_add, total, parts->data[i]) : parts->data[i];
  return total;
}

static void add(Walk *walk, const Node *node, Node *contribution) {
  vec_push(walk->graph->arena, &walk->arrived[node->id], contribution);
}

// The results of a scan come after it, so their gradients are known.
static void visit_scan(Walk *walk, Node *node, int nodes, Node **out) {
  Arena *arena = walk->graph->arena;
  int results = node->attr->scan->body->outputs.count;
  Node **upstream = arena_array(arena, Node *, results + 1), **before = arena_array(arena, Node *, node->input_count);
  bool any = false;
  for (int id = node->id + 1; id < nodes; id++) {
    const Node *result = walk->graph->nodes.data[id];
    if (result->op != OP_scan_result || result->inputs[0] != node || !walk->total[id])
      continue;
    any = true;
    Node **known = &upstream[result->attr->index];
    *known = *known ? graph_binary(walk->graph, OP_add, *known, walk->total[id]) : walk->total[id];
  }
  if (!any)
    return;
  const GraphScan *scan = node->attr->scan;
  for (int i = 0; i < node->input_count; i++) {
    before[i] = scan_is_captured(scan, i) && out[i] ? sum(walk, &walk->arrived[node->inputs[i]->id]) : NULL;
    for (int k = 0; k < i && before[i]; k++) // of a value that is several inputs
      if (node->inputs[k] == node->inputs[i])
        before[i] = NULL;
  }
  grad_through_scan(walk->graph, node, upstream, before, out);
  for (int i = 0; i < node->input_count; i++)
    if (before[i])
      walk->arrived[node->inputs[i]->id].count = 0;
  for (int i = 0; i < node->input_count; i++)
    if (out[i])
      add(walk, node->inputs[i], out[i]);
}

static void visit(Walk *walk, Node *node, int nodes) {
  Graph *graph = walk->graph;
  graph->span = node->span;
  graph->scope = node->scope;
  Node *upstream = walk->total[node->id] = sum(walk, &walk->arrived[node->id]);
  if ((!upstream && node->op != OP_scan) || op_info[node->op].no_gradient)
    return;
  Node **out = arena_array(graph->arena, Node *, node->input_count);
  bool wanted = false;
  for (int i = 0; i < node->input_count; i++) {
    out[i] = walk->active[node->inputs[i]->id] ? node->inputs[i] : NULL;
    wanted = wanted || out[i];
  }
  if (!wanted || node->op == OP_scan_result)
    return;
  if (node->op == OP_scan) {
    visit_scan(walk, node, nodes, out);
    return;
  }
  op_info[node->op].grad(graph, node, upstream, out);
  for (int i = node->input_count - 1; i >= 0; i--)
    if (out[i])
      add(walk, node->inputs[i], out[i]);
}

static Node *seed_gradient(Graph *graph, const GradSeed *seed) {
  graph->span = seed->node->span;
  graph->scope = seed->node->scope;
  return seed->gradient ? seed->gradient : rule_number(graph, seed->node, 1);
}

void grad_from(Graph *graph, int seed_count, const GradSeed *seeds, int count, Node *const *wrt, Node **out) {
  Span span = graph->span;
  const char *scope = graph->scope;
  bool inside = graph->gradient;
  int nodes = 0;
  for (int i = 0; i < seed_count; i++)
    nodes = seeds[i].node->id >= nodes ? seeds[i].node->id + 1 : nodes;
  Walk walk = {.graph = graph,
               .active = arena_array(graph->arena, bool, nodes + 1),
               .arrived = arena_array(graph->arena, Contributions, nodes + 1),
               .total = arena_array(graph->arena, Node *, nodes + 1)};
  graph->gradient = true;
  mark_active(&walk, nodes, count, wrt);
  for (int i = 0; i < seed_count; i++)
    if (walk.active[seeds[i].node->id])
      add(&walk, seeds[i].node, seed_gradient(graph, &seeds[i]));
  for (int id = nodes - 1; id >= 0; id--)
    if (walk.active[id])
      visit(&walk, graph->nodes.data[id], nodes);
  graph->span = span;
  graph->scope = scope;
  graph->gradient = inside;
  for (int i = 0; i < count; i++) {
    Node *total = wrt[i]->id < nodes ? walk.total[wrt[i]->id] : NULL;
    out[i] = total ? total : rule_zeros(graph, &wrt[i]->type);
  }
}

void grad(Graph *graph, Node *loss, int count, Node *const *wrt, Node **out) {
  grad_from(graph, 1, &(GradSeed){loss, NULL}, count, wrt, out);
}

// The body of a scan: it is built in the graph around it, on placeholders, and taken out when it is whole. What does not
// depend on a placeholder stays outside, and is thereby computed once.
#include "graph/graph.h"
#include "graph/ops.h"

typedef struct Extraction {
  Graph *graph, *body;
  Extract *what;
  bool *inside; // by id: it goes into the body
  Node **map;   // by id: its like in the body
} Extraction;

static void find_inside(Extraction *extraction) {
  const Graph *graph = extraction->graph;
  const Extract *what = extraction->what;
  for (int i = 0; i < what->placeholder_count; i++)
    extraction->inside[what->placeholders[i]->id] = true;
  for (int id = what->first; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    if (node->op == OP_random) // drawn anew in each step
      extraction->inside[id] = true;
    for (int k = 0; k < node->input_count; k++)
      extraction->inside[id] = extraction->inside[id] || extraction->inside[node->inputs[k]->id];
  }
}

static Node *add_input(Extraction *extraction, const char *name, const Type *type) {
  Graph *body = extraction->body;
  vec_push(body->arena, &body->inputs, ((GraphInput){name, *type}));
  return graph_node(body, OP_input, 0, NULL, &(Attr){.index = body->inputs.count - 1}, type);
}

static void add_draws(Extraction *extraction, int64_t length) {
  Graph *graph = extraction->graph;
  int count = graph->nodes.count;
  for (int id = extraction->what->first; id < count; id++) {
    const Node *node = graph->nodes.data[id];
    if (node->op != OP_random)
      continue;
    Type stacked = scan_stacked_type(&node->type, length);
    vec_push(graph->arena, &extraction->what->draws,
             graph_node(graph, OP_random, node->input_count, node->inputs, node->attr, &stacked));
    extraction->map[id] = add_input(extraction, "draw", &node->type);
  }
}

// Constants and clocks are had anew, and what is repeated to fit is repeated inside: it is smaller before, and its gradient is
// summed in each step. Everything else is seen from inside through an input.
static Node *from_outside(Extraction *extraction, Node *node) {
  Graph *body = extraction->body;
  Node **known = &extraction->map[node->id];
  if (*known)
    return *known;
  bool leaf = node->op == OP_clock || (node->op == OP_constant && !node->attr->data);
  if (leaf || node->op == OP_broadcast) {
    Node *input = leaf ? NULL : from_outside(extraction, node->inputs[0]);
    return *known = graph_node(body, node->op, node->input_count, &input, node->attr, &node->type);
  }
  vec_push(body->arena, &extraction->what->captured, node);
  return *known = add_input(extraction, op_name(node->op), &node->type);
}

static Node *in_body(Extraction *extraction, Node *node) {
  return extraction->inside[node->id] ? extraction->map[node->id] : from_outside(extraction, node);
}

static void copy_nodes(Extraction *extraction, int end) {
  Graph *graph = extraction->graph, *body = extraction->body;
  for (int id = extraction->what->first; id < end; id++) {
    const Node *node = graph->nodes.data[id];
    if (!extraction->inside[id] || extraction->map[id])
      continue;
    Node **inputs = arena_array(graph->arena, Node *, node->input_count + 1);
    for (int i = 0; i < node->input_count; i++)
      inputs[i] = in_body(extraction, node->inputs[i]);
    body->span = node->span;
    body->scope = node->scope;
    extraction->map[id] = graph_node(body, node->op, node->input_count, inputs, node->attr, &node->type);
  }
}

static void remove_nodes(Extraction *extraction, int end) {
  Graph *graph = extraction->graph;
  int kept = extraction->what->first;
  for (int id = kept; id < graph->nodes.count; id++) {
    Node *node = graph->nodes.data[id];
    if (id < end && extraction->inside[id]) {
      node->id = -1;
      continue;
    }
    node->id = kept;
    graph->nodes.data[kept++] = node;
  }
  graph->nodes.count = kept;
}

Graph *graph_extract(Graph *graph, Extract *what) {
  Arena *arena = graph->arena;
  int end = graph->nodes.count;
  Extraction extraction = {.graph = graph,
                           .body = graph_new(arena, what->name, graph->batch),
                           .what = what,
                           .inside = arena_array(arena, bool, end + 1),
                           .map = arena_array(arena, Node *, end + 1)};
  find_inside(&extraction);
  for (int i = 0; i < what->placeholder_count; i++)
    extraction.map[what->placeholders[i]->id] = add_input(&extraction, what->names[i], &what->placeholders[i]->type);
  add_draws(&extraction, what->length);
  copy_nodes(&extraction, end);
  for (int i = 0; i < what->output_count; i++) {
    GraphOutput output = {what->output_names[i], in_body(&extraction, what->outputs[i])};
    vec_push(arena, &extraction.body->outputs, output);
  }
  remove_nodes(&extraction, end);
  return extraction.body;
}

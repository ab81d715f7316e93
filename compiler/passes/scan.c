// Scans made ready for kernels. What is carried, read or yielded without need is left out of the body; values that are one
// number go into it; what is carried begins as a copy of its own, which the steps overwrite; sequences are read as they lie.
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct Prune {
  const GraphScan *scan;
  const Graph *body;
  bool *output, *input; // of the body: needed
  int *place;           // of each needed output among them
  Node **result;        // of each output, once it is made
} Prune;

static void mark_body(const Prune *prune, bool *needed) {
  const Graph *body = prune->body;
  for (int i = 0; i < body->outputs.count; i++)
    if (prune->output[i])
      needed[body->outputs.data[i].value->id] = true;
  for (int id = body->nodes.count - 1; id >= 0; id--) {
    const Node *node = body->nodes.data[id];
    for (int i = 0; i < node->input_count && needed[id]; i++)
      needed[node->inputs[i]->id] = true;
  }
}

// What is carried is needed if it is used at last, or by a step that makes something needed.
static void find_needed(Prune *prune) {
  const Graph *body = prune->body;
  for (bool changed = true; changed;) {
    changed = false;
    bool *needed = arena_array(body->arena, bool, body->nodes.count + 1);
    mark_body(prune, needed);
    for (int id = 0; id < body->nodes.count; id++) {
      const Node *node = body->nodes.data[id];
      if (!needed[id] || node->op != OP_input)
        continue;
      int index = node->attr->index;
      prune->input[index] = true;
      if (index < prune->scan->carried && !prune->output[index])
        prune->output[index] = changed = true;
    }
  }
  for (int i = 0; i < prune->scan->carried; i++)
    prune->input[i] = prune->output[i];
  if (prune->scan->counted)
    prune->input[body->inputs.count - 1] = true;
}

static Prune prune_new(const Graph *graph, const Node *node) {
  Arena *arena = graph->arena;
  const Graph *body = node->attr->scan->body;
  Prune prune = {.scan = node->attr->scan,
                 .body = body,
                 .output = arena_array(arena, bool, body->outputs.count + 1),
                 .input = arena_array(arena, bool, body->inputs.count + 1),
                 .place = arena_array(arena, int, body->outputs.count + 1),
                 .result = arena_array(arena, Node *, body->outputs.count + 1)};
  for (int i = node->id + 1; i < graph->nodes.count; i++) {
    const Node *result = graph->nodes.data[i];
    if (result->op == OP_scan_result && result->inputs[0] == node)
      prune.output[result->attr->index] = true;
  }
  find_needed(&prune);
  for (int i = 0, at = 0; i < body->outputs.count; i++)
    prune.place[i] = prune.output[i] ? at++ : -1;
  return prune;
}

// ---- the new body
typedef struct Shrunk {
  GraphScan scan;
  Node **inputs; // of the new scan
  int count;
} Shrunk;

// A number that every step sees is one inside.
static bool goes_inside(const Prune *prune, int input, const Node *value) {
  return input >= prune->scan->carried && input != scan_count_input(prune->scan, prune->body->inputs.count) &&
         node_is_splat(value);
}

static Node *body_input(Rewrite *rewrite, Shrunk *shrunk, const Prune *prune, int input, Node *value) {
  Graph *body = rewrite->to;
  const GraphInput *old = &prune->body->inputs.data[input];
  if (goes_inside(prune, input, value))
    return graph_node(body, OP_constant, 0, NULL, value->attr, &old->type);
  shrunk->scan.carried += input < prune->scan->carried;
  shrunk->scan.sequences += scan_is_sequence(prune->scan, input);
  shrunk->inputs[shrunk->count++] = value;
  vec_push(body->arena, &body->inputs, *old);
  return graph_node(body, OP_input, 0, NULL, &(Attr){.index = body->inputs.count - 1}, &old->type);
}

static Shrunk shrink(const Prune *prune, Node *const *inputs) {
  const Graph *from = prune->body;
  Arena *arena = from->arena;
  Rewrite rewrite = {.from = from,
                     .to = graph_new(arena, from->name, from->batch),
                     .map = arena_array(arena, Node *, from->nodes.count + 1)};
  Shrunk shrunk = {
      .scan = {.length = prune->scan->length, .reverse = prune->scan->reverse, .counted = prune->scan->counted},
      .inputs = arena_array(arena, Node *, from->inputs.count + 1)};
  Node **made = arena_array(arena, Node *, from->inputs.count + 1);
  for (int i = 0; i < from->inputs.count; i++)
    if (prune->input[i])
      made[i] = body_input(&rewrite, &shrunk, prune, i, inputs[i]);
  bool *needed = arena_array(arena, bool, from->nodes.count + 1);
  mark_body(prune, needed);
  for (int id = 0; id < from->nodes.count; id++) {
    const Node *node = from->nodes.data[id];
    if (needed[id])
      rewrite.map[id] =
          node->op == OP_input ? made[node->attr->index] : rewrite_copy(&rewrite, node, rewrite_inputs(&rewrite, node));
  }
  for (int i = 0; i < from->outputs.count; i++)
    if (prune->output[i])
      vec_push(arena, &rewrite.to->outputs,
               ((GraphOutput){from->outputs.data[i].name, rewrite.map[from->outputs.data[i].value->id]}));
  shrunk.scan.body = pass_scan(rewrite.to);
  return shrunk;
}

// ---- the graph around it
static bool is_memory(const Node *node) {
  return node->op == OP_input || node->op == OP_slot || (node->op == OP_constant && node->attr->data);
}

static Node *own_memory(Graph *graph, Node *value, bool overwritten) {
  bool leaf = value->input_count == 0 && !is_memory(value);
  return overwritten || leaf ? graph_unary(graph, OP_stop_gradient, value) : value;
}

// The same elements without a copy of them in another shape.
static Node *without_views(Node *sequence) {
  Node *value = sequence;
  while (value->op == OP_reshape && scan_can_read(&value->inputs[0]->type, &sequence->type))
    value = value->inputs[0];
  return value;
}

static Node *rewrite_scan(Rewrite *rewrite, const Node *node, const Prune *prune) {
  Shrunk shrunk = shrink(prune, rewrite_inputs(rewrite, node));
  rewrite_place(rewrite, node);
  int counted = scan_count_input(&shrunk.scan, shrunk.count);
  for (int i = 0; i < shrunk.count; i++) {
    if (scan_is_sequence(&shrunk.scan, i))
      shrunk.inputs[i] = without_views(shrunk.inputs[i]);
    bool constant = i == counted && shrunk.inputs[i]->input_count == 0; // whose place is known to kernels alone
    shrunk.inputs[i] = own_memory(rewrite->to, shrunk.inputs[i], i < shrunk.scan.carried || constant);
  }
  return graph_scan(rewrite->to, &shrunk.scan, shrunk.inputs, shrunk.count);
}

static bool has_scan(const Graph *graph) {
  for (int i = 0; i < graph->nodes.count; i++)
    if (graph->nodes.data[i]->op == OP_scan)
      return true;
  return false;
}

Graph *pass_scan(Graph *graph) {
  if (!has_scan(graph))
    return graph;
  graph = pass_dce(graph); // results are computed if they are there
  Rewrite rewrite = rewrite_begin(graph);
  Prune *prunes = arena_array(graph->arena, Prune, graph->nodes.count + 1);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    if (node->op == OP_scan) {
      prunes[id] = prune_new(graph, node);
      rewrite.map[id] = rewrite_scan(&rewrite, node, &prunes[id]);
    } else if (node->op == OP_scan_result) {
      rewrite_place(&rewrite, node);
      const Prune *prune = &prunes[node->inputs[0]->id];
      Node **result = &prune->result[node->attr->index], *scan = rewrite.map[node->inputs[0]->id];
      *result = *result ? *result : graph_scan_result(rewrite.to, scan, prune->place[node->attr->index]);
      rewrite.map[id] = *result;
    } else {
      rewrite.map[id] = rewrite_copy(&rewrite, node, rewrite_inputs(&rewrite, node));
    }
  }
  return rewrite_end(&rewrite);
}

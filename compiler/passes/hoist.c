// Matrix products that do not depend on what a scan carries leave its body: the product of every step's x with w is one
// product of the whole sequence. Each element is the same chain as before, so no bit changes.
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

// A value of the body outside: for all steps at once (stacked, steps first), or the same for all.
typedef struct Outside {
  Node *node;
  bool stacked;
} Outside;

typedef struct Hoist {
  Rewrite *rewrite; // of the graph around
  const Node *scan;
  const Graph *body;
  bool *early;      // by node of the body: it and all it needs can be had outside
  bool *steps;      // it differs from step to step
  Outside *outside; // by node of the body
} Hoist;

static bool can_be_stacked(Op op) {
  OpClass class = op_info[op].class;
  return class == POINT || op == OP_broadcast || op == OP_reshape || op == OP_transpose || op == OP_slice ||
         op == OP_reduce_sum || op == OP_reduce_max || op == OP_reduce_min || op == OP_matmul;
}

static void find_early(Hoist *hoist) {
  const GraphScan *scan = hoist->scan->attr->scan;
  for (int id = 0; id < hoist->body->nodes.count; id++) {
    const Node *node = hoist->body->nodes.data[id];
    int input = node->op == OP_input ? node->attr->index : -1;
    hoist->steps[id] = scan_is_sequence(scan, input);
    hoist->early[id] = node->op == OP_input
                           ? input >= scan->carried
                           : node->op == OP_constant || (node->input_count && can_be_stacked(node->op));
    hoist->early[id] = hoist->early[id] && node->type.rank < MAX_RANK;
    for (int i = 0; i < node->input_count; i++) {
      hoist->early[id] = hoist->early[id] && hoist->early[node->inputs[i]->id];
      hoist->steps[id] = hoist->steps[id] || hoist->steps[node->inputs[i]->id];
    }
  }
}

// ---- one operation for all steps
static Node *stacked(Hoist *hoist, Outside value, const Type *step) {
  Type shape = scan_stacked_type(step, hoist->scan->attr->scan->length);
  return value.stacked ? value.node : graph_broadcast(hoist->rewrite->to, value.node, &shape);
}

// Missing dimensions are ones behind the steps, so that the rest lines up.
static Node *stack_broadcast(Hoist *hoist, const Node *node, Outside input) {
  Type shape = node->inputs[0]->type;
  int missing = node->type.rank - shape.rank;
  for (int i = shape.rank - 1; i >= 0; i--)
    shape.dim[i + missing] = shape.dim[i];
  for (int i = 0; i < missing; i++)
    shape.dim[i] = 1;
  shape.rank += missing;
  Type from = scan_stacked_type(&shape, hoist->scan->attr->scan->length);
  Type to = scan_stacked_type(&node->type, hoist->scan->attr->scan->length);
  return graph_broadcast(hoist->rewrite->to, graph_reshape(hoist->rewrite->to, input.node, &from), &to);
}

static Attr stacked_attr(const Node *node) {
  Attr attr = *node->attr;
  int rank = node->type.rank;
  if (node->op == OP_transpose) {
    attr.axis_count = rank + 1;
    attr.axis[0] = 0;
    for (int i = 0; i < rank; i++)
      attr.axis[i + 1] = node->attr->axis[i] + 1;
  } else if (op_info[node->op].class == REDUCE) {
    for (int i = 0; i < attr.axis_count; i++)
      attr.axis[i]++;
  } else if (node->op == OP_slice) {
    attr.start[0] = 0, attr.step[0] = 1;
    for (int i = 0; i < rank; i++)
      attr.start[i + 1] = node->attr->start[i], attr.step[i + 1] = node->attr->step[i];
  }
  return attr;
}

static Outside outside(Hoist *hoist, const Node *node);

static Node *stack(Hoist *hoist, const Node *node) {
  Graph *to = hoist->rewrite->to;
  Node *inputs[MAX_RANK] = {0};
  Type wanted = scan_stacked_type(&node->type, hoist->scan->attr->scan->length);
  Attr attr = stacked_attr(node);
  if (node->op == OP_broadcast)
    return stack_broadcast(hoist, node, outside(hoist, node->inputs[0]));
  for (int i = 0; i < node->input_count; i++) {
    Outside input = outside(hoist, node->inputs[i]);
    inputs[i] = node->op == OP_matmul && !input.stacked ? input.node : stacked(hoist, input, &node->inputs[i]->type);
  }
  rewrite_place(hoist->rewrite, node);
  if (node->op == OP_matmul) // the rows of all steps, behind each other
    return graph_matmul(to, inputs[0], inputs[1]);
  return graph_node(to, node->op, node->input_count, inputs, &attr, &wanted);
}

static Outside outside(Hoist *hoist, const Node *node) {
  Outside *known = &hoist->outside[node->id];
  if (known->node)
    return *known;
  known->stacked = hoist->steps[node->id];
  if (node->op == OP_input)
    known->node = hoist->rewrite->map[hoist->scan->inputs[node->attr->index]->id];
  else if (known->stacked)
    known->node = stack(hoist, node);
  else {
    Node **inputs = arena_array(hoist->body->arena, Node *, node->input_count + 1);
    for (int i = 0; i < node->input_count; i++)
      inputs[i] = outside(hoist, node->inputs[i]).node;
    known->node = rewrite_copy(hoist->rewrite, node, inputs);
  }
  return *known;
}

// ---- the body without them
static Node *new_input(Graph *body, const char *name, const Type *type) {
  vec_push(body->arena, &body->inputs, ((GraphInput){name, *type}));
  return graph_node(body, OP_input, 0, NULL, &(Attr){.index = body->inputs.count - 1}, type);
}

static bool is_hoisted(const Hoist *hoist, const Node *node) {
  return node->op == OP_matmul && hoist->early[node->id] && hoist->steps[node->id];
}

static Node *rewrite_scan(Hoist *hoist, int hoisted) {
  const Graph *from = hoist->body;
  const GraphScan *scan = hoist->scan->attr->scan;
  Arena *arena = from->arena;
  Rewrite body = {.from = from,
                  .to = graph_new(arena, from->name, from->batch),
                  .map = arena_array(arena, Node *, from->nodes.count + 1)};
  Node **inputs = arena_array(arena, Node *, from->inputs.count + hoisted),
       **seen = arena_array(arena, Node *, from->inputs.count + 1);
  int count = 0, first_captured = scan->carried + scan->sequences;
  for (int i = 0; i <= from->inputs.count; i++) {
    for (int id = 0; i == first_captured && id < from->nodes.count; id++)
      if (is_hoisted(hoist, from->nodes.data[id])) {
        inputs[count++] = outside(hoist, from->nodes.data[id]).node;
        body.map[id] = new_input(body.to, "product", &from->nodes.data[id]->type);
      }
    if (i == from->inputs.count)
      break;
    inputs[count++] = hoist->rewrite->map[hoist->scan->inputs[i]->id];
    seen[i] = new_input(body.to, from->inputs.data[i].name, &from->inputs.data[i].type);
  }
  for (int id = 0; id < from->nodes.count; id++) {
    const Node *node = from->nodes.data[id];
    if (node->op == OP_input)
      body.map[id] = seen[node->attr->index];
    else if (!body.map[id])
      body.map[id] = rewrite_copy(&body, node, rewrite_inputs(&body, node));
  }
  GraphScan made = *scan;
  made.sequences += hoisted;
  made.body = rewrite_end(&body);
  rewrite_place(hoist->rewrite, hoist->scan);
  return graph_scan(hoist->rewrite->to, &made, inputs, count);
}

static Node *hoist_from(Rewrite *rewrite, const Node *scan) {
  const Graph *body = pass_dce((Graph *)scan->attr->scan->body); // what a gradient has left there may be no step's
  Arena *arena = body->arena;
  Hoist hoist = {.rewrite = rewrite,
                 .scan = scan,
                 .body = body,
                 .early = arena_array(arena, bool, body->nodes.count + 1),
                 .steps = arena_array(arena, bool, body->nodes.count + 1),
                 .outside = arena_array(arena, Outside, body->nodes.count + 1)};
  find_early(&hoist);
  int hoisted = 0;
  for (int id = 0; id < body->nodes.count; id++)
    hoisted += is_hoisted(&hoist, body->nodes.data[id]);
  return hoisted ? rewrite_scan(&hoist, hoisted) : rewrite_copy(rewrite, scan, rewrite_inputs(rewrite, scan));
}

Graph *pass_hoist(Graph *graph) {
  Rewrite rewrite = rewrite_begin(graph);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    rewrite.map[id] =
        node->op == OP_scan ? hoist_from(&rewrite, node) : rewrite_copy(&rewrite, node, rewrite_inputs(&rewrite, node));
  }
  return rewrite_end(&rewrite);
}

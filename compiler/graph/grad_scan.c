// The gradient of a scan: a scan in the other direction, which carries the gradients of what is carried and sums those of
// what every step sees. Its body is the body's own gradient. What that needs of a step is yielded by the forward scan and comes
// back as sequences, unless it is cheap to compute again from what is there anyway. Products that no step waits for leave it
// (scan_products.c).
#include "graph/grad.h"
#include "graph/rules.h"

// Inputs of the reverse scan, each with what stands for it in the body.
typedef struct Inputs {
  VEC(Node *) outside, inside;
} Inputs;

typedef struct Reverse {
  Graph *outer, *body; // the forward body, to which its gradient is appended
  Node *scan;
  const GraphScan *shape;
  bool *active;     // by input of the scan: a gradient is wanted, or needed on the way
  Node **input;     // of the body, by number
  Node **d_carried; // gradients that come from the step after, by number of what is carried
  Node **d_yielded; // by output of the body
  Node **total;     // by input of the body: its gradient
  Graph *made;      // the reverse body
  Node **map;       // by node of `body`: its like in `made`
  bool *forward;    // by node of `body`: it does not depend on a gradient
  Inputs carried, sequences, captured;
} Reverse;

// A gradient that comes into a step: an input that only the reverse body will have.
static Node *placeholder(Graph *body, const Type *type) {
  return graph_node(body, OP_input, 0, NULL, &(Attr){.index = -1}, type);
}

// ---- which inputs take part: what is carried does if its beginning does, or if a step makes it depend on what does
static void find_active(Reverse *reverse, Node *const *wanted) {
  const Graph *body = reverse->body;
  int count = body->inputs.count;
  for (int i = 0; i < count; i++)
    reverse->active[i] = wanted[i] != NULL;
  for (bool changed = true; changed;) {
    changed = false;
    bool *depends = arena_array(body->arena, bool, body->nodes.count + 1);
    for (int id = 0; id < body->nodes.count; id++) {
      const Node *node = body->nodes.data[id];
      bool input = node->op == OP_input && node->attr->index >= 0, passes = input || !op_info[node->op].no_gradient;
      depends[id] = input && reverse->active[node->attr->index];
      for (int k = 0; k < node->input_count; k++)
        depends[id] = depends[id] || depends[node->inputs[k]->id];
      depends[id] = depends[id] && passes && elem_is_real(node->type.elem);
    }
    for (int i = 0; i < reverse->shape->carried; i++)
      if (!reverse->active[i] && depends[body->outputs.data[i].value->id])
        reverse->active[i] = changed = true;
  }
}

static void find_inputs(Reverse *reverse) {
  for (int i = 0; i < reverse->body->nodes.count; i++) {
    Node *node = reverse->body->nodes.data[i];
    if (node->op == OP_input && node->attr->index >= 0)
      reverse->input[node->attr->index] = node;
  }
  for (int i = 0; i < reverse->body->inputs.count; i++)
    if (!reverse->input[i]) { // an input that no step reads
      Attr attr = {.index = i};
      reverse->input[i] = graph_node(reverse->body, OP_input, 0, NULL, &attr, &reverse->body->inputs.data[i].type);
    }
}

// ---- the body's gradient. Sums over steps begin with what later steps have given.
static void differentiate(Reverse *reverse, Node *const *upstream, int outputs) {
  Graph *body = reverse->body;
  const GraphScan *shape = reverse->shape;
  int inputs = body->inputs.count;
  VEC(GradSeed) seeds = {0};
  for (int i = 0; i < inputs; i++)
    if (scan_is_captured(shape, i) && reverse->active[i]) {
      reverse->d_carried[i] = placeholder(body, &reverse->input[i]->type);
      vec_push(body->arena, &seeds, ((GradSeed){reverse->input[i], reverse->d_carried[i]}));
    }
  for (int i = outputs - 1; i >= 0; i--) {
    Node *value = body->outputs.data[i].value;
    bool carried = i < shape->carried && reverse->active[i];
    if (!elem_is_real(value->type.elem) || !(carried || (i >= shape->carried && upstream[i])))
      continue;
    Node *gradient = placeholder(body, &value->type);
    *(carried ? &reverse->d_carried[i] : &reverse->d_yielded[i]) = gradient;
    vec_push(body->arena, &seeds, ((GradSeed){value, gradient}));
  }
  VEC(Node *) wrt = {0};
  for (int i = 0; i < inputs; i++)
    if (reverse->active[i])
      vec_push(body->arena, &wrt, reverse->input[i]);
  Node **totals = arena_array(body->arena, Node *, wrt.count + 1);
  grad_from(body, seeds.count, seeds.data, wrt.count, wrt.data, totals);
  for (int i = 0, k = 0; i < inputs; i++)
    if (reverse->active[i])
      reverse->total[i] = totals[k++];
}

// ---- the reverse body
static void mark_forward(Reverse *reverse) {
  const Graph *body = reverse->body;
  for (int id = 0; id < body->nodes.count; id++) {
    const Node *node = body->nodes.data[id];
    reverse->forward[id] = !(node->op == OP_input && node->attr->index < 0);
    for (int k = 0; k < node->input_count; k++)
      reverse->forward[id] = reverse->forward[id] && reverse->forward[node->inputs[k]->id];
  }
}

static Node *add_input(Reverse *reverse, Inputs *inputs, const Node *value, Node *outside) {
  Arena *arena = reverse->outer->arena;
  Node *inside = graph_node(reverse->made, OP_input, 0, NULL, &(Attr){.index = 0}, &value->type);
  vec_push(arena, &inputs->outside, outside);
  vec_push(arena, &inputs->inside, inside);
  return reverse->map[value->id] = inside;
}

// The forward scan yields the value from now on, and it comes back as a sequence.
static Node *save(Reverse *reverse, Node *value) {
  Graph *body = reverse->body;
  int index = reverse->shape->carried;
  while (index < body->outputs.count && body->outputs.data[index].value != value)
    index++;
  if (index == body->outputs.count)
    vec_push(body->arena, &body->outputs, ((GraphOutput){"saved", value}));
  return add_input(reverse, &reverse->sequences, value, graph_scan_result(reverse->outer, reverse->scan, index));
}

// Is it there without anything new being saved, or cheap to have again from what is?
static bool at_hand(const Reverse *reverse, const Node *node) {
  if (reverse->map[node->id])
    return true;
  if (node->op == OP_input)
    return node->attr->index >= reverse->shape->carried;
  OpClass class = op_info[node->op].class;
  if (class == LEAF)
    return true;
  bool costly = node->op == OP_exp || node->op == OP_log || node->op == OP_tanh || node->op == OP_logistic ||
                node->op == OP_erf || node->op == OP_sin || node->op == OP_cos || node->op == OP_pow ||
                node->op == OP_random || node->op == OP_div || node->op == OP_sqrt;
  if ((class != POINT && class != INDEX) || costly)
    return false;
  for (int i = 0; i < node->input_count; i++)
    if (!at_hand(reverse, node->inputs[i]))
      return false;
  return true;
}

static Node *value_in_reverse(Reverse *reverse, Node *node);

static Node *copy(Reverse *reverse, Node *node) {
  Node **inputs = arena_array(reverse->outer->arena, Node *, node->input_count + 1);
  for (int i = 0; i < node->input_count; i++)
    inputs[i] = value_in_reverse(reverse, node->inputs[i]);
  reverse->made->span = node->span;
  reverse->made->scope = node->scope;
  return reverse->map[node->id] = graph_node_like(reverse->made, node, inputs);
}

static Node *value_in_reverse(Reverse *reverse, Node *node) {
  if (reverse->map[node->id])
    return reverse->map[node->id];
  if (!reverse->forward[node->id])
    return copy(reverse, node);
  if (node->op == OP_input && scan_is_sequence(reverse->shape, node->attr->index))
    return add_input(reverse, &reverse->sequences, node, reverse->scan->inputs[node->attr->index]);
  if (node->op == OP_input && scan_is_captured(reverse->shape, node->attr->index))
    return add_input(reverse, &reverse->captured, node, reverse->scan->inputs[node->attr->index]);
  // What is seen through a view is saved as it is before.
  bool view = node->op == OP_broadcast || node->op == OP_pad || node->op == OP_transpose || node->op == OP_reshape ||
              node->op == OP_reverse;
  return view || at_hand(reverse, node) ? copy(reverse, node) : save(reverse, node);
}

// ---- putting it together
static void add_gradients(Reverse *reverse, Node *const *upstream, Node *const *before, int outputs) {
  const GraphScan *shape = reverse->shape;
  for (int i = 0; i < reverse->body->inputs.count; i++) {
    Node *gradient = reverse->d_carried[i];
    if (!gradient)
      continue;
    Node *known = i < shape->carried ? upstream[i] : before[i];
    // A sum that begins with -0 is what it would be without it, to the bit.
    Node *none = graph_constant(reverse->outer, gradient->type, i < shape->carried ? 0 : -0.0);
    add_input(reverse, &reverse->carried, gradient, known ? known : none);
  }
  for (int i = shape->carried; i < outputs; i++)
    if (reverse->d_yielded[i])
      add_input(reverse, &reverse->sequences, reverse->d_yielded[i], upstream[i]);
}

static void add_outputs(Reverse *reverse) {
  Arena *arena = reverse->outer->arena;
  Graph *made = reverse->made;
  for (int i = 0; i < reverse->body->inputs.count; i++)
    if (reverse->d_carried[i])
      vec_push(arena, &made->outputs, ((GraphOutput){"gradient", value_in_reverse(reverse, reverse->total[i])}));
  for (int i = 0; i < reverse->body->inputs.count; i++)
    if (reverse->active[i] && scan_is_sequence(reverse->shape, i))
      vec_push(arena, &made->outputs, ((GraphOutput){"gradient", value_in_reverse(reverse, reverse->total[i])}));
}

// The results of the scan over the inputs, which are numbered in the order that a scan has them in.
static Node **make_scan(Reverse *reverse) {
  Arena *arena = reverse->outer->arena;
  Inputs *const lists[] = {&reverse->carried, &reverse->sequences, &reverse->captured};
  int count = reverse->carried.inside.count + reverse->sequences.inside.count + reverse->captured.inside.count, at = 0;
  Node **inputs = arena_array(arena, Node *, count + 2);
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < lists[i]->inside.count; k++) {
      Node *inside = lists[i]->inside.data[k];
      inputs[at] = lists[i]->outside.data[k];
      node_set_attr(reverse->made, inside, &(Attr){.index = at++});
      vec_push(arena, &reverse->made->inputs, ((GraphInput){i == 0 ? "gradient" : "x", inside->type}));
    }
  int counted = scan_count_input(reverse->shape, reverse->scan->input_count);
  if (counted >= 0) {
    inputs[at++] = reverse->scan->inputs[counted];
    vec_push(arena, &reverse->made->inputs, reverse->body->inputs.data[counted]);
  }
  GraphScan scan = {.body = reverse->made,
                    .carried = reverse->carried.inside.count,
                    .sequences = reverse->sequences.inside.count,
                    .length = reverse->shape->length,
                    .reverse = !reverse->shape->reverse,
                    .counted = reverse->shape->counted};
  return scan_with_products_behind(reverse->outer, &scan, inputs, at);
}

void grad_through_scan(Graph *graph, Node *scan, Node *const *upstream, Node *const *before, Node **out) {
  Arena *arena = graph->arena;
  const GraphScan *shape = scan->attr->scan;
  int inputs = shape->body->inputs.count, outputs = shape->body->outputs.count;
  Reverse reverse = {.outer = graph,
                     .body = (Graph *)shape->body,
                     .scan = scan,
                     .shape = shape,
                     .active = arena_array(arena, bool, inputs + 1),
                     .input = arena_array(arena, Node *, inputs + 1),
                     .d_carried = arena_array(arena, Node *, inputs + 1),
                     .d_yielded = arena_array(arena, Node *, outputs + 1),
                     .total = arena_array(arena, Node *, inputs + 1),
                     .made = graph_new(arena, arena_printf(arena, "%s_gradient", shape->body->name), graph->batch)};
  find_active(&reverse, out);
  find_inputs(&reverse);
  differentiate(&reverse, upstream, outputs);
  reverse.forward = arena_array(arena, bool, reverse.body->nodes.count + 1);
  reverse.map = arena_array(arena, Node *, reverse.body->nodes.count + 1);
  mark_forward(&reverse);
  add_gradients(&reverse, upstream, before, outputs);
  add_outputs(&reverse);
  Node **result = make_scan(&reverse);
  for (int i = 0; i < inputs; i++) {
    Node *gradient = reverse.d_carried[i] ? *result++ : NULL;
    out[i] = out[i] ? gradient : NULL;
  }
  for (int i = 0; i < inputs; i++)
    if (reverse.active[i] && scan_is_sequence(shape, i))
      out[i] = *result++;
}

// Products that no step of a scan waits for are computed behind it, from what all steps have given: a weight's gradient,
// which the steps would only add to, is one chain over all of them, from the first element on; so is a bias's sum beside it;
// and a product that steps yield, with weights that all see alike, is one product of the whole sequence.
#include "graph/grad.h"
#include "graph/rules.h"

// What replaces, or is added to, an output of the body.
typedef struct Part {
  int output;
  Node *node; // of the body
} Part;

typedef struct Behind {
  Graph *outer, *body;
  const GraphScan *scan;
  Node *const *inputs; // of the scan
  Node *made;
  int *uses; // by node of the body, of those that an output needs
  VEC(Part) parts;
} Behind;

static Node *without_views(Node *node) {
  while (node->op == OP_reshape)
    node = node->inputs[0];
  return node;
}

static bool is_input(const Node *node, int index) {
  return node->op == OP_input && node->attr->index == index;
}

static bool is_sequence(const Behind *behind, const Node *node) {
  return node->op == OP_input && scan_is_sequence(behind->scan, node->attr->index);
}

static void count_uses(Behind *behind) {
  const Graph *body = behind->body;
  behind->uses = arena_array(behind->outer->arena, int, body->nodes.count + 1);
  for (int i = 0; i < body->outputs.count; i++)
    behind->uses[body->outputs.data[i].value->id]++;
  for (int id = body->nodes.count - 1; id >= 0; id--)
    for (int i = 0; i < body->nodes.data[id]->input_count && behind->uses[id]; i++)
      behind->uses[body->nodes.data[id]->inputs[i]->id]++;
}

// ---- what steps have to yield
static int yielded(const Behind *behind, const Node *value) {
  for (int i = behind->scan->carried; i < behind->body->outputs.count; i++)
    if (behind->body->outputs.data[i].value == value)
      return i;
  return -1;
}

static void yield(Behind *behind, Node *node) {
  node = without_views(node);
  if (!is_sequence(behind, node) && yielded(behind, node) < 0)
    vec_push(behind->outer->arena, &behind->body->outputs, ((GraphOutput){"factor", node}));
}

// The values of all steps, as rows behind each other: [steps * rows, cols] of [rows, cols].
static Node *stacked(const Behind *behind, Node *node) {
  Node *value = without_views(node);
  Node *all = is_sequence(behind, value) ? behind->inputs[value->attr->index]
                                         : graph_scan_result(behind->outer, behind->made, yielded(behind, value));
  Type type = scan_stacked_type(&node->type, behind->scan->length);
  return graph_reshape(behind->outer, all, &type);
}

static Node *stacked_rows(const Behind *behind, Node *node) {
  Type type = node->type;
  type.dim[0] *= behind->scan->length;
  return graph_reshape(behind->outer, stacked(behind, node), &type);
}

// ---- which parts leave
static bool is_turned(const Node *node) {
  return node->op == OP_transpose && node->type.rank == 2 && node->attr->axis[0] == 1;
}

static bool is_captured(const Behind *behind, const Node *node) {
  return node->op == OP_input && scan_is_captured(behind->scan, node->attr->index);
}

// All steps' values have one dimension more.
static bool can_stack(Node *node) {
  return node->type.rank < MAX_RANK && without_views(node)->type.rank < MAX_RANK;
}

// The sum over rows of one of the factors, in a gradient.
static bool is_sum_of_factor(const Behind *behind, const Node *part) {
  if (part->op != OP_reduce_sum || !can_stack(part->inputs[0]))
    return false;
  const Node *value = without_views(part->inputs[0]);
  return is_sequence(behind, value) || yielded(behind, value) >= 0;
}

static bool is_outer_product(const Node *part) {
  return part->op == OP_matmul && part->type.rank == 2 && is_turned(part->inputs[0]) &&
         can_stack(part->inputs[0]->inputs[0]) && can_stack(part->inputs[1]);
}

static bool is_product_with_weights(const Behind *behind, const Node *part) {
  if (part->op != OP_matmul || part->type.rank != 2 || !can_stack(part->inputs[0]))
    return false;
  const Node *weights = is_turned(part->inputs[1]) ? part->inputs[1]->inputs[0] : part->inputs[1];
  return is_captured(behind, weights);
}

// A sum that steps add to: `total` without the parts that leave, or NULL if it is no such sum.
static Node *without_parts(Behind *behind, int output, Node *total, bool products) {
  if (total->op == OP_input)
    return is_input(total, output) && behind->uses[total->id] == 1 ? total : NULL;
  if (total->op != OP_add || behind->uses[total->id] != 1)
    return NULL;
  Node *part = without_views(total->inputs[1]), *rest = without_parts(behind, output, total->inputs[0], products);
  if (!rest)
    return NULL;
  if (products ? is_outer_product(part) : is_sum_of_factor(behind, part)) {
    vec_push(behind->outer->arena, &behind->parts, ((Part){output, part}));
    return rest;
  }
  return rest == total->inputs[0] ? total : graph_binary(behind->body, OP_add, rest, total->inputs[1]);
}

static void take_from_sums(Behind *behind, bool products) {
  count_uses(behind);
  for (int i = 0; i < behind->scan->carried; i++) {
    Node **total = &behind->body->outputs.data[i].value, *rest = without_parts(behind, i, *total, products);
    *total = rest ? rest : *total;
  }
}

static void take_yields(Behind *behind) {
  int outputs = behind->body->outputs.count;
  for (int i = behind->scan->carried; i < outputs; i++) {
    Node *part = without_views(behind->body->outputs.data[i].value);
    if (is_product_with_weights(behind, part) && behind->uses[part->id] == 1)
      vec_push(behind->outer->arena, &behind->parts, ((Part){i, part}));
  }
}

static void yield_factors(Behind *behind) {
  for (int i = 0; i < behind->parts.count; i++) {
    Node *part = behind->parts.data[i].node;
    if (part->op == OP_matmul && is_outer_product(part))
      yield(behind, part->inputs[1]);
    if (part->op == OP_matmul)
      yield(behind, is_outer_product(part) ? part->inputs[0]->inputs[0] : part->inputs[0]);
  }
}

// ---- the same behind the scan
static Node *turned(Graph *graph, Node *x) {
  return graph_transpose(graph, x, (int[]){1, 0});
}

static Node *product_with_weights(const Behind *behind, const Part *part) {
  Node *weights = part->node->inputs[1];
  bool turn = is_turned(weights);
  Node *outside = behind->inputs[(turn ? weights->inputs[0] : weights)->attr->index];
  Node *rows = stacked_rows(behind, part->node->inputs[0]);
  return graph_matmul(behind->outer, rows, turn ? turned(behind->outer, outside) : outside);
}

static Node *sum_of_all(const Behind *behind, Node *part) {
  int axes[MAX_RANK] = {0};
  for (int i = 0; i < part->attr->axis_count; i++)
    axes[i + 1] = part->attr->axis[i] + 1;
  return graph_reduce(behind->outer, OP_reduce_sum, stacked(behind, part->inputs[0]), part->attr->axis_count + 1, axes,
                      false);
}

static Node *outer_product(const Behind *behind, const Node *part) {
  Node *left = stacked_rows(behind, part->inputs[0]->inputs[0]), *right = stacked_rows(behind, part->inputs[1]);
  return graph_matmul(behind->outer, turned(behind->outer, left), right);
}

static void add_part(const Behind *behind, const Part *part, Node **result) {
  Graph *outer = behind->outer;
  const Type *step = &behind->body->outputs.data[part->output].value->type;
  outer->span = part->node->span;
  outer->scope = part->node->scope;
  if (part->output >= behind->scan->carried) {
    Type type = scan_stacked_type(step, behind->scan->length);
    *result = graph_reshape(outer, product_with_weights(behind, part), &type);
    return;
  }
  Node *sum = part->node->op == OP_matmul ? outer_product(behind, part->node) : sum_of_all(behind, part->node);
  *result = graph_binary(outer, OP_add, *result, graph_reshape(outer, sum, step));
}

Node **scan_with_products_behind(Graph *outer, const GraphScan *scan, Node *const *inputs, int count) {
  Graph *body = (Graph *)scan->body;
  int outputs = body->outputs.count;
  Behind behind = {.outer = outer, .body = body, .scan = scan, .inputs = inputs};
  if (!scan->counted) { // one that may end early saves more by that
    take_from_sums(&behind, true);
    take_yields(&behind);
    yield_factors(&behind);
    take_from_sums(&behind, false);
  }
  behind.made = graph_scan(outer, scan, inputs, count);
  Node **results = arena_array(outer->arena, Node *, outputs + 1);
  for (int i = 0; i < outputs; i++) {
    bool begins = i < scan->carried && is_input(body->outputs.data[i].value, i); // nothing is left of what steps added
    results[i] = begins ? inputs[i] : graph_scan_result(outer, behind.made, i);
  }
  Span span = outer->span;
  const char *scope = outer->scope;
  for (int i = 0; i < behind.parts.count; i++)
    add_part(&behind, &behind.parts.data[i], &results[behind.parts.data[i].output]);
  outer->span = span;
  outer->scope = scope;
  return results;
}

// Recurrence: a scan runs its body once for each element of its sequences. The scan itself has no value; its results are
// nodes of their own. Its gradient, a scan in the other direction, is in grad_scan.c.
#include "graph/rules.h"

Type scan_step_type(const Type *stacked) {
  Type type = *stacked;
  type.rank--;
  for (int i = 0; i < type.rank; i++)
    type.dim[i] = stacked->dim[i + 1];
  return type;
}

Type scan_stacked_type(const Type *step, int64_t length) {
  Type type = *step;
  type.rank++;
  type.dim[0] = length;
  for (int i = 0; i < step->rank && i + 1 < MAX_RANK; i++)
    type.dim[i + 1] = step->dim[i];
  return type;
}

bool scan_can_read(const Type *stacked, const Type *wanted) {
  Product have = rule_product(stacked->rank, stacked->dim), want = rule_product(wanted->rank, wanted->dim);
  return stacked->elem == wanted->elem && have.size == want.size && !have.batches && !want.batches;
}

const char *shape_scan(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                       Type *result) {
  (void)wanted;
  const GraphScan *scan = attr->scan;
  const Graph *body = scan->body;
  *result = type_scalar(F32);
  if (input_count != body->inputs.count || body->outputs.count < scan->carried)
    return "a scan does not fit its body";
  for (int i = 0; i < input_count; i++) {
    bool sequence = scan_is_sequence(scan, i);
    const Type *own = &inputs[i]->type;
    Type whole = scan_stacked_type(&body->inputs.data[i].type, scan->length);
    if (sequence && whole.rank <= MAX_RANK && scan_can_read(own, &whole))
      continue;
    Type seen = sequence && own->rank > 0 ? scan_step_type(own) : *own;
    if (sequence && (own->rank == 0 || own->dim[0] != scan->length))
      return arena_printf(arena, "a sequence %s is not %lld long", type_text(arena, own), (long long)scan->length);
    if (!type_equal(&seen, &body->inputs.data[i].type))
      return arena_printf(arena, "%s is %s in the body", type_text(arena, &seen),
                          type_text(arena, &body->inputs.data[i].type));
  }
  Type count = type_scalar(I64);
  if (scan->counted &&
      (input_count <= scan->carried + scan->sequences || !type_equal(&inputs[input_count - 1]->type, &count)))
    return "a counted scan has no count";
  for (int i = 0; i < scan->carried; i++)
    if (!type_equal(&inputs[i]->type, &body->outputs.data[i].value->type))
      return arena_printf(arena, "what is carried is %s at first and %s after a step",
                          type_text(arena, &inputs[i]->type), type_text(arena, &body->outputs.data[i].value->type));
  return NULL;
}

const char *shape_scan_result(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                              Type *result) {
  (void)wanted, (void)input_count;
  if (inputs[0]->op != OP_scan || attr->index >= inputs[0]->attr->scan->body->outputs.count)
    return "not a result of a scan";
  const GraphScan *scan = inputs[0]->attr->scan;
  const Type *step = &scan->body->outputs.data[attr->index].value->type;
  if (attr->index >= scan->carried && step->rank == MAX_RANK)
    return arena_printf(arena, "stacked, %s has more than %d dimensions", type_text(arena, step), (int)MAX_RANK);
  *result = attr->index < scan->carried ? *step : scan_stacked_type(step, scan->length);
  return NULL;
}

GRAD_NONE(scan)
GRAD_NONE(scan_result)
LOWER_ROOT(scan)
LOWER_ROOT(scan_result)

Node *graph_scan(Graph *graph, const GraphScan *scan, Node *const *inputs, int count) {
  Attr attr = {.scan = arena_copy(graph->arena, scan, sizeof *scan)};
  return graph_node(graph, OP_scan, count, inputs, &attr, NULL);
}

Node *graph_scan_result(Graph *graph, Node *scan, int index) {
  return graph_node(graph, OP_scan_result, 1, &scan, &(Attr){.index = index}, NULL);
}

Node *graph_scan_count(Graph *graph, Node *lengths, int64_t length) {
  Type scalar = type_scalar(I64);
  int axes[MAX_RANK];
  for (int i = 0; i < lengths->type.rank; i++)
    axes[i] = i;
  Node *count =
      lengths->type.rank ? graph_reduce(graph, OP_reduce_max, lengths, lengths->type.rank, axes, false) : lengths;
  Node *most = graph_constant(graph, scalar, (double)length), *two = graph_constant(graph, scalar, 2);
  count = graph_binary(graph, OP_max, count, graph_constant(graph, scalar, 0));
  Node *left = graph_binary(graph, OP_sub, most, graph_binary(graph, OP_min, count, most));
  return graph_binary(graph, OP_sub, most, graph_binary(graph, OP_mul, graph_binary(graph, OP_div, left, two), two));
}

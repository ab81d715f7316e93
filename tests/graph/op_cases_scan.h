// Scans, for op_cases.c: h := tanh(h * w + x) and what it gives in each step; and h := sin(h + x) as far as the longest of lengths.
static const Graph *scan_body(Graph *g, Node **in) {
  Graph *body = graph_new(g->arena, "body", g->batch);
  Type step = scan_step_type(&in[1]->type);
  Node *h = graph_input(body, "h", in[0]->type), *x = graph_input(body, "x", step);
  Node *w = graph_input(body, "w", in[2]->type);
  Node *next = graph_unary(body, OP_tanh, graph_binary(body, OP_add, graph_matmul(body, h, w), x));
  vec_push(g->arena, &body->outputs, ((GraphOutput){"h", next}));
  vec_push(g->arena, &body->outputs, ((GraphOutput){"y", graph_binary(body, OP_mul, next, x)}));
  return body;
}

static Node *scan_of(Graph *g, Node **in, bool reverse) {
  GraphScan scan = {.body = scan_body(g, in), .carried = 1, .sequences = 1, .length = 4, .reverse = reverse};
  return graph_scan(g, &scan, in, 3);
}

static Node *build_scan_last(Graph *g, Node **in) {
  return graph_scan_result(g, scan_of(g, in, false), 0);
}

static Node *build_scan_steps(Graph *g, Node **in) {
  return graph_scan_result(g, scan_of(g, in, true), 1);
}

static Node *build_scan_both(Graph *g, Node **in) {
  Node *scan = scan_of(g, in, false);
  Node *last = graph_scan_result(g, scan, 0), *steps = graph_scan_result(g, scan, 1);
  return graph_binary(g, OP_mul, steps, graph_broadcast(g, last, &steps->type));
}

static Node *counted_scan(Graph *g, Node **in, bool reverse) {
  int64_t length = in[1]->type.dim[0];
  Type step = scan_step_type(&in[1]->type);
  Graph *body = graph_new(g->arena, "body", g->batch);
  Node *h = graph_input(body, "h", in[0]->type), *x = graph_input(body, "x", step);
  Node *next = graph_unary(body, OP_sin, graph_binary(body, OP_add, h, x));
  graph_input(body, "count", type_scalar(I64));
  vec_push(g->arena, &body->outputs, ((GraphOutput){"h", next}));
  vec_push(g->arena, &body->outputs, ((GraphOutput){"y", graph_binary(body, OP_mul, next, x)}));
  GraphScan scan = {.body = body, .carried = 1, .sequences = 1, .length = length, .reverse = reverse, .counted = true};
  return graph_scan(g, &scan, (Node *[]){in[0], in[1], graph_scan_count(g, in[2], length)}, 3);
}

static Node *build_scan_counted(Graph *g, Node **in) {
  Node *scan = counted_scan(g, in, false), *steps = graph_scan_result(g, scan, 1);
  Node *last = graph_scan_result(g, scan, 0);
  return graph_binary(g, OP_mul, graph_binary(g, OP_add, steps, in[1]), graph_broadcast(g, last, &steps->type));
}

static Node *build_scan_counted_from_end(Graph *g, Node **in) {
  Node *scan = counted_scan(g, in, true), *steps = graph_scan_result(g, scan, 1);
  return graph_binary(g, OP_add, steps, graph_broadcast(g, graph_scan_result(g, scan, 0), &steps->type));
}

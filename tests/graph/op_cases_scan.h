// Scans, for op_cases.c: h := tanh(h * w + x), and a sum of what it gives in every second step from the end.
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

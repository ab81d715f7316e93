// Builders of op_cases.c for attention: with and without causality, masks and leading dimensions that broadcast.
static Node *visible(Graph *g, Dim queries, Dim keys, bool none) {
  Type places = {.elem = I64, .rank = 2, .dim = {queries, keys}};
  Node *query = graph_iota(g, places, 0), *key = graph_iota(g, places, 1);
  Node *sum = graph_binary(g, OP_add, graph_binary(g, OP_mul, query, graph_constant(g, places, 3)), key);
  Node *odd =
      graph_binary(g, OP_ne, graph_binary(g, OP_mod, sum, graph_constant(g, places, 4)), graph_constant(g, places, 1));
  return none ? graph_binary(g, OP_and, odd, graph_binary(g, OP_ne, query, graph_constant(g, places, 1))) : odd;
}
static Node *build_attention(Graph *g, Node **in) {
  return graph_attention(g, in[0], in[1], in[2], NULL, false, 0.5);
}
static Node *build_attention_causal(Graph *g, Node **in) {
  return graph_attention(g, in[0], in[1], in[2], NULL, true, 0.5);
}
static Node *build_attention_masked(Graph *g, Node **in) {
  Dim queries = in[0]->type.dim[in[0]->type.rank - 2], keys = in[1]->type.dim[in[1]->type.rank - 2];
  return graph_attention(g, in[0], in[1], in[2], visible(g, queries, keys, true), false, 0.7);
}
static Node *build_attention_both(Graph *g, Node **in) {
  Dim queries = in[0]->type.dim[in[0]->type.rank - 2], keys = in[1]->type.dim[in[1]->type.rank - 2];
  return graph_attention(g, in[0], in[1], in[2], visible(g, queries, keys, false), true, 0.7);
}
static Node *build_attention_lse(Graph *g, Node **in) {
  Node *inputs[] = {in[0], in[1], in[2], graph_constant(g, type_scalar(BOOL), 1)};
  return graph_node(g, OP_attention_lse, 4, inputs, &(Attr){.real = 0.5, .integer = 1}, NULL);
}
// q's place is taken by the slope of the values, of the same type.
static Node *attention_slope(Graph *g, Op op, Node **in) {
  Node *inputs[7] = {in[0], in[1], in[2], graph_constant(g, type_scalar(BOOL), 1), in[0]};
  Attr attr = {.real = 0.5, .integer = 1};
  inputs[5] = graph_node(g, OP_attention_lse, 4, inputs, &attr, NULL);
  inputs[6] = graph_unary(g, OP_sin, inputs[5]);
  return graph_node(g, op, 7, inputs, &attr, NULL);
}
static Node *build_attention_dq(Graph *g, Node **in) {
  return attention_slope(g, OP_attention_dq, in);
}
static Node *build_attention_dk(Graph *g, Node **in) {
  return attention_slope(g, OP_attention_dk, in);
}
static Node *build_attention_dv(Graph *g, Node **in) {
  return attention_slope(g, OP_attention_dv, in);
}

// Each step asks the same keys: h := tanh(attention of h + x).
static Node *build_attention_scan(Graph *g, Node **in) {
  Graph *body = graph_new(g->arena, "body", g->batch);
  Node *h = graph_input(body, "h", in[0]->type), *x = graph_input(body, "x", scan_step_type(&in[1]->type));
  Node *k = graph_input(body, "k", in[2]->type), *query = graph_reshape(body, h, &SHAPE(N, 1, 3));
  Node *o = graph_reshape(body, graph_attention(body, query, k, k, NULL, false, 0.6), &h->type);
  Node *next = graph_unary(body, OP_tanh, graph_binary(body, OP_add, o, x));
  vec_push(g->arena, &body->outputs, ((GraphOutput){"h", next}));
  GraphScan scan = {.body = body, .carried = 1, .sequences = 1, .length = 4};
  return graph_scan_result(g, graph_scan(g, &scan, in, 3), 0);
}

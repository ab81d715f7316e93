// Builders of op_cases.c for windows and convolutions. A window is {size, stride, dilation, before, spread}.
#define WINDOWS(...)                                                                                                   \
  &(Attr) {                                                                                                            \
    .space = sizeof((Window[]){__VA_ARGS__}) / sizeof(Window), .window = {__VA_ARGS__}, .real = 0.5, .groups = 1       \
  }
#define MOVED(name, op, shape, ...)                                                                                    \
  static Node *build_##name(Graph *g, Node **in) {                                                                     \
    return graph_node(g, OP_##op, 1, in, WINDOWS(__VA_ARGS__), &shape);                                                \
  }

MOVED(window, window, SHAPE(N, 3, 3, 2), {3, 2, 1, 1, 1})
MOVED(window_gaps, window, SHAPE(N, 5, 2, 2, 3, 1), {2, 1, 2, 1, 1}, {3, 2, 1, 1, 1})
MOVED(window_volume, window, SHAPE(2, 2, 3, 1, 2, 2, 2, 1), {2, 1, 1, 0, 1}, {2, 1, 1, 1, 1}, {2, 2, 1, 0, 1})
MOVED(window_spread, window, SHAPE(N, 6, 3, 2), {3, 1, 1, 2, 2})
MOVED(slide, slide, SHAPE(N, 5, 3, 2), {3, 2, 1, 1, 1})
MOVED(slide_gaps, slide, SHAPE(N, 5, 4, 2, 3, 1), {2, 1, 2, 1, 1}, {3, 2, 1, 1, 1})
MOVED(slide_spread, slide, SHAPE(N, 3, 3, 2), {3, 1, 1, 2, 2})
MOVED(slide_back, slide, SHAPE(N, 4, 3, 2), {3, 1, -1, -1, 2})
MOVED(slide_volume, slide, SHAPE(1, 3, 2, 3, 2, 1, 2, 1), {2, 1, -1, 0, 1}, {1, 1, 1, 0, 1}, {2, 2, 1, 0, 1})

static Node *convolved(Graph *g, Node **in, Attr *attr, int64_t groups, Type shape) {
  attr->groups = groups;
  attr->real = 0;
  return graph_node(g, OP_conv, 2, in, attr, &shape);
}
static Node *weighed(Graph *g, Node **in, Attr *attr, int64_t groups) {
  attr->groups = groups;
  attr->real = 0;
  return graph_node(g, OP_conv_weight, 2, in, attr, NULL);
}
static Node *build_conv_line(Graph *g, Node **in) {
  return convolved(g, in, WINDOWS({3, 2, 1, 1, 1}), 1, SHAPE(N, 3, 2));
}
static Node *build_conv_plane(Graph *g, Node **in) {
  return convolved(g, in, WINDOWS({2, 1, 1, 0, 1}, {3, 1, 2, 2, 1}), 1, SHAPE(N, 2, 4, 3));
}
static Node *build_conv_groups(Graph *g, Node **in) {
  return convolved(g, in, WINDOWS({2, 2, 1, 1, 1}, {2, 1, 1, 0, 1}), 2, SHAPE(N, 2, 2, 4));
}
static Node *build_conv_volume(Graph *g, Node **in) {
  return convolved(g, in, WINDOWS({2, 1, 1, 0, 1}, {1, 1, 1, 0, 1}, {2, 2, 1, 1, 1}), 1, SHAPE(N, 1, 2, 2, 2));
}
static Node *build_conv_spread(Graph *g, Node **in) {
  return convolved(g, in, WINDOWS({3, 1, 1, 1, 2}, {2, 1, 1, 1, 2}), 1, SHAPE(N, 5, 4, 1));
}
static Node *build_conv_leads(Graph *g, Node **in) {
  return convolved(g, in, WINDOWS({2, 1, 1, 0, 1}), 1, SHAPE(N, 2, 2, 2));
}
static Node *build_conv_weight_line(Graph *g, Node **in) {
  return weighed(g, in, WINDOWS({3, 2, 1, 1, 1}), 1);
}
static Node *build_conv_weight_plane(Graph *g, Node **in) {
  return weighed(g, in, WINDOWS({2, 1, 1, 0, 1}, {3, 1, 2, 2, 1}), 1);
}
static Node *build_conv_weight_groups(Graph *g, Node **in) {
  return weighed(g, in, WINDOWS({2, 2, 1, 1, 1}, {2, 1, 1, 0, 1}), 2);
}
static Node *build_conv_weight_volume(Graph *g, Node **in) {
  return weighed(g, in, WINDOWS({2, 1, 1, 0, 1}, {1, 1, 1, 0, 1}, {2, 2, 1, 1, 1}), 1);
}
static Node *build_conv_weight_spread(Graph *g, Node **in) {
  return weighed(g, in, WINDOWS({3, 1, 1, 1, 2}), 1);
}

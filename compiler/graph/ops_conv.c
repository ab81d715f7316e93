// Convolution (cross-correlation) over channels last, in 1 to 3 dimensions, with groups. The three products of its family,
// outputs from inputs and weights, inputs' gradient, weights' gradient, are closed under differentiation: the second is a
// convolution again, with the weights turned round and stride and spread changing places.
#include "graph/rules.h"

static const char *real_pair(Arena *arena, const char *what, const Type *a, const Type *b) {
  if (elem_is_real(a->elem) && a->elem == b->elem)
    return NULL;
  return arena_printf(arena, "`%s` needs two tensors of f32 or of f64, not %s and %s", what, elem_name(a->elem),
                      elem_name(b->elem));
}

static const char *check_groups(Arena *arena, const Attr *attr, Dim channels, Dim outputs) {
  if (attr->groups > 0 && channels > 0 && outputs > 0 && channels % attr->groups == 0 && outputs % attr->groups == 0)
    return NULL;
  return arena_printf(arena, "`conv`: %s channels to %s cannot be split into %lld groups",
                      rule_dim_text(arena, channels), rule_dim_text(arena, outputs), (long long)attr->groups);
}

const char *shape_conv(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                       Type *result) {
  (void)input_count;
  const Type *x = &inputs[0]->type, *w = &inputs[1]->type;
  int space = attr->space, lead = x->rank - space - 1;
  const char *wrong = rule_windows(arena, "conv", attr);
  if (!wrong)
    wrong = real_pair(arena, "conv", x, w);
  if (wrong)
    return wrong;
  if (lead < 0 || w->rank != space + 2 || !wanted || wanted->rank != x->rank)
    return arena_printf(
        arena, "`conv` over %d dimensions of space multiplies [.., space.., c] by [taps.., c, o], not %s by %s", space,
        type_text(arena, x), type_text(arena, w));
  Dim channels = x->dim[x->rank - 1], outputs = w->dim[w->rank - 1];
  wrong = check_groups(arena, attr, channels, outputs);
  if (wrong)
    return wrong;
  if (w->dim[space] * attr->groups != channels)
    return arena_printf(arena, "`conv`: %s has %s channels, weights %s are for %lld", type_text(arena, x),
                        rule_dim_text(arena, channels), type_text(arena, w), (long long)(w->dim[space] * attr->groups));
  *result = *wanted;
  result->elem = x->elem;
  bool good = wanted->dim[x->rank - 1] == outputs;
  for (int i = 0; i < lead; i++)
    good = good && wanted->dim[i] == x->dim[i];
  for (int i = 0; i < space; i++)
    good = good && w->dim[i] == attr->window[i].size && x->dim[lead + i] > 0 && wanted->dim[lead + i] > 0;
  return good ? NULL
              : arena_printf(arena, "`conv` of %s and %s does not give %s", type_text(arena, x), type_text(arena, w),
                             type_text(arena, wanted));
}

const char *shape_conv_weight(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                              Type *result) {
  (void)input_count, (void)wanted;
  const Type *x = &inputs[0]->type, *y = &inputs[1]->type;
  int space = attr->space, lead = x->rank - space - 1;
  const char *wrong = rule_windows(arena, "conv_weight", attr);
  if (!wrong)
    wrong = real_pair(arena, "conv_weight", x, y);
  if (wrong)
    return wrong;
  bool good = lead >= 0 && y->rank == x->rank;
  for (int i = 0; good && i < lead; i++)
    good = x->dim[i] == y->dim[i];
  for (int i = 0; good && i < space; i++)
    good = x->dim[lead + i] > 0 && y->dim[lead + i] > 0;
  if (!good)
    return arena_printf(arena, "`conv_weight` needs inputs and outputs of one convolution, not %s and %s",
                        type_text(arena, x), type_text(arena, y));
  Dim channels = x->dim[x->rank - 1], outputs = y->dim[y->rank - 1];
  wrong = check_groups(arena, attr, channels, outputs);
  if (wrong)
    return wrong;
  *result = (Type){.elem = x->elem, .rank = space + 2};
  for (int i = 0; i < space; i++)
    result->dim[i] = attr->window[i].size;
  result->dim[space] = channels / attr->groups;
  result->dim[space + 1] = outputs;
  return NULL;
}

// [taps.., c / groups, o] to [taps.., o / groups, c], taps in reverse.
static Node *turned(Graph *graph, Node *w, int64_t groups) {
  int space = w->type.rank - 2, permutation[MAX_RANK];
  Attr back = {.axis_count = space};
  for (int i = 0; i < space; i++)
    back.axis[i] = permutation[i] = i;
  w = graph_node(graph, OP_reverse, 1, &w, &back, NULL);
  Dim in = w->type.dim[space], out = w->type.dim[space + 1];
  Type split = w->type, merged = w->type;
  split.rank++;
  split.dim[space + 1] = groups;
  split.dim[space + 2] = out / groups;
  permutation[space] = space + 2;
  permutation[space + 1] = space + 1;
  permutation[space + 2] = space;
  merged.dim[space] = out / groups;
  merged.dim[space + 1] = in * groups;
  return graph_reshape(graph, graph_transpose(graph, graph_reshape(graph, w, &split), permutation), &merged);
}

// dL/dx of y = conv(x, w), where dL/dy is `upstream`.
static Node *back_to_input(Graph *graph, Node *upstream, Node *w, const Attr *attr, const Type *shape) {
  Attr back = *attr;
  for (int i = 0; i < attr->space; i++) {
    const Window *v = &attr->window[i];
    back.window[i] = (Window){v->size, v->spread, v->dilation, (v->size - 1) * v->dilation - v->before, v->stride};
  }
  return graph_conv(graph, upstream, turned(graph, w, attr->groups), &back, shape);
}

static Node *back_to_weight(Graph *graph, Node *x, Node *upstream, const Attr *attr) {
  return graph_node(graph, OP_conv_weight, 2, (Node *[]){x, upstream}, attr, NULL);
}

void grad_conv(Graph *graph, Node *node, Node *upstream, Node **out) {
  Node *x = node->inputs[0], *w = node->inputs[1];
  if (out[0])
    out[0] = back_to_input(graph, upstream, w, node->attr, &x->type);
  if (out[1])
    out[1] = back_to_weight(graph, x, upstream, node->attr);
}

void grad_conv_weight(Graph *graph, Node *node, Node *upstream, Node **out) {
  Node *x = node->inputs[0], *y = node->inputs[1];
  if (out[0])
    out[0] = back_to_input(graph, y, upstream, node->attr, &x->type);
  if (out[1])
    out[1] = graph_conv(graph, x, upstream, node->attr, &y->type);
}

LOWER_ROOT(conv)
LOWER_ROOT(conv_weight)

// ---- building
// Every channel alone: no product to share work in, so a sum over a window.
static Node *depthwise(Graph *graph, Node *x, Node *w, const Attr *attr, const Type *shape) {
  int space = attr->space, lead = x->type.rank - space - 1, taps[MAX_SPACE];
  Type windows = {.elem = x->type.elem, .rank = x->type.rank + space}, plane = w->type;
  for (int i = 0; i < lead + space; i++)
    windows.dim[i] = shape->dim[i];
  for (int i = 0; i < space; i++) {
    windows.dim[lead + space + i] = attr->window[i].size;
    taps[i] = lead + space + i;
  }
  windows.dim[windows.rank - 1] = x->type.dim[x->type.rank - 1];
  plane.rank--;
  plane.dim[space] = w->type.dim[space + 1];
  Attr view = *attr;
  view.groups = 0;
  Node *seen = graph_node(graph, OP_window, 1, &x, &view, &windows);
  Node *products = graph_binary(graph, OP_mul, seen, graph_reshape(graph, w, &plane));
  return graph_reduce(graph, OP_reduce_sum, products, space, taps, false);
}

Node *graph_conv(Graph *graph, Node *x, Node *w, const Attr *attr, const Type *shape) {
  Node *pair[] = {x, w};
  Type type;
  bool good = !graph_check(graph->arena, OP_conv, 2, pair, attr, shape, &type);
  Dim in = w->type.dim[attr->space], out = w->type.dim[attr->space + 1];
  if (good && in == 1 && attr->groups == out && attr->groups > 1)
    return depthwise(graph, x, w, attr, shape);
  return graph_node(graph, OP_conv, 2, pair, attr, shape);
}

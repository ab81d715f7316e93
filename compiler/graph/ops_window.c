// Windows: `window` lays each output's taps side by side, `slide` asks of each place what the outputs over it have at its
// tap. Each is a view that is never stored by itself; a window summed over its taps is a pooling, and the sum of a slide
// over its taps is that pooling's gradient. Shapes: [.., space.., c], [.., outputs.., taps.., c], [.., space.., taps.., c].
#include "graph/rules.h"

const char *rule_windows(Arena *arena, const char *what, const Attr *attr) {
  enum { MOST = 1 << 24 };
  if (attr->space < 1 || attr->space > MAX_SPACE)
    return arena_printf(arena, "`%s` has 1 to %d dimensions of space, not %d", what, MAX_SPACE, attr->space);
  for (int i = 0; i < attr->space; i++) {
    const Window *w = &attr->window[i];
    if (w->size < 1 || w->stride < 1 || w->dilation == 0 || w->spread < 1 || w->size > MOST || w->stride > MOST ||
        w->spread > MOST || w->dilation > MOST || w->dilation < -MOST || w->before > MOST || w->before < -MOST)
      return arena_printf(arena, "`%s`: window %d has sizes out of range", what, i);
  }
  return NULL;
}

static const char *out_of_place(Arena *arena, const char *what, const Type *from, const Type *wanted) {
  return arena_printf(arena, "`%s` does not lead from %s to %s", what, type_text(arena, from),
                      wanted ? type_text(arena, wanted) : "a shape");
}

const char *shape_window(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                         Type *result) {
  (void)input_count;
  const Type *from = &inputs[0]->type;
  const char *wrong = rule_windows(arena, "window", attr);
  int space = attr->space, lead = from->rank - space - 1;
  if (wrong)
    return wrong;
  if (lead < 0 || !wanted || wanted->rank != from->rank + space)
    return out_of_place(arena, "window", from, wanted);
  *result = *wanted;
  result->elem = from->elem;
  bool good = wanted->dim[wanted->rank - 1] == from->dim[from->rank - 1];
  for (int i = 0; i < lead; i++)
    good = good && wanted->dim[i] == from->dim[i];
  for (int i = 0; i < space; i++)
    good = good && from->dim[lead + i] > 0 && wanted->dim[lead + i] >= 0 &&
           wanted->dim[lead + space + i] == attr->window[i].size;
  return good ? NULL : out_of_place(arena, "window", from, wanted);
}

const char *shape_slide(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                        Type *result) {
  (void)input_count;
  const Type *from = &inputs[0]->type;
  const char *wrong = rule_windows(arena, "slide", attr);
  int space = attr->space, lead = from->rank - 2 * space - 1;
  if (wrong)
    return wrong;
  if (lead < 0 || !wanted || wanted->rank != from->rank)
    return out_of_place(arena, "slide", from, wanted);
  *result = *wanted;
  result->elem = from->elem;
  bool good = true;
  for (int i = 0; i < from->rank; i++)
    good = good &&
           (i >= lead && i < lead + space ? from->dim[i] > 0 && wanted->dim[i] >= 0 : from->dim[i] == wanted->dim[i]);
  return good ? NULL : out_of_place(arena, "slide", from, wanted);
}

// Outputs, by way of the taps that see it.
void grad_window(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (!out[0])
    return;
  const Type *from = &node->inputs[0]->type;
  int space = node->attr->space, lead = from->rank - space - 1, taps[MAX_SPACE];
  Type shape = upstream->type;
  for (int i = 0; i < space; i++) {
    shape.dim[lead + i] = from->dim[lead + i];
    taps[i] = lead + space + i;
  }
  Node *slid = graph_node(graph, OP_slide, 1, &upstream, node->attr, &shape);
  out[0] = graph_reduce(graph, OP_reduce_sum, slid, space, taps, false);
}

// The way back is a slide too: places and outputs change roles.
void grad_slide(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (!out[0])
    return;
  Attr attr = *node->attr;
  for (int i = 0; i < attr.space; i++) {
    const Window *w = &node->attr->window[i];
    attr.window[i] = (Window){w->size, w->spread, -w->dilation, -w->before, w->stride};
  }
  out[0] = graph_node(graph, OP_slide, 1, &upstream, &attr, &node->inputs[0]->type);
}

// ---- lowering
static LExpr *whole(Lower *lower, int64_t value) {
  return lx_i64(lower_arena(lower), value);
}

static LExpr *binary(Lower *lower, LOp op, LExpr *a, LExpr *b) {
  return lx_binary(lower_arena(lower), op, a, b);
}

// a * scale + b * tap + shift, where a < a_size and b < b_size; its least and largest values.
typedef struct Affine {
  LExpr *value;
  int64_t least, most;
} Affine;

static Affine affine(Lower *lower, LExpr *a, int64_t a_size, int64_t scale, LExpr *b, int64_t b_size, int64_t tap,
                     int64_t shift) {
  LExpr *sum =
      binary(lower, LX_ADD, binary(lower, LX_MUL, a, whole(lower, scale)), binary(lower, LX_MUL, b, whole(lower, tap)));
  int64_t reach = (b_size - 1) * tap, far = (a_size - 1) * scale;
  return (Affine){.value = binary(lower, LX_ADD, sum, whole(lower, shift)),
                  .least = shift + (reach < 0 ? reach : 0),
                  .most = shift + far + (reach > 0 ? reach : 0)};
}

// The place at / divisor of `size` places, and in *inside whether it is one.
static LExpr *place_of(Lower *lower, Affine at, int64_t divisor, int64_t size, LExpr **inside) {
  LExpr *place = at.value;
  if (divisor > 1) {
    LExpr *rest = binary(lower, LX_MOD, at.value, whole(lower, divisor));
    *inside = binary(lower, LX_AND, *inside, binary(lower, LX_EQ, rest, whole(lower, 0)));
    place = binary(lower, LX_DIV, at.value, whole(lower, divisor));
  }
  bool low = at.least < 0, high = at.most / divisor >= size;
  if (low)
    *inside = binary(lower, LX_AND, *inside, binary(lower, LX_GE, at.value, whole(lower, 0)));
  if (high)
    *inside = binary(lower, LX_AND, *inside, binary(lower, LX_LT, place, whole(lower, size)));
  if (low)
    place = binary(lower, LX_MAX, place, whole(lower, 0));
  if (high)
    place = binary(lower, LX_MIN, place, whole(lower, size - 1));
  return place;
}

static LExpr *or_outside(Lower *lower, const Node *node, LExpr *inside, LExpr *value, double real, int64_t integer) {
  Arena *arena = lower_arena(lower);
  LType type = ltype_of(node->type.elem);
  LExpr *fill = elem_is_real(node->type.elem) ? lx_real(arena, type, real) : lx_int(arena, type, integer);
  return lx_select(arena, inside, value, fill);
}

LExpr *lower_window(Lower *lower, const Node *node, LExpr *const *index) {
  const Type *from = &node->inputs[0]->type;
  int space = node->attr->space, lead = from->rank - space - 1;
  LExpr *place[MAX_RANK], *inside = lx_int(lower_arena(lower), L_BOOL, 1);
  for (int i = 0; i < lead; i++)
    place[i] = index[i];
  for (int i = 0; i < space; i++) {
    const Window *w = &node->attr->window[i];
    Affine at = affine(lower, index[lead + i], node->type.dim[lead + i], w->stride, index[lead + space + i], w->size,
                       w->dilation, -w->before);
    place[lead + i] = place_of(lower, at, w->spread, from->dim[lead + i], &inside);
  }
  place[from->rank - 1] = index[node->type.rank - 1];
  LExpr *value = lower_value(lower, node->inputs[0], place);
  return or_outside(lower, node, inside, value, node->attr->real, node->attr->integer);
}

LExpr *lower_slide(Lower *lower, const Node *node, LExpr *const *index) {
  const Type *from = &node->inputs[0]->type;
  int space = node->attr->space, lead = from->rank - 2 * space - 1;
  LExpr *place[MAX_RANK], *inside = lx_int(lower_arena(lower), L_BOOL, 1);
  for (int i = 0; i < from->rank; i++)
    place[i] = index[i];
  for (int i = 0; i < space; i++) {
    const Window *w = &node->attr->window[i];
    Affine at = affine(lower, index[lead + i], node->type.dim[lead + i], w->spread, index[lead + space + i], w->size,
                       -w->dilation, w->before);
    place[lead + i] = place_of(lower, at, w->stride, from->dim[lead + i], &inside);
  }
  return or_outside(lower, node, inside, lower_value(lower, node->inputs[0], place), 0, 0);
}

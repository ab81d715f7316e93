// The image that a convolution's windows move over: x, with zeros where they leave it and between its elements. The image
// is never whole: a thread copies the piece that its next tiles read, which then stays in its caches, so that tile loops
// need no conditions and memory is read once. Takes a convolution, gives expressions for the elements under a window.
#include "loops/nest_conv.h"

static LExpr *and_(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_AND, a, b);
}

int64_t conv_taps(const Conv *conv, int from) {
  int64_t taps = 1;
  for (int i = from; i < conv->space; i++)
    taps *= conv->attr->window[i].size;
  return taps;
}

Conv conv_of(Lower *lower, const Node *node) {
  const Node *x = node->inputs[0];
  const Attr *attr = node->attr;
  const Type *y = conv_y(node);
  int space = attr->space;
  Conv conv = {.node = node,
               .x = x,
               .attr = attr,
               .view = conv_view(node),
               .space = space,
               .lead = x->type.rank - space - 1,
               .groups = attr->groups,
               .in = x->type.dim[x->type.rank - 1] / attr->groups,
               .out = y->dim[y->rank - 1] / attr->groups,
               .type = ltype_of(node->type.elem)};
  conv.pitch = conv.in * conv.groups;
  conv.folded = attr->groups == 1 && attr->window[space - 1].dilation == 1 && !conv.view.phased &&
                (!conv.view.inside || nest_in_memory(lower, x));
  return conv;
}

LExpr *conv_place(Lower *lower, const Conv *conv, int dim, LExpr *output, LExpr *tap) {
  const Window *w = &conv->attr->window[dim];
  return nest_add(lower, nest_mul(lower, output, nest_i64(lower, w->stride)),
                  nest_mul(lower, tap, nest_i64(lower, w->dilation)));
}

LExpr *conv_samples(Lower *lower, const Conv *conv) {
  return nest_count(lower, conv->x->type.dim, conv->lead);
}

void conv_lead(Lower *lower, const Conv *conv, LExpr *sample, LExpr **index) {
  nest_unravel(lower, sample, conv->x->type.dim, NULL, conv->lead, index);
}

static LExpr *sub(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_SUB, a, b);
}

// Of a place in the present piece, along the first `dims` dimensions of space.
static LExpr *piece_number(Lower *lower, const Conv *conv, LExpr *sample, LExpr *const *place, int dims) {
  LExpr *number = sub(lower, sample, conv->first_sample);
  for (int i = 0; i < dims; i++) {
    number = nest_mul(lower, number, nest_i64(lower, i ? conv->view.extent[i] : conv->lines));
    number = nest_add(lower, number, i ? place[i] : sub(lower, place[i], conv->first_line));
  }
  return number;
}

LExpr *conv_image_at(Lower *lower, const Conv *conv, LExpr *sample, LExpr *const *place) {
  LExpr *number = piece_number(lower, conv, sample, place, conv->space);
  return nest_add(lower, conv->base, nest_mul(lower, number, nest_i64(lower, conv->pitch)));
}

LExpr *conv_x(Lower *lower, const Conv *conv, LExpr *sample, LExpr *const *place, LExpr *channel) {
  LExpr *channels = nest_i64(lower, conv->in * conv->groups);
  if (conv->image)
    return lx_load(lower->arena, conv->image, nest_add(lower, conv_image_at(lower, conv, sample, place), channel));
  LExpr *index[MAX_RANK];
  conv_lead(lower, conv, sample, index);
  for (int i = 0; i < conv->space; i++)
    index[conv->lead + i] = place[i];
  int last = conv->lead + conv->space - 1;
  index[last + 1] = channel;
  if (conv->folded) {
    index[last] = nest_add(lower, nest_mul(lower, place[conv->space - 1], channels), channel);
    lower->flat = last;
  }
  lower->operands = true;
  LExpr *value = lower_value(lower, conv->x, index);
  lower->operands = false;
  lower->flat = -1;
  return value;
}

// ---- the copy
static void store(Lower *lower, const Conv *conv, LExpr *at, LExpr *value) {
  nest_put(lower, conv->image, at, value);
}

// The place of x at image place e of one dimension; ANDs into *there whether it is one.
static LExpr *source_place(Lower *lower, const Conv *conv, int dim, LExpr *e, LExpr **there) {
  const Window *w = &conv->view.window[dim];
  int64_t size = conv->x->type.dim[conv->lead + dim];
  LExpr *at = lx_binary(lower->arena, LX_SUB, e, nest_i64(lower, w->before)), *place = at;
  LExpr *zero = nest_i64(lower, 0);
  if (w->before > 0)
    *there = and_(lower, *there, lx_binary(lower->arena, LX_GE, at, zero));
  if (w->spread > 1) {
    LExpr *spread = nest_i64(lower, w->spread);
    *there = and_(lower, *there, lx_binary(lower->arena, LX_EQ, lx_binary(lower->arena, LX_MOD, at, spread), zero));
    place = nest_div(lower, at, spread);
  }
  if ((conv->view.extent[dim] - 1 - w->before) / w->spread >= size) {
    *there = and_(lower, *there, lx_binary(lower->arena, LX_LT, place, nest_i64(lower, size)));
    place = nest_min(lower, place, nest_i64(lower, size - 1));
  }
  return w->before > 0 ? lx_binary(lower->arena, LX_MAX, place, zero) : place;
}

static LExpr *or_zero(Lower *lower, const Conv *conv, LExpr *there, LExpr *value) {
  return lx_select(lower->arena, there, value, lx_real(lower->arena, conv->type, 0));
}

static void fill_zeros(Lower *lower, const Conv *conv, LExpr *row, int64_t from, int64_t to) {
  if (from >= to)
    return;
  LExpr *f = nest_loop(lower, LS_SIMD, "f", nest_i64(lower, from), nest_i64(lower, to), 1);
  store(lower, conv, nest_add(lower, row, f), lx_real(lower->arena, conv->type, 0));
  nest_close(lower);
}

// A row whose elements lie side by side: zeros, a piece of x, zeros.
static void copy_row(Lower *lower, const Conv *conv, LExpr *row, LExpr **index, LExpr *there) {
  int last = conv->space - 1, axis = conv->lead + last;
  const Window *w = &conv->view.window[last];
  int64_t channels = conv->in * conv->groups, extent = conv->view.extent[last], size = conv->x->type.dim[axis];
  int64_t before = w->before > 0 ? w->before : 0, skipped = w->before < 0 ? -w->before : 0;
  before = before < extent ? before : extent;
  int64_t count = size - skipped < extent - before ? size - skipped : extent - before;
  count = count > 0 ? count : 0;
  fill_zeros(lower, conv, row, 0, before * channels);
  if (count > 0) {
    LExpr *f = nest_loop(lower, LS_SIMD, "f", nest_i64(lower, 0), nest_i64(lower, count * channels), 1);
    index[axis] = nest_add(lower, f, nest_i64(lower, skipped * channels));
    lower->flat = axis;
    LExpr *value = lower_value(lower, conv->x, index);
    lower->flat = -1;
    LExpr *at = nest_add(lower, row, nest_add(lower, f, nest_i64(lower, before * channels)));
    store(lower, conv, at, or_zero(lower, conv, there, value));
    nest_close(lower);
  }
  fill_zeros(lower, conv, row, (before + count) * channels, extent * channels);
}

// A row element by element: one with zeros between them, or a piece of a row.
static void copy_places(Lower *lower, const Conv *conv, LExpr *row, LExpr **index, LExpr *there, LExpr *from,
                        LExpr *to) {
  int last = conv->space - 1;
  LExpr *zero = nest_i64(lower, 0), *channels = nest_i64(lower, conv->in * conv->groups);
  LExpr *e = nest_loop(lower, LS_FOR, "e", from, to, 1);
  index[conv->lead + last] = nest_let(lower, "place", source_place(lower, conv, last, e, &there));
  there = nest_let(lower, "there", there);
  LExpr *place = nest_mul(lower, sub(lower, e, from), nest_i64(lower, conv->pitch));
  LExpr *at = nest_let(lower, "at", nest_add(lower, row, place));
  LExpr *c = nest_loop(lower, LS_SIMD, "c", zero, channels, 1);
  index[conv->lead + last + 1] = c;
  store(lower, conv, nest_add(lower, at, c), or_zero(lower, conv, there, lower_value(lower, conv->x, index)));
  nest_close(lower);
  nest_close(lower);
}

int64_t conv_row(const Conv *conv, int64_t length) {
  enum { FALL_TOGETHER = 1024 };
  int64_t bytes = ltype_bytes(conv->type);
  return length * bytes % FALL_TOGETHER ? length : length + LINE_BYTES / bytes;
}

// Of the first dimension of space, with what windows reach.
static int64_t line_bytes(const Conv *conv) {
  int64_t bytes = conv->pitch * ltype_bytes(conv->type);
  for (int i = 1; i < conv->space; i++)
    bytes *= conv->view.extent[i];
  return bytes;
}

int64_t conv_piece_bytes(const Conv *conv, int64_t samples, int64_t lines) {
  return conv->view.inside ? 0
                           : samples * (lines < conv->view.extent[0] ? lines : conv->view.extent[0]) * line_bytes(conv);
}

static int64_t piece_length(const Conv *conv) {
  return conv_piece_bytes(conv, conv->samples, conv->lines) / ltype_bytes(conv->type);
}

void conv_image(Lower *lower, Conv *conv, int64_t samples, int64_t lines, int64_t shares) {
  if (conv->view.inside)
    return;
  conv->samples = samples;
  conv->lines = lines < conv->view.extent[0] ? lines : conv->view.extent[0];
  conv->image = nest_scratch(lower, "image", conv->type, piece_length(conv) * nest_at_least(shares, 1));
}

void conv_copy(Lower *lower, Conv *conv, LExpr *share, LExpr *sample, LExpr *line) {
  conv->first_sample = sample;
  conv->first_line = line;
  if (!conv->image)
    return;
  conv->base = nest_let(lower, "piece", nest_mul(lower, share, nest_i64(lower, piece_length(conv))));
  int last = conv->space - 1;
  LExpr *index[MAX_RANK], *place[MAX_SPACE] = {NULL}, *there = lx_int(lower->arena, L_BOOL, 1);
  LExpr *from[MAX_SPACE], *to[MAX_SPACE], *end = nest_add(lower, sample, nest_i64(lower, conv->samples));
  if (conv->samples > 1)
    end = nest_let(lower, "end", nest_min(lower, end, conv_samples(lower, conv)));
  for (int i = 0; i < conv->space; i++) {
    from[i] = i ? nest_i64(lower, 0) : line;
    to[i] = nest_i64(lower, conv->view.extent[i]);
    if (i == 0 && conv->lines < conv->view.extent[0])
      to[i] = nest_let(lower, "bottom", nest_min(lower, nest_add(lower, line, nest_i64(lower, conv->lines)), to[i]));
  }
  LExpr *b = nest_loop(lower, LS_FOR, "b", sample, end, 1);
  conv_lead(lower, conv, b, index);
  for (int i = 0; i < last; i++) {
    place[i] = nest_loop(lower, LS_FOR, "e", from[i], to[i], 1);
    index[conv->lead + i] = nest_let(lower, "place", source_place(lower, conv, i, place[i], &there));
  }
  there = nest_let(lower, "there", there);
  int64_t row_length = (last ? conv->view.extent[last] : conv->lines) * conv->pitch;
  LExpr *row = nest_mul(lower, piece_number(lower, conv, b, place, last), nest_i64(lower, row_length));
  row = nest_let(lower, "start", nest_add(lower, conv->base, row));
  bool side_by_side = conv->pitch == conv->in * conv->groups && nest_in_memory(lower, conv->x);
  if (last && conv->view.window[last].spread == 1 && side_by_side)
    copy_row(lower, conv, row, index, there);
  else
    copy_places(lower, conv, row, index, there, from[last], to[last]);
  nest_close_all(lower, last + 1);
}

LExpr *conv_weight(Lower *lower, const Conv *conv, LExpr *const *index) {
  lower->operands = true;
  LExpr *value = lower_value(lower, conv->node->inputs[1], index);
  lower->operands = false;
  return value;
}

int64_t conv_turned(Lower *lower, const Conv *conv) {
  LExpr *index[MAX_RANK];
  int64_t along, apart;
  int taps = conv->attr->space;
  for (int i = 0; i < taps; i++)
    index[i] = nest_i64(lower, 0);
  nest_tile(lower, 2, 2, &index[taps], &index[taps + 1]);
  const LVar *channel = index[taps]->var, *output = index[taps + 1]->var;
  const LExpr *value = conv_weight(lower, conv, index);
  bool turned = value->op == LX_LOAD && lx_stride(value->args[0], channel, &along) && along == 1 &&
                lx_stride(value->args[0], output, &apart);
  nest_drop(lower);
  return turned ? apart : 0;
}

// Convolutions, directly: no matrix of windows is made. A task owns one row of outputs in one panel of channels; a register
// tile is mr neighbouring outputs by nr channels, summed over taps and channels of the input in one chain. Weights are
// packed in panels of nr outputs, in which a tile finds its elements side by side. The kernel's further nodes (bias,
// activation) are computed from the finished tile. Where windows are spread (the gradient of strided ones, transposed
// convolutions), outputs that see the same taps are computed together, one phase after the other.
#include "loops/nest_conv.h"

#include "graph/ops.h"

typedef struct Panel {
  LExpr *group, *start; // where its weights lie, from its first column on
  LExpr *column;        // its first output channel
  int width;
} Panel;

// The outputs first + step * p for p below count, and the taps tap + step * r for r below taps that they see: at place
// p * stride + r * dilation + shift of the image. Windows that are not spread have one phase, of all.
typedef struct Phase {
  int64_t step, first, count, tap, taps, shift;
} Phase;

typedef struct Direct {
  Conv conv;
  Phase phase[MAX_SPACE];
  LBuffer *packed; // weights: for each group and panel [taps.., channels, width]
  LExpr *lead[MAX_RANK], *output[MAX_SPACE];
} Direct;

static int64_t depth(const Conv *conv) {
  return conv_taps(conv, 0) * conv->in;
}

static int64_t panel_count(const Conv *conv) {
  return nest_ceil_div(conv->out, conv->nr);
}

// Where the panel of a group begins; panels lie one after another, the last one as wide as it is.
static LExpr *panel_start(Lower *lower, const Conv *conv, LExpr *group, LExpr *panel) {
  LExpr *of_group = nest_mul(lower, group, nest_i64(lower, depth(conv) * conv->out));
  return nest_add(lower, of_group, nest_mul(lower, panel, nest_i64(lower, depth(conv) * conv->nr)));
}

// ---- packing
static void pack_panel(Lower *lower, const Direct *direct, LExpr *group, LExpr *start, LExpr *column, int width) {
  const Conv *conv = &direct->conv;
  LExpr *index[MAX_RANK], *zero = nest_i64(lower, 0), *k = zero;
  for (int i = 0; i < conv->space; i++) {
    int64_t size = conv->attr->window[i].size;
    index[i] = nest_loop(lower, LS_FOR, "r", zero, nest_i64(lower, size), 1);
    k = nest_add(lower, nest_mul(lower, k, nest_i64(lower, size)), index[i]);
  }
  LExpr *in = nest_i64(lower, conv->in), *wide = nest_i64(lower, width);
  index[conv->space] = nest_loop(lower, LS_FOR, "c", zero, in, 1);
  k = nest_add(lower, nest_mul(lower, k, in), index[conv->space]);
  LExpr *j = nest_loop(lower, LS_SIMD, "j", zero, wide, 1);
  LExpr *first = nest_add(lower, nest_mul(lower, group, nest_i64(lower, conv->out)), column);
  index[conv->space + 1] = nest_add(lower, first, j);
  LStmt *stmt = nest_stmt(lower, LS_STORE);
  stmt->buffer = direct->packed;
  stmt->index[0] = nest_add(lower, start, nest_add(lower, nest_mul(lower, k, wide), j));
  stmt->value = lower_value(lower, conv->node->inputs[1], index);
  nest_push(lower, stmt);
  for (int i = 0; i < conv->space + 2; i++)
    nest_close(lower);
}

// Calls `body` for the whole panels and for the last, narrower one, each under its condition.
typedef void PanelBody(Lower *lower, Direct *direct, const Panel *panel);

static void each_panel(Lower *lower, Direct *direct, LExpr *group, LExpr *number, PanelBody *body) {
  const Conv *conv = &direct->conv;
  int64_t whole = conv->out / conv->nr;
  int rest = (int)(conv->out % conv->nr);
  for (int last = 0; last <= 1; last++) {
    if (last ? !rest : !whole)
      continue;
    if (rest && whole)
      nest_if(lower, lx_binary(lower->arena, last ? LX_EQ : LX_LT, number, nest_i64(lower, whole)));
    LExpr *own = last ? nest_i64(lower, whole) : number;
    Panel panel = {.group = group, .width = last ? rest : conv->nr};
    panel.start = nest_let(lower, "panel", panel_start(lower, conv, group, own));
    panel.column = nest_let(lower, "o0", nest_mul(lower, own, nest_i64(lower, conv->nr)));
    body(lower, direct, &panel);
    if (rest && whole)
      nest_close(lower);
  }
}

static void pack_body(Lower *lower, Direct *direct, const Panel *panel) {
  pack_panel(lower, direct, panel->group, panel->start, panel->column, panel->width);
}

static void pack_all(Lower *lower, Direct *direct, bool shared) {
  const Conv *conv = &direct->conv;
  LExpr *panels = nest_i64(lower, panel_count(conv));
  LExpr *tasks = nest_i64(lower, conv->groups * panel_count(conv));
  LExpr *task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", nest_i64(lower, 0), tasks, 1);
  LExpr *group = conv->groups == 1 ? nest_i64(lower, 0) : nest_let(lower, "group", nest_div(lower, task, panels));
  LExpr *number = conv->groups == 1 ? task : nest_let(lower, "number", lx_binary(lower->arena, LX_MOD, task, panels));
  each_panel(lower, direct, group, number, pack_body);
  nest_close(lower);
}

// Once for a series of calls, if the weights stay the same; else at each call, in scratch memory. Gives the bytes of that.
static int64_t pack(Lower *lower, Direct *direct, int64_t scratch, bool shared) {
  const Conv *conv = &direct->conv;
  int64_t length = depth(conv) * conv->out * conv->groups;
  if (nest_steady(lower, conv->node->inputs[1])) {
    Lower ahead = nest_ahead_begin(lower, "packed_w", conv->type, length, &direct->packed);
    pack_all(&ahead, direct, length >= SHARED_WORK);
    direct->packed = nest_ahead_end(lower, &ahead);
    return 0;
  }
  direct->packed = nest_scratch(lower, "packed_w", conv->type, length, scratch);
  pack_all(lower, direct, shared);
  return whole_lines(length * ltype_bytes(conv->type));
}

// ---- one tile
typedef struct Tile {
  const Panel *panel;
  int shift, rows, cols; // its first column in the panel
  LExpr *row;            // its first output along the last dimension
} Tile;

// The output along dimension d of the phase's own p.
static LExpr *output_of(Lower *lower, const Direct *direct, int d, LExpr *p) {
  const Phase *phase = &direct->phase[d];
  return nest_add(lower, nest_mul(lower, p, nest_i64(lower, phase->step)), nest_i64(lower, phase->first));
}

static LExpr *place_of(Lower *lower, const Direct *direct, int d, LExpr *p, LExpr *r) {
  return nest_add(lower, conv_place(lower, &direct->conv, d, p, r), nest_i64(lower, direct->phase[d].shift));
}

// acc[i, j] over all taps and channels.
static LLocal *sum_tile(Lower *lower, Direct *direct, const Tile *tile) {
  const Conv *conv = &direct->conv;
  int last = conv->space - 1;
  LExpr *zero = nest_i64(lower, 0), *tap[MAX_SPACE], *i, *j, *k = zero, *place[MAX_SPACE];
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, tile->rows, tile->cols, lx_real(lower->arena, conv->type, 0));
  int loops = 0, taps = conv->folded ? last : conv->space;
  for (int d = 0; d < taps; d++, loops++) {
    const Phase *phase = &direct->phase[d];
    tap[d] = nest_loop(lower, LS_FOR, "r", zero, nest_i64(lower, phase->taps), 1);
    LExpr *own = nest_add(lower, nest_mul(lower, tap[d], nest_i64(lower, phase->step)), nest_i64(lower, phase->tap));
    k = nest_add(lower, nest_mul(lower, k, nest_i64(lower, conv->attr->window[d].size)), own);
  }
  int64_t run = conv->folded ? conv->attr->window[last].size * conv->in : conv->in;
  LExpr *c = nest_loop(lower, LS_FOR, "c", zero, nest_i64(lower, run), 1);
  k = nest_add(lower, nest_mul(lower, k, nest_i64(lower, run)), c);
  for (int d = 0; d < last; d++)
    place[d] = place_of(lower, direct, d, direct->output[d], tap[d]);
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  place[last] = place_of(lower, direct, last, nest_add(lower, tile->row, i), conv->folded ? zero : tap[last]);
  LExpr *channel = nest_add(lower, nest_mul(lower, tile->panel->group, nest_i64(lower, conv->in)), c);
  LExpr *x = conv_x(lower, conv, direct->lead, place, channel);
  LExpr *at = nest_add(lower, nest_mul(lower, k, nest_i64(lower, tile->panel->width)), j);
  LExpr *start = nest_add(lower, tile->panel->start, nest_i64(lower, tile->shift));
  LExpr *w = lx_load(lower->arena, direct->packed, nest_add(lower, start, at));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, x, w, lx_local(lower->arena, acc, i, j)));
  for (int scopes = loops + 2; scopes; scopes--)
    nest_close(lower);
  return acc;
}

static void make_tile(Lower *lower, Direct *direct, const Tile *tile) {
  const Conv *conv = &direct->conv;
  int last = conv->space - 1;
  LExpr *index[MAX_RANK], *i, *j;
  LLocal *acc = sum_tile(lower, direct, tile);
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  for (int d = 0; d < conv->lead; d++)
    index[d] = direct->lead[d];
  for (int d = 0; d < last; d++)
    index[conv->lead + d] = output_of(lower, direct, d, direct->output[d]);
  index[conv->lead + last] = output_of(lower, direct, last, nest_add(lower, tile->row, i));
  LExpr *column = nest_add(lower, tile->panel->column, nest_i64(lower, tile->shift));
  column = nest_add(lower, nest_mul(lower, tile->panel->group, nest_i64(lower, conv->out)), column);
  index[conv->lead + conv->space] = nest_add(lower, column, j);
  nest_know(lower, conv->node, index, lx_local(lower->arena, acc, i, j));
  nest_finish(lower, index, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// The row of outputs in one panel: whole tiles, and one of what is left.
static void panel_body(Lower *lower, Direct *direct, const Panel *panel) {
  const Conv *conv = &direct->conv;
  int64_t size = direct->phase[conv->space - 1].count, whole = size / conv->mr * conv->mr;
  for (int shift = 0, cols; shift < panel->width; shift += cols) {
    cols = nest_piece(panel->width - shift);
    Tile tile = {.panel = panel, .shift = shift, .cols = cols, .rows = conv->mr};
    if (whole) {
      tile.row = nest_loop(lower, LS_FOR, "q0", nest_i64(lower, 0), nest_i64(lower, whole), conv->mr);
      make_tile(lower, direct, &tile);
      nest_close(lower);
    }
    if (size > whole) {
      tile.row = nest_i64(lower, whole);
      tile.rows = (int)(size - whole);
      make_tile(lower, direct, &tile);
    }
  }
}

// ---- tasks: for each sample, group and panel the rows of outputs
static void convolve(Lower *lower, Direct *direct, bool shared) {
  const Conv *conv = &direct->conv;
  enum { GROUP, PANEL, OUTPUTS };
  Dim dims[2 * MAX_RANK];
  int count = 0;
  for (int i = 0; i < conv->lead; i++)
    dims[count++] = conv->x->type.dim[i];
  dims[count++] = conv->groups;
  dims[count++] = panel_count(conv);
  for (int i = 0; i < conv->space - 1; i++)
    dims[count++] = direct->phase[i].count;
  LExpr *index[2 * MAX_RANK];
  LExpr *task =
      nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", nest_i64(lower, 0), nest_count(lower, dims, count), 1);
  nest_unravel(lower, task, dims, NULL, count, index);
  for (int i = 0; i < conv->lead; i++)
    direct->lead[i] = nest_let(lower, "b", index[i]);
  LExpr *const *rest = index + conv->lead;
  for (int i = 0; i < conv->space - 1; i++)
    direct->output[i] = nest_let(lower, "p", rest[OUTPUTS + i]);
  LExpr *zero = nest_i64(lower, 0);
  LExpr *group = conv->groups > 1 ? nest_let(lower, "group", rest[GROUP]) : zero;
  LExpr *number = panel_count(conv) > 1 ? nest_let(lower, "number", rest[PANEL]) : zero;
  each_panel(lower, direct, group, number, panel_body);
  nest_close(lower);
}

// ---- phases
// Phase number `at` of dimension d: outputs at, at + step, …
static Phase phase_of(const Conv *conv, int d, int64_t at) {
  const Window *w = &conv->attr->window[d];
  if (!conv->phased)
    return (Phase){1, 0, conv->outputs[d], 0, w->size, 0};
  int64_t step = w->spread, tap = ((w->before - at) % step + step) % step;
  return (Phase){.step = step,
                 .first = at,
                 .count = nest_ceil_div(conv->outputs[d] - at, step),
                 .tap = tap,
                 .taps = nest_ceil_div(w->size - tap, step),
                 .shift = (at + tap - w->before) / step + conv->view[d].before};
}

static void each_phase(Lower *lower, Direct *direct, int d, bool shared) {
  const Conv *conv = &direct->conv;
  if (d == conv->space) {
    convolve(lower, direct, shared);
    return;
  }
  int64_t phases = conv->phased ? conv->attr->window[d].spread : 1;
  for (int64_t at = 0; at < phases && at < conv->outputs[d]; at++) {
    direct->phase[d] = phase_of(conv, d, at);
    each_phase(lower, direct, d + 1, shared);
  }
}

int64_t nest_conv(Lower *lower, int64_t scratch) {
  const Node *node = lower->kernel->root;
  Direct direct = {.conv = conv_of(lower, node, &node->type, true)};
  Conv *conv = &direct.conv;
  lower->out->work = nest_work(lower);
  bool shared = lower->out->work >= SHARED_WORK;
  int64_t row = phase_of(conv, conv->space - 1, 0).count;
  nest_tile_size(lower, conv->type, row, conv->out, &conv->mr, &conv->nr);
  int64_t bytes = conv_image(lower, conv, scratch, shared);
  bytes += pack(lower, &direct, scratch + bytes, shared);
  each_phase(lower, &direct, 0, shared);
  lower->out->barrier_inside = shared && bytes > 0;
  return bytes;
}

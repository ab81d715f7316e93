// Gradients of the weights of 3 by 3 taps by minimal filtering where tiles are few and channels many. x and dL/dy of all tiles are
// brought into places; then a thread takes some channels and a panel of outputs, sums for each place the products of all
// tiles, and brings the sums back to taps while they lie in the second cache. Sums of all channels and outputs would be many
// times what x and dL/dy are.
#include "loops/nest_winograd.h"

typedef struct Few {
  Winograd w;
  LBuffer *x, *dy;         // of all tiles: [places, tiles, row], and [places, panels, tiles, nr]
  LBuffer *sums, *result;  // for each share: [places, channels, nr], and [taps, nr]
  int64_t tiles, row;      // of all samples; of `x`
  int64_t channels, parts; // of a task; tasks of a panel
  int64_t apart_x, apart_y, apart;
  LExpr *count;         // of tiles in this call
  LExpr *first, *panel; // the task's first channel, and its panel
} Few;

// ---- x and dL/dy, in places
static void transform_all(Lower *lower, Few *few, Winograd *piece) {
  const Conv *conv = &few->w.conv;
  LExpr *zero = nest_i64(lower, 0);
  winograd_open_block(lower, piece, winograd_open_rounds(lower, piece, "piece", winograd_blocks(lower, piece)));
  WinogradTile tile = winograd_open_copied(lower, piece);
  LExpr *to_x = nest_let(lower, "to", nest_mul(lower, tile.number, nest_i64(lower, few->row)));
  winograd_transform_x(lower, piece, &tile, NULL,
                       &(WinogradPlane){few->x, to_x, piece->n * few->apart_x, few->apart_x});
  LExpr *panel = nest_loop(lower, LS_FOR, "panel", zero, nest_i64(lower, conv->out / conv->nr), 1);
  LExpr *row = nest_step(lower, panel, few->tiles, tile.number);
  LExpr *to_dy = nest_let(lower, "to", nest_mul(lower, row, nest_i64(lower, conv->nr)));
  winograd_transform_dy(lower, piece, &tile, panel, NULL,
                        &(WinogradPlane){few->dy, to_dy, piece->n * few->apart_y, few->apart_y});
  nest_close_all(lower, 5);
}

// ---- what is read where the weights are updated
// Before a place is summed, asks for its part of a value like the weights: a fourth of the task's channels of a tap.
static void prefetch_value(Lower *lower, const Few *few, const Node *node, LExpr *place, LExpr *from) {
  const Conv *conv = &few->w.conv;
  int64_t share = winograd_places(&few->w) / WINOGRAD_WEIGHTS, each = nest_ceil_div(few->channels, share);
  LExpr *tap = nest_div(lower, place, nest_i64(lower, share)), *taps = nest_i64(lower, WINOGRAD_TAPS);
  LExpr *part = lx_binary(lower->arena, LX_MOD, place, nest_i64(lower, share));
  LExpr *index[4] = {nest_div(lower, tap, taps), lx_binary(lower->arena, LX_MOD, tap, taps),
                     nest_add(lower, few->first, nest_mul(lower, part, nest_i64(lower, each))),
                     nest_mul(lower, few->panel, nest_i64(lower, conv->nr))};
  lower->operands = true;
  const LExpr *value = lower_value(lower, node, index);
  lower->operands = false;
  NextRows rows = {.buffer = value->buffer,
                   .from = nest_let(lower, "ahead", value->args[0]),
                   .part = nest_div(lower, from, nest_i64(lower, conv->mr)),
                   .rows = each,
                   .parts = nest_ceil_div(few->channels, conv->mr),
                   .apart = conv->out,
                   .length = conv->nr};
  nest_prefetch_rows(lower, &rows);
}

static void prefetch_values(Lower *lower, const Few *few, LExpr *place, LExpr *from) {
  const Kernel *kernel = lower->kernel;
  for (int i = 0; i < kernel->reads.count; i++) {
    const Node *node = kernel->reads.data[i];
    if (node != few->w.conv.x && type_same_shape(&node->type, &few->w.conv.node->type))
      prefetch_value(lower, few, node, place, from);
  }
}

// ---- sums
static void multiply_rows(Lower *lower, const Few *few, LExpr *place, LExpr *from, int rows) {
  const Conv *conv = &few->w.conv;
  LExpr *i, *j, *channel = nest_add(lower, few->first, from);
  LExpr *x = nest_let(lower, "rows", nest_step(lower, place, few->apart_x, channel));
  LExpr *panel = nest_mul(lower, few->panel, nest_i64(lower, few->tiles * conv->nr));
  LExpr *dy = nest_let(lower, "columns", nest_step(lower, place, few->apart_y, panel));
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, rows, conv->nr, lx_real(lower->arena, conv->type, 0));
  prefetch_values(lower, few, place, from);
  LExpr *k = nest_loop(lower, LS_FOR, "k", nest_i64(lower, 0), few->count, 1);
  LExpr *row = nest_add(lower, x, nest_mul(lower, k, nest_i64(lower, few->row)));
  nest_prefetch(lower, lx_load(lower->arena, few->x, row), k);
  nest_tile(lower, rows, conv->nr, &i, &j);
  LExpr *a = lx_load(lower->arena, few->x, nest_add(lower, row, i));
  LExpr *b = lx_load(lower->arena, few->dy, nest_add(lower, dy, nest_step(lower, k, conv->nr, j)));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  nest_close_all(lower, 2);
  nest_tile(lower, rows, conv->nr, &i, &j);
  LExpr *at = nest_step(lower, nest_step(lower, few->w.share, winograd_places(&few->w), place), few->apart,
                        nest_step(lower, nest_add(lower, from, i), conv->nr, j));
  nest_put(lower, few->sums, at, lx_local(lower->arena, acc, i, j));
  nest_close(lower);
}

static void multiply(Lower *lower, const Few *few) {
  int mr = few->w.conv.mr;
  int64_t whole = few->channels / mr * mr;
  LExpr *zero = nest_i64(lower, 0);
  LExpr *place = nest_loop(lower, LS_FOR, "place", zero, nest_i64(lower, winograd_places(&few->w)), 1);
  multiply_rows(lower, few, place, nest_loop(lower, LS_FOR, "i0", zero, nest_i64(lower, whole), mr), mr);
  nest_close(lower);
  if (whole < few->channels)
    multiply_rows(lower, few, place, nest_i64(lower, whole), (int)(few->channels - whole));
  nest_close(lower);
}

// ---- the end: from places to taps
typedef struct Sums {
  const Few *few;
  LExpr *at; // of the channel
} Sums;

static LExpr *load_sum(Lower *lower, const void *context, LExpr *i, LExpr *j, LExpr *o) {
  const Sums *sums = context;
  LExpr *place = nest_step(lower, i, sums->few->w.n, j);
  return lx_load(lower->arena, sums->few->sums,
                 nest_step(lower, place, sums->few->apart, nest_add(lower, sums->at, o)));
}

static void finish(Lower *lower, const Few *few) {
  const Winograd *w = &few->w;
  const Conv *conv = &w->conv;
  LExpr *index[4], *zero = nest_i64(lower, 0), *three = nest_i64(lower, WINOGRAD_TAPS);
  LExpr *c = nest_loop(lower, LS_FOR, "c", zero, nest_i64(lower, few->channels), 1);
  LExpr *first = nest_mul(lower, w->share, nest_i64(lower, winograd_places(w) * few->apart));
  Sums sums = {few, nest_let(lower, "at", nest_add(lower, first, nest_mul(lower, c, nest_i64(lower, conv->nr))))};
  WinogradTransform transform = winograd_begin(lower, w, winograd_dw, w->n, WINOGRAD_TAPS, conv->nr);
  LExpr *to = nest_let(lower, "to", nest_mul(lower, w->share, nest_i64(lower, WINOGRAD_WEIGHTS * conv->nr)));
  transform.load = load_sum;
  transform.context = &sums;
  transform.to = (WinogradPlane){few->result, to, WINOGRAD_TAPS * conv->nr, conv->nr};
  winograd_transform(lower, &transform);
  index[0] = nest_loop(lower, LS_FOR, "r", zero, three, 1);
  index[1] = nest_loop(lower, LS_FOR, "q", zero, three, 1);
  index[2] = nest_let(lower, "channel", nest_add(lower, few->first, c));
  LExpr *tap = nest_step(lower, index[0], WINOGRAD_TAPS, index[1]);
  LExpr *column = nest_mul(lower, few->panel, nest_i64(lower, conv->nr));
  ConvRow row = {few->result, nest_let(lower, "from", nest_step(lower, tap, conv->nr, to)), column, conv->nr};
  conv_finish(lower, conv, &row, index);
  nest_close_all(lower, 3);
}

static void each_task(Lower *lower, Few *few) {
  Winograd *w = &few->w;
  int64_t panels = w->conv.out / w->conv.nr;
  LExpr *task = winograd_open_rounds(lower, w, "task", nest_i64(lower, few->parts * panels));
  LExpr *part = nest_div(lower, task, nest_i64(lower, panels));
  few->first = nest_let(lower, "c0", nest_mul(lower, part, nest_i64(lower, few->channels)));
  few->panel = nest_let(lower, "panel", lx_binary(lower->arena, LX_MOD, task, nest_i64(lower, panels)));
  LExpr *of_sample = nest_i64(lower, w->down * w->across);
  few->count = nest_let(lower, "tiles", nest_mul(lower, conv_samples(lower, &w->conv), of_sample));
  multiply(lower, few);
  finish(lower, few);
  nest_close(lower);
}

// ---- sizes
// Channels whose sums for a panel fill a third of the second cache, in equal parts.
static void choose_channels(const Lower *lower, Few *few) {
  const Conv *conv = &few->w.conv;
  int64_t each = winograd_places(&few->w) * conv->nr * ltype_bytes(conv->type),
          most = lower->target->l2_bytes / 3 / each;
  few->parts = 1;
  while (few->parts < conv->in && (conv->in / few->parts > most || conv->in % few->parts))
    few->parts++;
  few->channels = conv->in / few->parts;
}

void winograd_weight_few(Lower *lower) {
  enum { PIECES = 16 };
  Few few = {.w = winograd_of(lower, lower->kernel->root)};
  Winograd *w = &few.w;
  Conv *conv = &w->conv;
  int64_t places = winograd_places(w), all = conv_tile_count(conv_y(conv->node), w->m, lower->graph->graph->batch);
  choose_channels(lower, &few);
  conv->mr = (int)nest_even(few.channels, nest_tile_most(lower));
  Winograd piece = *w;
  piece.numbered = true;
  winograd_choose_block(lower, &piece, all / PIECES);
  few.tiles = winograd_numbered(lower, &piece);
  few.row = conv_row(conv, conv->in);
  few.apart_x = conv_row(conv, few.tiles * few.row);
  few.apart_y = conv_row(conv, few.tiles * conv->out);
  few.apart = conv_row(conv, few.channels * conv->nr);
  if (nest_shares_scratch(lower))
    w->shares = nest_most_shares(conv_piece_bytes(conv, 1, winograd_lines(&piece)) +
                                 places * few.apart * ltype_bytes(conv->type));
  piece.shares = w->shares;
  conv_image(lower, &piece.conv, 1, winograd_lines(&piece), w->shares);
  piece.half = w->half = winograd_scratch(lower, w, "half", WINOGRAD_HALF);
  few.x = nest_scratch(lower, "places_x", conv->type, places * few.apart_x);
  few.dy = nest_scratch(lower, "places_y", conv->type, places * few.apart_y);
  few.sums = winograd_scratch(lower, w, "sums", places * few.apart);
  few.result = winograd_scratch(lower, w, "taps", WINOGRAD_WEIGHTS * conv->nr);
  transform_all(lower, &few, &piece);
  each_task(lower, &few);
  lower->out->barrier_inside = w->shares > 0;
}

// Gradients of the weights of 3 by 3 taps by minimal filtering (winograd.h): for each place, channel and output the sum over all
// tiles of x times dL/dy, both in the form of places, in one chain. Blocks of tiles are gone through by all threads together. A
// thread owns some places, channels and outputs, and brings what it needs of a block into their form, a line of places after the
// other, so that it stays in the second cache; sums rest in scratch memory between blocks. After the last block they are
// brought back to taps, and the kernel's further nodes (an optimizer's update) computed.
#include "loops/nest_winograd.h"

typedef struct Gradient {
  Winograd w;
  const Node *y;
  LBuffer *sums;   // [places, channels, outputs]; at the end [taps, channels, outputs]
  LBuffer *x, *dy; // a line of places of a block, for each share: [n, tiles, row], and [n, panels, tiles, nr]
  int64_t row;
  int64_t apart, apart_x, apart_y; // of `sums`, `x` and `dy`: elements from one place to the next
  int64_t rows;                    // of channels in a tile of registers
  LExpr *block;
  LExpr *tiles;        // of the present block
  LExpr *line, *place; // of places: which line, which in it
} Gradient;

static int64_t panels(const Gradient *gradient) {
  return gradient->w.conv.out / gradient->w.conv.nr;
}

// ---- a line of places
// Where x of a tile begins, in a place of the line.
static LExpr *x_at(Lower *lower, const Gradient *gradient, LExpr *place, LExpr *tile) {
  LExpr *number = nest_step(lower, gradient->w.share, gradient->w.n, place);
  return nest_step(lower, number, gradient->apart_x, nest_mul(lower, tile, nest_i64(lower, gradient->row)));
}

// What one sample's tiles read is copied once for all lines, of more samples one after the other, so that it stays in a cache.
static void transform_x(Lower *lower, Gradient *gradient) {
  Winograd *w = &gradient->w;
  WinogradTile tile = w->samples > 1 ? winograd_open_copied(lower, w) : winograd_open_tiles(lower, w);
  WinogradPlane to = {gradient->x, nest_let(lower, "to", x_at(lower, gradient, nest_i64(lower, 0), tile.number)), 0,
                      gradient->apart_x};
  winograd_transform_x(lower, w, &tile, gradient->line, &to);
  nest_close_all(lower, 3);
}

// Where the panel of a place of the line lies.
static LExpr *panel_at(Lower *lower, const Gradient *gradient, LExpr *place, LExpr *panel) {
  const Winograd *w = &gradient->w;
  LExpr *number = nest_step(lower, w->share, w->n, place);
  return nest_step(lower, number, gradient->apart_y, nest_mul(lower, panel, nest_i64(lower, w->tiles * w->conv.nr)));
}

static void transform_dy(Lower *lower, const Gradient *gradient) {
  const Winograd *w = &gradient->w;
  LExpr *zero = nest_i64(lower, 0);
  WinogradTile tile = winograd_open_tiles(lower, w);
  LExpr *panel = nest_loop(lower, LS_FOR, "panel", zero, nest_i64(lower, panels(gradient)), 1);
  LExpr *at = nest_mul(lower, tile.number, nest_i64(lower, w->conv.nr));
  at = nest_let(lower, "to", nest_add(lower, panel_at(lower, gradient, zero, panel), at));
  WinogradPlane to = {gradient->dy, at, 0, gradient->apart_y};
  winograd_transform_dy(lower, w, &tile, panel, gradient->line, &to);
  nest_close_all(lower, 4);
}

// ---- sums
static LExpr *sum_at(Lower *lower, const Gradient *gradient, LExpr *c, LExpr *o) {
  const Conv *conv = &gradient->w.conv;
  LExpr *place = nest_step(lower, gradient->line, gradient->w.n, gradient->place);
  return nest_step(lower, place, gradient->apart, nest_step(lower, c, conv->out, o));
}

static void multiply_rows(Lower *lower, const Gradient *gradient, LExpr *panel, LExpr *from, int rows) {
  const Winograd *w = &gradient->w;
  const Conv *conv = &w->conv;
  LExpr *i, *j, *zero = nest_i64(lower, 0), *column = nest_mul(lower, panel, nest_i64(lower, conv->nr));
  LExpr *x = nest_let(lower, "rows", nest_add(lower, x_at(lower, gradient, gradient->place, zero), from));
  LExpr *dy = nest_let(lower, "columns", panel_at(lower, gradient, gradient->place, panel));
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, rows, conv->nr, lx_real(lower->arena, conv->type, 0));
  if (gradient->block->op != LX_CONST) {
    nest_if(lower, lx_binary(lower->arena, LX_GT, gradient->block, zero));
    nest_tile(lower, rows, conv->nr, &i, &j);
    LExpr *sum = sum_at(lower, gradient, nest_add(lower, from, i), nest_add(lower, column, j));
    nest_set(lower, acc, i, j, lx_load(lower->arena, gradient->sums, sum));
    nest_close_all(lower, 2);
  }
  LExpr *k = nest_loop(lower, LS_FOR, "k", zero, gradient->tiles, 1);
  LExpr *row = nest_add(lower, x, nest_mul(lower, k, nest_i64(lower, gradient->row)));
  for (int end = 0; end <= 1; end++) {
    LExpr *first = nest_add(lower, row, nest_i64(lower, end ? rows - 1 : 0));
    nest_prefetch(lower, lx_load(lower->arena, gradient->x, first), k);
  }
  nest_tile(lower, rows, conv->nr, &i, &j);
  LExpr *a = lx_load(lower->arena, gradient->x, nest_add(lower, row, i));
  LExpr *b = lx_load(lower->arena, gradient->dy, nest_add(lower, dy, nest_step(lower, k, conv->nr, j)));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  nest_close_all(lower, 2);
  nest_tile(lower, rows, conv->nr, &i, &j);
  LExpr *sum = sum_at(lower, gradient, nest_add(lower, from, i), nest_add(lower, column, j));
  nest_put(lower, gradient->sums, sum, lx_local(lower->arena, acc, i, j));
  nest_close(lower);
}

// The parts of a line: its places, in each the panels, in each the tiles of channels.
static void each_part(Lower *lower, Gradient *gradient, const Shares *shares) {
  Conv *conv = &gradient->w.conv;
  int64_t whole = conv->in / conv->mr, rest = conv->in % conv->mr;
  Dim dims[3] = {gradient->w.n, panels(gradient), gradient->rows};
  LExpr *index[3];
  nest_unravel(lower, nest_share_parts(lower, shares), dims, NULL, 3, index);
  gradient->place = nest_let(lower, "place", index[0]);
  LExpr *panel = nest_let(lower, "panel", index[1]), *number = nest_let(lower, "number", index[2]);
  for (int last = 0; last <= 1; last++) {
    if (!nest_part(lower, number, whole, rest, last))
      continue;
    LExpr *own = last ? nest_i64(lower, whole) : number;
    LExpr *from = nest_let(lower, "c0", nest_mul(lower, own, nest_i64(lower, conv->mr)));
    multiply_rows(lower, gradient, panel, from, last ? (int)rest : conv->mr);
    nest_part_end(lower, whole, rest);
  }
  nest_close(lower);
}

static void each_block(Lower *lower, Gradient *gradient) {
  Winograd *w = &gradient->w;
  LExpr *zero = nest_i64(lower, 0);
  gradient->block = nest_loop(lower, w->shares ? LS_TOGETHER : LS_FOR, "block", zero, winograd_blocks(lower, w), 1);
  Shares shares;
  winograd_open_block(lower, w, gradient->block);
  w->share = nest_shares(lower, &shares, nest_i64(lower, w->n), w->n * panels(gradient) * gradient->rows, w->shares);
  LExpr *count = nest_mul(lower, lx_binary(lower->arena, LX_SUB, w->end, w->sample),
                          lx_binary(lower->arena, LX_SUB, w->bottom, w->line));
  gradient->tiles = nest_let(lower, "tiles", nest_mul(lower, count, nest_i64(lower, w->across)));
  if (w->samples == 1)
    winograd_copy(lower, w, w->sample);
  gradient->line = nest_share_things(lower, &shares);
  transform_x(lower, gradient);
  transform_dy(lower, gradient);
  each_part(lower, gradient, &shares);
  nest_close_all(lower, 3);
}

// ---- the end: from places to taps
typedef struct Sums {
  const Gradient *gradient;
  LExpr *at; // of the channel
} Sums;

static LExpr *load_sum(Lower *lower, const void *context, LExpr *i, LExpr *j, LExpr *o) {
  const Sums *sums = context;
  LExpr *place = nest_step(lower, i, sums->gradient->w.n, j), *from = nest_add(lower, sums->at, o);
  return lx_load(lower->arena, sums->gradient->sums, nest_step(lower, place, sums->gradient->apart, from));
}

static void finish(Lower *lower, Gradient *gradient) {
  Winograd *w = &gradient->w;
  const Conv *conv = &w->conv;
  LExpr *index[4], *zero = nest_i64(lower, 0), *three = nest_i64(lower, WINOGRAD_TAPS);
  Shares shares;
  w->share = nest_dealt_shares(lower, &shares, nest_i64(lower, conv->in), 1, w->shares);
  LExpr *c = nest_share_things(lower, &shares),
        *at = nest_let(lower, "at", nest_mul(lower, c, nest_i64(lower, conv->out)));
  Sums sums = {gradient, at};
  WinogradTransform transform = winograd_begin(lower, w, winograd_dw, w->n, WINOGRAD_TAPS, conv->out);
  transform.load = load_sum;
  transform.context = &sums;
  transform.to = (WinogradPlane){gradient->sums, at, WINOGRAD_TAPS * gradient->apart, gradient->apart};
  winograd_transform(lower, &transform);
  index[0] = nest_loop(lower, LS_FOR, "r", zero, three, 1);
  index[1] = nest_loop(lower, LS_FOR, "q", zero, three, 1);
  index[2] = c;
  LExpr *tap = nest_step(lower, index[0], WINOGRAD_TAPS, index[1]);
  ConvRow row = {gradient->sums, nest_let(lower, "from", nest_step(lower, tap, gradient->apart, at)), zero, conv->out};
  conv_finish(lower, conv, &row, index);
  nest_close_all(lower, 4);
}

// ---- sizes
// A line of places of a block stays in the second cache, a panel of dL/dy in the first. A panel of all tiles that does is one
// block, as sums that rest would take more memory than it saves.
static void choose_sizes(const Lower *lower, Gradient *gradient) {
  enum { LEAST = 64 };
  Winograd *w = &gradient->w;
  Conv *conv = &w->conv;
  conv->mr = (int)nest_even(conv->in, nest_tile_most(lower));
  gradient->rows = nest_ceil_div(conv->in, conv->mr);
  gradient->row = conv_row(conv, conv->in);
  int64_t bytes = ltype_bytes(conv->type), each = w->n * (gradient->row + conv->out) * bytes;
  int64_t fits = lower->target->l2_bytes / 2 / each, panel = lower->target->l1_bytes * 2 / 3 / (conv->nr * bytes);
  int64_t all = conv_tile_count(&gradient->y->type, w->m, lower->graph->graph->batch);
  winograd_choose_block(lower, w, all <= panel ? all : nest_at_least(fits < panel ? fits : panel, LEAST));
}

void winograd_weight_lines(Lower *lower) {
  const Node *node = lower->kernel->root;
  Gradient gradient = {.w = winograd_of(lower, node), .y = node->inputs[1]};
  Winograd *w = &gradient.w;
  Conv *conv = &w->conv;
  choose_sizes(lower, &gradient);
  gradient.apart = conv_row(conv, conv->in * conv->out);
  gradient.apart_x = conv_row(conv, w->tiles * gradient.row);
  gradient.apart_y = conv_row(conv, w->tiles * conv->out);
  int64_t of_x = w->n * gradient.apart_x, of_dy = w->n * gradient.apart_y;
  gradient.sums = nest_scratch(lower, "sums", conv->type, winograd_places(w) * gradient.apart);
  if (nest_shares_scratch(lower))
    w->shares =
        nest_most_shares(conv_piece_bytes(conv, 1, winograd_lines(w)) + (of_x + of_dy) * ltype_bytes(conv->type));
  conv_image(lower, conv, 1, winograd_lines(w), w->shares);
  w->half = winograd_scratch(lower, w, "half", WINOGRAD_HALF);
  gradient.x = winograd_scratch(lower, w, "places_x", of_x);
  gradient.dy = winograd_scratch(lower, w, "places_y", of_dy);
  each_block(lower, &gradient);
  finish(lower, &gradient);
  lower->out->barrier_inside = w->shares > 0;
}

// Are x and dL/dy in places much less than the sums? By shapes alone, as a line of places and all of them are not made in the same
// terms and may differ in bits.
static bool few_tiles(const Lower *lower) {
  const Node *node = lower->kernel->root;
  int64_t tiles = conv_tile_count(conv_y(node), node->attr->tile, lower->graph->graph->batch);
  int64_t in = node->type.dim[2], out = node->type.dim[3];
  return 2 * tiles * (in + out) <= in * out;
}

void nest_winograd_weight(Lower *lower) {
  lower->out->work = nest_work(lower);
  (few_tiles(lower) ? winograd_weight_few : winograd_weight_lines)(lower);
}

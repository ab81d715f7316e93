// Convolutions of 3 by 3 taps by minimal filtering (winograd.h). Weights are brought into the form of places once, packed in panels of
// nr channels. A block is some lines of tiles, or samples: a thread copies the piece of x it reads, brings it into the form of
// places, multiplies for each place a matrix of tiles by channels with the weights of some outputs, and brings these back.
// What lies between stays in the second cache. The kernel's further nodes (bias, activation) are computed from the outputs of
// each tile.
#include "loops/nest_winograd.h"

typedef struct Filter {
  Winograd w;
  LBuffer *weights; // [parts, places, panels, channels, nr]: in the order in which they are read
  LBuffer *turned;  // of a part, for each share: [taps, nr, channels]; NULL: weights are read where they lie
  LBuffer *places;  // x of a block, for each share: [places, tiles, row]
  LBuffer *sums;    // of a part: [places, tiles, outputs]
  LBuffer *result;  // of a tile: [m * m, outputs]
  int64_t row;      // of `places`: the channels
  int64_t outputs;  // of a part
  int64_t apart_w, apart_x, apart_y; // of `weights`, `places` and `sums`: elements from one place to the next
  LExpr *part, *column;              // the present part, its first output
} Filter;

// ---- weights
enum { PART = 32, PART_ROW = PART + 1 };

typedef struct Part {
  LExpr *share, *column, *from, *to; // the panel's first output; channels
} Part;

static LExpr *turned_at(Lower *lower, const Filter *filter, const Part *part, LExpr *tap, LExpr *j, LExpr *c) {
  LExpr *row = nest_step(lower, nest_step(lower, part->share, WINOGRAD_WEIGHTS, tap), filter->w.conv.nr, j);
  return nest_step(lower, row, PART_ROW, c);
}

// Where the weights of a place and the panel that begins with output `column` of a part lie.
static LExpr *panel_at(Lower *lower, const Filter *filter, LExpr *part, LExpr *place, LExpr *column) {
  LExpr *number = nest_step(lower, part, winograd_places(&filter->w), place);
  return nest_step(lower, number, filter->apart_w, nest_mul(lower, column, nest_i64(lower, filter->w.conv.in)));
}

// Weights of the channels of a part and the outputs of a panel, that lie along channels in memory (a gradient's, which are turned):
// copied to rows that do not fall on each other in the first cache.
static void copy_turned(Lower *lower, const Filter *filter, const Part *part) {
  const Conv *conv = &filter->w.conv;
  LExpr *zero = nest_i64(lower, 0), *three = nest_i64(lower, WINOGRAD_TAPS), *index[4];
  index[0] = nest_loop(lower, LS_FOR, "r", zero, three, 1);
  index[1] = nest_loop(lower, LS_FOR, "q", zero, three, 1);
  LExpr *j = nest_loop(lower, LS_FOR, "j", zero, nest_i64(lower, conv->nr), 1);
  LExpr *c = nest_loop(lower, LS_SIMD, "c", zero, lx_binary(lower->arena, LX_SUB, part->to, part->from), 1);
  index[2] = nest_add(lower, part->from, c);
  index[3] = nest_add(lower, part->column, j);
  LExpr *tap = nest_step(lower, index[0], WINOGRAD_TAPS, index[1]);
  nest_put(lower, filter->turned, turned_at(lower, filter, part, tap, j, c),
           lower_value(lower, conv->node->inputs[1], index));
  nest_close_all(lower, 4);
}

typedef struct Taps {
  const Filter *filter;
  const Part *part;
  LExpr *c;
} Taps;

static LExpr *load_tap(Lower *lower, const void *context, LExpr *r, LExpr *q, LExpr *j) {
  const Taps *taps = context;
  const Part *part = taps->part;
  LExpr *index[4] = {r, q, taps->c, nest_add(lower, part->column, j)};
  if (!taps->filter->turned)
    return lower_value(lower, taps->filter->w.conv.node->inputs[1], index);
  LExpr *tap = nest_step(lower, r, WINOGRAD_TAPS, q), *own = lx_binary(lower->arena, LX_SUB, taps->c, part->from);
  return lx_load(lower->arena, taps->filter->turned, turned_at(lower, taps->filter, part, tap, j, own));
}

static void pack_part(Lower *lower, const Filter *filter, const Part *part) {
  const Conv *conv = &filter->w.conv;
  Taps taps = {filter, part, nest_loop(lower, LS_FOR, "channel", part->from, part->to, 1)};
  Winograd w = filter->w;
  w.share = part->share;
  WinogradTransform transform = winograd_begin(lower, &w, winograd_w, WINOGRAD_TAPS, w.n, conv->nr);
  transform.load = load_tap;
  transform.context = &taps;
  LExpr *outputs = nest_i64(lower, filter->outputs), *own = lx_binary(lower->arena, LX_MOD, part->column, outputs);
  LExpr *at = panel_at(lower, filter, nest_div(lower, part->column, outputs), nest_i64(lower, 0), own);
  at = nest_let(lower, "at", nest_add(lower, at, nest_mul(lower, taps.c, nest_i64(lower, conv->nr))));
  transform.to = (WinogradPlane){filter->weights, at, w.n * filter->apart_w, filter->apart_w};
  winograd_transform(lower, &transform);
  nest_close(lower);
}

static void pack_all(Lower *lower, const Filter *filter, int64_t most) {
  const Conv *conv = &filter->w.conv;
  LExpr *parts = nest_i64(lower, nest_ceil_div(conv->in, PART)), *panels = nest_i64(lower, conv->out / conv->nr);
  Shares shares;
  Part part = {.share = nest_dealt_shares(lower, &shares, nest_mul(lower, panels, parts), 1, most)};
  LExpr *number = nest_share_things(lower, &shares), *each = nest_i64(lower, PART);
  part.column = nest_let(lower, "o0", nest_mul(lower, nest_div(lower, number, parts), nest_i64(lower, conv->nr)));
  part.from = nest_let(lower, "c0", nest_mul(lower, lx_binary(lower->arena, LX_MOD, number, parts), each));
  part.to = nest_add(lower, part.from, each);
  if (conv->in % PART)
    part.to = nest_let(lower, "c1", nest_min(lower, part.to, nest_i64(lower, conv->in)));
  if (filter->turned)
    copy_turned(lower, filter, &part);
  pack_part(lower, filter, &part);
  nest_close_all(lower, 2);
}

// Once for a series of calls, if the weights stay the same; else at each call, in scratch memory.
static void pack(Lower *lower, Filter *filter) {
  const Conv *conv = &filter->w.conv;
  int64_t length = conv->out / filter->outputs * winograd_places(&filter->w) * filter->apart_w;
  if (nest_steady(lower, conv->node->inputs[1])) {
    Lower ahead = nest_ahead_begin(lower, "packed_w", conv->type, length, &filter->weights);
    Filter own = *filter;
    own.w.half = winograd_scratch(&ahead, &own.w, "half", WINOGRAD_HALF);
    pack_all(&ahead, &own, own.w.shares);
    filter->weights = nest_ahead_end(lower, &ahead);
    filter->w.half = winograd_scratch(lower, &filter->w, "half", WINOGRAD_HALF);
    return;
  }
  filter->weights = nest_scratch(lower, "packed_w", conv->type, length);
  filter->w.half = winograd_scratch(lower, &filter->w, "half", WINOGRAD_HALF);
  if (conv_turned(lower, conv))
    filter->turned = winograd_scratch(lower, &filter->w, "turned_w", WINOGRAD_WEIGHTS * conv->nr * PART_ROW);
  pack_all(lower, filter, filter->w.shares);
  lower->out->barrier_inside = filter->w.shares > 0;
}

// ---- x, in places
// Where a tile begins in a buffer that each share has [places, tiles, row] of.
static LExpr *place_at(Lower *lower, const Winograd *w, LExpr *place, int64_t apart, LExpr *tile, int64_t row) {
  LExpr *number = nest_step(lower, w->share, winograd_places(w), place);
  return nest_step(lower, number, apart, nest_mul(lower, tile, nest_i64(lower, row)));
}

static LExpr *x_at(Lower *lower, const Filter *filter, LExpr *place, LExpr *tile) {
  return place_at(lower, &filter->w, place, filter->apart_x, tile, filter->row);
}

static LExpr *sum_at(Lower *lower, const Filter *filter, LExpr *place, LExpr *tile) {
  return place_at(lower, &filter->w, place, filter->apart_y, tile, filter->outputs);
}

static void transform(Lower *lower, Filter *filter) {
  Winograd *w = &filter->w;
  WinogradTile tile = winograd_open_copied(lower, w);
  LExpr *to_x = nest_let(lower, "to", x_at(lower, filter, nest_i64(lower, 0), tile.number));
  WinogradPlane to = {filter->places, to_x, w->n * filter->apart_x, filter->apart_x};
  winograd_transform_x(lower, w, &tile, NULL, &to);
  nest_close_all(lower, 3);
}

// ---- products
static void multiply_rows(Lower *lower, const Filter *filter, LExpr *place, LExpr *panel, LExpr *from, int rows) {
  const Winograd *w = &filter->w;
  const Conv *conv = &w->conv;
  LExpr *i, *j, *zero = nest_i64(lower, 0);
  LExpr *at = nest_let(lower, "rows", x_at(lower, filter, place, from));
  LExpr *weights = panel_at(lower, filter, filter->part, place, panel);
  weights = nest_let(lower, "panel", weights);
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, rows, conv->nr, lx_real(lower->arena, conv->type, 0));
  LExpr *k = nest_loop(lower, LS_FOR, "k", zero, nest_i64(lower, conv->in), 1);
  NextPanel next = {.packed = filter->weights,
                    .next = nest_add(lower, weights, nest_i64(lower, conv->in * conv->nr)),
                    .done = from,
                    .length = conv->in * conv->nr,
                    .all = w->tiles,
                    .rounds = conv->in,
                    .rows = rows};
  nest_prefetch_panel(lower, &next, k);
  nest_tile(lower, rows, conv->nr, &i, &j);
  LExpr *a = lx_load(lower->arena, filter->places, nest_add(lower, at, nest_step(lower, i, filter->row, k)));
  LExpr *b = lx_load(lower->arena, filter->weights, nest_add(lower, weights, nest_step(lower, k, conv->nr, j)));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  nest_close_all(lower, 2);
  nest_tile(lower, rows, conv->nr, &i, &j);
  LExpr *to = sum_at(lower, filter, place, nest_add(lower, from, i));
  to = nest_add(lower, to, nest_add(lower, panel, j));
  nest_put(lower, filter->sums, to, lx_local(lower->arena, acc, i, j));
  nest_close(lower);
}

static void multiply(Lower *lower, const Filter *filter) {
  const Winograd *w = &filter->w;
  int mr = w->conv.mr;
  int64_t whole = w->tiles / mr * mr;
  LExpr *zero = nest_i64(lower, 0);
  LExpr *place = nest_loop(lower, LS_FOR, "place", zero, nest_i64(lower, winograd_places(w)), 1);
  LExpr *panel = nest_loop(lower, LS_FOR, "o1", zero, nest_i64(lower, filter->outputs), w->conv.nr);
  LExpr *from = nest_loop(lower, LS_FOR, "i0", zero, nest_i64(lower, whole), mr);
  multiply_rows(lower, filter, place, panel, from, mr);
  nest_close(lower);
  if (whole < w->tiles)
    multiply_rows(lower, filter, place, panel, nest_i64(lower, whole), (int)(w->tiles - whole));
  nest_close_all(lower, 2);
}

// ---- outputs
typedef struct Sums {
  const Filter *filter;
  LExpr *at; // of the tile's first place
} Sums;

static LExpr *load_sum(Lower *lower, const void *context, LExpr *i, LExpr *j, LExpr *o) {
  const Sums *sums = context;
  const Winograd *w = &sums->filter->w;
  LExpr *place = nest_mul(lower, nest_step(lower, i, w->n, j), nest_i64(lower, sums->filter->apart_y));
  return lx_load(lower->arena, sums->filter->sums, nest_add(lower, nest_add(lower, sums->at, place), o));
}

// From the sums of a tile to its m * m outputs.
static void transform_back(Lower *lower, const Filter *filter, const WinogradTile *tile, LExpr *to) {
  const Winograd *w = &filter->w;
  Sums sums = {filter, nest_let(lower, "at", sum_at(lower, filter, nest_i64(lower, 0), tile->number))};
  WinogradTransform transform = winograd_begin(lower, w, winograd_y, w->n, w->m, filter->outputs);
  transform.load = load_sum;
  transform.context = &sums;
  transform.to = (WinogradPlane){filter->result, to, w->m * filter->outputs, filter->outputs};
  winograd_transform(lower, &transform);
}

// The outputs along dimension d that there are of the tile's m.
static LExpr *open_outputs(Lower *lower, const Winograd *w, int d, LExpr *tile) {
  LExpr *m = nest_i64(lower, w->m), *to = m, *size = nest_i64(lower, w->conv.view.outputs[d]);
  if (w->conv.view.outputs[d] % w->m)
    to = nest_let(lower, "there", nest_min(lower, m, lx_binary(lower->arena, LX_SUB, size, nest_mul(lower, tile, m))));
  return nest_loop(lower, LS_FOR, d ? "s" : "r", nest_i64(lower, 0), to, 1);
}

static void finish(Lower *lower, const Filter *filter) {
  const Winograd *w = &filter->w;
  LExpr *index[MAX_RANK];
  WinogradTile tile = winograd_open_tiles(lower, w);
  LExpr *to = nest_let(lower, "to", nest_mul(lower, w->share, nest_i64(lower, w->m * w->m * filter->outputs)));
  transform_back(lower, filter, &tile, to);
  conv_lead(lower, &w->conv, tile.sample, index);
  LExpr *r = open_outputs(lower, w, 0, tile.p), *s = open_outputs(lower, w, 1, tile.q);
  index[w->conv.lead] = nest_let(lower, "row", nest_step(lower, tile.p, w->m, r));
  index[w->conv.lead + 1] = nest_let(lower, "column", nest_step(lower, tile.q, w->m, s));
  LExpr *at = nest_step(lower, nest_step(lower, r, w->m, s), filter->outputs, to);
  ConvRow row = {filter->result, nest_let(lower, "y", at), filter->column, filter->outputs};
  conv_finish(lower, &w->conv, &row, index);
  nest_close_all(lower, 5);
}

// ---- blocks, cut into shares
static void each_block(Lower *lower, Filter *filter) {
  Winograd *w = &filter->w;
  Shares shares;
  w->share = nest_dealt_shares(lower, &shares, winograd_blocks(lower, w), w->conv.out / filter->outputs, w->shares);
  winograd_open_block(lower, w, nest_share_things(lower, &shares));
  transform(lower, filter);
  filter->part = nest_share_parts(lower, &shares);
  filter->column = nest_let(lower, "o0", nest_mul(lower, filter->part, nest_i64(lower, filter->outputs)));
  multiply(lower, filter);
  finish(lower, filter);
  nest_close_all(lower, 3);
}

// ---- sizes
// Parts that are equal.
static void choose_outputs(Filter *filter) {
  enum { MOST = 128 };
  const Conv *conv = &filter->w.conv;
  for (int64_t wide = conv->nr; wide <= MOST && wide <= conv->out; wide += conv->nr)
    if (conv->out % wide == 0)
      filter->outputs = wide;
}

void nest_winograd(Lower *lower) {
  enum { LEAST = 32 }; // tiles, or the weights are not worth their way from memory
  Filter filter = {.w = winograd_of(lower, lower->kernel->root)};
  Winograd *w = &filter.w;
  Conv *conv = &w->conv;
  lower->out->work = nest_work(lower);
  choose_outputs(&filter);
  int64_t each = winograd_places(w) * (conv->in + filter.outputs) * ltype_bytes(conv->type);
  winograd_choose_block(lower, w, nest_at_least(lower->target->l2_bytes * 3 / 4 / each, LEAST));
  conv->mr = (int)nest_even(w->tiles, nest_tile_most(lower));
  filter.row = conv_row(conv, conv->in);
  filter.apart_w = conv_row(conv, conv->in * filter.outputs);
  filter.apart_x = conv_row(conv, w->tiles * filter.row);
  filter.apart_y = conv_row(conv, w->tiles * filter.outputs);
  int64_t lines = winograd_lines(w), of_places = winograd_places(w) * filter.apart_x;
  int64_t of_sums = winograd_places(w) * filter.apart_y, of_result = w->m * w->m * filter.outputs;
  if (nest_shares_scratch(lower))
    w->shares = nest_most_shares(conv_piece_bytes(conv, 1, lines) +
                                 (of_places + of_sums + of_result) * ltype_bytes(conv->type));
  pack(lower, &filter);
  conv_image(lower, conv, 1, lines, w->shares);
  filter.places = winograd_scratch(lower, w, "places", of_places);
  filter.sums = winograd_scratch(lower, w, "sums", of_sums);
  filter.result = winograd_scratch(lower, w, "tile_y", of_result);
  each_block(lower, &filter);
}

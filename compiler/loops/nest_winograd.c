// Convolutions of 3 by 3 taps by minimal filtering (winograd.h). Weights are brought into the form of places once, packed in panels of
// nr channels. A block is some lines of tiles, or samples: a thread copies the piece of x it reads, brings it into the form of
// places, multiplies for each place a matrix of tiles by channels with the weights of some outputs, and brings these back.
// What lies between stays in the second cache. The kernel's further nodes (bias, activation) are computed from the outputs of
// each tile.
#include "loops/nest_winograd.h"

typedef struct Filter {
  Winograd w;
  LBuffer *weights; // [places, panels, channels, nr]
  LBuffer *places;  // x of a block, for each share: [places, tiles, row]
  LBuffer *sums;    // of a part: [places, tiles, outputs]
  LBuffer *result;  // of a tile: [m * m, outputs]
  int64_t row;      // of `places`: the channels
  int64_t outputs;  // of a part
  LExpr *column;    // first output of the present part
} Filter;

// ---- weights
// Where the weights of a place and the panel that begins with output `column` lie.
static LExpr *panel_at(Lower *lower, const Filter *filter, LExpr *place, LExpr *column) {
  const Conv *conv = &filter->w.conv;
  return nest_mul(lower, winograd_step(lower, place, conv->out, column), nest_i64(lower, conv->in));
}

static void pack_all(Lower *lower, Filter *filter, bool shared) {
  const Winograd *w = &filter->w;
  const Conv *conv = &w->conv;
  LExpr *zero = nest_i64(lower, 0), *index[4], *taps[WINOGRAD_WEIGHTS], *values[WINOGRAD_PLACES];
  LExpr *c = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "c", zero, nest_i64(lower, conv->in), 1);
  LExpr *column = nest_loop(lower, LS_FOR, "o0", zero, nest_i64(lower, conv->out), conv->nr);
  LExpr *j = nest_loop(lower, LS_SIMD, "j", zero, nest_i64(lower, conv->nr), 1);
  index[2] = c;
  index[3] = nest_add(lower, column, j);
  for (int tap = 0; tap < WINOGRAD_WEIGHTS; tap++) {
    index[0] = nest_i64(lower, tap / WINOGRAD_TAPS);
    index[1] = nest_i64(lower, tap % WINOGRAD_TAPS);
    taps[tap] = nest_let(lower, "w", lower_value(lower, conv->node->inputs[1], index));
  }
  winograd_plane(lower, winograd_w, w->m, WINOGRAD_TAPS, w->n, taps, values);
  for (int i = 0; i < winograd_places(w); i++) {
    LExpr *panel = panel_at(lower, filter, nest_i64(lower, i), column);
    winograd_store(lower, filter->weights, nest_add(lower, panel, winograd_step(lower, c, conv->nr, j)), values[i]);
  }
  winograd_close(lower, 3);
}

// Once for a series of calls, if the weights stay the same; else at each call, in scratch memory. Gives the bytes of that.
static int64_t pack(Lower *lower, Filter *filter, int64_t scratch, bool shared) {
  const Conv *conv = &filter->w.conv;
  int64_t length = winograd_places(&filter->w) * conv->in * conv->out;
  if (nest_steady(lower, conv->node->inputs[1])) {
    Lower ahead = nest_ahead_begin(lower, "packed_w", conv->type, length, &filter->weights);
    pack_all(&ahead, filter, length >= SHARED_WORK);
    filter->weights = nest_ahead_end(lower, &ahead);
    return 0;
  }
  filter->weights = nest_scratch(lower, "packed_w", conv->type, length, scratch);
  pack_all(lower, filter, shared);
  return whole_lines(length * ltype_bytes(conv->type));
}

// ---- x, in places
// An element of a buffer that each share has [places, tiles, row] of.
static LExpr *place_at(Lower *lower, const Winograd *w, LExpr *place, LExpr *tile, int64_t row, LExpr *element) {
  LExpr *number = winograd_step(lower, w->share, winograd_places(w), place);
  return winograd_step(lower, winograd_step(lower, number, w->tiles, tile), row, element);
}

static void transform(Lower *lower, const Filter *filter) {
  const Winograd *w = &filter->w;
  LExpr *x[WINOGRAD_PLACES], *values[WINOGRAD_PLACES], *zero = nest_i64(lower, 0);
  WinogradTile tile = winograd_open_tiles(lower, w);
  LExpr *at = winograd_x_at(lower, w, &tile);
  LExpr *to = nest_let(lower, "to", place_at(lower, w, zero, tile.number, filter->row, zero));
  LExpr *c = nest_loop(lower, LS_SIMD, "c", zero, nest_i64(lower, w->conv.in), 1);
  winograd_load_x(lower, w, at, c, x);
  winograd_plane(lower, winograd_x, w->m, w->n, w->n, x, values);
  for (int i = 0; i < winograd_places(w); i++) {
    LExpr *shift = nest_i64(lower, i * w->tiles * filter->row);
    winograd_store(lower, filter->places, nest_add(lower, nest_add(lower, to, shift), c), values[i]);
  }
  winograd_close(lower, 4);
}

// ---- products
static void multiply_rows(Lower *lower, const Filter *filter, LExpr *place, LExpr *panel, LExpr *from, int rows) {
  const Winograd *w = &filter->w;
  const Conv *conv = &w->conv;
  LExpr *i, *j, *zero = nest_i64(lower, 0);
  LExpr *at = nest_let(lower, "rows", place_at(lower, w, place, from, filter->row, zero));
  LExpr *weights = panel_at(lower, filter, place, nest_add(lower, filter->column, panel));
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
  LExpr *a = lx_load(lower->arena, filter->places, nest_add(lower, at, winograd_step(lower, i, filter->row, k)));
  LExpr *b = lx_load(lower->arena, filter->weights, nest_add(lower, weights, winograd_step(lower, k, conv->nr, j)));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  winograd_close(lower, 2);
  nest_tile(lower, rows, conv->nr, &i, &j);
  LExpr *to = place_at(lower, w, place, nest_add(lower, from, i), filter->outputs, nest_add(lower, panel, j));
  winograd_store(lower, filter->sums, to, lx_local(lower->arena, acc, i, j));
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
  winograd_close(lower, 2);
}

// ---- outputs
// From the sums of a tile to its m * m outputs.
static void transform_back(Lower *lower, const Filter *filter, const WinogradTile *tile, LExpr *to) {
  const Winograd *w = &filter->w;
  LExpr *sums[WINOGRAD_PLACES], *values[WINOGRAD_PLACES], *zero = nest_i64(lower, 0);
  LExpr *at = nest_let(lower, "at", place_at(lower, w, zero, tile->number, filter->outputs, zero));
  LExpr *o = nest_loop(lower, LS_SIMD, "o", zero, nest_i64(lower, filter->outputs), 1);
  for (int i = 0; i < winograd_places(w); i++) {
    LExpr *from = nest_add(lower, nest_add(lower, at, nest_i64(lower, i * w->tiles * filter->outputs)), o);
    sums[i] = nest_let(lower, "s", lx_load(lower->arena, filter->sums, from));
  }
  winograd_plane(lower, winograd_y, w->m, w->n, w->m, sums, values);
  for (int i = 0; i < w->m * w->m; i++) {
    LExpr *shift = nest_i64(lower, i * filter->outputs);
    winograd_store(lower, filter->result, nest_add(lower, nest_add(lower, to, shift), o), values[i]);
  }
  nest_close(lower);
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
  index[w->conv.lead] = nest_let(lower, "row", winograd_step(lower, tile.p, w->m, r));
  index[w->conv.lead + 1] = nest_let(lower, "column", winograd_step(lower, tile.q, w->m, s));
  LExpr *at = winograd_step(lower, winograd_step(lower, r, w->m, s), filter->outputs, to);
  winograd_finish(lower, w, filter->result, nest_let(lower, "y", at), index, filter->column, filter->outputs);
  winograd_close(lower, 5);
}

// ---- blocks, cut into shares
static void each_block(Lower *lower, Filter *filter) {
  Winograd *w = &filter->w;
  Shares shares;
  w->share = nest_shares(lower, &shares, winograd_blocks(lower, w), w->conv.out / filter->outputs, w->shares);
  winograd_open_block(lower, w, nest_share_things(lower, &shares));
  conv_copy(lower, &w->conv, w->share, w->sample, nest_mul(lower, w->line, nest_i64(lower, w->m)));
  transform(lower, filter);
  LExpr *part = nest_share_parts(lower, &shares);
  filter->column = nest_let(lower, "o0", nest_mul(lower, part, nest_i64(lower, filter->outputs)));
  multiply(lower, filter);
  finish(lower, filter);
  winograd_close(lower, 3);
}

// ---- sizes
// Panels of two vectors, or of one, so that none is narrower, and parts that are equal.
static void choose_outputs(const Lower *lower, Filter *filter) {
  enum { MOST = 128 };
  Conv *conv = &filter->w.conv;
  int lanes = (int)nest_at_least(lower->target->vector_bytes / ltype_bytes(conv->type), 1);
  conv->nr = conv->out % (2 * lanes) == 0 ? 2 * lanes : conv->out % lanes == 0 ? lanes : 1;
  for (int64_t wide = conv->nr; wide <= MOST && wide <= conv->out; wide += conv->nr)
    if (conv->out % wide == 0)
      filter->outputs = wide;
}

int64_t nest_winograd(Lower *lower, int64_t scratch) {
  enum { LEAST = 32 }; // tiles, or the weights are not worth their way from memory
  Filter filter = {.w = winograd_of(lower, lower->kernel->root)};
  Winograd *w = &filter.w;
  Conv *conv = &w->conv;
  lower->out->work = nest_work(lower);
  bool shared = nest_shares_scratch(lower);
  choose_outputs(lower, &filter);
  int64_t each = winograd_places(w) * (conv->in + filter.outputs) * ltype_bytes(conv->type);
  winograd_choose_block(lower, w, nest_at_least(lower->target->l2_bytes * 3 / 4 / each, LEAST));
  conv->mr = (int)nest_even(w->tiles, nest_tile_most(lower));
  filter.row = winograd_row(w, conv->in);
  int64_t lines = winograd_lines(w), of_places = winograd_places(w) * w->tiles * filter.row;
  int64_t of_sums = winograd_places(w) * w->tiles * filter.outputs, of_result = w->m * w->m * filter.outputs;
  if (shared)
    w->shares = nest_most_shares(conv_piece_bytes(conv, w->samples, lines) +
                                 (of_places + of_sums + of_result) * ltype_bytes(conv->type));
  int64_t packed = pack(lower, &filter, scratch, shared), at = scratch + packed;
  at += conv_image(lower, conv, w->samples, lines, w->shares, at);
  filter.places = winograd_scratch(lower, w, "places", of_places, &at);
  filter.sums = winograd_scratch(lower, w, "sums", of_sums, &at);
  filter.result = winograd_scratch(lower, w, "tile_y", of_result, &at);
  each_block(lower, &filter);
  lower->out->barrier_inside = shared && packed > 0;
  return at - scratch;
}

// Products and outputs of a block of tiles, in both orders of minimal filtering.
#include "loops/winograd_filter.h"

// ---- memory
void filter_choose_memory(Lower *lower, Filter *filter, int64_t tiles, int64_t lines) {
  Winograd *w = &filter->w;
  const Conv *conv = &w->conv;
  int64_t places = winograd_places(w), bytes = ltype_bytes(conv->type);
  filter->row = conv_row(conv, conv->in);
  filter->apart_w = conv_row(conv, filter->depth * filter->outputs);
  filter->apart_x = conv_row(conv, tiles * filter->row);
  filter->apart_y = conv_row(conv, w->tiles * filter->outputs);
  int64_t own = (filter->x_first ? 0 : filter->apart_x) + (filter->near ? filter->apart_w : 0);
  int64_t each = places * (own + filter->apart_y) + w->m * w->m * filter->outputs;
  if (nest_shares_scratch(lower))
    w->shares = nest_most_shares(conv_piece_bytes(conv, 1, lines) + each * bytes);
}

void filter_take_memory(Lower *lower, Filter *filter) {
  const Winograd *w = &filter->w;
  int64_t places = winograd_places(w);
  filter->sums = winograd_scratch(lower, w, "sums", places * filter->apart_y);
  filter->result = winograd_scratch(lower, w, "tile_y", w->m * w->m * filter->outputs);
}

// ---- weights
LExpr *filter_panel_at(Lower *lower, const Filter *filter, LExpr *place, LExpr *column) {
  const Winograd *w = &filter->w;
  LExpr *number = nest_step(lower, filter->near ? w->share : filter->part, winograd_places(w), place);
  return nest_step(lower, number, filter->apart_w, nest_mul(lower, column, nest_i64(lower, filter->depth)));
}

void filter_pack(Lower *lower, const Filter *filter, LExpr *from, LExpr *to, LExpr *at) {
  const Winograd *w = &filter->w;
  WinogradPlane plane = {filter->weights, at, w->n * filter->apart_w, filter->apart_w};
  winograd_pack(lower, w, &(WinogradPanel){filter->turned, filter->column, from, to, plane});
}

static void pack_all(Lower *lower, const Filter *filter, int64_t most) {
  const Conv *conv = &filter->w.conv;
  LExpr *outputs = nest_i64(lower, filter->outputs);
  LExpr *parts = nest_i64(lower, nest_ceil_div(conv->in, WINOGRAD_PART));
  LExpr *panels = nest_i64(lower, conv->out / conv->nr);
  Shares shares;
  Filter own = *filter;
  own.w.share = nest_dealt_shares(lower, &shares, nest_mul(lower, panels, parts), 1, most);
  LExpr *number = nest_share_things(lower, &shares), *each = nest_i64(lower, WINOGRAD_PART);
  own.column = nest_let(lower, "o0", nest_mul(lower, nest_div(lower, number, parts), nest_i64(lower, conv->nr)));
  own.part = nest_div(lower, own.column, outputs);
  LExpr *from = nest_let(lower, "c0", nest_mul(lower, lx_binary(lower->arena, LX_MOD, number, parts), each));
  LExpr *at = filter_panel_at(lower, &own, nest_i64(lower, 0), lx_binary(lower->arena, LX_MOD, own.column, outputs));
  LExpr *to = nest_add(lower, from, each);
  if (conv->in % WINOGRAD_PART)
    to = nest_let(lower, "c1", nest_min(lower, to, nest_i64(lower, conv->in)));
  filter_pack(lower, &own, from, to, at);
  nest_close_all(lower, 2);
}

void filter_pack_all(Lower *lower, Filter *filter) {
  const Conv *conv = &filter->w.conv;
  int64_t length = conv->out / filter->outputs * winograd_places(&filter->w) * filter->apart_w;
  if (nest_steady(lower, conv->node->inputs[1])) {
    Lower ahead = nest_ahead_begin(lower, "packed_w", conv->type, length, &filter->weights);
    pack_all(&ahead, filter, filter->w.shares);
    filter->weights = nest_ahead_end(lower, &ahead);
    return;
  }
  filter->weights = nest_scratch(lower, "packed_w", conv->type, length);
  filter->turned = winograd_turned(lower, &filter->w);
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
  if (!filter->x_first)
    return place_at(lower, &filter->w, place, filter->apart_x, tile, filter->row);
  return nest_step(lower, place, filter->apart_x, nest_mul(lower, tile, nest_i64(lower, filter->row)));
}

static LExpr *sum_at(Lower *lower, const Filter *filter, LExpr *place, LExpr *tile) {
  return place_at(lower, &filter->w, place, filter->apart_y, tile, filter->outputs);
}

void filter_transform_x(Lower *lower, Filter *filter, Winograd *block) {
  WinogradTile tile = winograd_open_copied(lower, block);
  LExpr *to = nest_let(lower, "to", x_at(lower, filter, nest_i64(lower, 0), tile.number));
  WinogradPlane plane = {filter->places, to, block->n * filter->apart_x, filter->apart_x};
  winograd_transform_x(lower, block, &tile, NULL, &plane);
  nest_close_all(lower, 3);
}

// ---- products
// Some tiles of the present block, multiplied in one place with one panel.
typedef struct Rows {
  LExpr *place, *panel; // the panel's first output
  LExpr *from;          // the first tile
  int count;
  LExpr *x, *weights; // where they begin
} Rows;

// The sum of row i and column j of a tile of registers.
static LExpr *sum_of(Lower *lower, const Filter *filter, const Rows *rows, LExpr *i, LExpr *j) {
  LExpr *at = sum_at(lower, filter, rows->place, nest_add(lower, rows->from, i));
  return nest_add(lower, at, nest_add(lower, rows->panel, j));
}

// What the next panel will be read from.
static void prefetch_panel(Lower *lower, const Filter *filter, const Rows *rows, LExpr *k) {
  int64_t length = filter->depth * filter->w.conv.nr;
  NextPanel next = {.packed = filter->weights,
                    .next = nest_add(lower, rows->weights, nest_i64(lower, length)),
                    .done = rows->from,
                    .length = length,
                    .all = filter->w.tiles,
                    .rounds = filter->depth,
                    .rows = rows->count};
  nest_prefetch_panel(lower, &next, k);
}

// x of the next tile of registers.
static void prefetch_x(Lower *lower, const Filter *filter, const Rows *rows) {
  NextRows next = {.buffer = filter->places,
                   .from = nest_add(lower, rows->x, nest_i64(lower, rows->count * filter->row)),
                   .part = nest_i64(lower, 0),
                   .rows = rows->count,
                   .parts = 1,
                   .apart = filter->row,
                   .length = filter->depth};
  nest_prefetch_rows(lower, &next);
}

// The weights that are brought into places after these: the next channels', or the first of the next panel. A place asks for a
// fourth of a tap, or one of the first nine for a tap.
static void prefetch_weights(Lower *lower, const Filter *filter, const Rows *rows) {
  const Conv *conv = &filter->w.conv;
  int64_t turned = conv_turned(lower, conv), share = winograd_places(&filter->w) / WINOGRAD_WEIGHTS;
  int64_t each = (turned ? conv->nr : filter->depth) / share, apart = turned ? turned : conv->out;
  LExpr *tap = nest_div(lower, rows->place, nest_i64(lower, share)), *taps = nest_i64(lower, WINOGRAD_TAPS);
  LExpr *row =
      nest_step(lower, lx_binary(lower->arena, LX_MOD, rows->place, nest_i64(lower, share)), each, nest_i64(lower, 0));
  LExpr *zero = nest_i64(lower, 0), *channel = nest_add(lower, filter->channel, nest_i64(lower, filter->depth));
  LExpr *last = lx_binary(lower->arena, LX_GE, channel, nest_i64(lower, conv->in));
  LExpr *on = lx_select(lower->arena, last, nest_i64(lower, conv->nr), zero),
        *column = nest_add(lower, filter->column, on);
  channel = lx_select(lower->arena, last, zero, channel);
  LExpr *index[4] = {nest_div(lower, tap, taps), lx_binary(lower->arena, LX_MOD, tap, taps), channel, column};
  index[turned ? 3 : 2] = nest_add(lower, index[turned ? 3 : 2], row);
  const LExpr *value = conv_weight(lower, conv, index);
  if (value->op != LX_LOAD)
    return;
  NextRows next = {.buffer = value->buffer,
                   .from = nest_let(lower, "ahead", value->args[0]),
                   .part = nest_div(lower, rows->from, nest_i64(lower, conv->mr)),
                   .rows = each,
                   .parts = nest_ceil_div(filter->w.tiles, conv->mr),
                   .apart = apart,
                   .length = turned ? filter->depth : conv->nr};
  nest_prefetch_rows(lower, &next);
}

static void multiply_rows(Lower *lower, const Filter *filter, Rows *rows) {
  const Conv *conv = &filter->w.conv;
  LExpr *i, *j, *zero = nest_i64(lower, 0);
  LExpr *x = x_at(lower, filter, rows->place, nest_add(lower, filter->tile, rows->from));
  rows->x = nest_let(lower, "rows", nest_add(lower, x, filter->channel));
  rows->weights = nest_let(lower, "panel", filter_panel_at(lower, filter, rows->place, rows->panel));
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, rows->count, conv->nr, lx_real(lower->arena, conv->type, 0));
  if (filter->channel->op != LX_CONST) {
    nest_if(lower, lx_binary(lower->arena, LX_GT, filter->channel, zero));
    nest_tile(lower, rows->count, conv->nr, &i, &j);
    nest_set(lower, acc, i, j, lx_load(lower->arena, filter->sums, sum_of(lower, filter, rows, i, j)));
    nest_close_all(lower, 2);
  }
  if (filter->near) {
    prefetch_x(lower, filter, rows);
    prefetch_weights(lower, filter, rows);
  }
  LExpr *k = nest_loop(lower, LS_FOR, "k", zero, nest_i64(lower, filter->depth), 1);
  if (!filter->near)
    prefetch_panel(lower, filter, rows, k);
  nest_tile(lower, rows->count, conv->nr, &i, &j);
  LExpr *a = lx_load(lower->arena, filter->places, nest_add(lower, rows->x, nest_step(lower, i, filter->row, k)));
  LExpr *b = lx_load(lower->arena, filter->weights, nest_add(lower, rows->weights, nest_step(lower, k, conv->nr, j)));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  nest_close_all(lower, 2);
  nest_tile(lower, rows->count, conv->nr, &i, &j);
  nest_put(lower, filter->sums, sum_of(lower, filter, rows, i, j), lx_local(lower->arena, acc, i, j));
  nest_close(lower);
}

void filter_multiply(Lower *lower, const Filter *filter) {
  const Winograd *w = &filter->w;
  int mr = w->conv.mr;
  int64_t whole = w->tiles / mr * mr;
  LExpr *zero = nest_i64(lower, 0);
  Rows rows = {.count = mr};
  rows.place = nest_loop(lower, LS_FOR, "place", zero, nest_i64(lower, winograd_places(w)), 1);
  rows.panel = nest_loop(lower, LS_FOR, "o1", zero, nest_i64(lower, filter->outputs), w->conv.nr);
  rows.from = nest_loop(lower, LS_FOR, "i0", zero, nest_i64(lower, whole), mr);
  multiply_rows(lower, filter, &rows);
  nest_close(lower);
  rows.from = nest_i64(lower, whole);
  rows.count = (int)(w->tiles - whole);
  if (rows.count)
    multiply_rows(lower, filter, &rows);
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

void filter_finish(Lower *lower, const Filter *filter) {
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

// Convolutions of 3 by 3 taps by minimal filtering (winograd.h), in one of two orders. Weights first: they are brought into the form
// of places once, packed in panels of nr channels. A block is some lines of tiles, or samples: a thread copies the piece of x it
// reads, brings it into the form of places, multiplies for each place a matrix of tiles by channels with the weights of some
// outputs, and brings these back. What lies between stays in the second cache. x first (nest_winograd_x.c): where weights in
// places would be larger than x. The kernel's further nodes (bias, activation) are computed from the outputs of each tile.
#include "loops/winograd_filter.h"

// ---- weights
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

// Once for a series of calls, if the weights stay the same; else at each call, in scratch memory.
static void pack(Lower *lower, Filter *filter) {
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

// ---- blocks, cut into shares
static void each_block(Lower *lower, Filter *filter) {
  Winograd *w = &filter->w;
  Shares shares;
  w->share = nest_dealt_shares(lower, &shares, winograd_blocks(lower, w), w->conv.out / filter->outputs, w->shares);
  winograd_open_block(lower, w, nest_share_things(lower, &shares));
  filter_transform_x(lower, filter, w);
  filter->part = nest_share_parts(lower, &shares);
  filter->column = nest_let(lower, "o0", nest_mul(lower, filter->part, nest_i64(lower, filter->outputs)));
  filter_multiply(lower, filter);
  filter_finish(lower, filter);
  nest_close_all(lower, 3);
}

// Parts that are equal.
static void choose_outputs(Filter *filter) {
  enum { MOST = 128 };
  const Conv *conv = &filter->w.conv;
  for (int64_t wide = conv->nr; wide <= MOST && wide <= conv->out; wide += conv->nr)
    if (conv->out % wide == 0)
      filter->outputs = wide;
}

void winograd_weights_first(Lower *lower, Filter *filter) {
  enum { LEAST = 32 }; // tiles, or the weights are not worth their way from memory
  Winograd *w = &filter->w;
  Conv *conv = &w->conv;
  choose_outputs(filter);
  int64_t each = winograd_places(w) * (conv->in + filter->outputs) * ltype_bytes(conv->type);
  winograd_choose_block(lower, w, nest_at_least(lower->target->l2_bytes * 3 / 4 / each, LEAST));
  conv->mr = (int)nest_even(w->tiles, nest_tile_most(lower));
  filter->depth = conv->in;
  filter->channel = filter->tile = nest_i64(lower, 0);
  int64_t lines = winograd_lines(w);
  filter_choose_memory(lower, filter, w->tiles, lines);
  pack(lower, filter);
  conv_image(lower, conv, 1, lines, w->shares);
  w->half = winograd_scratch(lower, w, "half", WINOGRAD_HALF);
  filter->places = winograd_scratch(lower, w, "places", winograd_places(w) * filter->apart_x);
  filter_take_memory(lower, filter);
  each_block(lower, filter);
}

// Does x take less memory in places than the weights do? Weights that are brought into places ahead cost their way from memory alone,
// unless they are very many.
static bool x_is_less(Lower *lower, const Winograd *w) {
  enum { LARGE = 32 << 20 };
  const Conv *conv = &w->conv;
  int64_t bytes = winograd_places(w) * conv->in * conv->out * ltype_bytes(conv->type);
  bool ahead = nest_steady(lower, conv->node->inputs[1]) && bytes <= LARGE;
  return !ahead && conv_tile_count(&conv->node->type, w->m, lower->graph->graph->batch) < conv->out;
}

void nest_winograd(Lower *lower) {
  Filter filter = {.w = winograd_of(lower, lower->kernel->root)};
  lower->out->work = nest_work(lower);
  (x_is_less(lower, &filter.w) ? winograd_x_first : winograd_weights_first)(lower, &filter);
}

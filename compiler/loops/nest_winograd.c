// Convolutions of 3 by 3 taps by minimal filtering (winograd.h), in one of two orders. Weights first: they are brought into the form
// of places once, packed in panels of nr channels. A block is some lines of tiles, or samples: a thread copies the piece of x it
// reads, brings it into the form of places, multiplies for each place a matrix of tiles by channels with the weights of some
// outputs, and brings these back. What lies between stays in the second cache. x first (nest_winograd_x.c): where weights in
// places would be larger than x. The kernel's further nodes (bias, activation) are computed from the outputs of each tile.
#include "loops/winograd_filter.h"

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

// Where there are few blocks, those with fewer lines than others would keep threads waiting, as would an odd number.
static void choose_even_lines(const Lower *lower, Filter *filter) {
  enum { MANY = 32, LEAST = 12 }; // blocks; tiles
  Winograd *w = &filter->w;
  int64_t parts = nest_capacity(lower, w->conv.x->type.dim, w->conv.lead) * w->conv.out / filter->outputs;
  if (w->samples > 1 || nest_ceil_div(w->down, w->lines) * parts >= MANY)
    return;
  for (int64_t lines = w->lines; lines * w->across >= LEAST; lines--)
    if (w->down % lines == 0 && w->down / lines * parts % 2 == 0) {
      w->lines = lines;
      w->tiles = lines * w->across;
      return;
    }
}

void winograd_weights_first(Lower *lower, Filter *filter) {
  enum { LEAST = 32 }; // tiles, or the weights are not worth their way from memory
  Winograd *w = &filter->w;
  Conv *conv = &w->conv;
  choose_outputs(filter);
  int64_t each = winograd_places(w) * (conv->in + filter->outputs) * ltype_bytes(conv->type);
  winograd_choose_block(lower, w, nest_at_least(lower->target->l2_bytes * 3 / 4 / each, LEAST));
  choose_even_lines(lower, filter);
  conv->mr = (int)nest_even(w->tiles, nest_tile_most(lower));
  filter->depth = conv->in;
  filter->channel = filter->tile = nest_i64(lower, 0);
  int64_t lines = winograd_lines(w);
  filter_choose_memory(lower, filter, w->tiles, lines);
  filter_pack_all(lower, filter);
  conv_image(lower, conv, 1, lines, w->shares);
  w->half = winograd_scratch(lower, w, "half", WINOGRAD_HALF);
  filter->places = winograd_scratch(lower, w, "places", winograd_places(w) * filter->apart_x);
  filter_take_memory(lower, filter);
  each_block(lower, filter);
}

// Is x brought into places first? Where that takes less memory than weights do; beside weights that are there ahead, only where
// it stays in a cache.
static bool x_goes_first(Lower *lower, const Winograd *w) {
  enum { LARGE = 4 << 20 };
  const Conv *conv = &w->conv;
  int64_t tiles = conv_tile_count(&conv->node->type, w->m, lower->graph->graph->batch);
  int64_t bytes = winograd_places(w) * tiles * conv->in * ltype_bytes(conv->type);
  return tiles < conv->out && (winograd_near(lower, w) || bytes <= LARGE);
}

void nest_winograd(Lower *lower) {
  Filter filter = {.w = winograd_of(lower, lower->kernel->root)};
  lower->out->work = nest_work(lower);
  (x_goes_first(lower, &filter.w) ? winograd_x_first : winograd_weights_first)(lower, &filter);
}

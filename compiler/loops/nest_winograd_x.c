// Minimal filtering where weights in places would be larger than x is in them. x of all tiles is brought into places; then a thread
// takes a panel of outputs and a block of tiles. If the panel's weights are not in places already, it brings them there, some
// channels at a time, and multiplies them with the tiles while they lie in the second cache: they come from memory as they
// are, once.
#include "loops/winograd_filter.h"

// Weights that the present task multiplies next.
static void pack(Lower *lower, const Filter *filter) {
  LExpr *zero = nest_i64(lower, 0), *end = nest_add(lower, filter->channel, nest_i64(lower, filter->depth));
  LExpr *first = nest_mul(lower, filter->channel, nest_i64(lower, filter->w.conv.nr));
  LExpr *at = lx_binary(lower->arena, LX_SUB, filter_panel_at(lower, filter, zero, zero), first);
  filter_pack(lower, filter, filter->channel, end, nest_let(lower, "at", at));
}

static void each_piece(Lower *lower, Filter *filter, Winograd *piece) {
  LExpr *number = winograd_open_rounds(lower, piece, "piece", winograd_blocks(lower, piece));
  winograd_open_block(lower, piece, number);
  filter_transform_x(lower, filter, piece);
  nest_close(lower);
}

static void each_panel(Lower *lower, Filter *filter) {
  Winograd *w = &filter->w;
  LExpr *blocks = winograd_blocks(lower, w), *panels = nest_i64(lower, w->conv.out / w->conv.nr);
  LExpr *task = winograd_open_rounds(lower, w, "task", nest_mul(lower, panels, blocks));
  filter->part = nest_let(lower, "panel", nest_div(lower, task, blocks));
  filter->column = nest_let(lower, "o0", nest_mul(lower, filter->part, nest_i64(lower, w->conv.nr)));
  winograd_open_block(lower, w, nest_let(lower, "block", lx_binary(lower->arena, LX_MOD, task, blocks)));
  LExpr *line = nest_step(lower, w->sample, w->down, w->line);
  filter->tile = nest_let(lower, "tile0", nest_mul(lower, line, nest_i64(lower, w->across)));
  LExpr *in = nest_i64(lower, w->conv.in);
  filter->channel = nest_loop(lower, LS_FOR, "k0", nest_i64(lower, 0), in, filter->depth);
  if (filter->near)
    pack(lower, filter);
  filter_multiply(lower, filter);
  nest_close(lower);
  filter_finish(lower, filter);
  nest_close(lower);
}

// ---- sizes
// Channels whose weights for a panel stay in the second cache, in equal parts; in whole squares, since weights may be turned.
static int64_t choose_depth(const Lower *lower, const Conv *conv, int64_t channel_bytes) {
  int64_t most = lower->target->l2_bytes * 3 / 8 / channel_bytes, parts = 1;
  int64_t unit = conv->in % TURN_SIZE ? 1 : TURN_SIZE;
  most = most < WINOGRAD_PART ? most : WINOGRAD_PART;
  while (parts < conv->in / unit && (conv->in / parts > most || conv->in % (parts * unit)))
    parts++;
  return conv->in / parts;
}

void winograd_x_first(Lower *lower, Filter *filter) {
  enum { PIECES = 16 };
  Winograd *w = &filter->w;
  Conv *conv = &w->conv;
  int64_t places = winograd_places(w), channel_bytes = places * conv->nr * ltype_bytes(conv->type);
  filter->x_first = true;
  filter->outputs = conv->nr;
  filter->near = winograd_near(lower, w);
  filter->depth = filter->near ? choose_depth(lower, conv, channel_bytes) : conv->in;
  winograd_choose_block(lower, w, lower->target->l2_bytes * 5 / 8 / channel_bytes);
  conv->mr = (int)nest_even(w->tiles, nest_tile_most(lower));
  Winograd piece = *w;
  piece.numbered = true;
  int64_t all = winograd_numbered(lower, w);
  winograd_choose_block(lower, &piece, all / PIECES);
  filter_choose_memory(lower, filter, all, winograd_lines(&piece));
  piece.shares = w->shares;
  conv_image(lower, &piece.conv, 1, winograd_lines(&piece), w->shares);
  piece.half = w->half = winograd_scratch(lower, w, "half", WINOGRAD_HALF);
  filter->places = nest_scratch(lower, "places", conv->type, places * filter->apart_x);
  if (filter->near) {
    filter->weights = winograd_scratch(lower, w, "panel_w", places * filter->apart_w);
    filter->turned = winograd_turned(lower, w);
  } else {
    filter_pack_all(lower, filter);
  }
  filter_take_memory(lower, filter);
  each_piece(lower, filter, &piece);
  each_panel(lower, filter);
  lower->out->barrier_inside = w->shares > 0;
}

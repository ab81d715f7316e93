// Tiles of minimal filtering, in blocks of samples or of lines of tiles, and what both its nests do with them.
#include "loops/nest_winograd.h"

int64_t winograd_places(const Winograd *w) {
  return w->n * w->n;
}

Winograd winograd_of(Lower *lower, const Node *node) {
  int m = node->attr->tile;
  Winograd w = {.conv = conv_of(lower, node), .m = m, .n = m + WINOGRAD_TAPS - 1};
  w.down = nest_ceil_div(w.conv.view.outputs[0], m);
  w.across = nest_ceil_div(w.conv.view.outputs[1], m);
  int lanes = (int)nest_at_least(lower->target->vector_bytes / ltype_bytes(w.conv.type), 1);
  w.conv.nr = w.conv.out % (2 * lanes) == 0 ? 2 * lanes : lanes;
  return w;
}

void winograd_choose_block(const Lower *lower, Winograd *w, int64_t tiles) {
  int64_t of_sample = w->down * w->across, all = nest_capacity(lower, w->conv.x->type.dim, w->conv.lead);
  w->samples = tiles >= 2 * of_sample ? nest_even(all, tiles / of_sample) : 1;
  w->lines = w->samples > 1 ? w->down : nest_even(w->down, nest_at_least(tiles / w->across, 1));
  w->tiles = w->samples * w->lines * w->across;
}

int64_t winograd_lines(const Winograd *w) {
  return w->lines * w->m + WINOGRAD_TAPS - 1;
}

static LExpr *lines_of_sample(Lower *lower, const Winograd *w) {
  return nest_i64(lower, nest_ceil_div(w->down, w->lines));
}

int64_t winograd_numbered(const Lower *lower, const Winograd *w) {
  int64_t samples = nest_capacity(lower, w->conv.x->type.dim, w->conv.lead);
  int64_t lines = w->samples > 1 ? nest_ceil_div(samples, w->samples) * w->samples * w->down
                                 : (samples - 1) * w->down + nest_ceil_div(w->down, w->lines) * w->lines;
  return lines * w->across;
}

LExpr *winograd_blocks(Lower *lower, const Winograd *w) {
  LExpr *samples = nest_add(lower, conv_samples(lower, &w->conv), nest_i64(lower, w->samples - 1));
  return nest_mul(lower, nest_div(lower, samples, nest_i64(lower, w->samples)), lines_of_sample(lower, w));
}

void winograd_open_block(Lower *lower, Winograd *w, LExpr *block) {
  LExpr *lines = lines_of_sample(lower, w), *each = nest_i64(lower, w->samples);
  w->sample = nest_let(lower, "b0", nest_mul(lower, nest_div(lower, block, lines), each));
  w->end = nest_add(lower, w->sample, each);
  if (w->samples > 1)
    w->end = nest_let(lower, "b1", nest_min(lower, w->end, conv_samples(lower, &w->conv)));
  LExpr *line = lx_binary(lower->arena, LX_MOD, block, lines);
  w->line = nest_let(lower, "p0", nest_mul(lower, line, nest_i64(lower, w->lines)));
  w->bottom = nest_add(lower, w->line, nest_i64(lower, w->lines));
  if (w->down % w->lines)
    w->bottom = nest_let(lower, "p1", nest_min(lower, w->bottom, nest_i64(lower, w->down)));
}

static WinogradTile tiles_of(Lower *lower, const Winograd *w, LExpr *sample) {
  WinogradTile tile = {.sample = sample};
  tile.p = nest_loop(lower, LS_FOR, "p", w->line, w->bottom, 1);
  tile.q = nest_loop(lower, LS_FOR, "q", nest_i64(lower, 0), nest_i64(lower, w->across), 1);
  LExpr *number = w->numbered ? sample : lx_binary(lower->arena, LX_SUB, sample, w->sample);
  LExpr *line = w->numbered ? tile.p : lx_binary(lower->arena, LX_SUB, tile.p, w->line);
  line = nest_step(lower, number, w->numbered ? w->down : w->lines, line);
  tile.number = nest_let(lower, "tile", nest_step(lower, line, w->across, tile.q));
  return tile;
}

WinogradTile winograd_open_tiles(Lower *lower, const Winograd *w) {
  return tiles_of(lower, w, nest_loop(lower, LS_FOR, "b", w->sample, w->end, 1));
}

void winograd_copy(Lower *lower, Winograd *w, LExpr *sample) {
  conv_copy(lower, &w->conv, w->share, sample, nest_mul(lower, w->line, nest_i64(lower, w->m)));
}

WinogradTile winograd_open_copied(Lower *lower, Winograd *w) {
  LExpr *sample = nest_loop(lower, LS_FOR, "b", w->sample, w->end, 1);
  winograd_copy(lower, w, sample);
  return tiles_of(lower, w, sample);
}

WinogradTransform winograd_begin(Lower *lower, const Winograd *w, WinogradRow *matrix, int in, int out,
                                 int64_t channels) {
  LExpr *at = nest_let(lower, "half_at", nest_mul(lower, w->share, nest_i64(lower, WINOGRAD_HALF)));
  return (WinogradTransform){
      .matrix = matrix, .m = w->m, .in = in, .out = out, .channels = channels, .half = w->half, .half_at = at};
}

typedef struct Image {
  const Conv *conv;
  LExpr *at; // of the tile's first place
} Image;

static LExpr *load_x(Lower *lower, const void *context, LExpr *i, LExpr *j, LExpr *c) {
  const Image *image = context;
  const Conv *conv = image->conv;
  LExpr *place = nest_step(lower, i, conv->view.extent[1], j);
  LExpr *at = nest_add(lower, image->at, nest_mul(lower, place, nest_i64(lower, conv->in)));
  return lx_load(lower->arena, conv->image, nest_add(lower, at, c));
}

void winograd_transform_x(Lower *lower, const Winograd *w, const WinogradTile *tile, LExpr *line,
                          const WinogradPlane *to) {
  LExpr *m = nest_i64(lower, w->m), *place[2] = {nest_mul(lower, tile->p, m), nest_mul(lower, tile->q, m)};
  Image image = {&w->conv, nest_let(lower, "at", conv_image_at(lower, &w->conv, tile->sample, place))};
  WinogradTransform transform = winograd_begin(lower, w, winograd_x, w->n, w->n, w->conv.in);
  transform.load = load_x;
  transform.context = &image;
  transform.line = line;
  transform.to = *to;
  winograd_transform(lower, &transform);
}

typedef struct Outputs {
  const Winograd *w;
  const WinogradTile *tile;
  LExpr *panel;
} Outputs;

// dL/dy of output r, s of a tile; 0 where there is none.
static LExpr *load_dy(Lower *lower, const void *context, LExpr *r, LExpr *s, LExpr *o) {
  const Outputs *outputs = context;
  const WinogradTile *tile = outputs->tile;
  const Winograd *w = outputs->w;
  const Conv *conv = &w->conv;
  LExpr *index[MAX_RANK], *there = lx_int(lower->arena, L_BOOL, 1);
  conv_lead(lower, conv, tile->sample, index);
  for (int d = 0; d < 2; d++) {
    LExpr *place = nest_step(lower, d ? tile->q : tile->p, w->m, d ? s : r);
    LExpr *size = nest_i64(lower, conv->view.outputs[d]);
    if (conv->view.outputs[d] % w->m) {
      there = lx_binary(lower->arena, LX_AND, there, lx_binary(lower->arena, LX_LT, place, size));
      place = nest_min(lower, place, nest_i64(lower, conv->view.outputs[d] - 1));
    }
    index[conv->lead + d] = place;
  }
  index[conv->lead + 2] = nest_step(lower, outputs->panel, conv->nr, o);
  LExpr *value = lower_value(lower, conv->node->inputs[1], index);
  return lx_select(lower->arena, there, value, lx_real(lower->arena, conv->type, 0));
}

void winograd_transform_dy(Lower *lower, const Winograd *w, const WinogradTile *tile, LExpr *panel, LExpr *line,
                           const WinogradPlane *to) {
  Outputs outputs = {w, tile, panel};
  WinogradTransform transform = winograd_begin(lower, w, winograd_dy, w->m, w->n, w->conv.nr);
  transform.load = load_dy;
  transform.context = &outputs;
  transform.line = line;
  transform.to = *to;
  winograd_transform(lower, &transform);
}

LBuffer *winograd_scratch(Lower *lower, const Winograd *w, const char *name, int64_t length) {
  return nest_scratch(lower, name, w->conv.type, length * nest_at_least(w->shares, 1));
}

LExpr *winograd_open_rounds(Lower *lower, Winograd *w, const char *name, LExpr *count) {
  if (w->shares)
    return nest_dealt(lower, name, count, w->shares, &w->share);
  w->share = nest_i64(lower, 0);
  return nest_loop(lower, LS_FOR, name, w->share, count, 1);
}

// How a direct convolution's outputs are cut: into register tiles, and into blocks of samples or lines that tasks own. Takes the
// present phase, sets sizes in it.
#include "loops/nest_direct.h"

int64_t conv_panel_count(const Conv *conv) {
  return nest_ceil_div(conv->out, conv->nr);
}

void direct_choose_tile(const Lower *lower, Direct *direct) {
  const Conv *conv = &direct->conv;
  int last = conv->space - 1, most = nest_tile_most(lower), *size = direct->tile_size;
  int64_t samples = nest_capacity(lower, direct->grid, conv->lead);
  if (direct->rows) {
    direct->tile_samples = (int)nest_even(samples, most);
    return;
  }
  int64_t row = direct->phase[last].count, plane = row;
  for (int d = 0; d < last; d++)
    size[d] = 1;
  size[last] = (int)nest_even(row, most);
  if (last > 0 && 2 * row <= most) {
    size[last - 1] = (int)nest_even(direct->phase[last - 1].count, most / row);
    plane *= direct->phase[last - 1].count;
  }
  bool all = size[last] * (last > 0 ? size[last - 1] : 1) == plane;
  for (int d = 0; d < last - 1; d++)
    all = all && direct->phase[d].count == 1;
  direct->tile_samples = all && 2 * plane <= most ? (int)nest_even(samples, most / plane) : 1;
}

int64_t direct_lines_seen(const Direct *direct, int64_t lines) {
  const Window *w = &direct->conv.attr->window[0];
  return (lines - 1) * w->stride + (direct->phase[0].taps - 1) * w->dilation + 1;
}

// Bytes of x that so many lines of outputs of a sample read.
static int64_t bytes_seen(const Direct *direct, int64_t lines) {
  const Conv *conv = &direct->conv;
  int64_t bytes = conv->pitch * ltype_bytes(conv->type);
  for (int d = 0; d < conv->space; d++) {
    int64_t all = d ? conv->view.extent[d] : direct_lines_seen(direct, lines);
    int64_t read = (d ? direct->phase[d].count : lines) * direct->phase[d].taps;
    bytes *= read < all ? read : all;
  }
  return bytes;
}

// Where there are few blocks, those that are smaller than others would keep threads waiting: of `count` lines or tiles as many
// as all blocks can have, more than `part` if `most` allows it, or else fewer.
static int64_t even_part(int64_t count, int64_t part, int64_t most) {
  int64_t more = part, fewer = part;
  while (more < count && count % more)
    more++;
  while (count % fewer)
    fewer--;
  if (more <= most)
    return more;
  return 2 * fewer >= part ? fewer : part;
}

// The most lines of a sample whose part of x fills half of the second cache.
static int64_t most_lines(const Lower *lower, const Direct *direct, int64_t count) {
  while (count > 1 && bytes_seen(direct, count) > lower->target->l2_bytes / 2)
    count--;
  return count;
}

// Samples of a block, whole tiles of them.
static int64_t even_samples(const Lower *lower, const Direct *direct, int64_t all, int64_t samples, int64_t few) {
  int64_t height = direct->tile_samples, tiles = nest_ceil_div(all, height);
  int64_t part = nest_even(tiles, nest_at_least(samples / height, 1));
  int64_t most = lower->target->l2_bytes / 2 / (height * bytes_seen(direct, direct->phase[0].count));
  return height * (nest_ceil_div(tiles, part) < few ? even_part(tiles, part, most) : part);
}

void direct_choose_block(const Lower *lower, Direct *direct) {
  enum { ITEMS = 16, LEAST = 4, LEAST_ROWS = 56 };
  const Conv *conv = &direct->conv;
  int64_t count = direct->phase[0].count, room = lower->target->l2_bytes / 4;
  int64_t all = nest_capacity(lower, direct->grid, conv->lead);
  int64_t wanted = nest_ceil_div(ITEMS, conv_panel_count(conv) * conv->groups); // blocks
  int64_t lines = count, samples = room / bytes_seen(direct, count), least = direct->rows ? LEAST_ROWS : 1;
  samples = nest_at_least(samples < all / wanted ? samples : all / wanted, least);
  if (samples == 1 && conv->space > 1) {
    while (lines > LEAST && bytes_seen(direct, lines) > room)
      lines--;
    int64_t fair = nest_at_least(nest_ceil_div(count * all, wanted), LEAST);
    lines = nest_even(count, lines < fair ? lines : fair);
    if (all * nest_ceil_div(count, lines) < ITEMS)
      lines = even_part(count, lines, most_lines(lower, direct, count));
    lines = nest_ceil_div(lines, direct->tile_size[0]) * direct->tile_size[0];
  }
  direct->samples = even_samples(lower, direct, all, samples, ITEMS);
  direct->lines = lines < count ? lines : count;
}

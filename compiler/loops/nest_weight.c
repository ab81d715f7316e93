// Gradients of weights. Of a convolution: for each tap, channel of the input and output, the sum over all samples and outputs
// of x under the tap times y, in one chain. A product of a turned x and y that goes over many samples is the same without
// space. Outputs are taken in blocks that stay in the caches, one after the other by all threads; each thread owns some
// tiles, of rows (taps and channels of x) in one panel of outputs, and adds a block to their sums, which rest in scratch
// memory between blocks. That changes no bit of them. The block's part of a panel is first packed where many tiles read it,
// since its rows lie far apart, and all of x is where tiles are low. The kernel's further nodes (an optimizer's update) come with
// the last block.
#include "loops/nest_conv.h"

#include "graph/ops.h"

typedef struct Weight {
  Conv conv;
  const Node *y;
  LBuffer *sums;   // one for each element of the result; NULL: there is one block
  LBuffer *packed; // y, for each share [outputs of a block, nr]; NULL: it is read where it lies
  LBuffer *panels; // x, for each block and tile [outputs of a block, mr]; NULL: it is read where it lies
  int64_t samples; // of a block
  int64_t lines;   // of the first dimension of outputs in a block, where a block is one sample
  int64_t depth;   // outputs of a block
  int64_t rows;    // of a tap: channels; of all taps of the last dimension, if folded
  int64_t tiles;   // of them
  int64_t shares;  // 0: one thread does it
  // The present block, panel and tap.
  LExpr *block, *blocks, *sample, *line, *base;
  LExpr *group, *column, *tap[MAX_SPACE];
  int width;     // of the panel
  NextRows next; // of y, for the next panel; no buffer: they are not asked for
  // From x of this block to that of the next one, where this thread's next tile of the rows is in it; or 0.
  LExpr *ahead;
} Weight;

typedef struct Tile {
  int shift, rows, cols;
  LExpr *number, *row; // its first row
} Tile;

static int taps_outside(const Conv *conv) {
  return conv->folded ? conv->space - 1 : conv->space;
}

static int64_t first_outputs(const Conv *conv) {
  return conv->space ? conv->view.outputs[0] : 1;
}

static LExpr *output_channel(Lower *lower, const Weight *weight, LExpr *j) {
  return nest_add(lower, nest_mul(lower, weight->group, nest_i64(lower, weight->conv.out)),
                  nest_add(lower, weight->column, j));
}

// ---- the outputs of a block
typedef struct Outputs {
  LExpr *sample, *place[MAX_SPACE];
  LExpr *number; // in the block
  int loops;
} Outputs;

static Outputs open_outputs(Lower *lower, const Weight *weight) {
  const Conv *conv = &weight->conv;
  LExpr *zero = nest_i64(lower, 0);
  Outputs outputs = {.loops = conv->space + 1};
  LExpr *last = nest_add(lower, weight->sample, nest_i64(lower, weight->samples));
  if (weight->samples > 1)
    last = nest_let(lower, "end", nest_min(lower, last, conv_samples(lower, conv)));
  outputs.sample = nest_loop(lower, LS_FOR, "b", weight->sample, last, 1);
  outputs.number = lx_binary(lower->arena, LX_SUB, outputs.sample, weight->sample);
  for (int d = 0; d < conv->space; d++) {
    LExpr *from = zero, *to = nest_i64(lower, conv->view.outputs[d]);
    int64_t count = d == 0 ? weight->lines : conv->view.outputs[d];
    if (count < conv->view.outputs[d]) {
      from = weight->line;
      LExpr *end = nest_add(lower, from, nest_i64(lower, count));
      to = conv->view.outputs[d] % count ? nest_let(lower, "last", nest_min(lower, end, to)) : end;
    }
    outputs.place[d] = nest_loop(lower, LS_FOR, d == conv->space - 1 ? "q" : "p", from, to, 1);
    outputs.number = nest_add(lower, nest_mul(lower, outputs.number, nest_i64(lower, count)),
                              lx_binary(lower->arena, LX_SUB, outputs.place[d], from));
  }
  return outputs;
}

// y of the present output in the column j of the panel.
static LExpr *y_value(Lower *lower, const Weight *weight, const Outputs *outputs, LExpr *j) {
  const Conv *conv = &weight->conv;
  LExpr *index[MAX_RANK];
  conv_lead(lower, conv, outputs->sample, index);
  for (int d = 0; d < conv->space; d++)
    index[conv->lead + d] = outputs->place[d];
  index[conv->lead + conv->space] = output_channel(lower, weight, j);
  lower->operands = true;
  LExpr *y = lower_value(lower, weight->y, index);
  lower->operands = false;
  return y;
}

static LExpr *packed_place(Lower *lower, const Weight *weight, const Outputs *outputs, LExpr *j) {
  LExpr *row = nest_mul(lower, outputs->number, nest_i64(lower, weight->width));
  return nest_add(lower, weight->base, nest_add(lower, row, j));
}

// Where the rows of a tile begin in the panels of x, for an output of a block. There is no space, and so one tap.
static LExpr *panel_place(Lower *lower, const Weight *weight, LExpr *block, LExpr *tile, LExpr *output) {
  LExpr *number = nest_add(lower, nest_mul(lower, block, nest_i64(lower, weight->tiles)), tile);
  LExpr *row = nest_add(lower, nest_mul(lower, number, nest_i64(lower, weight->depth)), output);
  return nest_mul(lower, row, nest_i64(lower, weight->conv.mr));
}

// All of x into panels as high as a tile.
static void pack_x(Lower *lower, Weight *weight) {
  const Conv *conv = &weight->conv;
  int64_t whole = weight->rows / conv->mr;
  int rest = (int)(weight->rows % conv->mr);
  LExpr *zero = nest_i64(lower, 0), *tiles = nest_i64(lower, weight->tiles);
  LExpr *task =
      nest_loop(lower, weight->shares ? LS_PARALLEL : LS_FOR, "task", zero, nest_mul(lower, weight->blocks, tiles), 1);
  LExpr *block = nest_let(lower, "block", nest_div(lower, task, tiles));
  LExpr *number = nest_let(lower, "tile", lx_binary(lower->arena, LX_MOD, task, tiles));
  weight->sample = nest_let(lower, "b0", nest_mul(lower, block, nest_i64(lower, weight->samples)));
  LExpr *first = nest_let(lower, "i0", nest_mul(lower, number, nest_i64(lower, conv->mr)));
  for (int last = 0; last <= 1; last++) {
    if (!nest_part(lower, number, whole, rest, last))
      continue;
    Outputs outputs = open_outputs(lower, weight);
    LExpr *i, *j;
    nest_tile(lower, 1, last ? rest : conv->mr, &i, &j);
    LExpr *at = nest_add(lower, panel_place(lower, weight, block, number, outputs.number), j);
    nest_put(lower, weight->panels, at, conv_x(lower, conv, outputs.sample, NULL, nest_add(lower, first, j)));
    nest_close_all(lower, outputs.loops + 1);
    nest_part_end(lower, whole, rest);
  }
  nest_close(lower);
}

static void pack(Lower *lower, const Weight *weight) {
  LExpr *i, *j;
  for (int shift = 0, cols; shift < weight->width; shift += cols) {
    cols = nest_piece(weight->width - shift);
    Outputs outputs = open_outputs(lower, weight);
    nest_tile(lower, 1, cols, &i, &j);
    LExpr *column = nest_add(lower, nest_i64(lower, shift), j);
    LExpr *at = packed_place(lower, weight, &outputs, column);
    nest_put(lower, weight->packed, at, y_value(lower, weight, &outputs, column));
    nest_close_all(lower, outputs.loops + 1);
  }
}

// ---- tiles
// Where the sum of a row and an output rests: the result's own order.
static LExpr *sum_place(Lower *lower, const Weight *weight, LExpr *row, LExpr *j) {
  const Conv *conv = &weight->conv;
  LExpr *at = nest_i64(lower, 0);
  for (int d = 0; d < taps_outside(conv); d++)
    at = nest_add(lower, nest_mul(lower, at, nest_i64(lower, conv->attr->window[d].size)), weight->tap[d]);
  at = nest_add(lower, nest_mul(lower, at, nest_i64(lower, weight->rows)), row);
  return nest_add(lower, nest_mul(lower, at, nest_i64(lower, conv->out * conv->groups)),
                  output_channel(lower, weight, j));
}

static void open_tile(Lower *lower, const Tile *tile, LExpr **row, LExpr **i, LExpr **j, LExpr **column) {
  nest_tile(lower, tile->rows, tile->cols, i, j);
  *row = nest_add(lower, tile->row, *i);
  *column = nest_add(lower, nest_i64(lower, tile->shift), *j);
}

// Before a tile is summed, memory is asked for: y of the next panel, the sums of the next tile.
static void ask_ahead(Lower *lower, const Weight *weight, const Tile *tile) {
  const Conv *conv = &weight->conv;
  if (weight->next.buffer)
    nest_prefetch_rows(lower, &weight->next);
  if (!weight->sums)
    return;
  LExpr *row = nest_add(lower, tile->row, nest_i64(lower, tile->rows)), *column = nest_i64(lower, tile->shift);
  NextRows sums = {.buffer = weight->sums,
                   .from = sum_place(lower, weight, row, column),
                   .part = nest_i64(lower, 0),
                   .rows = tile->rows,
                   .parts = 1,
                   .apart = conv->out * conv->groups,
                   .length = tile->cols};
  nest_prefetch_rows(lower, &sums);
}

static LLocal *sum_tile(Lower *lower, const Weight *weight, const Tile *tile) {
  const Conv *conv = &weight->conv;
  LExpr *place[MAX_SPACE], *row, *i, *j, *column, *zero = nest_i64(lower, 0);
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, tile->rows, tile->cols, lx_real(lower->arena, conv->type, 0));
  if (weight->sums) {
    nest_if(lower, lx_binary(lower->arena, LX_GT, weight->block, zero));
    open_tile(lower, tile, &row, &i, &j, &column);
    nest_set(lower, acc, i, j, lx_load(lower->arena, weight->sums, sum_place(lower, weight, row, column)));
    nest_close_all(lower, 2);
  }
  ask_ahead(lower, weight, tile);
  Outputs outputs = open_outputs(lower, weight);
  for (int d = 0; d < conv->space; d++)
    place[d] = conv_place(lower, conv, d, outputs.place[d], d < taps_outside(conv) ? weight->tap[d] : zero);
  LExpr *group = nest_mul(lower, weight->group, nest_i64(lower, conv->in));
  if (weight->sums && conv->view.inside && !weight->panels) // x of the next block
    nest_prefetch_ahead(lower, conv_x(lower, conv, outputs.sample, place, nest_add(lower, group, tile->row)),
                        weight->ahead);
  open_tile(lower, tile, &row, &i, &j, &column);
  LExpr *x, *y;
  if (weight->panels)
    x = lx_load(lower->arena, weight->panels,
                nest_add(lower, panel_place(lower, weight, weight->block, tile->number, outputs.number), i));
  else
    x = conv_x(lower, conv, outputs.sample, place, nest_add(lower, group, row));
  if (weight->packed)
    y = lx_load(lower->arena, weight->packed, packed_place(lower, weight, &outputs, column));
  else
    y = y_value(lower, weight, &outputs, column);
  nest_set(lower, acc, i, j, lx_fma(lower->arena, x, y, lx_local(lower->arena, acc, i, j)));
  nest_close_all(lower, outputs.loops + 1);
  return acc;
}

static void finish(Lower *lower, const Weight *weight, const Tile *tile, LLocal *acc) {
  const Conv *conv = &weight->conv;
  LExpr *index[MAX_RANK], *row, *i, *j, *column, *in = nest_i64(lower, conv->in);
  open_tile(lower, tile, &row, &i, &j, &column);
  for (int d = 0; d < taps_outside(conv); d++)
    index[d] = weight->tap[d];
  if (conv->folded)
    index[conv->space - 1] = nest_div(lower, row, in);
  index[conv->space] = conv->folded ? lx_binary(lower->arena, LX_MOD, row, in) : row;
  index[conv->space + 1] = output_channel(lower, weight, column);
  nest_know(lower, conv->node, index, lx_local(lower->arena, acc, i, j));
  nest_finish(lower, index, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

static void put_down(Lower *lower, const Weight *weight, const Tile *tile, LLocal *acc) {
  LExpr *row, *i, *j, *column;
  open_tile(lower, tile, &row, &i, &j, &column);
  nest_put(lower, weight->sums, sum_place(lower, weight, row, column), lx_local(lower->arena, acc, i, j));
  nest_close(lower);
}

static void make_tile(Lower *lower, const Weight *weight, const Tile *tile) {
  LLocal *acc = sum_tile(lower, weight, tile);
  LExpr *last = lx_binary(lower->arena, LX_SUB, weight->blocks, nest_i64(lower, 1));
  if (!weight->sums) {
    finish(lower, weight, tile, acc);
    return;
  }
  nest_if(lower, lx_binary(lower->arena, LX_LT, weight->block, last));
  put_down(lower, weight, tile, acc);
  nest_close(lower);
  nest_if(lower, lx_binary(lower->arena, LX_EQ, weight->block, last));
  finish(lower, weight, tile, acc);
  nest_close(lower);
}

// ---- the tiles of a panel: for each tap whole ones, and one of what is left
static void one_tile(Lower *lower, const Weight *weight, LExpr *number) {
  int mr = weight->conv.mr;
  int64_t whole = weight->rows / mr, rest = weight->rows % mr;
  for (int shift = 0, cols; shift < weight->width; shift += cols) {
    cols = nest_piece(weight->width - shift);
    for (int last = 0; last <= 1; last++) {
      if (!nest_part(lower, number, whole, rest, last))
        continue;
      Tile tile = {.shift = shift, .cols = cols, .rows = last ? (int)rest : mr, .number = number};
      tile.row =
          last ? nest_i64(lower, whole * mr) : nest_let(lower, "i0", nest_mul(lower, number, nest_i64(lower, mr)));
      make_tile(lower, weight, &tile);
      nest_part_end(lower, whole, rest);
    }
  }
}

static int64_t taps_and_tiles(const Weight *weight) {
  const Conv *conv = &weight->conv;
  return conv_taps(conv, 0) / (conv->folded ? conv->attr->window[conv->space - 1].size : 1) * weight->tiles;
}

// Elements of x between a block and the next one.
static int64_t block_apart(const Weight *weight) {
  const Conv *conv = &weight->conv;
  int64_t apart = weight->samples * conv->in * conv->groups;
  for (int d = 0; d < conv->space; d++)
    apart *= conv->view.extent[d];
  return weight->lines < first_outputs(conv)
             ? apart / conv->view.extent[0] * weight->lines * conv->attr->window[0].stride
             : apart;
}

// What this thread reads of y for its next panel: one of this block, or its first one in the next block.
static void find_next(Lower *lower, Weight *weight, const Shares *shares, LExpr *item) {
  const Conv *conv = &weight->conv;
  LExpr *zero = nest_i64(lower, 0), *width = nest_i64(lower, conv->nr);
  Outputs first = {.sample = weight->sample, .place = {weight->line, zero, zero}};
  const LExpr *y = y_value(lower, weight, &first, zero);
  weight->next.buffer = NULL;
  int64_t apart = conv->out * conv->groups;
  // Rows that follow each other are foreseen by the processor.
  if (y->op != LX_LOAD || apart == weight->width || !nest_beyond_caches(lower, y->buffer))
    return;
  LExpr *more = lx_binary(lower->arena, LX_LT, nest_add(lower, item, nest_i64(lower, 1)), shares->to);
  LExpr *back = nest_mul(lower, lx_binary(lower->arena, LX_SUB, item, shares->from), width);
  LExpr *below = lx_binary(lower->arena, LX_SUB, nest_i64(lower, weight->depth * apart), back);
  LExpr *from = nest_add(lower, y->args[0], lx_select(lower->arena, more, width, below));
  weight->next = (NextRows){.buffer = y->buffer,
                            .from = nest_let(lower, "coming", from),
                            .rows = weight->depth,
                            .parts = taps_and_tiles(weight),
                            .apart = apart,
                            .length = weight->width};
}

static void panel_tiles(Lower *lower, Weight *weight, const Shares *shares) {
  const Conv *conv = &weight->conv;
  Dim dims[MAX_SPACE + 1];
  LExpr *index[MAX_SPACE + 1];
  int count = 0;
  for (int d = 0; d < taps_outside(conv); d++)
    dims[count++] = conv->attr->window[d].size;
  dims[count++] = weight->tiles;
  if (weight->packed)
    pack(lower, weight);
  weight->next.part = nest_share_parts(lower, shares);
  nest_unravel(lower, weight->next.part, dims, NULL, count, index);
  for (int d = 0; d < taps_outside(conv); d++)
    weight->tap[d] = nest_let(lower, "r", index[d]);
  LExpr *again = nest_add(lower, nest_add(lower, shares->begin, weight->next.part), shares->inner);
  weight->ahead = lx_select(lower->arena, lx_binary(lower->arena, LX_GE, again, shares->last),
                            nest_i64(lower, block_apart(weight)), nest_i64(lower, 0));
  one_tile(lower, weight, nest_let(lower, "tile", index[count - 1]));
  nest_close(lower);
}

// ---- panels, cut into shares
static void each_panel(Lower *lower, Weight *weight) {
  Conv *conv = &weight->conv;
  int64_t panels = nest_ceil_div(conv->out, conv->nr), whole = conv->out / conv->nr;
  int rest = (int)(conv->out % conv->nr);
  LExpr *zero = nest_i64(lower, 0), *line = conv->space ? conv_place(lower, conv, 0, weight->line, zero) : zero;
  Shares shares;
  LExpr *share =
      nest_shares(lower, &shares, nest_i64(lower, panels * conv->groups), taps_and_tiles(weight), weight->shares);
  conv_copy(lower, conv, share, weight->sample, line);
  weight->base = nest_mul(lower, share, nest_i64(lower, weight->depth * conv->nr));
  LExpr *item = nest_share_things(lower, &shares);
  LExpr *panel = item;
  weight->group = zero;
  if (conv->groups > 1) {
    LExpr *count = nest_i64(lower, panels);
    weight->group = nest_let(lower, "group", nest_div(lower, item, count));
    panel = nest_let(lower, "panel", lx_binary(lower->arena, LX_MOD, item, count));
  }
  for (int last = 0; last <= 1; last++) {
    if (!nest_part(lower, panel, whole, rest, last))
      continue;
    LExpr *number = last ? nest_i64(lower, whole) : panel;
    weight->width = last ? rest : conv->nr;
    weight->column = nest_let(lower, "o0", nest_mul(lower, number, nest_i64(lower, conv->nr)));
    find_next(lower, weight, &shares, item);
    panel_tiles(lower, weight, &shares);
    nest_part_end(lower, whole, rest);
  }
  nest_close(lower);
  nest_close(lower);
}

// ---- blocks of outputs
static void each_block(Lower *lower, Weight *weight) {
  const Conv *conv = &weight->conv;
  LExpr *zero = nest_i64(lower, 0), *of_sample = nest_i64(lower, nest_ceil_div(first_outputs(conv), weight->lines));
  LExpr *samples = conv_samples(lower, conv), *round = nest_i64(lower, weight->samples);
  LExpr *groups = nest_div(lower, nest_add(lower, samples, nest_i64(lower, weight->samples - 1)), round);
  weight->blocks = nest_mul(lower, groups, of_sample);
  weight->block = weight->sample = weight->line = zero;
  if (weight->panels) {
    pack_x(lower, weight);
    weight->sample = zero;
  }
  if (weight->sums) {
    weight->block = nest_loop(lower, weight->shares ? LS_TOGETHER : LS_FOR, "block", zero, weight->blocks, 1);
    weight->sample = nest_let(lower, "b0", nest_mul(lower, nest_div(lower, weight->block, of_sample), round));
    LExpr *line = lx_binary(lower->arena, LX_MOD, weight->block, of_sample);
    weight->line = nest_let(lower, "p0", nest_mul(lower, line, nest_i64(lower, weight->lines)));
  }
  each_panel(lower, weight);
  if (weight->sums)
    nest_close(lower);
}

// ---- sizes
static int64_t sum_count(const Conv *conv) {
  return conv_taps(conv, 0) * conv->in * conv->out * conv->groups;
}

// So many outputs that a panel of them stays in the first cache, and x under them in half of the second; enough that
// loading and storing the sums does not count. Where sums are more than the second cache keeps, or there are no more blocks, as
// many as a sixteenth of that holds.
static void choose_blocks(const Lower *lower, Weight *weight) {
  enum { LEAST = 128 };
  const Conv *conv = &weight->conv;
  int64_t outputs = 1, places = 1, bytes = ltype_bytes(conv->type);
  for (int d = 0; d < conv->space; d++) {
    outputs *= conv->view.outputs[d];
    places *= conv->view.extent[d];
  }
  int64_t first = first_outputs(conv), line = outputs / first,
          samples = nest_capacity(lower, conv->x->type.dim, conv->lead);
  int64_t deep = lower->target->l2_bytes / 16 / (conv->nr * bytes), sums = sum_count(conv) * bytes;
  int64_t depth = lower->target->l1_bytes * 2 / 3 / (conv->nr * bytes);
  int64_t under = nest_ceil_div(places * conv->in * conv->groups * bytes, outputs);
  int64_t most = lower->target->l2_bytes / 2 / under;
  depth = nest_at_least(depth < most ? depth : most, LEAST);
  if (depth < deep && (sums > lower->target->l2_bytes / 2 || samples * outputs <= deep))
    depth = deep;
  weight->samples = depth >= 2 * outputs ? nest_even(samples, depth / outputs) : 1;
  weight->lines = weight->samples > 1 ? first : nest_even(first, nest_at_least(depth / line, 1));
  weight->depth = weight->samples * weight->lines * line;
}

static void choose_tile(const Lower *lower, Weight *weight) {
  Conv *conv = &weight->conv;
  weight->rows = conv->in * (conv->folded ? conv->attr->window[conv->space - 1].size : 1);
  nest_tile_size(lower, conv->type, weight->rows, conv->out, &conv->mr, &conv->nr);
  weight->tiles = nest_ceil_div(weight->rows, conv->mr);
}

// y may be read where it lies if a panel has few tiles, or if panels are its rows.
static bool packing_pays(const Lower *lower, const Weight *weight) {
  enum { FEW = 10 };
  const Conv *conv = &weight->conv;
  if (!nest_in_memory(lower, weight->y))
    return taps_and_tiles(weight) > 1;
  bool rows = conv->groups == 1 && conv->out == conv->nr;
  return !rows && taps_and_tiles(weight) > FEW;
}

// A low tile comes back to each line of x twice and more, and no longer finds it where rows at such a distance fall on each other in
// the first cache: then they are read from a copy in which they do not, if there are panels enough to pay for it.
static void choose_copy(Conv *conv) {
  enum { FEW = 4 };
  int64_t panels = nest_ceil_div(conv->out, conv->nr) * conv->groups, pitch = conv_row(conv, conv->pitch);
  bool low = 2 * conv->mr * ltype_bytes(conv->type) <= LINE_BYTES;
  if (!conv->space || conv_taps(conv, 0) > 1 || !conv->view.inside || !low || pitch == conv->pitch || panels <= FEW)
    return;
  conv->view.inside = false;
  conv->pitch = pitch;
}

// A low tile takes part of each line of x, and comes back for the rest when the first cache no longer has it: it is copied into
// panels where enough tiles of columns read them.
static bool panels_pay(const Weight *weight) {
  enum { PANELS = 8 };
  const Conv *conv = &weight->conv;
  bool low = 2 * conv->mr * ltype_bytes(conv->type) <= LINE_BYTES;
  return !conv->space && low && weight->tiles > 1 && nest_ceil_div(conv->out, conv->nr) >= PANELS;
}

static void nest_weight(Lower *lower, Weight *weight) {
  Conv *conv = &weight->conv;
  lower->out->work = nest_work(lower);
  choose_tile(lower, weight);
  choose_copy(conv);
  choose_blocks(lower, weight);
  bool packs = packing_pays(lower, weight);
  int64_t panel = packs ? weight->depth * conv->nr : 0, lines = 0;
  if (conv->space) {
    const Window *w = &conv->attr->window[0];
    lines = (weight->lines - 1) * w->stride + (w->size - 1) * w->dilation + 1;
  }
  if (nest_shares_scratch(lower)) {
    int64_t piece = lines ? conv_piece_bytes(conv, weight->samples, lines) : 0;
    weight->shares = nest_most_shares(piece + panel * ltype_bytes(conv->type));
  }
  if (lines)
    conv_image(lower, conv, weight->samples, lines, weight->shares);
  bool all_samples = nest_capacity(lower, conv->x->type.dim, conv->lead) <= weight->samples;
  if (!all_samples || weight->lines < first_outputs(conv))
    weight->sums = nest_scratch(lower, "sums", conv->type, sum_count(conv));
  if (packs)
    weight->packed = nest_scratch(lower, "packed_y", conv->type, panel * nest_at_least(weight->shares, 1));
  if (panels_pay(weight)) {
    int64_t blocks = nest_ceil_div(nest_capacity(lower, conv->x->type.dim, conv->lead), weight->samples);
    weight->panels = nest_scratch(lower, "panels_x", conv->type, blocks * weight->tiles * weight->depth * conv->mr);
    lower->out->barrier_inside = weight->shares > 0;
  }
  each_block(lower, weight);
}

void nest_conv_weight(Lower *lower) {
  const Node *node = lower->kernel->root;
  Weight weight = {.conv = conv_of(lower, node), .y = node->inputs[1]};
  nest_weight(lower, &weight);
}

bool nest_is_weight(const Lower *lower) {
  enum { MANY = 256 };
  const Node *node = lower->kernel->root, *turned = node->inputs[0],
             *x = turned->input_count ? turned->inputs[0] : NULL;
  while (x && x->op == OP_reshape && !nest_in_memory(lower, x))
    x = x->inputs[0];
  if (!x || !nest_in_memory(lower, x)) // or it would be computed again in each panel
    return false;
  return node->type.rank == 2 && turned->op == OP_transpose && !nest_in_memory(lower, turned) &&
         nest_static(node->type.dim, 2) && nest_capacity(lower, turned->inputs[0]->type.dim, 1) >= MANY;
}

void nest_matmul_weight(Lower *lower) {
  const Node *node = lower->kernel->root, *x = node->inputs[0]->inputs[0];
  Conv conv = {.node = node,
               .x = x,
               .attr = node->attr,
               .lead = 1,
               .view = {.inside = true},
               .groups = 1,
               .in = node->type.dim[0],
               .out = node->type.dim[1],
               .type = ltype_of(node->type.elem)};
  Weight weight = {.conv = conv, .y = node->inputs[1]};
  nest_weight(lower, &weight);
}

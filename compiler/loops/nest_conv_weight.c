// Gradients of convolutions' weights: for each tap, channel of the input and output, the sum over all samples and outputs of
// x under the tap times y, in one chain. A task owns the rows (channels of x) of one tap in one panel of outputs. The sums
// of a task pass over blocks of samples that stay in the second cache, all tiles over one block, and rest in scratch memory
// between blocks, which changes no bit of them. The kernel's further nodes (an optimizer's update) come at the end.
#include "loops/nest_conv.h"

#include "graph/ops.h"

typedef struct Weight {
  Conv conv;
  const Node *y;
  LBuffer *sums;     // one for each element of the result, where there is more than one block
  int64_t rows;      // of a tap: channels; of all taps of the last dimension, if folded
  int64_t row_block; // rows of a task
  int64_t samples;   // of a block
  int64_t lines;     // of the first dimension of outputs in a block, where a block is one sample
  LExpr *tap[MAX_SPACE], *group, *column, *row_task;
  int width; // of the panel
} Weight;

typedef struct Tile {
  int shift, rows, cols;
  LExpr *row; // its first row
} Tile;

// What is summed: blocks of samples, or of lines of outputs within a sample.
typedef struct Block {
  LExpr *sample, *line; // the first ones
} Block;

typedef void TileBody(Lower *lower, Weight *weight, const Tile *tile, const Block *block);

static int taps_outside(const Conv *conv) {
  return conv->folded ? conv->space - 1 : conv->space;
}

static LExpr *output_channel(Lower *lower, const Weight *weight, const Tile *tile, LExpr *j) {
  LExpr *own = nest_add(lower, nest_add(lower, weight->column, nest_i64(lower, tile->shift)), j);
  return nest_add(lower, nest_mul(lower, weight->group, nest_i64(lower, weight->conv.out)), own);
}

// Where the sum of a row and an output rests: the result's own order.
static LExpr *sum_place(Lower *lower, const Weight *weight, const Tile *tile, LExpr *i, LExpr *j) {
  const Conv *conv = &weight->conv;
  LExpr *at = nest_i64(lower, 0);
  for (int d = 0; d < taps_outside(conv); d++)
    at = nest_add(lower, nest_mul(lower, at, nest_i64(lower, conv->attr->window[d].size)), weight->tap[d]);
  at = nest_add(lower, nest_mul(lower, at, nest_i64(lower, weight->rows)), nest_add(lower, tile->row, i));
  return nest_add(lower, nest_mul(lower, at, nest_i64(lower, conv->out * conv->groups)),
                  output_channel(lower, weight, tile, j));
}

static void store_sum(Lower *lower, const Weight *weight, const Tile *tile, LExpr *i, LExpr *j, LExpr *value) {
  LStmt *stmt = nest_stmt(lower, LS_STORE);
  stmt->buffer = weight->sums;
  stmt->index[0] = sum_place(lower, weight, tile, i, j);
  stmt->value = value;
  nest_push(lower, stmt);
}

// ---- tiles
static void clear(Lower *lower, Weight *weight, const Tile *tile, const Block *block) {
  LExpr *i, *j;
  (void)block;
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  store_sum(lower, weight, tile, i, j, lx_real(lower->arena, weight->conv.type, 0));
  nest_close(lower);
}

// Opens the loops over a block's outputs; how many. Fills the indices of samples and outputs.
static int open_outputs(Lower *lower, const Weight *weight, const Block *block, LExpr **lead, LExpr **output) {
  const Conv *conv = &weight->conv;
  LExpr *zero = nest_i64(lower, 0), *samples = nest_count(lower, conv->x->type.dim, conv->lead);
  LExpr *from = zero, *to = samples;
  int loops = 0;
  if (block) {
    from = block->sample;
    to = nest_min(lower, nest_add(lower, from, nest_i64(lower, weight->samples)), samples);
    to = nest_let(lower, "end", to);
  }
  LExpr *sample = nest_loop(lower, LS_FOR, "b", from, to, 1);
  loops++;
  nest_unravel(lower, sample, conv->x->type.dim, NULL, conv->lead, lead);
  for (int d = 0; d < conv->space; d++, loops++) {
    LExpr *first = zero, *last = nest_i64(lower, conv->outputs[d]);
    if (d == 0 && block && block->line) {
      first = block->line;
      last = nest_min(lower, nest_add(lower, first, nest_i64(lower, weight->lines)), last);
      last = nest_let(lower, "last", last);
    }
    output[d] = nest_loop(lower, LS_FOR, d == conv->space - 1 ? "q" : "p", first, last, 1);
  }
  return loops;
}

static LLocal *sum_tile(Lower *lower, const Weight *weight, const Tile *tile, const Block *block) {
  const Conv *conv = &weight->conv;
  LExpr *lead[MAX_RANK], *output[MAX_SPACE], *place[MAX_SPACE], *i, *j, *zero = nest_i64(lower, 0);
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, tile->rows, tile->cols, lx_real(lower->arena, conv->type, 0));
  if (block) {
    nest_tile(lower, tile->rows, tile->cols, &i, &j);
    nest_set(lower, acc, i, j, lx_load(lower->arena, weight->sums, sum_place(lower, weight, tile, i, j)));
    nest_close(lower);
  }
  int loops = open_outputs(lower, weight, block, lead, output);
  for (int d = 0; d < conv->space; d++)
    place[d] = conv_place(lower, conv, d, output[d], d < taps_outside(conv) ? weight->tap[d] : zero);
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  LExpr *channel =
      nest_add(lower, nest_mul(lower, weight->group, nest_i64(lower, conv->in)), nest_add(lower, tile->row, i));
  LExpr *x = conv_x(lower, conv, lead, place, channel);
  LExpr *index[MAX_RANK];
  for (int d = 0; d < conv->lead; d++)
    index[d] = lead[d];
  for (int d = 0; d < conv->space; d++)
    index[conv->lead + d] = output[d];
  index[conv->lead + conv->space] = output_channel(lower, weight, tile, j);
  lower->operands = true;
  LExpr *y = lower_value(lower, weight->y, index);
  lower->operands = false;
  nest_set(lower, acc, i, j, lx_fma(lower->arena, x, y, lx_local(lower->arena, acc, i, j)));
  for (int scopes = loops + 1; scopes; scopes--)
    nest_close(lower);
  return acc;
}

static void add_block(Lower *lower, Weight *weight, const Tile *tile, const Block *block) {
  LExpr *i, *j;
  LLocal *acc = sum_tile(lower, weight, tile, block);
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  store_sum(lower, weight, tile, i, j, lx_local(lower->arena, acc, i, j));
  nest_close(lower);
}

static void finish(Lower *lower, Weight *weight, const Tile *tile, const Block *block) {
  const Conv *conv = &weight->conv;
  LExpr *index[MAX_RANK], *i, *j;
  (void)block;
  LLocal *acc = weight->sums ? NULL : sum_tile(lower, weight, tile, NULL);
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  LExpr *row = nest_add(lower, tile->row, i), *in = nest_i64(lower, conv->in);
  for (int d = 0; d < taps_outside(conv); d++)
    index[d] = weight->tap[d];
  if (conv->folded)
    index[conv->space - 1] = nest_div(lower, row, in);
  index[conv->space] = conv->folded ? lx_binary(lower->arena, LX_MOD, row, in) : row;
  index[conv->space + 1] = output_channel(lower, weight, tile, j);
  LExpr *sum = acc ? lx_local(lower->arena, acc, i, j)
                   : lx_load(lower->arena, weight->sums, sum_place(lower, weight, tile, i, j));
  nest_know(lower, conv->node, index, sum);
  nest_finish(lower, index, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// ---- the rows of a task: whole tiles, and in the last task one of what is left
static void each_tile(Lower *lower, Weight *weight, const Block *block, TileBody *body) {
  int mr = weight->conv.mr;
  int64_t whole = weight->rows / mr * mr, rest = weight->rows - whole, last = (weight->rows - 1) / weight->row_block;
  bool single = weight->row_block >= weight->rows;
  LExpr *from = nest_mul(lower, weight->row_task, nest_i64(lower, weight->row_block));
  LExpr *to = nest_min(lower, nest_add(lower, from, nest_i64(lower, weight->row_block)), nest_i64(lower, whole));
  for (int shift = 0, cols; shift < weight->width; shift += cols) {
    cols = nest_piece(weight->width - shift);
    Tile tile = {.shift = shift, .cols = cols, .rows = mr};
    if (whole) {
      tile.row = nest_loop(lower, LS_FOR, "i0", from, single ? nest_i64(lower, whole) : to, mr);
      body(lower, weight, &tile, block);
      nest_close(lower);
    }
    if (!rest)
      continue;
    if (!single)
      nest_if(lower, lx_binary(lower->arena, LX_EQ, weight->row_task, nest_i64(lower, last)));
    tile.row = nest_i64(lower, whole);
    tile.rows = (int)rest;
    body(lower, weight, &tile, block);
    if (!single)
      nest_close(lower);
  }
}

static void sum_rows(Lower *lower, Weight *weight) {
  if (weight->sums) {
    const Conv *conv = &weight->conv;
    LExpr *zero = nest_i64(lower, 0), *samples = nest_count(lower, conv->x->type.dim, conv->lead);
    each_tile(lower, weight, NULL, clear);
    Block block = {.sample = nest_loop(lower, LS_FOR, "b0", zero, samples, weight->samples)};
    if (weight->lines < conv->outputs[0])
      block.line = nest_loop(lower, LS_FOR, "p0", zero, nest_i64(lower, conv->outputs[0]), weight->lines);
    each_tile(lower, weight, &block, add_block);
    if (block.line)
      nest_close(lower);
    nest_close(lower);
  }
  each_tile(lower, weight, NULL, finish);
}

// ---- tasks: groups, taps, panels, blocks of rows
static void each_task(Lower *lower, Weight *weight, bool shared) {
  const Conv *conv = &weight->conv;
  int64_t panels = nest_ceil_div(conv->out, conv->nr), blocks = nest_ceil_div(weight->rows, weight->row_block);
  int64_t whole = conv->out / conv->nr;
  int rest = (int)(conv->out % conv->nr), count = 0;
  Dim dims[MAX_RANK];
  LExpr *index[MAX_RANK], *zero = nest_i64(lower, 0);
  dims[count++] = panels;
  dims[count++] = conv->groups;
  for (int d = 0; d < taps_outside(conv); d++)
    dims[count++] = conv->attr->window[d].size;
  dims[count++] = blocks;
  LExpr *task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", zero, nest_count(lower, dims, count), 1);
  nest_unravel(lower, task, dims, NULL, count, index);
  LExpr *panel = panels > 1 ? nest_let(lower, "panel", index[0]) : zero;
  weight->group = conv->groups > 1 ? nest_let(lower, "group", index[1]) : zero;
  for (int d = 0; d < taps_outside(conv); d++)
    weight->tap[d] = nest_let(lower, "r", index[2 + d]);
  weight->row_task = blocks > 1 ? nest_let(lower, "block", index[count - 1]) : zero;
  for (int last = 0; last <= 1; last++) {
    if (last ? !rest : !whole)
      continue;
    if (rest && whole)
      nest_if(lower, lx_binary(lower->arena, last ? LX_EQ : LX_LT, panel, nest_i64(lower, whole)));
    LExpr *number = last ? nest_i64(lower, whole) : panel;
    weight->width = last ? rest : conv->nr;
    weight->column = nest_let(lower, "o0", nest_mul(lower, number, nest_i64(lower, conv->nr)));
    sum_rows(lower, weight);
    if (rest && whole)
      nest_close(lower);
  }
  nest_close(lower);
}

// ---- sizes
static int64_t at_least(int64_t value, int64_t least) {
  return value > least ? value : least;
}

// Blocks of so many samples, or lines of outputs, that what a task reads of one stays in half of the second cache; long
// enough that loading and storing the sums does not count.
static void choose_blocks(const Lower *lower, Weight *weight) {
  enum { LEAST = 128 };
  const Conv *conv = &weight->conv;
  int64_t outputs = 1, places = 1, bytes = ltype_bytes(conv->type);
  for (int d = 0; d < conv->space; d++) {
    outputs *= conv->outputs[d];
    places *= conv->extent[d];
  }
  int64_t sample = (places * conv->in * conv->groups + outputs * conv->nr) * bytes, room = lower->target->l2_bytes / 2;
  weight->samples = at_least(at_least(room / (sample + 1), (LEAST + outputs - 1) / outputs), 1);
  weight->lines = conv->outputs[0];
  if (weight->samples == 1 && sample > room && conv->space > 1)
    weight->lines =
        at_least(room / (sample / conv->outputs[0] + 1), (LEAST * conv->outputs[0] + outputs - 1) / outputs);
}

// Rows of a task: all of a tap, unless there would be too few tasks.
static void choose_rows(const Lower *lower, Weight *weight) {
  enum { TASKS = 16 };
  Conv *conv = &weight->conv;
  int64_t last = conv->folded ? conv->attr->window[conv->space - 1].size : 1;
  weight->rows = conv->in * last;
  int64_t panels = (conv->out + conv->nr - 1) / conv->nr;
  int64_t others = panels * conv->groups * conv_taps(conv, 0) / last;
  int64_t most = nest_tile_most(lower), blocks = at_least(TASKS / others, 1);
  int64_t tiles = (weight->rows + most - 1) / most, even;
  blocks = blocks < tiles ? blocks : tiles;
  even = (weight->rows + blocks - 1) / blocks;
  tiles = (even + most - 1) / most;
  conv->mr = (int)((even + tiles - 1) / tiles);
  weight->row_block = tiles * conv->mr;
}

int64_t nest_conv_weight(Lower *lower, int64_t scratch) {
  const Node *node = lower->kernel->root, *y = node->inputs[1];
  Weight weight = {.conv = conv_of(lower, node, &y->type, false), .y = y};
  Conv *conv = &weight.conv;
  lower->out->work = nest_work(lower);
  bool shared = lower->out->work >= SHARED_WORK;
  int mr;
  nest_tile_size(lower, conv->type, conv->in, conv->out, &mr, &conv->nr);
  choose_rows(lower, &weight);
  int64_t bytes = conv_image(lower, conv, scratch, shared);
  choose_blocks(lower, &weight);
  int64_t samples = nest_capacity(lower, conv->x->type.dim, conv->lead);
  if (samples > weight.samples || weight.lines < conv->outputs[0]) {
    int64_t length = conv_taps(conv, 0) * conv->in * conv->out * conv->groups;
    weight.sums = nest_scratch(lower, "sums", conv->type, length, scratch + bytes);
    bytes += length * ltype_bytes(conv->type);
  }
  each_task(lower, &weight, shared);
  lower->out->barrier_inside = shared && conv->image;
  return bytes;
}

// Products. The result is cut into register tiles of mr rows by nr columns; a task owns some rows of tiles in one panel
// of nr columns, so that the panel of B stays in the caches while the rows pass. Where that pays, operands are first copied
// (matmul_pack.c). A long k is gone through in blocks by all threads, for which a panel of B stays in the first cache; the
// sums rest in scratch memory between them, which changes no bit. The kernel's further nodes are computed from the finished
// tile.
#include "loops/nest_matmul.h"

#include "graph/ops.h"

// ---- one tile
typedef struct Tile {
  LExpr *row, *column; // of its first element
  LExpr *panel;        // where its panel is packed, from the tile's first column on
  int width;           // of the panel
  int rows, cols;
} Tile;

static LExpr *b_value(Lower *lower, const Product *product, const Tile *tile, LExpr *k, LExpr *j) {
  if (!product->packed)
    return matmul_operand(lower, product, 1, k, nest_add(lower, tile->column, j));
  LExpr *at = nest_add(lower, tile->panel, nest_add(lower, nest_mul(lower, k, nest_i64(lower, tile->width)), j));
  return lx_load(lower->arena, product->packed, at);
}

static LExpr *a_value(Lower *lower, const Product *product, const Tile *tile, LExpr *panel, LExpr *i, LExpr *k) {
  if (!product->packed_a)
    return matmul_operand(lower, product, 0, nest_add(lower, tile->row, i), k);
  LExpr *at = product->row_stride ? nest_add(lower, nest_mul(lower, i, nest_i64(lower, product->row_stride)), k)
                                  : nest_add(lower, nest_mul(lower, k, nest_i64(lower, tile->rows)), i);
  return lx_load(lower->arena, product->packed_a, nest_add(lower, panel, at));
}

static void finish(Lower *lower, Product *product, const Tile *tile, LLocal *acc) {
  LExpr *i, *j;
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  product->index[product->leading] = nest_add(lower, tile->row, i);
  product->index[product->leading + 1] = nest_add(lower, tile->column, j);
  nest_know(lower, product->node, product->index, lx_local(lower->arena, acc, i, j));
  nest_finish(lower, product->index, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// Between blocks of k. Sums lie as the result does, of one batch.
static LExpr *sum_place(Lower *lower, const Product *product, const Tile *tile, LExpr *i, LExpr *j) {
  LExpr *row = nest_mul(lower, nest_add(lower, tile->row, i), nest_i64(lower, product->n));
  return nest_add(lower, row, nest_add(lower, tile->column, j));
}

static void take_up(Lower *lower, const Product *product, const Tile *tile, LLocal *acc) {
  LExpr *i, *j;
  nest_if(lower, lx_binary(lower->arena, LX_GT, product->k_block, nest_i64(lower, 0)));
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  nest_set(lower, acc, i, j, lx_load(lower->arena, product->sums, sum_place(lower, product, tile, i, j)));
  nest_close(lower);
  nest_close(lower);
}

static void put_down(Lower *lower, Product *product, const Tile *tile, LLocal *acc) {
  LExpr *i, *j, *last = nest_i64(lower, (product->k - 1) / product->depth);
  nest_if(lower, lx_binary(lower->arena, LX_LT, product->k_block, last));
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  nest_put(lower, product->sums, sum_place(lower, product, tile, i, j), lx_local(lower->arena, acc, i, j));
  nest_close(lower);
  nest_close(lower);
  nest_if(lower, lx_binary(lower->arena, LX_EQ, product->k_block, last));
  finish(lower, product, tile, acc);
  nest_close(lower);
}

// The next panel's part for this block of k, while the tiles of this one are summed.
static void prefetch_panel(Lower *lower, const Product *product, const Tile *tile, LExpr *from, LExpr *k) {
  if (!product->packed || product->most || product->k < 0)
    return;
  int64_t rows = nest_capacity(lower, &product->m, 1);
  NextPanel panel = {.packed = product->packed,
                     .length = product->depth * product->nr,
                     .all = product->block < rows ? product->block : rows,
                     .rounds = product->depth,
                     .rows = tile->rows};
  LExpr *behind = nest_i64(lower, (int64_t)product->k * product->nr);
  panel.next =
      nest_add(lower, nest_add(lower, tile->panel, behind), nest_mul(lower, from, nest_i64(lower, product->nr)));
  panel.done = lx_binary(lower->arena, LX_MOD, tile->row, nest_i64(lower, product->block));
  nest_prefetch_panel(lower, &panel, lx_binary(lower->arena, LX_SUB, k, from));
}

static void make_tile(Lower *lower, Product *product, const Tile *tile) {
  LExpr *i, *j, *zero = lx_real(lower->arena, product->type, 0), *panel = NULL;
  if (product->packed_a)
    panel = nest_let(lower, "rows", matmul_rows_start(lower, product, tile->row));
  LLocal *acc = nest_local(lower, "acc", product->type, 2, tile->rows, tile->cols, zero);
  if (product->sums)
    take_up(lower, product, tile, acc);
  LExpr *from = nest_i64(lower, 0), *to = lower_dim(lower, product->k);
  if (product->sums) {
    from = nest_let(lower, "k0", nest_mul(lower, product->k_block, nest_i64(lower, product->depth)));
    to = nest_let(lower, "k1", nest_min(lower, nest_add(lower, from, nest_i64(lower, product->depth)), to));
  }
  LExpr *k = nest_loop(lower, LS_FOR, "k", from, to, 1);
  prefetch_panel(lower, product, tile, from, k);
  for (int end = 0; end <= 1; end++) {
    nest_prefetch(lower, a_value(lower, product, tile, panel, nest_i64(lower, end ? tile->rows - 1 : 0), k), k);
    nest_prefetch(lower, b_value(lower, product, tile, k, nest_i64(lower, end ? tile->cols - 1 : 0)), k);
  }
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  LExpr *a = a_value(lower, product, tile, panel, i, k);
  LExpr *b = b_value(lower, product, tile, k, j);
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  nest_close(lower);
  nest_close(lower);
  if (product->sums)
    put_down(lower, product, tile, acc);
  else
    finish(lower, product, tile, acc);
}

// ---- the rows of a task in one panel
static void tile_loop(Lower *lower, Product *product, Tile tile, LExpr *from, LExpr *to, int rows) {
  tile.row = nest_loop(lower, LS_FOR, "i0", from, to, rows);
  tile.rows = rows;
  make_tile(lower, product, &tile);
  nest_close(lower);
}

// Rows known when compiled: whole tiles, and one that is as high as what is left.
static void static_rows(Lower *lower, Product *product, Tile tile, LExpr *block) {
  int64_t whole = product->m / product->mr * product->mr, rest = product->m - whole;
  bool single = product->block >= product->m;
  LExpr *from = nest_mul(lower, block, nest_i64(lower, product->block));
  LExpr *to = single ? nest_i64(lower, whole)
                     : nest_min(lower, nest_add(lower, from, nest_i64(lower, product->block)), nest_i64(lower, whole));
  if (whole)
    tile_loop(lower, product, tile, from, to, product->mr);
  if (!rest)
    return;
  int64_t last = (product->m - 1) / product->block;
  if (!single)
    nest_if(lower, lx_binary(lower->arena, LX_EQ, block, nest_i64(lower, last)));
  tile.row = nest_i64(lower, whole);
  tile.rows = (int)rest;
  make_tile(lower, product, &tile);
  if (!single)
    nest_close(lower);
}

// Rows that depend on the batch: whole tiles, then tiles of four rows, then single rows.
static void dynamic_rows(Lower *lower, Product *product, Tile tile, LExpr *block) {
  LExpr *m = lower_dim(lower, product->m), *from = nest_mul(lower, block, nest_i64(lower, product->block));
  LExpr *to = m;
  if (product->block < nest_capacity(lower, &product->m, 1))
    to = nest_min(lower, m, nest_add(lower, from, nest_i64(lower, product->block)));
  to = nest_let(lower, "rows", to);
  const int heights[] = {product->mr, 4, 1};
  for (int i = 0; i < 3; i++) {
    if (i > 0 && heights[i] >= heights[i - 1])
      continue;
    LExpr *height = nest_i64(lower, heights[i]);
    LExpr *count = nest_div(lower, lx_binary(lower->arena, LX_SUB, to, from), height);
    LExpr *end = nest_let(lower, "end", nest_add(lower, from, nest_mul(lower, count, height)));
    tile_loop(lower, product, tile, from, end, heights[i]);
    from = end;
  }
}

// All rows of a task, for a panel of `width` columns from `column`; a panel that is no whole vector takes several tiles.
static void panel_rows(Lower *lower, Product *product, LExpr *column, LExpr *panel, int width, LExpr *block) {
  LExpr *start = NULL;
  if (product->most)
    start = matmul_pack_own(lower, product, column, width);
  else if (product->packed)
    start = nest_let(lower, "panel", matmul_panel_start(lower, product, panel));
  for (int shift = 0, cols; shift < width; shift += cols) {
    cols = nest_piece(width - shift);
    Tile tile = {.column = nest_add(lower, column, nest_i64(lower, shift)), .width = width, .cols = cols};
    tile.panel = start ? nest_add(lower, start, nest_i64(lower, shift)) : NULL;
    if (product->m >= 0)
      static_rows(lower, product, tile, block);
    else
      dynamic_rows(lower, product, tile, block);
  }
}

// ---- columns
// Panels of nr columns and a last one of what is left, in one numbering.
static void static_panels(Lower *lower, Product *product, LExpr *panel, LExpr *block) {
  int64_t whole = product->n / product->nr;
  int rest = (int)(product->n % product->nr);
  if (whole) {
    if (rest)
      nest_if(lower, lx_binary(lower->arena, LX_LT, panel, nest_i64(lower, whole)));
    LExpr *column = nest_let(lower, "j0", nest_mul(lower, panel, nest_i64(lower, product->nr)));
    panel_rows(lower, product, column, panel, product->nr, block);
    if (rest)
      nest_close(lower);
  }
  if (!rest)
    return;
  if (whole)
    nest_if(lower, lx_binary(lower->arena, LX_EQ, panel, nest_i64(lower, whole)));
  panel_rows(lower, product, nest_i64(lower, whole * product->nr), nest_i64(lower, whole), rest, block);
  if (whole)
    nest_close(lower);
}

// Columns that depend on the batch: whole panels, then single columns, all in the last panel's task.
static void dynamic_panels(Lower *lower, Product *product, LExpr *panel, LExpr *block) {
  LExpr *n = lower_dim(lower, product->n), *nr = nest_i64(lower, product->nr);
  LExpr *from = nest_let(lower, "j0", nest_mul(lower, panel, nr)), *to = nest_add(lower, from, nr);
  nest_if(lower, lx_binary(lower->arena, LX_LE, to, n));
  panel_rows(lower, product, from, panel, product->nr, block);
  nest_close(lower);
  nest_if(lower, lx_binary(lower->arena, LX_GT, to, n));
  LExpr *column = nest_loop(lower, LS_FOR, "j1", from, n, 1);
  panel_rows(lower, product, column, panel, 1, block);
  nest_close(lower);
  nest_close(lower);
}

static LExpr *panel_count(Lower *lower, const Product *product) {
  LExpr *n = lower_dim(lower, product->n), *nr = nest_i64(lower, product->nr);
  return nest_div(lower, nest_add(lower, n, nest_i64(lower, product->nr - 1)), nr);
}

static LExpr *block_count(Lower *lower, const Product *product) {
  LExpr *m = lower_dim(lower, product->m);
  if (product->block >= nest_capacity(lower, &product->m, 1))
    return nest_i64(lower, 1);
  return nest_div(lower, nest_add(lower, m, nest_i64(lower, product->block - 1)), nest_i64(lower, product->block));
}

static LExpr *mod(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_MOD, a, b);
}

static bool is_one(const LExpr *count) {
  return count->op == LX_CONST && count->integer == 1;
}

// The number that runs faster and the one that runs slower in `task`, of `fast` and `slow` values.
typedef struct Pair {
  LExpr *fast, *slow;
} Pair;

static Pair split_task(Lower *lower, LExpr *task, LExpr *fast, LExpr *slow, bool batched) {
  LExpr *zero = nest_i64(lower, 0), *row = nest_div(lower, task, fast);
  Pair pair = {zero, zero};
  if (!is_one(fast))
    pair.fast = is_one(slow) && !batched ? task : mod(lower, task, fast);
  if (!is_one(slow))
    pair.slow = batched ? mod(lower, row, slow) : row;
  return pair;
}

static void multiply(Lower *lower, Product *product, bool shared) {
  const Dim *dims = product->node->type.dim;
  LExpr *panels = panel_count(lower, product), *blocks = block_count(lower, product);
  LExpr *batches = nest_count(lower, dims, product->leading), *each = nest_mul(lower, blocks, panels);
  bool batched = product->leading > 0, by_panel = product->by_panel;
  if (product->sums) {
    LExpr *zero = nest_i64(lower, 0), *count = nest_i64(lower, nest_ceil_div(product->k, product->depth));
    product->k_block = nest_loop(lower, shared ? LS_TOGETHER : LS_FOR, "k_block", zero, count, 1);
  }
  LExpr *tasks = nest_mul(lower, batches, each), *task;
  if (product->most && shared)
    task = nest_dealt(lower, "task", tasks, product->most, &product->thread);
  else
    task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", nest_i64(lower, 0), tasks, 1);
  Pair pair = split_task(lower, task, by_panel ? blocks : panels, by_panel ? panels : blocks, batched);
  LExpr *panel = nest_let(lower, "panel", by_panel ? pair.slow : pair.fast);
  LExpr *block = nest_let(lower, "block", by_panel ? pair.fast : pair.slow);
  matmul_leading(lower, product, batched ? nest_div(lower, task, each) : nest_i64(lower, 0));
  if (product->n >= 0)
    static_panels(lower, product, panel, block);
  else
    dynamic_panels(lower, product, panel, block);
  nest_close(lower);
  if (product->sums)
    nest_close(lower);
}

// ---- sizes
// Rows of a tile: as many as registers hold, but so that the tiles of `rows` come out even.
static int tile_rows(const Product *product, int64_t rows, int most) {
  if (product->m < 0)
    for (int mr = most; mr > most / 2; mr--)
      if (rows % mr == 0)
        return mr;
  return (int)nest_even(rows, most);
}

static void choose_columns(const Lower *lower, Product *product, int64_t rows) {
  int lanes = lower->target->vector_bytes / ltype_bytes(product->type);
  int64_t cols = nest_capacity(lower, &product->n, 1);
  int vectors = rows == 1 ? 8 : rows <= 3 ? 4 : 2;
  product->nr = (lanes > 0 ? lanes : 1) * vectors;
  if (cols > 0 && cols < product->nr && product->n >= 0)
    product->nr = nest_piece(cols);
  if (product->n < 0)
    product->nr = LANES;
}

// Blocks of k, where a panel of B would fill much of the second cache, and is used by several tiles.
static void choose_depth(const Lower *lower, Product *product, int64_t rows) {
  int64_t k = nest_capacity(lower, &product->k, 1), row = product->nr * ltype_bytes(product->type);
  product->depth = k;
  if (product->leading || product->n < 0 || product->k < 0 || rows <= nest_tile_most(lower) ||
      k * row <= lower->target->l2_bytes / 4)
    return;
  int64_t fits = lower->target->l2_bytes / 4 / row;
  product->depth = nest_even(k, fits > 128 ? fits : 128);
}

// Rows of a task: a block of A that stays in the second cache, enough tasks for threads to end together, and blocks that
// are as even as tiles allow. Where all of A stays there, a thread takes whole panels: mostly those that it has packed.
static void choose_rows(const Lower *lower, Product *product, int64_t rows, bool shared) {
  enum { TASKS = 16 };
  const Target *target = lower->target;
  int most = nest_tile_most(lower);
  int64_t panels = nest_ceil_div(nest_capacity(lower, &product->n, 1), product->nr);
  int64_t others = panels * nest_capacity(lower, product->node->type.dim, product->leading);
  int64_t fits = target->l2_bytes / 2 / (product->depth * ltype_bytes(product->type) + 1);
  int64_t blocks = nest_ceil_div(rows, fits > most ? fits : most);
  product->by_panel = blocks == 1;
  if (shared && blocks * others < TASKS)
    blocks = nest_ceil_div(TASKS, others > 0 ? others : 1);
  int64_t tiles = nest_ceil_div(rows, most);
  // A tile each, where even blocks would have lower ones: of 64 rows, four blocks have tiles of 8, five have one of 13.
  if (blocks > tiles || (tiles <= 2 * blocks && nest_even(nest_ceil_div(rows, blocks), most) < nest_even(rows, most)))
    blocks = tiles;
  int64_t even = nest_ceil_div(rows, blocks);
  product->mr = tile_rows(product, product->m < 0 ? rows : even, most);
  product->block = nest_ceil_div(even, product->mr) * product->mr;
}

// A matrix that was broadcast to the leading dimensions.
static bool is_repeated(const Node *node) {
  if (node->type.rank <= 2 || node->op != OP_broadcast)
    return false;
  const Type *from = &node->inputs[0]->type;
  for (int i = 0; i < from->rank - 2; i++)
    if (from->dim[i] != 1)
      return false;
  return true;
}

void nest_matmul(Lower *lower) {
  const Node *node = lower->kernel->root;
  const Type *a = &node->inputs[0]->type;
  int rank = node->type.rank;
  Product product = {.node = node,
                     .leading = rank - 2,
                     .m = node->type.dim[rank - 2],
                     .n = node->type.dim[rank - 1],
                     .k = a->dim[a->rank - 1],
                     .type = ltype_of(node->type.elem)};
  lower->out->work = nest_work(lower);
  bool shared = lower->out->work >= SHARED_WORK;
  int64_t rows = nest_capacity(lower, &product.m, 1);
  rows = rows > 0 ? rows : 1;
  choose_columns(lower, &product, rows);
  choose_depth(lower, &product, rows);
  choose_rows(lower, &product, rows, shared);
  product.batch = product.thread = nest_i64(lower, 0);
  product.one_b = is_repeated(node->inputs[1]);
  matmul_pack(lower, &product, shared);
  if (product.depth < product.k)
    product.sums = nest_scratch(lower, "sums", product.type, rows * product.n);
  multiply(lower, &product, shared);
}

// Products. The result is cut into register tiles of mr rows by nr columns; a task owns some rows of tiles in one panel
// of nr columns, so that the panel of B stays in the caches while the rows pass. B is first copied into panels, element
// (k, j) beside (k, j + 1), where that pays. The kernel's further nodes are computed from the finished tile.
#include "loops/nest.h"

#include "graph/ops.h"

typedef struct Product {
  const Node *node;
  int leading;   // dimensions before the last two
  Dim m, n, k;
  int mr, nr;    // the tile
  int64_t block; // rows of a task
  LType type;
  LBuffer *packed;            // B in panels, or NULL
  LExpr *index[MAX_RANK];     // of the result; the leading dimensions
  LExpr *batch;               // their common number
} Product;

// ---- operands
static LExpr *operand(Lower *lower, const Product *product, int which, LExpr *row, LExpr *col) {
  const Node *node = product->node->inputs[which];
  int missing = product->node->type.rank - node->type.rank;
  LExpr *index[MAX_RANK];
  for (int i = 0; i < node->type.rank - 2; i++)
    index[i] = product->index[i + missing];
  index[node->type.rank - 2] = row;
  index[node->type.rank - 1] = col;
  lower->operands = true;
  LExpr *value = lower_value(lower, node, index);
  lower->operands = false;
  return value;
}

static int64_t packed_size(const Lower *lower, const Product *product) {
  return nest_capacity(lower, &product->k, 1) * nest_capacity(lower, &product->n, 1);
}

// Where the panel of column `panel` * nr begins; panels lie one after another, the last one as wide as it is.
static LExpr *panel_start(Lower *lower, const Product *product, LExpr *panel) {
  int64_t each = nest_capacity(lower, &product->k, 1) * product->nr;
  LExpr *start = nest_mul(lower, panel, nest_i64(lower, each));
  return nest_add(lower, nest_mul(lower, product->batch, nest_i64(lower, packed_size(lower, product))), start);
}

// ---- one tile
typedef struct Tile {
  LExpr *row, *column; // of its first element
  LExpr *panel;        // where its panel is packed
  int rows, cols;
} Tile;

static LExpr *b_value(Lower *lower, const Product *product, const Tile *tile, LExpr *k, LExpr *j) {
  if (!product->packed)
    return operand(lower, product, 1, k, nest_add(lower, tile->column, j));
  LExpr *at = nest_add(lower, tile->panel, nest_add(lower, nest_mul(lower, k, nest_i64(lower, tile->cols)), j));
  return lx_load(lower->arena, product->packed, at);
}

static void make_tile(Lower *lower, Product *product, const Tile *tile) {
  LExpr *i, *j, *zero = lx_real(lower->arena, product->type, 0);
  LLocal *acc = nest_local(lower, "acc", product->type, 2, tile->rows, tile->cols, zero);
  LExpr *k = nest_loop(lower, LS_FOR, "k", nest_i64(lower, 0), lower_dim(lower, product->k), 1);
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  LExpr *a = operand(lower, product, 0, nest_add(lower, tile->row, i), k);
  LExpr *b = b_value(lower, product, tile, k, j);
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  nest_close(lower);
  nest_close(lower);
  nest_tile(lower, tile->rows, tile->cols, &i, &j);
  product->index[product->leading] = nest_add(lower, tile->row, i);
  product->index[product->leading + 1] = nest_add(lower, tile->column, j);
  nest_know(lower, product->node, product->index, lx_local(lower->arena, acc, i, j));
  nest_finish(lower, product->index, 0, lower->kernel->nodes.count);
  nest_close(lower);
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

static void panel_rows(Lower *lower, Product *product, LExpr *column, LExpr *panel, int cols, LExpr *block) {
  Tile tile = {.column = column, .cols = cols};
  if (product->packed)
    tile.panel = nest_let(lower, "panel", panel_start(lower, product, panel));
  if (product->m >= 0)
    static_rows(lower, product, tile, block);
  else
    dynamic_rows(lower, product, tile, block);
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

static void set_leading(Lower *lower, Product *product, LExpr *number) {
  int at[MAX_RANK];
  for (int i = 0; i < product->leading; i++)
    at[i] = i;
  product->batch = number;
  nest_unravel(lower, number, product->node->type.dim, at, product->leading, product->index);
  for (int i = 0; i < product->leading; i++)
    product->index[i] = nest_let(lower, "b", product->index[i]);
}

static LExpr *mod(Lower *lower, LExpr *a, LExpr *b) { return lx_binary(lower->arena, LX_MOD, a, b); }

static void multiply(Lower *lower, Product *product, bool shared) {
  const Dim *dims = product->node->type.dim;
  LExpr *panels = panel_count(lower, product), *blocks = block_count(lower, product);
  LExpr *batches = nest_count(lower, dims, product->leading);
  LExpr *tasks = nest_mul(lower, nest_mul(lower, batches, blocks), panels);
  LExpr *task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", nest_i64(lower, 0), tasks, 1);
  LExpr *row = nest_div(lower, task, panels);
  bool single_panel = panels->op == LX_CONST && panels->integer == 1;
  bool single_block = blocks->op == LX_CONST && blocks->integer == 1;
  bool single_batch = product->leading == 0;
  LExpr *panel = single_batch && single_block ? task : mod(lower, task, panels);
  LExpr *block = single_batch ? row : mod(lower, row, blocks);
  panel = nest_let(lower, "panel", single_panel ? nest_i64(lower, 0) : panel);
  block = nest_let(lower, "block", single_block ? nest_i64(lower, 0) : block);
  set_leading(lower, product, single_batch ? nest_i64(lower, 0) : nest_div(lower, row, blocks));
  if (product->n >= 0)
    static_panels(lower, product, panel, block);
  else
    dynamic_panels(lower, product, panel, block);
  nest_close(lower);
}

// ---- packing
static void pack_panel(Lower *lower, Product *product, LExpr *panel, int cols) {
  LExpr *row, *col;
  LExpr *start = nest_let(lower, "panel", panel_start(lower, product, panel));
  LExpr *column = nest_let(lower, "j0", nest_mul(lower, panel, nest_i64(lower, product->nr)));
  LExpr *k = nest_loop(lower, LS_FOR, "k", nest_i64(lower, 0), lower_dim(lower, product->k), 1);
  nest_tile(lower, 1, cols, &row, &col);
  LStmt *stmt = nest_stmt(lower, LS_STORE);
  stmt->buffer = product->packed;
  stmt->index[0] = nest_add(lower, start, nest_add(lower, nest_mul(lower, k, nest_i64(lower, cols)), col));
  stmt->value = operand(lower, product, 1, k, nest_add(lower, column, col));
  nest_push(lower, stmt);
  nest_close(lower);
  nest_close(lower);
}

static void pack(Lower *lower, Product *product, bool shared) {
  const Dim *dims = product->node->type.dim;
  int64_t whole = product->n / product->nr;
  int rest = (int)(product->n % product->nr);
  LExpr *panels = panel_count(lower, product);
  LExpr *tasks = nest_mul(lower, nest_count(lower, dims, product->leading), panels);
  LExpr *task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", nest_i64(lower, 0), tasks, 1);
  LExpr *panel = nest_let(lower, "panel", product->leading ? mod(lower, task, panels) : task);
  set_leading(lower, product, product->leading ? nest_div(lower, task, panels) : nest_i64(lower, 0));
  if (whole) {
    if (rest)
      nest_if(lower, lx_binary(lower->arena, LX_LT, panel, nest_i64(lower, whole)));
    pack_panel(lower, product, panel, product->nr);
    if (rest)
      nest_close(lower);
  }
  if (rest) {
    if (whole)
      nest_if(lower, lx_binary(lower->arena, LX_EQ, panel, nest_i64(lower, whole)));
    pack_panel(lower, product, nest_i64(lower, whole), rest);
    if (whole)
      nest_close(lower);
  }
  nest_close(lower);
}

// The distance in memory of neighbouring columns of B; 0 if that is no single load.
static int64_t column_stride(Lower *lower, const Product *product) {
  LExpr *row, *j;
  int64_t stride = 0;
  nest_tile(lower, 1, 2, &row, &j);
  LExpr *k = nest_loop(lower, LS_FOR, "k", nest_i64(lower, 0), lower_dim(lower, product->k), 1);
  Product probe = *product;
  for (int i = 0; i < product->leading; i++)
    probe.index[i] = nest_i64(lower, 0);
  LExpr *value = operand(lower, &probe, 1, k, j);
  if (value->op != LX_LOAD || !lx_stride(value->args[0], j->var, &stride))
    stride = 0;
  nest_drop(lower);
  nest_drop(lower);
  return stride;
}

static bool packing_pays(Lower *lower, const Product *product) {
  int64_t rows = nest_capacity(lower, &product->m, 1);
  if (product->n < 0 || product->n == 1 || nest_capacity(lower, &product->k, 1) == 1)
    return false;
  int64_t stride = column_stride(lower, product);
  if (stride != 1 && stride != 0)
    return rows > product->mr;
  int64_t bytes = packed_size(lower, product) * ltype_bytes(product->type);
  return rows >= 8 * product->mr && bytes > lower->target->l1_bytes;
}

// ---- sizes
static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of a tile: as many as registers hold, but so that tiles come out even.
static int tile_rows(const Product *product, int64_t rows, int most) {
  int64_t even = ceil_div(rows, ceil_div(rows, most));
  if (product->m < 0)
    for (int mr = most; mr > most / 2; mr--)
      if (rows % mr == 0)
        return mr;
  return (int)(even > 0 ? even : 1);
}

static void choose_tile(const Lower *lower, Product *product) {
  const Target *target = lower->target;
  int lanes = target->vector_bytes / ltype_bytes(product->type), wide = target->vector_registers >= 32;
  int64_t rows = nest_capacity(lower, &product->m, 1), cols = nest_capacity(lower, &product->n, 1);
  int most = target->vector_bytes < 32 ? 4 : wide ? 14 : 6;
  int vectors = rows == 1 ? 8 : rows <= 3 ? 4 : 2;
  lanes = lanes > 0 ? lanes : 1;
  product->mr = tile_rows(product, rows > 0 ? rows : 1, most);
  product->nr = lanes * vectors;
  if (cols > 0 && cols < product->nr && product->n >= 0)
    product->nr = (int)cols;
  if (product->n < 0)
    product->nr = LANES;
}

// Rows of a task: a block of A that stays in the second cache, but enough tasks for threads to end together.
static void choose_block(const Lower *lower, Product *product) {
  enum { TASKS = 16 };
  int64_t rows = nest_capacity(lower, &product->m, 1), k = nest_capacity(lower, &product->k, 1);
  int64_t panels = ceil_div(nest_capacity(lower, &product->n, 1), product->nr);
  int64_t others = panels * nest_capacity(lower, product->node->type.dim, product->leading);
  int64_t tiles = lower->target->l2_bytes / 2 / (k * ltype_bytes(product->type) * product->mr + 1);
  int64_t even = others >= TASKS ? rows : ceil_div(rows * others, TASKS);
  int64_t most = ceil_div(even, product->mr);
  tiles = tiles < most ? tiles : most;
  product->block = (tiles > 0 ? tiles : 1) * product->mr;
}

int64_t nest_matmul(Lower *lower, int64_t scratch) {
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
  int64_t bytes = 0;
  choose_tile(lower, &product);
  choose_block(lower, &product);
  product.batch = nest_i64(lower, 0);
  if (packing_pays(lower, &product)) {
    int64_t length = packed_size(lower, &product) * nest_capacity(lower, node->type.dim, product.leading);
    bytes = length * ltype_bytes(product.type);
    product.packed = nest_scratch(lower, "packed", product.type, length, scratch);
    pack(lower, &product, shared);
    lower->out->barrier_inside = shared;
  }
  multiply(lower, &product, shared);
  return bytes;
}

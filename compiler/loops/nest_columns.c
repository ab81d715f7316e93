// Reductions whose last axis stays, in the order that nest.h lays down: a vector of outputs goes down the reduced axes together.
// Several of the same shape (a normalisation's gradients are sums of what comes from above, and of that times x) go down side by
// side, so that what they share is read once.
#include "graph/ops.h"
#include "loops/nest.h"
#include "passes/kernels.h"

typedef struct Columns {
  const Node *sums[MOST_SUMS]; // all of one shape and over the same axes
  int sum_count;
  int width;               // of a block of outputs
  LExpr *index[MAX_RANK];  // into the input
  LExpr *result[MAX_RANK]; // into the output
  Dim dims[MAX_RANK];      // reduced
  int count;
  LBuffer *parts[MOST_SUMS]; // sums of chunks, a row of columns each, or NULL
  LExpr *from, *to;          // the reduced elements of the chunk that is summed
  LExpr *row, *chunks;       // the row of `parts` that belongs to the first chunk, or to this one; how many there are
} Columns;

static const Node *first(const Columns *columns) {
  return columns->sums[0];
}

// acc[j] joined with the elements [from, to) of the reduced axes, for `width` outputs from `column`.
static void add_rows(Lower *lower, Columns *columns, LExpr *from, LExpr *to, LExpr *column, int width, LLocal **acc) {
  const Node *node = first(columns);
  int last = node->inputs[0]->type.rank - 1;
  LExpr *row, *col, *r = nest_loop(lower, LS_FOR, "r", from, to, 1);
  nest_unravel(lower, r, node->inputs[0]->type.dim, node->attr->axis, columns->count, columns->index);
  nest_tile(lower, 1, width, &row, &col);
  columns->index[last] = nest_add(lower, column, col);
  for (int i = 0; i < columns->sum_count; i++) {
    LExpr *element = nest_element(lower, columns->sums[i], columns->index, -1);
    LExpr *sum = nest_join(lower, columns->sums[i], lx_local(lower->arena, acc[i], col, NULL), element);
    nest_set(lower, acc[i], col, NULL, sum);
  }
  nest_close(lower);
  nest_close(lower);
}

static void new_sums(Lower *lower, const Columns *columns, const char *name, int width, LLocal **acc) {
  for (int i = 0; i < columns->sum_count; i++) {
    const Node *node = columns->sums[i];
    acc[i] = nest_local(lower, name, nest_sum_type(node), 1, width, 0, nest_identity(lower, node));
  }
}

// Where element (row, column) of the sums of chunks lies.
static LExpr *part_at(Lower *lower, const Columns *columns, LExpr *row, LExpr *column) {
  const Type *out = &first(columns)->type;
  int64_t width = nest_capacity(lower, out->dim + out->rank - 1, 1);
  return nest_add(lower, nest_mul(lower, row, nest_i64(lower, width)), column);
}

// acc joined with the sums of all chunks, which are in `parts` or computed now.
static void add_chunks_of_rows(Lower *lower, Columns *columns, LExpr *column, int width, LLocal **acc) {
  LExpr *zero = nest_i64(lower, 0), *row, *col, *at = NULL;
  LLocal *part[MOST_SUMS];
  LExpr *chunk = nest_loop(lower, LS_FOR, "chunk", zero, columns->chunks, 1);
  if (!columns->parts[0]) {
    LExpr *size = nest_i64(lower, CHAIN_CHUNK), *rows = nest_count(lower, columns->dims, columns->count);
    LExpr *from = nest_let(lower, "first", nest_mul(lower, chunk, size));
    new_sums(lower, columns, "part", width, part);
    add_rows(lower, columns, from, nest_min(lower, rows, nest_add(lower, from, size)), column, width, part);
  }
  nest_tile(lower, 1, width, &row, &col);
  if (columns->parts[0])
    at = part_at(lower, columns, nest_add(lower, columns->row, chunk), nest_add(lower, column, col));
  for (int i = 0; i < columns->sum_count; i++) {
    LExpr *value = at ? lx_load(lower->arena, columns->parts[i], at) : lx_local(lower->arena, part[i], col, NULL);
    LExpr *sum = nest_join(lower, columns->sums[i], lx_local(lower->arena, acc[i], col, NULL), value);
    nest_set(lower, acc[i], col, NULL, sum);
  }
  nest_close(lower);
  nest_close(lower);
}

typedef void ColumnBlock(Lower *lower, Columns *columns, LExpr *column, int width);

// Sums `width` outputs and finishes them.
static void whole_block(Lower *lower, Columns *columns, LExpr *column, int width) {
  LExpr *row, *col, *zero = nest_i64(lower, 0);
  LLocal *acc[MOST_SUMS];
  new_sums(lower, columns, "acc", width, acc);
  if (columns->chunks)
    add_chunks_of_rows(lower, columns, column, width, acc);
  else
    add_rows(lower, columns, zero, nest_count(lower, columns->dims, columns->count), column, width, acc);
  nest_tile(lower, 1, width, &row, &col);
  columns->result[first(columns)->type.rank - 1] = nest_add(lower, column, col);
  for (int i = 0; i < columns->sum_count; i++) {
    LExpr *sum = nest_as_result(lower, columns->sums[i], lx_local(lower->arena, acc[i], col, NULL));
    nest_know(lower, columns->sums[i], columns->result, sum);
  }
  nest_finish(lower, columns->result, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// Sums one chunk of `width` outputs into `parts`.
static void part_block(Lower *lower, Columns *columns, LExpr *column, int width) {
  LExpr *row, *col;
  LLocal *part[MOST_SUMS];
  new_sums(lower, columns, "part", width, part);
  add_rows(lower, columns, columns->from, columns->to, column, width, part);
  nest_tile(lower, 1, width, &row, &col);
  LExpr *at = part_at(lower, columns, columns->row, nest_add(lower, column, col));
  for (int i = 0; i < columns->sum_count; i++)
    nest_put(lower, columns->parts[i], at, lx_local(lower->arena, part[i], col, NULL));
  nest_close(lower);
}

// A number of outputs that is known and less than a block.
static void make_pieces(Lower *lower, Columns *columns, ColumnBlock *make, int64_t column, int64_t end) {
  for (int width; column < end; column += width) {
    width = nest_piece(end - column);
    width = width < columns->width ? width : columns->width;
    make(lower, columns, nest_i64(lower, column), width);
  }
}

// Outputs in blocks, then what is left; blocks of one where their number is not known before. The blocks are shared out if
// `shared`, which is for the top of a kernel.
static void all_columns(Lower *lower, Columns *columns, ColumnBlock *make, bool shared) {
  const Type *out = &first(columns)->type;
  Dim last = out->dim[out->rank - 1];
  int scopes = 0;
  if (last >= 0 && last <= columns->width) {
    make_pieces(lower, columns, make, 0, last);
    return;
  }
  int width = last < 0 ? LANES : columns->width;
  LExpr *size = lower_dim(lower, last), *blocks = nest_div(lower, size, nest_i64(lower, width));
  LExpr *block = nest_rounds(lower, "block", blocks, nest_capacity(lower, &last, 1) / width, 1, shared, &scopes);
  make(lower, columns, nest_let(lower, "column", nest_mul(lower, block, nest_i64(lower, width))), width);
  nest_close_all(lower, scopes);
  if (last >= 0)
    make_pieces(lower, columns, make, last / width * width, last);
  if (last < 0) {
    LExpr *column = nest_loop(lower, LS_FOR, "column", nest_mul(lower, blocks, nest_i64(lower, width)), size, 1);
    make(lower, columns, column, 1);
    nest_close(lower);
  }
}

// ---- the nest
// The chunks of all outputs, shared out, each to its row of `parts`.
static void share_chunks(Lower *lower, Columns *columns) {
  const Node *node = first(columns);
  const Type *out = &node->type;
  int outer = out->rank - 1, at[MAX_RANK];
  LExpr *rows = nest_count(lower, columns->dims, columns->count), *size = nest_i64(lower, CHAIN_CHUNK);
  int64_t most = nest_ceil_div(nest_capacity(lower, columns->dims, columns->count), CHAIN_CHUNK);
  int64_t length = most * nest_capacity(lower, out->dim, out->rank);
  for (int i = 0; i < columns->sum_count; i++)
    columns->parts[i] = nest_scratch(lower, "parts", nest_sum_type(columns->sums[i]), length);
  LExpr *tasks = nest_mul(lower, nest_count(lower, out->dim, outer), columns->chunks);
  LExpr *task = nest_loop(lower, LS_PARALLEL, "task", nest_i64(lower, 0), tasks, 1);
  LExpr *number = nest_let(lower, "o", nest_div(lower, task, columns->chunks));
  LExpr *chunk = nest_let(lower, "chunk", lx_binary(lower->arena, LX_MOD, task, columns->chunks));
  for (int i = 0; i < outer; i++)
    at[i] = i;
  nest_unravel(lower, number, out->dim, at, outer, columns->result);
  nest_set_kept(node, columns->result, columns->index, outer);
  columns->from = nest_let(lower, "first", nest_mul(lower, chunk, size));
  columns->to = nest_let(lower, "end", nest_min(lower, rows, nest_add(lower, columns->from, size)));
  columns->row = nest_let(lower, "row", nest_add(lower, nest_mul(lower, number, nest_i64(lower, most)), chunk));
  all_columns(lower, columns, part_block, false);
  nest_close(lower);
  lower->out->barrier_inside = true;
}

// As many outputs as half of the registers hold all sums of.
static int block_width(const Lower *lower, const Columns *columns) {
  enum { WIDTH = 64 };
  int lanes = lower->target->vector_bytes / (int)ltype_bytes(nest_sum_type(first(columns))), width = WIDTH;
  while (columns->sum_count > 1 && width > LANES &&
         columns->sum_count * width > lower->target->vector_registers / 2 * lanes)
    width /= 2;
  return width;
}

// A kernel of such sums has nothing else that is reduced.
static Columns columns_of(const Lower *lower) {
  Columns columns = {0};
  for (int i = 0; i < lower->kernel->nodes.count; i++)
    if (op_info[lower->kernel->nodes.data[i]->op].class == REDUCE)
      columns.sums[columns.sum_count++] = lower->kernel->nodes.data[i];
  columns.count = nest_reduced_dims(first(&columns), columns.dims);
  columns.width = block_width(lower, &columns);
  return columns;
}

void nest_columns(Lower *lower) {
  enum { ENOUGH = 8 };
  Columns columns = columns_of(lower);
  const Node *node = first(&columns);
  const Type *out = &node->type;
  int outer = out->rank - 1, scopes;
  int64_t rows = nest_capacity(lower, columns.dims, columns.count);
  int64_t tasks = nest_capacity(lower, out->dim, out->rank) / columns.width;
  bool shared = lower->out->work >= SHARED_WORK;
  if (rows > CHAIN_CHUNK)
    columns.chunks = nest_part_count(lower, nest_count(lower, columns.dims, columns.count), CHAIN_CHUNK);
  if (shared && columns.chunks && tasks < ENOUGH) {
    share_chunks(lower, &columns);
    shared = false;
  }
  bool by_rows = shared && nest_capacity(lower, out->dim, outer) > 1;
  LExpr *number = nest_outputs(lower, "o", out, outer, by_rows, columns.result, &scopes);
  nest_set_kept(node, columns.result, columns.index, outer);
  if (columns.parts[0])
    columns.row = nest_mul(lower, number, nest_i64(lower, nest_ceil_div(rows, CHAIN_CHUNK)));
  all_columns(lower, &columns, whole_block, shared && scopes == 0);
  nest_close_all(lower, scopes);
}

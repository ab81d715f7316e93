// Reductions. nest_reduction gives the value of one output inside a nest, in the order that nest.h lays down: a short
// chain, 16 lanes, or (argmax) a scan. nest_reduce is the nest of kernels of kind REDUCE: where the last axis stays, a
// vector of outputs goes down the reduced axes together; otherwise each output is a nest_reduction.
#include "loops/nest.h"

#include <math.h>

#include "graph/ops.h"
#include "passes/flat.h"

// ---- the operation
LType nest_sum_type(const Node *node) {
  LType type = ltype_of(node->inputs[0]->type.elem);
  return type == L_U8 ? L_I32 : type;
}

LExpr *nest_identity(Lower *lower, const Node *node) {
  LType type = nest_sum_type(node);
  bool low = node->op == OP_reduce_max || node->op == OP_argmax;
  if (node->op == OP_reduce_sum)
    return lx_int(lower->arena, type, 0);
  if (type == L_F32 || type == L_F64)
    return lx_real(lower->arena, type, low ? -INFINITY : INFINITY);
  if (type == L_I64)
    return lx_int(lower->arena, type, low ? INT64_MIN : INT64_MAX);
  return lx_int(lower->arena, type, low ? INT32_MIN : INT32_MAX);
}

static LOp join_op(const Node *node) {
  return node->op == OP_reduce_sum ? LX_ADD : node->op == OP_reduce_max ? LX_MAX : LX_MIN;
}

LExpr *nest_join(Lower *lower, const Node *node, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, join_op(node), a, b);
}

LExpr *nest_element(Lower *lower, const Node *node, LExpr **index, int flat) {
  lower->flat = flat;
  LExpr *value = lower_value(lower, node->inputs[0], index);
  lower->flat = -1;
  return lx_cast(lower->arena, value, nest_sum_type(node));
}

LExpr *nest_as_result(Lower *lower, const Node *node, LExpr *sum) {
  return lx_cast(lower->arena, sum, ltype_of(node->type.elem));
}

// The reduced dimensions in order; how many.
static int reduced_dims(const Node *node, Dim *dims) {
  for (int i = 0; i < node->attr->axis_count; i++)
    dims[i] = node->inputs[0]->type.dim[node->attr->axis[i]];
  return node->attr->axis_count;
}

// ---- a short chain
static LExpr *chain(Lower *lower, const Node *node, LExpr **index, int count) {
  LExpr *sum = NULL;
  for (int r = 0; r < count; r++) {
    nest_unravel(lower, nest_i64(lower, r), node->inputs[0]->type.dim, node->attr->axis, node->attr->axis_count, index);
    LExpr *value = nest_element(lower, node, index, -1);
    sum = sum ? nest_join(lower, node, sum, value) : value;
  }
  return sum ? sum : nest_identity(lower, node);
}

// The elements at once as a vector, then the chain.
static LExpr *vector_chain(Lower *lower, const Node *node, LExpr **index, int count) {
  int first = node->inputs[0]->type.rank - node->attr->axis_count;
  LExpr *row, *col, *sum = NULL;
  LLocal *values = nest_local(lower, "values", nest_sum_type(node), 1, count, 0, nest_identity(lower, node));
  nest_tile(lower, 1, count, &row, &col);
  index[first] = col;
  nest_set(lower, values, col, NULL, nest_element(lower, node, index, first));
  nest_close(lower);
  for (int r = 0; r < count; r++) {
    LExpr *value = lx_local(lower->arena, values, nest_i64(lower, r), NULL);
    sum = sum ? nest_join(lower, node, sum, value) : value;
  }
  return sum;
}

// ---- lanes
// Adds elements [from, from + count) of the run that starts at dimension `first`, a constant count, to the first lanes.
static void add_tile(Lower *lower, const Node *node, LExpr **index, int first, LExpr *from, int count, LLocal *lanes) {
  LExpr *row, *col;
  nest_tile(lower, 1, count, &row, &col);
  index[first] = nest_add(lower, from, col);
  LExpr *lane = lx_local(lower->arena, lanes, col, NULL);
  nest_set(lower, lanes, col, NULL, nest_join(lower, node, lane, nest_element(lower, node, index, first)));
  nest_close(lower);
}

// The last elements, whose number is not known before: gathered one by one, then added as one more row of lanes, the
// identity in those that got none.
static void add_tail(Lower *lower, const Node *node, LExpr **index, int first, LExpr *from, LExpr *to, LLocal *lanes) {
  LExpr *row, *col;
  LLocal *tail = nest_local(lower, "tail", lanes->type, 1, LANES, 0, nest_identity(lower, node));
  LExpr *r = nest_loop(lower, LS_FOR, "r", from, to, 1);
  index[first] = r;
  LExpr *lane = lx_binary(lower->arena, LX_SUB, r, from);
  nest_set(lower, tail, lane, NULL, nest_element(lower, node, index, first));
  nest_close(lower);
  nest_tile(lower, 1, LANES, &row, &col);
  LExpr *sum =
      nest_join(lower, node, lx_local(lower->arena, lanes, col, NULL), lx_local(lower->arena, tail, col, NULL));
  nest_set(lower, lanes, col, NULL, sum);
  nest_close(lower);
}

// Elements [from, to) of a run to the lanes; `length` is how many if that is known when compiled, else -1.
static void add_run(Lower *lower, const Node *node, LExpr **index, int first, LExpr *from, LExpr *to, int64_t length,
                    LLocal *lanes) {
  LExpr *lane_count = nest_i64(lower, LANES), *whole;
  if (length >= 0) {
    whole = nest_add(lower, from, nest_i64(lower, length / LANES * LANES));
  } else {
    LExpr *rounds = nest_div(lower, lx_binary(lower->arena, LX_SUB, to, from), lane_count);
    whole = nest_let(lower, "whole", nest_add(lower, from, nest_mul(lower, rounds, lane_count)));
  }
  if (length < 0 || length >= LANES) {
    LExpr *r = nest_loop(lower, LS_FOR, "r", from, whole, LANES);
    add_tile(lower, node, index, first, r, LANES, lanes);
    nest_close(lower);
  }
  if (length < 0)
    add_tail(lower, node, index, first, whole, to, lanes);
  else if (length % LANES)
    add_tile(lower, node, index, first, whole, (int)(length % LANES), lanes);
}

static LExpr *lanes_sum(Lower *lower, const Node *node, LLocal *lanes) {
  LExpr *sum = arena_new_of(lower->arena, LExpr);
  LOp op = node->op == OP_reduce_sum ? LX_HSUM : node->op == OP_reduce_max ? LX_HMAX : LX_HMIN;
  *sum = (LExpr){.op = op, .type = lanes->type, .local = lanes};
  return sum;
}

static LLocal *new_lanes(Lower *lower, const Node *node) {
  return nest_local(lower, "lanes", nest_sum_type(node), 1, LANES, 0, nest_identity(lower, node));
}

// One run in chunks, each with lanes of its own.
static void add_chunks(Lower *lower, const Node *node, LExpr **index, int first, LExpr *length, LLocal *total) {
  LExpr *zero = nest_i64(lower, 0);
  LExpr *from = nest_loop(lower, LS_FOR, "chunk", zero, length, LANE_CHUNK);
  LExpr *to = nest_let(lower, "to", nest_min(lower, length, nest_add(lower, from, nest_i64(lower, LANE_CHUNK))));
  LLocal *lanes = new_lanes(lower, node);
  add_run(lower, node, index, first, from, to, -1, lanes);
  LExpr *sum = nest_join(lower, node, lx_local(lower->arena, total, zero, NULL), lanes_sum(lower, node, lanes));
  nest_set(lower, total, zero, NULL, sum);
  nest_close(lower);
}

static LExpr *lanes(Lower *lower, const Node *node, LExpr **index) {
  const Type *in = &node->inputs[0]->type;
  int trailing = flat_trailing(node), first = in->rank - trailing, outer = node->attr->axis_count - trailing;
  const Dim *run = in->dim + first;
  int64_t capacity = nest_capacity(lower, run, trailing), length = nest_static(run, trailing) ? capacity : -1;
  bool chunks = capacity > LANE_CHUNK;
  LExpr *zero = nest_i64(lower, 0), *run_length = nest_count(lower, run, trailing);
  LLocal *sum = chunks ? nest_local(lower, "total", nest_sum_type(node), 1, 1, 0, nest_identity(lower, node))
                       : new_lanes(lower, node);
  for (int i = 0; i < outer; i++)
    index[node->attr->axis[i]] = nest_loop(lower, LS_FOR, "o", zero, lower_dim(lower, in->dim[node->attr->axis[i]]), 1);
  if (chunks)
    add_chunks(lower, node, index, first, run_length, sum);
  else
    add_run(lower, node, index, first, zero, run_length, length, sum);
  for (int i = 0; i < outer; i++)
    nest_close(lower);
  return chunks ? lx_local(lower->arena, sum, zero, NULL) : lanes_sum(lower, node, sum);
}

// ---- parts of a long reduction, shared out
static LExpr *part_count(Lower *lower, LExpr *elements, int64_t chunk) {
  return nest_div(lower, nest_add(lower, elements, nest_i64(lower, chunk - 1)), nest_i64(lower, chunk));
}

bool nest_long_reduction(Lower *lower) {
  const Node *node = lower->kernel->root;
  const Type *in = &node->inputs[0]->type;
  int64_t capacity = nest_capacity(lower, in->dim, in->rank), most = (capacity + LANE_CHUNK - 1) / LANE_CHUNK;
  if (lower->kernel->nodes.count > 1 || node->type.rank > 0 || node->op == OP_argmax || most < 2 ||
      node->attr->axis_count != in->rank)
    return false;
  LType type = nest_sum_type(node);
  LBuffer *parts = nest_scratch(lower, "parts", type, most);
  LExpr *index[MAX_RANK], *zero = nest_i64(lower, 0), *length = nest_count(lower, in->dim, in->rank);
  LExpr *chunks = part_count(lower, length, LANE_CHUNK);
  LExpr *chunk = nest_loop(lower, LS_PARALLEL, "chunk", zero, chunks, 1);
  LExpr *from = nest_let(lower, "from", nest_mul(lower, chunk, nest_i64(lower, LANE_CHUNK)));
  LExpr *to = nest_let(lower, "to", nest_min(lower, length, nest_add(lower, from, nest_i64(lower, LANE_CHUNK))));
  LLocal *part = new_lanes(lower, node);
  add_run(lower, node, index, 0, from, to, -1, part);
  nest_put(lower, parts, chunk, lanes_sum(lower, node, part));
  nest_close(lower);
  LLocal *total = nest_local(lower, "total", type, 1, 1, 0, nest_identity(lower, node));
  chunk = nest_loop(lower, LS_FOR, "chunk", zero, chunks, 1);
  LExpr *sum = nest_join(lower, node, lx_local(lower->arena, total, zero, NULL), lx_load(lower->arena, parts, chunk));
  nest_set(lower, total, zero, NULL, sum);
  nest_close(lower);
  nest_store(lower, node, index, nest_as_result(lower, node, lx_local(lower->arena, total, zero, NULL)));
  lower->out->barrier_inside = true;
  return true;
}

// ---- argmax
// The first of equals; the first NaN counts as largest.
static LExpr *scan(Lower *lower, const Node *node, LExpr **index) {
  Arena *arena = lower->arena;
  int axis = node->attr->axis[0];
  LExpr *zero = nest_i64(lower, 0);
  LLocal *best = nest_local(lower, "best", nest_sum_type(node), 1, 1, 0, nest_identity(lower, node));
  LLocal *at = nest_local(lower, "at", L_I64, 1, 1, 0, zero);
  LExpr *r = nest_loop(lower, LS_FOR, "r", zero, lower_dim(lower, node->inputs[0]->type.dim[axis]), 1);
  index[axis] = r;
  LExpr *value = nest_let(lower, "value", nest_element(lower, node, index, -1));
  LExpr *known = nest_let(lower, "known", lx_local(arena, best, zero, NULL));
  LExpr *better = lx_binary(arena, LX_GT, value, known);
  if (elem_is_real(node->inputs[0]->type.elem)) {
    LExpr *number = lx_binary(arena, LX_EQ, known, known);
    LExpr *nan = lx_binary(arena, LX_AND, lx_binary(arena, LX_NE, value, value), number);
    better = lx_binary(arena, LX_OR, better, nan);
  }
  better = nest_let(lower, "better", better);
  nest_set(lower, at, zero, NULL, lx_select(arena, better, r, lx_local(arena, at, zero, NULL)));
  nest_set(lower, best, zero, NULL, lx_select(arena, better, value, known));
  nest_close(lower);
  return lx_local(arena, at, zero, NULL);
}

LExpr *nest_reduction(Lower *lower, const Node *node, LExpr **index) {
  if (node->op == OP_argmax)
    return scan(lower, node, index);
  Dim dims[MAX_RANK];
  int count = reduced_dims(node, dims);
  int64_t elements = nest_static(dims, count) ? nest_capacity(lower, dims, count) : LANES + 1;
  LExpr *sum;
  if (elements > LANES)
    sum = lanes(lower, node, index);
  else if (flat_trailing(node) == count && elements > 1)
    sum = vector_chain(lower, node, index, (int)elements);
  else
    sum = chain(lower, node, index, (int)elements);
  return nest_as_result(lower, node, sum);
}

// ---- the last axis stays
typedef struct Columns {
  const Node *node;
  LExpr *index[MAX_RANK];  // into the input
  LExpr *result[MAX_RANK]; // into the output
  Dim dims[MAX_RANK];      // reduced
  int count;
  LBuffer *parts;      // sums of chunks, a row of columns each, or NULL
  LExpr *from, *to;    // the reduced elements of the chunk that is summed
  LExpr *row, *chunks; // the row of `parts` that belongs to the first chunk, or to this one; how many there are
} Columns;

// acc[j] joined with the elements [from, to) of the reduced axes, for `width` outputs from `column`.
static void add_rows(Lower *lower, Columns *columns, LExpr *from, LExpr *to, LExpr *column, int width, LLocal *acc) {
  const Node *node = columns->node;
  int last = node->inputs[0]->type.rank - 1;
  LExpr *row, *col, *r = nest_loop(lower, LS_FOR, "r", from, to, 1);
  nest_unravel(lower, r, node->inputs[0]->type.dim, node->attr->axis, columns->count, columns->index);
  nest_tile(lower, 1, width, &row, &col);
  columns->index[last] = nest_add(lower, column, col);
  LExpr *sum =
      nest_join(lower, node, lx_local(lower->arena, acc, col, NULL), nest_element(lower, node, columns->index, -1));
  nest_set(lower, acc, col, NULL, sum);
  nest_close(lower);
  nest_close(lower);
}

static LLocal *new_sums(Lower *lower, const Columns *columns, const char *name, int width) {
  return nest_local(lower, name, nest_sum_type(columns->node), 1, width, 0, nest_identity(lower, columns->node));
}

// Where element (row, column) of the sums of chunks lies.
static LExpr *part_at(Lower *lower, const Columns *columns, LExpr *row, LExpr *column) {
  const Type *out = &columns->node->type;
  int64_t width = nest_capacity(lower, out->dim + out->rank - 1, 1);
  return nest_add(lower, nest_mul(lower, row, nest_i64(lower, width)), column);
}

// acc joined with the sums of all chunks, which are in `parts` or computed now.
static void add_chunks_of_rows(Lower *lower, Columns *columns, LExpr *column, int width, LLocal *acc) {
  const Node *node = columns->node;
  LExpr *zero = nest_i64(lower, 0), *row, *col, *value;
  LLocal *part = NULL;
  LExpr *chunk = nest_loop(lower, LS_FOR, "chunk", zero, columns->chunks, 1);
  if (!columns->parts) {
    LExpr *size = nest_i64(lower, CHAIN_CHUNK), *rows = nest_count(lower, columns->dims, columns->count);
    LExpr *from = nest_let(lower, "first", nest_mul(lower, chunk, size));
    part = new_sums(lower, columns, "part", width);
    add_rows(lower, columns, from, nest_min(lower, rows, nest_add(lower, from, size)), column, width, part);
  }
  nest_tile(lower, 1, width, &row, &col);
  if (part)
    value = lx_local(lower->arena, part, col, NULL);
  else
    value = lx_load(lower->arena, columns->parts,
                    part_at(lower, columns, nest_add(lower, columns->row, chunk), nest_add(lower, column, col)));
  nest_set(lower, acc, col, NULL, nest_join(lower, node, lx_local(lower->arena, acc, col, NULL), value));
  nest_close(lower);
  nest_close(lower);
}

typedef void ColumnBlock(Lower *lower, Columns *columns, LExpr *column, int width);

// Sums `width` outputs and finishes them.
static void whole_block(Lower *lower, Columns *columns, LExpr *column, int width) {
  const Node *node = columns->node;
  LExpr *row, *col;
  LLocal *acc = new_sums(lower, columns, "acc", width);
  if (columns->chunks)
    add_chunks_of_rows(lower, columns, column, width, acc);
  else
    add_rows(lower, columns, nest_i64(lower, 0), nest_count(lower, columns->dims, columns->count), column, width, acc);
  nest_tile(lower, 1, width, &row, &col);
  columns->result[node->type.rank - 1] = nest_add(lower, column, col);
  nest_know(lower, node, columns->result, nest_as_result(lower, node, lx_local(lower->arena, acc, col, NULL)));
  nest_finish(lower, columns->result, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// Sums one chunk of `width` outputs into `parts`.
static void part_block(Lower *lower, Columns *columns, LExpr *column, int width) {
  LExpr *row, *col;
  LLocal *part = new_sums(lower, columns, "part", width);
  add_rows(lower, columns, columns->from, columns->to, column, width, part);
  nest_tile(lower, 1, width, &row, &col);
  nest_put(lower, columns->parts, part_at(lower, columns, columns->row, nest_add(lower, column, col)),
           lx_local(lower->arena, part, col, NULL));
  nest_close(lower);
}

enum { WIDTH = 64 };

// A number of outputs that is known and less than a block.
static void make_pieces(Lower *lower, Columns *columns, ColumnBlock *make, int64_t column, int64_t end) {
  for (int width; column < end; column += width) {
    width = nest_piece(end - column);
    make(lower, columns, nest_i64(lower, column), width);
  }
}

// Outputs in blocks of WIDTH, then what is left; blocks of one where their number is not known before. The blocks are
// shared out if `shared`, which is for the top of a kernel.
static void all_columns(Lower *lower, Columns *columns, ColumnBlock *make, bool shared) {
  const Type *out = &columns->node->type;
  Dim last = out->dim[out->rank - 1];
  int scopes = 0;
  if (last >= 0 && last <= WIDTH) {
    make_pieces(lower, columns, make, 0, last);
    return;
  }
  int width = last < 0 ? LANES : WIDTH;
  LExpr *size = lower_dim(lower, last), *blocks = nest_div(lower, size, nest_i64(lower, width));
  LExpr *block = nest_rounds(lower, "block", blocks, nest_capacity(lower, &last, 1) / width, 1, shared, &scopes);
  make(lower, columns, nest_let(lower, "column", nest_mul(lower, block, nest_i64(lower, width))), width);
  while (scopes--)
    nest_close(lower);
  if (last >= 0)
    make_pieces(lower, columns, make, last / width * width, last);
  if (last < 0) {
    LExpr *column = nest_loop(lower, LS_FOR, "column", nest_mul(lower, blocks, nest_i64(lower, width)), size, 1);
    make(lower, columns, column, 1);
    nest_close(lower);
  }
}

// ---- the nest
static void set_kept(const Node *node, LExpr *const *result, LExpr **index, int count) {
  int next = 0, kept = 0;
  for (int i = 0; i < node->inputs[0]->type.rank; i++) {
    if (next < node->attr->axis_count && node->attr->axis[next] == i)
      next++;
    else if (kept < count)
      index[i] = result[kept++];
  }
}

// The chunks of all outputs, shared out, each to its row of `parts`.
static void share_chunks(Lower *lower, Columns *columns) {
  const Node *node = columns->node;
  const Type *out = &node->type;
  int outer = out->rank - 1, at[MAX_RANK];
  LExpr *rows = nest_count(lower, columns->dims, columns->count), *size = nest_i64(lower, CHAIN_CHUNK);
  int64_t most = (nest_capacity(lower, columns->dims, columns->count) + CHAIN_CHUNK - 1) / CHAIN_CHUNK;
  int64_t length = most * nest_capacity(lower, out->dim, out->rank);
  columns->parts = nest_scratch(lower, "parts", nest_sum_type(node), length);
  LExpr *tasks = nest_mul(lower, nest_count(lower, out->dim, outer), columns->chunks);
  LExpr *task = nest_loop(lower, LS_PARALLEL, "task", nest_i64(lower, 0), tasks, 1);
  LExpr *number = nest_let(lower, "o", nest_div(lower, task, columns->chunks));
  LExpr *chunk = nest_let(lower, "chunk", lx_binary(lower->arena, LX_MOD, task, columns->chunks));
  for (int i = 0; i < outer; i++)
    at[i] = i;
  nest_unravel(lower, number, out->dim, at, outer, columns->result);
  set_kept(node, columns->result, columns->index, outer);
  columns->from = nest_let(lower, "first", nest_mul(lower, chunk, size));
  columns->to = nest_let(lower, "end", nest_min(lower, rows, nest_add(lower, columns->from, size)));
  columns->row = nest_let(lower, "row", nest_add(lower, nest_mul(lower, number, nest_i64(lower, most)), chunk));
  all_columns(lower, columns, part_block, false);
  nest_close(lower);
  lower->out->barrier_inside = true;
}

static void reduce_columns(Lower *lower) {
  enum { ENOUGH = 8 };
  const Node *node = lower->kernel->root;
  const Type *out = &node->type;
  int outer = out->rank - 1, scopes;
  Columns columns = {.node = node};
  columns.count = reduced_dims(node, columns.dims);
  int64_t rows = nest_capacity(lower, columns.dims, columns.count);
  int64_t tasks = nest_capacity(lower, out->dim, out->rank) / WIDTH;
  bool shared = lower->out->work >= SHARED_WORK;
  if (rows > CHAIN_CHUNK)
    columns.chunks = part_count(lower, nest_count(lower, columns.dims, columns.count), CHAIN_CHUNK);
  if (shared && columns.chunks && tasks < ENOUGH) {
    share_chunks(lower, &columns);
    shared = false;
  }
  bool by_rows = shared && nest_capacity(lower, out->dim, outer) > 1;
  LExpr *number = nest_outputs(lower, "o", out, outer, by_rows, columns.result, &scopes);
  set_kept(node, columns.result, columns.index, outer);
  if (columns.parts)
    columns.row = nest_mul(lower, number, nest_i64(lower, (rows + CHAIN_CHUNK - 1) / CHAIN_CHUNK));
  all_columns(lower, &columns, whole_block, shared && scopes == 0);
  while (scopes--)
    nest_close(lower);
}

void nest_reduce(Lower *lower) {
  const Node *node = lower->kernel->root;
  const Type *out = &node->type;
  LExpr *result[MAX_RANK], *index[MAX_RANK];
  int scopes;
  lower->out->work = nest_work(lower);
  if (nest_window(lower))
    return;
  if (node->op != OP_argmax && flat_trailing(node) == 0) {
    reduce_columns(lower);
    return;
  }
  nest_outputs(lower, "o", out, out->rank, lower->out->work >= SHARED_WORK, result, &scopes);
  set_kept(node, result, index, out->rank);
  nest_know(lower, node, result, nest_let(lower, op_name(node->op), nest_reduction(lower, node, index)));
  nest_finish(lower, result, 0, lower->kernel->nodes.count);
  while (scopes--)
    nest_close(lower);
}

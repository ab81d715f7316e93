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

static LExpr *join(Lower *lower, const Node *node, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, join_op(node), a, b);
}

static LExpr *element(Lower *lower, const Node *node, LExpr **index, int flat) {
  lower->flat = flat;
  LExpr *value = lower_value(lower, node->inputs[0], index);
  lower->flat = -1;
  return lx_cast(lower->arena, value, nest_sum_type(node));
}

static LExpr *as_result(Lower *lower, const Node *node, LExpr *sum) {
  return lx_cast(lower->arena, sum, ltype_of(node->type.elem));
}

// The reduced dimensions in order; how many.
static int reduced_dims(const Node *node, Dim *dims) {
  for (int i = 0; i < node->attr.axis_count; i++)
    dims[i] = node->inputs[0]->type.dim[node->attr.axis[i]];
  return node->attr.axis_count;
}

// ---- a short chain
static LExpr *chain(Lower *lower, const Node *node, LExpr **index, int count) {
  LExpr *sum = NULL;
  for (int r = 0; r < count; r++) {
    nest_unravel(lower, nest_i64(lower, r), node->inputs[0]->type.dim, node->attr.axis, node->attr.axis_count, index);
    LExpr *value = element(lower, node, index, -1);
    sum = sum ? join(lower, node, sum, value) : value;
  }
  return sum ? sum : nest_identity(lower, node);
}

// The elements at once as a vector, then the chain.
static LExpr *vector_chain(Lower *lower, const Node *node, LExpr **index, int count) {
  int first = node->inputs[0]->type.rank - node->attr.axis_count;
  LExpr *row, *col, *sum = NULL;
  LLocal *values = nest_local(lower, "values", nest_sum_type(node), 1, count, 0, nest_identity(lower, node));
  nest_tile(lower, 1, count, &row, &col);
  index[first] = col;
  nest_set(lower, values, col, NULL, element(lower, node, index, first));
  nest_close(lower);
  for (int r = 0; r < count; r++) {
    LExpr *value = lx_local(lower->arena, values, nest_i64(lower, r), NULL);
    sum = sum ? join(lower, node, sum, value) : value;
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
  nest_set(lower, lanes, col, NULL, join(lower, node, lane, element(lower, node, index, first)));
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
  nest_set(lower, tail, lane, NULL, element(lower, node, index, first));
  nest_close(lower);
  nest_tile(lower, 1, LANES, &row, &col);
  LExpr *sum = join(lower, node, lx_local(lower->arena, lanes, col, NULL), lx_local(lower->arena, tail, col, NULL));
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
  LExpr *sum = join(lower, node, lx_local(lower->arena, total, zero, NULL), lanes_sum(lower, node, lanes));
  nest_set(lower, total, zero, NULL, sum);
  nest_close(lower);
}

static LExpr *lanes(Lower *lower, const Node *node, LExpr **index) {
  const Type *in = &node->inputs[0]->type;
  int trailing = flat_trailing(node), first = in->rank - trailing, outer = node->attr.axis_count - trailing;
  const Dim *run = in->dim + first;
  int64_t capacity = nest_capacity(lower, run, trailing), length = nest_static(run, trailing) ? capacity : -1;
  bool chunks = capacity > LANE_CHUNK;
  LExpr *zero = nest_i64(lower, 0), *run_length = nest_count(lower, run, trailing);
  LLocal *sum = chunks ? nest_local(lower, "total", nest_sum_type(node), 1, 1, 0, nest_identity(lower, node))
                       : new_lanes(lower, node);
  for (int i = 0; i < outer; i++)
    index[node->attr.axis[i]] =
        nest_loop(lower, LS_FOR, "o", zero, lower_dim(lower, in->dim[node->attr.axis[i]]), 1);
  if (chunks)
    add_chunks(lower, node, index, first, run_length, sum);
  else
    add_run(lower, node, index, first, zero, run_length, length, sum);
  for (int i = 0; i < outer; i++)
    nest_close(lower);
  return chunks ? lx_local(lower->arena, sum, zero, NULL) : lanes_sum(lower, node, sum);
}

// ---- argmax
// The first of equals; the first NaN counts as largest.
static LExpr *scan(Lower *lower, const Node *node, LExpr **index) {
  Arena *arena = lower->arena;
  int axis = node->attr.axis[0];
  LExpr *zero = nest_i64(lower, 0);
  LLocal *best = nest_local(lower, "best", nest_sum_type(node), 1, 1, 0, nest_identity(lower, node));
  LLocal *at = nest_local(lower, "at", L_I64, 1, 1, 0, zero);
  LExpr *r = nest_loop(lower, LS_FOR, "r", zero, lower_dim(lower, node->inputs[0]->type.dim[axis]), 1);
  index[axis] = r;
  LExpr *value = nest_let(lower, "value", element(lower, node, index, -1));
  LExpr *known = nest_let(lower, "known", lx_local(arena, best, zero, NULL));
  LExpr *nan = lx_binary(arena, LX_AND, lx_binary(arena, LX_NE, value, value), lx_binary(arena, LX_EQ, known, known));
  LExpr *better = nest_let(lower, "better", lx_binary(arena, LX_OR, lx_binary(arena, LX_GT, value, known), nan));
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
  return as_result(lower, node, sum);
}

// ---- the last axis stays
typedef struct Columns {
  const Node *node;
  LExpr *index[MAX_RANK];  // into the input
  LExpr *result[MAX_RANK]; // into the output
  Dim dims[MAX_RANK];      // reduced
  int count;
} Columns;

// acc[j] joined with the elements [from, to) of the reduced axes, for `width` outputs from `column`.
static void add_rows(Lower *lower, Columns *columns, LExpr *from, LExpr *to, LExpr *column, int width, LLocal *acc) {
  const Node *node = columns->node;
  int last = node->inputs[0]->type.rank - 1;
  LExpr *row, *col, *r = nest_loop(lower, LS_FOR, "r", from, to, 1);
  nest_unravel(lower, r, node->inputs[0]->type.dim, node->attr.axis, columns->count, columns->index);
  nest_tile(lower, 1, width, &row, &col);
  columns->index[last] = nest_add(lower, column, col);
  LExpr *sum = join(lower, node, lx_local(lower->arena, acc, col, NULL), element(lower, node, columns->index, -1));
  nest_set(lower, acc, col, NULL, sum);
  nest_close(lower);
  nest_close(lower);
}

static LLocal *column_sums(Lower *lower, Columns *columns, LExpr *column, int width) {
  const Node *node = columns->node;
  LExpr *zero = nest_i64(lower, 0), *rows = nest_count(lower, columns->dims, columns->count), *row, *col;
  LLocal *acc = nest_local(lower, "acc", nest_sum_type(node), 1, width, 0, nest_identity(lower, node));
  if (nest_capacity(lower, columns->dims, columns->count) <= CHAIN_CHUNK) {
    add_rows(lower, columns, zero, rows, column, width, acc);
    return acc;
  }
  LExpr *from = nest_loop(lower, LS_FOR, "chunk", zero, rows, CHAIN_CHUNK);
  LExpr *to = nest_min(lower, rows, nest_add(lower, from, nest_i64(lower, CHAIN_CHUNK)));
  LLocal *part = nest_local(lower, "part", acc->type, 1, width, 0, nest_identity(lower, node));
  add_rows(lower, columns, from, to, column, width, part);
  nest_tile(lower, 1, width, &row, &col);
  LExpr *sum = join(lower, node, lx_local(lower->arena, acc, col, NULL), lx_local(lower->arena, part, col, NULL));
  nest_set(lower, acc, col, NULL, sum);
  nest_close(lower);
  nest_close(lower);
  return acc;
}

static void column_block(Lower *lower, Columns *columns, LExpr *column, int width) {
  const Node *node = columns->node;
  LLocal *acc = column_sums(lower, columns, column, width);
  LExpr *row, *col;
  nest_tile(lower, 1, width, &row, &col);
  columns->result[node->type.rank - 1] = nest_add(lower, column, col);
  nest_know(lower, node, columns->result, as_result(lower, node, lx_local(lower->arena, acc, col, NULL)));
  nest_finish(lower, columns->result, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// Outputs in blocks of WIDTH, then what is left; blocks of one where their number is not known before.
static void columns_all(Lower *lower, Columns *columns, bool shared) {
  const Type *out = &columns->node->type;
  Dim last = out->dim[out->rank - 1];
  int scopes = 0;
  enum { WIDTH = 64 };
  if (last >= 0 && last <= WIDTH) {
    column_block(lower, columns, nest_i64(lower, 0), (int)last);
    return;
  }
  int width = last < 0 ? LANES : WIDTH;
  LExpr *size = lower_dim(lower, last), *blocks = nest_div(lower, size, nest_i64(lower, width));
  LExpr *block = nest_rounds(lower, "block", blocks, nest_capacity(lower, &last, 1) / width, 1, shared, &scopes);
  column_block(lower, columns, nest_let(lower, "column", nest_mul(lower, block, nest_i64(lower, width))), width);
  while (scopes--)
    nest_close(lower);
  if (last >= 0 && last % width)
    column_block(lower, columns, nest_i64(lower, last / width * width), (int)(last % width));
  if (last < 0) {
    LExpr *column = nest_loop(lower, LS_FOR, "column", nest_mul(lower, blocks, nest_i64(lower, width)), size, 1);
    column_block(lower, columns, column, 1);
    nest_close(lower);
  }
}

// ---- the nest
// Loops over the outputs' first `count` dimensions: one number, shared out if `shared`.
static void open_outputs(Lower *lower, const Type *out, int count, bool shared, LExpr **result, int *scopes) {
  int at[MAX_RANK], outer = 0;
  Dim dims[MAX_RANK];
  *scopes = 0;
  for (int i = 0; i < count; i++) {
    result[i] = nest_i64(lower, 0);
    if (out->dim[i] != 1) {
      dims[outer] = out->dim[i];
      at[outer++] = i;
    }
  }
  if (!outer)
    return;
  LExpr *number = nest_rounds(lower, "o", nest_count(lower, dims, outer), nest_capacity(lower, dims, outer), 1, shared,
                              scopes);
  nest_unravel(lower, number, out->dim, at, outer, result);
  for (int i = 0; i < outer; i++)
    result[at[i]] = nest_let(lower, "i", result[at[i]]);
}

static void set_kept(const Node *node, LExpr *const *result, LExpr **index, int count) {
  int next = 0, kept = 0;
  for (int i = 0; i < node->inputs[0]->type.rank; i++) {
    if (next < node->attr.axis_count && node->attr.axis[next] == i)
      next++;
    else if (kept < count)
      index[i] = result[kept++];
  }
}

void nest_reduce(Lower *lower) {
  const Node *node = lower->kernel->root;
  const Type *out = &node->type;
  lower->out->work = nest_work(lower);
  bool shared = lower->out->work >= SHARED_WORK;
  Columns columns = {.node = node};
  columns.count = reduced_dims(node, columns.dims);
  int scopes, columned = node->op != OP_argmax && flat_trailing(node) == 0;
  int outer = out->rank - columned;
  bool by_rows = shared && nest_capacity(lower, out->dim, outer) > 1;
  open_outputs(lower, out, outer, by_rows, columns.result, &scopes);
  set_kept(node, columns.result, columns.index, outer);
  if (columned) {
    columns_all(lower, &columns, shared && !by_rows);
  } else {
    LExpr *value = nest_let(lower, op_name(node->op), nest_reduction(lower, node, columns.index));
    nest_know(lower, node, columns.result, value);
    nest_finish(lower, columns.result, 0, lower->kernel->nodes.count);
  }
  while (scopes--)
    nest_close(lower);
}

// Reductions. nest_reduction gives the value of one output inside a nest, in the order that nest.h lays down: a short
// chain, 16 lanes, or (argmax) a scan. nest_reduce is the nest of kernels of kind REDUCE: where the last axis stays, that of
// nest_columns.c; otherwise each output is a nest_reduction.
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

int nest_reduced_dims(const Node *node, Dim *dims) {
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
LExpr *nest_part_count(Lower *lower, LExpr *elements, int64_t chunk) {
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
  LExpr *chunks = nest_part_count(lower, length, LANE_CHUNK);
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
  int count = nest_reduced_dims(node, dims);
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

// ---- the nest
void nest_set_kept(const Node *node, LExpr *const *result, LExpr **index, int count) {
  int next = 0, kept = 0;
  for (int i = 0; i < node->inputs[0]->type.rank; i++) {
    if (next < node->attr->axis_count && node->attr->axis[next] == i)
      next++;
    else if (kept < count)
      index[i] = result[kept++];
  }
}

void nest_reduce(Lower *lower) {
  const Node *node = lower->kernel->root;
  const Type *out = &node->type;
  LExpr *result[MAX_RANK], *index[MAX_RANK];
  int scopes;
  lower->out->work = nest_work(lower);
  if (nest_window(lower))
    return;
  if (flat_keeps_last(node)) {
    nest_columns(lower);
    return;
  }
  nest_outputs(lower, "o", out, out->rank, lower->out->work >= SHARED_WORK, result, &scopes);
  nest_set_kept(node, result, index, out->rank);
  nest_know(lower, node, result, nest_let(lower, op_name(node->op), nest_reduction(lower, node, index)));
  nest_finish(lower, result, 0, lower->kernel->nodes.count);
  nest_close_all(lower, scopes);
}

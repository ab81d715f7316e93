// Attention: values and lse in one pass, dL/dq in another, dL/dk and dL/dv in a third; no more than a tile of weights exists
// at once. A kernel has one of these passes and those of its results that somebody reads. nest.h lays down the order of sums.
#include "loops/nest_attention.h"

#include <math.h>

#include "graph/ops.h"
#include "loops/mathlib.h"

static LExpr *math(Lower *lower, MathFunction function, LExpr *x) {
  return lx_call(lower->arena, mathlib_function(lower->module, function, x->type), 1, &x);
}

static LExpr *times(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_MUL, a, b);
}

static LExpr *minus(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_SUB, a, b);
}

// The kernel's node of this operation, or NULL.
static const Node *result_of(const Lower *lower, Op op) {
  for (int i = 0; i < lower->kernel->nodes.count; i++)
    if (lower->kernel->nodes.data[i]->op == op)
      return lower->kernel->nodes.data[i];
  return NULL;
}

static LExpr *scaled(Lower *lower, const Attention *at, const Spot *spot, LExpr *sum, const void *context) {
  (void)spot, (void)context;
  return times(lower, sum, at->scale);
}

// ---- values and lse
typedef struct Forward {
  const Node *values, *lse;
  Scratch packed, sums;                    // of queries; of values
  Scratch maxima, shifts, factors, totals; // a number for each lane: m; m or 0; exp(m - m'); l
} Forward;

// The new maximum, and the factor by which what was summed so far shrinks. A score that is no number becomes no maximum, but
// a weight that is no number.
static void raise_maxima(Lower *lower, const Attention *at, const Forward *pass, const Steps *steps, LExpr *lane) {
  Arena *arena = lower->arena;
  LExpr *i, *j, *least = lx_real(arena, at->type, -INFINITY);
  LLocal *most = nest_local(lower, "most", at->type, 1, at->nr, 0, least);
  nest_tile(lower, 1, at->nr, &i, &j);
  nest_set(lower, most, j, NULL, attention_load(lower, &pass->maxima, nest_add(lower, lane, j)));
  nest_close(lower);
  LExpr *step = nest_loop(lower, LS_FOR, "step", nest_i64(lower, 0), nest_i64(lower, steps->count), 1);
  nest_tile(lower, 1, at->nr, &i, &j);
  LExpr *score = attention_load(lower, &at->weights, attention_weight(lower, at, step, nest_add(lower, lane, j)));
  LExpr *known = lx_local(arena, most, j, NULL);
  nest_set(lower, most, j, NULL, lx_select(arena, lx_binary(arena, LX_GT, score, known), score, known));
  nest_close(lower);
  nest_close(lower);
  nest_tile(lower, 1, at->nr, &i, &j);
  LExpr *own = nest_add(lower, lane, j), *raised = lx_local(arena, most, j, NULL);
  LExpr *none = lx_binary(arena, LX_EQ, raised, least);
  LExpr *shift = nest_let(lower, "shift", lx_select(arena, none, lx_real(arena, at->type, 0), raised));
  LExpr *old = attention_load(lower, &pass->maxima, own);
  attention_store(lower, &pass->factors, own, math(lower, MATH_EXP, minus(lower, old, shift)));
  attention_store(lower, &pass->shifts, own, shift);
  attention_store(lower, &pass->maxima, own, raised);
  nest_close(lower);
}

static LExpr *shifted(Lower *lower, const Attention *at, const Spot *spot, LExpr *score, const void *context) {
  const Forward *pass = context;
  (void)at;
  return math(lower, MATH_EXP, minus(lower, score, attention_load(lower, &pass->shifts, spot->lane)));
}

static void add_totals(Lower *lower, const Attention *at, const Forward *pass, const Steps *steps, LExpr *lane) {
  Arena *arena = lower->arena;
  LExpr *i, *j;
  LLocal *total = nest_local(lower, "total", at->type, 1, at->nr, 0, lx_real(arena, at->type, 0));
  nest_tile(lower, 1, at->nr, &i, &j);
  LExpr *own = nest_add(lower, lane, j);
  LExpr *old = attention_load(lower, &pass->totals, own), *factor = attention_load(lower, &pass->factors, own);
  nest_set(lower, total, j, NULL, times(lower, old, factor));
  nest_close(lower);
  LExpr *step = nest_loop(lower, LS_FOR, "step", nest_i64(lower, 0), nest_i64(lower, steps->count), 1);
  nest_tile(lower, 1, at->nr, &i, &j);
  LExpr *weight = attention_load(lower, &at->weights, attention_weight(lower, at, step, nest_add(lower, lane, j)));
  nest_set(lower, total, j, NULL, nest_add(lower, lx_local(arena, total, j, NULL), weight));
  nest_close(lower);
  nest_close(lower);
  nest_tile(lower, 1, at->nr, &i, &j);
  attention_store(lower, &pass->totals, nest_add(lower, lane, j), lx_local(arena, total, j, NULL));
  nest_close(lower);
}

typedef void LanesBody(Lower *lower, const Attention *at, const Forward *pass, const Steps *steps, LExpr *lane);

static void each_lanes(Lower *lower, const Attention *at, const Forward *pass, const Steps *steps, LanesBody *body) {
  LExpr *lane = nest_loop(lower, LS_FOR, "lane", nest_i64(lower, 0), at->active, at->nr);
  body(lower, at, pass, steps, lane);
  nest_close(lower);
}

static void forward_tile(Lower *lower, const Attention *at, const Steps *steps, const void *context) {
  const Forward *pass = context;
  attention_scores(lower, at, steps, at->k, at->depth, &pass->packed, scaled, NULL);
  attention_hide(lower, at, steps);
  each_lanes(lower, at, pass, steps, raise_maxima);
  attention_weigh(lower, at, steps, shifted, pass);
  each_lanes(lower, at, pass, steps, add_totals);
  if (pass->values)
    attention_gather(lower, at, steps, at->v, at->width, &pass->sums, &pass->factors);
}

// What sees no key has a total of 0.
static LExpr *if_any(Lower *lower, const Attention *at, LExpr *total, LExpr *value) {
  LExpr *zero = lx_real(lower->arena, at->type, 0);
  return lx_select(lower->arena, lx_binary(lower->arena, LX_EQ, total, zero), zero, value);
}

static LExpr *mean_value(Lower *lower, const Attention *at, LExpr *lane, LExpr *sum, const void *context) {
  const Forward *pass = context;
  LExpr *total = attention_load(lower, &pass->totals, lane);
  return if_any(lower, at, total, nest_div(lower, sum, total));
}

static void finish_lse(Lower *lower, const Attention *at, const Forward *pass) {
  LExpr *index[MAX_RANK];
  LExpr *lane = nest_loop(lower, LS_SIMD, "lane", nest_i64(lower, 0), at->lanes, 1);
  for (int i = 0; i < at->lead; i++)
    index[i] = at->index[i];
  index[at->lead] = nest_add(lower, at->first, lane);
  LExpr *total = attention_load(lower, &pass->totals, lane), *most = attention_load(lower, &pass->maxima, lane);
  nest_store(lower, pass->lse, index, if_any(lower, at, total, nest_add(lower, most, math(lower, MATH_LOG, total))));
  nest_close(lower);
}

static void forward(Lower *lower) {
  Attention at = attention_of(lower, false);
  Forward pass = {.values = result_of(lower, OP_attention), .lse = result_of(lower, OP_attention_lse)};
  pass.packed = attention_scratch(lower, &at, "queries", at.depth * at.lane_room);
  if (pass.values)
    pass.sums = attention_scratch(lower, &at, "sums", at.width * at.lane_room);
  Scratch *rows[] = {&pass.maxima, &pass.shifts, &pass.factors, &pass.totals};
  static const char *const names[] = {"maxima", "shifts", "factors", "totals"};
  for (int i = 0; i < 4; i++)
    *rows[i] = attention_scratch(lower, &at, names[i], at.lane_room);
  attention_open(lower, &at);
  for (int i = 0; i < 4; i++)
    attention_begin(lower, &at, rows[i]);
  attention_begin(lower, &at, &pass.packed);
  attention_turn(lower, &at, at.q, at.depth, &pass.packed);
  attention_fill(lower, &at, &pass.maxima, at.lane_room, -INFINITY);
  attention_fill(lower, &at, &pass.totals, at.lane_room, 0);
  if (pass.values) {
    attention_begin(lower, &at, &pass.sums);
    attention_fill(lower, &at, &pass.sums, at.width * at.lane_room, 0);
  }
  attention_each_tile(lower, &at, forward_tile, &pass);
  if (pass.values)
    attention_finish(lower, &at, pass.values, at.width, &pass.sums, mean_value, &pass);
  if (pass.lse)
    finish_lse(lower, &at, &pass);
  nest_close(lower);
  nest_close(lower);
}

// ---- gradients
typedef struct Backward {
  const Node *dq, *dk, *dv;
  Scratch first, second; // of the lanes: queries and dL/do, or keys and values
  Scratch lse, delta;    // of the lanes, where these are queries
  Scratch dq_sums, dk_sums, dv_sums;
} Backward;

// lse or delta of a query, be it a lane or a step.
static LExpr *of_query(Lower *lower, const Attention *at, const Node *node, const Scratch *rows, const Spot *spot) {
  return at->by_keys ? attention_element(lower, at, node, spot->row, NULL) : attention_load(lower, rows, spot->lane);
}

static LExpr *normalised(Lower *lower, const Attention *at, const Spot *spot, LExpr *score, const void *context) {
  const Backward *pass = context;
  return math(lower, MATH_EXP, minus(lower, score, of_query(lower, at, at->lse, &pass->lse, spot)));
}

// dscore = weight * (dweight - delta), in the place of the weight.
static LExpr *score_slope(Lower *lower, const Attention *at, const Spot *spot, LExpr *sum, const void *context) {
  const Backward *pass = context;
  LExpr *weight = attention_load(lower, &at->weights, attention_weight(lower, at, spot->step, spot->lane));
  return times(lower, weight, minus(lower, sum, of_query(lower, at, at->delta, &pass->delta, spot)));
}

static void backward_tile(Lower *lower, const Attention *at, const Steps *steps, const void *context) {
  const Backward *pass = context;
  const Node *like_queries = at->by_keys ? at->q : at->k, *like_values = at->by_keys ? at->slope : at->v;
  attention_scores(lower, at, steps, like_queries, at->depth, &pass->first, scaled, NULL);
  attention_hide(lower, at, steps);
  attention_weigh(lower, at, steps, normalised, pass);
  if (pass->dv)
    attention_gather(lower, at, steps, at->slope, at->width, &pass->dv_sums, NULL);
  if (!pass->dq && !pass->dk)
    return;
  attention_scores(lower, at, steps, like_values, at->width, &pass->second, score_slope, pass);
  attention_gather(lower, at, steps, like_queries, at->depth, pass->dq ? &pass->dq_sums : &pass->dk_sums, NULL);
}

static LExpr *times_scale(Lower *lower, const Attention *at, LExpr *lane, LExpr *sum, const void *context) {
  (void)lane, (void)context;
  return times(lower, sum, at->scale);
}

static LExpr *itself(Lower *lower, const Attention *at, LExpr *lane, LExpr *sum, const void *context) {
  (void)lower, (void)at, (void)lane, (void)context;
  return sum;
}

static void copy_rows(Lower *lower, const Attention *at, const Node *node, const Scratch *rows) {
  LExpr *lane = nest_loop(lower, LS_FOR, "lane", nest_i64(lower, 0), at->active, 1);
  LExpr *row = nest_let(lower, "row", attention_lane(lower, at, lane));
  attention_store(lower, rows, lane, attention_element(lower, at, node, row, NULL));
  nest_close(lower);
}

// A result, of a row of `size` for each lane, and where it is summed.
typedef struct Sums {
  const Node *result;
  Scratch *scratch;
  const char *name;
  int64_t size;
  Last *last;
} Sums;

// Opens the tasks; packs what the lanes are, and clears what is summed.
static void begin_task(Lower *lower, Attention *at, Backward *pass, const Sums *sums, int count) {
  attention_open(lower, at);
  attention_begin(lower, at, &pass->first);
  attention_turn(lower, at, at->by_keys ? at->k : at->q, at->depth, &pass->first);
  if (pass->second.buffer) {
    attention_begin(lower, at, &pass->second);
    attention_turn(lower, at, at->by_keys ? at->v : at->slope, at->width, &pass->second);
  }
  if (!at->by_keys) {
    attention_begin(lower, at, &pass->lse);
    attention_begin(lower, at, &pass->delta);
    copy_rows(lower, at, at->lse, &pass->lse);
    copy_rows(lower, at, at->delta, &pass->delta);
  }
  for (int i = 0; i < count; i++) {
    attention_begin(lower, at, sums[i].scratch);
    attention_fill(lower, at, sums[i].scratch, sums[i].size * at->lane_room, 0);
  }
}

static void backward(Lower *lower) {
  Backward pass = {.dq = result_of(lower, OP_attention_dq), .dk = result_of(lower, OP_attention_dk)};
  pass.dv = result_of(lower, OP_attention_dv);
  bool by_keys = !pass.dq;
  int count = 0;
  Sums sums[2];
  Attention at = attention_of(lower, by_keys);
  if (pass.dq)
    sums[count++] = (Sums){pass.dq, &pass.dq_sums, "dq", at.depth, times_scale};
  if (pass.dk)
    sums[count++] = (Sums){pass.dk, &pass.dk_sums, "dk", at.depth, times_scale};
  if (pass.dv)
    sums[count++] = (Sums){pass.dv, &pass.dv_sums, "dv", at.width, itself};
  pass.first = attention_scratch(lower, &at, by_keys ? "keys" : "queries", at.depth * at.lane_room);
  if (pass.dq || pass.dk)
    pass.second = attention_scratch(lower, &at, by_keys ? "values" : "slopes", at.width * at.lane_room);
  if (!by_keys) {
    pass.lse = attention_scratch(lower, &at, "lse", at.lane_room);
    pass.delta = attention_scratch(lower, &at, "delta", at.lane_room);
  }
  for (int i = 0; i < count; i++)
    *sums[i].scratch = attention_scratch(lower, &at, sums[i].name, sums[i].size * at.lane_room);
  begin_task(lower, &at, &pass, sums, count);
  attention_each_tile(lower, &at, backward_tile, &pass);
  for (int i = 0; i < count; i++)
    attention_finish(lower, &at, sums[i].result, sums[i].size, sums[i].scratch, sums[i].last, NULL);
  nest_close(lower);
  nest_close(lower);
}

void nest_attention(Lower *lower) {
  Op op = lower->kernel->root->op;
  (op == OP_attention || op == OP_attention_lse ? forward : backward)(lower);
}

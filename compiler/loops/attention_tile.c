// See nest_attention.h: tasks, scratch memory, and the products over one tile.
#include "graph/ops.h"
#include "loops/nest_attention.h"

#include <math.h>

enum { SHARES = 64, Q = 0, K, V, MASK, SLOPE, LSE, DELTA };

static LExpr *sub(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_SUB, a, b);
}
static LExpr *max(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_MAX, a, b);
}

static int64_t rounded_up(int64_t a, int64_t b) {
  return nest_ceil_div(a, b) * b;
}

// ---- sizes
// Tiles of two vectors by as many rows as leave sums enough to hide what an fma takes; both divide a tile of attention. Few
// lanes, as the one query of a step of generation, take one vector of weights, and no more rows of sums than they are.
static void choose_tile(const Lower *lower, Attention *at) {
  int vector = lower->target->vector_bytes / ltype_bytes(at->type), most = nest_tile_most(lower) > 8 ? 8 : 4;
  vector = vector > 0 ? vector : 1;
  at->nr = at->lane_count <= vector ? vector : 2 * vector;
  at->mr = most < at->nr ? most : at->nr;
  at->sum_rows = at->mr;
  at->sum_cols = 2 * vector;
  if (at->lane_count < at->mr)
    nest_tile_size(lower, at->type, at->lane_count, SMALL_TILE, &at->sum_rows, &at->sum_cols);
}

Attention attention_of(Lower *lower, bool by_keys) {
  const Node *root = lower->kernel->root;
  const Type *q = &root->inputs[Q]->type, *v = &root->inputs[V]->type;
  bool gradient = root->input_count > MASK + 1;
  Attention at = {.q = root->inputs[Q], .k = root->inputs[K], .v = root->inputs[V], .mask = root->inputs[MASK]};
  if (gradient) {
    at.slope = root->inputs[SLOPE];
    at.lse = root->inputs[LSE];
    at.delta = root->inputs[DELTA];
  }
  at.type = ltype_of(q->elem);
  at.lead = q->rank - 2;
  at.queries = q->dim[q->rank - 2];
  at.depth = q->dim[q->rank - 1];
  at.keys = v->dim[v->rank - 2];
  at.width = v->dim[v->rank - 1];
  at.causal = root->attr->integer != 0;
  at.scale = lx_real(lower->arena, at.type, root->attr->real);
  at.by_keys = by_keys;
  at.lane_count = by_keys ? at.keys : at.queries;
  at.step_count = by_keys ? at.queries : at.keys;
  choose_tile(lower, &at);
  at.lane_room = rounded_up(at.lane_count < ATTENTION_TILE ? at.lane_count : ATTENTION_TILE, at.nr);
  lower->out->work = nest_work(lower);
  at.shared = nest_shares_scratch(lower);
  int64_t tiles = nest_ceil_div(at.lane_count, ATTENTION_TILE);
  int64_t tasks = tiles * nest_capacity(lower, q->dim, at.lead);
  at.shares = !at.shared ? 1 : tasks < SHARES ? tasks : SHARES;
  int64_t steps = at.step_count < ATTENTION_TILE ? at.step_count : ATTENTION_TILE;
  at.weights = attention_scratch(lower, &at, "weights", steps * at.lane_room);
  return at;
}

Scratch attention_scratch(Lower *lower, const Attention *at, const char *name, int64_t size) {
  int64_t line = 64 / ltype_bytes(at->type);
  Scratch scratch = {.size = rounded_up(size, line)};
  scratch.buffer = nest_scratch(lower, name, at->type, at->shares * scratch.size);
  return scratch;
}

// ---- tasks
static LExpr *ceil_div(Lower *lower, LExpr *a, LExpr *b) {
  return nest_div(lower, nest_add(lower, a, sub(lower, b, nest_i64(lower, 1))), b);
}

// 0, last, 1, last - 1 …: of causal attention, whose tiles have ever more or ever fewer steps, neighbours have as much work
// together as any others.
static LExpr *paired(Lower *lower, LExpr *number, int64_t count) {
  LExpr *two = nest_i64(lower, 2), *half = nest_div(lower, number, two);
  LExpr *odd = lx_binary(lower->arena, LX_EQ, lx_binary(lower->arena, LX_MOD, number, two), nest_i64(lower, 1));
  return lx_select(lower->arena, odd, sub(lower, nest_i64(lower, count - 1), half), half);
}

// The lanes of tile `tile`: a constant number unless the last tile has fewer.
static void set_lanes(Lower *lower, Attention *at, LExpr *tile) {
  LExpr *size = nest_i64(lower, ATTENTION_TILE), *nr = nest_i64(lower, at->nr);
  at->first = nest_let(lower, "first", nest_mul(lower, tile, size));
  if (at->lane_count <= ATTENTION_TILE)
    at->lanes = nest_i64(lower, at->lane_count);
  else if (at->lane_count % ATTENTION_TILE == 0)
    at->lanes = size;
  else
    at->lanes = nest_let(lower, "lanes", nest_min(lower, sub(lower, nest_i64(lower, at->lane_count), at->first), size));
  at->active = nest_let(lower, "active", nest_mul(lower, ceil_div(lower, at->lanes, nr), nr));
}

void attention_open(Lower *lower, Attention *at) {
  const Dim *dims = at->q->type.dim;
  int64_t tiles = nest_ceil_div(at->lane_count, ATTENTION_TILE);
  LExpr *count = nest_i64(lower, tiles);
  LExpr *tasks = nest_mul(lower, nest_count(lower, dims, at->lead), count);
  Shares shares;
  at->share = nest_dealt_shares(lower, &shares, tasks, 1, at->shared ? at->shares : 0);
  LExpr *task = nest_share_things(lower, &shares);
  LExpr *tile = lx_binary(lower->arena, LX_MOD, task, count);
  tile = nest_let(lower, "tile", at->causal && tiles > 2 ? paired(lower, tile, tiles) : tile);
  nest_unravel(lower, nest_div(lower, task, count), dims, NULL, at->lead, at->index);
  for (int i = 0; i < at->lead; i++)
    at->index[i] = nest_let(lower, "b", at->index[i]);
  set_lanes(lower, at, tile);
  attention_begin(lower, at, &at->weights);
}

void attention_begin(Lower *lower, const Attention *at, Scratch *scratch) {
  const char *name = arena_printf(lower->arena, "%s_from", scratch->buffer->name);
  scratch->base = nest_let(lower, name, nest_mul(lower, at->share, nest_i64(lower, scratch->size)));
}

// The steps of whole tiles and those of the last one are two copies of the body. A causal query sees the keys up to its own
// number and `offset`.
void attention_each_tile(Lower *lower, const Attention *at, TileBody *body, const void *context) {
  int64_t whole = at->step_count / ATTENTION_TILE * ATTENTION_TILE, offset = at->keys - at->queries;
  LExpr *size = nest_i64(lower, ATTENTION_TILE), *from = nest_i64(lower, 0), *end = nest_i64(lower, at->step_count);
  if (at->causal && at->by_keys) {
    LExpr *seen_from = max(lower, sub(lower, at->first, nest_i64(lower, offset)), from);
    from = nest_let(lower, "seen", nest_mul(lower, nest_div(lower, seen_from, size), size));
  } else if (at->causal) {
    LExpr *seen = nest_add(lower, nest_add(lower, at->first, at->lanes), nest_i64(lower, offset));
    end = nest_let(lower, "seen", nest_min(lower, end, seen));
  }
  Steps steps = {.count = ATTENTION_TILE};
  bool may_hide = at->causal && !at->by_keys; // the last keys
  if (whole) {
    LExpr *last = nest_i64(lower, whole);
    steps.first = nest_loop(lower, LS_FOR, "step0", from, may_hide ? nest_min(lower, end, last) : last, ATTENTION_TILE);
    body(lower, at, &steps, context);
    nest_close(lower);
  }
  if (whole == at->step_count)
    return;
  steps = (Steps){nest_i64(lower, whole), (int)(at->step_count - whole)};
  if (may_hide)
    nest_if(lower, lx_binary(lower->arena, LX_GT, end, steps.first));
  body(lower, at, &steps, context);
  if (may_hide)
    nest_close(lower);
}

// ---- elements
LExpr *attention_load(Lower *lower, const Scratch *scratch, LExpr *at) {
  return lx_load(lower->arena, scratch->buffer, nest_add(lower, scratch->base, at));
}

void attention_store(Lower *lower, const Scratch *scratch, LExpr *at, LExpr *value) {
  nest_put(lower, scratch->buffer, nest_add(lower, scratch->base, at), value);
}

LExpr *attention_element(Lower *lower, const Attention *at, const Node *node, LExpr *row, LExpr *column) {
  LExpr *index[MAX_RANK];
  for (int i = 0; i < at->lead; i++)
    index[i] = at->index[i];
  index[at->lead] = row;
  if (column)
    index[at->lead + 1] = column;
  lower->operands = true;
  LExpr *value = lower_value(lower, node, index);
  lower->operands = false;
  return value;
}

LExpr *attention_weight(Lower *lower, const Attention *at, LExpr *step, LExpr *lane) {
  return nest_add(lower, nest_mul(lower, step, nest_i64(lower, at->lane_room)), lane);
}

LExpr *attention_lane(Lower *lower, const Attention *at, LExpr *lane) {
  LExpr *last = nest_i64(lower, at->lane_count - 1);
  return nest_min(lower, nest_add(lower, at->first, lane), last);
}

// ---- rows of lanes
void attention_turn(Lower *lower, const Attention *at, const Node *node, int64_t size, const Scratch *packed) {
  LExpr *c = nest_loop(lower, LS_FOR, "c", nest_i64(lower, 0), nest_i64(lower, size), 1);
  LExpr *lane = nest_loop(lower, LS_SIMD, "lane", nest_i64(lower, 0), at->lanes, 1);
  LExpr *element = attention_element(lower, at, node, nest_add(lower, at->first, lane), c);
  attention_store(lower, packed, attention_weight(lower, at, c, lane), element);
  nest_close(lower);
  if (at->lane_count % at->nr) {
    lane = nest_loop(lower, LS_FOR, "lane", at->lanes, at->active, 1);
    attention_store(lower, packed, attention_weight(lower, at, c, lane), lx_real(lower->arena, at->type, 0));
    nest_close(lower);
  }
  nest_close(lower);
}

void attention_fill(Lower *lower, const Attention *at, const Scratch *scratch, int64_t size, double value) {
  LExpr *i = nest_loop(lower, LS_SIMD, "i", nest_i64(lower, 0), nest_i64(lower, size), 1);
  attention_store(lower, scratch, i, lx_real(lower->arena, at->type, value));
  nest_close(lower);
}

// ---- scores
typedef struct Product {
  const Node *node;
  int64_t size;
  const Scratch *packed;
  Weigh *weigh;
  const void *context;
} Product;

static void score_tile(Lower *lower, const Attention *at, const Product *product, LExpr *first, LExpr *step, int rows,
                       LExpr *lane) {
  LExpr *i, *j, *zero = lx_real(lower->arena, at->type, 0);
  LLocal *acc = nest_local(lower, "acc", at->type, 2, rows, at->nr, zero);
  LExpr *c = nest_loop(lower, LS_FOR, "c", nest_i64(lower, 0), nest_i64(lower, product->size), 1);
  nest_tile(lower, rows, at->nr, &i, &j);
  LExpr *row = nest_add(lower, first, nest_add(lower, step, i));
  LExpr *a = attention_element(lower, at, product->node, row, c);
  LExpr *b = attention_load(lower, product->packed, attention_weight(lower, at, c, nest_add(lower, lane, j)));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, a, b, lx_local(lower->arena, acc, i, j)));
  nest_close(lower);
  nest_close(lower);
  nest_tile(lower, rows, at->nr, &i, &j);
  Spot spot = {.step = nest_add(lower, step, i), .lane = nest_add(lower, lane, j)};
  spot.row = nest_add(lower, first, spot.step);
  LExpr *value = product->weigh(lower, at, &spot, lx_local(lower->arena, acc, i, j), product->context);
  attention_store(lower, &at->weights, attention_weight(lower, at, spot.step, spot.lane), value);
  nest_close(lower);
}

void attention_scores(Lower *lower, const Attention *at, const Steps *steps, const Node *node, int64_t size,
                      const Scratch *packed, Weigh *weigh, const void *context) {
  Product product = {node, size, packed, weigh, context};
  int whole = steps->count / at->mr * at->mr;
  LExpr *zero = nest_i64(lower, 0), *nr = nest_i64(lower, at->nr);
  for (int rest = 0; rest <= 1; rest++) {
    if (rest ? whole == steps->count : !whole)
      continue;
    LExpr *from = rest ? nest_i64(lower, whole) : zero, *to = nest_i64(lower, rest ? steps->count : whole);
    int rows = rest ? steps->count - whole : at->mr;
    LExpr *step = nest_loop(lower, LS_FOR, "step", from, to, rows);
    LExpr *lane = nest_loop(lower, LS_FOR, "lane", zero, at->lane_room == at->nr ? nr : at->active, at->nr);
    score_tile(lower, at, &product, steps->first, step, rows, lane);
    nest_close(lower);
    nest_close(lower);
  }
}

// ---- weights
void attention_weigh(Lower *lower, const Attention *at, const Steps *steps, Weigh *weigh, const void *context) {
  LExpr *i, *j, *zero = nest_i64(lower, 0);
  LExpr *step = nest_loop(lower, LS_FOR, "step", zero, nest_i64(lower, steps->count), 1);
  LExpr *lane = nest_loop(lower, LS_FOR, "lane", zero, at->active, at->nr);
  nest_tile(lower, 1, at->nr, &i, &j);
  Spot spot = {step, nest_add(lower, steps->first, step), nest_add(lower, lane, j)};
  LExpr *place = attention_weight(lower, at, step, spot.lane), *old = attention_load(lower, &at->weights, place);
  attention_store(lower, &at->weights, place, weigh(lower, at, &spot, old, context));
  nest_close_all(lower, 3);
}

static LExpr *if_seen(Lower *lower, const Attention *at, LExpr *seen, LExpr *score) {
  return lx_select(lower->arena, seen, score, lx_real(lower->arena, at->type, -INFINITY));
}

static LExpr *if_not_later(Lower *lower, const Attention *at, const Spot *spot, LExpr *score, const void *context) {
  (void)context;
  LExpr *own = nest_add(lower, at->first, spot->lane);
  LExpr *query = at->by_keys ? spot->row : own, *key = at->by_keys ? own : spot->row;
  LExpr *last = nest_add(lower, query, nest_i64(lower, at->keys - at->queries));
  return if_seen(lower, at, lx_binary(lower->arena, LX_LE, key, last), score);
}

static LExpr *if_in_mask(Lower *lower, const Attention *at, const Spot *spot, LExpr *score, const void *context) {
  (void)context;
  LExpr *own = attention_lane(lower, at, spot->lane);
  LExpr *query = at->by_keys ? spot->row : own, *key = at->by_keys ? own : spot->row;
  return if_seen(lower, at, attention_element(lower, at, at->mask, query, key), score);
}

static bool is_true(const Node *mask) {
  return mask->op == OP_constant && !mask->attr->data && mask->attr->integer;
}

// Only tiles that the border crosses have later keys: those whose last key is not seen by the first query.
void attention_hide(Lower *lower, const Attention *at, const Steps *steps) {
  if (at->causal) {
    LExpr *last = nest_i64(lower, at->by_keys ? ATTENTION_TILE - 1 : steps->count - 1);
    LExpr *query = at->by_keys ? steps->first : at->first, *key = at->by_keys ? at->first : steps->first;
    LExpr *seen = nest_add(lower, query, nest_i64(lower, at->keys - at->queries));
    nest_if(lower, lx_binary(lower->arena, LX_GT, nest_add(lower, key, last), seen));
    attention_weigh(lower, at, steps, if_not_later, NULL);
    nest_close(lower);
  }
  if (!is_true(at->mask))
    attention_weigh(lower, at, steps, if_in_mask, NULL);
}

// ---- sums over steps
static void sum_tile(Lower *lower, const Attention *at, const Steps *steps, const Node *node, int64_t size,
                     const Scratch *sums, const Scratch *factors, LExpr *lane, LExpr *column, int cols) {
  LExpr *i, *j;
  LLocal *acc = nest_local(lower, "acc", at->type, 2, at->sum_rows, cols, lx_real(lower->arena, at->type, 0));
  nest_tile(lower, at->sum_rows, cols, &i, &j);
  LExpr *row = nest_mul(lower, nest_add(lower, lane, i), nest_i64(lower, size));
  LExpr *old = attention_load(lower, sums, nest_add(lower, row, nest_add(lower, column, j)));
  if (factors)
    old = lx_binary(lower->arena, LX_MUL, old, attention_load(lower, factors, nest_add(lower, lane, i)));
  nest_set(lower, acc, i, j, old);
  nest_close(lower);
  LExpr *step = nest_loop(lower, LS_FOR, "step", nest_i64(lower, 0), nest_i64(lower, steps->count), 1);
  nest_tile(lower, at->sum_rows, cols, &i, &j);
  LExpr *weight = attention_load(lower, &at->weights, attention_weight(lower, at, step, nest_add(lower, lane, i)));
  LExpr *value = attention_element(lower, at, node, nest_add(lower, steps->first, step), nest_add(lower, column, j));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, weight, value, lx_local(lower->arena, acc, i, j)));
  nest_close(lower);
  nest_close(lower);
  nest_tile(lower, at->sum_rows, cols, &i, &j);
  row = nest_mul(lower, nest_add(lower, lane, i), nest_i64(lower, size));
  attention_store(lower, sums, nest_add(lower, row, nest_add(lower, column, j)), lx_local(lower->arena, acc, i, j));
  nest_close(lower);
}

void attention_gather(Lower *lower, const Attention *at, const Steps *steps, const Node *node, int64_t size,
                      const Scratch *sums, const Scratch *factors) {
  int64_t whole = size / at->sum_cols * at->sum_cols;
  LExpr *lanes = at->lane_count < at->mr ? nest_i64(lower, at->lane_count) : at->active;
  LExpr *lane = nest_loop(lower, LS_FOR, "lane", nest_i64(lower, 0), lanes, at->sum_rows);
  if (whole) {
    LExpr *column = nest_loop(lower, LS_FOR, "column", nest_i64(lower, 0), nest_i64(lower, whole), at->sum_cols);
    sum_tile(lower, at, steps, node, size, sums, factors, lane, column, at->sum_cols);
    nest_close(lower);
  }
  int cols;
  for (int64_t from = whole; from < size; from += cols) {
    cols = nest_piece(size - from);
    sum_tile(lower, at, steps, node, size, sums, factors, lane, nest_i64(lower, from), cols);
  }
  nest_close(lower);
}

void attention_finish(Lower *lower, const Attention *at, const Node *result, int64_t size, const Scratch *sums,
                      Last *last, const void *context) {
  LExpr *index[MAX_RANK], *zero = nest_i64(lower, 0);
  LExpr *lane = nest_loop(lower, LS_FOR, "lane", zero, at->lanes, 1);
  LExpr *c = nest_loop(lower, LS_SIMD, "c", zero, nest_i64(lower, size), 1);
  for (int i = 0; i < at->lead; i++)
    index[i] = at->index[i];
  index[at->lead] = nest_add(lower, at->first, lane);
  index[at->lead + 1] = c;
  LExpr *sum = attention_load(lower, sums, nest_add(lower, nest_mul(lower, lane, nest_i64(lower, size)), c));
  nest_store(lower, result, index, last(lower, at, lane, sum, context));
  nest_close(lower);
  nest_close(lower);
}

// What the passes over attention share. A tile is up to ATTENTION_TILE lanes, which a task owns, by up to as many steps,
// which it goes through: lanes are queries and steps keys for values and dL/dq, the other way round for dL/dk and dL/dv. Its
// weights lie in scratch memory, a row of lanes for each step: then sums and maxima along keys are sums of rows, rows of the
// steps are operands as they lie in memory, and only those of the lanes are turned. Private to nest_attention*.c.
#pragma once
#include "loops/nest.h"

// Scratch memory that each share of the tasks has `size` elements of.
typedef struct Scratch {
  LBuffer *buffer;
  int64_t size;
  LExpr *base; // where the present share's begins
} Scratch;

typedef struct Attention {
  const Node *q, *k, *v, *mask, *slope, *lse, *delta; // the last three of gradients only
  LType type;
  int lead; // leading dimensions
  int64_t queries, keys;
  int64_t depth, width;         // of q and k; of v
  bool causal, by_keys, shared; // by_keys: lanes are keys; shared: out to threads
  LExpr *scale;
  int mr, nr;                    // the register tile of weights
  int sum_rows, sum_cols;        // that of what is summed over steps
  int64_t lane_count, lane_room; // lanes in all; of a task, a multiple of nr
  int64_t step_count;
  int64_t shares; // the most of them
  LExpr *share;
  LExpr *index[MAX_RANK];        // the task's leading dimensions
  LExpr *first, *lanes, *active; // its first lane; how many it has; these as a multiple of nr
  Scratch weights;
} Attention;

// A tile's steps: `count` of them from `first`.
typedef struct Steps {
  LExpr *first;
  int count;
} Steps;

Attention attention_of(Lower *lower, bool by_keys);
Scratch attention_scratch(Lower *lower, const Attention *at, const char *name, int64_t size);

// Opens the loops over the tasks of each share, closed by two calls of nest_close. Call it after every attention_scratch.
void attention_open(Lower *lower, Attention *at);
void attention_begin(Lower *lower, const Attention *at, Scratch *scratch); // once for each scratch, inside
// The tiles of a task that causality does not hide wholly, in order.
typedef void TileBody(Lower *lower, const Attention *at, const Steps *steps, const void *context);
void attention_each_tile(Lower *lower, const Attention *at, TileBody *body, const void *context);

LExpr *attention_load(Lower *lower, const Scratch *scratch, LExpr *at);
void attention_store(Lower *lower, const Scratch *scratch, LExpr *at, LExpr *value);
// Element `column` of row `row` of an input, where it lies; of lse and delta, which have no columns, that of the row.
LExpr *attention_element(Lower *lower, const Attention *at, const Node *node, LExpr *row, LExpr *column);
// The number of weight [step, lane], and of any [step, lane] in rows of lanes.
LExpr *attention_weight(Lower *lower, const Attention *at, LExpr *step, LExpr *lane);
// Lane `lane` of the task among all, the last of all where the task has fewer.
LExpr *attention_lane(Lower *lower, const Attention *at, LExpr *lane);

// packed[c, lane] = node[lane, c] for c below size; 0 for lanes that the task does not have.
void attention_turn(Lower *lower, const Attention *at, const Node *node, int64_t size, const Scratch *packed);
// Sets the first `size` elements.
void attention_fill(Lower *lower, const Attention *at, const Scratch *scratch, int64_t size, double value);
// A weight's place: its step in the tile and among all, its lane in the task.
typedef struct Spot {
  LExpr *step, *row, *lane;
} Spot;
typedef LExpr *Weigh(Lower *lower, const Attention *at, const Spot *spot, LExpr *value, const void *context);
// weights[step, lane] = weigh(sum along c of node[step, c] * packed[c, lane]).
void attention_scores(Lower *lower, const Attention *at, const Steps *steps, const Node *node, int64_t size,
                      const Scratch *packed, Weigh *weigh, const void *context);
// Scores that the mask or causality hides become -inf.
void attention_hide(Lower *lower, const Attention *at, const Steps *steps);
// weights[step, lane] = weigh(weights[step, lane]).
void attention_weigh(Lower *lower, const Attention *at, const Steps *steps, Weigh *weigh, const void *context);
// sums[lane, c] = sums[lane, c] (times factors[lane]) + the chain along steps of weights[step, lane] * node[step, c].
void attention_gather(Lower *lower, const Attention *at, const Steps *steps, const Node *node, int64_t size,
                      const Scratch *sums, const Scratch *factors);
// result[lane, c] = last(sums[lane, c]).
typedef LExpr *Last(Lower *lower, const Attention *at, LExpr *lane, LExpr *sum, const void *context);
void attention_finish(Lower *lower, const Attention *at, const Node *result, int64_t size, const Scratch *sums,
                      Last *last, const void *context);

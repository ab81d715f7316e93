// The nests: one kernel to one LKernel. Private to lower.c, schedule.c and nest_*.c.
//
// Order of sums, for every kernel and target the same:
// - A product is one fma chain along k from +0 for each output (integers: multiply and add).
// - A convolution with attr.tile: x, weights and y of a tile in the form of places as winograd.c has it, first along columns,
//   then along rows; in it one chain along channels from +0 for each place, or, for the weights, along samples and tiles.
// - A reduction whose last axis is reduced: let L be the elements of the run of reduced axes at the end, numbered
//   row-major. At most 16 elements in all, known when compiled: a chain from the first. Otherwise 16 lanes, element r in lane
//   r % 16, from the identity, all rows of further reduced axes one after another, and the tree of LX_HSUM at the end. If L
//   can exceed LANE_CHUNK, each LANE_CHUNK elements of each row have lanes and tree of their own, and these sums are
//   chained from the identity.
// - A reduction whose last axis stays: for each output a chain from the identity over the reduced elements, numbered
//   row-major. If they can be more than CHAIN_CHUNK, each CHAIN_CHUNK have a chain of their own, and these are chained.
// - scatter_add: in the order of the updates.
// - attention: a score is one fma chain along d from +0, times the scale; hidden scores are -inf. Keys go in blocks of
//   ATTENTION_TILE. For each block in turn, a row has m' = the largest of m and the block's scores that are numbers, f = exp(m - m'),
//   weights exp(score - m'); its l becomes l * f, then plus the weights one after another; each of its values becomes
//   value * f, then one fma chain along the block's keys. At the end value / l, and lse = m + log(l). m' is 0 where all is
//   hidden so far. The gradients take weights exp(score - lse), and for each result one fma chain from +0 along the keys
//   (dq) or queries (dk, dv); dq and dk are multiplied by the scale at the end. A tile of ATTENTION_TILE queries by as many
//   keys that causality hides wholly is left out of all this; in others, hidden keys have weight 0. (Milakov and
//   Gimelshein, "Online normalizer calculation for softmax", 2018; Dao and others, "FlashAttention", 2022.)
#pragma once
#include "base/names.h"
#include "loops/lower.h"
#include "loops/schedule.h"

enum {
  LANES = 16,
  LANE_CHUNK = 65536,
  CHAIN_CHUNK = 1024,
  SHARED_WORK = 30000, // below it a kernel runs on one thread
  ATTENTION_TILE = 64, // queries, and keys
  SMALL_TILE = 64,     // a row of at most so many elements, known when compiled, may be one tile
};

typedef struct Scope {
  LStmt *stmt; // appended to the scope around it when closed; NULL: shares the body of the scope around it
  LBody *body;
} Scope;

// What is known of an element: its value in terms of variables that are in scope.
typedef struct Known {
  const Node *node;
  int flat, rank;
  LExpr *index[MAX_RANK];
  LExpr *value;
  int depth; // forgotten when this scope closes
} Known;

typedef struct DeclaredVar {
  const LVar *var;
  int depth;
} DeclaredVar;

// A kernel that runs before a series of calls, for memory that the kernel being made reads.
typedef struct Ahead {
  LKernel *kernel;
  LPlace *places;
  int64_t scratch_bytes;
} Ahead;

struct Lower {
  Arena *arena;
  LoopModule *module;
  const KernelGraph *graph; // NULL: everything is inlined, down to constants
  const Kernel *kernel;
  const Target *target;
  const int *readers; // by node id
  LKernel *out;
  VEC(LPlace) places;    // of out->buffers
  int64_t scratch_bytes; // taken so far
  int flat;      // indices count through the dimensions from this one on (passes/flat.h); -1: a number a dimension
  int stage;     // ROW: the stage being computed
  bool operands; // loads stay where they are used
  int64_t *prepared_bytes; // of the function so far; NULL: nothing is prepared for this kernel
  VEC(Ahead) ahead;
  VEC(Scope) scopes;
  VEC(Known) known;
  VEC(DeclaredVar) vars;
  NameTable names; // of each, the last number that was added to it; 1: none was
};

// ---- statements. Loops of one round are not made: their variable is the constant.
LExpr *nest_loop(Lower *lower, LStmtKind kind, const char *name, LExpr *from, LExpr *to, int64_t step);
// A tile; *row is 0 if there is only one row.
void nest_tile(Lower *lower, int rows, int cols, LExpr **row, LExpr **col);
void nest_if(Lower *lower, LExpr *condition);
void nest_close(Lower *lower);
void nest_close_all(Lower *lower, int scopes);
// Of things numbered 0 to whole, and one smaller one behind them if there is a rest: opens what is done for those (last: for
// that one), closed by nest_part_end; false if there is none.
bool nest_part(Lower *lower, LExpr *number, int64_t whole, int64_t rest, bool last);
void nest_part_end(Lower *lower, int64_t whole, int64_t rest);
void nest_drop(Lower *lower); // closes a scope that was opened for a trial, and forgets it
LLocal *nest_local(Lower *lower, const char *name, LType type, int rank, int rows, int cols, LExpr *value);
void nest_set(Lower *lower, LLocal *local, LExpr *row, LExpr *col, LExpr *value);
// A let in the outermost scope where its variables are known. Constants and variables are given back as they are.
LExpr *nest_let(Lower *lower, const char *name, LExpr *value);
const char *nest_name(Lower *lower, const char *base); // unique in the kernel
void nest_begin_top(Lower *lower);                     // the scope of the kernel's body
LStmt *nest_stmt(Lower *lower, LStmtKind kind);
// In a loop over `var`: asks for what `value` will be some rounds later, if it is a load that moves too far in a round for the
// processor to foresee it, through more than the first cache holds.
void nest_prefetch(Lower *lower, const LExpr *value, const LExpr *var);
// Is it more than what stays in the second cache beside what else a tile reads?
bool nest_beyond_caches(const Lower *lower, const LBuffer *buffer);
// Asks for what lies `distance` elements behind `value`, if that is a load.
void nest_prefetch_ahead(Lower *lower, const LExpr *value, LExpr *distance);
// A packed panel that is used by `all` rows: while the tile of the `rows` after the first `done` is summed, in `rounds` rounds,
// asks for its part of the `length` elements from `next` on, which the next panel will be read from.
typedef struct NextPanel {
  LBuffer *packed;
  LExpr *next, *done;
  int64_t length, all, rounds;
  int rows;
} NextPanel;
void nest_prefetch_panel(Lower *lower, const NextPanel *panel, LExpr *round);
// Rows of memory that are packed next, `apart` elements from one to the other: while tile number `part` of `parts` is summed, asks
// for its part of the `rows`, `length` elements of each from `from` on; stands in front of the sum.
typedef struct NextRows {
  LBuffer *buffer;
  LExpr *from, *part;
  int64_t rows, parts, apart, length;
} NextRows;
void nest_prefetch_rows(Lower *lower, const NextRows *next);
// In the finished kernel: gives the places where tiles begin names (row_base.c).
void nest_row_bases(Lower *lower);
void nest_push(Lower *lower, LStmt *stmt);                             // appends to the innermost scope
void nest_put(Lower *lower, LBuffer *buffer, LExpr *at, LExpr *value); // stores
// Copies a square of TURN_SIZE that begins with `value`, a load, to buffer[at] with rows and columns changing places: rows of
// the buffer lie `to_apart` elements apart, columns of the square `from_apart`.
void nest_turn(Lower *lower, LBuffer *buffer, LExpr *at, int64_t to_apart, LExpr *value, int64_t from_apart);

// ---- values
LExpr *nest_compute(Lower *lower, const Node *node, LExpr *const *index); // by the node's own operation
void nest_know(Lower *lower, const Node *node, LExpr *const *index, LExpr *value);
void nest_store(Lower *lower, const Node *node, LExpr *const *index, LExpr *value);
// Computes the kernel's nodes [from, to) that are not known at `index`, then stores those that are kept.
void nest_finish(Lower *lower, LExpr *const *index, int from, int to);
bool nest_in_memory(const Lower *lower, const Node *node);
LPlace nest_place(Lower *lower, const Node *node); // of a value in memory
LBuffer *nest_buffer(Lower *lower, const Node *node, bool write);
// Memory for so many elements at a place that no value has, and the next of the kernel's scratch memory.
LBuffer *nest_memory(Lower *lower, const char *name, LType type, int64_t length, LSpace space, int64_t offset);
LBuffer *nest_scratch(Lower *lower, const char *name, LType type, int64_t length);
// Does the value stay the same from call to call, so that what is made of it can be prepared?
bool nest_steady(const Lower *lower, const Node *node);
// A kernel ahead, which fills a buffer: its body is made with what `begin` gives. `end` gives the buffer as this kernel
// reads it.
Lower nest_ahead_begin(const Lower *lower, const char *name, LType type, int64_t length, LBuffer **buffer);
LBuffer *nest_ahead_end(Lower *lower, Lower *ahead);
// Leaves out buffers that were looked at while the kernel was made, but are not read: packed ones lie elsewhere.
void nest_drop_unused(Lower *lower);

// ---- sizes and indices
// The columns of the next tile where `left` are left: whole vectors by powers of two, 64 at most, then what remains.
// Vectors of other lengths are taken apart by compilers, at a hundred times the cost.
int nest_piece(int64_t left);
static inline int64_t nest_at_least(int64_t value, int64_t least) {
  return value > least ? value : least;
}
int64_t nest_ceil_div(int64_t a, int64_t b); // a / b rounded up, 0 for a below 1
// `count` things in as few parts of at most `most` as there can be: how many a part has if they are even.
int64_t nest_even(int64_t count, int64_t most);
// The most rows a register tile of two vectors has, and a tile of even rows for `rows` by `cols` outputs.
int nest_tile_most(const Lower *lower);
void nest_tile_size(const Lower *lower, LType type, int64_t rows, int64_t cols, int *mr, int *nr);
LExpr *nest_add(Lower *lower, LExpr *a, LExpr *b);
LExpr *nest_mul(Lower *lower, LExpr *a, LExpr *b);
LExpr *nest_div(Lower *lower, LExpr *a, LExpr *b);
LExpr *nest_min(Lower *lower, LExpr *a, LExpr *b);
LExpr *nest_step(Lower *lower, LExpr *a, int64_t by, LExpr *b); // a * by + b
LExpr *nest_i64(Lower *lower, int64_t value);
LExpr *nest_count(Lower *lower, const Dim *dims, int count);           // the product of dimensions
int64_t nest_capacity(const Lower *lower, const Dim *dims, int count); // the same at the full batch
bool nest_static(const Dim *dims, int count);
// index[at[i]] of `count` dimensions from their common row-major number; at NULL: index[i].
void nest_unravel(Lower *lower, LExpr *number, const Dim *dims, const int *at, int count, LExpr **index);
// Work for threads that is `outer` things with `inner` parts each, cut into as many equal stretches as there are threads, `most`
// at most, each with scratch memory of its own: what a stretch makes once for an outer thing, its parts use. 0: not shared.
typedef struct Shares {
  LExpr *first, *last; // parts, counted through all things
  LExpr *from, *to;    // the things of the stretch
  LExpr *inner, *begin;
} Shares;
// Opens the loop of stretches, in it the loop of outer things, in that the loop of its parts; each gives its number.
LExpr *nest_shares(Lower *lower, Shares *shares, LExpr *outer, int64_t inner, int64_t most);
// The same where a stretch makes nothing but what it makes for each of its things: at the top of a kernel, where there are many
// things, each is a stretch, so that they can be dealt; gives the number of the thread, whose scratch memory it is.
LExpr *nest_dealt_shares(Lower *lower, Shares *shares, LExpr *outer, int64_t inner, int64_t most);
// A loop over 0..count at the top of a kernel whose rounds are dealt, among `most` threads that have scratch memory of their own:
// gives the round, and the number of its thread.
LExpr *nest_dealt(Lower *lower, const char *name, LExpr *count, int64_t most, LExpr **thread);
LExpr *nest_share_things(Lower *lower, Shares *shares);
LExpr *nest_share_parts(Lower *lower, const Shares *shares);
// How many stretches there may be if each takes so many bytes of scratch memory: 8 to 64, all of them some megabytes.
int64_t nest_most_shares(int64_t bytes);

// Opens a shared loop over blocks of 0..count; gives the range of the present one.
void nest_blocks(Lower *lower, LExpr *count, int64_t capacity, int64_t block, LExpr **from, LExpr **to);
// Opens loops that go through 0..count in blocks, shared out to threads if `shared`: gives the number of the round.
// Closed by `*scopes` calls of nest_close.
LExpr *nest_rounds(Lower *lower, const char *name, LExpr *count, int64_t capacity, int64_t block, bool shared,
                   int *scopes);
// The same over the row-major numbers of dimensions, in blocks of about so many of the kernel's operations.
LExpr *nest_rounds_over(Lower *lower, const char *name, const Dim *dims, int count, int64_t operations, bool shared,
                        int *scopes);
// The same over the first `count` dimensions of `out`, whose indices it gives.
LExpr *nest_outputs(Lower *lower, const char *name, const Type *out, int count, bool shared, LExpr **index,
                    int *scopes);
int64_t nest_cost(const Lower *lower,
                  const Node *node);   // scalar operations for one element, inlined expressions included
int64_t nest_work(const Lower *lower); // of the whole kernel at the full batch

// ---- reductions (nest_reduce.c), used by rows too
LType nest_sum_type(const Node *node); // what is summed in: u8 in i32
LExpr *nest_identity(Lower *lower, const Node *node);
LExpr *nest_join(Lower *lower, const Node *node, LExpr *a, LExpr *b); // a + b, or the greater, or the lesser
// What the reduction reads at `index` of its input; flat: as in Lower.
LExpr *nest_element(Lower *lower, const Node *node, LExpr **index, int flat);
LExpr *nest_as_result(Lower *lower, const Node *node, LExpr *sum); // a sum in the type of the result
// The reduction of the elements whose kept indices stand in `index`, one for each dimension of the input.
LExpr *nest_reduction(Lower *lower, const Node *node, LExpr **index);

int nest_reduced_dims(const Node *node, Dim *dims);                   // in order; how many
LExpr *nest_part_count(Lower *lower, LExpr *elements, int64_t chunk); // of chunks
// The indices of the input that are the first `count` of the result.
void nest_set_kept(const Node *node, LExpr *const *result, LExpr **index, int count);
// The reduction of everything to one value, its chunks shared out; false if it is too short for that.
bool nest_long_reduction(Lower *lower);

// Is the kernel's work shared out, each thread with scratch memory of its own?
bool nest_shares_scratch(const Lower *lower);

// The nests.
void nest_map(Lower *lower);
void nest_row(Lower *lower);
void nest_reduce(Lower *lower);
void nest_columns(Lower *lower); // where the last axis stays (flat_keeps_last)
bool nest_window(Lower *lower);  // a reduction over the taps of windows; false: it is none
void nest_matmul(Lower *lower);
void nest_conv(Lower *lower);
void nest_conv_weight(Lower *lower);
void nest_winograd(Lower *lower); // by minimal filtering (attr.tile)
void nest_winograd_weight(Lower *lower);
void nest_matmul_weight(Lower *lower);
bool nest_is_weight(const Lower *lower); // is the kernel's product a turned matrix times another, of many rows each?
void nest_attention(Lower *lower);
void nest_scatter(Lower *lower);
// One loop over the elements of the last dimensions (from `first` on) of the nodes [from, to), which have one shape.
void nest_elements(Lower *lower, int first, LExpr **index, int from, int to, bool shared);
// Stretches of the last dimension (last: its number) of the kernel's nodes [from, to) that are each computed in one way:
// pads and parts of a concat begin and end there, and in blocks of `grain` a reshape that takes the dimension apart counts
// through one dimension. 0: the whole dimension is alike, or the stretches would be short.
enum { MAX_STRETCHES = 16 };
typedef struct Stretch {
  int64_t from, to, grain;
} Stretch;
int stretches_of(const Lower *lower, int last, int from, int to, Stretch *stretches);

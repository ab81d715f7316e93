// The loop language: what lowering produces and both emitters print. Every choice about tiling, packing, vectors and
// threads has been made by then; the value of everything is fixed here, to the bit.
//
//   kernel dense_relu_0(n)                              # digits.nn:5  dense(128) |> relu
//     in  x: f32[2048]  w: f32[8192]  b: f32[128]       # buffers are flat; lengths in elements
//     out y: f32[4096]
//   {
//     parallel task in 0..(n / 14) * 4 {
//       let i0 = task / 4 * 14
//       let j0 = task % 4 * 32
//       local acc: f32[14, 32] = 0
//       for k in 0..64 {
//         tile i in 14, j in 32 { acc[i, j] = fma(x[(i0 + i) * 64 + k], w[k * 128 + j0 + j], acc[i, j]) }
//       }
//       tile i in 14, j in 32 { y[(i0 + i) * 128 + j0 + j] = max(acc[i, j] + b[j0 + j], 0) }
//     }
//   }
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/source.h"
#include "base/text.h"
#include "base/vec.h"

// Scalar types of expressions. Signed integers wrap. The first six are ElemType's, in its order.
typedef enum LType { L_F32, L_F64, L_I32, L_I64, L_U8, L_BOOL, L_U32, L_U64 } LType;
int ltype_bytes(LType type); // bool and u8: 1

typedef enum LOp {
  LX_CONST, // real or integer, by type
  LX_VAR,   // var: a loop variable, a let, or the kernel's n (i64)
  LX_LOAD,  // buffer[arg0]; never outside the buffer
  LX_LOCAL, // local[arg0, arg1] (arg1 NULL for one dimension)
  LX_CALL,  // function(args)
  LX_HSUM,  // the 16 lanes of a one-dimensional local of 16, summed by the tree: l[i] += l[i+8], then 4, 2, 1
  LX_HMAX,  // the same tree with LX_MAX's rule
  LX_HMIN,
  // arithmetic: both arguments and the result of one type; integers wrap
  LX_ADD,
  LX_SUB,
  LX_MUL,
  LX_DIV, // reals: IEEE; integers: C's truncation, never by zero (lowering guards)
  LX_MOD, // integers only: C's remainder, never by zero
  LX_NEG,
  LX_FMA, // reals: arg0 * arg1 + arg2, rounded once
  LX_SQRT,
  LX_FLOOR,
  LX_ABS, // reals; ABS clears the sign bit
  LX_MAX, // b > a || b != b ? b : a: NaN if either is, and of equals a. Where b is a number, one instruction of x86
  LX_MIN, // b < a || b != b ? b : a
  // comparisons of equal types, to bool
  LX_EQ,
  LX_NE,
  LX_LT,
  LX_LE,
  LX_GT,
  LX_GE,
  LX_AND,
  LX_OR,
  LX_NOT, // bool, or bitwise on u32 and u64 (NOT: bool only)
  LX_XOR,
  LX_SHL,
  LX_SHR,    // u32, u64; the shift is a constant below the width
  LX_SELECT, // arg0 (bool) ? arg1 : arg2; both sides may be evaluated
  LX_CAST,   // C's conversion; real to integer only of values that fit (lowering clamps)
  LX_BITCAST // between types of equal width
} LOp;

enum { LX_MAX_ARGS = 4 };

typedef struct LExpr LExpr;
typedef struct LStmt LStmt;

// Whole numbers from least to most; an end at +-LRANGE_END is not known.
#define LRANGE_END (INT64_C(1) << 52)
typedef struct LRange {
  int64_t least, most;
} LRange;

// A name for a value that does not change: loop variable, let, function parameter.
typedef struct LVar {
  const char *name; // unique in its kernel
  LType type;
  bool ranged; // an I64 of known range
  LRange range;
  const struct LBuffer
      *into; // it is a place in that memory, from which others are counted, and a pointer in C; or NULL
} LVar;

// A small array of a task's own: a register tile, lanes of a reduction, a mutable scalar (dims 1).
typedef struct LLocal {
  const char *name;
  LType type;
  int rank;   // 1 or 2
  int dim[2]; // constant
} LLocal;

// Memory a kernel is called with. Two buffers of one call never overlap where either is written.
typedef struct LBuffer {
  const char *name;
  LType type;
  int64_t length; // elements at the largest batch
  int64_t sample; // elements of each sample where the batch leads the shape; 0: there is no batch in it; -1: elsewhere
  bool read, written;
  const char *shape; // for the reader: f32[n, 64]
} LBuffer;
static inline int64_t lbuffer_bytes(const LBuffer *buffer) {
  return buffer->length * ltype_bytes(buffer->type);
}

// A pure function of scalars: exp_f32 and its kind. The body may use its parameters and calls only; no loads.
typedef struct LFunction {
  const char *name;    // exp_f32
  const char *comment; // what it computes, its error in ULP, the source of its polynomial
  LType type;
  VEC(LVar *) params;
  VEC(LStmt *) lets; // LS_LET in order
  LExpr *result;
} LFunction;

struct LExpr {
  LOp op;
  LType type;
  int arg_count;
  LExpr *args[LX_MAX_ARGS];
  double real;
  int64_t integer; // constants of integer types (u64: the bits)
  LVar *var;
  LBuffer *buffer;
  LLocal *local;
  LFunction *function;
};

typedef enum LStmtKind {
  LS_LET,   // var = value
  LS_LOCAL, // local, every element set to value (a constant)
  LS_SET,   // local[index0, index1] = value
  LS_STORE, // buffer[index0] = value
  LS_TURN, // a square is copied with rows and columns changing places: for i, j in 0..TURN_SIZE: buffer[index0 + i * apart0 + j] =
  // value, a load of the same type, f32 or f64, i + j * apart1 elements further; not inside SIMD or TILE
  LS_PREFETCH, // a hint that `value`, a load, will be asked for soon; does nothing else
  LS_FOR,      // var from from to `to` by step (constant): body, in order
  LS_PARALLEL, // the same, rounds independent, from 0, step 1; at the top of a kernel, where rounds are dealt to the threads as
               // they get on, or in TOGETHER, where two of as many rounds give each round to the same thread
  LS_TOGETHER, // the same as FOR, gone through by every thread: lets and PARALLEL loops, no barrier; only at the top of a kernel
  LS_SIMD, // the same, rounds independent, body only lets, stores, sets of no local; a vector of 16 at a time, then the rest
  LS_TILE, // for each row_var in 0..rows (unrolled) and col_var in 0..cols (one vector): body of lets, sets, stores.
           // Rows 1 and no row_var: a vector alone. Statement by statement over the whole row: rounds are independent.
  LS_IF    // value (bool): body; not inside SIMD or TILE
} LStmtKind;

enum { TURN_SIZE = 16 };

typedef VEC(LStmt *) LBody;

struct LStmt {
  LStmtKind kind;
  LVar *var;
  LExpr *value;
  LLocal *local;
  LBuffer *buffer;
  LExpr *index[2];
  LExpr *from, *to;
  int64_t step;
  LVar *row_var, *col_var;
  int rows, cols;
  int64_t apart[2]; // of a TURN: elements from row to row, of the buffer and of what is read
  int64_t most;     // of a PARALLEL at the top: so many threads take part, 0: all
  int unroll;       // of a FOR: so many rounds in a row; 0 or 1: one
  LBody body;
};

static inline bool ls_for_all(const LStmt *stmt) {
  return stmt->kind == LS_PARALLEL || stmt->kind == LS_TOGETHER;
}

typedef struct LKernel {
  const char *name;    // dense_relu_0
  const char *comment; // lines "digits.nn:5  dense(128) |> relu", each ended by a newline
  Span span;
  VEC(LBuffer *) buffers; // parameters in order
  LVar *n;                // the batch count
  LVar *threads, *thread; // how many run it, and the number of the one that does; NULL: it does not ask
  LBody body;             // statements that are not for all threads (ls_for_all) run on one
  bool barrier_inside;    // a barrier stands after each top-level statement but the last (packing before a product)
  int64_t work;           // scalar operations at the full batch, roughly
} LKernel;

// What lies in the arena, the state or the constants begins on a line of the cache.
enum { LINE_BYTES = 64 };
static inline int64_t whole_lines(int64_t bytes) {
  return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

// Where a buffer lies when a kernel is called.
// SPACE_PREPARED and SPACE_SCRATCH (of a kernel alone) are for stages before the schedule is done, which moves them into the arena.
typedef enum LSpace {
  SPACE_ARENA,
  SPACE_STATE,
  SPACE_INPUT,
  SPACE_OUTPUT,
  SPACE_CLOCK,
  SPACE_CONSTANT,
  SPACE_PREPARED,
  SPACE_SCRATCH
} LSpace;
enum { MAX_LOOPS = 4 };
typedef struct LLoop LLoop;

// How a place moves with the rounds of a loop around the call: by `bytes` for each, counted from 0; of a reversed loop from
// the last round's number down. `turns`: between two places, first in even rounds; `next`: as it will be in the next round.
typedef struct LStride {
  const LLoop *loop;
  int64_t bytes;
  bool turns, next;
} LStride;

typedef struct LPlace {
  LSpace space;
  int64_t offset;             // bytes, from the beginning of its space, or of its input or output
  int index;                  // which input or output; -1 otherwise
  LStride strides[MAX_LOOPS]; // as many as have a loop
} LPlace;

typedef struct LCall {
  LKernel *kernel;
  LLoop *loop;                 // instead of a kernel: calls again and again
  LPlace *places;              // one for each of the kernel's buffers
  bool barrier;                // all threads wait before this call
  const struct Kernel *origin; // of the graph, whose work it does; NULL: a loop, packing ahead, zeros behind a scan
} LCall;

typedef VEC(LCall) LCalls;

// The steps of a scan. Barriers inside hold from round to round.
struct LLoop {
  int64_t length; // rounds
  LPlace *count;  // of an i64 from 0 to length: so many rounds, read once before the first; NULL: all
  bool reverse;
  LCalls calls;
};

// One function of the module: train_step, eval_step, predict, init, a test.
typedef struct LEntry LEntry;
struct LEntry {
  const char *name;
  const LEntry *prepare; // runs before a series of calls and leaves in the arena what they read; NULL: nothing
  int64_t arena_bytes, prepared_bytes; // what calls use, and above it what `prepare` leaves
  bool parallel; // false: too little work for a team; runs on the calling thread alone, barriers mean nothing
  bool check;    // nnrt_check of every real buffer a call has written; only where parallel is false
  bool profile;  // nnrt_profile after each call of a kernel, in the order of loops_visit
  LCalls calls;
};

typedef struct LoopModule {
  Arena *arena;
  const char *name;
  VEC(LFunction *) functions; // each after those it calls
  VEC(LKernel *) kernels;     // equal kernels are shared by entries
  VEC(LEntry *) entries;
  int64_t arena_bytes, state_bytes;
  const uint8_t *constants; // dense constants, each aligned to 64
  int64_t constant_bytes;
} LoopModule;

// ---- building (loops/build.c). Constructors fold constants and x + 0, x * 1, x * 0 of integers, so that indices stay short.
LExpr *lx_real(Arena *arena, LType type, double value);
LExpr *lx_int(Arena *arena, LType type, int64_t value);
LExpr *lx_i64(Arena *arena, int64_t value);
LExpr *lx_var(Arena *arena, LVar *var);
LExpr *lx_load(Arena *arena, LBuffer *buffer, LExpr *index);
LExpr *lx_local(Arena *arena, LLocal *local, LExpr *row, LExpr *column);
LExpr *lx_unary(Arena *arena, LOp op, LExpr *a);
LExpr *lx_binary(Arena *arena, LOp op, LExpr *a, LExpr *b);
LExpr *lx_fma(Arena *arena, LExpr *a, LExpr *b, LExpr *c);
LExpr *lx_select(Arena *arena, LExpr *condition, LExpr *a, LExpr *b);
LExpr *lx_cast(Arena *arena, LExpr *a, LType type);
LExpr *lx_bitcast(Arena *arena, LExpr *a, LType type);
LExpr *lx_call(Arena *arena, LFunction *function, int count, LExpr *const *args);
LVar *lvar_new(Arena *arena, const char *name, LType type);
LRange lx_range(const LExpr *expr); // of an I64, from the ranges of its variables

// Calls `visit` for each call of a kernel, those in loops as well; or for each place, those of counts as well.
typedef void LVisit(void *context, const LCall *call);
void loops_visit(const LCalls *calls, LVisit *visit, void *context);
typedef void LVisitPlace(void *context, LPlace *place);
void loops_visit_places(const LCalls *calls, LVisitPlace *visit, void *context);
LEntry *loops_entry(const LoopModule *module, const char *name); // NULL: there is none
bool loops_use(const LEntry *entry, const LKernel *kernel);      // is it called?
bool loops_touch(const LEntry *entry, LSpace space);             // does a buffer lie there?
// Bytes from where a buffer of so many begins to where it ends in the last round of the loops around it.
int64_t lplace_extent(const LPlace *place, int64_t bytes);

// Does the expression read the variable?
bool lx_mentions(const LExpr *expr, const LVar *var);
bool lx_equal(const LExpr *a, const LExpr *b); // the same tree
// The expression with `with` wherever it reads `var`; what does not is shared.
LExpr *lx_replace(Arena *arena, LExpr *expr, const LVar *var, LExpr *with);

// If `index` is coefficient * var + (terms without var), with a constant coefficient: true, and the coefficient.
bool lx_stride(const LExpr *index, const LVar *var, int64_t *coefficient);

// The value of an expression of constants and calls, as generated code would compute it. False if it holds anything else.
bool lx_evaluate(const LExpr *expr, double *real, int64_t *integer);

// Fails with a message if a rule above is broken; NULL if the module is well formed. Tests and debug builds call it.
const char *loops_check(const LoopModule *module);
void loops_print(Text *out, const LoopModule *module);

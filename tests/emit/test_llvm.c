// The LLVM backend against plain C, bit for bit: small modules made by hand, compiled by the JIT and run.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emit/llvm.h"
#include "loops/loops.h"
#include "loops/mathlib.h"
#include "nnrt.h"
#include "session/jit.h"
#include "session/object.h"

enum { MAX_BUFFERS = 8 };

// One module of one kernel and one entry `run`, its read buffers being the inputs and its written ones the outputs.
typedef struct Bench {
  Arena *arena;
  LoopModule *module;
  LKernel *kernel;
  LEntry *entry;
  Jit *jit;
  NnrtRun *run;
} Bench;

static Bench bench_new(void) {
  Bench b = {.arena = arena_new()};
  b.module = arena_new_of(b.arena, LoopModule);
  b.module->arena = b.arena;
  b.module->name = "bench";
  b.kernel = arena_new_of(b.arena, LKernel);
  b.kernel->name = "kernel_0";
  b.kernel->comment = "test.nn:1  map\n";
  b.kernel->n = lvar_new(b.arena, "n", L_I64);
  b.entry = arena_new_of(b.arena, LEntry);
  b.entry->name = "run";
  vec_push(b.arena, &b.module->kernels, b.kernel);
  vec_push(b.arena, &b.module->entries, b.entry);
  return b;
}

static LBuffer *buffer(Bench *b, const char *name, LType type, int64_t length, bool written) {
  LBuffer *made = arena_new_of(b->arena, LBuffer);
  *made =
      (LBuffer){.name = name, .type = type, .length = length, .read = !written, .written = written, .shape = "flat"};
  vec_push(b->arena, &b->kernel->buffers, made);
  return made;
}

static LBuffer *in(Bench *b, const char *name, LType type, int64_t length) {
  return buffer(b, name, type, length, false);
}
static LBuffer *out(Bench *b, const char *name, LType type, int64_t length) {
  return buffer(b, name, type, length, true);
}

static void compile(Bench *b) {
  LCall call = {.kernel = b->kernel, .places = arena_array(b->arena, LPlace, MAX_BUFFERS)};
  int inputs = 0, outputs = 0;
  for (int i = 0; i < b->kernel->buffers.count; i++)
    if (b->kernel->buffers.data[i]->written)
      call.places[i] = (LPlace){.space = SPACE_OUTPUT, .offset = 0, .index = outputs++};
    else
      call.places[i] = (LPlace){.space = SPACE_INPUT, .offset = 0, .index = inputs++};
  vec_push(b->arena, &b->entry->calls, call);
  const char *fault = loops_check(b->module);
  cr_assert_null(fault, "%s", fault);
  char *error = NULL;
  b->jit = jit_compile(b->module, NULL, &error);
  cr_assert_not_null(b->jit, "%s", error);
  b->run = jit_entry(b->jit, "run");
  cr_assert_not_null(b->run);
  cr_assert_null(jit_entry(b->jit, "nothing"));
}

static void call(Bench *b, int64_t n, int threads, const void *const *inputs, void *const *outputs) {
  NnrtFrame frame = {.inputs = inputs, .outputs = outputs, .clock = {1, 2, 3, 4, n}, .threads = threads};
  b->run(&frame);
}

static void done(Bench *b) {
  jit_free(b->jit);
  arena_free(b->arena);
}

#define INPUTS(...) ((const void *const[]){__VA_ARGS__})
#define OUTPUTS(...) ((void *const[]){__VA_ARGS__})

// ---- statements
static LStmt *stmt(Bench *b, LBody *body, LStmt what) {
  LStmt *made = arena_copy(b->arena, &what, sizeof what);
  vec_push(b->arena, body, made);
  return made;
}

static LBody *loop(Bench *b, LBody *body, LStmtKind kind, LVar *var, LExpr *from, LExpr *to, int64_t step) {
  return &stmt(b, body, (LStmt){.kind = kind, .var = var, .from = from, .to = to, .step = step})->body;
}

static LBody *tile(Bench *b, LBody *body, LVar *row, int rows, LVar *col, int cols) {
  return &stmt(b, body, (LStmt){.kind = LS_TILE, .row_var = row, .col_var = col, .rows = rows, .cols = cols})->body;
}

static void store(Bench *b, LBody *body, LBuffer *to, LExpr *index, LExpr *value) {
  stmt(b, body, (LStmt){.kind = LS_STORE, .buffer = to, .index = {index}, .value = value});
}

static void set(Bench *b, LBody *body, LLocal *local, LExpr *row, LExpr *column, LExpr *value) {
  stmt(b, body, (LStmt){.kind = LS_SET, .local = local, .index = {row, column}, .value = value});
}

static LExpr *let(Bench *b, LBody *body, const char *name, LExpr *value) {
  LVar *var = lvar_new(b->arena, name, value->type);
  stmt(b, body, (LStmt){.kind = LS_LET, .var = var, .value = value});
  return lx_var(b->arena, var);
}

static LLocal *local(Bench *b, LBody *body, const char *name, LType type, int rank, int rows, int cols, LExpr *value) {
  LLocal *made = arena_new_of(b->arena, LLocal);
  *made = (LLocal){.name = name, .type = type, .rank = rank, .dim = {rows, cols}};
  stmt(b, body, (LStmt){.kind = LS_LOCAL, .local = made, .value = value});
  return made;
}

static LVar *index_var(Bench *b, const char *name) {
  return lvar_new(b->arena, name, L_I64);
}
static LExpr *n_of(Bench *b) {
  return lx_var(b->arena, b->kernel->n);
}

#define I64(value) lx_i64(b.arena, (value))
#define F32(value) lx_real(b.arena, L_F32, (value))
#define VAR(var) lx_var(b.arena, (var))
#define ADD(x, y) lx_binary(b.arena, LX_ADD, (x), (y))
#define SUB(x, y) lx_binary(b.arena, LX_SUB, (x), (y))
#define MUL(x, y) lx_binary(b.arena, LX_MUL, (x), (y))
#define OP(op, x, y) lx_binary(b.arena, (op), (x), (y))
#define LOAD(buffer, index) lx_load(b.arena, (buffer), (index))

static uint32_t noise_state = 12345;
static uint32_t noise(void) {
  noise_state ^= noise_state << 13;
  noise_state ^= noise_state >> 17;
  noise_state ^= noise_state << 5;
  return noise_state;
}
static float real(void) {
  return (float)((int32_t)noise() / 1048576.0);
}
static void fill(float *values, int count) {
  for (int i = 0; i < count; i++)
    values[i] = real();
}

static void same(const void *a, const void *b, size_t bytes, const char *what) {
  for (size_t i = 0; i < bytes; i++)
    if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i])
      cr_assert_fail("%s: byte %zu differs", what, i);
}

// ---- a square whose rows and columns change places
static void turned_square(LType type) {
  enum { FROM = 21, TO = 18 };
  Bench b = bench_new();
  LBuffer *x = in(&b, "x", type, 16 * FROM + 3), *y = out(&b, "y", type, 16 * TO + 5);
  stmt(&b, &b.kernel->body,
       (LStmt){.kind = LS_TURN, .buffer = y, .index = {I64(5)}, .value = LOAD(x, I64(3)), .apart = {TO, FROM}});
  compile(&b);
  size_t bytes = (size_t)ltype_bytes(type);
  uint8_t from[(16 * FROM + 3) * 8], to[(16 * TO + 5) * 8] = {0};
  for (size_t i = 0; i < sizeof from; i++)
    from[i] = (uint8_t)noise();
  call(&b, 1, 1, INPUTS(from), OUTPUTS(to));
  for (size_t i = 0; i < 16; i++)
    for (size_t j = 0; j < 16; j++)
      same(to + (5 + i * TO + j) * bytes, from + (3 + j * FROM + i) * bytes, bytes, "a turned element");
  done(&b);
}
Test(llvm, turned_square_f32) {
  turned_square(L_F32);
}
Test(llvm, turned_square_f64) {
  turned_square(L_F64);
}

// ---- maps: strides 1, 0, -1, 2, a stride known only at run time, an index from memory, a division of the index
Test(llvm, map_reads_by_every_stride) {
  enum { N = 53 };
  Bench b = bench_new();
  LBuffer *x = in(&b, "x", L_F32, N), *w = in(&b, "w", L_F32, 1), *s = in(&b, "s", L_F32, 2 * N);
  LBuffer *at = in(&b, "at", L_I32, N), *t = in(&b, "t", L_F32, N * N), *y = out(&b, "y", L_F32, 3 * N);
  LVar *i = index_var(&b, "i");
  LBody *body = loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1);
  LExpr *back = let(&b, body, "back", SUB(SUB(n_of(&b), I64(1)), VAR(i)));
  LExpr *value = let(&b, body, "value", MUL(LOAD(x, VAR(i)), LOAD(w, I64(0))));
  value = ADD(value, LOAD(x, back));
  value = let(&b, body, "more", ADD(value, LOAD(s, ADD(MUL(VAR(i), I64(2)), I64(1)))));
  value =
      lx_fma(b.arena, value, LOAD(x, lx_cast(b.arena, LOAD(at, VAR(i)), L_I64)), LOAD(x, OP(LX_DIV, VAR(i), I64(4))));
  store(&b, body, y, VAR(i), value);
  store(&b, body, y, ADD(back, I64(N)), LOAD(t, ADD(MUL(VAR(i), n_of(&b)), I64(0))));
  store(&b, body, y, ADD(I64(2 * N), OP(LX_MOD, MUL(VAR(i), I64(7)), n_of(&b))),
        OP(LX_ADD, lx_cast(b.arena, VAR(i), L_F32), LOAD(w, I64(0))));
  compile(&b);
  float xs[N], ws[1] = {1.7f}, ss[2 * N], ts[N * N], ys[3 * N], expected[3 * N];
  int32_t ats[N];
  fill(xs, N), fill(ss, 2 * N), fill(ts, N * N);
  for (int k = 0; k < N; k++)
    ats[k] = (int32_t)(noise() % N);
  for (int n = 1; n <= N; n++) {
    memset(ys, 0, sizeof ys), memset(expected, 0, sizeof expected);
    for (int k = 0; k < n; k++)
      ats[k] %= n;
    call(&b, n, 1, INPUTS(xs, ws, ss, ats, ts), OUTPUTS(ys));
    for (int k = 0; k < n; k++) {
      float v = xs[k] * ws[0];
      v = v + xs[n - 1 - k];
      v = v + ss[2 * k + 1];
      expected[k] = fmaf(v, xs[ats[k]], xs[k / 4]);
      expected[n - 1 - k + N] = ts[k * n];
      expected[2 * N + k * 7 % n] = (float)k + ws[0];
    }
    same(ys, expected, sizeof ys, "map");
  }
  done(&b);
}

// ---- every operation of every type, in vectors and in the scalar rest, on hard values
static const LOp real_ops[] = {LX_ADD, LX_SUB, LX_MUL, LX_DIV, LX_MAX, LX_MIN, LX_NEG, LX_SQRT, LX_FLOOR,
                               LX_ABS, LX_FMA, LX_EQ,  LX_NE,  LX_LT,  LX_LE,  LX_GT,  LX_GE,   LX_SELECT};
static const LOp whole_ops[] = {LX_ADD, LX_SUB, LX_MUL, LX_DIV, LX_MOD, LX_MAX, LX_MIN,   LX_NEG,
                                LX_EQ,  LX_NE,  LX_LT,  LX_LE,  LX_GT,  LX_GE,  LX_SELECT};
static const LOp bit_ops[] = {LX_AND, LX_OR, LX_XOR, LX_SHL, LX_SHR};

static LExpr *apply(Arena *arena, LOp op, LExpr *x, LExpr *y) {
  switch (op) {
  case LX_NEG:
  case LX_SQRT:
  case LX_FLOOR:
  case LX_ABS:
    return lx_unary(arena, op, x);
  case LX_FMA:
    return lx_fma(arena, x, y, x);
  case LX_SELECT:
    return lx_select(arena, lx_binary(arena, LX_LT, x, y), y, x);
  case LX_SHL:
  case LX_SHR:
    return lx_binary(arena, op, x, lx_int(arena, x->type, 11));
  default:
    return lx_binary(arena, op, x, y);
  }
}

enum { ELEMENTS = 36 };

// With `constant` in place of y, if there is no y.
static void *run_op(LOp op, LType type, const void *x, const void *y, double constant) {
  Bench b = bench_new();
  LBuffer *xs = in(&b, "x", type, ELEMENTS), *ys = in(&b, "y", type, ELEMENTS);
  LVar *i = index_var(&b, "i");
  LExpr *second = y ? lx_load(b.arena, ys, VAR(i)) : lx_real(b.arena, type, constant);
  LExpr *value = apply(b.arena, op, lx_load(b.arena, xs, VAR(i)), second);
  LBuffer *to = out(&b, "r", value->type, ELEMENTS);
  store(&b, loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1), to, VAR(i), value);
  compile(&b);
  void *result = calloc(ELEMENTS, 8);
  call(&b, ELEMENTS, 1, INPUTS(x, y ? y : x), OUTPUTS(result));
  done(&b);
  return result;
}

#define PLAIN(op, x, y, type, real_mod)                                                                                \
  ((op) == LX_ADD      ? (type)((x) + (y))                                                                             \
   : (op) == LX_SUB    ? (type)((x) - (y))                                                                             \
   : (op) == LX_MUL    ? (type)((x) * (y))                                                                             \
   : (op) == LX_DIV    ? (type)((x) / (y))                                                                             \
   : (op) == LX_MAX    ? ((y) > (x) || (y) != (y) ? (y) : (x))                                                         \
   : (op) == LX_MIN    ? ((y) < (x) || (y) != (y) ? (y) : (x))                                                         \
   : (op) == LX_NEG    ? (type)(-(x))                                                                                  \
   : (op) == LX_EQ     ? (type)((x) == (y))                                                                            \
   : (op) == LX_NE     ? (type)((x) != (y))                                                                            \
   : (op) == LX_LT     ? (type)((x) < (y))                                                                             \
   : (op) == LX_LE     ? (type)((x) <= (y))                                                                            \
   : (op) == LX_GT     ? (type)((x) > (y))                                                                             \
   : (op) == LX_GE     ? (type)((x) >= (y))                                                                            \
   : (op) == LX_SELECT ? ((x) < (y) ? (y) : (x))                                                                       \
                       : real_mod)

#define REAL_REST(op, x, y, suffix)                                                                                    \
  ((op) == LX_SQRT    ? sqrt##suffix(x)                                                                                \
   : (op) == LX_FLOOR ? floor##suffix(x)                                                                               \
   : (op) == LX_ABS   ? fabs##suffix(x)                                                                                \
                      : fma##suffix((x), (y), (x)))
#define WHOLE_REST(op, x, y) ((x) % (y))
#define BIT_REST(op, x, y)                                                                                             \
  ((op) == LX_AND   ? (x) & (y)                                                                                        \
   : (op) == LX_OR  ? (x) | (y)                                                                                        \
   : (op) == LX_XOR ? (x) ^ (y)                                                                                        \
   : (op) == LX_SHL ? (x) << 11                                                                                        \
                    : (x) >> 11)

static bool compares(LOp op) {
  return op >= LX_EQ && op <= LX_GE;
}

// NaN results may differ in sign and payload between one machine instruction and another.
#define CHECK_OPS(type, ltype, ops, x, y, plain, is_nan)                                                               \
  for (size_t o = 0; o < sizeof ops / sizeof *ops; o++) {                                                              \
    void *got = run_op(ops[o], ltype, x, y, 0);                                                                        \
    for (int k = 0; k < ELEMENTS; k++) {                                                                               \
      LOp op = ops[o];                                                                                                 \
      type want = (type)(plain);                                                                                       \
      if (compares(op))                                                                                                \
        cr_assert_eq(((uint8_t *)got)[k], (uint8_t)want, "op %d type %d element %d", (int)op, ltype, k);               \
      else if (!(is_nan))                                                                                              \
        cr_assert(memcmp((type *)got + k, &want, sizeof want) == 0, "op %d type %d element %d", (int)op, ltype, k);    \
      else                                                                                                             \
        cr_assert(memcmp((type *)got + k, (type *)got + k, sizeof want) == 0 && ((type *)got)[k] != ((type *)got)[k]); \
    }                                                                                                                  \
    free(got);                                                                                                         \
  }

static const double hard[] = {0.0, -0.0, 1.0, -1.5, 1e-42, -3e38, 7.75, -7.25};

#define FILL_REALS(type, x, y)                                                                                         \
  type x[ELEMENTS], y[ELEMENTS];                                                                                       \
  for (int k = 0; k < ELEMENTS; k++) {                                                                                 \
    x[k] = (type)hard[k % 8];                                                                                          \
    y[k] = (type)hard[(k * 5 + k / 8) % 8];                                                                            \
  }                                                                                                                    \
  x[3] = (type)NAN, y[9] = (type)NAN, x[17] = (type)INFINITY, y[20] = (type)-INFINITY, x[33] = (type)NAN,              \
  y[34] = (type)NAN

Test(llvm, operations_on_f32) {
  FILL_REALS(float, x, y);
  CHECK_OPS(float, L_F32, real_ops, x, y, PLAIN(op, x[k], y[k], float, REAL_REST(op, x[k], y[k], f)), want != want);
}

Test(llvm, operations_on_f64) {
  FILL_REALS(double, x, y);
  CHECK_OPS(double, L_F64, real_ops, x, y, PLAIN(op, x[k], y[k], double, REAL_REST(op, x[k], y[k], )), want != want);
}

// Where the second is known to be a number, one instruction does it; signs of zeros and NaN stay those of the rule.
Test(llvm, extremes_with_constants) {
  FILL_REALS(float, x, y);
  const double constants[] = {0.0, -0.0, 6.0, INFINITY};
  const LOp extremes[] = {LX_MAX, LX_MIN};
  for (int c = 0; c < 4; c++) {
    for (int k = 0; k < ELEMENTS; k++)
      y[k] = (float)constants[c];
    for (int o = 0; o < 2; o++) {
      float *got = run_op(extremes[o], L_F32, x, NULL, constants[c]);
      for (int k = 0; k < ELEMENTS; k++) {
        float want = PLAIN(extremes[o], x[k], y[k], float, 0);
        cr_expect(isnan(want) ? isnan(got[k]) : memcmp(&got[k], &want, sizeof want) == 0, "%g and %g: %g, not %g",
                  (double)x[k], constants[c], (double)got[k], (double)want);
      }
      free(got);
    }
  }
}

#define FILL_WHOLES(type, x, y)                                                                                        \
  type x[ELEMENTS], y[ELEMENTS];                                                                                       \
  for (int k = 0; k < ELEMENTS; k++) {                                                                                 \
    x[k] = (type)(((uint64_t)noise() << 32 | noise()) >> (k % 3 * 8));                                                 \
    y[k] = (type)(noise() >> (k % 5 * 6));                                                                             \
    y[k] = y[k] == 0 || (int64_t)y[k] == -1 ? 3 : y[k];                                                                \
  }                                                                                                                    \
  y[5] = x[5] ? x[5] : 1

#define WHOLE_TEST(name, type, ltype)                                                                                  \
  Test(llvm, operations_on_##name) {                                                                                   \
    FILL_WHOLES(type, x, y);                                                                                           \
    CHECK_OPS(type, ltype, whole_ops, x, y, PLAIN(op, x[k], y[k], type, WHOLE_REST(op, x[k], y[k])), false);           \
  }
WHOLE_TEST(i32, int32_t, L_I32)
WHOLE_TEST(i64, int64_t, L_I64)
WHOLE_TEST(u8, uint8_t, L_U8)
WHOLE_TEST(u32, uint32_t, L_U32)
WHOLE_TEST(u64, uint64_t, L_U64)

Test(llvm, bit_operations) {
  FILL_WHOLES(uint32_t, x, y);
  CHECK_OPS(uint32_t, L_U32, bit_ops, x, y, BIT_REST(op, x[k], y[k]), false);
  FILL_WHOLES(uint64_t, u, v);
  CHECK_OPS(uint64_t, L_U64, bit_ops, u, v, BIT_REST(op, u[k], v[k]), false);
}

Test(llvm, division_by_minus_one_wraps) {
  int32_t x[ELEMENTS], y[ELEMENTS];
  for (int k = 0; k < ELEMENTS; k++)
    x[k] = k % 2 ? INT32_MIN : k, y[k] = -1;
  int32_t *quotient = run_op(LX_DIV, L_I32, x, y, 0), *rest = run_op(LX_MOD, L_I32, x, y, 0);
  for (int k = 0; k < ELEMENTS; k++) {
    cr_assert_eq(quotient[k], k % 2 ? INT32_MIN : -k);
    cr_assert_eq(rest[k], 0);
  }
  free(quotient), free(rest);
}

Test(llvm, bools) {
  Bench b = bench_new();
  LBuffer *p = in(&b, "p", L_BOOL, 40), *q = in(&b, "q", L_BOOL, 40), *y = out(&b, "y", L_BOOL, 160);
  LVar *i = index_var(&b, "i");
  LBody *body = loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1);
  LExpr *a = LOAD(p, VAR(i)), *c = LOAD(q, SUB(SUB(n_of(&b), I64(1)), VAR(i)));
  store(&b, body, y, VAR(i), OP(LX_AND, a, c));
  store(&b, body, y, ADD(VAR(i), I64(40)), OP(LX_OR, a, lx_unary(b.arena, LX_NOT, c)));
  store(&b, body, y, ADD(VAR(i), I64(80)), OP(LX_NE, a, c));
  store(&b, body, y, ADD(VAR(i), I64(120)), OP(LX_LT, VAR(i), I64(33)));
  compile(&b);
  bool ps[40], qs[40], ys[160] = {0};
  for (int k = 0; k < 40; k++)
    ps[k] = noise() & 1, qs[k] = noise() & 1;
  call(&b, 40, 1, INPUTS(ps, qs), OUTPUTS(ys));
  for (int k = 0; k < 40; k++) {
    cr_assert_eq(ys[k], ps[k] && qs[39 - k]);
    cr_assert_eq(ys[k + 40], ps[k] || !qs[39 - k]);
    cr_assert_eq(ys[k + 80], ps[k] != qs[39 - k]);
    cr_assert_eq(ys[k + 120], k < 33);
  }
  done(&b);
}

// ---- conversions between all pairs of types, of values that fit
static double get(LType type, const void *data, int i) {
  switch (type) {
  case L_F32:
    return ((const float *)data)[i];
  case L_F64:
    return ((const double *)data)[i];
  case L_I32:
    return ((const int32_t *)data)[i];
  case L_I64:
    return (double)((const int64_t *)data)[i];
  case L_U32:
    return ((const uint32_t *)data)[i];
  case L_U64:
    return (double)((const uint64_t *)data)[i];
  default:
    return ((const uint8_t *)data)[i];
  }
}

static void put(LType type, void *data, int i, double value) {
  switch (type) {
  case L_F32:
    ((float *)data)[i] = (float)value;
    break;
  case L_F64:
    ((double *)data)[i] = value;
    break;
  case L_I32:
    ((int32_t *)data)[i] = (int32_t)value;
    break;
  case L_I64:
    ((int64_t *)data)[i] = (int64_t)value;
    break;
  case L_U32:
    ((uint32_t *)data)[i] = (uint32_t)value;
    break;
  case L_U64:
    ((uint64_t *)data)[i] = (uint64_t)value;
    break;
  case L_BOOL:
    ((bool *)data)[i] = value != 0;
    break;
  default:
    ((uint8_t *)data)[i] = (uint8_t)value;
  }
}

Test(llvm, casts) {
  enum { N = 20 };
  static const double values[N] = {0,  1,  2.75, 200, 255, 7, 100.5, 3,      0.25, 17,
                                   64, 65, 127,  128, 129, 0, 1,     250.99, 33,   9};
  for (int from = L_F32; from <= L_U64; from++)
    for (int to = L_F32; to <= L_U64; to++) {
      Bench b = bench_new();
      LBuffer *x = in(&b, "x", (LType)from, N), *y = out(&b, "y", (LType)to, N);
      LVar *i = index_var(&b, "i");
      store(&b, loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1), y, VAR(i),
            lx_cast(b.arena, LOAD(x, VAR(i)), (LType)to));
      compile(&b);
      double xs[N], ys[N], expected[N];
      for (int k = 0; k < N; k++) {
        put((LType)from, xs, k, values[k]);
        put((LType)to, expected, k, get((LType)from, xs, k));
      }
      call(&b, N, 1, INPUTS(xs), OUTPUTS(ys));
      same(ys, expected, (size_t)(N * ltype_bytes((LType)to)), "cast");
      done(&b);
    }
}

Test(llvm, casts_of_signs_and_bits) {
  enum { N = 19 };
  Bench b = bench_new();
  LBuffer *x = in(&b, "x", L_I32, N), *f = in(&b, "f", L_F32, N), *y = out(&b, "y", L_I64, 4 * N);
  LVar *i = index_var(&b, "i");
  LBody *body = loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1);
  LExpr *a = LOAD(x, VAR(i)), *r = LOAD(f, VAR(i));
  store(&b, body, y, VAR(i), lx_cast(b.arena, a, L_I64));
  store(&b, body, y, ADD(VAR(i), I64(N)), lx_cast(b.arena, lx_cast(b.arena, a, L_U32), L_I64));
  store(&b, body, y, ADD(VAR(i), I64(2 * N)), lx_cast(b.arena, lx_bitcast(b.arena, r, L_U32), L_I64));
  store(&b, body, y, ADD(VAR(i), I64(3 * N)), lx_cast(b.arena, lx_cast(b.arena, r, L_I32), L_I64));
  compile(&b);
  int32_t xs[N];
  float fs[N];
  int64_t ys[4 * N];
  for (int k = 0; k < N; k++)
    xs[k] = (int32_t)noise(), fs[k] = real();
  call(&b, N, 1, INPUTS(xs, fs), OUTPUTS(ys));
  for (int k = 0; k < N; k++) {
    uint32_t bits;
    memcpy(&bits, &fs[k], 4);
    cr_assert_eq(ys[k], xs[k]);
    cr_assert_eq(ys[k + N], (uint32_t)xs[k]);
    cr_assert_eq(ys[k + 2 * N], bits);
    cr_assert_eq(ys[k + 3 * N], (int32_t)fs[k]);
  }
  done(&b);
}

// ---- reductions: 16 lanes, rest by dynamic columns, the fixed tree
static void reduce_lanes(LOp op, LOp tree) {
  enum { N = 77 };
  Bench b = bench_new();
  LBuffer *x = in(&b, "x", L_F32, N), *y = out(&b, "y", L_F32, 1);
  LBody *top = &b.kernel->body;
  LLocal *lanes = local(&b, top, "lanes", L_F32, 1, 16, 0, F32(op == LX_ADD ? 0 : op == LX_MAX ? -INFINITY : INFINITY));
  LVar *i = index_var(&b, "i"), *j = index_var(&b, "j"), *r = index_var(&b, "r");
  LExpr *whole = let(&b, top, "whole", MUL(OP(LX_DIV, n_of(&b), I64(16)), I64(16)));
  LBody *inner = tile(&b, loop(&b, top, LS_FOR, i, I64(0), whole, 16), NULL, 1, j, 16);
  set(&b, inner, lanes, VAR(j), NULL, OP(op, LOAD(x, ADD(VAR(i), VAR(j))), lx_local(b.arena, lanes, VAR(j), NULL)));
  LBody *rest = loop(&b, top, LS_FOR, r, I64(0), SUB(n_of(&b), whole), 1);
  set(&b, rest, lanes, VAR(r), NULL, OP(op, LOAD(x, ADD(whole, VAR(r))), lx_local(b.arena, lanes, VAR(r), NULL)));
  LExpr *sum = arena_new_of(b.arena, LExpr);
  *sum = (LExpr){.op = tree, .type = L_F32, .local = lanes};
  store(&b, top, y, I64(0), sum);
  compile(&b);
  float xs[N], got, l[16];
  fill(xs, N);
  for (int n = 0; n <= N; n++) {
    call(&b, n, 1, INPUTS(xs), OUTPUTS(&got));
    for (int k = 0; k < 16; k++)
      l[k] = op == LX_ADD ? 0.0f : op == LX_MAX ? -INFINITY : INFINITY;
    for (int k = 0; k < n; k++)
      l[k % 16] = PLAIN(op, xs[k], l[k % 16], float, 0.0f);
    for (int half = 8; half; half /= 2)
      for (int k = 0; k < half; k++)
        l[k] = PLAIN(op, l[k], l[k + half], float, 0.0f);
    same(&got, &l[0], 4, "reduction");
  }
  done(&b);
}

Test(llvm, sum_of_lanes) {
  reduce_lanes(LX_ADD, LX_HSUM);
}
Test(llvm, maximum_of_lanes) {
  reduce_lanes(LX_MAX, LX_HMAX);
}
Test(llvm, minimum_of_lanes) {
  reduce_lanes(LX_MIN, LX_HMIN);
}

// ---- tiles
// y[m, k] tile of rows x cols at (i0, j0): one fma chain, bias and relu in the epilogue.
static void product_tile(Bench *bp, LBody *body, LBuffer *const *xwby, int depth, int width, LExpr *i0, int j0,
                         int rows, int cols) {
  Bench b = *bp;
  const char *tag = arena_printf(b.arena, "_%d_%d_%d", j0, rows, cols);
#define NAME(base) arena_printf(b.arena, "%s%s", base, tag)
  LVar *i = index_var(&b, NAME("i")), *j = index_var(&b, NAME("j")), *k = index_var(&b, NAME("k"));
  LVar *i2 = index_var(&b, NAME("p")), *j2 = index_var(&b, NAME("q"));
  LLocal *acc = local(&b, body, NAME("acc"), L_F32, 2, rows, cols, F32(0));
  LBody *inner = tile(&b, loop(&b, body, LS_FOR, k, I64(0), I64(depth), 1), i, rows, j, cols);
  LExpr *left = LOAD(xwby[0], ADD(MUL(ADD(i0, VAR(i)), I64(depth)), VAR(k)));
  LExpr *right = LOAD(xwby[1], ADD(ADD(MUL(VAR(k), I64(width)), I64(j0)), VAR(j)));
  set(&b, inner, acc, VAR(i), VAR(j), lx_fma(b.arena, left, right, lx_local(b.arena, acc, VAR(i), VAR(j))));
  LBody *last = tile(&b, body, i2, rows, j2, cols);
  LExpr *sum =
      let(&b, last, NAME("sum"), ADD(lx_local(b.arena, acc, VAR(i2), VAR(j2)), LOAD(xwby[2], ADD(I64(j0), VAR(j2)))));
  store(&b, last, xwby[3], ADD(ADD(MUL(ADD(i0, VAR(i2)), I64(width)), I64(j0)), VAR(j2)), OP(LX_MAX, sum, F32(0)));
#undef NAME
}

Test(llvm, product_in_tiles_on_threads) {
  enum { ROWS = 6, COLS = 32, REST = 5, WIDTH = COLS + REST, DEPTH = 19, N = 2 * ROWS * 3 };
  Bench b = bench_new();
  LBuffer *xwby[] = {in(&b, "x", L_F32, N * DEPTH), in(&b, "w", L_F32, DEPTH * WIDTH), in(&b, "b", L_F32, WIDTH),
                     out(&b, "y", L_F32, N * WIDTH)};
  b.entry->parallel = true;
  LVar *task = index_var(&b, "task");
  LBody *body = loop(&b, &b.kernel->body, LS_PARALLEL, task, I64(0), OP(LX_DIV, n_of(&b), I64(ROWS)), 1);
  LExpr *i0 = let(&b, body, "i0", MUL(VAR(task), I64(ROWS)));
  product_tile(&b, body, xwby, DEPTH, WIDTH, i0, 0, ROWS, COLS);
  product_tile(&b, body, xwby, DEPTH, WIDTH, i0, COLS, ROWS, REST);
  compile(&b);
  static float x[N * DEPTH], w[DEPTH * WIDTH], bias[WIDTH], y[N * WIDTH], expected[N * WIDTH];
  fill(x, N * DEPTH), fill(w, DEPTH * WIDTH), fill(bias, WIDTH);
  for (int r = 0; r < N; r++)
    for (int c = 0; c < WIDTH; c++) {
      float sum = 0;
      for (int k = 0; k < DEPTH; k++)
        sum = fmaf(x[r * DEPTH + k], w[k * WIDTH + c], sum);
      sum = sum + bias[c];
      expected[r * WIDTH + c] = sum > 0 || sum != sum ? sum : 0;
    }
  for (int threads = 1; threads <= 3; threads++) {
    memset(y, 0xff, sizeof y);
    call(&b, N, threads, INPUTS(x, w, bias), OUTPUTS(y));
    same(y, expected, sizeof y, "product");
  }
  done(&b);
}

// A local of two rows, written by spans at known and at moving columns, and read by spans, scalars and in reverse.
static void spans(bool moving) {
  Bench b = bench_new();
  LBuffer *x = in(&b, "x", L_F32, 24), *y = out(&b, "y", L_F32, 60);
  LBody *top = &b.kernel->body;
  LLocal *l = local(&b, top, "l", L_F32, 2, 2, 24, F32(0.5));
  LVar *r = index_var(&b, "r"), *c = index_var(&b, "c"), *k = index_var(&b, "k");
  LBody *body = top;
  LExpr *offset = I64(5);
  if (moving) {
    body = loop(&b, top, LS_FOR, k, I64(0), I64(2), 1);
    offset = MUL(VAR(k), I64(7));
  }
  set(&b, tile(&b, body, r, 2, c, 7), l, VAR(r), ADD(VAR(c), offset),
      ADD(LOAD(x, ADD(VAR(c), offset)), lx_cast(b.arena, VAR(r), L_F32)));
  LVar *r2 = index_var(&b, "r2"), *c2 = index_var(&b, "c2");
  LBody *read = tile(&b, top, r2, 2, c2, 13);
  store(&b, read, y, ADD(MUL(VAR(r2), I64(30)), VAR(c2)), lx_local(b.arena, l, VAR(r2), SUB(I64(15), VAR(c2))));
  store(&b, read, y, ADD(ADD(MUL(VAR(r2), I64(30)), I64(15)), VAR(c2)),
        ADD(lx_local(b.arena, l, VAR(r2), I64(6)), lx_local(b.arena, l, I64(1), ADD(I64(2), VAR(c2)))));
  compile(&b);
  float xs[24], ys[60] = {0}, expected[60] = {0}, ll[2][24];
  fill(xs, 24);
  call(&b, 1, 1, INPUTS(xs), OUTPUTS(ys));
  for (int i = 0; i < 48; i++)
    ll[i / 24][i % 24] = 0.5f;
  for (int q = 0; q < (moving ? 2 : 1); q++)
    for (int i = 0; i < 2; i++)
      for (int j = 0; j < 7; j++)
        ll[i][j + (moving ? q * 7 : 5)] = xs[j + (moving ? q * 7 : 5)] + (float)i;
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 13; j++) {
      expected[i * 30 + j] = ll[i][15 - j];
      expected[i * 30 + 15 + j] = ll[i][6] + ll[1][2 + j];
    }
  same(ys, expected, sizeof ys, "spans");
  done(&b);
}

Test(llvm, spans_of_a_local_at_known_columns) {
  spans(false);
}
Test(llvm, spans_of_a_local_at_moving_columns) {
  spans(true);
}

// A mutable scalar, a table in memory with moving rows, a bool local, ifs, loops downwards, lets of locals at the top.
Test(llvm, scalars_tables_and_ifs) {
  enum { N = 100 };
  Bench b = bench_new();
  LBuffer *x = in(&b, "x", L_I32, N), *y = out(&b, "y", L_I64, 16);
  LBody *top = &b.kernel->body;
  LLocal *count = local(&b, top, "count", L_I64, 1, 1, 0, I64(0));
  LLocal *table = local(&b, top, "table", L_I64, 2, 10, 10, I64(-1));
  LLocal *seen = local(&b, top, "seen", L_BOOL, 1, 1, 0, lx_int(b.arena, L_BOOL, 0));
  LVar *i = index_var(&b, "i");
  LBody *body = loop(&b, top, LS_FOR, i, I64(0), n_of(&b), 1);
  LExpr *value = let(&b, body, "value", lx_cast(b.arena, LOAD(x, VAR(i)), L_I64));
  LBody *then = &stmt(&b, body, (LStmt){.kind = LS_IF, .value = OP(LX_GT, value, I64(50))})->body;
  set(&b, then, count, I64(0), NULL, ADD(lx_local(b.arena, count, I64(0), NULL), value));
  LBody *deeper = &stmt(&b, then, (LStmt){.kind = LS_IF, .value = OP(LX_EQ, value, I64(77))})->body;
  set(&b, deeper, seen, I64(0), NULL, lx_int(b.arena, L_BOOL, 1));
  set(&b, body, table, OP(LX_DIV, value, I64(10)), OP(LX_MOD, value, I64(10)), VAR(i));
  LExpr *total = let(&b, top, "total", lx_local(b.arena, count, I64(0), NULL));
  store(&b, top, y, I64(0), total);
  store(&b, top, y, I64(1), MUL(total, I64(3)));
  store(&b, top, y, I64(2), lx_cast(b.arena, lx_local(b.arena, seen, I64(0), NULL), L_I64));
  LVar *k = index_var(&b, "k");
  store(&b, loop(&b, top, LS_FOR, k, I64(0), I64(10), 3), y, ADD(VAR(k), I64(4)),
        lx_local(b.arena, table, VAR(k), SUB(I64(9), VAR(k))));
  compile(&b);
  int32_t xs[N];
  int64_t ys[16] = {0}, expected[16] = {0}, where[100];
  for (int q = 0; q < N; q++)
    xs[q] = (int32_t)(noise() % 100);
  xs[40] = 77;
  for (int q = 0; q < 100; q++)
    where[q] = -1;
  for (int q = 0; q < N; q++) {
    expected[0] += xs[q] > 50 ? xs[q] : 0;
    where[xs[q]] = q;
  }
  expected[1] = expected[0] * 3;
  expected[2] = 1;
  for (int q = 0; q < 10; q += 3)
    expected[q + 4] = where[q * 10 + 9 - q];
  call(&b, N, 1, INPUTS(xs), OUTPUTS(ys));
  same(ys, expected, sizeof ys, "tables");
  done(&b);
}

// ---- functions: lets inside, a call of a call, in vectors of 16 and of a tile's columns, and with uniform arguments
static LFunction *function(Bench *b, const char *name, LType type, int params) {
  LFunction *made = arena_new_of(b->arena, LFunction);
  *made = (LFunction){.name = name, .comment = "", .type = type};
  for (int i = 0; i < params; i++)
    vec_push(b->arena, &made->params, lvar_new(b->arena, arena_printf(b->arena, "%s_p%d", name, i), type));
  return made;
}

Test(llvm, functions_by_lanes) {
  enum { N = 35 };
  Bench b = bench_new();
  LFunction *half = function(&b, "half", L_F32, 1), *mix = function(&b, "mix", L_F32, 2);
  half->result = MUL(VAR(half->params.data[0]), F32(0.5));
  vec_push(b.arena, &b.module->functions, half);
  LVar *let_var = lvar_new(b.arena, "mixed", L_F32);
  LExpr *halved = lx_call(b.arena, half, 1, (LExpr *[]){VAR(mix->params.data[0])});
  LStmt *made = arena_new_of(b.arena, LStmt);
  *made = (LStmt){.kind = LS_LET, .var = let_var, .value = ADD(halved, VAR(mix->params.data[1]))};
  vec_push(b.arena, &mix->lets, made);
  mix->result = lx_fma(b.arena, VAR(let_var), VAR(let_var), VAR(mix->params.data[0]));
  vec_push(b.arena, &b.module->functions, mix);
  LBuffer *x = in(&b, "x", L_F32, N), *y = out(&b, "y", L_F32, 3 * N);
  LVar *i = index_var(&b, "i"), *j = index_var(&b, "j");
  LBody *body = loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1);
  store(&b, body, y, VAR(i), lx_call(b.arena, mix, 2, (LExpr *[]){LOAD(x, VAR(i)), LOAD(x, I64(3))}));
  store(&b, body, y, ADD(VAR(i), I64(N)), lx_call(b.arena, mix, 2, (LExpr *[]){LOAD(x, I64(2)), LOAD(x, I64(3))}));
  store(&b, tile(&b, &b.kernel->body, NULL, 1, j, 7), y, ADD(VAR(j), I64(2 * N)),
        lx_call(b.arena, mix, 2, (LExpr *[]){LOAD(x, ADD(VAR(j), I64(1))), LOAD(x, SUB(I64(20), VAR(j)))}));
  compile(&b);
  float xs[N], ys[3 * N] = {0}, expected[3 * N] = {0};
  fill(xs, N);
#define MIX(p, q) fmaf((p)*0.5f + (q), (p)*0.5f + (q), (p))
  for (int k = 0; k < N; k++) {
    expected[k] = MIX(xs[k], xs[3]);
    expected[k + N] = MIX(xs[2], xs[3]);
  }
  for (int k = 0; k < 7; k++)
    expected[k + 2 * N] = MIX(xs[k + 1], xs[20 - k]);
  call(&b, N, 1, INPUTS(xs), OUTPUTS(ys));
  same(ys, expected, sizeof ys, "functions");
  done(&b);
}

// Every function of the library, in vectors, in the scalar rest and in an unrolled tile, against the compiler's own
// evaluation.
static void library_function(MathFunction which, LType type) {
  enum { N = 37 };
  static const double values[N] = {0,    -0.0,  1,    -1,   0.5,   -2.25, 3.75, 10,   -10,  0.001, -1e-30, 80,  -80,
                                   88.7, -88.7, 100,  -104, 1e10,  7e20,  2,    3,    4.5,  -7,    0.1,    0.9, 1.1,
                                   1e-3, 17,    -0.3, 1e30, -1e30, 710,   -745, 0.25, 1.57, 3.14,  6.28};
  Bench b = bench_new();
  LFunction *f = mathlib_function(b.module, which, type);
  int arity = f->params.count;
  LBuffer *x = in(&b, "x", type, N + 3), *y = out(&b, "y", type, 2 * N);
  LVar *i = index_var(&b, "i"), *r = index_var(&b, "r"), *j = index_var(&b, "j");
  LExpr *args[] = {LOAD(x, VAR(i)), LOAD(x, ADD(VAR(i), I64(3)))};
  store(&b, loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1), y, VAR(i), lx_call(b.arena, f, arity, args));
  LExpr *at = ADD(MUL(VAR(r), I64(12)), VAR(j));
  LExpr *more[] = {LOAD(x, at), LOAD(x, ADD(at, I64(3)))};
  store(&b, tile(&b, &b.kernel->body, r, 3, j, 12), y, ADD(at, I64(N)), lx_call(b.arena, f, arity, more));
  compile(&b);
  double xs[N + 3], ys[2 * N] = {0};
  for (int k = 0; k < N + 3; k++)
    put(type, xs, k, values[k % N]);
  call(&b, N, 1, INPUTS(xs), OUTPUTS(ys));
  for (int k = 0; k < N + 36; k++) {
    double want = 0, got = get(type, ys, k);
    int64_t unused = 0;
    LExpr *known[] = {lx_real(b.arena, type, get(type, xs, k % N)), lx_real(b.arena, type, get(type, xs, k % N + 3))};
    cr_assert(lx_evaluate(lx_call(b.arena, f, arity, known), &want, &unused));
    if (want == want || got == got)
      cr_assert(memcmp(&want, &got, sizeof want) == 0, "%s(%g) = %a, not %a", f->name, known[0]->real, got, want);
  }
  done(&b);
}

Test(llvm, library_f32) {
  for (int which = MATH_EXP; which <= MATH_POW; which++)
    library_function((MathFunction)which, L_F32);
}

Test(llvm, library_f64) {
  for (int which = MATH_EXP; which <= MATH_POW; which++)
    library_function((MathFunction)which, L_F64);
}

Test(llvm, uniform_numbers) {
  enum { N = 21 };
  Bench b = bench_new();
  LFunction *f = mathlib_uniform(b.module, L_F64);
  LBuffer *y = out(&b, "y", L_F64, N);
  LVar *i = index_var(&b, "i");
  LExpr *seed = lx_int(b.arena, L_U64, -5), *stream = lx_int(b.arena, L_U64, 3);
  LExpr *args[] = {seed, stream, seed, lx_cast(b.arena, VAR(i), L_U64)};
  store(&b, loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1), y, VAR(i), lx_call(b.arena, f, 4, args));
  compile(&b);
  double ys[N], want = 0;
  int64_t unused = 0;
  call(&b, N, 1, INPUTS(NULL), OUTPUTS(ys));
  for (int k = 0; k < N; k++) {
    args[3] = lx_int(b.arena, L_U64, k);
    cr_assert(lx_evaluate(lx_call(b.arena, f, 4, args), &want, &unused));
    same(&ys[k], &want, sizeof want, "uniform");
  }
  done(&b);
}

// Rounds of Philox4x32 as a chain of lets: multiplications of 32 by 32 to 64 bits, xor, shifts.
Test(llvm, philox_rounds) {
  enum { N = 50 };
  Bench b = bench_new();
  LBuffer *y = out(&b, "y", L_U64, N);
  LVar *i = index_var(&b, "i");
  LBody *body = loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1);
#define U64(value) lx_int(b.arena, L_U64, (int64_t)(value))
#define LOW(x) OP(LX_AND, (x), U64(0xffffffffu))
#define HIGH(x) OP(LX_SHR, (x), U64(32))
  LExpr *c[4] = {lx_cast(b.arena, VAR(i), L_U64), U64(7), U64(11), U64(13)}, *k[2] = {U64(0x1234u), U64(0x9abcu)};
  for (int round = 0; round < 10; round++) {
    LExpr *p = let(&b, body, arena_printf(b.arena, "p%d", round), MUL(c[0], U64(0xD2511F53u)));
    LExpr *q = let(&b, body, arena_printf(b.arena, "q%d", round), MUL(c[2], U64(0xCD9E8D57u)));
    c[0] = let(&b, body, arena_printf(b.arena, "a%d", round), OP(LX_XOR, OP(LX_XOR, HIGH(q), c[1]), k[0]));
    c[2] = let(&b, body, arena_printf(b.arena, "b%d", round), OP(LX_XOR, OP(LX_XOR, HIGH(p), c[3]), k[1]));
    c[1] = LOW(q), c[3] = LOW(p);
    k[0] = LOW(ADD(k[0], U64(0x9E3779B9u))), k[1] = LOW(ADD(k[1], U64(0xBB67AE85u)));
  }
  store(&b, body, y, VAR(i), OP(LX_OR, c[0], OP(LX_SHL, c[3], U64(32))));
  compile(&b);
  uint64_t ys[N], expected[N];
  call(&b, N, 1, INPUTS(NULL), OUTPUTS(ys));
  for (int e = 0; e < N; e++) {
    uint32_t v[4] = {(uint32_t)e, 7, 11, 13}, key[2] = {0x1234, 0x9abc};
    for (int round = 0; round < 10; round++) {
      uint64_t p = (uint64_t)v[0] * 0xD2511F53u, q = (uint64_t)v[2] * 0xCD9E8D57u;
      uint32_t next[4] = {(uint32_t)(q >> 32) ^ v[1] ^ key[0], (uint32_t)q, (uint32_t)(p >> 32) ^ v[3] ^ key[1],
                          (uint32_t)p};
      memcpy(v, next, sizeof v);
      key[0] += 0x9E3779B9u, key[1] += 0xBB67AE85u;
    }
    expected[e] = v[0] | (uint64_t)v[3] << 32;
  }
  same(ys, expected, sizeof ys, "philox");
  done(&b);
}

// ---- threads and places: a kernel with a barrier inside, one thread's statements between, two kernels with a barrier
// between them, buffers in arena, state, clock and constants
Test(llvm, kernels_on_threads_with_barriers) {
  enum { N = 1000 };
  Bench b = bench_new();
  b.entry->parallel = true;
  b.kernel->barrier_inside = true;
  LBuffer *x = in(&b, "x", L_F32, N), *tmp = buffer(&b, "tmp", L_F32, N, true), *state = in(&b, "state", L_F32, 4);
  LBuffer *c = in(&b, "c", L_F32, 4), *clock = in(&b, "clock", L_I64, 5), *y = out(&b, "y", L_F32, N);
  tmp->read = true;
  LVar *i = index_var(&b, "i"), *k = index_var(&b, "k"), *s = index_var(&b, "s");
  LBody *top = &b.kernel->body;
  LExpr *last = let(&b, top, "last", SUB(n_of(&b), I64(1)));
  store(&b, loop(&b, top, LS_PARALLEL, i, I64(0), n_of(&b), 1), tmp, VAR(i), MUL(LOAD(x, VAR(i)), LOAD(c, I64(2))));
  LLocal *sum = local(&b, top, "sum", L_F32, 1, 1, 0, F32(0));
  set(&b, loop(&b, top, LS_FOR, s, I64(0), n_of(&b), 1), sum, I64(0), NULL,
      ADD(lx_local(b.arena, sum, I64(0), NULL), LOAD(tmp, VAR(s))));
  store(&b, top, tmp, I64(0), lx_local(b.arena, sum, I64(0), NULL));
  LExpr *value =
      ADD(LOAD(tmp, SUB(last, VAR(k))), ADD(LOAD(state, I64(1)), lx_cast(b.arena, LOAD(clock, I64(2)), L_F32)));
  store(&b, loop(&b, top, LS_PARALLEL, k, I64(0), n_of(&b), 1), y, VAR(k), value);
  static const float constants[16 + 4] = {[16] = 1, 2, 3, 4};
  b.module->constants = (const uint8_t *)constants;
  b.module->constant_bytes = sizeof constants;
  b.module->arena_bytes = 64 + N * 4;
  b.module->state_bytes = 64 + 16;
  LPlace places[] = {
      {.space = SPACE_INPUT, .offset = 0, .index = 0},   {.space = SPACE_ARENA, .offset = 64, .index = -1},
      {.space = SPACE_STATE, .offset = 64, .index = -1}, {.space = SPACE_CONSTANT, .offset = 64, .index = -1},
      {.space = SPACE_CLOCK, .offset = 0, .index = -1},  {.space = SPACE_OUTPUT, .offset = 0, .index = 0}};
  for (int repeat = 0; repeat < 2; repeat++)
    vec_push(b.arena, &b.entry->calls, (LCall){.kernel = b.kernel, .places = places, .barrier = repeat > 0});
  LEntry *alone = arena_new_of(b.arena, LEntry);
  *alone = *b.entry;
  alone->name = "alone";
  alone->parallel = false;
  vec_push(b.arena, &b.module->entries, alone);
  const char *fault = loops_check(b.module);
  cr_assert_null(fault, "%s", fault);
  char *error = NULL;
  b.jit = jit_compile(b.module, NULL, &error);
  cr_assert_not_null(b.jit, "%s", error);
  static float xs[N], ys[N], expected[N];
  fill(xs, N);
  float total = 0, first;
  for (int e = 0; e < N; e++)
    total += xs[e] * 3.0f;
  first = total;
  for (int e = 0; e < N; e++)
    expected[e] = (e == N - 1 ? first : xs[N - 1 - e] * 3.0f) + (9.5f + 3.0f);
  uint8_t *arena = aligned_alloc(64, 4096 * 2), *slots = aligned_alloc(64, 128);
  memset(slots, 0, 128);
  ((float *)(void *)(slots + 64))[1] = 9.5f;
  for (int threads = 1; threads <= 4; threads++)
    for (int repeat = 0; repeat < 20; repeat++) {
      NnrtFrame frame = {.state = slots,
                         .arena = arena,
                         .inputs = INPUTS(xs),
                         .outputs = OUTPUTS(ys),
                         .clock = {1, 2, 3, 4, N},
                         .threads = threads};
      memset(ys, 0, sizeof ys);
      jit_entry(b.jit, repeat % 2 ? "run" : "alone")(&frame);
      same(ys, expected, sizeof ys, "threads");
    }
  free(arena), free(slots);
  done(&b);
}

// Many kernels are compiled in parts; all must be found.
Test(llvm, many_kernels_in_parts) {
  enum { KERNELS = 24, N = 33 };
  Bench b = bench_new();
  b.module->kernels.count = 0;
  for (int q = 0; q < KERNELS; q++) {
    b.kernel = arena_new_of(b.arena, LKernel);
    *b.kernel =
        (LKernel){.name = arena_printf(b.arena, "add_%d", q), .comment = "", .n = lvar_new(b.arena, "n", L_I64)};
    LBuffer *x = buffer(&b, "x", L_F32, N, true);
    x->read = true;
    LVar *i = index_var(&b, "i");
    store(&b, loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1), x, VAR(i), ADD(LOAD(x, VAR(i)), F32(q)));
    vec_push(b.arena, &b.module->kernels, b.kernel);
    LPlace *place = arena_new_of(b.arena, LPlace);
    *place = (LPlace){.space = SPACE_OUTPUT, .offset = 0, .index = 0};
    vec_push(b.arena, &b.entry->calls, (LCall){.kernel = b.kernel, .places = place});
  }
  char *error = NULL;
  b.jit = jit_compile(b.module, NULL, &error);
  cr_assert_not_null(b.jit, "%s", error);
  float xs[N] = {0};
  NnrtFrame frame = {.outputs = OUTPUTS(xs), .clock = {0, 0, 0, 0, N}, .threads = 1};
  jit_entry(b.jit, "run")(&frame);
  for (int q = 0; q < N; q++)
    cr_assert_eq(xs[q], KERNELS * (KERNELS - 1) / 2);
  done(&b);
}

// ---- text and objects
static Bench small_module(void) {
  Bench b = bench_new();
  LBuffer *x = in(&b, "x", L_F32, 64), *y = out(&b, "y", L_F32, 64);
  LVar *i = index_var(&b, "i");
  store(&b, loop(&b, &b.kernel->body, LS_SIMD, i, I64(0), n_of(&b), 1), y, VAR(i),
        lx_fma(b.arena, LOAD(x, VAR(i)), LOAD(x, VAR(i)), F32(1)));
  compile(&b);
  return b;
}

Test(llvm, text) {
  Bench b = small_module();
  Text ir = text_new(b.arena), code = text_new(b.arena);
  llvm_print(&ir, b.module, "native");
  llvm_print_asm(&code, b.module, NULL);
  cr_assert_not_null(strstr(text_string(&ir), "define internal void @kernel_0("));
  cr_assert_not_null(strstr(text_string(&ir), "call <16 x float> @llvm.fma.v16f32"));
  cr_assert_not_null(strstr(text_string(&code), "run_run:"));
  done(&b);
}

static const char *stub =
    "#include <string.h>\n#include \"nnrt.h\"\n"
    "int nnrt_main(const NnrtModule *m, int argc, char **argv) {\n"
    "  const NnrtTrain *t = m->trains;\n"
    "  const NnrtArg *a = t->data->calls[0].args;\n"
    "  float x[64], y[64];\n"
    "  for (int i = 0; i < 64; i++) x[i] = (float)i;\n"
    "  NnrtFrame f = {.inputs = (const void *const[]){x}, .outputs = (void *const[]){y}, "
    ".clock = {0, 0, 0, 0, 64}, .threads = 1};\n"
    "  t->train.run(&f);\n"
    "  return !(m->abi == NNRT_ABI && m->fingerprint == 0x123456789abcdefull && t[0].eval.run == 0 &&\n"
    "    strcmp(m->tensors[1].name, \"w\") == 0 && m->tensors[1].dim[1] == 5 && t->capacity == 99 &&\n"
    "    m->tensors[1].bytes == 60 && t->higher_is_better[1] && a[1].items[1].real == 2.5 &&\n"
    "    strcmp(a[0].text, \"p.csv\") == 0 && m->predicts == 0 && t->patience == 4 && argc == 1 && argv[0] &&\n"
    "    m->init.run == 0 && strcmp(t->train.outputs[1].name, \"accuracy\") == 0 && y[7] == 50);\n}\n";

static Manifest *small_manifest(Bench *b) {
  static const NnrtArg items[] = {{.kind = NNRT_ARG_REAL, .real = 1.5}, {.kind = NNRT_ARG_REAL, .real = 2.5}};
  static const NnrtArg args[] = {{.kind = NNRT_ARG_STR, .text = "p.csv", .line = 3},
                                 {.name = "by", .kind = NNRT_ARG_LIST, .count = 2, .items = items}};
  static const NnrtDataCall calls[] = {{.name = "csv", .arg_count = 2, .args = args}};
  static const NnrtData data = {.name = "digits", .file = "a.nn", .call_count = 1, .calls = calls};
  static const NnrtValue values[] = {{.name = "loss"}, {.name = "accuracy"}};
  static const bool higher[] = {false, true};
  static const NnrtTensor tensors[] = {{.name = "b"},
                                       {.name = "w", .rank = 2, .dim = {3, 5}, .offset = 64, .bytes = 60}};
  Manifest *manifest = arena_new_of(b->arena, Manifest);
  NnrtTrain *train = arena_new_of(b->arena, NnrtTrain);
  *train = (NnrtTrain){.name = "train",
                       .data = &data,
                       .train = {.output_count = 2, .outputs = values},
                       .higher_is_better = higher,
                       .patience = 4,
                       .capacity = 99};
  manifest->module = (NnrtModule){.abi = NNRT_ABI,
                                  .name = "small",
                                  .fingerprint = 0x123456789abcdefull,
                                  .tensor_count = 2,
                                  .train_count = 1,
                                  .tensors = tensors,
                                  .trains = train};
  vec_push(b->arena, &manifest->entries, (struct ManifestEntry){.function = &train->train, .entry = b->entry});
  vec_push(b->arena, &manifest->entries, (struct ManifestEntry){.function = &manifest->module.init});
  return manifest;
}

static void run_object(const char *cpu) {
  Bench b = small_module();
  Manifest *manifest = small_manifest(&b);
  char folder[] = "/tmp/nnc-object-XXXXXX", *error = NULL;
  cr_assert_not_null(mkdtemp(folder));
  const char *object = arena_printf(b.arena, "%s/o.o", folder), *source = arena_printf(b.arena, "%s/s.c", folder);
  cr_assert(object_write(b.module, manifest, cpu, object, &error), "%s", error);
  FILE *file = fopen(source, "w");
  cr_assert_not_null(file);
  fputs(stub, file);
  fclose(file);
  const char *command = arena_printf(b.arena, "cd %s && cc -Wl,--fatal-warnings -I%s/runtime s.c o.o -lm -o p && ./p",
                                     folder, NNC_SOURCE_DIR);
  cr_assert_eq(system(command), 0);
  cr_assert_eq(system(arena_printf(b.arena, "rm -r %s", folder)), 0);
  cr_assert_not(object_write(b.module, manifest, "native", "/nowhere/at/all.o", &error));
  cr_assert_not_null(strstr(error, "/nowhere/at/all.o"));
  done(&b);
}

Test(llvm, object_runs_with_its_tables) {
  run_object("native");
#ifdef __x86_64__
  run_object("x86-64"); // no fma: libm's
#endif
}

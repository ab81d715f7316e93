// The C emitter: modules built by hand are printed, compiled by gcc and clang without a warning, run with one thread
// and with three, and must give the bits that this file computes for itself.
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "../loops/by_hand.h"
#include "emit/emit.h"
#include "emit/manifest.h"
#include "loops/mathlib.h"

static Arena *arena;
static char folder[] = "/tmp/nnc_test_c_XXXXXX";
static void begin(void) {
  arena = arena_new();
  cr_assert_not_null(mkdtemp(folder));
}
static void end(void) {
  cr_assert_eq(system(arena_printf(arena, "rm -rf %s", folder)), 0);
  arena_free(arena);
}
TestSuite(emit_c, .init = begin, .fini = end);

static const char *write_file(const char *name, const char *text) {
  const char *path = arena_printf(arena, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file);
  fputs(text, file);
  cr_assert_eq(fclose(file), 0);
  return path;
}

static const char *const flags =
    "-std=c11 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fwrapv -Wall -Wextra -Werror -I" NNC_SOURCE_DIR
    "/runtime";

static bool has(const char *compiler) {
  return system(arena_printf(arena, "command -v %s >/dev/null 2>&1", compiler)) == 0;
}

static void run(const char *command) {
  cr_assert_eq(system(command), 0, "%s", command);
}

typedef struct Build {
  const char *compiler, *target;
} Build;
static const Build builds[] = {{"gcc", "-march=native -fopenmp"}, {"gcc", ""},           {"gcc", "-march=haswell"},
                               {"clang", "-march=native"},        {"clang", "-mno-avx"}, {"clang-19", "-march=native"}};
enum { BUILDS = sizeof builds / sizeof *builds };

// The entry of a module compiled in one of the ways above; NULL where the compiler is not there. clang has no OpenMP
// runtime everywhere: what it makes of the pragmas is compiled, and run without them.
static NnrtRun *compile(const LoopModule *module, const char *entry, int build) {
  const char *compiler = builds[build].compiler;
  if (!has(compiler))
    return NULL;
  cr_assert_null(loops_check(module), "%s", loops_check(module));
  Text text = text_new(arena);
  emit_c(&text, module, NULL);
  const char *source = write_file(arena_printf(arena, "module_%d.c", build), text_string(&text));
  if (strncmp(compiler, "clang", 5) == 0)
    run(arena_printf(arena, "%s %s %s -fopenmp -fPIC -c -o %s/check.o %s", compiler, flags, builds[build].target,
                     folder, source));
  const char *library = arena_printf(arena, "%s/module_%d.so", folder, build);
  run(arena_printf(arena, "%s %s %s -fPIC -shared -o %s %s -lm", compiler, flags, builds[build].target, library,
                   source));
  void *handle = dlopen(library, RTLD_NOW);
  cr_assert_not_null(handle, "%s", dlerror());
  NnrtRun *function;
  *(void **)&function = dlsym(handle, entry);
  cr_assert_not_null(function);
  return function;
}

static LExpr *binary(LOp op, LExpr *a, LExpr *b) {
  return lx_binary(arena, op, a, b);
}
static LExpr *plus(LExpr *a, LExpr *b) {
  return binary(LX_ADD, a, b);
}
static LExpr *times(LExpr *a, int64_t b) {
  return binary(LX_MUL, a, lx_i64(arena, b));
}
static LVar *counter(const char *name) {
  return lvar_new(arena, name, L_I64);
}

static LEntry *entry_of(LoopModule *module, const char *name, bool parallel) {
  LEntry *entry = arena_new_of(arena, LEntry);
  entry->name = name;
  entry->parallel = parallel;
  vec_push(arena, &module->entries, entry);
  return entry;
}

static void call(LEntry *entry, LKernel *kernel, bool barrier, const LPlace *places, int count) {
  LPlace *copy = arena_copy(arena, places, sizeof *places * (size_t)count);
  vec_push(arena, &entry->calls, ((LCall){.kernel = kernel, .places = copy, .barrier = barrier}));
}

static void execute(NnrtRun *function, int threads, int64_t n, const void **inputs, void **outputs) {
  static _Alignas(64) uint8_t memory[1 << 16], state[64];
  memset(memory, 0xff, sizeof memory);
  NnrtFrame frame = {state, memory, inputs, outputs, {3, 1, 7, 0, n}, threads};
  function(&frame);
}

static uint32_t seed = 1;
static float number(void) {
  seed = seed * 1664525u + 1013904223u;
  return (float)(int32_t)seed * 0x1p-29f;
}

// ---- a product of f32[n, K] and f32[K, cols] in register tiles of `rows` rows, the last rows by tiles of one row;
// then relu or tanh.
enum { K = 24, ROWS_MOST = 40 };

static void product_tile(LKernel *kernel, LBody *body, LExpr *first, int rows, int cols, LFunction *after,
                         int number_of) {
  LBuffer *x = kernel->buffers.data[0], *w = kernel->buffers.data[1], *b = kernel->buffers.data[2],
          *y = kernel->buffers.data[3];
  LVar *k = counter("k"), *i = counter("i"), *j = counter("j");
  LLocal *acc = hand_local(arena, arena_printf(arena, "acc%d", number_of), L_F32, rows, cols);
  hand_declare(arena, body, acc, 0);
  LStmt *sum = hand_loop(arena, body, LS_FOR, k, lx_i64(arena, K), 1);
  LExpr *row = plus(first, lx_var(arena, i)), *col = lx_var(arena, j),
        *here = lx_local(arena, acc, lx_var(arena, i), col);
  LStmt *tile = hand_tile(arena, &sum->body, i, rows, j, cols);
  LExpr *left = lx_load(arena, x, plus(times(row, K), lx_var(arena, k)));
  LExpr *right = lx_load(arena, w, plus(times(lx_var(arena, k), cols), col));
  hand_set(arena, &tile->body, acc, lx_var(arena, i), col, lx_fma(arena, left, right, here));
  LStmt *last = hand_tile(arena, body, i, rows, j, cols);
  LExpr *value = plus(here, lx_load(arena, b, col));
  value = after ? lx_call(arena, after, 1, &value) : binary(LX_MAX, value, lx_real(arena, L_F32, 0));
  hand_store(arena, &last->body, y, plus(times(row, cols), col), value);
}

static LoopModule *product(int rows, int cols, bool tanh_after) {
  LoopModule *module = arena_new_of(arena, LoopModule);
  *module = (LoopModule){.arena = arena, .name = "product"};
  LFunction *after = tanh_after ? mathlib_function(module, MATH_TANH, L_F32) : NULL;
  LKernel *kernel = hand_kernel(module, "dense_0", "digits.nn:5  dense |> relu\n");
  hand_buffer(arena, kernel, "x", L_F32, ROWS_MOST * K, false);
  hand_buffer(arena, kernel, "w", L_F32, K * cols, false);
  hand_buffer(arena, kernel, "b", L_F32, cols, false);
  hand_buffer(arena, kernel, "y", L_F32, ROWS_MOST * cols, true);
  LVar *task = counter("task"), *rest = counter("rest");
  LExpr *n = lx_var(arena, kernel->n), *whole = binary(LX_DIV, n, lx_i64(arena, rows));
  LStmt *tasks = hand_loop(arena, &kernel->body, LS_PARALLEL, task, whole, 1);
  product_tile(kernel, &tasks->body, hand_let(arena, &tasks->body, "i0", times(lx_var(arena, task), rows)), rows, cols,
               after, 0);
  LStmt *rests = hand_loop(arena, &kernel->body, LS_PARALLEL, rest, binary(LX_MOD, n, lx_i64(arena, rows)), 1);
  LExpr *first = plus(binary(LX_SUB, n, binary(LX_MOD, n, lx_i64(arena, rows))), lx_var(arena, rest));
  product_tile(kernel, &rests->body, hand_let(arena, &rests->body, "i1", first), 1, cols, after, 1);
  LEntry *entry = entry_of(module, "step", true);
  LPlace places[] = {{.space = SPACE_INPUT, .offset = 0, .index = 0},
                     {.space = SPACE_INPUT, .offset = 0, .index = 1},
                     {.space = SPACE_INPUT, .offset = 0, .index = 2},
                     {.space = SPACE_OUTPUT, .offset = 0, .index = 0}};
  call(entry, kernel, false, places, 4);
  return module;
}

static float apply(LFunction *function, float x) {
  LExpr value = {.op = LX_CONST, .type = L_F32, .real = (double)x}, *args[] = {&value};
  double real;
  int64_t integer;
  cr_assert(lx_evaluate(lx_call(arena, function, 1, args), &real, &integer));
  return (float)real;
}

static void check_product(int rows, int cols, bool tanh_after) {
  LoopModule *module = product(rows, cols, tanh_after);
  int n = 37;
  float *x = arena_array(arena, float, ROWS_MOST *K), *w = arena_array(arena, float, K *cols);
  float *b = arena_array(arena, float, cols), *y = arena_array(arena, float, ROWS_MOST *cols);
  float *expected = arena_array(arena, float, ROWS_MOST *cols);
  for (int i = 0; i < n * K; i++)
    x[i] = number();
  if (!tanh_after)
    x[5 * K] = NAN;
  for (int i = 0; i < K * cols; i++)
    w[i] = number() / 8;
  for (int j = 0; j < cols; j++)
    b[j] = number();
  for (int i = 0; i < n; i++)
    for (int j = 0; j < cols; j++) {
      float sum = 0;
      for (int k = 0; k < K; k++)
        sum = fmaf(x[i * K + k], w[k * cols + j], sum);
      sum += b[j];
      expected[i * cols + j] = tanh_after ? apply(module->functions.data[0], sum) : sum > 0 || isnan(sum) ? sum : 0;
    }
  for (int build = 0; build < BUILDS; build++) {
    NnrtRun *function = compile(module, "step_run", build);
    for (int threads = 1; function && threads <= 3; threads += 2) {
      memset(y, 0x7f, sizeof *y * (size_t)(ROWS_MOST * cols));
      execute(function, threads, n, (const void *[]){x, w, b}, (void *[]){y});
      cr_assert_eq(memcmp(y, expected, sizeof *y * (size_t)(n * cols)), 0, "%s %s, %d threads", builds[build].compiler,
                   builds[build].target, threads);
    }
  }
}
Test(emit_c, tile_of_whole_vectors) {
  check_product(14, 32, false);
}
Test(emit_c, tile_of_part_vectors) {
  check_product(6, 10, false);
}
Test(emit_c, tile_read_by_elements) {
  check_product(4, 21, true);
}
Test(emit_c, tile_too_narrow_for_vectors) {
  check_product(5, 3, false);
}

// ---- sum and maximum over a vector in 16 lanes; a second kernel reads both from the arena and a constant, and
// branches.
static void lanes_step(LBody *body, LLocal *lanes, LBuffer *x, LExpr *k, bool maximum) {
  LVar *j = counter("j");
  LStmt *tile = hand_tile(arena, body, NULL, 1, j, 16);
  LExpr *here = lx_local(arena, lanes, lx_var(arena, j), NULL), *value = lx_load(arena, x, plus(k, lx_var(arena, j)));
  hand_set(arena, &tile->body, lanes, lx_var(arena, j), NULL, binary(maximum ? LX_MAX : LX_ADD, here, value));
}

static LExpr *lanes_of(const char *name, LOp op, LKernel *kernel, LBuffer *x, LType type, double start) {
  LLocal *lanes = hand_local(arena, name, type, 0, 16);
  hand_declare(arena, &kernel->body, lanes, start);
  LVar *k = counter(arena_printf(arena, "k_%s", name));
  LStmt *loop = hand_loop(arena, &kernel->body, LS_FOR, k, lx_i64(arena, 160), 16);
  lanes_step(&loop->body, lanes, x, lx_var(arena, k), op == LX_HMAX);
  LExpr *tree = arena_new_of(arena, LExpr);
  *tree = (LExpr){.op = op, .type = type, .local = lanes};
  return hand_let(arena, &kernel->body, arena_printf(arena, "all_%s", name), tree);
}

static LoopModule *reduction(LType type) {
  LoopModule *module = arena_new_of(arena, LoopModule);
  static const double constants[8] = {0.1, -0.0, 3, 1e-320, INFINITY, 0, 0, 0};
  *module = (LoopModule){.arena = arena, .name = "reduction", .arena_bytes = 64};
  module->constants = (const uint8_t *)constants;
  module->constant_bytes = sizeof constants;
  LKernel *first = hand_kernel(module, "reduce", "sum.nn:1  sum\nsum.nn:2  max\n");
  LBuffer *x = hand_buffer(arena, first, "x", type, 160, false), *t = hand_buffer(arena, first, "t", type, 2, true);
  LExpr *sum = lanes_of("sums", LX_HSUM, first, x, type, 0),
        *most = lanes_of("most", LX_HMAX, first, x, type, -INFINITY);
  hand_store(arena, &first->body, t, lx_i64(arena, 0), sum);
  hand_store(arena, &first->body, t, lx_i64(arena, 1), most);
  LKernel *second = hand_kernel(module, "finish", "sum.nn:3  if\n");
  LBuffer *in = hand_buffer(arena, second, "t", type, 2, false), *c = hand_buffer(arena, second, "c", L_F64, 5, false);
  LBuffer *clock = hand_buffer(arena, second, "clock", L_I64, 5, false),
          *y = hand_buffer(arena, second, "y", L_F64, 8, true);
  LExpr *zero = lx_i64(arena, 0), *step = lx_load(arena, clock, zero);
  LStmt *branch =
      hand_add(arena, &second->body, (LStmt){.kind = LS_IF, .value = binary(LX_GT, step, lx_i64(arena, 2))});
  hand_store(arena, &branch->body, y, zero, lx_cast(arena, lx_load(arena, in, zero), L_F64));
  branch = hand_add(arena, &second->body, (LStmt){.kind = LS_IF, .value = binary(LX_LT, step, lx_i64(arena, 2))});
  hand_store(arena, &branch->body, y, zero, lx_real(arena, L_F64, 5));
  hand_store(arena, &second->body, y, lx_i64(arena, 1), lx_cast(arena, lx_load(arena, in, lx_i64(arena, 1)), L_F64));
  LVar *i = counter("i");
  LStmt *copy = hand_loop(arena, &second->body, LS_PARALLEL, i, lx_i64(arena, 5), 1);
  hand_store(arena, &copy->body, y, plus(lx_var(arena, i), lx_i64(arena, 2)), lx_load(arena, c, lx_var(arena, i)));
  LEntry *entry = entry_of(module, "step", true);
  call(entry, first, false,
       (LPlace[]){{.space = SPACE_INPUT, .offset = 0, .index = 0}, {.space = SPACE_ARENA, .offset = 0, .index = -1}},
       2);
  call(entry, second, true,
       (LPlace[]){{.space = SPACE_ARENA, .offset = 0, .index = -1},
                  {.space = SPACE_CONSTANT, .offset = 0, .index = -1},
                  {.space = SPACE_CLOCK, .offset = 0, .index = -1},
                  {.space = SPACE_OUTPUT, .offset = 0, .index = 0}},
       4);
  return module;
}

// The documented tree over 16 lanes, in double or rounded to float after each sum.
static double tree_sum(const double *lanes, bool single) {
  double t[16];
  memcpy(t, lanes, sizeof t);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++)
      t[i] = single ? (double)((float)t[i] + (float)t[i + width]) : t[i] + t[i + width];
  return t[0];
}

static void check_reduction(LType type) {
  LoopModule *module = reduction(type);
  bool single = type == L_F32;
  float x32[160];
  double x64[160], lanes[16] = {0}, most = -INFINITY;
  for (int i = 0; i < 160; i++) {
    x32[i] = number();
    x64[i] = single ? (double)x32[i] : (double)x32[i] / 3;
    lanes[i % 16] = single ? (double)((float)lanes[i % 16] + x32[i]) : lanes[i % 16] + x64[i];
    most = x64[i] > most ? x64[i] : most;
  }
  double expected[] = {tree_sum(lanes, single), most, 0.1, -0.0, 3, 1e-320, INFINITY};
  for (int build = 0; build < BUILDS; build++) {
    NnrtRun *function = compile(module, "step_run", build);
    for (int threads = 1; function && threads <= 3; threads += 2) {
      double y[8] = {0};
      execute(function, threads, 160, (const void *[]){single ? (void *)x32 : (void *)x64}, (void *[]){y});
      cr_assert_eq(memcmp(y, expected, sizeof expected), 0, "%s %s: %a, not %a", builds[build].compiler,
                   builds[build].target, y[0], expected[0]);
    }
  }
}
Test(emit_c, lanes_of_f32) {
  check_reduction(L_F32);
}
Test(emit_c, lanes_of_f64) {
  check_reduction(L_F64);
}

// ---- a square whose rows and columns change places, not at the beginning of a line of the cache.
enum { FROM_APART = 21, TO_APART = 18, FROM_LENGTH = 16 * FROM_APART + 3, TO_LENGTH = 16 * TO_APART + 5 };

static LoopModule *turned_square(LType type) {
  LoopModule *module = arena_new_of(arena, LoopModule);
  *module = (LoopModule){.arena = arena, .name = "turned"};
  LKernel *kernel = hand_kernel(module, "turn", "turn.nn:1\n");
  LBuffer *x = hand_buffer(arena, kernel, "x", type, FROM_LENGTH, false),
          *y = hand_buffer(arena, kernel, "y", type, TO_LENGTH, true);
  hand_add(arena, &kernel->body,
           (LStmt){.kind = LS_TURN,
                   .buffer = y,
                   .index = {lx_i64(arena, 5)},
                   .value = lx_load(arena, x, lx_i64(arena, 3)),
                   .apart = {TO_APART, FROM_APART}});
  LEntry *entry = entry_of(module, "step", false);
  call(entry, kernel, false,
       (LPlace[]){{.space = SPACE_INPUT, .offset = 0, .index = 0}, {.space = SPACE_OUTPUT, .offset = 0, .index = 0}},
       2);
  return module;
}

static void check_turned(LType type) {
  LoopModule *module = turned_square(type);
  size_t bytes = type == L_F32 ? 4 : 8;
  uint8_t x[FROM_LENGTH * 8], y[TO_LENGTH * 8];
  for (size_t i = 0; i < sizeof x; i++)
    x[i] = (uint8_t)(number() * 1000);
  for (int build = 0; build < BUILDS; build++) {
    NnrtRun *function = compile(module, "step_run", build);
    if (!function)
      continue;
    memset(y, 0, sizeof y);
    execute(function, 1, 1, (const void *[]){x}, (void *[]){y});
    for (size_t i = 0; i < 16; i++)
      for (size_t j = 0; j < 16; j++)
        cr_assert_arr_eq(y + (5 + i * TO_APART + j) * bytes, x + (3 + j * FROM_APART + i) * bytes, bytes,
                         "%s %s: %zu, %zu", builds[build].compiler, builds[build].target, i, j);
    for (size_t i = 0; i < 16; i++)
      for (size_t j = 16; j < TO_APART && i < 15; j++)
        cr_assert_eq(y[(5 + i * TO_APART + j) * bytes], 0, "beside row %zu", i);
  }
}
Test(emit_c, turned_square_f32) {
  check_turned(L_F32);
}
Test(emit_c, turned_square_f64) {
  check_turned(L_F64);
}

// ---- the whole mathematical library, inlined in vector loops.
enum { SAMPLES = 3001 };

// ---- places in memory from which others are counted: pointers, and numbers where another memory is counted from them
static LExpr *place_in(LBody *body, LBuffer *buffer, const char *name, LExpr *at) {
  LExpr *place = hand_let(arena, body, name, at);
  body->data[body->count - 1]->var->into = buffer;
  return place;
}

Test(emit_c, places_in_memory) {
  LoopModule *module = arena_new_of(arena, LoopModule);
  *module = (LoopModule){.arena = arena, .name = "places"};
  LKernel *kernel = hand_kernel(module, "copy", "copy.nn:1\n");
  LBuffer *x = hand_buffer(arena, kernel, "x", L_F32, 8, false), *y = hand_buffer(arena, kernel, "y", L_F32, 8, true);
  LBody *body = &kernel->body;
  LExpr *n = lx_var(arena, kernel->n), *x_at = place_in(body, x, "x_at", n),
        *y_at = place_in(body, y, "y_at", times(n, 2));
  LVar *i = counter("i");
  LStmt *loop = hand_loop(arena, body, LS_FOR, i, lx_i64(arena, 3), 1);
  LExpr *to = plus(y_at, times(lx_var(arena, i), 2)), *from = plus(x_at, lx_var(arena, i));
  hand_store(arena, &loop->body, y, to, lx_load(arena, x, from));
  hand_store(arena, body, y, lx_i64(arena, 0), lx_load(arena, x, plus(y_at, x_at)));
  hand_store(arena, body, y, plus(plus(y_at, n), lx_i64(arena, 4)), lx_load(arena, x, x_at));
  LPlace places[] = {{.space = SPACE_INPUT, .index = 0}, {.space = SPACE_OUTPUT, .index = 0}};
  call(entry_of(module, "step", false), kernel, false, places, 2);
  Text text = text_new(arena);
  emit_c(&text, module, NULL);
  static const char *const lines[] = {"  const float *const x_at = &x[n];\n  float *const y_at = &y[n * 2];\n",
                                      "    y_at[i * 2] = x_at[i];\n", "  y[0] = x[(y_at - y) + (x_at - x)];\n",
                                      "  y_at[n + 4] = x_at[0];\n"};
  for (size_t line = 0; line < sizeof lines / sizeof *lines; line++)
    cr_expect_not_null(strstr(text_string(&text), lines[line]), "missing: %s in %s", lines[line], text_string(&text));
  for (int build = 0; build < BUILDS; build++) {
    NnrtRun *function = compile(module, "step_run", build);
    const float in[8] = {0, 1, 2, 3, 4, 5, 6, 7}, expected[8] = {3, 0, 1, 0, 2, 0, 3, 1};
    float out[8] = {0};
    if (function)
      execute(function, 1, 1, (const void *[]){in}, (void *[]){out});
    cr_expect(!function || memcmp(out, expected, sizeof out) == 0);
  }
}

static LoopModule *map(MathFunction which, LType type) {
  LoopModule *module = arena_new_of(arena, LoopModule);
  *module = (LoopModule){.arena = arena, .name = "map"};
  LFunction *function = mathlib_function(module, which, type);
  LKernel *kernel = hand_kernel(module, "map", "map.nn:1\n");
  LBuffer *x = hand_buffer(arena, kernel, "x", type, SAMPLES, false),
          *y = hand_buffer(arena, kernel, "y", type, SAMPLES, true);
  LVar *i = counter("i");
  LStmt *loop = hand_loop(arena, &kernel->body, LS_SIMD, i, lx_var(arena, kernel->n), 1);
  LExpr *value = lx_load(arena, x, lx_var(arena, i)), *args[] = {value, lx_real(arena, type, 1.75)};
  hand_store(arena, &loop->body, y, lx_var(arena, i), lx_call(arena, function, which == MATH_POW ? 2 : 1, args));
  LEntry *entry = entry_of(module, "map", false);
  call(entry, kernel, false,
       (LPlace[]){{.space = SPACE_INPUT, .offset = 0, .index = 0}, {.space = SPACE_OUTPUT, .offset = 0, .index = 0}},
       2);
  return module;
}

static double evaluated(LFunction *function, double x) {
  LExpr *args[] = {lx_real(arena, function->type, x), lx_real(arena, function->type, 1.75)};
  double real;
  int64_t integer;
  cr_assert(lx_evaluate(lx_call(arena, function, function->params.count, args), &real, &integer));
  return real;
}

static void check_map(MathFunction which, LType type) {
  LoopModule *module = map(which, type);
  static float x32[SAMPLES], y32[SAMPLES];
  static double x64[SAMPLES], y64[SAMPLES];
  for (int i = 0; i < SAMPLES; i++) {
    x32[i] = ldexpf(number(), i % 60 - 30);
    x64[i] = ldexp((double)x32[i], i % 7 == 0 ? i % 900 : 0) / 3;
  }
  x32[5] = x32[17] * 0;
  x32[6] = -INFINITY;
  x64[7] = -0.0;
  LFunction *function = module->functions.data[module->functions.count - 1];
  for (int build = 0; build < BUILDS; build++) {
    NnrtRun *run_map = compile(module, "map_run", build);
    if (!run_map)
      continue;
    bool single = type == L_F32;
    execute(run_map, 1, SAMPLES, (const void *[]){single ? (void *)x32 : (void *)x64},
            (void *[]){single ? (void *)y32 : (void *)y64});
    for (int i = 0; i < SAMPLES; i++) {
      double x = single ? (double)x32[i] : x64[i], found = single ? (double)y32[i] : y64[i],
             expected = evaluated(function, x);
      bool same = memcmp(&found, &expected, sizeof found) == 0 || (isnan(found) && isnan(expected));
      cr_assert(same, "%s(%a) = %a, not %a (%s %s)", function->name, x, found, expected, builds[build].compiler,
                builds[build].target);
    }
  }
}
#define MAP(name, which)                                                                                               \
  Test(emit_c, name##_f32) {                                                                                           \
    check_map(which, L_F32);                                                                                           \
  }                                                                                                                    \
  Test(emit_c, name##_f64) {                                                                                           \
    check_map(which, L_F64);                                                                                           \
  }
MAP(exp, MATH_EXP)
MAP(log, MATH_LOG)
MAP(tanh, MATH_TANH)
MAP(logistic, MATH_LOGISTIC)
MAP(erf, MATH_ERF)
MAP(sin, MATH_SIN)
MAP(cos, MATH_COS)
MAP(pow, MATH_POW)

// ---- integers: what wraps, shifts and divides in the loop language does so in C; names that C has taken are avoided.
Test(emit_c, integers_and_names) {
  LoopModule *module = arena_new_of(arena, LoopModule);
  *module = (LoopModule){.arena = arena, .name = "integers"};
  LKernel *kernel = hand_kernel(module, "while", "int.nn:1  int \\\n");
  LBuffer *x = hand_buffer(arena, kernel, "int", L_I32, 3, false),
          *y = hand_buffer(arena, kernel, "for.2", L_I32, 8, true);
  LBuffer *bytes = hand_buffer(arena, kernel, "bytes", L_U8, 2, true);
  LExpr *a = lx_load(arena, x, lx_i64(arena, 0)), *b = lx_load(arena, x, lx_i64(arena, 1));
  LExpr *word = hand_let(arena, &kernel->body, "register", lx_bitcast(arena, a, L_U32));
  LExpr *shifted =
      binary(LX_XOR, binary(LX_SHL, word, lx_int(arena, L_U32, 3)), binary(LX_SHR, word, lx_int(arena, L_U32, 5)));
  LExpr *values[] = {plus(a, b),
                     binary(LX_MUL, a, b),
                     binary(LX_DIV, a, b),
                     binary(LX_MOD, a, b),
                     lx_unary(arena, LX_NEG, binary(LX_SUB, a, b)),
                     lx_select(arena, binary(LX_AND, binary(LX_LT, a, b), binary(LX_NE, a, b)), a, b),
                     lx_bitcast(arena, shifted, L_I32),
                     lx_unary(arena, LX_ABS, a)};
  for (int i = 0; i < 8; i++)
    hand_store(arena, &kernel->body, y, lx_i64(arena, i), values[i]);
  LExpr *byte = lx_cast(arena, a, L_U8);
  hand_store(arena, &kernel->body, bytes, lx_i64(arena, 0), binary(LX_MUL, byte, byte));
  hand_store(arena, &kernel->body, bytes, lx_i64(arena, 1), binary(LX_DIV, plus(byte, byte), lx_int(arena, L_U8, 3)));
  LEntry *entry = entry_of(module, "step", false);
  call(entry, kernel, false,
       (LPlace[]){{.space = SPACE_INPUT, .offset = 0, .index = 0},
                  {.space = SPACE_OUTPUT, .offset = 0, .index = 0},
                  {.space = SPACE_OUTPUT, .offset = 0, .index = 1}},
       3);
  int32_t in[3] = {-2147483647, 7, 0};
  uint32_t bits = (uint32_t)in[0];
  uint8_t low = (uint8_t)bits;
  int32_t expected[] = {-2147483640,
                        (int32_t)(bits * 7u),
                        -306783378,
                        -1,
                        (int32_t) - (bits - 7u),
                        -2147483647,
                        (int32_t)((bits << 3) ^ (bits >> 5)),
                        2147483647};
  for (int build = 0; build < BUILDS; build++) {
    NnrtRun *function = compile(module, "step_run", build);
    int32_t out[8] = {0};
    uint8_t out_bytes[2] = {9, 9};
    if (!function)
      continue;
    execute(function, 1, 1, (const void *[]){in}, (void *[]){out, out_bytes});
    cr_assert_arr_eq(out, expected, sizeof expected);
    cr_assert_eq(out_bytes[0], (uint8_t)(low * low));
    cr_assert_eq(out_bytes[1], (uint8_t)(low + low) / 3);
  }
}

// ---- the tables: printed, compiled, and read back by a main of the runtime's place.
static Manifest *tables(const LoopModule *loops) {
  Manifest *manifest = arena_new_of(arena, Manifest);
  static const NnrtTensor tensors[] = {{"a.w", NNRT_F32, 2, {3, 4}, NNRT_PARAM, 64, 48, NULL},
                                       {"s", NNRT_I64, 0, {0}, NNRT_STATE, 0, 8, NULL}};
  static const NnrtArg items[] = {{.kind = NNRT_ARG_STR, .text = "a\"b\?\?/\n"},
                                  {.kind = NNRT_ARG_INT, .integer = 5, .real = 5}};
  static const NnrtArg args[] = {
      {.name = "columns", .kind = NNRT_ARG_LIST, .count = 2, .items = items, .line = 3, .column = 9},
      {.kind = NNRT_ARG_REAL, .real = 0.1}};
  static const NnrtDataCall calls[] = {{"csv", 2, args, 3, 5}, {"shuffle", 0, NULL, 4, 5}};
  static const NnrtData data = {"iris", "iris.nn", 2, calls};
  static const NnrtValue inputs[] = {{"x", NNRT_F32, 2, {-1, 4}, false}},
                         outputs[] = {{"loss", NNRT_F32, 0, {0}, false}};
  static const bool higher[] = {false};
  static NnrtTrain trains[1];
  static NnrtPredict predicts[1];
  trains[0] = (NnrtTrain){.name = "train",
                          .data = &data,
                          .higher_is_better = higher,
                          .seed = -1,
                          .batch = 64,
                          .predict = 0,
                          .train = {NULL, NULL, 1, 1, inputs, outputs},
                          .save = NNRT_SAVE_BEST,
                          .save_value = "val.loss"};
  predicts[0] = (NnrtPredict){
      .model = "iris", .function = {NULL, NULL, 1, 1, inputs, outputs}, .task = NNRT_CLASSES, .data = &data};
  manifest->module = (NnrtModule){.abi = NNRT_ABI,
                                  .name = "iris",
                                  .file = "iris.nn",
                                  .fingerprint = UINT64_MAX,
                                  .state_bytes = 112,
                                  .arena_bytes = 4096,
                                  .tensor_count = 2,
                                  .tensors = tensors,
                                  .train_count = 1,
                                  .trains = trains,
                                  .predict_count = 1,
                                  .predicts = predicts};
  vec_push(arena, &manifest->entries, (struct ManifestEntry){&trains[0].train, loops->entries.data[0]});
  return manifest;
}

static const char reader[] =
    "#include <string.h>\n#include \"nnrt.h\"\n"
    "#define CHECK(x) do { if (!(x)) { fprintf(stderr, \"%s\\n\", #x); return 1; } } while (0)\n"
    "void nnrt_team(int threads) { (void)threads; }\n"
    "void nnrt_barrier(void) {}\n"
    "int64_t nnrt_deal(int64_t rounds, int threads) { return rounds > 0 && threads == 0 ? 0 : -1; }\n"
    "int64_t nnrt_next(void) { return -1; }\n"
    "int nnrt_main(const NnrtModule *m, int argc, char **argv) {\n"
    "  CHECK(argc == 2 && argv[1][0] == 'q' && m->abi == NNRT_ABI && m->fingerprint == UINT64_MAX);\n"
    "  CHECK(m->state_bytes == 112 && m->tensor_count == 2 && m->tensors[0].dim[1] == 4 && m->tensors[0].offset == "
    "64);\n"
    "  CHECK(!strcmp(m->tensors[1].name, \"s\") && m->tensors[1].kind == NNRT_STATE && m->tensors[1].bytes == 8);\n"
    "  const NnrtTrain *t = m->trains;\n"
    "  CHECK(m->train_count == 1 && t->train.run && !t->eval.run && t->seed == -1 && t->batch == 64 && t->predict == "
    "0);\n"
    "  CHECK(t->data == m->predicts[0].data && !m->predicts[0].function.run && m->predicts[0].task == NNRT_CLASSES);\n"
    "  CHECK(t->train.inputs[0].dim[0] == -1 && !strcmp(t->save_value, \"val.loss\") && t->save == NNRT_SAVE_BEST);\n"
    "  const NnrtArg *a = t->data->calls[0].args;\n"
    "  CHECK(t->data->call_count == 2 && !strcmp(a->name, \"columns\") && a->count == 2 && a->line == 3);\n"
    "  CHECK(!strcmp(a->items[0].text, \"a\\\"b?\" \"?/\\n\") && a->items[1].integer == 5 && a[1].real == 0.1);\n"
    "  CHECK(!t->save_to && !t->load_count && !t->higher_is_better[0] && !m->init.run);\n"
    "  return 0;\n}\n";

Test(emit_c, manifest_reads_back) {
  LoopModule *module = product(14, 32, false);
  entry_of(module, "unwanted", false);
  Text text = text_new(arena);
  emit_c(&text, module, tables(module));
  const char *source = write_file("program.c", text_string(&text)), *other = write_file("reader.c", reader);
  const char *compilers[] = {"gcc", "clang"};
  for (int i = 0; i < 2; i++)
    if (has(compilers[i]))
      run(arena_printf(arena, "%s %s -o %s/program %s %s -lm && %s/program q", compilers[i], flags, folder, source,
                       other, folder));
}

Test(emit_c, output_is_readable) {
  LoopModule *module = product(14, 32, false);
  Text text = text_new(arena);
  emit_c(&text, module, NULL);
  static const char *const lines[] = {
      "// digits.nn:5  dense |> relu\n",
      "static void dense_0(const float *restrict x, const float *restrict w, const float *restrict b, ",
      "float *restrict y, int64_t n) {\n  for (int64_t task = nnrt_deal(n / 14, 0); task >= 0; task = nnrt_next()) {\n",
      "acc0[i][j / F32V] = fma_f32v(splat_f32v(x[(i0 + i) * 24 + k]), load_f32v(&w[k * 32 + j]), acc0[i][j / F32V]);\n",
      "#pragma omp parallel num_threads(frame->threads) if (frame->threads > 1)\n",
      "    dense_0((const float *)frame->inputs[0], (const float *)frame->inputs[1], (const float *)frame->inputs[2], ",
      "(const float *)frame->inputs[2], (float *)frame->outputs[0], n);\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    cr_assert_not_null(strstr(text_string(&text), lines[i]), "missing: %s", lines[i]);
}

// ---- #line directives
static const char *without_directives(const char *text) {
  Text out = text_new(arena);
  for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
    if (strncmp(at, "#line ", 6) != 0)
      text_printf(&out, "%.*s", (int)strcspn(at, "\n") + 1, at);
  return text_string(&out);
}

// A directive that gives the number of a line of the file itself must be right.
static void check_own_lines(const char *text, const char *own) {
  int line = 1, found = 0;
  for (const char *at = text; *at; at += strcspn(at, "\n") + 1, line++) {
    int said;
    char name[32];
    if (sscanf(at, "#line %d \"%31[^\"]\"", &said, name) == 2 && strcmp(name, own) == 0) {
      found++;
      cr_expect_eq(said, line + 1);
    }
  }
  cr_expect_gt(found, 0);
}

Test(emit_c, lines_of_the_source_for_a_debugger) {
  LoopModule *module = product(14, 32, false);
  Source source = {.path = "my \"digits\".nn"};
  module->kernels.data[0]->span = (Span){&source, 5, 3, 5, 9};
  Text plain = text_new(arena), debug = text_new(arena);
  emit_c(&plain, module, tables(module));
  emit_c_debug(&debug, module, tables(module));
  const char *text = text_string(&debug);
  cr_expect_not_null(strstr(text, "#line 5 \"my \\\"digits\\\".nn\"\nstatic void dense_0("));
  cr_expect_str_eq(without_directives(text), text_string(&plain));
  check_own_lines(text, "product.c");
  const char *path = write_file("product.c", text), *compilers[] = {"gcc", "clang", "clang-19"};
  for (int i = 0; i < 3; i++)
    if (has(compilers[i]))
      run(arena_printf(arena, "%s %s -g -Wpedantic -fopenmp -c -o %s/product.o %s", compilers[i], flags, folder, path));
}

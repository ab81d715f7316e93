// The mathematical library against libm: f32 over a stride through all floats against double, f64 against long double,
// and C's special cases. What is measured is the distance in units of the last place of the true value.
#include <criterion/criterion.h>
#include <math.h>

#include "loops/loops.h"
#include "loops/mathlib.h"

static Arena *arena;
static LoopModule module;
static void begin(void) {
  arena = arena_new();
  module = (LoopModule){.arena = arena, .name = "math"};
}
static void end(void) {
  arena_free(arena);
}
TestSuite(mathlib, .init = begin, .fini = end);

static double value_of(LFunction *function, double x, double y) {
  LExpr a = {.op = LX_CONST, .type = function->type, .real = x},
        b = {.op = LX_CONST, .type = function->type, .real = y};
  LExpr call = {.op = LX_CALL,
                .type = function->type,
                .function = function,
                .arg_count = function->params.count,
                .args = {&a, &b}};
  double real;
  int64_t integer;
  cr_assert(lx_evaluate(&call, &real, &integer));
  return real;
}

// Distance in ULP of a format with `bits` of precision and least exponent `least`; huge where NaN, infinity or sign
// differ.
static double distance(double found, long double truth, int bits, int least) {
  double rounded = bits == 24 ? (double)(float)truth : (double)truth;
  if (isnan(rounded) || isnan(found))
    return isnan(rounded) && isnan(found) ? 0 : 1e9;
  if (found == 0 && rounded == 0)
    return !signbit(found) == !signbit(rounded) ? 0 : 1e9;
  if (isinf(rounded) || isinf(found))
    return found == rounded ? 0 : 1e9;
  int exponent;
  frexpl(truth, &exponent);
  return (double)(fabsl(found - truth) / ldexpl(1, (exponent < least ? least : exponent) - bits));
}

typedef double Reference(double);
static void sweep_f32(MathFunction which, Reference *truth) {
  LFunction *function = mathlib_function(&module, which, L_F32);
  cr_assert_null(loops_check(&module));
  for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 65539) {
    uint32_t word = (uint32_t)bits;
    float x;
    memcpy(&x, &word, sizeof x);
    double found = value_of(function, (double)x, 0), error = distance(found, (long double)truth((double)x), 24, -125);
    cr_assert(error <= 2, "%s(%a) = %a, not %a: %g ULP", function->name, (double)x, found, truth((double)x), error);
  }
}
Test(mathlib, exp_f32) {
  sweep_f32(MATH_EXP, exp);
}
Test(mathlib, log_f32) {
  sweep_f32(MATH_LOG, log);
}
Test(mathlib, tanh_f32) {
  sweep_f32(MATH_TANH, tanh);
}
static double logistic(double x) {
  return 1 / (1 + exp(-x));
}
static long double logisticl(long double x) {
  return 1 / (1 + expl(-x));
}
Test(mathlib, logistic_f32) {
  sweep_f32(MATH_LOGISTIC, logistic);
}
Test(mathlib, erf_f32) {
  sweep_f32(MATH_ERF, erf);
}
Test(mathlib, sin_f32) {
  sweep_f32(MATH_SIN, sin);
}
Test(mathlib, cos_f32) {
  sweep_f32(MATH_COS, cos);
}

static uint64_t random_state = 88172645463325252u;
static uint64_t random_bits(void) { // Marsaglia's xorshift64
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

static double any_f64(int i) {
  uint64_t bits = random_bits();
  double x;
  memcpy(&x, &bits, sizeof x);
  return i % 3 == 0 ? x : (double)(int64_t)bits * (i % 3 == 1 ? 0x1p-60 : 0x1p-54);
}

static const double special[] = {0,   -0.0,   1,       -1,      2,      -3,     0.5,    INFINITY, -INFINITY,
                                 NAN, 5e-324, -1e-310, 1.7e308, 709.78, 709.79, -745.1, -745.2,   0x1.921fb54442d18p+0,
                                 1e22};
enum { SPECIALS = sizeof special / sizeof *special };

typedef long double LongReference(long double);
static void sample_f64(MathFunction which, LongReference *truth) {
  LFunction *function = mathlib_function(&module, which, L_F64);
  cr_assert_null(loops_check(&module));
  for (int i = 0; i < 20000; i++) {
    double x = i < SPECIALS ? special[i] : any_f64(i), found = value_of(function, x, 0);
    double error = distance(found, truth((long double)x), 53, -1021);
    cr_assert(error <= (which == MATH_LOGISTIC ? 2.5 : 2), "%s(%a) = %a, not %a: %g ULP", function->name, x, found,
              (double)truth((long double)x), error);
  }
}
Test(mathlib, exp_f64) {
  sample_f64(MATH_EXP, expl);
}
Test(mathlib, log_f64) {
  sample_f64(MATH_LOG, logl);
}
Test(mathlib, tanh_f64) {
  sample_f64(MATH_TANH, tanhl);
}
Test(mathlib, logistic_f64) {
  sample_f64(MATH_LOGISTIC, logisticl);
}
Test(mathlib, erf_f64) {
  sample_f64(MATH_ERF, erfl);
}
Test(mathlib, sin_f64) {
  sample_f64(MATH_SIN, sinl);
}
Test(mathlib, cos_f64) {
  sample_f64(MATH_COS, cosl);
}

static void power(LFunction *function, double x, double y) {
  bool single = function->type == L_F32;
  if (single) {
    x = (double)(float)x;
    y = (double)(float)y;
  }
  double found = value_of(function, x, y);
  double error = distance(found, powl((long double)x, (long double)y), single ? 24 : 53, single ? -125 : -1021);
  cr_assert(error <= 2, "%s(%a, %a) = %a, not %a: %g ULP", function->name, x, y, found, pow(x, y), error);
}

static void powers(LType type) {
  LFunction *function = mathlib_function(&module, MATH_POW, type);
  cr_assert_null(loops_check(&module));
  for (int i = 0; i < SPECIALS * SPECIALS; i++)
    power(function, special[i / SPECIALS], special[i % SPECIALS]);
  for (int i = 0; i < 20000; i++) {
    double x = fabs(any_f64(1)), near = 1 + (double)(int64_t)random_bits() * 0x1p-68, range = type == L_F32 ? 80 : 700;
    power(function, x, (double)(int64_t)random_bits() * 0x1p-63 * range / log(x));
    power(function, near, (double)(int64_t)random_bits() * 0x1p-63 * range);
    power(function, (double)((int64_t)random_bits() >> 56), (double)((int64_t)random_bits() >> 58));
  }
}
Test(mathlib, pow_f32) {
  powers(L_F32);
}
Test(mathlib, pow_f64) {
  powers(L_F64);
}

Test(mathlib, one_function_a_module) {
  LFunction *first = mathlib_function(&module, MATH_EXP, L_F32);
  cr_assert_eq(mathlib_function(&module, MATH_EXP, L_F32), first);
  cr_assert_eq(module.functions.count, 1);
}

static double uniform(LType type, uint64_t seed, uint64_t stream, uint64_t step, uint64_t element) {
  LFunction *function = mathlib_uniform(&module, type);
  LExpr *args[] = {lx_int(arena, L_U64, (int64_t)seed), lx_int(arena, L_U64, (int64_t)stream),
                   lx_int(arena, L_U64, (int64_t)step), lx_int(arena, L_U64, (int64_t)element)};
  double real;
  int64_t integer;
  cr_assert(lx_evaluate(lx_call(arena, function, 4, args), &real, &integer));
  return real;
}

// The known answers of Random123's kat_vectors for philox4x32-10: counter and key all zero; all ones; digits of pi. The
// element's high word enters the counter by exclusive or with the stream's.
Test(mathlib, philox_known_answers) {
  cr_assert_eq(uniform(L_F32, 0, 0, 0, 0), (double)(0x6627e8d5 >> 8) * 0x1p-24);
  cr_assert_eq(uniform(L_F32, UINT64_MAX, UINT64_C(0x00000000ffffffff), UINT64_C(0x00000000ffffffff), UINT64_MAX),
               (double)(0x408f276d >> 8) * 0x1p-24);
  cr_assert_eq(uniform(L_F32, UINT64_C(0x299f31d0a4093822), UINT64_C(0x03707344), UINT64_C(0x13198a2e),
                       UINT64_C(0x85a308d3243f6a88)),
               (double)(0xd16cfe09 >> 8) * 0x1p-24);
  double expected = ((double)(0x6627e8d5 >> 5) * 0x1p26 + (double)(0xe169c58d >> 6)) * 0x1p-53;
  cr_assert_eq(uniform(L_F64, 0, 0, 0, 0), expected);
}

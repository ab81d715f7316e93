// x^y = e^(y ln x). For f32 in f64 arithmetic, which is far more than enough; for f64 the logarithm is a sum of two
// numbers, good to 2^-65, since y ln x may reach 745 and its error is the result's relative error. T. J. Dekker, "A
// floating-point technique for extending the available precision", 1971; the cases of C11 F.10.4.4.
#include <math.h>

#include "loops/mathlib_build.h"

static Pair quick(Math *m, const char *name, LExpr *a, LExpr *b) {
  return m_quick_sum(m, name, a, b);
}

// a * b = high + low exactly.
static Pair product(Math *m, const char *name, LExpr *a, LExpr *b) {
  LExpr *high = m_let(m, name, m_mul(m, a, b));
  return (Pair){high, m_let(m, arena_printf(m->arena, "%s_low", name), m_fma(m, a, b, m_neg(m, high)))};
}

// (ln((1 + s) / (1 - s)) / s - 2) / s^2 by s^2, to 2^-44: tests/reference/minimax.py.
static const double log_f32[] = {0x1.555555561e442p-1, 0x1.999996a946573p-2, 0x1.249411efee9adp-2, 0x1.c62b1415a7b29p-3,
                                 0x1.911596be366eep-3};
// The same after 2/3 s^2, which is taken in two parts.
static const double log_f64[] = {0x1.9999999999996p-2, 0x1.2492492493036p-2, 0x1.c71c71c5804b9p-3,
                                 0x1.745d183260a22p-3, 0x1.3b1362b254037p-3, 0x1.1120b630bbcd2p-3,
                                 0x1.de3359eca7c90p-4, 0x1.eb11df3c7abb4p-4};

// ln of x > 0, normal or not.
static Pair log_short(Math *m, LExpr *x) {
  Split split = m_split(m, x);
  LExpr *one = m_real(m, 1);
  LExpr *s = m_let(m, "s", m_div(m, m_sub(m, split.mantissa, one), m_add(m, split.mantissa, one)));
  LExpr *z = m_let(m, "z", m_mul(m, s, s));
  LExpr *factor = m_fma(m, z, m_horner(m, z, log_f32, 5), m_real(m, 2));
  LExpr *value = m_fma(m, split.exponent, m_real(m, 0x1.62e42fefa39efp-1), m_mul(m, s, factor));
  return (Pair){m_let(m, "log", value), NULL};
}

static Pair log_long(Math *m, LExpr *x) {
  Split split = m_split(m, x);
  LExpr *one = m_real(m, 1);
  LExpr *f = m_let(m, "f", m_sub(m, split.mantissa, one));
  LExpr *d = m_let(m, "d", m_add(m, split.mantissa, one));
  LExpr *d_low = m_let(m, "d_low", m_sub(m, split.mantissa, m_sub(m, d, one)));
  LExpr *s = m_let(m, "s", m_div(m, f, d));
  LExpr *rest = m_fma(m, m_neg(m, s), d_low, m_fma(m, m_neg(m, s), d, f));
  LExpr *s_low = m_let(m, "s_low", m_div(m, rest, d));
  Pair z = product(m, "z", s, s);
  z.low = m_let(m, "z_more", m_fma(m, m_mul(m, s, m_real(m, 2)), s_low, z.low));
  Pair tail = product(m, "tail", z.high, m_let(m, "series", m_horner(m, z.high, log_f64, 8)));
  Pair w = quick(m, "w", m_real(m, 0x1.5555555555555p-1), tail.high);
  w.low = m_let(m, "w_more", m_add(m, w.low, m_add(m, tail.low, m_real(m, 0x1.5555555555555p-55))));
  Pair v = product(m, "v", z.high, w.high);
  v.low = m_let(m, "v_more", m_fma(m, z.high, w.low, m_fma(m, z.low, w.high, v.low)));
  Pair g = product(m, "g", s, v.high);
  g.low = m_let(m, "g_more", m_fma(m, s, v.low, m_fma(m, s_low, v.high, g.low)));
  LExpr *whole = m_mul(m, split.exponent, m_real(m, 0x1.62e42fefa38p-1)); // exact: 42 bits by 11
  Pair a = quick(m, "a", m_let(m, "whole", whole), m_let(m, "twice", m_mul(m, s, m_real(m, 2))));
  Pair b = quick(m, "b", a.high, g.high);
  LExpr *low = m_fma(m, split.exponent, m_real(m, 0x1.ef35793c7673p-45), m_fma(m, s_low, m_real(m, 2), g.low));
  return quick(m, "log", b.high, m_let(m, "lows", m_add(m, m_add(m, a.low, b.low), low)));
}

// e^(y l) in the range of f32.
static LExpr *exp_short(Math *m, LExpr *y, LExpr *l) {
  LExpr *t = m_let(m, "t", m_mul(m, y, l));
  LExpr *limited = m_let(m, "limited", m_min(m, m_max(m, t, m_real(m, -200)), m_real(m, 200)));
  return m_scale_normal(m, m_exp_reduced(m, limited, NULL, 1023));
}

// e^(y l), l in two parts; y l may be anything, infinite too.
static LExpr *exp_long(Math *m, LExpr *y, Pair l) {
  double limit = 800;
  Pair t = product(m, "t", y, l.high);
  LExpr *low = m_fma(m, y, l.low, t.low);
  LExpr *finite = m_is(m, LX_LT, m_abs(m, t.high), m_real(m, limit));
  LExpr *tail = m_let(m, "t_tail", m_select(m, finite, low, m_real(m, 0)));
  LExpr *limited = m_let(m, "limited", m_min(m, m_max(m, t.high, m_real(m, -limit)), m_real(m, limit)));
  return m_scale_wide(m, m_exp_reduced(m, limited, tail, m_wide_bias(L_F64)));
}

// C's rules for signs, zeros, infinities and NaN around |x|^y = `value`; value and ln |x| = 0 at 0^0 are not to be
// trusted.
static LExpr *special_cases(Math *m, LExpr *x, LExpr *y, LExpr *value) {
  LExpr *zero = m_real(m, 0), *one = m_real(m, 1), *infinity = m_real(m, INFINITY);
  LExpr *half = m_let(m, "y_half", m_mul(m, y, m_real(m, 0.5)));
  LExpr *whole = m_let(m, "y_whole", m_is(m, LX_EQ, m_floor(m, y), y));
  LExpr *odd = m_and(m, whole, m_is(m, LX_NE, m_floor(m, half), half));
  LExpr *no_sign = m_let(m, "unsigned_power", m_select(m, m_is(m, LX_EQ, m_abs(m, x), one), one, value));
  LExpr *with_sign = m_with_sign(m, no_sign, m_select(m, odd, x, zero));
  LExpr *negative = m_and(m, m_is(m, LX_LT, x, zero), m_is(m, LX_GT, x, m_neg(m, infinity)));
  LExpr *no_power = m_and(m, negative, m_not(m, whole));
  LExpr *power = m_let(m, "power", m_select(m, no_power, m_real(m, NAN), with_sign));
  LExpr *unknown = m_or(m, m_is(m, LX_NE, x, x), m_is(m, LX_NE, y, y));
  LExpr *certain = m_or(m, m_is(m, LX_EQ, x, one), m_is(m, LX_EQ, y, zero));
  return m_select(m, certain, one, m_select(m, unknown, m_real(m, NAN), power));
}

void math_pow(LoopModule *module, LType type) {
  bool single = type == L_F32;
  Math m =
      math_new(module, "pow", type,
               single ? "x^y within 0.51 ULP: e^(y ln |x|) in f64; then C's special cases.\n"
                      : "x^y within 1.2 ULP: e^(y ln |x|) with the logarithm in two parts; then C's special cases.\n");
  LExpr *x = m_param(&m, "x", type), *y = m_param(&m, "y", type);
  m.type = L_F64;
  LExpr *size = m_let(&m, "size", m_abs(&m, m_cast(&m, x, L_F64)));
  Pair l = single ? log_short(&m, size) : log_long(&m, size);
  LExpr *edge = m_select(&m, m_is(&m, LX_EQ, size, m_real(&m, 0)), m_real(&m, -INFINITY), size);
  LExpr *inside = m_and(&m, m_is(&m, LX_GT, size, m_real(&m, 0)), m_is(&m, LX_LT, size, m_real(&m, INFINITY)));
  l.high = m_let(&m, "log_size", m_select(&m, inside, l.high, edge));
  LExpr *power = m_cast(&m, y, L_F64);
  LExpr *value = single ? exp_short(&m, power, l.high) : exp_long(&m, power, l);
  m.type = type;
  math_end(&m, special_cases(&m, x, y, m_cast(&m, value, type)));
}

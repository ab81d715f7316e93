// The mathematical library of the loop language: each function made once a module, on first use; exp and log here, the
// others in mathlib_*.c. Selects instead of branches, polynomials instead of tables, so that every emitter vectorises
// them and every target computes the same bits.
// W. J. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980; J.-M. Muller, "Elementary Functions",
// 2016; N. Shibata, F. Petrogalli, "SLEEF: A Portable Vectorized Library of C Standard Mathematical Functions", TPDS
// 2020.
#include <math.h>

#include "loops/mathlib_build.h"

LFunction *mathlib_function(LoopModule *module, MathFunction function, LType type) {
  static const struct {
    const char *name;
    void (*build)(LoopModule *module, LType type);
  } table[] = {
      [MATH_EXP] = {"exp", math_exp},    [MATH_LOG] = {"log", math_log},
      [MATH_TANH] = {"tanh", math_tanh}, [MATH_LOGISTIC] = {"logistic", math_logistic},
      [MATH_ERF] = {"erf", math_erf},    [MATH_SIN] = {"sin", math_sin},
      [MATH_COS] = {"cos", math_cos},    [MATH_POW] = {"pow", math_pow},
  };
  const char *name = arena_printf(module->arena, "%s_%s", table[function].name, type == L_F32 ? "f32" : "f64");
  for (int i = 0; i < module->functions.count; i++)
    if (strcmp(module->functions.data[i]->name, name) == 0)
      return module->functions.data[i];
  table[function].build(module, type);
  return module->functions.data[module->functions.count - 1];
}

// Beyond the limits the result is 0 or infinity; they keep the reduced power in range.
void math_exp(LoopModule *module, LType type) {
  Math m = math_new(
      module, "exp", type,
      "e^x within 1.1 ULP: x = n ln 2 + r (Cody and Waite), a minimax polynomial on r, times 2^n in two steps.\n");
  LExpr *x = m_param(&m, "x", type);
  bool single = type == L_F32;
  LExpr *above = m_max(&m, x, m_real(&m, single ? -104 : -746));
  LExpr *limited = m_let(&m, "limited", m_min(&m, above, m_real(&m, single ? 89 : 710)));
  math_end(&m, m_scale_wide(&m, m_exp_reduced(&m, limited, NULL, m_wide_bias(type))));
}

// e^-|x| never overflows, and below zero it is the greater part of the numerator.
void math_logistic(LoopModule *module, LType type) {
  Math m =
      math_new(module, "logistic", type, "1 / (1 + e^-x) within 2.5 ULP: (x < 0 ? e : 1) / (1 + e) with e = e^-|x|.\n");
  LExpr *x = m_param(&m, "x", type), *one = m_real(&m, 1);
  LExpr *limited = m_let(&m, "limited", m_max(&m, m_neg(&m, m_abs(&m, x)), m_real(&m, type == L_F32 ? -104 : -746)));
  LExpr *e = m_let(&m, "e", m_scale_wide(&m, m_exp_reduced(&m, limited, NULL, m_wide_bias(type))));
  LExpr *part = m_select(&m, m_is(&m, LX_LT, x, m_real(&m, 0)), e, one);
  math_end(&m, m_div(&m, part, m_add(&m, one, e)));
}

// (ln(1 + f) - f + f^2 / 2) / f^3 on the mantissas' f: tests/reference/minimax.py.
static const double log_f32[] = {0x1.55569ap-2, -0x1.00048p-2,  0x1.98eb2ep-3, -0x1.5349cp-3,
                                 0x1.3070c4p-3, -0x1.25ac22p-3, 0x1.6e0ef4p-4};
// (ln((1 + s) / (1 - s)) / s - 2) / s^2 by s^2: the same script; the form is that of fdlibm's e_log.c.
static const double log_f64[] = {0x1.5555555555592p-1, 0x1.999999997fd78p-2, 0x1.24924941f5077p-2, 0x1.c71c5205f39a6p-3,
                                 0x1.74663fa783d53p-3, 0x1.39a1a65ad2714p-3, 0x1.2f063b1e81770p-3};

static LExpr *log_of_split_f32(Math *m, Split x) {
  LExpr *f = m_let(m, "f", m_sub(m, x.mantissa, m_real(m, 1)));
  LExpr *z = m_let(m, "z", m_mul(m, f, f));
  LExpr *cubic = m_mul(m, m_mul(m, f, z), m_horner(m, f, log_f32, sizeof log_f32 / sizeof *log_f32));
  LExpr *low = m_fma(m, x.exponent, m_real(m, -0x1.bd0106p-13), cubic);
  LExpr *sum = m_add(m, f, m_fma(m, z, m_real(m, -0.5), low));
  return m_fma(m, x.exponent, m_real(m, 0x1.63p-1), sum);
}

static LExpr *log_of_split_f64(Math *m, Split x) {
  LExpr *f = m_let(m, "f", m_sub(m, x.mantissa, m_real(m, 1)));
  LExpr *s = m_let(m, "s", m_div(m, f, m_add(m, f, m_real(m, 2))));
  LExpr *z = m_let(m, "z", m_mul(m, s, s));
  LExpr *tail = m_mul(m, z, m_horner(m, z, log_f64, 7));
  LExpr *half = m_let(m, "half", m_mul(m, m_mul(m, f, f), m_real(m, 0.5)));
  LExpr *low = m_fma(m, s, m_add(m, half, tail), m_mul(m, x.exponent, m_real(m, 0x1.a39ef35793c76p-33)));
  LExpr *rest = m_sub(m, m_sub(m, half, low), f);
  return m_fma(m, x.exponent, m_real(m, 0x1.62e42feep-1), m_neg(m, rest));
}

void math_log(LoopModule *module, LType type) {
  Math m =
      math_new(module, "log", type,
               "ln x within 1.3 ULP: x = 2^e m with m in [sqrt(1/2), sqrt(2)], a minimax polynomial on m, plus e ln "
               "2 in two parts.\n");
  LExpr *x = m_param(&m, "x", type);
  Split split = m_split(&m, x);
  LExpr *value = type == L_F32 ? log_of_split_f32(&m, split) : log_of_split_f64(&m, split);
  LExpr *positive = m_select(&m, m_is(&m, LX_LT, x, m_real(&m, INFINITY)), value, x);
  LExpr *other = m_select(&m, m_is(&m, LX_EQ, x, m_real(&m, 0)), m_real(&m, -INFINITY), m_real(&m, NAN));
  math_end(&m, m_select(&m, m_is(&m, LX_GT, x, m_real(&m, 0)), positive, other));
}

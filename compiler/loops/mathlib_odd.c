// tanh and erf: odd functions that go to one. Near zero an odd polynomial, beyond it one minus something exponential,
// whose error shrinks with it; both are computed and one is selected.
#include "loops/mathlib_build.h"

// (tanh(x) / x - 1) / x^2 by x^2 for |x| <= 0.625: tests/reference/minimax.py; the split at 0.625 is Cephes' (tanh.c).
static const double tanh_f32[] = {-0x1.555534p-2, 0x1.110768p-3, -0x1.b84448p-5, 0x1.5256d6p-6, -0x1.76ac12p-8};
static const double tanh_f64[] = {-0x1.5555555555503p-2,  0x1.111111110b0c9p-3,  -0x1.ba1ba1b531160p-5,
                                  0x1.664f4781f93cdp-6,   -0x1.226e16da326e5p-7, 0x1.d6cf3ca9ccac9p-9,
                                  -0x1.7d696a95b79cdp-10, 0x1.336ae6c2fce22p-11, -0x1.df7a8f726acb1p-13,
                                  0x1.43e18329f0669p-14,  -0x1.0e3d799c5da12p-16};

static LExpr *exp_normal(Math *m, LExpr *x) {
  return m_scale_normal(m, m_exp_reduced(m, x, NULL, m->type == L_F32 ? 127 : 1023));
}

void math_tanh(LoopModule *module, LType type) {
  Math m =
      math_new(module, "tanh", type,
               "tanh x within 1.4 ULP: x + x^3 P(x^2) for |x| < 0.625, else 1 - 2 / (e^2|x| + 1) with x's sign.\n");
  LExpr *x = m_param(&m, "x", type), *one = m_real(&m, 1);
  LExpr *size = m_let(&m, "size", m_abs(&m, x));
  LExpr *limited = m_min(&m, size, m_real(&m, type == L_F32 ? 10 : 20));
  LExpr *twice = m_let(&m, "twice", m_mul(&m, limited, m_real(&m, 2)));
  LExpr *far = m_sub(&m, one, m_div(&m, m_real(&m, 2), m_add(&m, exp_normal(&m, twice), one)));
  LExpr *z = m_let(&m, "z", m_mul(&m, size, size));
  LExpr *tail = type == L_F32 ? m_horner(&m, z, tanh_f32, 5) : m_horner(&m, z, tanh_f64, 11);
  LExpr *near = m_fma(&m, m_mul(&m, size, z), tail, size);
  LExpr *value = m_let(&m, "value", m_select(&m, m_is(&m, LX_LT, size, m_real(&m, 0.625)), near, far));
  math_end(&m, m_with_sign(&m, value, x));
}

// erf(x) / x - 1 by x^2 for |x| <= 0.875; ln erfc(u + 1) up to x = 4 and 6: the same script.
static const double erf_f32[] = {0x1.06eba8214db69p-3, -0x1.81271p-2, 0x1.ce21d8p-4,
                                 -0x1.b6fep-6,         0x1.4a07fp-8,  -0x1.463c08p-11};
static const double erf_f64[] = {0x1.06eba8214db69p-3,   -0x1.812746b0379e5p-2,  0x1.ce2f21a0429c0p-4,
                                 -0x1.b82ce3127ba41p-6,  0x1.565bcd0bd4606p-8,   -0x1.c02db3658deafp-11,
                                 0x1.f9a3100710b48p-14,  -0x1.f4d01d65eb31ap-17, 0x1.b9c122671fa30p-20,
                                 -0x1.5dd08580f4ba5p-23, 0x1.e54e21a2ddadep-27,  -0x1.dc9fd960d7aabp-31};
static const double erfc_f32[] = {-0x1.d97fc0p+0, -0x1.51c9b0p+1, -0x1.afabc6p-1, -0x1.5474c6p-5,
                                  0x1.48cb90p-7,  -0x1.058f6cp-9, 0x1.25b856p-12, -0x1.4bd8e6p-16};
static const double erfc_f64[] = {
    -0x1.d97fbf27aa2a1p+0,  -0x1.51c9b0006c23dp+1,  -0x1.afabc11a2904ep-1,  -0x1.5477f09ca613ap-5,
    0x1.48c9d40dd7d74p-7,   -0x1.033f69c160932p-9,  0x1.f1b4b5db5232fp-13,  0x1.b8c1d8c131157p-16,
    -0x1.c769e487955f5p-16, 0x1.41accd52dfdadp-17,  -0x1.1105e86cc69d3p-19, 0x1.030fc25a42291p-23,
    0x1.e24fcd40995f8p-24,  -0x1.ff58bf796d915p-25, 0x1.31fbbc3c1980bp-26,  -0x1.fd4bb05292daep-29,
    0x1.2c00c1332670cp-31,  -0x1.dee464f7d6da5p-35, 0x1.d079d74d3bfcep-39,  -0x1.9c8ace11a5bfap-44};

void math_erf(LoopModule *module, LType type) {
  Math m = math_new(
      module, "erf", type,
      "erf x within 1.1 ULP: x + x P(x^2) for |x| < 0.875, else 1 - e^Q(|x|) with Q = ln erfc, and x's sign.\n");
  bool single = type == L_F32;
  LExpr *x = m_param(&m, "x", type);
  LExpr *size = m_let(&m, "size", m_abs(&m, x));
  LExpr *z = m_let(&m, "z", m_mul(&m, size, size));
  LExpr *near = m_fma(&m, size, single ? m_horner(&m, z, erf_f32, 6) : m_horner(&m, z, erf_f64, 12), size);
  LExpr *limited = m_min(&m, size, m_real(&m, single ? 4 : 6));
  LExpr *u = m_let(&m, "u", m_sub(&m, limited, m_real(&m, 1)));
  LExpr *log_erfc = m_let(&m, "log_erfc", single ? m_horner(&m, u, erfc_f32, 8) : m_horner(&m, u, erfc_f64, 20));
  LExpr *far = m_sub(&m, m_real(&m, 1), exp_normal(&m, log_erfc));
  LExpr *value = m_let(&m, "value", m_select(&m, m_is(&m, LX_LT, size, m_real(&m, 0.875)), near, far));
  math_end(&m, m_with_sign(&m, value, x));
}

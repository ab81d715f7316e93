// The parts that functions of the mathematical library are put together from: polynomials, sums in two parts, powers of
// two, the split of a number in mantissa and exponent. All of it is straight-line IEEE arithmetic.
#include "loops/mathlib_build.h"

Math math_new(LoopModule *module, const char *name, LType type, const char *comment) {
  LFunction *function = arena_new_of(module->arena, LFunction);
  function->name = arena_printf(module->arena, "%s_%s", name, type == L_F32 ? "f32" : "f64");
  function->comment = comment;
  function->type = type;
  return (Math){module, module->arena, function, type};
}

LExpr *m_param(Math *m, const char *name, LType type) {
  LVar *var = lvar_new(m->arena, name, type);
  vec_push(m->arena, &m->function->params, var);
  return lx_var(m->arena, var);
}

static bool taken(const LFunction *function, const char *name) {
  for (int i = 0; i < function->params.count; i++)
    if (strcmp(function->params.data[i]->name, name) == 0)
      return true;
  for (int i = 0; i < function->lets.count; i++)
    if (strcmp(function->lets.data[i]->var->name, name) == 0)
      return true;
  return false;
}

// A second let of one name is called name_2, and so on.
LExpr *m_let(Math *m, const char *name, LExpr *value) {
  if (value->op == LX_CONST || value->op == LX_VAR)
    return value;
  const char *unique = name;
  for (int i = 2; taken(m->function, unique); i++)
    unique = arena_printf(m->arena, "%s_%d", name, i);
  LStmt *stmt = arena_new_of(m->arena, LStmt);
  stmt->kind = LS_LET;
  stmt->var = lvar_new(m->arena, unique, value->type);
  stmt->value = value;
  vec_push(m->arena, &m->function->lets, stmt);
  return lx_var(m->arena, stmt->var);
}

// Lets that nothing needs are dropped, from the last to the first.
LFunction *math_end(Math *m, LExpr *result) {
  LFunction *function = m->function;
  function->result = result;
  for (int i = function->lets.count - 1; i >= 0; i--) {
    const LVar *var = function->lets.data[i]->var;
    bool used = lx_mentions(result, var);
    for (int j = i + 1; j < function->lets.count && !used; j++)
      used = lx_mentions(function->lets.data[j]->value, var);
    if (used)
      continue;
    function->lets.count--;
    memmove(&function->lets.data[i], &function->lets.data[i + 1], sizeof(LStmt *) * (size_t)(function->lets.count - i));
  }
  vec_push(m->arena, &m->module->functions, m->function);
  return m->function;
}

LExpr *m_horner(Math *m, LExpr *z, const double *c, int count) {
  LExpr *sum = m_real(m, c[count - 1]);
  for (int i = count - 2; i >= 0; i--)
    sum = m_fma(m, sum, z, m_real(m, c[i]));
  return sum;
}

LExpr *m_with_sign(Math *m, LExpr *value, LExpr *x) {
  uint64_t sign = m->type == L_F32 ? UINT64_C(0x80000000) : UINT64_C(0x8000000000000000);
  return m_of_bits(m, m_or(m, m_bits(m, value), m_and(m, m_bits(m, x), m_uint(m, sign))));
}

Pair m_two_sum(Math *m, const char *name, LExpr *a, LExpr *b) {
  LExpr *high = m_let(m, name, m_add(m, a, b));
  LExpr *part = m_let(m, arena_printf(m->arena, "%s_part", name), m_sub(m, high, a));
  LExpr *low = m_add(m, m_sub(m, a, m_sub(m, high, part)), m_sub(m, b, part));
  return (Pair){high, m_let(m, arena_printf(m->arena, "%s_low", name), low)};
}

Pair m_quick_sum(Math *m, const char *name, LExpr *a, LExpr *b) {
  LExpr *high = m_let(m, name, m_add(m, a, b));
  LExpr *low = m_sub(m, b, m_sub(m, high, a));
  return (Pair){high, m_let(m, arena_printf(m->arena, "%s_low", name), low)};
}

// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, relative to e^r within 2^-28 and 2^-56: tests/reference/minimax.py.
static const double exp_f32[] = {0x1.fffffcp-2, 0x1.555494p-3, 0x1.5558e2p-5, 0x1.1238a6p-7, 0x1.6a292ep-10};
static const double exp_f64[] = {
    0x1.0000000000008p-1,  0x1.55555555554fep-3,  0x1.5555555550e75p-5,  0x1.111111112757fp-7,  0x1.6c16c183152fep-10,
    0x1.a01a012a7cd1cp-13, 0x1.a0199c94bc32ep-16, 0x1.71df2845cf6dap-19, 0x1.28ab5f7f5c444p-22, 0x1.ad76d41454f3bp-26};

// Cody and Waite's reduction: x = n ln 2 + r, n the nearest integer. Adding 1.5 * 2^23 (or 2^52) rounds to an integer
// and leaves it in the last bits of the sum.
Scaled m_exp_reduced(Math *m, LExpr *x, LExpr *tail, uint64_t bias) {
  bool single = m->type == L_F32;
  double magic = single ? 0x1.8p23 : 0x1.8p52;
  uint64_t magic_bits = single ? UINT64_C(0x4b400000) : UINT64_C(0x4338000000000000);
  LExpr *shifted = m_let(m, "shifted", m_fma(m, x, m_real(m, 0x1.71547652b82fep+0), m_real(m, magic)));
  LExpr *n = m_let(m, "n", m_sub(m, shifted, m_real(m, magic)));
  double high = single ? 0x1.62e43p-1 : 0x1.62e42fefa39efp-1, low = single ? -0x1.05c61p-29 : 0x1.abc9e3b39803fp-56;
  LExpr *r = m_fma(m, n, m_real(m, -low), m_fma(m, n, m_real(m, -high), x));
  r = m_let(m, "r", tail ? m_add(m, r, tail) : r);
  LExpr *q = single ? m_horner(m, r, exp_f32, 5) : m_horner(m, r, exp_f64, 10);
  LExpr *mantissa = m_add(m, m_fma(m, m_mul(m, r, r), q, r), m_real(m, 1));
  LExpr *power = m_add(m, m_bits(m, shifted), m_uint(m, bias - magic_bits));
  return (Scaled){m_let(m, "mantissa", mantissa), m_let(m, "power", power)};
}

static LExpr *power_of_two(Math *m, LExpr *biased) {
  return m_of_bits(m, m_shift(m, LX_SHL, biased, m->type == L_F32 ? 23 : 52));
}

LExpr *m_scale_normal(Math *m, Scaled e) {
  return m_mul(m, e.mantissa, power_of_two(m, e.power));
}

uint64_t m_wide_bias(LType type) {
  return type == L_F32 ? 300 : 2200;
}

// In two steps of half the power each, so that only the last multiplication may round or overflow.
LExpr *m_scale_wide(Math *m, Scaled e) {
  uint64_t offset = m->type == L_F32 ? 150 - 127 : 1100 - 1023;
  LExpr *half = m_let(m, "half", m_shift(m, LX_SHR, e.power, 1));
  LExpr *rest = m_sub(m, e.power, half);
  LExpr *first = power_of_two(m, m_sub(m, half, m_uint(m, offset)));
  LExpr *second = power_of_two(m, m_sub(m, rest, m_uint(m, offset)));
  return m_mul(m, m_mul(m, e.mantissa, first), second);
}

// The bits of sqrt(1/2) are taken off before mantissa and exponent part. The exponent becomes a real by standing in the
// last bits of 2^23 (or 2^52).
Split m_split(Math *m, LExpr *x) {
  bool single = m->type == L_F32;
  int width = single ? 23 : 52;
  uint64_t root = single ? UINT64_C(0x3f3504f3) : UINT64_C(0x3fe6a09e667f3bcd);
  uint64_t one = single ? UINT64_C(0x3f800000) : UINT64_C(0x3ff0000000000000);
  uint64_t whole = single ? UINT64_C(0x4b000000) : UINT64_C(0x4330000000000000);
  LExpr *small = m_let(m, "small", m_is(m, LX_LT, x, m_real(m, single ? 0x1p-126 : 0x1p-1022)));
  LExpr *normal = m_select(m, small, m_mul(m, x, m_real(m, single ? 0x1p25 : 0x1p54)), x);
  LExpr *bits = m_let(m, "bits", m_add(m, m_bits(m, normal), m_uint(m, one - root)));
  LExpr *low = m_and(m, bits, m_uint(m, (UINT64_C(1) << width) - 1));
  LExpr *mantissa = m_of_bits(m, m_add(m, low, m_uint(m, root)));
  double bias = single ? 0x1p23 + 127 : 0x1p52 + 1023, shift = single ? 25 : 54;
  LExpr *biased = m_of_bits(m, m_or(m, m_shift(m, LX_SHR, bits, width), m_uint(m, whole)));
  LExpr *exponent = m_sub(m, biased, m_select(m, small, m_real(m, bias + shift), m_real(m, bias)));
  return (Split){m_let(m, "mantissa", mantissa), m_let(m, "exponent", exponent)};
}

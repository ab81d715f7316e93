// Writing a function of the loop language from C: short names for its constructors, and the steps that several
// functions share. Everything here appends to the function being built.
#pragma once
#include "loops/loops.h"
#include "loops/mathlib.h"

typedef struct Math {
  LoopModule *module;
  Arena *arena;
  LFunction *function;
  LType type; // L_F32 or L_F64: what m_real makes
} Math;

// A value in two parts, high + low, the low one below half a unit of the high one's last place.
typedef struct Pair {
  LExpr *high, *low;
} Pair;

Math math_new(LoopModule *module, const char *name, LType type, const char *comment);
LExpr *m_param(Math *m, const char *name, LType type);
LExpr *m_let(Math *m, const char *name, LExpr *value);
// Ends the function and adds it to the module.
LFunction *math_end(Math *m, LExpr *result);

static inline LExpr *m_real(Math *m, double value) {
  return lx_real(m->arena, m->type, value);
}
static inline LType m_bits_type(LType type) {
  return ltype_bytes(type) == 4 ? L_U32 : L_U64;
}
static inline LExpr *m_uint(Math *m, uint64_t v) {
  return lx_int(m->arena, m_bits_type(m->type), (int64_t)v);
}
static inline LExpr *m_add(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_ADD, a, b);
}
static inline LExpr *m_sub(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_SUB, a, b);
}
static inline LExpr *m_mul(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_MUL, a, b);
}
static inline LExpr *m_div(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_DIV, a, b);
}
static inline LExpr *m_max(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_MAX, a, b);
}
static inline LExpr *m_min(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_MIN, a, b);
}
static inline LExpr *m_and(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_AND, a, b);
}
static inline LExpr *m_or(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_OR, a, b);
}
static inline LExpr *m_xor(Math *m, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, LX_XOR, a, b);
}
static inline LExpr *m_is(Math *m, LOp op, LExpr *a, LExpr *b) {
  return lx_binary(m->arena, op, a, b);
}
static inline LExpr *m_neg(Math *m, LExpr *a) {
  return lx_unary(m->arena, LX_NEG, a);
}
static inline LExpr *m_abs(Math *m, LExpr *a) {
  return lx_unary(m->arena, LX_ABS, a);
}
static inline LExpr *m_floor(Math *m, LExpr *a) {
  return lx_unary(m->arena, LX_FLOOR, a);
}
static inline LExpr *m_not(Math *m, LExpr *a) {
  return lx_unary(m->arena, LX_NOT, a);
}
static inline LExpr *m_fma(Math *m, LExpr *a, LExpr *b, LExpr *c) {
  return lx_fma(m->arena, a, b, c);
}
static inline LExpr *m_cast(Math *m, LExpr *a, LType type) {
  return lx_cast(m->arena, a, type);
}
static inline LExpr *m_select(Math *m, LExpr *c, LExpr *a, LExpr *b) {
  return lx_select(m->arena, c, a, b);
}
static inline LExpr *m_bits(Math *m, LExpr *a) {
  return lx_bitcast(m->arena, a, m_bits_type(a->type));
}
static inline LExpr *m_of_bits(Math *m, LExpr *a) {
  return lx_bitcast(m->arena, a, m->type);
}
static inline LExpr *m_shift(Math *m, LOp op, LExpr *a, int by) {
  return lx_binary(m->arena, op, a, lx_int(m->arena, a->type, by));
}

// c[0] + c[1] z + … + c[count - 1] z^(count - 1) by Horner's rule in fma.
LExpr *m_horner(Math *m, LExpr *z, const double *c, int count);

// `value` >= +0 with the sign of `x`.
LExpr *m_with_sign(Math *m, LExpr *value, LExpr *x);

// a + b = high + low exactly (Knuth; Møller), `name` heads the lets; m_quick_sum: |a| >= |b| or a = 0 (Dekker).
Pair m_two_sum(Math *m, const char *name, LExpr *a, LExpr *b);
Pair m_quick_sum(Math *m, const char *name, LExpr *a, LExpr *b);

// e^x = mantissa * 2^(power - bias) for x of moderate size; mantissa in [0.7, 1.42], power unsigned, bias as asked for.
typedef struct Scaled {
  LExpr *mantissa, *power;
} Scaled;
Scaled m_exp_reduced(Math *m, LExpr *x, LExpr *tail, uint64_t bias);
// mantissa * 2^(power - bias) where that is a normal number (bias 127 or 1023 was asked for).
LExpr *m_scale_normal(Math *m, Scaled e);
// The same for every power from denormals to infinity, with bias m_wide_bias.
uint64_t m_wide_bias(LType type);
LExpr *m_scale_wide(Math *m, Scaled e);

// x > 0 = mantissa * 2^exponent with mantissa in [sqrt(1/2), sqrt(2)]; denormals too. Garbage for other x.
typedef struct Split {
  LExpr *mantissa, *exponent; // the exponent as a real
} Split;
Split m_split(Math *m, LExpr *x);

void math_exp(LoopModule *module, LType type);
void math_log(LoopModule *module, LType type);
void math_tanh(LoopModule *module, LType type);
void math_logistic(LoopModule *module, LType type);
void math_erf(LoopModule *module, LType type);
void math_sin(LoopModule *module, LType type);
void math_cos(LoopModule *module, LType type);
void math_pow(LoopModule *module, LType type);

// Lowering of point operations: the value of one element. What the loop language leaves open is closed here: division by
// zero, the rounding of integer division, conversions that do not fit.
#include "graph/rules.h"
#include "loops/mathlib.h"

static LExpr *input(Lower *lower, const Node *node, int which, LExpr *const *index) {
  return lower_value(lower, node->inputs[which], index);
}

// u8 as i32, all else as it is.
static LExpr *widened(Lower *lower, const Node *node, int which, LExpr *const *index) {
  LExpr *value = input(lower, node, which, index);
  return value->type == L_U8 ? lx_cast(lower_arena(lower), value, L_I32) : value;
}

static LExpr *narrowed(Lower *lower, const Node *node, LExpr *value) {
  return node->type.elem == U8 ? lx_cast(lower_arena(lower), value, L_U8) : value;
}

static LExpr *number(Arena *arena, LType type, int64_t value) {
  return type == L_F32 || type == L_F64 ? lx_real(arena, type, (double)value) : lx_int(arena, type, value);
}

#define LOWER_BINARY(name, op)                                                                                         \
  LExpr *lower_##name(Lower *lower, const Node *node, LExpr *const *index) {                                           \
    LExpr *a = widened(lower, node, 0, index), *b = widened(lower, node, 1, index);                                    \
    return narrowed(lower, node, lx_binary(lower_arena(lower), op, a, b));                                             \
  }
LOWER_BINARY(add, LX_ADD)
LOWER_BINARY(sub, LX_SUB)
LOWER_BINARY(mul, LX_MUL)
LOWER_BINARY(max, LX_MAX)
LOWER_BINARY(min, LX_MIN)
LOWER_BINARY(eq, LX_EQ)
LOWER_BINARY(ne, LX_NE)
LOWER_BINARY(lt, LX_LT)
LOWER_BINARY(le, LX_LE)
LOWER_BINARY(and, LX_AND)
LOWER_BINARY(or, LX_OR)

#define LOWER_UNARY(name, op)                                                                                          \
  LExpr *lower_##name(Lower *lower, const Node *node, LExpr *const *index) {                                           \
    return narrowed(lower, node, lx_unary(lower_arena(lower), op, widened(lower, node, 0, index)));                    \
  }
LOWER_UNARY(neg, LX_NEG)
LOWER_UNARY(sqrt, LX_SQRT)
LOWER_UNARY(floor, LX_FLOOR)
LOWER_UNARY(not, LX_NOT)

static LExpr *call(Lower *lower, const Node *node, MathFunction function, LExpr *const *index) {
  LExpr *args[2] = {0};
  for (int i = 0; i < node->input_count; i++)
    args[i] = input(lower, node, i, index);
  LFunction *callee = mathlib_function(lower_module(lower), function, ltype_of(node->type.elem));
  return lx_call(lower_arena(lower), callee, node->input_count, args);
}

#define LOWER_CALL(name, function)                                                                                     \
  LExpr *lower_##name(Lower *lower, const Node *node, LExpr *const *index) {                                           \
    return call(lower, node, function, index);                                                                         \
  }
LOWER_CALL(exp, MATH_EXP)
LOWER_CALL(log, MATH_LOG)
LOWER_CALL(tanh, MATH_TANH)
LOWER_CALL(logistic, MATH_LOGISTIC)
LOWER_CALL(erf, MATH_ERF)
LOWER_CALL(sin, MATH_SIN)
LOWER_CALL(cos, MATH_COS)
LOWER_CALL(pow, MATH_POW)

LExpr *lower_abs(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  LExpr *x = input(lower, node, 0, index);
  if (node->type.elem == U8)
    return x;
  if (elem_is_real(node->type.elem))
    return lx_unary(arena, LX_ABS, x);
  LExpr *negative = lx_binary(arena, LX_LT, x, number(arena, x->type, 0));
  return lx_select(arena, negative, lx_unary(arena, LX_NEG, x), x);
}

// Zero keeps its sign and NaN passes through.
LExpr *lower_sign(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  LExpr *x = widened(lower, node, 0, index), *zero = number(arena, x->type, 0), *below = x;
  if (node->type.elem != U8)
    below = lx_select(arena, lx_binary(arena, LX_LT, x, zero), number(arena, x->type, -1), x);
  LExpr *sign = lx_select(arena, lx_binary(arena, LX_GT, x, zero), number(arena, x->type, 1), below);
  return narrowed(lower, node, sign);
}

// The quotient or remainder of bytes, in i32: nothing is negative, and 0 // 0 = 0 % 0 = 0.
static LExpr *divide_bytes(Arena *arena, LOp op, LExpr *a, LExpr *b) {
  LExpr *zero = number(arena, b->type, 0), *is_zero = lx_binary(arena, LX_EQ, b, zero);
  LExpr *divisor = lx_select(arena, is_zero, number(arena, b->type, 1), b);
  return lx_select(arena, is_zero, zero, lx_binary(arena, op, a, divisor));
}

// A divisor that C's division is defined for: 0 and -1 (of the least integer) are not; both are handled by the caller.
static LExpr *safe_divisor(Arena *arena, LExpr *b, LExpr *is_zero, LExpr *is_minus_one) {
  return lx_select(arena, lx_binary(arena, LX_OR, is_zero, is_minus_one), number(arena, b->type, 1), b);
}

// Whether a truncated quotient lies above the floored one: a remainder that has not the divisor's sign.
static LExpr *needs_floor(Arena *arena, LExpr *remainder, LExpr *divisor) {
  LExpr *zero = number(arena, divisor->type, 0);
  LExpr *signs_differ =
      lx_binary(arena, LX_NE, lx_binary(arena, LX_LT, remainder, zero), lx_binary(arena, LX_LT, divisor, zero));
  return lx_binary(arena, LX_AND, lx_binary(arena, LX_NE, remainder, zero), signs_differ);
}

LExpr *lower_div(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  LExpr *a = widened(lower, node, 0, index), *b = widened(lower, node, 1, index);
  if (elem_is_real(node->type.elem))
    return lx_binary(arena, LX_DIV, a, b);
  if (node->type.elem == U8)
    return narrowed(lower, node, divide_bytes(arena, LX_DIV, a, b));
  LExpr *zero = number(arena, b->type, 0), *is_zero = lx_binary(arena, LX_EQ, b, zero);
  LExpr *is_minus_one = lx_binary(arena, LX_EQ, b, number(arena, b->type, -1));
  LExpr *divisor = safe_divisor(arena, b, is_zero, is_minus_one);
  LExpr *quotient = lx_binary(arena, LX_DIV, a, divisor), *remainder = lx_binary(arena, LX_MOD, a, divisor);
  LExpr *less = lx_binary(arena, LX_SUB, quotient, number(arena, b->type, 1));
  quotient = lx_select(arena, needs_floor(arena, remainder, divisor), less, quotient);
  quotient = lx_select(arena, is_minus_one, lx_unary(arena, LX_NEG, a), quotient);
  return lx_select(arena, is_zero, zero, quotient);
}

// a - b floor(a / b), rounded once; where the quotient was rounded up to a whole number, one b is put back.
static LExpr *real_mod(Arena *arena, LExpr *a, LExpr *b) {
  LExpr *quotient = lx_unary(arena, LX_FLOOR, lx_binary(arena, LX_DIV, a, b));
  LExpr *remainder = lx_fma(arena, lx_unary(arena, LX_NEG, quotient), b, a);
  return lx_select(arena, needs_floor(arena, remainder, b), lx_binary(arena, LX_ADD, remainder, b), remainder);
}

LExpr *lower_mod(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  LExpr *a = widened(lower, node, 0, index), *b = widened(lower, node, 1, index);
  if (elem_is_real(node->type.elem))
    return real_mod(arena, a, b);
  if (node->type.elem == U8)
    return narrowed(lower, node, divide_bytes(arena, LX_MOD, a, b));
  LExpr *zero = number(arena, b->type, 0), *is_zero = lx_binary(arena, LX_EQ, b, zero);
  LExpr *is_minus_one = lx_binary(arena, LX_EQ, b, number(arena, b->type, -1));
  LExpr *divisor = safe_divisor(arena, b, is_zero, is_minus_one); // modulo 1, 0 and -1 alike give 0
  LExpr *remainder = lx_binary(arena, LX_MOD, a, divisor);
  LExpr *more = lx_binary(arena, LX_ADD, remainder, divisor);
  return lx_select(arena, needs_floor(arena, remainder, divisor), more, remainder);
}

LExpr *lower_select(Lower *lower, const Node *node, LExpr *const *index) {
  LExpr *condition = input(lower, node, 0, index);
  LExpr *a = input(lower, node, 1, index);
  return lx_select(lower_arena(lower), condition, a, input(lower, node, 2, index));
}

LExpr *lower_stop_gradient(Lower *lower, const Node *node, LExpr *const *index) {
  return input(lower, node, 0, index);
}

// C converts only what fits: everything else is replaced by 0 first and by the limit, or 0 for NaN, afterwards.
static LExpr *real_to_whole(Arena *arena, LExpr *x, ElemType elem) {
  static const struct {
    double low, end; // the first value below and the first above the range are not in it
    int64_t least, most;
  } ranges[ELEM_COUNT] = {[I32] = {-0x1p31, 0x1p31, INT32_MIN, INT32_MAX},
                          [I64] = {-0x1p63, 0x1p63, INT64_MIN, INT64_MAX},
                          [U8] = {0, 0x1p8, 0, UINT8_MAX}};
  LType wide = elem == I64 ? L_I64 : L_I32;
  LExpr *above = lx_binary(arena, LX_GE, x, lx_real(arena, x->type, ranges[elem].end));
  LExpr *below = lx_binary(arena, LX_LT, x, lx_real(arena, x->type, ranges[elem].low));
  LExpr *outside = lx_binary(arena, LX_OR, lx_binary(arena, LX_OR, above, below), lx_binary(arena, LX_NE, x, x));
  LExpr *inside = lx_select(arena, outside, lx_real(arena, x->type, 0), x);
  LExpr *whole = lx_cast(arena, inside, wide);
  whole = lx_select(arena, below, lx_int(arena, wide, ranges[elem].least), whole);
  whole = lx_select(arena, above, lx_int(arena, wide, ranges[elem].most), whole);
  return elem == U8 ? lx_cast(arena, whole, L_U8) : whole;
}

LExpr *lower_cast(Lower *lower, const Node *node, LExpr *const *index) {
  Arena *arena = lower_arena(lower);
  LExpr *x = input(lower, node, 0, index);
  ElemType from = node->inputs[0]->type.elem, to = node->type.elem;
  if (from == to)
    return x;
  if (to == BOOL)
    return lx_binary(arena, LX_NE, x, number(arena, x->type, 0));
  if (elem_is_real(from) && !elem_is_real(to))
    return real_to_whole(arena, x, to);
  return lx_cast(arena, x, ltype_of(to));
}

// The loop language computed by the compiler itself: the value of an expression of constants and calls, bit for bit
// what generated code gives. Reals are IEEE with one rounding an operation (this file must be compiled without
// contraction), integers are computed in 64 bits and cut to their width.
#include <math.h>

#include "loops/value.h"

static int64_t wrap(LType type, uint64_t bits) {
  switch (type) {
  case L_I32:
    return (int32_t)(uint32_t)bits;
  case L_U32:
    return (int64_t)(uint32_t)bits;
  case L_U8:
    return (uint8_t)bits;
  case L_BOOL:
    return (bits & 1) != 0;
  default:
    return (int64_t)bits;
  }
}

static double rounded(LType type, double value) {
  return type == L_F32 ? (double)(float)value : value;
}

static bool compare_reals(LOp op, double a, double b) {
  switch (op) {
  case LX_EQ:
    return a == b;
  case LX_NE:
    return a != b;
  case LX_LT:
    return a < b;
  case LX_LE:
    return a <= b;
  case LX_GT:
    return a > b;
  default:
    return a >= b;
  }
}

static bool compare_integers(LType type, LOp op, int64_t a, int64_t b) {
  bool less = type == L_U64 ? (uint64_t)a < (uint64_t)b : a < b;
  switch (op) {
  case LX_EQ:
    return a == b;
  case LX_NE:
    return a != b;
  case LX_LT:
    return less;
  case LX_LE:
    return less || a == b;
  case LX_GT:
    return !less && a != b;
  default:
    return !less;
  }
}

// Double arithmetic rounded to float is float arithmetic for + - * / and the square root: 53 >= 2 * 24 + 2 (Figueroa,
// "When is double rounding innocuous?", 1995). A fused product is not, and takes fmaf.
static bool apply_real(LOp op, LType type, const LValue *v, LValue *result) {
  double a = v[0].real, b = v[1].real;
  switch (op) {
  case LX_ADD:
    result->real = rounded(type, a + b);
    return true;
  case LX_SUB:
    result->real = rounded(type, a - b);
    return true;
  case LX_MUL:
    result->real = rounded(type, a * b);
    return true;
  case LX_DIV:
    result->real = rounded(type, a / b);
    return true;
  case LX_NEG:
    result->real = -a;
    return true;
  case LX_FMA:
    result->real = type == L_F32 ? (double)fmaf((float)a, (float)b, (float)v[2].real) : fma(a, b, v[2].real);
    return true;
  case LX_SQRT:
    result->real = rounded(type, sqrt(a));
    return true;
  case LX_FLOOR:
    result->real = floor(a);
    return true;
  case LX_ABS:
    result->real = fabs(a);
    return true;
  case LX_MAX:
    result->real = b > a || b != b ? b : a;
    return true;
  case LX_MIN:
    result->real = b < a || b != b ? b : a;
    return true;
  default:
    return false;
  }
}

static bool divide_integers(LOp op, LType type, int64_t a, int64_t b, LValue *result) {
  if (b == 0)
    return false;
  uint64_t bits;
  if (type == L_U64)
    bits = op == LX_DIV ? (uint64_t)a / (uint64_t)b : (uint64_t)a % (uint64_t)b;
  else if (b == -1)
    bits = op == LX_DIV ? -(uint64_t)a : 0;
  else
    bits = (uint64_t)(op == LX_DIV ? a / b : a % b);
  result->integer = wrap(type, bits);
  return true;
}

static bool apply_integer(LOp op, LType type, const LValue *v, LValue *result) {
  int64_t a = v[0].integer, b = v[1].integer;
  uint64_t x = (uint64_t)a, y = (uint64_t)b, bits;
  switch (op) {
  case LX_ADD:
    bits = x + y;
    break;
  case LX_SUB:
    bits = x - y;
    break;
  case LX_MUL:
    bits = x * y;
    break;
  case LX_DIV:
  case LX_MOD:
    return divide_integers(op, type, a, b, result);
  case LX_NEG:
    bits = -x;
    break;
  case LX_ABS:
    bits = a < 0 && type != L_U64 ? -x : x;
    break;
  case LX_MAX:
    bits = compare_integers(type, LX_GT, a, b) ? x : y;
    break;
  case LX_MIN:
    bits = compare_integers(type, LX_LT, a, b) ? x : y;
    break;
  case LX_AND:
    bits = x & y;
    break;
  case LX_OR:
    bits = x | y;
    break;
  case LX_XOR:
    bits = x ^ y;
    break;
  case LX_NOT:
    bits = !x;
    break;
  case LX_SHL:
    bits = x << (y & 63);
    break;
  case LX_SHR:
    bits = x >> (y & 63);
    break;
  default:
    return false;
  }
  result->integer = wrap(type, bits);
  return true;
}

static bool real_fits(LType type, double value) {
  switch (type) {
  case L_I32:
    return value > -2147483649.0 && value < 2147483648.0;
  case L_I64:
    return value >= -0x1p63 && value < 0x1p63;
  case L_U8:
    return value > -1 && value < 256;
  case L_U32:
    return value > -1 && value < 4294967296.0;
  case L_U64:
    return value > -1 && value < 0x1p64;
  default:
    return true;
  }
}

static bool apply_cast(LType from, LType to, LValue value, LValue *result) {
  if (ltype_real(from) && ltype_real(to)) {
    result->real = rounded(to, value.real);
  } else if (ltype_real(to)) {
    if (from == L_U64)
      result->real = to == L_F32 ? (double)(float)(uint64_t)value.integer : (double)(uint64_t)value.integer;
    else
      result->real = to == L_F32 ? (double)(float)value.integer : (double)value.integer;
  } else if (to == L_BOOL) {
    result->integer = ltype_real(from) ? value.real != 0 : value.integer != 0;
  } else if (ltype_real(from)) {
    if (!real_fits(to, value.real))
      return false;
    result->integer = to == L_U64 ? (int64_t)(uint64_t)value.real : (int64_t)value.real;
  } else {
    result->integer = wrap(to, (uint64_t)value.integer);
  }
  return true;
}

static LValue apply_bitcast(LType from, LType to, LValue value) {
  union {
    float f32;
    double f64;
    uint32_t u32;
    uint64_t u64;
  } bits = {.u64 = 0};
  if (from == L_F32)
    bits.f32 = (float)value.real;
  else if (from == L_F64)
    bits.f64 = value.real;
  else
    bits.u64 = (uint64_t)value.integer;
  LValue result = {0};
  if (to == L_F32)
    result.real = (double)bits.f32;
  else if (to == L_F64)
    result.real = bits.f64;
  else
    result.integer = wrap(to, ltype_bytes(to) == 4 ? bits.u32 : bits.u64);
  return result;
}

bool lvalue_apply(const LExpr *expr, const LValue *args, LValue *result) {
  *result = (LValue){0};
  if (expr->op == LX_CONST) {
    *result = (LValue){expr->real, expr->integer};
    return true;
  }
  if (expr->op < LX_ADD)
    return false;
  LType from = expr->args[0]->type;
  switch (expr->op) {
  case LX_EQ:
  case LX_NE:
  case LX_LT:
  case LX_LE:
  case LX_GT:
  case LX_GE:
    result->integer = ltype_real(from) ? compare_reals(expr->op, args[0].real, args[1].real)
                                       : compare_integers(from, expr->op, args[0].integer, args[1].integer);
    return true;
  case LX_SELECT:
    *result = args[0].integer ? args[1] : args[2];
    return true;
  case LX_CAST:
    return apply_cast(from, expr->type, args[0], result);
  case LX_BITCAST:
    *result = apply_bitcast(from, expr->type, args[0]);
    return true;
  default:
    return ltype_real(from) ? apply_real(expr->op, from, args, result) : apply_integer(expr->op, from, args, result);
  }
}

// Values of a function's parameters and lets while its body is computed.
typedef struct Scope {
  int count;
  const LVar **vars;
  LValue *values;
} Scope;

static bool evaluate(const LExpr *expr, const Scope *scope, LValue *result);

static bool call(const LFunction *function, const LValue *args, LValue *result) {
  enum { MOST = 512 };
  const LVar *vars[MOST];
  LValue values[MOST];
  if (function->params.count + function->lets.count > MOST)
    return false;
  Scope scope = {0, vars, values};
  for (int i = 0; i < function->params.count; i++) {
    vars[scope.count] = function->params.data[i];
    values[scope.count++] = args[i];
  }
  for (int i = 0; i < function->lets.count; i++) {
    if (!evaluate(function->lets.data[i]->value, &scope, &values[scope.count]))
      return false;
    vars[scope.count++] = function->lets.data[i]->var;
  }
  return evaluate(function->result, &scope, result);
}

static bool evaluate(const LExpr *expr, const Scope *scope, LValue *result) {
  if (expr->op == LX_VAR) {
    for (int i = scope->count - 1; i >= 0; i--)
      if (scope->vars[i] == expr->var) {
        *result = scope->values[i];
        return true;
      }
    return false;
  }
  LValue args[LX_MAX_ARGS];
  for (int i = 0; i < expr->arg_count; i++)
    if (!evaluate(expr->args[i], scope, &args[i]))
      return false;
  if (expr->op == LX_CALL)
    return call(expr->function, args, result);
  return lvalue_apply(expr, args, result);
}

bool lx_evaluate(const LExpr *expr, double *real, int64_t *integer) {
  LValue value;
  if (!evaluate(expr, &(Scope){0}, &value))
    return false;
  *real = value.real;
  *integer = value.integer;
  return true;
}

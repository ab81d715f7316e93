// Expressions of the loop language as C: parentheses where precedence asks for them, and where gcc and clang warn
// without. Arithmetic that may wrap is done in unsigned types. In a vector tile c_tile.c takes over for what depends on
// the column.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "emit/c.h"

// How tightly an operator binds; LOWEST takes anything, ATOM takes no operator at all.
enum { LOWEST, TERNARY, BIT_OR, BIT_XOR, BIT_AND, EQUAL, COMPARE, SHIFT, SUM, PRODUCT, UNARY, ATOM };

static const struct {
  const char *text;
  int binds;
} operators[] = {
    [LX_ADD] = {"+", SUM},     [LX_SUB] = {"-", SUM},     [LX_MUL] = {"*", PRODUCT},   [LX_DIV] = {"/", PRODUCT},
    [LX_MOD] = {"%", PRODUCT}, [LX_NEG] = {"-", UNARY},   [LX_EQ] = {"==", EQUAL},     [LX_NE] = {"!=", EQUAL},
    [LX_LT] = {"<", COMPARE},  [LX_LE] = {"<=", COMPARE}, [LX_GT] = {">", COMPARE},    [LX_GE] = {">=", COMPARE},
    [LX_AND] = {"&", BIT_AND}, [LX_OR] = {"|", BIT_OR},   [LX_NOT] = {"!", UNARY},     [LX_XOR] = {"^", BIT_XOR},
    [LX_SHL] = {"<<", SHIFT},  [LX_SHR] = {">>", SHIFT},  [LX_SELECT] = {"", TERNARY},
};

static bool is_real(LType type) {
  return type == L_F32 || type == L_F64;
}

void c_real(Text *out, LType type, double value) {
  if (isnan(value)) {
    text_add(out, "NAN");
    return;
  }
  if (isinf(value)) {
    text_add(out, value < 0 ? "-INFINITY" : "INFINITY");
    return;
  }
  bool single = type == L_F32;
  char digits[48];
  for (int precision = single ? 6 : 15; precision <= (single ? 9 : 17); precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (single ? strtof(digits, NULL) == (float)value : strtod(digits, NULL) == value)
      break;
  }
  text_add(out, digits);
  if (!strpbrk(digits, ".e"))
    text_add(out, ".0");
  if (single)
    text_add(out, "f");
}

void c_constant(Text *out, LType type, double real, int64_t integer) {
  switch (type) {
  case L_F32:
  case L_F64:
    c_real(out, type, real);
    break;
  case L_BOOL:
    text_add(out, integer ? "true" : "false");
    break;
  case L_U32:
    text_printf(out, "0x%" PRIx32 "u", (uint32_t)integer);
    break;
  case L_U64:
    text_printf(out, "UINT64_C(0x%" PRIx64 ")", (uint64_t)integer);
    break;
  default:
    if (integer == INT64_MIN || integer == INT32_MIN)
      text_add(out, integer == INT64_MIN ? "INT64_MIN" : "INT32_MIN");
    else if (integer > INT32_MAX || integer < INT32_MIN)
      text_printf(out, "INT64_C(%" PRId64 ")", integer);
    else
      text_printf(out, "%" PRId64, integer);
  }
}

static void print(CEmit *emit, const LExpr *expr, int outer);

void c_index(CEmit *emit, const LExpr *expr) {
  bool before = emit->index;
  emit->index = true;
  print(emit, expr, LOWEST);
  emit->index = before;
}

static void print_local(CEmit *emit, const LExpr *expr) {
  const LLocal *local = expr->local;
  const CVectorLocal *vector = c_vector_local(emit, local);
  text_add(emit->out, vector && vector->elements ? vector->elements : c_name(emit, local->name));
  if (local->rank == 1 && local->dim[0] == 1)
    return;
  for (int i = 0; i < expr->arg_count; i++) {
    text_add(emit->out, "[");
    c_index(emit, expr->args[i]);
    text_add(emit->out, "]");
  }
}

static void print_call(CEmit *emit, const char *name, const LExpr *expr) {
  text_printf(emit->out, "%s(", name);
  for (int i = 0; i < expr->arg_count; i++) {
    text_add(emit->out, i ? ", " : "");
    print(emit, expr->args[i], LOWEST);
  }
  text_add(emit->out, ")");
}

// A call of a helper of this type, which is noted as used.
static void print_helper(CEmit *emit, const char *name, CHelper helper, const LExpr *expr) {
  emit->used[(int)helper + (int)expr->type] = true;
  print_call(emit, arena_printf(emit->arena, "%s_%s", name, c_short[expr->type]), expr);
}

static void print_lanes(CEmit *emit, const char *name, CHelper helper, const LExpr *expr) {
  emit->used[(int)helper + (int)expr->type] = true;
  const CVectorLocal *vector = c_vector_local(emit, expr->local);
  text_printf(emit->out, "%s_%s(%s)", name, c_short[expr->type],
              vector && vector->elements ? vector->elements : c_name(emit, expr->local->name));
}

// The operands of & | ^ << >> are put in parentheses unless they are plain: the compilers warn otherwise.
static void print_operator(CEmit *emit, const LExpr *expr, int outer) {
  int binds = operators[expr->op].binds;
  bool bits = binds >= BIT_OR && binds <= BIT_AND, shift = binds == SHIFT;
  text_add(emit->out, binds < outer ? "(" : "");
  if (expr->arg_count == 1) {
    text_add(emit->out, operators[expr->op].text);
    print(emit, expr->args[0], ATOM);
  } else {
    bool chain = bits && expr->args[0]->op == expr->op;
    int right = expr->op == LX_ADD && !is_real(expr->type) ? binds : binds + 1; // a + (b + c) is a + b + c
    int strict = bits || shift ? UNARY : binds == EQUAL || binds == COMPARE ? SHIFT : binds;
    print(emit, expr->args[0], chain ? binds : strict);
    text_printf(emit->out, " %s ", operators[expr->op].text);
    if (shift)
      text_printf(emit->out, "%" PRId64, expr->args[1]->integer);
    else
      print(emit, expr->args[1], bits ? UNARY : binds == EQUAL || binds == COMPARE ? SHIFT : right);
  }
  text_add(emit->out, binds < outer ? ")" : "");
}

// a + b of a signed or narrow type: computed unsigned, which wraps, and cast back.
static void print_wrapping(CEmit *emit, const LExpr *expr) {
  const char *wide = expr->type == L_I64 ? "uint64_t" : "uint32_t";
  text_printf(emit->out, "(%s)(", c_types[expr->type]);
  for (int i = 0; i < expr->arg_count; i++) {
    if (i > 0 || expr->arg_count == 1)
      text_printf(emit->out, expr->arg_count == 1 ? "%s" : " %s ", operators[expr->op].text);
    text_printf(emit->out, "(%s)", wide);
    print(emit, expr->args[i], ATOM);
  }
  text_add(emit->out, ")");
}

static bool reads_memory(const LExpr *expr) {
  if (expr->op == LX_LOAD || expr->op == LX_LOCAL || expr->op == LX_CALL || expr->buffer || expr->local)
    return true;
  for (int i = 0; i < expr->arg_count; i++)
    if (reads_memory(expr->args[i]))
      return true;
  return false;
}

// May the result leave its type? What is computed in i64 from loop variables alone is an index, and does not.
static bool wraps(const CEmit *emit, const LExpr *expr) {
  bool grows = expr->op == LX_ADD || expr->op == LX_SUB || expr->op == LX_MUL || expr->op == LX_NEG;
  return grows &&
         (expr->type == L_I32 || expr->type == L_U8 || (expr->type == L_I64 && !emit->index && reads_memory(expr)));
}

static void print_select(CEmit *emit, const LExpr *expr, int outer) {
  text_add(emit->out, outer > LOWEST ? "(" : "");
  print(emit, expr->args[0], EQUAL); // clang warns of a | b ? c : d
  text_add(emit->out, " ? ");
  print(emit, expr->args[1], BIT_OR);
  text_add(emit->out, " : ");
  print(emit, expr->args[2], expr->args[2]->op == LX_SELECT ? LOWEST : BIT_OR);
  text_add(emit->out, outer > LOWEST ? ")" : "");
}

static void print_cast(CEmit *emit, const LExpr *expr, int outer) {
  LType from = expr->args[0]->type;
  bool narrow_bool = expr->type == L_BOOL;
  text_add(emit->out, outer > UNARY ? "(" : "");
  if (narrow_bool) {
    text_add(emit->out, "(");
    print(emit, expr->args[0], SHIFT);
    text_add(emit->out, is_real(from) ? " != 0.0)" : " != 0)");
  } else {
    text_printf(emit->out, "(%s)", c_types[expr->type]);
    print(emit, expr->args[0], UNARY);
  }
  text_add(emit->out, outer > UNARY ? ")" : "");
}

static const char *real_function(LOp op, LType type) {
  bool single = type == L_F32;
  switch (op) {
  case LX_FMA:
    return single ? "fmaf" : "fma";
  case LX_SQRT:
    return single ? "sqrtf" : "sqrt";
  case LX_FLOOR:
    return single ? "floorf" : "floor";
  default:
    return single ? "fabsf" : "fabs";
  }
}

// The sum without its first term; NULL: that was all of it.
static const LExpr *without_first(CEmit *emit, const LExpr *sum) {
  if (sum->op != LX_ADD)
    return NULL;
  const LExpr *rest = without_first(emit, sum->args[0]);
  if (!rest)
    return sum->args[1];
  LExpr *copy = arena_copy(emit->arena, sum, sizeof *sum);
  copy->args[0] = (LExpr *)rest;
  return copy;
}

void c_place(CEmit *emit, const LBuffer *buffer, const LExpr *index) {
  const LExpr *first = index;
  while (first->op == LX_ADD)
    first = first->args[0];
  bool counted = first->op == LX_VAR && first->var->into == buffer;
  const LExpr *rest = counted ? without_first(emit, index) : index;
  text_printf(emit->out, "%s[", c_name(emit, counted ? first->var->name : buffer->name));
  if (rest)
    c_index(emit, rest);
  else
    text_add(emit->out, "0");
  text_add(emit->out, "]");
}

// A place that is counted from another: where it stands for a number, that of its memory is taken off.
static void print_variable(CEmit *emit, const LVar *var) {
  const char *name = c_name(emit, var->name);
  if (var->into)
    text_printf(emit->out, "(%s - %s)", name, c_name(emit, var->into->name));
  else
    text_add(emit->out, name);
}

static void print_integer_abs(CEmit *emit, const LExpr *expr) {
  LExpr zero = {.op = LX_CONST, .type = expr->type};
  LExpr minus = {.op = LX_NEG, .type = expr->type, .arg_count = 1, .args = {expr->args[0]}};
  LExpr less = {.op = LX_LT, .type = L_BOOL, .arg_count = 2, .args = {expr->args[0], &zero}};
  LExpr select = {.op = LX_SELECT, .type = expr->type, .arg_count = 3, .args = {&less, &minus, expr->args[0]}};
  print_select(emit, &select, ATOM);
}

static void print(CEmit *emit, const LExpr *expr, int outer) {
  switch (expr->op) {
  case LX_CONST: {
    bool negative = is_real(expr->type) ? signbit(expr->real) && !isnan(expr->real) : expr->integer < 0;
    bool paren = negative && outer > UNARY;
    text_add(emit->out, paren ? "(" : "");
    c_constant(emit->out, expr->type, expr->real, expr->integer);
    text_add(emit->out, paren ? ")" : "");
    break;
  }
  case LX_VAR:
    print_variable(emit, expr->var);
    break;
  case LX_LOAD:
    c_place(emit, expr->buffer, expr->args[0]);
    break;
  case LX_LOCAL:
    print_local(emit, expr);
    break;
  case LX_CALL:
    print_call(emit, c_name(emit, expr->function->name), expr);
    break;
  case LX_HSUM:
    print_lanes(emit, "hsum", CH_HSUM, expr);
    break;
  case LX_HMAX:
    print_lanes(emit, "hmax", CH_HMAX, expr);
    break;
  case LX_HMIN:
    print_lanes(emit, "hmin", CH_HMIN, expr);
    break;
  case LX_ABS:
    if (!is_real(expr->type)) {
      print_integer_abs(emit, expr);
      break;
    }
    // fall through
  case LX_FMA:
  case LX_SQRT:
  case LX_FLOOR:
    print_call(emit, real_function(expr->op, expr->type), expr);
    break;
  case LX_MAX:
    print_helper(emit, "max", CH_MAX, expr);
    break;
  case LX_MIN:
    print_helper(emit, "min", CH_MIN, expr);
    break;
  case LX_BITCAST:
    if (is_real(expr->type) || is_real(expr->args[0]->type))
      print_helper(emit, "bits", CH_BITS, expr);
    else
      print_cast(emit, expr, outer);
    break;
  case LX_SELECT:
    print_select(emit, expr, outer);
    break;
  case LX_CAST:
    print_cast(emit, expr, outer);
    break;
  default:
    if (wraps(emit, expr))
      print_wrapping(emit, expr);
    else
      print_operator(emit, expr, outer);
  }
}

void c_expr(CEmit *emit, const LExpr *expr) {
  bool before = emit->index;
  emit->index = false;
  print(emit, expr, LOWEST);
  emit->index = before;
}

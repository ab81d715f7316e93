// Constructors of the loop language. Each returns the simplest expression of equal value that it can see: constants are
// folded, neutral and absorbing integers vanish, a constant stands on the right of + and *, and (x + 1) + 2 is x + 3,
// so that indices stay short. Reals are folded only where every argument is a constant: no identity of real algebra is
// used.
#include "loops/value.h"

int ltype_bytes(LType type) {
  switch (type) {
  case L_F64:
  case L_I64:
  case L_U64:
    return 8;
  case L_F32:
  case L_I32:
  case L_U32:
    return 4;
  default:
    return 1;
  }
}

LVar *lvar_new(Arena *arena, const char *name, LType type) {
  LVar *var = arena_new_of(arena, LVar);
  *var = (LVar){.name = name, .type = type};
  return var;
}

static LExpr *constant(Arena *arena, LType type, LValue value) {
  LExpr *expr = arena_new_of(arena, LExpr);
  *expr = (LExpr){.op = LX_CONST, .type = type, .real = value.real, .integer = value.integer};
  return expr;
}

LExpr *lx_real(Arena *arena, LType type, double value) {
  return constant(arena, type, (LValue){type == L_F32 ? (double)(float)value : value, 0});
}

LExpr *lx_int(Arena *arena, LType type, int64_t value) {
  if (ltype_real(type))
    return lx_real(arena, type, (double)value);
  LExpr wide = {.op = LX_CONST, .type = L_I64};
  LExpr cast = {.op = LX_CAST, .type = type, .arg_count = 1, .args = {&wide}};
  LValue cut;
  lvalue_apply(&cast, &(LValue){0, value}, &cut);
  return constant(arena, type, cut);
}

LExpr *lx_i64(Arena *arena, int64_t value) {
  return lx_int(arena, L_I64, value);
}

LExpr *lx_var(Arena *arena, LVar *var) {
  LExpr *expr = arena_new_of(arena, LExpr);
  *expr = (LExpr){.op = LX_VAR, .type = var->type, .var = var};
  return expr;
}

LExpr *lx_load(Arena *arena, LBuffer *buffer, LExpr *index) {
  LExpr *expr = arena_new_of(arena, LExpr);
  *expr = (LExpr){.op = LX_LOAD, .type = buffer->type, .arg_count = 1, .args = {index}, .buffer = buffer};
  return expr;
}

LExpr *lx_local(Arena *arena, LLocal *local, LExpr *row, LExpr *column) {
  LExpr *expr = arena_new_of(arena, LExpr);
  *expr =
      (LExpr){.op = LX_LOCAL, .type = local->type, .arg_count = column ? 2 : 1, .args = {row, column}, .local = local};
  return expr;
}

// The operation on its arguments: its value if all are constants, else a new node.
static LExpr *operation(Arena *arena, LExpr expr) {
  LValue args[LX_MAX_ARGS], value;
  bool known = true;
  for (int i = 0; i < expr.arg_count; i++) {
    known = known && expr.args[i]->op == LX_CONST;
    args[i] = (LValue){expr.args[i]->real, expr.args[i]->integer};
  }
  if (known && lvalue_apply(&expr, args, &value))
    return constant(arena, expr.type, value);
  return arena_copy(arena, &expr, sizeof expr);
}

LExpr *lx_unary(Arena *arena, LOp op, LExpr *a) {
  if (op == LX_NOT && a->op == LX_NOT)
    return a->args[0];
  return operation(arena, (LExpr){.op = op, .type = a->type, .arg_count = 1, .args = {a}});
}

static bool is_int(const LExpr *expr, int64_t value) {
  return expr->op == LX_CONST && !ltype_real(expr->type) && expr->integer == value;
}

static bool commutes(LOp op) {
  return op == LX_ADD || op == LX_MUL || op == LX_AND || op == LX_OR || op == LX_XOR;
}

// (a op c) op d with constants c and d: a op (c op d). Exact for integers, which wrap.
static LExpr *join_constants(Arena *arena, LOp op, LExpr *a, LExpr *b) {
  bool sums = (op == LX_ADD || op == LX_SUB) && (a->op == LX_ADD || a->op == LX_SUB);
  bool products = op == LX_MUL && a->op == LX_MUL;
  if (b->op != LX_CONST || !(sums || products) || a->args[1]->op != LX_CONST)
    return NULL;
  LOp joint = products ? LX_MUL : a->op == op ? LX_ADD : LX_SUB;
  return lx_binary(arena, a->op, a->args[0], lx_binary(arena, joint, a->args[1], b));
}

// What a constant multiplies in the expression; 1: all of it.
static const LExpr *without_factor(const LExpr *expr, int64_t *factor) {
  bool product = expr->op == LX_MUL && expr->args[1]->op == LX_CONST;
  *factor = product ? expr->args[1]->integer : 1;
  return product ? expr->args[0] : expr;
}

// x / c * (c * k) + x % c * k with constants c and k: x * k, a row-major number that was taken apart and is put together again.
static LExpr *join_digits(Arena *arena, const LExpr *a, const LExpr *b) {
  int64_t of_high, of_low;
  const LExpr *high = without_factor(a, &of_high), *low = without_factor(b, &of_low);
  if (high->op != LX_DIV || low->op != LX_MOD || high->args[1]->op != LX_CONST || of_low <= 0)
    return NULL;
  bool digits = lx_equal(high->args[1], low->args[1]) && lx_equal(high->args[0], low->args[0]);
  bool joined = of_high % of_low == 0 && of_high / of_low == high->args[1]->integer;
  return digits && joined ? lx_binary(arena, LX_MUL, high->args[0], lx_int(arena, a->type, of_low)) : NULL;
}

static LExpr *simplify_sum(Arena *arena, LOp op, LExpr *a, LExpr *b) {
  if (op == LX_SUB && a->op == LX_VAR && b->op == LX_VAR && a->var == b->var)
    return lx_int(arena, a->type, 0);
  if (is_int(b, 0))
    return a;
  if (op == LX_ADD && is_int(a, 0))
    return b;
  LExpr *joined = op == LX_ADD ? join_digits(arena, a, b) : NULL;
  return joined ? joined : join_constants(arena, op, a, b);
}

// Identities of integers; NULL where none applies.
static LExpr *simplify_integers(Arena *arena, LOp op, LExpr *a, LExpr *b) {
  bool boolean = a->type == L_BOOL;
  switch (op) {
  case LX_ADD:
  case LX_SUB:
    return simplify_sum(arena, op, a, b);
  case LX_MUL:
    return is_int(b, 1) ? a : is_int(b, 0) ? b : join_constants(arena, op, a, b);
  case LX_DIV:
    return is_int(b, 1) ? a : is_int(a, 0) && b->op == LX_CONST && b->integer ? a : NULL;
  case LX_MOD:
    return is_int(b, 1) ? lx_int(arena, a->type, 0) : NULL;
  case LX_AND:
    return is_int(b, 0) ? b : boolean && is_int(b, 1) ? a : NULL;
  case LX_OR:
    return is_int(b, 0) ? a : boolean && is_int(b, 1) ? b : NULL;
  case LX_XOR:
  case LX_SHL:
  case LX_SHR:
    return is_int(b, 0) ? a : NULL;
  default:
    return NULL;
  }
}

LExpr *lx_binary(Arena *arena, LOp op, LExpr *a, LExpr *b) {
  bool compares = op >= LX_EQ && op <= LX_GE;
  LExpr expr = {.op = op, .type = compares ? L_BOOL : a->type, .arg_count = 2, .args = {a, b}};
  if (ltype_real(a->type) || (a->op == LX_CONST && b->op == LX_CONST))
    return operation(arena, expr);
  LExpr *decided = lx_by_range(arena, op, a, b);
  if (decided || compares)
    return decided ? decided : operation(arena, expr);
  if (commutes(op) && a->op == LX_CONST) {
    expr.args[0] = b;
    expr.args[1] = a;
  }
  LExpr *right = expr.args[1];
  bool is_signed = a->type == L_I32 || a->type == L_I64;
  if (op == LX_ADD && is_signed && right->op == LX_CONST && right->integer < 0 && right->integer != INT64_MIN)
    return lx_binary(arena, LX_SUB, expr.args[0], lx_unary(arena, LX_NEG, right));
  LExpr *simple = simplify_integers(arena, op, expr.args[0], right);
  return simple ? simple : operation(arena, expr);
}

LExpr *lx_fma(Arena *arena, LExpr *a, LExpr *b, LExpr *c) {
  return operation(arena, (LExpr){.op = LX_FMA, .type = a->type, .arg_count = 3, .args = {a, b, c}});
}

LExpr *lx_select(Arena *arena, LExpr *condition, LExpr *a, LExpr *b) {
  if (condition->op == LX_CONST)
    return condition->integer ? a : b;
  if (a == b)
    return a;
  return operation(arena, (LExpr){.op = LX_SELECT, .type = a->type, .arg_count = 3, .args = {condition, a, b}});
}

LExpr *lx_cast(Arena *arena, LExpr *a, LType type) {
  return a->type == type ? a : operation(arena, (LExpr){.op = LX_CAST, .type = type, .arg_count = 1, .args = {a}});
}

LExpr *lx_bitcast(Arena *arena, LExpr *a, LType type) {
  return a->type == type ? a : operation(arena, (LExpr){.op = LX_BITCAST, .type = type, .arg_count = 1, .args = {a}});
}

LExpr *lx_call(Arena *arena, LFunction *function, int count, LExpr *const *args) {
  LExpr *expr = arena_new_of(arena, LExpr);
  *expr = (LExpr){.op = LX_CALL, .type = function->type, .arg_count = count, .function = function};
  for (int i = 0; i < count; i++)
    expr->args[i] = args[i];
  return expr;
}

bool lx_mentions(const LExpr *expr, const LVar *var) {
  if (expr->op == LX_VAR)
    return expr->var == var;
  for (int i = 0; i < expr->arg_count; i++)
    if (lx_mentions(expr->args[i], var))
      return true;
  return false;
}

bool lx_equal(const LExpr *a, const LExpr *b) {
  if (a == b)
    return true;
  if (a->op != b->op || a->type != b->type || a->arg_count != b->arg_count || a->var != b->var ||
      a->buffer != b->buffer || a->local != b->local || a->function != b->function || a->integer != b->integer ||
      memcmp(&a->real, &b->real, sizeof a->real) != 0)
    return false;
  for (int i = 0; i < a->arg_count; i++)
    if (!lx_equal(a->args[i], b->args[i]))
      return false;
  return true;
}

LExpr *lx_replace(Arena *arena, LExpr *expr, const LVar *var, LExpr *with) {
  if (expr->op == LX_VAR)
    return expr->var == var ? with : expr;
  if (!lx_mentions(expr, var))
    return expr;
  LExpr *copy = arena_copy(arena, expr, sizeof *expr);
  for (int i = 0; i < expr->arg_count; i++)
    copy->args[i] = lx_replace(arena, expr->args[i], var, with);
  return copy;
}

bool lx_stride(const LExpr *index, const LVar *var, int64_t *coefficient) {
  int64_t a, b;
  *coefficient = 0;
  switch (index->op) {
  case LX_VAR:
    *coefficient = index->var == var;
    return true;
  case LX_ADD:
  case LX_SUB:
    if (!lx_stride(index->args[0], var, &a) || !lx_stride(index->args[1], var, &b))
      return false;
    *coefficient = (int64_t)(index->op == LX_ADD ? (uint64_t)a + (uint64_t)b : (uint64_t)a - (uint64_t)b);
    return true;
  case LX_NEG:
    if (!lx_stride(index->args[0], var, &a))
      return false;
    *coefficient = (int64_t) - (uint64_t)a;
    return true;
  case LX_MUL:
    if (!lx_stride(index->args[0], var, &a) || !lx_stride(index->args[1], var, &b))
      return false;
    if (a == 0 && b == 0)
      return true;
    if (b == 0 && index->args[1]->op == LX_CONST)
      *coefficient = (int64_t)((uint64_t)a * (uint64_t)index->args[1]->integer);
    else if (a == 0 && index->args[0]->op == LX_CONST)
      *coefficient = (int64_t)((uint64_t)b * (uint64_t)index->args[0]->integer);
    else
      return false;
    return true;
  default:
    return !lx_mentions(index, var);
  }
}

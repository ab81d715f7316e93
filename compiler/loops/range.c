// What is known of whole numbers from the loops around them: a comparison, a clamp or a division that can end in one way only
// is not made.
#include "loops/value.h"

enum { DEEP = 8 }; // expressions further down count as unknown

static const LRange unknown = {-LRANGE_END, LRANGE_END};

static int64_t limited(int64_t value) {
  return value < -LRANGE_END ? -LRANGE_END : value > LRANGE_END ? LRANGE_END : value;
}

static int64_t scaled(int64_t value, int64_t factor) {
  int64_t most = LRANGE_END / (factor > 0 ? factor : 1);
  return value > most ? LRANGE_END : value < -most ? -LRANGE_END : value * factor;
}

// An end that is unknown stays so.
static LRange sum(LRange a, LRange b) {
  bool least = a.least > -LRANGE_END && b.least > -LRANGE_END, most = a.most < LRANGE_END && b.most < LRANGE_END;
  return (LRange){least ? limited(a.least + b.least) : -LRANGE_END, most ? limited(a.most + b.most) : LRANGE_END};
}

static LRange range(const LExpr *expr, int depth) {
  if (expr->op == LX_CONST && !ltype_real(expr->type))
    return (LRange){limited(expr->integer), limited(expr->integer)};
  if (expr->op == LX_VAR && expr->type == L_I64)
    return expr->var->ranged ? expr->var->range : unknown;
  if (expr->type != L_I64 || depth == DEEP || expr->arg_count != 2)
    return unknown;
  LRange a = range(expr->args[0], depth + 1), b = range(expr->args[1], depth + 1);
  switch (expr->op) {
  case LX_ADD:
    return sum(a, b);
  case LX_SUB:
    return sum(a, (LRange){-b.most, -b.least});
  case LX_MUL:
    return b.least == b.most && b.least >= 0 ? (LRange){scaled(a.least, b.least), scaled(a.most, b.least)} : unknown;
  case LX_MIN:
    return (LRange){a.least < b.least ? a.least : b.least, a.most < b.most ? a.most : b.most};
  case LX_DIV:
    return b.least == b.most && b.least > 0 && a.least >= 0
               ? (LRange){a.least / b.least, a.most < LRANGE_END ? a.most / b.least : LRANGE_END}
               : unknown;
  case LX_MOD:
    return b.least == b.most && b.least > 0 && a.least >= 0 ? (LRange){0, a.most < b.least ? a.most : b.least - 1}
                                                            : unknown;
  case LX_MAX:
    return (LRange){a.least > b.least ? a.least : b.least, a.most > b.most ? a.most : b.most};
  default:
    return unknown;
  }
}

LRange lx_range(const LExpr *expr) {
  return range(expr, 0);
}

// What is left of the expression when it is counted in groups of `size`, 0 to size - 1; -1: it is not known.
static int64_t residue(const LExpr *expr, int64_t size) {
  if (expr->op == LX_CONST)
    return (expr->integer % size + size) % size;
  if (expr->op != LX_MUL && expr->op != LX_ADD && expr->op != LX_SUB)
    return -1;
  int64_t a = residue(expr->args[0], size), b = residue(expr->args[1], size);
  if (expr->op == LX_MUL && (a == 0 || b == 0))
    return 0;
  if (a < 0 || b < 0)
    return -1;
  return (expr->op == LX_MUL ? a * b : expr->op == LX_ADD ? a + b : a - b + size) % size;
}

static bool bounded(LRange range) {
  return range.least > -LRANGE_END && range.most < LRANGE_END;
}

// Is `sum` a multiple of `size`? 1, 0, or -1: it is not known. Only where nothing wraps.
static int is_multiple(const LExpr *sum, int64_t size) {
  enum { MOST = 1 << 24 };
  int64_t rest = size > 0 && size <= MOST && bounded(lx_range(sum)) ? residue(sum, size) : -1;
  return rest < 0 ? -1 : rest == 0;
}

static LExpr *truth(Arena *arena, bool value) {
  return lx_int(arena, L_BOOL, value);
}

static LExpr *compare(Arena *arena, LOp op, LRange a, LRange b) {
  switch (op) {
  case LX_LT:
    return a.most < b.least ? truth(arena, true) : a.least >= b.most ? truth(arena, false) : NULL;
  case LX_LE:
    return a.most <= b.least ? truth(arena, true) : a.least > b.most ? truth(arena, false) : NULL;
  case LX_GT:
    return compare(arena, LX_LT, b, a);
  case LX_GE:
    return compare(arena, LX_LE, b, a);
  default:
    return NULL;
  }
}

// A sum of multiples of `size` divided by it; NULL: it is none.
static LExpr *exact_part(Arena *arena, LExpr *sum, int64_t size) {
  if (sum->op == LX_CONST)
    return sum->integer % size ? NULL : lx_int(arena, sum->type, sum->integer / size);
  if (sum->op == LX_MUL && sum->args[1]->op == LX_CONST && sum->args[1]->integer % size == 0)
    return lx_binary(arena, LX_MUL, sum->args[0], lx_int(arena, sum->type, sum->args[1]->integer / size));
  if (sum->op != LX_ADD && sum->op != LX_SUB)
    return NULL;
  LExpr *a = exact_part(arena, sum->args[0], size), *b = a ? exact_part(arena, sum->args[1], size) : NULL;
  return b ? lx_binary(arena, sum->op, a, b) : NULL;
}

// x of x * size + rest with 0 <= x and 0 <= rest < size, and the rest; NULL if it is no such sum.
static LExpr *whole_part(Arena *arena, LExpr *sum, int64_t size, LExpr **rest) {
  LRange all = lx_range(sum);
  LExpr *exact = bounded(all) ? exact_part(arena, sum, size) : NULL;
  *rest = exact ? lx_int(arena, sum->type, 0) : sum;
  if (exact)
    return exact;
  if (all.least >= 0 && all.most < size)
    return lx_int(arena, sum->type, 0);
  for (int i = 0; i < 2 && sum->op == LX_ADD; i++) {
    LExpr *product = sum->args[i], *other = sum->args[1 - i];
    bool multiple = product->op == LX_MUL && product->args[1]->op == LX_CONST && product->args[1]->integer == size;
    LRange left = lx_range(other);
    if (!multiple || left.least < 0 || left.most >= size || lx_range(product->args[0]).least < 0)
      continue;
    *rest = other;
    return product->args[0];
  }
  return NULL;
}

LExpr *lx_by_range(Arena *arena, LOp op, LExpr *a, LExpr *b) {
  if (a->type != L_I64)
    return NULL;
  if (op == LX_DIV || op == LX_MOD) {
    LExpr *rest, *whole = b->op == LX_CONST && b->integer > 0 ? whole_part(arena, a, b->integer, &rest) : NULL;
    return !whole ? NULL : op == LX_DIV ? whole : rest;
  }
  if (op == LX_EQ && a->op == LX_MOD && a->args[1]->op == LX_CONST && b->op == LX_CONST && b->integer == 0) {
    int multiple = is_multiple(a->args[0], a->args[1]->integer);
    if (multiple >= 0)
      return truth(arena, multiple);
  }
  LRange left = lx_range(a), right = lx_range(b);
  if (op == LX_MIN || op == LX_MAX)
    return left.most <= right.least ? (op == LX_MIN ? a : b) : right.most <= left.least ? (op == LX_MIN ? b : a) : NULL;
  return compare(arena, op, left, right);
}

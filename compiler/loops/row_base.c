// Where the first row of a tile lies in memory, as a name of its own: rows then lie at constant distances from it, and the
// loop that goes through them needs one address instead of one for each row (gcc would have as many, more than there are
// registers; it has so even of a named number, and C gets a pointer). It reads better, too: x_at[i * 144 + c].
#include "loops/nest.h"

enum { MAX_BASES = 8, FEW = 6 }; // so many addresses stay in registers

// The names that have been made for one tile.
typedef struct Bases {
  LStmt *lets[MAX_BASES];
  int count;
} Bases;

// The tile, and the innermost loop that it stands in (NULL: what it stands in is none).
typedef struct Rows {
  const LStmt *tile, *loop;
  Bases inside, before; // lets that go in front of the tile, and in front of the loop
} Rows;

static bool is_of(const Rows *rows, const LVar *var) {
  return var == rows->tile->row_var || var == rows->tile->col_var || (rows->loop && var == rows->loop->var);
}

// The expression, a sum, where the tile's variables (and the loop's) are 0.
static LExpr *at_zero(Lower *lower, const Rows *rows, LExpr *expr) {
  if (expr->op == LX_VAR)
    return is_of(rows, expr->var) ? nest_i64(lower, 0) : expr;
  if (expr->op == LX_NEG)
    return lx_unary(lower->arena, LX_NEG, at_zero(lower, rows, expr->args[0]));
  if (expr->op != LX_ADD && expr->op != LX_SUB && expr->op != LX_MUL)
    return expr;
  return lx_binary(lower->arena, expr->op, at_zero(lower, rows, expr->args[0]), at_zero(lower, rows, expr->args[1]));
}

static bool is_simple(const LExpr *expr) {
  return expr->op == LX_CONST || expr->op == LX_VAR ||
         (expr->op == LX_ADD && expr->args[0]->op == LX_VAR && expr->args[1]->op == LX_CONST);
}

static bool subtracts(const LExpr *expr) {
  bool found = expr->op == LX_SUB || expr->op == LX_NEG || (expr->op == LX_CONST && expr->integer < 0);
  for (int i = 0; i < expr->arg_count && !found; i++)
    found = subtracts(expr->args[i]);
  return found;
}

static bool has_load(const LExpr *expr) {
  bool found = expr->op == LX_LOAD || expr->op == LX_LOCAL;
  for (int i = 0; i < expr->arg_count && !found; i++)
    found = has_load(expr->args[i]);
  return found;
}

static bool mentions_let_of(const LBody *body, const LExpr *expr) {
  for (int i = 0; i < body->count; i++)
    if (body->data[i]->kind == LS_LET && lx_mentions(expr, body->data[i]->var))
      return true;
  return false;
}

static LExpr *named(Lower *lower, Bases *bases, const LBuffer *into, LExpr *base) {
  for (int i = 0; i < bases->count; i++)
    if (bases->lets[i]->var->into == into && lx_equal(bases->lets[i]->value, base))
      return lx_var(lower->arena, bases->lets[i]->var);
  if (bases->count == MAX_BASES)
    return NULL;
  LStmt *let = nest_stmt(lower, LS_LET);
  const char *name = into ? arena_printf(lower->arena, "%s_at", into->name) : "at";
  let->var = lvar_new(lower->arena, nest_name(lower, name), L_I64);
  let->var->ranged = true;
  let->var->range = lx_range(base);
  let->var->into = into;
  let->value = base;
  bases->lets[bases->count++] = let;
  return lx_var(lower->arena, let->var);
}

static LExpr *plus(Lower *lower, LExpr *sum, int64_t stride, LVar *var) {
  return stride ? nest_add(lower, sum, nest_mul(lower, lx_var(lower->arena, var), nest_i64(lower, stride))) : sum;
}

// The place as the named one of its first row and what the tile adds; as it is where it is no such sum. into: the memory, or
// NULL where the element may not be there.
static LExpr *from_base(Lower *lower, Rows *rows, const LBuffer *into, LExpr *index) {
  const LStmt *tile = rows->tile, *loop = rows->loop;
  int64_t of_row, of_column, of_loop = 0;
  if (!lx_stride(index, tile->row_var, &of_row) || !of_row || !lx_stride(index, tile->col_var, &of_column) ||
      has_load(index))
    return index;
  bool before = loop && lx_stride(index, loop->var, &of_loop) && !mentions_let_of(&loop->body, index);
  Rows own = *rows;
  own.loop = before ? loop : NULL;
  LExpr *base = at_zero(lower, &own, index);
  if (is_simple(base) || mentions_let_of(&tile->body, base))
    return index;
  // Where a loop does not begin at 0, what it would read at 0 may lie in front of the memory, and no pointer may point there.
  bool from_zero = !before || (loop->from->op == LX_CONST && loop->from->integer == 0);
  if (!from_zero && subtracts(base))
    into = NULL;
  LExpr *sum = named(lower, before ? &rows->before : &rows->inside, into, base);
  if (!sum)
    return index;
  sum = plus(lower, sum, of_row, tile->row_var);
  if (before)
    sum = plus(lower, sum, of_loop, loop->var);
  return plus(lower, sum, of_column, tile->col_var);
}

// chosen: only where a condition holds.
static LExpr *with_bases(Lower *lower, Rows *rows, LExpr *expr, bool chosen) {
  if (expr->op == LX_LOAD) {
    LExpr *index = from_base(lower, rows, chosen ? NULL : expr->buffer, expr->args[0]);
    return index == expr->args[0] ? expr : lx_load(lower->arena, expr->buffer, index);
  }
  LExpr *copy = NULL;
  for (int i = 0; i < expr->arg_count; i++) {
    LExpr *arg = with_bases(lower, rows, expr->args[i], chosen || (expr->op == LX_SELECT && i > 0));
    if (arg == expr->args[i])
      continue;
    copy = copy ? copy : arena_copy(lower->arena, expr, sizeof *expr);
    copy->args[i] = arg;
  }
  return copy ? copy : expr;
}

static void name_bases(Lower *lower, Rows *rows) {
  for (int i = 0; i < rows->tile->body.count; i++) {
    LStmt *stmt = rows->tile->body.data[i];
    if (stmt->value)
      stmt->value = with_bases(lower, rows, stmt->value, false);
    if (stmt->kind == LS_STORE)
      stmt->index[0] = from_base(lower, rows, stmt->buffer, stmt->index[0]);
  }
}

static bool is_innermost(const LStmt *loop) {
  for (int i = 0; i < loop->body.count; i++)
    if (loop->body.data[i]->kind == LS_FOR)
      return false;
  return loop->kind == LS_FOR;
}

static void push_all(Lower *lower, LBody *body, const Bases *bases) {
  for (int i = 0; i < bases->count; i++)
    vec_push(lower->arena, body, bases->lets[i]);
}

// Gives the lets that go in front of the loop whose body it is.
static void in_body(Lower *lower, LBody *body, const LStmt *loop, Bases *before) {
  LBody out = {0};
  for (int i = 0; i < body->count; i++) {
    LStmt *stmt = body->data[i];
    if (stmt->kind == LS_TILE && stmt->row_var && stmt->rows > FEW) {
      Rows rows = {.tile = stmt, .loop = loop, .before = *before};
      name_bases(lower, &rows);
      push_all(lower, &out, &rows.inside);
      *before = rows.before;
    } else if (stmt->kind != LS_TILE && stmt->kind != LS_SIMD) {
      Bases own = {.count = 0};
      in_body(lower, &stmt->body, is_innermost(stmt) ? stmt : NULL, &own);
      push_all(lower, &out, &own);
    }
    vec_push(lower->arena, &out, stmt);
  }
  *body = out;
}

void nest_row_bases(Lower *lower) {
  Bases none = {.count = 0};
  in_body(lower, &lower->out->body, NULL, &none);
}

// What the end of a tile reads. While a sum over k keeps the arithmetic busy, memory is idle; behind it come residuals, masks
// and an optimizer's states, a few elements of many rows that lie far apart, each of which would be waited for. They are asked
// for in front of the sum: a condition in its rounds would cost more than the hints. No value depends on them.
#include "loops/sum.h"

enum { MAX_READS = 8 };

// The loads of a tile behind the sum.
typedef struct EndReads {
  const LBody *body; // which holds the sum
  int behind;        // statements of it from here on come after
  const LStmt *condition, *tile;
  const LExpr *loads[MAX_READS];
  int count;
} EndReads;

static bool mentions_local(const LExpr *expr, const LLocal *local) {
  bool found = expr->op == LX_LOCAL && expr->local == local;
  for (int i = 0; i < expr->arg_count && !found; i++)
    found = mentions_local(expr->args[i], local);
  return found;
}

static bool takes(const LStmt *tile, const LLocal *acc) {
  for (int i = 0; i < tile->body.count; i++)
    if (tile->body.data[i]->value && mentions_local(tile->body.data[i]->value, acc))
      return true;
  return false;
}

// ---- what is read
static bool let_from(const LBody *body, int from, const LVar *var) {
  for (int i = from; i < body->count; i++)
    if (body->data[i]->kind == LS_LET && body->data[i]->var == var)
      return true;
  return false;
}

// Whether all that the place is made of is known before the sum, but for row and column.
static bool known_before(const EndReads *reads, const LExpr *expr) {
  if (expr->op == LX_LOAD || expr->op == LX_LOCAL)
    return false;
  if (expr->op == LX_VAR && (let_from(reads->body, reads->behind, expr->var) ||
                             (reads->condition && let_from(&reads->condition->body, 0, expr->var)) ||
                             let_from(&reads->tile->body, 0, expr->var)))
    return false;
  for (int i = 0; i < expr->arg_count; i++)
    if (!known_before(reads, expr->args[i]))
      return false;
  return true;
}

static void add_loads(const Lower *lower, EndReads *reads, const LExpr *expr) {
  for (int i = 0; i < expr->arg_count; i++)
    add_loads(lower, reads, expr->args[i]);
  int64_t apart;
  if (expr->op != LX_LOAD || reads->count == MAX_READS || lbuffer_bytes(expr->buffer) <= lower->target->l2_bytes / 4 ||
      (reads->tile->row_var && !lx_mentions(expr->args[0], reads->tile->row_var)) ||
      !lx_stride(expr->args[0], reads->tile->col_var, &apart) || apart != 1 || !known_before(reads, expr->args[0]))
    return;
  for (int i = 0; i < reads->count; i++)
    if (lx_equal(reads->loads[i], expr))
      return;
  reads->loads[reads->count++] = expr;
}

static bool find_reads(const Lower *lower, const Sum *sum, EndReads *reads) {
  reads->count = 0;
  for (int i = 0; i < reads->tile->body.count; i++)
    if (reads->tile->body.data[i]->value)
      add_loads(lower, reads, reads->tile->body.data[i]->value);
  return reads->count && takes(reads->tile, sum->acc);
}

// ---- asking for it
static LExpr *at_line(Lower *lower, const EndReads *reads, const LExpr *load, LExpr *line, int64_t in_row) {
  Arena *arena = lower->arena;
  int64_t elements = LINE_BYTES / ltype_bytes(load->type);
  LExpr *column = nest_mul(lower, lx_binary(arena, LX_MOD, line, nest_i64(lower, in_row)), nest_i64(lower, elements));
  LExpr *index = lx_replace(arena, load->args[0], reads->tile->col_var, column);
  if (reads->tile->row_var)
    index = lx_replace(arena, index, reads->tile->row_var, nest_div(lower, line, nest_i64(lower, in_row)));
  return lx_load(arena, load->buffer, index);
}

// A loop over lines in front of the sum, which is statement `at` of the body.
static void ask(Lower *lower, const EndReads *reads, LBody *body, int at) {
  Arena *arena = lower->arena;
  int64_t bytes = ltype_bytes(reads->loads[0]->type);
  int64_t in_row = (reads->tile->cols * bytes + LINE_BYTES - 1) / LINE_BYTES;
  LBody hints = {0}, *outer = &hints;
  if (reads->condition) {
    LStmt *when = nest_stmt(lower, LS_IF);
    when->value = reads->condition->value;
    vec_push(arena, outer, when);
    outer = &when->body;
  }
  LStmt *loop = nest_stmt(lower, LS_FOR);
  loop->var = lvar_new(arena, nest_name(lower, "line"), L_I64);
  loop->from = nest_i64(lower, 0);
  loop->to = nest_i64(lower, reads->tile->rows * in_row);
  loop->step = 1;
  vec_push(arena, outer, loop);
  for (int i = 0; i < reads->count; i++) {
    LStmt *stmt = nest_stmt(lower, LS_PREFETCH);
    stmt->value = at_line(lower, reads, reads->loads[i], lx_var(arena, loop->var), in_row);
    vec_push(arena, &loop->body, stmt);
  }
  vec_push(arena, body, hints.data[0]);
  memmove(body->data + at + 1, body->data + at, sizeof *body->data * (size_t)(body->count - 1 - at));
  body->data[at] = hints.data[0];
}

// The tiles behind statement `at` of the body, which is a sum: in the body itself, or under a condition.
static bool behind_sum(Lower *lower, const Sum *sum, LBody *body, int at) {
  EndReads reads = {.body = body, .behind = at + 1};
  for (int i = at + 1; i < body->count; i++) {
    LStmt *stmt = body->data[i];
    reads.condition = stmt->kind == LS_IF ? stmt : NULL;
    reads.tile = reads.condition ? sum_only_one(&stmt->body) : stmt;
    if (reads.tile && reads.tile->kind == LS_TILE && (!reads.condition || known_before(&reads, stmt->value)) &&
        find_reads(lower, sum, &reads)) {
      ask(lower, &reads, body, at);
      return true;
    }
  }
  return false;
}

static void in_body(Lower *lower, LBody *body) {
  for (int i = 0; i < body->count; i++) {
    Sum sum;
    if (sum_find(body->data[i], &sum))
      i += behind_sum(lower, &sum, body, i);
    else if (body->data[i]->kind != LS_TILE && body->data[i]->kind != LS_SIMD)
      in_body(lower, &body->data[i]->body);
  }
}

void sum_prefetch_ends(Lower *lower) {
  in_body(lower, &lower->out->body);
}

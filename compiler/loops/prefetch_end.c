// What the end of a tile reads. While a sum over k keeps the arithmetic busy, memory is idle; behind it come residuals, masks
// and an optimizer's states, a few elements of many rows that lie far apart, each of which would be waited for. They are asked
// for in the sum's first rounds. Hints alone: no value depends on them.
#include "loops/nest.h"

enum { MAX_DEPTH = MAX_SPACE + 2, MAX_READS = 8, MAX_EACH = 4 };

// A nest of loops around nothing but a tile that adds to `acc`.
typedef struct Sum {
  LStmt *loops[MAX_DEPTH];
  int depth;
  const LLocal *acc;
} Sum;

// The loads of a tile behind the sum.
typedef struct EndReads {
  const LBody *body; // which holds the sum
  int behind;        // statements of it from here on come after
  const LStmt *condition, *tile;
  const LExpr *loads[MAX_READS];
  int count;
} EndReads;

static bool asks_only(const LStmt *stmt) {
  bool only = stmt->kind == LS_PREFETCH || stmt->kind == LS_LET || stmt->kind == LS_IF;
  for (int i = 0; i < stmt->body.count && only; i++)
    only = asks_only(stmt->body.data[i]);
  return only;
}

// The statement beside lets and hints.
static LStmt *only_one(const LBody *body) {
  LStmt *found = NULL;
  for (int i = 0; i < body->count; i++) {
    if (asks_only(body->data[i]))
      continue;
    if (found)
      return NULL;
    found = body->data[i];
  }
  return found;
}

static bool find_sum(LStmt *stmt, Sum *sum) {
  sum->depth = 0;
  for (; stmt && stmt->kind == LS_FOR && stmt->step == 1 && sum->depth < MAX_DEPTH; stmt = only_one(&stmt->body))
    sum->loops[sum->depth++] = stmt;
  const LStmt *set = stmt && stmt->kind == LS_TILE && sum->depth ? only_one(&stmt->body) : NULL;
  sum->acc = set && set->kind == LS_SET && set->value->op == LX_FMA && set->local->rank == 2 ? set->local : NULL;
  return sum->acc;
}

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
// The number of the present round of all loops; *rounds: of so many, 0: not known.
static LExpr *round_of(Lower *lower, const Sum *sum, int64_t *rounds) {
  LExpr *number = nest_i64(lower, 0);
  *rounds = 1;
  for (int d = 0; d < sum->depth; d++) {
    const LStmt *loop = sum->loops[d];
    LExpr *length = lx_binary(lower->arena, LX_SUB, loop->to, loop->from);
    LExpr *round = lx_binary(lower->arena, LX_SUB, lx_var(lower->arena, loop->var), loop->from);
    if (length->op != LX_CONST && d > 0)
      return NULL;
    *rounds = length->op == LX_CONST ? *rounds * length->integer : 0;
    number = nest_add(lower, nest_mul(lower, number, length), round);
  }
  return number;
}

static LExpr *at_line(Lower *lower, const EndReads *reads, const LExpr *load, LExpr *line, int64_t in_row) {
  Arena *arena = lower->arena;
  int64_t elements = LINE_BYTES / ltype_bytes(load->type);
  LExpr *column = nest_mul(lower, lx_binary(arena, LX_MOD, line, nest_i64(lower, in_row)), nest_i64(lower, elements));
  LExpr *index = lx_replace(arena, load->args[0], reads->tile->col_var, column);
  if (reads->tile->row_var)
    index = lx_replace(arena, index, reads->tile->row_var, nest_div(lower, line, nest_i64(lower, in_row)));
  return lx_load(arena, load->buffer, index);
}

static void push_front(Lower *lower, LBody *body, LStmt *stmt) {
  vec_push(lower->arena, body, stmt);
  memmove(body->data + 1, body->data, sizeof *body->data * (size_t)(body->count - 1));
  body->data[0] = stmt;
}

static void ask(Lower *lower, const Sum *sum, const EndReads *reads) {
  Arena *arena = lower->arena;
  int64_t rounds, bytes = ltype_bytes(reads->loads[0]->type);
  int64_t in_row = (reads->tile->cols * bytes + LINE_BYTES - 1) / LINE_BYTES, lines = reads->tile->rows * in_row;
  LExpr *round = round_of(lower, sum, &rounds);
  int64_t each = rounds ? (lines + rounds - 1) / rounds : 1; // of each array in a round
  if (!round || each > MAX_EACH)
    return;
  LExpr *first = nest_mul(lower, round, nest_i64(lower, each));
  LExpr *soon = lx_binary(arena, LX_LT, round, nest_i64(lower, (lines + each - 1) / each));
  LStmt *when = nest_stmt(lower, LS_IF);
  when->value = reads->condition ? lx_binary(arena, LX_AND, reads->condition->value, soon) : soon;
  for (int k = 0; k < each; k++) {
    LExpr *line = nest_add(lower, first, nest_i64(lower, k));
    if (lines % each)
      line = nest_min(lower, line, nest_i64(lower, lines - 1));
    for (int i = 0; i < reads->count; i++) {
      LStmt *stmt = nest_stmt(lower, LS_PREFETCH);
      stmt->value = at_line(lower, reads, reads->loads[i], line, in_row);
      vec_push(arena, &when->body, stmt);
    }
  }
  push_front(lower, &sum->loops[sum->depth - 1]->body, when);
}

// The tiles behind statement `at` of the body, which is a sum: in the body itself, or under a condition.
static void behind_sum(Lower *lower, const Sum *sum, const LBody *body, int at) {
  EndReads reads = {.body = body, .behind = at + 1};
  for (int i = at + 1; i < body->count; i++) {
    LStmt *stmt = body->data[i];
    reads.condition = stmt->kind == LS_IF ? stmt : NULL;
    reads.tile = reads.condition ? only_one(&stmt->body) : stmt;
    if (reads.tile && reads.tile->kind == LS_TILE && (!reads.condition || known_before(&reads, stmt->value)) &&
        find_reads(lower, sum, &reads)) {
      ask(lower, sum, &reads);
      return;
    }
  }
}

static void in_body(Lower *lower, const LBody *body) {
  for (int i = 0; i < body->count; i++) {
    Sum sum;
    if (find_sum(body->data[i], &sum))
      behind_sum(lower, &sum, body, i);
    else if (body->data[i]->kind != LS_TILE && body->data[i]->kind != LS_SIMD)
      in_body(lower, &body->data[i]->body);
  }
}

void nest_prefetch_ends(Lower *lower) {
  in_body(lower, &lower->out->body);
}

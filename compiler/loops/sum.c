// Sums in a finished kernel: what stands around a tile that adds to others what it multiplies.
#include "loops/sum.h"

static bool asks_only(const LStmt *stmt) {
  bool only = stmt->kind == LS_PREFETCH || stmt->kind == LS_LET ||
              ((stmt->kind == LS_IF || stmt->kind == LS_FOR) && stmt->body.count);
  for (int i = 0; i < stmt->body.count && only; i++)
    only = asks_only(stmt->body.data[i]);
  return only;
}

LStmt *sum_only_one(const LBody *body) {
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

bool sum_find(LStmt *stmt, Sum *sum) {
  sum->depth = 0;
  for (; stmt && stmt->kind == LS_FOR && stmt->step == 1 && sum->depth < SUM_MAX_DEPTH;
       stmt = sum_only_one(&stmt->body))
    sum->loops[sum->depth++] = stmt;
  const LStmt *set = stmt && stmt->kind == LS_TILE && sum->depth ? sum_only_one(&stmt->body) : NULL;
  sum->tile = stmt;
  sum->acc = set && set->kind == LS_SET && set->value->op == LX_FMA && set->local->rank == 2 ? set->local : NULL;
  return sum->acc;
}

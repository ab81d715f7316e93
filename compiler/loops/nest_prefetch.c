// Asking for memory early. A sum over k keeps the arithmetic busy and memory idle; rows that lie too far apart for the processor
// to foresee, and the panel of weights that comes next, are asked for meanwhile. Hints alone: no value depends on them.
#include "loops/nest.h"

static void prefetch(Lower *lower, LBuffer *buffer, LExpr *index) {
  LStmt *stmt = nest_stmt(lower, LS_PREFETCH);
  stmt->value = lx_load(lower->arena, buffer, nest_min(lower, index, nest_i64(lower, buffer->length - 1)));
  nest_push(lower, stmt);
}

bool nest_beyond_caches(const Lower *lower, const LBuffer *buffer) {
  return lbuffer_bytes(buffer) > lower->target->l2_bytes / 2;
}

void nest_prefetch(Lower *lower, const LExpr *value, const LExpr *var) {
  enum { FAR = 512, ROUNDS = 12 }; // bytes; about what a line needs from the second cache, or a page that was just left
  int64_t stride;
  if (value->op != LX_LOAD || var->op != LX_VAR || !lx_stride(value->args[0], var->var, &stride) ||
      stride * ltype_bytes(value->type) < FAR || lbuffer_bytes(value->buffer) <= lower->target->l1_bytes)
    return;
  prefetch(lower, value->buffer, nest_add(lower, value->args[0], nest_i64(lower, ROUNDS * stride)));
}

void nest_prefetch_ahead(Lower *lower, const LExpr *value, LExpr *distance) {
  if (value->op == LX_LOAD && nest_beyond_caches(lower, value->buffer))
    prefetch(lower, value->buffer, nest_add(lower, value->args[0], distance));
}

// Panels that were packed before this kernel have made way for what others read since.
static bool is_far(const Lower *lower, const LBuffer *packed) {
  return packed->written ? nest_beyond_caches(lower, packed) : lbuffer_bytes(packed) > lower->target->l1_bytes;
}

void nest_prefetch_panel(Lower *lower, const NextPanel *panel, LExpr *round) {
  int64_t step = panel->length * panel->rows / panel->all / panel->rounds;
  if (step < 1 || !is_far(lower, panel->packed))
    return;
  LExpr *done = nest_mul(lower, panel->done, nest_i64(lower, panel->length));
  LExpr *from = nest_add(lower, panel->next, nest_div(lower, done, nest_i64(lower, panel->all)));
  from = nest_let(lower, "next", from);
  int64_t line = LINE_BYTES / ltype_bytes(panel->packed->type), apart = 1; // rounds from one hint to the next
  while (2 * apart * step <= line)
    apart *= 2;
  if (apart > 1)
    nest_if(lower, lx_binary(lower->arena, LX_EQ, lx_binary(lower->arena, LX_MOD, round, nest_i64(lower, apart)),
                             nest_i64(lower, 0)));
  prefetch(lower, panel->packed, nest_add(lower, from, nest_mul(lower, round, nest_i64(lower, step))));
  if (apart > 1)
    nest_close(lower);
}

void nest_prefetch_rows(Lower *lower, const NextRows *next) {
  if (!nest_beyond_caches(lower, next->buffer))
    return;
  int64_t chunk = nest_ceil_div(next->rows, next->parts), line = LINE_BYTES / ltype_bytes(next->buffer->type);
  LExpr *own = nest_loop(lower, LS_FOR, "ahead", nest_i64(lower, 0), nest_i64(lower, chunk), 1);
  LExpr *row = nest_add(lower, nest_mul(lower, next->part, nest_i64(lower, chunk)), own);
  LExpr *at = nest_let(lower, "next", nest_add(lower, next->from, nest_mul(lower, row, nest_i64(lower, next->apart))));
  for (int64_t column = 0; column < next->length; column += line)
    prefetch(lower, next->buffer, nest_add(lower, at, nest_i64(lower, column)));
  nest_close(lower);
}

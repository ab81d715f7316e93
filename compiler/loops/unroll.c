// Rounds in a row. A round of a low tile has little arithmetic for each count, test and jump: where a core's other thread takes its
// share of the front end, a tile of 12 vectors gained a sixth from four rounds in a row. Changes no order of additions.
#include "loops/sum.h"

enum { ENOUGH = 48, MOST = 4 }; // vectors of sums; rounds

static void unroll(const Lower *lower, const Sum *sum) {
  int64_t lanes = lower->target->vector_bytes / ltype_bytes(sum->acc->type);
  int64_t vectors = sum->tile->rows * nest_ceil_div(sum->tile->cols, lanes > 0 ? lanes : 1);
  LStmt *loop = sum->loops[sum->depth - 1];
  int64_t rounds = MOST;
  while (rounds > 1 && rounds * vectors > ENOUGH)
    rounds /= 2;
  if (loop->from->op == LX_CONST && loop->to->op == LX_CONST && loop->to->integer - loop->from->integer < rounds)
    rounds = loop->to->integer - loop->from->integer;
  loop->unroll = (int)rounds;
}

static void in_body(Lower *lower, const LBody *body) {
  for (int i = 0; i < body->count; i++) {
    Sum sum;
    if (sum_find(body->data[i], &sum))
      unroll(lower, &sum);
    else
      in_body(lower, &body->data[i]->body);
  }
}

void sum_unroll(Lower *lower) {
  in_body(lower, &lower->out->body);
}

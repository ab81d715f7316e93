// Outputs whose sums over taps are there already, or are of nothing: the kernel's nodes for a row of channels, a piece of it at
// a time.
#include "loops/nest_conv.h"

static void finish_piece(Lower *lower, const Conv *conv, const ConvRow *row, LExpr **index, LExpr *from, int cols) {
  LExpr *i, *j;
  nest_tile(lower, 1, cols, &i, &j);
  LExpr *o = nest_add(lower, from, j), *sum = lx_real(lower->arena, conv->type, 0);
  if (row->sums)
    sum = lx_load(lower->arena, row->sums, nest_add(lower, row->at, o));
  index[conv->node->type.rank - 1] = nest_add(lower, row->channel, o);
  nest_know(lower, conv->node, index, sum);
  nest_finish(lower, index, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

void conv_finish(Lower *lower, const Conv *conv, const ConvRow *row, LExpr **index) {
  int64_t whole = row->count / SMALL_TILE * SMALL_TILE;
  if (whole) {
    LExpr *from = nest_loop(lower, LS_FOR, "o", nest_i64(lower, 0), nest_i64(lower, whole), SMALL_TILE);
    finish_piece(lower, conv, row, index, from, SMALL_TILE);
    nest_close(lower);
  }
  for (int cols; whole < row->count; whole += cols) {
    cols = nest_piece(row->count - whole);
    finish_piece(lower, conv, row, index, nest_i64(lower, whole), cols);
  }
}

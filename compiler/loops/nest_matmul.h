// What the nest of products shares with the packing of its operands. Private to nest_matmul.c and matmul_pack.c.
#pragma once
#include "loops/nest.h"

// a [.., m, k] times b [.., k, n]
typedef struct Product {
  const Node *node;
  int leading; // dimensions before the last two
  Dim m, n, k;
  int mr, nr;    // the tile
  int64_t block; // rows of a task
  bool by_panel; // tasks of one panel follow each other, not those of one block
  LType type;
  LBuffer *packed_a, *packed; // copies of A and B, or NULL
  int64_t row_stride;         // of packed_a if it is rows, 0 if it is panels
  LExpr *index[MAX_RANK];     // of the result; the leading dimensions
  LExpr *batch;               // their common number
  bool one_b;                 // all leading indices have the same B, which is packed once
  int64_t most;   // threads whose tasks each pack their own panel, in a part of `packed`; 0: all is packed before
  int64_t apart;  // of B where its columns are packed from what runs along k: between two of them; else 0
  LExpr *thread;  // the present task's
  int64_t depth;  // of a block of k; all of k where there is one
  LBuffer *sums;  // of the result's shape, where there are more
  LExpr *k_block; // the present one
} Product;

// A (which 0) at [row, col] = [i, k], or B at [k, j], of the present leading indices.
LExpr *matmul_operand(Lower *lower, const Product *product, int which, LExpr *row, LExpr *col);
// The leading indices from their common number.
void matmul_leading(Lower *lower, Product *product, LExpr *number);
// Packs what pays, in scratch memory or once for many calls; or makes memory for it where tasks do it.
void matmul_pack(Lower *lower, Product *product, bool shared);
// A panel of B for the present task alone, `width` columns from `column` on; where it begins in product->packed.
LExpr *matmul_pack_own(Lower *lower, const Product *product, LExpr *column, int width);
// Where the rows from `row` on begin in packed_a: rows or panels, each as high as its tile, lie one after another.
LExpr *matmul_rows_start(Lower *lower, const Product *product, LExpr *row);
// Where the panel of column `panel` * nr begins; panels lie one after another, the last one as wide as it is.
LExpr *matmul_panel_start(Lower *lower, const Product *product, LExpr *panel);

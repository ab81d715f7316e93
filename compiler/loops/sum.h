// Sums in a finished kernel: loops around a tile of registers that grows by products.
#pragma once
#include "loops/nest.h"

enum { SUM_MAX_DEPTH = MAX_SPACE + 2 };

// A nest of loops around nothing but hints and a tile that adds to `acc`.
typedef struct Sum {
  LStmt *loops[SUM_MAX_DEPTH];
  int depth;
  LStmt *tile;
  const LLocal *acc;
} Sum;

// Whether the statement is one; *sum is only then whole.
bool sum_find(LStmt *stmt, Sum *sum);
// The statement beside lets and hints; NULL: there are none or several.
LStmt *sum_only_one(const LBody *body);

// Asks for what the ends of tiles read (prefetch_end.c).
void sum_prefetch_ends(Lower *lower);
// Puts several rounds in a row where a tile is low (unroll.c).
void sum_unroll(Lower *lower);

// Kernels to loops: the interface between an operation's own lowering and the nest it is inlined into.
#pragma once
#include "graph/graph.h"
#include "loops/loops.h"

// The kernel being lowered.
typedef struct Lower Lower;

// The element of `node` at `index` (one i64 expression a dimension): a load where the node is kept in memory, the nest's
// own variable where the nest has just computed it, else its operation's lowering, inlined. The same node at the same
// index is the same expression, and becomes one `let`.
LExpr *lower_value(Lower *lower, const Node *node, LExpr *const *index);

Arena *lower_arena(Lower *lower);
LoopModule *lower_module(Lower *lower);  // for mathlib_function
LExpr *lower_batch(Lower *lower);        // the batch count n, i64
LExpr *lower_dim(Lower *lower, Dim dim); // a dimension as an expression: constant or multiple of n
// A whole number kept beside the code: kernels that differ in such numbers alone are one.
LExpr *lower_datum(Lower *lower, const char *name, int64_t value);
LType ltype_of(ElemType elem);

// A lowering outside any kernel, for constant folding: lower_value inlines every node, down to constants.
Lower *lower_constants(LoopModule *module);

// The three functions of each operation. One file an operation family: ops_leaf.c, ops_point.c, ops_index.c, ops_reduce.c,
// ops_matmul.c, ops_conv.c, ops_window.c, ops_scatter.c, ops_attention.c.
#pragma once
#include "graph/graph.h"
#include "loops/lower.h"

typedef enum OpClass { LEAF, POINT, INDEX, REDUCE, CONTRACT, SCATTER, ATTENTION, SCAN } OpClass;

// Shape rule: fills *result and returns NULL, or returns a message in the user's terms. `wanted` is the type asked for
// where the inputs do not decide it (leaves, cast, broadcast, reshape, slice, pad, random); NULL elsewhere.
typedef const char *ShapeRule(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                              Type *result);

// Gradient: given the node and dL/d(node), the contributions to each input in `out` (NULL: none), appended to the graph.
// On entry out[i] is NULL where no contribution is wanted, and the rule leaves it so.
typedef void GradRule(Graph *graph, Node *node, Node *upstream, Node **out);

// Lowering: the value of one element at `index` (one i64 expression a dimension), for LEAF, POINT and INDEX operations.
// Operations of the other classes are roots of kernels with loops of their own; theirs is lower_root and never called.
typedef LExpr *LowerRule(Lower *lower, const Node *node, LExpr *const *index);

typedef struct OpInfo {
  const char *name;
  int arity;
  OpClass class;
  ShapeRule *shape;
  GradRule *grad;
  LowerRule *lower;
  const char *no_gradient; // why it has none ("integers only", "is a step function"), NULL if it has one
} OpInfo;

extern const OpInfo op_info[OP_COUNT];

#define OPERATION(name, arity, class)                                                                                  \
  ShapeRule shape_##name;                                                                                              \
  GradRule grad_##name;                                                                                                \
  LowerRule lower_##name;
#include "graph/ops.def"
#undef OPERATION

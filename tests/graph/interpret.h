// A second, slow meaning of the graph for tests: element by element, in double. Point and index operations are computed
// through their own lowering on constants; the mathematical functions are libm's; the rest are naive loops.
#pragma once
#include "graph/graph.h"

// The elements of one tensor in row-major order: reals, or integers.
typedef struct Tensor {
  Type type; // no batch dimension: the batch was given
  int64_t count;
  double *real;
  int64_t *whole;
} Tensor;

Tensor tensor_new(Arena *arena, const Type *type, int64_t batch);

// The values of every node of `graph` for these inputs, by id. Slots are zero; the clock gives 0, the batch for its count.
// Nodes that cannot be computed here (random) are zero.
Tensor *interpret(Graph *graph, int64_t batch, const Tensor *inputs);

// Reading a value by row-major number instead of by index: dimensions from `first` on are counted through as one. It
// spares divisions where a shape only passes through (reshapes, whole-tensor maps and reductions).
#pragma once
#include "graph/graph.h"

// How many of the last dimensions of a reduction's input are reduced; 0 if the last one is kept.
int flat_trailing(const Node *reduction);
bool flat_keeps_last(const Node *reduction); // a sum, maximum or minimum, not of the last dimension
// The dimensions from `first` on that are not of size one.
int flat_dims(const Type *type, int first);
// The numbers of the dimensions from `first` on are those of the memory, whatever the batch count.
bool flat_in_memory(const Type *type, int first);

// What a broadcast or reshape makes of an index whose dimensions from `first` on are one number.
typedef enum FlatStep {
  FLAT_SAME, // the input's dimensions from *in_first on are that number
  FLAT_NONE, // the input does not depend on it
  FLAT_SPLIT // the number must be taken apart
} FlatStep;
FlatStep flat_step(const Node *node, int first, int *in_first);

// The whole expression down to memory needs no division. `inlined` tells what is an expression and not memory.
bool flat_readable(const Node *node, int first, bool (*inlined)(const Node *, const void *), const void *context);

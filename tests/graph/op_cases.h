// Every operation on small tensors, for tests that loop over all: gradients against finite differences, backends against
// each other.
#pragma once
#include "graph/graph.h"

enum { OP_CASE_INPUTS = 3 };

typedef struct OpCase {
  const char *name; // unique: "slice with a step"
  Op op;            // what it is about
  int input_count;
  Type inputs[OP_CASE_INPUTS];
  Node *(*build)(Graph *graph, Node **inputs); // the result, of any type
  unsigned differentiable;                     // bit i: finite differences may be taken of input i (it is f64)
  double low, high;                            // real inputs lie in [low, high]; both 0: [-2, 2]
  int64_t below;                               // whole inputs lie in [0, below)
  double tolerance;                            // of a finite difference, relative; 0: 1e-6
} OpCase;

extern const OpCase op_cases[];
extern const int op_case_count;

// A scalar that depends on every element of `result` (f64) with weights that all differ.
Node *op_case_loss(Graph *graph, Node *result);
// Element `at` of input `input`: spread over the case's range without repeating.
double op_case_real(const OpCase *op_case, int input, int64_t at);
int64_t op_case_whole(const OpCase *op_case, int input, int64_t at);

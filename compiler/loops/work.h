// What a kernel's part of the graph asks of a machine, whatever code it becomes.
#pragma once
#include "passes/kernels.h"

// Operations on reals, and bytes. Each value of the graph counts once for each kernel that computes it:
// - a product or convolution two operations for each multiply-add, taps beyond the edge too; of attention the products of all
//   pairs of query and key but those that causality hides, an exponential and a scale for each;
// - a sum, maximum or minimum one for each element it goes over, a scatter one for each element added;
// - an element of +, -, *, /, a comparison, max, min, negation, absolute value, sign, floor or square root one; of exp, log,
//   tanh, logistic, erf, sin, cos and pow what their polynomials take (loops/mathlib.h), an fma two.
// Whole numbers, draws, conversions and movement are none. Bytes: what is read of each value in memory, and each that
// is written, once.
typedef struct Work {
  double operations[2]; // on f32, on f64
  int64_t bytes;
} Work;

// For that batch count. Of a kernel of `graph` itself, not of kind SCAN: its body's are kernels of a graph of their own.
Work work_of(const KernelGraph *graph, const Kernel *kernel, int64_t batch);

// A kernel made by lowering: operations on reals for one call of a function of the math library.
int64_t work_of_function(const LFunction *function);

// exp, log, tanh, the logistic function, erf, sin, cos, pow in the loop language: the same IEEE operations on every target, so the same bits.
#pragma once
#include "loops/loops.h"

typedef enum MathFunction {
  MATH_EXP,
  MATH_LOG,
  MATH_TANH,
  MATH_LOGISTIC,
  MATH_ERF,
  MATH_SIN,
  MATH_COS,
  MATH_POW
} MathFunction;

// The function for f32 or f64, made once for each module and added to module->functions after those it calls.
// NaN, infinities, zeros and denormals as C's own function; at most 2 ULP from the true value (logistic of f64: 2.5).
LFunction *mathlib_function(LoopModule *module, MathFunction function, LType type);

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
// a function (u64 seed, u64 stream, u64 step, u64 element) -> f32 or f64 uniform in [0, 1) with 24 or 53 random bits.
// Key: the seed; counter: (element low, element high ^ stream high, step low, stream low), see mathlib_random.c.
LFunction *mathlib_uniform(LoopModule *module, LType type);

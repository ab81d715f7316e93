// The arithmetic of the loop language on constants, shared by folding (build.c) and lx_evaluate (evaluate.c).
#pragma once
#include "loops/loops.h"

// A scalar. Reals: `real` (an f32 as the double of equal value). Integers: `integer`, extended by their own sign (u64:
// bits).
typedef struct LValue {
  double real;
  int64_t integer;
} LValue;

static inline bool ltype_real(LType type) {
  return type == L_F32 || type == L_F64;
}

// The value of `expr`'s operation on arguments of the given types and values, as generated code computes it. False for
// what has no constant value: variables, memory, calls, division by zero, reals that do not fit an integer.
bool lvalue_apply(const LExpr *expr, const LValue *args, LValue *result);

// The operation on whole numbers that it comes to by what is known of their ranges, or NULL (range.c).
LExpr *lx_by_range(Arena *arena, LOp op, LExpr *a, LExpr *b);

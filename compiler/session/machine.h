// What this machine can do, measured in this process by code that the JIT makes.
#pragma once
#include <stdbool.h>

#include "base/arena.h"

typedef struct Machine {
  int threads;
  double peak[2];   // operations a second on f32, on f64: fused multiply-adds in registers, each of them two operations
  double bandwidth; // bytes a second: a = b + c / 2, each element of the three arrays read or written once
  double bytes;     // of these arrays together, more than the caches hold
} Machine;

// Measures with so many threads. What an earlier measurement left in *machine stays where it is better, since what else
// runs makes a machine only look slower. About half a second. False with a message owned by `arena`.
bool machine_measure(Arena *arena, int threads, Machine *machine, char **error);

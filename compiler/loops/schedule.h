// Kernels to loops: tiling, packing, vectors, threads. All such decisions are made here.
#pragma once
#include "loops/loops.h"
#include "passes/kernels.h"

// What the schedule knows of the machine. Results do not depend on it, speed does.
typedef struct Target {
  int vector_bytes;     // 64: AVX-512, 32: AVX2, 16: SSE, NEON
  int vector_registers; // 32 or 16
  int64_t l1_bytes, l2_bytes;
  bool one_thread; // the code will never run on a team: no scratch memory is for others
} Target;

Target target_host(void);
// "native", or a name LLVM knows (x86-64-v3, skylake-avx512, …). False if unknown.
bool target_parse(const char *cpu, Target *target);

// Lowers every kernel of `kernels` and appends an entry of that name to `module`. Scratch memory (packed operands) lies in
// the arena after kernels->arena_bytes; module->arena_bytes becomes the largest need of all entries.
void schedule(LoopModule *module, const KernelGraph *kernels, const char *entry, const Target *target);

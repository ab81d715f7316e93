// What `nnc emit llvm` and `nnc emit asm` print. See llvm_unit.h for the emitter itself.
#pragma once
#include "base/text.h"
#include "loops/loops.h"

// `cpu` is "native" (or NULL) or a name LLVM knows.
void llvm_print(Text *out, const LoopModule *loops, const char *cpu);     // IR as the emitter made it
void llvm_print_asm(Text *out, const LoopModule *loops, const char *cpu); // optimised, for that CPU

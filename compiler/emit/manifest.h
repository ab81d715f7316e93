// The NnrtModule of a program, built once in memory; the JIT fills in its function pointers, the C emitter prints it as
// initialisers, the object emitter as constant data.
#pragma once
#include "elaborate/program.h"
#include "loops/loops.h"

// The entry behind a function of the module, by its address there: entry NULL means run stays NULL.
typedef struct ManifestEntry {
  NnrtFunction *function;
  const LEntry *entry;
} ManifestEntry;

typedef struct Manifest {
  NnrtModule module;
  VEC(ManifestEntry) entries;
} Manifest;

// The name of a function's entry: ("train", "step") is train_step. Parts of blocks are step and eval, of models predict and
// stream, so that no two have one name, whatever theirs are.
const char *manifest_entry_name(Arena *arena, const char *block, const char *part);

// What was compiled for a function of manifest->module; NULL: nothing.
const LEntry *manifest_entry_of(const Manifest *manifest, const NnrtFunction *function);

// train_step_1, after the first `unfreeze` (phase 0).
const char *manifest_phase_name(Arena *arena, const char *block, int phase);

// Functions whose entry `loops` lacks (they were not asked for) keep entry NULL.
Manifest *manifest_build(Arena *arena, const Program *program, const LoopModule *loops);

// Emitted C, made machine code by a C compiler and loaded into this process.
#pragma once
#include "loops/loops.h"
#include "nnrt.h"
#include "session/cc.h"

// All entries of the module as a shared object; to be given to dlclose. NULL with a message, also where it is for a processor
// that has more than this one.
void *shared_load(Arena *arena, const LoopModule *module, const CcOptions *options, NnrtError *error);

// NULL: there is no entry of that name.
NnrtRun *shared_entry(Arena *arena, void *library, const char *name);

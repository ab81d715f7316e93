// Loops to machine code in this process.
#pragma once
#include "loops/loops.h"
#include "nnrt.h"
#include "session/code_cache.h"

typedef struct Jit Jit;

// Compiles every entry of a module for the CPU at hand. NULL on failure, with a message owned by module->arena. The
// module may go away afterwards. What `cache` keeps is not compiled again; NULL: all is.
Jit *jit_compile(const LoopModule *module, const CodeCache *cache, char **error);
// The code of an entry, or NULL if there is none of that name. Lives as long as the Jit.
NnrtRun *jit_entry(Jit *jit, const char *name);
void jit_free(Jit *jit);

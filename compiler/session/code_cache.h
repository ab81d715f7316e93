// Machine code kept on disk from run to run, so that a program that was compiled before starts at once. What a file was made
// of stands in it whole and is compared, so none is taken for another; a damaged one is as good as none. Files appear by
// renaming: runs that share the folder see all of a file or nothing.
#pragma once
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "base/arena.h"

typedef struct CodeCache {
  const char *folder; // NULL: nothing is kept
  const char *maker;  // which build of nnc, and of LLVM
} CodeCache;

// $NNC_CACHE, where `off` means none; else nnc in $XDG_CACHE_HOME or ~/.cache. Made if it is not there; where it cannot be,
// nothing is kept, and nothing is said.
CodeCache code_cache_open(Arena *arena);

// What decides an object: the module before its passes, the machine, the makers.
typedef struct CodeKey {
  unsigned char *bytes;
  size_t count;
} CodeKey;
CodeKey code_key(Arena *arena, const CodeCache *cache, LLVMModuleRef module, LLVMTargetMachineRef machine);

// The object kept under a key, owned by the caller; NULL: there is none.
LLVMMemoryBufferRef code_cache_find(Arena *arena, const CodeCache *cache, const CodeKey *key);
// Keeps one more, and removes those that were not used for longest where all take more than CODE_CACHE_BYTES.
enum { CODE_CACHE_BYTES = 256 << 20 };
void code_cache_keep(Arena *arena, const CodeCache *cache, const CodeKey *key, LLVMMemoryBufferRef object);

// Loops and tables to an object file.
#pragma once
#include "emit/manifest.h"
#include "loops/loops.h"

// Writes an object file for `cpu` ("native", or a name LLVM knows): the entries' code, the program's NnrtModule as the
// symbol nnrt_module, and a main() that hands it to nnrt_main. To be linked with the runtime and -lm. On failure false
// and a message owned by loops->arena; no partial file stays.
bool object_write(const LoopModule *loops, const Manifest *manifest, const char *cpu, const char *path, char **error);

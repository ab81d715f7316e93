// The C compiler and the linker as commands: from emitted C, or an object file, to an executable or a shared object.
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "error.h"

typedef struct CcOptions {
  const char *cc;  // "gcc", "clang-19", "ccache gcc"; NULL: $CC, else cc
  const char *cpu; // -march=; NULL: native
  bool shared;     // a shared object of the functions alone; else an executable with the runtime
  bool debug;      // -g
  bool images;     // an executable that reads image files
} CcOptions;

// Compiles the text of a C file called `stem`.c. `output` is replaced only when all went well.
bool cc_compile(Arena *arena, const char *text, const char *stem, const CcOptions *options, const char *output,
                NnrtError *error);

// Links an object file that defines main with the runtime.
bool cc_link(Arena *arena, const char *object, const CcOptions *options, const char *output, NnrtError *error);

// A folder of its own under $TMPDIR; remove it, with the files in it, by cc_remove_folder. NULL on failure.
const char *cc_make_folder(Arena *arena, NnrtError *error);
void cc_remove_folder(const char *folder);

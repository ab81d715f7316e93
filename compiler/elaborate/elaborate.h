// Syntax tree to program: names, constants, layer calls, types, shapes; every error that can be known before running.
#pragma once
#include "elaborate/program.h"
#include "syntax/ast.h"

// --set name=value
typedef struct ConstOverride {
  const char *name, *value;
} ConstOverride;

typedef struct ElaborateOptions {
  int override_count;
  const ConstOverride *overrides;
  bool tests; // elaborate `test` blocks
  bool data;  // open data files, to learn and check shapes (off: only parse their descriptions)
} ElaborateOptions;

// NULL if there were errors, which are in `diag`. `prelude` is the parsed built-in file; imports are read and parsed here.
Program *elaborate(Arena *arena, Diag *diag, const File *prelude, const File *file, const ElaborateOptions *options);

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
  bool tests;        // elaborate `test` blocks
  bool data;         // open data files, to learn and check shapes (off: only parse their descriptions)
  bool check;        // only errors are wanted: models that nothing trains need no predict block
  bool every_model;  // a predict block for each of the file's models, also for those that no train block uses
  const char *model; // if the file has this model: a predict block for it, and nothing else
  int64_t batch;     // of predict blocks at least; 0: 1
} ElaborateOptions;

// NULL if there were errors, which are in `diag`. `prelude` is the parsed built-in file; imports are read and parsed here.
Program *elaborate(Arena *arena, Diag *diag, const File *prelude, const File *file, const ElaborateOptions *options);

// How many numbers of a kind a model, or a part of one, has.
int64_t program_numbers(const Program *program, const char *path, SlotKind kind);

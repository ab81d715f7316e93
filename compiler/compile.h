// The pipeline: source text to loops and the tables that describe them.
#pragma once
#include "elaborate/elaborate.h"
#include "emit/manifest.h"
#include "loops/schedule.h"
#include "passes/kernels.h"
#include "syntax/ast.h"

typedef struct CompileOptions {
  int override_count;
  const ConstOverride *overrides; // --set name=value
  bool no_fold, no_simplify, no_cse, no_dce, no_fuse, no_order, no_plan, no_norm, no_prepare, no_hoist, no_stream,
      no_winograd; // --disable PASS
  bool check;      // a kernel for each tensor, and a check for NaN and infinity after it, on one thread
  bool single;     // no entry uses a team of threads
  const char *cpu; // NULL or "native": this machine
  // What to compile; the rest is checked all the same.
  bool training, prediction, tests, no_init;
  bool generation;   // of text: a function for a token, or, where there is none, prediction
  bool profile;      // of train blocks the step alone, and where no block is named the first's
  const char *block; // only this train block, or this model; NULL: all
  const char *model; // only this model, as if nothing trained it; but all if the file has none of the name
  int64_t batch;     // samples of a prediction at most, where training has not more; 0: 1
  bool check_only;   // stop after elaboration
  bool models_only;  // the same, with a predict block for each model, whatever the data
  bool syntax_only;  // stop after parsing
} CompileOptions;

// One compiled function and what it was at each stage.
typedef struct CompiledFunction {
  const char *entry; // init, train_step, train_eval, classifier_predict, test_0
  Graph *graph;      // after the passes
  KernelGraph *kernels;
} CompiledFunction;

typedef struct Compilation {
  File *file;
  Program *program;
  VEC(CompiledFunction) functions;
  LoopModule *loops;
  Manifest *manifest;
  VEC(const char *) notes; // what the user should know of what was made
} Compilation;

// NULL if there were errors (in `diag`); after syntax_only only `file` is set.
Compilation *compile(Arena *arena, Diag *diag, const char *path, const CompileOptions *options);

// The same for a text that is not in a file.
Compilation *compile_source(Arena *arena, Diag *diag, const Source *source, const CompileOptions *options);

// What was compiled as the entry of that name; NULL: nothing.
const CompiledFunction *compile_function(const Compilation *compilation, const char *entry);

// --disable NAME. False if there is no such pass.
bool compile_disable(CompileOptions *options, const char *pass);

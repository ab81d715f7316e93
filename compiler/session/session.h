// What the command line asks for, once the file is compiled: run it, test it, build it.
#pragma once
#include "compile.h"
#include "session/cc.h"
#include "train.h"

typedef enum SessionTask { SESSION_TRAIN, SESSION_EVAL, SESSION_PREDICT, SESSION_GENERATE } SessionTask;

// Compiles for this machine in memory and trains, evaluates, predicts or generates text. The exit status.
int session_run(Arena *arena, const Compilation *compilation, SessionTask task, const NnrtOptions *options);

typedef struct BuildOptions {
  CcOptions cc;
  bool llvm;           // an object file by LLVM instead of C
  const char *output;  // executable
  const char *embed;   // folder for NAME.c and NAME.h instead of an executable
  const char *weights; // checkpoint for --embed; NULL: what the train block saves
} BuildOptions;
int session_build(Arena *arena, const Compilation *compilation, const BuildOptions *options);
int session_embed(Arena *arena, const Compilation *compilation, const BuildOptions *options);

// Runs a step again and again (that of the train block options->block, NULL: the first; or the prediction of the model of
// that name) and prints a table of its kernels: time, operations, bytes, fraction of the roofline, place in the source.
// What was compiled with CompileOptions.profile. The exit status.
typedef struct ProfileOptions {
  const CcOptions *cc; // by way of C; NULL: by the JIT
  const char *svg;     // where to draw the roofline; NULL: nowhere
} ProfileOptions;
int session_profile(Arena *arena, const Compilation *compilation, const ProfileOptions *asked,
                    const NnrtOptions *options);

// Runs every `test` block on both backends and compares their results bit for bit. The exit status.
int session_test(Arena *arena, const Compilation *compilation, const CcOptions *cc);

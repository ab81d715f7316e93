// The command line of nnc, in words: which command, on what, with which options.
#pragma once
#include "compile.h"
#include "session/session.h"

typedef enum Command {
  COMMAND_RUN,
  COMMAND_EVAL,
  COMMAND_PREDICT,
  COMMAND_GENERATE,
  COMMAND_CHECK,
  COMMAND_TEST,
  COMMAND_BUILD,
  COMMAND_EMIT,
  COMMAND_PLAN,
  COMMAND_PROFILE,
  COMMAND_MODELS,
  COMMAND_COUNT
} Command;

typedef struct CommandLine {
  Arena *arena;
  Command command;
  int argument_count; // after the command's name; -1: the command is still to come
  const char *arguments[3];
  VEC(ConstOverride) overrides;
  CompileOptions compile;
  BuildOptions build;
  NnrtOptions run;
  const char *svg;
  bool c; // --backend c, or a C compiler, is asked for
  VEC(int) keys; // of the options that are given
} CommandLine;

// Fills in all but `compile`, of which the passes and the processor alone. What is wrong is said, and ends the program with
// status 64.
void options_parse(int argc, char **argv, CommandLine *line);

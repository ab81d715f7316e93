// `nnc emit`, `nnc plan`, `nnc models`: stages as text on standard output.
#pragma once
#include "compile.h"
#include "session/cc.h"

bool show_knows(const char *stage);
// `cc` says for which processor, and whether C leads a debugger to the .nn lines.
void show_stage(Arena *arena, const Compilation *compilation, const char *stage, const CcOptions *cc);
// For each function of the module: the map of its arena and its peak; then parameters and multiply-adds of a step.
void show_plan(Arena *arena, const Compilation *compilation);
// A line for each model: parameters, states, multiply-adds of one sample.
void show_models(Arena *arena, const Program *program);

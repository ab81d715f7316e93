// `nnc emit`, `nnc plan`, `nnc models`: stages as text on standard output.
#pragma once
#include "compile.h"

bool show_knows(const char *stage);
// The exit status.
int show_stage(Arena *arena, const Compilation *compilation, const char *stage, const char *cpu);
// For each function of the module: the map of its arena and its peak; then parameters and multiply-adds of a step.
int show_plan(Arena *arena, const Compilation *compilation);
// A line for each model: parameters, states, multiply-adds of one sample.
int show_models(Arena *arena, const Program *program);

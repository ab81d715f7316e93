// A graph through fuse, order, plan and schedule, then run by the executor. For tests.
#pragma once
#include <criterion/criterion.h>

#include "loops/interpret.h"
#include "loops/schedule.h"
#include "passes/passes.h"

typedef struct GraphRun {
  LoopModule *module;
  KernelGraph *kernels;
  unsigned char *state, *outputs[16];
  int64_t output_bytes[16], state_bytes;
} GraphRun;

typedef struct RunOptions {
  KernelOptions kernels;
  Target target;
  int64_t batch; // of the call
  bool backwards, prepare;
  int64_t state_bytes;
} RunOptions;

static const Target wide_target = {.vector_bytes = 64, .vector_registers = 32, .l1_bytes = 32768, .l2_bytes = 1 << 20};
static const Target middle_target = {
    .vector_bytes = 32, .vector_registers = 16, .l1_bytes = 32768, .l2_bytes = 1 << 18};
static const Target narrow_target = {
    .vector_bytes = 16, .vector_registers = 16, .l1_bytes = 32768, .l2_bytes = 1 << 18};
static const KernelOptions all_passes = {true, true, true};

// Small numbers of both signs, none of them round.
static float run_value(int64_t i) {
  return (float)((i * 37 + 11) % 101 - 50) / 23.0f;
}

static inline unsigned char *run_memory(Arena *arena, int64_t bytes, bool values) {
  float *memory = arena_alloc(arena, (size_t)bytes + 64);
  for (int64_t i = 0; values && i < bytes / 4; i++)
    memory[i] = run_value(i);
  return (unsigned char *)memory;
}

static int64_t run_bytes(const Type *type, int64_t batch) {
  return type_count(type, batch) * elem_bytes(type->elem);
}

// Without running it.
static inline GraphRun lower_graph(Arena *arena, Graph *graph, const RunOptions *options, const char *name) {
  graph = pass_scan(options->prepare ? pass_hoist(graph) : graph);
  GraphRun run = {.module = arena_new_of(arena, LoopModule), .kernels = fuse(arena, graph, &options->kernels)};
  if (options->prepare)
    prepare(run.kernels);
  order(run.kernels, &options->kernels);
  plan(run.kernels, &options->kernels);
  run.module->arena = arena;
  run.module->name = "test";
  run.module->state_bytes = run.state_bytes = options->state_bytes;
  schedule(run.module, run.kernels, "test", &options->target);
  const char *fault = loops_check(run.module);
  cr_assert(!fault, "%s: %s", name, fault);
  return run;
}

// Every input and the state hold run_value(i) as f32; the arena holds no number at first.
static inline GraphRun run_graph(Arena *arena, Graph *graph, const RunOptions *options, const char *name) {
  GraphRun run = lower_graph(arena, graph, options, name);
  run.state = run_memory(arena, options->state_bytes, true);
  unsigned char *memory = run_memory(arena, run.module->arena_bytes, false);
  memset(memory, 0xff, (size_t)run.module->arena_bytes);
  const void *inputs[8];
  void *outputs[16];
  for (int i = 0; i < graph->inputs.count; i++)
    inputs[i] = run_memory(arena, run_bytes(&graph->inputs.data[i].type, graph->batch), true);
  for (int i = 0; i < graph->outputs.count; i++) {
    run.output_bytes[i] = run_bytes(&graph->outputs.data[i].value->type, graph->batch);
    outputs[i] = run.outputs[i] = run_memory(arena, run.output_bytes[i], false);
  }
  NnrtFrame frame = {run.state, memory, inputs, outputs, {3, 1, 7, 100, options->batch}, 3};
  for (int i = 0; i < run.module->entries.count; i++) { // what is prepared first
    const char *fault = interpret(run.module, run.module->entries.data[i], &frame, options->backwards);
    cr_assert(!fault, "%s: %s", name, fault);
  }
  return run;
}

static inline void same_bits(const GraphRun *a, const GraphRun *b, const char *name) {
  cr_assert(memcmp(a->state, b->state, (size_t)a->state_bytes) == 0, "%s: state", name);
  for (int i = 0; i < 16 && a->outputs[i]; i++)
    cr_assert(memcmp(a->outputs[i], b->outputs[i], (size_t)a->output_bytes[i]) == 0, "%s: output %d", name, i);
}

// `run` has the bits of the graph without passes over kernels.
static inline void same_as_plain(Arena *arena, Graph *graph, RunOptions options, const GraphRun *run,
                                 const char *name) {
  options.kernels = (KernelOptions){false, false, false};
  GraphRun plain = run_graph(arena, graph, &options, name);
  same_bits(&plain, run, name);
}

// Fusion, ordering and planning change no bit: random graphs with every combination of the three, run by the executor of
// tests/loops, for a full and a short batch, loops forwards and backwards.
#include <criterion/criterion.h>

#include "loops/interpret.h"
#include "loops/schedule.h"
#include "passes/random_graph.h"

typedef struct Run {
  unsigned char *state, *outputs[8];
  int64_t output_bytes[8];
} Run;

static float start_value(int64_t i) { return (float)((i * 37 + 11) % 101 - 50) / 23.0f; }

static void fill(unsigned char *memory, int64_t bytes) {
  float *values = (float *)memory;
  for (int64_t i = 0; i < bytes / 4; i++)
    values[i] = start_value(i);
}

static Run execute(Arena *arena, const RandomGraph *g, KernelOptions options, int64_t batch, bool backwards,
                   Target target, int64_t seed) {
  KernelGraph *kernels = fuse(arena, g->graph, &options);
  order(kernels, &options);
  plan(kernels, &options);
  LoopModule *module = arena_new_of(arena, LoopModule);
  module->arena = arena;
  module->name = "test";
  module->state_bytes = g->state_bytes;
  schedule(module, kernels, "test", &target);
  const char *fault = loops_check(module);
  cr_assert(!fault, "seed %lld: %s", (long long)seed, fault);
  Run run = {.state = arena_alloc(arena, (size_t)g->state_bytes + 64)};
  unsigned char *memory = arena_alloc(arena, (size_t)module->arena_bytes + 64);
  memset(memory, 0xff, (size_t)module->arena_bytes);
  fill(run.state, g->state_bytes);
  const void *inputs[4];
  void *outputs[8];
  for (int i = 0; i < g->graph->inputs.count; i++) {
    int64_t bytes = type_count(&g->graph->inputs.data[i].type, g->graph->batch) * 4;
    unsigned char *input = arena_alloc(arena, (size_t)bytes + 64);
    fill(input, bytes);
    inputs[i] = input;
  }
  for (int i = 0; i < g->graph->outputs.count; i++) {
    const Type *type = &g->graph->outputs.data[i].value->type;
    run.output_bytes[i] = type_count(type, g->graph->batch) * elem_bytes(type->elem);
    outputs[i] = run.outputs[i] = arena_alloc(arena, (size_t)run.output_bytes[i] + 64);
  }
  NnrtFrame frame = {run.state, memory, inputs, outputs, {3, 1, 7, 100, batch}, 1};
  fault = interpret(module, module->entries.data[0], &frame, backwards);
  cr_assert(!fault, "seed %lld: %s", (long long)seed, fault);
  return run;
}

static void compare(const RandomGraph *g, const Run *a, const Run *b, int64_t seed, int how) {
  cr_assert(memcmp(a->state, b->state, (size_t)g->state_bytes) == 0, "seed %lld, way %d: state", (long long)seed, how);
  for (int i = 0; i < g->graph->outputs.count; i++)
    cr_assert(memcmp(a->outputs[i], b->outputs[i], (size_t)a->output_bytes[i]) == 0, "seed %lld, way %d: output %d",
              (long long)seed, how, i);
}

static void check_graph(int64_t seed, int size) {
  Arena *arena = arena_new();
  RandomGraph g = random_graph(arena, (uint64_t)seed, size);
  Target wide = {64, 32, 32768, 1 << 20}, narrow = {16, 16, 32768, 1 << 18};
  for (int64_t batch = 6; batch > 0; batch -= 5) {
    Run plain = execute(arena, &g, (KernelOptions){false, false, false}, batch, false, wide, seed);
    for (int way = 1; way < 8; way++) {
      KernelOptions options = {way & 1, way & 2, way & 4};
      Run run = execute(arena, &g, options, batch, way & 2, way & 4 ? narrow : wide, seed);
      compare(&g, &plain, &run, seed, way);
    }
  }
  arena_free(arena);
}

#define RANDOM_TEST(name, first, count, size)                                                                          \
  Test(kernels, name, .timeout = 120) {                                                                                \
    for (int64_t seed = first; seed < first + count; seed++)                                                           \
      check_graph(seed, size);                                                                                         \
  }
RANDOM_TEST(random_small, 1, 150, 14)
RANDOM_TEST(random_middle, 1000, 60, 30)
RANDOM_TEST(random_large, 2000, 20, 60)

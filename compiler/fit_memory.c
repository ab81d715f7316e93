// The `memory` of a train block: of the ways to compute values again that fit, the one with the fewest multiplications.
#include "fit_memory.h"

#include "passes/passes.h"

typedef struct Fit {
  const Graph *graph;
  const LoweringOptions *lowering;
  const int64_t *bytes; // by node id: what it takes in memory, 0 if it is computed inside its readers
} Fit;

typedef struct Way {
  int segments, again;
  int64_t bytes;
  double cost;
  bool fits;
} Way;

// The bytes of values and scratch memory that a step of the graph takes.
static int64_t measure(const Fit *fit, Graph *graph) {
  LoopModule module = {.arena = graph->arena, .name = "fit"};
  graph_to_loops(&module, pass_scan(graph), "step", fit->lowering);
  return module.arena_bytes;
}

static void find_bytes(const Fit *fit, Graph *graph, int64_t *bytes) {
  const KernelGraph *kernels = fuse(graph->arena, graph, &fit->lowering->kernels);
  for (int id = 0; id < graph->nodes.count; id++)
    if (kernels->buffers[id].place.space == SPACE_ARENA)
      bytes[id] = kernels->buffers[id].bytes;
}

// Everything that is made for a trial goes with it.
static Graph on_trial(const Fit *fit) {
  Graph graph = *fit->graph;
  graph.arena = arena_new();
  return graph;
}

static Way try_way(const Fit *fit, int segments, int again) {
  Graph graph = on_trial(fit);
  Way way = {.segments = segments, .again = again};
  way.bytes = measure(fit, pass_recompute(&graph, fit->bytes, segments, again, &way.cost));
  arena_free(graph.arena);
  return way;
}

// With so many segments, the fewest of them computed again that fit; the least bytes of all that were tried in *least.
static Way search(const Fit *fit, int segments, int64_t memory, int64_t *least) {
  Way best = {0};
  int low = 1, high = segments;
  while (low <= high) {
    int again = (low + high) / 2;
    Way way = try_way(fit, segments, again);
    way.fits = way.bytes <= memory;
    *least = way.bytes < *least ? way.bytes : *least;
    if (way.fits)
      best = way;
    high = way.fits ? again - 1 : high;
    low = way.fits ? low : again + 1;
  }
  return best;
}

Graph *fit_memory(Arena *arena, Diag *diag, Graph *graph, const TrainBlock *train, const LoweringOptions *lowering,
                  const char **note) {
  static const int segments[] = {4, 8, 16, 32};
  int64_t *bytes = arena_array(arena, int64_t, graph->nodes.count + 1);
  Fit fit = {.graph = graph, .lowering = lowering, .bytes = bytes};
  Graph trial = on_trial(&fit);
  int64_t whole = measure(&fit, &trial), least = whole;
  find_bytes(&fit, &trial, bytes);
  arena_free(trial.arena);
  if (whole <= train->memory)
    return graph;
  Way best = {0};
  for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
    Way way = search(&fit, segments[i], train->memory, &least);
    if (way.fits && (!best.fits || way.cost < best.cost))
      best = way;
  }
  if (!best.fits) {
    diag_error(diag, train->memory_span, "a step of `%s` takes %.4g MB, and %.4g MB when values are computed again",
               train->name, 1e-6 * (double)whole, 1e-6 * (double)least);
    diag_hint(diag, "a smaller batch takes less");
    return graph;
  }
  double all = (double)graph_multiply_adds(graph, graph->batch);
  *note = arena_printf(arena, "%s: a step takes %.4g MB instead of %.4g, for %.0f %% more multiplications", train->name,
                       1e-6 * (double)best.bytes, 1e-6 * (double)whole, all > 0 ? 100 * best.cost / all : 0.0);
  return pass_recompute(graph, bytes, best.segments, best.again, &best.cost);
}

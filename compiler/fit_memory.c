// The `memory` of a train block: of the ways to compute values again that fit, the one with the fewest multiplications. What is
// tried: to forget whole segments of the forward half, which bounds what is alive at once however deep the network is; and to
// forget values one by one, the cheapest first, each if less is alive at once without it.
#include "fit_memory.h"

#include "passes/passes.h"

// What gradients find in memory, what a step takes then, and the multiply-adds it makes more.
typedef struct Way {
  const bool *kept; // NULL: none was found
  int64_t bytes;
  double cost;
} Way;

typedef struct Fit {
  const Graph *graph;
  const LoweringOptions *lowering;
  Arena *trial;
  const int64_t *bytes;  // by node id: what it takes in memory, 0 if it is computed inside its readers
  int64_t memory, least; // asked, and the least of all ways that were tried
  Way best;              // of those that fit
} Fit;

// ---- trials
// Everything that is made for a trial goes with the next.
static Graph on_trial(const Fit *fit) {
  Graph graph = *fit->graph;
  arena_reset(fit->trial);
  graph.arena = fit->trial;
  return graph;
}

// The bytes of values and scratch memory that a step of the graph takes.
static int64_t measure(const Fit *fit, Graph *graph) {
  LoopModule module = {.arena = graph->arena, .name = "fit"};
  graph_to_loops(&module, pass_scan(graph), "step", fit->lowering);
  return module.arena_bytes;
}

// Those of values alone, which is quicker.
static int64_t values_of_step(Fit *fit, const bool *kept) {
  Graph graph = on_trial(fit);
  double cost;
  Graph *less = pass_scan(pass_recompute(&graph, kept, fit->bytes, &cost));
  return graph_to_kernels(graph.arena, less, fit->lowering)->arena_bytes;
}

static const bool *copy(const Fit *fit, const bool *kept) {
  return arena_copy(fit->graph->arena, kept, (size_t)graph_turn(fit->graph) * sizeof *kept);
}

static int64_t bytes_of_step(Fit *fit, const bool *kept) {
  Graph graph = on_trial(fit);
  Way way = {0};
  way.bytes = measure(fit, pass_recompute(&graph, kept, fit->bytes, &way.cost));
  fit->least = way.bytes < fit->least ? way.bytes : fit->least;
  if (way.bytes <= fit->memory && (!fit->best.kept || way.cost < fit->best.cost)) {
    way.kept = copy(fit, kept);
    fit->best = way;
  }
  return way.bytes;
}

static void find_bytes(const Fit *fit, const Graph *graph, int64_t *bytes) {
  const KernelGraph *kernels = fuse(graph->arena, graph, &fit->lowering->kernels);
  for (int id = 0; id < graph->nodes.count; id++)
    if (kernels->buffers[id].place.space == SPACE_ARENA)
      bytes[id] = kernels->buffers[id].bytes;
}

// ---- ways
// With so many segments, the fewest of them forgotten that fit.
static void try_segments(Fit *fit, int segments) {
  int low = 1, high = segments;
  while (low <= high) {
    int again = (low + high) / 2;
    if (bytes_of_step(fit, keep_later_segments(fit->graph, fit->bytes, segments, again)) <= fit->memory)
      high = again - 1;
    else
      low = again + 1;
  }
}

// Values that may be forgotten, the cheapest first; those before `next` are decided on.
typedef struct Values {
  const int *ids;
  int next, count;
  bool *kept; // by id
} Values;

static void keep_next(Values *values, int count, bool keep) {
  for (int i = values->next; i < values->next + count; i++)
    values->kept[values->ids[i]] = keep;
}

static int64_t bytes_of_next(const Fit *fit, const Values *values, int count) {
  int64_t bytes = 0;
  for (int i = values->next; i < values->next + count; i++)
    bytes += fit->bytes[values->ids[i]];
  return bytes;
}

// Forgets values without which less is alive at once, until the step fits: several together if nearly all that they take is saved.
static bool forget(Fit *fit, Values *values) {
  int64_t least = values_of_step(fit, values->kept);
  bool fits = false;
  for (int together = 8; values->next < values->count && !fits;) {
    int left = values->count - values->next;
    together = together < left ? together : left;
    keep_next(values, together, false);
    int64_t saved = least - values_of_step(fit, values->kept);
    bool well = together == 1 ? saved > 0 : saved > bytes_of_next(fit, values, together) / 4 * 3;
    keep_next(values, together, !well);
    values->next += well || together == 1 ? together : 0;
    together = well ? 2 * together : together > 1 ? together / 2 : 1;
    least -= well ? saved : 0;
    fits = well && least <= fit->memory && bytes_of_step(fit, values->kept) <= fit->memory;
  }
  return fits;
}

// What need not be forgotten after all is kept, the dearest first.
static void keep_more(Fit *fit, const Values *values) {
  enum { TRIES = 24 };
  for (int i = values->next - 1, tries = 0; i >= 0 && tries < TRIES; i--) {
    bool *kept = &values->kept[values->ids[i]];
    if (*kept)
      continue;
    *kept = true;
    *kept = bytes_of_step(fit, values->kept) <= fit->memory;
    tries++;
  }
}

static void try_values(Fit *fit) {
  Values values = {.kept = keep_stored(fit->graph, fit->bytes)};
  values.ids = cheapest_first(fit->graph, fit->bytes, &values.count);
  if (forget(fit, &values))
    keep_more(fit, &values);
}

static void try_ways(Fit *fit) {
  static const int segments[] = {4, 8, 16, 32};
  double little = 0.01 * (double)graph_multiply_adds(fit->graph, fit->graph->batch);
  try_values(fit);
  for (size_t i = 0; i < sizeof segments / sizeof *segments; i++)
    if (!fit->best.kept || fit->best.cost > little)
      try_segments(fit, segments[i]);
}

Graph *fit_memory(Arena *arena, Diag *diag, Graph *graph, const TrainBlock *train, const LoweringOptions *lowering,
                  const char **note) {
  int64_t *bytes = arena_array(arena, int64_t, graph->nodes.count + 1);
  Fit fit = {.graph = graph, .lowering = lowering, .trial = arena_new(), .bytes = bytes, .memory = train->memory};
  Graph trial = on_trial(&fit);
  int64_t whole = fit.least = measure(&fit, &trial);
  find_bytes(&fit, &trial, bytes);
  if (whole > train->memory)
    try_ways(&fit);
  arena_free(fit.trial);
  if (whole <= train->memory)
    return graph;
  if (!fit.best.kept) {
    diag_error(diag, train->memory_span, "a step of `%s` takes %.4g MB, and %.4g MB when values are computed again",
               train->name, 1e-6 * (double)whole, 1e-6 * (double)fit.least);
    diag_hint(diag, "a smaller batch takes less");
    return graph;
  }
  double all = (double)graph_multiply_adds(graph, graph->batch);
  *note = arena_printf(arena, "%s: a step takes %.4g MB instead of %.4g, for %.0f %% more multiplications", train->name,
                       1e-6 * (double)fit.best.bytes, 1e-6 * (double)whole, all > 0 ? 100 * fit.best.cost / all : 0.0);
  return pass_recompute(graph, fit.best.kept, bytes, &fit.best.cost);
}

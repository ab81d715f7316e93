// Values computed again for gradients: the same bits in less memory, whichever are kept; which ones are cheap; and room for scratch
// memory between values.
#include "graph/grad.h"
#include "loops/run_graph.h"

enum { LAYERS = 6, SIZE = 32, VALUE_BYTES = SIZE * SIZE * 4 };

static Node *new_input(Graph *graph, const char *name) {
  return graph_input(graph, name, (Type){.elem = F32, .rank = 2, .dim = {SIZE, SIZE}});
}

// Layers of a product and a cube of it, and the gradients of a sum. What is in memory: the products, which the cubes' gradients
// read, and the cubes, which the next products do.
static Graph *new_layers(Arena *arena) {
  Graph *graph = graph_new(arena, "test", 0);
  Node *x = new_input(graph, "x"), *weights[LAYERS], *gradients[LAYERS];
  for (int i = 0; i < LAYERS; i++) {
    weights[i] = new_input(graph, arena_printf(arena, "w%d", i));
    Node *product = graph_matmul(graph, x, weights[i]);
    product = graph_binary(graph, OP_mul, product, graph_constant(graph, product->type, 0.01));
    x = graph_binary(graph, OP_mul, product, graph_binary(graph, OP_mul, product, product));
  }
  grad(graph, graph_reduce(graph, OP_reduce_sum, x, 2, (int[]){0, 1}, false), LAYERS, weights, gradients);
  for (int i = 0; i < LAYERS; i++)
    vec_push(arena, &graph->outputs, (GraphOutput){arena_printf(arena, "d%d", i), gradients[i]});
  return graph;
}

// By node id.
static int64_t *bytes_of(Graph *graph) {
  const KernelGraph *kernels = fuse(graph->arena, graph, &all_passes);
  int64_t *bytes = arena_array(graph->arena, int64_t, graph->nodes.count);
  for (int i = 0; i < graph->nodes.count; i++)
    if (kernels->buffers[i].place.space == SPACE_ARENA)
      bytes[i] = kernels->buffers[i].bytes;
  return bytes;
}

static GraphRun run_kept(Graph *graph, const bool *kept, const int64_t *bytes, double *cost) {
  RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
  return run_graph(graph->arena, kept ? pass_recompute(graph, kept, bytes, cost) : graph, &options, "layers");
}

Test(memory, values_computed_again) {
  Arena *arena = arena_new();
  Graph *graph = new_layers(arena);
  const int64_t *bytes = bytes_of(graph);
  GraphRun whole = run_kept(graph, NULL, NULL, NULL);
  double cost;
  int64_t least = whole.kernels->arena_bytes;
  for (int segments = 2; segments <= LAYERS; segments++)
    for (int again = 1; again <= segments; again++) {
      GraphRun run = run_kept(graph, keep_later_segments(graph, bytes, segments, again), bytes, &cost);
      same_bits(&whole, &run, "segments");
      least = run.kernels->arena_bytes < least ? run.kernels->arena_bytes : least;
    }
  cr_expect_leq(least, whole.kernels->arena_bytes - 3 * VALUE_BYTES);
  arena_free(arena);
}

// A cube takes nothing but its product, so it comes first; a product takes SIZE multiply-adds for each element.
Test(memory, cheap_values_are_forgotten_first) {
  Arena *arena = arena_new();
  Graph *graph = new_layers(arena);
  const int64_t *bytes = bytes_of(graph);
  int count;
  const int *values = cheapest_first(graph, bytes, &count);
  bool *kept = keep_stored(graph, bytes);
  double cost;
  GraphRun whole = run_kept(graph, NULL, NULL, NULL), same = run_kept(graph, kept, bytes, &cost);
  cr_expect_eq(cost, 0);
  cr_expect_eq(same.kernels->arena_bytes, whole.kernels->arena_bytes);
  int cheap = 0;
  for (int i = 0; i < count; i++) {
    kept[values[i]] = false;
    GraphRun run = run_kept(graph, kept, bytes, &cost);
    same_bits(&whole, &run, "values");
    cheap += cost == 0;
    if (i == LAYERS - 2)
      cr_expect_leq(run.kernels->arena_bytes, whole.kernels->arena_bytes - (LAYERS - 2) * VALUE_BYTES);
  }
  cr_expect_eq(cheap, LAYERS - 1, "%d of %d", cheap, count);
  cr_expect_geq(cost, (double)(count - cheap) * SIZE * SIZE * SIZE);
  arena_free(arena);
}

// One kernel computes neither a value and the same again, or both would lie there all the time.
Test(memory, again_is_apart_from_first) {
  Arena *arena = arena_new();
  Graph *graph = new_layers(arena);
  const int64_t *bytes = bytes_of(graph);
  int count, twice = 0;
  const int *values = cheapest_first(graph, bytes, &count);
  bool *kept = keep_stored(graph, bytes);
  for (int i = 0; i < count; i++)
    kept[values[i]] = false;
  double cost;
  GraphRun run = run_kept(graph, kept, bytes, &cost);
  for (int i = 0; i < run.kernels->kernels.count; i++) {
    const Kernel *kernel = run.kernels->kernels.data[i];
    bool again = false, first = false;
    for (int k = 0; k < kernel->nodes.count; k++) {
      again = again || kernel->nodes.data[k]->again;
      first = first || !(kernel->nodes.data[k]->again || kernel->nodes.data[k]->gradient);
    }
    cr_expect(!again || !first, "%s", kernel->name);
    twice += again;
  }
  cr_expect_geq(twice, LAYERS - 1);
  arena_free(arena);
}

Test(memory, scratch_lies_between_values) {
  Arena *arena = arena_new();
  Graph *graph = graph_new(arena, "test", 0);
  Node *x = new_input(graph, "x"), *a = graph_matmul(graph, x, x), *b = graph_matmul(graph, a, x);
  Node *c = graph_matmul(graph, b, x);
  vec_push(arena, &graph->outputs, (GraphOutput){"y", graph_matmul(graph, graph_matmul(graph, a, b), c)});
  KernelGraph *kernels = fuse(arena, graph, &all_passes);
  order(kernels, &all_passes);
  plan(kernels, &all_passes);
  Life *lives = arena_array(arena, Life, kernels->nodes.count);
  for (int i = 0; i < kernels->nodes.count; i++)
    lives[i].first = -1;
  const Node *values[] = {a, b, c};
  const int64_t offsets[] = {0, 3 * VALUE_BYTES, 5 * VALUE_BYTES};
  for (int i = 0; i < 3; i++) {
    lives[values[i]->id] = (Life){0, i == 1 ? 0 : 1};
    kernels->buffers[values[i]->id].place.offset = offsets[i];
  }
  cr_expect_eq(plan_gap(kernels, lives, 0, 100), 4 * VALUE_BYTES, "the tightest");
  cr_expect_eq(plan_gap(kernels, lives, 0, 2 * VALUE_BYTES), VALUE_BYTES);
  cr_expect_eq(plan_gap(kernels, lives, 0, 2 * VALUE_BYTES + 1), 6 * VALUE_BYTES, "behind them all");
  cr_expect_eq(plan_gap(kernels, lives, 1, 4 * VALUE_BYTES), VALUE_BYTES, "where the second has died");
  cr_expect_eq(plan_gap(kernels, lives, 2, 8 * VALUE_BYTES), 0, "nothing is alive");
  arena_free(arena);
}

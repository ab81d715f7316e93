// Fusion, ordering and planning change no bit: random graphs with every combination of the three, run by the executor of
// tests/loops, for a full and a short batch, loops forwards and backwards. And what they are for: fewer kernels, less memory.
#include "graph/grad.h"
#include "loops/run_graph.h"
#include "passes/random_graph.h"
#include "sanitized.h"

enum { SHARE = SANITIZED ? 3 : 1 }; // slow there, and the plain build runs them all

static void check_graph(int64_t seed, int size, bool wide) {
  Arena *arena = arena_new();
  RandomGraph g = random_graph(arena, (uint64_t)seed, size, wide);
  for (int64_t batch = g.graph->batch; batch > 0; batch -= g.graph->batch - 1) {
    RunOptions options = {.target = wide_target, .batch = batch, .state_bytes = g.state_bytes};
    GraphRun plain = run_graph(arena, g.graph, &options, arena_printf(arena, "seed %lld", (long long)seed));
    for (int way = 1; way < 8; way++) {
      options.kernels = (KernelOptions){way & 1, way & 2, way & 4};
      options.backwards = way & 2;
      options.prepare = way & 4;
      options.target = way & 4 ? narrow_target : wide_target;
      const char *name = arena_printf(arena, "seed %lld, way %d, batch %d", (long long)seed, way, (int)batch);
      GraphRun run = run_graph(arena, g.graph, &options, name);
      same_bits(&plain, &run, name);
    }
  }
  arena_free(arena);
}

#define RANDOM_TEST(name, first, count, size, wide)                                                                    \
  Test(kernels, name, .timeout = 300) {                                                                                \
    for (int64_t seed = first; seed < first + count; seed += SHARE)                                                    \
      check_graph(seed, size, wide);                                                                                   \
  }
RANDOM_TEST(random_small, 1, 150, 14, false)
RANDOM_TEST(random_middle, 1000, 60, 30, false)
RANDOM_TEST(random_large, 2000, 20, 60, false)
RANDOM_TEST(random_wide, 3000, 6, 24, true)

static Slot *new_slot(Arena *arena, const char *name, Type type, int64_t offset) {
  Slot *slot = arena_new_of(arena, Slot);
  *slot = (Slot){.name = name, .type = type, .offset = offset};
  return slot;
}

static Graph *new_graph(Arena *arena, int64_t batch) {
  Graph *graph = graph_new(arena, "test", batch);
  graph->scope = "";
  return graph;
}

static void output(Graph *graph, Node *value) {
  vec_push(graph->arena, &graph->outputs, (GraphOutput){"out", value});
}

static KernelGraph *kernels_of(Graph *graph) {
  KernelGraph *kernels = fuse(graph->arena, graph, &all_passes);
  order(kernels, &all_passes);
  plan(kernels, &all_passes);
  return kernels;
}

Test(kernels, layer_is_one_kernel) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 32);
  Node *x = graph_input(graph, "x", shape_of(2, (Dim[]){DIM_BATCH, 20}));
  Node *w = graph_slot(graph, new_slot(arena, "w", shape_of(2, (Dim[]){20, 30}), 0));
  Node *b = graph_slot(graph, new_slot(arena, "b", shape_of(1, (Dim[]){30}), 2432));
  output(graph, graph_unary(graph, OP_tanh, graph_binary(graph, OP_add, graph_matmul(graph, x, w), b)));
  KernelGraph *kernels = kernels_of(graph);
  cr_expect_eq(kernels->kernels.count, 1);
  cr_expect_eq(kernels->kernels.data[0]->kind, KERNEL_CONTRACT);
  cr_expect_eq(kernels->arena_bytes, 0);
  arena_free(arena);
}

Test(kernels, softmax_is_one_kernel) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 32);
  Node *x = graph_input(graph, "x", shape_of(2, (Dim[]){DIM_BATCH, 20}));
  int axis = 1;
  Node *shifted = graph_binary(graph, OP_sub, x, graph_reduce(graph, OP_reduce_max, x, 1, &axis, true));
  Node *powers = graph_unary(graph, OP_exp, shifted);
  output(graph, graph_binary(graph, OP_div, powers, graph_reduce(graph, OP_reduce_sum, powers, 1, &axis, true)));
  KernelGraph *kernels = kernels_of(graph);
  cr_expect_eq(kernels->kernels.count, 1);
  cr_expect_eq(kernels->kernels.data[0]->kind, KERNEL_ROW);
  arena_free(arena);
}

// Values and lse come from one kernel, delta from a second, dL/dq from a third, dL/dk and dL/dv from a fourth; the mask is
// never stored.
Test(kernels, attention_shares_its_tiles) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 32);
  Node *inputs[4], *slopes[3];
  for (int i = 0; i < 4; i++)
    inputs[i] = graph_input(graph, "x", shape_of(3, (Dim[]){DIM_BATCH, 20, 30}));
  Type places = {.elem = I64, .rank = 2, .dim = {20, 20}};
  Node *query = graph_iota(graph, places, 0), *key = graph_iota(graph, places, 1),
       *far = graph_constant(graph, places, 9);
  Node *near = graph_binary(graph, OP_and, graph_binary(graph, OP_lt, graph_binary(graph, OP_sub, query, far), key),
                            graph_binary(graph, OP_lt, graph_binary(graph, OP_sub, key, far), query));
  Node *o = graph_attention(graph, inputs[0], inputs[1], inputs[2], near, false, 1);
  Node *loss = graph_binary(graph, OP_mul, o, inputs[3]);
  grad(graph, graph_reduce(graph, OP_reduce_sum, loss, 3, (int[]){0, 1, 2}, false), 3, inputs, slopes);
  for (int i = 0; i < 3; i++)
    output(graph, slopes[i]);
  KernelGraph *kernels = kernels_of(graph);
  int found = 0, results = 0;
  for (int i = 0; i < kernels->kernels.count; i++)
    if (kernels->kernels.data[i]->kind == KERNEL_ATTENTION) {
      found++;
      results += kernels->kernels.data[i]->nodes.count;
    }
  cr_expect(found == 3 && results == 5, "%d kernels with %d results", found, results);
  for (int i = 0; i < graph->nodes.count; i++)
    cr_expect(graph->nodes.data[i]->type.elem != BOOL || !kernels->buffers[i].bytes);
  arena_free(arena);
}

// w := w - (x^T @ g) * 0.1, where the gradient of x needs w before: no gradient in memory, w written in place and last.
Test(kernels, update_after_readers) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 32);
  Node *x = graph_input(graph, "x", shape_of(2, (Dim[]){DIM_BATCH, 20}));
  Node *g = graph_input(graph, "g", shape_of(2, (Dim[]){DIM_BATCH, 30}));
  Slot *slot = new_slot(arena, "w", shape_of(2, (Dim[]){20, 30}), 0);
  Node *w = graph_slot(graph, slot);
  int swap[] = {1, 0};
  Node *gradient = graph_matmul(graph, graph_transpose(graph, x, swap), g);
  Node *rate = graph_constant(graph, type_scalar(F32), 0.1);
  Node *updated = graph_binary(graph, OP_sub, w, graph_binary(graph, OP_mul, gradient, rate));
  vec_push(arena, &graph->updates, (GraphUpdate){slot, updated});
  output(graph, graph_matmul(graph, g, graph_transpose(graph, w, swap)));
  KernelGraph *kernels = kernels_of(graph);
  cr_expect_eq(kernels->kernels.count, 2);
  cr_expect_eq(kernels->arena_bytes, 0);
  cr_expect_eq(kernels->buffers[updated->id].place.space, SPACE_STATE);
  cr_expect_eq(kernels->kernel_of[updated->id], kernels->kernels.data[1]->id);
  arena_free(arena);
}

// Convolutions' weights, folded or plain, are packed before the calls; what follows from the batch or an updated slot is not.
Test(kernels, steady_values_are_prepared) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 2);
  Node *x = graph_input(graph, "x", shape_of(4, (Dim[]){DIM_BATCH, 6, 6, 24}));
  Slot *filter = new_slot(arena, "w", shape_of(4, (Dim[]){3, 3, 24, 40}), 0);
  Slot *scale = new_slot(arena, "s", shape_of(1, (Dim[]){40}), 9 * 24 * 40 * 4);
  Slot *shift = new_slot(arena, "b", shape_of(1, (Dim[]){40}), scale->offset + 192);
  int axes[] = {0, 1, 2};
  Node *filters = graph_slot(graph, filter), *squares = graph_binary(graph, OP_mul, filters, filters);
  Node *norm = graph_unary(graph, OP_sqrt, graph_reduce(graph, OP_reduce_sum, squares, 3, axes, false));
  Node *w = graph_binary(graph, OP_mul, filters, graph_binary(graph, OP_div, graph_slot(graph, scale), norm));
  Attr attr = {.space = 2, .groups = 1, .window = {{3, 1, 1, 1, 1}, {3, 1, 1, 1, 1}}};
  Type shape = shape_of(4, (Dim[]){DIM_BATCH, 6, 6, 40});
  Node *y = graph_binary(graph, OP_add, graph_conv(graph, x, w, &attr, &shape), graph_slot(graph, shift));
  output(graph, y);
  Node *sum = graph_reduce(graph, OP_reduce_sum, y, 3, axes, false);
  vec_push(arena, &graph->updates, (GraphUpdate){shift, sum});
  RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 2, .state_bytes = shift->offset + 192};
  GraphRun plain = run_graph(arena, graph, &options, "packed at each call");
  options.prepare = true;
  GraphRun run = run_graph(arena, graph, &options, "prepared");
  same_bits(&plain, &run, "prepared");
  const LEntry *prepared = run.module->entries.data[0], *calls = run.module->entries.data[1];
  cr_expect_eq(run.kernels->prepared.count, 1); // the norm
  cr_expect_eq(calls->prepare, prepared);
  cr_expect_eq(prepared->calls.count, 2);
  cr_expect_eq(calls->prepared_bytes, 192 + 9 * 24 * 40 * 4);
  cr_expect(calls->arena_bytes < plain.module->entries.data[0]->arena_bytes);
  arena_free(arena);
}

// Two readers of an activation: convolutions of `size` taps that do or do not copy what they read.
static const Node *activation_before(Graph *graph, int64_t size, int64_t before, Op op) {
  Node *x = graph_input(graph, "x", shape_of(4, (Dim[]){2, 8, 8, 16}));
  Node *shift = graph_broadcast(graph, graph_input(graph, "shift", shape_of(1, (Dim[]){16})), &x->type);
  Node *scale = graph_broadcast(graph, graph_input(graph, "scale", shape_of(1, (Dim[]){16})), &x->type);
  Attr attr = {.space = 2, .groups = 1, .window = {{size, 1, 1, before, 1}, {size, 1, 1, before, 1}}};
  Node *w = graph_input(graph, "w", shape_of(4, (Dim[]){size, size, 16, 16}));
  Node *y = graph_conv(graph, x, w, &attr, &x->type);
  Node *norm = graph_binary(graph, OP_add, graph_binary(graph, OP_mul, y, scale), shift);
  Node *value = graph_binary(graph, OP_max, graph_unary(graph, op, graph_binary(graph, OP_mul, norm, scale)), shift);
  output(graph, graph_conv(graph, value, w, &attr, &x->type));
  output(graph, graph_node(graph, OP_conv_weight, 2, (Node *[]){value, x}, &attr, NULL));
  return value;
}

Test(kernels, convolutions_compute_what_they_copy) {
  struct {
    int64_t size, before;
    Op op;
    bool stored;
  } cases[] = {{3, 1, OP_abs, false}, {1, 0, OP_abs, true}, {3, 1, OP_exp, true}};
  for (int i = 0; i < 3; i++) {
    Arena *arena = arena_new();
    Graph *graph = new_graph(arena, 0);
    const Node *value = activation_before(graph, cases[i].size, cases[i].before, cases[i].op);
    RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
    GraphRun run = run_graph(arena, graph, &options, "computed");
    cr_expect_eq(run.kernels->buffers[value->id].bytes > 0, cases[i].stored, "%d", i);
    same_as_plain(arena, graph, options, &run, "computed");
    arena_free(arena);
  }
}

// A product is joined to what flows round it and masked: three readers had better read the result than what it is made of, and
// the product need not be written then. What the caches hold is computed again.
Test(kernels, what_is_made_of_much_is_kept) {
  for (int large = 0; large < 2; large++) {
    Arena *arena = arena_new();
    Graph *graph = new_graph(arena, 0);
    int64_t rows = large ? 1024 : 64;
    Type shape = shape_of(2, (Dim[]){rows, 256});
    Node *a = graph_input(graph, "a", shape_of(2, (Dim[]){rows, 16}));
    Node *round = graph_input(graph, "round", shape), *mask = graph_input(graph, "mask", shape);
    Node *product = graph_matmul(graph, a, graph_input(graph, "b", shape_of(2, (Dim[]){16, 256})));
    Node *zero = graph_constant(graph, shape, 0);
    Node *joined =
        graph_select(graph, graph_binary(graph, OP_lt, zero, mask), graph_binary(graph, OP_add, product, round), zero);
    int first = 0;
    output(graph, graph_reduce(graph, OP_reduce_sum, joined, 1, &first, false));
    output(graph, graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, joined, mask), 1, &first, false));
    output(graph, graph_binary(graph, OP_add, joined, mask));
    RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
    GraphRun run = run_graph(arena, graph, &options, "kept");
    cr_expect_eq(run.kernels->buffers[joined->id].bytes > 0, large, "%d", large);
    cr_expect_eq(run.kernels->buffers[product->id].bytes > 0, !large, "%d", large);
    same_as_plain(arena, graph, options, &run, "kept");
    arena_free(arena);
  }
}

// A mean that is subtracted from many values is finished by the kernel that sums it, not divided again for each; of few values it
// is not worth its place.
Test(kernels, means_are_finished_where_they_are_summed) {
  for (int large = 0; large < 2; large++) {
    Arena *arena = arena_new();
    Graph *graph = new_graph(arena, 0);
    int64_t rows = large ? 4096 : 64;
    Node *x = graph_input(graph, "x", shape_of(2, (Dim[]){rows, 48}));
    int first = 0;
    Node *sum = graph_reduce(graph, OP_reduce_sum, x, 1, &first, false);
    Node *mean = graph_binary(graph, OP_div, sum, graph_constant(graph, sum->type, (double)rows));
    Node *apart = graph_binary(graph, OP_sub, x, mean);
    output(graph, graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, apart, apart), 1, &first, false));
    RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
    GraphRun run = run_graph(arena, graph, &options, "finished");
    cr_expect_eq(run.kernels->buffers[mean->id].bytes > 0, large);
    cr_expect_eq(run.kernels->buffers[sum->id].bytes > 0, !large);
    cr_expect_eq(run.kernels->kernels.count, large ? 2 : 3, "what is left of x is stored where the mean is not");
    same_as_plain(arena, graph, options, &run, "finished");
    arena_free(arena);
  }
}

// Sums over the same axes that read the same go down them together, two at most; what is a sum of a sum cannot.
Test(kernels, two_sums_are_one_kernel) {
  const Target targets[] = {wide_target, middle_target, narrow_target};
  for (int i = 0; i < 6; i++) {
    Arena *arena = arena_new();
    Graph *graph = new_graph(arena, 0);
    Node *x = graph_input(graph, "x", shape_of(3, (Dim[]){i < 3 ? 5 : 90, 30, 83}));
    Node *y = graph_input(graph, "y", x->type), *sum = NULL;
    int axes[] = {0, 1};
    Node *values[] = {x, graph_binary(graph, OP_mul, x, y), graph_unary(graph, OP_abs, x)};
    for (int k = 0; k < 3; k++) {
      Node *apart = k < 2 ? values[k] : graph_binary(graph, OP_sub, values[k], sum);
      sum = graph_reduce(graph, k == 1 ? OP_reduce_max : OP_reduce_sum, apart, 2, axes, false);
      output(graph, graph_unary(graph, OP_neg, sum));
    }
    RunOptions options = {.kernels = all_passes, .target = targets[i % 3], .batch = 1};
    GraphRun run = run_graph(arena, graph, &options, "together");
    cr_expect_eq(run.kernels->kernels.count, 2);
    same_as_plain(arena, graph, options, &run, "together");
    arena_free(arena);
  }
}

// Each value is used twice by the next: who looks at all ways through them never ends.
Test(kernels, deep_expressions_are_looked_at_once, .timeout = 30) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Node *y = graph_input(graph, "y", shape_of(1, (Dim[]){256}));
  for (int i = 0; i < 60; i++)
    y = graph_binary(graph, OP_add, graph_binary(graph, OP_mul, y, y), y);
  output(graph, graph_binary(graph, OP_mul, graph_input(graph, "x", shape_of(2, (Dim[]){4096, 256})), y));
  cr_expect_eq(kernels_of(graph)->kernels.count, 2);
  arena_free(arena);
}

Test(kernels, slots_swapped) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Type type = shape_of(1, (Dim[]){16});
  Slot *a = new_slot(arena, "a", type, 0), *b = new_slot(arena, "b", type, 64);
  vec_push(arena, &graph->updates, (GraphUpdate){a, graph_slot(graph, b)});
  vec_push(arena, &graph->updates, (GraphUpdate){b, graph_slot(graph, a)});
  for (int fused = 0; fused < 2; fused++) {
    RunOptions options = {.kernels = {fused, fused, fused}, .target = wide_target, .batch = 1, .state_bytes = 128};
    GraphRun run = run_graph(arena, graph, &options, "swap");
    const float *state = (const float *)run.state;
    for (int i = 0; i < 16; i++) {
      cr_expect_eq(state[i], run_value(i + 16));
      cr_expect_eq(state[i + 16], run_value(i));
    }
  }
  arena_free(arena);
}

// A chain of products and maps needs memory for two values at a time, not for all.
Test(kernels, memory_is_reused) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Node *x = graph_input(graph, "x", shape_of(2, (Dim[]){16, 16}));
  for (int i = 0; i < 10; i++)
    x = graph_unary(graph, OP_tanh, graph_matmul(graph, x, x));
  output(graph, x);
  KernelGraph *kernels = kernels_of(graph);
  cr_expect_eq(kernels->unplanned_bytes, 9 * 1024);
  cr_expect_eq(kernels->arena_bytes, 2 * 1024);
  arena_free(arena);
}

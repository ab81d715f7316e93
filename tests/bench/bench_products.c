// Matrix products of square f32 matrices: GFLOP/s of each backend as a fraction of the peak measured beside it.
//   bench_products [--target-cpu CPU] [SIZE...]
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static LoopModule *product(Arena *arena, int64_t size) {
  Graph *graph = graph_new(arena, "product", 0);
  Type type = {.elem = F32, .rank = 2, .dim = {size, size}};
  Node *a = graph_input(graph, "a", type), *b = graph_input(graph, "b", type);
  vec_push(arena, &graph->outputs, (GraphOutput){"c", graph_matmul(graph, a, b)});
  return bench_lower(arena, graph, "product");
}

static void measure(int64_t size) {
  Arena *arena = arena_new();
  LoopModule *loops = product(arena, size);
  size_t bytes = (size_t)(size * size) * sizeof(float);
  float *memory[3];
  for (int i = 0; i < 3; i++) {
    memory[i] = aligned_alloc(64, bytes);
    for (int64_t j = 0; j < size * size; j++)
      memory[i][j] = (float)((j * 7 + i) % 13) - 6;
  }
  const void *inputs[] = {memory[0], memory[1]};
  void *outputs[] = {memory[2]};
  uint8_t *scratch = aligned_alloc(64, (size_t)(loops->arena_bytes + 127) / 64 * 64);
  Backend backends[4];
  int count = bench_backends(arena, loops, "product", NULL, backends, 4);
  for (int threads = 1; threads <= 2; threads++)
    for (int i = 0; i < count; i++) {
      NnrtFrame frame = {.arena = scratch, .inputs = inputs, .outputs = outputs, .threads = threads};
      double peak = bench_peak(threads);
      BenchTime time = bench_time(backends[i].run, &frame, 25, 0.02);
      double work = 2e-9 * (double)(size * size * size);
      peak = fmax(peak, bench_peak(threads));
      printf("%5lld  %d thread%s  %-9s %7.1f GFLOP/s  %3.0f %%, best %3.0f %% of the peak of %.0f\n", (long long)size,
             threads, threads > 1 ? "s" : " ", backends[i].name, work / time.median, 100 * work / time.median / peak,
             100 * work / time.best / peak, peak);
      fflush(stdout);
    }
  for (int i = 0; i < 3; i++)
    free(memory[i]);
  free(scratch);
  arena_free(arena);
}

int main(int argc, char **argv) {
  if (!bench_arguments(&argc, &argv))
    return 2;
  if (argc == 1) {
    measure(256);
    measure(1024);
  }
  for (int i = 1; i < argc; i++)
    measure(atoll(argv[i]));
  return 0;
}

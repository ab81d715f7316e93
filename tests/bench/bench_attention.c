// Attention of 8 heads of 64 that lie side by side, values alone and with all gradients: GFLOP/s of each backend as a fraction of the peak measured
// beside it, counting 2 products forward and 5 backward, hidden keys of causal attention left out.
//   bench_attention [LENGTH [BACKEND [THREADS]]]
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "graph/grad.h"

enum { HEADS = 8, SIZE = 64 };

static LoopModule *attention(Arena *arena, int64_t length, bool causal, bool gradients) {
  Graph *graph = graph_new(arena, "attention", 0);
  Type type = {.elem = F32, .rank = 3, .dim = {length, HEADS, SIZE}};
  Node *inputs[] = {graph_input(graph, "q", type), graph_input(graph, "k", type), graph_input(graph, "v", type)};
  Node *slopes[3], *heads[3];
  for (int i = 0; i < 3; i++)
    heads[i] = graph_transpose(graph, inputs[i], (int[]){1, 0, 2});
  Node *o = graph_attention(graph, heads[0], heads[1], heads[2], NULL, causal, 1 / sqrt(SIZE));
  vec_push(arena, &graph->outputs, (GraphOutput){"o", o});
  Node *loss = graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, o, o), 3, (int[]){0, 1, 2}, false);
  if (gradients)
    grad(graph, loss, 3, inputs, slopes);
  for (int i = 0; i < 3 && gradients; i++)
    vec_push(arena, &graph->outputs, (GraphOutput){"slope", slopes[i]});
  return bench_lower(arena, graph, "attention");
}

static void measure(int64_t length, bool causal, bool gradients, const char *only, int most_threads) {
  Arena *arena = arena_new();
  LoopModule *loops = attention(arena, length, causal, gradients);
  size_t count = (size_t)(HEADS * length * SIZE);
  float *memory[7];
  for (int i = 0; i < 7; i++) {
    memory[i] = bench_tensor((int64_t)count);
    for (size_t j = 0; j < count; j++)
      memory[i][j] = (float)((int)((j * 7 + (size_t)i) % 13) - 6) / 6;
  }
  const void *inputs[] = {memory[0], memory[1], memory[2]};
  void *outputs[] = {memory[3], memory[4], memory[5], memory[6]};
  uint8_t *scratch = bench_tensor(loops->arena_bytes / (int64_t)sizeof(float));
  Backend backends[4];
  int made = bench_backends(arena, loops, "attention", only, backends, 4);
  double pairs = (double)(HEADS * length) * (double)(causal ? (length + 1) / 2 : length);
  double work = 2e-9 * pairs * SIZE * (gradients ? 7 : 2);
  for (int threads = 1; threads <= most_threads; threads++)
    for (int i = 0; i < made; i++) {
      NnrtFrame frame = {.arena = scratch, .inputs = inputs, .outputs = outputs, .threads = threads};
      double peak = bench_peak(threads);
      double rate = work / bench_time(backends[i].run, &frame, 5, 0.05).median;
      double again = bench_peak(threads);
      peak = again > peak ? again : peak;
      printf("%5lld %-6s %-9s %d thread%s  %-9s %7.1f GFLOP/s  %3.0f %% of the peak of %.0f\n", (long long)length,
             causal ? "causal" : "", gradients ? "gradients" : "values", threads, threads > 1 ? "s" : " ",
             backends[i].name, rate, 100 * rate / peak, peak);
      fflush(stdout);
    }
  for (int i = 0; i < 7; i++)
    free(memory[i]);
  free(scratch);
  arena_free(arena);
}

int main(int argc, char **argv) {
  for (int i = 0; i < 4; i++)
    measure(argc > 1 ? atoll(argv[1]) : 512, i & 1, i & 2, argc > 2 ? argv[2] : NULL, argc > 3 ? atoi(argv[3]) : 2);
  return 0;
}

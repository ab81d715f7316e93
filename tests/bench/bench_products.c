// Matrix products of f32, forward and both ways back: GFLOP/s of each backend as a fraction of the peak measured beside it.
//   bench_products [--target-cpu CPU] [ROWSxINxOUT...]
// Without shapes: squares, then what the layers of W1 (MLP), W6 (LSTM) and W7 (GPT) multiply.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

typedef struct Shape {
  int64_t rows, in, out;
} Shape;

// y = x w, dL/dx = dL/dy w^T, dL/dw = x^T dL/dy
typedef enum Direction { FORWARD, TO_INPUT, TO_WEIGHT, DIRECTIONS } Direction;

static Node *input(Graph *graph, const char *name, int64_t rows, int64_t cols) {
  return graph_input(graph, name, (Type){.elem = F32, .rank = 2, .dim = {rows, cols}});
}

static LoopModule *product(Arena *arena, const Shape *s, Direction direction) {
  Graph *graph = graph_new(arena, "product", 0);
  int turned[] = {1, 0};
  Node *a = direction == TO_INPUT ? input(graph, "dy", s->rows, s->out) : input(graph, "x", s->rows, s->in);
  Node *b = direction == TO_WEIGHT ? input(graph, "dy", s->rows, s->out) : input(graph, "w", s->in, s->out);
  if (direction == TO_WEIGHT)
    a = graph_transpose(graph, a, turned);
  if (direction == TO_INPUT)
    b = graph_transpose(graph, b, turned);
  vec_push(arena, &graph->outputs, (GraphOutput){"result", graph_matmul(graph, a, b)});
  return bench_lower(arena, graph, "product");
}

static void measure(const Shape *s, Direction direction) {
  static const char *const names[] = {"y", "dx", "dw"};
  Arena *arena = arena_new();
  LoopModule *loops = product(arena, s, direction);
  float *x = bench_tensor(s->rows * s->in), *w = bench_tensor(s->in * s->out), *y = bench_tensor(s->rows * s->out);
  const void *inputs[] = {direction == TO_INPUT ? y : x, direction == TO_WEIGHT ? y : w};
  void *outputs[] = {direction == FORWARD ? y : direction == TO_INPUT ? x : w};
  uint8_t *scratch = bench_tensor(loops->arena_bytes / (int64_t)sizeof(float));
  Backend backends[4];
  int count = bench_backends(arena, loops, "product", NULL, backends, 4);
  for (int i = 0; i < count; i++)
    for (int threads = 1; threads <= 2; threads++) {
      NnrtFrame frame = {.arena = scratch, .inputs = inputs, .outputs = outputs, .threads = threads};
      double peak = bench_peak(threads);
      BenchTime time = bench_time(backends[i].run, &frame, 25, 0.02);
      double work = 2e-9 * (double)(s->rows * s->in * s->out);
      peak = fmax(peak, bench_peak(threads));
      printf(
          "%5lld x %4lld x %4lld  %-2s  %d thread%s  %-9s %7.1f GFLOP/s  %3.0f %%, best %3.0f %% of the peak of %.0f\n",
          (long long)s->rows, (long long)s->in, (long long)s->out, names[direction], threads, threads > 1 ? "s" : " ",
          backends[i].name, work / time.median, 100 * work / time.median / peak, 100 * work / time.best / peak, peak);
      fflush(stdout);
    }
  free(x);
  free(w);
  free(y);
  free(scratch);
  arena_free(arena);
}

int main(int argc, char **argv) {
  static const Shape usual[] = {{256, 256, 256},   {1024, 1024, 1024}, {64, 784, 512},    {64, 512, 256},
                                {32, 256, 1024},   {2048, 256, 1024},  {2048, 384, 1152}, {2048, 384, 384},
                                {2048, 384, 1536}, {2048, 1536, 384}};
  if (!bench_arguments(&argc, &argv))
    return 2;
  for (size_t i = 0; argc == 1 && i < sizeof usual / sizeof *usual; i++)
    for (Direction direction = FORWARD; direction < DIRECTIONS; direction++)
      measure(&usual[i], direction);
  for (int i = 1; i < argc; i++) {
    long long rows, in, out;
    if (sscanf(argv[i], "%lldx%lldx%lld", &rows, &in, &out) != 3 || rows < 1 || in < 1 || out < 1)
      return fprintf(stderr, "bench_products: `%s` is no shape ROWSxINxOUT\n", argv[i]), 2;
    Shape shape = {rows, in, out};
    for (Direction direction = FORWARD; direction < DIRECTIONS; direction++)
      measure(&shape, direction);
  }
  return 0;
}

// Convolutions of f32 images, batch 8, 3x3 unless said otherwise: GFLOP/s of the convolution, of its input's gradient and of
// its weights' gradient, by each backend, as a fraction of the peak measured beside it; of 3x3 also by minimal filtering, in tiles
// of 2x2 and 4x4 outputs, counted as if it made as many operations.
//   bench_conv [--target-cpu CPU] [llvm|gcc|… [TEXT]]   only that backend, only layers whose names hold the text
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

typedef struct Case {
  const char *name;
  int64_t batch, side, in, out, kernel, stride, groups;
} Case;

typedef enum Product { FORWARD, TO_INPUT, TO_WEIGHT, PRODUCT_COUNT } Product;

static Node *build(Graph *graph, const Case *c, Product product) {
  int64_t outputs = (c->side + c->stride - 1) / c->stride, before = (c->kernel - 1) / 2;
  Window window = {c->kernel, c->stride, 1, before, 1};
  Attr attr = {.space = 2, .window = {window, window}, .groups = c->groups};
  Type x = {.elem = F32, .rank = 4, .dim = {c->batch, c->side, c->side, c->in}};
  Type w = {.elem = F32, .rank = 4, .dim = {c->kernel, c->kernel, c->in / c->groups, c->out}};
  Type y = {.elem = F32, .rank = 4, .dim = {c->batch, outputs, outputs, c->out}};
  Node *first = product == TO_INPUT ? graph_input(graph, "dy", y) : graph_input(graph, "x", x);
  Node *second = product == TO_WEIGHT ? graph_input(graph, "dy", y) : graph_input(graph, "w", w), *weights = second;
  if (product == FORWARD)
    return graph_conv(graph, first, second, &attr, &y);
  if (product == TO_WEIGHT)
    return graph_node(graph, OP_conv_weight, 2, (Node *[]){first, second}, &attr, NULL);
  for (int i = 0; i < 2; i++)
    attr.window[i] = (Window){c->kernel, 1, 1, c->kernel - 1 - before, c->stride};
  weights = graph_node(graph, OP_reverse, 1, &weights, &(Attr){.axis_count = 2, .axis = {0, 1}}, NULL);
  return graph_conv(graph, first, graph_transpose(graph, weights, (int[]){0, 1, 3, 2}), &attr, &x);
}

static LoopModule *lower(Arena *arena, const Case *c, Product product, int tile) {
  Graph *graph = graph_new(arena, "conv", 0);
  Node *result = build(graph, c, product);
  Attr tiled = *result->attr;
  tiled.tile = tile;
  node_set_attr(graph, result, &tiled);
  vec_push(arena, &graph->outputs, (GraphOutput){"result", result});
  return bench_lower(arena, graph, "conv");
}

static bool has_tiles(const Case *c) {
  return c->kernel == 3 && c->stride == 1 && c->groups == 1 && c->in >= 16;
}

static void measure(const Case *c, const char *only) {
  static const char *const names[] = {"y", "dx", "dw"}, *const tiles[] = {"", "2 x 2", "4 x 4"};
  int64_t outputs = (c->side + c->stride - 1) / c->stride;
  int64_t x_count = c->batch * c->side * c->side * c->in, y_count = c->batch * outputs * outputs * c->out;
  int64_t w_count = c->kernel * c->kernel * c->in / c->groups * c->out;
  float *x = bench_tensor(x_count), *w = bench_tensor(w_count), *y = bench_tensor(y_count);
  for (int way = 0; way < 3 * PRODUCT_COUNT; way++) {
    int product = way / 3, tile = way % 3 * 2;
    if (product == TO_INPUT && c->groups > 1) // would need its weights regrouped
      continue;
    if (tile && !has_tiles(c))
      continue;
    Arena *arena = arena_new();
    LoopModule *loops = lower(arena, c, (Product)product, tile);
    const void *inputs[3][2] = {{x, w}, {y, w}, {x, y}};
    void *results[3][1] = {{y}, {x}, {w}};
    uint8_t *scratch = bench_tensor(loops->arena_bytes / (int64_t)sizeof(float));
    Backend backends[4];
    int count = bench_backends(arena, loops, "conv", only, backends, 4);
    for (int i = 0; i < count; i++) {
      for (int threads = 1; threads <= 2; threads++) {
        NnrtFrame frame = {
            .arena = scratch, .inputs = inputs[product], .outputs = results[product], .threads = threads};
        double peak = bench_peak(threads), work = 2e-9 * (double)(y_count * w_count / c->out);
        BenchTime time = bench_time(backends[i].run, &frame, 15, 0.02);
        peak = fmax(peak, bench_peak(threads));
        printf("%-31s %-2s  %-5s  %d thread%s  %-9s %7.1f GFLOP/s  %3.0f %%, best %3.0f %% of the peak of %.0f\n",
               c->name, names[product], tiles[way % 3], threads, threads > 1 ? "s" : " ", backends[i].name,
               work / time.median, 100 * work / time.median / peak, 100 * work / time.best / peak, peak);
        fflush(stdout);
      }
    }
    free(scratch);
    arena_free(arena);
  }
  free(x);
  free(w);
  free(y);
}

int main(int argc, char **argv) {
  if (!bench_arguments(&argc, &argv))
    return 2;
  static const Case cases[] = {
      {"64 ch, 56 px", 8, 56, 64, 64, 3, 1, 1},
      {"128 ch, 28 px", 8, 28, 128, 128, 3, 1, 1},
      {"256 ch, 14 px", 8, 14, 256, 256, 3, 1, 1},
      {"512 ch, 7 px", 8, 7, 512, 512, 3, 1, 1},
      {"64 ch, 32 px, batch 64", 64, 32, 64, 64, 3, 1, 1},
      {"512 ch, 4 px, batch 64", 64, 4, 512, 512, 3, 1, 1},
      {"128 ch, 28 px, stride 2", 8, 28, 128, 128, 3, 2, 1},
      {"stem 7x7, 3 to 64 ch", 8, 224, 3, 64, 7, 2, 1},
      {"1x1, 64 to 64 ch, 56 px", 8, 56, 64, 64, 1, 1, 1},
      {"1x1, 64 to 256 ch, 56 px", 8, 56, 64, 256, 1, 1, 1},
      {"1x1, 256 to 64 ch, 56 px", 8, 56, 256, 64, 1, 1, 1},
      {"1x1, 256 to 128 ch, 56 px", 8, 56, 256, 128, 1, 1, 1},
      {"1x1, 128 to 512 ch, 28 px", 8, 28, 128, 512, 1, 1, 1},
      {"1x1, 512 to 128 ch, 28 px", 8, 28, 512, 128, 1, 1, 1},
      {"1x1, 512 to 256 ch, 28 px", 8, 28, 512, 256, 1, 1, 1},
      {"1x1, 256 to 1024 ch, 14 px", 8, 14, 256, 1024, 1, 1, 1},
      {"1x1, 1024 to 256 ch, 14 px", 8, 14, 1024, 256, 1, 1, 1},
      {"1x1, 1024 to 512 ch, 14 px", 8, 14, 1024, 512, 1, 1, 1},
      {"1x1, 512 to 2048 ch, 7 px", 8, 7, 512, 2048, 1, 1, 1},
      {"1x1, 2048 to 512 ch, 7 px", 8, 7, 2048, 512, 1, 1, 1},
      {"1x1, 256 to 512 ch, 56 px / 2", 8, 56, 256, 512, 1, 2, 1},
      {"1x1, 512 to 1024 ch, 28 px / 2", 8, 28, 512, 1024, 1, 2, 1},
      {"1x1, 1024 to 2048 ch, 14 px / 2", 8, 14, 1024, 2048, 1, 2, 1},
      {"first 3x3, 1 to 32 ch", 64, 28, 1, 32, 3, 1, 1},
      {"128 ch, 28 px, 32 groups", 8, 28, 128, 128, 3, 1, 32},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (argc < 3 || strstr(cases[i].name, argv[2]))
      measure(&cases[i], argc > 1 ? argv[1] : NULL);
  return 0;
}

// Reductions over the taps of windows, in the order of sums that loops/nest.h lays down, to the bit: lines longer and shorter
// than a tile, borders wider than one, windows that are spread, columns that fill no vector.
#include <math.h>

#include "loops/windows.h"

typedef enum Kind { POOL, DEPTHWISE, BACK } Kind; // maxima; sums of products with weights; the gradient of those

typedef struct Case {
  int space;
  Dim batch; // DIM_BATCH: of capacity 5
  int64_t channels;
  int64_t size[3], outputs[3]; // places of x, and windows
  Window window[3];
} Case;

static Type type_of(const Case *c, const int64_t *space, bool taps) {
  Type type = {.elem = F32, .rank = c->space + 2, .dim = {c->batch}};
  for (int d = 0; d < c->space; d++)
    type.dim[1 + d] = space[d];
  for (int d = 0; taps && d < c->space; d++)
    type.dim[type.rank++ - 1] = c->window[d].size;
  type.dim[type.rank - 1] = c->channels;
  return type;
}

// What result `at` (a row-major number in space) gets of a sample by tap r: the number of an element of the input, or -1.
static int64_t source(const Case *c, Kind kind, int64_t sample, int64_t at, int64_t tap) {
  const int64_t *from = kind == BACK ? c->outputs : c->size, *to = kind == BACK ? c->size : c->outputs;
  int64_t taps[3], p[3], r[3], number = sample;
  for (int d = 0; d < c->space; d++)
    taps[d] = c->window[d].size;
  unravel(at, to, c->space, p);
  unravel(tap, taps, c->space, r);
  for (int d = 0; d < c->space; d++) {
    int64_t place = -1;
    if (kind != BACK)
      place = seen(&c->window[d], from[d], p[d], r[d]);
    for (int64_t o = 0; kind == BACK && o < from[d]; o++)
      place = seen(&c->window[d], to[d], o, r[d]) == p[d] ? o : place;
    if (place < 0)
      return -1;
    number = number * from[d] + place;
  }
  return number;
}

static float expected(const Case *c, Kind kind, int64_t taps, int64_t sample, int64_t at, int64_t channel) {
  float result = kind == POOL ? -INFINITY : 0;
  for (int64_t tap = 0; tap < taps; tap++) {
    int64_t number = source(c, kind, sample, at, tap);
    float value = number < 0 ? kind == POOL ? -INFINITY : 0 : run_value(number * c->channels + channel);
    float term = value * run_value(tap * c->channels + channel);
    result = kind == POOL ? fmaxf(result, value) : result + term;
  }
  return result;
}

static Node *build(Graph *graph, const Case *c, Kind kind) {
  Attr attr = {.space = c->space, .real = kind == POOL ? -INFINITY : 0};
  Type wide = type_of(c, kind == BACK ? c->size : c->outputs, true), weights = {.elem = F32, .rank = c->space + 1};
  int taps[3];
  for (int d = 0; d < c->space; d++) {
    attr.window[d] = c->window[d];
    weights.dim[d] = c->window[d].size;
    taps[d] = 1 + c->space + d;
  }
  weights.dim[c->space] = c->channels;
  Node *x = graph_input(graph, "x", type_of(c, kind == BACK ? c->outputs : c->size, false));
  Node *w = graph_input(graph, "w", weights), *value;
  if (kind == BACK) {
    Type outputs = type_of(c, c->outputs, true), ones = x->type;
    ones.rank = outputs.rank;
    for (int d = 0; d < c->space; d++)
      ones.dim[1 + c->space + d] = 1;
    ones.dim[ones.rank - 1] = c->channels;
    Node *y = graph_broadcast(graph, graph_reshape(graph, x, &ones), &outputs);
    Node *terms = graph_binary(graph, OP_mul, y, graph_broadcast(graph, w, &outputs));
    value = graph_node(graph, OP_slide, 1, &terms, &attr, &wide);
  } else {
    value = graph_node(graph, OP_window, 1, &x, &attr, &wide);
    if (kind == DEPTHWISE)
      value = graph_binary(graph, OP_mul, value, graph_broadcast(graph, w, &wide));
  }
  return graph_reduce(graph, kind == POOL ? OP_reduce_max : OP_reduce_sum, value, c->space, taps, false);
}

static const Target *const targets[] = {&wide_target, &middle_target, &narrow_target};

static void check(const Case *c, Kind kind, const char *name) {
  static const char *const kinds[] = {"pool", "depthwise", "back"};
  int64_t taps = tap_count(c->window, c->space), samples = c->batch == DIM_BATCH ? 4 : c->batch;
  int64_t places = product(kind == BACK ? c->size : c->outputs, c->space);
  for (int t = 0; t < 3; t++) {
    Arena *arena = arena_new();
    Graph *graph = graph_new(arena, "test", 5);
    graph->scope = "";
    vec_push(arena, &graph->outputs, (GraphOutput){"out", build(graph, c, kind)});
    RunOptions options = {.kernels = all_passes, .target = *targets[t], .batch = samples, .backwards = t == 1};
    GraphRun run = run_graph(arena, graph, &options, name);
    const float *out = (const float *)run.outputs[0];
    for (int64_t i = 0; i < samples * places * c->channels; i++) {
      int64_t row = i / c->channels;
      float value = expected(c, kind, taps, row / places, row % places, i % c->channels);
      cr_assert_eq(out[i], value, "%s, %s, target %d: element %d is %.9g, not %.9g", name, kinds[kind], t, (int)i,
                   (double)out[i], (double)value);
    }
    arena_free(arena);
  }
}

// Two sums over windows of one x: as one kernel they would have no nest.
Test(window, sums_of_the_same_windows_stay_apart) {
  const Case c = {2, 2, 32, {6, 7}, {6, 7}, {SAME, SAME}};
  Arena *arena = arena_new();
  Graph *graph = graph_new(arena, "test", 2);
  graph->scope = "";
  Attr attr = {.space = 2, .window = {SAME, SAME}};
  Type wide = type_of(&c, c.outputs, true);
  Node *x = graph_input(graph, "x", type_of(&c, c.size, false));
  Node *seen = graph_node(graph, OP_window, 1, &x, &attr, &wide);
  int taps[] = {3, 4};
  Node *sums[] = {graph_reduce(graph, OP_reduce_sum, seen, 2, taps, false),
                  graph_reduce(graph, OP_reduce_sum, graph_binary(graph, OP_mul, seen, seen), 2, taps, false)};
  for (int i = 0; i < 2; i++)
    vec_push(arena, &graph->outputs, (GraphOutput){"out", graph_unary(graph, OP_neg, sums[i])});
  for (int t = 0; t < 3; t++) {
    RunOptions options = {.kernels = all_passes, .target = *targets[t], .batch = 2};
    GraphRun run = run_graph(arena, graph, &options, "apart");
    cr_expect_eq(run.kernels->kernels.count, 2);
    same_as_plain(arena, graph, options, &run, "apart");
  }
  arena_free(arena);
}

static void check_all(Case c, const char *name) {
  for (Kind kind = POOL; kind <= BACK; kind++)
    check(&c, kind, name);
}

Test(window, lines_of_every_length, .timeout = 300) {
  for (int64_t q = 1; q <= 13; q++)
    check_all((Case){2, 2, 32, {4, q}, {4, q}, {SAME, SAME}}, "3 x 3");
}

Test(window, columns_of_every_number, .timeout = 300) {
  static const int64_t channels[] = {1, 5, 16, 17, 35, 48, 80, 100};
  for (int i = 0; i < 8; i++)
    check_all((Case){2, DIM_BATCH, channels[i], {5, 6}, {5, 6}, {SAME, SAME}}, "3 x 3");
}

Test(window, few_lines_of_many_columns, .timeout = 300) {
  check_all((Case){2, 1, 1920, {7, 7}, {7, 7}, {SAME, SAME}}, "7 x 7");
  check_all((Case){1, 1, 2048, {50}, {50}, {SAME}}, "a line");
}

Test(window, windows_of_every_kind, .timeout = 300) {
  check_all((Case){2, 3, 20, {8, 12}, {4, 6}, {{2, 2, 1, 0, 1}, {2, 2, 1, 0, 1}}}, "2 x 2 by 2");
  check_all((Case){2, 3, 20, {9, 11}, {4, 5}, {{2, 2, 1, 0, 1}, {2, 2, 1, 0, 1}}}, "2 x 2 by 2, odd");
  check_all((Case){2, 3, 32, {12, 14}, {6, 7}, {{3, 2, 1, 1, 1}, {3, 2, 1, 1, 1}}}, "3 x 3 by 2");
  check_all((Case){2, 3, 32, {12, 14}, {6, 7}, {{3, 2, 1, 0, 1}, {3, 2, 1, 0, 1}}}, "3 x 3 by 2, behind");
  check_all((Case){2, 2, 32, {10, 15}, {4, 5}, {{2, 3, 1, 0, 1}, {3, 3, 1, 0, 1}}}, "by 3");
  check_all((Case){2, 2, 16, {20, 15}, {4, 3}, {{5, 5, 1, 0, 1}, {5, 5, 1, 0, 1}}}, "by 5, more than phases");
  check_all((Case){2, 2, 32, {9, 17}, {5, 13}, {{3, 1, 2, 0, 1}, {3, 1, 2, 0, 1}}}, "gaps");
  check_all((Case){2, 2, 32, {9, 7}, {9, 7}, {{7, 1, 1, 3, 1}, {7, 1, 1, 3, 1}}}, "7 x 7");
  check_all((Case){2, 2, 16, {3, 4}, {3, 4}, {{7, 1, 1, 3, 1}, {9, 1, 1, 4, 1}}}, "wider than x");
  check_all((Case){2, 2, 32, {5, 4}, {10, 8}, {{3, 1, 1, 1, 2}, {3, 1, 1, 1, 2}}}, "spread");
  check_all((Case){2, 2, 32, {5, 4}, {10, 8}, {{2, 1, 1, 0, 2}, {1, 1, 1, 0, 2}}}, "spread, taps that see nothing");
  check_all((Case){2, 2, 32, {6, 8}, {6, 8}, {{3, 2, 1, 1, 2}, {3, 2, 1, 1, 2}}}, "stride and spread alike");
}

Test(window, lines_and_volumes, .timeout = 300) {
  check_all((Case){1, DIM_BATCH, 24, {70}, {70}, {{5, 1, 1, 2, 1}}}, "a line");
  check_all((Case){3, 2, 17, {4, 5, 6}, {4, 5, 6}, {SAME, SAME, SAME}}, "a volume");
  check_all((Case){3, 2, 16, {4, 6, 8}, {2, 3, 4}, {{2, 2, 1, 0, 1}, {2, 2, 1, 0, 1}, {2, 2, 1, 0, 1}}}, "halves");
}

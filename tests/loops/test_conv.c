// Convolutions and the gradients of their weights, in the order of sums that loops/nest.h lays down, to the bit: rows longer and
// shorter than a tile, blocks of samples and of lines, pieces of the image with and without zeros around and between.
#include <math.h>

#include "loops/windows.h"
#include "sanitized.h"

typedef struct Case {
  int space;
  Dim batch; // DIM_BATCH: of capacity 5
  int64_t in, out, groups;
  int64_t size[3], outputs[3];
  Window window[3];
} Case;

static Type type_of(const Case *c, const int64_t *space, int64_t channels) {
  Type type = {.elem = F32, .rank = c->space + 2, .dim = {c->batch}};
  for (int d = 0; d < c->space; d++)
    type.dim[1 + d] = space[d];
  type.dim[c->space + 1] = channels;
  return type;
}

// x of a sample under tap `tap` of output `output` (row-major numbers), 0 where there is none.
static float under(const Case *c, int64_t sample, int64_t output, int64_t tap, int64_t channel) {
  int64_t taps[3], p[3], r[3], at = sample;
  for (int d = 0; d < c->space; d++)
    taps[d] = c->window[d].size;
  unravel(output, c->outputs, c->space, p);
  unravel(tap, taps, c->space, r);
  for (int d = 0; d < c->space; d++) {
    int64_t place = seen(&c->window[d], c->size[d], p[d], r[d]);
    if (place < 0)
      return 0;
    at = at * c->size[d] + place;
  }
  return run_value(at * c->in * c->groups + channel);
}

static float conv_element(const Case *c, int64_t taps, int64_t sample, int64_t output, int64_t o) {
  int64_t outs = c->out * c->groups, group = o / c->out;
  float sum = 0;
  for (int64_t tap = 0; tap < taps; tap++)
    for (int64_t channel = 0; channel < c->in; channel++) {
      float w = run_value((tap * c->in + channel) * outs + o);
      sum = fmaf(under(c, sample, output, tap, group * c->in + channel), w, sum);
    }
  return sum;
}

static float weight_element(const Case *c, int64_t samples, int64_t tap, int64_t channel, int64_t o) {
  int64_t outputs = product(c->outputs, c->space), outs = c->out * c->groups, group = o / c->out;
  float sum = 0;
  for (int64_t sample = 0; sample < samples; sample++)
    for (int64_t output = 0; output < outputs; output++) {
      float y = run_value((sample * outputs + output) * outs + o);
      sum = fmaf(under(c, sample, output, tap, group * c->in + channel), y, sum);
    }
  return sum;
}

// tile: of minimal filtering; 0: sums as they are.
static Node *build(Graph *graph, const Case *c, bool weight, int tile) {
  Attr attr = {.space = c->space, .groups = c->groups, .tile = tile};
  Type x = type_of(c, c->size, c->in * c->groups), y = type_of(c, c->outputs, c->out * c->groups);
  Type w = {.elem = F32, .rank = c->space + 2};
  for (int d = 0; d < c->space; d++) {
    attr.window[d] = c->window[d];
    w.dim[d] = c->window[d].size;
  }
  w.dim[c->space] = c->in;
  w.dim[c->space + 1] = c->out * c->groups;
  Node *first = graph_input(graph, "x", x), *second = graph_input(graph, "second", weight ? y : w);
  return graph_node(graph, weight ? OP_conv_weight : OP_conv, 2, (Node *[]){first, second}, &attr, weight ? NULL : &y);
}

static const Target small_caches = {.vector_bytes = 64, .vector_registers = 32, .l1_bytes = 4096, .l2_bytes = 16384};
static const Target *const targets[] = {&wide_target, &middle_target, &narrow_target, &small_caches};

static void check(const Case *c, bool weight, const char *name) {
  int64_t taps = tap_count(c->window, c->space), samples = c->batch == DIM_BATCH ? 4 : c->batch;
  for (int t = 0; t < 4; t++) {
    Arena *arena = arena_new();
    Graph *graph = graph_new(arena, "test", 5);
    graph->scope = "";
    vec_push(arena, &graph->outputs, (GraphOutput){"out", build(graph, c, weight, 0)});
    RunOptions options = {.kernels = all_passes, .target = *targets[t], .batch = samples, .backwards = t == 1};
    GraphRun run = run_graph(arena, graph, &options, name);
    const float *out = (const float *)run.outputs[0];
    int64_t outs = c->out * c->groups, rows = weight ? taps * c->in : samples * product(c->outputs, c->space);
    for (int64_t row = 0; row < rows; row += 1 + rows / 40)
      for (int64_t o = 0; o < outs; o += 1 + outs / 40) {
        int64_t each = product(c->outputs, c->space);
        float expected = weight ? weight_element(c, samples, row / c->in, row % c->in, o)
                                : conv_element(c, taps, row / each, row % each, o);
        cr_assert_eq(out[row * outs + o], expected, "%s%s, target %d: [%d, %d]", name, weight ? ", weights" : "", t,
                     (int)row, (int)o);
      }
    arena_free(arena);
  }
}

static void check_both(Case c, const char *name) {
  check(&c, false, name);
  check(&c, true, name);
}

Test(conv, rows_longer_than_a_tile, .timeout = 300) {
  check_both((Case){2, 3, 5, 33, 1, {9, 33}, {9, 33}, {SAME, SAME}}, "9 x 33");
  check_both((Case){2, DIM_BATCH, 16, 8, 1, {6, 16}, {6, 16}, {SAME, SAME}}, "6 x 16 of the batch");
}

Test(conv, rows_shorter_than_a_tile, .timeout = 300) {
  check_both((Case){2, DIM_BATCH, 6, 40, 1, {7, 7}, {7, 7}, {SAME, SAME}}, "7 x 7");
  check_both((Case){2, 5, 3, 32, 1, {4, 4}, {4, 4}, {SAME, SAME}}, "4 x 4");
  check_both((Case){2, DIM_BATCH, 7, 33, 1, {2, 2}, {2, 2}, {SAME, SAME}}, "2 x 2");
  check_both((Case){2, DIM_BATCH, 20, 35, 1, {3, 3}, {1, 1}, {{3, 1, 1, 0, 1}, {3, 1, 1, 0, 1}}}, "3 x 3 to 1");
}

Test(conv, windows_of_every_kind, .timeout = 300) {
  check_both((Case){2, 3, 4, 20, 1, {11, 9}, {6, 5}, {{3, 2, 1, 1, 1}, {3, 2, 1, 1, 1}}}, "stride 2");
  check_both((Case){2, 3, 4, 20, 1, {9, 17}, {5, 13}, {{3, 1, 2, 0, 1}, {3, 1, 2, 0, 1}}}, "gaps");
  check_both((Case){2, 3, 4, 20, 1, {5, 4}, {10, 8}, {{3, 1, 1, 1, 2}, {3, 1, 1, 1, 2}}}, "spread");
  check_both((Case){2, 3, 4, 20, 1, {5, 4}, {10, 8}, {{1, 1, 1, 0, 2}, {1, 1, 1, 0, 2}}}, "spread, one tap");
  check_both((Case){2, DIM_BATCH, 4, 84, 1, {5, 4}, {10, 8}, {{1, 1, 1, 0, 2}, {1, 1, 1, 0, 2}}},
             "spread, one tap, more channels than a piece has");
  check_both((Case){2, 3, 4, 10, 2, {4, 4}, {12, 8}, {{1, 1, 1, 0, 3}, {1, 1, 1, 0, 2}}}, "spread, one tap, groups");
  check_both((Case){2, 3, 3, 5, 4, {8, 15}, {8, 15}, {SAME, SAME}}, "groups");
  check_both((Case){2, 3, 4, 20, 1, {1, 1}, {1, 1}, {{1, 3, 1, 1, 1}, {1, 3, 1, 1, 1}}}, "beside x");
  check_both((Case){2, 3, 24, 40, 1, {5, 6}, {5, 6}, {{1, 1, 1, 0, 1}, {1, 1, 1, 0, 1}}}, "1 x 1");
}

static const char *loops_of(Arena *arena, const Case *c, bool weights, const Target *target) {
  Graph *graph = graph_new(arena, "test", 5);
  graph->scope = "";
  vec_push(arena, &graph->outputs, (GraphOutput){"out", build(graph, c, weights, 0)});
  RunOptions options = {.kernels = all_passes, .target = *target, .batch = 4};
  Text text = text_new(arena);
  loops_print(&text, lower_graph(arena, graph, &options, "loops").module);
  return text_string(&text);
}

// Rows of x that fall on each other in the first cache are copied for low tiles.
Test(conv, channels_a_power_of_two_apart, .timeout = 300) {
  const Window all = {1, 1, 1, 0, 1}, half = {1, 2, 1, 0, 1};
  const Case plain = {2, DIM_BATCH, 256, 130, 1, {3, 4}, {3, 4}, {all, all}};
  const Case cases[] = {plain,
                        {2, DIM_BATCH, 256, 130, 1, {5, 4}, {3, 2}, {half, half}},
                        {2, 2, 128, 70, 2, {3, 3}, {3, 3}, {all, all}},
                        {1, 3, 256, 130, 1, {7}, {7}, {all}}};
  for (int i = 0; i < 4; i++)
    check(&cases[i], true, "far apart");
  for (int t = 0; t < 2; t++) {
    Arena *arena = arena_new();
    const char *loops = loops_of(arena, &plain, true, targets[t]);
    cr_expect_eq(strstr(loops, "image") != NULL, targets[t] == &middle_target);
    arena_free(arena);
  }
}

// Many rows of a tile lie at distances from the first; a few have an address each.
Test(conv, the_first_row_has_a_name) {
  const Case wide = {2, 2, 24, 32, 1, {4, 28}, {4, 28}, {{1, 1, 1, 0, 1}, {1, 1, 1, 0, 1}}};
  Arena *arena = arena_new();
  const char *many = loops_of(arena, &wide, false, &wide_target), *few = loops_of(arena, &wide, false, &narrow_target);
  cr_expect_not_null(strstr(many, "x[x_at + i_2 * 24 + c_2]"), "%s", many);
  cr_expect_null(strstr(few, "x[x_at + i"), "%s", few);
  // The outputs of a block do not begin at 0, where the image would.
  const Case line = {1, 2, 16, 32, 1, {20000}, {20000}, {{5, 1, 1, 2, 1}}};
  const char *blocks = loops_of(arena, &line, true, &wide_target);
  cr_expect_not_null(strstr(blocks, "image[at + "), "%s", blocks);
  cr_expect_null(strstr(blocks, "image_at"), "%s", blocks);
  arena_free(arena);
}

// 14 lines in blocks of 4 would leave one thread with 8 of them and the other with 6.
Test(conv, few_blocks_have_as_many_lines) {
  const Window half = {1, 2, 1, 0, 1};
  const Case near = {2, 1, 512, 256, 1, {14, 14}, {14, 14}, {SAME, SAME}},
             apart = {2, 1, 1024, 1024, 1, {14, 14}, {7, 7}, {half, half}};
  Arena *arena = arena_new();
  const char *two = loops_of(arena, &near, false, &wide_target), *one = loops_of(arena, &apart, false, &wide_target);
  cr_expect_not_null(strstr(two, "let p0 = item % 2 * 7"), "%s", two);
  cr_expect_null(strstr(one, "item % 2"), "%s", one);
  arena_free(arena);
}

// Where windows are single elements, tiles and blocks go on from line to line and from sample to sample.
Test(conv, single_elements_are_rows, .timeout = 300) {
  const Window all = {1, 1, 1, 0, 1}, half = {1, 2, 1, 0, 1}, spread = {1, 1, 1, 0, 2};
  check_both((Case){2, DIM_BATCH, 20, 40, 1, {7, 7}, {7, 7}, {all, all}}, "7 x 7 of the batch");
  check_both((Case){2, DIM_BATCH, 20, 40, 1, {13, 14}, {7, 7}, {half, half}}, "every second of 13 x 14");
  check_both((Case){2, 3, 5, 35, 2, {6, 9}, {6, 5}, {all, half}}, "every second column, in groups");
  check_both((Case){2, DIM_BATCH, 20, 40, 1, {7, 7}, {13, 14}, {spread, spread}}, "7 x 7 spread over 13 x 14");
  check_both((Case){2, 2, 20, 40, 1, {7, 7}, {5, 8}, {spread, spread}}, "some of 7 x 7 spread over 5 x 8");
  check_both((Case){2, 3, 9, 33, 2, {5, 3}, {5, 3}, {all, all}}, "5 x 3 in groups");
  check_both((Case){3, 2, 8, 16, 1, {3, 1, 5}, {3, 1, 5}, {all, all, all}}, "a volume");
  Arena *arena = arena_new();
  const Case few = {2, 1, 1024, 256, 1, {14, 14}, {14, 14}, {all, all}};
  const char *loops = loops_of(arena, &few, false, &wide_target);
  cr_expect_not_null(strstr(loops, "let b0 = item * 98"), "%s", loops);
  arena_free(arena);
}

Test(conv, lines_and_volumes, .timeout = 300) {
  check_both((Case){1, DIM_BATCH, 6, 20, 1, {70}, {70}, {{5, 1, 1, 2, 1}}}, "a line");
  check_both((Case){3, 2, 3, 17, 1, {4, 5, 6}, {4, 5, 6}, {SAME, SAME, SAME}}, "a volume");
}

// ---- by minimal filtering: close to the sums as they are, and on every target the same bits
static double exact(const Case *c, bool weight, int64_t samples, int64_t row, int64_t o, double *size) {
  int64_t outputs = product(c->outputs, 2), taps = 9, terms = weight ? samples * outputs : taps * c->in;
  double sum = *size = 0;
  for (int64_t i = 0; i < terms; i++) {
    double x = weight ? under(c, i / outputs, i % outputs, row / c->in, row % c->in)
                      : under(c, row / outputs, row % outputs, i / c->in, i % c->in);
    double other = run_value(i * c->out + o);
    sum += x * other;
    *size += fabs(x * other);
  }
  return sum;
}

static void check_tiles(Case c, int tile, bool weight, const char *name) {
  int64_t samples = c.batch == DIM_BATCH ? 4 : c.batch;
  int64_t rows = weight ? 9 * c.in : samples * product(c.outputs, 2);
  Arena *arena = arena_new();
  const float *first = NULL;
  for (int t = 0; t < 4; t++) {
    Graph *graph = graph_new(arena, "test", 5);
    graph->scope = "";
    vec_push(arena, &graph->outputs, (GraphOutput){"out", build(graph, &c, weight, tile)});
    RunOptions options = {.kernels = all_passes, .target = *targets[t], .batch = samples, .backwards = t == 1};
    const float *out = (const float *)run_graph(arena, graph, &options, name).outputs[0];
    first = t ? first : out;
    cr_assert(memcmp(out, first, (size_t)(rows * c.out) * sizeof *out) == 0, "%s%s by %d: target %d has other bits",
              name, weight ? ", weights" : "", tile, t);
  }
  for (int64_t row = 0; row < rows; row += 1 + rows / 60)
    for (int64_t o = 0; o < c.out; o += 1 + c.out / 20) {
      double size, expected = exact(&c, weight, samples, row, o, &size);
      cr_assert_float_eq(first[row * c.out + o], expected, 2e-6 * size, "%s%s by %d: [%d, %d] is %.9g, not %.9g", name,
                         weight ? ", weights" : "", tile, (int)row, (int)o, (double)first[row * c.out + o], expected);
    }
  arena_free(arena);
}

static void check_filtering(Case c, const char *name) {
  for (int tile = 2; tile <= 4; tile += 2)
    for (int weight = 0; weight <= 1; weight++)
      check_tiles(c, tile, weight, name);
}

Test(conv, minimal_filtering, .timeout = 300) {
  check_filtering((Case){2, DIM_BATCH, 32, 48, 1, {8, 8}, {8, 8}, {SAME, SAME}}, "8 x 8");
  check_filtering((Case){2, 3, 16, 80, 1, {13, 7}, {13, 7}, {SAME, SAME}}, "tiles that are not whole");
  if (SANITIZED) // slow, and the same code for other sizes
    return;
  check_filtering((Case){2, DIM_BATCH, 16, 16, 1, {3, 21}, {3, 21}, {SAME, SAME}}, "a line of tiles");
  check_filtering((Case){2, DIM_BATCH, 96, 48, 1, {6, 7}, {6, 7}, {SAME, SAME}}, "fewer tiles than outputs");
  check_filtering((Case){2, DIM_BATCH, 64, 80, 1, {4, 3}, {4, 3}, {SAME, SAME}}, "much fewer tiles than outputs");
  check_filtering((Case){2, 2, 48, 144, 1, {6, 6}, {4, 4}, {{3, 1, 1, 0, 1}, {3, 1, 1, 0, 1}}}, "inside");
  check_filtering((Case){2, 2, 16, 16, 1, {4, 5}, {6, 7}, {{3, 1, 1, 2, 1}, {3, 1, 1, 2, 1}}},
                  "back to what was inside");
}

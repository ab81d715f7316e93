// The schedule: products and reductions of every shape, in the order of sums that loops/nest.h lays down, to the bit, for
// targets of any width; barriers wherever two kernels touch the same memory.
#include <math.h>

#include "loops/run_graph.h"

static Type matrix(Dim rows, Dim cols) {
  return (Type){F32, 2, {rows, cols}};
}

static Graph *new_graph(Arena *arena, int64_t batch) {
  Graph *graph = graph_new(arena, "test", batch);
  graph->scope = "";
  return graph;
}

static void output(Graph *graph, Node *value) {
  vec_push(graph->arena, &graph->outputs, (GraphOutput){"out", value});
}

// ---- products
typedef struct Size {
  Dim m, n, k;
  bool a_turned, b_turned;
} Size;

static float product_element(const Size *size, int64_t batch, int64_t i, int64_t j) {
  int64_t m = dim_at(size->m, batch), n = dim_at(size->n, batch), k = dim_at(size->k, batch);
  float sum = 0;
  for (int64_t p = 0; p < k; p++) {
    float a = run_value(size->a_turned ? p * m + i : i * k + p);
    float b = run_value(size->b_turned ? j * k + p : p * n + j);
    sum = fmaf(a, b, sum);
  }
  return sum;
}

static void check_product(Size size, int64_t capacity, int64_t batch) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, capacity);
  int swap[] = {1, 0};
  Node *a = graph_input(graph, "a", size.a_turned ? matrix(size.k, size.m) : matrix(size.m, size.k));
  Node *b = graph_input(graph, "b", size.b_turned ? matrix(size.n, size.k) : matrix(size.k, size.n));
  a = size.a_turned ? graph_transpose(graph, a, swap) : a;
  b = size.b_turned ? graph_transpose(graph, b, swap) : b;
  output(graph, graph_matmul(graph, a, b));
  const char *name = arena_printf(arena, "%d x %d x %d%s%s", (int)size.m, (int)size.n, (int)size.k,
                                  size.a_turned ? " a^T" : "", size.b_turned ? " b^T" : "");
  const Target *targets[] = {&wide_target, &middle_target, &narrow_target};
  int64_t m = dim_at(size.m, batch), n = dim_at(size.n, batch);
  for (int t = 0; t < 3; t++) {
    RunOptions options = {.kernels = all_passes, .target = *targets[t], .batch = batch, .backwards = t == 1};
    GraphRun run = run_graph(arena, graph, &options, name);
    const float *c = (const float *)run.outputs[0];
    for (int64_t i = 0; i < m; i += 1 + m / 50)
      for (int64_t j = 0; j < n; j += 1 + n / 50)
        cr_assert_eq(c[i * n + j], product_element(&size, batch, i, j), "%s: [%d, %d]", name, (int)i, (int)j);
  }
  arena_free(arena);
}

Test(schedule, small_products) {
  const int64_t sizes[] = {1, 2, 3, 5, 8, 13, 17, 40};
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 8; j++)
      check_product((Size){sizes[i], sizes[j], sizes[(i + j) % 8], i & 1, j & 1}, 0, 1);
}

Test(schedule, products_over_the_batch) {
  for (int64_t batch = 1; batch <= 33; batch += 8) {
    check_product((Size){DIM_BATCH, 37, 11, false, false}, batch, batch);
    check_product((Size){DIM_BATCH, 37, 11, false, false}, 40, batch);
    check_product((Size){37, 11, DIM_BATCH, true, false}, 40, batch);
    check_product((Size){-2, 70, 9, false, true}, 40, batch);
  }
  check_product((Size){9, DIM_BATCH, 5, false, false}, 33, 33);
}

// Large enough for every way of packing.
Test(schedule, packed_products, .timeout = 300) {
  check_product((Size){30, 130, 260, true, false}, 0, 1);
  check_product((Size){33, 130, 512, false, true}, 0, 1);
  check_product((Size){33, 144, 523, false, true}, 0, 1);
  check_product((Size){230, 70, 300, false, false}, 0, 1);
  check_product((Size){DIM_BATCH, 130, 512, false, true}, 20, 19);
}

Test(schedule, products_of_stacks) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Node *a = graph_input(graph, "a", (Type){F32, 3, {3, 5, 7}}), *b = graph_input(graph, "b", (Type){F32, 3, {3, 4, 7}});
  int swap[] = {0, 2, 1};
  output(graph, graph_matmul(graph, a, graph_transpose(graph, b, swap)));
  RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
  GraphRun run = run_graph(arena, graph, &options, "stacks");
  for (int s = 0; s < 3; s++)
    for (int i = 0; i < 5; i++)
      for (int j = 0; j < 4; j++) {
        float sum = 0;
        for (int k = 0; k < 7; k++)
          sum = fmaf(run_value(s * 35 + i * 7 + k), run_value(s * 28 + j * 7 + k), sum);
        cr_expect_eq(((float *)run.outputs[0])[s * 20 + i * 4 + j], sum);
      }
  arena_free(arena);
}

// ---- reductions
static float tree(const float *lanes) {
  float t[16];
  memcpy(t, lanes, sizeof t);
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; i++)
      t[i] = t[i] + t[i + half];
  return t[0];
}

// The sum of run_value(start + o * outer_step + r) for `outer` rows of `length` elements, the last axis reduced.
static float row_sum(int64_t start, int64_t outer, int64_t outer_step, int64_t length, int64_t most, bool known) {
  float sum = 0;
  if (known && outer * length <= 16) {
    for (int64_t e = 0; e < outer * length; e++) {
      float value = run_value(start + e / length * outer_step + e % length);
      sum = e ? sum + value : value;
    }
    return sum;
  }
  float lanes[16] = {0};
  for (int64_t o = 0; o < outer; o++)
    for (int64_t r = 0; r < length; r++) {
      lanes[r % 65536 % 16] += run_value(start + o * outer_step + r);
      if (most > 65536 && (r % 65536 == 65535 || r == length - 1)) {
        sum += tree(lanes);
        memset(lanes, 0, sizeof lanes);
      }
    }
  return most > 65536 ? sum : tree(lanes);
}

static GraphRun reduce(Arena *arena, Type type, int count, const int *axes, int64_t capacity, int64_t batch) {
  Graph *graph = new_graph(arena, capacity);
  output(graph, graph_reduce(graph, OP_reduce_sum, graph_input(graph, "x", type), count, axes, false));
  RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = batch, .backwards = true};
  return run_graph(arena, graph, &options, "reduction");
}

Test(schedule, sums_of_rows) {
  const int64_t lengths[] = {1, 2, 15, 16, 17, 32, 100, 1000};
  int axis = 1;
  for (int i = 0; i < 8; i++) {
    Arena *arena = arena_new();
    GraphRun run = reduce(arena, matrix(5, lengths[i]), 1, &axis, 0, 1);
    for (int row = 0; row < 5; row++)
      cr_expect_eq(((float *)run.outputs[0])[row], row_sum(row * lengths[i], 1, 0, lengths[i], lengths[i], true),
                   "length %d", (int)lengths[i]);
    arena_free(arena);
  }
}

Test(schedule, sums_over_the_batch) {
  int axes[] = {0, 1};
  for (int64_t batch = 1; batch < 40; batch += 6) {
    Arena *arena = arena_new();
    GraphRun run = reduce(arena, matrix(DIM_BATCH, 3), 2, axes, 40, batch);
    cr_expect_eq(*(float *)run.outputs[0], row_sum(0, 1, 0, 3 * batch, 120, false), "batch %d", (int)batch);
    arena_free(arena);
  }
}

Test(schedule, sums_of_split_axes) {
  int axes[] = {0, 2};
  const int64_t lengths[] = {2, 7, 40};
  for (int i = 0; i < 3; i++) {
    Arena *arena = arena_new();
    GraphRun run = reduce(arena, (Type){F32, 3, {4, 5, lengths[i]}}, 2, axes, 0, 1);
    for (int64_t row = 0; row < 5; row++)
      cr_expect_eq(((float *)run.outputs[0])[row],
                   row_sum(row * lengths[i], 4, 5 * lengths[i], lengths[i], lengths[i], true));
    arena_free(arena);
  }
}

Test(schedule, long_sums, .timeout = 120) {
  int axes[] = {0, 1};
  Arena *arena = arena_new();
  GraphRun run = reduce(arena, matrix(300, 451), 2, axes, 0, 1);
  cr_expect_eq(*(float *)run.outputs[0], row_sum(0, 1, 0, 300 * 451, 300 * 451, true));
  run = reduce(arena, matrix(2, 70000), 1, axes + 1, 0, 1);
  for (int row = 0; row < 2; row++)
    cr_expect_eq(((float *)run.outputs[0])[row], row_sum(row * 70000, 1, 0, 70000, 70000, true));
  arena_free(arena);
}

static float column_sum(int64_t column, int64_t rows, int64_t cols, int64_t most) {
  float sum = 0, part = 0;
  for (int64_t r = 0; r < rows; r++) {
    part += run_value(r * cols + column);
    if (most > 1024 && (r % 1024 == 1023 || r == rows - 1)) {
      sum += part;
      part = 0;
    }
  }
  return most > 1024 ? sum : part;
}

Test(schedule, sums_of_columns, .timeout = 120) {
  const int64_t rows[] = {1, 20, 3000}, cols[] = {2, 64, 150};
  int axis = 0;
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      Arena *arena = arena_new();
      GraphRun run = reduce(arena, matrix(rows[i], cols[j]), 1, &axis, 0, 1);
      for (int64_t c = 0; c < cols[j]; c++)
        cr_assert_eq(((float *)run.outputs[0])[c], column_sum(c, rows[i], cols[j], rows[i]), "%d rows, column %d",
                     (int)rows[i], (int)c);
      arena_free(arena);
    }
}

Test(schedule, largest_places) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Attr last = {.axis_count = 1, .axis = {1}}, first = {.axis_count = 1, .axis = {0}};
  const float data[] = {1, 7, 7, 2, -INFINITY, -INFINITY, NAN, 3, 0, NAN, NAN, 9};
  Node *x = graph_dense(graph, matrix(3, 4), data);
  output(graph, graph_node(graph, OP_argmax, 1, &x, &last, NULL));
  output(graph, graph_node(graph, OP_argmax, 1, &x, &first, NULL));
  RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
  GraphRun run = run_graph(arena, graph, &options, "argmax");
  const int64_t along[] = {1, 2, 1}, down[] = {0, 2, 1, 2};
  cr_expect_arr_eq(run.outputs[0], along, sizeof along);
  cr_expect_arr_eq(run.outputs[1], down, sizeof down);
  arena_free(arena);
}

// ---- hints
static const char *loops_of(Arena *arena, Graph *graph, const char *name) {
  RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
  GraphRun run = lower_graph(arena, graph, &options, name);
  Text text = text_new(arena);
  loops_print(&text, run.module);
  return text_string(&text);
}

// What is added to a product, 2 lines of each row of a tile, is asked for in the first rounds of the sum; a bias, which stays
// near, is not.
Test(schedule, what_ends_of_tiles_read_is_asked_for) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Node *a = graph_input(graph, "a", matrix(448, 64)), *b = graph_input(graph, "b", matrix(64, 512));
  Node *far = graph_input(graph, "far", matrix(448, 512)), *near = graph_input(graph, "near", (Type){F32, 1, {512}});
  Node *sum = graph_binary(graph, OP_add, graph_matmul(graph, a, b), far);
  output(graph, graph_binary(graph, OP_add, sum, near));
  const char *loops = loops_of(arena, graph, "residual");
  const char *hint = strstr(loops, "prefetch far[");
  cr_assert_not_null(hint, "%s", loops);
  cr_expect_not_null(strstr(loops, "for line in 0..28 {"), "%s", loops);
  cr_expect_lt(hint, strstr(loops, "fma("));
  cr_expect_null(strstr(hint + 1, "prefetch far["));
  cr_expect_null(strstr(loops, "prefetch near["));
  arena_free(arena);
}

// Rounds of low tiles stand in a row, so that counting them costs little; high ones have arithmetic enough.
Test(schedule, rounds_of_low_tiles_stand_in_a_row) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Node *a = graph_input(graph, "a", matrix(364, 100)), *b = graph_input(graph, "b", matrix(100, 512));
  output(graph, graph_matmul(graph, a, b));
  const char *high = loops_of(arena, graph, "high");
  RunOptions options = {.kernels = all_passes, .target = middle_target, .batch = 1};
  Text low = text_new(arena);
  loops_print(&low, lower_graph(arena, graph, &options, "low").module);
  cr_expect_null(strstr(high, "in a row"), "%s", high);
  cr_expect_not_null(strstr(text_string(&low), "in 0..100, 4 in a row {"), "%s", text_string(&low));
  arena_free(arena);
}

// Rows that are packed for the next panel of a weights' gradient, in its block and the one behind.
Test(schedule, rows_that_are_packed_next_are_asked_for) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  int swap[] = {1, 0};
  Node *x = graph_input(graph, "x", matrix(512, 24)), *y = graph_input(graph, "y", matrix(512, 768));
  output(graph, graph_matmul(graph, graph_transpose(graph, x, swap), y));
  const char *loops = loops_of(arena, graph, "weight");
  cr_expect_not_null(strstr(loops, "prefetch y["), "%s", loops);
  cr_expect_null(strstr(loops, "prefetch x["), "%s", loops);
  arena_free(arena);
  check_product((Size){.m = 24, .n = 768, .k = 260, .a_turned = true}, 0, 1);
}

static const char *weight_loops(Arena *arena, int64_t rows, int64_t in, int64_t out) {
  Graph *graph = new_graph(arena, 0);
  int swap[] = {1, 0};
  Node *x = graph_input(graph, "x", matrix(rows, in)), *y = graph_input(graph, "y", matrix(rows, out));
  output(graph, graph_matmul(graph, graph_transpose(graph, x, swap), y));
  return loops_of(arena, graph, "weight");
}

// A panel of y is packed where many tiles read it.
Test(schedule, few_tiles_read_y_where_it_lies) {
  Arena *arena = arena_new();
  const char *few = weight_loops(arena, 512, 24, 96), *many = weight_loops(arena, 512, 200, 96);
  cr_expect_null(strstr(few, "packed_y"), "%s", few);
  cr_expect_not_null(strstr(many, "packed_y"), "%s", many);
  arena_free(arena);
  check_product((Size){.m = 160, .n = 40, .k = 300, .a_turned = true}, 0, 1);
}

// A low tile takes part of a line of x, which is copied into panels of its height where many panels of y meet it; over several
// blocks, of which the last one is shorter, and with a tile that is lower still.
Test(schedule, low_tiles_read_x_in_panels) {
  Arena *arena = arena_new();
  const char *wide = weight_loops(arena, 512, 384, 768), *few = weight_loops(arena, 512, 384, 40);
  cr_expect_null(strstr(wide, "panels_x"), "%s", wide);
  cr_expect_null(strstr(few, "panels_x"), "%s", few);
  Graph *graph = new_graph(arena, 0);
  int swap[] = {1, 0};
  Node *x = graph_input(graph, "x", matrix(512, 384)), *y = graph_input(graph, "y", matrix(512, 768));
  output(graph, graph_matmul(graph, graph_transpose(graph, x, swap), y));
  RunOptions options = {.kernels = all_passes, .target = middle_target, .batch = 1};
  Text text = text_new(arena);
  loops_print(&text, lower_graph(arena, graph, &options, "low").module);
  cr_expect_not_null(strstr(text_string(&text), "panels_x"), "%s", text_string(&text));
  arena_free(arena);
  check_product((Size){.m = 13, .n = 129, .k = 700, .a_turned = true}, 0, 1);
  check_product((Size){.m = 13, .n = 129, .k = DIM_BATCH, .a_turned = true}, 700, 690);
}

// The sums of the next tile, and x of the next block, where they are more than the caches keep; and blocks are deep then.
Test(schedule, next_sums_and_blocks_are_asked_for) {
  Arena *arena = arena_new();
  const char *small_sums = weight_loops(arena, 16384, 64, 64), *large_sums = weight_loops(arena, 1024, 512, 1024);
  cr_expect_null(strstr(small_sums, "prefetch sums["), "%s", small_sums);
  cr_expect_not_null(strstr(small_sums, "prefetch x["), "%s", small_sums);
  cr_expect_not_null(strstr(large_sums, "prefetch sums["), "%s", large_sums);
  arena_free(arena);
}

// 64 rows are five tasks of one tile, not four of two lower ones.
Test(schedule, tiles_are_as_high_as_all_rows_make_them) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  output(graph,
         graph_matmul(graph, graph_input(graph, "a", matrix(64, 512)), graph_input(graph, "b", matrix(512, 128))));
  const char *loops = loops_of(arena, graph, "high");
  cr_expect_not_null(strstr(loops, "f32[13, 32]"), "%s", loops);
  cr_expect_null(strstr(loops, "f32[8, 32]"), "%s", loops);
  arena_free(arena);
  check_product((Size){.m = 64, .n = 128, .k = 40}, 0, 1);
}

// Of 64 rows by 512 columns each task packs its own panel of a turned B; of 2048 rows all is packed first.
Test(schedule, panels_of_one_task_are_packed_by_it) {
  const int64_t rows[] = {64, 2048};
  for (int i = 0; i < 2; i++) {
    Arena *arena = arena_new();
    Graph *graph = new_graph(arena, 0);
    int swap[] = {1, 0};
    Node *a = graph_input(graph, "a", matrix(rows[i], 256)), *w = graph_input(graph, "w", matrix(512, 256));
    output(graph, graph_matmul(graph, a, graph_transpose(graph, w, swap)));
    const char *loops = loops_of(arena, graph, "panels");
    cr_expect_eq(strstr(loops, "barrier_inside") != NULL, i == 1, "%s", loops);
    arena_free(arena);
  }
  check_product((Size){.m = 64, .n = 520, .k = 40, .b_turned = true}, 0, 1);
}

// ---- threads
static bool shares(const LKernel *kernel) {
  for (int i = 0; i < kernel->body.count; i++)
    if (kernel->body.data[i]->kind == LS_PARALLEL)
      return true;
  return false;
}

static bool overlap(const LCall *a, int i, const LCall *b, int k) {
  const LBuffer *left = a->kernel->buffers.data[i], *right = b->kernel->buffers.data[k];
  LPlace p = a->places[i], q = b->places[k];
  return (left->written || right->written) && p.space == q.space && p.index == q.index &&
         p.offset < q.offset + right->length * ltype_bytes(right->type) &&
         q.offset < p.offset + left->length * ltype_bytes(left->type);
}

Test(schedule, barriers_between_conflicts) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Node *x = graph_input(graph, "x", matrix(256, 256)), *y = x;
  int swap[] = {1, 0}, axis = 1;
  for (int i = 0; i < 4; i++) {
    y = graph_unary(graph, OP_tanh, graph_matmul(graph, y, graph_transpose(graph, x, swap)));
    y = graph_binary(graph, OP_sub, y, graph_reduce(graph, OP_reduce_sum, y, 1, &axis, true));
  }
  output(graph, y);
  RunOptions options = {.kernels = all_passes, .target = wide_target, .batch = 1};
  GraphRun run = lower_graph(arena, graph, &options, "barriers");
  const LEntry *entry = run.module->entries.data[0];
  cr_assert(entry->parallel);
  int barriers = 0;
  for (int late = 1; late < entry->calls.count; late++) {
    const LCall *b = &entry->calls.data[late];
    barriers += b->barrier;
    bool apart = false;
    for (int early = late - 1; early >= 0; early--) {
      apart = apart || entry->calls.data[early + 1].barrier;
      const LCall *a = &entry->calls.data[early];
      if (apart || !(shares(a->kernel) || shares(b->kernel)))
        continue;
      for (int i = 0; i < a->kernel->buffers.count; i++)
        for (int k = 0; k < b->kernel->buffers.count; k++)
          cr_expect(!overlap(a, i, b, k), "%s and %s", a->kernel->name, b->kernel->name);
    }
  }
  cr_expect_gt(barriers, 0);
  arena_free(arena);
}

// A scan of x as far as the longest of n, which carries nothing.
static Node *scan_as_far(Graph *graph, Node *x, Node *n) {
  Type step = scan_step_type(&x->type);
  Graph *body = graph_new(graph->arena, "body", graph->batch);
  Node *xt = graph_input(body, "x", step);
  graph_input(body, "count", type_scalar(I64));
  vec_push(graph->arena, &body->outputs, ((GraphOutput){"y", graph_matmul(body, xt, xt)}));
  int64_t length = x->type.dim[0];
  GraphScan scan = {.body = body, .sequences = 1, .length = length, .counted = true};
  return graph_scan(graph, &scan, (Node *[]){x, graph_scan_count(graph, n, length)}, 2);
}

// All threads read the count: it is written before a barrier.
Test(schedule, a_count_is_known_to_all_threads) {
  Arena *arena = arena_new();
  Graph *graph = new_graph(arena, 0);
  Node *x = graph_input(graph, "x", (Type){F32, 3, {6, 128, 128}});
  Node *n = graph_cast(graph, graph_input(graph, "n", (Type){F32, 1, {1}}), I64);
  output(graph, graph_scan_result(graph, scan_as_far(graph, x, n), 0));
  KernelGraph *kernels = fuse(arena, pass_scan(graph), &all_passes);
  plan(kernels, &all_passes);
  LoopModule module = {.arena = arena, .name = "count"};
  schedule(&module, kernels, "count", &wide_target);
  cr_assert(!loops_check(&module), "%s", loops_check(&module));
  const LEntry *entry = module.entries.data[0];
  cr_assert(entry->parallel);
  int at = 0, written = -1, barriers = 0;
  for (; !entry->calls.data[at].loop; at++)
    for (int b = 0; b < entry->calls.data[at].kernel->buffers.count; b++)
      if (entry->calls.data[at].kernel->buffers.data[b]->type == L_I64 &&
          entry->calls.data[at].kernel->buffers.data[b]->written)
        written = at;
  const LCall *loop = &entry->calls.data[at];
  cr_assert(loop->loop->count && written >= 0);
  for (int i = written + 1; i <= at; i++)
    barriers += entry->calls.data[i].barrier;
  cr_expect_gt(barriers, 0);
  cr_assert_lt(at + 1, entry->calls.count); // what gives the rest
  cr_expect(entry->calls.data[at + 1].barrier);
  arena_free(arena);
}

Test(schedule, equal_kernels_are_shared) {
  Arena *arena = arena_new();
  LoopModule *module = arena_new_of(arena, LoopModule);
  module->arena = arena;
  module->name = "test";
  for (int entry = 0; entry < 2; entry++) {
    Graph *graph = new_graph(arena, 8);
    Node *x = graph_input(graph, "x", matrix(DIM_BATCH, 5));
    output(graph,
           graph_unary(
               graph, entry ? OP_exp : OP_tanh,
               graph_matmul(graph, x, graph_transpose(graph, graph_input(graph, "y", matrix(6, 5)), (int[]){1, 0}))));
    output(graph, graph_unary(graph, OP_exp, x));
    KernelGraph *kernels = fuse(arena, graph, &all_passes);
    plan(kernels, &all_passes);
    schedule(module, kernels, entry ? "b" : "a", &wide_target);
  }
  cr_expect_eq(module->kernels.count, 3);
  cr_expect_eq(module->entries.data[1]->calls.count, 2);
  cr_expect(!loops_check(module));
  arena_free(arena);
}

Test(schedule, targets) {
  Target target;
  cr_expect(target_parse("native", &target));
  cr_expect(target_parse("x86-64-v3", &target) && target.vector_bytes == 32 && target.vector_registers == 16);
  cr_expect(target_parse("skylake-avx512", &target) && target.vector_bytes == 64);
  cr_expect(!target_parse("no-such-cpu", &target));
}

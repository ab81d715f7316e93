// Random graphs of point, index, reduce, product, attention, gather and scatter operations with a batch dimension, in f32, f64 and
// whole numbers: the same bits from every backend, on one thread and two, in every way of compiling.
#include <criterion/criterion.h>

#include "passes/random_graph.h"
#include "subject.h"

// All passes, and some of the ways without one of them or for another processor; C by one of the compilers.
static void check(int64_t first, int count, int size, bool wide, int from_way, int way_count, Backend c) {
  if (SANITIZED) // slow, and the plain build runs them all
    count = (count + 3) / 4;
  Subjects subjects = subjects_new();
  static const ElemType types[] = {F32, F64, F32, I32, F32, F64, I64, U8};
  for (int64_t seed = first; seed < first + count; seed++) {
    RandomGraph random = random_graph(subjects.arena, (uint64_t)seed, size, wide);
    ElemType elem = types[seed % 8];
    Graph *graph = elem == F32 ? random.graph : graph_with_elem(random.graph, F32, elem, true);
    const char *label = arena_printf(subjects.arena, "seed %lld, size %d, %s", (long long)seed, size, elem_name(elem));
    subject_add(&subjects, label, graph, 2 * random.state_bytes, NULL);
  }
  cr_assert_gt(subjects.all.count, count / 2);
  EXPECT_SAME(&subjects, {BACKEND_JIT, 1, every_way}, {BACKEND_JIT, way_count, every_way + from_way}, {c, 1, c_ways});
  subjects_free(&subjects);
}

Test(random, small, .timeout = 600) {
  check(1, 24, 14, false, 1, 4, BACKEND_GCC);
}
Test(random, small_too, .timeout = 600) {
  check(1001, 24, 14, false, 5, 4, BACKEND_CLANG);
}
Test(random, middle, .timeout = 600) {
  check(5000, 12, 30, false, 9, EVERY_WAY - 9, BACKEND_GCC);
}
Test(random, middle_too, .timeout = 600) {
  check(6000, 12, 30, false, 3, 3, BACKEND_CLANG);
}
Test(random, large, .timeout = 600) {
  check(9000, 8, 60, false, 5, 3, BACKEND_CLANG);
}
Test(random, wide, .timeout = 600) {
  check(14000, 14, 20, true, EVERY_WAY - WAYS_FOR_OTHERS, WAYS_FOR_OTHERS, BACKEND_GCC);
}

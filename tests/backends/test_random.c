// Random graphs of point, index, reduce, product, gather and scatter operations with a batch dimension, in f32, f64 and
// whole numbers: the same bits from every backend, on one thread and two, in every way of compiling.
#include <criterion/criterion.h>

#include "passes/random_graph.h"
#include "subject.h"

static void check(int64_t first, int count, int size, bool wide, Backend backend, int way_number, const Way *some) {
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
  expect_same_everywhere(&subjects, backend, way_number, some);
  subjects_free(&subjects);
}

#define RANDOM_TESTS(name, first, count, size, wide)                                                                   \
  Test(random, name##_jit, .timeout = 600) { check(first, count, size, wide, BACKEND_JIT, way_count, ways); }          \
  Test(random, name##_gcc, .timeout = 600) { check(first, count, size, wide, BACKEND_GCC, c_way_count, c_ways); }      \
  Test(random, name##_clang, .timeout = 600) { check(first, count, size, wide, BACKEND_CLANG, c_way_count, c_ways); }
RANDOM_TESTS(small, 1, 110, 14, false)
RANDOM_TESTS(middle, 5000, 50, 30, false)
RANDOM_TESTS(large, 9000, 15, 60, false)
RANDOM_TESTS(wide, 14000, 25, 20, true)

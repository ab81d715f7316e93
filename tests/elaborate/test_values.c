// Compile-time values: each line is an `expect` that elaboration itself must find true.
#include "elab_helper.h"

static void expect_true(const char *conditions[], int count) {
  Text text = text_new(arena_new());
  text_add(&text, "test \"values\" {\n");
  for (int i = 0; i < count; i++)
    text_printf(&text, "  expect %s\n", conditions[i]);
  text_add(&text, "}\n");
  const Program *program = program_of(text_string(&text));
  const TestBlock *test = program->tests.data[0];
  cr_assert_eq(test->expectations.count, count);
  cr_expect_null(test->graph);
  for (int i = 0; i < count; i++) {
    const Expectation *expectation = &test->expectations.data[i];
    cr_expect(expectation->constant && !expectation->failed, "%s: found %s", expectation->text,
              expectation->failed ? expectation->failed : "a run-time value");
  }
}
#define EXPECT_TRUE(...)                                                                                               \
  do {                                                                                                                 \
    const char *conditions[] = {__VA_ARGS__};                                                                          \
    expect_true(conditions, sizeof conditions / sizeof *conditions);                                                   \
  } while (0)

Test(values, integers) {
  EXPECT_TRUE("7 // 2 == 3", "-7 // 2 == -4", "-7 % 3 == 2", "7 % -3 == -2", "7 / 2 == 3.5", "2 ** 10 == 1024",
              "2 ** -1 == 0.5", "2 ** 3 ** 2 == 512", "-2 ** 2 == -4", "9_223_372_036_854_775_807 > 0",
              "1 < 2 and 2 <= 2");
}

Test(values, reals) {
  EXPECT_TRUE("0.1 + 0.2 != 0.3", "close(0.1 + 0.2, 0.3)", "5.5 // 2 == 2.0", "5.5 % 2 == 1.5", "sqrt(2.25) == 1.5",
              "int(2.9) == 2", "int(-2.9) == -2", "float(3) / 2 == 1.5", "max(1, 2.5) == 2.5", "min(3, 2) == 2",
              "abs(-3) == 3", "sign(-2.5) == -1", "exp(0) == 1", "floor(-1.5) == -2");
}

Test(values, lists_and_strings) {
  EXPECT_TRUE("[1, 2] + [3] == [1, 2, 3]", "[1, 2, 3][-1] == 3", "[1, 2, 3, 4][1:3] == [2, 3]", "len([1, 2]) == 2",
              "range(3) == [0, 1, 2]", "range(1, 6, 2) == [1, 3, 5]", "range(3, 0, -1) == [3, 2, 1]", "0..2 == [0, 1]",
              "\"a\" + \"b\" == \"ab\"", "len(\"abc\") == 3", "str(12) == \"12\"", "reverse([1, 2]) == [2, 1]",
              "[1, 2] != [1, 3]");
}

Test(values, conditions) {
  EXPECT_TRUE("not false", "true or 1 // 0 == 1", "not (false and 1 // 0 == 1)", "(if 1 < 2 { 3 } else { 4 }) == 3",
              "none == none", "f32 != f64", "relu != tanh");
}

Test(values, shapes_are_known) {
  EXPECT_TRUE(
      "shape(zeros([2, 3])) == [2, 3]", "rank(ones([4])) == 1", "size(zeros([2, 3])) == 6", "count(zeros([7, 3])) == 7",
      "shape(zeros([2, 3]) @ zeros([3, 4])) == [2, 4]", "shape(zeros([3]) @ zeros([3, 4])) == [4]",
      "shape(zeros([5, 2, 3]) @ zeros([3, 4])) == [5, 2, 4]", "shape(transpose(zeros([2, 3, 4]))) == [2, 4, 3]",
      "shape(reshape(zeros([2, 6]), [3, -1])) == [3, 4]", "shape(zeros([2, 6])[0, 1:4]) == [3]",
      "shape(zeros([2, 6, 4])[..., 0]) == [2, 6]", "shape(reduce_sum(zeros([2, 3]), axis: 1, keep: true)) == [2, 1]",
      "shape(reduce_max(zeros([2, 3, 4]), axis: [0, -1])) == [3]", "shape(stack([zeros([2]), ones([2])])) == [2, 2]",
      "shape(concat([zeros([2, 1]), ones([2, 4])])) == [2, 5]", "shape(pad(zeros([2]), [[1, 2]])) == [5]",
      "shape(one_hot([1, 2], 5)) == [2, 5]", "type(zeros([1], f64)) == f64",
      "shape(take(zeros([5, 2]), [1, 1, 0])) == [3, 2]");
}

Test(values, constants_from_outside) {
  Elaborated result = elaborate_set("const hidden = 128\ntest \"a\" { expect hidden == 2 ** 8 }", "hidden", "256");
  cr_assert_not_null(result.program, "%s", result.messages);
  cr_expect_null(result.program->tests.data[0]->expectations.data[0].failed);
  arena_free(result.arena);
}

Test(values, failures_say_what_was_found) {
  const Program *program = program_of("test \"a\" {\n  expect 1 + 1 == 3\n}");
  const Expectation *expectation = &program->tests.data[0]->expectations.data[0];
  cr_expect_str_eq(expectation->failed, "2 == 3");
  cr_expect_eq(expectation->span.line, 2);
}

Test(values, blocks_rebind_what_is_around_them) {
  const Program *program = program_of("test \"a\" {\n"
                                      "  x = 1\n"
                                      "  for i in 0..3 { x = x * 2; y = i }\n"
                                      "  if x == 8 { x = 9 } else { x = 10 }\n"
                                      "  expect x == 9\n"
                                      "}");
  cr_expect_null(program->tests.data[0]->expectations.data[0].failed);
  Elaborated result = elaborate_text("test \"a\" {\n  for i in 0..3 { y = i }\n  expect y == 2\n}");
  cr_expect_null(result.program);
}

Test(values, layers_are_values) {
  EXPECT_TRUE("shape(partial(dense, units: 3)(zeros([2, 4]))) == [2, 3]",
              "shape(partial(dense, 5)(zeros([2, 4]))) == [2, 5]");
}

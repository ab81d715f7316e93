// Windows of a time series: their values, parts cut by time, scales learnt from the training part, files to predict on,
// errors.
#include <math.h>

#include "data_helper.h"

// a counts from 0, b from 100 down.
static const char *counting(int steps) {
  char text[4096];
  int used = snprintf(text, sizeof text, "month,a,b\n");
  for (int i = 0; i < steps; i++)
    used += snprintf(text + used, sizeof text - used, "m%d,%d,%d\n", i, i, 100 - i);
  return file_text(text);
}

#define SERIES(path, window, ...)                                                                                      \
  CALL("series", STR(path), NAMED("columns", STR("a")), NAMED("window", INT(window)), __VA_ARGS__)
#define PLAIN(path, window) CALL("series", STR(path), NAMED("columns", STR("a")), NAMED("window", INT(window)))

Test(series, windows_of_one_column) {
  NnrtDataset *set = OPEN(SERIES(counting(10), 3, NAMED("horizon", INT(2)), NAMED("stride", INT(2))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  float x[3], y[2];
  cr_assert_eq(info->x.rank, 2);
  cr_assert_arr_eq(info->x.dim, ((int64_t[]){3, 1}), 16);
  cr_assert_eq(info->y.rank, 1);
  cr_assert_eq(info->y.dim[0], 2);
  cr_assert_eq(info->y.type, NNRT_F32);
  cr_assert_eq(info->count[0], 3); // from 0, 2, 4; from 6 on nothing comes after 8 + 1
  sample(set, NNRT_PART_TRAIN, 2, x, y);
  cr_assert_arr_eq(x, ((float[]){4, 5, 6}), sizeof x);
  cr_assert_arr_eq(y, ((float[]){7, 8}), sizeof y);
  nnrt_data_close(set);
}

Test(series, several_columns_and_targets) {
  NnrtArg columns = NAMED("columns", LIST(STR("b"), STR("a"))), targets = NAMED("target", LIST(STR("a"), STR("b")));
  NnrtDataset *set =
      OPEN(CALL("series", STR(counting(6)), columns, NAMED("window", INT(2)), targets, NAMED("horizon", INT(2))));
  float x[4], y[4];
  cr_assert_eq(nnrt_data_info(set)->count[0], 3);
  cr_assert_arr_eq(nnrt_data_info(set)->y.dim, ((int64_t[]){2, 2}), 16);
  sample(set, NNRT_PART_TRAIN, 1, x, y);
  cr_assert_arr_eq(x, ((float[]){99, 1, 98, 2}), sizeof x);
  cr_assert_arr_eq(y, ((float[]){3, 97, 4, 96}), sizeof y);
  nnrt_data_close(set);
}

Test(series, all_columns_without_a_header) {
  NnrtDataset *set = OPEN(CALL("series", STR(file_text("1;2\n3;4\n5;6\n")), NAMED("window", INT(2)),
                               NAMED("header", BOOL(false)), NAMED("separator", STR(";"))));
  float x[4], y[2];
  sample(set, NNRT_PART_TRAIN, 0, x, y);
  cr_assert_arr_eq(x, ((float[]){1, 2, 3, 4}), sizeof x);
  cr_assert_arr_eq(y, ((float[]){5, 6}), sizeof y);
  nnrt_data_close(set);
}

// No window of a part takes a step of another; what is in no part's windows is only what is too near to a cut.
Test(series, split_cuts_by_time) {
  NnrtDataset *set = OPEN(PLAIN(counting(40), 3), CALL("split", NAMED("val", REAL(0.25)), NAMED("test", INT(6))));
  const int64_t *count = nnrt_data_info(set)->count;
  static const int64_t counts[3] = {21, 7, 3}, first[3] = {0, 24, 34};
  cr_assert_arr_eq(count, counts, sizeof counts);
  for (int part = 0; part < 3; part++)
    for (int64_t i = 0; i < count[part]; i++) {
      float x[3], y;
      sample(set, (NnrtPartKind)part, i, x, &y);
      for (int k = 0; k < 3; k++)
        cr_assert_eq(x[k], first[part] + i + k);
      cr_assert_eq(y, first[part] + i + 3);
    }
  nnrt_data_close(set);
}

Test(series, history_lets_windows_begin_before_their_part) {
  NnrtDataset *set = OPEN(SERIES(counting(40), 3, NAMED("history", BOOL(true))),
                          CALL("split", NAMED("val", INT(10)), NAMED("test", INT(6))));
  const int64_t *count = nnrt_data_info(set)->count;
  float x[3], y;
  cr_assert_arr_eq(count, ((int64_t[]){21, 10, 6}), 24); // each step of val and test is foretold once
  sample(set, NNRT_PART_VAL, 0, x, &y);
  cr_assert_arr_eq(x, ((float[]){21, 22, 23}), sizeof x);
  cr_assert_eq(y, 24);
  sample(set, NNRT_PART_TEST, 5, x, &y);
  cr_assert_eq(y, 39);
  nnrt_data_close(set);
}

Test(series, take_keeps_the_first_windows) {
  NnrtDataset *set = OPEN(PLAIN(counting(20), 2), CALL("take", INT(5)), CALL("split", NAMED("test", REAL(0.5))));
  cr_assert_arr_eq(nnrt_data_info(set)->count, ((int64_t[]){5, 0, 8}), 24);
  nnrt_data_close(set);
}

// 0 … 29 are for training: mean 14.5, variance (30^2 - 1) / 12. Later steps do not count.
Test(series, standardize_learns_from_the_training_part) {
  NnrtDataset *set = OPEN(PLAIN(counting(40), 3), BARE("standardize"), CALL("split", NAMED("test", INT(10))));
  double deviation = sqrt(899 / 12.0);
  float x[3], y;
  sample(set, NNRT_PART_TEST, 0, x, &y);
  for (int k = 0; k < 3; k++)
    cr_assert_float_eq(x[k], (30 + k - 14.5) / deviation, 1e-6);
  cr_assert_float_eq(y, (33 - 14.5) / deviation, 1e-6);
  cr_assert_float_eq(nnrt_data_unscale(set, 1, 0, (double)y), 33, 1e-4);
  cr_assert_eq(nnrt_data_unscale(set, 2, 0, (double)y), (double)y); // a result that is not like y
  nnrt_data_close(set);
}

Test(series, scale_is_of_x_and_y) {
  NnrtArg columns = NAMED("columns", STR("a")), target = NAMED("target", STR("b"));
  NnrtDataset *set =
      OPEN(CALL("series", STR(counting(4)), columns, target, NAMED("window", INT(2))), CALL("scale", REAL(0.5)));
  float x[2], y;
  sample(set, NNRT_PART_TRAIN, 1, x, &y);
  cr_assert_arr_eq(x, ((float[]){0.5f, 1}), sizeof x);
  cr_assert_eq(y, 48.5f);
  nnrt_data_close(set);
}

Test(series, training_windows_come_in_random_order) {
  NnrtDataset *set = OPEN(PLAIN(counting(30), 3));
  int64_t order[27], seen = 0, moved = 0;
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 0, 1, order);
  for (int i = 0; i < 27; i++) {
    seen |= (int64_t)1 << order[i];
    moved += order[i] != i;
  }
  cr_assert_eq(seen, ((int64_t)1 << 27) - 1);
  cr_assert(moved > 15);
  nnrt_data_close(set);
}

// All windows, the last without a future; columns by name; scaled as in training.
Test(series, predict_on_another_file) {
  NnrtDataset *set = OPEN(SERIES(counting(20), 3, NAMED("stride", INT(4))), CALL("scale", REAL(2)));
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, file_text("b,a\n9,1\n9,2\n9,3\n9,4\n9,5\n"), &error);
  cr_assert(like, "%s", error.text);
  nnrt_data_close(set);
  float x[3];
  cr_assert_eq(nnrt_data_info(like)->count[2], 3);
  sample(like, NNRT_PART_TEST, 2, x, NULL);
  cr_assert_arr_eq(x, ((float[]){6, 8, 10}), sizeof x);
  nnrt_data_close(like);
}

static void like_fails(const char *part, const char *text) {
  NnrtDataset *set = OPEN(PLAIN(counting(20), 3));
  NnrtError error = {0};
  cr_assert(!nnrt_data_open_like(set, file_text(text), &error));
  cr_assert(strstr(error.text, part), "%s", error.text);
  nnrt_data_close(set);
}

Test(series, predict_needs_its_columns) {
  like_fails(":1:1: no column `a`, which the model was trained on", "b\n1\n2\n3\n");
}

Test(series, predict_needs_a_window) {
  like_fails("the series has 2 steps, a window has 3", "a\n1\n2\n");
}

Test(series, shorter_than_its_window) {
  FAILS("the training part has 10 steps; a window of 10 and 1 after it need 11", PLAIN(counting(10), 10));
}

Test(series, a_part_shorter_than_its_window) {
  FAILS("the test part has 3 steps; a window of 3 and 1 after it need 4", PLAIN(counting(20), 3),
        CALL("split", NAMED("test", INT(3))));
}

Test(series, split_leaves_training) {
  FAILS("`split` leaves nothing for training: 20 steps, 10 for val, 10 for test", PLAIN(counting(20), 3),
        CALL("split", NAMED("val", INT(10)), NAMED("test", INT(10))));
}

Test(series, missing_column) {
  FAILS("has no column `c`", CALL("series", STR(counting(9)), NAMED("columns", STR("c")), NAMED("window", INT(2))));
}

Test(series, missing_target) {
  FAILS("has no column `monht`; did you mean `month`?", SERIES(counting(9), 2, NAMED("target", STR("monht"))));
}

Test(series, column_twice) {
  FAILS("column `a` is named twice",
        CALL("series", STR(counting(9)), NAMED("columns", LIST(STR("a"), STR("a"))), NAMED("window", INT(2))));
}

Test(series, no_columns) {
  FAILS("an empty list of columns", CALL("series", STR(counting(9)), NAMED("window", INT(2)),
                                         NAMED("columns", ((NnrtArg){.kind = NNRT_ARG_LIST, .line = 3}))));
}

Test(series, text_in_a_column) {
  FAILS(":2:1: column `month`: `m0` is not a number",
        CALL("series", STR(counting(9)), NAMED("columns", STR("month")), NAMED("window", INT(2))));
}

Test(series, missing_values) {
  FAILS(":3:1: 2 missing values, the first in column `a`: a series has no gaps",
        PLAIN(file_text("a,b\n1,1\n,2\n?,3\n4,4\n"), 2));
}

Test(series, gaps_elsewhere_do_not_matter) {
  nnrt_data_close(OPEN(PLAIN(file_text("a,b\n1,\n2,x\n3,\n4,4\n"), 2)));
}

Test(series, no_rows) {
  FAILS("no rows after the header", PLAIN(file_text("a,b\n"), 2));
}

Test(series, empty_file) {
  FAILS("the file is empty", PLAIN(file_text(""), 2));
}

Test(series, window_of_nothing) {
  FAILS_CHECK("`window` of `series` is from 1 to 16777216, not 0", PLAIN("x.csv", 0));
}

Test(series, horizon_of_nothing) {
  FAILS_CHECK("`horizon` of `series` is from 1 to 16777216, not -1", SERIES("x.csv", 2, NAMED("horizon", INT(-1))));
}

Test(series, stride_of_nothing) {
  FAILS_CHECK("`stride` of `series` is from 1 to 16777216, not 0", SERIES("x.csv", 2, NAMED("stride", INT(0))));
}

Test(series, needs_a_window) {
  FAILS_CHECK("`series` needs its argument `window`", CALL("series", STR("x.csv")));
}

Test(series, column_is_columns) {
  FAILS_CHECK("`series` has no argument `column`; did you mean `columns`?",
              CALL("series", STR("x.csv"), NAMED("column", STR("a"))));
}

Test(series, is_no_image) {
  FAILS_CHECK("`series` cannot be taken through `flip`, only through split, take, shuffle, scale, standardize",
              PLAIN("x.csv", 2), BARE("flip"));
}

Test(series, window_too_large) {
  NnrtArg columns = NAMED("columns", LIST(STR("a"), STR("b")));
  NnrtArg window = NAMED("window", INT(1 << 24));
  FAILS("the training part has 9 steps", CALL("series", STR(counting(9)), columns, window));
}

// What a plot asks: values as the file has them, where the parts begin.
static void expect_truth(const NnrtDataset *set, const char *path, const int64_t begin[3]) {
  NnrtTruth truth;
  NnrtError error;
  cr_assert_eq(nnrt_data_target_columns(set), 2);
  cr_assert(nnrt_data_truth(set, path, &truth, &error), "%s", error.text);
  cr_assert_eq(truth.rows, 40);
  cr_assert_str_eq(truth.names[0], "b");
  cr_assert_str_eq(truth.names[1], "a");
  for (int64_t row = 0; row < truth.rows; row++) {
    cr_assert_eq(truth.values[2 * row], 100 - row);
    cr_assert_eq(truth.values[2 * row + 1], row);
  }
  cr_assert(!truth.dates && truth.window == 3 && truth.horizon == 2);
  cr_assert_arr_eq(truth.begin, begin, 3 * sizeof *begin);
  nnrt_truth_free(&truth);
}

Test(series, the_truth_is_in_the_units_of_the_file) {
  const char *path = counting(40);
  for (int history = 0; history < 2; history++) {
    NnrtArg targets = NAMED("target", LIST(STR("b"), STR("a")));
    NnrtDataset *set = OPEN(SERIES(path, 3, NAMED("horizon", INT(2)), NAMED("history", BOOL(history)), targets),
                            BARE("standardize"), CALL("split", NAMED("val", INT(10)), NAMED("test", INT(6))));
    expect_truth(set, path, (int64_t[]){0, 24, 34});
    expect_truth(set, counting(40), (int64_t[]){-1, -1, -1});
    nnrt_data_close(set);
  }
}

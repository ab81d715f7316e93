// Files for predict: read as the training data was.
#include "data_helper.h"

#define LIKE_FAILS(part, set, path) like_fails(__LINE__, part, set, path)

static void like_fails(int line, const char *part, const NnrtDataset *set, const char *path) {
  NnrtError error = {0};
  cr_assert_null(nnrt_data_open_like(set, path, &error), "line %d", line);
  cr_assert(strstr(error.text, part), "line %d: `%s` does not hold `%s`", line, error.text, part);
}

static NnrtDataset *like(const NnrtDataset *set, const char *path) {
  NnrtError error = {0};
  NnrtDataset *rows = nnrt_data_open_like(set, path, &error);
  cr_assert(rows, "%s", error.text);
  return rows;
}

Test(like, csv_by_name) {
  NnrtDataset *set = OPEN(CALL("csv", STR(file_text("a,color,id,y\n0,red,1,no\n2,blue,2,yes\n4,red,3,no\n")),
                               NAMED("label", STR("y")), NAMED("drop", STR("id"))),
                          BARE("standardize"), BARE("one_hot"));
  float x[3], wanted[3];
  NnrtDataset *rows = like(set, file_text("color,extra,a\nblue,zzz,2\nred,,4\n"));
  cr_assert_eq(nnrt_data_info(rows)->count[NNRT_PART_TEST], 2);
  cr_assert_eq(nnrt_data_info(rows)->count[NNRT_PART_TRAIN], 0);
  cr_assert_eq(nnrt_data_info(rows)->y.rank, -1);
  cr_assert_eq(nnrt_data_info(rows)->class_count, 2);
  cr_assert_str_eq(nnrt_data_info(rows)->class_names[1], "yes");
  for (int64_t i = 0; i < 2; i++) {
    sample(rows, NNRT_PART_TEST, i, x, NULL);
    sample(set, NNRT_PART_TRAIN, i + 1, wanted, NULL);
    cr_assert_arr_eq(x, wanted, sizeof x);
  }
  nnrt_data_close(rows);
  rows = like(set, file_text("y,a,color\nyes,4,red\n?,1,red\nmaybe,1,blue\n"));
  cr_assert_eq(nnrt_data_info(rows)->y.rank, -1);
  sample(rows, NNRT_PART_TEST, 0, x, NULL);
  sample(set, NNRT_PART_TRAIN, 2, wanted, NULL);
  cr_assert_arr_eq(x, wanted, sizeof x);
  nnrt_data_close(rows);
  LIKE_FAILS(":3:3: column `color`: `green` is not among the 2 texts known", set,
             file_text("a,color\n1,red\n1,green\n"));
  LIKE_FAILS("no column `color`", set, file_text("a,colour\n1,red\n"));
  LIKE_FAILS(":2:1: column `a`: `x` is not a number", set, file_text("a,color\nx,red\n"));
  LIKE_FAILS(":2:1: a missing value in column `a`", set, file_text("a,color\n,red\n"));
  LIKE_FAILS("no rows", set, file_text("a,color\n"));
  LIKE_FAILS("No such file", set, "/nowhere/rows.csv");
  nnrt_data_close(set);
}

Test(like, csv_fills_missing) {
  NnrtDataset *set = OPEN(
      CALL("csv", STR(file_text("a,t\n1,1\n3,1\n,1\n")), NAMED("target", STR("t")), NAMED("missing", STR("mean"))));
  NnrtDataset *rows = like(set, file_text("a\nNA\n100\n"));
  nnrt_data_close(set);
  float x;
  sample(rows, NNRT_PART_TEST, 0, &x, NULL);
  cr_assert_eq(x, 2);
  nnrt_data_close(rows);
}

Test(like, csv_without_header) {
  NnrtDataset *set =
      OPEN(CALL("csv", STR(file_text("7,1,2\n8,3,4\n")), NAMED("header", BOOL(false)), NAMED("label", INT(0))));
  float x[2];
  NnrtDataset *rows = like(set, file_text("5,6\n"));
  sample(rows, NNRT_PART_TEST, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){5, 6}), 8);
  nnrt_data_close(rows);
  rows = like(set, file_text("nine,5,6\n"));
  sample(rows, NNRT_PART_TEST, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){5, 6}), 8);
  nnrt_data_close(rows);
  LIKE_FAILS("4 columns; the model was trained on a file of 3, 2 without", set, file_text("1,2,3,4\n"));
  nnrt_data_close(set);
}

Test(like, toys_take_numbers) {
  NnrtDataset *set = OPEN(BARE("xor"), CALL("scale", REAL(2)));
  float x[2];
  NnrtDataset *rows = like(set, file_text("1,2\n3,4\n"));
  sample(rows, NNRT_PART_TEST, 1, x, NULL);
  cr_assert_arr_eq(x, ((float[]){6, 8}), 8);
  nnrt_data_close(rows);
  rows = like(set, file_text("x,y,class\n1,2,0\n"));
  cr_assert_eq(nnrt_data_info(rows)->count[NNRT_PART_TEST], 1);
  nnrt_data_close(rows);
  LIKE_FAILS("4 columns where the model takes 2", set, file_text("1,2,3,4\n"));
  nnrt_data_close(set);
}

Test(like, idx) {
  static const unsigned char images[] = {0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20};
  static const unsigned char other[] = {0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30};
  NnrtDataset *set = OPEN(CALL("idx", STR(file_bytes(images, sizeof images))), CALL("scale", REAL(0.5)));
  NnrtDataset *rows = like(set, file_bytes(images, sizeof images));
  float x[2];
  sample(rows, NNRT_PART_TEST, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){5, 10}), 8);
  nnrt_data_close(rows);
  LIKE_FAILS("its samples have 3 bytes; those of training had 2 bytes", set, file_bytes(other, sizeof other));
  LIKE_FAILS("not an IDX file", set, file_text("a,b\n1,2\n"));
  nnrt_data_close(set);
}

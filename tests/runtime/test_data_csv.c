// The CSV source: text rules, columns, codings, missing values, and every message.
#include <zlib.h>

#include "data_helper.h"

static const char *const iris = "a,b,kind\n1,2,rose\n3,4,lily\n5,6,rose\n";

Test(csv, label) {
  NnrtDataset *set = OPEN(CALL("csv", STR(file_text(iris)), NAMED("label", STR("kind"))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->x.rank, 1);
  cr_assert_eq(info->x.dim[0], 2);
  cr_assert_eq(info->x.type, NNRT_F32);
  cr_assert_eq(info->y.rank, 0);
  cr_assert_eq(info->y.type, NNRT_I64);
  cr_assert_eq(info->class_count, 2);
  cr_assert_str_eq(info->class_names[0], "lily");
  cr_assert_str_eq(info->class_names[1], "rose");
  cr_assert_eq(info->count[NNRT_PART_TRAIN], 3);
  cr_assert_eq(info->count[NNRT_PART_VAL], 0);
  float x[6];
  int64_t y[3];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){2, 0, 1}, 3, x, y);
  cr_assert_arr_eq(x, ((float[]){5, 6, 1, 2, 3, 4}), sizeof x);
  cr_assert_arr_eq(y, ((int64_t[]){1, 1, 0}), sizeof y);
  nnrt_data_close(set);
}

Test(csv, whole_number_label_sorts_by_value) {
  NnrtDataset *set = OPEN(CALL("csv", STR(file_text("y,x\n10,1\n9,2\n-1,3\n9.0,4\n")), NAMED("label", STR("y"))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->class_count, 3);
  cr_assert_str_eq(info->class_names[0], "-1");
  cr_assert_str_eq(info->class_names[1], "9");
  cr_assert_str_eq(info->class_names[2], "10");
  int64_t y[4];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1, 2, 3}, 4, NULL, y);
  cr_assert_arr_eq(y, ((int64_t[]){2, 1, 0, 1}), sizeof y);
  nnrt_data_close(set);
}

Test(csv, targets_keep_their_order) {
  const char *path = file_text("a,b,c\n1,2,3\n4,5,6\n");
  float x[3], y[2];
  NnrtDataset *one = OPEN(CALL("csv", STR(path), NAMED("target", STR("b"))));
  cr_assert_eq(nnrt_data_info(one)->y.rank, 1);
  cr_assert_eq(nnrt_data_info(one)->y.dim[0], 1);
  sample(one, NNRT_PART_TRAIN, 1, x, y);
  cr_assert_eq(y[0], 5);
  cr_assert_arr_eq(x, ((float[]){4, 6}), 8);
  NnrtDataset *two = OPEN(CALL("csv", STR(path), NAMED("target", LIST(STR("c"), STR("a")))));
  sample(two, NNRT_PART_TRAIN, 0, x, y);
  cr_assert_arr_eq(y, ((float[]){3, 1}), 8);
  cr_assert_eq(x[0], 2);
  NnrtDataset *none = OPEN(CALL("csv", STR(path)));
  cr_assert_eq(nnrt_data_info(none)->y.rank, -1);
  sample(none, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2, 3}), 12);
  nnrt_data_close(one);
  nnrt_data_close(two);
  nnrt_data_close(none);
}

Test(csv, features_and_drop) {
  const char *path = file_text("a,b,c\n1,2,3\n");
  float x[3];
  NnrtDataset *chosen = OPEN(CALL("csv", STR(path), NAMED("features", LIST(STR("c"), STR("a")))));
  sample(chosen, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){3, 1}), 8);
  NnrtDataset *dropped = OPEN(CALL("csv", STR(path), NAMED("drop", STR("b"))));
  sample(dropped, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 3}), 8);
  nnrt_data_close(chosen);
  nnrt_data_close(dropped);
}

Test(csv, text_rules) {
  const char *text = "\xEF\xBB\xBF\"na\"\"me\",\"two\nlines\" , c\r\n"
                     "\r\n \"1,234.5\" ,\"x\r\ny\",  -2.5e1\r\n\n+.5,\"x\r\ny\",\"7\"";
  NnrtDataset *set = OPEN(CALL("csv", STR(file_text(text)), NAMED("label", STR("two\nlines")),
                               NAMED("features", LIST(STR("na\"me"), STR("c")))));
  cr_assert_eq(nnrt_data_info(set)->count[0], 2);
  cr_assert_str_eq(nnrt_data_info(set)->class_names[0], "x\r\ny");
  float x[4];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1}, 2, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1234.5f, -25, .5f, 7}), sizeof x);
  nnrt_data_close(set);
}

Test(csv, separator_header_and_line_ends) {
  NnrtDataset *set = OPEN(CALL("csv", STR(file_text("1;2;7\r3;4;8\r")), NAMED("header", BOOL(false)),
                               NAMED("separator", STR(";")), NAMED("label", INT(-1))));
  float x[4];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1}, 2, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2, 3, 4}), sizeof x);
  cr_assert_str_eq(nnrt_data_info(set)->class_names[1], "8");
  NnrtDataset *tabs = OPEN(CALL("csv", STR(file_text("a\tb\n1\t 2\n")), NAMED("separator", STR("\t"))));
  sample(tabs, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2}), 8);
  nnrt_data_close(set);
  nnrt_data_close(tabs);
}

Test(csv, text_column_becomes_one_hot) {
  NnrtDataset *set =
      OPEN(CALL("csv", STR(file_text("a,color,b\n1,red,2\n3,blue,4\n5,red,6\n")), NAMED("scale", REAL(0.5))));
  cr_assert_eq(nnrt_data_info(set)->x.dim[0], 4);
  float x[8];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1}, 2, x, NULL);
  cr_assert_arr_eq(x, ((float[]){.5f, 0, 1, 1, 1.5f, 1, 0, 2}), sizeof x);
  nnrt_data_close(set);
}

Test(csv, numbers_read_exactly) {
  const char *cells[] = {"0.1",
                         "1e-7",
                         "3.4028234e38",
                         "123456789012345678",
                         "1e-46",
                         "0.30000001192092896",
                         "-0",
                         "16777217",
                         "5e-324",
                         "8.5899346e+09",
                         "00012",
                         "1.17549435e-38",
                         ".000000000000000000000000000001"};
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
    char text[64];
    snprintf(text, sizeof text, "a\n%s\n", cells[i]);
    NnrtDataset *set = OPEN(CALL("csv", STR(file_text(text))));
    float x, wanted = (float)strtod(cells[i], NULL);
    sample(set, NNRT_PART_TRAIN, 0, &x, NULL);
    cr_assert(!memcmp(&x, &wanted, 4), "%s: %.9g", cells[i], (double)x);
    nnrt_data_close(set);
  }
}

Test(csv, missing_values) {
  const char *path = file_text("a,b\n1,2\n,4\n3,?\n5,NA\n");
  float x[8];
  const int64_t all[] = {0, 1, 2, 3};
  FAILS(": 3 missing values, the first in column `a`", CALL("csv", STR(path)));
  FAILS(":3:1: ", CALL("csv", STR(path)));
  NnrtDataset *mean = OPEN(CALL("csv", STR(path), NAMED("missing", STR("mean"))));
  nnrt_data_batch(mean, NNRT_PART_TRAIN, all, 4, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2, 3, 4, 3, 3, 5, 3}), sizeof x);
  NnrtDataset *zero = OPEN(CALL("csv", STR(path), NAMED("missing", STR("zero"))));
  nnrt_data_batch(zero, NNRT_PART_TRAIN, all, 4, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2, 0, 4, 3, 0, 5, 0}), sizeof x);
  NnrtDataset *drop = OPEN(CALL("csv", STR(path), NAMED("missing", STR("drop"))));
  cr_assert_eq(nnrt_data_info(drop)->count[0], 1);
  nnrt_data_close(mean);
  nnrt_data_close(zero);
  nnrt_data_close(drop);
}

Test(csv, mean_is_of_training_rows) {
  NnrtDataset *set =
      OPEN(CALL("csv", STR(file_text("a\n1\n3\nnan\n100\n")), NAMED("missing", STR("mean"))), CALL("take", INT(3)));
  float x;
  sample(set, NNRT_PART_TRAIN, 2, &x, NULL);
  cr_assert_eq(x, 2);
  nnrt_data_close(set);
}

Test(csv, missing_and_labels) {
  const char *path = file_text("a,y\n1,u\n2,\n3,v\n");
  FAILS("1 missing value in label or target, the first in column `y`",
        CALL("csv", STR(path), NAMED("label", STR("y")), NAMED("missing", STR("mean"))));
  NnrtDataset *set = OPEN(CALL("csv", STR(path), NAMED("label", STR("y")), NAMED("missing", STR("drop"))));
  cr_assert_eq(nnrt_data_info(set)->class_count, 2);
  cr_assert_eq(nnrt_data_info(set)->count[0], 2);
  nnrt_data_close(set);
  FAILS("drops them all", CALL("csv", STR(file_text("a\nNA\n")), NAMED("missing", STR("drop"))));
}

Test(csv, compressed) {
  const char *path = file_text("");
  gzFile file = gzopen(path, "wb");
  gzputs(file, "a,b\n1,2\n");
  gzclose(file);
  NnrtDataset *set = OPEN(CALL("csv", STR(path)));
  float x[2];
  sample(set, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2}), 8);
  nnrt_data_close(set);
  unsigned char bytes[256];
  FILE *plain = fopen(path, "rb");
  size_t size = fread(bytes, 1, sizeof bytes, plain);
  fclose(plain);
  FAILS("the compressed file ends too early", CALL("csv", STR(file_bytes(bytes, size - 9))));
  bytes[size - 8] ^= 1;
  FAILS("the compressed file is damaged", CALL("csv", STR(file_bytes(bytes, size))));
}

Test(csv, bad_text) {
  FAILS(":1:1: the file is empty", CALL("csv", STR(file_text(""))));
  FAILS(":1:1: the file is empty", CALL("csv", STR(file_text("\n \n"))));
  FAILS(":2:1: no rows after the header", CALL("csv", STR(file_text("a,b\n"))));
  FAILS(":3:3: the line has 3 values, the file has 2 columns", CALL("csv", STR(file_text("a,b\n1,2\n1,2,3\n"))));
  FAILS(":3:1: the line has 1 value, the file has 2 columns", CALL("csv", STR(file_text("a,b\n1,2\n1\n"))));
  FAILS(":2:3: a quote that is never closed", CALL("csv", STR(file_text("a,b\n1,\"2\n3,4\n"))));
  FAILS(":2:5: after a closing quote", CALL("csv", STR(file_text("a,b\n\"1\" 2,3\n"))));
  FAILS(":1:3: two columns are named `a`", CALL("csv", STR(file_text("a,a\n1,2\n"))));
  FAILS(":2:2: a NUL byte", CALL("csv", STR(file_bytes("a\n1\0\n", 5))));
  FAILS("UTF-16", CALL("csv", STR(file_bytes("\xff\xfe"
                                             "a\0",
                                             4))));
  FAILS(":2:1: column `a`: `1e39` is too large", CALL("csv", STR(file_text("a\n1e39\n"))));
  FAILS("`-Inf` is too large", CALL("csv", STR(file_text("a\n1\n-Inf\n"))));
}

Test(csv, bad_columns) {
  const char *path = file_text("width,height,kind\n1,2,0.5\n3,4,1\n");
  FAILS("no column `widht`; did you mean `width`?", CALL("csv", STR(path), NAMED("label", STR("widht"))));
  FAILS(":2:5: label `kind`: `0.5` is no class", CALL("csv", STR(path), NAMED("label", STR("kind"))));
  FAILS("column `width` is named twice", CALL("csv", STR(path), NAMED("features", LIST(STR("width"), STR("width")))));
  FAILS("column `kind` is named twice",
        CALL("csv", STR(path), NAMED("target", STR("kind")), NAMED("features", STR("kind"))));
  FAILS("is left as a feature", CALL("csv", STR(path), NAMED("drop", LIST(STR("width"), STR("height"), STR("kind")))));
  FAILS("numbered from 0", CALL("csv", STR(path), NAMED("header", BOOL(false)), NAMED("label", INT(3))));
  FAILS("empty list of columns",
        CALL("csv", STR(path), NAMED("features", ((NnrtArg){.kind = NNRT_ARG_LIST, .line = 1}))));
  FAILS("target `t`: `x` is not a number", CALL("csv", STR(file_text("a,t\n1,2\n1,x\n")), NAMED("target", STR("t"))));
}

Test(csv, too_many_categories) {
  char *text = malloc(40000), *to = text + sprintf(text, "a,b\n");
  for (int i = 0; i < 1200; i++)
    to += sprintf(to, "w%d,%d\n", i, i);
  FAILS("column `a` has more than 1000 different texts (here `w0`)", CALL("csv", STR(file_text(text))));
  to += sprintf(to, "w1,oops\n");
  FAILS(":1202:4: column `b` holds numbers, but here `oops`",
        CALL("csv", STR(file_text(text)), NAMED("drop", STR("a"))));
  free(text);
}

Test(csv, bad_arguments) {
  FAILS_CHECK("`csv` needs its argument `path`", BARE("csv"));
  FAILS_CHECK("`csv` has no argument `lable`; did you mean `label`?", CALL("csv", STR("a"), NAMED("lable", STR("x"))));
  FAILS_CHECK("argument `path` of `csv` is a text, not a whole number", CALL("csv", INT(3)));
  FAILS_CHECK("argument `target` of `csv` is a text or a list of texts, not a list",
              CALL("csv", STR("a"), NAMED("target", LIST(INT(1)))));
  FAILS_CHECK("argument `path` of `csv` is given twice", CALL("csv", STR("a"), NAMED("path", STR("x"))));
  FAILS_CHECK("takes 1 argument by position", CALL("csv", STR("a"), STR("b")));
  FAILS_CHECK("exclude each other", CALL("csv", STR("a"), NAMED("label", STR("x")), NAMED("target", STR("y"))));
  FAILS_CHECK("exclude each other", CALL("csv", STR("a"), NAMED("drop", STR("x")), NAMED("features", STR("y"))));
  FAILS_CHECK("not `maen`; did you mean `mean`?", CALL("csv", STR("a"), NAMED("missing", STR("maen"))));
  FAILS_CHECK("`separator` is one character", CALL("csv", STR("a"), NAMED("separator", STR(",,"))));
  FAILS_CHECK("`separator` is one character", CALL("csv", STR("a"), NAMED("separator", STR("e"))));
  FAILS_CHECK("only with `header: false`", CALL("csv", STR("a"), NAMED("label", INT(0))));
  FAILS_CHECK("other than 0", CALL("csv", STR("a"), NAMED("scale", INT(0))));
  FAILS("cannot open `/nowhere/a.csv`: No such file", CALL("csv", STR("/nowhere/a.csv")));
  FAILS("cannot open `/tmp`: it is a folder", CALL("csv", STR("/tmp")));
}

Test(csv, place_of_errors) {
  NnrtError error;
  NnrtData declared = DATA(CALL("csv", STR("none.csv")));
  declared.file = "/nowhere/at/all/net.nn";
  cr_assert_null(nnrt_data_open(&declared, NNRT_DATA_FULL, &error));
  cr_assert_str_eq(error.file, declared.file);
  cr_assert_eq(error.line, 2);
  cr_assert_eq(error.column, 9);
  cr_assert(strstr(error.text, "/nowhere/at/all/none.csv"), "%s", error.text);
  NnrtData content = DATA(CALL("csv", STR(file_text("a\n1,2\n"))));
  cr_assert_null(nnrt_data_open(&content, NNRT_DATA_FULL, &error));
  cr_assert_null(error.file);
  cr_assert_eq(error.line, 2);
}

Test(csv, real_sets) {
  const char *folder = real_data();
  static const struct {
    const char *file, *label;
    int64_t rows, width;
    int classes;
  } sets[] = {
      {"iris.csv", "species", 150, 4, 3}, {"digits.csv", "digit", 1797, 64, 10}, {"wine.csv", "cultivar", 178, 13, 3}};
  for (int i = 0; i < 3; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, sets[i].file);
    NnrtDataset *set = OPEN(CALL("csv", STR(path), NAMED("label", STR(sets[i].label))));
    cr_assert_eq(nnrt_data_info(set)->count[0], sets[i].rows);
    cr_assert_eq(nnrt_data_info(set)->x.dim[0], sets[i].width);
    cr_assert_eq(nnrt_data_info(set)->class_count, sets[i].classes);
    nnrt_data_close(set);
  }
}

// Texts with classes, from a CSV and from folders, and pairs of texts: ids of a fixed length, vocabularies of the training rows, files to predict on,
// errors.
#include "data/tokens.h"
#include "image_helper.h"

#define REVIEWS "review,stars\n\"good, good film\",up\nbad film,down\n\"a \"\"good\"\" one\",up\n"
#define DATES "a,b\n12 may,0512\n3 june,0603\n30 july,0730\n"
#define TEXTS(path, ...)                                                                                               \
  CALL("texts", STR(path), NAMED("text", STR("review")), NAMED("label", STR("stars")), NAMED("length", INT(4)),        \
       __VA_ARGS__)
#define WORDS NAMED("as", STR("words"))
#define PAIRS(path, lengths, ...)                                                                                      \
  CALL("pairs", STR(path), NAMED("source", STR("a")), NAMED("target", STR("b")), NAMED("length", lengths), __VA_ARGS__)
#define CHARS NAMED("as", STR("chars"))

static void ids(const NnrtDataset *set, NnrtPartKind part, int64_t i, int64_t *x, int64_t *y) {
  cr_assert(nnrt_data_batch(set, part, &i, 1, x, y));
}

// 0 padding, 1 unknown, 2 good, 3 ", 4 film, 5 comma, 6 a, 7 bad, 8 one
Test(texts, are_cut_and_padded) {
  NnrtDataset *set = OPEN(TEXTS(file_text(REVIEWS), WORDS));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  int64_t x[4], y;
  cr_assert_eq(info->x.type, NNRT_I64);
  cr_assert_eq(info->x.dim[0], 4);
  cr_assert_eq(info->y.rank, 0);
  cr_assert_eq(info->class_count, 2);
  cr_assert_str_eq(info->class_names[0], "down");
  cr_assert_eq(nnrt_tokens_count(nnrt_data_tokens(set)), 9);
  cr_assert(!nnrt_data_target_tokens(set));
  ids(set, NNRT_PART_TRAIN, 0, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){2, 5, 2, 4}), sizeof x);
  cr_assert_eq(y, 1);
  ids(set, NNRT_PART_TRAIN, 1, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){7, 4, 0, 0}), sizeof x);
  cr_assert_eq(y, 0);
  ids(set, NNRT_PART_TRAIN, 2, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){6, 3, 2, 3}), sizeof x);
  nnrt_data_close(set);
}

Test(texts, words_are_learnt_from_the_training_rows) {
  NnrtDataset *set = OPEN(TEXTS(file_text("review,stars\na b,1\na c,2\nd d d,1\n"), WORDS),
                          CALL("shuffle", BOOL(false)), CALL("split", NAMED("test", INT(1))));
  int64_t x[4], y;
  cr_assert_eq(nnrt_tokens_count(nnrt_data_tokens(set)), 5); // padding, unknown, a, b, c
  ids(set, NNRT_PART_TEST, 0, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){1, 1, 1, 0}), sizeof x);
  nnrt_data_close(set);
}

Test(texts, vocabulary_counts_special_ids) {
  NnrtDataset *set = OPEN(TEXTS(file_text(REVIEWS), WORDS, NAMED("vocabulary", INT(4))));
  int64_t x[4], y;
  cr_assert_eq(nnrt_tokens_count(nnrt_data_tokens(set)), 4);
  ids(set, NNRT_PART_TRAIN, 0, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){2, 1, 2, 1}), sizeof x);
  nnrt_data_close(set);
}

Test(texts, labels_that_are_numbers) {
  NnrtDataset *set = OPEN(TEXTS(file_text("review,stars\na,10\nb,9\nc,010\n"), WORDS));
  int64_t x[4], y;
  cr_assert_eq(nnrt_data_info(set)->class_count, 2);
  cr_assert_str_eq(nnrt_data_info(set)->class_names[0], "9");
  ids(set, NNRT_PART_TRAIN, 2, x, &y);
  cr_assert_eq(y, 1);
  nnrt_data_close(set);
}

Test(texts, one_hot_and_no_label) {
  NnrtDataset *set = OPEN(TEXTS(file_text(REVIEWS), WORDS), BARE("one_hot"));
  float y[2];
  sample(set, NNRT_PART_TRAIN, 1, NULL, y);
  cr_assert_arr_eq(y, ((float[]){1, 0}), sizeof y);
  nnrt_data_close(set);
  set = OPEN(CALL("texts", STR(file_text(REVIEWS)), NAMED("text", STR("review")), NAMED("length", INT(9))));
  cr_assert_eq(nnrt_data_info(set)->y.rank, -1);
  nnrt_data_close(set);
}

Test(texts, columns_by_number) {
  NnrtDataset *set = OPEN(CALL("texts", STR(file_text("up;good\ndown;bad\n")), NAMED("text", STR("1")),
                               NAMED("label", STR("0")), NAMED("length", INT(3)), NAMED("as", STR("bytes")),
                               NAMED("header", BOOL(false)), NAMED("separator", STR(";"))));
  int64_t x[3], y;
  ids(set, NNRT_PART_TRAIN, 1, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){'b' + 1, 'a' + 1, 'd' + 1}), sizeof x);
  nnrt_data_close(set);
}

Test(texts, predict_on_a_csv_and_on_a_text) {
  NnrtDataset *set = OPEN(TEXTS(file_text(REVIEWS), WORDS)), *like;
  NnrtError error = {0};
  int64_t x[4];
  like = nnrt_data_open_like(set, file_text("id,review\n1,film a good what ever\n"), &error);
  cr_assert(like, "%s", error.text);
  ids(like, NNRT_PART_TEST, 0, x, NULL);
  cr_assert_arr_eq(x, ((int64_t[]){4, 6, 2, 1}), sizeof x);
  cr_assert_str_eq(nnrt_data_info(like)->class_names[1], "up");
  nnrt_data_close(like);
  char path[64];
  snprintf(path, sizeof path, "%s.txt", file_text(""));
  FILE *file = fopen(path, "w");
  fputs("bad\n", file);
  fclose(file);
  like = nnrt_data_open_like(set, path, &error);
  unlink(path);
  cr_assert(like, "%s", error.text);
  ids(like, NNRT_PART_TEST, 0, x, NULL);
  cr_assert_arr_eq(x, ((int64_t[]){7, 1, 0, 0}), sizeof x); // the line's end was in no review
  nnrt_data_close(like);
  nnrt_data_close(set);
}

Test(texts, predict_needs_its_column) {
  NnrtDataset *set = OPEN(TEXTS(file_text(REVIEWS), WORDS));
  NnrtError error = {0};
  cr_assert(!nnrt_data_open_like(set, file_text("id,revue\n1,x\n"), &error));
  cr_assert(strstr(error.text, ":1:1: no column `review`; did you mean `revue`?"), "%s", error.text);
  nnrt_data_close(set);
}

Test(texts, an_empty_text) {
  FAILS(":3:1: an empty text in column `review`", TEXTS(file_text("review,stars\na,1\n,2\n"), WORDS));
}

Test(texts, a_missing_label) {
  FAILS(":3:3: a missing value in label `stars`", TEXTS(file_text("review,stars\na,1\nb,\n"), WORDS));
}

Test(texts, no_utf8) {
  FAILS(":2:1: byte 0xe9 at offset 3 of the text is no UTF-8", TEXTS(file_text("review,stars\ncaf\xE9,1\n"), WORDS));
}

Test(texts, no_rows) {
  FAILS("no rows after the header", TEXTS(file_text("review,stars\n"), WORDS));
}

Test(texts, missing_column) {
  FAILS(":1:1: no column `stars`; did you mean `star`?", TEXTS(file_text("review,star\na,1\n"), WORDS));
}

Test(texts, needs_a_length) {
  FAILS_CHECK("`texts` needs its argument `length`", CALL("texts", STR("x.csv"), NAMED("text", STR("a"))));
}

Test(texts, length_of_nothing) {
  FAILS_CHECK("`length` of `texts` is from 1 to 16777216, not 0",
              CALL("texts", STR("x.csv"), NAMED("text", STR("a")), NAMED("length", INT(0))));
}

Test(texts, vocabulary_too_small) {
  FAILS_CHECK("`vocabulary` of words is from 3 to 1048576, not 2", TEXTS("x.csv", WORDS, NAMED("vocabulary", INT(2))));
}

Test(texts, are_no_images) {
  FAILS_CHECK("`texts` cannot be taken through `scale`, only through split, take, shuffle, bucket, one_hot",
              TEXTS("x.csv", WORDS), CALL("scale", INT(2)));
}

// ---- folders
static void put(const char *name, const char *text) {
  FILE *file = create(name);
  fputs(text, file);
  fclose(file);
}

#define FOLDER(length) CALL("texts", STR(in_root("set")), NAMED("length", INT(length)), WORDS)

Test(texts, a_folder_a_class) {
  put("set/up/b.txt", "good film");
  put("set/up/a.txt", "good");
  put("set/down/1.txt", "bad film\n");
  put("set/down/notes.md", "no text");
  NnrtDataset *set = OPEN(FOLDER(3));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  int64_t x[3], y; // 2 film, 3 good, 4 line's end, 5 bad
  cr_assert_eq(info->count[0], 3);
  cr_assert_eq(info->class_count, 2);
  cr_assert_str_eq(info->class_names[0], "down");
  ids(set, NNRT_PART_TRAIN, 0, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){5, 2, 4}), sizeof x);
  cr_assert_eq(y, 0);
  ids(set, NNRT_PART_TRAIN, 1, x, &y);
  cr_assert_arr_eq(x, ((int64_t[]){3, 0, 0}), sizeof x);
  cr_assert_eq(y, 1);
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, in_root("set/up"), &error);
  cr_assert(like, "%s", error.text);
  cr_assert_eq(nnrt_data_info(like)->count[2], 2);
  ids(like, NNRT_PART_TEST, 1, x, NULL);
  cr_assert_arr_eq(x, ((int64_t[]){3, 2, 0}), sizeof x);
  nnrt_data_close(like);
  cr_assert(!nnrt_data_open_like(set, file_text("a\n1\n"), &error));
  cr_assert(strstr(error.text, "the model was trained on files; it takes a file NAME.txt or a folder of them"));
  nnrt_data_close(set);
}

Test(texts, folders_of_parts) {
  put("set/train/up/a.txt", "good");
  put("set/train/down/a.txt", "bad");
  put("set/test/up/a.txt", "fine");
  NnrtDataset *set = OPEN(FOLDER(1));
  int64_t x, y;
  cr_assert_arr_eq(nnrt_data_info(set)->count, ((int64_t[]){2, 0, 1}), 24);
  ids(set, NNRT_PART_TEST, 0, &x, &y);
  cr_assert_eq(x, 1); // not in the training part
  cr_assert_eq(y, 1);
  nnrt_data_close(set);
}

Test(texts, a_folder_without_texts) {
  put("set/up/a.png", "");
  FAILS("set/up: the folder of class `up` has no texts (.txt)", FOLDER(3));
}

Test(texts, texts_beside_classes) {
  put("set/up/a.txt", "good");
  put("set/a.txt", "good");
  FAILS("set: texts stand beside folders of classes, a.txt beside up: which class are they?", FOLDER(3));
}

Test(texts, an_empty_file) {
  put("set/up/a.txt", "");
  FAILS("set/up/a.txt: the text is empty", FOLDER(3));
}

Test(texts, a_file_that_is_no_utf8) {
  put("set/up/a.txt", "caf\xE9");
  FAILS("set/up/a.txt: byte 0xe9 at offset 3 (line 1) is no UTF-8", FOLDER(3));
}

Test(texts, a_folder_has_no_columns) {
  put("set/up/a.txt", "good");
  FAILS("a folder of texts has no columns: its folders are the classes",
        CALL("texts", STR(in_root("set")), NAMED("length", INT(3)), NAMED("label", STR("b"))));
}

Test(texts, a_csv_needs_a_column) {
  FAILS("`texts` of a CSV file needs `text: …`, the column they are in",
        CALL("texts", STR(file_text(REVIEWS)), NAMED("length", INT(3))));
}

// ---- pairs
static void decode(const NnrtTokens *tokens, const int64_t *id, int64_t count, char *to) {
  for (int64_t i = 0; i < count; i++) {
    size_t length;
    const char *bytes = nnrt_tokens_bytes(tokens, id[i], &length);
    memcpy(to, bytes, length);
    to += length;
  }
  *to = 0;
}

Test(pairs, targets_have_a_start_and_an_end) {
  NnrtDataset *set = OPEN(PAIRS(file_text(DATES), LIST(INT(8), INT(7)), CHARS));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  const NnrtTokens *source = nnrt_data_tokens(set), *target = nnrt_data_target_tokens(set);
  int64_t x[8], y[7];
  char text[64];
  cr_assert_eq(info->x.dim[0], 8);
  cr_assert_eq(info->y.rank, 1);
  cr_assert_eq(info->y.dim[0], 7);
  cr_assert_eq(info->y.type, NNRT_I64);
  cr_assert_eq(info->class_count, 4 + 7); // 0 1 2 3 5 6 7
  cr_assert_str_eq(info->class_names[1], "<start>");
  cr_assert_str_eq(info->class_names[4], "0");
  ids(set, NNRT_PART_TRAIN, 1, x, y);
  decode(source, x, 8, text);
  cr_assert_str_eq(text, "3 june");
  cr_assert_eq(x[5] != 0, true);
  cr_assert_eq(x[6], 0);
  cr_assert_eq(y[0], nnrt_tokens_special(target, NNRT_START));
  cr_assert_eq(y[5], nnrt_tokens_special(target, NNRT_END));
  cr_assert_eq(y[6], nnrt_tokens_special(target, NNRT_PADDING));
  decode(target, y, 7, text);
  cr_assert_str_eq(text, "0603");
  nnrt_data_close(set);
}

Test(pairs, long_targets_are_cut_before_their_end) {
  NnrtDataset *set = OPEN(PAIRS(file_text(DATES), INT(4), CHARS));
  int64_t x[4], y[4];
  char text[64];
  ids(set, NNRT_PART_TRAIN, 0, x, y);
  decode(nnrt_data_tokens(set), x, 4, text);
  cr_assert_str_eq(text, "12 m");
  decode(nnrt_data_target_tokens(set), y, 4, text);
  cr_assert_str_eq(text, "05");
  cr_assert_eq(y[3], 2);
  nnrt_data_close(set);
}

Test(pairs, of_a_column_with_itself) {
  NnrtDataset *set = OPEN(CALL("pairs", STR(file_text("a\nabcdefghijklmnopqrst\n")), NAMED("source", STR("a")),
                               NAMED("target", STR("a")), NAMED("length", INT(22))));
  int64_t x[22], y[22];
  ids(set, NNRT_PART_TRAIN, 0, x, y);
  cr_assert_eq(x[0], 2); // behind padding and unknown
  cr_assert_eq(y[1], 4); // behind start and end too
  nnrt_data_close(set);
}

Test(pairs, predict_on_sources) {
  NnrtDataset *set = OPEN(PAIRS(file_text(DATES), LIST(INT(8), INT(7)), CHARS));
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, file_text("a\n1 may\n"), &error);
  int64_t x[8];
  char text[64];
  cr_assert(like, "%s", error.text);
  ids(like, NNRT_PART_TEST, 0, x, NULL);
  decode(nnrt_data_tokens(set), x, 8, text);
  cr_assert_str_eq(text, "1 may");
  nnrt_data_close(like);
  nnrt_data_close(set);
}

Test(pairs, lengths_are_two) {
  FAILS_CHECK("`length` of `pairs` is a whole number or two, [source, target]",
              PAIRS("x.csv", LIST(INT(1), INT(2), INT(3)), CHARS));
}

Test(pairs, targets_have_room_for_their_bounds) {
  FAILS_CHECK("`length` of `pairs` is from 3 to 16777216 for the target, not 2",
              PAIRS("x.csv", LIST(INT(1), INT(2)), CHARS));
}

Test(pairs, needs_a_target) {
  FAILS_CHECK("`pairs` needs its argument `target`",
              CALL("pairs", STR("x.csv"), NAMED("source", STR("a")), NAMED("length", INT(4))));
}

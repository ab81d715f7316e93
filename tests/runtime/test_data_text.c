// The `text` source: windows, parts, vocabularies, files to predict on, errors.
#include "data/tokens.h"
#include "data_helper.h"

#define TEXT(path, kind, size, ...)                                                                                    \
  CALL("text", STR(path), NAMED("as", STR(kind)), NAMED("window", INT(size)), __VA_ARGS__)
#define PLAIN(path, kind, size) CALL("text", STR(path), NAMED("as", STR(kind)), NAMED("window", INT(size)))

static void ids(const NnrtDataset *set, NnrtPartKind part, int64_t i, int64_t *x, int64_t *y) {
  cr_assert(nnrt_data_batch(set, part, &i, 1, x, y));
}

Test(text, y_is_x_a_token_later) {
  NnrtDataset *set = OPEN(PLAIN(file_text("abcdefghij"), "bytes", 3));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  int64_t x[3], y[3];
  cr_assert_eq(info->x.type, NNRT_I64);
  cr_assert_eq(info->x.rank, 1);
  cr_assert_eq(info->x.dim[0], 3);
  cr_assert_eq(info->y.type, NNRT_I64);
  cr_assert_eq(info->y.dim[0], 3);
  cr_assert_eq(info->class_count, 256);
  cr_assert_eq(info->count[0], 3); // side by side: the stride is the window
  ids(set, NNRT_PART_TRAIN, 2, x, y);
  cr_assert_arr_eq(x, ((int64_t[]){'g', 'h', 'i'}), sizeof x);
  cr_assert_arr_eq(y, ((int64_t[]){'h', 'i', 'j'}), sizeof y);
  nnrt_data_close(set);
}

Test(text, characters_without_as) {
  NnrtDataset *set = OPEN(CALL("text",
                               STR(file_text("\xEF\xBB\xBF"
                                             "ba\xC3\xA9"
                                             "b\nab")),
                               NAMED("window", INT(2)), NAMED("stride", INT(1))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  int64_t x[2], y[2];
  cr_assert_eq(info->class_count, 4);
  cr_assert_str_eq(info->class_names[0], "\\n");
  cr_assert_str_eq(info->class_names[3], "\xC3\xA9");
  cr_assert_eq(info->count[0], 5);
  ids(set, NNRT_PART_TRAIN, 1, x, y);
  cr_assert_arr_eq(x, ((int64_t[]){1, 3}), sizeof x);
  cr_assert_arr_eq(y, ((int64_t[]){3, 2}), sizeof y);
  nnrt_data_close(set);
}

Test(text, split_cuts_in_order_and_between_characters) {
  // 24 bytes, 20 characters; the cut at byte 15 is in the middle of one
  NnrtDataset *set = OPEN(PLAIN(file_text("abcdefghij\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9klmnop"), "chars", 3),
                          CALL("split", NAMED("val", INT(9))));
  int64_t x[3], y[3];
  cr_assert_arr_eq(nnrt_data_info(set)->count, ((int64_t[]){3, 2, 0}), 24);
  ids(set, NNRT_PART_VAL, 0, x, y);
  cr_assert_arr_eq(x, ((int64_t[]){16, 16, 10}), sizeof x);
  cr_assert_arr_eq(y, ((int64_t[]){16, 10, 11}), sizeof y);
  nnrt_data_close(set);
}

Test(text, words_are_learnt_from_the_training_part) {
  NnrtDataset *set = OPEN(TEXT(file_text("b a b a b c b d e f g h"), "words", 2, NAMED("vocabulary", INT(4))),
                          CALL("split", NAMED("test", REAL(0.5))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  int64_t x[2], y[2];
  cr_assert_eq(info->class_count, 4);
  cr_assert_str_eq(info->class_names[0], "<unknown>");
  cr_assert_str_eq(info->class_names[1], "b");
  cr_assert_str_eq(info->class_names[2], "a");
  cr_assert_str_eq(info->class_names[3], "c");
  ids(set, NNRT_PART_TEST, 0, x, y);
  cr_assert_arr_eq(x, ((int64_t[]){1, 0}), sizeof x);
  nnrt_data_close(set);
}

Test(text, pieces_are_learnt_from_the_training_part) {
  NnrtDataset *set = OPEN(TEXT(file_text("abababababcdcdcdcdcdcdcd"), "bpe", 1, NAMED("vocabulary", INT(257))),
                          CALL("split", NAMED("test", REAL(0.5))));
  cr_assert_str_eq(nnrt_data_info(set)->class_names[256], "ab");
  cr_assert_arr_eq(nnrt_data_info(set)->count, ((int64_t[]){6, 0, 11}), 24);
  nnrt_data_close(set);
}

Test(text, take_keeps_the_first_windows) {
  NnrtDataset *set = OPEN(PLAIN(file_text("abcdefghij"), "bytes", 2), CALL("take", INT(2)));
  cr_assert_eq(nnrt_data_info(set)->count[0], 2);
  nnrt_data_close(set);
}

Test(text, tokens_are_had_from_the_set) {
  NnrtDataset *set = OPEN(PLAIN(file_text("hello world"), "chars", 2));
  const NnrtTokens *tokens = nnrt_data_tokens(set);
  NnrtIds prompt = {0};
  NnrtError error = {0};
  size_t length;
  cr_assert(tokens && tokens == nnrt_data_target_tokens(set));
  cr_assert_eq(nnrt_tokens_count(tokens), 8);
  cr_assert(nnrt_tokens_encode(tokens, "low", 3, &prompt, &error));
  cr_assert_eq(prompt.count, 3);
  cr_assert_eq(*nnrt_tokens_bytes(tokens, prompt.id[2], &length), 'w');
  cr_assert_eq(length, 1);
  free(prompt.id);
  nnrt_data_close(set);
  set = OPEN(CALL("values", LIST(INT(1))));
  cr_assert(!nnrt_data_tokens(set) && !nnrt_data_target_tokens(set));
  nnrt_data_close(set);
}

Test(text, predict_on_another_file) {
  NnrtDataset *set = OPEN(TEXT(file_text("abcabcabc"), "chars", 2, NAMED("stride", INT(1))));
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, file_text("cabba"), &error);
  int64_t x[2];
  cr_assert(like, "%s", error.text);
  nnrt_data_close(set);
  cr_assert_eq(nnrt_data_info(like)->count[2], 2);
  cr_assert_str_eq(nnrt_data_info(like)->class_names[2], "c");
  ids(like, NNRT_PART_TEST, 1, x, NULL);
  cr_assert_arr_eq(x, ((int64_t[]){1, 1}), sizeof x);
  nnrt_data_close(like);
}

static void like_fails(const char *part, const char *text) {
  NnrtDataset *set = OPEN(PLAIN(file_text("abcabcabc"), "chars", 3));
  NnrtError error = {0};
  cr_assert(!nnrt_data_open_like(set, file_text(text), &error));
  cr_assert(strstr(error.text, part), "%s", error.text);
  nnrt_data_close(set);
}

Test(text, predict_names_an_unknown_character) {
  like_fails(": character `d` at offset 3 is not among the 3 of the text learnt from", "abcd");
}

Test(text, predict_needs_a_window) {
  like_fails(": the text has 2 tokens, a window has 3", "ab");
}

Test(text, predict_needs_text) {
  like_fails("byte 0xff at offset 1 (line 1) is no UTF-8", "a\xFF");
}

Test(text, empty) {
  FAILS(": the text is empty", PLAIN(file_text(""), "chars", 3));
}

Test(text, nothing_but_a_byte_order_mark) {
  FAILS(": the text is empty", PLAIN(file_text("\xEF\xBB\xBF"), "chars", 3));
}

Test(text, no_utf8) {
  FAILS("byte 0xe9 at offset 7 (line 2) is no UTF-8; `as: bytes` takes any bytes",
        PLAIN(file_text("one\ncaf\xE9 au lait"), "chars", 3));
}

Test(text, no_text) {
  FAILS("byte 0x00 at offset 2 (line 1) is no text; `as: bytes` takes any bytes",
        PLAIN(file_bytes("ab\0cd", 5), "words", 3));
}

Test(text, bytes_take_anything) {
  nnrt_data_close(OPEN(PLAIN(file_bytes("ab\0c\xFF", 5), "bytes", 3)));
}

Test(text, shorter_than_a_window) {
  FAILS("the training part has 5 tokens; a window of 5 and 1 after it need 6", PLAIN(file_text("abcde"), "chars", 5));
}

Test(text, a_part_shorter_than_a_window) {
  FAILS("the test part has 3 tokens; a window of 4 and 1 after it need 5", PLAIN(file_text("abcdefghij"), "chars", 4),
        CALL("split", NAMED("test", INT(3))));
}

Test(text, no_such_file) {
  FAILS("cannot open `/none/such.txt`", PLAIN("/none/such.txt", "chars", 4));
}

Test(text, unknown_kind) {
  FAILS_CHECK("`as` is bytes, chars, words or bpe, not `char`; did you mean `chars`?", PLAIN("x.txt", "char", 4));
}

Test(text, bpe_needs_a_vocabulary) {
  FAILS_CHECK("`as: bpe` needs `vocabulary: …`, the number of its pieces", PLAIN("x.txt", "bpe", 4));
}

Test(text, bytes_have_no_vocabulary) {
  FAILS_CHECK("`as: bytes` has no `vocabulary`: bytes are 256",
              TEXT("x.txt", "bytes", 4, NAMED("vocabulary", INT(100))));
}

Test(text, vocabulary_too_small) {
  FAILS_CHECK("`vocabulary` of bpe is from 256 to 1048576, not 255",
              TEXT("x.txt", "bpe", 4, NAMED("vocabulary", INT(255))));
  FAILS_CHECK("`vocabulary` of words is from 2 to 1048576, not 1",
              TEXT("x.txt", "words", 4, NAMED("vocabulary", INT(1))));
}

Test(text, is_no_image) {
  FAILS_CHECK("`text` cannot be taken through `standardize`, only through split, take, shuffle",
              PLAIN("x.txt", "chars", 4), BARE("standardize"));
}

Test(text, needs_a_window) {
  FAILS_CHECK("`text` needs its argument `window`", CALL("text", STR("x.txt")));
}

// The `texts` source, texts with a class each, from a CSV file or a folder, and `pairs`, texts and what they become. Texts become ids of a fixed
// length: longer ones are cut, shorter ones filled up with padding, id 0. What `pairs` has as y begins with a start id and
// ends with an end id. Tokens are learnt from the training rows.
#include "data/texts.h"

#include <stdlib.h>

#include "paths.h"

enum { PATH, FIRST, SECOND, LENGTH, AS, VOCABULARY, LOWER, HEADER, SEPARATOR };
enum { LONGEST = 1 << 24 };

const NnrtParam nnrt_texts_params[] = {
    {"path", NNRT_TAKES_STR, false, true},      {"text", NNRT_TAKES_STR, true, false},
    {"label", NNRT_TAKES_STR, true, false},     {"length", NNRT_TAKES_INT, true, true},
    {"as", NNRT_TAKES_STR, true, false},        {"vocabulary", NNRT_TAKES_INT, true, false},
    {"lower", NNRT_TAKES_BOOL, true, false},    {"header", NNRT_TAKES_BOOL, true, false},
    {"separator", NNRT_TAKES_STR, true, false}, {0}};

const NnrtParam nnrt_pairs_params[] = {
    {"path", NNRT_TAKES_STR, false, true},      {"source", NNRT_TAKES_STR, true, true},
    {"target", NNRT_TAKES_STR, true, true},     {"length", NNRT_TAKES_INT | NNRT_TAKES_LIST, true, true},
    {"as", NNRT_TAKES_STR, true, false},        {"vocabulary", NNRT_TAKES_INT, true, false},
    {"lower", NNRT_TAKES_BOOL, true, false},    {"header", NNRT_TAKES_BOOL, true, false},
    {"separator", NNRT_TAKES_STR, true, false}, {0}};

// ---- once the training rows are known
static const char *text_at(const NnrtDataset *set, const NnrtTexts *texts, int64_t row, int column, size_t *length) {
  const size_t *at = &texts->at[row * texts->count + column];
  *length = at[1] - at[0];
  return set->raw + at[0];
}

static NnrtTokens *learn(const NnrtDataset *set, const NnrtTexts *texts, int column) {
  const NnrtTextCoding *coding = &texts->column[column].coding;
  NnrtTokens *tokens = nnrt_tokens_new(coding->kind, coding->lower, coding->has);
  bool ok = tokens;
  for (int64_t i = 0; ok && i < set->info.count[NNRT_PART_TRAIN]; i++) {
    size_t length;
    const char *text = text_at(set, texts, set->part[NNRT_PART_TRAIN][i], column, &length);
    ok = nnrt_tokens_learn(tokens, text, length);
  }
  if (ok && nnrt_tokens_settle(tokens, coding->vocabulary))
    return tokens;
  nnrt_tokens_free(tokens);
  return NULL;
}

// `to` holds padding.
static void lay(const NnrtTokens *tokens, const NnrtIds *ids, int32_t *to, int64_t length) {
  int start = nnrt_tokens_special(tokens, NNRT_START);
  bool bounded = start >= 0;
  int64_t count = ids->count < length - 2 * bounded ? ids->count : length - 2 * bounded;
  if (bounded)
    *to++ = start;
  for (int64_t i = 0; i < count; i++)
    to[i] = ids->id[i];
  if (bounded)
    to[count] = nnrt_tokens_special(tokens, NNRT_END);
}

// The ids of all rows. NULL after an error.
static int32_t *encode(NnrtDataset *set, const NnrtTexts *texts, int column, const NnrtTokens *tokens,
                       NnrtError *error) {
  int64_t width = texts->column[column].length;
  int32_t *to = width <= INT64_MAX / 8 / set->rows ? nnrt_data_alloc(set, set->rows * width, sizeof *to) : NULL;
  NnrtIds ids = {0};
  bool ok = to || nnrt_fail(error, "not enough memory for %lld texts", (long long)set->rows);
  for (int64_t row = 0; ok && row < set->rows; row++) {
    size_t length;
    const char *text = text_at(set, texts, row, column, &length);
    ids.count = 0;
    ok = nnrt_tokens_encode(tokens, text, length, &ids, error);
    if (ok)
      lay(tokens, &ids, to + row * width, width);
  }
  free(ids.id);
  return ok ? to : NULL;
}

// How many ids come before the padding.
static int64_t length_of(const int32_t *ids, int64_t width) {
  while (width > 0 && !ids[width - 1])
    width--;
  return width;
}

static bool measure(NnrtDataset *set) {
  int64_t count = set->info.count[NNRT_PART_TRAIN];
  set->lengths = nnrt_data_alloc(set, count, sizeof *set->lengths);
  for (int64_t i = 0; set->lengths && i < count; i++) {
    int64_t row = set->part[NNRT_PART_TRAIN][i];
    set->lengths[i] = length_of(set->ids + row * set->width, set->width);
    if (set->target_ids)
      set->lengths[i] += length_of(set->target_ids + row * set->target_width, set->target_width);
  }
  return set->lengths;
}

static bool texts_finish(NnrtOpening *opening, NnrtDataset *set) {
  const NnrtTexts *texts = set->source;
  opening->call = opening->data->calls;
  set->tokens = learn(set, texts, 0);
  if (!set->tokens)
    return nnrt_fail_memory(opening);
  set->info.token_count = nnrt_tokens_count(set->tokens);
  set->ids = encode(set, texts, 0, set->tokens, opening->error);
  if (set->ids && texts->count > 1) {
    set->target_tokens = learn(set, texts, 1);
    if (!set->target_tokens || !nnrt_set_token_classes(set, set->target_tokens))
      return nnrt_fail_memory(opening);
    set->target_ids = encode(set, texts, 1, set->target_tokens, opening->error);
  }
  free(set->raw);
  set->raw = NULL;
  if (!set->ids || (!set->target_ids && texts->count > 1))
    return nnrt_fail_from(opening, NULL);
  return !set->pool || measure(set) || nnrt_fail_memory(opening);
}

// ---- to predict on: a CSV with the column of x; a file NAME.txt, or a folder of them
static bool texts_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  NnrtTexts texts = *(const NnrtTexts *)model->source;
  texts.count = 1;
  texts.label = NULL;
  bool files = nnrt_texts_are_files(path);
  if (!files && !texts.column->name)
    return nnrt_fail(error, "%s: the model was trained on files; it takes a file NAME.txt or a folder of them", path);
  if (!(files ? nnrt_texts_read_files : nnrt_texts_read_csv)(set, &texts, path, error))
    return false;
  set->ids = encode(set, &texts, 0, model->tokens, error);
  return set->ids;
}

// ---- opening
static bool read_length(const NnrtOpening *opening, const NnrtArg *arg, int column, int64_t least, int64_t *length) {
  if (arg->kind == NNRT_ARG_LIST && (arg->count != 2 || arg->items[column].kind != NNRT_ARG_INT))
    return nnrt_fail_at(opening, arg, "`length` of `pairs` is a whole number or two, [source, target]");
  *length = arg->kind == NNRT_ARG_LIST ? arg->items[column].integer : arg->integer;
  return (*length >= least && *length <= LONGEST) ||
         nnrt_fail_at(opening, arg, "`length` of `%s` is from %lld to %d%s, not %lld", opening->call->name,
                      (long long)least, LONGEST, column ? " for the target" : "", (long long)*length);
}

static bool read_options(const NnrtOpening *opening, NnrtTexts *texts, const NnrtArg *const *args) {
  texts->header = !args[HEADER] || args[HEADER]->integer;
  for (int i = 0; i < texts->count; i++) {
    NnrtTextColumn *column = &texts->column[i];
    column->name = args[FIRST + i] ? args[FIRST + i]->text : NULL;
    column->coding.has[NNRT_PADDING] = true;
    column->coding.has[NNRT_START] = column->coding.has[NNRT_END] = i;
    if (!nnrt_coding_read(opening, args[AS], args[VOCABULARY], args[LOWER], &column->coding) ||
        !read_length(opening, args[LENGTH], i, i ? 3 : 1, &column->length))
      return false;
  }
  return nnrt_csv_separator(opening, args[SEPARATOR], &texts->separator);
}

static bool read_files(NnrtOpening *opening, NnrtDataset *set, NnrtTexts *texts, const NnrtArg *const *args,
                       const char *path) {
  for (int i = FIRST; i <= SECOND; i++)
    if (args[i])
      return nnrt_fail_at(opening, args[i], "a folder of texts has no columns: its folders are the classes");
  return nnrt_texts_read_folder(set, texts, path, opening->error);
}

static bool read_columns(NnrtOpening *opening, NnrtDataset *set, NnrtTexts *texts, const char *path) {
  if (!texts->column->name)
    return nnrt_fail_at(opening, NULL, "`texts` of a CSV file needs `text: …`, the column they are in");
  return nnrt_texts_read_csv(set, texts, path, opening->error) &&
         (nnrt_set_part(set, NNRT_PART_TRAIN, 0, set->rows) || nnrt_fail_memory(opening));
}

static bool read_rows(NnrtOpening *opening, NnrtDataset *set, NnrtTexts *texts, const NnrtArg *const *args) {
  char *folder = nnrt_locate(opening->data->file, args[PATH]->text);
  bool files = folder && texts->count == 1 && nnrt_is_folder(folder);
  char *path = files ? NULL : nnrt_data_file(opening, args[PATH]);
  bool ok = files ? read_files(opening, set, texts, args, folder) : path && read_columns(opening, set, texts, path);
  free(folder);
  free(path);
  return ok;
}

static bool open_texts(NnrtOpening *opening, NnrtDataset *set, NnrtTexts *texts, const NnrtArg *const *args) {
  set->has_lengths = true;
  if (!read_options(opening, texts, args))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  set->depth = NNRT_DATA_FULL; // what the tokens are, the training rows say
  if (!read_rows(opening, set, texts, args))
    return nnrt_fail_from(opening, args[PATH]);
  nnrt_set_x_ids(set, texts->column[0].length);
  if (texts->count > 1)
    nnrt_set_y_ids(set, texts->column[1].length);
  set->source = texts;
  set->like = texts_like;
  set->finish = texts_finish;
  return true;
}

bool nnrt_texts_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  static const char *const transforms[] = {"split", "take", "shuffle", "bucket", "one_hot", NULL};
  NnrtTexts *texts = nnrt_data_alloc(set, 1, sizeof *texts);
  if (!texts)
    return nnrt_fail_memory(opening);
  texts->count = 1;
  texts->label = args[SECOND] ? args[SECOND]->text : NULL;
  set->transforms = transforms;
  return open_texts(opening, set, texts, args);
}

bool nnrt_pairs_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  static const char *const transforms[] = {"split", "take", "shuffle", "bucket", NULL};
  NnrtTexts *texts = nnrt_data_alloc(set, 1, sizeof *texts);
  if (!texts)
    return nnrt_fail_memory(opening);
  texts->count = 2;
  set->transforms = transforms;
  return open_texts(opening, set, texts, args);
}

// Texts and labels from the columns of a CSV file. Two passes: what is there, then its bytes and classes.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/texts.h"
#include "data/utf8.h"

enum { MOST_CLASSES = 100000 };

typedef struct Reading {
  NnrtDataset *set;
  NnrtTexts *texts;
  NnrtCsvText text;
  NnrtCsv csv;
  NnrtCell *cells;
  int at[2];         // the columns of text
  NnrtColumn *label; // or NULL
  size_t used;       // of the set's `raw`
} Reading;

static bool find_column(Reading *r, const char *name, int *at) {
  char hint[96];
  *at = nnrt_csv_find(&r->csv, name);
  return *at >= 0 ||
         nnrt_csv_fail(&r->text, 1, 1, "no column `%.60s`%s", name, nnrt_csv_mean_hint(&r->csv, name, hint));
}

static bool find_columns(Reading *r) {
  for (int i = 0; i < r->texts->count; i++)
    if (!find_column(r, r->texts->column[i].name, &r->at[i]))
      return false;
  int at;
  if (r->texts->label && !find_column(r, r->texts->label, &at))
    return false;
  r->label = r->texts->label ? &r->csv.columns[at] : NULL;
  return true;
}

// ---- first pass
static bool check_text(Reading *r, int i) {
  const NnrtCell *cell = &r->cells[r->at[i]];
  const char *name = r->texts->column[i].name, *end = cell->text + cell->length;
  if (!cell->length)
    return nnrt_csv_fail(&r->text, cell->line, cell->column, "an empty text in column `%.60s`", name);
  const char *fault = r->texts->column[i].coding.kind == NNRT_TOKEN_BYTES ? end : nnrt_utf8_fault(cell->text, end);
  return fault == end ||
         nnrt_csv_fail(&r->text, cell->line, cell->column, "byte 0x%02x at offset %lld of the text is no UTF-8",
                       (unsigned char)*fault, (long long)(fault - cell->text));
}

static bool is_whole(const NnrtCell *cell) {
  double value;
  return nnrt_parse_number(cell, &value) == NNRT_NUMBER && value == floor(value) && fabs(value) <= 0x1p53;
}

static bool look(Reading *r) {
  const char *at = r->text.at;
  int64_t line = r->text.line, rows = 0, wholes = 0;
  int got;
  for (; (got = nnrt_csv_record(&r->text, r->cells, r->csv.column_count)) > 0; rows++) {
    for (int i = 0; i < r->texts->count; i++)
      if (!check_text(r, i))
        return false;
    const NnrtCell *label = r->label ? &r->cells[r->label - r->csv.columns] : NULL;
    if (label && nnrt_is_missing(label))
      return nnrt_csv_fail(&r->text, label->line, label->column, "a missing value in label `%.60s`", r->label->name);
    wholes += label && is_whole(label);
  }
  if (got < 0)
    return false;
  if (!rows)
    return nnrt_csv_fail(&r->text, line, 1, "no rows%s", r->csv.header ? " after the header" : "");
  if (r->label)
    r->label->coding = wholes == rows ? NNRT_WHOLES : NNRT_WORDS;
  r->set->rows = rows;
  r->text.at = r->text.line_start = at;
  r->text.line = line;
  return true;
}

// ---- second pass
static bool make_room(Reading *r) {
  NnrtDataset *set = r->set;
  r->texts->at = nnrt_data_alloc(set, set->rows * r->texts->count + 1, sizeof *r->texts->at);
  if (r->label)
    set->classes = nnrt_data_alloc(set, set->rows, sizeof *set->classes);
  // Cells are no longer than the file, and a column can be both.
  set->raw = malloc((size_t)(r->text.end - r->text.text) * (size_t)r->texts->count + 1);
  return (set->raw && r->texts->at && (set->classes || !r->label)) ||
         nnrt_csv_fail(&r->text, 1, 1, "not enough memory for %lld rows", (long long)set->rows);
}

static bool read_label(Reading *r, int64_t row) {
  const NnrtCell *cell = &r->cells[r->label - r->csv.columns];
  NnrtCategories *categories = &r->label->categories;
  char room[32];
  size_t length;
  const char *text = nnrt_category_text(r->label, cell, room, &length);
  if (!nnrt_category_add(r->set, categories, text, length))
    return nnrt_csv_fail(&r->text, cell->line, cell->column, "not enough memory");
  r->set->classes[row] = nnrt_category_find(categories, text, length);
  return categories->count <= MOST_CLASSES ||
         nnrt_csv_fail(&r->text, cell->line, cell->column, "label `%.60s` has more than %d classes", r->label->name,
                       MOST_CLASSES);
}

static bool read_rows(Reading *r) {
  size_t *at = r->texts->at;
  for (int64_t row = 0; row < r->set->rows; row++) {
    if (nnrt_csv_record(&r->text, r->cells, r->csv.column_count) <= 0)
      return false;
    for (int i = 0; i < r->texts->count; i++) {
      const NnrtCell *cell = &r->cells[r->at[i]];
      *at++ = r->used;
      memcpy(r->set->raw + r->used, cell->text, cell->length);
      r->used += cell->length;
    }
    if (r->label && !read_label(r, row))
      return false;
  }
  *at = r->used;
  return true;
}

// Classes were numbered as they came; now they are in the order of their texts, or of whole numbers.
static bool sort_classes(Reading *r) {
  NnrtCategories *categories = &r->label->categories;
  int64_t *number = calloc((size_t)categories->count, sizeof *number);
  const char **word = malloc((size_t)categories->count * sizeof *word);
  bool ok = number && word;
  if (ok) {
    memcpy(word, categories->word, (size_t)categories->count * sizeof *word);
    nnrt_category_sort(categories, r->label->coding == NNRT_WHOLES);
  }
  for (int i = 0; ok && i < categories->count; i++)
    number[i] = nnrt_category_find(categories, word[i], strlen(word[i]));
  for (int64_t i = 0; ok && i < r->set->rows; i++)
    r->set->classes[i] = number[r->set->classes[i]];
  if (ok)
    nnrt_set_y_class(r->set, categories->count, categories->word);
  free(number);
  free(word);
  return ok || nnrt_csv_fail(&r->text, 1, 1, "not enough memory");
}

bool nnrt_texts_read_csv(NnrtDataset *set, NnrtTexts *texts, const char *path, NnrtError *error) {
  Reading r = {.set = set, .texts = texts, .csv = {.separator = texts->separator, .header = texts->header}};
  bool ok = nnrt_csv_read(&r.text, path, texts->separator, error) && nnrt_csv_header(&r.text, set, &r.csv) &&
            find_columns(&r);
  r.cells = ok ? calloc((size_t)r.csv.column_count, sizeof *r.cells) : NULL;
  ok = ok && (r.cells || nnrt_csv_fail(&r.text, 1, 1, "not enough memory")) && look(&r) && make_room(&r) &&
       read_rows(&r) && (!r.label || sort_classes(&r));
  nnrt_csv_free(&r.text);
  free(r.cells);
  return ok;
}

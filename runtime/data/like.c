// Rows to predict on: another file in the format of a set that was trained on, coded and scaled as that was. CSV
// columns go by name and may stand in any order; label and target may be missing, and are not looked at: a class nobody
// knows is no hindrance. Sets without files (toys, values) take a CSV of numbers, one column for each element of x and
// perhaps those of y, with or without a header.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/augment.h"
#include "data/csv.h"
#include "data/image.h"

static bool same_name(const NnrtColumn *a, const NnrtColumn *b) {
  return !strcmp(a->name, b->name);
}

// Gives each column of the new file the role of the feature with its name in the old; all others are ignored.
static bool match_names(NnrtCsvText *text, const NnrtCsv *old, NnrtCsv *new) {
  for (int i = 0; i < old->column_count; i++) {
    if (old->columns[i].role != NNRT_FEATURE)
      continue;
    int at = 0;
    while (at < new->column_count && !same_name(&new->columns[at], &old->columns[i]))
      at++;
    if (at == new->column_count)
      return nnrt_csv_fail(text, 1, 1, "no column `%.60s`, which the model was trained on", old->columns[i].name);
    new->columns[at] = old->columns[i];
  }
  return true;
}

// Without a header: the same columns in the same order, or the same without label and targets.
static bool match_places(NnrtCsvText *text, const NnrtCsv *old, NnrtCsv *new) {
  int shorter = 0, at = 0;
  for (int i = 0; i < old->column_count; i++)
    shorter += old->columns[i].role != NNRT_LABEL && old->columns[i].role != NNRT_TARGET;
  bool whole = new->column_count == old->column_count;
  if (!whole && new->column_count != shorter)
    return nnrt_csv_fail(text, 1, 1, "%d columns; the model was trained on a file of %d, %d without label or target",
                         new->column_count, old->column_count, shorter);
  for (int i = 0; i < old->column_count; i++) {
    bool sought = old->columns[i].role == NNRT_LABEL || old->columns[i].role == NNRT_TARGET;
    if (!sought)
      new->columns[at] = old->columns[i];
    at += whole || !sought;
  }
  return true;
}

// For sets that came from no file: numbers in the order of x, then of y.
static bool match_numbers(NnrtCsvText *text, const NnrtDataset *model, NnrtCsv *new) {
  int64_t x = model->width, y = model->classes ? 1 : model->target_width;
  if (new->column_count != x &&new->column_count != x + y)
    return nnrt_csv_fail(text, 1, 1, "%d columns where the model takes %lld", new->column_count, (long long)x);
  for (int64_t i = 0; i < x; i++) {
    new->columns[i].role = NNRT_FEATURE;
    new->columns[i].offset = i;
  }
  return true;
}

// Whether the first line holds anything that is no number.
static bool has_header(NnrtCsvText *text) {
  NnrtCell cell = {0};
  double value;
  bool words = false;
  if (!nnrt_csv_more(text))
    return false;
  while (!cell.last && nnrt_csv_cell(text, &cell))
    words = words || nnrt_parse_number(&cell, &value) == NNRT_NOT_A_NUMBER;
  nnrt_csv_rewind(text);
  return words;
}

// Counts rows; missing values are an error where training had no rule for them.
static int64_t count_rows(NnrtCsvText *text, NnrtCsv *csv, NnrtCell *cells) {
  int64_t rows = 0;
  int got;
  while ((got = nnrt_csv_record(text, cells, csv->column_count)) > 0) {
    rows++;
    for (int i = 0; i < csv->column_count; i++) {
      const NnrtColumn *column = &csv->columns[i];
      if (column->role == NNRT_IGNORED || !nnrt_is_missing(&cells[i]) || csv->missing == NNRT_MISSING_MEAN ||
          csv->missing == NNRT_MISSING_ZERO)
        continue;
      nnrt_csv_fail(text, cells[i].line, cells[i].column, "a missing value in column `%.60s`", column->name);
      return -1;
    }
  }
  if (!got && !rows)
    nnrt_csv_fail(text, text->line, 1, "no rows");
  return got < 0 || !rows ? -1 : rows;
}

static bool read_rows(NnrtCsvText *text, NnrtDataset *set, NnrtCsv *csv, NnrtCell *cells) {
  const char *first = text->at;
  int64_t line = text->line;
  set->rows = count_rows(text, csv, cells);
  if (set->rows < 0)
    return false;
  text->at = text->line_start = first;
  text->line = line;
  set->floats =
      set->width <= INT64_MAX / set->rows ? nnrt_data_alloc(set, set->rows * set->width, sizeof *set->floats) : NULL;
  if (!set->floats)
    return nnrt_csv_fail(text, line, 1, "not enough memory for %lld rows", (long long)set->rows);
  return nnrt_csv_fill(text, csv, set, cells, set->rows);
}

bool nnrt_csv_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  const NnrtCsv *old = model->csv;
  NnrtCsv csv = old ? *old : (NnrtCsv){.separator = ',', .header = true};
  NnrtCsvText text;
  NnrtCell *cells = NULL;
  bool ok = nnrt_csv_read(&text, path, csv.separator, error);
  if (ok && !old)
    csv.header = has_header(&text);
  ok = ok && nnrt_csv_header(&text, set, &csv);
  if (ok)
    ok = !old ? match_numbers(&text, model, &csv)
              : (old->header ? match_names(&text, old, &csv) : match_places(&text, old, &csv));
  if (csv.missing == NNRT_MISSING_DROP)
    csv.missing = NNRT_MISSING_ERROR;
  if (ok && !(cells = calloc((size_t)csv.column_count, sizeof *cells)))
    ok = nnrt_fail(error, "%s: not enough memory", path);
  ok = ok && read_rows(&text, set, &csv, cells);
  free(cells);
  nnrt_csv_free(&text);
  return ok;
}

// Copies what was learnt; the model may be closed before the new set.
static float *copy_floats(NnrtDataset *set, const float *from, bool *ok) {
  float *copy = from ? nnrt_data_alloc(set, set->width, sizeof *copy) : NULL;
  if (copy)
    memcpy(copy, from, (size_t)set->width * sizeof *copy);
  *ok = *ok && (copy || !from);
  return copy;
}

static bool copy_names(const NnrtDataset *model, NnrtDataset *set) {
  if (!model->info.class_names)
    return true;
  const char **names = nnrt_data_alloc(set, model->info.class_count, sizeof *names);
  for (int i = 0; names && i < model->info.class_count; i++)
    if (!(names[i] = nnrt_data_text(set, model->info.class_names[i], strlen(model->info.class_names[i]))))
      return false;
  set->info.class_names = names;
  return names;
}

typedef bool Like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error);

// Images are read for any model whose samples can be some; else the source reads its own format.
static Like *reader(const NnrtDataset *model, const char *path) {
  if (model->tokens)
    return model->like;
  if (nnrt_is_folder(path) || nnrt_image_named(path) || nnrt_image_begins(path))
    return nnrt_images_like;
  return model->like ? model->like : nnrt_csv_like;
}

NnrtDataset *nnrt_data_open_like(const NnrtDataset *model, const char *path, NnrtError *error) {
  NnrtError unread;
  error = error ? error : &unread;
  NnrtDataset *set = calloc(1, sizeof *set);
  if (!set) {
    nnrt_fail(error, "not enough memory");
    return NULL;
  }
  set->info = model->info;
  set->depth = NNRT_DATA_FULL;
  set->known = true;
  set->width = set->x_step = model->width;
  set->image = model->image;
  set->target_width = model->target_width;
  set->one_hot = model->one_hot;
  set->uniform = model->uniform;
  set->missing = model->missing;
  set->in_order = true;
  for (int i = 0; i < 3; i++)
    set->info.count[i] = 0;
  bool ok = copy_names(model, set);
  set->fill = copy_floats(set, model->fill, &ok);
  set->center = copy_floats(set, model->center, &ok);
  set->scale = copy_floats(set, model->scale, &ok);
  if (model->augment) {
    set->augment = nnrt_data_alloc(set, 1, sizeof *set->augment);
    ok = ok && set->augment;
    if (ok)
      *set->augment = *model->augment;
  }
  if (!ok)
    nnrt_fail(error, "not enough memory");
  ok = ok && reader(model, path)(model, set, path, error);
  if (ok && !nnrt_set_part(set, NNRT_PART_TEST, 0, set->rows))
    ok = nnrt_fail(error, "%s: not enough memory", path);
  if (!ok) {
    nnrt_data_close(set);
    return NULL;
  }
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_F32, .rank = -1};
  nnrt_data_apply(set);
  return set;
}

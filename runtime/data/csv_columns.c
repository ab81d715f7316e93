// Columns of a CSV file: their names, by the header or by number, and cells as numbers and categories.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

static int compare_names(const void *a, const void *b) {
  return strcmp((*(const NnrtColumn *const *)a)->name, (*(const NnrtColumn *const *)b)->name);
}

// Column names sorted, so that twins are neighbours.
static bool check_names(NnrtCsvText *text, const NnrtCsv *csv) {
  const NnrtColumn **sorted = malloc((size_t)csv->column_count * sizeof *sorted);
  if (!sorted)
    return nnrt_csv_fail(text, 1, 1, "not enough memory");
  for (int i = 0; i < csv->column_count; i++)
    sorted[i] = &csv->columns[i];
  qsort(sorted, (size_t)csv->column_count, sizeof *sorted, compare_names);
  const char *twin = NULL;
  for (int i = 1; i < csv->column_count && !twin; i++)
    if (!strcmp(sorted[i]->name, sorted[i - 1]->name))
      twin = sorted[i]->name;
  free(sorted);
  if (!twin)
    return true;
  nnrt_csv_rewind(text);
  nnrt_csv_more(text);
  NnrtCell cell;
  for (int found = 0; nnrt_csv_cell(text, &cell);)
    if (strlen(twin) == cell.length && !memcmp(twin, cell.text, cell.length) && found++)
      break;
  return nnrt_csv_fail(text, cell.line, cell.column, "two columns are named `%.60s`", twin);
}

bool nnrt_csv_header(NnrtCsvText *text, NnrtDataset *set, NnrtCsv *csv) {
  if (!nnrt_csv_more(text))
    return nnrt_csv_fail(text, 1, 1, "the file is empty");
  int64_t count = 0;
  NnrtCell cell = {0};
  for (; !cell.last; count++)
    if (!nnrt_csv_cell(text, &cell))
      return false;
  nnrt_csv_rewind(text);
  nnrt_csv_more(text);
  NnrtColumn *columns = count < INT32_MAX / 64 ? nnrt_data_alloc(set, count, sizeof *columns) : NULL;
  bool enough = columns;
  for (int64_t i = 0; enough && i < count; i++) {
    char number[24];
    if (!nnrt_csv_cell(text, &cell))
      return false;
    snprintf(number, sizeof number, "%lld", (long long)i);
    columns[i].name =
        csv->header ? nnrt_data_text(set, cell.text, cell.length) : nnrt_data_text(set, number, strlen(number));
    enough = columns[i].name;
  }
  if (!enough)
    return nnrt_csv_fail(text, 1, 1, "not enough memory");
  csv->columns = columns;
  csv->column_count = (int)count;
  if (!csv->header)
    nnrt_csv_rewind(text);
  return !csv->header || check_names(text, csv);
}

int nnrt_csv_find(const NnrtCsv *csv, const char *name) {
  for (int i = 0; i < csv->column_count; i++)
    if (!strcmp(csv->columns[i].name, name))
      return i;
  return -1;
}

const char *nnrt_csv_mean_hint(const NnrtCsv *csv, const char *name, char room[96]) {
  const char **names = malloc((size_t)csv->column_count * sizeof *names);
  room[0] = 0;
  for (int i = 0; names && i < csv->column_count; i++)
    names[i] = csv->columns[i].name;
  if (names)
    nnrt_mean_hint(room, name, names, csv->column_count);
  free(names);
  return room;
}

bool nnrt_csv_no_column(const NnrtOpening *opening, const NnrtCsv *csv, const char *path, const NnrtArg *arg,
                        const char *name) {
  char hint[96];
  return nnrt_fail_at(opening, arg, "%s has no column `%s`%s%s", path, name, nnrt_csv_mean_hint(csv, name, hint),
                      csv->header ? "" : " (without a header, columns are numbered from 0)");
}

bool nnrt_csv_separator(const NnrtOpening *opening, const NnrtArg *arg, char *separator) {
  *separator = arg ? arg->text[0] : ',';
  return (*separator && (!arg || !arg->text[1]) && strchr(",;\t|: ^~#&!/_", *separator)) ||
         nnrt_fail_at(opening, arg, "`separator` is one character that is no letter, digit, sign, point or quote");
}

bool nnrt_csv_number(NnrtCsvText *text, const char *column, const NnrtCell *cell, float *to) {
  double value = 0;
  NnrtNumber number = nnrt_parse_number(cell, &value);
  *to = (float)value;
  return number == NNRT_NUMBER || nnrt_csv_fail(text, cell->line, cell->column, "column `%.60s`: `%.*s` is %s", column,
                                                (int)(cell->length < 40 ? cell->length : 40), cell->text,
                                                number == NNRT_TOO_LARGE ? "too large" : "not a number");
}

const char *nnrt_category_text(const NnrtColumn *column, const NnrtCell *cell, char room[32], size_t *length) {
  *length = cell->length;
  double value;
  if (column->coding != NNRT_WHOLES || nnrt_parse_number(cell, &value) != NNRT_NUMBER || fabs(value) > 0x1p53)
    return cell->text;
  *length = (size_t)snprintf(room, 32, "%lld", (long long)value);
  return value == floor(value) ? room : cell->text;
}

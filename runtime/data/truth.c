// What a file to predict on holds of the targets, for plots: read as it is, neither scaled nor standardised.
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/csv.h"
#include "data/sequence.h"

int nnrt_data_target_columns(const NnrtDataset *set) {
  return set->csv ? (int)set->csv->target_width : 0;
}

// ---- the file's columns
typedef struct Reading {
  NnrtCsvText text;
  NnrtCsv csv;
  NnrtCell *cells;
  int *at;           // where the target columns are
  const char **name; // of them
} Reading;

// False: one of them is not there. Without a header only a file of as many columns has them in the same places.
static bool find_columns(Reading *r, const NnrtCsv *own) {
  bool found = own->header || own->column_count == r->csv.column_count;
  for (int i = 0; i < own->column_count; i++) {
    const NnrtColumn *column = &own->columns[i];
    if (column->role != NNRT_TARGET)
      continue;
    r->name[column->offset] = column->name;
    r->at[column->offset] = nnrt_csv_find(&r->csv, column->name);
    found = found && r->at[column->offset] >= 0;
  }
  return found;
}

// 1949-01, 1949/01/31 …
static bool is_date(const NnrtCell *cell) {
  if (cell->length < 7 || (cell->text[4] != '-' && cell->text[4] != '/'))
    return false;
  for (int i = 0; i < 7; i++)
    if (i != 4 && !isdigit((unsigned char)cell->text[i]))
      return false;
  return true;
}

// Counts the rows, and sees whether they begin with dates; goes back to the first.
static bool count_rows(Reading *r, int64_t *rows, bool *dated) {
  const char *first = r->text.at;
  int64_t line = r->text.line;
  int got;
  while ((got = nnrt_csv_record(&r->text, r->cells, r->csv.column_count)) > 0)
    *dated = (*rows)++ ? *dated : is_date(r->cells);
  r->text.at = r->text.line_start = first;
  r->text.line = line;
  return got == 0;
}

static bool read_values(Reading *r, int64_t rows, int columns, float *values, char (*dates)[17]) {
  for (int64_t row = 0; row < rows; row++) {
    if (nnrt_csv_record(&r->text, r->cells, r->csv.column_count) <= 0)
      return false;
    for (int i = 0; values && i < columns; i++) {
      const NnrtCell *cell = &r->cells[r->at[i]];
      float *value = &values[row * columns + i];
      *value = NAN;
      if (!nnrt_is_missing(cell) && !nnrt_csv_number(&r->text, r->name[i], cell, value))
        return false;
    }
    if (dates)
      memcpy(dates[row], r->cells->text, r->cells->length < 16 ? r->cells->length : 16);
  }
  return true;
}

static bool read(Reading *r, const NnrtDataset *set, NnrtTruth *truth) {
  bool dated = false, found = find_columns(r, set->csv);
  if (!count_rows(r, &truth->rows, &dated))
    return false;
  float *values = found ? nnrt_data_alloc(truth->memory, truth->rows * truth->columns, sizeof *values) : NULL;
  char(*dates)[17] = dated ? nnrt_data_alloc(truth->memory, truth->rows, sizeof *dates) : NULL;
  if ((found && !values) || (dated && !dates))
    return nnrt_csv_fail(&r->text, 1, 1, "not enough memory for %lld rows", (long long)truth->rows);
  truth->values = values;
  truth->dates = (const char(*)[17])dates;
  return read_values(r, truth->rows, truth->columns, values, dates);
}

// ---- the windows of a series
static bool same_file(const char *a, const char *b) {
  struct stat one, other;
  return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// A part's first row is the step its first window begins at; with history the part begins where that window ends.
static void tell_windows(const NnrtDataset *set, const char *path, NnrtTruth *truth) {
  const NnrtSequence *s = set->sequence;
  truth->window = s->window;
  truth->horizon = s->horizon;
  bool own = same_file(s->path, path);
  for (int kind = 0; kind < 3; kind++)
    truth->begin[kind] = own && set->part[kind] ? set->part[kind][0] + (kind && s->history ? s->window : 0) : -1;
}

bool nnrt_data_truth(const NnrtDataset *set, const char *path, NnrtTruth *truth, NnrtError *error) {
  *truth = (NnrtTruth){.columns = nnrt_data_target_columns(set), .begin = {-1, -1, -1}};
  truth->memory = calloc(1, sizeof *truth->memory);
  if (!truth->memory)
    return nnrt_fail(error, "%s: not enough memory", path);
  if (set->sequence)
    tell_windows(set, path, truth);
  Reading r = {.csv = {.separator = set->csv->separator, .header = set->csv->header}};
  bool ok = nnrt_csv_read(&r.text, path, r.csv.separator, error) && nnrt_csv_header(&r.text, truth->memory, &r.csv);
  if (ok) {
    r.cells = calloc((size_t)r.csv.column_count, sizeof *r.cells);
    r.at = calloc((size_t)truth->columns, sizeof *r.at);
    r.name = nnrt_data_alloc(truth->memory, truth->columns, sizeof *r.name);
    ok = (r.cells && r.at && r.name) || nnrt_fail(error, "%s: not enough memory", path);
  }
  truth->names = r.name;
  ok = ok && read(&r, set, truth);
  nnrt_csv_free(&r.text);
  free(r.cells);
  free(r.at);
  return ok;
}

void nnrt_truth_free(NnrtTruth *truth) {
  nnrt_data_close(truth->memory);
}

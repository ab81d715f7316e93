// The `csv` source: which columns are what, what their cells hold, and the rows as floats and classes. Three passes
// over the text: what each column holds, its categories, the values. The columns found in the first two are kept as the
// coding by which predict reads other files (like.c).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

enum { PATH, LABEL, TARGET, FEATURES, DROP, MISSING, SCALE, HEADER, SEPARATOR };
enum { MOST_CATEGORIES = 1000, FEW_CATEGORIES = 32, MOST_CLASSES = 100000 };

const NnrtParam nnrt_csv_params[] = {{"path", NNRT_TAKES_STR, false, true},
                                     {"label", NNRT_TAKES_STR | NNRT_TAKES_INT, true, false},
                                     {"target", NNRT_TAKES_STR | NNRT_TAKES_STRS, true, false},
                                     {"features", NNRT_TAKES_STR | NNRT_TAKES_STRS, true, false},
                                     {"drop", NNRT_TAKES_STR | NNRT_TAKES_STRS, true, false},
                                     {"missing", NNRT_TAKES_STR, true, false},
                                     {"scale", NNRT_TAKES_REAL, true, false},
                                     {"header", NNRT_TAKES_BOOL, true, false},
                                     {"separator", NNRT_TAKES_STR, true, false},
                                     {0}};

// What the first pass saw in a column.
typedef struct Place {
  int64_t line, column;
  char text[40];
} Place;

typedef struct Seen {
  int64_t numbers, words, missing;
  Place word, large, broken, gap; // first: not a number, too large, not whole, missing
} Seen;

typedef struct Reading {
  NnrtOpening *opening;
  NnrtDataset *set;
  NnrtCsv *csv;
  NnrtCsvText text;
  NnrtCell *cells;
  Seen *seen;
  int64_t rows; // kept
} Reading;

// ---- arguments
static bool read_options(NnrtOpening *opening, NnrtCsv *csv, const NnrtArg *const *args) {
  static const char *const policies[] = {"error", "mean", "zero", "drop"};
  *csv = (NnrtCsv){.header = !args[HEADER] || args[HEADER]->integer};
  if (args[LABEL] && args[TARGET])
    return nnrt_fail_at(opening, args[TARGET], "`label` (a class) and `target` (numbers) exclude each other");
  if (args[FEATURES] && args[DROP])
    return nnrt_fail_at(opening, args[DROP], "`features` and `drop` exclude each other");
  if (args[LABEL] && args[LABEL]->kind == NNRT_ARG_INT && csv->header)
    return nnrt_fail_at(opening, args[LABEL], "`label` is a column's name (its number only with `header: false`)");
  if (args[MISSING]) {
    while (csv->missing <= NNRT_MISSING_DROP && strcmp(args[MISSING]->text, policies[csv->missing]))
      csv->missing++;
    char hint[96];
    if (csv->missing > NNRT_MISSING_DROP)
      return nnrt_fail_at(opening, args[MISSING], "`missing` is mean, zero, drop or error, not `%s`%s",
                          args[MISSING]->text, nnrt_mean_hint(hint, args[MISSING]->text, policies, 4));
  }
  if (!nnrt_csv_separator(opening, args[SEPARATOR], &csv->separator))
    return false;
  float by = args[SCALE] ? (float)args[SCALE]->real : 1;
  if (by == 0 || !isfinite(by))
    return nnrt_fail_at(opening, args[SCALE], "`scale` multiplies by a finite number other than 0, not %g",
                        args[SCALE]->real);
  return true;
}

// ---- columns by name
static bool give_role(Reading *r, const NnrtArg *arg, NnrtRole role, int64_t *next) {
  char number[24];
  const char *name = arg->text;
  if (arg->kind == NNRT_ARG_INT) {
    int64_t index = arg->integer < 0 ? arg->integer + r->csv->column_count : arg->integer;
    snprintf(number, sizeof number, "%lld", (long long)index);
    name = number;
  }
  int at = nnrt_csv_find(r->csv, name);
  if (at < 0)
    return nnrt_csv_no_column(r->opening, r->csv, r->text.path, arg, name);
  NnrtColumn *column = &r->csv->columns[at];
  if (column->role != NNRT_IGNORED)
    return nnrt_fail_at(r->opening, arg, "column `%s` is named twice", name);
  column->role = role;
  column->offset = next ? (*next)++ : 0;
  return true;
}

static bool give_roles(Reading *r, const NnrtArg *arg, NnrtRole role, int64_t *next) {
  if (!arg)
    return true;
  if (arg->kind != NNRT_ARG_LIST)
    return give_role(r, arg, role, next);
  if (!arg->count)
    return nnrt_fail_at(r->opening, arg, "an empty list of columns");
  for (int i = 0; i < arg->count; i++)
    if (!give_role(r, &arg->items[i], role, next))
      return false;
  return true;
}

// Roles from the arguments; the offsets of features count columns, for now.
static bool choose_columns(Reading *r, const NnrtArg *const *args) {
  NnrtCsv *csv = r->csv;
  int64_t features = 0;
  csv->labelled = args[LABEL];
  if (!give_roles(r, args[LABEL], NNRT_LABEL, NULL) || !give_roles(r, args[TARGET], NNRT_TARGET, &csv->target_width) ||
      !give_roles(r, args[FEATURES], NNRT_FEATURE, &features))
    return false;
  if (args[FEATURES])
    return true;
  int64_t none = -1;
  if (args[DROP] && !give_roles(r, args[DROP], NNRT_FEATURE, &none))
    return false;
  for (int i = 0; i < csv->column_count; i++) {
    NnrtColumn *column = &csv->columns[i];
    if (column->role == NNRT_FEATURE)
      column->role = NNRT_IGNORED;
    else if (column->role == NNRT_IGNORED) {
      column->role = NNRT_FEATURE;
      column->offset = features++;
    }
  }
  return features || nnrt_fail_at(r->opening, args[DROP], "no column of %s is left as a feature", r->text.path);
}

// ---- first pass: what columns hold
static void note(Place *place, int64_t before, const NnrtCell *cell) {
  if (before)
    return;
  place->line = cell->line;
  place->column = cell->column;
  snprintf(place->text, sizeof place->text, "%.*s", (int)(cell->length < 39 ? cell->length : 39), cell->text);
}

static void look(Seen *seen, const NnrtColumn *column, const NnrtCell *cell) {
  double value;
  NnrtNumber number = nnrt_parse_number(cell, &value);
  if (number == NNRT_NOT_A_NUMBER) {
    note(&seen->word, seen->words++, cell);
    return;
  }
  seen->numbers++;
  if (number == NNRT_TOO_LARGE)
    note(&seen->large, seen->large.line, cell);
  else if (column->role == NNRT_LABEL && (value != floor(value) || fabs(value) > 0x1p53))
    note(&seen->broken, seen->broken.line, cell);
}

static bool has_missing(const NnrtCsv *csv, const NnrtCell *cells) {
  for (int i = 0; i < csv->column_count; i++)
    if (csv->columns[i].role != NNRT_IGNORED && nnrt_is_missing(&cells[i]))
      return true;
  return false;
}

static bool look_at_columns(Reading *r) {
  const char *first = r->text.at;
  int64_t line = r->text.line, rows = 0;
  int got;
  while ((got = nnrt_csv_record(&r->text, r->cells, r->csv->column_count)) > 0) {
    rows++;
    bool missing = false;
    for (int i = 0; i < r->csv->column_count; i++) {
      if (r->csv->columns[i].role == NNRT_IGNORED)
        continue;
      if (!nnrt_is_missing(&r->cells[i])) {
        look(&r->seen[i], &r->csv->columns[i], &r->cells[i]);
        continue;
      }
      note(&r->seen[i].gap, r->seen[i].missing++, &r->cells[i]);
      missing = true;
    }
    r->rows += !(missing && r->csv->missing == NNRT_MISSING_DROP);
  }
  if (got < 0)
    return false;
  if (!rows)
    return nnrt_csv_fail(&r->text, line, 1, "no rows%s", r->csv->header ? " after the header" : "");
  if (!r->rows)
    return nnrt_csv_fail(&r->text, line, 1, "every row has a missing value, and `missing: drop` drops them all");
  r->text.at = r->text.line_start = first;
  r->text.line = line;
  return true;
}

static bool check_missing(Reading *r) {
  const NnrtCsv *csv = r->csv;
  int64_t total = 0;
  int first = -1;
  if (csv->missing == NNRT_MISSING_DROP)
    return true;
  for (int i = 0; i < csv->column_count; i++) {
    const Seen *seen = &r->seen[i];
    bool bad = csv->missing == NNRT_MISSING_ERROR || csv->columns[i].role != NNRT_FEATURE;
    if (!bad || !seen->missing)
      continue;
    total += seen->missing;
    if (first < 0 || seen->gap.line < r->seen[first].gap.line ||
        (seen->gap.line == r->seen[first].gap.line && seen->gap.column < r->seen[first].gap.column))
      first = i;
  }
  if (!total)
    return true;
  const Place *gap = &r->seen[first].gap;
  return nnrt_csv_fail(
      &r->text, gap->line, gap->column, "%lld missing value%s%s, the first in column `%.60s`; %s", (long long)total,
      total == 1 ? "" : "s", csv->missing ? " in label or target" : "", csv->columns[first].name,
      csv->missing ? "only `missing: drop` can do without them" : "`missing: mean`, `zero` or `drop` says what to do");
}

static bool settle_column(Reading *r, NnrtColumn *column, const Seen *seen) {
  if (seen->words) {
    if (column->role == NNRT_TARGET)
      return nnrt_csv_fail(&r->text, seen->word.line, seen->word.column, "target `%.60s`: `%s` is not a number",
                           column->name, seen->word.text);
    column->coding = NNRT_WORDS;
    return true;
  }
  if (seen->large.line)
    return nnrt_csv_fail(&r->text, seen->large.line, seen->large.column, "column `%.60s`: `%s` is too large",
                         column->name, seen->large.text);
  if (seen->broken.line)
    return nnrt_csv_fail(&r->text, seen->broken.line, seen->broken.column,
                         "label `%.60s`: `%s` is no class (a text or a whole number); `target` is for real values",
                         column->name, seen->broken.text);
  column->coding = column->role == NNRT_LABEL ? NNRT_WHOLES : NNRT_REAL;
  return true;
}

static bool settle_columns(Reading *r) {
  if (!check_missing(r))
    return false;
  for (int i = 0; i < r->csv->column_count; i++)
    if (r->csv->columns[i].role != NNRT_IGNORED && !settle_column(r, &r->csv->columns[i], &r->seen[i]))
      return false;
  return true;
}

// ---- second pass: categories
static bool collect_cell(Reading *r, NnrtColumn *column, const Seen *seen, const NnrtCell *cell) {
  char room[32];
  size_t length;
  const char *text = nnrt_category_text(column, cell, room, &length);
  if (!nnrt_category_add(r->set, &column->categories, text, length))
    return nnrt_csv_fail(&r->text, cell->line, cell->column, "not enough memory");
  int count = column->categories.count;
  if (column->role == NNRT_LABEL)
    return count <= MOST_CLASSES ||
           nnrt_csv_fail(&r->text, cell->line, cell->column,
                         "label `%.60s` has more than %d classes; `target` is for numbers", column->name, MOST_CLASSES);
  if (count > FEW_CATEGORIES && seen->numbers > seen->words)
    return nnrt_csv_fail(&r->text, seen->word.line, seen->word.column, "column `%.60s` holds numbers, but here `%s`",
                         column->name, seen->word.text);
  return count <= MOST_CATEGORIES ||
         nnrt_csv_fail(&r->text, seen->word.line, seen->word.column,
                       "column `%.60s` has more than %d different texts (here `%s`), too many to code; drop it",
                       column->name, MOST_CATEGORIES, seen->word.text);
}

static bool collect_categories(Reading *r) {
  bool any = false;
  for (int i = 0; i < r->csv->column_count; i++)
    any = any || r->csv->columns[i].coding != NNRT_REAL;
  const char *first = r->text.at;
  int64_t line = r->text.line;
  while (any && nnrt_csv_record(&r->text, r->cells, r->csv->column_count) > 0) {
    if (r->csv->missing == NNRT_MISSING_DROP && has_missing(r->csv, r->cells))
      continue;
    for (int i = 0; i < r->csv->column_count; i++) {
      NnrtColumn *column = &r->csv->columns[i];
      if (column->coding != NNRT_REAL && !nnrt_is_missing(&r->cells[i]) &&
          !collect_cell(r, column, &r->seen[i], &r->cells[i]))
        return false;
    }
  }
  for (int i = 0; i < r->csv->column_count; i++)
    nnrt_category_sort(&r->csv->columns[i].categories, r->csv->columns[i].coding == NNRT_WHOLES);
  r->text.at = r->text.line_start = first;
  r->text.line = line;
  return true;
}

// From the features' order to their places in x.
static bool place_columns(Reading *r) {
  NnrtCsv *csv = r->csv;
  int64_t *start = calloc((size_t)csv->column_count + 1, sizeof *start), width = 0;
  if (!start)
    return nnrt_fail_memory(r->opening);
  for (int i = 0; i < csv->column_count; i++)
    if (csv->columns[i].role == NNRT_FEATURE)
      start[csv->columns[i].offset] = csv->columns[i].coding == NNRT_REAL ? 1 : csv->columns[i].categories.count;
  for (int i = 0; i < csv->column_count; i++) {
    int64_t own = start[i];
    start[i] = width;
    width += own;
  }
  for (int i = 0; i < csv->column_count; i++)
    if (csv->columns[i].role == NNRT_FEATURE)
      csv->columns[i].offset = start[csv->columns[i].offset];
  free(start);
  csv->x_width = width;
  bool *coded = r->set->coded = nnrt_data_alloc(r->set, width, sizeof *coded);
  if (!coded)
    return nnrt_fail_memory(r->opening);
  for (int i = 0; i < csv->column_count; i++)
    if (csv->columns[i].role == NNRT_FEATURE && csv->columns[i].coding == NNRT_WORDS)
      memset(coded + csv->columns[i].offset, 1, (size_t)csv->columns[i].categories.count);
  return true;
}

// ---- third pass: values
static bool fill_category(NnrtCsvText *text, const NnrtColumn *column, const NnrtCell *cell, int *number) {
  char room[32];
  size_t length;
  const char *word = nnrt_category_text(column, cell, room, &length);
  *number = nnrt_category_find(&column->categories, word, length);
  return *number >= 0 ||
         nnrt_csv_fail(text, cell->line, cell->column, "column `%.60s`: `%.*s` is not among the %d texts known",
                       column->name, (int)(cell->length < 40 ? cell->length : 40), cell->text,
                       column->categories.count);
}

static bool fill_feature(NnrtCsvText *text, const NnrtColumn *column, const NnrtCell *cell, float *x) {
  bool missing = nnrt_is_missing(cell);
  if (column->coding == NNRT_REAL) {
    if (!missing)
      return nnrt_csv_number(text, column->name, cell, x);
    *x = NAN;
    return true;
  }
  int number;
  for (int k = 0; missing && k < column->categories.count; k++)
    x[k] = NAN;
  if (missing)
    return true;
  if (!fill_category(text, column, cell, &number))
    return false;
  x[number] = 1;
  return true;
}

bool nnrt_csv_fill(NnrtCsvText *text, const NnrtCsv *csv, NnrtDataset *set, NnrtCell *cells, int64_t rows) {
  for (int64_t row = 0; row < rows;) {
    int got = nnrt_csv_record(text, cells, csv->column_count);
    if (got <= 0)
      return !got;
    if (csv->missing == NNRT_MISSING_DROP && has_missing(csv, cells))
      continue;
    for (int i = 0; i < csv->column_count; i++) {
      const NnrtColumn *column = &csv->columns[i];
      int class = 0;
      bool ok = true;
      if (column->role == NNRT_FEATURE)
        ok = fill_feature(text, column, &cells[i], set->floats + row * set->width + column->offset);
      else if (column->role == NNRT_TARGET)
        ok = nnrt_csv_number(text, column->name, &cells[i], set->targets + row * set->target_width + column->offset);
      else if (column->role == NNRT_LABEL) {
        ok = fill_category(text, column, &cells[i], &class);
        set->classes[row] = class;
      }
      if (!ok)
        return false;
    }
    row++;
  }
  return true;
}

// ---- all together
static bool describe(Reading *r, const NnrtArg *const *args) {
  NnrtDataset *set = r->set;
  nnrt_set_x(set, 1, &r->csv->x_width);
  for (int i = 0; i < r->csv->column_count; i++)
    if (r->csv->columns[i].role == NNRT_LABEL)
      nnrt_set_y_class(set, r->csv->columns[i].categories.count, r->csv->columns[i].categories.word);
  if (r->csv->target_width)
    nnrt_set_y_target(set, r->csv->target_width);
  if (args[SCALE])
    set->steps[set->step_count++] = (NnrtValueStep){.by = args[SCALE]->real};
  set->missing = r->csv->missing;
  set->rows = r->rows;
  set->csv = r->csv;
  return nnrt_set_part(set, NNRT_PART_TRAIN, 0, r->rows) || nnrt_fail_memory(r->opening);
}

static bool load(Reading *r) {
  NnrtDataset *set = r->set;
  if (set->depth != NNRT_DATA_FULL)
    return true;
  if (set->width > INT64_MAX / set->rows)
    return nnrt_fail_memory(r->opening);
  set->floats = nnrt_data_alloc(set, set->rows * set->width, sizeof *set->floats);
  if (r->csv->labelled)
    set->classes = nnrt_data_alloc(set, set->rows, sizeof *set->classes);
  if (set->target_width)
    set->targets = nnrt_data_alloc(set, set->rows * set->target_width, sizeof *set->targets);
  if (!set->floats || (r->csv->labelled && !set->classes) || (set->target_width && !set->targets))
    return nnrt_fail_memory(r->opening);
  return nnrt_csv_fill(&r->text, r->csv, set, r->cells, r->rows);
}

static bool read_rows(Reading *r, const NnrtArg *const *args) {
  NnrtCsv *csv = r->csv;
  if (!nnrt_csv_header(&r->text, r->set, csv) || !choose_columns(r, args))
    return false;
  r->cells = calloc((size_t)csv->column_count, sizeof *r->cells);
  r->seen = calloc((size_t)csv->column_count, sizeof *r->seen);
  if (!r->cells || !r->seen)
    return nnrt_fail_memory(r->opening);
  return look_at_columns(r) && settle_columns(r) && collect_categories(r) && place_columns(r) && describe(r, args) &&
         load(r);
}

bool nnrt_csv_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  NnrtCsv *csv = nnrt_data_alloc(set, 1, sizeof *csv);
  if (!csv)
    return nnrt_fail_memory(opening);
  if (!read_options(opening, csv, args))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  char *path = nnrt_data_file(opening, args[PATH]);
  if (!path)
    return false;
  Reading reading = {.opening = opening, .set = set, .csv = csv};
  bool ok = nnrt_csv_read(&reading.text, path, csv->separator, opening->error) && read_rows(&reading, args);
  if (!ok)
    nnrt_fail_from(opening, args[PATH]);
  nnrt_csv_free(&reading.text);
  free(reading.cells);
  free(reading.seen);
  free(path);
  return ok;
}

// The `series` source: windows of a time series in a CSV file, a line a step, in the file's order. x is [window,
// columns]; y the target columns of the `horizon` steps after it, [horizon, targets], or [horizon] of one column.
// Windows overlap in memory: a row is the step it begins at. `scale` and `standardize` work on columns, x and y alike,
// learnt from the steps of the training part.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"
#include "data/sequence.h"

enum { PATH, COLUMNS, WINDOW, HORIZON, STRIDE, TARGET, HISTORY, HEADER, SEPARATOR };
static const int64_t most_elements = (int64_t)1 << 28; // of a window

const NnrtParam nnrt_series_params[] = {
    {"path", NNRT_TAKES_STR, false, true},      {"columns", NNRT_TAKES_STR | NNRT_TAKES_STRS, true, false},
    {"window", NNRT_TAKES_INT, true, true},     {"horizon", NNRT_TAKES_INT, true, false},
    {"stride", NNRT_TAKES_INT, true, false},    {"target", NNRT_TAKES_STR | NNRT_TAKES_STRS, true, false},
    {"history", NNRT_TAKES_BOOL, true, false},  {"header", NNRT_TAKES_BOOL, true, false},
    {"separator", NNRT_TAKES_STR, true, false}, {0}};

// Columns of the file that become columns of a table of floats, a row a step.
typedef struct Columns {
  int count;
  int *at;
  const char **name;
  float *table;
  float *center, *scale; // NULL: values as they are
} Columns;

typedef struct Series {
  NnrtSequence sequence;
  char separator;
  bool header;
  Columns x, y;
} Series;

typedef struct Reading {
  NnrtDataset *set;
  NnrtCsvText text;
  NnrtCsv csv; // the columns' names
  NnrtCell *cells;
  int64_t steps;
} Reading;

// ---- columns by name
static bool choose(const NnrtOpening *opening, Reading *r, const NnrtArg *arg, Columns *columns) {
  int count = !arg ? r->csv.column_count : arg->kind == NNRT_ARG_LIST ? arg->count : 1;
  if (!count)
    return nnrt_fail_at(opening, arg, "an empty list of columns");
  columns->count = count;
  columns->at = nnrt_data_alloc(r->set, count, sizeof *columns->at);
  columns->name = nnrt_data_alloc(r->set, count, sizeof *columns->name);
  if (!columns->at || !columns->name)
    return nnrt_fail_memory(opening);
  for (int i = 0; i < count; i++) {
    const NnrtArg *item = arg && arg->kind == NNRT_ARG_LIST ? &arg->items[i] : arg;
    int at = item ? nnrt_csv_find(&r->csv, item->text) : i;
    if (at < 0)
      return nnrt_csv_no_column(opening, &r->csv, r->text.path, item, item->text);
    for (int k = 0; k < i; k++)
      if (columns->at[k] == at)
        return nnrt_fail_at(opening, item, "column `%s` is named twice", item->text);
    columns->at[i] = at;
    columns->name[i] = r->csv.columns[at].name;
    r->csv.columns[at].role = NNRT_FEATURE;
  }
  return true;
}

// ---- steps
// Counts the steps; goes back to the first.
static bool count_steps(Reading *r) {
  const char *at = r->text.at;
  int64_t line = r->text.line, missing = 0;
  NnrtCell first = {0};
  int got, column = 0;
  for (; (got = nnrt_csv_record(&r->text, r->cells, r->csv.column_count)) > 0; r->steps++)
    for (int i = 0; i < r->csv.column_count; i++)
      if (r->csv.columns[i].role != NNRT_IGNORED && nnrt_is_missing(&r->cells[i]) && !missing++) {
        first = r->cells[i];
        column = i;
      }
  if (got < 0)
    return false;
  if (!r->steps)
    return nnrt_csv_fail(&r->text, line, 1, "no rows%s", r->csv.header ? " after the header" : "");
  if (missing)
    return nnrt_csv_fail(&r->text, first.line, first.column,
                         "%lld missing value%s, the first in column `%.60s`: a series has no gaps", (long long)missing,
                         missing == 1 ? "" : "s", r->csv.columns[column].name);
  r->text.at = r->text.line_start = at;
  r->text.line = line;
  return true;
}

static bool read_step(Reading *r, const Columns *columns, int64_t step) {
  for (int i = 0; i < columns->count; i++)
    if (!nnrt_csv_number(&r->text, columns->name[i], &r->cells[columns->at[i]],
                         &columns->table[step * columns->count + i]))
      return false;
  return true;
}

// The tables of x and, unless it is NULL, of y.
static bool read_steps(Reading *r, Columns *x, Columns *y) {
  if (!count_steps(r))
    return false;
  x->table = nnrt_data_alloc(r->set, r->steps * x->count, sizeof *x->table);
  if (y)
    y->table = nnrt_data_alloc(r->set, r->steps * y->count, sizeof *y->table);
  if (!x->table || (y && !y->table))
    return nnrt_csv_fail(&r->text, r->text.line, 1, "not enough memory for %lld steps", (long long)r->steps);
  for (int64_t step = 0; step < r->steps; step++)
    if (nnrt_csv_record(&r->text, r->cells, r->csv.column_count) <= 0 || !read_step(r, x, step) ||
        (y && !read_step(r, y, step)))
      return false;
  return true;
}

static bool begin(Reading *r, const Series *series, const char *path, NnrtError *error) {
  r->csv = (NnrtCsv){.separator = series->separator, .header = series->header};
  if (!nnrt_csv_read(&r->text, path, series->separator, error) || !nnrt_csv_header(&r->text, r->set, &r->csv))
    return false;
  r->cells = calloc((size_t)r->csv.column_count, sizeof *r->cells);
  return r->cells || nnrt_csv_fail(&r->text, 1, 1, "not enough memory");
}

static void end(Reading *r) {
  nnrt_csv_free(&r->text);
  free(r->cells);
}

// ---- scales
static void column_moments(const Columns *columns, int i, int64_t steps, double *mean, double *variance) {
  *mean = *variance = 0;
  for (int64_t t = 0; t < steps; t++)
    *mean += (double)columns->table[t * columns->count + i];
  *mean /= (double)steps;
  for (int64_t t = 0; t < steps; t++) {
    double away = (double)columns->table[t * columns->count + i] - *mean;
    *variance += away * away;
  }
  *variance /= (double)steps;
}

// What the set's steps make of each column, learnt from the first `steps`.
static bool learn(NnrtDataset *set, Columns *columns, int64_t steps) {
  columns->center = nnrt_data_alloc(set, columns->count, sizeof *columns->center);
  columns->scale = nnrt_data_alloc(set, columns->count, sizeof *columns->scale);
  for (int i = 0; columns->center && columns->scale && i < columns->count; i++) {
    double mean, variance;
    column_moments(columns, i, steps, &mean, &variance);
    nnrt_compose(set, mean, variance, &columns->center[i], &columns->scale[i]);
  }
  return columns->center && columns->scale;
}

static void apply(const Columns *columns, int64_t steps) {
  for (int64_t t = 0; columns->scale && t < steps; t++)
    for (int i = 0; i < columns->count; i++) {
      float *value = &columns->table[t * columns->count + i];
      *value = (*value - columns->center[i]) * columns->scale[i];
    }
}

// ---- opening
static bool series_finish(NnrtOpening *opening, NnrtDataset *set) {
  Series *series = (Series *)set->sequence;
  const int64_t *units = set->info.count;
  const int64_t begin_at[4] = {0, units[0], units[0] + units[1], units[0] + units[1] + units[2]};
  if (set->step_count) {
    if (!learn(set, &series->x, units[0]) || !learn(set, &series->y, units[0]))
      return nnrt_fail_memory(opening);
    apply(&series->x, begin_at[3]);
    apply(&series->y, begin_at[3]);
    set->y_center = series->y.center;
    set->y_scale = series->y.scale;
  }
  opening->call = opening->data->calls;
  return nnrt_sequence_lay(opening, set, begin_at);
}

// Every window of the file, whatever the stride in training was: the last is the one whose future nobody knows.
static bool series_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  const Series *series = (const Series *)model->sequence;
  Reading r = {.set = set};
  Columns x = series->x;
  bool ok = begin(&r, series, path, error);
  x.at = ok ? nnrt_data_alloc(set, x.count, sizeof *x.at) : NULL;
  ok = ok && (x.at || nnrt_csv_fail(&r.text, 1, 1, "not enough memory"));
  for (int i = 0; ok && i < x.count; i++) {
    x.at[i] = nnrt_csv_find(&r.csv, x.name[i]);
    ok = x.at[i] >= 0 || nnrt_csv_fail(&r.text, 1, 1, "no column `%.60s`, which the model was trained on", x.name[i]);
    if (ok)
      r.csv.columns[x.at[i]].role = NNRT_FEATURE;
  }
  ok = ok && read_steps(&r, &x, NULL);
  if (ok && r.steps < series->sequence.window)
    ok = nnrt_fail(error, "%s: the series has %lld steps, a window has %lld", path, (long long)r.steps,
                   (long long)series->sequence.window);
  end(&r);
  if (!ok)
    return false;
  apply(&x, r.steps);
  set->floats = x.table;
  set->x_step = x.count;
  set->rows = r.steps - series->sequence.window + 1;
  return true;
}

static bool fits(const NnrtOpening *opening, const NnrtArg *arg, int64_t steps, int64_t columns, const char *what) {
  return steps <= most_elements / columns ||
         nnrt_fail_at(opening, arg, "a %s of %lld steps of %lld columns is too large", what, (long long)steps,
                      (long long)columns);
}

// What a plot of another file needs to know: the columns of y, and which file is this one.
static bool keep_targets(NnrtDataset *set, Series *series, const Reading *r) {
  NnrtCsv *csv = nnrt_data_alloc(set, 1, sizeof *csv);
  series->sequence.path = nnrt_data_text(set, r->text.path, strlen(r->text.path));
  if (!csv || !series->sequence.path)
    return false;
  *csv = r->csv;
  csv->target_width = series->y.count;
  for (int i = 0; i < csv->column_count; i++)
    csv->columns[i].role = NNRT_IGNORED;
  for (int i = 0; i < series->y.count; i++) {
    csv->columns[series->y.at[i]].role = NNRT_TARGET;
    csv->columns[series->y.at[i]].offset = i;
  }
  set->csv = csv;
  return true;
}

static bool describe(NnrtOpening *opening, NnrtDataset *set, Series *series, const NnrtArg *const *args,
                     int64_t steps) {
  NnrtSequence *s = &series->sequence;
  int64_t columns = series->x.count, targets = series->y.count;
  if (!fits(opening, args[WINDOW], s->window, columns, "window") ||
      !fits(opening, args[HORIZON], s->horizon, targets, "horizon"))
    return false;
  nnrt_set_x(set, 2, (const int64_t[]){s->window, columns});
  nnrt_set_y_target(set, s->horizon * targets);
  if (targets > 1) {
    set->info.y.rank = 2;
    set->info.y.dim[0] = s->horizon;
    set->info.y.dim[1] = targets;
  }
  set->x_step = columns;
  set->y_step = targets;
  set->floats = series->x.table;
  set->targets = series->y.table;
  if (s->window < steps)
    set->targets += s->window * targets;
  set->rows = set->info.count[NNRT_PART_TRAIN] = steps;
  set->like = series_like;
  set->finish = series_finish;
  return true;
}

static bool read_options(NnrtOpening *opening, Series *series, const NnrtArg *const *args) {
  NnrtSequence *s = &series->sequence;
  *s = (NnrtSequence){.unit = "steps", .history = args[HISTORY] && args[HISTORY]->integer};
  series->header = !args[HEADER] || args[HEADER]->integer;
  return nnrt_csv_separator(opening, args[SEPARATOR], &series->separator) &&
         nnrt_sequence_whole(opening, args[WINDOW], "window", 1, &s->window) &&
         nnrt_sequence_whole(opening, args[HORIZON], "horizon", 1, &s->horizon) &&
         nnrt_sequence_whole(opening, args[STRIDE], "stride", 1, &s->stride);
}

bool nnrt_series_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  static const char *const transforms[] = {"split", "take", "shuffle", "scale", "standardize", NULL};
  Series *series = nnrt_data_alloc(set, 1, sizeof *series);
  if (!series)
    return nnrt_fail_memory(opening);
  set->sequence = &series->sequence;
  set->transforms = transforms;
  if (!read_options(opening, series, args))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  char *path = nnrt_data_file(opening, args[PATH]);
  if (!path)
    return false;
  set->depth = NNRT_DATA_FULL; // to count windows, all steps are read
  Reading r = {.set = set};
  bool ok = begin(&r, series, path, opening->error) && choose(opening, &r, args[COLUMNS], &series->x) &&
            choose(opening, &r, args[TARGET] ? args[TARGET] : args[COLUMNS], &series->y) &&
            read_steps(&r, &series->x, &series->y) && describe(opening, set, series, args, r.steps) &&
            (keep_targets(set, series, &r) || nnrt_fail_memory(opening));
  if (!ok)
    nnrt_fail_from(opening, args[PATH]);
  end(&r);
  free(path);
  return ok;
}

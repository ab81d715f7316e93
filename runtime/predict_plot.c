// The chart of --plot: forecasts of a series along its steps, other results against the targets of their rows. A panel
// for each target column, in the file's own units.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "plot.h"
#include "predict.h"

enum { MOST_DATES = 10 }; // ticks

typedef struct NnrtChart {
  FILE *out;
  NnrtTruth truth;
  int64_t elements;
  double *values; // [samples, elements]: results in the file's units
} NnrtChart;

// ---- what can be drawn
static bool suits(const Prediction *run, NnrtError *error) {
  const NnrtValue *output = run->model->function.outputs;
  bool columns = run->data && nnrt_data_target_columns(run->data) > 0;
  if (!columns || run->model->task != NNRT_VALUES)
    return nnrt_fail(error,
                     "--plot draws forecasts of a `series`, or results against the `target` of a `csv`; model `%s` %s",
                     run->model->model, columns ? "tells classes" : "was trained on neither");
  const NnrtValue *y = &nnrt_data_info(run->data)->y;
  int64_t wanted = nnrt_elements(y->rank, y->dim), found = nnrt_elements(output->rank, output->dim);
  return wanted == found ||
         nnrt_fail(error, "--plot needs results like the targets, %lld numbers; model `%s` gives %lld",
                   (long long)wanted, run->model->model, (long long)found);
}

bool nnrt_chart_begin(Prediction *run, NnrtError *error) {
  if (!suits(run, error))
    return false;
  const NnrtValue *output = run->model->function.outputs;
  const char *path = run->options->plot, *table = run->options->output;
  if (table && strcmp(path, table) == 0)
    return nnrt_fail(error, "--plot and --output both name %s", path);
  NnrtChart *chart = run->chart = calloc(1, sizeof *chart);
  if (!chart)
    return nnrt_fail(error, "out of memory for the chart");
  if (!nnrt_data_truth(run->data, run->options->input, &chart->truth, error))
    return false;
  if (!chart->truth.window && !chart->truth.values)
    return nnrt_fail(error, "%s: --plot draws results against targets, but not all of their columns are there",
                     run->options->input);
  chart->elements = nnrt_elements(output->rank, output->dim);
  chart->values = calloc((size_t)run->part.count, (size_t)chart->elements * sizeof *chart->values);
  if (!chart->values)
    return nnrt_fail(error, "out of memory for the chart");
  chart->out = fopen(path, "w");
  return chart->out || nnrt_fail(error, "cannot write %s: %s", path, strerror(errno));
}

void nnrt_chart_take(Prediction *run, int64_t row, int64_t index) {
  NnrtChart *chart = run->chart;
  for (int64_t e = 0; e < chart->elements; e++)
    chart->values[row * chart->elements + e] = nnrt_predicted(run, 0, chart->elements, index, e);
}

// ---- forecasts of a series; step 1 is the file's first
// Whole forecasts side by side, so that each step is foretold once: the last is of the steps that follow the file.
static int64_t forecast_points(const Prediction *run, int column, NnrtPoint *points) {
  const NnrtChart *chart = run->chart;
  const NnrtTruth *truth = &chart->truth;
  int64_t count = 0, horizon = truth->horizon;
  for (int64_t row = (run->part.count - 1) % horizon; row < run->part.count; row += horizon) {
    for (int64_t h = 0; h < horizon; h++)
      points[count++] = (NnrtPoint){.x = (double)(row + truth->window + h + 1),
                                    .y = chart->values[row * chart->elements + h * truth->columns + column]};
    if (horizon > 1)
      points[count++] = (NnrtPoint){.y = NAN};
  }
  return count;
}

static int64_t truth_points(const NnrtTruth *truth, int column, NnrtPoint *points) {
  for (int64_t row = 0; truth->values && row < truth->rows; row++)
    points[row] = (NnrtPoint){.x = (double)(row + 1), .y = (double)truth->values[row * truth->columns + column]};
  return truth->values ? truth->rows : 0;
}

// Whether the first `length` characters of the date are others than those of the one before.
static bool changes(const NnrtTruth *truth, int64_t row, size_t length) {
  return strncmp(truth->dates[row], truth->dates[row - 1], length) != 0;
}

static int64_t count_changes(const NnrtTruth *truth, size_t length) {
  int64_t count = 0;
  for (int64_t row = 1; row < truth->rows; row++)
    count += changes(truth, row, length);
  return count;
}

// Where years begin, or, if the file has few of them, months, days, hours, minutes.
static int date_ticks(const NnrtTruth *truth, NnrtTick ticks[MOST_DATES]) {
  static const int64_t factors[] = {2, 5, 2};
  if (!truth->dates)
    return 0;
  size_t length = 4, most = strlen(truth->dates[0]);
  while (length + 3 <= most && count_changes(truth, length) < 3)
    length += 3;
  int64_t found = count_changes(truth, length), every = 1, seen = 0;
  for (int i = 0; found / every >= MOST_DATES; i = (i + 1) % 3)
    every = every / (i == 1 ? 2 : 1) * factors[i];
  int count = 0;
  for (int64_t row = 1; row < truth->rows; row++)
    if (changes(truth, row, length) && seen++ % every == 0) {
      ticks[count].x = (double)(row + 1);
      snprintf(ticks[count++].text, sizeof ticks->text, "%.*s", (int)length, truth->dates[row]);
    }
  return count;
}

// Where the parts begin, half a step before their first one.
static int part_marks(const NnrtTruth *truth, NnrtTick marks[3]) {
  static const char *const names[] = {"training", "val", "test"};
  int count = 0;
  for (int kind = 0; kind < 3; kind++)
    if (truth->begin[kind] >= 0) {
      marks[count].x = fmax((double)truth->begin[kind] + 0.5, 1);
      strcpy(marks[count++].text, names[kind]);
    }
  return count > 1 ? count : 0;
}

static bool draw_series(const Prediction *run, NnrtPlot *plot) {
  NnrtChart *chart = run->chart;
  const NnrtTruth *truth = &chart->truth;
  NnrtTick dates[MOST_DATES], marks[3];
  int64_t last = run->part.count + truth->window - 1 + truth->horizon;
  NnrtPoint *is = calloc((size_t)truth->rows + 1, sizeof *is);
  NnrtPoint *foretold =
      calloc((size_t)(run->part.count / truth->horizon + 1), (size_t)(truth->horizon + 1) * sizeof *is);
  plot->x_low = 1;
  plot->x_high = (double)(last > truth->rows ? last : truth->rows);
  plot->ticks = dates;
  plot->tick_count = date_ticks(truth, dates);
  plot->marks = marks;
  plot->mark_count = part_marks(truth, marks);
  bool whole = is && foretold;
  if (whole)
    nnrt_plot_begin(chart->out, plot);
  for (int i = 0; whole && i < truth->columns; i++) {
    NnrtPanel panel = {.x_label = plot->tick_count ? "date" : "step", .y_label = truth->names[i]};
    panel.first = (NnrtPoints){truth->values ? "truth" : NULL, truth_points(truth, i, is), is};
    panel.second = (NnrtPoints){"forecast", forecast_points(run, i, foretold), foretold};
    nnrt_plot_lines(chart->out, plot, i, &panel);
  }
  free(is);
  free(foretold);
  return whole;
}

// ---- results against targets
static bool draw_targets(const Prediction *run, NnrtPlot *plot) {
  NnrtChart *chart = run->chart;
  const NnrtTruth *truth = &chart->truth;
  int64_t count = truth->rows < run->part.count ? truth->rows : run->part.count;
  NnrtPoint *points = calloc((size_t)count + 1, sizeof *points);
  if (points)
    nnrt_plot_begin(chart->out, plot);
  for (int i = 0; points && i < truth->columns; i++) {
    char in_file[300], predicted[300];
    snprintf(in_file, sizeof in_file, "%.250s in the file", truth->names[i]);
    snprintf(predicted, sizeof predicted, "%.250s predicted", truth->names[i]);
    for (int64_t row = 0; row < count; row++)
      points[row] =
          (NnrtPoint){(double)truth->values[row * truth->columns + i], chart->values[row * chart->elements + i]};
    NnrtPanel panel = {in_file, predicted, {"a row", count, points}, {"as in the file", 0, NULL}};
    nnrt_plot_dots(chart->out, plot, i, &panel);
  }
  free(points);
  return points;
}

static bool draw(const Prediction *run, NnrtError *error) {
  const char *path = run->options->input, *slash = strrchr(path, '/');
  char title[600];
  snprintf(title, sizeof title, "%.250s on %.250s", run->model->model, slash ? slash + 1 : path);
  NnrtPlot plot = {.title = title, .panels = run->chart->truth.columns};
  if (!(run->chart->truth.window ? draw_series : draw_targets)(run, &plot))
    return nnrt_fail(error, "out of memory for the chart");
  nnrt_plot_end(run->chart->out);
  return true;
}

bool nnrt_chart_end(Prediction *run, bool whole, NnrtError *error) {
  NnrtChart *chart = run->chart;
  whole = whole && draw(run, error);
  if (chart->out)
    whole = nnrt_output_end(chart->out, run->options->plot, whole, error);
  nnrt_truth_free(&chart->truth);
  free(chart->values);
  free(chart);
  return whole;
}

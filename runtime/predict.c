// Prediction for the samples of a file, as CSV: a class and its probability, a probability and its class, or plain
// values.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "predict.h"

static const NnrtSampleInfo *trained_on(const Prediction *run) {
  return run->data ? nnrt_data_info(run->data) : NULL;
}

void nnrt_write_text(FILE *out, const char *text) {
  if (!strpbrk(text, ",\"\n\r")) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '"')
      fputc('"', out);
    fputc(*text, out);
  }
  fputc('"', out);
}

// The sample a row of the table is of: its file's name, or its number.
void nnrt_write_row_name(const Prediction *run, int64_t row) {
  const char *path = nnrt_data_file_name(run->rows, row);
  const char *slash = path ? strrchr(path, '/') : NULL;
  if (path)
    nnrt_write_text(run->out, slash ? slash + 1 : path);
  else
    fprintf(run->out, "%" PRId64, row + 1);
}

void nnrt_write_class(const Prediction *run, int64_t number) {
  const NnrtSampleInfo *info = trained_on(run);
  if (info && info->class_names && number < info->class_count)
    nnrt_write_text(run->out, info->class_names[number]);
  else
    fprintf(run->out, "%" PRId64, number);
}

// ---- classes: one row for each position of a sample (mostly one)
static int64_t class_count(const NnrtValue *output) {
  return output->rank > 1 ? output->dim[output->rank - 1] : 1;
}

static int64_t positions(const NnrtValue *output, int64_t width) {
  int64_t elements = nnrt_elements(output->rank, output->dim);
  return width > 0 ? elements / width : 0;
}

static void write_classes(const Prediction *run, int64_t row, int64_t index) {
  const NnrtValue *output = run->model->function.outputs;
  const void *data = run->call.outputs[0];
  int64_t width = class_count(output), count = positions(output, width);
  for (int64_t position = 0; position < count; position++) {
    int64_t begin = (index * count + position) * width, best = 0;
    for (int64_t i = 1; i < width; i++)
      if (nnrt_element(output->type, data, begin + i) > nnrt_element(output->type, data, begin + best))
        best = i;
    nnrt_write_row_name(run, row);
    fputc(',', run->out);
    if (count > 1)
      fprintf(run->out, "%" PRId64 ",", position + 1);
    nnrt_write_class(run, best);
    fprintf(run->out, ",%.6f\n", nnrt_element(output->type, data, begin + best));
  }
}

static void write_binary(const Prediction *run, int64_t row, int64_t index) {
  const NnrtValue *output = run->model->function.outputs;
  int64_t count = positions(output, 1);
  for (int64_t position = 0; position < count; position++) {
    double probability = nnrt_element(output->type, run->call.outputs[0], index * count + position);
    nnrt_write_row_name(run, row);
    fputc(',', run->out);
    if (count > 1)
      fprintf(run->out, "%" PRId64 ",", position + 1);
    nnrt_write_class(run, probability >= 0.5);
    fprintf(run->out, ",%.6f\n", probability);
  }
}

double nnrt_predicted(const Prediction *run, int output, int64_t elements, int64_t index, int64_t element) {
  NnrtType type = run->model->function.outputs[output].type;
  double value = nnrt_element(type, run->call.outputs[output], index * elements + element);
  bool real = type == NNRT_F32 || type == NNRT_F64;
  return real && run->data ? nnrt_data_unscale(run->data, elements, element, value) : value;
}

static void write_element(const Prediction *run, int output, int64_t elements, int64_t index, int64_t element) {
  NnrtType type = run->model->function.outputs[output].type;
  double value = nnrt_predicted(run, output, elements, index, element);
  if (type == NNRT_F32)
    fprintf(run->out, "%.9g", (double)(float)value);
  else if (type == NNRT_F64)
    fprintf(run->out, "%.17g", value);
  else if (type == NNRT_I64)
    fprintf(run->out, "%" PRId64, ((const int64_t *)run->call.outputs[output])[index * elements + element]);
  else
    fprintf(run->out, "%.0f", value);
}

static void write_values(const Prediction *run, int64_t row, int64_t index) {
  nnrt_write_row_name(run, row);
  for (int i = 0; i < run->model->function.output_count; i++) {
    const NnrtValue *output = &run->model->function.outputs[i];
    int64_t elements = nnrt_elements(output->rank, output->dim);
    for (int64_t e = 0; e < elements; e++) {
      fputc(',', run->out);
      write_element(run, i, elements, index, e);
    }
  }
  fputc('\n', run->out);
}

static void write_header(const Prediction *run) {
  const NnrtFunction *function = &run->model->function;
  fputs(nnrt_data_file_name(run->rows, 0) ? "file" : "row", run->out);
  if (run->model->task != NNRT_VALUES) {
    int64_t width = run->model->task == NNRT_CLASSES ? class_count(function->outputs) : 1;
    fputs(positions(function->outputs, width) > 1 ? ",position,class,probability\n" : ",class,probability\n", run->out);
    return;
  }
  for (int i = 0; i < function->output_count; i++) {
    int64_t elements = nnrt_elements(function->outputs[i].rank, function->outputs[i].dim);
    for (int64_t e = 0; e < elements; e++)
      if (elements > 1)
        fprintf(run->out, ",%s_%" PRId64, function->outputs[i].name, e);
      else
        fprintf(run->out, ",%s", function->outputs[i].name);
  }
  fputc('\n', run->out);
}

// How the result of one sample is written; the header first, by a row of -1.
typedef bool WriteRow(const Prediction *run, int64_t row, int64_t index, NnrtError *error);

static bool write_table(const Prediction *run, int64_t row, int64_t index, NnrtError *error) {
  static void (*const tables[])(const Prediction *, int64_t, int64_t) = {
      [NNRT_VALUES] = write_values, [NNRT_CLASSES] = write_classes, [NNRT_BINARY] = write_binary};
  (void)error;
  if (row < 0)
    write_header(run);
  else
    tables[run->model->task](run, row, index);
  return true;
}

static WriteRow *choose_form(const Prediction *run) {
  if (nnrt_predicts_boxes(run))
    return nnrt_write_boxes;
  if (nnrt_predicts_images(run))
    return nnrt_write_image;
  return nnrt_predicts_one_image(run) ? nnrt_write_probabilities : write_table;
}

static bool write_rows(Prediction *run, NnrtError *error) {
  WriteRow *write = choose_form(run);
  int64_t batch = run->model->batch, asked = run->options->batch;
  if (asked > 0 && asked < batch)
    batch = asked;
  NnrtFeed feed;
  int64_t steps = (run->part.count + batch - 1) / batch, seed = run->call.frame.clock[2];
  bool fine = nnrt_feed_begin(&feed, &run->call, &run->part, &(NnrtFeed){.batch = batch}, steps, error) &&
              write(run, -1, 0, error);
  nnrt_call_prepare(&run->call);
  for (int64_t step = 0; fine && step < steps; step++) {
    fine = nnrt_feed_next(&feed, error);
    if (!fine)
      break;
    nnrt_call_key(&run->call, seed, step);
    run->call.function->run(&run->call.frame);
    for (int64_t i = 0; fine && i < run->call.frame.clock[4]; i++) {
      fine = write(run, step * batch + i, i, error);
      if (run->chart)
        nnrt_chart_take(run, step * batch + i, i);
    }
  }
  nnrt_feed_end(&feed);
  return fine;
}

// ---- opening
static bool ends_in(const char *text, const char *tail) {
  size_t length = strlen(text), tail_length = strlen(tail);
  return length >= tail_length && strcmp(text + length - tail_length, tail) == 0;
}

static NnrtDataset *open_idx(const char *path, NnrtError *error) {
  NnrtArg argument = {.kind = NNRT_ARG_STR, .text = path};
  NnrtDataCall call = {.name = "idx", .arg_count = 1, .args = &argument};
  NnrtData data = {.name = "input", .file = "", .call_count = 1, .calls = &call};
  return nnrt_data_open(&data, NNRT_DATA_FULL, error);
}

// A set of one sample of zeros in the model's shape: what a file of plain numbers is read like.
static NnrtDataset *open_zeros(const NnrtValue *x, NnrtError *error) {
  NnrtArg sample = {.kind = NNRT_ARG_INT}, *levels[NNRT_MAX_RANK] = {NULL};
  bool whole = true;
  for (int d = x->rank - 1; whole && d > 0; d--) {
    levels[d] = calloc((size_t)x->dim[d] + 1, sizeof sample);
    whole = levels[d] != NULL;
    for (int64_t i = 0; whole && i < x->dim[d]; i++)
      levels[d][i] = sample;
    sample = (NnrtArg){.kind = NNRT_ARG_LIST, .count = (int)x->dim[d], .items = levels[d]};
  }
  NnrtArg argument = {.kind = NNRT_ARG_LIST, .count = 1, .items = &sample};
  NnrtDataCall call = {.name = "values", .arg_count = 1, .args = &argument};
  NnrtData data = {.name = "input", .file = "", .call_count = 1, .calls = &call};
  NnrtDataset *opened = whole ? nnrt_data_open(&data, NNRT_DATA_FULL, error) : NULL;
  if (!whole)
    nnrt_fail(error, "out of memory");
  for (int d = 0; d < NNRT_MAX_RANK; d++)
    free(levels[d]);
  return opened;
}

// A model without data of its own takes a file of plain numbers.
static NnrtDataset *open_plain(const NnrtValue *x, const char *path, NnrtError *error) {
  if (!ends_in(path, ".csv") && !ends_in(path, ".tsv") && !ends_in(path, ".txt"))
    return open_idx(path, error);
  NnrtDataset *like = open_zeros(x, error), *opened = like ? nnrt_data_open_like(like, path, error) : NULL;
  if (like)
    nnrt_data_close(like);
  return opened;
}

static bool open_rows(Prediction *run, NnrtError *error) {
  const char *path = run->options->input;
  if (run->model->data) {
    run->data = nnrt_data_take(run->model->data, error);
    if (!run->data)
      return false;
    run->rows = nnrt_data_open_like(run->data, path, error);
  } else {
    run->rows = open_plain(run->model->function.inputs, path, error);
  }
  if (!run->rows)
    return false;
  const int64_t *count = nnrt_data_info(run->rows)->count;
  return nnrt_part_new(&run->part, run->rows, count[NNRT_PART_TEST] > 0 ? NNRT_PART_TEST : NNRT_PART_TRAIN, error);
}

const NnrtTrain *nnrt_choose_model(const NnrtModule *module, const char *block, const NnrtPredict **model,
                                   NnrtError *error) {
  const NnrtTrain *train = NULL;
  *model = NULL;
  if (block && !(train = nnrt_find_train(module, block, error)))
    return NULL;
  for (int i = 0; !train && i < module->train_count; i++)
    if (module->trains[i].predict >= 0)
      train = &module->trains[i];
  int index = train ? train->predict : 0;
  if (index < 0 || index >= module->predict_count)
    nnrt_fail(error, "%s has no model to predict with", module->name);
  else
    *model = &module->predicts[index];
  return train;
}

static bool predict(Prediction *run, NnrtError *error) {
  const NnrtTrain *train = nnrt_choose_model(run->module, run->options->block, &run->model, error);
  if (!run->model)
    return false;
  if (run->model->function.input_count != 1 || run->model->function.output_count < 1)
    return nnrt_fail(error, "model `%s` takes %d inputs; predict has one for it, the samples of a file",
                     run->model->model, run->model->function.input_count);
  if (!run->options->input)
    return nnrt_fail(error, "which file? predict FILE");
  if (!nnrt_state_new(run->module, run->options->threads, &run->base, error) ||
      !nnrt_restore(run->module, train, run->options, run->base.state, error) || !open_rows(run, error) ||
      (run->data && !nnrt_restored_fits(run->module, train, run->options, run->data, error)) ||
      !nnrt_call_new(&run->call, &run->model->function, &run->base, run->model->batch, run->rows, run->options->input,
                     error) ||
      (run->options->plot && !nnrt_chart_begin(run, error)))
    return false;
  const char *path = choose_form(run) == nnrt_write_image ? NULL : run->options->output;
  run->out = path ? fopen(path, "w") : stdout;
  if (!run->out)
    return nnrt_fail(error, "cannot write %s: %s", path, strerror(errno));
  bool whole = write_rows(run, error);
  return path ? nnrt_output_end(run->out, path, whole, error) : whole; // of standard output others take care
}

int nnrt_predict(const NnrtModule *module, const NnrtOptions *options) {
  NnrtError error = {0};
  Prediction run = {.module = module, .options = options};
  bool predicted = predict(&run, &error);
  if (run.chart)
    predicted = nnrt_chart_end(&run, predicted, &error);
  if (!predicted)
    nnrt_report(&error);
  if (run.call.function)
    nnrt_call_free(&run.call);
  nnrt_part_free(&run.part);
  if (run.rows)
    nnrt_data_close(run.rows);
  if (run.data)
    nnrt_data_close(run.data);
  nnrt_state_free(&run.base);
  return predicted ? 0 : 1;
}

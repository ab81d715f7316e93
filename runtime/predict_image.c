// Prediction for images: one image's classes with their probabilities; results that are images, as PNG files.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/codec.h"
#include "predict.h"

enum { MOST_CLASSES = 10 }; // of a table

// ---- one image's classes
bool nnrt_predicts_one_image(const Prediction *run) {
  const NnrtValue *output = run->model->function.outputs;
  return run->part.count == 1 && run->model->task == NNRT_CLASSES && output->rank == 2 &&
         nnrt_data_file_name(run->rows, 0) && !nnrt_is_folder(run->options->input);
}

bool nnrt_write_probabilities(const Prediction *run, int64_t row, int64_t index, NnrtError *error) {
  (void)index, (void)error;
  if (row < 0)
    return fputs("class,probability\n", run->out) >= 0;
  const NnrtValue *output = run->model->function.outputs;
  int64_t classes = output->dim[1], last = -1;
  double bound = INFINITY;
  for (int n = 0; n < MOST_CLASSES && n < classes; n++) { // the next one below, of equal ones in their order
    int64_t best = -1;
    double most = -INFINITY;
    for (int64_t i = 0; i < classes; i++) {
      double p = nnrt_element(output->type, run->call.outputs[0], i);
      if (p > most && (p < bound || (p == bound && i > last))) {
        best = i;
        most = p;
      }
    }
    if (best < 0) // the rest is not a number
      break;
    nnrt_write_class(run, best);
    fprintf(run->out, ",%.6f\n", most);
    bound = most;
    last = best;
  }
  return true;
}

// ---- results that are images
bool nnrt_predicts_images(const Prediction *run) {
  const NnrtValue *output = run->model->function.outputs;
  if (!nnrt_data_file_name(run->rows, 0) || run->model->function.output_count != 1 || output->rank != 4)
    return false;
  if (run->model->task == NNRT_CLASSES)
    return output->dim[3] <= 256;
  return run->model->task == NNRT_BINARY ? output->dim[3] == 1 : output->dim[3] == 1 || output->dim[3] == 3;
}

static uint8_t to_byte(double value) {
  return value >= 0 ? value < 255 ? (uint8_t)(value + 0.5) : 255 : 0; // NaN is 0
}

// Bytes of the result at `index`: values on the samples' own scale, the most probable class, or a probability of 1 as
// 255.
static void to_pixels(const Prediction *run, int64_t index, uint8_t *pixels) {
  const NnrtValue *output = run->model->function.outputs;
  int64_t channels = output->dim[3], places = output->dim[1] * output->dim[2], first = index * places * channels;
  double center = 0, scale = 1.0 / 255;
  if (run->model->task == NNRT_VALUES && run->data)
    nnrt_data_byte_scale(run->data, &center, &scale);
  for (int64_t i = 0; i < places * channels; i++) {
    double value = nnrt_element(output->type, run->call.outputs[0], first + i);
    if (run->model->task != NNRT_CLASSES)
      pixels[i] = to_byte(value / scale + center);
    else if (i % channels == 0 ||
             value > nnrt_element(output->type, run->call.outputs[0], first + i - i % channels + pixels[i / channels]))
      pixels[i / channels] = (uint8_t)(i % channels);
  }
}

// The caller frees it. NULL: no memory, or the folder cannot be made, with errno.
static char *output_path(const Prediction *run, int64_t row) {
  const char *path = nnrt_data_file_name(run->rows, row), *slash = strrchr(path, '/'), *folder = run->options->output;
  const char *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
  int stem = dot ? (int)(dot - name) : (int)strlen(name);
  if (folder && mkdir(folder, 0777) && errno != EEXIST)
    return NULL;
  size_t room = (folder ? strlen(folder) : 0) + strlen(name) + 32;
  char *made = malloc(room);
  if (made && folder)
    snprintf(made, room, "%s/%.*s.png", folder, stem, name);
  else if (made)
    snprintf(made, room, "%.*s.predicted.png", stem, name);
  return made;
}

bool nnrt_write_image(const Prediction *run, int64_t row, int64_t index, NnrtError *error) {
  if (row < 0)
    return true;
  const NnrtValue *output = run->model->function.outputs;
  int channels = run->model->task == NNRT_VALUES ? (int)output->dim[3] : 1;
  char *path = output_path(run, row), why[160] = "";
  uint8_t *pixels = malloc((size_t)(output->dim[1] * output->dim[2] * channels));
  FILE *file = path && pixels ? fopen(path, "wb") : NULL;
  bool written = false;
  if (file) {
    to_pixels(run, index, pixels);
    written = nnrt_codec.write_png(file, pixels, output->dim[1], output->dim[2], channels, why);
    written = fclose(file) == 0 && written;
  }
  if (!written)
    nnrt_fail(error, "cannot write %s: %s",
              path                   ? path
              : run->options->output ? run->options->output
                                     : "an image",
              *why ? why : strerror(errno));
  else
    fprintf(run->out, "%s\n", path);
  free(pixels);
  free(path);
  return written;
}

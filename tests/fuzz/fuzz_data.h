// What the fuzz targets of the data readers share: the input as files, and a set used as a run uses one.
#pragma once
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/tokens.h"

#define ARG(n, k, ...) ((NnrtArg){.name = (n), .kind = (k), __VA_ARGS__, .line = 1, .column = 1})

// A folder of this process's own, in which `name` is made with these bytes.
static inline const char *fuzz_folder(void) {
  static char folder[64];
  if (!*folder) {
    snprintf(folder, sizeof folder, "/tmp/nnrt_fuzz_%ld", (long)getpid());
    mkdir(folder, 0700);
  }
  return folder;
}

static inline const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size) {
  static char paths[4][128];
  static int used;
  char *path = paths[used++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", fuzz_folder(), name);
  FILE *file = fopen(path, "wb");
  assert(file);
  fwrite(bytes, 1, size, file);
  fclose(file);
  return path;
}

static inline int64_t fuzz_elements(const NnrtValue *value) {
  int64_t elements = 1;
  for (int i = 0; i < value->rank; i++)
    elements *= value->dim[i];
  return elements;
}

// Takes every sample of every part, as training does; class numbers must be within the classes, tokens within theirs.
static inline void fuzz_use(const NnrtDataset *set) {
  const NnrtSampleInfo *info = nnrt_data_info(set);
  const NnrtTokens *tokens = nnrt_data_tokens(set);
  int64_t y_count = fuzz_elements(&info->y);
  int64_t x_count = fuzz_elements(&info->x), *x = malloc((size_t)x_count * sizeof *x);
  int64_t *y = malloc((size_t)y_count * sizeof *y);
  NnrtFill fill = {.training = true, .scratch = malloc((size_t)nnrt_data_scratch(set) + 1)};
  NnrtError error;
  for (int part = 0; part < 3; part++)
    for (int64_t i = 0; i < info->count[part] && i < 100; i++) {
      fill.part = (NnrtPartKind)part;
      if (!nnrt_data_fill(set, &fill, &i, 1, x, info->y.rank < 0 ? NULL : y, &error))
        continue;
      for (int64_t k = 0; k < y_count && info->y.rank >= 0 && info->y.type == NNRT_I64; k++)
        assert(y[k] >= 0 && y[k] < info->class_count);
      for (int64_t k = 0; k < x_count && tokens; k++)
        assert(x[k] >= 0 && x[k] < nnrt_tokens_count(tokens));
    }
  free(fill.scratch);
  free(x);
  free(y);
}

// Reads the truth of `path`, as a plot does: every value of its table is a number or missing.
static inline void fuzz_truth(const NnrtDataset *set, const char *path) {
  NnrtError error = {0};
  NnrtTruth truth;
  if (!nnrt_data_target_columns(set))
    return;
  bool told = nnrt_data_truth(set, path, &truth, &error);
  assert(told || *error.text);
  for (int64_t i = 0; told && truth.values && i < truth.rows * truth.columns; i++)
    assert(!isinf(truth.values[i]) && truth.names[i % truth.columns]);
  for (int64_t row = 0; told && truth.dates && row < truth.rows; row++)
    assert(strlen(truth.dates[row]) < sizeof *truth.dates);
  nnrt_truth_free(&truth);
}

// Opens at both depths, uses the set, and reads `path` again as rows to predict on.
static inline void fuzz_open(const NnrtData *data, const char *path) {
  NnrtError error = {0};
  NnrtDataset *shapes = nnrt_data_open(data, NNRT_DATA_SHAPES, &error);
  NnrtDataset *set = nnrt_data_open(data, NNRT_DATA_FULL, &error);
  assert(shapes || !set);
  assert(set || *error.text);
  if (set) {
    fuzz_use(set);
    NnrtDataset *like = nnrt_data_open_like(set, path, &error);
    if (like)
      fuzz_use(like);
    nnrt_data_close(like);
    fuzz_truth(set, path);
  }
  nnrt_data_close(set);
  nnrt_data_close(shapes);
}

// Values on their way to the batch: missing ones filled, then (v - center) * scale for each element, learnt from the
// training rows alone wherever the transform stands. Sums are doubles in the rows' order, so every machine finds the
// same numbers.
#include <math.h>
#include <stdlib.h>

#include "data/dataset.h"

// The mean of each element over the training rows, of those that are there; 0 where none is.
static void means(const NnrtDataset *set, double *mean, int64_t *seen) {
  const int64_t *rows = set->part[NNRT_PART_TRAIN];
  int64_t width = set->width, count = set->info.count[NNRT_PART_TRAIN];
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *bytes = set->bytes ? set->bytes + rows[i] * width : NULL;
    const float *floats = set->floats ? set->floats + rows[i] * width : NULL;
    for (int64_t j = 0; bytes && j < width; j++)
      mean[j] += bytes[j];
    for (int64_t j = 0; floats && j < width; j++)
      if (!isnan(floats[j])) {
        mean[j] += (double)floats[j];
        seen[j]++;
      }
  }
  for (int64_t j = 0; j < width; j++) {
    int64_t n = set->bytes ? count : seen[j];
    mean[j] = n ? mean[j] / (double)n : 0;
  }
}

static void variances(const NnrtDataset *set, const double *mean, double *variance) {
  const int64_t *rows = set->part[NNRT_PART_TRAIN];
  int64_t width = set->width, count = set->info.count[NNRT_PART_TRAIN];
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *bytes = set->bytes ? set->bytes + rows[i] * width : NULL;
    const float *floats = set->floats ? set->floats + rows[i] * width : NULL;
    for (int64_t j = 0; bytes && j < width; j++)
      variance[j] += (bytes[j] - mean[j]) * (bytes[j] - mean[j]);
    for (int64_t j = 0; floats && j < width; j++)
      variance[j] += ((double)floats[j] - mean[j]) * ((double)floats[j] - mean[j]);
  }
  for (int64_t j = 0; j < width; j++)
    variance[j] /= (double)count;
}

static void fill_missing(NnrtDataset *set) {
  if (!set->floats || (set->missing != NNRT_MISSING_MEAN && set->missing != NNRT_MISSING_ZERO))
    return;
  for (int64_t i = 0; i < set->rows; i++)
    for (int64_t j = 0; j < set->width; j++)
      if (isnan(set->floats[i * set->width + j]))
        set->floats[i * set->width + j] = set->fill ? set->fill[j] : 0;
}

// The steps in their order as one center and scale for each element. A constant element is divided by 1.
static void compose(NnrtDataset *set, const double *mean, const double *variance) {
  for (int64_t j = 0; j < set->width; j++) {
    double center = 0, scale = 1;
    for (int i = 0; i < set->step_count && !(set->coded && set->coded[j]); i++) {
      if (!set->steps[i].standardize) {
        scale *= set->steps[i].by;
        continue;
      }
      center = mean[j];
      if (variance[j] > 0)
        scale = (scale < 0 ? -1 : 1) / sqrt(variance[j]);
    }
    set->center[j] = (float)center;
    set->scale[j] = (float)scale;
  }
  set->uniform = true;
  for (int64_t j = 1; j < set->width && set->uniform; j++)
    set->uniform = set->center[j] == set->center[0] && set->scale[j] == set->scale[0];
}

void nnrt_data_apply(NnrtDataset *set) {
  fill_missing(set);
  if (!set->floats || !set->scale)
    return;
  for (int64_t i = 0; i < set->rows; i++)
    for (int64_t j = 0; j < set->width; j++) {
      float *value = &set->floats[i * set->width + j];
      *value = (*value - set->center[j]) * set->scale[j];
    }
}

static bool learn(NnrtDataset *set, double *mean, double *variance, int64_t *seen) {
  bool standardize = false;
  for (int i = 0; i < set->step_count; i++)
    standardize |= set->steps[i].standardize;
  if (set->missing == NNRT_MISSING_MEAN && set->floats) {
    if (!(set->fill = nnrt_data_alloc(set, set->width, sizeof *set->fill)))
      return false;
    means(set, mean, seen);
    for (int64_t j = 0; j < set->width; j++) {
      set->fill[j] = (float)mean[j];
      mean[j] = 0;
    }
  }
  fill_missing(set);
  if (standardize) {
    for (int64_t j = 0; j < set->width; j++)
      seen[j] = 0;
    means(set, mean, seen);
    variances(set, mean, variance);
  }
  if (set->step_count) {
    set->center = nnrt_data_alloc(set, set->width, sizeof *set->center);
    set->scale = nnrt_data_alloc(set, set->width, sizeof *set->scale);
    if (!set->center || !set->scale)
      return false;
    compose(set, mean, variance);
  }
  return true;
}

bool nnrt_data_finish(NnrtDataset *set) {
  if (set->depth != NNRT_DATA_FULL)
    return true;
  size_t width = (size_t)set->width;
  double *mean = calloc(width, sizeof *mean), *variance = calloc(width, sizeof *variance);
  int64_t *seen = calloc(width, sizeof *seen);
  bool ok = mean && variance && seen && learn(set, mean, variance, seen);
  if (ok)
    nnrt_data_apply(set);
  free(mean);
  free(variance);
  free(seen);
  return ok;
}

// Values on their way to the batch: missing ones filled, then (v - center) * scale for each element, learnt from the
// training rows alone wherever the transform stands. Sums are doubles in the rows' order, so every machine finds the
// same numbers.
#include <math.h>
#include <stdlib.h>

#include "data/dataset.h"

// Gives `visit` every training row, decoded where it must be.
typedef void Visit(const NnrtRow *row, int64_t width, void *into);

static bool each_training_row(const NnrtDataset *set, Visit *visit, void *into, NnrtError *error) {
  const int64_t *rows = set->part[NNRT_PART_TRAIN];
  uint8_t *room = malloc((size_t)set->width);
  bool ok = room || nnrt_fail(error, "not enough memory for a sample");
  for (int64_t i = 0; ok && i < set->info.count[NNRT_PART_TRAIN]; i++) {
    NnrtRow row;
    ok = nnrt_data_row(set, rows[i], room, NULL, &row, error);
    if (ok)
      visit(&row, set->width, into);
  }
  free(room);
  return ok;
}

typedef struct Moments {
  double *mean, *variance;
  int64_t *seen;
} Moments;

static void add_values(const NnrtRow *row, int64_t width, void *into) {
  const Moments *m = into;
  for (int64_t j = 0; row->bytes && j < width; j++)
    m->mean[j] += row->bytes[j];
  for (int64_t j = 0; j < width; j++) {
    if (row->floats && isnan(row->floats[j]))
      continue;
    m->seen[j]++;
    if (row->floats)
      m->mean[j] += (double)row->floats[j];
  }
}

static void add_squares(const NnrtRow *row, int64_t width, void *into) {
  const Moments *m = into;
  for (int64_t j = 0; row->bytes && j < width; j++)
    m->variance[j] += (row->bytes[j] - m->mean[j]) * (row->bytes[j] - m->mean[j]);
  for (int64_t j = 0; row->floats && j < width; j++)
    m->variance[j] += ((double)row->floats[j] - m->mean[j]) * ((double)row->floats[j] - m->mean[j]);
}

// The mean of each element over the training rows, of those that are there; 0 where none is.
static bool means(const NnrtDataset *set, Moments *m, NnrtError *error) {
  for (int64_t j = 0; j < set->width; j++) {
    m->mean[j] = 0;
    m->seen[j] = 0;
  }
  if (!each_training_row(set, add_values, m, error))
    return false;
  for (int64_t j = 0; j < set->width; j++)
    m->mean[j] = m->seen[j] ? m->mean[j] / (double)m->seen[j] : 0;
  return true;
}

static bool variances(const NnrtDataset *set, Moments *m, NnrtError *error) {
  if (!each_training_row(set, add_squares, m, error))
    return false;
  for (int64_t j = 0; j < set->width; j++)
    m->variance[j] /= (double)set->info.count[NNRT_PART_TRAIN];
  return true;
}

static void fill_missing(NnrtDataset *set) {
  if (!set->floats || (set->missing != NNRT_MISSING_MEAN && set->missing != NNRT_MISSING_ZERO))
    return;
  for (int64_t i = 0; i < set->rows; i++)
    for (int64_t j = 0; j < set->width; j++)
      if (isnan(set->floats[i * set->width + j]))
        set->floats[i * set->width + j] = set->fill ? set->fill[j] : 0;
}

// The steps in their order as one center and scale. A constant element is divided by 1.
void nnrt_compose(const NnrtDataset *set, double mean, double variance, float *center, float *scale) {
  double middle = 0, factor = 1;
  for (int i = 0; i < set->step_count; i++) {
    if (!set->steps[i].standardize) {
      factor *= set->steps[i].by;
      continue;
    }
    middle = mean;
    if (variance > 0)
      factor = (factor < 0 ? -1 : 1) / sqrt(variance);
  }
  *center = (float)middle;
  *scale = (float)factor;
}

static void compose(NnrtDataset *set, const double *mean, const double *variance) {
  for (int64_t j = 0; j < set->width; j++)
    if (set->coded && set->coded[j])
      set->scale[j] = 1;
    else
      nnrt_compose(set, mean[j], variance[j], &set->center[j], &set->scale[j]);
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

static bool learn(NnrtDataset *set, Moments *m, NnrtError *error) {
  bool standardize = false;
  for (int i = 0; i < set->step_count; i++)
    standardize |= set->steps[i].standardize;
  if (set->missing == NNRT_MISSING_MEAN && set->floats) {
    if (!(set->fill = nnrt_data_alloc(set, set->width, sizeof *set->fill)))
      return nnrt_fail(error, "not enough memory");
    if (!means(set, m, error))
      return false;
    for (int64_t j = 0; j < set->width; j++)
      set->fill[j] = (float)m->mean[j];
  }
  fill_missing(set);
  if (standardize && (!means(set, m, error) || !variances(set, m, error)))
    return false;
  if (set->step_count) {
    set->center = nnrt_data_alloc(set, set->width, sizeof *set->center);
    set->scale = nnrt_data_alloc(set, set->width, sizeof *set->scale);
    if (!set->center || !set->scale)
      return nnrt_fail(error, "not enough memory");
    compose(set, m->mean, m->variance);
  }
  return true;
}

bool nnrt_data_finish(NnrtDataset *set, NnrtError *error) {
  if (set->depth != NNRT_DATA_FULL || set->sequence ||
      set->ids) // sequences have learnt of steps, not rows; ids are no values
    return true;
  size_t width = (size_t)set->width;
  Moments m = {calloc(width, sizeof *m.mean), calloc(width, sizeof *m.variance), calloc(width, sizeof *m.seen)};
  bool ok = m.mean && m.variance && m.seen ? learn(set, &m, error) : nnrt_fail(error, "not enough memory");
  if (ok)
    nnrt_data_apply(set);
  free(m.mean);
  free(m.variance);
  free(m.seen);
  return ok;
}

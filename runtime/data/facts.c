// What prediction asks of a set about its images and targets.
#include "data/boxes.h"
#include "data/tokens.h"

const char *nnrt_data_file_name(const NnrtDataset *set, int64_t i) {
  return set->files && set->part[NNRT_PART_TEST] ? set->files->paths[set->part[NNRT_PART_TEST][i]] : NULL;
}

void nnrt_data_byte_scale(const NnrtDataset *set, double *center, double *scale) {
  if (set->floats || (set->scale && !set->uniform))
    return;
  *center = set->scale ? (double)set->center[0] : 0;
  *scale = set->scale ? (double)set->scale[0] : 1;
}

const NnrtTokens *nnrt_data_tokens(const NnrtDataset *set) {
  return set->tokens;
}

const NnrtTokens *nnrt_data_target_tokens(const NnrtDataset *set) {
  return set->sequence ? set->tokens : set->target_tokens;
}

double nnrt_data_unscale(const NnrtDataset *set, int64_t elements, int64_t i, double value) {
  if (!set->y_scale || elements != set->target_width)
    return value;
  int64_t column = i % set->y_step;
  return value / (double)set->y_scale[column] + (double)set->y_center[column];
}

bool nnrt_data_file_size(const NnrtDataset *set, int64_t i, int64_t *height, int64_t *width, NnrtError *error) {
  NnrtImageShape shape = {0};
  bool ok = nnrt_image_size(nnrt_data_file_name(set, i), &shape, error);
  *height = shape.height;
  *width = shape.width;
  return ok;
}

int nnrt_data_box_classes(const NnrtDataset *set, const char *const **names) {
  const NnrtBoxes *boxes = set->files ? set->files->boxes : NULL;
  *names = boxes ? boxes->class_names : set->box_names;
  return boxes ? boxes->class_count : set->box_classes;
}

void nnrt_data_uncrop(const NnrtDataset *set, double *y, double *x) {
  const NnrtAugment *augment = set->augment;
  if (!augment || !augment->has[NNRT_CROP])
    return;
  NnrtPlaces places = nnrt_draw_places(&(NnrtDraw){.augment = augment});
  *y = (*y * (double)augment->out_height + places.a[0][2]) / (double)augment->height;
  *x = (*x * (double)augment->out_width + places.a[1][2]) / (double)augment->width;
}

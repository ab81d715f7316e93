// Changes of training images as they come into a batch. Those of places (flip, shift, crop, rotate, zoom, shear) are
// one affine map, sampled once; those of values follow in the order written; mixup is last. Every draw is a function of
// seed, epoch, sample and kind alone, so neither threads, batches, a resumed run nor another augmentation change it.
#pragma once
#include "data/dataset.h"

typedef enum NnrtChange {
  NNRT_FLIP,
  NNRT_SHIFT,
  NNRT_CROP,
  NNRT_ROTATE,
  NNRT_ZOOM,
  NNRT_SHEAR,
  NNRT_BRIGHTNESS,
  NNRT_CONTRAST,
  NNRT_SATURATION,
  NNRT_HUE,
  NNRT_NOISE,
  NNRT_CUTOUT,
  NNRT_MIXUP,
  NNRT_CHANGES
} NnrtChange;

typedef enum NnrtOutside { NNRT_ZERO, NNRT_EDGE, NNRT_REFLECT } NnrtOutside; // what lies around an image

struct NnrtAugment {
  int64_t height, width, channels; // of x as read
  int64_t out_height, out_width;   // after `crop`; else the same
  bool has[NNRT_CHANGES];
  double amount[NNRT_CHANGES];  // as written; angles in radians
  bool flip_rows, flip_columns; // upside down; left and right
  int64_t padding;
  NnrtOutside outside;
  int value_count; // of the steps below
  NnrtChange values[NNRT_CHANGES];
};

// One sample of the set in one epoch; `training` false: only what holds for all parts (crop, at the middle).
typedef struct NnrtDraw {
  const NnrtAugment *augment;
  bool training;
  uint64_t seed, epoch;
  int64_t row;
} NnrtDraw;

// Uniform in [0, 1): draw `index` of so many for this kind of change.
double nnrt_draw(const NnrtDraw *draw, NnrtChange change, int index);

// The map from places of the result to places of the image: y = a[0][0] i + a[0][1] j + a[0][2], x by a[1].
typedef struct NnrtPlaces {
  double a[2][3];
  bool whole; // whole pixels go to whole pixels
} NnrtPlaces;
NnrtPlaces nnrt_draw_places(const NnrtDraw *draw);
// Bilinear. `in` is height x width x channels, `out` out_height x out_width x channels.
void nnrt_move_image(const NnrtAugment *augment, const NnrtPlaces *places, const float *in, float *out);
// To the nearest pixel; outside of zero is class 0.
void nnrt_move_map(const NnrtAugment *augment, const NnrtPlaces *places, const uint8_t *in, int64_t *out);

// Changes of values in the result. `range` is that of an element: amounts are parts of it, and values stay within 0 …
// range if `clip`.
void nnrt_change_values(const NnrtDraw *draw, float *image, double range, bool clip);

// For mixup: how much of the sample itself is in the mixture, of Beta(alpha, alpha), and which other one (0 … count-1).
float nnrt_draw_mixture(const NnrtDraw *draw, int64_t count, int64_t *other);

// The transforms, by the name of the call.
extern const NnrtParam nnrt_flip_params[], nnrt_crop_params[], nnrt_amount_params[], nnrt_place_params[];
bool nnrt_augment_apply(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
// What cannot be said before all transforms are known.
bool nnrt_augment_check(NnrtOpening *opening, const NnrtDataset *set);

// The augmentations as transforms: arguments, and what they need of the data.
#include "data/augment.h"

#include <math.h>
#include <string.h>

#include "data/portable.h"

typedef struct Kind {
  const char *name;
  NnrtChange change;
  double least, most; // of the amount
  bool whole;         // pixels
} Kind;

static const Kind kinds[] = {{"flip", NNRT_FLIP, 0, 0, false},
                             {"shift", NNRT_SHIFT, 0, 4096, false},
                             {"crop", NNRT_CROP, 1, 8192, true},
                             {"rotate", NNRT_ROTATE, 0, 180, false},
                             {"zoom", NNRT_ZOOM, 0, 0.9, false},
                             {"shear", NNRT_SHEAR, 0, 60, false},
                             {"brightness", NNRT_BRIGHTNESS, 0, 1, false},
                             {"contrast", NNRT_CONTRAST, 0, 1, false},
                             {"saturation", NNRT_SATURATION, 0, 1, false},
                             {"hue", NNRT_HUE, 0, 0.5, false},
                             {"noise", NNRT_NOISE, 0, 1, false},
                             {"cutout", NNRT_CUTOUT, 1, 8192, true},
                             {"mixup", NNRT_MIXUP, 0.01, 4, false}};

enum { AMOUNT, OUTSIDE, PADDING };

const NnrtParam nnrt_flip_params[] = {{"axis", NNRT_TAKES_STR, false, false}, {0}};
const NnrtParam nnrt_amount_params[] = {{"amount", NNRT_TAKES_REAL, false, true}, {0}};
const NnrtParam nnrt_place_params[] = {
    {"amount", NNRT_TAKES_REAL, false, true}, {"outside", NNRT_TAKES_STR, true, false}, {0}};
const NnrtParam nnrt_crop_params[] = {{"size", NNRT_TAKES_INT | NNRT_TAKES_LIST, false, true},
                                      {"outside", NNRT_TAKES_STR, true, false},
                                      {"padding", NNRT_TAKES_INT, true, false},
                                      {0}};

// ---- arguments
static bool read_outside(NnrtOpening *opening, const NnrtArg *arg, NnrtAugment *augment) {
  static const char *const names[] = {"zero", "edge", "reflect"};
  for (int i = 0; i < 3; i++)
    if (!strcmp(arg->text, names[i])) {
      augment->outside = (NnrtOutside)i;
      return true;
    }
  return nnrt_fail_at(opening, arg, "`outside` is zero, edge or reflect, not `%s`", arg->text);
}

static bool read_flip(NnrtOpening *opening, const NnrtArg *arg, NnrtAugment *augment) {
  const char *axis = arg ? arg->text : "horizontal";
  bool both = !strcmp(axis, "both");
  augment->flip_columns = both || !strcmp(axis, "horizontal");
  augment->flip_rows = both || !strcmp(axis, "vertical");
  return augment->flip_columns || augment->flip_rows ||
         nnrt_fail_at(opening, arg, "`flip` is horizontal, vertical or both, not `%s`", axis);
}

static bool read_crop(NnrtOpening *opening, const NnrtArg *const *args, const NnrtDataset *set, NnrtAugment *augment) {
  const NnrtArg *size = args[AMOUNT], *height = size, *width = size;
  if (size->kind == NNRT_ARG_LIST) {
    if (size->count != 2 || size->items[0].kind != NNRT_ARG_INT || size->items[1].kind != NNRT_ARG_INT)
      return nnrt_fail_at(opening, size, "the size of `crop` is a number, or [height, width]");
    height = &size->items[0];
    width = &size->items[1];
  }
  augment->padding = args[PADDING] ? args[PADDING]->integer : 0;
  if (augment->padding < 0 || augment->padding > 8192)
    return nnrt_fail_at(opening, args[PADDING], "`padding` of `crop` is from 0 to 8192 pixels");
  if (height->integer < 1 || width->integer < 1)
    return nnrt_fail_at(opening, size, "`crop` needs at least one pixel");
  augment->out_height = height->integer;
  augment->out_width = width->integer;
  int64_t border = 2 * augment->padding;
  if (set->known && (height->integer > augment->height + border || width->integer > augment->width + border))
    return nnrt_fail_at(opening, size, "`crop` of %lld x %lld from images of %lld x %lld with %lld pixels around them",
                        (long long)height->integer, (long long)width->integer, (long long)augment->height,
                        (long long)augment->width, (long long)augment->padding);
  return true;
}

static bool read_amount(NnrtOpening *opening, const Kind *kind, const NnrtArg *arg, NnrtAugment *augment) {
  double amount = arg->real;
  if (!(amount >= kind->least && amount <= kind->most))
    return nnrt_fail_at(opening, arg, "`%s` is from %g to %g, not %g", kind->name, kind->least, kind->most, amount);
  if ((kind->whole || (kind->change == NNRT_SHIFT && amount >= 1)) && amount != floor(amount))
    return nnrt_fail_at(opening, arg, "`%s` is a number of pixels%s, not %g", kind->name,
                        kind->whole ? "" : ", or a part below 1", amount);
  bool angle = kind->change == NNRT_ROTATE || kind->change == NNRT_SHEAR;
  augment->amount[kind->change] = angle ? amount * (NNRT_PI / 180) : amount;
  return true;
}

// ---- what the data must be
static bool begin(NnrtOpening *opening, NnrtDataset *set, const Kind *kind) {
  if (!set->augment) {
    set->augment = nnrt_data_alloc(set, 1, sizeof *set->augment);
    if (!set->augment)
      return nnrt_fail_memory(opening);
  }
  if (!set->known || kind->change == NNRT_MIXUP)
    return true;
  const NnrtValue *x = &set->info.x, *image = &set->image;
  int channels = x->rank == 3 ? (int)x->dim[2] : 1;
  if (x->rank < 2 || x->rank > 3)
    return nnrt_fail_at(
        opening, NULL, "`%s` takes images [h, w] or [h, w, channels]; a sample has %d dimension%s here%s", kind->name,
        x->rank, x->rank == 1 ? "" : "s", image->rank > 1 ? ": let it stand before `flatten` and `reshape`" : "");
  if ((kind->change == NNRT_SATURATION || kind->change == NNRT_HUE) && channels != 3)
    return nnrt_fail_at(opening, NULL, "`%s` takes images of 3 channels, red, green and blue; these have %d",
                        kind->name, channels);
  NnrtAugment *augment = set->augment;
  if (augment->height)
    return true;
  augment->height = augment->out_height = x->dim[0];
  augment->width = augment->out_width = x->dim[1];
  augment->channels = channels;
  return true;
}

static bool moves(NnrtChange change) {
  return change <= NNRT_SHEAR;
}

// The target of a segmentation is moved as its image is.
static bool check_map(NnrtOpening *opening, const NnrtDataset *set, const Kind *kind) {
  const NnrtValue *y = &set->info.y;
  bool map = set->known && y->rank == 2 && y->type == NNRT_I64;
  if (!map || !moves(kind->change) || set->augment->has[NNRT_CROP] ||
      (y->dim[0] == set->augment->height && y->dim[1] == set->augment->width))
    return true;
  return nnrt_fail_at(opening, NULL, "`%s` moves images and masks together, but the masks are %lld x %lld here",
                      kind->name, (long long)y->dim[0], (long long)y->dim[1]);
}

static void crop_shapes(NnrtDataset *set) {
  NnrtValue x = set->info.x;
  const NnrtAugment *augment = set->augment;
  x.dim[0] = augment->out_height;
  x.dim[1] = augment->out_width;
  nnrt_reshape_x(set, x.rank, x.dim);
  if (set->info.y.rank == 2 && set->info.y.type == NNRT_I64) {
    set->info.y.dim[0] = augment->out_height;
    set->info.y.dim[1] = augment->out_width;
  }
}

bool nnrt_augment_apply(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  const Kind *kind = kinds;
  while (strcmp(kind->name, opening->call->name))
    kind++;
  if (!begin(opening, set, kind))
    return false;
  NnrtAugment *augment = set->augment;
  if (augment->has[kind->change])
    return nnrt_fail_at(opening, NULL, "`%s` is said twice", kind->name);
  if (!check_map(opening, set, kind))
    return false;
  augment->has[kind->change] = true;
  if (!moves(kind->change) && kind->change != NNRT_MIXUP)
    augment->values[augment->value_count++] = kind->change;
  if (kind->change == NNRT_FLIP)
    return read_flip(opening, args[AMOUNT], augment);
  if (moves(kind->change) && args[OUTSIDE] && !read_outside(opening, args[OUTSIDE], augment))
    return false;
  if (kind->change != NNRT_CROP)
    return read_amount(opening, kind, args[AMOUNT], augment);
  if (!read_crop(opening, args, set, augment))
    return false;
  if (set->known)
    crop_shapes(set);
  return true;
}

bool nnrt_augment_check(NnrtOpening *opening, const NnrtDataset *set) {
  if (!set->augment || !set->known || !set->augment->has[NNRT_MIXUP])
    return true;
  const NnrtValue *y = &set->info.y;
  if (y->rank < 0 || y->type == NNRT_F32)
    return true;
  for (int i = 0; i < opening->data->call_count; i++)
    if (!strcmp(opening->data->calls[i].name, "mixup"))
      opening->call = &opening->data->calls[i];
  return nnrt_fail_at(opening, NULL, "`mixup` mixes targets too, and classes have no mixture: add `|> one_hot`");
}

// The tables of sources and transforms, and the transforms: parts (split, take), order (shuffle, bucket), targets (one_hot),
// shapes (flatten, reshape), values (scale, standardize; applied by affine.c). At NNRT_DATA_CHECK only arguments are
// checked.
#include <math.h>
#include <string.h>

#include "data/augment.h"
#include "data/sequence.h"
#include "random.h"

// A fraction of `total`, rounded down; a whole number from 1 on is that many samples.
static bool share(NnrtOpening *opening, const NnrtArg *arg, int64_t total, const char *what, int64_t *count) {
  *count = 0;
  if (!arg)
    return true;
  bool samples = arg->kind == NNRT_ARG_INT && arg->integer >= 1;
  if (!samples && !(arg->real >= 0 && arg->real < 1))
    return nnrt_fail_at(opening, arg, "`split` takes a fraction from 0 up to 1, or a whole number of samples, not %g",
                        arg->real);
  if (total < 0)
    return true;
  // 0.29 * 100 is a little less than 29 in binary: what is that near to a whole number is meant to be it.
  *count = samples ? arg->integer : (int64_t)floor(arg->real * (double)total + 1e-9);
  if (!*count && arg->real > 0)
    return nnrt_fail_at(opening, arg, "%g of %lld %s is none", arg->real, (long long)total, what);
  return true;
}

static void shuffle_rows(NnrtDataset *set, uint64_t seed) {
  int64_t *rows = set->part[NNRT_PART_TRAIN];
  uint64_t element = 0, stream = (uint64_t)0x5B << 56;
  for (int64_t i = set->info.count[NNRT_PART_TRAIN] - 1; i > 0; i--) {
    int64_t j = (int64_t)nnrt_below(seed, stream, &element, (uint64_t)i + 1), kept = rows[i];
    rows[i] = rows[j];
    rows[j] = kept;
  }
}

// Shuffles the training rows, unless `shuffle(false)` came before; the last go to test, those before them to val. Of a
// sequence, the last steps.
static bool split(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  int64_t total = set->known ? set->info.count[NNRT_PART_TRAIN] : -1, val, test;
  if (!args[0] && !args[1])
    return nnrt_fail_at(opening, NULL, "`split` needs `val: …` or `test: …`");
  const char *what = set->sequence ? set->sequence->unit : "training samples";
  if (!share(opening, args[0], total, what, &val) || !share(opening, args[1], total, what, &test))
    return false;
  if (args[0] && args[1] && args[0]->kind == NNRT_ARG_REAL && args[1]->kind == NNRT_ARG_REAL &&
      args[0]->real + args[1]->real >= 1)
    return nnrt_fail_at(opening, args[0], "`split` leaves nothing for training: %g + %g is not under 1", args[0]->real,
                        args[1]->real);
  if (!set->known)
    return true;
  if (val >= total || test >= total || val + test >= total)
    return nnrt_fail_at(opening, args[0] ? args[0] : args[1],
                        "`split` leaves nothing for training: %lld %s, %lld for val, %lld for test", (long long)total,
                        set->sequence ? what : "samples", (long long)val, (long long)test);
  const int64_t taken[3] = {0, val, test};
  for (int kind = NNRT_PART_VAL; kind <= NNRT_PART_TEST; kind++)
    if (taken[kind] && set->info.count[kind])
      return nnrt_fail_at(opening, args[kind - 1], "the data has a %s part already",
                          kind == NNRT_PART_VAL ? "val" : "test");
  int64_t left = total - val - test, *rows = set->part[NNRT_PART_TRAIN];
  if (rows && !set->in_order)
    shuffle_rows(set, args[2] ? (uint64_t)args[2]->integer : 0);
  set->info.count[NNRT_PART_TRAIN] = left;
  if (val) {
    set->info.count[NNRT_PART_VAL] = val;
    set->part[NNRT_PART_VAL] = rows ? rows + left : NULL;
  }
  if (test) {
    set->info.count[NNRT_PART_TEST] = test;
    set->part[NNRT_PART_TEST] = rows ? rows + left + val : NULL;
  }
  return true;
}

static bool take(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  if (args[0]->integer < 1)
    return nnrt_fail_at(opening, args[0], "`take` needs at least 1 sample, not %lld", (long long)args[0]->integer);
  if (set->sequence)
    nnrt_sequence_take(set->sequence, args[0]->integer);
  else if (set->known && args[0]->integer < set->info.count[NNRT_PART_TRAIN])
    set->info.count[NNRT_PART_TRAIN] = args[0]->integer;
  return true;
}

static bool shuffle(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  set->in_order = args[0] && !args[0]->integer;
  return !set->in_order || !set->pool || nnrt_fail_at(opening, args[0], "what is bucketed is shuffled too");
}

static bool bucket(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  enum { POOL = 32 };
  if (!set->has_lengths)
    return nnrt_fail_at(opening, NULL, "`bucket` takes `texts` or `pairs`: samples of `%s` are all of one length",
                        opening->data->calls->name);
  if (set->in_order)
    return nnrt_fail_at(opening, NULL, "`bucket` takes a shuffled order, and `shuffle(false)` stands before it");
  set->pool = args[0] ? args[0]->integer : POOL;
  return set->pool > 1 ||
         nnrt_fail_at(opening, args[0], "`pool` of `bucket` is at least 2 batches, not %lld", (long long)set->pool);
}

static bool scale(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  float by = (float)args[0]->real;
  if (by == 0 || !isfinite(by))
    return nnrt_fail_at(opening, args[0], "`scale` multiplies by a finite number other than 0, not %g", args[0]->real);
  set->steps[set->step_count++] = (NnrtValueStep){.by = args[0]->real};
  return true;
}

static bool standardize(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  (void)opening, (void)args;
  set->steps[set->step_count++] = (NnrtValueStep){.standardize = true};
  return true;
}

static bool one_hot(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  (void)args;
  if (!set->known)
    return true;
  if (set->one_hot || !set->info.class_count)
    return nnrt_fail_at(opening, NULL,
                        set->one_hot ? "the classes are one-hot already" : "`one_hot` needs a class: the data has %s",
                        set->info.y.rank < 0 ? "no target" : "real targets");
  if (set->maps)
    return nnrt_fail_at(opening, NULL, "`one_hot` takes one class a sample; these samples have a map of classes");
  set->one_hot = true;
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_F32, .rank = 1, .dim = {set->info.class_count}};
  return true;
}

static bool flatten(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  (void)opening, (void)args;
  if (set->known)
    nnrt_reshape_x(set, 1, (const int64_t[]){nnrt_value_elements(&set->info.x)});
  return true;
}

static bool reshape(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  (void)args;
  const NnrtDataCall *call = opening->call;
  int64_t dim[NNRT_MAX_RANK], width = 1;
  int open = -1;
  if (!call->arg_count)
    return nnrt_fail_at(opening, NULL, "`reshape` needs dimensions, as in `reshape(28, 28, 1)`");
  if (call->arg_count > NNRT_MAX_RANK)
    return nnrt_fail_at(opening, NULL, "`reshape` takes at most %d dimensions", NNRT_MAX_RANK);
  for (int i = 0; i < call->arg_count; i++) {
    const NnrtArg *arg = &call->args[i];
    if (arg->name || arg->kind != NNRT_ARG_INT)
      return nnrt_fail_at(opening, arg, "`reshape` takes whole numbers, as in `reshape(28, 28, 1)`");
    dim[i] = arg->integer;
    if (dim[i] == -1 && open < 0)
      open = i;
    else if (dim[i] < 1 || dim[i] > INT32_MAX || (width *= dim[i]) > INT32_MAX)
      return nnrt_fail_at(opening, arg, "`reshape`: %lld is no dimension here", (long long)dim[i]);
  }
  if (!set->known)
    return true;
  int64_t elements = nnrt_value_elements(&set->info.x);
  if (open >= 0) {
    dim[open] = elements / width;
    width *= dim[open];
  }
  if (width != elements)
    return nnrt_fail_at(opening, NULL, "`reshape` needs %lld elements, a sample has %lld", (long long)width,
                        (long long)elements);
  nnrt_reshape_x(set, call->arg_count, dim);
  return true;
}

static const NnrtParam split_params[] = {{"val", NNRT_TAKES_REAL, true, false},
                                         {"test", NNRT_TAKES_REAL, true, false},
                                         {"seed", NNRT_TAKES_INT, true, false},
                                         {0}};
static const NnrtParam take_params[] = {{"n", NNRT_TAKES_INT, false, true}, {0}};
static const NnrtParam shuffle_params[] = {{"on", NNRT_TAKES_BOOL, false, false}, {0}};
static const NnrtParam bucket_params[] = {{"pool", NNRT_TAKES_INT, true, false}, {0}};
static const NnrtParam scale_params[] = {{"by", NNRT_TAKES_REAL, false, true}, {0}};
static const NnrtParam no_params[] = {{0}};

const NnrtStage nnrt_source_stages[] = {{"csv", nnrt_csv_params, nnrt_csv_open},
                                        {"idx", nnrt_idx_params, nnrt_idx_open},
                                        {"values", nnrt_values_params, nnrt_values_open},
                                        {"xor", nnrt_toy_params, nnrt_toy_open},
                                        {"circle", nnrt_toy_params, nnrt_toy_open},
                                        {"spiral", nnrt_toy_params, nnrt_toy_open},
                                        {"gauss", nnrt_toy_params, nnrt_toy_open},
                                        {"moons", nnrt_toy_params, nnrt_toy_open},
                                        {"sine", nnrt_toy_params, nnrt_toy_open},
                                        {"shapes", nnrt_shapes_params, nnrt_shapes_open},
                                        {"scattered", nnrt_scattered_params, nnrt_scattered_open},
                                        {"npy", nnrt_npy_params, nnrt_npy_open},
                                        {"npz", nnrt_npz_params, nnrt_npz_open},
                                        {"hdf5", nnrt_hdf5_params, nnrt_hdf5_open},
                                        {"cifar10", nnrt_cifar_params, nnrt_cifar_open},
                                        {"cifar100", nnrt_cifar_params, nnrt_cifar_open},
                                        {"images", nnrt_images_params, nnrt_images_open},
                                        {"text", nnrt_text_params, nnrt_text_open},
                                        {"texts", nnrt_texts_params, nnrt_texts_open},
                                        {"pairs", nnrt_pairs_params, nnrt_pairs_open},
                                        {"series", nnrt_series_params, nnrt_series_open},
                                        {0}};

const NnrtStage nnrt_transform_stages[] = {{"split", split_params, split},
                                           {"take", take_params, take},
                                           {"shuffle", shuffle_params, shuffle},
                                           {"bucket", bucket_params, bucket},
                                           {"scale", scale_params, scale},
                                           {"standardize", no_params, standardize},
                                           {"one_hot", no_params, one_hot},
                                           {"flatten", no_params, flatten},
                                           {"reshape", NULL, reshape},
                                           {"flip", nnrt_flip_params, nnrt_augment_apply},
                                           {"shift", nnrt_place_params, nnrt_augment_apply},
                                           {"crop", nnrt_crop_params, nnrt_augment_apply},
                                           {"rotate", nnrt_place_params, nnrt_augment_apply},
                                           {"zoom", nnrt_place_params, nnrt_augment_apply},
                                           {"shear", nnrt_place_params, nnrt_augment_apply},
                                           {"brightness", nnrt_amount_params, nnrt_augment_apply},
                                           {"contrast", nnrt_amount_params, nnrt_augment_apply},
                                           {"saturation", nnrt_amount_params, nnrt_augment_apply},
                                           {"hue", nnrt_amount_params, nnrt_augment_apply},
                                           {"noise", nnrt_amount_params, nnrt_augment_apply},
                                           {"cutout", nnrt_amount_params, nnrt_augment_apply},
                                           {"mixup", nnrt_amount_params, nnrt_augment_apply},
                                           {0}};

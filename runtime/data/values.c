// The `values` source: samples written in the .nn file. x is a list with an item a sample, each a number or lists of
// numbers of one shape; y a list of class numbers (whole), of numbers, or of lists of numbers.
#include <math.h>
#include <stdlib.h>

#include "data/dataset.h"

enum { X, Y };
enum { MOST_CLASSES = 100000 };

const NnrtParam nnrt_values_params[] = {{"x", NNRT_TAKES_LIST, false, true}, {"y", NNRT_TAKES_LIST, false, false}, {0}};

static bool check_shape(NnrtOpening *opening, const NnrtArg *arg, const char *name, int rank, const int64_t *dim) {
  if (!rank) {
    if (arg->kind != NNRT_ARG_INT && arg->kind != NNRT_ARG_REAL)
      return nnrt_fail_at(opening, arg, "`%s` of `values`: a number is wanted here", name);
    return isfinite((float)arg->real) ||
           nnrt_fail_at(opening, arg, "`%s` of `values`: %g is no number an f32 can hold", name, arg->real);
  }
  if (arg->kind != NNRT_ARG_LIST)
    return nnrt_fail_at(opening, arg, "`%s` of `values`: a list of %lld is wanted here", name, (long long)dim[0]);
  if (arg->count != dim[0])
    return nnrt_fail_at(opening, arg, "`%s` of `values`: %d item%s where the first sample has %lld", name, arg->count,
                        arg->count == 1 ? "" : "s", (long long)dim[0]);
  for (int i = 0; i < arg->count; i++)
    if (!check_shape(opening, &arg->items[i], name, rank - 1, dim + 1))
      return false;
  return true;
}

// Rank and dimensions of the whole list, by its first items; then all the others are held against them.
static bool list_shape(NnrtOpening *opening, const NnrtArg *arg, const char *name, int *rank,
                       int64_t dim[NNRT_MAX_RANK + 1]) {
  *rank = 0;
  for (const NnrtArg *at = arg; at->kind == NNRT_ARG_LIST; at = at->items) {
    if (!at->count)
      return nnrt_fail_at(opening, at, "`%s` of `values`: an empty list", name);
    if (*rank > NNRT_MAX_RANK)
      return nnrt_fail_at(opening, at, "`%s` of `values`: lists nested too deep", name);
    dim[(*rank)++] = at->count;
  }
  return check_shape(opening, arg, name, *rank, dim);
}

static float *copy_numbers(const NnrtArg *arg, float *to) {
  if (arg->kind != NNRT_ARG_LIST) {
    *to = (float)arg->real;
    return to + 1;
  }
  for (int i = 0; i < arg->count; i++)
    to = copy_numbers(&arg->items[i], to);
  return to;
}

static bool all_whole(const NnrtArg *list) {
  for (int i = 0; i < list->count; i++)
    if (list->items[i].kind != NNRT_ARG_INT)
      return false;
  return true;
}

static bool take_classes(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *y) {
  int64_t most = 0;
  set->classes = nnrt_data_alloc(set, set->rows, sizeof *set->classes);
  if (!set->classes)
    return nnrt_fail_memory(opening);
  for (int i = 0; i < y->count; i++) {
    int64_t class = set->classes[i] = y->items[i].integer;
    if (class < 0 || class >= MOST_CLASSES)
      return nnrt_fail_at(opening, &y->items[i],
                          "`y` of `values`: %lld is no class number (write [%lld] or %lld.0 for a target)",
                          (long long)class, (long long)class, (long long)class);
    most = class > most ? class : most;
  }
  nnrt_set_y_class(set, most + 1, NULL);
  return true;
}

static bool take_y(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *y) {
  int rank;
  int64_t dim[NNRT_MAX_RANK + 1];
  if (!list_shape(opening, y, "y", &rank, dim))
    return false;
  if (dim[0] != set->rows)
    return nnrt_fail_at(opening, y, "`values` has %lld samples in `x` and %lld in `y`", (long long)set->rows,
                        (long long)dim[0]);
  if (rank == 1 && all_whole(y))
    return take_classes(opening, set, y);
  if (rank > 2)
    return nnrt_fail_at(opening, y, "`y` of `values` is a list of numbers or of lists of numbers");
  nnrt_set_y_target(set, rank == 2 ? dim[1] : 1);
  set->targets = nnrt_data_alloc(set, set->rows * set->target_width, sizeof *set->targets);
  if (!set->targets)
    return nnrt_fail_memory(opening);
  copy_numbers(y, set->targets);
  return true;
}

bool nnrt_values_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  int rank;
  int64_t dim[NNRT_MAX_RANK + 1];
  if (!list_shape(opening, args[X], "x", &rank, dim))
    return false;
  set->rows = dim[0];
  if (rank == 1)
    dim[rank++] = 1;
  nnrt_set_x(set, rank - 1, dim + 1);
  for (int i = 0; i < 3; i++)
    set->info.count[i] = 0;
  set->floats = nnrt_data_alloc(set, set->rows * set->width, sizeof *set->floats);
  if (!set->floats || !nnrt_set_part(set, NNRT_PART_TRAIN, 0, set->rows))
    return nnrt_fail_memory(opening);
  copy_numbers(args[X], set->floats);
  return !args[Y] || take_y(opening, set, args[Y]);
}

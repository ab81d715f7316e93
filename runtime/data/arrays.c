// From arrays to samples. Bytes stay bytes; other numbers become floats, and must be finite ones. Rows are read in
// blocks of about 64 thousand elements.
#include "data/arrays.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CLASSES = 100000, BLOCK = 1 << 16 };

bool nnrt_array_shape(NnrtArray *array, int64_t most, NnrtError *error) {
  int64_t total = 1;
  for (int i = 0; i < array->rank; i++) {
    if (array->dim[i] < 1)
      return nnrt_fail(error, "%s has no elements: dimension %d is %lld", array->name, i + 1, (long long)array->dim[i]);
    if (array->dim[i] > most / total)
      return nnrt_fail(error, "%s: the header promises more elements than the file can hold", array->name);
    total *= array->dim[i];
  }
  if (array->rank < 1)
    return nnrt_fail(error, "%s is a single number; the first dimension counts samples", array->name);
  array->rows = array->dim[0];
  array->width = total / array->rows;
  return true;
}

bool nnrt_arrays_check(NnrtOpening *opening, const NnrtArg *const *args) {
  if (args[NNRT_TEST_Y] && !args[NNRT_TEST_X])
    return nnrt_fail_at(opening, args[NNRT_TEST_Y], "`test_y` needs `test_x`");
  if (args[NNRT_TEST_X] && !args[NNRT_Y] != !args[NNRT_TEST_Y])
    return nnrt_fail_at(opening, args[NNRT_TEST_X], "targets are given for one of training and test, but not for both");
  return true;
}

// ---- blocks of rows
typedef struct Block {
  int64_t first, rows; // of the array
  const uint8_t *bytes;
  const double *numbers; // where `bytes` is NULL
} Block;

typedef bool TakeBlock(const NnrtArray *array, const Block *block, void *to, NnrtError *error);

static bool each_block(NnrtArray *array, TakeBlock *take, void *to, NnrtError *error) {
  bool bytes = array->kind == NNRT_ARRAY_BYTES;
  int64_t most = array->width < BLOCK ? BLOCK / array->width : 1;
  void *room = malloc((size_t)(most * array->width) * (bytes ? 1 : sizeof(double)));
  if (!room)
    return nnrt_fail(error, "%s: not enough memory", array->name);
  bool ok = true;
  for (int64_t first = 0; ok && first < array->rows; first += most) {
    Block block = {first, array->rows - first < most ? array->rows - first : most, bytes ? room : NULL,
                   bytes ? NULL : room};
    ok = array->read(array, block.rows, room, error) && take(array, &block, to, error);
  }
  free(room);
  return ok;
}

static bool take_floats(const NnrtArray *array, const Block *block, void *to, NnrtError *error) {
  float *out = (float *)to + block->first * array->width;
  for (int64_t i = 0; i < block->rows * array->width; i++) {
    out[i] = block->bytes ? (float)block->bytes[i] : (float)block->numbers[i];
    if (!isfinite(out[i]))
      return nnrt_fail(error, "%s: sample %lld holds %g, no number an f32 can hold", array->name,
                       (long long)(block->first + i / array->width), block->numbers[i]);
  }
  return true;
}

static bool bad_class(const NnrtArray *array, int64_t row, double value, int most, NnrtError *error) {
  return nnrt_fail(error, "%s: the class of sample %lld is %.0f; classes are numbered from 0 to %d", array->name,
                   (long long)row, value, most);
}

static bool take_classes(const NnrtArray *array, const Block *block, void *to, NnrtError *error) {
  int64_t *out = (int64_t *)to + block->first;
  for (int64_t i = 0; i < block->rows; i++) {
    double value = block->bytes ? block->bytes[i] : block->numbers[i];
    if (!(value >= 0 && value < (double)MOST_CLASSES))
      return bad_class(array, block->first + i, value, MOST_CLASSES - 1, error);
    out[i] = (int64_t)value;
  }
  return true;
}

static bool take_map(const NnrtArray *array, const Block *block, void *to, NnrtError *error) {
  uint8_t *out = (uint8_t *)to + block->first * array->width;
  for (int64_t i = 0; i < block->rows * array->width; i++) {
    double value = block->bytes ? block->bytes[i] : block->numbers[i];
    if (!(value >= 0 && value <= UINT8_MAX))
      return bad_class(array, block->first + i / array->width, value, UINT8_MAX, error);
    out[i] = (uint8_t)value;
  }
  return true;
}

static bool take_bytes(const NnrtArray *array, const Block *block, void *to, NnrtError *error) {
  (void)error;
  memcpy((uint8_t *)to + block->first * array->width, block->bytes, (size_t)(block->rows * array->width));
  return true;
}

// ---- targets
static bool read_both(NnrtArray arrays[NNRT_ARRAYS], int first, TakeBlock *take, void *to, int64_t bytes,
                      NnrtError *error) {
  NnrtArray *train = &arrays[first], *test = &arrays[first + NNRT_TEST_X];
  return each_block(train, take, to, error) &&
         (!test->rank || each_block(test, take, (uint8_t *)to + train->rows * train->width * bytes, error));
}

static bool no_memory(const NnrtArray *array, NnrtError *error) {
  return nnrt_fail(error, "%s: not enough memory", array->name);
}

static bool take_class_numbers(NnrtDataset *set, NnrtArray arrays[NNRT_ARRAYS], NnrtError *error) {
  int64_t most = 0;
  set->classes = nnrt_data_alloc(set, set->rows, sizeof *set->classes);
  if (!set->classes)
    return no_memory(&arrays[NNRT_Y], error);
  if (!read_both(arrays, NNRT_Y, take_classes, set->classes, sizeof *set->classes, error))
    return false;
  for (int64_t i = 0; i < set->rows; i++)
    most = set->classes[i] > most ? set->classes[i] : most;
  nnrt_set_y_class(set, most + 1, NULL);
  return true;
}

static bool take_class_maps(NnrtDataset *set, NnrtArray arrays[NNRT_ARRAYS], NnrtError *error) {
  const NnrtArray *y = &arrays[NNRT_Y];
  int64_t elements = set->rows * y->width, most = 0;
  set->maps = nnrt_data_alloc(set, elements, sizeof *set->maps);
  if (!set->maps)
    return no_memory(y, error);
  if (!read_both(arrays, NNRT_Y, take_map, set->maps, sizeof *set->maps, error))
    return false;
  for (int64_t i = 0; i < elements; i++)
    most = set->maps[i] > most ? set->maps[i] : most;
  int rank = y->rank > 3 && y->dim[y->rank - 1] == 1 ? y->rank - 2 : y->rank - 1; // [h, w, 1] is [h, w]
  nnrt_set_y_map(set, rank, y->dim + 1, most + 1);
  return true;
}

static bool take_targets(NnrtDataset *set, NnrtArray arrays[NNRT_ARRAYS], NnrtError *error) {
  const NnrtArray *y = &arrays[NNRT_Y];
  nnrt_set_y_target(set, y->width);
  if (y->rank > 2) {
    set->info.y.rank = y->rank - 1;
    memcpy(set->info.y.dim, y->dim + 1, sizeof set->info.y.dim);
  }
  if (set->depth != NNRT_DATA_FULL)
    return true;
  set->targets = nnrt_data_alloc(set, set->rows * y->width, sizeof *set->targets);
  return set->targets ? read_both(arrays, NNRT_Y, take_floats, set->targets, sizeof *set->targets, error)
                      : no_memory(y, error);
}

static bool take_y(NnrtDataset *set, NnrtArray arrays[NNRT_ARRAYS], NnrtError *error) {
  const NnrtArray *y = &arrays[NNRT_Y];
  if (!y->rank)
    return true;
  if (y->kind != NNRT_ARRAY_REAL && y->width == 1)
    return take_class_numbers(set, arrays, error);
  if (y->kind != NNRT_ARRAY_REAL && y->rank > 2)
    return take_class_maps(set, arrays, error);
  return take_targets(set, arrays, error);
}

// ---- all together
static bool same_samples(const NnrtArray *a, const NnrtArray *b) {
  if (a->rank != b->rank || (a->kind == NNRT_ARRAY_BYTES) != (b->kind == NNRT_ARRAY_BYTES))
    return false;
  return !memcmp(a->dim + 1, b->dim + 1, (size_t)(a->rank - 1) * sizeof *a->dim);
}

static bool check(const NnrtArray arrays[NNRT_ARRAYS], NnrtError *error) {
  for (int x = NNRT_X; x <= NNRT_TEST_X; x += NNRT_TEST_X) {
    const NnrtArray *samples = &arrays[x], *y = &arrays[x + NNRT_Y];
    if (y->rank && y->rows != samples->rows)
      return nnrt_fail(error, "%s has %lld rows for the %lld samples of %s", y->name, (long long)y->rows,
                       (long long)samples->rows, samples->name);
  }
  for (int i = NNRT_X; i <= NNRT_Y; i++)
    if (arrays[i + NNRT_TEST_X].rank && !same_samples(&arrays[i], &arrays[i + NNRT_TEST_X]))
      return nnrt_fail(error, "%s has another shape or type than %s", arrays[i + NNRT_TEST_X].name, arrays[i].name);
  return true;
}

// One number a sample is a sample of one element.
static void set_x(NnrtDataset *set, const NnrtArray *x) {
  if (x->rank > 1)
    nnrt_set_x(set, x->rank - 1, x->dim + 1);
  else
    nnrt_set_x(set, 1, (const int64_t[]){1});
}

static bool make_room(NnrtDataset *set, const NnrtArray *x, NnrtError *error) {
  if (x->kind == NNRT_ARRAY_BYTES)
    set->bytes = nnrt_data_alloc(set, set->rows * set->width, 1);
  else
    set->floats = nnrt_data_alloc(set, set->rows * set->width, sizeof *set->floats);
  return set->bytes || set->floats || no_memory(x, error);
}

bool nnrt_arrays_take(NnrtDataset *set, NnrtArray arrays[NNRT_ARRAYS], NnrtError *error) {
  NnrtArray *x = &arrays[NNRT_X], *test = &arrays[NNRT_TEST_X];
  if (!check(arrays, error))
    return false;
  set_x(set, x);
  set->rows = x->rows + (test->rank ? test->rows : 0);
  if (!take_y(set, arrays, error))
    return false;
  if (!nnrt_set_part(set, NNRT_PART_TRAIN, 0, x->rows) ||
      !nnrt_set_part(set, NNRT_PART_TEST, x->rows, set->rows - x->rows))
    return no_memory(x, error);
  if (set->depth != NNRT_DATA_FULL)
    return true;
  if (!make_room(set, x, error))
    return false;
  return set->bytes ? read_both(arrays, NNRT_X, take_bytes, set->bytes, 1, error)
                    : read_both(arrays, NNRT_X, take_floats, set->floats, sizeof *set->floats, error);
}

bool nnrt_array_like(const NnrtDataset *model, NnrtDataset *set, NnrtArray *x, NnrtError *error) {
  bool bytes = x->kind == NNRT_ARRAY_BYTES;
  if (x->width != model->width || bytes != !model->floats)
    return nnrt_fail(error, "%s: its samples have %lld %s; those of training had %lld %s", x->name, (long long)x->width,
                     bytes ? "bytes" : "numbers", (long long)model->width, model->floats ? "numbers" : "bytes");
  set->rows = x->rows;
  if (!make_room(set, x, error))
    return false;
  return bytes ? each_block(x, take_bytes, set->bytes, error) : each_block(x, take_floats, set->floats, error);
}

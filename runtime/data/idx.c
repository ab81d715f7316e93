// The `idx` source: the format of MNIST (http://yann.lecun.com/exdb/mnist/): bytes 0, 0, element type, rank; dimensions
// as big-endian 32-bit numbers; elements. Plain or gzip. Bytes stay bytes; other types become floats. A header is
// believed only as far as the file's size allows.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "paths.h"

enum { IMAGES, LABELS, TEST_IMAGES, TEST_LABELS };
enum { MOST_CLASSES = 100000, CHUNK = 8192 };

const NnrtParam nnrt_idx_params[] = {{"images", NNRT_TAKES_STR, false, true},
                                     {"labels", NNRT_TAKES_STR, false, false},
                                     {"test_images", NNRT_TAKES_STR, true, false},
                                     {"test_labels", NNRT_TAKES_STR, true, false},
                                     {0}};

typedef enum IdxType { IDX_U8 = 8, IDX_I8 = 9, IDX_I16 = 11, IDX_I32 = 12, IDX_F32 = 13, IDX_F64 = 14 } IdxType;

typedef struct Idx {
  const char *path;
  NnrtFile *file;
  IdxType type;
  int rank; // of a sample
  int64_t dim[NNRT_MAX_RANK];
  int64_t rows, width;
} Idx;

static int type_size(IdxType type) {
  switch (type) {
  case IDX_U8:
  case IDX_I8:
    return 1;
  case IDX_I16:
    return 2;
  case IDX_I32:
  case IDX_F32:
    return 4;
  case IDX_F64:
    return 8;
  }
  return 0;
}

static uint32_t big_endian(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool read_bytes(Idx *idx, void *to, int64_t count, NnrtError *error) {
  char why[160];
  int64_t got = nnrt_file_read(idx->file, to, count, why);
  if (got == count)
    return true;
  return nnrt_fail(error, "%s: %s", idx->path, got < 0 ? why : "the file ends too early");
}

static bool read_dimensions(Idx *idx, int rank, NnrtError *error) {
  int64_t most = nnrt_file_limit(idx->file) / type_size(idx->type);
  int64_t total = 1;
  idx->rank = rank - 1;
  for (int i = 0; i < rank; i++) {
    uint8_t bytes[4];
    if (!read_bytes(idx, bytes, 4, error))
      return false;
    int64_t dim = big_endian(bytes);
    if (!dim)
      return nnrt_fail(error, "%s: dimension %d is 0: the file holds no elements", idx->path, i + 1);
    if (dim > most / total)
      return nnrt_fail(error, "%s: the header promises more elements than the file can hold", idx->path);
    total *= dim;
    if (i)
      idx->dim[i - 1] = dim;
    else
      idx->rows = dim;
  }
  if (!idx->rank)
    idx->dim[idx->rank++] = 1;
  idx->width = total / idx->rows;
  return true;
}

static bool open_idx(Idx *idx, const char *path, NnrtError *error) {
  char why[160];
  *idx = (Idx){.path = path, .file = nnrt_file_open(path, why)};
  if (!idx->file)
    return nnrt_fail(error, "%s: cannot open it: %s", path, why);
  uint8_t magic[4];
  if (!read_bytes(idx, magic, 4, error))
    return false;
  idx->type = (IdxType)magic[2];
  if (magic[0] || magic[1] || !type_size(idx->type))
    return nnrt_fail(error, "%s: not an IDX file (it starts with bytes %02x %02x %02x %02x)", path, magic[0], magic[1],
                     magic[2], magic[3]);
  if (magic[3] < 1 || magic[3] > NNRT_MAX_RANK)
    return nnrt_fail(error, "%s: an IDX file of %d dimensions; 1 to %d can be read", path, magic[3], NNRT_MAX_RANK);
  return read_dimensions(idx, magic[3], error);
}

static bool read_end(Idx *idx, NnrtError *error) {
  uint8_t byte;
  char why[160];
  int64_t got = nnrt_file_read(idx->file, &byte, 1, why);
  if (!got)
    return true;
  return nnrt_fail(error, "%s: %s", idx->path, got < 0 ? why : "there is more in the file than its header says");
}

static double element(const uint8_t *bytes, IdxType type) {
  uint32_t high = type_size(type) >= 4 ? big_endian(bytes) : 0;
  float single;
  double value;
  switch (type) {
  case IDX_U8:
    return bytes[0];
  case IDX_I8:
    return (int8_t)bytes[0];
  case IDX_I16:
    return (int16_t)(bytes[0] << 8 | bytes[1]);
  case IDX_I32:
    return (int32_t)high;
  case IDX_F32:
    memcpy(&single, &high, sizeof single);
    return (double)single;
  case IDX_F64:
    memcpy(&value, &(uint64_t){(uint64_t)high << 32 | big_endian(bytes + 4)}, sizeof value);
    return value;
  }
  return 0;
}

// Elements as floats, or, where `classes` is given, as class numbers.
static bool read_elements(Idx *idx, float *floats, int64_t *classes, NnrtError *error) {
  uint8_t chunk[CHUNK];
  int64_t size = type_size(idx->type), total = idx->rows * idx->width, at_once = CHUNK / size;
  for (int64_t done = 0; done < total; done += at_once) {
    int64_t count = total - done < at_once ? total - done : at_once;
    if (!read_bytes(idx, chunk, count * size, error))
      return false;
    for (int64_t i = 0; i < count; i++) {
      double value = element(chunk + i * size, idx->type);
      if (classes && !(value >= 0 && value < (double)MOST_CLASSES && value == floor(value)))
        return nnrt_fail(error, "%s: label %lld is %g; class numbers are whole, from 0 to %d", idx->path,
                         (long long)(done + i), value, MOST_CLASSES - 1);
      if (floats && !isfinite((float)value))
        return nnrt_fail(error, "%s: element %lld is %g, no number an f32 can hold", idx->path, (long long)(done + i),
                         value);
      if (classes)
        classes[done + i] = (int64_t)value;
      if (floats)
        floats[done + i] = (float)value;
    }
  }
  return read_end(idx, error);
}

static bool read_images(Idx *idx, NnrtDataset *set, int64_t first_row, NnrtError *error) {
  if (set->floats)
    return read_elements(idx, set->floats + first_row * idx->width, NULL, error);
  return read_bytes(idx, set->bytes + first_row * idx->width, idx->rows * idx->width, error) && read_end(idx, error);
}

static bool make_room(NnrtDataset *set, IdxType type, NnrtError *error) {
  if (type == IDX_U8)
    set->bytes = nnrt_data_alloc(set, set->rows * set->width, 1);
  else
    set->floats = nnrt_data_alloc(set, set->rows * set->width, sizeof *set->floats);
  return set->bytes || set->floats || nnrt_fail(error, "not enough memory for %lld samples", (long long)set->rows);
}

// Images and labels of training and test part: files 0 … 3 in the order of the arguments, NULL where there is none.
static bool read_labels(NnrtDataset *set, Idx files[4], NnrtError *error) {
  for (int i = LABELS; i <= TEST_LABELS; i += 2) {
    if (!files[i].file)
      continue;
    if (files[i].rank != 1 || files[i].width != 1)
      return nnrt_fail(error, "%s: labels are one number a sample; this file has %d dimensions", files[i].path,
                       files[i].rank + 1);
    if (files[i].rows != files[i - 1].rows)
      return nnrt_fail(error, "%s: %lld labels for %lld samples in %s", files[i].path, (long long)files[i].rows,
                       (long long)files[i - 1].rows, files[i - 1].path);
  }
  if (!files[LABELS].file)
    return true;
  set->classes = nnrt_data_alloc(set, set->rows, sizeof *set->classes);
  if (!set->classes)
    return nnrt_fail(error, "not enough memory for %lld labels", (long long)set->rows);
  int64_t most = 0;
  if (!read_elements(&files[LABELS], NULL, set->classes, error) ||
      (files[TEST_LABELS].file && !read_elements(&files[TEST_LABELS], NULL, set->classes + files[IMAGES].rows, error)))
    return false;
  for (int64_t i = 0; i < set->rows; i++)
    most = set->classes[i] > most ? set->classes[i] : most;
  nnrt_set_y_class(set, most + 1, NULL);
  return true;
}

static bool idx_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  Idx idx;
  bool ok = open_idx(&idx, path, error);
  if (ok && (idx.width != model->width || (idx.type == IDX_U8) != (model->bytes != NULL)))
    ok = nnrt_fail(error, "%s: its samples have %lld %s; those of training had %lld %s", path, (long long)idx.width,
                   idx.type == IDX_U8 ? "bytes" : "numbers", (long long)model->width,
                   model->bytes ? "bytes" : "numbers");
  set->rows = idx.rows;
  ok = ok && make_room(set, idx.type, error) && read_images(&idx, set, 0, error);
  nnrt_file_close(idx.file);
  return ok;
}

static bool same_samples(const Idx *a, const Idx *b) {
  return a->type == b->type && a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof a->dim);
}

static bool read_all(NnrtDataset *set, char *const path[4], Idx files[4], NnrtError *error) {
  for (int i = 0; i < 4; i++)
    if (path[i] && !open_idx(&files[i], path[i], error))
      return false;
  const Idx *train = &files[IMAGES], *test = &files[TEST_IMAGES];
  if (test->file && !same_samples(train, test))
    return nnrt_fail(error, "%s: its samples have another shape or type than those of %s", test->path, train->path);
  nnrt_set_x(set, train->rank, train->dim);
  set->rows = train->rows + test->rows;
  set->like = idx_like;
  if (!read_labels(set, files, error))
    return false;
  if (!nnrt_set_part(set, NNRT_PART_TRAIN, 0, train->rows) ||
      !nnrt_set_part(set, NNRT_PART_TEST, train->rows, test->rows))
    return nnrt_fail(error, "not enough memory for %lld samples", (long long)set->rows);
  if (set->depth != NNRT_DATA_FULL)
    return true;
  return make_room(set, train->type, error) && read_images(&files[IMAGES], set, 0, error) &&
         (!test->file || read_images(&files[TEST_IMAGES], set, train->rows, error));
}

// MNIST's names in a folder: a dash or a point before idx, plain or compressed.
static char *find_in_folder(const char *folder, const char *stem, int rank) {
  static const char *const joints[] = {"-", "."}, *const ends[] = {"", ".gz"};
  size_t room = strlen(folder) + strlen(stem) + 32;
  char *path = malloc(room), why[160];
  for (int i = 0; path && i < 4; i++) {
    snprintf(path, room, "%s/%s%sidx%d-ubyte%s", folder, stem, joints[i / 2], rank, ends[i % 2]);
    NnrtFile *file = nnrt_file_open(path, why);
    nnrt_file_close(file);
    if (file)
      return path;
  }
  free(path);
  return NULL;
}

static bool find_files(NnrtOpening *opening, const NnrtArg *const *args, char *path[4]) {
  static const char *const stems[] = {"train-images", "train-labels", "t10k-images", "t10k-labels"};
  char *folder = args[LABELS] ? NULL : nnrt_locate(opening->data->file, args[IMAGES]->text);
  if (folder && nnrt_is_folder(folder)) {
    for (int i = 0; i < 4; i++)
      path[i] = find_in_folder(folder, stems[i], i % 2 ? 1 : 3);
    free(folder);
    if (!path[IMAGES] || !path[LABELS])
      return nnrt_fail_at(opening, args[IMAGES], "the folder `%s` has no %s", args[IMAGES]->text,
                          path[IMAGES] ? "train-labels-idx1-ubyte" : "train-images-idx3-ubyte");
    if (!path[TEST_IMAGES] != !path[TEST_LABELS])
      return nnrt_fail_at(opening, args[IMAGES], "the folder `%s` has no %s", args[IMAGES]->text,
                          path[TEST_IMAGES] ? "t10k-labels-idx1-ubyte" : "t10k-images-idx3-ubyte");
    return true;
  }
  free(folder);
  for (int i = 0; i < 4; i++)
    if (args[i] && !(path[i] = nnrt_data_file(opening, args[i])))
      return false;
  return true;
}

bool nnrt_idx_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  if (args[TEST_LABELS] && !args[TEST_IMAGES])
    return nnrt_fail_at(opening, args[TEST_LABELS], "`test_labels` needs `test_images`");
  if (args[TEST_IMAGES] && !args[LABELS] != !args[TEST_LABELS])
    return nnrt_fail_at(opening, args[TEST_IMAGES], "labels are given for one of training and test, but not for both");
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  char *path[4] = {NULL};
  Idx files[4] = {{0}};
  bool ok = find_files(opening, args, path) && read_all(set, path, files, opening->error);
  if (!ok)
    nnrt_fail_from(opening, args[IMAGES]);
  for (int i = 0; i < 4; i++) {
    nnrt_file_close(files[i].file);
    free(path[i]);
  }
  return ok;
}

// The source `hdf5`: arrays of an HDF5 file. The library is large and stands on many others, so it is loaded when a
// program comes to read such a file; nothing else needs it. It is not made for threads: one file is read at a time.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hdf5.h>

#include "data/arrays.h"

enum { PATH, ARRAYS };          // the file, then the names of its arrays
enum { MOST_EXPANSION = 1032 }; // of deflate: zlib's technical notes
enum { READ_ONLY = 0 };         // H5F_ACC_RDONLY, whose macro calls the library

const NnrtParam nnrt_hdf5_params[] = {{"file", NNRT_TAKES_STR, false, true},   {"x", NNRT_TAKES_STR, true, false},
                                      {"y", NNRT_TAKES_STR, true, false},      {"test_x", NNRT_TAKES_STR, true, false},
                                      {"test_y", NNRT_TAKES_STR, true, false}, {0}};

// ---- the library
#define FUNCTIONS(X)                                                                                                   \
  X(H5open)                                                                                                            \
  X(H5Eset_auto2)                                                                                                      \
  X(H5Fopen)                                                                                                           \
  X(H5Fclose)                                                                                                          \
  X(H5Lexists)                                                                                                         \
  X(H5Dopen2)                                                                                                          \
  X(H5Dclose) X(H5Dget_space) X(H5Dget_type) X(H5Dget_storage_size) X(H5Dread) X(H5Sget_simple_extent_ndims)           \
      X(H5Sget_simple_extent_dims) X(H5Sselect_hyperslab) X(H5Screate_simple) X(H5Sclose) X(H5Tget_class)              \
          X(H5Tget_size) X(H5Tget_sign) X(H5Tclose)

static struct {
  void *library;
#define MEMBER(name) __typeof__(&name) name;
  FUNCTIONS(MEMBER)
#undef MEMBER
  hid_t bytes, numbers; // the machine's types
} hdf5;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool load(NnrtError *error) {
  if (hdf5.library)
    return true;
  void *library = dlopen(NNRT_HDF5, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return nnrt_fail(error, "reading HDF5 files needs the library %s, which cannot be loaded: install libhdf5",
                     NNRT_HDF5);
  bool whole = true;
#define FIND(name) whole = (*(void **)&hdf5.name = dlsym(library, #name)) && whole;
  FUNCTIONS(FIND)
#undef FIND
  hid_t *bytes = dlsym(library, "H5T_NATIVE_UCHAR_g"), *numbers = dlsym(library, "H5T_NATIVE_DOUBLE_g");
  if (!whole || !bytes || !numbers || hdf5.H5open() < 0)
    return nnrt_fail(error, "the library %s is not as it should be", NNRT_HDF5);
  hdf5.H5Eset_auto2(H5E_DEFAULT, NULL, NULL); // its errors are told here
  hdf5.bytes = *bytes;
  hdf5.numbers = *numbers;
  hdf5.library = library;
  return true;
}

// ---- arrays
typedef struct Hdf5 {
  hid_t data, space;
  int64_t row; // that is read next
} Hdf5;

static bool read_rows(NnrtArray *array, int64_t count, void *to, NnrtError *error) {
  Hdf5 *file = array->file;
  hsize_t first[NNRT_MAX_RANK + 1] = {(hsize_t)file->row}, size[NNRT_MAX_RANK + 1] = {(hsize_t)count};
  for (int i = 1; i < array->rank; i++)
    size[i] = (hsize_t)array->dim[i];
  hid_t rows = hdf5.H5Screate_simple(array->rank, size, NULL);
  bool ok = rows >= 0 && hdf5.H5Sselect_hyperslab(file->space, H5S_SELECT_SET, first, NULL, size, NULL) >= 0 &&
            hdf5.H5Dread(file->data, array->kind == NNRT_ARRAY_BYTES ? hdf5.bytes : hdf5.numbers, rows, file->space,
                         H5P_DEFAULT, to) >= 0;
  if (rows >= 0)
    hdf5.H5Sclose(rows);
  file->row += count;
  return ok ||
         nnrt_fail(error, "%s: row %lld cannot be read: the file is damaged, or packed by a filter that is missing",
                   array->name, (long long)(file->row - count));
}

static void close_array(NnrtArray *array) {
  Hdf5 *file = array->file;
  if (file->space >= 0)
    hdf5.H5Sclose(file->space);
  if (file->data >= 0)
    hdf5.H5Dclose(file->data);
  free(file);
}

static bool read_type(NnrtArray *array, int64_t *size, NnrtError *error) {
  const Hdf5 *file = array->file;
  hid_t type = hdf5.H5Dget_type(file->data);
  H5T_class_t class = type < 0 ? H5T_NO_CLASS : hdf5.H5Tget_class(type);
  *size = type < 0 ? 1 : (int64_t)hdf5.H5Tget_size(type);
  bool bytes = class == H5T_INTEGER && *size == 1 && hdf5.H5Tget_sign(type) == H5T_SGN_NONE;
  if (type >= 0)
    hdf5.H5Tclose(type);
  array->kind = bytes ? NNRT_ARRAY_BYTES : class == H5T_INTEGER ? NNRT_ARRAY_WHOLE : NNRT_ARRAY_REAL;
  return class == H5T_INTEGER || class == H5T_FLOAT ||
         nnrt_fail(error, "%s: its elements are neither whole numbers nor reals", array->name);
}

static bool read_shape(NnrtArray *array, int64_t size, NnrtError *error) {
  const Hdf5 *file = array->file;
  hsize_t dim[NNRT_MAX_RANK + 1];
  int rank = hdf5.H5Sget_simple_extent_ndims(file->space);
  if (rank > NNRT_MAX_RANK + 1)
    return nnrt_fail(error, "%s has more than %d dimensions", array->name, NNRT_MAX_RANK + 1);
  if (rank < 0 || (rank && hdf5.H5Sget_simple_extent_dims(file->space, dim, NULL) < 0))
    return nnrt_fail(error, "%s: it has no shape", array->name);
  array->rank = rank;
  for (int i = 0; i < rank; i++)
    array->dim[i] = dim[i] > INT64_MAX ? INT64_MAX : (int64_t)dim[i];
  hsize_t stored = hdf5.H5Dget_storage_size(file->data);
  int64_t most = stored > INT64_MAX / (2 * MOST_EXPANSION) ? INT64_MAX : (int64_t)stored * MOST_EXPANSION + 1024;
  return nnrt_array_shape(array, most / size, error);
}

static bool open_array(NnrtArray *array, hid_t from, const char *path, const char *name, NnrtError *error) {
  Hdf5 *file = malloc(sizeof *file);
  int64_t size;
  if (!file)
    return nnrt_fail(error, "%s: not enough memory", path);
  snprintf(array->name, sizeof array->name, "%.300s: array `%.100s`", path, name);
  array->read = read_rows;
  array->close = close_array;
  array->file = file;
  *file = (Hdf5){.data = hdf5.H5Dopen2(from, name, H5P_DEFAULT), .space = -1};
  if (file->data < 0)
    return nnrt_fail(error, "%s: there is no array `%.100s`", path, name);
  file->space = hdf5.H5Dget_space(file->data);
  if (file->space < 0)
    return nnrt_fail(error, "%s: it has no shape", array->name);
  return read_type(array, &size, error) && read_shape(array, size, error);
}

// ---- the set
static hid_t open_file(const char *path, NnrtError *error) {
  hid_t file = load(error) ? hdf5.H5Fopen(path, READ_ONLY, H5P_DEFAULT) : -2;
  if (file == -1)
    nnrt_fail(error, "%s: cannot open it: not an HDF5 file, or a damaged one", path);
  return file;
}

static bool hdf5_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  NnrtArray x = {0};
  pthread_mutex_lock(&lock);
  hid_t file = open_file(path, error);
  bool ok = file >= 0 && open_array(&x, file, path, model->source, error) && nnrt_array_like(model, set, &x, error);
  if (x.file)
    x.close(&x);
  if (file >= 0)
    hdf5.H5Fclose(file);
  pthread_mutex_unlock(&lock);
  return ok;
}

static bool open_arrays(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args, const char *path,
                        hid_t file) {
  const NnrtArg *const *named = args + ARRAYS;
  NnrtArray arrays[NNRT_ARRAYS] = {0};
  const char *names[NNRT_ARRAYS] = {"x", hdf5.H5Lexists(file, "y", H5P_DEFAULT) > 0 ? "y" : NULL};
  bool ok = true;
  for (int i = 0; i < NNRT_ARRAYS && ok; i++) {
    names[i] = named[i] ? named[i]->text : names[i];
    ok = !names[i] || open_array(&arrays[i], file, path, names[i], opening->error) ||
         nnrt_fail_from(opening, named[i] ? named[i] : args[PATH]);
  }
  ok = ok && (nnrt_arrays_take(set, arrays, opening->error) || nnrt_fail_from(opening, args[PATH]));
  for (int i = 0; i < NNRT_ARRAYS; i++)
    if (arrays[i].file)
      arrays[i].close(&arrays[i]);
  set->like = hdf5_like;
  return ok && ((set->source = nnrt_data_text(set, names[NNRT_X], strlen(names[NNRT_X]))) || nnrt_fail_memory(opening));
}

bool nnrt_hdf5_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  if (!nnrt_arrays_check(opening, args + ARRAYS))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  char *path = nnrt_data_file(opening, args[PATH]);
  if (!path)
    return false;
  pthread_mutex_lock(&lock);
  hid_t file = open_file(path, opening->error);
  bool ok = file >= 0 ? open_arrays(opening, set, args, path, file) : nnrt_fail_from(opening, args[PATH]);
  if (file >= 0)
    hdf5.H5Fclose(file);
  pthread_mutex_unlock(&lock);
  free(path);
  return ok;
}

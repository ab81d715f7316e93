// The source `hdf5`: types, groups, compressed arrays, and files without what is asked for. The files are written by
// the library itself, loaded as the reader loads it.
#include <dlfcn.h>

#include <hdf5.h>

#include "data_helper.h"

#define FUNCTIONS(X)                                                                                                   \
  X(H5open)                                                                                                            \
  X(H5Fcreate)                                                                                                         \
  X(H5Fclose)                                                                                                          \
  X(H5Gcreate2)                                                                                                        \
  X(H5Gclose) X(H5Screate_simple) X(H5Sclose) X(H5Pcreate) X(H5Pset_chunk) X(H5Pset_deflate) X(H5Pclose) X(H5Dcreate2) \
      X(H5Dwrite) X(H5Dclose) X(H5Tcopy) X(H5Tset_size) X(H5Tclose)

static struct {
  void *library;
#define MEMBER(name) __typeof__(&name) name;
  FUNCTIONS(MEMBER)
} h5;

static void load(void) {
  h5.library = dlopen(NNRT_HDF5, RTLD_NOW);
  cr_assert(h5.library, "%s", dlerror());
#define FIND(name) cr_assert((*(void **)&h5.name = dlsym(h5.library, #name)));
  FUNCTIONS(FIND)
  h5.H5open();
}

static hid_t type_named(const char *name) {
  return *(hid_t *)dlsym(h5.library, name);
}

static hid_t new_file(const char **path) {
  *path = file_text("");
  hid_t file = h5.H5Fcreate(*path, 2 /* H5F_ACC_TRUNC, whose macro calls the library */, H5P_DEFAULT, H5P_DEFAULT);
  cr_assert(file >= 0);
  return file;
}

static void write_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dim, const void *values,
                        bool packed) {
  hid_t space = h5.H5Screate_simple(rank, dim, NULL), how = H5P_DEFAULT;
  if (packed) {
    how = h5.H5Pcreate(*(hid_t *)dlsym(h5.library, "H5P_CLS_DATASET_CREATE_ID_g"));
    h5.H5Pset_chunk(how, rank, dim);
    h5.H5Pset_deflate(how, 9);
  }
  hid_t data = h5.H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
  cr_assert(data >= 0);
  cr_assert(!values || h5.H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  h5.H5Dclose(data);
  if (packed)
    h5.H5Pclose(how);
  h5.H5Sclose(space);
}

static const hsize_t four_by_two[] = {4, 2}, four[] = {4};
static const float reals[8] = {1, 2, 3, 4, 5, 6, 7, 8};

Test(hdf5, bytes_and_classes) {
  load();
  const char *path;
  hid_t file = new_file(&path);
  static const unsigned char x[8] = {0, 255, 1, 2, 3, 4, 5, 6};
  static const int y[4] = {2, 0, 1, 1};
  write_array(file, "x", type_named("H5T_NATIVE_UCHAR_g"), 2, four_by_two, x, true);
  write_array(file, "y", type_named("H5T_NATIVE_INT_g"), 1, four, y, false);
  h5.H5Fclose(file);
  NnrtDataset *set = OPEN(CALL("hdf5", STR(path)), CALL("scale", REAL(0.5)));
  cr_assert_eq(nnrt_data_info(set)->class_count, 3);
  float got[2];
  int64_t class;
  sample(set, NNRT_PART_TRAIN, 0, got, &class);
  cr_assert_arr_eq(got, ((float[]){0, 127.5f}), sizeof got);
  cr_assert_eq(class, 2);
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, path, &error);
  cr_assert(like, "%s", error.text);
  sample(like, NNRT_PART_TEST, 3, got, NULL);
  cr_assert_arr_eq(got, ((float[]){2.5f, 3}), sizeof got);
  nnrt_data_close(like);
  nnrt_data_close(set);
}

Test(hdf5, groups_targets_and_a_test_part) {
  load();
  const char *path;
  hid_t file = new_file(&path);
  hid_t group = h5.H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  h5.H5Gclose(group);
  write_array(file, "train/images", type_named("H5T_IEEE_F32BE_g"), 2, four_by_two, NULL, false);
  write_array(file, "images", type_named("H5T_NATIVE_FLOAT_g"), 2, four_by_two, reals, true);
  h5.H5Fclose(file);
  NnrtDataset *set = OPEN(CALL("hdf5", STR(path), NAMED("x", STR("images")), NAMED("y", STR("images")),
                               NAMED("test_x", STR("images")), NAMED("test_y", STR("images"))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->count[NNRT_PART_TEST], 4);
  cr_assert_eq(info->y.type, NNRT_F32);
  float x[2], y[2];
  sample(set, NNRT_PART_TEST, 2, x, y);
  cr_assert_arr_eq(x, ((float[]){5, 6}), sizeof x);
  cr_assert_arr_eq(y, x, sizeof x);
  nnrt_data_close(set);
  set = OPEN(CALL("hdf5", STR(path), NAMED("x", STR("train/images")), NAMED("y", STR("images"))));
  sample(set, NNRT_PART_TRAIN, 2, x, y);
  cr_assert_arr_eq(x, ((float[]){0, 0}), sizeof x); // never written
  nnrt_data_close(set);
}

Test(hdf5, bad_files) {
  load();
  const char *path;
  hid_t file = new_file(&path), text = h5.H5Tcopy(type_named("H5T_C_S1_g"));
  static const hsize_t huge[] = {1ull << 40, 1 << 20}, none[] = {0, 4}, three[] = {3};
  write_array(file, "images", type_named("H5T_NATIVE_FLOAT_g"), 2, four_by_two, reals, false);
  write_array(file, "words", text, 1, four, "abcd", false);
  write_array(file, "huge", type_named("H5T_NATIVE_FLOAT_g"), 2, huge, NULL, false);
  write_array(file, "none", type_named("H5T_NATIVE_FLOAT_g"), 2, none, NULL, false);
  write_array(file, "three", type_named("H5T_NATIVE_FLOAT_g"), 1, three, reals, false);
  write_array(file, "one", type_named("H5T_NATIVE_FLOAT_g"), 0, NULL, reals, false);
  h5.H5Tclose(text);
  h5.H5Fclose(file);
  FAILS("there is no array `x`", CALL("hdf5", STR(path)));
  FAILS("there is no array `labels`", CALL("hdf5", STR(path), NAMED("x", STR("images")), NAMED("y", STR("labels"))));
  FAILS("array `words`: its elements are neither whole numbers nor reals",
        CALL("hdf5", STR(path), NAMED("x", STR("words"))));
  FAILS("array `huge`: the header promises more elements", CALL("hdf5", STR(path), NAMED("x", STR("huge"))));
  FAILS("array `none` has no elements", CALL("hdf5", STR(path), NAMED("x", STR("none"))));
  FAILS("array `one` is a single number", CALL("hdf5", STR(path), NAMED("x", STR("one"))));
  FAILS("has 3 rows for the 4 samples", CALL("hdf5", STR(path), NAMED("x", STR("images")), NAMED("y", STR("three"))));
  FAILS("not an HDF5 file, or a damaged one", CALL("hdf5", STR(file_text("only a text"))));
  FAILS("cannot open `nowhere.h5`", CALL("hdf5", STR("nowhere.h5")));
  cr_assert_eq(truncate(path, 3000), 0);
  FAILS("not an HDF5 file, or a damaged one", CALL("hdf5", STR(path), NAMED("x", STR("images"))));
}

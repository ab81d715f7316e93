// The IDX source: types, parts, folders, compressed files, headers that lie.
#include <sys/stat.h>
#include <zlib.h>

#include "data_helper.h"

static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 1, 2, 3, 4};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};
#define FILE_OF(bytes) STR(file_bytes(bytes, sizeof bytes))

Test(idx, bytes) {
  NnrtDataset *set = OPEN(CALL("idx", FILE_OF(images), FILE_OF(labels)), CALL("scale", REAL(0.5)));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->x.rank, 2);
  cr_assert_eq(info->x.dim[0], 1);
  cr_assert_eq(info->x.dim[1], 2);
  cr_assert_eq(info->x.type, NNRT_F32);
  cr_assert_eq(info->class_count, 3);
  cr_assert_null(info->class_names);
  cr_assert_eq(info->count[0], 3);
  float x[4];
  int64_t y[2];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 2}, 2, x, y);
  cr_assert_arr_eq(x, ((float[]){0, 127.5f, 1.5f, 2}), sizeof x);
  cr_assert_arr_eq(y, ((int64_t[]){2, 1}), sizeof y);
  nnrt_data_close(set);
}

Test(idx, test_part_and_standardize) {
  static const unsigned char more[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 200, 3};
  static const unsigned char label[] = {0, 0, 8, 1, 0, 0, 0, 1, 5};
  NnrtDataset *set = OPEN(CALL("idx", FILE_OF(images), FILE_OF(labels), NAMED("test_images", FILE_OF(more)),
                               NAMED("test_labels", FILE_OF(label))),
                          BARE("standardize"));
  cr_assert_eq(nnrt_data_info(set)->count[NNRT_PART_TEST], 1);
  cr_assert_eq(nnrt_data_info(set)->class_count, 6);
  float x[2];
  int64_t y;
  sample(set, NNRT_PART_TEST, 0, x, &y);
  cr_assert_eq(y, 5);
  // training column 0 is 0, 1, 3: mean 4/3, variance 14/9
  cr_assert_float_eq(x[0], (200 - 4.0 / 3) / 1.247219128924647, 1e-4);
  nnrt_data_close(set);
}

Test(idx, other_types) {
  static const unsigned char i16[] = {0, 0, 11, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0};
  static const unsigned char i32[] = {0, 0, 12, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0};
  static const unsigned char f32[] = {0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0};
  static const unsigned char f64[] = {0, 0, 14, 1, 0, 0, 0, 1, 0xc0, 4, 0, 0, 0, 0, 0, 0};
  static const unsigned char i8[] = {0, 0, 9, 1, 0, 0, 0, 1, 0x80};
  float x[2];
  NnrtDataset *set = OPEN(CALL("idx", FILE_OF(i16)));
  sample(set, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert_arr_eq(x, ((float[]){-2, 256}), 8);
  cr_assert_eq(nnrt_data_info(set)->y.rank, -1);
  nnrt_data_close(set);
  set = OPEN(CALL("idx", FILE_OF(i32)));
  cr_assert_eq(nnrt_data_info(set)->x.rank, 1);
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1}, 2, x, NULL);
  cr_assert_arr_eq(x, ((float[]){-1, 65536}), 8);
  nnrt_data_close(set);
  const struct {
    const void *bytes;
    size_t size;
    float value;
  } singles[] = {{f32, sizeof f32, 1.5f}, {f64, sizeof f64, -2.5f}, {i8, sizeof i8, -128}};
  for (int i = 0; i < 3; i++) {
    set = OPEN(CALL("idx", STR(file_bytes(singles[i].bytes, singles[i].size))));
    sample(set, NNRT_PART_TRAIN, 0, x, NULL);
    cr_assert_eq(x[0], singles[i].value);
    nnrt_data_close(set);
  }
}

static void write_gz(const char *folder, const char *name, const void *bytes, unsigned size) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  gzFile file = gzopen(path, "wb");
  cr_assert_eq(gzwrite(file, bytes, size), (int)size);
  gzclose(file);
}

Test(idx, folder) {
  char folder[] = "/tmp/nnrt_idx_XXXXXX", path[256];
  cr_assert(mkdtemp(folder));
  FAILS("has no train-images-idx3-ubyte", CALL("idx", STR(folder)));
  write_gz(folder, "train-images-idx3-ubyte.gz", images, sizeof images);
  FAILS("has no train-labels-idx1-ubyte", CALL("idx", STR(folder)));
  write_gz(folder, "train-labels.idx1-ubyte.gz", labels, sizeof labels);
  write_gz(folder, "t10k-images-idx3-ubyte.gz", images, sizeof images);
  FAILS("has no t10k-labels-idx1-ubyte", CALL("idx", STR(folder)));
  write_gz(folder, "t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
  NnrtDataset *set = OPEN(CALL("idx", STR(folder)));
  cr_assert_eq(nnrt_data_info(set)->count[NNRT_PART_TRAIN], 3);
  cr_assert_eq(nnrt_data_info(set)->count[NNRT_PART_TEST], 3);
  float x[2];
  sample(set, NNRT_PART_TEST, 1, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2}), 8);
  nnrt_data_close(set);
  static const char *const names[] = {"train-images-idx3-ubyte.gz", "train-labels.idx1-ubyte.gz",
                                      "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
}

Test(idx, bad_files) {
  static const unsigned char huge[] = {0,    0,    8,    3,    0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  static const unsigned char none[] = {0, 0, 8, 1, 0, 0, 0, 0};
  static const unsigned char type[] = {0, 0, 7, 1, 0, 0, 0, 1, 1};
  static const unsigned char rank[] = {0, 0, 8, 0, 1};
  static const unsigned char two[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 1};
  static const unsigned char square[] = {0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2, 1, 1, 1, 1, 1, 1};
  static const unsigned char minus[] = {0, 0, 9, 1, 0, 0, 0, 3, 1, 0xff, 1};
  static const unsigned char nan[] = {0, 0, 13, 1, 0, 0, 0, 1, 0x7f, 0xc0, 0, 0};
  static const unsigned char longer[] = {0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0, 1};
  FAILS("more elements than the file can hold", CALL("idx", FILE_OF(huge)));
  FAILS("dimension 1 is 0", CALL("idx", FILE_OF(none)));
  FAILS("not an IDX file (it starts with bytes 00 00 07 01)", CALL("idx", FILE_OF(type)));
  FAILS("an IDX file of 0 dimensions", CALL("idx", FILE_OF(rank)));
  FAILS("the file ends too early", CALL("idx", STR(file_bytes(images, 3))));
  FAILS("the file ends too early", CALL("idx", STR(file_bytes(images, sizeof images - 1))));
  FAILS("more in the file than its header says", CALL("idx", FILE_OF(longer)));
  FAILS("2 labels for 3 samples", CALL("idx", FILE_OF(images), FILE_OF(two)));
  FAILS("this file has 2 dimensions", CALL("idx", FILE_OF(images), FILE_OF(square)));
  FAILS("label 1 is -1", CALL("idx", FILE_OF(images), FILE_OF(minus)));
  FAILS("element 0 is nan", CALL("idx", FILE_OF(nan)));
  FAILS("another shape or type", CALL("idx", FILE_OF(images), NAMED("test_images", FILE_OF(square))));
  FAILS_CHECK("`test_labels` needs `test_images`", CALL("idx", STR("a"), STR("b"), NAMED("test_labels", STR("c"))));
  FAILS_CHECK("but not for both", CALL("idx", STR("a"), STR("b"), NAMED("test_images", STR("c"))));
  FAILS("cannot open `nowhere`", CALL("idx", STR("nowhere"), STR("b")));
}

Test(idx, mnist) {
  const char *folder = real_data();
  char path[512];
  snprintf(path, sizeof path, "%s/mnist", folder);
  if (access(path, R_OK))
    cr_skip("skipped: MNIST is not here");
  NnrtDataset *set = OPEN(CALL("idx", STR(path)), CALL("split", NAMED("val", INT(5000))), BARE("flatten"),
                          CALL("scale", REAL(1.0 / 255)));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->count[0], 55000);
  cr_assert_eq(info->count[1], 5000);
  cr_assert_eq(info->count[2], 10000);
  cr_assert_eq(info->class_count, 10);
  cr_assert_eq(info->x.dim[0], 784);
  static float x[784];
  int64_t y;
  double sum = 0;
  sample(set, NNRT_PART_TEST, 0, x, &y);
  cr_assert_eq(y, 7);
  for (int i = 0; i < 784; i++)
    sum += x[i];
  cr_assert(sum > 10 && sum < 784);
  nnrt_data_close(set);
}

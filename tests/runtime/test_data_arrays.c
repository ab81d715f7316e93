// The sources npy, npz, cifar10 and cifar100: types, parts, compressed archives, and files that are not what they say.
#include <sys/stat.h>
#include <zlib.h>

#include "data_helper.h"

// ---- NPY
typedef struct Bytes {
  unsigned char data[8192];
  size_t length;
} Bytes;

static void add(Bytes *to, const void *bytes, size_t length) {
  cr_assert(to->length + length <= sizeof to->data);
  memcpy(to->data + to->length, bytes, length);
  to->length += length;
}

static Bytes npy_of(const char *type, const char *order, const char *shape, const void *elements, size_t length) {
  Bytes npy = {0};
  char header[256];
  int used = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", type, order, shape);
  unsigned char size[2] = {(unsigned char)used, 0};
  add(&npy, "\x93NUMPY\1\0", 8);
  add(&npy, size, 2);
  add(&npy, header, (size_t)used);
  add(&npy, elements, length);
  return npy;
}

static NnrtArg npy(const char *type, const char *shape, const void *elements, size_t length) {
  Bytes bytes = npy_of(type, "False", shape, elements, length);
  return STR(file_bytes(bytes.data, bytes.length));
}

Test(npy, bytes_with_classes) {
  static const unsigned char x[] = {0, 255, 1, 2, 3, 4},
                             y[] = {2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  NnrtDataset *set =
      OPEN(CALL("npy", npy("|u1", "(3, 1, 2)", x, 6), npy("<i8", "(3,)", y, 24)), CALL("scale", REAL(0.5)));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->x.rank, 2);
  cr_assert_eq(info->x.dim[1], 2);
  cr_assert_eq(info->class_count, 3);
  float got[4];
  int64_t class[2];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 2}, 2, got, class);
  cr_assert_arr_eq(got, ((float[]){0, 127.5f, 1.5f, 2}), sizeof got);
  cr_assert_arr_eq(class, ((int64_t[]){2, 0}), sizeof class);
  nnrt_data_close(set);
}

Test(npy, every_type) {
  const struct {
    const char *type;
    unsigned char bytes[8];
    float value;
  } cases[] = {{"|b1", {1}, 1},
               {"|i1", {0x80}, -128},
               {"<u2", {1, 2}, 513},
               {">u2", {1, 2}, 258},
               {"<i2", {0xfe, 0xff}, -2},
               {"<i4", {0, 0, 1, 0}, 65536},
               {"<u4", {0, 0, 0, 0x80}, 2147483648.0f},
               {">i8", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}, -2},
               {"<f4", {0, 0, 0xc0, 0x3f}, 1.5f},
               {">f4", {0x3f, 0xc0, 0, 0}, 1.5f},
               {"<f8", {0, 0, 0, 0, 0, 0, 4, 0xc0}, -2.5f}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    float got;
    NnrtDataset *set = OPEN(CALL("npy", npy(cases[i].type, "(1,)", cases[i].bytes, (size_t)(cases[i].type[2] - '0'))));
    sample(set, NNRT_PART_TRAIN, 0, &got, NULL);
    cr_assert_eq(got, cases[i].value, "%s: %g", cases[i].type, got);
    nnrt_data_close(set);
  }
}

Test(npy, targets_maps_and_test_part) {
  static const float x[] = {1, 2, 3, 4}, y[] = {5, 6, 7, 8}, image[] = {1, 2, 3, 4, 5, 6, 7, 8};
  static const unsigned char map[] = {0, 3, 1, 1, 2, 2, 0, 0};
  NnrtDataset *set =
      OPEN(CALL("npy", npy("<f4", "(2, 2)", x, 16), npy("<f4", "(2, 2)", y, 16),
                NAMED("test_x", npy("<f4", "(1, 2)", y, 8)), NAMED("test_y", npy("<f4", "(1, 2)", x, 8))));
  float a[2], b[2];
  sample(set, NNRT_PART_TRAIN, 1, a, b);
  cr_assert_arr_eq(a, ((float[]){3, 4}), sizeof a);
  cr_assert_arr_eq(b, ((float[]){7, 8}), sizeof b);
  sample(set, NNRT_PART_TEST, 0, a, b);
  cr_assert_arr_eq(a, ((float[]){5, 6}), sizeof a);
  cr_assert_arr_eq(b, ((float[]){1, 2}), sizeof b);
  nnrt_data_close(set);
  set = OPEN(CALL("npy", npy("<f4", "(2, 2, 2)", image, 32), npy("|u1", "(2, 2, 2)", map, 8)));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->y.rank, 2);
  cr_assert_eq(info->y.type, NNRT_I64);
  cr_assert_eq(info->class_count, 4);
  int64_t classes[4];
  sample(set, NNRT_PART_TRAIN, 1, NULL, classes);
  cr_assert_arr_eq(classes, ((int64_t[]){2, 2, 0, 0}), sizeof classes);
  nnrt_data_close(set);
  set = OPEN(CALL("npy", npy("<f4", "(2, 2, 2)", image, 32), npy("<f4", "(2, 2, 2)", image, 32)));
  cr_assert_eq(nnrt_data_info(set)->y.rank, 2);
  cr_assert_eq(nnrt_data_info(set)->y.type, NNRT_F32);
  nnrt_data_close(set);
}

Test(npy, rows_to_predict_on) {
  static const float x[] = {1, 2, 3, 4, 5, 6};
  NnrtDataset *set = OPEN(CALL("npy", npy("<f4", "(3, 2)", x, 24)), CALL("scale", REAL(2)));
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, npy("<f4", "(1, 2)", x + 2, 8).text, &error);
  cr_assert(like, "%s", error.text);
  float got[2];
  sample(like, NNRT_PART_TEST, 0, got, NULL);
  cr_assert_arr_eq(got, ((float[]){6, 8}), sizeof got);
  nnrt_data_close(like);
  cr_assert_null(nnrt_data_open_like(set, npy("<f4", "(2, 1)", x, 8).text, &error));
  cr_assert(strstr(error.text, "its samples have 1 numbers; those of training had 2 numbers"), "%s", error.text);
  cr_assert_null(nnrt_data_open_like(set, npy("|u1", "(2, 2)", x, 4).text, &error));
  cr_assert(strstr(error.text, "have 2 bytes"), "%s", error.text);
  nnrt_data_close(set);
}

Test(npy, bad_files) {
  static const float x[] = {1, 2, 3, 4};
  static const unsigned char nan[] = {0, 0, 0xc0, 0x7f}, minus[] = {0xff, 0xff};
  Bytes fortran = npy_of("<f4", "True", "(2, 2)", x, 16), whole = npy_of("<f4", "False", "(4, 1)", x, 16);
  FAILS("Fortran order", CALL("npy", STR(file_bytes(fortran.data, fortran.length))));
  FAILS("elements of type '|O' cannot be read", CALL("npy", npy("|O", "(2,)", x, 16)));
  FAILS("elements of type '<U7' cannot be read", CALL("npy", npy("<U7", "(2,)", x, 16)));
  FAILS("elements of type '<f2' cannot be read", CALL("npy", npy("<f2", "(2,)", x, 16)));
  FAILS("elements of type '|V8' cannot be read", CALL("npy", npy("|V8", "(2,)", x, 16)));
  FAILS("not an NPY file (it starts with bytes 6f 6f 70 73)", CALL("npy", STR(file_text("oops, a text file"))));
  FAILS("the file ends too early", CALL("npy", STR(file_bytes(whole.data, 30))));
  FAILS("the file ends too early", CALL("npy", STR(file_bytes(whole.data, whole.length - 10))));
  FAILS("promises more elements", CALL("npy", npy("<f4", "(4000000000, 4000000000, 4000000000)", x, 16)));
  FAILS("has no elements: dimension 1 is 0", CALL("npy", npy("<f4", "(0, 2)", x, 0)));
  FAILS("has no elements: dimension 1 is -4", CALL("npy", npy("<f4", "(-4,)", x, 16)));
  FAILS("is a single number", CALL("npy", npy("<f4", "()", x, 4)));
  FAILS("the shape in the header is damaged", CALL("npy", npy("<f4", "(4, x)", x, 16)));
  FAILS("the shape in the header is damaged", CALL("npy", npy("<f4", "(4,", x, 16)));
  FAILS("more than 9 dimensions", CALL("npy", npy("<f4", "(1,1,1,1,1,1,1,1,1,1,1)", x, 16)));
  FAILS("sample 0 holds nan", CALL("npy", npy("<f4", "(1,)", nan, 4)));
  FAILS("the class of sample 0 is -1", CALL("npy", npy("<f4", "(2, 2)", x, 16), npy("|i1", "(2,)", minus, 2)));
  FAILS("has 1 rows for the 2 samples of", CALL("npy", npy("<f4", "(2, 2)", x, 16), npy("|i1", "(1,)", x, 1)));
  FAILS("has another shape or type than",
        CALL("npy", npy("<f4", "(2, 2)", x, 16), NAMED("test_x", npy("<f4", "(2, 1)", x, 8))));
  FAILS("cannot open `nowhere.npy`", CALL("npy", STR("nowhere.npy")));
  FAILS_CHECK("`test_y` needs `test_x`", CALL("npy", STR("a"), STR("b"), NAMED("test_y", STR("c"))));
  FAILS_CHECK("but not for both", CALL("npy", STR("a"), STR("b"), NAMED("test_x", STR("c"))));
}

// ---- NPZ
static void little(Bytes *to, unsigned value, int count) {
  for (int i = 0; i < count; i++)
    add(to, &(unsigned char){(unsigned char)(value >> 8 * i)}, 1);
}

typedef struct Zip {
  Bytes archive, directory;
  unsigned count;
} Zip;

static void add_member(Zip *zip, const char *name, const Bytes *content, bool deflated) {
  unsigned char packed[8192];
  z_stream stream = {.next_in = (unsigned char *)content->data,
                     .avail_in = (unsigned)content->length,
                     .next_out = packed,
                     .avail_out = sizeof packed};
  cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
  unsigned size = deflated ? (unsigned)stream.total_out : (unsigned)content->length,
           place = (unsigned)zip->archive.length;
  deflateEnd(&stream);
  unsigned crc = (unsigned)crc32(0, content->data, (unsigned)content->length);
  for (int local = 1; local >= 0; local--) {
    Bytes *to = local ? &zip->archive : &zip->directory;
    add(to, local ? "PK\3\4" : "PK\1\2\x14\0", local ? 4 : 6);
    little(to, 20, 2);
    little(to, 0, 2);
    little(to, deflated ? 8 : 0, 2);
    little(to, 0, 4);
    little(to, crc, 4);
    little(to, size, 4);
    little(to, (unsigned)content->length, 4);
    little(to, (unsigned)strlen(name), 2);
    little(to, 0, 2);
    if (!local) {
      little(to, 0, 10);
      little(to, place, 4);
    }
    add(to, name, strlen(name));
  }
  add(&zip->archive, deflated ? packed : content->data, size);
  zip->count++;
}

static Bytes *zip_end(Zip *zip) {
  unsigned place = (unsigned)zip->archive.length;
  add(&zip->archive, zip->directory.data, zip->directory.length);
  add(&zip->archive, "PK\5\6\0\0\0\0", 8);
  little(&zip->archive, zip->count, 2);
  little(&zip->archive, zip->count, 2);
  little(&zip->archive, (unsigned)zip->directory.length, 4);
  little(&zip->archive, place, 4);
  little(&zip->archive, 0, 2);
  return &zip->archive;
}

static Bytes archive(void) {
  static const float x[] = {1, 2, 3, 4};
  static const unsigned char y[] = {0, 1};
  Zip zip = {0};
  Bytes x_bytes = npy_of("<f4", "False", "(2, 2)", x, 16), y_bytes = npy_of("|u1", "False", "(2,)", y, 2);
  add_member(&zip, "x.npy", &x_bytes, true);
  add_member(&zip, "y.npy", &y_bytes, false);
  return *zip_end(&zip);
}

Test(npz, stored_and_deflated) {
  Bytes zip = archive();
  const char *path = file_bytes(zip.data, zip.length);
  NnrtDataset *set = OPEN(CALL("npz", STR(path)));
  float got[2];
  int64_t class;
  sample(set, NNRT_PART_TRAIN, 1, got, &class);
  cr_assert_arr_eq(got, ((float[]){3, 4}), sizeof got);
  cr_assert_eq(class, 1);
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, path, &error);
  cr_assert(like, "%s", error.text);
  cr_assert_eq(nnrt_data_info(like)->count[NNRT_PART_TEST], 2);
  nnrt_data_close(like);
  nnrt_data_close(set);
  set = OPEN(CALL("npz", STR(path), NAMED("x", STR("y")), NAMED("y", STR("x"))));
  cr_assert_eq(nnrt_data_info(set)->y.dim[0], 2);
  nnrt_data_close(set);
}

Test(npz, bad_files) {
  Bytes zip = archive();
  FAILS("there is no array `images`; the first is `x`",
        CALL("npz", STR(file_bytes(zip.data, zip.length)), NAMED("x", STR("images"))));
  FAILS("not a zip archive, or one that was cut short", CALL("npz", STR(file_bytes(zip.data, zip.length - 30))));
  FAILS("not a zip archive", CALL("npz", STR(file_text("PK, but only a text"))));
  Bytes spoilt = zip;
  spoilt.data[60] ^= 1; // within the packed x
  FAILS("array `x`: ", CALL("npz", STR(file_bytes(spoilt.data, spoilt.length))));
  spoilt = zip;
  memset(spoilt.data + spoilt.length - 6, 0xff, 4); // the directory's place
  FAILS("damaged", CALL("npz", STR(file_bytes(spoilt.data, spoilt.length))));
  spoilt = zip;
  spoilt.data[spoilt.length - 10]--; // its length
  FAILS("the directory of the zip archive is damaged", CALL("npz", STR(file_bytes(spoilt.data, spoilt.length))));
  Zip text = {0};
  Bytes words = {.data = "hello, world", .length = 12};
  add_member(&text, "x.npy", &words, false);
  Bytes *whole = zip_end(&text);
  FAILS("array `x`: not an NPY file", CALL("npz", STR(file_bytes(whole->data, whole->length))));
}

// ---- CIFAR
static char cifar_folder[] = "/tmp/nnrt_cifar_XXXXXX";

static void write_records(const char *name, int count, int labels, size_t cut) {
  static unsigned char bytes[3 * 3074];
  char path[128];
  for (int i = 0; i < count; i++) {
    unsigned char *record = bytes + i * (labels + 3072);
    for (int j = 0; j < labels; j++)
      record[j] = (unsigned char)(i + 3 * j);
    for (int j = 0; j < 3072; j++)
      record[labels + j] = (unsigned char)(j / 1024 * 10 + j % 7 + i);
  }
  snprintf(path, sizeof path, "%s/%s", cifar_folder, name);
  FILE *file = fopen(path, "wb");
  fwrite(bytes, 1, (size_t)(count * (labels + 3072)) - cut, file);
  fclose(file);
}

static void remove_folder(void) {
  static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "test_batch.bin", "batches.meta.txt",
                                      "train.bin"};
  char path[128];
  for (int i = 0; i < 5; i++) {
    snprintf(path, sizeof path, "%s/%s", cifar_folder, names[i]);
    unlink(path);
  }
  rmdir(cifar_folder);
}

Test(cifar, ten) {
  cr_assert(mkdtemp(cifar_folder));
  FAILS("has no data_batch_1.bin", CALL("cifar10", STR(cifar_folder)));
  write_records("data_batch_1.bin", 3, 1, 0);
  write_records("data_batch_2.bin", 2, 1, 0);
  write_records("test_batch.bin", 1, 1, 0);
  NnrtDataset *set = OPEN(CALL("cifar10", STR(cifar_folder)), CALL("shuffle", BOOL(false)));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->count[NNRT_PART_TRAIN], 5);
  cr_assert_eq(info->count[NNRT_PART_TEST], 1);
  cr_assert_eq(info->class_count, 10);
  cr_assert_null(info->class_names);
  cr_assert_eq(info->x.dim[2], 3);
  static float x[3072];
  int64_t y;
  sample(set, NNRT_PART_TRAIN, 4, x, &y);
  cr_assert_eq(y, 1);
  cr_assert_eq(x[3 * 33 + 2], 20 + (2 * 1024 + 33) % 7 + 1); // row 1, column 1, blue
  char path[128];
  snprintf(path, sizeof path, "%s/batches.meta.txt", cifar_folder);
  FILE *meta = fopen(path, "w");
  for (int i = 0; i < 10; i++)
    fprintf(meta, "class%d\r\n", i);
  fclose(meta);
  nnrt_data_close(set);
  set = OPEN(CALL("cifar10", STR(cifar_folder)));
  cr_assert_str_eq(nnrt_data_info(set)->class_names[9], "class9");
  snprintf(path, sizeof path, "%s/test_batch.bin", cifar_folder);
  NnrtError error = {0};
  NnrtDataset *like = nnrt_data_open_like(set, path, &error);
  cr_assert(like, "%s", error.text);
  cr_assert_eq(nnrt_data_info(like)->count[NNRT_PART_TEST], 1);
  nnrt_data_close(like);
  nnrt_data_close(set);
  write_records("data_batch_2.bin", 2, 1, 100);
  FAILS("data_batch_2.bin: the file ends within record 2", CALL("cifar10", STR(cifar_folder)));
  write_records("data_batch_2.bin", 1, 1, 3073);
  FAILS("data_batch_2.bin: the file ends within record 1", CALL("cifar10", STR(cifar_folder)));
  remove_folder();
}

Test(cifar, hundred) {
  cr_assert(mkdtemp(cifar_folder));
  write_records("train.bin", 3, 2, 0);
  NnrtDataset *set = OPEN(CALL("cifar100", STR(cifar_folder)));
  int64_t y;
  sample(set, NNRT_PART_TRAIN, 2, NULL, &y);
  cr_assert_eq(y, 5);
  cr_assert_eq(nnrt_data_info(set)->class_count, 100);
  nnrt_data_close(set);
  set = OPEN(CALL("cifar100", STR(cifar_folder), NAMED("labels", STR("coarse"))));
  sample(set, NNRT_PART_TRAIN, 2, NULL, &y);
  cr_assert_eq(y, 2);
  cr_assert_eq(nnrt_data_info(set)->class_count, 20);
  nnrt_data_close(set);
  FAILS_CHECK("is fine or coarse", CALL("cifar100", STR("a"), NAMED("labels", STR("other"))));
  FAILS_CHECK("has no choice of labels", CALL("cifar10", STR("a"), NAMED("labels", STR("fine"))));
  write_records("data_batch_1.bin", 3, 2, 0); // CIFAR-100's records as CIFAR-10's
  FAILS("record 2 has label", CALL("cifar10", STR(cifar_folder)));
  remove_folder();
}

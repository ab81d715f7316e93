// The `images` source: classes, parts, sizes, masks, files that are decoded late, and files that are no images.
#include "image_helper.h"

static void two_classes(void) {
  write_png("set/dog/b.png", 4, 5, 3, 1);
  write_png("set/dog/a.png", 4, 5, 3, 2);
  write_png("set/cat/c.PNG", 4, 5, 3, 3);
  write_bytes("set/cat/notes.txt", "no image", 8);
  write_bytes("set/.hidden", "no image", 8);
}

static void check_pixels(const float *x, int64_t height, int64_t width, int channels, int seed) {
  for (int64_t y = 0; y < height; y++)
    for (int64_t i = 0; i < width; i++)
      for (int c = 0; c < channels; c++)
        cr_assert_eq(x[(y * width + i) * channels + c], pixel_of(seed, y, i, c), "at %d %d %d", (int)y, (int)i, c);
}

Test(images, a_folder_a_class) {
  two_classes();
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    NnrtDataset *set = OPEN(CALL("images", STR(in_root("set")), NAMED("in_memory", BOOL(in_memory))));
    const NnrtSampleInfo *info = nnrt_data_info(set);
    cr_assert_eq(info->x.rank, 3);
    cr_assert_arr_eq(info->x.dim, ((int64_t[]){4, 5, 3}), 24);
    cr_assert_eq(info->count[0], 3);
    cr_assert_eq(info->class_count, 2);
    cr_assert_str_eq(info->class_names[0], "cat");
    cr_assert_str_eq(info->class_names[1], "dog");
    float x[60];
    int64_t y;
    static const int seeds[] = {3, 2, 1};
    for (int i = 0; i < 3; i++) {
      sample(set, NNRT_PART_TRAIN, i, x, &y);
      cr_assert_eq(y, i > 0);
      check_pixels(x, 4, 5, 3, seeds[i]);
    }
    cr_assert_eq(nnrt_data_works(set), !in_memory);
    nnrt_data_close(set);
  }
}

Test(images, parts_colours_and_no_classes) {
  write_png("set/train/1.png", 2, 2, 1, 7);
  write_png("set/train/2.png", 2, 2, 3, 0);
  write_png("set/val/1.png", 2, 2, 1, 9);
  NnrtDataset *set = OPEN(CALL("images", STR(in_root("set")), NAMED("color", STR("grey"))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->count[NNRT_PART_TRAIN], 2);
  cr_assert_eq(info->count[NNRT_PART_VAL], 1);
  cr_assert_eq(info->count[NNRT_PART_TEST], 0);
  cr_assert_eq(info->y.rank, -1);
  float x[12];
  sample(set, NNRT_PART_VAL, 0, x, NULL);
  check_pixels(x, 2, 2, 1, 9);
  sample(set, NNRT_PART_TRAIN, 1, x, NULL);
  cr_assert_eq(x[0], (299 * 0 + 587 * 50 + 114 * 100 + 500) / 1000);
  nnrt_data_close(set);
  set = OPEN(CALL("images", STR(in_root("set"))));
  sample(set, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert(x[3] == 10 && x[4] == 10 && x[5] == 10); // grey in all three
  nnrt_data_close(set);
}

Test(images, jpeg_and_sizes) {
  write_jpeg("set/a/1.jpg", 10, 6, 200);
  write_jpeg("set/b/2.jpeg", 30, 40, 100);
  FAILS("30 x 40 pixels, but", CALL("images", STR(in_root("set"))));
  NnrtDataset *set = OPEN(CALL("images", STR(in_root("set")), NAMED("size", LIST(INT(5), INT(3)))));
  float x[45];
  sample(set, NNRT_PART_TRAIN, 0, x, NULL);
  for (int i = 0; i < 45; i++)
    cr_assert_eq(x[i], 200);
  sample(set, NNRT_PART_TRAIN, 1, x, NULL);
  for (int i = 0; i < 45; i++)
    cr_assert_eq(x[i], 100);
  nnrt_data_close(set);
}

Test(images, resized) {
  write_png("set/a.png", 4, 4, 1, 0);
  NnrtDataset *set = OPEN(CALL("images", STR(in_root("set")), NAMED("size", INT(2)), NAMED("color", STR("grey"))));
  float x[64];
  sample(set, NNRT_PART_TRAIN, 0, x, NULL);
  // weights 3 3 1 over 7 along both: rows at 10 * 5/7 and 10 * 16/7, columns at 3 * 5/7 and 3 * 16/7
  cr_assert_arr_eq(x, ((float[]){9, 14, 25, 30}), 16, "%g %g %g %g", x[0], x[1], x[2], x[3]);
  nnrt_data_close(set);
  set = OPEN(CALL("images", STR(in_root("set")), NAMED("size", INT(8)), NAMED("color", STR("grey"))));
  sample(set, NNRT_PART_TRAIN, 0, x, NULL);
  cr_assert_eq(x[0], 0);
  cr_assert_eq(x[63], 39);
  cr_assert_eq(x[1 * 8 + 1], 3); // a quarter of a pixel along both: 2.5 + 0.75
  nnrt_data_close(set);
}

// What is learnt from the training images is the same, whether they are kept or decoded again.
Test(images, standardized) {
  two_classes();
  float x[2][60];
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    NnrtDataset *set =
        OPEN(CALL("images", STR(in_root("set")), NAMED("in_memory", BOOL(in_memory))), BARE("standardize"));
    sample(set, NNRT_PART_TRAIN, 0, x[in_memory], NULL);
    nnrt_data_close(set);
  }
  cr_assert_arr_eq(x[0], x[1], sizeof x[0]);
  cr_assert_float_eq(x[0][0], 1.224745, 1e-5); // 3 among 1, 2, 3
}

Test(images, masks) {
  write_png("in/one.png", 3, 4, 3, 0);
  write_png("in/two.png", 3, 4, 3, 5);
  uint8_t map[12] = {0, 1, 2, 0, 0, 0, 1, 1, 2, 2, 2, 2};
  char why[160];
  for (int i = 0; i < 2; i++) {
    FILE *file = create(i ? "masks/two.png" : "masks/one.png");
    map[0] = (uint8_t)(i ? 4 : 0);
    nnrt_codec.write_png(file, map, 3, 4, 1, why);
    fclose(file);
  }
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    NnrtDataset *set = OPEN(
        CALL("images", STR(in_root("in")), NAMED("masks", STR(in_root("masks"))), NAMED("in_memory", BOOL(in_memory))));
    const NnrtSampleInfo *info = nnrt_data_info(set);
    cr_assert_eq(info->y.rank, 2);
    cr_assert_eq(info->y.type, NNRT_I64);
    cr_assert_eq(info->y.dim[1], 4);
    cr_assert_eq(info->class_count, 5);
    int64_t y[24];
    nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1}, 2, NULL, y);
    for (int i = 0; i < 12; i++) {
      cr_assert_eq(y[i], i ? map[i] : 0);
      cr_assert_eq(y[12 + i], map[i]);
    }
    nnrt_data_close(set);
  }
  FAILS("masks/two.png: the mask holds class 4; there are 3",
        CALL("images", STR(in_root("in")), NAMED("masks", STR(in_root("masks"))), NAMED("classes", INT(3))));
  write_png("masks/two.png", 3, 5, 1, 0);
  FAILS("masks/two.png: 3 x 5 pixels where 3 x 4 are wanted",
        CALL("images", STR(in_root("in")), NAMED("masks", STR(in_root("masks")))));
  FAILS("masks/two.png: the mask has 3 x 5 pixels, its image",
        CALL("images", STR(in_root("in")), NAMED("masks", STR(in_root("masks"))), NAMED("classes", INT(200))));
  write_png("masks/two.png", 3, 4, 3, 0);
  FAILS("masks/two.png: it has no grey values or palette indices",
        CALL("images", STR(in_root("in")), NAMED("masks", STR(in_root("masks")))));
  unlink(in_root("masks/two.png"));
  FAILS("image two.png has no mask: No such file",
        CALL("images", STR(in_root("in")), NAMED("masks", STR(in_root("masks")))));
}

Test(images, rows_to_predict_on) {
  two_classes();
  NnrtDataset *set = OPEN(CALL("images", STR(in_root("set"))), CALL("scale", REAL(0.5)));
  NnrtError error = {0};
  write_png("new/2.png", 4, 5, 3, 20);
  write_png("new/1.png", 8, 10, 3, 20);
  NnrtDataset *like = nnrt_data_open_like(set, in_root("new/2.png"), &error);
  cr_assert(like, "%s", error.text);
  float x[60];
  sample(like, NNRT_PART_TEST, 0, x, NULL);
  cr_assert_eq(x[1], 35);
  nnrt_data_close(like);
  like = nnrt_data_open_like(set, in_root("new"), &error);
  cr_assert(like, "%s", error.text);
  cr_assert_eq(nnrt_data_info(like)->count[NNRT_PART_TEST], 2);
  sample(like, NNRT_PART_TEST, 1, x, NULL);
  cr_assert_eq(x[1], 35);
  nnrt_data_close(like);
  cr_assert_null(nnrt_data_open_like(set, in_root("nowhere.png"), &error));
  cr_assert(strstr(error.text, "nowhere.png: cannot read it: No such file"), "%s", error.text);
  cr_assert_null(nnrt_data_open_like(set, in_root("set"), &error));
  cr_assert(strstr(error.text, "has no images"), "%s", error.text);
  nnrt_data_close(set);
}

Test(images, bad_files) {
  two_classes();
  NnrtArg folder = STR(in_root("set"));
  write_png("set/cat/cut.png", 4, 5, 3, 1);
  cut_file("set/cat/cut.png", 20);
  FAILS("set/cat/cut.png: the PNG image ends too early", CALL("images", folder));
  cut_file("set/cat/cut.png", 30);
  FAILS("set/cat/cut.png: the PNG image ends too early", CALL("images", folder));
  write_bytes("set/cat/cut.png", "", 0);
  FAILS("set/cat/cut.png: the file is empty", CALL("images", folder));
  unlink(in_root("set/cat/cut.png"));
  write_bytes("set/cat/text.jpg", "dear reader", 11);
  FAILS("set/cat/text.jpg: neither a PNG nor a JPEG image (it starts with bytes 64 65 61)", CALL("images", folder));
  write_jpeg("set/cat/text.jpg", 4, 5, 9);
  cut_file("set/cat/text.jpg", 30);
  FAILS("set/cat/text.jpg: the JPEG image ends too early", CALL("images", folder));
  unlink(in_root("set/cat/text.jpg"));
  static const uint8_t huge[] = {137, 80, 78, 71,  13,  10,  26, 10, 0,   0,   0,  13, 73, 72,
                                 68,  82, 0,  1,   134, 160, 0,  1,  134, 160, 8,  2,  0,  0,
                                 0,   39, 48, 156, 159, 0,   0,  0,  0,   73,  68, 65, 84};
  write_bytes("set/cat/huge.png", huge, sizeof huge);
  FAILS("set/cat/huge.png: 100000 x 100000 pixels are too many", CALL("images", folder));
  unlink(in_root("set/cat/huge.png"));
  mkdir(in_root("set/empty"), 0700);
  FAILS("the folder of class `empty` has no images", CALL("images", folder));
  rmdir(in_root("set/empty"));
  write_png("set/stray.png", 4, 5, 3, 1);
  FAILS("images stand beside folders of classes, stray.png beside cat", CALL("images", folder));
  unlink(in_root("set/stray.png"));
  mkdir(in_root("nothing"), 0700);
  FAILS("the folder has no images (.png, .jpg, .jpeg) and no folders of classes",
        CALL("images", STR(in_root("nothing"))));
  FAILS("there is no such folder", CALL("images", STR(in_root("nowhere"))));
  write_png("parts/train/a/1.png", 2, 2, 3, 1);
  write_png("parts/test/b/1.png", 2, 2, 3, 1);
  FAILS("there is no class `b` in the training part", CALL("images", STR(in_root("parts"))));
  remove_tree(in_root("parts/test/b"));
  write_png("parts/test/1.png", 2, 2, 3, 1);
  FAILS("but not in both", CALL("images", STR(in_root("parts"))));
}

Test(images, bad_arguments) {
  FAILS_CHECK("`size` of `images` is a number, or [height, width]",
              CALL("images", STR("a"), NAMED("size", LIST(INT(1)))));
  FAILS_CHECK("is from 1 to 8192, not 0 x 0", CALL("images", STR("a"), NAMED("size", INT(0))));
  FAILS_CHECK("rgb or grey, not `blue`", CALL("images", STR("a"), NAMED("color", STR("blue"))));
  FAILS_CHECK("which are not given", CALL("images", STR("a"), NAMED("classes", INT(2))));
  FAILS_CHECK("is from 1 to 256, not 257",
              CALL("images", STR("a"), NAMED("masks", STR("b")), NAMED("classes", INT(257))));
}

// Augmentation: what each transform does to a sample, that images and masks move together, that draws depend on seed,
// epoch and sample alone, and where it is refused.
#include <math.h>

#include "data_helper.h"

// `count` images of bytes: pixel (y, x, c) of image i is (7 i + 5 y + 3 x + 11 c) modulo 100, and 50 more; in rank 3,
// without c.
typedef struct Images {
  int count, height, width, channels;
} Images;

static float pixel(int i, int y, int x, int c) {
  return (float)(50 + (7 * i + 5 * y + 3 * x + 11 * c) % 100);
}

static const char *image_file(Images of, bool as_map) {
  static unsigned char bytes[1 << 16];
  char shape[80];
  int used = 10;
  if (of.channels)
    snprintf(shape, sizeof shape, "(%d, %d, %d, %d)", of.count, of.height, of.width, of.channels);
  else
    snprintf(shape, sizeof shape, "(%d, %d, %d)", of.count, of.height, of.width);
  memcpy(bytes, "\x93NUMPY\1\0", 8);
  used += snprintf((char *)bytes + 10, 200, "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }", shape);
  bytes[8] = (unsigned char)(used - 10);
  bytes[9] = 0;
  for (int i = 0; i < of.count; i++)
    for (int y = 0; y < of.height; y++)
      for (int x = 0; x < of.width; x++)
        for (int c = 0; c < (of.channels ? of.channels : 1); c++)
          bytes[used++] = (unsigned char)pixel(i, y, x, as_map ? 0 : c);
  return file_bytes(bytes, (size_t)used);
}

#define IMAGES(...) CALL("npy", STR(image_file((Images){__VA_ARGS__}, false)))
#define PAIRS(...)                                                                                                     \
  CALL("npy", STR(image_file((Images){__VA_ARGS__}, false)), STR(image_file((Images){__VA_ARGS__}, true)))

static void draw(const NnrtDataset *set, int64_t seed, int64_t epoch, const int64_t *order, int64_t count, void *x,
                 void *y) {
  NnrtError error = {0};
  NnrtFill fill = {
      .training = true, .seed = seed, .epoch = epoch, .scratch = malloc((size_t)nnrt_data_scratch(set) + 1)};
  cr_assert(nnrt_data_fill(set, &fill, order, count, x, y, &error), "%s", error.text);
  free(fill.scratch);
}

static void draw_one(const NnrtDataset *set, int64_t epoch, int64_t i, void *x, void *y) {
  draw(set, 1, epoch, &i, 1, x, y);
}

Test(augment, flip) {
  NnrtDataset *set = OPEN(IMAGES(20, 3, 4, 3), BARE("flip"));
  float x[36], kept[36];
  int flipped = 0;
  for (int i = 0; i < 20; i++) {
    draw_one(set, 0, i, x, NULL);
    int side = x[0] != pixel(i, 0, 0, 0);
    flipped += side;
    for (int p = 0; p < 36; p++) {
      int column = p / 3 % 4;
      cr_assert_eq(x[p], pixel(i, p / 12, side ? 3 - column : column, p % 3));
    }
    sample(set, NNRT_PART_TRAIN, i, kept, NULL); // not in training
    cr_assert_eq(kept[0], pixel(i, 0, 0, 0));
  }
  cr_assert(flipped > 4 && flipped < 16, "%d", flipped);
  nnrt_data_close(set);
}

Test(augment, depends_on_seed_epoch_and_sample_alone) {
  NnrtDataset *set = OPEN(IMAGES(6, 4, 4, 3), BARE("flip"), CALL("shift", INT(1)), CALL("rotate", INT(20)),
                          CALL("brightness", REAL(0.1)), CALL("noise", REAL(0.05)));
  static const int64_t order[] = {5, 0, 3, 1}, other[] = {3, 5};
  float a[4 * 48], b[2 * 48];
  draw(set, 1, 2, order, 4, a, NULL);
  draw(set, 1, 2, other, 2, b, NULL);
  cr_assert_arr_eq(b, a + 2 * 48, sizeof b / 2);
  cr_assert_arr_eq(b + 48, a, sizeof b / 2);
  draw(set, 1, 3, other, 2, b, NULL);
  cr_assert(memcmp(b, a + 2 * 48, sizeof b / 2));
  draw(set, 2, 2, other, 2, b, NULL);
  cr_assert(memcmp(b, a + 2 * 48, sizeof b / 2));
  nnrt_data_close(set);
}

static void same_as_map(const float *x, const int64_t *y, int count) {
  for (int i = 0; i < count; i++)
    cr_assert_eq(x[i], (float)y[i], "place %d: %g and %d", i, x[i], (int)y[i]);
}

// One channel, and the mask holds the same numbers: so must the results.
Test(augment, masks_move_as_images_do) {
  NnrtDataset *set = OPEN(PAIRS(8, 6, 5, 0), CALL("flip", STR("both")), CALL("shift", INT(2)),
                          CALL("crop", LIST(INT(5), INT(7)), NAMED("padding", INT(2))));
  cr_assert_eq(nnrt_data_info(set)->x.dim[1], 7);
  cr_assert_eq(nnrt_data_info(set)->y.dim[0], 5);
  float x[35];
  int64_t y[35];
  int zeros = 0;
  for (int i = 0; i < 8; i++) {
    draw_one(set, i, i, x, y);
    same_as_map(x, y, 35);
    for (int p = 0; p < 35; p++)
      zeros += !y[p];
    sample(set, NNRT_PART_TRAIN, i, x, y);
    cr_assert_eq(y[8], (int64_t)pixel(i, 1, 0, 0)); // the middle: columns from -1 on
    same_as_map(x, y, 35);
  }
  cr_assert(zeros > 8 && zeros < 8 * 35);
  nnrt_data_close(set);
}

Test(augment, turned_masks_lie_near_their_images) {
  NnrtDataset *set = OPEN(PAIRS(4, 20, 20, 0), CALL("rotate", INT(30), NAMED("outside", STR("edge"))),
                          CALL("zoom", REAL(0.2)), CALL("shear", INT(10)));
  float x[400];
  int64_t y[400];
  for (int i = 0; i < 4; i++) {
    draw_one(set, i, i, x, y);
    int near = 0, moved = 0;
    for (int p = 0; p < 400; p++) {
      near += fabsf(x[p] - (float)y[p]) <= 5;
      moved += y[p] != (int64_t)pixel(i, p / 20, p % 20, 0);
    }
    cr_assert(near > 320 && moved > 200, "%d %d", near, moved); // but where the numbers wrap around
  }
  nnrt_data_close(set);
}

Test(augment, what_lies_outside) {
  static const char *const names[] = {"zero", "edge", "reflect"};
  for (int which = 0; which < 3; which++) {
    NnrtDataset *set = OPEN(IMAGES(1, 1, 4, 1), CALL("crop", LIST(INT(1), INT(10)), NAMED("padding", INT(3)),
                                                     NAMED("outside", STR(names[which]))));
    float x[10];
    draw_one(set, 0, 0, x, NULL); // rows are padded too: one of seven, three of which show the image at `zero`
    static const int columns[3][10] = {
        {-1, -1, -1, 0, 1, 2, 3, -1, -1, -1}, {0, 0, 0, 0, 1, 2, 3, 3, 3, 3}, {2, 1, 0, 0, 1, 2, 3, 3, 2, 1}};
    if (which)
      for (int i = 0; i < 10; i++)
        cr_assert_eq(x[i], pixel(0, 0, columns[which][i], 0), "%s %d", names[which], i);
    sample(set, NNRT_PART_TRAIN, 0, x, NULL);
    for (int i = 0; i < 10; i++)
      cr_assert_eq(x[i], columns[which][i] < 0 ? 0 : pixel(0, 0, columns[which][i], 0), "%s %d", names[which], i);
    nnrt_data_close(set);
  }
}

static double mean(const float *x, int count, int stride) {
  double sum = 0;
  for (int i = 0; i < count; i += stride)
    sum += (double)x[i];
  return sum / ((count + stride - 1) / stride);
}

Test(augment, light_and_colour) {
  float plain[108], x[108];
  NnrtDataset *set = OPEN(IMAGES(1, 6, 6, 3), CALL("brightness", REAL(0.1)));
  sample(set, NNRT_PART_TRAIN, 0, plain, NULL);
  draw_one(set, 0, 0, x, NULL);
  for (int i = 0; i < 108; i++)
    cr_assert_float_eq(x[i] - plain[i], x[0] - plain[0], 1e-4);
  cr_assert(fabsf(x[0] - plain[0]) <= 25.5f && x[0] != plain[0]);
  nnrt_data_close(set);
  set = OPEN(IMAGES(1, 6, 6, 3), CALL("contrast", REAL(0.5)));
  draw_one(set, 0, 0, x, NULL);
  cr_assert_float_eq(mean(x, 108, 1), mean(plain, 108, 1), 1e-3);
  cr_assert(x[0] != plain[0]);
  nnrt_data_close(set);
  set = OPEN(IMAGES(1, 6, 6, 3), CALL("saturation", REAL(0.5)), CALL("hue", REAL(0.2)));
  draw_one(set, 0, 0, x, NULL);
  cr_assert(x[0] != plain[0]);
  for (int i = 0; i < 108; i += 3) // luma stays
    cr_assert_float_eq(.299f * x[i] + .587f * x[i + 1] + .114f * x[i + 2],
                       .299f * plain[i] + .587f * plain[i + 1] + .114f * plain[i + 2], 0.01);
  nnrt_data_close(set);
  set = OPEN(IMAGES(4, 30, 30, 1), CALL("noise", REAL(0.04)), CALL("scale", REAL(1.0 / 255)));
  static float noisy[3600], clean[3600];
  static const int64_t order[] = {0, 1, 2, 3};
  draw(set, 1, 0, order, 4, noisy, NULL);
  nnrt_data_batch(set, NNRT_PART_TRAIN, order, 4, clean, NULL);
  double square = 0, sum = 0;
  for (int i = 0; i < 3600; i++) {
    sum += (double)(noisy[i] - clean[i]);
    square += (double)((noisy[i] - clean[i]) * (noisy[i] - clean[i]));
  }
  cr_assert_float_eq(sum / 3600, 0, 0.003);
  cr_assert_float_eq(sqrt(square / 3600), 0.04, 0.002);
  nnrt_data_close(set);
}

Test(augment, values_stay_within_a_byte) {
  NnrtDataset *set = OPEN(IMAGES(3, 8, 8, 1), CALL("noise", REAL(1)), CALL("scale", REAL(2)));
  float x[64], least = 1000, most = -1000;
  for (int i = 0; i < 3; i++) {
    draw_one(set, 0, i, x, NULL);
    for (int p = 0; p < 64; p++) {
      least = fminf(least, x[p]);
      most = fmaxf(most, x[p]);
    }
  }
  cr_assert(least == 0 && most == 510, "%g %g", least, most);
  nnrt_data_close(set);
}

Test(augment, cutout) {
  NnrtDataset *set = OPEN(IMAGES(10, 9, 9, 1), CALL("cutout", INT(3)));
  float x[81];
  int most = 0;
  for (int i = 0; i < 10; i++) {
    int holes = 0;
    draw_one(set, 0, i, x, NULL);
    for (int p = 0; p < 81; p++)
      holes += x[p] == 0;
    cr_assert(holes >= 4 && holes <= 9, "%d", holes);
    most = holes > most ? holes : most;
  }
  cr_assert_eq(most, 9);
  nnrt_data_close(set);
}

Test(augment, mixup) {
  NnrtArg x = LIST(LIST(REAL(0), REAL(1)), LIST(REAL(10), REAL(11)), LIST(REAL(20), REAL(21)));
  NnrtDataset *set = OPEN(CALL("values", x, LIST(INT(0), INT(1), INT(2))), CALL("mixup", REAL(0.4)), BARE("one_hot"));
  float sample_x[2], y[3];
  int mixed = 0;
  for (int i = 0; i < 30; i++) {
    draw_one(set, i, i % 3, sample_x, y);
    cr_assert_float_eq(y[0] + y[1] + y[2], 1, 1e-5);
    cr_assert_float_eq(sample_x[0], 10 * y[1] + 20 * y[2], 1e-3);
    cr_assert_float_eq(sample_x[1], sample_x[0] + 1, 1e-3);
    mixed += y[0] < 0.999f && y[1] < 0.999f && y[2] < 0.999f;
  }
  cr_assert(mixed > 8, "%d", mixed);
  nnrt_data_close(set);
  FAILS("classes have no mixture: add `|> one_hot`", CALL("values", x, LIST(INT(0), INT(1), INT(2))),
        CALL("mixup", REAL(0.4)));
}

Test(augment, after_standardize_amounts_are_of_one) {
  NnrtDataset *set = OPEN(IMAGES(5, 3, 3, 1), BARE("standardize"), CALL("brightness", REAL(0.5)));
  float plain[9], x[9];
  sample(set, NNRT_PART_TRAIN, 2, plain, NULL);
  draw_one(set, 0, 2, x, NULL);
  cr_assert(fabsf(x[4] - plain[4]) <= 0.5f && x[4] != plain[4]);
  nnrt_data_close(set);
}

Test(augment, refusals) {
  NnrtDataCall images = IMAGES(2, 4, 4, 1);
  FAILS("`flip` is said twice", images, BARE("flip"), BARE("flip"));
  FAILS("horizontal, vertical or both, not `up`", images, CALL("flip", STR("up")));
  FAILS("let it stand before `flatten` and `reshape`", images, BARE("flatten"), BARE("flip"));
  FAILS("a sample has 1 dimension here", CALL("xor", INT(10)), BARE("flip"));
  FAILS("takes images of 3 channels", images, CALL("hue", REAL(0.1)));
  FAILS("`rotate` is from 0 to 180, not 200", images, CALL("rotate", INT(200)));
  FAILS("a number of pixels, or a part below 1, not 1.5", images, CALL("shift", REAL(1.5)));
  FAILS("`cutout` is a number of pixels, not 1.5", images, CALL("cutout", REAL(1.5)));
  FAILS("`crop` of 9 x 9 from images of 4 x 4 with 2 pixels around them", images,
        CALL("crop", INT(9), NAMED("padding", INT(2))));
  FAILS("the size of `crop` is a number, or [height, width]", images, CALL("crop", LIST(INT(2))));
  FAILS("`crop` needs at least one pixel", images, CALL("crop", INT(0)));
  FAILS("`padding` of `crop` is from 0 to 8192", images, CALL("crop", INT(2), NAMED("padding", INT(-1))));
  FAILS("`outside` is zero, edge or reflect, not `wrap`", images, CALL("shift", INT(1), NAMED("outside", STR("wrap"))));
  FAILS("`mixup` is from 0.01 to 4, not 0", images, CALL("mixup", INT(0)));
  NnrtDataCall pairs =
      CALL("npy", STR(image_file((Images){2, 4, 4, 1}, false)), STR(image_file((Images){2, 2, 2, 0}, true)));
  FAILS("moves images and masks together, but the masks are 2 x 2 here", pairs, BARE("flip"));
}

// Boxes of objects: from the CSV file to targets on a grid, moved as the images are, and files that cannot be meant.
#include <math.h>

#include "image_helper.h"

static void write_csv(const char *text) {
  write_bytes("boxes.csv", text, strlen(text));
}

#define BOXES(...)                                                                                                     \
  CALL("images", STR(in_root("set")), NAMED("boxes", STR(in_root("boxes.csv"))), NAMED("grid", LIST(INT(2), INT(4))),  \
       __VA_ARGS__)
#define PLAIN NAMED("color", STR("grey"))

// Two images of 10 x 20 pixels.
static void two_images(void) {
  write_png("set/a.png", 10, 20, 1, 0);
  write_png("set/b.png", 10, 20, 1, 1);
}

static void check_cell(const float *y, int row, int column, const float *expected) {
  const float *cell = y + (row * 4 + column) * 7;
  for (int i = 0; i < 7; i++)
    cr_assert_float_eq(cell[i], expected[i], 1e-5, "cell %d %d, number %d: %g", row, column, i, cell[i]);
}

Test(boxes, targets) {
  two_images();
  write_csv("class,file,left,top,right,bottom,remark\n"
            "dog,a.png,0,0,4,4,small\ncat,a.png,12,5,20,10,\ndog,a.png,1,1,3,3,smaller, and in the same cell\n");
  FAILS("boxes.csv", BOXES(PLAIN)); // a cell too many
  write_csv("class,file,left,top,right,bottom,remark\n"
            "dog,a.png,0,0,4,4,small\ncat,a.png,12,5,20,10,\ndog,a.png,1,1,3,3,in the same cell\n");
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    NnrtDataset *set = OPEN(BOXES(PLAIN, NAMED("in_memory", BOOL(in_memory))));
    const NnrtSampleInfo *info = nnrt_data_info(set);
    cr_assert_arr_eq(info->y.dim, ((int64_t[]){2, 4, 7}), 24);
    cr_assert_eq(info->class_count, 0);
    const char *const *names;
    cr_assert_eq(nnrt_data_box_classes(set, &names), 2);
    cr_assert_str_eq(names[0], "cat");
    float y[56], none[7] = {0};
    sample(set, NNRT_PART_TRAIN, 0, NULL, y);
    check_cell(y, 0, 0, (float[]){0.4f, 0.4f, 0.2f, 0.4f, 1, 0, 1});
    check_cell(y, 1, 3, (float[]){0.2f, 0.5f, 0.4f, 0.5f, 1, 1, 0});
    check_cell(y, 0, 1, none);
    sample(set, NNRT_PART_TRAIN, 1, NULL, y); // no boxes
    for (int i = 0; i < 56; i++)
      cr_assert_eq(y[i], 0);
    nnrt_data_close(set);
  }
}

Test(boxes, move_with_their_image) {
  two_images();
  write_csv("file,class,left,top,right,bottom\na.png,1,0,0,4,4\nb.png,0,16,6,20,10\n");
  NnrtDataset *set = OPEN(BOXES(PLAIN), CALL("flip", STR("horizontal")));
  float x[200], y[56];
  int flipped = 0;
  for (int epoch = 0; epoch < 20; epoch++) {
    NnrtError error;
    NnrtFill fill = {.training = true, .epoch = epoch, .scratch = malloc((size_t)nnrt_data_scratch(set))};
    cr_assert(nnrt_data_fill(set, &fill, (const int64_t[]){0}, 1, x, y, &error));
    free(fill.scratch);
    bool side = x[0] != pixel_of(0, 0, 0, 0);
    flipped += side;
    check_cell(y, 0, side ? 3 : 0, (float[]){side ? 0.6f : 0.4f, 0.4f, 0.2f, 0.4f, 1, 0, 1});
  }
  cr_assert(flipped > 3 && flipped < 17);
  nnrt_data_close(set);
  // The middle 6 x 12 of the image: rows from 2, columns from 4 on.
  set = OPEN(BOXES(PLAIN), CALL("crop", LIST(INT(6), INT(12))));
  sample(set, NNRT_PART_TRAIN, 0, x, y);
  for (int i = 0; i < 56; i++)
    cr_assert_eq(y[i], 0); // out of sight
  double down = 0.5, across = 0.25;
  nnrt_data_uncrop(set, &down, &across);
  cr_assert_float_eq(down, 5 / 10.0, 1e-9);
  cr_assert_float_eq(across, 7 / 20.0, 1e-9);
  nnrt_data_close(set);
  write_csv("file,class,left,top,right,bottom\na.png,7,2,2,10,8\n");
  set = OPEN(BOXES(PLAIN), CALL("crop", LIST(INT(6), INT(12))));
  sample(set, NNRT_PART_TRAIN, 0, NULL, y); // three quarters are seen: columns 0 to 6 of 12
  const float *cell = y + (1 * 4 + 1) * 6;
  cr_assert_float_eq(cell[0], 0, 1e-5);
  cr_assert_float_eq(cell[2], 0.5, 1e-5);
  cr_assert_float_eq(cell[3], 1, 1e-5);
  cr_assert_eq(cell[4], 1);
  nnrt_data_close(set);
}

Test(boxes, of_resized_images_and_parts) {
  write_png("set/train/a.png", 10, 20, 3, 0);
  write_png("set/train/b.png", 20, 20, 3, 0);
  write_png("set/val/a.png", 5, 10, 3, 0);
  write_csv("file,class,left,top,right,bottom\n"
            "train/a.png,x,0,0,10,5\ntrain/b.png,x,0,0,10,10\nval/a.png,x,0,0,5,2.5\n");
  NnrtDataset *set = OPEN(BOXES(NAMED("size", INT(8))));
  float first[48], y[48];
  sample(set, NNRT_PART_TRAIN, 0, NULL, first);
  cr_assert_float_eq(first[6 + 2], 0.5, 1e-6);
  sample(set, NNRT_PART_TRAIN, 1, NULL, y);
  cr_assert_arr_eq(y, first, sizeof y);
  sample(set, NNRT_PART_VAL, 0, NULL, y);
  cr_assert_arr_eq(y, first, sizeof y);
  nnrt_data_close(set);
}

Test(boxes, errors) {
  two_images();
  FAILS_CHECK("`boxes` and `grid` of `images` go together", CALL("images", STR("a"), NAMED("boxes", STR("b"))));
  FAILS_CHECK("`boxes` and `grid` of `images` go together", CALL("images", STR("a"), NAMED("grid", INT(2))));
  FAILS_CHECK("is from 1 to 256, not 0 x 0", CALL("images", STR("a"), NAMED("boxes", STR("b")), NAMED("grid", INT(0))));
  FAILS_CHECK("`grid` of `images` is a number, or [rows, columns]",
              CALL("images", STR("a"), NAMED("boxes", STR("b")), NAMED("grid", LIST(INT(1)))));
  FAILS_CHECK("masks or boxes, not both",
              CALL("images", STR("a"), NAMED("boxes", STR("b")), NAMED("grid", INT(2)), NAMED("masks", STR("c"))));
  FAILS("cannot open `", BOXES(PLAIN));
  write_csv("file,class,left,top,right\na.png,x,0,0,1\n");
  FAILS("boxes.csv:1:1: no column `bottom`", BOXES(PLAIN));
  write_csv("file,class,left,top,right,bottom\n");
  FAILS("no boxes", BOXES(PLAIN));
  write_csv("file,class,left,top,right,bottom\nc.png,x,0,0,1,1\n");
  FAILS("boxes.csv:2:1: there is no image `c.png` in the folder", BOXES(PLAIN));
  write_csv("file,class,left,top,right,bottom\na.png,x,0,0,1,one\n");
  FAILS("boxes.csv:2:15: `bottom` is a number of pixels, not `one`", BOXES(PLAIN));
  write_csv("file,class,left,top,right,bottom\na.png,,0,0,1,1\n");
  FAILS("boxes.csv:2:7: a missing class", BOXES(PLAIN));
  write_csv("file,class,left,top,right,bottom\na.png,x,5,0,5,1\n");
  FAILS("boxes.csv:2:1: a box without extent: from 5, 0 to 5, 1", BOXES(PLAIN));
  write_csv("file,class,left,top,right,bottom\na.png,x,5,0,21,1\n");
  FAILS("boxes.csv:2:1: the box lies outside of", BOXES(PLAIN));
  write_csv("file,class,left,top,right,bottom\na.png,x,5,0,20,1\n");
  FAILS("boxes have no mixture", BOXES(PLAIN), CALL("mixup", REAL(0.2)));
}

// Toy sets, written values, transforms, order.
#include <math.h>

#include "data_helper.h"

Test(values, classes_and_targets) {
  NnrtArg x = LIST(LIST(INT(0), INT(1)), LIST(REAL(0.5), INT(2)));
  float got[2];
  int64_t class;
  NnrtDataset *set = OPEN(CALL("values", NAMED("x", x), NAMED("y", LIST(INT(0), INT(2)))));
  cr_assert_eq(nnrt_data_info(set)->class_count, 3);
  cr_assert_eq(nnrt_data_info(set)->y.rank, 0);
  sample(set, NNRT_PART_TRAIN, 1, got, &class);
  cr_assert_arr_eq(got, ((float[]){.5f, 2}), 8);
  cr_assert_eq(class, 2);
  nnrt_data_close(set);
  set = OPEN(CALL("values", x, LIST(REAL(0.25), INT(2))));
  cr_assert_eq(nnrt_data_info(set)->y.dim[0], 1);
  sample(set, NNRT_PART_TRAIN, 1, NULL, got);
  cr_assert_eq(got[0], 2);
  nnrt_data_close(set);
  set = OPEN(CALL("values", x, LIST(LIST(INT(1), INT(2)), LIST(INT(3), INT(4)))));
  cr_assert_eq(nnrt_data_info(set)->y.dim[0], 2);
  sample(set, NNRT_PART_TRAIN, 1, NULL, got);
  cr_assert_arr_eq(got, ((float[]){3, 4}), 8);
  nnrt_data_close(set);
  set = OPEN(CALL("values", LIST(INT(1), INT(2), INT(3))));
  cr_assert_eq(nnrt_data_info(set)->x.rank, 1);
  cr_assert_eq(nnrt_data_info(set)->x.dim[0], 1);
  cr_assert_eq(nnrt_data_info(set)->y.rank, -1);
  nnrt_data_close(set);
}

Test(values, errors) {
  NnrtArg empty = {.kind = NNRT_ARG_LIST, .line = 3};
  FAILS("`values` needs its argument `x`", BARE("values"));
  FAILS("an empty list", CALL("values", empty));
  FAILS("2 items where the first sample has 1", CALL("values", LIST(LIST(INT(1)), LIST(INT(1), INT(2)))));
  FAILS("a list of 1 is wanted here", CALL("values", LIST(LIST(INT(1)), INT(2))));
  FAILS("a number is wanted here", CALL("values", LIST(INT(1), LIST(INT(2)))));
  FAILS("a number is wanted here", CALL("values", LIST(STR("a"))));
  FAILS("no number an f32 can hold", CALL("values", LIST(REAL(1e300))));
  FAILS("2 samples in `x` and 1 in `y`", CALL("values", LIST(INT(1), INT(2)), LIST(INT(1))));
  FAILS("-1 is no class number", CALL("values", LIST(INT(1)), LIST(INT(-1))));
  FAILS("a list of numbers or of lists", CALL("values", LIST(INT(1)), LIST(LIST(LIST(INT(1))))));
  NnrtArg nested[11] = {INT(1)};
  for (int i = 1; i < 11; i++)
    nested[i] = (NnrtArg){.kind = NNRT_ARG_LIST, .count = 1, .items = &nested[i - 1], .line = 3};
  FAILS("nested too deep", CALL("values", nested[10]));
}

Test(toys, shapes_and_balance) {
  static const char *const names[] = {"xor", "circle", "spiral", "gauss", "moons"};
  for (int i = 0; i < 5; i++) {
    NnrtDataset *set = OPEN(BARE(names[i]));
    const NnrtSampleInfo *info = nnrt_data_info(set);
    cr_assert_eq(info->count[0], 500);
    cr_assert_eq(info->x.dim[0], 2);
    cr_assert_eq(info->class_count, 2);
    int64_t ones = 0, class;
    for (int64_t k = 0; k < 500; k++) {
      float x[2];
      sample(set, NNRT_PART_TRAIN, k, x, &class);
      ones += class;
      cr_assert(fabsf(x[0]) < 10 && fabsf(x[1]) < 10);
      if (!strcmp(names[i], "xor"))
        cr_assert_eq(class, x[0] * x[1] >= 0);
      if (!strcmp(names[i], "circle"))
        cr_assert_eq(class, hypotf(x[0], x[1]) < 3);
    }
    cr_assert(ones > 200 && ones < 300, "%s: %lld", names[i], (long long)ones);
    nnrt_data_close(set);
  }
}

Test(toys, sine_and_seeds) {
  NnrtDataset *set = OPEN(CALL("sine", INT(50)));
  cr_assert_eq(nnrt_data_info(set)->y.dim[0], 1);
  cr_assert_eq(nnrt_data_info(set)->y.type, NNRT_F32);
  for (int64_t i = 0; i < 50; i++) {
    float x, y;
    sample(set, NNRT_PART_TRAIN, i, &x, &y);
    cr_assert_float_eq(y, sin((double)x), 1e-6);
  }
  nnrt_data_close(set);
  float a[2], b[2], c[2];
  NnrtDataset *one = OPEN(CALL("moons", NAMED("noise", REAL(0.1)), NAMED("seed", INT(7))));
  NnrtDataset *same = OPEN(CALL("moons", NAMED("noise", REAL(0.1)), NAMED("seed", INT(7))));
  NnrtDataset *other = OPEN(CALL("moons", NAMED("noise", REAL(0.1)), NAMED("seed", INT(8))));
  sample(one, NNRT_PART_TRAIN, 3, a, NULL);
  sample(same, NNRT_PART_TRAIN, 3, b, NULL);
  sample(other, NNRT_PART_TRAIN, 3, c, NULL);
  cr_assert_arr_eq(a, b, sizeof a);
  cr_assert_neq(a[0], c[0]);
  nnrt_data_close(one);
  nnrt_data_close(same);
  nnrt_data_close(other);
  FAILS("`n` of `xor` is from 2", CALL("xor", INT(1)));
  FAILS("`noise` of `xor` is 0 or more", CALL("xor", NAMED("noise", REAL(-1))));
  FAILS("`xor` has no argument `nois`; did you mean `noise`?", CALL("xor", NAMED("nois", INT(1))));
}

// Without noise a picture of shapes has the ground's grey just where its map says ground.
Test(toys, shapes_with_maps) {
  enum { SIDE = 32, PIXELS = SIDE * SIDE };
  NnrtDataset *set =
      OPEN(CALL("shapes", INT(40), NAMED("size", INT(SIDE)), NAMED("noise", REAL(0)), NAMED("seed", INT(3))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert(info->x.rank == 3 && info->x.dim[0] == SIDE && info->x.dim[2] == 1);
  cr_assert(info->y.rank == 2 && info->y.dim[1] == SIDE && info->y.type == NNRT_I64);
  cr_assert_eq(info->class_count, 4);
  cr_assert_str_eq(info->class_names[3], "triangle");
  int64_t seen[4] = {0};
  for (int64_t i = 0; i < 40; i++) {
    float x[PIXELS], ground = -1;
    int64_t y[PIXELS];
    sample(set, NNRT_PART_TRAIN, i, x, y);
    for (int k = 0; k < PIXELS; k++)
      ground = y[k] ? ground : x[k];
    for (int k = 0; k < PIXELS; k++) {
      seen[y[k]]++;
      cr_assert(y[k] ? fabsf(x[k] - ground) >= 59 : x[k] == ground, "sample %lld, pixel %d", (long long)i, k);
    }
  }
  for (int k = 0; k < 4; k++)
    cr_assert_gt(seen[k], 40 * PIXELS / 50);
  nnrt_data_close(set);
}

// The lightest pixels are just those in the boxes that the grid tells of, whose first and last rows and columns hold some.
Test(toys, scattered_digits_with_boxes) {
  enum { SIDE = 48, CELLS = 6, WIDTH = 15 };
  NnrtDataset *set = OPEN(CALL("scattered", INT(40), NAMED("size", INT(SIDE)), NAMED("cells", INT(CELLS)),
                               NAMED("most", INT(3)), NAMED("noise", REAL(0))));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert(info->y.rank == 3 && info->y.dim[0] == CELLS && info->y.dim[2] == WIDTH && info->y.type == NNRT_F32);
  cr_assert_eq(info->class_count, 0);
  int digits[10] = {0};
  for (int64_t i = 0; i < 40; i++) {
    float x[SIDE][SIDE], y[CELLS][CELLS][WIDTH], ground = 255;
    sample(set, NNRT_PART_TRAIN, i, x[0], y);
    bool inside[SIDE][SIDE] = {0};
    int found = 0;
    for (int k = 0; k < CELLS * CELLS; k++) {
      const float *cell = y[k / CELLS][k % CELLS];
      if (!cell[4])
        continue;
      found++;
      for (int d = 0; d < 10; d++)
        digits[d] += cell[5 + d] == 1;
      float across = ((float)(k % CELLS) + cell[0]) * SIDE / CELLS,
            down = ((float)(k / CELLS) + cell[1]) * SIDE / CELLS;
      float half_width = cell[2] * SIDE / 2, half_height = cell[3] * SIDE / 2;
      cr_assert(across - half_width > -0.01 && across + half_width < SIDE + 0.01);
      cr_assert(down - half_height > -0.01 && down + half_height < SIDE + 0.01);
      int ink = 0;
      for (int r = 0; r < SIDE; r++)
        for (int c = 0; c < SIDE; c++)
          if (fabsf((float)c + .5f - across) <= half_width && fabsf((float)r + .5f - down) <= half_height)
            inside[r][c] = true, ink++;
      cr_assert_gt(ink, 10);
    }
    cr_assert(found >= 1 && found <= 3);
    for (int k = 0; k < SIDE * SIDE; k++)
      ground = fminf(ground, x[k / SIDE][k % SIDE]);
    for (int k = 0; k < SIDE * SIDE; k++) {
      float grey = x[k / SIDE][k % SIDE];
      cr_assert(grey == ground || (inside[k / SIDE][k % SIDE] && grey >= ground + 79), "sample %lld, pixel %d",
                (long long)i, k);
    }
  }
  for (int d = 0; d < 10; d++)
    cr_assert_gt(digits[d], 0, "no %d", d);
  nnrt_data_close(set);
}

Test(toys, pictures_depend_on_the_seed) {
  static float a[64 * 64], b[64 * 64], c[64 * 64];
  static const char *const names[] = {"shapes", "scattered"};
  for (int i = 0; i < 2; i++) {
    NnrtDataset *few = OPEN(CALL(names[i], INT(3), NAMED("seed", INT(7))));
    NnrtDataset *more = OPEN(CALL(names[i], INT(5), NAMED("seed", INT(7))));
    NnrtDataset *other = OPEN(CALL(names[i], INT(3), NAMED("seed", INT(8))));
    sample(few, NNRT_PART_TRAIN, 2, a, NULL);
    sample(more, NNRT_PART_TRAIN, 2, b, NULL);
    sample(other, NNRT_PART_TRAIN, 2, c, NULL);
    cr_assert_arr_eq(a, b, sizeof a);
    cr_assert(memcmp(a, c, sizeof a));
    nnrt_data_close(few);
    nnrt_data_close(more);
    nnrt_data_close(other);
  }
}

Test(toys, pictures_that_cannot_be) {
  FAILS("`size` of `shapes` is from 16 to 1024, not 8", CALL("shapes", NAMED("size", INT(8))));
  FAILS("`n` of `shapes` is from 1 to 524288, not 0", CALL("shapes", INT(0)));
  FAILS("`n` of `scattered` is from 1 to 2048, not 3000", CALL("scattered", INT(3000), NAMED("size", INT(1024))));
  FAILS("`noise` of `scattered` is from 0 to 1, not 2", CALL("scattered", NAMED("noise", REAL(2))));
  FAILS("`cells` of `scattered` is from 1 to 64, not 65", CALL("scattered", NAMED("cells", INT(65))));
  FAILS("`most` of `scattered` is from 1 to 64, not 0", CALL("scattered", NAMED("most", INT(0))));
  FAILS("500000 samples of 64 x 64 cells are too many", CALL("scattered", INT(500000), NAMED("cells", INT(64))));
  FAILS("`shapes` has no argument `cells`", CALL("shapes", NAMED("cells", INT(4))));
  FAILS("`one_hot` takes one class a sample", CALL("shapes", INT(2)), BARE("one_hot"));
}

Test(transforms, split_is_disjoint_and_complete) {
  char *text = malloc(8000), *to = text + sprintf(text, "a\n");
  for (int i = 0; i < 1000; i++)
    to += sprintf(to, "%d\n", i);
  const char *path = file_text(text);
  NnrtDataset *set = OPEN(CALL("csv", STR(path)),
                          CALL("split", NAMED("val", REAL(0.29)), NAMED("test", REAL(0.1)), NAMED("seed", INT(1))));
  NnrtDataset *same = OPEN(CALL("csv", STR(path)),
                           CALL("split", NAMED("test", REAL(0.1)), NAMED("val", REAL(0.29)), NAMED("seed", INT(1))));
  NnrtDataset *other = OPEN(CALL("csv", STR(path)), CALL("split", NAMED("val", REAL(0.29)), NAMED("test", REAL(0.1))));
  cr_assert_eq(nnrt_data_info(set)->count[0], 610);
  cr_assert_eq(nnrt_data_info(set)->count[1], 290);
  cr_assert_eq(nnrt_data_info(set)->count[2], 100);
  char seen[1000] = {0};
  int differ = 0;
  for (int part = 0; part < 3; part++)
    for (int64_t i = 0; i < nnrt_data_info(set)->count[part]; i++) {
      float x, y, z;
      sample(set, (NnrtPartKind)part, i, &x, NULL);
      sample(same, (NnrtPartKind)part, i, &y, NULL);
      sample(other, (NnrtPartKind)part, i, &z, NULL);
      cr_assert_eq(x, y);
      differ += x != z;
      cr_assert_eq(seen[(int)x]++, 0);
    }
  cr_assert(differ > 900);
  nnrt_data_close(set);
  nnrt_data_close(same);
  nnrt_data_close(other);
  free(text);
}

Test(transforms, split_in_order) {
  NnrtDataset *set = OPEN(CALL("values", LIST(INT(1), INT(2), INT(3), INT(4))), CALL("shuffle", BOOL(false)),
                          CALL("split", NAMED("val", INT(1)), NAMED("test", INT(1))));
  float x[2];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1}, 2, x, NULL);
  cr_assert_arr_eq(x, ((float[]){1, 2}), 8);
  sample(set, NNRT_PART_VAL, 0, x, NULL);
  sample(set, NNRT_PART_TEST, 0, x + 1, NULL);
  cr_assert_arr_eq(x, ((float[]){3, 4}), 8);
  nnrt_data_close(set);
}

Test(transforms, split_errors) {
  NnrtDataCall four = CALL("values", LIST(INT(1), INT(2), INT(3), INT(4)));
  FAILS("`split` needs", four, BARE("split"));
  FAILS("a fraction from 0 up to 1", four, CALL("split", NAMED("val", REAL(1.5))));
  FAILS("a fraction from 0 up to 1", four, CALL("split", NAMED("val", INT(-1))));
  FAILS("0.6 + 0.4 is not under 1", four, CALL("split", NAMED("val", REAL(0.6)), NAMED("test", REAL(0.4))));
  FAILS("is none", four, CALL("split", NAMED("val", REAL(0.1))));
  FAILS("leaves nothing for training", four, CALL("split", NAMED("val", INT(4))));
  FAILS("leaves nothing for training", four, CALL("split", NAMED("val", INT(2)), NAMED("test", INT(2))));
  FAILS("has a val part already", four, CALL("split", NAMED("val", INT(1))), CALL("split", NAMED("val", INT(1))));
  FAILS("`split` takes named arguments only", four, CALL("split", REAL(0.1)));
  NnrtDataset *twice = OPEN(four, CALL("split", NAMED("val", INT(1))), CALL("split", NAMED("test", REAL(0.34))));
  cr_assert_eq(nnrt_data_info(twice)->count[0], 2);
  cr_assert_eq(nnrt_data_info(twice)->count[2], 1);
  nnrt_data_close(twice);
}

Test(transforms, standardize_learns_from_training_rows) {
  char *text = malloc(8000), *to = text + sprintf(text, "a,b,c\n");
  for (int i = 0; i < 100; i++)
    to += sprintf(to, "%d,7,%s\n", i * i, i % 2 ? "u" : "v");
  const char *path = file_text(text);
  NnrtDataCall source = CALL("csv", STR(path)), split = CALL("split", NAMED("test", REAL(0.5)));
  NnrtDataset *before = OPEN(source, BARE("standardize"), split), *after = OPEN(source, split, BARE("standardize"));
  NnrtDataset *scaled = OPEN(source, split, CALL("scale", REAL(100)), BARE("standardize"));
  NnrtDataset *plain = OPEN(source, split);
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < 50; i++) {
    float x[4], y[4], z[4];
    sample(before, NNRT_PART_TRAIN, i, x, NULL);
    sample(after, NNRT_PART_TRAIN, i, y, NULL);
    sample(scaled, NNRT_PART_TRAIN, i, z, NULL);
    cr_assert_arr_eq(x, y, sizeof x);
    cr_assert_arr_eq(x, z, sizeof x);
    cr_assert_eq(x[1], 0);
    cr_assert_eq(x[2] + x[3], 1);
    sum += x[0];
    squares += x[0] * x[0];
  }
  cr_assert_float_eq(sum / 50, 0, 1e-6);
  cr_assert_float_eq(squares / 50, 1, 1e-5);
  double mean = 0, variance = 0;
  float x[4], y[4];
  for (int64_t i = 0; i < 50; i++) {
    sample(plain, NNRT_PART_TRAIN, i, x, NULL);
    mean += x[0] / 50.0;
  }
  for (int64_t i = 0; i < 50; i++) {
    sample(plain, NNRT_PART_TRAIN, i, x, NULL);
    variance += (x[0] - mean) * (x[0] - mean) / 50;
  }
  sample(plain, NNRT_PART_TEST, 3, x, NULL);
  sample(after, NNRT_PART_TEST, 3, y, NULL);
  cr_assert_float_eq(y[0], (x[0] - mean) / sqrt(variance), 1e-5);
  nnrt_data_close(before);
  nnrt_data_close(after);
  nnrt_data_close(scaled);
  nnrt_data_close(plain);
  free(text);
}

Test(transforms, one_hot_take_shapes) {
  NnrtArg x = LIST(LIST(INT(1), INT(2), INT(3), INT(4)), LIST(INT(5), INT(6), INT(7), INT(8)),
                   LIST(INT(0), INT(0), INT(0), INT(0)));
  NnrtDataCall source = CALL("values", x, LIST(INT(2), INT(0), INT(1)));
  NnrtDataset *set = OPEN(source, BARE("one_hot"), CALL("take", INT(2)), CALL("reshape", INT(2), INT(-1), INT(1)));
  const NnrtSampleInfo *info = nnrt_data_info(set);
  cr_assert_eq(info->y.type, NNRT_F32);
  cr_assert_eq(info->y.rank, 1);
  cr_assert_eq(info->y.dim[0], 3);
  cr_assert_eq(info->count[0], 2);
  cr_assert_eq(info->x.rank, 3);
  cr_assert_eq(info->x.dim[1], 2);
  float y[6];
  nnrt_data_batch(set, NNRT_PART_TRAIN, (const int64_t[]){0, 1}, 2, NULL, y);
  cr_assert_arr_eq(y, ((float[]){0, 0, 1, 1, 0, 0}), sizeof y);
  nnrt_data_close(set);
  set = OPEN(source, CALL("reshape", INT(2), INT(2)), BARE("flatten"), CALL("take", INT(99)));
  cr_assert_eq(nnrt_data_info(set)->x.rank, 1);
  cr_assert_eq(nnrt_data_info(set)->count[0], 3);
  nnrt_data_close(set);
  FAILS("`reshape` needs 6 elements, a sample has 4", source, CALL("reshape", INT(3), INT(2)));
  FAILS("0 is no dimension", source, CALL("reshape", INT(0)));
  FAILS("`reshape` takes whole numbers", source, CALL("reshape", REAL(2.5)));
  FAILS("`reshape` needs dimensions", source, BARE("reshape"));
  FAILS("one-hot already", source, BARE("one_hot"), BARE("one_hot"));
  FAILS("the data has no target", CALL("values", x), BARE("one_hot"));
  FAILS("the data has real targets", BARE("sine"), BARE("one_hot"));
  FAILS("`take` needs at least 1", source, CALL("take", INT(0)));
  FAILS("`flatten` takes no arguments", source, CALL("flatten", INT(1)));
  FAILS("other than 0", source, CALL("scale", INT(0)));
  FAILS("argument `on` of `shuffle` is true or false", source, CALL("shuffle", INT(0)));
}

Test(transforms, unknown_names) {
  FAILS_CHECK("unknown data source `cvs`; did you mean `csv`?", CALL("cvs", STR("a")));
  FAILS_CHECK("unknown data transform `standardise`; did you mean `standardize`?", CALL("csv", STR("a")),
              BARE("standardise"));
  FAILS_CHECK("data transform `window` is not built yet", CALL("csv", STR("a")), BARE("window"));
  NnrtError error;
  cr_assert_null(nnrt_data_open(&(NnrtData){.name = "d"}, NNRT_DATA_FULL, &error));
  cr_assert(strstr(error.text, "no source"));
}

Test(order, is_a_permutation_of_seed_and_epoch) {
  NnrtDataset *set = OPEN(CALL("xor", INT(200)), CALL("split", NAMED("val", INT(50))));
  int64_t a[150], b[150], c[150], d[150], val[50];
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 1, 1, a);
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 1, 1, b);
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 2, 1, c);
  nnrt_data_order(set, NNRT_PART_TRAIN, 2, 1, 1, d);
  nnrt_data_order(set, NNRT_PART_VAL, 1, 1, 1, val);
  cr_assert_arr_eq(a, b, sizeof a);
  char seen[150] = {0};
  int next = 0, kept = 0;
  for (int i = 0; i < 150; i++) {
    cr_assert(a[i] >= 0 && a[i] < 150);
    cr_assert_eq(seen[a[i]]++, 0);
    next += a[i] == c[i] || a[i] == d[i];
    kept += a[i] == i;
  }
  cr_assert(next < 15 && kept < 10);
  for (int i = 0; i < 50; i++)
    cr_assert_eq(val[i], i);
  nnrt_data_close(set);
  set = OPEN(CALL("xor", INT(200)), CALL("shuffle", BOOL(false)));
  int64_t whole[200];
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 1, 1, whole);
  for (int i = 0; i < 200; i++)
    cr_assert_eq(whole[i], i);
  nnrt_data_close(set);
}

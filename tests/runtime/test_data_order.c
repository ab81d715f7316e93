// The order of an epoch of texts in buckets: pools of batches, sorted by length, then mixed again.
#include "data_helper.h"

enum { COUNT = 103, BATCH = 8, POOL = 3, WHOLE = COUNT / BATCH };

// Text i is of i * 37 % 23 + 1 letters: several are of one length.
static int64_t length_of(int64_t i) {
  return i * 37 % 23 + 1;
}

static const char *write_texts(void) {
  static char text[COUNT * 40];
  size_t used = (size_t)sprintf(text, "a,b\n");
  for (int64_t i = 0; i < COUNT; i++)
    used += (size_t)sprintf(text + used, "%.*s,%.*s\n", (int)length_of(i), "xxxxxxxxxxxxxxxxxxxxxxx", (int)(i % 5 + 1),
                            "yyyyy");
  return file_text(text);
}

#define TEXTS(...) CALL("texts", STR(write_texts()), NAMED("text", STR("a")), NAMED("length", INT(23)), __VA_ARGS__)
#define AS NAMED("as", STR("chars"))
#define BUCKET CALL("bucket", NAMED("pool", INT(POOL)))

// By the plainest way: the shuffled order, each pool sorted by insertion.
static void expect_pools(const NnrtDataset *plain, int64_t epoch, int64_t length(int64_t), int64_t *order) {
  nnrt_data_order(plain, NNRT_PART_TRAIN, 4, epoch, BATCH, order);
  for (int first = 0; first < WHOLE * BATCH; first += POOL * BATCH) {
    int end = first + POOL * BATCH < WHOLE * BATCH ? first + POOL * BATCH : WHOLE * BATCH;
    for (int i = first + 1; i < end; i++)
      for (int k = i; k > first && length(order[k - 1]) > length(order[k]); k--) {
        int64_t kept = order[k];
        order[k] = order[k - 1], order[k - 1] = kept;
      }
  }
}

// How many batches of the order lie where the pools have them; each must be one of theirs, the rest the last.
static int compare_batches(const int64_t *order, const int64_t *pools) {
  bool used[WHOLE] = {0};
  int in_place = 0;
  for (int b = 0; b < WHOLE; b++) {
    int found = 0;
    while (found < WHOLE &&
           (used[found] || memcmp(order + b * BATCH, pools + found * BATCH, BATCH * sizeof *order) != 0))
      found++;
    cr_assert(found < WHOLE, "batch %d is none of the pools'", b);
    used[found] = true;
    in_place += found == b;
  }
  cr_assert_arr_eq(order + WHOLE * BATCH, pools + WHOLE * BATCH, (COUNT - WHOLE * BATCH) * sizeof *order);
  return in_place;
}

static void compare(const NnrtDataset *set, const NnrtDataset *plain, int64_t length(int64_t)) {
  int64_t order[COUNT], again[COUNT], pools[COUNT], last[COUNT] = {0};
  int in_place = 0;
  for (int epoch = 0; epoch < 4; epoch++) {
    nnrt_data_order(set, NNRT_PART_TRAIN, 4, epoch, BATCH, order);
    nnrt_data_order(set, NNRT_PART_TRAIN, 4, epoch, BATCH, again);
    cr_assert_arr_eq(order, again, sizeof order);
    cr_assert(memcmp(order, last, sizeof order) != 0);
    memcpy(last, order, sizeof order);
    expect_pools(plain, epoch, length, pools);
    in_place += compare_batches(order, pools);
  }
  cr_assert(in_place < 12, "batches are not mixed"); // of 48
}

Test(bucket, sorts_pools_and_mixes_batches) {
  NnrtDataset *plain = OPEN(TEXTS(AS)), *set = OPEN(TEXTS(AS), BUCKET);
  compare(set, plain, length_of);
  nnrt_data_close(set);
  nnrt_data_close(plain);
}

static int64_t length_of_both(int64_t i) {
  return length_of(i) + i % 5 + 1;
}

Test(bucket, pairs_by_both_lengths) {
#define PAIRS                                                                                                          \
  CALL("pairs", STR(write_texts()), NAMED("source", STR("a")), NAMED("target", STR("b")), NAMED("length", INT(23)))
  NnrtDataset *plain = OPEN(PAIRS), *set = OPEN(PAIRS, BUCKET);
  compare(set, plain, length_of_both);
  nnrt_data_close(set);
  nnrt_data_close(plain);
}

// Batches of similar texts need fewer steps than mixed ones.
Test(bucket, of_32_batches_and_parts) {
  NnrtDataset *set = OPEN(TEXTS(AS), CALL("split", NAMED("val", INT(7))), BARE("bucket"));
  int64_t order[COUNT], steps = 0;
  nnrt_data_order(set, NNRT_PART_VAL, 1, 1, BATCH, order);
  for (int i = 0; i < 7; i++)
    cr_assert_eq(order[i], i);
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 1, BATCH, order);
  int64_t x[BATCH][23];
  for (int b = 0; b < WHOLE; b++) {
    int64_t longest = 0;
    cr_assert(nnrt_data_batch(set, NNRT_PART_TRAIN, order + b * BATCH, BATCH, x, NULL));
    for (int i = 0; i < BATCH; i++)
      for (int64_t k = 0; k < 23; k++)
        longest = x[i][k] && k >= longest ? k + 1 : longest;
    steps += longest;
  }
  cr_assert(steps < WHOLE * 15, "%lld steps", (long long)steps); // sorted, 13.5 on average; else about 22
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 1, 1, order);         // a batch of one has no padding to save
  NnrtDataset *plain = OPEN(TEXTS(AS), CALL("split", NAMED("val", INT(7))));
  int64_t shuffled[COUNT];
  nnrt_data_order(plain, NNRT_PART_TRAIN, 1, 1, 1, shuffled);
  cr_assert_arr_eq(order, shuffled, 96 * sizeof *order);
  nnrt_data_close(plain);
  nnrt_data_close(set);
}

Test(bucket, of_fewer_samples_than_a_batch) {
  NnrtDataset *set = OPEN(TEXTS(AS), CALL("take", INT(5)), BARE("bucket"));
  int64_t order[5], seen = 0;
  nnrt_data_order(set, NNRT_PART_TRAIN, 1, 1, BATCH, order);
  for (int i = 0; i < 5; i++)
    seen |= 1 << order[i];
  cr_assert_eq(seen, 31);
  nnrt_data_close(set);
}

Test(bucket, needs_lengths) {
  FAILS_CHECK("`bucket` takes `texts` or `pairs`: samples of `csv` are all of one length", CALL("csv", STR("a.csv")),
              BARE("bucket"));
}

Test(bucket, not_of_windows) {
  FAILS_CHECK("`text` cannot be taken through `bucket`, only through split, take, shuffle",
              CALL("text", STR("a.txt"), NAMED("window", INT(4))), BARE("bucket"));
}

Test(bucket, pool_of_one) {
  FAILS_CHECK("`pool` of `bucket` is at least 2 batches, not 1", TEXTS(AS), CALL("bucket", NAMED("pool", INT(1))));
}

Test(bucket, behind_a_fixed_order) {
  FAILS_CHECK("`bucket` takes a shuffled order, and `shuffle(false)` stands before it", TEXTS(AS),
              CALL("shuffle", BOOL(false)), BARE("bucket"));
}

Test(bucket, before_a_fixed_order) {
  FAILS_CHECK("what is bucketed is shuffled too", TEXTS(AS), BARE("bucket"), CALL("shuffle", BOOL(false)));
}

// Batches one after the other: the same from workers and in between, from any place on, over the ends of epochs; errors
// come up at their batch; workers end when the feed does.
#include "feed.h"
#include "image_helper.h"

enum { COUNT = 11, SIDE = 3, BATCH = 4, STEPS = 7, WIDTH = SIDE * SIDE * 3 };

static void no_work(const NnrtFrame *frame) {
  (void)frame;
}

static const NnrtValue inputs[] = {{.name = "x", .type = NNRT_F32, .rank = 4, .dim = {-1, SIDE, SIDE, 3}},
                                   {.name = "y", .type = NNRT_I64, .rank = 1, .dim = {-1}}};
static const NnrtFunction function = {.run = no_work, .input_count = 2, .inputs = inputs};

static void eleven_images(void) {
  char name[32];
  for (int i = 0; i < COUNT; i++) {
    snprintf(name, sizeof name, "set/%s/%02d.png", i < 5 ? "a" : "b", i);
    write_png(name, SIDE, SIDE, 3, 10 * i);
  }
}

typedef struct Seen {
  float x[STEPS][BATCH][WIDTH];
  int64_t y[STEPS][BATCH], rows[STEPS];
  int steps;
  NnrtError error;
} Seen;

// What comes from `first` (a step from the beginning of epoch 0) on.
static void follow(const NnrtDataset *set, int threads, int first, int steps, int stop_after, Seen *seen) {
  NnrtCall call;
  NnrtPart part;
  NnrtFeed feed,
      from = {.fill = {.training = true, .seed = 5}, .batch = BATCH, .epoch = first / 3, .epoch_step = first % 3};
  *seen = (Seen){0};
  NnrtFrame base = {.threads = threads};
  cr_assert(nnrt_call_new(&call, &function, &base, BATCH, set, "d", &seen->error));
  cr_assert(nnrt_part_new(&part, set, NNRT_PART_TRAIN, &seen->error));
  cr_assert(nnrt_feed_begin(&feed, &call, &part, &from, steps, &seen->error));
  cr_assert_eq(feed.crew != NULL, threads > 1 && steps > 1);
  for (int i = 0; i < stop_after && nnrt_feed_next(&feed, &seen->error); i++, seen->steps++) {
    int64_t rows = seen->rows[i] = call.frame.clock[4];
    memcpy(seen->x[i], call.inputs[0], (size_t)rows * sizeof seen->x[i][0]);
    memcpy(seen->y[i], call.inputs[1], (size_t)rows * sizeof seen->y[i][0]);
  }
  nnrt_feed_end(&feed);
  nnrt_part_free(&part);
  nnrt_call_free(&call);
}

#define AUGMENTED                                                                                                      \
  OPEN(CALL("images", STR(in_root("set")), NAMED("in_memory", BOOL(false))), BARE("flip"), CALL("noise", REAL(0.1)))

Test(feed, workers_change_no_bit) {
  static Seen alone, helped;
  eleven_images();
  NnrtDataset *set = AUGMENTED;
  follow(set, 1, 0, STEPS, STEPS, &alone);
  follow(set, 2, 0, STEPS, STEPS, &helped);
  cr_assert_eq(alone.steps, STEPS);
  cr_assert_arr_eq(&alone, &helped, sizeof alone);
  static const int64_t rows[STEPS] = {4, 4, 3, 4, 4, 3, 4};
  cr_assert_arr_eq(alone.rows, rows, sizeof rows);
  cr_assert(memcmp(alone.y[0], alone.y[3], sizeof alone.y[0]) || memcmp(alone.y[1], alone.y[4], sizeof alone.y[0]),
            "epochs have one order");
  nnrt_data_close(set);
}

Test(feed, begins_anywhere_and_ends_early) {
  static Seen whole, later;
  eleven_images();
  NnrtDataset *set = AUGMENTED;
  follow(set, 1, 0, STEPS, STEPS, &whole);
  for (int threads = 1; threads <= 2; threads++)
    for (int first = 0; first < STEPS; first++) {
      int steps = STEPS - first < 2 ? 1 : 2;
      follow(set, threads, first, STEPS - first, steps, &later);
      cr_assert_eq(later.steps, steps);
      for (int i = 0; i < later.steps; i++)
        cr_assert_arr_eq(later.x[i], whole.x[first + i], sizeof whole.x[0], "from %d on", first);
    }
  nnrt_data_close(set);
}

Test(feed, errors_come_at_their_batch) {
  static Seen alone, helped;
  eleven_images();
  NnrtDataset *set = AUGMENTED;
  cut_file("set/b/07.png", 20);
  follow(set, 1, 0, STEPS, STEPS, &alone);
  follow(set, 2, 0, STEPS, STEPS, &helped);
  cr_assert(alone.steps < 3); // within the first epoch
  cr_assert_eq(alone.steps, helped.steps);
  cr_assert_str_eq(alone.error.text, helped.error.text);
  cr_assert(strstr(alone.error.text, "set/b/07.png: the PNG image ends too early"), "%s", alone.error.text);
  nnrt_data_close(set);
}

// ---- text
enum { WINDOW = 5, TEXT_STEPS = 9 }; // 11 windows: three batches an epoch

static const NnrtValue token_inputs[] = {{.name = "x", .type = NNRT_I64, .rank = 2, .dim = {-1, WINDOW}},
                                         {.name = "y", .type = NNRT_I64, .rank = 2, .dim = {-1, WINDOW}}};
static const NnrtFunction of_tokens = {.run = no_work, .input_count = 2, .inputs = token_inputs};

typedef struct Tokens {
  int64_t x[TEXT_STEPS][BATCH][WINDOW], y[TEXT_STEPS][BATCH][WINDOW], rows[TEXT_STEPS];
} Tokens;

static void follow_text(const NnrtDataset *set, int first, Tokens *seen) {
  NnrtCall call;
  NnrtPart part;
  NnrtError error = {0};
  NnrtFrame base = {.threads = 2};
  NnrtFeed feed,
      from = {.fill = {.training = true, .seed = 5}, .batch = BATCH, .epoch = first / 3, .epoch_step = first % 3};
  *seen = (Tokens){0};
  cr_assert(nnrt_call_new(&call, &of_tokens, &base, BATCH, set, "d", &error), "%s", error.text);
  cr_assert(nnrt_part_new(&part, set, NNRT_PART_TRAIN, &error));
  cr_assert(nnrt_feed_begin(&feed, &call, &part, &from, TEXT_STEPS - first, &error));
  for (int i = first; i < TEXT_STEPS; i++) {
    cr_assert(nnrt_feed_next(&feed, &error));
    int64_t rows = seen->rows[i] = call.frame.clock[4];
    memcpy(seen->x[i], call.inputs[0], (size_t)rows * sizeof seen->x[i][0]);
    memcpy(seen->y[i], call.inputs[1], (size_t)rows * sizeof seen->y[i][0]);
  }
  nnrt_feed_end(&feed);
  nnrt_part_free(&part);
  nnrt_call_free(&call);
}

// A run taken up in the middle of an epoch sees the samples it would have seen.
static void must_go_on(NnrtDataset *set) {
  static Tokens whole, later;
  cr_assert_eq(nnrt_data_info(set)->count[0], 11);
  follow_text(set, 0, &whole);
  cr_assert_arr_eq(whole.rows, ((int64_t[]){4, 4, 3, 4, 4, 3, 4, 4, 3}), sizeof whole.rows);
  cr_assert(memcmp(whole.x[0], whole.x[3], sizeof whole.x[0]), "epochs have one order");
  for (int first = 1; first < TEXT_STEPS; first++) {
    follow_text(set, first, &later);
    cr_assert_arr_eq(later.x[first], whole.x[first], (TEXT_STEPS - first) * sizeof whole.x[0], "from %d on", first);
    cr_assert_arr_eq(later.y[first], whole.y[first], (TEXT_STEPS - first) * sizeof whole.y[0], "from %d on", first);
  }
  nnrt_data_close(set);
}

Test(feed, text_goes_on_within_an_epoch) {
  must_go_on(OPEN(CALL("text", STR(file_text("it was the best of times, it was the worst of times, it w")),
                       NAMED("window", INT(WINDOW)))));
}

Test(feed, buckets_go_on_within_an_epoch) {
  const char *csv =
      file_text("a,b\nit,x\nwas,xx\nthe,x\nbest,xx\nof,x\ntimes,xxx\nit,xx\nw,x\nas,x\nworst,xxx\ntime,x\n");
  must_go_on(
      OPEN(CALL("pairs", STR(csv), NAMED("source", STR("a")), NAMED("target", STR("b")), NAMED("length", INT(WINDOW))),
           CALL("bucket", NAMED("pool", INT(2)))));
}

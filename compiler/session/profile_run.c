// Steps with a clock around them. Parameters are initial ones, and nothing is saved; batches are filled between steps.
#include "session/profile_run.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "run.h"
#include "tally.h"

enum { WARM_STEPS = 3, LEAST_STEPS = 3, MOST_KEPT = 10000, MOST_TALLIES = 1 << 20, LAST_STEP = 1000000 };
static const double plain_seconds = 0.4, profile_seconds = 1.5;

typedef struct Run {
  Arena *arena;
  const NnrtModule *module;
  const ProfileSubject *subject;
  const NnrtOptions *options;
  NnrtRun *init, *prepare;
  NnrtFrame base, *frame; // frame: of the function
  int64_t seed, batch, step;
  NnrtDataset *data;
  NnrtPart part;
  NnrtFeed feed; // where there are data
  NnrtCall call;
  NnrtFrame made; // where there are none
  VEC(void *) owned;
} Run;

// ---- samples that are made up
static void *own(Run *run, int64_t bytes) {
  void *memory = nnrt_allocate(bytes);
  vec_push(run->arena, &run->owned, memory);
  if (memory)
    memset(memory, 0, (size_t)bytes);
  return memory;
}

static int64_t value_elements(const NnrtValue *value, int64_t rows) {
  int64_t count = 1;
  for (int i = 0; i < value->rank; i++)
    count *= dim_at(value->dim[i], rows);
  return count;
}

// Reals uniform in [0, 1), whole numbers 0 and 1: classes, tokens and places of any model.
static void make_up(const NnrtValue *value, int64_t count, void *data) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t word[4];
    nnrt_philox(0, 0, (uint64_t)i, word);
    switch (value->type) {
    case NNRT_F32:
      ((float *)data)[i] = (float)(word[0] >> 8) * 0x1p-24f;
      break;
    case NNRT_F64:
      ((double *)data)[i] = (double)word[0] * 0x1p-32;
      break;
    case NNRT_I32:
      ((int32_t *)data)[i] = (int32_t)(word[0] & 1);
      break;
    case NNRT_I64:
      ((int64_t *)data)[i] = (int64_t)(word[0] & 1);
      break;
    default:
      ((uint8_t *)data)[i] = (uint8_t)(word[0] & 1);
      break;
    }
  }
}

static bool make_samples(Run *run, NnrtError *error) {
  const NnrtFunction *function = run->subject->function;
  const void **inputs = arena_array(run->arena, const void *, function->input_count + 1);
  void **outputs = arena_array(run->arena, void *, function->output_count + 1);
  bool whole = true;
  for (int i = 0; whole && i < function->input_count; i++) {
    const NnrtValue *value = &function->inputs[i];
    int64_t count = value_elements(value, run->batch);
    void *memory = own(run, count * nnrt_type_bytes(value->type));
    whole = memory != NULL;
    if (whole)
      make_up(value, count, memory);
    inputs[i] = memory;
  }
  for (int i = 0; whole && i < function->output_count; i++) {
    const NnrtValue *value = &function->outputs[i];
    outputs[i] = own(run, value_elements(value, run->batch) * nnrt_type_bytes(value->type));
    whole = outputs[i] != NULL;
  }
  run->made = run->base;
  run->made.inputs = inputs;
  run->made.outputs = outputs;
  run->made.clock[4] = run->batch;
  run->frame = &run->made;
  return whole || nnrt_fail(error, "out of memory for a batch of %lld samples", (long long)run->batch);
}

// ---- samples of the data
// Workers would take the processors from the step that is measured: a feed of one step has none.
static bool open_feed(Run *run, bool training, int64_t rows, const char *name, NnrtError *error) {
  NnrtFeed from = {.fill = {.training = training, .seed = run->seed}, .batch = run->batch};
  if (!nnrt_call_new(&run->call, run->subject->function, &run->base, rows, run->data, name, error))
    return false;
  run->frame = &run->call.frame;
  return nnrt_feed_begin(&run->feed, &run->call, &run->part, &from, 1, error);
}

static bool open_part(Run *run, const NnrtData *data, NnrtError *error) {
  run->data = nnrt_data_take(data, error);
  if (!run->data || !nnrt_part_new(&run->part, run->data, NNRT_PART_TRAIN, error))
    return false;
  return run->part.count > 0 || nnrt_fail(error, "data `%s` has no training samples", data->name);
}

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static bool open_train(Run *run, NnrtError *error) {
  const NnrtTrain *train = run->subject->train;
  run->batch = 1;
  if (!train->data)
    return make_samples(run, error);
  if (!open_part(run, train->data, error) ||
      !nnrt_choose_batch(train, run->options->batch, run->part.count, &run->batch, error))
    return false;
  run->batch = smaller(run->batch, run->part.count);
  return open_feed(run, true, nnrt_capacity(train, run->part.count), train->data->name, error);
}

static bool open_predict(Run *run, NnrtError *error) {
  const NnrtPredict *predict = run->subject->predict;
  int64_t asked = run->options->batch, most = predict->batch > 0 ? predict->batch : 1;
  if (asked > most)
    return nnrt_fail(error, "--batch %lld: the program was compiled for batches of %lld at most", (long long)asked,
                     (long long)most);
  run->batch = asked > 0 ? asked : most;
  if (!predict->data || predict->function.input_count != 1)
    return make_samples(run, error);
  if (!open_part(run, predict->data, error))
    return false;
  run->batch = smaller(run->batch, run->part.count);
  return open_feed(run, false, most, predict->data->name, error);
}

// ---- steps
static bool initialise(Run *run, NnrtError *error) {
  if (!nnrt_state_new(run->module, run->options->threads, &run->base, error))
    return false;
  run->base.clock[2] = run->seed;
  run->base.clock[3] = LAST_STEP;
  run->base.clock[4] = 1;
  if (run->init)
    run->init(&run->base);
  return true;
}

// The seconds of one step, or -1 with a message. `counts`: it had a whole batch.
static double run_step(Run *run, NnrtRun *entry, bool *counts, NnrtError *error) {
  if (run->data && !nnrt_feed_next(&run->feed, error))
    return -1;
  run->frame->clock[0] = run->step++;
  run->frame->clock[1] = run->feed.epoch;
  *counts = run->frame->clock[4] == run->batch;
  double began = nnrt_seconds();
  entry(run->frame);
  return nnrt_seconds() - began;
}

// Which steps are in the middle half by their time: `order` gets them, the number is returned.
typedef struct Timed {
  double seconds;
  int64_t at;
} Timed;

static int by_seconds(const void *a, const void *b) {
  const Timed *x = a, *y = b;
  return x->seconds != y->seconds ? (x->seconds > y->seconds) - (x->seconds < y->seconds)
                                  : (x->at > y->at) - (x->at < y->at);
}

static int64_t middle(Timed *steps, int64_t count, const Timed **first) {
  qsort(steps, (size_t)count, sizeof *steps, by_seconds);
  *first = steps + count / 4;
  return count - 2 * (count / 4);
}

static bool time_plain(Run *run, NnrtRun *entry, double *mean, NnrtError *error) {
  Timed *steps = arena_array(run->arena, Timed, MOST_KEPT);
  int64_t count = 0;
  double sum = 0;
  bool counts;
  for (int i = 0; i < WARM_STEPS && sum < plain_seconds; i++) {
    double seconds = run_step(run, entry, &counts, error);
    if (seconds < 0)
      return false;
    sum += seconds;
  }
  sum = 0;
  while (count < LEAST_STEPS || sum < plain_seconds) {
    double seconds = run_step(run, entry, &counts, error);
    if (seconds < 0)
      return false;
    sum += seconds;
    if (counts)
      steps[count % MOST_KEPT] = (Timed){seconds, count}, count++;
  }
  const Timed *first;
  count = middle(steps, smaller(count, MOST_KEPT), &first);
  *mean = 0;
  for (int64_t i = 0; i < count; i++)
    *mean += first[i].seconds / (double)count;
  return true;
}

// What a look at the clock takes, the least of several series.
static double clock_seconds(void) {
  enum { SERIES = 20, LOOKS = 100 };
  double least = 0;
  for (int i = 0; i < SERIES; i++) {
    NnrtTally tally = {0};
    nnrt_tally_into(&tally);
    nnrt_profile(0, -1);
    for (int k = 0; k < LOOKS; k++)
      nnrt_profile(0, 0);
    nnrt_tally_into(NULL);
    least = i == 0 || tally.seconds < least ? tally.seconds : least;
  }
  return least / (double)LOOKS;
}

static void average(Arena *arena, Timed *steps, int64_t count, const NnrtTally *kept, int call_count,
                    ProfileTimes *times) {
  const Timed *first;
  count = middle(steps, count, &first);
  times->calls = arena_array(arena, double, call_count + 1);
  times->seconds = arena_array(arena, double, call_count + 1);
  for (int64_t i = 0; i < count; i++) {
    const NnrtTally *tallies = kept + first[i].at * call_count;
    times->step += first[i].seconds / (double)count;
    for (int k = 0; k < call_count; k++) {
      times->calls[k] += (double)tallies[k].calls;
      times->seconds[k] += tallies[k].seconds / (double)count;
    }
  }
  double looking = clock_seconds();
  for (int k = 0; k < call_count; k++) {
    times->calls[k] /= (double)count;
    double seconds = times->seconds[k] - times->calls[k] * looking;
    times->seconds[k] = seconds > 0 ? seconds : 0;
  }
}

// Of more steps than can be kept, the last ones are.
static bool time_calls(Run *run, NnrtRun *entry, int call_count, ProfileTimes *times, NnrtError *error) {
  int64_t room = smaller(MOST_KEPT, MOST_TALLIES / (call_count + 1) + LEAST_STEPS), asked = run->options->steps;
  Timed *steps = arena_array(run->arena, Timed, room);
  NnrtTally *kept = arena_array(run->arena, NnrtTally, room * call_count + 1);
  double sum = 0;
  bool counts;
  while (asked > 0 ? times->steps < asked : times->steps < LEAST_STEPS || sum < profile_seconds) {
    int64_t at = times->steps % room;
    memset(kept + at * call_count, 0, (size_t)call_count * sizeof *kept);
    nnrt_tally_into(kept + at * call_count);
    double seconds = run_step(run, entry, &counts, error);
    nnrt_tally_into(NULL);
    if (seconds < 0)
      return false;
    sum += seconds;
    if (counts)
      steps[at] = (Timed){seconds, at}, times->steps++;
  }
  average(run->arena, steps, smaller(times->steps, room), kept, call_count, times);
  return true;
}

static void close_run(Run *run) {
  nnrt_feed_end(&run->feed);
  if (run->call.function)
    nnrt_call_free(&run->call);
  nnrt_part_free(&run->part);
  if (run->data)
    nnrt_data_close(run->data);
  for (int i = 0; i < run->owned.count; i++)
    free(run->owned.data[i]);
  nnrt_state_free(&run->base);
}

bool profile_run(Arena *arena, const Compilation *compilation, const ProfileCode *code, const ProfileSubject *subject,
                 const LEntry *profiled, int call_count, const NnrtOptions *options, ProfileTimes *times,
                 NnrtError *error) {
  int64_t seed = options->seed >= 0 ? options->seed : subject->train ? subject->train->seed : 0;
  Run run = {
      .arena = arena, .module = &compilation->manifest->module, .subject = subject, .options = options, .seed = seed};
  *times = (ProfileTimes){0};
  run.init = code->find(arena, code->code, "init");
  run.prepare = profiled->prepare ? code->find(arena, code->code, profiled->prepare->name) : NULL;
  bool fine = initialise(&run, error) && (subject->train ? open_train : open_predict)(&run, error);
  if (fine && run.prepare)
    run.prepare(run.frame);
  fine = fine && time_plain(&run, code->find(arena, code->code, subject->entry), &times->plain, error) &&
         time_calls(&run, code->find(arena, code->code, profiled->name), call_count, times, error);
  times->threads = profiled->parallel ? run.base.threads : 1;
  times->batch = run.batch;
  close_run(&run);
  return fine;
}

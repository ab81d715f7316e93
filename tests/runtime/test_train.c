// Training, evaluation and prediction driven on a module written by hand: what runs, what is saved, and that a run
// which was stopped in any way ends with the bits of one that was not.
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "linear.h"
#include "state.h"

// What goes to a standard stream from here on, in a file. Each test is a process of its own.
static void redirect(FILE *stream, const char *path) {
  cr_assert(freopen(path, "w+", stream));
}

static char *text_of(const char *path) {
  static char *kept[64]; // to the end of the test
  static int used;
  long size;
  fflush(NULL);
  char *text = (char *)read_whole(path, &size);
  cr_assert(text && used < 64, "no file %s", path);
  return kept[used++] = text;
}

static void assert_has(const char *text, const char *part) {
  cr_assert(strstr(text, part), "no `%s` in:\n%s", part, text);
}

static int fork_train(const Linear *linear, const NnrtOptions *options, long kill_after_us) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0)
    _exit(nnrt_train(&linear->module, options));
  if (kill_after_us >= 0) {
    struct timespec wait = {kill_after_us / 1000000, kill_after_us % 1000000 * 1000};
    nanosleep(&wait, NULL);
    kill(child, SIGKILL);
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// A row of the log: its cells as numbers.
static int log_row(const char *path, int row, double cells[8]) {
  char *line = text_of(path);
  for (int i = 0; i < row && line; i++)
    line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
  int count = 0;
  for (char *end; line && *line && count < 8; line = *end == ',' ? end + 1 : NULL)
    cells[count++] = strtod(line, &end);
  return count;
}

Test(train, converges_and_says_so) {
  Linear *linear = linear_new();
  linear->train.log = linear_path(linear, "log.csv");
  NnrtOptions options = linear_options();
  options.quiet = false;
  char *said = linear_path(linear, "said");
  redirect(stdout, said);
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  char *text = text_of(said), *log = text_of(linear->train.log);
  assert_has(text, "train: 300 samples, batch 32, 10 steps an epoch, 1 thread; first step after ");
  assert_has(text, "\nepoch 4/4  loss 0.");
  assert_has(text, "  val.loss 0.");
  assert_has(text, "  val.accuracy 0.");
  assert_has(text, " samples/s  0.0 s\n");
  assert_has(text, "\ntest  loss 0.");
  assert_has(log, "epoch,step,loss,accuracy,val.loss,val.accuracy,seconds\n1,10,");
  double first[8], last[8];
  cr_assert_eq(log_row(linear->train.log, 1, first), 7);
  cr_assert_eq(log_row(linear->train.log, 4, last), 7);
  cr_assert_lt(last[2], first[2] / 2);
  cr_assert_gt(last[5], 0.9);
  linear_free(linear);
}

Test(train, is_reproducible_and_hears_its_seed) {
  Linear *one = linear_new(), *two = linear_new(), *three = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&one->module, &options), 0);
  cr_assert_eq(nnrt_train(&two->module, &options), 0);
  options.seed = 8;
  cr_assert_eq(nnrt_train(&three->module, &options), 0);
  cr_assert(same_files(one->train.save_to, two->train.save_to));
  cr_assert(!same_files(one->train.save_to, three->train.save_to));
  linear_free(one), linear_free(two), linear_free(three);
}

static void report_count(const NnrtFrame *frame) {
  *(float *)frame->outputs[0] = (float)frame->clock[4];
  *(double *)frame->outputs[1] = 1;
  linear_samples += frame->clock[4];
}

Test(train, trains_on_the_short_last_batch_and_weighs_it) {
  Linear *linear = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(linear_samples, 4 * 300);
  cr_assert_eq(linear_shortest, 12);
  linear->train.log = linear_path(linear, "log.csv");
  linear->train.train.run = report_count;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  double cells[8];
  cr_assert_eq(log_row(linear->train.log, 1, cells), 7);
  cr_assert_float_eq(cells[2], (9 * 32 * 32 + 12 * 12) / 300.0, 1e-6);
  linear_free(linear);
}

static int64_t seen_batch, seen_last;
static void watch_clock(const NnrtFrame *frame) {
  seen_batch = frame->clock[4] > seen_batch ? frame->clock[4] : seen_batch;
  seen_last = frame->clock[3];
  report_count(frame);
}

Test(train, takes_batch_steps_and_epochs_from_the_options) {
  Linear *linear = linear_new();
  linear->train.train.run = watch_clock;
  NnrtOptions options = linear_options();
  options.batch = 7, options.steps = 50;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(seen_batch, 7);
  cr_assert_eq(seen_last, 49);
  cr_assert_eq(linear_samples, 300 + 7 * 7); // 43 steps are an epoch
  redirect(stderr, linear_path(linear, "err"));
  options.batch = 33;
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  options.batch = 7, options.epochs = 2;
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  char *text = text_of(linear_path(linear, "err"));
  assert_has(text, "error: --batch 33: the program was compiled for batches of 32 at most\n");
  assert_has(text, "error: --epochs and --steps exclude each other\n");
  linear_free(linear);
}

// ---- draws: what a batch draws is a function of step and seed, so each batch has a pair of its own
static int64_t draws[256][2];
static int drawn;
static void watch_draws(const NnrtFrame *frame) {
  cr_assert_lt(drawn, 256);
  draws[drawn][0] = frame->clock[0];
  draws[drawn++][1] = frame->clock[2];
  *(float *)frame->outputs[0] = 1, *(double *)frame->outputs[1] = 1;
}

Test(train, each_batch_of_validation_draws_anew) {
  enum { EPOCHS = 4, BATCHES = 4, ALL = EPOCHS * BATCHES + BATCHES }; // of 32: 100 samples of val, 100 of test
  Linear *linear = linear_new();
  linear->train.eval.run = watch_draws;
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(drawn, ALL);
  for (int i = 0; i < ALL - BATCHES; i++)
    for (int j = 0; j < i; j++)
      cr_expect(draws[i][0] != draws[j][0] || draws[i][1] != draws[j][1], "batches %d and %d", i, j);
  cr_expect_eq(draws[0][0], 10);
  cr_expect_eq(draws[BATCHES - 1][0], 10, "a schedule sees one step in a pass");
  options.epochs = 2;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  options.epochs = 4, options.resume = true;
  drawn = ALL;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(drawn, ALL + 3 * BATCHES);
  cr_expect_arr_eq(draws[ALL], draws[2 * BATCHES], 3 * BATCHES * sizeof draws[0], "resumed");
  linear_free(linear);
}

static int64_t keys[8];
static void watch_keys(const NnrtFrame *frame) {
  keys[drawn++ % 8] = frame->clock[2];
  memset(frame->outputs[0], 0, (size_t)frame->clock[4] * sizeof(float));
}

Test(train, each_batch_of_a_prediction_draws_anew) {
  Linear *linear = linear_new();
  NnrtOptions options = linear_options();
  options.epochs = 1;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  linear->predict.function.run = watch_keys;
  options.input = linear_path(linear, "rows.csv"), options.output = linear_path(linear, "out.csv");
  FILE *rows = fopen(options.input, "w");
  for (int i = 0; i < 70; i++)
    fprintf(rows, "%d,1\n", i);
  fclose(rows);
  cr_assert_eq(nnrt_predict(&linear->module, &options), 0);
  cr_assert_eq(drawn, 3);
  cr_expect(keys[0] == 0 && keys[1] != keys[0] && keys[2] != keys[0] && keys[2] != keys[1]);
  linear_free(linear);
}

static void count_step(const NnrtFrame *frame) {
  *(float *)frame->state += 1;
  *(float *)frame->outputs[0] = (float)frame->clock[0];
  *(double *)frame->outputs[1] = 0;
}

Test(train, runs_without_data) {
  Linear *linear = linear_new();
  linear->train.data = NULL;
  linear->train.train = (NnrtFunction){.run = count_step, .output_count = 2, .outputs = linear->train.train.outputs};
  linear->train.epochs = 0, linear->train.steps = 95;
  linear->train.log = linear_path(linear, "log.csv");
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  double cells[8];
  cr_assert_eq(log_row(linear->train.log, 1, cells), 5);
  cr_assert_eq(cells[1], 10);
  cr_assert_float_eq(cells[2], 4.5, 1e-9);
  cr_assert_eq(log_row(linear->train.log, 10, cells), 5);
  cr_assert_eq(cells[1], 95);
  cr_assert_float_eq(cells[2], 92, 1e-9);
  redirect(stderr, linear_path(linear, "err"));
  options.epochs = 7;
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  assert_has(text_of(linear_path(linear, "err")), "--epochs: without data there are no epochs; give --steps 7");
  linear_free(linear);
}

// A stamp in the frame's arena: the training step's, or the validation's.
static void prepare_step(const NnrtFrame *frame) {
  *(int64_t *)frame->arena = 1;
}

static void prepare_eval(const NnrtFrame *frame) {
  *(int64_t *)frame->arena = 2;
}

static int64_t wrongly_prepared;

static void prepared_step(const NnrtFrame *frame) {
  wrongly_prepared += *(int64_t *)frame->arena != 1;
  *(float *)frame->outputs[0] = 0;
}

static void prepared_eval(const NnrtFrame *frame) {
  wrongly_prepared += *(int64_t *)frame->arena != 2;
  *(float *)frame->outputs[0] = 0;
}

Test(train, each_series_of_calls_is_prepared) {
  Linear *linear = linear_new();
  linear->module.arena_bytes = 64;
  linear->train.train.run = prepared_step, linear->train.train.prepare = prepare_step;
  linear->train.eval.run = prepared_eval, linear->train.eval.prepare = prepare_eval;
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_expect_eq(wrongly_prepared, 0);
  linear_free(linear);
}

Test(train, whole_part_as_one_batch) {
  Linear *linear = linear_new();
  linear->train.batch = -1;
  linear->train.train.run = watch_clock;
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(seen_batch, 300);
  linear->train.capacity = 200;
  redirect(stderr, linear_path(linear, "err"));
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  assert_has(text_of(linear_path(linear, "err")),
             "`batch: all` means 300 samples now, but the program was compiled for 200");
  linear_free(linear);
}

// ---- stopping and going on
Test(train, resumes_within_an_epoch_to_the_same_bits) {
  Linear *whole = linear_new(), *parts = linear_new();
  NnrtOptions options = linear_options();
  whole->train.log = linear_path(whole, "log.csv");
  parts->train.log = linear_path(parts, "log.csv");
  cr_assert_eq(nnrt_train(&whole->module, &options), 0);
  redirect(stderr, linear_path(parts, "err"));
  for (int64_t at = 3; at < 40; at += 9, options.resume = true) { // 3, 12, 21, 30 and the last, 39
    linear_signal_at = at;
    cr_assert_eq(nnrt_train(&parts->module, &options), 130);
  }
  linear_signal_at = -1;
  cr_assert_eq(nnrt_train(&parts->module, &options), 0);
  cr_assert(same_files(whole->train.save_to, parts->train.save_to));
  cr_assert(same_files(linear_path(whole, "model.last.safetensors"), linear_path(parts, "model.last.safetensors")));
  for (int row = 1; row <= 4; row++) {
    double a[8] = {0}, b[8] = {0};
    cr_assert_eq(log_row(whole->train.log, row, a), 7);
    cr_assert_eq(log_row(parts->train.log, row, b), 7);
    cr_assert_arr_eq(a, b, 6 * sizeof *a);
  }
  char *text = text_of(linear_path(parts, "err"));
  assert_has(text, "stopped after step 4 (epoch 1); ");
  assert_has(text, "model.last.safetensors holds the run, --resume goes on\n");
  linear_free(whole), linear_free(parts);
}

// The step of a later phase, which wants to be told from the first.
static int64_t first_steps, first_epoch, second_steps, second_epoch;
static NnrtRun *linear_step;
static void in_first(const NnrtFrame *frame) {
  first_steps++, first_epoch = frame->clock[1];
  linear_step(frame);
}
static void in_second(const NnrtFrame *frame) {
  second_steps++, second_epoch = frame->clock[1];
  linear_step(frame);
}

Test(train, takes_another_step_after_so_many_epochs) {
  Linear *whole = linear_new(), *parts = linear_new();
  NnrtOptions options = linear_options();
  linear_step = whole->train.train.run;
  NnrtPhase phases[2] = {{1, whole->train.train}, {3, whole->train.train}};
  phases[0].train.run = in_first, phases[1].train.run = in_second;
  whole->train.phases = parts->train.phases = phases;
  whole->train.phase_count = parts->train.phase_count = 2;
  cr_assert_eq(nnrt_train(&whole->module, &options), 0);
  cr_assert_eq(first_steps, 20);
  cr_assert_eq(first_epoch, 2);
  cr_assert_eq(second_steps, 10);
  cr_assert_eq(second_epoch, 3);
  redirect(stderr, linear_path(parts, "err"));
  for (int64_t at = 5; at < 40; at += 10, options.resume = true) {
    linear_signal_at = at;
    cr_assert_eq(nnrt_train(&parts->module, &options), 130);
  }
  linear_signal_at = -1;
  cr_assert_eq(nnrt_train(&parts->module, &options), 0);
  cr_assert_eq(first_steps, 40);
  cr_assert_eq(second_steps, 20);
  cr_assert(same_files(whole->train.save_to, parts->train.save_to));
  linear_free(whole), linear_free(parts);
}

static void kill_and_resume(Linear *whole, Linear *parts, unsigned seed, long step_us, double save_pause) {
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&whole->module, &options), 0);
  linear_pause_us = step_us;
  options.resume = true;
  options.save_pause = save_pause;
  redirect(stderr, linear_path(parts, "err"));
  int kills = 0;
  while (fork_train(parts, &options, 1000 + (long)(seed = seed * 1103515245u + 12345u) / 65536 % 32768) != 0)
    cr_assert_lt(++kills, 1000);
  cr_log_info("killed %d times", kills);
  cr_assert_gt(kills, 0);
  cr_assert(same_files(whole->train.save_to, parts->train.save_to));
  cr_assert(same_files(linear_path(whole, "model.last.safetensors"), linear_path(parts, "model.last.safetensors")));
}

Test(train, survives_kill_with_every) {
  Linear *whole = linear_new(), *parts = linear_new();
  whole->train.epochs = parts->train.epochs = 20;
  whole->train.save_every = parts->train.save_every = 3;
  kill_and_resume(whole, parts, 1, 300, 0.0005);
  linear_free(whole), linear_free(parts);
}

Test(train, survives_kill_with_best) {
  Linear *whole = linear_new(), *parts = linear_new();
  whole->train.epochs = parts->train.epochs = 20;
  whole->train.save = parts->train.save = NNRT_SAVE_BEST;
  whole->train.save_value = parts->train.save_value = "val.accuracy";
  kill_and_resume(whole, parts, 2, 300, 0.0005);
  linear_free(whole), linear_free(parts);
}

// Epochs longer than the time between two kills: only checkpoints within an epoch get the run any further.
Test(train, survives_kill_within_long_epochs) {
  Linear *whole = linear_new(), *parts = linear_new();
  kill_and_resume(whole, parts, 3, 5000, 0.0001);
  linear_free(whole), linear_free(parts);
}

Test(train, second_signal_kills) {
  Linear *linear = linear_new();
  linear_pause_us = 200000;
  fflush(NULL);
  pid_t child = fork();
  NnrtOptions options = linear_options();
  if (child == 0)
    _exit(nnrt_train(&linear->module, &options));
  usleep(100000);
  kill(child, SIGINT);
  usleep(20000);
  kill(child, SIGINT);
  int status;
  waitpid(child, &status, 0);
  cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
  linear_free(linear);
}

Test(train, goes_on_for_more_epochs_and_knows_when_it_is_done) {
  Linear *whole = linear_new(), *parts = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&whole->module, &options), 0);
  redirect(stderr, linear_path(parts, "err"));
  options.resume = true;
  options.epochs = 2;
  cr_assert_eq(nnrt_train(&parts->module, &options), 0);
  options.epochs = 4;
  cr_assert_eq(nnrt_train(&parts->module, &options), 0);
  cr_assert(same_files(whole->train.save_to, parts->train.save_to));
  cr_assert_eq(nnrt_train(&parts->module, &options), 0);
  cr_assert(same_files(whole->train.save_to, parts->train.save_to));
  options.seed = 9;
  cr_assert_eq(nnrt_train(&parts->module, &options), 1);
  char *text = text_of(linear_path(parts, "err"));
  assert_has(text, "note: nothing to resume, there is no ");
  assert_has(text, "holds a finished run of 40 steps; nothing is left to do\n");
  assert_has(text, "was begun with seed 3, not 9: resume with --seed 3\n");
  linear_free(whole), linear_free(parts);
}

Test(train, resumes_with_another_batch) {
  Linear *linear = linear_new();
  NnrtOptions options = linear_options();
  options.epochs = 2;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  linear_samples = 0;
  options.resume = true, options.epochs = 5, options.batch = 7;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(linear_samples, 3 * 300);
  linear_samples = 0, options.epochs = 6, options.batch = 32;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(linear_samples, 300);
  linear_free(linear);
}

Test(train, a_new_run_is_not_resumed_from_an_old_one) {
  Linear *linear = linear_new(), *other = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&other->module, &options), 0);
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  linear_pause_us = 10000;
  redirect(stderr, linear_path(linear, "err"));
  cr_assert_eq(fork_train(linear, &options, 50000), 1000 + SIGKILL); // before its first checkpoint
  linear_pause_us = 0;
  options.resume = true;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  assert_has(text_of(linear_path(linear, "err")), "note: nothing to resume");
  cr_assert(same_files(linear->train.save_to, other->train.save_to));
  linear_free(linear), linear_free(other);
}

// ---- saving
Test(train, keeps_the_best_and_tests_it) {
  Linear *linear = linear_new();
  linear->train.save = NNRT_SAVE_BEST;
  linear->train.save_value = "val.accuracy";
  linear->train.log = linear_path(linear, "log.csv");
  linear->train.epochs = 8;
  NnrtOptions options = linear_options();
  options.quiet = false;
  redirect(stdout, linear_path(linear, "said"));
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  int best = 0;
  double highest = -1, cells[8];
  for (int row = 1; row <= 8; row++) {
    cr_assert_eq(log_row(linear->train.log, row, cells), 7);
    if (cells[5] > highest)
      highest = cells[5], best = row;
  }
  cr_assert_lt(best, 8);
  char wanted[80];
  snprintf(wanted, sizeof wanted, "\"best_epoch\":\"%d\"", best);
  assert_has(text_of(linear->train.save_to) + 8, wanted);
  snprintf(wanted, sizeof wanted, "  (parameters of epoch %d, the best val.accuracy)\n", best);
  char *trained = text_of(linear_path(linear, "said")), *test = strstr(trained, "\ntest  loss");
  assert_has(trained, wanted);
  redirect(stdout, linear_path(linear, "evaluated"));
  cr_assert_eq(nnrt_eval(&linear->module, &options), 0);
  char *evaluated = text_of(linear_path(linear, "evaluated")), *again = strstr(evaluated, "test  loss");
  cr_assert(again && strncmp(test + 1, again, strcspn(again, "\n")) == 0, "%s\n%s", test, again);
  snprintf(wanted, sizeof wanted, "accuracy %.4f\n", highest);
  assert_has(evaluated, wanted);
  linear_free(linear);
}

Test(train, saves_at_the_end_when_told_to_and_not_when_not) {
  Linear *linear = linear_new();
  NnrtOptions options = linear_options();
  options.no_save = true;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_neq(access(linear->train.save_to, F_OK), 0);
  options.no_save = false;
  linear->train.save = NNRT_SAVE_NEVER;
  options.checkpoint = linear_path(linear, "other.safetensors");
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(access(options.checkpoint, F_OK), 0);
  cr_assert_neq(access(linear->train.save_to, F_OK), 0);
  options.checkpoint = "/no/such/folder/x.safetensors";
  redirect(stderr, linear_path(linear, "err"));
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  assert_has(text_of(linear_path(linear, "err")), "folder /no/such/folder/: No such file or directory");
  linear_free(linear);
}

Test(train, stops_early) {
  Linear *linear = linear_new();
  linear->train.train.run = report_count; // a loss that never gets better
  linear->train.epochs = 50;
  linear->train.patience = 3;
  linear->train.patience_value = "loss";
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(linear_samples, 4 * 300);
  options.resume = true;
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(linear_samples, 4 * 300);
  linear_free(linear);
}

Test(train, watches_only_what_there_is) {
  Linear *linear = linear_new();
  NnrtOptions options = linear_options();
  redirect(stderr, linear_path(linear, "err"));
  linear->train.save = NNRT_SAVE_BEST;
  linear->train.save_value = "val.f1";
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  NnrtData whole = *linear->train.data;
  whole.call_count = 1;
  linear->train.data = &whole;
  linear->train.save_value = "val.loss";
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  char *text = text_of(linear_path(linear, "err"));
  assert_has(text, "`save` watches val.f1, which is not reported");
  assert_has(text, "`save` watches val.loss, but there are no validation samples");
  linear_free(linear);
}

Test(train, stops_at_nan_and_leaves_the_checkpoint) {
  Linear *linear = linear_new(), *good = linear_new();
  NnrtOptions options = linear_options();
  options.epochs = 2;
  cr_assert_eq(nnrt_train(&good->module, &options), 0);
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  options.epochs = 4, options.resume = true, linear_nan_at = 25;
  redirect(stderr, linear_path(linear, "err"));
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  options.check_nan = true;
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  cr_assert(same_files(linear->train.save_to, good->train.save_to));
  cr_assert(same_files(linear_path(linear, "model.last.safetensors"), linear_path(good, "model.last.safetensors")));
  char *text = text_of(linear_path(linear, "err"));
  assert_has(text, "error: loss became nan in step 25 (epoch 3)\nhint: --check-nan");
  assert_has(text, "line.nn:9: kernel update_1 gave the first NaN of step 25, in element 0 of its result\n");
  linear_free(linear), linear_free(good);
}

Test(train, full_disk_leaves_the_old_checkpoint) {
  Linear *linear = linear_new(), *old = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  cr_assert_eq(nnrt_train(&old->module, &options), 0);
  redirect(stderr, linear_path(linear, "err"));
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = {400, 400}; // bytes: less than a checkpoint, more than the message
  setrlimit(RLIMIT_FSIZE, &small);
  options.seed = 5;
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  assert_has(text_of(linear_path(linear, "err")), "error: cannot write ");
  cr_assert(same_files(linear->train.save_to, old->train.save_to));
  cr_assert_neq(access(linear_path(linear, "model.safetensors.tmp"), F_OK), 0);
  linear_free(linear), linear_free(old);
}

Test(train, loads_weights_to_start_from) {
  Linear *linear = linear_new(), *next = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  NnrtWeights weights = {.path = linear->train.save_to};
  next->train.loads = &weights, next->train.load_count = 1;
  next->train.log = linear_path(next, "log.csv");
  cr_assert_eq(nnrt_train(&next->module, &options), 0);
  double cells[8];
  cr_assert_eq(log_row(next->train.log, 1, cells), 7);
  cr_assert_lt(cells[2], 0.2); // 0.6 from the start
  linear_free(linear), linear_free(next);
}

Test(train, what_saves_nothing_is_evaluated_with_what_it_loads) {
  Linear *linear = linear_new(), *next = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  char *first = linear_path(linear, "first"), *second = linear_path(linear, "second");
  redirect(stdout, first);
  cr_assert_eq(nnrt_eval(&linear->module, &options), 0);
  NnrtWeights weights = {.path = linear->train.save_to};
  next->train.loads = &weights, next->train.load_count = 1;
  next->train.save = NNRT_SAVE_NEVER, next->train.save_to = NULL;
  redirect(stdout, second);
  cr_assert_eq(nnrt_eval(&next->module, &options), 0);
  cr_assert_str_eq(text_of(first), text_of(second));
  weights.into = "line.w";
  redirect(stderr, linear_path(linear, "err"));
  cr_assert_eq(nnrt_eval(&next->module, &options), 1);
  assert_has(text_of(linear_path(linear, "err")), "`load` of train block `train` leaves line.b as it is");
  linear_free(linear), linear_free(next);
}

// ---- the rest of the command line
Test(train, data_can_be_opened_ahead) {
  Linear *one = linear_new(), *two = linear_new();
  NnrtOptions options = linear_options();
  nnrt_data_begin(one->train.data);
  cr_assert_eq(nnrt_train(&one->module, &options), 0);
  cr_assert_eq(nnrt_train(&two->module, &options), 0);
  cr_assert(same_files(one->train.save_to, two->train.save_to));
  linear_free(one), linear_free(two);
}

Test(train, other_data_than_compiled_for_is_refused) {
  Linear *linear = linear_new();
  static const NnrtValue inputs[] = {{"x", NNRT_F32, 2, {-1, 3}, false}, {"y", NNRT_I64, 1, {-1}, false}};
  linear->train.train.inputs = inputs;
  NnrtOptions options = linear_options();
  redirect(stderr, linear_path(linear, "err"));
  cr_assert_eq(nnrt_train(&linear->module, &options), 1);
  assert_has(text_of(linear_path(linear, "err")),
             "a sample's x in data `points` is f32[2], but the program was compiled for f32[3]");
  linear_free(linear);
}

static int fork_main(const Linear *linear, int argc, char **argv, const char *out, const char *err) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    redirect(stdout, out);
    redirect(stderr, err);
    exit(nnrt_main(&linear->module, argc, argv));
  }
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define MAIN(...)                                                                                                      \
  fork_main(linear, (int)(sizeof(char *[]){"line", __VA_ARGS__} / sizeof(char *)),                                     \
            (char *[]){"line", __VA_ARGS__, NULL}, out, err)

Test(train, command_line) {
  Linear *linear = linear_new();
  char *out = linear_path(linear, "out"), *err = linear_path(linear, "err"), *rows = linear_path(linear, "rows.csv");
  cr_assert_eq(MAIN("--help"), 0);
  assert_has(text_of(out), "line predict  FILE [BLOCK]");
  cr_assert_eq(MAIN("--version"), 0);
  cr_assert_eq(MAIN("trian"), 2);
  assert_has(text_of(err), "there is no command `trian`; did you mean `train`?");
  cr_assert_eq(MAIN("train", "--epcohs", "3"), 2);
  assert_has(text_of(err), "unrecognized option '--epcohs'");
  cr_assert_eq(MAIN("train", "--epochs", "x"), 2);
  assert_has(text_of(err), "--epochs: `x` is not a whole number of 1 or more");
  cr_assert_eq(MAIN("train", "tarin"), 1);
  assert_has(text_of(err), "line has no train block `tarin`; did you mean `train`?");
  NnrtError error;
  cr_assert_null(nnrt_find_train(&linear->module, "other", &error));
  cr_assert_str_eq(error.text, "line has no train block `other`; its first is `train`");
  cr_assert_eq(MAIN("predict"), 2);
  assert_has(text_of(err), "which file?");
  cr_assert_eq(MAIN("eval"), 1);
  assert_has(text_of(err), "model.safetensors: train first, or give --checkpoint FILE\n");
  cr_assert_eq(MAIN("train", "--epochs", "3", "--quiet"), 0);
  assert_has(text_of(out), "");
  cr_assert_eq(MAIN("info"), 0);
  assert_has(text_of(out), "optimizer  line.w.velocity  f32[2]\n");
  FILE *file = fopen(rows, "w");
  fputs("3,3\n-3,-2.5\n", file);
  fclose(file);
  cr_assert_eq(MAIN("predict", rows), 0);
  char *text = text_of(out);
  assert_has(text, "row,class,probability\n1,1,0.99");
  assert_has(text, "\n2,0,0.0");
  linear->predict.task = NNRT_VALUES;
  linear->predict.data = NULL;
  char *other = linear_path(linear, "values.csv");
  cr_assert_eq(MAIN("predict", rows, "-o", other), 0);
  assert_has(text_of(other), "row,p\n1,0.99");
  cr_assert_eq(MAIN("predict", "/no/such.csv"), 1);
  linear_free(linear);
}

// A probability for each of two classes, by the sign of the first feature.
static void two_classes(const NnrtFrame *frame) {
  for (int64_t i = 0; i < frame->clock[4]; i++) {
    float *p = (float *)frame->outputs[0] + 2 * i;
    p[1] = ((const float *)frame->inputs[0])[2 * i] > 0 ? 0.75f : 0.125f;
    p[0] = 1 - p[1];
  }
}

Test(train, predicts_classes_in_batches) {
  static const NnrtValue probabilities[] = {{"p", NNRT_F32, 2, {-1, 2}, false}};
  Linear *linear = linear_new();
  NnrtOptions options = linear_options();
  cr_assert_eq(nnrt_train(&linear->module, &options), 0);
  linear->predict.task = NNRT_CLASSES;
  linear->predict.function.run = two_classes;
  linear->predict.function.outputs = probabilities;
  options.batch = 2;
  options.input = linear_path(linear, "in.csv");
  options.output = linear_path(linear, "out.csv");
  FILE *file = fopen(options.input, "w");
  fputs("a,b\n1,0\n-1,0\n2,0\n", file);
  fclose(file);
  cr_assert_eq(nnrt_predict(&linear->module, &options), 0);
  cr_assert_str_eq(text_of(options.output), "row,class,probability\n1,1,0.750000\n2,0,0.875000\n3,1,0.750000\n");
  linear_free(linear);
}

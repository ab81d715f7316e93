// The epoch loop. A step is one call of generated code; around it stand a batch's filling, sums of what is reported,
// and a look at a flag and a counter, so that a step of a tiny net stays a step. The clock is read every fiftieth of
// a second, checkpoints and lines are for the epoch's end.
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_nan.h"
#include "run.h"

static volatile sig_atomic_t stop; // the signal that asked for an end

static void ask_to_stop(int signal_number) {
  stop = signal_number;
}

typedef struct Ticker {
  int64_t left, stride; // steps to the next look at the clock, and between two
  double last, saved;   // when it was looked at; when an epoch in course was last saved
} Ticker;

typedef enum Outcome { GOES_ON, STOPPED, SPOILT, UNREADABLE } Outcome;

static const NnrtCall *val_of(const NnrtTraining *run) {
  return run->eval.function ? &run->eval : NULL;
}

// The position with the sums of an epoch in course.
static const NnrtPosition *position(NnrtTraining *run) {
  bool within = run->at.epoch_step > 0;
  run->at.sums = within ? run->step.sums : NULL;
  run->at.sum_count = within ? run->train->train.output_count : 0;
  run->at.summed = within ? run->step.samples : 0;
  return &run->at;
}

static void say_begin(NnrtTraining *run, double now) {
  const NnrtPlan *plan = &run->plan;
  NnrtProgress *progress = &run->progress;
  if (progress->quiet)
    return;
  double after = run->options->clock ? run->options->clock() : now - progress->began;
  if (run->data)
    printf("%s: %" PRId64 " sample%s, batch %" PRId64 ", %" PRId64 " step%s an epoch", run->train->name, plan->samples,
           plan->samples == 1 ? "" : "s", plan->batch, plan->epoch_steps, plan->epoch_steps == 1 ? "" : "s");
  else
    printf("%s: %" PRId64 " step%s", run->train->name, plan->steps, plan->steps == 1 ? "" : "s");
  printf(", %d thread%s; first step after %.3f s\n", run->base.threads, run->base.threads > 1 ? "s" : "", after);
  fflush(stdout);
}

static void tick(NnrtTraining *run, Ticker *ticker) {
  double now = nnrt_seconds(), passed = now - ticker->last;
  if (run->at.step == run->progress.first_step + 1)
    say_begin(run, now);
  int64_t most = 2 * ticker->stride, fitting = (int64_t)(0.02 / (passed + 1e-9) * (double)ticker->stride);
  ticker->stride = fitting < 1 ? 1 : fitting < most ? fitting : most;
  ticker->left = ticker->stride;
  ticker->last = now;
  nnrt_progress_bar(&run->progress, &run->step, run->at.epoch, run->at.epoch_step, run->at.step, now);
  if (now - ticker->saved >= 60 * run->saver.pause) { // long epochs are saved within
    nnrt_saver_last(&run->saver, run->base.state, position(run), now);
    ticker->saved = now;
  }
}

static Outcome spoilt(NnrtTraining *run) {
  nnrt_progress_clear(&run->progress);
  if (run->options->check_nan && nnrt_check_called())
    nnrt_check_print(run->module, stderr);
  double loss = nnrt_call_value(&run->step, 0);
  NnrtError error = {0};
  if (isfinite(loss))
    nnrt_fail(&error, "a value became NaN in step %" PRId64 " (epoch %" PRId64 ")", run->at.step, run->at.epoch + 1);
  else
    nnrt_fail(&error, "%s became %s in step %" PRId64 " (epoch %" PRId64 ")", run->train->train.outputs[0].name,
              isnan(loss) ? "nan"
              : loss < 0  ? "-inf"
                          : "inf",
              run->at.step, run->at.epoch + 1);
  nnrt_report(&error);
  if (!run->options->check_nan)
    fputs("hint: --check-nan names the tensor that went wrong first; often a smaller learning rate helps\n", stderr);
  else if (!nnrt_check_called())
    fputs("hint: this program has no checks built in: use `nnc run --check-nan`\n", stderr);
  return SPOILT;
}

// What is trained may have changed with the epoch.
static void choose_step(NnrtTraining *run) {
  const NnrtTrain *train = run->train;
  run->step.function = &train->train;
  for (int i = 0; i < train->phase_count && train->phases[i].epochs <= run->at.epoch; i++)
    run->step.function = &train->phases[i].train;
}

// The steps of an epoch that are left. GOES_ON: all are done.
static Outcome run_steps(NnrtTraining *run, Ticker *ticker) {
  NnrtPosition *at = &run->at;
  NnrtCall *step = &run->step;
  const NnrtPlan *plan = &run->plan;
  int64_t *clock = step->frame.clock;
  bool reports = step->function->output_count > 0;
  clock[1] = at->epoch;
  choose_step(run);
  nnrt_call_prepare(step);
  while (at->epoch_step < plan->epoch_steps && at->step < plan->steps) {
    clock[0] = at->step;
    if (!run->data) {
      clock[1] = at->step;
      clock[4] = 1;
    } else if (!nnrt_feed_next(&run->feed, &run->unreadable)) {
      return UNREADABLE;
    }
    step->function->run(&step->frame);
    if (reports && (!isfinite(nnrt_call_value(step, 0)) || (run->options->check_nan && nnrt_check_found_nan())))
      return spoilt(run);
    nnrt_call_add(step);
    run->progress.epoch_samples += clock[4];
    at->step++;
    at->epoch_step++;
    if (--ticker->left <= 0)
      tick(run, ticker);
    if (stop)
      return STOPPED;
  }
  return GOES_ON;
}

static double watched(const NnrtTraining *run, const NnrtWatch *watch) {
  return nnrt_call_mean(watch->val ? &run->eval : &run->step, watch->output);
}

static bool improve(const NnrtTraining *run, const NnrtWatch *watch, NnrtBest *best, int64_t epoch) {
  double value = watched(run, watch);
  bool better = best->epoch == 0 ? !isnan(value) : watch->higher ? value > best->value : value < best->value;
  if (better)
    *best = (NnrtBest){value, epoch};
  return better;
}

// Validation, what follows from it, and the line. The position moves to the next epoch, unless the run ends within
// this one.
static Outcome finish_epoch(NnrtTraining *run, Ticker *ticker) {
  NnrtPosition *at = &run->at;
  double trained = nnrt_seconds() - run->progress.epoch_began;
  int64_t *clock = run->eval.frame.clock, epoch = at->epoch + 1;
  clock[0] = at->step, clock[1] = at->epoch;
  NnrtPass pass = NNRT_PASS_DONE;
  if (val_of(run))
    pass = nnrt_feed_part(&run->eval, &run->val, run->plan.batch, &stop, &run->unreadable);
  if (pass != NNRT_PASS_DONE)
    return pass == NNRT_PASS_STOPPED ? STOPPED : UNREADABLE;
  bool better = run->best.output >= 0 && improve(run, &run->best, &at->best, epoch);
  if (run->progress_value.output >= 0)
    improve(run, &run->progress_value, &at->progress, epoch);
  double now = nnrt_seconds();
  nnrt_log_epoch(&run->log, &run->step, val_of(run), epoch, at->step, now - run->progress.epoch_began);
  nnrt_progress_epoch(&run->progress, &run->step, val_of(run), epoch, trained, now);
  if (at->epoch_step == run->plan.epoch_steps) {
    at->epoch++;
    at->epoch_step = 0;
    nnrt_call_clear(&run->step);
  }
  if (better || (run->save_every > 0 && epoch % run->save_every == 0))
    nnrt_saver_keep(&run->saver, run->base.state, position(run), now);
  if (now >= run->saver.next)
    nnrt_log_flush(&run->log);
  nnrt_saver_last(&run->saver, run->base.state, position(run), now);
  ticker->saved = now;
  return GOES_ON;
}

static bool no_progress(const NnrtTraining *run) {
  return run->train->patience > 0 && run->at.epoch - run->at.progress.epoch >= run->train->patience;
}

static Outcome run_epochs(NnrtTraining *run) {
  Ticker ticker = {.left = 1, .stride = 1, .last = run->progress.began, .saved = run->progress.began};
  Outcome outcome = GOES_ON;
  while (outcome == GOES_ON && (run->at.step < run->plan.steps || run->at.epoch_step == run->plan.epoch_steps)) {
    if (no_progress(run)) {
      if (!run->options->quiet)
        printf("stopped early: %s no better for %" PRId64 " epochs\n", run->progress_value.name, run->train->patience);
      break;
    }
    run->progress.epoch_samples = 0;
    run->progress.epoch_began = nnrt_seconds();
    outcome = run_steps(run, &ticker);
    if (outcome == GOES_ON)
      outcome = finish_epoch(run, &ticker);
  }
  return outcome;
}

// Whether a bar can be redrawn in its place.
static bool redraws(void) {
  const char *kind = getenv("TERM");
  return isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

static void start_clocks(NnrtTraining *run, double began) {
  run->progress = (NnrtProgress){.quiet = run->options->quiet,
                                 .terminal = redraws(),
                                 .unit = run->data ? "epoch" : "part",
                                 .epochs = run->plan.epochs,
                                 .epoch_steps = run->plan.epoch_steps,
                                 .last_step = run->plan.steps,
                                 .first_step = run->at.step,
                                 .began = began,
                                 .epoch_began = began};
  int64_t last = run->plan.steps > 0 ? run->plan.steps - 1 : 0;
  run->step.frame.clock[2] = run->eval.frame.clock[2] = run->at.seed;
  run->step.frame.clock[3] = run->eval.frame.clock[3] = last;
}

// The end of a run, or of as much of it as there was time for, goes to disk.
static bool save_end(NnrtTraining *run) {
  if (run->save == NNRT_SAVE_EVERY)
    nnrt_saver_keep(&run->saver, run->base.state, position(run), INFINITY);
  nnrt_log_flush(&run->log);
  return nnrt_saver_last(&run->saver, run->base.state, position(run), NNRT_SAVER_NOW) && !run->saver.failed;
}

static int interrupted(NnrtTraining *run, Outcome outcome) {
  nnrt_progress_clear(&run->progress);
  bool saved = save_end(run);
  if (outcome == UNREADABLE)
    nnrt_report(&run->unreadable);
  fprintf(stderr, "stopped after step %" PRId64 " (epoch %" PRId64 ")", run->at.step, run->at.epoch + 1);
  if (run->saver.path && saved)
    fprintf(stderr, "; %s holds the run, --resume goes on", run->saver.last_path);
  fputc('\n', stderr);
  return outcome == UNREADABLE ? 1 : 130;
}

// With `save: best` the parameters that were best are tested, not the last ones.
static bool has_best(const NnrtTraining *run) {
  return run->save == NNRT_SAVE_BEST && run->saver.path && run->at.best.epoch > 0 && !run->saver.failed;
}

static bool take_best(NnrtTraining *run, NnrtError *error) {
  return !has_best(run) || nnrt_checkpoint_read(run->module, run->train->name, run->base.state, NULL, run->saver.path,
                                                NNRT_LOAD_WEIGHTS, stderr, error);
}

static bool test(NnrtTraining *run, NnrtError *error) {
  if (!run->data || nnrt_data_info(run->data)->count[NNRT_PART_TEST] <= 0 || !run->train->eval.run)
    return true;
  NnrtPart part = {0};
  NnrtCall call = {0};
  bool tested = take_best(run, error) && nnrt_part_new(&part, run->data, NNRT_PART_TEST, error) &&
                nnrt_call_new(&call, &run->train->eval, &run->base, nnrt_capacity(run->train, run->plan.samples),
                              run->data, run->train->data->name, error);
  if (tested) {
    call.frame.clock[0] = run->at.step, call.frame.clock[1] = run->at.epoch;
    call.frame.clock[2] = run->at.seed, call.frame.clock[3] = run->step.frame.clock[3];
    NnrtPass pass = nnrt_feed_part(&call, &part, run->plan.batch, &stop, error);
    tested = pass != NNRT_PASS_FAILED;
    if (pass == NNRT_PASS_DONE && !run->options->quiet) {
      char text[1024];
      nnrt_means_text(text, sizeof text, &call, "");
      printf("test%s", text);
      if (has_best(run))
        printf("  (parameters of epoch %" PRId64 ", the best %s)", run->at.best.epoch, run->best.name);
      putchar('\n');
    }
    nnrt_call_free(&call);
  }
  nnrt_part_free(&part);
  return tested;
}

static int finish(NnrtTraining *run, Outcome outcome) {
  NnrtError error = {0};
  if (outcome == STOPPED || outcome == UNREADABLE)
    return interrupted(run, outcome);
  if (outcome == SPOILT) {
    nnrt_saver_flush(&run->saver);
    return 1;
  }
  bool saved = save_end(run);
  if (run->save == NNRT_SAVE_BEST && run->at.best.epoch == 0 && run->plan.steps > 0)
    fprintf(stderr, "note: %s never was a number, so nothing was saved as the best\n", run->best.name);
  if (!test(run, &error)) {
    nnrt_report(&error);
    return 1;
  }
  return stop ? 130 : saved ? 0 : 1;
}

int nnrt_train(const NnrtModule *module, const NnrtOptions *options) {
  NnrtError error = {0};
  double began = nnrt_seconds();
  NnrtTraining run = {.module = module, .options = options, .train = nnrt_find_train(module, options->block, &error)};
  int status = 1;
  if (run.train && nnrt_training_begin(&run, &error)) {
    // The first signal asks, the second one kills.
    struct sigaction ask = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND | SA_RESTART}, old_int, old_term;
    sigemptyset(&ask.sa_mask);
    stop = 0;
    sigaction(SIGINT, &ask, &old_int);
    sigaction(SIGTERM, &ask, &old_term);
    nnrt_check_reset();
    start_clocks(&run, began);
    status = finish(&run, run_epochs(&run));
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    fflush(stdout);
  } else {
    nnrt_report(&error);
  }
  nnrt_training_end(&run);
  return status;
}

// Getting a training run ready: batch and steps made definite, values to watch found, data opened and held against the
// compiled shapes, state filled.
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

int64_t nnrt_capacity(const NnrtTrain *train, int64_t samples) {
  if (train->capacity > 0)
    return train->capacity;
  return train->batch > 0 ? train->batch : samples;
}

bool nnrt_choose_batch(const NnrtTrain *train, int64_t asked, int64_t samples, int64_t *batch, NnrtError *error) {
  int64_t capacity = nnrt_capacity(train, samples);
  *batch = asked > 0 ? asked : train->batch > 0 ? train->batch : samples;
  if (asked > capacity)
    return nnrt_fail(error, "--batch %lld: the program was compiled for batches of %lld at most", (long long)asked,
                     (long long)capacity);
  if (*batch > capacity)
    return nnrt_fail(error,
                     "`batch: all` means %lld samples now, but the program was compiled for %lld: compile it again",
                     (long long)*batch, (long long)capacity);
  return true;
}

static bool make_plan(NnrtTraining *run, NnrtError *error) {
  const NnrtOptions *options = run->options;
  NnrtPlan *plan = &run->plan;
  if (options->epochs >= 0 && options->steps >= 0)
    return nnrt_fail(error, "--epochs and --steps exclude each other");
  if (options->epochs >= 0 && !run->data)
    return nnrt_fail(error, "--epochs: without data there are no epochs; give --steps %lld",
                     (long long)options->epochs);
  bool by_epochs = options->epochs >= 0 || (options->steps < 0 && run->train->epochs > 0);
  int64_t count = options->epochs >= 0  ? options->epochs
                  : options->steps >= 0 ? options->steps
                  : by_epochs           ? run->train->epochs
                                        : run->train->steps;
  *plan = (NnrtPlan){.batch = 1, .steps = count, .by_epochs = by_epochs};
  if (run->data) {
    plan->samples = run->samples.count;
    if (plan->samples <= 0)
      return nnrt_fail(error, "data `%s` has no training samples", run->train->data->name);
    if (!nnrt_choose_batch(run->train, options->batch, plan->samples, &plan->batch, error))
      return false;
    plan->epoch_steps = (plan->samples + plan->batch - 1) / plan->batch;
    if (by_epochs && __builtin_mul_overflow(count, plan->epoch_steps, &plan->steps))
      return nnrt_fail(error, "%lld epochs are too many", (long long)count);
  } else {
    plan->epoch_steps = count / 10 + (count % 10 > 0);
  }
  plan->epoch_steps = plan->epoch_steps > 0 ? plan->epoch_steps : 1;
  plan->epochs = plan->steps / plan->epoch_steps + (plan->steps % plan->epoch_steps > 0);
  return true;
}

static int find_output(const NnrtFunction *function, const char *name) {
  for (int i = 0; i < function->output_count; i++)
    if (strcmp(nnrt_plain_name(function->outputs[i].name), name) == 0)
      return i;
  return -1;
}

static bool find_value(const NnrtTraining *run, const char *name, const char *setting, NnrtWatch *watch,
                       NnrtError *error) {
  const NnrtTrain *train = run->train;
  watch->name = name ? name : "loss";
  watch->val = strncmp(watch->name, "val.", 4) == 0;
  if (watch->val && !run->eval.function)
    return nnrt_fail(error, "`%s` watches %s, but there are no validation samples: add split(val: 0.1) to the data",
                     setting, watch->name);
  const NnrtFunction *function = watch->val ? &train->eval : &train->train;
  watch->output = find_output(function, nnrt_plain_name(watch->name));
  if (watch->output < 0)
    return nnrt_fail(error, "`%s` watches %s, which is not reported; the first value that is, is %s%s", setting,
                     watch->name, watch->val ? "val." : "",
                     function->output_count > 0 ? nnrt_plain_name(function->outputs[0].name) : "none");
  watch->higher = train->higher_is_better && train->higher_is_better[watch->output];
  return true;
}

static bool find_values(NnrtTraining *run, NnrtError *error) {
  const NnrtTrain *train = run->train;
  run->best.output = run->progress_value.output = -1;
  if (run->save == NNRT_SAVE_BEST && !find_value(run, train->save_value, "save", &run->best, error))
    return false;
  return train->patience == 0 || find_value(run, train->patience_value, "early_stop", &run->progress_value, error);
}

// A class number out of range would read past the model's results.
static bool check_classes(const NnrtTraining *run, NnrtError *error) {
  int predict = run->train->predict;
  if (!run->data || predict < 0 || predict >= run->module->predict_count)
    return true;
  const NnrtPredict *model = &run->module->predicts[predict];
  const NnrtValue *output = model->function.outputs;
  int found = nnrt_data_info(run->data)->class_count;
  if (model->task != NNRT_CLASSES || found == 0 || model->function.output_count == 0 || output->rank == 0 ||
      output->dim[output->rank - 1] >= found)
    return true;
  return nnrt_fail(error, "data `%s` has %d classes, but the model was compiled for %lld", run->train->data->name,
                   found, (long long)output->dim[output->rank - 1]);
}

static bool open_data(NnrtTraining *run, NnrtError *error) {
  if (!run->train->data)
    return true;
  run->data = nnrt_data_take(run->train->data, error);
  return run->data && check_classes(run, error) && nnrt_part_new(&run->samples, run->data, NNRT_PART_TRAIN, error) &&
         nnrt_part_new(&run->val, run->data, NNRT_PART_VAL, error);
}

static bool make_calls(NnrtTraining *run, NnrtError *error) {
  const NnrtTrain *train = run->train;
  const char *name = train->data ? train->data->name : "";
  int64_t rows = nnrt_capacity(train, run->plan.samples);
  if (!train->train.run)
    return nnrt_fail(error, "%s was compiled without its train step", run->module->name);
  if (!nnrt_call_new(&run->step, &train->train, &run->base, rows, run->data, name, error))
    return false;
  if (!run->data || run->val.count <= 0 || !train->eval.run)
    return true;
  return nnrt_call_new(&run->eval, &train->eval, &run->base, rows, run->data, name, error);
}

static bool initialise(NnrtTraining *run, NnrtError *error) {
  NnrtCall init;
  if (!run->module->init.run)
    return true;
  if (!nnrt_call_new(&init, &run->module->init, &run->base, 1, NULL, "", error))
    return false;
  init.frame.clock[2] = run->at.seed;
  init.function->run(&init.frame);
  nnrt_call_free(&init);
  return true;
}

// Whether a position read from a file is one of this run.
static bool check_position(NnrtTraining *run, const NnrtPosition *asked, const char *path, NnrtError *error) {
  NnrtPosition *at = &run->at;
  NnrtPlan *plan = &run->plan;
  if (at->seed != asked->seed)
    return nnrt_fail(error, "%s was begun with seed %lld, not %lld: resume with --seed %lld", path, (long long)at->seed,
                     (long long)asked->seed, (long long)at->seed);
  if (!run->data) { // parts of a run of another length lie elsewhere
    if (at->step != at->epoch * plan->epoch_steps + at->epoch_step)
      nnrt_call_clear(&run->step);
    at->epoch = at->step / plan->epoch_steps;
    at->epoch_step = at->step % plan->epoch_steps;
  } else if (at->epoch_step > 0 && (at->batch != asked->batch || at->samples != asked->samples)) {
    return nnrt_fail(
        error, "%s was saved within an epoch of %lld samples in batches of %lld, now there are %lld in %lld", path,
        (long long)at->samples, (long long)at->batch, (long long)asked->samples, (long long)asked->batch);
  } else if (at->epoch_step > plan->epoch_steps) {
    return nnrt_fail(error, "%s: step %lld of epoch %lld is behind the epoch's end", path, (long long)at->epoch_step,
                     (long long)at->epoch + 1);
  }
  if (plan->by_epochs) // the epochs done may have had more steps, or fewer
    plan->steps += at->step - (at->epoch * plan->epoch_steps + at->epoch_step);
  at->batch = asked->batch;
  at->samples = asked->samples;
  return true;
}

static bool resume(NnrtTraining *run, const char *path, bool *resumed, NnrtError *error) {
  char *last = nnrt_last_path(path);
  NnrtPosition asked = run->at;
  run->at.sums = run->step.sums;
  run->at.sum_count = run->train->train.output_count;
  bool fine = true;
  *resumed = access(last, F_OK) == 0 || errno != ENOENT;
  if (*resumed) {
    fine = nnrt_checkpoint_read(run->module, run->train->name, run->base.state, &run->at, last, NNRT_LOAD_RESUME,
                                stderr, error);
    run->step.samples = run->at.summed;
    fine = fine && check_position(run, &asked, last, error) &&
           (!run->data || nnrt_checkpoint_fits(last, run->data, run->train->data->name, error));
  } else {
    fprintf(stderr, "note: nothing to resume, there is no %s; beginning anew\n", last);
  }
  if (fine && *resumed && run->at.step >= run->plan.steps && run->at.epoch_step != run->plan.epoch_steps)
    fprintf(stderr, "note: %s holds a finished run of %lld steps; nothing is left to do\n", last,
            (long long)run->at.step);
  free(last);
  return fine;
}

// From the place where an older run stopped, or from what `load` names, or as initialised.
static bool find_start(NnrtTraining *run, const char *path, bool *resumed, NnrtError *error) {
  *resumed = false;
  if (run->options->resume && !path)
    return nnrt_fail(error, "train block `%s` saves nothing to resume from: give --checkpoint FILE", run->train->name);
  if (run->options->resume && !resume(run, path, resumed, error))
    return false;
  return *resumed || nnrt_load(run->module, run->train, run->base.state, false, stderr, error);
}

static bool open_files(NnrtTraining *run, bool *resumed, NnrtError *error) {
  const NnrtTrain *train = run->train;
  const NnrtOptions *options = run->options;
  char *path = options->resume ? nnrt_checkpoint_locate(run->module, train, options->checkpoint, true)
                               : nnrt_checkpoint_path(run->module, train, options->checkpoint);
  bool saves = path && !options->no_save && (train->save != NNRT_SAVE_NEVER || options->checkpoint);
  bool fine = find_start(run, path, resumed, error);
  if (!saves) {
    free(path);
    return fine;
  }
  run->saver.path = path;
  run->saver.last_path = nnrt_last_path(path);
  if (!fine || !nnrt_checkpoint_writable(path, error))
    return false;
  if (!*resumed) // the place where an older run stopped is none of this run's
    unlink(run->saver.last_path);
  return true;
}

static void choose_saving(NnrtTraining *run) {
  const NnrtTrain *train = run->train;
  run->save = run->options->no_save ? NNRT_SAVE_NEVER : train->save;
  run->save_every = run->save == NNRT_SAVE_EVERY ? train->save_every : 0;
  if (run->save == NNRT_SAVE_NEVER && run->options->checkpoint && !run->options->no_save)
    run->save = NNRT_SAVE_EVERY;
}

static bool open_log(NnrtTraining *run, bool resumed, NnrtError *error) {
  if (!run->train->log)
    return true;
  char *path = nnrt_place(run->module->file, run->train->log);
  bool opened =
      nnrt_log_open(&run->log, path, &run->step, run->eval.function ? &run->eval : NULL, resumed, run->at.epoch, error);
  free(path);
  return opened;
}

static bool begin_feed(NnrtTraining *run, NnrtError *error) {
  const NnrtPosition *at = &run->at;
  NnrtFeed from = {.fill = {.training = true, .seed = at->seed},
                   .batch = run->plan.batch,
                   .epoch = at->epoch,
                   .epoch_step = at->epoch_step};
  int64_t steps = run->plan.steps - at->step;
  return !run->data || steps <= 0 || nnrt_feed_begin(&run->feed, &run->step, &run->samples, &from, steps, error);
}

bool nnrt_training_begin(NnrtTraining *run, NnrtError *error) {
  const NnrtOptions *options = run->options;
  choose_saving(run);
  if (!nnrt_state_new(run->module, options->threads, &run->base, error) || !open_data(run, error) ||
      !make_plan(run, error) || !make_calls(run, error) || !find_values(run, error))
    return false;
  run->at = (NnrtPosition){.seed = options->seed >= 0 ? options->seed : run->train->seed,
                           .batch = run->plan.batch,
                           .samples = run->plan.samples,
                           .data = run->data};
  run->saver.module = run->module;
  run->saver.block = run->train->name;
  run->saver.pause = options->save_pause > 0 ? options->save_pause : 1;
  run->saver.share = options->save_pause > 0 ? 0 : 20;
  run->saver.next = nnrt_seconds() + run->saver.pause;
  bool resumed;
  return initialise(run, error) && open_files(run, &resumed, error) && open_log(run, resumed, error) &&
         begin_feed(run, error);
}

void nnrt_training_end(NnrtTraining *run) {
  nnrt_feed_end(&run->feed);
  nnrt_log_close(&run->log);
  nnrt_saver_free(&run->saver);
  if (run->eval.function)
    nnrt_call_free(&run->eval);
  if (run->step.function)
    nnrt_call_free(&run->step);
  nnrt_part_free(&run->samples);
  nnrt_part_free(&run->val);
  if (run->data)
    nnrt_data_close(run->data);
  nnrt_state_free(&run->base);
}

static bool missing(const NnrtTrain *train, const NnrtOptions *options, const char *path, NnrtError *error) {
  char *last = nnrt_last_path(path), *other = options->checkpoint ? NULL : nnrt_beside_program(train->save_to);
  if (access(last, F_OK) == 0)
    nnrt_fail(error, "there is no checkpoint %s yet; %s holds a run that was stopped: `train --resume` goes on with it",
              path, last);
  else
    nnrt_fail(error, "there is no checkpoint %s%s%s: train first, or give --checkpoint FILE", path,
              other ? ", nor " : "", other ? other : "");
  free(last);
  free(other);
  return false;
}

bool nnrt_restore(const NnrtModule *module, const NnrtTrain *train, const NnrtOptions *options, uint8_t *state,
                  NnrtError *error) {
  char *path = nnrt_checkpoint_locate(module, train, options->checkpoint, false);
  if (!path && train && train->load_count > 0)
    return nnrt_load(module, train, state, true, stderr, error);
  if (!path)
    return nnrt_fail(error, "%s saves no checkpoint: train with --checkpoint FILE, and give it here too", module->name);
  bool there = access(path, F_OK) == 0 || errno != ENOENT;
  bool restored = there ? nnrt_checkpoint_read(module, train ? train->name : "", state, NULL, path, NNRT_LOAD_WEIGHTS,
                                               stderr, error)
                        : missing(train, options, path, error);
  free(path);
  return restored;
}

bool nnrt_restored_fits(const NnrtModule *module, const NnrtTrain *train, const NnrtOptions *options,
                        const NnrtDataset *data, NnrtError *error) {
  char *path = nnrt_checkpoint_locate(module, train, options->checkpoint, false);
  bool fits = !path || nnrt_checkpoint_fits(path, data, train && train->data ? train->data->name : "", error);
  free(path);
  return fits;
}

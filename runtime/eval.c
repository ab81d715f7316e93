// Evaluation of a checkpoint on the validation and test parts; on the training part where there is no other.
#include <stdlib.h>

#include "check_nan.h"
#include "run.h"

typedef struct Evaluation {
  const NnrtModule *module;
  const NnrtTrain *train;
  const NnrtOptions *options;
  NnrtFrame base;
  NnrtDataset *data;
} Evaluation;

static bool evaluate_part(Evaluation *run, NnrtPartKind kind, NnrtError *error) {
  static const char *const names[] = {"train", "val", "test"};
  const NnrtTrain *train = run->train;
  NnrtPart part;
  NnrtCall call = {0};
  int64_t batch, samples = nnrt_data_info(run->data)->count[NNRT_PART_TRAIN];
  if (!nnrt_part_new(&part, run->data, kind, error))
    return false;
  bool ready = nnrt_choose_batch(train, run->options->batch, samples > 0 ? samples : part.count, &batch, error) &&
               nnrt_call_new(&call, &train->eval, &run->base, batch, run->data, train->data->name, error);
  if (ready) {
    call.frame.clock[2] = run->options->seed >= 0 ? run->options->seed : train->seed;
    ready = nnrt_feed_part(&call, &part, batch, NULL, error) == NNRT_PASS_DONE;
    char text[1024];
    nnrt_means_text(text, sizeof text, &call, "");
    if (ready)
      printf("%s%s\n", names[kind], text);
    nnrt_call_free(&call);
  }
  nnrt_part_free(&part);
  return ready;
}

static bool evaluate(Evaluation *run, NnrtError *error) {
  run->train = nnrt_find_train(run->module, run->options->block, error);
  if (!run->train)
    return false;
  if (!run->train->data || !run->train->eval.run)
    return nnrt_fail(error, "train block `%s` has nothing to evaluate on", run->train->name);
  if (!nnrt_state_new(run->module, run->options->threads, &run->base, error) ||
      !nnrt_restore(run->module, run->train, run->options, run->base.state, error))
    return false;
  run->data = nnrt_data_take(run->train->data, error);
  if (!run->data || !nnrt_restored_fits(run->module, run->train, run->options, run->data, error))
    return false;
  const int64_t *count = nnrt_data_info(run->data)->count;
  bool evaluated = true, held_out = count[NNRT_PART_VAL] > 0 || count[NNRT_PART_TEST] > 0;
  nnrt_check_reset();
  for (NnrtPartKind kind = NNRT_PART_TRAIN; evaluated && kind <= NNRT_PART_TEST; kind++)
    if (count[kind] > 0 && (kind != NNRT_PART_TRAIN || !held_out))
      evaluated = evaluate_part(run, kind, error);
  if (run->options->check_nan)
    nnrt_check_print(run->module, stderr);
  return evaluated;
}

int nnrt_eval(const NnrtModule *module, const NnrtOptions *options) {
  NnrtError error = {0};
  Evaluation run = {.module = module, .options = options};
  bool evaluated = evaluate(&run, &error);
  if (!evaluated)
    nnrt_report(&error);
  if (run.data)
    nnrt_data_close(run.data);
  nnrt_state_free(&run.base);
  return evaluated ? 0 : 1;
}

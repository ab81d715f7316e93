// The options of train, eval and predict, as argp parsers that can be children of another.
#include <argp.h>
#include <limits.h>
#include <stdlib.h>

#include "train.h"

enum Key {
  KEY_CHECKPOINT = 0x4000,
  KEY_THREADS,
  KEY_BATCH,
  KEY_RESUME,
  KEY_EPOCHS,
  KEY_STEPS,
  KEY_SEED,
  KEY_CHECK_NAN,
  KEY_NO_SAVE
};

#define COMMON                                                                                                         \
  {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "save to, resume from, evaluate or predict with FILE", 1},                 \
      {"batch", KEY_BATCH, "N", 0, "batches of N samples, no more than compiled for", 2}, {                            \
    "threads", KEY_THREADS, "N", 0, "N threads (default: OMP_NUM_THREADS, or one a core)", 2                           \
  }

static const struct argp_option train_options[] = {
    COMMON,
    {"resume", KEY_RESUME, 0, 0, "go on where the last run stopped", 1},
    {"no-save", KEY_NO_SAVE, 0, 0, "write no checkpoint", 1},
    {"epochs", KEY_EPOCHS, "N", 0, "train for N epochs in all", 2},
    {"steps", KEY_STEPS, "N", 0, "train for N steps in all", 2},
    {"seed", KEY_SEED, "N", 0, "another seed", 2},
    {"check-nan", KEY_CHECK_NAN, 0, 0, "name the first tensor that is not a number", 3},
    {"quiet", 'q', 0, 0, "say nothing but errors", 3},
    {0}};
static const struct argp_option eval_options[] = {
    COMMON, {"check-nan", KEY_CHECK_NAN, 0, 0, "name the first tensor that is not a number", 3}, {0}};
static const struct argp_option predict_options[] = {
    COMMON, {"output", 'o', "FILE", 0, "write to FILE instead of standard output", 1}, {0}};

static int64_t whole(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most) {
  char *end;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || value < least)
    argp_error(state, "--%s: `%s` is not a whole number of %lld or more", option, text, (long long)least);
  if (value > most)
    argp_error(state, "--%s: `%s` is more than %lld", option, text, (long long)most);
  return value;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  enum { MOST_THREADS = 4096 };
  const int64_t most = INT64_MAX / 2;
  NnrtOptions *options = state->input;
  switch (key) {
  case KEY_CHECKPOINT:
    options->checkpoint = text;
    break;
  case KEY_THREADS:
    options->threads = (int)whole(state, "threads", text, 1, MOST_THREADS);
    break;
  case KEY_BATCH:
    options->batch = whole(state, "batch", text, 1, most);
    break;
  case KEY_RESUME:
    options->resume = true;
    break;
  case KEY_NO_SAVE:
    options->no_save = true;
    break;
  case KEY_EPOCHS:
    options->epochs = whole(state, "epochs", text, 1, most);
    break;
  case KEY_STEPS:
    options->steps = whole(state, "steps", text, 1, most);
    break;
  case KEY_SEED:
    options->seed = whole(state, "seed", text, 0, most);
    break;
  case KEY_CHECK_NAN:
    options->check_nan = true;
    break;
  case 'q':
    options->quiet = true;
    break;
  case 'o':
    options->output = text;
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

const struct argp nnrt_train_argp = {.options = train_options, .parser = parse};
const struct argp nnrt_eval_argp = {.options = eval_options, .parser = parse};
const struct argp nnrt_predict_argp = {.options = predict_options, .parser = parse};

void nnrt_options_init(NnrtOptions *options) {
  *options = (NnrtOptions){.seed = -1, .epochs = -1, .steps = -1, .batch = -1};
}

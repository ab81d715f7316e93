// The options of train, eval and predict, as argp parsers that can be children of another.
#include <argp.h>
#include <float.h>
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
  KEY_NO_SAVE,
  KEY_PLOT,
  KEY_PROMPT,
  KEY_LENGTH,
  KEY_TEMPERATURE,
  KEY_TOP_K,
  KEY_TOP_P
};

#define THREADS                                                                                                        \
  { "threads", KEY_THREADS, "N", 0, "N threads (default: OMP_NUM_THREADS, or one a core)", 2 }
#define COMMON                                                                                                         \
  {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "save to, resume from, evaluate or predict with FILE", 1},                 \
      {"batch", KEY_BATCH, "N", 0, "batches of N samples, no more than compiled for", 2}, THREADS

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
    COMMON,
    {"output", 'o', "FILE", 0, "write to FILE instead of standard output", 1},
    {"plot", KEY_PLOT, "FILE", 0, "draw a series and its forecasts, or results against targets, in FILE, as SVG", 1},
    {0}};
static const struct argp_option generate_options[] = {
    {"checkpoint", KEY_CHECKPOINT, "FILE", 0, "generate with FILE", 1},
    {"seed", KEY_SEED, "N", 0, "another text (default: 0)", 1},
    THREADS,
    {0}};
static const struct argp_option sampling_options[] = {
    {"prompt", KEY_PROMPT, "TEXT", 0, "how the text begins (default: with a new line)", 0},
    {"length", KEY_LENGTH, "N", 0, "generate N tokens (default: 256)", 0},
    {"temperature", KEY_TEMPERATURE, "T", 0, "below 1 more likely tokens, above 1 less likely ones; 0: the most likely",
     0},
    {"top-k", KEY_TOP_K, "N", 0, "draw from the N most likely tokens alone", 0},
    {"top-p", KEY_TOP_P, "P", 0, "draw from the fewest tokens that together have probability P", 0},
    {0}};

int64_t nnrt_option_count(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most) {
  char *end;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || value < least)
    argp_error(state, "--%s: `%s` is not a whole number of %lld or more", option, text, (long long)least);
  if (value > most)
    argp_error(state, "--%s: `%s` is more than %lld", option, text, (long long)most);
  return value;
}

// A number from `least` on, or above it, up to `most`; `range` says so.
static double real(struct argp_state *state, const char *option, const char *text, bool open, double most,
                   const char *range) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(open ? value > 0 : value >= 0) || !(value <= most))
    argp_error(state, "--%s: `%s` is not a number %s", option, text, range);
  return value;
}

static error_t parse_sampling(int key, char *text, struct argp_state *state) {
  NnrtOptions *options = state->input;
  switch (key) {
  case KEY_PROMPT:
    options->prompt = text;
    break;
  case KEY_LENGTH:
    options->length = nnrt_option_count(state, "length", text, 1, INT64_MAX / 2);
    break;
  case KEY_TEMPERATURE:
    options->sampling.temperature = real(state, "temperature", text, false, DBL_MAX, "of 0 or more");
    break;
  case KEY_TOP_K:
    options->sampling.top_k = nnrt_option_count(state, "top-k", text, 1, INT64_MAX / 2);
    break;
  case KEY_TOP_P:
    options->sampling.top_p = real(state, "top-p", text, true, 1, "above 0 and up to 1");
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  const int64_t most = INT64_MAX / 2;
  NnrtOptions *options = state->input;
  switch (key) {
  case KEY_CHECKPOINT:
    options->checkpoint = text;
    break;
  case KEY_THREADS:
    options->threads = (int)nnrt_option_count(state, "threads", text, 1, NNRT_MOST_THREADS);
    break;
  case KEY_BATCH:
    options->batch = nnrt_option_count(state, "batch", text, 1, most);
    break;
  case KEY_RESUME:
    options->resume = true;
    break;
  case KEY_NO_SAVE:
    options->no_save = true;
    break;
  case KEY_EPOCHS:
    options->epochs = nnrt_option_count(state, "epochs", text, 1, most);
    break;
  case KEY_STEPS:
    options->steps = nnrt_option_count(state, "steps", text, 1, most);
    break;
  case KEY_SEED:
    options->seed = nnrt_option_count(state, "seed", text, 0, most);
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
  case KEY_PLOT:
    options->plot = text;
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static error_t parse_generate(int key, char *text, struct argp_state *state) {
  if (key != ARGP_KEY_INIT)
    return parse(key, text, state);
  state->child_inputs[0] = state->input;
  return 0;
}

const struct argp nnrt_train_argp = {.options = train_options, .parser = parse};
const struct argp nnrt_eval_argp = {.options = eval_options, .parser = parse};
const struct argp nnrt_predict_argp = {.options = predict_options, .parser = parse};
const struct argp nnrt_sampling_argp = {.options = sampling_options, .parser = parse_sampling};
static const struct argp_child sampling_child[] = {{.argp = &nnrt_sampling_argp}, {0}};
const struct argp nnrt_generate_argp = {
    .options = generate_options, .parser = parse_generate, .children = sampling_child};

void nnrt_options_init(NnrtOptions *options) {
  *options = (NnrtOptions){.seed = -1,
                           .epochs = -1,
                           .steps = -1,
                           .batch = -1,
                           .prompt = "",
                           .length = 256,
                           .sampling = {.temperature = 1, .top_p = 1}};
}

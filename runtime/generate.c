// Text from a model trained on it, token by token. The model takes the last tokens, i64 [window], and gives for each what
// comes next, [window, vocabulary]. Where it can take them one by one (NnrtPredict.step), each costs one step. Else they
// stand at the beginning of a window and the row of the last one is read: what stands behind it cannot matter to a model
// that looks back alone. The text is the same. When the window is full, its second half is the beginning of another.
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "data/portable.h"
#include "predict.h"
#include "text_out.h"

typedef struct Generation {
  const NnrtModule *module;
  const NnrtTrain *train; // NULL: a model that no block trains
  const NnrtPredict *model;
  const NnrtOptions *options;
  int64_t window, vocabulary;
  NnrtFrame base;
  NnrtCall call;
  NnrtDataset *data;        // NULL: the checkpoint has the tokens
  NnrtTokens *kept;         // by the checkpoint
  const NnrtTokens *tokens; // one of both
  NnrtCandidate *candidates;
  int64_t *seen;        // the tokens of the window
  int64_t count, taken; // how many there are, and how many of them the model has taken one by one
} Generation;

// ---- what the model is
static bool check_data(const Generation *run, NnrtError *error) {
  const NnrtData *data = run->model->data;
  return (data && data->call_count && !strcmp(data->calls[0].name, "text")) ||
         nnrt_fail(error, "model `%s` is trained on %s%s%s, not on text(…): there is no text it could generate",
                   run->model->model, data ? "data `" : "no data", data ? data->name : "", data ? "`" : "");
}

static bool check_shape(Generation *run, NnrtError *error) {
  const NnrtFunction *function = &run->model->function;
  const NnrtValue *x = function->inputs, *y = function->outputs;
  if (function->input_count == 1 && x->type == NNRT_I64 && x->rank == 2 && x->dim[0] == -1 &&
      function->output_count > 0 && (y->type == NNRT_F32 || y->type == NNRT_F64) && y->rank == 3 && y->dim[0] == -1 &&
      y->dim[1] == x->dim[1]) {
    run->window = x->dim[1];
    run->vocabulary = y->dim[2];
    return true;
  }
  char from[NNRT_SHAPE_TEXT] = "nothing", to[NNRT_SHAPE_TEXT] = "nothing";
  if (function->input_count > 0)
    nnrt_shape_text(from, x->type, x->rank - (x->dim[0] == -1), x->dim + (x->dim[0] == -1));
  if (function->output_count > 0)
    nnrt_shape_text(to, y->type, y->rank - (y->dim[0] == -1), y->dim + (y->dim[0] == -1));
  return nnrt_fail(error, "model `%s` makes %s of %s; to generate text it makes f32[window, vocabulary] of i64[window]",
                   run->model->model, to, from);
}

// ---- tokens: those that the checkpoint keeps, which are what its weights know; a file from elsewhere may have none.
static bool find_tokens(Generation *run, NnrtError *error) {
  char *path = nnrt_checkpoint_locate(run->module, run->train, run->options->checkpoint, false);
  bool read = !path || nnrt_checkpoint_tokens(path, false, &run->kept, error);
  free(path);
  if (!read)
    return false;
  run->tokens = run->kept;
  if (!run->tokens && (run->data = nnrt_data_take(run->model->data, error)))
    run->tokens = nnrt_data_tokens(run->data);
  if (!run->tokens)
    return false;
  int count = nnrt_tokens_count(run->tokens);
  return count <= run->vocabulary ||
         nnrt_fail(error, "the %s %d tokens, but model `%s` gives values for %lld: it was compiled for another text",
                   run->kept ? "checkpoint was trained on" : "text has", count, run->model->model,
                   (long long)run->vocabulary);
}

static bool is_special(const NnrtTokens *tokens, int64_t id) {
  for (NnrtSpecial i = NNRT_PADDING; i < NNRT_SPECIALS; i++)
    if (id == nnrt_tokens_special(tokens, i))
      return true;
  return false;
}

// ---- the text so far
static void push(Generation *run, int64_t id) {
  if (run->count == run->window) {
    run->count = run->window / 2;
    run->taken = 0;
    memmove(run->seen, run->seen + run->window - run->count, (size_t)run->count * sizeof *run->seen);
  }
  run->seen[run->count++] = id;
}

// What a text begins with that has no beginning: a new line, as its lines do, or else the first token.
static int64_t first_token(const NnrtTokens *tokens) {
  int count = nnrt_tokens_count(tokens), first = count;
  for (int id = count; id-- > 0;) {
    size_t length;
    const char *bytes = nnrt_tokens_bytes(tokens, id, &length);
    if (length == 1 && *bytes == '\n')
      return id;
    first = is_special(tokens, id) ? first : id;
  }
  return first < count ? first : 0;
}

static bool take_prompt(Generation *run, NnrtError *error) {
  const char *prompt = run->options->prompt;
  NnrtIds ids = {0};
  NnrtError unnamed = {0};
  bool encoded = nnrt_tokens_encode(run->tokens, prompt, strlen(prompt), &ids, &unnamed) ||
                 nnrt_fail(error, "--prompt: %.900s", unnamed.text);
  for (int64_t i = 0; encoded && i < ids.count; i++)
    push(run, ids.id[i]);
  if (run->count == 0)
    push(run, first_token(run->tokens));
  free(ids.id);
  return encoded;
}

// ---- the next token
// The model's row of what comes after the last token.
static int64_t run_model(Generation *run) {
  NnrtFrame *frame = &run->call.frame;
  if (!run->model->step.run) {
    memset(run->call.x, 0, (size_t)run->window * sizeof *run->seen);
    memcpy(run->call.x, run->seen, (size_t)run->count * sizeof *run->seen);
    run->call.function->run(frame);
    return run->count - 1;
  }
  for (; run->taken < run->count; run->taken++) {
    *(int64_t *)run->call.x = run->seen[run->taken];
    frame->clock[0] = run->taken;
    run->call.function->run(frame);
  }
  return 0;
}

// Those that stand for no text are never drawn.
static int64_t list_candidates(Generation *run, int64_t row) {
  const NnrtValue *output = run->model->function.outputs;
  int64_t listed = 0;
  bool probabilities = run->model->task == NNRT_CLASSES;
  for (int64_t id = 0; id < nnrt_tokens_count(run->tokens); id++) {
    double value = nnrt_element(output->type, run->call.outputs[0], row * run->vocabulary + id);
    if (probabilities)
      value = value > 0 ? nnrt_log(value) : value == 0 ? -INFINITY : NAN;
    if (!is_special(run->tokens, id))
      run->candidates[listed++] = (NnrtCandidate){value, id};
  }
  return listed;
}

static int64_t next_token(Generation *run, int64_t position) {
  int64_t seed = run->options->seed >= 0 ? run->options->seed : 0;
  nnrt_call_key(&run->call, seed, position);
  run->call.frame.clock[4] = 1;
  int64_t count = list_candidates(run, run_model(run));
  return nnrt_sample(&run->options->sampling, run->candidates, count, seed, position);
}

// A broken standard output ends it too; what is said about that is the program's (output.h).
static bool write_text(Generation *run, NnrtError *error) {
  NnrtTextOut out = {.file = stdout};
  bool fine = true;
  nnrt_text_put(&out, run->options->prompt, strlen(run->options->prompt));
  nnrt_call_prepare(&run->call);
  for (int64_t i = 0; fine && i < run->options->length && fflush(stdout) == 0; i++) {
    size_t length;
    int64_t id = next_token(run, i);
    fine = id >= 0 || nnrt_fail(error, "the model gives no finite value for token %lld: its weights have diverged",
                                (long long)i + 1);
    const char *bytes = nnrt_tokens_bytes(run->tokens, id, &length);
    nnrt_text_put(&out, bytes, length);
    if (fine)
      push(run, id);
  }
  nnrt_text_end(&out);
  return fine;
}

static bool generate(Generation *run, NnrtError *error) {
  const NnrtFunction *function;
  run->train = nnrt_choose_model(run->module, run->options->block, &run->model, error);
  if (!run->model || !check_data(run, error) || !check_shape(run, error) ||
      !nnrt_state_new(run->module, run->options->threads, &run->base, error) ||
      !nnrt_restore(run->module, run->train, run->options, run->base.state, error) || !find_tokens(run, error))
    return false;
  function = run->model->step.run ? &run->model->step : &run->model->function;
  if (!nnrt_call_alone(&run->call, function, &run->base, 1, error))
    return false;
  nnrt_call_clear(&run->call);
  run->candidates = malloc((size_t)run->vocabulary * sizeof *run->candidates + 1);
  run->seen = malloc((size_t)run->window * sizeof *run->seen);
  if (!run->candidates || !run->seen)
    return nnrt_fail(error, "out of memory for %lld tokens", (long long)run->vocabulary);
  return take_prompt(run, error) && write_text(run, error);
}

int nnrt_generate(const NnrtModule *module, const NnrtOptions *options) {
  NnrtError error = {0};
  Generation run = {.module = module, .options = options};
  bool generated = generate(&run, &error);
  if (!generated)
    nnrt_report(&error);
  free(run.candidates);
  free(run.seen);
  if (run.call.function)
    nnrt_call_free(&run.call);
  if (run.data)
    nnrt_data_close(run.data);
  nnrt_tokens_free(run.kept);
  nnrt_state_free(&run.base);
  return generated ? 0 : 1;
}

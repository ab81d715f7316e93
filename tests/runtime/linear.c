// Logistic regression by hand. Sums run over the batch in order, so that equal inputs give equal bits.
#include "linear.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

long linear_pause_us = 0;
int64_t linear_nan_at = -1, linear_signal_at = -1, linear_samples = 0, linear_shortest = INT64_MAX;

typedef struct State { // each slot at 64 bytes, as the compiler has it
  _Alignas(64) float w[2];
  _Alignas(64) float b;
  _Alignas(64) float w_velocity[2];
  _Alignas(64) float b_velocity;
} State;

static float forward(const State *state, const float *x) {
  return state->w[0] * x[0] + state->w[1] * x[1] + state->b;
}

// Loss and accuracy of the batch, and its gradient.
static void measure(const NnrtFrame *frame, float gradient[3]) {
  const State *state = (const State *)frame->state;
  const float *x = frame->inputs[0];
  const int64_t *y = frame->inputs[1], n = frame->clock[4];
  float loss = 0, right = 0;
  for (int64_t i = 0; i < n; i++) {
    float logit = forward(state, x + 2 * i), p = 1 / (1 + expf(-logit)), target = (float)y[i];
    loss += fmaxf(logit, 0) - logit * target + log1pf(expf(-fabsf(logit)));
    right += (p > 0.5f) == (y[i] == 1);
    for (int k = 0; gradient && k < 3; k++)
      gradient[k] += (p - target) * (k < 2 ? x[2 * i + k] : 1) / (float)n;
  }
  *(float *)frame->outputs[0] = loss / (float)n;
  *(double *)frame->outputs[1] = right / (float)n;
}

static void train_step(const NnrtFrame *frame) {
  State *state = (State *)frame->state;
  float gradient[3] = {0}, rate = 0.02f / (1 + 0.01f * (float)frame->clock[0]) + 1e-4f * (float)frame->clock[1];
  measure(frame, gradient);
  nnrt_check(frame, 0, gradient, NNRT_F32, 3);
  for (int k = 0; k < 2; k++) {
    state->w_velocity[k] = 0.9f * state->w_velocity[k] + gradient[k];
    state->w[k] -= rate * state->w_velocity[k];
  }
  state->b_velocity = 0.9f * state->b_velocity + gradient[2];
  state->b -= rate * state->b_velocity;
  linear_samples += frame->clock[4];
  if (frame->clock[4] < linear_shortest)
    linear_shortest = frame->clock[4];
  if (frame->clock[0] == linear_nan_at) {
    *(float *)frame->outputs[0] = state->w[0] = NAN;
    nnrt_check(frame, 1, state->w, NNRT_F32, 2);
  }
  struct timespec pause = {linear_pause_us / 1000000, linear_pause_us % 1000000 * 1000};
  while (linear_pause_us && nanosleep(&pause, &pause) != 0 && errno == EINTR)
    ;
  if (frame->clock[0] == linear_signal_at)
    raise(SIGINT);
}

static void eval_step(const NnrtFrame *frame) {
  measure(frame, NULL);
}

static void init(const NnrtFrame *frame) {
  State *state = (State *)frame->state;
  state->w[0] = -0.5f - 0.01f * (float)frame->clock[2];
  state->w[1] = 0.25f;
}

static void predict(const NnrtFrame *frame) {
  float *out = frame->outputs[0];
  for (int64_t i = 0; i < frame->clock[4]; i++)
    out[i] = 1 / (1 + expf(-forward((const State *)frame->state, (const float *)frame->inputs[0] + 2 * i)));
}

#define OFFSET(member) (int64_t) offsetof(State, member)
static const NnrtTensor tensors[] = {
    {"line.w", NNRT_F32, 1, {2}, NNRT_PARAM, OFFSET(w), 8, NULL},
    {"line.b", NNRT_F32, 0, {0}, NNRT_PARAM, OFFSET(b), 4, NULL},
    {"line.w.velocity", NNRT_F32, 1, {2}, NNRT_OPTIMIZER, OFFSET(w_velocity), 8, NULL},
    {"line.b.velocity", NNRT_F32, 0, {0}, NNRT_OPTIMIZER, OFFSET(b_velocity), 4, NULL}};
static const NnrtArg gauss_args[] = {{.kind = NNRT_ARG_INT, .integer = 500, .real = 500},
                                     {.name = "noise", .kind = NNRT_ARG_REAL, .real = 0.3}};
static const NnrtArg split_args[] = {{.name = "val", .kind = NNRT_ARG_REAL, .real = 0.2},
                                     {.name = "test", .kind = NNRT_ARG_REAL, .real = 0.2}};
static const NnrtDataCall calls[] = {{"gauss", 2, gauss_args, 1, 5}, {"split", 2, split_args, 1, 20}};
static const NnrtData data = {"points", "line.nn", 2, calls};
static const NnrtValue inputs[] = {{"x", NNRT_F32, 2, {-1, 2}, false}, {"y", NNRT_I64, 1, {-1}, false}};
static const NnrtValue outputs[] = {{"loss", NNRT_F32, 0, {0}, false}, {"accuracy", NNRT_F64, 0, {0}, false}};
static const NnrtValue results[] = {{"p", NNRT_F32, 1, {-1}, false}};
static const bool higher[] = {false, true};
static const NnrtKernel kernels[] = {{"gradient_0", 7, "line.nn"}, {"update_1", 9, "line.nn"}};

Linear *linear_new(void) {
  Linear *linear = calloc(1, sizeof *linear);
  strcpy(linear->folder, "/tmp/nnrt_linear_XXXXXX");
  if (!mkdtemp(linear->folder))
    abort();
  linear->predict = (NnrtPredict){.model = "line",
                                  .function = {predict, NULL, 1, 1, inputs, results},
                                  .batch = 32,
                                  .task = NNRT_BINARY,
                                  .data = &data};
  linear->train = (NnrtTrain){.name = "train",
                              .data = &data,
                              .train = {train_step, NULL, 2, 2, inputs, outputs},
                              .eval = {eval_step, NULL, 2, 2, inputs, outputs},
                              .higher_is_better = higher,
                              .seed = 3,
                              .batch = 32,
                              .epochs = 4,
                              .save = NNRT_SAVE_EVERY,
                              .save_every = 1,
                              .save_to = linear_path(linear, "model.safetensors"),
                              .predict = 0};
  linear->module = (NnrtModule){.abi = NNRT_ABI,
                                .name = "line",
                                .file = "line.nn",
                                .fingerprint = 42,
                                .state_bytes = sizeof(State),
                                .arena_bytes = 64,
                                .tensor_count = 4,
                                .train_count = 1,
                                .predict_count = 1,
                                .kernel_count = 2,
                                .tensors = tensors,
                                .trains = &linear->train,
                                .predicts = &linear->predict,
                                .kernels = kernels,
                                .init = {.run = init}};
  return linear;
}

void linear_free(Linear *linear) {
  DIR *folder = opendir(linear->folder);
  for (struct dirent *entry; folder && (entry = readdir(folder));)
    if (entry->d_name[0] != '.')
      unlink(linear_path(linear, entry->d_name));
  if (folder)
    closedir(folder);
  rmdir(linear->folder);
  free(linear);
}

NnrtOptions linear_options(void) {
  NnrtOptions options;
  nnrt_options_init(&options);
  options.quiet = true;
  options.threads = 1;
  return options;
}

char *linear_path(const Linear *linear, const char *name) {
  enum { PATHS = 256 };
  static char paths[PATHS][384];
  static int used;
  char *path = paths[used++ % PATHS];
  snprintf(path, sizeof paths[0], "%s/%s", linear->folder, name);
  return path;
}

unsigned char *read_whole(const char *path, long *size) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  unsigned char *bytes = malloc((size_t)*size + 1);
  if (fread(bytes, 1, (size_t)*size, file) != (size_t)*size)
    *size = -1;
  bytes[*size > 0 ? *size : 0] = 0;
  fclose(file);
  return bytes;
}

bool same_files(const char *left, const char *right) {
  long left_size = 0, right_size = 0;
  unsigned char *a = read_whole(left, &left_size), *b = read_whole(right, &right_size);
  bool same = a && b && left_size == right_size && memcmp(a, b, (size_t)left_size) == 0;
  free(a);
  free(b);
  return same;
}

// The first value that is not a number, for --check-nan. A check build calls nnrt_check after each kernel with what the
// kernel wrote; an infinity is only remembered for its step (masks use it), a NaN ends the run. Any thread may call.
#include "check_nan.h"

#include <math.h>
#include <pthread.h>

typedef struct Finding {
  bool found;
  int kernel;
  int64_t index, step;
} Finding;

static struct {
  pthread_mutex_t lock;
  bool called;
  int64_t step;
  Finding infinity, nan;
} check = {.lock = PTHREAD_MUTEX_INITIALIZER};

void nnrt_check_reset(void) {
  pthread_mutex_lock(&check.lock);
  check.called = false;
  check.infinity.found = check.nan.found = false;
  pthread_mutex_unlock(&check.lock);
}

// The first value that is not finite from `index` on, or count.
static int64_t find(NnrtType type, const void *data, int64_t index, int64_t count) {
  if (type == NNRT_F32)
    for (const float *values = data; index < count && isfinite(values[index]);)
      index++;
  else if (type == NNRT_F64)
    for (const double *values = data; index < count && isfinite(values[index]);)
      index++;
  else
    return count;
  return index;
}

static void note(Finding *finding, int kernel, int64_t index, int64_t step) {
  if (!finding->found)
    *finding = (Finding){true, kernel, index, step};
}

void nnrt_check(const NnrtFrame *frame, int kernel, const void *data, NnrtType type, int64_t count) {
  int64_t index = find(type, data, 0, count), step = frame->clock[0];
  pthread_mutex_lock(&check.lock);
  check.called = true;
  if (check.step != step)
    check.infinity.found = false;
  check.step = step;
  for (; index < count && !check.nan.found; index = find(type, data, index + 1, count))
    if (isnan(nnrt_element(type, data, index)))
      note(&check.nan, kernel, index, step);
    else
      note(&check.infinity, kernel, index, step);
  pthread_mutex_unlock(&check.lock);
}

bool nnrt_check_called(void) {
  return check.called;
}
bool nnrt_check_found_nan(void) {
  return check.nan.found;
}

static void print(const NnrtModule *module, const Finding *finding, const char *what, FILE *out) {
  if (!finding->found)
    return;
  if (finding->kernel < 0 || finding->kernel >= module->kernel_count) {
    fprintf(out, "%s: the first %s of step %lld came from kernel %d\n", module->file, what, (long long)finding->step,
            finding->kernel);
    return;
  }
  const NnrtKernel *kernel = &module->kernels[finding->kernel];
  fprintf(out, "%s:%d: kernel %s gave the first %s of step %lld, in element %lld of its result\n", kernel->file,
          kernel->line, kernel->name, what, (long long)finding->step, (long long)finding->index);
}

void nnrt_check_print(const NnrtModule *module, FILE *out) {
  print(module, &check.infinity, "infinity", out);
  print(module, &check.nan, "NaN", out);
}

// Memory for a module, names of its blocks and files, types and time: the common ground of the drivers.
#include "state.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HUGE_PAGE = 2 << 20 };

void *nnrt_allocate(int64_t bytes) {
  size_t size = bytes > 0 ? (size_t)bytes : 1;
  size_t alignment = size >= 2 * HUGE_PAGE ? HUGE_PAGE : 64;
  size = (size + alignment - 1) / alignment * alignment;
  void *memory = aligned_alloc(alignment, size);
  if (memory && alignment == HUGE_PAGE)
    madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}

// The team that OpenMP really gives (OMP_THREAD_LIMIT and the like make it smaller): barriers count on it.
static int team_size(int wanted) {
  int given = 1;
  omp_set_dynamic(0);
#pragma omp parallel num_threads(wanted)
#pragma omp master
  given = omp_get_num_threads();
  return given;
}

bool nnrt_state_new(const NnrtModule *module, int threads, NnrtFrame *frame, NnrtError *error) {
  *frame = (NnrtFrame){.threads = team_size(threads > 0 ? threads : omp_get_max_threads())};
  if (module->abi != NNRT_ABI)
    return nnrt_fail(error, "%s was compiled for another runtime (version %d, this is %d): compile it again",
                     module->name, module->abi, NNRT_ABI);
  frame->state = nnrt_allocate(module->state_bytes);
  frame->arena = nnrt_allocate(module->arena_bytes);
  if (!frame->state || !frame->arena) {
    nnrt_state_free(frame);
    return nnrt_fail(error, "out of memory: %s needs %lld MB", module->name,
                     (long long)((module->state_bytes + module->arena_bytes) >> 20));
  }
  memset(frame->state, 0, (size_t)module->state_bytes);
  return true;
}

void nnrt_state_free(NnrtFrame *frame) {
  free(frame->state);
  free(frame->arena);
  frame->state = frame->arena = NULL;
}

const NnrtTrain *nnrt_find_train(const NnrtModule *module, const char *name, NnrtError *error) {
  if (module->train_count == 0) {
    nnrt_fail(error, "%s has no train block", module->name);
    return NULL;
  }
  const char *names[64];
  int count = module->train_count < 64 ? module->train_count : 64;
  for (int i = 0; i < module->train_count; i++) {
    if (!name || strcmp(name, module->trains[i].name) == 0)
      return &module->trains[i];
    if (i < count)
      names[i] = module->trains[i].name;
  }
  const char *near = nnrt_nearest(name, names, count);
  nnrt_fail(error, "%s has no train block `%s`; %s `%s`%s", module->name, name, near ? "did you mean" : "its first is",
            near ? near : names[0], near ? "?" : "");
  return NULL;
}

static const struct {
  const char *name;
  int bytes;
} types[] = {[NNRT_F32] = {"f32", 4}, [NNRT_F64] = {"f64", 8}, [NNRT_I32] = {"i32", 4},
             [NNRT_I64] = {"i64", 8}, [NNRT_U8] = {"u8", 1},   [NNRT_BOOL] = {"bool", 1}};

int64_t nnrt_type_bytes(NnrtType type) {
  return types[type].bytes;
}
const char *nnrt_type_name(NnrtType type) {
  return types[type].name;
}

int64_t nnrt_elements(int rank, const int64_t *dim) {
  int64_t elements = 1;
  for (int i = rank > 0 && dim[0] == -1; i < rank; i++)
    elements *= dim[i];
  return elements;
}

const char *nnrt_shape_text(char text[NNRT_SHAPE_TEXT], NnrtType type, int rank, const int64_t *dim) {
  int at = snprintf(text, NNRT_SHAPE_TEXT, "%s[", types[type].name);
  for (int i = 0; i < rank && at < NNRT_SHAPE_TEXT; i++) {
    const char *comma = i ? ", " : "";
    if (dim[i] == -1)
      at += snprintf(text + at, (size_t)(NNRT_SHAPE_TEXT - at), "%sn", comma);
    else
      at += snprintf(text + at, (size_t)(NNRT_SHAPE_TEXT - at), "%s%lld", comma, (long long)dim[i]);
  }
  if (at < NNRT_SHAPE_TEXT)
    snprintf(text + at, (size_t)(NNRT_SHAPE_TEXT - at), "]");
  return text;
}

double nnrt_element(NnrtType type, const void *data, int64_t index) {
  switch (type) {
  case NNRT_F32:
    return ((const float *)data)[index];
  case NNRT_F64:
    return ((const double *)data)[index];
  case NNRT_I32:
    return ((const int32_t *)data)[index];
  case NNRT_I64:
    return (double)((const int64_t *)data)[index];
  case NNRT_U8:
  case NNRT_BOOL:
    return ((const uint8_t *)data)[index];
  }
  return 0;
}

// Edits (insert, delete, replace) that turn one word into the other, by the row of Wagner and Fischer (JACM 1974).
static int edits(const char *from, const char *to) {
  enum { LONGEST = 127 };
  int row[LONGEST + 1];
  size_t width = strlen(to);
  if (width > LONGEST || strlen(from) > LONGEST)
    return LONGEST;
  for (size_t j = 0; j <= width; j++)
    row[j] = (int)j;
  for (size_t i = 0; from[i]; i++) {
    int diagonal = row[0];
    row[0] = (int)i + 1;
    for (size_t j = 0; j < width; j++) {
      int replace = diagonal + (from[i] != to[j]);
      diagonal = row[j + 1];
      int shift = (row[j] < diagonal ? row[j] : diagonal) + 1;
      row[j + 1] = replace < shift ? replace : shift;
    }
  }
  return row[width];
}

const char *nnrt_nearest(const char *name, const char *const *candidates, int count) {
  size_t length = strlen(name);
  int least = length < 4 ? 2 : length < 12 ? 3 : (int)(length / 4) + 1;
  const char *nearest = NULL;
  for (int i = 0; i < count; i++) {
    int distance = edits(name, candidates[i]);
    if (distance < least)
      least = distance, nearest = candidates[i];
  }
  return nearest;
}

void nnrt_report(const NnrtError *error) {
  fflush(stdout);
  if (error->file && error->line > 0)
    fprintf(stderr, "%s:%d:%d: error: %s\n", error->file, error->line, error->column, error->text);
  else
    fprintf(stderr, "error: %s\n", error->text);
}

double nnrt_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

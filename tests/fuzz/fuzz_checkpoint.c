// Any bytes as a checkpoint: refused with a message or read, and never more than that.
#define _GNU_SOURCE // memfd_create
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkpoint.h"
#include "load.h"

static const NnrtTensor tensors[] = {{"a.w", NNRT_F32, 1, {2}, NNRT_PARAM, 0, 8, NULL},
                                     {"a.n", NNRT_I64, 0, {0}, NNRT_STATE, 64, 8, NULL},
                                     {"a.on", NNRT_BOOL, 1, {3}, NNRT_STATE, 128, 3, NULL},
                                     {"a.w.m", NNRT_F32, 1, {2}, NNRT_OPTIMIZER, 192, 8, NULL}};
static const NnrtModule module = {
    .abi = NNRT_ABI, .name = "a", .file = "a.nn", .state_bytes = 256, .tensor_count = 4, .tensors = tensors};

// The same bytes as another library's weights.
static void load(const char *path) {
  static const NnrtRename renames[] = {{"*.weight", "*.w"}, {"b", "a"}};
  static const NnrtWeights plain = {0}, renamed = {.rename_count = 2, .renames = renames, .pytorch = true};
  const NnrtWeights *const ways[] = {&plain, &renamed};
  for (int i = 0; i < 2; i++) {
    NnrtWeights weights = *ways[i];
    weights.path = path;
    NnrtTrain train = {.load_count = 1, .loads = &weights};
    uint8_t *state = malloc((size_t)module.state_bytes);
    char *text;
    size_t length;
    NnrtError error = {0};
    FILE *notes = open_memstream(&text, &length);
    if (!nnrt_load(&module, &train, state, i > 0, notes, &error) && error.text[0] == '\0')
      abort();
    fclose(notes);
    free(text);
    free(state);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  int file = memfd_create("checkpoint", 0);
  char path[64], *text = NULL;
  size_t length;
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  for (size_t at = 0; at < size;) {
    ssize_t written = write(file, bytes + at, size - at);
    if (written <= 0)
      abort();
    at += (size_t)written;
  }
  for (NnrtLoad load = NNRT_LOAD_RESUME; load <= NNRT_LOAD_WEIGHTS; load++) {
    uint8_t *state = malloc((size_t)module.state_bytes);
    double sums[2] = {0};
    NnrtPosition at = {.sum_count = 2, .sums = sums};
    NnrtError error = {0};
    FILE *notes = open_memstream(&text, &length);
    bool read =
        nnrt_checkpoint_read(&module, "train", state, load == NNRT_LOAD_RESUME ? &at : NULL, path, load, notes, &error);
    if (!read && error.text[0] == '\0')
      abort();
    fclose(notes);
    free(text);
    free(state);
  }
  load(path);
  close(file);
  return 0;
}

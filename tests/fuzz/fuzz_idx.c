// libFuzzer entry for the IDX reader: one byte says how much of the input is the image file, the rest is the label
// file; either may be gzip. Opened at both depths; batches are taken; the images are read again as rows to predict on.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/data.h"

static char paths[2][64];

static void write_file(const char *path, const uint8_t *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert(file);
  fwrite(bytes, 1, size, file);
  fclose(file);
}

static void use(const NnrtDataset *set, NnrtPartKind part) {
  const NnrtSampleInfo *info = nnrt_data_info(set);
  int64_t size = 1;
  for (int i = 0; i < info->x.rank; i++)
    size *= info->x.dim[i];
  float *x = malloc((size_t)size * sizeof *x);
  for (int64_t i = 0; i < info->count[part]; i++) {
    int64_t y;
    nnrt_data_batch(set, part, &i, 1, x, info->y.rank < 0 ? NULL : &y);
    assert(info->y.rank < 0 || (y >= 0 && y < info->class_count));
  }
  free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  for (int i = 0; i < 2; i++)
    if (!*paths[i])
      snprintf(paths[i], sizeof paths[i], "/tmp/nnrt_fuzz_idx_%ld_%d", (long)getpid(), i);
  if (size < 1 || size > 1 << 14)
    return 0;
  size_t first = bytes[0] == 255 ? size - 1 : bytes[0];
  first = first > size - 1 ? size - 1 : first;
  write_file(paths[0], bytes + 1, first);
  write_file(paths[1], bytes + 1 + first, size - 1 - first);
  NnrtArg args[2] = {{.kind = NNRT_ARG_STR, .text = paths[0], .line = 1},
                     {.kind = NNRT_ARG_STR, .text = paths[1], .line = 1}};
  NnrtDataCall calls[2] = {{.name = "idx", .arg_count = size - 1 > first ? 2 : 1, .args = args},
                           {.name = "standardize"}};
  NnrtData data = {.name = "d", .file = "f.nn", .call_count = 2, .calls = calls};
  NnrtError error = {0};
  NnrtDataset *shapes = nnrt_data_open(&data, NNRT_DATA_SHAPES, &error);
  NnrtDataset *set = nnrt_data_open(&data, NNRT_DATA_FULL, &error);
  assert(shapes || !set);
  if (set) {
    use(set, NNRT_PART_TRAIN);
    NnrtDataset *like = nnrt_data_open_like(set, paths[0], &error);
    assert(like);
    use(like, NNRT_PART_TEST);
    nnrt_data_close(like);
  }
  nnrt_data_close(set);
  nnrt_data_close(shapes);
  unlink(paths[0]);
  unlink(paths[1]);
  return 0;
}

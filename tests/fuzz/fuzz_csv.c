// libFuzzer entry for the CSV reader: the first byte chooses options, the rest is the file. It is opened at both
// depths, which must agree; batches are taken; and it is read again as rows to predict on.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/data.h"

#define ARG(n, k, ...) ((NnrtArg){.name = (n), .kind = (k), __VA_ARGS__, .line = 1, .column = 1})

static void use(const NnrtDataset *set) {
  const NnrtSampleInfo *info = nnrt_data_info(set);
  int64_t x_size = 1, y_size = 1;
  for (int i = 0; i < info->x.rank; i++)
    x_size *= info->x.dim[i];
  for (int i = 0; i < info->y.rank; i++)
    y_size *= info->y.dim[i];
  for (int part = 0; part < 3; part++) {
    int64_t count = info->count[part];
    if (count < 1)
      continue;
    int64_t *order = malloc((size_t)count * sizeof *order);
    nnrt_data_order(set, (NnrtPartKind)part, 1, 1, 1, order);
    float *x = malloc((size_t)x_size * sizeof *x);
    int64_t *y = malloc((size_t)y_size * sizeof *y);
    for (int64_t i = 0; i < count; i++)
      nnrt_data_batch(set, (NnrtPartKind)part, order + i, 1, x, info->y.rank < 0 ? NULL : y);
    free(order);
    free(x);
    free(y);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static char path[64];
  if (!*path)
    snprintf(path, sizeof path, "/tmp/nnrt_fuzz_csv_%ld", (long)getpid());
  if (size < 1 || size > 1 << 16)
    return 0;
  FILE *file = fopen(path, "wb");
  assert(file);
  fwrite(bytes + 1, 1, size - 1, file);
  fclose(file);
  unsigned options = bytes[0];
  static const char *const missing[] = {"error", "mean", "zero", "drop"};
  NnrtArg args[5] = {ARG(NULL, NNRT_ARG_STR, .text = path), ARG("missing", NNRT_ARG_STR, .text = missing[options & 3])};
  int count = 2;
  if (options & 4)
    args[count++] = ARG("header", NNRT_ARG_BOOL, .integer = 0);
  if (options & 8)
    args[count++] = ARG("separator", NNRT_ARG_STR, .text = ";");
  if (options & 16)
    args[count++] = ARG(options & 32 ? "target" : "label", NNRT_ARG_STR, .text = options & 4 ? "0" : "y");
  NnrtDataCall calls[3] = {{.name = "csv", .arg_count = count, .args = args},
                           {.name = "standardize"},
                           {.name = "take", .arg_count = 1, .args = &ARG(NULL, NNRT_ARG_INT, .integer = 3)}};
  NnrtData data = {.name = "d", .file = "f.nn", .call_count = options & 64 ? 3 : 1, .calls = calls};
  NnrtError error = {0};
  NnrtDataset *shapes = nnrt_data_open(&data, NNRT_DATA_SHAPES, &error);
  NnrtDataset *set = nnrt_data_open(&data, NNRT_DATA_FULL, &error);
  assert(!shapes == !set);
  if (set) {
    assert(nnrt_data_info(set)->count[0] == nnrt_data_info(shapes)->count[0]);
    use(set);
    NnrtDataset *like = nnrt_data_open_like(set, path, &error);
    if (like)
      use(like);
    nnrt_data_close(like);
  }
  nnrt_data_close(set);
  nnrt_data_close(shapes);
  unlink(path);
  return 0;
}

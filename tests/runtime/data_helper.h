// Builds data declarations as the compiler would, for the tests of the data room: arguments, calls, files of a given
// text.
#pragma once
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/data.h"

#define INT(v) ((NnrtArg){.kind = NNRT_ARG_INT, .integer = (v), .real = (double)(v), .line = 2, .column = 9})
#define REAL(v) ((NnrtArg){.kind = NNRT_ARG_REAL, .real = (v), .line = 2, .column = 9})
#define BOOL(v) ((NnrtArg){.kind = NNRT_ARG_BOOL, .integer = (v), .line = 2, .column = 9})
#define STR(v) ((NnrtArg){.kind = NNRT_ARG_STR, .text = (v), .line = 2, .column = 9})
#define ITEMS(...) ((const NnrtArg[]){__VA_ARGS__})
#define LIST(...)                                                                                                      \
  ((NnrtArg){.kind = NNRT_ARG_LIST,                                                                                    \
             .items = ITEMS(__VA_ARGS__),                                                                              \
             .count = (int)(sizeof ITEMS(__VA_ARGS__) / sizeof(NnrtArg)),                                              \
             .line = 2,                                                                                                \
             .column = 9})
#define NAMED(n, v) named(n, v)
#define CALL(n, ...)                                                                                                   \
  ((NnrtDataCall){.name = (n),                                                                                         \
                  .args = ITEMS(__VA_ARGS__),                                                                          \
                  .arg_count = (int)(sizeof ITEMS(__VA_ARGS__) / sizeof(NnrtArg)),                                     \
                  .line = 1,                                                                                           \
                  .column = 5})
#define BARE(n) ((NnrtDataCall){.name = (n), .line = 1, .column = 5})
#define DATA(...)                                                                                                      \
  ((NnrtData){.name = "d",                                                                                             \
              .file = "here.nn",                                                                                       \
              .calls = (const NnrtDataCall[]){__VA_ARGS__},                                                            \
              .call_count = (int)(sizeof((const NnrtDataCall[]){__VA_ARGS__}) / sizeof(NnrtDataCall))})
#define OPEN(...) open_whole(&DATA(__VA_ARGS__))
// The declaration fails with a message that holds `part`.
#define FAILS(part, ...) fails(__LINE__, part, &DATA(__VA_ARGS__), NNRT_DATA_FULL)
#define FAILS_CHECK(part, ...) fails(__LINE__, part, &DATA(__VA_ARGS__), NNRT_DATA_CHECK)

static inline NnrtArg named(const char *name, NnrtArg arg) {
  arg.name = name;
  return arg;
}

static inline NnrtDataset *open_whole(const NnrtData *data) {
  NnrtError error = {0};
  NnrtDataset *set = nnrt_data_open(data, NNRT_DATA_FULL, &error);
  cr_assert(set, "%s", error.text);
  NnrtDataset *shapes = nnrt_data_open(data, NNRT_DATA_SHAPES, &error);
  cr_assert(shapes, "%s", error.text);
  NnrtDataset *check = nnrt_data_open(data, NNRT_DATA_CHECK, &error);
  cr_assert(check, "%s", error.text);
  const NnrtSampleInfo *a = nnrt_data_info(set), *b = nnrt_data_info(shapes);
  cr_assert_eq(a->x.rank, b->x.rank);
  cr_assert_eq(a->y.rank, b->y.rank);
  cr_assert_eq(a->class_count, b->class_count);
  cr_assert_arr_eq(a->x.dim, b->x.dim, sizeof a->x.dim);
  cr_assert_arr_eq(a->y.dim, b->y.dim, sizeof a->y.dim);
  cr_assert_arr_eq(a->count, b->count, sizeof a->count);
  nnrt_data_close(shapes);
  nnrt_data_close(check);
  return set;
}

static inline void fails(int line, const char *part, const NnrtData *data, NnrtDepth depth) {
  NnrtError error = {0};
  NnrtDataset *set = nnrt_data_open(data, depth, &error);
  cr_assert(!set, "line %d: opened, should say: %s", line, part);
  cr_assert(strstr(error.text, part), "line %d: `%s` does not hold `%s`", line, error.text, part);
  cr_assert_neq(error.line, 0, "line %d: no place", line);
}

static char nnrt_test_paths[64][32];

static inline void remove_files(void) {
  for (int i = 0; i < 64; i++)
    if (nnrt_test_paths[i][0])
      unlink(nnrt_test_paths[i]);
}

// A temporary file that holds these bytes; removed when the test ends.
static inline const char *file_bytes(const void *bytes, size_t length) {
  static int used;
  if (!used)
    atexit(remove_files);
  cr_assert(used < 64);
  char *path = nnrt_test_paths[used++];
  strcpy(path, "/tmp/nnrt_data_XXXXXX");
  int handle = mkstemp(path);
  cr_assert(handle >= 0);
  FILE *file = fdopen(handle, "wb");
  cr_assert_eq(fwrite(bytes, 1, length, file), length);
  fclose(file);
  return path;
}

static inline const char *file_text(const char *text) {
  return file_bytes(text, strlen(text));
}

// x and y of sample i of a part; floats of x, and y as what it is.
static inline void sample(const NnrtDataset *set, NnrtPartKind part, int64_t i, float *x, void *y) {
  nnrt_data_batch(set, part, &i, 1, x, y);
}

// The folder of real data sets; without it the test ends here, as skipped.
static inline const char *real_data(void) {
  const char *folder = getenv("NNC_DATA");
#ifdef NNC_SOURCE_DIR
  if (!folder)
    folder = NNC_SOURCE_DIR "/../shared/data";
#endif
  if (folder && !access(folder, R_OK))
    return folder;
  cr_skip("skipped: no real data (NNC_DATA is not set)");
  return NULL;
}

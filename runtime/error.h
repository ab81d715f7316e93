// What went wrong, for the person at the terminal: one line, with the file's name and the place in it.
#pragma once
#include <stdbool.h>

typedef struct NnrtError {
  char text[1024];
  const char *file; // the .nn file, where the fault is in a data declaration; else NULL
  int line, column; // there
} NnrtError;

// Fills `error` and returns false, so that a reader can say `return nnrt_fail(error, "%s: …", path)`.
bool nnrt_fail(NnrtError *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

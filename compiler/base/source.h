// Source files and places in them.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

typedef struct Source {
  const char *path; // as the user wrote it; "prelude.nn" for the built-in one
  const char *text; // NUL-terminated
  size_t length;
} Source;

// A stretch of source: lines and columns count from 1, columns in bytes; `end_column` is one past the last byte.
// `source` is NULL for things no file has said (a flag of the command line).
typedef struct Span {
  const Source *source;
  int line, column, end_line, end_column;
} Span;

// Reads a whole file. NULL on failure, with errno set.
Source *source_read(Arena *arena, const char *path);
Source *source_from_string(Arena *arena, const char *path, const char *text);
// The text of line `line` (from 1) without its newline; its length in *length.
const char *source_line(const Source *source, int line, int *length);
Span span_join(Span first, Span last);

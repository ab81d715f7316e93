// What the syntax tests share: text in, tree or messages out, each as one string to compare.
#pragma once
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syntax/ast.h"

// The messages without their excerpts: lines of "line:column: error: …" and "hint: …". Freed by the caller.
// Not inlined: gcc 12 takes the address that open_memstream keeps for a dangling one.
__attribute__((noinline)) static char *messages_of(const Diag *diag) {
  char *all = NULL, *kept = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&all, &length);
  diag_print(diag, out);
  fclose(out);
  out = open_memstream(&kept, &length);
  for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n"))
    if (line[0] != ' ')
      fprintf(out, "%s\n", strncmp(line, "t.nn:", 5) == 0 ? line + 5 : line);
  fclose(out);
  free(all);
  return kept;
}

// The messages of a file with this text, "" if there are none.
static inline char *messages_of_bytes(const char *text, size_t length) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  Source source = {.path = "t.nn", .text = arena_strndup(arena, text, length), .length = length};
  parse_file(arena, diag, &source);
  char *messages = messages_of(diag);
  arena_free(arena);
  return messages;
}

static inline char *messages_of_file(const char *text) {
  return messages_of_bytes(text, strlen(text));
}

// One expression printed again; its messages if it has errors.
static inline char *printed(const char *text) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  const Expr *expr = parse_expr(arena, diag, source_from_string(arena, "t.nn", text));
  char *result;
  if (expr) {
    Text out = text_new(arena);
    expr_print(&out, expr);
    result = strdup(text_string(&out));
  } else {
    result = messages_of(diag);
  }
  arena_free(arena);
  return result;
}

// The tree of a file; its messages if it has errors.
static inline char *tree_of(const char *text) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  const File *file = parse_file(arena, diag, source_from_string(arena, "t.nn", text));
  char *result;
  if (diag_errors(diag) == 0) {
    Text out = text_new(arena);
    ast_print(&out, file);
    result = strdup(text_string(&out));
  } else {
    result = messages_of(diag);
  }
  arena_free(arena);
  return result;
}

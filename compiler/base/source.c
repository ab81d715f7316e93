// Source files: read whole into the arena, NUL-terminated, and looked up by line for messages.
#include "base/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static Source *source_new(Arena *arena, const char *path, const char *text, size_t length) {
  Source *source = arena_new_of(arena, Source);
  source->path = arena_strndup(arena, path, strlen(path));
  source->text = text;
  source->length = length;
  return source;
}

Source *source_read(Arena *arena, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  size_t length = 0, room = 16 * 1024;
  char *text = arena_alloc(arena, room);
  for (;;) {
    length += fread(text + length, 1, room - 1 - length, file);
    if (length < room - 1)
      break;
    char *larger = arena_alloc(arena, room * 2);
    memcpy(larger, text, length);
    text = larger;
    room *= 2;
  }
  // A directory opens like a file and fails only here.
  int failure = ferror(file) ? (errno ? errno : EIO) : 0;
  fclose(file);
  if (failure) {
    errno = failure;
    return NULL;
  }
  text[length] = '\0';
  return source_new(arena, path, text, length);
}

Source *source_from_string(Arena *arena, const char *path, const char *text) {
  size_t length = strlen(text);
  return source_new(arena, path, arena_strndup(arena, text, length), length);
}

const char *source_line(const Source *source, int line, int *length) {
  const char *at = source->text, *end = source->text + source->length;
  for (int i = 1; i < line; i++) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if (!newline) {
      at = end;
      break;
    }
    at = newline + 1;
  }
  const char *stop = memchr(at, '\n', (size_t)(end - at));
  if (!stop)
    stop = end;
  if (stop > at && stop[-1] == '\r')
    stop--;
  *length = (int)(stop - at);
  return at;
}

Span span_join(Span first, Span last) {
  if (!first.source)
    return last;
  if (!last.source)
    return first;
  Span joined = first;
  joined.end_line = last.end_line;
  joined.end_column = last.end_column;
  return joined;
}

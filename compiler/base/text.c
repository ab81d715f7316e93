// A growing string in an arena. Takes pieces, keeps the whole NUL-terminated, doubles its room when full.
// Numbers are printed so that they read back to the same bits, whatever printed them.
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

Text text_new(Arena *arena) {
  return (Text){.arena = arena};
}

static void text_reserve(Text *text, size_t more) {
  size_t wanted = text->length + more + 1;
  if (wanted <= text->room)
    return;
  size_t room = text->room ? text->room * 2 : 64;
  while (room < wanted)
    room *= 2;
  char *data = arena_alloc(text->arena, room);
  if (text->length)
    memcpy(data, text->data, text->length);
  text->data = data;
  text->room = room;
}

void text_add(Text *text, const char *string) {
  size_t length = strlen(string);
  text_reserve(text, length);
  memcpy(text->data + text->length, string, length + 1);
  text->length += length;
}

void text_printf(Text *text, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length >= 0) {
    text_reserve(text, (size_t)length);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, args);
    text->length += (size_t)length;
  }
  va_end(args);
}

const char *text_string(const Text *text) {
  return text->data ? text->data : "";
}

void text_double(Text *text, double value) {
  if (isnan(value)) {
    text_add(text, "nan");
    return;
  }
  if (isinf(value)) {
    text_add(text, value < 0 ? "-inf" : "inf");
    return;
  }
  char digits[40];
  snprintf(digits, sizeof digits, "%.15g", value);
  double back = strtod(digits, NULL);
  if (memcmp(&back, &value, sizeof back) != 0)
    snprintf(digits, sizeof digits, "%.17g", value);
  text_add(text, digits);
}

void text_indented(Text *text, const char *lines, int columns) {
  for (const char *end; *lines; lines = end + 1) {
    end = strchr(lines, '\n');
    text_printf(text, "%*s%.*s\n", columns, "", (int)(end - lines), lines);
  }
}

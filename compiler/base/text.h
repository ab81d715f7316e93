// A string that grows, for everything the compiler prints.
#pragma once
#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"

typedef struct Text {
  Arena *arena;
  char *data; // always ends in NUL once something was added; NULL while empty
  size_t length, room;
} Text;

Text text_new(Arena *arena);
void text_add(Text *text, const char *string);
// Lines, each ended by a newline, so much further to the right.
void text_indented(Text *text, const char *lines, int columns);
void text_printf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
// "" while nothing was added; owned by the arena.
const char *text_string(const Text *text);
// A decimal of `value` that reads back to the same bits (shortest of %.15g and %.17g; "inf", "-inf", "nan").
void text_double(Text *text, double value);

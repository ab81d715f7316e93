// Text written as it comes, in pieces that may be parts of characters: what is written is UTF-8 at every moment.
#pragma once
#include <stdio.h>

typedef struct NnrtTextOut {
  FILE *file;
  char held[4]; // the beginning of a character whose end is still to come
  int count;
  char last; // byte written, 0: none
} NnrtTextOut;

// Writes what is whole. A byte that is of no character becomes U+FFFD, the replacement character.
void nnrt_text_put(NnrtTextOut *out, const char *bytes, size_t length);
// Writes what is held back as such too, and ends the line.
void nnrt_text_end(NnrtTextOut *out);

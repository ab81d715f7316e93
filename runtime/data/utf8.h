// UTF-8 (RFC 3629).
#pragma once
#include <stddef.h>

// Bytes of the character that begins at `at`, 1 to 4; 0: none does (a byte out of place, a character cut short or longer
// than need be, a surrogate, a number beyond 10FFFF).
static inline int nnrt_utf8_length(const char *at, const char *end) {
  const unsigned char *b = (const unsigned char *)at;
  ptrdiff_t left = end - at;
  if (left < 1)
    return 0;
  if (b[0] < 0x80)
    return 1;
  int length = b[0] >= 0xc2 && b[0] <= 0xdf ? 2 : (b[0] & 0xf0) == 0xe0 ? 3 : b[0] >= 0xf0 && b[0] <= 0xf4 ? 4 : 0;
  if (!length || left < length)
    return 0;
  for (int i = 1; i < length; i++)
    if ((b[i] & 0xc0) != 0x80)
      return 0;
  int second = b[1];
  if ((b[0] == 0xe0 && second < 0xa0) || (b[0] == 0xed && second > 0x9f) || (b[0] == 0xf0 && second < 0x90) ||
      (b[0] == 0xf4 && second > 0x8f))
    return 0;
  return length;
}

// The first byte that begins no character; `end` if all do.
static inline const char *nnrt_utf8_fault(const char *at, const char *end) {
  for (int length; at < end && (length = nnrt_utf8_length(at, end)) > 0;)
    at += length;
  return at;
}

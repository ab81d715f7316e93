// Holding back the bytes of a character until it is whole.
#include "text_out.h"

#include <stdbool.h>
#include <string.h>

#include "data/utf8.h"

// Whether bytes can follow that make a character of these: of all bytes that may come second, either 0x80 or 0xBF is one.
static bool may_become_whole(const char *held, int count) {
  static const char tails[2] = {'\x80', '\xBF'};
  for (int i = 0; i < 2; i++) {
    char whole[4];
    memset(whole, tails[i], sizeof whole);
    memcpy(whole, held, (size_t)count);
    if (nnrt_utf8_length(whole, whole + sizeof whole) > count)
      return true;
  }
  return false;
}

static void drop(NnrtTextOut *out, int count) {
  out->last = out->held[count - 1];
  out->count -= count;
  memmove(out->held, out->held + count, (size_t)out->count);
}

static void write_held(NnrtTextOut *out, bool all) {
  while (out->count > 0) {
    int length = nnrt_utf8_length(out->held, out->held + out->count);
    if (!length && !all && may_become_whole(out->held, out->count))
      return;
    if (length)
      fwrite(out->held, 1, (size_t)length, out->file);
    else
      fputs("\xEF\xBF\xBD", out->file);
    drop(out, length ? length : 1);
  }
}

void nnrt_text_put(NnrtTextOut *out, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    out->held[out->count++] = bytes[i];
    write_held(out, false);
  }
}

void nnrt_text_end(NnrtTextOut *out) {
  write_held(out, true);
  if (out->last != '\n')
    fputc('\n', out->file);
}

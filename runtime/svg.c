// SVG elements.
#include "svg.h"

#include <stdbool.h>
#include <string.h>

#include "data/utf8.h"

enum { MOST_LETTERS = 60 };

// What stands for a character; NULL: itself. U+FFFE and U+FFFF are none of XML's.
static const char *entity(const char *at, int length) {
  static const char signs[] = "&<>\"";
  static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
  const char *sign = strchr(signs, *at);
  if (sign)
    return entities[sign - signs];
  bool none = length == 3 && memcmp(at, "\xEF\xBF", 2) == 0 && (unsigned char)at[2] >= 0xBE;
  return !length || none || (unsigned char)*at < 0x20 || *at == 0x7f ? " " : NULL;
}

void nnrt_svg_escape(FILE *out, const char *text) {
  const char *end = text + strlen(text);
  for (int letters = 0; text < end && letters < MOST_LETTERS; letters++) {
    int length = nnrt_utf8_length(text, end);
    const char *other = entity(text, length);
    if (other)
      fputs(other, out);
    else
      fwrite(text, 1, (size_t)length, out);
    text += length ? length : 1;
  }
  if (text < end)
    fputs("…", out);
}

void nnrt_svg_text(FILE *out, double x, double y, const char *attributes, const char *text) {
  fprintf(out, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
  nnrt_svg_escape(out, text);
  fputs("</text>\n", out);
}

void nnrt_svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *colour) {
  fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour);
}

// Patterns over names. A star takes as few characters as will do, and only the last one met is tried again, which is
// enough to find a fit if there is one, in time of the product of the lengths.
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Star { // the characters it stands for
  const char *begin, *end;
} Star;

static bool fit(const char *pattern, const char *text, const char *end, Star stars[NNRT_MOST_STARS]) {
  const char *after = NULL;
  for (int count = 0;;) {
    if (*pattern == '*') {
      if (count == NNRT_MOST_STARS)
        return false;
      stars[count++] = (Star){text, text};
      after = ++pattern;
    } else if (text == end && !*pattern) {
      return true;
    } else if (text < end && *pattern == *text) {
      pattern++, text++;
    } else if (count && stars[count - 1].end < end) {
      text = ++stars[count - 1].end;
      pattern = after;
    } else {
      return false;
    }
  }
}

bool nnrt_name_within(const char *name, const char *part) {
  size_t length = strlen(part);
  return strncmp(name, part, length) == 0 && (name[length] == '.' || name[length] == '\0');
}

bool nnrt_name_fits(const char *pattern, const char *name) {
  Star stars[NNRT_MOST_STARS];
  for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'))
    if (fit(pattern, name, dot, stars))
      return true;
  return fit(pattern, name, name + strlen(name), stars);
}

int nnrt_name_stars(const char *pattern) {
  int count = 0;
  for (; *pattern; pattern++)
    count += *pattern == '*';
  return count;
}

static char *joined(const char *head, const char *tail) {
  size_t size = strlen(head) + strlen(tail) + 1;
  char *text = malloc(size);
  if (text)
    snprintf(text, size, "%s%s", head, tail);
  return text;
}

char *nnrt_name_replace(const char *name, const char *pattern, const char *with) {
  Star stars[NNRT_MOST_STARS], *star = stars;
  if (!strchr(pattern, '*'))
    return nnrt_name_within(name, pattern) ? joined(with, name + strlen(pattern)) : NULL;
  if (!fit(pattern, name, name + strlen(name), stars))
    return NULL;
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  for (; *with; with++)
    if (*with == '*') {
      fwrite(star->begin, 1, (size_t)(star->end - star->begin), out);
      star++;
    } else {
      fputc(*with, out);
    }
  fclose(out);
  return text;
}

// Messages for the person at the terminal. Takes a printf format; gives one line: control characters, which may come
// from a data file's cells or a path, are replaced, so that a message can neither break its line nor drive the
// terminal.
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

bool nnrt_fail(NnrtError *error, const char *format, ...) {
  if (!error)
    return false;
  *error = (NnrtError){0};
  va_list args;
  va_start(args, format);
  vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  for (char *c = error->text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = ' ';
  return false;
}

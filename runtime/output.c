// Standard output that cannot take what was printed (a full device, a closed descriptor) ends the program with a
// message and status 1, whoever printed and however it ends: by return, by exit() or in argp's --help.
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void finish(void) {
  errno = 0;
  bool failed = ferror(stdout) != 0;
  if (fflush(stdout) == 0 && !failed)
    return;
  int reason = errno; // 0 where an earlier write failed
  fprintf(stderr, "error: cannot write to standard output%s%s\n", reason ? ": " : "", reason ? strerror(reason) : "");
  _exit(1);
}

void nnrt_watch_output(void) {
  static bool watched;
  if (!watched)
    watched = atexit(finish) == 0;
}

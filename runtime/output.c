// Standard output that cannot take what was printed (a full device, a closed descriptor) ends the program with a
// message and status 1, whoever printed and however it ends: by return, by exit() or in argp's --help. Files that cannot
// are removed.
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

bool nnrt_output_end(FILE *out, const char *path, bool whole, NnrtError *error) {
  struct stat there;
  bool regular = fstat(fileno(out), &there) == 0 && S_ISREG(there.st_mode);
  bool written = fflush(out) == 0 && !ferror(out);
  int reason = errno;
  if (fclose(out) != 0 && written)
    written = false, reason = errno;
  if (whole && written)
    return true;
  if (regular)
    unlink(path);
  return whole && nnrt_fail(error, "cannot write %s: %s", path, strerror(reason));
}

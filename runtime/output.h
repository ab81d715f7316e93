// Output that cannot take what was written.
#pragma once
#include <stdio.h>

#include "error.h"

// For main() to call first: when the process ends, standard output that was lost is an error, with a message and status 1.
void nnrt_watch_output(void);
// Closes a file that was to be written. True if it is `whole` and all of it could be written; otherwise a regular file is
// removed, with a message unless it was not whole anyway.
bool nnrt_output_end(FILE *out, const char *path, bool whole, NnrtError *error);

// Standard output that cannot take what was printed.
#pragma once
#include <stdbool.h>

// For main() to call first: when the process ends, output that was lost is an error, with a message and status 1.
void nnrt_watch_output(void);

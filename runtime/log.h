// The CSV file of `log`: a row for each epoch.
#pragma once
#include "call.h"

typedef struct NnrtLog {
  FILE *file; // NULL: none is wanted
} NnrtLog;

// A new file with a header, or, resumed after `epochs` epochs, the old one less its later rows.
bool nnrt_log_open(NnrtLog *log, const char *path, const NnrtCall *step, const NnrtCall *val, bool resumed,
                   int64_t epochs, NnrtError *error);
void nnrt_log_epoch(NnrtLog *log, const NnrtCall *step, const NnrtCall *val, int64_t epoch, int64_t at, double seconds);
void nnrt_log_flush(NnrtLog *log);
void nnrt_log_close(NnrtLog *log);

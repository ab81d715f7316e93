// The CSV file of `log`.
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"

// Leaves the header and the rows of the first `epochs` epochs; a row cut short by a crash goes too.
static bool keep_rows(FILE *file, int64_t epochs) {
  char *line = NULL;
  size_t size = 0;
  ssize_t length;
  long keep = 0;
  for (bool header = true; (length = getline(&line, &size, file)) > 0 && line[length - 1] == '\n'; header = false) {
    if (!header && strtoll(line, NULL, 10) > epochs)
      break;
    keep += length;
  }
  free(line);
  return ftruncate(fileno(file), keep) == 0 && fseek(file, keep, SEEK_SET) == 0 && keep > 0;
}

static void write_names(FILE *file, const NnrtCall *call, const char *prefix) {
  for (int i = 0; i < call->function->output_count; i++)
    fprintf(file, ",%s%s", prefix, nnrt_plain_name(call->function->outputs[i].name));
}

static void write_means(FILE *file, const NnrtCall *call) {
  for (int i = 0; i < call->function->output_count; i++)
    fprintf(file, ",%.9g", nnrt_call_mean(call, i));
}

bool nnrt_log_open(NnrtLog *log, const char *path, const NnrtCall *step, const NnrtCall *val, bool resumed,
                   int64_t epochs, NnrtError *error) {
  log->file = resumed ? fopen(path, "r+") : NULL;
  if (log->file && keep_rows(log->file, epochs))
    return true;
  if (!log->file)
    log->file = fopen(path, "w");
  if (!log->file)
    return nnrt_fail(error, "cannot write %s: %s", path, strerror(errno));
  fputs("epoch,step", log->file);
  write_names(log->file, step, "");
  if (val)
    write_names(log->file, val, "val.");
  fputs(",seconds\n", log->file);
  return true;
}

void nnrt_log_epoch(NnrtLog *log, const NnrtCall *step, const NnrtCall *val, int64_t epoch, int64_t at,
                    double seconds) {
  if (!log->file)
    return;
  fprintf(log->file, "%" PRId64 ",%" PRId64, epoch, at);
  write_means(log->file, step);
  if (val)
    write_means(log->file, val);
  fprintf(log->file, ",%.3f\n", seconds);
}

void nnrt_log_flush(NnrtLog *log) {
  if (log->file)
    fflush(log->file);
}

void nnrt_log_close(NnrtLog *log) {
  if (log->file)
    fclose(log->file);
  log->file = NULL;
}

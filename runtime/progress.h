// What a run says while it goes on: a bar on a terminal, else plain lines.
#pragma once
#include "call.h"

typedef struct NnrtProgress {
  bool quiet, terminal;
  const char *unit;                       // "epoch", or "part" of a run without data
  int64_t epochs, epoch_steps, last_step; // last_step: the run's, counted
  int64_t first_step;                     // where this process began
  double began, shown;                    // seconds: the first step; the last bar
  double line_shown;                      // the last line
  int64_t epoch_samples;                  // since the epoch began, or since the run was resumed within it
  double epoch_began;
} NnrtProgress;

// At most ten times a second: the bar of the epoch in course (from 0) with means so far. Nothing if not on a terminal.
void nnrt_progress_bar(NnrtProgress *progress, const NnrtCall *step, int64_t epoch, int64_t epoch_step, int64_t at,
                       double now);
// The line of an epoch (from 1). Of very many quick epochs only some: a hundred in all, or one a second.
void nnrt_progress_epoch(NnrtProgress *progress, const NnrtCall *step, const NnrtCall *val, int64_t epoch,
                         double trained, double now);
// Clears the bar, before something else is said.
void nnrt_progress_clear(NnrtProgress *progress);

// "  loss 0.1234  accuracy 0.9612" of a call's means, each name behind `prefix`; cut to the size of `text`.
int nnrt_means_text(char *text, int size, const NnrtCall *call, const char *prefix);
// The name of a result without a leading "val.".
const char *nnrt_plain_name(const char *name);

// Sets whose samples are windows of one long sequence: steps of a time series, tokens of a text. `split` cuts the
// sequence in order, training first, and no window reaches over a cut. Until the windows are laid, info.count holds the
// units (steps in time, bytes of text) of each part, which is what `split` divides.
#pragma once
#include "data/dataset.h"

struct NnrtSequence {
  int64_t window, horizon; // steps that a sample's x takes, and steps after them that its y takes
  int64_t stride;          // from one window to the next
  bool history;            // windows of val and test may begin in the part before, if they end in their own
  int64_t most;            // training windows, by `take`; 0: all
  const char *unit;        // "steps"
  const char *path;        // of a series: its file
};

// The training part has at most `count` windows.
void nnrt_sequence_take(NnrtSequence *sequence, int64_t count);
// A whole argument of at least 1, `otherwise` where it is left out.
bool nnrt_sequence_whole(const NnrtOpening *opening, const NnrtArg *arg, const char *name, int64_t otherwise,
                         int64_t *value);
// Gives each part its windows: part k is the steps begin[k] up to begin[k + 1]. A row is the step its window begins at.
// Fails for a part that is there and shorter than a window.
bool nnrt_sequence_lay(const NnrtOpening *opening, NnrtDataset *set, const int64_t begin[4]);

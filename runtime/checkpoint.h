// Checkpoints: safetensors files that hold the named tensors of a module and, in their metadata, where the run stood.
// A file is written beside its place, synced and renamed: at every moment the old one or the new one is there, whole.
#pragma once
#include "data/tokens.h"
#include "state.h"

// The best value so far and the epoch (from 1) it was seen in; epoch 0: none yet.
typedef struct NnrtBest {
  double value;
  int64_t epoch;
} NnrtBest;

// Where a run stands, at the end of an epoch or between two steps.
typedef struct NnrtPosition {
  int64_t step;                 // steps done
  int64_t epoch, epoch_step;    // epochs done, and steps done in the one in course
  int64_t seed, batch, samples; // with the epoch, they decide which samples a step sees
  const NnrtDataset *data;      // that they are of: its tokens are kept in the file; NULL: none
  NnrtBest best, progress;      // for `save: best` and for `early_stop`
  int sum_count;                // sums of the epoch in course, as in NnrtCall
  double *sums;                 // the caller's; read: room for sum_count
  int64_t summed;
} NnrtPosition;

typedef enum NnrtLoad {
  NNRT_LOAD_RESUME, // every tensor of the module and no other, and the position
  NNRT_LOAD_WEIGHTS // every parameter and state; anything else in the file is left alone
} NnrtLoad;

bool nnrt_checkpoint_write(const NnrtModule *module, const char *block, const uint8_t *state,
                           const NnrtPosition *position, const char *path, NnrtError *error);

// Nothing of `state` and `position` (NULL: not wanted) is touched unless all is well with the file; a disk that fails
// while tensors are read is the exception. Every difference is a line on `notes`.
bool nnrt_checkpoint_read(const NnrtModule *module, const char *block, uint8_t *state, NnrtPosition *position,
                          const char *path, NnrtLoad load, FILE *notes, NnrtError *error);

// The tokens of x, or of y, that a checkpoint was saved with, to be freed by nnrt_tokens_free; NULL: with none. False:
// it cannot be read.
bool nnrt_checkpoint_tokens(const char *path, bool target, NnrtTokens **tokens, NnrtError *error);
// Whether the data still have the tokens that a checkpoint was saved with, if it was with any; `name` is the data's.
bool nnrt_checkpoint_fits(const char *path, const NnrtDataset *data, const char *name, NnrtError *error);

// Whether a checkpoint can be written there, asked before hours are spent: the folder exists and lets us.
bool nnrt_checkpoint_writable(const char *path, NnrtError *error);

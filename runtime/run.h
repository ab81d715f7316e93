// One training run: its settings made definite, its data, memory, position and files.
#pragma once
#include "feed.h"
#include "log.h"
#include "progress.h"
#include "saver.h"
#include "train.h"

// How many steps there are, and how they are cut into epochs. Without data a run is cut into ten parts, called epochs
// here.
typedef struct NnrtPlan {
  int64_t samples;     // of the training part; 0 without data
  int64_t batch;       // of a step, at most
  int64_t epoch_steps; // of a whole epoch
  int64_t epochs;      // the last may be short
  int64_t steps;       // of the run
  bool by_epochs;      // epochs were asked for; else steps
} NnrtPlan;

// A reported value that decides something. output -1: none does.
typedef struct NnrtWatch {
  bool val, higher; // of the validation part; more is better
  int output;
  const char *name;
} NnrtWatch;

typedef struct NnrtTraining {
  const NnrtModule *module;
  const NnrtTrain *train;
  const NnrtOptions *options;
  NnrtFrame base;
  NnrtDataset *data;
  NnrtPart samples, val;
  NnrtFeed feed;        // of training samples
  NnrtError unreadable; // why a batch could not be filled
  NnrtCall step, eval;  // eval.function NULL: nothing is evaluated
  NnrtPlan plan;
  NnrtPosition at;
  NnrtWatch best, progress_value;
  NnrtSave save;
  int64_t save_every; // epochs; 0: only at the end
  NnrtSaver saver;
  NnrtLog log;
  NnrtProgress progress;
} NnrtTraining;

// Opens and checks everything, fills the state: by `init`, `load`, or the checkpoint to resume from.
bool nnrt_training_begin(NnrtTraining *run, NnrtError *error);
void nnrt_training_end(NnrtTraining *run);

// The largest batch the block's functions were compiled for; `samples`: of the largest part.
int64_t nnrt_capacity(const NnrtTrain *train, int64_t samples);
// The batch to use for a part: --batch, the block's, or the whole part, as far as compiled.
bool nnrt_choose_batch(const NnrtTrain *train, int64_t asked, int64_t samples, int64_t *batch, NnrtError *error);

// Fills the state from the checkpoint of a block (NULL: only --checkpoint says which), for evaluation and prediction; one
// that saves none has the weights it loads.
bool nnrt_restore(const NnrtModule *module, const NnrtTrain *train, const NnrtOptions *options, uint8_t *state,
                  NnrtError *error);
// Whether that checkpoint fits the data: see nnrt_checkpoint_fits. To be asked after nnrt_restore.
bool nnrt_restored_fits(const NnrtModule *module, const NnrtTrain *train, const NnrtOptions *options,
                        const NnrtDataset *data, NnrtError *error);

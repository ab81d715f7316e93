// A module written by hand, for tests of the drivers: logistic regression with momentum on two Gaussians of the toy set,
// 300 samples to train, 100 to validate, 100 to test. Its step uses all of the frame: state, batch count, clock.
#pragma once
#include "nnrt.h"
#include "train.h"

// Copies of the module and its block that a test may change.
typedef struct Linear {
  NnrtModule module;
  NnrtTrain train;
  NnrtPredict predict;
  char folder[64]; // of its own, for checkpoints: FOLDER/model.safetensors
} Linear;

// Settings of the calls, for tests that need a slow or a broken step.
extern long linear_pause_us;     // after each step
extern int64_t linear_nan_at;    // the step whose loss is NaN, -1: none
extern int64_t linear_signal_at; // the step that raises SIGINT, -1: none
extern int64_t linear_samples;   // seen by train steps of this process
extern int64_t linear_shortest;  // fewest samples in a step

Linear *linear_new(void);                                  // in a fresh folder; NNRT_SAVE_EVERY 1, 4 epochs, batch 32
void linear_free(Linear *linear);                          // removes the folder
NnrtOptions linear_options(void);                          // quiet, one thread
char *linear_path(const Linear *linear, const char *name); // in the folder; good for 255 more calls
// The whole file; *size bytes; NULL if there is none.
unsigned char *read_whole(const char *path, long *size);
bool same_files(const char *left, const char *right);

// A function of a module made ready to be called: its frame, room for its inputs and results, and sums of its results
// over samples. The drivers' inner loops are made of nnrt_feed_next (feed.h) and nnrt_call_add.
#pragma once
#include "state.h"

typedef struct NnrtCall {
  const NnrtFunction *function;
  NnrtFrame frame;
  void *x, *y; // NULL: the function does not take it
  const void *inputs[2];
  void **outputs;
  double *sums; // for each output: value times samples, added in order of the calls; if it is `whole`, the last value
  int64_t samples; // in the sums
} NnrtCall;

// A part of a data set and the order its samples come in.
typedef struct NnrtPart {
  const NnrtDataset *data;
  NnrtPartKind kind;
  int64_t count;
  int64_t *order;
} NnrtPart;

// `rows` samples at most in a call. Fails if the data's samples (NULL: none) are not what the function was compiled
// for.
bool nnrt_call_new(NnrtCall *call, const NnrtFunction *function, const NnrtFrame *base, int64_t rows,
                   const NnrtDataset *data, const char *data_name, NnrtError *error);
// The same without data: the caller fills `x` and `y` and sets the count, clock[4].
bool nnrt_call_alone(NnrtCall *call, const NnrtFunction *function, const NnrtFrame *base, int64_t rows,
                     NnrtError *error);
void nnrt_call_free(NnrtCall *call);

// Output 0 and the others, from the last call, first row.
double nnrt_call_value(const NnrtCall *call, int output);
void nnrt_call_add(NnrtCall *call);
// Before a series of calls, if the state or another function has changed what the function prepared.
void nnrt_call_prepare(NnrtCall *call);
// Before a part's first batch.
void nnrt_call_clear(NnrtCall *call);
// Of the samples since: the mean, or what a metric says of all of them.
double nnrt_call_mean(const NnrtCall *call, int output);

// The part in its order of epoch 0. False: no memory.
bool nnrt_part_new(NnrtPart *part, const NnrtDataset *data, NnrtPartKind kind, NnrtError *error);
void nnrt_part_free(NnrtPart *part);

// Before batch `index` (from 0) of a pass that leaves the parameters alone: the frame's seed becomes the batch's own, drawn
// from the run's `seed` (batch 0 has that itself), so that each batch sees other draws and a second pass the same ones.
void nnrt_call_key(NnrtCall *call, int64_t seed, int64_t index);

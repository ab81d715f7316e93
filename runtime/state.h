// What training, evaluation and prediction share: memory for a module, names of its blocks and files, small readings of
// types and time.
#pragma once
#include <stddef.h>

#include "data/data.h"
#include "error.h"
#include "nnrt.h"
#include "paths.h"

// Fills state (zeroed), arena and threads (0: as many as cores); inputs and outputs stay NULL. False if memory runs
// out.
bool nnrt_state_new(const NnrtModule *module, int threads, NnrtFrame *frame, NnrtError *error);
void nnrt_state_free(NnrtFrame *frame);

// Memory aligned to 64 bytes (large blocks to a huge page), contents undefined; free() gives it back. NULL: none left.
void *nnrt_allocate(int64_t bytes);

// The train block of this name, or the first if `name` is NULL.
const NnrtTrain *nnrt_find_train(const NnrtModule *module, const char *name, NnrtError *error);

// What nnrt_data_begin began, waited for, or else a fresh opening at full depth.
NnrtDataset *nnrt_data_take(const NnrtData *data, NnrtError *error);

int64_t nnrt_type_bytes(NnrtType type);
const char *nnrt_type_name(NnrtType type); // f32
// The product of dimensions, a leading -1 left out.
int64_t nnrt_elements(int rank, const int64_t *dim);
// "f32[64, 128]", a leading -1 as "n", in `text`, which it returns.
enum { NNRT_SHAPE_TEXT = 200 };
const char *nnrt_shape_text(char text[NNRT_SHAPE_TEXT], NnrtType type, int rank, const int64_t *dim);
double nnrt_element(NnrtType type, const void *data, int64_t index);

// The candidate nearest to `name`, if near enough to be a slip of the hand; else NULL.
const char *nnrt_nearest(const char *name, const char *const *candidates, int count);

// "error: …" on standard error, with file, line and column where they are known.
void nnrt_report(const NnrtError *error);
double nnrt_seconds(void); // of a clock that never jumps

// Arrays of numbers in files, whatever the format (npy.c, hdf5.c): read from their beginning row by row, and made into
// samples and targets (arrays.c). The first dimension counts samples.
#pragma once
#include "data/dataset.h"

typedef enum NnrtArrayKind { NNRT_ARRAY_BYTES, NNRT_ARRAY_WHOLE, NNRT_ARRAY_REAL } NnrtArrayKind;

typedef struct NnrtArray {
  char name[512]; // for messages: digits.npz: array `x`
  NnrtArrayKind kind;
  int rank; // with the dimension of the samples, at least 1
  int64_t dim[NNRT_MAX_RANK + 1];
  int64_t rows, width; // dim[0] and the product of the others
  void *file;
  // The next `count` rows, as uint8_t where the kind is BYTES, else as double.
  bool (*read)(struct NnrtArray *array, int64_t count, void *to, NnrtError *error);
  void (*close)(struct NnrtArray *array); // of an array that was opened, even if only in part
} NnrtArray;

// Sets rows and width. False with a message if the shape cannot be that of samples, or has more elements than `most`.
bool nnrt_array_shape(NnrtArray *array, int64_t most, NnrtError *error);

enum { NNRT_X, NNRT_Y, NNRT_TEST_X, NNRT_TEST_Y, NNRT_ARRAYS };
// Samples from up to four arrays (rank 0: not there), of which x is. Whole numbers, one a sample, are classes; of two
// dimensions or more a sample they are maps of classes; other y are targets.
bool nnrt_arrays_take(NnrtDataset *set, NnrtArray arrays[NNRT_ARRAYS], NnrtError *error);
// Whether `args`, the arguments x, y, test_x and test_y, go together.
bool nnrt_arrays_check(NnrtOpening *opening, const NnrtArg *const *args);
// Rows to predict on: x, held against the shape and type of the model's.
bool nnrt_array_like(const NnrtDataset *model, NnrtDataset *set, NnrtArray *x, NnrtError *error);

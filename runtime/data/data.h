// Data sets: a source, transforms, three parts. Samples stay in the type they were read in; a batch is converted as it
// is filled, so that a set of bytes never becomes a set of floats.
#pragma once
#include "error.h"
#include "nnrt.h"

typedef enum NnrtPartKind { NNRT_PART_TRAIN, NNRT_PART_VAL, NNRT_PART_TEST } NnrtPartKind;

typedef struct NnrtDataset NnrtDataset;

typedef enum NnrtDepth {
  NNRT_DATA_CHECK,  // names and arguments of the calls only; no file is opened, shapes are unknown
  NNRT_DATA_SHAPES, // as little of the files as shapes, types, class names and counts need
  NNRT_DATA_FULL
} NnrtDepth;

// NULL on failure, with *error filled; error->line and column name the call or argument at fault.
NnrtDataset *nnrt_data_open(const NnrtData *data, NnrtDepth depth, NnrtError *error);
void nnrt_data_close(NnrtDataset *data);

// One sample's parts: input x and, where there is one, target y (rank -1: none). Dimensions without the batch.
typedef struct NnrtSampleInfo {
  NnrtValue x, y;
  int token_count;                // 0: x is not tokens
  int class_count;                // 0: y is not a class
  const char *const *class_names; // NULL: classes are the numbers 0 … class_count-1
  int64_t count[3];               // samples in each part; -1: unknown at this depth
} NnrtSampleInfo;
const NnrtSampleInfo *nnrt_data_info(const NnrtDataset *data);

// The order of a part's samples in one epoch: a permutation of 0 … count-1 that depends on seed and epoch only
// (Fisher-Yates with Philox), after `bucket` on the batch's size too. Identity for val and test, and after `shuffle(false)`.
void nnrt_data_order(const NnrtDataset *data, NnrtPartKind part, int64_t seed, int64_t epoch, int64_t batch,
                     int64_t *order);

// How a part's samples come into batches. Training samples are augmented, each by draws that depend on seed, epoch and
// the sample alone. `scratch` has nnrt_data_scratch bytes, for one fill at a time.
typedef struct NnrtFill {
  NnrtPartKind part;
  bool training;
  int64_t seed, epoch;
  void *scratch;
} NnrtFill;
int64_t nnrt_data_scratch(const NnrtDataset *data); // 0: none is needed
// Whether filling takes more than copying: files are decoded, or images changed.
bool nnrt_data_works(const NnrtDataset *data);

// Copies samples order[0 … count-1] of a part to x and y (NULL: not wanted), decoded, augmented, scaled, standardised.
// False with a message if a file cannot be read; no other set can fail. Only the decoding of files allocates.
bool nnrt_data_fill(const NnrtDataset *data, const NnrtFill *fill, const int64_t *order, int64_t count, void *x,
                    void *y, NnrtError *error);
// The same without augmentation, with scratch memory of its own. False also if there is none.
bool nnrt_data_batch(const NnrtDataset *data, NnrtPartKind part, const int64_t *order, int64_t count, void *x, void *y);

// The file that sample `i` of the test part is, for sets of image files to predict on; else NULL.
const char *nnrt_data_file_name(const NnrtDataset *data, int64_t i);
// How bytes came into x: (byte - center) * scale. Left as they are where elements differ, or x was never bytes.
void nnrt_data_byte_scale(const NnrtDataset *data, double *center, double *scale);
// Its height and width, from the file's header.
bool nnrt_data_file_size(const NnrtDataset *data, int64_t i, int64_t *height, int64_t *width, NnrtError *error);
// Element `i` of a result of so many `elements`, in the file's own units if it is like y, and y was scaled; else as it is.
double nnrt_data_unscale(const NnrtDataset *data, int64_t elements, int64_t i, double value);
// How many classes the boxes of a set have, and their names; 0: it has no boxes.
int nnrt_data_box_classes(const NnrtDataset *data, const char *const **names);
// From a place in x, as parts of its height and width, to the same of the image as read: they differ after `crop`.
void nnrt_data_uncrop(const NnrtDataset *data, double *y, double *x);
bool nnrt_is_folder(const char *path);

// For predict: another file in the same format (same columns but for label or target, which may be missing or
// anything), coded and scaled as the training data was. It has no y. Its samples are the part NNRT_PART_TEST. Needs
// `data` opened at FULL depth.
NnrtDataset *nnrt_data_open_like(const NnrtDataset *data, const char *path, NnrtError *error);

// For plots: what a CSV file holds of the columns that the targets of a set are, and how the samples of a series lie in
// it.
typedef struct NnrtTruth {
  int columns;
  const char *const *names; // of the columns; those of `data`
  int64_t rows;             // of the file
  const float *values;      // [rows, columns], as in the file, NaN where missing; NULL: the file has not all of them
  const char (*dates)[17];  // of each row, cut to 2024-01-31 12:00, if the first column begins with one; else NULL
  int64_t window, horizon;  // of a series; window 0: rows are samples of their own
  int64_t begin[3];         // the row at which each part begins, if it is the file of the series itself; else -1
  NnrtDataset *memory;
} NnrtTruth;
// How many columns those are; 0: the targets are no columns of numbers, or of no CSV file.
int nnrt_data_target_columns(const NnrtDataset *data);
// False with a message: the file cannot be read. `data` outlives the truth, which is freed in either case.
bool nnrt_data_truth(const NnrtDataset *data, const char *path, NnrtTruth *truth, NnrtError *error);
void nnrt_truth_free(NnrtTruth *truth);

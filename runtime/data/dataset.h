// Inside the data room: what the sources (csv, idx, toys, values) fill, the transforms change, and batches are copied
// from.
#pragma once
#include <stddef.h>

#include "data/data.h"

typedef struct NnrtCsv NnrtCsv;               // columns and codings of a CSV file: csv.h
typedef struct NnrtImageFiles NnrtImageFiles; // images that lie in files: images.h
typedef struct NnrtOpening NnrtOpening;       // a set being opened: below
typedef struct NnrtAugment NnrtAugment;       // changes of training images: augment.h
typedef struct NnrtTokens NnrtTokens;         // text as numbers: tokens.h
typedef struct NnrtSequence NnrtSequence;     // samples that are windows of one sequence: sequence.h

// A step of the values' way from file to batch, in the order written.
typedef struct NnrtValueStep {
  bool standardize;
  double by; // else: multiply
} NnrtValueStep;

typedef enum NnrtMissing { NNRT_MISSING_ERROR, NNRT_MISSING_MEAN, NNRT_MISSING_ZERO, NNRT_MISSING_DROP } NnrtMissing;

// Rows are the samples in the order read. Sample i of a part is row part[kind][i]. Everything hangs in `blocks`. An
// element v of x reaches the batch as (v - center) * scale, in float: floats are stored so, bytes are converted on the
// way.
struct NnrtDataset {
  NnrtSampleInfo info;
  NnrtDepth depth;
  bool known;                         // shapes and counts are known
  int64_t rows, width;                // samples read; elements of one x as read
  NnrtValue image;                    // x as read, before the transforms; rank -1: not known
  int64_t x_step, y_step;             // elements from one row's x (target) to the next one's; windows overlap
  uint8_t *bytes;                     // x as read from bytes
  float *floats;                      // x otherwise; NaN marks a missing value until nnrt_data_finish
  const NnrtImageFiles *files;        // x, if neither is there: bytes still to be decoded
  int64_t *classes;                   // y of each row, or NULL
  float *targets;                     // y of each row, target_width elements, or NULL
  int32_t *ids, *target_ids;          // x, and y of target_width, where they are tokens; or NULL
  NnrtTokens *tokens, *target_tokens; // what they stand for
  bool has_lengths;                   // of texts, which have ids of their own and then padding
  int64_t *lengths;                   // ids of each training sample, x and y together, once they are bucketed; or NULL
  char *raw;                          // a file's text until `finish`
  uint8_t *maps;                      // y of each row: the class of each of map_width places, or NULL
  int64_t map_width;
  int64_t target_width;
  int box_classes; // of a source whose targets are grids of boxes, though it has no files; else 0
  const char *const *box_names;
  bool one_hot, in_order;
  int64_t pool; // batches that are sorted by length together; 0: none are
  int64_t *part[3];
  NnrtValueStep *steps;
  int step_count;
  NnrtAugment *augment; // NULL: none
  NnrtMissing missing;
  NnrtSequence *sequence;    // NULL: rows are samples of their own
  bool *coded;               // elements of one-hot columns, which are neither scaled nor standardised; NULL: none
  float *fill;               // for missing values, before scaling; NULL: zero
  float *center, *scale;     // NULL: values as they are
  bool uniform;              // all elements have the same center and scale
  float *y_center, *y_scale; // of targets that are scaled too, for each of their y_step columns; NULL: they are not
  const NnrtCsv *csv;        // of `csv`; of a series the columns of y alone; NULL: another source
  // Reads rows to predict on from another file of the source's format; NULL: a CSV of numbers.
  bool (*like)(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error);
  const void *source; // what `like` needs to know of the source, or NULL
  // What the source does once all transforms are known, at the depths that open files; NULL: nothing.
  bool (*finish)(NnrtOpening *opening, NnrtDataset *set);
  const char *const *transforms; // names of those it can be taken through, NULL at the end; NULL: any
  struct NnrtBlock *blocks;
};

// Memory that lives as long as the set, zeroed. NULL if there is none.
void *nnrt_data_alloc(NnrtDataset *set, int64_t count, size_t size);
char *nnrt_data_text(NnrtDataset *set, const char *text, size_t length);
char **nnrt_data_texts(NnrtDataset *set, char *const *texts, int64_t count); // copies

// ---- a set being opened
struct NnrtOpening {
  const NnrtData *data;
  const NnrtDataCall *call; // the one being applied
  NnrtDepth depth;
  NnrtError *error;
};

enum { NNRT_MAX_PARAMS = 12 };
typedef enum NnrtTakes {
  NNRT_TAKES_INT = 1,
  NNRT_TAKES_REAL = 2, // whole numbers too
  NNRT_TAKES_BOOL = 4,
  NNRT_TAKES_STR = 8,
  NNRT_TAKES_STRS = 16, // a list of strings
  NNRT_TAKES_LIST = 32
} NnrtTakes;

typedef struct NnrtParam {
  const char *name; // NULL ends a table
  unsigned takes;
  bool named; // cannot be given by position
  bool required;
} NnrtParam;

// A source or transform. `args` holds the argument of each parameter, NULL where left out; with no parameter table
// the function reads call->args itself.
typedef struct NnrtStage {
  const char *name;
  const NnrtParam *params;
  bool (*apply)(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
} NnrtStage;

extern const NnrtStage nnrt_source_stages[], nnrt_transform_stages[]; // end in a NULL name
bool nnrt_csv_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_idx_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_values_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_toy_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_shapes_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_scattered_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_npy_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_npz_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_hdf5_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_cifar_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_images_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_texts_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_pairs_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_text_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
bool nnrt_series_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args);
extern const NnrtParam nnrt_csv_params[], nnrt_idx_params[], nnrt_values_params[], nnrt_toy_params[], nnrt_npy_params[],
    nnrt_shapes_params[], nnrt_scattered_params[], nnrt_npz_params[], nnrt_hdf5_params[], nnrt_cifar_params[],
    nnrt_images_params[], nnrt_series_params[], nnrt_text_params[], nnrt_texts_params[], nnrt_pairs_params[];

// Arguments of the call in their places, checked for names and kinds.
bool nnrt_bind(NnrtOpening *opening, const NnrtParam *params, const NnrtArg *args[NNRT_MAX_PARAMS]);
// An error in the declaration, at an argument or (NULL) at the call. False, always.
bool nnrt_fail_at(const NnrtOpening *opening, const NnrtArg *arg, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool nnrt_fail_memory(const NnrtOpening *opening);
// Gives an error of a file's contents the place of the argument that names it. False, always.
bool nnrt_fail_from(const NnrtOpening *opening, const NnrtArg *arg);
// "; did you mean `x`?" or "". `room` is the caller's.
const char *nnrt_mean_hint(char room[96], const char *name, const char *const *candidates, int count);

// ---- what sources tell about a sample
void nnrt_set_x(NnrtDataset *set, int rank, const int64_t *dim);
// What a transform makes of it.
void nnrt_reshape_x(NnrtDataset *set, int rank, const int64_t *dim);
int64_t nnrt_value_elements(const NnrtValue *value); // without a batch dimension
void nnrt_set_y_class(NnrtDataset *set, int64_t class_count, const char *const *names);
void nnrt_set_y_target(NnrtDataset *set, int64_t width);
void nnrt_set_y_map(NnrtDataset *set, int rank, const int64_t *dim, int64_t class_count);
// x is token numbers of that shape; y is, of `width` tokens, whose number the classes are.
void nnrt_set_x_ids(NnrtDataset *set, int64_t width);
void nnrt_set_y_ids(NnrtDataset *set, int64_t width);
// The part `kind` is the `count` rows from `first` on.
bool nnrt_set_part(NnrtDataset *set, NnrtPartKind kind, int64_t first, int64_t count);
// x of a row: where it is stored as bytes or floats, or, decoded from its file, in `room`, with its map in `map` (NULL:
// not wanted). NULL after an error. Just one of the two is set.
typedef struct NnrtRow {
  const uint8_t *bytes;
  const float *floats;
} NnrtRow;
bool nnrt_data_row(const NnrtDataset *set, int64_t row, uint8_t *room, uint8_t *map, NnrtRow *x, NnrtError *error);
// Fills missing values, learns what the steps ask for from the training rows, and applies it to the stored values.
bool nnrt_data_finish(NnrtDataset *set, NnrtError *error);
void nnrt_data_apply(NnrtDataset *set); // the last of these alone, with what was learnt
// What the steps make of an element with this mean and variance over the training rows.
void nnrt_compose(const NnrtDataset *set, double mean, double variance, float *center, float *scale);

// ---- files (file.c)
typedef struct NnrtFile NnrtFile; // plain or gzip
// NULL on failure, with `why` filled (no path in it).
NnrtFile *nnrt_file_open(const char *path, char why[160]);
void nnrt_file_close(NnrtFile *file);
// No more than this many bytes can come out of it: its size, or what its compressed bytes can expand to.
int64_t nnrt_file_limit(const NnrtFile *file);
// Bytes read, fewer at the end of the file; -1 with `why` filled.
int64_t nnrt_file_read(NnrtFile *file, void *to, int64_t count, char why[160]);
// The whole file and a NUL after it; the caller frees it.
char *nnrt_file_all(const char *path, size_t *length, char why[160]);
// The path that an argument says, as it is located (paths.h), once the file is seen to be readable; NULL after an error
// at the argument.
char *nnrt_data_file(const NnrtOpening *opening, const NnrtArg *arg);

// For predict: rows of another file in the set's format.
bool nnrt_csv_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error);
bool nnrt_images_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error);

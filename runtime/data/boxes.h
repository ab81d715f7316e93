// Boxes around the objects of images, from a CSV file, as targets on a grid in the manner of YOLO ("You only look
// once", Redmon et al., 2016): the cell in which the middle of a box lies answers for it.
#pragma once
#include "data/augment.h"
#include "data/images.h"

typedef struct NnrtBox {
  int64_t row, line; // the image; where the CSV file says it
  int class;
  float left, top, right, bottom; // pixels of the file's image, then, once its size is known, parts of it
} NnrtBox;

typedef struct NnrtBoxes {
  int64_t rows, columns; // of the grid
  int64_t *first;        // boxes of image r are first[r] … first[r + 1] - 1
  NnrtBox *boxes;
  const char *path;
  int class_count;
  const char *const *class_names;
} NnrtBoxes;

// Reads the file, whose lines name images as they are seen from the folder (paths behind `prefix` characters), and
// tells the set of its target: [rows, columns, 5 + classes].
bool nnrt_boxes_read(NnrtDataset *set, const char *path, size_t prefix, NnrtBoxes *boxes, NnrtError *error);
// The size of image `row` as it lies in its file.
bool nnrt_boxes_scale(const NnrtBoxes *boxes, int64_t row, const char *image, int64_t height, int64_t width,
                      NnrtError *error);
// The target of image `row`, moved by `places` (NULL: not moved) as its pixels are: x and y of the middle in its cell,
// width and height as parts of the image, 1, and 1 at the class. What is moved out of sight by more than three quarters is
// left out; of two in a cell the larger one stays.
void nnrt_boxes_fill(const NnrtBoxes *boxes, int64_t row, const NnrtAugment *augment, const NnrtPlaces *places,
                     float *y);

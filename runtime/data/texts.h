// Texts that are samples of their own: the sources `texts` and `pairs` (texts.c), and how their rows are read from a CSV
// file (texts_csv.c).
#pragma once
#include "data/csv.h"
#include "data/text.h"

typedef struct NnrtTextColumn {
  const char *name;
  NnrtTextCoding coding;
  int64_t length; // ids of a sample
} NnrtTextColumn;

typedef struct NnrtTexts {
  NnrtTextColumn column[2]; // x, and of `pairs` y
  int count;                // of columns
  const char *label;        // the column of the class; NULL: there is none
  char separator;
  bool header;
  size_t *at; // where each text begins in the set's `raw`: those of a row one after the other; then the end
} NnrtTexts;

// Reads the rows of a CSV file: the set's rows and `raw`, texts->at, and, of a label, the set's classes.
bool nnrt_texts_read_csv(NnrtDataset *set, NnrtTexts *texts, const char *path, NnrtError *error);

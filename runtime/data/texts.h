// Texts that are samples of their own: the sources `texts` and `pairs` (texts.c), and how their rows are read from a CSV
// file (texts_csv.c) or from files (texts_folder.c).
#pragma once
#include "data/csv.h"
#include "data/text.h"

typedef struct NnrtTextColumn {
  const char *name; // of the CSV file's column; NULL: texts are files
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
// The same from the texts of a folder, with the parts and the classes that its folders say.
bool nnrt_texts_read_folder(NnrtDataset *set, NnrtTexts *texts, const char *path, NnrtError *error);
// And, to predict on, from all of a folder without classes, or from the one file that `path` is.
bool nnrt_texts_are_files(const char *path);
bool nnrt_texts_read_files(NnrtDataset *set, NnrtTexts *texts, const char *path, NnrtError *error);

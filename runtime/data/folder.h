// Samples that are files in folders, a folder a class (folder.c).
#pragma once
#include "data/dataset.h"

typedef struct NnrtFileKind {
  bool (*named)(const char *path); // as these files are
  const char *plural, *endings;    // "images", ".png, .jpg, .jpeg"
} NnrtFileKind;

// Samples of all parts, in the order of the parts, in each by class and name. Begins with its kind alone.
typedef struct NnrtFolder {
  const NnrtFileKind *kind;
  int64_t count, room, part[3];
  char **paths;
  int64_t *classes; // -1: they stand in the folder itself
  char **masks;     // NULL: none
  int class_count;
  char **class_names;
} NnrtFolder;

// Reads the folder, and that of masks (NULL: none); `flat`: folders within are no classes, as with masks. With a folder
// `train`, and perhaps `val` and `test`, these are the parts; else all is for training. Classes are the folders within,
// by their names' bytes.
bool nnrt_folder_list(const char *folder, const char *masks, bool flat, NnrtFolder *list, NnrtError *error);
// The samples of a folder without classes, or the one that `path` is.
bool nnrt_folder_list_flat(const char *path, NnrtFolder *list, NnrtError *error);
// The set's rows are the samples: parts, classes and their names. False: no memory.
bool nnrt_folder_keep(const NnrtFolder *list, NnrtDataset *set);
void nnrt_folder_free(NnrtFolder *list);

// The `images` source: which files there are (images_list.c) and what is made of them (images.c).
#pragma once
#include "data/image.h"

// Images of all parts, in the order of the parts, in each by class and name.
typedef struct NnrtImageList {
  int64_t count, room, part[3];
  char **paths;
  int64_t *classes; // -1: images stand in the folder itself
  char **masks;     // NULL: none
  int class_count;
  char **class_names;
} NnrtImageList;

// Reads the folder, and that of masks (NULL: none); `flat`: folders within are no classes, as with masks. With a folder
// `train`, and perhaps `val` and `test`, these are the parts; else all is for training. Classes are the folders within,
// by their names' bytes.
bool nnrt_images_list(const char *folder, const char *masks, bool flat, NnrtImageList *list, NnrtError *error);
// The images of a folder without classes, or the one image that `path` is.
bool nnrt_images_list_flat(const char *path, NnrtImageList *list, NnrtError *error);
void nnrt_images_list_free(NnrtImageList *list);

// Files that are decoded when a batch needs them. Row r of the set is paths[r].
struct NnrtImageFiles {
  NnrtImageShape shape;
  bool resize;
  char **paths, **masks;   // masks NULL: none
  int64_t classes;         // of masks
  struct NnrtBoxes *boxes; // of objects; NULL: none
};

// Decodes row `row`: pixels, and its mask where `map` is wanted.
bool nnrt_images_load(const NnrtImageFiles *files, int64_t row, uint8_t *pixels, uint8_t *map, NnrtError *error);

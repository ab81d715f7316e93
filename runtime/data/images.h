// The `images` source: which files there are (folder.c) and what is made of them (images.c).
#pragma once
#include "data/folder.h"
#include "data/image.h"

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

// What a file of tensors and a module do not have in common, told line by line: the first few of each kind, then how many
// more there are, since a file of another model differs in every line.
#pragma once
#include "tensor_file.h"

typedef struct NnrtDifferences {
  const char *path, *module;
  FILE *out;
  int missing, wrong, unexpected;
} NnrtDifferences;

// With the name of the file that could be meant.
void nnrt_differ_missing(NnrtDifferences *found, const NnrtTensor *tensor, const NnrtTensorFile *file);
// `remark`: what to do about it, or "".
void nnrt_differ_shape(NnrtDifferences *found, const NnrtTensor *tensor, const NnrtTensorEntry *entry,
                       const char *remark);
void nnrt_differ_unexpected(NnrtDifferences *found, const NnrtTensorEntry *entry);
// Tells how many were not told.
void nnrt_differ_end(const NnrtDifferences *found);
// Fails with the counts.
bool nnrt_differ_fail(const NnrtDifferences *found, NnrtError *error);

// A safetensors file opened for reading: its tensors by name, types and shapes checked.
#pragma once
#include <jansson.h>

#include "state.h"

typedef struct NnrtTensorEntry {
  const char *name, *dtype; // dtype as the file says it: F32, BF16
  const char *here;         // the name it is looked for by; the same, unless a reader changes it
  NnrtType type;
  bool known; // its type is one of ours
  int rank;
  int64_t dim[NNRT_MAX_RANK];
  int64_t begin, end; // from the end of the header
  bool slot;          // an optimizer's: those carry the name of a parameter that is in the file, and more
  bool used;          // the reader's own mark
} NnrtTensorEntry;

typedef struct NnrtTensorFile {
  const char *path;
  int handle;
  int64_t size, data; // of the file; where tensors begin
  json_t *header, *metadata;
  int count;
  NnrtTensorEntry *entries; // by `here`
  NnrtError *error;
} NnrtTensorFile;

// `path` and `error` must live as long as the file is open. To be closed even if this fails.
bool nnrt_tensors_open(NnrtTensorFile *file, const char *path, NnrtError *error);
void nnrt_tensors_close(NnrtTensorFile *file);

// Puts the entries in order again after `here` has changed. Fails if two have one name.
bool nnrt_tensors_sort(NnrtTensorFile *file);

NnrtTensorEntry *nnrt_tensor_find(const NnrtTensorFile *file, const char *name); // NULL: there is none
// All its bytes, dense.
bool nnrt_tensor_read(const NnrtTensorFile *file, const NnrtTensorEntry *entry, void *data);
const char *nnrt_tensor_text(char text[NNRT_SHAPE_TEXT], const NnrtTensorEntry *entry); // f32[2, 3]
// The file's name for a tensor that is not used, whose name here is near to `name` or the same behind the model's; NULL:
// none.
const char *nnrt_tensor_near(const NnrtTensorFile *file, const char *name);

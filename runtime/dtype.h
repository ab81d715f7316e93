// Element types as safetensors names them, and the size of a tensor in a file: dense, whatever room it has in the
// state.
#pragma once
#include <string.h>

#include "state.h"

static inline const char *nnrt_dtype_name(NnrtType type) {
  static const char *const names[] = {[NNRT_F32] = "F32", [NNRT_F64] = "F64", [NNRT_I32] = "I32",
                                      [NNRT_I64] = "I64", [NNRT_U8] = "U8",   [NNRT_BOOL] = "BOOL"};
  return names[type];
}

// False: a type of safetensors that no module has.
static inline bool nnrt_dtype_find(const char *name, NnrtType *type) {
  for (NnrtType i = NNRT_F32; i <= NNRT_BOOL; i++)
    if (strcmp(name, nnrt_dtype_name(i)) == 0) {
      *type = i;
      return true;
    }
  return false;
}

// Bytes of an element, also of the types that are only read; 0: unknown.
static inline int64_t nnrt_dtype_bytes(const char *name) {
  NnrtType type;
  return nnrt_dtype_find(name, &type) ? nnrt_type_bytes(type)
                                      : 2 * (strcmp(name, "F16") == 0 || strcmp(name, "BF16") == 0);
}

static inline bool nnrt_dtype_is_real(const char *name) {
  return strcmp(name, "F32") == 0 || strcmp(name, "F64") == 0 || strcmp(name, "F16") == 0 || strcmp(name, "BF16") == 0;
}

static inline int64_t nnrt_tensor_bytes(const NnrtTensor *tensor) {
  return nnrt_elements(tensor->rank, tensor->dim) * nnrt_type_bytes(tensor->type);
}

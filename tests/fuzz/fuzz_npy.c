// libFuzzer entry for the readers of NumPy's files: the first byte says how much of the input is the file of y, 255
// that all of it is an NPZ archive with x, and y if it has one.
#include "fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size < 1 || size > 1 << 14)
    return 0;
  bool archive = bytes[0] == 255;
  size_t second = archive ? 0 : bytes[0] < size ? bytes[0] : size - 1, first = size - 1 - second;
  const char *x = fuzz_file("x", bytes + 1, first), *y = fuzz_file("y", bytes + 1 + first, second);
  NnrtArg args[2] = {ARG(NULL, NNRT_ARG_STR, .text = x), ARG(NULL, NNRT_ARG_STR, .text = y)};
  NnrtDataCall calls[2] = {{.name = archive ? "npz" : "npy", .arg_count = second ? 2 : 1, .args = args},
                           {.name = "standardize"}};
  fuzz_open(&(NnrtData){.name = "d", .file = "f.nn", .call_count = 2, .calls = calls}, x);
  return 0;
}

// libFuzzer entry for the reader of CIFAR: the first byte chooses CIFAR-10 or CIFAR-100, plain or compressed; the rest
// is the training file, with zeros behind it to make whole records.
#include "fuzz_data.h"

enum { RECORD = 3072 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size < 1 || size > 1 << 14)
    return 0;
  bool ten = bytes[0] & 1;
  size_t record = RECORD + (ten ? 1 : 2), length = bytes[0] & 2 ? size - 1 : (size - 1 + record) / record * record;
  uint8_t *whole = calloc(1, length + 1);
  memcpy(whole, bytes + 1, size - 1);
  const char *path = fuzz_file(ten ? "data_batch_1.bin" : "train.bin", whole, length);
  free(whole);
  NnrtArg arg = ARG(NULL, NNRT_ARG_STR, .text = fuzz_folder());
  NnrtDataCall call = {.name = ten ? "cifar10" : "cifar100", .arg_count = 1, .args = &arg};
  fuzz_open(&(NnrtData){.name = "d", .file = "f.nn", .call_count = 1, .calls = &call}, path);
  return 0;
}

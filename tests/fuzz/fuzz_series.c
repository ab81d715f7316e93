// libFuzzer entry for the windows of a time series: the first two bytes choose window, horizon, stride, parts and scales;
// the rest is the file.
#include "fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size < 2 || size > 1 << 15)
    return 0;
  unsigned a = bytes[0], b = bytes[1];
  const char *path = fuzz_file("series.csv", bytes + 2, size - 2);
  NnrtArg args[7] = {ARG(NULL, NNRT_ARG_STR, .text = path), ARG("window", NNRT_ARG_INT, .integer = 1 + (a & 7)),
                     ARG("horizon", NNRT_ARG_INT, .integer = 1 + (a >> 3 & 3)),
                     ARG("stride", NNRT_ARG_INT, .integer = 1 + (a >> 5 & 3)),
                     ARG("history", NNRT_ARG_BOOL, .integer = b & 1)};
  int count = 5;
  if (a & 128)
    args[count++] = ARG("header", NNRT_ARG_BOOL, .integer = 0);
  if (b & 2)
    args[count++] = ARG("target", NNRT_ARG_STR, .text = a & 128 ? "0" : "y");
  NnrtArg split[2] = {ARG("val", NNRT_ARG_REAL, .real = 0.25), ARG("test", NNRT_ARG_INT, .integer = 2, .real = 2)};
  NnrtDataCall calls[3] = {{.name = "series", .arg_count = count, .args = args}};
  int used = 1;
  if (b & 4)
    calls[used++] = (NnrtDataCall){.name = "split", .arg_count = 2, .args = split};
  if (b & 8)
    calls[used++] = (NnrtDataCall){.name = "standardize"};
  fuzz_open(&(NnrtData){.name = "d", .file = "f.nn", .call_count = used, .calls = calls}, path);
  return 0;
}

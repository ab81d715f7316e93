// libFuzzer entry for texts with classes and for pairs: the first two bytes choose source, tokens, their number and
// lengths; the rest is the CSV file.
#include "fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char *const kinds[] = {"bytes", "chars", "words", "bpe"};
  if (size < 2 || size > 1 << 15)
    return 0;
  unsigned a = bytes[0], b = bytes[1], kind = a & 3;
  bool pairs = a & 4, header = !(a & 8);
  const char *path = fuzz_file("texts.csv", bytes + 2, size - 2), *x = header ? "a" : "0", *y = header ? "b" : "1";
  NnrtArg args[8] = {ARG(NULL, NNRT_ARG_STR, .text = path),
                     ARG("as", NNRT_ARG_STR, .text = kinds[kind]),
                     ARG("length", NNRT_ARG_INT, .integer = 3 + (a >> 5)),
                     ARG(pairs ? "source" : "text", NNRT_ARG_STR, .text = x),
                     ARG("header", NNRT_ARG_BOOL, .integer = header),
                     ARG("lower", NNRT_ARG_BOOL, .integer = a >> 4 & 1)};
  int count = 6;
  if (pairs || b & 2)
    args[count++] = ARG(pairs ? "target" : "label", NNRT_ARG_STR, .text = y);
  if (kind == 3 || (kind && b & 1))
    args[count++] = ARG("vocabulary", NNRT_ARG_INT, .integer = (kind == 3 ? 260 : 5) + (b >> 3));
  NnrtArg test = ARG("test", NNRT_ARG_REAL, .real = 0.4);
  NnrtDataCall calls[2] = {{.name = pairs ? "pairs" : "texts", .arg_count = count, .args = args},
                           {.name = "split", .arg_count = 1, .args = &test}};
  fuzz_open(&(NnrtData){.name = "d", .file = "f.nn", .call_count = b & 4 ? 2 : 1, .calls = calls}, path);
  return 0;
}

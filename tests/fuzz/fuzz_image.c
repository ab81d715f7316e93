// libFuzzer entry for image files: the first byte says grey or rgb, resized or not, with a mask or not, decoded at once
// or late; the rest is the image, and its mask too.
#include "fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size < 1 || size > 1 << 14)
    return 0;
  unsigned options = bytes[0];
  char images[96], masks[96];
  snprintf(images, sizeof images, "%s/images", fuzz_folder());
  snprintf(masks, sizeof masks, "%s/masks", fuzz_folder());
  mkdir(images, 0700);
  mkdir(masks, 0700);
  const char *path = fuzz_file("images/a.png", bytes + 1, size - 1);
  fuzz_file("masks/a.png", bytes + 1, size - 1);
  NnrtArg args[5] = {ARG(NULL, NNRT_ARG_STR, .text = images),
                     ARG("color", NNRT_ARG_STR, .text = options & 1 ? "grey" : "rgb"),
                     ARG("in_memory", NNRT_ARG_BOOL, .integer = (options >> 1) & 1)};
  int count = 3;
  if (options & (4 | 16)) // what is turned has a size that floats have room for
    args[count++] = ARG("size", NNRT_ARG_INT, .integer = 7, .real = 7);
  if (options & 8)
    args[count++] = ARG("masks", NNRT_ARG_STR, .text = masks);
  NnrtArg degrees = ARG(NULL, NNRT_ARG_INT, .integer = 30, .real = 30);
  NnrtDataCall calls[3] = {{.name = "images", .arg_count = count, .args = args},
                           {.name = "rotate", .arg_count = 1, .args = &degrees},
                           {.name = "flip"}};
  fuzz_open(&(NnrtData){.name = "d", .file = "f.nn", .call_count = options & 16 ? 3 : 1, .calls = calls}, path);
  return 0;
}

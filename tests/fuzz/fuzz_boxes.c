// libFuzzer entry for boxes: the first byte is the grid and whether boxes are moved, the rest the CSV file beside two
// images.
#include "fuzz_data.h"
#include "image/codec.h"

static void write_image(const char *folder, const char *name) {
  static const uint8_t pixels[10 * 20];
  char path[128], why[160];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  assert(file && nnrt_codec.write_png(file, pixels, 10, 20, 1, why));
  fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static char folder[96];
  if (size < 1 || size > 1 << 12)
    return 0;
  if (!*folder) {
    snprintf(folder, sizeof folder, "%s/images", fuzz_folder());
    mkdir(folder, 0700);
    write_image(folder, "a.png");
    write_image(folder, "b.png");
  }
  const char *path = fuzz_file("boxes.csv", bytes + 1, size - 1);
  NnrtArg args[4] = {ARG(NULL, NNRT_ARG_STR, .text = folder), ARG("color", NNRT_ARG_STR, .text = "grey"),
                     ARG("boxes", NNRT_ARG_STR, .text = path),
                     ARG("grid", NNRT_ARG_INT, .integer = 1 + (bytes[0] & 7))};
  NnrtArg degrees = ARG(NULL, NNRT_ARG_INT, .integer = 30, .real = 30);
  NnrtDataCall calls[3] = {{.name = "images", .arg_count = 4, .args = args},
                           {.name = "rotate", .arg_count = 1, .args = &degrees},
                           {.name = "flip"}};
  fuzz_open(&(NnrtData){.name = "d", .file = "f.nn", .call_count = bytes[0] & 8 ? 3 : 1, .calls = calls}, folder);
  return 0;
}

// Files taken into the binary by the assembler's .incbin; CMake names them.
#include "session/embedded.h"

#include <stdint.h>

#define EMBED(symbol, path)                                                                                            \
  __asm__(".section .rodata\n.balign 64\n" #symbol "_begin:\n.incbin \"" path "\"\n" #symbol                           \
          "_end:\n.byte 0\n.previous\n");                                                                              \
  extern const unsigned char symbol##_begin[] __asm__(#symbol "_begin");                                               \
  extern const unsigned char symbol##_end[] __asm__(#symbol "_end")

EMBED(nnc_prelude, NNC_PRELUDE);
EMBED(nnc_contract, NNC_CONTRACT);
EMBED(nnc_runtime, NNC_RUNTIME);
EMBED(nnc_jansson, NNC_JANSSON);
EMBED(nnc_image, NNC_IMAGE);
EMBED(nnc_png, NNC_PNG);
EMBED(nnc_jpeg, NNC_JPEG);

const Source *embedded_prelude(Arena *arena) {
  return source_from_string(arena, "prelude.nn", (const char *)nnc_prelude_begin);
}

static Embedded embedded(const char *name, const unsigned char *begin, const unsigned char *end) {
  return (Embedded){.name = name, .data = begin, .bytes = (size_t)((uintptr_t)end - (uintptr_t)begin)};
}

Embedded embedded_contract(void) {
  return embedded("nnrt.h", nnc_contract_begin, nnc_contract_end);
}
Embedded embedded_runtime(void) {
  return embedded("libnnrt.a", nnc_runtime_begin, nnc_runtime_end);
}
Embedded embedded_json(void) {
  return embedded("libjansson.a", nnc_jansson_begin, nnc_jansson_end);
}
Embedded embedded_image(void) {
  return embedded("libnnimage.a", nnc_image_begin, nnc_image_end);
}
Embedded embedded_png(void) {
  return embedded("libpng.a", nnc_png_begin, nnc_png_end);
}
Embedded embedded_jpeg(void) {
  return embedded("libjpeg.a", nnc_jpeg_begin, nnc_jpeg_end);
}

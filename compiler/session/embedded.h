// What rides inside nnc: the prelude, the contract's header and the runtime's archives, so that the binary stands alone.
#pragma once
#include <stddef.h>

#include "base/source.h"

typedef struct Embedded {
  const char *name; // the file's name when it is written out
  const unsigned char *data;
  size_t bytes;
} Embedded;

const Source *embedded_prelude(Arena *arena);
Embedded embedded_contract(void); // nnrt.h
Embedded embedded_runtime(void);  // libnnrt.a
Embedded embedded_json(void);     // libjansson.a
Embedded embedded_image(void);    // libnnimage.a, and the libraries under it
Embedded embedded_png(void);      // libpng.a
Embedded embedded_jpeg(void);     // libjpeg.a

// Image files: PNG and JPEG, decoded to bytes in rows of pixels, channels last; PNG written. Apart from the rest of the
// runtime, in an archive of its own (libnnimage.a with libpng and libjpeg), so that only programs that need images hold
// it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct NnrtImageSize {
  int64_t height, width;
} NnrtImageSize;

typedef struct NnrtImageFormat {
  const char *name;
  // Whether a file that begins with these bytes (8 at least) is of the format.
  bool (*begins)(const uint8_t *bytes);
  // From the beginning of a file. *cut: more of it is needed. All return false with `why` filled (no path in it).
  bool (*size)(const uint8_t *bytes, size_t length, NnrtImageSize *size, bool *cut, char why[160]);
  // The whole image as rgb (channels 3) or grey (1; 0.299 r + 0.587 g + 0.114 b). Transparency is left out.
  // `pixels` has room for height * width * channels, by `size`.
  bool (*decode)(const uint8_t *bytes, size_t length, int channels, uint8_t *pixels, char why[160]);
  // The numbers in the file, grey values or indices of the palette, as they are. NULL: the format has no exact numbers.
  bool (*decode_numbers)(const uint8_t *bytes, size_t length, uint8_t *pixels, char why[160]);
} NnrtImageFormat;

typedef struct NnrtCodec {
  const NnrtImageFormat *formats[3]; // ends in NULL
  bool (*write_png)(FILE *file, const uint8_t *pixels, int64_t height, int64_t width, int channels, char why[160]);
} NnrtCodec;

// NULL (its address) in programs that are linked without the archive.
extern const NnrtCodec nnrt_codec __attribute__((weak));
extern const NnrtImageFormat nnrt_png_format, nnrt_jpeg_format;
bool nnrt_png_write(FILE *file, const uint8_t *pixels, int64_t height, int64_t width, int channels, char why[160]);

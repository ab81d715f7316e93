// One image file as pixels of a wanted size: bytes, rows of pixels, channels last.
#pragma once
#include "data/dataset.h"

enum { NNRT_NUMBERS = 0 }; // instead of 1 or 3 channels: the values in the file, one a pixel (a mask)

typedef struct NnrtImageShape {
  int64_t height, width;
  int channels; // 1: grey, 3: rgb
} NnrtImageShape;

// A file's name ends as one of an image does; its first bytes are those of a format that is read here.
bool nnrt_image_named(const char *path);
bool nnrt_image_begins(const char *path);
// Height and width from the file's header.
bool nnrt_image_size(const char *path, NnrtImageShape *shape, NnrtError *error);
// The image at `shape`, in `pixels`. One of another size is resized if `resize`, else an error. What is given by
// NNRT_NUMBERS is resized to the nearest pixel.
bool nnrt_image_load(const char *path, const NnrtImageShape *shape, bool resize, uint8_t *pixels, NnrtError *error);

// Bilinear, each pixel of the result the mean of those it covers when it gets smaller, as Pillow and PyTorch
// (antialias) do it; pixel centers at halves. False: no memory.
bool nnrt_resize(const uint8_t *in, int64_t height, int64_t width, uint8_t *out, const NnrtImageShape *shape);
// The same to the nearest pixel, for numbers that have no mean.
void nnrt_resize_nearest(const uint8_t *in, int64_t height, int64_t width, uint8_t *out, const NnrtImageShape *shape);

// The formats together: what a program that reads images is linked for.
#include "image/codec.h"

const NnrtCodec nnrt_codec = {.formats = {&nnrt_png_format, &nnrt_jpeg_format}, .write_png = nnrt_png_write};

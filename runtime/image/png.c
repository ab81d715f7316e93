// PNG by libpng. Its errors come by longjmp: what must outlive one lies in a structure, not in local variables.
// Checksums are verified, warnings are not shown.
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "image/codec.h"

typedef struct Reading {
  const uint8_t *bytes;
  size_t length, used;
  bool cut; // more was asked for than there is
  char *why;
  png_structp png;
  png_infop info;
  int passes;     // over an interlaced image
  uint8_t *other; // pixels of another kind than is wanted
} Reading;

static void fail(png_structp png, png_const_charp message) {
  const Reading *reading = png_get_error_ptr(png);
  snprintf(reading->why, 160, "%s", reading->cut ? "the PNG image ends too early" : message);
  png_longjmp(png, 1);
}

static void no_warning(png_structp png, png_const_charp message) {
  (void)png, (void)message;
}

static void take(png_structp png, png_bytep to, size_t count) {
  Reading *reading = png_get_io_ptr(png);
  if (count > reading->length - reading->used) {
    reading->cut = true;
    png_error(png, "cut short");
  }
  memcpy(to, reading->bytes + reading->used, count);
  reading->used += count;
}

static bool begins(const uint8_t *bytes) {
  return png_sig_cmp(bytes, 0, 8) == 0;
}

static bool start(Reading *reading) {
  reading->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reading, fail, no_warning);
  reading->info = reading->png ? png_create_info_struct(reading->png) : NULL;
  if (!reading->info) {
    snprintf(reading->why, 160, "not enough memory");
    return false;
  }
  png_set_read_fn(reading->png, reading, take);
  png_set_user_limits(reading->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); // sizes are judged by who asks for them
  return true;
}

static void end(Reading *reading) {
  free(reading->other);
  if (reading->png)
    png_destroy_read_struct(&reading->png, &reading->info, NULL);
}

// ---- size
static bool read_size(Reading *reading, NnrtImageSize *size) {
  if (setjmp(png_jmpbuf(reading->png)))
    return false;
  png_read_info(reading->png, reading->info);
  size->height = (int64_t)png_get_image_height(reading->png, reading->info);
  size->width = (int64_t)png_get_image_width(reading->png, reading->info);
  return true;
}

static bool png_size(const uint8_t *bytes, size_t length, NnrtImageSize *size, bool *cut, char why[160]) {
  Reading reading = {.bytes = bytes, .length = length, .why = why};
  bool ok = start(&reading) && read_size(&reading, size);
  *cut = reading.cut;
  end(&reading);
  return ok;
}

// ---- pixels
// Eight bits a channel, rgb or grey as the file has it. Transparency is left out.
static void ask_for_colours(png_structp png) {
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_scale_16(png);
  png_set_strip_alpha(png);
}

static void ask_for_numbers(Reading *reading) {
  png_byte type = png_get_color_type(reading->png, reading->info);
  if (((type & PNG_COLOR_MASK_COLOR) && type != PNG_COLOR_TYPE_PALETTE) ||
      png_get_bit_depth(reading->png, reading->info) > 8)
    png_error(reading->png, "it has no grey values or palette indices of 8 bits or less");
  png_set_packing(reading->png);
  png_set_strip_alpha(reading->png);
}

static void read_rows(Reading *reading, uint8_t *pixels) {
  png_structp png = reading->png;
  size_t row = png_get_rowbytes(png, reading->info), height = png_get_image_height(png, reading->info);
  for (int pass = 0; pass < reading->passes; pass++)
    for (size_t i = 0; i < height; i++)
      png_read_row(png, pixels + i * row, NULL);
  png_read_end(png, NULL);
}

// The file has the one kind of pixels, what is wanted is the other.
static void convert(Reading *reading, int channels, uint8_t *pixels) {
  size_t count =
      (size_t)png_get_image_height(reading->png, reading->info) * png_get_image_width(reading->png, reading->info);
  reading->other = malloc(count * (channels == 1 ? 3 : 1));
  if (!reading->other)
    png_error(reading->png, "not enough memory");
  read_rows(reading, reading->other);
  const uint8_t *in = reading->other;
  for (size_t i = 0; i < count; i++)
    if (channels == 1)
      pixels[i] = (uint8_t)((299 * in[3 * i] + 587 * in[3 * i + 1] + 114 * in[3 * i + 2] + 500) / 1000);
    else
      pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = in[i];
}

static bool read_pixels(Reading *reading, int channels, uint8_t *pixels) {
  if (setjmp(png_jmpbuf(reading->png)))
    return false;
  png_read_info(reading->png, reading->info);
  if (channels)
    ask_for_colours(reading->png);
  else
    ask_for_numbers(reading);
  reading->passes = png_set_interlace_handling(reading->png);
  png_read_update_info(reading->png, reading->info);
  if (!channels || channels == png_get_channels(reading->png, reading->info))
    read_rows(reading, pixels);
  else
    convert(reading, channels, pixels);
  return true;
}

static bool decode(const uint8_t *bytes, size_t length, int channels, uint8_t *pixels, char why[160]) {
  Reading reading = {.bytes = bytes, .length = length, .why = why};
  bool ok = start(&reading) && read_pixels(&reading, channels, pixels);
  end(&reading);
  return ok;
}

static bool decode_numbers(const uint8_t *bytes, size_t length, uint8_t *pixels, char why[160]) {
  return decode(bytes, length, 0, pixels, why);
}

const NnrtImageFormat nnrt_png_format = {"PNG", begins, png_size, decode, decode_numbers};

// ---- writing
typedef struct Writing {
  char *why;
  png_structp png;
  png_infop info;
} Writing;

static void fail_to_write(png_structp png, png_const_charp message) {
  const Writing *writing = png_get_error_ptr(png);
  snprintf(writing->why, 160, "%s", message);
  png_longjmp(png, 1);
}

static bool write_rows(Writing *writing, FILE *file, const uint8_t *pixels, int64_t height, int64_t width,
                       int channels) {
  if (setjmp(png_jmpbuf(writing->png)))
    return false;
  png_init_io(writing->png, file);
  png_set_IHDR(writing->png, writing->info, (png_uint_32)width, (png_uint_32)height, 8,
               channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writing->png, writing->info);
  for (int64_t i = 0; i < height; i++)
    png_write_row(writing->png, pixels + i * width * channels);
  png_write_end(writing->png, writing->info);
  return true;
}

bool nnrt_png_write(FILE *file, const uint8_t *pixels, int64_t height, int64_t width, int channels, char why[160]) {
  Writing writing = {.why = why};
  writing.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, fail_to_write, no_warning);
  writing.info = writing.png ? png_create_info_struct(writing.png) : NULL;
  if (!writing.info)
    snprintf(why, 160, "not enough memory");
  bool ok = writing.info && write_rows(&writing, file, pixels, height, width, channels);
  if (writing.png)
    png_destroy_write_struct(&writing.png, &writing.info);
  return ok;
}

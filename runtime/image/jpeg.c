// JPEG by libjpeg, whose slow integer transform gives the same bytes on every machine. Errors come by longjmp; a
// warning (data missing or damaged) counts as an error, so that no half image is learnt from.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

#include "image/codec.h"

typedef struct Reading {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  jmp_buf back;
  bool cut;
  char *why;
} Reading;

static void fail(j_common_ptr jpeg) {
  Reading *reading = jpeg->client_data;
  char message[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, message);
  reading->cut = jpeg->err->msg_code == JWRN_JPEG_EOF || jpeg->err->msg_code == JERR_INPUT_EOF;
  snprintf(reading->why, 160, "%.159s", reading->cut ? "the JPEG image ends too early" : message);
  longjmp(reading->back, 1);
}

static void complain(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA)
    fail(jpeg);
}

static bool begins(const uint8_t *bytes) {
  return bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

static void start(Reading *reading, const uint8_t *bytes, size_t length) {
  reading->jpeg.err = jpeg_std_error(&reading->errors);
  reading->errors.error_exit = fail;
  reading->errors.emit_message = complain;
  reading->jpeg.client_data = reading;
  jpeg_create_decompress(&reading->jpeg);
  jpeg_mem_src(&reading->jpeg, bytes, (unsigned long)length);
  jpeg_read_header(&reading->jpeg, TRUE);
}

static bool read_size(Reading *reading, const uint8_t *bytes, size_t length, NnrtImageSize *size) {
  if (setjmp(reading->back))
    return false;
  start(reading, bytes, length);
  *size = (NnrtImageSize){reading->jpeg.image_height, reading->jpeg.image_width};
  return true;
}

static bool jpeg_size(const uint8_t *bytes, size_t length, NnrtImageSize *size, bool *cut, char why[160]) {
  Reading reading = {.why = why};
  bool ok = read_size(&reading, bytes, length, size);
  *cut = reading.cut;
  jpeg_destroy_decompress(&reading.jpeg);
  return ok;
}

static bool read_pixels(Reading *reading, const uint8_t *bytes, size_t length, int channels, uint8_t *pixels) {
  struct jpeg_decompress_struct *jpeg = &reading->jpeg;
  if (setjmp(reading->back))
    return false;
  start(reading, bytes, length);
  if (jpeg->num_components == 4) {
    snprintf(reading->why, 160, "a JPEG image in CMYK, made for print; convert it to RGB");
    return false;
  }
  jpeg->out_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg->dct_method = JDCT_ISLOW;
  jpeg_start_decompress(jpeg);
  size_t row = (size_t)jpeg->output_width * (size_t)channels;
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW line = pixels + jpeg->output_scanline * row;
    jpeg_read_scanlines(jpeg, &line, 1);
  }
  jpeg_finish_decompress(jpeg);
  return true;
}

static bool decode(const uint8_t *bytes, size_t length, int channels, uint8_t *pixels, char why[160]) {
  Reading reading = {.why = why};
  bool ok = read_pixels(&reading, bytes, length, channels, pixels);
  jpeg_destroy_decompress(&reading.jpeg);
  return ok;
}

const NnrtImageFormat nnrt_jpeg_format = {"JPEG", begins, jpeg_size, decode, NULL};

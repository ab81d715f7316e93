// Image files by the codec's formats. A file tells its format by its first bytes; a header is believed only as far as
// the file's size allows.
#include "data/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "image/codec.h"

enum {
  MOST_PIXELS = 1 << 26,
  MOST_BYTES = 1 << 30,
  HEAD = 1 << 16,
  MOST_EXPANSION = 8 * 1032
}; // pixels of a bit, deflated 1032 to 1

bool nnrt_image_named(const char *path) {
  static const char *const ends[] = {".png", ".jpg", ".jpeg"};
  size_t length = strlen(path);
  for (int i = 0; i < 3; i++)
    if (length > strlen(ends[i]) && !strcasecmp(path + length - strlen(ends[i]), ends[i]))
      return true;
  return false;
}

static bool has_codec(const char *path, NnrtError *error) {
  return &nnrt_codec || nnrt_fail(error, "%s: this program was built without the reading of images", path);
}

static const NnrtImageFormat *find_format(const uint8_t *bytes, size_t length) {
  for (int i = 0; &nnrt_codec && length >= 8 && nnrt_codec.formats[i]; i++)
    if (nnrt_codec.formats[i]->begins(bytes))
      return nnrt_codec.formats[i];
  return NULL;
}

bool nnrt_image_begins(const char *path) {
  uint8_t bytes[8];
  struct stat about;
  FILE *file = !stat(path, &about) && S_ISREG(about.st_mode) ? fopen(path, "rb") : NULL; // a pipe can be read only once
  size_t got = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (file)
    fclose(file);
  return find_format(bytes, got);
}

typedef struct Image {
  const char *path;
  uint8_t *bytes; // of the file: all of them, or its head
  size_t length;
  bool whole;
  const NnrtImageFormat *format;
} Image;

// The file, or its first `most` bytes; not through zlib, which would take what only looks like gzip apart.
static uint8_t *read_bytes(const char *path, size_t most, size_t *length) {
  FILE *file = fopen(path, "rb");
  struct stat about;
  uint8_t *bytes = NULL;
  if (file && !fstat(fileno(file), &about)) {
    *length = (size_t)about.st_size < most ? (size_t)about.st_size : most;
    bytes = malloc(*length + 1);
  }
  if (bytes && fread(bytes, 1, *length, file) != *length) {
    free(bytes);
    bytes = NULL;
  }
  if (file)
    fclose(file);
  return bytes;
}

static bool read_file(Image *image, const char *path, bool whole, NnrtError *error) {
  free(image->bytes);
  *image = (Image){.path = path, .whole = whole};
  errno = 0;
  image->bytes = read_bytes(path, whole ? MOST_BYTES : HEAD, &image->length);
  if (!image->bytes)
    return nnrt_fail(error, "%s: cannot read it: %s", path, errno ? strerror(errno) : "it ends too early");
  if (!image->length)
    return nnrt_fail(error, "%s: the file is empty", path);
  image->format = find_format(image->bytes, image->length);
  return image->format ||
         nnrt_fail(error, "%s: neither a PNG nor a JPEG image (it starts with bytes %02x %02x %02x)", path,
                   image->bytes[0], image->length > 1 ? image->bytes[1] : 0, image->length > 2 ? image->bytes[2] : 0);
}

static bool read_size(Image *image, NnrtImageSize *size, NnrtError *error) {
  char why[160];
  bool cut = false;
  bool ok = image->format->size(image->bytes, image->length, size, &cut, why);
  if (!ok && cut && !image->whole) // a long preamble: the header lies further on
    return read_file(image, image->path, true, error) && read_size(image, size, error);
  if (!ok)
    return nnrt_fail(error, "%s: %s", image->path, why);
  if (size->height < 1 || size->width < 1)
    return nnrt_fail(error, "%s: an image without pixels", image->path);
  if (size->height > MOST_PIXELS / size->width)
    return nnrt_fail(error, "%s: %lld x %lld pixels are too many; at most %d are read", image->path,
                     (long long)size->height, (long long)size->width, MOST_PIXELS);
  if (image->whole && (size_t)(size->height * size->width) / MOST_EXPANSION > image->length)
    return nnrt_fail(error, "%s: the image ends too early: %lld x %lld pixels in %lld bytes", image->path,
                     (long long)size->height, (long long)size->width, (long long)image->length);
  return true;
}

bool nnrt_image_size(const char *path, NnrtImageShape *shape, NnrtError *error) {
  Image image = {0};
  NnrtImageSize size = {0};
  bool ok = has_codec(path, error) && read_file(&image, path, false, error) && read_size(&image, &size, error);
  free(image.bytes);
  shape->height = size.height;
  shape->width = size.width;
  return ok;
}

static bool decode(const Image *image, int channels, uint8_t *pixels, NnrtError *error) {
  char why[160];
  const NnrtImageFormat *format = image->format;
  if (channels == NNRT_NUMBERS && !format->decode_numbers)
    return nnrt_fail(error, "%s: a %s image keeps no exact numbers; masks are PNG images", image->path, format->name);
  return (channels == NNRT_NUMBERS ? format->decode_numbers(image->bytes, image->length, pixels, why)
                                   : format->decode(image->bytes, image->length, channels, pixels, why)) ||
         nnrt_fail(error, "%s: %s", image->path, why);
}

// By way of the image in its own size.
static bool decode_resized(const Image *image, const NnrtImageSize *size, const NnrtImageShape *shape, uint8_t *pixels,
                           NnrtError *error) {
  uint8_t *own = malloc((size_t)(size->height * size->width) * (size_t)(shape->channels ? shape->channels : 1));
  if (!own)
    return nnrt_fail(error, "%s: not enough memory", image->path);
  bool ok = decode(image, shape->channels, own, error);
  if (ok && shape->channels == NNRT_NUMBERS)
    nnrt_resize_nearest(own, size->height, size->width, pixels, shape);
  else if (ok)
    ok = nnrt_resize(own, size->height, size->width, pixels, shape) ||
         nnrt_fail(error, "%s: not enough memory", image->path);
  free(own);
  return ok;
}

bool nnrt_image_load(const char *path, const NnrtImageShape *shape, bool resize, uint8_t *pixels, NnrtError *error) {
  Image image = {0};
  NnrtImageSize size = {0};
  bool ok = has_codec(path, error) && read_file(&image, path, true, error) && read_size(&image, &size, error);
  if (ok && size.height == shape->height && size.width == shape->width)
    ok = decode(&image, shape->channels, pixels, error);
  else if (ok && resize)
    ok = decode_resized(&image, &size, shape, pixels, error);
  else if (ok)
    ok = nnrt_fail(error, "%s: %lld x %lld pixels where %lld x %lld are wanted", path, (long long)size.height,
                   (long long)size.width, (long long)shape->height, (long long)shape->width);
  free(image.bytes);
  return ok;
}

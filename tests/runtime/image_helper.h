// Image files for tests: a fresh folder, made of PNG and JPEG files whose pixels are given by a formula.
#pragma once
#include <dirent.h>
#include <stdio.h>

#include <jpeglib.h>

#include <sys/stat.h>

#include "data_helper.h"
#include "image/codec.h"

enum { MOST_PATH = 512 };

// A fresh folder, removed with all that is in it when the test ends.
static char image_root[32];

static inline void remove_tree(const char *path) {
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    char within[2 * MOST_PATH];
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
      continue;
    snprintf(within, sizeof within, "%.500s/%.255s", path, entry->d_name);
    if (unlink(within))
      remove_tree(within);
  }
  if (folder)
    closedir(folder);
  rmdir(path);
}

static inline void remove_root(void) {
  remove_tree(image_root);
}

static inline const char *in_root(const char *name) {
  static char paths[64][MOST_PATH];
  static int used;
  if (!*image_root) {
    strcpy(image_root, "/tmp/nnrt_images_XXXXXX");
    cr_assert(mkdtemp(image_root));
    atexit(remove_root);
  }
  char *path = paths[used++ % 64];
  snprintf(path, MOST_PATH, "%s/%s", image_root, name);
  return path;
}

// Makes the folders of a name in the root, and opens it for writing.
static inline FILE *create(const char *name) {
  char path[MOST_PATH];
  strcpy(path, in_root(name));
  for (char *slash = path + strlen(image_root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = 0;
    mkdir(path, 0700);
  }
  FILE *file = fopen(path, "wb");
  cr_assert(file, "%s", path);
  return file;
}

static inline uint8_t pixel_of(int seed, int64_t y, int64_t x, int c) {
  return (uint8_t)(seed + 10 * y + 3 * x + 50 * c);
}

static inline void write_png(const char *name, int height, int width, int channels, int seed) {
  uint8_t *pixels = malloc((size_t)(height * width * channels));
  char why[160];
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < channels; c++)
        pixels[(y * width + x) * channels + c] = pixel_of(seed, y, x, c);
  FILE *file = create(name);
  cr_assert(nnrt_codec.write_png(file, pixels, height, width, channels, why), "%s", why);
  fclose(file);
  free(pixels);
}

static inline void write_jpeg(const char *name, int height, int width, int grey_level) {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  FILE *file = create(name);
  uint8_t *row = malloc((size_t)(3 * width));
  memset(row, grey_level, (size_t)(3 * width));
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file);
  jpeg.image_height = (unsigned)height;
  jpeg.image_width = (unsigned)width;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height)
    jpeg_write_scanlines(&jpeg, &row, 1);
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  fclose(file);
  free(row);
}

static inline void write_bytes(const char *name, const void *bytes, size_t length) {
  FILE *file = create(name);
  cr_assert_eq(fwrite(bytes, 1, length, file), length);
  fclose(file);
}

// Takes the last bytes of a file away.
static inline void cut_file(const char *name, int bytes) {
  struct stat about;
  cr_assert_eq(stat(in_root(name), &about), 0);
  cr_assert_eq(truncate(in_root(name), about.st_size - bytes), 0);
}

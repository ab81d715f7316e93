// Files, plain or gzip, through zlib, which tells them apart; paths; whole files as text. Memory taken is bounded by
// what a file of its size can hold.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/dataset.h"
#include "paths.h"

struct NnrtFile {
  gzFile stream;
  int64_t size;
};

bool nnrt_is_folder(const char *path) {
  struct stat about;
  return !stat(path, &about) && S_ISDIR(about.st_mode);
}

NnrtFile *nnrt_file_open(const char *path, char why[160]) {
  struct stat about;
  if (stat(path, &about)) {
    snprintf(why, 160, "%s", strerror(errno));
    return NULL;
  }
  if (S_ISDIR(about.st_mode)) {
    snprintf(why, 160, "it is a folder");
    return NULL;
  }
  NnrtFile *file = malloc(sizeof *file);
  gzFile stream = file ? gzopen(path, "rb") : NULL;
  if (!stream) {
    snprintf(why, 160, "%s", strerror(errno ? errno : ENOMEM));
    free(file);
    return NULL;
  }
  gzbuffer(stream, 1u << 17);
  *file = (NnrtFile){stream, S_ISREG(about.st_mode) ? (int64_t)about.st_size : -1};
  return file;
}

void nnrt_file_close(NnrtFile *file) {
  if (file)
    gzclose(file->stream);
  free(file);
}

// Deflate expands at most 1032 times (zlib's technical notes).
int64_t nnrt_file_limit(const NnrtFile *file) {
  if (file->size < 0 || file->size > INT64_MAX / 2048)
    return INT64_MAX;
  return gzdirect(file->stream) ? file->size : file->size * 1032 + 1024;
}

int64_t nnrt_file_read(NnrtFile *file, void *to, int64_t count, char why[160]) {
  int64_t done = 0;
  while (done < count) {
    int64_t left = count - done;
    int got = gzread(file->stream, (char *)to + done, left > 1 << 30 ? 1u << 30 : (unsigned)left);
    if (got <= 0)
      break;
    done += got;
  }
  int code;
  const char *message = gzerror(file->stream, &code);
  if (code == Z_OK || code == Z_STREAM_END)
    return done;
  if (code == Z_ERRNO)
    message = strerror(errno);
  else if (code == Z_BUF_ERROR)
    message = "the compressed file ends too early";
  else if (code == Z_DATA_ERROR)
    message = "the compressed file is damaged";
  snprintf(why, 160, "%s", message);
  return -1;
}

char *nnrt_file_all(const char *path, size_t *length, char why[160]) {
  NnrtFile *file = nnrt_file_open(path, why);
  if (!file)
    return NULL;
  int64_t room = file->size > 0 ? file->size + 1 : 4096, used = 0;
  char *text = malloc((size_t)room + 1);
  while (text) {
    int64_t got = nnrt_file_read(file, text + used, room - used, why);
    if (got < 0) {
      free(text);
      nnrt_file_close(file);
      return NULL;
    }
    used += got;
    if (used < room)
      break;
    room = room * 2;
    char *grown = realloc(text, (size_t)room + 1);
    if (!grown)
      free(text);
    text = grown;
  }
  nnrt_file_close(file);
  if (!text) {
    snprintf(why, 160, "not enough memory");
    return NULL;
  }
  text[used] = 0;
  *length = (size_t)used;
  return text;
}

char *nnrt_data_file(const NnrtOpening *opening, const NnrtArg *arg) {
  char *path = nnrt_locate(opening->data->file, arg->text), why[160];
  NnrtFile *file = nnrt_file_open(path, why);
  if (file) {
    nnrt_file_close(file);
    return path;
  }
  char *other = *opening->data->file ? nnrt_beside_program(arg->text) : NULL;
  bool named = other && access(path, F_OK) != 0;
  nnrt_fail_at(opening, arg, "cannot open `%s`%s%s%s: %s", path, named ? ", nor `" : "", named ? other : "",
               named ? "`" : "", why);
  free(other);
  free(path);
  return NULL;
}

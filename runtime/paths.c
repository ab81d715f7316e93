// Names of files: as seen from the .nn file, which is as `nnc` was told it and so as seen from the working directory;
// what is not there, as seen from an executable's own folder.
#include "paths.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char program[4096]; // the executable, "" under nnc

static char *join(const char *head, size_t length, const char *tail) {
  size_t rest = strlen(tail) + 1;
  char *text = malloc(length + rest);
  if (!text)
    abort();
  memcpy(text, head, length);
  memcpy(text + length, tail, rest);
  return text;
}

void nnrt_paths_of_program(void) {
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  program[length > 0 ? length : 0] = '\0';
}

char *nnrt_beside(const char *file, const char *path) {
  const char *slash = *path != '/' ? strrchr(file, '/') : NULL;
  return join(file, slash ? (size_t)(slash - file) + 1 : 0, path);
}

char *nnrt_beside_program(const char *path) {
  return *program && *path != '/' ? nnrt_beside(program, path) : NULL;
}

static bool is_there(const char *path, bool last) {
  char *name = last ? nnrt_last_path(path) : NULL;
  bool there = access(name ? name : path, F_OK) == 0;
  free(name);
  return there;
}

static bool has_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = slash ? join(path, (size_t)(slash - path) + 1, "") : NULL;
  bool there = !folder || access(folder, F_OK) == 0;
  free(folder);
  return there;
}

char *nnrt_place(const char *file, const char *path) {
  char *given = nnrt_beside(file, path), *other = has_folder(given) ? NULL : nnrt_beside_program(path);
  if (!other)
    return given;
  free(given);
  return other;
}

static char *locate(const char *file, const char *path, bool last) {
  char *given = nnrt_beside(file, path), *other = *file ? nnrt_beside_program(path) : NULL;
  if (other && !is_there(given, last) && is_there(other, last)) {
    free(given);
    return other;
  }
  free(other);
  return given;
}

char *nnrt_locate(const char *file, const char *path) {
  return locate(file, path, false);
}

char *nnrt_checkpoint_path(const NnrtModule *module, const NnrtTrain *train, const char *chosen) {
  if (chosen)
    return join("", 0, chosen);
  return train && train->save_to ? nnrt_place(module->file, train->save_to) : NULL;
}

char *nnrt_checkpoint_locate(const NnrtModule *module, const NnrtTrain *train, const char *chosen, bool last) {
  if (chosen || !train || !train->save_to)
    return nnrt_checkpoint_path(module, train, chosen);
  return locate(module->file, train->save_to, last);
}

char *nnrt_last_path(const char *path) {
  static const char suffix[] = ".safetensors";
  size_t length = strlen(path), tail = sizeof suffix - 1;
  bool named = length > tail && strcmp(path + length - tail, suffix) == 0;
  return join(path, named ? length - tail : length, ".last.safetensors");
}

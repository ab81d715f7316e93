// Texts from the files NAME.txt of a folder, a folder a class, as images are read.
#include <stdlib.h>
#include <string.h>

#include "data/folder.h"
#include "data/texts.h"

static bool named_as_text(const char *path) {
  size_t length = strlen(path);
  return length > 4 && !strcmp(path + length - 4, ".txt");
}

static const NnrtFileKind text_files = {named_as_text, "texts", ".txt"};

// Puts a file's text behind the others.
static bool add_text(NnrtDataset *set, const NnrtTexts *texts, const char *path, size_t *used, NnrtError *error) {
  size_t length;
  char *text = nnrt_text_read(path, texts->column->coding.kind, &length, error);
  if (!text)
    return false;
  char *raw = length ? realloc(set->raw, *used + length) : NULL;
  if (raw) {
    set->raw = raw;
    memcpy(raw + *used, text, length);
    *used += length;
  }
  free(text);
  return raw || nnrt_fail(error, length ? "%s: not enough memory" : "%s: the text is empty", path);
}

static bool read_all(NnrtDataset *set, NnrtTexts *texts, const NnrtFolder *list, NnrtError *error) {
  size_t used = 0;
  set->rows = list->count;
  texts->at = nnrt_data_alloc(set, list->count + 1, sizeof *texts->at);
  if (!texts->at)
    return nnrt_fail(error, "not enough memory for %lld texts", (long long)list->count);
  for (int64_t i = 0; i < list->count; i++) {
    if (!add_text(set, texts, list->paths[i], &used, error))
      return false;
    texts->at[i + 1] = used;
  }
  return true;
}

bool nnrt_texts_read_folder(NnrtDataset *set, NnrtTexts *texts, const char *path, NnrtError *error) {
  NnrtFolder list = {.kind = &text_files};
  bool ok = nnrt_folder_list(path, NULL, false, &list, error) && read_all(set, texts, &list, error) &&
            (nnrt_folder_keep(&list, set) || nnrt_fail(error, "%s: not enough memory", path));
  nnrt_folder_free(&list);
  return ok;
}

bool nnrt_texts_are_files(const char *path) {
  return nnrt_is_folder(path) || named_as_text(path);
}

bool nnrt_texts_read_files(NnrtDataset *set, NnrtTexts *texts, const char *path, NnrtError *error) {
  NnrtFolder list = {.kind = &text_files};
  bool ok = nnrt_folder_list_flat(path, &list, error) && read_all(set, texts, &list, error);
  nnrt_folder_free(&list);
  return ok;
}

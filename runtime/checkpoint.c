// Reading checkpoints: names and shapes are held against the module's, and every difference is told, before the first
// byte of the state changes.
#include "checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "differences.h"

static bool same_shape(const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  return entry->known && entry->type == tensor->type && entry->rank == tensor->rank &&
         memcmp(entry->dim, tensor->dim, (size_t)tensor->rank * sizeof tensor->dim[0]) == 0;
}

static bool wanted(const NnrtTensor *tensor, NnrtLoad load) {
  return load == NNRT_LOAD_RESUME || tensor->kind == NNRT_PARAM || tensor->kind == NNRT_STATE;
}

static void mark_used(NnrtTensorFile *file, const NnrtModule *module) {
  for (int i = 0; i < module->tensor_count; i++) {
    NnrtTensorEntry *entry = nnrt_tensor_find(file, module->tensors[i].name);
    if (entry)
      entry->used = true;
  }
}

// Holds the file's names and shapes against the module's and tells every difference.
static bool match(NnrtTensorFile *file, const NnrtModule *module, NnrtLoad load, FILE *notes) {
  NnrtDifferences found = {.path = file->path, .module = module->name, .out = notes};
  bool whole = load == NNRT_LOAD_RESUME;
  mark_used(file, module);
  for (int i = 0; i < module->tensor_count; i++) {
    const NnrtTensor *tensor = &module->tensors[i];
    const NnrtTensorEntry *entry = nnrt_tensor_find(file, tensor->name);
    if (!wanted(tensor, load) || (tensor->kind == NNRT_METRIC && !entry)) // between epochs nothing is counted
      continue;
    if (!entry)
      nnrt_differ_missing(&found, tensor, file);
    else if (!same_shape(entry, tensor))
      nnrt_differ_shape(&found, tensor, entry, "");
  }
  bool fails = found.wrong > 0 || found.missing > 0;
  for (int i = 0; i < file->count; i++)
    if (!file->entries[i].used && (whole || (fails && !file->entries[i].slot)))
      nnrt_differ_unexpected(&found, &file->entries[i]);
  nnrt_differ_end(&found);
  return (!fails && found.unexpected == 0) || nnrt_differ_fail(&found, file->error);
}

static bool get_number(const NnrtTensorFile *file, const char *key, int64_t *value) {
  const char *text = json_string_value(json_object_get(file->metadata, key));
  char *end;
  errno = 0;
  if (!text || *text < '0' || *text > '9')
    return nnrt_fail(file->error, "%s cannot be resumed from: its metadata has no number `%s`", file->path, key);
  *value = strtoll(text, &end, 10);
  return (*end == '\0' && errno == 0) ||
         nnrt_fail(file->error, "%s cannot be resumed from: `%s` is \"%.40s\"", file->path, key, text);
}

static bool get_best(const NnrtTensorFile *file, const char *key, const char *epoch_key, NnrtBest *best) {
  const char *text = json_string_value(json_object_get(file->metadata, key));
  char *end;
  if (!text || (best->value = strtod(text, &end), end == text || *end))
    return nnrt_fail(file->error, "%s cannot be resumed from: its metadata has no value `%s`", file->path, key);
  return get_number(file, epoch_key, &best->epoch);
}

static bool get_sums(const NnrtTensorFile *file, NnrtPosition *position, const NnrtPosition *room) {
  const char *text = json_string_value(json_object_get(file->metadata, "sums"));
  position->sum_count = room->sum_count;
  position->sums = room->sums;
  for (int i = 0; position->epoch_step > 0 && i < room->sum_count; i++) {
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;
    if (!text || end == text)
      return nnrt_fail(file->error, "%s cannot be resumed from: it was saved within an epoch and has not all sums",
                       file->path);
    room->sums[i] = value;
    text = end;
  }
  return true;
}

static bool get_position(const NnrtTensorFile *file, const char *block, NnrtPosition *position) {
  const char *written = json_string_value(json_object_get(file->metadata, "block"));
  if (written && strcmp(written, block) != 0)
    return nnrt_fail(file->error, "%s was saved by train block `%.100s`, not by `%s`", file->path, written, block);
  NnrtPosition found = {0};
  struct {
    const char *key;
    int64_t *value;
  } numbers[] = {{"step", &found.step},   {"epoch", &found.epoch},     {"epoch_step", &found.epoch_step},
                 {"batch", &found.batch}, {"samples", &found.samples}, {"summed", &found.summed}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (!get_number(file, numbers[i].key, numbers[i].value))
      return false;
  const char *seed = json_string_value(json_object_get(file->metadata, "seed"));
  found.seed = seed ? strtoll(seed, NULL, 10) : 0;
  if (!get_best(file, "best", "best_epoch", &found.best) ||
      !get_best(file, "progress", "progress_epoch", &found.progress) || !get_sums(file, &found, position))
    return false;
  found.data = position->data;
  *position = found;
  return true;
}

static bool read_tensors(const NnrtTensorFile *file, const NnrtModule *module, NnrtLoad load, uint8_t *state) {
  for (int i = 0; i < module->tensor_count; i++) {
    const NnrtTensor *tensor = &module->tensors[i];
    const NnrtTensorEntry *entry = wanted(tensor, load) ? nnrt_tensor_find(file, tensor->name) : NULL;
    if (entry && !nnrt_tensor_read(file, entry, state + tensor->offset))
      return false;
  }
  return true;
}

bool nnrt_checkpoint_read(const NnrtModule *module, const char *block, uint8_t *state, NnrtPosition *position,
                          const char *path, NnrtLoad load, FILE *notes, NnrtError *error) {
  NnrtTensorFile file;
  bool read = nnrt_tensors_open(&file, path, error) && match(&file, module, load, notes) &&
              (!position || get_position(&file, block, position)) && read_tensors(&file, module, load, state);
  nnrt_tensors_close(&file);
  return read;
}

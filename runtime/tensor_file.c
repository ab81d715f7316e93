// Reading safetensors files (github.com/huggingface/safetensors, README, "Format"). The header is untrusted: its length,
// JSON, types, shapes and offsets are all checked against the file before a tensor is looked at.
#include "tensor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dtype.h"

enum { LONGEST_HEADER = 100 << 20 }; // bytes; the limit of the format's own reader

static bool read_at(int file, void *data, int64_t size, int64_t offset) {
  for (char *at = data; size > 0;) {
    ssize_t got = pread(file, at, (size_t)(size < 1 << 30 ? size : 1 << 30), (off_t)offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got == 0)
      errno = EIO;
    if (got <= 0)
      return false;
    at += got, size -= got, offset += got;
  }
  return true;
}

static bool broken(NnrtTensorFile *file, const char *what) {
  return nnrt_fail(file->error, "%s is no whole safetensors file: %s", file->path, what);
}

static bool open_file(NnrtTensorFile *file) {
  struct stat info;
  file->handle = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->handle < 0 || fstat(file->handle, &info) != 0)
    return nnrt_fail(file->error, "cannot read %s: %s", file->path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return nnrt_fail(file->error, "cannot read %s: not a regular file", file->path);
  file->size = info.st_size;
  return true;
}

static bool read_header(NnrtTensorFile *file) {
  unsigned char prefix[8];
  if (file->size < 8)
    return broken(file, "it is shorter than 8 bytes");
  if (!read_at(file->handle, prefix, 8, 0))
    return nnrt_fail(file->error, "cannot read %s: %s", file->path, strerror(errno));
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--)
    length = length << 8 | prefix[i];
  if (length > LONGEST_HEADER)
    return broken(file, "its header claims more than 100 MB");
  if ((int64_t)length > file->size - 8)
    return broken(file, "it ends within its header");
  file->data = 8 + (int64_t)length;
  char *text = malloc(length + 1);
  if (!text || !read_at(file->handle, text, (int64_t)length, 8)) {
    free(text);
    return nnrt_fail(file->error, "cannot read %s: %s", file->path, strerror(errno));
  }
  json_error_t fault;
  file->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
  free(text);
  if (!file->header)
    return nnrt_fail(file->error, "%s is no whole safetensors file: its header, byte %d: %s", file->path,
                     fault.position, fault.text);
  return json_is_object(file->header) || broken(file, "its header is no JSON object");
}

static bool parse_shape(NnrtTensorEntry *entry, const json_t *shape) {
  size_t rank = json_array_size(shape);
  entry->rank = (int)rank;
  if (!json_is_array(shape) || rank > NNRT_MAX_RANK)
    return false;
  int64_t elements = 1;
  for (size_t i = 0; i < rank; i++) {
    const json_t *dim = json_array_get(shape, i);
    entry->dim[i] = json_integer_value(dim);
    if (!json_is_integer(dim) || entry->dim[i] < 0 || __builtin_mul_overflow(elements, entry->dim[i], &elements))
      return false;
  }
  int64_t bytes, width = nnrt_dtype_bytes(entry->dtype);
  return width == 0 || (!__builtin_mul_overflow(elements, width, &bytes) && bytes == entry->end - entry->begin);
}

static bool parse_entry(NnrtTensorFile *file, NnrtTensorEntry *entry, const json_t *value) {
  const json_t *offsets = json_object_get(value, "data_offsets");
  const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
  entry->dtype = json_string_value(json_object_get(value, "dtype"));
  if (!entry->dtype || !json_is_integer(begin) || !json_is_integer(end) || json_array_size(offsets) != 2)
    return nnrt_fail(file->error, "%s: tensor `%s` has no dtype or data_offsets", file->path, entry->name);
  entry->begin = json_integer_value(begin);
  entry->end = json_integer_value(end);
  if (entry->begin < 0 || entry->end < entry->begin || entry->end > file->size - file->data)
    return nnrt_fail(
        file->error, "%s: tensor `%s` should lie at bytes %lld to %lld, the file has %lld: it was cut short",
        file->path, entry->name, (long long)entry->begin, (long long)entry->end, (long long)(file->size - file->data));
  entry->known = nnrt_dtype_find(entry->dtype, &entry->type);
  return parse_shape(entry, json_object_get(value, "shape")) ||
         nnrt_fail(file->error, "%s: the shape of tensor `%s` is not that of its %lld bytes", file->path, entry->name,
                   (long long)(entry->end - entry->begin));
}

static int by_place(const void *left, const void *right) {
  const NnrtTensorEntry *a = left, *b = right;
  if (a->begin != b->begin)
    return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

// Tensors must cover the data one after the other, as the format demands.
static bool check_cover(NnrtTensorFile *file) {
  qsort(file->entries, (size_t)file->count, sizeof *file->entries, by_place);
  int64_t end = 0;
  for (int i = 0; i < file->count; i++) {
    const NnrtTensorEntry *entry = &file->entries[i];
    if (entry->begin != end)
      return nnrt_fail(file->error, "%s: tensor `%s` %s", file->path, entry->name,
                       entry->begin < end ? "overlaps the one before it" : "has a hole before it");
    end = entry->end;
  }
  return end == file->size - file->data || broken(file, "it has bytes behind its last tensor");
}

static bool parse_header(NnrtTensorFile *file) {
  file->entries = calloc(json_object_size(file->header) + 1, sizeof *file->entries);
  if (!file->entries)
    return nnrt_fail(file->error, "out of memory for the header of %s", file->path);
  const char *name;
  json_t *value;
  json_object_foreach(file->header, name, value) {
    if (strcmp(name, "__metadata__") == 0) {
      file->metadata = value;
      continue;
    }
    NnrtTensorEntry *entry = &file->entries[file->count++];
    entry->name = entry->here = name;
    if (!parse_entry(file, entry, value))
      return false;
  }
  return check_cover(file);
}

static int by_name(const void *left, const void *right) {
  return strcmp(((const NnrtTensorEntry *)left)->here, ((const NnrtTensorEntry *)right)->here);
}

bool nnrt_tensors_sort(NnrtTensorFile *file) {
  qsort(file->entries, (size_t)file->count, sizeof *file->entries, by_name);
  for (int i = 1; i < file->count; i++)
    if (by_name(&file->entries[i - 1], &file->entries[i]) == 0)
      return nnrt_fail(file->error, "%s: both `%s` and `%s` would be `%s`", file->path, file->entries[i - 1].name,
                       file->entries[i].name, file->entries[i].here);
  return true;
}

NnrtTensorEntry *nnrt_tensor_find(const NnrtTensorFile *file, const char *name) {
  NnrtTensorEntry key = {.here = name};
  return bsearch(&key, file->entries, (size_t)file->count, sizeof key, by_name);
}

const char *nnrt_tensor_text(char text[NNRT_SHAPE_TEXT], const NnrtTensorEntry *entry) {
  if (entry->known)
    return nnrt_shape_text(text, entry->type, entry->rank, entry->dim);
  char shape[NNRT_SHAPE_TEXT];
  nnrt_shape_text(shape, NNRT_F32, entry->rank, entry->dim);
  snprintf(text, NNRT_SHAPE_TEXT, "%.40s%.150s", entry->dtype, strchr(shape, '['));
  return text;
}

// Whether the file has a tensor whose name, up to a dot, is that of this one.
static bool is_part(const NnrtTensorFile *file, const char *name) {
  char head[256];
  if (strlen(name) >= sizeof head)
    return false;
  strcpy(head, name);
  for (char *dot; (dot = strrchr(head, '.')) != NULL;) {
    *dot = '\0';
    if (nnrt_tensor_find(file, head))
      return true;
  }
  return false;
}

static void mark_slots(const NnrtTensorFile *file) {
  for (int i = 0; i < file->count; i++) {
    NnrtTensorEntry *entry = &file->entries[i];
    const char *behind = strchr(entry->name, '.'); // adam.net.w.m
    entry->slot = is_part(file, entry->name) || (behind && is_part(file, behind + 1)) ||
                  strncmp(entry->name, "unfreeze.", 9) == 0 || strncmp(entry->name, "metrics.", 8) == 0;
  }
}

bool nnrt_tensors_open(NnrtTensorFile *file, const char *path, NnrtError *error) {
  *file = (NnrtTensorFile){.path = path, .handle = -1, .error = error};
  if (!open_file(file) || !read_header(file) || !parse_header(file) || !nnrt_tensors_sort(file))
    return false;
  mark_slots(file);
  return true;
}

void nnrt_tensors_close(NnrtTensorFile *file) {
  if (file->handle >= 0)
    close(file->handle);
  free(file->entries);
  json_decref(file->header);
  *file = (NnrtTensorFile){.handle = -1};
}

bool nnrt_tensor_read(const NnrtTensorFile *file, const NnrtTensorEntry *entry, void *data) {
  return read_at(file->handle, data, entry->end - entry->begin, file->data + entry->begin) ||
         nnrt_fail(file->error, "cannot read %s: %s", file->path, strerror(errno));
}

const char *nnrt_tensor_near(const NnrtTensorFile *file, const char *name) {
  const char *candidates[512] = {0}, *names[512], *tail = strchr(name, '.');
  int count = 0;
  for (int i = 0; i < file->count && count < 512; i++) {
    const NnrtTensorEntry *entry = &file->entries[i];
    const char *other_tail = strchr(entry->here, '.');
    if (entry->used)
      continue;
    if (tail && other_tail && strcmp(tail, other_tail) == 0)
      return entry->name;
    candidates[count] = entry->here;
    names[count++] = entry->name;
  }
  const char *near = nnrt_nearest(name, candidates, count);
  for (int i = 0; near && i < count; i++)
    if (candidates[i] == near)
      return names[i];
  return NULL;
}

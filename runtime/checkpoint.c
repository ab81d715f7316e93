// Reading checkpoints. The header is untrusted: its length, JSON, names, types, shapes and offsets are all checked
// against the file and against the module, and every difference is told, before the first byte of the state changes.
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dtype.h"

enum { LONGEST_HEADER = 100 << 20 }; // bytes; the limit of the format's own reader

typedef struct Entry { // a tensor of the file
  const char *name, *dtype;
  NnrtType type;
  bool known; // its type is one of ours
  int rank;
  int64_t dim[NNRT_MAX_RANK];
  int64_t begin, end; // from the end of the header
  bool used;
} Entry;

typedef struct Reader {
  const char *path;
  int file;
  int64_t size, data; // of the file; where tensors begin
  json_t *header, *metadata;
  int count;
  Entry *entries;
  NnrtError *error;
} Reader;

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

static bool broken(Reader *reader, const char *what) {
  return nnrt_fail(reader->error, "%s is no whole safetensors file: %s", reader->path, what);
}

static bool open_file(Reader *reader) {
  struct stat info;
  reader->file = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (reader->file < 0 || fstat(reader->file, &info) != 0)
    return nnrt_fail(reader->error, "cannot read %s: %s", reader->path, strerror(errno));
  if (!S_ISREG(info.st_mode))
    return nnrt_fail(reader->error, "cannot read %s: not a regular file", reader->path);
  reader->size = info.st_size;
  return true;
}

static bool read_header(Reader *reader) {
  unsigned char prefix[8];
  if (reader->size < 8)
    return broken(reader, "it is shorter than 8 bytes");
  if (!read_at(reader->file, prefix, 8, 0))
    return nnrt_fail(reader->error, "cannot read %s: %s", reader->path, strerror(errno));
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--)
    length = length << 8 | prefix[i];
  if (length > LONGEST_HEADER)
    return broken(reader, "its header claims more than 100 MB");
  if ((int64_t)length > reader->size - 8)
    return broken(reader, "it ends within its header");
  reader->data = 8 + (int64_t)length;
  char *text = malloc(length + 1);
  if (!text || !read_at(reader->file, text, (int64_t)length, 8)) {
    free(text);
    return nnrt_fail(reader->error, "cannot read %s: %s", reader->path, strerror(errno));
  }
  json_error_t fault;
  reader->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
  free(text);
  if (!reader->header)
    return nnrt_fail(reader->error, "%s is no whole safetensors file: its header, byte %d: %s", reader->path,
                     fault.position, fault.text);
  return json_is_object(reader->header) || broken(reader, "its header is no JSON object");
}

static bool parse_shape(Entry *entry, const json_t *shape) {
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
  int64_t bytes;
  return !entry->known || (!__builtin_mul_overflow(elements, nnrt_type_bytes(entry->type), &bytes) &&
                           bytes == entry->end - entry->begin);
}

static bool parse_entry(Reader *reader, Entry *entry, const json_t *value) {
  const json_t *offsets = json_object_get(value, "data_offsets");
  const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
  entry->dtype = json_string_value(json_object_get(value, "dtype"));
  if (!entry->dtype || !json_is_integer(begin) || !json_is_integer(end) || json_array_size(offsets) != 2)
    return nnrt_fail(reader->error, "%s: tensor `%s` has no dtype or data_offsets", reader->path, entry->name);
  entry->begin = json_integer_value(begin);
  entry->end = json_integer_value(end);
  if (entry->begin < 0 || entry->end < entry->begin || entry->end > reader->size - reader->data)
    return nnrt_fail(reader->error,
                     "%s: tensor `%s` should lie at bytes %lld to %lld, the file has %lld: it was cut short",
                     reader->path, entry->name, (long long)entry->begin, (long long)entry->end,
                     (long long)(reader->size - reader->data));
  entry->known = nnrt_dtype_find(entry->dtype, &entry->type);
  return parse_shape(entry, json_object_get(value, "shape")) ||
         nnrt_fail(reader->error, "%s: the shape of tensor `%s` is not that of its %lld bytes", reader->path,
                   entry->name, (long long)(entry->end - entry->begin));
}

static int by_place(const void *left, const void *right) {
  const Entry *a = left, *b = right;
  if (a->begin != b->begin)
    return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

// Tensors must cover the data one after the other, as the format demands.
static bool check_cover(Reader *reader) {
  qsort(reader->entries, (size_t)reader->count, sizeof *reader->entries, by_place);
  int64_t end = 0;
  for (int i = 0; i < reader->count; i++) {
    const Entry *entry = &reader->entries[i];
    if (entry->begin != end)
      return nnrt_fail(reader->error, "%s: tensor `%s` %s", reader->path, entry->name,
                       entry->begin < end ? "overlaps the one before it" : "has a hole before it");
    end = entry->end;
  }
  return end == reader->size - reader->data || broken(reader, "it has bytes behind its last tensor");
}

static bool parse_header(Reader *reader) {
  reader->entries = calloc(json_object_size(reader->header) + 1, sizeof *reader->entries);
  if (!reader->entries)
    return nnrt_fail(reader->error, "out of memory for the header of %s", reader->path);
  const char *name;
  json_t *value;
  json_object_foreach(reader->header, name, value) {
    if (strcmp(name, "__metadata__") == 0) {
      reader->metadata = value;
      continue;
    }
    Entry *entry = &reader->entries[reader->count++];
    entry->name = name;
    if (!parse_entry(reader, entry, value))
      return false;
  }
  return check_cover(reader);
}

static int by_name(const void *left, const void *right) {
  return strcmp(((const Entry *)left)->name, ((const Entry *)right)->name);
}

static Entry *find_entry(const Reader *reader, const char *name) {
  Entry key = {.name = name};
  return bsearch(&key, reader->entries, (size_t)reader->count, sizeof key, by_name);
}

static const char *entry_text(char text[NNRT_SHAPE_TEXT], const Entry *entry) {
  if (entry->known)
    return nnrt_shape_text(text, entry->type, entry->rank, entry->dim);
  snprintf(text, NNRT_SHAPE_TEXT, "%.40s", entry->dtype);
  return text;
}

// A name of the file that nothing here has and that could be meant by `name`: near to it, or the same behind the
// model's.
static const char *find_near(const Reader *reader, const char *name) {
  const char *candidates[512], *tail = strchr(name, '.');
  int count = 0;
  for (int i = 0; i < reader->count && count < 512; i++) {
    const char *other = reader->entries[i].name, *other_tail = strchr(other, '.');
    if (reader->entries[i].used)
      continue;
    if (tail && other_tail && strcmp(tail, other_tail) == 0)
      return other;
    candidates[count++] = other;
  }
  return nnrt_nearest(name, candidates, count);
}

static bool same_shape(const Entry *entry, const NnrtTensor *tensor) {
  return entry->known && entry->type == tensor->type && entry->rank == tensor->rank &&
         memcmp(entry->dim, tensor->dim, (size_t)tensor->rank * sizeof tensor->dim[0]) == 0;
}

// Optimizer slots carry their parameter's name and more.
static bool is_slot(const Reader *reader, const Entry *entry) {
  char name[256];
  if (strlen(entry->name) >= sizeof name)
    return false;
  strcpy(name, entry->name);
  for (char *dot; (dot = strrchr(name, '.')) != NULL;) {
    *dot = '\0';
    if (find_entry(reader, name))
      return true;
  }
  return false;
}

enum { MOST_NOTES = 12 }; // of a kind: a file of another model differs in every line

static void note_missing(const Reader *reader, const NnrtTensor *tensor, FILE *notes) {
  if (!notes)
    return;
  char text[NNRT_SHAPE_TEXT];
  const char *near = find_near(reader, tensor->name);
  fprintf(notes, "%s: %s, %s, is missing", reader->path, tensor->name,
          nnrt_shape_text(text, tensor->type, tensor->rank, tensor->dim));
  if (near)
    fprintf(notes, "; the file has %s", near);
  fputc('\n', notes);
}

static void note_shape(const Reader *reader, const NnrtTensor *tensor, const Entry *entry, FILE *notes) {
  if (!notes)
    return;
  char here[NNRT_SHAPE_TEXT], there[NNRT_SHAPE_TEXT];
  fprintf(notes, "%s: %s is %s in the file, but %s here\n", reader->path, tensor->name, entry_text(there, entry),
          nnrt_shape_text(here, tensor->type, tensor->rank, tensor->dim));
}

static bool wanted(const NnrtTensor *tensor, NnrtLoad load) {
  return load == NNRT_LOAD_RESUME || tensor->kind != NNRT_OPTIMIZER;
}

// Holds the file's names and shapes against the module's and tells every difference.
static bool match(Reader *reader, const NnrtModule *module, NnrtLoad load, FILE *notes) {
  int missing = 0, wrong = 0, unexpected = 0, matched = 0, needed = 0;
  qsort(reader->entries, (size_t)reader->count, sizeof *reader->entries, by_name);
  for (int i = 0; i < module->tensor_count; i++) {
    Entry *entry = find_entry(reader, module->tensors[i].name);
    if (entry)
      entry->used = true;
  }
  for (int i = 0; i < module->tensor_count; i++) {
    const NnrtTensor *tensor = &module->tensors[i];
    const Entry *entry = find_entry(reader, tensor->name);
    if (!wanted(tensor, load))
      continue;
    needed++;
    if (!entry)
      note_missing(reader, tensor, missing++ < MOST_NOTES ? notes : NULL);
    else if (!same_shape(entry, tensor))
      note_shape(reader, tensor, entry, wrong++ < MOST_NOTES ? notes : NULL);
    else
      matched++;
  }
  bool fails = wrong > 0 || (missing > 0 && load != NNRT_LOAD_START) || (needed > 0 && matched == 0);
  for (int i = 0; i < reader->count; i++) {
    const Entry *entry = &reader->entries[i];
    bool told = load == NNRT_LOAD_RESUME || (!is_slot(reader, entry) && (fails || load == NNRT_LOAD_START));
    if (!entry->used && told) {
      char text[NNRT_SHAPE_TEXT];
      if (unexpected++ < MOST_NOTES)
        fprintf(notes, "%s: %s, %s, is not in %s\n", reader->path, entry->name, entry_text(text, entry), module->name);
    }
  }
  if (!fails && (unexpected == 0 || load != NNRT_LOAD_RESUME))
    return true;
  return nnrt_fail(reader->error, "%s does not fit %s: %d missing, %d of another shape, %d unexpected", reader->path,
                   module->name, missing, wrong, unexpected);
}

static bool get_number(const Reader *reader, const char *key, int64_t *value) {
  const char *text = json_string_value(json_object_get(reader->metadata, key));
  char *end;
  errno = 0;
  if (!text || *text < '0' || *text > '9')
    return nnrt_fail(reader->error, "%s cannot be resumed from: its metadata has no number `%s`", reader->path, key);
  *value = strtoll(text, &end, 10);
  return (*end == '\0' && errno == 0) ||
         nnrt_fail(reader->error, "%s cannot be resumed from: `%s` is \"%.40s\"", reader->path, key, text);
}

static bool get_best(const Reader *reader, const char *key, const char *epoch_key, NnrtBest *best) {
  const char *text = json_string_value(json_object_get(reader->metadata, key));
  char *end;
  if (!text || (best->value = strtod(text, &end), end == text || *end))
    return nnrt_fail(reader->error, "%s cannot be resumed from: its metadata has no value `%s`", reader->path, key);
  return get_number(reader, epoch_key, &best->epoch);
}

static bool get_sums(const Reader *reader, NnrtPosition *position, const NnrtPosition *room) {
  const char *text = json_string_value(json_object_get(reader->metadata, "sums"));
  position->sum_count = room->sum_count;
  position->sums = room->sums;
  for (int i = 0; position->epoch_step > 0 && i < room->sum_count; i++) {
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;
    if (!text || end == text)
      return nnrt_fail(reader->error, "%s cannot be resumed from: it was saved within an epoch and has not all sums",
                       reader->path);
    room->sums[i] = value;
    text = end;
  }
  return true;
}

static bool get_position(const Reader *reader, const char *block, NnrtPosition *position) {
  const char *written = json_string_value(json_object_get(reader->metadata, "block"));
  if (written && strcmp(written, block) != 0)
    return nnrt_fail(reader->error, "%s was saved by train block `%.100s`, not by `%s`", reader->path, written, block);
  NnrtPosition found = {0};
  struct {
    const char *key;
    int64_t *value;
  } numbers[] = {{"step", &found.step},   {"epoch", &found.epoch},     {"epoch_step", &found.epoch_step},
                 {"batch", &found.batch}, {"samples", &found.samples}, {"summed", &found.summed}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (!get_number(reader, numbers[i].key, numbers[i].value))
      return false;
  const char *seed = json_string_value(json_object_get(reader->metadata, "seed"));
  found.seed = seed ? strtoll(seed, NULL, 10) : 0;
  if (!get_best(reader, "best", "best_epoch", &found.best) ||
      !get_best(reader, "progress", "progress_epoch", &found.progress) || !get_sums(reader, &found, position))
    return false;
  *position = found;
  return true;
}

static bool read_tensors(Reader *reader, const NnrtModule *module, NnrtLoad load, uint8_t *state) {
  for (int i = 0; i < module->tensor_count; i++) {
    const NnrtTensor *tensor = &module->tensors[i];
    const Entry *entry = wanted(tensor, load) ? find_entry(reader, tensor->name) : NULL;
    if (entry && !read_at(reader->file, state + tensor->offset, entry->end - entry->begin, reader->data + entry->begin))
      return nnrt_fail(reader->error, "cannot read %s: %s", reader->path, strerror(errno));
  }
  return true;
}

bool nnrt_checkpoint_read(const NnrtModule *module, const char *block, uint8_t *state, NnrtPosition *position,
                          const char *path, NnrtLoad load, FILE *notes, NnrtError *error) {
  Reader reader = {.path = path, .file = -1, .error = error};
  bool read = open_file(&reader) && read_header(&reader) && parse_header(&reader) &&
              match(&reader, module, load, notes) && (!position || get_position(&reader, block, position)) &&
              read_tensors(&reader, module, load, state);
  if (reader.file >= 0)
    close(reader.file);
  free(reader.entries);
  json_decref(reader.header);
  return read;
}

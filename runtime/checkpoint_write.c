// Writing checkpoints in the safetensors format (github.com/huggingface/safetensors, README, "Format"): 8 bytes with
// the header's length, a JSON header padded with spaces to 8 bytes, then the tensors, dense and without gaps, widest
// types first. Equal states give equal files.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "dtype.h"

static void set_text(json_t *object, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void set_text(json_t *object, const char *key, const char *format, ...) {
  char text[128];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  json_object_set_new(object, key, json_string(text));
}

// Sums as hexadecimal floats, which keep every bit.
static void set_sums(json_t *object, const NnrtPosition *position) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return;
  for (int i = 0; i < position->sum_count; i++)
    fprintf(out, "%s%a", i ? " " : "", position->sums[i]);
  fclose(out);
  json_object_set_new(object, "sums", json_string(text));
  free(text);
}

static void set_tokens(json_t *object, const char *key, const NnrtTokens *tokens) {
  char *text = tokens ? nnrt_tokens_json(tokens) : NULL;
  if (text)
    json_object_set_new(object, key, json_string(text));
  free(text);
}

static json_t *metadata(const NnrtModule *module, const char *block, const NnrtPosition *position) {
  json_t *object = json_object();
  json_object_set_new(object, "format", json_string("nnc"));
  json_object_set_new(object, "model", json_string(module->name));
  json_object_set_new(object, "block", json_string(block));
  set_text(object, "fingerprint", "%016" PRIx64, module->fingerprint);
  set_text(object, "step", "%" PRId64, position->step);
  set_text(object, "epoch", "%" PRId64, position->epoch);
  set_text(object, "epoch_step", "%" PRId64, position->epoch_step);
  set_text(object, "seed", "%" PRId64, position->seed);
  set_text(object, "batch", "%" PRId64, position->batch);
  set_text(object, "samples", "%" PRId64, position->samples);
  set_text(object, "best", "%a", position->best.value);
  set_text(object, "best_epoch", "%" PRId64, position->best.epoch);
  set_text(object, "progress", "%a", position->progress.value);
  set_text(object, "progress_epoch", "%" PRId64, position->progress.epoch);
  set_text(object, "summed", "%" PRId64, position->summed);
  set_sums(object, position);
  if (position->data) {
    set_tokens(object, "tokens", nnrt_data_tokens(position->data));
    set_tokens(object, "target_tokens", nnrt_data_target_tokens(position->data));
  }
  return object;
}

// Indices of tensors, widest element first, so that each is aligned to its elements, and -1. What metrics count is kept
// within an epoch alone.
static int *write_order(const NnrtModule *module, const NnrtPosition *position) {
  int *order = malloc(((size_t)module->tensor_count + 1) * sizeof *order), count = 0;
  for (int64_t width = 8; order && width > 0; width /= 2)
    for (int i = 0; i < module->tensor_count; i++)
      if (nnrt_type_bytes(module->tensors[i].type) == width &&
          (module->tensors[i].kind != NNRT_METRIC || position->epoch_step > 0))
        order[count++] = i;
  if (order)
    order[count] = -1;
  return order;
}

static char *header_text(const NnrtModule *module, const char *block, const int *order, const NnrtPosition *position) {
  json_t *header = json_object();
  json_object_set_new(header, "__metadata__", metadata(module, block, position));
  int64_t offset = 0;
  for (int i = 0; order[i] >= 0; i++) {
    const NnrtTensor *tensor = &module->tensors[order[i]];
    int64_t bytes = nnrt_tensor_bytes(tensor);
    json_t *shape = json_array();
    for (int d = 0; d < tensor->rank; d++)
      json_array_append_new(shape, json_integer(tensor->dim[d]));
    json_t *entry = json_object();
    json_object_set_new(entry, "dtype", json_string(nnrt_dtype_name(tensor->type)));
    json_object_set_new(entry, "shape", shape);
    json_object_set_new(entry, "data_offsets", json_pack("[I, I]", (json_int_t)offset, (json_int_t)(offset + bytes)));
    json_object_set_new(header, tensor->name, entry);
    offset += bytes;
  }
  char *text = json_dumps(header, JSON_COMPACT);
  json_decref(header);
  return text;
}

static bool write_all(int file, const void *data, size_t size) {
  for (const char *at = data; size > 0;) {
    ssize_t written = write(file, at, size < (1u << 30) ? size : 1u << 30);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    at += written;
    size -= (size_t)written;
  }
  return true;
}

static bool write_file(int file, const NnrtModule *module, const uint8_t *state, const int *order, const char *header) {
  size_t length = strlen(header), padding = (8 - length % 8) % 8;
  unsigned char prefix[8];
  for (int i = 0; i < 8; i++)
    prefix[i] = (unsigned char)((uint64_t)(length + padding) >> (8 * i));
  if (!write_all(file, prefix, 8) || !write_all(file, header, length) || !write_all(file, "        ", padding))
    return false;
  for (int i = 0; order[i] >= 0; i++) {
    const NnrtTensor *tensor = &module->tensors[order[i]];
    if (!write_all(file, state + tensor->offset, (size_t)nnrt_tensor_bytes(tensor)))
      return false;
  }
  return fsync(file) == 0;
}

static char *folder_of(const char *path) {
  char *folder = nnrt_beside(path, "");
  if (*folder)
    return folder;
  free(folder);
  return strdup(".");
}

// A rename is safe on disk once its folder is; file systems that cannot sync a folder are left to their ways.
static void sync_folder(const char *path) {
  char *folder = folder_of(path);
  int file = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (file >= 0) {
    fsync(file);
    close(file);
  }
  free(folder);
}

static bool replace_file(const NnrtModule *module, const uint8_t *state, const int *order, const char *header,
                         const char *path, const char *temporary) {
  int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0)
    return false;
  bool written = write_file(file, module, state, order, header);
  int reason = errno;
  if (close(file) != 0 && written)
    written = false, reason = errno;
  if (written && rename(temporary, path) == 0) {
    sync_folder(path);
    return true;
  }
  if (written)
    reason = errno;
  unlink(temporary);
  errno = reason;
  return false;
}

bool nnrt_checkpoint_write(const NnrtModule *module, const char *block, const uint8_t *state,
                           const NnrtPosition *position, const char *path, NnrtError *error) {
  int *order = write_order(module, position);
  char *header = order ? header_text(module, block, order, position) : NULL;
  size_t size = strlen(path) + sizeof ".tmp";
  char *temporary = malloc(size);
  bool written = false;
  errno = ENOMEM;
  if (header && temporary) {
    snprintf(temporary, size, "%s.tmp", path);
    written = replace_file(module, state, order, header, path, temporary);
  }
  int reason = errno;
  free(order);
  free(header);
  free(temporary);
  return written || nnrt_fail(error, "cannot write %s: %s", path, strerror(reason));
}

bool nnrt_checkpoint_writable(const char *path, NnrtError *error) {
  char *folder = folder_of(path);
  bool writable = folder && access(folder, W_OK | X_OK) == 0;
  if (!writable)
    nnrt_fail(error, "checkpoints cannot be written to %s: folder %s: %s", path, folder ? folder : "?",
              strerror(errno));
  free(folder);
  struct stat there; // a rename would put the file in the place of a folder or a device
  if (writable && stat(path, &there) == 0 && !S_ISREG(there.st_mode))
    return nnrt_fail(error, "checkpoints cannot be written to %s: it is %s", path,
                     S_ISDIR(there.st_mode) ? "a folder" : "no regular file");
  return writable;
}

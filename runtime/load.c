// Loading parts of a model: each tensor of the file gets the name it would have here (its part stripped, renamed, put into
// a part of the model), then is held against the tensor of that name. Reals are converted; a library that keeps kernels
// as [out, in, …] has them turned to [in, out] and […, in, out].
#include "load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "differences.h"
#include "dtype.h"
#include "names.h"

typedef struct Loading {
  const NnrtModule *module;
  const NnrtTrain *train;
  const NnrtWeights *weights;
  NnrtTensorFile file;
  char **made; // names that were made, for each entry of the file
  bool whole;
  FILE *notes;
  NnrtError *error;
} Loading;

// ---- names

// The name here of a tensor of the file, NULL if the file's part does not hold it or memory ran out.
static char *name_here(const NnrtWeights *weights, const char *name, bool *renamed) {
  if (weights->part && (!nnrt_name_within(name, weights->part) || !name[strlen(weights->part)]))
    return NULL;
  char *here = strdup(weights->part ? name + strlen(weights->part) + 1 : name);
  for (int i = 0; here && i < weights->rename_count; i++) {
    char *next = nnrt_name_replace(here, weights->renames[i].from, weights->renames[i].to);
    if (!next)
      continue;
    renamed[i] = true;
    free(here);
    here = next;
  }
  if (!here || !weights->into)
    return here;
  size_t size = strlen(weights->into) + strlen(here) + 2;
  char *whole = malloc(size);
  if (whole)
    snprintf(whole, size, "%s.%s", weights->into, here);
  free(here);
  return whole;
}

// Only tensors that have a name here stay in the list.
static void rename_all(Loading *loading, bool *renamed) {
  NnrtTensorFile *file = &loading->file;
  int kept = 0;
  for (int i = 0; i < file->count; i++) {
    char *here = name_here(loading->weights, file->entries[i].name, renamed);
    if (!here)
      continue;
    loading->made[kept] = here;
    file->entries[kept] = file->entries[i];
    file->entries[kept++].here = here;
  }
  file->count = kept;
}

static bool check_names(const Loading *loading, const bool *renamed, const char *first) {
  const NnrtWeights *weights = loading->weights;
  if (weights->part && loading->file.count == 0)
    return nnrt_fail(loading->error, "%s has no part `%s`: its first tensor is %s", loading->file.path, weights->part,
                     first);
  for (int i = 0; i < weights->rename_count; i++)
    if (!renamed[i])
      return nnrt_fail(loading->error, "%s: `rename` finds nothing named `%s`", loading->file.path,
                       weights->renames[i].from);
  return true;
}

static bool give_names(Loading *loading) {
  NnrtTensorFile *file = &loading->file;
  const char *first = file->count ? file->entries[0].name : "none";
  bool *renamed = calloc((size_t)loading->weights->rename_count + 1, sizeof *renamed);
  loading->made = calloc((size_t)file->count + 1, sizeof *loading->made);
  bool fine = (renamed && loading->made) || nnrt_fail(loading->error, "out of memory for the names of %s", file->path);
  if (fine) {
    rename_all(loading, renamed);
    fine = check_names(loading, renamed, first) && nnrt_tensors_sort(file);
  }
  free(renamed);
  return fine;
}

// ---- shapes

// How the elements of a tensor of the file lie, seen from here.
typedef enum Layout {
  UNFIT,
  AS_HERE,
  TURNED, // [out, in, …] to […, in, out]
  SPREAD  // a transposed convolution's [in, out / groups, …] to […, in / groups, out]
} Layout;

static bool same_dims(const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  return entry->rank == tensor->rank &&
         memcmp(entry->dim, tensor->dim, (size_t)tensor->rank * sizeof tensor->dim[0]) == 0;
}

// The same but for dimensions of 1 in front, as PyTorch has them for what is the same in a whole batch.
static bool same_dims_behind_ones(const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  int there = 0, here = 0;
  while (there < entry->rank && entry->dim[there] == 1)
    there++;
  while (here < tensor->rank && tensor->dim[here] == 1)
    here++;
  return entry->rank - there == tensor->rank - here &&
         memcmp(entry->dim + there, tensor->dim + here, (size_t)(tensor->rank - here) * sizeof tensor->dim[0]) == 0;
}

// Whether the file has first what is last here: the kernel's window behind the two others.
static bool same_window(const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  return entry->rank == tensor->rank && tensor->rank >= 2 &&
         memcmp(entry->dim + 2, tensor->dim, (size_t)(tensor->rank - 2) * sizeof tensor->dim[0]) == 0;
}

static bool is_turned(const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  int rank = tensor->rank;
  return same_window(entry, tensor) && entry->dim[0] == tensor->dim[rank - 1] && entry->dim[1] == tensor->dim[rank - 2];
}

static bool is_spread(const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  int rank = tensor->rank;
  return same_window(entry, tensor) && tensor->dim[rank - 2] > 0 && entry->dim[0] % tensor->dim[rank - 2] == 0 &&
         entry->dim[0] / tensor->dim[rank - 2] * entry->dim[1] == tensor->dim[rank - 1];
}

static bool is_real(NnrtType type) {
  return type == NNRT_F32 || type == NNRT_F64;
}

static Layout layout_of(const Loading *loading, const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  bool real = is_real(tensor->type), kernels = loading->weights->pytorch && real;
  const char *layer = tensor->layer ? tensor->layer : "";
  if (real ? !nnrt_dtype_is_real(entry->dtype) : !entry->known || entry->type != tensor->type)
    return UNFIT;
  if (kernels && strncmp(layer, "conv_transpose", 14) == 0 && is_spread(entry, tensor))
    return SPREAD;
  bool table = strcmp(layer, "embedding") == 0 || strcmp(layer, "learned_positions") == 0;
  if (kernels && strncmp(layer, "conv_transpose", 14) != 0 && !table && is_turned(entry, tensor))
    return TURNED;
  return same_dims(entry, tensor) || (kernels && same_dims_behind_ones(entry, tensor)) ? AS_HERE : UNFIT;
}

static bool is_same_type(const NnrtTensorEntry *entry, const NnrtTensor *tensor) {
  return entry->known && entry->type == tensor->type;
}

// Which file fills a tensor: the first whose pattern fits its name. NULL: none does.
static const NnrtWeights *filled_by(const NnrtTrain *train, const NnrtTensor *tensor) {
  for (int i = 0; i < train->load_count; i++) {
    const NnrtWeights *weights = &train->loads[i];
    if (!weights->only || nnrt_name_fits(weights->only, tensor->name))
      return !weights->into || nnrt_name_within(tensor->name, weights->into) ? weights : NULL;
  }
  return NULL;
}

static bool wanted(const Loading *loading, const NnrtTensor *tensor) {
  return tensor->kind <= NNRT_STATE && filled_by(loading->train, tensor) == loading->weights;
}

static void mark_used(Loading *loading) {
  for (int i = 0; i < loading->module->tensor_count; i++) {
    NnrtTensorEntry *entry = nnrt_tensor_find(&loading->file, loading->module->tensors[i].name);
    if (entry)
      entry->used = true;
  }
}

static bool match(Loading *loading) {
  const NnrtTensorFile *file = &loading->file;
  NnrtDifferences found = {.path = file->path, .module = loading->module->name, .out = loading->notes};
  int fitting = 0;
  mark_used(loading);
  for (int i = 0; i < loading->module->tensor_count; i++) {
    const NnrtTensor *tensor = &loading->module->tensors[i];
    const NnrtTensorEntry *entry = nnrt_tensor_find(file, tensor->name);
    if (!wanted(loading, tensor))
      continue;
    if (!entry)
      nnrt_differ_missing(&found, tensor, file);
    else if (layout_of(loading, entry, tensor))
      fitting++;
    else
      nnrt_differ_shape(&found, tensor, entry, is_turned(entry, tensor) ? "; `layout: pytorch` would turn it" : "");
  }
  for (int i = 0; i < file->count; i++)
    if (!file->entries[i].used && !file->entries[i].slot)
      nnrt_differ_unexpected(&found, &file->entries[i]);
  nnrt_differ_end(&found);
  return (fitting > 0 && found.wrong == 0 && !(loading->whole && found.missing)) ||
         nnrt_differ_fail(&found, loading->error);
}

// ---- values

typedef double ElementOf(const void *data, int64_t index);

static double f32_of(const void *data, int64_t index) {
  return ((const float *)data)[index];
}

static double f64_of(const void *data, int64_t index) {
  return ((const double *)data)[index];
}

static double bf16_of(const void *data, int64_t index) {
  uint32_t bits = (uint32_t)((const uint16_t *)data)[index] << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction.
static double f16_of(const void *data, int64_t index) {
  uint16_t bits = ((const uint16_t *)data)[index];
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double size = exponent == 31  ? fraction ? NAN : INFINITY
                : exponent == 0 ? ldexp(fraction, -24)
                                : ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

static ElementOf *reader_of(const char *dtype) {
  return strcmp(dtype, "F32") == 0 ? f32_of : strcmp(dtype, "F64") == 0 ? f64_of : *dtype == 'B' ? bf16_of : f16_of;
}

// Element `index` of the tensor here is this element of the file's.
static int64_t index_in_file(Layout layout, const NnrtTensorEntry *entry, const NnrtTensor *tensor, int64_t index) {
  if (layout == AS_HERE)
    return index;
  int64_t ins = tensor->dim[tensor->rank - 2], outs = tensor->dim[tensor->rank - 1];
  int64_t out = index % outs, in = index / outs % ins, place = index / outs / ins;
  int64_t window = nnrt_elements(tensor->rank, tensor->dim) / outs / ins, second = entry->dim[1];
  if (layout == TURNED)
    return (out * second + in) * window + place;
  int64_t group = out / second;
  return ((group * ins + in) * second + out % second) * window + place;
}

static void convert(const NnrtTensorEntry *entry, const NnrtTensor *tensor, Layout layout, const void *from, void *to) {
  int64_t count = nnrt_elements(tensor->rank, tensor->dim);
  ElementOf *element = reader_of(entry->dtype);
  for (int64_t i = 0; i < count; i++) {
    double value = element(from, index_in_file(layout, entry, tensor, i));
    if (tensor->type == NNRT_F32)
      ((float *)to)[i] = (float)value;
    else
      ((double *)to)[i] = value;
  }
}

static bool read_tensor(const Loading *loading, const NnrtTensorEntry *entry, const NnrtTensor *tensor,
                        uint8_t *state) {
  Layout layout = layout_of(loading, entry, tensor);
  if (is_same_type(entry, tensor) && layout == AS_HERE)
    return nnrt_tensor_read(&loading->file, entry, state + tensor->offset);
  void *bytes = nnrt_allocate(entry->end - entry->begin);
  if (!bytes)
    return nnrt_fail(loading->error, "out of memory for %s of %s", entry->name, loading->file.path);
  bool read = nnrt_tensor_read(&loading->file, entry, bytes);
  if (read)
    convert(entry, tensor, layout, bytes, state + tensor->offset);
  free(bytes);
  return read;
}

static bool read_tensors(const Loading *loading, uint8_t *state) {
  int converted = 0;
  const char *first = NULL;
  for (int i = 0; i < loading->module->tensor_count; i++) {
    const NnrtTensor *tensor = &loading->module->tensors[i];
    const NnrtTensorEntry *entry = wanted(loading, tensor) ? nnrt_tensor_find(&loading->file, tensor->name) : NULL;
    if (!entry)
      continue;
    if (!read_tensor(loading, entry, tensor, state))
      return false;
    if (!is_same_type(entry, tensor) && converted++ == 0)
      first = entry->dtype;
  }
  if (converted)
    fprintf(loading->notes, "%s: %d tensor%s converted from %s\n", loading->file.path, converted,
            converted > 1 ? "s" : "", first);
  return true;
}

static bool load_one(Loading *loading, uint8_t *state) {
  char *path = nnrt_locate(loading->module->file, loading->weights->path);
  bool loaded = nnrt_tensors_open(&loading->file, path, loading->error) && give_names(loading) && match(loading) &&
                read_tensors(loading, state);
  for (int i = 0; loading->made && loading->made[i]; i++)
    free(loading->made[i]);
  free(loading->made);
  loading->made = NULL;
  nnrt_tensors_close(&loading->file);
  free(path);
  return loaded;
}

static bool check_whole(const NnrtModule *module, const NnrtTrain *train, NnrtError *error) {
  for (int i = 0; i < module->tensor_count; i++)
    if (module->tensors[i].kind <= NNRT_STATE && !filled_by(train, &module->tensors[i]))
      return nnrt_fail(error,
                       "`load` of train block `%s` leaves %s as it is, so that the model has to be trained first",
                       train->name, module->tensors[i].name);
  return true;
}

bool nnrt_load(const NnrtModule *module, const NnrtTrain *train, uint8_t *state, bool whole, FILE *notes,
               NnrtError *error) {
  if (whole && !check_whole(module, train, error))
    return false;
  for (int i = 0; i < train->load_count; i++) {
    Loading loading = {
        .module = module, .train = train, .weights = &train->loads[i], .whole = whole, .notes = notes, .error = error};
    if (!load_one(&loading, state))
      return false;
  }
  return true;
}

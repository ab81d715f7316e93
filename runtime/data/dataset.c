// The life of a data set: open (source, transforms, finish), what is known of it, order of an epoch, batches, close.
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "random.h"

typedef struct NnrtBlock {
  struct NnrtBlock *next;
  _Alignas(max_align_t) unsigned char bytes[];
} NnrtBlock;

void *nnrt_data_alloc(NnrtDataset *set, int64_t count, size_t size) {
  if (count < 0 || (uint64_t)count > (SIZE_MAX / 2 - sizeof(NnrtBlock)) / size)
    return NULL;
  NnrtBlock *block = calloc(1, sizeof *block + (size_t)count * size);
  if (!block)
    return NULL;
  block->next = set->blocks;
  set->blocks = block;
  return block->bytes;
}

char *nnrt_data_text(NnrtDataset *set, const char *text, size_t length) {
  char *copy = nnrt_data_alloc(set, (int64_t)length + 1, 1);
  if (copy)
    memcpy(copy, text, length);
  return copy;
}

void nnrt_data_close(NnrtDataset *set) {
  if (!set)
    return;
  for (NnrtBlock *block = set->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  free(set);
}

const NnrtSampleInfo *nnrt_data_info(const NnrtDataset *set) {
  return &set->info;
}

void nnrt_set_x(NnrtDataset *set, int rank, const int64_t *dim) {
  set->known = true;
  set->info.x.rank = rank;
  set->width = 1;
  for (int i = 0; i < rank; i++)
    set->width *= set->info.x.dim[i] = dim[i];
}

void nnrt_set_y_class(NnrtDataset *set, int64_t class_count, const char *const *names) {
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_I64, .rank = 0};
  set->info.class_count = (int)class_count;
  set->info.class_names = names;
}

void nnrt_set_y_target(NnrtDataset *set, int64_t width) {
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_F32, .rank = 1, .dim = {width}};
  set->target_width = width;
}

void nnrt_set_y_map(NnrtDataset *set, int rank, const int64_t *dim, int64_t class_count) {
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_I64, .rank = rank};
  for (int i = 0; i < rank; i++)
    set->info.y.dim[i] = dim[i];
  set->info.class_count = (int)class_count;
}

bool nnrt_set_part(NnrtDataset *set, NnrtPartKind kind, int64_t first, int64_t count) {
  set->info.count[kind] = count;
  if (set->depth != NNRT_DATA_FULL)
    return true;
  int64_t *rows = set->part[kind] = nnrt_data_alloc(set, count, sizeof *rows);
  for (int64_t i = 0; rows && i < count; i++)
    rows[i] = first + i;
  return rows;
}

enum { MOST_STAGES = 64 };

static bool apply(NnrtOpening *opening, NnrtDataset *set, const NnrtStage *stages, const char *what) {
  for (const NnrtStage *stage = stages; stage->name; stage++)
    if (!strcmp(stage->name, opening->call->name)) {
      const NnrtArg *args[NNRT_MAX_PARAMS] = {NULL};
      return (!stage->params || nnrt_bind(opening, stage->params, args)) && stage->apply(opening, set, args);
    }
  static const char *const later[] = {"images", "hdf5", "text",   "series", "window",     "flip",
                                      "shift",  "crop", "rotate", "zoom",   "brightness", "noise"};
  for (size_t i = 0; i < sizeof later / sizeof *later; i++)
    if (!strcmp(later[i], opening->call->name))
      return nnrt_fail_at(opening, NULL, "data %s `%s` is not built yet", what, later[i]);
  const char *names[MOST_STAGES];
  int count = 0;
  for (; count < MOST_STAGES && stages[count].name; count++)
    names[count] = stages[count].name;
  char hint[96];
  return nnrt_fail_at(opening, NULL, "unknown data %s `%s`%s", what, opening->call->name,
                      nnrt_mean_hint(hint, opening->call->name, names, count));
}

static bool open_calls(NnrtOpening *opening, NnrtDataset *set) {
  const NnrtData *data = opening->data;
  if (data->call_count < 1)
    return nnrt_fail_at(opening, NULL, "data `%s` has no source", data->name);
  set->steps = nnrt_data_alloc(set, data->call_count + 1, sizeof *set->steps);
  if (!set->steps)
    return nnrt_fail_memory(opening);
  for (int i = 0; i < data->call_count; i++) {
    opening->call = &data->calls[i];
    if (!(i ? apply(opening, set, nnrt_transform_stages, "transform")
            : apply(opening, set, nnrt_source_stages, "source")))
      return false;
  }
  return nnrt_data_finish(set) || nnrt_fail_memory(opening);
}

NnrtDataset *nnrt_data_open(const NnrtData *data, NnrtDepth depth, NnrtError *error) {
  NnrtError unread;
  NnrtOpening opening = {.data = data, .depth = depth, .error = error ? error : &unread};
  NnrtDataset *set = calloc(1, sizeof *set);
  if (!set) {
    nnrt_fail_memory(&opening);
    return NULL;
  }
  set->depth = depth;
  set->info.x = (NnrtValue){.name = "x", .type = NNRT_F32, .rank = -1};
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_F32, .rank = -1};
  for (int i = 0; i < 3; i++)
    set->info.count[i] = depth == NNRT_DATA_CHECK ? -1 : 0;
  if (open_calls(&opening, set))
    return set;
  nnrt_data_close(set);
  return NULL;
}

// "Algorithm 235: random permutation" (Durstenfeld, CACM 7, 1964). Streams of orders are told from other streams by
// their top byte.
void nnrt_data_order(const NnrtDataset *set, NnrtPartKind part, int64_t seed, int64_t epoch, int64_t *order) {
  int64_t count = set->info.count[part];
  for (int64_t i = 0; i < count; i++)
    order[i] = i;
  if (part != NNRT_PART_TRAIN || set->in_order)
    return;
  uint64_t stream = (uint64_t)0xDA << 56 | ((uint64_t)epoch & (UINT64_MAX >> 8)), element = 0;
  for (int64_t i = count - 1; i > 0; i--) {
    int64_t j = (int64_t)nnrt_below((uint64_t)seed, stream, &element, (uint64_t)i + 1), kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}

static void convert(const uint8_t *restrict in, float *restrict out, int64_t width, float center, float scale) {
  for (int64_t j = 0; j < width; j++)
    out[j] = ((float)in[j] - center) * scale;
}

static void convert_each(const uint8_t *restrict in, float *restrict out, int64_t width, const float *restrict center,
                         const float *restrict scale) {
  for (int64_t j = 0; j < width; j++)
    out[j] = ((float)in[j] - center[j]) * scale[j];
}

// Rows of a shuffled epoch lie anywhere in memory: those to come are asked for while one is converted.
static void fetch(const NnrtDataset *set, int64_t row) {
  for (int64_t j = 0; j < set->width; j += 64)
    __builtin_prefetch(set->bytes + row * set->width + j);
}

static void gather_bytes(const NnrtDataset *set, const int64_t *rows, const int64_t *order, int64_t count, float *x) {
  enum { AHEAD = 4 };
  int64_t width = set->width;
  for (int64_t i = 0; i < AHEAD && i < count; i++)
    fetch(set, rows[order[i]]);
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *in = set->bytes + rows[order[i]] * width;
    if (i + AHEAD < count)
      fetch(set, rows[order[i + AHEAD]]);
    if (!set->scale)
      convert(in, x + i * width, width, 0, 1);
    else if (set->uniform)
      convert(in, x + i * width, width, set->center[0], set->scale[0]);
    else
      convert_each(in, x + i * width, width, set->center, set->scale);
  }
}

// Narrow rows are copied by a loop: a call of memcpy costs more than the copy.
static void gather_floats(const float *table, int64_t width, const int64_t *rows, const int64_t *order, int64_t count,
                          float *x) {
  if (width > 8) {
    for (int64_t i = 0; i < count; i++)
      memcpy(x + i * width, table + rows[order[i]] * width, (size_t)width * sizeof *x);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    const float *in = table + rows[order[i]] * width;
    for (int64_t j = 0; j < width; j++)
      *x++ = in[j];
  }
}

static void gather_maps(const NnrtDataset *set, const int64_t *rows, const int64_t *order, int64_t count, int64_t *y) {
  int64_t width = 1;
  for (int i = 0; i < set->info.y.rank; i++)
    width *= set->info.y.dim[i];
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *in = set->maps + rows[order[i]] * width;
    for (int64_t j = 0; j < width; j++)
      *y++ = in[j];
  }
}

static void gather_one_hot(const NnrtDataset *set, const int64_t *rows, const int64_t *order, int64_t count, float *y) {
  int64_t classes = set->info.class_count;
  memset(y, 0, (size_t)(count * classes) * sizeof *y);
  for (int64_t i = 0; i < count; i++)
    y[i * classes + set->classes[rows[order[i]]]] = 1;
}

void nnrt_data_batch(const NnrtDataset *set, NnrtPartKind part, const int64_t *order, int64_t count, void *x, void *y) {
  const int64_t *rows = set->part[part];
  if (x && set->bytes)
    gather_bytes(set, rows, order, count, x);
  else if (x)
    gather_floats(set->floats, set->width, rows, order, count, x);
  if (!y)
    return;
  if (set->targets)
    gather_floats(set->targets, set->target_width, rows, order, count, y);
  else if (set->maps)
    gather_maps(set, rows, order, count, y);
  else if (set->classes && set->one_hot)
    gather_one_hot(set, rows, order, count, y);
  else if (set->classes)
    for (int64_t i = 0; i < count; i++)
      ((int64_t *)y)[i] = set->classes[rows[order[i]]];
}

// The life of a data set: open (source, transforms, finish), what is known of it, close.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/augment.h"
#include "data/dataset.h"
#include "data/token_set.h"

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

char **nnrt_data_texts(NnrtDataset *set, char *const *texts, int64_t count) {
  char **kept = nnrt_data_alloc(set, count, sizeof *kept);
  for (int64_t i = 0; kept && i < count; i++)
    if (!(kept[i] = nnrt_data_text(set, texts[i], strlen(texts[i]))))
      return NULL;
  return kept;
}

void nnrt_data_close(NnrtDataset *set) {
  if (!set)
    return;
  for (NnrtBlock *block = set->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  nnrt_tokens_free(set->tokens);
  nnrt_tokens_free(set->target_tokens);
  free(set->raw);
  free(set);
}

const NnrtSampleInfo *nnrt_data_info(const NnrtDataset *set) {
  return &set->info;
}

int64_t nnrt_value_elements(const NnrtValue *value) {
  int64_t elements = 1;
  for (int i = 0; i < value->rank; i++)
    elements *= value->dim[i];
  return elements;
}

void nnrt_reshape_x(NnrtDataset *set, int rank, const int64_t *dim) {
  set->info.x.rank = rank;
  for (int i = 0; i < NNRT_MAX_RANK; i++)
    set->info.x.dim[i] = i < rank ? dim[i] : 0;
}

void nnrt_set_x(NnrtDataset *set, int rank, const int64_t *dim) {
  set->known = true;
  nnrt_reshape_x(set, rank, dim);
  set->image = set->info.x;
  set->width = set->x_step = nnrt_value_elements(&set->image);
}

void nnrt_set_y_class(NnrtDataset *set, int64_t class_count, const char *const *names) {
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_I64, .rank = 0};
  set->info.class_count = (int)class_count;
  set->info.class_names = names;
}

void nnrt_set_y_target(NnrtDataset *set, int64_t width) {
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_F32, .rank = 1, .dim = {width}};
  set->target_width = set->y_step = width;
}

void nnrt_set_y_map(NnrtDataset *set, int rank, const int64_t *dim, int64_t class_count) {
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_I64, .rank = rank};
  for (int i = 0; i < rank; i++)
    set->info.y.dim[i] = dim[i];
  set->map_width = nnrt_value_elements(&set->info.y);
  set->info.class_count = (int)class_count;
}

void nnrt_set_x_ids(NnrtDataset *set, int64_t width) {
  nnrt_set_x(set, 1, &width);
  set->info.x.type = NNRT_I64;
}

void nnrt_set_y_ids(NnrtDataset *set, int64_t width) {
  set->info.y = (NnrtValue){.name = "y", .type = NNRT_I64, .rank = 1, .dim = {width}};
  set->target_width = set->y_step = width;
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

static bool takes(const NnrtOpening *opening, const NnrtDataset *set) {
  if (!set->transforms)
    return true;
  char names[128] = "";
  for (const char *const *name = set->transforms; *name; name++) {
    if (!strcmp(*name, opening->call->name))
      return true;
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", *name);
  }
  return nnrt_fail_at(opening, NULL, "`%s` cannot be taken through `%s`, only through %s", opening->data->calls->name,
                      opening->call->name, names);
}

static bool apply(NnrtOpening *opening, NnrtDataset *set, const NnrtStage *stages, const char *what) {
  for (const NnrtStage *stage = stages; stage->name; stage++)
    if (!strcmp(stage->name, opening->call->name)) {
      const NnrtArg *args[NNRT_MAX_PARAMS] = {NULL};
      return takes(opening, set) && (!stage->params || nnrt_bind(opening, stage->params, args)) &&
             stage->apply(opening, set, args);
    }
  static const char *const later[] = {"window"};
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
  if (set->finish && opening->depth != NNRT_DATA_CHECK && !set->finish(opening, set))
    return false;
  return nnrt_augment_check(opening, set) && (nnrt_data_finish(set, opening->error) || nnrt_fail_from(opening, NULL));
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
  set->image = set->info.x;
  for (int i = 0; i < 3; i++)
    set->info.count[i] = depth == NNRT_DATA_CHECK ? -1 : 0;
  if (open_calls(&opening, set))
    return set;
  nnrt_data_close(set);
  return NULL;
}

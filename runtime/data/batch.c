// Samples on their way into a batch. What is stored as it is wanted is gathered; files are decoded and images augmented
// one sample after the other, in scratch memory.
#include <stdlib.h>
#include <string.h>

#include "data/augment.h"
#include "data/boxes.h"
#include "data/images.h"

// ---- samples that lie in memory
static void convert(const uint8_t *restrict in, float *restrict out, int64_t width, float center, float scale) {
  for (int64_t j = 0; j < width; j++)
    out[j] = ((float)in[j] - center) * scale;
}

static void convert_each(const uint8_t *restrict in, float *restrict out, int64_t width, const float *restrict center,
                         const float *restrict scale) {
  for (int64_t j = 0; j < width; j++)
    out[j] = ((float)in[j] - center[j]) * scale[j];
}

static void convert_row(const NnrtDataset *set, const uint8_t *in, float *out) {
  if (!set->scale)
    convert(in, out, set->width, 0, 1);
  else if (set->uniform)
    convert(in, out, set->width, set->center[0], set->scale[0]);
  else
    convert_each(in, out, set->width, set->center, set->scale);
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
    convert_row(set, in, x + i * width);
  }
}

// Narrow rows are copied by a loop: a call of memcpy costs more than the copy.
static void gather_floats(const float *table, int64_t step, int64_t width, const int64_t *rows, const int64_t *order,
                          int64_t count, float *x) {
  if (width > 8) {
    for (int64_t i = 0; i < count; i++)
      memcpy(x + i * width, table + rows[order[i]] * step, (size_t)width * sizeof *x);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    const float *in = table + rows[order[i]] * step;
    for (int64_t j = 0; j < width; j++)
      *x++ = in[j];
  }
}

static void gather_maps(const NnrtDataset *set, const int64_t *rows, const int64_t *order, int64_t count, int64_t *y) {
  int64_t width = set->map_width;
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

static void gather_ids(const int32_t *table, int64_t step, int64_t width, const int64_t *rows, const int64_t *order,
                       int64_t count, int64_t *to) {
  for (int64_t i = 0; i < count; i++) {
    const int32_t *in = table + rows[order[i]] * step;
    for (int64_t j = 0; j < width; j++)
      *to++ = in[j];
  }
}

static void gather_x(const NnrtDataset *set, const int64_t *rows, const int64_t *order, int64_t count, void *x) {
  if (set->ids)
    gather_ids(set->ids, set->x_step, set->width, rows, order, count, x);
  else if (set->bytes)
    gather_bytes(set, rows, order, count, x);
  else
    gather_floats(set->floats, set->x_step, set->width, rows, order, count, x);
}

static void gather_y(const NnrtDataset *set, const int64_t *rows, const int64_t *order, int64_t count, void *y) {
  if (set->targets)
    gather_floats(set->targets, set->y_step, set->target_width, rows, order, count, y);
  else if (set->target_ids)
    gather_ids(set->target_ids, set->y_step, set->target_width, rows, order, count, y);
  else if (set->maps)
    gather_maps(set, rows, order, count, y);
  else if (set->classes && set->one_hot)
    gather_one_hot(set, rows, order, count, y);
  else if (set->classes)
    for (int64_t i = 0; i < count; i++)
      ((int64_t *)y)[i] = set->classes[rows[order[i]]];
}

// ---- samples that take work
bool nnrt_data_row(const NnrtDataset *set, int64_t row, uint8_t *room, uint8_t *map, NnrtRow *x, NnrtError *error) {
  *x = (NnrtRow){0};
  if (set->floats)
    x->floats = set->floats + row * set->x_step;
  else if (set->bytes)
    x->bytes = set->bytes + row * set->width;
  else
    x->bytes = room;
  return set->floats || set->bytes || nnrt_images_load(set->files, row, room, map, error);
}

static bool has_maps(const NnrtDataset *set) {
  return set->maps || (set->files && set->files->masks);
}

// Scratch memory of a fill.
typedef struct Room {
  float *image, *other, *target; // an image as read; for mixup another sample and its target
  uint8_t *bytes, *map;          // decoded
} Room;

static int64_t cut_room(const NnrtDataset *set, uint8_t *scratch, Room *room) {
  bool mixes = set->augment && set->augment->has[NNRT_MIXUP];
  int64_t out = nnrt_value_elements(&set->info.x),
          target = set->info.y.rank < 0 ? 0 : nnrt_value_elements(&set->info.y);
  int64_t image = set->augment ? set->width : 0, other = mixes ? out : 0, goal = mixes ? target : 0;
  if (room) {
    room->image = (float *)scratch;
    room->other = room->image + image;
    room->target = room->other + other;
    room->bytes = (uint8_t *)(room->target + goal);
    room->map = room->bytes + set->width;
  }
  return (image + other + goal) * (int64_t)sizeof(float) + set->width + set->map_width;
}

bool nnrt_data_works(const NnrtDataset *set) {
  return set->augment || (set->files && (!set->bytes || set->files->boxes));
}

int64_t nnrt_data_scratch(const NnrtDataset *set) {
  return nnrt_data_works(set) ? cut_room(set, NULL, NULL) : 0;
}

static void normalise(const NnrtDataset *set, float *x, int64_t count) {
  for (int64_t i = 0; set->scale && i < count; i++)
    x[i] = (x[i] - set->center[0]) * set->scale[0];
}

// Bytes of one scale are changed as they are, 0 … 255, and scaled afterwards; others as they come to the model.
static void augment_x(const NnrtDataset *set, const NnrtDraw *draw, const NnrtPlaces *places, const NnrtRow *row,
                      Room *room, float *x) {
  bool raw = row->bytes && (!set->scale || set->uniform);
  if (raw)
    convert(row->bytes, room->image, set->width, 0, 1);
  else if (row->bytes)
    convert_row(set, row->bytes, room->image);
  nnrt_move_image(set->augment, places, row->floats ? row->floats : room->image, x);
  if (draw->training)
    nnrt_change_values(draw, x, raw ? 255 : 1, raw && set->augment->value_count);
  if (raw)
    normalise(set, x, nnrt_value_elements(&set->info.x));
}

// One sample without its mixture.
static bool fill_one(const NnrtDataset *set, const NnrtDraw *draw, Room *room, float *x, void *y, NnrtError *error) {
  NnrtRow row;
  bool maps = has_maps(set) && y;
  if (!nnrt_data_row(set, draw->row, room->bytes, maps ? room->map : NULL, &row, error))
    return false;
  bool places_move = set->augment && set->augment->height && (draw->training || set->augment->has[NNRT_CROP]);
  NnrtPlaces places = {{{1, 0, 0}, {0, 1, 0}}, true};
  if (places_move)
    places = nnrt_draw_places(draw);
  if (x && places_move)
    augment_x(set, draw, &places, &row, room, x);
  else if (x && row.bytes)
    convert_row(set, row.bytes, x);
  else if (x)
    memcpy(x, row.floats, (size_t)set->width * sizeof *x);
  const uint8_t *map = set->maps ? set->maps + draw->row * set->map_width : room->map;
  int64_t *classes = y;
  if (maps && places_move)
    nnrt_move_map(set->augment, &places, map, classes);
  else if (maps)
    for (int64_t i = 0; i < set->map_width; i++)
      classes[i] = map[i];
  else if (y && set->files && set->files->boxes)
    nnrt_boxes_fill(set->files->boxes, draw->row, set->augment, places_move ? &places : NULL, y);
  else if (y)
    gather_y(set, &draw->row, &(int64_t){0}, 1, y);
  return true;
}

static void mix(float *to, const float *other, int64_t count, float share) {
  for (int64_t i = 0; i < count; i++)
    to[i] = share * to[i] + (1 - share) * other[i];
}

static bool mix_in(const NnrtDataset *set, const NnrtDraw *draw, Room *room, float *x, float *y, NnrtError *error) {
  int64_t other;
  NnrtDraw second = *draw;
  float share = nnrt_draw_mixture(draw, set->info.count[NNRT_PART_TRAIN], &other);
  second.row = set->part[NNRT_PART_TRAIN][other];
  if (!fill_one(set, &second, room, room->other, y ? room->target : NULL, error))
    return false;
  if (x)
    mix(x, room->other, nnrt_value_elements(&set->info.x), share);
  if (y)
    mix(y, room->target, nnrt_value_elements(&set->info.y), share);
  return true;
}

static bool work(const NnrtDataset *set, const NnrtFill *fill, const int64_t *order, int64_t count, void *x, void *y,
                 NnrtError *error) {
  Room room;
  cut_room(set, fill->scratch, &room);
  bool training = fill->training && fill->part == NNRT_PART_TRAIN;
  int64_t x_bytes = nnrt_value_elements(&set->info.x) * (int64_t)sizeof(float);
  int64_t y_bytes = y ? nnrt_value_elements(&set->info.y) * (set->info.y.type == NNRT_I64 ? 8 : 4) : 0;
  for (int64_t i = 0; i < count; i++) {
    NnrtDraw draw = {set->augment, training, (uint64_t)fill->seed, (uint64_t)fill->epoch,
                     set->part[fill->part][order[i]]};
    float *to_x = x ? (float *)((uint8_t *)x + i * x_bytes) : NULL;
    void *to_y = y ? (uint8_t *)y + i * y_bytes : NULL;
    if (!fill_one(set, &draw, &room, to_x, to_y, error) ||
        (training && set->augment && set->augment->has[NNRT_MIXUP] && !mix_in(set, &draw, &room, to_x, to_y, error)))
      return false;
  }
  return true;
}

bool nnrt_data_fill(const NnrtDataset *set, const NnrtFill *fill, const int64_t *order, int64_t count, void *x, void *y,
                    NnrtError *error) {
  if (nnrt_data_works(set))
    return work(set, fill, order, count, x, y, error);
  if (x)
    gather_x(set, set->part[fill->part], order, count, x);
  if (y)
    gather_y(set, set->part[fill->part], order, count, y);
  return true;
}

bool nnrt_data_batch(const NnrtDataset *set, NnrtPartKind part, const int64_t *order, int64_t count, void *x, void *y) {
  NnrtError unread;
  int64_t bytes = nnrt_data_scratch(set);
  NnrtFill fill = {.part = part, .scratch = bytes ? malloc((size_t)bytes) : NULL};
  bool ok = (fill.scratch || !bytes) && nnrt_data_fill(set, &fill, order, count, x, y, &unread);
  free(fill.scratch);
  return ok;
}

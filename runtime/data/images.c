// The `images` source: folders of PNG and JPEG files, a folder a class, or with masks. Sets whose pixels fit into
// 256 MiB are decoded at opening; of others every header is looked at, and files are decoded when a batch needs them.
#include "data/images.h"
#include "data/boxes.h"
#include "paths.h"

#include <stdlib.h>
#include <string.h>

enum { FOLDER, SIZE, COLOR, MASKS, CLASSES, IN_MEMORY, BOXES, GRID };
enum { MOST_SIDE = 1 << 13, MOST_CELLS = 256, MOST_MAP_CLASSES = 256, FITTING = 1 << 28 };

const NnrtParam nnrt_images_params[] = {{"folder", NNRT_TAKES_STR, false, true},
                                        {"size", NNRT_TAKES_INT | NNRT_TAKES_LIST, true, false},
                                        {"color", NNRT_TAKES_STR, true, false},
                                        {"masks", NNRT_TAKES_STR, true, false},
                                        {"classes", NNRT_TAKES_INT, true, false},
                                        {"in_memory", NNRT_TAKES_BOOL, true, false},
                                        {"boxes", NNRT_TAKES_STR, true, false},
                                        {"grid", NNRT_TAKES_INT | NNRT_TAKES_LIST, true, false},
                                        {0}};

// ---- arguments
// A number, or two of them in a list, from 1 to `most`.
static bool read_pair(NnrtOpening *opening, const NnrtArg *arg, int64_t most, int64_t *first, int64_t *second) {
  const NnrtArg *one = arg, *other = arg;
  if (arg->kind == NNRT_ARG_LIST) {
    if (arg->count != 2 || arg->items[0].kind != NNRT_ARG_INT || arg->items[1].kind != NNRT_ARG_INT)
      return nnrt_fail_at(opening, arg, "`%s` of `images` is a number, or [%s]", arg->name,
                          arg->name[0] == 's' ? "height, width" : "rows, columns");
    one = &arg->items[0];
    other = &arg->items[1];
  }
  *first = one->integer;
  *second = other->integer;
  return (*first >= 1 && *first <= most && *second >= 1 && *second <= most) ||
         nnrt_fail_at(opening, arg, "`%s` of `images` is from 1 to %lld, not %lld x %lld", arg->name, (long long)most,
                      (long long)*first, (long long)*second);
}

static bool read_boxes(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args, NnrtImageFiles *files) {
  if (!args[BOXES] != !args[GRID])
    return nnrt_fail_at(opening, args[BOXES] ? args[BOXES] : args[GRID],
                        "`boxes` and `grid` of `images` go together: boxes: \"boxes.csv\", grid: 7");
  if (!args[BOXES])
    return true;
  if (args[MASKS])
    return nnrt_fail_at(opening, args[BOXES], "`images` has masks or boxes, not both");
  files->boxes = nnrt_data_alloc(set, 1, sizeof *files->boxes);
  return files->boxes ? read_pair(opening, args[GRID], MOST_CELLS, &files->boxes->rows, &files->boxes->columns)
                      : nnrt_fail_memory(opening);
}

static bool read_arguments(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args, NnrtImageFiles *files) {
  files->shape.channels = 3;
  if (args[SIZE] && !read_pair(opening, args[SIZE], MOST_SIDE, &files->shape.height, &files->shape.width))
    return false;
  if (!read_boxes(opening, set, args, files))
    return false;
  files->resize = args[SIZE];
  if (args[COLOR]) {
    if (strcmp(args[COLOR]->text, "rgb") && strcmp(args[COLOR]->text, "grey"))
      return nnrt_fail_at(opening, args[COLOR], "`color` of `images` is rgb or grey, not `%s`", args[COLOR]->text);
    files->shape.channels = args[COLOR]->text[0] == 'r' ? 3 : 1;
  }
  if (args[CLASSES]) {
    if (!args[MASKS])
      return nnrt_fail_at(opening, args[CLASSES], "`classes` of `images` counts those of `masks`, which are not given");
    if (args[CLASSES]->integer < 1 || args[CLASSES]->integer > MOST_MAP_CLASSES)
      return nnrt_fail_at(opening, args[CLASSES], "`classes` of `images` is from 1 to %d, not %lld", MOST_MAP_CLASSES,
                          (long long)args[CLASSES]->integer);
    files->classes = args[CLASSES]->integer;
  }
  return true;
}

// ---- decoding
static bool check_map(const NnrtImageFiles *files, int64_t row, const uint8_t *map, NnrtError *error) {
  int64_t places = files->shape.height * files->shape.width, most = 0;
  for (int64_t i = 0; i < places; i++)
    most = map[i] > most ? map[i] : most;
  return most < files->classes || nnrt_fail(error, "%s: the mask holds class %lld; there are %lld, numbered from 0",
                                            files->masks[row], (long long)most, (long long)files->classes);
}

static bool load_map(const NnrtImageFiles *files, int64_t row, uint8_t *map, NnrtError *error) {
  NnrtImageShape shape = files->shape;
  shape.channels = NNRT_NUMBERS;
  return nnrt_image_load(files->masks[row], &shape, files->resize, map, error);
}

bool nnrt_images_load(const NnrtImageFiles *files, int64_t row, uint8_t *pixels, uint8_t *map, NnrtError *error) {
  return nnrt_image_load(files->paths[row], &files->shape, files->resize, pixels, error) &&
         (!map || (load_map(files, row, map, error) && check_map(files, row, map, error)));
}

// Does `work` for every row, several at a time, and reports the first row's error.
typedef bool RowWork(const NnrtDataset *set, int64_t row, NnrtError *error);

static bool each_row(const NnrtDataset *set, RowWork *work, NnrtError *error) {
  int64_t failed = INT64_MAX;
#pragma omp parallel for schedule(dynamic, 8)
  for (int64_t row = 0; row < set->rows; row++) {
    NnrtError found = {0};
    int64_t earlier;
#pragma omp atomic read
    earlier = failed;
    if (row > earlier || work(set, row, &found))
      continue;
#pragma omp critical(nnrt_images)
    if (row < failed) {
#pragma omp atomic write
      failed = row;
      *error = found;
    }
  }
  return failed == INT64_MAX;
}

static bool decode_row(const NnrtDataset *set, int64_t row, NnrtError *error) {
  int64_t places = set->files->shape.height * set->files->shape.width;
  return nnrt_images_load(set->files, row, set->bytes + row * set->width, set->maps ? set->maps + row * places : NULL,
                          error);
}

static bool check_header(const NnrtDataset *set, int64_t row, NnrtError *error) {
  const NnrtImageFiles *files = set->files;
  NnrtImageShape image, mask;
  if (!nnrt_image_size(files->paths[row], &image, error))
    return false;
  if (!files->resize && (image.height != files->shape.height || image.width != files->shape.width))
    return nnrt_fail(error, "%s: %lld x %lld pixels, but %s has %lld x %lld; say the size to resize to, as in size: 64",
                     files->paths[row], (long long)image.height, (long long)image.width, files->paths[0],
                     (long long)files->shape.height, (long long)files->shape.width);
  if (files->boxes && !nnrt_boxes_scale(files->boxes, row, files->paths[row], image.height, image.width, error))
    return false;
  if (!files->masks)
    return true;
  if (!nnrt_image_size(files->masks[row], &mask, error))
    return false;
  return (image.height == mask.height && image.width == mask.width) ||
         nnrt_fail(error, "%s: the mask has %lld x %lld pixels, its image %s has %lld x %lld", files->masks[row],
                   (long long)mask.height, (long long)mask.width, files->paths[row], (long long)image.height,
                   (long long)image.width);
}

// The number of classes in the masks, where it was not said.
static bool count_classes(NnrtDataset *set, NnrtImageFiles *files, NnrtError *error) {
  int64_t places = files->shape.height * files->shape.width, most = 0;
  uint8_t *map = malloc((size_t)places);
  bool ok = map || nnrt_fail(error, "not enough memory for a mask");
  for (int64_t row = 0; ok && row < set->rows; row++) {
    ok = load_map(files, row, map, error);
    for (int64_t i = 0; ok && i < places; i++)
      most = map[i] > most ? map[i] : most;
  }
  free(map);
  files->classes = most + 1;
  return ok;
}

// ---- the set
static const NnrtFileKind image_files = {nnrt_image_named, "images", ".png, .jpg, .jpeg"};

static bool keep_list(NnrtDataset *set, NnrtImageFiles *files, const NnrtFolder *list) {
  set->files = files;
  files->paths = nnrt_data_texts(set, list->paths, list->count);
  files->masks = list->masks ? nnrt_data_texts(set, list->masks, list->count) : NULL;
  if (!files->paths || !files->masks != !list->masks)
    return false;
  return nnrt_folder_keep(list, set);
}

static bool decode_all(NnrtDataset *set, NnrtError *error) {
  int64_t places = set->files->shape.height * set->files->shape.width;
  set->bytes = nnrt_data_alloc(set, set->rows * set->width, 1);
  if (set->files->masks)
    set->maps = nnrt_data_alloc(set, set->rows * places, 1);
  if (!set->bytes || (set->files->masks && !set->maps))
    return nnrt_fail(error, "not enough memory for %lld images", (long long)set->rows);
  return each_row(set, decode_row, error);
}

static bool describe(NnrtDataset *set, NnrtImageFiles *files, const NnrtArg *in_memory, NnrtError *error) {
  NnrtImageShape *shape = &files->shape;
  if (!files->resize && !nnrt_image_size(files->paths[0], shape, error))
    return false;
  nnrt_set_x(set, 3, (const int64_t[]){shape->height, shape->width, shape->channels});
  if (files->masks) {
    if (!files->classes && !count_classes(set, files, error))
      return false;
    nnrt_set_y_map(set, 2, (const int64_t[]){shape->height, shape->width}, files->classes);
  }
  if (set->depth != NNRT_DATA_FULL)
    return true;
  bool keep = in_memory ? in_memory->integer : set->rows <= FITTING / set->width;
  return each_row(set, check_header, error) && (!keep || decode_all(set, error));
}

// Files to predict on: an image, or a folder of them.
bool nnrt_images_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  const NnrtValue *x = &model->image;
  if (x->rank != 2 && (x->rank != 3 || (x->dim[2] != 1 && x->dim[2] != 3)))
    return nnrt_fail(error,
                     "%s: images fit samples of [height, width] or [height, width, 1 or 3], not those of data of %d "
                     "dimension%s",
                     path, x->rank, x->rank == 1 ? "" : "s");
  if (model->floats)
    return nnrt_fail(error, "%s: the model was trained on numbers, not on bytes as those of an image", path);
  NnrtFolder list = {.kind = &image_files};
  NnrtImageFiles *files = nnrt_data_alloc(set, 1, sizeof *files);
  bool ok = files ? nnrt_folder_list_flat(path, &list, error) : nnrt_fail(error, "%s: not enough memory", path);
  if (ok) {
    *files = (NnrtImageFiles){{x->dim[0], x->dim[1], x->rank == 3 ? (int)x->dim[2] : 1}, .resize = true};
    ok = keep_list(set, files, &list) || nnrt_fail(error, "%s: not enough memory", path);
  }
  ok = ok && each_row(set, check_header, error);
  nnrt_folder_free(&list);
  return ok;
}

bool nnrt_images_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  NnrtImageFiles *files = nnrt_data_alloc(set, 1, sizeof *files);
  if (!files)
    return nnrt_fail_memory(opening);
  if (!read_arguments(opening, set, args, files))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  NnrtFolder list = {.kind = &image_files};
  char *folder = nnrt_locate(opening->data->file, args[FOLDER]->text);
  char *masks = args[MASKS] ? nnrt_locate(opening->data->file, args[MASKS]->text) : NULL;
  bool ok = folder && (masks || !args[MASKS])
                ? nnrt_folder_list(folder, masks, masks || files->boxes, &list, opening->error)
                : nnrt_fail_memory(opening);
  ok = ok && (keep_list(set, files, &list) || nnrt_fail_memory(opening));
  if (ok && files->boxes) {
    char *path = nnrt_data_file(opening, args[BOXES]);
    ok = path && nnrt_boxes_read(set, path, strlen(folder) + 1, files->boxes, opening->error);
    free(path);
  }
  ok = ok && describe(set, files, args[IN_MEMORY], opening->error);
  free(folder);
  free(masks);
  nnrt_folder_free(&list);
  set->like = nnrt_images_like;
  return ok || nnrt_fail_from(opening, args[FOLDER]);
}

// Made-up pictures for tasks beyond classification. u(a, b): uniform; all lengths are of the side `size`.
//   shapes     1 to 4 discs, rectangles and triangles on a ground, later ones over earlier ones; x [size, size, 1] in
//              0 … 255, y the class of each pixel: 0 ground, 1 disc, 2 rectangle, 3 triangle
//   scattered  1 to `most` digits of a font of 5 x 7 dots, apart from each other; y [cells, cells, 15]: of the cell that holds
//              a digit's middle (x, y of the middle within the cell, width, height, 1) and the digit as 10 numbers
// The ground is u(0, 255), and shapes differ from it by 60 or more; under digits it is u(0, 120), and they are lighter by 80 or
// more. Every pixel has noise of mean 0 and deviation 255 `noise`, the sum of four uniforms: nearly normal.
// All in double by portable.h, so that a seed means the same samples everywhere.
#include <math.h>
#include <string.h>

#include "data/dataset.h"
#include "data/portable.h"
#include "random.h"

enum { COUNT, SIZE, NOISE, SEED, CELLS, MOST };
enum { LEAST_SIZE = 16, MOST_SIZE = 1024, MOST_DIGITS = 64, DIGITS = 10, CELL_WIDTH = 5 + DIGITS };
static const double contrast = 60, darkest_digit = 80, lightest_ground = 120;
static const int64_t most_pixels = (int64_t)1 << 31;

const NnrtParam nnrt_shapes_params[] = {{"n", NNRT_TAKES_INT, false, false},
                                        {"size", NNRT_TAKES_INT, true, false},
                                        {"noise", NNRT_TAKES_REAL, true, false},
                                        {"seed", NNRT_TAKES_INT, true, false},
                                        {0}};
const NnrtParam nnrt_scattered_params[] = {{"n", NNRT_TAKES_INT, false, false},
                                           {"size", NNRT_TAKES_INT, true, false},
                                           {"noise", NNRT_TAKES_REAL, true, false},
                                           {"seed", NNRT_TAKES_INT, true, false},
                                           {"cells", NNRT_TAKES_INT, true, false},
                                           {"most", NNRT_TAKES_INT, true, false},
                                           {0}};

// One picture being drawn, and what the next number is drawn from.
typedef struct Scene {
  int64_t size;
  double noise, ground;
  uint64_t seed, element;
  double *grey; // of each pixel, before noise
} Scene;

static const uint64_t stream = (uint64_t)0x71 << 56;

static double uniform(Scene *scene, double low, double high) {
  return low + (high - low) * nnrt_uniform(scene->seed, stream, &scene->element);
}

static int64_t below(Scene *scene, int64_t bound) {
  return (int64_t)nnrt_below(scene->seed, stream, &scene->element, (uint64_t)bound);
}

static void clear(Scene *scene, double lightest) {
  scene->ground = uniform(scene, 0, lightest);
  for (int64_t i = 0; i < scene->size * scene->size; i++)
    scene->grey[i] = scene->ground;
}

// A grey that can be told from the ground.
static double other_grey(Scene *scene) {
  double below_ground = fmax(scene->ground - contrast, 0), above_ground = fmax(255 - contrast - scene->ground, 0);
  double at = uniform(scene, 0, below_ground + above_ground);
  return at < below_ground ? at : scene->ground + contrast + at - below_ground;
}

// Mean 0, deviation 1, by one block of random words.
static double bump(Scene *scene) {
  uint32_t word[4];
  nnrt_philox(scene->seed, stream, scene->element++, word);
  double sum = (double)word[0] + (double)word[1] + (double)word[2] + (double)word[3];
  return (sum * 0x1p-32 - 2) * 1.7320508075688772; // four uniforms: variance 4/12
}

static void develop(Scene *scene, uint8_t *to) {
  for (int64_t i = 0; i < scene->size * scene->size; i++) {
    double value = scene->grey[i];
    if (scene->noise > 0)
      value += 255 * scene->noise * bump(scene);
    to[i] = (uint8_t)floor(fmin(fmax(value, 0), 255) + 0.5);
  }
}

// ---- shapes
typedef enum Kind { DISC = 1, RECTANGLE, TRIANGLE } Kind;

typedef struct Shape {
  Kind kind;
  double x, y;          // the middle
  double width, height; // halves; a disc's radius is the first
  double corner[3][2];
} Shape;

static Shape draw_shape(Scene *scene) {
  double size = (double)scene->size, radius = uniform(scene, size / 10, size / 4);
  Shape shape = {.kind = (Kind)(1 + below(scene, 3)), .width = radius, .height = radius};
  shape.x = uniform(scene, radius, size - radius);
  shape.y = uniform(scene, radius, size - radius);
  if (shape.kind == RECTANGLE) {
    shape.width = uniform(scene, radius / 2, radius);
    shape.height = uniform(scene, radius / 2, radius);
  }
  double turn = shape.kind == TRIANGLE ? uniform(scene, 0, 2 * NNRT_PI) : 0;
  for (int i = 0; shape.kind == TRIANGLE && i < 3; i++) {
    double angle = turn + 2 * NNRT_PI / 3 * (i + uniform(scene, -0.2, 0.2));
    shape.corner[i][0] = shape.x + radius * nnrt_cos(angle);
    shape.corner[i][1] = shape.y + radius * nnrt_sin(angle);
  }
  return shape;
}

static bool covers(const Shape *shape, double x, double y) {
  double dx = x - shape->x, dy = y - shape->y;
  if (shape->kind == DISC)
    return dx * dx + dy * dy <= shape->width * shape->width;
  if (shape->kind == RECTANGLE)
    return fabs(dx) <= shape->width && fabs(dy) <= shape->height;
  for (int i = 0; i < 3; i++) { // the corners go round, so the inside lies to the same side of every edge
    const double *from = shape->corner[i], *to = shape->corner[(i + 1) % 3];
    if ((to[0] - from[0]) * (y - from[1]) < (to[1] - from[1]) * (x - from[0]))
      return false;
  }
  return true;
}

static void shapes_sample(Scene *scene, uint8_t *map) {
  memset(map, 0, (size_t)(scene->size * scene->size));
  for (int64_t left = 1 + below(scene, 4); left > 0; left--) {
    Shape shape = draw_shape(scene);
    double grey = other_grey(scene);
    for (int64_t i = 0; i < scene->size * scene->size; i++)
      if (covers(&shape, (double)(i % scene->size) + 0.5, (double)(i / scene->size) + 0.5)) {
        scene->grey[i] = grey;
        map[i] = (uint8_t)shape.kind;
      }
  }
}

// ---- scattered digits
enum { DOTS_WIDE = 5, DOTS_HIGH = 7 };
static const char *const font[DIGITS][DOTS_HIGH] = {
    {" ### ", "#   #", "#  ##", "# # #", "##  #", "#   #", " ### "},
    {"  #  ", " ##  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### "},
    {" ### ", "#   #", "    #", "   # ", "  #  ", " #   ", "#####"},
    {"#####", "   # ", "  #  ", "   # ", "    #", "#   #", " ### "},
    {"   # ", "  ## ", " # # ", "#  # ", "#####", "   # ", "   # "},
    {"#####", "#    ", "#### ", "    #", "    #", "#   #", " ### "},
    {"  ## ", " #   ", "#    ", "#### ", "#   #", "#   #", " ### "},
    {"#####", "    #", "   # ", "  #  ", " #   ", " #   ", " #   "},
    {" ### ", "#   #", "#   #", " ### ", "#   #", "#   #", " ### "},
    {" ### ", "#   #", "#   #", " ####", "    #", "   # ", " ##  "},
};

typedef struct Digit {
  int64_t value;
  double left, top, width, height; // of its dots
} Digit;

static Digit draw_digit(Scene *scene) {
  double size = (double)scene->size, height = uniform(scene, size / 6, size / 3);
  Digit digit = {.value = below(scene, DIGITS), .width = height * uniform(scene, 0.55, 0.8), .height = height};
  digit.left = uniform(scene, 0, size - digit.width);
  digit.top = uniform(scene, 0, size - digit.height);
  if (digit.value == 1) { // its first and last columns are empty
    digit.left += digit.width / (double)DOTS_WIDE;
    digit.width *= 3.0 / (double)DOTS_WIDE;
  }
  return digit;
}

static void paint(Scene *scene, const Digit *digit) {
  double grey = uniform(scene, scene->ground + darkest_digit, 255);
  int from = digit->value == 1, columns = DOTS_WIDE - 2 * from;
  for (int64_t i = 0; i < scene->size * scene->size; i++) {
    double x = ((double)(i % scene->size) + 0.5 - digit->left) / digit->width * columns;
    double y = ((double)(i / scene->size) + 0.5 - digit->top) / digit->height * (double)DOTS_HIGH;
    if (x >= 0 && x < columns && y >= 0 && y < (double)DOTS_HIGH && font[digit->value][(int)y][from + (int)x] == '#')
      scene->grey[i] = grey;
  }
}

static bool apart(const Digit *a, const Digit *b) {
  return a->left + a->width < b->left || b->left + b->width < a->left || a->top + a->height < b->top ||
         b->top + b->height < a->top;
}

// The middle within its cell, the extent as a part of the picture. False: the cell is another digit's.
static bool enter(const Scene *scene, const Digit *digit, int64_t cells, float *target) {
  double size = (double)scene->size, x = (digit->left + digit->width / 2) / size * (double)cells,
         y = (digit->top + digit->height / 2) / size * (double)cells;
  float *cell = target + ((int64_t)y * cells + (int64_t)x) * CELL_WIDTH;
  if (cell[4] != 0)
    return false;
  cell[0] = (float)(x - floor(x));
  cell[1] = (float)(y - floor(y));
  cell[2] = (float)(digit->width / size);
  cell[3] = (float)(digit->height / size);
  cell[4] = cell[5 + digit->value] = 1;
  return true;
}

// A digit that finds no free place in so many tries is left out; the first always finds one.
static void scattered_sample(Scene *scene, int64_t cells, int64_t most, float *target) {
  enum { TRIES = 20 };
  Digit placed[MOST_DIGITS];
  int64_t count = 0;
  for (int64_t left = 1 + below(scene, most); left > 0; left--)
    for (int try = 0; try < TRIES; try++) {
      Digit digit = draw_digit(scene);
      bool free = true;
      for (int64_t i = 0; i < count; i++)
        free &= apart(&digit, &placed[i]);
      if (free && enter(scene, &digit, cells, target)) {
        paint(scene, &digit);
        placed[count++] = digit;
        break;
      }
    }
}

// ---- both
static bool whole(NnrtOpening *opening, const NnrtArg *arg, const char *name, int64_t least, int64_t most,
                  int64_t *value) {
  if (arg)
    *value = arg->integer;
  if (*value >= least && *value <= most)
    return true;
  return nnrt_fail_at(opening, arg, "`%s` of `%s` is from %lld to %lld, not %lld", name, opening->call->name,
                      (long long)least, (long long)most, (long long)*value);
}

// Reads what both take, and tells the shape of x.
static bool begin(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args, Scene *scene) {
  *scene = (Scene){.size = 64, .noise = 0.05};
  set->rows = 500;
  if (!whole(opening, args[SIZE], "size", LEAST_SIZE, MOST_SIZE, &scene->size) ||
      !whole(opening, args[COUNT], "n", 1, most_pixels / (scene->size * scene->size), &set->rows))
    return false;
  if (args[NOISE])
    scene->noise = args[NOISE]->real;
  if (!(scene->noise >= 0 && scene->noise <= 1))
    return nnrt_fail_at(opening, args[NOISE], "`noise` of `%s` is from 0 to 1, not %g", opening->call->name,
                        scene->noise);
  scene->seed = args[SEED] ? (uint64_t)args[SEED]->integer : 0;
  nnrt_set_x(set, 3, (const int64_t[]){scene->size, scene->size, 1});
  for (int i = 0; i < 3; i++)
    set->info.count[i] = 0;
  return nnrt_set_part(set, NNRT_PART_TRAIN, 0, set->rows) || nnrt_fail_memory(opening);
}

static bool make_room(NnrtOpening *opening, NnrtDataset *set, Scene *scene) {
  scene->grey = nnrt_data_alloc(set, set->width, sizeof *scene->grey);
  set->bytes = nnrt_data_alloc(set, set->rows * set->width, 1);
  return (scene->grey && set->bytes) || nnrt_fail_memory(opening);
}

bool nnrt_shapes_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  static const char *const names[] = {"ground", "disc", "rectangle", "triangle"};
  Scene scene;
  if (!begin(opening, set, args, &scene))
    return false;
  nnrt_set_y_map(set, 2, (const int64_t[]){scene.size, scene.size}, 4);
  set->info.class_names = names;
  if (set->depth != NNRT_DATA_FULL)
    return true;
  set->maps = nnrt_data_alloc(set, set->rows * set->width, 1);
  if (!set->maps)
    return nnrt_fail_memory(opening);
  if (!make_room(opening, set, &scene))
    return false;
  for (int64_t i = 0; i < set->rows; i++) {
    clear(&scene, 255);
    shapes_sample(&scene, set->maps + i * set->width);
    develop(&scene, set->bytes + i * set->width);
  }
  return true;
}

bool nnrt_scattered_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  Scene scene;
  int64_t cells = 8, most = 4;
  if (!begin(opening, set, args, &scene) || !whole(opening, args[CELLS], "cells", 1, scene.size, &cells) ||
      !whole(opening, args[MOST], "most", 1, MOST_DIGITS, &most))
    return false;
  int64_t width = cells * cells * CELL_WIDTH;
  if (set->rows > most_pixels / width)
    return nnrt_fail_at(opening, args[CELLS], "%lld samples of %lld x %lld cells are too many", (long long)set->rows,
                        (long long)cells, (long long)cells);
  nnrt_set_y_target(set, width);
  set->box_classes = DIGITS;
  set->box_names = names;
  set->info.y.rank = 3;
  memcpy(set->info.y.dim, (const int64_t[]){cells, cells, CELL_WIDTH}, 3 * sizeof(int64_t));
  if (set->depth != NNRT_DATA_FULL)
    return true;
  set->targets = nnrt_data_alloc(set, set->rows * width, sizeof *set->targets);
  if (!set->targets)
    return nnrt_fail_memory(opening);
  if (!make_room(opening, set, &scene))
    return false;
  for (int64_t i = 0; i < set->rows; i++) {
    clear(&scene, lightest_ground);
    scattered_sample(&scene, cells, most, set->targets + i * width);
    develop(&scene, set->bytes + i * set->width);
  }
  return true;
}

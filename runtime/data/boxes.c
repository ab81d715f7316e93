// Boxes from a CSV file with the columns file, class, left, top, right, bottom.
#include "data/boxes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

enum { FILE_NAME, CLASS, LEFT, TOP, RIGHT, BOTTOM, FIELDS };
static const char *const fields[FIELDS] = {"file", "class", "left", "top", "right", "bottom"};

typedef struct Reading {
  NnrtCsvText text;
  NnrtDataset *set;
  NnrtCsv csv;
  NnrtCell *cells;
  int at[FIELDS]; // the column of each
  size_t prefix;
  NnrtBoxes *boxes;
  int64_t count, room;
  NnrtBox *box; // grows; copied to the set at the end
  const char **names;
  NnrtCategories classes;
  bool numbers; // all classes are whole numbers
} Reading;

static bool find_columns(Reading *r) {
  for (int f = 0; f < FIELDS; f++) {
    r->at[f] = 0;
    while (r->at[f] < r->csv.column_count && strcmp(r->csv.columns[r->at[f]].name, fields[f]))
      r->at[f]++;
    if (r->at[f] == r->csv.column_count)
      return nnrt_csv_fail(&r->text, 1, 1, "no column `%s`; boxes have file, class, left, top, right, bottom",
                           fields[f]);
  }
  return true;
}

// ---- images by name
static int by_path(const void *a, const void *b) {
  return strcmp(**(char *const *const *)a, **(char *const *const *)b);
}

// Pointers to the set's paths, in the order of their bytes.
static char ***sort_paths(const NnrtDataset *set) {
  char ***sorted = malloc((size_t)set->rows * sizeof *sorted + 1);
  for (int64_t i = 0; sorted && i < set->rows; i++)
    sorted[i] = &set->files->paths[i];
  if (sorted)
    qsort(sorted, (size_t)set->rows, sizeof *sorted, by_path);
  return sorted;
}

static int64_t find_image(const Reading *r, char **const *sorted, const NnrtCell *cell) {
  int64_t low = 0, high = r->set->rows;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    const char *name = *sorted[middle] + r->prefix;
    int order = strncmp(name, cell->text, cell->length);
    order = order ? order : name[cell->length] != 0;
    if (!order)
      return sorted[middle] - r->set->files->paths;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

// ---- lines
static bool read_edges(Reading *r, NnrtBox *box) {
  float *const edge[] = {&box->left, &box->top, &box->right, &box->bottom};
  for (int i = 0; i < 4; i++) {
    const NnrtCell *cell = &r->cells[r->at[LEFT + i]];
    double value;
    if (nnrt_parse_number(cell, &value) != NNRT_NUMBER)
      return nnrt_csv_fail(&r->text, cell->line, cell->column, "`%s` is a number of pixels, not `%.*s`",
                           fields[LEFT + i], (int)(cell->length < 40 ? cell->length : 40), cell->text);
    *edge[i] = (float)value;
  }
  return (box->left < box->right && box->top < box->bottom) ||
         nnrt_csv_fail(&r->text, box->line, 1, "a box without extent: from %g, %g to %g, %g", (double)box->left,
                       (double)box->top, (double)box->right, (double)box->bottom);
}

static bool is_whole(const NnrtCell *cell) {
  double value;
  return nnrt_parse_number(cell, &value) == NNRT_NUMBER && value == floor(value) && fabs(value) < 1e15;
}

static bool read_line(Reading *r, char **const *sorted) {
  const NnrtCell *name = &r->cells[r->at[FILE_NAME]], *class = &r->cells[r->at[CLASS]];
  if (r->count == r->room) {
    r->room = r->room ? r->room * 2 : 256;
    NnrtBox *grown = realloc(r->box, (size_t)r->room * sizeof *grown);
    if (!grown)
      return nnrt_csv_fail(&r->text, name->line, 1, "not enough memory");
    r->box = grown;
  }
  NnrtBox *box = &r->box[r->count];
  *box = (NnrtBox){.line = name->line, .row = find_image(r, sorted, name)};
  if (box->row < 0)
    return nnrt_csv_fail(&r->text, name->line, name->column, "there is no image `%.*s` in the folder",
                         (int)(name->length < 100 ? name->length : 100), name->text);
  if (!class->length)
    return nnrt_csv_fail(&r->text, class->line, class->column, "a missing class");
  if (!read_edges(r, box))
    return false;
  r->numbers = r->numbers && is_whole(class);
  r->count++;
  return nnrt_category_add(r->set, &r->classes, class->text, class->length) ||
         nnrt_csv_fail(&r->text, class->line, class->column, "not enough memory");
}

// Twice through the lines: classes have their numbers only when all are known.
static bool read_lines(Reading *r, char **const *sorted) {
  int got;
  const char *first = r->text.at;
  int64_t line = r->text.line, i = 0;
  r->numbers = true;
  while ((got = nnrt_csv_record(&r->text, r->cells, r->csv.column_count)) > 0)
    if (!read_line(r, sorted))
      return false;
  if (got < 0)
    return false;
  if (!r->count)
    return nnrt_csv_fail(&r->text, line, 1, "no boxes");
  nnrt_category_sort(&r->classes, r->numbers);
  r->text.at = r->text.line_start = first;
  r->text.line = line;
  while (nnrt_csv_record(&r->text, r->cells, r->csv.column_count) > 0) {
    const NnrtCell *class = &r->cells[r->at[CLASS]];
    r->box[i++].class = nnrt_category_find(&r->classes, class->text, class->length);
  }
  return true;
}

static int by_image(const void *a, const void *b) {
  const NnrtBox *x = a, *y = b;
  return x->row != y->row ? x->row < y->row ? -1 : 1 : (x->line > y->line) - (x->line < y->line);
}

static bool keep(Reading *r) {
  NnrtBoxes *boxes = r->boxes;
  NnrtDataset *set = r->set;
  qsort(r->box, (size_t)r->count, sizeof *r->box, by_image);
  boxes->boxes = nnrt_data_alloc(set, r->count, sizeof *boxes->boxes);
  boxes->first = nnrt_data_alloc(set, set->rows + 1, sizeof *boxes->first);
  if (!boxes->boxes || !boxes->first)
    return nnrt_csv_fail(&r->text, 1, 1, "not enough memory");
  memcpy(boxes->boxes, r->box, (size_t)r->count * sizeof *r->box);
  for (int64_t i = 0; i < r->count; i++)
    boxes->first[r->box[i].row + 1]++;
  for (int64_t i = 0; i < set->rows; i++)
    boxes->first[i + 1] += boxes->first[i];
  boxes->class_count = r->classes.count;
  boxes->class_names = r->classes.word;
  nnrt_set_y_target(set, boxes->rows * boxes->columns * (5 + boxes->class_count));
  set->info.y.rank = 3;
  set->info.y.dim[0] = boxes->rows;
  set->info.y.dim[1] = boxes->columns;
  set->info.y.dim[2] = 5 + boxes->class_count;
  return true;
}

bool nnrt_boxes_read(NnrtDataset *set, const char *path, size_t prefix, NnrtBoxes *boxes, NnrtError *error) {
  Reading r = {.set = set, .csv = {.separator = ',', .header = true}, .prefix = prefix, .boxes = boxes};
  char ***sorted = sort_paths(set);
  boxes->path = nnrt_data_text(set, path, strlen(path));
  bool ok = nnrt_csv_read(&r.text, path, ',', error) && nnrt_csv_header(&r.text, set, &r.csv) && find_columns(&r);
  r.cells = ok ? calloc((size_t)r.csv.column_count, sizeof *r.cells) : NULL;
  if (ok && (!r.cells || !sorted || !boxes->path))
    ok = nnrt_fail(error, "%s: not enough memory", path);
  ok = ok && read_lines(&r, sorted) && keep(&r);
  nnrt_csv_free(&r.text);
  free(r.cells);
  free(r.box);
  free(sorted);
  return ok;
}

bool nnrt_boxes_scale(const NnrtBoxes *boxes, int64_t row, const char *image, int64_t height, int64_t width,
                      NnrtError *error) {
  for (int64_t i = boxes->first[row]; i < boxes->first[row + 1]; i++) {
    NnrtBox *box = &boxes->boxes[i];
    if (box->left < 0 || box->top < 0 || box->right > (float)width || box->bottom > (float)height)
      return nnrt_fail(error, "%s:%lld:1: the box lies outside of %s, which has %lld x %lld pixels", boxes->path,
                       (long long)box->line, image, (long long)height, (long long)width);
    box->left /= (float)width;
    box->right /= (float)width;
    box->top /= (float)height;
    box->bottom /= (float)height;
  }
  return true;
}

// ---- targets
typedef struct Extent { // parts of the image
  double left, top, right, bottom;
} Extent;

static double clamp(double value) {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

static double area(const Extent *e) {
  return (e->right - e->left) * (e->bottom - e->top);
}

// The extent, in the result, of a box's four corners. Pixels have their middles at whole numbers.
static Extent moved(const NnrtBox *box, const NnrtAugment *augment, const NnrtPlaces *places) {
  const double(*a)[3] = places->a, size = a[0][0] * a[1][1] - a[0][1] * a[1][0];
  Extent extent = {INFINITY, INFINITY, -INFINITY, -INFINITY};
  for (int corner = 0; corner < 4; corner++) {
    double y = (double)(corner & 1 ? box->bottom : box->top) * (double)augment->height - 0.5 - a[0][2];
    double x = (double)(corner & 2 ? box->right : box->left) * (double)augment->width - 0.5 - a[1][2];
    double i = ((a[1][1] * y - a[0][1] * x) / size + 0.5) / (double)augment->out_height;
    double j = ((a[0][0] * x - a[1][0] * y) / size + 0.5) / (double)augment->out_width;
    extent = (Extent){fmin(extent.left, j), fmin(extent.top, i), fmax(extent.right, j), fmax(extent.bottom, i)};
  }
  return extent;
}

static void put(const NnrtBoxes *boxes, const Extent *e, int class, float *y) {
  double across = (e->left + e->right) / 2 * (double)boxes->columns,
         down = (e->top + e->bottom) / 2 * (double)boxes->rows;
  int64_t j = (int64_t)across, i = (int64_t)down, width = 5 + boxes->class_count;
  j = j < boxes->columns ? j : boxes->columns - 1;
  i = i < boxes->rows ? i : boxes->rows - 1;
  float *cell = y + (i * boxes->columns + j) * width;
  if (cell[4] > 0 && (double)cell[2] * (double)cell[3] >= area(e))
    return;
  memset(cell, 0, (size_t)width * sizeof *cell);
  cell[0] = (float)(across - (double)j);
  cell[1] = (float)(down - (double)i);
  cell[2] = (float)(e->right - e->left);
  cell[3] = (float)(e->bottom - e->top);
  cell[4] = cell[5 + class] = 1;
}

void nnrt_boxes_fill(const NnrtBoxes *boxes, int64_t row, const NnrtAugment *augment, const NnrtPlaces *places,
                     float *y) {
  memset(y, 0, (size_t)(boxes->rows * boxes->columns * (5 + boxes->class_count)) * sizeof *y);
  for (int64_t k = boxes->first[row]; k < boxes->first[row + 1]; k++) {
    const NnrtBox *box = &boxes->boxes[k];
    Extent whole = {(double)box->left, (double)box->top, (double)box->right, (double)box->bottom};
    if (places)
      whole = moved(box, augment, places);
    Extent seen = {clamp(whole.left), clamp(whole.top), clamp(whole.right), clamp(whole.bottom)};
    if (area(&seen) * 4 >= area(&whole) && seen.right > seen.left && seen.bottom > seen.top)
      put(boxes, &seen, box->class, y);
  }
}

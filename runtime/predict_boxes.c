// Boxes of objects from a grid of predictions (see yolo_loss of the prelude): of each box its best class, by confidence
// times the class's number; of those that overlap the best (non-maximum suppression).
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "predict.h"

static const double least_score = 0.25, most_overlap = 0.5;

typedef struct Found {
  double score, left, top, right, bottom; // parts of x
  int64_t class, place;                   // place: in the grid, to tell equals apart
} Found;

bool nnrt_predicts_boxes(const Prediction *run) {
  const NnrtValue *output = run->model->function.outputs;
  const char *const *names;
  int classes = run->data ? nnrt_data_box_classes(run->data, &names) : 0;
  return classes > 0 && nnrt_data_file_name(run->rows, 0) && run->model->function.output_count == 1 &&
         run->model->task == NNRT_VALUES && output->rank == 4 && output->dim[3] > classes &&
         (output->dim[3] - classes) % 5 == 0;
}

static double value(const Prediction *run, int64_t index) {
  return nnrt_element(run->model->function.outputs->type, run->call.outputs[0], index);
}

// The boxes of the grid that are worth telling.
static int64_t collect(const Prediction *run, int64_t index, int64_t classes, Found *found) {
  const NnrtValue *output = run->model->function.outputs;
  int64_t rows = output->dim[1], columns = output->dim[2], width = output->dim[3], boxes = (width - classes) / 5;
  int64_t count = 0;
  for (int64_t cell = 0; cell < rows * columns; cell++) {
    int64_t at = (index * rows * columns + cell) * width, class = 0;
    for (int64_t c = 1; c < classes; c++)
      if (value(run, at + 5 * boxes + c) > value(run, at + 5 * boxes + class))
        class = c;
    for (int64_t b = 0; b < boxes; b++) {
      int64_t box = at + 5 * b;
      double score = value(run, box + 4) * value(run, at + 5 * boxes + class);
      double x = ((double)(cell % columns) + value(run, box)) / (double)columns, w = fabs(value(run, box + 2));
      double y = ((double)(cell / columns) + value(run, box + 1)) / (double)rows, h = fabs(value(run, box + 3));
      if (score >= least_score && isfinite(x + y + w + h)) // a score that is not a number is not enough
        found[count++] = (Found){score, x - w / 2, y - h / 2, x + w / 2, y + h / 2, class, cell * boxes + b};
    }
  }
  return count;
}

static int by_score(const void *a, const void *b) {
  const Found *x = a, *y = b;
  return x->score != y->score ? x->score > y->score ? -1 : 1 : (x->place > y->place) - (x->place < y->place);
}

// Intersection over union.
static double overlap(const Found *a, const Found *b) {
  double width = fmin(a->right, b->right) - fmax(a->left, b->left);
  double height = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
  if (width <= 0 || height <= 0)
    return 0;
  double both = width * height;
  return both / ((a->right - a->left) * (a->bottom - a->top) + (b->right - b->left) * (b->bottom - b->top) - both);
}

// Keeps, from the best on, what does not overlap one kept before of its class.
static int64_t suppress(Found *found, int64_t count) {
  int64_t kept = 0;
  qsort(found, (size_t)count, sizeof *found, by_score);
  for (int64_t i = 0; i < count; i++) {
    bool apart = true;
    for (int64_t k = 0; apart && k < kept; k++)
      apart = found[k].class != found[i].class || overlap(&found[k], &found[i]) <= most_overlap;
    if (apart)
      found[kept++] = found[i];
  }
  return kept;
}

static double within(double value, int64_t size) {
  double pixels = value * (double)size;
  return pixels < 0 ? 0 : pixels > (double)size ? (double)size : pixels;
}

static void write_box(const Prediction *run, int64_t row, Found *box, const char *class, int64_t height,
                      int64_t width) {
  nnrt_data_uncrop(run->rows, &box->top, &box->left);
  nnrt_data_uncrop(run->rows, &box->bottom, &box->right);
  nnrt_write_row_name(run, row);
  fputc(',', run->out);
  nnrt_write_text(run->out, class);
  fprintf(run->out, ",%.6f,%.1f,%.1f,%.1f,%.1f\n", box->score, within(box->left, width), within(box->top, height),
          within(box->right, width), within(box->bottom, height));
}

bool nnrt_write_boxes(const Prediction *run, int64_t row, int64_t index, NnrtError *error) {
  if (row < 0)
    return fputs("file,class,score,left,top,right,bottom\n", run->out) >= 0;
  const NnrtValue *output = run->model->function.outputs;
  const char *const *names;
  int64_t classes = nnrt_data_box_classes(run->data, &names), height, width;
  Found *found = malloc((size_t)(output->dim[1] * output->dim[2] * output->dim[3]) * sizeof *found);
  if (!found)
    return nnrt_fail(error, "out of memory for the boxes of an image");
  bool ok = nnrt_data_file_size(run->rows, row, &height, &width, error);
  int64_t count = ok ? suppress(found, collect(run, index, classes, found)) : 0;
  for (int64_t i = 0; i < count; i++)
    write_box(run, row, &found[i], names[found[i].class], height, width);
  free(found);
  return ok;
}

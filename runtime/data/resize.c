// Images made larger and smaller: a triangle filter along rows, then along columns, its weights summing to one. All in
// float, in a fixed order, so that the result is the same everywhere.
#include <math.h>
#include <stdlib.h>

#include "data/image.h"

// What one output position takes: the inputs from `first` on, `count` of them, each by its weight.
typedef struct Taps {
  int64_t first, count;
  float *weights;
} Taps;

// The filter for going from `in` to `out` positions; as wide as a step of the output, at least one input.
static Taps *make_taps(int64_t in, int64_t out) {
  double step = (double)in / (double)out, reach = step > 1 ? step : 1;
  int64_t most = (int64_t)ceil(reach) * 2 + 2;
  Taps *taps = malloc((size_t)out * (sizeof *taps + (size_t)most * sizeof(float)));
  float *weights = taps ? (float *)(taps + out) : NULL;
  for (int64_t i = 0; taps && i < out; i++, weights += most) {
    double center = ((double)i + 0.5) * step, sum = 0;
    int64_t first = (int64_t)floor(center - reach), last = (int64_t)ceil(center + reach);
    first = first < 0 ? 0 : first;
    last = last > in ? in : last;
    taps[i] = (Taps){first, last - first, weights};
    for (int64_t k = first; k < last; k++) {
      double far = fabs((double)k + 0.5 - center) / reach;
      sum += weights[k - first] = far < 1 ? (float)(1 - far) : 0;
    }
    for (int64_t k = 0; k < last - first; k++)
      weights[k] = (float)((double)weights[k] / sum);
  }
  return taps;
}

static void resize_row(const uint8_t *in, float *out, int64_t width, int channels, const Taps *taps) {
  for (int64_t x = 0; x < width; x++)
    for (int c = 0; c < channels; c++) {
      float sum = 0;
      for (int64_t k = 0; k < taps[x].count; k++)
        sum += taps[x].weights[k] * (float)in[(taps[x].first + k) * channels + c];
      *out++ = sum;
    }
}

static void resize_column(const float *rows, uint8_t *out, int64_t elements, const Taps *tap) {
  for (int64_t i = 0; i < elements; i++) {
    float sum = 0.5f;
    for (int64_t k = 0; k < tap->count; k++)
      sum += tap->weights[k] * rows[(tap->first + k) * elements + i];
    out[i] = sum <= 0 ? 0 : sum >= 255 ? 255 : (uint8_t)sum;
  }
}

bool nnrt_resize(const uint8_t *in, int64_t height, int64_t width, uint8_t *out, const NnrtImageShape *shape) {
  int64_t elements = shape->width * shape->channels;
  Taps *across = make_taps(width, shape->width), *down = make_taps(height, shape->height);
  float *rows = malloc((size_t)(height * elements) * sizeof *rows);
  bool ok = across && down && rows;
  for (int64_t y = 0; ok && y < height; y++)
    resize_row(in + y * width * shape->channels, rows + y * elements, shape->width, shape->channels, across);
  for (int64_t y = 0; ok && y < shape->height; y++)
    resize_column(rows, out + y * elements, elements, &down[y]);
  free(rows);
  free(across);
  free(down);
  return ok;
}

void nnrt_resize_nearest(const uint8_t *in, int64_t height, int64_t width, uint8_t *out, const NnrtImageShape *shape) {
  for (int64_t y = 0; y < shape->height; y++)
    for (int64_t x = 0; x < shape->width; x++)
      *out++ = in[(2 * y + 1) * height / (2 * shape->height) * width + (2 * x + 1) * width / (2 * shape->width)];
}

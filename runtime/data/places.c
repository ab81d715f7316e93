// Augmentations that move pixels: one affine map for each sample, and its sampling.
#include <math.h>

#include "data/augment.h"
#include "data/portable.h"
#include "random.h"

// Streams of augmentations are told from other streams by their top byte.
double nnrt_draw(const NnrtDraw *draw, NnrtChange change, int index) {
  uint64_t stream = (uint64_t)0xA9 << 56 | (draw->epoch & (UINT64_MAX >> 8));
  uint64_t element = (uint64_t)draw->row << 16 | (uint64_t)change << 8 | (uint64_t)index;
  return nnrt_uniform(draw->seed, stream, &element);
}

// Uniform in -amount … amount; 0 for a change that is not asked for.
static double either_way(const NnrtDraw *draw, NnrtChange change, int index) {
  if (!draw->training || !draw->augment->has[change])
    return 0;
  return draw->augment->amount[change] * (2 * nnrt_draw(draw, change, index) - 1);
}

static double half_the_time(const NnrtDraw *draw, bool asked, int index) {
  return draw->training && asked && nnrt_draw(draw, NNRT_FLIP, index) < 0.5 ? -1 : 1;
}

// Whole pixels, from a part of the size or a number of pixels.
static double shift(const NnrtDraw *draw, int64_t size, int index) {
  double amount = draw->augment->amount[NNRT_SHIFT], way = either_way(draw, NNRT_SHIFT, index);
  if (amount < 1)
    return floor(way * (double)size + 0.5);
  double most = amount, drawn = draw->training ? nnrt_draw(draw, NNRT_SHIFT, index) : 0.5;
  return floor(drawn * (2 * most + 1)) - most;
}

// Where the cut begins in the image: any place within the padded one, or the middle.
static double cut(const NnrtDraw *draw, int64_t size, int64_t out, int index) {
  const NnrtAugment *augment = draw->augment;
  if (!augment->has[NNRT_CROP])
    return 0;
  if (!draw->training)
    return floor((double)(size - out) / 2);
  int64_t room = size + 2 * augment->padding - out + 1;
  return floor(nnrt_draw(draw, NNRT_CROP, index) * (double)room) - (double)augment->padding;
}

// Around the middle: rotation, shear along rows, zoom, flips; then a move. From places of the result to the image's.
NnrtPlaces nnrt_draw_places(const NnrtDraw *draw) {
  const NnrtAugment *augment = draw->augment;
  double angle = either_way(draw, NNRT_ROTATE, 0), lean = either_way(draw, NNRT_SHEAR, 0);
  double zoom = 1 / (1 + either_way(draw, NNRT_ZOOM, 0));
  double c = nnrt_cos(angle) * zoom, s = nnrt_sin(angle) * zoom, k = nnrt_sin(lean) / nnrt_cos(lean);
  double up = half_the_time(draw, augment->flip_rows, 0), side = half_the_time(draw, augment->flip_columns, 1);
  NnrtPlaces places = {{{c * up, -s * side, 0}, {(s + c * k) * up, (c - s * k) * side, 0}},
                       !augment->has[NNRT_ROTATE] && !augment->has[NNRT_SHEAR] && !augment->has[NNRT_ZOOM]};
  const int64_t in[2] = {augment->height, augment->width}, out[2] = {augment->out_height, augment->out_width};
  for (int i = 0; i < 2; i++) {
    double middle = (double)(out[i] - 1) / 2; // the middle of the cut lies there in the image, before the shift
    double *a = places.a[i];
    a[2] = middle + cut(draw, in[i], out[i], i) - shift(draw, in[i], i) - a[0] * (double)(out[0] - 1) / 2 -
           a[1] * (double)(out[1] - 1) / 2;
  }
  return places;
}

// ---- sampling
// The index that stands for one outside of 0 … count-1; -1: nothing does.
static int64_t inside(int64_t index, int64_t count, NnrtOutside outside) {
  if (index >= 0 && index < count)
    return index;
  if (outside == NNRT_ZERO)
    return -1;
  if (outside == NNRT_EDGE)
    return index < 0 ? 0 : count - 1;
  int64_t period = 2 * count, within = index % period;
  within = within < 0 ? within + period : within;
  return within < count ? within : period - 1 - within;
}

static const float *pixel(const NnrtAugment *augment, const float *in, int64_t y, int64_t x) {
  y = inside(y, augment->height, augment->outside);
  x = inside(x, augment->width, augment->outside);
  return y < 0 || x < 0 ? NULL : in + (y * augment->width + x) * augment->channels;
}

static void add_pixel(float *out, const float *in, int64_t channels, float weight) {
  for (int64_t c = 0; in && c < channels; c++)
    out[c] += weight * in[c];
}

static void sample(const NnrtAugment *augment, const float *in, double y, double x, float *out) {
  double y0 = floor(y), x0 = floor(x);
  int64_t top = (int64_t)y0, left = (int64_t)x0, channels = augment->channels;
  float down = (float)(y - y0), right = (float)(x - x0);
  for (int64_t c = 0; c < channels; c++)
    out[c] = 0;
  add_pixel(out, pixel(augment, in, top, left), channels, (1 - down) * (1 - right));
  add_pixel(out, pixel(augment, in, top, left + 1), channels, (1 - down) * right);
  add_pixel(out, pixel(augment, in, top + 1, left), channels, down * (1 - right));
  add_pixel(out, pixel(augment, in, top + 1, left + 1), channels, down * right);
}

static void copy(const NnrtAugment *augment, const float *in, int64_t y, int64_t x, float *out) {
  const float *from = pixel(augment, in, y, x);
  for (int64_t c = 0; c < augment->channels; c++)
    out[c] = from ? from[c] : 0;
}

static double place(const double a[3], int64_t i, int64_t j) {
  return a[0] * (double)i + a[1] * (double)j + a[2];
}

void nnrt_move_image(const NnrtAugment *augment, const NnrtPlaces *places, const float *in, float *out) {
  for (int64_t i = 0; i < augment->out_height; i++)
    for (int64_t j = 0; j < augment->out_width; j++, out += augment->channels) {
      double y = place(places->a[0], i, j), x = place(places->a[1], i, j);
      if (places->whole)
        copy(augment, in, (int64_t)y, (int64_t)x, out);
      else
        sample(augment, in, y, x, out);
    }
}

void nnrt_move_map(const NnrtAugment *augment, const NnrtPlaces *places, const uint8_t *in, int64_t *out) {
  for (int64_t i = 0; i < augment->out_height; i++)
    for (int64_t j = 0; j < augment->out_width; j++) {
      int64_t y = inside((int64_t)floor(place(places->a[0], i, j) + 0.5), augment->height, augment->outside);
      int64_t x = inside((int64_t)floor(place(places->a[1], i, j) + 0.5), augment->width, augment->outside);
      *out++ = y < 0 || x < 0 ? 0 : in[y * augment->width + x];
    }
}

// Augmentations that change values: light, colour, noise, holes; and mixtures.
#include <math.h>

#include "data/augment.h"
#include "data/portable.h"
#include "random.h"

typedef struct Picture {
  float *values;
  int64_t height, width, channels;
  double range;
} Picture;

static double amount(const NnrtDraw *draw, NnrtChange change) {
  return draw->augment->amount[change] * (2 * nnrt_draw(draw, change, 0) - 1);
}

static int64_t elements(const Picture *picture) {
  return picture->height * picture->width * picture->channels;
}

static void brightness(const NnrtDraw *draw, const Picture *picture) {
  float by = (float)(amount(draw, NNRT_BRIGHTNESS) * picture->range);
  for (int64_t i = 0; i < elements(picture); i++)
    picture->values[i] += by;
}

// Away from the image's mean, or towards it.
static void contrast(const NnrtDraw *draw, const Picture *picture) {
  double sum = 0;
  for (int64_t i = 0; i < elements(picture); i++)
    sum += (double)picture->values[i];
  float mean = (float)(sum / (double)elements(picture)), by = (float)(1 + amount(draw, NNRT_CONTRAST));
  for (int64_t i = 0; i < elements(picture); i++)
    picture->values[i] = mean + (picture->values[i] - mean) * by;
}

// Away from each pixel's grey (ITU-R BT.601), or towards it.
static void saturation(const NnrtDraw *draw, const Picture *picture) {
  float by = (float)(1 + amount(draw, NNRT_SATURATION));
  for (int64_t i = 0; i < picture->height * picture->width; i++) {
    float *v = picture->values + 3 * i, grey = 0.299f * v[0] + 0.587f * v[1] + 0.114f * v[2];
    for (int c = 0; c < 3; c++)
      v[c] = grey + (v[c] - grey) * by;
  }
}

// A turn of the colours around the grey axis, in the plane of NTSC's I and Q. The amount is in whole turns.
static void hue(const NnrtDraw *draw, const Picture *picture) {
  double turn = 2 * NNRT_PI * amount(draw, NNRT_HUE);
  float c = (float)nnrt_cos(turn), s = (float)nnrt_sin(turn);
  for (int64_t k = 0; k < picture->height * picture->width; k++) {
    float *v = picture->values + 3 * k, y = 0.299f * v[0] + 0.587f * v[1] + 0.114f * v[2];
    float i = 0.595716f * v[0] - 0.274453f * v[1] - 0.321263f * v[2];
    float q = 0.211456f * v[0] - 0.522591f * v[1] + 0.311135f * v[2];
    float turned_i = c * i - s * q, turned_q = s * i + c * q;
    v[0] = y + 0.956296f * turned_i + 0.621024f * turned_q;
    v[1] = y - 0.272122f * turned_i - 0.647381f * turned_q;
    v[2] = y - 1.106989f * turned_i + 1.704615f * turned_q;
  }
}

static void noise(const NnrtDraw *draw, const Picture *picture) {
  uint64_t stream = (uint64_t)0xAA << 56 | (draw->epoch & (UINT64_MAX >> 8)), element = (uint64_t)draw->row << 28;
  double deviation = draw->augment->amount[NNRT_NOISE] * picture->range;
  for (int64_t i = 0; i < elements(picture); i++)
    picture->values[i] += (float)(deviation * nnrt_normal(draw->seed, stream, &element));
}

// A square of zeros around any pixel; what lies outside of the image is cut off ("Improved regularization of
// convolutional neural networks with cutout", DeVries and Taylor, 2017).
static void cutout(const NnrtDraw *draw, const Picture *picture) {
  int64_t side = (int64_t)draw->augment->amount[NNRT_CUTOUT];
  int64_t top = (int64_t)(nnrt_draw(draw, NNRT_CUTOUT, 0) * (double)picture->height) - side / 2;
  int64_t left = (int64_t)(nnrt_draw(draw, NNRT_CUTOUT, 1) * (double)picture->width) - side / 2;
  for (int64_t y = top < 0 ? 0 : top; y < top + side && y < picture->height; y++)
    for (int64_t x = left < 0 ? 0 : left; x < left + side && x < picture->width; x++)
      for (int64_t c = 0; c < picture->channels; c++)
        picture->values[(y * picture->width + x) * picture->channels + c] = 0;
}

void nnrt_change_values(const NnrtDraw *draw, float *image, double range, bool clip) {
  static void (*const change[NNRT_CHANGES])(const NnrtDraw *, const Picture *) = {
      [NNRT_BRIGHTNESS] = brightness, [NNRT_CONTRAST] = contrast, [NNRT_SATURATION] = saturation, [NNRT_HUE] = hue,
      [NNRT_NOISE] = noise,           [NNRT_CUTOUT] = cutout};
  const NnrtAugment *augment = draw->augment;
  Picture picture = {image, augment->out_height, augment->out_width, augment->channels, range};
  for (int i = 0; i < augment->value_count; i++)
    change[augment->values[i]](draw, &picture);
  float most = (float)range;
  for (int64_t i = 0; clip && i < elements(&picture); i++)
    image[i] = image[i] < 0 ? 0 : image[i] > most ? most : image[i];
}

// Beta(alpha, alpha) by powers of uniform draws ("Erzeugung von betaverteilten und gammaverteilten Zufallszahlen",
// Jöhnk, Metrika 8, 1964), in logarithms, where small alpha does no harm.
float nnrt_draw_mixture(const NnrtDraw *draw, int64_t count, int64_t *other) {
  double alpha = draw->augment->amount[NNRT_MIXUP];
  uint64_t stream = (uint64_t)0xAB << 56 | (draw->epoch & (UINT64_MAX >> 8)), element = (uint64_t)draw->row << 28;
  *other = (int64_t)nnrt_below(draw->seed, stream, &element, (uint64_t)count);
  for (;;) {
    double a = nnrt_log(1 - nnrt_uniform(draw->seed, stream, &element)) / alpha;
    double b = nnrt_log(1 - nnrt_uniform(draw->seed, stream, &element)) / alpha, most = a > b ? a : b;
    double left = nnrt_exp(a - most), right = nnrt_exp(b - most);
    if (most + nnrt_log(left + right) <= 0)
      return (float)(left / (left + right));
  }
}

// The matrices of minimal filtering as expressions, a row each: see winograd.h. Rows of the places p and -p are an even part plus
// or minus an odd one, so products are few; a compiler finds the part that two rows share.
#include "loops/winograd.h"

#include <math.h>

// The places above 0. Row 0 belongs to 0, rows 2 k + 1 and 2 k + 2 to plus and minus place k, the last to infinity.
static const double *places(int m, int *count) {
  static const double two[] = {1}, four[] = {0.75, 1.5};
  *count = m / 2;
  return m == 2 ? two : four;
}

// a * factor + b; `b` may be NULL.
static LExpr *scaled(Lower *lower, double factor, LExpr *a, LExpr *b) {
  Arena *arena = lower->arena;
  if (!b)
    return factor == 1 ? a : lx_binary(arena, LX_MUL, lx_real(arena, a->type, factor), a);
  if (factor == 1)
    return lx_binary(arena, LX_ADD, b, a);
  if (factor == -1)
    return lx_binary(arena, LX_SUB, b, a);
  return lx_fma(arena, lx_real(arena, a->type, factor), a, b);
}

// The coefficients of the product of x² - q² over all places q but number `skip`; how many.
static int product(int m, int skip, double *coefficients) {
  int count, length = 1;
  const double *place = places(m, &count);
  coefficients[0] = 1;
  for (int i = 0; i < count; i++) {
    if (i == skip)
      continue;
    double square = place[i] * place[i];
    coefficients[length] = coefficients[length - 1];
    for (int k = length - 1; k > 0; k--)
      coefficients[k] = coefficients[k - 1] - square * coefficients[k];
    coefficients[0] *= -square;
    length++;
  }
  return length;
}

// That polynomial of x², with in[first], in[first + 2], … for its powers.
static LExpr *polynomial(Lower *lower, int m, int skip, LExpr *const *in, int first) {
  double coefficients[WINOGRAD_MOST];
  int count = product(m, skip, coefficients);
  LExpr *sum = NULL;
  for (int i = count - 1; i >= 0; i--)
    sum = scaled(lower, coefficients[i], in[first + 2 * i], sum);
  return sum;
}

LExpr *winograd_x(Lower *lower, int m, LExpr *const *in, int row) {
  int count;
  const double *place = places(m, &count);
  if (row == 0 || row == m + 1)
    return polynomial(lower, m, count, in, row ? 1 : 0);
  int k = (row - 1) / 2;
  LExpr *even = polynomial(lower, m, k, in, 2), *odd = polynomial(lower, m, k, in, 1);
  return scaled(lower, row % 2 ? place[k] : -place[k], odd, even);
}

// What the values at place k are divided by: the derivative there of the polynomial that all places are zeros of; k = count: at 0.
static double divisor(int m, int k) {
  int count;
  const double *place = places(m, &count);
  double result = k < count ? 2 * place[k] * place[k] : 1;
  for (int i = 0; i < count; i++)
    if (i != k)
      result *= (k < count ? place[k] * place[k] : 0) - place[i] * place[i];
  return result;
}

LExpr *winograd_w(Lower *lower, int m, LExpr *const *in, int row) {
  int count;
  const double *place = places(m, &count);
  if (row == m + 1)
    return in[2];
  if (row == 0)
    return scaled(lower, 1 / divisor(m, count), in[0], NULL);
  int k = (row - 1) / 2;
  double p = place[k], by = divisor(m, k);
  LExpr *even = scaled(lower, 1 / by, in[0], scaled(lower, p * p / by, in[2], NULL));
  return scaled(lower, (row % 2 ? p : -p) / by, in[1], even);
}

static LExpr *pair(Lower *lower, LExpr *const *in, int k, bool odd) {
  return lx_binary(lower->arena, odd ? LX_SUB : LX_ADD, in[2 * k + 1], in[2 * k + 2]);
}

LExpr *winograd_y(Lower *lower, int m, LExpr *const *in, int row) {
  int count;
  const double *place = places(m, &count);
  LExpr *sum = row == 0 ? in[0] : row == m - 1 ? in[m + 1] : NULL;
  for (int k = 0; k < count; k++)
    sum = scaled(lower, pow(place[k], row), pair(lower, in, k, row % 2), sum);
  return sum;
}

LExpr *winograd_dw(Lower *lower, int m, LExpr *const *in, int row) {
  int count;
  const double *place = places(m, &count);
  LExpr *sum = row == 0 ? scaled(lower, 1 / divisor(m, count), in[0], NULL) : row == 2 ? in[m + 1] : NULL;
  for (int k = 0; k < count; k++)
    sum = scaled(lower, pow(place[k], row) / divisor(m, k), pair(lower, in, k, row % 2), sum);
  return sum;
}

LExpr *winograd_dy(Lower *lower, int m, LExpr *const *in, int row) {
  int count;
  const double *place = places(m, &count);
  if (row == 0 || row == m + 1)
    return in[row ? m - 1 : 0];
  double p = place[(row - 1) / 2];
  LExpr *even = NULL, *odd = NULL;
  for (int i = m - 2; i >= 0; i -= 2) {
    even = scaled(lower, pow(p, i), in[i], even);
    odd = scaled(lower, pow(p, i), in[i + 1], odd);
  }
  return scaled(lower, row % 2 ? p : -p, odd, even);
}

void winograd_line(Lower *lower, WinogradRow *matrix, int m, int in, int out, LExpr *const *values, int row,
                   LExpr **results) {
  LExpr *column[WINOGRAD_MOST], *line[WINOGRAD_MOST];
  for (int j = 0; j < in; j++) {
    for (int i = 0; i < in; i++)
      column[i] = values[i * in + j];
    line[j] = nest_let(lower, "t", matrix(lower, m, column, row));
  }
  for (int j = 0; j < out; j++)
    results[j] = matrix(lower, m, line, j);
}

void winograd_plane(Lower *lower, WinogradRow *matrix, int m, int in, int out, LExpr *const *values, LExpr **results) {
  for (int row = 0; row < out; row++)
    winograd_line(lower, matrix, m, in, out, values, row, results + row * out);
}

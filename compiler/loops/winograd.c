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

// ---- both dimensions
typedef struct Chunk {
  LExpr *from, *to; // channels
} Chunk;

// Element of row `i` and column `j` between the dimensions.
static LExpr *half_at(Lower *lower, const WinogradTransform *t, const Chunk *chunk, LExpr *i, LExpr *j, LExpr *c) {
  LExpr *row = nest_step(lower, i, t->in, j);
  LExpr *at = nest_mul(lower, row, nest_i64(lower, SMALL_TILE));
  return nest_add(lower, nest_add(lower, t->half_at, at), lx_binary(lower->arena, LX_SUB, c, chunk->from));
}

// Element `column` of the row of the matrix whose number is known at run time.
static LExpr *coefficient(Lower *lower, const WinogradTransform *t, LType type, int column) {
  LExpr *value = NULL;
  for (int row = t->out - 1; row >= 0; row--) {
    LExpr *unit[WINOGRAD_MOST];
    for (int i = 0; i < t->in; i++)
      unit[i] = lx_real(lower->arena, type, i == column);
    double real;
    int64_t integer;
    lx_evaluate(t->matrix(lower, t->m, unit, row), &real, &integer);
    LExpr *own = lx_real(lower->arena, type, real),
          *here = lx_binary(lower->arena, LX_EQ, t->line, nest_i64(lower, row));
    value = value ? lx_select(lower->arena, here, own, value) : own;
  }
  return nest_let(lower, "f", value);
}

static void along_columns(Lower *lower, const WinogradTransform *t, const Chunk *chunk, LExpr *const *coefficients) {
  LExpr *values[WINOGRAD_MOST], *zero = nest_i64(lower, 0);
  LExpr *j = nest_loop(lower, LS_FOR, "j", zero, nest_i64(lower, t->in), 1);
  LExpr *c = nest_loop(lower, LS_SIMD, "c", chunk->from, chunk->to, 1), *sum = NULL;
  for (int i = 0; i < t->in; i++)
    values[i] = nest_let(lower, "v", t->load(lower, t->context, nest_i64(lower, i), j, c));
  for (int i = 0; i < t->in && t->line; i++)
    sum = sum ? lx_fma(lower->arena, coefficients[i], values[i], sum)
              : lx_binary(lower->arena, LX_MUL, coefficients[i], values[i]);
  if (t->line)
    nest_put(lower, t->half, half_at(lower, t, chunk, zero, j, c), sum);
  for (int row = 0; row < t->out && !t->line; row++)
    nest_put(lower, t->half, half_at(lower, t, chunk, nest_i64(lower, row), j, c), t->matrix(lower, t->m, values, row));
  nest_close(lower);
  nest_close(lower);
}

static void along_rows(Lower *lower, const WinogradTransform *t, const Chunk *chunk) {
  LExpr *values[WINOGRAD_MOST], *zero = nest_i64(lower, 0);
  LExpr *i = nest_loop(lower, LS_FOR, "i", zero, nest_i64(lower, t->line ? 1 : t->out), 1);
  LExpr *to = nest_add(lower, t->to.at, nest_mul(lower, i, nest_i64(lower, t->to.down)));
  to = nest_let(lower, "line", to);
  LExpr *c = nest_loop(lower, LS_SIMD, "c", chunk->from, chunk->to, 1);
  for (int j = 0; j < t->in; j++)
    values[j] =
        nest_let(lower, "v", lx_load(lower->arena, t->half, half_at(lower, t, chunk, i, nest_i64(lower, j), c)));
  for (int j = 0; j < t->out; j++) {
    LExpr *at = nest_add(lower, nest_add(lower, to, nest_i64(lower, j * t->to.across)), c);
    nest_put(lower, t->to.buffer, at, t->matrix(lower, t->m, values, j));
  }
  nest_close(lower);
  nest_close(lower);
}

void winograd_transform(Lower *lower, const WinogradTransform *t) {
  LExpr *coefficients[WINOGRAD_MOST], *all = nest_i64(lower, t->channels);
  for (int i = 0; i < t->in && t->line; i++)
    coefficients[i] = coefficient(lower, t, t->half->type, i);
  Chunk chunk = {.from = nest_loop(lower, LS_FOR, "c0", nest_i64(lower, 0), all, SMALL_TILE)};
  chunk.to = nest_add(lower, chunk.from, nest_i64(lower, SMALL_TILE));
  if (t->channels < SMALL_TILE)
    chunk.to = all;
  else if (t->channels % SMALL_TILE)
    chunk.to = nest_let(lower, "c1", nest_min(lower, chunk.to, all));
  along_columns(lower, t, &chunk, coefficients);
  along_rows(lower, t, &chunk);
  nest_close(lower);
}

void winograd_transform_line(Lower *lower, const WinogradTransform *t, int line) {
  LExpr *row[WINOGRAD_MOST], *values[WINOGRAD_MOST];
  LExpr *c = nest_loop(lower, LS_SIMD, "c", nest_i64(lower, 0), nest_i64(lower, t->channels), 1);
  for (int j = 0; j < t->in; j++) {
    for (int i = 0; i < t->in; i++)
      values[i] = t->load(lower, t->context, nest_i64(lower, i), nest_i64(lower, j), c);
    row[j] = nest_let(lower, "v", t->matrix(lower, t->m, values, line));
  }
  for (int j = 0; j < t->out; j++) {
    LExpr *at = nest_add(lower, t->to.at, nest_i64(lower, line * t->to.down + j * t->to.across));
    nest_put(lower, t->to.buffer, nest_add(lower, at, c), t->matrix(lower, t->m, row, j));
  }
  nest_close(lower);
}

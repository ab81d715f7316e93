// sin, cos, log and exp of doubles with the same bits on every machine, for data made by formula: the C library's may differ
// in the last bit between versions. Taylor series after range reduction, over IEEE + - * / only (compile without
// contraction to fma). For |x| < 1000 sin and cos are within 5e-16, log within 8e-16 of its value: all that data needs.
#pragma once
#include <math.h>

#define NNRT_PI 3.14159265358979323846

// sin(x + quarter * pi/2): reduces by the nearest multiple of pi/2, split in a head of 33 bits and a tail (Cody and
// Waite, 1980).
static inline double nnrt_sin_quarter(double x, int quarter) {
  const double head = 0x1.921fb544p+0, tail = 0x1.0b4611a626331p-34;
  double turns = floor(x * (2 / NNRT_PI) + 0.5);
  double r = (x - turns * head) - turns * tail, square = r * r;
  int which = (int)((long long)turns + quarter) & 3;
  double term = which & 1 ? 1 : r, sum = term;
  for (int i = which & 1 ? 1 : 2; i <= 17; i += 2) {
    term *= -square / (i * (i + 1));
    sum += term;
  }
  return which & 2 ? -sum : sum;
}

static inline double nnrt_sin(double x) {
  return nnrt_sin_quarter(x, 0);
}
static inline double nnrt_cos(double x) {
  return nnrt_sin_quarter(x, 1);
}

// log(m * 2^e) = e log 2 + 2 artanh((m-1)/(m+1)), m in [sqrt(1/2), sqrt(2)). For x > 0.
static inline double nnrt_log(double x) {
  int exponent;
  double m = frexp(x, &exponent);
  if (m < 0.70710678118654752440) {
    m *= 2;
    exponent--;
  }
  double s = (m - 1) / (m + 1), square = s * s, power = s, sum = s;
  for (int i = 3; i <= 23; i += 2) {
    power *= square;
    sum += power / i;
  }
  return 2 * sum + exponent * 0.69314718055994530942;
}

// exp(x) = 2^k exp(r), |r| <= log(2)/2, by Taylor's series. For x <= 0; below -700 it is 0.
static inline double nnrt_exp(double x) {
  if (x < -700)
    return 0;
  double k = floor(x / 0.69314718055994530942 + 0.5), r = x - k * 0.69314718055994530942, term = 1, sum = 1;
  for (int i = 1; i <= 14; i++) {
    term *= r / i;
    sum += term;
  }
  return ldexp(sum, (int)k);
}

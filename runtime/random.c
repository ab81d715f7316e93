// Philox4x32-10: "Parallel random numbers: as easy as 1, 2, 3" (Salmon, Moraes, Dror, Shaw, SC 2011). A block of four
// words is a pure function of key and counter: key = seed, counter words = element low, element high, stream low,
// stream high. The draws below use one block each, so that a sequence can be entered anywhere.
#include "random.h"

#include "data/portable.h"

void nnrt_philox(uint64_t seed, uint64_t stream, uint64_t element, uint32_t out[4]) {
  uint32_t c0 = (uint32_t)element, c1 = (uint32_t)(element >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static uint64_t draw(uint64_t seed, uint64_t stream, uint64_t *element) {
  uint32_t word[4];
  nnrt_philox(seed, stream, (*element)++, word);
  return (uint64_t)word[1] << 32 | word[0];
}

// The 128-bit product a * b; returns its high half.
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t *low) {
  uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
  uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + (uint32_t)middle;
  *low = a * b;
  return a1 * b1 + (middle >> 32) + (other >> 32);
}

// "Fast random integer generation in an interval" (Lemire, ACM TOMACS 29, 2019).
uint64_t nnrt_below(uint64_t seed, uint64_t stream, uint64_t *element, uint64_t bound) {
  if (bound < 2)
    return 0;
  uint64_t low, high = multiply(draw(seed, stream, element), bound, &low);
  if (low < bound) {
    uint64_t least = (0 - bound) % bound;
    while (low < least)
      high = multiply(draw(seed, stream, element), bound, &low);
  }
  return high;
}

double nnrt_uniform(uint64_t seed, uint64_t stream, uint64_t *element) {
  return (double)(draw(seed, stream, element) >> 11) * 0x1p-53;
}

// Box and Muller, 1958; 1 - u keeps the logarithm's argument above 0.
double nnrt_normal(uint64_t seed, uint64_t stream, uint64_t *element) {
  double radius = sqrt(-2 * nnrt_log(1 - nnrt_uniform(seed, stream, element)));
  return radius * nnrt_cos(2 * NNRT_PI * nnrt_uniform(seed, stream, element));
}

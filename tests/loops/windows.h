// Numbers of places in space and under windows, for tests that compare with sums by hand.
#pragma once
#include "loops/run_graph.h"

// A dimension of windows of 3 that leaves its size as it is.
#define SAME                                                                                                           \
  { 3, 1, 1, 1, 1 }

// The places of row-major number `number` in `sizes`.
static inline void unravel(int64_t number, const int64_t *sizes, int count, int64_t *place) {
  for (int d = count - 1; d >= 0; number /= sizes[d], d--)
    place[d] = number % sizes[d];
}

static inline int64_t product(const int64_t *sizes, int count) {
  int64_t all = 1;
  for (int d = 0; d < count; d++)
    all *= sizes[d];
  return all;
}

static inline int64_t tap_count(const Window *window, int space) {
  int64_t all = 1;
  for (int d = 0; d < space; d++)
    all *= window[d].size;
  return all;
}

// Where window p sees a dimension of so many places by tap r; -1: nowhere.
static inline int64_t seen(const Window *w, int64_t size, int64_t p, int64_t r) {
  int64_t place = p * w->stride + r * w->dilation - w->before;
  return place < 0 || place % w->spread || place / w->spread >= size ? -1 : place / w->spread;
}

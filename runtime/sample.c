// Sampling with temperature, top-k and top-p ("The curious case of neural text degeneration", Holtzman, Buys, Du, Forbes,
// Choi, ICLR 2020), by counter-based random numbers and an exp of the same bits everywhere.
#include "sample.h"

#include <math.h>
#include <stdlib.h>

#include "data/portable.h"
#include "random.h"

static const uint64_t stream = (uint64_t)0x7E << 56;

static int by_value(const void *a, const void *b) {
  const NnrtCandidate *x = a, *y = b;
  if (x->value != y->value)
    return x->value < y->value ? 1 : -1;
  return (x->id > y->id) - (x->id < y->id);
}

static bool sort(NnrtCandidate *candidates, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (isnan(candidates[i].value) || candidates[i].value == INFINITY)
      return false;
  qsort(candidates, (size_t)count, sizeof *candidates, by_value);
  return count > 0 && candidates[0].value > -INFINITY;
}

// Values become weights, that of the first 1. Returns their sum.
static double weigh(NnrtCandidate *candidates, int64_t count, double temperature) {
  double most = candidates[0].value, sum = 0;
  for (int64_t i = 0; i < count; i++)
    sum += candidates[i].value = nnrt_exp((candidates[i].value - most) / temperature);
  return sum;
}

// How many of the first have `share` of the sum, at least one; that sum becomes theirs. Weights of 0 are never among them.
static int64_t nucleus(const NnrtCandidate *candidates, int64_t count, double share, double *sum) {
  double wanted = share * *sum, reached = 0;
  int64_t kept = 0;
  while (kept < count && candidates[kept].value > 0 && (kept == 0 || reached < wanted))
    reached += candidates[kept++].value;
  *sum = reached;
  return kept;
}

int64_t nnrt_sample(const NnrtSampling *how, NnrtCandidate *candidates, int64_t count, int64_t seed, int64_t position) {
  if (!sort(candidates, count))
    return -1;
  if (how->temperature == 0)
    return candidates[0].id;
  if (how->top_k > 0 && how->top_k < count)
    count = how->top_k;
  double sum = weigh(candidates, count, how->temperature);
  count = nucleus(candidates, count, how->top_p, &sum);
  uint64_t element = (uint64_t)position;
  double left = sum * nnrt_uniform((uint64_t)seed, stream, &element);
  int64_t chosen = 0;
  while (chosen < count - 1 && (left -= candidates[chosen].value) >= 0)
    chosen++;
  return candidates[chosen].id;
}

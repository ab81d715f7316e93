// Drawing one of many by their probabilities: the choice of the next token of a text.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct NnrtSampling {
  double temperature; // probabilities are raised to 1/temperature; 0: always the most probable one
  int64_t top_k;      // only of the k most probable; 0: of all
  double top_p; // only of the first, by probability, that together have at least this much of it (Holtzman et al. 2020)
} NnrtSampling;

typedef struct NnrtCandidate {
  double value; // logarithm of its probability, or of any multiple of it
  int64_t id;
} NnrtCandidate;

// The id of one of `count` candidates: temperature, then top_k, then top_p, then draw number `position` under the seed.
// Of equally probable ones that of the smaller id comes first. The same arguments give the same id on every machine.
// -1: a value is NaN or infinity, or none is above -infinity. Candidates are sorted, and their values overwritten.
int64_t nnrt_sample(const NnrtSampling *how, NnrtCandidate *candidates, int64_t count, int64_t seed, int64_t position);

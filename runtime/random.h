// Counter-based random numbers for data order and splits: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011).
#pragma once
#include <stdint.h>

// Word `index` (0 … 3) of the block at counter (element, stream) under key `seed`.
void nnrt_philox(uint64_t seed, uint64_t stream, uint64_t element, uint32_t out[4]);
// Uniform in 0 … bound-1 without bias (Lemire 2019, with rejection); advances *element.
uint64_t nnrt_below(uint64_t seed, uint64_t stream, uint64_t *element, uint64_t bound);
// Uniform in [0, 1), 53 bits; advances *element. Normal by Box-Muller.
double nnrt_uniform(uint64_t seed, uint64_t stream, uint64_t *element);
double nnrt_normal(uint64_t seed, uint64_t stream, uint64_t *element);

// Time of each call of a function that was compiled for a profile.
#pragma once
#include "nnrt.h"

typedef struct NnrtTally {
  int64_t calls;
  double seconds;
} NnrtTally;

// From now on calls add to `tallies`, one for each by its number, which the caller clears as it likes; NULL: to none.
void nnrt_tally_into(NnrtTally *tallies);

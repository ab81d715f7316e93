// Time of calls, as thread 0 sees it: from the end of the call before, when all threads were through with it, to the end
// of this one. One function at a time is profiled.
#include "tally.h"

#include "state.h"

static NnrtTally *tallies;
static double last;

void nnrt_tally_into(NnrtTally *into) {
  tallies = into;
}

void nnrt_profile(int thread, int call) {
  if (thread || !tallies)
    return;
  double now = nnrt_seconds();
  if (call >= 0) {
    tallies[call].calls++;
    tallies[call].seconds += now - last;
  }
  last = now;
}

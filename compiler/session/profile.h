// `nnc profile`: where the time of a step goes, kernel by kernel, and how near each comes to what the machine can do.
#pragma once
#include "base/text.h"
#include "loops/work.h"
#include "session/machine.h"

// A kernel of the graph, or one that packs what a scan's kernels read in each step.
typedef struct ProfileRow {
  const char *name, *place; // place: lines of the .nn files, then the path of layer calls; "" if none
  Work work;                // of one call
  double calls, seconds;    // of a step
} ProfileRow;

typedef struct Profile {
  const char *function, *file; // train_step
  const char *through;         // the JIT, C
  int64_t batch, steps;
  int row_count;
  ProfileRow *rows;   // the longest first
  double step, plain; // seconds of a step: with a clock after each kernel, and without
  Machine machine;
} Profile;

// An entry of that name with _profile behind it, which does the same and calls nnrt_profile.
const LEntry *profile_entry(LoopModule *loops, const char *name);

double profile_operations(const Work *work);
// Seconds that a call takes at least: at the peak, or at the bandwidth, whichever is longer. Work divided by it is the
// roofline, min(peak, bandwidth * operations / bytes).
double profile_limit(const Machine *machine, const Work *work);

void profile_table(Text *out, const Profile *profile);
// The roofline with a dot for each kernel: one element <svg>, the same for the same numbers.
void profile_svg(Text *out, const Profile *profile);

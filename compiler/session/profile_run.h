// Running a step for a profile.
#pragma once
#include "compile.h"
#include "train.h"

// Machine code of the entry of that name; NULL: there is none.
typedef NnrtRun *ProfileFind(Arena *arena, void *code, const char *name);
typedef struct ProfileCode {
  ProfileFind *find;
  void *code;
} ProfileCode;

// What is profiled: the step of a train block, or a model's prediction (`train` NULL).
typedef struct ProfileSubject {
  const char *entry; // train_step, classifier_predict
  const NnrtFunction *function;
  const NnrtTrain *train;
  const NnrtPredict *predict;
} ProfileSubject;

// Means over the middle half of the steps by their time: what disturbs a few steps does not count.
typedef struct ProfileTimes {
  int threads;
  int64_t batch, steps;    // steps: so many were timed
  double step, plain;      // seconds of a step, by the entry that looks at the clock and by the one that does not
  double *calls, *seconds; // of each call of the entry, a step, the look at the clock taken off
} ProfileTimes;

// `profiled`: the entry that looks at the clock, `call_count` calls long. The data as the block has them, or samples made
// up for a model that has none. Takes about two seconds, or options->steps steps. False with a message.
bool profile_run(Arena *arena, const Compilation *compilation, const ProfileCode *code, const ProfileSubject *subject,
                 const LEntry *profiled, int call_count, const NnrtOptions *options, ProfileTimes *times,
                 NnrtError *error);

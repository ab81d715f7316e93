// Batches of a part, one after the other, put before a call. Where samples take work (decoding, augmentation) and there
// is more than one thread, workers prepare the batches to come while a step runs; the bits are the same either way.
// Samples that lie ready in memory are copied in between: an image of 32 x 32 x 3 bytes takes 2.5 microseconds.
#pragma once
#include <signal.h>

#include "call.h"

typedef struct NnrtFeed {
  NnrtCall *call;
  NnrtPart *part;
  NnrtFill fill;
  int64_t batch;
  int64_t epoch_steps;       // batches in an epoch
  int64_t epoch, epoch_step; // of the batch that comes next
  struct NnrtCrew *crew;     // NULL: batches are filled when they are asked for
} NnrtFeed;

// From where `from` stands (its batch, epoch, epoch_step, and of its fill training and seed), for `steps` batches at
// most. Training: in the order of each epoch, augmented; else in the part's own order. False: no memory.
bool nnrt_feed_begin(NnrtFeed *feed, NnrtCall *call, NnrtPart *part, const NnrtFeed *from, int64_t steps,
                     NnrtError *error);
// The next batch as the call's inputs, its count in clock[4]. False with a message if a file could not be read.
bool nnrt_feed_next(NnrtFeed *feed, NnrtError *error);
// Waits for the workers, who leave what they have begun. Of a feed that was not begun too.
void nnrt_feed_end(NnrtFeed *feed);

typedef enum NnrtPass { NNRT_PASS_DONE, NNRT_PASS_STOPPED, NNRT_PASS_FAILED } NnrtPass;
// Means over a whole part, left in the call's sums; STOPPED if `stop` was set meanwhile.
NnrtPass nnrt_feed_part(NnrtCall *call, NnrtPart *part, int64_t batch, const volatile sig_atomic_t *stop,
                        NnrtError *error);

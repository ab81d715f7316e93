// The two files of a run that saves: NAME.safetensors, what `save` asks for, and NAME.last.safetensors, the exact
// place to resume from. The first is never older on disk than the second says. Quick epochs do not pay for a file
// each: a checkpoint that comes too soon after the last one waits in memory.
#pragma once
#include "checkpoint.h"

typedef struct NnrtSaver {
  const NnrtModule *module;
  const char *block;
  char *path, *last_path; // NULL: nothing is saved
  uint8_t *waiting;       // a copy of the state that NAME.safetensors is to hold
  NnrtPosition waiting_at;
  bool is_waiting, failed; // failed: the last write did; told once
  double next;             // earliest time of the next write
  double pause, share;     // seconds between writes: `pause`, or `share` times what the last one took
} NnrtSaver;

// NAME.safetensors is to hold this state, at the end of an epoch.
void nnrt_saver_keep(NnrtSaver *saver, const uint8_t *state, const NnrtPosition *position, double now);
// Writes what waits and the place to resume from, if it is time (or `now` is NNRT_SAVER_NOW). False: the disk refused.
#define NNRT_SAVER_NOW (-1.0)
bool nnrt_saver_last(NnrtSaver *saver, const uint8_t *state, const NnrtPosition *position, double now);
// Writes what waits, and no more: the state is spoilt.
bool nnrt_saver_flush(NnrtSaver *saver);
void nnrt_saver_free(NnrtSaver *saver);

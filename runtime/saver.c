// When checkpoints are written, and in which order.
#include "saver.h"

#include <stdlib.h>
#include <string.h>

// A write that fails is told once and tried again at the next occasion; training goes on.
static bool write_checkpoint(NnrtSaver *saver, const uint8_t *state, const NnrtPosition *position, const char *path) {
  NnrtError error = {0};
  bool written = nnrt_checkpoint_write(saver->module, saver->block, state, position, path, &error);
  if (!written && !saver->failed)
    nnrt_report(&error);
  saver->failed = !written;
  return written;
}

static void rest(NnrtSaver *saver, double began) {
  double now = nnrt_seconds(), cost = saver->share * (now - began);
  saver->next = now + (cost > saver->pause ? cost : saver->pause);
}

void nnrt_saver_keep(NnrtSaver *saver, const uint8_t *state, const NnrtPosition *position, double now) {
  if (!saver->path)
    return;
  size_t bytes = (size_t)saver->module->state_bytes;
  if (!saver->waiting && now < saver->next)
    saver->waiting = malloc(bytes + 1);
  if (saver->waiting && now < saver->next) {
    memcpy(saver->waiting, state, bytes);
    saver->waiting_at = *position;
    saver->is_waiting = true;
  } else {
    saver->is_waiting = !write_checkpoint(saver, state, position, saver->path) && saver->is_waiting;
  }
}

bool nnrt_saver_flush(NnrtSaver *saver) {
  if (!saver->is_waiting)
    return true;
  saver->is_waiting = !write_checkpoint(saver, saver->waiting, &saver->waiting_at, saver->path);
  return !saver->is_waiting;
}

bool nnrt_saver_last(NnrtSaver *saver, const uint8_t *state, const NnrtPosition *position, double now) {
  if (!saver->path || (now != NNRT_SAVER_NOW && now < saver->next))
    return true;
  double began = nnrt_seconds();
  bool written = nnrt_saver_flush(saver) && write_checkpoint(saver, state, position, saver->last_path);
  rest(saver, began);
  return written;
}

void nnrt_saver_free(NnrtSaver *saver) {
  free(saver->path);
  free(saver->last_path);
  free(saver->waiting);
}

// Data sets being opened in the background while the program is compiled. A data set belongs to the first who takes it.
#include <pthread.h>
#include <stdlib.h>

#include "state.h"
#include "train.h"

typedef struct Pending {
  const NnrtData *data;
  pthread_t thread;
  NnrtDataset *opened;
  NnrtError error;
  struct Pending *next;
} Pending;

static Pending *waiting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *open_data(void *argument) {
  Pending *pending = argument;
  pending->opened = nnrt_data_open(pending->data, NNRT_DATA_FULL, &pending->error);
  return NULL;
}

void nnrt_data_begin(const NnrtData *data) {
  Pending *pending = calloc(1, sizeof *pending);
  if (!pending)
    return;
  pending->data = data;
  if (pthread_create(&pending->thread, NULL, open_data, pending) != 0) {
    free(pending);
    return;
  }
  pthread_mutex_lock(&lock);
  pending->next = waiting;
  waiting = pending;
  pthread_mutex_unlock(&lock);
}

NnrtDataset *nnrt_data_take(const NnrtData *data, NnrtError *error) {
  pthread_mutex_lock(&lock);
  Pending **link = &waiting;
  while (*link && (*link)->data != data)
    link = &(*link)->next;
  Pending *pending = *link;
  if (pending)
    *link = pending->next;
  pthread_mutex_unlock(&lock);
  if (!pending)
    return nnrt_data_open(data, NNRT_DATA_FULL, error);
  pthread_join(pending->thread, NULL);
  NnrtDataset *opened = pending->opened;
  if (!opened)
    *error = pending->error;
  free(pending);
  return opened;
}

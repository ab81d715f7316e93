// Filling of batches. A crew has a slot for each worker and one more, which the step is using; batch number b lies in
// slot b modulo their number. Workers take numbers in order, so errors come up in the order of the batches too.
#include "feed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_WORKERS = 4, MOST_SLOTS = MOST_WORKERS + 1 };

typedef enum SlotState { FREE, BEING_FILLED, READY, FAILED } SlotState;

typedef struct Slot {
  SlotState state;
  void *x, *y;
  int64_t rows;
  NnrtError error;
} Slot;

// What a worker works with: an order, scratch memory.
typedef struct Worker {
  struct NnrtCrew *crew;
  pthread_t thread;
  NnrtFill fill;
  int64_t *order, order_epoch;
} Worker;

typedef struct NnrtCrew {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool stop;
  int worker_count, slot_count;
  Worker workers[MOST_WORKERS];
  Slot slots[MOST_SLOTS];
  const NnrtPart *part;
  int64_t batch, epoch_steps;
  int64_t next, end; // numbers, from epoch 0 on, of the batch to be begun and of that behind the last one
  int64_t used;      // of the batch before the step; -1: none yet
} NnrtCrew;

static int64_t rows_at(const NnrtPart *part, int64_t batch, int64_t step) {
  int64_t rest = part->count - step * batch;
  return rest < batch ? rest : batch;
}

// ---- workers
static void fill_slot(Worker *worker, Slot *slot, int64_t number) {
  const NnrtCrew *crew = worker->crew;
  int64_t epoch = number / crew->epoch_steps, step = number % crew->epoch_steps;
  worker->fill.epoch = epoch;
  if (worker->order_epoch != epoch) {
    nnrt_data_order(crew->part->data, crew->part->kind, worker->fill.seed, epoch, crew->batch, worker->order);
    worker->order_epoch = epoch;
  }
  slot->rows = rows_at(crew->part, crew->batch, step);
  slot->state = nnrt_data_fill(crew->part->data, &worker->fill, worker->order + step * crew->batch, slot->rows, slot->x,
                               slot->y, &slot->error)
                    ? READY
                    : FAILED;
}

static void *work(void *argument) {
  Worker *worker = argument;
  NnrtCrew *crew = worker->crew;
  pthread_mutex_lock(&crew->mutex);
  for (;;) {
    while (!crew->stop && crew->next < crew->end && crew->slots[crew->next % crew->slot_count].state != FREE)
      pthread_cond_wait(&crew->changed, &crew->mutex);
    if (crew->stop || crew->next >= crew->end)
      break;
    int64_t number = crew->next++;
    Slot *slot = &crew->slots[number % crew->slot_count], filled = *slot;
    slot->state = BEING_FILLED;
    pthread_mutex_unlock(&crew->mutex);
    fill_slot(worker, &filled, number);
    pthread_mutex_lock(&crew->mutex);
    *slot = filled;
    pthread_cond_broadcast(&crew->changed);
  }
  pthread_mutex_unlock(&crew->mutex);
  return NULL;
}

// ---- the crew
static void free_crew(NnrtCrew *crew) {
  for (int i = 0; i < MOST_WORKERS; i++) {
    free(crew->workers[i].order);
    free(crew->workers[i].fill.scratch);
  }
  for (int i = 0; i < MOST_SLOTS; i++) {
    free(crew->slots[i].x);
    free(crew->slots[i].y);
  }
  free(crew);
}

static int choose_workers(int threads, int64_t steps) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (threads < 2 || steps < 2)
    return 0;
  return processors >= 2 * MOST_WORKERS ? MOST_WORKERS : processors >= 4 ? (int)processors / 2 : 1;
}

static bool equip(NnrtCrew *crew, const NnrtFeed *feed) {
  const NnrtFunction *function = feed->call->function;
  int64_t scratch = nnrt_data_scratch(feed->part->data);
  bool whole = true;
  for (int i = 0; whole && i < crew->worker_count; i++) {
    Worker *worker = &crew->workers[i];
    *worker = (Worker){.crew = crew, .fill = feed->fill, .order_epoch = -1};
    worker->order = malloc((size_t)feed->part->count * sizeof *worker->order);
    worker->fill.scratch = nnrt_allocate(scratch);
    whole = worker->order && worker->fill.scratch;
  }
  for (int i = 0; whole && i < crew->slot_count; i++)
    for (int k = 0; k < function->input_count; k++) {
      const NnrtValue *input = &function->inputs[k];
      void *memory = nnrt_allocate(feed->batch * nnrt_elements(input->rank, input->dim) * nnrt_type_bytes(input->type));
      *(k ? &crew->slots[i].y : &crew->slots[i].x) = memory;
      whole = whole && memory;
    }
  return whole;
}

// Without a crew the batches are filled in between; that is always possible.
static void gather_crew(NnrtFeed *feed, int64_t steps) {
  int workers = nnrt_data_works(feed->part->data) ? choose_workers(feed->call->frame.threads, steps) : 0;
  NnrtCrew *crew = workers ? calloc(1, sizeof *crew) : NULL;
  if (!crew)
    return;
  int64_t first = feed->epoch * feed->epoch_steps + feed->epoch_step;
  crew->worker_count = workers;
  crew->slot_count = workers + 1;
  crew->part = feed->part;
  crew->batch = feed->batch;
  crew->epoch_steps = feed->epoch_steps;
  crew->next = first;
  crew->end = first + steps;
  crew->used = -1;
  if (!equip(crew, feed)) {
    free_crew(crew);
    return;
  }
  pthread_mutex_init(&crew->mutex, NULL);
  pthread_cond_init(&crew->changed, NULL);
  int begun = 0;
  while (begun < workers && !pthread_create(&crew->workers[begun].thread, NULL, work, &crew->workers[begun]))
    begun++;
  crew->worker_count = begun;
  feed->crew = crew;
  if (!begun)
    nnrt_feed_end(feed);
}

static bool next_of_crew(NnrtFeed *feed, NnrtError *error) {
  NnrtCrew *crew = feed->crew;
  int64_t number = feed->epoch * feed->epoch_steps + feed->epoch_step;
  Slot *slot = &crew->slots[number % crew->slot_count];
  pthread_mutex_lock(&crew->mutex);
  if (crew->used >= 0) {
    crew->slots[crew->used % crew->slot_count].state = FREE;
    pthread_cond_broadcast(&crew->changed);
  }
  while (slot->state != READY && slot->state != FAILED)
    pthread_cond_wait(&crew->changed, &crew->mutex);
  crew->used = number;
  pthread_mutex_unlock(&crew->mutex);
  if (slot->state == FAILED) {
    *error = slot->error;
    return false;
  }
  feed->call->inputs[0] = slot->x;
  feed->call->inputs[1] = slot->y;
  feed->call->frame.clock[4] = slot->rows;
  return true;
}

// ---- feeds
bool nnrt_feed_begin(NnrtFeed *feed, NnrtCall *call, NnrtPart *part, const NnrtFeed *from, int64_t steps,
                     NnrtError *error) {
  *feed = *from;
  feed->call = call;
  feed->part = part;
  feed->fill.part = part->kind;
  feed->crew = NULL;
  feed->epoch_steps = (part->count + feed->batch - 1) / feed->batch;
  if (feed->epoch_step == feed->epoch_steps) {
    feed->epoch_step = 0;
    feed->epoch++;
  }
  gather_crew(feed, steps);
  if (feed->crew)
    return true;
  if (feed->fill.training && feed->epoch_step)
    nnrt_data_order(part->data, part->kind, feed->fill.seed, feed->epoch, feed->batch, part->order);
  int64_t scratch = nnrt_data_scratch(part->data);
  feed->fill.scratch = scratch ? nnrt_allocate(scratch) : NULL;
  return !scratch || feed->fill.scratch || nnrt_fail(error, "out of memory for the samples of a batch");
}

static void advance(NnrtFeed *feed) {
  if (++feed->epoch_step < feed->epoch_steps)
    return;
  feed->epoch_step = 0;
  feed->epoch++;
}

bool nnrt_feed_next(NnrtFeed *feed, NnrtError *error) {
  bool fine;
  if (feed->crew) {
    fine = next_of_crew(feed, error);
  } else {
    NnrtPart *part = feed->part;
    NnrtCall *call = feed->call;
    int64_t step = feed->epoch_step, rows = rows_at(part, feed->batch, step);
    if (!step && feed->fill.training)
      nnrt_data_order(part->data, part->kind, feed->fill.seed, feed->epoch, feed->batch, part->order);
    feed->fill.epoch = feed->epoch;
    call->frame.clock[4] = rows;
    fine = nnrt_data_fill(part->data, &feed->fill, part->order + step * feed->batch, rows, call->x, call->y, error);
  }
  advance(feed);
  return fine;
}

void nnrt_feed_end(NnrtFeed *feed) {
  NnrtCrew *crew = feed->crew;
  free(feed->fill.scratch);
  feed->fill.scratch = NULL;
  feed->crew = NULL;
  if (!crew)
    return;
  pthread_mutex_lock(&crew->mutex);
  crew->stop = true;
  pthread_cond_broadcast(&crew->changed);
  pthread_mutex_unlock(&crew->mutex);
  for (int i = 0; i < crew->worker_count; i++)
    pthread_join(crew->workers[i].thread, NULL);
  pthread_mutex_destroy(&crew->mutex);
  pthread_cond_destroy(&crew->changed);
  feed->call->inputs[0] = feed->call->x;
  feed->call->inputs[1] = feed->call->y;
  free_crew(crew);
}

NnrtPass nnrt_feed_part(NnrtCall *call, NnrtPart *part, int64_t batch, const volatile sig_atomic_t *stop,
                        NnrtError *error) {
  NnrtFeed feed;
  NnrtPass pass = NNRT_PASS_DONE;
  nnrt_call_clear(call);
  nnrt_call_prepare(call);
  int64_t steps = (part->count + batch - 1) / batch, seed = call->frame.clock[2];
  if (!nnrt_feed_begin(&feed, call, part, &(NnrtFeed){.batch = batch}, steps, error))
    return NNRT_PASS_FAILED;
  for (int64_t i = 0; i < steps && pass == NNRT_PASS_DONE; i++) {
    if (!nnrt_feed_next(&feed, error)) {
      pass = NNRT_PASS_FAILED;
      break;
    }
    nnrt_call_key(call, seed, i);
    call->function->run(&call->frame);
    nnrt_call_add(call);
    if (stop && *stop)
      pass = NNRT_PASS_STOPPED;
  }
  nnrt_feed_end(&feed);
  call->frame.clock[2] = seed;
  return pass;
}

// Teams of threads, for both backends on one OpenMP runtime: their barrier, and the rounds of loops that are dealt to them.
// OpenMP's own barrier may spin for milliseconds; where other work shares the processors that keeps off the very thread that
// is waited for. This one spins for a time like that between two kernels and then sleeps; at once where there are more threads
// than processors. OpenMP's own way of dealing rounds has one counter for all, so that threads lose what lies in their caches.
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "nnrt.h"

enum { SPINS = 2000 }; // about 50 microseconds

static struct {
  int threads, spins;               // of the team; written between teams only
  uint64_t team;                    // a number for it
  atomic_uint_least64_t generation; // barriers passed and teams begun
  atomic_int arrived;
  pthread_mutex_t mutex;
  pthread_cond_t passed;
} barrier = {.threads = 1, .mutex = PTHREAD_MUTEX_INITIALIZER, .passed = PTHREAD_COND_INITIALIZER};

// What the team knows of each of its threads. taken: how many rounds of its stretch have been taken, by itself or by others, for
// each loop between two barriers; the upper half is the generation it is said of, so that nobody has to clear what an earlier
// one left.
enum { MOST_THREADS = 1024, MOST_LOOPS = 15 };
static struct {
  _Alignas(128) atomic_uint_least64_t team; // the last one that gave this number to a thread
  atomic_uint_least64_t taken[MOST_LOOPS];
} seats[MOST_THREADS];

// What a thread knows of itself and the loop that it goes through.
static _Thread_local struct {
  uint64_t team, generation; // of its last loop
  int loop;                  // since that generation began
  int thread, threads;       // that take part
  int owner, others; // whose stretch it takes from, how many more it may look at; -1: only its own, from `next` on
  int64_t rounds, first, end, next;
} hand;

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void forget_taken(void) {
  for (int i = 0; i < MOST_THREADS; i++)
    for (int k = 0; k < MOST_LOOPS; k++)
      atomic_store_explicit(&seats[i].taken[k], 0, memory_order_relaxed);
}

static void next_generation(void) {
  if ((uint32_t)(atomic_load_explicit(&barrier.generation, memory_order_relaxed) + 1) == 0)
    forget_taken();
  atomic_fetch_add_explicit(&barrier.generation, 1, memory_order_release);
}

// Alone with the team: every other thread waits.
static void release(void) {
  atomic_store_explicit(&barrier.arrived, 0, memory_order_relaxed);
  pthread_mutex_lock(&barrier.mutex);
  next_generation();
  pthread_cond_broadcast(&barrier.passed);
  pthread_mutex_unlock(&barrier.mutex);
}

static void await(uint64_t generation) {
  for (int i = 0; i < barrier.spins; i++) {
    if (atomic_load_explicit(&barrier.generation, memory_order_acquire) != generation)
      return;
    relax();
  }
  pthread_mutex_lock(&barrier.mutex);
  while (atomic_load_explicit(&barrier.generation, memory_order_acquire) == generation)
    pthread_cond_wait(&barrier.passed, &barrier.mutex);
  pthread_mutex_unlock(&barrier.mutex);
}

static int processors(void) {
  static int count; // asking costs a system call
  return count ? count : (count = omp_get_num_procs());
}

void nnrt_team(int threads) {
  barrier.threads = threads;
  barrier.team++;
  next_generation();
  barrier.spins = threads > 1 && threads > processors() ? 0 : SPINS;
}

int nnrt_threads(void) {
  return barrier.threads;
}

void nnrt_barrier(void) {
  if (barrier.threads <= 1)
    return;
  uint64_t generation = atomic_load_explicit(&barrier.generation, memory_order_acquire);
  if (atomic_fetch_add_explicit(&barrier.arrived, 1, memory_order_acq_rel) + 1 == barrier.threads)
    release();
  else
    await(generation);
}

void nnrt_parallel(int threads, void (*body)(const NnrtFrame *, int thread, int threads), const NnrtFrame *frame) {
  nnrt_team(threads);
  if (threads <= 1) {
    body(frame, 0, 1);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    body(frame, nnrt_thread(), threads);
    nnrt_barrier(); // all arrive together, so that the join does not spin
  }
  nnrt_team(1);
}

// ---- rounds
// A number that no other thread of the team has: OpenMP's, unless the threads are those of another OpenMP than this file's.
int nnrt_thread(void) {
  int team = barrier.threads;
  if (team <= 1)
    return 0;
  if (team > MOST_THREADS)
    return omp_get_thread_num();
  if (hand.team == barrier.team)
    return hand.thread;
  for (int i = omp_get_thread_num() % team;; i = (i + 1) % team)
    if (atomic_exchange_explicit(&seats[i].team, barrier.team, memory_order_relaxed) != barrier.team) {
      hand.team = barrier.team;
      return hand.thread = i;
    }
}

static void take_from(int owner) {
  hand.owner = owner;
  hand.first = hand.rounds * owner / hand.threads;
  hand.end = hand.rounds * (owner + 1) / hand.threads;
}

// Loops have numbers from barrier to barrier, the same in every thread.
static void count_loop(void) {
  uint64_t generation = atomic_load_explicit(&barrier.generation, memory_order_acquire);
  hand.loop = generation == hand.generation ? hand.loop + 1 : 0;
  hand.generation = generation;
}

int64_t nnrt_deal(int64_t rounds, int threads) {
  enum { LOOKS = 8 }; // at other stretches: each waits for memory that another thread has written
  int team = barrier.threads, thread = nnrt_thread();
  hand.threads = threads > 0 && threads < team ? threads : team;
  hand.rounds = rounds;
  if (team > 1)
    count_loop();
  if (thread >= hand.threads)
    return -1;
  hand.others = hand.threads - 1 < LOOKS ? hand.threads - 1 : LOOKS;
  if (team == 1 || team > MOST_THREADS || hand.loop >= MOST_LOOPS)
    hand.others = -1;
  take_from(thread);
  hand.next = hand.first;
  return nnrt_next();
}

// A round of the stretch that `hand` is at, -1: all are taken.
static int64_t take(void) {
  atomic_uint_least64_t *taken = &seats[hand.owner].taken[hand.loop];
  uint64_t seen = atomic_load_explicit(taken, memory_order_relaxed);
  for (;;) {
    uint64_t count = seen >> 32 == (uint32_t)hand.generation ? (uint32_t)seen : 0,
             more = hand.generation << 32 | (count + 1);
    if (hand.first + (int64_t)count >= hand.end)
      return -1;
    if (atomic_compare_exchange_weak_explicit(taken, &seen, more, memory_order_relaxed, memory_order_relaxed))
      return hand.first + (int64_t)count;
  }
}

int64_t nnrt_next(void) {
  if (hand.others < 0)
    return hand.next < hand.end ? hand.next++ : -1;
  for (;;) {
    int64_t round = take();
    if (round >= 0 || hand.others == 0)
      return round;
    hand.others--;
    take_from((hand.owner + 1) % hand.threads);
  }
}

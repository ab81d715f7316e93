// Teams of threads, for both backends on one OpenMP runtime, and their barrier. OpenMP's own barrier may spin for
// milliseconds; where other work shares the processors that keeps off the very thread that is waited for. This one spins
// for a time like that between two kernels and then sleeps; at once where there are more threads than processors.
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "nnrt.h"

enum { SPINS = 2000 }; // about 50 microseconds

static struct {
  int threads, spins;     // of the team; written between teams only
  atomic_uint generation; // barriers passed
  atomic_int arrived;
  pthread_mutex_t mutex;
  pthread_cond_t passed;
} barrier = {.threads = 1, .mutex = PTHREAD_MUTEX_INITIALIZER, .passed = PTHREAD_COND_INITIALIZER};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void release(void) {
  atomic_store_explicit(&barrier.arrived, 0, memory_order_relaxed);
  pthread_mutex_lock(&barrier.mutex);
  atomic_fetch_add_explicit(&barrier.generation, 1, memory_order_release);
  pthread_cond_broadcast(&barrier.passed);
  pthread_mutex_unlock(&barrier.mutex);
}

static void await(unsigned generation) {
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
  barrier.spins = threads > 1 && threads > processors() ? 0 : SPINS;
}

int nnrt_threads(void) {
  return barrier.threads;
}

void nnrt_barrier(void) {
  if (barrier.threads <= 1)
    return;
  unsigned generation = atomic_load_explicit(&barrier.generation, memory_order_acquire);
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
    body(frame, omp_get_thread_num(), omp_get_num_threads());
    nnrt_barrier(); // all arrive together, so that the join does not spin
  }
  nnrt_team(1);
}

// Teams of threads for code of the LLVM backend. The C backend says the same with OpenMP pragmas, so that both run on
// one team of the same OpenMP runtime.
#include <omp.h>

#include "nnrt.h"

void nnrt_parallel(int threads, void (*body)(const NnrtFrame *, int thread, int threads), const NnrtFrame *frame) {
  if (threads <= 1) {
    body(frame, 0, 1);
    return;
  }
#pragma omp parallel num_threads(threads)
  body(frame, omp_get_thread_num(), omp_get_num_threads());
}

// Binds to the team that calls it; alone, it does nothing.
void nnrt_barrier(void) {
#pragma omp barrier
}

// Clock, memory, peak, backends: see bench.h.
#include "bench.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "session/jit.h"
#include "session/shared.h"
#include "state.h"

void *bench_untouched(int64_t bytes) {
  void *memory = nnrt_allocate(bytes);
  if (!memory) {
    fprintf(stderr, "out of memory: %lld MB wanted\n", (long long)(bytes >> 20));
    exit(1);
  }
  return memory;
}

void *bench_memory(int64_t bytes) {
  return memset(bench_untouched(bytes), 0, (size_t)bytes);
}

void *bench_tensor(int64_t count) {
  enum { LARGE_PAGES = 4 << 20 };
  int64_t bytes = count * (int64_t)sizeof(float);
  float *memory = bench_memory(bytes < LARGE_PAGES ? LARGE_PAGES : bytes);
  for (int64_t i = 0; i < count; i++)
    memory[i] = (float)(i % 13) - 6;
  return memory;
}

double bench_touched(void *memory, int64_t bytes) {
  enum { PAGES = 1024 };
  size_t page = (size_t)sysconf(_SC_PAGESIZE), touched = 0;
  char *end = (char *)memory + bytes;
  unsigned char there[PAGES];
  for (char *at = (char *)memory - (size_t)memory % page; at < end; at += PAGES * page) {
    size_t count = ((size_t)(end - at) + page - 1) / page;
    count = count < PAGES ? count : PAGES;
    if (mincore(at, count * page, there))
      return 0;
    for (size_t i = 0; i < count; i++)
      touched += there[i] & 1;
  }
  return 1e-6 * (double)(touched * page);
}

double bench_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const char *target_cpu; // NULL: this machine's

static Target target(void) {
  Target found = target_host();
  if (target_cpu)
    target_parse(target_cpu, &found);
  return found;
}

bool bench_arguments(int *argc, char ***argv) {
  if (*argc < 3 || strcmp((*argv)[1], "--target-cpu") != 0)
    return true;
  Target found;
  target_cpu = (*argv)[2];
  if (!target_parse(target_cpu, &found))
    return fprintf(stderr, "--target-cpu: there is no processor `%s`\n", (*argv)[2]), false;
  *argc -= 2;
  *argv += 2;
  return true;
}

enum { CHAINS = 12, ROUNDS = 2000000 };

// Twelve independent chains, each in a register: enough to hide the latency of two units. They begin apart, or the
// compiler would see that they are one.
#define SPIN(lanes)                                                                                                    \
  typedef float Lanes##lanes __attribute__((vector_size(4 * lanes)));                                                  \
  static float spin_##lanes(void) {                                                                                    \
    const Lanes##lanes a = (Lanes##lanes){0} + 0.999f, b = (Lanes##lanes){0} + 1e-3f;                                  \
    Lanes##lanes s0 = b, s1 = b + 1, s2 = b + 2, s3 = b + 3, s4 = b + 4, s5 = b + 5, s6 = b + 6, s7 = b + 7,           \
                 s8 = b + 8, s9 = b + 9, s10 = b + 10, s11 = b + 11;                                                   \
    for (int i = 0; i < ROUNDS; i++) {                                                                                 \
      s0 = s0 * a + b, s1 = s1 * a + b, s2 = s2 * a + b, s3 = s3 * a + b;                                              \
      s4 = s4 * a + b, s5 = s5 * a + b, s6 = s6 * a + b, s7 = s7 * a + b;                                              \
      s8 = s8 * a + b, s9 = s9 * a + b, s10 = s10 * a + b, s11 = s11 * a + b;                                          \
    }                                                                                                                  \
    const Lanes##lanes sum = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11;                              \
    return sum[0] + sum[lanes - 1];                                                                                    \
  }
SPIN(4)
SPIN(8)
SPIN(16)

double bench_peak(int threads) {
  int lanes = target().vector_bytes / 4;
  float (*spin)(void) = lanes == 16 ? spin_16 : lanes == 8 ? spin_8 : spin_4;
  volatile float sink = 0;
  double best = 0;
  for (int round = 0; round < 3; round++) {
    double begin = bench_seconds();
#pragma omp parallel num_threads(threads)
    sink = spin();
    double rate = 2e-9 * lanes * CHAINS * ROUNDS * threads / (bench_seconds() - begin);
    best = rate > best ? rate : best;
  }
  (void)sink;
  return best;
}

double bench_bandwidth(int threads) {
  enum { COUNT = 1 << 24, PASSES = 6 }; // 64 MB each
  float *a = calloc(COUNT, sizeof *a), *b = calloc(COUNT, sizeof *b), *c = calloc(COUNT, sizeof *c);
  double best = 0;
  for (int pass = 0; a && b && c && pass < PASSES; pass++) { // the first touches the pages
    double begin = bench_seconds();
#pragma omp parallel for num_threads(threads)
    for (int i = 0; i < COUNT; i++)
      a[i] = b[i] + 3 * c[i];
    double rate = 3e-9 * COUNT * sizeof *a / (bench_seconds() - begin);
    best = rate > best ? rate : best;
  }
  free(a), free(b), free(c);
  return best;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

BenchTime bench_time(NnrtRun *run, NnrtFrame *frame, int rounds, double least) {
  double times[64];
  rounds = rounds > 64 ? 64 : rounds;
  run(frame);
  for (int round = 0; round < rounds; round++) {
    int64_t calls = 0, next = 1;
    double begin = bench_seconds(), now = begin;
    for (; now - begin < least; next *= 2) {
      for (int64_t i = 0; i < next; i++)
        run(frame);
      calls += next;
      now = bench_seconds();
    }
    times[round] = (now - begin) / (double)calls;
  }
  qsort(times, (size_t)rounds, sizeof *times, compare);
  return (BenchTime){.median = times[rounds / 2], .best = times[0]};
}

LoopModule *bench_lower(Arena *arena, const Graph *graph, const char *entry) {
  KernelOptions options = {true, true, true};
  KernelGraph *kernels = fuse(arena, graph, &options);
  order(kernels, &options);
  plan(kernels, &options);
  LoopModule *loops = arena_new_of(arena, LoopModule);
  loops->arena = arena;
  loops->name = entry;
  Target own = target();
  schedule(loops, kernels, entry, &own);
  return loops;
}

static Backend through_c(Arena *arena, const LoopModule *loops, const char *cc, const char *entry) {
  NnrtError error = {0};
  CcOptions options = {.cc = cc, .cpu = target_cpu};
  void *library = shared_load(arena, loops, &options, &error);
  if (!library) {
    fprintf(stderr, "%s: left out: %s\n", cc, error.text);
    return (Backend){.name = cc};
  }
  return (Backend){cc, shared_entry(arena, library, entry),
                   shared_entry(arena, library, arena_printf(arena, "%s_prepare", entry))};
}

int bench_backends(Arena *arena, const LoopModule *loops, const char *entry, const char *only, Backend *backends,
                   int room) {
  static const char *const compilers[] = {"gcc", "clang-19", "clang"};
  int count = 0;
  char *error = NULL;
  bool wanted = !target_cpu && (!only || strcmp(only, "llvm") == 0);
  Jit *jit = wanted ? jit_compile(loops, NULL, &error) : NULL;
  if (jit)
    backends[count++] =
        (Backend){"llvm", jit_entry(jit, entry), jit_entry(jit, arena_printf(arena, "%s_prepare", entry))};
  else if (wanted)
    fprintf(stderr, "llvm: left out: %s\n", error);
  bool clang = false; // one is enough
  for (int i = 0; i < 3 && count < room; i++) {
    if (only ? strcmp(only, compilers[i]) != 0 : clang)
      continue;
    if (system(arena_printf(arena, "command -v %s >/dev/null", compilers[i])) != 0)
      continue;
    Backend backend = through_c(arena, loops, compilers[i], entry);
    if (backend.run)
      backends[count++] = backend;
    clang = backend.run && strncmp(compilers[i], "clang", 5) == 0;
  }
  return count;
}

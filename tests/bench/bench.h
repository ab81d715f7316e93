// What the benchmarks share: a clock, the machine's peak, and one compiled function on each backend.
#pragma once
#include "compile.h"
#include "nnrt.h"

double bench_seconds(void);
// Memory had as a run of nnc has its own (large pages and all), zeroed or not; the caller's.
void *bench_memory(int64_t bytes);
// A filled tensor of a kernel that is measured alone, in large pages however small it is: a network's lie together in an arena.
void *bench_tensor(int64_t count);
void *bench_untouched(int64_t bytes);
double bench_touched(void *memory, int64_t bytes); // the megabytes of it that are in memory
// Takes `--target-cpu CPU` out of the front of the arguments: code and peak are for that processor from then on, by C compilers
// alone. False, with a message, if it is unknown.
bool bench_arguments(int *argc, char ***argv);
// GFLOP/s of `threads` threads that do nothing but f32 fused multiply-adds in registers, over about a tenth of a second.
double bench_peak(int threads);
// GB/s that `threads` threads read and write in a[i] = b[i] + s * c[i] over arrays larger than any cache, best of some rounds
// (McCalpin: Memory Bandwidth and Machine Balance in Current High Performance Computers, 1995).
double bench_bandwidth(int threads);
// Seconds a call of `run` takes, of `rounds` rounds of at least `least` seconds each: the median, which is what was to be had,
// and the best, which is what the code can do where other programs take part of the machine.
typedef struct BenchTime {
  double median, best;
} BenchTime;
BenchTime bench_time(NnrtRun *run, NnrtFrame *frame, int rounds, double least);

typedef struct Backend {
  const char *name; // "llvm", "gcc", "clang-19"
  NnrtRun *run;
  NnrtRun *prepare; // to be called first; NULL: nothing
} Backend;

// The graph as an entry of that name, all passes on.
LoopModule *bench_lower(Arena *arena, const Graph *graph, const char *entry);

// The entry of that name on the JIT and through each C compiler that is installed, or through `only` one ("llvm", "gcc" …,
// NULL: all). How many were made.
int bench_backends(Arena *arena, const LoopModule *loops, const char *entry, const char *only, Backend *backends,
                   int room);

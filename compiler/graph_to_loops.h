// The lower half of the pipeline, from a graph to an entry of a module.
#pragma once
#include "loops/schedule.h"
#include "passes/kernels.h"

typedef struct LoweringOptions {
  KernelOptions kernels;
  bool prepare,
      once; // what no call changes is computed before them; a function that is called once has that in its scans alone
  const Target *target;
} LoweringOptions;

// Kernels in their order, with a place in the arena for each value. The graph has been through pass_scan.
KernelGraph *graph_to_kernels(Arena *arena, const Graph *graph, const LoweringOptions *options);

// Appends the entry to `module`, in whose arena everything is made.
KernelGraph *graph_to_loops(LoopModule *module, const Graph *graph, const char *entry, const LoweringOptions *options);

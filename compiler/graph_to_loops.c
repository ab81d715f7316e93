// Fusion, what is prepared, order, places, loops: a call a line.
#include "graph_to_loops.h"

KernelGraph *graph_to_kernels(Arena *arena, const Graph *graph, const LoweringOptions *options) {
  KernelGraph *kernels = fuse(arena, graph, &options->kernels);
  if (options->prepare)
    (options->once ? prepare_scans : prepare)(kernels);
  order(kernels, &options->kernels);
  plan(kernels, &options->kernels);
  return kernels;
}

KernelGraph *graph_to_loops(LoopModule *module, const Graph *graph, const char *entry, const LoweringOptions *options) {
  KernelGraph *kernels = graph_to_kernels(module->arena, graph, options);
  schedule(module, kernels, entry, options->target);
  return kernels;
}

// The passes over graphs. Each takes a graph and gives a new one that computes the same bits, but for pass_fold_norm; any may
// be left out.
#pragma once
#include "graph/graph.h"

Graph *pass_fold(Graph *graph);     // constant folding of scalars and splats
Graph *pass_simplify(Graph *graph); // algebra that changes no bit: x * 1, transpose of transpose, …
Graph *pass_cse(Graph *graph);      // common subexpressions
Graph *pass_dce(Graph *graph);      // what no output or update needs
// For graphs that are not trained: the scale and shift of each channel after a convolution go into its weights. May change
// bits.
Graph *pass_fold_norm(Graph *graph);
Graph *pass_hoist(Graph *graph); // products out of scans
// Makes scans ready for kernels, those in their bodies as well. It is not left out: kernels need what it gives.
Graph *pass_scan(Graph *graph);

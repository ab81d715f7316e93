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
// Which convolutions are computed by minimal filtering: changes bits, by shapes alone.
Graph *pass_winograd(Graph *graph);
Graph *pass_hoist(Graph *graph); // products out of scans
// A model of a sequence, [n, length, ..] to [n, length, ..], for one sample, an element at a time: inputs and outputs have
// length 1 there, the step clock is the element's place in the sequence, from 0. Results are those that the model gives for
// the sequence so far, bit for bit. What it keeps between calls are slots (SLOT_STREAM) behind *state_bytes, which grows; they
// are zero before the first element. NULL if an element needs what comes after it, or if how it looks back is not known here.
Graph *pass_stream(const Graph *graph, const char *name, int64_t *state_bytes);
// For training steps: the forward half in `segments` segments, of which the first `again` are computed again for the gradients,
// but for what later ones read. bytes: what each node takes in memory, by id. *cost: multiply-adds more.
Graph *pass_recompute(Graph *graph, const int64_t *bytes, int segments, int again, double *cost);
// Makes scans ready for kernels, those in their bodies as well. It is not left out: kernels need what it gives.
Graph *pass_scan(Graph *graph);

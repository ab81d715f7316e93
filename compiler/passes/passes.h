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
// Of training steps. The first node that differentiation made, as a number; all if there is none. bytes: what each node takes in
// memory, by id, 0 if it is computed inside its readers.
int graph_turn(const Graph *graph);
// What gradients find in memory, by id of the nodes before, in the graph's arena: with the forward half in `segments` segments of as
// many bytes each, all but what only the first `again` of them use themselves (Chen and others, "Training deep nets with
// sublinear memory cost", 2016); or all that lies there.
bool *keep_later_segments(const Graph *graph, const int64_t *bytes, int segments, int again);
bool *keep_stored(const Graph *graph, const int64_t *bytes);
// The large values of the forward half, first those that take the fewest multiply-adds for each byte: sums and activations of
// others, then convolutions of few taps and channels.
int *cheapest_first(const Graph *graph, const int64_t *bytes, int *count);
// Gradients compute again what is not kept. *cost: multiply-adds more.
Graph *pass_recompute(Graph *graph, const bool *kept, const int64_t *bytes, double *cost);
// Makes scans ready for kernels, those in their bodies as well. It is not left out: kernels need what it gives.
Graph *pass_scan(Graph *graph);

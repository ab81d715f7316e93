// Reverse-mode differentiation, graph to graph.
#pragma once
#include "graph/graph.h"

// Appends to `graph` the nodes of d(loss)/d(wrt[i]) and puts them in out[i] (zeros where loss does not depend on it).
// loss: a real scalar. Contributions to one node are added from its last use to its
// first, as they arrive.
void grad(Graph *graph, Node *loss, int count, Node *const *wrt, Node **out);

// The same from several values at once, whose gradients are known. A value may have more than one seed; the first counts
// as that of its last use. Seeds may belong to what is differentiated for itself.
typedef struct GradSeed {
  Node *node, *gradient; // NULL: one
} GradSeed;
void grad_from(Graph *graph, int seed_count, const GradSeed *seeds, int count, Node *const *wrt, Node **out);

// The gradient of a scan (grad_scan.c), appended to `graph`: a scan in the other direction. upstream[i]: dL/d(result i), NULL
// for none. before[i]: what input i, which every step
// sees, has got from later uses, NULL for nothing; out[i] holds it as well. On entry out[i] is
// NULL where no gradient is wanted. What the reverse scan needs of each step, the scan yields from now on.
void grad_through_scan(Graph *graph, Node *scan, Node *const *upstream, Node *const *before, Node **out);

// The results of the scan, by output of its body, with products that no step waits for behind it (scan_products.c). They are
// sums in another order than the steps', so this is part of what a gradient is. Changes the body's outputs.
Node **scan_with_products_behind(Graph *outer, const GraphScan *scan, Node *const *inputs, int count);

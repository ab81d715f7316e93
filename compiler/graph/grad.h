// Reverse-mode differentiation, graph to graph.
#pragma once
#include "graph/graph.h"

// Appends to `graph` the nodes of d(loss)/d(wrt[i]) and puts them in out[i] (zeros where loss does not depend on it).
// loss: a real scalar. Contributions to one node are added in the order of its uses.
void grad(Graph *graph, Node *loss, int count, Node *const *wrt, Node **out);

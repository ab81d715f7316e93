// The passes over graphs. Each takes a graph and gives a new one that computes the same bits; any may be left out.
#pragma once
#include "graph/graph.h"

Graph *pass_fold(Graph *graph);     // constant folding of scalars and splats
Graph *pass_simplify(Graph *graph); // algebra that changes no bit: x * 1, transpose of transpose, …
Graph *pass_cse(Graph *graph);      // common subexpressions
Graph *pass_dce(Graph *graph);      // what no output or update needs

// The slow meaning of graphs is that of the graph's own tests.
#include "graph/interpret.c"

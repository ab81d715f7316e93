// The table of operations is that of the graph's own tests.
#include "graph/op_cases.c"

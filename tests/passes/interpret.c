// The slow meaning of loops is that of the loops' own tests.
#include "loops/interpret.c"

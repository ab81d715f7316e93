// A slow executor of loop modules for tests: scalar by scalar, every access checked against its buffer's length, rounds of
// parallel, vector and tile loops in either order, since they must not depend on each other.
#pragma once
#include "loops/loops.h"
#include "nnrt.h"

// Runs an entry. NULL, or what went wrong (static text).
const char *interpret(const LoopModule *module, const LEntry *entry, const NnrtFrame *frame, bool backwards);

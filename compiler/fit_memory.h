// The `memory` of a train block.
#pragma once
#include "base/diag.h"
#include "elaborate/program.h"
#include "graph_to_loops.h"

// A graph with the same values whose step takes no more than train->memory bytes, for values and scratch memory together, not for
// the state: `graph` itself if it does not, else one that computes some of its values again, and *note says what that costs.
// If there is none, an error at the setting.
Graph *fit_memory(Arena *arena, Diag *diag, Graph *graph, const TrainBlock *train, const LoweringOptions *lowering,
                  const char **note);

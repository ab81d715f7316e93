// `load` of a train block: parameters and states to begin with, from checkpoints of this program, of another one, or of
// another library.
#pragma once
#include "state.h"

// Fills what the block's files hold, one after the other. What is missing or left over is told on `notes`; a wrong shape,
// a rename that finds nothing and a file of which nothing fits are errors, before the state is touched by that file.
// `whole`: every parameter and state must be filled.
bool nnrt_load(const NnrtModule *module, const NnrtTrain *train, uint8_t *state, bool whole, FILE *notes,
               NnrtError *error);

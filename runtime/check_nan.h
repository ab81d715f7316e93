// What nnrt_check (see nnrt.h) found since the last reset.
#pragma once
#include "state.h"

void nnrt_check_reset(void);
bool nnrt_check_called(void); // false after a step: the program was built without checks
bool nnrt_check_found_nan(void);
// `file:line: kernel … gave the first NaN of step …`, and likewise for an infinity of that step.
void nnrt_check_print(const NnrtModule *module, FILE *out);

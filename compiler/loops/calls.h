// Lists of calls, for the schedule.
#pragma once
#include "loops/loops.h"

bool kernel_on_one_thread(const LKernel *kernel);
// Fills in LCall.barrier.
void calls_set_barriers(Arena *arena, LCalls *calls);

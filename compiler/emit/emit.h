// The two printers of the loop language. Neither decides anything.
#pragma once
#include "base/text.h"
#include "loops/loops.h"
#include "nnrt.h"

// C11 with OpenMP: kernels, entries `static void NAME_run(const NnrtFrame *)`, the NnrtModule `nnrt_module` as a constant, and main().
// `module` has the tables; its `run` pointers are not read: functions are matched by entry name, see emit/manifest.h.
struct Manifest;
void emit_c(Text *out, const LoopModule *loops, const struct Manifest *manifest);
// The same with #line directives, by which a debugger finds the .nn lines: for a file named after the module.
void emit_c_debug(Text *out, const LoopModule *loops, const struct Manifest *manifest);

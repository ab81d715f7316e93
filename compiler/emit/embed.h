// A model alone as a pair of C files that need nothing but libc and libm: no runtime, no malloc, no thread.
#pragma once
#include "base/text.h"
#include "emit/manifest.h"
#include "loops/loops.h"

// One function of the pair: NAME_MODEL(inputs…, outputs…, n, workspace).
typedef struct EmbedFunction {
  const NnrtPredict *predict;
  const LEntry *entry;
  const char *const *classes; // names of classes, in order; NULL without them
  int class_count;
} EmbedFunction;

typedef struct Embed {
  const char *name; // of the files and the functions' prefix: a C identifier
  const LoopModule *loops;
  const NnrtModule *module; // tensors
  const uint8_t *state;     // the trained state block
  int function_count;
  const EmbedFunction *functions;
} Embed;

void embed_header(Text *out, const Embed *embed);
void embed_source(Text *out, const Embed *embed);

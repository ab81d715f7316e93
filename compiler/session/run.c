// Train, evaluate, predict or generate text at once: the module's functions come from the JIT, everything else is the runtime's.
#include <stdio.h>

#include "session/jit.h"
#include "session/session.h"

// The data files are read while LLVM works.
static void begin_data(const Compilation *compilation, const NnrtOptions *options) {
  const Program *program = compilation->program;
  for (int i = 0; i < program->trains.count; i++) {
    const TrainBlock *train = program->trains.data[i];
    if (train->data && (options->block ? strcmp(options->block, train->name) == 0 : i == 0))
      nnrt_data_begin(train->data);
  }
}

static void bind(Jit *jit, Manifest *manifest) {
  for (int i = 0; i < manifest->entries.count; i++) {
    ManifestEntry *entry = &manifest->entries.data[i];
    const LEntry *prepare = entry->entry ? entry->entry->prepare : NULL;
    entry->function->run = entry->entry ? jit_entry(jit, entry->entry->name) : NULL;
    entry->function->prepare = prepare ? jit_entry(jit, prepare->name) : NULL;
  }
}

int session_run(Arena *arena, const Compilation *compilation, SessionTask task, const NnrtOptions *options) {
  if (task != SESSION_GENERATE) // which seldom needs them
    begin_data(compilation, options);
  char *error = NULL;
  CodeCache cache = code_cache_open(arena);
  Jit *jit = jit_compile(compilation->loops, &cache, &error);
  if (!jit) {
    fprintf(stderr, "nnc: LLVM: %s\n", error);
    return 1;
  }
  bind(jit, compilation->manifest);
  const NnrtModule *module = &compilation->manifest->module;
  static int (*const drivers[])(const NnrtModule *, const NnrtOptions *) = {[SESSION_TRAIN] = nnrt_train,
                                                                            [SESSION_EVAL] = nnrt_eval,
                                                                            [SESSION_PREDICT] = nnrt_predict,
                                                                            [SESSION_GENERATE] = nnrt_generate};
  int status = drivers[task](module, options);
  jit_free(jit);
  return status;
}

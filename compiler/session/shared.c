// Through a folder that is gone once the object is loaded.
#include "session/shared.h"

#include <dlfcn.h>
#include <string.h>

#include "emit/emit.h"
#include "loops/schedule.h"

// Instructions that this processor does not have would end the process.
static bool runs_here(const char *cpu, NnrtError *error) {
  Target host = target_host(), target;
  if (!cpu || !target_parse(cpu, &target) || target.vector_bytes <= host.vector_bytes)
    return true;
  return nnrt_fail(error, "--target-cpu %s: vectors of %d bytes cannot run here, where they have %d", cpu,
                   target.vector_bytes, host.vector_bytes);
}

void *shared_load(Arena *arena, const LoopModule *module, const CcOptions *options, NnrtError *error) {
  const char *folder = runs_here(options->cpu, error) ? cc_make_folder(arena, error) : NULL;
  if (!folder)
    return NULL;
  CcOptions shared = *options;
  shared.shared = true;
  const char *name = module->name ? module->name : "module", *path = arena_printf(arena, "%s/%s.so", folder, name);
  Text text = text_new(arena);
  emit_c(&text, module, NULL);
  void *library = NULL;
  if (cc_compile(arena, text_string(&text), name, &shared, path, error) && !(library = dlopen(path, RTLD_NOW)))
    nnrt_fail(error, "%s", dlerror());
  cc_remove_folder(folder);
  return library;
}

NnrtRun *shared_entry(Arena *arena, void *library, const char *name) {
  void *symbol = dlsym(library, arena_printf(arena, "%s_run", name));
  NnrtRun *run = NULL; // ISO C converts no object pointer to one to a function
  memcpy(&run, &symbol, sizeof run);
  return run;
}

// The JIT: loops through the LLVM emitter to objects in memory, linked by ORC's LLJIT. Large modules are cut in parts,
// each compiled by a thread of its own with a context of its own. Keeps: generated code sees of this process only the
// runtime's thread functions, the constants, and the few functions of libc that a code generator may call.
#include "session/jit.h"

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "emit/llvm_unit.h"

enum { MAX_PARTS = 2, PART_KERNELS = 8 };

struct Jit {
  LLVMOrcLLJITRef lljit;
  uint8_t *constants;
};

// ---- one part
typedef struct Part {
  const LoopModule *module;
  const CodeCache *cache;
  Arena *arena; // of its own: arenas are not shared between threads
  int index, count;
  LLVMMemoryBufferRef object;
  char *error; // owned by `arena`
} Part;

static void make_object(Part *part, LLVMModuleRef module, LLVMTargetMachineRef machine) {
  char *message = NULL;
  part->error = llvm_optimize(part->arena, module, machine);
  if (!part->error && LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &message, &part->object))
    part->error = arena_printf(part->arena, "LLVM: %s", message);
  LLVMDisposeMessage(message);
}

static void compile_part(Part *part) {
  LlvmOptions options = {.constants_outside = true, .part = part->index, .parts = part->count};
  options.machine = llvm_machine(part->arena, "native", &options.vector_width, &part->error);
  if (!options.machine)
    return;
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = emit_llvm(context, part->module, &options);
  CodeKey key = code_key(part->arena, part->cache, module, options.machine);
  part->object = code_cache_find(part->arena, part->cache, &key);
  if (!part->object) {
    make_object(part, module, options.machine);
    if (part->object)
      code_cache_keep(part->arena, part->cache, &key, part->object);
  }
  LLVMDisposeModule(module);
  LLVMDisposeTargetMachine(options.machine);
  LLVMContextDispose(context);
}

static void *part_thread(void *part) {
  compile_part(part);
  return NULL;
}

static void compile_parts(Part *parts, int count) {
  pthread_t threads[MAX_PARTS];
  bool started[MAX_PARTS] = {false};
  for (int i = 1; i < count; i++)
    started[i] = pthread_create(&threads[i], NULL, part_thread, &parts[i]) == 0;
  for (int i = 0; i < count; i++)
    if (!started[i])
      compile_part(&parts[i]);
  for (int i = 1; i < count; i++)
    if (started[i])
      pthread_join(threads[i], NULL);
}

// ---- linking
static char *take_error(Arena *arena, LLVMErrorRef failure) {
  char *text = LLVMGetErrorMessage(failure), *message = arena_printf(arena, "JIT: %s", text);
  LLVMDisposeErrorMessage(text);
  return message;
}

typedef struct Symbol {
  const char *name;
  uint64_t address;
} Symbol;

#define SYMBOL(function)                                                                                               \
  { #function, (uint64_t)(uintptr_t)(function) }

static LLVMErrorRef define_symbols(Jit *jit) {
  const Symbol symbols[] = {SYMBOL(nnrt_parallel),
                            SYMBOL(nnrt_barrier),
                            SYMBOL(nnrt_deal),
                            SYMBOL(nnrt_next),
                            SYMBOL(nnrt_check),
                            SYMBOL(nnrt_profile),
                            {"nnrt_constants", (uintptr_t)jit->constants},
                            SYMBOL(memcpy),
                            SYMBOL(memset),
                            SYMBOL(memmove),
                            SYMBOL(fma),
                            SYMBOL(fmaf),
                            SYMBOL(floor),
                            SYMBOL(floorf),
                            SYMBOL(sqrt),
                            SYMBOL(sqrtf)};
  enum { COUNT = sizeof symbols / sizeof *symbols };
  LLVMOrcCSymbolMapPair pairs[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    pairs[i].Name = LLVMOrcLLJITMangleAndIntern(jit->lljit, symbols[i].name);
    pairs[i].Sym.Address = symbols[i].address;
    pairs[i].Sym.Flags = (LLVMJITSymbolFlags){.GenericFlags = LLVMJITSymbolGenericFlagsExported};
  }
  return LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(jit->lljit), LLVMOrcAbsoluteSymbols(pairs, COUNT));
}

static LLVMErrorRef link_parts(Jit *jit, Part *parts, int count) {
  LLVMErrorRef failure = LLVMOrcCreateLLJIT(&jit->lljit, NULL);
  if (!failure)
    failure = define_symbols(jit);
  for (int i = 0; i < count && !failure; i++) {
    failure = LLVMOrcLLJITAddObjectFile(jit->lljit, LLVMOrcLLJITGetMainJITDylib(jit->lljit), parts[i].object);
    parts[i].object = NULL;
  }
  return failure;
}

// Links now what would otherwise be linked at the first lookup, so that a failure is found here.
static char *link_all(Jit *jit, const LoopModule *module, Part *parts, int count) {
  LLVMErrorRef failure = link_parts(jit, parts, count);
  if (failure)
    return take_error(module->arena, failure);
  for (int i = 0; i < module->entries.count; i++)
    if (!jit_entry(jit, module->entries.data[i]->name))
      return arena_printf(module->arena, "JIT: cannot link `%s`", module->entries.data[i]->name);
  return NULL;
}

static uint8_t *copy_constants(const LoopModule *module) {
  size_t bytes = module->constant_bytes > 0 ? (size_t)module->constant_bytes : 1;
  uint8_t *copy = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (copy && module->constant_bytes > 0)
    memcpy(copy, module->constants, bytes);
  return copy;
}

Jit *jit_compile(const LoopModule *module, const CodeCache *cache, char **error) {
  const CodeCache none = {0};
  cache = cache ? cache : &none;
  int count = module->kernels.count >= PART_KERNELS ? MAX_PARTS : 1;
  Part parts[MAX_PARTS] = {{0}};
  for (int i = 0; i < count; i++)
    parts[i] = (Part){.module = module, .cache = cache, .arena = arena_new(), .index = i, .count = count};
  compile_parts(parts, count);
  Jit *jit = calloc(1, sizeof *jit);
  char *problem = NULL;
  for (int i = 0; i < count && !problem; i++)
    problem = parts[i].error ? arena_printf(module->arena, "%s", parts[i].error) : NULL;
  if (!problem && (!jit || !(jit->constants = copy_constants(module))))
    problem = arena_printf(module->arena, "out of memory");
  if (!problem)
    problem = link_all(jit, module, parts, count);
  for (int i = 0; i < count; i++) {
    if (parts[i].object)
      LLVMDisposeMemoryBuffer(parts[i].object);
    arena_free(parts[i].arena);
  }
#ifdef __GLIBC__
  malloc_trim(0); // what compiling took is not needed again, and a run's memory comes on top
#endif
  if (!problem)
    return jit;
  *error = problem;
  jit_free(jit);
  return NULL;
}

NnrtRun *jit_entry(Jit *jit, const char *name) {
  Arena *arena = arena_new();
  LLVMOrcExecutorAddress address = 0;
  LLVMErrorRef failure = LLVMOrcLLJITLookup(jit->lljit, &address, arena_printf(arena, "%s_run", name));
  arena_free(arena);
  if (failure) {
    LLVMConsumeError(failure);
    return NULL;
  }
  return (NnrtRun *)(uintptr_t)address;
}

void jit_free(Jit *jit) {
  if (!jit)
    return;
  if (jit->lljit)
    LLVMConsumeError(LLVMOrcDisposeLLJIT(jit->lljit));
  free(jit->constants);
  free(jit);
}

// The machine, the passes, and what `nnc emit llvm` and `nnc emit asm` print. Takes a module of emit_llvm; the passes
// only clean up and hoist: vectors, tiles and rounds in a row were decided before.
#include <llvm-c/Error.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <string.h>

#include "emit/llvm.h"
#include "emit/llvm_unit.h"

// As fast code as default<O2> makes, in half the time: what is left out has nothing to find here.
static const char passes[] = "always-inline,function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,"
                             "simplifycfg,loop-mssa(licm))";

// ---- the machine
static LLVMTargetMachineRef machine_for(const char *triple, const char *cpu, const char *features, char **message) {
  LLVMTargetRef target = NULL;
  if (LLVMGetTargetFromTriple(triple, &target, message))
    return NULL;
  LLVMTargetMachineOptionsRef options = LLVMCreateTargetMachineOptions();
  LLVMTargetMachineOptionsSetCPU(options, cpu);
  LLVMTargetMachineOptionsSetFeatures(options, features);
  LLVMTargetMachineOptionsSetRelocMode(options, LLVMRelocPIC);
  LLVMTargetMachineOptionsSetCodeGenOptLevel(options, LLVMCodeGenLevelDefault);
  LLVMTargetMachineRef machine = LLVMCreateTargetMachineWithOptions(target, triple, options);
  LLVMDisposeTargetMachineOptions(options);
  return machine;
}

static bool has_feature(const char *features, const char *name) {
  const char *found = strstr(features, name);
  size_t length = strlen(name);
  return found && (found[length] == ',' || found[length] == '\0');
}

// The machine's own list says what a named CPU has only by its model, so names are asked for.
static bool wide_vectors(const char *cpu, const char *features) {
  static const char *const models[] = {
      "x86-64-v4",      "skylake-avx512", "skx",        "cascadelake", "cooperlake",     "cannonlake",
      "icelake-client", "icelake-server", "rocketlake", "tigerlake",   "sapphirerapids", "emeraldrapids",
      "graniterapids",  "znver4",         "znver5"};
  if (has_feature(features, "+avx512f") && has_feature(features, "+avx512vl"))
    return true;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if (strcmp(cpu, models[i]) == 0 && !*features)
      return true;
  return false;
}

// Constants that code generation moves out of all loops of a kernel take the registers of its tiles (of minimal filtering: 13 of
// 32, and ten sums go through memory in each round), where as operands in memory they cost nothing. An option that an LLVM does not
// know ends the program, so only those are asked that are known to have it.
static void keep_constants_in_loops(void) {
#if LLVM_VERSION_MAJOR <= 21
  LLVMParseCommandLineOptions(2, (const char *const[]){"nnc", "-disable-machine-licm"}, NULL);
#endif
}

// LLVM keeps targets in a list without a lock: registered by two threads at once, one follows itself, and who looks for
// another never ends.
static void register_target(void) {
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
  keep_constants_in_loops();
}

LLVMTargetMachineRef llvm_machine(Arena *arena, const char *cpu, const char **vector_width, char **error) {
  static pthread_once_t registered = PTHREAD_ONCE_INIT;
  pthread_once(&registered, register_target);
  bool native = !cpu || strcmp(cpu, "native") == 0;
  char *host = LLVMGetHostCPUName(), *host_features = LLVMGetHostCPUFeatures(), *triple = LLVMGetDefaultTargetTriple();
  const char *features = native ? host_features : "";
  char *message = NULL;
  LLVMTargetMachineRef machine = machine_for(triple, native ? host : cpu, features, &message);
  *vector_width = wide_vectors(native ? host : cpu, features) ? "512" : NULL;
  if (!machine && error)
    *error = arena_printf(arena, "LLVM cannot make code for this machine: %s", message ? message : "unknown CPU");
  if (message)
    LLVMDisposeMessage(message);
  LLVMDisposeMessage(host);
  LLVMDisposeMessage(host_features);
  LLVMDisposeMessage(triple);
  return machine;
}

// ---- the passes
char *llvm_optimize(Arena *arena, LLVMModuleRef module, LLVMTargetMachineRef machine) {
  LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
  LLVMErrorRef failure = LLVMRunPasses(module, passes, machine, options);
  LLVMDisposePassBuilderOptions(options);
  if (!failure)
    return NULL;
  char *text = LLVMGetErrorMessage(failure), *message = arena_printf(arena, "LLVM: %s", text);
  LLVMDisposeErrorMessage(text);
  return message;
}

// ---- printing
typedef struct Printed {
  LLVMContextRef context;
  LLVMTargetMachineRef machine;
  LLVMModuleRef module;
} Printed;

static bool open_module(Text *out, const LoopModule *loops, const char *cpu, Printed *printed) {
  LlvmOptions options = {0};
  char *error = NULL;
  printed->machine = options.machine = llvm_machine(out->arena, cpu, &options.vector_width, &error);
  if (!printed->machine) {
    text_printf(out, "; %s\n", error);
    return false;
  }
  printed->context = LLVMContextCreate();
  printed->module = emit_llvm(printed->context, loops, &options);
  return true;
}

static void close_module(Printed *printed) {
  LLVMDisposeModule(printed->module);
  LLVMDisposeTargetMachine(printed->machine);
  LLVMContextDispose(printed->context);
}

void llvm_print(Text *out, const LoopModule *loops, const char *cpu) {
  Printed printed = {0};
  if (!open_module(out, loops, cpu, &printed))
    return;
  char *text = LLVMPrintModuleToString(printed.module);
  text_add(out, text);
  LLVMDisposeMessage(text);
  close_module(&printed);
}

void llvm_print_asm(Text *out, const LoopModule *loops, const char *cpu) {
  Printed printed = {0};
  if (!open_module(out, loops, cpu, &printed))
    return;
  char *problem = llvm_optimize(out->arena, printed.module, printed.machine), *message = NULL;
  LLVMMemoryBufferRef buffer = NULL;
  if (!problem &&
      LLVMTargetMachineEmitToMemoryBuffer(printed.machine, printed.module, LLVMAssemblyFile, &message, &buffer))
    problem = arena_printf(out->arena, "LLVM: %s", message);
  if (problem)
    text_printf(out, "# %s\n", problem);
  else
    text_add(out, arena_strndup(out->arena, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer)));
  if (buffer)
    LLVMDisposeMemoryBuffer(buffer);
  LLVMDisposeMessage(message);
  close_module(&printed);
}

// The object file of a program: the entries' code, the tables of nnrt.h as constant data and a main(). Takes loops and
// the manifest; the tables are built of LLVM structs with the members of the C ones, in order, and checked against their
// sizes, so that a change of nnrt.h that is not followed here is found at once.
#include "session/object.h"

#include <stdio.h>
#include <string.h>

#include "emit/llvm_unit.h"

typedef struct Tables {
  Arena *arena;
  LLVMContextRef context;
  LLVMModuleRef module;
  LLVMTargetDataRef layout;
  const Manifest *manifest;
  LLVMTypeRef pointer, i8, i32, i64, f64;
  const char *fault; // a table whose size is not the C struct's
} Tables;

// ---- constants
static LLVMValueRef small(Tables *tables, int value) {
  return LLVMConstInt(tables->i32, (unsigned long long)value, true);
}

static LLVMValueRef large(Tables *tables, int64_t value) {
  return LLVMConstInt(tables->i64, (unsigned long long)value, true);
}

static LLVMValueRef none(Tables *tables) {
  return LLVMConstNull(tables->pointer);
}

static LLVMValueRef hidden(Tables *tables, LLVMValueRef value, const char *name) {
  LLVMValueRef global = LLVMAddGlobal(tables->module, LLVMTypeOf(value), name);
  LLVMSetInitializer(global, value);
  LLVMSetLinkage(global, LLVMPrivateLinkage);
  LLVMSetGlobalConstant(global, true);
  return global;
}

static LLVMValueRef text(Tables *tables, const char *string) {
  if (!string)
    return none(tables);
  LLVMValueRef global =
      hidden(tables, LLVMConstStringInContext2(tables->context, string, strlen(string), false), "text");
  LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
  return global;
}

// A struct of these members, which must be as large as C's.
#define STRUCT(tables, type, ...)                                                                                      \
  structure(tables, #type, sizeof(type), (LLVMValueRef[]){__VA_ARGS__},                                                \
            sizeof((LLVMValueRef[]){__VA_ARGS__}) / sizeof(LLVMValueRef))

static LLVMValueRef structure(Tables *tables, const char *name, size_t bytes, LLVMValueRef *members, size_t count) {
  LLVMValueRef value = LLVMConstStructInContext(tables->context, members, (unsigned)count, false);
  if (LLVMABISizeOfType(tables->layout, LLVMTypeOf(value)) != bytes)
    tables->fault = name;
  return value;
}

// A table of `count` values made by `make` from the items at `items`; a null pointer where there are none.
typedef LLVMValueRef Make(Tables *tables, const void *item);

static LLVMValueRef array(Tables *tables, const char *name, Make *make, const void *items, int count, size_t bytes) {
  if (count <= 0 || !items)
    return none(tables);
  LLVMValueRef *values = arena_array(tables->arena, LLVMValueRef, count);
  for (int i = 0; i < count; i++)
    values[i] = make(tables, (const char *)items + (size_t)i * bytes);
  return hidden(tables, LLVMConstArray2(LLVMTypeOf(values[0]), values, (uint64_t)count), name);
}

#define TABLE(tables, name, make, items, count) array(tables, name, make, items, count, sizeof *(items))

// ---- the structs of nnrt.h
static LLVMValueRef dims(Tables *tables, const int64_t *dim) {
  LLVMValueRef values[NNRT_MAX_RANK];
  for (int i = 0; i < NNRT_MAX_RANK; i++)
    values[i] = large(tables, dim[i]);
  return LLVMConstArray2(tables->i64, values, NNRT_MAX_RANK);
}

static LLVMValueRef flag(Tables *tables, const void *item) {
  return LLVMConstInt(tables->i8, *(const bool *)item, false);
}

static LLVMValueRef tensor(Tables *tables, const void *item) {
  const NnrtTensor *t = item;
  return STRUCT(tables, NnrtTensor, text(tables, t->name), small(tables, (int)t->type), small(tables, t->rank),
                dims(tables, t->dim), small(tables, (int)t->kind), large(tables, t->offset), large(tables, t->bytes),
                text(tables, t->layer));
}

static LLVMValueRef value(Tables *tables, const void *item) {
  const NnrtValue *v = item;
  return STRUCT(tables, NnrtValue, text(tables, v->name), small(tables, (int)v->type), small(tables, v->rank),
                dims(tables, v->dim), flag(tables, &v->whole));
}

static LLVMValueRef code_of(Tables *tables, const LEntry *entry) {
  return entry ? llvm_entry(tables->module, entry) : none(tables);
}

static LLVMValueRef function(Tables *tables, const NnrtFunction *f) {
  const LEntry *entry = manifest_entry_of(tables->manifest, f);
  return STRUCT(tables, NnrtFunction, code_of(tables, entry), code_of(tables, entry ? entry->prepare : NULL),
                small(tables, f->input_count), small(tables, f->output_count),
                TABLE(tables, "inputs", value, f->inputs, f->input_count),
                TABLE(tables, "outputs", value, f->outputs, f->output_count), large(tables, f->kept_offset),
                large(tables, f->kept_bytes));
}

static LLVMValueRef argument(Tables *tables, const void *item) {
  const NnrtArg *a = item;
  return STRUCT(tables, NnrtArg, text(tables, a->name), small(tables, (int)a->kind), large(tables, a->integer),
                LLVMConstReal(tables->f64, a->real), text(tables, a->text), small(tables, a->count),
                TABLE(tables, "items", argument, a->items, a->count), small(tables, a->line), small(tables, a->column));
}

static LLVMValueRef data_call(Tables *tables, const void *item) {
  const NnrtDataCall *c = item;
  return STRUCT(tables, NnrtDataCall, text(tables, c->name), small(tables, c->arg_count),
                TABLE(tables, "args", argument, c->args, c->arg_count), small(tables, c->line),
                small(tables, c->column));
}

static LLVMValueRef data(Tables *tables, const NnrtData *d) {
  if (!d)
    return none(tables);
  LLVMValueRef made = STRUCT(tables, NnrtData, text(tables, d->name), text(tables, d->file),
                             small(tables, d->call_count), TABLE(tables, "calls", data_call, d->calls, d->call_count));
  return hidden(tables, made, "data");
}

static LLVMValueRef renaming(Tables *tables, const void *item) {
  const NnrtRename *r = item;
  return STRUCT(tables, NnrtRename, text(tables, r->from), text(tables, r->to));
}

static LLVMValueRef weights(Tables *tables, const void *item) {
  const NnrtWeights *w = item;
  return STRUCT(tables, NnrtWeights, text(tables, w->path), text(tables, w->only), text(tables, w->into),
                text(tables, w->part), small(tables, w->rename_count),
                TABLE(tables, "renames", renaming, w->renames, w->rename_count), flag(tables, &w->pytorch));
}

static LLVMValueRef phase(Tables *tables, const void *item) {
  const NnrtPhase *s = item;
  return STRUCT(tables, NnrtPhase, large(tables, s->epochs), function(tables, &s->train));
}

static LLVMValueRef train(Tables *tables, const void *item) {
  const NnrtTrain *t = item;
  return STRUCT(tables, NnrtTrain, text(tables, t->name), data(tables, t->data), function(tables, &t->train),
                function(tables, &t->eval),
                TABLE(tables, "higher_is_better", flag, t->higher_is_better, t->train.output_count),
                large(tables, t->seed), large(tables, t->batch), large(tables, t->epochs), large(tables, t->steps),
                small(tables, (int)t->save), text(tables, t->save_to), text(tables, t->save_value),
                large(tables, t->save_every), text(tables, t->log), large(tables, t->patience),
                text(tables, t->patience_value), small(tables, t->predict), large(tables, t->capacity),
                small(tables, t->load_count), TABLE(tables, "loads", weights, t->loads, t->load_count),
                small(tables, t->phase_count), TABLE(tables, "phases", phase, t->phases, t->phase_count));
}

static LLVMValueRef predict(Tables *tables, const void *item) {
  const NnrtPredict *p = item;
  return STRUCT(tables, NnrtPredict, text(tables, p->model), function(tables, &p->function), function(tables, &p->step),
                large(tables, p->batch), small(tables, (int)p->task), data(tables, p->data));
}

static LLVMValueRef kernel(Tables *tables, const void *item) {
  const NnrtKernel *k = item;
  return STRUCT(tables, NnrtKernel, text(tables, k->name), small(tables, k->line), text(tables, k->file));
}

static LLVMValueRef root(Tables *tables, const NnrtModule *m) {
  LLVMValueRef made =
      STRUCT(tables, NnrtModule, small(tables, m->abi), text(tables, m->name), text(tables, m->file),
             large(tables, (int64_t)m->fingerprint), large(tables, m->state_bytes), large(tables, m->arena_bytes),
             small(tables, m->tensor_count), small(tables, m->train_count), small(tables, m->predict_count),
             small(tables, m->kernel_count), TABLE(tables, "tensors", tensor, m->tensors, m->tensor_count),
             TABLE(tables, "trains", train, m->trains, m->train_count),
             TABLE(tables, "predicts", predict, m->predicts, m->predict_count),
             TABLE(tables, "kernels", kernel, m->kernels, m->kernel_count), function(tables, &m->init));
  LLVMValueRef global = hidden(tables, made, "nnrt_module");
  LLVMSetLinkage(global, LLVMExternalLinkage);
  return global;
}

// ---- int main(int argc, char **argv) { return nnrt_main(&nnrt_module, argc, argv); }
static void add_main(Tables *tables, LLVMValueRef module) {
  LLVMTypeRef main_params[] = {tables->i32, tables->pointer};
  LLVMTypeRef run_params[] = {tables->pointer, tables->i32, tables->pointer};
  LLVMTypeRef run_type = LLVMFunctionType(tables->i32, run_params, 3, false);
  LLVMValueRef run = LLVMAddFunction(tables->module, "nnrt_main", run_type);
  LLVMValueRef start = LLVMAddFunction(tables->module, "main", LLVMFunctionType(tables->i32, main_params, 2, false));
  LLVMBuilderRef builder = LLVMCreateBuilderInContext(tables->context);
  LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(tables->context, start, ""));
  LLVMValueRef args[] = {module, LLVMGetParam(start, 0), LLVMGetParam(start, 1)};
  LLVMBuildRet(builder, LLVMBuildCall2(builder, run_type, run, args, 3, ""));
  LLVMDisposeBuilder(builder);
}

static char *add_tables(Arena *arena, LLVMModuleRef module, LLVMTargetMachineRef machine, const LoopModule *loops,
                        const Manifest *manifest) {
  LLVMContextRef context = LLVMGetModuleContext(module);
  Tables tables = {.arena = arena, .context = context, .module = module, .manifest = manifest};
  tables.layout = LLVMCreateTargetDataLayout(machine);
  tables.pointer = LLVMPointerTypeInContext(context, 0);
  tables.i8 = LLVMInt8TypeInContext(context);
  tables.i32 = LLVMInt32TypeInContext(context);
  tables.i64 = LLVMInt64TypeInContext(context);
  tables.f64 = LLVMDoubleTypeInContext(context);
  add_main(&tables, root(&tables, &manifest->module));
  for (int i = 0; i < loops->entries.count; i++)
    LLVMSetLinkage(llvm_entry(module, loops->entries.data[i]), LLVMInternalLinkage);
  LLVMDisposeTargetData(tables.layout);
  return tables.fault ? arena_printf(arena, "internal error: the layout of %s is out of date", tables.fault) : NULL;
}

static char *write_file(Arena *arena, LLVMModuleRef module, LLVMTargetMachineRef machine, const char *path) {
  char *message = NULL, *problem = NULL;
  if (LLVMTargetMachineEmitToFile(machine, module, path, LLVMObjectFile, &message)) {
    problem = arena_printf(arena, "%s: %s", path, message);
    remove(path);
  }
  LLVMDisposeMessage(message);
  return problem;
}

bool object_write(const LoopModule *loops, const Manifest *manifest, const char *cpu, const char *path, char **error) {
  LlvmOptions options = {0};
  options.machine = llvm_machine(loops->arena, cpu, &options.vector_width, error);
  if (!options.machine)
    return false;
  LLVMContextRef context = LLVMContextCreate();
  LLVMModuleRef module = emit_llvm(context, loops, &options);
  char *problem = add_tables(loops->arena, module, options.machine, loops, manifest);
  if (!problem)
    problem = llvm_optimize(loops->arena, module, options.machine);
  if (!problem)
    problem = write_file(loops->arena, module, options.machine, path);
  LLVMDisposeModule(module);
  LLVMDisposeTargetMachine(options.machine);
  LLVMContextDispose(context);
  if (problem)
    *error = problem;
  return !problem;
}

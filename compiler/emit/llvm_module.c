// Loop module to LLVM module: functions, kernels, entries, constants. Takes a checked LoopModule, gives a module in
// which only the entries are visible (and, where the work is split in parts, the kernels), each entry calling its
// kernels with the places of their buffers. Kernels stay functions of their own: their buffers' noalias lives in the
// parameters.
#include <stddef.h>
#include <string.h>

#include "emit/llvm_unit.h"
#include "nnrt.h"

// ---- small things
void llvm_attribute(const LlvmUnit *unit, LLVMValueRef function, unsigned index, const char *name, uint64_t value) {
  unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
  if (kind)
    LLVMAddAttributeAtIndex(function, index, LLVMCreateEnumAttribute(unit->context, kind, value));
}

_Static_assert(offsetof(NnrtFrame, clock) == 32 && offsetof(NnrtFrame, threads) == 72,
               "make_types has NnrtFrame's layout");

static LLVMValueRef add_function(LlvmUnit *unit, const char *name, LLVMTypeRef type, LLVMLinkage linkage) {
  LLVMValueRef function = LLVMAddFunction(unit->module, name, type);
  LLVMSetLinkage(function, linkage);
  llvm_attribute(unit, function, (unsigned)LLVMAttributeFunctionIndex, "nounwind", 0);
  const char *width = unit->options.vector_width, *key = "prefer-vector-width";
  if (width) {
    LLVMAttributeRef wide =
        LLVMCreateStringAttribute(unit->context, key, (unsigned)strlen(key), width, (unsigned)strlen(width));
    LLVMAddAttributeAtIndex(function, (unsigned)LLVMAttributeFunctionIndex, wide);
  }
  return function;
}

LlvmCode llvm_code_begin(LlvmUnit *unit, LLVMValueRef function) {
  LlvmCode code = {.unit = unit, .function = function, .lanes = 1};
  code.builder = LLVMCreateBuilderInContext(unit->context);
  code.entry = LLVMAppendBasicBlockInContext(unit->context, function, "entry");
  LLVMPositionBuilderAtEnd(code.builder, code.entry);
  return code;
}

void llvm_code_end(LlvmCode *code) {
  LLVMDisposeBuilder(code->builder);
}

static void make_types(LlvmUnit *unit) {
  LLVMContextRef context = unit->context;
  LLVMTypeRef byte = LLVMInt8TypeInContext(context);
  unit->i32 = LLVMInt32TypeInContext(context);
  unit->i64 = LLVMInt64TypeInContext(context);
  unit->nothing = LLVMVoidTypeInContext(context);
  unit->pointer = LLVMPointerTypeInContext(context, 0);
  LLVMTypeRef types[] = {[L_F32] = LLVMFloatTypeInContext(context),
                         [L_F64] = LLVMDoubleTypeInContext(context),
                         [L_I32] = unit->i32,
                         [L_I64] = unit->i64,
                         [L_U8] = byte,
                         [L_BOOL] = LLVMInt1TypeInContext(context),
                         [L_U32] = unit->i32,
                         [L_U64] = unit->i64};
  memcpy(unit->types, types, sizeof types);
  memcpy(unit->memory, types, sizeof types);
  unit->memory[L_BOOL] = byte;
  LLVMTypeRef pointer = unit->pointer;
  LLVMTypeRef frame[] = {pointer, pointer, pointer, pointer, LLVMArrayType2(unit->i64, 5), unit->i32};
  unit->frame = LLVMStructTypeInContext(context, frame, sizeof frame / sizeof *frame, false);
}

// ---- functions
LLVMTypeRef llvm_function_type(const LlvmUnit *unit, const LFunction *function, int lanes) {
  unsigned count = (unsigned)function->params.count;
  LLVMTypeRef *params = arena_array(unit->arena, LLVMTypeRef, count + 1);
  for (unsigned i = 0; i < count; i++) {
    params[i] = unit->types[function->params.data[i]->type];
    if (lanes > 1)
      params[i] = LLVMVectorType(params[i], (unsigned)lanes);
  }
  LLVMTypeRef result = unit->types[function->type];
  return LLVMFunctionType(lanes > 1 ? LLVMVectorType(result, (unsigned)lanes) : result, params, count, false);
}

static void function_body(LlvmUnit *unit, const LlvmFunction *made) {
  LlvmCode code = llvm_code_begin(unit, made->value);
  const LFunction *function = made->function;
  code.lanes = made->lanes;
  for (int i = 0; i < function->params.count; i++) {
    LLVMValueRef param = LLVMGetParam(made->value, (unsigned)i);
    llvm_bind(&code, function->params.data[i], (LlvmValue){.value = param, .vector = made->lanes > 1});
  }
  llvm_lets(&code, function->lets.data, function->lets.count);
  code.statement_stamp = code.region_stamp = ++code.clock;
  LLVMBuildRet(code.builder, llvm_lift(&code, llvm_expr(&code, function->result)));
  llvm_code_end(&code);
}

LLVMValueRef llvm_function(LlvmUnit *unit, const LFunction *function, int lanes, bool inlined) {
  for (int i = 0; i < unit->functions.count; i++) {
    const LlvmFunction *known = &unit->functions.data[i];
    if (known->function == function && known->lanes == lanes && known->inlined == inlined)
      return known->value;
  }
  const char *name = lanes > 1 ? arena_printf(unit->arena, "%s.%d", function->name, lanes) : function->name;
  LLVMTypeRef type = llvm_function_type(unit, function, lanes);
  LlvmFunction made = {.function = function, .lanes = lanes, .inlined = inlined};
  made.value = add_function(unit, name, type, LLVMInternalLinkage);
  unsigned whole = (unsigned)LLVMAttributeFunctionIndex;
  llvm_attribute(unit, made.value, whole, "memory", 0); // none
  llvm_attribute(unit, made.value, whole, "willreturn", 0);
  llvm_attribute(unit, made.value, whole, inlined ? "alwaysinline" : "noinline", 0);
  vec_push(unit->arena, &unit->functions, made);
  function_body(unit, &made);
  return made.value;
}

// ---- kernels
static LLVMTypeRef kernel_type(const LlvmUnit *unit, const LKernel *kernel) {
  unsigned count = (unsigned)kernel->buffers.count;
  LLVMTypeRef *params = arena_array(unit->arena, LLVMTypeRef, count + 3);
  for (unsigned i = 0; i < count; i++)
    params[i] = unit->pointer;
  params[count] = unit->i64;
  params[count + 1] = params[count + 2] = unit->i32;
  return LLVMFunctionType(unit->nothing, params, count + 3, false);
}

// LLVM takes a noalias pointer to be beyond the reach of any call, so what is written on one side of a barrier and read
// on the other must not be noalias.
static LLVMValueRef declare_kernel(LlvmUnit *unit, const LKernel *kernel, int index) {
  bool whole = unit->options.parts <= 1;
  const char *name = whole ? kernel->name : arena_printf(unit->arena, "%s.%d", kernel->name, index);
  LLVMValueRef function =
      add_function(unit, name, kernel_type(unit, kernel), whole ? LLVMInternalLinkage : LLVMExternalLinkage);
  llvm_attribute(unit, function, (unsigned)LLVMAttributeFunctionIndex, "noinline", 0);
  for (int i = 0; i < kernel->buffers.count; i++) {
    const LBuffer *buffer = kernel->buffers.data[i];
    LLVMValueRef param = LLVMGetParam(function, (unsigned)i);
    LLVMSetValueName2(param, buffer->name, strlen(buffer->name));
    if (!kernel->barrier_inside || !buffer->written)
      llvm_attribute(unit, function, (unsigned)i + 1, "noalias", 0);
    if (!buffer->written || !buffer->read)
      llvm_attribute(unit, function, (unsigned)i + 1, buffer->written ? "writeonly" : "readonly", 0);
  }
  LLVMSetValueName2(LLVMGetParam(function, (unsigned)kernel->buffers.count), "n", 1);
  return function;
}

// ---- entries
typedef struct Entry {
  LlvmUnit *unit;
  LLVMBuilderRef builder;
  LLVMValueRef function, frame, thread, threads;
  int depth, calls;              // calls: made so far
  const LLoop *loops[MAX_LOOPS]; // around the call being made
  LLVMValueRef rounds[MAX_LOOPS], lengths[MAX_LOOPS];
} Entry;

static LLVMValueRef field(Entry *entry, unsigned index) {
  return LLVMBuildStructGEP2(entry->builder, entry->unit->frame, entry->frame, index, "");
}

static LLVMValueRef pointer_at(Entry *entry, LLVMValueRef address) {
  return LLVMBuildLoad2(entry->builder, entry->unit->pointer, address, "");
}

static LLVMValueRef offset(Entry *entry, LLVMTypeRef type, LLVMValueRef base, int64_t count) {
  LLVMValueRef index = llvm_i64(entry->unit, count);
  return LLVMBuildInBoundsGEP2(entry->builder, type, base, &index, 1, "");
}

// The round of the loop as the stride counts it.
static LLVMValueRef round_of(Entry *entry, const LStride *stride) {
  LLVMBuilderRef builder = entry->builder;
  int depth = 0;
  while (entry->loops[depth] != stride->loop)
    depth++;
  LLVMValueRef round = entry->rounds[depth], one = llvm_i64(entry->unit, 1);
  if (stride->turns && stride->next)
    round = LLVMBuildAdd(builder, round, one, "");
  if (stride->turns)
    return LLVMBuildAnd(builder, round, one, "");
  return stride->loop->reverse ? LLVMBuildSub(builder, LLVMBuildSub(builder, entry->lengths[depth], one, ""), round, "")
                               : round;
}

static LLVMValueRef move(Entry *entry, LLVMValueRef base, const LPlace *where) {
  LLVMTypeRef byte = entry->unit->memory[L_U8];
  for (int i = 0; i < MAX_LOOPS && where->strides[i].loop; i++) {
    const LStride *stride = &where->strides[i];
    LLVMValueRef bytes =
        LLVMBuildMul(entry->builder, round_of(entry, stride), llvm_i64(entry->unit, stride->bytes), "");
    base = LLVMBuildInBoundsGEP2(entry->builder, byte, base, &bytes, 1, "");
  }
  return base;
}

static LLVMValueRef fixed_place(Entry *entry, const LPlace *where) {
  LLVMTypeRef byte = entry->unit->memory[L_U8], pointer = entry->unit->pointer;
  switch (where->space) {
  case SPACE_STATE:
    return offset(entry, byte, pointer_at(entry, field(entry, 0)), where->offset);
  case SPACE_ARENA:
    return offset(entry, byte, pointer_at(entry, field(entry, 1)), where->offset);
  case SPACE_INPUT:
  case SPACE_OUTPUT: {
    LLVMValueRef table = pointer_at(entry, field(entry, where->space == SPACE_INPUT ? 2 : 3));
    return offset(entry, byte, pointer_at(entry, offset(entry, pointer, table, where->index)), where->offset);
  }
  case SPACE_CLOCK:
    return offset(entry, byte, field(entry, 4), where->offset);
  default:
    return offset(entry, byte, entry->unit->constants, where->offset);
  }
}

static LLVMValueRef place(Entry *entry, const LPlace *where) {
  return move(entry, fixed_place(entry, where), where);
}

static int kernel_index(const LoopModule *loops, const LKernel *kernel) {
  for (int i = 0; i < loops->kernels.count; i++)
    if (loops->kernels.data[i] == kernel)
      return i;
  return -1;
}

static void call_kernel(Entry *entry, const LCall *call, LLVMValueRef kernel) {
  LlvmUnit *unit = entry->unit;
  unsigned count = (unsigned)call->kernel->buffers.count;
  LLVMValueRef *args = arena_array(unit->arena, LLVMValueRef, count + 3);
  for (unsigned i = 0; i < count; i++)
    args[i] = place(entry, &call->places[i]);
  LLVMValueRef batch = offset(entry, unit->i64, field(entry, 4), 4);
  args[count] = LLVMBuildLoad2(entry->builder, unit->i64, batch, "n");
  args[count + 1] = entry->thread;
  args[count + 2] = entry->threads;
  LLVMBuildCall2(entry->builder, kernel_type(unit, call->kernel), kernel, args, count + 3, "");
}

// What the call has written, to the runtime's look for the first value that is not finite.
static void check_call(Entry *entry, const LCall *call) {
  LlvmUnit *unit = entry->unit;
  LLVMValueRef batch = LLVMBuildLoad2(entry->builder, unit->i64, offset(entry, unit->i64, field(entry, 4), 4), "n");
  for (int b = 0; b < call->kernel->buffers.count; b++) {
    const LBuffer *buffer = call->kernel->buffers.data[b];
    if (!buffer->written || buffer->sample < 0 || (buffer->type != L_F32 && buffer->type != L_F64))
      continue;
    LLVMValueRef count = buffer->sample ? LLVMBuildMul(entry->builder, batch, llvm_i64(unit, buffer->sample), "")
                                        : llvm_i64(unit, buffer->length);
    LLVMValueRef args[] = {entry->frame,
                           LLVMConstInt(unit->i32, (unsigned)kernel_index(unit->loops, call->kernel), false),
                           place(entry, &call->places[b]), LLVMConstInt(unit->i32, buffer->type, false), count};
    LLVMBuildCall2(entry->builder, LLVMGlobalGetValueType(unit->check), unit->check, args, 5, "");
  }
}

static void await_all(Entry *entry, const LEntry *source) {
  LLVMValueRef barrier = entry->unit->barrier;
  if (source->parallel)
    LLVMBuildCall2(entry->builder, LLVMGlobalGetValueType(barrier), barrier, NULL, 0, "");
}

// All threads are done with the call, -1: with what came before the first.
static void profile_call(Entry *entry, const LEntry *source, int call) {
  LlvmUnit *unit = entry->unit;
  LLVMValueRef args[] = {entry->thread, LLVMConstInt(unit->i32, (unsigned long long)call, true)};
  await_all(entry, source);
  LLVMBuildCall2(entry->builder, LLVMGlobalGetValueType(unit->profile), unit->profile, args, 2, "");
}

static void call_list(Entry *entry, const LEntry *source, const LCalls *calls, LLVMValueRef *kernels);

static void call_loop(Entry *entry, const LEntry *source, const LLoop *loop, LLVMValueRef *kernels) {
  LlvmUnit *unit = entry->unit;
  LLVMBuilderRef builder = entry->builder;
  LLVMValueRef length = loop->count ? LLVMBuildLoad2(builder, unit->i64, place(entry, loop->count), "steps")
                                    : llvm_i64(unit, loop->length);
  LLVMBasicBlockRef before = LLVMGetInsertBlock(builder);
  LLVMBasicBlockRef head = LLVMAppendBasicBlockInContext(unit->context, entry->function, "step");
  LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(unit->context, entry->function, "");
  LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(unit->context, entry->function, "");
  LLVMBuildBr(builder, head);
  LLVMPositionBuilderAtEnd(builder, head);
  LLVMValueRef round = LLVMBuildPhi(builder, unit->i64, "step"), zero = llvm_i64(unit, 0);
  LLVMAddIncoming(round, &zero, &before, 1);
  LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntSLT, round, length, ""), inside, after);
  LLVMPositionBuilderAtEnd(builder, inside);
  entry->loops[entry->depth] = loop;
  entry->lengths[entry->depth] = length;
  entry->rounds[entry->depth++] = round;
  call_list(entry, source, &loop->calls, kernels);
  entry->depth--;
  LLVMValueRef next = LLVMBuildAdd(builder, round, llvm_i64(unit, 1), "");
  LLVMBasicBlockRef end = LLVMGetInsertBlock(builder);
  LLVMAddIncoming(round, &next, &end, 1);
  LLVMBuildBr(builder, head);
  LLVMPositionBuilderAtEnd(builder, after);
}

static void call_list(Entry *entry, const LEntry *source, const LCalls *calls, LLVMValueRef *kernels) {
  for (int i = 0; i < calls->count; i++) {
    const LCall *call = &calls->data[i];
    if (call->barrier && !source->profile)
      await_all(entry, source);
    if (call->loop) {
      call_loop(entry, source, call->loop, kernels);
      continue;
    }
    call_kernel(entry, call, kernels[kernel_index(entry->unit->loops, call->kernel)]);
    if (source->check)
      check_call(entry, call);
    if (source->profile)
      profile_call(entry, source, entry->calls++);
  }
}

static void call_all(Entry *entry, const LEntry *source, LLVMValueRef *kernels) {
  if (source->profile)
    profile_call(entry, source, -1);
  call_list(entry, source, &source->calls, kernels);
}

static LLVMTypeRef run_type(const LlvmUnit *unit) {
  LLVMTypeRef frame = unit->pointer;
  return LLVMFunctionType(unit->nothing, &frame, 1, false);
}

static LLVMTypeRef task_type(const LlvmUnit *unit) {
  LLVMTypeRef params[] = {unit->pointer, unit->i32, unit->i32};
  return LLVMFunctionType(unit->nothing, params, 3, false);
}

static Entry entry_begin(LlvmUnit *unit, LLVMValueRef function) {
  Entry entry = {.unit = unit,
                 .builder = LLVMCreateBuilderInContext(unit->context),
                 .function = function,
                 .frame = LLVMGetParam(function, 0)};
  LLVMPositionBuilderAtEnd(entry.builder, LLVMAppendBasicBlockInContext(unit->context, function, ""));
  return entry;
}

static void entry_end(Entry *entry) {
  LLVMBuildRetVoid(entry->builder);
  LLVMDisposeBuilder(entry->builder);
}

static void make_entry(LlvmUnit *unit, const LEntry *source, LLVMValueRef function, LLVMValueRef *kernels) {
  Entry entry = entry_begin(unit, function);
  if (!source->parallel) {
    entry.thread = LLVMConstInt(unit->i32, 0, false);
    entry.threads = LLVMConstInt(unit->i32, 1, false);
    call_all(&entry, source, kernels);
    entry_end(&entry);
    return;
  }
  const char *name = arena_printf(unit->arena, "%s_task", source->name);
  LLVMValueRef task = add_function(unit, name, task_type(unit), LLVMInternalLinkage);
  Entry inside = entry_begin(unit, task);
  inside.thread = LLVMGetParam(task, 1);
  inside.threads = LLVMGetParam(task, 2);
  call_all(&inside, source, kernels);
  entry_end(&inside);
  LLVMValueRef threads = LLVMBuildLoad2(entry.builder, unit->i32, field(&entry, 5), "threads");
  LLVMValueRef args[] = {threads, task, entry.frame};
  LLVMBuildCall2(entry.builder, LLVMGlobalGetValueType(unit->team), unit->team, args, 3, "");
  entry_end(&entry);
}

// ---- the module
static void make_constants(LlvmUnit *unit) {
  const LoopModule *loops = unit->loops;
  size_t bytes = loops->constant_bytes > 0 ? (size_t)loops->constant_bytes : 1;
  LLVMTypeRef type = LLVMArrayType2(unit->memory[L_U8], bytes);
  unit->constants = LLVMAddGlobal(unit->module, type, "nnrt_constants");
  LLVMSetGlobalConstant(unit->constants, true);
  LLVMSetAlignment(unit->constants, 64);
  if (unit->options.constants_outside)
    return;
  LLVMSetLinkage(unit->constants, LLVMPrivateLinkage);
  const char *data = loops->constant_bytes > 0 ? (const char *)loops->constants : "";
  LLVMSetInitializer(unit->constants, LLVMConstStringInContext2(unit->context, data, bytes, true));
}

static void make_externals(LlvmUnit *unit) {
  LLVMTypeRef team[] = {unit->i32, unit->pointer, unit->pointer};
  LLVMTypeRef check[] = {unit->pointer, unit->i32, unit->pointer, unit->i32, unit->i64};
  unit->check = add_function(unit, "nnrt_check", LLVMFunctionType(unit->nothing, check, 5, false), LLVMExternalLinkage);
  LLVMTypeRef profile[] = {unit->i32, unit->i32};
  unit->profile =
      add_function(unit, "nnrt_profile", LLVMFunctionType(unit->nothing, profile, 2, false), LLVMExternalLinkage);
  unit->barrier =
      add_function(unit, "nnrt_barrier", LLVMFunctionType(unit->nothing, NULL, 0, false), LLVMExternalLinkage);
  LLVMTypeRef deal[] = {unit->i64, unit->i32};
  unit->deal = add_function(unit, "nnrt_deal", LLVMFunctionType(unit->i64, deal, 2, false), LLVMExternalLinkage);
  unit->next = add_function(unit, "nnrt_next", LLVMFunctionType(unit->i64, NULL, 0, false), LLVMExternalLinkage);
  unit->team =
      add_function(unit, "nnrt_parallel", LLVMFunctionType(unit->nothing, team, 3, false), LLVMExternalLinkage);
}

// How much code a kernel becomes, roughly: statements, those of tiles for each row and vector.
static int64_t weight(const LBody *body) {
  int64_t sum = 0;
  for (int i = 0; i < body->count; i++) {
    const LStmt *stmt = body->data[i];
    int64_t times = stmt->kind == LS_TILE ? (int64_t)stmt->rows * ((stmt->cols + 15) / 16) : 1;
    sum += 1 + times * weight(&stmt->body);
  }
  return sum;
}

// Which kernels are this part's: dealt out from the largest to the smallest, each to the part with the least so far.
static bool *share(const LlvmUnit *unit) {
  const LoopModule *loops = unit->loops;
  int count = loops->kernels.count, parts = unit->options.parts > 1 ? unit->options.parts : 1;
  bool *mine = arena_array(unit->arena, bool, count + 1);
  int64_t *weights = arena_array(unit->arena, int64_t, count + 1), *load = arena_array(unit->arena, int64_t, parts);
  for (int i = 0; i < count; i++)
    weights[i] = 1 + weight(&loops->kernels.data[i]->body);
  for (int round = 0; round < count; round++) {
    int largest = 0, part = 0;
    for (int i = 1; i < count; i++)
      largest = weights[i] > weights[largest] ? i : largest;
    for (int i = 1; i < parts; i++)
      part = load[i] < load[part] ? i : part;
    load[part] += weights[largest];
    weights[largest] = 0;
    mine[largest] = part == unit->options.part;
  }
  return mine;
}

LLVMModuleRef emit_llvm(LLVMContextRef context, const LoopModule *loops, const LlvmOptions *options) {
  LlvmUnit unit = {.arena = arena_new(), .context = context, .loops = loops, .options = *options};
  unit.module = LLVMModuleCreateWithNameInContext(loops->name ? loops->name : "nnc", context);
  if (options->machine) {
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(options->machine);
    char *triple = LLVMGetTargetMachineTriple(options->machine);
    LLVMSetModuleDataLayout(unit.module, layout);
    LLVMSetTarget(unit.module, triple);
    LLVMDisposeMessage(triple);
    LLVMDisposeTargetData(layout);
  }
  make_types(&unit);
  make_externals(&unit);
  make_constants(&unit);
  int entry_count = options->part == 0 ? loops->entries.count : 0;
  LLVMValueRef *entries = arena_array(unit.arena, LLVMValueRef, entry_count + 1);
  LLVMValueRef *kernels = arena_array(unit.arena, LLVMValueRef, loops->kernels.count + 1);
  for (int i = 0; i < entry_count; i++) {
    const char *name = arena_printf(unit.arena, "%s_run", loops->entries.data[i]->name);
    entries[i] = add_function(&unit, name, run_type(&unit), LLVMExternalLinkage);
  }
  bool *mine = share(&unit);
  for (int i = 0; i < loops->kernels.count; i++)
    kernels[i] = declare_kernel(&unit, loops->kernels.data[i], i);
  for (int i = 0; i < loops->kernels.count; i++)
    if (mine[i])
      llvm_kernel(&unit, loops->kernels.data[i], kernels[i]);
  for (int i = 0; i < entry_count; i++)
    make_entry(&unit, loops->entries.data[i], entries[i], kernels);
  arena_free(unit.arena);
  return unit.module;
}

LLVMValueRef llvm_entry(LLVMModuleRef module, const LEntry *entry) {
  Arena *arena = arena_new();
  LLVMValueRef function = LLVMGetNamedFunction(module, arena_printf(arena, "%s_run", entry->name));
  arena_free(arena);
  return function;
}

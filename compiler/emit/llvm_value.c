// Values over lanes: splats, index vectors, loads and stores by stride. Takes LlvmValues of any form, keeps indices
// scalar as long as they are affine in the lane, and touches no element that a lane does not own.
#include <string.h>

#include "emit/llvm_unit.h"

LlvmValue llvm_uniform(LLVMValueRef value) {
  return (LlvmValue){.value = value};
}

LLVMValueRef llvm_i64(const LlvmUnit *unit, int64_t value) {
  return LLVMConstInt(unit->i64, (unsigned long long)value, true);
}

bool llvm_constant(LLVMValueRef value, int64_t *integer) {
  if (!value || !LLVMIsAConstantInt(value))
    return false;
  *integer = LLVMConstIntGetSExtValue(value);
  return true;
}

LLVMTypeRef llvm_type(const LlvmCode *code, LLVMTypeRef scalar, bool vector) {
  return vector && code->lanes > 1 ? LLVMVectorType(scalar, (unsigned)code->lanes) : scalar;
}

LLVMValueRef llvm_shuffle(LlvmCode *code, LLVMValueRef a, LLVMValueRef b, int count, const int *lanes) {
  LLVMValueRef *mask = arena_array(code->unit->arena, LLVMValueRef, count);
  for (int i = 0; i < count; i++)
    mask[i] = LLVMConstInt(code->unit->i32, (unsigned)lanes[i], false);
  if (!b)
    b = LLVMGetPoison(LLVMTypeOf(a));
  return LLVMBuildShuffleVector(code->builder, a, b, LLVMConstVector(mask, (unsigned)count), "");
}

LLVMValueRef llvm_intrinsic(LlvmCode *code, const char *name, int count, LLVMValueRef *args) {
  LLVMTypeRef type = LLVMTypeOf(args[0]);
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMValueRef function = LLVMGetIntrinsicDeclaration(code->unit->module, id, &type, 1);
  return LLVMBuildCall2(code->builder, LLVMGlobalGetValueType(function), function, args, (unsigned)count, "");
}

LLVMValueRef llvm_alloca(LlvmCode *code, LLVMTypeRef type, unsigned align, const char *name) {
  LLVMBuilderRef builder = LLVMCreateBuilderInContext(code->unit->context);
  LLVMValueRef first = LLVMGetFirstInstruction(code->entry);
  if (first)
    LLVMPositionBuilderBefore(builder, first);
  else
    LLVMPositionBuilderAtEnd(builder, code->entry);
  LLVMValueRef storage = LLVMBuildAlloca(builder, type, name);
  if (align)
    LLVMSetAlignment(storage, align);
  LLVMDisposeBuilder(builder);
  return storage;
}

static LLVMValueRef splat(LlvmCode *code, LLVMValueRef scalar) {
  unsigned lanes = (unsigned)code->lanes;
  if (LLVMIsConstant(scalar)) {
    LLVMValueRef *all = arena_array(code->unit->arena, LLVMValueRef, lanes);
    for (unsigned i = 0; i < lanes; i++)
      all[i] = scalar;
    return LLVMConstVector(all, lanes);
  }
  LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), lanes);
  LLVMValueRef zero = LLVMConstInt(code->unit->i32, 0, false);
  LLVMValueRef first = LLVMBuildInsertElement(code->builder, LLVMGetPoison(type), scalar, zero, "");
  LLVMValueRef mask = LLVMConstNull(LLVMVectorType(code->unit->i32, lanes));
  return LLVMBuildShuffleVector(code->builder, first, LLVMGetPoison(type), mask, "");
}

LLVMValueRef llvm_lift(LlvmCode *code, LlvmValue value) {
  if (value.vector || code->lanes == 1)
    return value.value;
  LLVMValueRef base = splat(code, value.value);
  if (!value.stride)
    return base;
  LLVMValueRef *lanes = arena_array(code->unit->arena, LLVMValueRef, code->lanes);
  for (int i = 0; i < code->lanes; i++)
    lanes[i] = llvm_i64(code->unit, i);
  LLVMValueRef count = LLVMConstVector(lanes, (unsigned)code->lanes);
  return LLVMBuildAdd(code->builder, base, LLVMBuildMul(code->builder, count, splat(code, value.stride), ""), "");
}

LLVMValueRef llvm_lane(LlvmCode *code, LlvmValue value, int lane) {
  if (value.vector)
    return LLVMBuildExtractElement(code->builder, value.value, LLVMConstInt(code->unit->i32, (unsigned)lane, false),
                                   "");
  if (!value.stride || lane == 0)
    return value.value;
  LLVMValueRef step = LLVMBuildMul(code->builder, value.stride, llvm_i64(code->unit, lane), "");
  return LLVMBuildAdd(code->builder, value.value, step, "");
}

// A stride that folded to zero makes the value uniform.
static LlvmValue affine(LLVMValueRef value, LLVMValueRef stride, bool moving) {
  int64_t constant = 0;
  if (llvm_constant(stride, &constant) && constant == 0)
    stride = NULL;
  return (LlvmValue){.value = value, .stride = stride, .moving = moving};
}

LlvmValue llvm_add(LlvmCode *code, LlvmValue a, LlvmValue b, LLVMOpcode op) {
  bool moving = a.moving || b.moving;
  if (a.vector || b.vector)
    return (LlvmValue){.value = LLVMBuildBinOp(code->builder, op, llvm_lift(code, a), llvm_lift(code, b), ""),
                       .vector = true,
                       .moving = moving};
  LLVMValueRef value = LLVMBuildBinOp(code->builder, op, a.value, b.value, "");
  LLVMValueRef stride = a.stride;
  if (b.stride)
    stride = LLVMBuildBinOp(code->builder, op, a.stride ? a.stride : llvm_i64(code->unit, 0), b.stride, "");
  return affine(value, stride, moving);
}

LlvmValue llvm_multiply(LlvmCode *code, LlvmValue a, LlvmValue b) {
  bool moving = a.moving || b.moving;
  if (a.vector || b.vector || (a.stride && b.stride))
    return (LlvmValue){.value = LLVMBuildMul(code->builder, llvm_lift(code, a), llvm_lift(code, b), ""),
                       .vector = code->lanes > 1,
                       .moving = moving};
  LLVMValueRef value = LLVMBuildMul(code->builder, a.value, b.value, "");
  LLVMValueRef stride = NULL;
  if (a.stride || b.stride)
    stride = LLVMBuildMul(code->builder, a.stride ? a.stride : b.stride, a.stride ? b.value : a.value, "");
  return affine(value, stride, moving);
}

// ---- memory
LLVMValueRef llvm_to_memory(LlvmCode *code, LType type, LLVMValueRef value, bool vector) {
  if (type != L_BOOL)
    return value;
  return LLVMBuildZExt(code->builder, value, llvm_type(code, code->unit->memory[L_BOOL], vector), "");
}

LLVMValueRef llvm_from_memory(LlvmCode *code, LType type, LLVMValueRef value, bool vector) {
  if (type != L_BOOL)
    return value;
  LLVMTypeRef memory = llvm_type(code, code->unit->memory[L_BOOL], vector);
  return LLVMBuildICmp(code->builder, LLVMIntNE, value, LLVMConstNull(memory), "");
}

LLVMValueRef llvm_element(LlvmCode *code, LLVMValueRef base, LType type, LLVMValueRef index) {
  return LLVMBuildInBoundsGEP2(code->builder, code->unit->memory[type], base, &index, 1, "");
}

static LLVMValueRef read(LlvmCode *code, LLVMValueRef address, LType type, bool vector) {
  LLVMValueRef value = LLVMBuildLoad2(code->builder, llvm_type(code, code->unit->memory[type], vector), address, "");
  LLVMSetAlignment(value, (unsigned)ltype_bytes(type));
  return value;
}

static void write(LlvmCode *code, LLVMValueRef address, LType type, LLVMValueRef value) {
  LLVMSetAlignment(LLVMBuildStore(code->builder, value, address), (unsigned)ltype_bytes(type));
}

static LLVMValueRef reversed(LlvmCode *code, LLVMValueRef vector) {
  int *lanes = arena_array(code->unit->arena, int, code->lanes);
  for (int i = 0; i < code->lanes; i++)
    lanes[i] = code->lanes - 1 - i;
  return llvm_shuffle(code, vector, NULL, code->lanes, lanes);
}

// Strides 1 and -1 are one access of consecutive elements, from the lowest.
static bool consecutive(LlvmCode *code, LlvmValue index, bool *backward, LLVMValueRef *lowest) {
  int64_t stride = 0;
  if (index.vector || !llvm_constant(index.stride, &stride) || (stride != 1 && stride != -1))
    return false;
  *backward = stride < 0;
  *lowest = *backward ? llvm_lane(code, index, code->lanes - 1) : index.value;
  return true;
}

LlvmValue llvm_load(LlvmCode *code, LLVMValueRef base, LType type, LlvmValue index) {
  if (!index.vector && !index.stride)
    return llvm_uniform(
        llvm_from_memory(code, type, read(code, llvm_element(code, base, type, index.value), type, false), false));
  bool backward = false;
  LLVMValueRef value = NULL;
  if (consecutive(code, index, &backward, &value)) {
    value = read(code, llvm_element(code, base, type, value), type, true);
    value = backward ? reversed(code, value) : value;
  } else {
    value = LLVMGetPoison(llvm_type(code, code->unit->memory[type], true));
    for (int i = 0; i < code->lanes; i++) {
      LLVMValueRef lane = read(code, llvm_element(code, base, type, llvm_lane(code, index, i)), type, false);
      value = LLVMBuildInsertElement(code->builder, value, lane, LLVMConstInt(code->unit->i32, (unsigned)i, false), "");
    }
  }
  return (LlvmValue){.value = llvm_from_memory(code, type, value, true), .vector = true};
}

// Lanes that share an element: the last one's value stays, as in a loop.
void llvm_store(LlvmCode *code, LLVMValueRef base, LType type, LlvmValue index, LlvmValue value) {
  if (!index.vector && !index.stride) {
    LLVMValueRef last = llvm_lane(code, value, code->lanes - 1);
    write(code, llvm_element(code, base, type, index.value), type, llvm_to_memory(code, type, last, false));
    return;
  }
  bool backward = false;
  LLVMValueRef lowest = NULL;
  if (consecutive(code, index, &backward, &lowest)) {
    LLVMValueRef all = llvm_to_memory(code, type, llvm_lift(code, value), true);
    write(code, llvm_element(code, base, type, lowest), type, backward ? reversed(code, all) : all);
    return;
  }
  for (int i = 0; i < code->lanes; i++) {
    LLVMValueRef lane = llvm_to_memory(code, type, llvm_lane(code, value, i), false);
    write(code, llvm_element(code, base, type, llvm_lane(code, index, i)), type, lane);
  }
}

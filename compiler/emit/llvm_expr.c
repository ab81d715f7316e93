// Expressions to IR. Takes an LExpr in the context of a LlvmCode, gives its value in the cheapest form: scalar while it
// is the same in all lanes, affine where it is an index, a vector otherwise. An expression met twice in a statement (or
// in a whole tile, if nothing there changes it) is made once. Every rule of loops.h is spelled out, none left to LLVM.
#include <string.h>

#include "emit/llvm_unit.h"

// ---- values by name
static LlvmBinding *slot(LlvmBinding *bindings, unsigned room, const void *key) {
  unsigned at = (unsigned)(((uintptr_t)key >> 4) * 0x9e3779b1u) & (room - 1);
  while (bindings[at].key && bindings[at].key != key)
    at = (at + 1) & (room - 1);
  return &bindings[at];
}

static void grow(LlvmCode *code) {
  unsigned room = code->binding_room ? code->binding_room * 2 : 256;
  LlvmBinding *larger = arena_array(code->unit->arena, LlvmBinding, room);
  for (unsigned i = 0; i < code->binding_room; i++)
    if (code->bindings[i].key)
      *slot(larger, room, code->bindings[i].key) = code->bindings[i];
  code->bindings = larger;
  code->binding_room = room;
}

static void bind(LlvmCode *code, const void *key, LlvmValue value) {
  if (code->binding_count * 2 >= code->binding_room)
    grow(code);
  LlvmBinding *binding = slot(code->bindings, code->binding_room, key);
  code->binding_count += binding->key == NULL;
  *binding = (LlvmBinding){.key = key, .value = value, .stamp = code->clock};
}

void llvm_bind(LlvmCode *code, const LVar *var, LlvmValue value) {
  bind(code, var, value);
}

static const LlvmBinding *bound(const LlvmCode *code, const void *key) {
  if (!code->binding_room)
    return NULL;
  const LlvmBinding *binding = slot(code->bindings, code->binding_room, key);
  return binding->key ? binding : NULL;
}

bool llvm_visit(LlvmCode *code, const LExpr *expr) {
  const LlvmBinding *binding = bound(code, expr);
  if (binding && binding->stamp == code->clock)
    return false;
  bind(code, expr, (LlvmValue){0});
  return true;
}

static LlvmValue variable(LlvmCode *code, const LVar *var) {
  const LlvmBinding *binding = bound(code, var);
  if (!binding)
    return llvm_uniform(LLVMGetPoison(code->unit->types[var->type]));
  LlvmValue value = binding->value;
  if (value.in_memory)
    return llvm_uniform(LLVMBuildLoad2(code->builder, code->unit->types[var->type], value.value, var->name));
  return value;
}

// ---- types
bool ltype_is_real(LType type) {
  return type == L_F32 || type == L_F64;
}
bool ltype_is_signed(LType type) {
  return type == L_I32 || type == L_I64;
}

static LLVMValueRef real_constant(const LlvmUnit *unit, LType type, double real) {
  // By bits, so that the sign and the payload of a NaN stay.
  uint64_t bits = 0;
  if (type == L_F32) {
    float narrow = (float)real;
    uint32_t half = 0;
    memcpy(&half, &narrow, sizeof half);
    return LLVMConstBitCast(LLVMConstInt(unit->i32, half, false), unit->types[L_F32]);
  }
  memcpy(&bits, &real, sizeof bits);
  return LLVMConstBitCast(LLVMConstInt(unit->i64, bits, false), unit->types[L_F64]);
}

static LLVMValueRef constant(const LlvmUnit *unit, const LExpr *expr) {
  if (ltype_is_real(expr->type))
    return real_constant(unit, expr->type, expr->real);
  uint64_t bits = expr->type == L_BOOL ? expr->integer != 0 : (uint64_t)expr->integer;
  int width = expr->type == L_BOOL ? 1 : 8 * ltype_bytes(expr->type);
  if (width < 64)
    bits &= (1ull << width) - 1;
  return LLVMConstInt(unit->types[expr->type], bits, false);
}

// ---- operations on lanes
static LLVMValueRef compare(LlvmCode *code, LOp op, LType type, LLVMValueRef a, LLVMValueRef b) {
  static const LLVMRealPredicate real[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
                                           LLVMRealOLE, LLVMRealOGT, LLVMRealOGE};
  static const LLVMIntPredicate whole[] = {LLVMIntEQ, LLVMIntNE, LLVMIntSLT, LLVMIntSLE, LLVMIntSGT, LLVMIntSGE};
  static const LLVMIntPredicate natural[] = {LLVMIntEQ, LLVMIntNE, LLVMIntULT, LLVMIntULE, LLVMIntUGT, LLVMIntUGE};
  if (ltype_is_real(type))
    return LLVMBuildFCmp(code->builder, real[op - LX_EQ], a, b, "");
  return LLVMBuildICmp(code->builder, ltype_is_signed(type) ? whole[op - LX_EQ] : natural[op - LX_EQ], a, b, "");
}

// LX_MAX: b > a || b != b ? b : a; LX_MIN with <.
LLVMValueRef llvm_extreme(LlvmCode *code, LOp op, LType type, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef take = compare(code, op == LX_MAX ? LX_GT : LX_LT, type, b, a);
  if (ltype_is_real(type))
    take = LLVMBuildOr(code->builder, take, LLVMBuildFCmp(code->builder, LLVMRealUNO, b, b, ""), "");
  return LLVMBuildSelect(code->builder, take, b, a, "");
}

// Signed division by -1 must wrap, where the machine's instruction would trap.
static LLVMValueRef divide_signed(LlvmCode *code, LOp op, LLVMValueRef a, LLVMValueRef b) {
  LLVMBuilderRef builder = code->builder;
  LLVMOpcode opcode = op == LX_DIV ? LLVMSDiv : LLVMSRem;
  if (LLVMIsConstant(b))
    return LLVMBuildBinOp(builder, opcode, a, b, "");
  LLVMTypeRef type = LLVMTypeOf(b);
  LLVMValueRef minus = LLVMConstAllOnes(type);
  LLVMValueRef special = LLVMBuildICmp(builder, LLVMIntEQ, b, minus, "");
  LLVMValueRef one = LLVMBuildSub(builder, LLVMConstNull(type), minus, "");
  LLVMValueRef usual = LLVMBuildBinOp(builder, opcode, a, LLVMBuildSelect(builder, special, one, b, ""), "");
  return op == LX_MOD ? usual : LLVMBuildSelect(builder, special, LLVMBuildNeg(builder, a, ""), usual, "");
}

static LLVMValueRef arithmetic(LlvmCode *code, LOp op, LType type, LLVMValueRef a, LLVMValueRef b) {
  bool real = ltype_is_real(type);
  LLVMBuilderRef builder = code->builder;
  switch (op) {
  case LX_ADD:
    return LLVMBuildBinOp(builder, real ? LLVMFAdd : LLVMAdd, a, b, "");
  case LX_SUB:
    return LLVMBuildBinOp(builder, real ? LLVMFSub : LLVMSub, a, b, "");
  case LX_MUL:
    return LLVMBuildBinOp(builder, real ? LLVMFMul : LLVMMul, a, b, "");
  case LX_DIV:
  case LX_MOD:
    if (real)
      return LLVMBuildFDiv(builder, a, b, "");
    if (ltype_is_signed(type))
      return divide_signed(code, op, a, b);
    return LLVMBuildBinOp(builder, op == LX_DIV ? LLVMUDiv : LLVMURem, a, b, "");
  case LX_AND:
    return LLVMBuildAnd(builder, a, b, "");
  case LX_OR:
    return LLVMBuildOr(builder, a, b, "");
  case LX_XOR:
    return LLVMBuildXor(builder, a, b, "");
  case LX_SHL:
    return LLVMBuildShl(builder, a, b, "");
  default:
    return LLVMBuildLShr(builder, a, b, "");
  }
}

static LLVMValueRef unary(LlvmCode *code, LOp op, LType type, LLVMValueRef a) {
  switch (op) {
  case LX_NEG:
    return ltype_is_real(type) ? LLVMBuildFNeg(code->builder, a, "") : LLVMBuildNeg(code->builder, a, "");
  case LX_NOT:
    return LLVMBuildNot(code->builder, a, "");
  case LX_SQRT:
    return llvm_intrinsic(code, "llvm.sqrt", 1, &a);
  case LX_FLOOR:
    return llvm_intrinsic(code, "llvm.floor", 1, &a);
  default:
    return llvm_intrinsic(code, "llvm.fabs", 1, &a);
  }
}

// C's conversion between any two scalar types.
static LLVMValueRef cast(LlvmCode *code, LLVMValueRef value, LType from, LType to, bool vector) {
  LLVMBuilderRef builder = code->builder;
  LLVMTypeRef type = llvm_type(code, code->unit->types[to], vector);
  if (from == to)
    return value;
  if (to == L_BOOL)
    return compare(code, LX_NE, from, value, LLVMConstNull(LLVMTypeOf(value)));
  if (ltype_is_real(from) && ltype_is_real(to))
    return LLVMBuildCast(builder, to == L_F64 ? LLVMFPExt : LLVMFPTrunc, value, type, "");
  if (ltype_is_real(from))
    return LLVMBuildCast(builder, ltype_is_signed(to) ? LLVMFPToSI : LLVMFPToUI, value, type, "");
  if (ltype_is_real(to))
    return LLVMBuildCast(builder, ltype_is_signed(from) ? LLVMSIToFP : LLVMUIToFP, value, type, "");
  if (from != L_BOOL && ltype_bytes(to) <= ltype_bytes(from))
    return ltype_bytes(to) == ltype_bytes(from) ? value : LLVMBuildTrunc(builder, value, type, "");
  return LLVMBuildCast(builder, ltype_is_signed(from) ? LLVMSExt : LLVMZExt, value, type, "");
}

static LLVMValueRef bitcast(LlvmCode *code, LLVMValueRef value, LType from, LType to, bool vector) {
  if ((from == L_BOOL) != (to == L_BOOL))
    return cast(code, value, from, to, vector);
  return LLVMBuildBitCast(code->builder, value, llvm_type(code, code->unit->types[to], vector), "");
}

// Inlined where the code is one vector loop; called in scalar rests and in unrolled tiles, where copies would only cost
// time to compile.
static LLVMValueRef call(LlvmCode *code, const LExpr *expr, LLVMValueRef *args, bool vector) {
  int lanes = vector ? code->lanes : 1;
  LLVMValueRef function = llvm_function(code->unit, expr->function, lanes, lanes > 1 && !code->unrolled);
  LLVMTypeRef type = llvm_function_type(code->unit, expr->function, lanes);
  return LLVMBuildCall2(code->builder, type, function, args, (unsigned)expr->arg_count, "");
}

// An operation whose arguments are all scalars or all vectors.
static LLVMValueRef operation(LlvmCode *code, const LExpr *expr, LLVMValueRef *args, bool vector) {
  LType type = expr->arg_count ? expr->args[0]->type : expr->type;
  switch (expr->op) {
  case LX_CALL:
    return call(code, expr, args, vector);
  case LX_NEG:
  case LX_NOT:
  case LX_SQRT:
  case LX_FLOOR:
  case LX_ABS:
    return unary(code, expr->op, type, args[0]);
  case LX_FMA:
    return llvm_intrinsic(code, "llvm.fma", 3, args);
  case LX_MAX:
  case LX_MIN:
    return llvm_extreme(code, expr->op, type, args[0], args[1]);
  case LX_EQ:
  case LX_NE:
  case LX_LT:
  case LX_LE:
  case LX_GT:
  case LX_GE:
    return compare(code, expr->op, type, args[0], args[1]);
  case LX_SELECT:
    return LLVMBuildSelect(code->builder, args[0], args[1], args[2], "");
  case LX_CAST:
    return cast(code, args[0], type, expr->type, vector);
  case LX_BITCAST:
    return bitcast(code, args[0], type, expr->type, vector);
  default:
    return arithmetic(code, expr->op, type, args[0], args[1]);
  }
}

// ---- expressions
static bool region_stores(const LlvmCode *code, const LBuffer *buffer) {
  for (int i = 0; code->region && i < code->region->count; i++)
    if (code->region->data[i]->kind == LS_STORE && code->region->data[i]->buffer == buffer)
      return true;
  return false;
}

static LLVMValueRef buffer_address(const LlvmCode *code, const LBuffer *buffer) {
  for (int i = 0; i < code->kernel->buffers.count; i++)
    if (code->kernel->buffers.data[i] == buffer)
      return LLVMGetParam(code->function, (unsigned)i);
  return LLVMGetPoison(code->unit->pointer);
}

static LlvmValue load(LlvmCode *code, const LExpr *expr) {
  LlvmValue index = llvm_expr(code, expr->args[0]);
  LlvmValue value = llvm_load(code, buffer_address(code, expr->buffer), expr->buffer->type, index);
  value.moving = index.moving || region_stores(code, expr->buffer);
  return value;
}

// For reading, into all caches, of data.
LLVMValueRef llvm_address(LlvmCode *code, const LBuffer *buffer, const LExpr *index) {
  return llvm_element(code, buffer_address(code, buffer), buffer->type, llvm_expr(code, index).value);
}

void llvm_prefetch(LlvmCode *code, const LExpr *expr) {
  LLVMTypeRef i32 = code->unit->i32;
  LLVMValueRef args[] = {llvm_address(code, expr->buffer, expr->args[0]), LLVMConstInt(i32, 0, false),
                         LLVMConstInt(i32, 3, false), LLVMConstInt(i32, 1, false)};
  llvm_intrinsic(code, "llvm.prefetch", 4, args);
}

static LlvmValue local(LlvmCode *code, const LExpr *expr) {
  LlvmValue zero = llvm_uniform(llvm_i64(code->unit, 0));
  LlvmValue first = llvm_expr(code, expr->args[0]);
  bool plane = expr->local->rank == 2;
  LlvmValue value =
      llvm_local_load(code, expr->local, plane ? first : zero, plane ? llvm_expr(code, expr->args[1]) : first);
  value.moving = true;
  return value;
}

// The fixed tree over 16 lanes: l[i] = l[i] op l[i + 8], then 4, 2, 1.
static LlvmValue horizontal(LlvmCode *code, const LExpr *expr) {
  static const int lanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  LLVMValueRef all = llvm_local_all(code, expr->local);
  for (int half = LLVM_SIMD_LANES / 2; half >= 1; half /= 2) {
    LLVMValueRef low = llvm_shuffle(code, all, NULL, half, lanes),
                 high = llvm_shuffle(code, all, NULL, half, lanes + half);
    all = expr->op == LX_HSUM ? arithmetic(code, LX_ADD, expr->type, low, high)
                              : llvm_extreme(code, expr->op == LX_HMAX ? LX_MAX : LX_MIN, expr->type, low, high);
  }
  LLVMValueRef zero = LLVMConstInt(code->unit->i32, 0, false);
  return (LlvmValue){.value = LLVMBuildExtractElement(code->builder, all, zero, ""), .moving = true};
}

static LlvmValue general(LlvmCode *code, const LExpr *expr) {
  LlvmValue values[LX_MAX_ARGS] = {{0}};
  LLVMValueRef args[LX_MAX_ARGS] = {0};
  bool vector = false, moving = false;
  for (int i = 0; i < expr->arg_count; i++) {
    values[i] = llvm_expr(code, expr->args[i]);
    vector = vector || values[i].vector || values[i].stride;
    moving = moving || values[i].moving;
  }
  // A condition that is the same in all lanes stays a scalar: select takes it so.
  for (int i = 0; i < expr->arg_count; i++) {
    bool scalar = !vector || (i == 0 && expr->op == LX_SELECT && !values[0].vector);
    args[i] = scalar ? values[i].value : llvm_lift(code, values[i]);
  }
  return (LlvmValue){.value = operation(code, expr, args, vector), .vector = vector, .moving = moving};
}

static LlvmValue compute(LlvmCode *code, const LExpr *expr) {
  bool index = expr->type == L_I64;
  switch (expr->op) {
  case LX_LOAD:
    return load(code, expr);
  case LX_LOCAL:
    return local(code, expr);
  case LX_HSUM:
  case LX_HMAX:
  case LX_HMIN:
    return horizontal(code, expr);
  case LX_ADD:
  case LX_SUB:
    if (index)
      return llvm_add(code, llvm_expr(code, expr->args[0]), llvm_expr(code, expr->args[1]),
                      expr->op == LX_ADD ? LLVMAdd : LLVMSub);
    return general(code, expr);
  case LX_NEG:
    if (index)
      return llvm_add(code, llvm_uniform(llvm_i64(code->unit, 0)), llvm_expr(code, expr->args[0]), LLVMSub);
    return general(code, expr);
  case LX_MUL:
    if (index)
      return llvm_multiply(code, llvm_expr(code, expr->args[0]), llvm_expr(code, expr->args[1]));
    return general(code, expr);
  default:
    return general(code, expr);
  }
}

LlvmValue llvm_expr(LlvmCode *code, const LExpr *expr) {
  if (expr->op == LX_CONST)
    return llvm_uniform(constant(code->unit, expr));
  if (expr->op == LX_VAR)
    return variable(code, expr->var);
  const LlvmBinding *known = bound(code, expr);
  if (known && known->stamp >= (known->value.moving ? code->statement_stamp : code->region_stamp))
    return known->value;
  LlvmValue value = compute(code, expr);
  bind(code, expr, value);
  return value;
}

// The LLVM emitter: loops to IR (emit_llvm), IR to machine code (llvm_optimize, llvm_object). Private to emit/llvm_*.c,
// session/jit.c and session/object.c.
//
// A value is known in one of three forms: uniform over the lanes (a scalar), affine in the lane (a scalar for lane 0
// and a stride; integers of 64 bits only, so that addresses stay scalar), or a vector. Splats and index vectors are
// made only where an operation mixes forms. No instruction carries a fast-math flag, fma is only llvm.fma.
#pragma once
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "base/vec.h"
#include "loops/loops.h"

enum { LLVM_SIMD_LANES = 16 };

typedef struct LlvmOptions {
  LLVMTargetMachineRef machine; // for the triple and the data layout
  const char *vector_width;     // "512": prefer-vector-width of every function; NULL: as the CPU's model says
  bool constants_outside;       // the constants are the external symbol nnrt_constants
  int part, parts;              // emit only kernels of this share; entries are in part 0. {0, 0} and {0, 1}: everything
} LlvmOptions;

// Functions `NAME_run(ptr frame)` for every entry NAME, and the kernels they call. Owned by the context.
LLVMModuleRef emit_llvm(LLVMContextRef context, const LoopModule *loops, const LlvmOptions *options);
// The function of an entry in a module of emit_llvm.
LLVMValueRef llvm_entry(LLVMModuleRef module, const LEntry *entry);

// A machine for "native" or a named CPU of this architecture; *vector_width as LlvmOptions wants it. NULL with *error
// (owned by `arena`) on failure. Freed by LLVMDisposeTargetMachine.
LLVMTargetMachineRef llvm_machine(Arena *arena, const char *cpu, const char **vector_width, char **error);
// The passes before code generation. NULL, or a message owned by `arena`.
char *llvm_optimize(Arena *arena, LLVMModuleRef module, LLVMTargetMachineRef machine);

// ---- one module being made
typedef struct LlvmUnit LlvmUnit;

// A value over the lanes of the context it was made in.
typedef struct LlvmValue {
  LLVMValueRef value;  // scalar (of lane 0 where there is a stride), or vector of `lanes`
  LLVMValueRef stride; // i64: lane l holds value + l * stride; NULL otherwise
  bool vector;
  bool moving;    // differs between the rows of the tile being unrolled, or may be changed by its statements
  bool in_memory; // `value` is the address of a scalar that must be loaded at each use
} LlvmValue;

typedef struct LlvmFunction {
  const LFunction *function;
  int lanes;
  bool inlined;
  LLVMValueRef value;
} LlvmFunction;

struct LlvmUnit {
  Arena *arena; // scratch of this emission
  LLVMContextRef context;
  LLVMModuleRef module;
  const LoopModule *loops;
  LlvmOptions options;
  LLVMTypeRef types[L_U64 + 1];  // in registers: bool is i1
  LLVMTypeRef memory[L_U64 + 1]; // in memory: bool is i8
  LLVMTypeRef pointer, i32, i64, nothing, frame;
  LLVMValueRef constants, barrier, check, profile, team, deal, next;
  VEC(LlvmFunction) functions; // made when first called
};

// The storage of a LLocal: registers (one alloca a row, of a vector or a scalar) or an array in memory.
typedef struct LlvmLocal {
  const LLocal *local;
  int rows, cols;
  bool in_registers;
  LLVMValueRef *storage; // an alloca a row, or one
} LlvmLocal;

typedef struct LlvmBinding {
  const void *key; // LVar or LExpr
  LlvmValue value;
  unsigned stamp;
} LlvmBinding;

// One function being made.
typedef struct LlvmCode {
  LlvmUnit *unit;
  LLVMBuilderRef builder;
  LLVMValueRef function;
  LLVMBasicBlockRef entry;      // allocas go to its front
  LLVMValueRef thread, threads; // of a kernel: this one's number, and how many there are
  int lanes;                    // 1: scalar code
  bool unrolled;                // in a tile of several rows
  const LKernel *kernel;
  const LBody *region; // the statements of the vector body being made, else NULL
  VEC(LlvmLocal) locals;
  // Values by LVar or LExpr, open addressing. A value of an expression holds while its stamp is not older than the
  // statement (if it is moving) or the region.
  LlvmBinding *bindings;
  unsigned binding_room, binding_count;
  unsigned clock, statement_stamp, region_stamp;
} LlvmCode;

// ---- llvm_value.c: lanes, memory, operations on lanes
LlvmValue llvm_uniform(LLVMValueRef value);
LLVMValueRef llvm_i64(const LlvmUnit *unit, int64_t value);
bool llvm_constant(LLVMValueRef value, int64_t *integer);
LLVMTypeRef llvm_type(const LlvmCode *code, LLVMTypeRef scalar, bool vector);
LLVMValueRef llvm_lift(LlvmCode *code, LlvmValue value);                  // as a vector (a scalar if lanes == 1)
LLVMValueRef llvm_lane(LlvmCode *code, LlvmValue value, int lane);        // one lane as a scalar
LlvmValue llvm_add(LlvmCode *code, LlvmValue a, LlvmValue b, LLVMOpcode); // LLVMAdd, LLVMSub of i64, forms kept
LlvmValue llvm_multiply(LlvmCode *code, LlvmValue a, LlvmValue b);
LLVMValueRef llvm_element(LlvmCode *code, LLVMValueRef base, LType type, LLVMValueRef index); // its address
LlvmValue llvm_load(LlvmCode *code, LLVMValueRef base, LType type, LlvmValue index);
void llvm_store(LlvmCode *code, LLVMValueRef base, LType type, LlvmValue index, LlvmValue value);
LLVMValueRef llvm_to_memory(LlvmCode *code, LType type, LLVMValueRef value, bool vector);
LLVMValueRef llvm_from_memory(LlvmCode *code, LType type, LLVMValueRef value, bool vector);
LLVMValueRef llvm_shuffle(LlvmCode *code, LLVMValueRef a, LLVMValueRef b, int count, const int *lanes);
LLVMValueRef llvm_intrinsic(LlvmCode *code, const char *name, int count, LLVMValueRef *args);
LLVMValueRef llvm_alloca(LlvmCode *code, LLVMTypeRef type, unsigned align, const char *name);

// ---- llvm_expr.c
LlvmValue llvm_expr(LlvmCode *code, const LExpr *expr);
void llvm_prefetch(LlvmCode *code, const LExpr *load);
LLVMValueRef llvm_address(LlvmCode *code, const LBuffer *buffer, const LExpr *index); // of an element, in scalar code
void llvm_bind(LlvmCode *code, const LVar *var, LlvmValue value);
bool llvm_visit(LlvmCode *code, const LExpr *expr); // false if visited since the clock last moved
LLVMValueRef llvm_extreme(LlvmCode *code, LOp op, LType type, LLVMValueRef a, LLVMValueRef b);
bool ltype_is_real(LType type);
bool ltype_is_signed(LType type);

// ---- llvm_local.c
void llvm_locals(LlvmCode *code, const LKernel *kernel); // decides the form of every local and makes its storage
void llvm_local_fill(LlvmCode *code, const LLocal *local, LlvmValue value);
LlvmValue llvm_local_load(LlvmCode *code, const LLocal *local, LlvmValue row, LlvmValue column);
void llvm_local_store(LlvmCode *code, const LLocal *local, LlvmValue row, LlvmValue column, LlvmValue value);
LLVMValueRef llvm_local_all(LlvmCode *code, const LLocal *local); // row 0 as a vector

// ---- llvm_stmt.c
void llvm_kernel(LlvmUnit *unit, const LKernel *kernel, LLVMValueRef function);
void llvm_lets(LlvmCode *code, LStmt *const *lets, int count);

// ---- llvm_module.c
LLVMValueRef llvm_function(LlvmUnit *unit, const LFunction *function, int lanes, bool inlined);
LLVMTypeRef llvm_function_type(const LlvmUnit *unit, const LFunction *function, int lanes);
LlvmCode llvm_code_begin(LlvmUnit *unit, LLVMValueRef function);
void llvm_code_end(LlvmCode *code);
void llvm_attribute(const LlvmUnit *unit, LLVMValueRef function, unsigned index, const char *name, uint64_t value);

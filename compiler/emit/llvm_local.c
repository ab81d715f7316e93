// The storage of locals. A local whose rows are known at every use (after tiles are unrolled) and whose columns are
// used as vectors at known offsets gets one alloca of a vector for each row, which SROA turns into registers; so an
// accumulator never meets memory. Anything else is an array in memory.
#include "emit/llvm_unit.h"

enum { REGISTER_COLS = 64, DYNAMIC_COLS = 16 };

// How the uses of a local, seen so far, index it.
typedef struct Uses {
  const LLocal *local;
  bool moving_row, lane_column, moving_column, dynamic_column;
} Uses;

typedef struct Scan {
  LlvmCode *code;
  VEC(Uses) uses;
  const LVar *row_var, *col_var; // of the tile around
  bool simd;                     // inside LS_SIMD, col_var being its variable
} Scan;

// ---- what an index depends on
// Known to be constant when the tile's rows are unrolled.
static bool known(const LExpr *expr, const LVar *row_var) {
  if (expr->op == LX_CONST)
    return true;
  if (expr->op == LX_VAR)
    return row_var && expr->var == row_var;
  if (expr->type != L_I64 || (expr->op != LX_ADD && expr->op != LX_SUB && expr->op != LX_MUL))
    return false;
  return known(expr->args[0], row_var) && known(expr->args[1], row_var);
}

// The lane variable with a known offset: j, j + 16, 32 - j.
static bool lane_with_known_offset(const LExpr *expr, const LVar *row_var, const LVar *col_var) {
  if (expr->op == LX_VAR)
    return col_var && expr->var == col_var;
  if (expr->op != LX_ADD && expr->op != LX_SUB)
    return false;
  const LExpr *left = expr->args[0], *right = expr->args[1];
  return (known(left, row_var) && lane_with_known_offset(right, row_var, col_var)) ||
         (known(right, row_var) && lane_with_known_offset(left, row_var, col_var));
}

// ---- the scan
static Uses *uses_of(Scan *scan, const LLocal *local) {
  for (int i = 0; i < scan->uses.count; i++)
    if (scan->uses.data[i].local == local)
      return &scan->uses.data[i];
  vec_push(scan->code->unit->arena, &scan->uses, (Uses){.local = local});
  return &scan->uses.data[scan->uses.count - 1];
}

static void scan_use(Scan *scan, const LLocal *local, const LExpr *first, const LExpr *second) {
  Uses *uses = uses_of(scan, local);
  const LExpr *column = local->rank == 2 ? second : first;
  if (local->rank == 2 && !known(first, scan->row_var))
    uses->moving_row = true;
  if (known(column, scan->row_var))
    return;
  bool lane = lane_with_known_offset(column, scan->row_var, scan->col_var);
  if (lane && !scan->simd)
    uses->lane_column = true;
  else if (scan->col_var && (lane || lx_mentions(column, scan->col_var)))
    uses->moving_column = true;
  else
    uses->dynamic_column = true;
}

static void scan_expr(Scan *scan, const LExpr *expr) {
  if (!expr || expr->op == LX_CONST || expr->op == LX_VAR || !llvm_visit(scan->code, expr))
    return;
  if (expr->op == LX_LOCAL)
    scan_use(scan, expr->local, expr->args[0], expr->arg_count > 1 ? expr->args[1] : NULL);
  if (expr->op == LX_HSUM || expr->op == LX_HMAX || expr->op == LX_HMIN)
    uses_of(scan, expr->local)->lane_column = true;
  for (int i = 0; i < expr->arg_count; i++)
    scan_expr(scan, expr->args[i]);
}

static void scan_body(Scan *scan, const LBody *body);

static void scan_stmt(Scan *scan, const LStmt *stmt) {
  if (stmt->kind == LS_LOCAL)
    uses_of(scan, stmt->local);
  if (stmt->kind == LS_SET)
    scan_use(scan, stmt->local, stmt->index[0], stmt->index[1]);
  scan->code->clock++;
  const LExpr *exprs[] = {stmt->value, stmt->index[0], stmt->index[1], stmt->from, stmt->to};
  for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++)
    scan_expr(scan, exprs[i]);
  Scan outer = *scan;
  if (stmt->kind == LS_TILE || stmt->kind == LS_SIMD) {
    scan->row_var = stmt->kind == LS_TILE ? stmt->row_var : NULL;
    scan->col_var = stmt->kind == LS_TILE ? stmt->col_var : stmt->var;
    scan->simd = stmt->kind == LS_SIMD;
  }
  scan_body(scan, &stmt->body);
  scan->row_var = outer.row_var;
  scan->col_var = outer.col_var;
  scan->simd = outer.simd;
}

static void scan_body(Scan *scan, const LBody *body) {
  for (int i = 0; i < body->count; i++)
    scan_stmt(scan, body->data[i]);
}

// ---- storage
static void make_storage(LlvmCode *code, LlvmLocal *local) {
  LLVMTypeRef element = code->unit->memory[local->local->type];
  if (!local->in_registers) {
    LLVMTypeRef type = LLVMArrayType2(element, (uint64_t)local->rows * (uint64_t)local->cols);
    local->storage = arena_array(code->unit->arena, LLVMValueRef, 1);
    local->storage[0] = llvm_alloca(code, type, 64, local->local->name);
    return;
  }
  LLVMTypeRef type = local->cols > 1 ? LLVMVectorType(element, (unsigned)local->cols) : element;
  local->storage = arena_array(code->unit->arena, LLVMValueRef, local->rows);
  for (int i = local->rows - 1; i >= 0; i--)
    local->storage[i] = llvm_alloca(code, type, 0, local->local->name);
}

void llvm_locals(LlvmCode *code, const LKernel *kernel) {
  Scan scan = {.code = code};
  scan_body(&scan, &kernel->body);
  for (int i = 0; i < scan.uses.count; i++) {
    const Uses *uses = &scan.uses.data[i];
    const LLocal *local = uses->local;
    LlvmLocal made = {.local = local,
                      .rows = local->rank == 2 ? local->dim[0] : 1,
                      .cols = local->rank == 2 ? local->dim[1] : local->dim[0]};
    bool scalars = made.cols == 1;
    bool vectors = made.cols <= REGISTER_COLS && !uses->moving_column && (uses->lane_column || !uses->dynamic_column) &&
                   (!uses->dynamic_column || made.cols <= DYNAMIC_COLS);
    made.in_registers = !uses->moving_row && (scalars || vectors);
    make_storage(code, &made);
    vec_push(code->unit->arena, &code->locals, made);
  }
}

static const LlvmLocal *find(const LlvmCode *code, const LLocal *local) {
  for (int i = 0; i < code->locals.count; i++)
    if (code->locals.data[i].local == local)
      return &code->locals.data[i];
  return NULL;
}

// The scalar or vector of a row held in registers.
static LLVMValueRef row_load(LlvmCode *code, const LlvmLocal *local, int64_t row) {
  return LLVMBuildLoad2(code->builder, LLVMGetAllocatedType(local->storage[row]), local->storage[row], "");
}

static LlvmValue flat_index(LlvmCode *code, const LlvmLocal *local, LlvmValue row, LlvmValue column) {
  LlvmValue pitch = llvm_uniform(llvm_i64(code->unit, local->cols));
  return llvm_add(code, llvm_multiply(code, row, pitch), column, LLVMAdd);
}

// A column that runs over the lanes at a known place: its first element and stride.
static bool known_lanes(LlvmValue column, int64_t *first, int64_t *stride) {
  return !column.vector && llvm_constant(column.value, first) && llvm_constant(column.stride, stride);
}

LlvmValue llvm_local_load(LlvmCode *code, const LLocal *which, LlvmValue row, LlvmValue column) {
  const LlvmLocal *local = find(code, which);
  int64_t at = 0, first = 0, stride = 0;
  if (!local->in_registers || !llvm_constant(row.value, &at))
    return llvm_load(code, local->storage[0], which->type, flat_index(code, local, row, column));
  LLVMValueRef all = row_load(code, local, at);
  if (local->cols == 1)
    return llvm_uniform(llvm_from_memory(code, which->type, all, false));
  if (!column.vector && !column.stride) {
    LLVMValueRef element = LLVMBuildExtractElement(code->builder, all, column.value, "");
    return llvm_uniform(llvm_from_memory(code, which->type, element, false));
  }
  LLVMValueRef lanes = NULL;
  if (known_lanes(column, &first, &stride)) {
    int *from = arena_array(code->unit->arena, int, code->lanes);
    for (int i = 0; i < code->lanes; i++)
      from[i] = (int)(first + i * stride);
    bool whole = first == 0 && stride == 1 && code->lanes == local->cols;
    lanes = whole ? all : llvm_shuffle(code, all, NULL, code->lanes, from);
  } else {
    lanes = LLVMGetPoison(llvm_type(code, code->unit->memory[which->type], true));
    for (int i = 0; i < code->lanes; i++) {
      LLVMValueRef lane = LLVMBuildExtractElement(code->builder, all, llvm_lane(code, column, i), "");
      lanes = LLVMBuildInsertElement(code->builder, lanes, lane, llvm_i64(code->unit, i), "");
    }
  }
  return (LlvmValue){.value = llvm_from_memory(code, which->type, lanes, true), .vector = true};
}

// Replaces the elements first + i * stride of `all` by the lanes i of `lanes`: one shuffle widens, another mixes.
static LLVMValueRef merge(LlvmCode *code, LLVMValueRef all, int cols, LLVMValueRef lanes, int64_t first,
                          int64_t stride) {
  int *widen = arena_array(code->unit->arena, int, cols), *mix = arena_array(code->unit->arena, int, cols);
  for (int i = 0; i < cols; i++)
    mix[i] = i;
  for (int i = 0; i < code->lanes; i++) {
    int64_t column = first + i * stride;
    if (column < 0 || column >= cols)
      continue;
    widen[column] = i;
    mix[column] = cols + (int)column;
  }
  return llvm_shuffle(code, all, llvm_shuffle(code, lanes, NULL, cols, widen), cols, mix);
}

void llvm_local_store(LlvmCode *code, const LLocal *which, LlvmValue row, LlvmValue column, LlvmValue value) {
  const LlvmLocal *local = find(code, which);
  int64_t at = 0, first = 0, stride = 0;
  if (!local->in_registers || !llvm_constant(row.value, &at)) {
    llvm_store(code, local->storage[0], which->type, flat_index(code, local, row, column), value);
    return;
  }
  LLVMValueRef all = NULL;
  if (local->cols == 1) {
    all = llvm_to_memory(code, which->type, llvm_lane(code, value, code->lanes - 1), false);
  } else if (!column.vector && !column.stride) {
    LLVMValueRef lane = llvm_to_memory(code, which->type, llvm_lane(code, value, code->lanes - 1), false);
    all = LLVMBuildInsertElement(code->builder, row_load(code, local, at), lane, column.value, "");
  } else if (known_lanes(column, &first, &stride)) {
    LLVMValueRef lanes = llvm_to_memory(code, which->type, llvm_lift(code, value), true);
    bool whole = first == 0 && stride == 1 && code->lanes == local->cols;
    all = whole ? lanes : merge(code, row_load(code, local, at), local->cols, lanes, first, stride);
  } else {
    all = row_load(code, local, at);
    for (int i = 0; i < code->lanes; i++) {
      LLVMValueRef lane = llvm_to_memory(code, which->type, llvm_lane(code, value, i), false);
      all = LLVMBuildInsertElement(code->builder, all, lane, llvm_lane(code, column, i), "");
    }
  }
  LLVMBuildStore(code->builder, all, local->storage[at]);
}

LLVMValueRef llvm_local_all(LlvmCode *code, const LLocal *which) {
  const LlvmLocal *local = find(code, which);
  if (local->in_registers)
    return row_load(code, local, 0);
  LLVMTypeRef type = LLVMVectorType(code->unit->memory[which->type], (unsigned)local->cols);
  return LLVMBuildLoad2(code->builder, type, local->storage[0], "");
}

// Fills by stores of at most REGISTER_COLS elements; locals are small, a loop would save nothing.
void llvm_local_fill(LlvmCode *code, const LLocal *which, LlvmValue value) {
  const LlvmLocal *local = find(code, which);
  LLVMValueRef element = llvm_to_memory(code, which->type, value.value, false);
  int count = local->in_registers ? local->cols : local->rows * local->cols;
  LlvmCode wide = *code;
  if (local->in_registers) {
    wide.lanes = count;
    for (int i = 0; i < local->rows; i++)
      LLVMBuildStore(code->builder, llvm_lift(&wide, llvm_uniform(element)), local->storage[i]);
    return;
  }
  for (int from = 0; from < count; from += REGISTER_COLS) {
    wide.lanes = count - from < REGISTER_COLS ? count - from : REGISTER_COLS;
    LLVMValueRef index = llvm_i64(code->unit, from);
    LLVMValueRef address = LLVMBuildInBoundsGEP2(code->builder, LLVMTypeOf(element), local->storage[0], &index, 1, "");
    LLVMValueRef store = LLVMBuildStore(code->builder, llvm_lift(&wide, llvm_uniform(element)), address);
    LLVMSetAlignment(store, (unsigned)ltype_bytes(which->type));
  }
}

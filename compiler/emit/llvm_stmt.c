// Statements and kernels to IR. Loops are made in rotated form (guard, preheader, body with its test at the end), so
// that what does not change can be hoisted without further passes. A LS_SIMD becomes a loop over vectors of 16 and a
// scalar one for the rest; a LS_TILE is unrolled over its rows, its columns being one vector.
#include "emit/llvm_unit.h"

static void body(LlvmCode *code, const LBody *statements);

// ---- loops
typedef struct Loop {
  LLVMBasicBlockRef guard, body, exit;
  LLVMValueRef from, to, index; // index: the phi
  int64_t step;
} Loop;

static LLVMBasicBlockRef block(LlvmCode *code, const char *name) {
  return LLVMAppendBasicBlockInContext(code->unit->context, code->function, name);
}

static LLVMValueRef before(LlvmCode *code, LLVMValueRef a, LLVMValueRef b, int64_t step) {
  return LLVMBuildICmp(code->builder, step > 0 ? LLVMIntSLT : LLVMIntSGT, a, b, "");
}

static Loop loop_open(LlvmCode *code, const char *name, LLVMValueRef from, LLVMValueRef to, int64_t step) {
  LLVMBuilderRef builder = code->builder;
  Loop loop = {.guard = LLVMGetInsertBlock(builder), .from = from, .to = to, .step = step};
  LLVMBasicBlockRef preheader = block(code, "before");
  loop.body = block(code, "body");
  loop.exit = block(code, "after");
  LLVMBuildCondBr(builder, before(code, from, to, step), preheader, loop.exit);
  LLVMPositionBuilderAtEnd(builder, preheader);
  LLVMBuildBr(builder, loop.body);
  LLVMPositionBuilderAtEnd(builder, loop.body);
  loop.index = LLVMBuildPhi(builder, LLVMTypeOf(from), name);
  LLVMAddIncoming(loop.index, &from, &preheader, 1);
  return loop;
}

// The index after the last round.
static LLVMValueRef loop_close(LlvmCode *code, Loop *loop) {
  LLVMBuilderRef builder = code->builder;
  LLVMTypeRef type = LLVMTypeOf(loop->from);
  LLVMValueRef step = LLVMConstInt(type, (unsigned long long)loop->step, true);
  LLVMValueRef next = LLVMBuildNSWAdd(builder, loop->index, step, "");
  LLVMBasicBlockRef latch = LLVMGetInsertBlock(builder);
  LLVMBuildCondBr(builder, before(code, next, loop->to, loop->step), loop->body, loop->exit);
  LLVMAddIncoming(loop->index, &next, &latch, 1);
  LLVMPositionBuilderAtEnd(builder, loop->exit);
  LLVMValueRef after = LLVMBuildPhi(builder, type, "");
  LLVMAddIncoming(after, (LLVMValueRef[]){loop->from, next}, (LLVMBasicBlockRef[]){loop->guard, latch}, 2);
  return after;
}

// No round, as far as constants say.
static bool loop_empty(LLVMValueRef from, LLVMValueRef to, int64_t step) {
  int64_t first = 0, last = 0;
  return llvm_constant(from, &first) && llvm_constant(to, &last) && (step > 0 ? first >= last : first <= last);
}

// Rounds `together` at a time, as long as there are so many; gives where the others begin.
static LLVMValueRef in_a_row(LlvmCode *code, const LStmt *stmt, LLVMValueRef from, LLVMValueRef to, int together) {
  LLVMValueRef limit = LLVMBuildSub(code->builder, to, llvm_i64(code->unit, together - 1), "");
  int64_t first = 0, last = 0;
  if (loop_empty(from, limit, together))
    return from;
  Loop loop = loop_open(code, stmt->var->name, from, limit, together);
  for (int i = 0; i < together; i++) {
    LLVMValueRef index = LLVMBuildNSWAdd(code->builder, loop.index, llvm_i64(code->unit, i), "");
    llvm_bind(code, stmt->var, llvm_uniform(i ? index : loop.index));
    body(code, &stmt->body);
  }
  LLVMValueRef rest = loop_close(code, &loop);
  if (llvm_constant(from, &first) && llvm_constant(to, &last))
    rest = llvm_i64(code->unit, first + (last - first) / together * together);
  return rest;
}

static void for_range(LlvmCode *code, const LStmt *stmt, LLVMValueRef from, LLVMValueRef to, int64_t step) {
  if (stmt->unroll > 1)
    from = in_a_row(code, stmt, from, to, stmt->unroll);
  if (loop_empty(from, to, step))
    return;
  Loop loop = loop_open(code, stmt->var->name, from, to, step);
  llvm_bind(code, stmt->var, llvm_uniform(loop.index));
  body(code, &stmt->body);
  loop_close(code, &loop);
}

// ---- vectors
// Makes `statements` once for the lanes set in `code`; values that cannot change are shared by all of them.
static void region(LlvmCode *code, const LBody *statements) {
  code->region = statements;
  body(code, statements);
  code->region = NULL;
}

static void simd(LlvmCode *code, const LStmt *stmt, LLVMValueRef from, LLVMValueRef to) {
  int64_t step = stmt->step ? stmt->step : 1, first = 0, last = 0;
  if (loop_empty(from, to, step))
    return;
  LLVMValueRef limit = LLVMBuildSub(code->builder, to, llvm_i64(code->unit, (LLVM_SIMD_LANES - 1) * step), "");
  if (!loop_empty(from, limit, step)) {
    Loop loop = loop_open(code, stmt->var->name, from, limit, LLVM_SIMD_LANES * step);
    code->lanes = LLVM_SIMD_LANES;
    llvm_bind(code, stmt->var, (LlvmValue){.value = loop.index, .stride = llvm_i64(code->unit, step)});
    code->region_stamp = ++code->clock;
    region(code, &stmt->body);
    code->lanes = 1;
    LLVMValueRef rest = loop_close(code, &loop);
    if (llvm_constant(from, &first) && llvm_constant(to, &last)) {
      int64_t rounds = (last - first + step - 1) / step;
      rest = llvm_i64(code->unit, first + rounds / LLVM_SIMD_LANES * LLVM_SIMD_LANES * step);
    }
    from = rest;
  }
  for_range(code, stmt, from, to, step);
}

static void tile(LlvmCode *code, const LStmt *stmt) {
  code->lanes = stmt->cols;
  code->unrolled = stmt->rows > 1;
  code->region_stamp = ++code->clock;
  LlvmValue column = llvm_uniform(llvm_i64(code->unit, 0));
  if (stmt->cols > 1)
    column.stride = llvm_i64(code->unit, 1);
  if (stmt->col_var)
    llvm_bind(code, stmt->col_var, column);
  for (int i = 0; i < stmt->rows; i++) {
    if (stmt->row_var)
      llvm_bind(code, stmt->row_var, (LlvmValue){.value = llvm_i64(code->unit, i), .moving = true});
    region(code, &stmt->body);
  }
  code->unrolled = false;
  code->lanes = 1;
}

// ---- statements
static LLVMValueRef scalar(LlvmCode *code, const LExpr *expr) {
  return llvm_expr(code, expr).value;
}

static void branch(LlvmCode *code, const LStmt *stmt) {
  LLVMBasicBlockRef then = block(code, "then"), after = block(code, "after");
  LLVMBuildCondBr(code->builder, scalar(code, stmt->value), then, after);
  LLVMPositionBuilderAtEnd(code->builder, then);
  body(code, &stmt->body);
  LLVMBuildBr(code->builder, after);
  LLVMPositionBuilderAtEnd(code->builder, after);
}

static void set(LlvmCode *code, const LStmt *stmt) {
  LlvmValue row = llvm_uniform(llvm_i64(code->unit, 0)), column = llvm_expr(code, stmt->index[0]);
  if (stmt->local->rank == 2) {
    row = column;
    column = llvm_expr(code, stmt->index[1]);
  }
  llvm_local_store(code, stmt->local, row, column, llvm_expr(code, stmt->value));
}

static void store(LlvmCode *code, const LStmt *stmt) {
  LlvmValue index = llvm_expr(code, stmt->index[0]);
  LlvmValue value = llvm_expr(code, stmt->value);
  for (int i = 0; i < code->kernel->buffers.count; i++)
    if (code->kernel->buffers.data[i] == stmt->buffer)
      llvm_store(code, LLVMGetParam(code->function, (unsigned)i), stmt->buffer->type, index, value);
}

// ---- turned squares
// The lower halves of two vectors, element by element in turn; or the upper ones.
static LLVMValueRef interleave(LlvmCode *code, LLVMValueRef a, LLVMValueRef b, int lanes, bool upper) {
  int order[TURN_SIZE];
  for (int i = 0; i < lanes; i++)
    order[i] = (upper ? lanes / 2 : 0) + i / 2 + (i % 2 ? lanes : 0);
  return llvm_shuffle(code, a, b, lanes, order);
}

// Each round brings the vectors of both halves together; after log2 of `lanes` rounds element i of vector j is j of i.
static void turn_vectors(LlvmCode *code, LLVMValueRef *vectors, int lanes) {
  for (int round = 1; round < lanes; round *= 2) {
    LLVMValueRef next[TURN_SIZE];
    for (int i = 0; i < lanes; i++)
      next[i] = interleave(code, vectors[i / 2], vectors[i / 2 + lanes / 2], lanes, i % 2);
    memcpy(vectors, next, (size_t)lanes * sizeof *next);
  }
}

static LLVMValueRef further(LlvmCode *code, LLVMValueRef address, LType type, int64_t elements) {
  return llvm_element(code, address, type, llvm_i64(code->unit, elements));
}

static void turn(LlvmCode *code, const LStmt *stmt) {
  enum { LINE = 64 }; // the widest vectors; narrower ones are made of these
  LType type = stmt->value->type;
  int lanes = LINE / ltype_bytes(type);
  LLVMTypeRef vector = LLVMVectorType(code->unit->types[type], (unsigned)lanes);
  LLVMValueRef to = llvm_address(code, stmt->buffer, stmt->index[0]);
  LLVMValueRef from = llvm_address(code, stmt->value->buffer, stmt->value->args[0]);
  for (int square = 0; square < TURN_SIZE / lanes * (TURN_SIZE / lanes); square++) {
    LLVMValueRef vectors[TURN_SIZE];
    int i0 = square % (TURN_SIZE / lanes) * lanes, j0 = square / (TURN_SIZE / lanes) * lanes;
    for (int j = 0; j < lanes; j++) {
      vectors[j] = LLVMBuildLoad2(code->builder, vector, further(code, from, type, (j0 + j) * stmt->apart[1] + i0), "");
      LLVMSetAlignment(vectors[j], (unsigned)ltype_bytes(type));
    }
    turn_vectors(code, vectors, lanes);
    for (int i = 0; i < lanes; i++) {
      LLVMValueRef at = further(code, to, type, (i0 + i) * stmt->apart[0] + j0);
      LLVMSetAlignment(LLVMBuildStore(code->builder, vectors[i], at), (unsigned)ltype_bytes(type));
    }
  }
}

// In a loop of all threads: rounds count * thread / threads to count * (thread + 1) / threads.
static void shared_loop(LlvmCode *code, const LStmt *stmt) {
  LLVMBuilderRef builder = code->builder;
  code->statement_stamp = code->region_stamp = ++code->clock;
  LLVMValueRef count = scalar(code, stmt->to), next = LLVMBuildAdd(builder, code->thread, llvm_i64(code->unit, 1), "");
  LLVMValueRef low = LLVMBuildSDiv(builder, LLVMBuildMul(builder, count, code->thread, ""), code->threads, "");
  LLVMValueRef high = LLVMBuildSDiv(builder, LLVMBuildMul(builder, count, next, ""), code->threads, "");
  for_range(code, stmt, low, high, 1);
}

// At the top: rounds as they are dealt.
static void dealt_loop(LlvmCode *code, const LStmt *stmt) {
  LLVMBuilderRef builder = code->builder;
  code->statement_stamp = code->region_stamp = ++code->clock;
  LLVMValueRef deal = code->unit->deal, next = code->unit->next,
               threads = LLVMConstInt(code->unit->i32, (unsigned long long)stmt->most, false);
  LLVMValueRef first = LLVMBuildCall2(builder, LLVMGlobalGetValueType(deal), deal,
                                      (LLVMValueRef[]){scalar(code, stmt->to), threads}, 2, "");
  LLVMBasicBlockRef before = LLVMGetInsertBlock(builder), head = block(code, stmt->var->name),
                    round = block(code, "round"), after = block(code, "dealt");
  LLVMBuildBr(builder, head);
  LLVMPositionBuilderAtEnd(builder, head);
  LLVMValueRef index = LLVMBuildPhi(builder, code->unit->i64, stmt->var->name);
  LLVMAddIncoming(index, &first, &before, 1);
  LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntSGE, index, llvm_i64(code->unit, 0), ""), round, after);
  LLVMPositionBuilderAtEnd(builder, round);
  llvm_bind(code, stmt->var, llvm_uniform(index));
  body(code, &stmt->body);
  LLVMValueRef more = LLVMBuildCall2(builder, LLVMGlobalGetValueType(next), next, NULL, 0, "");
  LLVMBasicBlockRef latch = LLVMGetInsertBlock(builder);
  LLVMAddIncoming(index, &more, &latch, 1);
  LLVMBuildBr(builder, head);
  LLVMPositionBuilderAtEnd(builder, after);
}

static void statement(LlvmCode *code, const LStmt *stmt) {
  code->statement_stamp = ++code->clock;
  if (!code->region)
    code->region_stamp = code->statement_stamp;
  switch (stmt->kind) {
  case LS_LET:
    llvm_bind(code, stmt->var, llvm_expr(code, stmt->value));
    break;
  case LS_LOCAL:
    llvm_local_fill(code, stmt->local, llvm_expr(code, stmt->value));
    break;
  case LS_SET:
    set(code, stmt);
    break;
  case LS_STORE:
    store(code, stmt);
    break;
  case LS_TURN:
    turn(code, stmt);
    break;
  case LS_PREFETCH:
    llvm_prefetch(code, stmt->value);
    break;
  case LS_PARALLEL:
    shared_loop(code, stmt);
    break;
  case LS_FOR:
  case LS_TOGETHER:
    for_range(code, stmt, scalar(code, stmt->from), scalar(code, stmt->to), stmt->step ? stmt->step : 1);
    break;
  case LS_SIMD:
    simd(code, stmt, scalar(code, stmt->from), scalar(code, stmt->to));
    break;
  case LS_TILE:
    tile(code, stmt);
    break;
  case LS_IF:
    branch(code, stmt);
    break;
  }
}

static void body(LlvmCode *code, const LBody *statements) {
  for (int i = 0; i < statements->count; i++)
    statement(code, statements->data[i]);
}

void llvm_lets(LlvmCode *code, LStmt *const *lets, int count) {
  for (int i = 0; i < count; i++)
    statement(code, lets[i]);
}

// ---- kernels
// A value every thread may compute for itself at the start: nothing the kernel writes, no local.
static bool everywhere(const LExpr *expr, const LVar *const *inside, int inside_count) {
  if (expr->op == LX_LOCAL || expr->op == LX_HSUM || expr->op == LX_HMAX || expr->op == LX_HMIN)
    return false;
  if (expr->op == LX_LOAD && expr->buffer->written)
    return false;
  for (int i = 0; i < inside_count; i++)
    if (expr->op == LX_VAR && expr->var == inside[i])
      return false;
  for (int i = 0; i < expr->arg_count; i++)
    if (!everywhere(expr->args[i], inside, inside_count))
      return false;
  return true;
}

// What stands at the top between shared loops is guarded by `thread == 0`.
typedef struct Guard {
  LLVMValueRef first; // thread == 0
  LLVMBasicBlockRef after;
} Guard;

static void guard_open(LlvmCode *code, Guard *guard) {
  if (guard->after)
    return;
  LLVMBasicBlockRef then = block(code, "alone");
  guard->after = block(code, "together");
  LLVMBuildCondBr(code->builder, guard->first, then, guard->after);
  LLVMPositionBuilderAtEnd(code->builder, then);
}

static void guard_close(LlvmCode *code, Guard *guard) {
  if (!guard->after)
    return;
  LLVMBuildBr(code->builder, guard->after);
  LLVMPositionBuilderAtEnd(code->builder, guard->after);
  guard->after = NULL;
}

// A let made under a guard lives in memory, since later guards do not follow from this one.
static void guarded_let(LlvmCode *code, const LStmt *stmt) {
  LLVMValueRef place = llvm_alloca(code, code->unit->types[stmt->var->type], 0, stmt->var->name);
  statement(code, stmt);
  LLVMBuildStore(code->builder, scalar(code, stmt->value), place);
  llvm_bind(code, stmt->var, (LlvmValue){.value = place, .in_memory = true});
}

static void wait(LlvmCode *code) {
  LLVMBasicBlockRef then = block(code, "wait"), after = block(code, "after");
  LLVMValueRef team = LLVMBuildICmp(code->builder, LLVMIntSGT, code->threads, llvm_i64(code->unit, 1), "");
  LLVMBuildCondBr(code->builder, team, then, after);
  LLVMPositionBuilderAtEnd(code->builder, then);
  LLVMBuildCall2(code->builder, LLVMGlobalGetValueType(code->unit->barrier), code->unit->barrier, NULL, 0, "");
  LLVMBuildBr(code->builder, after);
  LLVMPositionBuilderAtEnd(code->builder, after);
}

// Lets that all threads can have are made first; the others, in order, by one thread.
static const LVar **early_lets(LlvmCode *code, const LKernel *kernel, int *inside_count) {
  const LVar **inside = arena_array(code->unit->arena, const LVar *, kernel->body.count + 1);
  for (int i = 0; i < kernel->body.count; i++) {
    const LStmt *stmt = kernel->body.data[i];
    if (stmt->kind != LS_LET)
      continue;
    if (everywhere(stmt->value, inside, *inside_count))
      statement(code, stmt);
    else
      inside[(*inside_count)++] = stmt->var;
  }
  return inside;
}

static bool listed(const LVar *const *vars, int count, const LVar *var) {
  for (int i = 0; i < count; i++)
    if (vars[i] == var)
      return true;
  return false;
}

static void kernel_body(LlvmCode *code, const LKernel *kernel) {
  int inside_count = 0;
  const LVar *const *inside = early_lets(code, kernel, &inside_count);
  Guard guard = {.first = LLVMBuildICmp(code->builder, LLVMIntEQ, code->thread, llvm_i64(code->unit, 0), "")};
  for (int i = 0; i < kernel->body.count; i++) {
    const LStmt *stmt = kernel->body.data[i];
    if (stmt->kind == LS_LET) {
      if (listed(inside, inside_count, stmt->var)) {
        guard_open(code, &guard);
        guarded_let(code, stmt);
      }
      continue;
    }
    if (ls_for_all(stmt))
      guard_close(code, &guard);
    else
      guard_open(code, &guard);
    if (stmt->kind == LS_PARALLEL)
      dealt_loop(code, stmt);
    else
      statement(code, stmt);
    if (kernel->barrier_inside && stmt->kind != LS_LOCAL && i + 1 < kernel->body.count) {
      guard_close(code, &guard);
      wait(code);
    }
  }
  guard_close(code, &guard);
}

void llvm_kernel(LlvmUnit *unit, const LKernel *kernel, LLVMValueRef function) {
  LlvmCode code = llvm_code_begin(unit, function);
  unsigned count = (unsigned)kernel->buffers.count;
  code.kernel = kernel;
  LLVMBasicBlockRef start = block(&code, "start");
  LLVMPositionBuilderAtEnd(code.builder, start);
  code.thread = LLVMBuildSExt(code.builder, LLVMGetParam(function, count + 1), unit->i64, "thread");
  code.threads = LLVMBuildSExt(code.builder, LLVMGetParam(function, count + 2), unit->i64, "threads");
  if (kernel->n)
    llvm_bind(&code, kernel->n, llvm_uniform(LLVMGetParam(function, count)));
  if (kernel->threads)
    llvm_bind(&code, kernel->threads, llvm_uniform(code.threads));
  if (kernel->thread)
    llvm_bind(&code, kernel->thread, llvm_uniform(code.thread));
  llvm_locals(&code, kernel);
  kernel_body(&code, kernel);
  LLVMBuildRetVoid(code.builder);
  LLVMPositionBuilderAtEnd(code.builder, code.entry);
  LLVMBuildBr(code.builder, start);
  llvm_code_end(&code);
}

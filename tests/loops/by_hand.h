// Building loop nests by hand, statement by statement, for tests.
#pragma once
#include "loops/loops.h"

static inline LKernel *hand_kernel(LoopModule *module, const char *name, const char *comment) {
  LKernel *kernel = arena_new_of(module->arena, LKernel);
  kernel->name = name;
  kernel->comment = comment;
  kernel->n = lvar_new(module->arena, "n", L_I64);
  vec_push(module->arena, &module->kernels, kernel);
  return kernel;
}

static inline LBuffer *hand_buffer(Arena *arena, LKernel *kernel, const char *name, LType type, int64_t length,
                                   bool written) {
  LBuffer *buffer = arena_new_of(arena, LBuffer);
  *buffer = (LBuffer){.name = name, .type = type, .length = length, .read = !written, .written = written};
  vec_push(arena, &kernel->buffers, buffer);
  return buffer;
}

static inline LLocal *hand_local(Arena *arena, const char *name, LType type, int rows, int cols) {
  LLocal *local = arena_new_of(arena, LLocal);
  *local = (LLocal){.name = name, .type = type, .rank = rows ? 2 : 1, .dim = {rows ? rows : cols, rows ? cols : 0}};
  return local;
}

static inline LStmt *hand_add(Arena *arena, LBody *body, LStmt stmt) {
  LStmt *copy = arena_copy(arena, &stmt, sizeof stmt);
  vec_push(arena, body, copy);
  return copy;
}

static inline LExpr *hand_let(Arena *arena, LBody *body, const char *name, LExpr *value) {
  LVar *var = lvar_new(arena, name, value->type);
  hand_add(arena, body, (LStmt){.kind = LS_LET, .var = var, .value = value});
  return lx_var(arena, var);
}

static inline void hand_store(Arena *arena, LBody *body, LBuffer *buffer, LExpr *index, LExpr *value) {
  hand_add(arena, body, (LStmt){.kind = LS_STORE, .buffer = buffer, .index = {index}, .value = value});
}

static inline void hand_set(Arena *arena, LBody *body, LLocal *local, LExpr *row, LExpr *column, LExpr *value) {
  hand_add(arena, body, (LStmt){.kind = LS_SET, .local = local, .index = {row, column}, .value = value});
}

static inline void hand_declare(Arena *arena, LBody *body, LLocal *local, double value) {
  hand_add(arena, body, (LStmt){.kind = LS_LOCAL, .local = local, .value = lx_real(arena, local->type, value)});
}

static inline LStmt *hand_loop(Arena *arena, LBody *body, LStmtKind kind, LVar *var, LExpr *to, int64_t step) {
  return hand_add(arena, body, (LStmt){.kind = kind, .var = var, .from = lx_i64(arena, 0), .to = to, .step = step});
}

static inline LStmt *hand_tile(Arena *arena, LBody *body, LVar *row, int rows, LVar *column, int cols) {
  return hand_add(arena, body, (LStmt){.kind = LS_TILE, .row_var = row, .rows = rows, .col_var = column, .cols = cols});
}

// Kernels, functions and their statements as C. A kernel is written for all threads of a team at once: its parallel
// loops are shared out by orphaned `omp for`, everything else with an effect is done by the first thread; called
// outside a parallel region the pragmas mean a team of one.
#include <inttypes.h>

#include "emit/c.h"

bool c_is_dead(const CEmit *emit, const LVar *var) {
  for (int i = 0; i < emit->dead.count; i++)
    if (emit->dead.data[i] == var)
      return true;
  return false;
}

// Does the expression name this variable, or this buffer?
static bool expr_uses(const LExpr *expr, const void *what) {
  if (!expr)
    return false;
  if (what == (expr->op == LX_VAR ? (const void *)expr->var : expr->op == LX_LOAD ? (const void *)expr->buffer : NULL))
    return true;
  for (int i = 0; i < expr->arg_count; i++)
    if (expr_uses(expr->args[i], what))
      return true;
  return false;
}

static bool body_uses(const CEmit *emit, const LBody *body, const void *what) {
  for (int i = 0; i < body->count; i++) {
    const LStmt *stmt = body->data[i];
    if (stmt->kind == LS_LET && c_is_dead(emit, stmt->var))
      continue;
    if (((stmt->kind == LS_STORE || stmt->kind == LS_TURN) && stmt->buffer == what) || expr_uses(stmt->value, what) ||
        expr_uses(stmt->index[0], what) || expr_uses(stmt->index[1], what) || expr_uses(stmt->from, what) ||
        expr_uses(stmt->to, what) || body_uses(emit, &stmt->body, what))
      return true;
  }
  return false;
}

// Lets that nothing uses are left out: compilers warn of them. Those used by later ones that are left out are found
// first from the end.
static void find_dead(CEmit *emit, const LKernel *kernel, const LBody *body) {
  for (int i = body->count - 1; i >= 0; i--) {
    const LStmt *stmt = body->data[i];
    find_dead(emit, kernel, &stmt->body);
    if (stmt->kind == LS_LET && !body_uses(emit, &kernel->body, stmt->var))
      vec_push(emit->arena, &emit->dead, stmt->var);
  }
}

static void value(CEmit *emit, const LExpr *expr) {
  if (expr->type == L_I64)
    c_index(emit, expr);
  else
    c_expr(emit, expr);
}

static void print_let(CEmit *emit, const LStmt *stmt) {
  const LBuffer *into = stmt->var->into;
  if (into) {
    c_line(emit, "%s%s *const %s = &", into->written ? "" : "const ", c_types[into->type],
           c_name(emit, stmt->var->name));
    c_place(emit, into, stmt->value);
    text_add(emit->out, ";\n");
    return;
  }
  c_line(emit, "const %s %s = ", c_types[stmt->var->type], c_name(emit, stmt->var->name));
  value(emit, stmt->value);
  text_add(emit->out, ";\n");
}

static bool is_zero(const LExpr *expr) {
  return expr->integer == 0 && expr->real == 0 && !__builtin_signbit(expr->real);
}

static void print_local(CEmit *emit, const LStmt *stmt) {
  const LLocal *local = stmt->local;
  if (c_vector_local(emit, local)) {
    c_declare_vector(emit, stmt);
    return;
  }
  const char *name = c_name(emit, local->name), *type = c_types[local->type];
  bool scalar = local->rank == 1 && local->dim[0] == 1, zero = is_zero(stmt->value);
  c_line(emit, "%s %s", type, name);
  if (scalar) {
    text_add(emit->out, " = ");
    c_expr(emit, stmt->value);
    text_add(emit->out, ";\n");
    return;
  }
  for (int i = 0; i < local->rank; i++)
    text_printf(emit->out, "[%d]", local->dim[i]);
  text_add(emit->out, zero ? " = {0};\n" : ";\n");
  if (zero)
    return;
  for (int i = 0; i < local->rank; i++) {
    c_line(emit, "for (int i%d_ = 0; i%d_ < %d; i%d_++)\n", i, i, local->dim[i], i);
    emit->depth++;
  }
  c_line(emit, "%s", name);
  for (int i = 0; i < local->rank; i++)
    text_printf(emit->out, "[i%d_]", i);
  text_add(emit->out, " = ");
  c_expr(emit, stmt->value);
  text_add(emit->out, ";\n");
  emit->depth -= local->rank;
}

static void print_set(CEmit *emit, const LStmt *stmt) {
  const LLocal *local = stmt->local;
  bool store = stmt->kind == LS_STORE, scalar = !store && local->rank == 1 && local->dim[0] == 1;
  c_line(emit, "%s", store ? "" : c_name(emit, local->name));
  if (store)
    c_place(emit, stmt->buffer, stmt->index[0]);
  for (int i = 0; i < 2 && stmt->index[i] && !store && !scalar; i++) {
    text_add(emit->out, "[");
    c_index(emit, stmt->index[i]);
    text_add(emit->out, "]");
  }
  text_add(emit->out, " = ");
  c_expr(emit, stmt->value);
  text_add(emit->out, ";\n");
}

static void print_turn(CEmit *emit, const LStmt *stmt) {
  LType type = stmt->value->type;
  emit->used[CH_VECTOR + (int)type] = emit->used[CH_TURN + (int)type] = true;
  c_line(emit, "turn_%s(&", c_short[type]);
  c_place(emit, stmt->buffer, stmt->index[0]);
  text_printf(emit->out, ", %lld, &", (long long)stmt->apart[0]);
  c_expr(emit, stmt->value);
  text_printf(emit->out, ", %lld);\n", (long long)stmt->apart[1]);
}

static bool is_plain(const LExpr *expr) {
  if (expr->op == LX_LOAD || expr->op == LX_LOCAL || expr->op == LX_CALL ||
      (expr->op >= LX_HSUM && expr->op <= LX_HMIN))
    return false;
  for (int i = 0; i < expr->arg_count; i++)
    if (!is_plain(expr->args[i]))
      return false;
  return true;
}

// What stands behind an opening brace, and the closing one.
static void print_inside(CEmit *emit, const LBody *body) {
  emit->depth++;
  c_body(emit, body);
  emit->depth--;
  c_line(emit, "}\n");
}

// The head of a counted loop, after a constant of its own for a bound that reads memory: it is computed once.
static void print_loop(CEmit *emit, const LStmt *stmt) {
  const char *name = c_name(emit, stmt->var->name);
  bool plain = is_plain(stmt->to);
  if (!plain) {
    c_line(emit, "const int64_t %s_end = ", name);
    c_index(emit, stmt->to);
    text_add(emit->out, ";\n");
  }
  if (stmt->kind == LS_PARALLEL && !emit->alone)
    text_add(emit->out, "#pragma omp for schedule(static) nowait\n");
  if (stmt->kind == LS_SIMD)
    text_add(emit->out, "#pragma omp simd\n");
  if (stmt->unroll > 1) {
    c_line(emit, "IN_A_ROW(%d)\n", stmt->unroll);
    emit->used[CH_IN_A_ROW] = true;
  }
  c_line(emit, "for (int64_t %s = ", name);
  c_index(emit, stmt->from);
  text_printf(emit->out, "; %s < ", name);
  if (plain)
    c_index(emit, stmt->to);
  else
    text_printf(emit->out, "%s_end", name);
  text_printf(emit->out, stmt->step == 1 ? "; %s++) {\n" : "; %s += %" PRId64 ") {\n", name, stmt->step);
  print_inside(emit, &stmt->body);
}

// A loop whose rounds are dealt to the team.
static void print_dealt(CEmit *emit, const LStmt *stmt) {
  const char *name = c_name(emit, stmt->var->name);
  c_line(emit, "for (int64_t %s = nnrt_deal(", name);
  c_index(emit, stmt->to);
  text_printf(emit->out, ", %" PRId64 "); %s >= 0; %s = nnrt_next()) {\n", stmt->most, name, name);
  print_inside(emit, &stmt->body);
}

static void print_tile(CEmit *emit, const LStmt *tile) {
  if (c_tile_is_vector(emit, tile)) {
    c_print_tile(emit, tile);
    return;
  }
  if (tile->row_var) {
    const char *row = c_name(emit, tile->row_var->name);
    c_line(emit, "for (int64_t %s = 0; %s < %d; %s++) {\n", row, row, tile->rows, row);
    emit->depth++;
  }
  const char *column = c_name(emit, tile->col_var->name);
  text_add(emit->out, "#pragma omp simd\n");
  c_line(emit, "for (int64_t %s = 0; %s < %d; %s++) {\n", column, column, tile->cols, column);
  print_inside(emit, &tile->body);
  if (tile->row_var) {
    emit->depth--;
    c_line(emit, "}\n");
  }
}

static void print_if(CEmit *emit, const LStmt *stmt) {
  c_line(emit, "if (");
  c_expr(emit, stmt->value);
  text_add(emit->out, ") {\n");
  print_inside(emit, &stmt->body);
}

static void print_stmt(CEmit *emit, const LStmt *stmt) {
  if (stmt->kind == LS_LET && c_is_dead(emit, stmt->var))
    return;
  c_copy_elements(emit, stmt);
  switch (stmt->kind) {
  case LS_LET:
    print_let(emit, stmt);
    break;
  case LS_LOCAL:
    print_local(emit, stmt);
    break;
  case LS_SET:
  case LS_STORE:
    print_set(emit, stmt);
    break;
  case LS_TURN:
    print_turn(emit, stmt);
    break;
  case LS_PREFETCH:
    c_line(emit, "__builtin_prefetch(&");
    c_expr(emit, stmt->value);
    text_add(emit->out, ");\n");
    break;
  case LS_TILE:
    print_tile(emit, stmt);
    break;
  case LS_IF:
    print_if(emit, stmt);
    break;
  default:
    print_loop(emit, stmt);
  }
  c_forget_elements(emit, stmt);
}

void c_body(CEmit *emit, const LBody *body) {
  for (int i = 0; i < body->count; i++)
    print_stmt(emit, body->data[i]);
}

static bool is_silent(const LStmt *stmt) {
  return stmt->kind == LS_LET || stmt->kind == LS_LOCAL;
}

// `master` and not `single`: one thread always, without a barrier of its own.
static void begin_master(CEmit *emit) {
  text_add(emit->out, "#pragma omp master\n");
  c_line(emit, "{\n");
  emit->depth++;
}

static void end_master(CEmit *emit) {
  emit->depth--;
  c_line(emit, "}\n");
}

static bool has_parallel(const LKernel *kernel) {
  for (int i = 0; i < kernel->body.count; i++)
    if (ls_for_all(kernel->body.data[i]))
      return true;
  return false;
}

static void print_kernel_body(CEmit *emit, const LKernel *kernel) {
  if (emit->alone) {
    c_body(emit, &kernel->body);
    return;
  }
  if (!has_parallel(kernel)) {
    begin_master(emit);
    c_body(emit, &kernel->body);
    end_master(emit);
    return;
  }
  for (int i = 0; i < kernel->body.count; i++) {
    const LStmt *stmt = kernel->body.data[i];
    bool master = !is_silent(stmt) && !ls_for_all(stmt);
    if (master)
      begin_master(emit);
    if (stmt->kind == LS_PARALLEL)
      print_dealt(emit, stmt);
    else
      print_stmt(emit, stmt);
    if (master)
      end_master(emit);
    if (kernel->barrier_inside && !is_silent(stmt) && i < kernel->body.count - 1)
      c_line(emit, "nnrt_barrier();\n");
  }
}

static void print_shapes(CEmit *emit, const LKernel *kernel) {
  for (int i = 0; i < kernel->buffers.count; i++) {
    const LBuffer *buffer = kernel->buffers.data[i];
    const char *way = buffer->read && buffer->written ? "in out" : buffer->written ? "out" : "in";
    text_printf(emit->out, "//   %s %s: ", way, c_name(emit, buffer->name));
    if (buffer->shape)
      text_printf(emit->out, "%s\n", buffer->shape);
    else
      text_printf(emit->out, "%s[%" PRId64 "]\n", c_short[buffer->type], buffer->length);
  }
}

void c_kernel(CEmit *emit, const LKernel *kernel, bool is_static) {
  emit->dead.count = 0;
  find_dead(emit, kernel, &kernel->body);
  c_find_vectors(emit, kernel);
  c_comment(emit, kernel->comment);
  print_shapes(emit, kernel);
  text_printf(emit->out, "%svoid %s(", is_static ? "static " : "", c_name(emit, kernel->name));
  for (int i = 0; i < kernel->buffers.count; i++) {
    const LBuffer *buffer = kernel->buffers.data[i];
    text_printf(emit->out, "%s%s%s *restrict %s", i ? ", " : "", buffer->written ? "" : "const ", c_types[buffer->type],
                c_name(emit, buffer->name));
  }
  const char *n = kernel->n ? c_name(emit, kernel->n->name) : "n";
  text_printf(emit->out, "%sint64_t %s) {\n", kernel->buffers.count ? ", " : "", n);
  emit->depth = 1;
  if (!kernel->n || !body_uses(emit, &kernel->body, kernel->n))
    c_line(emit, "(void)%s;\n", n);
  for (int i = 0; i < kernel->buffers.count; i++)
    if (!body_uses(emit, &kernel->body, kernel->buffers.data[i]))
      c_line(emit, "(void)%s;\n", c_name(emit, kernel->buffers.data[i]->name));
  if (kernel->threads && body_uses(emit, &kernel->body, kernel->threads))
    c_line(emit, "const int64_t %s = %s;\n", c_name(emit, kernel->threads->name), emit->alone ? "1" : "nnrt_threads()");
  if (kernel->thread && body_uses(emit, &kernel->body, kernel->thread))
    c_line(emit, "const int64_t %s = %s;\n", c_name(emit, kernel->thread->name), emit->alone ? "0" : "nnrt_thread()");
  print_kernel_body(emit, kernel);
  emit->depth = 0;
  text_add(emit->out, "}\n\n");
}

void c_function(CEmit *emit, const LFunction *function) {
  emit->vectors.count = emit->dead.count = 0;
  c_comment(emit, function->comment);
  text_printf(emit->out, "static inline %s %s(", c_types[function->type], c_name(emit, function->name));
  for (int i = 0; i < function->params.count; i++) {
    const LVar *param = function->params.data[i];
    text_printf(emit->out, "%s%s %s", i ? ", " : "", c_types[param->type], c_name(emit, param->name));
  }
  text_add(emit->out, function->params.count ? ") {\n" : "void) {\n");
  emit->depth = 1;
  for (int i = 0; i < function->lets.count; i++)
    print_let(emit, function->lets.data[i]);
  c_line(emit, "return ");
  c_expr(emit, function->result);
  emit->depth = 0;
  text_add(emit->out, ";\n}\n\n");
}

// Is a module what loops.h says a module is? Names declared once and before use, types that agree, buffers of the
// kernel's own used as declared, parallel and vector bodies without what they may not hold, calls with a place for each
// buffer.
#include "base/names.h"
#include "loops/value.h"

typedef struct Check {
  Arena *arena;
  const char *fault;      // the first one
  const char *where;      // kernel or function
  const LKernel *kernel;  // NULL in a function
  VEC(const LVar *) vars; // in scope
  VEC(const LLocal *) locals;
  VEC(const char *) names; // in scope
  const LoopModule *module;
  int functions; // how many of the module's functions may be called
  int vector;    // inside SIMD or TILE
  bool together; // in the body of TOGETHER itself
} Check;

static void fail(Check *check, const char *message, const char *name) {
  if (!check->fault)
    check->fault = arena_printf(check->arena, "%s: %s%s%s", check->where, message, name ? ": " : "", name ? name : "");
}

static void declare_name(Check *check, const char *name) {
  for (int i = 0; i < check->names.count; i++)
    if (same_name(check->names.data[i], name))
      fail(check, "two things of one name", name);
  vec_push(check->arena, &check->names, name);
}

static void declare_var(Check *check, const LVar *var, LType type) {
  if (!var) {
    fail(check, "a statement without its variable", NULL);
    return;
  }
  if (var->type != type)
    fail(check, "a variable of another type than its value", var->name);
  declare_name(check, var->name);
  vec_push(check->arena, &check->vars, var);
}

static bool has_buffer(const Check *check, const LBuffer *buffer) {
  for (int i = 0; check->kernel && i < check->kernel->buffers.count; i++)
    if (check->kernel->buffers.data[i] == buffer)
      return true;
  return false;
}

static bool has_local(const Check *check, const LLocal *local) {
  for (int i = 0; i < check->locals.count; i++)
    if (check->locals.data[i] == local)
      return true;
  return false;
}

static bool has_function(const Check *check, const LFunction *function) {
  for (int i = 0; i < check->functions; i++)
    if (check->module->functions.data[i] == function)
      return true;
  return false;
}

static int arity(LOp op) {
  switch (op) {
  case LX_CONST:
  case LX_VAR:
  case LX_HSUM:
  case LX_HMAX:
  case LX_HMIN:
    return 0;
  case LX_LOAD:
  case LX_NEG:
  case LX_SQRT:
  case LX_FLOOR:
  case LX_ABS:
  case LX_NOT:
  case LX_CAST:
  case LX_BITCAST:
    return 1;
  case LX_FMA:
  case LX_SELECT:
    return 3;
  default:
    return 2;
  }
}

static void check_expr(Check *check, const LExpr *expr);

static void check_call(Check *check, const LExpr *expr) {
  const LFunction *function = expr->function;
  if (!function || !has_function(check, function)) {
    fail(check, "a call of a function that does not stand before", function ? function->name : NULL);
    return;
  }
  if (function->params.count != expr->arg_count || function->type != expr->type)
    fail(check, "a call that does not fit its function", function->name);
  for (int i = 0; i < expr->arg_count && i < function->params.count; i++)
    if (expr->args[i]->type != function->params.data[i]->type)
      fail(check, "an argument of the wrong type", function->name);
}

static void check_memory(Check *check, const LExpr *expr) {
  for (int i = 0; i < expr->arg_count; i++)
    if (expr->args[i]->type != L_I64)
      fail(check, "an index that is not i64", NULL);
  if (expr->op == LX_LOAD) {
    if (!expr->buffer || !has_buffer(check, expr->buffer) || !expr->buffer->read)
      fail(check, "a load from a buffer not declared as read", expr->buffer ? expr->buffer->name : NULL);
    else if (expr->buffer->type != expr->type)
      fail(check, "a load of the wrong type", expr->buffer->name);
    return;
  }
  if (!expr->local || !has_local(check, expr->local))
    fail(check, "a local that is not in scope", expr->local ? expr->local->name : NULL);
  else if (expr->local->type != expr->type)
    fail(check, "a local of the wrong type", expr->local->name);
  else if (expr->op == LX_LOCAL && expr->local->rank != expr->arg_count)
    fail(check, "a local indexed with the wrong rank", expr->local->name);
  else if (expr->op != LX_LOCAL && (expr->local->rank != 1 || expr->local->dim[0] != 16))
    fail(check, "a horizontal reduction of something else than 16 lanes", expr->local->name);
}

static void check_types(Check *check, const LExpr *expr) {
  LType a = expr->args[0]->type;
  bool real = ltype_real(a), compares = expr->op >= LX_EQ && expr->op <= LX_GE;
  for (int i = 1; i < expr->arg_count; i++)
    if (expr->args[i]->type != (expr->op == LX_SELECT ? expr->type : a))
      fail(check, "an operation on unequal types", NULL);
  if (expr->op == LX_CAST)
    return;
  if (expr->op == LX_BITCAST) {
    if (ltype_bytes(a) != ltype_bytes(expr->type))
      fail(check, "a bitcast between unequal widths", NULL);
  } else if (expr->op == LX_SELECT) {
    if (a != L_BOOL)
      fail(check, "a select whose condition is not bool", NULL);
  } else if (expr->type != (compares ? L_BOOL : a)) {
    fail(check, "an operation of another type than its arguments", NULL);
  }
  bool bits = a == L_U32 || a == L_U64;
  bool shift = expr->op == LX_SHL || expr->op == LX_SHR;
  if (shift && (!bits || expr->args[1]->op != LX_CONST || expr->args[1]->integer < 0 ||
                expr->args[1]->integer >= 8 * ltype_bytes(a)))
    fail(check, "a shift that is not of unsigned bits by a constant", NULL);
  if ((expr->op == LX_XOR && !bits) || ((expr->op == LX_AND || expr->op == LX_OR) && !bits && a != L_BOOL) ||
      (expr->op == LX_NOT && a != L_BOOL))
    fail(check, "a bit operation on the wrong type", NULL);
  if (((expr->op == LX_FMA || expr->op == LX_SQRT || expr->op == LX_FLOOR) && !real) || (expr->op == LX_MOD && real))
    fail(check, "an operation on the wrong kind of number", NULL);
}

static void check_expr(Check *check, const LExpr *expr) {
  if (!expr) {
    fail(check, "an expression is missing", NULL);
    return;
  }
  if (expr->op != LX_CALL && arity(expr->op) != expr->arg_count && !(expr->op == LX_LOCAL && expr->arg_count == 1)) {
    fail(check, "an operation with the wrong number of arguments", NULL);
    return;
  }
  for (int i = 0; i < expr->arg_count; i++)
    check_expr(check, expr->args[i]);
  if (check->fault)
    return;
  bool known = false;
  switch (expr->op) {
  case LX_CONST:
    break;
  case LX_VAR:
    for (int i = 0; i < check->vars.count; i++)
      known = known || check->vars.data[i] == expr->var;
    if (!known || expr->var->type != expr->type)
      fail(check, "a variable that is not in scope or of another type", expr->var ? expr->var->name : NULL);
    break;
  case LX_LOAD:
  case LX_LOCAL:
  case LX_HSUM:
  case LX_HMAX:
  case LX_HMIN:
    if (check->kernel)
      check_memory(check, expr);
    else
      fail(check, "memory in a function", NULL);
    break;
  case LX_CALL:
    check_call(check, expr);
    break;
  default:
    check_types(check, expr);
  }
}

static void check_typed(Check *check, const LExpr *expr, LType type, const char *message) {
  check_expr(check, expr);
  if (expr && expr->type != type)
    fail(check, message, NULL);
}

static void check_local(Check *check, const LStmt *stmt) {
  const LLocal *local = stmt->local;
  if (!local || local->rank < 1 || local->rank > 2 || local->dim[0] < 1 || (local->rank == 2 && local->dim[1] < 1)) {
    fail(check, "a local of no size", local ? local->name : NULL);
    return;
  }
  check_typed(check, stmt->value, local->type, "a local set to a value of another type");
  if (stmt->value && stmt->value->op != LX_CONST)
    fail(check, "a local whose first value is not constant", local->name);
  if (check->vector)
    fail(check, "a local inside a vector body", local->name);
  declare_name(check, local->name);
  vec_push(check->arena, &check->locals, local);
}

static void check_store(Check *check, const LStmt *stmt) {
  bool set = stmt->kind == LS_SET;
  LType type;
  if (set) {
    if (!stmt->local || !has_local(check, stmt->local) || (stmt->local->rank == 2) != (stmt->index[1] != NULL)) {
      fail(check, "a set of a local that is not in scope or of another rank", stmt->local ? stmt->local->name : NULL);
      return;
    }
    type = stmt->local->type;
  } else {
    if (!stmt->buffer || !has_buffer(check, stmt->buffer) || !stmt->buffer->written) {
      fail(check, "a store to a buffer not declared as written", stmt->buffer ? stmt->buffer->name : NULL);
      return;
    }
    type = stmt->buffer->type;
  }
  check_typed(check, stmt->index[0], L_I64, "an index that is not i64");
  if (stmt->index[1])
    check_typed(check, stmt->index[1], L_I64, "an index that is not i64");
  check_typed(check, stmt->value, type, "a value of another type than the place it goes to");
}

static void check_body(Check *check, const LBody *body, bool top);

static bool is_zero(const LExpr *expr) {
  return expr && expr->op == LX_CONST && expr->integer == 0;
}

static void check_loop(Check *check, const LStmt *stmt, bool top) {
  if (stmt->kind == LS_PARALLEL && ((!top && !check->together) || stmt->step != 1 || !is_zero(stmt->from)))
    fail(check, "a parallel loop that is nested, has a step or does not begin at 0",
         stmt->var ? stmt->var->name : NULL);
  if (stmt->kind == LS_TOGETHER && !top)
    fail(check, "a loop of all threads that is nested", stmt->var ? stmt->var->name : NULL);
  if (check->vector)
    fail(check, "a loop inside a vector body", stmt->var ? stmt->var->name : NULL);
  check_typed(check, stmt->from, L_I64, "a bound that is not i64");
  check_typed(check, stmt->to, L_I64, "a bound that is not i64");
  if (stmt->step < 1)
    fail(check, "a loop that does not advance", stmt->var ? stmt->var->name : NULL);
  if (stmt->unroll > 1 && (stmt->kind != LS_FOR || stmt->step != 1))
    fail(check, "rounds in a row of a loop that takes none of them singly", stmt->var ? stmt->var->name : NULL);
  declare_var(check, stmt->var, L_I64);
  check->vector += stmt->kind == LS_SIMD;
  bool together = check->together;
  check->together = stmt->kind == LS_TOGETHER;
  for (int i = 0; check->together && i < stmt->body.count; i++)
    if (stmt->body.data[i]->kind != LS_LET && stmt->body.data[i]->kind != LS_PARALLEL)
      fail(check, "something else than lets and parallel loops in a loop of all threads", stmt->var->name);
  for (int i = 0; stmt->kind == LS_SIMD && i < stmt->body.count; i++)
    if (stmt->body.data[i]->kind != LS_LET && stmt->body.data[i]->kind != LS_STORE)
      fail(check, "something else than lets and stores in a simd loop", stmt->var->name);
  check_body(check, &stmt->body, false);
  check->vector -= stmt->kind == LS_SIMD;
  check->together = together;
}

static void check_tile(Check *check, const LStmt *stmt) {
  if (check->vector || stmt->rows < 1 || stmt->cols < 1 || (!stmt->row_var && stmt->rows != 1))
    fail(check, "a tile of no size, or inside a vector body", NULL);
  if (stmt->row_var)
    declare_var(check, stmt->row_var, L_I64);
  declare_var(check, stmt->col_var, L_I64);
  check->vector++;
  for (int i = 0; i < stmt->body.count; i++) {
    LStmtKind kind = stmt->body.data[i]->kind;
    if (kind != LS_LET && kind != LS_STORE && kind != LS_SET)
      fail(check, "something else than lets, sets and stores in a tile", NULL);
  }
  check_body(check, &stmt->body, false);
  check->vector--;
}

static void check_stmt(Check *check, const LStmt *stmt, bool top) {
  switch (stmt->kind) {
  case LS_LET:
    check_expr(check, stmt->value);
    if (!check->fault)
      declare_var(check, stmt->var, stmt->value->type);
    break;
  case LS_LOCAL:
    check_local(check, stmt);
    break;
  case LS_SET:
  case LS_STORE:
    check_store(check, stmt);
    break;
  case LS_TURN:
    if (check->vector || stmt->value->op != LX_LOAD || !ltype_real(stmt->value->type) ||
        stmt->value->buffer == stmt->buffer)
      fail(check, "a turn of no load, of one buffer, or inside a vector body", NULL);
    check_store(check, stmt);
    break;
  case LS_PREFETCH:
    if (check->vector || stmt->value->op != LX_LOAD)
      fail(check, "a prefetch of no load, or inside a vector body", NULL);
    check_expr(check, stmt->value);
    break;
  case LS_TILE:
    check_tile(check, stmt);
    break;
  case LS_IF:
    if (check->vector)
      fail(check, "an if inside a vector body", NULL);
    check_typed(check, stmt->value, L_BOOL, "an if whose condition is not bool");
    check_body(check, &stmt->body, false);
    break;
  default:
    check_loop(check, stmt, top);
  }
}

static void check_body(Check *check, const LBody *body, bool top) {
  for (int i = 0; i < body->count && !check->fault; i++) {
    int vars = check->vars.count, locals = check->locals.count, names = check->names.count;
    const LStmt *stmt = body->data[i];
    check_stmt(check, stmt, top);
    if (stmt->kind >= LS_FOR) { // what it declared is out of scope again
      check->vars.count = vars;
      check->locals.count = locals;
      check->names.count = names;
    }
  }
  if (!top)
    return;
  check->vars.count = 0;
  check->locals.count = 0;
}

static void check_kernel(Check *check, const LKernel *kernel) {
  check->where = kernel->name;
  check->kernel = kernel;
  check->names.count = 0;
  for (int i = 0; i < kernel->buffers.count; i++) {
    const LBuffer *buffer = kernel->buffers.data[i];
    declare_name(check, buffer->name);
    if (!buffer->read && !buffer->written)
      fail(check, "a buffer neither read nor written", buffer->name);
  }
  if (kernel->n)
    declare_var(check, kernel->n, L_I64);
  if (kernel->threads)
    declare_var(check, kernel->threads, L_I64);
  if (kernel->thread)
    declare_var(check, kernel->thread, L_I64);
  check_body(check, &kernel->body, true);
}

static void check_function(Check *check, const LFunction *function) {
  check->where = function->name;
  check->kernel = NULL;
  check->names.count = check->vars.count = 0;
  for (int i = 0; i < function->params.count; i++)
    declare_var(check, function->params.data[i], function->params.data[i]->type);
  for (int i = 0; i < function->lets.count; i++) {
    if (function->lets.data[i]->kind != LS_LET)
      fail(check, "something else than a let in a function", NULL);
    else
      check_stmt(check, function->lets.data[i], false);
  }
  check_typed(check, function->result, function->type, "a result of another type than the function");
  check->vars.count = 0;
}

static void check_place(Check *check, const LBuffer *buffer, LPlace place) {
  int64_t bytes = lplace_extent(&place, lbuffer_bytes(buffer)), room = INT64_MAX;
  if (place.space == SPACE_ARENA)
    room = check->module->arena_bytes;
  else if (place.space == SPACE_STATE)
    room = check->module->state_bytes;
  else if (place.space == SPACE_CONSTANT)
    room = check->module->constant_bytes;
  else if (place.space == SPACE_PREPARED || place.space == SPACE_SCRATCH)
    room = 0;
  if (place.offset < 0 || bytes > room || place.offset > room - bytes)
    fail(check, "a buffer placed outside its memory", buffer->name);
  if (buffer->written && (place.space == SPACE_INPUT || place.space == SPACE_CLOCK || place.space == SPACE_CONSTANT))
    fail(check, "a written buffer placed where nothing may be written", buffer->name);
  if ((place.space == SPACE_INPUT || place.space == SPACE_OUTPUT) && place.index < 0)
    fail(check, "an input or output without its number", buffer->name);
}

static void check_kernel_call(void *context, const LCall *call) {
  Check *check = context;
  bool known = false;
  for (int k = 0; k < check->module->kernels.count; k++)
    known = known || check->module->kernels.data[k] == call->kernel;
  if (!known) {
    fail(check, "a call of a kernel the module does not have", call->kernel ? call->kernel->name : NULL);
    return;
  }
  for (int b = 0; b < call->kernel->buffers.count; b++)
    check_place(check, call->kernel->buffers.data[b], call->places[b]);
}

static void check_counts(Check *check, const LCalls *calls) {
  const LBuffer count = {.name = "count", .type = L_I64, .length = 1, .read = true};
  for (int i = 0; i < calls->count; i++) {
    const LLoop *loop = calls->data[i].loop;
    if (!loop)
      continue;
    if (loop->count)
      check_place(check, &count, *loop->count);
    if (loop->count && (loop->count->space == SPACE_CLOCK || loop->count->space == SPACE_CONSTANT))
      fail(check, "a count that is none of a call's values", NULL);
    check_counts(check, &loop->calls);
  }
}

static void check_entry(Check *check, const LEntry *entry) {
  check->where = entry->name;
  loops_visit(&entry->calls, check_kernel_call, check);
  check_counts(check, &entry->calls);
}

const char *loops_check(const LoopModule *module) {
  Check check = {.arena = module->arena, .module = module, .where = module->name ? module->name : "module"};
  for (int i = 0; i < module->functions.count; i++) {
    check.functions = i;
    check_function(&check, module->functions.data[i]);
  }
  check.functions = module->functions.count;
  for (int i = 0; i < module->kernels.count; i++)
    check_kernel(&check, module->kernels.data[i]);
  for (int i = 0; i < module->entries.count; i++)
    check_entry(&check, module->entries.data[i]);
  return check.fault;
}

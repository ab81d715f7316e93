#include "loops/interpret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loops/value.h"

typedef struct Bound {
  const void *key;
  LValue value;
  LValue *elements; // of a local
} Bound;

typedef struct Interpreter {
  const LoopModule *module;
  NnrtFrame frame;
  bool backwards;
  char fault[200];
  const LCall *call;
  int depth;
  const LLoop *loops[MAX_LOOPS]; // around the call
  int64_t rounds[MAX_LOOPS], lengths[MAX_LOOPS];
  Bound bound[4096];
} Interpreter;

static Bound *bound_of(Interpreter *in, const void *key) {
  unsigned at = ((uint32_t)((uintptr_t)key >> 4) * 0x9e3779b1u) >> 20;
  while (in->bound[at].key && in->bound[at].key != key)
    at = (at + 1) & 4095u;
  in->bound[at].key = key;
  return &in->bound[at];
}

static void fail(Interpreter *in, const char *what, const char *name) {
  if (!in->fault[0])
    snprintf(in->fault, sizeof in->fault, "%s: %s %s", in->call->kernel->name, what, name);
}

static int64_t turn_of(const Interpreter *in, const LStride *stride) {
  int depth = 0;
  while (in->loops[depth] != stride->loop)
    depth++;
  int64_t round = in->rounds[depth];
  return stride->turns ? (round + stride->next) % 2 : stride->loop->reverse ? in->lengths[depth] - 1 - round : round;
}

static unsigned char *place_of(Interpreter *in, LPlace place) {
  unsigned char *base = place.space == SPACE_ARENA    ? in->frame.arena
                        : place.space == SPACE_STATE  ? in->frame.state
                        : place.space == SPACE_INPUT  ? (unsigned char *)in->frame.inputs[place.index]
                        : place.space == SPACE_OUTPUT ? (unsigned char *)in->frame.outputs[place.index]
                        : place.space == SPACE_CLOCK  ? (unsigned char *)in->frame.clock
                                                      : (unsigned char *)in->module->constants;
  for (int s = 0; s < MAX_LOOPS && place.strides[s].loop; s++)
    base += place.strides[s].bytes * turn_of(in, &place.strides[s]);
  return base + place.offset;
}

static unsigned char *address_of(Interpreter *in, const LBuffer *buffer, int64_t index) {
  const LKernel *kernel = in->call->kernel;
  static unsigned char nowhere[16];
  if (index < 0 || index >= buffer->length) {
    fail(in, "outside of", buffer->name);
    return nowhere;
  }
  for (int i = 0; i < kernel->buffers.count; i++) {
    if (kernel->buffers.data[i] != buffer)
      continue;
    return place_of(in, in->call->places[i]) + index * ltype_bytes(buffer->type);
  }
  fail(in, "no buffer", buffer->name);
  return nowhere;
}

static LValue load(const unsigned char *from, LType type) {
  LValue value = {0};
  float f32;
  int32_t i32;
  switch (type) {
  case L_F32:
    memcpy(&f32, from, 4);
    value.real = (double)f32;
    break;
  case L_F64:
    memcpy(&value.real, from, 8);
    break;
  case L_I32:
    memcpy(&i32, from, 4);
    value.integer = i32;
    break;
  case L_I64:
    memcpy(&value.integer, from, 8);
    break;
  default:
    value.integer = *from;
  }
  return value;
}

static void store(unsigned char *to, LType type, LValue value) {
  float f32 = (float)value.real;
  int32_t i32 = (int32_t)value.integer;
  switch (type) {
  case L_F32:
    memcpy(to, &f32, 4);
    break;
  case L_F64:
    memcpy(to, &value.real, 8);
    break;
  case L_I32:
    memcpy(to, &i32, 4);
    break;
  case L_I64:
    memcpy(to, &value.integer, 8);
    break;
  default:
    *to = (unsigned char)value.integer;
  }
}

static LValue evaluate(Interpreter *in, const LExpr *expr);

static LValue evaluate_call(Interpreter *in, const LExpr *expr) {
  LValue args[LX_MAX_ARGS];
  const LFunction *function = expr->function;
  for (int i = 0; i < expr->arg_count; i++)
    args[i] = evaluate(in, expr->args[i]);
  for (int i = 0; i < expr->arg_count; i++)
    bound_of(in, function->params.data[i])->value = args[i];
  for (int i = 0; i < function->lets.count; i++) {
    LValue value = evaluate(in, function->lets.data[i]->value);
    bound_of(in, function->lets.data[i]->var)->value = value;
  }
  return evaluate(in, function->result);
}

static LValue *element_of(Interpreter *in, const LLocal *local, const LExpr *row, const LExpr *col) {
  int64_t at = evaluate(in, row).integer, columns = local->rank == 2 ? local->dim[1] : 1;
  int64_t c = col ? evaluate(in, col).integer : 0;
  Bound *bound = bound_of(in, local);
  if (at < 0 || at >= local->dim[0] || c < 0 || c >= columns || !bound->elements) {
    fail(in, "outside of local", local->name);
    static LValue nothing;
    return &nothing;
  }
  return &bound->elements[at * columns + c];
}

static LValue evaluate_tree(Interpreter *in, const LExpr *expr) {
  LValue lanes[16];
  memcpy(lanes, bound_of(in, expr->local)->elements, sizeof lanes);
  LExpr leaf = {.op = LX_CONST, .type = expr->type};
  LOp op = expr->op == LX_HSUM ? LX_ADD : expr->op == LX_HMAX ? LX_MAX : LX_MIN;
  LExpr join = {.op = op, .type = expr->type, .arg_count = 2, .args = {&leaf, &leaf}};
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; i++) {
      LValue pair[2] = {lanes[i], lanes[i + half]};
      lvalue_apply(&join, pair, &lanes[i]);
    }
  return lanes[0];
}

// Sums and products of whole numbers are most of what there is: the way to all operations is long.
static LValue evaluate_operation(Interpreter *in, const LExpr *expr) {
  LValue args[LX_MAX_ARGS], value = {0};
  for (int i = 0; i < expr->arg_count; i++)
    args[i] = evaluate(in, expr->args[i]);
  if (expr->type == L_I64 && expr->op == LX_ADD)
    return (LValue){0, (int64_t)((uint64_t)args[0].integer + (uint64_t)args[1].integer)};
  if (expr->type == L_I64 && expr->op == LX_MUL)
    return (LValue){0, (int64_t)((uint64_t)args[0].integer * (uint64_t)args[1].integer)};
  if (!lvalue_apply(expr, args, &value))
    fail(in, "undefined operation", "");
  return value;
}

static LValue evaluate(Interpreter *in, const LExpr *expr) {
  switch (expr->op) {
  case LX_CONST:
    return (LValue){expr->real, expr->integer};
  case LX_VAR:
    return bound_of(in, expr->var)->value;
  case LX_CALL:
    return evaluate_call(in, expr);
  case LX_LOAD:
    return load(address_of(in, expr->buffer, evaluate(in, expr->args[0]).integer), expr->type);
  case LX_LOCAL:
    return *element_of(in, expr->local, expr->args[0], expr->arg_count > 1 ? expr->args[1] : NULL);
  case LX_HSUM:
  case LX_HMAX:
  case LX_HMIN:
    return evaluate_tree(in, expr);
  default:
    return evaluate_operation(in, expr);
  }
}

static void run_body(Interpreter *in, const LBody *body);

static void run_round(Interpreter *in, const LStmt *stmt, const LVar *var, int64_t value) {
  bound_of(in, var)->value = (LValue){0, value};
  if (stmt)
    run_body(in, &stmt->body);
}

static void run_loop(Interpreter *in, const LStmt *stmt) {
  int64_t from = evaluate(in, stmt->from).integer, to = evaluate(in, stmt->to).integer;
  int64_t rounds = to > from ? (to - from + stmt->step - 1) / stmt->step : 0;
  bool backwards = in->backwards && stmt->kind != LS_FOR && stmt->kind != LS_TOGETHER;
  for (int64_t i = 0; i < rounds && !in->fault[0]; i++)
    run_round(in, stmt, stmt->var, from + (backwards ? rounds - 1 - i : i) * stmt->step);
}

static void run_tile(Interpreter *in, const LStmt *stmt) {
  for (int r = 0; r < stmt->rows; r++)
    for (int c = 0; c < stmt->cols; c++) {
      if (stmt->row_var)
        run_round(in, NULL, stmt->row_var, in->backwards ? stmt->rows - 1 - r : r);
      run_round(in, stmt, stmt->col_var, in->backwards ? stmt->cols - 1 - c : c);
    }
}

static void run_local(Interpreter *in, const LStmt *stmt) {
  int count = stmt->local->dim[0] * (stmt->local->rank == 2 ? stmt->local->dim[1] : 1);
  LValue value = evaluate(in, stmt->value);
  Bound *bound = bound_of(in, stmt->local);
  if (!bound->elements)
    bound->elements = malloc(sizeof(LValue) * (size_t)count);
  for (int i = 0; i < count; i++)
    bound->elements[i] = value;
}

static void run_square(Interpreter *in, const LStmt *stmt) {
  int64_t to = evaluate(in, stmt->index[0]).integer, from = evaluate(in, stmt->value->args[0]).integer;
  size_t bytes = (size_t)ltype_bytes(stmt->buffer->type);
  for (int i = 0; i < TURN_SIZE; i++)
    for (int j = 0; j < TURN_SIZE; j++)
      memcpy(address_of(in, stmt->buffer, to + i * stmt->apart[0] + j),
             address_of(in, stmt->value->buffer, from + i + j * stmt->apart[1]), bytes);
}

static void run_stmt(Interpreter *in, const LStmt *stmt) {
  LValue value;
  switch (stmt->kind) {
  case LS_LET:
    value = evaluate(in, stmt->value);
    bound_of(in, stmt->var)->value = value;
    break;
  case LS_LOCAL:
    run_local(in, stmt);
    break;
  case LS_SET:
    value = evaluate(in, stmt->value);
    *element_of(in, stmt->local, stmt->index[0], stmt->index[1]) = value;
    break;
  case LS_STORE:
    value = evaluate(in, stmt->value);
    store(address_of(in, stmt->buffer, evaluate(in, stmt->index[0]).integer), stmt->buffer->type, value);
    break;
  case LS_TURN:
    run_square(in, stmt);
    break;
  case LS_PREFETCH:
    evaluate(in, stmt->value);
    break;
  case LS_TILE:
    run_tile(in, stmt);
    break;
  case LS_IF:
    if (evaluate(in, stmt->value).integer)
      run_body(in, &stmt->body);
    break;
  default:
    run_loop(in, stmt);
  }
}

static void run_body(Interpreter *in, const LBody *body) {
  for (int i = 0; i < body->count && !in->fault[0]; i++)
    run_stmt(in, body->data[i]);
}

static void run_calls(Interpreter *in, const LCalls *calls) {
  for (int i = 0; i < calls->count && !in->fault[0]; i++) {
    const LCall *call = &calls->data[i];
    if (call->loop) {
      int depth = in->depth++;
      in->loops[depth] = call->loop;
      in->lengths[depth] = call->loop->length;
      if (call->loop->count)
        memcpy(&in->lengths[depth], place_of(in, *call->loop->count), sizeof in->lengths[depth]);
      for (in->rounds[depth] = 0; in->rounds[depth] < in->lengths[depth]; in->rounds[depth]++)
        run_calls(in, &call->loop->calls);
      in->depth--;
      continue;
    }
    in->call = call;
    memset(in->bound, 0, sizeof in->bound);
    bound_of(in, in->call->kernel->n)->value = (LValue){0, in->frame.clock[4]};
    if (in->call->kernel->threads)
      bound_of(in, in->call->kernel->threads)->value = (LValue){0, in->frame.threads};
    run_body(in, &in->call->kernel->body);
    for (int k = 0; k < 4096; k++)
      free(in->bound[k].elements);
  }
}

const char *interpret(const LoopModule *module, const LEntry *entry, const NnrtFrame *frame, bool backwards) {
  static Interpreter interpreter;
  Interpreter *in = &interpreter;
  in->fault[0] = 0;
  in->module = module;
  in->frame = *frame;
  in->backwards = backwards;
  in->depth = 0;
  run_calls(in, &entry->calls);
  return in->fault[0] ? in->fault : NULL;
}

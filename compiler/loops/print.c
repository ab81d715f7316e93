// The loop language as text, as in the example of loops.h: for `nnc emit loops` and golden tests. Parentheses only
// where C's precedence needs them; reals by the shortest decimal that reads back to the same bits.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "loops/value.h"

static const char *const type_names[] = {"f32", "f64", "i32", "i64", "u8", "bool", "u32", "u64"};
static const char *const space_names[] = {"arena", "state", "input", "output", "clock", "constant", "prepared"};

// How tightly an operation binds, as in C; 0: it is written as a call or a name.
static const struct {
  const char *text;
  int binds;
} operators[] = {
    [LX_HSUM] = {"hsum", 0},    [LX_HMAX] = {"hmax", 0}, [LX_HMIN] = {"hmin", 0}, [LX_ADD] = {"+", 9},
    [LX_SUB] = {"-", 9},        [LX_MUL] = {"*", 10},    [LX_DIV] = {"/", 10},    [LX_MOD] = {"%", 10},
    [LX_NEG] = {"-", 11},       [LX_FMA] = {"fma", 0},   [LX_SQRT] = {"sqrt", 0}, [LX_FLOOR] = {"floor", 0},
    [LX_ABS] = {"abs", 0},      [LX_MAX] = {"max", 0},   [LX_MIN] = {"min", 0},   [LX_EQ] = {"==", 6},
    [LX_NE] = {"!=", 6},        [LX_LT] = {"<", 7},      [LX_LE] = {"<=", 7},     [LX_GT] = {">", 7},
    [LX_GE] = {">=", 7},        [LX_AND] = {"&", 5},     [LX_OR] = {"|", 3},      [LX_NOT] = {"!", 11},
    [LX_XOR] = {"^", 4},        [LX_SHL] = {"<<", 8},    [LX_SHR] = {">>", 8},    [LX_SELECT] = {"select", 0},
    [LX_BITCAST] = {"bits", 0},
};

static void print_real(Text *out, LType type, double value) {
  if (type == L_F64 || isnan(value) || isinf(value)) {
    text_double(out, value);
    return;
  }
  char digits[40];
  for (int precision = 6; precision <= 9; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (strtof(digits, NULL) == (float)value)
      break;
  }
  text_add(out, digits);
}

static void print_expr(Text *out, const LExpr *expr, int outer);

static void print_args(Text *out, const LExpr *expr) {
  for (int i = 0; i < expr->arg_count; i++) {
    text_add(out, i ? ", " : "");
    print_expr(out, expr->args[i], 0);
  }
}

static void print_operator(Text *out, const LExpr *expr, int outer) {
  int binds = operators[expr->op].binds;
  if (binds == 0) {
    text_add(out, operators[expr->op].text);
    text_printf(out, expr->op == LX_BITCAST ? "_%s(" : "(", type_names[expr->type]);
    print_args(out, expr);
    text_add(out, ")");
    return;
  }
  text_add(out, binds < outer ? "(" : "");
  if (expr->arg_count == 1) {
    text_add(out, operators[expr->op].text);
    print_expr(out, expr->args[0], binds + 1);
  } else {
    print_expr(out, expr->args[0], binds);
    text_printf(out, " %s ", operators[expr->op].text);
    bool joins = expr->op == LX_ADD && !ltype_real(expr->type); // a + (b + c) of integers is a + b + c
    print_expr(out, expr->args[1], joins ? binds : binds + 1);
  }
  text_add(out, binds < outer ? ")" : "");
}

static void print_expr(Text *out, const LExpr *expr, int outer) {
  switch (expr->op) {
  case LX_CONST:
    if (ltype_real(expr->type))
      print_real(out, expr->type, expr->real);
    else if (expr->type == L_BOOL)
      text_add(out, expr->integer ? "true" : "false");
    else if (expr->type == L_U64)
      text_printf(out, "%" PRIu64, (uint64_t)expr->integer);
    else
      text_printf(out, "%" PRId64, expr->integer);
    break;
  case LX_VAR:
    text_add(out, expr->var->name);
    break;
  case LX_LOAD:
  case LX_LOCAL:
    text_printf(out, "%s[", expr->op == LX_LOAD ? expr->buffer->name : expr->local->name);
    print_args(out, expr);
    text_add(out, "]");
    break;
  case LX_CALL:
  case LX_CAST:
    text_printf(out, "%s(", expr->op == LX_CALL ? expr->function->name : type_names[expr->type]);
    print_args(out, expr);
    text_add(out, ")");
    break;
  case LX_HSUM:
  case LX_HMAX:
  case LX_HMIN:
    text_printf(out, "%s(%s)", operators[expr->op].text, expr->local->name);
    break;
  default:
    print_operator(out, expr, outer);
  }
}

static void indent(Text *out, int depth) {
  text_printf(out, "%*s", 2 * depth, "");
}

static void print_let(Text *out, const LStmt *stmt) {
  text_printf(out, "let %s", stmt->var->name);
  if (stmt->var->type != L_I64)
    text_printf(out, ": %s", type_names[stmt->var->type]);
  text_add(out, " = ");
  print_expr(out, stmt->value, 0);
}

// A statement without a body.
static void print_simple(Text *out, const LStmt *stmt) {
  switch (stmt->kind) {
  case LS_LET:
    print_let(out, stmt);
    return;
  case LS_LOCAL:
    text_printf(out, "local %s: %s[%d", stmt->local->name, type_names[stmt->local->type], stmt->local->dim[0]);
    if (stmt->local->rank == 2)
      text_printf(out, ", %d", stmt->local->dim[1]);
    text_add(out, "] = ");
    break;
  case LS_PREFETCH:
    text_add(out, "prefetch ");
    break;
  case LS_TURN:
    text_printf(out, "turn %s[", stmt->buffer->name);
    print_expr(out, stmt->index[0], 0);
    text_printf(out, " by %lld] = by %lld, ", (long long)stmt->apart[0], (long long)stmt->apart[1]);
    break;
  default:
    text_printf(out, "%s[", stmt->kind == LS_SET ? stmt->local->name : stmt->buffer->name);
    print_expr(out, stmt->index[0], 0);
    if (stmt->index[1]) {
      text_add(out, ", ");
      print_expr(out, stmt->index[1], 0);
    }
    text_add(out, "] = ");
  }
  print_expr(out, stmt->value, 0);
}

static void print_head(Text *out, const LStmt *stmt) {
  if (stmt->kind == LS_IF) {
    text_add(out, "if ");
    print_expr(out, stmt->value, 0);
  } else if (stmt->kind == LS_TILE) {
    text_add(out, "tile ");
    if (stmt->row_var)
      text_printf(out, "%s in %d, ", stmt->row_var->name, stmt->rows);
    text_printf(out, "%s in %d", stmt->col_var->name, stmt->cols);
  } else {
    static const char *const words[] = {
        [LS_FOR] = "for", [LS_PARALLEL] = "parallel", [LS_TOGETHER] = "together", [LS_SIMD] = "simd"};
    text_printf(out, "%s %s in ", words[stmt->kind], stmt->var->name);
    print_expr(out, stmt->from, 10);
    text_add(out, "..");
    print_expr(out, stmt->to, 10);
    if (stmt->step != 1)
      text_printf(out, " by %" PRId64, stmt->step);
    if (stmt->unroll > 1)
      text_printf(out, ", %d in a row", stmt->unroll);
    if (stmt->most)
      text_printf(out, " among %" PRId64, stmt->most);
  }
}

static bool has_body(const LStmt *stmt) {
  return stmt->kind >= LS_FOR;
}

static void print_body(Text *out, const LStmt *const *stmts, int count, int depth) {
  for (int i = 0; i < count; i++) {
    const LStmt *stmt = stmts[i];
    indent(out, depth);
    if (!has_body(stmt)) {
      print_simple(out, stmt);
    } else {
      print_head(out, stmt);
      if (stmt->kind == LS_TILE && stmt->body.count == 1 && !has_body(stmt->body.data[0])) {
        text_add(out, " { ");
        print_simple(out, stmt->body.data[0]);
        text_add(out, " }");
      } else {
        text_add(out, " {\n");
        print_body(out, (const LStmt *const *)stmt->body.data, stmt->body.count, depth + 1);
        indent(out, depth);
        text_add(out, "}");
      }
    }
    text_add(out, "\n");
  }
}

// Lines of a comment, each after "# "; the first stands where the text is now.
static void print_comment(Text *out, const char *lead, const char *comment) {
  for (const char *line = comment; line && *line;) {
    const char *end = strchr(line, '\n');
    int length = end ? (int)(end - line) : (int)strlen(line);
    text_printf(out, "%s# %.*s\n", lead, length, line);
    line = end ? end + 1 : NULL;
  }
}

static void print_buffers(Text *out, const LKernel *kernel) {
  for (int i = 0; i < kernel->buffers.count; i++) {
    const LBuffer *buffer = kernel->buffers.data[i];
    const char *way = buffer->read && buffer->written ? "inout" : buffer->written ? "out" : "in";
    text_printf(out, "  %-5s %s: %s[%" PRId64 "]", way, buffer->name, type_names[buffer->type], buffer->length);
    text_printf(out, buffer->shape ? "  # %s\n" : "\n", buffer->shape);
  }
}

static void print_kernel(Text *out, const LKernel *kernel) {
  print_comment(out, "", kernel->comment);
  text_printf(out, "kernel %s(%s%s%s)", kernel->name, kernel->n ? kernel->n->name : "n",
              kernel->threads ? ", threads" : "", kernel->thread ? ", thread" : "");
  text_add(out, kernel->barrier_inside ? " barrier_inside\n" : "\n");
  print_buffers(out, kernel);
  text_add(out, "{\n");
  print_body(out, (const LStmt *const *)kernel->body.data, kernel->body.count, 1);
  text_add(out, "}\n\n");
}

static void print_function(Text *out, const LFunction *function) {
  print_comment(out, "", function->comment);
  text_printf(out, "function %s(", function->name);
  for (int i = 0; i < function->params.count; i++) {
    const LVar *param = function->params.data[i];
    text_printf(out, "%s%s: %s", i ? ", " : "", param->name, type_names[param->type]);
  }
  text_printf(out, ") -> %s {\n", type_names[function->type]);
  print_body(out, (const LStmt *const *)function->lets.data, function->lets.count, 1);
  text_add(out, "  ");
  print_expr(out, function->result, 0);
  text_add(out, "\n}\n\n");
}

static void print_place(Text *out, LPlace place) {
  text_add(out, space_names[place.space]);
  if (place.space == SPACE_INPUT || place.space == SPACE_OUTPUT)
    text_printf(out, " %d", place.index);
  else if (place.space != SPACE_CLOCK)
    text_printf(out, " + %" PRId64, place.offset);
  for (int i = 0; i < MAX_LOOPS && place.strides[i].loop; i++)
    text_printf(out, " + %s * %" PRId64,
                !place.strides[i].turns ? "step"
                : place.strides[i].next ? "next turn"
                                        : "turn",
                place.strides[i].bytes);
}

static void print_calls(Text *out, const LCalls *calls, int depth) {
  for (int i = 0; i < calls->count; i++) {
    const LCall *call = &calls->data[i];
    if (call->barrier)
      text_printf(out, "%*sbarrier\n", 2 * depth, "");
    if (call->loop) {
      text_printf(out, "%*sloop ", 2 * depth, "");
      if (call->loop->count) {
        print_place(out, *call->loop->count);
        text_add(out, " of ");
      }
      text_printf(out, "%" PRId64 "%s {\n", call->loop->length, call->loop->reverse ? " reverse" : "");
      print_calls(out, &call->loop->calls, depth + 1);
      text_printf(out, "%*s}\n", 2 * depth, "");
      continue;
    }
    text_printf(out, "%*s%s(", 2 * depth, "", call->kernel->name);
    for (int b = 0; b < call->kernel->buffers.count; b++) {
      text_printf(out, "%s%s: ", b ? ", " : "", call->kernel->buffers.data[b]->name);
      print_place(out, call->places[b]);
    }
    text_add(out, ")\n");
  }
}

static void print_entry(Text *out, const LEntry *entry) {
  text_printf(out, "entry %s%s {\n", entry->name, entry->parallel ? " parallel" : "");
  print_calls(out, &entry->calls, 1);
  text_add(out, "}\n\n");
}

void loops_print(Text *out, const LoopModule *module) {
  text_printf(out, "module %s  # arena %" PRId64 " bytes, state %" PRId64 ", constants %" PRId64 "\n\n",
              module->name ? module->name : "", module->arena_bytes, module->state_bytes, module->constant_bytes);
  for (int i = 0; i < module->functions.count; i++)
    print_function(out, module->functions.data[i]);
  for (int i = 0; i < module->kernels.count; i++)
    print_kernel(out, module->kernels.data[i]);
  for (int i = 0; i < module->entries.count; i++)
    print_entry(out, module->entries.data[i]);
}

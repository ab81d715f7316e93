// Statements. Control flow is at compile time: a `for` runs its rounds here, an `if` takes one branch.
#include "elaborate/internal.h"

static const char *target_text(Elab *e, const Expr *target) {
  Text text = text_new(e->arena);
  expr_print(&text, target);
  return text_string(&text);
}

static void assign_tuple(Elab *e, const Expr *target, Value *value, Span span) {
  if (value->kind == V_POISON) {
    for (int i = 0; i < target->items.count; i++)
      if (target->items.data[i]->kind == EXPR_NAME)
        scope_assign(e, target->items.data[i]->name.text, value);
    return;
  }
  if (value->kind != V_TUPLE && !value_is_list(value)) {
    elab_error(e, span, "a tuple of %d values is needed, but this is %s", target->items.count, value_kind(e, value));
    assign_tuple(e, target, value_poison(e), span);
    return;
  }
  if (value_count(value) != target->items.count) {
    elab_error(e, span, "%lld values for %d names", (long long)value_count(value), target->items.count);
    assign_tuple(e, target, value_poison(e), span);
    return;
  }
  for (int i = 0; i < target->items.count; i++)
    if (target->items.data[i]->kind == EXPR_NAME)
      scope_assign(e, target->items.data[i]->name.text, value_item(e, value, i));
    else
      elab_error(e, target->items.data[i]->span, "only names can be assigned to");
}

static void assign(Elab *e, const Stmt *stmt) {
  const Expr *target = stmt->target;
  bool all = target->kind == EXPR_TUPLE && stmt->value->kind == EXPR_SCAN;
  Value *value = all ? eval_scan(e, stmt->value, true) : eval_expr(e, stmt->value);
  switch (target->kind) {
  case EXPR_NAME:
    scope_assign(e, target->name.text, value);
    break;
  case EXPR_TUPLE:
    assign_tuple(e, target, value, stmt->value->span);
    break;
  case EXPR_ERROR:
    break;
  case EXPR_FIELD:
    elab_error(e, target->span, "`=` cannot change a parameter");
    diag_hint(e->diag, "write %s := …", target_text(e, target));
    break;
  case EXPR_INDEX:
    elab_error(e, target->span, "a tensor cannot be changed in place");
    diag_hint(e->diag, "build a new one with where, concat or pad");
    break;
  default:
    elab_error(e, target->span, "only a name, or a tuple of names, can be assigned to");
  }
}

static void run_for(Elab *e, const Stmt *stmt) {
  Value *items = eval_expr(e, stmt->value);
  if (items->kind == V_POISON)
    return;
  if (!value_is_list(items)) {
    elab_error(e, stmt->value->span, "`for` needs a range or a list, but this is %s", value_kind(e, items));
    if (items->kind == V_INT)
      diag_hint(e->diag, "write 0..%lld", (long long)items->as.integer);
    return;
  }
  for (int64_t i = 0; i < value_count(items) && !e->frame->returned; i++) {
    if (e->rounds++ >= MAX_ROUNDS) {
      if (e->rounds == MAX_ROUNDS + 1)
        elab_error(e, stmt->span, "more than %d rounds of compile-time loops", (int)MAX_ROUNDS);
      return;
    }
    int errors = diag_errors(e->diag);
    scope_push(e);
    scope_bind(e, stmt->name.text, value_item(e, items, i));
    run_block(e, stmt->body, false);
    scope_pop(e);
    if (diag_errors(e->diag) > errors)
      return;
  }
}

static Value *run_expression(Elab *e, const Stmt *stmt, bool want_value) {
  const Expr *expr = stmt->value;
  if (expr->kind == EXPR_IF)
    return eval_if(e, expr, want_value && expr->else_block);
  Value *v = eval_any(e, expr);
  if (want_value || v->kind == V_POISON || (v->kind == V_NONE && !v->as.integer))
    return v;
  elab_error(e, expr->span, "this value is not used");
  if (expr->kind == EXPR_UNARY && expr->op == OPER_NEG)
    diag_hint(e->diag,
              "a line that starts with `-` is a statement of its own; put the `-` at the end of the line before");
  else
    diag_hint(e->diag, "give it a name, or take the line away");
  return value_nothing(e);
}

static bool in_step(const Elab *e) {
  BuilderKind kind = e->builder->kind;
  return !e->frame->decl && (kind == BUILD_TRAIN || kind == BUILD_EVAL || kind == BUILD_TEST);
}

static void run_step_statement(Elab *e, const Stmt *stmt) {
  const char *name = stmt->kind == STMT_MINIMIZE ? "minimize" : stmt->kind == STMT_REPORT ? "report" : "expect";
  bool test = e->builder->kind == BUILD_TEST;
  if (scan_forbids(e, stmt->span, arena_printf(e->arena, "`%s`", name)))
    return;
  bool fits = stmt->kind == STMT_EXPECT ? test : stmt->kind == STMT_REPORT ? !test : true;
  if (!in_step(e) || !fits) {
    elab_error(e, stmt->span, "`%s` stands only in the body of a %s", name,
               stmt->kind == STMT_EXPECT   ? "test"
               : stmt->kind == STMT_REPORT ? "step"
                                           : "step or a test");
    return;
  }
  if (stmt->kind == STMT_MINIMIZE)
    minimize_statement(e, stmt);
  else if (stmt->kind == STMT_REPORT)
    report_statement(e, stmt);
  else
    expect_statement(e, stmt);
}

static void run_return(Elab *e, const Stmt *stmt) {
  Value *v = eval_expr(e, stmt->value);
  if (e->frame->decl)
    e->frame->returned = v;
  else
    elab_error(e, stmt->span, "`return` stands only in the body of a layer or model");
}

static Value *run_statement(Elab *e, const Stmt *stmt, bool want_value) {
  switch (stmt->kind) {
  case STMT_EXPR:
    return run_expression(e, stmt, want_value);
  case STMT_ASSIGN:
    assign(e, stmt);
    break;
  case STMT_UPDATE:
    slot_assign(e, stmt);
    break;
  case STMT_PARAM:
  case STMT_STATE:
    slot_declare(e, stmt);
    break;
  case STMT_FOR:
    run_for(e, stmt);
    break;
  case STMT_RETURN:
    run_return(e, stmt);
    break;
  case STMT_MINIMIZE:
  case STMT_REPORT:
  case STMT_EXPECT:
    run_step_statement(e, stmt);
    break;
  case STMT_YIELD:
    scan_yield(e, stmt);
    break;
  case STMT_EVERY:
    elab_not_built(e, stmt->span, "`every`");
    break;
  case STMT_REPEAT:
    elab_not_built(e, stmt->span, "`repeat`");
    break;
  case STMT_INSPECT:
    elab_not_built(e, stmt->span, "`inspect`");
    break;
  case STMT_ERROR:
    e->frame->broken = true;
    return value_poison(e);
  }
  return value_nothing(e);
}

Value *run_block(Elab *e, const Block *block, bool want_value) {
  Value *result = value_nothing(e);
  for (int i = 0; i < block->stmts.count && !e->frame->returned; i++) {
    const Stmt *stmt = block->stmts.data[i];
    if (!e->frame->decl && !e->frame->scope->parent) {
      StatementMark mark = {e->builder->graph->nodes.count, stmt->span};
      vec_push(e->arena, &e->builder->statements, mark);
    }
    result = run_statement(e, stmt, want_value && i == block->stmts.count - 1);
  }
  return result;
}

Value *run_body(Elab *e, const Block *block) {
  Value *v = run_block(e, block, true);
  return e->frame->returned ? e->frame->returned : v;
}

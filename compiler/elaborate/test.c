// test "name" { … }: a graph without inputs. Parameters start from their initial values inside the graph, and `:=` and
// `minimize` give new values there, so a test needs no state. What is known at compile time is decided here.
#include "elaborate/internal.h"

static const char *text_of(Elab *e, const Expr *expr) {
  Text text = text_new(e->arena);
  expr_print(&text, expr);
  return text_string(&text);
}

static int test_output(Elab *e, const char *name, Node *node) {
  Graph *graph = e->builder->graph;
  GraphOutput output = {arena_printf(e->arena, "%s_%d", name, graph->outputs.count), node};
  vec_push(e->arena, &graph->outputs, output);
  return graph->outputs.count - 1;
}

static bool is_comparison(const Expr *expr) {
  return expr->kind == EXPR_BINARY && expr->op >= OPER_EQ && expr->op <= OPER_GE;
}

static bool is_close(Elab *e, const Expr *expr) {
  return expr->kind == EXPR_CALL && expr->left->kind == EXPR_NAME && !strcmp(expr->left->name.text, "close") &&
         expr->args.count >= 2 && !expr->args.data[0].name.text && !expr->args.data[1].name.text &&
         !scope_find(e->frame, "close") && !scope_global(e->frame->module, e, "close");
}

static int side_output(Elab *e, const char *name, const Value *v, const Value *other, Span span) {
  if (!v || v->kind == V_POISON ||
      !(v->kind == V_TENSOR || value_is_number(v) || v->kind == V_BOOL || value_is_list(v)))
    return -1;
  ElemType elem = other && other->kind == V_TENSOR ? other->as.node->type.elem : F32;
  Node *node = tensor_of(e, span, v, &elem);
  return node ? test_output(e, name, node) : -1;
}

static void add_expectation(Elab *e, const Expr *expr, Value *v, Value *left, Value *right) {
  Expectation expectation = {.span = expr->span, .text = text_of(e, expr), .output = -1, .left = -1, .right = -1};
  if (v->kind == V_BOOL) {
    expectation.constant = true;
    if (!v->as.integer)
      expectation.failed =
          left ? arena_printf(e->arena, "%s %s %s", value_text(e, left),
                              is_comparison(expr) ? expr_op_text(expr->op) : "is not close to", value_text(e, right))
               : "false";
    vec_push(e->arena, &e->test->expectations, expectation);
    return;
  }
  Node *truth = tensor_of(e, expr->span, v, NULL);
  truth = truth ? tensor_all(e, expr->span, truth) : NULL;
  if (!truth)
    return;
  expectation.output = test_output(e, "expect", truth);
  if (left) {
    expectation.left = side_output(e, "left", left, right, expr->span);
    expectation.right = side_output(e, "right", right, left, expr->span);
  }
  vec_push(e->arena, &e->test->expectations, expectation);
}

void expect_statement(Elab *e, const Stmt *stmt) {
  const Expr *expr = stmt->value;
  Value *left = NULL, *right = NULL, *v;
  if (is_comparison(expr)) {
    left = eval_expr(e, expr->left);
    right = eval_expr(e, expr->right);
    v = eval_binary(e, expr->op, left, right, expr->span, expr->left->span, expr->right->span);
  } else if (is_close(e, expr)) {
    CallArgs args = {0};
    left = eval_expr(e, expr->args.data[0].value);
    right = eval_expr(e, expr->args.data[1].value);
    call_arg(e, &args, left, expr->args.data[0].value->span);
    call_arg(e, &args, right, expr->args.data[1].value->span);
    for (int i = 2; i < expr->args.count; i++) {
      CallArg arg = {.name = expr->args.data[i].name.text,
                     .name_span = expr->args.data[i].name.span,
                     .value = eval_expr(e, expr->args.data[i].value),
                     .span = expr->args.data[i].value->span};
      vec_push(e->arena, &args, arg);
    }
    v = call_value(e, value_builtin(e, "close"), &args, expr->span);
  } else {
    v = eval_expr(e, expr);
  }
  if (v->kind == V_POISON)
    return;
  if (v->kind != V_BOOL && !(v->kind == V_TENSOR && v->as.node->type.elem == BOOL)) {
    elab_error(e, expr->span, "`expect` needs a bool, but this is %s", value_kind(e, v));
    return;
  }
  add_expectation(e, expr, v, left, right);
}

void test_declaration(Elab *e, Module *module, const Decl *decl) {
  TestBlock *test = arena_new_of(e->arena, TestBlock);
  test->name = decl->name.text;
  test->span = decl->span;
  SlotTable *table = arena_new_of(e->arena, SlotTable);
  Builder *outer = e->builder;
  e->builder = builder_new(e, BUILD_TEST, decl->name.text, 0, table);
  e->builder->has_step = true;
  table->init = e->builder;
  e->test = test;
  e->optimizers.count = 0;
  frame_push(e, module, NULL, decl->span, "");
  run_block(e, decl->body, false);
  frame_pop(e);
  e->test = NULL;
  if (e->builder->graph->outputs.count)
    test->graph = e->builder->graph;
  e->builder = outer;
  vec_push(e->arena, &e->program->tests, test);
}

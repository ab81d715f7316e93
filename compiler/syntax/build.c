// Makers of tree nodes for the grammar's actions: each takes parts already built and gives a node with its place and
// height, which has a limit, so that later passes may recurse over the tree.
// Slips that the grammar accepts in order to word them well (`units=128`, `x |> f + 1`, `(a,)`) are reported here.
#include <string.h>

#include "syntax/parse.h"

static int higher(int height, int other) {
  return height > other ? height : other;
}

static int height_of(const Expr *expr) {
  return expr ? expr->height : 0;
}

static int height_of_args(const ArgList *args) {
  int height = 0;
  for (int i = 0; i < args->count; i++)
    height = higher(height, height_of(args->data[i].value));
  return height;
}

// Sets the height from the parts. A tree that is too high becomes EXPR_ERROR, so that no walk over it can overflow.
static Expr *finish(Parse *parse, Expr *expr) {
  int height = higher(height_of(expr->left), higher(height_of(expr->right), height_of(expr->third)));
  for (int i = 0; i < expr->items.count; i++)
    height = higher(height, height_of(expr->items.data[i]));
  height = higher(height, height_of_args(&expr->args));
  if (expr->then_block)
    height = higher(height, expr->then_block->height);
  if (expr->else_block)
    height = higher(height, expr->else_block->height);
  const Scan *scan = expr->scan;
  if (scan) {
    height = higher(height, higher(height_of(scan->input), height_of(scan->axis)));
    height = higher(height, higher(height_of(scan->condition), height_of(scan->limit)));
    height = higher(height, higher(height_of_args(&scan->carried), height_of_args(&scan->options)));
    height = higher(height, scan->body->height);
  }
  expr->height = height + 1;
  if (expr->height <= HEIGHT_LIMIT)
    return expr;
  if (!parse->too_deep)
    diag_error(parse->diag, expr->span, "this expression is nested more than %d levels deep", HEIGHT_LIMIT);
  parse->too_deep = true;
  return make_error(parse, expr->span);
}

static Expr *new_expr(Parse *parse, ExprKind kind, Span span) {
  Expr *expr = arena_new_of(parse->arena, Expr);
  expr->kind = kind;
  expr->span = span;
  expr->height = 1;
  return expr;
}

Expr *make_int(Parse *parse, Span span, int64_t value) {
  Expr *expr = new_expr(parse, EXPR_INT, span);
  expr->integer = value;
  return expr;
}

Expr *make_float(Parse *parse, Span span, double value) {
  Expr *expr = new_expr(parse, EXPR_FLOAT, span);
  expr->real = value;
  return expr;
}

Expr *make_bool(Parse *parse, Span span, bool value) {
  Expr *expr = new_expr(parse, EXPR_BOOL, span);
  expr->integer = value;
  return expr;
}

Expr *make_string(Parse *parse, Span span, const char *text) {
  Expr *expr = new_expr(parse, EXPR_STR, span);
  expr->name = (Name){text, span};
  return expr;
}

Expr *make_name(Parse *parse, Name name) {
  static const struct {
    const char *text, *hint;
  } slips[] = {{"True", "write `true`"},
               {"False", "write `false`"},
               {"None", "leave the argument out, or give the value that is meant"}};
  for (size_t i = 0; i < sizeof slips / sizeof *slips; i++)
    if (strcmp(name.text, slips[i].text) == 0) {
      diag_error(parse->diag, name.span, "there is no `%s`", name.text);
      diag_hint(parse->diag, "%s", slips[i].hint);
      return make_error(parse, name.span);
    }
  Expr *expr = new_expr(parse, EXPR_NAME, name.span);
  expr->name = name;
  return expr;
}

Expr *make_error(Parse *parse, Span span) {
  return new_expr(parse, EXPR_ERROR, span);
}

Expr *make_ellipsis(Parse *parse, Span span) {
  return new_expr(parse, EXPR_ELLIPSIS, span);
}

Expr *make_unary(Parse *parse, ExprOp op, Span op_span, Expr *operand) {
  Expr *expr = new_expr(parse, EXPR_UNARY, span_join(op_span, operand->span));
  expr->op = op;
  expr->op_span = op_span;
  expr->left = operand;
  return finish(parse, expr);
}

static Expr *make_pair_of(Parse *parse, ExprKind kind, Expr *left, Span op_span, Expr *right) {
  Expr *expr = new_expr(parse, kind, span_join(left->span, right->span));
  expr->op_span = op_span;
  expr->left = left;
  expr->right = right;
  return expr;
}

Expr *make_binary(Parse *parse, ExprOp op, Expr *left, Span op_span, Expr *right) {
  Expr *expr = make_pair_of(parse, EXPR_BINARY, left, op_span, right);
  expr->op = op;
  return finish(parse, expr);
}

Expr *make_range(Parse *parse, Expr *left, Span op_span, Expr *right) {
  return finish(parse, make_pair_of(parse, EXPR_RANGE, left, op_span, right));
}

// A message shows source of a few words whole; of long text it shows nothing but dots.
static const char *shown(Parse *parse, const Expr *expr) {
  if (expr->height > 12)
    return "…";
  Text text = text_new(parse->arena);
  expr_print(&text, expr);
  return text.length > 60 ? "…" : text_string(&text);
}

Expr *make_pipe(Parse *parse, Expr *left, Span op_span, Expr *right) {
  if (right->kind != EXPR_CALL && right->kind != EXPR_NAME && right->kind != EXPR_FIELD && right->kind != EXPR_ERROR) {
    diag_error(parse->diag, right->span, "on the right of `|>` stands a call or the name of a layer");
    if (right->kind == EXPR_INDEX)
      diag_hint(parse->diag, "write `(%s |> %s)[…]` to index the result", shown(parse, left),
                shown(parse, right->left));
    right = make_error(parse, right->span);
  }
  return finish(parse, make_pair_of(parse, EXPR_PIPE, left, op_span, right));
}

Expr *make_pipe_slip(Parse *parse, Expr *pipe, const char *op, Span op_span, Expr *right) {
  diag_error(parse->diag, op_span, "`%s` cannot follow `|>` without parentheses: `|>` binds loosest", op);
  diag_hint(parse->diag, "write `(%s) %s %s`", shown(parse, pipe), op, shown(parse, right));
  return pipe;
}

Expr *make_call(Parse *parse, Span span, Expr *callee, ArgList args) {
  Expr *expr = new_expr(parse, EXPR_CALL, span);
  expr->left = callee;
  expr->args = args;
  return finish(parse, expr);
}

Expr *make_index(Parse *parse, Span span, Expr *base, ExprList items) {
  Expr *expr = new_expr(parse, EXPR_INDEX, span);
  expr->left = base;
  expr->items = items;
  return finish(parse, expr);
}

Expr *make_slice(Parse *parse, Span span, Expr *from, Expr *to, Expr *by) {
  Expr *expr = new_expr(parse, EXPR_SLICE, span);
  expr->left = from;
  expr->right = to;
  expr->third = by;
  return finish(parse, expr);
}

Expr *make_field(Parse *parse, Span span, Expr *base, Name name) {
  if (base->kind == EXPR_NAME && strcmp(base->name.text, "self") == 0) {
    diag_error(parse->diag, base->span, "there is no `self`");
    diag_hint(parse->diag, "a layer's parameters are names of its body: `param %s: …`, then `%s`", name.text,
              name.text);
    return make_error(parse, span);
  }
  Expr *expr = new_expr(parse, EXPR_FIELD, span);
  expr->left = base;
  expr->name = name;
  return finish(parse, expr);
}

Expr *make_tuple(Parse *parse, Span span, ExprList items) {
  Expr *expr = new_expr(parse, EXPR_TUPLE, span);
  expr->items = items;
  return finish(parse, expr);
}

Expr *make_short_tuple(Parse *parse, Span span, Expr *item) {
  diag_error(parse->diag, span, "a tuple has two values or more");
  diag_hint(parse->diag, "leave the comma out; a list of one is written `[…]`");
  item->span = span;
  return item;
}

Expr *make_list(Parse *parse, Span span, ExprList items) {
  Expr *expr = new_expr(parse, EXPR_LIST, span);
  expr->items = items;
  return finish(parse, expr);
}

Expr *make_map(Parse *parse, Span span, ArgList pairs) {
  Expr *expr = new_expr(parse, EXPR_MAP, span);
  expr->args = pairs;
  return finish(parse, expr);
}

// `a.b.c` as one pattern; NULL if `expr` is anything but names and dots.
static const char *dotted(Parse *parse, const Expr *expr) {
  if (expr->kind == EXPR_NAME || expr->kind == EXPR_STR)
    return expr->name.text;
  const char *base = expr->kind == EXPR_FIELD && expr->left->kind != EXPR_STR ? dotted(parse, expr->left) : NULL;
  return base ? arena_printf(parse->arena, "%s.%s", base, expr->name.text) : NULL;
}

Arg make_pair(Parse *parse, Expr *pattern, Expr *value) {
  const char *text = dotted(parse, pattern);
  if (!text && pattern->kind != EXPR_ERROR) {
    diag_error(parse->diag, pattern->span, "the left side of `:` in a list is a pattern of names");
    diag_hint(parse->diag, "write it as a string, as in `\"block_*.conv\": adam(1e-3)`");
  }
  return (Arg){{text ? text : "", pattern->span}, value};
}

Expr *make_list_or_map(Parse *parse, Span span, ArgList items) {
  ExprList values = {0};
  int pairs = 0;
  for (int i = 0; i < items.count; i++) {
    pairs += items.data[i].name.text != NULL;
    vec_push(parse->arena, &values, items.data[i].value);
  }
  if (pairs == 0)
    return make_list(parse, span, values);
  for (int i = 0; i < items.count && pairs < items.count; i++)
    if (!items.data[i].name.text) {
      diag_error(parse->diag, items.data[i].value->span, "this list has patterns, but none here");
      diag_hint(parse->diag, "write `pattern: value` for every item, or for none");
      return make_error(parse, span);
    }
  return make_map(parse, span, items);
}

Expr *make_if(Parse *parse, Span span, Expr *condition, Block *then_block, Block *else_block) {
  Expr *expr = new_expr(parse, EXPR_IF, span);
  expr->left = condition;
  expr->then_block = then_block;
  expr->else_block = else_block;
  return finish(parse, expr);
}

static Expr *make_loop(Parse *parse, ExprKind kind, Span span, Scan scan) {
  Expr *expr = new_expr(parse, kind, span);
  expr->scan = arena_copy(parse->arena, &scan, sizeof scan);
  return finish(parse, expr);
}

Expr *make_scan(Parse *parse, Span span, Name item, Expr *input, Expr *axis, ScanHead head, Block *body) {
  Scan scan = {
      .item = item, .input = input, .axis = axis, .carried = head.carried, .options = head.options, .body = body};
  return make_loop(parse, EXPR_SCAN, span, scan);
}

Expr *make_while(Parse *parse, Span span, Expr *condition, ScanHead head, Expr *limit, Block *body) {
  Scan scan = {.condition = condition, .limit = limit, .carried = head.carried, .options = head.options, .body = body};
  return make_loop(parse, EXPR_WHILE, span, scan);
}

Block *make_else_if(Parse *parse, Expr *if_expr) {
  StmtList stmts = {0};
  vec_push(parse->arena, &stmts, make_stmt(parse, STMT_EXPR, if_expr->span, if_expr));
  return make_block(parse, if_expr->span, stmts);
}

Block *make_block(Parse *parse, Span span, StmtList stmts) {
  Block *block = arena_new_of(parse->arena, Block);
  block->span = span;
  block->stmts = stmts;
  for (int i = 0; i < stmts.count; i++)
    block->height = higher(block->height, stmts.data[i]->height);
  return block;
}

static Stmt *finish_stmt(Stmt *stmt) {
  int height = higher(height_of(stmt->value), height_of(stmt->target));
  height = higher(height, higher(height_of(stmt->over_expr), height_of(stmt->using_expr)));
  height = higher(height, height_of_args(&stmt->args));
  if (stmt->body)
    height = higher(height, stmt->body->height);
  stmt->height = height + 1;
  return stmt;
}

static Stmt *new_stmt(Parse *parse, StmtKind kind, Span span, Expr *value) {
  Stmt *stmt = arena_new_of(parse->arena, Stmt);
  stmt->kind = kind;
  stmt->span = span;
  stmt->value = value;
  return stmt;
}

Stmt *make_stmt(Parse *parse, StmtKind kind, Span span, Expr *value) {
  return finish_stmt(new_stmt(parse, kind, span, value));
}

Stmt *make_assign(Parse *parse, StmtKind kind, Span span, Expr *target, Expr *value) {
  Stmt *stmt = new_stmt(parse, kind, span, value);
  stmt->target = target;
  return finish_stmt(stmt);
}

Stmt *make_slot(Parse *parse, StmtKind kind, Span span, Name name, TypeExpr *type, Expr *value) {
  Stmt *stmt = new_stmt(parse, kind, span, value);
  stmt->name = name;
  stmt->type = type;
  return finish_stmt(stmt);
}

Stmt *make_for(Parse *parse, Span span, Name name, Expr *value, Block *body) {
  Stmt *stmt = make_counted(parse, STMT_FOR, span, value, body);
  stmt->name = name;
  return stmt;
}

Stmt *make_minimize(Parse *parse, Span span, Expr *value, Expr *over, Expr *optimizer) {
  Stmt *stmt = new_stmt(parse, STMT_MINIMIZE, span, value);
  stmt->over_expr = over;
  stmt->using_expr = optimizer;
  return finish_stmt(stmt);
}

Stmt *make_report(Parse *parse, Span span, ArgList args) {
  Stmt *stmt = new_stmt(parse, STMT_REPORT, span, NULL);
  stmt->args = args;
  return finish_stmt(stmt);
}

// The blocks of `for`, `every` and `repeat` nest at most NESTING_LIMIT deep, so that no limit is needed here.
Stmt *make_counted(Parse *parse, StmtKind kind, Span span, Expr *count, Block *body) {
  Stmt *stmt = new_stmt(parse, kind, span, count);
  stmt->body = body;
  return finish_stmt(stmt);
}

TypeExpr *make_type(Parse *parse, TypeKind kind, Span span, Name name, ExprList dims) {
  TypeExpr *type = arena_new_of(parse->arena, TypeExpr);
  type->kind = kind;
  type->span = span;
  type->name = name;
  type->dims = dims;
  return type;
}

TypeExpr *make_list_type(Parse *parse, Span span, TypeExpr *item) {
  TypeExpr *type = make_type(parse, TYPE_LIST, span, (Name){0}, (ExprList){0});
  type->item = item;
  return type;
}

// A type in parentheses of its own is that type.
TypeExpr *make_tuple_type(Parse *parse, Span span, TypeList items) {
  if (items.count == 1)
    return items.data[0];
  TypeExpr *type = make_type(parse, TYPE_TUPLE, span, (Name){0}, (ExprList){0});
  type->items = items;
  return type;
}

Decl *make_decl(Parse *parse, DeclKind kind, Span span, Name name) {
  Decl *decl = arena_new_of(parse->arena, Decl);
  decl->kind = kind;
  decl->span = span;
  decl->name = name;
  return decl;
}

Decl *make_layer(Parse *parse, DeclKind kind, Span span, Name name, FormalList formals, TypeExpr *result, Block *body) {
  Decl *decl = make_decl(parse, kind, span, name);
  decl->formals = formals;
  decl->result = result;
  decl->body = body;
  return decl;
}

StepBlock *make_step(Parse *parse, Span span, NameList inputs, Block *body) {
  StepBlock *step = arena_new_of(parse->arena, StepBlock);
  step->span = span;
  step->inputs = inputs;
  step->body = body;
  return step;
}

void add_step(Parse *parse, StepBlock **place, StepBlock *step, const char *word) {
  if (*place) {
    diag_error(parse->diag, step->span, "this `train` has a `%s` block already", word);
    diag_note(parse->diag, (*place)->span, "the first one is here");
    return;
  }
  *place = step;
}

Arg make_slipped_arg(Parse *parse, Name name, Span equals, Expr *value, const char *what) {
  diag_error(parse->diag, equals, "%s is written with `:`, not `=`", what);
  diag_hint(parse->diag, "write %s: %s", name.text, shown(parse, value));
  return (Arg){name, value};
}

// The tree as text, two spaces a level: a line for each node with its kind, its own words, and its parts below.
// Names of arguments lead the line of their value. Types stand on one line.
#include "syntax/parse.h"

typedef struct Printer {
  Text *out;
  bool places;
} Printer;

static void line(Printer *printer, int depth, const char *label, Span span, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// `label` is what the parent calls this part, such as an argument's name; NULL for none.
static void line(Printer *printer, int depth, const char *label, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(printer->out->arena, format, args);
  va_end(args);
  text_printf(printer->out, "%*s%s%s%s", depth * 2, "", label ? label : "", label ? ": " : "", text);
  if (printer->places && span.line > 0)
    text_printf(printer->out, "  @%d:%d-%d:%d", span.line, span.column, span.end_line, span.end_column);
  text_add(printer->out, "\n");
}

static void print_expr(Printer *printer, int depth, const char *label, const Expr *expr);

static const char *type_text(Printer *printer, const TypeExpr *type) {
  Text text = text_new(printer->out->arena);
  if (type) {
    text_add(&text, ": ");
    type_expr_print(&text, type);
  }
  return text_string(&text);
}

static const char *leaf_text(Printer *printer, const Expr *expr) {
  Text text = text_new(printer->out->arena);
  expr_print(&text, expr);
  return text_string(&text);
}

static void print_args(Printer *printer, int depth, const ArgList *args) {
  for (int i = 0; i < args->count; i++)
    print_expr(printer, depth, args->data[i].name.text, args->data[i].value);
}

static void print_items(Printer *printer, int depth, const ExprList *items) {
  for (int i = 0; i < items->count; i++)
    print_expr(printer, depth, NULL, items->data[i]);
}

static void print_stmt(Printer *printer, int depth, const Stmt *stmt);

static void print_block(Printer *printer, int depth, const char *label, const Block *block) {
  line(printer, depth, NULL, block->span, "%s", label);
  for (int i = 0; i < block->stmts.count; i++)
    print_stmt(printer, depth + 1, block->stmts.data[i]);
}

static void print_scan(Printer *printer, int depth, const Scan *scan) {
  if (scan->input)
    print_expr(printer, depth, "in", scan->input);
  if (scan->condition)
    print_expr(printer, depth, "condition", scan->condition);
  if (scan->axis)
    print_expr(printer, depth, "along", scan->axis);
  if (scan->limit)
    print_expr(printer, depth, "limit", scan->limit);
  for (int i = 0; i < scan->carried.count; i++)
    print_expr(printer, depth, arena_printf(printer->out->arena, "with %s", scan->carried.data[i].name.text),
               scan->carried.data[i].value);
  print_args(printer, depth, &scan->options);
  print_block(printer, depth, "do", scan->body);
}

static void print_parts(Printer *printer, int depth, const Expr *expr) {
  if (expr->kind == EXPR_SLICE) {
    const Expr *parts[] = {expr->left, expr->right, expr->third};
    static const char *const labels[] = {"from", "to", "by"};
    for (int i = 0; i < 3; i++)
      if (parts[i])
        print_expr(printer, depth, labels[i], parts[i]);
    return;
  }
  if (expr->left)
    print_expr(printer, depth, expr->kind == EXPR_IF ? "condition" : NULL, expr->left);
  if (expr->right)
    print_expr(printer, depth, NULL, expr->right);
  print_items(printer, depth, &expr->items);
  print_args(printer, depth, &expr->args);
  if (expr->then_block)
    print_block(printer, depth, "then", expr->then_block);
  if (expr->else_block)
    print_block(printer, depth, "else", expr->else_block);
  if (expr->scan)
    print_scan(printer, depth, expr->scan);
}

static void print_expr(Printer *printer, int depth, const char *label, const Expr *expr) {
  static const char *const words[] = {
      [EXPR_INT] = "int",       [EXPR_FLOAT] = "float",       [EXPR_BOOL] = "bool",   [EXPR_STR] = "str",
      [EXPR_NAME] = "name",     [EXPR_LIST] = "list",         [EXPR_TUPLE] = "tuple", [EXPR_UNARY] = "unary",
      [EXPR_BINARY] = "binary", [EXPR_CALL] = "call",         [EXPR_PIPE] = "pipe",   [EXPR_INDEX] = "index",
      [EXPR_SLICE] = "slice",   [EXPR_ELLIPSIS] = "ellipsis", [EXPR_FIELD] = "field", [EXPR_RANGE] = "range",
      [EXPR_IF] = "if",         [EXPR_SCAN] = "scan",         [EXPR_WHILE] = "while", [EXPR_MAP] = "map",
      [EXPR_ERROR] = "error",
  };
  const char *word = words[expr->kind];
  switch (expr->kind) {
  case EXPR_INT:
  case EXPR_FLOAT:
  case EXPR_BOOL:
  case EXPR_STR:
  case EXPR_NAME:
    line(printer, depth, label, expr->span, "%s %s", word, leaf_text(printer, expr));
    break;
  case EXPR_UNARY:
  case EXPR_BINARY:
    line(printer, depth, label, expr->span, "%s %s", word, expr_op_text(expr->op));
    break;
  case EXPR_FIELD:
    line(printer, depth, label, expr->span, "field .%s", expr->name.text);
    break;
  case EXPR_SCAN:
    line(printer, depth, label, expr->span, "scan%s%s", expr->scan->item.text ? " " : "",
         expr->scan->item.text ? expr->scan->item.text : "");
    break;
  default:
    line(printer, depth, label, expr->span, "%s", word);
    break;
  }
  print_parts(printer, depth + 1, expr);
}

static const char *stmt_word(StmtKind kind) {
  static const char *const words[] = {
      [STMT_EXPR] = "value",        [STMT_ASSIGN] = "assign",   [STMT_UPDATE] = "update", [STMT_PARAM] = "param",
      [STMT_STATE] = "state",       [STMT_FOR] = "for",         [STMT_RETURN] = "return", [STMT_YIELD] = "yield",
      [STMT_MINIMIZE] = "minimize", [STMT_REPORT] = "report",   [STMT_EXPECT] = "expect", [STMT_EVERY] = "every",
      [STMT_REPEAT] = "repeat",     [STMT_INSPECT] = "inspect", [STMT_ERROR] = "error",
  };
  return words[kind];
}

static void print_stmt(Printer *printer, int depth, const Stmt *stmt) {
  line(printer, depth, NULL, stmt->span, "%s%s%s%s", stmt_word(stmt->kind), stmt->name.text ? " " : "",
       stmt->name.text ? stmt->name.text : "", type_text(printer, stmt->type));
  if (stmt->target)
    print_expr(printer, depth + 1, NULL, stmt->target);
  if (stmt->value)
    print_expr(printer, depth + 1, stmt->kind == STMT_FOR ? "in" : NULL, stmt->value);
  if (stmt->over_expr)
    print_expr(printer, depth + 1, "over", stmt->over_expr);
  if (stmt->using_expr)
    print_expr(printer, depth + 1, "using", stmt->using_expr);
  print_args(printer, depth + 1, &stmt->args);
  if (stmt->body)
    print_block(printer, depth + 1, "do", stmt->body);
}

static void print_step(Printer *printer, int depth, const char *word, const StepBlock *step) {
  Text inputs = text_new(printer->out->arena);
  for (int i = 0; i < step->inputs.count; i++)
    text_printf(&inputs, " %s", step->inputs.data[i].text);
  print_block(printer, depth, arena_printf(printer->out->arena, "%s%s", word, text_string(&inputs)), step->body);
}

static void print_decl(Printer *printer, int depth, const Decl *decl) {
  static const char *const words[] = {
      [DECL_CONST] = "const", [DECL_IMPORT] = "import", [DECL_LAYER] = "layer",
      [DECL_MODEL] = "model", [DECL_DATA] = "data",     [DECL_TRAIN] = "train",
      [DECL_TEST] = "test",   [DECL_RUN] = "run",       [DECL_ERROR] = "error",
  };
  line(printer, depth, NULL, decl->span, "%s%s%s", words[decl->kind], decl->name.text ? " " : "",
       decl->name.text ? decl->name.text : "");
  for (int i = 0; i < decl->formals.count; i++) {
    const Formal *formal = &decl->formals.data[i];
    line(printer, depth + 1, NULL, formal->name.span, "input %s%s", formal->name.text,
         type_text(printer, formal->type));
    if (formal->standard)
      print_expr(printer, depth + 2, "default", formal->standard);
  }
  if (decl->result)
    line(printer, depth + 1, NULL, decl->result->span, "result%s", type_text(printer, decl->result));
  if (decl->value)
    print_expr(printer, depth + 1, NULL, decl->value);
  print_args(printer, depth + 1, &decl->settings);
  if (decl->step)
    print_step(printer, depth + 1, "step", decl->step);
  if (decl->eval)
    print_step(printer, depth + 1, "eval", decl->eval);
  if (decl->body)
    print_block(printer, depth + 1, "body", decl->body);
}

static void print_file(Printer *printer, const File *file) {
  line(printer, 0, NULL, (Span){0}, "file %s", file->source->path);
  for (int i = 0; i < file->decls.count; i++)
    print_decl(printer, 1, file->decls.data[i]);
}

void ast_print(Text *out, const File *file) {
  print_file(&(Printer){.out = out}, file);
}

void ast_print_with_places(Text *out, const File *file) {
  print_file(&(Printer){.out = out, .places = true}, file);
}

// Expressions, types and statements as one line of .nn text, for messages and for the printed tree.
// Parentheses stand only where reading the text back would give another tree.
#include <string.h>

#include "syntax/parse.h"

// How tightly a form binds, loosest first; the order of grammar/nn.y.
enum Level {
  LEVEL_ANY,
  LEVEL_PIPE,
  LEVEL_OR,
  LEVEL_AND,
  LEVEL_NOT,
  LEVEL_COMPARE,
  LEVEL_RANGE,
  LEVEL_ADD,
  LEVEL_MUL,
  LEVEL_NEG,
  LEVEL_POW,
  LEVEL_POSTFIX
};

static const struct {
  const char *text;
  enum Level level;
} operators[] = {
    [OPER_ADD] = {"+", LEVEL_ADD},     [OPER_SUB] = {"-", LEVEL_ADD},       [OPER_MUL] = {"*", LEVEL_MUL},
    [OPER_DIV] = {"/", LEVEL_MUL},     [OPER_FLOORDIV] = {"//", LEVEL_MUL}, [OPER_MOD] = {"%", LEVEL_MUL},
    [OPER_POW] = {"**", LEVEL_POW},    [OPER_MATMUL] = {"@", LEVEL_MUL},    [OPER_EQ] = {"==", LEVEL_COMPARE},
    [OPER_NE] = {"!=", LEVEL_COMPARE}, [OPER_LT] = {"<", LEVEL_COMPARE},    [OPER_LE] = {"<=", LEVEL_COMPARE},
    [OPER_GT] = {">", LEVEL_COMPARE},  [OPER_GE] = {">=", LEVEL_COMPARE},   [OPER_AND] = {"and", LEVEL_AND},
    [OPER_OR] = {"or", LEVEL_OR},      [OPER_NEG] = {"-", LEVEL_NEG},       [OPER_NOT] = {"not", LEVEL_NOT},
};

const char *expr_op_text(ExprOp op) {
  return operators[op].text;
}

static void print_at(Text *out, const Expr *expr, enum Level least);

static void print_block(Text *out, const Block *block);

static enum Level level_of(const Expr *expr) {
  switch (expr->kind) {
  case EXPR_PIPE:
    return LEVEL_PIPE;
  case EXPR_UNARY:
  case EXPR_BINARY:
    return operators[expr->op].level;
  case EXPR_RANGE:
    return LEVEL_RANGE;
  case EXPR_IF:
  case EXPR_SCAN:
  case EXPR_WHILE:
    return LEVEL_ANY;
  default:
    return LEVEL_POSTFIX;
  }
}

static void print_string(Text *out, const char *text) {
  size_t bad;
  bool valid = utf8_valid(text, strlen(text), &bad);
  text_add(out, "\"");
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte == '"' || byte == '\\')
      text_printf(out, "\\%c", byte);
    else if (byte == '\n')
      text_add(out, "\\n");
    else if (byte == '\t')
      text_add(out, "\\t");
    else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !valid))
      text_printf(out, "\\x%02x", byte);
    else
      text_printf(out, "%c", byte);
  }
  text_add(out, "\"");
}

// A real number always has a point or an exponent, or it would be read back as a whole one.
static void print_float(Text *out, double value) {
  size_t before = out->length;
  text_double(out, value);
  if (strspn(text_string(out) + before, "-0123456789") == out->length - before)
    text_add(out, ".0");
}

static void print_args(Text *out, const ArgList *args, const char *sign) {
  for (int i = 0; i < args->count; i++) {
    if (i)
      text_add(out, ", ");
    if (args->data[i].name.text)
      text_printf(out, "%s%s ", args->data[i].name.text, sign);
    print_at(out, args->data[i].value, LEVEL_ANY);
  }
}

static void print_items(Text *out, const ExprList *items) {
  for (int i = 0; i < items->count; i++) {
    if (i)
      text_add(out, ", ");
    print_at(out, items->data[i], LEVEL_ANY);
  }
}

static void print_map(Text *out, const ArgList *pairs) {
  text_add(out, "[");
  for (int i = 0; i < pairs->count; i++) {
    if (i)
      text_add(out, ", ");
    print_string(out, pairs->data[i].name.text);
    text_add(out, ": ");
    print_at(out, pairs->data[i].value, LEVEL_ANY);
  }
  text_add(out, "]");
}

static void print_if(Text *out, const Expr *expr) {
  text_add(out, "if ");
  print_at(out, expr->left, LEVEL_ANY);
  text_add(out, " ");
  print_block(out, expr->then_block);
  if (!expr->else_block)
    return;
  text_add(out, " else ");
  const StmtList *stmts = &expr->else_block->stmts;
  bool chained = stmts->count == 1 && stmts->data[0]->kind == STMT_EXPR && stmts->data[0]->value->kind == EXPR_IF;
  if (chained)
    print_if(out, stmts->data[0]->value);
  else
    print_block(out, expr->else_block);
}

// What stands between `with` and the block: carried values, then options; `sign` opens it.
static void print_head(Text *out, const Scan *scan) {
  if (scan->carried.count) {
    text_add(out, " with ");
    print_args(out, &scan->carried, " =");
  }
  if (scan->options.count) {
    text_add(out, ", ");
    print_args(out, &scan->options, ":");
  }
}

static void print_scan(Text *out, const Expr *expr) {
  const Scan *scan = expr->scan;
  if (expr->kind == EXPR_WHILE) {
    text_add(out, "while ");
    print_at(out, scan->condition, LEVEL_ANY);
    print_head(out, scan);
    text_add(out, " up to ");
    print_at(out, scan->limit, LEVEL_ANY);
  } else {
    text_add(out, "scan");
    if (scan->item.text) {
      text_printf(out, " %s in ", scan->item.text);
      print_at(out, scan->input, LEVEL_ANY);
    }
    if (scan->axis) {
      text_add(out, " along ");
      print_at(out, scan->axis, LEVEL_ANY);
    }
    print_head(out, scan);
  }
  text_add(out, " ");
  print_block(out, scan->body);
}

static void print_binary(Text *out, const Expr *expr) {
  enum Level level = expr->kind == EXPR_RANGE ? LEVEL_RANGE : operators[expr->op].level;
  const char *sign = expr->kind == EXPR_RANGE ? ".." : operators[expr->op].text;
  bool chains = level != LEVEL_COMPARE && level != LEVEL_RANGE && level != LEVEL_POW;
  print_at(out, expr->left, chains ? level : level + 1);
  text_printf(out, expr->kind == EXPR_RANGE ? "%s" : " %s ", sign);
  print_at(out, expr->right, level == LEVEL_POW ? LEVEL_NEG : level + 1);
}

static void print_bare(Text *out, const Expr *expr) {
  switch (expr->kind) {
  case EXPR_INT:
    text_printf(out, "%lld", (long long)expr->integer);
    break;
  case EXPR_FLOAT:
    print_float(out, expr->real);
    break;
  case EXPR_BOOL:
    text_add(out, expr->integer ? "true" : "false");
    break;
  case EXPR_STR:
    print_string(out, expr->name.text);
    break;
  case EXPR_NAME:
    text_add(out, expr->name.text);
    break;
  case EXPR_LIST:
    text_add(out, "[");
    print_items(out, &expr->items);
    text_add(out, "]");
    break;
  case EXPR_TUPLE:
    text_add(out, "(");
    print_items(out, &expr->items);
    text_add(out, ")");
    break;
  case EXPR_UNARY:
    text_add(out, expr->op == OPER_NOT ? "not " : "-");
    print_at(out, expr->left, operators[expr->op].level);
    break;
  case EXPR_BINARY:
  case EXPR_RANGE:
    print_binary(out, expr);
    break;
  case EXPR_CALL:
    print_at(out, expr->left, LEVEL_POSTFIX);
    text_add(out, "(");
    print_args(out, &expr->args, ":");
    text_add(out, ")");
    break;
  case EXPR_PIPE:
    print_at(out, expr->left, LEVEL_PIPE);
    text_add(out, " |> ");
    print_at(out, expr->right, LEVEL_POSTFIX);
    break;
  case EXPR_INDEX:
    print_at(out, expr->left, LEVEL_POSTFIX);
    text_add(out, "[");
    print_items(out, &expr->items);
    text_add(out, "]");
    break;
  case EXPR_SLICE:
    if (expr->left)
      print_at(out, expr->left, LEVEL_ANY);
    text_add(out, ":");
    if (expr->right)
      print_at(out, expr->right, LEVEL_ANY);
    if (expr->third) {
      text_add(out, ":");
      print_at(out, expr->third, LEVEL_ANY);
    }
    break;
  case EXPR_ELLIPSIS:
    text_add(out, "...");
    break;
  case EXPR_FIELD:
    print_at(out, expr->left, LEVEL_POSTFIX);
    text_printf(out, ".%s", expr->name.text);
    break;
  case EXPR_IF:
    print_if(out, expr);
    break;
  case EXPR_SCAN:
  case EXPR_WHILE:
    print_scan(out, expr);
    break;
  case EXPR_MAP:
    print_map(out, &expr->args);
    break;
  case EXPR_ERROR:
    text_add(out, "<error>");
    break;
  }
}

static void print_at(Text *out, const Expr *expr, enum Level least) {
  bool enclose = level_of(expr) < least;
  if (enclose)
    text_add(out, "(");
  print_bare(out, expr);
  if (enclose)
    text_add(out, ")");
}

void expr_print(Text *out, const Expr *expr) {
  print_at(out, expr, LEVEL_ANY);
}

void type_expr_print(Text *out, const TypeExpr *type) {
  switch (type->kind) {
  case TYPE_PLAIN:
    text_add(out, type->name.text);
    break;
  case TYPE_TENSOR:
    text_printf(out, "%s[", type->name.text);
    print_items(out, &type->dims);
    text_add(out, "]");
    break;
  case TYPE_LIST:
    text_add(out, "list[");
    type_expr_print(out, type->item);
    text_add(out, "]");
    break;
  case TYPE_TUPLE:
    text_add(out, "(");
    for (int i = 0; i < type->items.count; i++) {
      if (i)
        text_add(out, ", ");
      type_expr_print(out, type->items.data[i]);
    }
    text_add(out, ")");
    break;
  }
}

static void print_word(Text *out, const char *word, const Expr *value) {
  text_printf(out, "%s ", word);
  expr_print(out, value);
}

static void print_slot(Text *out, const Stmt *stmt) {
  text_printf(out, "%s %s: ", stmt->kind == STMT_PARAM ? "param" : "state", stmt->name.text);
  type_expr_print(out, stmt->type);
  if (stmt->value)
    print_word(out, " =", stmt->value);
}

static void print_minimize(Text *out, const Stmt *stmt) {
  print_word(out, "minimize", stmt->value);
  if (stmt->over_expr)
    print_word(out, " over", stmt->over_expr);
  if (stmt->using_expr)
    print_word(out, " using", stmt->using_expr);
}

static void print_stmt(Text *out, const Stmt *stmt) {
  switch (stmt->kind) {
  case STMT_EXPR:
    expr_print(out, stmt->value);
    break;
  case STMT_ASSIGN:
  case STMT_UPDATE:
    expr_print(out, stmt->target);
    print_word(out, stmt->kind == STMT_ASSIGN ? " =" : " :=", stmt->value);
    break;
  case STMT_PARAM:
  case STMT_STATE:
    print_slot(out, stmt);
    break;
  case STMT_FOR:
    text_printf(out, "for %s in ", stmt->name.text);
    expr_print(out, stmt->value);
    break;
  case STMT_RETURN:
    print_word(out, "return", stmt->value);
    break;
  case STMT_YIELD:
    print_word(out, "yield", stmt->value);
    break;
  case STMT_MINIMIZE:
    print_minimize(out, stmt);
    break;
  case STMT_REPORT:
    text_add(out, "report ");
    print_args(out, &stmt->args, ":");
    break;
  case STMT_EXPECT:
    print_word(out, "expect", stmt->value);
    break;
  case STMT_EVERY:
    print_word(out, "every", stmt->value);
    break;
  case STMT_REPEAT:
    print_word(out, "repeat", stmt->value);
    break;
  case STMT_INSPECT:
    print_word(out, "inspect", stmt->value);
    break;
  case STMT_ERROR:
    text_add(out, "<error>");
    break;
  }
  if (stmt->body) {
    text_add(out, " ");
    print_block(out, stmt->body);
  }
}

static void print_block(Text *out, const Block *block) {
  if (block->stmts.count == 0) {
    text_add(out, "{ }");
    return;
  }
  for (int i = 0; i < block->stmts.count; i++) {
    text_add(out, i ? "; " : "{ ");
    print_stmt(out, block->stmts.data[i]);
  }
  text_add(out, " }");
}

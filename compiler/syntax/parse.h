// Inside the parser: the token list that the scanner fills and the grammar reads, and the makers of tree nodes.
// Text becomes tokens (grammar/nn.l), tokens.c settles brackets, newlines and soft words, and grammar/nn.y builds the
// tree by the functions of build.c; complain.c words the syntax errors.
#pragma once
#include "syntax/ast.h"

typedef struct Token {
  int kind; // a character or a T_ of nn.tab.h
  Span span;
  int64_t integer;
  double real;
  const char *text; // of words and strings, after escapes
  int match;        // the closer of an opener and the reverse; -1 without one
  int opener;       // the innermost bracket open before this token, -1
  bool first;       // on its line
} Token;
typedef VEC(Token) TokenList;

// A header of `scan` or `while` as it is being read.
typedef struct ScanHead {
  ArgList carried, options;
} ScanHead;

typedef struct Parse {
  Arena *arena;
  Diag *diag;
  const Source *source;
  TokenList tokens;
  int next;         // the token to be given to the grammar next; the one in its hands is next - 1
  int start;        // T_START_FILE or T_START_EXPR, given first; 0 afterwards
  int line, column; // of the scanner
  bool cut;      // brackets were nested too deeply and the rest was left out, or there are too many errors: say no more
  bool too_deep; // a tree was too high; said once
  File *file;
  Expr *expr;  // what T_START_EXPR asked for
  Decl *train; // the block whose settings are being read
} Parse;

enum { NESTING_LIMIT = 200, HEIGHT_LIMIT = 1000, ERROR_LIMIT = 200 };

// tokens.c
bool utf8_valid(const char *text, size_t length, size_t *bad);
void tokens_read(Parse *parse);

// The token as written; NULL for one that is not in the text.
const char *token_text(const Parse *parse, const Token *token);

// complain.c
// What could stand at the place of a syntax error.
typedef struct Expected {
  bool declaration, statement, expression, name, separator;
  bool complete;           // an operand has just ended: operators, `(`, `[` and `.` could follow too
  int count;               // of the other symbols
  const char *symbols[24]; // in backquotes, as messages show them
} Expected;
void complain_syntax(Parse *parse, Span span, const Expected *expected);

// build.c. Each makes one node in the arena.
Expr *make_int(Parse *parse, Span span, int64_t value);
Expr *make_float(Parse *parse, Span span, double value);
Expr *make_bool(Parse *parse, Span span, bool value);
Expr *make_string(Parse *parse, Span span, const char *text);
Expr *make_name(Parse *parse, Name name);
Expr *make_error(Parse *parse, Span span);
Expr *make_ellipsis(Parse *parse, Span span);
Expr *make_unary(Parse *parse, ExprOp op, Span op_span, Expr *operand);
Expr *make_binary(Parse *parse, ExprOp op, Expr *left, Span op_span, Expr *right);
Expr *make_range(Parse *parse, Expr *left, Span op_span, Expr *right);
Expr *make_pipe(Parse *parse, Expr *left, Span op_span, Expr *right);
// `x |> f + 1`: reports the operator behind the stage.
Expr *make_pipe_slip(Parse *parse, Expr *pipe, const char *op, Span op_span, Expr *right);
Expr *make_call(Parse *parse, Span span, Expr *callee, ArgList args);
Expr *make_index(Parse *parse, Span span, Expr *base, ExprList items);
Expr *make_slice(Parse *parse, Span span, Expr *from, Expr *to, Expr *by);
Expr *make_field(Parse *parse, Span span, Expr *base, Name name);
Expr *make_tuple(Parse *parse, Span span, ExprList items);
Expr *make_short_tuple(Parse *parse, Span span, Expr *item); // `(a,)`: reports it
Expr *make_list(Parse *parse, Span span, ExprList items);
Expr *make_map(Parse *parse, Span span, ArgList pairs);
Arg make_pair(Parse *parse, Expr *pattern, Expr *value);
// A list whose items may be pairs: all must be, or none.
Expr *make_list_or_map(Parse *parse, Span span, ArgList items);
Expr *make_if(Parse *parse, Span span, Expr *condition, Block *then_block, Block *else_block);
Expr *make_scan(Parse *parse, Span span, Name item, Expr *input, Expr *axis, ScanHead head, Block *body);
Expr *make_while(Parse *parse, Span span, Expr *condition, ScanHead head, Expr *limit, Block *body);
// The block that `else if` stands for.
Block *make_else_if(Parse *parse, Expr *if_expr);
Block *make_block(Parse *parse, Span span, StmtList stmts);

Stmt *make_stmt(Parse *parse, StmtKind kind, Span span, Expr *value);
Stmt *make_assign(Parse *parse, StmtKind kind, Span span, Expr *target, Expr *value);
Stmt *make_slot(Parse *parse, StmtKind kind, Span span, Name name, TypeExpr *type, Expr *value);
Stmt *make_for(Parse *parse, Span span, Name name, Expr *value, Block *body);
Stmt *make_minimize(Parse *parse, Span span, Expr *value, Expr *over, Expr *optimizer);
Stmt *make_report(Parse *parse, Span span, ArgList args);
Stmt *make_counted(Parse *parse, StmtKind kind, Span span, Expr *count, Block *body);

TypeExpr *make_type(Parse *parse, TypeKind kind, Span span, Name name, ExprList dims);
TypeExpr *make_list_type(Parse *parse, Span span, TypeExpr *item);
TypeExpr *make_tuple_type(Parse *parse, Span span, TypeList items);

Decl *make_decl(Parse *parse, DeclKind kind, Span span, Name name);
Decl *make_layer(Parse *parse, DeclKind kind, Span span, Name name, FormalList formals, TypeExpr *result, Block *body);
StepBlock *make_step(Parse *parse, Span span, NameList inputs, Block *body);
// Adds `step` or `eval` to the block that is being read; a second one is an error.
void add_step(Parse *parse, StepBlock **place, StepBlock *step, const char *word);

// `name = value` where `name: value` is meant; reports it.
Arg make_slipped_arg(Parse *parse, Name name, Span equals, Expr *value, const char *what);

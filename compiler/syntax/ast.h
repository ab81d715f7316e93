// The syntax tree: what grammar/nn.y builds and elaborate/ reads. Every node knows its place in the source.
// The tree is as written: nothing is resolved, and the left side of an assignment is any expression.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/source.h"
#include "base/text.h"
#include "base/vec.h"

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Decl Decl;
typedef struct Block Block;

typedef VEC(Expr *) ExprList;
typedef VEC(Stmt *) StmtList;
typedef VEC(struct TypeExpr *) TypeList;

typedef struct Name {
  const char *text;
  Span span;
} Name;

// f32[..., n, 4 * units], f32[], int, list[int], (f32[64], f32[64])
typedef enum TypeKind { TYPE_PLAIN, TYPE_TENSOR, TYPE_LIST, TYPE_TUPLE } TypeKind;
typedef struct TypeExpr {
  TypeKind kind;
  Span span;
  Name name;             // PLAIN: int float bool str … (also a lone name); TENSOR: the element type
  ExprList dims;         // TENSOR: one expression a dimension, EXPR_ELLIPSIS for `...`
  struct TypeExpr *item; // LIST
  TypeList items;        // TUPLE
} TypeExpr;

typedef enum ExprKind {
  EXPR_INT,      // integer
  EXPR_FLOAT,    // real
  EXPR_BOOL,     // integer 0 or 1
  EXPR_STR,      // name.text: the bytes after escapes
  EXPR_NAME,     // name
  EXPR_LIST,     // items
  EXPR_TUPLE,    // items, two or more
  EXPR_UNARY,    // op, left
  EXPR_BINARY,   // op, left, right
  EXPR_CALL,     // left: the callee; args
  EXPR_PIPE,     // left |> right; right is EXPR_CALL, or EXPR_NAME/EXPR_FIELD for a bare layer
  EXPR_INDEX,    // left[items]; an item may be EXPR_SLICE or EXPR_ELLIPSIS
  EXPR_SLICE,    // left:right:third, each NULL where left out
  EXPR_ELLIPSIS, // ...
  EXPR_FIELD,    // left.name
  EXPR_RANGE,    // left..right
  EXPR_IF,    // left: the condition; then_block, else_block (NULL without `else`; `else if` is a block of one EXPR_IF)
  EXPR_SCAN,  // scan
  EXPR_WHILE, // scan: condition, carried, limit, body
  EXPR_MAP,   // args: pattern: value, … as in ["head.*": adam(1e-3), "*": adam(1e-4)]
  EXPR_ERROR  // stands where the parser recovered; an error has been reported
} ExprKind;

typedef enum ExprOp {
  OPER_ADD,
  OPER_SUB,
  OPER_MUL,
  OPER_DIV,
  OPER_FLOORDIV,
  OPER_MOD,
  OPER_POW,
  OPER_MATMUL,
  OPER_EQ,
  OPER_NE,
  OPER_LT,
  OPER_LE,
  OPER_GT,
  OPER_GE,
  OPER_AND,
  OPER_OR,
  OPER_NEG,
  OPER_NOT
} ExprOp;
const char *expr_op_text(ExprOp op); // "+", "//", "and", …

typedef struct Arg {
  Name name;   // name.text NULL for a positional argument
  Expr *value; // EXPR_SLICE never; a setting's value may be any expression
} Arg;
typedef VEC(Arg) ArgList;

// scan xt in x along -2 with h = a, c = b { … }; the input and the axis may be absent
typedef struct Scan {
  Name item;          // text NULL without an input
  Expr *input, *axis; // input may be EXPR_RANGE
  ArgList carried;
  ArgList options;         // reverse: true
  Expr *condition, *limit; // of `while condition with … up to limit { … }`, else NULL
  Block *body;
} Scan;

struct Expr {
  ExprKind kind;
  ExprOp op;
  Span span;
  Span op_span; // BINARY, UNARY, PIPE: the operator itself
  int64_t integer;
  double real;
  Name name;
  Expr *left, *right, *third;
  ExprList items;
  ArgList args;
  Block *then_block, *else_block;
  Scan *scan;
  int height; // of the tree below; at most 1,000, so that recursion over the tree is safe
};

typedef enum StmtKind {
  STMT_EXPR,     // value
  STMT_ASSIGN,   // target = value   (target: EXPR_NAME or EXPR_TUPLE of names, checked by elaborate)
  STMT_UPDATE,   // target := value  (target: EXPR_NAME or EXPR_FIELD, checked by elaborate)
  STMT_PARAM,    // name, type, value: the initialiser, NULL where left out
  STMT_STATE,    // the same
  STMT_FOR,      // name, value: EXPR_RANGE or a list, body
  STMT_RETURN,   // value
  STMT_YIELD,    // value
  STMT_MINIMIZE, // value over over_expr using using_expr (either NULL where left out)
  STMT_REPORT,   // args: name: value, …
  STMT_EXPECT,   // value
  STMT_EVERY,    // every value { body }
  STMT_REPEAT,   // repeat value { body }
  STMT_INSPECT,  // value
  STMT_ERROR
} StmtKind;

struct Stmt {
  StmtKind kind;
  Span span;
  Name name;
  TypeExpr *type;
  Expr *target, *value, *over_expr, *using_expr;
  ArgList args;
  Block *body;
  int height;
};

struct Block {
  Span span;
  StmtList stmts;
  int height;
};

// One formal parameter of a layer or model: `x: f32[..., n]`, `bias: bool = true`, `init = glorot_uniform`.
typedef struct Formal {
  Name name;
  TypeExpr *type; // NULL where left out
  Expr *standard; // the default; NULL where there is none
} Formal;
typedef VEC(Formal) FormalList;
typedef VEC(Name) NameList;

typedef enum DeclKind {
  DECL_CONST,  // name, value
  DECL_IMPORT, // value: EXPR_STR
  DECL_LAYER,  // name, formals, result (NULL where left out), body
  DECL_MODEL,  // the same
  DECL_DATA,   // name, value: calls joined by pipes
  DECL_TRAIN,  // name (text NULL if unnamed), settings, step, eval
  DECL_TEST,   // name: the string, body
  DECL_RUN,    // name (text NULL if unnamed), body
  DECL_ERROR
} DeclKind;

// step (x, y) { … } and eval (x, y) { … }
typedef struct StepBlock {
  Span span;
  NameList inputs;
  Block *body;
} StepBlock;

struct Decl {
  DeclKind kind;
  Span span;
  Name name;
  FormalList formals;
  TypeExpr *result;
  Expr *value;
  Block *body;
  ArgList settings;
  StepBlock *step, *eval;
};

typedef struct File {
  const Source *source;
  VEC(Decl *) decls;
} File;

// Parses a whole file; errors go to `diag`, and what could be read is returned all the same (never NULL).
File *parse_file(Arena *arena, Diag *diag, const Source *source);
// Parses one expression, as after `--set name=`. NULL after an error.
Expr *parse_expr(Arena *arena, Diag *diag, const Source *source);

// The tree as text, two spaces a level, for `nnc emit ast` and golden files.
void ast_print(Text *out, const File *file);
// The same with line:column behind every node.
void ast_print_with_places(Text *out, const File *file);
// An expression as one line of .nn text, for messages.
void expr_print(Text *out, const Expr *expr);
void type_expr_print(Text *out, const TypeExpr *type);

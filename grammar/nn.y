/* The grammar of .nn: tokens to tree. Pure and reentrant, LALR(1) without a conflict.
   Soft words (data, step, over, …) are tokens of their own that `name` takes as well: no two operands ever stand side
   by side, so one token of lookahead tells a word's role. Errors recover at the next statement, setting or declaration:
   complain.c moves the token list there. All nodes come from the arena, so no symbol needs a destructor. */
%define api.pure full
%define api.prefix {nn_}
%define api.token.prefix {T_}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%define lr.default-reduction consistent
%locations
%param {Parse *parse}
%expect 0
%initial-action { (void)yynerrs; }

%code requires {
#include "syntax/parse.h"
}

%union {
  int64_t integer;
  double real;
  const char *text;
  Name name;
  NameList names;
  Expr *expr;
  ExprList exprs;
  Arg arg;
  ArgList args;
  ScanHead head;
  Block *block;
  Stmt *stmt;
  StmtList stmts;
  TypeExpr *type;
  TypeList types;
  Formal formal;
  FormalList formals;
  Decl *decl;
  StepBlock *step;
}

%code provides {
// The next token of parse->tokens.
int nn_lex(NN_STYPE *value, Span *span, Parse *parse);
}

%code {
#include <string.h>

#define YYLLOC_DEFAULT(Current, Rhs, N)                                                        \
  do {                                                                                         \
    if (N) {                                                                                   \
      (Current) = span_join(YYRHSLOC(Rhs, 1), YYRHSLOC(Rhs, N));                               \
    } else {                                                                                   \
      (Current) = YYRHSLOC(Rhs, 0);                                                            \
      (Current).line = (Current).end_line;                                                     \
      (Current).column = (Current).end_column;                                                 \
    }                                                                                          \
  } while (0)
#define ADD(list, item) vec_push(parse->arena, &(list), item)

static void nn_error(const Span *span, Parse *parse, const char *message);
}

/* Never scanned. It keeps the state behind `error` from reducing before the token list has reached the statement's end,
   while a `}` still reduces its block at once: recovery then never lands inside a block that was closed. */
%token NEVER "nothing"
%token START_FILE "a file" START_EXPR "an expression"
%token EOF 0 "the end of the file"
%token SEP "the end of the line"
%token <integer> INT "a number"
%token <real> FLOAT "a real number"
%token <text> STRING "a string"
%token <text> NAME "a name"
%token <text> CONST "`const`" IMPORT "`import`" IF "`if`" ELSE "`else`" FOR "`for`" IN "`in`" SCAN "`scan`"
%token <text> WITH "`with`" YIELD "`yield`" MINIMIZE "`minimize`" EXPECT "`expect`" RETURN "`return`"
%token <text> AND "`and`" OR "`or`" NOT "`not`" TRUE "`true`" FALSE "`false`"
%token <text> DATA "`data`" LAYER "`layer`" MODEL "`model`" TRAIN "`train`" TEST "`test`" RUN "`run`"
%token <text> PARAM "`param`" STATE "`state`" STEP "`step`" EVAL "`eval`"
%token <text> OVER "`over`" USING "`using`" ALONG "`along`" REPORT "`report`"
%token <text> LIST "`list`" UP "`up to`" TO "`to`"
%token <text> EVERY "`every`" REPEAT "`repeat`" INSPECT "`inspect`" WHILE "`while`"
%token PIPE "`|>`" POW "`**`" FLOORDIV "`//`" UPDATE "`:=`" EQ "`==`" NE "`!=`" LE "`<=`" GE "`>=`" ARROW "`->`"
%token RANGE "`..`" ELLIPSIS "`...`"

%left OR
%left AND
%precedence NOT
%nonassoc EQ NE '<' LE '>' GE
%nonassoc RANGE
%left '+' '-'
%left '*' '/' FLOORDIV '%' '@'
%precedence NEGATION
%right POW

%type <name> name plain_name
%type <names> step_inputs names
%type <expr> expr pipe arith postfix primary if_expr scan_expr while_expr index_item opt_expr setting_value using_value
%type <expr> scan_axis
%type <exprs> dims dim_list index_items
%type <expr> dim
%type <exprs> tuple_items
%type <arg> arg list_item report_item map_pair
%type <args> args arg_list list_items report_items map_pairs
%type <head> scan_head scan_options with_items while_head
%type <block> block else_part
%type <stmt> stmt opt_stmt
%type <stmts> body
%type <type> type opt_result
%type <types> type_list
%type <formal> formal
%type <formals> formals formal_list
%type <decl> decl
%type <step> step_block
%type <text> binary_operator

%start start

%%

start:
  START_FILE file
| START_EXPR expr opt_seps        { parse->expr = $2; }
;

opt_seps:
  %empty
| opt_seps SEP
;

/* ---- declarations ---- */

file:
  opt_decl
| file SEP opt_decl
;

opt_decl:
  %empty
| decl                            { if ($1) vec_push(parse->arena, &parse->file->decls, $1); }
| error                           { yyerrok; }
| error NEVER
;

decl:
  CONST name '=' expr             { $$ = make_decl(parse, DECL_CONST, @$, $2); $$->value = $4; }
| IMPORT STRING                   {
    $$ = make_decl(parse, DECL_IMPORT, @$, (Name){0});
    $$->value = make_string(parse, @2, $2);
  }
| DATA name '=' expr              { $$ = make_decl(parse, DECL_DATA, @$, $2); $$->value = $4; }
| LAYER name '(' formals ')' opt_result block { $$ = make_layer(parse, DECL_LAYER, @$, $2, $4, $6, $7); }
| MODEL name '(' formals ')' opt_result block { $$ = make_layer(parse, DECL_MODEL, @$, $2, $4, $6, $7); }
| TEST STRING block               { $$ = make_decl(parse, DECL_TEST, @$, (Name){$2, @2}); $$->body = $3; }
| RUN block                       { $$ = make_decl(parse, DECL_RUN, @$, (Name){0}); $$->body = $2; }
| RUN name block                  { $$ = make_decl(parse, DECL_RUN, @$, $2); $$->body = $3; }
| train_head '{' settings '}'     { $$ = parse->train; $$->span = @$; }
;

train_head:
  TRAIN                           { parse->train = make_decl(parse, DECL_TRAIN, @$, (Name){0}); }
| TRAIN name                      { parse->train = make_decl(parse, DECL_TRAIN, @$, $2); }
;

formals:
  %empty                          { $$ = (FormalList){0}; }
| formal_list opt_comma           { $$ = $1; }
;

formal_list:
  formal                          { $$ = (FormalList){0}; ADD($$, $1); }
| formal_list ',' formal          { $$ = $1; ADD($$, $3); }
;

formal:
  name                            { $$ = (Formal){.name = $1}; }
| name ':' type                   { $$ = (Formal){.name = $1, .type = $3}; }
| name ':' type '=' expr          { $$ = (Formal){.name = $1, .type = $3, .standard = $5}; }
| name '=' expr                   { $$ = (Formal){.name = $1, .standard = $3}; }
;

opt_result:
  %empty                          { $$ = NULL; }
| ARROW type                      { $$ = $2; }
;

opt_comma:
  %empty
| ','
;

settings:
  opt_setting
| settings SEP opt_setting
;

opt_setting:
  %empty
| name ':' setting_value          { ADD(parse->train->settings, ((Arg){$1, $3})); }
| name '=' setting_value          { ADD(parse->train->settings, make_slipped_arg(parse, $1, @2, $3, "a setting")); }
| STEP step_block                 { $2->span = @$; add_step(parse, &parse->train->step, $2, "step"); }
| EVAL step_block                 { $2->span = @$; add_step(parse, &parse->train->eval, $2, "eval"); }
| error                           { yyerrok; }
| error NEVER
;

setting_value:
  expr
| '{' map_pairs '}'               { $$ = make_map(parse, @$, $2); }
;

step_block:
  step_inputs block               { $$ = make_step(parse, @$, $1, $2); }
;

step_inputs:
  %empty                          { $$ = (NameList){0}; }
| '(' ')'                         { $$ = (NameList){0}; }
| '(' names opt_comma ')'         { $$ = $2; }
;

names:
  name                            { $$ = (NameList){0}; ADD($$, $1); }
| names ',' name                  { $$ = $1; ADD($$, $3); }
;

/* ---- types ---- */

type:
  plain_name                      { $$ = make_type(parse, TYPE_PLAIN, @$, $1, (ExprList){0}); }
| plain_name '[' dims ']'         { $$ = make_type(parse, TYPE_TENSOR, @$, $1, $3); }
| LIST                            { $$ = make_type(parse, TYPE_PLAIN, @$, (Name){$1, @1}, (ExprList){0}); }
| LIST '[' type ']'               { $$ = make_list_type(parse, @$, $3); }
| '(' type_list opt_comma ')'     { $$ = make_tuple_type(parse, @$, $2); }
;

type_list:
  type                            { $$ = (TypeList){0}; ADD($$, $1); }
| type_list ',' type              { $$ = $1; ADD($$, $3); }
;

dims:
  %empty                          { $$ = (ExprList){0}; }
| dim_list opt_comma              { $$ = $1; }
;

dim_list:
  dim                             { $$ = (ExprList){0}; ADD($$, $1); }
| dim_list ',' dim                { $$ = $1; ADD($$, $3); }
;

dim:
  expr
| ELLIPSIS                        { $$ = make_ellipsis(parse, @$); }
;

/* ---- statements ---- */

block:
  '{' body '}'                    { $$ = make_block(parse, @$, $2); }
;

body:
  opt_stmt                        { $$ = (StmtList){0}; if ($1) ADD($$, $1); }
| body SEP opt_stmt               { $$ = $1; if ($3) ADD($$, $3); }
;

opt_stmt:
  %empty                          { $$ = NULL; }
| stmt
| error                           { $$ = make_stmt(parse, STMT_ERROR, @$, NULL); yyerrok; }
| error NEVER                     { $$ = NULL; }
;

stmt:
  expr                            { $$ = make_stmt(parse, STMT_EXPR, @$, $1); }
| expr '=' expr                   { $$ = make_assign(parse, STMT_ASSIGN, @$, $1, $3); }
| expr UPDATE expr                { $$ = make_assign(parse, STMT_UPDATE, @$, $1, $3); }
| PARAM name ':' type             { $$ = make_slot(parse, STMT_PARAM, @$, $2, $4, NULL); }
| PARAM name ':' type '=' expr    { $$ = make_slot(parse, STMT_PARAM, @$, $2, $4, $6); }
| STATE name ':' type             { $$ = make_slot(parse, STMT_STATE, @$, $2, $4, NULL); }
| STATE name ':' type '=' expr    { $$ = make_slot(parse, STMT_STATE, @$, $2, $4, $6); }
| FOR name IN expr block          { $$ = make_for(parse, @$, $2, $4, $5); }
| RETURN expr                     { $$ = make_stmt(parse, STMT_RETURN, @$, $2); }
| YIELD expr                      { $$ = make_stmt(parse, STMT_YIELD, @$, $2); }
| MINIMIZE expr                   { $$ = make_minimize(parse, @$, $2, NULL, NULL); }
| MINIMIZE expr OVER expr         { $$ = make_minimize(parse, @$, $2, $4, NULL); }
| MINIMIZE expr USING using_value { $$ = make_minimize(parse, @$, $2, NULL, $4); }
| MINIMIZE expr OVER expr USING using_value { $$ = make_minimize(parse, @$, $2, $4, $6); }
| REPORT report_items             { $$ = make_report(parse, @$, $2); }
| EXPECT expr                     { $$ = make_stmt(parse, STMT_EXPECT, @$, $2); }
| EVERY expr block                { $$ = make_counted(parse, STMT_EVERY, @$, $2, $3); }
| REPEAT expr block               { $$ = make_counted(parse, STMT_REPEAT, @$, $2, $3); }
| INSPECT expr                    { $$ = make_stmt(parse, STMT_INSPECT, @$, $2); }
;

using_value:
  expr
| '{' map_pairs '}'               { $$ = make_map(parse, @$, $2); }
;

report_items:
  report_item                     { $$ = (ArgList){0}; ADD($$, $1); }
| report_items ',' report_item    { $$ = $1; ADD($$, $3); }
;

report_item:
  name ':' expr                   { $$ = (Arg){$1, $3}; }
| name '=' expr                   { $$ = make_slipped_arg(parse, $1, @2, $3, "a report"); }
;

/* ---- expressions, loosest first ---- */

expr:
  pipe
;

pipe:
  arith
| pipe PIPE postfix               { $$ = make_pipe(parse, $1, @2, $3); }
| pipe PIPE postfix binary_operator arith { $$ = make_pipe_slip(parse, make_pipe(parse, $1, @2, $3), $4, @4, $5); }
;

binary_operator:
  OR        { $$ = "or"; }
| AND       { $$ = "and"; }
| EQ        { $$ = "=="; }
| NE        { $$ = "!="; }
| '<'       { $$ = "<"; }
| LE        { $$ = "<="; }
| '>'       { $$ = ">"; }
| GE        { $$ = ">="; }
| RANGE     { $$ = ".."; }
| '+'       { $$ = "+"; }
| '-'       { $$ = "-"; }
| '*'       { $$ = "*"; }
| '/'       { $$ = "/"; }
| FLOORDIV  { $$ = "//"; }
| '%'       { $$ = "%"; }
| '@'       { $$ = "@"; }
| POW       { $$ = "**"; }
;

arith:
  postfix
| if_expr
| scan_expr
| while_expr
| arith OR arith                  { $$ = make_binary(parse, OPER_OR, $1, @2, $3); }
| arith AND arith                 { $$ = make_binary(parse, OPER_AND, $1, @2, $3); }
| NOT arith                       { $$ = make_unary(parse, OPER_NOT, @1, $2); }
| arith EQ arith                  { $$ = make_binary(parse, OPER_EQ, $1, @2, $3); }
| arith NE arith                  { $$ = make_binary(parse, OPER_NE, $1, @2, $3); }
| arith '<' arith                 { $$ = make_binary(parse, OPER_LT, $1, @2, $3); }
| arith LE arith                  { $$ = make_binary(parse, OPER_LE, $1, @2, $3); }
| arith '>' arith                 { $$ = make_binary(parse, OPER_GT, $1, @2, $3); }
| arith GE arith                  { $$ = make_binary(parse, OPER_GE, $1, @2, $3); }
| arith RANGE arith               { $$ = make_range(parse, $1, @2, $3); }
| arith '+' arith                 { $$ = make_binary(parse, OPER_ADD, $1, @2, $3); }
| arith '-' arith                 { $$ = make_binary(parse, OPER_SUB, $1, @2, $3); }
| arith '*' arith                 { $$ = make_binary(parse, OPER_MUL, $1, @2, $3); }
| arith '/' arith                 { $$ = make_binary(parse, OPER_DIV, $1, @2, $3); }
| arith FLOORDIV arith            { $$ = make_binary(parse, OPER_FLOORDIV, $1, @2, $3); }
| arith '%' arith                 { $$ = make_binary(parse, OPER_MOD, $1, @2, $3); }
| arith '@' arith                 { $$ = make_binary(parse, OPER_MATMUL, $1, @2, $3); }
| '-' arith %prec NEGATION        { $$ = make_unary(parse, OPER_NEG, @1, $2); }
| arith POW arith                 { $$ = make_binary(parse, OPER_POW, $1, @2, $3); }
;

if_expr:
  IF expr block                   { $$ = make_if(parse, @$, $2, $3, NULL); }
| IF expr block ELSE else_part    { $$ = make_if(parse, @$, $2, $3, $5); }
;

else_part:
  block
| if_expr                         { $$ = make_else_if(parse, $1); }
;

scan_expr:
  SCAN name IN expr scan_axis scan_head block { $$ = make_scan(parse, @$, $2, $4, $5, $6, $7); }
| SCAN WITH with_items block      { $$ = make_scan(parse, @$, (Name){0}, NULL, NULL, $3, $4); }
;

scan_axis:
  %empty                          { $$ = NULL; }
| ALONG expr                      { $$ = $2; }
;

scan_head:
  scan_options
| scan_options WITH with_items    {
    $$ = $3;
    for (int i = 0; i < $1.options.count; i++)
      ADD($$.options, $1.options.data[i]);
  }
;

scan_options:
  %empty                          { $$ = (ScanHead){0}; }
| scan_options ',' name ':' expr  { $$ = $1; ADD($$.options, ((Arg){$3, $5})); }
;

with_items:
  name '=' expr                   { $$ = (ScanHead){0}; ADD($$.carried, ((Arg){$1, $3})); }
| with_items ',' name '=' expr    { $$ = $1; ADD($$.carried, ((Arg){$3, $5})); }
| with_items ',' name ':' expr    { $$ = $1; ADD($$.options, ((Arg){$3, $5})); }
;

while_expr:
  WHILE expr while_head UP TO expr block { $$ = make_while(parse, @$, $2, $3, $6, $7); }
;

while_head:
  %empty                          { $$ = (ScanHead){0}; }
| WITH with_items                 { $$ = $2; }
;

postfix:
  primary
| postfix '(' args ')'            { $$ = make_call(parse, @$, $1, $3); }
| postfix '[' index_items opt_comma ']' { $$ = make_index(parse, @$, $1, $3); }
| postfix '.' name                { $$ = make_field(parse, @$, $1, $3); }
;

primary:
  name                            { $$ = make_name(parse, $1); }
| INT                             { $$ = make_int(parse, @$, $1); }
| FLOAT                           { $$ = make_float(parse, @$, $1); }
| STRING                          { $$ = make_string(parse, @$, $1); }
| TRUE                            { $$ = make_bool(parse, @$, true); }
| FALSE                           { $$ = make_bool(parse, @$, false); }
| '(' expr ')'                    { $$ = $2; $$->span = @$; }
| '(' tuple_items opt_comma ')'   { $$ = make_tuple(parse, @$, $2); }
| '(' expr ',' ')'                { $$ = make_short_tuple(parse, @$, $2); }
| '[' ']'                         { $$ = make_list(parse, @$, (ExprList){0}); }
| '[' list_items opt_comma ']'    { $$ = make_list_or_map(parse, @$, $2); }
;

tuple_items:
  expr ',' expr                   { $$ = (ExprList){0}; ADD($$, $1); ADD($$, $3); }
| tuple_items ',' expr            { $$ = $1; ADD($$, $3); }
;

list_items:
  list_item                       { $$ = (ArgList){0}; ADD($$, $1); }
| list_items ',' list_item        { $$ = $1; ADD($$, $3); }
;

list_item:
  expr                            { $$ = (Arg){.value = $1}; }
| ELLIPSIS                        { $$ = (Arg){.value = make_ellipsis(parse, @$)}; }
| expr ':' expr                   { $$ = make_pair(parse, $1, $3); }
;

map_pairs:
  opt_seps map_pair               { $$ = (ArgList){0}; ADD($$, $2); }
| map_pairs SEP                   { $$ = $1; }
| map_pairs ','                   { $$ = $1; }
| map_pairs SEP map_pair          { $$ = $1; ADD($$, $3); }
| map_pairs ',' map_pair          { $$ = $1; ADD($$, $3); }
;

map_pair:
  expr ':' expr                   { $$ = make_pair(parse, $1, $3); }
;

args:
  %empty                          { $$ = (ArgList){0}; }
| arg_list opt_comma              { $$ = $1; }
;

arg_list:
  arg                             { $$ = (ArgList){0}; ADD($$, $1); }
| arg_list ',' arg                { $$ = $1; ADD($$, $3); }
;

arg:
  expr                            { $$ = (Arg){.value = $1}; }
| name ':' expr                   { $$ = (Arg){$1, $3}; }
| name '=' expr                   { $$ = make_slipped_arg(parse, $1, @2, $3, "a named argument"); }
;

index_items:
  index_item                      { $$ = (ExprList){0}; ADD($$, $1); }
| index_items ',' index_item      { $$ = $1; ADD($$, $3); }
;

index_item:
  expr
| ELLIPSIS                        { $$ = make_ellipsis(parse, @$); }
| opt_expr ':' opt_expr           { $$ = make_slice(parse, @$, $1, $3, NULL); }
| opt_expr ':' opt_expr ':' opt_expr { $$ = make_slice(parse, @$, $1, $3, $5); }
;

opt_expr:
  %empty                          { $$ = NULL; }
| expr
;

name:
  plain_name
| LIST                            { $$ = (Name){$1, @$}; }
;

plain_name:
  NAME                            { $$ = (Name){$1, @$}; }
| DATA                            { $$ = (Name){$1, @$}; }
| LAYER                           { $$ = (Name){$1, @$}; }
| MODEL                           { $$ = (Name){$1, @$}; }
| TRAIN                           { $$ = (Name){$1, @$}; }
| TEST                            { $$ = (Name){$1, @$}; }
| RUN                             { $$ = (Name){$1, @$}; }
| PARAM                           { $$ = (Name){$1, @$}; }
| STATE                           { $$ = (Name){$1, @$}; }
| STEP                            { $$ = (Name){$1, @$}; }
| EVAL                            { $$ = (Name){$1, @$}; }
| OVER                            { $$ = (Name){$1, @$}; }
| USING                           { $$ = (Name){$1, @$}; }
| ALONG                           { $$ = (Name){$1, @$}; }
| REPORT                          { $$ = (Name){$1, @$}; }
| UP                              { $$ = (Name){$1, @$}; }
| TO                              { $$ = (Name){$1, @$}; }
;

%%

static bool is_operator(yysymbol_kind_t kind) {
  if (kind == YYSYMBOL_UPDATE || kind == YYSYMBOL_ARROW)
    return false;
  return kind == YYSYMBOL_AND || kind == YYSYMBOL_OR || (kind >= YYSYMBOL_PIPE && kind <= YYSYMBOL_RANGE);
}

/* What could stand at the place of an error, reduced to what a person wants to read: operators that could go on an
   operand, words that could begin an expression and soft words where a name fits are not worth listing. */
static int yyreport_syntax_error(const yypcontext_t *context, Parse *parse) {
  yysymbol_kind_t kinds[YYNTOKENS];
  int count = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
  if (count < 0)
    return count;
  bool seen[YYNTOKENS] = {false};
  for (int i = 0; i < count; i++)
    seen[kinds[i]] = true;
  Expected expected = {
      .declaration = seen[YYSYMBOL_IMPORT],
      .statement = seen[YYSYMBOL_RETURN],
      .expression = seen[YYSYMBOL_INT],
      .name = seen[YYSYMBOL_NAME] && !seen[YYSYMBOL_INT],
      .separator = seen[YYSYMBOL_SEP] || seen[YYSYMBOL_YYEOF],
      .complete = seen[YYSYMBOL_PIPE],
  };
  for (int i = 0; i < count; i++) {
    const char *name = yysymbol_name(kinds[i]);
    bool quoted = name[0] == '\'';
    bool sign = quoted ? strchr("+-*/%@<>([.", name[1]) != NULL : is_operator(kinds[i]);
    bool word = kinds[i] >= YYSYMBOL_INT && kinds[i] <= YYSYMBOL_WHILE;
    if (kinds[i] == YYSYMBOL_SEP || kinds[i] == YYSYMBOL_YYEOF || kinds[i] == YYSYMBOL_NAME ||
        (expected.complete && sign) || (expected.expression && (word || sign)) ||
        (expected.name && word && kinds[i] != YYSYMBOL_STRING))
      continue;
    if (expected.count < (int)(sizeof expected.symbols / sizeof *expected.symbols))
      expected.symbols[expected.count++] = quoted ? arena_printf(parse->arena, "`%c`", name[1]) : name;
  }
  complain_syntax(parse, *yypcontext_location(context), &expected);
  return 0;
}

/* Called only when the parser's own stack is full. */
static void nn_error(const Span *span, Parse *parse, const char *message) {
  (void)message;
  if (!parse->cut)
    diag_error(parse->diag, *span, "this is nested too deeply");
}

// The way into the parser: text to tokens to tree, and the token list handed to the grammar one by one.
// After a syntax error complain.c moves the list on to the end of the statement, where the grammar's `error` rules take
// up again.
#include "syntax/parse.h"
#include "nn.tab.h"

int nn_lex(NN_STYPE *value, Span *span, Parse *parse) {
  if (parse->start) {
    int start = parse->start;
    parse->start = 0;
    *span = (Span){parse->source, 1, 1, 1, 1};
    return start;
  }
  int last = parse->tokens.count - 1;
  const Token *token = &parse->tokens.data[parse->next < last ? parse->next : last];
  parse->next++;
  *span = token->span;
  if (token->kind == T_INT)
    value->integer = token->integer;
  else if (token->kind == T_FLOAT)
    value->real = token->real;
  else
    value->text = token->text;
  return token->kind;
}

static Parse parse_new(Arena *arena, Diag *diag, const Source *source, int start) {
  Parse parse = {.arena = arena, .diag = diag, .source = source, .start = start};
  parse.file = arena_new_of(arena, File);
  parse.file->source = source;
  tokens_read(&parse);
  return parse;
}

File *parse_file(Arena *arena, Diag *diag, const Source *source) {
  Parse parse = parse_new(arena, diag, source, T_START_FILE);
  nn_parse(&parse);
  return parse.file;
}

Expr *parse_expr(Arena *arena, Diag *diag, const Source *source) {
  int before = diag_errors(diag);
  Parse parse = parse_new(arena, diag, source, T_START_EXPR);
  if (nn_parse(&parse) != 0 || diag_errors(diag) > before)
    return NULL;
  return parse.expr;
}

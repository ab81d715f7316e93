// From text to the token list that the grammar reads, in three steps: scan, pair brackets, lay out.
// Gives a list in which every `{` has its `}`, T_SEP (a newline until then) stands exactly where a statement ends, and
// every, repeat, inspect and while are keywords only where they act as such. An opener without a closer stays and ends
// at the line, so that the parser reports it where it is missed and the next line is read as usual.
#include <string.h>

#include "nn.lex.h"
#include "nn.tab.h"
#include "syntax/parse.h"

const char *token_text(const Parse *parse, const Token *token) {
  int length;
  const char *line = source_line(parse->source, token->span.line, &length);
  int from = token->span.column - 1, to = token->span.end_column - 1;
  if (from >= length || to > length || to <= from)
    return NULL;
  return arena_strndup(parse->arena, line + from, (size_t)(to - from));
}

bool utf8_valid(const char *text, size_t length, size_t *bad) {
  for (size_t i = 0; i < length;) {
    unsigned char lead = (unsigned char)text[i];
    size_t more = lead < 0x80                   ? 0
                  : lead >= 0xC2 && lead < 0xE0 ? 1
                  : (lead & 0xF0) == 0xE0       ? 2
                  : lead >= 0xF0 && lead < 0xF5 ? 3
                                                : 9;
    *bad = i;
    if (more == 9 || length - i <= more)
      return false;
    for (size_t k = 1; k <= more; k++)
      if (((unsigned char)text[i + k] & 0xC0) != 0x80)
        return false;
    // Overlong forms, surrogates and what lies beyond U+10FFFF (Unicode, table 3-7).
    unsigned char second = more ? (unsigned char)text[i + 1] : 0;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
        (lead == 0xF4 && second > 0x8F))
      return false;
    i += more + 1;
  }
  return true;
}

static void check_utf8(Parse *parse) {
  size_t bad;
  const Source *source = parse->source;
  if (utf8_valid(source->text, source->length, &bad))
    return;
  Span span = {source, 1, 1, 1, 2};
  for (size_t i = 0; i < bad; i++) {
    if (source->text[i] == '\n') {
      span.line++;
      span.column = 0;
    }
    span.column++;
  }
  span.end_line = span.line;
  span.end_column = span.column + 1;
  diag_error(parse->diag, span, "the byte 0x%02X is not valid UTF-8 here", (unsigned)(unsigned char)source->text[bad]);
  diag_hint(parse->diag, "save the file as UTF-8");
}

static TokenList scan_all(Parse *parse) {
  TokenList tokens = {0};
  const Source *source = parse->source;
  size_t skip = source->length >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  size_t length = source->length - skip;
  char *buffer = arena_alloc(parse->arena, length + 2); // flex wants two zero bytes at the end
  memcpy(buffer, source->text + skip, length);
  parse->line = 1;
  parse->column = 1 + (int)skip;
  yyscan_t scanner;
  if (nn_scan_lex_init_extra(parse, &scanner) != 0)
    return tokens;
  nn_scan__scan_buffer(buffer, length + 2, scanner);
  vec_reserve(parse->arena, &tokens, (int)(length < 200000 ? length / 4 : 50000) + 1); // few texts have more
  int line = 0;
  for (;;) {
    NN_STYPE value = {0};
    Token token = {.match = -1, .opener = -1};
    token.kind = nn_scan_lex(&value, &token.span, scanner);
    if (token.kind == T_EOF)
      break;
    token.first = token.span.line != line;
    line = token.span.line;
    if (token.kind == T_INT)
      token.integer = value.integer;
    else if (token.kind == T_FLOAT)
      token.real = value.real;
    else
      token.text = token.kind >= T_STRING && token.kind <= T_WHILE ? value.text : NULL;
    vec_push(parse->arena, &tokens, token);
  }
  nn_scan_lex_destroy(scanner);
  Span end = {source, parse->line, parse->column, parse->line, parse->column};
  vec_push(parse->arena, &tokens, ((Token){.kind = T_EOF, .span = end, .match = -1, .opener = -1, .first = true}));
  return tokens;
}

static bool is_wordlike(int kind) {
  return kind == T_NAME || (kind >= T_DATA && kind <= T_WHILE);
}

static bool is_binary(int kind) {
  switch (kind) {
  case T_PIPE:
  case T_POW:
  case T_FLOORDIV:
  case T_UPDATE:
  case T_EQ:
  case T_NE:
  case T_LE:
  case T_GE:
  case T_RANGE:
  case T_AND:
  case T_OR:
  case '+':
  case '-':
  case '*':
  case '/':
  case '%':
  case '@':
  case '<':
  case '>':
  case '=':
    return true;
  default:
    return false;
  }
}

// A declaration that begins in the first column, at a place where no expression could go on so.
static bool begins_declaration(const TokenList *tokens, int i) {
  const Token *token = &tokens->data[i];
  if (token->kind == T_CONST || token->kind == T_IMPORT)
    return token->span.column == 1;
  if (token->span.column != 1 || i + 1 >= tokens->count)
    return false;
  int next = tokens->data[i + 1].kind;
  switch (token->kind) {
  case T_DATA:
  case T_LAYER:
  case T_MODEL:
    return is_wordlike(next);
  case T_TEST:
    return next == T_STRING;
  case T_TRAIN:
  case T_RUN:
    if (is_wordlike(next))
      return true;
    for (i--; i >= 0 && tokens->data[i].kind == T_SEP;)
      i--;
    return next == '{' && i >= 0 && !is_binary(tokens->data[i].kind) && tokens->data[i].kind != T_NOT &&
           (tokens->data[i].kind < T_CONST || tokens->data[i].kind > T_NOT);
  default:
    return false;
  }
}

static int closer_of(int opener) {
  return opener == '(' ? ')' : opener == '[' ? ']' : '}';
}

typedef struct Pairing {
  Parse *parse;
  TokenList out;
  int open[NESTING_LIMIT], depth; // indices in `out`
} Pairing;

static void push_token(Pairing *pairing, Token token) {
  token.opener = pairing->depth ? pairing->open[pairing->depth - 1] : -1;
  vec_push(pairing->parse->arena, &pairing->out, token);
}

static void pair_with(Pairing *pairing, int level, Token closer) {
  int opener = pairing->open[level];
  push_token(pairing, closer);
  pairing->depth = level;
  pairing->out.data[opener].match = pairing->out.count - 1;
  pairing->out.data[pairing->out.count - 1].match = opener;
}

// Closes all that is open, at a declaration or the end of the file: the innermost block's `}` is reported.
static void close_all(Pairing *pairing, const Token *at) {
  bool told = false;
  while (pairing->depth) {
    const Token *opener = &pairing->out.data[pairing->open[pairing->depth - 1]];
    if (opener->kind == '{') {
      if (!told && !pairing->parse->cut) {
        const char *found = at->kind == T_EOF ? "the end of the file" : "a declaration";
        diag_error(pairing->parse->diag, at->span, "expected `}` to close the block that began at line %d, found %s",
                   opener->span.line, found);
        diag_note(pairing->parse->diag, opener->span, "the block begins here");
        told = true;
      }
      Token closer = {.kind = '}', .span = at->span, .match = -1};
      closer.span.end_line = closer.span.line;
      closer.span.end_column = closer.span.column;
      pair_with(pairing, pairing->depth - 1, closer);
    } else {
      pairing->depth--;
    }
  }
  if (at->kind != T_EOF)
    push_token(pairing, (Token){.kind = T_SEP, .span = at->span, .match = -1});
}

// The level of the opener that `kind` closes; brackets above it stay open without a closer. -1: there is none.
static int level_of(const Pairing *pairing, int kind) {
  for (int level = pairing->depth - 1; level >= 0; level--) {
    int opener = pairing->out.data[pairing->open[level]].kind;
    if (closer_of(opener) == kind)
      return level;
    if (opener == '{')
      return -1;
  }
  return -1;
}

static void close_bracket(Pairing *pairing, Token token) {
  Parse *parse = pairing->parse;
  int level = level_of(pairing, token.kind);
  const Token *top = pairing->depth ? &pairing->out.data[pairing->open[pairing->depth - 1]] : NULL;
  if (level >= 0) {
    pair_with(pairing, level, token);
    return;
  }
  if (top && top->kind != '{' && token.kind != '}' && top->span.line == token.span.line) {
    diag_error(parse->diag, token.span, "`%c` cannot close `%c`", token.kind, top->kind);
    diag_hint(parse->diag, "write `%c`", closer_of(top->kind));
    token.kind = closer_of(top->kind);
    pair_with(pairing, pairing->depth - 1, token);
    return;
  }
  diag_error(parse->diag, token.span, "this `%c` closes nothing", token.kind);
}

static TokenList pair_brackets(Parse *parse, const TokenList *tokens) {
  Pairing pairing = {.parse = parse};
  vec_reserve(parse->arena, &pairing.out, tokens->count);
  for (int i = 0; i < tokens->count; i++) {
    Token token = tokens->data[i];
    if (pairing.depth && (token.kind == T_EOF || begins_declaration(tokens, i)))
      close_all(&pairing, &token);
    if (token.kind == ')' || token.kind == ']' || token.kind == '}') {
      close_bracket(&pairing, token);
      continue;
    }
    push_token(&pairing, token);
    if (token.kind != '(' && token.kind != '[' && token.kind != '{')
      continue;
    if (pairing.depth == NESTING_LIMIT) {
      diag_error(parse->diag, token.span, "brackets are nested more than %d deep", NESTING_LIMIT);
      parse->cut = true;
      pairing.out.count--;
      Token end = tokens->data[tokens->count - 1];
      close_all(&pairing, &end);
      push_token(&pairing, end);
      break;
    }
    pairing.open[pairing.depth++] = pairing.out.count - 1;
  }
  return pairing.out;
}

// An opener without a closer does not count: it ends at its line.
static bool in_parentheses(const TokenList *tokens, int opener) {
  return opener >= 0 && tokens->data[opener].kind != '{' && tokens->data[opener].match >= 0;
}

// A newline between `before` and `after` goes unless it ends a statement. `;` always stays.
static bool newline_counts(const TokenList *tokens, int opener, const Token *before, const Token *after) {
  if (in_parentheses(tokens, opener))
    return false;
  if (!before || before->kind == T_SEP || before->kind == '{' || before->kind == ',' || before->kind == '(' ||
      before->kind == '[' || is_binary(before->kind))
    return false;
  if (after->kind == '}' || after->kind == T_EOF)
    return opener >= 0 && tokens->data[opener].kind != '{';
  if (after->kind == '{' || after->kind == T_ELSE)
    return false;
  return after->kind == '-' || !is_binary(after->kind);
}

// Takes out the newlines that end nothing; `match` and `opener` follow the tokens to their new places.
static void drop_newlines(Parse *parse, const TokenList *tokens) {
  int *place = arena_array(parse->arena, int, tokens->count);
  TokenList *out = &parse->tokens;
  for (int i = 0; i < tokens->count; i++) {
    const Token *token = &tokens->data[i];
    place[i] = out->count;
    if (token->kind == T_SEP) {
      int next = i + 1;
      while (tokens->data[next].kind == T_SEP)
        next++;
      const Token *before = out->count ? &out->data[out->count - 1] : NULL;
      if (!newline_counts(tokens, token->opener, before, &tokens->data[next]))
        continue;
    }
    vec_push(parse->arena, out, *token);
    bool inside =
        token->opener >= 0 && tokens->data[token->opener].kind != '{' && tokens->data[token->opener].match >= 0;
    if (token->kind == ';' && !inside) // in parentheses it stays a character that the grammar does not know
      out->data[out->count - 1].kind = T_SEP;
  }
  for (int i = 0; i < out->count; i++) {
    Token *token = &out->data[i];
    token->match = token->match < 0 ? -1 : place[token->match];
    token->opener = token->opener < 0 ? -1 : place[token->opener];
  }
}

static bool begins_statement(const TokenList *tokens, int i) {
  return i > 0 && (tokens->data[i - 1].kind == T_SEP || tokens->data[i - 1].kind == '{');
}

static bool begins_operand(int kind) {
  return is_wordlike(kind) || kind == T_INT || kind == T_FLOAT || kind == T_STRING || kind == T_TRUE ||
         kind == T_FALSE || kind == T_NOT || kind == T_IF || kind == T_SCAN;
}

// `every 5 {` against a call `every(5)`: with a parenthesis the block behind it decides.
static bool counts_rounds(const TokenList *tokens, int i) {
  const Token *next = &tokens->data[i + 1];
  if (!begins_statement(tokens, i))
    return false;
  if (next->kind == '(' && next->match >= 0)
    return tokens->data[next->match + 1].kind == '{';
  return begins_operand(next->kind);
}

// `inspect x`, also `inspect (x)` if nothing follows.
static bool inspects(const TokenList *tokens, int i) {
  const Token *next = &tokens->data[i + 1];
  if (!begins_statement(tokens, i))
    return false;
  if (next->kind == '(' && next->match >= 0) {
    int after = tokens->data[next->match + 1].kind;
    return after == T_SEP || after == '}';
  }
  return begins_operand(next->kind);
}

// `while c with …` or `while c up to n`: one of them follows before a block begins or the statement ends.
static bool loops(const TokenList *tokens, int i) {
  if (i > 0 && tokens->data[i - 1].kind == '.')
    return false;
  if (begins_operand(tokens->data[i + 1].kind))
    return true;
  if (tokens->data[i + 1].kind != '(' && tokens->data[i + 1].kind != '[' && tokens->data[i + 1].kind != '-')
    return false;
  for (i++; i < tokens->count; i++) {
    const Token *token = &tokens->data[i];
    if (token->kind == T_WITH || (token->kind == T_UP && tokens->data[i + 1].kind == T_TO))
      return true;
    if ((token->kind == '(' || token->kind == '[') && token->match >= 0)
      i = token->match;
    else if (token->kind == T_SEP || token->kind == '{' || token->kind == '}' || token->kind == ')' ||
             token->kind == ']')
      return false;
  }
  return false;
}

static void settle_words(TokenList *tokens) {
  for (int i = 0; i < tokens->count; i++) {
    Token *token = &tokens->data[i];
    bool keyword = true;
    if (token->kind == T_EVERY || token->kind == T_REPEAT)
      keyword = counts_rounds(tokens, i);
    else if (token->kind == T_INSPECT)
      keyword = inspects(tokens, i);
    else if (token->kind == T_WHILE)
      keyword = loops(tokens, i);
    if (!keyword)
      token->kind = T_NAME;
  }
}

void tokens_read(Parse *parse) {
  check_utf8(parse);
  TokenList scanned = scan_all(parse);
  TokenList paired = pair_brackets(parse, &scanned);
  parse->tokens = scanned; // its memory
  parse->tokens.count = 0;
  drop_newlines(parse, &paired);
  settle_words(&parse->tokens);
}

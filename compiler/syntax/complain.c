// The wording of syntax errors: what was expected, what was found, and a hint where the slip is a known one.
// Takes the reduced list of what the grammar could have gone on with; adds one error, then moves the token list on to
// the end of the statement, so that the next one is read as if nothing had happened.
#include <string.h>

#include "nn.tab.h"
#include "syntax/parse.h"

static const Token *token_at(const Parse *parse, int index) {
  if (index < 0)
    return NULL;
  return &parse->tokens.data[index < parse->tokens.count ? index : parse->tokens.count - 1];
}

static int kind_at(const Parse *parse, int index) {
  const Token *token = token_at(parse, index);
  return token ? token->kind : T_SEP;
}

static bool text_is(const Token *token, const char *text) {
  return token && token->text && token->kind != T_STRING && strcmp(token->text, text) == 0;
}

static bool is_reserved(int kind) {
  return kind >= T_CONST && kind <= T_FALSE;
}
static bool is_name(int kind) {
  return kind == T_NAME || (kind >= T_DATA && kind <= T_WHILE);
}
static bool is_comparison(int kind) {
  return kind == '<' || kind == '>' || kind == T_EQ || kind == T_NE || kind == T_LE || kind == T_GE;
}
static bool ends_operand(int kind) {
  return is_name(kind) || kind == T_INT || kind == T_FLOAT || kind == T_STRING || kind == T_TRUE || kind == T_FALSE ||
         kind == ')' || kind == ']' || kind == '}';
}

// Goes from the token at fault to the separator or the `}` that ends its statement, over whole brackets.
static void skip_statement(Parse *parse) {
  int at = parse->next - 1, last = parse->tokens.count - 1;
  while (at < last) {
    const Token *token = &parse->tokens.data[at];
    if (token->kind == T_SEP || token->kind == '}')
      break;
    at = token->match > at ? token->match + 1 : at + 1;
  }
  if (at > parse->next - 1)
    parse->next = at;
}

static const char *found_text(const Parse *parse, const Token *token) {
  if (token->kind == T_EOF)
    return "the end of the file";
  const char *text = token_text(parse, token);
  if (token->kind == T_SEP)
    return text && text[0] == ';' ? "`;`" : "the end of the line";
  if (token->kind == T_STRING)
    return "a string";
  if (!text)
    return token->kind == '}' ? "the end of the block" : "the end of the line";
  return arena_printf(parse->arena, "`%s`", strlen(text) > 40 ? "…" : text);
}

// What an opening bracket opens, in the user's words.
static const char *bracket_text(const Parse *parse, int opener) {
  int kind = kind_at(parse, opener), before = kind_at(parse, opener - 1), earlier = kind_at(parse, opener - 2);
  if (kind == '{')
    return "block";
  if (kind == '(' && is_name(before) && (earlier == T_LAYER || earlier == T_MODEL))
    return "list of inputs";
  if (kind == '(' && (before == T_STEP || before == T_EVAL))
    return "list of inputs";
  bool after_operand = opener > 0 && ends_operand(before);
  if (kind == '(')
    return after_operand ? "call" : "parenthesis";
  return after_operand ? "index" : "list";
}

typedef struct Choices {
  const char *items[32];
  int count;
} Choices;

static void add_choice(Choices *choices, const char *choice) {
  if (choices->count < (int)(sizeof choices->items / sizeof *choices->items))
    choices->items[choices->count++] = choice;
}

static const char *join_choices(Parse *parse, const Choices *choices) {
  Text text = text_new(parse->arena);
  for (int i = 0; i < choices->count; i++) {
    text_add(&text, i == 0 ? "" : i == choices->count - 1 ? " or " : ", ");
    text_add(&text, choices->items[i]);
  }
  return choices->count ? text_string(&text) : "something else";
}

static bool listed(const Expected *expected, const char *symbol) {
  for (int i = 0; i < expected->count; i++)
    if (strcmp(expected->symbols[i], symbol) == 0)
      return true;
  return false;
}

static bool is_closer(const char *symbol) {
  return strcmp(symbol, "`)`") == 0 || strcmp(symbol, "`]`") == 0 || strcmp(symbol, "`}`") == 0;
}

static bool among(const char *symbol, const char *const *list) {
  for (; *list; list++)
    if (strcmp(symbol, *list) == 0)
      return true;
  return false;
}

// Where an operand could end something, what would merely go on in a rare way is not named beside that end.
static bool worth_naming(const Expected *expected, const char *symbol) {
  static const char *const rare[] = {"`=`", "`:=`", "`:`", "`over`", "`using`", "`along`", "`with`", NULL};
  static const char *const joined[] = {"`}`", "`,`", "`else`", NULL};
  bool bracket = listed(expected, "`)`") || listed(expected, "`]`");
  bool end = bracket || (expected->complete && (expected->separator || listed(expected, "`{`")));
  if (expected->statement || expected->declaration || (expected->separator && among(symbol, joined)))
    return false;
  if (strcmp(symbol, "`=`") == 0 && listed(expected, "`:`"))
    return false; // the grammar reads `=` there only to report it
  return !(end && among(symbol, rare));
}

static const char *expected_text(Parse *parse, const Expected *expected, int opener) {
  Choices choices = {.count = 0};
  bool types = expected->name && listed(expected, "`(`") && !listed(expected, "`{`");
  bool line_end = expected->separator && !expected->declaration && !expected->statement && !expected->name;
  if (expected->declaration)
    add_choice(&choices, "a declaration");
  else if (expected->statement)
    add_choice(&choices, "a statement");
  else if (expected->expression)
    add_choice(&choices, "an expression");
  else if (expected->name)
    add_choice(&choices, types ? "a type" : expected->separator ? "a setting" : "a name");
  const char *closer = NULL;
  for (int i = 0; i < expected->count; i++) {
    const char *symbol = expected->symbols[i];
    if (!worth_naming(expected, symbol) || (types && strcmp(symbol, "`(`") == 0))
      continue;
    if (is_closer(symbol))
      closer = symbol;
    else
      add_choice(&choices, symbol);
  }
  if (closer)
    add_choice(&choices, closer);
  if (line_end)
    add_choice(&choices, "the end of the line");
  if (!closer || opener < 0 || line_end)
    return join_choices(parse, &choices);
  return arena_printf(parse->arena, "%s to close the %s that began at line %d", join_choices(parse, &choices),
                      bracket_text(parse, opener), parse->tokens.data[opener].span.line);
}

// Words of other languages: at the place of the error or just before it.
static bool hint_foreign_word(Parse *parse, int at) {
  static const struct {
    const char *word, *hint;
  } words[] = {
      {"elif", "write `else if`"},
      {"elsif", "write `else if`"},
      {"def", "write `layer name(x) { … }` at the top of the file"},
      {"fn", "write `layer name(x) { … }` at the top of the file"},
      {"func", "write `layer name(x) { … }` at the top of the file"},
      {"function", "write `layer name(x) { … }` at the top of the file"},
      {"class", "write `layer name(x) { … }` or `model name(x) { … }`"},
      {"lambda", "name the layer: `layer name(x) { … }`, or bind arguments with `partial`"},
      {"let", "a name is bound by `x = …` alone"},
      {"var", "a name is bound by `x = …` alone"},
      {"auto", "a name is bound by `x = …` alone"},
      {"from", "write `import \"file.nn\"`"},
      {"pass", "an empty block is written `{ }`"},
      {"do", "loops are `for i in 0..n { … }`, `scan` and `while … up to n { … }`"},
      {"switch", "write `if … { … } else if … { … }`"},
      {"is", "compare with `==`"},
      {"print", "`report name: x` in a step shows a value"},
      {"assert", "write `expect …` in a test"},
  };
  for (int k = at; k >= 0 && k >= at - 1; k--)
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
      if (text_is(token_at(parse, k), words[i].word)) {
        diag_hint(parse->diag, "%s", words[i].hint);
        return true;
      }
  return false;
}

static bool hint_comment(Parse *parse, int at) {
  int first = at;
  while (first > 0 && !token_at(parse, first)->first)
    first--;
  int kind = kind_at(parse, first);
  bool slashes = kind == T_FLOORDIV || (kind == '/' && kind_at(parse, first + 1) == '*') ||
                 kind_at(parse, at - 1) == T_FLOORDIV || kind_at(parse, at) == T_FLOORDIV ||
                 (kind_at(parse, at - 1) == '/' && kind_at(parse, at) == '*');
  if (slashes)
    diag_hint(parse->diag, "a comment begins with `#`");
  return slashes;
}

static void hint_declaration(Parse *parse, int at) {
  static const char *const words[] = {"const", "import", "data", "layer", "model", "train", "test", "run"};
  const Token *token = token_at(parse, at);
  if (is_name(token->kind) && kind_at(parse, at + 1) == '=')
    diag_hint(parse->diag, "at the top of a file a name is bound by `const %s = …` or `data %s = …`", token->text,
              token->text);
  else if (is_name(token->kind) && diag_nearest(token->text, words, 8))
    diag_hint(parse->diag, "did you mean `%s`?", diag_nearest(token->text, words, 8));
  else
    diag_hint(parse->diag, "a file is made of const, import, data, layer, model, train, test and run");
}

// Whether the innermost block around `at` holds the settings of a `train`.
static bool in_settings(const Parse *parse, int at) {
  int opener = token_at(parse, at)->opener;
  if (opener < 1 || kind_at(parse, opener) != '{')
    return false;
  return kind_at(parse, opener - 1) == T_TRAIN || kind_at(parse, opener - 2) == T_TRAIN;
}

static bool hint_head(Parse *parse, const Expected *expected, int at) {
  const Token *token = token_at(parse, at), *before = token_at(parse, at - 1);
  int kind = token->kind, last = before ? before->kind : T_SEP, earlier = kind_at(parse, at - 2);
  Diag *diag = parse->diag;
  if (last == T_IMPORT)
    diag_hint(diag, "write the file's name in quotes: import \"blocks.nn\"");
  else if (last == T_TEST && is_name(kind))
    diag_hint(diag, "a test's name stands in quotes: test \"%s\" { … }", token->text);
  else if ((earlier == T_LAYER || earlier == T_MODEL) && is_name(last) && listed(expected, "`(`"))
    diag_hint(diag, "inputs stand in parentheses, `()` if there are none");
  else if ((earlier == T_PARAM || earlier == T_STATE) && is_name(last) && listed(expected, "`:`"))
    diag_hint(diag, "give its type: `%s %s: f32[…] = …`", earlier == T_PARAM ? "param" : "state", before->text);
  else if (earlier == T_REPORT && is_name(last) && listed(expected, "`:`"))
    diag_hint(diag, "a report has a name: `report %s: …`", before->text);
  else if ((earlier == T_CONST || earlier == T_DATA) && kind == ':')
    diag_hint(diag, "write `=`: `%s %s = …`", earlier == T_CONST ? "const" : "data", before->text);
  else if (last == ':' && expected->name &&
           (kind == T_INT || kind == T_FLOAT || kind == T_STRING || kind == T_TRUE || kind == T_FALSE || kind == '['))
    diag_hint(diag, "a default follows `=`; after `:` stands a type such as int, float, bool, str or f32[…]");
  else if (is_name(kind) && !expected->declaration &&
           (last == T_LAYER || last == T_MODEL || last == T_DATA || last == T_TRAIN))
    diag_hint(diag, "declarations stand at the top of the file, outside every block");
  else if ((kind == T_CONST || kind == T_IMPORT) && token->opener < 0)
    diag_hint(diag, "each declaration begins on a line of its own");
  else if (kind == T_CONST || kind == T_IMPORT)
    diag_hint(diag, "`%s` stands at the top of the file, outside every block", token->text);
  else if (last == T_FOR)
    diag_hint(diag, "write `for i in 0..n { … }`");
  else if (listed(expected, "`up to`"))
    diag_hint(diag, "a loop that may stop early has a limit: `while c with h = h0 up to 100 { … }`");
  else
    return false;
  return true;
}

// Whether token `at` begins a line that belongs to the statement above it.
static bool continues_line(const Parse *parse, int at) {
  return at > 0 && token_at(parse, at)->first && kind_at(parse, at - 1) != T_SEP && kind_at(parse, at - 1) != '{';
}

static bool hint_expression(Parse *parse, const Expected *expected, int at) {
  int kind = kind_at(parse, at), last = kind_at(parse, at - 1), earlier = kind_at(parse, at - 2);
  Diag *diag = parse->diag;
  if (kind == T_IF && expected->complete)
    diag_hint(diag, "a choice is written `if c { a } else { b }`");
  else if (kind == T_ELSE)
    diag_hint(diag, "`else` follows the `}` of an `if`, with nothing between");
  else if ((kind == '>' && last == '=') || (kind == '=' && kind_at(parse, at + 1) == '>'))
    diag_hint(diag, "an arrow is written `->`, and a body stands in braces");
  else if (kind == '=' && is_comparison(last))
    diag_hint(diag, "equality is written `==`");
  else if (is_comparison(kind) && expected->complete)
    diag_hint(diag, "comparisons do not chain: write `a < b and b < c`");
  else if (kind == T_RANGE && expected->complete)
    diag_hint(diag, "a range has two ends: `0..n`");
  else if (kind == '=' && expected->complete && !expected->separator)
    diag_hint(diag, "compare with `==`");
  else if (kind == ':' && listed(expected, "`=`") && !expected->complete)
    diag_hint(diag, "a value follows `=`");
  else if (kind == ':' && continues_line(parse, at - 1))
    diag_hint(diag, "the line above ends in an operator or a comma, so that it goes on here");
  else if (kind == ':' && expected->separator && is_name(last))
    diag_hint(diag, "bind a name with `=`: `%s = …`", token_at(parse, at - 1)->text);
  else if (kind == ',' && in_settings(parse, at))
    diag_hint(diag, "settings are separated by ends of lines or `;`");
  else if (kind == ',' && expected->separator)
    diag_hint(diag, "a tuple stands in parentheses: `(a, b)`");
  else if (kind == '+' && expected->expression)
    diag_hint(diag, "there is no `+` before a number");
  else if (kind == ')' && last == '(' && expected->expression)
    diag_hint(diag, "a tuple has two values or more");
  else if (kind == '{' && expected->expression)
    diag_hint(diag, "`{` begins a block; a list stands in `[ ]`");
  else if (kind == T_PIPE && (last == T_SEP || last == '{'))
    diag_hint(diag, "`|>` needs a value on its left");
  else if (kind == T_ELLIPSIS && expected->expression)
    diag_hint(diag, "`...` stands in types, indices and lists of dimensions");
  else if (kind == T_ARROW && expected->complete)
    diag_hint(diag, "`|>` hands a value on: x |> dense(10)");
  else if (kind == ':' && listed(expected, "`{`") && kind_at(parse, at + 1) == T_SEP)
    diag_hint(diag, "a block stands in braces: `{ … }`");
  else if (kind == ':' && listed(expected, "`->`"))
    diag_hint(diag, "the type of the result follows `->`");
  else if (earlier == T_PIPE && is_name(last) && expected->complete)
    diag_hint(diag, "arguments stand in parentheses: `%s(…)`", token_at(parse, at - 1)->text);
  else if (is_name(kind) && in_settings(parse, at) && expected->separator)
    diag_hint(diag, "settings are separated by ends of lines or `;`");
  else if (is_name(kind) && expected->separator && !expected->declaration && kind_at(parse, at + 1) == '=')
    diag_hint(diag, "statements are separated by ends of lines or `;`");
  else if (last == T_PIPE || (last == '(' && earlier == T_PIPE))
    diag_hint(diag, "on the right of `|>` stands a call or the name of a layer");
  else
    return false;
  return true;
}

void complain_syntax(Parse *parse, Span span, const Expected *expected) {
  int at = parse->next - 1;
  const Token *token = token_at(parse, at);
  // Each message looks at its line from the start, so a file of nothing but errors is not worth going through.
  parse->cut = parse->cut || diag_errors(parse->diag) >= ERROR_LIMIT;
  if (!parse->cut) {
    int opener = token->opener;
    if (expected->name && !expected->expression && is_reserved(token->kind))
      diag_error(parse->diag, span, "`%s` is a word of the language and cannot be a name", token->text);
    else
      diag_error(parse->diag, span, "expected %s, found %s", expected_text(parse, expected, opener),
                 found_text(parse, token));
    bool hinted = hint_foreign_word(parse, at) || hint_comment(parse, at) || hint_head(parse, expected, at) ||
                  hint_expression(parse, expected, at);
    if (!hinted && expected->declaration)
      hint_declaration(parse, at);
  }
  skip_statement(parse);
}

// Lines, words, numbers and strings: what reads as what, and every slip of the scanner with its place and hint.
#include "syntax_helper.h"

#include <criterion/criterion.h>

// Both texts must be free of errors and give the same tree.
static void same(const char *text, const char *other) {
  char *first = tree_of(text), *second = tree_of(other);
  cr_expect_eq(strncmp(first, "file", 4), 0, "%s\n%s", text, first);
  cr_expect_str_eq(first, second, "%s\nreads as\n%sbut\n%s\nreads as\n%s", text, first, other, second);
  free(first);
  free(second);
}

static void says(const char *text, const char *messages) {
  char *found = messages_of_file(text);
  cr_expect_str_eq(found, messages, "%s\nsays\n%snot\n%s", text, found, messages);
  free(found);
}

Test(lexical, newlines_end_statements_but_not_inside_brackets) {
  same("layer f(x) {\n a\n b\n}", "layer f(x) { a; b }");
  same("layer f(\n x\n ,\n y\n) {\n f(\n a\n ,\n b\n )\n [\n 1\n ]\n}", "layer f(x, y) { f(a, b); [1] }");
  same("layer f(x) { a;;; b; }", "layer f(x) {\n\n a # comment\n # another\n b\n\n}");
  same("layer f(x) { a }\r\n\r\nlayer g(x) { a\r\n b }", "layer f(x) { a }\nlayer g(x) { a; b }");
}

Test(lexical, newlines_go_after_operators_and_commas_and_before_some_tokens) {
  same("layer f(x) {\n y = a +\n b *\n c\n (p,\n q) = x\n z =\n 1\n}",
       "layer f(x) { y = a + b * c; (p, q) = x; z = 1 }");
  same("layer f(x) {\n a\n |> b\n # why\n\n |> c\n}", "layer f(x) { a |> b |> c }");
}

Test(lexical, a_line_may_begin_with_a_binary_operator_other_than_minus) {
  static const char *const operators[] = {
      "|>", "or", "and", "==", "!=", "<", "<=", ">", ">=", "..", "+", "*", "/", "//", "%", "@", "**", "="};
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    char split[80], joined[80];
    snprintf(split, sizeof split, "layer f(x) {\n a\n %s b\n}", operators[i]);
    snprintf(joined, sizeof joined, "layer f(x) { a %s b }", operators[i]);
    same(split, joined);
  }
  same("layer f(x) {\n a\n - b\n}", "layer f(x) { a; -b }");
  same("layer f(x) {\n a -\n b\n}", "layer f(x) { a - b }");
}

Test(lexical, braces_and_else_join_the_line_before) {
  same("layer f(x)\n{\n if a\n {\n b\n }\n else\n {\n c\n }\n}", "layer f(x) { if a { b } else { c } }");
  same("train\n{\n batch: 3\n\n}", "train { batch: 3 }");
}

Test(lexical, a_block_in_parentheses_has_newlines_again) {
  same("layer f(x) { g(if a {\n y = 1\n y\n }\n else { c }, 2\n ) }",
       "layer f(x) { g(if a { y = 1; y } else { c }, 2) }");
  same("layer f(x) { [scan i in 0..3 {\n h(\n i)\n yield i\n }] }",
       "layer f(x) { [scan i in 0..3 { h(i); yield i }] }");
}

Test(lexical, soft_words_are_names_where_a_name_can_stand) {
  same("layer f(x) { state = cell(x); param = state; data = step |> model(train: eval, to: up) }",
       "layer f(x) {\n state = cell(x)\n param = state\n data = step |> model(train: eval, to: up) }");
  static const char *const words[] = {"data", "layer", "model",  "train",   "test",  "run",      "param",  "state",
                                      "step", "eval",  "over",   "using",   "along", "report",   "list",   "up",
                                      "to",   "every", "repeat", "inspect", "while", "training", "epochs", "batch",
                                      "loss", "int",   "f32",    "reverse", "axis"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    char text[400];
    const char *w = words[i];
    snprintf(text, sizeof text,
             "const %s = 3\ndata %s = d\nlayer %s(%s: int, y = 3) { %s = 1; y = %s + 2 * %s; %s.%s; f(%s: %s)[%s]; %s "
             ":= 1; -%s }\n"
             "train %s { %s: %s; step (%s) { report %s: %s } }",
             w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w);
    char *messages = messages_of_file(text);
    cr_expect_str_eq(messages, "", "%s\n%s", text, messages);
    free(messages);
  }
}

Test(lexical, counted_words_are_keywords_only_before_a_count) {
  same("run { every(5); repeat(x, 3); every = 1 }", "run { every (5)\n repeat (x, 3)\n every = 1 }");
  char *tree = tree_of("run { every 5 { a }; repeat (n + 1) { b }; inspect x; inspect (y) }");
  cr_expect_not_null(strstr(tree, "      every\n        int 5\n        do\n"));
  cr_expect_not_null(strstr(tree, "      repeat\n        binary +\n"));
  cr_expect_not_null(strstr(tree, "      inspect\n        name x\n      inspect\n        name y\n"));
  free(tree);
}

Test(lexical, reserved_words_are_no_names) {
  static const char *const words[] = {"const",    "import", "if",     "else", "for", "in",  "scan", "with", "yield",
                                      "minimize", "expect", "return", "and",  "or",  "not", "true", "false"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    char text[80], expected[120];
    snprintf(text, sizeof text, "layer %s(x) { x }", words[i]);
    snprintf(expected, sizeof expected, "1:7: error: `%s` is a word of the language and cannot be a name\n", words[i]);
    char *found = messages_of_file(text);
    cr_expect_eq(strncmp(found, expected, strlen(expected)), 0, "%s", found);
    free(found);
  }
}

Test(lexical, numbers) {
  same("const a = 0..4", "const a = 0 .. 4");
  same("const a = x[1..2]", "const a = x[1 .. 2]");
  same("const a = [3kB, 1_0MB, 2GB]", "const a = [3000, 10000000, 2000000000]");
  says("const a = 9223372037GB", "1:11: error: this whole number is too large (the largest is 9223372036854775807)\n");
  says("const a = 3KB", "1:11: error: `3KB` is neither a number nor a name\n"
                        "hint: a name begins with a letter or `_`; a product is written with `*`\n");
  says("const a = 2.", "1:11: error: a point needs a digit after it\nhint: write `2.0`, or `2` for a whole number\n");
  says("const a = 2.e5",
       "1:11: error: a point needs a digit after it\nhint: write `2.0e5`, or `2` for a whole number\n");
  says("const a = 9223372036854775808",
       "1:11: error: this whole number is too large (the largest is 9223372036854775807)\n"
       "hint: a real number is written with a point or an exponent, as 1e20\n");
  says("const a = 1e999", "1:11: error: this number is too large (the largest is 1.7976931348623157e308)\n");
  says("const a = 1__0", "1:11: error: `1__0` is neither a number nor a name\n"
                         "hint: `_` stands only between two digits, as in 1_000\n");
  says("const a = 1_", "1:11: error: `1_` is neither a number nor a name\n"
                       "hint: `_` stands only between two digits, as in 1_000\n");
  says("const a = 0x1F", "1:11: error: `0x1F` is neither a number nor a name\nhint: numbers are decimal\n");
  says("const a = 1e",
       "1:11: error: `1e` is neither a number nor a name\nhint: an exponent needs digits, as in 1e-3\n");
  says("const a = 3x", "1:11: error: `3x` is neither a number nor a name\n"
                       "hint: a name begins with a letter or `_`; a product is written with `*`\n");
  says("const a = 007", "1:11: error: a whole number does not begin with 0\nhint: write `7`; numbers are decimal\n");
  says("const a = 00", "1:11: error: a whole number does not begin with 0\nhint: write `0`; numbers are decimal\n");
}

Test(lexical, strings) {
  says("const a = \"abc\nconst b = 3", "1:11: error: this string has no end\n"
                                       "hint: close it with `\"` on the same line; `\\n` stands for a line break\n");
  says("const a = \"abc\\", "1:11: error: this string has no end\n"
                            "hint: close it with `\"` on the same line; `\\n` stands for a line break\n");
  says("const a = 'x'", "1:11: error: strings are written in double quotes\n");
  const char *hint =
      "hint: escapes are those of C but for `\\0`: \\n \\t \\r \\\" \\\\ \\x41 \\u00e9; a backslash is `\\\\`\n";
  static const char *const escapes[] = {"\\q",   "\\0",     "\\000",       "\\x",  "\\x0",
                                        "\\u12", "\\ud800", "\\U00110000", "\\777"};
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
    char text[80], expected[300];
    snprintf(text, sizeof text, "const a = \"ab%s\"", escapes[i]);
    snprintf(expected, sizeof expected, "1:14: error: `%s` is no escape that a string can hold\n%s", escapes[i], hint);
    says(text, expected);
  }
}

Test(lexical, signs_of_other_languages) {
  says("const a = b && c", "1:13: error: `&&` is written `and`\n");
  says("const a = b || !c", "1:13: error: `||` is written `or`\n1:16: error: `!` is written `not`\n");
  says("const a = b ^ 2", "1:13: error: a power is written `**`\n");
  says("run { x += 1 }", "1:9: error: there is no `+=`\n"
                         "hint: write `x = x + …`, or `:=` for a parameter or a state\n");
  says("const a = b $", "1:13: error: `$` cannot stand here\n");
  says("const a = b \\\n + 1",
       "1:13: error: `\\` cannot stand here\n"
       "hint: a line goes on by itself inside brackets, after an operator or a comma, and before `|>`\n");
  says("const a = 3 \xE2\x88\x92 2", "1:13: error: `\xE2\x88\x92` cannot stand here\nhint: write `-`\n");
  says("const a = b \xE2\x89\xA4 2 \xC3\x97 c", "1:13: error: `\xE2\x89\xA4` cannot stand here\nhint: write `<=`\n"
                                                "1:19: error: `\xC3\x97` cannot stand here\nhint: write `*`\n");
  says("const a = \xE2\x80\x9C"
       "b.csv\xE2\x80\x9D",
       "1:11: error: strings are written in `\"`\n");
  says("const a = \xE2\x80\x9C"
       "b",
       "1:11: error: `\xE2\x80\x9C` cannot stand here\nhint: strings are written in `\"`\n");
}

#define NAMES "hint: names are made of the letters a to z and A to Z, digits and `_`\n"
Test(lexical, letters_of_other_alphabets) {
  says("model m(x: f32[2]) {\n  \xC3\xA9 = 3\n  x\n}", "2:3: error: `\xC3\xA9` cannot be a name\n" NAMES);
  says("const na\xC3\xAFve_2 = 3", "1:7: error: `na\xC3\xAFve_2` cannot be a name\n" NAMES);
  says("const a = 2 * \xCE\xB1", "1:15: error: `\xCE\xB1` cannot be a name\n" NAMES);
  says("const \xE5\xB1\x82 = \xF0\x9F\x99\x82 + 1", "1:7: error: `\xE5\xB1\x82` cannot be a name\n" NAMES
                                                    "1:13: error: `\xF0\x9F\x99\x82` cannot be a name\n" NAMES);
  says("const a\xED\xA0\x80 = 1", "1:8: error: the byte 0xED is not valid UTF-8 here\nhint: save the file as UTF-8\n");
}

Test(lexical, bytes_that_are_no_text) {
  says("const a = \"\xC3\x28\"", "1:12: error: the byte 0xC3 is not valid UTF-8 here\nhint: save the file as UTF-8\n");
  says("# \xED\xA0\x80\n", "1:3: error: the byte 0xED is not valid UTF-8 here\nhint: save the file as UTF-8\n");
  says("\n# \xF4\x90\x80\x80\n", "2:3: error: the byte 0xF4 is not valid UTF-8 here\nhint: save the file as UTF-8\n");
  says("# gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80\n\"",
       "2:1: error: this string has no end\n"
       "hint: close it with `\"` on the same line; `\\n` stands for a line break\n"
       "2:1: error: expected a declaration, found a string\n"
       "hint: a file is made of const, import, data, layer, model, train, test and run\n");
  says("\xEF\xBB\xBF"
       "const a = \"\xC3\xA9\"\n",
       "");
  static const char zero[] = "const a = \"b\0c\"\nconst d = 1 \0\n";
  char *found = messages_of_bytes(zero, sizeof zero - 1);
  cr_expect_str_eq(found,
                   "1:13: error: a string cannot hold a zero byte\n2:13: error: a byte of value 0 cannot stand here\n");
  free(found);
}

static char *repeated(const char *head, const char *piece, int count, const char *tail) {
  size_t room = strlen(head) + strlen(piece) * (size_t)count + strlen(tail) + 1;
  char *text = malloc(room), *at = text;
  at += sprintf(at, "%s", head);
  for (int i = 0; i < count; i++)
    at += sprintf(at, "%s", piece);
  sprintf(at, "%s", tail);
  return text;
}

static void one_error(char *text, const char *message) {
  char *found = messages_of_file(text);
  cr_expect_not_null(strstr(found, message), "%.200s", found);
  cr_expect_eq(strchr(found, '\n')[1], '\0', "%.300s", found);
  free(found);
  free(text);
}

Test(lexical, depth_has_a_limit) {
  one_error(repeated("const a = ", "(", 100000, "1"), "1:211: error: brackets are nested more than 200 deep");
  one_error(repeated("layer f(x) { ", "if a { ", 100000, "}"), "brackets are nested more than 200 deep");
  one_error(repeated("const a = 1", " + 1", 5000, ""), "this expression is nested more than 1000 levels deep");
  one_error(repeated("const a = x", ".f", 5000, ""), "this expression is nested more than 1000 levels deep");
  one_error(repeated("const a = ", "-", 50000, "1"), "this is nested too deeply");
  one_error(repeated("run { ", "if a { b } else ", 1500, "{ c } }"),
            "this expression is nested more than 1000 levels deep");
  char *fine = repeated("const a = ", "(", 200, "1)"), *whole = repeated(fine, ")", 199, "");
  char *messages = messages_of_file(whole);
  cr_expect_str_eq(messages, "");
  free(messages);
  free(whole);
  free(fine);
}

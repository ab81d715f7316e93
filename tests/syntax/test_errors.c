// Syntax errors: the exact place, wording and hint of each slip, and that one slip gives one error.
#include "syntax_helper.h"

#include <criterion/criterion.h>

Test(errors, each_slip_is_worded) {
  static const struct {
    const char *text, *messages;
  } cases[] = {
      {"layer f(x) { dense(x, units=128) }", "1:28: error: a named argument is written with `:`, not `=`\n"
                                             "hint: write units: 128\n"},
      {"train { batch = 32 }", "1:15: error: a setting is written with `:`, not `=`\n"
                               "hint: write batch: 32\n"},
      {"train { batch: 32, epochs: 3 }", "1:18: error: expected the end of the line, found `,`\n"
                                         "hint: settings are separated by ends of lines or `;`\n"},
      {"train { batch 32 }", "1:15: error: expected `:`, found `32`\n"},
      {"train {\n  loss: a +\n  batch: 3\n}",
       "3:8: error: expected the end of the line, found `:`\n"
       "hint: the line above ends in an operator or a comma, so that it goes on here\n"},
      {"train { step (x) { a }; step (y) { b } }", "1:25: error: this `train` has a `step` block already\n"
                                                   "1:9: note: the first one is here\n"},
      {"run { report error = 3 }", "1:20: error: a report is written with `:`, not `=`\n"
                                   "hint: write error: 3\n"},
      {"run { report accuracy(x) }", "1:22: error: expected `:`, found `(`\n"
                                     "hint: a report has a name: `report accuracy: …`\n"},
      {"layer f(x) { y = a if c else b }", "1:20: error: expected the end of the line, found `if`\n"
                                           "hint: a choice is written `if c { a } else { b }`\n"},
      {"layer f(x) { if a { b } elif c { d } }", "1:25: error: expected the end of the line, found `elif`\n"
                                                 "hint: write `else if`\n"},
      {"layer f(x) { if a = b { c } }", "1:19: error: expected `{`, found `=`\n"
                                        "hint: compare with `==`\n"},
      {"layer f(x) { if a { b }; else { c } }", "1:26: error: expected a statement, found `else`\n"
                                                "hint: `else` follows the `}` of an `if`, with nothing between\n"},
      {"layer f(x) { x |> f + 1 }", "1:21: error: `+` cannot follow `|>` without parentheses: `|>` binds loosest\n"
                                    "hint: write `(x |> f) + 1`\n"},
      {"layer f(x) { x |> f(2) |> g * 2 |> h }",
       "1:29: error: `*` cannot follow `|>` without parentheses: `|>` binds loosest\n"
       "hint: write `(x |> f(2) |> g) * 2`\n"},
      {"layer f(x) { x |> f[0] }", "1:19: error: on the right of `|>` stands a call or the name of a layer\n"
                                   "hint: write `(x |> f)[…]` to index the result\n"},
      {"layer f(x) { x |> 3 }", "1:19: error: on the right of `|>` stands a call or the name of a layer\n"},
      {"layer f(x) { x |> }", "1:19: error: expected an expression, found `}`\n"
                              "hint: on the right of `|>` stands a call or the name of a layer\n"},
      {"layer f(x) { |> f }", "1:14: error: expected a statement, found `|>`\n"
                              "hint: `|>` needs a value on its left\n"},
      {"layer f(x) { a < b < c }", "1:20: error: expected the end of the line, found `<`\n"
                                   "hint: comparisons do not chain: write `a < b and b < c`\n"},
      {"layer f(x) { 0..1..2 }", "1:18: error: expected the end of the line, found `..`\n"
                                 "hint: a range has two ends: `0..n`\n"},
      {"layer f(x) { h, c = cell(x) }", "1:15: error: expected the end of the line, found `,`\n"
                                        "hint: a tuple stands in parentheses: `(a, b)`\n"},
      {"layer f(x) { return a, b }", "1:22: error: expected the end of the line, found `,`\n"
                                     "hint: a tuple stands in parentheses: `(a, b)`\n"},
      {"layer f(x) { (a,) }", "1:14: error: a tuple has two values or more\n"
                              "hint: leave the comma out; a list of one is written `[…]`\n"},
      {"layer f(x) { () }", "1:15: error: expected an expression, found `)`\n"
                            "hint: a tuple has two values or more\n"},
      {"layer f(x) { True + None }", "1:14: error: there is no `True`\n"
                                     "hint: write `true`\n"
                                     "1:21: error: there is no `None`\n"
                                     "hint: leave the argument out, or give the value that is meant\n"},
      {"layer f(x) { self.w }", "1:14: error: there is no `self`\n"
                                "hint: a layer's parameters are names of its body: `param w: …`, then `w`\n"},
      {"layer f(x) { param w = zeros }", "1:22: error: expected `:`, found `=`\n"
                                         "hint: give its type: `param w: f32[…] = …`\n"},
      {"layer f(x) { param w: f32[3] : zeros }", "1:30: error: expected `=` or the end of the line, found `:`\n"
                                                 "hint: a value follows `=`\n"},
      {"layer f(x) { y: 3 }", "1:15: error: expected the end of the line, found `:`\n"
                              "hint: bind a name with `=`: `y = …`\n"},
      {"layer f(x) { a b }", "1:16: error: expected the end of the line, found `b`\n"},
      {"layer f(x) { + a }", "1:14: error: expected a statement, found `+`\n"
                             "hint: there is no `+` before a number\n"},
      {"layer f(x) { y = { a } }", "1:18: error: expected an expression, found `{`\n"
                                   "hint: `{` begins a block; a list stands in `[ ]`\n"},
      {"layer f(x) { let y = 3 }", "1:18: error: expected the end of the line, found `y`\n"
                                   "hint: a name is bound by `x = …` alone\n"},
      {"layer f(x) { // why\n}", "1:14: error: expected a statement, found `//`\n"
                                 "hint: a comment begins with `#`\n"},
      {"layer f(x) { while a { b } }",
       "1:22: error: expected `with` or `up to`, found `{`\n"
       "hint: a loop that may stop early has a limit: `while c with h = h0 up to 100 { … }`\n"},
      {"layer f(x) { for (i in y) { b } }", "1:18: error: expected a name, found `(`\n"
                                            "hint: write `for i in 0..n { … }`\n"},
      {"layer f(x) {\n  for i in 0..4\n    x\n}", "2:16: error: expected `{`, found the end of the line\n"},
      {"layer f(x) { layer g(y) { y } }", "1:20: error: expected the end of the line, found `g`\n"
                                          "hint: declarations stand at the top of the file, outside every block\n"},
      {"layer f(x) { const a = 3 }", "1:14: error: expected a statement, found `const`\n"
                                     "hint: `const` stands at the top of the file, outside every block\n"},
      {"layer f(x, units: 3) { x }",
       "1:19: error: expected a type, found `3`\n"
       "hint: a default follows `=`; after `:` stands a type such as int, float, bool, str or f32[…]\n"},
      {"layer f(x => y", "1:12: error: expected an expression, found `>`\n"
                         "hint: an arrow is written `->`, and a body stands in braces\n"},
      {"layer f { x }", "1:9: error: expected `(`, found `{`\n"
                        "hint: inputs stand in parentheses, `()` if there are none\n"},
      {"layer f(x) => { x }", "1:12: error: expected `->` or `{`, found `=`\n"
                              "hint: an arrow is written `->`, and a body stands in braces\n"},
      {"def f(x): x", "1:1: error: expected a declaration, found `def`\n"
                      "hint: write `layer name(x) { … }` at the top of the file\n"},
      {"modle f(x) { x }", "1:1: error: expected a declaration, found `modle`\n"
                           "hint: did you mean `model`?\n"},
      {"a = 3", "1:1: error: expected a declaration, found `a`\n"
                "hint: at the top of a file a name is bound by `const a = …` or `data a = …`\n"},
      {"import blocks", "1:8: error: expected a string, found `blocks`\n"
                        "hint: write the file's name in quotes: import \"blocks.nn\"\n"},
      {"test adds { expect true }", "1:6: error: expected a string, found `adds`\n"
                                    "hint: a test's name stands in quotes: test \"adds\" { … }\n"},
      {"const a: 3", "1:8: error: expected `=`, found `:`\n"
                     "hint: write `=`: `const a = …`\n"},
      {"const a = 1 const b = 2", "1:13: error: expected the end of the line, found `const`\n"
                                  "hint: each declaration begins on a line of its own\n"},
      {"layer f(x) {\n  y = dense(x,\n    128\n  z = y\n}\nconst a = 1",
       "3:8: error: expected `,` or `)` to close the call that began at line 2, found the end of the line\n"},
      {"layer f(x) {\n  y = [1, 2\n}",
       "2:12: error: expected `,` or `]` to close the list that began at line 2, found the end of the line\n"},
      {"layer f(x) { y = x[1:2:3:4] }",
       "1:25: error: expected `,` or `]` to close the index that began at line 1, found `:`\n"},
      {"layer f(x) { [1, 2) }", "1:19: error: `)` cannot close `[`\n"
                                "hint: write `]`\n"},
      {"layer f(x) { x ) }", "1:16: error: this `)` closes nothing\n"},
      {"layer f(x) { x } }", "1:18: error: this `}` closes nothing\n"},
      {"layer f(x) {\n  if a {\n    b\n\nmodel g(x) { x }",
       "5:1: error: expected `}` to close the block that began at line 2, found a declaration\n"
       "2:8: note: the block begins here\n"},
      {"layer f(x) {\n  x",
       "2:4: error: expected `}` to close the block that began at line 1, found the end of the file\n"
       "1:12: note: the block begins here\n"},
      {"const a = [\"p\": 1, 2]", "1:20: error: this list has patterns, but none here\n"
                                  "hint: write `pattern: value` for every item, or for none\n"},
      {"const a = [3: 1]", "1:12: error: the left side of `:` in a list is a pattern of names\n"
                           "hint: write it as a string, as in `\"block_*.conv\": adam(1e-3)`\n"},
      {"const a = f(1; 2)", "1:14: error: expected `,` or `)` to close the call that began at line 1, found `;`\n"},
      {"const a = ...", "1:11: error: expected an expression, found `...`\n"
                        "hint: `...` stands in types, indices and lists of dimensions\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *found = messages_of_file(cases[i].text);
    cr_expect_str_eq(found, cases[i].messages, "%s\nsays\n%snot\n%s", cases[i].text, found, cases[i].messages);
    free(found);
  }
}

Test(errors, several_in_one_file_are_all_reported) {
  char *found = messages_of_file("layer f(x) {\n"
                                 "  y = dense(x, 128\n"
                                 "  if y { a b } else { c }\n"
                                 "  z = relu(y\n"
                                 "}\n"
                                 "layer g(x y) { q r }\n"
                                 "train {\n"
                                 "  batch 32\n"
                                 "  step (x) { minimize }\n"
                                 "}\n"
                                 "const ok = 1\n"
                                 "test \"t\" { expect 1 == }\n");
  cr_expect_str_eq(
      found,
      "2:19: error: expected `,` or `)` to close the call that began at line 2, found the end of the line\n"
      "3:12: error: expected the end of the line, found `b`\n"
      "4:13: error: expected `,` or `)` to close the call that began at line 4, found the end of the line\n"
      "6:11: error: expected `,` or `)` to close the list of inputs that began at line 6, found `y`\n"
      "8:9: error: expected `:`, found `32`\n"
      "9:23: error: expected an expression, found `}`\n"
      "12:24: error: expected an expression, found `}`\n",
      "%s", found);
  free(found);
}

Test(errors, a_missing_brace_does_not_swallow_the_next_declaration) {
  char *found = messages_of_file("layer f(x) {\n  for i in 0..3 {\n    x = g(x\n\nmodel m(x) { a b }\n");
  cr_expect_str_eq(
      found,
      "3:12: error: expected `,` or `)` to close the call that began at line 3, found the end of the line\n"
      "5:1: error: expected `}` to close the block that began at line 2, found a declaration\n"
      "2:17: note: the block begins here\n"
      "5:16: error: expected the end of the line, found `b`\n",
      "%s", found);
  free(found);
}

Test(errors, of_an_expression_alone) {
  static const struct {
    const char *text, *messages;
  } cases[] = {
      {"3 +", "1:4: error: expected an expression, found the end of the file\n"},
      {"", "1:1: error: expected an expression, found the end of the file\n"},
      {"a b", "1:3: error: expected the end of the line, found `b`\n"},
      {"a = 3", "1:3: error: expected the end of the line, found `=`\n"},
      {"2.", "1:1: error: a point needs a digit after it\nhint: write `2.0`, or `2` for a whole number\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *found = printed(cases[i].text);
    cr_expect_str_eq(found, cases[i].messages, "%s\nsays\n%s", cases[i].text, found);
    free(found);
  }
}

// Precedence and spelling: an expression printed with the fewest parentheses shows how it was read.
#include "syntax_helper.h"

#include <criterion/criterion.h>

typedef struct Case {
  const char *text, *expected;
} Case;

static void check(const Case *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *result = printed(cases[i].text);
    cr_expect_str_eq(result, cases[i].expected, "%s\ngives    %s\nnot      %s", cases[i].text, result,
                     cases[i].expected);
    free(result);
  }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))

Test(print, precedence) {
  static const Case cases[] = {
      {"(a + b) + c", "a + b + c"},
      {"a + (b + c)", "a + (b + c)"},
      {"a - (b - c) - d", "a - (b - c) - d"},
      {"(a * b) + (c @ d)", "a * b + c @ d"},
      {"(a + b) * c // d % e", "(a + b) * c // d % e"},
      {"a / (b / c)", "a / (b / c)"},
      {"-(a ** 2)", "-a ** 2"},
      {"(-a) ** 2", "(-a) ** 2"},
      {"-(a * b)", "-(a * b)"},
      {"(-a) * b", "-a * b"},
      {"2 ** (3 ** 4)", "2 ** 3 ** 4"},
      {"(2 ** 3) ** 4", "(2 ** 3) ** 4"},
      {"2 ** -1", "2 ** -1"},
      {"2 ** (-(x ** 2))", "2 ** -x ** 2"},
      {"(not (a == b)) and (not c) or d", "not a == b and not c or d"},
      {"not (a and b)", "not (a and b)"},
      {"a or (b and c)", "a or b and c"},
      {"(a or b) and c", "(a or b) and c"},
      {"(a < b) == c", "(a < b) == c"},
      {"0 .. (n + 1)", "0..n + 1"},
      {"(0..n) == x", "0..n == x"},
      {"x[(0..n)]", "x[0..n]"},
      {"((x |> f) |> g(1))", "x |> f |> g(1)"},
      {"a + b |> f", "a + b |> f"},
      {"(x |> f) + 1", "(x |> f) + 1"},
      {"f(x |> g, k: a or b)", "f(x |> g, k: a or b)"},
      {"(a or b) |> f", "a or b |> f"},
      {"- - a", "--a"},
      {"a - -b", "a - -b"},
  };
  CHECK(cases);
}

Test(print, forms) {
  static const Case cases[] = {
      {"x [ 0 , 2 : 5 , ... , : , :: 2 , 1 : ]", "x[0, 2:5, ..., :, ::2, 1:]"},
      {"f ( ) ( b , ) . c", "f()(b).c"},
      {"( h , c , )", "(h, c)"},
      {"[ ]", "[]"},
      {"[[0.1, 2], [...], ]", "[[0.1, 2], [...]]"},
      {"[\"a.*\": f(1), b.c: 2]", "[\"a.*\": f(1), \"b.c\": 2]"},
      {"if a { b } else if c { d } else { e; f }", "if a { b } else if c { d } else { e; f }"},
      {"(if a { } else { b }) + 1", "(if a { } else { b }) + 1"},
      {"if a { 1 } else { 2 } + 3", "(if a { 1 } else { 2 }) + 3"},
      {"scan t in x along -2, reverse: true with h = a, c = b { yield h }",
       "scan t in x along -2 with h = a, c = b, reverse: true { yield h }"},
      {"scan i in 0..k { i }", "scan i in 0..k { i }"},
      {"scan with h = 0, steps: 3 { h = h + 1 }", "scan with h = 0, steps: 3 { h = h + 1 }"},
      {"while a > b with n = 0 up to 10 { n = n + 1 }", "while a > b with n = 0 up to 10 { n = n + 1 }"},
      {"if t { param w: f32[..., n, 4 * k] = zeros; state s: (f32[], list[list[int]]); w := s; for i in 0..3 { x } }",
       "if t { param w: f32[..., n, 4 * k] = zeros; state s: (f32[], list[list[int]]); w := s; for i in 0..3 { x } }"},
      {"if t { minimize a over b using c; report e: 1, f: 2; every 5 { inspect x }; repeat 2 { return y }; expect z }",
       "if t { minimize a over b using c; report e: 1, f: 2; every 5 { inspect x }; repeat 2 { return y }; expect z }"},
  };
  CHECK(cases);
}

Test(print, literals) {
  static const Case cases[] = {
      {"1_000_000", "1000000"},
      {"9223372036854775807", "9223372036854775807"},
      {"3.0", "3.0"},
      {".5", "0.5"},
      {"1e-3", "0.001"},
      {"1E3", "1000.0"},
      {"1e300", "1e+300"},
      {"1_0.2_5", "10.25"},
      {"true and false", "true and false"},
      {"\"a\\n\\t\\\"\\\\\\x41\\102\\u00e9\\U0001F600\"", "\"a\\n\\t\\\"\\\\AB\xC3\xA9\xF0\x9F\x98\x80\""},
      {"\"\\xff\\x01\"", "\"\\xff\\x01\""},
      {"\"\"", "\"\""},
  };
  CHECK(cases);
}

Test(print, a_tree_is_one_line_a_node) {
  char *tree = tree_of("train t {\n  data: d |> take(n: 3)\n  step (x) { y = -x[1:] }\n}\n");
  cr_expect_str_eq(tree, "file t.nn\n"
                         "  train t\n"
                         "    data: pipe\n"
                         "      name d\n"
                         "      call\n"
                         "        name take\n"
                         "        n: int 3\n"
                         "    step x\n"
                         "      assign\n"
                         "        name y\n"
                         "        unary -\n"
                         "          index\n"
                         "            name x\n"
                         "            slice\n"
                         "              from: int 1\n");
  free(tree);
}

Test(print, every_node_knows_its_place) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  const Expr *expr = parse_expr(arena, diag, source_from_string(arena, "t.nn", "f(a,\n  (b + c) *\n d)"));
  cr_assert_not_null(expr);
  const Expr *product = expr->args.data[1].value;
  cr_expect_eq(expr->span.line, 1);
  cr_expect_eq(expr->span.end_line, 3);
  cr_expect_eq(expr->span.end_column, 4);
  cr_expect_eq(product->span.line, 2);
  cr_expect_eq(product->span.column, 3);
  cr_expect_eq(product->op_span.column, 11);
  cr_expect_eq(product->left->op_span.column, 6);
  cr_expect_eq(product->right->span.line, 3);
  arena_free(arena);
}

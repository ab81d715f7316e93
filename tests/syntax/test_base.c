// The base rooms: arena, text, places in source, diagnostics and the search for near names.
#include "syntax_helper.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

Test(base, arena_gives_zeroed_aligned_separate_pieces) {
  Arena *arena = arena_new();
  unsigned char *last = NULL;
  for (size_t size = 0; size < 400000; size = size * 2 + 1) {
    unsigned char *piece = arena_alloc(arena, size);
    cr_assert_eq((size_t)piece % 16, 0);
    cr_assert_neq(piece, last);
    for (size_t i = 0; i < size; i++)
      cr_assert_eq(piece[i], 0);
    memset(piece, 0xAB, size);
    last = piece;
  }
  arena_free(arena);
}

Test(base, arena_takes_its_memory_again) {
  Arena *arena = arena_new();
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 2000; i++) {
      unsigned char *piece = arena_alloc(arena, (size_t)i);
      for (int k = 0; k < i; k++)
        cr_assert_eq(piece[k], 0);
      memset(piece, 0xAB, (size_t)i);
    }
    memset(arena_alloc(arena, 1000000), 0xAB, 1000000);
    arena_reset(arena);
  }
  arena_free(arena);
}

Test(base, text_grows_and_doubles_read_back) {
  static const double values[] = {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 123456789012345678.0};
  Arena *arena = arena_new();
  Text text = text_new(arena);
  cr_assert_str_eq(text_string(&text), "");
  for (int i = 0; i < 1000; i++)
    text_printf(&text, "%03d", i);
  cr_assert_eq(text.length, 3000);
  cr_assert_eq(strncmp(text_string(&text) + 2997, "999", 4), 0);
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    Text number = text_new(arena);
    text_double(&number, values[i]);
    double back = strtod(text_string(&number), NULL);
    cr_assert_eq(memcmp(&back, &values[i], sizeof back), 0, "%s", text_string(&number));
  }
  Text odd = text_new(arena);
  text_double(&odd, (double)INFINITY);
  text_double(&odd, -(double)INFINITY);
  text_double(&odd, (double)NAN);
  cr_assert_str_eq(text_string(&odd), "inf-infnan");
  arena_free(arena);
}

Test(base, source_lines_and_missing_files) {
  Arena *arena = arena_new();
  Source *source = source_from_string(arena, "a.nn", "one\r\ntwo\n\nfour");
  static const char *const lines[] = {"one", "two", "", "four", ""};
  for (int i = 0; i < 5; i++) {
    int length;
    const char *line = source_line(source, i + 1, &length);
    cr_assert_eq(length, (int)strlen(lines[i]));
    cr_assert_eq(strncmp(line, lines[i], (size_t)length), 0);
  }
  cr_assert_null(source_read(arena, "/nowhere/at/all.nn"));
  cr_assert_eq(errno, ENOENT);
  cr_assert_null(source_read(arena, "/"));
  cr_assert_eq(errno, EISDIR);
  arena_free(arena);
}

Test(base, diagnostics_are_sorted_and_shown_with_a_caret) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  Source *source = source_from_string(arena, "a.nn", "x |> d\xC3\xA9nse\n  |> reluu\n");
  Span late = {source, 2, 6, 2, 11}, early = {source, 1, 6, 1, 12};
  diag_error(diag, late, "unknown layer `%s`", "reluu");
  diag_hint(diag, "did you mean `relu`?");
  diag_error(diag, early, "odd");
  diag_note(diag, late, "used here");
  diag_error(diag, late, "unknown layer `%s`", "reluu");
  cr_assert_eq(diag_errors(diag), 2);
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  diag_print(diag, out);
  fclose(out);
  cr_assert_str_eq(text, "a.nn:1:6: error: odd\n"
                         "    1 | x |> d\xC3\xA9nse\n"
                         "      |      ^~~~~\n"
                         "a.nn:2:6: note: used here\n"
                         "    2 |   |> reluu\n"
                         "      |      ^~~~~\n"
                         "a.nn:2:6: error: unknown layer `reluu`\n"
                         "    2 |   |> reluu\n"
                         "      |      ^~~~~\n"
                         "hint: did you mean `relu`?\n");
  free(text);
  arena_free(arena);
}

Test(base, errors_beyond_twenty_are_counted) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  for (int i = 0; i < 25; i++)
    diag_error(diag, (Span){0}, "number %d", i);
  char *text = messages_of(diag);
  cr_assert_eq(diag_errors(diag), 25);
  cr_assert_not_null(strstr(text, "nnc: error: number 19\nand 5 more errors\n"));
  free(text);
  arena_free(arena);
}

Test(base, nearest_name) {
  static const char *const names[] = {"dense", "relu", "leaky_relu", "x", "lr"};
  cr_assert_str_eq(diag_nearest("dence", names, 5), "dense");
  cr_assert_str_eq(diag_nearest("reul", names, 5), "relu");
  cr_assert_str_eq(diag_nearest("ReLU", names, 5), "relu");
  cr_assert_str_eq(diag_nearest("leakyrelu", names, 5), "leaky_relu");
  cr_assert_null(diag_nearest("y", names, 5));
  cr_assert_null(diag_nearest("conv2d", names, 5));
  cr_assert_null(diag_nearest("", names, 5));
}

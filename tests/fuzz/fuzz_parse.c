// libFuzzer target of the parser: any bytes must give a tree and perhaps errors, without a crash, a hang or a leak.
// Where a file has no error, every constant's text must also be a fixed point: printed, read and printed again it is the
// same, which holds parentheses and precedence of the printer against those of the grammar.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "syntax/ast.h"

enum { SMALL_TREE = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(Arena *arena, const Expr *expr) {
  Text first = text_new(arena), second = text_new(arena);
  expr_print(&first, expr);
  Diag *diag = diag_new(arena);
  const Expr *again = parse_expr(arena, diag, source_from_string(arena, "printed", text_string(&first)));
  if (!again) {
    diag_print(diag, stderr);
    abort();
  }
  expr_print(&second, again);
  if (strcmp(text_string(&first), text_string(&second)) != 0) {
    fprintf(stderr, "%s\n%s\n", text_string(&first), text_string(&second));
    abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  Source source = {.path = "fuzz.nn", .text = arena_strndup(arena, (const char *)data, size), .length = size};
  const File *file = parse_file(arena, diag, &source);
  Text text = text_new(arena);
  ast_print_with_places(&text, file);
  if (diag_errors(diag) > 0) {
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere) {
      diag_print(diag, nowhere);
      fclose(nowhere);
    }
  }
  for (int i = 0; diag_errors(diag) == 0 && i < file->decls.count; i++) {
    const Expr *value = file->decls.data[i]->value;
    if (value && value->height < SMALL_TREE)
      check_round_trip(arena, value);
  }
  arena_free(arena);
  return 0;
}

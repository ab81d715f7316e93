// Whole files: those of language/, which cover every construct of the language, and of the fuzz corpus must be read
// without an error; printed places must lie inside the file.
#include "syntax_helper.h"

#include <criterion/criterion.h>
#include <dirent.h>

// A path beside this file.
static char *beside(Arena *arena, const char *relative) {
  const char *slash = strrchr(__FILE__, '/');
  int length = slash ? (int)(slash - __FILE__) : 1;
  return arena_printf(arena, "%.*s/%s", length, slash ? __FILE__ : ".", relative);
}

static void reads(Arena *arena, const char *path) {
  Diag *diag = diag_new(arena);
  const Source *source = source_read(arena, path);
  cr_assert_not_null(source, "%s", path);
  const File *file = parse_file(arena, diag, source);
  char *messages = messages_of(diag);
  cr_expect_str_eq(messages, "", "%s:\n%s", path, messages);
  free(messages);
  cr_expect_gt(file->decls.count, 0);
  for (int i = 0; i < file->decls.count; i++) {
    const Decl *decl = file->decls.data[i];
    cr_expect_eq(decl->span.source, source);
    cr_expect_gt(decl->span.line, i == 0 ? 0 : file->decls.data[i - 1]->span.end_line);
    cr_expect_geq(decl->span.end_line, decl->span.line);
  }
}

Test(files, every_construct_of_the_language) {
  Arena *arena = arena_new();
  char *folder = beside(arena, "language");
  DIR *directory = opendir(folder);
  cr_assert_not_null(directory, "%s", folder);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory));)
    if (strstr(entry->d_name, ".nn")) {
      reads(arena, arena_printf(arena, "%s/%s", folder, entry->d_name));
      count++;
    }
  closedir(directory);
  cr_expect_geq(count, 4);
  arena_free(arena);
}

Test(files, seeds_of_the_fuzzer) {
  static const char *const names[] = {"whole", "expressions", "soft_words"};
  Arena *arena = arena_new();
  for (int i = 0; i < 3; i++)
    reads(arena, arena_printf(arena, "%s/%s.nn", beside(arena, "../fuzz/corpus/parse"), names[i]));
  arena_free(arena);
}

Test(files, what_could_be_read_is_there_after_errors) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  const char *text =
      "const a = 1\nlayer f(x) { y = ; z }\nmodel ?\ntrain { batch: 3; epochs 4; seed: 5 }\nconst b = 2\n";
  const File *file = parse_file(arena, diag, source_from_string(arena, "t.nn", text));
  cr_assert_eq(diag_errors(diag), 4);
  cr_assert_eq(file->decls.count, 4);
  cr_expect_eq(file->decls.data[1]->body->stmts.count, 2);
  cr_expect_eq(file->decls.data[1]->body->stmts.data[0]->kind, STMT_ERROR);
  cr_expect_eq(file->decls.data[2]->settings.count, 2);
  cr_expect_str_eq(file->decls.data[3]->name.text, "b");
  arena_free(arena);
}

// What the documents show works: each block of .nn in the language reference is compiled, run and tested, and so is the
// program that README.md begins with.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "shell.h"

// Writes the fenced blocks of a document that name no language to 0.nn, 1.nn and so on; how many.
static int write_blocks(Shell *shell, const char *document) {
  shell_run(shell,
            "awk '/^```/ { inside = !inside; if (inside) shown = $0 == \"```\"; else count += shown; next }"
            " inside && shown { print > (count + 0 \".nn\") } END { print count }' '%s/%s'",
            NNC_SOURCE_DIR, document);
  cr_assert_eq(shell->status, 0, "%s", shell->output);
  return atoi(shell->output);
}

static void must_work(Shell *shell, const char *document, int block) {
  shell_run(shell,
            "f=%d.nn; if grep -q ^train $f; then $NNC run $f --no-save --quiet || exit; fi;"
            " if grep -q ^test $f; then $NNC test $f; else $NNC emit loops $f > $f.loops; fi",
            block);
  cr_expect_eq(shell->status, 0, "block %d of %s:\n%s", block, document, shell->output);
}

Test(reference, every_block_of_the_language_works, .timeout = 120) {
  Shell *shell = shell_open();
  int count = write_blocks(shell, "grammar/README.md");
  cr_expect_geq(count, 6);
  for (int i = 0; i < count; i++)
    must_work(shell, "grammar/README.md", i);
  shell_close(shell);
}

Test(reference, the_first_program_works) {
  Shell *shell = shell_open();
  cr_assert_gt(write_blocks(shell, "README.md"), 0);
  must_work(shell, "README.md", 0);
  shell_close(shell);
}

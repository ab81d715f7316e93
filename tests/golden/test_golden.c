// Every stage's text of every program here against the golden files beside it, which update.sh writes.
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Runs nnc and compares what it prints with PROGRAM.STAGE.txt; the difference ends up in the failure's message.
static void compare(const char *command, const char *stage, const char *source) {
  char line[4096], difference[6000];
  int stem = (int)(strlen(source) - strlen(".nn"));
  snprintf(line, sizeof line,
           "{ %s %s --target-cpu x86-64-v3 %s || echo \"exit status $?\"; } 2>&1 | diff -u --label before --label now "
           "%.*s.%s.txt - 2>&1 | head -n 40",
           NNC_BINARY, command, source, stem, source, stage);
  FILE *pipe = popen(line, "r");
  cr_assert_not_null(pipe);
  size_t length = fread(difference, 1, sizeof difference - 1, pipe);
  difference[length] = 0;
  pclose(pipe);
  cr_expect(length == 0,
            "%s of %s has changed; if it should have, run tests/golden/update.sh %s and read the diff:\n%s", stage,
            source, NNC_BINARY, difference);
}

static void check(const char *command, const char *stage) {
  glob_t sources;
  cr_assert_eq(chdir(NNC_SOURCE_DIR "/tests/golden"), 0);
  cr_assert_eq(glob("*.nn", 0, NULL, &sources), 0);
  for (size_t i = 0; i < sources.gl_pathc; i++)
    compare(command, stage, sources.gl_pathv[i]);
  globfree(&sources);
}

Test(golden, ast) {
  check("emit ast", "ast");
}
Test(golden, graph) {
  check("emit graph", "graph");
}
Test(golden, kernels) {
  check("emit kernels", "kernels");
}
Test(golden, loops) {
  check("emit loops", "loops");
}
Test(golden, c) {
  check("emit c", "c");
}
Test(golden, plan) {
  check("plan", "plan");
}

// Every stage's text against the golden files beside this one, which update.sh writes.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const programs[] = {"dense", "two_losses", "written_out"};

// Runs nnc and compares what it prints with PROGRAM.STAGE.txt; the difference ends up in the failure's message.
static void check(const char *command, const char *stage) {
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    char line[2048], difference[6000];
    snprintf(line, sizeof line, "cd %s/tests/golden && %s %s --target-cpu x86-64-v3 %s.nn 2>&1 | diff %s.%s.txt - | head -n 40",
             NNC_SOURCE_DIR, NNC_BINARY, command, programs[i], programs[i], stage);
    FILE *pipe = popen(line, "r");
    cr_assert_not_null(pipe);
    size_t length = fread(difference, 1, sizeof difference - 1, pipe);
    difference[length] = 0;
    pclose(pipe);
    cr_expect(length == 0, "%s of %s has changed; if it should have, run tests/golden/update.sh and read the diff:\n%s",
              stage, programs[i], difference);
  }
}

Test(golden, ast) { check("emit ast", "ast"); }
Test(golden, graph) { check("emit graph", "graph"); }
Test(golden, kernels) { check("emit kernels", "kernels"); }
Test(golden, loops) { check("emit loops", "loops"); }
Test(golden, c) { check("emit c", "c"); }
Test(golden, plan) { check("plan", "plan"); }

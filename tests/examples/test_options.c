// Options of `nnc`: those that a command would not look at are errors, so that nobody believes they were obeyed.
#include <criterion/criterion.h>

#include "shell.h"

Test(options, only_of_their_commands) {
  static const char *const cases[][2] = {
      {"check xor.nn -o xor", "`check` takes no --output; it is of predict, build"},
      {"run xor.nn --cc gcc", "`run` takes no --cc; it is of test, build, profile"},
      {"test xor.nn --backend c", "`test` takes no --backend; it is of build, profile"},
      {"run xor.nn -g", "`run` takes no --debug; it is of build, emit"},
      {"emit --embed net c xor.nn", "`emit` takes no --embed; it is of build"},
      {"run xor.nn --weights w.safetensors", "`run` takes no --weights; it is of build"},
      {"eval xor.nn --resume", "`eval` takes no --resume; it is of run"},
      {"build xor.nn -o xor --checkpoint c", "`build` takes no --checkpoint; it is of run, eval, predict, generate"},
      {"eval xor.nn --no-save", "`eval` takes no --no-save; it is of run"},
      {"run xor.nn --plot a.svg", "`run` takes no --plot; it is of predict"},
      {"--seed 3 build xor.nn -o xor", "`build` takes no --seed; it is of run, generate"},
      {"eval xor.nn --epochs 2", "`eval` takes no --epochs; it is of run"},
      {"eval xor.nn --steps 2", "`eval` takes no --steps; it is of run, profile"},
      {"check xor.nn --batch 4", "`check` takes no --batch; it is of run, eval, predict, build, emit, plan, profile"},
      {"models xor.nn --threads 1", "`models` takes no --threads; it is of run, eval, predict, generate, profile"},
      {"plan xor.nn --check-nan", "`plan` takes no --check-nan; it is of run, eval, build, emit"},
      {"run xor.nn --prompt a", "`run` takes no --prompt; it is of generate"},
      {"predict xor.nn points.csv --top-k 3", "`predict` takes no --top-k; it is of generate"},
      {"run xor.nn --svg a.svg", "`run` takes no --svg; it is of profile"}};
  Shell *shell = shell_open();
  shell_must_run(shell, "cp " NNC_SOURCE_DIR "/examples/xor.nn .");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_expect_eq(shell_run(shell, "$NNC %s", cases[i][0]), 64, "%s", cases[i][0]);
    cr_expect(shell_printed(shell, cases[i][1]), "%s: %s", cases[i][0], shell->output);
  }
  shell_close(shell);
}

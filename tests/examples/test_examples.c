// Every example, run as a person would.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shell.h"

static void must_run(Shell *shell, const char *file) {
  shell_run(shell, "$NNC run %s", file);
  cr_assert(shell->status == 0, "%s: exit status %d\n%s", file, shell->status, shell->output);
}

Test(examples, digits_reaches_96_percent) {
  Shell *shell = shell_open();
  must_run(shell, "digits.nn");
  double accuracy = shell_number(shell, "accuracy");
  cr_assert(accuracy > 0.96, "test accuracy %g\n%s", accuracy, shell->output);
  shell_close(shell);
}

Test(examples, xor_is_learned) {
  Shell *shell = shell_open();
  must_run(shell, "xor.nn");
  cr_assert(shell_number(shell, "loss") < 0.05, "%s", shell->output);
  shell_close(shell);
}

Test(examples, linear_regression_finds_the_line) {
  Shell *shell = shell_open();
  must_run(shell, "linear_regression.nn");
  cr_assert(shell_number(shell, "loss") < 1e-3, "%s", shell->output);
  shell_close(shell);
}

Test(examples, logistic_regression_tells_benign_from_malignant) {
  Shell *shell = shell_open();
  must_run(shell, "logistic_regression.nn");
  cr_assert(shell_number(shell, "accuracy") > 0.94, "%s", shell->output);
  shell_close(shell);
}

Test(examples, iris_keeps_its_best_epoch) {
  Shell *shell = shell_open();
  must_run(shell, "iris.nn");
  cr_assert(shell_number(shell, "accuracy") > 0.9, "%s", shell->output);
  cr_assert(shell_run(shell, "test -f iris.safetensors") == 0);
  shell_close(shell);
}

Test(examples, the_generator_imitates_its_distribution) {
  Shell *shell = shell_open();
  must_run(shell, "gan.nn");
  double mean = shell_number(shell, "mean");
  cr_assert(mean > 3 && mean < 5, "mean %g\n%s", mean, shell->output);
  shell_close(shell);
}

Test(examples, the_backpropagation_exercise) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC test backprop.nn") == 0, "%s", shell->output);
  shell_close(shell);
}

Test(examples, mnist_reaches_97_8_percent, .timeout = 300) {
  if (!shell_data())
    cr_skip("skipped: MNIST is not here");
  Shell *shell = shell_open();
  shell_run(shell, "$NNC run mnist.nn --set folder='\"%s/mnist\"'", shell_data());
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_number(shell, "accuracy") >= 0.978, "%s", shell->output);
  shell_close(shell);
}

// ---- what a person does wrong on the command line: said at once, in one line, with exit status 1 or argp's 64

static void must_say(const char *command, int status, const char *text) {
  Shell *shell = shell_open();
  shell_run(shell, "%s", command);
  cr_expect_eq(shell->status, status, "%s: exit status %d\n%s", command, shell->status, shell->output);
  cr_expect(shell_printed(shell, text), "%s: `%s` is not in\n%s", command, text, shell->output);
  shell_close(shell);
}

Test(command_line, numbers_out_of_range) {
  must_say("$NNC run xor.nn --threads 99999999999", 64, "--threads: `99999999999` is more than 4096");
  must_say("$NNC run xor.nn --seed 99999999999999999999", 64, "is more than");
  must_say("$NNC run xor.nn --batch 0", 64, "`0` is not a whole number of 1 or more");
}

Test(command_line, unknown_processor) {
  must_say("$NNC emit asm xor.nn --target-cpu bogus", 64, "`bogus` is no processor that nnc knows");
  must_say("$NNC build xor.nn --backend llvm --target-cpu bogus -o x", 64, "`bogus` is no processor that nnc knows");
}

Test(command_line, nothing_to_do) {
  must_say(": > a.nn; $NNC build a.nn", 1, "a.nn has no train block and no model: there is nothing to build");
  must_say(": > a.nn; $NNC run a.nn", 1, "a has no train block");
  must_say(": > a.nn; $NNC test a.nn", 0, "a.nn has no `test` block");
}

Test(command_line, outputs_that_cannot_be) {
  must_say("mkdir a; $NNC build xor.nn -o a", 1, "cannot write a: it is a folder");
  must_say("$NNC build xor.nn -o nowhere/x", 1, "cannot write nowhere/x: No such file or directory");
  must_say("mkdir a; $NNC run xor.nn --checkpoint a", 1, "checkpoints cannot be written to a: it is a folder");
}

Test(command_line, a_full_device) {
  static const char lost[] = "error: cannot write to standard output";
  must_say("$NNC run xor.nn > /dev/full", 1, lost);
  must_say("$NNC test backprop.nn > /dev/full", 1, lost);
  must_say("$NNC emit c xor.nn > /dev/full", 1, lost);
  must_say("$NNC plan xor.nn > /dev/full", 1, lost);
  must_say("$NNC --help > /dev/full", 1, lost);
  must_say("$NNC emit ast xor.nn >&-", 1, lost);
  must_say("$NNC run xor.nn --quiet > /dev/full", 0, "");
}

Test(command_line, a_full_device_under_an_executable) {
  static const char lost[] = "error: cannot write to standard output";
  must_say("$NNC build xor.nn -o xor && ./xor train > /dev/full", 1, lost);
  must_say("$NNC build iris.nn -o iris && ./iris train -q && ./iris eval > /dev/full", 1, lost);
  must_say("$NNC build iris.nn -o iris && ./iris train -q && ./iris predict iris.csv > /dev/full", 1, lost);
  must_say("$NNC build iris.nn -o iris && ./iris info > /dev/full", 1, lost);
}

// ---- executables away from where they were made
Test(elsewhere, files_beside_the_executable_are_found) {
  must_say("mkdir a b && mv iris.* a && $NNC build a/iris.nn -o a/iris && cd b && ../a/iris train --epochs 5", 0, "test  loss");
  must_say("mkdir a b && mv iris.* a && cd a && $NNC run iris.nn -q && $NNC build iris.nn && cd ../b && cp ../a/iris.csv rows.csv &&"
           " ../a/iris predict rows.csv && ../a/iris eval", 0, "test  loss");
  must_say("mkdir a && mv iris.* a && cd a && $NNC run iris.nn -q --epochs 9 && $NNC build iris.nn && cd / &&"
           " \"$OLDPWD/iris\" train --resume --epochs 12", 0, "epoch 10/12");
}

Test(elsewhere, files_that_are_nowhere_are_named) {
  must_say("mkdir a && $NNC build iris.nn -o a/iris && rm iris.csv && a/iris train", 1,
           "iris.nn:2:20: error: cannot open `iris.csv`, nor `/tmp/nnc-test-");
  must_say("mkdir a && $NNC build iris.nn -o a/iris && a/iris eval", 1,
           "error: there is no checkpoint iris.safetensors, nor /tmp/nnc-test-");
  must_say("rm iris.csv; $NNC run iris.nn", 1, "iris.nn:2:20: error: cannot open `iris.csv`: No such file or directory");
  must_say("mkdir a && mv iris.* a && $NNC build a/iris.nn -o a/iris && cp a/iris.csv a/rows.csv && a/iris train -q --checkpoint c &&"
           " a/iris predict rows.csv --checkpoint c", 1, "error: rows.csv: cannot read it: No such file");
}

// `script` gives the command a terminal.
Test(command_line, terminals_without_colours) {
  static const char *const cases[] = {"TERM=xterm", "TERM=xterm NO_COLOR=", "TERM=xterm NO_COLOR=1", "TERM=dumb", "TERM="};
  Shell *shell = shell_open();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    shell_run(shell, "echo 'const a = b' > bad.nn; unset NO_COLOR; export %s;"
                     "script -qec \"$NNC run bad.nn\" /dev/null | grep -c '\033'", cases[i]);
    cr_expect_eq(shell->status, i < 2 ? 0 : 1, "%s: %s", cases[i], shell->output);
    shell_run(shell, "export %s; script -qec \"$NNC run digits.nn --epochs 30\" /dev/null | grep -c '\033'", cases[i]);
    cr_expect_eq(shell->status, i < 3 ? 0 : 1, "%s: %s", cases[i], shell->output);
  }
  shell_close(shell);
}

Test(command_line, tests_need_no_data) {
  must_say("printf 'test \"the model\" { expect shape(species(ones([5, 4]))) == [5, 3] }\\n' >> iris.nn; rm iris.csv; $NNC test iris.nn",
           0, "1 passed, 0 failed");
}

Test(command_line, debuggers_find_the_lines_of_the_source) {
  must_say("$NNC build xor.nn -g -o x && objdump --dwarf=decodedline x | grep -c '^xor.nn  *5 '", 0, "");
  must_say("$NNC build xor.nn -o x && objdump --dwarf=decodedline x | grep -c xor.nn", 1, "0");
}

Test(command_line, files_with_carriage_returns_and_blanks) {
  must_say("mkdir 'a b'; sed 's/$/\\r/' iris.csv > 'a b/iris.csv'; sed 's/$/\\r/' iris.nn > 'a b/my iris.nn'; "
           "cd /; $NNC run \"$OLDPWD/a b/my iris.nn\" --epochs 1",
           0, "epoch 1/1");
}

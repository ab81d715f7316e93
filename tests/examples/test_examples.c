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

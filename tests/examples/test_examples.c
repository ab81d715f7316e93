// Every example, run as a person would.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <unistd.h>

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

Test(examples, an_autoregression_finds_the_coefficients_of_its_series) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC test autoregression.nn") == 0, "%s", shell->output);
  must_run(shell, "autoregression.nn");
  cr_expect_float_eq(shell_number(shell, " c"), 0.5, 0.01, "%s", shell->output);
  cr_expect_float_eq(shell_number(shell, " phi1"), 0.6, 0.01, "%s", shell->output);
  cr_expect_float_eq(shell_number(shell, " phi2"), -0.3, 0.01, "%s", shell->output);
  cr_expect_float_eq(shell_number(shell, " loss"), 0.25, 0.01, "%s", shell->output); // the noise's variance is left
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

Test(examples, what_was_learnt_from_digits_tells_odd_from_even) {
  Shell *shell = shell_open();
  must_run(shell, "transfer.nn");
  must_run(shell, "transfer.nn parity");
  double with = shell_number(shell, "accuracy");
  cr_assert(with > 0.87, "%s", shell->output);
  cr_assert(shell_printed(shell, "is missing") == 0 && shell_printed(shell, "is not in") == 0, "%s", shell->output);
  shell_run(shell, "sed '/load:/d; /freeze/d' transfer.nn > scratch.nn");
  must_run(shell, "scratch.nn parity");
  cr_assert(shell_number(shell, "accuracy") < with - 0.05, "%s", shell->output);
  shell_close(shell);
}

// The bytes of the arena and the multiply-adds of a step, from its plan.
static void plan_of(Shell *shell, const char *file, double *arena, double *products) {
  shell_run(shell,
            "$NNC plan %s | awk '/^train_step / { on = 1 } on && /^arena/ { print \"arena\", $2 }"
            " on && /multiply/ { gsub(\",\", \"\"); print \"products\", $NF; exit }'",
            file);
  cr_assert(shell->status == 0, "%s", shell->output);
  *arena = shell_number(shell, "arena");
  *products = shell_number(shell, "products");
}

Test(examples, what_is_frozen_costs_nothing) {
  Shell *shell = shell_open();
  shell_run(shell,
            "cat > deep.nn <<'end'\n"
            "layer trunk(x: T[..., n]) -> T[..., n] { for i in 0..8 { x = x |> dense(n) |> batch_norm |> tanh }\n x }\n"
            "model net(x: f32[64]) -> f32[1] { x |> trunk(name: \"trunk\") |> dense(1) }\n"
            "train {\n  steps: 1; freeze: net.trunk\n"
            "  step () { minimize reduce_mean(net(normal([32, 64]))) using adam }\n}\nend\n"
            "sed 's/; freeze: net.trunk//' deep.nn > open.nn");
  double frozen, frozen_products, open, open_products;
  plan_of(shell, "deep.nn", &frozen, &frozen_products);
  plan_of(shell, "open.nn", &open, &open_products);
  cr_assert(frozen < 0.3 * open, "%g bytes, %g open", frozen, open);
  cr_assert(frozen_products < 0.4 * open_products, "%g multiply-adds, %g open", frozen_products, open_products);
  shell_run(shell, "$NNC plan deep.nn");
  cr_assert(shell_number(shell, "optimizer slots") == 2 * 65, "%s", shell->output);
  shell_close(shell);
}

// A linear layer as PyTorch saves it: [out, in], and no metadata.
static void write_linear(const Shell *shell) {
  static const char header[] = "{\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"
                               "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]}}";
  static const float numbers[] = {1, 2, 3, 4, 5, 6, 0.25f, 0.5f, 0.75f};
  char path[128];
  snprintf(path, sizeof path, "%s/linear.safetensors", shell->folder);
  FILE *file = fopen(path, "wb");
  cr_assert(file != NULL);
  uint64_t length = sizeof header - 1;
  fwrite(&length, 8, 1, file);
  fwrite(header, 1, length, file);
  fwrite(numbers, sizeof *numbers, 9, file);
  fclose(file);
}

Test(examples, weights_of_another_library_give_its_results) {
  Shell *shell = shell_open();
  write_linear(shell);
  shell_run(shell, "cat > linear.nn <<'end'\n"
                   "model net(x: f32[2]) -> f32[3] { x |> dense(3) }\n"
                   "train {\n"
                   "  load: from(\"linear.safetensors\", layout: pytorch, into: net.dense_0, part: \"fc\",\n"
                   "             rename: [weight: \"w\", bias: \"b\"])\n"
                   "  step () { minimize reduce_sum(net(ones([1, 2]))) using sgd }\n"
                   "}\nend\n"
                   "printf 'a,b\\n1,0\\n0,1\\n' > rows.csv; $NNC predict linear.nn rows.csv");
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_printed(shell, "1,1.25,3.5,5.75\n2,2.25,4.5,6.75\n"), "%s", shell->output);
  shell_run(shell, "sed -i 's/layout: pytorch, //' linear.nn; $NNC predict linear.nn rows.csv");
  cr_assert(shell->status == 1, "%s", shell->output);
  cr_assert(shell_printed(shell, "linear.safetensors: net.dense_0.w is f32[3, 2] in the file, but f32[2, 3] here; "
                                 "`layout: pytorch` would turn it\n"),
            "%s", shell->output);
  shell_close(shell);
}

Test(examples, the_generator_imitates_its_distribution) {
  Shell *shell = shell_open();
  must_run(shell, "gan.nn");
  double mean = shell_number(shell, "mean");
  cr_assert(mean > 3 && mean < 5, "mean %g\n%s", mean, shell->output);
  shell_close(shell);
}

Test(examples, rows_of_digits_are_read_by_attention) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC test transformer.nn") == 0, "%s", shell->output);
  must_run(shell, "transformer.nn");
  double accuracy = shell_number(shell, "accuracy");
  cr_assert(accuracy > 0.95, "test accuracy %g\n%s", accuracy, shell->output);
  shell_close(shell);
}

Test(examples, digits_are_said_backwards) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC test reversal.nn") == 0, "%s", shell->output);
  must_run(shell, "reversal.nn");
  cr_assert(shell_number(shell, "right") > 0.99, "%s", shell->output);
  shell_close(shell);
}

// A small one, on a text that says the same again and again.
Test(examples, the_gpt_learns_a_text) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  shell_run(shell, "$NNC test gpt.nn");
  cr_assert(shell->status == 0, "%s", shell->output);
  shell_run(shell, "for i in $(seq 300); do echo \"$i pages hence the quick brown fox leaps over that lazy dog\"; done"
                   " > psalms.txt; $NNC run gpt.nn --set layers=2 --set width=64 --set heads=4 --set window=32"
                   " --set drop=0.0 --set vocabulary=38 --steps 300 --batch 16");
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_number(shell, "val.loss") < 1, "%s", shell->output);
  shell_close(shell);
}

Test(examples, damaged_letters_are_recalled) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC test hopfield.nn") == 0, "%s", shell->output);
  must_run(shell, "hopfield.nn");
  cr_assert(shell_number(shell, "recalled") > 0.99, "%s", shell->output);
  cr_assert(shell_number(shell, "largest_rise") < 1e-4, "%s", shell->output);
  cr_assert(shell_number(shell, "energy_after") < shell_number(shell, "energy_before") - 10, "%s", shell->output);
  shell_close(shell);
}

Test(examples, the_boltzmann_machine_makes_up_digits) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC test boltzmann.nn") == 0, "%s", shell->output);
  shell_run(shell, "$NNC run boltzmann.nn --epochs 1 --no-save");
  double first = shell_number(shell, "error");
  must_run(shell, "boltzmann.nn");
  double last = shell_number(shell, "error");
  cr_assert(last < 0.06 && last < first / 2, "error %g, after an epoch %g\n%s", last, first, shell->output);
  cr_assert(shell_number(shell, "gap") > 50, "%s", shell->output);
  cr_assert(shell_number(shell, "unlike") < 0.03, "%s", shell->output);
  shell_close(shell);
}

Test(examples, the_backpropagation_exercise) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC test backprop.nn") == 0, "%s", shell->output);
  shell_close(shell);
}

Test(examples, mnist_reaches_97_8_percent, .timeout = 300) {
  skip_with_sanitizers();
  if (!shell_data())
    cr_skip("skipped: MNIST is not here");
  Shell *shell = shell_open();
  shell_run(shell, "$NNC run mnist.nn --set folder='\"%s/mnist\"'", shell_data());
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_number(shell, "accuracy") >= 0.978, "%s", shell->output);
  shell_close(shell);
}

// ---- networks of convolutions; where the whole run takes minutes, a smaller one with a lower mark

// The value of the last line that prints `key` is above `mark`.
static void must_reach(const char *command, const char *key, double mark) {
  Shell *shell = shell_open();
  shell_run(shell, "%s", command);
  cr_assert(shell->status == 0, "%s: exit status %d\n%s", command, shell->status, shell->output);
  double value = shell_number(shell, key);
  cr_assert(value > mark, "%s: %s is %g\n%s", command, key, value, shell->output);
  shell_close(shell);
}

Test(examples, mnist_by_convolutions_reaches_98_5_percent, .timeout = 600) {
  skip_with_sanitizers();
  if (!shell_data())
    cr_skip("skipped: MNIST is not here");
  char command[512];
  snprintf(command, sizeof command, "$NNC run mnist_cnn.nn --set folder='\"%s/mnist\"'", shell_data());
  must_reach(command, "accuracy", 0.985);
}

Test(examples, fashion_mnist_is_learnt, .timeout = 300) {
  skip_with_sanitizers();
  if (access("/usr/share/datasets/fashion-mnist", R_OK))
    cr_skip("skipped: dataset-fashion-mnist is not installed");
  must_reach("$NNC run fashion_mnist.nn --set samples=3000 --set rate=0.05 --set rising=30 --batch 32 --epochs 2",
             "accuracy", 0.72);
}

Test(examples, unet_finds_shapes, .timeout = 300) {
  skip_with_sanitizers();
  must_reach("$NNC run unet_shapes.nn --set samples=700 --epochs 5", "mean_iou", 0.4);
}

// ---- recurrent networks

Test(examples, an_lstm_foretells_passengers_better_than_a_line, .timeout = 120) {
  Shell *shell = shell_open();
  must_run(shell, "airline_lstm.nn");
  double recurrent = shell_number(shell, "mae");
  shell_run(shell, "$NNC run airline_lstm.nn linear");
  cr_assert(recurrent < 0.18 && recurrent < shell_number(shell, "mae"), "%g\n%s", recurrent, shell->output);
  shell_run(shell, "$NNC predict airline_lstm.nn airline.csv --plot lstm.svg && "
                   "$NNC predict airline_lstm.nn airline.csv linear --plot linear.svg && cat *.svg");
  cr_assert_eq(shell->status, 0, "%s", shell->output);
  static const char *const drawn[] = {">forecaster on airline.csv<", ">autoregression on airline.csv<", ">test<",
                                      ">1952<"};
  for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
    cr_expect(shell_printed(shell, drawn[i]), "%s: %s", drawn[i], shell->output);
  shell_close(shell);
}

Test(examples, digits_are_read_row_by_row, .timeout = 300) {
  must_reach("$NNC run digits_lstm.nn --epochs 6", "accuracy", 0.86);
}

Test(examples, an_lstm_learns_psalms, .timeout = 300) {
  skip_with_sanitizers();
  must_reach("$NNC run char_lstm.nn --set units=64 --epochs 1", "val.accuracy", 0.28);
}

Test(examples, dates_are_rewritten_sign_by_sign, .timeout = 300) {
  skip_with_sanitizers();
  must_reach("$NNC run dates_lstm.nn --epochs 5", "right", 0.95);
}

// ---- what a person does wrong on the command line: said at once, in one line, with exit status 1 or argp's 64

Test(command_line, numbers_out_of_range) {
  shell_says("$NNC run xor.nn --threads 99999999999", 64, "--threads: `99999999999` is more than 4096");
  shell_says("$NNC run xor.nn --seed 99999999999999999999", 64, "is more than");
  shell_says("$NNC run xor.nn --batch 0", 64, "`0` is not a whole number of 1 or more");
}

Test(command_line, unknown_processor) {
  shell_says("$NNC emit asm xor.nn --target-cpu bogus", 64, "`bogus` is no processor that nnc knows");
  shell_says("$NNC build xor.nn --backend llvm --target-cpu bogus -o x", 64, "`bogus` is no processor that nnc knows");
}

Test(command_line, parts_of_a_file) {
  shell_says("$NNC plan xor.nn gate", 0, "gate_predict (batch 1)");
  shell_says("$NNC plan xor.nn", 0, "train_step (batch 4)");
  shell_says("$NNC emit graph xor.nn gate", 0, "function gate_predict");
  shell_says("$NNC plan xor.nn gat", 1, "xor.nn has no train block and no model with inputs named `gat`");
  shell_says("$NNC models xor.nn", 0,
             "gate                                         33            0                 24");
  shell_says("$NNC models", 64, "nnc models FILE");
  shell_says(": > a.nn; $NNC models a.nn", 0, "a.nn has no model with inputs");
}

// Whose functions could have one name.
Test(command_line, a_block_named_predict_and_a_model_named_step) {
  shell_says(
      "sed 's/^train/train predict/; s/classifier/step/' digits.nn > a.nn; head -n 2 digits.csv > b.csv; "
      "$NNC run a.nn --quiet --epochs 1 && $NNC build a.nn -o a && ./a predict b.csv > c && $NNC predict a.nn b.csv "
      "| cmp - c && wc -l c",
      0, "2 c");
}

// Shapes within tests and data count too.
Test(command_line, a_file_is_checked) {
  shell_says("$NNC check digits.nn && echo fine $(ls | grep -c safetensors)", 0, "fine 0");
  shell_says("sed 's/dense(128)/dens(128)/' digits.nn > a.nn; $NNC check a.nn", 1, "hint: did you mean `dense`?");
  shell_says("sed 's/digits.csv/none.csv/' digits.nn > a.nn; $NNC check a.nn", 1, "cannot open");
  shell_says("printf 'test \"t\" { expect zeros([2]) + zeros([3]) == 0 }\\n' > a.nn; $NNC check a.nn", 1,
             "a.nn:1:19: error:");
  shell_says("$NNC check", 64, "nnc check FILE");
}

Test(command_line, nothing_to_do) {
  shell_says(": > a.nn; $NNC build a.nn", 1, "a.nn has no train block and no model: there is nothing to build");
  shell_says(": > a.nn; $NNC run a.nn", 1, "a has no train block");
  shell_says(": > a.nn; $NNC test a.nn", 0, "a.nn has no `test` block");
}

Test(command_line, outputs_that_cannot_be) {
  shell_says("mkdir a; $NNC build xor.nn -o a", 1, "cannot write a: it is a folder");
  shell_says("$NNC build xor.nn -o nowhere/x", 1, "cannot write nowhere/x: No such file or directory");
  shell_says("mkdir a; $NNC run xor.nn --checkpoint a", 1, "checkpoints cannot be written to a: it is a folder");
}

Test(command_line, a_full_device) {
  static const char lost[] = "error: cannot write to standard output";
  shell_says("$NNC run xor.nn > /dev/full", 1, lost);
  shell_says("$NNC test backprop.nn > /dev/full", 1, lost);
  shell_says("$NNC emit c xor.nn > /dev/full", 1, lost);
  shell_says("$NNC plan xor.nn > /dev/full", 1, lost);
  shell_says("$NNC --help > /dev/full", 1, lost);
  shell_says("$NNC emit ast xor.nn >&-", 1, lost);
  shell_says("$NNC run xor.nn --quiet > /dev/full", 0, "");
}

// A C compiler that dies, as gcc 12 does of some loops, is asked for less; what it said is for nobody then.
Test(command_line, a_compiler_that_dies_of_vectors) {
  Shell *shell = shell_open();
  shell_write(shell, "cc.sh",
              "#!/bin/sh\n"
              "case \"$*\" in *-fno-tree-vectorize*) exec gcc \"$@\";; esac\n"
              "echo 'net.c:1:1: internal compiler error: Segmentation fault' >&2; exit 1\n");
  shell_must_run(shell,
                 "chmod +x cc.sh && cp " NNC_SOURCE_DIR "/examples/xor.nn . && $NNC build xor.nn --cc ./cc.sh -o xor");
  cr_expect_not(shell_printed(shell, "internal compiler error"), "%s", shell->output);
  shell_must_run(shell, "./xor train --quiet --no-save");
  shell_write(shell, "cc.sh", "#!/bin/sh\necho 'net.c:1:1: internal compiler error: always' >&2; exit 1\n");
  cr_expect_eq(shell_run(shell, "$NNC build xor.nn --cc ./cc.sh -o xor"), 1, "%s", shell->output);
  cr_expect(shell_printed(shell, "internal compiler error: always"), "%s", shell->output);
  cr_expect(shell_printed(shell, "nnc: the C compiler `./cc.sh` failed"), "%s", shell->output);
  shell_close(shell);
}

Test(command_line, a_full_device_under_an_executable) {
  skip_with_sanitizers();
  static const char lost[] = "error: cannot write to standard output";
  shell_says("$NNC build xor.nn -o xor && ./xor train > /dev/full", 1, lost);
  shell_says("$NNC build iris.nn -o iris && ./iris train -q && ./iris eval > /dev/full", 1, lost);
  shell_says("$NNC build iris.nn -o iris && ./iris train -q && ./iris predict iris.csv > /dev/full", 1, lost);
  shell_says("$NNC build iris.nn -o iris && ./iris info > /dev/full", 1, lost);
}

// ---- executables away from where they were made
Test(elsewhere, files_beside_the_executable_are_found) {
  skip_with_sanitizers();
  shell_says("mkdir a b && mv iris.* a && $NNC build a/iris.nn -o a/iris && cd b && ../a/iris train --epochs 5", 0,
             "test  loss");
  shell_says("mkdir a b && mv iris.* a && cd a && $NNC run iris.nn -q && $NNC build iris.nn && cd ../b && cp "
             "../a/iris.csv rows.csv &&"
             " ../a/iris predict rows.csv && ../a/iris eval",
             0, "test  loss");
  shell_says("mkdir a && mv iris.* a && cd a && $NNC run iris.nn -q --epochs 9 && $NNC build iris.nn && cd / &&"
             " \"$OLDPWD/iris\" train --resume --epochs 12",
             0, "epoch 10/12");
}

Test(elsewhere, files_that_are_nowhere_are_named) {
  skip_with_sanitizers();
  shell_says("mkdir a && $NNC build iris.nn -o a/iris && rm iris.csv && a/iris train", 1,
             "iris.nn:2:20: error: cannot open `iris.csv`, nor `/tmp/nnc-test-");
  shell_says("mkdir a && $NNC build iris.nn -o a/iris && a/iris eval", 1,
             "error: there is no checkpoint iris.safetensors, nor /tmp/nnc-test-");
  shell_says("rm iris.csv; $NNC run iris.nn", 1,
             "iris.nn:2:20: error: cannot open `iris.csv`: No such file or directory");
  shell_says("mkdir a && mv iris.* a && $NNC build a/iris.nn -o a/iris && cp a/iris.csv a/rows.csv && a/iris train -q "
             "--checkpoint c &&"
             " a/iris predict rows.csv --checkpoint c",
             1, "error: rows.csv: cannot read it: No such file");
}

// `script` gives the command a terminal.
Test(command_line, terminals_without_colours) {
  static const char *const cases[] = {"TERM=xterm", "TERM=xterm NO_COLOR=", "TERM=xterm NO_COLOR=1", "TERM=dumb",
                                      "TERM="};
  Shell *shell = shell_open();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    shell_run(shell,
              "echo 'const a = b' > bad.nn; unset NO_COLOR; export %s;"
              "script -qec \"$NNC run bad.nn\" /dev/null | grep -c '\033'",
              cases[i]);
    cr_expect_eq(shell->status, i < 2 ? 0 : 1, "%s: %s", cases[i], shell->output);
    shell_run(shell, "export %s; script -qec \"$NNC run digits.nn --epochs 30\" /dev/null | grep -c '\033'", cases[i]);
    cr_expect_eq(shell->status, i < 3 ? 0 : 1, "%s: %s", cases[i], shell->output);
  }
  shell_close(shell);
}

Test(command_line, tests_need_no_data) {
  shell_says(
      "printf 'test \"the model\" { expect shape(species(ones([5, 4]))) == [5, 3] }\\n' >> iris.nn; rm iris.csv; "
      "$NNC test iris.nn",
      0, "1 passed, 0 failed");
}

Test(command_line, debuggers_find_the_lines_of_the_source) {
  skip_with_sanitizers();
  shell_says("$NNC build xor.nn -g -o x && objdump --dwarf=decodedline x | grep -c '^xor.nn  *5 '", 0, "");
  shell_says("$NNC build xor.nn -o x && objdump --dwarf=decodedline x | grep -c xor.nn", 1, "0");
}

Test(command_line, files_with_carriage_returns_and_blanks) {
  shell_says("mkdir 'a b'; sed 's/$/\\r/' iris.csv > 'a b/iris.csv'; sed 's/$/\\r/' iris.nn > 'a b/my iris.nn'; "
             "cd /; $NNC run \"$OLDPWD/a b/my iris.nn\" --epochs 1",
             0, "epoch 1/1");
}

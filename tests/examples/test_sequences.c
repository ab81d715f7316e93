// Sequences from the file to the prediction: a series foretold in its own units, text learnt with the same bits however a
// program runs, and refused once its tokens have changed.
#include <criterion/criterion.h>
#include <stdio.h>

#include "shell.h"

// Twelve months and an affine map foretell the thirteenth; in December 1960 432 thousand passengers flew.
Test(sequences, a_series_is_foretold_in_its_own_units) {
  Shell *shell = shell_open();
  shell_write(shell, "air.nn",
              "data air = series(\"airline.csv\", columns: \"passengers\", window: 12, history: true) |> standardize\n"
              "  |> split(test: 24)\n"
              "model next(x: f32[12, 1]) -> f32[1] { x |> flatten |> dense(1) }\n"
              "train { model: next; data: air; loss: mse; optimizer: adam(lr: 1e-2); batch: 16; epochs: 200\n"
              "  save: best(loss, to: \"air.safetensors\") }\n");
  shell_must_run(shell, "$NNC run air.nn --quiet");
  shell_must_run(shell, "$NNC predict air.nn airline.csv");
  cr_assert(shell_printed(shell, "\n133,"), "%s", shell->output); // 144 - 12 + 1 windows
  shell_must_run(shell, "$NNC predict air.nn airline.csv | sed -n 's/^132,/december /p'");
  double december = shell_number(shell, "december");
  cr_assert(december > 380 && december < 480, "%s", shell->output);
  shell_close(shell);
}

// X(t) = 0.5 + 0.6 X(t-1) - 0.3 X(t-2) + noise: a linear map of the last two finds the coefficients.
Test(sequences, an_autoregression_is_recovered) {
  Shell *shell = shell_open();
  shell_must_run(shell, "awk 'BEGIN { s = 7; print \"x\"; for (t = 0; t < 4000; t++) { s = s * 16807 % 2147483647;\n"
                        "  x = 0.5 + 0.6 * a - 0.3 * b + s / 2147483647 - 0.5; b = a; a = x; print x } }' > ar.csv\n"
                        "printf 'x\n0\n0\n1\n0\n' > ones.csv");
  shell_write(shell, "ar.nn",
              "data d = series(\"ar.csv\", window: 2)\n"
              "model ar(x: f32[2, 1]) -> f32[1] { x |> flatten |> dense(1) }\n"
              "train { model: ar; data: d; loss: mse; optimizer: sgd(lr: 0.02); batch: 16; epochs: 8\n"
              "  save: every(1, to: \"ar.safetensors\") }\n");
  shell_must_run(shell, "$NNC run ar.nn --quiet; $NNC predict ar.nn ones.csv");
  double c, first, second; // of 0 0, 0 1 and 1 0
  cr_assert(sscanf(shell->output, "row,y\n1,%lf\n2,%lf\n3,%lf", &c, &first, &second) == 3, "%s", shell->output);
  cr_assert_float_eq(c, 0.5, 0.05);
  cr_assert_float_eq(first - c, 0.6, 0.05);
  cr_assert_float_eq(second - c, -0.3, 0.05);
  shell_close(shell);
}

// The sample of text is the table of passengers: 49 windows, 13 steps an epoch.
static Shell *letters(void) {
  Shell *shell = shell_open();
  shell_write(shell, "letters.nn",
              "data d = text(\"airline.csv\", as: chars, window: 32) |> split(val: 0.1)\n"
              "model m(x: i64[32]) -> f32[32, 24] {\n  param w: f32[24, 24] = normal(0.1)\n  take(w, x)\n}\n"
              "train { model: m; data: d; loss: cross_entropy; optimizer: adam(lr: 1e-2); batch: 4; epochs: 5\n"
              "  metrics: [accuracy]; save: every(1, to: \"m.safetensors\") }\n");
  shell_must_run(shell, "$NNC run letters.nn --threads 2 && cp m.safetensors whole.safetensors");
  return shell;
}

static void must_match(Shell *shell, const char *what) {
  cr_assert(shell_same_files(shell, "whole.safetensors", "m.safetensors"), "%s: other bits", what);
}

Test(sequences, text_has_the_same_bits_resumed_and_built) {
  Shell *shell = letters();
  cr_assert(shell_number(shell, "val.loss") < 3, "%s", shell->output); // log 24 is 3.18
  shell_must_run(shell, "rm m.*; $NNC run letters.nn --quiet --threads 1");
  must_match(shell, "one thread");
  shell_must_run(shell, "$NNC run letters.nn --quiet --steps 17 && $NNC run letters.nn --quiet --resume");
  must_match(shell, "resumed within an epoch");
  shell_must_run(shell, "$NNC build letters.nn -o letters && ./letters train --quiet");
  must_match(shell, "built");
  shell_must_run(
      shell, "$NNC predict letters.nn airline.csv > a && ./letters predict airline.csv > b && cmp a b && head -2 a");
  cr_assert(shell_printed(shell, "row,position,class,probability\n1,1,"), "%s", shell->output);
  shell_close(shell);
}

// Batches of similar length, whose scans end behind the longest: 16 steps an epoch.
Test(sequences, buckets_have_the_same_bits_resumed_and_built) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  shell_write(
      shell, "words.nn",
      "data d = texts(\"dates.csv\", text: \"written\", label: \"iso\", length: 24) |> take(250) |> bucket(pool: 4)\n"
      "model m(x: i64[24]) -> f32[1200] {\n  n = reduce_sum(cast(x != 0, i64), axis: -1)\n"
      "  one_hot(x, 48) |> bidirectional(gru, units: 32, lengths: n, sequence: false) |> dense(1200)\n}\n"
      "train { model: m; data: d; loss: cross_entropy; optimizer: adam(lr: 1e-2); batch: 16; epochs: 3\n"
      "  save: every(1, to: \"m.safetensors\") }\n");
  shell_must_run(shell, "$NNC run words.nn --quiet --threads 2 && cp m.safetensors whole.safetensors");
  shell_must_run(shell, "rm m.*; $NNC run words.nn --quiet --threads 1");
  must_match(shell, "one thread");
  shell_must_run(shell, "$NNC run words.nn --quiet --steps 21 && $NNC run words.nn --quiet --resume --threads 3");
  must_match(shell, "resumed within an epoch");
  shell_must_run(shell, "$NNC build words.nn -o words && ./words train --quiet --threads 2");
  must_match(shell, "built");
  shell_must_run(shell, "rm m.*; $NNC run words.nn --quiet --disable=cse --disable=hoist --disable=fuse");
  must_match(shell, "passes left out");
  shell_close(shell);
}

Test(sequences, text_whose_tokens_have_changed_is_refused) {
  Shell *shell = letters();
  shell_must_run(shell, "sed -i s/p/X/ airline.csv");
  static const char *const commands[] = {"eval letters.nn", "predict letters.nn airline.csv",
                                         "run letters.nn --resume"};
  for (int i = 0; i < 3; i++) {
    cr_assert(shell_run(shell, "$NNC %s", commands[i]) == 1, "%s", shell->output);
    cr_assert(shell_printed(shell, "was trained on other tokens than data `d` has now"), "%s", shell->output);
  }
  shell_close(shell);
}

// `nnc build --embed` and --check-nan, as a user meets them.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shell.h"

// Reads the first five rows of digits.csv and prints, for each, its class and probability as `nnc predict` does.
static const char caller[] = "#include <stdio.h>\n#include <stdlib.h>\n#include \"digits.h\"\n"
                             "static _Alignas(64) char workspace[DIGITS_WORKSPACE_BYTES];\n"
                             "int main(void) {\n"
                             "  static float x[5 * 64], y[5 * 10];\n"
                             "  char line[4096];\n"
                             "  FILE *file = fopen(\"five.csv\", \"r\");\n"
                             "  if (!file || !fgets(line, sizeof line, file)) return 1;\n"
                             "  for (int i = 0; i < 5 && fgets(line, sizeof line, file); i++) {\n"
                             "    char *at = line;\n"
                             "    for (int j = 0; j < 64; j++, at++) x[i * 64 + j] = strtof(at, &at) / 16;\n"
                             "  }\n"
                             "  digits_classifier(x, y, 5, workspace);\n"
                             "  puts(\"row,class,probability\");\n"
                             "  for (int i = 0; i < 5; i++) {\n"
                             "    int best = 0;\n"
                             "    for (int j = 1; j < 10; j++) if (y[i * 10 + j] > y[i * 10 + best]) best = j;\n"
                             "    printf(\"%d,%d,%.6f\\n\", i + 1, best, (double)y[i * 10 + best]);\n"
                             "  }\n"
                             "  return 0;\n}\n";

static void embed_with(const char *cc) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC run digits.nn --quiet --epochs 2 && head -n 6 digits.csv > five.csv") == 0, "%s",
            shell->output);
  cr_assert(shell_run(shell, "$NNC build digits.nn --embed made") == 0, "%s", shell->output);
  cr_assert(shell_run(shell, "cat > caller.c <<'END'\n%sEND", caller) == 0);
  shell_run(shell,
            "%s -std=c11 -O2 -march=native -ffp-contract=off -Wall -Wextra -Werror -Imade caller.c made/digits.c -lm "
            "-o caller",
            cc);
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_run(shell, "./caller > mine.csv && $NNC predict digits.nn five.csv > theirs.csv") == 0, "%s",
            shell->output);
  cr_assert(shell_same_files(shell, "mine.csv", "theirs.csv"));
  cr_assert(shell_run(shell, "! ldd caller | grep -vE 'libc\\.|libm\\.|linux-vdso|ld-linux'") == 0, "%s",
            shell->output);
  shell_close(shell);
}

Test(embed, gives_what_predict_gives_with_gcc) {
  embed_with("gcc");
}
Test(embed, gives_what_predict_gives_with_clang) {
  embed_with("clang-19");
}

// Names that would end a comment, or go on with it.
Test(embed, class_names_stay_in_their_comment) {
  Shell *shell = shell_open();
  shell_run(
      shell,
      "printf 'a,b\\n1,\"x\\nint y\"\\n2,z\\\\\\n3,z\\\\\\n' > odd.csv\n"
      "cat > odd.nn <<'END'\n"
      "data d = csv(\"odd.csv\", label: \"b\")\n"
      "model m(x: f32[1]) -> f32[2] { x |> dense(2) }\n"
      "train { model: m; data: d; loss: cross_entropy; optimizer: sgd(lr: 0.1); epochs: 1\n"
      "  save: best(loss, to: \"m.safetensors\") }\n"
      "END\n"
      "$NNC run odd.nn --quiet && $NNC build odd.nn --embed=odd && gcc -Werror -Wcomment -fsyntax-only odd/odd.h &&\n"
      "grep -c 'class [01]: \".*\"$' odd/odd.h");
  cr_assert(shell->status == 0 && shell_printed(shell, "2\n"), "%s", shell->output);
  shell_close(shell);
}

// Kernels that threads would share, truth values, a scan that ends behind the longest sample: no runtime is asked for.
Test(embed, recurrent_models_stand_alone) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  shell_write(shell, "words.nn",
              "data d = texts(\"dates.csv\", text: \"written\", label: \"iso\", length: 24) |> take(250)\n"
              "model m(x: i64[24]) -> f32[1200] {\n  n = reduce_sum(cast(x != 0, i64), axis: -1)\n"
              "  one_hot(x, 48) |> dense(64) |> lstm(64, lengths: n) |> flatten |> dense(1200)\n}\n"
              "train { model: m; data: d; loss: cross_entropy; optimizer: adam; batch: 50; epochs: 1\n"
              "  save: every(1, to: \"m.safetensors\") }\n");
  shell_must_run(shell, "$NNC run words.nn --quiet && $NNC build words.nn --embed=words && cd words &&\n"
                        "gcc -std=c11 -O1 -Wall -Wextra -Werror -c words.c && ! nm -u words.o | grep nnrt_ &&\n"
                        "! grep 'nnrt_\\|pragma omp [mfp]' words.c && grep -c 'step_0 < steps_0' words.c");
  shell_close(shell);
}

Test(embed, wants_weights) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC build digits.nn --embed made") == 1);
  cr_assert(shell_printed(shell, "digits.safetensors"), "%s", shell->output);
  shell_close(shell);
}

static const char bad_logarithm[] = "data points = values(x: [[0.0], [1.0]], y: [[0.0], [1.0]])\n"
                                    "model m(x: f32[1]) -> f32[1] {\n"
                                    "  y = dense(x, 4)\n"
                                    "  z = log(y - 100)\n"
                                    "  dense(z, 1)\n}\n"
                                    "train { model: m; data: points; loss: mse; optimizer: sgd(lr: 0.1); epochs: 2 }\n";

Test(check_nan, names_the_first_tensor_and_its_line) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "cat > bad.nn <<'END'\n%sEND", bad_logarithm) == 0);
  cr_assert(shell_run(shell, "$NNC run bad.nn --quiet") == 1);
  cr_assert(shell_printed(shell, "loss became nan in step 0"), "%s", shell->output);
  cr_assert(shell_run(shell, "$NNC run bad.nn --quiet --check-nan") == 1);
  cr_assert(shell_printed(shell, "bad.nn:4: kernel m_log gave the first NaN"), "%s", shell->output);
  cr_assert(shell_run(shell, "$NNC build bad.nn -o bad --check-nan && ./bad train --quiet --check-nan") == 1);
  cr_assert(shell_printed(shell, "bad.nn:4: kernel m_log gave the first NaN"), "%s", shell->output);
  shell_close(shell);
}

Test(check_nan, changes_no_bit) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC run digits.nn --quiet --epochs 1 --checkpoint a.safetensors") == 0);
  cr_assert(shell_run(shell, "$NNC run digits.nn --quiet --epochs 1 --checkpoint b.safetensors --check-nan") == 0);
  cr_assert(shell_same_files(shell, "a.safetensors", "b.safetensors"));
  shell_close(shell);
}

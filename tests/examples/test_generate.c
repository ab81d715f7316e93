// Text from a small recurrent model of characters: what it has learnt, the same from nnc and an executable, streamed; and
// what is said where there can be none.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shell.h"

static void must_say(Shell *shell, const char *command, const char *part) {
  cr_assert(shell_run(shell, "%s", command) != 0, "%s\n%s", command, shell->output);
  cr_assert(shell->status < 128 && shell_printed(shell, part), "%s: %d\n%s", command, shell->status, shell->output);
}

// One line again and again: after a prompt only one text can come, and of a blank, an a or a t more must be remembered
// than the last character.
static const char program[] = "data d = text(\"cat.txt\", as: KIND, window: 12, stride: 1) |> split(val: 0.1)\n"
                              "model m(x: i64[12]) -> f32[12, SIZE] {\n"
                              "  param e: f32[SIZE, 24] = normal(0.3)\n"
                              "  param u: f32[24, 24] = normal(0.2)\n"
                              "  h = scan xt in take(e, x) along -2 with h = zeros([..., 24]) {\n"
                              "    h = tanh(xt + h @ u)\n"
                              "    yield h\n"
                              "  }\n"
                              "  h |> dense(SIZE)\n"
                              "}\n"
                              "train { model: m; data: d; loss: cross_entropy; optimizer: adam(lr: 1e-2); batch: 32\n"
                              "  epochs: 6; save: every(1, to: \"cat.safetensors\") }\n";

// A folder with cat.nn, of this line of so many tokens.
static Shell *untrained(const char *line, const char *kind, int size) {
  Shell *shell = shell_open();
  shell_write(shell, "line", line);
  shell_write(shell, "cat.nn", program);
  cr_assert(shell_run(shell, "for i in $(seq 60); do cat line; done > cat.txt; sed -i 's/KIND/%s/; s/SIZE/%d/g' cat.nn",
                      kind, size) == 0);
  return shell;
}

static Shell *trained(const char *line, const char *kind, int size) {
  Shell *shell = untrained(line, kind, size);
  shell_must_run(shell, "$NNC run cat.nn --quiet");
  return shell;
}

static Shell *cat(void) {
  return trained("the cat sat on the mat\n", "chars", 11);
}

Test(generate, text_goes_on_from_its_prompt) {
  Shell *shell = cat();
  shell_must_run(shell, "$NNC generate cat.nn --prompt th --length 44 --temperature 0");
  cr_assert_str_eq(shell->output, "the cat sat on the mat\nthe cat sat on the mat\n");
  shell_must_run(shell, "$NNC generate cat.nn --prompt 'the cat sat on the mat\nthe c' --length 4 --temperature 0");
  cr_assert_str_eq(shell->output, "the cat sat on the mat\nthe cat s\n");
  shell_must_run(shell, "$NNC generate cat.nn --length 3 --top-k 1"); // as behind a new line
  cr_assert_str_eq(shell->output, "the\n");
  shell_must_run(shell, "$NNC generate cat.nn | wc -c");
  cr_assert(shell_printed(shell, "256") || shell_printed(shell, "257"), "%s", shell->output);
  shell_close(shell);
}

Test(generate, a_seed_gives_the_same_text_everywhere) {
  skip_with_sanitizers();
  Shell *shell = cat();
  shell_must_run(shell, "$NNC build cat.nn -o cat 2>&1 && $NNC build cat.nn -o cat2 --backend llvm");
  static const char *const options[] = {"--prompt the --temperature 2",
                                        "--prompt a --temperature 1.5 --seed 8 --top-k 6",
                                        "--temperature 3 --seed 5 --top-p 0.95 --length 400"};
  for (int i = 0; i < 3; i++) {
    cr_assert(shell_run(shell,
                        "$NNC generate cat.nn --threads 2 %s > a && ./cat generate %s > b && "
                        "./cat2 generate --threads 1 %s > c && $NNC generate cat.nn --disable stream %s > d && "
                        "cmp a b && cmp a c && cmp a d",
                        options[i], options[i], options[i], options[i]) == 0,
              "%s\n%s", options[i], shell->output);
  }
  shell_must_run(shell,
                 "./cat generate --temperature 3 > a; ./cat generate --temperature 3 --seed 1 > b; ! cmp -s a b");
  shell_must_run(shell,
                 "mkdir far && cp cat cat.safetensors far && cd far && rm ../cat.txt && ./cat generate --prompt th "
                 "--length 20 --temperature 0"); // the text itself is not needed
  cr_assert_str_eq(shell->output, "the cat sat on the mat\n");
  shell_close(shell);
}

// Weights that another program has saved are those of this one's text.
Test(generate, a_block_that_saves_nothing_has_the_tokens_of_its_text) {
  Shell *shell = cat();
  shell_must_run(shell, "sed 's/save: every(1, to: \\(.*\\))/load: \\1/' cat.nn > loads.nn && grep -q load: loads.nn");
  shell_must_run(shell, "$NNC generate loads.nn --prompt 'the c' --length 17 --temperature 0");
  cr_assert_str_eq(shell->output, "the cat sat on the mat\n");
  shell_close(shell);
}

// A model that looks back by attention: what stands behind the last token changes nothing, nor that the window moves.
Test(generate, text_by_attention) {
  skip_with_sanitizers();
  Shell *shell = untrained("the cat sat on the mat\n", "chars", 11);
  shell_must_run(shell,
                 "sed 's/vocabulary = 63/vocabulary = 11/; s/psalms.txt/cat.txt/; s/batch: 64;  steps: 5000/batch: 16;"
                 " steps: 200/' gpt.nn > small.nn");
  static const char set[] = "--set layers=2 --set width=32 --set heads=2 --set window=16 --set drop=0.0";
  cr_assert(shell_run(shell, "$NNC run small.nn --quiet %s && $NNC build small.nn -o small %s", set, set) == 0, "%s",
            shell->output);
  shell_run(shell, "$NNC generate small.nn --prompt th --length 44 --temperature 0 %s", set);
  cr_assert_str_eq(shell->output, "the cat sat on the mat\nthe cat sat on the mat\n");
  cr_assert(
      shell_run(shell,
                "$NNC generate small.nn --seed 4 --length 80 %s > a && ./small generate --seed 4 --length 80 "
                "> b && cmp a b && $NNC generate small.nn --disable stream --seed 4 --length 80 %s > c && cmp a c",
                set, set) == 0,
      "%s", shell->output);
  shell_close(shell);
}

Test(generate, a_reader_that_leaves_ends_it) {
  Shell *shell = cat();
  shell_must_run(shell, "(timeout 60 $NNC generate cat.nn --length 1000000000; echo $? > status) | head -c 2; "
                        "test $(cat status) = 141"); // by SIGPIPE
  must_say(shell, "timeout 60 $NNC generate cat.nn --length 1000000000 > /dev/full",
           "error: cannot write to standard output: No space left on device");
  shell_close(shell);
}

Test(generate, characters_of_byte_models_come_whole) {
  Shell *shell = trained("größer 5 €\n", "bytes", 256);
  shell_must_run(shell, "$NNC generate cat.nn --prompt gr --length 13 --temperature 0");
  cr_assert_str_eq(shell->output, "größer 5 €\n");
  shell_must_run(shell, "$NNC generate cat.nn --prompt gr --length 11 --temperature 0"); // ends within the last
  cr_assert_str_eq(shell->output, "größer 5 \uFFFD\uFFFD\n");
  shell_must_run(shell,
                 "$NNC generate cat.nn --prompt \"$(printf 'gr\\303')\" --length 4 --temperature 0"); // begins within
  cr_assert_str_eq(shell->output, "größe\n");
  shell_close(shell);
}

// Of 9 values 8 have tokens. An unknown word may be in a prompt, and is never drawn.
Test(generate, words) {
  Shell *shell = trained("the cat, it's on the mat\n", "words, vocabulary: 9", 9);
  shell_must_run(shell, "$NNC generate cat.nn --prompt 'the dog' --length 6 --temperature 0");
  shell_must_run(shell, "$NNC generate cat.nn --prompt 'the cat' --length 6 --temperature 0");
  cr_assert_str_eq(shell->output, "the cat, it's on the mat\n");
  shell_must_run(shell, "$NNC generate cat.nn --length 2000 --temperature 100");
  cr_assert(!shell_printed(shell, "\uFFFD") && shell_printed(shell, " mat mat"), "%s", shell->output);
  shell_close(shell);
}

Test(generate, prompts_that_are_refused) {
  Shell *shell = cat();
  must_say(shell, "$NNC generate cat.nn --prompt 'the dog'", "--prompt: character `d` at offset 4 is not among the 11");
  must_say(shell, "$NNC generate cat.nn --prompt 'the кот'", "--prompt: character `к` at offset 4 is not among the 11");
  must_say(shell, "$NNC generate cat.nn --prompt \"$(printf 'the \\303')\"",
           "--prompt: byte 0xc3 at offset 4 is no UTF-8");
  shell_close(shell);
}

Test(generate, options_that_are_refused) {
  static const char *const wrong[][2] = {{"--temperature -0.5", "--temperature: `-0.5` is not a number of 0 or more"},
                                         {"--temperature nan", "--temperature: `nan` is not a number of 0 or more"},
                                         {"--temperature inf", "--temperature: `inf` is not a number of 0 or more"},
                                         {"--temperature warm", "--temperature: `warm` is not a number of 0 or more"},
                                         {"--top-k 0", "--top-k: `0` is not a whole number of 1 or more"},
                                         {"--top-p 0", "--top-p: `0` is not a number above 0 and up to 1"},
                                         {"--top-p 1.01", "--top-p: `1.01` is not a number above 0 and up to 1"},
                                         {"--length 0", "--length: `0` is not a whole number of 1 or more"},
                                         {"--seed -1", "--seed: `-1` is not a whole number of 0 or more"}};
  Shell *shell = untrained("the cat sat on the mat\n", "chars", 11);
  shell_must_run(shell, "$NNC build cat.nn -o cat");
  for (int i = 0; i < 9; i++) {
    char command[200];
    snprintf(command, sizeof command, "$NNC generate cat.nn %s", wrong[i][0]);
    must_say(shell, command, wrong[i][1]);
    snprintf(command, sizeof command, "./cat generate %s", wrong[i][0]);
    must_say(shell, command, wrong[i][1]);
  }
  shell_must_run(shell, "$NNC --help && ./cat generate --help && ./cat --help");
  cr_assert(shell_printed(shell, "--top-p=P") && shell_printed(shell, "./cat generate [BLOCK]"), "%s", shell->output);
  shell_close(shell);
}

Test(generate, checkpoints_that_are_refused) {
  Shell *shell = untrained("the cat sat on the mat\n", "chars", 11);
  must_say(shell, "$NNC generate cat.nn",
           "there is no checkpoint cat.safetensors: train first, or give --checkpoint FILE");
  shell_must_run(shell, "$NNC run cat.nn --quiet --steps 1");
  shell_must_run(shell, "sed -i 's/cat/dog/' cat.txt; sed 's/11/13/g' cat.nn > dog.nn");
  must_say(shell, "$NNC generate dog.nn", "f32[13, 24]");
  // The weights fit, but there are values for fewer tokens than they know.
  shell_write(shell, "few.nn",
              "data d = text(\"few.txt\", window: 4)\n"
              "model m(x: i64[4]) -> f32[4, 2] {\n  param w: f32[3, 3] = normal(0.1)\n  take(w, x)[..., 0:2]\n}\n"
              "train { model: m; data: d; loss: cross_entropy; optimizer: sgd(lr: 0.1); batch: 1; epochs: 1\n"
              "  save: every(1, to: \"few.safetensors\") }\n");
  shell_must_run(shell,
                 "printf abcabcabcabc > few.txt; sed 's/0:2/0:3/; s/4, 2/4, 3/' few.nn > three.nn; $NNC run three.nn "
                 "--quiet; printf abababababab > few.txt");
  must_say(shell, "$NNC generate few.nn", "the checkpoint was trained on 3 tokens, but model `m` gives values for 2");
  shell_close(shell);
}

Test(generate, models_that_make_no_text) {
  Shell *shell = untrained("the cat sat on the mat\n", "chars", 11);
  must_say(shell, "$NNC generate iris.nn", "is trained on data `flowers`, not on text(…)");
  must_say(shell, "$NNC generate backprop.nn", "is trained on no data, not on text(…)");
  shell_write(shell, "last.nn",
              "data d = text(\"cat.txt\", window: 4)\n"
              "model m(x: i64[4]) -> f32[4] {\n  param w: f32[11] = normal(0.1)\n  take(w, x)\n}\n"
              "train { data: d; batch: 4; epochs: 1\n"
              "  step(x, y) { minimize mean(m(x)**2) over m using sgd(lr: 0.1) } }\n");
  must_say(shell, "$NNC generate last.nn",
           "model `m` makes f32[4] of i64[4]; to generate text it makes f32[window, vocabulary] of i64[window]");
  must_say(shell, "$NNC generate cat.nn tarin", "did you mean `train`?");
  must_say(shell, "$NNC generate", "nnc generate FILE [BLOCK]");
  shell_close(shell);
}

Test(generate, weights_that_have_diverged) {
  Shell *shell = untrained("the cat sat on the mat\n", "chars", 11);
  shell_write(shell, "nan.nn",
              "data d = text(\"cat.txt\", window: 4)\n"
              "model m(x: i64[4]) -> f32[4, 11] {\n  param w: f32[11, 11] = normal(0.1)\n"
              "  state one: f32[1] = ones\n  y = take(w, x) * one / one\n"
              "  if training { one := one - 1 }\n  y\n}\n"
              "train { model: m; data: d; loss: cross_entropy; optimizer: sgd(lr: 0.1); batch: 4; steps: 1\n"
              "  save: every(1, to: \"nan.safetensors\") }\n");
  shell_must_run(shell, "$NNC run nan.nn --quiet");
  must_say(shell, "$NNC generate nan.nn", "the model gives no finite value for token 1: its weights have diverged");
  shell_close(shell);
}

// One training run, many ways to run it: the checkpoints must hold the same bytes.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "shell.h"

#define RUN "run wide.nn --quiet --epochs 2 --checkpoint"

// digits.nn with a layer wide enough for a team of threads.
static Shell *reference(void) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "sed 's/dense(128)/dense(2048)/; s/digits.safe/wide.safe/' digits.nn > wide.nn") == 0);
  cr_assert(shell_run(shell, "$NNC emit c wide.nn | grep -q 'omp parallel'") == 0, "no team in wide.nn");
  cr_assert(shell_run(shell, "$NNC " RUN " jit.safetensors --threads 2") == 0, "%s", shell->output);
  return shell;
}

static void must_match(Shell *shell, const char *what) {
  cr_assert(shell_same_files(shell, "jit.safetensors", "other.safetensors"), "%s: other bits", what);
}

Test(same_bits, on_one_thread) {
  Shell *shell = reference();
  cr_assert(shell_run(shell, "$NNC " RUN " other.safetensors --threads 1") == 0, "%s", shell->output);
  must_match(shell, "one thread");
  shell_close(shell);
}

Test(same_bits, on_more_threads_than_processors) {
  Shell *shell = reference();
  cr_assert(shell_run(shell, "OMP_NUM_THREADS=$((4 * $(nproc))) $NNC " RUN " other.safetensors") == 0, "%s",
            shell->output);
  must_match(shell, "many threads");
  shell_close(shell);
}

static void executable(const char *flags) {
  Shell *shell = reference();
  cr_assert(shell_run(shell, "$NNC build wide.nn -o digits %s", flags) == 0, "%s", shell->output);
  for (int threads = 1; threads <= 2; threads++) {
    shell_run(shell, "./digits train --quiet --epochs 2 --checkpoint other.safetensors --threads %d", threads);
    cr_assert(shell->status == 0, "%s", shell->output);
    must_match(shell, flags);
  }
  shell_close(shell);
}

Test(same_bits, through_gcc) {
  executable("--cc gcc");
}
Test(same_bits, through_clang) {
  skip_with_sanitizers();
  executable("--cc clang-19");
}
Test(same_bits, through_an_object_file) {
  executable("--backend llvm");
}
Test(same_bits, for_an_older_processor) {
  skip_with_sanitizers();
  executable("--target-cpu x86-64-v3");
}

Test(same_bits, whatever_passes_are_left_out) {
  static const char *const passes[] = {"fold", "simplify", "cse", "dce", "fuse", "order", "plan"};
  Shell *shell = reference();
  for (int i = 0; i < 7; i++) {
    shell_run(shell, "$NNC " RUN " other.safetensors --disable %s", passes[i]);
    cr_assert(shell->status == 0, "%s", shell->output);
    must_match(shell, passes[i]);
  }
  shell_close(shell);
}

// Attention, normalisation and dropout: threads, the other backend, passes.
Test(same_bits, of_a_transformer, .timeout = 120) {
  skip_with_sanitizers();
  static const char *const ways[] = {"--threads 1", "--disable fuse --disable plan"};
  Shell *shell = shell_open();
  shell_run(shell, "$NNC run transformer.nn --quiet --epochs 1 --checkpoint jit.safetensors --threads 2");
  cr_assert(shell->status == 0, "%s", shell->output);
  for (int i = 0; i < 2; i++) {
    shell_run(shell, "$NNC run transformer.nn --quiet --epochs 1 --checkpoint other.safetensors %s", ways[i]);
    cr_assert(shell->status == 0, "%s", shell->output);
    must_match(shell, ways[i]);
  }
  shell_run(shell, "$NNC build transformer.nn -o net && ./net train --quiet --epochs 1 --checkpoint other.safetensors");
  cr_assert(shell->status == 0, "%s", shell->output);
  must_match(shell, "by way of C");
  shell_close(shell);
}

Test(same_bits, killed_and_resumed) {
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC run digits.nn --quiet --checkpoint whole.safetensors") == 0, "%s", shell->output);
  cr_assert(shell_run(shell, "$NNC build digits.nn -o digits") == 0, "%s", shell->output);
  shell_run(
      shell,
      "for wait in 0.05 0.11 0.17 0.23; do\n"
      "  timeout -s KILL $wait ./digits train --quiet --resume --checkpoint parts.safetensors >/dev/null 2>&1 ||\n"
      "    timeout -s KILL $wait ./digits train --quiet --checkpoint parts.safetensors >/dev/null 2>&1\n"
      "done\n"
      "./digits train --quiet --resume --checkpoint parts.safetensors");
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_same_files(shell, "whole.safetensors", "parts.safetensors"));
  shell_close(shell);
}

#define PARITY "--quiet --checkpoint"

Test(same_bits, resumed_across_an_unfreeze_and_in_executables) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  shell_run(shell, "$NNC run transfer.nn --quiet && $NNC run transfer.nn parity " PARITY " whole.safetensors");
  cr_assert(shell->status == 0, "%s", shell->output);
  shell_run(shell,
            "$NNC run transfer.nn parity " PARITY " parts.safetensors --epochs 39 && mv features.safetensors away &&"
            "$NNC run transfer.nn parity " PARITY " parts.safetensors --epochs 42 --resume &&"
            "$NNC run transfer.nn parity " PARITY " parts.safetensors --resume && mv away features.safetensors");
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_same_files(shell, "whole.last.safetensors", "parts.last.safetensors"), "resumed: other bits");
  static const char *const ways[] = {"--cc gcc", "--backend llvm"};
  for (int i = 0; i < 2; i++) {
    shell_run(shell, "$NNC build transfer.nn %s -o exe && ./exe train parity " PARITY " exe.safetensors", ways[i]);
    cr_assert(shell->status == 0, "%s", shell->output);
    cr_assert(shell_same_files(shell, "whole.last.safetensors", "exe.last.safetensors"), "%s: other bits", ways[i]);
  }
  shell_close(shell);
}

#define PSALMS "char_lstm.nn --set units=128 --quiet --checkpoint"

Test(same_bits, of_recurrences, .timeout = 300) {
  static const char *const ways[] = {
      "$NNC run " PSALMS " other.safetensors --steps 12 --threads 1",
      "$NNC run " PSALMS " other.safetensors --steps 5 && $NNC run " PSALMS " other.safetensors --steps 12 --resume",
      "$NNC run " PSALMS " other.safetensors --steps 12 --disable fuse",
      "$NNC build --set units=128 char_lstm.nn -o lstm --cc gcc && ./lstm train --quiet --checkpoint other.safetensors "
      "--steps 12",
  };
  skip_with_sanitizers();
  Shell *shell = shell_open();
  shell_run(shell, "$NNC run " PSALMS " whole.safetensors --steps 12 --threads 2");
  cr_assert(shell->status == 0, "%s", shell->output);
  for (int i = 0; i < 4; i++) {
    cr_assert(shell_run(shell, "rm -f other.*; %s", ways[i]) == 0, "%s", shell->output);
    cr_assert(shell_same_files(shell, "whole.last.safetensors", "other.last.safetensors"), "%s: other bits", ways[i]);
  }
  shell_close(shell);
}

// Convolutions, one of them by minimal filtering, a normalisation and draws.
static const char images[] =
    "model net(x: f32[32, 32, 8]) -> f32[3] {\n"
    "  for i in 0..3 { x = x |> conv2d(32, 3, padding: 1) |> batch_norm |> relu |> dropout(0.2) }\n"
    "  x |> conv2d(32, 3, stride: 2) |> tanh |> global_avg_pool |> dense(3)\n"
    "}\n"
    "train {\n"
    "  batch: 6;  steps: 10\n"
    "  step () {\n"
    "    minimize cross_entropy(net(uniform([6, 32, 32, 8])), [0, 1, 2, 0, 1, 2]) over net using adam(lr: 1e-2)\n"
    "  }\n"
    "}\n";

// With half of the memory that could be saved: values are computed again, and the same.
static void with_less_memory(Shell *shell, const char *file, const char *way) {
  shell_run(shell, "rm -f *.safetensors; cp %s net.nn && $NNC run net.nn --quiet --checkpoint whole.safetensors %s",
            file, way);
  cr_assert(shell->status == 0, "%s: %s", file, shell->output);
  shell_run(shell,
            "sed 's/^ *batch:/  memory: 1kB; &/' %s > net.nn && $NNC plan net.nn 2>&1 | awk '/takes/ { print int(500 * "
            "($8 + $11)) \"kB\"; exit }' > memory",
            file);
  shell_run(shell, "sed -i \"s/1kB/$(cat memory)/\" net.nn && $NNC run net.nn --quiet --checkpoint less.safetensors %s",
            way);
  cr_assert(shell->status == 0, "%s: %s", file, shell->output);
  cr_assert(shell_printed(shell, "more multiplications"), "%s: nothing is computed again: %s", file, shell->output);
  cr_assert(shell_same_files(shell, "whole.last.safetensors", "less.last.safetensors"), "%s: other bits", file);
}

Test(same_bits, with_less_memory, .timeout = 300) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  with_less_memory(shell, "transformer.nn", "--epochs 1");
  with_less_memory(shell, "char_lstm.nn", "--steps 5");
  shell_run(shell, "cat > images.nn <<'X'\n%s\nX", images);
  with_less_memory(shell, "images.nn", "--steps 5");
  shell_run(shell, "sed 's/^ *batch:/  memory: 1kB; &/' images.nn > least.nn && $NNC run least.nn");
  cr_assert(shell->status != 0 && shell_printed(shell, "MB when values are computed again") &&
                shell_printed(shell, "hint: a smaller batch"),
            "%s", shell->output);
  shell_close(shell);
}

// Convolutions, normalisation, draws, an integer or two; the other files have recurrence and attention.
static const char convolutions[] =
    "model net(x: f32[8, 8, 2]) -> f32[3] {\n"
    "  x |> conv2d(5, padding: 1) |> batch_norm |> relu |> max_pool |> conv2d(7, stride: 2) |> flatten |> "
    "dropout(0.3)\n"
    "    |> dense(3)\n"
    "}\n"
    "train { batch: 6;  steps: 10;  step () {\n"
    "  minimize cross_entropy(net(uniform([6, 8, 8, 2])), [0, 1, 2, 0, 1, 2]) over net using adam(lr: 1e-2)\n"
    "} }\n";

// Generated C is of no machine: trained on an emulated ARM it gives the bits of this one.
Test(same_bits, on_another_kind_of_processor, .timeout = 300) {
  static const char *const files[] = {"net.nn", "digits.nn", "digits_lstm.nn", "transformer.nn"};
  skip_with_sanitizers();
  if (system("command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null"))
    cr_skip("skipped: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross or qemu-user is not installed");
  Shell *shell = shell_open();
  shell_write(shell, "net.nn", convolutions);
  for (int i = 0; i < 4; i++) {
    static const char flags[] =
        "-std=c11 -O2 -ffp-contract=off -fno-math-errno -fno-trapping-math -fwrapv -fopenmp -I" NNC_SOURCE_DIR
        "/runtime -I. " NNC_SOURCE_DIR "/tests/examples/portable/ten_steps.c " NNC_SOURCE_DIR
        "/runtime/threads.c -lm -o";
    shell_run(shell,
              "$NNC emit c %s > net.c && gcc %s here && aarch64-linux-gnu-gcc %s there && ./here > a && "
              "qemu-aarch64 -L /usr/aarch64-linux-gnu ./there > b && cmp a b && test $(sort -u a | wc -l) -gt 100",
              files[i], flags, flags);
    cr_assert(shell->status == 0, "%s: %s", files[i], shell->output);
  }
  shell_close(shell);
}

Test(same_bits, the_executable_is_small_and_needs_little) {
  skip_with_sanitizers(); // they make it large
  Shell *shell = shell_open();
  cr_assert(shell_run(shell, "$NNC build digits.nn -o digits") == 0, "%s", shell->output);
  cr_assert(shell_run(shell, "test $(stat -c %%s digits) -lt 500000") == 0);
  shell_run(shell, "! ldd digits | grep -vE 'libc\\.|libm\\.|libgomp|libomp|libz\\.|linux-vdso|ld-linux'");
  cr_assert(shell->status == 0, "%s", shell->output);
  shell_close(shell);
}

// Each .nn file here against values of another system (make.py, make_*.py) or worked by hand (figures*.nn, scans.nn):
// `nnc test` on both backends must hold every expectation; of some with folding off, since tests without inputs fold to
// constants in part.
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

typedef struct Result {
  int status;
  char *output; // the last of it, if there is much
} Result;

// nnc's exit status, or 128 plus the signal that ended it, with all that it printed.
__attribute__((format(printf, 1, 2))) static Result nnc(const char *format, ...) {
  enum { SIZE = 1 << 16 };
  char arguments[1024], command[2048], chunk[4096];
  va_list list;
  va_start(list, format);
  vsnprintf(arguments, sizeof arguments, format, list);
  va_end(list);
  snprintf(command, sizeof command, "%s %s 2>&1", NNC_BINARY, arguments);
  FILE *pipe = popen(command, "r");
  Result result = {-1, calloc(1, SIZE + 1)};
  size_t length = 0, got;
  while (pipe && (got = fread(chunk, 1, sizeof chunk, pipe)) > 0) {
    if (length + got > SIZE) {
      memmove(result.output, result.output + got, length - got);
      length -= got;
    }
    memcpy(result.output + length, chunk, got);
    length += got;
    result.output[length] = 0;
  }
  int status = pipe ? pclose(pipe) : -1;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

static void must_hold(const char *options, const char *file) {
  Result result = nnc("test %s %s/tests/reference/%s", options, NNC_SOURCE_DIR, file);
  cr_assert(result.status == 0, "nnc test %s %s: exit status %d\n%s", options, file, result.status, result.output);
  free(result.output);
}

Test(reference, activations) {
  must_hold("--disable=fold", "activations.nn");
}

Test(reference, losses) {
  must_hold("--disable=fold", "losses.nn");
}

Test(reference, operations) {
  must_hold("", "operations.nn");
  must_hold("--disable=fold", "operations.nn");
}

Test(reference, optimizers) {
  must_hold("", "optimizers.nn");
}

Test(reference, mlp) {
  must_hold("", "mlp.nn");
}

Test(reference, windows) {
  must_hold("--disable=fold", "windows.nn");
}

Test(reference, recurrent) {
  must_hold("", "recurrent.nn");
}

Test(reference, norms) {
  must_hold("", "norms.nn");
  must_hold("--disable=fold", "norms.nn");
}

Test(reference, attention, .timeout = 300) {
  must_hold("", "attention.nn");
}

Test(reference, figures) {
  must_hold("", "figures.nn");
}

Test(reference, figures_windows) {
  must_hold("", "figures_windows.nn");
}

Test(reference, figures_recurrent) {
  must_hold("", "figures_recurrent.nn");
}

Test(reference, figures_recurrent_unfolded) {
  must_hold("--disable=fold", "figures_recurrent.nn");
}

Test(reference, scans) {
  must_hold("", "scans.nn");
}

Test(reference, scans_unfused) {
  must_hold("--disable=fuse", "scans.nn");
}

// The number after `key` and a space in the last line that begins with `line`; NaN if there is none.
static double last_number(const char *text, const char *line, const char *key) {
  const char *found = NULL;
  for (const char *at = text; at; at = strchr(at, '\n')) {
    at += *at == '\n';
    if (!strncmp(at, line, strlen(line)))
      found = strstr(at, key);
  }
  return found && found[strlen(key)] == ' ' ? strtod(found + strlen(key), NULL) : NAN;
}

Test(reference, ten_thousand_steps_of_back_propagation) {
  Result result = nnc("run --no-save %s/tests/reference/figures.nn descent", NNC_SOURCE_DIR);
  cr_assert(result.status == 0, "exit status %d\n%s", result.status, result.output);
  double loss = last_number(result.output, "test ", "loss_off");
  double first = last_number(result.output, "test ", "first_off");
  double second = last_number(result.output, "test ", "second_off");
  cr_assert(loss < 1e-8 && first < 1e-9 && second < 1e-9, "off by %g, %g, %g\n%s", loss, first, second, result.output);
  free(result.output);
}

// Losses of both steps, and what the second left: parameters, running statistics, and the evaluation with them.
Test(reference, batch_norm_in_training) {
  static const char *const blocks[] = {"keras", "torch"};
  for (int i = 0; i < 2; i++) {
    Result result = nnc("run --no-save %s/tests/reference/norms.nn %s", NNC_SOURCE_DIR, blocks[i]);
    cr_assert(result.status == 0, "exit status %d\n%s", result.status, result.output);
    double steps = last_number(result.output, "epoch ", "off"), after = last_number(result.output, "test ", "off");
    cr_assert(steps < 1e-12 && after < 1e-12, "off by %g, %g\n%s", steps, after, result.output);
    free(result.output);
  }
}

Test(reference, metrics) {
  must_hold("", "metrics.nn");
  must_hold("--disable=fold", "metrics.nn");
}

static void expect_metrics(const char *output) {
  static const struct {
    const char *name;
    double value;
  } metrics[] = {
      {" f1", 4 / 7.0}, {" precision", 2 / 3.0}, {" recall", 7 / 12.0}, {" mean_iou", 2 / 5.0}, {" auc", 7 / 12.0}};
  for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
    cr_expect(fabs(last_number(output, "epoch 3/3", metrics[i].name) - metrics[i].value) < 1e-4, "%s\n%s",
              metrics[i].name, output);
}

// Metrics are of the whole part: they do not depend on the batch, in training as in validation.
Test(reference, metrics_of_whole_parts) {
  for (int batch = 1; batch <= 4; batch++) {
    Result result = nnc("run --no-save --batch %d %s/tests/reference/metrics.nn whole", batch, NNC_SOURCE_DIR);
    cr_assert(result.status == 0, "exit status %d\n%s", result.status, result.output);
    expect_metrics(result.output);
    free(result.output);
  }
  Result result = nnc("run --no-save %s/tests/reference/metrics.nn written", NNC_SOURCE_DIR);
  cr_assert(result.status == 0, "exit status %d\n%s", result.status, result.output);
  cr_expect(fabs(last_number(result.output, "epoch 2/2", " missed") - 0.5) < 1e-4, "%s", result.output);
  cr_expect(fabs(last_number(result.output, "epoch 2/2", "val.missed") - 0.5) < 1e-4, "%s", result.output);
  free(result.output);
}

// A run that is stopped within an epoch goes on counting where it was.
Test(reference, metrics_of_a_resumed_epoch) {
  char folder[] = "/tmp/nnc-metrics-XXXXXX", command[128];
  cr_assert(mkdtemp(folder));
  Result first =
      nnc("run --steps 5 --checkpoint %s/m.safetensors %s/tests/reference/metrics.nn whole", folder, NNC_SOURCE_DIR);
  Result rest = nnc("run --epochs 3 --resume --checkpoint %s/m.safetensors %s/tests/reference/metrics.nn whole", folder,
                    NNC_SOURCE_DIR);
  cr_assert(first.status == 0 && rest.status == 0, "%s\n%s", first.output, rest.output);
  expect_metrics(rest.output);
  free(first.output);
  free(rest.output);
  snprintf(command, sizeof command, "rm -r %s", folder);
  cr_assert(system(command) == 0);
}

Test(reference, batch_norm_of_one_sample) {
  Result result = nnc("run --no-save %s/tests/reference/figures_windows.nn one_at_a_time", NNC_SOURCE_DIR);
  cr_assert(result.status == 0, "exit status %d\n%s", result.status, result.output);
  cr_assert(last_number(result.output, "epoch ", "off") == 0, "%s", result.output);
  free(result.output);
}

Test(reference, dropout_of_channels_and_samples) {
  Result result = nnc("run --no-save %s/tests/reference/figures_windows.nn dropped", NNC_SOURCE_DIR);
  cr_assert(result.status == 0, "exit status %d\n%s", result.status, result.output);
  static const char *const exact[] = {"channels_uneven", "samples_uneven", "channels_kept", "samples_kept"};
  for (int i = 0; i < 4; i++)
    cr_expect(last_number(result.output, "part ", exact[i]) < 1e-6, "%s\n%s", exact[i], result.output);
  cr_expect(last_number(result.output, "part ", "channels_off") < 0.05, "%s", result.output);
  cr_expect(last_number(result.output, "part ", "samples_off") < 0.3, "%s", result.output);
  free(result.output);
}

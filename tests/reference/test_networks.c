// Networks for images with weights from PyTorch give its logits, and the same bits from both backends. Small ones of
// the zoo's blocks have their files in networks/; those of the zoo in their real size are made while testing, by
// networks.py, and skipped where there is no PyTorch.
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HERE NNC_SOURCE_DIR "/tests/reference"

static char folder[64]; // the test's own

static void open_folder(void) {
  strcpy(folder, "/tmp/nnc-networks-XXXXXX");
  cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  cr_expect_eq(system(command), 0);
}

TestSuite(networks, .init = open_folder, .fini = remove_folder);

// Runs a command in the folder; what it prints is shown if it fails.
__attribute__((format(printf, 1, 2))) static void must_run(const char *format, ...) {
  char arguments[2048], command[4096], printed[4096];
  va_list list;
  va_start(list, format);
  vsnprintf(arguments, sizeof arguments, format, list);
  va_end(list);
  snprintf(command, sizeof command, "cd %s && %s 2>&1", folder, arguments);
  FILE *pipe = popen(command, "r");
  cr_assert_not_null(pipe);
  printed[fread(printed, 1, sizeof printed - 1, pipe)] = '\0';
  int status = pclose(pipe);
  cr_assert_eq(status, 0, "%s\n%s", arguments, printed);
}

static char *read_text(const char *where, const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", where, name);
  FILE *file = fopen(path, "r");
  cr_assert_not_null(file, "%s is missing", path);
  enum { MOST = 1 << 20 };
  char *text = calloc(1, MOST + 1);
  fread(text, 1, MOST, file);
  fclose(file);
  return text;
}

// The next line's numbers, at most `most`; their count.
static int read_row(char **at, double *row, int most) {
  int count = 0;
  while (**at && **at != '\n') {
    char *end;
    double value = strtod(*at, &end);
    cr_assert(end > *at && count < most, "no number, or too many: %.20s", *at);
    row[count++] = value;
    *at = end + (*end == ',');
  }
  *at += **at == '\n';
  return count;
}

static double root_mean_square(const double *row, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++)
    sum += row[i] * row[i];
  return sqrt(sum / count);
}

// Two tables that are equal to 1e-4: of the number, or, for small ones, of the row's root mean square.
static void expect_close(const char *found_text, const char *right_text) {
  enum { MOST = 2048 };
  static double found[MOST], right[MOST];
  char *a = strchr(found_text, '\n'), *b = strchr(right_text, '\n');
  cr_assert(a && b && a - found_text == b - right_text && !strncmp(found_text, right_text, (size_t)(a - found_text)),
            "other columns");
  int rows = 0;
  for (a++, b++; *a || *b; rows++) {
    int count = read_row(&a, found, MOST);
    cr_assert_eq(count, read_row(&b, right, MOST));
    double usual = root_mean_square(right + 1, count - 1);
    for (int i = 0; i < count; i++)
      cr_assert(fabs(found[i] - right[i]) <= 1e-4 * fmax(fabs(right[i]), usual),
                "row %d, column %d: %.9g, PyTorch has %.9g", rows + 1, i, found[i], right[i]);
  }
  cr_assert_eq(rows, 2);
}

// The expected results, NAME.csv, lie in `weights`.
static void must_give(const char *table, const char *weights, const char *name) {
  char expected[256];
  snprintf(expected, sizeof expected, "%s.csv", name);
  char *found = read_text(folder, table), *right = read_text(weights, expected);
  expect_close(found, right);
  free(found);
  free(right);
}

// `options`: of the compiler; `weights`: the folder with NAME.safetensors, NAME.csv and the images.
static void must_agree(const char *file, const char *name, int side, const char *options, const char *weights) {
  must_run("%s predict %s %s/%d.idx %s %s --checkpoint %s/%s.safetensors -o jit.csv", NNC_BINARY, file, weights, side,
           name, options, weights, name);
  must_give("jit.csv", weights, name);
  must_run("%s build %s %s %s -o net", NNC_BINARY, file, name, options);
  must_run("./net predict %s/%d.idx --threads=1 --checkpoint %s/%s.safetensors -o c.csv", weights, side, weights, name);
  must_run("cmp jit.csv c.csv");
}

static void small(const char *name) {
  must_agree(HERE "/networks.nn", name, 32, "--set classes=10", HERE "/networks");
  must_run("%s predict %s/networks.nn %s/networks/32.idx %s --set classes=10 --disable=norm "
           "--checkpoint %s/networks/%s.safetensors -o unfolded.csv",
           NNC_BINARY, HERE, HERE, name, HERE, name);
  must_give("unfolded.csv", HERE "/networks", name);
}

#define PYTHON "/usr/bin/python3" // Debian's, for which there is python3-torch

static void whole(const char *file, const char *name, int side) {
  if (system(PYTHON " -c 'import torch' 2>/dev/null") != 0)
    cr_skip("no PyTorch: python3-torch is not installed");
  must_run(PYTHON " %s/networks.py . %s", HERE, name);
  char path[1024], options[64];
  snprintf(path, sizeof path, "%s/examples/zoo/%s", NNC_SOURCE_DIR, file);
  snprintf(options, sizeof options, "--set side=%d", side);
  must_agree(path, name, side, options, folder);
}

Test(networks, small_resnet18) {
  small("small_resnet18");
}

Test(networks, small_resnet50) {
  small("small_resnet50");
}

Test(networks, small_vgg16) {
  small("small_vgg16");
}

Test(networks, small_mobilenet_v2) {
  small("small_mobilenet_v2");
}

Test(networks, small_densenet121) {
  small("small_densenet121");
}

Test(networks, small_efficientnet_b0) {
  small("small_efficientnet_b0");
}

Test(networks, small_convnext_tiny) {
  small("small_convnext_tiny");
}

Test(networks, small_vit) {
  small("small_vit");
}

Test(networks, weights_by_torchvisions_names) {
  must_run("%s predict %s/torchvision.nn %s/networks/32.idx --set classes=10 -o jit.csv", NNC_BINARY, HERE, HERE);
  must_give("jit.csv", HERE "/networks", "small_vit");
}

Test(networks, small_swin) {
  small("small_swin");
}

Test(networks, their_own_tests) {
  must_run("%s test %s/networks.nn --set classes=10", NNC_BINARY, HERE);
}

Test(networks, of_another_name) {
  must_run("! %s predict %s/networks.nn %s/networks/32.idx other --set classes=10 > message 2>&1", NNC_BINARY, HERE,
           HERE);
  must_run("grep 'networks.nn has no model with inputs named `other`' message");
  must_run("! %s build %s/networks.nn other --set classes=10 -o net > message 2>&1", NNC_BINARY, HERE);
  must_run("grep 'networks.nn has no model with inputs named `other`' message");
}

Test(networks, resnet18) {
  whole("resnet.nn", "resnet18", 64);
}

Test(networks, resnet50) {
  whole("resnet.nn", "resnet50", 64);
}

Test(networks, vgg16) {
  whole("vgg.nn", "vgg16", 64);
}

Test(networks, mobilenet_v2) {
  whole("mobilenet.nn", "mobilenet_v2", 64);
}

Test(networks, densenet121) {
  whole("densenet.nn", "densenet121", 64);
}

Test(networks, efficientnet_b0) {
  whole("efficientnet.nn", "efficientnet_b0", 224);
}

Test(networks, convnext_tiny) {
  whole("convnext.nn", "convnext_tiny", 64);
}

Test(networks, vit_b_16) {
  whole("vit.nn", "vit_b_16", 64);
}

// All 152, in a step of training.
Test(networks, gradients_of_vit_b_16) {
  if (system(PYTHON " -c 'import torch' 2>/dev/null") != 0)
    cr_skip("no PyTorch: python3-torch is not installed");
  must_run(PYTHON " %s/vit_gradients.py . %s", HERE, NNC_BINARY);
}

Test(networks, swin_t) {
  whole("swin.nn", "swin_t", 64);
}

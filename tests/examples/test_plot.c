// Charts of predictions: where their points lie, what the axes say, which parts are marked; the same bytes from nnc and
// from executables; what cannot be drawn.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell.h"

// The area of a panel, in pixels.
static const double left = 76, top = 64, width = 720, height = 260, next_panel = 336;

typedef struct Line {
  int count;
  double x[64], y[64];
  bool begins[64]; // after a break
} Line;

// The line number `which` of the chart that was printed last.
static Line line_of(const Shell *shell, int which) {
  Line line = {0};
  const char *at = shell->output;
  for (int i = 0; i <= which; i++) {
    at = strstr(at, "<path ");
    cr_assert(at, "no line %d in\n%s", which, shell->output);
    at = strstr(at, " d=\"") + 4;
  }
  for (; *at != '"'; line.count++) {
    int length = 0;
    cr_assert(line.count < 64 && strchr("M ", *at), "%s", at);
    line.begins[line.count] = *at == 'M';
    cr_assert_eq(sscanf(at + 1, "%lf,%lf%n", &line.x[line.count], &line.y[line.count], &length), 2, "%s", at);
    at += 1 + length;
    if (strncmp(at, "h0", 2) == 0)
      at += 2;
  }
  return line;
}

// A point lies where value `y` at step `x` belongs, between the given ends of the axes.
static void expect_at(const Line *line, int i, double x, double y, const double x_range[2], const double y_range[2]) {
  double margin = 0.05 * (y_range[1] - y_range[0]), low = y_range[0] - margin, high = y_range[1] + margin;
  cr_expect_float_eq(line->x[i], left + width * (x - x_range[0]) / (x_range[1] - x_range[0]), 0.11, "point %d", i);
  cr_expect_float_eq(line->y[i], top + height * (high - y) / (high - low), 0.11, "point %d", i);
}

// Well-formed XML without attributes of one quote, comments and the like, which charts have none of: tags close in the
// order they opened, and an ampersand begins an entity.
static void must_be_well_formed(const char *page) {
  const char *open[16];
  int depth = 0;
  for (const char *at = page; *at; at++) {
    if (*at == '&')
      cr_assert(!strncmp(at, "&amp;", 5) || !strncmp(at, "&lt;", 4) || !strncmp(at, "&gt;", 4) ||
                    !strncmp(at, "&quot;", 6),
                "%.40s", at);
    if (*at != '<')
      continue;
    size_t name = strcspn(at + 1 + (at[1] == '/'), " />"), length = strcspn(at, ">");
    cr_assert(at[length] == '>' && !memchr(at + 1, '<', length), "%.40s", at);
    if (at[1] == '/')
      cr_assert(depth > 0 && !strncmp(open[--depth], at + 2, name) && strchr(" >", open[depth][name]), "%.40s", at);
    else if (at[length - 1] != '/')
      open[depth++] = at + 1;
    at += length;
  }
  cr_assert_eq(depth, 0, "%s", page);
}

static void must_draw(Shell *shell, const char *command) {
  shell_must_run(shell, command);
  shell_must_run(shell, "cat c.svg");
  must_be_well_formed(shell->output);
}

static void must_have(const Shell *shell, const char *text) {
  cr_expect(shell_printed(shell, text), "`%s` is not in\n%s", text, shell->output);
}

static const double values[] = {10, 14, 12, 20, 30, 26, 22, 40};
static const char eight_rows[] = "a&<b>\n10\n14\n12\n20\n30\n26\n22\n40\n";

// The forecast is the step before: the weight is 1, and a rate of 0 leaves it there.
static Shell *naive(const char *rows, int test) {
  Shell *shell = shell_open();
  shell_write(shell, "rows.csv", rows);
  char data[128];
  snprintf(data, sizeof data, "data d = series(\"rows.csv\", window: 2) |> standardize |> split(test: %d)\n", test);
  shell_write(shell, "data.nn", data);
  shell_write(
      shell, "model.nn",
      "model naive(x: f32[2, 1]) -> f32[1] {\n  param w: f32[1] = 1\n  w * x[:, -1]\n}\n"
      "train { model: naive; data: d; loss: mse; optimizer: sgd(lr: 0.0); save: every(1, to: \"n.safetensors\") }\n");
  shell_must_run(shell, "cat data.nn model.nn > naive.nn; $NNC run naive.nn --quiet");
  return shell;
}

Test(plot, a_series_and_its_forecasts) {
  Shell *shell = naive(eight_rows, 3);
  must_draw(shell, "$NNC predict naive.nn rows.csv --plot c.svg");
  Line truth = line_of(shell, 0), forecast = line_of(shell, 1);
  const double steps[] = {1, 9}, range[] = {10, 40};
  cr_assert_eq(truth.count, 8);
  for (int i = 0; i < 8; i++)
    expect_at(&truth, i, i + 1, values[i], steps, range);
  cr_assert_eq(forecast.count, 7); // of step 3 by the second, and so on, to that behind the file by its last
  for (int i = 0; i < 7; i++) {
    expect_at(&forecast, i, i + 3, values[i + 1], steps, range);
    cr_expect_eq(forecast.begins[i], i == 0);
  }
  must_have(shell, "<title>naive on rows.csv</title>");
  must_have(shell, ">a&amp;&lt;b&gt;</text>");
  must_have(shell, ">step</text>");
  must_have(shell, ">truth</text>");
  must_have(shell, ">forecast</text>");
  for (int tick = 10; tick <= 40; tick += 5) {
    char text[64];
    snprintf(text, sizeof text, "y=\"%.1f\" text-anchor=\"end\">%d</text>", top + height * (41.5 - tick) / 33 + 4,
             tick);
    must_have(shell, text);
  }
  must_have(shell, "<text x=\"76.0\" y=\"342.0\" text-anchor=\"middle\">1</text>");
  must_have(shell, "<text x=\"796.0\" y=\"342.0\" text-anchor=\"middle\">9</text>");
  must_have(shell, "<text x=\"80.0\" y=\"78.0\" fill=\"#666666\">training</text>");
  must_have(shell, "<text x=\"485.0\" y=\"78.0\" fill=\"#666666\">test</text>"); // 76 + 720 (5.5 - 1) / 8, and 4
  shell_close(shell);
}

Test(plot, marks_are_of_the_series_own_file_alone) {
  Shell *shell = naive(eight_rows, 3);
  must_draw(shell, "cp rows.csv other.csv && $NNC predict naive.nn other.csv --plot c.svg");
  cr_expect(!shell_printed(shell, ">test<"), "%s", shell->output);
  must_draw(shell, "mkdir a && cd a && ln ../rows.csv same.csv && $NNC predict ../naive.nn same.csv --plot ../c.svg");
  must_have(shell, ">test<");
  shell_close(shell);
}

Test(plot, nnc_and_executables_draw_the_same_bytes) {
  Shell *shell = naive(eight_rows, 3);
  shell_must_run(shell,
                 "$NNC predict naive.nn rows.csv > bare.csv && $NNC predict naive.nn rows.csv --plot a.svg > a.csv &&"
                 " cmp bare.csv a.csv");
  shell_must_run(
      shell,
      "$NNC build naive.nn -o n && ./n predict rows.csv --plot b.svg -o b.csv && cmp a.svg b.svg && cmp a.csv b.csv");
  shell_must_run(shell,
                 "$NNC build naive.nn -o n --backend llvm && ./n predict rows.csv --plot b.svg --batch 3 --threads 1"
                 " && cmp a.svg b.svg");
  shell_close(shell);
}

// Two targets, four steps ahead: every fourth window's whole forecast, counted back from the last.
Test(plot, forecasts_of_several_steps_lie_side_by_side) {
  Shell *shell = shell_open();
  shell_must_run(
      shell,
      "{ echo day,a,b; for i in $(seq 1 13); do printf '2024-01-%02d,%d,%d\\n' $i $i $((1000 - i)); done; } > ab.csv");
  shell_write(
      shell, "ab.nn",
      "data d = series(\"ab.csv\", columns: [\"a\", \"b\"], target: [\"b\", \"a\"], window: 2, horizon: 4)\n"
      "model m(x: f32[2, 2]) -> f32[4, 2] {\n  param w: f32[1] = 1\n"
      "  last = x[:, -1:]\n  ahead = reshape(cast([1, 2, 3, 4], f32), [4, 1])\n"
      "  w * concat([last[:, :, 1:] - ahead, last[:, :, :1] + ahead], 2)\n}\n"
      "train { model: m; data: d; loss: mse; optimizer: sgd(lr: 0.0); save: every(1, to: \"ab.safetensors\") }\n");
  shell_must_run(shell, "$NNC run ab.nn --quiet");
  must_draw(shell, "$NNC predict ab.nn ab.csv --plot c.svg");
  const double steps[] = {1, 17}, b[] = {983, 999}, a[] = {1, 17};
  Line first = line_of(shell, 1), second = line_of(shell, 3);
  cr_assert_eq(line_of(shell, 0).count, 13);
  cr_assert_eq(first.count, 12); // windows 4, 8 and 12 of 12
  cr_assert_eq(second.count, 12);
  for (int i = 0; i < 12; i++) {
    cr_expect_eq(first.begins[i], i % 4 == 0);
    expect_at(&first, i, i + 6, 1000 - (i + 6), steps, b);
    second.y[i] -= next_panel;
    expect_at(&second, i, i + 6, i + 6, steps, a);
  }
  must_have(shell, ">2024-01-02</text>"); // every second change of the day, from the first on
  must_have(shell, ">2024-01-12</text>");
  cr_expect(!shell_printed(shell, ">2024-01-03</text>"), "%s", shell->output);
  shell_close(shell);
}

// The axis of a file whose first column is made by `format` of i / divisor, i % divisor.
static void expect_dates(Shell *shell, const char *format, int divisor, int count, const char *label,
                         const char *axis) {
  char rows[4096] = "when,a&<b>\n";
  for (int i = 0; i < count; i++) {
    size_t used = strlen(rows);
    snprintf(rows + used, sizeof rows - used, format, i / divisor, i % divisor + 1);
    strcat(rows, ",7\n");
  }
  shell_write(shell, "dated.csv", rows);
  must_draw(shell, "$NNC predict naive.nn dated.csv --plot c.svg");
  must_have(shell, label);
  must_have(shell, axis);
}

Test(plot, dates_along_the_axis) {
  Shell *shell = naive(eight_rows, 3);
  expect_dates(shell, "19%02d-%02d", 12, 48, "x=\"256.0\" y=\"342.0\" text-anchor=\"middle\">1901<",
               ">date<");                                           // step 13 of 49
  expect_dates(shell, "200%d/%02d", 12, 14, ">2000/04<", ">date<"); // one new year is too few: every second month
  expect_dates(shell, "2024-0%d-%02d", 30, 30, ">2024-00-02<", ">date<");
  expect_dates(shell, "2024-01-31 0%d:%02d", 10, 20, ">2024-01-31 00:02<", ">date<");
  expect_dates(shell, "2024-01-31 %02d:0%d", 2, 30, ">2024-01-31 03<", ">date<");
  expect_dates(shell, "2024-01%.0d%.0d", 1, 20, ">5<", ">step<"); // the same day all along
  expect_dates(shell, "%d.%d.2024", 12, 20, ">5<", ">step<");
  shell_close(shell);
}

Test(plot, what_is_missing_or_not_finite_is_a_gap) {
  Shell *shell = shell_open();
  shell_write(shell, "rows.csv", "a,b\n1,2\n2,3\n3,4\n");
  shell_write(
      shell, "log.nn",
      "data d = series(\"rows.csv\", columns: \"a\", target: \"b\", window: 1)\n"
      "model m(x: f32[1, 1]) -> f32[1] {\n  param w: f32[1] = 1\n  w * log(x[:, 0])\n}\n"
      "train { model: m; data: d; loss: mse; optimizer: sgd(lr: 0.0); save: every(1, to: \"l.safetensors\") }\n");
  shell_must_run(shell, "$NNC run log.nn --quiet");
  must_draw(shell,
            "printf 'b,a\\n2,1\\n,1\\n4,0\\n3,-1\\nNA,1\\n' > gaps.csv; $NNC predict log.nn gaps.csv --plot c.svg");
  Line truth = line_of(shell, 0), forecast = line_of(shell, 1);
  const double steps[] = {1, 6}, range[] = {0, 4};
  cr_assert_eq(truth.count, 3);
  cr_assert_eq(forecast.count, 3); // of 1, 1 and 1: log 0 and log -1 are no numbers
  const int truth_steps[] = {1, 3, 4}, truth_values[] = {2, 4, 3}, forecast_steps[] = {2, 3, 6};
  for (int i = 0; i < 3; i++) {
    expect_at(&truth, i, truth_steps[i], truth_values[i], steps, range);
    expect_at(&forecast, i, forecast_steps[i], 0, steps, range);
    cr_expect_eq(truth.begins[i], i < 2);
    cr_expect_eq(forecast.begins[i], i != 1);
  }
  cr_expect(!shell_printed(shell, "nan") && !shell_printed(shell, "inf"), "%s", shell->output);
  must_draw(shell, "printf 'a\\n1\\n1\\n' > bare.csv; $NNC predict log.nn bare.csv --plot c.svg");
  cr_expect(!shell_printed(shell, ">truth<"), "%s", shell->output);
  must_have(shell, ">forecast<");
  shell_close(shell);
}

// A hundred thousand steps: two points a pixel at most, the highest and the lowest among them.
Test(plot, a_long_series_makes_a_small_file) {
  Shell *shell = naive(eight_rows, 3);
  shell_must_run(
      shell,
      "awk 'BEGIN { print \"a&<b>\"; for (i = 0; i < 100000; i++) print i == 70001 ? 500 : i == 70002 ? -300 : i % 7 }'"
      " > long.csv && $NNC predict naive.nn long.csv --plot c.svg > /dev/null && wc -c < c.svg");
  cr_expect(atoi(shell->output) < 50000, "%s", shell->output);
  must_draw(shell, ":");
  const double x = left + width * 70001 / 100000;
  char peak[64], valley[64]; // 40 above and below, a twentieth of 800
  snprintf(peak, sizeof peak, " %.1f,%.1f %.1f,%.1f ", x, top + height * 40 / 880, x, top + height * 840 / 880);
  snprintf(valley, sizeof valley, "d=\"M%.1f", left);
  must_have(shell, peak);
  must_have(shell, valley);
  shell_close(shell);
}

static Shell *double_of(void) {
  Shell *shell = shell_open();
  shell_write(shell, "rows.csv", "x,y\n1,2\n2,3\n3,7\n");
  shell_write(
      shell, "twice.nn",
      "data d = csv(\"rows.csv\", target: \"y\")\n"
      "model twice(x: f32[1]) -> f32[1] {\n  param w: f32[1] = 2\n  w * x\n}\n"
      "train { model: twice; data: d; loss: mse; optimizer: sgd(lr: 0.0); save: every(1, to: \"t.safetensors\") }\n");
  shell_must_run(shell, "$NNC run twice.nn --quiet");
  return shell;
}

Test(plot, results_against_their_targets) {
  Shell *shell = double_of();
  must_draw(shell, "$NNC predict twice.nn rows.csv --plot c.svg");
  static const double y[] = {2, 3, 7}, predicted[] = {2, 4, 6};
  for (int i = 0; i < 3; i++) { // both axes go from 2 to 7, and a twentieth of 5 beyond
    char text[64];
    snprintf(text, sizeof text, "<circle cx=\"%.1f\" cy=\"%.1f\"", left + width * (y[i] - 1.75) / 5.5,
             top + height * (7.25 - predicted[i]) / 5.5);
    must_have(shell, text);
  }
  must_have(shell, "<line x1=\"76.0\" y1=\"324.0\" x2=\"796.0\" y2=\"64.0\""); // where both are equal
  must_have(shell, ">y in the file</text>");
  must_have(shell, ">y predicted</text>");
  must_have(shell, "<title>twice on rows.csv</title>");
  shell_close(shell);
}

static void refuses(Shell *shell, const char *command, const char *message) {
  cr_expect_eq(shell_run(shell, "%s", command), 1, "%s\n%s", command, shell->output);
  must_have(shell, message);
  cr_expect_neq(shell_run(shell, "test -e c.svg"), 0, "%s left a file", command);
}

Test(plot, what_cannot_be_drawn) {
  Shell *shell = double_of();
  static const char *const cases[][2] = {
      {"twice.nn unlabelled.csv --plot c.svg",
       "error: unlabelled.csv: --plot draws results against targets, but not all of their columns are there"},
      {"twice.nn words.csv --plot c.svg", "error: words.csv:3:3: column `y`: `two` is not a number"},
      {"twice.nn rows.csv --plot c.svg -o c.svg", "error: --plot and --output both name c.svg"},
      {"twice.nn rows.csv --plot none/c.svg", "error: cannot write none/c.svg: No such file or directory"},
      {"twice.nn rows.csv --plot .", "error: cannot write .: Is a directory"},
      {"twice.nn rows.csv --plot /dev/full", "error: cannot write /dev/full: No space left on device"},
      {"twice.nn rows.csv --plot c.svg -o none/t.csv", "error: cannot write none/t.csv: No such file or directory"},
      {"twice.nn rows.csv --plot c.svg -o /dev/full", "error: cannot write /dev/full: No space left on device"}};
  shell_must_run(
      shell,
      "cut -d, -f1 rows.csv > unlabelled.csv; sed 's/2,3/2,two/' rows.csv > words.csv; $NNC build twice.nn -o t");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char command[256];
    snprintf(command, sizeof command, "$NNC predict %s", cases[i][0]);
    refuses(shell, command, cases[i][1]);
    snprintf(command, sizeof command, "./t predict %s", cases[i][0] + strlen("twice.nn "));
    refuses(shell, command, cases[i][1]);
  }
  shell_must_run(shell, "test -c /dev/full");
  shell_close(shell);
}

Test(plot, models_that_cannot_be_drawn) {
  Shell *shell = double_of();
  shell_must_run(shell, "$NNC run iris.nn --quiet --epochs 1; cut -d, -f1 rows.csv > x.csv");
  refuses(
      shell, "$NNC predict iris.nn iris.csv --plot c.svg",
      "error: --plot draws forecasts of a `series`, or results against the `target` of a `csv`; model `species` was "
      "trained on neither");
  refuses(shell, "$NNC predict twice.nn x.csv twice --checkpoint t.safetensors --plot c.svg",
          "model `twice` was trained on neither");
  shell_must_run(
      shell, "sed 's/7$/0/; s/3$/1/; s/,2$/,0/' rows.csv > zeros.csv; sed 's/rows/zeros/; s/mse/binary_cross_entropy/'"
             " twice.nn > tells.nn; $NNC run tells.nn --quiet");
  refuses(shell, "$NNC predict tells.nn zeros.csv --plot c.svg", "model `twice` tells classes");
  shell_must_run(
      shell,
      "sed 's/f32\\[1\\] {/f32[2] {/; s/w \\* x/w * concat([x, x], 1)/; s/loss: mse/loss: first/' twice.nn > two.nn; "
      "echo 'layer first(p: T[..., k], y) -> T[] { reduce_mean((p[:, :1] - y) ** 2) }' >> two.nn; $NNC run two.nn "
      "--quiet");
  refuses(shell, "$NNC predict two.nn rows.csv --plot c.svg",
          "error: --plot needs results like the targets, 1 numbers; model `twice` gives 2");
  shell_close(shell);
}

// A file without a header has its columns by number: it needs as many, or the target is not there.
Test(plot, columns_by_number) {
  Shell *shell = double_of();
  shell_must_run(
      shell, "sed -i 's/target: \"y\"/target: \"0\", header: false/' twice.nn; printf '2,1\\n3,2\\n7,3\\n' > rows.csv;"
             " cut -d, -f2 rows.csv > x.csv; $NNC run twice.nn --quiet");
  refuses(shell, "$NNC predict twice.nn x.csv --plot c.svg", "x.csv: --plot draws results against targets");
  must_draw(shell, "$NNC predict twice.nn rows.csv --plot c.svg");
  must_have(shell, ">0 in the file</text>");
  shell_close(shell);
}

// Names of any bytes: characters that are none of XML's become blanks, long ones are cut.
Test(plot, names_of_any_bytes) {
  char rows[256], shown[256];
  snprintf(rows, sizeof rows, "\"a\"\"\001\377\357\277\277\303\251%070d\"\n1\n2\n3\n4\n", 0);
  snprintf(shown, sizeof shown, ">a&quot;   \303\251%054d\342\200\246</text>", 0);
  Shell *shell = naive(rows, 0);
  must_draw(shell, "$NNC predict naive.nn rows.csv --plot c.svg");
  must_have(shell, shown);
  shell_close(shell);
}

Test(plot, the_model_of_a_train_block) {
  Shell *shell = naive(eight_rows, 3);
  shell_must_run(shell, "printf 'model last(x: f32[2, 1]) -> f32[1] { param v: f32[1] = 0\\n v + x[:, 0] }\\ntrain "
                        "second { model: last; data: d\\n"
                        " loss: mse; optimizer: sgd(lr: 0.0); save: every(1, to: \"s.safetensors\") }\\n' >> naive.nn");
  refuses(shell, "$NNC predict naive.nn rows.csv second --plot c.svg",
          "there is no checkpoint s.safetensors: train first");
  refuses(shell, "$NNC predict naive.nn rows.csv third --plot c.svg",
          "naive has no train block `third`; its first is `train`");
  must_draw(
      shell,
      "$NNC run naive.nn second --quiet; $NNC predict naive.nn rows.csv second --plot c.svg; $NNC build naive.nn -o n;"
      " ./n predict rows.csv second --plot d.svg; cmp c.svg d.svg");
  must_have(shell, ">last on rows.csv<");
  shell_close(shell);
}

// `nnc profile`: its table, its drawing, what it says of wrong input.
#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/profile.h"
#include "shell.h"

// ---- made-up numbers: 100 GFLOP/s on f32, 50 on f64, 10 GB/s; a step of a millisecond
static ProfileRow rows[] = {
    {"product", "a.nn:3,4  m.dense_0", {{40e6, 0}, 1000000}, 1, 500e-6},
    {"scanned<&>", "b.nn:7", {{0, 1e6}, 100000}, 10, 250e-6},
    {"moves", "", {{0, 0}, 500000}, 1, 100e-6},
};

static Profile made_up(void) {
  return (Profile){.function = "train_step",
                   .file = "a \"quoted\" <file>.nn",
                   .through = "the JIT",
                   .batch = 8,
                   .steps = 12,
                   .row_count = 3,
                   .rows = rows,
                   .step = 1e-3,
                   .plain = 0.9e-3,
                   .machine = {.threads = 2, .peak = {100e9, 50e9}, .bandwidth = 10e9, .bytes = 300e6}};
}

Test(profile, table) {
  Arena *arena = arena_new();
  Profile profile = made_up();
  Text out = text_new(arena);
  profile_table(&out, &profile);
  static const char *const lines[] = {
      "train_step of a \"quoted\" <file>.nn through the JIT: batch 8, 2 threads, 12 steps\n",
      " 50.00 %      500.00       1    80.00      1.000   80.0 %  product     a.nn:3,4  m.dense_0\n",
      " 25.00 %      250.00      10    40.00      1.000   80.0 %  scanned<&>  b.nn:7\n",
      " 10.00 %      100.00       1        -      0.500   50.0 %  moves\n",
      " 85.00 %      850.00            58.82      2.500           sum of 3 kernels\n",
      " 15.00 %      150.00                                       beside them",
      "100.00 %     1000.00                                       the step, with a barrier",
      "              900.00            55.56              66.7 %  the step without them", // 600 us at the peaks
      "peak 100.0 GFLOP/s on f32, 50.0 on f64; memory 10.00 GB/s, over 300 MB: measured now, with 2 threads\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    cr_expect(strstr(text_string(&out), lines[i]), "%s is not in\n%s", lines[i], text_string(&out));
  arena_free(arena);
}

Test(profile, limit_is_the_slower_of_two) {
  Machine machine = made_up().machine;
  cr_expect_float_eq(profile_limit(&machine, &(Work){{1e6, 0}, 1000}), 1e-5, 1e-15);
  cr_expect_float_eq(profile_limit(&machine, &(Work){{1e6, 1e6}, 1000}), 3e-5, 1e-15);
  cr_expect_float_eq(profile_limit(&machine, &(Work){{1e6, 0}, 1000000}), 1e-4, 1e-15);
}

// ---- XML: elements nest, attributes are quoted, < and & stand for themselves nowhere
typedef struct Xml {
  const char *at;
  int depth, texts, circles;
  char names[16][16];
} Xml;

static bool is_entity(const char *at) {
  static const char *const known[] = {"&lt;", "&gt;", "&amp;", "&quot;"};
  for (int i = 0; i < 4; i++)
    if (strncmp(at, known[i], strlen(known[i])) == 0)
      return true;
  return false;
}

static bool read_name(Xml *xml, char name[16]) {
  int length = 0;
  for (; isalnum((unsigned char)*xml->at) && length < 15; xml->at++)
    name[length++] = *xml->at;
  name[length] = 0;
  return length > 0;
}

static bool read_attributes(Xml *xml) {
  while (*xml->at == ' ') {
    xml->at += 1 + strcspn(xml->at + 1, "= \"<>");
    if (xml->at[0] != '=' || xml->at[1] != '"')
      return false;
    for (xml->at += 2; *xml->at && *xml->at != '"'; xml->at++)
      if (*xml->at == '<' || (*xml->at == '&' && !is_entity(xml->at)))
        return false;
    if (!*xml->at++)
      return false;
  }
  return true;
}

static bool read_tag(Xml *xml) {
  char name[16];
  bool closing = *++xml->at == '/';
  xml->at += closing;
  if (!read_name(xml, name))
    return false;
  if (closing)
    return xml->depth > 0 && strcmp(xml->names[--xml->depth], name) == 0 && *xml->at++ == '>';
  xml->texts += strcmp(name, "text") == 0;
  xml->circles += strcmp(name, "circle") == 0;
  if (!read_attributes(xml))
    return false;
  bool empty = *xml->at == '/';
  xml->at += empty;
  if (!empty && xml->depth < 16)
    strcpy(xml->names[xml->depth++], name);
  return *xml->at++ == '>';
}

static bool well_formed(Xml *xml) {
  if (*xml->at != '<')
    return false;
  while (*xml->at) {
    if (*xml->at == '<') {
      if (!read_tag(xml))
        return false;
      if (xml->depth == 0)
        return strspn(xml->at, "\n") == strlen(xml->at);
    } else if ((*xml->at == '&' && !is_entity(xml->at)) || (iscntrl((unsigned char)*xml->at) && *xml->at != '\n')) {
      return false;
    } else {
      xml->at++;
    }
  }
  return false;
}

static const char *drawn(Arena *arena, const Profile *profile, Xml *xml) {
  Text out = text_new(arena);
  profile_svg(&out, profile);
  *xml = (Xml){.at = text_string(&out)};
  cr_expect(well_formed(xml), "%s", text_string(&out));
  return text_string(&out);
}

Test(profile, drawing) {
  Arena *arena = arena_new();
  Profile profile = made_up();
  Xml xml;
  const char *first = drawn(arena, &profile, &xml);
  cr_expect_str_eq(first, drawn(arena, &profile, &xml), "the same for the same numbers");
  cr_expect_eq(xml.circles, 2); // what only moves has no place
  static const char *const parts[] = {"<svg xmlns=\"http://www.w3.org/2000/svg\"",
                                      "train_step of a &quot;quoted&quot; &lt;file&gt;.nn",
                                      ">product</text>",
                                      ">scanned&lt;&amp;&gt;</text>",
                                      "500.00 us, 50.0 % of the step, 80.00 GFLOP/s, 80 % of the roofline",
                                      "peak 100.0 GFLOP/s",
                                      "memory 10.00 GB/s",
                                      "1 kernel that only moves or counts, 10.0 % of the step, cannot be drawn here"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    cr_expect(strstr(first, parts[i]), "%s is not in\n%s", parts[i], first);
  cr_expect_null(strstr(first, "href"), "it needs nothing else");
  arena_free(arena);
}

// From a corner of the axes, logarithms: 40 operations a byte lie at 2.6 of 3 decades from 0.1, 80 GFLOP/s at log10(80) of 3
// from 1; a dot of half the step has the radius of the whole by the root of two.
Test(profile, dots_lie_where_they_should) {
  Arena *arena = arena_new();
  Profile profile = made_up();
  Xml xml;
  double x, y, r;
  const char *dot = strstr(drawn(arena, &profile, &xml), "<circle");
  cr_assert(dot && sscanf(dot, "<circle cx=\"%lf\" cy=\"%lf\" r=\"%lf\"", &x, &y, &r) == 3);
  cr_expect_float_eq(x, 80 + (log10(40) + 1) / 3 * 850, 0.06, "%g", x);
  cr_expect_float_eq(y, 560 - log10(80) / 3 * 490, 0.06, "%g", y);
  cr_expect_float_eq(r, 34 / sqrt(2), 0.06, "%g", r);
  arena_free(arena);
}

// The peak of the type that most is computed in.
Test(profile, drawing_on_f64) {
  Arena *arena = arena_new();
  Profile profile = made_up();
  profile.rows = rows + 1;
  profile.row_count = 1;
  Xml xml;
  cr_expect(strstr(drawn(arena, &profile, &xml), "peak 50.0 GFLOP/s"));
  arena_free(arena);
}

// Names of files may hold anything.
Test(profile, drawing_of_strange_names) {
  Arena *arena = arena_new();
  Profile profile = made_up();
  profile.file = "a\x01\xff\xc3\xa4.nn";
  Xml xml;
  cr_expect(strstr(drawn(arena, &profile, &xml), "of a??\xc3\xa4.nn through the JIT"));
  arena_free(arena);
}

Test(profile, drawing_of_nothing) {
  Arena *arena = arena_new();
  Profile profile = made_up();
  profile.row_count = 0;
  Xml xml;
  drawn(arena, &profile, &xml);
  cr_expect_eq(xml.circles, 0);
  arena_free(arena);
}

// ---- the command
// Names in the table, but for those that pack what a scan reads, against those that `emit kernels` prints; and the shares.
static const char compare[] =
    "$NNC profile %s --steps 3 %s > table && $NNC emit kernels %s > kernels || exit 1\n"
    "awk '/sum of/ { exit } NR > 3 { name = $8 == \"%%\" ? $9 : $8; if (name !~ /_packed/) print name }' table |\n"
    "  sort > found\n"
    "awk '/^function/ { on = $2 == \"%s\" } on && /^ *(map|row|reduce|product|scatter|attention) [a-z]/ { print $2 "
    "}'\\\n"
    "  kernels | sort > expected\n"
    "test -s expected && diff expected found && cat table\n"
    "awk '/the step, with/ { exit } NR > 3 && !/sum of/ { sum += $1 } END { print \"shares\", sum, \"\" }' table";

static void check_table(Shell *shell, const char *file, const char *options, const char *entry) {
  char command[2000];
  snprintf(command, sizeof command, compare, file, options, file, entry);
  shell_must_run(shell, command);
  cr_expect_float_eq(shell_number(shell, "shares"), 100, 0.5, "%s", shell->output);
}

Test(profile, every_kernel_once) {
  Shell *shell = shell_open();
  check_table(shell, "digits.nn", "", "train_step");
  cr_expect(shell_printed(shell, "train_step of digits.nn through the JIT: batch 32, "), "%s", shell->output);
  cr_expect(shell_printed(shell, ", 3 steps\n"), "%s", shell->output);
  cr_expect(shell_printed(shell, "  digits.nn:5,14  classifier.dense_0\n"), "%s", shell->output);
  shell_close(shell);
}

// Twelve steps of the series, and as many back.
Test(profile, kernels_of_a_scan) {
  Shell *shell = shell_open();
  check_table(shell, "airline_lstm.nn", "", "lstm_step");
  cr_expect(shell_printed(shell, "lstm_step of airline_lstm.nn through the JIT: batch 16, "), "%s", shell->output);
  shell_must_run(shell, "awk '/sum of/ { exit } NR > 3 && $4 == 12 { many++ } NR > 3 && $4 != 12 && $4 != 1 { odd++ }\n"
                        "  END { print \"often\", many + 0, \"otherwise\", odd + 0, \"\" }' table");
  cr_expect(shell_number(shell, "often") >= 4 && shell_number(shell, "otherwise") == 0, "%s", shell->output);
  shell_close(shell);
}

// The same kernels, each as often; --cc alone says it too.
Test(profile, through_c) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  check_table(shell, "digits.nn", "--backend c", "train_step");
  cr_expect(shell_printed(shell, "train_step of digits.nn through C: batch 32, "), "%s", shell->output);
  shell_must_run(
      shell,
      "$NNC profile airline_lstm.nn --steps 2 --threads 2 > jit\n"
      "$NNC profile airline_lstm.nn --steps 2 --threads 2 --cc ${CC:-cc} > c\n"
      "for table in jit c; do awk '/sum of/ { exit } NR > 3 && $4 > 0 { print $4, $8 == \"%\" ? $9 : $8 }' $table |\n"
      "  sort > calls.$table; done; test -s calls.c && diff calls.jit calls.c");
  shell_close(shell);
  shell_says("$NNC profile xor.nn --steps 2 --cc cc --backend llvm", 0, "train_step of xor.nn through the JIT: ");
}

// Code for wider vectors is not run.
#if defined(__x86_64__)
Test(profile, through_c_for_another_processor) {
  shell_says("$NNC profile xor.nn --steps 2 --backend c --target-cpu x86-64-v2", 0, "train_step of xor.nn through C: ");
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512vl"))
    shell_says("$NNC profile xor.nn --steps 2 --backend c --target-cpu x86-64-v4", 1,
               "nnc: --target-cpu x86-64-v4: vectors of 64 bytes cannot run here, where they have ");
}
#endif

Test(profile, of_a_block_or_a_model) {
  shell_says("$NNC profile airline_lstm.nn linear --steps 1", 0,
             "linear_step of airline_lstm.nn through the JIT: batch ");
  shell_says("$NNC profile xor.nn gate --steps 2", 0,
             "gate_predict of xor.nn through the JIT: batch 1, 1 thread, 2 steps");
  shell_says("$NNC profile xor.nn --batch 3 --threads 2 --steps 2", 0,
             "train_step of xor.nn through the JIT: batch 3, 1 thread, 2 steps");
  shell_says("$NNC profile xor.nn gate --batch 5 --steps 2", 0,
             "gate_predict of xor.nn through the JIT: batch 5, 1 thread, 2 steps");
  shell_says("$NNC plan xor.nn gate --batch 5", 0, "gate_predict (batch 5)");
  shell_says("$NNC plan xor.nn gate --batch 99999999", 64, "--batch: `99999999` is more than 16777216");
  shell_says("$NNC profile xor.nn --disable fuse --steps 1", 0, "  gate_tanh ");
}

// Samples are made up, three parts of them too; a step may take none at all.
Test(profile, of_models_without_data) {
  shell_says("echo 'model m(a: f32[3], b: f64[3], c: i64[3]) { cast(a, f64) + b + cast(c, f64) }' > m.nn\n"
             "$NNC profile m.nn m --steps 2",
             0, "m_predict of m.nn through the JIT: batch ");
  shell_says("$NNC profile hopfield.nn --steps 2", 0, "train_step of hopfield.nn through the JIT: batch 1, ");
}

Test(profile, draws) {
  Shell *shell = shell_open();
  shell_must_run(shell, "$NNC profile digits.nn --steps 2 --svg out.svg > table; cat out.svg");
  Xml xml = {.at = shell->output};
  cr_expect(well_formed(&xml), "%s", shell->output);
  cr_expect_geq(xml.circles, 8);
  shell_close(shell);
}

// Neither a checkpoint nor a log.
Test(profile, saves_nothing) {
  Shell *shell = shell_open();
  shell_must_run(shell,
                 "ls > before; rm -f digits*.safetensors; ls > before; $NNC profile digits.nn --steps 2 > table\n"
                 "rm table; ls | diff before -");
  shell_close(shell);
}

Test(profile, complaints) {
  shell_says("$NNC profile", 64, "nnc profile FILE [NAME]");
  shell_says("$NNC profile xor.nn gate x", 64, "one argument too many: `x`; nnc profile FILE [NAME]");
  shell_says("$NNC profile xor.nn gat", 1, "nnc: xor.nn has no train block and no model with inputs named `gat`");
  shell_says(": > a.nn; $NNC profile a.nn", 1,
             "nnc: a.nn has no train block; nnc profile a.nn MODEL profiles the prediction of a model");
  shell_says("$NNC profile nowhere.nn", 1, "nowhere.nn: cannot read: No such file or directory");
  shell_says("rm digits.csv; $NNC profile digits.nn", 1, "digits.csv");
  shell_says("$NNC profile xor.nn --cc nonesuch", 1, "nnc: cannot run the C compiler `nonesuch`");
  shell_says("$NNC profile xor.nn --steps 0", 64, "--steps: `0` is not a whole number of 1 or more");
  shell_says("$NNC profile xor.nn --batch 5", 1, "--batch 5: the program was compiled for batches of 4 at most");
  shell_says("$NNC profile xor.nn --steps 1 --svg nowhere/x.svg", 1,
             "nnc: cannot write nowhere/x.svg: No such file or directory");
  shell_says("$NNC profile xor.nn --steps 1 --svg /dev/full", 1,
             "nnc: cannot write /dev/full: No space left on device");
  shell_says("$NNC profile xor.nn --steps 1 > /dev/full", 1, "error: cannot write to standard output");
}

// The zoo: every file's tests, which hold the counts of its networks, and the table of them all.
#include <criterion/criterion.h>
#include <glob.h>

#include "shell.h"

// To be given to globfree.
static glob_t zoo_files(void) {
  glob_t files;
  cr_assert_eq(glob(NNC_SOURCE_DIR "/examples/zoo/*.nn", 0, NULL, &files), 0);
  cr_expect(files.gl_pathc > 20, "only %zu files", files.gl_pathc);
  return files;
}

Test(zoo, every_file_passes_its_tests) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  glob_t files = zoo_files();
  for (size_t i = 0; i < files.gl_pathc; i++)
    cr_expect(shell_run(shell, "$NNC test %s", files.gl_pathv[i]) == 0, "%s\n%s", files.gl_pathv[i], shell->output);
  globfree(&files);
  shell_close(shell);
}

// All of them become kernels and loops, for training where they are trained and else for prediction; one waits for its data.
Test(zoo, every_file_is_compiled) {
  Shell *shell = shell_open();
  glob_t files = zoo_files();
  for (size_t i = 0; i < files.gl_pathc; i++) {
    const char *file = files.gl_pathv[i];
    bool waits = strstr(file, "malaria.nn") != NULL;
    cr_expect_eq(shell_run(shell, "$NNC emit loops %s > /dev/null", file), waits, "%s\n%s", file, shell->output);
  }
  globfree(&files);
  shell_close(shell);
}

// A step of training of a network of each kind becomes kernels and loops.
Test(zoo, training_is_compiled) {
  static const struct {
    const char *file, *model;
    int side;
  } cases[] = {{"convnext", "convnext_tiny", 224},
               {"densenet", "densenet121", 224},
               {"efficientnet", "efficientnet_b0", 224},
               {"googlenet", "googlenet", 224},
               {"inception_v3", "inception_v3", 299},
               {"mobilenet", "mobilenet_v3_small", 224},
               {"nasnet", "nasnet_mobile", 224},
               {"shufflenet", "shufflenet_v2_x0_5", 224},
               {"swin", "swin_t", 224},
               {"xception", "xception", 299}};
  skip_with_sanitizers();
  Shell *shell = shell_open();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *model = cases[i].model;
    shell_run(shell,
              "cat > train.nn <<'end'\n"
              "import \"%s/examples/zoo/%s.nn\"\n"
              "model samples() {\n"
              "  state images: f32[2, %d, %d, 3] = uniform(0.0, 1.0)\n"
              "  state kinds: i64[2] = 3\n"
              "}\n"
              "train {\n"
              "  batch: 2;  steps: 10\n"
              "  step () { minimize cross_entropy(%s(samples.images), samples.kinds) over %s using adam }\n"
              "}\n"
              "end\n"
              "$NNC emit loops train.nn > /dev/null",
              NNC_SOURCE_DIR, cases[i].file, cases[i].side, cases[i].side, model, model);
    cr_expect_eq(shell->status, 0, "%s\n%s", model, shell->output);
  }
  shell_close(shell);
}

Test(zoo, the_table_agrees_with_the_tests) {
  Shell *shell = shell_open();
  shell_run(shell, "NNC=$NNC %s/examples/zoo/table.sh", NNC_SOURCE_DIR);
  cr_expect_eq(shell->status, 0, "%s", shell->output);
  cr_expect(shell_printed(shell, "densenet121                           7,978,856       83,648      2,834,161,664      "
                                 " 7,978,856      +8,062,504"),
            "%s", shell->output);
  shell_close(shell);
}

// A count that does not hold is said, and ends the run with an error.
Test(zoo, a_wrong_count_is_told) {
  Shell *shell = shell_open();
  shell_run(shell,
            "cp -r %s/examples/zoo . && sed -i 's/== 61_706/== 61_707/' zoo/lenet.nn && "
            "{ $NNC test zoo/lenet.nn; NNC=$NNC zoo/table.sh; }",
            NNC_SOURCE_DIR);
  cr_expect_eq(shell->status, 1, "%s", shell->output);
  cr_expect(shell_printed(shell, "found 61706 == 61707"), "%s", shell->output);
  cr_expect(shell_printed(shell, "61,707 WRONG"), "%s", shell->output);
  shell_close(shell);
}

Test(zoo, a_listing_is_trained) {
  Shell *shell = shell_open();
  shell_run(shell, "cp -r %s/examples/zoo . && $NNC run zoo/lectures.nn small --epochs 2 --no-save", NNC_SOURCE_DIR);
  cr_expect_eq(shell->status, 0, "%s", shell->output);
  cr_expect(shell_printed(shell, "val.accuracy"), "%s", shell->output);
  shell_close(shell);
}

// Image data from the folder to the prediction: the same bits however a program runs, broken files, results as tables and
// as images.
#include "runtime/image_helper.h"
#include "shell.h"

static void shade(const char *name, int level, int noise) {
  uint8_t pixels[12 * 12 * 3];
  char why[160];
  for (int i = 0; i < 12 * 12 * 3; i++)
    pixels[i] = (uint8_t)(level + (i * 37 + noise * 101) % 60);
  FILE *file = create(name);
  cr_assert(nnrt_codec.write_png(file, pixels, 12, 12, 3, why), "%s", why);
  fclose(file);
}

// A shell with 40 images of two classes in `set`, and a program that learns them from files decoded anew for each batch.
static Shell *shades(void) {
  Shell *shell = shell_open();
  char name[64];
  for (int i = 0; i < 40; i++) {
    snprintf(name, sizeof name, "set/%s/%02d.png", i % 2 ? "light" : "dark", i);
    shade(name, i % 2 ? 150 : 20, i);
  }
  cr_assert(shell_run(shell, "cp -r %s/set .", image_root) == 0);
  shell_write(
      shell, "shades.nn",
      "data d = images(\"set\", in_memory: false) |> split(val: 10, seed: 1) |> flip |> shift(0.1) |> rotate(10)\n"
      "  |> contrast(0.1) |> noise(0.02) |> scale(1/255) |> flatten\n"
      "model m(x: f32[432]) -> f32[2] { x |> dense(16) |> relu |> dense(2) }\n"
      "train { model: m; data: d; loss: cross_entropy; optimizer: adam(lr: 1e-3); batch: 8; epochs: 6\n"
      "  metrics: [accuracy]; save: every(1, to: \"m.safetensors\") }\n");
  return shell;
}

static void must_match(Shell *shell, const char *what) {
  cr_assert(shell_same_files(shell, "whole.safetensors", "m.safetensors"), "%s: other bits", what);
}

Test(images, same_bits_in_the_background_resumed_and_built) {
  Shell *shell = shades();
  cr_assert(shell_run(shell, "$NNC run shades.nn --threads 2 && cp m.safetensors whole.safetensors") == 0, "%s",
            shell->output);
  cr_assert(shell_run(shell, "$NNC run shades.nn --quiet --threads 1") == 0, "%s", shell->output);
  must_match(shell, "without workers");
  cr_assert(shell_run(shell, "sed -i 's/, in_memory: false//' shades.nn && $NNC run shades.nn --quiet --threads 2") ==
                0,
            "%s", shell->output);
  must_match(shell, "from memory");
  cr_assert(shell_run(shell, "$NNC run shades.nn --quiet --epochs 2 && $NNC run shades.nn --quiet --resume") == 0, "%s",
            shell->output);
  must_match(shell, "resumed");
  cr_assert(shell_run(shell, "$NNC build shades.nn -o shades && ./shades train --quiet") == 0, "%s", shell->output);
  must_match(shell, "built through C");
  if (!SANITIZED) {
    shell_run(shell, "! ldd shades | grep -vE 'libc\\.|libm\\.|libgomp|libomp|libz\\.|linux-vdso|ld-linux'");
    cr_assert(shell->status == 0, "%s", shell->output);
  }
  cr_assert(shell_run(shell, "$NNC build shades.nn -o shades --backend llvm && ./shades train --quiet") == 0, "%s",
            shell->output);
  must_match(shell, "built through LLVM");
  shell_close(shell);
}

Test(images, a_file_that_breaks_later_ends_the_run_with_its_place) {
  Shell *shell = shades();
  cr_assert(shell_run(shell, "$NNC run shades.nn --quiet && cp m.safetensors whole.safetensors") == 0, "%s",
            shell->output);
  shell_run(shell, "cp set/light/07.png kept && head -c 100 kept > set/light/07.png && $NNC run shades.nn --quiet");
  cr_assert(shell->status == 1, "%s", shell->output);
  cr_assert(shell_printed(shell, "error: ") && shell_printed(shell, "set/light/07.png: the PNG image ends too early"),
            "%s", shell->output);
  cr_assert(shell_printed(shell, "--resume goes on"), "%s", shell->output);
  cr_assert(shell_run(shell, "cp kept set/light/07.png && $NNC run shades.nn --quiet --resume") == 0, "%s",
            shell->output);
  must_match(shell, "after the file was mended");
  shell_close(shell);
}

Test(images, interrupted_while_workers_are_busy) {
  Shell *shell = shades();
  shell_run(shell, "$NNC run shades.nn --quiet --epochs 1000000 --threads 2 & run=$!\n"
                   "for i in $(seq 600); do [ -e m.last.safetensors ] && break; sleep 0.1; done\n"
                   "kill -INT $run; wait $run");
  cr_assert(shell->status == 130, "%d", shell->status);
  cr_assert(shell_printed(shell, "--resume goes on"), "%s", shell->output);
  shell_close(shell);
}

Test(images, a_loss_that_is_not_finite_ends_the_run_and_its_workers) {
  Shell *shell = shades();
  shell_run(shell,
            "sed -i 's/adam(lr: 1e-3)/sgd(lr: 1e30)/' shades.nn && timeout 60 $NNC run shades.nn --quiet --threads 2");
  cr_assert(shell->status == 1, "%s", shell->output);
  cr_assert(shell_printed(shell, "loss became"), "%s", shell->output);
  shell_close(shell);
}

Test(images, predicted_classes) {
  Shell *shell = shades();
  cr_assert(shell_run(shell, "$NNC run shades.nn --quiet --epochs 60 && $NNC predict shades.nn set/light/01.png") == 0,
            "%s", shell->output);
  cr_assert(strstr(shell->output, "class,probability\nlight,0.") == shell->output, "%s", shell->output);
  cr_assert(shell_printed(shell, "\ndark,0."), "%s", shell->output);
  cr_assert(shell_run(shell, "$NNC predict shades.nn set/dark | head -n 3") == 0);
  cr_assert(strstr(shell->output, "file,class,probability\n00.png,dark,0.") == shell->output, "%s", shell->output);
  cr_assert(shell_run(shell, "$NNC predict shades.nn set") == 1);
  cr_assert(shell_printed(shell, "error: set: the folder has no images"), "%s", shell->output);
  shell_close(shell);
}

Test(images, results_that_are_images) {
  Shell *shell = shades();
  shell_write(shell, "same.nn",
              "data d = images(\"set/dark\") |> scale(1/255)\n"
              "model m(x: f32[12, 12, 3]) -> f32[12, 12, 3] { param w: f32[] = 1; x * w }\n"
              "train { data: d; epochs: 1\n  step (x) { minimize mse(m(x), x) over m using sgd(lr: 0.0) }\n"
              "  save: every(1, to: \"same.safetensors\") }\n");
  cr_assert(shell_run(shell, "$NNC run same.nn --quiet && $NNC predict same.nn set/dark/02.png") == 0, "%s",
            shell->output);
  cr_assert_str_eq(shell->output, "02.predicted.png\n");
  cr_assert(shell_same_files(shell, "02.predicted.png", "set/dark/02.png"));
  cr_assert(shell_run(shell, "$NNC predict same.nn set/dark --output out") == 0, "%s", shell->output);
  cr_assert(shell_same_files(shell, "out/38.png", "set/dark/38.png"));
  cr_assert(shell_run(shell, "$NNC predict same.nn set/dark --output same.nn") == 1);
  cr_assert(shell_printed(shell, "cannot write"), "%s", shell->output);
  shell_close(shell);
}

Test(images, programs_without_images_say_so) {
  Shell *shell = shell_open();
  shade("x.png", 1, 1);
  cr_assert(shell_run(shell, "$NNC build digits.nn -o digits && ./digits train --quiet --epochs 1") == 0, "%s",
            shell->output);
  cr_assert(shell_run(shell, "./digits predict %s/x.png", image_root) == 1);
  cr_assert(shell_printed(shell, "images fit samples of [height, width]"), "%s", shell->output);
  shell_close(shell);
}

// One bright rectangle an image; the boxes that are found must lie on it.
static void write_objects(void) {
  FILE *csv = create("boxes.csv");
  fputs("file,class,left,top,right,bottom\n", csv);
  for (int i = 0; i < 200; i++) {
    uint8_t pixels[16 * 16] = {0};
    int wide = i % 2, w = wide ? 6 : 4, h = wide ? 3 : 5, left = i * 7 % (17 - w), top = i * 5 % 11 % (17 - h);
    char name[32], why[160];
    for (int y = top; y < top + h; y++)
      memset(pixels + 16 * y + left, 220, (size_t)w);
    snprintf(name, sizeof name, "objects/%03d.png", i);
    FILE *file = create(name);
    cr_assert(nnrt_codec.write_png(file, pixels, 16, 16, 1, why), "%s", why);
    fclose(file);
    fprintf(csv, "%03d.png,%s,%d,%d,%d,%d\n", i, wide ? "wide" : "tall", left, top, left + w, top + h);
  }
  fclose(csv);
}

Test(images, boxes_are_learnt_and_found) {
  Shell *shell = shell_open();
  write_objects();
  cr_assert(shell_run(shell, "cp -r %s/objects %s/boxes.csv .", image_root, image_root) == 0);
  shell_write(
      shell, "find.nn",
      "data d = images(\"objects\", boxes: \"boxes.csv\", grid: 2, color: grey) |> flip(both) |> scale(1/255)\n"
      "model m(x: f32[16, 16, 1]) -> f32[2, 2, 7] {\n"
      "  x |> flatten |> dense(128) |> relu |> dense(28) |> reshape([shape(x)[0], 2, 2, 7])\n}\n"
      "train { model: m; data: d; loss: yolo_loss(boxes: 1); optimizer: adam(lr: 2e-3); batch: 16; epochs: 100\n"
      "  save: every(100, to: \"find.safetensors\") }\n");
  cr_assert(shell_run(shell, "$NNC run find.nn --quiet && $NNC predict find.nn objects -o found.csv") == 0, "%s",
            shell->output);
  // How many of the true boxes have one of their class within a pixel and a half at each edge.
  cr_assert(shell_run(shell, "awk -F, 'NR == FNR {for (i = 3; i <= 6; i++) b[$1 \",\" $2, i] = $i; next}\n"
                             "  FNR > 1 {n++; near = 1; for (i = 4; i <= 7; i++) {d = $i - b[$1 \",\" $2, i - 1];\n"
                             "    if (d > 1.5 || d < -1.5) near = 0}; good += near}\n"
                             "  END {print \"good\", good, \"found\", n}' boxes.csv found.csv") == 0);
  cr_assert(shell_number(shell, "good") >= 180, "%s", shell->output);
  cr_assert(shell_number(shell, "found") <= 210, "%s", shell->output);
  shell_close(shell);
}

// The example finds the digits of pictures it has not seen, in a file; the toy source says where they are.
Test(images, yolo_finds_digits_in_files, .timeout = 300) {
  skip_with_sanitizers();
  Shell *shell = shell_open();
  NnrtDataset *set = OPEN(CALL("scattered", INT(20), NAMED("seed", INT(99))));
  int held = 0, found = 0;
  static float x[64 * 64], y[20][8 * 8][15];
  static uint8_t pixels[64 * 64];
  for (int i = 0; i < 20; i++) {
    char name[32], why[160];
    sample(set, NNRT_PART_TRAIN, i, x, y[i]);
    for (int k = 0; k < 64 * 64; k++)
      pixels[k] = (uint8_t)x[k];
    snprintf(name, sizeof name, "scenes/%02d.png", i);
    FILE *file = create(name);
    cr_assert(nnrt_codec.write_png(file, pixels, 64, 64, 1, why), "%s", why);
    fclose(file);
  }
  nnrt_data_close(set);
  shell_run(shell, "$NNC run yolo_digits.nn --set samples=2500 --epochs 6");
  cr_assert(shell->status == 0, "%s", shell->output);
  cr_assert(shell_number(shell, "box_precision") > 0.85, "%s", shell->output);
  cr_assert(shell_run(shell, "$NNC predict yolo_digits.nn %s/scenes", image_root) == 0, "%s", shell->output);
  for (int i = 0; i < 20; i++)
    for (int k = 0; k < 64; k++)
      for (int digit = 0; y[i][k][4] == 1 && digit < 10; digit++)
        if (y[i][k][5 + digit] == 1) {
          char line[32];
          snprintf(line, sizeof line, "\n%02d.png,%d,", i, digit);
          held++;
          found += shell_printed(shell, line);
        }
  cr_assert(held > 20 && found > held * 2 / 3, "%d of %d digits found\n%s", found, held, shell->output);
  shell_close(shell);
}

// `load`: parts of models, other names, other types and layouts; and what is said when a file does not fit.
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "names.h"

typedef struct State {
  _Alignas(64) float stem[2][3];         // net.stem.w
  _Alignas(64) float bias[3];            // net.stem.b
  _Alignas(64) double head[2];           // net.head.w
  _Alignas(64) int64_t count;            // net.count
  _Alignas(64) float slot[2][3];         // adam.net.stem.w.m
  _Alignas(64) float kernel[2][1][2][3]; // net.conv.w: height, width, in, out
} State;

#define OFFSET(member) (int64_t) offsetof(State, member)
static const NnrtTensor tensors[] = {{"net.stem.w", NNRT_F32, 2, {2, 3}, NNRT_PARAM, OFFSET(stem), 24, NULL},
                                     {"net.stem.b", NNRT_F32, 1, {3}, NNRT_PARAM, OFFSET(bias), 12, NULL},
                                     {"net.head.w", NNRT_F64, 1, {2}, NNRT_PARAM, OFFSET(head), 16, NULL},
                                     {"net.count", NNRT_I64, 0, {0}, NNRT_STATE, OFFSET(count), 8, NULL},
                                     {"adam.net.stem.w.m", NNRT_F32, 2, {2, 3}, NNRT_OPTIMIZER, OFFSET(slot), 24, NULL},
                                     {"net.conv.w", NNRT_F32, 4, {2, 1, 2, 3}, NNRT_PARAM, OFFSET(kernel), 48, NULL}};
static const NnrtModule net = {.abi = NNRT_ABI,
                               .name = "net",
                               .file = "/net.nn",
                               .state_bytes = sizeof(State),
                               .tensor_count = 5,
                               .tensors = tensors};

static char path[64], other_path[64];
static void make(char *name) {
  strcpy(name, "/tmp/nnrt_load_XXXXXX");
  int file = mkstemp(name);
  cr_assert_geq(file, 0);
  close(file);
}
static void setup(void) {
  make(path);
  make(other_path);
}
static void teardown(void) {
  unlink(path);
  unlink(other_path);
}
TestSuite(load, .init = setup, .fini = teardown);

// A file with these tensors, `"name":{"dtype":…,"shape":…}` at `begin` to `end` of `data`.
static void put_at(const char *where, const char *header, const void *data, size_t size) {
  FILE *file = fopen(where, "wb");
  size_t length = strlen(header);
  for (int i = 0; i < 8; i++)
    fputc((int)(length >> (8 * i) & 255), file);
  cr_assert_eq(fwrite(header, 1, length, file), length);
  cr_assert_eq(fwrite(data, 1, size, file), size);
  fclose(file);
}

static void put(const char *header, const void *data, size_t size) {
  put_at(path, header, data, size);
}

#define TENSOR(name, type, shape, from, to)                                                                            \
  "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

typedef struct Reply {
  bool loaded;
  char notes[4096];
  NnrtError error;
} Reply;

static bool wants_whole;

static Reply load_all(const NnrtWeights *weights, int count, const NnrtModule *module, State *state) {
  static Reply reply;
  char *text;
  size_t size;
  FILE *notes = open_memstream(&text, &size);
  NnrtTrain train = {.load_count = count, .loads = weights};
  reply.error = (NnrtError){0};
  reply.loaded = nnrt_load(module, &train, (uint8_t *)state, wants_whole, notes, &reply.error);
  fclose(notes);
  snprintf(reply.notes, sizeof reply.notes, "%s", text);
  free(text);
  return reply;
}

static Reply load(NnrtWeights weights, State *state) {
  weights.path = path;
  return load_all(&weights, 1, &net, state);
}

static void refuses(NnrtWeights weights, const char *part) {
  State state = {.count = 77}, before = state;
  Reply reply = load(weights, &state);
  cr_assert(!reply.loaded, "was loaded, should say: %s", part);
  cr_assert(strstr(reply.error.text, part) || strstr(reply.notes, part), "`%s`\n`%s` does not hold `%s`", reply.notes,
            reply.error.text, part);
  cr_assert(memcmp(&state, &before, sizeof state) == 0);
}

static const float numbers[] = {1, 2, 3, 4, 5, 6};

Test(load, takes_what_is_there) {
  put("{" TENSOR("net.stem.w", "F32", "[2,3]", 0, 24) "," TENSOR(
          "adam.net.stem.w.m", "F32", "[2,3]", 24, 48) "," TENSOR("net.haed.w", "F64", "[2]", 48,
                                                                  64) "," TENSOR("net.more", "BF16", "[1]", 64, 66) "}",
      (const char[66]){0, 0, 128, 63}, 66);
  State state = {.count = 5, .stem = {{9, 9, 9}}, .slot = {{8}}};
  Reply reply = load((NnrtWeights){0}, &state);
  cr_assert(reply.loaded, "%s", reply.error.text);
  cr_assert_eq(state.stem[0][0], 1);
  cr_assert_eq(state.stem[0][1], 0);
  cr_assert_eq(state.count, 5);
  cr_assert_eq(state.slot[0][0], 8);
  const char *wanted[] = {"net.stem.b, f32[3], is missing\n",
                          "net.head.w, f64[2], is missing; the file has net.haed.w\n", "net.count, i64[], is missing",
                          "net.haed.w, f64[2], is not in net\n", "net.more, BF16[1], is not in net\n"};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    cr_assert(strstr(reply.notes, wanted[i]), "no `%s` in\n%s", wanted[i], reply.notes);
  cr_assert(!strstr(reply.notes, "adam"), "%s", reply.notes);
}

Test(load, part_into_part_under_other_names) {
  put("{" TENSOR("encoder.layer_0.weight", "F32", "[2,3]", 0, 24) "," TENSOR("decoder.layer_0.weight", "F32", "[1]", 24,
                                                                             28) "}",
      (const float[7]){1, 2, 3, 4, 5, 6, 7}, 28);
  NnrtRename renames[] = {{"*.weight", "*.w"}, {"layer_*.w", "l*.w"}, {"l0", "stem"}};
  State state = {0};
  NnrtWeights weights = {.into = "net", .part = "encoder", .rename_count = 3, .renames = renames};
  Reply reply = load(weights, &state);
  cr_assert(reply.loaded, "%s%s", reply.notes, reply.error.text);
  cr_assert_arr_eq(state.stem, numbers, sizeof numbers);
  cr_assert(!strstr(reply.notes, "decoder"), "%s", reply.notes);
  renames[1] = (NnrtRename){"layr_*.w", "*.w"};
  refuses(weights, "`rename` finds nothing named `layr_*.w`");
  weights.rename_count = 1;
  weights.into = "net.stem";
  refuses(weights, "encoder.layer_0.weight, f32[2, 3], is not in net\n");
  weights.part = "encode";
  weights.rename_count = 0;
  refuses(weights, " has no part `encode`: its first tensor is decoder.layer_0.weight");
}

Test(load, two_tensors_of_one_name_are_refused) {
  put("{" TENSOR("a.w", "F32", "[1]", 0, 4) "," TENSOR("b.w", "F32", "[1]", 4, 8) "}", numbers, 8);
  NnrtRename renames[] = {{"a", "net.stem"}, {"b", "net.stem"}};
  refuses((NnrtWeights){.rename_count = 2, .renames = renames}, "would be `net.stem.w`");
}

Test(load, converts_reals) {
  static const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x7c00},
                        brains[] = {0x3f80, 0xc000, 0x0001};
  static const float wide[] = {0.5f, -3};
  char data[12 + 6 + 8];
  memcpy(data, halves, 12), memcpy(data + 12, brains, 6), memcpy(data + 18, wide, 8);
  put("{" TENSOR("net.stem.w", "F16", "[2,3]", 0, 12) "," TENSOR("net.stem.b", "BF16", "[3]", 12,
                                                                 18) "," TENSOR("net.head.w", "F32", "[2]", 18, 26) "}",
      data, sizeof data);
  State state = {0};
  Reply reply = load((NnrtWeights){0}, &state);
  cr_assert(reply.loaded, "%s%s", reply.notes, reply.error.text);
  static const float first[] = {1, -2, 0x1p-24f, 65504, -0.0f, INFINITY}, second[] = {1, -2, 0x1p-133f};
  cr_assert_arr_eq(state.stem, first, sizeof first);
  cr_assert_arr_eq(state.bias, second, sizeof second);
  cr_assert(state.head[0] == 0.5 && state.head[1] == -3);
  cr_assert(strstr(reply.notes, ": 3 tensors converted from F16\n"), "%s", reply.notes);
}

Test(load, whole_numbers_are_not_converted) {
  put("{" TENSOR("net.stem.w", "F32", "[2,3]", 0, 24) "," TENSOR("net.count", "F64", "[]", 24, 32) "}",
      (const float[8]){0}, 32);
  refuses((NnrtWeights){0}, "net.count is f64[] in the file, but i64[] here\n");
  put("{" TENSOR("net.stem.b", "I32", "[3]", 0, 12) "}", numbers, 12);
  refuses((NnrtWeights){0}, "net.stem.b is i32[3] in the file, but f32[3] here\n");
  put("{" TENSOR("net.stem.b", "F16", "[3]", 0, 12) "}", numbers, 12);
  refuses((NnrtWeights){0}, "the shape of tensor `net.stem.b` is not that of its 12 bytes");
}

Test(load, turns_kernels_of_pytorch) {
  put("{" TENSOR("net.stem.w", "F32", "[3,2]", 0, 24) "}", numbers, 24);
  State state = {0};
  refuses((NnrtWeights){0},
          "net.stem.w is f32[3, 2] in the file, but f32[2, 3] here; `layout: pytorch` would turn it\n");
  cr_assert(load((NnrtWeights){.pytorch = true}, &state).loaded);
  static const float turned[2][3] = {{1, 3, 5}, {2, 4, 6}};
  cr_assert_arr_eq(state.stem, turned, sizeof turned);
  put("{" TENSOR("net.stem.w", "F32", "[2,3]", 0, 24) "}", numbers, 24); // an embedding's table lies as ours
  cr_assert(load((NnrtWeights){.pytorch = true}, &state).loaded);
  cr_assert_arr_eq(state.stem, numbers, sizeof numbers);
}

Test(load, turns_convolutions_of_pytorch) {
  NnrtModule module = net;
  module.tensor_count = 6;
  float kernel[3][2][2][1], *at = &kernel[0][0][0][0]; // out, in, height, width
  for (int i = 0; i < 12; i++)
    at[i] = (float)i;
  put("{" TENSOR("net.conv.w", "F32", "[3,2,2,1]", 0, 48) "}", kernel, 48);
  State state = {0};
  NnrtWeights weights = {.path = path, .pytorch = true};
  Reply reply = load_all(&weights, 1, &module, &state);
  cr_assert(reply.loaded, "%s%s", reply.notes, reply.error.text);
  for (int out = 0; out < 3; out++)
    for (int in = 0; in < 2; in++)
      for (int y = 0; y < 2; y++)
        cr_assert_eq(state.kernel[y][0][in][out], kernel[out][in][y][0]);
}

// PyTorch has [in, out / groups, …] for a transposed convolution, in every group one after the other.
Test(load, turns_transposed_convolutions_of_pytorch) {
  static const NnrtTensor up[] = {
      {"net.conv.w", NNRT_F32, 4, {2, 1, 2, 3}, NNRT_PARAM, OFFSET(kernel), 48, "conv_transpose2d"}};
  NnrtModule module = net;
  module.tensors = up, module.tensor_count = 1;
  float kernel[12];
  for (int i = 0; i < 12; i++)
    kernel[i] = (float)i;
  put("{" TENSOR("net.conv.w", "F32", "[2,3,2,1]", 0, 48) "}", kernel, 48);
  State state = {0};
  NnrtWeights weights = {.path = path, .pytorch = true};
  cr_assert(load_all(&weights, 1, &module, &state).loaded);
  for (int out = 0; out < 3; out++)
    for (int in = 0; in < 2; in++)
      for (int y = 0; y < 2; y++)
        cr_assert_eq(state.kernel[y][0][in][out], (in * 3 + out) * 2 + y);
  put("{" TENSOR("net.conv.w", "F32", "[6,1,2,1]", 0, 48) "}", kernel, 48); // three groups of two inputs, one output
  cr_assert(load_all(&weights, 1, &module, &state).loaded);
  for (int out = 0; out < 3; out++)
    for (int in = 0; in < 2; in++)
      for (int y = 0; y < 2; y++)
        cr_assert_eq(state.kernel[y][0][in][out], (out * 2 + in) * 2 + y);
}

Test(load, square_tables_of_embeddings_and_positions_are_not_turned) {
  static const char *const layers[] = {"embedding", "learned_positions"};
  for (int i = 0; i < 2; i++) {
    NnrtTensor table = {"net.t", NNRT_F32, 2, {2, 2}, NNRT_PARAM, OFFSET(stem), 16, layers[i]};
    NnrtModule module = net;
    module.tensors = &table, module.tensor_count = 1;
    put("{" TENSOR("net.t", "F32", "[2,2]", 0, 16) "}", numbers, 16);
    State state = {0};
    NnrtWeights weights = {.path = path, .pytorch = true};
    cr_assert(load_all(&weights, 1, &module, &state).loaded);
    cr_assert_arr_eq(state.stem, numbers, 16);
  }
}

// PyTorch's parameters that are the same for a whole batch have a 1 in its place.
Test(load, dimensions_of_1_in_front_do_not_count_for_pytorch) {
  put("{" TENSOR("net.stem.b", "F32", "[1,1,3]", 0, 12) "}", numbers, 12);
  refuses((NnrtWeights){0}, "net.stem.b is f32[1, 1, 3] in the file, but f32[3] here\n");
  State state = {0};
  cr_assert(load((NnrtWeights){.pytorch = true}, &state).loaded);
  cr_assert_arr_eq(state.bias, numbers, sizeof state.bias);
  put("{" TENSOR("net.stem.b", "F32", "[3,1]", 0, 12) "}", numbers, 12);
  refuses((NnrtWeights){.pytorch = true}, "net.stem.b is f32[3, 1] in the file, but f32[3] here\n");
}

Test(load, of_several_files_the_first_that_fits_counts) {
  put("{" TENSOR("net.stem.b", "F32", "[3]", 0, 12) "," TENSOR("net.head.w", "F64", "[2]", 12, 28) "}",
      (const char[28]){0}, 28);
  put_at(other_path, "{" TENSOR("net.stem.b", "F32", "[3]", 0, 12) "," TENSOR("net.stem.w", "F32", "[2,3]", 12, 36) "}",
         (const float[9]){1, 1, 1, 1, 2, 3, 4, 5, 6}, 36);
  State state = {.bias = {7, 7, 7}, .head = {7, 7}, .count = 7};
  NnrtWeights weights[] = {{.path = path, .only = "net.*.b"}, {.path = other_path, .only = "net.stem"}};
  Reply reply = load_all(weights, 2, &net, &state);
  cr_assert(reply.loaded, "%s%s", reply.notes, reply.error.text);
  cr_assert_str_empty(reply.notes);
  cr_assert_eq(state.bias[0], 0);
  cr_assert_arr_eq(state.stem, numbers, sizeof numbers);
  cr_assert_eq(state.head[0], 7);
  weights[1].path = "nowhere.safetensors";
  reply = load_all(weights, 2, &net, &state);
  cr_assert(!reply.loaded && strstr(reply.error.text, "cannot read /nowhere.safetensors: No such file"), "%s",
            reply.error.text);
}

Test(load, whole_means_every_parameter_and_state) {
  wants_whole = true;
  put("{" TENSOR("stem.w", "F32", "[2,3]", 0, 24) "," TENSOR("stem.b", "F32", "[3]", 24,
                                                             36) "," TENSOR("head.w", "F64", "[2]", 36, 52) "}",
      (const char[52]){0}, 52);
  refuses((NnrtWeights){.into = "net"}, "net.count, i64[], is missing\n");
  refuses((NnrtWeights){.into = "net.stem", .part = "stem"}, " leaves net.head.w as it is");
  put("{" TENSOR("stem.w", "F32", "[2,3]", 0, 24) "," TENSOR("stem.b", "F32", "[3]", 24, 36) "," TENSOR(
          "head.w", "F64", "[2]", 36, 52) "," TENSOR("count", "I64", "[]", 52, 60) "}",
      (const char[60]){0}, 60);
  State state = {.count = 3};
  cr_assert(load((NnrtWeights){.into = "net"}, &state).loaded);
  cr_assert_eq(state.count, 0);
}

Test(load, a_long_list_is_cut_short) {
  char header[4096] = "{" TENSOR("net.stem.w", "F32", "[2,3]", 0, 24);
  for (int i = 0; i < 20; i++)
    sprintf(header + strlen(header), ",\"x%02d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i, 24 + i,
            25 + i);
  strcat(header, "}");
  put(header, (const char[44]){0}, 44);
  State state = {0};
  Reply reply = load((NnrtWeights){0}, &state);
  cr_assert(reply.loaded, "%s", reply.error.text);
  cr_assert(strstr(reply.notes, ": x11, u8[1], is not in net\n"), "%s", reply.notes);
  cr_assert(!strstr(reply.notes, "x12"), "%s", reply.notes);
  cr_assert(strstr(reply.notes, ": 8 more are unexpected\n"), "%s", reply.notes);
}

// ---- names
Test(names, patterns_fit_names_and_parts) {
  static const struct {
    const char *pattern, *name;
    bool fits;
  } cases[] = {{"net", "net.a.w", true},
               {"net.a", "net.ab.w", false},
               {"*", "net.a.w", true},
               {"net.*.w", "net.a.w", true},
               {"net.*.w", "net.a.b.w", true},
               {"net.b*", "net.block_3.w", true},
               {"*.w", "net.a.b", false},
               {"*a*a*b", "aaaab", true},
               {"", "net", false},
               {"net.*.w", "net.w.b", false},
               {"a*", "a", true},
               {"*_1", "net.block_1.w", true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    cr_expect_eq(nnrt_name_fits(cases[i].pattern, cases[i].name), cases[i].fits, "%s, %s", cases[i].pattern,
                 cases[i].name);
  char many[NNRT_MOST_STARS + 2];
  memset(many, '*', sizeof many - 1);
  many[sizeof many - 1] = '\0';
  cr_expect(!nnrt_name_fits(many, "a"));
  cr_expect_eq(nnrt_name_stars(many), NNRT_MOST_STARS + 1);
}

Test(names, stars_stand_for_the_same_on_both_sides) {
  static const char *const cases[][4] = {{"layer1.0.weight", "layer*.*.weight", "block_*.conv_*.w", "block_1.conv_0.w"},
                                         {"old.a.w", "old", "new", "new.a.w"},
                                         {"old", "old", "new", "new"},
                                         {"older.w", "old", "new", NULL},
                                         {"a.b.w", "*.w", "*.k", "a.b.k"},
                                         {"a.b.w", "a.*", "*", "b.w"},
                                         {"a.b.w", "b.*", "*", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *made = nnrt_name_replace(cases[i][0], cases[i][1], cases[i][2]);
    cr_expect(cases[i][3] ? made && strcmp(made, cases[i][3]) == 0 : !made, "%s: %s", cases[i][0], made);
    free(made);
  }
}

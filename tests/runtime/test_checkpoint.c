// Checkpoints: what is written is read back to the bit, and every way a file can be wrong has its message, with the
// state left as it was.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"

typedef struct State {
  _Alignas(64) float w[2][3];
  _Alignas(64) uint8_t mask[3];
  _Alignas(64) double mean[2];
  _Alignas(64) int64_t count;
  _Alignas(64) int32_t ids[3];
  _Alignas(64) uint8_t on;
  _Alignas(64) float slot[2][3];
} State;

#define OFFSET(member) (int64_t) offsetof(State, member)
static const NnrtTensor tensors[] = {{"net.dense_0.w", NNRT_F32, 2, {2, 3}, NNRT_PARAM, OFFSET(w), 24, NULL},
                                     {"net.mask", NNRT_U8, 1, {3}, NNRT_STATE, OFFSET(mask), 3, NULL},
                                     {"net.mean", NNRT_F64, 1, {2}, NNRT_STATE, OFFSET(mean), 16, NULL},
                                     {"net.count", NNRT_I64, 0, {0}, NNRT_STATE, OFFSET(count), 8, NULL},
                                     {"net.ids", NNRT_I32, 1, {3}, NNRT_STATE, OFFSET(ids), 12, NULL},
                                     {"net.on", NNRT_BOOL, 0, {0}, NNRT_STATE, OFFSET(on), 1, NULL},
                                     {"net.dense_0.w.m", NNRT_F32, 2, {2, 3}, NNRT_OPTIMIZER, OFFSET(slot), 24, NULL}};
static const NnrtModule net = {.abi = NNRT_ABI,
                               .name = "net",
                               .file = "net.nn",
                               .fingerprint = 0xabcdef,
                               .state_bytes = sizeof(State),
                               .tensor_count = 7,
                               .tensors = tensors};
// One tensor, for files made by hand.
static const NnrtTensor small_tensors[] = {{"a.w", NNRT_F32, 1, {2}, NNRT_PARAM, 0, 8, NULL}};
static const NnrtModule small = {
    .abi = NNRT_ABI, .name = "a", .file = "a.nn", .state_bytes = 64, .tensor_count = 1, .tensors = small_tensors};

static char path[64], *kept[64]; // kept: notes, to the end of the test
static int kept_count;
static void setup(void) {
  strcpy(path, "/tmp/nnrt_checkpoint_XXXXXX");
  int file = mkstemp(path);
  cr_assert_geq(file, 0);
  close(file);
}
static void teardown(void) {
  unlink(path);
}
TestSuite(checkpoint, .init = setup, .fini = teardown);

static State example(void) {
  return (State){.w = {{1, 2, 3}, {-0.0f, 1e-40f, 3e38f}},
                 .mask = {7, 8, 9},
                 .mean = {0.1, -1e300},
                 .count = -5,
                 .ids = {1, -2, 3},
                 .on = 1,
                 .slot = {{9, 8, 7}, {6, 5, 4}}};
}

static bool same_tensors(const State *a, const State *b, NnrtTensorKind but) {
  for (int i = 0; i < net.tensor_count; i++) {
    const NnrtTensor *t = &tensors[i];
    if (t->kind != but && memcmp((const char *)a + t->offset, (const char *)b + t->offset, (size_t)t->bytes) != 0)
      return false;
  }
  return true;
}

static void put(const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  cr_assert_eq(fwrite(bytes, 1, size, file), size);
  fclose(file);
}

// A file with this header and so many bytes of data.
static void put_header(const char *header, size_t data) {
  char bytes[2048] = {0};
  size_t length = strlen(header);
  for (int i = 0; i < 8; i++)
    bytes[i] = (char)(length >> (8 * i));
  memcpy(bytes + 8, header, length);
  put(bytes, 8 + length + data);
}

typedef struct Reply {
  bool read;
  char *notes;
  NnrtError error;
} Reply;

static Reply read_into(const NnrtModule *module, void *state, NnrtPosition *position, NnrtLoad load) {
  Reply reply = {0};
  size_t size;
  FILE *notes = open_memstream(&reply.notes, &size);
  reply.read = nnrt_checkpoint_read(module, "train", state, position, path, load, notes, &reply.error);
  fclose(notes);
  cr_assert_lt(kept_count, 64);
  kept[kept_count++] = reply.notes;
  return reply;
}

static void refuses(const char *part) {
  unsigned char state[64], before[64];
  memset(state, 0x5a, sizeof state);
  memcpy(before, state, sizeof state);
  Reply reply = read_into(&small, state, NULL, NNRT_LOAD_WEIGHTS);
  cr_assert(!reply.read, "was read, should say: %s", part);
  cr_assert(strstr(reply.error.text, part) || strstr(reply.notes, part), "`%s`\n`%s` does not hold `%s`", reply.notes,
            reply.error.text, part);
  cr_assert_arr_eq(state, before, sizeof state);
}

static void refuses_header(const char *header, size_t data, const char *part) {
  put_header(header, data);
  refuses(part);
}

Test(checkpoint, keeps_every_bit) {
  State state = example(), found = {0};
  double sums[2] = {0.1 + 0.2, -1e-310}, read_sums[2] = {0};
  NnrtPosition at = {.step = 123,
                     .epoch = 4,
                     .epoch_step = 5,
                     .seed = -7,
                     .batch = 32,
                     .samples = 300,
                     .sum_count = 2,
                     .best = {0.1, 3},
                     .progress = {-1.5, 2},
                     .sums = sums,
                     .summed = 160};
  NnrtPosition where = {.sum_count = 2, .sums = read_sums};
  NnrtError error;
  cr_assert(nnrt_checkpoint_write(&net, "train", (uint8_t *)&state, &at, path, &error));
  Reply reply = read_into(&net, &found, &where, NNRT_LOAD_RESUME);
  cr_assert(reply.read, "%s", reply.error.text);
  cr_assert_str_empty(reply.notes);
  cr_assert(same_tensors(&state, &found, (NnrtTensorKind)-1));
  cr_assert_arr_eq(sums, read_sums, sizeof sums);
  cr_assert(where.step == 123 && where.epoch == 4 && where.epoch_step == 5 && where.seed == -7 && where.batch == 32);
  cr_assert(where.samples == 300 && where.summed == 160 && where.best.value == 0.1 && where.best.epoch == 3);
  cr_assert(where.progress.value == -1.5 && where.progress.epoch == 2);
}

Test(checkpoint, is_laid_out_as_the_format_says) {
  State state = example();
  NnrtError error;
  unsigned char bytes[4096];
  cr_assert(nnrt_checkpoint_write(&net, "train", (uint8_t *)&state, &(NnrtPosition){0}, path, &error));
  FILE *file = fopen(path, "rb");
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  size_t length = bytes[0] | (size_t)bytes[1] << 8;
  cr_assert_eq(length % 8, 0);
  cr_assert_eq(size, 8 + length + 16 + 8 + 24 + 12 + 24 + 3 + 1);
  cr_assert(strncmp((char *)bytes + 8, "{\"__metadata__\":{\"format\":\"nnc\"", 31) == 0);
  cr_assert(memcmp(bytes + 8 + length, state.mean, 16) == 0); // widest first
}

// A set of text of its own file, with these words.
static NnrtDataset *words(const char *text) {
  char name[] = "/tmp/nnrt_words_XXXXXX";
  int file = mkstemp(name);
  cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
  close(file);
  NnrtArg args[] = {{.kind = NNRT_ARG_STR, .text = name},
                    {.name = "as", .kind = NNRT_ARG_STR, .text = "words"},
                    {.name = "window", .kind = NNRT_ARG_INT, .integer = 1}};
  NnrtDataCall call = {.name = "text", .arg_count = 3, .args = args};
  NnrtError error = {0};
  NnrtDataset *set =
      nnrt_data_open(&(NnrtData){.name = "d", .file = "", .call_count = 1, .calls = &call}, NNRT_DATA_FULL, &error);
  unlink(name);
  cr_assert(set, "%s", error.text);
  return set;
}

static void write_with(const NnrtDataset *data) {
  State state = example();
  NnrtError error = {0};
  cr_assert(nnrt_checkpoint_write(&net, "train", (uint8_t *)&state, &(NnrtPosition){.data = data}, path, &error));
}

Test(checkpoint, keeps_tokens) {
  NnrtDataset *data = words("one two one three");
  NnrtTokens *tokens;
  NnrtError error = {0};
  State found;
  write_with(data);
  cr_assert(read_into(&net, &found, NULL, NNRT_LOAD_WEIGHTS).read);
  cr_assert(nnrt_checkpoint_fits(path, data, "d", &error), "%s", error.text);
  cr_assert(nnrt_checkpoint_tokens(path, false, &tokens, &error), "%s", error.text);
  char *before = nnrt_tokens_json(nnrt_data_tokens(data)), *after = nnrt_tokens_json(tokens);
  cr_assert_str_eq(before, after);
  free(before);
  free(after);
  nnrt_tokens_free(tokens);
  nnrt_data_close(data);
}

Test(checkpoint, of_other_tokens_does_not_fit) {
  NnrtDataset *data = words("one two one three"), *other = words("one two two three");
  NnrtError error = {0};
  write_with(data);
  cr_assert(!nnrt_checkpoint_fits(path, other, "d", &error));
  cr_assert(strstr(error.text, "was trained on other tokens than data `d` has now: its file, vocabulary or split"),
            "%s", error.text);
  nnrt_data_close(data);
  nnrt_data_close(other);
}

Test(checkpoint, without_tokens_fits_any) {
  NnrtDataset *data = words("one two");
  NnrtTokens *tokens;
  NnrtError error = {0};
  write_with(NULL);
  cr_assert(nnrt_checkpoint_fits(path, data, "d", &error));
  cr_assert(nnrt_checkpoint_tokens(path, false, &tokens, &error));
  cr_assert_null(tokens);
  nnrt_data_close(data);
}

Test(checkpoint, with_damaged_tokens) {
  NnrtTokens *tokens;
  NnrtError error = {0};
  put_header("{\"__metadata__\":{\"tokens\":\"{}\"},\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
             8);
  cr_assert(!nnrt_checkpoint_tokens(path, false, &tokens, &error));
  cr_assert(strstr(error.text, ": its `tokens` are damaged"), "%s", error.text);
}

Test(checkpoint, weights_leave_optimizer_slots) {
  State state = example(), found = {.slot = {{1, 1, 1}}};
  NnrtError error;
  cr_assert(nnrt_checkpoint_write(&net, "train", (uint8_t *)&state, &(NnrtPosition){0}, path, &error));
  cr_assert(read_into(&net, &found, NULL, NNRT_LOAD_WEIGHTS).read);
  cr_assert(same_tensors(&state, &found, NNRT_OPTIMIZER));
  cr_assert_eq(found.slot[0][0], 1);
  NnrtModule less = net; // a program without optimizer still takes the file
  less.tensor_count = 6;
  cr_assert(read_into(&less, &found, NULL, NNRT_LOAD_WEIGHTS).read);
  cr_assert(!read_into(&less, &found, NULL, NNRT_LOAD_RESUME).read);
}

Test(checkpoint, tells_all_differences) {
  NnrtTensor other[7];
  memcpy(other, tensors, sizeof other);
  other[0].dim[1] = 4;
  other[1].name = "net.masks";
  other[2].type = NNRT_F32;
  other[4].name = "another.ids";
  NnrtModule changed = net;
  changed.tensors = other;
  State state = example(), found = example();
  NnrtError error;
  cr_assert(nnrt_checkpoint_write(&net, "train", (uint8_t *)&state, &(NnrtPosition){0}, path, &error));
  Reply reply = read_into(&changed, &found, NULL, NNRT_LOAD_RESUME);
  cr_assert(!reply.read);
  cr_assert(same_tensors(&state, &found, (NnrtTensorKind)-1));
  const char *wanted[] = {"net.dense_0.w is f32[2, 3] in the file, but f32[2, 4] here\n",
                          "net.masks, u8[3], is missing; the file has net.mask\n",
                          "net.mean is f64[2] in the file, but f32[2] here\n",
                          "another.ids, i32[3], is missing; the file has net.ids\n",
                          "net.mask, u8[3], is not in net\n",
                          "net.ids, i32[3], is not in net\n"};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    cr_assert(strstr(reply.notes, wanted[i]), "no `%s` in\n%s", wanted[i], reply.notes);
  cr_assert(strstr(reply.error.text, "2 missing, 2 of another shape, 2 unexpected"), "%s", reply.error.text);
}

#define A_W(shape, offsets) "{\"a.w\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

Test(checkpoint, broken_files_are_refused) {
  put("", 0);
  refuses("shorter than 8 bytes");
  put("\x10\0\0\0\0\0\0\0{}", 10);
  refuses("ends within its header");
  put("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
  refuses("its header claims more than 100 MB");
  unlink(path);
  refuses("No such file");
  refuses_header("{\"a.w\":", 8, "its header, byte ");
  refuses_header("[1]", 8, "no JSON object");
  refuses_header("{\"a.w\":1,\"a.w\":2}", 8, "duplicate object key");
  refuses_header("{\"a.w\":1}", 8, "no dtype or data_offsets");
  refuses_header("{\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "no dtype or data_offsets");
  refuses_header("{\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", 8, "no dtype or data_offsets");
  refuses_header(A_W("[2]", "[0,8]"), 7, "the file has 7: it was cut short");
  refuses_header(A_W("[2]", "[-4,4]"), 8, "cut short");
  refuses_header(A_W("[2]", "[8,0]"), 8, "cut short");
  refuses_header(A_W("[2]", "[0,9223372036854775807]"), 8, "cut short");
  refuses_header(A_W("[3]", "[0,8]"), 8, "the shape of tensor `a.w` is not that of its 8 bytes");
  refuses_header(A_W("[-2]", "[0,8]"), 8, "the shape of tensor");
  refuses_header(A_W("2", "[0,8]"), 8, "the shape of tensor");
  refuses_header(A_W("[4611686018427387904,4,2]", "[0,8]"), 8, "the shape of tensor");
  refuses_header(A_W("[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, "the shape of tensor");
  refuses_header(A_W("[2]", "[0,8]"), 9, "bytes behind its last tensor");
  refuses_header(A_W("[2]", "[4,12]"), 12, "has a hole before it");
  refuses_header("{\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                 "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                 8, "overlaps the one before it");
  refuses_header(A_W("[1]", "[0,4]"), 4, "a.w is f32[1] in the file, but f32[2] here");
  refuses_header("{\"a.w\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[0,8]}}", 8,
                 "a.w is BF16[4] in the file");
  refuses_header("{}", 0, "a.w, f32[2], is missing\n");
  put_header(A_W("[2]", "[0,8]"), 8);
  float state[16];
  cr_assert(read_into(&small, state, NULL, NNRT_LOAD_WEIGHTS).read);
}

static void refuses_position(const char *metadata, const char *part) {
  char header[1024];
  snprintf(header, sizeof header,
           "{\"__metadata__\":%s,\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", metadata);
  put_header(header, 8);
  float state[16] = {0};
  double sum = 0;
  NnrtPosition at = {.step = 77, .sum_count = 1, .sums = &sum};
  Reply reply = read_into(&small, state, &at, NNRT_LOAD_RESUME);
  cr_assert(!reply.read, "was read, should say: %s", part);
  cr_assert(strstr(reply.error.text, part), "`%s` does not hold `%s`", reply.error.text, part);
  cr_assert_eq(at.step, 77);
}

Test(checkpoint, broken_positions_are_refused) {
#define COUNTS "\"epoch\":\"1\",\"epoch_step\":\"2\",\"batch\":\"1\",\"samples\":\"9\",\"summed\":\"2\",\"seed\":\"0\""
#define BEST "\"best\":\"0x1p+0\",\"best_epoch\":\"1\",\"progress\":\"0x0p+0\",\"progress_epoch\":\"0\""
  refuses_position("1", "its metadata has no number `step`");
  refuses_position("{\"step\":5}", "its metadata has no number `step`");
  refuses_position("{\"step\":\"-5\"}", "its metadata has no number `step`");
  refuses_position("{\"step\":\"5x\"}", "`step` is \"5x\"");
  refuses_position("{\"step\":\"99999999999999999999\"}", "`step` is \"9999");
  refuses_position("{\"block\":\"other\"}", "was saved by train block `other`, not by `train`");
  refuses_position("{\"step\":\"5\"," COUNTS "}", "its metadata has no value `best`");
  refuses_position("{\"step\":\"5\"," COUNTS "," BEST "}", "has not all sums");
  refuses_position("{\"step\":\"5\"," COUNTS "," BEST ",\"sums\":\"x\"}", "has not all sums");
}

Test(checkpoint, a_folder_or_device_is_no_checkpoint) {
  unlink(path);
  strcpy(path, "/tmp");
  refuses("not a regular file");
  strcpy(path, "/dev/zero");
  refuses("not a regular file");
  setup();
}

Test(checkpoint, is_not_put_in_the_place_of_a_folder_or_device) {
  NnrtError error = {0};
  cr_assert(!nnrt_checkpoint_writable("/dev/null", &error));
  cr_assert(strstr(error.text, "it is no regular file"), "%s", error.text);
  cr_assert(!nnrt_checkpoint_writable("/tmp", &error));
  cr_assert(strstr(error.text, "it is a folder"), "%s", error.text);
}

Test(checkpoint, last_stands_beside) {
  char *a = nnrt_last_path("runs/digits.safetensors"), *b = nnrt_last_path("odd"), *c = nnrt_beside("a/b.nn", "x.csv"),
       *d = nnrt_beside("b.nn", "x.csv"), *e = nnrt_beside("a/b.nn", "/x.csv");
  cr_assert_str_eq(a, "runs/digits.last.safetensors");
  cr_assert_str_eq(b, "odd.last.safetensors");
  cr_assert_str_eq(c, "a/x.csv");
  cr_assert_str_eq(d, "x.csv");
  cr_assert_str_eq(e, "/x.csv");
  free(a), free(b), free(c), free(d), free(e);
}

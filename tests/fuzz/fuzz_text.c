// libFuzzer entry for text: the first two bytes choose the kind of tokens, their number, windows and parts; the rest is
// the text. What bytes and pieces encode must come back as it was.
#include "data/tokens.h"
#include "fuzz_data.h"

// As JSON too.
static void stays(const NnrtTokens *tokens) {
  char *json = nnrt_tokens_json(tokens), *again;
  NnrtTokens *back = nnrt_tokens_parse(json);
  assert(back);
  again = nnrt_tokens_json(back);
  assert(!strcmp(json, again));
  free(json);
  free(again);
  nnrt_tokens_free(back);
}

// The input as JSON of tokens: refused, or good for use.
static void parses(const char *text, size_t size) {
  char *json = strndup(text, size);
  NnrtTokens *tokens = nnrt_tokens_parse(json);
  NnrtIds ids = {0};
  NnrtError error = {0};
  size_t length;
  if (tokens && nnrt_tokens_encode(tokens, text, size, &ids, &error))
    for (int64_t i = 0; i < ids.count; i++)
      nnrt_tokens_bytes(tokens, ids.id[i], &length);
  if (tokens)
    stays(tokens);
  free(ids.id);
  nnrt_tokens_free(tokens);
  free(json);
}

static void comes_back(const NnrtTokens *tokens, const char *text, size_t size) {
  NnrtIds ids = {0};
  NnrtError error = {0};
  if (nnrt_tokens_encode(tokens, text, size, &ids, &error)) {
    size_t at = 0, length;
    for (int64_t i = 0; i < ids.count; i++) {
      const char *part = nnrt_tokens_bytes(tokens, ids.id[i], &length);
      assert(at + length <= size && !memcmp(text + at, part, length));
      at += length;
    }
    assert(at == size);
  }
  free(ids.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char *const kinds[] = {"bytes", "chars", "words", "bpe"};
  if (size < 2 || size > 1 << 15)
    return 0;
  unsigned a = bytes[0], b = bytes[1], kind = a & 3;
  parses((const char *)bytes + 2, size - 2);
  const char *path = fuzz_file("text.txt", bytes + 2, size - 2);
  NnrtArg args[6] = {ARG(NULL, NNRT_ARG_STR, .text = path), ARG("as", NNRT_ARG_STR, .text = kinds[kind]),
                     ARG("window", NNRT_ARG_INT, .integer = 1 + (a >> 2 & 7)),
                     ARG("stride", NNRT_ARG_INT, .integer = 1 + (a >> 5 & 3)),
                     ARG("lower", NNRT_ARG_BOOL, .integer = a >> 7)};
  int count = 5;
  if (kind == 3 || (kind && b & 1))
    args[count++] = ARG("vocabulary", NNRT_ARG_INT, .integer = (kind == 3 ? 256 : 2) + (b >> 2));
  NnrtArg split[2] = {ARG("val", NNRT_ARG_REAL, .real = 0.25), ARG("test", NNRT_ARG_INT, .integer = 9, .real = 9)};
  NnrtDataCall calls[2] = {{.name = "text", .arg_count = count, .args = args},
                           {.name = "split", .arg_count = 2, .args = split}};
  NnrtData data = {.name = "d", .file = "f.nn", .call_count = b & 2 ? 2 : 1, .calls = calls};
  fuzz_open(&data, path);
  NnrtError error = {0};
  NnrtDataset *set = nnrt_data_open(&data, NNRT_DATA_FULL, &error);
  if (set && (kind == 0 || kind == 3) && !(a & 128))
    comes_back(nnrt_data_tokens(set), (const char *)bytes + 2, size - 2);
  if (set)
    stays(nnrt_data_tokens(set));
  nnrt_data_close(set);
  return 0;
}

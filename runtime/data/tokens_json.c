// Tokens as JSON: {"kind": "words", "lower": false, "special": ["padding", …], "tokens": ["the", …]}; of pieces, in place
// of tokens, "merges": [[116, 104], …] in their order. What is read may be anything.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "data/token_set.h"

static const char *const special_names[NNRT_SPECIALS] = {"padding", "start", "end", "unknown"};

// ---- writing
static json_t *special_json(const NnrtTokens *tokens) {
  json_t *list = json_array();
  for (int i = 0; i < NNRT_SPECIALS; i++)
    if (tokens->special[i] >= 0)
      json_array_append_new(list, json_string(special_names[i]));
  return list;
}

static json_t *known_json(const NnrtDictionary *known) {
  json_t *list = json_array();
  for (int i = 0; i < known->count; i++)
    json_array_append_new(list, json_stringn(nnrt_dictionary_text(known, i), known->entry[i].length));
  return list;
}

static json_t *merges_json(const NnrtBpe *bpe) {
  json_t *list = json_array();
  for (int i = 256; i < bpe->count; i++)
    json_array_append_new(list, json_pack("[i, i]", bpe->piece[i].left, bpe->piece[i].right));
  return list;
}

char *nnrt_tokens_json(const NnrtTokens *tokens) {
  json_t *object = json_object();
  json_object_set_new(object, "kind", json_string(nnrt_token_kinds[tokens->kind]));
  json_object_set_new(object, "lower", json_boolean(tokens->lower));
  json_object_set_new(object, "special", special_json(tokens));
  if (tokens->kind == NNRT_TOKEN_BPE)
    json_object_set_new(object, "merges", merges_json(&tokens->bpe));
  else if (tokens->kind != NNRT_TOKEN_BYTES)
    json_object_set_new(object, "tokens", known_json(&tokens->known));
  char *text = json_dumps(object, JSON_COMPACT);
  json_decref(object);
  return text;
}

// ---- reading
static bool read_head(const json_t *object, NnrtTokenKind *kind, bool has[NNRT_SPECIALS]) {
  const char *name = json_string_value(json_object_get(object, "kind"));
  int found = 0;
  while (found < NNRT_TOKEN_KINDS && (!name || strcmp(name, nnrt_token_kinds[found])))
    found++;
  *kind = (NnrtTokenKind)found;
  const json_t *list = json_object_get(object, "special");
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *special = json_string_value(json_array_get(list, i));
    for (int k = 0; k < NNRT_SPECIALS; k++)
      has[k] = has[k] || (special && !strcmp(special, special_names[k]));
  }
  return found < NNRT_TOKEN_KINDS && json_is_array(list);
}

static bool read_known(const json_t *list, NnrtDictionary *known) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    size_t length = json_string_length(item);
    if (!length || nnrt_dictionary_add(known, json_string_value(item), length) != (int)i) // none is there twice
      return false;
  }
  return json_is_array(list);
}

static bool read_merges(const json_t *list, NnrtBpe *bpe) {
  size_t count = json_array_size(list);
  if (!json_is_array(list) || count > INT32_MAX / 2 || !nnrt_bpe_begin(bpe, 256 + (int)count))
    return false;
  for (size_t i = 0; i < count; i++) {
    const json_t *left = json_array_get(json_array_get(list, i), 0),
                 *right = json_array_get(json_array_get(list, i), 1);
    json_int_t a = json_integer_value(left), b = json_integer_value(right);
    if (!json_is_integer(left) || !json_is_integer(right) || a < 0 || b < 0 || a >= bpe->count || b >= bpe->count ||
        !nnrt_bpe_add(bpe, (int)a, (int)b))
      return false;
  }
  return nnrt_bpe_end(bpe);
}

static bool read_tokens(const json_t *object, NnrtTokens *tokens) {
  switch (tokens->kind) {
  case NNRT_TOKEN_BYTES:
    return true;
  case NNRT_TOKEN_BPE:
    return read_merges(json_object_get(object, "merges"), &tokens->bpe);
  default:
    return read_known(json_object_get(object, "tokens"), &tokens->known) && nnrt_tokens_speak(tokens);
  }
}

NnrtTokens *nnrt_tokens_parse(const char *json) {
  json_t *object = json_loads(json, 0, NULL);
  NnrtTokenKind kind;
  bool has[NNRT_SPECIALS] = {false};
  NnrtTokens *tokens =
      read_head(object, &kind, has) ? nnrt_tokens_new(kind, json_is_true(json_object_get(object, "lower")), has) : NULL;
  bool ok = tokens && read_tokens(object, tokens);
  json_decref(object);
  if (ok)
    return tokens;
  nnrt_tokens_free(tokens);
  return NULL;
}

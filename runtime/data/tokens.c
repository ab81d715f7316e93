// Tokens of four kinds. Bytes are their own ids; characters and words go by a dictionary, pieces by their merges.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/token_set.h"
#include "data/utf8.h"

const char *const nnrt_token_kinds[NNRT_TOKEN_KINDS] = {"bytes", "chars", "words", "bpe"};

NnrtTokens *nnrt_tokens_new(NnrtTokenKind kind, bool lower, const bool has[NNRT_SPECIALS]) {
  NnrtTokens *tokens = calloc(1, sizeof *tokens);
  if (!tokens)
    return NULL;
  tokens->kind = kind;
  tokens->lower = lower;
  for (int i = 0; i < 256; i++)
    tokens->byte[i] = (char)i;
  for (int i = 0; i < NNRT_SPECIALS; i++)
    tokens->special[i] = has[i] ? tokens->special_count++ : -1;
  return tokens;
}

void nnrt_tokens_free(NnrtTokens *tokens) {
  if (!tokens)
    return;
  nnrt_dictionary_free(&tokens->known);
  nnrt_bpe_free(&tokens->bpe);
  free(tokens->spoken);
  free(tokens);
}

int nnrt_tokens_count(const NnrtTokens *tokens) {
  int own = tokens->kind == NNRT_TOKEN_BYTES ? 256
            : tokens->kind == NNRT_TOKEN_BPE ? tokens->bpe.count
                                             : tokens->known.count;
  return tokens->special_count + own;
}

int nnrt_tokens_special(const NnrtTokens *tokens, NnrtSpecial special) {
  return tokens->special[special];
}

// ---- units of text: a byte, a character, a word, a chunk
static bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (unsigned char)c >= 0x80;
}

// A run of letters and digits, apostrophes within it too, or any other sign alone; a line's end is one.
static size_t word_length(const char *text, const char *end) {
  const char *at = text;
  while (at < end && (in_word(*at) || (*at == '\'' && at > text && end - at > 1 && in_word(at[1]))))
    at++;
  return at > text ? (size_t)(at - text) : 1;
}

// The unit at `text`, which is not empty; blanks between words are none (0: go over a byte).
static size_t unit_length(const NnrtTokens *tokens, const char *text, const char *end) {
  switch (tokens->kind) {
  case NNRT_TOKEN_CHARS:
    return (size_t)nnrt_utf8_length(text, end);
  case NNRT_TOKEN_WORDS:
    return *text == ' ' || *text == '\t' || *text == '\r' ? 0 : word_length(text, end);
  case NNRT_TOKEN_BPE:
    return nnrt_bpe_chunk(text, end);
  default:
    return 1;
  }
}

// ---- learning
static char *lower_copy(const char *text, size_t length) {
  char *copy = malloc(length + 1);
  for (size_t i = 0; copy && i < length; i++)
    copy[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];
  return copy;
}

static bool count_units(NnrtTokens *tokens, const char *text, size_t length) {
  for (const char *end = text + length; text < end;) {
    size_t unit = unit_length(tokens, text, end);
    int number = unit ? nnrt_dictionary_add(&tokens->known, text, unit) : 0;
    if (number < 0)
      return false;
    if (unit)
      tokens->known.entry[number].count++;
    text += unit ? unit : 1;
  }
  return true;
}

bool nnrt_tokens_learn(NnrtTokens *tokens, const char *text, size_t length) {
  char *lower = tokens->lower ? lower_copy(text, length) : NULL;
  if (tokens->lower && !lower)
    return false;
  if (lower)
    text = lower;
  bool ok =
      tokens->kind == NNRT_TOKEN_BYTES ||
      (tokens->kind == NNRT_TOKEN_BPE ? nnrt_bpe_learn(&tokens->bpe, text, length) : count_units(tokens, text, length));
  free(lower);
  return ok;
}

// ---- choosing
typedef struct Choice {
  const char *text;
  size_t length;
  int64_t count;
} Choice;

static int by_bytes(const void *a, const void *b) {
  const Choice *x = a, *y = b;
  int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

static int by_count(const void *a, const void *b) {
  const Choice *x = a, *y = b;
  return x->count != y->count ? (x->count < y->count ? 1 : -1) : by_bytes(a, b);
}

// The dictionary again, of the first `most` in their order.
static bool choose(NnrtTokens *tokens, int most) {
  NnrtDictionary all = tokens->known;
  Choice *choice = malloc(((size_t)all.count + 1) * sizeof *choice);
  if (!choice)
    return false;
  for (int i = 0; i < all.count; i++)
    choice[i] = (Choice){nnrt_dictionary_text(&all, i), all.entry[i].length, all.entry[i].count};
  int count = most < all.count ? most : all.count;
  qsort(choice, (size_t)all.count, sizeof *choice, by_count);
  if (tokens->kind == NNRT_TOKEN_CHARS)
    qsort(choice, (size_t)count, sizeof *choice, by_bytes);
  tokens->known = (NnrtDictionary){0};
  bool ok = true;
  for (int i = 0; ok && i < count; i++)
    ok = nnrt_dictionary_add(&tokens->known, choice[i].text, choice[i].length) >= 0;
  free(choice);
  nnrt_dictionary_free(&all);
  return ok;
}

bool nnrt_tokens_speak(NnrtTokens *tokens) {
  if (tokens->kind != NNRT_TOKEN_WORDS)
    return true;
  const NnrtDictionary *known = &tokens->known;
  char *to = tokens->spoken = malloc(known->used + (size_t)known->count + 1);
  for (int i = 0; to && i < known->count; i++) {
    *to++ = ' ';
    memcpy(to, nnrt_dictionary_text(known, i), known->entry[i].length);
    to += known->entry[i].length;
  }
  return to;
}

bool nnrt_tokens_settle(NnrtTokens *tokens, int vocabulary) {
  int most = vocabulary ? vocabulary - tokens->special_count : INT32_MAX;
  if (tokens->kind == NNRT_TOKEN_BYTES)
    return true;
  if (tokens->kind == NNRT_TOKEN_BPE)
    return nnrt_bpe_settle(&tokens->bpe, most);
  return choose(tokens, most) && nnrt_tokens_speak(tokens);
}

// ---- encoding
static bool make_room(NnrtIds *ids, int64_t more) {
  if (ids->room - ids->count >= more)
    return true;
  int64_t room = ids->room * 2 + more + 64;
  int32_t *id = realloc(ids->id, (size_t)room * sizeof *id);
  if (!id)
    return false;
  ids->id = id;
  ids->room = room;
  return true;
}

static bool encode_unit(const NnrtTokens *tokens, const char *unit, size_t length, int64_t offset, NnrtIds *ids,
                        NnrtError *error) {
  int32_t *to = ids->id + ids->count;
  if (tokens->kind == NNRT_TOKEN_BPE) {
    int count = nnrt_bpe_encode(&tokens->bpe, unit, length, to);
    for (int i = 0; i < count; i++)
      to[i] += tokens->special_count;
    ids->count += count;
    return true;
  }
  int number =
      tokens->kind == NNRT_TOKEN_BYTES ? (unsigned char)*unit : nnrt_dictionary_find(&tokens->known, unit, length);
  *to = number < 0 ? tokens->special[NNRT_UNKNOWN] : tokens->special_count + number;
  ids->count++;
  return *to >= 0 || nnrt_fail(error, "character `%.*s` at offset %lld is not among the %d of the text learnt from",
                               (int)length, unit, (long long)offset, tokens->known.count);
}

bool nnrt_tokens_encode(const NnrtTokens *tokens, const char *text, size_t length, NnrtIds *ids, NnrtError *error) {
  const char *fault = tokens->kind == NNRT_TOKEN_BYTES ? text + length : nnrt_utf8_fault(text, text + length);
  if (fault < text + length)
    return nnrt_fail(error, "byte 0x%02x at offset %lld is no UTF-8", (unsigned char)*fault, (long long)(fault - text));
  char *lower = tokens->lower ? lower_copy(text, length) : NULL;
  bool ok = lower || !tokens->lower || nnrt_fail(error, "not enough memory");
  const char *begin = lower ? lower : text, *end = begin + length;
  for (const char *at = begin; ok && at < end;) {
    size_t unit = unit_length(tokens, at, end);
    if (unit)
      ok = (make_room(ids, NNRT_LONGEST_CHUNK) || nnrt_fail(error, "not enough memory")) &&
           encode_unit(tokens, at, unit, at - begin, ids, error);
    at += unit ? unit : 1;
  }
  free(lower);
  return ok;
}

// ---- decoding
static const char *text_of(const NnrtTokens *tokens, int number, size_t *length) {
  switch (tokens->kind) {
  case NNRT_TOKEN_BPE:
    *length = tokens->bpe.piece[number].length;
    return tokens->bpe.bytes + tokens->bpe.piece[number].at;
  case NNRT_TOKEN_BYTES:
    *length = 1;
    return tokens->byte + number;
  default:
    *length = tokens->known.entry[number].length;
    return nnrt_dictionary_text(&tokens->known, number);
  }
}

const char *nnrt_tokens_bytes(const NnrtTokens *tokens, int64_t id, size_t *length) {
  *length = 0;
  if (id < 0 || id >= nnrt_tokens_count(tokens))
    return "";
  int number = (int)id - tokens->special_count;
  if (number < 0) {
    *length = id == tokens->special[NNRT_UNKNOWN] ? 3 : 0;
    return *length ? "\xEF\xBF\xBD" : ""; // U+FFFD, the replacement character
  }
  const char *text = text_of(tokens, number, length);
  if (tokens->kind != NNRT_TOKEN_WORDS || !in_word(*text))
    return text;
  ++*length; // in `spoken` a blank stands before each word
  return tokens->spoken + tokens->known.entry[number].at + number;
}

// Line ends and other controls as C writes them, and so what is no UTF-8.
const char *nnrt_tokens_name(const NnrtTokens *tokens, int id, char room[64]) {
  static const char *const special[NNRT_SPECIALS] = {"<padding>", "<start>", "<end>", "<unknown>"};
  for (int i = 0; i < NNRT_SPECIALS; i++)
    if (id == tokens->special[i])
      return special[i];
  size_t length, used = 0;
  const char *text = text_of(tokens, id - tokens->special_count, &length), *end = text + length;
  for (int step; text < end && used < 58; text += step) {
    int character = nnrt_utf8_length(text, end);
    step = character ? character : 1;
    if (!character || (unsigned char)*text < ' ' || *text == 0x7f)
      used += (size_t)snprintf(room + used, 64 - used, *text == '\n' ? "\\n" : "\\x%02x", (unsigned char)*text);
    else
      used += (size_t)snprintf(room + used, 64 - used, "%.*s", step, text);
  }
  room[used] = 0;
  return room;
}

// The arguments that say what tokens are, text files, tokens as classes.
#include <stdlib.h>
#include <string.h>

#include "data/text.h"
#include "data/utf8.h"

enum { LARGEST_VOCABULARY = 1 << 20 };

static bool read_kind(const NnrtOpening *opening, const NnrtArg *as, NnrtTokenKind *kind) {
  char hint[96];
  for (int i = 0; i < NNRT_TOKEN_KINDS; i++)
    if (!strcmp(as->text, nnrt_token_kinds[i])) {
      *kind = (NnrtTokenKind)i;
      return true;
    }
  return nnrt_fail_at(opening, as, "`as` is bytes, chars, words or bpe, not `%s`%s", as->text,
                      nnrt_mean_hint(hint, as->text, nnrt_token_kinds, NNRT_TOKEN_KINDS));
}

bool nnrt_coding_read(const NnrtOpening *opening, const NnrtArg *as, const NnrtArg *vocabulary, const NnrtArg *lower,
                      NnrtTextCoding *coding) {
  coding->kind = NNRT_TOKEN_CHARS;
  coding->lower = lower && lower->integer;
  if (as && !read_kind(opening, as, &coding->kind))
    return false;
  coding->has[NNRT_UNKNOWN] = coding->kind == NNRT_TOKEN_WORDS ||
                              (coding->kind == NNRT_TOKEN_CHARS && (vocabulary || coding->has[NNRT_PADDING]));
  int least = coding->kind == NNRT_TOKEN_BYTES || coding->kind == NNRT_TOKEN_BPE ? 256 : 1;
  for (int i = 0; i < NNRT_SPECIALS; i++)
    least += coding->has[i];
  if (!vocabulary)
    return coding->kind != NNRT_TOKEN_BPE ||
           nnrt_fail_at(opening, as, "`as: bpe` needs `vocabulary: …`, the number of its pieces");
  if (coding->kind == NNRT_TOKEN_BYTES)
    return nnrt_fail_at(opening, vocabulary, "`as: bytes` has no `vocabulary`: bytes are 256");
  if (vocabulary->integer < least || vocabulary->integer > LARGEST_VOCABULARY)
    return nnrt_fail_at(opening, vocabulary, "`vocabulary` of %s is from %d to %d, not %lld",
                        nnrt_token_kinds[coding->kind], least, LARGEST_VOCABULARY, (long long)vocabulary->integer);
  coding->vocabulary = (int)vocabulary->integer;
  return true;
}

static bool check_text(const char *path, NnrtTokenKind kind, const char *text, size_t length, NnrtError *error) {
  if (kind == NNRT_TOKEN_BYTES)
    return true;
  const char *end = text + length, *fault = nnrt_utf8_fault(text, end), *nul = memchr(text, 0, (size_t)(fault - text));
  if (fault == end && !nul)
    return true;
  if (nul)
    fault = nul;
  int64_t line = 1;
  for (const char *at = text; (at = memchr(at, '\n', (size_t)(fault - at))); at++)
    line++;
  return nnrt_fail(error, "%s: byte 0x%02x at offset %lld (line %lld) is no %s; `as: bytes` takes any bytes", path,
                   (unsigned char)*fault, (long long)(fault - text), (long long)line, nul ? "text" : "UTF-8");
}

char *nnrt_text_read(const char *path, NnrtTokenKind kind, size_t *length, NnrtError *error) {
  char why[160];
  char *text = nnrt_file_all(path, length, why);
  if (!text) {
    nnrt_fail(error, "%s: cannot read it: %s", path, why);
    return NULL;
  }
  if (kind != NNRT_TOKEN_BYTES && *length >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) {
    *length -= 3;
    memmove(text, text + 3, *length + 1);
  }
  if (check_text(path, kind, text, *length, error))
    return text;
  free(text);
  return NULL;
}

bool nnrt_set_token_classes(NnrtDataset *set, const NnrtTokens *tokens) {
  int count = nnrt_tokens_count(tokens);
  const char **names = nnrt_data_alloc(set, count, sizeof *names);
  for (int i = 0; names && i < count; i++) {
    char room[64];
    const char *name = nnrt_tokens_name(tokens, i, room);
    if (!(names[i] = nnrt_data_text(set, name, strlen(name))))
      return false;
  }
  set->info.class_count = count;
  set->info.class_names = names;
  return names;
}

// Chunks of text and their pieces. Merges are applied in the order they were learnt in.
#include "data/bpe.h"

#include <stdlib.h>
#include <string.h>

// ---- chunks
typedef enum Sort { BLANK, LETTER, DIGIT, SIGN } Sort;

static Sort sort_of(char c) {
  if (c == ' ' || (c >= '\t' && c <= '\r'))
    return BLANK;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80)
    return LETTER;
  return c >= '0' && c <= '9' ? DIGIT : SIGN;
}

// A single blank goes with what follows it; so does the last one of several.
size_t nnrt_bpe_chunk(const char *text, const char *end) {
  if (end - text > NNRT_LONGEST_CHUNK)
    end = text + NNRT_LONGEST_CHUNK;
  const char *at = text;
  if (*at == ' ' && end - at > 1 && sort_of(at[1]) != BLANK)
    at++;
  Sort sort = sort_of(*at);
  while (at < end && sort_of(*at) == sort)
    at++;
  if (sort == BLANK && at < end && at - text > 1 && at[-1] == ' ')
    at--;
  return (size_t)(at - text);
}

bool nnrt_bpe_learn(NnrtBpe *bpe, const char *text, size_t length) {
  for (const char *end = text + length; text < end;) {
    size_t chunk = nnrt_bpe_chunk(text, end);
    int number = nnrt_dictionary_add(&bpe->chunks, text, chunk);
    if (number < 0)
      return false;
    bpe->chunks.entry[number].count++;
    text += chunk;
  }
  return true;
}

// ---- pieces
static int find_merged(const NnrtBpe *bpe, int left, int right) {
  uint64_t pair = (uint64_t)left << 32 | (uint32_t)right;
  for (uint32_t mask = bpe->slot_count - 1, i = nnrt_bpe_hash(pair) & mask;; i = (i + 1) & mask)
    if (bpe->merged[i] < 0 || bpe->pair[i] == pair)
      return bpe->merged[i];
}

int nnrt_bpe_encode(const NnrtBpe *bpe, const char *chunk, size_t length, int32_t pieces[NNRT_LONGEST_CHUNK]) {
  int count = (int)length;
  for (int i = 0; i < count; i++)
    pieces[i] = (unsigned char)chunk[i];
  for (;;) {
    int first = bpe->count, left = -1, right = -1; // the merge learnt first
    for (int i = 0; i + 1 < count; i++) {
      int merged = find_merged(bpe, pieces[i], pieces[i + 1]);
      if (merged >= 0 && merged < first) {
        first = merged;
        left = pieces[i];
        right = pieces[i + 1];
      }
    }
    if (left < 0)
      return count;
    int kept = 0;
    for (int i = 0; i < count; i++) {
      bool merge = i + 1 < count && pieces[i] == left && pieces[i + 1] == right;
      pieces[kept++] = merge ? first : pieces[i];
      i += merge;
    }
    count = kept;
  }
}

void nnrt_bpe_free(NnrtBpe *bpe) {
  nnrt_dictionary_free(&bpe->chunks);
  free(bpe->piece);
  free(bpe->bytes);
  free(bpe->pair);
  free(bpe->merged);
  *bpe = (NnrtBpe){0};
}

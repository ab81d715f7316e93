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
  uint64_t pair = nnrt_bpe_key(left, right);
  for (uint32_t mask = bpe->slot_count - 1, i = nnrt_bpe_hash(pair) & mask;; i = (i + 1) & mask)
    if (bpe->merged[i] < 0 || bpe->pair[i] == pair)
      return bpe->merged[i];
}

bool nnrt_bpe_begin(NnrtBpe *bpe, int most) {
  bpe->piece = malloc((size_t)(most < 256 ? 256 : most) * sizeof *bpe->piece);
  for (; bpe->piece && bpe->count < 256; bpe->count++)
    bpe->piece[bpe->count] = (NnrtPiece){.left = -1, .right = -1, .at = (size_t)bpe->count, .length = 1};
  return bpe->piece;
}

bool nnrt_bpe_add(NnrtBpe *bpe, int left, int right) {
  const NnrtPiece *last = &bpe->piece[bpe->count - 1];
  NnrtPiece piece = {left, right, last->at + last->length, bpe->piece[left].length + bpe->piece[right].length};
  bpe->piece[bpe->count++] = piece;
  return piece.length <= NNRT_LONGEST_CHUNK;
}

static void copy_bytes(NnrtBpe *bpe, const NnrtPiece *piece) {
  const NnrtPiece *left = &bpe->piece[piece->left], *right = &bpe->piece[piece->right];
  memcpy(bpe->bytes + piece->at, bpe->bytes + left->at, left->length);
  memcpy(bpe->bytes + piece->at + left->length, bpe->bytes + right->at, right->length);
}

bool nnrt_bpe_end(NnrtBpe *bpe) {
  const NnrtPiece *last = &bpe->piece[bpe->count - 1];
  bpe->slot_count = 1024;
  while (bpe->slot_count < 2 * (uint32_t)bpe->count)
    bpe->slot_count *= 2;
  bpe->bytes = malloc(last->at + last->length);
  bpe->pair = calloc(bpe->slot_count, sizeof *bpe->pair);
  bpe->merged = malloc(bpe->slot_count * sizeof *bpe->merged);
  if (!bpe->bytes || !bpe->pair || !bpe->merged)
    return false;
  memset(bpe->merged, -1, bpe->slot_count * sizeof *bpe->merged);
  for (int i = 0; i < 256; i++)
    bpe->bytes[i] = (char)i;
  for (int i = 256; i < bpe->count; i++) {
    const NnrtPiece *piece = &bpe->piece[i];
    uint64_t pair = nnrt_bpe_key(piece->left, piece->right);
    uint32_t mask = bpe->slot_count - 1, slot = nnrt_bpe_hash(pair) & mask;
    for (; bpe->merged[slot] >= 0; slot = (slot + 1) & mask)
      if (bpe->pair[slot] == pair)
        return false;
    bpe->pair[slot] = pair;
    bpe->merged[slot] = i;
    copy_bytes(bpe, piece);
  }
  return true;
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

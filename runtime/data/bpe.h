// Byte-pair encoding of bytes (Gage 1994; Sennrich, Haddow, Birch 2016; with bytes as GPT-2's, Radford et al. 2019): from
// the 256 bytes on, the pair of neighbours that is most frequent becomes a piece of its own, again and again. Pairs lie
// within chunks: a word or a number with the blank before it, a run of other signs, a run of blanks.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/dictionary.h"

typedef struct NnrtPiece {
  int left, right; // pieces; of a byte: -1
  size_t at;       // of its bytes
  size_t length;
} NnrtPiece;

typedef struct NnrtBpe { // begins as zeros
  NnrtDictionary chunks; // of the text to learn from, with their counts
  NnrtPiece *piece;
  int count;
  char *bytes; // of all pieces
  uint64_t *pair;
  int32_t *merged; // hash table: which piece a pair becomes
  uint32_t slot_count;
} NnrtBpe;

enum { NNRT_LONGEST_CHUNK = 64 };
// Length of the chunk at the beginning of a text that is not empty; 64 bytes at most.
size_t nnrt_bpe_chunk(const char *text, const char *end);
bool nnrt_bpe_learn(NnrtBpe *bpe, const char *text, size_t length); // counts; false: no memory
// Makes the pieces: bytes, then merges until there are `most` or no pair is there twice. Of equal counts the pair of the
// smaller pieces is first. Forgets the chunks. False: no memory.
bool nnrt_bpe_settle(NnrtBpe *bpe, int most);
// The same from merges that are known: begin, for `most` pieces, then each merge in its order, then end. False: no memory,
// or a piece that is longer than a chunk or there already.
bool nnrt_bpe_begin(NnrtBpe *bpe, int most);
bool nnrt_bpe_add(NnrtBpe *bpe, int left, int right);
bool nnrt_bpe_end(NnrtBpe *bpe);
// The pieces of a chunk; how many.
int nnrt_bpe_encode(const NnrtBpe *bpe, const char *chunk, size_t length, int32_t pieces[NNRT_LONGEST_CHUNK]);
void nnrt_bpe_free(NnrtBpe *bpe);

static inline uint64_t nnrt_bpe_key(int left, int right) {
  return (uint64_t)left << 32 | (uint32_t)right;
}

// Of a pair of pieces, for hash tables (the finaliser of MurmurHash3, Appleby).
static inline uint32_t nnrt_bpe_hash(uint64_t pair) {
  pair = (pair ^ pair >> 33) * 0xff51afd7ed558ccd;
  return (uint32_t)(pair ^ pair >> 33);
}

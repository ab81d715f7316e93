// Inside the data room: how tokens are made. New, then learn from texts, then settle; after that they can be used.
#pragma once
#include "data/bpe.h"
#include "data/dictionary.h"
#include "data/tokens.h"

typedef enum NnrtTokenKind {
  NNRT_TOKEN_BYTES,
  NNRT_TOKEN_CHARS,
  NNRT_TOKEN_WORDS,
  NNRT_TOKEN_BPE,
  NNRT_TOKEN_KINDS
} NnrtTokenKind;
extern const char *const nnrt_token_kinds[NNRT_TOKEN_KINDS]; // "bytes" …

struct NnrtTokens {
  NnrtTokenKind kind;
  bool lower; // A to Z are read as a to z
  int special[NNRT_SPECIALS];
  int special_count;    // their ids come first
  NnrtDictionary known; // words or characters: of the text; once settled, the tokens in order of their ids
  char *spoken;         // the words, a blank before each
  NnrtBpe bpe;
  char byte[256]; // each byte, to point at
};

// `has` says which special ids there are. NULL: no memory.
NnrtTokens *nnrt_tokens_new(NnrtTokenKind kind, bool lower, const bool has[NNRT_SPECIALS]);
// Counts what is in a text; valid UTF-8 unless tokens are bytes. False: no memory.
bool nnrt_tokens_learn(NnrtTokens *tokens, const char *text, size_t length);
// Chooses the tokens, at most `vocabulary` of them, special ones included (0: all that are there). Characters come in the
// order of their code points; words by how often they were there, then by their bytes; pieces as they were merged. False:
// no memory.
bool nnrt_tokens_settle(NnrtTokens *tokens, int vocabulary);
bool nnrt_tokens_speak(NnrtTokens *tokens); // makes `spoken`, where tokens are words; false: no memory

// How an id is shown: printable, NUL-terminated, at most 63 bytes, in `room`.
const char *nnrt_tokens_name(const NnrtTokens *tokens, int id, char room[64]);

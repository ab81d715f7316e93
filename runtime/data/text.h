// What the sources of text (text, texts, pairs) share: which tokens they ask for, and files checked.
#pragma once
#include "data/dataset.h"
#include "data/token_set.h"

typedef struct NnrtTextCoding {
  NnrtTokenKind kind;
  bool lower;
  int vocabulary; // most tokens; 0: all
  bool has[NNRT_SPECIALS];
} NnrtTextCoding;

// The arguments `as`, `vocabulary`, `lower`. `coding->has` comes with what the source needs; there is an id for unknown
// words, and for unknown characters unless all of the text are tokens and it needs no padding.
bool nnrt_coding_read(const NnrtOpening *opening, const NnrtArg *as, const NnrtArg *vocabulary, const NnrtArg *lower,
                      NnrtTextCoding *coding);
// A file without its byte order mark, with a NUL behind it: UTF-8 and no NUL within, unless tokens are bytes. NULL after
// an error; the caller frees it.
char *nnrt_text_read(const char *path, NnrtTokenKind kind, size_t *length, NnrtError *error);
// The classes of the set are the tokens. False: no memory.
bool nnrt_set_token_classes(NnrtDataset *set, const NnrtTokens *tokens);

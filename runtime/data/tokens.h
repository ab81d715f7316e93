// Text as numbers and back: bytes, characters, words, or pieces by byte-pair encoding. What the numbers mean is learnt
// from text and depends on it alone. Public: this is what generating text needs of the data that a model was trained on.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "data/data.h"

typedef struct NnrtTokens NnrtTokens;

// The tokens of x and of y of a set of text (for `text` the same; of `texts` y has none; for `pairs` one each). NULL: it
// has none. They live as long as the set.
const NnrtTokens *nnrt_data_tokens(const NnrtDataset *data);
const NnrtTokens *nnrt_data_target_tokens(const NnrtDataset *data);

int nnrt_tokens_count(const NnrtTokens *tokens); // ids are 0 … count-1

// Ids that stand for no text; -1: there is none.
typedef enum NnrtSpecial { NNRT_PADDING, NNRT_START, NNRT_END, NNRT_UNKNOWN, NNRT_SPECIALS } NnrtSpecial;
int nnrt_tokens_special(const NnrtTokens *tokens, NnrtSpecial special);

// The tokens as JSON, the caller's to free (NULL: no memory): the same tokens give the same text. And back; NULL: the text
// is nothing of the kind, or there is no memory. These are freed by nnrt_tokens_free.
char *nnrt_tokens_json(const NnrtTokens *tokens);
NnrtTokens *nnrt_tokens_parse(const char *json);
void nnrt_tokens_free(NnrtTokens *tokens);

// Begins as zeros; the caller frees `id`.
typedef struct NnrtIds {
  int32_t *id;
  int64_t count, room;
} NnrtIds;

// Puts the ids of a text behind those that are there. Fails, naming character or byte and its offset, for bytes that are
// no UTF-8 (where tokens are not bytes), and for a character that is not known where no id stands for unknown ones.
bool nnrt_tokens_encode(const NnrtTokens *tokens, const char *text, size_t length, NnrtIds *ids, NnrtError *error);

// The bytes that `id` adds to a text (a word has a blank before it); none for padding, start and end. Not terminated by
// a NUL; they may be a part of a character. They live as long as the tokens.
const char *nnrt_tokens_bytes(const NnrtTokens *tokens, int64_t id, size_t *length);

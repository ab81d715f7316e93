// Text as numbers and back: the four kinds of tokens, byte-pair encoding against the plain algorithm, errors.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/token_set.h"
#include "data/utf8.h"

static NnrtTokens *learnt(NnrtTokenKind kind, const char *text, int vocabulary, bool unknown, bool lower) {
  const bool has[NNRT_SPECIALS] = {[NNRT_UNKNOWN] = unknown};
  NnrtTokens *tokens = nnrt_tokens_new(kind, lower, has);
  cr_assert(tokens && nnrt_tokens_learn(tokens, text, strlen(text)) && nnrt_tokens_settle(tokens, vocabulary));
  return tokens;
}

// The ids of a text, as text.
static const char *ids_of(const NnrtTokens *tokens, const char *text) {
  static char shown[1024];
  NnrtIds ids = {0};
  NnrtError error = {0};
  size_t used = 0;
  cr_assert(nnrt_tokens_encode(tokens, text, strlen(text), &ids, &error), "%s", error.text);
  shown[0] = 0;
  for (int64_t i = 0; i < ids.count && used < sizeof shown - 16; i++)
    used += (size_t)snprintf(shown + used, sizeof shown - used, i ? " %d" : "%d", ids.id[i]);
  free(ids.id);
  return shown;
}

// What its ids are decoded to.
static const char *again(const NnrtTokens *tokens, const char *text) {
  static char decoded[1024];
  NnrtIds ids = {0};
  NnrtError error = {0};
  size_t used = 0, length;
  cr_assert(nnrt_tokens_encode(tokens, text, strlen(text), &ids, &error), "%s", error.text);
  for (int64_t i = 0; i < ids.count; i++) {
    const char *bytes = nnrt_tokens_bytes(tokens, ids.id[i], &length);
    cr_assert(used + length < sizeof decoded);
    memcpy(decoded + used, bytes, length);
    used += length;
  }
  decoded[used] = 0;
  free(ids.id);
  return decoded;
}

static void refuses(const NnrtTokens *tokens, const char *text, const char *part) {
  NnrtIds ids = {0};
  NnrtError error = {0};
  cr_assert(!nnrt_tokens_encode(tokens, text, strlen(text), &ids, &error));
  cr_assert(strstr(error.text, part), "%s", error.text);
  free(ids.id);
}

Test(utf8, lengths) {
  static const struct {
    const char *text;
    int length;
  } cases[] = {{"a", 1},
               {"\xC3\xA9", 2},
               {"\xE2\x82\xAC", 3},
               {"\xF0\x9F\x98\x80", 4},
               {"\x80", 0},             // in the middle
               {"\xC3", 0},             // cut short
               {"\xC3 ", 0},            //
               {"\xC0\x80", 0},         // longer than need be
               {"\xE0\x80\x80", 0},     //
               {"\xF0\x80\x80\x80", 0}, //
               {"\xED\xA0\x80", 0},     // a surrogate
               {"\xF4\x90\x80\x80", 0}, // beyond 10FFFF
               {"\xF5\x80\x80\x80", 0}, //
               {"\xFF", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    cr_assert_eq(nnrt_utf8_length(cases[i].text, cases[i].text + strlen(cases[i].text)), cases[i].length, "%zu", i);
  cr_assert_eq(nnrt_utf8_length("", ""), 0);
}

Test(tokens, bytes_are_their_own_ids) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_BYTES, "", 0, false, false);
  cr_assert_eq(nnrt_tokens_count(tokens), 256);
  cr_assert_str_eq(ids_of(tokens, "aA\xFF"), "97 65 255");
  cr_assert_str_eq(again(tokens, "a\xFF\x80 b"), "a\xFF\x80 b");
  nnrt_tokens_free(tokens);
}

Test(tokens, characters_come_by_code_point) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_CHARS,
                              "b\xC3\xA9"
                              "a\xE2\x82\xAC"
                              "aa\n",
                              0, false, false);
  cr_assert_eq(nnrt_tokens_count(tokens), 5);
  cr_assert_str_eq(ids_of(tokens, "\nab\xC3\xA9\xE2\x82\xAC"), "0 1 2 3 4");
  cr_assert_str_eq(again(tokens, "\xE2\x82\xAC"
                                 "b\n"),
                   "\xE2\x82\xAC"
                   "b\n");
  nnrt_tokens_free(tokens);
}

Test(tokens, rare_characters_are_unknown) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_CHARS, "zzzbbbcca", 4, true, false);
  cr_assert_eq(nnrt_tokens_count(tokens), 4);
  cr_assert_eq(nnrt_tokens_special(tokens, NNRT_UNKNOWN), 0);
  cr_assert_eq(nnrt_tokens_special(tokens, NNRT_PADDING), -1);
  cr_assert_str_eq(ids_of(tokens, "abcz?"), "0 1 2 3 0");
  cr_assert_str_eq(again(tokens, "ab"), "\xEF\xBF\xBD"
                                        "b");
  nnrt_tokens_free(tokens);
}

Test(tokens, words_come_by_how_often) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_WORDS, "the cat, the dog and the cat don't\n'run'", 0, true, false);
  //                                        0 unknown, 1 the, 2 ' 3 cat, then by bytes: \n , and dog don't run
  cr_assert_str_eq(ids_of(tokens, "the ' cat\t\n,and dog don't run cow"), "1 2 3 4 5 6 7 8 9 0");
  cr_assert_str_eq(again(tokens, "the  cat,don't\n'run'"), " the cat, don't\n' run'");
  nnrt_tokens_free(tokens);
}

Test(tokens, lower_case) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_WORDS, "The the THE Cat", 0, true, true);
  cr_assert_eq(nnrt_tokens_count(tokens), 3);
  cr_assert_str_eq(ids_of(tokens, "tHe CAT"), "1 2");
  nnrt_tokens_free(tokens);
}

Test(tokens, names_can_be_printed) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_CHARS, "\n\x01\xC3\xA9", 9, true, false);
  char room[64];
  cr_assert_str_eq(nnrt_tokens_name(tokens, 0, room), "<unknown>");
  cr_assert_str_eq(nnrt_tokens_name(tokens, 1, room), "\\x01");
  cr_assert_str_eq(nnrt_tokens_name(tokens, 2, room), "\\n");
  cr_assert_str_eq(nnrt_tokens_name(tokens, 3, room), "\xC3\xA9");
  nnrt_tokens_free(tokens);
  tokens = learnt(NNRT_TOKEN_BYTES, "", 0, false, false);
  cr_assert_str_eq(nnrt_tokens_name(tokens, 0xC3, room), "\\xc3");
  nnrt_tokens_free(tokens);
}

Test(tokens, special_ids_come_first) {
  const bool has[NNRT_SPECIALS] = {[NNRT_PADDING] = true, [NNRT_START] = true, [NNRT_END] = true};
  NnrtTokens *tokens = nnrt_tokens_new(NNRT_TOKEN_BYTES, false, has);
  size_t length;
  cr_assert_eq(nnrt_tokens_special(tokens, NNRT_PADDING), 0);
  cr_assert_eq(nnrt_tokens_special(tokens, NNRT_END), 2);
  cr_assert_eq(nnrt_tokens_count(tokens), 259);
  cr_assert_str_eq(ids_of(tokens, "a"), "100");
  nnrt_tokens_bytes(tokens, 2, &length);
  cr_assert_eq(length, 0);
  nnrt_tokens_bytes(tokens, 259, &length); // out of range
  cr_assert_eq(length, 0);
  nnrt_tokens_bytes(tokens, -1, &length);
  cr_assert_eq(length, 0);
  nnrt_tokens_free(tokens);
}

Test(tokens, an_unknown_character_is_named) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_CHARS, "abc", 0, false, false);
  refuses(tokens, "ab\xC3\xA9", "character `\xC3\xA9` at offset 2 is not among the 3 of the text learnt from");
  nnrt_tokens_free(tokens);
}

Test(tokens, bytes_that_are_no_characters) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_WORDS, "abc", 0, true, false);
  refuses(tokens, "abc \xC3(", "byte 0xc3 at offset 4 is no UTF-8");
  nnrt_tokens_free(tokens);
}

// ---- as JSON
Test(tokens, json_and_back) {
  const bool has[NNRT_SPECIALS] = {[NNRT_PADDING] = true, [NNRT_END] = true, [NNRT_UNKNOWN] = true};
  static const char text[] = "The caf\xC3\xA9's \"open\"\n the the\\";
  for (int kind = 0; kind < NNRT_TOKEN_KINDS; kind++) {
    NnrtTokens *tokens = nnrt_tokens_new((NnrtTokenKind)kind, kind % 2, has);
    cr_assert(nnrt_tokens_learn(tokens, text, strlen(text)) && nnrt_tokens_settle(tokens, 270));
    char *json = nnrt_tokens_json(tokens);
    NnrtTokens *back = nnrt_tokens_parse(json);
    cr_assert(back, "%s", json);
    char *again_json = nnrt_tokens_json(back);
    cr_assert_str_eq(json, again_json);
    cr_assert_eq(nnrt_tokens_count(tokens), nnrt_tokens_count(back));
    char ids[1024];
    strcpy(ids, ids_of(tokens, "the open caf\xC3\xA9"));
    cr_assert_str_eq(ids_of(back, "the open caf\xC3\xA9"), ids);
    strcpy(ids, again(tokens, "the open caf\xC3\xA9"));
    cr_assert_str_eq(again(back, "the open caf\xC3\xA9"), ids);
    free(json);
    free(again_json);
    nnrt_tokens_free(tokens);
    nnrt_tokens_free(back);
  }
}

Test(tokens, json_that_is_none) {
  static const char *const texts[] = {"",
                                      "[1]",
                                      "{}",
                                      "{\"kind\":\"signs\",\"special\":[]}",
                                      "{\"kind\":\"chars\",\"special\":[]}",
                                      "{\"kind\":\"chars\",\"special\":7,\"tokens\":[]}",
                                      "{\"kind\":\"chars\",\"special\":[],\"tokens\":[\"a\",3]}",
                                      "{\"kind\":\"chars\",\"special\":[],\"tokens\":[\"a\",\"a\"]}",
                                      "{\"kind\":\"chars\",\"special\":[],\"tokens\":[\"\"]}",
                                      "{\"kind\":\"bpe\",\"special\":[],\"merges\":[[1,256]]}",
                                      "{\"kind\":\"bpe\",\"special\":[],\"merges\":[[-1,2]]}",
                                      "{\"kind\":\"bpe\",\"special\":[],\"merges\":[[1]]}",
                                      "{\"kind\":\"bpe\",\"special\":[],\"merges\":[[1,2],[1,2]]}",
                                      "{\"kind\":\"bpe\",\"special\":[],\"merges\":[[1,1],[256,256],[257,257],[258,258]"
                                      ",[259,259],[260,260],[261,261]]}"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    cr_assert_null(nnrt_tokens_parse(texts[i]), "%s", texts[i]);
}

// ---- byte-pair encoding
Test(bpe, chunks) {
  static const char text[] = "The cat's  12 dogs!?\n\n  caf\xC3\xA9 ";
  static const char *const chunks[] = {"The",   " cat",         "'", "s", " ", " 12", " dogs", "!?",
                                       "\n\n ", " caf\xC3\xA9", " "};
  const char *at = text, *end = text + sizeof text - 1;
  for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
    size_t length = nnrt_bpe_chunk(at, end);
    cr_assert(length == strlen(chunks[i]) && !memcmp(at, chunks[i], length), "%zu: `%.*s`", i, (int)length, at);
    at += length;
  }
  cr_assert_eq(at, end);
}

Test(bpe, chunks_have_an_end) {
  char text[1000];
  memset(text, 'a', sizeof text);
  cr_assert_eq(nnrt_bpe_chunk(text, text + sizeof text), NNRT_LONGEST_CHUNK);
  text[0] = ' ';
  cr_assert_eq(nnrt_bpe_chunk(text, text + sizeof text), NNRT_LONGEST_CHUNK);
  memset(text, ' ', sizeof text);
  cr_assert_eq(nnrt_bpe_chunk(text, text + sizeof text), NNRT_LONGEST_CHUNK);
}

// Sennrich's example: low 5, lower 2, newest 6, widest 3; "es" is there nine times, then "est"; "lo" and "ow" seven.
Test(bpe, the_most_frequent_pairs_first) {
  char text[512] = "";
  static const struct {
    const char *word;
    int count;
  } words[] = {{"low.", 5}, {"lower.", 2}, {"newest.", 6}, {"widest.", 3}};
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < words[i].count; k++)
      strcat(text, words[i].word);
  NnrtTokens *tokens = learnt(NNRT_TOKEN_BPE, text, 260, false, false);
  char room[64];
  cr_assert_eq(nnrt_tokens_count(tokens), 260);
  cr_assert_str_eq(nnrt_tokens_name(tokens, 256, room), "es"); // as often as "st"
  cr_assert_str_eq(nnrt_tokens_name(tokens, 257, room), "est");
  cr_assert_str_eq(nnrt_tokens_name(tokens, 258, room), "lo");
  nnrt_tokens_free(tokens);
}

// The algorithm as it is defined, by counting everything again for each merge.
typedef struct Plain {
  int chunk[400][NNRT_LONGEST_CHUNK], length[400], count;
  int left[100], right[100], merges;
} Plain;

static void plain_begin(Plain *p, const char *text) {
  *p = (Plain){0};
  for (const char *end = text + strlen(text); text < end; p->count++) {
    cr_assert(p->count < 400);
    p->length[p->count] = (int)nnrt_bpe_chunk(text, end);
    for (int i = 0; i < p->length[p->count]; i++)
      p->chunk[p->count][i] = (unsigned char)*text++;
  }
}

static bool plain_merge(Plain *p) {
  static int count[400][400];
  int best = 1, left = -1, right = -1;
  memset(count, 0, sizeof count);
  for (int c = 0; c < p->count; c++)
    for (int i = 0; i + 1 < p->length[c]; i++)
      count[p->chunk[c][i]][p->chunk[c][i + 1]]++;
  for (int i = 0; i < 400; i++)
    for (int k = 0; k < 400; k++)
      if (count[i][k] > best) {
        best = count[i][k];
        left = i;
        right = k;
      }
  if (left < 0)
    return false;
  for (int c = 0; c < p->count; c++) {
    int kept = 0, *chunk = p->chunk[c];
    for (int i = 0; i < p->length[c]; i++) {
      bool merged = i + 1 < p->length[c] && chunk[i] == left && chunk[i + 1] == right;
      chunk[kept++] = merged ? 256 + p->merges : chunk[i];
      i += merged;
    }
    p->length[c] = kept;
  }
  p->left[p->merges] = left;
  p->right[p->merges++] = right;
  return true;
}

// Few letters, so that there are runs such as aaaa, and ties.
Test(bpe, is_the_plain_algorithm) {
  static Plain plain;
  unsigned state = 7;
  for (int round = 0; round < 60; round++) {
    char text[600];
    int length = 20 + round * 9, letters = 1 + round % 5;
    for (int i = 0; i < length; i++) {
      state = state * 1664525u + 1013904223u;
      text[i] = "aab c"[(state >> 16) % (unsigned)letters];
    }
    text[length] = 0;
    plain_begin(&plain, text);
    while (plain.merges < 100 && plain_merge(&plain))
      ;
    NnrtBpe bpe = {0};
    cr_assert(nnrt_bpe_learn(&bpe, text, strlen(text)) && nnrt_bpe_settle(&bpe, 256 + 100));
    cr_assert_eq(bpe.count, 256 + plain.merges, "round %d: %d merges, %d", round, bpe.count - 256, plain.merges);
    for (int i = 0; i < plain.merges; i++)
      cr_assert(bpe.piece[256 + i].left == plain.left[i] && bpe.piece[256 + i].right == plain.right[i], "round %d, %d",
                round, i);
    const char *at = text, *end = text + length;
    for (int c = 0; at < end; c++) {
      int32_t pieces[NNRT_LONGEST_CHUNK];
      size_t chunk = nnrt_bpe_chunk(at, end);
      int count = nnrt_bpe_encode(&bpe, at, chunk, pieces);
      cr_assert(count == plain.length[c] && !memcmp(pieces, plain.chunk[c], (size_t)count * sizeof *pieces));
      at += chunk;
    }
    nnrt_bpe_free(&bpe);
  }
}

Test(bpe, any_text_comes_back) {
  NnrtTokens *tokens = learnt(NNRT_TOKEN_BPE, "the cat sat on the mat; the cats sat on the mats", 280, false, false);
  cr_assert(nnrt_tokens_count(tokens) < 280); // no pair is there twice any more
  cr_assert_str_eq(again(tokens, "the caf\xC3\xA9  on\tMars\n"), "the caf\xC3\xA9  on\tMars\n");
  nnrt_tokens_free(tokens);
}

Test(bpe, learns_a_long_text_without_blanks) {
  enum { LENGTH = 1 << 20 };
  char *text = malloc(LENGTH + 1);
  unsigned state = 1;
  for (int i = 0; i < LENGTH; i++) {
    state = state * 1664525u + 1013904223u;
    text[i] = (char)('a' + (state >> 24) % 4);
  }
  text[LENGTH] = 0;
  NnrtTokens *tokens = learnt(NNRT_TOKEN_BPE, text, 2000, false, false);
  cr_assert_eq(nnrt_tokens_count(tokens), 2000);
  nnrt_tokens_free(tokens);
  free(text);
}

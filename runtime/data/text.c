// The `text` source: windows of a text for language models. x is `window` tokens, y the same a token later. `split` cuts
// the text in order. Words and pieces are learnt from the training part; characters, where all are to be tokens, from the
// whole text.
#include "data/text.h"

#include <stdlib.h>

#include "data/sequence.h"

enum { PATH, AS, WINDOW, STRIDE, VOCABULARY, LOWER };

const NnrtParam nnrt_text_params[] = {{"path", NNRT_TAKES_STR, false, true},
                                      {"as", NNRT_TAKES_STR, true, false},
                                      {"window", NNRT_TAKES_INT, true, true},
                                      {"stride", NNRT_TAKES_INT, true, false},
                                      {"vocabulary", NNRT_TAKES_INT, true, false},
                                      {"lower", NNRT_TAKES_BOOL, true, false},
                                      {0}};

typedef struct Text {
  NnrtSequence sequence;
  NnrtTextCoding coding;
} Text;

// ---- once the parts are known
// Where the parts begin, in bytes; a character is not cut in two.
static void find_cuts(const NnrtDataset *set, NnrtTokenKind kind, int64_t cut[4]) {
  cut[0] = 0;
  for (int part = 0; part < 3; part++)
    cut[part + 1] = cut[part] + set->info.count[part];
  for (int i = 1; i < 3; i++)
    while (kind != NNRT_TOKEN_BYTES && cut[i] > 0 && ((unsigned char)set->raw[cut[i]] & 0xc0) == 0x80)
      cut[i]--;
}

static bool learn(NnrtOpening *opening, NnrtDataset *set, const NnrtTextCoding *coding, const int64_t cut[4]) {
  bool whole = coding->kind == NNRT_TOKEN_CHARS && !coding->has[NNRT_UNKNOWN];
  set->tokens = nnrt_tokens_new(coding->kind, coding->lower, coding->has);
  return (set->tokens && nnrt_tokens_learn(set->tokens, set->raw, (size_t)cut[whole ? 3 : 1]) &&
          nnrt_tokens_settle(set->tokens, coding->vocabulary)) ||
         nnrt_fail_memory(opening);
}

// The ids of all parts, one after the other.
static bool encode(NnrtOpening *opening, NnrtDataset *set, const int64_t cut[4], int64_t begin[4]) {
  NnrtIds ids = {0};
  bool ok = true;
  begin[0] = 0;
  for (int part = 0; ok && part < 3; part++) {
    ok = nnrt_tokens_encode(set->tokens, set->raw + cut[part], (size_t)(cut[part + 1] - cut[part]), &ids,
                            opening->error);
    begin[part + 1] = ids.count;
  }
  set->ids = ok ? nnrt_data_alloc(set, ids.count + 1, sizeof *set->ids) : NULL;
  for (int64_t i = 0; set->ids && i < ids.count; i++)
    set->ids[i] = ids.id[i];
  free(ids.id);
  return set->ids || (ok ? nnrt_fail_memory(opening) : nnrt_fail_from(opening, NULL));
}

static bool text_finish(NnrtOpening *opening, NnrtDataset *set) {
  Text *text = (Text *)set->sequence;
  int64_t cut[4], begin[4];
  opening->call = opening->data->calls;
  find_cuts(set, text->coding.kind, cut);
  if (!learn(opening, set, &text->coding, cut) || !encode(opening, set, cut, begin))
    return false;
  free(set->raw);
  set->raw = NULL;
  set->target_ids = set->ids + 1;
  set->x_step = set->y_step = 1;
  text->sequence.unit = "tokens";
  set->info.token_count = nnrt_tokens_count(set->tokens);
  return nnrt_sequence_lay(opening, set, begin) &&
         (nnrt_set_token_classes(set, set->tokens) || nnrt_fail_memory(opening));
}

// ---- files to predict on: windows side by side, from the beginning on; what is left at the end is no window
static bool text_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  NnrtTokenKind kind = ((const Text *)model->sequence)->coding.kind;
  NnrtIds ids = {0};
  NnrtError unnamed = {0};
  size_t length;
  char *text = nnrt_text_read(path, kind, &length, error);
  if (!text)
    return false;
  bool ok = nnrt_tokens_encode(model->tokens, text, length, &ids, &unnamed) ||
            nnrt_fail(error, "%s: %.800s", path, unnamed.text);
  free(text);
  if (ok && ids.count < model->width)
    ok = nnrt_fail(error, "%s: the text has %lld tokens, a window has %lld", path, (long long)ids.count,
                   (long long)model->width);
  set->rows = ids.count / model->width;
  set->ids = ok ? nnrt_data_alloc(set, ids.count, sizeof *set->ids) : NULL;
  for (int64_t i = 0; set->ids && i < ids.count; i++)
    set->ids[i] = ids.id[i];
  free(ids.id);
  return set->ids || (ok && nnrt_fail(error, "%s: not enough memory", path));
}

// ---- opening
bool nnrt_text_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  static const char *const transforms[] = {"split", "take", "shuffle", NULL};
  Text *text = nnrt_data_alloc(set, 1, sizeof *text);
  if (!text)
    return nnrt_fail_memory(opening);
  NnrtSequence *s = set->sequence = &text->sequence;
  *s = (NnrtSequence){.unit = "bytes", .horizon = 1};
  set->transforms = transforms;
  if (!nnrt_coding_read(opening, args[AS], args[VOCABULARY], args[LOWER], &text->coding) ||
      !nnrt_sequence_whole(opening, args[WINDOW], "window", 1, &s->window) ||
      !nnrt_sequence_whole(opening, args[STRIDE], "stride", s->window, &s->stride))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  char *path = nnrt_data_file(opening, args[PATH]);
  if (!path)
    return false;
  size_t length = 0;
  set->raw = nnrt_text_read(path, text->coding.kind, &length, opening->error);
  bool ok = set->raw && (length || nnrt_fail(opening->error, "%s: the text is empty", path));
  free(path);
  if (!ok)
    return nnrt_fail_from(opening, args[PATH]);
  set->depth = NNRT_DATA_FULL; // what the tokens are, the whole text says
  nnrt_set_x_ids(set, s->window);
  nnrt_set_y_ids(set, s->window);
  set->rows = set->info.count[NNRT_PART_TRAIN] = (int64_t)length;
  set->like = text_like;
  set->finish = text_finish;
  return true;
}

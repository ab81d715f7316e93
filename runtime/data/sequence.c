// Windows of a sequence: their arguments, and where they lie in each part.
#include "data/sequence.h"

enum { LONGEST = 1 << 24 };

void nnrt_sequence_take(NnrtSequence *sequence, int64_t count) {
  if (!sequence->most || count < sequence->most)
    sequence->most = count;
}

bool nnrt_sequence_whole(const NnrtOpening *opening, const NnrtArg *arg, const char *name, int64_t otherwise,
                         int64_t *value) {
  *value = arg ? arg->integer : otherwise;
  return (*value >= 1 && *value <= LONGEST) || nnrt_fail_at(opening, arg, "`%s` of `%s` is from 1 to %d, not %lld",
                                                            name, opening->call->name, LONGEST, (long long)*value);
}

static bool lay_part(const NnrtOpening *opening, NnrtDataset *set, int kind, int64_t from, int64_t to) {
  static const char *const names[] = {"training", "val", "test"};
  const NnrtSequence *s = set->sequence;
  int64_t need = s->window + s->horizon, count = to - from >= need ? (to - from - need) / s->stride + 1 : 0;
  if (!count)
    return nnrt_fail_at(opening, NULL, "the %s part has %lld %s; a window of %lld and %lld after it need %lld",
                        names[kind], (long long)(to - from), s->unit, (long long)s->window, (long long)s->horizon,
                        (long long)need);
  if (kind == NNRT_PART_TRAIN && s->most && s->most < count)
    count = s->most;
  set->info.count[kind] = count;
  int64_t *rows = set->part[kind] = nnrt_data_alloc(set, count, sizeof *rows);
  for (int64_t i = 0; rows && i < count; i++)
    rows[i] = from + i * s->stride;
  return rows || nnrt_fail_memory(opening);
}

bool nnrt_sequence_lay(const NnrtOpening *opening, NnrtDataset *set, const int64_t begin[4]) {
  for (int kind = 0; kind < 3; kind++) {
    int64_t from = begin[kind];
    if (kind && !set->info.count[kind])
      continue;
    if (kind && set->sequence->history)
      from = from > set->sequence->window ? from - set->sequence->window : 0;
    if (!lay_part(opening, set, kind, from, begin[kind + 1]))
      return false;
  }
  return true;
}

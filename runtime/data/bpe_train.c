// Learning the pieces of byte-pair encoding. Each different chunk is a chain of symbols that counts as often as the chunk
// was there. Of each pair of neighbours the places are listed and the count is kept up to date, so a merge costs what it
// changes; a heap, whose counts may be too high by now, finds the most frequent pair.
#include <stdlib.h>
#include <string.h>

#include "data/bpe.h"

enum { NONE = -1 };

typedef struct Symbol {
  int piece; // NONE: merged into the one before it
  int before, after;
  int chunk;
} Symbol;

typedef struct Place {
  int symbol, next; // of the pair's left piece
} Place;

typedef struct Pair {
  int left, right;
  int64_t count;
  int first, last; // places, in the order of the symbols
} Pair;

typedef struct Top {
  int64_t count; // when it was put there
  int pair;
} Top;

typedef struct Training {
  NnrtBpe *bpe;
  Symbol *symbol;
  int symbol_count;
  Place *place;
  int place_count;
  Pair *pair;
  int pair_count, pair_room;
  int *slot; // hash table of pairs + 1
  uint32_t slot_count;
  Top *heap;
  int heap_count, heap_room;
} Training;

// ---- pairs
static int *find_slot(const Training *t, int left, int right) {
  uint32_t mask = t->slot_count - 1;
  for (uint32_t i = nnrt_bpe_hash(nnrt_bpe_key(left, right)) & mask;; i = (i + 1) & mask) {
    const Pair *pair = t->slot[i] ? &t->pair[t->slot[i] - 1] : NULL;
    if (!pair || (pair->left == left && pair->right == right))
      return &t->slot[i];
  }
}

static bool grow_pairs(Training *t) {
  int room = t->pair_room ? t->pair_room * 2 : 4096;
  Pair *pair = realloc(t->pair, (size_t)room * sizeof *pair);
  int *slot = calloc(2 * (size_t)room, sizeof *slot);
  t->pair = pair ? pair : t->pair;
  if (!pair || !slot) {
    free(slot);
    return false;
  }
  free(t->slot);
  t->slot = slot;
  t->pair_room = room;
  t->slot_count = 2 * (uint32_t)room;
  for (int i = 0; i < t->pair_count; i++)
    *find_slot(t, pair[i].left, pair[i].right) = i + 1;
  return true;
}

static int64_t weight(const Training *t, int symbol) {
  return t->bpe->chunks.entry[t->symbol[symbol].chunk].count;
}

// The pair that begins at this symbol is one more than was known.
static bool add_pair(Training *t, int symbol) {
  if (t->pair_count == t->pair_room && !grow_pairs(t))
    return false;
  int left = t->symbol[symbol].piece, right = t->symbol[t->symbol[symbol].after].piece;
  int *slot = find_slot(t, left, right);
  if (!*slot) {
    t->pair[t->pair_count++] = (Pair){.left = left, .right = right, .first = NONE, .last = NONE};
    *slot = t->pair_count;
  }
  Pair *pair = &t->pair[*slot - 1];
  pair->count += weight(t, symbol);
  int place = t->place_count++;
  t->place[place] = (Place){symbol, NONE};
  *(pair->last == NONE ? &pair->first : &t->place[pair->last].next) = place;
  pair->last = place;
  return true;
}

static void drop_pair(Training *t, int symbol) {
  int left = t->symbol[symbol].piece, right = t->symbol[t->symbol[symbol].after].piece;
  t->pair[*find_slot(t, left, right) - 1].count -= weight(t, symbol);
}

// ---- the heap
static bool above(const Training *t, const Top *a, const Top *b) {
  if (a->count != b->count)
    return a->count > b->count;
  return nnrt_bpe_key(t->pair[a->pair].left, t->pair[a->pair].right) <
         nnrt_bpe_key(t->pair[b->pair].left, t->pair[b->pair].right);
}

static bool push(Training *t, int pair) {
  if (t->pair[pair].count < 2)
    return true;
  if (t->heap_count == t->heap_room) {
    int room = t->heap_room ? t->heap_room * 2 : 4096;
    Top *heap = realloc(t->heap, (size_t)room * sizeof *heap);
    if (!heap)
      return false;
    t->heap = heap;
    t->heap_room = room;
  }
  Top top = {t->pair[pair].count, pair};
  int at = t->heap_count++;
  for (; at && above(t, &top, &t->heap[(at - 1) / 2]); at = (at - 1) / 2)
    t->heap[at] = t->heap[(at - 1) / 2];
  t->heap[at] = top;
  return true;
}

static Top pop(Training *t) {
  Top first = t->heap[0], moved = t->heap[--t->heap_count];
  int at = 0;
  for (int child; (child = 2 * at + 1) < t->heap_count; at = child) {
    child += child + 1 < t->heap_count && above(t, &t->heap[child + 1], &t->heap[child]);
    if (!above(t, &t->heap[child], &moved))
      break;
    t->heap[at] = t->heap[child];
  }
  t->heap[at] = moved;
  return first;
}

// ---- merges
static bool merge_at(Training *t, int at, int piece) {
  Symbol *left = &t->symbol[at], *right = &t->symbol[left->after];
  int before = left->before, after = right->after;
  if (before != NONE)
    drop_pair(t, before);
  if (after != NONE)
    drop_pair(t, left->after);
  right->piece = NONE;
  left->piece = piece;
  left->after = after;
  if (after != NONE)
    t->symbol[after].before = at;
  return (before == NONE || add_pair(t, before)) && (after == NONE || add_pair(t, at));
}

// The pairs a merge makes hold the new piece, so all of them are new and their counts only complete when it is done.
static bool merge(Training *t, int number, int piece) {
  int left = t->pair[number].left, right = t->pair[number].right, known = t->pair_count;
  for (int place = t->pair[number].first; place != NONE; place = t->place[place].next) {
    const Symbol *symbol = &t->symbol[t->place[place].symbol];
    if (symbol->piece == left && symbol->after != NONE && t->symbol[symbol->after].piece == right &&
        !merge_at(t, t->place[place].symbol, piece))
      return false;
  }
  t->pair[number].count = 0;
  for (int i = known; i < t->pair_count; i++)
    if (!push(t, i))
      return false;
  return true;
}

static bool merge_all(Training *t, int most) {
  NnrtBpe *bpe = t->bpe;
  while (bpe->count < most && t->heap_count) {
    Top top = pop(t);
    const Pair *pair = &t->pair[top.pair];
    if (pair->count != top.count) {
      if (!push(t, top.pair))
        return false;
      continue;
    }
    if (!nnrt_bpe_add(bpe, pair->left, pair->right) || !merge(t, top.pair, bpe->count - 1))
      return false;
  }
  return true;
}

// ---- all together
// A symbol is merged away by each merge, which makes two pairs at most: so many places there can be.
static bool begin(Training *t) {
  const NnrtDictionary *chunks = &t->bpe->chunks;
  if (chunks->used > INT32_MAX / 4)
    return false;
  t->symbol = malloc((chunks->used + 1) * sizeof *t->symbol);
  t->place = malloc((3 * chunks->used + 1) * sizeof *t->place);
  if (!t->symbol || !t->place)
    return false;
  for (int i = 0; i < chunks->count; i++)
    for (size_t k = 0, length = chunks->entry[i].length; k < length; k++) {
      int at = t->symbol_count++;
      t->symbol[at] = (Symbol){.piece = (unsigned char)nnrt_dictionary_text(chunks, i)[k],
                               .before = k ? at - 1 : NONE,
                               .after = k + 1 < length ? at + 1 : NONE,
                               .chunk = i};
    }
  for (int at = 0; at < t->symbol_count; at++)
    if (t->symbol[at].after != NONE && !add_pair(t, at))
      return false;
  for (int i = 0; i < t->pair_count; i++)
    if (!push(t, i))
      return false;
  return true;
}

bool nnrt_bpe_settle(NnrtBpe *bpe, int most) {
  Training t = {.bpe = bpe};
  bool ok = nnrt_bpe_begin(bpe, most) && begin(&t) && merge_all(&t, most) && nnrt_bpe_end(bpe);
  free(t.symbol);
  free(t.place);
  free(t.pair);
  free(t.slot);
  free(t.heap);
  nnrt_dictionary_free(&bpe->chunks);
  return ok;
}

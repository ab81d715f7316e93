// Different texts of a column: a hash table (FNV-1a, open addressing, at most half full), then an order that does not
// depend on the rows' order. Words are NUL-terminated copies owned by the set.
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

static uint32_t hash(const char *text, size_t length) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < length; i++)
    h = (h ^ (unsigned char)text[i]) * 16777619u;
  return h;
}

// The slot that holds the text, or the free one where it belongs.
static int *find_slot(const NnrtCategories *c, const char *text, size_t length) {
  unsigned mask = (unsigned)c->slot_count - 1;
  for (unsigned i = hash(text, length) & mask;; i = (i + 1) & mask) {
    const char *word = c->slot[i] ? c->word[c->slot[i] - 1] : NULL;
    if (!word || (!strncmp(word, text, length) && !word[length]))
      return &c->slot[i];
  }
}

static void refill(NnrtCategories *c) {
  memset(c->slot, 0, (size_t)c->slot_count * sizeof *c->slot);
  for (int i = 0; i < c->count; i++)
    *find_slot(c, c->word[i], strlen(c->word[i])) = i + 1;
}

int nnrt_category_find(const NnrtCategories *c, const char *text, size_t length) {
  return c->slot_count ? *find_slot(c, text, length) - 1 : -1;
}

static bool grow(NnrtDataset *set, NnrtCategories *c) {
  int room = c->room ? c->room * 2 : 16;
  const char **word = nnrt_data_alloc(set, room, sizeof *word);
  int *slot = nnrt_data_alloc(set, 2 * (int64_t)room, sizeof *slot);
  if (!word || !slot)
    return false;
  for (int i = 0; i < c->count; i++)
    word[i] = c->word[i];
  c->word = word;
  c->slot = slot;
  c->room = room;
  c->slot_count = 2 * room;
  refill(c);
  return true;
}

bool nnrt_category_add(NnrtDataset *set, NnrtCategories *c, const char *text, size_t length) {
  if (nnrt_category_find(c, text, length) >= 0)
    return true;
  if (c->count == c->room && !grow(set, c))
    return false;
  char *word = nnrt_data_text(set, text, length);
  if (!word)
    return false;
  int *slot = find_slot(c, word, length);
  c->word[c->count++] = word;
  *slot = c->count;
  return true;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_value(const void *a, const void *b) {
  long long x = strtoll(*(const char *const *)a, NULL, 10), y = strtoll(*(const char *const *)b, NULL, 10);
  return (x > y) - (x < y);
}

void nnrt_category_sort(NnrtCategories *c, bool numbers) {
  if (!c->count)
    return;
  qsort(c->word, (size_t)c->count, sizeof *c->word, numbers ? by_value : by_bytes);
  refill(c);
}

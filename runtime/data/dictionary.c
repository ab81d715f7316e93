// A hash table (FNV-1a, open addressing, at most half full) over strings that lie one after the other.
#include "data/dictionary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ENTRIES = 1 << 28 };

static uint32_t hash(const char *text, size_t length) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < length; i++)
    h = (h ^ (unsigned char)text[i]) * 16777619u;
  return h ^ h >> 15;
}

// The slot that holds the text, or the free one where it belongs.
static int *find_slot(const NnrtDictionary *d, const char *text, size_t length) {
  uint32_t mask = (uint32_t)d->slot_count - 1;
  for (uint32_t i = hash(text, length) & mask;; i = (i + 1) & mask) {
    const NnrtEntry *entry = d->slot[i] ? &d->entry[d->slot[i] - 1] : NULL;
    if (!entry || (entry->length == length && !memcmp(d->bytes + entry->at, text, length)))
      return &d->slot[i];
  }
}

int nnrt_dictionary_find(const NnrtDictionary *d, const char *text, size_t length) {
  return d->slot_count ? *find_slot(d, text, length) - 1 : -1;
}

static bool grow_entries(NnrtDictionary *d) {
  int room = d->entry_room ? d->entry_room * 2 : 256;
  NnrtEntry *entry = room <= MOST_ENTRIES ? realloc(d->entry, (size_t)room * sizeof *entry) : NULL;
  if (!entry)
    return false;
  d->entry = entry;
  d->entry_room = room;
  int *slot = calloc(2 * (size_t)room, sizeof *slot);
  if (!slot)
    return false;
  free(d->slot);
  d->slot = slot;
  d->slot_count = 2 * room;
  for (int i = 0; i < d->count; i++)
    *find_slot(d, nnrt_dictionary_text(d, i), d->entry[i].length) = i + 1;
  return true;
}

static bool grow_bytes(NnrtDictionary *d, size_t length) {
  size_t room = (d->used + length) * 2 + 4096;
  char *bytes = realloc(d->bytes, room);
  if (!bytes)
    return false;
  d->bytes = bytes;
  d->room = room;
  return true;
}

int nnrt_dictionary_add(NnrtDictionary *d, const char *text, size_t length) {
  int number = nnrt_dictionary_find(d, text, length);
  if (number >= 0)
    return number;
  if ((d->count >= d->slot_count / 2 && !grow_entries(d)) || (length > d->room - d->used && !grow_bytes(d, length)))
    return -1;
  memcpy(d->bytes + d->used, text, length);
  d->entry[d->count] = (NnrtEntry){.at = d->used, .length = length};
  d->used += length;
  *find_slot(d, text, length) = d->count + 1;
  return d->count++;
}

void nnrt_dictionary_free(NnrtDictionary *d) {
  free(d->bytes);
  free(d->entry);
  free(d->slot);
  *d = (NnrtDictionary){0};
}

// Different byte strings, numbered from 0 as they come, each with a count.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct NnrtEntry {
  size_t at; // in `bytes`
  size_t length;
  int64_t count; // the caller's
} NnrtEntry;

typedef struct NnrtDictionary { // begins as zeros
  char *bytes;                  // of all, one after the other
  size_t used, room;
  NnrtEntry *entry;
  int count, entry_room;
  int *slot; // hash table of numbers + 1, open addressing
  int slot_count;
} NnrtDictionary;

int nnrt_dictionary_find(const NnrtDictionary *d, const char *text, size_t length); // -1: it is not there
// Its number, a new one if need be; -1: no memory, or more than 2^28 strings.
int nnrt_dictionary_add(NnrtDictionary *d, const char *text, size_t length);
static inline const char *nnrt_dictionary_text(const NnrtDictionary *d, int number) {
  return d->bytes + d->entry[number].at;
}
void nnrt_dictionary_free(NnrtDictionary *d);

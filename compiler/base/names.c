// Open addressing with linear probing; at most half of the places are taken.
#include "base/names.h"

#include <string.h>

#include "base/hash.h"

// Where the name stands, or the free place where it would.
static int place_of(const NameTable *table, const char *name, uint64_t hash) {
  size_t mask = (size_t)table->room - 1, at = (size_t)hash & mask;
  while (table->names[at] && (table->hashes[at] != hash || strcmp(table->names[at], name) != 0))
    at = (at + 1) & mask;
  return (int)at;
}

static int *put(NameTable *table, const char *name, uint64_t hash, int number) {
  int place = place_of(table, name, hash);
  table->names[place] = name;
  table->hashes[place] = hash;
  table->numbers[place] = number;
  return &table->numbers[place];
}

static void grow(Arena *arena, NameTable *table) {
  NameTable old = *table;
  table->room = old.room ? old.room * 2 : 64;
  table->names = arena_array(arena, const char *, table->room);
  table->hashes = arena_array(arena, uint64_t, table->room);
  table->numbers = arena_array(arena, int, table->room);
  for (int i = 0; i < old.room; i++)
    if (old.names[i])
      put(table, old.names[i], old.hashes[i], old.numbers[i]);
}

static int *find(const NameTable *table, const char *name, uint64_t hash) {
  int place = table->room ? place_of(table, name, hash) : 0;
  return table->room && table->names[place] ? &table->numbers[place] : NULL;
}

int *names_find(const NameTable *table, const char *name) {
  return find(table, name, hash_text(HASH_START, name));
}

int *names_at(Arena *arena, NameTable *table, const char *name) {
  uint64_t hash = hash_text(HASH_START, name);
  int *found = find(table, name, hash);
  if (found)
    return found;
  if (++table->count * 2 > table->room)
    grow(arena, table);
  return put(table, name, hash, 0);
}

// Open addressing with linear probing; at most half of the places are taken.
#include "base/names.h"

#include <stdint.h>
#include <string.h>

// FNV-1a (Fowler, Noll, Vo), 64 bits
static size_t hash(const char *text) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
  return (size_t)hash;
}

// Where the name stands, or the free place where it would.
static int place_of(const NameTable *table, const char *name) {
  size_t mask = (size_t)table->room - 1, at = hash(name) & mask;
  while (table->names[at] && strcmp(table->names[at], name) != 0)
    at = (at + 1) & mask;
  return (int)at;
}

static void put(NameTable *table, const char *name, int number) {
  int place = place_of(table, name);
  table->names[place] = name;
  table->numbers[place] = number;
}

static void grow(Arena *arena, NameTable *table) {
  NameTable old = *table;
  table->room = old.room ? old.room * 2 : 64;
  table->names = arena_array(arena, const char *, table->room);
  table->numbers = arena_array(arena, int, table->room);
  for (int i = 0; i < old.room; i++)
    if (old.names[i])
      put(table, old.names[i], old.numbers[i]);
}

int *names_find(const NameTable *table, const char *name) {
  int place = table->room ? place_of(table, name) : 0;
  return table->room && table->names[place] ? &table->numbers[place] : NULL;
}

int *names_at(Arena *arena, NameTable *table, const char *name) {
  int *found = names_find(table, name);
  if (found)
    return found;
  if (++table->count * 2 > table->room)
    grow(arena, table);
  put(table, name, 0);
  return names_find(table, name);
}

// Numbers by name, for tables that grow with a program: a hash table in an arena.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

// Most names that are compared differ in their first letter.
static inline bool same_name(const char *a, const char *b) {
  return *a == *b && strcmp(a, b) == 0;
}

typedef struct NameTable {
  const char **names; // NULL where free
  uint64_t *hashes;
  int *numbers;
  int count, room; // room: a power of two, or 0
} NameTable;

// Where the name's number is kept, which is 0 for a new name. Names are not copied. Valid until another name is added.
int *names_at(Arena *arena, NameTable *table, const char *name);
// NULL if there is no such name.
int *names_find(const NameTable *table, const char *name);

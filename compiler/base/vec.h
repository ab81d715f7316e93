// A growing array in an arena: `VEC(int) sizes = {0}; vec_push(arena, &sizes, 3); sizes.data[0]`.
#pragma once
#include <string.h>

#include "base/arena.h"

#define VEC(type)                                                                                                      \
  struct {                                                                                                             \
    type *data;                                                                                                        \
    int count, room;                                                                                                   \
  }

#define vec_push(arena, vec, ...)                                                                                      \
  do {                                                                                                                 \
    if ((vec)->count == (vec)->room)                                                                                   \
      (vec)->data = vec_grow((arena), (vec)->data, (vec)->count, &(vec)->room, sizeof *(vec)->data);                   \
    (vec)->data[(vec)->count++] = (__VA_ARGS__);                                                                       \
  } while (0)

// Room for so many items in an empty array.
#define vec_reserve(arena, vec, items)                                                                                 \
  ((vec)->room = (items), (vec)->data = arena_alloc((arena), (size_t)(vec)->room * sizeof *(vec)->data))

static inline void *vec_grow(Arena *arena, const void *data, int count, int *room, size_t item) {
  *room = *room ? *room * 2 : item > 16 ? 4 : 8;
  void *grown = arena_alloc(arena, (size_t)*room * item);
  if (count)
    memcpy(grown, data, (size_t)count * item);
  return grown;
}

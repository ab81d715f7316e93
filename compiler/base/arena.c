// Arena memory: blocks taken from calloc, cut into aligned pieces in order, and freed together.
// Takes sizes in bytes; gives zeroed memory that stays where it is until arena_free. A request larger than a
// block gets a block of its own, so the open block goes on serving small ones.
#include "base/arena.h"

#include <sanitizer/asan_interface.h> // says nothing where nothing is checked
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024 };

typedef struct ArenaBlock {
  struct ArenaBlock *next;
  size_t used, room;
  alignas(max_align_t) unsigned char bytes[];
} ArenaBlock;

struct Arena {
  ArenaBlock *open;  // the block that serves small requests; full and large ones follow it
  ArenaBlock *spare; // of the usual size, zeroed where they were used
};

static void *must_calloc(size_t bytes) {
  void *memory = calloc(1, bytes);
  if (!memory) {
    fprintf(stderr, "nnc: out of memory (%zu bytes wanted)\n", bytes);
    exit(1);
  }
  return memory;
}

static ArenaBlock *block_new(size_t room) {
  if (room > SIZE_MAX - sizeof(ArenaBlock)) {
    fprintf(stderr, "nnc: out of memory (%zu bytes wanted)\n", room);
    exit(1);
  }
  ArenaBlock *block = must_calloc(sizeof *block + room);
  block->room = room;
  return block;
}

static ArenaBlock *next_block(Arena *arena) {
  ArenaBlock *block = arena->spare;
  if (!block)
    return block_new(BLOCK_BYTES);
  arena->spare = block->next;
  ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->room);
  block->next = NULL;
  return block;
}

Arena *arena_new(void) {
  Arena *arena = must_calloc(sizeof *arena);
  arena->open = next_block(arena);
  return arena;
}

static void free_blocks(ArenaBlock *block) {
  while (block) {
    ArenaBlock *next = block->next;
    free(block);
    block = next;
  }
}

void arena_free(Arena *arena) {
  if (!arena)
    return;
  free_blocks(arena->open);
  free_blocks(arena->spare);
  free(arena);
}

void arena_reset(Arena *arena) {
  for (ArenaBlock *block = arena->open, *next; block; block = next) {
    next = block->next;
    if (block->room != BLOCK_BYTES) {
      free(block);
      continue;
    }
    memset(block->bytes, 0, block->used);
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->bytes, block->room);
    block->next = arena->spare;
    arena->spare = block;
  }
  arena->open = next_block(arena);
}

void *arena_alloc(Arena *arena, size_t bytes) {
  const size_t align = alignof(max_align_t);
  size_t size = bytes > SIZE_MAX - align ? SIZE_MAX : (bytes + align - 1) / align * align;
  if (size == 0)
    size = align;
  ArenaBlock *open = arena->open;
  if (size <= open->room - open->used) {
    void *piece = open->bytes + open->used;
    open->used += size;
    return piece;
  }
  if (size > BLOCK_BYTES / 4) {
    ArenaBlock *own = block_new(size);
    own->used = size;
    own->next = open->next;
    open->next = own;
    return own->bytes;
  }
  ArenaBlock *fresh = next_block(arena);
  fresh->used = size;
  fresh->next = open;
  arena->open = fresh;
  return fresh->bytes;
}

void *arena_copy(Arena *arena, const void *from, size_t bytes) {
  void *copy = arena_alloc(arena, bytes);
  if (bytes)
    memcpy(copy, from, bytes);
  return copy;
}

char *arena_strndup(Arena *arena, const char *text, size_t length) {
  char *copy = arena_alloc(arena, length + 1);
  if (length)
    memcpy(copy, text, length);
  return copy;
}

char *arena_vprintf(Arena *arena, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  char brief[256]; // most texts are, and need no second look
  int length = vsnprintf(brief, sizeof brief, format, again);
  va_end(again);
  if (length < (int)sizeof brief)
    return arena_strndup(arena, brief, length < 0 ? 0 : (size_t)length);
  char *text = arena_alloc(arena, (size_t)length + 1);
  vsnprintf(text, (size_t)length + 1, format, args);
  return text;
}

char *arena_printf(Arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(arena, format, args);
  va_end(args);
  return text;
}

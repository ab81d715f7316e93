// Memory that lives as long as one compilation and is freed at once.
#pragma once
#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena);
void arena_reset(Arena *arena); // everything in it is gone, its memory is taken again

// Zeroed memory aligned for any type. Never NULL: running out of memory ends the process with a message.
void *arena_alloc(Arena *arena, size_t bytes);
void *arena_copy(Arena *arena, const void *from, size_t bytes);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

#define arena_new_of(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (size_t)(count)))

// FNV-1a (Fowler, Noll, Vo), 64 bits: begins with HASH_START, each call goes on with what the one before gave.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count) {
  for (const unsigned char *at = bytes, *end = at + count; at < end; at++)
    hash = (hash ^ *at) * UINT64_C(0x100000001b3);
  return hash;
}

// Without the NUL at the end.
static inline uint64_t hash_text(uint64_t hash, const char *text) {
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
  return hash;
}

// What the build with sanitizers leaves to the plain one: they see nothing of generated code, and make the rest slow.
#pragma once

#include <criterion/criterion.h>
#include <stdbool.h>

#ifdef NNC_SANITIZE
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

// For a test that mostly waits for compilers and for what they made, or does again what other tests have done.
static inline void skip_with_sanitizers(void) {
  if (SANITIZED)
    cr_skip("skipped: mostly generated code, which sanitizers do not see; the plain build runs it");
}

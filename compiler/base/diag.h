// Errors are data: collected with their place, sorted, printed once:
//   digits.nn:5:17: error: unknown layer `reluu`
//       5 |     x |> dense(128) |> reluu
//         |                        ^~~~~
//   hint: did you mean `relu`?
#pragma once
#include <stdio.h>

#include "base/arena.h"
#include "base/source.h"

typedef struct Diag Diag;

Diag *diag_new(Arena *arena);

// Adds an error. After 20 errors further ones are only counted.
void diag_error(Diag *diag, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_verror(Diag *diag, Span span, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
// Adds to the last error: a hint, or a further place ("called from here").
void diag_hint(Diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_note(Diag *diag, Span span, const char *format, ...) __attribute__((format(printf, 3, 4)));

int diag_errors(const Diag *diag);
// Prints all, in order of file, line, column; the same error at the same place once. No colour unless `out` is a terminal
// that is not `dumb`, nor where NO_COLOR is set.
void diag_print(const Diag *diag, FILE *out);

// The candidate nearest to `name` by edit distance, if near enough to be a slip of the hand; else NULL.
const char *diag_nearest(const char *name, const char *const *candidates, int count);

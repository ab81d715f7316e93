// Diagnostics: errors with hints and notes, collected while compiling and printed once, sorted by place.
// Takes printf formats; keeps at most SHOWN_ERRORS errors, each once; the rest are counted.
// An excerpt shows the line with control characters as blanks, a long line cut to a window around the place.
#define _POSIX_C_SOURCE 200809L
#include "base/diag.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"

enum { SHOWN_ERRORS = 20, WINDOW = 140, LONGEST_NAME = 63 };

typedef struct DiagNote {
  Span span;        // of a note
  const char *text; // of a note or a hint
  bool hint;
} DiagNote;

typedef struct DiagError {
  Span span;
  const char *text;
  int order; // of its source file and of its arrival, for sorting
  int file;
  VEC(DiagNote) notes;
} DiagError;

struct Diag {
  Arena *arena;
  VEC(DiagError *) errors;
  VEC(const Source *) files;
  DiagError *last; // receives hints and notes; NULL if the last error is not shown
  int count;
};

Diag *diag_new(Arena *arena) {
  Diag *diag = arena_new_of(arena, Diag);
  diag->arena = arena;
  return diag;
}

// Files are printed in the order in which they first had an error; errors without a place come first.
static int file_order(Diag *diag, const Source *source) {
  if (!source)
    return -1;
  for (int i = 0; i < diag->files.count; i++)
    if (diag->files.data[i] == source)
      return i;
  vec_push(diag->arena, &diag->files, source);
  return diag->files.count - 1;
}

static bool same_place(Span a, Span b) {
  return a.source == b.source && a.line == b.line && a.column == b.column;
}

void diag_verror(Diag *diag, Span span, const char *format, va_list args) {
  const char *text = arena_vprintf(diag->arena, format, args);
  diag->last = NULL;
  for (int i = 0; i < diag->errors.count; i++)
    if (same_place(diag->errors.data[i]->span, span) && strcmp(diag->errors.data[i]->text, text) == 0)
      return;
  diag->count++;
  if (diag->errors.count == SHOWN_ERRORS)
    return;
  DiagError *error = arena_new_of(diag->arena, DiagError);
  error->span = span;
  error->text = text;
  error->order = diag->errors.count;
  error->file = file_order(diag, span.source);
  vec_push(diag->arena, &diag->errors, error);
  diag->last = error;
}

void diag_error(Diag *diag, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  diag_verror(diag, span, format, args);
  va_end(args);
}

void diag_hint(Diag *diag, const char *format, ...) {
  if (!diag->last)
    return;
  va_list args;
  va_start(args, format);
  DiagNote note = {.text = arena_vprintf(diag->arena, format, args), .hint = true};
  va_end(args);
  vec_push(diag->arena, &diag->last->notes, note);
}

void diag_note(Diag *diag, Span span, const char *format, ...) {
  if (!diag->last)
    return;
  va_list args;
  va_start(args, format);
  DiagNote note = {.span = span, .text = arena_vprintf(diag->arena, format, args)};
  va_end(args);
  vec_push(diag->arena, &diag->last->notes, note);
}

int diag_errors(const Diag *diag) {
  return diag->count;
}

static int compare_errors(const void *left, const void *right) {
  const DiagError *a = *(DiagError *const *)left, *b = *(DiagError *const *)right;
  if (a->file != b->file)
    return a->file - b->file;
  if (a->span.line != b->span.line)
    return a->span.line - b->span.line;
  if (a->span.column != b->span.column)
    return a->span.column - b->span.column;
  return a->order - b->order;
}

static bool starts_character(char byte) {
  return ((unsigned char)byte & 0xC0) != 0x80;
}

static int characters(const char *text, int from, int to) {
  int count = 0;
  for (int i = from; i < to; i++)
    count += starts_character(text[i]);
  return count;
}

// The line and, under it, carets from the span's first to its last byte on that line.
static void print_excerpt(FILE *out, Span span, const char *colour, const char *plain) {
  int length;
  const char *line = source_line(span.source, span.line, &length);
  int from = span.column - 1;
  from = from < 0 ? 0 : from > length ? length : from;
  int to = span.end_line > span.line ? length : span.end_column - 1;
  to = to > length ? length : to;
  int first = 0, last = length;
  if (length > WINDOW) {
    first = from > WINDOW / 2 ? from - WINDOW / 2 : 0;
    last = length - first > WINDOW ? first + WINDOW : length;
    while (first < from && !starts_character(line[first]))
      first++;
    while (last > from && last < length && !starts_character(line[last]))
      last--;
    to = to > last ? last : to;
  }
  fprintf(out, "%5d | %s", span.line, first ? "..." : "");
  for (int i = first; i < last; i++)
    fputc(iscntrl((unsigned char)line[i]) ? ' ' : line[i], out);
  fprintf(out, "%s\n      | %*s%s^", last < length ? "..." : "", characters(line, first, from) + (first ? 3 : 0), "",
          colour);
  for (int i = characters(line, from, to); i > 1; i--)
    fputc('~', out);
  fprintf(out, "%s\n", plain);
}

static void print_place(FILE *out, Span span) {
  if (span.source)
    fprintf(out, "%s:%d:%d: ", span.source->path, span.line, span.column);
  else
    fputs("nnc: ", out);
}

// On a terminal that has colours, unless NO_COLOR says not to (no-color.org).
static bool in_colour(FILE *out) {
  const char *unwanted = getenv("NO_COLOR"), *kind = getenv("TERM");
  return isatty(fileno(out)) == 1 && !(unwanted && *unwanted) && kind && *kind && strcmp(kind, "dumb") != 0;
}

void diag_print(const Diag *diag, FILE *out) {
  bool colour = in_colour(out);
  const char *red = colour ? "\033[1;31m" : "", *blue = colour ? "\033[1;36m" : "";
  const char *plain = colour ? "\033[0m" : "";
  int shown = diag->errors.count;
  DiagError **sorted = arena_array(diag->arena, DiagError *, shown);
  if (shown)
    memcpy(sorted, diag->errors.data, sizeof *sorted * (size_t)shown);
  qsort(sorted, (size_t)shown, sizeof *sorted, compare_errors);
  for (int i = 0; i < shown; i++) {
    const DiagError *error = sorted[i];
    print_place(out, error->span);
    fprintf(out, "%serror:%s %s\n", red, plain, error->text);
    if (error->span.source && error->span.line > 0)
      print_excerpt(out, error->span, red, plain);
    for (int k = 0; k < error->notes.count; k++) {
      const DiagNote *note = &error->notes.data[k];
      if (note->hint) {
        fprintf(out, "%shint:%s %s\n", blue, plain, note->text);
        continue;
      }
      print_place(out, note->span);
      fprintf(out, "%snote:%s %s\n", blue, plain, note->text);
      if (note->span.source && note->span.line > 0)
        print_excerpt(out, note->span, blue, plain);
    }
  }
  if (diag->count > shown)
    fprintf(out, "and %d more error%s\n", diag->count - shown, diag->count - shown == 1 ? "" : "s");
}

static int smallest(int a, int b, int c) {
  int least = a < b ? a : b;
  return least < c ? least : c;
}

// Optimal string alignment distance (Damerau 1964: insertions, deletions, substitutions, neighbours swapped);
// a difference of case alone costs nothing.
static int edit_distance(const char *a, int a_length, const char *b, int b_length) {
  int rows[3][LONGEST_NAME + 1];
  int *before = rows[0], *previous = rows[1], *current = rows[2];
  for (int j = 0; j <= b_length; j++)
    previous[j] = j;
  for (int i = 1; i <= a_length; i++) {
    current[0] = i;
    for (int j = 1; j <= b_length; j++) {
      int ai = tolower((unsigned char)a[i - 1]), bj = tolower((unsigned char)b[j - 1]);
      current[j] = smallest(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (ai != bj));
      bool swapped = i > 1 && j > 1 && ai == tolower((unsigned char)b[j - 2]) && tolower((unsigned char)a[i - 2]) == bj;
      if (swapped && before[j - 2] + 1 < current[j])
        current[j] = before[j - 2] + 1;
    }
    int *oldest = before;
    before = previous;
    previous = current;
    current = oldest;
  }
  return previous[b_length];
}

const char *diag_nearest(const char *name, const char *const *candidates, int count) {
  size_t length = strlen(name);
  if (length == 0 || length > LONGEST_NAME)
    return NULL;
  int limit = length == 1 ? 0 : length < 6 ? 1 : (int)length / 3;
  const char *nearest = NULL;
  for (int i = 0; i < count; i++) {
    size_t other = strlen(candidates[i]);
    if (other > LONGEST_NAME)
      continue;
    int distance = edit_distance(name, (int)length, candidates[i], (int)other);
    if (distance > limit || (nearest && distance == limit))
      continue;
    if (strcmp(name, candidates[i]) == 0)
      continue;
    nearest = candidates[i];
    limit = distance;
  }
  return nearest;
}

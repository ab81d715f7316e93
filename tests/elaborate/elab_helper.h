// Programs given as text, elaborated with the built-in prelude.
#pragma once
#include <criterion/criterion.h>

#include "elaborate/elaborate.h"

typedef struct Elaborated {
  Arena *arena;
  Program *program;     // NULL after errors
  const char *messages; // what the person would read
} Elaborated;

// The file is called t.nn and lies in the repository's root.
Elaborated elaborate_text(const char *text);
// As `nnc check` does.
Elaborated elaborate_check(const char *text);
// With --set name=value.
Elaborated elaborate_set(const char *text, const char *name, const char *value);
Elaborated elaborate_file(const char *path);

// The program, or a failed test with the messages.
Program *program_of(const char *text);
const Slot *slot_named(const Program *program, const char *name);
int nodes_of(const Graph *graph, Op op);
const Node *output_of(const Graph *graph, const char *name);

// Programs given as text, elaborated with the built-in prelude.
#include "elab_helper.h"

#include <stdio.h>
#include <stdlib.h>

#include "session/embedded.h"

static Elaborated run(const Source *source, Arena *arena, const ElaborateOptions *options) {
  Elaborated result = {.arena = arena};
  Diag *diag = diag_new(arena);
  const File *prelude = parse_file(arena, diag, embedded_prelude(arena));
  const File *file = parse_file(arena, diag, source);
  if (!diag_errors(diag))
    result.program = elaborate(arena, diag, prelude, file, options);
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  diag_print(diag, out);
  fclose(out);
  result.messages = arena_strndup(arena, text, length);
  free(text);
  return result;
}

static const ElaborateOptions plain = {.tests = true, .data = true};

Elaborated elaborate_text(const char *text) {
  Arena *arena = arena_new();
  return run(source_from_string(arena, NNC_SOURCE_DIR "/t.nn", text), arena, &plain);
}

Elaborated elaborate_check(const char *text) {
  Arena *arena = arena_new();
  const ElaborateOptions options = {.tests = true, .data = true, .check = true};
  return run(source_from_string(arena, NNC_SOURCE_DIR "/t.nn", text), arena, &options);
}

Elaborated elaborate_set(const char *text, const char *name, const char *value) {
  Arena *arena = arena_new();
  ConstOverride override = {name, value};
  ElaborateOptions options = {.tests = true, .data = true, .override_count = 1, .overrides = &override};
  return run(source_from_string(arena, NNC_SOURCE_DIR "/t.nn", text), arena, &options);
}

Elaborated elaborate_file(const char *path) {
  Arena *arena = arena_new();
  const Source *source = source_read(arena, path);
  cr_assert_not_null(source, "cannot read %s", path);
  return run(source, arena, &plain);
}

Program *program_of(const char *text) {
  Elaborated result = elaborate_text(text);
  cr_assert_not_null(result.program, "%s", result.messages);
  return result.program;
}

const Slot *slot_named(const Program *program, const char *name) {
  for (int i = 0; i < program->slots.count; i++)
    if (!strcmp(program->slots.data[i]->name, name))
      return program->slots.data[i];
  return NULL;
}

int nodes_of(const Graph *graph, Op op) {
  int count = 0;
  for (int i = 0; i < graph->nodes.count; i++)
    count += graph->nodes.data[i]->op == op;
  return count;
}

const Node *output_of(const Graph *graph, const char *name) {
  for (int i = 0; i < graph->outputs.count; i++)
    if (!strcmp(graph->outputs.data[i].name, name))
      return graph->outputs.data[i].value;
  return NULL;
}

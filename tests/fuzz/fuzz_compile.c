// libFuzzer target of the compiler up to its loops: any bytes must give a module or errors, without a crash, a hang or a
// leak. Large programs, which are right to take long, stop after elaboration.
#include <stdint.h>
#include <string.h>

#include "compile.h"
#include "session/embedded.h"

enum { LONGEST = 4096, MOST_NODES = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int node_count(const Program *program) {
  int count = program->init->nodes.count;
  for (int i = 0; i < program->trains.count; i++)
    count += program->trains.data[i]->train->nodes.count;
  for (int i = 0; i < program->tests.count; i++)
    count += program->tests.data[i]->graph ? program->tests.data[i]->graph->nodes.count : 0;
  return count;
}

static bool small_enough(Arena *arena, const Source *source) {
  Diag *diag = diag_new(arena);
  const File *prelude = parse_file(arena, diag, embedded_prelude(arena));
  const File *file = parse_file(arena, diag, source);
  ElaborateOptions options = {.tests = true};
  const Program *program = elaborate(arena, diag, prelude, file, &options);
  return program && node_count(program) < MOST_NODES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > LONGEST)
    return -1;
  Arena *arena = arena_new();
  Source source = {.path = "fuzz.nn", .text = arena_strndup(arena, (const char *)data, size), .length = size};
  CompileOptions options = {.training = true, .prediction = true, .generation = true, .tests = true};
  Compilation *compilation =
      small_enough(arena, &source) ? compile_source(arena, diag_new(arena), &source, &options) : NULL;
  if (compilation)
    loops_check(compilation->loops);
  arena_free(arena);
  return 0;
}

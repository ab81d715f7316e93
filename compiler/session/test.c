// `nnc test`: each test block runs on the JIT and as compiled C; both must agree to the bit, and every expectation hold.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/jit.h"
#include "session/session.h"
#include "session/shared.h"

// Outputs of one test on one backend: a pointer each, of type_count elements.
typedef struct Results {
  void **outputs;
} Results;

// A test's graph has its parameters inside: there is no state block.
static Results run_test(Arena *arena, const Graph *graph, const LoopModule *loops, NnrtRun *entry) {
  Results results = {.outputs = arena_array(arena, void *, graph->outputs.count + 1)};
  for (int i = 0; i < graph->outputs.count; i++) {
    const Type *type = &graph->outputs.data[i].value->type;
    results.outputs[i] = arena_alloc(arena, (size_t)(type_count(type, graph->batch) * elem_bytes(type->elem)));
  }
  uint8_t *memory = aligned_alloc(64, (size_t)(loops->arena_bytes + 63) / 64 * 64 + 64);
  if (memory) {
    NnrtFrame frame = {.arena = memory, .outputs = results.outputs, .threads = 1};
    entry(&frame);
  }
  free(memory);
  return results;
}

static double element(const Type *type, const void *data, int64_t i) {
  switch (type->elem) {
  case F32:
    return (double)((const float *)data)[i];
  case F64:
    return ((const double *)data)[i];
  case I32:
    return (double)((const int32_t *)data)[i];
  case I64:
    return (double)((const int64_t *)data)[i];
  default:
    return (double)((const uint8_t *)data)[i];
  }
}

static void add_value(Text *out, const Type *type, const void *data) {
  enum { SHOWN = 8 };
  int64_t count = type_count(type, 0);
  text_add(out, type->rank ? "[" : "");
  for (int64_t i = 0; i < count && i < SHOWN; i++) {
    text_add(out, i ? ", " : "");
    text_double(out, element(type, data, i));
  }
  text_add(out, count > SHOWN ? ", …" : "");
  text_add(out, type->rank ? "]" : "");
}

static void print_failure(Arena *arena, const Expectation *expect, const Graph *graph, const Results *results) {
  printf("  %s:%d: expect %s\n", expect->span.source->path, expect->span.line, expect->text);
  if (expect->failed)
    printf("    found %s\n", expect->failed);
  int sides[2] = {expect->left, expect->right};
  for (int i = 0; i < 2 && !expect->constant; i++) {
    if (sides[i] < 0)
      continue;
    Text value = text_new(arena);
    add_value(&value, &graph->outputs.data[sides[i]].value->type, results->outputs[sides[i]]);
    printf("    %s %s\n", i ? "right" : "left ", text_string(&value));
  }
}

// Bit for bit, but for NaN, whose sign and payload no processor promises.
static bool same_values(const Type *type, const void *a, const void *b) {
  int bytes = elem_bytes(type->elem);
  for (int64_t i = 0; i < type_count(type, 0); i++)
    if (memcmp((const char *)a + i * bytes, (const char *)b + i * bytes, (size_t)bytes) != 0 &&
        !(isnan(element(type, a, i)) && isnan(element(type, b, i))))
      return false;
  return true;
}

// True if the two backends gave the same bits.
static bool same_bits(const TestBlock *test, const Results *jit, const Results *c) {
  const Graph *graph = test->graph;
  for (int i = 0; i < graph->outputs.count; i++) {
    const Type *type = &graph->outputs.data[i].value->type;
    if (!same_values(type, jit->outputs[i], c->outputs[i])) {
      printf("  %s: the C backend and the JIT differ in %s\n", test->name, graph->outputs.data[i].name);
      return false;
    }
  }
  return true;
}

static bool holds(const Expectation *expect, const Results *results) {
  return expect->constant ? !expect->failed : *(const uint8_t *)results->outputs[expect->output] != 0;
}

static bool check_test(Arena *arena, const Compilation *compilation, int index, Jit *jit, void *library) {
  const TestBlock *test = compilation->program->tests.data[index];
  Results on_jit = {0}, on_c = {0};
  bool passed = true;
  if (test->graph) {
    const char *entry = arena_printf(arena, "test_%d", index);
    on_jit = run_test(arena, test->graph, compilation->loops, jit_entry(jit, entry));
    on_c = run_test(arena, test->graph, compilation->loops, shared_entry(arena, library, entry));
    passed = same_bits(test, &on_jit, &on_c);
  }
  for (int i = 0; i < test->expectations.count; i++) {
    const Expectation *expect = &test->expectations.data[i];
    if (holds(expect, &on_jit))
      continue;
    passed = false;
    print_failure(arena, expect, test->graph, &on_jit);
  }
  printf("%s %s\n", passed ? "passed" : "FAILED", test->name);
  return passed;
}

static int check_all(Arena *arena, const Compilation *compilation, Jit *jit, void *library) {
  int count = compilation->program->tests.count, failed = 0;
  for (int i = 0; i < count; i++)
    failed += !check_test(arena, compilation, i, jit, library);
  if (!count)
    fprintf(stderr, "nnc: %s has no `test` block\n", compilation->program->file);
  printf("%d passed, %d failed\n", count - failed, failed);
  return failed != 0;
}

// What is known at compile time needs no backend.
static bool any_graph(const Program *program) {
  for (int i = 0; i < program->tests.count; i++)
    if (program->tests.data[i]->graph)
      return true;
  return false;
}

int session_test(Arena *arena, const Compilation *compilation, const CcOptions *cc) {
  if (!any_graph(compilation->program))
    return check_all(arena, compilation, NULL, NULL);
  NnrtError error = {0};
  void *library = shared_load(arena, compilation->loops, cc, &error);
  if (!library) {
    fprintf(stderr, "nnc: %s\n", error.text);
    return 1;
  }
  char *problem = NULL;
  CodeCache cache = code_cache_open(arena);
  Jit *jit = jit_compile(compilation->loops, &cache, &problem);
  if (!jit)
    fprintf(stderr, "nnc: LLVM: %s\n", problem);
  int status = jit ? check_all(arena, compilation, jit, library) : 1;
  if (jit)
    jit_free(jit);
  dlclose(library);
  return status;
}

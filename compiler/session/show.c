// Prints what the pipeline made, stage by stage.
#include "session/show.h"

#include <stdio.h>
#include <string.h>

#include "emit/emit.h"
#include "emit/llvm.h"

static void add_ast(Text *out, const Compilation *c, const CcOptions *cc) {
  (void)cc;
  ast_print(out, c->file);
}

static void add_graph(Text *out, const Compilation *c, const CcOptions *cc) {
  (void)cc;
  for (int i = 0; i < c->functions.count; i++) {
    text_printf(out, "%sfunction %s\n", i ? "\n" : "", c->functions.data[i].entry);
    graph_print(out, c->functions.data[i].graph);
  }
}

static void add_kernels(Text *out, const Compilation *c, const CcOptions *cc) {
  (void)cc;
  for (int i = 0; i < c->functions.count; i++) {
    text_printf(out, "%sfunction %s\n", i ? "\n" : "", c->functions.data[i].entry);
    kernels_print(out, c->functions.data[i].kernels);
  }
}

static void add_loops(Text *out, const Compilation *c, const CcOptions *cc) {
  (void)cc;
  loops_print(out, c->loops);
}

static void add_c(Text *out, const Compilation *c, const CcOptions *cc) {
  (cc->debug ? emit_c_debug : emit_c)(out, c->loops, c->manifest);
}

static void add_llvm(Text *out, const Compilation *c, const CcOptions *cc) {
  llvm_print(out, c->loops, cc->cpu);
}
static void add_asm(Text *out, const Compilation *c, const CcOptions *cc) {
  llvm_print_asm(out, c->loops, cc->cpu);
}

static const struct {
  const char *name;
  void (*add)(Text *, const Compilation *, const CcOptions *cc);
} stages[] = {{"ast", add_ast}, {"graph", add_graph}, {"kernels", add_kernels}, {"loops", add_loops},
              {"c", add_c},     {"llvm", add_llvm},   {"asm", add_asm}};
enum { STAGE_COUNT = sizeof stages / sizeof *stages };

static int find_stage(const char *name) {
  for (int i = 0; i < STAGE_COUNT; i++)
    if (strcmp(stages[i].name, name) == 0)
      return i;
  return -1;
}

bool show_knows(const char *stage) {
  return find_stage(stage) >= 0;
}

void show_stage(Arena *arena, const Compilation *compilation, const char *stage, const CcOptions *cc) {
  Text out = text_new(arena);
  stages[find_stage(stage)].add(&out, compilation, cc);
  fputs(text_string(&out), stdout);
}

static const char *grouped(Arena *arena, int64_t value) {
  char digits[32];
  int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
  Text out = text_new(arena);
  for (int i = 0; i < length; i++)
    text_printf(&out, "%s%c", i && (length - i) % 3 == 0 ? "," : "", digits[i]);
  return text_string(&out);
}

// The kernels' scratch memory lies among the values, what is prepared above them.
static void show_memory(Arena *arena, Text *out, const LoopModule *loops, const char *name) {
  const LEntry *entry = loops_entry(loops, name);
  if (!entry)
    return;
  text_printf(out, "  with scratch memory %s bytes", grouped(arena, entry->arena_bytes));
  if (entry->prepared_bytes)
    text_printf(out, "; prepared before a series of calls, above it: %s bytes", grouped(arena, entry->prepared_bytes));
  text_add(out, "\n");
}

void show_plan(Arena *arena, const Compilation *compilation) {
  Text out = text_new(arena);
  for (int i = 0; i < compilation->functions.count; i++) {
    const CompiledFunction *function = &compilation->functions.data[i];
    text_printf(&out, "%s (batch %lld)\n", function->entry, (long long)function->graph->batch);
    plan_print(&out, function->kernels);
    show_memory(arena, &out, compilation->loops, function->entry);
    text_printf(&out, "  multiply-adds of its products: %s\n\n",
                grouped(arena, graph_multiply_adds(function->graph, function->graph->batch)));
  }
  int64_t kinds[4] = {0};
  for (int i = 0; i < compilation->program->slots.count; i++) {
    const Slot *slot = compilation->program->slots.data[i];
    kinds[slot->kind] += type_count(&slot->type, 0);
  }
  text_printf(&out, "parameters %s, states %s, optimizer slots %s\n", grouped(arena, kinds[SLOT_PARAM]),
              grouped(arena, kinds[SLOT_STATE]), grouped(arena, kinds[SLOT_OPTIMIZER]));
  text_printf(&out, "state block %s bytes, arena %s bytes\n", grouped(arena, compilation->loops->state_bytes),
              grouped(arena, compilation->loops->arena_bytes));
  fputs(text_string(&out), stdout);
}

void show_models(Arena *arena, const Program *program) {
  if (!program->predicts.count)
    fprintf(stderr, "nnc: %s has no model with inputs\n", program->file);
  Text out = text_new(arena);
  text_printf(&out, "%-32s %14s %12s %18s\n", "model", "parameters", "states", "multiply-adds");
  for (int i = 0; i < program->predicts.count; i++) {
    const PredictBlock *predict = program->predicts.data[i];
    text_printf(&out, "%-32s %14s %12s %18s\n", predict->model,
                grouped(arena, program_numbers(program, predict->model, SLOT_PARAM)),
                grouped(arena, program_numbers(program, predict->model, SLOT_STATE)),
                grouped(arena, graph_multiply_adds(predict->graph, 1)));
  }
  fputs(text_string(&out), stdout);
}

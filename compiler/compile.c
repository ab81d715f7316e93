// The pipeline, a call a line, in the order of the drawing in compiler/README.md.
#include "compile.h"

#include <errno.h>
#include <string.h>

#include "passes/passes.h"
#include "session/embedded.h"

// Bodies of scans after what is around them.
static Graph *optimise(Graph *graph, bool trained, const CompileOptions *options) {
  graph = options->no_fold ? graph : pass_fold(graph);
  graph = options->no_simplify ? graph : pass_simplify(graph);
  graph = options->no_cse ? graph : pass_cse(graph);
  graph = options->no_hoist ? graph : pass_hoist(graph);
  graph = options->no_norm || trained ? graph : pass_fold_norm(graph);
  graph = options->no_dce ? graph : pass_dce(graph);
  for (int i = 0; i < graph->nodes.count; i++) {
    Node *node = graph->nodes.data[i];
    if (node->op != OP_scan)
      continue;
    GraphScan scan = *node->attr.scan;
    scan.body = optimise((Graph *)scan.body, trained, options);
    node->attr.scan = arena_copy(graph->arena, &scan, sizeof scan);
  }
  return graph;
}

// How a function is used: its values in training are exact to the bit, and what runs but once prepares nothing.
typedef enum Use { ONCE, TRAIN, EVALUATE } Use;

static void compile_graph(Compilation *result, Graph *graph, const char *entry, Use use, const Target *target,
                          const CompileOptions *options) {
  if (!graph)
    return;
  Arena *arena = result->program->arena;
  KernelOptions kernel_options = {
      .fuse = !options->no_fuse && !options->check, .order = !options->no_order, .plan = !options->no_plan};
  graph = pass_scan(optimise(graph, use != EVALUATE, options));
  KernelGraph *kernels = fuse(arena, graph, &kernel_options);
  if (!options->no_prepare && !options->check)
    (use == ONCE ? prepare_scans : prepare)(kernels);
  order(kernels, &kernel_options);
  plan(kernels, &kernel_options);
  schedule(result->loops, kernels, entry, target);
  vec_push(arena, &result->functions, (CompiledFunction){.entry = entry, .graph = graph, .kernels = kernels});
}

static int64_t place_kind(Program *program, SlotKind kind, int64_t offset) {
  for (int i = 0; i < program->slots.count; i++) {
    Slot *slot = program->slots.data[i];
    SlotKind place = slot->kind == SLOT_STATE ? SLOT_PARAM : slot->kind;
    if (place != kind)
      continue;
    slot->offset = offset;
    offset += whole_lines(type_count(&slot->type, 0) * elem_bytes(slot->type.elem));
  }
  return offset;
}

// Slots lie one after another in the state block, each on a cache line of its own: what a model is made of, what trains
// it, what its metrics count. The block's bytes.
static int64_t place_slots(Program *program) {
  int64_t offset = place_kind(program, SLOT_OPTIMIZER, place_kind(program, SLOT_PARAM, 0));
  return place_kind(program, SLOT_METRIC, offset);
}

static void compile_program(Compilation *result, const CompileOptions *options) {
  Program *program = result->program;
  Arena *arena = program->arena;
  Target target = target_host();
  if (options->cpu)
    target_parse(options->cpu, &target);
  result->loops = arena_new_of(arena, LoopModule);
  result->loops->arena = arena;
  result->loops->name = program->name;
  result->loops->state_bytes = place_slots(program);
  if (!options->no_init)
    compile_graph(result, program->init, "init", ONCE, &target, options);
  for (int i = 0; i < program->trains.count && options->training; i++) {
    TrainBlock *train = program->trains.data[i];
    if (options->block && strcmp(options->block, train->name) != 0)
      continue;
    compile_graph(result, train->train, manifest_entry_name(arena, train->name, "step"), TRAIN, &target, options);
    for (int k = 0; k < train->phases.count; k++)
      compile_graph(result, train->phases.data[k].train, manifest_phase_name(arena, train->name, k), TRAIN, &target,
                    options);
    compile_graph(result, train->eval, manifest_entry_name(arena, train->name, "eval"), EVALUATE, &target, options);
  }
  for (int i = 0; i < program->predicts.count && options->prediction; i++) {
    PredictBlock *predict = program->predicts.data[i];
    if (options->block && strcmp(options->block, predict->model) != 0)
      continue;
    compile_graph(result, predict->graph, manifest_entry_name(arena, "predict", predict->model), EVALUATE, &target,
                  options);
  }
  for (int i = 0; i < program->tests.count && options->tests; i++)
    compile_graph(result, program->tests.data[i]->graph, arena_printf(arena, "test_%d", i), ONCE, &target, options);
  for (int i = 0; i < result->loops->entries.count; i++) {
    LEntry *entry = result->loops->entries.data[i];
    entry->check = options->check;
    entry->parallel = entry->parallel && !options->single && !options->check;
  }
  result->manifest = manifest_build(arena, program, result->loops);
}

Compilation *compile_source(Arena *arena, Diag *diag, const Source *source, const CompileOptions *options) {
  Compilation *result = arena_new_of(arena, Compilation);
  result->file = parse_file(arena, diag, source);
  if (options->syntax_only)
    return diag_errors(diag) ? NULL : result;
  const File *prelude = parse_file(arena, diag, embedded_prelude(arena));
  ElaborateOptions elaborate_options = {.override_count = options->override_count,
                                        .overrides = options->overrides,
                                        .tests = options->tests,
                                        .data = (options->training || options->prediction) && !options->models_only,
                                        .every_model = options->models_only,
                                        .model = options->prediction ? options->block : NULL};
  result->program = elaborate(arena, diag, prelude, result->file, &elaborate_options);
  if (!result->program || diag_errors(diag))
    return NULL;
  if (options->models_only)
    return result;
  compile_program(result, options);
  return result;
}

Compilation *compile(Arena *arena, Diag *diag, const char *path, const CompileOptions *options) {
  const Source *source = source_read(arena, path);
  if (!source) {
    diag_error(diag, (Span){0}, "%s: cannot read: %s", path, strerror(errno));
    return NULL;
  }
  return compile_source(arena, diag, source, options);
}

bool compile_disable(CompileOptions *options, const char *pass) {
  struct {
    const char *name;
    bool *off;
  } passes[] = {{"fold", &options->no_fold},  {"simplify", &options->no_simplify}, {"cse", &options->no_cse},
                {"dce", &options->no_dce},    {"fuse", &options->no_fuse},         {"order", &options->no_order},
                {"plan", &options->no_plan},  {"norm", &options->no_norm},         {"prepare", &options->no_prepare},
                {"hoist", &options->no_hoist}};
  for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
    if (strcmp(pass, passes[i].name) == 0)
      return *passes[i].off = true;
  return false;
}

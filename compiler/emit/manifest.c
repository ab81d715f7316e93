// Program and loops to the tables generated code exports. Only what was compiled gets an entry.
#include "emit/manifest.h"

#include <string.h>

#include "base/hash.h"

const char *manifest_entry_name(Arena *arena, const char *block, const char *part) {
  return arena_printf(arena, "%s_%s", block, part);
}

const char *manifest_phase_name(Arena *arena, const char *block, int phase) {
  return arena_printf(arena, "%s_step_%d", block, phase + 1);
}

const LEntry *manifest_entry_of(const Manifest *manifest, const NnrtFunction *function) {
  for (int i = 0; i < manifest->entries.count; i++)
    if (manifest->entries.data[i].function == function)
      return manifest->entries.data[i].entry;
  return NULL;
}

static NnrtValue value_of(const char *name, const Type *type) {
  NnrtValue value = {.name = name, .type = (NnrtType)type->elem, .rank = type->rank};
  for (int i = 0; i < type->rank; i++)
    value.dim[i] = type->dim[i];
  return value;
}

// Which outputs depend on what a metric has counted.
static void mark_whole(Arena *arena, const Graph *graph, NnrtValue *outputs) {
  bool *counted = arena_array(arena, bool, graph->nodes.count + 1);
  for (int i = 0; i < graph->nodes.count; i++) {
    const Node *node = graph->nodes.data[i];
    counted[i] = node->op == OP_slot && node->attr->slot->kind == SLOT_METRIC;
    for (int k = 0; k < node->input_count; k++)
      counted[i] = counted[i] || counted[node->inputs[k]->id];
  }
  for (int i = 0; i < graph->outputs.count; i++)
    outputs[i].whole = counted[graph->outputs.data[i].value->id];
}

// The part of the state block that the graph's metrics count in, or that a stream is kept in: from the first to the last.
static void find_kept(const Graph *graph, NnrtFunction *function) {
  int64_t first = INT64_MAX, end = 0;
  for (int i = 0; i < graph->updates.count; i++) {
    const Slot *slot = graph->updates.data[i].slot;
    int64_t behind = slot->offset + type_count(&slot->type, 0) * elem_bytes(slot->type.elem);
    if (slot->kind < SLOT_METRIC)
      continue;
    first = slot->offset < first ? slot->offset : first;
    end = behind > end ? behind : end;
  }
  if (end > 0) {
    function->kept_offset = first;
    function->kept_bytes = end - first;
  }
}

static NnrtFunction function_of(Arena *arena, const Graph *graph) {
  NnrtFunction function = {.input_count = graph->inputs.count, .output_count = graph->outputs.count};
  NnrtValue *inputs = arena_array(arena, NnrtValue, graph->inputs.count + 1);
  NnrtValue *outputs = arena_array(arena, NnrtValue, graph->outputs.count + 1);
  for (int i = 0; i < graph->inputs.count; i++)
    inputs[i] = value_of(graph->inputs.data[i].name, &graph->inputs.data[i].type);
  for (int i = 0; i < graph->outputs.count; i++)
    outputs[i] = value_of(graph->outputs.data[i].name, &graph->outputs.data[i].value->type);
  mark_whole(arena, graph, outputs);
  find_kept(graph, &function);
  function.inputs = inputs;
  function.outputs = outputs;
  return function;
}

// The fingerprint covers what a checkpoint must agree with.
static NnrtTensor *tensors_of(Arena *arena, const Program *program, uint64_t *fingerprint) {
  NnrtTensor *tensors = arena_array(arena, NnrtTensor, program->slots.count + 1);
  *fingerprint = HASH_START;
  for (int i = 0; i < program->slots.count; i++) {
    const Slot *slot = program->slots.data[i];
    NnrtTensor *tensor = &tensors[i];
    *tensor = (NnrtTensor){.name = slot->name,
                           .type = (NnrtType)slot->type.elem,
                           .rank = slot->type.rank,
                           .kind = (NnrtTensorKind)slot->kind,
                           .offset = slot->offset,
                           .bytes = type_count(&slot->type, 0) * elem_bytes(slot->type.elem),
                           .layer = slot->layer};
    for (int d = 0; d < slot->type.rank; d++)
      tensor->dim[d] = slot->type.dim[d];
    *fingerprint = hash_bytes(*fingerprint, slot->name, strlen(slot->name) + 1);
    *fingerprint = hash_bytes(*fingerprint, &tensor->type, sizeof tensor->type);
    *fingerprint = hash_bytes(*fingerprint, tensor->dim, sizeof tensor->dim);
  }
  return tensors;
}

static void add_entry(Arena *arena, Manifest *manifest, const LoopModule *loops, NnrtFunction *function,
                      const char *name) {
  vec_push(arena, &manifest->entries, (ManifestEntry){.function = function, .entry = loops_entry(loops, name)});
}

static NnrtTrain *trains_of(Arena *arena, const Program *program) {
  NnrtTrain *trains = arena_array(arena, NnrtTrain, program->trains.count + 1);
  for (int i = 0; i < program->trains.count; i++) {
    const TrainBlock *block = program->trains.data[i];
    trains[i] = block->settings;
    trains[i].name = block->name;
    trains[i].data = block->data;
    trains[i].train = function_of(arena, block->train);
    trains[i].eval = block->eval ? function_of(arena, block->eval) : (NnrtFunction){0};
    trains[i].higher_is_better = block->higher_is_better;
    trains[i].predict = block->predict;
  }
  return trains;
}

static NnrtPredict *predicts_of(Arena *arena, const Program *program) {
  NnrtPredict *predicts = arena_array(arena, NnrtPredict, program->predicts.count + 1);
  for (int i = 0; i < program->predicts.count; i++) {
    const PredictBlock *block = program->predicts.data[i];
    predicts[i] = (NnrtPredict){.model = block->model,
                                .function = function_of(arena, block->graph),
                                .step = block->step ? function_of(arena, block->step) : (NnrtFunction){0},
                                .batch = block->graph->batch,
                                .task = block->task,
                                .data = block->data};
  }
  return predicts;
}

static NnrtKernel *kernels_of(Arena *arena, const LoopModule *loops) {
  NnrtKernel *kernels = arena_array(arena, NnrtKernel, loops->kernels.count + 1);
  for (int i = 0; i < loops->kernels.count; i++) {
    const LKernel *kernel = loops->kernels.data[i];
    kernels[i] = (NnrtKernel){
        .name = kernel->name, .line = kernel->span.line, .file = kernel->span.source ? kernel->span.source->path : ""};
  }
  return kernels;
}

static void add_phases(Arena *arena, Manifest *manifest, const LoopModule *loops, const TrainBlock *block,
                       NnrtTrain *train) {
  NnrtPhase *phases = arena_array(arena, NnrtPhase, block->phases.count + 1);
  for (int i = 0; i < block->phases.count; i++) {
    phases[i] = (NnrtPhase){block->phases.data[i].epochs, function_of(arena, block->phases.data[i].train)};
    add_entry(arena, manifest, loops, &phases[i].train, manifest_phase_name(arena, block->name, i));
  }
  train->phase_count = block->phases.count;
  train->phases = phases;
}

Manifest *manifest_build(Arena *arena, const Program *program, const LoopModule *loops) {
  Manifest *manifest = arena_new_of(arena, Manifest);
  NnrtTrain *trains = trains_of(arena, program);
  NnrtPredict *predicts = predicts_of(arena, program);
  NnrtModule *module = &manifest->module;
  *module = (NnrtModule){.abi = NNRT_ABI,
                         .name = program->name,
                         .file = program->file,
                         .state_bytes = loops->state_bytes,
                         .arena_bytes = loops->arena_bytes,
                         .tensor_count = program->slots.count,
                         .train_count = program->trains.count,
                         .predict_count = program->predicts.count,
                         .kernel_count = loops->kernels.count,
                         .trains = trains,
                         .predicts = predicts,
                         .kernels = kernels_of(arena, loops),
                         .init = function_of(arena, program->init)};
  module->tensors = tensors_of(arena, program, &module->fingerprint);
  add_entry(arena, manifest, loops, &module->init, "init");
  for (int i = 0; i < program->trains.count; i++) {
    add_entry(arena, manifest, loops, &trains[i].train, manifest_entry_name(arena, trains[i].name, "step"));
    add_phases(arena, manifest, loops, program->trains.data[i], &trains[i]);
    if (program->trains.data[i]->eval)
      add_entry(arena, manifest, loops, &trains[i].eval, manifest_entry_name(arena, trains[i].name, "eval"));
  }
  for (int i = 0; i < program->predicts.count; i++) {
    add_entry(arena, manifest, loops, &predicts[i].function, manifest_entry_name(arena, predicts[i].model, "predict"));
    if (program->predicts.data[i]->step)
      add_entry(arena, manifest, loops, &predicts[i].step, manifest_entry_name(arena, predicts[i].model, "stream"));
  }
  return manifest;
}

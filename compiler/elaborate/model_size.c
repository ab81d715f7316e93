// What a model is by itself: it is elaborated once, in memory that the next model takes again, and only its numbers are
// kept. So a file of many models costs no more memory than its largest.
#include "elaborate/internal.h"

static ModelSize *measure(const Elab *e, const SlotTable *table, const Graph *graph) {
  Arena *lasting = e->program->arena;
  ModelSize *size = arena_new_of(lasting, ModelSize);
  vec_reserve(lasting, &size->slots, table->slots.count);
  for (int i = 0; i < table->slots.count; i++) {
    const Slot *slot = table->slots.data[i];
    SlotSize one = {arena_strndup(lasting, slot->name, strlen(slot->name)), slot->kind, type_count(&slot->type, 0)};
    vec_push(lasting, &size->slots, one);
  }
  size->multiply_adds = graph_multiply_adds(graph, 1);
  return size;
}

static ModelSize *measure_alone(Elab *e, Global *model) {
  int errors = diag_errors(e->diag);
  SlotTable table = {0};
  table.init = builder_new(e, BUILD_CHECK, "init", 0, &table);
  ModelUse use = {.model = model, .batch = 1};
  Graph *graph = model_alone(e, &use, &table, BUILD_CHECK);
  return diag_errors(e->diag) > errors ? NULL : measure(e, &table, graph);
}

const ModelSize *model_size(Elab *e, Global *model) {
  if (model->state == GLOBAL_DONE)
    return model->size;
  Arena *outer = e->arena, *scratch = e->spare ? e->spare : arena_new();
  e->spare = NULL;
  e->arena = scratch;
  model->size = measure_alone(e, model);
  model->state = GLOBAL_DONE;
  e->arena = outer;
  arena_reset(scratch);
  if (e->spare)
    arena_free(scratch); // a model that measures another
  else
    e->spare = scratch;
  return model->size;
}

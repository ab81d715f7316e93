// Models: one thing with one set of parameters. A declared shape leaves the batch out; a call brings it in front.
#include "elaborate/internal.h"

bool path_within(const char *slot, const char *path) {
  size_t length = strlen(path);
  return !strncmp(slot, path, length) && (slot[length] == '.' || slot[length] == 0);
}

static Value *run_model(Elab *e, Global *model, CallArg *given, Span span) {
  const Decl *decl = model->decl;
  if (!call_bind(e, decl, given, span, true))
    return value_poison(e);
  int errors = diag_errors(e->diag);
  Value *v = run_body(e, decl->body);
  if (decl->result && v->kind != V_POISON && errors == diag_errors(e->diag))
    v = type_result(e, decl->result, v, decl->result->span, decl->formals.count > 0, decl->name.text);
  if (!v || errors != diag_errors(e->diag))
    return value_poison(e);
  const Value *first = v->kind == V_TUPLE && v->as.list.count ? v->as.list.items[0] : v;
  if (first->kind == V_TENSOR)
    fact_add(e, FACT_RESULT, first->as.node, NULL, model, 0);
  return v;
}

static void note_model(Elab *e, Global *model) {
  for (int i = 0; i < e->builder->models.count; i++)
    if (e->builder->models.data[i] == model)
      return;
  vec_push(e->arena, &e->builder->models, model);
}

Value *model_call(Elab *e, Value *callee, const CallArgs *args, Span span) {
  Global *model = callee->as.model.global;
  const Decl *decl = model->decl;
  if (strcmp(callee->as.model.path, decl->name.text) != 0) {
    elab_not_built(e, span, "the value at a call inside a model");
    return value_poison(e);
  }
  if (e->init_slot)
    return elab_fail(e, span, "an initialiser cannot call a model");
  CallArg *given = arena_array(e->arena, CallArg, decl->formals.count + 1);
  if (!call_match(e, decl, args, given) || !call_enter(e, decl, span))
    return value_poison(e);
  note_model(e, model);
  e->calls++;
  Frame *frame = frame_push(e, model->module, decl, span, decl->name.text);
  frame->is_optimizer = frame->is_metric = false;
  Value *v = run_model(e, model, given, span);
  frame_pop(e);
  e->calls--;
  return v;
}

bool model_input_type(Elab *e, Global *model, const Formal *formal, Type *type) {
  frame_push(e, model->module, NULL, formal->name.span, "");
  bool fine = formal->type->kind == TYPE_TENSOR && type_eval(e, formal->type, type);
  frame_pop(e);
  return fine;
}

// Placeholders for the tensors a model takes, as inputs of the graph being built.
static bool model_inputs(Elab *e, Global *model, CallArgs *args) {
  for (int i = 0; i < model->decl->formals.count; i++) {
    const Formal *formal = &model->decl->formals.data[i];
    Type type, whole = {0};
    if (formal->standard)
      continue;
    for (int k = 0; k < i; k++)
      if (!strcmp(model->decl->formals.data[k].name.text, formal->name.text))
        return false; // reported where it is declared
    if (!formal->type || formal->type->kind != TYPE_TENSOR) {
      elab_error(e, formal->name.span, "an input of a model needs a tensor's type");
      diag_hint(e->diag, "write %s: f32[…], without the batch", formal->name.text);
      return false;
    }
    if (!model_input_type(e, model, formal, &type))
      return false;
    if (type.rank == MAX_RANK) {
      elab_error(e, formal->name.span, "an input has at most %d dimensions besides the batch", MAX_RANK - 1);
      return false;
    }
    whole.elem = type.elem;
    whole.rank = type.rank + 1;
    whole.dim[0] = DIM_BATCH;
    memcpy(whole.dim + 1, type.dim, sizeof *type.dim * (size_t)type.rank);
    tensor_stamp(e, formal->name.span);
    CallArg arg = {.name = formal->name.text,
                   .name_span = formal->name.span,
                   .value = value_tensor(e, graph_input(e->builder->graph, formal->name.text, whole)),
                   .span = formal->name.span};
    vec_push(e->arena, args, arg);
  }
  return true;
}

static Value *run_alone(Elab *e, Global *model) {
  CallArgs args = {0};
  frame_push(e, model->module, NULL, model->decl->name.span, "");
  Value *v = model_inputs(e, model, &args)
                 ? model_call(e, value_model(e, model, model->decl->name.text), &args, model->decl->name.span)
                 : value_poison(e);
  frame_pop(e);
  return v;
}

bool model_ensure(Elab *e, Global *model, Span span) {
  const SlotTable *table = e->builder->table;
  const char *name = model->decl->name.text;
  for (int i = 0; i < table->slots.count; i++)
    if (table->slots.data[i]->kind <= SLOT_STATE && path_within(table->slots.data[i]->name, name))
      return true;
  if (!call_enter(e, model->decl, span))
    return false;
  Builder *outer = e->builder;
  int64_t batch = outer->graph->batch ? outer->graph->batch : 1;
  e->builder = builder_new(e, BUILD_CHECK, name, batch, outer->table);
  Value *v = run_alone(e, model);
  e->builder = outer;
  return v->kind != V_POISON;
}

// ---- parts

Value *model_field(Elab *e, Value *value, Name field, Span span) {
  Global *model = value->as.model.global;
  for (const Frame *frame = e->frame; frame; frame = frame->caller)
    if (frame->decl == model->decl) {
      elab_error(e, span, "`%s` has no parts yet: this is its own body", model->decl->name.text);
      diag_hint(e->diag, "a parameter's name stands alone here: %s", field.text);
      return value_poison(e);
    }
  if (!model_ensure(e, model, span))
    return value_poison(e);
  const char *base = value->as.model.path, *path = arena_printf(e->arena, "%s.%s", base, field.text);
  SlotTable *table = e->builder->table;
  Slot *slot = slot_find(table, path);
  if (slot)
    return value_tensor(e, slot_read(e, span, slot));
  VEC(const char *) names = {0};
  for (int i = 0; i < table->slots.count; i++) {
    const char *name = table->slots.data[i]->name;
    if (table->slots.data[i]->kind > SLOT_STATE || !path_within(name, base) || !name[strlen(base)])
      continue;
    if (path_within(name, path))
      return value_model(e, model, path);
    const char *part = name + strlen(base) + 1;
    vec_push(e->arena, &names, arena_strndup(e->arena, part, strcspn(part, ".")));
  }
  elab_error(e, field.span, "`%s` has no part `%s`", base, field.text);
  elab_suggest(e, field.text, names.data, names.count);
  return value_poison(e);
}

Slot *model_slot(Elab *e, const Expr *target) {
  Value *left = eval_expr(e, target->left);
  if (left->kind == V_POISON)
    return NULL;
  if (left->kind != V_MODEL) {
    elab_error(e, target->span, "only a parameter or a state can be updated by `:=`");
    return NULL;
  }
  Value *part = model_field(e, left, target->name, target->span);
  if (part->kind == V_POISON)
    return NULL;
  Slot *slot = slot_find(e->builder->table, arena_printf(e->arena, "%s.%s", left->as.model.path, target->name.text));
  if (!slot)
    elab_error(e, target->span, "only a parameter or a state can be updated by `:=`");
  return slot;
}

// ---- the forward pass of a trained model

// Logits become probabilities, unless the model ends in softmax or sigmoid itself.
static Value *as_probabilities(Elab *e, const ModelUse *use, Value *v) {
  if (use->task == NNRT_VALUES || v->kind != V_TENSOR)
    return v;
  bool classes = use->task == NNRT_CLASSES;
  if (fact_find(e->builder, classes ? FACT_SOFTMAX : FACT_SIGMOID, v->as.node))
    return v;
  Global *last = scope_global(e->prelude, e, classes ? "softmax" : "sigmoid");
  CallArgs args = {0};
  call_arg(e, &args, v, use->model->decl->name.span);
  return last ? call_value(e, value_layer(e, last), &args, use->model->decl->name.span) : v;
}

static void add_output(Elab *e, const char *name, Value *v) {
  if (v->kind != V_TENSOR)
    return;
  GraphOutput output = {name, v->as.node};
  vec_push(e->arena, &e->builder->graph->outputs, output);
}

// A model with inputs gives a tensor, or a tuple of them.
static void check_result(Elab *e, const Decl *decl, Value *v) {
  Value *const *items = v->kind == V_TUPLE ? v->as.list.items : &v;
  int count = v->kind == V_TUPLE ? v->as.list.count : 1;
  for (int i = 0; i < count; i++) {
    if (items[i]->kind == V_TENSOR || items[i]->kind == V_POISON)
      continue;
    if (items[i]->kind == V_NONE)
      elab_error(e, decl->name.span, "the body of `%s` has no value", decl->name.text);
    else
      elab_error(e, decl->name.span, "the result of `%s` must be a tensor, but is %s", decl->name.text,
                 value_kind(e, items[i]));
    diag_hint(e->diag, "the value of a body is its last expression");
    return;
  }
}

Graph *model_alone(Elab *e, const ModelUse *use, SlotTable *table, BuilderKind kind) {
  const Decl *decl = use->model->decl;
  Builder *outer = e->builder;
  e->builder = builder_new(e, kind, arena_printf(e->arena, "%s_predict", decl->name.text), use->batch, table);
  frame_push(e, use->model->module, NULL, decl->name.span, decl->name.text);
  Value *v = run_alone(e, use->model);
  if (decl->formals.count)
    check_result(e, decl, v);
  if (v->kind == V_TUPLE)
    for (int i = 0; i < v->as.list.count; i++)
      add_output(e, arena_printf(e->arena, "y%d", i),
                 i ? v->as.list.items[i] : as_probabilities(e, use, v->as.list.items[0]));
  else if (v->kind == V_TENSOR)
    add_output(e, "y", as_probabilities(e, use, v));
  frame_pop(e);
  Graph *graph = e->builder->graph;
  e->builder = outer;
  return graph;
}

PredictBlock *model_predict(Elab *e, const ModelUse *use) {
  Graph *graph = model_alone(e, use, &e->table, BUILD_PREDICT);
  if (!graph->outputs.count || !graph->inputs.count)
    return NULL;
  PredictBlock *block = arena_new_of(e->arena, PredictBlock);
  *block = (PredictBlock){.model = use->model->decl->name.text,
                          .span = use->model->decl->name.span,
                          .graph = graph,
                          .task = use->task,
                          .data = use->data};
  return block;
}

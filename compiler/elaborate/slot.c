// Parameters and state: declared in bodies, made at the first elaboration of a call path, found again by name in the
// next. Initial values are computed in the table's own graph, with random numbers that depend on the slot's name only, so
// that what else a model holds does not change them. A value read after an update is cut off from the one before.
#include "base/hash.h"
#include "elaborate/internal.h"

Slot *slot_find(const SlotTable *table, const char *name) {
  const int *index = names_find(&table->names, name);
  return index ? table->slots.data[*index] : NULL;
}

void slot_add(Elab *e, SlotTable *table, Slot *slot) {
  *names_at(e->arena, &table->names, slot->name) = table->slots.count;
  vec_push(e->arena, &table->slots, slot);
}

static SlotValue *value_in(Elab *e, Builder *builder, const Slot *slot) {
  while (builder->values.count <= slot->index)
    vec_push(e->arena, &builder->values, (SlotValue){0});
  return &builder->values.data[slot->index];
}

SlotValue *slot_value(Elab *e, const Slot *slot) {
  return value_in(e, e->builder, slot);
}

Node *slot_read(Elab *e, Span span, Slot *slot) {
  if (e->init_slot) {
    elab_error(e, span, "an initial value cannot depend on `%s`", slot->name);
    diag_hint(e->diag, "initial values are computed before there are any parameters");
    return NULL;
  }
  SlotValue *value = slot_value(e, slot);
  if (!value->current) {
    tensor_stamp(e, span);
    value->current = graph_slot(e->builder->graph, slot);
  }
  return value->current;
}

void slot_write(Elab *e, Span span, Slot *slot, Node *node) {
  SlotValue *value = slot_value(e, slot);
  Node *cut = tensor_unary(e, span, OP_stop_gradient, node);
  if (!cut)
    return;
  if (value->current)
    vec_push(e->arena, &value->stale, value->current);
  value->current = cut;
  value->changed = true;
  value->changed_at = span;
}

// ---- random streams

// Of the path and the number of draws made there before.
int64_t slot_stream(Elab *e) {
  const char *path = e->init_slot ? e->init_slot->name : e->frame->path;
  int *count = e->init_slot ? &e->init_draws : names_at(e->arena, &e->builder->draws, path);
  uint64_t hash = hash_text(HASH_START, e->init_slot ? "init " : "draw ");
  hash = hash_text(hash_text(hash, path), arena_printf(e->arena, "#%d", (*count)++));
  return (int64_t)(hash >> 1);
}

// ---- initial values

static bool starts_at_zero(const Node *node) {
  while (node->op == OP_broadcast || node->op == OP_stop_gradient)
    node = node->inputs[0];
  return node->op == OP_constant && !node->attr->data && node->attr->real == 0 && node->attr->integer == 0;
}

static bool has_type_formal(const Callable *callable) {
  if (callable->builtin)
    return strstr(callable->builtin->formals, "type?") != NULL;
  for (int i = 0; i < callable->layer->decl->formals.count; i++)
    if (!strcmp(callable->layer->decl->formals.data[i].name.text, "type"))
      return true;
  return false;
}

static Value *call_initialiser(Elab *e, const Slot *slot, Value *callee, Span span) {
  if (callee->as.callable->builtin && !callee->as.callable->builtin->call)
    return elab_fail(e, span, "`partial` is no initialiser");
  Value *dims[MAX_RANK];
  for (int i = 0; i < slot->type.rank; i++)
    dims[i] = value_int(e, slot->type.dim[i]);
  CallArgs args = {0};
  call_arg(e, &args, value_list(e, V_LIST, slot->type.rank, dims), span);
  bool bound = false;
  for (int i = 0; i < callee->as.callable->bound.count; i++) {
    const char *name = callee->as.callable->bound.data[i].name;
    bound = bound || (name && !strcmp(name, "type"));
  }
  if (has_type_formal(callee->as.callable) && !bound) {
    CallArg type = {.name = "type", .value = value_type(e, slot->type.elem), .span = span};
    vec_push(e->arena, &args, type);
  }
  return call_value(e, callee, &args, span);
}

static Value *standard_initialiser(Elab *e, const Slot *slot) {
  Global *glorot = slot->kind == SLOT_PARAM && slot->type.rank >= 2 && elem_is_real(slot->type.elem)
                       ? scope_global(e->prelude, e, "glorot_uniform")
                       : NULL;
  if (glorot)
    return value_layer(e, glorot);
  return slot->type.elem == BOOL ? value_bool(e, false) : value_int(e, 0);
}

// Where a model is only measured, an initialiser is tried once for each type: a second time gives the same.
static bool tried_before(const Elab *e, const Callable *callable, const Type *type) {
  const int near = 64; // blocks of a model repeat their shapes
  for (int i = e->tried.count; i-- && i >= e->tried.count - near;) {
    const Tried *tried = &e->tried.data[i];
    if (tried->layer == callable->layer && tried->builtin == callable->builtin && type_equal(&tried->type, type))
      return true;
  }
  return false;
}

static Node *initial_node(Elab *e, const Slot *slot, const Expr *expr, Span span) {
  Value *v = expr ? eval_partial(e, expr, 1) : standard_initialiser(e, slot);
  bool trial = v->kind == V_LAYER && e->builder->kind == BUILD_CHECK && !v->as.callable->bound.count;
  const Callable *tried = trial ? v->as.callable : NULL;
  if (tried && tried_before(e, tried, &slot->type))
    return NULL;
  if (v->kind == V_LAYER)
    v = call_initialiser(e, slot, v, span);
  Node *node = tensor_of(e, span, v, &slot->type.elem);
  if (!node)
    return NULL;
  Type shape;
  if (node->type.elem != slot->type.elem || !type_broadcast(&node->type, &slot->type, &shape) ||
      !type_same_shape(&shape, &slot->type) || (node->type.rank && !type_same_shape(&node->type, &slot->type))) {
    elab_error(e, span, "`%s` is %s, but its initial value is %s", slot->name, type_text(e->arena, &slot->type),
               type_text(e->arena, &node->type));
    return NULL;
  }
  if (tried)
    vec_push(e->program->arena, &e->tried, (Tried){tried->layer, tried->builtin, slot->type});
  tensor_stamp(e, span);
  return graph_broadcast(e->builder->graph, node, &slot->type);
}

static void initialise(Elab *e, Slot *slot, const Expr *expr, Span span) {
  Builder *builder = e->builder, *init = e->builder->table->init;
  Slot *outer = e->init_slot;
  int draws = e->init_draws;
  e->builder = init;
  e->init_slot = slot;
  e->init_draws = 0;
  Node *node = initial_node(e, slot, expr, span);
  if (node && init->kind == BUILD_TEST) {
    value_in(e, init, slot)->current = tensor_unary(e, span, OP_stop_gradient, node);
  } else if (node && !starts_at_zero(node)) {
    GraphUpdate update = {slot, node};
    vec_push(e->arena, &init->graph->updates, update);
  } else if (!node && init->kind == BUILD_TEST) {
    tensor_stamp(e, span);
    value_in(e, init, slot)->current = graph_constant(init->graph, slot->type, 0);
  }
  e->builder = builder;
  e->init_slot = outer;
  e->init_draws = draws;
}

// ---- declarations

// w, and in the rounds of a loop w_1, w_2, …; NULL if the body already has another `w`.
static const char *slot_name(Elab *e, const Stmt *stmt) {
  Frame *frame = e->frame;
  const char *name = stmt->name.text;
  DeclaredSlot *declared = NULL;
  for (int i = 0; i < frame->slots.count && !declared; i++)
    if (!strcmp(frame->slots.data[i].name, name))
      declared = &frame->slots.data[i];
  if (declared && declared->stmt != stmt) {
    elab_error(e, stmt->name.span, "`%s` is declared twice", name);
    diag_note(e->diag, declared->stmt->name.span, "first here");
    return NULL;
  }
  if (!declared) {
    DeclaredSlot first = {name, stmt, 0};
    vec_push(e->arena, &frame->slots, first);
    declared = &frame->slots.data[frame->slots.count - 1];
  }
  const char *number = declared->count ? arena_printf(e->arena, "_%d", declared->count) : "";
  declared->count++;
  const char *own = arena_printf(e->arena, "%s%s%s%s", frame->path, *frame->path ? "." : "", name, number);
  const TrainSetup *train = frame->is_metric ? e->builder->train : NULL;
  return train ? arena_printf(e->arena, "metrics.%s.%s", train->name, own) : own;
}

static Slot *make_slot(Elab *e, const Stmt *stmt, const char *name, Type type) {
  SlotTable *table = e->builder->table;
  Slot *slot = arena_new_of(e->arena, Slot);
  slot->name = name;
  slot->type = type;
  slot->kind = e->frame->is_metric        ? SLOT_METRIC
               : e->frame->is_optimizer   ? SLOT_OPTIMIZER
               : stmt->kind == STMT_PARAM ? SLOT_PARAM
                                          : SLOT_STATE;
  slot->index = table->slots.count;
  slot->span = elab_user_span(e, stmt->span);
  slot->layer = e->frame->module == e->prelude && !e->frame->is_optimizer ? e->frame->decl->name.text : NULL;
  slot_add(e, table, slot);
  initialise(e, slot, stmt->value, stmt->value ? stmt->value->span : stmt->span);
  return slot;
}

static bool slot_type(Elab *e, const Stmt *stmt, Type *type) {
  const char *word = stmt->kind == STMT_PARAM ? "parameter" : "state";
  if (!stmt->type) {
    elab_error(e, stmt->span, "a %s needs a type", word);
    diag_hint(e->diag, "write %s: f32[…]", stmt->name.text);
    return false;
  }
  if (!type_eval(e, stmt->type, type))
    return false;
  for (int i = 0; i < type->rank; i++)
    if (type->dim[i] < 0) {
      elab_error(e, stmt->type->span, "a %s cannot depend on the batch, but this is %s", word,
                 type_text(e->arena, type));
      return false;
    }
  if (e->frame->is_metric && (stmt->kind == STMT_PARAM || stmt->value)) {
    elab_error(e, stmt->span,
               stmt->kind == STMT_PARAM ? "a metric has no parameters" : "what a metric counts starts at zero");
    diag_hint(e->diag, "write state %s: f64[…]", stmt->name.text);
    return false;
  }
  if (stmt->kind == STMT_PARAM && !elem_is_real(type->elem)) {
    elab_error(e, stmt->type->span, "a parameter must be f32 or f64 to be trained, not %s", elem_name(type->elem));
    diag_hint(e->diag, "`state` keeps values of any type");
    return false;
  }
  return true;
}

void slot_declare(Elab *e, const Stmt *stmt) {
  Type type;
  scope_bind(e, stmt->name.text, value_poison(e));
  if (e->init_slot) {
    elab_error(e, stmt->span, "an initialiser cannot have parameters or state");
    return;
  }
  const char *name = slot_type(e, stmt, &type) ? slot_name(e, stmt) : NULL;
  if (!name)
    return;
  Slot *slot = slot_find(e->builder->table, name);
  if (!slot)
    slot = make_slot(e, stmt, name, type);
  else if (!type_equal(&slot->type, &type)) {
    elab_error(e, stmt->type->span, "`%s` is %s here, but was %s before", name, type_text(e->arena, &type),
               type_text(e->arena, &slot->type));
    return;
  }
  scope_bind_slot(e, stmt->name.text, slot);
}

// ---- steps since an `unfreeze`

// No name of a program has a part that begins with a digit.
static const char *counter_name(Elab *e, int phase) {
  return arena_printf(e->arena, "unfreeze.%d.step", phase);
}

Slot *slot_counter(Elab *e, int phase) {
  SlotTable *table = e->builder->table;
  const char *name = counter_name(e, phase);
  Slot *slot = slot_find(table, name);
  if (slot)
    return slot;
  slot = arena_new_of(e->arena, Slot);
  *slot = (Slot){.name = name,
                 .type = type_scalar(I64),
                 .kind = SLOT_OPTIMIZER,
                 .index = table->slots.count,
                 .span = e->builder->train->thaws.data[phase - 1].span};
  slot_add(e, table, slot);
  return slot;
}

void slot_count(Elab *e) {
  for (int phase = 1; phase <= e->builder->phase; phase++) {
    Slot *slot = slot_find(e->builder->table, counter_name(e, phase));
    Attr one = {.integer = 1};
    Type type = type_scalar(I64);
    if (slot && slot_value(e, slot)->current)
      slot_write(e, slot->span, slot,
                 tensor_binary(e, slot->span, OP_add, slot_read(e, slot->span, slot),
                               tensor_op(e, slot->span, OP_constant, 0, NULL, &one, &type)));
  }
}

// ---- w := value

static Slot *assigned_slot(Elab *e, const Expr *target) {
  if (target->kind == EXPR_FIELD)
    return model_slot(e, target);
  if (target->kind == EXPR_ERROR)
    return NULL;
  if (target->kind != EXPR_NAME) {
    elab_error(e, target->span, "only a parameter or a state can be updated by `:=`");
    return NULL;
  }
  const Binding *binding = scope_find(e->frame, target->name.text);
  if (binding && binding->slot)
    return binding->slot;
  if (binding && binding->value->kind == V_POISON)
    return NULL;
  elab_error(e, target->span, "`%s` is no parameter or state", target->name.text);
  if (binding)
    diag_hint(e->diag, "`=` gives a value a name");
  else
    scope_suggest(e, target->name.text, false);
  return NULL;
}

void slot_assign(Elab *e, const Stmt *stmt) {
  Slot *slot = assigned_slot(e, stmt->target);
  Value *v = eval_expr(e, stmt->value);
  if (!slot || v->kind == V_POISON || scan_forbids(e, stmt->span, "`:=`"))
    return;
  if (e->init_slot) {
    elab_error(e, stmt->span, "an initialiser cannot update anything");
    return;
  }
  Node *node = tensor_of(e, stmt->value->span, v, &slot->type.elem);
  if (!node)
    return;
  if (node->type.elem != slot->type.elem || (node->type.rank && !type_same_shape(&node->type, &slot->type))) {
    elab_error(e, stmt->span, "`%s` is %s and cannot take a value that is %s", slot->name,
               type_text(e->arena, &slot->type), type_text(e->arena, &node->type));
    return;
  }
  BuilderKind kind = e->builder->kind;
  bool counts = slot->kind == SLOT_METRIC && (kind == BUILD_TRAIN || kind == BUILD_EVAL);
  if (!counts && ((kind != BUILD_TRAIN && kind != BUILD_TEST) || call_frozen(e)))
    return;
  tensor_stamp(e, stmt->span);
  slot_write(e, stmt->span, slot, graph_broadcast(e->builder->graph, node, &slot->type));
}

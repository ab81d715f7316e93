// minimize LOSS over MODEL using OPTIMIZER: gradients, clipping, and for each parameter the optimizer, a prelude layer.
// A later statement sees what an earlier one updated: an updated value is cut off from the old one, and a loss that
// still reaches an old one is an error. With training off only the loss is evaluated.
#include "elaborate/internal.h"

#include "graph/grad.h"

// Which nodes the loss is computed from, not looking through stop_gradient. user[id]: a node that uses it.
typedef struct Reach {
  bool *seen;
  const Node **user;
} Reach;

static Reach reach_from(Elab *e, const Node *loss) {
  int count = loss->id + 1;
  Reach reach = {arena_array(e->arena, bool, count), arena_array(e->arena, const Node *, count)};
  reach.seen[loss->id] = true;
  for (int id = loss->id; id >= 0; id--) {
    const Node *node = e->builder->graph->nodes.data[id];
    if (!reach.seen[id] || node->op == OP_stop_gradient)
      continue;
    for (int i = 0; i < node->input_count; i++) {
      int input = node->inputs[i]->id;
      if (!reach.seen[input]) {
        reach.seen[input] = true;
        reach.user[input] = node;
      }
    }
  }
  return reach;
}

static Span statement_of(const Elab *e, const Node *node) {
  Span span = node->span;
  for (int i = 0; i < e->builder->statements.count && e->builder->statements.data[i].first <= node->id; i++)
    span = e->builder->statements.data[i].span;
  return span;
}

// A parameter whose value before an update still goes into the loss.
static bool check_stale(Elab *e, const Reach *reach, const Node *loss, Span span) {
  const Builder *builder = e->builder;
  for (int i = 0; i < builder->values.count; i++) {
    const SlotValue *value = &builder->values.data[i];
    if (builder->table->slots.data[i]->kind != SLOT_PARAM)
      continue;
    for (int k = 0; k < value->stale.count; k++) {
      const Node *old = value->stale.data[k];
      if (old->id > loss->id || !reach->seen[old->id])
        continue;
      const Node *user = reach->user[old->id];
      elab_error(e, span, "this loss uses a value computed from `%s` before it was updated",
                 builder->table->slots.data[i]->name);
      diag_note(e->diag, statement_of(e, user ? user : old), "computed here");
      diag_note(e->diag, value->changed_at, "updated here");
      diag_hint(e->diag, "compute it again after the update, or cut it off with stop_gradient");
      return false;
    }
  }
  return true;
}

// ---- what is trained

static bool is_over(const Value *over, const char *name) {
  if (!over)
    return true;
  if (over->kind == V_MODEL)
    return path_within(name, over->as.model.path);
  for (int i = 0; i < over->as.list.count; i++)
    if (is_over(over->as.list.items[i], name))
      return true;
  return false;
}

static bool check_over(Elab *e, const Value *over, Span span) {
  if (!over || over->kind == V_MODEL)
    return true;
  if (over->kind == V_POISON)
    return false;
  if (over->kind != V_LIST && over->kind != V_TUPLE) {
    elab_error(e, span, "`over` names a model, a part of one or a list of them, but this is %s", value_kind(e, over));
    return false;
  }
  for (int i = 0; i < over->as.list.count; i++)
    if (!check_over(e, over->as.list.items[i], span))
      return false;
  return true;
}

typedef VEC(Slot *) SlotList;

// The parameters that a loss depends on, among those it is minimized over.
typedef struct Reached {
  SlotList slots; // to be trained now
  bool any;       // there are some, perhaps frozen
  bool later;     // some are frozen, but not for ever
} Reached;

static Reached reached_slots(Elab *e, const Reach *reach, const Node *loss, const Value *over) {
  Builder *builder = e->builder;
  Reached found = {0};
  for (int i = 0; i < builder->values.count; i++) {
    Slot *slot = builder->table->slots.data[i];
    const Node *current = builder->values.data[i].current;
    if (slot->kind != SLOT_PARAM || !current || current->id > loss->id || !reach->seen[current->id] ||
        !is_over(over, slot->name))
      continue;
    found.any = true;
    if (!slot_frozen(e, slot->name))
      vec_push(e->arena, &found.slots, slot);
    else if (slot_thawed(e, slot->name))
      found.later = true;
  }
  return found;
}

static bool check_each_reached(Elab *e, const Reach *reach, const Node *loss, const Value *over, Span span) {
  if (over && over->kind != V_MODEL) {
    for (int i = 0; i < over->as.list.count; i++)
      if (!check_each_reached(e, reach, loss, over->as.list.items[i], span))
        return false;
    return true;
  }
  if (reached_slots(e, reach, loss, over).any)
    return true;
  if (over) {
    elab_error(e, span, "the loss does not depend on `%s`", over->as.model.path);
    diag_hint(e->diag, "name a model whose result goes into the loss, not through stop_gradient");
  } else {
    elab_error(e, span, "the loss does not depend on any parameter");
  }
  return false;
}

// ---- gradients

// All gradients times min(1, limit / norm), the norm being that of all of them together.
static void clip_gradients(Elab *e, Span span, double limit, int count, Node **grads) {
  Node *total = NULL;
  int axes[MAX_RANK];
  for (int i = 0; i < MAX_RANK; i++)
    axes[i] = i;
  for (int i = 0; i < count; i++) {
    Node *square = tensor_binary(e, span, OP_mul, grads[i], grads[i]);
    Value *sum = square ? reduce_value(e, span, (Reduce){.op = OP_reduce_sum}, square, square->type.rank, axes) : NULL;
    Node *part = sum && sum->kind == V_TENSOR ? tensor_cast(e, span, sum->as.node, F64) : NULL;
    total = total ? tensor_binary(e, span, OP_add, total, part) : part;
  }
  if (!total)
    return;
  Node *norm = tensor_unary(e, span, OP_sqrt, total);
  Node *floor_norm = tensor_binary(e, span, OP_max, norm, tensor_scalar(e, span, F64, limit));
  Node *scale = tensor_binary(e, span, OP_div, tensor_scalar(e, span, F64, limit), floor_norm);
  for (int i = 0; i < count; i++)
    grads[i] = tensor_binary(e, span, OP_mul, grads[i], tensor_cast(e, span, scale, grads[i]->type.elem));
}

// ---- optimizers

static MinimizeMark *mark_of(Elab *e, const Stmt *key, const char *optimizer) {
  Builder *builder = e->builder;
  for (int i = 0; i < builder->minimized.count; i++)
    if (builder->minimized.data[i].stmt == key)
      return &builder->minimized.data[i];
  int *used = NULL;
  for (int i = 0; !used && i < e->optimizers.count; i++)
    if (!strcmp(e->optimizers.data[i].name, optimizer))
      used = &e->optimizers.data[i].count;
  if (!used) {
    vec_push(e->arena, &e->optimizers, (NameCount){optimizer, 0});
    used = &e->optimizers.data[e->optimizers.count - 1].count;
  }
  MinimizeMark mark = {key, *used ? arena_printf(e->arena, "%s_%d", optimizer, *used) : optimizer, 0};
  (*used)++;
  vec_push(e->arena, &builder->minimized, mark);
  return &builder->minimized.data[builder->minimized.count - 1];
}

static void update_slot(Elab *e, Span statement, Span span, Value *optimizer, const char *prefix, Slot *slot,
                        Node *gradient) {
  CallArgs args = {0};
  call_arg(e, &args, value_tensor(e, slot_read(e, span, slot)), span);
  call_arg(e, &args, value_tensor(e, gradient), span);
  const char *path = arena_printf(e->arena, "%s.%s", prefix, slot->name);
  e->builder->thawed = slot_thawed(e, slot->name);
  Value *v = call_optimizer(e, optimizer, &args, span, path);
  e->builder->thawed = 0;
  if (v->kind == V_POISON)
    return;
  Node *node = tensor_of(e, span, v, &slot->type.elem);
  if (!node)
    return;
  if (!type_equal(&node->type, &slot->type)) {
    elab_error(e, span, "the optimizer `%s` gives %s for `%s`, which is %s", callable_name(optimizer),
               type_text(e->arena, &node->type), slot->name, type_text(e->arena, &slot->type));
    return;
  }
  slot_write(e, statement, slot, node);
}

static Value *eval_optimizer(Elab *e, const Expr *expr) {
  if (expr->kind == EXPR_MAP || expr->kind == EXPR_LIST) {
    elab_not_built(e, expr->span, "a list of optimizers by pattern");
    return value_poison(e);
  }
  Value *v = eval_partial(e, expr, 2);
  if (v->kind == V_POISON || (v->kind == V_LAYER && v->as.callable->layer))
    return v;
  elab_error(e, expr->span, "an optimizer is needed here, such as adam(lr: 1e-3), but this is %s", value_kind(e, v));
  elab_hint_quotes(e, v);
  return value_poison(e);
}

// A wrong optimizer is reported once, not for each parameter.
static void train_slots(Elab *e, Span span, const Stmt *key, Node *loss, const SlotList *slots, const Expr *optimizer) {
  Builder *builder = e->builder;
  Span at = optimizer ? optimizer->span : span;
  bool had = builder->has_step;
  int64_t step = builder->step;
  Value *callee = optimizer ? NULL : value_poison(e);
  if (builder->kind == BUILD_TEST) { // counts the runs of the statement, as the clock does in training
    builder->has_step = true;
    builder->step = 0;
    for (int i = 0; i < builder->minimized.count; i++)
      if (builder->minimized.data[i].stmt == key)
        builder->step = builder->minimized.data[i].runs;
  }
  if (!callee)
    callee = eval_optimizer(e, optimizer);
  if (callee->kind == V_LAYER) {
    MinimizeMark *mark = mark_of(e, key, callable_name(callee));
    const char *prefix = mark->prefix;
    mark->runs++;
    Node **wrt = arena_array(e->arena, Node *, slots->count + 1),
         **grads = arena_array(e->arena, Node *, slots->count + 1);
    for (int i = 0; i < slots->count; i++)
      wrt[i] = slot_read(e, span, slots->data[i]);
    tensor_stamp(e, span);
    grad(builder->graph, loss, slots->count, wrt, grads);
    if (builder->train && builder->train->has_clip)
      clip_gradients(e, span, builder->train->clip_norm, slots->count, grads);
    int errors = diag_errors(e->diag);
    for (int i = 0; i < slots->count && errors == diag_errors(e->diag); i++)
      update_slot(e, span, at, callee, prefix, slots->data[i], grads[i]);
  }
  builder->has_step = had;
  builder->step = step;
}

static Node *scalar_loss(Elab *e, Value *v, Span span) {
  Node *loss = v->kind == V_TENSOR ? tensor_of(e, span, v, NULL) : NULL;
  if (loss && loss->type.rank == 0 && elem_is_real(loss->type.elem))
    return loss;
  if (v->kind == V_POISON)
    return NULL;
  elab_error(e, span, "a loss must be a real scalar, but this is %s", value_kind(e, v));
  if (loss && loss->type.rank)
    diag_hint(e->diag, "write reduce_mean(…) around it");
  return NULL;
}

static void loss_output(Elab *e, Node *loss) {
  if (e->builder->kind == BUILD_TEST || e->builder->has_loss)
    return;
  e->builder->has_loss = true;
  GraphOutput output = {"loss", loss};
  vec_push(e->arena, &e->builder->graph->outputs, output);
  vec_push(e->arena, &e->builder->higher, false);
}

void minimize_loss(Elab *e, Span span, const Stmt *key, Value *value, Span loss_span, Value *over, Span over_span,
                   const Expr *optimizer) {
  Node *loss = scalar_loss(e, value, loss_span);
  if (!loss)
    return;
  loss_output(e, loss);
  if (e->builder->kind == BUILD_EVAL || !check_over(e, over, over_span))
    return;
  Reach reach = reach_from(e, loss);
  if (!check_stale(e, &reach, loss, loss_span) || !check_each_reached(e, &reach, loss, over, over_span))
    return;
  Reached found = reached_slots(e, &reach, loss, over);
  if (!found.slots.count) {
    if (found.later)
      return;
    elab_error(e, loss_span, "nothing is left to train: `freeze` names every parameter of this loss");
    return;
  }
  if (!optimizer) {
    elab_error(e, span, "`minimize` needs an optimizer");
    diag_hint(e->diag, "write minimize … using adam(lr: 1e-3)");
    return;
  }
  train_slots(e, span, key, loss, &found.slots, optimizer);
}

void minimize_statement(Elab *e, const Stmt *stmt) {
  Value *loss = eval_expr(e, stmt->value);
  Value *over = stmt->over_expr ? eval_expr(e, stmt->over_expr) : NULL;
  minimize_loss(e, stmt->span, stmt, loss, stmt->value->span, over,
                stmt->over_expr ? stmt->over_expr->span : stmt->value->span, stmt->using_expr);
}

// ---- report name: value

void report_value(Elab *e, Name name, Value *value, Span span) {
  if (value->kind == V_POISON)
    return;
  Graph *graph = e->builder->graph;
  for (int i = 0; i < graph->outputs.count; i++)
    if (!strcmp(graph->outputs.data[i].name, name.text)) {
      elab_error(e, name.span, "`%s` is reported twice", name.text);
      return;
    }
  Node *node = tensor_of(e, span, value, NULL);
  if (!node)
    return;
  if (node->type.rank) {
    elab_error(e, span, "a report must be a scalar, but this is %s", type_text(e->arena, &node->type));
    diag_hint(e->diag, "write reduce_mean(…) around it");
    return;
  }
  bool higher = fact_find(e->builder, FACT_HIGHER, node) != NULL;
  if (!elem_is_real(node->type.elem))
    node = tensor_cast(e, span, node, F32);
  if (!node)
    return;
  GraphOutput output = {name.text, node};
  vec_push(e->arena, &graph->outputs, output);
  vec_push(e->arena, &e->builder->higher, higher);
}

void report_statement(Elab *e, const Stmt *stmt) {
  for (int i = 0; i < stmt->args.count; i++) {
    Arg arg = stmt->args.data[i];
    Value *v = eval_expr(e, arg.value);
    if (arg.name.text)
      report_value(e, arg.name, v, arg.value->span);
    else
      elab_error(e, arg.value->span, "a report needs a name: `report accuracy: …`");
  }
}

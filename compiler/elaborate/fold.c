// Builders and what is known of their nodes, and what the compiler knows of a few prelude functions. cross_entropy and
// binary_cross_entropy take logits: where a model ends in softmax or sigmoid, the loss sees what went into it. The same
// losses tell what a model's numbers are for. A layer with a formal `higher_is_better` is a metric that says so.
#include "elaborate/internal.h"

Builder *builder_new(Elab *e, BuilderKind kind, const char *name, int64_t batch, SlotTable *table) {
  Builder *builder = arena_new_of(e->arena, Builder);
  builder->kind = kind;
  builder->training = kind == BUILD_TRAIN;
  builder->table = table;
  builder->graph = graph_new(e->arena, name, batch);
  builder->graph->scope = "";
  return builder;
}

void builder_finish(Elab *e, Builder *builder) {
  for (int i = 0; i < builder->values.count; i++)
    if (builder->values.data[i].changed) {
      GraphUpdate update = {builder->table->slots.data[i], builder->values.data[i].current->inputs[0]};
      vec_push(e->arena, &builder->graph->updates, update);
    }
}

void fact_add(Elab *e, FactKind kind, const Node *node, Node *other, Global *model, int64_t count) {
  Fact fact = {kind, node, other, model, count};
  vec_push(e->arena, &e->builder->facts, fact);
}

const Fact *fact_find(const Builder *builder, FactKind kind, const Node *node) {
  for (int i = builder->facts.count; i--;)
    if (builder->facts.data[i].kind == kind && builder->facts.data[i].node == node)
      return &builder->facts.data[i];
  return NULL;
}

ModelUse *model_use(Elab *e, Global *model) {
  for (int i = 0; i < e->uses.count; i++)
    if (e->uses.data[i].model == model)
      return &e->uses.data[i];
  ModelUse use = {.model = model, .task = NNRT_VALUES, .batch = e->options->batch > 0 ? e->options->batch : 1};
  vec_push(e->arena, &e->uses, use);
  return &e->uses.data[e->uses.count - 1];
}

typedef struct LossRule {
  const char *loss;
  FactKind folds; // result of this in front of the loss is taken off
  bool folded;
  NnrtTask task;
  const char *instead;
} LossRule;

static const LossRule loss_rules[] = {
    {"cross_entropy", FACT_SOFTMAX, true, NNRT_CLASSES, "nll(log(p), y) takes probabilities"},
    {"binary_cross_entropy", FACT_SIGMOID, true, NNRT_BINARY,
     "binary_cross_entropy_from_probabilities takes probabilities"},
    {"nll", FACT_SOFTMAX, false, NNRT_CLASSES, NULL},
    {"binary_cross_entropy_from_probabilities", FACT_SIGMOID, false, NNRT_BINARY, NULL},
};

static bool check_classes(Elab *e, const LossRule *rule, const CallArg *given, Span span) {
  const Node *logits = given[0].value->as.node;
  const Fact *classes = given[1].value && given[1].value->kind == V_TENSOR
                            ? fact_find(e->builder, FACT_CLASSES, given[1].value->as.node)
                            : NULL;
  if (rule->task != NNRT_CLASSES || !classes || !logits->type.rank)
    return true;
  Dim outputs = logits->type.dim[logits->type.rank - 1];
  if (outputs >= classes->count || outputs < 0)
    return true;
  elab_error(e, span, "the data has %lld classes, but `%s` gets scores for %lld: %s", (long long)classes->count,
             rule->loss, (long long)outputs, type_text(e->arena, &logits->type));
  diag_hint(e->diag, "the model's last layer needs %lld units", (long long)classes->count);
  return false;
}

static bool is_constant(const Node *node) {
  while (node->op == OP_broadcast || node->op == OP_cast || node->op == OP_reshape)
    node = node->inputs[0];
  return node->op == OP_constant;
}

// What dropout keeps: select(…, 0, x / (1 - rate)). NULL: this is something else.
static const Node *dropped(const Node *node) {
  const Node *kept = is_constant(node->inputs[1])   ? node->inputs[2]
                     : is_constant(node->inputs[2]) ? node->inputs[1]
                                                    : NULL;
  return kept && kept->op == OP_div && is_constant(kept->inputs[1]) ? kept->inputs[0] : kept;
}

// The node whose numbers these are, but for their places, their type, limits, and some that are zero. NULL: there is none.
static const Node *shown(const Node *node) {
  switch (node->op) {
  case OP_reshape:
  case OP_transpose:
  case OP_broadcast:
  case OP_slice:
  case OP_reverse:
  case OP_cast:
  case OP_stop_gradient:
    return node->inputs[0];
  case OP_max:
  case OP_min:
    return is_constant(node->inputs[0]) ? node->inputs[1] : is_constant(node->inputs[1]) ? node->inputs[0] : NULL;
  case OP_select:
    return dropped(node);
  default:
    return NULL;
  }
}

const Fact *fact_behind(const Builder *builder, FactKind kind, const Node *node) {
  const Fact *fact = NULL;
  for (; node && !fact; node = shown(node))
    fact = fact_find(builder, kind, node);
  return fact;
}

// Takes scores, one of which above 0 is class 1.
static bool is_class_metric(const char *name) {
  static const char *const metrics[] = {"accuracy", "auc", "mean_iou", "dice", "precision", "recall", "f1"};
  for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
    if (same_name(metrics[i], name))
      return true;
  return false;
}

bool fold_before(Elab *e, Global *layer, CallArg *given, Span span) {
  const char *name = layer->decl->name.text;
  if (layer->module != e->prelude || !given[0].value || given[0].value->kind != V_TENSOR)
    return true;
  Node *node = given[0].value->as.node;
  const Fact *result = fact_find(e->builder, FACT_RESULT, node);
  if (is_class_metric(name)) {
    const Fact *fact = fact_find(e->builder, FACT_SIGMOID, node);
    if (fact)
      given[0].value = value_tensor(e, fact->other);
    return true;
  }
  for (size_t i = 0; i < sizeof loss_rules / sizeof *loss_rules; i++) {
    const LossRule *rule = &loss_rules[i];
    if (!same_name(name, rule->loss))
      continue;
    if (result && e->builder->kind == BUILD_TRAIN)
      model_use(e, result->model)->task = rule->task;
    const Fact *fact = rule->folded ? fact_find(e->builder, rule->folds, node) : NULL;
    if (rule->folded && (!fact || !result) && fact_behind(e->builder, rule->folds, node)) {
      elab_error(e, given[0].span, "`%s` takes logits, but this went through `%s` already", name,
                 rule->folds == FACT_SOFTMAX ? "softmax" : "sigmoid");
      diag_hint(e->diag, "take it away; %s", rule->instead);
      return false;
    }
    if (fact)
      given[0].value = value_tensor(e, fact->other);
    return check_classes(e, rule, given, span);
  }
  return true;
}

void fold_after(Elab *e, Global *layer, const CallArg *given, Value *result) {
  if (result->kind != V_TENSOR)
    return;
  const char *name = layer->decl->name.text;
  if (layer->module == e->prelude && given[0].value && given[0].value->kind == V_TENSOR) {
    if (same_name(name, "softmax"))
      fact_add(e, FACT_SOFTMAX, result->as.node, given[0].value->as.node, NULL, 0);
    if (same_name(name, "sigmoid"))
      fact_add(e, FACT_SIGMOID, result->as.node, given[0].value->as.node, NULL, 0);
  }
  const Binding *better = scope_find(e->frame, "higher_is_better");
  if (better && better->value && better->value->kind == V_BOOL && better->value->as.integer)
    fact_add(e, FACT_HIGHER, result->as.node, NULL, NULL, 0);
}

// A train block's graphs: the step with training on and with training off, from one source. The settings form is a step
// of its own: logits = model(x); minimize loss(logits, y) over model using optimizer; report each metric.
#include "elaborate/internal.h"

static Value *input(Elab *e, const char *name, Type type, Span span) {
  tensor_stamp(e, span);
  return value_tensor(e, graph_input(e->builder->graph, name, type));
}

static Value *sample_input(Elab *e, const char *name, const DataFacts *facts, Span span) {
  Value *x = input(e, name, facts->x, span);
  if (facts->token_count)
    fact_add(e, FACT_CLASSES, x->as.node, NULL, NULL, facts->token_count);
  return x;
}

static Value *target_input(Elab *e, const char *name, const DataFacts *facts, Span span) {
  Value *y = input(e, name, facts->y, span);
  if (facts->class_count)
    fact_add(e, FACT_CLASSES, y->as.node, NULL, NULL, facts->class_count);
  return y;
}

// ---- written out

static bool bind_inputs(Elab *e, TrainSetup *s, const StepBlock *step) {
  int count = step->inputs.count;
  const DataFacts *facts = s->data ? s->data->facts : NULL;
  if (count && !facts) {
    elab_error(e, step->inputs.data[0].span, "this step takes samples, but the train block has no `data`");
    return false;
  }
  if (count > (facts && facts->has_y ? 2 : 1)) {
    elab_error(e, step->inputs.data[count - 1].span, "a sample of `%s` has %s, so the step takes at most %d",
               s->data->decl->name.text, facts->has_y ? "an input and a target" : "no target", facts->has_y ? 2 : 1);
    return false;
  }
  for (int i = 0; i < count; i++) {
    Name name = step->inputs.data[i];
    for (int k = 0; k < i; k++)
      if (!strcmp(step->inputs.data[k].text, name.text)) {
        elab_error(e, name.span, "`%s` is named twice", name.text);
        return false;
      }
    scope_bind(e, name.text, (i ? target_input : sample_input)(e, name.text, facts, name.span));
  }
  return true;
}

static void run_step(Elab *e, TrainSetup *s, const StepBlock *step) {
  if (bind_inputs(e, s, step))
    run_block(e, step->body, false);
}

// ---- from settings

static bool check_samples(Elab *e, TrainSetup *s, const Formal **formal, Type *wanted) {
  const Decl *decl = s->model->decl;
  int inputs = 0;
  for (int i = 0; i < decl->formals.count; i++)
    if (!decl->formals.data[i].standard) {
      *formal = &decl->formals.data[i];
      inputs++;
    }
  if (inputs != 1) {
    elab_error(e, s->decl->span, "`%s` has %d inputs, but a sample of `%s` has one", decl->name.text, inputs,
               s->data->decl->name.text);
    diag_hint(e->diag, "write the step out: step (x, y) { … }");
    return false;
  }
  if (!(*formal)->type || (*formal)->type->kind != TYPE_TENSOR || !model_input_type(e, s->model, *formal, wanted))
    return false;
  const Type *have = &s->data->facts->x;
  if (data_sample_fits(have, wanted))
    return true;
  Type sample = *have;
  sample.rank--;
  memmove(sample.dim, sample.dim + 1, sizeof *sample.dim * (size_t)sample.rank);
  elab_error(e, (*formal)->type->span, "`%s` of `%s` is %s, but a sample of `%s` is %s", (*formal)->name.text,
             decl->name.text, type_text(e->arena, wanted), s->data->decl->name.text, type_text(e->arena, &sample));
  diag_note(e->diag, s->data->decl->name.span, "the data set");
  if (type_count(wanted, 1) == type_count(&sample, 1))
    diag_hint(e->diag, "both have %lld elements: take %s here, and reshape it in the model",
              (long long)type_count(&sample, 1), type_text(e->arena, &sample));
  else if (wanted->rank == 1 && sample.rank == 1 && !strcmp(s->data->data->calls[0].name, "csv"))
    diag_hint(e->diag,
              "take %s here, or choose columns with `features: […]` or `drop: […]`; one of text counts for each of its "
              "texts",
              type_text(e->arena, &sample));
  return false;
}

static Value *call_with(Elab *e, Value *callee, Value *a, Value *b, Span span) {
  CallArgs args = {0};
  call_arg(e, &args, a, span);
  if (b)
    call_arg(e, &args, b, span);
  return call_value(e, callee, &args, span);
}

static Name metric_name(Elab *e, const Expr *expr, const Value *v) {
  Name name = {arena_printf(e->arena, "%s", callable_name(v)), expr->span};
  return name;
}

static void report_metrics(Elab *e, const Expr *metrics, Value *prediction, Value *y) {
  int count = metrics->kind == EXPR_LIST ? metrics->items.count : 1;
  for (int i = 0; i < count; i++) {
    const Expr *expr = metrics->kind == EXPR_LIST ? metrics->items.data[i] : metrics;
    Value *metric = eval_partial(e, expr, 2);
    if (metric->kind == V_LAYER)
      report_value(e, metric_name(e, expr, metric), call_with(e, metric, prediction, y, expr->span), expr->span);
    else if (metric->kind != V_POISON) {
      elab_error(e, expr->span, "a metric is a layer such as accuracy, but this is %s", value_kind(e, metric));
      elab_hint_quotes(e, metric);
    }
  }
}

// The batch in the type that the model takes: [28, 28] becomes [28, 28, 1].
static Node *fit_samples(Elab *e, Span span, Node *x, const Type *wanted) {
  Type type = {.elem = x->type.elem, .rank = wanted->rank + 1, .dim = {x->type.dim[0]}};
  memcpy(type.dim + 1, wanted->dim, sizeof *wanted->dim * (size_t)wanted->rank);
  Node *shaped = type_same_shape(&type, &x->type) ? x : tensor_op(e, span, OP_reshape, 1, &x, NULL, &type);
  return shaped ? tensor_cast(e, span, shaped, wanted->elem) : NULL;
}

static void run_settings(Elab *e, TrainSetup *s) {
  const Formal *formal = NULL;
  Type wanted;
  if (!check_samples(e, s, &formal, &wanted))
    return;
  const DataFacts *facts = s->data->facts;
  Span span = s->model_span;
  Value *x = sample_input(e, "x", facts, span);
  Value *y = facts->has_y ? target_input(e, "y", facts, span) : x;
  Value *loss = eval_partial(e, s->loss, 2);
  if (loss->kind != V_LAYER) {
    if (loss->kind == V_POISON)
      return;
    elab_error(e, s->loss->span, "a loss is a layer such as cross_entropy, but this is %s", value_kind(e, loss));
    elab_hint_quotes(e, loss);
    return;
  }
  Value *model = value_model(e, s->model, s->model->decl->name.text);
  Value *fed = value_tensor(e, fit_samples(e, span, x->as.node, &wanted));
  Value *prediction = call_with(e, model, fed, NULL, span);
  if (prediction->kind == V_POISON)
    return;
  Value *value = call_with(e, loss, prediction, y, s->loss->span);
  minimize_loss(e, s->optimizer->span, NULL, value, s->loss->span, model, span, s->optimizer);
  if (s->metrics)
    report_metrics(e, s->metrics, prediction, y);
}

// ---- both graphs

// `before`: the phase before this one, whose optimizer slots it goes on with; NULL: none.
static Builder *build(Elab *e, TrainSetup *s, BuilderKind kind, int64_t batch, const Builder *before) {
  Builder *outer = e->builder;
  Builder *builder = builder_new(e, kind, kind == BUILD_TRAIN ? "train" : "eval", batch, &e->table);
  builder->train = s;
  if (before) {
    builder->phase = before->phase + 1;
    builder->minimized = before->minimized;
  }
  e->builder = builder;
  frame_push(e, s->module, NULL, s->decl->span, "");
  if (!s->decl->step)
    run_settings(e, s);
  else
    run_step(e, s, kind == BUILD_EVAL && s->decl->eval ? s->decl->eval : s->decl->step);
  slot_count(e);
  builder_finish(e, builder);
  frame_pop(e);
  e->builder = outer;
  return builder;
}

// The step after each `unfreeze`. False after an error.
static bool build_phases(Elab *e, TrainSetup *s, TrainBlock *block, const Builder *first) {
  int errors = diag_errors(e->diag);
  const Builder *phase = first;
  for (int i = 0; i < s->thaws.count && errors == diag_errors(e->diag); i++) {
    phase = build(e, s, BUILD_TRAIN, first->graph->batch, phase);
    vec_push(e->arena, &block->phases, (TrainPhase){s->thaws.data[i].epochs, phase->graph});
  }
  return errors == diag_errors(e->diag);
}

static bool same_outputs(Elab *e, const TrainSetup *s, const Graph *train, const Graph *eval) {
  bool same = train->outputs.count == eval->outputs.count;
  for (int i = 0; same && i < train->outputs.count; i++)
    same = !strcmp(train->outputs.data[i].name, eval->outputs.data[i].name);
  if (same)
    return true;
  Text names = text_new(e->arena);
  for (int i = 0; i < train->outputs.count; i++)
    text_printf(&names, "%s%s", i ? ", " : "", train->outputs.data[i].name);
  elab_error(e, s->decl->eval ? s->decl->eval->span : s->decl->span,
             "the evaluation must report what training does, in the same order: %s", text_string(&names));
  return false;
}

bool step_graphs(Elab *e, TrainSetup *s, TrainBlock *block) {
  int errors = diag_errors(e->diag);
  int64_t batch = s->settings.batch;
  if (s->data) {
    const DataFacts *facts = data_facts(e, s->data, batch < 0);
    if (!facts || !facts->known)
      return false;
    if (batch < 0)
      batch = facts->count > 0 ? facts->count : 1;
  } else if (batch < 0) {
    elab_error(e, s->decl->span, "`batch: all` without `data`");
    return false;
  }
  Builder *train = build(e, s, BUILD_TRAIN, batch, NULL);
  if (errors != diag_errors(e->diag))
    return false;
  if (train->graph->outputs.count == 0) {
    if (diag_errors(e->diag)) // which may have taken a statement away
      return false;
    elab_error(e, s->decl->step->span, "this step neither minimizes nor reports anything");
    diag_hint(e->diag, "write `report error: …` to see how it goes");
    return false;
  }
  Builder *eval = build_phases(e, s, block, train) ? build(e, s, BUILD_EVAL, batch, NULL) : NULL;
  if (!eval || errors != diag_errors(e->diag) || !same_outputs(e, s, train->graph, eval->graph))
    return false;
  s->built = train;
  block->train = train->graph;
  block->eval = eval->graph;
  block->higher_is_better = eval->higher.data;
  return true;
}

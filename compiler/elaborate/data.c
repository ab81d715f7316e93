// data NAME = SOURCE(…) |> TRANSFORM(…): calls with constant arguments, handed to the runtime's data room, which knows
// their names and opens the files. Here they are written down, checked, and asked for the shapes of samples.
#include "elaborate/internal.h"

#include "data/data.h"

typedef struct DataCalls {
  VEC(NnrtDataCall) calls;
  VEC(Span) spans; // of calls and arguments, to turn the runtime's places into spans
} DataCalls;

static bool make_arg(Elab *e, const Expr *expr, NnrtArg *arg, DataCalls *out);

static bool arg_from_value(Elab *e, const Value *v, Span span, NnrtArg *arg) {
  switch (v->kind) {
  case V_INT:
    arg->kind = NNRT_ARG_INT;
    arg->integer = v->as.integer;
    arg->real = (double)v->as.integer;
    return true;
  case V_FLOAT:
    arg->kind = NNRT_ARG_REAL;
    arg->real = v->as.real;
    return true;
  case V_BOOL:
    arg->kind = NNRT_ARG_BOOL;
    arg->integer = v->as.integer;
    return true;
  case V_STR:
    arg->kind = NNRT_ARG_STR;
    arg->text = v->as.text;
    return true;
  case V_LIST:
  case V_RANGE: {
    if (value_count(v) > 100000) {
      elab_error(e, span, "this list is too long");
      return false;
    }
    NnrtArg *items = arena_array(e->arena, NnrtArg, value_count(v) + 1);
    for (int i = 0; i < value_count(v); i++) {
      items[i].line = span.line;
      items[i].column = span.column;
      if (!arg_from_value(e, value_item(e, v, i), span, &items[i]))
        return false;
    }
    arg->kind = NNRT_ARG_LIST;
    arg->count = (int)value_count(v);
    arg->items = items;
    return true;
  }
  case V_POISON:
    return false;
  default:
    elab_error(e, span, "%s cannot be an argument of a data set", value_kind(e, v));
    return false;
  }
}

static bool list_arg(Elab *e, const Expr *expr, NnrtArg *arg, DataCalls *out) {
  NnrtArg *items = arena_array(e->arena, NnrtArg, expr->items.count + 1);
  for (int i = 0; i < expr->items.count; i++)
    if (!make_arg(e, expr->items.data[i], &items[i], out))
      return false;
  arg->kind = NNRT_ARG_LIST;
  arg->count = expr->items.count;
  arg->items = items;
  return true;
}

// A name that is no constant is a word: `missing: mean`.
static bool make_arg(Elab *e, const Expr *expr, NnrtArg *arg, DataCalls *out) {
  arg->line = expr->span.line;
  arg->column = expr->span.column;
  vec_push(e->arena, &out->spans, expr->span);
  if (expr->kind == EXPR_LIST)
    return list_arg(e, expr, arg, out);
  if (expr->kind == EXPR_NAME) {
    Global *global = scope_global(e->frame->module, e, expr->name.text);
    if (!global || global->decl->kind != DECL_CONST) {
      arg->kind = NNRT_ARG_STR;
      arg->text = expr->name.text;
      return true;
    }
  }
  if (expr->kind == EXPR_CALL && expr->left->kind == EXPR_NAME && !value_builtin(e, expr->left->name.text) &&
      !scope_global(e->frame->module, e, expr->left->name.text)) {
    elab_error(e, expr->span, "`%s` cannot stand in an argument", expr->left->name.text);
    diag_hint(e->diag, "a source and its transforms are joined by `|>`: csv(\"file.csv\", …) |> split(…)");
    return false;
  }
  return arg_from_value(e, eval_expr(e, expr), expr->span, arg);
}

static bool make_call(Elab *e, const Expr *expr, DataCalls *out) {
  const Expr *callee = expr->kind == EXPR_CALL ? expr->left : expr;
  if (callee->kind != EXPR_NAME) {
    elab_error(e, expr->span, "a data set is a source and transforms: csv(\"file.csv\", …) |> split(…)");
    return false;
  }
  int count = expr->kind == EXPR_CALL ? expr->args.count : 0;
  NnrtArg *args = arena_array(e->arena, NnrtArg, count + 1);
  for (int i = 0; i < count; i++) {
    args[i].name = expr->args.data[i].name.text;
    if (!make_arg(e, expr->args.data[i].value, &args[i], out))
      return false;
  }
  NnrtDataCall call = {callee->name.text, count, args, expr->span.line, expr->span.column};
  vec_push(e->arena, &out->spans, callee->span);
  vec_push(e->arena, &out->calls, call);
  return true;
}

static bool make_calls(Elab *e, const Expr *expr, DataCalls *out) {
  if (expr->kind == EXPR_PIPE)
    return make_calls(e, expr->left, out) && make_call(e, expr->right, out);
  Global *other = expr->kind == EXPR_NAME ? scope_global(e->frame->module, e, expr->name.text) : NULL;
  if (!other || other->decl->kind != DECL_DATA)
    return make_call(e, expr, out);
  if (!data_declare(e, other)) // another data set, taken further
    return false;
  for (int i = 0; i < other->data->call_count; i++)
    vec_push(e->arena, &out->calls, other->data->calls[i]);
  return true;
}

static void data_error(Elab *e, const Global *global, const NnrtError *error) {
  const DataCalls *calls = global->calls;
  Span span = global->decl->value->span;
  if (error->line) {
    span = (Span){span.source, error->line, error->column, error->line, error->column + 1};
    for (int i = 0; i < calls->spans.count; i++)
      if (calls->spans.data[i].line == error->line && calls->spans.data[i].column == error->column)
        span = calls->spans.data[i];
  }
  elab_error(e, span, "%s", error->text);
}

bool data_declare(Elab *e, Global *global) {
  if (global->state == GLOBAL_DONE)
    return global->data != NULL;
  if (global->state == GLOBAL_BUSY) {
    elab_error(e, global->decl->span, "the data set `%s` is made from itself", global->decl->name.text);
    return false;
  }
  global->state = GLOBAL_BUSY;
  DataCalls *calls = global->calls = arena_new_of(e->arena, DataCalls);
  frame_push(e, global->module, NULL, global->decl->span, "");
  bool fine = make_calls(e, global->decl->value, calls);
  frame_pop(e);
  global->state = GLOBAL_DONE;
  if (!fine)
    return false;
  NnrtData *data = arena_new_of(e->arena, NnrtData);
  data->name = global->decl->name.text;
  data->file = global->module->file->source->path;
  data->call_count = calls->calls.count;
  data->calls = calls->calls.data;
  NnrtError error = {0};
  NnrtDataset *set = nnrt_data_open(data, NNRT_DATA_CHECK, &error);
  if (!set) {
    data_error(e, global, &error);
    return false;
  }
  nnrt_data_close(set);
  global->data = data;
  vec_push(e->arena, &e->program->data, data);
  return true;
}

static Type batch_type(const NnrtValue *value) {
  int skip = value->rank > 0 && value->dim[0] == -1;
  Type type = {.elem = (ElemType)value->type, .rank = 1, .dim = {DIM_BATCH}};
  for (int i = skip; i < value->rank && type.rank < MAX_RANK; i++)
    type.dim[type.rank++] = value->dim[i];
  return type;
}

const DataFacts *data_facts(Elab *e, Global *global, bool counts) {
  if (!data_declare(e, global))
    return NULL;
  if (global->facts && (!counts || global->facts->count >= 0))
    return global->facts;
  DataFacts *facts = arena_new_of(e->program->arena, DataFacts);
  facts->count = facts->val_count = -1;
  if (!e->options->data)
    return global->facts = facts;
  NnrtError error = {0};
  NnrtDataset *set = nnrt_data_open(global->data, counts ? NNRT_DATA_FULL : NNRT_DATA_SHAPES, &error);
  if (!set) {
    data_error(e, global, &error);
    global->data = NULL;
    return NULL;
  }
  const NnrtSampleInfo *info = nnrt_data_info(set);
  facts->known = true;
  facts->x = batch_type(&info->x);
  facts->has_y = info->y.rank >= 0;
  if (facts->has_y)
    facts->y = batch_type(&info->y);
  facts->class_count = info->class_count;
  facts->token_count = info->token_count;
  facts->count = info->count[NNRT_PART_TRAIN];
  facts->val_count = info->count[NNRT_PART_VAL];
  nnrt_data_close(set);
  return global->facts = facts;
}

bool data_sample_fits(const Type *batch, const Type *wanted) {
  int have = 1, want = 0;
  if (batch->elem != wanted->elem)
    return false;
  for (;;) {
    while (have < batch->rank && batch->dim[have] == 1)
      have++;
    while (want < wanted->rank && wanted->dim[want] == 1)
      want++;
    if (have == batch->rank || want == wanted->rank)
      return have == batch->rank && want == wanted->rank;
    if (batch->dim[have++] != wanted->dim[want++])
      return false;
  }
}

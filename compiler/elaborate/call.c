// Calls: arguments to formals, and the bodies of layers. A layer is a template: each call has a path of its own,
// model.block_1.dense_0, which names its parameters.
#include "elaborate/internal.h"

void call_arg(Elab *e, CallArgs *args, Value *value, Span span) {
  CallArg arg = {.value = value, .span = span};
  vec_push(e->arena, args, arg);
}

// ---- arguments

// Puts each argument where its formal stands. False after an error.
static bool match_args(Elab *e, const char *callee, int count, const char *const *formals, const CallArgs *args,
                       CallArg *out) {
  int position = 0;
  bool fine = true;
  for (int i = 0; i < args->count; i++) {
    const CallArg *arg = &args->data[i];
    int at = position;
    if (arg->name) {
      for (at = 0; at < count && !same_name(formals[at], arg->name); at++)
        ;
      if (at == count) {
        elab_error(e, arg->name_span, "`%s` has no argument `%s`", callee, arg->name);
        elab_suggest(e, arg->name, formals, count);
        fine = false;
        continue;
      }
    } else if (position++ >= count) {
      int given = 0;
      for (int k = 0; k < args->count; k++)
        given += !args->data[k].name;
      elab_error(e, arg->span, "`%s` takes %d argument%s, but %d are given", callee, count, count == 1 ? "" : "s",
                 given);
      return false;
    }
    if (out[at].value) {
      elab_error(e, arg->span, "argument `%s` of `%s` is given twice", formals[at], callee);
      fine = false;
    }
    out[at] = *arg;
  }
  return fine;
}

static bool any_poison(const CallArgs *args) {
  for (int i = 0; i < args->count; i++)
    if (args->data[i].value->kind == V_POISON)
      return true;
  return false;
}

// The arguments bound by partial stand after the first `skip` positional ones of the call; named ones of the call win.
static CallArgs merge_bound(Elab *e, const Callable *callable, const CallArgs *args) {
  if (!callable->bound.count)
    return *args;
  CallArgs merged = {0};
  int position = 0;
  bool placed = false;
  for (int i = 0; i <= args->count; i++) {
    if (!placed && (i == args->count || (!args->data[i].name && position == callable->skip))) {
      for (int k = 0; k < callable->bound.count; k++)
        if (!callable->bound.data[k].name)
          vec_push(e->arena, &merged, callable->bound.data[k]);
      placed = true;
    }
    if (i < args->count) {
      position += !args->data[i].name;
      vec_push(e->arena, &merged, args->data[i]);
    }
  }
  for (int k = 0; k < callable->bound.count; k++) {
    const CallArg *bound = &callable->bound.data[k];
    bool given = !bound->name;
    for (int i = 0; !given && i < args->count; i++)
      given = args->data[i].name && same_name(args->data[i].name, bound->name);
    if (!given)
      vec_push(e->arena, &merged, *bound);
  }
  return merged;
}

// ---- builtin functions

// Names are copied only where `names` asks for them: most calls name nothing.
static int split_formals(Elab *e, const char *text, const char **names, bool *optional) {
  int count = 0;
  while (*text) {
    size_t length = strcspn(text, " ");
    optional[count] = text[length - 1] == '?';
    if (names)
      names[count] = arena_strndup(e->arena, text, length - (optional[count] ? 1 : 0));
    count++;
    text += length + (text[length] == ' ');
  }
  return count;
}

static bool any_named(const CallArgs *args) {
  for (int i = 0; i < args->count; i++)
    if (args->data[i].name)
      return true;
  return false;
}

static Value *call_builtin(Elab *e, const Builtin *builtin, const CallArgs *args, Span span) {
  const char *names[MAX_BUILTIN_ARGS];
  bool optional[MAX_BUILTIN_ARGS];
  int count = split_formals(e, builtin->formals, any_named(args) ? names : NULL, optional);
  CallArg out[MAX_BUILTIN_ARGS] = {{0}};
  if (!match_args(e, builtin->name, count, names, args, out) || any_poison(args))
    return value_poison(e);
  BuiltinCall call = {.builtin = builtin, .span = span};
  for (int i = 0; i < count; i++) {
    call.args[i] = out[i].value && (out[i].value->kind != V_NONE || !optional[i]) ? out[i].value : NULL;
    call.spans[i] = out[i].value ? out[i].span : span;
    if (!call.args[i] && !optional[i]) {
      split_formals(e, builtin->formals, names, optional);
      return elab_fail(e, span, "`%s` needs an argument `%s`", builtin->name, names[i]);
    }
  }
  return builtin->call(e, &call);
}

// ---- layers

// The next path for a call of `name` in this body: name_0, name_1, …
static const char *next_path(Elab *e, const char *name) {
  Frame *frame = e->frame;
  NameCount *counter = NULL;
  for (int i = 0; i < frame->counters.count && !counter; i++)
    if (same_name(frame->counters.data[i].name, name))
      counter = &frame->counters.data[i];
  if (!counter) {
    vec_push(e->arena, &frame->counters, (NameCount){name, 0});
    counter = &frame->counters.data[frame->counters.count - 1];
  }
  return arena_printf(e->arena, "%s%s%s_%d", frame->path, *frame->path ? "." : "", name, counter->count++);
}

static const char *named_path(Elab *e, const CallArg *arg) {
  Frame *frame = e->frame;
  if (arg->value->kind != V_STR || !*arg->value->as.text || strpbrk(arg->value->as.text, ".* /\\\"")) {
    elab_error(e, arg->span, "`name` must be a string of letters, digits and _");
    return NULL;
  }
  const char *name = arg->value->as.text;
  for (int i = 0; i < frame->names.count; i++)
    if (same_name(frame->names.data[i], name)) {
      elab_error(e, arg->span, "another call here is already named \"%s\"", name);
      return NULL;
    }
  vec_push(e->arena, &frame->names, name);
  return arena_printf(e->arena, "%s%s%s", frame->path, *frame->path ? "." : "", name);
}

// Takes `name: "stem"` out of the arguments, unless the layer has a formal of that name.
static const char *call_path(Elab *e, const Decl *decl, CallArgs *args) {
  for (int i = 0; i < decl->formals.count; i++)
    if (same_name(decl->formals.data[i].name.text, "name"))
      return next_path(e, decl->name.text);
  for (int i = 0; i < args->count; i++)
    if (args->data[i].name && same_name(args->data[i].name, "name")) {
      CallArg arg = args->data[i];
      memmove(args->data + i, args->data + i + 1, sizeof arg * (size_t)(args->count - i - 1));
      args->count--;
      return named_path(e, &arg);
    }
  return next_path(e, decl->name.text);
}

bool call_enter(Elab *e, const Decl *decl, Span span) {
  for (const Frame *frame = e->frame; frame; frame = frame->caller)
    if (frame->decl == decl) {
      elab_error(e, span, "`%s` calls itself", decl->name.text);
      diag_hint(e->diag, "recursion is not possible; a `for` makes copies at compile time");
      return false;
    }
  if (e->calls >= MAX_CALLS) {
    elab_error(e, span, "calls are nested more than %d deep", (int)MAX_CALLS);
    return false;
  }
  return true;
}

static bool is_init_name(const char *name) {
  size_t length = strlen(name);
  return same_name(name, "init") || (length > 5 && same_name(name + length - 5, "_init"));
}

// Whether every formal without a default has an argument.
static bool all_given(Elab *e, const Decl *decl, const CallArg *given, Span span) {
  for (int i = 0; i < decl->formals.count; i++) {
    const Formal *formal = &decl->formals.data[i], *first = &decl->formals.data[0];
    if (given[i].value || formal->standard)
      continue;
    Frame *callee = e->frame;
    e->frame = callee->caller;
    elab_error(e, span, "`%s` needs an argument `%s`", decl->name.text, formal->name.text);
    const Value *number = given[0].value;
    if (first->type && first->type->kind == TYPE_TENSOR && number && (number->kind == V_INT || number->kind == V_FLOAT))
      diag_hint(e->diag, "`%s`, a tensor, comes first: %s |> %s(…)", first->name.text, first->name.text,
                decl->name.text);
    e->frame = callee;
    return false;
  }
  return true;
}

// `none` passes for an argument that is none when it is left out, whatever its type.
static bool is_left_out(const Formal *formal, const Value *given) {
  return given->kind == V_NONE && formal->standard && formal->standard->kind == EXPR_NAME &&
         same_name(formal->standard->name.text, "none");
}

// Given plain values first, then tensors in order (they bind dimensions), then what was left out.
bool call_bind(Elab *e, const Decl *decl, CallArg *given, Span span, bool of_model) {
  bool fine = true;
  if (!all_given(e, decl, given, span))
    return false;
  for (int i = 0; i < decl->formals.count; i++)
    if (given[i].value)
      type_bind_variable(e, decl->formals.data[i].type, given[i].value);
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < decl->formals.count; i++) {
      const Formal *formal = &decl->formals.data[i];
      bool plain = !formal->type || formal->type->kind == TYPE_PLAIN;
      if (!given[i].value || plain != (pass == 0))
        continue;
      bool any = !formal->type || is_left_out(formal, given[i].value);
      Value *v = any ? given[i].value : type_match(e, formal, given[i].value, given[i].span, of_model, decl->name.text);
      fine = fine && v;
      scope_bind(e, formal->name.text, v ? v : value_poison(e));
    }
  for (int i = 0; i < decl->formals.count; i++) {
    const Formal *formal = &decl->formals.data[i];
    if (given[i].value)
      continue;
    Value *v = is_init_name(formal->name.text) ? eval_partial(e, formal->standard, 1) : eval_expr(e, formal->standard);
    if (formal->type && v->kind != V_NONE)
      v = type_match(e, formal, v, formal->standard->span, of_model, decl->name.text);
    fine = fine && v && v->kind != V_POISON;
    scope_bind(e, formal->name.text, v ? v : value_poison(e));
  }
  return fine;
}

bool call_match(Elab *e, const Decl *decl, const CallArgs *args, CallArg *given) {
  const char **names = arena_array(e->arena, const char *, decl->formals.count + 1);
  for (int i = 0; i < decl->formals.count; i++)
    names[i] = decl->formals.data[i].name.text;
  return match_args(e, decl->name.text, decl->formals.count, names, args, given) && !any_poison(args);
}

static Value *run_layer(Elab *e, Global *layer, CallArg *given, Span span) {
  const Decl *decl = layer->decl;
  if (!call_bind(e, decl, given, span, false))
    return value_poison(e);
  int errors = diag_errors(e->diag);
  Value *v = run_body(e, decl->body);
  if (decl->result && v->kind != V_POISON && errors == diag_errors(e->diag))
    v = type_result(e, decl->result, v, decl->result->span, false, decl->name.text);
  if (!v || errors != diag_errors(e->diag))
    return value_poison(e);
  fold_after(e, layer, given, v);
  return v;
}

static bool is_metric(const Decl *decl) {
  for (int i = 0; i < decl->formals.count; i++)
    if (same_name(decl->formals.data[i].name.text, "higher_is_better"))
      return true;
  return false;
}

static Value *call_layer(Elab *e, Global *layer, const CallArgs *args, Span span, const char *path) {
  const Decl *decl = layer->decl;
  CallArgs rest = {0};
  vec_reserve(e->arena, &rest, args->count);
  for (int i = 0; i < args->count; i++)
    vec_push(e->arena, &rest, args->data[i]);
  bool optimizer = path != NULL;
  if (!path)
    path = call_path(e, decl, &rest);
  CallArg *given = arena_array(e->arena, CallArg, decl->formals.count + 1);
  if (!path || !call_match(e, decl, &rest, given) || !call_enter(e, decl, span) || !fold_before(e, layer, given, span))
    return value_poison(e);
  e->calls++;
  Frame *frame = frame_push(e, layer->module, decl, span, path);
  frame->is_optimizer = optimizer || frame->is_optimizer;
  frame->is_metric = is_metric(decl) || frame->is_metric;
  Value *v = run_layer(e, layer, given, span);
  frame_pop(e);
  e->calls--;
  return v;
}

static Value *call_partial(Elab *e, const CallArgs *args, Span span) {
  if (args->count == 0 || args->data[0].name)
    return elab_fail(e, span, "`partial` needs a layer as its first argument");
  Value *base = args->data[0].value;
  if (base->kind == V_POISON)
    return base;
  if (base->kind != V_LAYER)
    return elab_fail(e, args->data[0].span, "`partial` needs a layer, but this is %s", value_kind(e, base));
  CallArgs rest = {0};
  for (int i = 1; i < args->count; i++)
    vec_push(e->arena, &rest, args->data[i]);
  return value_bound(e, base, &rest, 1);
}

Value *value_bound(Elab *e, Value *base, const CallArgs *args, int skip) {
  Callable callable = *base->as.callable;
  callable.bound = merge_bound(e, base->as.callable, args);
  callable.skip = skip;
  return value_callable(e, &callable);
}

static Value *call_with_path(Elab *e, Value *callee, const CallArgs *args, Span span, const char *path) {
  if (callee->kind == V_POISON)
    return callee;
  if (callee->kind == V_MODEL)
    return model_call(e, callee, args, span);
  if (callee->kind != V_LAYER) {
    elab_error(e, span, "%s cannot be called", value_kind(e, callee));
    elab_hint_quotes(e, callee);
    return value_poison(e);
  }
  const Callable *callable = callee->as.callable;
  if (callable->builtin && !callable->builtin->call)
    return call_partial(e, args, span);
  CallArgs merged = merge_bound(e, callable, args);
  return callable->builtin ? call_builtin(e, callable->builtin, &merged, span)
                           : call_layer(e, callable->layer, &merged, span, path);
}

Value *call_value(Elab *e, Value *callee, const CallArgs *args, Span span) {
  return call_with_path(e, callee, args, span, NULL);
}

Value *call_optimizer(Elab *e, Value *callee, const CallArgs *args, Span span, const char *path) {
  return call_with_path(e, callee, args, span, path);
}

// ---- from the tree

static void eval_args(Elab *e, const Expr *call, CallArgs *args) {
  if (!args->room)
    vec_reserve(e->arena, args, call->args.count);
  for (int i = 0; i < call->args.count; i++) {
    const Arg *arg = &call->args.data[i];
    bool init = arg->name.text && is_init_name(arg->name.text);
    CallArg made = {.name = arg->name.text,
                    .name_span = arg->name.span,
                    .value = init ? eval_partial(e, arg->value, 1) : eval_expr(e, arg->value),
                    .span = arg->value->span};
    vec_push(e->arena, args, made);
  }
}

static Value *eval_callee(Elab *e, const Expr *expr) {
  return expr->kind == EXPR_NAME ? eval_name_as(e, expr->name, "layer") : eval_expr(e, expr);
}

Value *eval_call(Elab *e, const Expr *expr, Value *piped, Span piped_span) {
  CallArgs args = {0};
  vec_reserve(e->arena, &args, expr->args.count + 1);
  if (piped)
    call_arg(e, &args, piped, piped_span);
  if (expr->kind != EXPR_CALL && expr->kind != EXPR_NAME && expr->kind != EXPR_FIELD) {
    elab_error(e, expr->span, "only a call can stand after `|>`");
    return value_poison(e);
  }
  Value *callee = eval_callee(e, expr->kind == EXPR_CALL ? expr->left : expr);
  if (expr->kind == EXPR_CALL)
    eval_args(e, expr, &args);
  return call_value(e, callee, &args, expr->span);
}

Value *eval_partial(Elab *e, const Expr *expr, int skip) {
  if (expr->kind != EXPR_CALL)
    return eval_expr(e, expr);
  Value *callee = eval_callee(e, expr->left);
  CallArgs args = {0};
  eval_args(e, expr, &args);
  bool plain = callee->kind == V_LAYER && !(callee->as.callable->builtin && !callee->as.callable->builtin->call);
  // An initialiser called with a shape is an ordinary call.
  bool shaped = skip == 1 && args.count &&
                (args.data[0].name ? same_name(args.data[0].name, "shape") : value_is_list(args.data[0].value));
  if (callee->kind == V_POISON || any_poison(&args))
    return value_poison(e);
  return plain && !shaped ? value_bound(e, callee, &args, skip) : call_value(e, callee, &args, expr->span);
}

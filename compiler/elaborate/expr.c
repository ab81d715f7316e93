// Expressions to values.
#include "elaborate/internal.h"

#include <math.h>

bool value_as_int(Elab *e, Span span, const Value *v, const char *what, int64_t *out) {
  if (v->kind == V_POISON)
    return false;
  if (v->kind == V_INT) {
    *out = v->as.integer;
    return true;
  }
  elab_error(e, span, "%s must be an int, but this is %s", what, value_kind(e, v));
  if (v->kind == V_FLOAT && v->as.real == floor(v->as.real))
    diag_hint(e->diag, "`//` divides whole numbers to a whole number, and int(…) converts");
  else if (v->kind == V_DIM)
    diag_hint(e->diag, "the batch count is known only at run time: count(x)");
  return false;
}

bool eval_int(Elab *e, const Expr *expr, const char *what, int64_t *out) {
  return value_as_int(e, expr->span, eval_expr(e, expr), what, out);
}

bool value_as_shape(Elab *e, Span span, const Value *v, Type *type) {
  if (v->kind == V_POISON)
    return false;
  if (!value_is_list(v)) {
    elab_error(e, span, "a shape is a list such as [2, 3], but this is %s", value_kind(e, v));
    return false;
  }
  if (value_count(v) > MAX_RANK) {
    elab_error(e, span, "a tensor has at most %d dimensions, not %lld", (int)MAX_RANK, (long long)value_count(v));
    return false;
  }
  type->rank = (int)value_count(v);
  for (int i = 0; i < type->rank; i++) {
    const Value *item = value_item(e, v, i);
    int64_t size = 0;
    if (item->kind == V_DIM)
      size = item->as.integer;
    else if (!value_as_int(e, span, item, "a dimension", &size))
      return false;
    else if (size < 1) {
      elab_error(e, span, "a dimension must be at least 1, not %lld", (long long)size);
      return false;
    }
    type->dim[i] = size;
  }
  return tensor_fits(e, span, type);
}

bool value_as_axis(Elab *e, Span span, const Value *v, int rank, int *axis) {
  int64_t number;
  if (!value_as_int(e, span, v, "an axis", &number))
    return false;
  if (number < -rank || number >= rank) {
    elab_error(e, span, "axis %lld of a tensor with %d dimension%s", (long long)number, rank, rank == 1 ? "" : "s");
    return false;
  }
  *axis = (int)(number < 0 ? number + rank : number);
  return true;
}

// ---- names

static Value *special_name(Elab *e, Name name) {
  static const char *const clocks[] = {"step", "epoch", NULL, "last_step"};
  for (int i = 0; i < 4; i++)
    if (clocks[i] && same_name(name.text, clocks[i]))
      return value_weak(e, tensor_cast(e, name.span, tensor_clock(e, name.span, i), F64));
  if (same_name(name.text, "training"))
    return value_bool(e, e->builder->training && !call_frozen(e));
  if (same_name(name.text, "none"))
    return value_none(e);
  if (same_name(name.text, "pi"))
    return value_float(e, 3.14159265358979323846);
  if (same_name(name.text, "inf"))
    return value_float(e, INFINITY);
  return NULL;
}

static Value *global_value(Elab *e, Global *global, Span span) {
  switch (global->decl->kind) {
  case DECL_CONST:
    return const_value(e, global, span);
  case DECL_LAYER:
    return value_layer(e, global);
  case DECL_MODEL:
    return value_model(e, global, global->decl->name.text);
  default:
    return value_data(e, global);
  }
}

static void unknown_name_hint(Elab *e, const char *name) {
  static const char *const hints[][2] = {{"np", "the functions of the language need no module: exp(x)"},
                                         {"torch", "the functions of the language need no module: exp(x)"},
                                         {"nn", "layers need no module: x |> dense(64)"},
                                         {"tf", "layers need no module: x |> dense(64)"},
                                         {"keras", "layers need no module: x |> dense(64)"},
                                         {"layers", "layers need no module: x |> dense(64)"},
                                         {"F", "layers need no module: x |> relu"},
                                         {"pass", "an empty block is written `{ }`"},
                                         {"print", "`report name: x` in a step shows a value"},
                                         {"f16", "the element types are f32, f64, i32, i64, u8 and bool"},
                                         {"bf16", "bf16 is not built yet; use f32"}};
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    if (same_name(name, hints[i][0])) {
      diag_hint(e->diag, "%s", hints[i][1]);
      return;
    }
  scope_suggest(e, name, false);
}

Value *eval_name(Elab *e, Name name) {
  return eval_name_as(e, name, "name");
}

Value *eval_name_as(Elab *e, Name name, const char *what) {
  const Binding *binding = scope_find(e->frame, name.text);
  if (binding)
    return binding->slot ? value_tensor(e, slot_read(e, name.span, binding->slot)) : binding->value;
  Global *global = scope_global(e->frame->module, e, name.text);
  if (global)
    return global_value(e, global, name.span);
  Value *special = special_name(e, name);
  if (special)
    return special;
  Value *builtin = value_builtin(e, name.text);
  if (builtin)
    return builtin;
  ElemType elem;
  if (elem_parse(name.text, &elem))
    return value_type(e, elem);
  if (builtin_later(name.text)) {
    elab_not_built(e, name.span, arena_printf(e->arena, "`%s`", name.text));
    return value_poison(e);
  }
  if ((e->frame->broken && same_name(what, "name")) || e->frame->module->broken)
    return value_poison(e);
  elab_error(e, name.span, "unknown %s `%s`", what, name.text);
  unknown_name_hint(e, name.text);
  return value_poison(e);
}

// ---- compounds

static Value *eval_list(Elab *e, const Expr *expr, ValueKind kind) {
  VEC(Value *) items = {0};
  bool poison = false;
  for (int i = 0; i < expr->items.count; i++) {
    const Expr *item = expr->items.data[i];
    if (item->kind != EXPR_ELLIPSIS) {
      Value *v = eval_expr(e, item);
      poison = poison || v->kind == V_POISON;
      vec_push(e->arena, &items, v);
    } else if (!e->frame->has_dots) {
      elab_error(e, item->span, "`...` stands for nothing here");
      diag_hint(e->diag, "`...` is the list of leading dimensions of a layer whose types say `...`");
      poison = true;
    } else {
      for (int k = 0; k < e->frame->dot_count; k++)
        vec_push(e->arena, &items, value_dim(e, e->frame->dots[k]));
    }
  }
  if (poison)
    return value_poison(e);
  Value *list = value_list(e, kind, items.count, items.data);
  if (list->as.list.depth > MAX_NESTING)
    return elab_fail(e, expr->span, "lists are nested more than %d deep", (int)MAX_NESTING);
  return list;
}

static Value *eval_range(Elab *e, const Expr *expr) {
  int64_t first, last, count;
  if (!eval_int(e, expr->left, "the start of a range", &first) ||
      !eval_int(e, expr->right, "the end of a range", &last))
    return value_poison(e);
  if (__builtin_sub_overflow(last, first, &count))
    return elab_fail(e, expr->span, "this range is too long");
  return value_range(e, first, 1, count < 0 ? 0 : count);
}

static Value *eval_field(Elab *e, const Expr *expr) {
  Value *left = eval_expr(e, expr->left);
  if (left->kind == V_POISON)
    return left;
  if (left->kind == V_MODEL)
    return model_field(e, left, expr->name, expr->span);
  elab_error(e, expr->span, "%s has no parts, so `.%s` means nothing", value_kind(e, left), expr->name.text);
  const char *function = same_name(expr->name.text, "T") ? "transpose" : expr->name.text;
  if (left->kind == V_TENSOR && (scope_global(e->frame->module, e, function) || value_builtin(e, function)))
    diag_hint(e->diag, "write %s(x), or x |> %s", function, function);
  return value_poison(e);
}

// `and` and `or` look at their right side only where it matters.
static Value *eval_logic(Elab *e, const Expr *expr) {
  Value *left = eval_expr(e, expr->left);
  if (left->kind == V_BOOL && (left->as.integer != 0) == (expr->op == OPER_OR))
    return left;
  return eval_binary(e, expr->op, left, eval_expr(e, expr->right), expr->span, expr->left->span, expr->right->span);
}

static Value *eval_operation(Elab *e, const Expr *expr) {
  if (expr->op == OPER_AND || expr->op == OPER_OR)
    return eval_logic(e, expr);
  Value *left = eval_expr(e, expr->left), *right = eval_expr(e, expr->right);
  return eval_binary(e, expr->op, left, right, expr->span, expr->left->span, expr->right->span);
}

Value *eval_if(Elab *e, const Expr *expr, bool want_value) {
  Value *condition = eval_expr(e, expr->left);
  if (condition->kind == V_POISON)
    return condition;
  if (condition->kind != V_BOOL) {
    elab_error(e, expr->left->span, "the condition of `if` must be a bool known at compile time, but this is %s",
               value_kind(e, condition));
    if (condition->kind == V_TENSOR)
      diag_hint(e->diag, "where(condition, a, b) chooses element by element at run time");
    return value_poison(e);
  }
  if (want_value && !expr->else_block)
    return elab_fail(e, expr->span, "an `if` without `else` has no value, but one is needed here");
  const Block *block = condition->as.integer ? expr->then_block : expr->else_block;
  if (!block)
    return value_nothing(e);
  scope_push(e);
  Value *v = run_block(e, block, want_value);
  scope_pop(e);
  return v;
}

static Value *eval_pipe(Elab *e, const Expr *expr) {
  Value *piped = eval_expr(e, expr->left);
  return eval_call(e, expr->right, piped, expr->left->span);
}

static Value *eval_inner(Elab *e, const Expr *expr) {
  switch (expr->kind) {
  case EXPR_INT:
    return value_int(e, expr->integer);
  case EXPR_FLOAT:
    return value_float(e, expr->real);
  case EXPR_BOOL:
    return value_bool(e, expr->integer != 0);
  case EXPR_STR:
    return value_str(e, expr->name.text);
  case EXPR_NAME:
    return eval_name(e, expr->name);
  case EXPR_LIST:
    return eval_list(e, expr, V_LIST);
  case EXPR_TUPLE:
    return eval_list(e, expr, V_TUPLE);
  case EXPR_UNARY:
    return eval_unary(e, expr->op, eval_expr(e, expr->left), expr->span);
  case EXPR_BINARY:
    return eval_operation(e, expr);
  case EXPR_CALL:
    return eval_call(e, expr, NULL, expr->span);
  case EXPR_PIPE:
    return eval_pipe(e, expr);
  case EXPR_INDEX:
    return eval_index(e, expr);
  case EXPR_FIELD:
    return eval_field(e, expr);
  case EXPR_RANGE:
    return eval_range(e, expr);
  case EXPR_IF:
    return eval_if(e, expr, true);
  case EXPR_SCAN:
    return eval_scan(e, expr, false);
  case EXPR_WHILE:
    elab_not_built(e, expr->span, "`while`");
    return value_poison(e);
  case EXPR_MAP:
    elab_not_built(e, expr->span, "a list of patterns");
    return value_poison(e);
  case EXPR_SLICE:
    return elab_fail(e, expr->span, "a slice stands only between square brackets after a value");
  case EXPR_ELLIPSIS:
    return elab_fail(e, expr->span, "`...` stands only in shapes, types and slices");
  case EXPR_ERROR:
    break;
  }
  return value_poison(e);
}

Value *eval_any(Elab *e, const Expr *expr) {
  if (!expr)
    return value_poison(e);
  if (e->depth >= MAX_DEPTH) {
    if (!e->too_deep)
      elab_error(e, expr->span, "expressions and calls are nested too deeply");
    e->too_deep = true;
    return value_poison(e);
  }
  e->depth++;
  Value *v = eval_inner(e, expr);
  e->depth--;
  return v;
}

Value *eval_expr(Elab *e, const Expr *expr) {
  Value *v = eval_any(e, expr);
  if (v->kind != V_NONE || v->as.integer)
    return v;
  elab_error(e, expr->span, "this has no value, but one is needed here");
  diag_hint(e->diag, "the value of a body is its last expression");
  return value_poison(e);
}

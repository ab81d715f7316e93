// Types in signatures: checking arguments against them, binding the names of dimensions, and evaluating those that are
// known. A dimension's name is bound by the first argument that has it; used again, it must agree. An element type that
// is a single capital letter (T) is bound in the same way. `...` is one list of leading dimensions in a whole layer.
#include "elaborate/internal.h"

#include <stdarg.h>

static bool is_variable(const char *name) {
  return name[0] >= 'A' && name[0] <= 'Z' && !name[1];
}

const char *type_expr_text(Elab *e, const TypeExpr *type) {
  Text text = text_new(e->arena);
  type_expr_print(&text, type);
  return text_string(&text);
}

// ---- known types

static bool eval_elem(Elab *e, const TypeExpr *type, ElemType *elem) {
  const Binding *bound = scope_find(e->frame, type->name.text);
  if (bound && bound->value && bound->value->kind == V_TYPE) {
    *elem = (ElemType)bound->value->as.integer;
    return true;
  }
  if (elem_parse(type->name.text, elem))
    return true;
  if (same_name(type->name.text, "bf16")) {
    elab_not_built(e, type->name.span, "the element type bf16");
    return false;
  }
  elab_error(e, type->name.span, "unknown element type `%s`", type->name.text);
  diag_hint(e->diag, "the element types are f32, f64, i32, i64, u8 and bool");
  return false;
}

static bool add_dim(Elab *e, Span span, Type *type, Dim dim) {
  if (type->rank == MAX_RANK) {
    elab_error(e, span, "a tensor has at most %d dimensions", (int)MAX_RANK);
    return false;
  }
  type->dim[type->rank++] = dim;
  return true;
}

static bool eval_dim(Elab *e, const Expr *expr, Dim *dim) {
  Value *v = eval_expr(e, expr);
  if (v->kind == V_POISON)
    return false;
  if (v->kind == V_DIM) {
    *dim = v->as.integer;
    return true;
  }
  if (!value_as_int(e, expr->span, v, "a dimension", dim))
    return false;
  if (*dim < 1) {
    elab_error(e, expr->span, "a dimension must be at least 1, not %lld", (long long)*dim);
    return false;
  }
  return true;
}

bool type_eval(Elab *e, const TypeExpr *type, Type *out) {
  if (type->kind != TYPE_TENSOR) {
    elab_error(e, type->span, "a tensor's type is needed here, such as f32[2, 3]");
    diag_hint(e->diag, "f32[] is the type of a scalar");
    return false;
  }
  *out = (Type){0};
  if (!eval_elem(e, type, &out->elem))
    return false;
  for (int i = 0; i < type->dims.count; i++) {
    const Expr *expr = type->dims.data[i];
    Dim dim;
    if (expr->kind == EXPR_ELLIPSIS) {
      if (!e->frame->has_dots) {
        elab_error(e, expr->span, "`...` stands for nothing here");
        return false;
      }
      for (int k = 0; k < e->frame->dot_count; k++)
        if (!add_dim(e, expr->span, out, e->frame->dots[k]))
          return false;
    } else if (!eval_dim(e, expr, &dim) || !add_dim(e, expr->span, out, dim)) {
      return false;
    }
  }
  return tensor_fits(e, type->span, out);
}

// ---- matching

typedef struct Match {
  const char *formal, *callee; // formal: NULL for the result of a body, to which errors belong then, not to its caller
  Span span;                   // of the argument
  bool of_model;               // types leave the batch out
} Match;

static const char *what(Elab *e, const Match *m) {
  return m->formal ? arena_printf(e->arena, "`%s` of `%s`", m->formal, m->callee)
                   : arena_printf(e->arena, "the result of `%s`", m->callee);
}

static void match_error(Elab *e, const Match *m, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void match_error(Elab *e, const Match *m, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(e->arena, format, args);
  va_end(args);
  Frame *callee = e->frame;
  if (m->formal && callee->caller)
    e->frame = callee->caller;
  elab_error(e, m->span, "%s", text);
  e->frame = callee;
}

static void mismatch(Elab *e, const Match *m, const TypeExpr *type, const Type *found, const char *why) {
  Type shown = *found;
  if (m->of_model && shown.rank) {
    shown.rank--;
    memmove(shown.dim, shown.dim + 1, sizeof *shown.dim * (size_t)shown.rank);
  }
  if (!m->formal)
    match_error(e, m, "%s is declared as %s, but is %s", what(e, m), type_expr_text(e, type),
                type_text(e->arena, &shown));
  else
    match_error(e, m, "%s must be %s, but is %s", what(e, m), type_expr_text(e, type), type_text(e->arena, &shown));
  if (why)
    diag_hint(e->diag, "%s", why);
}

// Whether a name stands for whatever comes: it is not bound yet, and, in a result, is no constant either.
static bool is_open(Elab *e, const Match *m, const Expr *expr) {
  if (expr->kind != EXPR_NAME || m->of_model || scope_find(e->frame, expr->name.text))
    return false;
  const Global *global = !m->formal ? scope_global(e->frame->module, e, expr->name.text) : NULL;
  return !global || global->decl->kind != DECL_CONST;
}

// One dimension against its expression. A name that is not bound yet is bound.
static bool match_dim(Elab *e, const Match *m, const TypeExpr *type, const Expr *expr, Dim dim, const Type *found) {
  if (is_open(e, m, expr)) {
    scope_bind(e, expr->name.text, value_dim(e, dim));
    return true;
  }
  Dim wanted;
  if (!eval_dim(e, expr, &wanted))
    return false;
  if (wanted == dim)
    return true;
  const char *why = NULL;
  if (expr->kind != EXPR_INT) {
    Text text = text_new(e->arena);
    expr_print(&text, expr);
    why = arena_printf(e->arena, "`%s` is %s here", text_string(&text), value_text(e, value_dim(e, wanted)));
  }
  mismatch(e, m, type, found, why);
  return false;
}

static bool match_dots(Elab *e, const Match *m, const TypeExpr *type, const Type *found, int start, int count) {
  Frame *frame = e->frame;
  if (!frame->has_dots) {
    frame->has_dots = true;
    frame->dot_count = count;
    for (int i = 0; i < count; i++)
      frame->dots[i] = found->dim[start + i];
    return true;
  }
  bool same = frame->dot_count == count;
  for (int i = 0; same && i < count; i++)
    same = frame->dots[i] == found->dim[start + i];
  if (same)
    return true;
  Type dots = {.elem = found->elem, .rank = frame->dot_count};
  memcpy(dots.dim, frame->dots, sizeof dots.dim);
  const char *text = strchr(type_text(e->arena, &dots), '[');
  mismatch(e, m, type, found, arena_printf(e->arena, "`...` is %s here", text ? text : "[]"));
  return false;
}

static bool match_shape(Elab *e, const Match *m, const TypeExpr *type, const Type *found) {
  int lead = m->of_model ? 1 : 0, count = type->dims.count, dots = -1;
  for (int i = 0; i < count; i++)
    if (type->dims.data[i]->kind == EXPR_ELLIPSIS) {
      if (dots >= 0 || m->of_model) {
        elab_error(e, type->dims.data[i]->span,
                   m->of_model ? "a model's types leave the batch out, and have no `...`"
                               : "`...` may stand once in a type");
        return false;
      }
      dots = i;
    }
  int extra = found->rank - lead - (count - (dots >= 0 ? 1 : 0));
  if (extra < 0 || (dots < 0 && extra > 0)) {
    const char *why = NULL;
    if (m->of_model && !m->formal)
      why = extra > 0 && count ? "flatten makes one dimension of all but the batch" : NULL;
    else if (m->of_model)
      why = extra < 0 && found->rank == count ? "a model takes a batch: the batch is the first dimension"
                                              : "the batch, its first dimension, is left out here";
    else if (extra > 0 && count && m->formal)
      why = arena_printf(e->arena, "write %s[..., %s: `...` stands for the leading dimensions, the batch among them",
                         type->name.text, strchr(type_expr_text(e, type), '[') + 1);
    mismatch(e, m, type, found, why);
    return false;
  }
  if (lead && !match_dots(e, m, type, found, 0, 1))
    return false;
  for (int i = 0, at = lead; i < count; i++) {
    if (i == dots) {
      if (!match_dots(e, m, type, found, at, extra))
        return false;
      at += extra;
    } else if (!match_dim(e, m, type, type->dims.data[i], found->dim[at++], found)) {
      return false;
    }
  }
  return true;
}

static Value *match_tensor(Elab *e, const Match *m, const TypeExpr *type, Value *value) {
  ElemType elem;
  bool open = is_variable(type->name.text) && !scope_find(e->frame, type->name.text);
  if (!open && !eval_elem(e, type, &elem))
    return NULL;
  if (value->kind == V_STR || value->kind >= V_LAYER || value->kind == V_TUPLE || value->kind == V_TYPE ||
      value->kind == V_NONE) {
    match_error(e, m, "%s must be %s, but is %s", what(e, m), type_expr_text(e, type), value_kind(e, value));
    return NULL;
  }
  Node *node = tensor_of(e, m->span, value, open ? NULL : &elem);
  if (!node)
    return NULL;
  if (open)
    scope_bind(e, type->name.text, value_type(e, node->type.elem));
  else if (node->type.elem != elem) {
    const char *why = arena_printf(e->arena, "there is no silent conversion: write cast(…, %s)", elem_name(elem));
    mismatch(e, m, type, &node->type, why);
    return NULL;
  }
  if (!match_shape(e, m, type, &node->type))
    return NULL;
  return value->kind == V_TENSOR && value->as.node == node && !value->weak ? value : value_tensor(e, node);
}

static Value *match_plain(Elab *e, const Match *m, const TypeExpr *type, Value *value) {
  const char *name = type->name.text;
  bool fits;
  if (same_name(name, "int"))
    fits = value->kind == V_INT;
  else if (same_name(name, "float")) {
    if (value->kind == V_INT)
      return value_float(e, (double)value->as.integer);
    fits = value->kind == V_FLOAT;
  } else if (same_name(name, "bool"))
    fits = value->kind == V_BOOL;
  else if (same_name(name, "str"))
    fits = value->kind == V_STR;
  else if (same_name(name, "list"))
    fits = value_is_list(value);
  else if (same_name(name, "layer"))
    fits = value->kind == V_LAYER || value->kind == V_MODEL;
  else if (same_name(name, "model"))
    fits = value->kind == V_MODEL;
  else if (same_name(name, "type"))
    fits = value->kind == V_TYPE;
  else {
    static const char *const known[] = {"int", "float", "bool", "str", "list", "layer", "model", "type"};
    ElemType elem;
    elab_error(e, type->span, "unknown type `%s`", name);
    if (elem_parse(name, &elem))
      diag_hint(e->diag, "%s[] is the type of a scalar, %s[...] of any tensor", name, name);
    else
      elab_suggest(e, name, known, (int)(sizeof known / sizeof *known));
    return NULL;
  }
  if (fits)
    return value;
  match_error(e, m, "%s must be %s %s, but is %s", what(e, m), name[0] == 'i' ? "an" : "a", name, value_kind(e, value));
  if (same_name(name, "int") && value->kind == V_FLOAT)
    diag_hint(e->diag, "`//` divides whole numbers to a whole number, and int(…) converts");
  return NULL;
}

static Value *match(Elab *e, const Match *m, const TypeExpr *type, Value *value) {
  if (value->kind == V_POISON)
    return NULL;
  if (type->kind == TYPE_PLAIN)
    return match_plain(e, m, type, value);
  if (type->kind == TYPE_TENSOR)
    return match_tensor(e, m, type, value);
  bool tuple = type->kind == TYPE_TUPLE;
  if (tuple ? value->kind != V_TUPLE : !value_is_list(value)) {
    match_error(e, m, "%s must be %s, but is %s", what(e, m), type_expr_text(e, type), value_kind(e, value));
    return NULL;
  }
  if (tuple && value_count(value) != type->items.count) {
    match_error(e, m, "%s must have %d values, but has %lld", what(e, m), type->items.count,
                (long long)value_count(value));
    return NULL;
  }
  if (value_count(value) > MAX_ITEMS) {
    match_error(e, m, "%s is a list of more than %d items", what(e, m), (int)MAX_ITEMS);
    return NULL;
  }
  VEC(Value *) items = {0};
  for (int i = 0; i < value_count(value); i++) {
    Value *item = match(e, m, tuple ? type->items.data[i] : type->item, value_item(e, value, i));
    if (!item)
      return NULL;
    vec_push(e->arena, &items, item);
  }
  return value_list(e, tuple ? V_TUPLE : V_LIST, items.count, items.data);
}

Value *type_match(Elab *e, const Formal *formal, Value *value, Span span, bool of_model, const char *callee) {
  Match m = {.formal = formal->name.text, .callee = callee, .span = span, .of_model = of_model};
  return match(e, &m, formal->type, value);
}

void type_bind_variable(Elab *e, const TypeExpr *type, const Value *value) {
  if (type && type->kind == TYPE_TENSOR && is_variable(type->name.text) && value->kind == V_TENSOR && !value->weak &&
      !scope_find(e->frame, type->name.text))
    scope_bind(e, type->name.text, value_type(e, value->as.node->type.elem));
}

Value *type_result(Elab *e, const TypeExpr *type, Value *value, Span span, bool of_model, const char *callee) {
  Match m = {.callee = callee, .span = span, .of_model = of_model};
  if (value->kind == V_NONE && !value->as.integer) {
    elab_error(e, span, "%s is declared as %s, but its body has no value", what(e, &m), type_expr_text(e, type));
    diag_hint(e->diag, "the value of a body is its last expression");
    return NULL;
  }
  return match(e, &m, type, value);
}

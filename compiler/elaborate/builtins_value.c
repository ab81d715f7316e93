// Builtin functions of compile-time values: shapes, counts, lists, conversions, models' parameters.
#include "elaborate/internal.h"

#include <math.h>

static Value *call_shape(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  if (!x)
    return value_poison(e);
  Value *dims[MAX_RANK];
  for (int i = 0; i < x->type.rank; i++)
    dims[i] = value_dim(e, x->type.dim[i]);
  return value_list(e, V_LIST, x->type.rank, dims);
}

static Value *call_rank(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  return x ? value_int(e, x->type.rank) : value_poison(e);
}

static Value *call_type(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  return x ? value_type(e, x->type.elem) : value_poison(e);
}

// The number of samples: a run-time number where the first dimension is the batch.
static Value *call_count(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  if (!x)
    return value_poison(e);
  if (x->type.rank == 0)
    return elab_fail(e, c->spans[0], "a scalar has no samples to count");
  Dim dim = x->type.dim[0];
  if (dim >= 0)
    return value_int(e, dim);
  Node *n = tensor_cast(e, c->span, tensor_clock(e, c->span, 4), F64);
  if (dim != DIM_BATCH)
    n = tensor_binary(e, c->span, OP_mul, n, tensor_scalar(e, c->span, F64, (double)-dim));
  return value_weak(e, n);
}

static Value *call_size(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  if (!x)
    return value_poison(e);
  int64_t size = 1;
  for (int i = 0; i < x->type.rank; i++) {
    if (x->type.dim[i] < 0) {
      elab_error(e, c->spans[0], "the size of %s depends on the batch", type_text(e->arena, &x->type));
      diag_hint(e->diag, "count(x) is the number of samples at run time");
      return value_poison(e);
    }
    size *= x->type.dim[i];
  }
  return value_int(e, size);
}

static Value *call_len(Elab *e, const BuiltinCall *c) {
  const Value *v = c->args[0];
  if (value_is_list(v) || v->kind == V_TUPLE)
    return value_int(e, value_count(v));
  if (v->kind == V_STR)
    return value_int(e, (int64_t)strlen(v->as.text));
  return elab_fail(e, c->spans[0], "`len` needs a list, a tuple or a string, but this is %s", value_kind(e, v));
}

static Value *call_range(Elab *e, const BuiltinCall *c) {
  int64_t first = 0, last = 0, step = 1, distance;
  if (!value_as_int(e, c->spans[0], c->args[0], "a bound of `range`", c->args[1] ? &first : &last) ||
      (c->args[1] && !value_as_int(e, c->spans[1], c->args[1], "a bound of `range`", &last)) ||
      (c->args[2] && !value_as_int(e, c->spans[2], c->args[2], "the step of `range`", &step)))
    return value_poison(e);
  if (step == 0)
    return elab_fail(e, c->spans[2], "the step of `range` must not be 0");
  if (__builtin_sub_overflow(last, first, &distance) || step == INT64_MIN || distance == INT64_MIN)
    return elab_fail(e, c->span, "this range is too long");
  if (step < 0) {
    distance = -distance;
    step = -step;
    return value_range(e, first, -step, distance > 0 ? (distance - 1) / step + 1 : 0);
  }
  return value_range(e, first, step, distance > 0 ? (distance - 1) / step + 1 : 0);
}

// ---- conversions

static Value *call_int(Elab *e, const BuiltinCall *c) {
  const Value *v = c->args[0];
  if (v->kind == V_INT || v->kind == V_BOOL)
    return value_int(e, v->as.integer);
  if (v->kind == V_FLOAT) {
    double whole = trunc(v->as.real);
    if (!(fabs(whole) < 0x1p63))
      return elab_fail(e, c->spans[0], "%s does not fit in an int", value_text(e, v));
    return value_int(e, (int64_t)whole);
  }
  elab_error(e, c->spans[0], "`int` needs a number known at compile time, but this is %s", value_kind(e, v));
  if (v->kind == V_TENSOR)
    diag_hint(e->diag, "cast(x, i64) converts a tensor");
  return value_poison(e);
}

static Value *call_float(Elab *e, const BuiltinCall *c) {
  const Value *v = c->args[0];
  if (value_is_number(v) || v->kind == V_BOOL)
    return value_float(e, value_real(v));
  elab_error(e, c->spans[0], "`float` needs a number known at compile time, but this is %s", value_kind(e, v));
  if (v->kind == V_TENSOR)
    diag_hint(e->diag, "cast(x, f32) converts a tensor");
  return value_poison(e);
}

static Value *call_str(Elab *e, const BuiltinCall *c) {
  return c->args[0]->kind == V_STR ? c->args[0] : value_str(e, value_text(e, c->args[0]));
}

static Value *call_bool(Elab *e, const BuiltinCall *c) {
  const Value *v = c->args[0];
  if (value_is_number(v) || v->kind == V_BOOL)
    return value_bool(e, v->kind == V_FLOAT ? v->as.real != 0 : v->as.integer != 0);
  return elab_fail(e, c->spans[0], "`bool` needs a number known at compile time, but this is %s", value_kind(e, v));
}

// error("…"): a layer's own complaint about what it was given.
static Value *call_error(Elab *e, const BuiltinCall *c) {
  if (c->args[0]->kind != V_STR)
    return elab_fail(e, c->spans[0], "`error` needs a string, but this is %s", value_kind(e, c->args[0]));
  Frame *frame = e->frame;
  Span span = c->span;
  if (frame->decl && frame->caller) {
    span = frame->call;
    e->frame = frame->caller;
  }
  elab_error(e, span, "%s", c->args[0]->as.text);
  e->frame = frame;
  if (frame->decl)
    frame->returned = value_poison(e);
  return value_poison(e);
}

// ---- models

// The model that is the argument, with its path; NULL after an error.
static const Value *model_argument(Elab *e, const BuiltinCall *c) {
  const Value *v = c->args[0];
  if (v->kind == V_MODEL)
    return v;
  elab_error(e, c->spans[0], "`%s` needs a model, but this is %s", c->builtin->name, value_kind(e, v));
  return NULL;
}

// parameters(m) and states(m): how many numbers are trained, and how many are kept beside them.
static Value *call_slot_size(Elab *e, const BuiltinCall *c) {
  const Value *v = model_argument(e, c);
  const ModelSize *size = v ? model_size(e, v->as.model.global) : NULL;
  if (!size)
    return value_poison(e);
  int64_t count = 0;
  for (int i = 0; i < size->slots.count; i++)
    if (size->slots.data[i].kind == (SlotKind)c->builtin->op && path_within(size->slots.data[i].name, v->as.model.path))
      count += size->slots.data[i].count;
  return value_int(e, count);
}

// multiply_adds(m): of one sample through the whole model.
static Value *call_multiply_adds(Elab *e, const BuiltinCall *c) {
  const Value *v = model_argument(e, c);
  if (!v)
    return value_poison(e);
  if (strcmp(v->as.model.path, v->as.model.global->decl->name.text) != 0)
    return elab_fail(e, c->spans[0], "`multiply_adds` needs a whole model, but `%s` is a part of one",
                     v->as.model.path);
  const ModelSize *size = model_size(e, v->as.model.global);
  return size ? value_int(e, size->multiply_adds) : value_poison(e);
}

static Value *call_weights(Elab *e, const BuiltinCall *c) {
  const Value *v = model_argument(e, c);
  if (!v || !model_ensure(e, v->as.model.global, c->span))
    return value_poison(e);
  const SlotTable *table = e->builder->table;
  VEC(Value *) items = {0};
  for (int i = 0; i < table->slots.count; i++)
    if (table->slots.data[i]->kind == SLOT_PARAM && path_within(table->slots.data[i]->name, v->as.model.path))
      vec_push(e->arena, &items, value_tensor(e, slot_read(e, c->span, table->slots.data[i])));
  return value_list(e, V_LIST, items.count, items.data);
}

const Builtin builtins_value[] = {
    {"shape", "x", call_shape, 0},
    {"rank", "x", call_rank, 0},
    {"type", "x", call_type, 0},
    {"count", "x", call_count, 0},
    {"size", "x", call_size, 0},
    {"len", "x", call_len, 0},
    {"range", "first last? step?", call_range, 0},
    {"int", "x", call_int, 0},
    {"float", "x", call_float, 0},
    {"str", "x", call_str, 0},
    {"bool", "x", call_bool, 0},
    {"error", "message", call_error, 0},
    {"parameters", "model", call_slot_size, SLOT_PARAM},
    {"states", "model", call_slot_size, SLOT_STATE},
    {"multiply_adds", "model", call_multiply_adds, 0},
    {"weights", "model", call_weights, 0},
    {"partial", "layer", NULL, 0},
};
const int builtins_value_count = (int)(sizeof builtins_value / sizeof *builtins_value);

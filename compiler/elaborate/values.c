// Compile-time values: making them, comparing them, saying them in messages.
#include "elaborate/internal.h"

static Value *value_in(Arena *arena, ValueKind kind) {
  Value *v = arena_new_of(arena, Value);
  v->kind = kind;
  return v;
}

static Value *value_new(Elab *e, ValueKind kind) {
  return value_in(e->arena, kind);
}

static Value *value_whole(Arena *arena, ValueKind kind, int64_t integer) {
  Value *v = value_in(arena, kind);
  v->as.integer = integer;
  return v;
}

// Values never change, so that one of each of the common ones is enough.
static Value *value_common(Elab *e, Value **place, ValueKind kind, int64_t integer) {
  if (!*place)
    *place = value_whole(e->program->arena, kind, integer);
  return *place;
}

Value *value_poison(Elab *e) {
  return value_common(e, &e->common.poison, V_POISON, 0);
}
Value *value_none(Elab *e) {
  return value_common(e, &e->common.none, V_NONE, 1);
}
Value *value_nothing(Elab *e) {
  return value_common(e, &e->common.nothing, V_NONE, 0);
}
Value *value_bool(Elab *e, bool truth) {
  return value_common(e, &e->common.truth[truth], V_BOOL, truth);
}
Value *value_type(Elab *e, ElemType elem) {
  return value_common(e, &e->common.elem[elem], V_TYPE, (int64_t)elem);
}

Value *value_int(Elab *e, int64_t integer) {
  if (integer >= 0 && integer < COMMON_INTS)
    return value_common(e, &e->common.integer[integer], V_INT, integer);
  return value_whole(e->arena, V_INT, integer);
}

Value *value_dim(Elab *e, Dim dim) {
  return dim < 0 ? value_whole(e->arena, V_DIM, dim) : value_int(e, dim);
}

bool value_elem(const Value *value, ElemType *elem) {
  const Builtin *builtin = value->kind == V_LAYER ? value->as.callable->builtin : NULL;
  bool is_bool = builtin && strcmp(builtin->name, "bool") == 0;
  if (value->kind != V_TYPE && !is_bool)
    return false;
  *elem = is_bool ? BOOL : (ElemType)value->as.integer;
  return true;
}

Value *value_float(Elab *e, double real) {
  Value *v = value_new(e, V_FLOAT);
  v->as.real = real;
  return v;
}

Value *value_str(Elab *e, const char *text) {
  Value *v = value_new(e, V_STR);
  v->as.text = text;
  return v;
}

Value *value_tensor(Elab *e, Node *node) {
  if (!node)
    return value_poison(e);
  Value *v = value_new(e, V_TENSOR);
  v->as.node = node;
  return v;
}

Value *value_weak(Elab *e, Node *node) {
  Value *v = value_tensor(e, node);
  v->weak = v->kind == V_TENSOR;
  return v;
}

Value *value_list(Elab *e, ValueKind kind, int count, Value *const *items) {
  Value *v = value_new(e, kind);
  v->as.list.count = count;
  v->as.list.items = arena_array(e->arena, Value *, count ? count : 1);
  for (int i = 0; i < count; i++) {
    v->as.list.items[i] = items[i];
    bool nested = items[i]->kind == V_LIST || items[i]->kind == V_TUPLE;
    if (nested && items[i]->as.list.depth >= v->as.list.depth)
      v->as.list.depth = items[i]->as.list.depth + 1;
  }
  return v;
}

Value *value_range(Elab *e, int64_t start, int64_t step, int64_t count) {
  Value *v = value_new(e, V_RANGE);
  v->as.range.start = start;
  v->as.range.step = step;
  v->as.range.count = count;
  return v;
}

static Value *callable_in(Arena *arena, const Callable *callable) {
  Value *v = value_in(arena, V_LAYER);
  v->as.callable = arena_copy(arena, callable, sizeof *callable);
  return v;
}

Value *value_callable(Elab *e, const Callable *callable) {
  return callable_in(e->arena, callable);
}

Value *value_builtin(Elab *e, const char *name) {
  Arena *lasting = e->program->arena;
  if (!e->builtins.names.count) {
    const Builtin *list;
    int count;
    for (int family = 0; (list = builtin_list(family, &count)); family++)
      for (int i = 0; i < count; i++) {
        *names_at(lasting, &e->builtins.names, list[i].name) = e->builtins.values.count;
        vec_push(lasting, &e->builtins.values, callable_in(lasting, &(Callable){.builtin = &list[i]}));
      }
  }
  const int *number = names_find(&e->builtins.names, name);
  return number ? e->builtins.values.data[*number] : NULL;
}

Value *value_layer(Elab *e, Global *layer) {
  if (!layer->value)
    layer->value = callable_in(e->program->arena, &(Callable){.layer = layer});
  return layer->value;
}

Value *value_data(Elab *e, Global *data) {
  Value *v = value_new(e, V_DATA);
  v->as.data = data;
  return v;
}

Value *value_model(Elab *e, Global *model, const char *path) {
  Value *v = value_new(e, V_MODEL);
  v->as.model.global = model;
  v->as.model.path = path;
  return v;
}

int64_t value_count(const Value *v) {
  return v->kind == V_RANGE ? v->as.range.count : v->as.list.count;
}

Value *value_item(Elab *e, const Value *v, int64_t index) {
  if (v->kind == V_RANGE)
    return value_int(e, v->as.range.start + index * v->as.range.step);
  return v->as.list.items[index];
}

bool value_equal(Elab *e, const Value *a, const Value *b) {
  if (value_is_number(a) && value_is_number(b))
    return a->kind == V_INT && b->kind == V_INT ? a->as.integer == b->as.integer : value_real(a) == value_real(b);
  ElemType a_elem, b_elem;
  if (value_elem(a, &a_elem) && value_elem(b, &b_elem)) // `bool` is a function too
    return a_elem == b_elem;
  bool lists = value_is_list(a) && value_is_list(b);
  if (a->kind != b->kind && !lists)
    return false;
  if (lists || a->kind == V_TUPLE) {
    if (value_count(a) != value_count(b))
      return false;
    for (int64_t i = 0; i < value_count(a); i++)
      if (!value_equal(e, value_item(e, a, i), value_item(e, b, i)))
        return false;
    return true;
  }
  switch (a->kind) {
  case V_NONE:
    return true;
  case V_BOOL:
  case V_DIM:
    return a->as.integer == b->as.integer;
  case V_STR:
    return !strcmp(a->as.text, b->as.text);
  case V_TENSOR:
    return a->as.node == b->as.node;
  case V_LAYER:
    return a->as.callable->layer == b->as.callable->layer && a->as.callable->builtin == b->as.callable->builtin;
  case V_MODEL:
    return !strcmp(a->as.model.path, b->as.model.path);
  case V_DATA:
    return a->as.data == b->as.data;
  default:
    return false;
  }
}

const char *callable_name(const Value *v) {
  if (v->kind == V_MODEL)
    return v->as.model.path;
  if (v->kind != V_LAYER)
    return "?";
  return v->as.callable->layer ? v->as.callable->layer->decl->name.text : v->as.callable->builtin->name;
}

static void print_value(Elab *e, Text *out, const Value *v, int depth) {
  switch (v->kind) {
  case V_POISON:
    text_add(out, "?");
    break;
  case V_NONE:
    text_add(out, "none");
    break;
  case V_INT:
    text_printf(out, "%lld", (long long)v->as.integer);
    break;
  case V_FLOAT:
    text_double(out, v->as.real);
    break;
  case V_BOOL:
    text_add(out, v->as.integer ? "true" : "false");
    break;
  case V_STR:
    text_printf(out, "\"%.200s\"", v->as.text);
    break;
  case V_DIM:
    if (v->as.integer != DIM_BATCH)
      text_printf(out, "%lld", (long long)-v->as.integer);
    text_add(out, "n");
    break;
  case V_TYPE:
    text_add(out, elem_name((ElemType)v->as.integer));
    break;
  case V_TENSOR:
    type_print(out, &v->as.node->type);
    break;
  case V_LAYER:
  case V_MODEL:
    text_add(out, callable_name(v));
    break;
  case V_DATA:
    text_add(out, v->as.data->decl->name.text);
    break;
  case V_LIST:
  case V_TUPLE:
  case V_RANGE:
    text_add(out, v->kind == V_TUPLE ? "(" : "[");
    for (int64_t i = 0; i < value_count(v); i++) {
      if (i == 16 || depth == 8) {
        text_add(out, i ? ", …" : "…");
        break;
      }
      text_add(out, i ? ", " : "");
      print_value(e, out, value_item(e, v, i), depth + 1);
    }
    text_add(out, v->kind == V_TUPLE ? ")" : "]");
  }
}

const char *value_text(Elab *e, const Value *v) {
  Text text = text_new(e->arena);
  print_value(e, &text, v, 0);
  return text_string(&text);
}

const char *value_kind(Elab *e, const Value *v) {
  const char *text = value_text(e, v);
  switch (v->kind) {
  case V_INT:
    return arena_printf(e->arena, "the int %s", text);
  case V_FLOAT:
    return arena_printf(e->arena, "the float %s", text);
  case V_BOOL:
    return arena_printf(e->arena, "the bool %s", text);
  case V_STR:
    return arena_printf(e->arena, "the string %s", text);
  case V_DIM:
    return arena_printf(e->arena, "the batch count %s", text);
  case V_TYPE:
    return arena_printf(e->arena, "the element type %s", text);
  case V_LIST:
  case V_RANGE:
    return arena_printf(e->arena, "the list %s", text);
  case V_TUPLE:
    return arena_printf(e->arena, "the tuple %s", text);
  case V_TENSOR:
    return arena_printf(e->arena, "a tensor %s", text);
  case V_LAYER:
    return arena_printf(e->arena, "the layer `%s`", text);
  case V_MODEL:
    return arena_printf(e->arena, "the model `%s`", text);
  case V_DATA:
    return arena_printf(e->arena, "the data set `%s`", text);
  default:
    return v->as.integer ? "none" : "nothing";
  }
}

// Builtin functions that make tensors or move their elements: constants, draws, reshape, transpose, concat, split, pad,
// take … Sizes are checked here, what an operation itself can say is left to its shape rule.
#include "elaborate/internal.h"

static Value *weak_if(Value *v, bool weak) {
  v->weak = v->kind == V_TENSOR && weak;
  return v;
}

static Node *tensor_arg(Elab *e, const BuiltinCall *c, int at) {
  return tensor_of(e, c->spans[at], c->args[at], NULL);
}

static bool elem_arg(Elab *e, const BuiltinCall *c, int at, ElemType standard, ElemType *elem) {
  *elem = standard;
  if (!c->args[at])
    return true;
  if (value_elem(c->args[at], elem))
    return true;
  elab_error(e, c->spans[at], "`type` is an element type such as f32, but this is %s", value_kind(e, c->args[at]));
  return false;
}

// zeros(shape), ones(shape), full(shape, value). Without a type they take that of what they meet.
static Value *fill(Elab *e, const BuiltinCall *c, int type_at, const Value *value) {
  Type type = {0};
  if (!value_as_shape(e, c->spans[0], c->args[0], &type) || !elem_arg(e, c, type_at, F32, &type.elem))
    return value_poison(e);
  Node *scalar = tensor_of(e, c->span, value, value->kind == V_TENSOR && !value->weak ? NULL : &type.elem);
  if (!scalar)
    return value_poison(e);
  if (scalar->type.rank)
    return elab_fail(e, c->span, "`full` needs a scalar, but this is %s", type_text(e->arena, &scalar->type));
  tensor_stamp(e, c->span);
  Node *node = graph_broadcast(e->builder->graph, scalar, &type);
  return weak_if(value_tensor(e, node), !c->args[type_at] && value->kind != V_TENSOR);
}

static Value *call_fill(Elab *e, const BuiltinCall *c) {
  ElemType elem;
  if (!elem_arg(e, c, 1, F32, &elem))
    return value_poison(e);
  return fill(e, c, 1, elem == BOOL ? value_bool(e, c->builtin->op != 0) : value_int(e, c->builtin->op));
}

static Value *call_full(Elab *e, const BuiltinCall *c) {
  return fill(e, c, 2, c->args[1]);
}

Value *builtin_random(Elab *e, Span span, Type type) {
  Node *clocks[] = {tensor_clock(e, span, 2), tensor_clock(e, span, 0)};
  Attr attr = {.integer = slot_stream(e)};
  return value_tensor(e, tensor_op(e, span, OP_random, 2, clocks, &attr, &type));
}

// random(shape): uniform in [0, 1)
static Value *call_random(Elab *e, const BuiltinCall *c) {
  Type type = {0};
  if (!value_as_shape(e, c->spans[0], c->args[0], &type) || !elem_arg(e, c, 1, F32, &type.elem))
    return value_poison(e);
  return builtin_random(e, c->span, type);
}

static Value *call_arange(Elab *e, const BuiltinCall *c) {
  Type type = {.elem = I64, .rank = 1};
  if (!value_as_shape(e, c->spans[0], value_list(e, V_LIST, 1, c->args), &type))
    return value_poison(e);
  type.elem = I64;
  tensor_stamp(e, c->span);
  return value_tensor(e, graph_iota(e->builder->graph, type, 0));
}

static Value *call_iota(Elab *e, const BuiltinCall *c) {
  Type type = {0};
  int axis = 0;
  if (!value_as_shape(e, c->spans[0], c->args[0], &type))
    return value_poison(e);
  if (type.rank == 0)
    return elab_fail(e, c->spans[0], "`iota` needs a shape with dimensions");
  if (c->args[1] && !value_as_axis(e, c->spans[1], c->args[1], type.rank, &axis))
    return value_poison(e);
  type.elem = I64;
  tensor_stamp(e, c->span);
  return value_tensor(e, graph_iota(e->builder->graph, type, axis));
}

static Value *call_broadcast(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_arg(e, c, 0);
  Type type = {0};
  if (!x || !value_as_shape(e, c->spans[1], c->args[1], &type))
    return value_poison(e);
  type.elem = x->type.elem;
  return weak_if(value_tensor(e, tensor_op(e, c->span, OP_broadcast, 1, &x, NULL, &type)), c->args[0]->weak);
}

// A dimension of -1 takes what is left. Elements are counted as coefficient times a power of the batch count.
static bool fill_wildcard(Elab *e, Span span, const Type *from, Type *to, int wildcard) {
  int64_t have = 1, want = 1;
  int have_batches = 0, want_batches = 0;
  for (int i = 0; i < from->rank; i++) {
    have *= from->dim[i] < 0 ? -from->dim[i] : from->dim[i];
    have_batches += from->dim[i] < 0;
  }
  for (int i = 0; i < to->rank; i++)
    if (i != wildcard) {
      if (__builtin_mul_overflow(want, to->dim[i] < 0 ? -to->dim[i] : to->dim[i], &want))
        want = -1;
      want_batches += to->dim[i] < 0;
    }
  int batches = have_batches - want_batches;
  if (want < 1 || have % want || batches < 0 || batches > 1) {
    elab_error(e, span, "no size for -1 makes %s from %s", "this shape", type_text(e->arena, from));
    return false;
  }
  to->dim[wildcard] = batches ? -(have / want) : have / want;
  return true;
}

static Value *call_reshape(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_arg(e, c, 0);
  Value *shape = c->args[1];
  if (!x)
    return value_poison(e);
  int wildcard = -1;
  if (value_is_list(shape) && value_count(shape) <= MAX_RANK) {
    Value *items[MAX_RANK];
    for (int i = 0; i < value_count(shape); i++) {
      items[i] = value_item(e, shape, i);
      if (items[i]->kind == V_INT && items[i]->as.integer == -1) {
        if (wildcard >= 0)
          return elab_fail(e, c->spans[1], "-1 may stand once in a shape");
        wildcard = i;
        items[i] = value_int(e, 1);
      }
    }
    if (wildcard >= 0)
      shape = value_list(e, V_LIST, (int)value_count(shape), items);
  }
  Type type = {0};
  if (!value_as_shape(e, c->spans[1], shape, &type) ||
      (wildcard >= 0 && !fill_wildcard(e, c->spans[1], &x->type, &type, wildcard)))
    return value_poison(e);
  type.elem = x->type.elem;
  return weak_if(value_tensor(e, tensor_op(e, c->span, OP_reshape, 1, &x, NULL, &type)), c->args[0]->weak);
}

// Without axes the last two dimensions change places.
static Value *call_transpose(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_arg(e, c, 0);
  if (!x)
    return value_poison(e);
  int rank = x->type.rank;
  Attr attr = {.axis_count = rank};
  for (int i = 0; i < rank; i++)
    attr.axis[i] = i;
  if (!c->args[1]) {
    if (rank < 2)
      return elab_fail(e, c->spans[0], "`transpose` needs two dimensions or more, but this is %s",
                       type_text(e->arena, &x->type));
    attr.axis[rank - 2] = rank - 1;
    attr.axis[rank - 1] = rank - 2;
  } else {
    if (!value_is_list(c->args[1]) || value_count(c->args[1]) != rank)
      return elab_fail(e, c->spans[1], "`axes` must be a list of %d axes, but this is %s", rank,
                       value_kind(e, c->args[1]));
    for (int i = 0; i < rank; i++)
      if (!value_as_axis(e, c->spans[1], value_item(e, c->args[1], i), rank, &attr.axis[i]))
        return value_poison(e);
  }
  return value_tensor(e, tensor_op(e, c->span, OP_transpose, 1, &x, &attr, NULL));
}

// ---- joining and cutting

static Value *join(Elab *e, const BuiltinCall *c, bool stack) {
  Value *list = c->args[0];
  if ((list->kind != V_LIST && list->kind != V_TUPLE) || list->as.list.count == 0)
    return elab_fail(e, c->spans[0], "`%s` needs a list of tensors, but this is %s", c->builtin->name,
                     value_kind(e, list));
  int count = list->as.list.count, axis = 0;
  Node **parts = arena_array(e->arena, Node *, count);
  bool weak;
  if (!tensor_unify(e, c->spans[0], count, list->as.list.items, parts, &weak))
    return value_poison(e);
  int rank = parts[0]->type.rank + (stack ? 1 : 0);
  if (rank == 0)
    return elab_fail(e, c->spans[0], "scalars are joined by `stack`");
  if (rank > MAX_RANK)
    return elab_fail(e, c->span, "a tensor has at most %d dimensions", (int)MAX_RANK);
  axis = stack ? 0 : rank - 1;
  if (c->args[1] && !value_as_axis(e, c->spans[1], c->args[1], rank, &axis))
    return value_poison(e);
  for (int i = 0; stack && i < count; i++) {
    Type type = {.elem = parts[i]->type.elem, .rank = rank};
    if (parts[i]->type.rank != rank - 1)
      return elab_fail(e, c->spans[0], "`stack` needs tensors of one shape, not %s and %s",
                       type_text(e->arena, &parts[0]->type), type_text(e->arena, &parts[i]->type));
    for (int k = 0; k < rank; k++)
      type.dim[k] = k == axis ? 1 : parts[i]->type.dim[k < axis ? k : k - 1];
    parts[i] = tensor_op(e, c->span, OP_reshape, 1, &parts[i], NULL, &type);
  }
  Attr attr = {.axis_count = 1, .axis = {axis}};
  return weak_if(value_tensor(e, tensor_op(e, c->span, OP_concat, count, parts, &attr, NULL)), weak);
}

static Value *call_concat(Elab *e, const BuiltinCall *c) {
  return join(e, c, false);
}
static Value *call_stack(Elab *e, const BuiltinCall *c) {
  return join(e, c, true);
}

static bool split_sizes(Elab *e, const BuiltinCall *c, Dim dim, int *count, int64_t *sizes, int most) {
  const Value *parts = c->args[1];
  int64_t number, total = 0;
  if (value_is_list(parts)) {
    if (value_count(parts) > most || value_count(parts) == 0) {
      elab_error(e, c->spans[1], "`split` into %lld parts", (long long)value_count(parts));
      return false;
    }
    *count = (int)value_count(parts);
    for (int i = 0; i < *count; i++) {
      if (!value_as_int(e, c->spans[1], value_item(e, parts, i), "a size", &sizes[i]))
        return false;
      if (sizes[i] < 1 || sizes[i] > dim - total) {
        elab_error(e, c->spans[1], "sizes %s do not make up a dimension of %lld", value_text(e, parts), (long long)dim);
        return false;
      }
      total += sizes[i];
    }
    if (total == dim)
      return true;
    elab_error(e, c->spans[1], "sizes %s do not make up a dimension of %lld", value_text(e, parts), (long long)dim);
    return false;
  }
  if (!value_as_int(e, c->spans[1], parts, "the number of parts", &number))
    return false;
  if (number < 1 || number > most || dim % number) {
    elab_error(e, c->spans[1], "a dimension of %lld cannot be split into %lld equal parts", (long long)dim,
               (long long)number);
    return false;
  }
  *count = (int)number;
  for (int i = 0; i < *count; i++)
    sizes[i] = dim / number;
  return true;
}

static Value *call_split(Elab *e, const BuiltinCall *c) {
  enum { MOST = 4096 };
  Node *x = tensor_arg(e, c, 0);
  if (!x)
    return value_poison(e);
  int axis = x->type.rank - 1, count;
  if (x->type.rank == 0)
    return elab_fail(e, c->spans[0], "a scalar cannot be split");
  if (c->args[2] && !value_as_axis(e, c->spans[2], c->args[2], x->type.rank, &axis))
    return value_poison(e);
  if (x->type.dim[axis] < 0)
    return elab_fail(e, c->spans[0], "the batch cannot be split: its size is known only at run time");
  int64_t *sizes = arena_array(e->arena, int64_t, MOST);
  if (!split_sizes(e, c, x->type.dim[axis], &count, sizes, MOST))
    return value_poison(e);
  Value **parts = arena_array(e->arena, Value *, count);
  Attr attr = {0};
  for (int i = 0; i < x->type.rank; i++)
    attr.step[i] = 1;
  for (int i = 0; i < count; i++) {
    Type type = x->type;
    type.dim[axis] = sizes[i];
    parts[i] = value_tensor(e, tensor_op(e, c->span, OP_slice, 1, &x, &attr, &type));
    attr.start[axis] += sizes[i];
  }
  return value_list(e, V_TUPLE, count, parts);
}

// pad(x, [[before, after], …], fill: 0): one pair for each dimension, or one number for both sides.
static Value *call_pad(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_arg(e, c, 0);
  const Value *amounts = c->args[1];
  if (!x)
    return value_poison(e);
  if (!value_is_list(amounts) || value_count(amounts) != x->type.rank)
    return elab_fail(e, c->spans[1], "`pad` of %s needs a list of %d pairs, but this is %s",
                     type_text(e->arena, &x->type), x->type.rank, value_kind(e, amounts));
  Attr attr = {0};
  Type type = x->type;
  for (int i = 0; i < x->type.rank; i++) {
    const Value *pair = value_item(e, amounts, i);
    int64_t before, after;
    bool both = value_is_list(pair) && value_count(pair) == 2;
    if (!value_as_int(e, c->spans[1], both ? value_item(e, pair, 0) : pair, "an amount", &before) ||
        !value_as_int(e, c->spans[1], both ? value_item(e, pair, 1) : pair, "an amount", &after))
      return value_poison(e);
    if (before < 0 || after < 0 || before > MAX_ELEMENTS || after > MAX_ELEMENTS)
      return elab_fail(e, c->spans[1], "amounts of padding must not be negative");
    if (type.dim[i] < 0 && (before || after))
      return elab_fail(e, c->spans[1], "the batch cannot be padded: its size is known only at run time");
    attr.start[i] = before;
    type.dim[i] += type.dim[i] < 0 ? 0 : before + after;
  }
  if (c->args[2]) {
    if (!value_is_number(c->args[2]))
      return elab_fail(e, c->spans[2], "`fill` must be a number, but this is %s", value_kind(e, c->args[2]));
    attr.real = value_real(c->args[2]);
    attr.integer = c->args[2]->kind == V_INT ? c->args[2]->as.integer : 0;
  }
  if (elem_is_real(type.elem))
    attr.integer = 0;
  else
    attr.real = 0;
  return value_tensor(e, tensor_op(e, c->span, OP_pad, 1, &x, &attr, &type));
}

static Value *call_reverse(Elab *e, const BuiltinCall *c) {
  if (value_is_list(c->args[0])) {
    const Value *list = c->args[0];
    if (value_count(list) > MAX_ITEMS)
      return elab_fail(e, c->spans[0], "a list of more than %d items", (int)MAX_ITEMS);
    int count = (int)value_count(list);
    Value **items = arena_array(e->arena, Value *, count + 1);
    for (int i = 0; i < count; i++)
      items[i] = value_item(e, list, count - 1 - i);
    return value_list(e, V_LIST, count, items);
  }
  Node *x = tensor_arg(e, c, 0);
  if (!x)
    return value_poison(e);
  int axis = x->type.rank - 1;
  if (x->type.rank == 0)
    return elab_fail(e, c->spans[0], "a scalar cannot be reversed");
  if (c->args[1] && !value_as_axis(e, c->spans[1], c->args[1], x->type.rank, &axis))
    return value_poison(e);
  Attr attr = {.axis_count = 1, .axis = {axis}};
  return value_tensor(e, tensor_op(e, c->span, OP_reverse, 1, &x, &attr, NULL));
}

// ---- indices

static Node *index_arg(Elab *e, const BuiltinCall *c, int at) {
  static const ElemType wanted = I64;
  Node *indices = tensor_of(e, c->spans[at], c->args[at], &wanted);
  if (!indices || indices->type.elem == I64 || indices->type.elem == I32)
    return indices;
  if (indices->type.elem == U8)
    return tensor_cast(e, c->spans[at], indices, I32);
  elab_error(e, c->spans[at], "indices must be whole numbers, but these are %s", type_text(e->arena, &indices->type));
  diag_hint(e->diag, "write cast(…, i64)");
  return NULL;
}

// Tokens and classes that the data has more of than there are places.
static bool check_numbers(Elab *e, const BuiltinCall *c, const Node *numbers, Dim places) {
  const Fact *fact = fact_behind(e->builder, FACT_CLASSES, numbers);
  if (!fact || places < 0 || fact->count <= places)
    return true;
  elab_error(e, c->span, "the data has %lld different numbers here, but there are places for %lld",
             (long long)fact->count, (long long)places);
  diag_hint(e->diag, "make it %lld, or give the data a `vocabulary`", (long long)fact->count);
  return false;
}

static Value *call_take(Elab *e, const BuiltinCall *c) {
  Node *inputs[] = {tensor_arg(e, c, 0), index_arg(e, c, 1)};
  if (!inputs[0] || !inputs[1])
    return value_poison(e);
  int axis = 0;
  if (inputs[0]->type.rank == 0)
    return elab_fail(e, c->spans[0], "a scalar has no elements to take");
  if (c->args[2] && !value_as_axis(e, c->spans[2], c->args[2], inputs[0]->type.rank, &axis))
    return value_poison(e);
  if (!check_numbers(e, c, inputs[1], inputs[0]->type.dim[axis]))
    return value_poison(e);
  Attr attr = {.axis_count = 1, .axis = {axis}};
  return value_tensor(e, tensor_op(e, c->span, OP_gather, 2, inputs, &attr, NULL));
}

static Value *call_scatter(Elab *e, const BuiltinCall *c) {
  Node *inputs[] = {tensor_arg(e, c, 0), index_arg(e, c, 1), NULL};
  if (!inputs[0] || !inputs[1])
    return value_poison(e);
  inputs[2] = tensor_of(e, c->spans[2], c->args[2], &inputs[0]->type.elem);
  int axis = 0;
  if (inputs[0]->type.rank == 0)
    return elab_fail(e, c->spans[0], "a scalar has no elements to add to");
  if (c->args[3] && !value_as_axis(e, c->spans[3], c->args[3], inputs[0]->type.rank, &axis))
    return value_poison(e);
  Attr attr = {.axis_count = 1, .axis = {axis}};
  return value_tensor(e, tensor_op(e, c->span, OP_scatter_add, 3, inputs, &attr, NULL));
}

static Value *call_one_hot(Elab *e, const BuiltinCall *c) {
  Node *x = index_arg(e, c, 0);
  int64_t classes;
  ElemType elem;
  if (!x || !value_as_int(e, c->spans[1], c->args[1], "the number of classes", &classes) ||
      !elem_arg(e, c, 2, F32, &elem))
    return value_poison(e);
  if (classes < 1 || x->type.rank == MAX_RANK)
    return elab_fail(e, c->spans[1], "`one_hot` of %s into %lld classes", type_text(e->arena, &x->type),
                     (long long)classes);
  if (!check_numbers(e, c, x, classes))
    return value_poison(e);
  Type column = x->type, line = {.elem = I64, .rank = 1, .dim = {classes}};
  column.dim[column.rank++] = 1;
  if (!tensor_fits(e, c->span, &line))
    return value_poison(e);
  Node *wide = tensor_cast(e, c->span, x, I64);
  if (wide)
    column.elem = I64;
  Node *spread = wide ? tensor_op(e, c->span, OP_reshape, 1, &wide, NULL, &column) : NULL;
  tensor_stamp(e, c->span);
  Node *hit = tensor_binary(e, c->span, OP_eq, spread, graph_iota(e->builder->graph, line, 0));
  return value_tensor(e, tensor_cast(e, c->span, hit, elem));
}

const Builtin builtins_shape[] = {
    {"zeros", "shape type?", call_fill, 0},
    {"ones", "shape type?", call_fill, 1},
    {"full", "shape value type?", call_full, 0},
    {"random", "shape type?", call_random, 0},
    {"arange", "count", call_arange, 0},
    {"iota", "shape axis?", call_iota, 0},
    {"broadcast", "x shape", call_broadcast, 0},
    {"reshape", "x shape", call_reshape, 0},
    {"transpose", "x axes?", call_transpose, 0},
    {"concat", "parts axis?", call_concat, 0},
    {"stack", "parts axis?", call_stack, 0},
    {"split", "x parts axis?", call_split, 0},
    {"pad", "x amounts fill?", call_pad, 0},
    {"reverse", "x axis?", call_reverse, 0},
    {"take", "x indices axis?", call_take, 0},
    {"gather", "x indices axis?", call_take, 0},
    {"scatter_add", "base indices updates axis?", call_scatter, 0},
    {"one_hot", "x classes type?", call_one_hot, 0},
};
const int builtins_shape_count = (int)(sizeof builtins_shape / sizeof *builtins_shape);

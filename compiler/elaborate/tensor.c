// From values to nodes. Every node passes through tensor_op, which asks the operation's shape rule first, so that a
// wrong program ends in a message and never in a broken graph.
#include "elaborate/internal.h"

void tensor_stamp(Elab *e, Span span) {
  e->builder->graph->span = elab_user_span(e, span);
  e->builder->graph->scope = e->frame ? e->frame->path : "";
}

bool tensor_here(Elab *e, const Node *node) {
  const Graph *graph = e->builder->graph;
  return node->id >= 0 && node->id < graph->nodes.count && graph->nodes.data[node->id] == node;
}

// Values that a scan took into its body have no place any more.
static void not_here(Elab *e, Span span, const Node *node) {
  if (node->id < 0) {
    elab_error(e, span, "this value belongs to the steps of a scan, and there is one in each");
    diag_hint(e->diag, "carry it to have the last one (`with y = …`), or yield it to have them all");
    return;
  }
  elab_error(e, span, "this value is known only while the model runs, and cannot be used here");
  diag_hint(e->diag, "initial values are computed before any input is seen");
}

bool tensor_fits(Elab *e, Span span, const Type *type) {
  int64_t batch = e->builder->graph->batch > 0 ? e->builder->graph->batch : 1, elements = 1;
  for (int i = 0; i < type->rank; i++) {
    int64_t size;
    if (__builtin_mul_overflow(type->dim[i] < 0 ? -type->dim[i] : type->dim[i], type->dim[i] < 0 ? batch : 1, &size) ||
        __builtin_mul_overflow(elements, size, &elements) || elements > MAX_ELEMENTS) {
      elab_error(e, span, "a tensor %s is too large", type_text(e->arena, type));
      diag_hint(e->diag, "a tensor may have up to 2^40 elements");
      return false;
    }
    if (size == 0) {
      elab_error(e, span, "a dimension of size 0 in %s", type_text(e->arena, type));
      return false;
    }
  }
  return true;
}

Node *tensor_op(Elab *e, Span span, Op op, int count, Node *const *inputs, const Attr *attr, const Type *wanted) {
  Graph *graph = e->builder->graph;
  for (int i = 0; i < count; i++) {
    if (!inputs[i])
      return NULL;
    if (!tensor_here(e, inputs[i])) {
      not_here(e, span, inputs[i]);
      return NULL;
    }
  }
  if (graph->nodes.count >= MAX_NODES) {
    if (!e->builder->full)
      elab_error(e, span, "the program is too large: more than %d operations", (int)MAX_NODES);
    e->builder->full = true;
    return NULL;
  }
  static const Attr no_attr;
  Type result;
  const char *wrong = graph_check(e->arena, op, count, inputs, attr ? attr : &no_attr, wanted, &result);
  if (wrong) {
    elab_error(e, span, "%s", wrong);
    return NULL;
  }
  if (!tensor_fits(e, span, &result))
    return NULL;
  tensor_stamp(e, span);
  return graph_node(graph, op, count, inputs, attr ? attr : &no_attr, wanted);
}

Node *tensor_unary(Elab *e, Span span, Op op, Node *x) {
  return tensor_op(e, span, op, 1, &x, NULL, NULL);
}

Node *tensor_binary(Elab *e, Span span, Op op, Node *a, Node *b) {
  if (!a || !b)
    return NULL;
  Type shape;
  if (!type_broadcast(&a->type, &b->type, &shape)) {
    elab_error(e, span, "shapes %s and %s do not match", type_text(e->arena, &a->type), type_text(e->arena, &b->type));
    diag_hint(e->diag,
              "dimensions are compared from the last one backwards; each pair must be equal, or one of them 1");
    return NULL;
  }
  Node *inputs[] = {a, b};
  if (!tensor_fits(e, span, &shape))
    return NULL;
  if (tensor_here(e, a) && tensor_here(e, b)) {
    tensor_stamp(e, span);
    inputs[0] = graph_broadcast(e->builder->graph, a, &shape);
    inputs[1] = graph_broadcast(e->builder->graph, b, &shape);
  }
  return tensor_op(e, span, op, 2, inputs, NULL, NULL);
}

Node *tensor_cast(Elab *e, Span span, Node *x, ElemType elem) {
  if (!x || x->type.elem == elem)
    return x;
  Type wanted = x->type;
  wanted.elem = elem;
  return tensor_op(e, span, OP_cast, 1, &x, NULL, &wanted);
}

Node *tensor_scalar(Elab *e, Span span, ElemType elem, double value) {
  tensor_stamp(e, span);
  return graph_constant(e->builder->graph, type_scalar(elem), value);
}

Node *tensor_clock(Elab *e, Span span, int index) {
  if (index == 0 && (e->init_slot || e->builder->has_step)) {
    Attr attr = {.integer = e->init_slot ? 0 : e->builder->step};
    Type wanted = type_scalar(I64);
    return tensor_op(e, span, OP_constant, 0, NULL, &attr, &wanted);
  }
  if (index == 0 && e->builder->thawed)
    return slot_read(e, span, slot_counter(e, e->builder->thawed));
  if (!e->builder->clocks[index]) {
    tensor_stamp(e, span);
    e->builder->clocks[index] = graph_clock(e->builder->graph, index);
  }
  return e->builder->clocks[index];
}

// ---- constants from literals and lists

static bool number_fits(Elab *e, Span span, const Value *v, ElemType elem) {
  if (elem == BOOL ? v->kind != V_BOOL : v->kind == V_BOOL) {
    elab_error(e, span, "%s does not fit a tensor of %s", value_kind(e, v), elem_name(elem));
    return false;
  }
  if (elem_is_real(elem) || elem == BOOL)
    return true;
  if (v->kind == V_FLOAT) {
    elab_error(e, span, "%s is not a whole number, and does not fit a tensor of %s", value_kind(e, v), elem_name(elem));
    diag_hint(e->diag, "cast the tensor first: cast(x, f32)");
    return false;
  }
  int64_t low = elem == I32 ? INT32_MIN : elem == U8 ? 0 : INT64_MIN;
  int64_t high = elem == I32 ? INT32_MAX : elem == U8 ? UINT8_MAX : INT64_MAX;
  if (v->as.integer < low || v->as.integer > high) {
    elab_error(e, span, "%s is out of the range of %s", value_kind(e, v), elem_name(elem));
    return false;
  }
  return true;
}

static void store_number(const Value *v, ElemType elem, void *data, int64_t index) {
  switch (elem) {
  case F32:
    ((float *)data)[index] = (float)value_real(v);
    break;
  case F64:
    ((double *)data)[index] = value_real(v);
    break;
  case I32:
    ((int32_t *)data)[index] = (int32_t)v->as.integer;
    break;
  case I64:
    ((int64_t *)data)[index] = v->as.integer;
    break;
  case U8:
    ((uint8_t *)data)[index] = (uint8_t)v->as.integer;
    break;
  default:
    ((uint8_t *)data)[index] = v->as.integer != 0;
  }
}

static bool is_literal(const Value *v) {
  return value_is_number(v) || v->kind == V_BOOL;
}

// The shape of nested lists, from their first items.
static bool list_shape(Elab *e, Span span, const Value *v, Type *type, ElemType *elem) {
  type->rank = 0;
  while (value_is_list(v)) {
    if (value_count(v) == 0) {
      elab_error(e, span, "an empty list cannot be a tensor");
      return false;
    }
    if (type->rank == MAX_RANK) {
      elab_error(e, span, "lists are nested deeper than the %d dimensions a tensor may have", (int)MAX_RANK);
      return false;
    }
    type->dim[type->rank++] = value_count(v);
    v = value_item(e, v, 0);
  }
  *elem = v->kind == V_BOOL ? BOOL : F32;
  return true;
}

static bool fill_list(Elab *e, Span span, const Value *v, const Type *type, int depth, void *data, int64_t *index) {
  if (depth == type->rank) {
    if (v->kind == V_TENSOR || v->kind == V_DIM) {
      elab_error(e, span, "a list that holds %s is not a tensor by itself", value_kind(e, v));
      diag_hint(e->diag, v->kind == V_DIM ? "count(x) is the batch count at run time"
                                          : "join tensors with stack([a, b]) or concat([a, b])");
      return false;
    }
    if (!is_literal(v)) {
      elab_error(e, span,
                 value_is_list(v) ? "the rows of this list have different lengths"
                                  : "%s cannot be an element of a tensor",
                 value_kind(e, v));
      return false;
    }
    if (!number_fits(e, span, v, type->elem))
      return false;
    store_number(v, type->elem, data, (*index)++);
    return true;
  }
  if (!value_is_list(v) || value_count(v) != type->dim[depth]) {
    elab_error(e, span, "the rows of this list have different lengths");
    return false;
  }
  for (int64_t i = 0; i < value_count(v); i++)
    if (!fill_list(e, span, value_item(e, v, i), type, depth + 1, data, index))
      return false;
  return true;
}

static Node *tensor_from_list(Elab *e, Span span, const Value *v, const ElemType *wanted) {
  Type type = {0};
  ElemType elem;
  if (!list_shape(e, span, v, &type, &elem))
    return NULL;
  type.elem = wanted ? *wanted : elem;
  int64_t count = 1;
  for (int i = 0; i < type.rank; i++)
    if (__builtin_mul_overflow(count, type.dim[i], &count) || count > MAX_ITEMS) {
      elab_error(e, span, "a list of more than %d numbers", (int)MAX_ITEMS);
      return NULL;
    }
  void *data = arena_alloc(e->arena, (size_t)count * (size_t)elem_bytes(type.elem));
  int64_t index = 0;
  if (!fill_list(e, span, v, &type, 0, data, &index))
    return NULL;
  tensor_stamp(e, span);
  return graph_dense(e->builder->graph, type, data);
}

Node *tensor_of(Elab *e, Span span, const Value *v, const ElemType *wanted) {
  if (v->kind == V_POISON)
    return NULL;
  if (v->kind == V_TENSOR) {
    if (!tensor_here(e, v->as.node)) {
      not_here(e, span, v->as.node);
      return NULL;
    }
    return v->weak && wanted ? tensor_cast(e, span, v->as.node, *wanted) : v->as.node;
  }
  if (value_is_list(v))
    return tensor_from_list(e, span, v, wanted);
  if (v->kind == V_DIM) {
    ElemType elem = wanted ? *wanted : F32;
    Node *n = tensor_cast(e, span, tensor_clock(e, span, 4), elem);
    return tensor_binary(e, span, OP_mul, n, tensor_scalar(e, span, elem, (double)-v->as.integer));
  }
  if (!is_literal(v)) {
    elab_error(e, span, "a tensor is needed here, but this is %s", value_kind(e, v));
    return NULL;
  }
  ElemType elem = wanted ? *wanted : v->kind == V_BOOL ? BOOL : F32;
  if (!number_fits(e, span, v, elem))
    return NULL;
  Attr attr = {0};
  if (elem_is_real(elem))
    attr.real = elem == F32 ? (double)(float)value_real(v) : value_real(v);
  else
    attr.integer = v->as.integer;
  Type type = type_scalar(elem);
  return tensor_op(e, span, OP_constant, 0, NULL, &attr, &type);
}

bool tensor_unify(Elab *e, Span span, int count, Value *const *values, Node **out, bool *weak) {
  const Value *strong = NULL;
  ElemType elem = F32;
  bool real = false, truth = true;
  for (int i = 0; i < count; i++) {
    const Value *v = values[i];
    if (v->kind == V_POISON)
      return false;
    if (v->kind == V_TENSOR && !v->weak) {
      if (strong && strong->as.node->type.elem != v->as.node->type.elem) {
        elab_error(e, span, "element types of %s and %s differ", type_text(e->arena, &strong->as.node->type),
                   type_text(e->arena, &v->as.node->type));
        diag_hint(e->diag, "there is no silent conversion: write cast(x, %s)",
                  elem_name(elem_is_real(v->as.node->type.elem) ? v->as.node->type.elem : strong->as.node->type.elem));
        return false;
      }
      strong = strong ? strong : v;
    } else if (v->kind == V_TENSOR && v->as.node->type.elem == F64) {
      real = true;
    }
    truth = truth && (v->kind == V_BOOL || (v->kind == V_TENSOR && v->as.node->type.elem == BOOL));
  }
  elem = strong ? strong->as.node->type.elem : truth ? BOOL : real ? F64 : F32;
  *weak = !strong;
  bool fine = true;
  for (int i = 0; i < count; i++) {
    out[i] = tensor_of(e, span, values[i], &elem);
    fine = fine && out[i];
  }
  return fine;
}

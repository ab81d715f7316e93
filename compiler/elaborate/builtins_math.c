// Builtin functions of numbers and tensors: on compile-time numbers they are computed at once.
#include "elaborate/internal.h"

#include <math.h>

static Value *weak_if(Value *v, bool weak) {
  v->weak = v->kind == V_TENSOR && weak;
  return v;
}

static double number_unary(int op, double x) {
  switch (op) {
  case OP_exp:
    return exp(x);
  case OP_log:
    return log(x);
  case OP_sqrt:
    return sqrt(x);
  case OP_tanh:
    return tanh(x);
  case OP_logistic:
    return 1 / (1 + exp(-x));
  case OP_erf:
    return erf(x);
  case OP_sin:
    return sin(x);
  case OP_cos:
    return cos(x);
  case OP_floor:
    return floor(x);
  case OP_abs:
    return fabs(x);
  default:
    return (x > 0) - (x < 0);
  }
}

static Value *call_unary(Elab *e, const BuiltinCall *c) {
  Value *x = c->args[0];
  int op = c->builtin->op;
  if (x->kind == V_INT && (op == OP_abs || op == OP_sign || op == OP_floor)) {
    int64_t i = x->as.integer;
    if (op == OP_sign)
      return value_int(e, (i > 0) - (i < 0));
    return op == OP_abs && i < 0 ? eval_unary(e, OPER_NEG, x, c->span) : x;
  }
  if (value_is_number(x)) {
    if ((op == OP_log && value_real(x) <= 0) || (op == OP_sqrt && value_real(x) < 0))
      return elab_fail(e, c->spans[0], "`%s` of %s", c->builtin->name, value_text(e, x));
    return value_float(e, number_unary(op, value_real(x)));
  }
  return weak_if(value_tensor(e, tensor_unary(e, c->span, (Op)op, tensor_of(e, c->spans[0], x, NULL))), x->weak);
}

static Value *call_stop(Elab *e, const BuiltinCall *c) {
  if (value_is_number(c->args[0]))
    return c->args[0];
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  return weak_if(value_tensor(e, tensor_unary(e, c->span, OP_stop_gradient, x)), c->args[0]->weak);
}

static Value *call_extreme(Elab *e, const BuiltinCall *c) {
  Value *a = c->args[0], *b = c->args[1];
  if (value_is_number(a) && value_is_number(b)) {
    bool first = c->builtin->op == OP_max ? value_real(a) > value_real(b) : value_real(a) < value_real(b);
    return first ? a : b;
  }
  Node *operands[2];
  bool weak;
  if (!tensor_unify(e, c->span, 2, (Value *[]){a, b}, operands, &weak))
    return value_poison(e);
  return weak_if(value_tensor(e, tensor_binary(e, c->span, (Op)c->builtin->op, operands[0], operands[1])), weak);
}

static Value *call_pow(Elab *e, const BuiltinCall *c) {
  return eval_binary(e, OPER_POW, c->args[0], c->args[1], c->span, c->spans[0], c->spans[1]);
}

static Value *call_where(Elab *e, const BuiltinCall *c) {
  Value *condition = c->args[0];
  if (condition->kind == V_BOOL)
    return condition->as.integer ? c->args[1] : c->args[2];
  static const ElemType truth = BOOL;
  Node *parts[3], *chosen[2];
  bool weak;
  parts[0] = tensor_of(e, c->spans[0], condition, &truth);
  if (!parts[0] || !tensor_unify(e, c->span, 2, c->args + 1, chosen, &weak))
    return value_poison(e);
  if (parts[0]->type.elem != BOOL)
    return elab_fail(e, c->spans[0], "the condition of `where` must be bool, but is %s",
                     type_text(e->arena, &parts[0]->type));
  parts[1] = chosen[0];
  parts[2] = chosen[1];
  return weak_if(value_tensor(e, tensor_op(e, c->span, OP_select, 3, parts, NULL, NULL)), weak);
}

static Value *call_cast(Elab *e, const BuiltinCall *c) {
  ElemType elem;
  if (!value_elem(c->args[1], &elem))
    return elab_fail(e, c->spans[1], "`cast` needs an element type such as f32, but this is %s",
                     value_kind(e, c->args[1]));
  const Value *x = c->args[0];
  bool literal = x->kind != V_TENSOR && !(x->kind == V_BOOL && elem != BOOL) && elem_is_real(elem);
  Node *node = tensor_of(e, c->spans[0], x, literal ? &elem : NULL);
  return value_tensor(e, tensor_cast(e, c->span, node, elem));
}

// ---- reductions

// The number of elements along the axes, as a node where the batch is among them.
static Node *count_along(Elab *e, Span span, const Type *type, int axis_count, const int *axes) {
  double count = 1;
  Node *batches = NULL;
  for (int i = 0; i < axis_count; i++) {
    Dim dim = type->dim[axes[i]];
    count *= (double)(dim < 0 ? -dim : dim);
    if (dim < 0) {
      Node *n = tensor_cast(e, span, tensor_clock(e, span, 4), type->elem);
      batches = batches ? tensor_binary(e, span, OP_mul, batches, n) : n;
    }
  }
  Node *fixed = tensor_scalar(e, span, type->elem, count);
  return !batches ? fixed : count == 1 ? batches : tensor_binary(e, span, OP_mul, batches, fixed);
}

Value *reduce_value(Elab *e, Span span, Reduce how, Node *x, int axis_count, const int *axes) {
  if (!x)
    return value_poison(e);
  Type kept = x->type;
  Node *result = x;
  Attr attr = {.axis_count = axis_count, .integer = how.first};
  for (int i = 0; i < axis_count; i++) {
    attr.axis[i] = axes[i];
    kept.dim[axes[i]] = 1;
  }
  if (axis_count)
    result = tensor_op(e, span, how.op, 1, &x, &attr, NULL);
  if (how.mean && result) {
    if (!elem_is_real(x->type.elem)) {
      elab_error(e, span, "the mean of a tensor of %s", elem_name(x->type.elem));
      diag_hint(e->diag, "write cast(x, f32)");
      return value_poison(e);
    }
    result = tensor_binary(e, span, OP_div, result, count_along(e, span, &x->type, axis_count, axes));
  }
  if (how.keep && result && axis_count) {
    kept.elem = result->type.elem;
    result = tensor_op(e, span, OP_reshape, 1, &result, NULL, &kept);
  }
  return value_tensor(e, result);
}

// `axis:` as an int or a list, ascending and once each; all of them if left out.
static bool axes_of(Elab *e, Span span, const Value *v, int rank, int *count, int *axes) {
  bool chosen[MAX_RANK] = {false};
  *count = 0;
  if (v && value_is_list(v)) {
    for (int64_t i = 0; i < value_count(v); i++) {
      int axis;
      if (!value_as_axis(e, span, value_item(e, v, i), rank, &axis))
        return false;
      if (chosen[axis]) {
        elab_error(e, span, "axis %d is named twice", axis);
        return false;
      }
      chosen[axis] = true;
    }
  } else if (v) {
    int axis;
    if (!value_as_axis(e, span, v, rank, &axis))
      return false;
    chosen[axis] = true;
  }
  for (int i = 0; i < rank; i++)
    if (!v || chosen[i])
      axes[(*count)++] = i;
  return true;
}

static Value *call_reduce(Elab *e, const BuiltinCall *c) {
  enum { MEAN = -1 };
  int count, axes[MAX_RANK];
  bool keep, first;
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  if (!x || !axes_of(e, c->spans[1], c->args[1], x->type.rank, &count, axes) || !builtin_flag(e, c, 2, "keep", &keep) ||
      !builtin_flag(e, c, 3, "first", &first))
    return value_poison(e);
  Reduce how = {.op = (Op)c->builtin->op, .keep = keep, .first = first};
  if (c->builtin->op == MEAN)
    how = (Reduce){.op = OP_reduce_sum, .mean = true, .keep = keep};
  Value *v = reduce_value(e, c->span, how, x, count, axes);
  return weak_if(v, c->args[0]->weak);
}

static Value *call_argmax(Elab *e, const BuiltinCall *c) {
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  int axis = 0;
  if (!x)
    return value_poison(e);
  if (x->type.rank == 0)
    return elab_fail(e, c->spans[0], "`argmax` of a scalar");
  axis = x->type.rank - 1;
  if (c->args[1] && !value_as_axis(e, c->spans[1], c->args[1], x->type.rank, &axis))
    return value_poison(e);
  Attr attr = {.axis_count = 1, .axis = {axis}};
  return value_tensor(e, tensor_op(e, c->span, OP_argmax, 1, &x, &attr, NULL));
}

// ---- for tests

Node *tensor_all(Elab *e, Span span, Node *x) {
  if (x->type.rank == 0)
    return x;
  int axes[MAX_RANK];
  for (int i = 0; i < x->type.rank; i++)
    axes[i] = i;
  Value *least = reduce_value(e, span, (Reduce){.op = OP_reduce_min}, tensor_cast(e, span, x, I32), x->type.rank, axes);
  return least->kind == V_TENSOR ? tensor_binary(e, span, OP_ne, least->as.node, tensor_scalar(e, span, I32, 0)) : NULL;
}

// |a - b| <= tolerance * max(1, |b|), everywhere. NaN is close to nothing.
Value *tensor_close(Elab *e, Span span, Value *a, Value *b, const Value *tolerance) {
  if (value_is_number(a) && value_is_number(b)) {
    double limit = tolerance ? value_real(tolerance) : 1e-9;
    return value_bool(e, fabs(value_real(a) - value_real(b)) <= limit * fmax(1, fabs(value_real(b))));
  }
  Node *sides[2];
  bool weak;
  if (!tensor_unify(e, span, 2, (Value *[]){a, b}, sides, &weak))
    return value_poison(e);
  ElemType elem = sides[0]->type.elem;
  if (!elem_is_real(elem))
    return elab_fail(e, span, "`close` compares real numbers, not %s", elem_name(elem));
  Node *difference = tensor_binary(e, span, OP_sub, sides[0], sides[1]);
  if (!difference)
    return value_poison(e);
  Node *limit = tensor_scalar(e, span, elem, tolerance ? value_real(tolerance) : elem == F64 ? 1e-9 : 1e-5);
  Node *size = tensor_binary(e, span, OP_max, tensor_unary(e, span, OP_abs, sides[1]), tensor_scalar(e, span, elem, 1));
  Node *bound = tensor_binary(e, span, OP_mul, limit, size);
  Node *fits = tensor_binary(e, span, OP_le, tensor_unary(e, span, OP_abs, difference), bound);
  return value_tensor(e, fits ? tensor_all(e, span, fits) : NULL);
}

static Value *call_close(Elab *e, const BuiltinCall *c) {
  if (c->args[2] && !value_is_number(c->args[2]))
    return elab_fail(e, c->spans[2], "`tolerance` must be a number, but this is %s", value_kind(e, c->args[2]));
  return tensor_close(e, c->span, c->args[0], c->args[1], c->args[2]);
}

const Builtin builtins_math[] = {
    {"exp", "x", call_unary, OP_exp},
    {"log", "x", call_unary, OP_log},
    {"sqrt", "x", call_unary, OP_sqrt},
    {"tanh", "x", call_unary, OP_tanh},
    {"logistic", "x", call_unary, OP_logistic},
    {"erf", "x", call_unary, OP_erf},
    {"sin", "x", call_unary, OP_sin},
    {"cos", "x", call_unary, OP_cos},
    {"floor", "x", call_unary, OP_floor},
    {"abs", "x", call_unary, OP_abs},
    {"sign", "x", call_unary, OP_sign},
    {"stop_gradient", "x", call_stop, 0},
    {"pow", "x y", call_pow, 0},
    {"maximum", "a b", call_extreme, OP_max},
    {"minimum", "a b", call_extreme, OP_min},
    {"max", "a b", call_extreme, OP_max},
    {"min", "a b", call_extreme, OP_min},
    {"where", "condition a b", call_where, 0},
    {"cast", "x type", call_cast, 0},
    {"reduce_sum", "x axis? keep?", call_reduce, OP_reduce_sum},
    {"reduce_max", "x axis? keep? first?", call_reduce, OP_reduce_max},
    {"reduce_min", "x axis? keep? first?", call_reduce, OP_reduce_min},
    {"reduce_mean", "x axis? keep?", call_reduce, -1},
    {"argmax", "x axis?", call_argmax, 0},
    {"close", "a b tolerance?", call_close, 0},
};
const int builtins_math_count = (int)(sizeof builtins_math / sizeof *builtins_math);

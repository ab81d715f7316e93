// Operators: on compile-time values at compile time, on tensors as nodes. Whole numbers are 64 bits wide and an
// overflow is an error; `/` is real division, `//` and `%` round towards minus infinity.
#include "elaborate/internal.h"

#include <math.h>

static Value *overflow(Elab *e, Span span) {
  return elab_fail(e, span, "the result does not fit in 64 bits");
}

static Value *int_power(Elab *e, int64_t base, int64_t exponent, Span span) {
  if (exponent < 0)
    return value_float(e, pow((double)base, (double)exponent));
  int64_t result = 1;
  for (; exponent; exponent >>= 1) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result))
      return overflow(e, span);
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base))
      return overflow(e, span);
  }
  return value_int(e, result);
}

static Value *int_divide(Elab *e, ExprOp op, int64_t a, int64_t b, Span span) {
  if (b == 0)
    return elab_fail(e, span, "division by zero");
  if (op == OPER_DIV)
    return value_float(e, (double)a / (double)b);
  if (b == -1) {
    if (op == OPER_MOD)
      return value_int(e, 0);
    return a == INT64_MIN ? overflow(e, span) : value_int(e, -a);
  }
  bool down = a % b != 0 && (a % b < 0) != (b < 0);
  return value_int(e, op == OPER_MOD ? a % b + (down ? b : 0) : a / b - (down ? 1 : 0));
}

static Value *int_binary(Elab *e, ExprOp op, int64_t a, int64_t b, Span span) {
  int64_t r;
  switch (op) {
  case OPER_ADD:
    return __builtin_add_overflow(a, b, &r) ? overflow(e, span) : value_int(e, r);
  case OPER_SUB:
    return __builtin_sub_overflow(a, b, &r) ? overflow(e, span) : value_int(e, r);
  case OPER_MUL:
    return __builtin_mul_overflow(a, b, &r) ? overflow(e, span) : value_int(e, r);
  case OPER_POW:
    return int_power(e, a, b, span);
  default:
    return int_divide(e, op, a, b, span);
  }
}

static Value *float_binary(Elab *e, ExprOp op, double a, double b, Span span) {
  switch (op) {
  case OPER_ADD:
    return value_float(e, a + b);
  case OPER_SUB:
    return value_float(e, a - b);
  case OPER_MUL:
    return value_float(e, a * b);
  case OPER_POW:
    return value_float(e, pow(a, b));
  default:
    break;
  }
  if (b == 0)
    return elab_fail(e, span, "division by zero");
  double floored = floor(a / b);
  return value_float(e, op == OPER_DIV ? a / b : op == OPER_FLOORDIV ? floored : a - floored * b);
}

static bool ordered(ExprOp op, int sign) {
  switch (op) {
  case OPER_LT:
    return sign < 0;
  case OPER_LE:
    return sign <= 0;
  case OPER_GT:
    return sign > 0;
  default:
    return sign >= 0;
  }
}

static Value *number_binary(Elab *e, ExprOp op, const Value *a, const Value *b, Span span) {
  bool ints = a->kind == V_INT && b->kind == V_INT;
  double x = value_real(a), y = value_real(b);
  if (op >= OPER_LT && op <= OPER_GE) {
    if (ints)
      return value_bool(e, ordered(op, (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer)));
    return value_bool(e, !isnan(x) && !isnan(y) && ordered(op, (x > y) - (x < y)));
  }
  return ints ? int_binary(e, op, a->as.integer, b->as.integer, span) : float_binary(e, op, x, y, span);
}

// A multiple of the batch count may be multiplied by a whole number, or divided by one that leaves no rest.
static Value *dim_binary(Elab *e, ExprOp op, const Value *a, const Value *b, Span span) {
  const Value *dim = a->kind == V_DIM ? a : b, *other = dim == a ? b : a;
  int64_t r;
  if (op == OPER_MUL && other->kind == V_INT && other->as.integer > 0 &&
      !__builtin_mul_overflow(dim->as.integer, other->as.integer, &r))
    return value_dim(e, r);
  if (op == OPER_FLOORDIV && dim == a && b->kind == V_INT && b->as.integer > 0 && a->as.integer % b->as.integer == 0)
    return value_dim(e, a->as.integer / b->as.integer);
  elab_error(e, span, "the batch count is not known at compile time, so `%s` cannot be computed", expr_op_text(op));
  diag_hint(e->diag, "count(x) is the number of samples as a run-time number");
  return value_poison(e);
}

static Value *list_join(Elab *e, const Value *a, const Value *b, Span span) {
  int64_t count = value_count(a) + value_count(b);
  if (count > MAX_ITEMS)
    return elab_fail(e, span, "a list of more than %d items", (int)MAX_ITEMS);
  Value **items = arena_array(e->arena, Value *, count ? count : 1);
  for (int64_t i = 0; i < count; i++)
    items[i] = i < value_count(a) ? value_item(e, a, i) : value_item(e, b, i - value_count(a));
  return value_list(e, V_LIST, (int)count, items);
}

// A number with a list of numbers: with each of them.
static Value *list_each(Elab *e, ExprOp op, Value *a, Value *b, Span span) {
  Value *list = value_is_list(a) ? a : b;
  if (value_count(list) > MAX_ITEMS)
    return elab_fail(e, span, "a list of more than %d items", (int)MAX_ITEMS);
  int count = (int)value_count(list);
  Value **items = arena_array(e->arena, Value *, count + 1);
  for (int i = 0; i < count; i++) {
    Value *item = value_item(e, list, i);
    items[i] =
        list == a ? eval_binary(e, op, item, b, span, span, span) : eval_binary(e, op, a, item, span, span, span);
    if (items[i]->kind == V_POISON)
      return items[i];
  }
  return value_list(e, V_LIST, count, items);
}

static Value *text_join(Elab *e, const Value *a, const Value *b, Span span) {
  if (strlen(a->as.text) + strlen(b->as.text) > MAX_TEXT)
    return elab_fail(e, span, "a string of more than %d bytes", (int)MAX_TEXT);
  return value_str(e, arena_printf(e->arena, "%s%s", a->as.text, b->as.text));
}

// ---- tensors

static Value *matrix_product(Elab *e, Node *a, Node *b, Span span) {
  Type at = a->type, bt = b->type;
  const char *shapes = arena_printf(e->arena, "%s @ %s", type_text(e->arena, &at), type_text(e->arena, &bt));
  if (at.rank == 0 || bt.rank == 0) {
    elab_error(e, span, "`@` needs matrices, but this is %s", shapes);
    diag_hint(e->diag, "`*` multiplies by a scalar");
    return value_poison(e);
  }
  Dim inner = bt.dim[bt.rank >= 2 ? bt.rank - 2 : 0];
  if (at.dim[at.rank - 1] != inner) {
    elab_error(e, span,
               "shapes do not match in %s: the last dimension of the left and the %s of the right must be equal",
               shapes, bt.rank >= 2 ? "last but one" : "only one");
    if (bt.rank >= 2 && at.dim[at.rank - 1] == bt.dim[bt.rank - 1])
      diag_hint(e->diag, "write @ transpose(…) on the right");
    return value_poison(e);
  }
  Type matrix = {.elem = at.elem, .rank = 2};
  if (at.rank == 1) {
    matrix.dim[0] = 1;
    matrix.dim[1] = at.dim[0];
    a = tensor_op(e, span, OP_reshape, 1, &a, NULL, &matrix);
  }
  if (bt.rank == 1) {
    matrix.dim[0] = bt.dim[0];
    matrix.dim[1] = 1;
    b = tensor_op(e, span, OP_reshape, 1, &b, NULL, &matrix);
  }
  if (!a || !b)
    return value_poison(e);
  Type left = a->type, right = b->type, lead;
  left.rank -= 2;
  right.rank -= 2;
  if (!type_broadcast(&left, &right, &lead))
    return elab_fail(e, span, "leading dimensions do not match in %s", shapes);
  if (!elem_is_real(a->type.elem)) {
    elab_error(e, span, "`@` needs real tensors, but this is %s", shapes);
    diag_hint(e->diag, "write cast(x, f32)");
    return value_poison(e);
  }
  Type whole = lead;
  whole.dim[whole.rank++] = a->type.dim[a->type.rank - 2];
  whole.dim[whole.rank++] = b->type.dim[b->type.rank - 1];
  if (!tensor_fits(e, span, &whole) || !tensor_here(e, a) || !tensor_here(e, b))
    return value_poison(e);
  tensor_stamp(e, span);
  Node *product = graph_matmul(e->builder->graph, a, b);
  if (at.rank == 1 || bt.rank == 1) {
    Type flat = product->type;
    if (bt.rank == 1)
      flat.rank--;
    if (at.rank == 1) {
      flat.dim[flat.rank - 1 - (bt.rank != 1)] = flat.dim[flat.rank - 1];
      flat.rank--;
    }
    product = tensor_op(e, span, OP_reshape, 1, &product, NULL, &flat);
  }
  return value_tensor(e, product);
}

static Value *tensor_arithmetic(Elab *e, ExprOp op, Node *a, Node *b, Span span) {
  ElemType elem = a->type.elem;
  if (op == OPER_DIV && !elem_is_real(elem)) {
    elab_error(e, span, "`/` is real division, but these are tensors of %s", elem_name(elem));
    diag_hint(e->diag, "write `//` for whole division, or cast(x, f32) first");
    return value_poison(e);
  }
  switch (op) {
  case OPER_ADD:
    return value_tensor(e, tensor_binary(e, span, OP_add, a, b));
  case OPER_SUB:
    return value_tensor(e, tensor_binary(e, span, OP_sub, a, b));
  case OPER_MUL:
    return value_tensor(e, tensor_binary(e, span, OP_mul, a, b));
  case OPER_DIV:
    return value_tensor(e, tensor_binary(e, span, OP_div, a, b));
  case OPER_MOD:
    return value_tensor(e, tensor_binary(e, span, OP_mod, a, b));
  case OPER_POW:
    return value_tensor(e, tensor_binary(e, span, OP_pow, a, b));
  case OPER_EQ:
    return value_tensor(e, tensor_binary(e, span, OP_eq, a, b));
  case OPER_NE:
    return value_tensor(e, tensor_binary(e, span, OP_ne, a, b));
  case OPER_LT:
    return value_tensor(e, tensor_binary(e, span, OP_lt, a, b));
  case OPER_LE:
    return value_tensor(e, tensor_binary(e, span, OP_le, a, b));
  case OPER_GT:
    return value_tensor(e, tensor_binary(e, span, OP_lt, b, a));
  case OPER_GE:
    return value_tensor(e, tensor_binary(e, span, OP_le, b, a));
  case OPER_AND:
    return value_tensor(e, tensor_binary(e, span, OP_and, a, b));
  case OPER_OR:
    return value_tensor(e, tensor_binary(e, span, OP_or, a, b));
  case OPER_FLOORDIV: {
    Node *quotient = tensor_binary(e, span, OP_div, a, b);
    return value_tensor(e, elem_is_real(elem) && quotient ? tensor_unary(e, span, OP_floor, quotient) : quotient);
  }
  default:
    return value_poison(e);
  }
}

static bool gives_bool(ExprOp op) {
  return op >= OPER_EQ && op <= OPER_OR;
}

// x ** k for a small whole k is repeated multiplication, by squaring.
static Node *repeated_product(Elab *e, Node *x, int64_t k, Span span) {
  Node *result = NULL;
  for (; k; k >>= 1) {
    if (k & 1)
      result = result ? tensor_binary(e, span, OP_mul, result, x) : x;
    if (k > 1)
      x = tensor_binary(e, span, OP_mul, x, x);
  }
  return result;
}

Value *eval_power(Elab *e, Value *base, Value *exponent, Span span) {
  enum { MOST = 64 };
  if (base->kind == V_TENSOR && exponent->kind == V_INT && exponent->as.integer >= -MOST &&
      exponent->as.integer <= MOST) {
    int64_t k = exponent->as.integer;
    Node *x = tensor_of(e, span, base, NULL), *one = NULL;
    if (!x)
      return value_poison(e);
    if (k < 0 && !elem_is_real(x->type.elem))
      return elab_fail(e, span, "a negative power of a tensor of %s", elem_name(x->type.elem));
    if (k <= 0)
      one = tensor_scalar(e, span, x->type.elem, 1);
    Node *power = k == 0 ? tensor_op(e, span, OP_broadcast, 1, &one, NULL, &x->type)
                         : repeated_product(e, x, k < 0 ? -k : k, span);
    if (k < 0)
      power = tensor_binary(e, span, OP_div, one, power);
    Value *v = value_tensor(e, power);
    v->weak = v->kind == V_TENSOR && base->weak;
    return v;
  }
  if (base->kind == V_TENSOR && exponent->kind == V_FLOAT && exponent->as.real == 0.5) {
    Value *v = value_tensor(e, tensor_unary(e, span, OP_sqrt, tensor_of(e, span, base, NULL)));
    v->weak = v->kind == V_TENSOR && base->weak;
    return v;
  }
  return eval_binary(e, OPER_POW, base, exponent, span, span, span);
}

static Value *tensor_operator(Elab *e, ExprOp op, Value *a, Value *b, Span span) {
  Node *operands[2];
  bool weak;
  if (!tensor_unify(e, span, 2, (Value *[]){a, b}, operands, &weak))
    return value_poison(e);
  if ((op == OPER_AND || op == OPER_OR) && operands[0]->type.elem != BOOL)
    return elab_fail(e, span, "`%s` needs bool tensors, but these are of %s", expr_op_text(op),
                     elem_name(operands[0]->type.elem));
  Value *v = op == OPER_MATMUL ? matrix_product(e, operands[0], operands[1], span)
                               : tensor_arithmetic(e, op, operands[0], operands[1], span);
  v->weak = v->kind == V_TENSOR && weak && !gives_bool(op) && op != OPER_MATMUL;
  return v;
}

static Value *wrong_operands(Elab *e, ExprOp op, const Value *a, const Value *b, Span span) {
  return elab_fail(e, span, "`%s` cannot be applied to %s and %s", expr_op_text(op), value_kind(e, a),
                   value_kind(e, b));
}

Value *eval_binary(Elab *e, ExprOp op, Value *a, Value *b, Span span, Span left, Span right) {
  if (a->kind == V_POISON || b->kind == V_POISON)
    return value_poison(e);
  if (a->kind == V_NONE || b->kind == V_NONE) {
    if (op == OPER_EQ || op == OPER_NE)
      return value_bool(e, (a->kind == b->kind) == (op == OPER_EQ));
    elab_error(e, a->kind == V_NONE ? left : right, "this has no value, but `%s` needs one", expr_op_text(op));
    return value_poison(e);
  }
  if (a->kind == V_TENSOR || b->kind == V_TENSOR || op == OPER_MATMUL) {
    if (op == OPER_POW && a->kind == V_TENSOR && b->kind != V_TENSOR &&
        (b->kind == V_INT ? b->as.integer >= -64 && b->as.integer <= 64 : b->kind == V_FLOAT && b->as.real == 0.5))
      return eval_power(e, a, b, span);
    return tensor_operator(e, op, a, b, span);
  }
  if (op == OPER_EQ || op == OPER_NE)
    return value_bool(e, value_equal(e, a, b) == (op == OPER_EQ));
  if (a->kind == V_DIM || b->kind == V_DIM) {
    if ((a->kind == V_DIM || a->kind == V_INT) && (b->kind == V_DIM || b->kind == V_INT))
      return dim_binary(e, op, a, b, span);
    return wrong_operands(e, op, a, b, span);
  }
  if (value_is_number(a) && value_is_number(b) && op != OPER_AND && op != OPER_OR)
    return number_binary(e, op, a, b, span);
  if (a->kind == V_BOOL && b->kind == V_BOOL && (op == OPER_AND || op == OPER_OR))
    return value_bool(e, op == OPER_AND ? a->as.integer && b->as.integer : a->as.integer || b->as.integer);
  if (op == OPER_ADD && value_is_list(a) && value_is_list(b))
    return list_join(e, a, b, span);
  if (op <= OPER_POW && (value_is_number(a) || value_is_number(b)) && (value_is_list(a) || value_is_list(b)))
    return list_each(e, op, a, b, span);
  if (op == OPER_ADD && a->kind == V_STR && b->kind == V_STR)
    return text_join(e, a, b, span);
  return wrong_operands(e, op, a, b, span);
}

Value *eval_unary(Elab *e, ExprOp op, Value *a, Span span) {
  if (a->kind == V_POISON)
    return a;
  if (op == OPER_NOT) {
    if (a->kind == V_BOOL)
      return value_bool(e, !a->as.integer);
    if (a->kind == V_TENSOR && a->as.node->type.elem == BOOL)
      return value_tensor(e, tensor_unary(e, span, OP_not, tensor_of(e, span, a, NULL)));
    return elab_fail(e, span, "`not` needs a bool, but this is %s", value_kind(e, a));
  }
  if (a->kind == V_INT)
    return a->as.integer == INT64_MIN ? overflow(e, span) : value_int(e, -a->as.integer);
  if (a->kind == V_FLOAT)
    return value_float(e, -a->as.real);
  if (value_is_list(a))
    return list_each(e, OPER_MUL, value_int(e, -1), a, span);
  if (a->kind == V_TENSOR) {
    Value *v = value_tensor(e, tensor_unary(e, span, OP_neg, tensor_of(e, span, a, NULL)));
    v->weak = v->kind == V_TENSOR && a->weak;
    return v;
  }
  return elab_fail(e, span, "`-` cannot be applied to %s", value_kind(e, a));
}

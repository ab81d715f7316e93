// Point operations: out[i] from in0[i], in1[i] … Shape rules accept what broadcasts (graph_node then makes the inputs
// equal); the arithmetic of each element type is fixed here. u8 is computed in i32 and wraps when it is cast back.
#include "graph/rules.h"

// ---- shapes

typedef enum Accepts { ANY, NUMBERS, REALS, TRUTH } Accepts;

static const char *accept(Arena *arena, const char *what, Accepts accepts, ElemType elem) {
  const char *name = elem_name(elem);
  if (accepts == NUMBERS && elem == BOOL)
    return arena_printf(arena, "`%s` needs numbers, not bool", what);
  if (accepts == REALS && !elem_is_real(elem))
    return arena_printf(arena, "`%s` needs f32 or f64, not %s", what, name);
  if (accepts == TRUTH && elem != BOOL)
    return arena_printf(arena, "`%s` needs bool, not %s", what, name);
  return NULL;
}

static const char *broadcast_into(Arena *arena, const Type *type, Type *shape) {
  Type merged;
  if (!type_broadcast(shape, type, &merged))
    return rule_mismatch(arena, shape, type);
  *shape = merged;
  return NULL;
}

static const char *unary(Arena *arena, const char *what, Accepts accepts, Node *const *inputs, Type *result) {
  *result = inputs[0]->type;
  return accept(arena, what, accepts, result->elem);
}

static const char *binary(Arena *arena, const char *what, Accepts accepts, Node *const *inputs, Type *result) {
  const Type *a = &inputs[0]->type, *b = &inputs[1]->type;
  if (a->elem != b->elem)
    return arena_printf(arena, "`%s` of %s and %s: the element types must be equal", what, type_text(arena, a),
                        type_text(arena, b));
  *result = *a;
  const char *wrong = accept(arena, what, accepts, a->elem);
  return wrong ? wrong : broadcast_into(arena, b, result);
}

static const char *comparison(Arena *arena, const char *what, Accepts accepts, Node *const *inputs, Type *result) {
  const char *wrong = binary(arena, what, accepts, inputs, result);
  result->elem = BOOL;
  return wrong;
}

#define SHAPE(name, rule, what, accepts)                                                                               \
  const char *shape_##name(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,   \
                           Type *result) {                                                                             \
    (void)input_count, (void)attr, (void)wanted;                                                                       \
    return rule(arena, what, accepts, inputs, result);                                                                 \
  }
SHAPE(neg, unary, "-", NUMBERS)
SHAPE(abs, unary, "abs", NUMBERS)
SHAPE(sign, unary, "sign", NUMBERS)
SHAPE(exp, unary, "exp", REALS)
SHAPE(log, unary, "log", REALS)
SHAPE(sqrt, unary, "sqrt", REALS)
SHAPE(tanh, unary, "tanh", REALS)
SHAPE(logistic, unary, "logistic", REALS)
SHAPE(erf, unary, "erf", REALS)
SHAPE(sin, unary, "sin", REALS)
SHAPE(cos, unary, "cos", REALS)
SHAPE(floor, unary, "floor", REALS)
SHAPE(not, unary, "not", TRUTH)
SHAPE(stop_gradient, unary, "stop_gradient", ANY)
SHAPE(add, binary, "+", NUMBERS)
SHAPE(sub, binary, "-", NUMBERS)
SHAPE(mul, binary, "*", NUMBERS)
SHAPE(div, binary, "/", NUMBERS)
SHAPE(mod, binary, "%", NUMBERS)
SHAPE(pow, binary, "**", REALS)
SHAPE(max, binary, "max", NUMBERS)
SHAPE(min, binary, "min", NUMBERS)
SHAPE(eq, comparison, "==", ANY)
SHAPE(ne, comparison, "!=", ANY)
SHAPE(lt, comparison, "<", NUMBERS)
SHAPE(le, comparison, "<=", NUMBERS)
SHAPE(and, binary, "and", TRUTH)
SHAPE(or, binary, "or", TRUTH)

const char *shape_cast(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                       Type *result) {
  (void)arena, (void)input_count, (void)attr;
  *result = inputs[0]->type;
  if (wanted)
    result->elem = wanted->elem;
  return wanted ? NULL : "`cast` needs a type";
}

const char *shape_select(Arena *arena, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                         Type *result) {
  (void)input_count, (void)attr, (void)wanted;
  if (inputs[0]->type.elem != BOOL)
    return arena_printf(arena, "a condition must be bool, not %s", elem_name(inputs[0]->type.elem));
  const char *wrong = binary(arena, "where", ANY, inputs + 1, result);
  return wrong ? wrong : broadcast_into(arena, &inputs[0]->type, result);
}

// ---- gradients

static Node *mul(Graph *graph, Node *a, Node *b) {
  return graph_binary(graph, OP_mul, a, b);
}
static Node *scaled(Graph *graph, Node *a, double factor) {
  return mul(graph, a, rule_number(graph, a, factor));
}
static Node *where_else_zero(Graph *graph, Node *condition, Node *a) {
  return graph_select(graph, condition, a, rule_number(graph, a, 0));
}

GRAD_NONE(sign)
GRAD_NONE(floor)
GRAD_NONE(not )
GRAD_NONE(stop_gradient)
GRAD_NONE(eq)
GRAD_NONE(ne)
GRAD_NONE(lt)
GRAD_NONE(le)
GRAD_NONE(and)
GRAD_NONE(or)

#define GRAD_UNARY(name, expression)                                                                                   \
  void grad_##name(Graph *graph, Node *node, Node *upstream, Node **out) {                                             \
    Node *x = node->inputs[0];                                                                                         \
    if (out[0])                                                                                                        \
      out[0] = expression;                                                                                             \
    (void)x;                                                                                                           \
  }
GRAD_UNARY(neg, graph_unary(graph, OP_neg, upstream))
GRAD_UNARY(abs, mul(graph, upstream, graph_unary(graph, OP_sign, x))) // 0 at 0
GRAD_UNARY(exp, mul(graph, upstream, node))
GRAD_UNARY(log, graph_binary(graph, OP_div, upstream, x))
GRAD_UNARY(sqrt, graph_binary(graph, OP_div, scaled(graph, upstream, 0.5), node))
GRAD_UNARY(sin, mul(graph, upstream, graph_unary(graph, OP_cos, x)))
GRAD_UNARY(cos, graph_unary(graph, OP_neg, mul(graph, upstream, graph_unary(graph, OP_sin, x))))

// 1 - y^2
void grad_tanh(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = mul(graph, upstream, graph_binary(graph, OP_sub, rule_number(graph, node, 1), mul(graph, node, node)));
}

// y (1 - y)
void grad_logistic(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = mul(graph, upstream, mul(graph, node, graph_binary(graph, OP_sub, rule_number(graph, node, 1), node)));
}

// 2 / sqrt(pi) * exp(-x^2)
void grad_erf(Graph *graph, Node *node, Node *upstream, Node **out) {
  Node *x = node->inputs[0];
  if (out[0]) {
    Node *bell = graph_unary(graph, OP_exp, graph_unary(graph, OP_neg, mul(graph, x, x)));
    out[0] = mul(graph, upstream, scaled(graph, bell, 1.1283791670955126));
  }
}

void grad_cast(Graph *graph, Node *node, Node *upstream, Node **out) {
  if (out[0])
    out[0] = elem_is_real(node->type.elem) ? graph_cast(graph, upstream, node->inputs[0]->type.elem) : NULL;
}

void grad_add(Graph *graph, Node *node, Node *upstream, Node **out) {
  (void)graph, (void)node;
  for (int i = 0; i < 2; i++)
    out[i] = out[i] ? upstream : NULL;
}

void grad_sub(Graph *graph, Node *node, Node *upstream, Node **out) {
  (void)node;
  out[0] = out[0] ? upstream : NULL;
  out[1] = out[1] ? graph_unary(graph, OP_neg, upstream) : NULL;
}

void grad_mul(Graph *graph, Node *node, Node *upstream, Node **out) {
  for (int i = 0; i < 2; i++)
    out[i] = out[i] ? mul(graph, upstream, node->inputs[1 - i]) : NULL;
}

// a / b: u / b and -(u / b) (a / b)
void grad_div(Graph *graph, Node *node, Node *upstream, Node **out) {
  Node *quotient = graph_binary(graph, OP_div, upstream, node->inputs[1]);
  out[0] = out[0] ? quotient : NULL;
  out[1] = out[1] ? graph_unary(graph, OP_neg, mul(graph, quotient, node)) : NULL;
}

// a - b floor(a / b): 1 and -floor(a / b)
void grad_mod(Graph *graph, Node *node, Node *upstream, Node **out) {
  out[0] = out[0] ? upstream : NULL;
  if (out[1]) {
    Node *quotient = graph_binary(graph, OP_div, node->inputs[0], node->inputs[1]);
    out[1] = graph_unary(graph, OP_neg, mul(graph, upstream, graph_unary(graph, OP_floor, quotient)));
  }
}

// a ** b: b a ** (b - 1), which is 0 where b is, and log(a) a ** b where that is real, 0 elsewhere.
void grad_pow(Graph *graph, Node *node, Node *upstream, Node **out) {
  Node *a = node->inputs[0], *b = node->inputs[1];
  if (out[0]) {
    const Node *known = rule_splat(b);
    Node *less =
        known ? rule_number(graph, b, known->attr->real - 1) : graph_binary(graph, OP_sub, b, rule_number(graph, b, 1));
    Node *slope = mul(graph, upstream, mul(graph, b, graph_binary(graph, OP_pow, a, less)));
    bool never_zero = known && known->attr->real != 0;
    out[0] =
        never_zero ? slope : where_else_zero(graph, graph_binary(graph, OP_ne, b, rule_number(graph, b, 0)), slope);
  }
  if (out[1]) {
    Node *positive = graph_binary(graph, OP_lt, rule_number(graph, a, 0), a);
    Node *slope = mul(graph, node, graph_unary(graph, OP_log, a));
    out[1] = where_else_zero(graph, positive, mul(graph, upstream, slope));
  }
}

// The gradient goes to the one that was chosen; of equals that is b. Comparing the result with b tells it without a,
// so that relu's mask comes from what relu gave and a need not be kept.
static void grad_choice(Graph *graph, Node *b_chosen, Node *upstream, Node **out) {
  Node *zero = rule_number(graph, upstream, 0);
  out[0] = out[0] ? graph_select(graph, b_chosen, zero, upstream) : NULL;
  out[1] = out[1] ? graph_select(graph, b_chosen, upstream, zero) : NULL;
}

void grad_max(Graph *graph, Node *node, Node *upstream, Node **out) {
  grad_choice(graph, graph_binary(graph, OP_le, node, node->inputs[1]), upstream, out);
}

void grad_min(Graph *graph, Node *node, Node *upstream, Node **out) {
  grad_choice(graph, graph_binary(graph, OP_le, node->inputs[1], node), upstream, out);
}

void grad_select(Graph *graph, Node *node, Node *upstream, Node **out) {
  Node *condition = node->inputs[0], *zero = rule_number(graph, upstream, 0);
  out[0] = NULL;
  out[1] = out[1] ? graph_select(graph, condition, upstream, zero) : NULL;
  out[2] = out[2] ? graph_select(graph, condition, zero, upstream) : NULL;
}

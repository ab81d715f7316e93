// The table of operations: every line of ops.def with its three functions; and, for those without a gradient, why.
#include "graph/ops.h"

#define OPERATION(op, inputs, kind)                                                                                    \
  [OP_##op].name = #op, [OP_##op].arity = inputs, [OP_##op].class = kind, [OP_##op].shape = shape_##op,                \
  [OP_##op].grad = grad_##op, [OP_##op].lower = lower_##op,
#define NO_GRADIENT(op, why) [OP_##op].no_gradient = why

const OpInfo op_info[OP_COUNT] = {
#include "graph/ops.def"
    NO_GRADIENT(input, "it has no inputs"),
    NO_GRADIENT(slot, "it has no inputs"),
    NO_GRADIENT(constant, "it has no inputs"),
    NO_GRADIENT(clock, "it has no inputs"),
    NO_GRADIENT(iota, "it has no inputs"),
    NO_GRADIENT(sign, "its slope is zero almost everywhere"),
    NO_GRADIENT(floor, "its slope is zero almost everywhere"),
    NO_GRADIENT(not, "its result is true or false"),
    NO_GRADIENT(eq, "its result is true or false"),
    NO_GRADIENT(ne, "its result is true or false"),
    NO_GRADIENT(lt, "its result is true or false"),
    NO_GRADIENT(le, "its result is true or false"),
    NO_GRADIENT(and, "its result is true or false"),
    NO_GRADIENT(or, "its result is true or false"),
    NO_GRADIENT(stop_gradient, "it cuts the gradient"),
    NO_GRADIENT(argmax, "its result is an index"),
    NO_GRADIENT(attention_lse, "it is a part of attention's gradient"),
    NO_GRADIENT(attention_dq, "it is a gradient itself"),
    NO_GRADIENT(attention_dk, "it is a gradient itself"),
    NO_GRADIENT(attention_dv, "it is a gradient itself"),
    NO_GRADIENT(random, "its inputs are whole numbers"),
};

const char *op_name(Op op) {
  return op_info[op].name;
}

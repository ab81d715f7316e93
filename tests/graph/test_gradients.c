// Every operation has a gradient or a reason not to, and every gradient agrees with finite differences.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "graph/grad.h"
#include "graph/interpret.h"
#include "graph/op_cases.h"
#include "graph/ops.h"

enum { BATCH = 3, MANY = 64 }; // of inputs with more elements some are looked at

Test(gradients, every_operation_has_a_case) {
  for (int op = 0; op < OP_COUNT; op++) {
    bool found = false;
    for (int i = 0; i < op_case_count; i++)
      found = found || (int)op_cases[i].op == op;
    cr_assert(found, "no case for %s", op_name((Op)op));
  }
}

// A differentiable input gets a contribution; an operation with a reason has no such input.
Test(gradients, every_operation_has_a_gradient_or_a_reason) {
  for (int op = 0; op < OP_COUNT; op++) {
    bool differentiable = false;
    for (int i = 0; i < op_case_count; i++)
      differentiable = differentiable || ((int)op_cases[i].op == op && op_cases[i].differentiable);
    if (op == OP_input)
      continue; // differentiable with regard to itself
    cr_assert(differentiable == !op_info[op].no_gradient, "%s: %s", op_name((Op)op), op_info[op].no_gradient);
  }
}

static Tensor *case_inputs(Arena *arena, const OpCase *op_case) {
  Tensor *inputs = arena_array(arena, Tensor, OP_CASE_INPUTS);
  for (int i = 0; i < op_case->input_count; i++) {
    inputs[i] = tensor_new(arena, &op_case->inputs[i], BATCH);
    for (int64_t at = 0; at < inputs[i].count; at++)
      if (elem_is_real(inputs[i].type.elem))
        inputs[i].real[at] = op_case_real(op_case, i, at);
      else
        inputs[i].whole[at] = op_case_whole(op_case, i, at);
  }
  return inputs;
}

static void build(Graph *graph, const OpCase *op_case, Node **inputs, Node **result) {
  static const char *const names[OP_CASE_INPUTS] = {"a", "b", "c"};
  for (int i = 0; i < op_case->input_count; i++)
    inputs[i] = graph_input(graph, names[i], op_case->inputs[i]);
  *result = op_case->build(graph, inputs);
}

static double loss_at(Arena *scratch, const OpCase *op_case, const Tensor *values) {
  Graph *graph = graph_new(scratch, op_case->name, BATCH);
  Node *inputs[OP_CASE_INPUTS], *result;
  build(graph, op_case, inputs, &result);
  Node *loss = op_case_loss(graph, result);
  double value = interpret(graph, BATCH, values)[loss->id].real[0];
  arena_reset(scratch);
  return value;
}

// (f(x + h) - f(x - h)) / 2h is off by O(h^2) and by rounding / h.
static double difference(Arena *scratch, const OpCase *op_case, double *place, const Tensor *values) {
  double middle = *place, step = op_case->tolerance > 0 ? 1e-3 : 1e-5;
  *place = middle + step;
  double above = loss_at(scratch, op_case, values);
  *place = middle - step;
  double below = loss_at(scratch, op_case, values);
  *place = middle;
  return (above - below) / (2 * step);
}

static void check_case(const OpCase *op_case) {
  Arena *arena = arena_new(), *scratch = arena_new();
  Graph *graph = graph_new(arena, op_case->name, BATCH);
  Node *inputs[OP_CASE_INPUTS], *slopes[OP_CASE_INPUTS], *result;
  build(graph, op_case, inputs, &result);
  Tensor *values = case_inputs(arena, op_case);
  if (op_case->differentiable)
    grad(graph, op_case_loss(graph, result), op_case->input_count, inputs, slopes);
  Tensor *computed = interpret(graph, BATCH, values);
  double tolerance = op_case->tolerance > 0 ? op_case->tolerance : 1e-6;
  for (int i = 0; i < op_case->input_count; i++) {
    if (!(op_case->differentiable >> i & 1))
      continue;
    cr_assert(type_equal(&slopes[i]->type, &inputs[i]->type), "%s: input %d", op_case->name, i);
    int64_t every = values[i].count > MANY ? values[i].count / MANY * 2 + 1 : 1;
    for (int64_t at = 0; at < values[i].count; at += every) {
      double numeric = difference(scratch, op_case, &values[i].real[at], values);
      double exact = computed[slopes[i]->id].real[at];
      cr_assert(fabs(numeric - exact) <= tolerance * (1 + fabs(numeric)), "%s: input %d element %lld: %.12g, not %.12g",
                op_case->name, i, (long long)at, exact, numeric);
    }
  }
  arena_free(scratch);
  arena_free(arena);
}

Test(gradients, agree_with_finite_differences) {
  for (int i = 0; i < op_case_count; i++)
    check_case(&op_cases[i]);
}

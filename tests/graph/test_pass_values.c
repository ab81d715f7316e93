// The passes change no value: every operation and its gradient, computed before and after each of them.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "graph/grad.h"
#include "graph/interpret.h"
#include "graph/op_cases.h"
#include "passes/passes.h"

enum { BATCH = 3 };

static Graph *all_passes(Graph *graph) {
  return pass_dce(pass_cse(pass_simplify(pass_fold(graph))));
}

static Graph *build(Arena *arena, const OpCase *op_case, Tensor *values) {
  static const char *const names[OP_CASE_INPUTS] = {"a", "b", "c"};
  Graph *graph = graph_new(arena, op_case->name, BATCH);
  Node *inputs[OP_CASE_INPUTS], *slopes[OP_CASE_INPUTS];
  for (int i = 0; i < op_case->input_count; i++) {
    inputs[i] = graph_input(graph, names[i], op_case->inputs[i]);
    values[i] = tensor_new(arena, &op_case->inputs[i], BATCH);
    for (int64_t at = 0; at < values[i].count; at++) {
      values[i].real[at] = op_case_real(op_case, i, at);
      values[i].whole[at] = op_case_whole(op_case, i, at);
    }
  }
  Node *result = op_case->build(graph, inputs);
  vec_push(arena, &graph->outputs, (GraphOutput){.name = "result", .value = result});
  if (op_case->differentiable) {
    grad(graph, op_case_loss(graph, result), op_case->input_count, inputs, slopes);
    for (int i = 0; i < op_case->input_count; i++)
      vec_push(arena, &graph->outputs, (GraphOutput){.name = "slope", .value = slopes[i]});
  }
  return graph;
}

static void expect_equal(const char *name, Graph *before, Graph *after, const Tensor *values) {
  const Tensor *old = interpret(before, BATCH, values), *new = interpret(after, BATCH, values);
  cr_assert_eq(before->outputs.count, after->outputs.count);
  for (int i = 0; i < before->outputs.count; i++) {
    const Tensor *a = &old[before->outputs.data[i].value->id], *b = &new[after->outputs.data[i].value->id];
    cr_assert(type_equal(&a->type, &b->type), "%s", name);
    bool real = elem_is_real(a->type.elem);
    cr_assert(memcmp(real ? (void *)a->real : a->whole, real ? (void *)b->real : b->whole, 8 * (size_t)a->count) == 0,
              "%s: output %d", name, i);
  }
}

Test(pass_values, stay) {
  Graph *(*const passes[])(Graph *) = {pass_fold, pass_simplify, pass_cse, pass_dce, all_passes};
  for (int i = 0; i < op_case_count; i++)
    for (size_t pass = 0; pass < sizeof passes / sizeof *passes; pass++) {
      Arena *arena = arena_new();
      Tensor values[OP_CASE_INPUTS];
      Graph *graph = build(arena, &op_cases[i], values);
      expect_equal(op_cases[i].name, graph, passes[pass](graph), values);
      arena_free(arena);
    }
}

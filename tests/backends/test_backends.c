// Every operation and its gradient, in every element type that it takes, gives the same bits from the JIT and from C by
// gcc or clang (f32: both), on one thread and two, with every pass and without each; and the values that it should.
#include <criterion/criterion.h>
#include <math.h>

#include "graph/grad.h"
#include "graph/interpret.h"
#include "subject.h"

enum { BATCH = 5 };

static const char *const input_names[OP_CASE_INPUTS] = {"a", "b", "c"};

// Outputs: the result, and, if `gradient`, the loss and the gradient of each input.
static Graph *case_graph(Arena *arena, const OpCase *op_case, bool gradient) {
  Graph *graph = graph_new(arena, op_case->name, BATCH);
  Node *inputs[OP_CASE_INPUTS], *slopes[OP_CASE_INPUTS];
  for (int i = 0; i < op_case->input_count; i++)
    inputs[i] = graph_input(graph, input_names[i], op_case->inputs[i]);
  Node *result = op_case->build(graph, inputs);
  vec_push(arena, &graph->outputs, (GraphOutput){.name = "result", .value = result});
  if (!gradient)
    return graph;
  Node *loss = op_case_loss(graph, result);
  vec_push(arena, &graph->outputs, (GraphOutput){.name = "loss", .value = loss});
  grad(graph, loss, op_case->input_count, inputs, slopes);
  for (int i = 0; i < op_case->input_count; i++)
    if (op_case->differentiable >> i & 1)
      vec_push(arena, &graph->outputs, (GraphOutput){.name = input_names[i], .value = slopes[i]});
  return graph;
}

// Forward alone in element types without gradients.
static void add_case(Subjects *subjects, const OpCase *op_case, ElemType elem) {
  Arena *arena = subjects->arena;
  int64_t state = op_case->op == OP_slot ? 64 : 0;
  Graph *graph = case_graph(arena, op_case, elem_is_real(elem) && op_case->differentiable);
  const char *label = arena_printf(arena, "%s in %s", op_case->name, elem_name(elem));
  subject_add(subjects, label, graph_with_elem(graph, F64, elem, false), state, op_case);
}

// Point operations on every pair of special values, those of one element type in one graph.
static void add_pairs(Subjects *subjects, ElemType elem) {
  enum { SIZE = 23 * 23 };
  Arena *arena = subjects->arena;
  Graph *graph = graph_new(arena, "pairs", 0);
  Type type = {.elem = elem, .rank = 1, .dim = {SIZE}}, found;
  Node *inputs[] = {graph_input(graph, "a", type), graph_input(graph, "b", type)};
  for (Op op = 0; op < OP_COUNT; op++) {
    int arity = op_info[op].arity;
    if (op_info[op].class != POINT || arity > 2 || op == OP_cast ||
        graph_check(arena, op, arity, inputs, &(Attr){0}, NULL, &found))
      continue;
    Node *value = graph_node(graph, op, arity, inputs, NULL, NULL);
    vec_push(arena, &graph->outputs, (GraphOutput){op_name(op), value});
  }
  for (ElemType to = 0; to < ELEM_COUNT; to++)
    if (to != elem)
      vec_push(arena, &graph->outputs, (GraphOutput){elem_name(to), graph_cast(graph, inputs[0], to)});
  subject_add(subjects, arena_printf(arena, "pairs of %s", elem_name(elem)), graph, 0, NULL)->pairs = true;
}

static Subjects all_cases(int type_count, const ElemType *types) {
  Subjects subjects = subjects_new();
  for (int t = 0; t < type_count; t++) {
    for (int i = 0; i < op_case_count; i++)
      add_case(&subjects, &op_cases[i], types[t]);
    add_pairs(&subjects, types[t]);
  }
  return subjects;
}

enum {
  FIRST = 2,    // ways: with and without all passes
  LOWERING = 4, // and those after them in which kernels differ: graphs of one operation leave other passes little to do
};

Test(backends, f32, .timeout = 600) {
  Subjects subjects = all_cases(1, (ElemType[]){F32});
  EXPECT_SAME(&subjects, {BACKEND_JIT, FIRST, every_way}, {BACKEND_GCC, 1, c_ways}, {BACKEND_CLANG, 1, c_ways});
  subjects_free(&subjects);
}

Test(backends, f64, .timeout = 600) {
  skip_with_sanitizers();
  Subjects subjects = all_cases(1, (ElemType[]){F64});
  EXPECT_SAME(&subjects, {BACKEND_JIT, 1, every_way}, {BACKEND_GCC, 1, c_ways});
  subjects_free(&subjects);
}

Test(backends, whole, .timeout = 600) {
  skip_with_sanitizers();
  Subjects subjects = all_cases(4, (ElemType[]){I32, I64, U8, BOOL});
  EXPECT_SAME(&subjects, {BACKEND_JIT, FIRST, every_way}, {BACKEND_CLANG, 1, c_ways});
  subjects_free(&subjects);
}

Test(backends, every_way, .timeout = 600) {
  skip_with_sanitizers();
  Subjects subjects = all_cases(1, (ElemType[]){F32});
  EXPECT_SAME(&subjects, {BACKEND_JIT, LOWERING, every_way + FIRST},
              {BACKEND_JIT, WAYS_FOR_OTHERS, every_way + EVERY_WAY - WAYS_FOR_OTHERS});
  subjects_free(&subjects);
}

// ---- the right values, by the JIT
static bool has_reference(Op op) {
  return op != OP_slot && op != OP_clock && op != OP_random;
}

static void expect_reference(const Code *code, Subject *subject, int64_t n) {
  Arena *arena = arena_new();
  const Graph *graph = subject->graph;
  Tensor *inputs = arena_array(arena, Tensor, graph->inputs.count + 1);
  for (int i = 0; i < graph->inputs.count; i++) {
    inputs[i] = tensor_new(arena, &graph->inputs.data[i].type, n);
    for (int64_t at = 0; at < inputs[i].count; at++) {
      Element value = subject_value(subject, VALUES_PLAIN, i, at);
      inputs[i].real[at] = value.real;
      inputs[i].whole[at] = value.whole;
    }
  }
  const Tensor *truth = interpret(subject->graph, n, inputs);
  Outcome outcome = code_run(code, arena, subject, (Call){n, VALUES_PLAIN, 1});
  for (int i = 0; i < graph->outputs.count; i++) {
    const Tensor *tensor = &truth[graph->outputs.data[i].value->id];
    ElemType elem = tensor->type.elem;
    for (int64_t at = 0; at < tensor->count; at++) {
      int64_t whole = 0;
      memcpy(&whole, outcome.outputs[i] + at * elem_bytes(elem), (size_t)elem_bytes(elem));
      double found =
          elem_is_real(elem) ? outcome_real(&outcome, subject, i, at) : (double)(elem == I32 ? (int32_t)whole : whole);
      double right = elem_is_real(elem) ? tensor->real[at] : (double)tensor->whole[at];
      double tolerance = elem_is_real(elem) ? 1e-13 * (1 + fabs(right)) : 0;
      cr_expect(fabs(found - right) <= tolerance, "%s, n %lld: %s element %lld is %.17g, not %.17g", subject->label,
                (long long)n, graph->outputs.data[i].name, (long long)at, found, right);
    }
  }
  arena_free(arena);
}

Test(backends, values, .timeout = 600) {
  Subjects subjects = subjects_new();
  for (int i = 0; i < op_case_count; i++)
    if (has_reference(op_cases[i].op))
      subject_add(&subjects, op_cases[i].name, case_graph(subjects.arena, &op_cases[i], op_cases[i].differentiable), 0,
                  &op_cases[i]);
  Code *code = code_new(&subjects, &every_way[0], BACKEND_JIT);
  for (int i = 0; i < subjects.all.count; i++)
    for (int64_t n = BATCH; n > 0; n -= 2)
      expect_reference(code, subjects.all.data[i], n);
  code_free(code);
  subjects_free(&subjects);
}

// (f(x + h) - f(x - h)) / 2h is off by O(h^2) and by rounding / h.
static void expect_gradients(const Code *code, Subject *subject, int64_t n) {
  Arena *arena = arena_new();
  const OpCase *op_case = subject->op_case;
  Call call = {n, VALUES_PLAIN, 1};
  Outcome here = code_run(code, arena, subject, call);
  double tolerance = op_case->tolerance > 0 ? op_case->tolerance : 1e-6, step = op_case->tolerance > 0 ? 1e-3 : 1e-5;
  for (int input = 0, output = 2; input < op_case->input_count; input++) {
    if (!(op_case->differentiable >> input & 1))
      continue;
    for (int64_t at = 0; at < type_count(&op_case->inputs[input], n); at++) {
      double x = subject_value(subject, VALUES_PLAIN, input, at).real;
      Outcome above = code_run_changed(code, arena, subject, call, input, at, x + step);
      Outcome below = code_run_changed(code, arena, subject, call, input, at, x - step);
      double numeric = (outcome_real(&above, subject, 1, 0) - outcome_real(&below, subject, 1, 0)) / (2 * step);
      double exact = outcome_real(&here, subject, output, at);
      cr_expect(fabs(numeric - exact) <= tolerance * (1 + fabs(numeric)),
                "%s, n %lld: input %d element %lld: %.12g, not %.12g", subject->label, (long long)n, input,
                (long long)at, exact, numeric);
    }
    output++;
  }
  arena_free(arena);
}

Test(backends, gradients, .timeout = 600) {
  Subjects subjects = subjects_new();
  for (int i = 0; i < op_case_count; i++)
    if (op_cases[i].differentiable)
      subject_add(&subjects, op_cases[i].name, case_graph(subjects.arena, &op_cases[i], true), 0, &op_cases[i]);
  Code *code = code_new(&subjects, &every_way[0], BACKEND_JIT);
  for (int i = 0; i < subjects.all.count; i++)
    for (int64_t n = BATCH; n > 0; n -= 2)
      expect_gradients(code, subjects.all.data[i], n);
  code_free(code);
  subjects_free(&subjects);
}

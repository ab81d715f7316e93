// Models of sequences an element at a time: the bits that the whole sequence gives, whether an element comes after few or
// many; and which models cannot be had so.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "passes/passes.h"
#include "session/jit.h"

enum { LENGTH = 70, TOKENS = 7 }; // more than a tile of attention

typedef struct Streamed {
  Arena *arena;
  const Graph *whole, *step; // step NULL: there is none
  LoopModule *loops;
  int64_t model_bytes; // parameters come first in the state block
} Streamed;

static void add_function(LoopModule *loops, Graph *graph, const char *entry) {
  static const KernelOptions options = {.fuse = true, .order = true, .plan = true};
  Target target = target_host();
  graph = pass_scan(pass_dce(pass_hoist(pass_cse(pass_simplify(pass_fold(graph))))));
  KernelGraph *kernels = fuse(loops->arena, graph, &options);
  order(kernels, &options);
  plan(kernels, &options);
  schedule(loops, kernels, entry, &target);
}

// A model m of x: i64[t] with t = 70, tokens below 7.
static Streamed streamed(const char *body) {
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  const char *text = arena_printf(arena, "const t = %d\nmodel m(x: i64[t]) {\n%s\n}\n", LENGTH, body);
  const Source *source = source_from_string(arena, "m.nn", text);
  Compilation *compiled = compile_source(arena, diag, source, &(CompileOptions){.prediction = true, .no_init = true});
  diag_print(diag, stderr);
  cr_assert(compiled && compiled->program->predicts.count == 1, "%s", body);
  Graph *whole = compiled->program->predicts.data[0]->graph;
  int64_t bytes = compiled->loops->state_bytes, all = bytes;
  Graph *step = pass_stream(whole, "step", &all);
  LoopModule *loops = arena_new_of(arena, LoopModule);
  loops->arena = arena;
  loops->name = "m";
  loops->state_bytes = all;
  add_function(loops, whole, "whole");
  if (step)
    add_function(loops, step, "step");
  return (Streamed){arena, whole, step, loops, bytes};
}

static void *memory(int64_t bytes) {
  void *block = aligned_alloc(64, (size_t)whole_lines(bytes + 1));
  memset(block, 0, (size_t)whole_lines(bytes + 1));
  return block;
}

static int64_t width_of(const Graph *graph) {
  const Type *type = &graph->outputs.data[0].value->type;
  return type_count(type, 1) / LENGTH * elem_bytes(type->elem);
}

static void expect_same(const char *body) {
  Streamed m = streamed(body);
  cr_assert_not_null(m.step, "%s", body);
  char *error = NULL;
  Jit *jit = jit_compile(m.loops, NULL, &error);
  cr_assert_not_null(jit, "%s", error);
  int64_t width = width_of(m.whole), tokens[LENGTH], token = 0;
  uint8_t *state = memory(m.loops->state_bytes), *arena = memory(m.loops->arena_bytes);
  uint8_t *expected = memory(LENGTH * width), *found = memory(width);
  for (int64_t i = 0; i < m.model_bytes / 4; i++)
    ((float *)state)[i] = (float)((i * 7919 + i * i % 31) % 97 - 48) / 60;
  for (int i = 0; i < LENGTH; i++)
    tokens[i] = (i * i + i / 3) % TOKENS;
  NnrtFrame frame = {.state = state, .arena = arena, .clock = {0, 0, 0, 0, 1}, .threads = 1};
  frame.inputs = (const void *[]){tokens};
  frame.outputs = (void *[]){expected};
  jit_entry(jit, "whole")(&frame);
  frame.inputs = (const void *[]){&token};
  frame.outputs = (void *[]){found};
  for (int i = 0; i < LENGTH; i++) {
    token = tokens[i];
    frame.clock[0] = i;
    jit_entry(jit, "step")(&frame);
    cr_assert(memcmp(found, expected + i * width, (size_t)width) == 0, "element %d of\n%s", i, body);
  }
  free(state), free(arena), free(expected), free(found);
  jit_free(jit);
  arena_free(m.arena);
}

static void expect_none(const char *body) {
  Streamed m = streamed(body);
  cr_assert_null(m.step, "%s", body);
  arena_free(m.arena);
}

Test(stream, recurrent_models) {
  expect_same("one_hot(x, 7) |> lstm(6) |> dense(5)");
  expect_same("embedding(x, 7, 4) |> stacked(gru, units: 6, layers: 3, rate: 0.5) |> dense(5)");
  expect_same("embedding(x, 7, 4) |> lstm(6, peepholes: true) |> simple_rnn(3) |> softmax");
  expect_same("e = embedding(x, 7, 4)\n"
              "h = scan u in e along -2 with h = zeros([..., 4]) + 1.5, n = 0 {\n" // begins with values of its own
              "  n = n + 1\n"
              "  h = h * 0.5 + u / cast(n, f32)\n"
              "  yield h\n"
              "}\n"
              "h");
}

Test(stream, transformers) {
  expect_same("param e: f32[7, 16] = normal\n"
              "take(e, x) |> learned_positions |> transformer_encoder_layer(2, causal: true, norm_first: true)\n"
              "  |> transformer_encoder_layer(4, causal: true, activation: gelu) |> layer_norm |> dense(7)");
  expect_same("embedding(x, 7, 16) |> multi_head_attention(4, kv_heads: 2, causal: true, positions: rotary_positions) "
              "|> dense(7)");
  expect_same("embedding(x, 7, 8) |> sinusoidal_positions |> multi_head_attention(2, causal: true) |> rms_norm");
}

Test(stream, both_kinds_and_what_stands_around_them) {
  expect_same("h = embedding(x, 7, 8) |> lstm(8)\n"
              "h + (h |> multi_head_attention(2, causal: true)) |> dense(3) |> softmax");
  expect_same("e = embedding(x, 7, 6)\n"
              "c = concat([e, e * 2.0, tanh(e)], axis: -1)\n"
              "reverse(c, axis: -1)[:, :, 2:9] |> relu");
  expect_same("e = embedding(x, 7, 6)\nargmax(e, axis: -1) |> one_hot(6)");
  expect_same(
      "e = embedding(x, 7, 6)\nreshape(cast(arange(t), f32), [t, 1]) * e + reduce_max(e, axis: -1, keep: true)");
}

Test(stream, what_needs_what_comes_after) {
  expect_none("embedding(x, 7, 4) |> bidirectional(lstm, units: 6)");
  expect_none("embedding(x, 7, 8) |> multi_head_attention(2)");
  expect_none("e = embedding(x, 7, 4)\ne - reduce_mean(e, axis: 1, keep: true)");
  expect_none("e = embedding(x, 7, 4)\nreverse(e, axis: 1)");
  expect_none("e = embedding(x, 7, 4)\nscan u in e along -2 with h = e[:, 9] { h = h + u; yield h }");
  expect_none("(h, last) = scan u in embedding(x, 7, 4) along -2 with h = zeros([..., 4]) { h = h + u; yield h }\n"
              "h + reshape(last, [..., 1, 4])");
  expect_none("embedding(x, 7, 4) |> lstm(6, lengths: full(shape(x)[:1], 3, i64))");
  expect_none("e = embedding(x, 7, 4)\nconcat([e[:, 1:], e[:, :1]], axis: 1)");
  expect_none("e = embedding(x, 7, 4)\nparam w: f32[t, t] = normal\nw @ e");
  expect_none("e = embedding(x, 7, 4)\ne + normal([t, 4])");
}

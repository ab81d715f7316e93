// What a program becomes: slots and their names, the graphs of a train block, predictions.
#include "elab_helper.h"

static const char digits[] = "data d = gauss(n: 64) |> split(val: 0.25)\n"
                             "model net(x: f32[2]) -> f32[2] {\n"
                             "  x |> dense(8) |> relu |> dropout(0.5) |> dense(2)\n"
                             "}\n"
                             "train {\n"
                             "  model: net; data: d; loss: cross_entropy; optimizer: adam(lr: 1e-2)\n"
                             "  batch: 16; epochs: 3; metrics: [accuracy]\n"
                             "  save: best(val.loss, to: \"net.safetensors\")\n"
                             "}\n";

Test(programs, settings_form) {
  const Program *program = program_of(digits);
  cr_assert_eq(program->trains.count, 1);
  const TrainBlock *train = program->trains.data[0];
  cr_expect_eq(train->settings.batch, 16);
  cr_expect_eq(train->settings.epochs, 3);
  cr_expect_eq(train->settings.save, NNRT_SAVE_BEST);
  cr_expect_str_eq(train->settings.save_value, "val.loss");
  cr_expect_str_eq(train->settings.save_to, "net.safetensors");
  cr_expect_eq(train->train->batch, 16);
  cr_assert_eq(train->train->inputs.count, 2);
  cr_expect_eq(train->train->inputs.data[1].type.elem, I64);
  cr_assert_eq(train->train->outputs.count, 2);
  cr_expect_str_eq(train->train->outputs.data[0].name, "loss");
  cr_expect_str_eq(train->train->outputs.data[1].name, "accuracy");
  cr_expect(!train->higher_is_better[0] && train->higher_is_better[1]);
  cr_expect_eq(train->train->updates.count, 12);
  cr_expect_eq(train->eval->updates.count, 0);
  cr_expect_eq(nodes_of(train->train, OP_random), 1);
  cr_expect_eq(nodes_of(train->eval, OP_random), 0, "dropout does nothing with training off");
  cr_expect_eq(train->predict, 0);
}

Test(programs, slots_are_named_by_their_calls) {
  const Program *program = program_of(digits);
  const Slot *w = slot_named(program, "net.dense_0.w"), *m = slot_named(program, "adam.net.dense_1.b.m");
  cr_assert(w && m);
  cr_expect_eq(w->kind, SLOT_PARAM);
  cr_expect_eq(w->type.dim[1], 8);
  cr_expect_eq(m->kind, SLOT_OPTIMIZER);
  cr_expect_eq(program->slots.count, 12);
  for (int i = 0; i < program->slots.count; i++)
    cr_expect_eq(program->slots.data[i]->index, i);
  cr_expect_eq(program->init->updates.count, 2, "biases and moments start at zero");
}

Test(programs, names_by_argument) {
  const Program *program = program_of("layer block(x: T[..., n]) { x |> dense(n, name: \"in\") |> dense(n) }\n"
                                      "model m(x: f32[3]) { for i in 0..2 { x = x |> block }\n x }");
  cr_expect(slot_named(program, "m.block_0.in.w") && slot_named(program, "m.block_1.dense_0.w"));
}

Test(programs, a_model_shares_its_parameters) {
  const Program *program = program_of("model part(x: f32[3]) { x |> dense(3) }\n"
                                      "model whole(x: f32[3]) { x |> part |> part }\n");
  cr_expect_eq(program->slots.count, 2);
  cr_expect(slot_named(program, "part.dense_0.w"));
}

static int64_t stream_of(const Program *program, const char *path) {
  for (int i = 0; i < program->init->updates.count; i++)
    if (!strcmp(program->init->updates.data[i].slot->name, path)) {
      const Node *node = program->init->updates.data[i].value;
      while (node->op != OP_random)
        node = node->inputs[node->input_count - 1];
      return node->attr->integer;
    }
  return 0;
}

Test(programs, initial_values_do_not_depend_on_neighbours) {
  const Program *one = program_of("model m(x: f32[3]) { x |> dense(3, name: \"a\") |> dense(3, name: \"b\") }");
  const Program *two = program_of("model m(x: f32[3]) { x |> dense(3, name: \"c\") |> dense(3, name: \"b\") }");
  cr_expect_neq(stream_of(one, "m.a.w"), 0);
  cr_expect_neq(stream_of(one, "m.a.w"), stream_of(one, "m.b.w"));
  cr_expect_eq(stream_of(one, "m.b.w"), stream_of(two, "m.b.w"));
}

Test(programs, predictions_are_probabilities) {
  const Program *program = program_of(digits);
  cr_assert_eq(program->predicts.count, 1);
  cr_expect_eq(program->predicts.data[0]->task, NNRT_CLASSES);
  cr_expect_eq(output_of(program->predicts.data[0]->graph, "y")->op, OP_div, "softmax is appended");
}

// A sigmoid that weighs something is no probability.
Test(programs, a_sigmoid_within_is_no_end) {
  program_of(
      "data d = gauss(n: 64)\n"
      "model m(x: f32[2]) -> f32[2] { a = x |> dense(2)\n a * sigmoid(a) |> dropout(0.5) }\n"
      "model k(x: f32[2]) -> f32[2] { x |> dense(2) |> softmax |> dense(2) |> reshape([-1, 2]) }\n"
      "train { data: d\n step (x, y) { minimize cross_entropy(m(x), y) + cross_entropy(k(x), y) using sgd } }\n");
}

Test(programs, softmax_is_folded_into_the_loss) {
  const Program *program = program_of("data d = gauss(n: 64)\n"
                                      "model m(x: f32[2]) -> f32[2] { x |> dense(2) |> softmax }\n"
                                      "train { model: m; data: d; loss: cross_entropy; optimizer: sgd }");
  const Graph *predict = program->predicts.data[0]->graph;
  cr_expect_eq(program->predicts.data[0]->task, NNRT_CLASSES);
  cr_expect_eq(nodes_of(predict, OP_exp), 1, "no second softmax");
  const Node *loss = output_of(program->trains.data[0]->eval, "loss");
  bool *seen = arena_array(program->arena, bool, loss->id + 1);
  seen[loss->id] = true;
  int exps = 0;
  for (int id = loss->id; id >= 0; id--) {
    const Node *node = program->trains.data[0]->eval->nodes.data[id];
    exps += seen[id] && node->op == OP_exp;
    for (int i = 0; seen[id] && i < node->input_count; i++)
      seen[node->inputs[i]->id] = true;
  }
  cr_expect_eq(exps, 1, "the loss sees the logits");
}

Test(programs, sigmoid_is_folded_into_the_loss) {
  const Program *program = program_of("data d = gauss(n: 64)\n"
                                      "model m(x: f32[2]) -> f32[1] { x |> dense(1) |> sigmoid }\n"
                                      "train { model: m; data: d; loss: binary_cross_entropy; optimizer: sgd }");
  cr_expect_eq(program->predicts.data[0]->task, NNRT_BINARY);
  cr_expect_eq(nodes_of(program->predicts.data[0]->graph, OP_logistic), 1);
}

static const char gan[] = "data d = gauss(n: 64)\n"
                          "model gen(z: f32[2]) -> f32[2] { z |> dense(4) |> tanh |> dense(2) }\n"
                          "model dis(x: f32[2]) -> f32[1] { x |> dense(4) |> tanh |> dense(1) }\n"
                          "train {\n"
                          "  data: d\n"
                          "  step (x) {\n"
                          "    fake = gen(normal(shape(x)))\n"
                          "    real = binary_cross_entropy(dis(x), ones([shape(x)[0], 1]))\n"
                          "    minimize real + binary_cross_entropy(dis(fake), zeros([shape(x)[0], 1])) over dis using "
                          "adam(lr: cosine(1e-3))\n"
                          "    minimize binary_cross_entropy(dis(fake), ones([shape(x)[0], 1])) over gen using adam\n"
                          "  }\n"
                          "}\n";

Test(programs, two_minimize_statements) {
  const Program *program = program_of(gan);
  const TrainBlock *train = program->trains.data[0];
  cr_expect(slot_named(program, "adam.dis.dense_0.w.m") && slot_named(program, "adam_1.gen.dense_0.w.m"));
  cr_expect_null(slot_named(program, "adam.gen.dense_0.w.m"));
  cr_expect_eq(train->train->updates.count, 24);
  cr_expect_eq(train->train->inputs.count, 1);
  cr_expect_eq(train->train->outputs.count, 1);
  cr_expect_eq(train->eval->updates.count, 0);
}

// The second loss must see the discriminator as the first statement left it.
Test(programs, later_statements_see_updates) {
  const Program *program = program_of(gan);
  const Graph *graph = program->trains.data[0]->train;
  const Slot *w = slot_named(program, "dis.dense_0.w");
  const Node *updated = NULL;
  for (int i = 0; i < graph->updates.count; i++)
    if (graph->updates.data[i].slot == w)
      updated = graph->updates.data[i].value;
  cr_assert_not_null(updated);
  int products = 0;
  for (int i = 0; i < graph->nodes.count; i++) {
    const Node *node = graph->nodes.data[i];
    products +=
        node->op == OP_matmul && node->inputs[1]->op == OP_stop_gradient && node->inputs[1]->inputs[0] == updated;
  }
  cr_expect_eq(products, 1);
}

Test(programs, updates_without_gradients) {
  const Program *program =
      program_of("model rbm() { param w: f32[2, 3] = normal(0.01); param a: f32[2] = zeros; param b: f32[3] = zeros }\n"
                 "data d = gauss(n: 64)\n"
                 "train boltzmann {\n"
                 "  data: d; batch: 20; epochs: 15\n"
                 "  step (v0) {\n"
                 "    p0 = sigmoid(v0 @ rbm.w + rbm.b)\n"
                 "    h0 = bernoulli(p0)\n"
                 "    v1 = sigmoid(h0 @ transpose(rbm.w) + rbm.a)\n"
                 "    p1 = sigmoid(v1 @ rbm.w + rbm.b)\n"
                 "    rbm.w := rbm.w + 0.1 * (transpose(v0) @ p0 - transpose(v1) @ p1) / count(v0)\n"
                 "    report error: reduce_mean((v0 - v1) ** 2)\n"
                 "  }\n"
                 "}\n");
  const TrainBlock *train = program->trains.data[0];
  cr_expect_str_eq(train->name, "boltzmann");
  cr_expect_str_eq(train->train->outputs.data[0].name, "error");
  cr_assert_eq(train->train->updates.count, 1);
  cr_expect_str_eq(train->train->updates.data[0].slot->name, "rbm.w");
  cr_expect_eq(train->eval->updates.count, 0);
  cr_expect_eq(train->predict, -1);
}

Test(programs, state_changes_in_training_only) {
  const Program *program = program_of(
      "layer norm(x: f32[..., c]) {\n"
      "  state mean: f32[c] = zeros\n"
      "  m = mean\n"
      "  if training {\n    m = reduce_mean(x, axis: range(0, rank(x) - 1))\n    mean := 0.9 * mean + 0.1 * m\n  }\n"
      "  x - m\n"
      "}\n"
      "data d = gauss(n: 64)\n"
      "model m(x: f32[2]) -> f32[2] { x |> norm |> dense(2) }\n"
      "train { model: m; data: d; loss: cross_entropy; optimizer: sgd; batch: all }\n");
  const TrainBlock *train = program->trains.data[0];
  const Slot *mean = slot_named(program, "m.norm_0.mean");
  cr_assert_not_null(mean);
  cr_expect_eq(mean->kind, SLOT_STATE);
  cr_expect_eq(train->train->updates.count, 3);
  cr_expect_eq(train->eval->updates.count, 0);
  cr_expect_eq(train->settings.batch, -1);
  cr_expect_eq(train->train->batch, 64);
}

Test(programs, frozen_parameters_stay) {
  const Program *program =
      program_of("data d = gauss(n: 64)\n"
                 "model m(x: f32[2]) -> f32[2] { x |> dense(2, name: \"stem\") |> dense(2) }\n"
                 "train { model: m; data: d; loss: cross_entropy; optimizer: sgd; freeze: [m.stem, \"*.b\"] }\n");
  cr_assert_eq(program->trains.data[0]->train->updates.count, 1);
  cr_expect_str_eq(program->trains.data[0]->train->updates.data[0].slot->name, "m.dense_0.w");
}

Test(programs, what_decides_when_to_save) {
  const NnrtTrain *train = &program_of("data d = gauss(n: 64) |> split(val: 0.25)\n"
                                       "model m(x: f32[2]) -> f32[2] { x |> dense(2) }\n"
                                       "train { model: m; data: d; loss: cross_entropy; optimizer: sgd\n"
                                       "  save: best(train.loss, to: \"a\"); early_stop: patience(2, val.loss) }\n")
                                ->trains.data[0]
                                ->settings;
  cr_expect_str_eq(train->save_value, "loss");
  cr_expect_str_eq(train->patience_value, "val.loss");
}

// A name of the result is an argument's, else a constant, else what comes.
Test(programs, names_in_results) {
  program_of("const k = 4\nlayer f(x: T[..., n]) -> T[..., k] { x }\nlayer g(x: T[..., k]) -> T[..., k] { x }\n"
             "layer h(x: T[..., n]) -> T[..., any] { dense(x, 7) }\n"
             "model m(x: f32[4]) -> f32[3] { x |> f |> h |> dense(3) |> g }\n");
}

Test(programs, none_is_passed_on) {
  const Program *program = program_of(
      "layer inner(x: T[..., n], act: layer = none, bias: f32[n] = none) -> T[..., n] {\n"
      "  y = if act == none { x } else { act(x) }\n"
      "  if bias == none { y } else { y + bias }\n"
      "}\n"
      "layer outer(x: T[..., n], act: layer = none, bias: f32[n] = none) -> T[..., n] { inner(x, act, bias) }\n"
      "model m(x: f32[4]) { outer(x) }\n"
      "model k(x: f32[4]) { outer(x, tanh, bias: ones([4])) }\n");
  cr_expect_eq(nodes_of(program->predicts.data[0]->graph, OP_add), 0);
  cr_expect_eq(nodes_of(program->predicts.data[1]->graph, OP_add), 1);
  cr_expect_eq(nodes_of(program->predicts.data[1]->graph, OP_tanh), 1);
}

Test(programs, several_inputs_and_results) {
  const Program *program =
      program_of("model siamese(a: f32[8], b: f32[8]) -> (f32[4], f32[4]) { (dense(a, 4), dense(b, 4)) }\n"
                 "test \"t\" { (p, q) = siamese(ones([3, 8]), ones([3, 8]))\n expect shape(p) == [3, 4] }");
  cr_assert_eq(program->predicts.count, 1);
  cr_expect_eq(program->predicts.data[0]->graph->inputs.count, 2);
  cr_expect_eq(program->predicts.data[0]->graph->outputs.count, 2);
}

Test(programs, tests_hold_their_own_parameters) {
  const Program *program = program_of("model m(x: f32[4]) { x |> dense(2) }\n"
                                      "test \"t\" {\n  expect parameters(m) == 10\n"
                                      "  minimize reduce_sum(m(ones([1, 4]))) using sgd\n"
                                      "  expect close(m.dense_0.b, [-0.01, -0.01])\n}");
  const TestBlock *test = program->tests.data[0];
  cr_assert_eq(test->expectations.count, 2);
  cr_expect(test->expectations.data[0].constant);
  cr_assert_not_null(test->graph);
  cr_expect_eq(test->graph->inputs.count, 0);
  cr_expect_eq(nodes_of(test->graph, OP_slot), 0);
  cr_expect_eq(test->graph->outputs.data[test->expectations.data[1].output].value->type.elem, BOOL);
}

// Each output meets the weights of its channel; of a transposed convolution each input does.
Test(programs, multiply_adds) {
  static const char text[] =
      "layer spread(x) { x |> conv_transpose2d(5, 2, stride: 2) }\n"
      "model grouped(x: f32[8, 8, 2]) { x |> conv2d(4, 3, groups: 2) |> relu }\n"
      "model deep(x: f32[8, 8, 4]) { x |> depthwise_conv2d(3, padding: same) |> max_pool(2) }\n"
      "model up(x: f32[16, 16, 4]) { x |> spread }\n"
      "model flat(x: f32[4]) { x |> dense(7) }\n"
      "model nothing(x: f32[4]) { x |> relu }\n"
      "test \"t\" {\n  expect multiply_adds(grouped) == 6 * 6 * 4 * 9\n"
      "  expect multiply_adds(deep) == 8 * 8 * 4 * 9\n  expect multiply_adds(up) == 16 * 16 * 4 * 4 * 5\n"
      "  expect multiply_adds(flat) == 28\n  expect multiply_adds(nothing) == 0\n}\n";
  const TestBlock *test = program_of(text)->tests.data[0];
  cr_assert_eq(test->expectations.count, 5);
  for (int i = 0; i < 5; i++)
    cr_expect_null(test->expectations.data[i].failed, "%s: %s", test->expectations.data[i].text,
                   test->expectations.data[i].failed);
}

// A model may ask how large another one is; what is wrong with a model is said once, however often it is asked.
Test(programs, sizes_of_models_inside_models) {
  static const char text[] =
      "model a(x: f32[4]) { x |> dense(3) |> dense(2) }\n"
      "model b(x: f32[4]) { x |> dense(parameters(a)) |> dense(parameters(a.dense_1)) }\n"
      "test \"t\" {\n  expect parameters(b) == 5 * 23 + 24 * 8\n  expect parameters(b.dense_1) == 24 * 8\n"
      "  expect multiply_adds(b) == 4 * 23 + 23 * 8\n}\n";
  Elaborated results[] = {elaborate_text(text), elaborate_check(text)};
  for (int i = 0; i < 2; i++) {
    cr_assert_not_null(results[i].program, "%s", results[i].messages);
    const TestBlock *test = results[i].program->tests.data[0];
    for (int k = 0; k < 3; k++)
      cr_expect_null(test->expectations.data[k].failed, "%s: %s", test->expectations.data[k].text,
                     test->expectations.data[k].failed);
    arena_free(results[i].arena);
  }
  Elaborated wrong = elaborate_check("model a(x: f32[4]) { x |> dense(0) }\n"
                                     "test \"t\" { expect parameters(a) == 1\n expect multiply_adds(a) == 1 }\n");
  cr_assert_null(wrong.program);
  const char *error = strstr(wrong.messages, "error:");
  cr_assert_not_null(error);
  cr_expect_null(strstr(error + 1, "error:"), "%s", wrong.messages);
  arena_free(wrong.arena);
}

// Slots are found by their names however many there are.
Test(programs, many_parameters) {
  const Program *program = program_of("model m(x: f32[2]) { for i in 0..300 { x = x |> dense(2) }\n x }\n"
                                      "test \"t\" { expect parameters(m) == 300 * 6 }");
  cr_assert_eq(program->slots.count, 600);
  cr_expect_eq(slot_named(program, "m.dense_299.b")->index, 599);
  cr_expect_null(program->tests.data[0]->expectations.data[0].failed);
}

Test(programs, imports) {
  Elaborated result = elaborate_text("import \"tests/elaborate/blocks.nn\"\n"
                                     "model m(x: f32[4]) -> f32[6] { x |> block |> dense(width) }\n"
                                     "test \"t\" { expect parameters(shared) == 30 }\n");
  cr_assert_not_null(result.program, "%s", result.messages);
  cr_expect(slot_named(result.program, "m.block_0.dense_0.w"));
  cr_expect_null(result.program->tests.data[0]->expectations.data[0].failed);
  arena_free(result.arena);
}

Test(programs, a_file_replaces_a_prelude_layer_for_itself) {
  const Program *program = program_of("layer relu(x) { x * 2 }\n"
                                      "model m(x: f32[4]) { x |> relu }\n");
  cr_expect_eq(nodes_of(program->predicts.data[0]->graph, OP_max), 0);
  cr_expect_eq(nodes_of(program->predicts.data[0]->graph, OP_mul), 1);
}

Test(programs, types_and_names) {
  const Program *program = program_of("model m(x: f64[3]) { x |> dense(2) |> sigmoid }");
  cr_expect_eq(slot_named(program, "m.dense_0.w")->type.elem, F64);
  cr_expect_str_eq(program->name, "t");
}

Test(programs, draws_of_one_model_called_twice_differ) {
  const Program *program = program_of("model m(x: f32[2]) { x + uniform(shape(x)) }\n"
                                      "model k(x: f32[2]) { m(x) + m(x) }\n");
  const Graph *graph = program->predicts.data[1]->graph;
  int64_t first = 0;
  for (int i = 0; i < graph->nodes.count; i++)
    if (graph->nodes.data[i]->op == OP_random) {
      cr_expect_neq(graph->nodes.data[i]->attr->integer, first);
      first = graph->nodes.data[i]->attr->integer;
    }
  cr_expect_eq(nodes_of(graph, OP_random), 2);
}

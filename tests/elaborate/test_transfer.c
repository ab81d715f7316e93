// Transfer learning in the graphs: what is frozen takes no part in the step, and each `unfreeze` is a step of its own.
#include "elab_helper.h"

#define NORM                                                                                                           \
  "layer norm(x: f32[..., c]) -> f32[..., c] {\n"                                                                      \
  "  param gamma: f32[c] = ones\n"                                                                                     \
  "  state mean: f32[c] = zeros\n"                                                                                     \
  "  m = mean\n"                                                                                                       \
  "  if training { m = reduce_mean(x, axis: 0); mean := 0.9 * mean + 0.1 * m }\n"                                      \
  "  gamma * (x - m)\n"                                                                                                \
  "}\n"                                                                                                                \
  "data d = gauss(n: 64)\n"                                                                                            \
  "model m(x: f32[2]) -> f32[2] {\n"                                                                                   \
  "  x |> dense(8, name: \"stem\") |> norm(name: \"norm\") |> dropout(0.5) |> dense(2, name: \"head\")\n"              \
  "}\n"
#define TRAIN NORM "train { model: m; data: d; loss: cross_entropy; optimizer: adam; epochs: 9; batch: 32; "

static bool updates(const Graph *graph, const char *name) {
  for (int i = 0; i < graph->updates.count; i++)
    if (!strcmp(graph->updates.data[i].slot->name, name))
      return true;
  return false;
}

static const TrainBlock *block_of(const char *text) {
  return program_of(text)->trains.data[0];
}

Test(transfer, a_frozen_call_is_as_in_evaluation) {
  const Graph *open = block_of(TRAIN "}")->train, *frozen = block_of(TRAIN "freeze: [m.norm] }")->train;
  cr_expect(updates(open, "m.norm.mean"));
  cr_expect(!updates(frozen, "m.norm.mean"));
  cr_expect(!updates(frozen, "m.norm.gamma"));
  cr_expect(updates(frozen, "m.stem.w"));
  cr_expect_eq(nodes_of(frozen, OP_random), 1);
}

Test(transfer, patterns_freeze_calls_by_all_that_is_in_them) {
  cr_expect(!updates(block_of(TRAIN "freeze: \"m.n*.*\" }")->train, "m.norm.mean"));
  cr_expect(updates(block_of(TRAIN "freeze: \"*.gamma\" }")->train, "m.norm.mean"));
}

Test(transfer, a_normalisation_without_parameters_is_frozen_and_loaded) {
  const Program *program =
      program_of("data d = gauss(n: 64)\n"
                 "model m(x: f32[2]) -> f32[2] { x |> batch_norm(center: false, scale: false) |> dense(2) }\n"
                 "train { model: m; data: d; loss: cross_entropy; optimizer: sgd; freeze: \"m.batch_norm_0\"; "
                 "load: [m.batch_norm_0: \"a.safetensors\"] }");
  cr_expect(!updates(program->trains.data[0]->train, "m.batch_norm_0.mean"));
  cr_expect(updates(program->trains.data[0]->train, "m.dense_0.w"));
}

Test(transfer, a_target_network_can_still_be_assigned_to) {
  const TrainBlock *block = block_of(NORM "model copy(x: f32[2]) -> f32[2] { x |> dense(2) }\n"
                                          "train {\n  data: d; freeze: [copy]\n"
                                          "  step (x, y) {\n"
                                          "    minimize cross_entropy(m(x), y) + mse(m(x), copy(x)) using sgd\n"
                                          "    copy.dense_0.b := 0.9 * copy.dense_0.b + 0.1 * m.head.b\n"
                                          "  }\n}\n");
  cr_expect(updates(block->train, "copy.dense_0.b"));
  cr_expect(!updates(block->train, "copy.dense_0.w"));
}

Test(transfer, frozen_parts_have_no_gradients_and_no_optimizer_state) {
  const Program *program = program_of(TRAIN "freeze: [m.stem, m.norm] }");
  const Graph *graph = program->trains.data[0]->train;
  cr_expect_null(slot_named(program, "adam.m.stem.w.m"));
  cr_expect_not_null(slot_named(program, "adam.m.head.w.m"));
  cr_expect_eq(nodes_of(graph, OP_matmul), 3); // two forward, one for the gradient of the head
  cr_expect_eq(graph->updates.count, 6);
}

Test(transfer, what_is_loaded_where) {
  const NnrtTrain *train =
      &block_of(TRAIN "load: from(\"a.safetensors\", into: m.stem, part: \"encoder.layer_0\", layout: pytorch, "
                      "rename: [\"*.weight\": \"*.w\", bias: \"b\"]) }")
           ->settings;
  cr_assert_eq(train->load_count, 1);
  const NnrtWeights *weights = &train->loads[0];
  cr_expect_str_eq(weights->path, "a.safetensors");
  cr_expect_str_eq(weights->into, "m.stem");
  cr_expect_str_eq(weights->part, "encoder.layer_0");
  cr_expect_null(weights->only);
  cr_expect(weights->pytorch);
  cr_assert_eq(weights->rename_count, 2);
  cr_expect_str_eq(weights->renames[0].from, "*.weight");
  cr_expect_str_eq(weights->renames[0].to, "*.w");
  cr_expect_str_eq(weights->renames[1].from, "bias");
  train = &block_of(TRAIN "load: { m.stem: \"a.safetensors\"; \"*.w\": from(\"b.safetensors\") } }")->settings;
  cr_assert_eq(train->load_count, 2);
  cr_expect_str_eq(train->loads[0].only, "m.stem");
  cr_expect_str_eq(train->loads[1].only, "*.w");
  cr_expect_str_eq(train->loads[1].path, "b.safetensors");
}

Test(transfer, each_unfreeze_is_a_step_of_its_own) {
  const Program *program = program_of(TRAIN "freeze: [m.stem, m.norm]; unfreeze: [after(2, m.norm), after(5)] }");
  const TrainBlock *block = program->trains.data[0];
  cr_assert_eq(block->phases.count, 2);
  cr_expect_eq(block->phases.data[0].epochs, 2);
  cr_expect_eq(block->phases.data[1].epochs, 5);
  const Graph *first = block->phases.data[0].train, *second = block->phases.data[1].train;
  cr_expect(!updates(block->train, "m.norm.gamma"));
  cr_expect(updates(first, "m.norm.gamma"));
  cr_expect(updates(first, "m.norm.mean"));
  cr_expect(!updates(first, "m.stem.w"));
  cr_expect(updates(second, "m.stem.w"));
  cr_expect_null(slot_named(program, "adam_1.m.head.w.m"), "one optimizer goes through all of them");
  cr_expect_eq(first->outputs.count, block->train->outputs.count);
}

Test(transfer, a_part_with_an_optimizer_of_its_own_can_wait) {
  const Program *program = program_of(NORM "train {\n  data: d; epochs: 4; freeze: [m.stem]; unfreeze: after(2)\n"
                                           "  step (x, y) {\n    loss = cross_entropy(m(x), y)\n"
                                           "    minimize loss over m.stem using adam(1e-4)\n"
                                           "    minimize cross_entropy(m(x), y) over m.head using adam(1e-3)\n"
                                           "  }\n}\n");
  const TrainBlock *block = program->trains.data[0];
  cr_expect(!updates(block->train, "m.stem.w"));
  cr_expect(updates(block->train, "m.head.w"));
  cr_expect(updates(block->phases.data[0].train, "m.stem.w"));
  cr_expect(updates(block->phases.data[0].train, "m.head.w"));
  cr_expect_not_null(slot_named(program, "adam.m.head.w.m"));
  cr_expect_not_null(slot_named(program, "adam_1.m.stem.w.m"));
}

Test(transfer, slots_know_the_layer_that_declares_them) {
  const Program *program = program_of(TRAIN "}");
  cr_expect_str_eq(slot_named(program, "m.head.w")->layer, "dense");
  cr_expect_null(slot_named(program, "m.norm.gamma")->layer, "one of the file's own");
  cr_expect_null(slot_named(program, "adam.m.head.w.m")->layer);
}

// The first step of an optimizer is one of small averages that are not yet what they will be.
Test(transfer, an_optimizer_counts_from_where_it_begins) {
  const Program *program = program_of(TRAIN "freeze: [m.stem]; unfreeze: after(2) }");
  const TrainBlock *block = program->trains.data[0];
  const Slot *counter = slot_named(program, "unfreeze.1.step");
  cr_assert_not_null(counter);
  cr_expect_eq(counter->kind, SLOT_OPTIMIZER);
  cr_expect(!updates(block->train, counter->name));
  cr_expect(updates(block->phases.data[0].train, counter->name));
  cr_expect_null(
      slot_named(program_of(NORM "train { model: m; data: d; loss: cross_entropy; optimizer: sgd; epochs: 4; "
                                 "freeze: [m.stem]; unfreeze: after(2) }"),
                 "unfreeze.1.step"),
      "sgd does not ask");
}

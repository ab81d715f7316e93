// Less memory for more time: values of the forward half of a training step that are not kept (keep.c) are computed again for the
// gradients, from what is kept, just before the gradients that read them. What never lies in memory stays as it is where it is made
// of what is kept; what a forgotten value is made of is computed again with it. The same operations on the same values: no bit
// changes.
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct Recompute {
  Rewrite rewrite;
  int turn;             // the first node of the gradients
  const bool *kept;     // by id, of nodes before the turn
  const int64_t *bytes; // by id: what it takes in memory
  bool *lost;           // by id: computed inside its readers, from what is not kept
  Node **twin;          // by id: the node that computes it again
  double cost;
} Recompute;

// What is not in memory is computed inside its readers, or, of products and reductions, in the registers of the kernel that reads
// them. Results of scans are in memory wherever they are read.
static bool is_lost(const Recompute *state, const Node *node) {
  OpClass class = op_info[node->op].class;
  bool lost = class == SCAN && !state->kept[node->id];
  for (int i = 0; i < node->input_count && (class == POINT || class == INDEX); i++) {
    int input = node->inputs[i]->id;
    lost = lost || (state->bytes[input] ? !state->kept[input] : state->lost[input]);
  }
  return lost;
}

static Node *again(Recompute *state, const Node *node) {
  int id = node->id;
  if (state->kept[id])
    return state->rewrite.map[id];
  if (state->twin[id])
    return state->twin[id];
  Node **inputs = arena_array(state->rewrite.to->arena, Node *, node->input_count + 1);
  for (int i = 0; i < node->input_count; i++)
    inputs[i] = again(state, node->inputs[i]);
  state->cost += (double)node_multiply_adds(node, state->rewrite.from->batch);
  state->twin[id] = rewrite_copy(&state->rewrite, node, inputs);
  state->twin[id]->again = true;
  return state->twin[id];
}

static Node *for_gradients(Recompute *state, const Node *node) {
  int id = node->id;
  bool there = id >= state->turn || (!state->bytes[id] && !state->lost[id]);
  return there ? state->rewrite.map[id] : again(state, node);
}

Graph *pass_recompute(Graph *graph, const bool *kept, const int64_t *bytes, double *cost) {
  Arena *arena = graph->arena;
  int count = graph->nodes.count + 1;
  Recompute state = {.rewrite = rewrite_begin(graph),
                     .turn = graph_turn(graph),
                     .kept = kept,
                     .bytes = bytes,
                     .lost = arena_array(arena, bool, count),
                     .twin = arena_array(arena, Node *, count)};
  for (int id = 0; id < state.turn; id++)
    state.lost[id] = is_lost(&state, graph->nodes.data[id]);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    Node **inputs = rewrite_inputs(&state.rewrite, node);
    for (int i = 0; i < node->input_count && id >= state.turn; i++)
      inputs[i] = for_gradients(&state, node->inputs[i]);
    state.rewrite.map[id] = rewrite_copy(&state.rewrite, node, inputs);
  }
  *cost = state.cost;
  return rewrite_end(&state.rewrite);
}

// Less memory for more time: values of the forward half of a training step are computed again for the gradients instead of being
// kept. The forward half is cut into segments of as many bytes each; of the first `again` of them only what later segments
// read is kept, and a segment's other values are computed again, from what is kept, just before the gradients that read them.
// (Chen and others, "Training deep nets with sublinear memory cost", 2016.) The same operations on the same values: no bit
// changes.
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct Recompute {
  Rewrite rewrite;
  int turn;     // the first node of the gradients
  int again;    // segments that are computed again
  int *segment; // by id, of nodes before the turn
  bool *kept;   // by id
  Node **twin;  // by id: the node that computes it again
  double cost;
} Recompute;

static int find_turn(const Graph *graph) {
  int turn = 0;
  while (turn < graph->nodes.count && !graph->nodes.data[turn]->gradient)
    turn++;
  return turn;
}

// Of what lies in memory, small values are worth keeping: statistics of a normalisation, above all.
static void cut(Recompute *state, const Graph *graph, const int64_t *bytes, int segments) {
  enum { SMALL = 1000 };
  int64_t all = 0, before = 0;
  for (int id = 0; id < state->turn; id++)
    all += bytes[id];
  for (int id = 0; id < state->turn; id++) {
    before += bytes[id];
    state->segment[id] = all ? (int)((double)before / ((double)all + 1) * segments) : 0;
    state->kept[id] = op_info[graph->nodes.data[id]->op].class == LEAF || (bytes[id] && bytes[id] < all / SMALL);
  }
  for (int id = 0; id < state->turn; id++) {
    const Node *node = graph->nodes.data[id];
    for (int i = 0; i < node->input_count; i++) {
      int input = node->inputs[i]->id;
      state->kept[input] = state->kept[input] || (bytes[input] && state->segment[input] != state->segment[id]);
    }
  }
}

static Node *for_gradients(Recompute *state, const Node *node) {
  int id = node->id;
  if (id >= state->turn || state->kept[id] || state->segment[id] >= state->again)
    return state->rewrite.map[id];
  if (state->twin[id])
    return state->twin[id];
  Node **inputs = arena_array(state->rewrite.to->arena, Node *, node->input_count + 1);
  for (int i = 0; i < node->input_count; i++)
    inputs[i] = for_gradients(state, node->inputs[i]);
  state->cost += (double)node_multiply_adds(node, state->rewrite.from->batch);
  return state->twin[id] = rewrite_copy(&state->rewrite, node, inputs);
}

Graph *pass_recompute(Graph *graph, const int64_t *bytes, int segments, int again, double *cost) {
  Arena *arena = graph->arena;
  int count = graph->nodes.count + 1;
  Recompute state = {.rewrite = rewrite_begin(graph),
                     .turn = find_turn(graph),
                     .again = again,
                     .segment = arena_array(arena, int, count),
                     .kept = arena_array(arena, bool, count),
                     .twin = arena_array(arena, Node *, count)};
  cut(&state, graph, bytes, segments);
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

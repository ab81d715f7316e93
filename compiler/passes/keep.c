// Which values of the forward half of a training step are kept for its gradients; the others are computed again (recompute.c).
#include <stdlib.h>

#include "graph/ops.h"
#include "passes/passes.h"

int graph_turn(const Graph *graph) {
  int turn = 0;
  while (turn < graph->nodes.count && !graph->nodes.data[turn]->gradient)
    turn++;
  return turn;
}

static bool is_leaf(const Node *node) {
  return op_info[node->op].class == LEAF;
}

static int64_t all_bytes(const int64_t *bytes, int turn) {
  int64_t all = 0;
  for (int id = 0; id < turn; id++)
    all += bytes[id];
  return all;
}

// Of what lies in memory, small values are worth keeping: statistics of a normalisation, above all.
static bool is_small(int64_t bytes, int64_t all) {
  enum { SMALL = 1000 };
  return bytes < all / SMALL;
}

bool *keep_later_segments(const Graph *graph, const int64_t *bytes, int segments, int again) {
  int turn = graph_turn(graph);
  bool *kept = arena_array(graph->arena, bool, turn + 1);
  int *segment = arena_array(graph->arena, int, turn + 1);
  int64_t all = all_bytes(bytes, turn), before = 0;
  for (int id = 0; id < turn; id++) {
    const Node *node = graph->nodes.data[id];
    before += bytes[id];
    segment[id] = (int)((double)before / ((double)all + 1) * segments);
    kept[id] = segment[id] >= again || is_leaf(node) || (bytes[id] && is_small(bytes[id], all));
    for (int i = 0; i < node->input_count; i++) {
      int input = node->inputs[i]->id;
      kept[input] = kept[input] || (bytes[input] && segment[input] != segment[id]);
    }
  }
  return kept;
}

bool *keep_stored(const Graph *graph, const int64_t *bytes) {
  int turn = graph_turn(graph);
  bool *kept = arena_array(graph->arena, bool, turn + 1);
  for (int id = 0; id < turn; id++)
    kept[id] = bytes[id] || is_leaf(graph->nodes.data[id]);
  return kept;
}

// ---- values by what they cost
typedef struct Priced {
  int id;
  double cost; // multiply-adds for a byte
} Priced;

static int by_cost(const void *a, const void *b) {
  const Priced *left = a, *right = b;
  if (left->cost != right->cost)
    return left->cost < right->cost ? -1 : 1;
  return (left->id > right->id) - (left->id < right->id);
}

int *cheapest_first(const Graph *graph, const int64_t *bytes, int *count) {
  int turn = graph_turn(graph);
  Priced *values = arena_array(graph->arena, Priced, turn + 1);
  double *cost = arena_array(graph->arena, double, turn + 1); // made of what lies in memory
  int64_t all = all_bytes(bytes, turn);
  *count = 0;
  for (int id = 0; id < turn; id++) {
    const Node *node = graph->nodes.data[id];
    cost[id] = (double)node_multiply_adds(node, graph->batch);
    for (int i = 0; i < node->input_count; i++)
      cost[id] += bytes[node->inputs[i]->id] ? 0 : cost[node->inputs[i]->id];
    if (bytes[id] && !is_leaf(node) && !is_small(bytes[id], all))
      values[(*count)++] = (Priced){id, cost[id] / (double)bytes[id]};
  }
  qsort(values, (size_t)*count, sizeof *values, by_cost);
  int *ids = arena_array(graph->arena, int, *count + 1);
  for (int i = 0; i < *count; i++)
    ids[i] = values[i].id;
  return ids;
}

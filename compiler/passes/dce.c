// Dead code: keeps what outputs and updates need. The function's inputs stay, used or not.
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool *mark(const Graph *graph) {
  bool *needed = arena_array(graph->arena, bool, graph->nodes.count + 1);
  for (int i = 0; i < graph->outputs.count; i++)
    needed[graph->outputs.data[i].value->id] = true;
  for (int i = 0; i < graph->updates.count; i++)
    needed[graph->updates.data[i].value->id] = true;
  for (int id = graph->nodes.count - 1; id >= 0; id--) {
    const Node *node = graph->nodes.data[id];
    for (int i = 0; i < node->input_count && needed[id]; i++)
      needed[node->inputs[i]->id] = true;
  }
  return needed;
}

Graph *pass_dce(Graph *graph) {
  const bool *needed = mark(graph);
  Rewrite rewrite = rewrite_begin(graph);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    if (needed[id])
      rewrite.map[id] = rewrite_copy(&rewrite, node, rewrite_inputs(&rewrite, node));
  }
  return rewrite_end(&rewrite);
}

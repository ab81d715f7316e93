// Kernels of kind ROW: a task owns some rows and goes through the stages of the kernel for each of them: reductions along
// the row, scalars of the row, loops over its elements. What a row needs stays with the thread that computed it.
#include "loops/nest.h"

#include "graph/ops.h"

static void row_reduction(Lower *lower, const Node *node, LExpr **row, int rows) {
  LExpr *index[MAX_RANK];
  for (int i = 0; i < rows; i++)
    index[i] = row[i];
  LExpr *value = nest_let(lower, op_name(node->op), nest_reduction(lower, node, index));
  nest_know(lower, node, row, value);
  if (lower->graph->buffers[node->id].bytes)
    nest_store(lower, node, row, value);
}

static void row_stages(Lower *lower, LExpr **row) {
  const Kernel *kernel = lower->kernel;
  for (int from = 0, to; from < kernel->nodes.count; from = to) {
    const Node *node = kernel->nodes.data[from];
    lower->stage = kernel->stages.data[from];
    for (to = from + 1; to < kernel->nodes.count && kernel->stages.data[to] == lower->stage;)
      to++;
    if (op_info[node->op].class == REDUCE) {
      row_reduction(lower, node, row, kernel->rows);
      continue;
    }
    LExpr *index[MAX_RANK];
    for (int i = 0; i < kernel->rows; i++)
      index[i] = row[i];
    nest_elements(lower, kernel->rows, index, from, to, false);
  }
}

void nest_row(Lower *lower) {
  const Kernel *kernel = lower->kernel;
  const Type *type = &kernel->root->type;
  lower->out->work = nest_work(lower);
  if (nest_long_reduction(lower))
    return;
  int scopes;
  LExpr *row[MAX_RANK];
  nest_outputs(lower, "row", type, kernel->rows, lower->out->work >= SHARED_WORK, row, &scopes);
  row_stages(lower, row);
  nest_close_all(lower, scopes);
}

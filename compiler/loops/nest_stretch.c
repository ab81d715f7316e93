// Where the columns of a map change the way they are computed (nest.h). Looks through everything that is inlined and leaves
// the last dimension in its place.
#include "graph/ops.h"
#include "loops/nest.h"

enum { SHORT = 16, MAX_CUTS = 32 }; // columns of a stretch that is not worth a loop of its own

typedef struct Split {
  int64_t start, size; // a column less start is counted in blocks of `size`
} Split;

typedef struct Cuts {
  const Lower *lower;
  const Node *top;
  int64_t width;
  int count, splits;
  int64_t at[MAX_CUTS];
  Split split[MAX_CUTS];
  bool full; // more than there is room for
} Cuts;

static void cut(Cuts *cuts, int64_t at) {
  if (at <= 0 || at >= cuts->width)
    return;
  int place = cuts->count;
  while (place > 0 && cuts->at[place - 1] > at)
    place--;
  if (place > 0 && cuts->at[place - 1] == at)
    return;
  cuts->full = cuts->full || cuts->count == MAX_CUTS;
  if (cuts->full)
    return;
  for (int i = cuts->count++; i > place; i--)
    cuts->at[i] = cuts->at[i - 1];
  cuts->at[place] = at;
}

static Dim last_dim(const Type *type) {
  return type->rank ? type->dim[type->rank - 1] : 1;
}

static void look(Cuts *cuts, const Node *node, int64_t start);

static void look_into_reshape(Cuts *cuts, const Node *node, int64_t start) {
  Dim in = last_dim(&node->inputs[0]->type), out = last_dim(&node->type);
  if (in == out)
    look(cuts, node->inputs[0], start);
  else if (in >= SHORT && out > in && out % in == 0 && cuts->splits < MAX_CUTS)
    cuts->split[cuts->splits++] = (Split){start, in};
}

static void look_into_concat(Cuts *cuts, const Node *node, int64_t start) {
  bool along = node->attr->axis[0] == node->type.rank - 1;
  for (int i = 0; i < node->input_count; i++) {
    look(cuts, node->inputs[i], start);
    if (along)
      cut(cuts, start += node->inputs[i]->type.dim[node->type.rank - 1]);
  }
}

// `start`: the column that is the node's first.
static void look(Cuts *cuts, const Node *node, int64_t start) {
  if (cuts->full || !node->type.rank || (node != cuts->top && nest_in_memory(cuts->lower, node)))
    return;
  int last = node->type.rank - 1;
  if (op_info[node->op].class == POINT)
    for (int i = 0; i < node->input_count; i++)
      look(cuts, node->inputs[i], start);
  else if (node->op == OP_concat)
    look_into_concat(cuts, node, start);
  else if (node->op == OP_reshape && node->inputs[0]->type.rank)
    look_into_reshape(cuts, node, start);
  else if (node->op == OP_transpose && node->attr->axis[last] == last)
    look(cuts, node->inputs[0], start);
  else if (node->op == OP_broadcast && last_dim(&node->inputs[0]->type) == node->type.dim[last])
    look(cuts, node->inputs[0], start);
  else if (node->op == OP_pad) {
    int64_t first = start + node->attr->start[last];
    cut(cuts, first);
    cut(cuts, first + node->inputs[0]->type.dim[last]);
    look(cuts, node->inputs[0], first);
  }
}

// The block that every reshape of the stretch counts through; its whole length where they differ.
static int64_t grain_of(const Cuts *cuts, int64_t from, int64_t to) {
  int64_t grain = to - from;
  for (int i = 0; i < cuts->splits; i++) {
    const Split *split = &cuts->split[i];
    if ((from - split->start) % split->size || (to - from) % split->size)
      continue;
    grain = split->size < grain ? split->size : grain;
  }
  return grain;
}

int stretches_of(const Lower *lower, int last, int from, int to, Stretch *stretches) {
  Cuts cuts = {.lower = lower, .width = lower->kernel->nodes.data[from]->type.dim[last]};
  for (int i = from; i < to && cuts.width > 0; i++) {
    cuts.top = lower->kernel->nodes.data[i];
    if (cuts.top->type.rank == last + 1)
      look(&cuts, cuts.top, 0);
  }
  if (cuts.full || cuts.count >= MAX_STRETCHES || !(cuts.count || cuts.splits))
    return 0;
  for (int i = 0; i <= cuts.count; i++) {
    int64_t start = i ? cuts.at[i - 1] : 0, end = i < cuts.count ? cuts.at[i] : cuts.width;
    if (end - start < SHORT)
      return 0;
    stretches[i] = (Stretch){start, end, grain_of(&cuts, start, end)};
  }
  return cuts.count + 1;
}

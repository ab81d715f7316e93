// The rules of reading by number (flat.h). Takes nodes and the first dimension that is counted through.
#include "passes/flat.h"
#include "graph/ops.h"

int flat_trailing(const Node *reduction) {
  int rank = reduction->inputs[0]->type.rank, count = reduction->attr->axis_count, trailing = 0;
  while (trailing < count && reduction->attr->axis[count - 1 - trailing] == rank - 1 - trailing)
    trailing++;
  return trailing;
}

bool flat_keeps_last(const Node *reduction) {
  return op_info[reduction->op].class == REDUCE && reduction->op != OP_argmax && flat_trailing(reduction) == 0;
}

int flat_dims(const Type *type, int first) {
  int count = 0;
  for (int i = first; i < type->rank; i++)
    count += type->dim[i] != 1;
  return count;
}

bool flat_in_memory(const Type *type, int first) {
  bool leading = true; // only ones so far
  for (int i = first; i < type->rank; i++) {
    if (type->dim[i] < 0 && !leading)
      return false;
    leading = leading && type->dim[i] == 1;
  }
  return true;
}

static FlatStep broadcast_step(const Node *node, int first, int *in_first) {
  const Type *in = &node->inputs[0]->type, *out = &node->type;
  int missing = out->rank - in->rank;
  bool same = first >= missing, none = true;
  for (int i = first; i < out->rank; i++) {
    Dim dim = i < missing ? 1 : in->dim[i - missing];
    same = same && dim == out->dim[i];
    none = none && dim == 1;
  }
  // Dimensions before `first` that the input lacks are dropped, so all of its own may be counted through.
  *in_first = first - missing;
  if (none)
    return FLAT_NONE;
  return same ? FLAT_SAME : FLAT_SPLIT;
}

static FlatStep reshape_step(const Node *node, int first, int *in_first) {
  const Type *in = &node->inputs[0]->type, *out = &node->type;
  for (int i = 0; i < first; i++)
    if (i >= in->rank || in->dim[i] != out->dim[i])
      return FLAT_SPLIT;
  *in_first = first;
  return FLAT_SAME;
}

FlatStep flat_step(const Node *node, int first, int *in_first) {
  if (node->op == OP_broadcast)
    return broadcast_step(node, first, in_first);
  if (node->op == OP_reshape)
    return reshape_step(node, first, in_first);
  *in_first = first;
  return op_info[node->op].class == POINT ? FLAT_SAME : FLAT_SPLIT;
}

bool flat_readable(const Node *node, int first, bool (*inlined)(const Node *, const void *), const void *context) {
  if (flat_dims(&node->type, first) <= 1)
    return true;
  if (!inlined(node, context))
    return flat_in_memory(&node->type, first);
  if (node->op == OP_constant)
    return true;
  int in_first = 0;
  switch (flat_step(node, first, &in_first)) {
  case FLAT_NONE:
    return true;
  case FLAT_SAME:
    for (int i = 0; i < node->input_count; i++)
      if (!flat_readable(node->inputs[i], in_first, inlined, context))
        return false;
    return true;
  default:
    return false;
  }
}

// Constant folding. An element is computed by the operation's own lowering and evaluated as generated code would compute
// it, so no bit changes. A point operation on splats gives a splat; with dense constants among its inputs it is computed
// element by element, if there are not too many. Results that are NaN stay unfolded: which NaN it is, only the machine knows.
#include <math.h>
#include <string.h>

#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { MOST_ELEMENTS = 4096 };

typedef struct Fold {
  Rewrite rewrite;
  Lower *lower;
} Fold;

static bool element(Fold *fold, const Node *node, LExpr *const *index, Attr *value) {
  LExpr *expr = op_info[node->op].lower(fold->lower, node, index);
  return lx_evaluate(expr, &value->real, &value->integer) && !isnan(value->real);
}

static Node *splat(Fold *fold, const Node *node, const Attr *value) {
  Attr attr = {.real = value->real, .integer = value->integer};
  return graph_node(fold->rewrite.to, OP_constant, 0, NULL, &attr, &node->type);
}

static void store(ElemType elem, unsigned char *data, int64_t at, const Attr *value) {
  unsigned char *to = data + at * elem_bytes(elem);
  float single = (float)value->real;
  int32_t word = (int32_t)value->integer;
  if (elem == F32)
    memcpy(to, &single, sizeof single);
  else if (elem == F64)
    memcpy(to, &value->real, sizeof value->real);
  else if (elem == I32)
    memcpy(to, &word, sizeof word);
  else if (elem == I64)
    memcpy(to, &value->integer, sizeof value->integer);
  else
    *to = (uint8_t)value->integer;
}

static Node *dense(Fold *fold, const Node *node) {
  Arena *arena = fold->rewrite.to->arena;
  int64_t count = type_count(&node->type, 0);
  unsigned char *data = arena_alloc(arena, (size_t)count * (size_t)elem_bytes(node->type.elem));
  for (int64_t at = 0; at < count; at++) {
    LExpr *index[MAX_RANK];
    int64_t rest = at;
    for (int i = node->type.rank - 1; i >= 0; i--) {
      index[i] = lx_i64(arena, rest % node->type.dim[i]);
      rest /= node->type.dim[i];
    }
    Attr value = {0};
    if (!element(fold, node, index, &value))
      return NULL;
    store(node->type.elem, data, at, &value);
  }
  return graph_node(fold->rewrite.to, OP_constant, 0, NULL, &(Attr){.data = data}, &node->type);
}

static bool small(const Type *type) {
  int64_t count = 1;
  for (int i = 0; i < type->rank; i++) {
    if (type->dim[i] <= 0 || type->dim[i] > MOST_ELEMENTS)
      return false;
    count *= type->dim[i];
    if (count > MOST_ELEMENTS)
      return false;
  }
  return true;
}

// The constant that `node`, whose inputs are nodes of the new graph, is equal to; or NULL.
static Node *constant_for(Fold *fold, const Node *node) {
  OpClass class = op_info[node->op].class;
  if (op_keeps_splat(node->op) && node_is_splat(node->inputs[0]))
    return splat(fold, node, node->inputs[0]->attr);
  if ((class != POINT && class != INDEX) || node->op == OP_random)
    return NULL;
  bool splats = true;
  for (int i = 0; i < node->input_count; i++) {
    if (node->inputs[i]->op != OP_constant)
      return NULL;
    splats = splats && node_is_splat(node->inputs[i]);
  }
  if (!splats)
    return small(&node->type) ? dense(fold, node) : NULL;
  Attr value = {0};
  LExpr *index[MAX_RANK];
  for (int i = 0; i < node->type.rank; i++)
    index[i] = lx_i64(fold->rewrite.to->arena, 0);
  return class == POINT && element(fold, node, index, &value) ? splat(fold, node, &value) : NULL;
}

Graph *pass_fold(Graph *graph) {
  LoopModule *module = arena_new_of(graph->arena, LoopModule);
  module->arena = graph->arena;
  Fold fold = {.rewrite = rewrite_begin(graph), .lower = lower_constants(module)};
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    Node candidate = *node;
    candidate.inputs = rewrite_inputs(&fold.rewrite, node);
    rewrite_place(&fold.rewrite, node);
    Node *constant = constant_for(&fold, &candidate);
    fold.rewrite.map[id] = constant ? constant : rewrite_copy(&fold.rewrite, node, candidate.inputs);
  }
  return rewrite_end(&fold.rewrite);
}

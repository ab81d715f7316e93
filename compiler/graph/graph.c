// The graph itself: nodes are checked by their operation's shape rule, stamped with their place and appended.
// Point operations and matrix products get their inputs broadcast to one shape here, so that it always holds.
#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "graph/rules.h"

// Sizes whose product passes this are mistakes; below it no count of bytes can overflow.
static const int64_t max_elements = (int64_t)1 << 40;

Graph *graph_new(Arena *arena, const char *name, int64_t batch) {
  Graph *graph = arena_new_of(arena, Graph);
  graph->arena = arena;
  graph->name = name;
  graph->batch = batch;
  graph->scope = "";
  return graph;
}

static const char *check_arity(Arena *arena, Op op, int count) {
  int arity = op_info[op].arity;
  if (arity < 0 ? count >= 1 : count == arity)
    return NULL;
  return arena_printf(arena, "`%s` takes %s%d tensors, not %d", op_name(op), arity < 0 ? "at least " : "",
                      arity < 0 ? 1 : arity, count);
}

static const char *check_size(Arena *arena, const Type *type) {
  if (type->rank < 0 || type->rank > MAX_RANK)
    return arena_printf(arena, "a tensor of %d dimensions: at most %d are possible", type->rank, MAX_RANK);
  Product product = rule_product(type->rank, type->dim);
  if (product.size < 0 || product.size > max_elements)
    return arena_printf(arena, "%s is too large", type_text(arena, type));
  return NULL;
}

static const Attr no_attr;

const char *graph_check(Arena *arena, Op op, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                        Type *result) {
  const char *wrong = check_arity(arena, op, input_count);
  if (!wrong && wanted)
    wrong = check_size(arena, wanted);
  if (!wrong)
    wrong = op_info[op].shape(arena, input_count, inputs, attr ? attr : &no_attr, wanted, result);
  if (!wrong)
    wrong = check_size(arena, result);
  return wrong;
}

// All inputs of a point operation in the shape of its result; those of a product with the result's leading dimensions.
static void fit_inputs(Graph *graph, Op op, int count, Node **inputs, const Type *result) {
  for (int i = 0; i < count; i++) {
    Type shape = *result;
    if (op == OP_matmul) {
      const Type *own = &inputs[i]->type;
      shape.dim[result->rank - 2] = own->dim[own->rank - 2];
      shape.dim[result->rank - 1] = own->dim[own->rank - 1];
    }
    inputs[i] = graph_broadcast(graph, inputs[i], &shape);
  }
}

static const Attr *own_attr(Arena *arena, Op op, const Attr *attr) {
  bool none = !attr || op_info[op].class == POINT || memcmp(attr, &no_attr, sizeof *attr) == 0;
  return none ? &no_attr : arena_copy(arena, attr, sizeof *attr);
}

bool attr_same_axes(const Attr *a, const Attr *b) {
  bool same = a->axis_count == b->axis_count;
  for (int i = 0; same && i < a->axis_count; i++)
    same = a->axis[i] == b->axis[i];
  return same;
}

void node_set_attr(Graph *graph, Node *node, const Attr *attr) {
  node->attr = own_attr(graph->arena, node->op, attr);
}

// `attr` lives as long as the graph.
static Node *append(Graph *graph, Op op, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted) {
  Type type;
  const char *wrong = graph_check(graph->arena, op, input_count, inputs, attr, wanted, &type);
  if (wrong) {
    fprintf(stderr, "nnc: internal error: %s: %s\n", op_name(op), wrong);
    abort();
  }
  Node **own = arena_array(graph->arena, Node *, input_count ? input_count : 1);
  for (int i = 0; i < input_count; i++)
    own[i] = inputs[i];
  if (op_info[op].class == POINT || op == OP_matmul)
    fit_inputs(graph, op, input_count, own, &type);
  if (op_info[op].class == ATTENTION)
    rule_fit_attention(graph, own);
  Node *node = arena_new_of(graph->arena, Node);
  *node = (Node){.id = graph->nodes.count,
                 .op = op,
                 .type = type,
                 .input_count = input_count,
                 .inputs = own,
                 .attr = attr,
                 .span = graph->span,
                 .scope = graph->scope ? graph->scope : "",
                 .gradient = graph->gradient,
                 .again = graph->again};
  vec_push(graph->arena, &graph->nodes, node);
  return node;
}

Node *graph_node(Graph *graph, Op op, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted) {
  return append(graph, op, input_count, inputs, own_attr(graph->arena, op, attr), wanted);
}

Node *graph_node_like(Graph *graph, const Node *node, Node *const *inputs) {
  return append(graph, node->op, node->input_count, inputs, node->attr, &node->type);
}

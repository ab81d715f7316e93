// How many multiply-adds a graph's products take: dense layers, convolutions, matrix products; what is added, normalised, pooled
// or scaled beside them is not counted.
#include "graph/graph.h"

static int64_t matmul_depth(const Node *node, int64_t batch) {
  const Type *left = &node->inputs[0]->type;
  return dim_at(left->dim[left->rank - 1], batch);
}

int64_t conv_tile_count(const Type *y, int64_t tile, int64_t batch) {
  int64_t count = 1;
  for (int i = 0; i < y->rank - 1; i++)
    count *= i < y->rank - 3 ? dim_at(y->dim[i], batch) : (y->dim[i] + tile - 1) / tile;
  return count;
}

// By minimal filtering: each tile of y takes a product for each of its places in x and pair of channels.
static int64_t of_tiles(const Node *node, const Type *y, int64_t pairs, int64_t batch) {
  int64_t tile = node->attr->tile;
  return conv_tile_count(y, tile, batch) * (tile + 2) * (tile + 2) * pairs;
}

// Each output meets the weights of its channel; where inputs are spread (the transpose of a strided convolution), each
// input does, and the zeros between them cost nothing.
static int64_t of_conv(const Node *node, int64_t batch) {
  const Type *x = &node->inputs[0]->type, *w = &node->inputs[1]->type;
  bool spread = false;
  if (node->attr->tile)
    return of_tiles(node, &node->type, x->dim[x->rank - 1] * w->dim[w->rank - 1], batch);
  for (int i = 0; i < node->attr->space; i++)
    spread = spread || node->attr->window[i].spread > 1;
  int64_t weights = type_count(w, batch);
  return spread ? type_count(x, batch) * (weights / x->dim[x->rank - 1])
                : type_count(&node->type, batch) * (weights / w->dim[w->rank - 1]);
}

static int64_t of_conv_weight(const Node *node, int64_t batch) {
  const Type *y = &node->inputs[1]->type;
  if (node->attr->tile)
    return of_tiles(node, y, node->type.dim[2] * node->type.dim[3], batch);
  return type_count(&node->type, batch) * (type_count(y, batch) / y->dim[y->rank - 1]);
}

// Every query with every key, hidden ones too: d for the score, e for the value.
static int64_t of_attention(const Node *node, int64_t batch) {
  const Type *q = &node->inputs[0]->type, *mask = &node->inputs[3]->type;
  return type_count(mask, batch) * (q->dim[q->rank - 1] + node->type.dim[node->type.rank - 1]);
}

// A depthwise convolution is a sum of products with a window.
static int64_t of_sum(const Node *node, int64_t batch) {
  const Node *product = node->inputs[0];
  bool windows = product->op == OP_mul && (product->inputs[0]->op == OP_window || product->inputs[1]->op == OP_window);
  return windows ? type_count(&product->type, batch) : 0;
}

int64_t node_multiply_adds(const Node *node, int64_t batch) {
  switch (node->op) {
  case OP_scan:
    return node->attr->scan->length * graph_multiply_adds(node->attr->scan->body, batch);
  case OP_matmul:
    return type_count(&node->type, batch) * matmul_depth(node, batch);
  case OP_conv:
    return of_conv(node, batch);
  case OP_conv_weight:
    return of_conv_weight(node, batch);
  case OP_attention:
    return of_attention(node, batch);
  case OP_reduce_sum:
    return of_sum(node, batch);
  default:
    return 0;
  }
}

int64_t graph_multiply_adds(const Graph *graph, int64_t batch) {
  int64_t sum = 0;
  for (int i = 0; i < graph->nodes.count; i++)
    sum += node_multiply_adds(graph->nodes.data[i], batch);
  return sum;
}

// The convolution without its tiles is the sum of all taps.
static int64_t direct(const Node *node, int64_t batch) {
  Attr attr = *node->attr;
  Node plain = *node;
  attr.tile = 0;
  plain.attr = &attr;
  return node_multiply_adds(&plain, batch);
}

int64_t graph_useful_multiply_adds(const Graph *graph, int64_t batch) {
  int64_t sum = 0;
  for (int i = 0; i < graph->nodes.count; i++) {
    const Node *node = graph->nodes.data[i];
    if (node->op == OP_scan)
      sum += node->attr->scan->length * graph_useful_multiply_adds(node->attr->scan->body, batch);
    else if (!node->again)
      sum += direct(node, batch);
  }
  return sum;
}

// Convolutions of 3 by 3 taps by minimal filtering (loops/winograd.h), which takes a fourth (tiles of 4 by 4 outputs) to 4/9 (2 by
// 2) of the multiplications. It pays where the weights, which it makes 4 or 16/9 times as many, meet many tiles. The choice
// follows from shapes alone, and with it the bits: it is part of what a convolution of that shape computes.
#include "passes/conv_view.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool many(Dim channels) {
  enum { LEAST = 32, VECTOR = 16 };
  return channels >= LEAST && channels % VECTOR == 0;
}

static bool fits(const Node *node) {
  if (node->op != OP_conv && node->op != OP_conv_weight)
    return false;
  const Attr *attr = node->attr;
  const Type *x = &node->inputs[0]->type, *y = conv_y(node);
  bool good = attr->space == 2 && attr->groups == 1 && many(x->dim[x->rank - 1]) && many(y->dim[y->rank - 1]);
  for (int i = 0; i < 2 && good; i++) {
    const Window *w = &attr->window[i];
    good = w->size == 3 && w->stride == 1 && w->dilation == 1 && w->spread == 1;
  }
  return good;
}

// Outputs along a dimension of a tile; 0: the sums are taken as they are. In 4 by 4, 36 weights for each pair of channels, or
// sums of a gradient of weights, go through the caches: not for many pairs, unless x (and dL/dy), which have 36 values for
// each tile and channel, take less.
static int tile_of(const Node *node, int64_t batch) {
  enum { MANY = 16, MANY_OF_SUMS = 128, MANY_OF_PAIRS = 32, PAIRS = 1 << 17 };
  bool sums = node->op == OP_conv_weight;
  const Type *w = sums ? &node->type : &node->inputs[1]->type, *y = conv_y(node);
  int64_t least = sums ? MANY_OF_SUMS : MANY, tiles = conv_tile_count(y, 4, batch), in = w->dim[2], out = w->dim[3];
  bool less = sums ? 2 * tiles * (in + out) <= in * out : tiles < out;
  if (in * out <= PAIRS ? tiles >= least : less && tiles >= MANY_OF_PAIRS)
    return 4;
  return conv_tile_count(y, 2, batch) >= least ? 2 : 0;
}

Graph *pass_winograd(Graph *graph) {
  bool any = false;
  for (int id = 0; id < graph->nodes.count && !any; id++)
    any = fits(graph->nodes.data[id]);
  if (!any)
    return graph;
  Rewrite rewrite = rewrite_begin(graph);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    Node *copy = rewrite_copy(&rewrite, node, rewrite_inputs(&rewrite, node));
    if (fits(node)) {
      Attr tiled = *node->attr;
      tiled.tile = tile_of(node, graph->batch);
      node_set_attr(rewrite.to, copy, &tiled);
    }
    rewrite.map[id] = copy;
  }
  return rewrite_end(&rewrite);
}

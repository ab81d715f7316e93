// How the windows of a convolution, or of its weights' gradient, move over x: the fuser and the nests decide by it whether x is
// copied first.
#pragma once
#include "graph/graph.h"

typedef struct ConvView {
  const Dim *outputs;        // sizes of space on the side of y
  bool phased;               // outputs that see other taps of spread windows are computed apart
  bool inside;               // windows reach x alone: it is read where it lies, and need not be copied
  Window window[MAX_SPACE];  // how an image shows x: of these, `before` and `spread` hold
  int64_t extent[MAX_SPACE]; // of space on the side of x, as it is read
} ConvView;

// Of a conv or a conv_weight: y, or dL/dy.
static inline const Type *conv_y(const Node *node) {
  return node->op == OP_conv ? &node->type : &node->inputs[1]->type;
}
ConvView conv_view(const Node *node);

// Whether windows leave x, and how far they reach: see conv_view.h.
#include "passes/conv_view.h"

// Windows that move a place at a time over spread elements: every spread-th output sees neighbouring elements by the same
// taps.
static bool has_phases(const Attr *attr) {
  enum { MOST = 8 };
  int64_t phases = 1;
  for (int i = 0; i < attr->space && phases <= MOST; i++) {
    if (attr->window[i].stride != 1 || attr->window[i].dilation != 1)
      return false;
    phases *= attr->window[i].spread;
  }
  return phases > 1 && phases <= MOST;
}

static Window shown(const Window *w, bool phased) {
  Window window = *w;
  if (phased) {
    window.before = w->before > 0 ? w->before / w->spread : 0;
    window.spread = 1;
  }
  return window;
}

// How many places windows reach over, counted from the first one's first tap.
static int64_t reach(const ConvView *view, const Window *w, int i) {
  int64_t last = (view->outputs[i] - 1) * w->stride + (w->size - 1) * w->dilation;
  if (!view->phased)
    return last + 1;
  int64_t most = (last - w->before) / w->spread;
  return view->window[i].before + (most > 0 ? most : 0) + 1;
}

ConvView conv_view(const Node *node) {
  const Attr *attr = node->attr;
  const Type *x = &node->inputs[0]->type, *y = conv_y(node);
  const Dim *size = x->dim + x->rank - attr->space - 1;
  ConvView view = {.outputs = y->dim + y->rank - attr->space - 1, .inside = true};
  view.phased = node->op == OP_conv && has_phases(attr); // the weights' gradient goes through all outputs in one chain
  for (int i = 0; i < attr->space; i++) {
    view.window[i] = shown(&attr->window[i], view.phased);
    view.extent[i] = reach(&view, &attr->window[i], i);
    view.inside = view.inside && view.window[i].before == 0 && view.window[i].spread == 1 && view.extent[i] <= size[i];
  }
  for (int i = 0; i < attr->space && view.inside; i++)
    view.extent[i] = size[i];
  for (int i = 0; i < attr->space && attr->tile; i++) {
    view.extent[i] = (view.outputs[i] + attr->tile - 1) / attr->tile * attr->tile + attr->window[i].size - 1;
    view.inside = false;
  }
  return view;
}

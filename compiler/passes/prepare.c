// What need not be computed at each call. Takes fused kernels, takes those out of them whose results follow from slots that
// the function only reads: they run once, before a series of calls, and their values stay in memory of their own. In
// prediction these are the folded scales and shifts of normalisations; in training, what belongs to frozen parts. In the
// body of a scan it is what follows from values that every step sees alike, computed before the steps.
#include "graph/ops.h"
#include "passes/kernels.h"

static bool is_updated(const Graph *graph, const Slot *slot) {
  for (int i = 0; i < graph->updates.count; i++)
    if (graph->updates.data[i].slot == slot)
      return true;
  return slot->kind >= SLOT_METRIC;
}

static bool is_steady(const KernelGraph *kernels, const Node *node) {
  if (node->op == OP_clock || node->op == OP_random || node->op == OP_scan)
    return false;
  if (node->op == OP_input && !(kernels->scan && scan_is_captured(kernels->scan, node->attr->index)))
    return false;
  if (node->op == OP_slot && is_updated(kernels->graph, node->attr->slot))
    return false;
  for (int i = 0; i < node->type.rank && !kernels->scan; i++)
    if (node->type.dim[i] < 0)
      return false;
  for (int i = 0; i < node->input_count; i++)
    if (!kernels->steady[node->inputs[i]->id])
      return false;
  return true;
}

// What is prepared keeps its memory: it must not be more than what it is made of, unless it is little.
static bool is_small(const KernelGraph *kernels, const Kernel *kernel) {
  enum { LITTLE = 1 << 16 };
  int64_t made = 0, read = 0;
  for (int i = 0; i < kernel->nodes.count; i++)
    made += kernels->buffers[kernel->nodes.data[i]->id].bytes;
  for (int i = 0; i < kernel->reads.count; i++) {
    const Type *type = &kernel->reads.data[i]->type;
    read += type_count(type, kernels->graph->batch) * elem_bytes(type->elem);
  }
  return made <= read || made <= LITTLE;
}

static bool all_steady(const KernelGraph *kernels, const Kernel *kernel) {
  if (!is_small(kernels, kernel))
    return false;
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Node *node = kernel->nodes.data[i];
    const Buffer *buffer = &kernels->buffers[node->id];
    if (!kernels->steady[node->id] || (buffer->bytes && buffer->place.space != SPACE_ARENA))
      return false;
  }
  return true;
}

static void place_values(KernelGraph *kernels, const Kernel *kernel) {
  for (int i = 0; i < kernel->nodes.count; i++) {
    Buffer *buffer = &kernels->buffers[kernel->nodes.data[i]->id];
    if (!buffer->bytes)
      continue;
    buffer->place = (LPlace){.space = SPACE_PREPARED, .offset = kernels->prepared_bytes, .index = -1};
    kernels->prepared_bytes += whole_lines(buffer->bytes);
  }
}

static void number(KernelGraph *kernels, Kernel *kernel, int id) {
  kernel->id = id;
  for (int i = 0; i < kernel->nodes.count; i++)
    kernels->kernel_of[kernel->nodes.data[i]->id] = id;
}

static void forget(Kernel *kernel, const Kernel *before) {
  int kept = 0;
  for (int i = 0; i < kernel->after.count; i++)
    if (kernel->after.data[i] != before)
      kernel->after.data[kept++] = kernel->after.data[i];
  kernel->after.count = kept;
}

// What a kernel of each call computes is not there before the calls, even if it would be the same: nor is what follows.
static void find_steady(KernelGraph *kernels) {
  bool *each_call = arena_array(kernels->arena, bool, kernels->kernels.count + 1);
  kernels->steady = arena_array(kernels->arena, bool, kernels->nodes.count + 1);
  for (int i = 0; i < kernels->kernels.count; i++) {
    const Kernel *kernel = kernels->kernels.data[i];
    for (int k = 0; kernel->body && k < kernel->root->attr->scan->carried; k++) // which the steps overwrite
      each_call[kernels->kernel_of[kernel->root->inputs[k]->id]] = true;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < kernels->nodes.count; i++) {
      int kernel = kernels->kernel_of[i];
      kernels->steady[i] = !(kernel >= 0 && each_call[kernel]) && is_steady(kernels, kernels->nodes.data[i]);
    }
    for (int i = 0; i < kernels->kernels.count; i++)
      if (!each_call[i] && !all_steady(kernels, kernels->kernels.data[i]))
        each_call[i] = changed = true;
  }
}

void prepare_scans(KernelGraph *kernels) {
  for (int i = 0; i < kernels->kernels.count; i++)
    if (kernels->kernels.data[i]->body)
      prepare(kernels->kernels.data[i]->body);
}

void prepare(KernelGraph *kernels) {
  prepare_scans(kernels);
  find_steady(kernels);
  int kept = 0;
  for (int i = 0; i < kernels->kernels.count; i++) {
    Kernel *kernel = kernels->kernels.data[i];
    if (!all_steady(kernels, kernel)) {
      kernels->kernels.data[kept++] = kernel;
      continue;
    }
    place_values(kernels, kernel);
    vec_push(kernels->arena, &kernels->prepared, kernel);
  }
  kernels->kernels.count = kept;
  for (int i = 0; i < kept; i++) {
    number(kernels, kernels->kernels.data[i], i);
    for (int k = 0; k < kernels->prepared.count; k++)
      forget(kernels->kernels.data[i], kernels->prepared.data[k]);
  }
  for (int i = 0; i < kernels->prepared.count; i++)
    number(kernels, kernels->prepared.data[i], kept + i);
}

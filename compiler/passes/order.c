// The order of kernels. Takes kernels in any order that respects what they need, gives one in which less memory is alive
// at once: of the kernels that could run, the one that frees the most for what it takes (list scheduling); the given
// order stays where that does not help. Dependencies, readers before whoever overwrites them among these, are kept.
#include <string.h>

#include "passes/kernels.h"

typedef struct Order {
  KernelGraph *kernels;
  int *waiting; // by Kernel.id: kernels it still waits for
  int *readers; // by node id: kernels that will still read it
  bool *done;   // by Kernel.id
} Order;

static int64_t arena_bytes(const KernelGraph *kernels, const Node *node) {
  const Buffer *buffer = &kernels->buffers[node->id];
  return buffer->bytes && buffer->place.space == SPACE_ARENA ? buffer->bytes : 0;
}

static int64_t growth(const Order *order, const Kernel *kernel) {
  const KernelGraph *kernels = order->kernels;
  int64_t bytes = 0;
  for (int i = 0; i < kernel->nodes.count; i++)
    if (order->readers[kernel->nodes.data[i]->id])
      bytes += arena_bytes(kernels, kernel->nodes.data[i]);
  for (int i = 0; i < kernel->reads.count; i++)
    if (order->readers[kernel->reads.data[i]->id] == 1)
      bytes -= arena_bytes(kernels, kernel->reads.data[i]);
  return bytes;
}

static void run(Order *order, const Kernel *kernel) {
  order->done[kernel->id] = true;
  for (int i = 0; i < kernel->reads.count; i++)
    order->readers[kernel->reads.data[i]->id]--;
  KernelGraph *kernels = order->kernels;
  for (int i = 0; i < kernels->kernels.count; i++) {
    const Kernel *other = kernels->kernels.data[i];
    for (int k = 0; k < other->after.count; k++)
      order->waiting[other->id] -= other->after.data[k] == kernel;
  }
}

static Kernel *choose(const Order *order) {
  Kernel *best = NULL;
  int64_t least = 0;
  for (int i = 0; i < order->kernels->kernels.count; i++) {
    Kernel *kernel = order->kernels->kernels.data[i];
    if (order->done[kernel->id] || order->waiting[kernel->id])
      continue;
    int64_t bytes = growth(order, kernel);
    if (!best || bytes < least) {
      best = kernel;
      least = bytes;
    }
  }
  return best;
}

// The most bytes that are alive at once in the present order.
static int64_t peak(const KernelGraph *kernels) {
  Life *lives = plan_lives(kernels);
  int64_t *change = arena_array(kernels->arena, int64_t, kernels->kernels.count + 1);
  for (int i = 0; i < kernels->nodes.count; i++)
    if (lives[i].first >= 0) {
      change[lives[i].first] += kernels->buffers[i].bytes;
      change[lives[i].last + 1] -= kernels->buffers[i].bytes;
    }
  int64_t alive = 0, most = 0;
  for (int i = 0; i < kernels->kernels.count; i++) {
    alive += change[i];
    most = alive > most ? alive : most;
  }
  return most;
}

void order(KernelGraph *kernels, const KernelOptions *options) {
  for (int i = 0; i < kernels->kernels.count; i++)
    if (kernels->kernels.data[i]->body)
      order(kernels->kernels.data[i]->body, options);
  int count = kernels->kernels.count;
  if (!options->order || !count)
    return;
  Arena *arena = kernels->arena;
  Order state = {.kernels = kernels,
                 .waiting = arena_array(arena, int, count),
                 .readers = arena_array(arena, int, kernels->nodes.count),
                 .done = arena_array(arena, bool, count)};
  for (int i = 0; i < count; i++) {
    const Kernel *kernel = kernels->kernels.data[i];
    state.waiting[kernel->id] = kernel->after.count;
    for (int k = 0; k < kernel->reads.count; k++)
      state.readers[kernel->reads.data[k]->id]++;
  }
  Kernel **ordered = arena_array(arena, Kernel *, count), **given = arena_array(arena, Kernel *, count);
  for (int i = 0; i < count; i++) {
    ordered[i] = choose(&state);
    run(&state, ordered[i]);
  }
  size_t bytes = (size_t)count * sizeof *given;
  memcpy(given, kernels->kernels.data, bytes);
  int64_t before = peak(kernels);
  memcpy(kernels->kernels.data, ordered, bytes);
  if (peak(kernels) > before)
    memcpy(kernels->kernels.data, given, bytes);
}

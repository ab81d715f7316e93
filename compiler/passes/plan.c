// Places in the arena. Takes ordered kernels, gives every buffer an offset such that buffers alive at the same time do
// not overlap; the largest are placed first, each into the tightest gap. A buffer takes over one of the same shape and
// type that dies in the kernel that writes it, if that kernel reads each old element only where and before it writes.
#include <stdlib.h>

#include "passes/kernels.h"

static bool in_arena(const KernelGraph *kernels, int id) {
  return kernels->buffers[id].bytes && kernels->buffers[id].place.space == SPACE_ARENA;
}

Life *plan_lives(const KernelGraph *kernels) {
  Life *lives = arena_array(kernels->arena, Life, kernels->nodes.count);
  for (int i = 0; i < kernels->nodes.count; i++)
    lives[i].first = lives[i].last = -1;
  for (int at = 0; at < kernels->kernels.count; at++) {
    const Kernel *kernel = kernels->kernels.data[at];
    for (int i = 0; i < kernel->nodes.count; i++)
      if (in_arena(kernels, kernel->nodes.data[i]->id))
        lives[kernel->nodes.data[i]->id] = (Life){at, at};
    for (int i = 0; i < kernel->reads.count; i++)
      if (lives[kernel->reads.data[i]->id].first >= 0)
        lives[kernel->reads.data[i]->id].last = at;
  }
  return lives;
}

// ---- taking over
// Buffers that share one place, from the first one's birth to the last one's death.
typedef struct Tenancy {
  int first, last;
  int64_t bytes, offset;
} Tenancy;

typedef struct Plan {
  KernelGraph *kernels;
  Life *lives;
  int *tenancy; // by node id; -1: not in the arena
  VEC(Tenancy) tenancies;
} Plan;

// Is element e of `old` read for the last time before, or in the same round as, element e of `made` is written?
static bool may_take_over(const Plan *plan, const Kernel *kernel, int made_at, const Node *old) {
  const Node *made = kernel->nodes.data[made_at];
  const Buffer *buffers = plan->kernels->buffers; // what a scan overwrites is two values long
  if (!type_equal(&old->type, &made->type) || buffers[made->id].bytes > buffers[old->id].bytes)
    return false;
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Node *reader = kernel->nodes.data[i];
    if (reader == old && kernel->stages.data[i] >= kernel->stages.data[made_at])
      return false;
    const Reads *reads = &plan->kernels->reads[reader->id];
    for (int k = 0; k < reads->count; k++) {
      const Read *read = &reads->data[k];
      if (read->node != old)
        continue;
      bool same = access_is_identity(&read->access) && type_same_shape(&reader->type, &old->type);
      bool earlier = kernel->kind == KERNEL_ROW && kernel->stages.data[i] < kernel->stages.data[made_at] &&
                     access_leading(&read->access, kernel->rows);
      if (!earlier && !(same && kernel->stages.data[i] == kernel->stages.data[made_at]))
        return false;
    }
  }
  return true;
}

static bool dies(const Plan *plan, const Node *node, int at) {
  int tenancy = plan->tenancy[node->id];
  return tenancy >= 0 && plan->lives[node->id].last == at && plan->tenancies.data[tenancy].last == at;
}

static const Node *predecessor(const Plan *plan, const Kernel *kernel, int at, int made_at) {
  if (kernel->kind == KERNEL_SCATTER || kernel->kind == KERNEL_ATTENTION || kernel->kind == KERNEL_SCAN)
    return NULL;
  for (int i = 0; i < kernel->reads.count; i++)
    if (dies(plan, kernel->reads.data[i], at) && may_take_over(plan, kernel, made_at, kernel->reads.data[i]))
      return kernel->reads.data[i];
  for (int i = 0; i < made_at; i++)
    if (dies(plan, kernel->nodes.data[i], at) && may_take_over(plan, kernel, made_at, kernel->nodes.data[i]))
      return kernel->nodes.data[i];
  return NULL;
}

// What a scan carries ends where it has gone from step to step.
static const Node *carried_as(const Kernel *kernel, const Node *node) {
  bool carried = kernel->kind == KERNEL_SCAN && node->op == OP_scan_result &&
                 node->attr->index < kernel->root->attr->scan->carried;
  return carried ? kernel->root->inputs[node->attr->index] : NULL;
}

static void stay(Plan *plan, const Node *node, const Node *carried) {
  Tenancy *tenancy = &plan->tenancies.data[plan->tenancy[carried->id]];
  int last = plan->lives[node->id].last;
  plan->tenancy[node->id] = plan->tenancy[carried->id];
  tenancy->last = last > tenancy->last ? last : tenancy->last;
}

static void settle(Plan *plan, int at, bool share) {
  const Kernel *kernel = plan->kernels->kernels.data[at];
  for (int i = 0; i < kernel->nodes.count; i++) {
    int id = kernel->nodes.data[i]->id;
    if (!in_arena(plan->kernels, id))
      continue;
    const Node *carried = carried_as(kernel, kernel->nodes.data[i]);
    if (carried) {
      stay(plan, kernel->nodes.data[i], carried);
      continue;
    }
    const Node *old = share ? predecessor(plan, kernel, at, i) : NULL;
    if (old) {
      plan->tenancy[id] = plan->tenancy[old->id];
      plan->tenancies.data[plan->tenancy[id]].last = plan->lives[id].last;
      // A place is handed on once, even by a buffer that dies where its heir does.
      plan->lives[old->id].last = -1;
      continue;
    }
    plan->tenancy[id] = plan->tenancies.count;
    vec_push(plan->kernels->arena, &plan->tenancies,
             (Tenancy){plan->lives[id].first, plan->lives[id].last, whole_lines(plan->kernels->buffers[id].bytes), -1});
  }
}

// ---- offsets
static int by_size(const void *a, const void *b) {
  const Tenancy *left = *(Tenancy *const *)a, *right = *(Tenancy *const *)b;
  if (left->bytes != right->bytes)
    return left->bytes < right->bytes ? 1 : -1;
  return left->first != right->first ? (left->first > right->first) - (left->first < right->first)
                                     : (left > right) - (left < right);
}

static int by_offset(const void *a, const void *b) {
  const Tenancy *left = *(Tenancy *const *)a, *right = *(Tenancy *const *)b;
  return (left->offset > right->offset) - (left->offset < right->offset);
}

// The tightest gap between the `count` tenancies that are alive at the same time, which are sorted by offset.
static int64_t best_gap(Tenancy *const *alive, int count, int64_t bytes) {
  int64_t best = -1, tightest = INT64_MAX, end = 0;
  for (int i = 0; i < count; i++) {
    int64_t gap = alive[i]->offset - end;
    if (gap >= bytes && gap < tightest) {
      best = end;
      tightest = gap;
    }
    int64_t next = alive[i]->offset + alive[i]->bytes;
    end = next > end ? next : end;
  }
  return best >= 0 ? best : end;
}

static void place_all(Plan *plan, bool share) {
  int count = plan->tenancies.count;
  Arena *arena = plan->kernels->arena;
  Tenancy **sorted = arena_array(arena, Tenancy *, count + 1), **alive = arena_array(arena, Tenancy *, count + 1);
  for (int i = 0; i < count; i++)
    sorted[i] = &plan->tenancies.data[i];
  if (share)
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
  int64_t end = 0;
  for (int i = 0; i < count; i++) {
    int together = 0;
    for (int k = 0; k < i; k++)
      if (!share || (sorted[k]->first <= sorted[i]->last && sorted[i]->first <= sorted[k]->last))
        alive[together++] = sorted[k];
    qsort(alive, (size_t)together, sizeof *alive, by_offset);
    sorted[i]->offset = best_gap(alive, together, sorted[i]->bytes);
    int64_t last = sorted[i]->offset + sorted[i]->bytes;
    end = last > end ? last : end;
  }
  plan->kernels->arena_bytes = end;
}

int64_t plan_gap(const KernelGraph *kernels, const Life *lives, int at, int64_t bytes) {
  int count = 0;
  Tenancy *values = arena_array(kernels->arena, Tenancy, kernels->nodes.count);
  Tenancy **alive = arena_array(kernels->arena, Tenancy *, kernels->nodes.count);
  for (int i = 0; i < kernels->nodes.count; i++) {
    const Buffer *buffer = &kernels->buffers[i];
    if (lives[i].first < 0 || at < lives[i].first || at > lives[i].last)
      continue;
    values[count] = (Tenancy){at, at, whole_lines(buffer->bytes), buffer->place.offset};
    alive[count] = &values[count];
    count++;
  }
  qsort(alive, (size_t)count, sizeof *alive, by_offset);
  return best_gap(alive, count, bytes);
}

// After an odd number of steps it is in the second of its two places.
static void find_last_places(const Plan *plan) {
  for (int at = 0; at < plan->kernels->kernels.count; at++) {
    const Kernel *kernel = plan->kernels->kernels.data[at];
    for (int i = 0; i < kernel->nodes.count; i++) {
      const Node *node = kernel->nodes.data[i];
      if (carried_as(kernel, node) && plan->tenancy[node->id] >= 0 && kernel->root->attr->scan->length % 2)
        plan->kernels->buffers[node->id].place.offset += scan_carried_bytes(&node->type, plan->kernels->graph->batch);
    }
  }
}

void plan(KernelGraph *kernels, const KernelOptions *options) {
  for (int i = 0; i < kernels->kernels.count; i++)
    if (kernels->kernels.data[i]->body)
      plan(kernels->kernels.data[i]->body, options);
  Plan state = {.kernels = kernels, .lives = plan_lives(kernels)};
  state.tenancy = arena_array(kernels->arena, int, kernels->nodes.count);
  for (int i = 0; i < kernels->nodes.count; i++)
    state.tenancy[i] = -1;
  for (int at = 0; at < kernels->kernels.count; at++)
    settle(&state, at, options->plan);
  place_all(&state, options->plan);
  kernels->unplanned_bytes = 0;
  for (int i = 0; i < kernels->nodes.count; i++)
    if (state.tenancy[i] >= 0) {
      kernels->buffers[i].place.offset = state.tenancies.data[state.tenancy[i]].offset;
      kernels->unplanned_bytes += whole_lines(kernels->buffers[i].bytes);
    }
  find_last_places(&state);
}

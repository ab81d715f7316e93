// Lists of calls: walking through them, and where barriers must stand. Two calls need one between them if a thread may
// touch in the second what another has touched in the first, and one of them writes; calls of a loop follow themselves.
#include "loops/calls.h"
#include <string.h>

void loops_visit(const LCalls *calls, LVisit *visit, void *context) {
  for (int i = 0; i < calls->count; i++) {
    const LCall *call = &calls->data[i];
    if (call->loop)
      loops_visit(&call->loop->calls, visit, context);
    else
      visit(context, call);
  }
}

void loops_visit_places(const LCalls *calls, LVisitPlace *visit, void *context) {
  for (int i = 0; i < calls->count; i++) {
    const LCall *call = &calls->data[i];
    if (call->loop) {
      if (call->loop->count)
        visit(context, call->loop->count);
      loops_visit_places(&call->loop->calls, visit, context);
      continue;
    }
    for (int b = 0; b < call->kernel->buffers.count; b++)
      visit(context, &call->places[b]);
  }
}

typedef struct Use {
  const LKernel *kernel;
  LSpace space;
  bool found;
} Use;

static void find_call(void *context, const LCall *call) {
  Use *use = context;
  use->found = use->found || call->kernel == use->kernel;
}

static void find_space(void *context, LPlace *place) {
  Use *use = context;
  use->found = use->found || place->space == use->space;
}

LEntry *loops_entry(const LoopModule *module, const char *name) {
  for (int i = 0; i < module->entries.count; i++)
    if (strcmp(module->entries.data[i]->name, name) == 0)
      return module->entries.data[i];
  return NULL;
}

bool loops_use(const LEntry *entry, const LKernel *kernel) {
  Use use = {.kernel = kernel};
  loops_visit(&entry->calls, find_call, &use);
  return use.found;
}

bool loops_touch(const LEntry *entry, LSpace space) {
  Use use = {.space = space};
  loops_visit_places(&entry->calls, find_space, &use);
  return use.found;
}

int64_t lplace_extent(const LPlace *place, int64_t bytes) {
  for (int i = 0; i < MAX_LOOPS && place->strides[i].loop; i++) {
    const LStride *stride = &place->strides[i];
    bytes += stride->bytes * (stride->turns ? 1 : stride->loop->length - 1);
  }
  return bytes;
}

// ---- barriers
typedef struct Touch {
  LPlace place;
  int64_t bytes;
  bool written, one_thread;
} Touch;

typedef VEC(Touch) Touches;

bool kernel_on_one_thread(const LKernel *kernel) {
  for (int i = 0; i < kernel->body.count; i++)
    if (ls_for_all(kernel->body.data[i]))
      return false;
  return true;
}

static bool conflict(const Touch *a, const Touch *b) {
  if ((a->one_thread && b->one_thread) || !(a->written || b->written))
    return false;
  if (a->place.space != b->place.space || a->place.index != b->place.index)
    return false;
  return a->place.offset < b->place.offset + b->bytes && b->place.offset < a->place.offset + a->bytes;
}

static bool needs_barrier(const Touches *before, const Touches *now) {
  for (int i = 0; i < before->count; i++)
    for (int k = 0; k < now->count; k++)
      if (conflict(&before->data[i], &now->data[k]))
        return true;
  return false;
}

static void add_touches(Arena *arena, Touches *touches, const LCall *call) {
  if (call->loop && call->loop->count) { // every thread reads it
    Touch touch = {*call->loop->count, lplace_extent(call->loop->count, ltype_bytes(L_I64)), false, false};
    vec_push(arena, touches, touch);
  }
  for (int i = 0; call->loop && i < call->loop->calls.count; i++)
    add_touches(arena, touches, &call->loop->calls.data[i]);
  for (int i = 0; !call->loop && i < call->kernel->buffers.count; i++) {
    const LBuffer *buffer = call->kernel->buffers.data[i];
    Touch touch = {call->places[i], lplace_extent(&call->places[i], lbuffer_bytes(buffer)), buffer->written,
                   kernel_on_one_thread(call->kernel)};
    vec_push(arena, touches, touch);
  }
}

// `since`: what was touched since the last barrier.
static void set_barriers(Arena *arena, LCalls *calls, Touches *since) {
  for (int i = 0; i < calls->count; i++) {
    LCall *call = &calls->data[i];
    Touches touches = {0}, inside = {0};
    add_touches(arena, &touches, call);
    if (call->loop) { // the round before may have touched all of it
      add_touches(arena, &inside, call);
      set_barriers(arena, &call->loop->calls, &inside);
    }
    call->barrier = needs_barrier(since, &touches);
    if (call->barrier)
      since->count = 0;
    for (int k = 0; k < touches.count; k++)
      vec_push(arena, since, touches.data[k]);
  }
}

void calls_set_barriers(Arena *arena, LCalls *calls) {
  Touches since = {0};
  set_barriers(arena, calls, &since);
}

// Kernels to an entry: each kernel is lowered by the nest of its kind, equal ones are shared with earlier entries, and
// barriers stand where a call touches memory that another thread may just have touched.
#include "loops/schedule.h"

#include <string.h>

#include "graph/ops.h"
#include "loops/nest.h"

enum {
  // Below it, about 100 microseconds, an entry is not worth a team: its barriers would cost more, the more so where other
  // work shares the processors.
  TEAM_WORK = 2000000,
  ALIGN = 64
};

// ---- one kernel
// "digits.nn:5  x |> dense(128) |> relu"
static void add_line(Text *comment, Span span) {
  int length;
  const char *line = source_line(span.source, span.line, &length);
  while (length > 0 && (*line == ' ' || *line == '\t'))
    line++, length--;
  const char *name = strrchr(span.source->path, '/');
  text_printf(comment, "%s:%d  %.*s\n", name ? name + 1 : span.source->path, span.line, length, line);
}

static bool seen_line(const Kernel *kernel, int before) {
  const Node *node = kernel->nodes.data[before];
  for (int i = 0; i < before; i++)
    if (kernel->nodes.data[i]->span.source == node->span.source && kernel->nodes.data[i]->span.line == node->span.line)
      return true;
  return false;
}

static bool seen_scope(const Kernel *kernel, int before) {
  for (int i = 0; i < before; i++)
    if (strcmp(kernel->nodes.data[i]->scope, kernel->nodes.data[before]->scope) == 0)
      return true;
  return false;
}

// The lines a kernel came from, each once, then the layer calls.
static const char *comment_of(Arena *arena, const Kernel *kernel) {
  Text comment = text_new(arena), scopes = text_new(arena);
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Node *node = kernel->nodes.data[i];
    if (node->span.source && !seen_line(kernel, i))
      add_line(&comment, node->span);
    if (*node->scope && !seen_scope(kernel, i))
      text_printf(&scopes, "%s%s", scopes.length ? ", " : "", node->scope);
  }
  if (scopes.length)
    text_printf(&comment, "  %s\n", text_string(&scopes));
  return text_string(&comment);
}

static bool is_empty(const KernelGraph *graph, const Kernel *kernel) {
  for (int i = 0; i < kernel->nodes.count; i++)
    if (type_count(&kernel->nodes.data[i]->type, graph->graph->batch) > 0)
      return false;
  return true;
}

typedef struct Schedule {
  LoopModule *module;
  const KernelGraph *graph;
  const Target *target;
  const int *readers;
  int64_t scratch, arena_bytes;
  LEntry *entry;
  VEC(const char *) texts; // of module->kernels, to find equal ones; NULL: not printed yet
} Schedule;

static int64_t nest_contraction(Lower *lower, int64_t scratch) {
  switch (lower->kernel->root->op) {
  case OP_conv:
    return nest_conv(lower, scratch);
  case OP_conv_weight:
    return nest_conv_weight(lower, scratch);
  default:
    return nest_matmul(lower, scratch);
  }
}

// Gives the bytes of scratch memory that the kernel takes.
static int64_t lower_body(Lower *lower, int64_t scratch) {
  switch (lower->kernel->kind) {
  case KERNEL_MAP:
    nest_map(lower);
    return 0;
  case KERNEL_ROW:
    return nest_row(lower, scratch);
  case KERNEL_REDUCE:
    return nest_reduce(lower, scratch);
  case KERNEL_CONTRACT:
    return nest_contraction(lower, scratch);
  case KERNEL_ATTENTION:
    return nest_attention(lower, scratch);
  default:
    nest_scatter(lower);
    return 0;
  }
}

static LKernel *lower_kernel(Schedule *schedule, const Kernel *kernel, LPlace **places) {
  Arena *arena = schedule->module->arena;
  LKernel *out = arena_new_of(arena, LKernel);
  out->name = kernel->name;
  out->comment = comment_of(arena, kernel);
  out->span = kernel->root->span;
  out->n = lvar_new(arena, "n", L_I64);
  Lower lower = {.arena = arena,
                 .module = schedule->module,
                 .graph = schedule->graph,
                 .kernel = kernel,
                 .target = schedule->target,
                 .readers = schedule->readers,
                 .out = out,
                 .flat = -1};
  nest_name(&lower, "n");
  nest_begin_top(&lower);
  int64_t bytes = is_empty(schedule->graph, kernel) ? 0 : lower_body(&lower, schedule->scratch);
  if (schedule->scratch + bytes > schedule->arena_bytes)
    schedule->arena_bytes = schedule->scratch + bytes;
  *places = lower.places.data;
  return out;
}

// ---- sharing
static const char *kernel_text(Arena *arena, const LKernel *kernel) {
  LKernel plain = *kernel;
  LKernel *list[] = {&plain};
  plain.name = "";
  plain.comment = "";
  LoopModule module = {.arena = arena, .name = ""};
  module.kernels.data = list;
  module.kernels.count = 1;
  Text text = text_new(arena);
  loops_print(&text, &module);
  return text_string(&text);
}

static LKernel *find_equal(Schedule *schedule, int before, const LKernel *kernel) {
  const LoopModule *module = schedule->module;
  const char *text = NULL;
  for (int i = 0; i < before; i++) {
    LKernel *other = module->kernels.data[i];
    if (other->work != kernel->work || other->buffers.count != kernel->buffers.count ||
        other->barrier_inside != kernel->barrier_inside)
      continue;
    text = text ? text : kernel_text(module->arena, kernel);
    while (schedule->texts.count <= i)
      vec_push(module->arena, &schedule->texts, NULL);
    if (!schedule->texts.data[i])
      schedule->texts.data[i] = kernel_text(module->arena, other);
    if (strcmp(text, schedule->texts.data[i]) == 0)
      return other;
  }
  return NULL;
}

static bool name_taken(const LoopModule *module, const char *name) {
  for (int i = 0; i < module->kernels.count; i++)
    if (strcmp(module->kernels.data[i]->name, name) == 0)
      return true;
  return false;
}

// Large kernels are shared within an entry too: the blocks of a deep network repeat, and code takes time to compile.
static LKernel *add_kernel(Schedule *schedule, int before, LKernel *kernel) {
  LoopModule *module = schedule->module;
  LKernel *known = find_equal(schedule, kernel->work >= SHARED_WORK ? module->kernels.count : before, kernel);
  if (known && strstr(known->comment, kernel->comment) == NULL)
    known->comment = arena_printf(module->arena, "%s%s", known->comment, kernel->comment);
  if (known)
    return known;
  const char *base = kernel->name;
  for (int suffix = 2; name_taken(module, kernel->name); suffix++)
    kernel->name = arena_printf(module->arena, "%s_%d", base, suffix);
  vec_push(module->arena, &module->kernels, kernel);
  return kernel;
}

// ---- barriers
typedef struct Touch {
  LPlace place;
  int64_t bytes;
  bool written, one_thread;
} Touch;

typedef VEC(Touch) Touches;

static bool on_one_thread(const LKernel *kernel) {
  for (int i = 0; i < kernel->body.count; i++)
    if (kernel->body.data[i]->kind == LS_PARALLEL)
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

static Touches touches_of(Arena *arena, const LKernel *kernel, const LPlace *places) {
  Touches touches = {0};
  bool one_thread = on_one_thread(kernel);
  for (int i = 0; i < kernel->buffers.count; i++) {
    const LBuffer *buffer = kernel->buffers.data[i];
    Touch touch = {places[i], buffer->length * ltype_bytes(buffer->type), buffer->written, one_thread};
    vec_push(arena, &touches, touch);
  }
  return touches;
}

static void add_call(Schedule *schedule, LKernel *kernel, LPlace *places, Touches *since) {
  Arena *arena = schedule->module->arena;
  LCall call = {.kernel = kernel, .places = places};
  Touches touches = touches_of(arena, kernel, places);
  call.barrier = needs_barrier(since, &touches);
  if (call.barrier)
    since->count = 0;
  for (int i = 0; i < touches.count; i++)
    vec_push(arena, since, touches.data[i]);
  vec_push(arena, &schedule->entry->calls, call);
}

// ---- the entry
static const int *count_readers(Arena *arena, const KernelGraph *graph) {
  int *readers = arena_array(arena, int, graph->nodes.count);
  for (int i = 0; i < graph->nodes.count; i++)
    for (int k = 0; k < graph->nodes.data[i]->input_count; k++)
      readers[graph->nodes.data[i]->inputs[k]->id]++;
  return readers;
}

// The first byte above all that is alive while each kernel runs: there its scratch memory may lie.
static const int64_t *scratch_places(Arena *arena, const KernelGraph *graph) {
  int64_t *places = arena_array(arena, int64_t, graph->kernels.count + 1);
  const Life *lives = plan_lives(graph);
  for (int i = 0; i < graph->nodes.count; i++) {
    const Buffer *buffer = &graph->buffers[i];
    int64_t end = lives[i].first < 0 ? 0 : (buffer->place.offset + buffer->bytes + ALIGN - 1) / ALIGN * ALIGN;
    for (int at = lives[i].first; end && at <= lives[i].last; at++)
      places[at] = end > places[at] ? end : places[at];
  }
  return places;
}

void schedule(LoopModule *module, const KernelGraph *kernels, const char *entry, const Target *target) {
  Arena *arena = module->arena;
  Schedule state = {.module = module, .graph = kernels, .target = target};
  state.readers = count_readers(arena, kernels);
  const int64_t *scratch = scratch_places(arena, kernels);
  state.arena_bytes = kernels->arena_bytes;
  state.entry = arena_new_of(arena, LEntry);
  state.entry->name = entry;
  Touches since = {0};
  int64_t work = 0;
  int before = module->kernels.count;
  for (int i = 0; i < kernels->kernels.count; i++) {
    LPlace *places = NULL;
    state.scratch = scratch[i];
    LKernel *kernel = lower_kernel(&state, kernels->kernels.data[i], &places);
    kernel = add_kernel(&state, before, kernel);
    work += on_one_thread(kernel) ? 0 : kernel->work;
    add_call(&state, kernel, places, &since);
  }
  state.entry->parallel = work >= TEAM_WORK;
  if (state.arena_bytes > module->arena_bytes)
    module->arena_bytes = state.arena_bytes;
  vec_push(arena, &module->entries, state.entry);
}

// Kernels to an entry: each kernel is lowered by the nest of its kind, equal ones are shared with earlier entries, and
// barriers stand where a call touches memory that another thread may just have touched.
#include "loops/schedule.h"

#include <string.h>

#include "graph/ops.h"
#include "loops/calls.h"
#include "loops/nest.h"
#include "loops/sum.h"

enum {
  // Below it, about 100 microseconds, an entry is not worth a team: its barriers would cost more, the more so where other
  // work shares the processors.
  TEAM_WORK = 2000000,
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
  const Life *lives; // of the graph's values
  int64_t arena_bytes, prepared_bytes;
  VEC(const char *) texts; // of module->kernels, to find equal ones; NULL: not printed yet
} Schedule;

typedef void Nest(Lower *lower);

static Nest *nest_of_contraction(const Lower *lower) {
  const Node *root = lower->kernel->root;
  switch (root->op) {
  case OP_conv:
    return root->attr->tile ? nest_winograd : nest_conv;
  case OP_conv_weight:
    return root->attr->tile ? nest_winograd_weight : nest_conv_weight;
  default:
    return nest_is_weight(lower) ? nest_matmul_weight : nest_matmul;
  }
}

static Nest *nest_of(const Lower *lower) {
  switch (lower->kernel->kind) {
  case KERNEL_MAP:
    return nest_map;
  case KERNEL_ROW:
    return nest_row;
  case KERNEL_REDUCE:
    return nest_reduce;
  case KERNEL_CONTRACT:
    return nest_of_contraction(lower);
  case KERNEL_ATTENTION:
    return nest_attention;
  default:
    return nest_scatter;
  }
}

static Lower lower_begin(Schedule *schedule, const Kernel *kernel) {
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
  return lower;
}

// `prepared`: what is made of steady values is, too.
static Lower lower_kernel(Schedule *schedule, const Kernel *kernel, bool prepared) {
  Lower lower = lower_begin(schedule, kernel);
  lower.prepared_bytes = prepared ? &schedule->prepared_bytes : NULL;
  if (!is_empty(schedule->graph, kernel))
    nest_of (&lower)(&lower);
  sum_prefetch_ends(&lower);
  nest_row_bases(&lower);
  sum_unroll(&lower);
  if (lower.ahead.count)
    nest_drop_unused(&lower);
  return lower;
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

// ---- calls
// A list of calls that is being made.
typedef struct Calls {
  LCalls list;
  int64_t work; // that can be shared
} Calls;

static void add_call(Schedule *schedule, int before, Calls *calls, const Kernel *origin, LKernel *kernel,
                     LPlace *places) {
  kernel = add_kernel(schedule, before, kernel);
  calls->work += kernel_on_one_thread(kernel) ? 0 : kernel->work;
  vec_push(schedule->module->arena, &calls->list, ((LCall){.kernel = kernel, .places = places, .origin = origin}));
}

// ---- the entry
static const int *count_readers(Arena *arena, const KernelGraph *graph) {
  int *readers = arena_array(arena, int, graph->nodes.count);
  for (int i = 0; i < graph->nodes.count; i++)
    for (int k = 0; k < graph->nodes.data[i]->input_count; k++)
      readers[graph->nodes.data[i]->inputs[k]->id]++;
  return readers;
}

// ---- scratch memory
// Room for so many bytes while kernel `at` of the graph runs; of one that runs ahead of all of them (-1), anywhere.
static int64_t scratch_place(Schedule *schedule, int at, int64_t bytes) {
  int64_t place = at < 0 || !bytes ? 0 : plan_gap(schedule->graph, schedule->lives, at, bytes);
  schedule->arena_bytes = nest_at_least(schedule->arena_bytes, place + bytes);
  return place;
}

static void place_scratch(LPlace *places, int count, int64_t at) {
  for (int i = 0; i < count; i++)
    if (places[i].space == SPACE_SCRATCH) {
      places[i].space = SPACE_ARENA;
      places[i].offset += at;
    }
}

static void lower_kernels(Schedule *schedule, int before, Calls *calls, Calls *ahead);

// ---- scans
_Static_assert((int)MAX_NESTED_SCANS <= (int)MAX_LOOPS, "a place moves with every loop around it");

typedef struct ScanPlaces {
  Schedule *around;
  Lower lower; // of the graph around
  const Kernel *kernel;
  LLoop *loop;
  int64_t scratch, prepared; // where temporaries of a step lie, and what is computed before the steps
} ScanPlaces;

static LPlace moving(LPlace place, const LStride *stride) {
  int at = 0;
  while (at < MAX_LOOPS - 1 && place.strides[at].loop)
    at++;
  place.strides[at] = *stride;
  return place;
}

static LPlace carried_place(ScanPlaces *scan, int number, bool next) {
  const Node *carried = scan->kernel->root->inputs[number];
  LStride stride = {.loop = scan->loop,
                    .bytes = scan_carried_bytes(&carried->type, scan->around->graph->graph->batch),
                    .turns = true,
                    .next = next};
  return moving(nest_place(&scan->lower, carried), &stride);
}

static LPlace stacked_place(ScanPlaces *scan, const Node *stacked, const Type *step) {
  int64_t bytes = type_count(step, scan->around->graph->graph->batch) * elem_bytes(step->elem);
  LStride stride = {.loop = scan->loop, .bytes = bytes};
  return moving(nest_place(&scan->lower, stacked), &stride);
}

static const Node *result_of(const Kernel *kernel, int output) {
  for (int i = 0; i < kernel->nodes.count; i++)
    if (kernel->nodes.data[i]->op == OP_scan_result && kernel->nodes.data[i]->attr->index == output)
      return kernel->nodes.data[i];
  return NULL;
}

static LPlace place_in_scan(ScanPlaces *scan, LPlace place) {
  const GraphScan *shape = scan->kernel->root->attr->scan;
  LPlace from = place;
  if (place.space == SPACE_ARENA)
    place.offset += scan->scratch;
  else if (place.space == SPACE_PREPARED)
    place = (LPlace){.space = SPACE_ARENA, .offset = scan->prepared + place.offset, .index = -1};
  else if (place.space == SPACE_INPUT && place.index < shape->carried)
    from = carried_place(scan, place.index, false);
  else if (place.space == SPACE_INPUT && scan_is_sequence(shape, place.index))
    from = stacked_place(scan, scan->kernel->root->inputs[place.index], &shape->body->inputs.data[place.index].type);
  else if (place.space == SPACE_INPUT)
    from = nest_place(&scan->lower, scan->kernel->root->inputs[place.index]);
  else if (place.space == SPACE_OUTPUT && place.index < shape->carried)
    from = carried_place(scan, place.index, true);
  else if (place.space == SPACE_OUTPUT)
    from =
        stacked_place(scan, result_of(scan->kernel, place.index), &shape->body->outputs.data[place.index].value->type);
  if (place.space != SPACE_INPUT && place.space != SPACE_OUTPUT)
    return place;
  from.offset += place.offset;
  for (int i = 0; i < MAX_LOOPS && place.strides[i].loop; i++) // of loops inside
    from = moving(from, &place.strides[i]);
  return from;
}

static void move_place(void *context, LPlace *place) {
  *place = place_in_scan(context, *place);
}

// The steps that are left out yield zeros.
static Lower lower_rest(Schedule *schedule, const Kernel *kernel, const Node *count, const Node *yielded) {
  Lower lower = lower_begin(schedule, kernel);
  LKernel *out = lower.out;
  Type step = scan_step_type(&yielded->type);
  int64_t length = yielded->type.dim[0], width = type_count(&step, schedule->graph->graph->batch);
  out->name = arena_printf(lower.arena, "%s_rest", kernel->name);
  out->work = length * width;
  LBuffer *from = nest_buffer(&lower, count, false), *to = nest_buffer(&lower, yielded, true);
  to->sample = -1; // it is looked at where it is computed
  LExpr *zero = nest_i64(&lower, 0);
  LExpr *at =
      nest_loop(&lower, out->work >= SHARED_WORK ? LS_PARALLEL : LS_FOR, "step", zero, nest_i64(&lower, length), 1);
  nest_if(&lower, lx_binary(lower.arena, LX_GE, at, lx_load(lower.arena, from, zero)));
  LExpr *element = nest_loop(&lower, LS_SIMD, "element", zero, nest_i64(&lower, width), 1);
  LStmt *stmt = nest_stmt(&lower, LS_STORE);
  stmt->buffer = to;
  stmt->index[0] = nest_add(&lower, nest_mul(&lower, at, nest_i64(&lower, width)), element);
  stmt->value = elem_is_real(step.elem) ? lx_real(lower.arena, to->type, 0) : lx_int(lower.arena, to->type, 0);
  nest_push(&lower, stmt);
  for (int i = 0; i < 3; i++)
    nest_close(&lower);
  return lower;
}

static bool goes_as_far(const Node *node, const Node *sequence, const Node *count) {
  const GraphScan *scan = node->attr->scan;
  bool same = scan->counted && node->inputs[node->input_count - 1] == count;
  for (int i = 0; i < node->input_count && same; i++)
    same = node->inputs[i] != sequence || scan_is_sequence(scan, i);
  return same;
}

// What only scans that go just as far read, a gradient's for the most part, has no rest that is seen.
static bool rest_is_seen(const KernelGraph *graph, const Node *yielded, const Node *count) {
  bool seen = graph->buffers[yielded->id].place.space != SPACE_ARENA;
  for (int i = 0; i < graph->nodes.count && !seen; i++) {
    const Node *node = graph->nodes.data[i];
    for (int k = 0; k < node->input_count && !seen; k++)
      seen = node->inputs[k] == yielded && !(node->op == OP_scan && goes_as_far(node, yielded, count));
  }
  return seen;
}

static void add_rests(Schedule *schedule, int before, Calls *calls, const Kernel *kernel, const Node *count) {
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Node *node = kernel->nodes.data[i];
    if (node->op != OP_scan_result || node->attr->index < kernel->root->attr->scan->carried ||
        !schedule->graph->buffers[node->id].bytes || !type_count(&node->type, schedule->graph->graph->batch) ||
        !rest_is_seen(schedule->graph, node, count))
      continue;
    Lower lower = lower_rest(schedule, kernel, count, node);
    add_call(schedule, before, calls, NULL, lower.out, lower.places.data);
  }
}

// The body's calls in a loop; what they touch is found in the graph around, their temporaries in its scratch memory.
static void add_scan(Schedule *schedule, int before, Calls *calls, int at) {
  const Kernel *kernel = schedule->graph->kernels.data[at];
  Arena *arena = schedule->module->arena;
  Schedule inner = {.module = schedule->module,
                    .graph = kernel->body,
                    .target = schedule->target,
                    .readers = count_readers(arena, kernel->body),
                    .lives = plan_lives(kernel->body),
                    .arena_bytes = kernel->body->arena_bytes,
                    .prepared_bytes = kernel->body->prepared_bytes,
                    .texts = schedule->texts};
  Calls body = {0}, ahead = {0};
  lower_kernels(&inner, before, &body, &ahead);
  schedule->texts = inner.texts;
  const GraphScan *shape = kernel->root->attr->scan;
  LLoop *loop = arena_new_of(arena, LLoop);
  *loop = (LLoop){.length = shape->length, .reverse = shape->reverse, .calls = body.list};
  ScanPlaces places = {.around = schedule, .kernel = kernel, .loop = loop};
  places.lower = (Lower){.arena = arena, .module = schedule->module, .graph = schedule->graph};
  int64_t temporaries = whole_lines(inner.arena_bytes);
  places.scratch = scratch_place(schedule, at, temporaries + inner.prepared_bytes);
  places.prepared = places.scratch + temporaries;
  loops_visit_places(&loop->calls, move_place, &places);
  loops_visit_places(&ahead.list, move_place, &places);
  for (int i = 0; i < ahead.list.count; i++)
    vec_push(arena, &calls->list, ahead.list.data[i]);
  calls->work += ahead.work + loop->length * body.work;
  vec_push(arena, &calls->list, ((LCall){.loop = loop}));
  if (!shape->counted)
    return;
  const Node *count = kernel->root->inputs[kernel->root->input_count - 1];
  LPlace place = nest_place(&places.lower, count);
  loop->count = arena_copy(arena, &place, sizeof place);
  add_rests(schedule, before, calls, kernel, count);
}

// `ahead`: what is prepared.
static void lower_kernels(Schedule *schedule, int before, Calls *calls, Calls *ahead) {
  const KernelGraph *graph = schedule->graph;
  for (int i = 0; i < graph->prepared.count; i++) {
    Lower lower = lower_kernel(schedule, graph->prepared.data[i], false);
    place_scratch(lower.places.data, lower.places.count, scratch_place(schedule, -1, lower.scratch_bytes));
    add_call(schedule, before, ahead, graph->prepared.data[i], lower.out, lower.places.data);
  }
  for (int i = 0; i < graph->kernels.count; i++) {
    const Kernel *kernel = graph->kernels.data[i];
    if (kernel->kind == KERNEL_SCAN) {
      add_scan(schedule, before, calls, i);
      continue;
    }
    Lower lower = lower_kernel(schedule, kernel, true);
    for (int k = 0; k < lower.ahead.count; k++) {
      const Ahead *made = &lower.ahead.data[k];
      place_scratch(made->places, made->kernel->buffers.count, scratch_place(schedule, -1, made->scratch_bytes));
      add_call(schedule, before, ahead, NULL, made->kernel, made->places);
    }
    place_scratch(lower.places.data, lower.places.count, scratch_place(schedule, i, lower.scratch_bytes));
    add_call(schedule, before, calls, kernel, lower.out, lower.places.data);
  }
}

// ---- entries
// What is prepared lies above all that calls use.
static void place_prepared(void *context, LPlace *place) {
  const int64_t *base = context;
  if (place->space != SPACE_PREPARED)
    return;
  place->space = SPACE_ARENA;
  place->offset += *base;
}

static LEntry *add_entry(LoopModule *module, const char *name, Calls *calls, int64_t base) {
  LEntry *entry = arena_new_of(module->arena, LEntry);
  loops_visit_places(&calls->list, place_prepared, &base);
  calls_set_barriers(module->arena, &calls->list);
  *entry = (LEntry){.name = name, .calls = calls->list, .parallel = calls->work >= TEAM_WORK};
  vec_push(module->arena, &module->entries, entry);
  return entry;
}

void schedule(LoopModule *module, const KernelGraph *kernels, const char *entry, const Target *target) {
  Arena *arena = module->arena;
  Schedule state = {.module = module, .graph = kernels, .target = target};
  state.readers = count_readers(arena, kernels);
  state.lives = plan_lives(kernels);
  state.arena_bytes = kernels->arena_bytes;
  state.prepared_bytes = kernels->prepared_bytes;
  Calls calls = {0}, ahead = {0};
  int before = module->kernels.count;
  lower_kernels(&state, before, &calls, &ahead);
  int64_t base = whole_lines(state.arena_bytes), end = base + state.prepared_bytes;
  const LEntry *prepare = NULL;
  if (ahead.list.count)
    prepare = add_entry(module, arena_printf(arena, "%s_prepare", entry), &ahead, base);
  LEntry *made = add_entry(module, entry, &calls, base);
  made->prepare = prepare;
  made->arena_bytes = state.arena_bytes;
  made->prepared_bytes = state.prepared_bytes;
  module->arena_bytes = end > module->arena_bytes ? end : module->arena_bytes;
}

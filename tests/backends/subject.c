// See subject.h. Inputs, outputs and state end at a page that cannot be touched, so that code that reads or writes
// beyond the count of a call crashes.
#define _GNU_SOURCE // RTLD_NODELETE
#include "subject.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emit/emit.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "session/cc.h"
#include "session/jit.h"

// ---- memory that ends at a guard page
typedef struct Memory {
  uint8_t *base, *end;
} Memory;

static Memory memory_new(int64_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), size = ((size_t)bytes + page - 1) / page * page + page;
  uint8_t *base = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  cr_assert(base != MAP_FAILED);
  cr_assert_eq(mprotect(base + size, page, PROT_NONE), 0);
  return (Memory){base, base + size};
}

static void memory_free(Memory memory) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  munmap(memory.base, (size_t)(memory.end - memory.base) + page);
}

// ---- values
static const double special_reals[] = {NAN,    INFINITY, -INFINITY, 0.0,         -0.0,   1,        -1,       0.5,
                                       5e-324, -1e-310,  1e-40,     -0x1p-126,   3e38,   -1.7e308, 0x1p31,   -9.3e18,
                                       1e22,   -2.5,     88.8,      -0x1.8p-149, -745.1, 255.5,    0x1p-1022};
static const int64_t special_wholes[] = {0,
                                         -1,
                                         1,
                                         INT32_MIN,
                                         INT32_MAX,
                                         INT64_MIN,
                                         INT64_MAX,
                                         255,
                                         256,
                                         128,
                                         7,
                                         -7,
                                         2,
                                         INT64_C(-2147483649),
                                         1000003,
                                         -128,
                                         127,
                                         3,
                                         -56,
                                         65536,
                                         -65537,
                                         9,
                                         INT64_C(1) << 40};
enum { SPECIALS = sizeof special_reals / sizeof *special_reals };
_Static_assert(SPECIALS == sizeof special_wholes / sizeof *special_wholes, "pairs take both tables alike");

Element subject_value(const Subject *subject, Values values, int input, int64_t at) {
  const OpCase *op_case = subject->op_case;
  if (values == VALUES_SPECIAL) {
    int64_t which = subject->pairs ? (input ? at / SPECIALS : at) : at * 5 + input * 3;
    return (Element){special_reals[which % SPECIALS], special_wholes[which % SPECIALS]};
  }
  ElemType elem = subject->graph->inputs.data[input].type.elem;
  if (subject->given)
    return (Element){subject->given[input][at], 0};
  if (!op_case) {
    int64_t spread = (at * 37 + input * 13 + 11) % 101 - 50;
    return (Element){(double)spread / 23, elem == BOOL ? spread & 1 : spread};
  }
  bool given = !elem_is_real(op_case->inputs[input].elem);
  double real = op_case_real(op_case, input, at);
  return (Element){real, given ? op_case_whole(op_case, input, at) : (int64_t)floor(real * 20)};
}

static void store(ElemType elem, uint8_t *to, Element value) {
  float single = (float)value.real;
  int32_t word = (int32_t)value.whole;
  if (elem == F32)
    memcpy(to, &single, 4);
  else if (elem == F64)
    memcpy(to, &value.real, 8);
  else if (elem == I32)
    memcpy(to, &word, 4);
  else if (elem == I64)
    memcpy(to, &value.whole, 8);
  else
    *to = elem == BOOL ? value.whole & 1 : (uint8_t)value.whole;
}

// ---- subjects
Subjects subjects_new(void) {
  return (Subjects){.arena = arena_new()};
}

static int64_t capacity_bytes(const Type *type, int64_t batch) {
  return type_count(type, batch) * elem_bytes(type->elem);
}

Subject *subject_add(Subjects *subjects, const char *label, Graph *graph, int64_t state_bytes, const OpCase *op_case) {
  if (!graph)
    return NULL;
  Arena *arena = subjects->arena;
  Subject *subject = arena_new_of(arena, Subject);
  *subject = (Subject){.label = label, .graph = graph, .state_bytes = (state_bytes + 63) / 64 * 64, .op_case = op_case};
  subject->index = subjects->all.count;
  subject->entry = arena_printf(arena, "s%d", subject->index);
  subject->inputs = arena_array(arena, Memory, graph->inputs.count + 1);
  subject->outputs = arena_array(arena, Memory, graph->outputs.count + 1);
  subject->state = arena_new_of(arena, Memory);
  *subject->state = memory_new(subject->state_bytes);
  for (int i = 0; i < graph->inputs.count; i++)
    subject->inputs[i] = memory_new(capacity_bytes(&graph->inputs.data[i].type, graph->batch));
  for (int i = 0; i < graph->outputs.count; i++)
    subject->outputs[i] = memory_new(capacity_bytes(&graph->outputs.data[i].value->type, graph->batch));
  vec_push(arena, &subjects->all, subject);
  return subject;
}

void subjects_free(Subjects *subjects) {
  for (int s = 0; s < subjects->all.count; s++) {
    const Subject *subject = subjects->all.data[s];
    memory_free(*subject->state);
    for (int i = 0; i < subject->graph->inputs.count; i++)
      memory_free(subject->inputs[i]);
    for (int i = 0; i < subject->graph->outputs.count; i++)
      memory_free(subject->outputs[i]);
  }
  arena_free(subjects->arena);
}

// ---- graphs of another element type
typedef struct Change {
  Arena *arena;
  ElemType from, to;
  VEC(Slot *) slots;
} Change;

static ElemType changed(const Change *change, ElemType elem) {
  return elem == change->from ? change->to : elem;
}

// Places keep their order: twice as far apart where elements grow.
static const Slot *changed_slot(Change *change, const Slot *slot) {
  for (int i = 0; i < change->slots.count; i++)
    if (change->slots.data[i]->index == slot->index)
      return change->slots.data[i];
  Slot *made = arena_copy(change->arena, slot, sizeof *made);
  made->type.elem = changed(change, slot->type.elem);
  made->offset *= 2;
  vec_push(change->arena, &change->slots, made);
  return made;
}

static const void *changed_data(const Change *change, const Type *type, const double *data) {
  int64_t count = type_count(type, 0), bytes = elem_bytes(change->to);
  cr_assert_eq(change->from, F64);
  uint8_t *made = arena_alloc(change->arena, (size_t)(count * bytes) + 1);
  for (int64_t i = 0; i < count; i++)
    store(change->to, made + i * bytes, (Element){data[i], (int64_t)data[i]});
  return made;
}

static const GraphScan *changed_scan(Change *change, const GraphScan *scan, bool lenient) {
  GraphScan made = *scan;
  made.body = graph_with_elem(scan->body, change->from, change->to, lenient);
  return made.body ? arena_copy(change->arena, &made, sizeof made) : NULL;
}

static Attr changed_attr(Change *change, const Node *node) {
  Attr attr = *node->attr;
  if (node->op == OP_slot)
    attr.slot = changed_slot(change, attr.slot);
  if (node->type.elem != change->from)
    return attr;
  if (attr.data)
    attr.data = changed_data(change, &node->type, attr.data);
  bool fills = node->op == OP_constant || node->op == OP_pad;
  if (fills && change->to == F32)
    attr.real = (double)(float)attr.real;
  if (fills && !elem_is_real(change->to)) {
    int64_t whole = (int64_t)attr.real;
    attr.integer = change->to == BOOL ? attr.real != 0 : change->to == U8 ? (uint8_t)whole : whole;
    attr.real = 0;
  }
  return attr;
}

static Node *changed_node(Change *change, Graph *graph, const Node *node, Node **inputs, bool lenient) {
  Attr attr = changed_attr(change, node);
  Type wanted = node->type, found;
  if (node->op != OP_scan) // which has no value
    wanted.elem = changed(change, wanted.elem);
  else if (!(attr.scan = changed_scan(change, attr.scan, lenient)))
    return NULL;
  Op op = node->op;
  const char *refused = graph_check(change->arena, op, node->input_count, inputs, &attr, &wanted, &found);
  if (refused && lenient && op_info[op].class == POINT && node->input_count == 1)
    refused = graph_check(change->arena, op = OP_neg, 1, inputs, &attr, &wanted, &found);
  if (refused || !type_equal(&found, &wanted))
    return NULL;
  return graph_node(graph, op, node->input_count, inputs, &attr, &wanted);
}

Graph *graph_with_elem(const Graph *graph, ElemType from, ElemType to, bool lenient) {
  Arena *arena = graph->arena;
  Change change = {.arena = arena, .from = from, .to = to};
  Graph *made = graph_new(arena, graph->name, graph->batch);
  Node **map = arena_array(arena, Node *, graph->nodes.count + 1);
  for (int i = 0; i < graph->inputs.count; i++) {
    GraphInput input = graph->inputs.data[i];
    input.type.elem = changed(&change, input.type.elem);
    vec_push(arena, &made->inputs, input);
  }
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    Node **inputs = arena_array(arena, Node *, node->input_count + 1);
    for (int i = 0; i < node->input_count; i++)
      inputs[i] = map[node->inputs[i]->id];
    if (!(map[id] = changed_node(&change, made, node, inputs, lenient)))
      return NULL;
  }
  for (int i = 0; i < graph->outputs.count; i++) {
    const GraphOutput *output = &graph->outputs.data[i];
    vec_push(arena, &made->outputs, (GraphOutput){output->name, map[output->value->id]});
  }
  for (int i = 0; i < graph->updates.count; i++) {
    const GraphUpdate *update = &graph->updates.data[i];
    vec_push(arena, &made->updates, (GraphUpdate){changed_slot(&change, update->slot), map[update->value->id]});
  }
  return made;
}

// ---- code
const Way plain_way = {"no pass", true, true, true, true, true, true, true, .single = true};
const Way every_way[EVERY_WAY] = {{.label = "every pass"},
                                  {"no pass", true, true, true, true, true, true, true, .single = false},
                                  {.label = "one thread", .single = true},
                                  {.label = "not fuse", .no_fuse = true},
                                  {.label = "not order", .no_order = true},
                                  {.label = "not plan", .no_plan = true},
                                  {.label = "not fold", .no_fold = true},
                                  {.label = "not simplify", .no_simplify = true},
                                  {.label = "not cse", .no_cse = true},
                                  {.label = "not dce", .no_dce = true},
                                  {.label = "for AVX2", .cpu = "x86-64-v3"},
                                  {.label = "for SSE", .cpu = "x86-64"},
                                  {.label = "for AVX-512", .cpu = "x86-64-v4"}};

const Way c_ways[] = {
    {.label = "every pass"},
#ifdef __x86_64__
    {.label = "every pass, for SSE", .cpu = "x86-64"},
#endif
};
const int c_way_count = sizeof c_ways / sizeof *c_ways;

static const char *const backend_names[] = {"JIT", "gcc", "clang"}, *const compilers[] = {NULL, "gcc", "clang-19"};
static const char *const warnings = "-Wall -Wextra -Werror";

// clang's code brings an OpenMP runtime of its own, and so needs a barrier of its own, made of the same source. They
// stay loaded, as the runtime's threads do.
static const char *const own_barrier = "-Wl,-Bsymbolic " NNC_SOURCE_DIR "/runtime/threads.c";

struct Code {
  Arena *arena;
  const char *label;
  LoopModule *module;
  Jit *jit;
  void *library;
  uint8_t *memory;        // the arena of the calls
  VEC(NnrtRun *) entries; // in the order of the subjects
};

static void add_entry(LoopModule *module, const Subject *subject, const Way *way, const Target *target) {
  KernelOptions options = {.fuse = !way->no_fuse, .order = !way->no_order, .plan = !way->no_plan};
  Graph *graph = subject->graph;
  graph = way->no_fold ? graph : pass_fold(graph);
  graph = way->no_simplify ? graph : pass_simplify(graph);
  graph = way->no_cse ? graph : pass_cse(graph);
  graph = way->no_dce ? graph : pass_dce(graph);
  graph = pass_scan(way->no_fold ? graph : pass_hoist(graph));
  KernelGraph *kernels = fuse(module->arena, graph, &options);
  order(kernels, &options);
  plan(kernels, &options);
  schedule(module, kernels, subject->entry, target);
  module->entries.data[module->entries.count - 1]->parallel = !way->single;
}

static bool is_usable(Arena *arena, Backend backend) {
#ifdef __SANITIZE_ADDRESS__
  if (backend == BACKEND_CLANG) // its sanitizers and gcc's do not go together
    return false;
#endif
  return backend == BACKEND_JIT ||
         system(arena_printf(arena, "command -v %s >/dev/null 2>&1", compilers[backend])) == 0;
}

static void load_library(Code *code, const char *cpu, Backend backend) {
  NnrtError error = {0};
  const char *folder = cc_make_folder(code->arena, &error);
  cr_assert_not_null(folder, "%s", error.text);
  Text text = text_new(code->arena);
  emit_c(&text, code->module, NULL);
  const char *path = arena_printf(code->arena, "%s/code.so", folder);
  bool clang = backend == BACKEND_CLANG;
  const char *compiler = arena_printf(code->arena, "%s %s %s", compilers[backend], warnings, clang ? own_barrier : "");
  CcOptions options = {.cc = compiler, .cpu = cpu, .shared = true};
  bool good = cc_compile(code->arena, text_string(&text), "code", &options, path, &error);
  code->library = good ? dlopen(path, RTLD_NOW | RTLD_LOCAL | (clang ? RTLD_NODELETE : 0)) : NULL;
  cc_remove_folder(folder);
  cr_assert(good, "%s: %s", code->label, error.text);
  cr_assert_not_null(code->library, "%s", dlerror());
}

static NnrtRun *find_entry(const Code *code, const char *entry) {
  NnrtRun *run = NULL;
  if (code->jit) {
    run = jit_entry(code->jit, entry);
  } else {
    void *symbol = dlsym(code->library, arena_printf(code->arena, "%s_run", entry));
    memcpy(&run, &symbol, sizeof run);
  }
  cr_assert_not_null(run, "%s: no entry %s", code->label, entry);
  return run;
}

Code *code_new(const Subjects *subjects, const Way *way, Backend backend) {
  Arena *arena = arena_new();
  if (!is_usable(arena, backend)) {
    arena_free(arena);
    return NULL;
  }
  Code *code = arena_new_of(arena, Code);
  code->arena = arena;
  code->label = arena_printf(arena, "%s, %s", backend_names[backend], way->label);
  LoopModule *module = code->module = arena_new_of(arena, LoopModule);
  module->arena = arena;
  module->name = "subjects";
  Target target = target_host();
  if (way->cpu)
    cr_assert(target_parse(way->cpu, &target));
  for (int i = 0; i < subjects->all.count; i++) {
    const Subject *subject = subjects->all.data[i];
    module->state_bytes = subject->state_bytes > module->state_bytes ? subject->state_bytes : module->state_bytes;
    add_entry(module, subject, way, &target);
  }
  const char *fault = loops_check(module);
  cr_assert_null(fault, "%s: %s", code->label, fault);
  char *error = NULL;
  if (backend == BACKEND_JIT)
    cr_assert_not_null(code->jit = jit_compile(module, NULL, &error), "%s: %s", code->label, error);
  else
    load_library(code, way->cpu, backend);
  for (int i = 0; i < subjects->all.count; i++)
    vec_push(arena, &code->entries, find_entry(code, subjects->all.data[i]->entry));
  code->memory = aligned_alloc(64, (size_t)(module->arena_bytes + 127) / 64 * 64);
  return code;
}

void code_free(Code *code) {
  jit_free(code->jit);
  if (code->library)
    dlclose(code->library);
  free(code->memory);
  arena_free(code->arena);
}

// ---- calls
// The place, at the full batch, of element `at` of a tensor of batch count n.
static int64_t place_of(const Type *type, int64_t batch, int64_t n, int64_t at) {
  int64_t place = 0, stride = 1;
  for (int i = type->rank - 1; i >= 0; i--) {
    int64_t size = dim_at(type->dim[i], n);
    place += at % size * stride;
    at /= size;
    stride *= dim_at(type->dim[i], batch);
  }
  return place;
}

// Memory of which a call with batch count n touches no more than `count` elements ends behind these.
static uint8_t *start_of(const Memory *memory, const Type *type, int64_t batch, int64_t n) {
  int64_t count = type_count(type, n), used = count ? place_of(type, batch, n, count - 1) + 1 : 0;
  return memory->end - used * elem_bytes(type->elem);
}

static const uint8_t *fill_input(const Subject *subject, int input, Call call) {
  const Type *type = &subject->graph->inputs.data[input].type;
  int64_t batch = subject->graph->batch, bytes = elem_bytes(type->elem), count = type_count(type, call.n);
  uint8_t *start = start_of(&subject->inputs[input], type, batch, call.n);
  memset(subject->inputs[input].base, 0x5a, (size_t)(subject->inputs[input].end - subject->inputs[input].base));
  for (int64_t at = 0; at < count; at++)
    store(type->elem, start + place_of(type, batch, call.n, at) * bytes,
          subject_value(subject, call.values, input, at));
  return start;
}

static void fill_slot(const Subject *subject, const Slot *slot) {
  int64_t bytes = elem_bytes(slot->type.elem);
  uint8_t *start = subject->state->end - subject->state_bytes + slot->offset;
  for (int64_t at = 0; at < type_count(&slot->type, 0); at++) {
    int64_t spread = (at * 37 + slot->index * 17 + 11) % 101 - 50;
    store(slot->type.elem, start + at * bytes, (Element){(double)spread / 23, spread});
  }
}

static void fill_state(const Subject *subject) {
  const Graph *graph = subject->graph;
  for (int i = 0; i < graph->updates.count; i++)
    fill_slot(subject, graph->updates.data[i].slot);
  for (int i = 0; i < graph->nodes.count; i++)
    if (graph->nodes.data[i]->op == OP_slot)
      fill_slot(subject, graph->nodes.data[i]->attr->slot);
}

static Outcome run_filled(const Code *code, Arena *arena, Subject *subject, Call call, const void *const *inputs) {
  const Graph *graph = subject->graph;
  void **outputs = arena_array(arena, void *, graph->outputs.count + 1);
  Outcome outcome = {.outputs = arena_array(arena, uint8_t *, graph->outputs.count + 1)};
  for (int i = 0; i < graph->outputs.count; i++)
    outputs[i] = start_of(&subject->outputs[i], &graph->outputs.data[i].value->type, graph->batch, call.n);
  fill_state(subject);
  memset(code->memory, 0xff, (size_t)code->module->arena_bytes);
  uint8_t *state = subject->state->end - subject->state_bytes;
  NnrtFrame frame = {state, code->memory, inputs, outputs, {3, 1, 7, 100, call.n}, call.threads};
  code->entries.data[subject->index](&frame);
  outcome.state = arena_copy(arena, state, (size_t)subject->state_bytes);
  for (int i = 0; i < graph->outputs.count; i++) {
    const Type *type = &graph->outputs.data[i].value->type;
    int64_t bytes = elem_bytes(type->elem), count = type_count(type, call.n);
    outcome.outputs[i] = arena_alloc(arena, (size_t)(count * bytes) + 1);
    for (int64_t at = 0; at < count; at++)
      memcpy(outcome.outputs[i] + at * bytes, (uint8_t *)outputs[i] + place_of(type, graph->batch, call.n, at) * bytes,
             (size_t)bytes);
  }
  return outcome;
}

Outcome code_run(const Code *code, Arena *arena, Subject *subject, Call call) {
  const void **inputs = arena_array(arena, const void *, subject->graph->inputs.count + 1);
  for (int i = 0; i < subject->graph->inputs.count; i++)
    inputs[i] = fill_input(subject, i, call);
  return run_filled(code, arena, subject, call, inputs);
}

Outcome code_run_changed(const Code *code, Arena *arena, Subject *subject, Call call, int input, int64_t at,
                         double to) {
  const void **inputs = arena_array(arena, const void *, subject->graph->inputs.count + 1);
  for (int i = 0; i < subject->graph->inputs.count; i++)
    inputs[i] = fill_input(subject, i, call);
  const Type *type = &subject->graph->inputs.data[input].type;
  int64_t place = place_of(type, subject->graph->batch, call.n, at) * elem_bytes(type->elem);
  store(type->elem, (uint8_t *)inputs[input] + place, (Element){to, 0});
  return run_filled(code, arena, subject, call, inputs);
}

// ---- comparison
static double real_at(ElemType elem, const uint8_t *data, int64_t at) {
  float single;
  double real = 0;
  if (elem == F32) {
    memcpy(&single, data + at * 4, 4);
    return (double)single;
  }
  if (elem == F64)
    memcpy(&real, data + at * 8, 8);
  return real;
}

static int64_t whole_at(ElemType elem, const uint8_t *data, int64_t at) {
  int64_t whole = 0;
  memcpy(&whole, data + at * elem_bytes(elem), (size_t)elem_bytes(elem)); // little-endian
  return whole;
}

double outcome_real(const Outcome *outcome, const Subject *subject, int output, int64_t at) {
  return real_at(subject->graph->outputs.data[output].value->type.elem, outcome->outputs[output], at);
}

static bool same_element(ElemType elem, const uint8_t *a, const uint8_t *b, int64_t at) {
  bool nan = elem_is_real(elem) && isnan(real_at(elem, a, at)) && isnan(real_at(elem, b, at));
  return nan || whole_at(elem, a, at) == whole_at(elem, b, at);
}

enum { MOST_MESSAGES = 12 };

static int report(const Subject *subject, const Code *code, Call call, const char *what, ElemType elem, int64_t at,
                  const uint8_t *expected, const uint8_t *found) {
  char text[2][40];
  const uint8_t *sides[] = {expected, found};
  for (int i = 0; i < 2; i++)
    if (elem_is_real(elem))
      snprintf(text[i], sizeof text[i], "%a", real_at(elem, sides[i], at));
    else
      snprintf(text[i], sizeof text[i], "%lld", (long long)whole_at(elem, sides[i], at));
  cr_expect(false, "%s [%s, n %lld, %s values, %d threads]: %s element %lld is %s, not %s", subject->label, code->label,
            (long long)call.n, call.values == VALUES_PLAIN ? "plain" : "special", call.threads, what, (long long)at,
            text[1], text[0]);
  return 1;
}

static int differences(const Code *code, const Subject *subject, Call call, const Outcome *expected,
                       const Outcome *found) {
  const Graph *graph = subject->graph;
  for (int i = 0; i < graph->outputs.count; i++) {
    const Type *type = &graph->outputs.data[i].value->type;
    const char *what = arena_printf(code->arena, "output %d (%s)", i, graph->outputs.data[i].name);
    for (int64_t at = 0; at < type_count(type, call.n); at++)
      if (!same_element(type->elem, expected->outputs[i], found->outputs[i], at))
        return report(subject, code, call, what, type->elem, at, expected->outputs[i], found->outputs[i]);
  }
  for (int i = 0; i < graph->updates.count; i++) {
    const Slot *slot = graph->updates.data[i].slot;
    for (int64_t at = 0; at < type_count(&slot->type, 0); at++)
      if (!same_element(slot->type.elem, expected->state + slot->offset, found->state + slot->offset, at))
        return report(subject, code, call, slot->name, slot->type.elem, at, expected->state + slot->offset,
                      found->state + slot->offset);
  }
  return 0;
}

// ---- all calls of all subjects
enum { COUNTS = 4, CALLS = COUNTS * VALUES_COUNT };

// Call `which` of a subject: the full batch, one sample less, half, one sample; false for one that was there before.
static bool call_of(const Subject *subject, int which, int threads, Call *call) {
  int64_t batch = subject->graph->batch, counts[COUNTS] = {batch, batch - 1, batch / 2, 1};
  int at = which / VALUES_COUNT;
  *call = (Call){counts[at], (Values)(which % VALUES_COUNT), threads};
  return at == 0 || (counts[at] > 0 && counts[at] < counts[at - 1]);
}

static Outcome *run_all(const Subjects *subjects, const Code *code, Arena *arena) {
  Outcome *outcomes = arena_array(arena, Outcome, subjects->all.count * CALLS + 1);
  Call call;
  for (int i = 0; i < subjects->all.count; i++)
    for (int which = 0; which < CALLS; which++)
      if (call_of(subjects->all.data[i], which, 1, &call))
        outcomes[i * CALLS + which] = code_run(code, arena, subjects->all.data[i], call);
  return outcomes;
}

// One message for a subject, and no more than a few.
static void expect_same_bits(const Subjects *subjects, const Outcome *expected, const Code *code, int threads) {
  int messages = 0;
  for (int i = 0; i < subjects->all.count && messages < MOST_MESSAGES; i++) {
    Subject *subject = subjects->all.data[i];
    int found = 0;
    for (int which = 0; which < CALLS && !found; which++) {
      Call call;
      if (!call_of(subject, which, threads, &call) || (threads > 1 && call.values == VALUES_SPECIAL))
        continue;
      Arena *arena = arena_new();
      Outcome outcome = code_run(code, arena, subject, call);
      found = differences(code, subject, call, &expected[i * CALLS + which], &outcome);
      arena_free(arena);
    }
    messages += found;
  }
}

static void expect_build(const Subjects *subjects, const Outcome *expected, const Build *build) {
  for (int i = 0; i < build->count; i++) {
    Code *code = code_new(subjects, &build->ways[i], build->backend);
    if (!code)
      return;
    for (int threads = 1; threads <= 2; threads++)
      expect_same_bits(subjects, expected, code, threads);
    code_free(code);
  }
}

void expect_same_everywhere(const Subjects *subjects, int count, const Build *builds) {
  Arena *arena = arena_new();
  Code *plain = code_new(subjects, &plain_way, BACKEND_JIT);
  Outcome *expected = run_all(subjects, plain, arena);
  code_free(plain);
  for (int i = 0; i < count; i++) {
    Build build = builds[i];
    build.count = SANITIZED && build.count > 2 ? 2 : build.count;
    if (build.backend == BACKEND_JIT || !SANITIZED)
      expect_build(subjects, expected, &build);
  }
  arena_free(arena);
}

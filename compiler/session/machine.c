// The two limits of a roofline. Each thread of the team measures what it computes in rounds of a fraction of a millisecond,
// so that what else runs on the machine disturbs some of them, not the result; what memory gives, they measure together.
#include "session/machine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loops/schedule.h"
#include "session/jit.h"
#include "state.h"

// Twelve independent chains hide the latency of two units, and with their two factors fit into sixteen registers.
enum { CHAINS = 12, LINKS = 1 << 16, LEAST_ROUNDS = 8, MOST_ROUNDS = 4096 };
static const double seconds_each = 0.1;

// ---- code
static LStmt *add(Arena *arena, LBody *body, LStmt stmt) {
  LStmt *copy = arena_copy(arena, &stmt, sizeof stmt);
  vec_push(arena, body, copy);
  return copy;
}

static LBuffer *add_buffer(Arena *arena, LKernel *kernel, const char *name, LType type, int64_t length, bool written) {
  LBuffer *buffer = arena_new_of(arena, LBuffer);
  *buffer = (LBuffer){.name = name, .type = type, .length = length, .read = !written, .written = written, .shape = ""};
  vec_push(arena, &kernel->buffers, buffer);
  return buffer;
}

static LStmt *add_tile(Arena *arena, LBody *body, int lanes, const char *row, const char *lane) {
  return add(arena, body,
             (LStmt){.kind = LS_TILE,
                     .row_var = lvar_new(arena, row, L_I64),
                     .rows = CHAINS,
                     .col_var = lvar_new(arena, lane, L_I64),
                     .cols = lanes});
}

// local sum[i, j] = value; in a tile of its own.
static void set_tile(Arena *arena, LStmt *tile, LLocal *local, LExpr *value) {
  LExpr *row = lx_var(arena, tile->row_var), *lane = lx_var(arena, tile->col_var);
  add(arena, &tile->body, (LStmt){.kind = LS_SET, .local = local, .index = {row, lane}, .value = value});
}

static LExpr *number_of(Arena *arena, LStmt *tile, int lanes) {
  LExpr *above = lx_binary(arena, LX_MUL, lx_var(arena, tile->row_var), lx_i64(arena, lanes));
  return lx_binary(arena, LX_ADD, above, lx_var(arena, tile->col_var));
}

static LStmt *add_loop(Arena *arena, LBody *body, const char *name, int64_t rounds) {
  return add(arena, body,
             (LStmt){.kind = LS_FOR,
                     .var = lvar_new(arena, name, L_I64),
                     .from = lx_i64(arena, 0),
                     .to = lx_i64(arena, rounds),
                     .step = 1});
}

// sum = sum * f + g again and again, with sum, f and g from memory, so that nothing is known of them.
static LKernel *fma_kernel(Arena *arena, const char *name, LType type, int lanes) {
  LKernel *kernel = arena_new_of(arena, LKernel);
  *kernel = (LKernel){.name = name, .comment = "", .n = lvar_new(arena, "n", L_I64)};
  LBuffer *in = add_buffer(arena, kernel, "in", type, CHAINS * lanes, false);
  LBuffer *out = add_buffer(arena, kernel, "out", type, CHAINS * lanes, true);
  LLocal *sum = arena_new_of(arena, LLocal);
  *sum = (LLocal){.name = "sum", .type = type, .rank = 2, .dim = {CHAINS, lanes}};
  LBody *body = &add_loop(arena, &kernel->body, "once", 1)->body;
  add(arena, body, (LStmt){.kind = LS_LOCAL, .local = sum, .value = lx_real(arena, type, 0)});
  LStmt *first = add_tile(arena, body, lanes, "i", "j");
  set_tile(arena, first, sum, lx_load(arena, in, number_of(arena, first, lanes)));
  LStmt *link = add_tile(arena, &add_loop(arena, body, "k", LINKS)->body, lanes, "i_2", "j_2");
  LExpr *factor = lx_load(arena, in, lx_i64(arena, 0)), *addend = lx_load(arena, in, lx_i64(arena, 1));
  LExpr *before = lx_local(arena, sum, lx_var(arena, link->row_var), lx_var(arena, link->col_var));
  set_tile(arena, link, sum, lx_fma(arena, before, factor, addend));
  LStmt *last = add_tile(arena, body, lanes, "i_3", "j_3");
  LExpr *result = lx_local(arena, sum, lx_var(arena, last->row_var), lx_var(arena, last->col_var));
  add(arena, &last->body,
      (LStmt){.kind = LS_STORE, .buffer = out, .index = {number_of(arena, last, lanes)}, .value = result});
  return kernel;
}

static void add_entry(LoopModule *module, const char *name, LKernel *kernel) {
  Arena *arena = module->arena;
  LEntry *entry = arena_new_of(arena, LEntry);
  *entry = (LEntry){.name = name};
  LPlace *places = arena_array(arena, LPlace, 2);
  places[0] = (LPlace){.space = SPACE_INPUT};
  places[1] = (LPlace){.space = SPACE_OUTPUT};
  vec_push(arena, &module->kernels, kernel);
  vec_push(arena, &entry->calls, ((LCall){.kernel = kernel, .places = places}));
  vec_push(arena, &module->entries, entry);
}

// As the compiler lowers it.
static void add_triad(LoopModule *module, int64_t length, const Target *target) {
  Arena *arena = module->arena;
  KernelOptions options = {.fuse = true, .order = true, .plan = true};
  Type type = {.elem = F32, .rank = 1, .dim = {length}};
  Graph *graph = graph_new(arena, "triad", 0);
  Node *b = graph_input(graph, "b", type), *c = graph_input(graph, "c", type);
  Node *half = graph_constant(graph, type, 0.5);
  Node *sum = graph_binary(graph, OP_add, b, graph_binary(graph, OP_mul, c, half));
  vec_push(arena, &graph->outputs, ((GraphOutput){"a", sum}));
  KernelGraph *kernels = fuse(arena, graph, &options);
  order(kernels, &options);
  plan(kernels, &options);
  schedule(module, kernels, "triad", target);
}

// ---- measuring
static void keep_better(double *known, double found) {
  *known = found > *known ? found : *known;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// What the threads of a team share: memory in and out for each, and the seconds of a round that each has found.
typedef struct Spin {
  NnrtRun *run;
  uint8_t *memory; // `bytes` in, and as many out, for each thread
  int64_t bytes;
  double *seconds;
} Spin;

// The quickest tenth of the rounds is undisturbed, but for the very quickest, when other threads may not have been there.
static void spin(const NnrtFrame *team, int thread, int threads) {
  const Spin *spin = team->inputs[0];
  uint8_t *in = spin->memory + 2 * thread * spin->bytes;
  NnrtFrame frame = {.inputs = (const void *[]){in}, .outputs = (void *[]){in + spin->bytes}, .threads = 1};
  double times[MOST_ROUNDS], begin = nnrt_seconds(), now = begin;
  int count = 0;
  (void)threads;
  while (count < MOST_ROUNDS && (count < LEAST_ROUNDS || now - begin < seconds_each)) {
    double before = now;
    spin->run(&frame);
    now = nnrt_seconds();
    times[count++] = now - before;
  }
  qsort(times, (size_t)count, sizeof *times, compare);
  spin->seconds[thread] = times[count / 10];
}

static void fill(uint8_t *memory, ElemType elem, int64_t bytes) {
  for (int i = 0; i < bytes / elem_bytes(elem); i++) // a factor below 1 comes first
    if (elem == F64)
      ((double *)(void *)memory)[i] = 0.999 - i;
    else
      ((float *)(void *)memory)[i] = 0.999f - (float)i;
}

static bool measure_peak(Jit *jit, const Target *target, ElemType elem, Machine *machine) {
  Spin spins = {.run = jit_entry(jit, elem_name(elem)), .bytes = (int64_t)CHAINS * target->vector_bytes};
  spins.memory = nnrt_allocate(2 * machine->threads * spins.bytes);
  spins.seconds = calloc((size_t)machine->threads, sizeof *spins.seconds);
  bool whole = spins.memory && spins.seconds;
  if (whole) {
    for (int i = 0; i < 2 * machine->threads; i++)
      fill(spins.memory + i * spins.bytes, elem, spins.bytes);
    nnrt_parallel(machine->threads, spin, &(NnrtFrame){.inputs = (const void *[]){&spins}});
    double operations = 2.0 * (double)LINKS * (double)(spins.bytes / elem_bytes(elem)), sum = 0;
    for (int i = 0; i < machine->threads; i++)
      sum += operations / spins.seconds[i];
    keep_better(&machine->peak[elem == F64], sum);
  }
  free(spins.memory);
  free(spins.seconds);
  return whole;
}

static double best_of(NnrtRun *run, const NnrtFrame *frame) {
  double best = 0, begin = nnrt_seconds(), now = begin;
  for (int round = 0; round < LEAST_ROUNDS || now - begin < seconds_each; round++) {
    double before = now;
    run(frame);
    now = nnrt_seconds();
    best = round == 0 || now - before < best ? now - before : best;
  }
  return best;
}

static bool measure_bandwidth(Jit *jit, int64_t length, Machine *machine) {
  float *arrays[3];
  bool whole = true;
  for (int i = 0; i < 3; i++) {
    arrays[i] = nnrt_allocate(length * (int64_t)sizeof(float));
    whole = whole && arrays[i];
  }
  if (whole) {
    for (int i = 0; i < 3; i++)
      memset(arrays[i], 0, (size_t)length * sizeof(float));
    NnrtFrame frame = {.inputs = (const void *[]){arrays[1], arrays[2]},
                       .outputs = (void *[]){arrays[0]},
                       .threads = machine->threads};
    machine->bytes = 3.0 * sizeof(float) * (double)length;
    keep_better(&machine->bandwidth, machine->bytes / best_of(jit_entry(jit, "triad"), &frame));
  }
  for (int i = 0; i < 3; i++)
    free(arrays[i]);
  return whole;
}

// Of one array: together twice the last cache, but no more than an eighth of the machine's memory.
static int64_t array_length(void) {
  int64_t cache = 32 << 20, memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
#ifdef _SC_LEVEL3_CACHE_SIZE
  cache = sysconf(_SC_LEVEL3_CACHE_SIZE) > cache ? sysconf(_SC_LEVEL3_CACHE_SIZE) : cache;
#endif
  int64_t bytes = 2 * cache < memory / 8 || memory <= 0 ? 2 * cache : memory / 8;
  return bytes / 3 / (int64_t)sizeof(float);
}

bool machine_measure(Arena *arena, int threads, Machine *machine, char **error) {
  Target target = target_host();
  int64_t length = array_length();
  LoopModule module = {.arena = arena, .name = "machine"};
  machine->threads = threads;
  add_entry(&module, "f32", fma_kernel(arena, "fma_f32", L_F32, target.vector_bytes / 4));
  add_entry(&module, "f64", fma_kernel(arena, "fma_f64", L_F64, target.vector_bytes / 8));
  add_triad(&module, length, &target);
  Jit *jit = jit_compile(&module, NULL, error);
  if (!jit)
    return false;
  bool measured = measure_peak(jit, &target, F32, machine) && measure_peak(jit, &target, F64, machine) &&
                  measure_bandwidth(jit, length, machine);
  if (!measured)
    *error = "out of memory for arrays larger than the caches";
  jit_free(jit);
  return measured;
}

// Entries that look at the clock after each kernel: the same bits as those that do not, every call counted in its place, and
// nothing of it in entries that were not asked for.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "emit/llvm.h"
#include "session/jit.h"
#include "session/profile.h"
#include "tally.h"

enum { STEPS = 3, ROWS = 64, LENGTH = 5, INPUTS = 32, OUTPUTS = 30, CALLS = 400 };

static void add_zeros(Text *out, int rank, const int *dims) {
  for (int i = 0; i < *dims; i++) {
    text_add(out, i ? "," : "[");
    if (rank > 1)
      add_zeros(out, rank - 1, dims + 1);
    else
      text_add(out, "0.0");
  }
  text_add(out, "]");
}

// A recurrence, and a layer wide enough that a team is worth it.
static const char *program(Arena *arena) {
  Text out = text_new(arena);
  text_add(&out, "data d = values(x: ");
  add_zeros(&out, 3, (int[]){ROWS, LENGTH, INPUTS});
  text_add(&out, ", y: ");
  add_zeros(&out, 2, (int[]){ROWS, OUTPUTS});
  text_printf(&out,
              ")\n"
              "model m(x: f32[%d, %d]) -> f32[%d] { x |> lstm(64) |> flatten |> dense(600) |> relu |> dense(%d) }\n"
              "train { model: m; data: d; loss: mse; optimizer: adam(lr: 1e-3); batch: %d; epochs: 1 }\n",
              LENGTH, INPUTS, OUTPUTS, OUTPUTS, ROWS);
  return text_string(&out);
}

static Compilation *compiled(Arena *arena, const char *source) {
  Diag *diag = diag_new(arena);
  CompileOptions options = {.training = true, .profile = true};
  Compilation *result = compile_source(arena, diag, source_from_string(arena, "m.nn", source), &options);
  diag_print(diag, stderr);
  cr_assert_not_null(result);
  return result;
}

static void *memory(int64_t bytes) {
  void *block = aligned_alloc(64, (size_t)whole_lines(bytes + 1));
  memset(block, 0, (size_t)whole_lines(bytes + 1));
  return block;
}

// The state after some steps of an entry. `tallies` NULL: nobody counts.
static uint8_t *state_after(Jit *jit, const Compilation *compilation, const char *entry, int threads,
                            NnrtTally *tallies) {
  const NnrtModule *module = &compilation->manifest->module;
  float *x = memory(ROWS * LENGTH * INPUTS * 4), *y = memory(ROWS * OUTPUTS * 4);
  for (int i = 0; i < ROWS * LENGTH * INPUTS; i++)
    x[i] = (float)(i * 7919 % 97 - 48) / 50;
  for (int i = 0; i < ROWS * OUTPUTS; i++)
    y[i] = (float)(i * 104729 % 89 - 44) / 50;
  uint8_t *state = memory(module->state_bytes), *arena = memory(module->arena_bytes);
  void *outputs[4] = {memory(64), memory(64), memory(64), memory(64)};
  NnrtFrame frame = {.state = state, .arena = arena, .inputs = (const void *[]){x, y}, .outputs = outputs};
  frame.threads = threads;
  frame.clock[4] = ROWS;
  jit_entry(jit, "init")(&frame);
  nnrt_tally_into(tallies);
  for (int i = 0; i < STEPS; i++, frame.clock[0]++)
    jit_entry(jit, entry)(&frame);
  nnrt_tally_into(NULL);
  for (int i = 0; i < 4; i++)
    free(outputs[i]);
  free(x);
  free(y);
  free(arena);
  return state;
}

static void count(void *context, const LCall *call) {
  (void)call;
  ++*(int *)context;
}

typedef struct Expected {
  const NnrtTally *tallies;
  int at;
  int64_t rounds;
} Expected;

static void check_calls(Expected *expected, const LCalls *calls, int64_t rounds) {
  for (int i = 0; i < calls->count; i++) {
    const LCall *call = &calls->data[i];
    if (call->loop) {
      check_calls(expected, &call->loop->calls, rounds * call->loop->length);
      continue;
    }
    const NnrtTally *tally = &expected->tallies[expected->at++];
    cr_expect_eq(tally->calls, STEPS * rounds, "%s: %d", call->kernel->name, (int)tally->calls);
    cr_expect(tally->seconds > 0, "%s", call->kernel->name);
  }
}

Test(profile, same_bits_and_every_call) {
  Arena *arena = arena_new();
  Compilation *compilation = compiled(arena, program(arena));
  const LEntry *entry = profile_entry(compilation->loops, "train_step");
  cr_assert_not_null(entry);
  cr_expect_null(profile_entry(compilation->loops, "train_stop"));
  cr_assert(entry->parallel, "the test wants a team");
  char *error = NULL;
  Jit *jit = jit_compile(compilation->loops, NULL, &error);
  cr_assert_not_null(jit, "%s", error);
  int calls = 0;
  loops_visit(&entry->calls, count, &calls);
  cr_assert_leq(calls, CALLS);
  uint8_t *plain = state_after(jit, compilation, "train_step", 1, NULL);
  for (int threads = 1; threads <= 3; threads++) {
    NnrtTally tallies[CALLS] = {{0}};
    uint8_t *profiled = state_after(jit, compilation, "train_step_profile", threads, tallies);
    cr_expect(memcmp(plain, profiled, (size_t)compilation->loops->state_bytes) == 0, "%d threads", threads);
    Expected expected = {.tallies = tallies};
    check_calls(&expected, &entry->calls, 1);
    cr_expect_eq(expected.at, calls);
    free(profiled);
  }
  free(plain);
  jit_free(jit);
  arena_free(arena);
}

// Called without anywhere to count, a profiled entry works all the same.
Test(profile, nobody_counts) {
  Arena *arena = arena_new();
  Compilation *compilation = compiled(arena, program(arena));
  profile_entry(compilation->loops, "train_step");
  char *error = NULL;
  Jit *jit = jit_compile(compilation->loops, NULL, &error);
  cr_assert_not_null(jit, "%s", error);
  free(state_after(jit, compilation, "train_step_profile", 2, NULL));
  jit_free(jit);
  arena_free(arena);
}

Test(profile, costs_nothing_unless_asked_for) {
  Arena *arena = arena_new();
  Compilation *compilation = compiled(arena, program(arena));
  Text before = text_new(arena), after = text_new(arena);
  llvm_print(&before, compilation->loops, NULL);
  cr_expect_null(strstr(text_string(&before), "call void @nnrt_profile"));
  profile_entry(compilation->loops, "train_step");
  llvm_print(&after, compilation->loops, NULL);
  cr_expect_not_null(strstr(text_string(&after), "call void @nnrt_profile(i32 %1, i32 -1)"));
  arena_free(arena);
}

// The step alone, and of the first block alone.
Test(profile, compiles_what_it_needs) {
  Arena *arena = arena_new();
  const char *two = arena_printf(
      arena, "%strain again { model: m; data: d; loss: mse; optimizer: sgd(lr: 1); epochs: 1 }\n", program(arena));
  Compilation *compilation = compiled(arena, two);
  cr_assert_eq(compilation->functions.count, 2);
  cr_expect_str_eq(compilation->functions.data[0].entry, "init");
  cr_expect_str_eq(compilation->functions.data[1].entry, "train_step");
  arena_free(arena);
}

// A processor does not compute less than a tenth of a GFLOP/s, nor more than ten thousand with one thread.
Test(profile, of_the_machine) {
  Arena *arena = arena_new();
  char *error = NULL;
  Machine machine = {.bandwidth = 1e18};
  cr_assert(machine_measure(arena, 1, &machine, &error), "%s", error);
  for (int i = 0; i < 2; i++)
    cr_expect(machine.peak[i] > 1e8 && machine.peak[i] < 1e13, "%g", machine.peak[i]);
  cr_expect_float_eq(machine.bandwidth, 1e18, 0, "the better is kept");
  cr_expect(machine.bytes > 1e7 && machine.threads == 1);
  arena_free(arena);
}

// `nnc profile`: finds what is asked for, compiles its entry as it is and once more with a look at the clock after each
// kernel, runs both, and puts times and work of each kernel together.
#include "session/profile.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "session/jit.h"
#include "session/profile_run.h"
#include "session/session.h"
#include "session/shared.h"
#include "state.h"

// ---- what is asked for
static bool find_model(const Program *program, const NnrtModule *module, const char *name, ProfileSubject *subject) {
  for (int i = 0; i < module->predict_count; i++)
    if (strcmp(module->predicts[i].model, name) == 0) {
      subject->predict = &module->predicts[i];
      subject->function = &module->predicts[i].function;
      subject->entry = manifest_entry_name(program->arena, name, "predict");
      return true;
    }
  return false;
}

static bool find_train(const Program *program, const NnrtModule *module, const char *name, ProfileSubject *subject) {
  for (int i = 0; i < module->train_count; i++)
    if (!name || strcmp(module->trains[i].name, name) == 0) {
      subject->train = &module->trains[i];
      subject->function = &module->trains[i].train;
      subject->entry = manifest_entry_name(program->arena, module->trains[i].name, "step");
      return true;
    }
  return false;
}

static bool find_subject(const Program *program, const NnrtModule *module, const char *name, ProfileSubject *subject) {
  if (find_train(program, module, name, subject) || (name && find_model(program, module, name, subject)))
    return true;
  if (name)
    fprintf(stderr, "nnc: %s has no train block and no model with inputs named `%s`\n", program->file, name);
  else
    fprintf(stderr, "nnc: %s has no train block; nnc profile %s MODEL profiles the prediction of a model\n",
            program->file, program->file);
  return false;
}

const LEntry *profile_entry(LoopModule *loops, const char *name) {
  const LEntry *entry = loops_entry(loops, name);
  if (!entry)
    return NULL;
  LEntry *copy = arena_copy(loops->arena, entry, sizeof *copy);
  copy->name = arena_printf(loops->arena, "%s_profile", name);
  copy->profile = true;
  vec_push(loops->arena, &loops->entries, copy);
  return copy;
}

// ---- rows
static bool is_first(const Kernel *kernel, int at) {
  const Span *span = &kernel->nodes.data[at]->span;
  for (int i = 0; i < at; i++)
    if (kernel->nodes.data[i]->span.source == span->source && kernel->nodes.data[i]->span.line == span->line)
      return false;
  return span->source != NULL;
}

// "digits.nn:5,6,14  classifier.dense_0": the lines of its nodes, then where its root stands.
static const char *place_of(Arena *arena, const Kernel *kernel) {
  Text text = text_new(arena);
  const Source *source = NULL;
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Span *span = &kernel->nodes.data[i]->span;
    if (!is_first(kernel, i))
      continue;
    if (span->source == source)
      text_printf(&text, ",%d", span->line);
    else
      text_printf(&text, "%s%s:%d", source ? " " : "", span->source->path, span->line);
    source = span->source;
  }
  if (*kernel->root->scope)
    text_printf(&text, "%s%s", text.length ? "  " : "", kernel->root->scope);
  return text_string(&text);
}

// The graph that the kernel is one of, and in *around the scan whose body that is, NULL: none.
static const KernelGraph *graph_of(const KernelGraph *graph, const Kernel *kernel, const Kernel **around) {
  for (int i = 0; i < graph->prepared.count; i++)
    if (graph->prepared.data[i] == kernel)
      return graph;
  for (int i = 0; i < graph->kernels.count; i++) {
    const Kernel *other = graph->kernels.data[i], *outer = *around;
    if (other == kernel)
      return graph;
    if (!other->body)
      continue;
    *around = other;
    const KernelGraph *found = graph_of(other->body, kernel, around);
    if (found)
      return found;
    *around = outer;
  }
  return NULL;
}

// What packs values for kernels to come moves them, and does not compute.
static ProfileRow row_of_pack(Arena *arena, const LKernel *kernel) {
  const Span *span = &kernel->span;
  ProfileRow row = {.name = kernel->name, .place = ""};
  if (span->source)
    row.place = arena_printf(arena, "%s:%d", span->source->path, span->line);
  for (int i = 0; i < kernel->buffers.count; i++)
    row.work.bytes += lbuffer_bytes(kernel->buffers.data[i]);
  return row;
}

typedef struct Rows {
  Arena *arena;
  const KernelGraph *graph;
  int64_t batch;
  VEC(ProfileRow) list;
} Rows;

// What a scan only copies from step to step stands where the scan does.
static ProfileRow row_of(const Rows *rows, const Kernel *kernel) {
  const Kernel *around = NULL;
  const KernelGraph *graph = graph_of(rows->graph, kernel, &around);
  ProfileRow row = {
      .name = kernel->name, .place = place_of(rows->arena, kernel), .work = work_of(graph, kernel, rows->batch)};
  if (!*row.place && around)
    row.place = place_of(rows->arena, around);
  return row;
}

static void add_row(void *context, const LCall *call) {
  Rows *rows = context;
  ProfileRow row = call->origin ? row_of(rows, call->origin) : row_of_pack(rows->arena, call->kernel);
  vec_push(rows->arena, &rows->list, row);
}

static void count_call(void *count, const LCall *call) {
  (void)call;
  ++*(int *)count;
}

static int by_seconds(const void *a, const void *b) {
  const ProfileRow *x = a, *y = b;
  return x->seconds != y->seconds ? (x->seconds < y->seconds) - (x->seconds > y->seconds) : strcmp(x->name, y->name);
}

static Profile put_together(Arena *arena, const Compilation *compilation, const char *entry, const LEntry *profiled,
                            const ProfileTimes *times) {
  Rows rows = {.arena = arena, .graph = compile_function(compilation, entry)->kernels, .batch = times->batch};
  loops_visit(&profiled->calls, add_row, &rows);
  for (int i = 0; i < rows.list.count; i++) {
    rows.list.data[i].calls = times->calls[i];
    rows.list.data[i].seconds = times->seconds[i];
  }
  if (rows.list.count)
    qsort(rows.list.data, (size_t)rows.list.count, sizeof *rows.list.data, by_seconds);
  return (Profile){.function = entry,
                   .file = compilation->program->file,
                   .batch = times->batch,
                   .steps = times->steps,
                   .row_count = rows.list.count,
                   .rows = rows.list.data,
                   .step = times->step,
                   .plain = times->plain};
}

// ---- the command
static bool write_svg(Arena *arena, const Profile *profile, const char *path) {
  Text text = text_new(arena);
  profile_svg(&text, profile);
  FILE *file = fopen(path, "w");
  bool written = file && fputs(text_string(&text), file) >= 0;
  int reason = errno;
  if (file && fclose(file) != 0 && written)
    written = false, reason = errno;
  if (!written)
    fprintf(stderr, "nnc: cannot write %s: %s\n", path, strerror(reason));
  return written;
}

static bool run(Arena *arena, const Compilation *compilation, const ProfileCode *code, const ProfileSubject *subject,
                const LEntry *profiled, const NnrtOptions *options, Profile *profile) {
  NnrtError error = {0};
  ProfileTimes times;
  Machine machine = {0};
  char *problem = NULL;
  int calls = 0;
  loops_visit(&profiled->calls, count_call, &calls);
  if (!profile_run(arena, compilation, code, subject, profiled, calls, options, &times, &error)) {
    nnrt_report(&error);
    return false;
  }
  if (!machine_measure(arena, times.threads, &machine, &problem)) {
    fprintf(stderr, "nnc: %s\n", problem);
    return false;
  }
  *profile = put_together(arena, compilation, subject->entry, profiled, &times);
  profile->machine = machine;
  return true;
}

static NnrtRun *find_jit(Arena *arena, void *jit, const char *name) {
  (void)arena;
  return jit_entry(jit, name);
}

static bool run_jit(Arena *arena, const Compilation *compilation, const ProfileSubject *subject, const LEntry *profiled,
                    const NnrtOptions *options, Profile *profile) {
  char *error = NULL;
  CodeCache cache = code_cache_open(arena);
  Jit *jit = jit_compile(compilation->loops, &cache, &error);
  if (!jit) {
    fprintf(stderr, "nnc: LLVM: %s\n", error);
    return false;
  }
  bool fine = run(arena, compilation, &(ProfileCode){find_jit, jit}, subject, profiled, options, profile);
  jit_free(jit);
  return fine;
}

static bool run_c(Arena *arena, const Compilation *compilation, const CcOptions *cc, const ProfileSubject *subject,
                  const LEntry *profiled, const NnrtOptions *options, Profile *profile) {
  NnrtError error = {0};
  void *library = shared_load(arena, compilation->loops, cc, &error);
  if (!library) {
    fprintf(stderr, "nnc: %s\n", error.text);
    return false;
  }
  bool fine = run(arena, compilation, &(ProfileCode){shared_entry, library}, subject, profiled, options, profile);
  dlclose(library);
  return fine;
}

int session_profile(Arena *arena, const Compilation *compilation, const ProfileOptions *asked,
                    const NnrtOptions *options) {
  ProfileSubject subject = {0};
  Profile profile;
  if (!find_subject(compilation->program, &compilation->manifest->module, options->block, &subject))
    return 1;
  const LEntry *profiled = profile_entry(compilation->loops, subject.entry);
  bool fine = asked->cc ? run_c(arena, compilation, asked->cc, &subject, profiled, options, &profile)
                        : run_jit(arena, compilation, &subject, profiled, options, &profile);
  if (!fine)
    return 1;
  profile.through = asked->cc ? "C" : "the JIT";
  Text text = text_new(arena);
  profile_table(&text, &profile);
  fputs(text_string(&text), stdout);
  return !asked->svg || write_svg(arena, &profile, asked->svg) ? 0 : 1;
}

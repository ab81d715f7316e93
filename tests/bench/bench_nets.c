// Whole networks beside PyTorch: training steps and predictions on the JIT and through C, on one thread and two, in turn with
// torch_peer.py, so that what else the machine does meets both alike. A table, and the same as a CSV.
//   bench_nets [--csv FILE] [--rounds N] [NAME…]
// GFLOP/s are two for each multiply-add of matrix products and convolutions, nothing else, all taps of a convolution counted; "made"
// is the part of the peak for those that are really made, fewer by minimal filtering, more where values are computed again.
// The peak is of the same run. MB: of nnc the pages of the state block and the arena that steps have touched, which is all but their
// samples; of PyTorch what its process has at most, less what it had before the network was made. first: seconds from the
// source text to the first result.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { MAX_ROUNDS = 31, MAX_WAYS = 8 };

typedef struct Workload {
  const char *name, *what;
  const char *file;  // in this folder
  const char *model; // NULL: the train block's step
  int64_t batch;     // of the model
  const char *unit;
  double units; // in a step
} Workload;

static const Workload workloads[] = {
    {"W1", "MLP 784-512-256-10, Adam, batch 64", "mlp.nn", NULL, 0, "samples", 64},
    {"W2", "conv32-conv64-pool-128-10 on 28x28, Adam, batch 64", "cnn.nn", NULL, 0, "samples", 64},
    {"W3", "ResNet-18 on 32x32, momentum, batch 64", "resnet18.nn", NULL, 0, "images", 64},
    {"W4", "ResNet-50 prediction, batch 1", "../../examples/zoo/resnet.nn", "resnet50", 1, "images", 1},
    {"W4b8", "ResNet-50 prediction, batch 8", "../../examples/zoo/resnet.nn", "resnet50", 8, "images", 8},
    {"W5", "VGG16 prediction, batch 1", "../../examples/zoo/vgg.nn", "vgg16", 1, "images", 1},
    {"W6", "2 LSTM layers of 256, 64 of 65 characters, Adam, batch 32", "lstm.nn", NULL, 0, "tokens", 2048},
    {"W7", "GPT of 6 layers, 6 heads, 384 wide, 256 characters, AdamW, batch 8", "gpt.nn", NULL, 0, "tokens", 2048},
    {"W8", "2-4-2-1 tanh, SGD, batch 10", "tiny.nn", NULL, 0, "steps", 1},
    {"W9", "MobileNet v2 prediction, batch 1", "../../examples/zoo/mobilenet.nn", "mobilenet_v2", 1, "images", 1},
    {"W10", "ViT-B/16 prediction, batch 1", "../../examples/zoo/vit.nn", "vit_b_16", 1, "images", 1},
    {"W11", "ResNet-50 on 224x224, momentum, batch 8", "resnet50.nn", NULL, 0, "images", 8},
    {"W12", "U-Net of 32 to 512 channels on 128x128, Adam, batch 4", "unet.nn", NULL, 0, "images", 4},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

// A way to run it, with the seconds a step took in each round.
typedef struct Timed {
  const char *name; // llvm, gcc, torch
  int threads;
  Backend backend; // run NULL: the peer
  double first, megabytes;
  double seconds[MAX_ROUNDS];
} Timed;

// ---- the peer: a process that takes "THREADS SECONDS" a line and answers with the seconds a step took
typedef struct Peer {
  pid_t process;
  FILE *to, *from; // NULL: there is none
  double first, megabytes;
} Peer;

static Peer peer_start(const char *name) {
  Peer peer = {0};
  int down[2], up[2];
  if (pipe(down) || pipe(up))
    return peer;
  peer.process = fork();
  if (peer.process == 0) {
    dup2(down[0], 0);
    dup2(up[1], 1);
    close(down[1]);
    close(up[0]);
    execl("/usr/bin/python3", "python3", NNC_SOURCE_DIR "/tests/bench/torch_peer.py", name, (char *)NULL);
    _exit(127);
  }
  close(down[0]);
  close(up[1]);
  peer.to = fdopen(down[1], "w");
  peer.from = fdopen(up[0], "r");
  if (!peer.from || fscanf(peer.from, "%lf", &peer.first) != 1) {
    fclose(peer.to);
    fclose(peer.from);
    waitpid(peer.process, NULL, 0);
    return (Peer){0};
  }
  return peer;
}

static double peer_time(Peer *peer, int threads, double least) {
  double seconds = 0;
  fprintf(peer->to, "%d %g\n", threads, least);
  fflush(peer->to);
  return fscanf(peer->from, "%lf %lf", &seconds, &peer->megabytes) == 2 ? seconds : 0;
}

static void peer_stop(Peer *peer) {
  if (!peer->to)
    return;
  fclose(peer->to);
  fclose(peer->from);
  waitpid(peer->process, NULL, 0);
}

// ---- the function
static int64_t elements(const NnrtValue *value, int64_t batch) {
  int64_t count = 1;
  for (int i = 0; i < value->rank; i++)
    count *= value->dim[i] < 0 ? -value->dim[i] * batch : value->dim[i];
  return count;
}

// Reals in [0, 1); whole numbers 0 and 1, which are classes of any data set.
static const void *samples_of(const NnrtValue *value, int64_t batch) {
  int64_t count = elements(value, batch);
  uint8_t *data = bench_memory(count * 8);
  for (int64_t i = 0; i < count; i++)
    if (value->type == NNRT_F32)
      ((float *)data)[i] = (float)rand() / ((float)RAND_MAX + 1);
    else if (value->type == NNRT_I64)
      ((int64_t *)data)[i] = rand() % 2;
  return data;
}

typedef struct Subject {
  const Workload *workload;
  Compilation *compilation;
  const char *entry;
  double compiled;            // seconds from the source text to loops
  double multiply_adds, made; // of a step
  NnrtRun *init;
  NnrtFrame frame;
} Subject;

static bool prepare_subject(Arena *arena, const Workload *workload, Subject *subject) {
  const char *model = workload->model;
  Diag *diag = diag_new(arena);
  CompileOptions options = {.training = !model, .prediction = model, .block = model, .batch = workload->batch};
  double begin = bench_seconds();
  Compilation *c =
      compile(arena, diag, arena_printf(arena, NNC_SOURCE_DIR "/tests/bench/%s", workload->file), &options);
  diag_print(diag, stderr);
  if (!c)
    return false;
  const NnrtModule *module = &c->manifest->module;
  const NnrtFunction *function = model ? &module->predicts[0].function : &module->trains[0].train;
  int64_t batch = model ? workload->batch : module->trains[0].batch;
  *subject = (Subject){.workload = workload, .compilation = c, .compiled = bench_seconds() - begin};
  subject->entry =
      model ? manifest_entry_name(arena, model, "predict") : manifest_entry_name(arena, module->trains[0].name, "step");
  const Graph *graph = compile_function(c, subject->entry)->graph;
  subject->multiply_adds = (double)graph_useful_multiply_adds(graph, batch);
  subject->made = (double)graph_multiply_adds(graph, batch);
  const void **inputs = arena_array(arena, const void *, function->input_count + 1);
  void **outputs = arena_array(arena, void *, function->output_count + 1);
  for (int i = 0; i < function->input_count; i++)
    inputs[i] = samples_of(&function->inputs[i], batch);
  for (int i = 0; i < function->output_count; i++)
    outputs[i] = bench_memory(elements(&function->outputs[i], batch) * 8);
  subject->frame = (NnrtFrame){.state = bench_memory(module->state_bytes),
                               .arena = bench_untouched(module->arena_bytes),
                               .inputs = inputs,
                               .outputs = outputs,
                               .clock = {0, 0, 1, 0, batch}};
  return true;
}

static double first_call(Subject *subject, const Backend *backend, double begin) {
  subject->frame.threads = 2;
  if (backend->prepare)
    backend->prepare(&subject->frame);
  backend->run(&subject->frame);
  return subject->compiled + bench_seconds() - begin;
}

// llvm and gcc, each on two threads and one. How many there are.
static int add_backends(Arena *arena, Subject *subject, Timed *ways) {
  static const char *const names[] = {"llvm", "gcc"};
  const NnrtModule *module = &subject->compilation->manifest->module;
  Backend init;
  if (bench_backends(arena, subject->compilation->loops, "init", "llvm", &init, 1))
    (subject->init = init.run)(&subject->frame);
  int count = 0;
  for (int i = 0; i < 2; i++) {
    Backend backend;
    double begin = bench_seconds();
    if (!bench_backends(arena, subject->compilation->loops, subject->entry, names[i], &backend, 1))
      continue;
    Timed way = {.name = names[i], .threads = 2, .backend = backend};
    way.first = first_call(subject, &backend, begin);
    way.megabytes = bench_touched(subject->frame.state, module->state_bytes) +
                    bench_touched(subject->frame.arena, module->arena_bytes);
    ways[count++] = way;
    way.threads = 1;
    ways[count++] = way;
  }
  return count;
}

// ---- rounds
static double burst(Subject *subject, Timed *way, Peer *peer, double least) {
  if (!way->backend.run)
    return peer_time(peer, way->threads, least);
  subject->frame.threads = way->threads;
  if (subject->init) // what the same batch has taught for long is numbers too small for the fast path
    subject->init(&subject->frame);
  if (way->backend.prepare)
    way->backend.prepare(&subject->frame);
  return bench_time(way->backend.run, &subject->frame, 1, least).median;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void measure(Subject *subject, Timed *ways, int count, Peer *peer, int rounds) {
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < count; i++)
      ways[i].seconds[round] = burst(subject, &ways[i], peer, 0.3);
  for (int i = 0; i < count; i++)
    qsort(ways[i].seconds, (size_t)rounds, sizeof *ways[i].seconds, ascending);
}

// ---- the table
static double median(const Timed *way, int rounds) {
  return way->seconds[rounds / 2];
}

static const Timed *peer_of(const Timed *ways, int count, int threads) {
  for (int i = 0; i < count; i++)
    if (!ways[i].backend.run && ways[i].threads == threads)
      return &ways[i];
  return NULL;
}

static void print_way(const Subject *subject, const Timed *way, const Timed *peer, int rounds, const double *peaks,
                      FILE *csv) {
  const Workload *w = subject->workload;
  double seconds = median(way, rounds), rate = w->units / seconds;
  double spread = 100 * (way->seconds[rounds - 1] - way->seconds[0]) / seconds;
  double gflops = 2e-9 * subject->multiply_adds / seconds, part = 100 * gflops / peaks[way->threads];
  double made = peer == way ? part : part * subject->made / subject->multiply_adds;
  double ratio = peer && peer != way ? median(peer, rounds) / seconds : 1;
  printf("  %-5s %d  %12.1f %s/s  %10.3f ms  +-%3.0f %%  %5.2f x  %7.1f GFLOP/s  %3.0f %%  made %3.0f %%  %7.1f MB  "
         "first %6.2f s\n",
         way->name, way->threads, rate, w->unit, 1e3 * seconds, spread / 2, ratio, gflops, part, made, way->megabytes,
         way->first);
  if (csv)
    fprintf(csv, "%s,%s,%d,%g,%s,%g,%g,%g,%g,%g,%g,%g,%g\n", w->name, way->name, way->threads, rate, w->unit, seconds,
            way->seconds[0], way->seconds[rounds - 1], peer ? ratio : 0, gflops, part / 100, made / 100,
            way->megabytes);
}

static bool run_workload(const Workload *workload, int rounds, FILE *csv) {
  Arena *arena = arena_new();
  Subject subject;
  Timed ways[MAX_WAYS] = {0};
  printf("%s: %s\n", workload->name, workload->what);
  fflush(stdout);
  if (!prepare_subject(arena, workload, &subject))
    return false;
  int count = add_backends(arena, &subject, ways);
  Peer peer = peer_start(workload->name);
  for (int threads = 2; peer.to && threads > 0; threads--)
    ways[count++] = (Timed){.name = "torch", .threads = threads, .first = peer.first};
  const double peaks[] = {0, bench_peak(1), bench_peak(2)};
  measure(&subject, ways, count, &peer, rounds);
  for (int i = 0; i < count; i++) {
    ways[i].megabytes = ways[i].backend.run ? ways[i].megabytes : peer.megabytes;
    print_way(&subject, &ways[i], peer_of(ways, count, ways[i].threads), rounds, peaks, csv);
  }
  printf("  peak %.0f and %.0f GFLOP/s\n", peaks[1], peaks[2]);
  peer_stop(&peer);
  arena_free(arena);
  return true;
}

static bool is_chosen(const char *name, char **names, int count) {
  for (int i = 0; i < count; i++)
    if (!strcmp(name, names[i]))
      return true;
  return count == 0;
}

int main(int argc, char **argv) {
  const char *path = NULL;
  int at = 1, rounds = 7;
  for (; at + 1 < argc && argv[at][0] == '-'; at += 2)
    if (!strcmp(argv[at], "--csv"))
      path = argv[at + 1];
    else if (!strcmp(argv[at], "--rounds"))
      rounds = atoi(argv[at + 1]);
    else
      break;
  if ((at < argc && argv[at][0] == '-') || rounds < 1 || rounds > MAX_ROUNDS)
    return fprintf(stderr, "bench_nets [--csv FILE] [--rounds 1 to %d] [NAME…]\n", MAX_ROUNDS), 2;
  FILE *csv = path ? fopen(path, "w") : NULL;
  if (path && !csv)
    return perror(path), 1;
  if (csv)
    fprintf(
        csv,
        "workload,way,threads,rate,unit,median_s,least_s,most_s,times_torch,gflops,of_peak,made_of_peak,megabytes\n");
  printf("memory: %.1f GB/s by one thread, %.1f by two\n", bench_bandwidth(1), bench_bandwidth(2));
  bool good = true;
  for (int i = 0; i < WORKLOADS; i++)
    if (is_chosen(workloads[i].name, argv + at, argc - at)) {
      good = run_workload(&workloads[i], rounds, csv) && good;
      fflush(stdout);
    }
  if (csv)
    fclose(csv);
  return good ? 0 : 1;
}

// Training steps a second of a .nn file's first train block, or predictions of one of its models, on each backend, on
// samples drawn at random.
//   bench_step FILE.nn [THREADS [MODEL BATCH]]
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

// Reals in [0, 1); whole numbers 0 and 1, which are classes of any data set.
static void fill(const NnrtValue *value, int64_t count, void *data) {
  for (int64_t i = 0; i < count; i++)
    switch (value->type) {
    case NNRT_F32:
      ((float *)data)[i] = (float)rand() / ((float)RAND_MAX + 1);
      break;
    case NNRT_F64:
      ((double *)data)[i] = (double)rand() / ((double)RAND_MAX + 1);
      break;
    case NNRT_I64:
      ((int64_t *)data)[i] = rand() % 2;
      break;
    default:
      break;
    }
}

static int64_t elements(const NnrtValue *value, int64_t batch) {
  int64_t count = 1;
  for (int i = 0; i < value->rank; i++)
    count *= value->dim[i] < 0 ? -value->dim[i] * batch : value->dim[i];
  return count;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc == 4)
    return fprintf(stderr, "bench_step FILE.nn [THREADS [MODEL BATCH]]\n"), 2;
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  const char *model = argc > 4 ? argv[3] : NULL;
  CompileOptions options = {.training = !model, .prediction = model, .block = model};
  if (model)
    options.batch = atoll(argv[4]);
  Compilation *compilation = compile(arena, diag, argv[1], &options);
  diag_print(diag, stderr);
  if (!compilation)
    return 1;
  const NnrtModule *module = &compilation->manifest->module;
  const NnrtFunction *function = model ? &module->predicts[0].function : &module->trains[0].train;
  const char *entry =
      model ? manifest_entry_name(arena, model, "predict") : manifest_entry_name(arena, module->trains[0].name, "step");
  int64_t batch = model ? options.batch : module->trains[0].batch;
  const void *inputs[8];
  void *outputs[16];
  for (int i = 0; i < function->input_count && i < 8; i++) {
    int64_t count = elements(&function->inputs[i], batch);
    uint8_t *data = bench_memory(count * 8);
    fill(&function->inputs[i], count, data);
    inputs[i] = data;
  }
  for (int i = 0; i < function->output_count && i < 16; i++)
    outputs[i] = bench_memory(elements(&function->outputs[i], batch) * 8);
  NnrtFrame frame = {.state = bench_memory(module->state_bytes),
                     .arena = bench_memory(module->arena_bytes),
                     .inputs = inputs,
                     .outputs = outputs,
                     .clock = {0, 0, 1, 0, batch},
                     .threads = argc > 2 ? atoi(argv[2]) : 2};
  Backend backends[4], init[4];
  int count = bench_backends(arena, compilation->loops, entry, NULL, backends, 4);
  bench_backends(arena, compilation->loops, "init", "llvm", init, 1);
  for (int i = 0; i < count; i++) {
    init[0].run(&frame);
    if (backends[i].prepare)
      backends[i].prepare(&frame);
    double seconds = bench_time(backends[i].run, &frame, 7, 0.2).median;
    printf("%-9s %10.3f us a call %12.1f calls/s %12.1f samples/s\n", backends[i].name, 1e6 * seconds, 1 / seconds,
           (double)batch / seconds);
    fflush(stdout);
  }
  return 0;
}

// What runs where the compiler does not: generated C (net.c) and threads.c alone. Ten steps of the first train block on made-up
// samples, on two threads; prints the bits of the state block.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "net.c"

static int64_t elements(const NnrtValue *value, int64_t n) {
  int64_t count = 1;
  for (int i = 0; i < value->rank; i++)
    count *= value->dim[i] < 0 ? -value->dim[i] * n : value->dim[i];
  return count;
}

int nnrt_main(const NnrtModule *module, int argc, char **argv) {
  (void)argc, (void)argv;
  const NnrtTrain *block = &module->trains[0];
  const NnrtFunction *step = &block->train;
  const void *inputs[8];
  void *outputs[16];
  for (int i = 0; i < step->input_count; i++) {
    int64_t count = elements(&step->inputs[i], block->batch);
    uint64_t *data = calloc((size_t)count + 1, 8);
    for (int64_t k = 0; k < count; k++)
      if (step->inputs[i].type == NNRT_F32)
        ((float *)data)[k] = (float)(k * 7919 % 17) / 16;
      else
        ((int64_t *)data)[k] = k % 3;
    inputs[i] = data;
  }
  for (int i = 0; i < step->output_count; i++)
    outputs[i] = calloc((size_t)elements(&step->outputs[i], block->batch) + 1, 8);
  NnrtFrame frame = {.state = aligned_alloc(64, (size_t)module->state_bytes + 64),
                     .arena = aligned_alloc(64, (size_t)module->arena_bytes + 64),
                     .inputs = inputs,
                     .outputs = outputs,
                     .clock = {0, 0, 1, 10, block->batch},
                     .threads = 2};
  memset(frame.state, 0, (size_t)module->state_bytes);
  module->init.run(&frame);
  for (; frame.clock[0] < 10; frame.clock[0]++)
    step->run(&frame);
  for (int64_t i = 0; i < module->state_bytes; i += 4) {
    uint32_t bits;
    memcpy(&bits, frame.state + i, 4);
    printf("%08" PRIx32 "\n", bits);
  }
  return 0;
}

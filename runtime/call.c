// Functions of a module made ready to be called, and means of their results over samples.
#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

static bool fits(const NnrtValue *wanted, const NnrtValue *found) {
  if (wanted->type != found->type || wanted->rank != found->rank + 1 || wanted->dim[0] != -1)
    return false;
  return memcmp(wanted->dim + 1, found->dim, (size_t)found->rank * sizeof found->dim[0]) == 0;
}

static bool check_input(const NnrtValue *wanted, const NnrtValue *found, const char *data, NnrtError *error) {
  if (found->rank < 0)
    return nnrt_fail(error, "data `%s` has no target, but the program takes one as `%s`", data, wanted->name);
  if (fits(wanted, found))
    return true;
  char here[NNRT_SHAPE_TEXT], there[NNRT_SHAPE_TEXT];
  bool row = wanted->rank > 0 && wanted->dim[0] == -1;
  return nnrt_fail(error, "a sample's %s in data `%s` is %s, but the program was compiled for %s", found->name, data,
                   nnrt_shape_text(there, found->type, found->rank, found->dim),
                   nnrt_shape_text(here, wanted->type, wanted->rank - row, wanted->dim + row));
}

static bool allocate(NnrtCall *call, int64_t rows) {
  const NnrtFunction *function = call->function;
  size_t outputs = (size_t)function->output_count;
  call->outputs = calloc(outputs + 1, sizeof *call->outputs);
  call->sums = calloc(outputs + 1, sizeof *call->sums);
  bool whole = call->outputs && call->sums;
  for (int i = 0; whole && i < function->input_count; i++) {
    const NnrtValue *input = &function->inputs[i];
    void *memory = nnrt_allocate(rows * nnrt_elements(input->rank, input->dim) * nnrt_type_bytes(input->type));
    whole = memory != NULL;
    call->inputs[i] = memory;
    *(i ? &call->y : &call->x) = memory;
  }
  for (int i = 0; whole && i < function->output_count; i++) {
    const NnrtValue *output = &function->outputs[i];
    int64_t count = output->rank > 0 && output->dim[0] == -1 ? rows : 1;
    call->outputs[i] = nnrt_allocate(count * nnrt_elements(output->rank, output->dim) * nnrt_type_bytes(output->type));
    whole = call->outputs[i] != NULL;
  }
  return whole;
}

bool nnrt_call_new(NnrtCall *call, const NnrtFunction *function, const NnrtFrame *base, int64_t rows,
                   const NnrtDataset *data, const char *data_name, NnrtError *error) {
  *call = (NnrtCall){0};
  const NnrtSampleInfo *info = data ? nnrt_data_info(data) : NULL;
  if (function->input_count > (info ? 2 : 0))
    return nnrt_fail(error, "the program takes %d inputs, but %s", function->input_count,
                     info ? "a sample has two parts" : "its train block has no data");
  for (int i = 0; i < function->input_count; i++)
    if (!check_input(&function->inputs[i], i ? &info->y : &info->x, data_name, error))
      return false;
  return nnrt_call_alone(call, function, base, rows, error);
}

bool nnrt_call_alone(NnrtCall *call, const NnrtFunction *function, const NnrtFrame *base, int64_t rows,
                     NnrtError *error) {
  *call = (NnrtCall){.function = function, .frame = *base};
  if (!allocate(call, rows)) {
    nnrt_call_free(call);
    return nnrt_fail(error, "out of memory for a batch of %lld samples", (long long)rows);
  }
  call->frame.inputs = call->inputs;
  call->frame.outputs = call->outputs;
  return true;
}

void nnrt_call_free(NnrtCall *call) {
  for (int i = 0; call->outputs && i < call->function->output_count; i++)
    free(call->outputs[i]);
  free(call->x);
  free(call->y);
  free(call->outputs);
  free(call->sums);
  *call = (NnrtCall){0};
}

double nnrt_call_value(const NnrtCall *call, int output) {
  return nnrt_element(call->function->outputs[output].type, call->outputs[output], 0);
}

void nnrt_call_add(NnrtCall *call) {
  double rows = (double)call->frame.clock[4];
  for (int i = 0; i < call->function->output_count; i++)
    if (call->function->outputs[i].whole)
      call->sums[i] = nnrt_call_value(call, i);
    else
      call->sums[i] += nnrt_call_value(call, i) * rows;
  call->samples += call->frame.clock[4];
}

void nnrt_call_prepare(NnrtCall *call) {
  if (call->function->prepare)
    call->function->prepare(&call->frame);
}

void nnrt_call_clear(NnrtCall *call) {
  memset(call->sums, 0, (size_t)call->function->output_count * sizeof *call->sums);
  if (call->function->kept_bytes)
    memset(call->frame.state + call->function->kept_offset, 0, (size_t)call->function->kept_bytes);
  call->samples = 0;
}

double nnrt_call_mean(const NnrtCall *call, int output) {
  if (call->function->outputs[output].whole)
    return call->sums[output];
  return call->sums[output] / (double)(call->samples > 0 ? call->samples : 1);
}

bool nnrt_part_new(NnrtPart *part, const NnrtDataset *data, NnrtPartKind kind, NnrtError *error) {
  *part = (NnrtPart){.data = data, .kind = kind, .count = nnrt_data_info(data)->count[kind]};
  part->order = malloc((size_t)part->count * sizeof *part->order + 1);
  if (!part->order)
    return nnrt_fail(error, "out of memory for the order of %lld samples", (long long)part->count);
  nnrt_data_order(data, kind, 0, 0, 1, part->order);
  return true;
}

void nnrt_part_free(NnrtPart *part) {
  free(part->order);
  part->order = NULL;
}

// The step stands still in a pass, so that a schedule reads one value; draws differ by their key.
void nnrt_call_key(NnrtCall *call, int64_t seed, int64_t index) {
  const uint64_t stream = (uint64_t)0xBA << 56;
  uint32_t word[4];
  nnrt_philox((uint64_t)seed, stream, (uint64_t)index, word);
  call->frame.clock[2] = index ? (int64_t)((uint64_t)word[1] << 32 | word[0]) : seed;
}

// The tables of NnrtModule as initialisers, and main(). Arrays come before what points at them; a data set that several
// blocks share is printed once.
#include <inttypes.h>

#include "emit/c.h"

static const char *const type_names[] = {"NNRT_F32", "NNRT_F64", "NNRT_I32", "NNRT_I64", "NNRT_U8", "NNRT_BOOL"};
static const char *const kind_names[] = {"NNRT_PARAM", "NNRT_STATE", "NNRT_OPTIMIZER", "NNRT_METRIC"};
static const char *const arg_names[] = {"NNRT_ARG_INT", "NNRT_ARG_REAL", "NNRT_ARG_BOOL", "NNRT_ARG_STR",
                                        "NNRT_ARG_LIST"};
static const char *const save_names[] = {"NNRT_SAVE_NEVER", "NNRT_SAVE_BEST", "NNRT_SAVE_EVERY"};
static const char *const task_names[] = {"NNRT_VALUES", "NNRT_CLASSES", "NNRT_BINARY"};

static void integer(Text *out, int64_t value) {
  c_constant(out, L_I64, 0, value);
}

static void field_string(Text *out, const char *field, const char *value) {
  if (!value)
    return;
  text_printf(out, ", .%s = ", field);
  c_string(out, value);
}

static void field_integer(Text *out, const char *field, int64_t value) {
  if (value == 0)
    return;
  text_printf(out, ", .%s = ", field);
  integer(out, value);
}

static void field_real(Text *out, const char *field, double value) {
  if (value == 0 && !__builtin_signbit(value))
    return;
  text_printf(out, ", .%s = ", field);
  c_real(out, L_F64, value);
}

static void dims(Text *out, int rank, const int64_t *dim) {
  text_printf(out, ", .rank = %d", rank);
  for (int i = 0; i < rank; i++) {
    text_add(out, i ? ", " : ", .dim = {");
    integer(out, dim[i]);
  }
  text_add(out, rank ? "}" : "");
}

static void print_tensors(Text *out, const NnrtModule *module) {
  if (module->tensor_count == 0)
    return;
  text_add(out, "static const NnrtTensor tensors[] = {\n");
  for (int i = 0; i < module->tensor_count; i++) {
    const NnrtTensor *tensor = &module->tensors[i];
    text_add(out, "  {.name = ");
    c_string(out, tensor->name);
    text_printf(out, ", .type = %s", type_names[tensor->type]);
    dims(out, tensor->rank, tensor->dim);
    text_printf(out, ", .kind = %s, .offset = ", kind_names[tensor->kind]);
    integer(out, tensor->offset);
    field_integer(out, "bytes", tensor->bytes);
    field_string(out, "layer", tensor->layer);
    text_add(out, "},\n");
  }
  text_add(out, "};\n\n");
}

static void print_values(Text *out, const char *name, const char *part, const NnrtValue *values, int count) {
  if (count == 0)
    return;
  text_printf(out, "static const NnrtValue %s_%s[] = {\n", name, part);
  for (int i = 0; i < count; i++) {
    text_add(out, "  {.name = ");
    c_string(out, values[i].name);
    text_printf(out, ", .type = %s", type_names[values[i].type]);
    dims(out, values[i].rank, values[i].dim);
    text_add(out, values[i].whole ? ", .whole = true},\n" : "},\n");
  }
  text_add(out, "};\n\n");
}

static void print_function_values(Text *out, const char *name, const NnrtFunction *function) {
  print_values(out, name, "inputs", function->inputs, function->input_count);
  print_values(out, name, "outputs", function->outputs, function->output_count);
}

static void print_function(CEmit *emit, const Manifest *manifest, const char *name, const NnrtFunction *function) {
  Text *out = emit->out;
  const LEntry *entry = manifest_entry_of(manifest, function);
  text_printf(out, "{.run = %s", entry ? c_entry_name(emit, entry) : "NULL");
  if (entry && entry->prepare)
    text_printf(out, ", .prepare = %s", c_entry_name(emit, entry->prepare));
  if (function->input_count)
    text_printf(out, ", .input_count = %d, .inputs = %s_inputs", function->input_count, name);
  if (function->output_count)
    text_printf(out, ", .output_count = %d, .outputs = %s_outputs", function->output_count, name);
  if (function->kept_bytes) {
    field_integer(out, "kept_offset", function->kept_offset);
    field_integer(out, "kept_bytes", function->kept_bytes);
  }
  text_add(out, "}");
}

static void print_args(CEmit *emit, const char *name, const NnrtArg *args, int count) {
  Text *out = emit->out;
  for (int i = 0; i < count; i++)
    if (args[i].kind == NNRT_ARG_LIST)
      print_args(emit, arena_printf(emit->arena, "%s_%d", name, i), args[i].items, args[i].count);
  if (count == 0)
    return;
  text_printf(out, "static const NnrtArg %s[] = {\n", name);
  for (int i = 0; i < count; i++) {
    const NnrtArg *arg = &args[i];
    text_printf(out, "  {.kind = %s", arg_names[arg->kind]);
    field_string(out, "name", arg->name);
    field_integer(out, "integer", arg->integer);
    field_real(out, "real", arg->real);
    field_string(out, "text", arg->text);
    if (arg->kind == NNRT_ARG_LIST && arg->count > 0)
      text_printf(out, ", .count = %d, .items = %s_%d", arg->count, name, i);
    text_printf(out, ", .line = %d, .column = %d},\n", arg->line, arg->column);
  }
  text_add(out, "};\n\n");
}

static void print_data(CEmit *emit, int number, const NnrtData *data) {
  Text *out = emit->out;
  for (int i = 0; i < data->call_count; i++)
    print_args(emit, arena_printf(emit->arena, "data_%d_call_%d_args", number, i), data->calls[i].args,
               data->calls[i].arg_count);
  if (data->call_count > 0)
    text_printf(out, "static const NnrtDataCall data_%d_calls[] = {\n", number);
  for (int i = 0; i < data->call_count; i++) {
    const NnrtDataCall *call = &data->calls[i];
    text_add(out, "  {.name = ");
    c_string(out, call->name);
    if (call->arg_count)
      text_printf(out, ", .arg_count = %d, .args = data_%d_call_%d_args", call->arg_count, number, i);
    text_printf(out, ", .line = %d, .column = %d},\n", call->line, call->column);
  }
  text_printf(out, "%sstatic const NnrtData data_%d = {.name = ", data->call_count > 0 ? "};\n\n" : "", number);
  c_string(out, data->name);
  field_string(out, "file", data->file);
  if (data->call_count)
    text_printf(out, ", .call_count = %d, .calls = data_%d_calls", data->call_count, number);
  text_add(out, "};\n\n");
}

typedef VEC(const NnrtData *) DataSets;

static int data_number(const DataSets *sets, const NnrtData *data) {
  for (int i = 0; i < sets->count; i++)
    if (sets->data[i] == data)
      return i;
  return -1;
}

static void print_data_sets(CEmit *emit, const NnrtModule *module, DataSets *sets) {
  for (int i = 0; i < module->train_count + module->predict_count; i++) {
    const NnrtData *data =
        i < module->train_count ? module->trains[i].data : module->predicts[i - module->train_count].data;
    if (!data || data_number(sets, data) >= 0)
      continue;
    vec_push(emit->arena, sets, data);
    print_data(emit, sets->count - 1, data);
  }
}

static void field_data(Text *out, const DataSets *sets, const NnrtData *data) {
  if (data)
    text_printf(out, ", .data = &data_%d", data_number(sets, data));
}

static void print_train(CEmit *emit, const Manifest *manifest, const DataSets *sets, int number) {
  Text *out = emit->out;
  const NnrtTrain *train = &manifest->module.trains[number];
  text_add(out, "  {.name = ");
  c_string(out, train->name);
  field_data(out, sets, train->data);
  text_add(out, ",\n   .train = ");
  print_function(emit, manifest, arena_printf(emit->arena, "train_%d", number), &train->train);
  text_add(out, ",\n   .eval = ");
  print_function(emit, manifest, arena_printf(emit->arena, "eval_%d", number), &train->eval);
  if (train->higher_is_better && train->train.output_count)
    text_printf(out, ",\n   .higher_is_better = train_%d_higher_is_better", number);
  field_integer(out, "seed", train->seed);
  field_integer(out, "batch", train->batch);
  field_integer(out, "epochs", train->epochs);
  field_integer(out, "steps", train->steps);
  text_printf(out, ",\n   .save = %s", save_names[train->save]);
  field_string(out, "save_to", train->save_to);
  field_string(out, "save_value", train->save_value);
  field_integer(out, "save_every", train->save_every);
  field_string(out, "log", train->log);
  field_integer(out, "patience", train->patience);
  field_string(out, "patience_value", train->patience_value);
  if (train->load_count)
    text_printf(out, ", .load_count = %d, .loads = train_%d_loads", train->load_count, number);
  if (train->phase_count)
    text_printf(out, ", .phase_count = %d, .phases = train_%d_phases", train->phase_count, number);
  text_printf(out, ", .predict = %d},\n", train->predict);
}

static void print_renames(Text *out, int number, int load, const NnrtWeights *weights) {
  if (weights->rename_count == 0)
    return;
  text_printf(out, "static const NnrtRename train_%d_load_%d_renames[] = {", number, load);
  for (int i = 0; i < weights->rename_count; i++) {
    text_add(out, i ? ", {" : "{");
    c_string(out, weights->renames[i].from);
    text_add(out, ", ");
    c_string(out, weights->renames[i].to);
    text_add(out, "}");
  }
  text_add(out, "};\n\n");
}

static void print_loads(Text *out, const NnrtTrain *train, int number) {
  for (int i = 0; i < train->load_count; i++)
    print_renames(out, number, i, &train->loads[i]);
  if (train->load_count)
    text_printf(out, "static const NnrtWeights train_%d_loads[] = {\n", number);
  for (int i = 0; i < train->load_count; i++) {
    const NnrtWeights *weights = &train->loads[i];
    text_add(out, "  {.path = ");
    c_string(out, weights->path);
    field_string(out, "only", weights->only);
    field_string(out, "into", weights->into);
    field_string(out, "part", weights->part);
    if (weights->rename_count)
      text_printf(out, ", .rename_count = %d, .renames = train_%d_load_%d_renames", weights->rename_count, number, i);
    field_integer(out, "pytorch", weights->pytorch);
    text_add(out, "},\n");
  }
  text_add(out, train->load_count ? "};\n\n" : "");
}

static void print_phases(CEmit *emit, const Manifest *manifest, int number) {
  const NnrtTrain *train = &manifest->module.trains[number];
  if (train->phase_count == 0)
    return;
  text_printf(emit->out, "static const NnrtPhase train_%d_phases[] = {\n", number);
  for (int i = 0; i < train->phase_count; i++) {
    text_add(emit->out, "  {.epochs = ");
    integer(emit->out, train->phases[i].epochs);
    text_add(emit->out, ", .train = ");
    print_function(emit, manifest, arena_printf(emit->arena, "train_%d", number), &train->phases[i].train);
    text_add(emit->out, "},\n");
  }
  text_add(emit->out, "};\n\n");
}

static void print_trains(CEmit *emit, const Manifest *manifest, const DataSets *sets) {
  const NnrtModule *module = &manifest->module;
  for (int i = 0; i < module->train_count; i++) {
    const NnrtTrain *train = &module->trains[i];
    print_function_values(emit->out, arena_printf(emit->arena, "train_%d", i), &train->train);
    print_function_values(emit->out, arena_printf(emit->arena, "eval_%d", i), &train->eval);
    print_loads(emit->out, train, i);
    print_phases(emit, manifest, i);
    if (!train->higher_is_better || train->train.output_count == 0)
      continue;
    text_printf(emit->out, "static const bool train_%d_higher_is_better[] = {", i);
    for (int o = 0; o < train->train.output_count; o++)
      text_printf(emit->out, "%s%s", o ? ", " : "", train->higher_is_better[o] ? "true" : "false");
    text_add(emit->out, "};\n\n");
  }
  if (module->train_count == 0)
    return;
  text_add(emit->out, "static const NnrtTrain trains[] = {\n");
  for (int i = 0; i < module->train_count; i++)
    print_train(emit, manifest, sets, i);
  text_add(emit->out, "};\n\n");
}

static void print_predicts(CEmit *emit, const Manifest *manifest, const DataSets *sets) {
  const NnrtModule *module = &manifest->module;
  Text *out = emit->out;
  for (int i = 0; i < module->predict_count; i++) {
    print_function_values(out, arena_printf(emit->arena, "predict_%d", i), &module->predicts[i].function);
    print_function_values(out, arena_printf(emit->arena, "stream_%d", i), &module->predicts[i].step);
  }
  if (module->predict_count == 0)
    return;
  text_add(out, "static const NnrtPredict predicts[] = {\n");
  for (int i = 0; i < module->predict_count; i++) {
    const NnrtPredict *predict = &module->predicts[i];
    text_add(out, "  {.model = ");
    c_string(out, predict->model);
    text_add(out, ", .function = ");
    print_function(emit, manifest, arena_printf(emit->arena, "predict_%d", i), &predict->function);
    if (predict->step.output_count) {
      text_add(out, ", .step = ");
      print_function(emit, manifest, arena_printf(emit->arena, "stream_%d", i), &predict->step);
    }
    field_integer(out, "batch", predict->batch);
    text_printf(out, ", .task = %s", task_names[predict->task]);
    field_data(out, sets, predict->data);
    text_add(out, "},\n");
  }
  text_add(out, "};\n\n");
}

static void print_kernels(Text *out, const NnrtModule *module) {
  if (module->kernel_count == 0)
    return;
  text_add(out, "static const NnrtKernel kernels[] = {\n");
  for (int i = 0; i < module->kernel_count; i++) {
    text_add(out, "  {.name = ");
    c_string(out, module->kernels[i].name);
    text_printf(out, ", .line = %d", module->kernels[i].line);
    field_string(out, "file", module->kernels[i].file);
    text_add(out, "},\n");
  }
  text_add(out, "};\n\n");
}

static void field_table(Text *out, const char *count, int number, const char *table) {
  if (number)
    text_printf(out, ",\n  .%s = %d, .%s = %s", count, number, table, table);
}

void c_module(CEmit *emit, const Manifest *manifest) {
  Text *out = emit->out;
  const NnrtModule *module = &manifest->module;
  DataSets sets = {0};
  print_tensors(out, module);
  print_data_sets(emit, module, &sets);
  print_trains(emit, manifest, &sets);
  print_predicts(emit, manifest, &sets);
  print_kernels(out, module);
  print_function_values(out, "init", &module->init);
  text_add(out, "const NnrtModule nnrt_module = {\n  .abi = NNRT_ABI, .name = ");
  c_string(out, module->name);
  field_string(out, "file", module->file);
  text_printf(out, ",\n  .fingerprint = UINT64_C(0x%" PRIx64 ")", module->fingerprint);
  field_integer(out, "state_bytes", module->state_bytes);
  field_integer(out, "arena_bytes", module->arena_bytes);
  field_table(out, "tensor_count", module->tensor_count, "tensors");
  field_table(out, "train_count", module->train_count, "trains");
  field_table(out, "predict_count", module->predict_count, "predicts");
  field_table(out, "kernel_count", module->kernel_count, "kernels");
  text_add(out, ",\n  .init = ");
  print_function(emit, manifest, "init", &module->init);
  text_add(out, ",\n};\n\n");
  text_add(out, "int main(int argc, char **argv) { return nnrt_main(&nnrt_module, argc, argv); }\n");
}

// The pair of --embed: the printed kernels, the weights as arrays, and one plain function for each model.
#include <ctype.h>
#include <inttypes.h>

#include "emit/c.h"
#include "emit/embed.h"

static const char frame_type[] = "typedef struct NnrtFrame {\n"
                                 "  uint8_t *state, *arena;\n"
                                 "  const void *const *inputs;\n"
                                 "  void *const *outputs;\n"
                                 "  int64_t clock[5];\n"
                                 "  int threads;\n"
                                 "} NnrtFrame;\n";

static const char *upper(Arena *arena, const char *name) {
  char *copy = arena_strndup(arena, name, strlen(name));
  for (char *at = copy; *at; at++)
    *at = (char)toupper((unsigned char)*at);
  return copy;
}

static const char *identifier(Arena *arena, const char *name) {
  char *copy = arena_strndup(arena, name, strlen(name));
  for (char *at = copy; *at; at++)
    if (!isalnum((unsigned char)*at))
      *at = '_';
  return copy;
}

static int64_t row_elements(const NnrtValue *value) {
  int64_t count = 1;
  for (int i = 0; i < value->rank; i++)
    count *= value->dim[i] < 0 ? -value->dim[i] : value->dim[i];
  return count;
}

static void print_shape(Text *out, const NnrtValue *value) {
  text_printf(out, "%s %s[n", c_short[value->type], value->name);
  for (int i = 1; i < value->rank; i++)
    text_printf(out, ", %" PRId64, value->dim[i]);
  text_add(out, "]");
}

static void print_prototype(Text *out, const Embed *embed, const EmbedFunction *function) {
  const NnrtFunction *f = &function->predict->function;
  text_printf(out, "void %s_%s(", embed->name, identifier(out->arena, function->predict->model));
  for (int i = 0; i < f->input_count; i++)
    text_printf(out, "const %s *%s, ", c_types[f->inputs[i].type], identifier(out->arena, f->inputs[i].name));
  for (int i = 0; i < f->output_count; i++)
    text_printf(out, "%s *out_%s, ", c_types[f->outputs[i].type], identifier(out->arena, f->outputs[i].name));
  text_add(out, "int64_t n, void *workspace)");
}

// In quotes and without controls, so that the comment is a line whatever the name holds.
static void print_class(Text *out, int number, const char *name) {
  text_printf(out, "//   class %d: \"", number);
  for (; *name; name++)
    if ((unsigned char)*name < ' ')
      text_printf(out, "\\x%02x", (unsigned char)*name);
    else
      text_printf(out, "%c", *name);
  text_add(out, "\"\n");
}

static void describe(Text *out, const EmbedFunction *function) {
  const NnrtFunction *f = &function->predict->function;
  text_printf(out, "// %s: ", function->predict->model);
  for (int i = 0; i < f->input_count; i++) {
    text_add(out, i ? ", " : "");
    print_shape(out, &f->inputs[i]);
  }
  text_add(out, " to ");
  for (int i = 0; i < f->output_count; i++) {
    text_add(out, i ? ", " : "");
    print_shape(out, &f->outputs[i]);
  }
  text_add(out, function->predict->task == NNRT_VALUES ? ".\n" : ", probabilities.\n");
  if (function->predict->data)
    text_printf(out, "//   inputs as the model sees them: scaled as `data %s` says\n", function->predict->data->name);
  for (int i = 0; i < function->class_count && function->classes; i++)
    print_class(out, i, function->classes[i]);
}

void embed_header(Text *out, const Embed *embed) {
  const char *prefix = upper(out->arena, embed->name);
  text_printf(out, "// %s.h: made by nnc. Models with their weights; they allocate nothing and start no thread.\n",
              embed->name);
  text_printf(out, "#ifndef %s_H\n#define %s_H\n#include <stdint.h>\n\n", prefix, prefix);
  text_printf(out, "// Memory a call works in, aligned to 64 bytes; calls at the same time need one each.\n");
  text_printf(out, "#define %s_WORKSPACE_BYTES %" PRId64 "\n\n", prefix, embed->loops->arena_bytes + 64);
  for (int i = 0; i < embed->function_count; i++) {
    describe(out, &embed->functions[i]);
    print_prototype(out, embed, &embed->functions[i]);
    text_add(out, ";\n\n");
  }
  text_printf(out, "#endif\n");
}

static void print_weights(Text *out, const Embed *embed) {
  text_add(out, "// Each tensor begins on a multiple of 64 bytes, as the kernels expect.\nstatic const struct {\n");
  const NnrtModule *module = embed->module;
  for (int i = 0; i < module->tensor_count; i++)
    if (module->tensors[i].kind <= NNRT_STATE) {
      const NnrtTensor *t = &module->tensors[i];
      int size = ltype_bytes((LType)t->type);
      text_printf(out, "  _Alignas(64) %s %s[%" PRId64 "];\n", c_types[t->type], identifier(out->arena, t->name),
                  t->bytes / size);
    }
  text_add(out, "} weights = {\n");
  for (int i = 0; i < module->tensor_count; i++) {
    const NnrtTensor *t = &module->tensors[i];
    if (t->kind > NNRT_STATE)
      continue;
    int size = ltype_bytes((LType)t->type);
    text_printf(out, "  .%s = {", identifier(out->arena, t->name));
    for (int64_t e = 0; e < t->bytes / size; e++) {
      text_add(out, e % 10 == 0 ? "\n    " : " ");
      c_number(out, (LType)t->type, embed->state + t->offset + e * size);
      text_add(out, ",");
    }
    text_add(out, "\n  },\n");
  }
  text_add(out, "};\n\n");
}

// Batches of the compiled size, one after another.
static void print_function(Text *out, const Embed *embed, const EmbedFunction *function) {
  const NnrtFunction *f = &function->predict->function;
  print_prototype(out, embed, function);
  text_printf(out, " {\n  for (int64_t done = 0; done < n; done += %" PRId64 ") {\n", function->predict->batch);
  text_add(out, "    const void *const inputs[] = {");
  for (int i = 0; i < f->input_count; i++)
    text_printf(out, "%s%s + done * %" PRId64, i ? ", " : "", identifier(out->arena, f->inputs[i].name),
                row_elements(&f->inputs[i]));
  text_add(out, "};\n    void *const outputs[] = {");
  for (int i = 0; i < f->output_count; i++)
    text_printf(out, "%sout_%s + done * %" PRId64, i ? ", " : "", identifier(out->arena, f->outputs[i].name),
                row_elements(&f->outputs[i]));
  text_printf(out, "};\n    const int64_t count = n - done < %" PRId64 " ? n - done : %" PRId64 ";\n",
              function->predict->batch, function->predict->batch);
  text_add(out, "    const NnrtFrame frame = {.state = (uint8_t *)(uintptr_t)&weights,\n"
                "                             .arena = workspace,\n"
                "                             .inputs = inputs,\n"
                "                             .outputs = outputs,\n"
                "                             .clock = {0, 0, 0, 0, count},\n"
                "                             .threads = 1};\n");
  text_printf(out, "    %s_run(&frame);\n  }\n}\n\n", function->entry->name);
}

void embed_source(Text *out, const Embed *embed) {
  LoopModule loops = *embed->loops; // with these entries alone
  memset(&loops.entries, 0, sizeof loops.entries);
  for (int i = 0; i < embed->function_count; i++)
    vec_push(out->arena, &loops.entries, (LEntry *)(uintptr_t)embed->functions[i].entry);
  const char *contract =
      arena_printf(out->arena, "#include <stdbool.h>\n\n#include \"%s.h\"\n\n%s\n", embed->name, frame_type);
  c_file(out, &loops, NULL, contract, true, NULL);
  print_weights(out, embed);
  for (int i = 0; i < embed->function_count; i++)
    print_function(out, embed, &embed->functions[i]);
}

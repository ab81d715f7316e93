// Kernels and the map of the arena as text, stable enough for golden tests. Takes the result of fuse (and plan).
#include "graph/ops.h"
#include "passes/kernels.h"

static const char *kind_name(KernelKind kind) {
  static const char *const names[] = {"map", "row", "reduce", "product", "scatter", "attention", "scan"};
  return names[kind];
}

static const char *leaf_name(const KernelGraph *kernels, const Node *node) {
  if (node->op == OP_input)
    return kernels->graph->inputs.data[node->attr->index].name;
  return node->op == OP_slot ? node->attr->slot->name : op_name(node->op);
}

static void print_reads(Text *out, const KernelGraph *kernels, const Kernel *kernel) {
  if (kernel->reads.count)
    text_add(out, "  reads");
  for (int i = 0; i < kernel->reads.count; i++) {
    const Node *node = kernel->reads.data[i];
    bool leaf = op_info[node->op].class == LEAF && kernels->kernel_of[node->id] < 0;
    text_printf(out, "%s %%%d", i ? "," : "", node->id);
    if (leaf)
      text_printf(out, " %s", leaf_name(kernels, node));
    text_add(out, ": ");
    type_print(out, &node->type);
  }
  if (kernel->reads.count)
    text_add(out, "\n");
}

static void print_place(Text *out, const KernelGraph *kernels, const Buffer *buffer) {
  if (!buffer->bytes)
    return;
  switch (buffer->place.space) {
  case SPACE_OUTPUT:
    text_printf(out, " -> output %s", kernels->graph->outputs.data[buffer->place.index].name);
    break;
  case SPACE_PREPARED:
    text_printf(out, " -> prepared + %lld", (long long)buffer->place.offset);
    break;
  case SPACE_STATE:
    text_printf(out, " -> state + %lld", (long long)buffer->place.offset);
    break;
  default:
    text_printf(out, " -> arena + %lld", (long long)buffer->place.offset);
  }
}

static void print_source(Text *out, const Node *node) {
  bool scope = node->scope && *node->scope;
  if (!node->span.source && !scope)
    return;
  text_add(out, "  #");
  if (node->span.source)
    text_printf(out, " %s:%d", node->span.source->path, node->span.line);
  if (scope)
    text_printf(out, " %s", node->scope);
}

static void print_kernel(Text *out, const KernelGraph *kernels, const Kernel *kernel) {
  text_printf(out, "%s %s\n", kind_name(kernel->kind), kernel->name);
  print_reads(out, kernels, kernel);
  for (int k = 0; k < kernel->nodes.count; k++) {
    const Node *node = kernel->nodes.data[k];
    text_printf(out, "  %%%d: ", node->id);
    type_print(out, &node->type);
    text_printf(out, " = %s", op_name(node->op));
    print_place(out, kernels, &kernels->buffers[node->id]);
    print_source(out, node);
    text_add(out, "\n");
  }
  if (!kernel->body)
    return;
  Text body = text_new(out->arena);
  kernels_print(&body, kernel->body);
  text_indented(out, text_string(&body), 4);
}

void kernels_print(Text *out, const KernelGraph *kernels) {
  if (kernels->prepared.count)
    text_add(out, "before a series of calls:\n");
  for (int i = 0; i < kernels->prepared.count; i++)
    print_kernel(out, kernels, kernels->prepared.data[i]);
  if (kernels->prepared.count)
    text_add(out, "at each call:\n");
  for (int i = 0; i < kernels->kernels.count; i++)
    print_kernel(out, kernels, kernels->kernels.data[i]);
}

static int count_places(const KernelGraph *kernels, const int **sorted) {
  int *ids = arena_array(kernels->arena, int, kernels->nodes.count + 1), count = 0;
  for (int i = 0; i < kernels->nodes.count; i++) {
    const Buffer *buffer = &kernels->buffers[i];
    if (!buffer->bytes || buffer->place.space != SPACE_ARENA)
      continue;
    int at = count++;
    while (at > 0 && kernels->buffers[ids[at - 1]].place.offset > buffer->place.offset) {
      ids[at] = ids[at - 1];
      at--;
    }
    ids[at] = i;
  }
  *sorted = ids;
  return count;
}

void plan_print(Text *out, const KernelGraph *kernels) {
  const int *sorted = NULL;
  int count = count_places(kernels, &sorted);
  Life *lives = plan_lives(kernels);
  if (count)
    text_printf(out, "%10s %10s %9s  %-18s %s\n", "offset", "bytes", "kernels", "shape", "value");
  for (int i = 0; i < count; i++) {
    const Buffer *buffer = &kernels->buffers[sorted[i]];
    const Life *life = &lives[sorted[i]];
    const char *scope = buffer->node->scope ? buffer->node->scope : "";
    text_printf(out, "%10lld %10lld %4d-%-4d  %-18s %s%s%s\n", (long long)buffer->place.offset,
                (long long)buffer->bytes, life->first, life->last, type_text(kernels->arena, &buffer->node->type),
                scope, *scope ? " " : "", op_name(buffer->node->op));
  }
  text_printf(out, "arena %lld bytes; %lld without planning\n", (long long)kernels->arena_bytes,
              (long long)kernels->unplanned_bytes);
}

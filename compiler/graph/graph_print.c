// The graph as text, a line a node, stable enough to be compared:
//   %3: f32[n, 128] = matmul(%1, %2)   # digits.nn:5 classifier.dense_0
#include <stddef.h>
#include <string.h>

#include "graph/rules.h"

enum { DENSE_SHOWN = 16 };

static void print_axes(Text *out, const char *label, int count, const int *axes) {
  text_printf(out, "%s[", label);
  for (int i = 0; i < count; i++)
    text_printf(out, i ? ", %d" : "%d", axes[i]);
  text_add(out, "]");
}

static void print_dims(Text *out, const char *label, int count, const int64_t *dims) {
  text_printf(out, "%s[", label);
  for (int i = 0; i < count; i++)
    text_printf(out, i ? ", %s" : "%s", rule_dim_text(out->arena, dims[i]));
  text_add(out, "]");
}

static void print_number(Text *out, ElemType elem, const Attr *attr) {
  if (elem_is_real(elem))
    text_double(out, attr->real);
  else if (elem == BOOL)
    text_add(out, attr->integer ? "true" : "false");
  else
    text_printf(out, "%lld", (long long)attr->integer);
}

static Attr element(ElemType elem, const void *data, int64_t at) {
  Attr attr = {0};
  const char *from = (const char *)data + at * elem_bytes(elem);
  float single;
  int32_t word;
  if (elem == F64)
    memcpy(&attr.real, from, sizeof attr.real);
  else if (elem == I64)
    memcpy(&attr.integer, from, sizeof attr.integer);
  else if (elem == F32) {
    memcpy(&single, from, sizeof single);
    attr.real = (double)single;
  } else if (elem == I32) {
    memcpy(&word, from, sizeof word);
    attr.integer = word;
  } else
    attr.integer = *(const uint8_t *)from;
  return attr;
}

static void print_constant(Text *out, const Node *node) {
  ElemType elem = node->type.elem;
  if (!node->attr->data) {
    print_number(out, elem, node->attr);
    return;
  }
  int64_t count = type_count(&node->type, 0);
  text_add(out, "[");
  for (int64_t i = 0; i < count && i < DENSE_SHOWN; i++) {
    Attr attr = element(elem, node->attr->data, i);
    text_add(out, i ? ", " : "");
    print_number(out, elem, &attr);
  }
  text_add(out, count > DENSE_SHOWN ? ", …]" : "]");
}

// One field of every window, where some window has another value than the usual one.
static void print_field(Text *out, const Attr *attr, const char *name, size_t field, int64_t usual) {
  bool told = false;
  int64_t values[MAX_SPACE];
  for (int i = 0; i < attr->space; i++) {
    values[i] = *(const int64_t *)((const char *)&attr->window[i] + field);
    told = told || values[i] != usual;
  }
  if (!told)
    return;
  text_printf(out, ", %s: [", name);
  for (int i = 0; i < attr->space; i++)
    text_printf(out, i ? ", %lld" : "%lld", (long long)values[i]);
  text_add(out, "]");
}

static void print_windows(Text *out, const Attr *attr) {
  print_field(out, attr, "size", offsetof(Window, size), 0);
  print_field(out, attr, "stride", offsetof(Window, stride), 1);
  print_field(out, attr, "dilation", offsetof(Window, dilation), 1);
  print_field(out, attr, "before", offsetof(Window, before), 0);
  print_field(out, attr, "spread", offsetof(Window, spread), 1);
  if (attr->groups > 1)
    text_printf(out, ", groups: %lld", (long long)attr->groups);
  if (attr->tile)
    text_printf(out, ", tile: %d", attr->tile);
}

static bool steps(const Node *node) {
  for (int i = 0; i < node->type.rank; i++)
    if (node->attr->step[i] != 1)
      return true;
  return false;
}

// What an operation is told besides its inputs; for leaves, what they are.
static void print_attr(Text *out, const Graph *graph, const Node *node) {
  static const char *const clocks[] = {"step", "epoch", "seed", "last", "count"};
  const Attr *attr = node->attr;
  switch (node->op) {
  case OP_input:
    text_add(out, attr->index < graph->inputs.count ? graph->inputs.data[attr->index].name : "?");
    break;
  case OP_slot:
    text_add(out, attr->slot->name);
    break;
  case OP_constant:
    print_constant(out, node);
    break;
  case OP_clock:
    text_add(out, clocks[attr->index]);
    break;
  case OP_iota:
    text_printf(out, "axis: %d", attr->axis[0]);
    break;
  case OP_concat:
  case OP_gather:
  case OP_scatter_add:
  case OP_argmax:
    text_printf(out, ", axis: %d", attr->axis[0]);
    break;
  case OP_reduce_sum:
  case OP_reduce_max:
  case OP_reduce_min:
  case OP_reverse:
    print_axes(out, ", axes: ", attr->axis_count, attr->axis);
    if (attr->integer)
      text_add(out, ", first");
    break;
  case OP_transpose:
    print_axes(out, ", ", attr->axis_count, attr->axis);
    break;
  case OP_slice:
    print_dims(out, ", start: ", node->type.rank, attr->start);
    if (steps(node))
      print_dims(out, ", step: ", node->type.rank, attr->step);
    break;
  case OP_window:
    print_windows(out, attr);
    text_add(out, ", fill: ");
    print_number(out, node->type.elem, attr);
    break;
  case OP_slide:
  case OP_conv:
  case OP_conv_weight:
    print_windows(out, attr);
    break;
  case OP_attention:
  case OP_attention_lse:
  case OP_attention_dq:
  case OP_attention_dk:
  case OP_attention_dv:
    text_printf(out, ", scale: %.9g%s", attr->real, attr->integer ? ", causal" : "");
    break;
  case OP_pad:
    print_dims(out, ", before: ", node->type.rank, attr->start);
    text_add(out, ", fill: ");
    print_number(out, node->type.elem, attr);
    break;
  case OP_scan:
    text_printf(out, ", carried: %d, sequences: %d, length: %lld%s%s", attr->scan->carried, attr->scan->sequences,
                (long long)attr->scan->length, attr->scan->counted ? ", counted" : "",
                attr->scan->reverse ? ", reverse" : "");
    break;
  case OP_scan_result:
    text_printf(out, ", %d", attr->index);
    break;
  case OP_random:
    text_printf(out, ", stream: %lld", (long long)attr->integer);
    break;
  default:
    break;
  }
}

// The file's name without its folder, so that the text does not depend on where it was compiled.
static void print_place(Text *out, const Node *node) {
  const char *file = node->span.source ? node->span.source->path : NULL;
  const char *scope = node->scope ? node->scope : "";
  if (!file && !*scope)
    return;
  text_add(out, "   #");
  if (file) {
    const char *slash = strrchr(file, '/');
    text_printf(out, " %s:%d", slash ? slash + 1 : file, node->span.line);
  }
  if (*scope)
    text_printf(out, " %s", scope);
}

// Indented below its scan.
static void print_body(Text *out, const Graph *body) {
  Text inner = text_new(out->arena);
  graph_print(&inner, body);
  text_indented(out, text_string(&inner), 4);
}

static void print_node(Text *out, const Graph *graph, const Node *node) {
  text_printf(out, "  %%%d: ", node->id);
  type_print(out, &node->type);
  text_printf(out, " = %s(", op_name(node->op));
  for (int i = 0; i < node->input_count; i++)
    text_printf(out, i ? ", %%%d" : "%%%d", node->inputs[i]->id);
  print_attr(out, graph, node);
  text_add(out, ")");
  print_place(out, node);
  text_add(out, "\n");
  if (node->op == OP_scan)
    print_body(out, node->attr->scan->body);
}

void graph_print(Text *out, const Graph *graph) {
  text_printf(out, "graph %s(", graph->name);
  for (int i = 0; i < graph->inputs.count; i++) {
    text_printf(out, i ? ", %s: " : "%s: ", graph->inputs.data[i].name);
    type_print(out, &graph->inputs.data[i].type);
  }
  text_add(out, ")");
  if (graph->batch)
    text_printf(out, "   # n <= %lld", (long long)graph->batch);
  text_add(out, "\n");
  for (int i = 0; i < graph->nodes.count; i++)
    print_node(out, graph, graph->nodes.data[i]);
  for (int i = 0; i < graph->outputs.count; i++)
    text_printf(out, "  output %s = %%%d\n", graph->outputs.data[i].name, graph->outputs.data[i].value->id);
  for (int i = 0; i < graph->updates.count; i++)
    text_printf(out, "  update %s := %%%d\n", graph->updates.data[i].slot->name, graph->updates.data[i].value->id);
}

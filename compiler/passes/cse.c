// Common subexpressions: nodes of the same operation, attributes, type and inputs become the first of them. Random
// numbers are equal only if their stream, seed and step are.
#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct Table {
  Node **slots; // nodes by hash, open addressing
  unsigned mask;
} Table;

static uint64_t mix(uint64_t hash, uint64_t value) {
  return (hash ^ value) * 0x9e3779b97f4a7c15U + (hash >> 29);
}

static uint64_t bits_of(double real) {
  uint64_t bits;
  memcpy(&bits, &real, sizeof bits);
  return bits;
}

static size_t dense_bytes(const Node *node) {
  return (size_t)type_count(&node->type, 0) * (size_t)elem_bytes(node->type.elem);
}

static uint64_t hash_node(const Node *node) {
  const Attr *attr = node->attr;
  uint64_t hash = mix(node->op, (uint64_t)node->type.elem);
  for (int i = 0; i < node->type.rank; i++)
    hash = mix(hash, (uint64_t)node->type.dim[i]);
  for (int i = 0; i < node->input_count; i++)
    hash = mix(hash, (uint64_t)node->inputs[i]->id);
  for (int i = 0; i < attr->axis_count; i++)
    hash = mix(hash, (uint64_t)attr->axis[i]);
  for (int i = 0; i < node->type.rank; i++)
    hash = mix(mix(hash, (uint64_t)attr->start[i]), (uint64_t)attr->step[i]);
  hash = mix(mix(hash, (uint64_t)attr->integer), bits_of(attr->real));
  hash = mix(mix(hash, (uint64_t)attr->index), (uint64_t)(uintptr_t)attr->slot);
  for (int i = 0; i < attr->space; i++)
    hash = mix(mix(hash, (uint64_t)attr->window[i].stride), (uint64_t)attr->window[i].before);
  const unsigned char *data = attr->data;
  for (size_t i = 0; data && i < dense_bytes(node); i++)
    hash = mix(hash, data[i]);
  return hash ^ hash >> 32;
}

static bool equal_windows(const Attr *a, const Attr *b) {
  if (a->space != b->space || a->groups != b->groups)
    return false;
  for (int i = 0; i < a->space; i++) {
    const Window *x = &a->window[i], *y = &b->window[i];
    if (x->size != y->size || x->stride != y->stride || x->dilation != y->dilation || x->before != y->before ||
        x->spread != y->spread)
      return false;
  }
  return true;
}

static bool equal_attr(const Node *a, const Node *b) {
  const Attr *x = a->attr, *y = b->attr;
  if (!attr_same_axes(x, y) || x->integer != y->integer || bits_of(x->real) != bits_of(y->real) ||
      x->index != y->index || x->slot != y->slot || x->scan != y->scan || !x->data != !y->data || !equal_windows(x, y))
    return false;
  for (int i = 0; i < a->type.rank; i++)
    if (x->start[i] != y->start[i] || x->step[i] != y->step[i])
      return false;
  return !x->data || x->data == y->data || memcmp(x->data, y->data, dense_bytes(a)) == 0;
}

static bool equal(const Node *a, const Node *b) {
  if (a->op != b->op || a->input_count != b->input_count || !type_equal(&a->type, &b->type))
    return false;
  for (int i = 0; i < a->input_count; i++)
    if (a->inputs[i] != b->inputs[i])
      return false;
  return equal_attr(a, b);
}

static Table table_new(Arena *arena, int nodes) {
  unsigned room = 16;
  while (room < 2 * (unsigned)nodes)
    room *= 2;
  return (Table){.slots = arena_array(arena, Node *, room), .mask = room - 1};
}

// Where a node equal to `node` stands, or an empty place for it.
static Node **find(const Table *table, const Node *node) {
  unsigned at = (unsigned)hash_node(node) & table->mask;
  while (table->slots[at] && !equal(table->slots[at], node))
    at = (at + 1) & table->mask;
  return &table->slots[at];
}

Graph *pass_cse(Graph *graph) {
  Rewrite rewrite = rewrite_begin(graph);
  Table table = table_new(graph->arena, graph->nodes.count);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    Node candidate = *node;
    candidate.inputs = rewrite_inputs(&rewrite, node);
    Node **found = find(&table, &candidate);
    if (!*found)
      *found = rewrite_copy(&rewrite, node, candidate.inputs);
    rewrite.map[id] = *found;
  }
  return rewrite_end(&rewrite);
}

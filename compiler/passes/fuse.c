// Fusion: nodes to kernels. Takes a graph, gives kernels in the order of the graph, with the memory each value needs (arena
// places are left to plan). fuse_store says which values are computed for themselves, fuse_merge which of these together.
// A value stays in registers unless another kernel, or a later loop of a row kernel, reads it. An update goes straight into
// its slot where every reader of the old value can run before; else a copy at the end of the function does it. What an
// element is computed from never changes, so neither do bits.
#include "passes/fuse.h"

#include "graph/ops.h"

// ---- what must be computed
static const Node *add_copy(Fusion *fusion, const Node *value) {
  Node *copy = arena_new_of(fusion->arena, Node);
  *copy = (Node){.id = fusion->result->nodes.count, .op = OP_stop_gradient, .type = value->type, .input_count = 1};
  copy->inputs = arena_array(fusion->arena, Node *, 1);
  copy->inputs[0] = (Node *)value;
  copy->span = value->span;
  copy->scope = value->scope;
  vec_push(fusion->arena, &fusion->result->nodes, copy);
  fusion->destination[copy->id].index = NO_DESTINATION;
  return copy;
}

// The node that is computed right into `place`: the value itself, unless it is a leaf or goes elsewhere already.
static const Node *give_destination(Fusion *fusion, const Node *value, LPlace place) {
  bool taken = fusion->destination[value->id].index != NO_DESTINATION;
  if (taken || op_info[value->op].class == LEAF || op_info[value->op].class == SCAN)
    value = add_copy(fusion, value);
  fusion->destination[value->id] = place;
  return value;
}

static void find_needed(Fusion *fusion) {
  for (int i = fusion->result->nodes.count - 1; i >= 0; i--) {
    const Node *node = fusion->result->nodes.data[i];
    if (fusion->destination[i].index != NO_DESTINATION)
      fusion->needed[i] = true;
    for (int k = 0; k < node->input_count && fusion->needed[i]; k++)
      fusion->needed[node->inputs[k]->id] = true;
  }
}

static void add_destinations(Fusion *fusion) {
  const Graph *graph = fusion->graph;
  for (int i = 0; i < graph->outputs.count; i++)
    give_destination(fusion, graph->outputs.data[i].value, (LPlace){.space = SPACE_OUTPUT, .index = i});
  for (int i = 0; i < graph->updates.count; i++) {
    const GraphUpdate *update = &graph->updates.data[i];
    if (update->value->op == OP_slot && update->value->attr->slot == update->slot)
      continue;
    LPlace place = {.space = SPACE_STATE, .offset = update->slot->offset, .index = -1};
    fusion->slot[give_destination(fusion, update->value, place)->id] = update->slot;
  }
}

// ---- what each stored node reads
typedef struct Walk {
  Fusion *fusion;
  Reads *reads;
  Reads visited;
} Walk;

static bool known(const Reads *reads, const Node *node, const Access *access) {
  for (int i = 0; i < reads->count; i++)
    if (reads->data[i].node == node && access_equal(&reads->data[i].access, access))
      return true;
  return false;
}

static void walk_inputs(Walk *walk, const Node *node, const Access *access);

static void walk_value(Walk *walk, const Node *node, const Access *access) {
  Reads *list = node_is_memory(node) || walk->fusion->stored[node->id] ? walk->reads : &walk->visited;
  if (known(list, node, access))
    return;
  vec_push(walk->fusion->arena, list, (Read){node, *access});
  if (list == &walk->visited)
    walk_inputs(walk, node, access);
}

static void walk_inputs(Walk *walk, const Node *node, const Access *access) {
  for (int i = 0; i < node->input_count; i++) {
    Access inner = access_through(node, i, access);
    walk_value(walk, node->inputs[i], &inner);
  }
}

static void find_reads(Fusion *fusion, const Node *node) {
  Walk walk = {.fusion = fusion, .reads = &fusion->reads[node->id]};
  Access own = access_identity(node->type.rank);
  walk_inputs(&walk, node, &own);
}

// ---- updates
bool fuse_reads_slot(const Fusion *fusion, int id, const Slot *slot) {
  for (int i = 0; i < fusion->reads[id].count; i++) {
    const Node *node = fusion->reads[id].data[i].node;
    if (node->op == OP_slot && node->attr->slot == slot)
      return true;
  }
  return false;
}

bool fuse_reads_slot_elsewhere(const Fusion *fusion, const Node *reader, const Slot *slot) {
  const Reads *reads = &fusion->reads[reader->id];
  for (int i = 0; i < reads->count; i++) {
    const Read *read = &reads->data[i];
    if (read->node->op == OP_slot && read->node->attr->slot == slot &&
        !(access_is_identity(&read->access) && type_same_shape(&read->node->type, &reader->type)))
      return true;
  }
  return false;
}

static bool reaches(const Fusion *fusion, bool *seen, int from, int target) {
  if (from == target)
    return true;
  if (seen[from])
    return false;
  seen[from] = true;
  for (int i = 0; i < fusion->reads[from].count; i++)
    if (reaches(fusion, seen, fusion->reads[from].data[i].node->id, target))
      return true;
  for (int i = 0; i < fusion->after[from].count; i++)
    if (reaches(fusion, seen, fusion->after[from].data[i]->id, target))
      return true;
  return false;
}

static void run_after_readers(Fusion *fusion, const Node *update, const NodeList *readers) {
  for (int i = 0; i < readers->count; i++)
    if (readers->data[i] != update)
      vec_push(fusion->arena, &fusion->after[update->id], readers->data[i]);
}

static void place_update(Fusion *fusion, const Node *update) {
  const Slot *slot = fusion->slot[update->id];
  NodeList readers = {0};
  bool direct = !fuse_reads_slot_elsewhere(fusion, update, slot);
  bool *seen = arena_array(fusion->arena, bool, fusion->room);
  for (int i = 0; i < fusion->result->nodes.count; i++) {
    if (!fusion->stored[i] || !fuse_reads_slot(fusion, i, slot))
      continue;
    vec_push(fusion->arena, &readers, fusion->result->nodes.data[i]);
    if (i != update->id && reaches(fusion, seen, i, update->id))
      direct = false;
  }
  if (!direct) {
    LPlace place = fusion->destination[update->id];
    fusion->destination[update->id].index = NO_DESTINATION;
    fusion->slot[update->id] = NULL;
    update = add_copy(fusion, update);
    fusion->destination[update->id] = place;
    fusion->slot[update->id] = slot;
    fusion->stored[update->id] = fusion->needed[update->id] = fusion->alone[update->id] = true;
    find_reads(fusion, update);
  }
  run_after_readers(fusion, update, &readers);
}

// ---- kernels
int64_t scan_carried_bytes(const Type *type, int64_t batch) {
  return whole_lines(type_count(type, batch) * elem_bytes(type->elem));
}

static void add_once(Arena *arena, NodeList *list, const Node *node) {
  for (int i = 0; i < list->count; i++)
    if (list->data[i] == node)
      return;
  vec_push(arena, list, node);
}

static bool is_row_loop(const Kernel *kernel, const Node *node) {
  return op_info[node->op].class != REDUCE && node->type.rank > kernel->rows;
}

// A map joins the loop before it if both go over the same elements and it takes from that loop only its own element.
static bool joins_stage(const Fusion *fusion, const Kernel *kernel, int at) {
  const Node *node = kernel->nodes.data[at], *before = kernel->nodes.data[at - 1];
  if (!is_row_loop(kernel, node) || !is_row_loop(kernel, before) || !type_same_shape(&node->type, &before->type))
    return false;
  int stage = kernel->stages.data[at - 1];
  for (int i = 0; i < fusion->reads[node->id].count; i++) {
    const Read *read = &fusion->reads[node->id].data[i];
    for (int k = 0; k < at; k++)
      if (kernel->stages.data[k] == stage && kernel->nodes.data[k] == read->node && !access_is_identity(&read->access))
        return false;
  }
  return true;
}

static void set_stages(Fusion *fusion, Kernel *kernel) {
  for (int i = 0, stage = 0; i < kernel->nodes.count; i++) {
    if (i > 0 && !(kernel->kind != KERNEL_ROW || joins_stage(fusion, kernel, i)))
      stage++;
    vec_push(fusion->arena, &kernel->stages, stage);
  }
}

static void make_kernel(Fusion *fusion, const Group *group) {
  Kernel *kernel = arena_new_of(fusion->arena, Kernel);
  kernel->kind = group->kind;
  kernel->root = group->root;
  kernel->rows = group->rows;
  kernel->id = fusion->result->kernels.count;
  for (int i = 0; i < group->nodes.count; i++) {
    vec_push(fusion->arena, &kernel->nodes, group->nodes.data[i]);
    fusion->result->kernel_of[group->nodes.data[i]->id] = kernel->id;
  }
  set_stages(fusion, kernel);
  if (kernel->kind == KERNEL_SCAN) {
    kernel->body = fuse(fusion->arena, kernel->root->attr->scan->body, fusion->options);
    kernel->body->scan = kernel->root->attr->scan;
  }
  vec_push(fusion->arena, &fusion->result->kernels, kernel);
}

static int stage_of(const Kernel *kernel, const Node *node) {
  for (int i = 0; i < kernel->nodes.count; i++)
    if (kernel->nodes.data[i] == node)
      return kernel->stages.data[i];
  return -1;
}

// Is the value still in a register where `reader`, of the same kernel, needs it?
static bool in_register(const Kernel *kernel, const Node *node, const Node *reader) {
  return kernel->kind != KERNEL_ROW || node->type.rank == kernel->rows ||
         stage_of(kernel, node) == stage_of(kernel, reader);
}

static void keep_in_memory(Fusion *fusion, const Node *node) {
  Buffer *buffer = &fusion->result->buffers[node->id];
  int64_t bytes = type_count(&node->type, fusion->graph->batch) * elem_bytes(node->type.elem);
  buffer->node = node;
  buffer->bytes = bytes > 0 ? bytes : elem_bytes(node->type.elem);
  buffer->place = fusion->destination[node->id];
  if (buffer->place.index == NO_DESTINATION)
    buffer->place = (LPlace){.space = SPACE_ARENA, .index = -1};
}

static void connect(Fusion *fusion, Kernel *kernel) {
  KernelGraph *result = fusion->result;
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Node *node = kernel->nodes.data[i];
    if (fusion->destination[node->id].index != NO_DESTINATION)
      keep_in_memory(fusion, node);
    for (int k = 0; k < fusion->reads[node->id].count; k++) {
      const Node *read = fusion->reads[node->id].data[k].node;
      if (read->op == OP_scan)
        continue;
      bool inner = result->kernel_of[read->id] == kernel->id;
      if (!inner)
        add_once(fusion->arena, &kernel->reads, read);
      if (fusion->stored[read->id] && !(inner && in_register(kernel, read, node)))
        keep_in_memory(fusion, read);
    }
  }
}

static void add_dependency(Fusion *fusion, Kernel *kernel, const Node *node) {
  int id = fusion->result->kernel_of[node->id];
  if (id < 0 || id == kernel->id)
    return;
  const Kernel *before = fusion->result->kernels.data[id];
  for (int i = 0; i < kernel->after.count; i++)
    if (kernel->after.data[i] == before)
      return;
  vec_push(fusion->arena, &kernel->after, before);
}

// What is carried has a place to be read from and one to be written to.
static void double_carried(Fusion *fusion, const Kernel *kernel) {
  for (int i = 0; kernel->kind == KERNEL_SCAN && i < kernel->root->attr->scan->carried; i++)
    fusion->result->buffers[kernel->root->inputs[i]->id].bytes =
        2 * scan_carried_bytes(&kernel->root->inputs[i]->type, fusion->graph->batch);
}

static void connect_all(Fusion *fusion) {
  KernelGraph *result = fusion->result;
  for (int i = 0; i < result->kernels.count; i++)
    connect(fusion, result->kernels.data[i]);
  for (int i = 0; i < result->kernels.count; i++)
    double_carried(fusion, result->kernels.data[i]);
  for (int i = 0; i < result->kernels.count; i++) {
    Kernel *kernel = result->kernels.data[i];
    for (int k = 0; k < kernel->nodes.count; k++) {
      int id = kernel->nodes.data[k]->id;
      for (int r = 0; r < fusion->reads[id].count; r++)
        add_dependency(fusion, kernel, fusion->reads[id].data[r].node);
      for (int r = 0; r < fusion->after[id].count; r++)
        add_dependency(fusion, kernel, fusion->after[id].data[r]);
    }
  }
}

static Fusion fusion_new(Arena *arena, const Graph *graph) {
  // At most one copy for each destination, and one more for each update.
  int room = graph->nodes.count + graph->outputs.count + 2 * graph->updates.count;
  Fusion fusion = {.arena = arena, .graph = graph, .room = room};
  fusion.result = arena_new_of(arena, KernelGraph);
  fusion.result->arena = arena;
  fusion.result->graph = graph;
  fusion.result->buffers = arena_array(arena, Buffer, room);
  fusion.result->kernel_of = arena_array(arena, int, room);
  fusion.needed = arena_array(arena, bool, room);
  fusion.stored = arena_array(arena, bool, room);
  fusion.alone = arena_array(arena, bool, room);
  fusion.destination = arena_array(arena, LPlace, room);
  fusion.slot = arena_array(arena, const Slot *, room);
  fusion.reads = fusion.result->reads = arena_array(arena, Reads, room);
  fusion.after = arena_array(arena, NodeList, room);
  for (int i = 0; i < room; i++) {
    fusion.destination[i].index = NO_DESTINATION;
    fusion.result->kernel_of[i] = -1;
  }
  for (int i = 0; i < graph->nodes.count; i++)
    vec_push(arena, &fusion.result->nodes, graph->nodes.data[i]);
  return fusion;
}

KernelGraph *fuse(Arena *arena, const Graph *graph, const KernelOptions *options) {
  Fusion fusion = fusion_new(arena, graph);
  fusion.options = options;
  add_destinations(&fusion);
  find_needed(&fusion);
  fuse_store(&fusion, options->fuse);
  int count = fusion.result->nodes.count;
  for (int i = 0; i < count; i++)
    if (fusion.stored[i])
      find_reads(&fusion, fusion.result->nodes.data[i]);
  for (int i = 0; i < count; i++)
    if (fusion.slot[i])
      place_update(&fusion, fusion.result->nodes.data[i]);
  GroupList groups = fuse_merge(&fusion, options->fuse);
  for (int i = 0; i < groups.count; i++)
    make_kernel(&fusion, groups.data[i]);
  connect_all(&fusion);
  fuse_name(&fusion);
  return fusion.result;
}

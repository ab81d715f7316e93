// A model of a sequence made to take one element of it at a time: of each value only the part at the element's position is
// computed, from the same part of what it is made of. Two operations look back. A forward scan goes on from what it carried,
// attention from the keys and values so far; both are kept in the state block between calls. Where a value needs what comes
// later there is no such function.
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

// Parts of a value: the one at the position along a dimension, or all of it.
enum { NONE = -1, WHOLE = MAX_RANK, PARTS };
enum { Q, K, V, MASK }; // of attention

typedef struct Stream {
  const Graph *from; // for one sample
  Graph *to;
  int64_t length;
  Node *position;         // i64[]: from 0
  bool *moves;            // by id: depends on the sequence
  bool (*wanted)[PARTS];  // by id
  Node *(*part)[PARTS];   // by id: nodes of `to`
  Node **kept, ***yields; // by id: all of it up to the position; of a scan, what its step yields
  int kept_count;
  int64_t *state_bytes;
} Stream;

// ---- which part of an input a part of a node needs

static int64_t elements_before(const Type *type, int axis) {
  int64_t count = 1;
  for (int i = 0; i < axis; i++)
    count *= type->dim[i];
  return count;
}

static int through_reshape(const Type *to, const Type *from, int axis) {
  for (int i = 0; i < from->rank; i++)
    if (from->dim[i] == to->dim[axis] && elements_before(from, i) == elements_before(to, axis))
      return i;
  return NONE;
}

static int through_reduction(const Attr *attr, int axis) {
  for (int i = 0; i < attr->axis_count; i++)
    axis += attr->axis[i] <= axis;
  return axis;
}

static int through_gather(const Node *node, int axis, int input) {
  int along = node->attr->axis[0], indices = node->inputs[1]->type.rank;
  bool chosen = axis >= along && axis < along + indices;
  if (input)
    return chosen ? axis - along : WHOLE;
  return chosen ? WHOLE : axis < along ? axis : axis - indices + 1;
}

static int through_product(const Node *node, int axis, int input) {
  int back = node->type.rank - axis;
  return back > 2 || (back == 2) == (input == 0) ? axis : WHOLE;
}

static int through_attention(const Stream *stream, const Node *node, int axis, int input) {
  int back = node->type.rank - axis;
  bool looks_back = input == K || input == V;
  if (back != 2 || !looks_back)
    return back >= 2 ? axis : NONE;
  if (!stream->moves[node->inputs[input]->id])
    return WHOLE;
  return node->attr->integer && node->inputs[K]->type.dim[axis] == node->type.dim[axis] ? axis : NONE;
}

static int through_scan(const Stream *stream, const GraphScan *scan, int input) {
  if (scan->reverse || scan->counted || scan->length != stream->length)
    return NONE;
  return scan_is_sequence(scan, input) ? 0 : WHOLE;
}

static bool is_along(const Attr *attr, int axis) {
  for (int i = 0; i < attr->axis_count; i++)
    if (attr->axis[i] == axis)
      return true;
  return false;
}

static int needed(const Stream *stream, const Node *node, int part, int input) {
  const Type *to = &node->type, *from = &node->inputs[input]->type;
  int repeated = to->rank - from->rank;
  if (part == WHOLE)
    return WHOLE;
  switch (node->op) {
  case OP_broadcast:
    return part < repeated || from->dim[part - repeated] != to->dim[part] ? WHOLE : part - repeated;
  case OP_reshape:
    return through_reshape(to, from, part);
  case OP_transpose:
    return node->attr->axis[part];
  case OP_slice:
  case OP_pad:
    return to->dim[part] == from->dim[part] ? part : NONE;
  case OP_concat:
  case OP_reverse:
    return is_along(node->attr, part) ? NONE : part;
  case OP_gather:
    return through_gather(node, part, input);
  case OP_reduce_sum:
  case OP_reduce_max:
  case OP_reduce_min:
  case OP_argmax:
    return through_reduction(node->attr, part);
  case OP_matmul:
    return through_product(node, part, input);
  case OP_attention:
    return through_attention(stream, node, part, input);
  case OP_scan:
    return through_scan(stream, node->attr->scan, input);
  case OP_scan_result:
    return part == 0 && node->attr->index >= node->inputs[0]->attr->scan->carried ? 0 : NONE;
  default:
    return op_info[node->op].class == POINT ? part : NONE;
  }
}

// What is the same for every element is computed whole and looked up, unless it is easily had for one place.
static bool looked_up(const Stream *stream, const Node *node, int part) {
  return part != WHOLE && !stream->moves[node->id] && node->op != OP_broadcast && !node_is_splat(node);
}

static bool find_wanted(Stream *stream) {
  const Graph *from = stream->from;
  for (int i = 0; i < from->outputs.count; i++)
    stream->wanted[from->outputs.data[i].value->id][1] = true;
  for (int id = from->nodes.count - 1; id >= 0; id--) {
    const Node *node = from->nodes.data[id];
    bool *wanted = stream->wanted[id];
    for (int part = 0; part < PARTS; part++) {
      if (!wanted[part])
        continue;
      if (part == WHOLE ? stream->moves[id] : node->op == OP_input && part != 1)
        return false;
      if (looked_up(stream, node, part)) {
        wanted[WHOLE] = true;
        continue;
      }
      for (int i = 0; i < node->input_count; i++) {
        int need = needed(stream, node, part, i);
        if (need == NONE)
          return false;
        stream->wanted[node->inputs[i]->id][need] = true;
      }
    }
  }
  return true;
}

// ---- what is kept between calls

static Node *new_slot(Stream *stream, const Node *node, const Type *type) {
  Arena *arena = stream->to->arena;
  Slot *slot = arena_new_of(arena, Slot);
  *slot = (Slot){.name = arena_printf(arena, "%s.kept_%d", node->scope, stream->kept_count++),
                 .type = *type,
                 .kind = SLOT_STREAM,
                 .index = -1,
                 .offset = *stream->state_bytes,
                 .span = node->span};
  int64_t end = slot->offset + type_count(type, 0) * elem_bytes(type->elem);
  *stream->state_bytes = whole_lines(end);
  return graph_slot(stream->to, slot);
}

static void update(Stream *stream, const Node *slot, Node *value) {
  vec_push(stream->to->arena, &stream->to->updates, ((GraphUpdate){slot->attr->slot, value}));
}

// All of it so far: what was kept, with the part of this call in its place.
static Node *keep(Stream *stream, const Node *node, int axis) {
  Graph *to = stream->to;
  Node **kept = &stream->kept[node->id];
  if (!stream->moves[node->id])
    return stream->part[node->id][WHOLE];
  if (*kept)
    return *kept;
  Type places = node->type;
  places.elem = I64;
  Node *before = new_slot(stream, node, &node->type);
  Node *here = graph_binary(to, OP_eq, graph_iota(to, places, axis), stream->position);
  *kept = graph_select(to, here, stream->part[node->id][axis], before);
  update(stream, before, *kept);
  return *kept;
}

// ---- building

static Node *build_attention(Stream *stream, const Node *node, int axis) {
  Graph *to = stream->to;
  Attr attr = *node->attr;
  Node *mask = stream->part[node->inputs[MASK]->id][axis];
  if (attr.integer) {
    Type scores = mask->type;
    int64_t keys = scores.dim[axis + 1], ahead = keys - node->type.dim[axis];
    scores.elem = I64;
    Node *last = graph_binary(to, OP_add, stream->position, graph_constant(to, type_scalar(I64), (double)ahead));
    Node *seen = graph_binary(to, OP_le, graph_iota(to, scores, axis + 1), last);
    mask = graph_binary(to, OP_and, mask, seen);
    attr.integer = 0;
  }
  Node *inputs[] = {stream->part[node->inputs[Q]->id][axis], keep(stream, node->inputs[K], axis),
                    keep(stream, node->inputs[V], axis), mask};
  return graph_node(to, OP_attention, 4, inputs, &attr, NULL);
}

// What the body sees: what was kept, from its first value on; the element; what every step sees alike.
static Node **enter_body(Stream *stream, const Node *scan, Node **kept) {
  Graph *to = stream->to;
  const GraphScan *shape = scan->attr->scan;
  Node **inputs = arena_array(to->arena, Node *, scan->input_count + 1);
  Node *first = graph_binary(to, OP_eq, stream->position, graph_constant(to, type_scalar(I64), 0));
  for (int i = 0; i < scan->input_count; i++) {
    const Node *input = scan->inputs[i];
    inputs[i] = stream->part[input->id][scan_is_sequence(shape, i) ? 0 : WHOLE];
    Type step = scan_step_type(&input->type);
    if (scan_is_sequence(shape, i))
      inputs[i] = graph_reshape(to, inputs[i], &step);
    if (i < shape->carried) {
      kept[i] = new_slot(stream, scan, &input->type);
      inputs[i] = graph_select(to, first, inputs[i], kept[i]);
    }
  }
  return inputs;
}

// The body once, in the place of the scan.
static void build_scan(Stream *stream, const Node *scan) {
  Graph *to = stream->to;
  const GraphScan *shape = scan->attr->scan;
  const Graph *body = shape->body;
  Node **kept = arena_array(to->arena, Node *, shape->carried + 1);
  Node **inputs = enter_body(stream, scan, kept);
  Rewrite inside = {.from = body, .to = to, .map = arena_array(to->arena, Node *, body->nodes.count + 1)};
  for (int id = 0; id < body->nodes.count; id++) {
    const Node *node = body->nodes.data[id];
    inside.map[id] =
        node->op == OP_input ? inputs[node->attr->index] : rewrite_copy(&inside, node, rewrite_inputs(&inside, node));
  }
  rewrite_place(&inside, scan);
  Node **yields = stream->yields[scan->id] = arena_array(to->arena, Node *, body->outputs.count + 1);
  for (int i = 0; i < body->outputs.count; i++) {
    Node *value = inside.map[body->outputs.data[i].value->id];
    Type step = shape->body->outputs.data[i].value->type, stacked = scan_stacked_type(&step, 1);
    if (i < shape->carried)
      update(stream, kept[i], value);
    else
      yields[i] = graph_reshape(to, value, &stacked);
  }
}

static Node *build(Stream *stream, const Node *node, int part) {
  Graph *to = stream->to;
  to->span = node->span;
  to->scope = node->scope;
  Type type = node->type;
  if (part < type.rank)
    type.dim[part] = 1;
  if (looked_up(stream, node, part)) {
    Node *place = graph_reshape(to, stream->position, &(Type){.elem = I64, .rank = 1, .dim = {1}});
    Node *inputs[] = {stream->part[node->id][WHOLE], place};
    return graph_node(to, OP_gather, 2, inputs, &(Attr){.axis_count = 1, .axis = {part}}, NULL);
  }
  if (node->op == OP_input)
    return graph_input(to, stream->from->inputs.data[node->attr->index].name, type);
  if (node->op == OP_attention && part == node->type.rank - 2)
    return build_attention(stream, node, part);
  if (node->op == OP_scan_result && part != WHOLE)
    return stream->yields[node->inputs[0]->id][node->attr->index];
  if (node->op == OP_scan && part != WHOLE) {
    build_scan(stream, node);
    return NULL;
  }
  Node **inputs = arena_array(to->arena, Node *, node->input_count + 1);
  for (int i = 0; i < node->input_count; i++)
    inputs[i] = stream->part[node->inputs[i]->id][needed(stream, node, part, i)];
  return graph_node(to, node->op, node->input_count, inputs, node->attr, &type);
}

static void build_all(Stream *stream) {
  const Graph *from = stream->from;
  for (int id = 0; id < from->nodes.count; id++)
    for (int part = WHOLE; part >= 0; part--) // looked up in the whole
      if (stream->wanted[id][part])
        stream->part[id][part] = build(stream, from->nodes.data[id], part);
  for (int i = 0; i < from->outputs.count; i++) {
    GraphOutput output = from->outputs.data[i];
    output.value = stream->part[output.value->id][1];
    vec_push(stream->to->arena, &stream->to->outputs, output);
  }
}

// ---- the function

// Draws and clocks have other values in a call for one element.
static bool is_pure(const Graph *graph) {
  for (int i = 0; i < graph->nodes.count; i++) {
    const Node *node = graph->nodes.data[i];
    if (node->op == OP_random || node->op == OP_clock || (node->op == OP_scan && !is_pure(node->attr->scan->body)))
      return false;
  }
  return true;
}

static bool is_of_sequence(const Graph *graph) {
  if (graph->inputs.count != 1 || graph->updates.count || graph->inputs.data[0].type.rank < 2)
    return false;
  Dim length = graph->inputs.data[0].type.dim[1];
  for (int i = 0; i < graph->outputs.count; i++) {
    const Type *type = &graph->outputs.data[i].value->type;
    if (type->rank < 2 || type->dim[1] != length)
      return false;
  }
  return length > 1 && is_pure(graph);
}

static Type of_one_sample(Type type) {
  for (int i = 0; i < type.rank; i++)
    type.dim[i] = dim_at(type.dim[i], 1);
  return type;
}

static Graph *for_one_sample(const Graph *graph) {
  Rewrite rewrite = rewrite_begin(graph);
  rewrite.to->batch = 0;
  for (int i = 0; i < graph->inputs.count; i++)
    rewrite.to->inputs.data[i].type = of_one_sample(graph->inputs.data[i].type);
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    Node own = *node;
    own.type = of_one_sample(node->type);
    if (node->op == OP_scan) {
      GraphScan scan = *node->attr->scan;
      scan.body = for_one_sample(scan.body);
      node_set_attr(rewrite.to, &own, &(Attr){.scan = arena_copy(graph->arena, &scan, sizeof scan)});
    }
    rewrite.map[id] = rewrite_copy(&rewrite, &own, rewrite_inputs(&rewrite, node));
  }
  return rewrite_end(&rewrite);
}

static void find_moving(Stream *stream) {
  for (int id = 0; id < stream->from->nodes.count; id++) {
    const Node *node = stream->from->nodes.data[id];
    stream->moves[id] = node->op == OP_input;
    for (int i = 0; i < node->input_count; i++)
      stream->moves[id] = stream->moves[id] || stream->moves[node->inputs[i]->id];
  }
}

Graph *pass_stream(const Graph *graph, const char *name, int64_t *state_bytes) {
  if (!is_of_sequence(graph))
    return NULL;
  Arena *arena = graph->arena;
  const Graph *from = for_one_sample(graph);
  size_t count = (size_t)from->nodes.count + 1;
  Stream stream = {.from = from,
                   .to = graph_new(arena, name, 0),
                   .length = from->inputs.data[0].type.dim[1],
                   .moves = arena_array(arena, bool, count),
                   .wanted = arena_alloc(arena, count * sizeof *stream.wanted),
                   .part = arena_alloc(arena, count * sizeof *stream.part),
                   .kept = arena_array(arena, Node *, count),
                   .yields = arena_array(arena, Node **, count),
                   .state_bytes = state_bytes};
  find_moving(&stream);
  if (!find_wanted(&stream))
    return NULL;
  stream.to->span = graph->span;
  stream.to->scope = graph->scope;
  stream.position = graph_clock(stream.to, 0);
  build_all(&stream);
  return stream.to;
}

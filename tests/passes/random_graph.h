// Random graphs of small tensors for tests: every class of operation, slots that are updated, a batch dimension.
#pragma once
#include "graph/ops.h"

typedef struct Random {
  uint64_t state;
} Random;

// xorshift64* (Marsaglia; Vigna): reproducible and good enough to choose operations by.
static int random_below(Random *random, int bound) {
  random->state ^= random->state >> 12;
  random->state ^= random->state << 25;
  random->state ^= random->state >> 27;
  return (int)((random->state * 0x2545F4914F6CDD1Dull >> 33) % (uint64_t)bound);
}

typedef struct RandomGraph {
  Arena *arena;
  Graph *graph;
  Random random;
  VEC(Slot *) slots;
  VEC(Node *) values; // f32
  int64_t state_bytes;
  int64_t most; // elements of a value
} RandomGraph;

static Type shape_of(int rank, const Dim *dim) {
  Type type = {.elem = F32, .rank = rank};
  for (int i = 0; i < rank; i++)
    type.dim[i] = dim[i];
  return type;
}

static Node *any_value(RandomGraph *g) {
  return g->values.data[random_below(&g->random, g->values.count)];
}

static Node *add_value(RandomGraph *g, Node *node) {
  if (node && node->type.rank <= 4 && type_count(&node->type, g->graph->batch) <= g->most)
    vec_push(g->arena, &g->values, node);
  return node;
}

static Node *unary_value(RandomGraph *g) {
  static const Op ops[] = {OP_neg, OP_abs, OP_exp, OP_tanh, OP_floor, OP_sign, OP_sin};
  return graph_unary(g->graph, ops[random_below(&g->random, 7)], any_value(g));
}

static Node *binary_value(RandomGraph *g) {
  static const Op ops[] = {OP_add, OP_sub, OP_mul, OP_max, OP_min, OP_add, OP_mul};
  for (int i = 0; i < 20; i++) {
    Node *a = any_value(g), *b = any_value(g);
    Type shape;
    if (type_broadcast(&a->type, &b->type, &shape))
      return graph_binary(g->graph, ops[random_below(&g->random, 7)], a, b);
  }
  return NULL;
}

static Node *select_value(RandomGraph *g) {
  Node *a = any_value(g), *zero = graph_constant(g->graph, type_scalar(F32), 0);
  return graph_select(g->graph, graph_binary(g->graph, OP_lt, zero, a), a, graph_unary(g->graph, OP_neg, a));
}

static Node *reduce_value(RandomGraph *g) {
  static const Op ops[] = {OP_reduce_sum, OP_reduce_max, OP_reduce_min};
  Node *x = any_value(g);
  int axes[MAX_RANK], count = 0;
  for (int i = 0; i < x->type.rank; i++)
    if (random_below(&g->random, 2))
      axes[count++] = i;
  if (!count)
    return NULL;
  Op op = ops[random_below(&g->random, 3)];
  return graph_reduce(g->graph, op, x, count, axes, random_below(&g->random, 2));
}

static Node *transpose_value(RandomGraph *g) {
  Node *x = any_value(g);
  int order[MAX_RANK], rank = x->type.rank;
  for (int i = 0; i < rank; i++)
    order[i] = i;
  for (int i = rank - 1; i > 0; i--) {
    int k = random_below(&g->random, i + 1), swap = order[i];
    order[i] = order[k];
    order[k] = swap;
  }
  return rank > 1 ? graph_transpose(g->graph, x, order) : NULL;
}

static Node *matmul_value(RandomGraph *g) {
  for (int i = 0; i < 40; i++) {
    Node *a = any_value(g), *b = any_value(g), *pair[2] = {a, b};
    if (a->type.rank < 2 || b->type.rank < 2)
      continue;
    if (graph_check(g->arena, OP_matmul, 2, pair, &(Attr){0}, NULL, &(Type){0}))
      continue;
    return graph_matmul(g->graph, a, b);
  }
  return NULL;
}

// Values of attention, or one of its gradients, whose upstream is a value of the right shape; others become values too.
static Node *attention_value(RandomGraph *g) {
  Node *in[7] = {0}, *mask = graph_constant(g->graph, type_scalar(BOOL), 1);
  for (int i = 0; i < 40 && !in[0]; i++) {
    Node *some[4] = {any_value(g), any_value(g), any_value(g), mask};
    if (!graph_check(g->arena, OP_attention, 4, some, &(Attr){0}, NULL, &(Type){0}))
      memcpy(in, some, sizeof some);
  }
  if (!in[0])
    return NULL;
  if (in[0]->type.dim[in[0]->type.rank - 2] == in[1]->type.dim[in[1]->type.rank - 2] && random_below(&g->random, 2))
    in[3] = graph_binary(g->graph, OP_le,
                         graph_reduce(g->graph, OP_reduce_sum, in[1], 1, (int[]){in[1]->type.rank - 1}, false),
                         graph_constant(g->graph, type_scalar(F32), 1));
  Attr attr = {.real = 0.25, .integer = random_below(&g->random, 2)};
  if (graph_check(g->arena, OP_attention, 4, in, &attr, NULL, &(Type){0}))
    in[3] = mask;
  Node *o = graph_node(g->graph, OP_attention, 4, in, &attr, NULL);
  if (random_below(&g->random, 2))
    return o;
  in[4] = graph_unary(g->graph, OP_sin, o);
  in[5] = graph_node(g->graph, OP_attention_lse, 4, in, &attr, NULL);
  in[6] = graph_reduce(g->graph, OP_reduce_sum, graph_binary(g->graph, OP_mul, o, in[4]), 1, (int[]){o->type.rank - 1},
                       false);
  add_value(g, o);
  add_value(g, in[5]);
  for (Op op = OP_attention_dq; op < OP_attention_dv; op++)
    if (random_below(&g->random, 2))
      add_value(g, graph_node(g->graph, op, 7, in, &attr, NULL));
  return graph_node(g->graph, OP_attention_dv, 7, in, &attr, NULL);
}

static Node *reshape_value(RandomGraph *g) {
  Node *x = any_value(g);
  Type shape = {.elem = F32};
  int rank = x->type.rank;
  if (rank == 0 || rank > 3)
    return NULL;
  switch (random_below(&g->random, 3)) {
  case 0: // merge the last two, or add a one
    for (int i = 0; i < rank; i++)
      shape.dim[shape.rank++] = x->type.dim[i];
    if (rank >= 2 && (x->type.dim[rank - 2] > 0 || x->type.dim[rank - 1] > 0)) {
      Dim a = x->type.dim[rank - 2], b = x->type.dim[rank - 1];
      shape.rank--;
      shape.dim[rank - 2] = a * b;
    } else {
      shape.dim[shape.rank++] = 1;
    }
    break;
  case 1: // split the last one
    for (int i = 0; i < rank; i++)
      shape.dim[shape.rank++] = x->type.dim[i];
    if (x->type.dim[rank - 1] > 0 && x->type.dim[rank - 1] % 2 == 0) {
      shape.dim[rank - 1] /= 2;
      shape.dim[shape.rank++] = 2;
    }
    break;
  default:
    shape.dim[shape.rank++] = 1;
    for (int i = 0; i < rank; i++)
      shape.dim[shape.rank++] = x->type.dim[i];
  }
  return graph_reshape(g->graph, x, &shape);
}

static Node *indices_like(RandomGraph *g, Node *x, int axis) {
  Type type = x->type;
  type.elem = I64;
  return axis < type.rank ? graph_iota(g->graph, type, axis) : NULL;
}

static Node *gather_value(RandomGraph *g) {
  Node *x = any_value(g), *from = any_value(g);
  if (!x->type.rank || x->type.rank + from->type.rank > 4 || !from->type.rank)
    return NULL;
  Node *indices = indices_like(g, from, 0), *pair[2] = {x, indices};
  Attr attr = {.axis_count = 1, .axis = {random_below(&g->random, x->type.rank)}};
  return graph_node(g->graph, OP_gather, 2, pair, &attr, NULL);
}

static Node *scatter_value(RandomGraph *g) {
  Node *x = any_value(g), *from = any_value(g);
  if (!x->type.rank || x->type.rank + from->type.rank > 4 || !from->type.rank)
    return NULL;
  Node *indices = indices_like(g, from, 0), *pair[2] = {x, indices};
  Attr attr = {.axis_count = 1, .axis = {random_below(&g->random, x->type.rank)}};
  Node *updates = graph_node(g->graph, OP_gather, 2, pair, &attr, NULL);
  Node *inputs[3] = {x, indices, graph_unary(g->graph, OP_neg, updates)};
  return graph_node(g->graph, OP_scatter_add, 3, inputs, &attr, NULL);
}

static Node *argmax_value(RandomGraph *g) {
  Node *x = any_value(g);
  if (!x->type.rank)
    return NULL;
  Attr attr = {.axis_count = 1, .axis = {random_below(&g->random, x->type.rank)}};
  return graph_cast(g->graph, graph_node(g->graph, OP_argmax, 1, &x, &attr, NULL), F32);
}

static Node *move_value(RandomGraph *g) {
  Node *x = any_value(g);
  int rank = x->type.rank;
  if (!rank)
    return NULL;
  int axis = random_below(&g->random, rank);
  Dim size = x->type.dim[axis];
  int64_t start[MAX_RANK] = {0}, step[MAX_RANK];
  Type shape = x->type;
  for (int i = 0; i < rank; i++)
    step[i] = 1;
  Attr attr = {.axis_count = 1, .axis = {axis}};
  switch (random_below(&g->random, 4)) {
  case 0:
    return graph_node(g->graph, OP_reverse, 1, &x, &attr, NULL);
  case 1:
    return graph_concat(g->graph, 2, (Node *[]){x, graph_unary(g->graph, OP_neg, x)}, axis);
  case 2:
    if (size < 3)
      return NULL;
    start[axis] = 1;
    shape.dim[axis] = size - 2;
    return graph_slice(g->graph, x, start, step, &shape);
  default:
    if (size < 1)
      return NULL;
    start[axis] = 1;
    shape.dim[axis] = size + 3;
    return graph_pad(g->graph, x, start, &shape, 0.5);
  }
}

// A value that broadcasts to `type` without changing it; NULL: none was found.
static Node *value_within(RandomGraph *g, const Type *type) {
  for (int i = 0; i < 20; i++) {
    Node *value = any_value(g);
    Type shape;
    if (type_broadcast(type, &value->type, &shape) && type_equal(&shape, type))
      return value;
  }
  return NULL;
}

// A scan that carries a value like some other, over steps stacked from a value, perhaps as far as the batch is large.
static Node *scan_value(RandomGraph *g) {
  Node *h = any_value(g), *w = value_within(g, &h->type), *x = value_within(g, &h->type);
  if (!w || !x || h->type.rank > 3)
    return NULL;
  GraphScan scan = {
      .carried = 1, .sequences = 1, .length = 1 + random_below(&g->random, 6), .reverse = random_below(&g->random, 2)};
  Type stacked = scan_stacked_type(&x->type, scan.length), places = stacked;
  places.elem = I64;
  Node *number = graph_cast(g->graph, graph_iota(g->graph, places, 0), F32);
  Node *sequence = graph_binary(g->graph, OP_add, number, graph_broadcast(g->graph, x, &stacked));
  Graph *body = graph_new(g->arena, "body", g->graph->batch);
  Node *before = graph_input(body, "h", h->type), *xt = graph_input(body, "x", x->type);
  Node *seen = graph_input(body, "w", w->type);
  Node *next = graph_unary(body, OP_sin, graph_binary(body, OP_add, before, xt));
  Node *product[2] = {xt, seen}, *yielded = graph_binary(body, OP_mul, next, seen);
  if (!graph_check(g->arena, OP_matmul, 2, product, &(Attr){0}, NULL, &(Type){0}))
    yielded = graph_matmul(body, xt, seen);
  vec_push(g->arena, &body->outputs, ((GraphOutput){"h", graph_binary(body, OP_max, next, seen)}));
  vec_push(g->arena, &body->outputs, ((GraphOutput){"y", yielded}));
  scan.body = body;
  Node *inputs[4] = {h, sequence, w};
  scan.counted = random_below(&g->random, 2);
  if (scan.counted) {
    graph_input(body, "count", type_scalar(I64));
    inputs[3] = graph_scan_count(g->graph, graph_clock(g->graph, 4), scan.length);
  }
  Node *made = graph_scan(g->graph, &scan, inputs, 3 + scan.counted);
  if (random_below(&g->random, 2))
    add_value(g, graph_scan_result(g->graph, made, 1));
  return graph_scan_result(g->graph, made, random_below(&g->random, 2));
}

static Node *random_value(RandomGraph *g) {
  switch (random_below(&g->random, 15)) {
  case 0:
  case 1:
    return unary_value(g);
  case 2:
  case 3:
  case 4:
    return binary_value(g);
  case 5:
    return select_value(g);
  case 6:
    return reduce_value(g);
  case 7:
    return transpose_value(g);
  case 8:
    return matmul_value(g);
  case 9:
    return random_below(&g->random, 2) ? matmul_value(g) : attention_value(g);
  case 10:
    return reshape_value(g);
  case 11:
    return random_below(&g->random, 2) ? gather_value(g) : scatter_value(g);
  case 12:
    return argmax_value(g);
  case 13:
    return scan_value(g);
  default:
    return move_value(g);
  }
}

static Slot *add_slot(RandomGraph *g, Type type) {
  Slot *slot = arena_new_of(g->arena, Slot);
  *slot = (Slot){.name = arena_printf(g->arena, "m.w%d", g->slots.count), .type = type, .index = g->slots.count};
  slot->offset = g->state_bytes;
  g->state_bytes += (type_count(&type, 0) * elem_bytes(type.elem) + 63) / 64 * 64;
  vec_push(g->arena, &g->slots, slot);
  return slot;
}

// An update that fits the slot: a value of its shape, or one summed or broadcast to it.
static void add_update(RandomGraph *g, Slot *slot) {
  Node *value = NULL;
  for (int i = 0; i < 30 && !value; i++) {
    Node *candidate = any_value(g);
    if (type_equal(&candidate->type, &slot->type))
      value = candidate;
  }
  if (!value)
    return;
  if (random_below(&g->random, 2))
    value = graph_binary(g->graph, OP_add, graph_slot(g->graph, slot), value);
  vec_push(g->arena, &g->graph->updates, (GraphUpdate){slot, value});
}

// Wide graphs have kernels that are worth sharing out.
static RandomGraph random_graph(Arena *arena, uint64_t seed, int size, bool wide) {
  RandomGraph g = {.arena = arena, .random = {seed * 0x9E3779B97F4A7C15ull + 1}};
  g.graph = graph_new(arena, "test", wide ? 22 : 6);
  g.most = wide ? 60000 : 20000;
  g.graph->scope = "";
  static const Dim sizes[2][6] = {{1, 2, 3, 4, 17, 40}, {1, 16, 33, 65, 90, 130}};
  Dim a = sizes[wide][random_below(&g.random, 6)], b = sizes[wide][random_below(&g.random, 6)];
  add_value(&g, graph_input(g.graph, "x", shape_of(2, (Dim[]){DIM_BATCH, a})));
  add_value(&g, graph_input(g.graph, "y", shape_of(3, (Dim[]){DIM_BATCH, b, a})));
  Type shapes[] = {shape_of(2, (Dim[]){a, b}), shape_of(2, (Dim[]){b, b}), shape_of(1, (Dim[]){b}), shape_of(0, NULL)};
  for (int i = 0; i < 4; i++)
    add_value(&g, graph_slot(g.graph, add_slot(&g, shapes[i])));
  while (g.graph->nodes.count < size)
    add_value(&g, random_value(&g));
  for (int i = 0; i < g.slots.count; i++)
    if (random_below(&g.random, 3))
      add_update(&g, g.slots.data[i]);
  for (int i = 0; i < 3; i++)
    vec_push(arena, &g.graph->outputs, (GraphOutput){arena_printf(arena, "o%d", i), any_value(&g)});
  vec_push(arena, &g.graph->outputs, (GraphOutput){"last", g.values.data[g.values.count - 1]});
  return g;
}

// Which values are computed once and kept, and which are recomputed inside every reader. Takes the needed nodes and
// their destinations, fills in `stored`. A value is kept if it must be (outputs, updates, roots of kernels, operands
// that tile loops read over and over) or if recomputing it would cost more than a load. What is kept without need is
// harmless: a reader in the same kernel takes it from a register.
#include "graph/ops.h"
#include "passes/conv_view.h"
#include "passes/flat.h"
#include "passes/fuse.h"

enum { CHEAP = 6, COPIED = 16, MASK = 20, LONG = 300 };

bool node_is_memory(const Node *node) {
  return node->op == OP_input || node->op == OP_slot || node->op == OP_clock ||
         (node->op == OP_constant && node->attr->data);
}

static bool is_root(const Node *node) {
  OpClass class = op_info[node->op].class;
  return class == REDUCE || class == CONTRACT || class == SCATTER || class == ATTENTION || class == SCAN;
}

static bool is_view(const Node *node) {
  return node->op == OP_broadcast || node->op == OP_reshape || node->op == OP_transpose || node->op == OP_slice ||
         node->op == OP_reverse || node->op == OP_stop_gradient;
}

// Roughly, in cycles of a vector.
static int op_cost(Op op) {
  switch (op) {
  case OP_exp:
  case OP_log:
  case OP_tanh:
  case OP_logistic:
  case OP_erf:
  case OP_sin:
  case OP_cos:
    return 20;
  case OP_pow:
    return 60;
  case OP_random:
    return 40;
  case OP_div:
  case OP_mod:
  case OP_sqrt:
    return 4;
  case OP_gather:
  case OP_pad:
  case OP_window:
  case OP_slide:
  case OP_concat:
    return 3;
  case OP_constant:
  case OP_stop_gradient:
    return 0;
  default:
    return 1;
  }
}

static int inline_cost(const Fusion *fusion, const int *cost, const Node *node) {
  if (node_is_memory(node))
    return 1;
  int sum = is_view(node) ? 0 : op_cost(node->op);
  for (int i = 0; i < node->input_count; i++)
    sum += fusion->stored[node->inputs[i]->id] ? 1 : cost[node->inputs[i]->id];
  return sum > 1000000 ? 1000000 : sum;
}

// How many nodes compute with the value, views of it seen through.
static int *count_readers(const Fusion *fusion) {
  int *readers = arena_array(fusion->arena, int, fusion->room);
  for (int i = fusion->result->nodes.count - 1; i >= 0; i--) {
    const Node *node = fusion->result->nodes.data[i];
    if (!fusion->needed[i])
      continue;
    for (int k = 0; k < node->input_count; k++)
      readers[node->inputs[k]->id] += is_view(node) && readers[i] ? readers[i] : 1;
  }
  return readers;
}

static bool passes_mask_on(const Node *node, const bool *masks) {
  return masks[node->id] && (is_view(node) || node->op == OP_and || node->op == OP_or || node->op == OP_not);
}

// What is read as a mask of attention alone. It is as large as the weights that are never stored, and is computed beside a
// product for each element: nothing that is simple is worth keeping.
static bool *find_masks(const Fusion *fusion) {
  bool *masks = arena_array(fusion->arena, bool, fusion->room),
       *others = arena_array(fusion->arena, bool, fusion->room);
  for (int i = fusion->result->nodes.count - 1; i >= 0; i--) {
    const Node *node = fusion->result->nodes.data[i];
    masks[i] = masks[i] && !others[i];
    for (int k = 0; k < node->input_count && fusion->needed[i]; k++) {
      bool mask =
          op_info[node->op].class == ATTENTION ? node->inputs[k]->type.elem == BOOL : passes_mask_on(node, masks);
      (mask ? masks : others)[node->inputs[k]->id] = true;
    }
  }
  return masks;
}

static void force(Fusion *fusion, const Node *node) {
  if (op_info[node->op].class != LEAF)
    fusion->stored[node->id] = true;
}

// The same as it was before it was given another shape: the kernel that makes it then can store it.
static void force_unshaped(Fusion *fusion, const Node *node) {
  while (node->op == OP_reshape)
    node = node->inputs[0];
  force(fusion, node);
}

static bool reshape_keeps_dimensions(const Node *node) {
  Access own = access_identity(node->type.rank), access = access_through(node, 0, &own);
  for (int i = 0; i < access.rank; i++)
    if (access.dim[i] == INDEX_OTHER)
      return false;
  return true;
}

// An operand read many times must be memory seen through views that keep its addresses affine.
static void force_operand(Fusion *fusion, const Node *node) {
  for (;;) {
    if (node->op == OP_reshape && !reshape_keeps_dimensions(node)) {
      while (node->op == OP_reshape)
        node = node->inputs[0];
      force(fusion, node);
      return;
    }
    if (!is_view(node)) {
      force(fusion, node);
      return;
    }
    node = node->inputs[0];
  }
}

static bool stays_unstored(const Node *node, const void *context) {
  const Fusion *fusion = context;
  return !node_is_memory(node) && !fusion->stored[node->id];
}

// The reduced elements are numbered in one row: their prologue must be readable by such numbers.
static void force_flat(Fusion *fusion, const Node *node) {
  const Type *in = &node->inputs[0]->type;
  int first = in->rank - flat_trailing(node);
  if (flat_dims(in, first) > 1 && !flat_readable(node->inputs[0], first, stays_unstored, fusion))
    force(fusion, node->inputs[0]);
}

// What the kernel of a product or a reduction can finish, element by element.
static bool *find_finishes(const Fusion *fusion) {
  bool *finishes = arena_array(fusion->arena, bool, fusion->room);
  for (int i = 0; i < fusion->result->nodes.count; i++) {
    const Node *node = fusion->result->nodes.data[i];
    finishes[i] = is_root(node);
    for (int k = 0; k < node->input_count && (op_info[node->op].class == POINT || node->op == OP_reshape); k++)
      finishes[i] = finishes[i] || finishes[node->inputs[k]->id];
  }
  return finishes;
}

static bool repeated_often(const Node *node, const Node *reader) {
  enum { OFTEN = 64, LARGE = 1 << 16 };
  int64_t count = type_count(&reader->type, 64);
  return count >= LARGE && count >= OFTEN * type_count(&node->type, 64);
}

// What finishes a root and is repeated often, a mean above all, is computed once, be it ever so cheap.
static bool store_for_reader(const Node *node, const Node *reader, int cost, int cheap, bool finishes) {
  switch (reader->op) {
  case OP_broadcast:
    return cost > (finishes && repeated_often(node, reader) ? 1 : cheap) &&
           type_count(&reader->type, 64) > type_count(&node->type, 64);
  case OP_gather:
  case OP_pad:
  case OP_concat:
    return cost > cheap;
  case OP_window: // each element is read once a tap
    return cost > 1;
  default:
    return false;
  }
}

// Does the convolution, or the gradient of its weights, copy x piece by piece, as its windows leave it?
static bool copies_operand(const Node *node) {
  return (node->op == OP_conv || node->op == OP_conv_weight) && !conv_view(node).inside;
}

// How many values of `size` elements and more the node is made of, element by element; MANY if otherwise.
static int count_loads(const Fusion *fusion, const Node *node, int64_t size) {
  enum { MANY = 2 };
  OpClass class = op_info[node->op].class;
  if (class != POINT && class != LEAF && node->op != OP_broadcast)
    return MANY;
  int sum = 0;
  for (int i = 0; i < node->input_count && sum < MANY; i++) {
    const Node *input = node->inputs[i];
    if (!fusion->stored[input->id] && !node_is_memory(input))
      sum += count_loads(fusion, input, size);
    else
      sum += type_count(&input->type, 64) >= size;
  }
  return sum;
}

// May a convolution compute what it copies? A normalisation and an activation of one value cost less than writing and reading
// the result does, and need no memory.
static bool light(const Fusion *fusion, const Node *node, const int *cost) {
  return cost[node->id] <= COPIED && count_loads(fusion, node, type_count(&node->type, 64)) <= 1;
}

// Values of `size` elements and more that are read for the node's.
static int large_reads(const Fusion *fusion, const Node *node, int64_t size) {
  OpClass class = op_info[node->op].class;
  bool kept = fusion->stored[node->id] || node_is_memory(node);
  if (kept || (class != POINT && class != LEAF && !is_view(node)))
    return type_count(&node->type, 64) >= size;
  int sum = 0;
  for (int i = 0; i < node->input_count; i++)
    sum += large_reads(fusion, node->inputs[i], size);
  return sum;
}

static bool made_of_product(const Fusion *fusion, const Node *node, const int *readers) {
  if (readers[node->id] > 1)
    return false;
  if (fusion->stored[node->id] || op_info[node->op].class != POINT)
    return is_root(node);
  for (int i = 0; i < node->input_count; i++)
    if (made_of_product(fusion, node->inputs[i], readers))
      return true;
  return false;
}

static bool *find_copied(const Fusion *fusion) {
  bool *copied = arena_array(fusion->arena, bool, fusion->room);
  for (int i = 0; i < fusion->result->nodes.count; i++) {
    const Node *node = fusion->result->nodes.data[i];
    if (fusion->needed[i] && copies_operand(node))
      copied[node->inputs[0]->id] = true;
  }
  return copied;
}

// Is the value made of so many others that readers had better read it alone? Writing it costs two readings, or none if it is
// written in place of the result of a product that nothing else reads.
static bool spread(const Fusion *fusion, const Node *node, const int *readers) {
  enum { CACHED = 1 << 18 }; // elements: they are read again at little cost
  int64_t size = type_count(&node->type, 64);
  if (op_info[node->op].class != POINT || !elem_is_real(node->type.elem) || size < CACHED)
    return false;
  int loads = large_reads(fusion, node, size), writing = 2;
  for (int i = 0; i < node->input_count; i++)
    if (made_of_product(fusion, node->inputs[i], readers))
      writing = 0;
  return readers[node->id] * loads > readers[node->id] + writing;
}

// What is known of all nodes, by id.
typedef struct Facts {
  const int *readers;
  const bool *masks, *copied, *finishes;
  int *cost;
} Facts;

static void force_for_reader(Fusion *fusion, const Node *reader, const Facts *facts) {
  for (int i = 0; i < reader->input_count; i++) {
    int input = reader->inputs[i]->id, cheap = facts->masks[input] ? MASK : CHEAP;
    if (store_for_reader(reader->inputs[i], reader, facts->cost[input], cheap, facts->finishes[input]))
      force_unshaped(fusion, reader->inputs[i]);
  }
}

static void decide(Fusion *fusion, const Node *node, const Facts *facts) {
  int id = node->id, *cost = facts->cost;
  cost[id] = inline_cost(fusion, cost, node);
  if (op_info[node->op].class == LEAF)
    return;
  force_for_reader(fusion, node, facts);
  bool windows = node->op == OP_window || node->op == OP_slide; // larger than what they show
  if (copies_operand(node) && !fusion->stored[node->inputs[0]->id] && !light(fusion, node->inputs[0], cost))
    force_operand(fusion, node->inputs[0]);
  int most = facts->masks[id] ? MASK : facts->copied[id] && light(fusion, node, cost) ? COPIED : CHEAP;
  bool worth =
      !is_view(node) && !windows && facts->readers[id] > 1 && (cost[id] > most || spread(fusion, node, facts->readers));
  if (worth || cost[id] > LONG)
    fusion->stored[id] = true;
  cost[id] = inline_cost(fusion, cost, node);
}

static void store_required(Fusion *fusion, const Node *node) {
  if (is_root(node) || fusion->destination[node->id].index != NO_DESTINATION)
    fusion->stored[node->id] = true;
  if (op_info[node->op].class == CONTRACT && !copies_operand(node))
    force_operand(fusion, node->inputs[0]);
  if (op_info[node->op].class == CONTRACT && node->op != OP_conv) // whose weights are packed, each read once
    force_operand(fusion, node->inputs[1]);
  for (int i = 0; i < node->input_count && op_info[node->op].class == ATTENTION; i++)
    if (elem_is_real(node->inputs[i]->type.elem))
      force_operand(fusion, node->inputs[i]);
  if (node->op == OP_scatter_add)
    force_operand(fusion, node->inputs[1]);
  for (int i = 0; i < node->input_count && node->op == OP_scan; i++)
    force(fusion, node->inputs[i]);
}

void fuse_store(Fusion *fusion, bool fuse) {
  int count = fusion->result->nodes.count;
  for (int i = 0; i < count; i++) {
    const Node *node = fusion->result->nodes.data[i];
    if (fusion->needed[i] && fuse)
      store_required(fusion, node);
    else if (fusion->needed[i])
      fusion->stored[i] = !node_is_memory(node) && node->op != OP_constant;
  }
  if (!fuse)
    return;
  Facts facts = {.readers = count_readers(fusion),
                 .masks = find_masks(fusion),
                 .copied = find_copied(fusion),
                 .finishes = find_finishes(fusion),
                 .cost = arena_array(fusion->arena, int, fusion->room)};
  for (int i = 0; i < count; i++)
    if (fusion->needed[i])
      decide(fusion, fusion->result->nodes.data[i], &facts);
  for (int i = 0; i < count; i++) {
    const Node *node = fusion->result->nodes.data[i];
    if (fusion->needed[i] && op_info[node->op].class == REDUCE && node->op != OP_argmax)
      force_flat(fusion, node);
  }
}

// Values: what lower_value gives an operation's own lowering. Takes the kernel's nodes, its buffers and what the nest has
// computed, gives expressions. An element is looked up among the known ones, then in memory, then computed in place;
// what is used again, long, or the same in many rounds becomes a let in the outermost scope that can hold it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops.h"
#include "loops/nest.h"
#include "passes/flat.h"

Arena *lower_arena(Lower *lower) {
  return lower->arena;
}
LoopModule *lower_module(Lower *lower) {
  return lower->module;
}
LType ltype_of(ElemType elem) {
  return (LType)elem;
}

LExpr *lower_batch(Lower *lower) {
  return lx_var(lower->arena, lower->out->n);
}

LExpr *lower_dim(Lower *lower, Dim dim) {
  if (dim >= 0)
    return lx_i64(lower->arena, dim);
  return lx_binary(lower->arena, LX_MUL, lower_batch(lower), lx_i64(lower->arena, -dim));
}

Lower *lower_constants(LoopModule *module) {
  Lower *lower = arena_new_of(module->arena, Lower);
  lower->arena = module->arena;
  lower->module = module;
  lower->flat = -1;
  lower->out = arena_new_of(module->arena, LKernel);
  lower->out->n = lvar_new(module->arena, "n", L_I64);
  return lower;
}

// ---- known elements
// How many expressions an index in the present way of counting has.
static int index_count(const Lower *lower, const Node *node) {
  return lower->flat >= 0 && lower->flat < node->type.rank ? lower->flat + 1 : node->type.rank;
}

static LExpr *find_known(const Lower *lower, const Node *node, LExpr *const *index) {
  int count = index_count(lower, node);
  for (int i = lower->known.count - 1; i >= 0; i--) {
    const Known *known = &lower->known.data[i];
    bool same = known->node == node && known->rank == count && known->flat == lower->flat;
    for (int d = 0; same && d < count; d++)
      same = lx_equal(known->index[d], index[d]);
    if (same)
      return known->value;
  }
  return NULL;
}

// Dimensions of one element have index 0; one dimension counted through is indexed as itself.
static void normalise(Lower *lower, const Node *node, LExpr *const *index, LExpr **place) {
  const Type *type = &node->type;
  LExpr *number = NULL;
  if (lower->flat >= type->rank)
    lower->flat = -1;
  if (lower->flat >= 0 && flat_dims(type, lower->flat) <= 1)
    number = index[lower->flat];
  int plain = lower->flat >= 0 ? lower->flat : type->rank;
  for (int i = 0; i < plain; i++)
    place[i] = type->dim[i] == 1 ? lx_i64(lower->arena, 0) : index[i];
  if (lower->flat < 0)
    return;
  if (!number) {
    place[lower->flat] = index[lower->flat];
    return;
  }
  for (int i = lower->flat; i < type->rank; i++)
    place[i] = type->dim[i] == 1 ? lx_i64(lower->arena, 0) : number;
  lower->flat = -1;
}

static void know_normal(Lower *lower, const Node *node, LExpr *const *place, LExpr *value, int depth) {
  Known known = {.node = node, .flat = lower->flat, .rank = index_count(lower, node), .value = value, .depth = depth};
  for (int i = 0; i < known.rank; i++)
    known.index[i] = place[i];
  vec_push(lower->arena, &lower->known, known);
}

void nest_know(Lower *lower, const Node *node, LExpr *const *index, LExpr *value) {
  LExpr *place[MAX_RANK];
  int flat = lower->flat;
  normalise(lower, node, index, place);
  know_normal(lower, node, place, value, lower->scopes.count - 1);
  lower->flat = flat;
}

// ---- memory
bool nest_in_memory(const Lower *lower, const Node *node) {
  OpClass class = op_info[node->op].class;
  if (node->op == OP_input || node->op == OP_slot || (node->op == OP_constant && node->attr->data))
    return true;
  if (node->op == OP_clock)
    return node->attr->index != 4; // the batch count is the kernel's own n
  return (class != LEAF || lower->graph->kernel_of[node->id] >= 0) && lower->graph->buffers[node->id].bytes > 0;
}

static LPlace add_constant(LoopModule *module, const void *data, int64_t bytes) {
  for (int64_t at = 0; bytes > 0 && at + bytes <= module->constant_bytes; at += 64)
    if (memcmp(module->constants + at, data, (size_t)bytes) == 0)
      return (LPlace){.space = SPACE_CONSTANT, .offset = at, .index = -1};
  int64_t start = whole_lines(module->constant_bytes), end = start + (bytes > 0 ? bytes : 8);
  uint8_t *grown = arena_alloc(module->arena, (size_t)end);
  if (module->constant_bytes)
    memcpy(grown, module->constants, (size_t)module->constant_bytes);
  if (bytes > 0)
    memcpy(grown + start, data, (size_t)bytes);
  module->constants = grown;
  module->constant_bytes = end;
  return (LPlace){.space = SPACE_CONSTANT, .offset = start, .index = -1};
}

LPlace nest_place(Lower *lower, const Node *node) {
  switch (node->op) {
  case OP_input:
    return (LPlace){.space = SPACE_INPUT, .offset = 0, .index = node->attr->index};
  case OP_slot:
    return (LPlace){.space = SPACE_STATE, .offset = node->attr->slot->offset, .index = -1};
  case OP_clock:
    return (LPlace){.space = SPACE_CLOCK, .offset = 0, .index = -1};
  case OP_constant:
    return add_constant(lower->module, node->attr->data, type_count(&node->type, 0) * elem_bytes(node->type.elem));
  default:
    return lower->graph->buffers[node->id].place;
  }
}

static const char *last_part(const char *path) {
  const char *dot = strrchr(path, '.');
  return dot ? dot + 1 : path;
}

static const char *value_name(const Lower *lower, const Node *node) {
  if (node->op == OP_input)
    return lower->graph->graph->inputs.data[node->attr->index].name;
  if (node->op == OP_slot)
    return last_part(node->attr->slot->name);
  const Buffer *buffer = &lower->graph->buffers[node->id];
  if (buffer->bytes && buffer->place.space == SPACE_OUTPUT)
    return last_part(lower->graph->graph->outputs.data[buffer->place.index].name);
  if (node->op == OP_stop_gradient)
    return "copy";
  return op_name(node->op);
}

static LBuffer *add_buffer(Lower *lower, const char *name, LType type, int64_t length, const char *shape,
                           LPlace place) {
  LBuffer *buffer = arena_new_of(lower->arena, LBuffer);
  *buffer = (LBuffer){.name = nest_name(lower, name), .type = type, .length = length, .shape = shape};
  vec_push(lower->arena, &lower->out->buffers, buffer);
  vec_push(lower->arena, &lower->places, place);
  return buffer;
}

LExpr *lower_datum(Lower *lower, const char *name, int64_t value) {
  if (!lower->graph)
    return lx_i64(lower->arena, value);
  LPlace place = add_constant(lower->module, &value, sizeof value);
  LBuffer *buffer = add_buffer(lower, name, L_I64, 1, "i64[]", place);
  buffer->read = true;
  return nest_let(lower, name, lx_load(lower->arena, buffer, lx_i64(lower->arena, 0)));
}

// LBuffer.sample of a node's value.
static int64_t sample_elements(const Type *type, int64_t batch) {
  for (int i = 1; i < type->rank; i++)
    if (type->dim[i] < 0)
      return -1;
  return type->rank > 0 && type->dim[0] < 0 && batch > 0 ? type_count(type, batch) / batch : 0;
}

// One buffer for all values that share a place.
LBuffer *nest_buffer(Lower *lower, const Node *node, bool write) {
  LPlace place = nest_place(lower, node);
  LBuffer *buffer = NULL;
  for (int i = 0; i < lower->places.count && !buffer; i++) {
    LPlace other = lower->places.data[i];
    if (other.space == place.space && other.offset == place.offset && other.index == place.index &&
        lower->out->buffers.data[i]->type == ltype_of(node->type.elem))
      buffer = lower->out->buffers.data[i];
  }
  if (!buffer) {
    int64_t length = type_count(&node->type, lower->graph->graph->batch);
    bool clock = place.space == SPACE_CLOCK;
    length = clock ? 5 : length > 0 ? length : 1;
    buffer = add_buffer(lower, clock ? "clock" : value_name(lower, node), ltype_of(node->type.elem), length,
                        clock ? "i64[5]" : type_text(lower->arena, &node->type), place);
    buffer->sample = clock ? 0 : sample_elements(&node->type, lower->graph->graph->batch);
  }
  buffer->written = buffer->written || write;
  buffer->read = buffer->read || !write;
  return buffer;
}

LBuffer *nest_memory(Lower *lower, const char *name, LType type, int64_t length, LSpace space, int64_t offset) {
  const char *shape = arena_printf(lower->arena, "%s[%lld]", elem_name((ElemType)type), (long long)length);
  LPlace place = {.space = space, .offset = offset, .index = -1};
  LBuffer *buffer = add_buffer(lower, name, type, length, shape, place);
  buffer->read = buffer->written = true;
  return buffer;
}

LBuffer *nest_scratch(Lower *lower, const char *name, LType type, int64_t length) {
  LBuffer *buffer = nest_memory(lower, name, type, length, SPACE_SCRATCH, lower->scratch_bytes);
  lower->scratch_bytes += whole_lines(lbuffer_bytes(buffer));
  return buffer;
}

// Row-major at the full batch, in the present way of counting.
static LExpr *address(Lower *lower, const Node *node, LExpr *const *index) {
  const Type *type = &node->type;
  int count = index_count(lower, node);
  bool flat = count > 0 && lower->flat >= 0;
  LExpr *sum = lx_i64(lower->arena, 0);
  for (int i = 0; i < count; i++) {
    int next = flat && i == count - 1 ? type->rank : i + 1;
    int64_t stride = nest_capacity(lower, type->dim + next, type->rank - next);
    sum = nest_add(lower, sum, nest_mul(lower, index[i], lx_i64(lower->arena, stride)));
  }
  return sum;
}

static LExpr *load(Lower *lower, const Node *node, LExpr *const *index) {
  LBuffer *buffer = nest_buffer(lower, node, false);
  LExpr *at = node->op == OP_clock ? lx_i64(lower->arena, node->attr->index) : address(lower, node, index);
  return lx_load(lower->arena, buffer, at);
}

void nest_store(Lower *lower, const Node *node, LExpr *const *index, LExpr *value) {
  LExpr *place[MAX_RANK];
  int flat = lower->flat;
  normalise(lower, node, index, place);
  nest_put(lower, nest_buffer(lower, node, true), address(lower, node, place), value);
  lower->flat = flat;
}

// ---- computing in place
typedef LExpr *Evaluate(Lower *lower, const Node *node, LExpr *const *index);

// One number to one index a dimension.
static LExpr *split(Lower *lower, const Node *node, LExpr *const *index, Evaluate *evaluate) {
  int first = lower->flat, at[MAX_RANK], count = 0;
  LExpr *place[MAX_RANK];
  for (int i = 0; i < node->type.rank; i++) {
    place[i] = i < first ? index[i] : lx_i64(lower->arena, 0);
    if (i >= first && node->type.dim[i] != 1)
      at[count++] = i;
  }
  nest_unravel(lower, index[first], node->type.dim, at, count, place);
  lower->flat = -1;
  LExpr *value = evaluate(lower, node, place);
  lower->flat = first;
  return value;
}

static LExpr *compute_flat(Lower *lower, const Node *node, LExpr *const *index) {
  int first = lower->flat, in_first = first;
  FlatStep step = node->op == OP_constant ? FLAT_SAME : flat_step(node, first, &in_first);
  if (step == FLAT_SPLIT)
    return split(lower, node, index, nest_compute);
  if (node->op != OP_broadcast && node->op != OP_reshape)
    return op_info[node->op].lower(lower, node, index);
  const Node *input = node->inputs[0];
  int missing = node->op == OP_broadcast ? node->type.rank - input->type.rank : 0;
  LExpr *place[MAX_RANK];
  for (int i = 0; i < input->type.rank; i++)
    place[i] = i + missing < first && input->type.dim[i] != 1 ? index[i + missing] : lx_i64(lower->arena, 0);
  if (step == FLAT_SAME)
    place[in_first] = index[first];
  lower->flat = step == FLAT_SAME ? in_first : -1;
  LExpr *value = lower_value(lower, input, place);
  lower->flat = first;
  return value;
}

// A reshape that takes dimensions apart reads by number instead, unless it has even more of them itself.
static bool reshape_splits(const Node *node) {
  Access own = access_identity(node->type.rank), access = access_through(node, 0, &own);
  int lost = 0;
  for (int i = 0; i < access.rank; i++)
    lost += access.dim[i] == INDEX_OTHER;
  return lost > 1;
}

static LExpr *compute_reshape(Lower *lower, const Node *node, LExpr *const *index) {
  const Type *in = &node->inputs[0]->type, *out = &node->type;
  int first = 0;
  while (first < in->rank && first < out->rank && in->dim[first] == out->dim[first])
    first++;
  if (first >= in->rank)
    return op_info[node->op].lower(lower, node, index);
  LExpr *place[MAX_RANK], *number = lx_i64(lower->arena, 0);
  for (int i = 0; i < first; i++)
    place[i] = index[i];
  for (int i = first; i < out->rank; i++)
    number = nest_add(lower, nest_mul(lower, number, lower_dim(lower, out->dim[i])), index[i]);
  place[first] = number;
  lower->flat = first;
  LExpr *value = lower_value(lower, node->inputs[0], place);
  lower->flat = -1;
  return value;
}

LExpr *nest_compute(Lower *lower, const Node *node, LExpr *const *index) {
  LExpr *place[MAX_RANK], *value;
  int flat = lower->flat;
  normalise(lower, node, index, place);
  if (lower->flat >= 0)
    value = compute_flat(lower, node, place);
  else if (node->op == OP_reshape && reshape_splits(node))
    value = compute_reshape(lower, node, place);
  else
    value = op_info[node->op].lower(lower, node, place);
  lower->flat = flat;
  return value;
}

// ---- lets
static int weight(const LExpr *expr, int limit) {
  int sum = expr->op == LX_CALL ? limit : 1;
  for (int i = 0; i < expr->arg_count && sum < limit && expr->op != LX_LOAD; i++)
    sum += weight(expr->args[i], limit - sum);
  return sum;
}

static int depth_of(const Lower *lower, const LExpr *expr) {
  int depth = 0;
  if (expr->op == LX_LOCAL || expr->op == LX_HSUM || expr->op == LX_HMAX || expr->op == LX_HMIN)
    return lower->scopes.count - 1;
  if (expr->op == LX_VAR)
    for (int i = lower->vars.count - 1; i >= 0; i--)
      if (lower->vars.data[i].var == expr->var)
        return lower->vars.data[i].depth;
  for (int i = 0; i < expr->arg_count; i++) {
    int inner = depth_of(lower, expr->args[i]);
    depth = inner > depth ? inner : depth;
  }
  return depth;
}

// Statements beside a loop of all threads run on one thread, so lets go inside it.
static int let_depth(const Lower *lower, const LExpr *value) {
  int depth = depth_of(lower, value);
  const LStmt *outer = lower->scopes.count > 1 ? lower->scopes.data[1].stmt : NULL;
  return outer && ls_for_all(outer) && depth < 1 ? 1 : depth;
}

LExpr *nest_let(Lower *lower, const char *name, LExpr *value) {
  if (value->op == LX_CONST || value->op == LX_VAR)
    return value;
  int depth = let_depth(lower, value);
  LStmt *stmt = nest_stmt(lower, LS_LET);
  stmt->var = lvar_new(lower->arena, nest_name(lower, name), value->type);
  stmt->value = value;
  stmt->var->ranged = value->type == L_I64;
  stmt->var->range = stmt->var->ranged ? lx_range(value) : (LRange){0};
  vec_push(lower->arena, lower->scopes.data[depth].body, stmt);
  vec_push(lower->arena, &lower->vars, (DeclaredVar){stmt->var, depth});
  return lx_var(lower->arena, stmt->var);
}

static LExpr *let_if_worth(Lower *lower, const Node *node, LExpr *value) {
  enum { LONG = 12 };
  if (value->op == LX_CONST || value->op == LX_VAR || (lower->operands && value->op == LX_LOAD))
    return value;
  bool again = lower->readers[node->id] > 1, outer = let_depth(lower, value) < lower->scopes.count - 1;
  if (!again && !outer && weight(value, LONG) < LONG)
    return value;
  return nest_let(lower, value_name(lower, node), value);
}

// A node of this kernel that is not known must have been stored by an earlier loop over the row.
static void check_computed(const Lower *lower, const Node *node) {
  const Kernel *kernel = lower->kernel;
  for (int i = 0; i < kernel->nodes.count; i++)
    if (kernel->nodes.data[i] == node && kernel->stages.data[i] >= lower->stage) {
      fprintf(stderr, "nnc: internal error: kernel %s needs %%%d = %s before it is computed\n", kernel->name, node->id,
              op_name(node->op));
      abort();
    }
}

LExpr *lower_value(Lower *lower, const Node *node, LExpr *const *index) {
  if (!lower->graph)
    return op_info[node->op].lower(lower, node, index);
  LExpr *place[MAX_RANK];
  int flat = lower->flat;
  normalise(lower, node, index, place);
  LExpr *value = find_known(lower, node, place);
  if (!value) {
    check_computed(lower, node);
    bool memory = nest_in_memory(lower, node) && (lower->flat < 0 || flat_in_memory(&node->type, lower->flat));
    if (memory)
      value = load(lower, node, place);
    else if (nest_in_memory(lower, node))
      value = split(lower, node, place, lower_value);
    else
      value = nest_compute(lower, node, place);
    value = let_if_worth(lower, node, value);
    int depth = value->op == LX_VAR ? depth_of(lower, value) : lower->scopes.count - 1;
    know_normal(lower, node, place, value, depth);
  }
  lower->flat = flat;
  return value;
}

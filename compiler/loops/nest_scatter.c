// scatter_add: the base copied, then the updates added to it in their order. A task owns some elements beside the axis, so
// every element gets its updates one after another from one thread.
#include "loops/nest.h"

enum { BLOCK = 64 };

typedef struct Scatter {
  const Node *node;
  int axis, indices; // the axis, and the rank of the indices
  bool vector;       // there is a dimension after the axis
} Scatter;

static LExpr *clamped(Lower *lower, LExpr *at, Dim size) {
  LExpr *last = lx_binary(lower->arena, LX_SUB, lower_dim(lower, size), nest_i64(lower, 1));
  at = lx_cast(lower->arena, at, L_I64);
  return lx_binary(lower->arena, LX_MAX, nest_min(lower, at, last), nest_i64(lower, 0));
}

static LExpr *open_elements(Lower *lower, const Scatter *scatter, LExpr **index, LExpr *from, LExpr *to) {
  LExpr *j = nest_loop(lower, scatter->vector ? LS_SIMD : LS_FOR, "j", scatter->vector ? from : nest_i64(lower, 0),
                       scatter->vector ? to : nest_i64(lower, 1), 1);
  if (scatter->vector)
    index[scatter->node->type.rank - 1] = j;
  return j;
}

static void copy_base(Lower *lower, const Scatter *scatter, LExpr **index, LExpr *from, LExpr *to) {
  const Node *node = scatter->node;
  LExpr *size = lower_dim(lower, node->type.dim[scatter->axis]);
  index[scatter->axis] = nest_loop(lower, LS_FOR, "a", nest_i64(lower, 0), size, 1);
  open_elements(lower, scatter, index, from, to);
  nest_store(lower, node, index, lower_value(lower, node->inputs[0], index));
  nest_close(lower);
  nest_close(lower);
}

static void add_update(Lower *lower, const Scatter *scatter, LExpr **index, LExpr *const *place) {
  const Node *node = scatter->node;
  int axis = scatter->axis, rank = node->type.rank, more = scatter->indices - 1;
  LExpr *from_updates[MAX_RANK];
  for (int i = 0; i < rank + more; i++)
    from_updates[i] = i < axis ? index[i] : i <= axis + more ? place[i - axis] : index[i - more];
  LExpr *update = lower_value(lower, node->inputs[2], from_updates);
  LExpr *linear = nest_i64(lower, 0);
  for (int i = 0; i < rank; i++)
    linear = nest_add(lower, nest_mul(lower, linear, nest_i64(lower, nest_capacity(lower, node->type.dim + i, 1))),
                      index[i]);
  LBuffer *buffer = nest_buffer(lower, node, false);
  LExpr *old = lx_load(lower->arena, buffer, linear);
  LType type = buffer->type, wide = type == L_U8 ? L_I32 : type;
  LExpr *sum = lx_binary(lower->arena, LX_ADD, lx_cast(lower->arena, old, wide), lx_cast(lower->arena, update, wide));
  nest_store(lower, node, index, lx_cast(lower->arena, sum, type));
}

static void add_updates(Lower *lower, const Scatter *scatter, LExpr **index, LExpr *from, LExpr *to) {
  const Node *node = scatter->node, *indices = node->inputs[1];
  LExpr *place[MAX_RANK];
  LExpr *count = nest_count(lower, indices->type.dim, indices->type.rank);
  LExpr *u = nest_loop(lower, LS_FOR, "u", nest_i64(lower, 0), count, 1);
  nest_unravel(lower, u, indices->type.dim, NULL, indices->type.rank, place);
  LExpr *target = clamped(lower, lower_value(lower, indices, place), node->type.dim[scatter->axis]);
  index[scatter->axis] = nest_let(lower, "at", target);
  open_elements(lower, scatter, index, from, to);
  add_update(lower, scatter, index, place);
  nest_close(lower);
  nest_close(lower);
}

void nest_scatter(Lower *lower) {
  const Node *node = lower->kernel->root;
  const Type *type = &node->type;
  Scatter scatter = {.node = node, .axis = node->attr->axis[0], .indices = node->inputs[1]->type.rank};
  scatter.vector = scatter.axis < type->rank - 1;
  lower->out->work = nest_work(lower);
  bool shared = lower->out->work >= SHARED_WORK;
  int at[MAX_RANK], count = 0, scopes;
  Dim dims[MAX_RANK];
  LExpr *index[MAX_RANK];
  for (int i = 0; i < type->rank - scatter.vector; i++)
    if (i != scatter.axis) {
      dims[count] = type->dim[i];
      at[count++] = i;
    }
  LExpr *length = scatter.vector ? lower_dim(lower, type->dim[type->rank - 1]) : nest_i64(lower, 1);
  LExpr *block = nest_i64(lower, BLOCK);
  LExpr *blocks = nest_div(lower, nest_add(lower, length, nest_i64(lower, BLOCK - 1)), block);
  int64_t capacity = nest_capacity(lower, dims, count) * 8;
  LExpr *tasks = nest_mul(lower, nest_count(lower, dims, count), blocks);
  LExpr *task = nest_rounds(lower, "task", tasks, capacity, 1, shared, &scopes);
  LExpr *outer = nest_div(lower, task, blocks);
  nest_unravel(lower, outer, type->dim, at, count, index);
  for (int i = 0; i < count; i++)
    index[at[i]] = nest_let(lower, "o", index[at[i]]);
  LExpr *part = lx_binary(lower->arena, LX_MOD, task, blocks);
  LExpr *from = nest_let(lower, "from", nest_mul(lower, part, block));
  LExpr *to = nest_let(lower, "to", nest_min(lower, length, nest_add(lower, from, block)));
  copy_base(lower, &scatter, index, from, to);
  add_updates(lower, &scatter, index, from, to);
  nest_close_all(lower, scopes);
}

// Element by element: kernels of kind MAP, and the loops over elements in rows. The last dimensions become one vector loop
// where every value in it can be read by its row-major number, else the last one alone does.
#include "loops/nest.h"
#include "passes/flat.h"

enum { BLOCK = 4096 };

typedef struct Inlined {
  const Lower *lower;
  const Node *top; // computed, though it may be kept in memory
} Inlined;

static bool inlined(const Node *node, const void *context) {
  const Inlined *self = context;
  return node == self->top ||
         (!nest_in_memory(self->lower, node) && self->lower->graph->kernel_of[node->id] != self->lower->kernel->id);
}

static bool all_flat(const Lower *lower, int first, int from, int to) {
  for (int i = from; i < to; i++) {
    Inlined context = {lower, lower->kernel->nodes.data[i]};
    if (!flat_in_memory(&context.top->type, first) || !flat_readable(context.top, first, inlined, &context))
      return false;
  }
  return true;
}

// The vector loop over 0..count; the index of its element.
static LExpr *open_vector(Lower *lower, const Dim *dims, int count, LExpr *number) {
  int64_t size = nest_static(dims, count) ? nest_capacity(lower, dims, count) : 0;
  if (size > 1 && nest_piece(size) == size) {
    LExpr *row, *col;
    nest_tile(lower, 1, (int)size, &row, &col);
    return col;
  }
  return nest_loop(lower, LS_SIMD, "j", nest_i64(lower, 0), number, 1);
}

// All elements in one loop, shared out in blocks.
static void flat_elements(Lower *lower, const Type *type, int first, LExpr **index, int from, int to, bool shared) {
  int count = type->rank - first;
  LExpr *total = nest_count(lower, type->dim + first, count);
  int64_t capacity = nest_capacity(lower, type->dim + first, count);
  int scopes = 1;
  if (!shared || capacity <= BLOCK) {
    index[first] = open_vector(lower, type->dim + first, count, total);
  } else {
    LExpr *start, *end;
    nest_blocks(lower, total, capacity, BLOCK, &start, &end);
    index[first] = nest_loop(lower, LS_SIMD, "i", start, end, 1);
    scopes = 2;
  }
  lower->flat = first;
  nest_finish(lower, index, from, to);
  lower->flat = -1;
  nest_close_all(lower, scopes);
}

// Columns in the range of one stretch: blocks of `grain`, or one after another.
static void stretch_elements(Lower *lower, const Stretch *stretch, int last, LExpr **index, int from, int to) {
  int64_t size = stretch->to - stretch->from, grain = stretch->grain;
  LExpr *start = nest_i64(lower, stretch->from);
  LExpr *block = nest_loop(lower, LS_FOR, "block", nest_i64(lower, 0), nest_i64(lower, size / grain), 1);
  Dim cols = grain;
  LExpr *column = nest_step(lower, block, grain, open_vector(lower, &cols, 1, nest_i64(lower, grain)));
  index[last] = nest_add(lower, column, start);
  nest_finish(lower, index, from, to);
  nest_close_all(lower, 2);
}

// The last dimension in one loop, or in one for each stretch that is computed in its own way, those before it shared out.
static void split_elements(Lower *lower, const Type *type, int first, LExpr **index, int from, int to, bool shared) {
  int last = type->rank - 1, at[MAX_RANK], outer = 0, scopes = 0;
  Dim dims[MAX_RANK];
  for (int i = first; i < last; i++)
    if (type->dim[i] != 1) {
      dims[outer] = type->dim[i];
      at[outer++] = i;
    }
  if (outer) {
    int64_t length = nest_capacity(lower, type->dim + last, 1);
    int64_t block = length >= BLOCK ? 1 : BLOCK / (length > 0 ? length : 1);
    LExpr *row = nest_rounds(lower, "i", nest_count(lower, dims, outer), nest_capacity(lower, dims, outer), block,
                             shared, &scopes);
    nest_unravel(lower, row, type->dim, at, outer, index);
    for (int i = 0; i < outer; i++)
      index[at[i]] = nest_let(lower, "i", index[at[i]]);
  }
  Stretch stretches[MAX_STRETCHES];
  int count = stretches_of(lower, last, from, to, stretches);
  for (int i = 0; i < count; i++)
    stretch_elements(lower, &stretches[i], last, index, from, to);
  if (!count) {
    index[last] = open_vector(lower, type->dim + last, 1, lower_dim(lower, type->dim[last]));
    nest_finish(lower, index, from, to);
    nest_close(lower);
  }
  nest_close_all(lower, scopes);
}

void nest_elements(Lower *lower, int first, LExpr **index, int from, int to, bool shared) {
  const Type *type = &lower->kernel->nodes.data[from]->type;
  if (first == type->rank) {
    nest_finish(lower, index, from, to);
    return;
  }
  for (int i = first; i < type->rank; i++)
    index[i] = nest_i64(lower, 0);
  if (flat_dims(type, first) != 1 && all_flat(lower, first, from, to)) {
    flat_elements(lower, type, first, index, from, to, shared);
    return;
  }
  // Sizes of one at the end do not hide the dimension that a vector can go along.
  Type trimmed = *type;
  while (trimmed.rank > first + 1 && trimmed.dim[trimmed.rank - 1] == 1)
    trimmed.rank--;
  if (flat_dims(&trimmed, first) <= 1)
    flat_elements(lower, type, first, index, from, to, shared);
  else
    split_elements(lower, &trimmed, first, index, from, to, shared);
}

void nest_map(Lower *lower) {
  LExpr *index[MAX_RANK];
  lower->out->work = nest_work(lower);
  nest_elements(lower, 0, index, 0, lower->kernel->nodes.count, lower->out->work >= SHARED_WORK);
}

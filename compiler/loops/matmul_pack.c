// The operands of products, and the copies made of them where that pays: B, and A that runs along its rows, in panels in which
// the tile finds its elements side by side, (k, j) of B beside (k, j + 1); A that runs along k in rows a little longer,
// where their distance makes them fall together in the first cache.
#include "loops/nest_matmul.h"

// ---- operands
LExpr *matmul_operand(Lower *lower, const Product *product, int which, LExpr *row, LExpr *col) {
  const Node *node = product->node->inputs[which];
  int missing = product->node->type.rank - node->type.rank;
  LExpr *index[MAX_RANK];
  for (int i = 0; i < node->type.rank - 2; i++)
    index[i] = product->index[i + missing];
  index[node->type.rank - 2] = row;
  index[node->type.rank - 1] = col;
  lower->operands = true;
  LExpr *value = lower_value(lower, node, index);
  lower->operands = false;
  return value;
}

static int64_t packed_size(const Lower *lower, const Product *product) {
  return nest_capacity(lower, &product->k, 1) * nest_capacity(lower, &product->n, 1);
}

static int64_t packed_a_size(const Lower *lower, const Product *product) {
  int64_t stride = product->row_stride ? product->row_stride : nest_capacity(lower, &product->k, 1);
  return stride * nest_capacity(lower, &product->m, 1);
}

LExpr *matmul_rows_start(Lower *lower, const Product *product, LExpr *row) {
  int64_t stride = product->row_stride ? product->row_stride : nest_capacity(lower, &product->k, 1);
  LExpr *batch = nest_mul(lower, product->batch, nest_i64(lower, packed_a_size(lower, product)));
  return nest_add(lower, batch, nest_mul(lower, row, nest_i64(lower, stride)));
}

LExpr *matmul_panel_start(Lower *lower, const Product *product, LExpr *panel) {
  int64_t each = nest_capacity(lower, &product->k, 1) * product->nr;
  LExpr *start = nest_mul(lower, panel, nest_i64(lower, each));
  if (product->one_b)
    return start;
  return nest_add(lower, nest_mul(lower, product->batch, nest_i64(lower, packed_size(lower, product))), start);
}

void matmul_leading(Lower *lower, Product *product, LExpr *number) {
  product->batch = number;
  nest_unravel(lower, number, product->node->type.dim, NULL, product->leading, product->index);
  for (int i = 0; i < product->leading; i++)
    product->index[i] = nest_let(lower, "b", product->index[i]);
}

// ---- packing
static LExpr *element(Lower *lower, const Product *product, int which, LExpr *k, LExpr *across) {
  return which == 0 ? matmul_operand(lower, product, 0, across, k) : matmul_operand(lower, product, 1, k, across);
}

static void store_packed(Lower *lower, const Product *product, int which, LExpr *at, LExpr *value) {
  nest_put(lower, which == 0 ? product->packed_a : product->packed, at, value);
}

// A panel of B that runs along k in memory, in squares from the first k on; gives how many k they cover.
static int64_t turn_squares(Lower *lower, const Product *product, LExpr *start, LExpr *first, int width) {
  int64_t covered = product->k / TURN_SIZE * TURN_SIZE;
  if (covered <= 0 || width % TURN_SIZE)
    return 0;
  LExpr *zero = nest_i64(lower, 0), *wide = nest_i64(lower, width);
  LExpr *k = nest_loop(lower, LS_FOR, "k", zero, nest_i64(lower, covered), TURN_SIZE);
  LExpr *across = nest_loop(lower, LS_FOR, "j", zero, wide, TURN_SIZE);
  LExpr *at = nest_add(lower, start, nest_add(lower, nest_mul(lower, k, wide), across));
  LExpr *value = matmul_operand(lower, product, 1, k, nest_add(lower, first, across));
  nest_turn(lower, product->packed, at, width, value, product->apart);
  nest_close_all(lower, 2);
  return covered;
}

// One panel from `start`, `width` elements for each k, which are `first` and the next ones across. Where B runs along k in
// memory (product->apart), what squares leave is copied along k too, in pieces short enough for the panel's lines to stay in
// the first cache.
static void pack_panel(Lower *lower, const Product *product, int which, LExpr *start, LExpr *first, int width) {
  enum { PIECE = 64 };
  int64_t apart = which ? product->apart : 0;
  LExpr *across, *k, *zero = nest_i64(lower, 0), *depth = lower_dim(lower, product->k);
  LExpr *wide = nest_i64(lower, width);
  if (apart) {
    int64_t covered = turn_squares(lower, product, start, first, width);
    if (covered == product->k)
      return;
    LExpr *piece = nest_loop(lower, LS_FOR, "piece", nest_i64(lower, covered), depth, PIECE);
    LExpr *end = nest_let(lower, "end", nest_min(lower, nest_add(lower, piece, nest_i64(lower, PIECE)), depth));
    across = nest_loop(lower, LS_FOR, "j", zero, wide, 1);
    k = nest_loop(lower, LS_SIMD, "k", piece, end, 1);
  } else {
    k = nest_loop(lower, LS_FOR, "k", zero, depth, 1);
    across = nest_loop(lower, LS_SIMD, "j", zero, wide, 1);
  }
  LExpr *at = nest_add(lower, start, nest_add(lower, nest_mul(lower, k, wide), across));
  store_packed(lower, product, which, at, element(lower, product, which, k, nest_add(lower, first, across)));
  nest_close_all(lower, apart ? 3 : 2);
}

// All panels of an operand: `size` across in panels of `width` and one of what is left.
static void pack(Lower *lower, Product *product, int which, bool shared) {
  int64_t size = which == 0 ? product->m : product->n;
  int width = which == 0 ? product->mr : product->nr, rest = (int)(size % width);
  int64_t whole = size / width, panels = whole + (rest > 0);
  LExpr *count = nest_i64(lower, panels);
  bool batched = product->leading && !(which && product->one_b);
  LExpr *batches = batched ? nest_count(lower, product->node->type.dim, product->leading) : nest_i64(lower, 1);
  LExpr *tasks = nest_mul(lower, batches, count);
  LExpr *task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", nest_i64(lower, 0), tasks, 1);
  LExpr *panel = nest_let(lower, "panel", batched ? lx_binary(lower->arena, LX_MOD, task, count) : task);
  matmul_leading(lower, product, batched ? nest_div(lower, task, count) : nest_i64(lower, 0));
  for (int last = 0; last <= 1; last++) {
    if (!nest_part(lower, panel, whole, rest, last))
      continue;
    LExpr *number = last ? nest_i64(lower, whole) : panel;
    LExpr *first = nest_let(lower, which ? "j0" : "i0", nest_mul(lower, number, nest_i64(lower, width)));
    LExpr *start = which ? matmul_panel_start(lower, product, number) : matmul_rows_start(lower, product, first);
    pack_panel(lower, product, which, nest_let(lower, "start", start), first, last ? rest : width);
    nest_part_end(lower, whole, rest);
  }
  nest_close(lower);
}

// A as it is, but for the distance of its rows.
static void copy_rows(Lower *lower, Product *product, bool shared) {
  LExpr *m = lower_dim(lower, product->m), *zero = nest_i64(lower, 0);
  LExpr *tasks = nest_mul(lower, nest_count(lower, product->node->type.dim, product->leading), m);
  LExpr *task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", zero, tasks, 1);
  LExpr *row = nest_let(lower, "i", product->leading ? lx_binary(lower->arena, LX_MOD, task, m) : task);
  matmul_leading(lower, product, product->leading ? nest_div(lower, task, m) : zero);
  LExpr *start = nest_let(lower, "start", matmul_rows_start(lower, product, row));
  LExpr *k = nest_loop(lower, LS_SIMD, "k", zero, lower_dim(lower, product->k), 1);
  store_packed(lower, product, 0, nest_add(lower, start, k), matmul_operand(lower, product, 0, row, k));
  nest_close(lower);
  nest_close(lower);
}

// How an operand lies in memory: the distance of neighbours across (rows of A, columns of B) and along k, in elements; 0 if
// it is no single load.
typedef struct Strides {
  int64_t across, along;
} Strides;

static Strides strides_of(Lower *lower, const Product *product, int which) {
  LExpr *j, *k;
  Strides strides = {0, 0};
  Product probe = *product;
  for (int i = 0; i < product->leading; i++)
    probe.index[i] = nest_i64(lower, 0);
  nest_tile(lower, 2, 2, &k, &j);
  LExpr *value = element(lower, &probe, which, k, j);
  if (value->op == LX_LOAD &&
      !(lx_stride(value->args[0], j->var, &strides.across) && lx_stride(value->args[0], k->var, &strides.along)))
    strides = (Strides){0, 0};
  nest_drop(lower);
  return strides;
}

static bool may_pack(const Lower *lower, const Product *product) {
  return product->m != 1 && product->n > 1 && nest_capacity(lower, &product->k, 1) > 1;
}

// Rows of A at such a distance fall on each other in the first cache; columns of A far apart miss it each time.
static bool packing_a_pays(const Lower *lower, const Product *product, Strides strides) {
  enum { FALL_TOGETHER = 2048, FAR = 1024, DEEP = 256, PANELS = 4 };
  int64_t bytes = ltype_bytes(product->type), k = nest_capacity(lower, &product->k, 1);
  if (!may_pack(lower, product) || k < DEEP || product->n < PANELS * product->nr)
    return false;
  if (strides.along == 1)
    return nest_capacity(lower, &product->m, 1) > 4 && strides.across * bytes % FALL_TOGETHER == 0;
  return product->m >= product->mr && strides.along * bytes >= FAR;
}

static bool packing_b_pays(const Lower *lower, const Product *product, Strides strides) {
  enum { FEW = 4 };
  int64_t rows = nest_capacity(lower, &product->m, 1);
  if (!may_pack(lower, product))
    return false;
  if (product->one_b)
    rows *= nest_capacity(lower, product->node->type.dim, product->leading);
  if (nest_steady(lower, product->node->inputs[1]) && product->n > product->nr)
    return rows >= FEW; // it is done once for many calls
  if (strides.across > 1)
    return rows > product->mr;
  int64_t bytes = packed_size(lower, product) * ltype_bytes(product->type);
  return rows >= 8 * product->mr && bytes > lower->target->l1_bytes;
}

// Where one task uses a panel, it makes it, and finds it in its caches: the way through memory is longer than the copy takes.
static bool own_panels(const Lower *lower, const Product *product) {
  return !product->leading && product->n > 0 && product->k > 0 && product->depth == product->k &&
         product->block >= nest_capacity(lower, &product->m, 1) && !nest_steady(lower, product->node->inputs[1]);
}

static void make_own(Lower *lower, Product *product, bool shared) {
  int64_t panel = product->k * product->nr;
  int64_t panels = nest_ceil_div(product->n, product->nr), most = nest_most_shares(panel * ltype_bytes(product->type));
  product->most = !shared ? 1 : most < panels ? most : panels;
  product->packed = nest_scratch(lower, "packed_b", product->type, panel * product->most);
}

LExpr *matmul_pack_own(Lower *lower, const Product *product, LExpr *column, int width) {
  LExpr *start = nest_mul(lower, product->thread, nest_i64(lower, product->k * product->nr));
  start = nest_let(lower, "start", start);
  pack_panel(lower, product, 1, start, column, width);
  return start;
}

// B: once for a series of calls if it stays the same, else at each call, in scratch memory.
static void pack_b(Lower *lower, Product *product, bool shared) {
  int64_t batches = product->one_b ? 1 : nest_capacity(lower, product->node->type.dim, product->leading);
  int64_t length = batches * packed_size(lower, product);
  if (nest_steady(lower, product->node->inputs[1])) {
    Lower ahead = nest_ahead_begin(lower, "packed_b", product->type, length, &product->packed);
    pack(&ahead, product, 1, ahead.out->work >= SHARED_WORK);
    product->packed = nest_ahead_end(lower, &ahead);
    return;
  }
  product->packed = nest_scratch(lower, "packed_b", product->type, length);
  pack(lower, product, 1, shared);
}

static void pack_a(Lower *lower, Product *product, Strides strides, bool shared) {
  int64_t k = nest_capacity(lower, &product->k, 1);
  product->row_stride = strides.along == 1 ? k + 64 / ltype_bytes(product->type) : 0;
  int64_t batches = nest_capacity(lower, product->node->type.dim, product->leading);
  int64_t length = batches * packed_a_size(lower, product);
  product->packed_a = nest_scratch(lower, "packed_a", product->type, length);
  if (product->row_stride)
    copy_rows(lower, product, shared);
  else
    pack(lower, product, 0, shared);
}

void matmul_pack(Lower *lower, Product *product, bool shared) {
  Strides a = strides_of(lower, product, 0), b = strides_of(lower, product, 1);
  bool b_pays = packing_b_pays(lower, product, b), own = own_panels(lower, product);
  product->apart = b.along == 1 && b.across != 1 ? b.across : 0;
  if (packing_a_pays(lower, product, a))
    pack_a(lower, product, a, shared);
  if (b_pays && !own)
    pack_b(lower, product, shared);
  lower->out->barrier_inside = shared && lower->scratch_bytes > 0;
  if (b_pays && own)
    make_own(lower, product, shared);
}

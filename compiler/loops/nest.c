// Statements, scopes, sizes and the end of every nest. Takes calls from nest_*.c, gives the body of the kernel. A scope is
// a loop, a tile or an if that is still being filled; it joins the scope around it when it is closed.
#include "loops/nest.h"

#include <string.h>

#include "graph/ops.h"

// ---- short forms
LExpr *nest_i64(Lower *lower, int64_t value) {
  return lx_i64(lower->arena, value);
}
LExpr *nest_add(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_ADD, a, b);
}
LExpr *nest_mul(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_MUL, a, b);
}
LExpr *nest_div(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_DIV, a, b);
}
LExpr *nest_step(Lower *lower, LExpr *a, int64_t by, LExpr *b) {
  return nest_add(lower, nest_mul(lower, a, nest_i64(lower, by)), b);
}
LExpr *nest_min(Lower *lower, LExpr *a, LExpr *b) {
  return lx_binary(lower->arena, LX_MIN, a, b);
}

// ---- names
static bool reserved(const char *name) {
  static const char *const words[] = {
      "auto",   "break",  "case",     "char",   "const",  "continue", "default", "do",     "double", "else",
      "enum",   "extern", "float",    "for",    "goto",   "if",       "inline",  "int",    "long",   "register",
      "return", "short",  "restrict", "signed", "sizeof", "static",   "struct",  "switch", "union",  "unsigned",
      "void",   "while",  "volatile", "bool",   "true",   "false",    "typedef", "typeof"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(words[i], name) == 0)
      return true;
  return false;
}

const char *nest_name(Lower *lower, const char *base) {
  const char *name = base;
  int last = *names_at(lower->arena, &lower->names, base);
  bool is_free = last == 0 && !reserved(base);
  for (last = last ? last : 1; !is_free; is_free = !names_find(&lower->names, name))
    name = arena_printf(lower->arena, "%s_%d", base, ++last);
  *names_at(lower->arena, &lower->names, name) = 1;
  *names_at(lower->arena, &lower->names, base) = last;
  return name;
}

// ---- statements
LStmt *nest_stmt(Lower *lower, LStmtKind kind) {
  LStmt *stmt = arena_new_of(lower->arena, LStmt);
  stmt->kind = kind;
  return stmt;
}

static Scope *top(Lower *lower) {
  return &lower->scopes.data[lower->scopes.count - 1];
}

void nest_push(Lower *lower, LStmt *stmt) {
  vec_push(lower->arena, top(lower)->body, stmt);
}

void nest_put(Lower *lower, LBuffer *buffer, LExpr *at, LExpr *value) {
  LStmt *stmt = nest_stmt(lower, LS_STORE);
  stmt->buffer = buffer;
  stmt->index[0] = at;
  stmt->value = value;
  nest_push(lower, stmt);
}

void nest_turn(Lower *lower, LBuffer *buffer, LExpr *at, int64_t to_apart, LExpr *value, int64_t from_apart) {
  LStmt *stmt = nest_stmt(lower, LS_TURN);
  stmt->buffer = buffer;
  stmt->index[0] = at;
  stmt->value = value;
  stmt->apart[0] = to_apart;
  stmt->apart[1] = from_apart;
  nest_push(lower, stmt);
}

void nest_begin_top(Lower *lower) {
  vec_push(lower->arena, &lower->scopes, (Scope){NULL, &lower->out->body});
}

static void open_scope(Lower *lower, LStmt *stmt) {
  LBody *body = stmt ? &stmt->body : top(lower)->body;
  vec_push(lower->arena, &lower->scopes, (Scope){stmt, body});
}

static LExpr *declare(Lower *lower, LVar **slot, const char *name) {
  *slot = lvar_new(lower->arena, nest_name(lower, name), L_I64);
  vec_push(lower->arena, &lower->vars, (DeclaredVar){*slot, lower->scopes.count - 1});
  return lx_var(lower->arena, *slot);
}

static void ranged(LVar *var, int64_t least, int64_t most) {
  var->ranged = true;
  var->range = (LRange){least, most};
}

static bool has_one_round(const LExpr *from, const LExpr *to, int64_t step) {
  if (to->op == LX_ADD && to->args[0] == from && to->args[1]->op == LX_CONST)
    return to->args[1]->integer > 0 && to->args[1]->integer <= step;
  return from->op == LX_CONST && to->op == LX_CONST && from->integer < to->integer &&
         from->integer + step >= to->integer;
}

LExpr *nest_loop(Lower *lower, LStmtKind kind, const char *name, LExpr *from, LExpr *to, int64_t step) {
  if (has_one_round(from, to, step)) {
    open_scope(lower, NULL);
    return from;
  }
  LStmt *stmt = nest_stmt(lower, kind);
  if (ls_for_all(stmt) && lower->target->one_thread)
    stmt->kind = LS_FOR;
  stmt->from = from;
  stmt->to = to;
  stmt->step = step;
  open_scope(lower, stmt);
  LExpr *var = declare(lower, &stmt->var, name);
  LRange last = lx_range(to);
  ranged(stmt->var, lx_range(from).least, last.most < LRANGE_END ? last.most - 1 : LRANGE_END);
  return var;
}

void nest_tile(Lower *lower, int rows, int cols, LExpr **row, LExpr **col) {
  LStmt *stmt = nest_stmt(lower, LS_TILE);
  stmt->rows = rows;
  stmt->cols = cols;
  open_scope(lower, stmt);
  *row = rows > 1 ? declare(lower, &stmt->row_var, "i") : nest_i64(lower, 0);
  *col = declare(lower, &stmt->col_var, "j");
  if (rows > 1)
    ranged(stmt->row_var, 0, rows - 1);
  ranged(stmt->col_var, 0, cols - 1);
}

void nest_if(Lower *lower, LExpr *condition) {
  LStmt *stmt = nest_stmt(lower, LS_IF);
  stmt->value = condition;
  open_scope(lower, stmt);
}

static void forget_vars(Lower *lower, int depth) {
  while (lower->vars.count && lower->vars.data[lower->vars.count - 1].depth > depth)
    lower->vars.count--;
}

void nest_drop(Lower *lower) {
  lower->scopes.count--;
  int depth = lower->scopes.count - 1, kept = 0;
  for (int i = 0; i < lower->known.count; i++)
    if (lower->known.data[i].depth <= depth)
      lower->known.data[kept++] = lower->known.data[i];
  lower->known.count = kept;
  forget_vars(lower, depth);
}

void nest_close(Lower *lower) {
  LStmt *stmt = top(lower)->stmt;
  nest_drop(lower);
  if (stmt)
    nest_push(lower, stmt);
}

void nest_close_all(Lower *lower, int scopes) {
  for (; scopes; scopes--)
    nest_close(lower);
}

bool nest_part(Lower *lower, LExpr *number, int64_t whole, int64_t rest, bool last) {
  if (last ? !rest : !whole)
    return false;
  if (rest && whole)
    nest_if(lower, lx_binary(lower->arena, last ? LX_EQ : LX_LT, number, nest_i64(lower, whole)));
  return true;
}

void nest_part_end(Lower *lower, int64_t whole, int64_t rest) {
  if (rest && whole)
    nest_close(lower);
}

LLocal *nest_local(Lower *lower, const char *name, LType type, int rank, int rows, int cols, LExpr *value) {
  LLocal *local = arena_new_of(lower->arena, LLocal);
  *local = (LLocal){.name = nest_name(lower, name), .type = type, .rank = rank, .dim = {rows, cols}};
  LStmt *stmt = nest_stmt(lower, LS_LOCAL);
  stmt->local = local;
  stmt->value = value;
  nest_push(lower, stmt);
  return local;
}

void nest_set(Lower *lower, LLocal *local, LExpr *row, LExpr *col, LExpr *value) {
  LStmt *stmt = nest_stmt(lower, LS_SET);
  stmt->local = local;
  stmt->index[0] = row;
  stmt->index[1] = col;
  stmt->value = value;
  nest_push(lower, stmt);
}

// ---- sizes
int64_t nest_capacity(const Lower *lower, const Dim *dims, int count) {
  int64_t product = 1;
  for (int i = 0; i < count; i++)
    product *= dim_at(dims[i], lower->graph->graph->batch);
  return product;
}

bool nest_static(const Dim *dims, int count) {
  for (int i = 0; i < count; i++)
    if (dims[i] < 0)
      return false;
  return true;
}

LExpr *nest_count(Lower *lower, const Dim *dims, int count) {
  LExpr *product = nest_i64(lower, 1);
  for (int i = 0; i < count; i++)
    product = nest_mul(lower, product, lower_dim(lower, dims[i]));
  return product;
}

void nest_unravel(Lower *lower, LExpr *number, const Dim *dims, const int *at, int count, LExpr **index) {
  for (int i = count - 1; i > 0; i--) {
    int place = at ? at[i] : i;
    LExpr *size = lower_dim(lower, dims[place]);
    index[place] = lx_binary(lower->arena, LX_MOD, number, size);
    number = nest_div(lower, number, size);
  }
  if (count)
    index[at ? at[0] : 0] = number;
}

int nest_piece(int64_t left) {
  for (int width = SMALL_TILE; width >= LANES; width /= 2)
    if (left >= width)
      return width;
  return (int)left;
}

int64_t nest_ceil_div(int64_t a, int64_t b) {
  return a > 0 ? (a + b - 1) / b : 0;
}

int64_t nest_even(int64_t count, int64_t most) {
  return nest_ceil_div(count, nest_ceil_div(count, most));
}

int nest_tile_most(const Lower *lower) {
  const Target *target = lower->target;
  return target->vector_bytes < 32 ? 4 : target->vector_registers >= 32 ? 14 : 6;
}

// Low tiles are wider: enough independent sums to hide what an fma takes.
void nest_tile_size(const Lower *lower, LType type, int64_t rows, int64_t cols, int *mr, int *nr) {
  int most = nest_tile_most(lower), lanes = lower->target->vector_bytes / ltype_bytes(type);
  *mr = (int)nest_even(rows, most);
  int vectors = *mr == 1 ? 8 : *mr <= 6 && most > 6 ? 4 : 2;
  *nr = (lanes > 0 ? lanes : 1) * vectors;
  if (cols < *nr)
    *nr = nest_piece(cols);
}

// ---- work
static int64_t op_work(const Node *node) {
  switch (node->op) {
  case OP_exp:
  case OP_log:
  case OP_tanh:
  case OP_logistic:
  case OP_erf:
  case OP_sin:
  case OP_cos:
    return 15;
  case OP_pow:
  case OP_random:
    return 40;
  case OP_div:
  case OP_sqrt:
    return 6;
  default:
    return 1;
  }
}

int64_t nest_cost(const Lower *lower, const Node *node) {
  int64_t sum = op_work(node);
  for (int i = 0; i < node->input_count && sum < 1000; i++) {
    const Node *input = node->inputs[i];
    if (op_info[input->op].class != LEAF && lower->graph->kernel_of[input->id] < 0)
      sum += nest_cost(lower, input);
  }
  return sum;
}

static int64_t node_depth(const Node *node, int64_t batch) {
  const Type *a = &node->inputs[0]->type, *b = &node->inputs[1]->type;
  if (node->op == OP_matmul)
    return dim_at(a->dim[a->rank - 1], batch);
  return type_count(b, batch) / dim_at(b->dim[b->rank - 1], batch);
}

int64_t nest_work(const Lower *lower) {
  int64_t sum = 0, batch = lower->graph->graph->batch;
  for (int i = 0; i < lower->kernel->nodes.count; i++) {
    const Node *node = lower->kernel->nodes.data[i];
    int64_t each = nest_cost(lower, node), count = type_count(&node->type, batch);
    const Type *in = node->input_count ? &node->inputs[0]->type : &node->type;
    OpClass class = op_info[node->op].class;
    if (class == REDUCE)
      count = type_count(in, batch);
    if (class == ATTENTION) {
      count = type_count(&node->inputs[3]->type, batch); // the mask's: queries by keys
      each = (in->dim[in->rank - 1] + node->inputs[2]->type.dim[in->rank - 1]) / 4 + 20;
    }
    if (class == CONTRACT)
      each = node_depth(node, batch) / 4 + 1;
    if (class == SCATTER)
      count += type_count(&node->inputs[2]->type, batch);
    sum += count * each;
  }
  return sum;
}

// ---- the end of a nest
void nest_finish(Lower *lower, LExpr *const *index, int from, int to) {
  const Kernel *kernel = lower->kernel;
  LExpr **values = arena_array(lower->arena, LExpr *, to - from + 1);
  for (int i = from; i < to; i++) {
    const Node *node = kernel->nodes.data[i];
    if (kernel_begins_with(kernel->kind, kernel->root, node)) {
      values[i - from] = lower_value(lower, node, index);
      continue;
    }
    values[i - from] = nest_compute(lower, node, index);
    // What is stored must have been read before anything is stored over it.
    if (to - from > 1)
      values[i - from] = nest_let(lower, op_name(node->op), values[i - from]);
    nest_know(lower, node, index, values[i - from]);
  }
  for (int i = from; i < to; i++)
    if (lower->graph->buffers[kernel->nodes.data[i]->id].bytes)
      nest_store(lower, kernel->nodes.data[i], index, values[i - from]);
}

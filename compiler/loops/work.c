// Counting, from the results of a kernel back to what it reads: of a value that is computed inside its readers, or read, as
// many elements count as one reader asks for at most.
#include "loops/work.h"

#include "graph/ops.h"
#include "loops/mathlib.h"

// ---- functions of the math library
static bool takes_reals(const LExpr *expr) {
  LType type = expr->arg_count ? expr->args[expr->arg_count - 1]->type : expr->type;
  return type == L_F32 || type == L_F64;
}

static int64_t cost_of(const LExpr *expr) {
  if (expr->op == LX_FMA)
    return 2;
  if (expr->op == LX_CALL)
    return work_of_function(expr->function);
  bool counts = expr->op >= LX_ADD && expr->op <= LX_GE;
  return counts && takes_reals(expr);
}

typedef VEC(const LExpr *) Exprs;

static int64_t count_expr(Arena *arena, Exprs *seen, const LExpr *expr) {
  for (int i = 0; i < seen->count; i++)
    if (seen->data[i] == expr)
      return 0;
  vec_push(arena, seen, expr);
  int64_t sum = cost_of(expr);
  for (int i = 0; i < expr->arg_count; i++)
    sum += count_expr(arena, seen, expr->args[i]);
  return sum;
}

int64_t work_of_function(const LFunction *function) {
  Arena *arena = arena_new();
  Exprs seen = {0};
  int64_t sum = count_expr(arena, &seen, function->result);
  for (int i = 0; i < function->lets.count; i++)
    sum += count_expr(arena, &seen, function->lets.data[i]->value);
  arena_free(arena);
  return sum;
}

static double math_cost(MathFunction which, ElemType elem) {
  Arena *arena = arena_new();
  LoopModule module = {.arena = arena};
  int64_t cost = work_of_function(mathlib_function(&module, which, elem == F64 ? L_F64 : L_F32));
  arena_free(arena);
  return (double)cost;
}

// ---- operations of one node
// For each element.
static double point_cost(const Node *node) {
  ElemType elem = node->inputs[node->input_count - 1]->type.elem;
  if (!elem_is_real(elem))
    return 0;
  switch (node->op) {
  case OP_exp:
    return math_cost(MATH_EXP, elem);
  case OP_log:
    return math_cost(MATH_LOG, elem);
  case OP_tanh:
    return math_cost(MATH_TANH, elem);
  case OP_logistic:
    return math_cost(MATH_LOGISTIC, elem);
  case OP_erf:
    return math_cost(MATH_ERF, elem);
  case OP_sin:
    return math_cost(MATH_SIN, elem);
  case OP_cos:
    return math_cost(MATH_COS, elem);
  case OP_pow:
    return math_cost(MATH_POW, elem);
  case OP_cast:
  case OP_stop_gradient:
  case OP_select:
    return 0;
  default:
    return 1;
  }
}

// Pairs of query and key that attention looks at.
static double attention_pairs(const Node *node, int64_t batch) {
  const Type *mask = &node->inputs[3]->type;
  int64_t queries = dim_at(mask->dim[mask->rank - 2], batch), keys = dim_at(mask->dim[mask->rank - 1], batch), seen = 0;
  if (!queries || !keys)
    return 0;
  for (int64_t i = 0; i < queries; i++) {
    int64_t last = i + keys - queries + 1;
    seen += !node->attr->integer || last > keys ? keys : last > 0 ? last : 0;
  }
  return (double)(type_count(mask, batch) / (queries * keys) * seen);
}

// Results that share their tiles share the scores, and the gradients of keys and queries dL/do vᵀ.
static double attention_work(const Kernel *kernel, int64_t batch) {
  const Node *root = kernel->nodes.data[0];
  const Type *q = &root->inputs[0]->type, *v = &root->inputs[2]->type;
  double d = (double)dim_at(q->dim[q->rank - 1], batch), e = (double)dim_at(v->dim[v->rank - 1], batch), deep = d;
  bool weights = false;
  for (int i = 0; i < kernel->nodes.count; i++) {
    Op op = kernel->nodes.data[i]->op;
    bool scores = op == OP_attention_dq || op == OP_attention_dk;
    deep += op == OP_attention || op == OP_attention_dv ? e : 0;
    deep += scores ? d : 0;
    deep += scores && !weights ? e : 0;
    weights = weights || scores;
  }
  return attention_pairs(root, batch) * (2 * deep + 1 + math_cost(MATH_EXP, q->elem));
}

// `count`: elements of it that are wanted.
static double node_work(const Node *node, int64_t count, int64_t batch) {
  switch (op_info[node->op].class) {
  case POINT:
    return (double)count * point_cost(node);
  case REDUCE:
    return elem_is_real(node->inputs[0]->type.elem) ? (double)type_count(&node->inputs[0]->type, batch) : 0;
  case CONTRACT:
    return elem_is_real(node->type.elem) ? 2 * (double)node_multiply_adds(node, batch) : 0;
  case SCATTER:
    return elem_is_real(node->type.elem) ? (double)type_count(&node->inputs[2]->type, batch) : 0;
  default:
    return 0;
  }
}

static ElemType real_type(const Node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]->type.elem == F64)
      return F64;
  return node->type.elem == F64 ? F64 : F32;
}

// ---- a kernel
// How many elements of its inputs a node needs, if `count` of its own are wanted: no more than these where it is computed
// element by element or moves elements.
static void ask(const Node *node, int64_t count, int64_t *wanted, int64_t batch) {
  OpClass class = op_info[node->op].class;
  for (int i = 0; i < node->input_count; i++) {
    const Node *input = node->inputs[i];
    int64_t all = type_count(&input->type, batch);
    int64_t part = (class == POINT || class == INDEX) && count < all ? count : all;
    wanted[input->id] = part > wanted[input->id] ? part : wanted[input->id];
  }
}

static void count_values(const KernelGraph *graph, const Kernel *kernel, int64_t batch, int64_t *wanted, Work *work) {
  for (int id = graph->nodes.count - 1; id >= 0; id--) {
    const Node *node = graph->nodes.data[id];
    bool leaf = op_info[node->op].class == LEAF, elsewhere = graph->kernel_of[id] >= 0;
    if (!wanted[id] || (graph->kernel_of[id] != kernel->id && (leaf || elsewhere)))
      continue;
    work->operations[real_type(node) == F64] += node_work(node, wanted[id], batch);
    ask(node, wanted[id], wanted, batch);
  }
}

static int64_t bytes_of(const Node *node, int64_t count) {
  return count * elem_bytes(node->type.elem);
}

Work work_of(const KernelGraph *graph, const Kernel *kernel, int64_t batch) {
  Arena *arena = arena_new();
  Work work = {0};
  int64_t *wanted = arena_array(arena, int64_t, graph->nodes.count + 1);
  for (int i = 0; i < kernel->nodes.count; i++)
    wanted[kernel->nodes.data[i]->id] = type_count(&kernel->nodes.data[i]->type, batch);
  count_values(graph, kernel, batch, wanted, &work);
  if (kernel->kind == KERNEL_ATTENTION)
    work.operations[kernel->root->inputs[0]->type.elem == F64] += attention_work(kernel, batch);
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Node *node = kernel->nodes.data[i];
    work.bytes += graph->buffers[node->id].bytes ? bytes_of(node, wanted[node->id]) : 0;
  }
  for (int i = 0; i < kernel->reads.count; i++)
    work.bytes += bytes_of(kernel->reads.data[i], wanted[kernel->reads.data[i]->id]);
  arena_free(arena);
  return work;
}

// See interpret.h. The batch is replaced by its number first, so that every index is a constant and folds away.
#include "graph/interpret.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops.h"

typedef struct Interpreter {
  Arena *arena;
  Graph *constants; // holds each value as a dense constant
  Lower *lower;
  int64_t batch;
  Tensor *values, **results; // results: of scans
  Node **nodes;              // by id: the value as a dense constant
} Interpreter;

static Type fixed_type(const Type *type, int64_t batch) {
  Type fixed = *type;
  for (int i = 0; i < type->rank; i++)
    fixed.dim[i] = dim_at(type->dim[i], batch);
  return fixed;
}

Tensor tensor_new(Arena *arena, const Type *type, int64_t batch) {
  Type fixed = fixed_type(type, batch);
  int64_t count = type_count(&fixed, 0);
  return (Tensor){fixed, count, arena_array(arena, double, count + 1), arena_array(arena, int64_t, count + 1)};
}

static Node *as_constant(Interpreter *in, const Tensor *tensor) {
  int bytes = elem_bytes(tensor->type.elem);
  unsigned char *data = arena_alloc(in->arena, (size_t)(tensor->count * bytes + 1));
  for (int64_t i = 0; i < tensor->count; i++) {
    float single = (float)tensor->real[i];
    if (tensor->type.elem == F32)
      memcpy(data + i * bytes, &single, 4);
    else if (tensor->type.elem == F64)
      memcpy(data + i * bytes, &tensor->real[i], 8);
    else
      memcpy(data + i * bytes, &tensor->whole[i], (size_t)bytes); // little-endian
  }
  return graph_dense(in->constants, tensor->type, data);
}

static void unravel(const Type *type, int64_t at, int64_t *index) {
  for (int i = type->rank - 1; i >= 0; at /= type->dim[i], i--)
    index[i] = at % type->dim[i];
}

static int64_t ravel(const Type *type, const int64_t *index) {
  int64_t at = 0;
  for (int i = 0; i < type->rank; i++)
    at = at * type->dim[i] + index[i];
  return at;
}

// Point and index operations: the operation's own lowering.
static void by_lowering(Interpreter *in, const Node *node, Tensor *result) {
  Node fixed = *node;
  fixed.type = result->type;
  fixed.inputs = arena_array(in->arena, Node *, node->input_count + 1);
  for (int i = 0; i < node->input_count; i++)
    fixed.inputs[i] = in->nodes[node->inputs[i]->id];
  Attr attr = *node->attr;
  for (int i = 0; i < node->type.rank; i++)
    attr.start[i] = dim_at(node->attr->start[i], in->batch);
  fixed.attr = &attr;
  for (int64_t at = 0; at < result->count; at++) {
    int64_t place[MAX_RANK];
    LExpr *index[MAX_RANK];
    unravel(&result->type, at, place);
    for (int i = 0; i < result->type.rank; i++)
      index[i] = lx_i64(in->arena, place[i]);
    LExpr *expr = op_info[node->op].lower(in->lower, &fixed, index);
    if (!lx_evaluate(expr, &result->real[at], &result->whole[at]))
      result->real[at] = NAN;
  }
}

static double by_libm(Op op, double a, double b) {
  switch (op) {
  case OP_exp:
    return exp(a);
  case OP_log:
    return log(a);
  case OP_tanh:
    return tanh(a);
  case OP_logistic:
    return 1 / (1 + exp(-a));
  case OP_erf:
    return erf(a);
  case OP_sin:
    return sin(a);
  case OP_cos:
    return cos(a);
  default:
    return pow(a, b);
  }
}

static void reduce(const Node *node, const Tensor *x, Tensor *result) {
  bool first[4096], real = elem_is_real(x->type.elem);
  memset(first, true, sizeof first);
  for (int64_t at = 0; at < x->count; at++) {
    int64_t place[MAX_RANK], kept[MAX_RANK];
    int next = 0, rank = 0;
    unravel(&x->type, at, place);
    for (int i = 0; i < x->type.rank; i++)
      if (next < node->attr->axis_count && node->attr->axis[next] == i)
        next++;
      else
        kept[rank++] = place[i];
    int64_t to = ravel(&result->type, kept);
    double value = real ? x->real[at] : (double)x->whole[at], *best = &result->real[to];
    if (node->op == OP_reduce_sum)
      *best += value;
    else if (first[to] || (node->op == OP_reduce_min ? value < *best : value > *best)) {
      *best = value;
      result->whole[to] = node->op == OP_argmax ? place[node->attr->axis[0]] : x->whole[at];
    }
    first[to] = false;
  }
}

static void matmul(const Tensor *a, const Tensor *b, Tensor *result) {
  int rank = result->type.rank;
  int64_t m = result->type.dim[rank - 2], n = result->type.dim[rank - 1], k = a->type.dim[rank - 1];
  for (int64_t at = 0; at < result->count; at++) {
    int64_t batch = at / (m * n), i = at / n % m, j = at % n;
    for (int64_t l = 0; l < k; l++)
      result->real[at] += a->real[(batch * m + i) * k + l] * b->real[(batch * k + l) * n + j];
  }
}

// y = conv(x, w) or, of x and y, the gradient of w: every output with every weight, at the input where they meet.
static void convolve(const Node *node, const Tensor *a, const Tensor *b, Tensor *result) {
  const Attr *attr = node->attr;
  bool forward = node->op == OP_conv;
  const Type *x = &a->type, *w = forward ? &b->type : &result->type, *y = forward ? &result->type : &b->type;
  int space = attr->space, lead = x->rank - space - 1;
  int64_t outputs = y->dim[y->rank - 1] / attr->groups, channels = w->dim[space];
  for (int64_t to = 0; to < type_count(y, 0); to++)
    for (int64_t from = 0; from < type_count(w, 0); from++) {
      int64_t out[MAX_RANK], tap[MAX_RANK], in[MAX_RANK];
      unravel(y, to, out);
      unravel(w, from, tap);
      bool inside = tap[space + 1] == out[y->rank - 1];
      memcpy(in, out, sizeof in);
      for (int i = 0; i < space; i++) {
        const Window *v = &attr->window[i];
        int64_t at = out[lead + i] * v->stride + tap[i] * v->dilation - v->before;
        in[lead + i] = at / v->spread;
        inside = inside && at >= 0 && at % v->spread == 0 && in[lead + i] < x->dim[lead + i];
      }
      in[x->rank - 1] = out[y->rank - 1] / outputs * channels + tap[space];
      if (!inside)
        continue;
      int64_t x_at = ravel(x, in);
      if (forward)
        result->real[to] += a->real[x_at] * b->real[from];
      else
        result->real[from] += a->real[x_at] * b->real[to];
    }
}

// The plain formula, row by row: with weights w = softmax(q k^T * scale) of what is seen, o = w v and so on.
typedef struct Seen {
  const Tensor *q, *k, *v, *mask, *slope, *delta;
  const Node *node;
  int64_t batch, t, s, d, e;
} Seen;

static void attention_row(const Seen *in, int64_t i, double *weights, double *lse) {
  double most = -INFINITY, total = 0;
  for (int64_t j = 0; j < in->s; j++) {
    double score = 0;
    for (int64_t c = 0; c < in->d; c++)
      score += in->q->real[(in->batch * in->t + i) * in->d + c] * in->k->real[(in->batch * in->s + j) * in->d + c];
    bool seen = in->mask->whole[(in->batch * in->t + i) * in->s + j] != 0;
    seen = seen && !(in->node->attr->integer && j > i + in->s - in->t);
    weights[j] = seen ? score * in->node->attr->real : -INFINITY;
    most = weights[j] > most ? weights[j] : most;
  }
  for (int64_t j = 0; j < in->s; j++)
    total += weights[j] = isinf(weights[j]) ? 0 : exp(weights[j] - most);
  for (int64_t j = 0; j < in->s && total > 0; j++)
    weights[j] /= total;
  *lse = total > 0 ? most + log(total) : 0;
}

static void attend_row(const Seen *in, int64_t i, Tensor *result) {
  double weights[128], lse;
  int64_t row = in->batch * in->t + i;
  attention_row(in, i, weights, &lse);
  if (in->node->op == OP_attention_lse)
    result->real[row] = lse;
  for (int64_t j = 0; j < in->s && in->node->op != OP_attention_lse; j++) {
    int64_t key = in->batch * in->s + j;
    double slope = 0; // of the score
    for (int64_t c = 0; c < in->e && in->slope; c++)
      slope += in->slope->real[row * in->e + c] * in->v->real[key * in->e + c];
    if (in->slope)
      slope = weights[j] * (slope - in->delta->real[row]) * in->node->attr->real;
    for (int64_t c = 0; c < in->e; c++)
      if (in->node->op == OP_attention)
        result->real[row * in->e + c] += weights[j] * in->v->real[key * in->e + c];
      else if (in->node->op == OP_attention_dv)
        result->real[key * in->e + c] += weights[j] * in->slope->real[row * in->e + c];
    for (int64_t c = 0; c < in->d; c++)
      if (in->node->op == OP_attention_dq)
        result->real[row * in->d + c] += slope * in->k->real[key * in->d + c];
      else if (in->node->op == OP_attention_dk)
        result->real[key * in->d + c] += slope * in->q->real[row * in->d + c];
  }
}

static void attend(const Node *node, const Tensor *const *v, Tensor *result) {
  const Type *q = &v[0]->type, *values = &v[2]->type;
  Seen in = {.q = v[0], .k = v[1], .v = v[2], .mask = v[3], .slope = v[4], .delta = v[6], .node = node};
  in.t = q->dim[q->rank - 2];
  in.d = q->dim[q->rank - 1];
  in.s = values->dim[values->rank - 2];
  in.e = values->dim[values->rank - 1];
  for (in.batch = 0; in.batch < v[0]->count / (in.t * in.d); in.batch++)
    for (int64_t i = 0; i < in.t; i++)
      attend_row(&in, i, result);
}

static void scatter_add(const Node *node, const Tensor *base, const Tensor *indices, const Tensor *updates,
                        Tensor *result) {
  int axis = node->attr->axis[0], depth = indices->type.rank;
  memcpy(result->real, base->real, sizeof(double) * (size_t)base->count);
  for (int64_t at = 0; at < updates->count; at++) {
    int64_t place[MAX_RANK], to[MAX_RANK];
    unravel(&updates->type, at, place);
    for (int i = 0; i < base->type.rank; i++)
      to[i] = place[i < axis ? i : i + depth - 1];
    int64_t index = indices->whole[ravel(&indices->type, place + axis)], last = base->type.dim[axis] - 1;
    to[axis] = index < 0 ? 0 : index > last ? last : index;
    result->real[ravel(&base->type, to)] += updates->real[at];
  }
}

// Element `step` of a stack, to or from a tensor of its own.
static void move_step(Tensor *stack, Tensor *element, int64_t step, bool in) {
  Tensor part = {.real = stack->real + step * element->count, .whole = stack->whole + step * element->count};
  const Tensor *from = in ? element : &part, *to = in ? &part : element;
  memcpy(to->real, from->real, (size_t)element->count * sizeof *element->real);
  memcpy(to->whole, from->whole, (size_t)element->count * sizeof *element->whole);
}

static void run_scan(Interpreter *in, const Node *node) {
  const GraphScan *scan = node->attr->scan;
  const Graph *body = scan->body;
  int inputs = body->inputs.count, outputs = body->outputs.count;
  Tensor *seen = arena_array(in->arena, Tensor, inputs + 1), *made = arena_array(in->arena, Tensor, outputs + 1);
  for (int i = 0; i < inputs; i++)
    seen[i] = in->values[node->inputs[i]->id];
  int64_t rounds = scan->counted ? seen[inputs - 1].whole[0] : scan->length;
  if (rounds < 0 || rounds > scan->length || (scan->length - rounds) % 2)
    abort(); // graph.h
  for (int i = 0; i < outputs; i++) {
    Type step = body->outputs.data[i].value->type, stacked = scan_stacked_type(&step, scan->length);
    made[i] = i < scan->carried ? seen[i] : tensor_new(in->arena, &stacked, in->batch);
  }
  for (int64_t round = 0; round < rounds; round++) {
    int64_t step = scan->reverse ? rounds - 1 - round : round;
    for (int i = scan->carried; i < scan->carried + scan->sequences; i++) {
      seen[i] = tensor_new(in->arena, &body->inputs.data[i].type, in->batch);
      move_step(&in->values[node->inputs[i]->id], &seen[i], step, false);
    }
    Tensor *values = interpret((Graph *)body, in->batch, seen);
    for (int i = 0; i < outputs; i++) {
      Tensor *value = &values[body->outputs.data[i].value->id];
      if (i < scan->carried)
        made[i] = seen[i] = *value;
      else
        move_step(&made[i], value, step, true);
    }
  }
  in->results[node->id] = made;
}

static void compute(Interpreter *in, const Node *node, const Tensor *inputs, Tensor *result) {
  const Tensor *v[7] = {0};
  for (int i = 0; i < node->input_count && i < 7; i++)
    v[i] = &in->values[node->inputs[i]->id];
  switch (node->op) {
  case OP_input:
    if (node->attr->index >= 0)
      *result = inputs[node->attr->index];
    return;
  case OP_scan:
    run_scan(in, node);
    return;
  case OP_scan_result:
    *result = in->results[node->inputs[0]->id][node->attr->index];
    return;
  case OP_slot:
  case OP_random:
    return;
  case OP_clock:
    result->whole[0] = node->attr->index == 4 ? in->batch : 0;
    return;
  case OP_exp:
  case OP_log:
  case OP_tanh:
  case OP_logistic:
  case OP_erf:
  case OP_sin:
  case OP_cos:
  case OP_pow:
    for (int64_t i = 0; i < result->count; i++)
      result->real[i] = by_libm(node->op, v[0]->real[i], v[1] ? v[1]->real[i] : 0);
    return;
  case OP_reduce_sum:
  case OP_reduce_max:
  case OP_reduce_min:
  case OP_argmax:
    reduce(node, v[0], result);
    return;
  case OP_matmul:
    matmul(v[0], v[1], result);
    return;
  case OP_conv:
  case OP_conv_weight:
    convolve(node, v[0], v[1], result);
    return;
  case OP_attention:
  case OP_attention_lse:
  case OP_attention_dq:
  case OP_attention_dk:
  case OP_attention_dv:
    attend(node, v, result);
    return;
  case OP_scatter_add:
    scatter_add(node, v[0], v[1], v[2], result);
    return;
  default:
    by_lowering(in, node, result);
  }
}

Tensor *interpret(Graph *graph, int64_t batch, const Tensor *inputs) {
  Arena *arena = graph->arena;
  LoopModule *module = arena_new_of(arena, LoopModule);
  module->arena = arena;
  Interpreter in = {.arena = arena,
                    .constants = graph_new(arena, "constants", 0),
                    .lower = lower_constants(module),
                    .batch = batch,
                    .values = arena_array(arena, Tensor, graph->nodes.count),
                    .results = arena_array(arena, Tensor *, graph->nodes.count),
                    .nodes = arena_array(arena, Node *, graph->nodes.count)};
  for (int id = 0; id < graph->nodes.count; id++) {
    const Node *node = graph->nodes.data[id];
    in.values[id] = tensor_new(arena, &node->type, batch);
    compute(&in, node, inputs, &in.values[id]);
    in.nodes[id] = as_constant(&in, &in.values[id]);
  }
  return in.values;
}

// Index relations between a node and what it reads, an operation at a time. Takes the relation of a node to some reader,
// gives that of the node's inputs to the same reader. What is not plainly one dimension of the reader is INDEX_OTHER.
#include "passes/access.h"

Access access_identity(int rank) {
  Access access = {.rank = rank};
  for (int i = 0; i < rank; i++)
    access.dim[i] = (signed char)i;
  return access;
}

bool access_equal(const Access *a, const Access *b) {
  if (a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i])
      return false;
  return true;
}

bool access_leading(const Access *access, int count) {
  if (access->rank < count)
    return false;
  for (int i = 0; i < count; i++)
    if (access->dim[i] != i)
      return false;
  return true;
}

static Access other(const Type *type) {
  Access access = {.rank = type->rank};
  for (int i = 0; i < type->rank; i++)
    access.dim[i] = INDEX_OTHER;
  return access;
}

// `count` dimensions of `in` from `in_first` are those of `out` from `out_first`, a size of one standing for any.
static void align(Access *result, const Type *in, const Type *out, const Access *access, int in_first, int out_first,
                  int count) {
  for (int i = 0; i < count; i++) {
    bool repeats = in->dim[in_first + i] == 1 && out->dim[out_first + i] != 1;
    result->dim[in_first + i] = repeats ? INDEX_ZERO : access->dim[out_first + i];
  }
}

static Access through_broadcast(const Node *node, const Access *access) {
  const Type *in = &node->inputs[0]->type;
  Access result = other(in);
  align(&result, in, &node->type, access, 0, node->type.rank - in->rank, in->rank);
  return result;
}

// Dimensions that stand unchanged between ones at both ends stay; what is merged or split in between is lost.
static Access through_reshape(const Node *node, const Access *access) {
  const Type *in = &node->inputs[0]->type, *out = &node->type;
  Access result = other(in);
  int i = 0, o = 0;
  while (i < in->rank || o < out->rank) {
    if (i < in->rank && o < out->rank && in->dim[i] == out->dim[o])
      result.dim[i++] = access->dim[o++];
    else if (i < in->rank && in->dim[i] == 1)
      result.dim[i++] = INDEX_ZERO;
    else if (o < out->rank && out->dim[o] == 1)
      o++;
    else
      break;
  }
  int end_i = in->rank, end_o = out->rank;
  while (end_i > i || end_o > o) {
    if (end_i > i && end_o > o && in->dim[end_i - 1] == out->dim[end_o - 1])
      result.dim[--end_i] = access->dim[--end_o];
    else if (end_i > i && in->dim[end_i - 1] == 1)
      result.dim[--end_i] = INDEX_ZERO;
    else if (end_o > o && out->dim[end_o - 1] == 1)
      end_o--;
    else
      break;
  }
  return result;
}

static Access through_transpose(const Node *node, const Access *access) {
  Access result = other(&node->inputs[0]->type);
  for (int i = 0; i < node->type.rank; i++)
    result.dim[node->attr->axis[i]] = access->dim[i];
  return result;
}

// Slice, pad, concat, reverse: dimensions whose index passes unchanged.
static Access through_same(const Node *node, int input, const Access *access) {
  const Type *in = &node->inputs[input]->type;
  const Attr *attr = node->attr;
  Access result = other(in);
  for (int i = 0; i < in->rank; i++) {
    bool same = in->dim[i] == node->type.dim[i];
    if (node->op == OP_slice)
      same = same && attr->start[i] == 0 && attr->step[i] == 1;
    if (node->op == OP_pad)
      same = same && attr->start[i] == 0;
    if (node->op == OP_concat)
      same = same && i != attr->axis[0];
    for (int a = 0; node->op == OP_reverse && a < attr->axis_count; a++)
      same = same && attr->axis[a] != i;
    if (same)
      result.dim[i] = access->dim[i];
  }
  return result;
}

static Access through_gather(const Node *node, int input, const Access *access) {
  const Type *indices = &node->inputs[1]->type;
  int axis = node->attr->axis[0];
  Access result = other(&node->inputs[input]->type);
  for (int i = 0; i < result.rank; i++)
    if (input == 1)
      result.dim[i] = access->dim[axis + i];
    else if (i != axis)
      result.dim[i] = access->dim[i < axis ? i : i + indices->rank - 1];
  return result;
}

static Access through_reduce(const Node *node, const Access *access) {
  Access result = other(&node->inputs[0]->type);
  int next = 0, kept = 0;
  for (int i = 0; i < result.rank; i++) {
    if (next < node->attr->axis_count && node->attr->axis[next] == i)
      next++;
    else
      result.dim[i] = access->dim[kept++];
  }
  return result;
}

static Access through_matmul(const Node *node, int input, const Access *access) {
  const Type *in = &node->inputs[input]->type, *out = &node->type;
  Access result = other(in);
  align(&result, in, out, access, 0, out->rank - in->rank, in->rank - 2);
  int own = input == 0 ? 2 : 1;
  result.dim[in->rank - own] = access->dim[out->rank - own];
  return result;
}

// The dimensions before space, channels, and, of a slide, taps; `in` and `out` end in the same ones.
static Access through_window(const Node *node, const Access *access) {
  const Type *in = &node->inputs[0]->type;
  int space = node->attr->space, taps = node->op == OP_slide ? space : 0, lead = in->rank - space - taps - 1;
  Access result = other(in);
  for (int i = 0; i < lead; i++)
    result.dim[i] = access->dim[i];
  for (int i = 1; i <= taps + 1; i++)
    result.dim[in->rank - i] = access->dim[node->type.rank - i];
  return result;
}

// What comes first and stays, and the outputs' channels.
static Access through_conv(const Node *node, int input, const Access *access) {
  const Type *in = &node->inputs[input]->type;
  Access result = other(in);
  for (int i = 0; node->op == OP_conv && input == 0 && i < in->rank - node->attr->space - 1; i++)
    result.dim[i] = access->dim[i];
  if (input == 1)
    result.dim[in->rank - 1] = access->dim[node->type.rank - 1];
  return result;
}

// The dimensions before queries or keys.
static Access through_attention(const Node *node, int input, const Access *access) {
  Access result = other(&node->inputs[input]->type);
  int lead = node->inputs[0]->type.rank - 2;
  for (int i = 0; i < lead; i++)
    result.dim[i] = access->dim[i];
  return result;
}

Access access_through(const Node *node, int input, const Access *access) {
  switch (node->op) {
  case OP_broadcast:
    return through_broadcast(node, access);
  case OP_reshape:
    return through_reshape(node, access);
  case OP_transpose:
    return through_transpose(node, access);
  case OP_slice:
  case OP_pad:
  case OP_concat:
  case OP_reverse:
    return through_same(node, input, access);
  case OP_gather:
    return through_gather(node, input, access);
  case OP_reduce_sum:
  case OP_reduce_max:
  case OP_reduce_min:
  case OP_argmax:
    return through_reduce(node, access);
  case OP_matmul:
    return through_matmul(node, input, access);
  case OP_window:
  case OP_slide:
    return through_window(node, access);
  case OP_conv:
  case OP_conv_weight:
    return through_conv(node, input, access);
  case OP_attention:
  case OP_attention_lse:
  case OP_attention_dq:
  case OP_attention_dk:
  case OP_attention_dv:
    return through_attention(node, input, access);
  case OP_scatter_add:
  case OP_random:
  case OP_scan:
  case OP_scan_result:
    return other(&node->inputs[input]->type);
  default:
    return *access;
  }
}

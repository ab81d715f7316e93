// The builtin function attend(q, k, v, causal?, scale?, mask?, lengths?): softmax(q k^T * scale) v. A mask is a tensor of
// bools, true where a query sees a key; lengths, how many keys of each sample are seen, become one.
#include "elaborate/internal.h"

#include <math.h>

enum { CAUSAL = 3, SCALE, MASK, LENGTHS };

// lengths [a, b] of queries [a, b, .., t, d] as a mask [a, b, 1.., 1, s].
static Node *mask_of_lengths(Elab *e, const BuiltinCall *c, const Type *q, Dim keys) {
  static const ElemType wanted = I64;
  Span span = c->spans[LENGTHS];
  Node *lengths = tensor_of(e, span, c->args[LENGTHS], &wanted);
  if (!lengths)
    return NULL;
  Type shape = {.elem = I64, .rank = q->rank};
  bool fits = lengths->type.rank <= q->rank - 2 && lengths->type.elem != BOOL && !elem_is_real(lengths->type.elem);
  for (int i = 0; i < q->rank; i++) {
    shape.dim[i] = fits && i < lengths->type.rank ? lengths->type.dim[i] : 1;
    fits = fits && (i >= lengths->type.rank || shape.dim[i] == q->dim[i]);
  }
  if (!fits) {
    elab_error(e, span, "`lengths` must be whole numbers for the first dimensions of %s, but these are %s",
               type_text(e->arena, q), type_text(e->arena, &lengths->type));
    return NULL;
  }
  lengths = tensor_cast(e, span, lengths, I64);
  Type places = shape;
  places.dim[q->rank - 1] = keys;
  for (int i = 0; i < q->rank - 1; i++)
    places.dim[i] = 1;
  Attr last = {.axis_count = 1, .axis = {q->rank - 1}};
  Node *key = tensor_op(e, span, OP_iota, 0, NULL, &last, &places);
  return tensor_binary(e, span, OP_lt, key, tensor_op(e, span, OP_reshape, 1, &lengths, NULL, &shape));
}

// What queries see, of the mask and the lengths; both, if both are given.
static Node *mask_of(Elab *e, const BuiltinCall *c, const Type *q, Dim keys) {
  static const ElemType wanted = BOOL;
  Node *mask = NULL;
  if (c->args[MASK])
    mask = tensor_of(e, c->spans[MASK], c->args[MASK], &wanted);
  else if (!c->args[LENGTHS])
    return tensor_scalar(e, c->span, BOOL, 1);
  if (c->args[MASK] && mask && mask->type.elem != BOOL) {
    elab_error(e, c->spans[MASK], "`mask` must be of bools, true where a query sees a key, but this is %s",
               type_text(e->arena, &mask->type));
    diag_hint(e->diag, "write mask != 0");
    return NULL;
  }
  if (!c->args[LENGTHS] || (c->args[MASK] && !mask))
    return mask;
  Node *known = mask_of_lengths(e, c, q, keys);
  return mask ? tensor_binary(e, c->spans[LENGTHS], OP_and, mask, known) : known;
}

static bool scale_of(Elab *e, const BuiltinCall *c, const Type *q, double *scale) {
  Dim depth = q->rank ? q->dim[q->rank - 1] : 1;
  *scale = 1 / sqrt(depth > 0 ? (double)depth : 1);
  const Value *given = c->args[SCALE];
  if (!given)
    return true;
  if (!value_is_number(given) || !isfinite(value_real(given))) {
    elab_error(e, c->spans[SCALE], "`scale` must be a finite number known at compile time, but this is %s",
               value_kind(e, given));
    return false;
  }
  *scale = value_real(given);
  return true;
}

static Value *call_attend(Elab *e, const BuiltinCall *c) {
  Node *inputs[4];
  bool weak, causal;
  Attr attr = {0};
  if (!tensor_unify(e, c->span, 3, c->args, inputs, &weak) || !builtin_flag(e, c, CAUSAL, "causal", &causal) ||
      !scale_of(e, c, &inputs[0]->type, &attr.real))
    return value_poison(e);
  attr.integer = causal;
  const Type *k = &inputs[1]->type;
  inputs[3] = mask_of(e, c, &inputs[0]->type, k->rank < 2 ? 1 : k->dim[k->rank - 2]);
  return value_tensor(e, tensor_op(e, c->span, OP_attention, 4, inputs, &attr, NULL));
}

const Builtin builtins_attention[] = {
    {"attend", "q k v causal? scale? mask? lengths?", call_attend, 0},
};
const int builtins_attention_count = (int)(sizeof builtins_attention / sizeof *builtins_attention);

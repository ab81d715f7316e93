// x[0, 2:5, ..., :]: items of lists at compile time, slices of tensors as nodes.
#include "elaborate/internal.h"

// start:stop:step against a known size. Beyond the end is an error, as every size is known.
static bool slice_bounds(Elab *e, const Expr *slice, int64_t size, int64_t *start, int64_t *step, int64_t *count) {
  int64_t from = 0, to = size;
  *step = 1;
  if ((slice->left && !eval_int(e, slice->left, "the start of a slice", &from)) ||
      (slice->right && !eval_int(e, slice->right, "the end of a slice", &to)) ||
      (slice->third && !eval_int(e, slice->third, "the step of a slice", step)))
    return false;
  if (*step < 1) {
    elab_error(e, slice->third->span, "the step of a slice must be at least 1");
    diag_hint(e->diag, "reverse(x, axis) turns a tensor around");
    return false;
  }
  from += from < 0 ? size : 0;
  to += to < 0 ? size : 0;
  if (from < 0 || to > size || from > size) {
    elab_error(e, slice->span, "the slice reaches beyond the size %lld", (long long)size);
    return false;
  }
  *start = from;
  *count = to > from ? (to - from - 1) / *step + 1 : 0;
  return true;
}

static bool whole(const Expr *item) {
  return item->kind == EXPR_SLICE && !item->left && !item->right && !item->third;
}

static Value *index_list(Elab *e, const Expr *expr, const Value *list) {
  if (expr->items.count != 1)
    return elab_fail(e, expr->span, "a list has one index");
  const Expr *item = expr->items.data[0];
  int64_t size = value_count(list), start, step, count;
  if (item->kind == EXPR_SLICE) {
    if (!slice_bounds(e, item, size, &start, &step, &count))
      return value_poison(e);
    if (count > MAX_ITEMS)
      return elab_fail(e, expr->span, "a list of more than %d items", (int)MAX_ITEMS);
    Value **items = arena_array(e->arena, Value *, count ? count : 1);
    for (int64_t i = 0; i < count; i++)
      items[i] = value_item(e, list, start + i * step);
    return value_list(e, list->kind == V_TUPLE ? V_TUPLE : V_LIST, (int)count, items);
  }
  if (!eval_int(e, item, "an index", &start))
    return value_poison(e);
  if (start < -size || start >= size)
    return elab_fail(e, item->span, "index %lld of a list of %lld items", (long long)start, (long long)size);
  return value_item(e, list, start < 0 ? start + size : start);
}

typedef struct Slicing {
  Attr attr;
  Type sliced, kept; // with and without the dimensions that an index takes away
  bool changed;
} Slicing;

static bool slice_dimension(Elab *e, const Expr *item, Dim dim, Slicing *s) {
  int at = s->sliced.rank++;
  int64_t start = 0, step = 1, count = 0;
  s->attr.start[at] = 0;
  s->attr.step[at] = 1;
  s->sliced.dim[at] = dim;
  if (whole(item)) {
    s->kept.dim[s->kept.rank++] = dim;
    return true;
  }
  s->changed = true;
  if (item->kind == EXPR_SLICE) {
    if (dim < 0) {
      elab_error(e, item->span, "the batch count is not known at compile time, so it cannot be sliced");
      return false;
    }
    if (!slice_bounds(e, item, dim, &start, &step, &count))
      return false;
    if (count == 0) {
      elab_error(e, item->span, "this slice is empty");
      return false;
    }
    s->kept.dim[s->kept.rank++] = count;
  } else {
    Value *index = eval_expr(e, item);
    if (index->kind == V_TENSOR || value_is_list(index)) {
      elab_error(e, item->span, "an index is an int or a slice");
      diag_hint(e->diag, "take(x, indices, axis: …) picks by a tensor of indices");
      return false;
    }
    if (!value_as_int(e, item->span, index, "an index", &start))
      return false;
    if (dim < 0 ? start != 0 : start < -dim || start >= dim) {
      if (dim < 0)
        elab_error(e, item->span, "only index 0 of the batch is known to exist");
      else
        elab_error(e, item->span, "index %lld of a dimension of size %lld", (long long)start, (long long)dim);
      return false;
    }
    start += start < 0 ? dim : 0;
    count = 1;
  }
  s->attr.start[at] = start;
  s->attr.step[at] = step;
  s->sliced.dim[at] = count;
  return true;
}

static Value *index_tensor(Elab *e, const Expr *expr, const Value *value) {
  Node *x = tensor_of(e, expr->left->span, value, NULL);
  if (!x)
    return value_poison(e);
  int dots = 0, given = 0;
  for (int i = 0; i < expr->items.count; i++)
    if (expr->items.data[i]->kind == EXPR_ELLIPSIS)
      dots++;
    else
      given++;
  if (dots > 1)
    return elab_fail(e, expr->span, "`...` may stand once in an index");
  if (given > x->type.rank)
    return elab_fail(e, expr->span, "%d indices for a tensor %s", given, type_text(e->arena, &x->type));
  static const Expr all = {.kind = EXPR_SLICE};
  Slicing s = {.sliced = {.elem = x->type.elem}, .kept = {.elem = x->type.elem}};
  int filler = x->type.rank - given;
  bool fine = true;
  for (int i = 0; i < expr->items.count; i++) {
    const Expr *item = expr->items.data[i];
    if (item->kind == EXPR_ELLIPSIS)
      for (; filler; filler--)
        fine = slice_dimension(e, &all, x->type.dim[s.sliced.rank], &s) && fine;
    else
      fine = slice_dimension(e, item, x->type.dim[s.sliced.rank], &s) && fine;
  }
  for (; filler; filler--)
    fine = slice_dimension(e, &all, x->type.dim[s.sliced.rank], &s) && fine;
  if (!fine)
    return value_poison(e);
  if (!s.changed)
    return value_tensor(e, x);
  Node *sliced = tensor_op(e, expr->span, OP_slice, 1, &x, &s.attr, &s.sliced);
  if (sliced && s.kept.rank != s.sliced.rank)
    sliced = tensor_op(e, expr->span, OP_reshape, 1, &sliced, NULL, &s.kept);
  Value *v = value_tensor(e, sliced);
  v->weak = v->kind == V_TENSOR && value->weak;
  return v;
}

Value *eval_index(Elab *e, const Expr *expr) {
  Value *left = eval_expr(e, expr->left);
  if (left->kind == V_POISON)
    return left;
  if (value_is_list(left) || left->kind == V_TUPLE)
    return index_list(e, expr, left);
  if (left->kind == V_TENSOR)
    return index_tensor(e, expr, left);
  elab_error(e, expr->span, "%s cannot be indexed", value_kind(e, left));
  return value_poison(e);
}

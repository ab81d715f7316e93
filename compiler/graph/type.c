// Element types, dimensions and shapes: names, counting, broadcasting, and the words in which messages speak of them.
#include <string.h>

#include "graph/rules.h"

static const struct {
  const char *name;
  int bytes;
} elems[ELEM_COUNT] = {[F32] = {"f32", 4}, [F64] = {"f64", 8}, [I32] = {"i32", 4},
                       [I64] = {"i64", 8}, [U8] = {"u8", 1},   [BOOL] = {"bool", 1}};

const char *elem_name(ElemType elem) {
  return elems[elem].name;
}

int elem_bytes(ElemType elem) {
  return elems[elem].bytes;
}

bool elem_parse(const char *name, ElemType *elem) {
  for (int i = 0; i < ELEM_COUNT; i++)
    if (strcmp(name, elems[i].name) == 0) {
      *elem = (ElemType)i;
      return true;
    }
  return false;
}

Type type_scalar(ElemType elem) {
  return (Type){.elem = elem};
}

bool type_same_shape(const Type *a, const Type *b) {
  if (a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i])
      return false;
  return true;
}

bool type_equal(const Type *a, const Type *b) {
  return a->elem == b->elem && type_same_shape(a, b);
}

int64_t type_count(const Type *type, int64_t batch) {
  int64_t count = 1;
  for (int i = 0; i < type->rank; i++)
    count *= dim_at(type->dim[i], batch);
  return count;
}

static void print_dim(Text *out, Dim dim) {
  if (dim == DIM_BATCH)
    text_add(out, "n");
  else if (dim < 0)
    text_printf(out, "%lldn", -(long long)dim);
  else
    text_printf(out, "%lld", (long long)dim);
}

void type_print(Text *out, const Type *type) {
  text_printf(out, "%s[", elem_name(type->elem));
  for (int i = 0; i < type->rank; i++) {
    if (i)
      text_add(out, ", ");
    print_dim(out, type->dim[i]);
  }
  text_add(out, "]");
}

const char *type_text(Arena *arena, const Type *type) {
  Text text = text_new(arena);
  type_print(&text, type);
  return text_string(&text);
}

bool type_broadcast(const Type *a, const Type *b, Type *shape) {
  Type result = {.elem = a->elem, .rank = a->rank > b->rank ? a->rank : b->rank};
  for (int back = 1; back <= result.rank; back++) {
    Dim x = back <= a->rank ? a->dim[a->rank - back] : 1;
    Dim y = back <= b->rank ? b->dim[b->rank - back] : 1;
    if (x != y && x != 1 && y != 1)
      return false;
    result.dim[result.rank - back] = x == 1 ? y : x;
  }
  *shape = result;
  return true;
}

const char *rule_dim_text(Arena *arena, Dim dim) {
  Text text = text_new(arena);
  print_dim(&text, dim);
  return text_string(&text);
}

Product rule_product(int count, const Dim *dim) {
  Product product = {.size = 1};
  bool overflow = false, empty = false;
  for (int i = 0; i < count; i++) {
    product.batches += dim[i] < 0;
    empty = empty || dim[i] == 0;
    overflow = overflow || __builtin_mul_overflow(product.size, dim[i] < 0 ? -dim[i] : dim[i], &product.size);
  }
  if (empty)
    product.size = 0;
  else if (overflow)
    product.size = -1;
  return product;
}

const char *rule_product_text(Arena *arena, Product product) {
  Text text = text_new(arena);
  for (int i = 0; i < product.batches; i++)
    text_add(&text, i ? " * n" : "n");
  if (product.size != 1 || !product.batches)
    text_printf(&text, product.batches ? " * %lld" : "%lld", (long long)product.size);
  return text_string(&text);
}

// Both sides are linear in n >= 1: compare the slopes, and the values at 1.
bool rule_fits(Dim a, Dim b, Dim c) {
  int64_t slope = (a < 0 ? -a : 0) + (b < 0 ? -b : 0), limit = c < 0 ? -c : 0;
  int64_t first = (a < 0 ? -a : a) + (b < 0 ? -b : b), limit_first = c < 0 ? -c : c;
  return slope <= limit && first <= limit_first;
}

static const char *place_from_end(Arena *arena, int back) {
  static const char *const names[] = {"the last dimension", "the second to last dimension",
                                      "the third to last dimension"};
  return back <= 3 ? names[back - 1] : arena_printf(arena, "dimension -%d", back);
}

const char *rule_mismatch(Arena *arena, const Type *a, const Type *b) {
  for (int back = 1; back <= a->rank && back <= b->rank; back++) {
    Dim x = a->dim[a->rank - back], y = b->dim[b->rank - back];
    if (x != y && x != 1 && y != 1)
      return arena_printf(arena, "shapes %s and %s do not match: %s against %s in %s", type_text(arena, a),
                          type_text(arena, b), rule_dim_text(arena, x), rule_dim_text(arena, y),
                          place_from_end(arena, back));
  }
  return arena_printf(arena, "shapes %s and %s do not match", type_text(arena, a), type_text(arena, b));
}

const char *rule_axes(Arena *arena, const char *what, const Type *type, int count, const int *axes) {
  for (int i = 0; i < count; i++) {
    if (axes[i] < 0 || axes[i] >= type->rank)
      return arena_printf(arena, "%s: %s has no axis %d", what, type_text(arena, type), axes[i]);
    if (i && axes[i] <= axes[i - 1])
      return arena_printf(arena, "%s: axis %d is given twice", what, axes[i]);
  }
  return NULL;
}

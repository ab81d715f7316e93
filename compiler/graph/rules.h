// What the operation families (ops_*.c) share: the words of shape messages, short forms for gradients and lowerings.
#pragma once
#include "graph/ops.h"

// ---- shapes
// The number of elements that some dimensions span: size * n ** batches. size is -1 where it is out of range.
typedef struct Product {
  int64_t size;
  int batches;
} Product;

Product rule_product(int count, const Dim *dim);
static inline bool rule_product_equal(Product a, Product b) {
  return a.size == b.size && a.batches == b.batches;
}
const char *rule_product_text(Arena *arena, Product product); // "n * 12", "12"
const char *rule_dim_text(Arena *arena, Dim dim);             // "n", "2n", "64"

// a + b <= c for every batch count.
bool rule_fits(Dim a, Dim b, Dim c);

// Why shapes a and b do not broadcast: "shapes f32[n, 3] and f32[4] do not match: 3 against 4 in the last dimension".
const char *rule_mismatch(Arena *arena, const Type *a, const Type *b);

// NULL if all `count` axes are ascending dimensions of `type`.
const char *rule_axes(Arena *arena, const char *what, const Type *type, int count, const int *axes);

// NULL if attr's windows have sizes in range. `what`: the operation.
const char *rule_windows(Arena *arena, const char *what, const Attr *attr);

// The inputs q, k, v and mask of attention in one shape of leading dimensions, the mask as [.., t, s].
void rule_fit_attention(Graph *graph, Node **inputs);

// ---- constants
// The constant that x repeats in every element, or NULL.
const Node *rule_splat(const Node *x);

// ---- gradients
Node *rule_zeros(Graph *graph, const Type *type);
Node *rule_number(Graph *graph, const Node *like, double value); // a splat of the type of `like`
// x of a reduced shape, back to `full` by repeating it along `axes`.
Node *rule_expand(Graph *graph, Node *x, const Type *full, int axis_count, const int *axes);

// ---- lowering
// The operation is the root of a kernel: asking for one of its elements is a mistake in the compiler.
_Noreturn LExpr *rule_root(const Node *node);
// The position of `index` in row-major order of `count` dimensions.
LExpr *rule_linear(Lower *lower, int count, const Dim *dim, LExpr *const *index);

#define LOWER_ROOT(name)                                                                                               \
  LExpr *lower_##name(Lower *lower, const Node *node, LExpr *const *index) {                                           \
    (void)lower, (void)index;                                                                                          \
    return rule_root(node);                                                                                            \
  }
// An operation whose inputs get no gradient; ops_table.c has the reason.
#define GRAD_NONE(name)                                                                                                \
  void grad_##name(Graph *graph, Node *node, Node *upstream, Node **out) {                                             \
    (void)graph, (void)upstream;                                                                                       \
    for (int i = 0; i < node->input_count; i++)                                                                        \
      out[i] = NULL;                                                                                                   \
  }

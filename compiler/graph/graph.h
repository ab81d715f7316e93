// The graph: tensors in SSA form with static shapes, in evaluation order. Elaboration builds it, `grad` extends it,
// passes rewrite it, and `fuse` turns it into kernels.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/source.h"
#include "base/text.h"
#include "base/vec.h"

// The order is known to runtime/nnrt.h (NnrtType).
typedef enum ElemType { F32, F64, I32, I64, U8, BOOL, ELEM_COUNT } ElemType;
const char *elem_name(ElemType elem);              // "f32"
bool elem_parse(const char *name, ElemType *elem); // false if there is no such type
int elem_bytes(ElemType elem);
static inline bool elem_is_real(ElemType elem) {
  return elem == F32 || elem == F64;
}

enum { MAX_RANK = 8 };

// A dimension: d >= 0 is a size; d < 0 is -d times the batch count, which is known only at run time (-1: the batch itself).
typedef int64_t Dim;
enum { DIM_BATCH = -1 };
static inline int64_t dim_at(Dim dim, int64_t batch) {
  return dim >= 0 ? dim : -dim * batch;
}

typedef struct Type {
  ElemType elem;
  int rank;
  Dim dim[MAX_RANK];
} Type;

Type type_scalar(ElemType elem);
bool type_equal(const Type *a, const Type *b);
bool type_same_shape(const Type *a, const Type *b);
int64_t type_count(const Type *type, int64_t batch); // elements, for a batch of that size
void type_print(Text *out, const Type *type);        // f32[n, 28, 28]; 2n for twice the batch
const char *type_text(Arena *arena, const Type *type);

typedef enum Op {
#define OPERATION(name, arity, class) OP_##name,
#include "graph/ops.def"
#undef OPERATION
  OP_COUNT
} Op;

typedef enum SlotKind { SLOT_PARAM, SLOT_STATE, SLOT_OPTIMIZER, SLOT_METRIC, SLOT_STREAM } SlotKind;

// A named tensor that outlives a step. Its initial value is an update in the program's `init` graph.
typedef struct Slot {
  const char *name; // classifier.dense_0.w; optimizer slots: adam.classifier.dense_0.w.m
  Type type;        // no batch dimension
  SlotKind kind;
  int index;      // in Program.slots; a stream's are in none
  int64_t offset; // bytes, in the state block; compile places the slots
  Span span;
  const char *layer; // of the prelude that declares it; NULL: none, or an optimizer
} Slot;

// How a window moves along one dimension of space: output p and tap r meet input (p * stride + r * dilation - before) /
// spread, where that is whole and inside.
typedef struct Window {
  int64_t size; // taps
  int64_t stride, dilation, before, spread;
} Window;
enum { MAX_SPACE = 3 };

typedef struct Graph Graph;

// A body that is run `length` times. Its inputs stand for the scan's: what is carried, an element of each sequence along
// the first dimension, what is the same in every step. Its outputs are what is carried next, then what the step yields.
// A counted scan's last input is how many elements are gone through, i64[], known only at run time: those from there on are
// left out, what they would have yielded is 0. It is in 0 … length, and as even or odd as the length is: graph_scan_count.
typedef struct GraphScan {
  const Graph *body;
  int carried, sequences;
  int64_t length;
  bool reverse; // from the last element to the first; yields stay where their elements are
  bool counted;
} GraphScan;

static inline int scan_count_input(const GraphScan *scan, int inputs) { // -1: it is not counted
  return scan->counted ? inputs - 1 : -1;
}

// What input number `input` of the scan, or of its body, is.
static inline bool scan_is_sequence(const GraphScan *scan, int input) {
  return input >= scan->carried && input < scan->carried + scan->sequences;
}
static inline bool scan_is_captured(const GraphScan *scan, int input) {
  return input >= scan->carried + scan->sequences;
}

enum { MAX_NESTED_SCANS = 4 };

typedef struct Attr {
  int axis_count;
  int axis[MAX_RANK]; // axes of a reduction or reverse (ascending), permutation of a transpose, or the one axis
  int64_t start[MAX_RANK], step[MAX_RANK];
  // Constant of an integer or bool type, fill, stream; of an extreme: the first of equals has the gradient.
  int64_t integer;
  double real;      // constant of a real type, fill
  const void *data; // dense constant: type_count elements of the node's type; NULL for a splat
  int index;        // input, clock
  int space;        // dimensions that windows move along
  Window window[MAX_SPACE];
  int64_t groups; // of channels
  int tile; // conv, conv_weight: by minimal filtering, 2 or 4 outputs along each dimension of a tile; 0: sums as they are
  const GraphScan *scan;
  const Slot *slot;
} Attr;

bool attr_same_axes(const Attr *a, const Attr *b); // in the same order

typedef struct Node Node;
struct Node {
  int id; // position in Graph.nodes
  Op op;
  Type type;
  int input_count;
  Node **inputs;     // each stands before this node
  const Attr *attr;  // never NULL; shared among nodes
  Span span;         // where the source says it
  const char *scope; // path of layer calls that led here, "classifier.dense_0"; "" at top level
  bool gradient;     // made by differentiation
  bool again;        // computes again for gradients what was there already
};

typedef struct GraphInput {
  const char *name;
  Type type;
} GraphInput;

typedef struct GraphOutput {
  const char *name; // loss, accuracy, y …
  Node *value;
} GraphOutput;

// At the end of the function the slot takes the value. At most one for each slot.
typedef struct GraphUpdate {
  const Slot *slot;
  Node *value;
} GraphUpdate;

struct Graph {
  Arena *arena;
  const char *name;  // train, eval, predict, init, or a test's name
  int64_t batch;     // the largest batch count the function is compiled for; 0 if nothing depends on it
  VEC(Node *) nodes; // in evaluation order
  VEC(GraphInput) inputs;
  VEC(GraphOutput) outputs;
  VEC(GraphUpdate) updates;
  // What new nodes are stamped with; whoever builds sets them.
  Span span;
  const char *scope;
  bool gradient, again;
};

Graph *graph_new(Arena *arena, const char *name, int64_t batch);

// Checks inputs by the operation's shape rule, computes the type and appends a node. The caller has made sure that the
// rule holds (graph_check tells): a broken one is a bug in the compiler and aborts with the message.
Node *graph_node(Graph *graph, Op op, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted);
// A node of another graph of the same arena, with inputs of this one.
Node *graph_node_like(Graph *graph, const Node *node, Node *const *inputs);
void node_set_attr(Graph *graph, Node *node, const Attr *attr);
// The shape rule alone: NULL and the type in *result, or what is wrong ("shapes f32[2] and f32[3] do not match").
// `wanted` is the type asked for, by operations whose output the inputs do not determine (see graph/ops.h).
const char *graph_check(Arena *arena, Op op, int input_count, Node *const *inputs, const Attr *attr, const Type *wanted,
                        Type *result);

// Short forms. Point operations broadcast their inputs first, as NumPy does; element types must agree.
Node *graph_unary(Graph *graph, Op op, Node *x);
Node *graph_binary(Graph *graph, Op op, Node *a, Node *b);
Node *graph_select(Graph *graph, Node *condition, Node *a, Node *b);
Node *graph_constant(Graph *graph, Type type, double value);  // splat of any element type
Node *graph_dense(Graph *graph, Type type, const void *data); // data is copied
Node *graph_input(Graph *graph, const char *name, Type type);
Node *graph_slot(Graph *graph, const Slot *slot);
Node *graph_clock(Graph *graph, int index);
Node *graph_iota(Graph *graph, Type type, int axis);
Node *graph_cast(Graph *graph, Node *x, ElemType elem);
Node *graph_broadcast(Graph *graph, Node *x, const Type *shape); // shape's element type is ignored
Node *graph_reshape(Graph *graph, Node *x, const Type *shape);
Node *graph_transpose(Graph *graph, Node *x, const int *permutation);
Node *graph_reduce(Graph *graph, Op op, Node *x, int axis_count, const int *axes, bool keep);
Node *graph_matmul(Graph *graph, Node *a, Node *b); // NumPy's @ for ranks >= 2: leading dimensions broadcast
// Cross-correlation with windows as in attr; `shape`: the result's, its space chosen by the caller.
Node *graph_conv(Graph *graph, Node *x, Node *w, const Attr *attr, const Type *shape);
// softmax(q k^T * scale) v over [.., t, d], [.., s, d], [.., s, e]; leading dimensions broadcast. mask: bool, broadcast to
// [.., t, s], true where a query sees a key; NULL: everywhere. causal: query i sees keys up to i + s - t.
Node *graph_attention(Graph *graph, Node *q, Node *k, Node *v, Node *mask, bool causal, double scale);
Node *graph_slice(Graph *graph, Node *x, const int64_t *start, const int64_t *step, const Type *shape);
Node *graph_pad(Graph *graph, Node *x, const int64_t *before, const Type *shape, double fill);
Node *graph_concat(Graph *graph, int count, Node *const *parts, int axis);
Node *graph_random(Graph *graph, Type type, int64_t stream);
// The body's outputs may be more than what is carried: what the steps yield.
Node *graph_scan(Graph *graph, const GraphScan *scan, Node *const *inputs, int count);
Node *graph_scan_result(Graph *graph, Node *scan, int index);
// The count of a scan that needs to go through the first `lengths` elements of each sample, i64 of any shape: the greatest,
// and one more where that is what makes it as even or odd as the length.
Node *graph_scan_count(Graph *graph, Node *lengths, int64_t length);
Type scan_step_type(const Type *stacked);                 // of one element along the first dimension
Type scan_stacked_type(const Type *step, int64_t length); // and back
// Where no dimension is a batch, a sequence may have any shape: its elements are those of the steps, one step behind the other.
bool scan_can_read(const Type *sequence, const Type *stacked);

// What is to be taken out of a graph: nodes from `first` on that depend on the placeholders (OP_input nodes that are no input
// of the graph), as a body with the placeholders as its inputs, then the draws, then what is captured.
typedef struct Extract {
  const char *name;
  int first;
  int64_t length; // draws inside become sequences of that length
  int placeholder_count, output_count;
  Node *const *placeholders, *const *outputs;
  const char *const *names, *const *output_names;
  VEC(Node *) draws, captured; // filled in: nodes of the graph
} Extract;
Graph *graph_extract(Graph *graph, Extract *what);

// Multiply-adds of its products (matrix products and convolutions, depthwise ones too) for a batch of that size: those that are
// made, and those that the field counts, which are all taps of a convolution, however its sums are found, and nothing twice.
int64_t graph_multiply_adds(const Graph *graph, int64_t batch);
int64_t graph_useful_multiply_adds(const Graph *graph, int64_t batch);
// Of y of a convolution, [.., h, w, o]: tiles of `tile` by `tile` outputs, those at the edges that are not whole too.
int64_t conv_tile_count(const Type *y, int64_t tile, int64_t batch);
int64_t node_multiply_adds(const Node *node, int64_t batch); // of one; a scan's are those of all its steps

// The shape both broadcast to, in *shape (element type of a). False if they do not.
bool type_broadcast(const Type *a, const Type *b, Type *shape);

// One line a node: %3: f32[n, 128] = matmul(%1, %2)   # digits.nn:5 classifier.dense_0
void graph_print(Text *out, const Graph *graph);
const char *op_name(Op op);

// Graphs to kernels: which nodes are computed together, in which order, and where their values lie.
#pragma once
#include "graph/graph.h"
#include "loops/loops.h"
#include "passes/access.h"

typedef enum KernelKind {
  KERNEL_MAP, // every node has one and the same shape: element by element
  KERNEL_ROW, // a task owns rows of some leading dimensions: reductions along rows, maps over rows and their elements
  KERNEL_REDUCE,    // any other reduction, then maps over its result
  KERNEL_CONTRACT,  // a product or convolution, then maps over its result
  KERNEL_SCATTER,   // a scatter_add alone
  KERNEL_ATTENTION, // results of attention that share their tiles: values and lse, or gradients of keys and values
  KERNEL_SCAN       // a scan and its results: the kernels of its body, again and again
} KernelKind;

// A value that is kept in memory.
typedef struct Buffer {
  const Node *node; // whose value it holds
  int64_t bytes;    // at the full batch; 0: not in memory
  LPlace place;     // arena offsets are filled in by plan
} Buffer;

// A value that a kernel's node reads: a leaf in memory or another kernel node, of this kernel or not.
typedef struct Read {
  const Node *node;
  Access access; // in terms of the reader's own element
} Read;

typedef VEC(Read) Reads;
typedef VEC(const Node *) NodeList;

// A fused group. `nodes` are computed one by one, in this order; what lies between them is inlined where it is used.
typedef struct Kernel Kernel;
typedef struct KernelGraph KernelGraph;
struct Kernel {
  KernelKind kind;
  int id; // place in the order that fuse gave
  const char *name;
  const Node *root;          // the product, reduction or scatter; MAP: the first node
  int rows;                  // ROW: how many leading dimensions make a row
  NodeList nodes;            // those in memory have a buffer
  VEC(int) stages;           // of each node; ROW: nodes of one stage share a loop over the row's elements
  NodeList reads;            // computed by other kernels, or leaves in memory
  VEC(const Kernel *) after; // kernels that compute what this one reads, or read what it overwrites
  KernelGraph *body;         // SCAN
};

struct KernelGraph {
  Arena *arena;
  const Graph *graph;
  const GraphScan *scan;   // whose body it is; NULL: a function
  NodeList nodes;          // graph->nodes, then copies that fuse added: a node's id is its place here
  VEC(Kernel *) kernels;   // in the order of execution
  VEC(Kernel *) prepared;  // after prepare: those that run before a series of calls, in order
  bool *steady;            // for each node id, after prepare: it follows from slots that are only read; NULL: not known
  Reads *reads;            // for the id of each node that a kernel computes
  Buffer *buffers;         // for each node id
  int *kernel_of;          // for each node id: Kernel.id of the kernel that computes it, -1
  int64_t prepared_bytes;  // after prepare: of the values of `prepared`
  int64_t arena_bytes;     // after plan
  int64_t unplanned_bytes; // had every buffer a place of its own
};

typedef struct KernelOptions {
  bool fuse;  // off: a kernel for each node
  bool order; // off: in the order of the graph
  bool plan;  // off: no two buffers share memory
} KernelOptions;

KernelGraph *fuse(Arena *arena, const Graph *graph, const KernelOptions *options);
void prepare(KernelGraph *kernels);       // takes out kernels whose results no call changes, and in scans no step
void prepare_scans(KernelGraph *kernels); // in scans alone
void order(KernelGraph *kernels, const KernelOptions *options); // rearranges kernels so that less is alive at once
void plan(KernelGraph *kernels, const KernelOptions *options);  // liveness, in-place reuse, offsets
void kernels_print(Text *out, const KernelGraph *kernels);
void plan_print(Text *out, const KernelGraph *kernels); // the map of the arena, peak, peak without planning

// Is the node one that the nest computes before all else, so that it takes nothing from its own kernel? None of maps and rows is.
bool kernel_begins_with(KernelKind kind, const Node *root, const Node *node);
enum { MOST_SUMS = 2 }; // reductions of one kernel whose last axis stays, over the same axes (loops/nest_columns.c)

// What one value of what a scan carries takes; its buffer is two of these, read and written in turn.
int64_t scan_carried_bytes(const Type *type, int64_t batch);

// The buffers that live in the arena, as positions in kernels->kernels; first -1: not in the arena.
typedef struct Life {
  int first, last;
} Life;
Life *plan_lives(const KernelGraph *kernels); // for each node id
// The offset of the tightest gap of so many bytes between what is alive while the kernel at that position runs, or behind it.
int64_t plan_gap(const KernelGraph *kernels, const Life *lives, int at, int64_t bytes);

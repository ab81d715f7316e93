// Private to fuse*.c.
#pragma once
#include "passes/kernels.h"

typedef struct Fusion {
  Arena *arena;
  const Graph *graph;
  const KernelOptions *options;
  KernelGraph *result;
  int room;            // node ids are below it
  bool *needed;        // some output or update depends on it
  bool *stored;        // computed by a kernel of its own right, not inlined
  bool *alone;         // never merged: copies that end a function
  LPlace *destination; // where the node must end up; index NO_DESTINATION: anywhere
  const Slot **slot;   // the slot it overwrites
  Reads *reads;        // of stored nodes
  NodeList *after;     // further nodes that must be computed before
} Fusion;

enum { NO_DESTINATION = -2 };

// The nodes of one kernel.
typedef struct Group {
  KernelKind kind;
  const Node *root;
  int rows;
  NodeList nodes; // ascending ids
} Group;

typedef VEC(Group *) GroupList;

// Fills in `stored` for all nodes that exist.
void fuse_store(Fusion *fusion, bool fuse);
// The stored nodes in groups, each after those it needs.
GroupList fuse_merge(Fusion *fusion, bool fuse);
// Names each kernel after its scopes and operations.
void fuse_name(Fusion *fusion);

// Does stored node `id` read the slot as it was?
bool fuse_reads_slot(const Fusion *fusion, int id, const Slot *slot);
// Does it read more of the slot than the element at the place that is computed?
bool fuse_reads_slot_elsewhere(const Fusion *fusion, const Node *reader, const Slot *slot);
// A leaf that is loaded: input, slot, dense constant, clock.
bool node_is_memory(const Node *node);

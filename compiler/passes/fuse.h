// Private to fuse.c, fuse_store.c and fuse_name.c.
#pragma once
#include "passes/kernels.h"

typedef struct Fusion {
  Arena *arena;
  const Graph *graph;
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

// Fills in `stored` for all nodes that exist.
void fuse_store(Fusion *fusion, bool fuse);
// Names each kernel after its scopes and operations.
void fuse_name(Fusion *fusion);

// A leaf that is loaded: input, slot, dense constant, clock.
bool node_is_memory(const Node *node);

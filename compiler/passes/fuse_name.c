// Names for kernels: C identifiers made of the layer call and the operations, dense_0_matmul_max, or of the slot that is
// updated, classifier_dense_0_w_update. Unique in their function.
#include <ctype.h>
#include <string.h>

#include "base/names.h"
#include "graph/ops.h"
#include "passes/fuse.h"

enum { LONGEST_SCOPE = 40 };

static char *identifier(Arena *arena, const char *text) {
  char *name = arena_printf(arena, "%s%s", isdigit((unsigned char)text[0]) ? "_" : "", text);
  for (char *c = name; *c; c++)
    if (!isalnum((unsigned char)*c))
      *c = '_';
  return name;
}

// The whole path of calls, or its end where that would be long.
static const char *scope_end(const char *scope) {
  while (strlen(scope) > LONGEST_SCOPE && strchr(scope, '.'))
    scope = strchr(scope, '.') + 1;
  return scope;
}

static const Slot *updated(const Fusion *fusion, const Kernel *kernel) {
  const Slot *found = NULL;
  for (int i = 0; i < kernel->nodes.count; i++) {
    const Slot *slot = fusion->slot[kernel->nodes.data[i]->id];
    if (slot && (!found || slot->kind < found->kind))
      found = slot;
  }
  return found;
}

static const char *kernel_name(const Fusion *fusion, const Kernel *kernel) {
  Arena *arena = fusion->arena;
  const Slot *slot = updated(fusion, kernel);
  if (slot)
    return identifier(arena, arena_printf(arena, "%s_update", scope_end(slot->name)));
  const Node *root = kernel->root, *last = kernel->nodes.data[kernel->nodes.count - 1];
  const char *scope = root->scope ? scope_end(root->scope) : "";
  const char *first = root->op == OP_stop_gradient ? "copy" : op_name(root->op);
  const char *name = arena_printf(arena, "%s%s%s", scope, *scope ? "_" : "", first);
  if (last->op != root->op && root->op != OP_scan)
    name = arena_printf(arena, "%s_%s", name, last->op == OP_stop_gradient ? "copy" : op_name(last->op));
  return identifier(arena, name);
}

// The name itself, or with the first number from 2 on that makes it new. `used`: under each name the last number tried.
static const char *unique(Arena *arena, NameTable *used, const char *base) {
  const char *name = base;
  while (names_find(used, name))
    name = arena_printf(arena, "%s_%d", base, ++*names_at(arena, used, base));
  *names_at(arena, used, name) = 1;
  return name;
}

void fuse_name(Fusion *fusion) {
  NameTable used = {0};
  for (int i = 0; i < fusion->result->kernels.count; i++) {
    Kernel *kernel = fusion->result->kernels.data[i];
    kernel->name = unique(fusion->arena, &used, kernel_name(fusion, kernel));
  }
}

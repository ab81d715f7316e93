// Merging kernels. Takes the stored nodes with what they read, gives groups of them that one loop nest can compute, each
// after those it needs. Every node starts as a group of its own; groups merge where the nests fit together, what one
// takes from the other is at hand where it is needed, no slot is overwritten too early, and no cycle arises.
#include "graph/ops.h"
#include "passes/flat.h"
#include "passes/fuse.h"

typedef struct Groups {
  Fusion *fusion;
  Group **of; // by node id; NULL: not stored
  VEC(Group *) all;
  int *seen, stamp; // by id of a group's first node
} Groups;

// ---- what fits together
static Group *group_new(Fusion *fusion, const Node *node) {
  Group *group = arena_new_of(fusion->arena, Group);
  group->root = node;
  OpClass class = op_info[node->op].class;
  group->kind = class == CONTRACT    ? KERNEL_CONTRACT
                : class == SCATTER   ? KERNEL_SCATTER
                : class == ATTENTION ? KERNEL_ATTENTION
                : class == SCAN      ? KERNEL_SCAN
                                     : KERNEL_MAP;
  if (class == REDUCE) {
    int rank = node->inputs[0]->type.rank, count = node->attr->axis_count;
    bool trailing = count == 0 || node->attr->axis[0] == rank - count;
    for (int i = 1; i < count; i++)
      trailing = trailing && node->attr->axis[i] == node->attr->axis[i - 1] + 1;
    group->kind = trailing ? KERNEL_ROW : KERNEL_REDUCE;
    group->rows = node->type.rank;
  }
  vec_push(fusion->arena, &group->nodes, node);
  return group;
}

static const Type *map_shape(const Group *group) {
  return &group->nodes.data[0]->type;
}

static int64_t capacity(const Groups *groups, const Type *type) {
  return type_count(type, groups->fusion->graph->batch);
}

// The largest thing a group goes through.
static int64_t extent(const Groups *groups, const Group *group) {
  int64_t most = 0;
  for (int i = 0; i < group->nodes.count; i++) {
    const Node *node = group->nodes.data[i];
    const Type *type = op_info[node->op].class == REDUCE ? &node->inputs[0]->type : &node->type;
    int64_t count = capacity(groups, type);
    most = count > most ? count : most;
  }
  return most;
}

static bool same_leading(const Type *a, const Type *b, int count) {
  if (a->rank < count || b->rank < count)
    return false;
  for (int i = 0; i < count; i++)
    if (a->dim[i] != b->dim[i])
      return false;
  return true;
}

// Rows are the units shared out: too few of them, or all in one, must not swallow work that could be shared.
static bool row_takes(const Groups *groups, const Group *row, const Group *other) {
  enum { SMALL = 4096, LARGE = 65536, ROWS = 8 };
  if (!same_leading(&row->root->type, map_shape(other), row->rows))
    return false;
  int64_t size = extent(groups, other), rows = capacity(groups, &row->root->type);
  if (row->rows == 0)
    return size <= SMALL && extent(groups, row) <= SMALL;
  return rows >= ROWS || size <= LARGE;
}

// Values and lse, or gradients of keys and values, of one attention: made of the same tiles of weights.
static bool same_attention(const Node *a, const Node *b) {
  bool forward = a->op == OP_attention || a->op == OP_attention_lse;
  bool other = b->op == OP_attention || b->op == OP_attention_lse;
  if (forward != other || a->op == OP_attention_dq || b->op == OP_attention_dq || a->input_count != b->input_count ||
      a->attr->real != b->attr->real || a->attr->integer != b->attr->integer)
    return false;
  for (int i = 0; i < a->input_count; i++)
    if (a->inputs[i] != b->inputs[i])
      return false;
  return true;
}

static int count_sums(const Group *group) {
  int count = 0;
  for (int i = 0; i < group->nodes.count; i++)
    count += op_info[group->nodes.data[i]->op].class == REDUCE;
  return count;
}

// Is the value made of what windows see, element by element? A sum of that has a nest of its own, for one sum.
static bool seen_by_windows(const Fusion *fusion, const Node *node) {
  if (node->op == OP_window || node->op == OP_slide)
    return true;
  if (op_info[node->op].class != POINT)
    return false;
  for (int i = 0; i < node->input_count; i++)
    if (!fusion->stored[node->inputs[i]->id] && seen_by_windows(fusion, node->inputs[i]))
      return true;
  return false;
}

// Do both go down the same axes of the same shape, and keep the last?
static bool same_columns(const Fusion *fusion, const Node *a, const Node *b) {
  if (seen_by_windows(fusion, a->inputs[0]) || seen_by_windows(fusion, b->inputs[0]))
    return false;
  return flat_keeps_last(a) && flat_keeps_last(b) && type_equal(&a->inputs[0]->type, &b->inputs[0]->type) &&
         attr_same_axes(a->attr, b->attr);
}

// The kind of kernel that computes both, in *kind and *root. False if there is none.
static bool kind_of_both(const Groups *groups, const Group *a, const Group *b, Group *both) {
  if (a->kind == KERNEL_MAP && b->kind != KERNEL_MAP) {
    const Group *swap = a;
    a = b;
    b = swap;
  }
  both->kind = a->kind;
  both->root = a->root;
  both->rows = a->rows;
  if (b->kind == KERNEL_ROW)
    return a->kind == KERNEL_ROW && a->rows == b->rows && type_same_shape(&a->root->type, &b->root->type) &&
           row_takes(groups, a, b);
  if (a->kind == KERNEL_ATTENTION && b->kind == KERNEL_ATTENTION)
    return same_attention(a->root, b->root);
  if (a->kind == KERNEL_REDUCE && b->kind == KERNEL_REDUCE)
    return same_columns(groups->fusion, a->root, b->root) && count_sums(a) + count_sums(b) <= MOST_SUMS;
  if (b->kind != KERNEL_MAP)
    return false;
  switch (a->kind) {
  case KERNEL_MAP:
    both->root = a->root->id < b->root->id ? a->root : b->root;
    return type_same_shape(map_shape(a), map_shape(b));
  case KERNEL_ROW:
    return row_takes(groups, a, b);
  case KERNEL_REDUCE:
  case KERNEL_CONTRACT:
    return type_same_shape(&a->root->type, map_shape(b));
  default:
    return false;
  }
}

bool kernel_begins_with(KernelKind kind, const Node *root, const Node *node) {
  if (kind == KERNEL_REDUCE)
    return op_info[node->op].class == REDUCE;
  return kind != KERNEL_MAP && kind != KERNEL_ROW && node == root;
}

// May `reader`, of the group `both`, take `read` from its own group? A root is computed before all else.
static bool inner_read_allowed(const Group *both, const Node *reader, const Read *read) {
  if (both->kind == KERNEL_ROW)
    return access_leading(&read->access, both->rows);
  if (kernel_begins_with(both->kind, both->root, reader))
    return false;
  return access_is_identity(&read->access) && type_same_shape(&reader->type, &read->node->type);
}

static bool member_allowed(const Groups *groups, const Group *a, const Group *b, const Group *both, const Node *node) {
  const Fusion *fusion = groups->fusion;
  for (int i = 0; i < fusion->reads[node->id].count; i++) {
    const Read *read = &fusion->reads[node->id].data[i];
    const Group *from = groups->of[read->node->id];
    if (from && (from == a || from == b) && !inner_read_allowed(both, node, read))
      return false;
  }
  return true;
}

// What one node overwrites, the others may read only at the same place and before, which loops over rows do not promise.
static bool overwrite_allowed(const Groups *groups, const Group *both, const NodeList *readers, const Node *node) {
  const Fusion *fusion = groups->fusion;
  const Slot *slot = fusion->slot[node->id];
  for (int i = 0; slot && i < readers->count; i++) {
    const Node *reader = readers->data[i];
    if (reader == node || !fuse_reads_slot(fusion, reader->id, slot))
      continue;
    if (both->kind == KERNEL_ROW || fuse_reads_slot_elsewhere(fusion, reader, slot))
      return false;
  }
  return true;
}

static bool path(Groups *groups, const Group *from, const Group *to);

static bool path_by(Groups *groups, const Node *node, const Group *from, const Group *to) {
  const Group *next = groups->of[node->id];
  if (!next || next == from)
    return false;
  if (next == to)
    return true;
  int *seen = &groups->seen[next->nodes.data[0]->id];
  if (*seen == groups->stamp)
    return false;
  *seen = groups->stamp;
  return path(groups, next, to);
}

// Does `from` need what `to` computes?
static bool path(Groups *groups, const Group *from, const Group *to) {
  const Fusion *fusion = groups->fusion;
  for (int i = 0; i < from->nodes.count; i++) {
    int id = from->nodes.data[i]->id;
    for (int k = 0; k < fusion->reads[id].count; k++)
      if (path_by(groups, fusion->reads[id].data[k].node, from, to))
        return true;
    for (int k = 0; k < fusion->after[id].count; k++)
      if (path_by(groups, fusion->after[id].data[k], from, to))
        return true;
  }
  return false;
}

static bool path_around_by(Groups *groups, const Node *node, const Group *from, const Group *to) {
  const Group *next = groups->of[node->id];
  return next && next != from && next != to && path_by(groups, node, from, to);
}

// Does `from` need `to` by way of a third group?
static bool path_around(Groups *groups, const Group *from, const Group *to) {
  const Fusion *fusion = groups->fusion;
  groups->stamp++;
  for (int i = 0; i < from->nodes.count; i++) {
    int id = from->nodes.data[i]->id;
    for (int k = 0; k < fusion->reads[id].count; k++)
      if (path_around_by(groups, fusion->reads[id].data[k].node, from, to))
        return true;
    for (int k = 0; k < fusion->after[id].count; k++)
      if (path_around_by(groups, fusion->after[id].data[k], from, to))
        return true;
  }
  return false;
}

static void merge(Groups *groups, Group *a, Group *b, const Group *both) {
  NodeList nodes = {0};
  Arena *arena = groups->fusion->arena;
  for (int i = 0, k = 0; i < a->nodes.count || k < b->nodes.count;) {
    bool first = k == b->nodes.count || (i < a->nodes.count && a->nodes.data[i]->id < b->nodes.data[k]->id);
    vec_push(arena, &nodes, first ? a->nodes.data[i++] : b->nodes.data[k++]);
  }
  *a = *both;
  a->nodes = nodes;
  for (int i = 0; i < nodes.count; i++)
    groups->of[nodes.data[i]->id] = a;
  b->nodes.count = 0;
}

// What is computed again would lie in memory all the time beside what was computed first.
static bool again_beside_first(const Node *a, const Node *b) {
  return (a->again && !b->again && !b->gradient) || (b->again && !a->again && !a->gradient);
}

static bool apart(const Group *a, const Group *b) {
  for (int i = 0; i < a->nodes.count; i++)
    for (int k = 0; k < b->nodes.count; k++)
      if (again_beside_first(a->nodes.data[i], b->nodes.data[k]))
        return true;
  return false;
}

static bool try_merge(Groups *groups, Group *a, Group *b) {
  const Fusion *fusion = groups->fusion;
  if (a == b || fusion->alone[a->nodes.data[0]->id] || fusion->alone[b->nodes.data[0]->id])
    return false;
  Group both = {0};
  if (!kind_of_both(groups, a, b, &both) || apart(a, b))
    return false;
  const Group *halves[] = {a, b};
  for (int h = 0; h < 2; h++)
    for (int i = 0; i < halves[h]->nodes.count; i++) {
      const Node *node = halves[h]->nodes.data[i];
      if (!member_allowed(groups, a, b, &both, node) || !overwrite_allowed(groups, &both, &a->nodes, node) ||
          !overwrite_allowed(groups, &both, &b->nodes, node))
        return false;
    }
  if (path_around(groups, a, b) || path_around(groups, b, a))
    return false;
  merge(groups, a, b, &both);
  return true;
}

// A scan computes its results, and nothing else joins it.
static void merge_scans(Groups *groups) {
  Fusion *fusion = groups->fusion;
  for (int i = 0; i < fusion->result->nodes.count; i++) {
    const Node *node = fusion->result->nodes.data[i];
    if (!groups->of[i] || op_info[node->op].class != SCAN)
      continue;
    fusion->alone[i] = true;
    Group *scan = groups->of[node->op == OP_scan ? i : node->inputs[0]->id], both = *scan;
    if (node->op == OP_scan_result)
      merge(groups, scan, groups->of[i], &both);
  }
}

// A kernel takes in those that compute what it reads.
static void merge_with_producers(Groups *groups) {
  const Fusion *fusion = groups->fusion;
  for (int i = 0; i < fusion->result->nodes.count; i++) {
    if (!groups->of[i])
      continue;
    for (int k = 0; k < fusion->reads[i].count; k++) {
      Group *producer = groups->of[fusion->reads[i].data[k].node->id];
      if (producer)
        try_merge(groups, producer, groups->of[i]);
    }
  }
}

static bool share_a_read(const Groups *groups, const Group *a, const Group *b) {
  const Fusion *fusion = groups->fusion;
  for (int i = 0; i < a->nodes.count; i++)
    for (int k = 0; k < b->nodes.count; k++) {
      const Reads *left = &fusion->reads[a->nodes.data[i]->id], *right = &fusion->reads[b->nodes.data[k]->id];
      for (int l = 0; l < left->count; l++)
        for (int r = 0; r < right->count; r++)
          if (left->data[l].node == right->data[r].node && left->data[l].node->type.rank > 0 &&
              access_equal(&left->data[l].access, &right->data[r].access))
            return true;
    }
  return false;
}

// Kernels side by side: those that read the same, and whatever is only scalars.
static bool siblings(const Groups *groups, const Group *a, const Group *b) {
  if (a->kind == KERNEL_ATTENTION && b->kind == KERNEL_ATTENTION)
    return true;
  if (a->kind == KERNEL_MAP && b->kind == KERNEL_MAP && map_shape(a)->rank == 0 && map_shape(b)->rank == 0)
    return true;
  bool rows = a->kind == KERNEL_ROW && b->kind == KERNEL_ROW;
  bool columns = a->kind == KERNEL_REDUCE && b->kind == KERNEL_REDUCE;
  bool maps = a->kind == KERNEL_MAP && b->kind == KERNEL_MAP;
  if (rows && a->rows == 0 && b->rows == 0)
    return true;
  return (rows || maps || columns) && share_a_read(groups, a, b);
}

static void merge_siblings(Groups *groups) {
  for (int i = 0; i < groups->all.count; i++)
    for (int k = i + 1; k < groups->all.count; k++) {
      Group *a = groups->all.data[i], *b = groups->all.data[k];
      if (a->nodes.count && b->nodes.count && siblings(groups, a, b))
        try_merge(groups, a, b);
    }
}

// ---- the order of groups
// Depth first through what a group needs.
static void sort_group(Groups *groups, Group *group, GroupList *sorted) {
  Fusion *fusion = groups->fusion;
  int *seen = &groups->seen[group->nodes.data[0]->id];
  if (*seen == groups->stamp)
    return;
  *seen = groups->stamp;
  for (int i = 0; i < group->nodes.count; i++) {
    int id = group->nodes.data[i]->id;
    for (int k = 0; k < fusion->reads[id].count; k++) {
      Group *needed = groups->of[fusion->reads[id].data[k].node->id];
      if (needed && needed != group)
        sort_group(groups, needed, sorted);
    }
    for (int k = 0; k < fusion->after[id].count; k++) {
      Group *needed = groups->of[fusion->after[id].data[k]->id];
      if (needed && needed != group)
        sort_group(groups, needed, sorted);
    }
  }
  vec_push(fusion->arena, sorted, group);
}

GroupList fuse_merge(Fusion *fusion, bool fuse) {
  Groups groups = {.fusion = fusion,
                   .of = arena_array(fusion->arena, Group *, fusion->room),
                   .seen = arena_array(fusion->arena, int, fusion->room)};
  GroupList sorted = {0};
  for (int i = 0; i < fusion->result->nodes.count; i++) {
    if (!fusion->stored[i])
      continue;
    groups.of[i] = group_new(fusion, fusion->result->nodes.data[i]);
    vec_push(fusion->arena, &groups.all, groups.of[i]);
  }
  merge_scans(&groups);
  if (fuse) {
    merge_with_producers(&groups);
    merge_siblings(&groups);
  }
  groups.stamp++;
  for (int i = 0; i < fusion->result->nodes.count; i++)
    if (groups.of[i])
      sort_group(&groups, groups.of[i], &sorted);
  return sorted;
}

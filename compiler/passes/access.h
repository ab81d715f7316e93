// Which elements of a value a node reads: the index of each dimension of the value in terms of the reader's own.
#pragma once
#include "graph/graph.h"

enum { INDEX_ZERO = -1, INDEX_OTHER = -2 };

// dim[d]: the reader's dimension whose index is that of dimension d; INDEX_ZERO: always element 0; INDEX_OTHER: anything.
typedef struct Access {
  int rank;
  signed char dim[MAX_RANK];
} Access;

Access access_identity(int rank);
bool access_equal(const Access *a, const Access *b);
// The access of input `input` of `node`, when `node` itself is read by `access`.
Access access_through(const Node *node, int input, const Access *access);
// The first `count` dimensions are the reader's first `count`, and nothing else is asked of the rest.
bool access_leading(const Access *access, int count);
// Every dimension is the reader's own of that number.
static inline bool access_is_identity(const Access *access) {
  return access_leading(access, access->rank);
}

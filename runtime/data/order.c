// The order of an epoch: shuffled; where samples are texts that are bucketed, those of similar length lie in one batch.
// Nothing is allocated, and nothing but seed, epoch and batch is asked: a resumed run has the same order.
#include "data/dataset.h"
#include "random.h"

static uint64_t stream_of(uint64_t kind, int64_t epoch) {
  return kind << 56 | ((uint64_t)epoch & (UINT64_MAX >> 8));
}

static void swap(int64_t *a, int64_t *b) {
  int64_t kept = *a;
  *a = *b;
  *b = kept;
}

// "Algorithm 235: random permutation" (Durstenfeld, CACM 7, 1964), of `count` groups of `size` places each. Streams of orders
// are told from other streams by their top byte.
static void permute(uint64_t seed, uint64_t stream, int64_t count, int64_t size, int64_t *order) {
  uint64_t element = 0;
  for (int64_t i = count - 1; i > 0; i--) {
    int64_t j = (int64_t)nnrt_below(seed, stream, &element, (uint64_t)i + 1);
    for (int64_t k = 0; k < size; k++)
      swap(&order[i * size + k], &order[j * size + k]);
  }
}

// ---- sorting in place, stable: merges by rotation (Dudzinski and Dydek, "On a stable minimum storage merging algorithm",
// Information Processing Letters 12, 1981)
static void turn_round(int64_t *first, int64_t *end) {
  while (first < end)
    swap(first++, --end);
}

// first … middle-1 and middle … end-1 change places.
static void rotate(int64_t *first, int64_t *middle, int64_t *end) {
  turn_round(first, middle);
  turn_round(middle, end);
  turn_round(first, end);
}

// The first of the sorted first … end-1 whose length is not below `length`; `behind`: that is above it.
static int64_t *bound(const int64_t *lengths, int64_t *first, int64_t *end, int64_t length, bool behind) {
  while (first < end) {
    int64_t *middle = first + (end - first) / 2;
    if (lengths[*middle] < length || (behind && lengths[*middle] == length))
      first = middle + 1;
    else
      end = middle;
  }
  return first;
}

static void merge(const int64_t *lengths, int64_t *first, int64_t *middle, int64_t *end) {
  if (first == middle || middle == end || lengths[middle[-1]] <= lengths[*middle])
    return;
  if (end - first == 2) {
    swap(first, middle);
    return;
  }
  bool left = middle - first > end - middle;
  int64_t *low = left ? first + (middle - first) / 2 : NULL, *high = left ? NULL : middle + (end - middle) / 2;
  if (left)
    high = bound(lengths, middle, end, lengths[*low], false);
  else
    low = bound(lengths, first, middle, lengths[*high], true);
  rotate(low, middle, high);
  middle = low + (high - middle);
  merge(lengths, first, low, middle);
  merge(lengths, middle, high, end);
}

static void sort(const int64_t *lengths, int64_t *order, int64_t count) {
  if (count < 2)
    return;
  sort(lengths, order, count / 2);
  sort(lengths, order + count / 2, count - count / 2);
  merge(lengths, order, order + count / 2, order + count);
}

// Samples that fill no batch stay last, as they were drawn.
static void bucket(const NnrtDataset *set, uint64_t seed, int64_t epoch, int64_t batch, int64_t *order) {
  int64_t batches = set->info.count[NNRT_PART_TRAIN] / batch;
  for (int64_t first = 0, taken; first < batches; first += taken) {
    taken = batches - first < set->pool ? batches - first : set->pool;
    sort(set->lengths, order + first * batch, taken * batch);
  }
  permute(seed, stream_of(0xDB, epoch), batches, batch, order);
}

void nnrt_data_order(const NnrtDataset *set, NnrtPartKind part, int64_t seed, int64_t epoch, int64_t batch,
                     int64_t *order) {
  int64_t count = set->info.count[part];
  for (int64_t i = 0; i < count; i++)
    order[i] = i;
  if (part != NNRT_PART_TRAIN || set->in_order)
    return;
  permute((uint64_t)seed, stream_of(0xDA, epoch), count, 1, order);
  if (set->lengths && batch > 1)
    bucket(set, (uint64_t)seed, epoch, batch, order);
}

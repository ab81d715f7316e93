// Teams: their barrier, and rounds that are dealt.
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "nnrt.h"

// ---- the barrier
static int64_t arrived[8], after[8];
static void meet(const NnrtFrame *frame, int thread, int threads) {
  (void)frame;
  __atomic_store_n(&arrived[thread], threads, __ATOMIC_SEQ_CST);
  nnrt_barrier();
  for (int i = 0; i < threads; i++)
    after[thread] += __atomic_load_n(&arrived[i], __ATOMIC_SEQ_CST);
}

Test(threads, a_team_meets_at_a_barrier) {
  NnrtFrame frame = {0};
  for (int threads = 1; threads <= 4; threads++) {
    memset(arrived, 0, sizeof arrived);
    memset(after, 0, sizeof after);
    nnrt_parallel(threads, meet, &frame);
    for (int i = 0; i < threads; i++)
      cr_assert_eq(after[i], (int64_t)threads * threads);
  }
}

// ---- rounds
enum { ROUNDS = 100, LOOPS = 40, MOST = 9 };
static atomic_int done[LOOPS][ROUNDS], used[MOST];
static int64_t rounds_of(int loop) {
  return loop % 4 == 0 ? ROUNDS : loop % 4; // fewer than threads, too
}

// More loops between two barriers than are dealt, each of their rounds counted.
static void go_through(const NnrtFrame *frame, int thread, int threads) {
  (void)thread, (void)threads;
  int among = frame->threads;
  atomic_fetch_add(&used[nnrt_thread()], 1);
  for (int loop = 0; loop < LOOPS; loop++) {
    for (int64_t round = nnrt_deal(rounds_of(loop), among); round >= 0; round = nnrt_next()) {
      cr_assert(among == 0 || nnrt_thread() < among);
      atomic_fetch_add(&done[loop][round], 1);
    }
    if (loop % 20 == 19)
      nnrt_barrier();
  }
}

static void check_rounds(int threads, int among) {
  memset(done, 0, sizeof done);
  memset(used, 0, sizeof used);
  nnrt_parallel(threads, go_through, &(NnrtFrame){.threads = among});
  for (int loop = 0; loop < LOOPS; loop++)
    for (int round = 0; round < ROUNDS; round++)
      cr_assert_eq(done[loop][round], round < rounds_of(loop), "%d threads, loop %d, round %d", threads, loop, round);
  for (int i = 0; i < MOST; i++)
    cr_assert_eq(used[i], i < threads, "%d threads have number %d", used[i], i);
}

Test(threads, each_round_is_dealt_once) {
  for (int repeat = 0; repeat < 50; repeat++)
    for (int threads = 1; threads < MOST; threads++)
      check_rounds(threads, repeat % 3);
}

// The first thread stays with its first round until the others are done: the second does what is left of its stretch.
enum { SHARED_ROUNDS = 8, PATIENCE = 10000 }; // milliseconds
static atomic_int finished;
static void with_one_that_waits(const NnrtFrame *frame, int thread, int threads) {
  (void)frame, (void)thread, (void)threads;
  for (int64_t round = nnrt_deal(SHARED_ROUNDS, 0); round >= 0; round = nnrt_next()) {
    for (int i = 0; i < PATIENCE && nnrt_thread() == 0 && atomic_load(&finished) < SHARED_ROUNDS - 1; i++)
      usleep(1000);
    cr_assert(nnrt_thread() != 0 || atomic_load(&finished) == SHARED_ROUNDS - 1);
    atomic_fetch_add(&finished, 1);
  }
}

Test(threads, who_is_done_takes_what_others_have_not_begun) {
  nnrt_parallel(2, with_one_that_waits, &(NnrtFrame){0});
  cr_assert_eq(atomic_load(&finished), SHARED_ROUNDS);
}

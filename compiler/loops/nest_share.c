// Loops over work that threads share out: rounds of equal blocks, and stretches with scratch memory of their own.
#include "loops/nest.h"

void nest_blocks(Lower *lower, LExpr *count, int64_t capacity, int64_t block, LExpr **from, LExpr **to) {
  LExpr *each = nest_i64(lower, block);
  LExpr *rounds = nest_div(lower, nest_add(lower, count, nest_i64(lower, block - 1)), each);
  LExpr *task = nest_loop(lower, LS_PARALLEL, "task", nest_i64(lower, 0), rounds, 1);
  *from = nest_let(lower, "from", nest_mul(lower, task, each));
  *to = nest_add(lower, *from, each);
  if (count->op != LX_CONST || capacity % block)
    *to = nest_min(lower, *to, count);
}

LExpr *nest_rounds(Lower *lower, const char *name, LExpr *count, int64_t capacity, int64_t block, bool shared,
                   int *scopes) {
  *scopes = 1;
  if (!shared)
    return nest_loop(lower, LS_FOR, name, nest_i64(lower, 0), count, 1);
  enum { ROUNDS = 8 }; // at least, so that threads end together
  if (block > capacity / ROUNDS)
    block = capacity / ROUNDS;
  if (block <= 1)
    return nest_loop(lower, LS_PARALLEL, name, nest_i64(lower, 0), count, 1);
  LExpr *from, *to;
  nest_blocks(lower, count, capacity, block, &from, &to);
  *scopes = 2;
  return nest_loop(lower, LS_FOR, name, from, to, 1);
}

LExpr *nest_rounds_over(Lower *lower, const char *name, const Dim *dims, int count, int64_t operations, bool shared,
                        int *scopes) {
  int64_t capacity = nest_capacity(lower, dims, count), each = lower->out->work / nest_at_least(capacity, 1) + 1;
  return nest_rounds(lower, name, nest_count(lower, dims, count), capacity, operations / each, shared, scopes);
}

LExpr *nest_outputs(Lower *lower, const char *name, const Type *out, int count, bool shared, LExpr **index,
                    int *scopes) {
  enum { OPERATIONS = 4096 };
  int at[MAX_RANK], outer = 0;
  Dim dims[MAX_RANK];
  *scopes = 0;
  for (int i = 0; i < count; i++) {
    index[i] = nest_i64(lower, 0);
    if (out->dim[i] != 1) {
      dims[outer] = out->dim[i];
      at[outer++] = i;
    }
  }
  if (!outer)
    return nest_i64(lower, 0);
  LExpr *number = nest_rounds_over(lower, name, dims, outer, OPERATIONS, shared, scopes);
  nest_unravel(lower, number, out->dim, at, outer, index);
  for (int i = 0; i < outer; i++)
    index[at[i]] = nest_let(lower, "i", index[at[i]]);
  return number;
}

// A number that the kernel asks for, at least `least`.
static LExpr *asked(Lower *lower, LVar **var, const char *name, int64_t least) {
  if (!*var) {
    *var = lvar_new(lower->arena, nest_name(lower, name), L_I64);
    (*var)->ranged = true;
    (*var)->range = (LRange){least, LRANGE_END};
  }
  return lx_var(lower->arena, *var);
}

bool nest_shares_scratch(const Lower *lower) {
  return lower->out->work >= SHARED_WORK && !lower->target->one_thread;
}

int64_t nest_most_shares(int64_t bytes) {
  enum { LEAST = 8, MOST = 64, ALL = 16 << 20 };
  int64_t count = ALL / (bytes + 1);
  return count < LEAST ? LEAST : count > MOST ? MOST : count;
}

// The present stretch: of all parts those from all * number / count on.
static LExpr *open_stretch(Lower *lower, Shares *shares, const char *name, LExpr *all, LExpr *count) {
  LExpr *zero = nest_i64(lower, 0), *one = nest_i64(lower, 1);
  LExpr *number = nest_loop(lower, LS_PARALLEL, name, zero, count, 1), *next = nest_add(lower, number, one);
  shares->first = nest_let(lower, "from", nest_div(lower, nest_mul(lower, all, number), count));
  shares->last = nest_let(lower, "to", nest_div(lower, nest_mul(lower, all, next), count));
  return number;
}

// How many threads there is scratch memory for.
static LExpr *sharing(Lower *lower, int64_t most) {
  LExpr *team = asked(lower, &lower->out->threads, "threads", 1);
  return nest_let(lower, "shares", nest_min(lower, team, nest_i64(lower, most)));
}

LExpr *nest_shares(Lower *lower, Shares *shares, LExpr *outer, int64_t inner, int64_t most) {
  LExpr *zero = nest_i64(lower, 0), *one = nest_i64(lower, 1), *parts = nest_i64(lower, inner);
  LExpr *all = nest_mul(lower, outer, parts);
  *shares = (Shares){.first = zero, .last = all, .inner = parts};
  return most ? open_stretch(lower, shares, "share", all, sharing(lower, most))
              : nest_loop(lower, LS_FOR, "share", zero, one, 1);
}

// The loop just opened goes among `most` threads; gives the number of the present one.
static LExpr *among(Lower *lower, int64_t most) {
  LStmt *loop = lower->scopes.data[lower->scopes.count - 1].stmt;
  if (!loop) // the one round there can be
    return nest_i64(lower, 0);
  loop->most = most;
  return asked(lower, &lower->out->thread, "thread", 0);
}

LExpr *nest_dealt(Lower *lower, const char *name, LExpr *count, int64_t most, LExpr **thread) {
  LExpr *number = nest_loop(lower, LS_PARALLEL, name, nest_i64(lower, 0), count, 1);
  *thread = among(lower, most);
  return number;
}

LExpr *nest_dealt_shares(Lower *lower, Shares *shares, LExpr *outer, int64_t inner, int64_t most) {
  enum { FINE = 16 }; // things for each thread, at least: one more or less of them is little
  if (!most)
    return nest_shares(lower, shares, outer, inner, most);
  LExpr *parts = nest_i64(lower, inner), *count = sharing(lower, most);
  LExpr *many = lx_binary(lower->arena, LX_LE, nest_mul(lower, count, nest_i64(lower, FINE)), outer);
  LExpr *stretches = nest_let(lower, "stretches", lx_select(lower->arena, many, outer, count));
  *shares = (Shares){.inner = parts};
  open_stretch(lower, shares, "stretch", nest_mul(lower, outer, parts), stretches);
  return among(lower, most);
}

LExpr *nest_share_things(Lower *lower, Shares *shares) {
  LExpr *parts = shares->inner, *up = nest_i64(lower, parts->integer - 1);
  shares->from = nest_div(lower, shares->first, parts);
  shares->to = nest_div(lower, nest_add(lower, shares->last, up), parts);
  LExpr *thing = nest_loop(lower, LS_FOR, "item", shares->from, shares->to, 1);
  shares->begin = nest_mul(lower, thing, parts);
  return thing;
}

LExpr *nest_share_parts(Lower *lower, const Shares *shares) {
  LExpr *zero = nest_i64(lower, 0), *from = zero, *to = shares->inner;
  if (shares->first->op != LX_CONST && shares->inner->integer > 1) {
    from = lx_binary(lower->arena, LX_SUB, shares->first, shares->begin);
    from = nest_let(lower, "first", lx_binary(lower->arena, LX_MAX, from, zero));
    to = nest_let(lower, "last", nest_min(lower, lx_binary(lower->arena, LX_SUB, shares->last, shares->begin), to));
  }
  return nest_loop(lower, LS_FOR, "part", from, to, 1);
}

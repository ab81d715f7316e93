// The loop language itself: what its constructors fold, what the checker refuses, how it prints, what it evaluates to.
#include <criterion/criterion.h>
#include <math.h>

#include "by_hand.h"

static Arena *arena;
static void begin(void) {
  arena = arena_new();
}
static void end(void) {
  arena_free(arena);
}
TestSuite(loops, .init = begin, .fini = end);

static LExpr *binary(LOp op, LExpr *a, LExpr *b) {
  return lx_binary(arena, op, a, b);
}
static LExpr *number(int64_t value) {
  return lx_i64(arena, value);
}

Test(loops, neutral_integers_vanish) {
  LExpr *x = lx_var(arena, lvar_new(arena, "x", L_I64));
  cr_assert_eq(binary(LX_ADD, x, number(0)), x);
  cr_assert_eq(binary(LX_ADD, number(0), x), x);
  cr_assert_eq(binary(LX_MUL, number(1), x), x);
  cr_assert_eq(binary(LX_DIV, x, number(1)), x);
  LExpr *none = binary(LX_MUL, x, number(0));
  cr_assert(none->op == LX_CONST && none->integer == 0);
  LExpr *rest = binary(LX_MOD, x, number(1));
  cr_assert(rest->op == LX_CONST && rest->integer == 0);
}

Test(loops, constants_join) {
  LExpr *x = lx_var(arena, lvar_new(arena, "x", L_I64));
  LExpr *sum = binary(LX_ADD, binary(LX_ADD, number(2), x), number(3));
  cr_assert(sum->op == LX_ADD && sum->args[0] == x && sum->args[1]->integer == 5);
  LExpr *less = binary(LX_SUB, binary(LX_ADD, x, number(2)), number(5));
  cr_assert(less->op == LX_SUB && less->args[1]->integer == 3);
  cr_assert_eq(binary(LX_SUB, binary(LX_ADD, x, number(2)), number(2)), x);
  LExpr *product = binary(LX_MUL, binary(LX_MUL, x, number(4)), number(8));
  cr_assert(product->op == LX_MUL && product->args[1]->integer == 32);
}

static LExpr *times(LExpr *x, int64_t by) {
  return binary(LX_MUL, x, number(by));
}

// Element [r / 30, r / 5 % 6, r % 5] of [.., 6, 5, 7] is a row of 7 of them.
Test(loops, digits_of_a_number_join) {
  LExpr *r = lx_var(arena, lvar_new(arena, "r", L_I64)), *tens = binary(LX_DIV, r, number(5));
  LExpr *high = times(binary(LX_DIV, tens, number(6)), 210), *middle = times(binary(LX_MOD, tens, number(6)), 35);
  LExpr *row = binary(LX_ADD, binary(LX_ADD, high, middle), times(binary(LX_MOD, r, number(5)), 7));
  cr_assert(row->op == LX_MUL && row->args[0] == r && row->args[1]->integer == 7);
  LExpr *whole = binary(LX_ADD, times(tens, 5), binary(LX_MOD, r, number(5)));
  cr_assert_eq(whole, r);
  LExpr *others[] = {binary(LX_ADD, times(tens, 6), binary(LX_MOD, r, number(5))),
                     binary(LX_ADD, times(tens, 5), binary(LX_MOD, r, number(4))),
                     binary(LX_ADD, times(tens, 5), binary(LX_MOD, tens, number(5))),
                     binary(LX_ADD, times(tens, -5), times(binary(LX_MOD, r, number(5)), -1))};
  for (int i = 0; i < 4; i++)
    cr_expect_eq(others[i]->op, LX_ADD, "%d", i);
}

Test(loops, reals_keep_their_identities) {
  LExpr *x = lx_var(arena, lvar_new(arena, "x", L_F32));
  cr_assert_eq(binary(LX_ADD, x, lx_real(arena, L_F32, 0))->op, LX_ADD);
  cr_assert_eq(binary(LX_MUL, x, lx_real(arena, L_F32, 0))->op, LX_MUL);
  LExpr *sum = binary(LX_ADD, lx_real(arena, L_F32, 0.1), lx_real(arena, L_F32, 0.2));
  cr_assert(sum->op == LX_CONST && sum->real == (double)(0.1f + 0.2f));
}

Test(loops, integers_wrap) {
  LExpr *sum = binary(LX_ADD, lx_int(arena, L_I32, INT32_MAX), lx_int(arena, L_I32, 1));
  cr_assert_eq(sum->integer, INT32_MIN);
  cr_assert_eq(binary(LX_MUL, lx_int(arena, L_U8, 20), lx_int(arena, L_U8, 20))->integer, 400 % 256);
  cr_assert_eq(lx_int(arena, L_U32, -1)->integer, INT64_C(0xffffffff));
  LExpr *divided = binary(LX_DIV, lx_int(arena, L_I32, INT32_MIN), lx_int(arena, L_I32, -1));
  cr_assert_eq(divided->integer, INT32_MIN);
  cr_assert_eq(binary(LX_DIV, number(-7), number(2))->integer, -3);
  cr_assert_eq(binary(LX_MOD, number(-7), number(2))->integer, -1);
  cr_assert_eq(binary(LX_DIV, number(7), number(0))->op, LX_DIV);
}

static bool is_true(const LExpr *expr) {
  return expr->op == LX_CONST && expr->type == L_BOOL && expr->integer == 1;
}

Test(loops, ranges_decide) {
  LVar *var = lvar_new(arena, "x", L_I64);
  var->ranged = true;
  var->range = (LRange){0, 999};
  LExpr *x = lx_var(arena, var);
  cr_assert(is_true(binary(LX_LT, binary(LX_MOD, x, number(10)), number(10))));
  cr_assert(is_true(binary(LX_LE, binary(LX_DIV, x, number(10)), number(99))));
  cr_assert_eq(binary(LX_LE, binary(LX_DIV, x, number(10)), number(98))->op, LX_LE);
  cr_assert_eq(binary(LX_MIN, x, number(1000)), x);
}

Test(loops, multiples_are_known_where_nothing_wraps) {
  LVar *var = lvar_new(arena, "x", L_I64);
  LExpr *x = lx_var(arena, var), *zero = number(0);
  cr_assert_eq(binary(LX_EQ, binary(LX_MOD, binary(LX_MUL, x, number(3)), number(3)), zero)->op, LX_EQ);
  cr_assert_eq(binary(LX_DIV, binary(LX_MUL, x, number(4)), number(2))->op, LX_DIV);
  var->ranged = true;
  var->range = (LRange){0, 999};
  LExpr *four = binary(LX_MUL, x, number(4));
  cr_assert(is_true(binary(LX_EQ, binary(LX_MOD, binary(LX_ADD, four, number(6)), number(2)), zero)));
  LExpr *odd = binary(LX_EQ, binary(LX_MOD, binary(LX_SUB, four, number(5)), number(2)), zero);
  cr_assert(odd->op == LX_CONST && odd->integer == 0);
  cr_assert_eq(binary(LX_EQ, binary(LX_MOD, binary(LX_ADD, x, number(6)), number(2)), zero)->op, LX_EQ);
  LExpr *part = binary(LX_DIV, binary(LX_ADD, four, number(8)), number(4));
  cr_assert(part->op == LX_ADD && part->args[0] == x && part->args[1]->integer == 2);
  cr_assert_eq(binary(LX_DIV, binary(LX_ADD, four, number(1)), number(2))->op, LX_DIV);
}

Test(loops, casts_and_bits) {
  cr_assert_eq(lx_bitcast(arena, lx_real(arena, L_F32, 1), L_U32)->integer, 0x3f800000);
  cr_assert_eq(lx_bitcast(arena, lx_int(arena, L_U64, 0x4000000000000000), L_F64)->real, 2.0);
  cr_assert_eq(lx_cast(arena, lx_real(arena, L_F64, -2.9), L_I32)->integer, -2);
  cr_assert_eq(lx_cast(arena, lx_real(arena, L_F64, 1e30), L_I64)->op, LX_CAST);
  cr_assert_eq(lx_cast(arena, lx_real(arena, L_F64, 1e-60), L_F32)->real, 0.0);
  cr_assert_eq(lx_cast(arena, lx_int(arena, L_U64, -1), L_F64)->real, 0x1p64);
}

Test(loops, maximum_passes_nan_and_is_the_first_of_equals) {
  LExpr *nan = lx_real(arena, L_F32, NAN), *one = lx_real(arena, L_F32, 1);
  cr_assert(isnan(binary(LX_MAX, nan, one)->real));
  cr_assert(isnan(binary(LX_MAX, one, nan)->real));
  LExpr *zero = binary(LX_MAX, lx_real(arena, L_F32, -0.0), lx_real(arena, L_F32, 0));
  cr_assert(signbit(zero->real));
}

static bool stride(const LExpr *index, const LVar *var, int64_t expected) {
  int64_t found = -1;
  return lx_stride(index, var, &found) && found == expected;
}

Test(loops, strides) {
  LVar *i = lvar_new(arena, "i", L_I64), *j = lvar_new(arena, "j", L_I64);
  LExpr *index =
      binary(LX_ADD, binary(LX_MUL, binary(LX_ADD, lx_var(arena, i), number(3)), number(64)), lx_var(arena, j));
  cr_assert(stride(index, i, 64));
  cr_assert(stride(index, j, 1));
  cr_assert(stride(binary(LX_SUB, index, binary(LX_MUL, number(4), lx_var(arena, i))), i, 60));
  cr_assert(stride(binary(LX_DIV, lx_var(arena, j), number(4)), i, 0));
  int64_t unused;
  cr_assert_not(lx_stride(binary(LX_DIV, lx_var(arena, i), number(4)), i, &unused));
  cr_assert_not(lx_stride(binary(LX_MUL, lx_var(arena, i), lx_var(arena, j)), i, &unused));
}

static LKernel *product(LoopModule *module) {
  LKernel *kernel = hand_kernel(module, "dense_relu_0", "digits.nn:5  dense(2) |> relu\n");
  LBuffer *x = hand_buffer(arena, kernel, "x", L_F32, 16, false),
          *w = hand_buffer(arena, kernel, "w", L_F32, 16, false);
  LBuffer *y = hand_buffer(arena, kernel, "y", L_F32, 16, true);
  x->shape = "f32[n, 4]";
  LVar *task = lvar_new(arena, "task", L_I64), *k = lvar_new(arena, "k", L_I64), *i = lvar_new(arena, "i", L_I64),
       *j = lvar_new(arena, "j", L_I64);
  LStmt *tasks =
      hand_loop(arena, &kernel->body, LS_PARALLEL, task, binary(LX_DIV, lx_var(arena, kernel->n), number(2)), 1);
  LExpr *i0 = hand_let(arena, &tasks->body, "i0", binary(LX_MUL, lx_var(arena, task), number(2)));
  LLocal *acc = hand_local(arena, "acc", L_F32, 2, 4);
  hand_declare(arena, &tasks->body, acc, 0);
  LStmt *sum = hand_loop(arena, &tasks->body, LS_FOR, k, number(4), 1);
  LExpr *row = binary(LX_ADD, i0, lx_var(arena, i)), *here = lx_local(arena, acc, lx_var(arena, i), lx_var(arena, j));
  LExpr *left = lx_load(arena, x, binary(LX_ADD, binary(LX_MUL, row, number(4)), lx_var(arena, k)));
  LExpr *right = lx_load(arena, w, binary(LX_ADD, binary(LX_MUL, lx_var(arena, k), number(4)), lx_var(arena, j)));
  LStmt *tile = hand_tile(arena, &sum->body, i, 2, j, 4);
  hand_set(arena, &tile->body, acc, lx_var(arena, i), lx_var(arena, j), lx_fma(arena, left, right, here));
  LStmt *last = hand_tile(arena, &tasks->body, i, 2, j, 4);
  LExpr *at = binary(LX_ADD, binary(LX_MUL, row, number(4)), lx_var(arena, j));
  hand_store(arena, &last->body, y, at, binary(LX_MAX, here, lx_real(arena, L_F32, 0)));
  return kernel;
}

Test(loops, prints_as_documented) {
  LoopModule module = {.arena = arena, .name = "digits"};
  product(&module);
  Text text = text_new(arena);
  loops_print(&text, &module);
  cr_assert_str_eq(text_string(&text),
                   "module digits  # arena 0 bytes, state 0, constants 0\n\n"
                   "# digits.nn:5  dense(2) |> relu\n"
                   "kernel dense_relu_0(n)\n"
                   "  in    x: f32[16]  # f32[n, 4]\n"
                   "  in    w: f32[16]\n"
                   "  out   y: f32[16]\n"
                   "{\n"
                   "  parallel task in 0..n / 2 {\n"
                   "    let i0 = task * 2\n"
                   "    local acc: f32[2, 4] = 0\n"
                   "    for k in 0..4 {\n"
                   "      tile i in 2, j in 4 { acc[i, j] = fma(x[(i0 + i) * 4 + k], w[k * 4 + j], acc[i, j]) }\n"
                   "    }\n"
                   "    tile i in 2, j in 4 { y[(i0 + i) * 4 + j] = max(acc[i, j], 0) }\n"
                   "  }\n"
                   "}\n\n");
}

Test(loops, well_formed_modules_pass) {
  LoopModule module = {.arena = arena, .name = "digits"};
  product(&module);
  cr_assert_null(loops_check(&module));
}

static void expect_fault(const LoopModule *module, const char *part) {
  const char *fault = loops_check(module);
  cr_assert_not_null(fault);
  cr_assert_not_null(strstr(fault, part), "%s", fault);
}

Test(loops, faults_are_found) {
  LoopModule nested = {.arena = arena}, write = {.arena = arena}, types = {.arena = arena}, scope = {.arena = arena};
  LoopModule row = {.arena = arena};
  LKernel *kernel = product(&nested);
  LVar *more = lvar_new(arena, "more", L_I64);
  hand_loop(arena, &kernel->body.data[0]->body, LS_PARALLEL, more, number(3), 1);
  expect_fault(&nested, "nested");

  kernel = product(&write);
  kernel->buffers.data[2]->written = false;
  kernel->buffers.data[2]->read = true;
  expect_fault(&write, "not declared as written");

  kernel = product(&types);
  hand_store(arena, &kernel->body, kernel->buffers.data[2], number(0), lx_real(arena, L_F64, 1));
  expect_fault(&types, "another type");

  kernel = product(&scope);
  LExpr *stray = lx_load(arena, kernel->buffers.data[0], lx_var(arena, kernel->body.data[0]->var));
  hand_store(arena, &kernel->body, kernel->buffers.data[2], number(0), stray);
  expect_fault(&scope, "not in scope");

  kernel = product(&row);
  kernel->body.data[0]->unroll = 4;
  expect_fault(&row, "rounds in a row");
}

// Every thread goes through the blocks, in each of which rows are shared out to as many as there are.
static LStmt *together(LoopModule *module) {
  LKernel *kernel = hand_kernel(module, "blocks", "");
  LBuffer *x = hand_buffer(arena, kernel, "x", L_F32, 64, false), *y = hand_buffer(arena, kernel, "y", L_F32, 64, true);
  LVar *block = lvar_new(arena, "block", L_I64), *share = lvar_new(arena, "share", L_I64);
  kernel->threads = lvar_new(arena, "threads", L_I64);
  LStmt *blocks = hand_loop(arena, &kernel->body, LS_TOGETHER, block, number(8), 1);
  LExpr *b0 = hand_let(arena, &blocks->body, "b0", binary(LX_MUL, lx_var(arena, block), number(8)));
  LExpr *shares = binary(LX_MIN, lx_var(arena, kernel->threads), number(8));
  LStmt *rows = hand_loop(arena, &blocks->body, LS_PARALLEL, share, shares, 1);
  LExpr *at = binary(LX_ADD, b0, lx_var(arena, share)), *value = lx_load(arena, x, at);
  hand_add(arena, &rows->body, (LStmt){.kind = LS_PREFETCH, .value = value});
  hand_store(arena, &rows->body, y, at, value);
  return blocks;
}

Test(loops, all_threads_may_go_through_a_loop) {
  LoopModule module = {.arena = arena, .name = "sums"};
  together(&module);
  cr_assert_null(loops_check(&module));
  Text text = text_new(arena);
  loops_print(&text, &module);
  cr_assert_not_null(strstr(text_string(&text), "kernel blocks(n, threads)\n"
                                                "  in    x: f32[64]\n"
                                                "  out   y: f32[64]\n"
                                                "{\n"
                                                "  together block in 0..8 {\n"
                                                "    let b0 = block * 8\n"
                                                "    parallel share in 0..min(threads, 8) {\n"
                                                "      prefetch x[b0 + share]\n"
                                                "      y[b0 + share] = x[b0 + share]\n"
                                                "    }\n"
                                                "  }\n"
                                                "}\n"),
                     "%s", text_string(&text));
}

Test(loops, faults_of_loops_of_all_threads) {
  LoopModule inside = {.arena = arena}, other = {.arena = arena}, hint = {.arena = arena};
  LVar *more = lvar_new(arena, "more", L_I64);
  LStmt *blocks = together(&inside);
  hand_loop(arena, &blocks->body.data[1]->body, LS_TOGETHER, more, number(3), 1);
  expect_fault(&inside, "a loop of all threads that is nested");

  blocks = together(&other);
  hand_loop(arena, &blocks->body, LS_FOR, more, number(3), 1);
  expect_fault(&other, "something else than lets and parallel loops");

  blocks = together(&hint);
  blocks->body.data[1]->body.data[0]->value = lx_real(arena, L_F32, 1);
  expect_fault(&hint, "a prefetch of no load");
}

Test(loops, places_are_checked) {
  LoopModule module = {.arena = arena, .arena_bytes = 128, .state_bytes = 64};
  LKernel *kernel = product(&module);
  LPlace places[] = {{.space = SPACE_INPUT, .offset = 0, .index = 0},
                     {.space = SPACE_STATE, .offset = 0, .index = -1},
                     {.space = SPACE_ARENA, .offset = 64, .index = -1}};
  LEntry entry = {.name = "step"};
  vec_push(arena, &entry.calls, ((LCall){.kernel = kernel, .places = places}));
  vec_push(arena, &module.entries, &entry);
  cr_assert_null(loops_check(&module));
  places[2].offset = 65;
  expect_fault(&module, "outside its memory");
  places[2] = (LPlace){.space = SPACE_INPUT, .offset = 0, .index = 1};
  expect_fault(&module, "nothing may be written");
}

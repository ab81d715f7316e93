// Philox against the known answers of Random123's kat_vectors; draws; the functions data is made with; messages.
#include <math.h>

#include "data/portable.h"
#include "data_helper.h"
#include "random.h"

Test(random, philox_known_answers) {
  static const struct {
    uint64_t seed, stream, element;
    uint32_t out[4];
  } known[] = {
      {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];
    nnrt_philox(known[i].seed, known[i].stream, known[i].element, out);
    cr_assert_arr_eq(out, known[i].out, sizeof out);
  }
}

Test(random, below_is_even) {
  int count[7] = {0};
  uint64_t element = 0;
  for (int i = 0; i < 70000; i++)
    count[nnrt_below(1, 2, &element, 7)]++;
  for (int i = 0; i < 7; i++)
    cr_assert(abs(count[i] - 10000) < 400);
  cr_assert_eq(nnrt_below(1, 2, &element, 1), 0);
  uint64_t bound = (uint64_t)3 << 62;
  for (int i = 0; i < 100; i++)
    cr_assert(nnrt_below(1, 2, &element, bound) < bound);
}

Test(random, uniform_and_normal) {
  uint64_t element = 0;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < 100000; i++) {
    double u = nnrt_uniform(3, 0, &element), g = nnrt_normal(3, 1, &element);
    cr_assert(u >= 0 && u < 1);
    sum += g;
    squares += g * g;
    fourth += g * g * g * g;
  }
  cr_assert_float_eq(sum / 1e5, 0, 0.02);
  cr_assert_float_eq(squares / 1e5, 1, 0.02);
  cr_assert_float_eq(fourth / 1e5, 3, 0.15);
}

Test(random, portable_functions) {
  for (double x = -40; x < 40; x += 0.0137) {
    cr_assert_float_eq(nnrt_sin(x), sin(x), 4e-15);
    cr_assert_float_eq(nnrt_cos(x), cos(x), 4e-15);
  }
  for (double x = 1e-18; x < 1e18; x *= 1.37)
    cr_assert_float_eq(nnrt_log(x), log(x), 1e-14);
}

Test(error, is_one_line) {
  NnrtError error;
  cr_assert_not(nnrt_fail(&error, "a%sb", "\n\033[1m"));
  cr_assert_str_eq(error.text, "a  [1mb");
  cr_assert_not(nnrt_fail(NULL, "nothing"));
}

// The draw of a next token against the probabilities it is made of; text that is written in parts of characters.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"
#include "text_out.h"

enum { MOST = 8 };

// A draw of ids 0 … count-1 that have these probabilities.
static int64_t draw(NnrtSampling how, const double *probability, int64_t count, int64_t seed, int64_t position) {
  NnrtCandidate candidates[MOST];
  for (int64_t i = 0; i < count; i++)
    candidates[i] = (NnrtCandidate){log(probability[i]), i};
  return nnrt_sample(&how, candidates, count, seed, position);
}

// How often each id comes in 20,000 draws is what `expected` says, within five standard deviations.
static void comes_as(NnrtSampling how, const double *probability, const double *expected, int64_t count) {
  enum { DRAWS = 20000 };
  int64_t seen[MOST] = {0};
  for (int64_t i = 0; i < DRAWS; i++)
    seen[draw(how, probability, count, 7, i)]++;
  for (int64_t i = 0; i < count; i++) {
    double deviation = sqrt(DRAWS * expected[i] * (1 - expected[i]));
    cr_assert(fabs((double)seen[i] - DRAWS * expected[i]) <= 5 * deviation, "id %d: %d of %d, expected %g", (int)i,
              (int)seen[i], DRAWS, expected[i]);
  }
}

static const double four[] = {0.1, 0.4, 0.2, 0.3};

Test(sample, as_often_as_probable) {
  comes_as((NnrtSampling){.temperature = 1, .top_p = 1}, four, four, 4);
}

Test(sample, temperature) {
  const double squares[] = {0.01 / 0.3, 0.16 / 0.3, 0.04 / 0.3, 0.09 / 0.3}; // p^2, made to sum to 1
  comes_as((NnrtSampling){.temperature = 0.5, .top_p = 1}, four, squares, 4);
  double roots[4], sum = 0;
  for (int i = 0; i < 4; i++)
    sum += roots[i] = sqrt(four[i]);
  for (int i = 0; i < 4; i++)
    roots[i] /= sum;
  comes_as((NnrtSampling){.temperature = 2, .top_p = 1}, four, roots, 4);
}

Test(sample, temperature_0_and_nearly_0_take_the_first_of_the_most_probable) {
  const double equal[] = {0.1, 0.3, 0.3, 0.3};
  for (int64_t i = 0; i < 100; i++) {
    cr_assert_eq(draw((NnrtSampling){.temperature = 0, .top_p = 1}, equal, 4, 1, i), 1);
    cr_assert_eq(draw((NnrtSampling){.temperature = 1e-300, .top_p = 1}, four, 4, 1, i), 1);
  }
}

Test(sample, top_k) {
  const double two[] = {0, 0.4 / 0.7, 0, 0.3 / 0.7};
  comes_as((NnrtSampling){.temperature = 1, .top_k = 2, .top_p = 1}, four, two, 4);
  comes_as((NnrtSampling){.temperature = 1, .top_k = 100, .top_p = 1}, four, four, 4);
  const double equal[] = {0.25, 0.25, 0.25, 0.25}, first[] = {0.5, 0.5, 0, 0};
  comes_as((NnrtSampling){.temperature = 1, .top_k = 2, .top_p = 1}, equal, first, 4);
}

Test(sample, top_p) {
  const double one[] = {0, 1, 0, 0}, two[] = {0, 0.4 / 0.7, 0, 0.3 / 0.7},
               three[] = {0, 0.4 / 0.9, 0.2 / 0.9, 0.3 / 0.9};
  comes_as((NnrtSampling){.temperature = 1, .top_p = 1e-9}, four, one, 4);
  comes_as((NnrtSampling){.temperature = 1, .top_p = 0.39}, four, one, 4);
  comes_as((NnrtSampling){.temperature = 1, .top_p = 0.41}, four, two, 4);
  comes_as((NnrtSampling){.temperature = 1, .top_p = 0.89}, four, three, 4);
  // Of the two that top_k leaves, the first has 4/7.
  comes_as((NnrtSampling){.temperature = 1, .top_k = 2, .top_p = 0.57}, four, one, 4);
  comes_as((NnrtSampling){.temperature = 1, .top_k = 2, .top_p = 0.58}, four, two, 4);
}

// Draws are a function of seed and position: these are the first of them on any machine.
Test(sample, the_same_draws_everywhere) {
  const double eight[] = {0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125};
  char drawn[2][25] = {"", ""};
  for (int64_t seed = 0; seed < 2; seed++)
    for (int64_t i = 0; i < 24; i++)
      drawn[seed][i] = (char)('0' + draw((NnrtSampling){.temperature = 1, .top_p = 1}, eight, 8, seed, i));
  cr_assert_str_eq(drawn[0], "335247237616236724704611");
  cr_assert_str_eq(drawn[1], "246152256573166653314277");
}

Test(sample, the_order_of_candidates_does_not_matter) {
  const NnrtSampling how = {.temperature = 0.8, .top_k = 3, .top_p = 0.9};
  for (int64_t position = 0; position < 200; position++) {
    NnrtCandidate turned[4];
    for (int64_t i = 0; i < 4; i++)
      turned[i] = (NnrtCandidate){log(four[3 - i]), 3 - i};
    cr_assert_eq(nnrt_sample(&how, turned, 4, 3, position), draw(how, four, 4, 3, position));
  }
}

Test(sample, values_that_are_none) {
  const NnrtSampling how = {.temperature = 1, .top_p = 1}, greedy = {.temperature = 0, .top_p = 1};
  const double values[][2] = {{NAN, 0}, {0, NAN}, {INFINITY, 0}, {-INFINITY, -INFINITY}};
  for (int i = 0; i < 4; i++)
    for (int g = 0; g < 2; g++) {
      NnrtCandidate candidates[] = {{values[i][0], 0}, {values[i][1], 1}};
      cr_assert_eq(nnrt_sample(g ? &greedy : &how, candidates, 2, 0, 0), -1);
    }
  NnrtCandidate none;
  cr_assert_eq(nnrt_sample(&how, &none, 0, 0, 0), -1);
  const double impossible[] = {0, 0.5, 0, 0.5};
  comes_as(how, impossible, impossible, 4);
}

// ---- text
// What has been written after each piece, divided by bars; the end last.
static const char *written(int count, const char *const *pieces) {
  static char text[256];
  char *content = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&content, &size);
  NnrtTextOut out = {.file = file};
  for (int i = 0; i < count; i++) {
    nnrt_text_put(&out, pieces[i], strlen(pieces[i]));
    fputc('|', file);
  }
  nnrt_text_end(&out);
  fclose(file);
  snprintf(text, sizeof text, "%s", content);
  free(content);
  return text;
}
#define WRITTEN(...)                                                                                                   \
  written((int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[]){__VA_ARGS__})

Test(text_out, characters_are_held_back_until_they_are_whole) {
  cr_assert_str_eq(WRITTEN("ab", "\xC3", "\xA9", "c"), "ab||é|c|\n");
  cr_assert_str_eq(WRITTEN("\xE2", "\x82", "\xAC"), "||€|\n");
  cr_assert_str_eq(WRITTEN("\xF0\x9F", "\x98\x80x"), "|😀x|\n");
  cr_assert_str_eq(WRITTEN("\xED\x9F", "\xBF"), "|\xED\x9F\xBF|\n"); // U+D7FF, the last before the surrogates
}

Test(text_out, bytes_of_no_character_are_replaced) {
  cr_assert_str_eq(WRITTEN("\xFF", "a"), "\uFFFD|a|\n");
  cr_assert_str_eq(WRITTEN("\xC3", "a"), "|\uFFFDa|\n");
  cr_assert_str_eq(WRITTEN("\xE2\x82", "\xC3\xA9"), "|\uFFFD\uFFFDé|\n");
  cr_assert_str_eq(WRITTEN("\xED\xA0"), "\uFFFD\uFFFD|\n"); // half a surrogate
  cr_assert_str_eq(WRITTEN("x\xF0\x9F\x98"), "x|\uFFFD\uFFFD\uFFFD\n");
}

Test(text_out, the_last_line_ends) {
  cr_assert_str_eq(WRITTEN("a\n"), "a\n|");
  cr_assert_str_eq(WRITTEN(""), "|\n");
}

// Charts of numbers that are hard to draw: whatever they are, places are on the page, ticks are round, and no number is
// written that is none.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

typedef void Draw(FILE *out, const NnrtPlot *plot, int index, NnrtPanel *panel);

// The page of one panel with `count` of both points at most; the caller frees it.
static char *draw(Draw *panel_of, int64_t count, const NnrtPoint *first, const NnrtPoint *second) {
  char *page = NULL;
  size_t size;
  FILE *out = open_memstream(&page, &size);
  NnrtPoint *copies[2] = {calloc((size_t)count + 1, sizeof *first), calloc((size_t)count + 1, sizeof *first)};
  NnrtPlot plot = {.title = "t", .panels = 1, .x_low = 1, .x_high = (double)(count > 1 ? count : 1)};
  NnrtPanel panel = {"x", "y", {"first", 0, copies[0]}, {"second", 0, copies[1]}};
  if (first) {
    memcpy(copies[0], first, (size_t)count * sizeof *first);
    panel.first.count = count;
  }
  if (second) {
    memcpy(copies[1], second, (size_t)count * sizeof *second);
    panel.second.count = count;
  }
  nnrt_plot_begin(out, &plot);
  panel_of(out, &plot, 0, &panel);
  nnrt_plot_end(out);
  fclose(out);
  free(copies[0]);
  free(copies[1]);
  return page;
}

static int occurrences(const char *page, const char *text) {
  int count = 0;
  for (const char *at = page; (at = strstr(at, text)); at++)
    count++;
  return count;
}

// Every place is within the page; there are a few ticks along y.
static void expect_sound(const char *page) {
  static const char *const keys[] = {"x1=\"", "x2=\"", "y1=\"", "y2=\"", "cx=\"", "cy=\"", " x=\"", " y=\""};
  cr_expect(!strstr(page, "nan") && !strstr(page, "inf"), "%s", page);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    for (const char *at = page; (at = strstr(at, keys[i])); at++) {
      double place = atof(at + 4);
      cr_expect(place >= 0 && place <= 820, "%.20s", at);
    }
  int ticks = occurrences(page, "text-anchor=\"end\"");
  cr_expect(ticks >= 2 && ticks <= 10, "%d ticks\n%s", ticks, page);
}

static void expect_ticks(double low, double high, int count, const char *const *ticks) {
  char *page = draw(nnrt_plot_lines, 2, (NnrtPoint[]){{1, low}, {2, high}}, NULL);
  expect_sound(page);
  cr_expect_eq(occurrences(page, "text-anchor=\"end\""), count, "%g to %g\n%s", low, high, page);
  for (int i = 0; i < count; i++) {
    char text[64];
    snprintf(text, sizeof text, "text-anchor=\"end\">%s</text>", ticks[i]);
    cr_expect(strstr(page, text), "%g to %g: %s\n%s", low, high, ticks[i], page);
  }
  free(page);
}

#define TICKS(low, high, ...)                                                                                          \
  expect_ticks(low, high, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                                 \
               (const char *const[]){__VA_ARGS__})

Test(plot, ticks_are_multiples_of_1_2_and_5_times_a_power_of_ten) {
  TICKS(0, 1, "0", "0.2", "0.4", "0.6", "0.8", "1");
  TICKS(-0.3, 0.3, "-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3");
  TICKS(0, 2.5, "0", "0.5", "1", "1.5", "2", "2.5");
  TICKS(100000, 100003, "100000", "100000.5", "100001", "100001.5", "100002", "100002.5", "100003");
  TICKS(-6e-20, 0, "-6e-20", "-5e-20", "-4e-20", "-3e-20", "-2e-20", "-1e-20", "0");
  TICKS(0, 2e6, "0", "500000", "1000000", "1500000", "2000000");
  TICKS(5, 5, "3", "4", "5", "6", "7"); // widened to its own size
}

Test(plot, numbers_that_are_hard_to_draw) {
  static const double cases[][3] = {
      {0, 0, 0},          {1, NAN, 2},         {NAN, NAN, NAN},     {INFINITY, 1, -INFINITY}, {1e308, -1e308, 0},
      {1e300, -1e300, 0}, {4e-320, 0, 1e-319}, {1e-300, 3e-300, 0}, {1, 1 + 1e-15, 1},        {1e17, 1e17 + 16, 0},
      {-1e-9, 1e-9, 1},   {-5, -5, -5},        {3e38, -3e38, 1e-45}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    NnrtPoint points[3], turned[3];
    for (int k = 0; k < 3; k++) {
      points[k] = (NnrtPoint){k + 1, cases[i][k]};
      turned[k] = (NnrtPoint){cases[i][k], cases[i][(k + 1) % 3]};
    }
    char *lines = draw(nnrt_plot_lines, 3, points, points), *again = draw(nnrt_plot_lines, 3, points, points);
    char *dots = draw(nnrt_plot_dots, 3, turned, NULL);
    expect_sound(lines);
    expect_sound(dots);
    cr_expect_str_eq(lines, again);
    free(lines);
    free(again);
    free(dots);
  }
}

Test(plot, no_points_and_one) {
  char *none = draw(nnrt_plot_lines, 0, NULL, NULL), *one = draw(nnrt_plot_lines, 1, (NnrtPoint[]){{1, 7}}, NULL);
  char *dots = draw(nnrt_plot_dots, 0, NULL, NULL);
  expect_sound(none);
  expect_sound(one);
  expect_sound(dots);
  cr_expect_eq(occurrences(none, "<path"), 0);
  cr_expect(strstr(one, "h0\"/>"), "%s", one); // a line of no length: a dot
  cr_expect_eq(occurrences(dots, "<circle"), 0);
  free(none);
  free(one);
  free(dots);
}

// Dots at one place are one.
Test(plot, many_dots_make_a_small_page) {
  enum { COUNT = 200000 };
  NnrtPoint *points = calloc(COUNT, sizeof *points);
  for (int i = 0; i < COUNT; i++)
    points[i] = (NnrtPoint){i % 100, i % 3};
  char *page = draw(nnrt_plot_dots, COUNT, points, NULL);
  cr_expect_leq(occurrences(page, "<circle"), 300);
  cr_expect_geq(occurrences(page, "<circle"), 290);
  free(page);
  free(points);
}

// Charts as SVG: one panel below the other, each with axes, a legend and points in two colours, on white. The same plot
// gives the same bytes everywhere; a file stays small, however many points there are.
#pragma once
#include <stdint.h>
#include <stdio.h>

typedef struct NnrtPoint {
  double x, y; // y NaN: a line is broken here
} NnrtPoint;

// In the order of x for a line. Points are changed: those too dense to be told apart are left out.
typedef struct NnrtPoints {
  const char *name; // in the legend; NULL: not there
  int64_t count;
  NnrtPoint *at;
} NnrtPoints;

typedef struct NnrtTick {
  double x;
  char text[17];
} NnrtTick;

// What all panels have in common. Texts may hold anything.
typedef struct NnrtPlot {
  const char *title;
  int panels;
  double x_low, x_high;
  int tick_count;
  const NnrtTick *ticks; // along x; none: round numbers
  int mark_count;
  const NnrtTick *marks; // upright lines where something begins, with its name
} NnrtPlot;

typedef struct NnrtPanel {
  const char *x_label, *y_label;
  NnrtPoints first, second;
} NnrtPanel;

void nnrt_plot_begin(FILE *out, const NnrtPlot *plot);
// Lines over the plot's range of x.
void nnrt_plot_lines(FILE *out, const NnrtPlot *plot, int index, NnrtPanel *panel);
// Dots of `first` alone, over a range that x and y share, and the line where both are equal, named as `second`.
void nnrt_plot_dots(FILE *out, const NnrtPlot *plot, int index, NnrtPanel *panel);
void nnrt_plot_end(FILE *out);

// Charts: from numbers to places on the page, round numbers along axes, lines of no more points than can be seen.
#include "plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "svg.h"

// Dots are drawn once for each cell of a panel, which is so many cells wide and high.
enum { DOT_CELL = 2, CELLS_WIDE = 361, CELLS_HIGH = 131 };
// In pixels: the area of a panel, and what is left free around it.
static const int WIDTH = (CELLS_WIDE - 1) * DOT_CELL, HEIGHT = (CELLS_HIGH - 1) * DOT_CELL;
static const int LEFT = 76, RIGHT = 24, TOP = 44, BELOW = 76, LEGEND = 140, X_TICKS = 9, Y_TICKS = 8;
static const char *const colours[] = {"#333333", "#d55e00"};
static const double largest = 1e300; // what is beyond is not drawn

typedef struct Range {
  double low, high;
} Range;

typedef struct Frame {
  double top;
  Range x, y;
  double x_step; // the least between ticks
} Frame;

static double across(const Frame *frame, double x) {
  return LEFT + (x - frame->x.low) / (frame->x.high - frame->x.low) * WIDTH;
}

static double down(const Frame *frame, double y) {
  return frame->top + (frame->y.high - y) / (frame->y.high - frame->y.low) * HEIGHT;
}

static bool visible(const NnrtPoint *point) {
  return fabs(point->x) <= largest && fabs(point->y) <= largest;
}

// ---- ranges and their ticks
static void include(Range *range, double value) {
  range->low = fmin(range->low, value);
  range->high = fmax(range->high, value);
}

// A range that is empty or hardly more than a point is widened.
static Range settle(Range range, double margin) {
  if (range.low > range.high)
    return (Range){0, 1};
  double size = fmax(fabs(range.low), fabs(range.high)), width = range.high - range.low;
  if (width <= 1e-9 * size || width < 1e-300)
    width = size > 1e-300 ? size : 1, margin = 0.5;
  return (Range){range.low - margin * width, range.high + margin * width};
}

static Range heights(const NnrtPanel *panel) {
  Range range = {INFINITY, -INFINITY};
  const NnrtPoints *both[] = {&panel->first, &panel->second};
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < both[k]->count; i++)
      if (visible(&both[k]->at[i]))
        include(&range, both[k]->at[i].y);
  return settle(range, 0.05);
}

// k * digit * 10^power, as near as a double can be.
static double round_number(int64_t k, int digit, int power) {
  char text[48];
  snprintf(text, sizeof text, "%llde%d", (long long)(k * digit), power);
  return strtod(text, NULL);
}

typedef void DrawTick(FILE *out, const Frame *frame, double at, const char *text);

// At multiples of 1, 2 or 5 times a power of ten, at least `wanted` apart.
static void round_ticks(FILE *out, const Frame *frame, Range range, double wanted, DrawTick *draw) {
  static const int digits[] = {1, 2, 5};
  int power = (int)floor(log10(wanted)) - 1, i = 0;
  while (round_number(1, digits[i], power) < wanted) {
    power += i == 2;
    i = (i + 1) % 3;
  }
  int64_t k = (int64_t)floor(range.low / round_number(1, digits[i], power));
  for (double at; (at = round_number(k, digits[i], power)) <= range.high; k++) {
    char text[32];
    snprintf(text, sizeof text, "%.12g", at);
    if (at >= range.low)
      draw(out, frame, at, text);
  }
}

static void draw_x_tick(FILE *out, const Frame *frame, double at, const char *text) {
  double x = across(frame, at), bottom = frame->top + HEIGHT;
  nnrt_svg_line(out, x, bottom, x, bottom + 5, "#000000");
  nnrt_svg_text(out, x, bottom + 18, " text-anchor=\"middle\"", text);
}

static void draw_y_tick(FILE *out, const Frame *frame, double at, const char *text) {
  double y = down(frame, at);
  nnrt_svg_line(out, LEFT, y, LEFT + WIDTH, y, "#e4e4e4");
  nnrt_svg_text(out, LEFT - 6, y + 4, " text-anchor=\"end\"", text);
}

// ---- a panel
static Frame frame_of(int index) {
  return (Frame){.top = TOP + index * (HEIGHT + BELOW) + 20};
}

static void draw_axes(FILE *out, const NnrtPlot *plot, const Frame *frame, const NnrtPanel *panel) {
  round_ticks(out, frame, frame->y, (frame->y.high - frame->y.low) / Y_TICKS, draw_y_tick);
  if (!plot->tick_count)
    round_ticks(out, frame, frame->x, fmax(frame->x_step, (frame->x.high - frame->x.low) / X_TICKS), draw_x_tick);
  for (int i = 0; i < plot->tick_count; i++)
    draw_x_tick(out, frame, plot->ticks[i].x, plot->ticks[i].text);
  for (int i = 0; i < plot->mark_count; i++) {
    double x = across(frame, plot->marks[i].x);
    nnrt_svg_line(out, x, frame->top, x, frame->top + HEIGHT, "#888888");
    nnrt_svg_text(out, x + 4, frame->top + 14, " fill=\"#666666\"", plot->marks[i].text);
  }
  fprintf(out, "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#000000\"/>\n", LEFT,
          frame->top, WIDTH, HEIGHT);
  char turned[64];
  double middle = frame->top + HEIGHT / 2.0;
  snprintf(turned, sizeof turned, " text-anchor=\"middle\" transform=\"rotate(-90 16 %.1f)\"", middle);
  nnrt_svg_text(out, 16, middle, turned, panel->y_label);
  nnrt_svg_text(out, LEFT + WIDTH / 2.0, frame->top + HEIGHT + 38, " text-anchor=\"middle\"", panel->x_label);
}

static void draw_legend(FILE *out, const Frame *frame, const NnrtPanel *panel) {
  const NnrtPoints *both[] = {&panel->first, &panel->second};
  double x = LEFT + WIDTH - LEGEND;
  for (int k = 1; k >= 0; k--)
    if (both[k]->name) {
      nnrt_svg_line(out, x, frame->top - 12, x + 20, frame->top - 12, colours[k]);
      nnrt_svg_text(out, x + 25, frame->top - 8, "", both[k]->name);
      x -= LEGEND;
    }
}

// ---- lines
// Of more points than two a pixel the lowest and the highest of each pixel's stay.
static void thin(NnrtPoints *points) {
  int64_t kept = 0, count = points->count;
  if (count <= 2 * WIDTH)
    return;
  for (int64_t bin = 0; bin < WIDTH; bin++) {
    int64_t low = -1, high = -1;
    for (int64_t i = bin * count / WIDTH; i < (bin + 1) * count / WIDTH; i++) {
      if (!visible(&points->at[i]))
        continue;
      low = low < 0 || points->at[i].y < points->at[low].y ? i : low;
      high = high < 0 || points->at[i].y > points->at[high].y ? i : high;
    }
    if (low < 0)
      continue;
    NnrtPoint early = points->at[low < high ? low : high], late = points->at[low < high ? high : low];
    points->at[kept++] = early;
    if (low != high)
      points->at[kept++] = late;
  }
  points->count = kept;
}

// One path, with a new beginning behind each break. A point on its own gets a line of no length, which is drawn as a dot.
static void draw_line(FILE *out, const Frame *frame, NnrtPoints *points, const char *colour) {
  thin(points);
  if (!points->count)
    return;
  fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" stroke-linecap=\"round\" d=\"", colour);
  int64_t run = 0;
  for (int64_t i = 0; i <= points->count; i++) {
    bool here = i < points->count && visible(&points->at[i]);
    if (here)
      fprintf(out, "%c%.1f,%.1f", run ? ' ' : 'M', across(frame, points->at[i].x), down(frame, points->at[i].y));
    else if (run == 1)
      fputs("h0", out);
    run = here ? run + 1 : 0;
  }
  fputs("\"/>\n", out);
}

void nnrt_plot_lines(FILE *out, const NnrtPlot *plot, int index, NnrtPanel *panel) {
  Frame frame = frame_of(index);
  frame.x_step = 1;
  frame.x = settle((Range){plot->x_low, plot->x_high}, 0);
  frame.y = heights(panel);
  draw_axes(out, plot, &frame, panel);
  draw_legend(out, &frame, panel);
  draw_line(out, &frame, &panel->first, colours[0]);
  draw_line(out, &frame, &panel->second, colours[1]);
}

// ---- dots
// One for each small cell of the panel that holds any.
static void draw_dots(FILE *out, const Frame *frame, const NnrtPoints *points) {
  bool seen[CELLS_HIGH][CELLS_WIDE] = {0};
  for (int64_t i = 0; i < points->count; i++) {
    if (!visible(&points->at[i]))
      continue;
    double x = across(frame, points->at[i].x), y = down(frame, points->at[i].y);
    bool *cell = &seen[(int)(y - frame->top) / DOT_CELL][(int)(x - LEFT) / DOT_CELL];
    if (!*cell)
      fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2\" fill=\"%s\"/>\n", x, y, colours[0]);
    *cell = true;
  }
}

void nnrt_plot_dots(FILE *out, const NnrtPlot *plot, int index, NnrtPanel *panel) {
  Frame frame = frame_of(index);
  Range range = {INFINITY, -INFINITY};
  for (int64_t i = 0; i < panel->first.count; i++)
    if (visible(&panel->first.at[i])) {
      include(&range, panel->first.at[i].x);
      include(&range, panel->first.at[i].y);
    }
  frame.x = frame.y = settle(range, 0.05);
  draw_axes(out, plot, &frame, panel);
  draw_legend(out, &frame, panel);
  nnrt_svg_line(out, LEFT, frame.top + HEIGHT, LEFT + WIDTH, frame.top, colours[1]);
  draw_dots(out, &frame, &panel->first);
}

// ---- the page
void nnrt_plot_begin(FILE *out, const NnrtPlot *plot) {
  int width = LEFT + WIDTH + RIGHT, height = TOP + plot->panels * (HEIGHT + BELOW);
  fprintf(out,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
          "font-family=\"sans-serif\" font-size=\"12\">\n<title>",
          width, height, width, height);
  nnrt_svg_escape(out, plot->title);
  fprintf(out, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", width, height);
  nnrt_svg_text(out, LEFT, 28, " font-size=\"16\"", plot->title);
}

void nnrt_plot_end(FILE *out) {
  fputs("</svg>\n", out);
}

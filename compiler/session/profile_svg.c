// A profile as a roofline (Williams, Waterman, Patterson: "Roofline: an insightful visual performance model for multicore
// architectures", 2009): both axes logarithmic, across operations for each byte, up operations a second. The area of a dot
// is the kernel's share of the step; the largest have their names beside them, all have them where a mouse rests.
#include <math.h>

#include "data/utf8.h"
#include "session/profile.h"

enum { WIDTH = 960, HEIGHT = 640, LEFT = 80, RIGHT = 30, TOP = 70, BOTTOM = 80, LABELS = 10, LINE = 15 };
static const double largest_radius = 34, smallest_radius = 2.5;

// Decades that an axis goes over.
typedef struct Axis {
  int from, to;
} Axis;

typedef struct Chart {
  Text *out;
  const Profile *profile;
  Axis x, y;
  double peak; // of the type that most is computed in
  int box_count;
  double boxes[2 * LABELS][4]; // of labels and the dots that have one: left, top, right, bottom
} Chart;

// ---- places
static double intensity(const ProfileRow *row) {
  return profile_operations(&row->work) / (double)row->work.bytes;
}

static double rate(const ProfileRow *row) {
  return row->calls * profile_operations(&row->work) / row->seconds;
}

static bool is_drawn(const ProfileRow *row) {
  return row->seconds > 0 && row->work.bytes > 0 && profile_operations(&row->work) > 0;
}

static double at_x(const Chart *chart, double value) {
  return (double)LEFT + (log10(value) - chart->x.from) / (chart->x.to - chart->x.from) * (double)(WIDTH - LEFT - RIGHT);
}

static double at_y(const Chart *chart, double value) {
  return HEIGHT - BOTTOM - (log10(value) - chart->y.from) / (chart->y.to - chart->y.from) * (HEIGHT - TOP - BOTTOM);
}

static void widen(Axis *axis, double value) {
  int below = (int)floor(log10(value)), above = (int)ceil(log10(value));
  axis->from = below < axis->from ? below : axis->from;
  axis->to = above > axis->to ? above : axis->to;
}

static double roof_peak(const Profile *profile) {
  double sums[2] = {0};
  for (int i = 0; i < profile->row_count; i++)
    for (int k = 0; k < 2; k++)
      sums[k] += profile->rows[i].calls * profile->rows[i].work.operations[k];
  return profile->machine.peak[sums[1] > sums[0]];
}

static void choose_axes(Chart *chart) {
  const Profile *profile = chart->profile;
  chart->x = (Axis){-1, 2};
  chart->y = (Axis){9, 9};
  widen(&chart->x, 2 * chart->peak / profile->machine.bandwidth);
  widen(&chart->y, 1.2 * chart->peak);
  for (int i = 0; i < profile->row_count; i++) {
    if (!is_drawn(&profile->rows[i]))
      continue;
    widen(&chart->x, intensity(&profile->rows[i]));
    widen(&chart->y, rate(&profile->rows[i]));
  }
}

// ---- text
// What XML cannot hold, in the name of a file, becomes a question mark.
static void add_escaped(Text *out, const char *text) {
  const char *end = text + strlen(text);
  while (text < end) {
    int length = nnrt_utf8_length(text, end);
    bool fine = length > 1 || (length == 1 && (unsigned char)*text >= ' ');
    const char *entity = !fine          ? "?"
                         : *text == '<' ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '&' ? "&amp;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
    if (entity)
      text_add(out, entity);
    else
      text_printf(out, "%.*s", length, text);
    text += length ? length : 1;
  }
}

static void add_text(Text *out, double x, double y, const char *kind, const char *text) {
  text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, kind);
  add_escaped(out, text);
  text_add(out, "</text>\n");
}

static void add_line(Text *out, const char *kind, double x1, double y1, double x2, double y2) {
  text_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", kind, x1, y1, x2, y2);
}

// ---- axes
// 0.01, 1, 1000.
static const char *power(Arena *arena, int exponent) {
  return arena_printf(arena, "%.*f", exponent < 0 ? -exponent : 0, pow(10, exponent));
}

static void add_grid(Chart *chart) {
  Arena *arena = chart->out->arena;
  for (int i = chart->x.from; i <= chart->x.to; i++) {
    double x = at_x(chart, pow(10, i));
    add_line(chart->out, "grid", x, TOP, x, HEIGHT - BOTTOM);
    add_text(chart->out, x, HEIGHT - BOTTOM + 20, "middle", power(arena, i));
  }
  for (int i = chart->y.from; i <= chart->y.to; i++) {
    double y = at_y(chart, pow(10, i));
    add_line(chart->out, "grid", LEFT, y, WIDTH - RIGHT, y);
    add_text(chart->out, LEFT - 8, y + 4, "end", power(arena, i - 9));
  }
  add_text(chart->out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - BOTTOM + 42, "middle", "FLOP for each byte");
  text_printf(chart->out, "<text transform=\"translate(22 %.1f) rotate(-90)\" class=\"middle\">GFLOP/s</text>\n",
              (TOP + HEIGHT - BOTTOM) / 2.0);
}

// The slope of the memory up to the peak, then the peak.
static void add_roof(Chart *chart) {
  const Machine *machine = &chart->profile->machine;
  Arena *arena = chart->out->arena;
  double ridge = chart->peak / machine->bandwidth, left = pow(10, chart->x.from);
  double lowest = pow(10, chart->y.from);
  left = left * machine->bandwidth < lowest ? lowest / machine->bandwidth : left;
  double top = at_y(chart, chart->peak);
  add_line(chart->out, "roof", at_x(chart, left), at_y(chart, left * machine->bandwidth), at_x(chart, ridge), top);
  add_line(chart->out, "roof", at_x(chart, ridge), top, WIDTH - RIGHT, top);
  add_text(chart->out, WIDTH - RIGHT, top - 8, "end", arena_printf(arena, "peak %.1f GFLOP/s", 1e-9 * chart->peak));
  double dx = at_x(chart, ridge) - at_x(chart, left), dy = top - at_y(chart, left * machine->bandwidth);
  text_printf(chart->out, "<text transform=\"translate(%.1f %.1f) rotate(%.1f)\">memory %.2f GB/s</text>\n",
              at_x(chart, left) + dx / 12 - 4, at_y(chart, left * machine->bandwidth) + dy / 12 - 8,
              atan2(dy, dx) * 180 / acos(-1), 1e-9 * machine->bandwidth);
}

// ---- kernels
static double radius(const Chart *chart, const ProfileRow *row) {
  double found = largest_radius * sqrt(row->seconds / chart->profile->step);
  return found > smallest_radius ? found : smallest_radius;
}

static void add_dot(Chart *chart, const ProfileRow *row) {
  Text *out = chart->out;
  text_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>", at_x(chart, intensity(row)),
              at_y(chart, rate(row)), radius(chart, row));
  add_escaped(out, row->name);
  text_add(out, "\n");
  add_escaped(out, row->place);
  text_printf(out, "\n%.2f us, %.1f %% of the step, %.2f GFLOP/s, %.0f %% of the roofline</title></circle>\n",
              1e6 * row->seconds, 100 * row->seconds / chart->profile->step, 1e-9 * rate(row),
              100 * row->calls * profile_limit(&chart->profile->machine, &row->work) / row->seconds);
}

static bool overlaps(const Chart *chart, const double box[4]) {
  for (int i = 0; i < chart->box_count; i++) {
    const double *other = chart->boxes[i];
    if (box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])
      return true;
  }
  return false;
}

static void keep_box(Chart *chart, double left, double top, double right, double bottom) {
  double box[] = {left, top, right, bottom};
  memcpy(chart->boxes[chart->box_count++], box, sizeof box);
}

// Beside the dot, on the side where there is room; further down while something else is there.
static void add_label(Chart *chart, const ProfileRow *row) {
  double x = at_x(chart, intensity(row)), y = at_y(chart, rate(row)), away = radius(chart, row) + 4;
  double width = 6.2 * (double)strlen(row->name);
  bool left = x + away + width > (double)(WIDTH - RIGHT);
  double from = left ? x - away - width : x + away;
  const double half_line = (double)LINE / 2;
  double box[4] = {from, y - half_line, from + width, y + half_line};
  while (overlaps(chart, box))
    box[1] += 2, box[3] += 2;
  keep_box(chart, box[0], box[1], box[2], box[3]);
  if (box[1] > y)
    add_line(chart->out, "lead", x, y, left ? box[2] : box[0], (box[1] + box[3]) / 2);
  add_text(chart->out, left ? box[2] : box[0], box[3] - 4, left ? "name end" : "name", row->name);
}

static void add_labels(Chart *chart) {
  const ProfileRow *labelled[LABELS];
  int count = 0;
  for (int i = 0; i < chart->profile->row_count && count < LABELS; i++)
    if (is_drawn(&chart->profile->rows[i]))
      labelled[count++] = &chart->profile->rows[i];
  for (int i = 0; i < count; i++) {
    double x = at_x(chart, intensity(labelled[i])), y = at_y(chart, rate(labelled[i])), r = radius(chart, labelled[i]);
    keep_box(chart, x - r, y - r, x + r, y + r);
  }
  for (int i = 0; i < count; i++)
    add_label(chart, labelled[i]);
}

static void add_kernels(Chart *chart) {
  const Profile *profile = chart->profile;
  double others = 0;
  int other_count = 0;
  for (int i = 0; i < profile->row_count; i++)
    if (is_drawn(&profile->rows[i]))
      add_dot(chart, &profile->rows[i]);
    else
      others += profile->rows[i].seconds, other_count++;
  add_labels(chart);
  if (other_count)
    add_text(chart->out, LEFT, HEIGHT - 14, "note",
             arena_printf(chart->out->arena,
                          "%d kernel%s that only move%s or count%s, %.1f %% of the step, cannot be drawn here",
                          other_count, other_count == 1 ? "" : "s", other_count == 1 ? "s" : "",
                          other_count == 1 ? "s" : "", 100 * others / profile->step));
}

static void add_head(Chart *chart) {
  const Profile *profile = chart->profile;
  Text *out = chart->out;
  text_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n",
              WIDTH, HEIGHT, WIDTH, HEIGHT);
  text_add(out, "<style>text{font:13px sans-serif;fill:#222}.title{font-size:17px}.middle{text-anchor:middle}"
                ".end{text-anchor:end}.name{font-size:11px}.note{fill:#555}.grid{stroke:#ddd}.lead{stroke:#999;"
                "stroke-width:.7}.roof{stroke:#222;stroke-width:2}circle{fill:#2b6cb0;fill-opacity:.5;stroke:#1a4570}"
                "</style>\n");
  text_printf(out, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, HEIGHT);
  add_text(out, LEFT, 30, "title",
           arena_printf(out->arena, "%s of %s through %s", profile->function, profile->file, profile->through));
  add_text(out, LEFT, 52, "note",
           arena_printf(out->arena, "batch %lld, %d thread%s, %.2f us a step; a dot's area is its share of the step",
                        (long long)profile->batch, profile->machine.threads, profile->machine.threads == 1 ? "" : "s",
                        1e6 * profile->step));
}

void profile_svg(Text *out, const Profile *profile) {
  Chart chart = {.out = out, .profile = profile, .peak = roof_peak(profile)};
  choose_axes(&chart);
  add_head(&chart);
  add_grid(&chart);
  add_roof(&chart);
  add_kernels(&chart);
  text_add(out, "</svg>\n");
}

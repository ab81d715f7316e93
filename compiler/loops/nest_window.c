// Reductions over the taps of windows: poolings, depthwise convolutions and their gradients. A register tile holds a few outputs
// along the last dimension of space, by a vector or two of columns. Its taps stand side by side in the code, so that what
// neighbouring outputs share is read once. What windows reach beyond x is known when compiled for the tiles between the borders,
// so they have no conditions; where windows are spread, outputs that see the same taps go together. Each output's chain is that
// of nest_reduce.c.
#include "graph/ops.h"
#include "loops/nest.h"

// The outputs of a dimension of space. Those `period` apart see the same taps; of each such phase, those of number `low` to
// before `high` see no place outside.
enum { MOST_PERIOD = 4 };
typedef struct Reach {
  int64_t period, steps; // outputs of a phase
  int64_t low[MOST_PERIOD], high[MOST_PERIOD];
} Reach;

typedef struct Windows {
  const Node *node;
  int lead, space; // dimensions before space, and of space
  Reach reach[MAX_SPACE];
  int rows, width; // of the register tile: outputs and columns
  int phase;       // of the outputs of the present tile
  LExpr *part;     // of the line's columns, of so many
  int64_t parts;
  LExpr *index[MAX_RANK];  // into the input
  LExpr *result[MAX_RANK]; // into the output
} Windows;

// ---- what is seen
static int64_t common_divisor(int64_t a, int64_t b) {
  return b ? common_divisor(b, a % b) : a;
}

// Output o and tap t of a view see place (o * step + t * tap + shift) / spread of `places`, if it is whole and inside.
typedef struct View {
  int64_t step, tap, taps, shift, spread, places;
} View;

static View view_of(const Windows *windows, const Node *node, int dim) {
  const Window *w = &node->attr->window[dim];
  int64_t places = node->inputs[0]->type.dim[windows->lead + dim];
  if (node->op == OP_window)
    return (View){w->stride, w->dilation, w->size, -w->before, w->spread, places};
  return (View){w->spread, -w->dilation, w->size, w->before, w->stride, places};
}

// So many outputs apart, taps see alike.
static int64_t own_period(const View *view) {
  return view->spread / common_divisor(view->step, view->spread);
}

// Narrows [low, high) to the outputs of a phase that see no place outside by this tap.
static void see(Reach *reach, int phase, const View *view, int64_t tap) {
  int64_t step = view->step * reach->period, at = phase * view->step + tap * view->tap + view->shift;
  if (at % view->spread && reach->period % own_period(view) == 0)
    return;
  int64_t low = nest_ceil_div(-at, step), high = nest_ceil_div(view->places * view->spread - at, step);
  reach->low[phase] = nest_at_least(reach->low[phase], low < reach->steps ? low : reach->steps);
  reach->high[phase] = nest_at_least(high < reach->high[phase] ? high : reach->high[phase], reach->low[phase]);
}

typedef void Visit(Windows *windows, const Node *node);

static void period_of(Windows *windows, const Node *node) {
  for (int i = 0; i < windows->space; i++) {
    View view = view_of(windows, node, i);
    Reach *reach = &windows->reach[i];
    int64_t period = own_period(&view);
    reach->period = reach->period / common_divisor(reach->period, period) * period;
  }
}

static void reach_of(Windows *windows, const Node *node) {
  for (int i = 0; i < windows->space; i++) {
    View view = view_of(windows, node, i);
    for (int phase = 0; phase < windows->reach[i].period; phase++)
      for (int64_t tap = 0; tap < view.taps; tap++)
        see(&windows->reach[i], phase, &view, tap);
  }
}

// The views that are read at the indices of the reduction's input; how many.
static int visit_views(const Lower *lower, Windows *windows, const Node *node, Visit *visit) {
  int found = 0;
  if (nest_in_memory(lower, node))
    return 0;
  if (op_info[node->op].class == POINT)
    for (int i = 0; i < node->input_count; i++)
      found += visit_views(lower, windows, node->inputs[i], visit);
  if ((node->op != OP_window && node->op != OP_slide) || node->attr->space != windows->space)
    return found;
  visit(windows, node);
  return 1;
}

static Dim tap_count(const Windows *windows, int dim) {
  return windows->node->inputs[0]->type.dim[windows->lead + windows->space + dim];
}

// Wide enough for the arithmetic to hide what a sum takes, small enough that a line of x under the windows stays in
// registers.
static void choose_tile(const Lower *lower, Windows *windows, int64_t columns) {
  LType type = nest_sum_type(windows->node);
  bool real = type == L_F32 || type == L_F64;
  int lanes = lower->target->vector_bytes / ltype_bytes(type), most = 4;
  windows->width = lanes >= LANES ? 2 * LANES : LANES;
  if (columns < windows->width)
    windows->width = nest_piece(columns);
  int vectors = (int)nest_ceil_div(windows->width, nest_at_least(lanes, 1));
  int room = (lower->target->vector_registers / vectors - 3) / 2;
  windows->rows = !real || room < 1 ? 1 : room < most ? room : most;
}

// Each phase has code of its own: at most as many as a volume of stride 2 has.
static void limit_phases(Windows *windows, const Dim *sizes) {
  enum { MOST = 8 };
  int64_t all = 1;
  for (int i = windows->space - 1; i >= 0; i--) {
    Reach *reach = &windows->reach[i];
    if (sizes[i] % reach->period || reach->period > MOST_PERIOD || all * reach->period > MOST)
      reach->period = 1;
    all *= reach->period;
    reach->steps = sizes[i] / reach->period;
    for (int phase = 0; phase < reach->period; phase++)
      reach->high[phase] = reach->steps;
  }
}

// Is the kernel's root a reduction over all taps of windows, and of nothing else, over space of static size?
static bool windows_of(const Lower *lower, Windows *windows) {
  enum { MOST_TAPS = 1024 };
  const Node *node = lower->kernel->root;
  const Type *in = &node->inputs[0]->type, *out = &node->type;
  int space = node->attr->axis_count, lead = in->rank - 2 * space - 1;
  *windows = (Windows){.node = node, .lead = lead, .space = space};
  if (node->op == OP_argmax || space < 1 || space > MAX_SPACE || lead < 0 || out->rank != lead + space + 1 ||
      !nest_static(in->dim + lead, 2 * space + 1) || nest_capacity(lower, in->dim + lead + space, space) > MOST_TAPS)
    return false;
  for (int i = 0; i < space; i++) {
    windows->reach[i].period = 1;
    if (node->attr->axis[i] != lead + space + i)
      return false;
  }
  if (!visit_views(lower, windows, node->inputs[0], period_of))
    return false;
  limit_phases(windows, out->dim + lead);
  visit_views(lower, windows, node->inputs[0], reach_of);
  choose_tile(lower, windows, out->dim[out->rank - 1]);
  return true;
}

// ---- one tile
// Its output i.
static LExpr *output_of(Lower *lower, const Windows *windows, LExpr *first, LExpr *i) {
  LExpr *step = nest_mul(lower, i, nest_i64(lower, windows->reach[windows->space - 1].period));
  return nest_add(lower, nest_add(lower, first, step), nest_i64(lower, windows->phase));
}

static bool adds_nothing(const Node *node, const LExpr *value) {
  return node->op == OP_reduce_sum && value->op == LX_CONST && value->real == 0 && !value->integer &&
         !__builtin_signbit(value->real);
}

// A sum begins at +0 and so is never -0: +0 changes nothing.
static void add_tap(Lower *lower, Windows *windows, LExpr *first, LExpr *column, int rows, int width, LLocal *acc) {
  const Node *node = windows->node;
  LExpr *i, *j;
  nest_tile(lower, rows, width, &i, &j);
  windows->index[windows->lead + windows->space - 1] = output_of(lower, windows, first, i);
  windows->index[node->inputs[0]->type.rank - 1] = nest_add(lower, column, j);
  LExpr *value = nest_element(lower, node, windows->index, -1);
  if (adds_nothing(node, value)) {
    nest_drop(lower);
    return;
  }
  nest_set(lower, acc, i, j, nest_join(lower, node, lx_local(lower->arena, acc, i, j), value));
  nest_close(lower);
}

// Taps from dimension `dim` on; those of dimensions from `unrolled` on stand one after another.
static void add_taps(Lower *lower, Windows *windows, int dim, int unrolled, LExpr *first, LExpr *column, int rows,
                     int width, LLocal *acc) {
  if (dim == windows->space) {
    add_tap(lower, windows, first, column, rows, width, acc);
    return;
  }
  LExpr **tap = &windows->index[windows->lead + windows->space + dim];
  Dim count = tap_count(windows, dim);
  if (dim < unrolled) {
    *tap = nest_loop(lower, LS_FOR, "r", nest_i64(lower, 0), nest_i64(lower, count), 1);
    add_taps(lower, windows, dim + 1, unrolled, first, column, rows, width, acc);
    nest_close(lower);
    return;
  }
  for (Dim r = 0; r < count; r++) {
    *tap = nest_i64(lower, r);
    add_taps(lower, windows, dim + 1, unrolled, first, column, rows, width, acc);
  }
}

static int unrolled_from(const Windows *windows) {
  enum { FEW = 4, SOME = 16, LONG = 8 };
  int64_t all = 1, last = windows->space - 1;
  bool spread = false;
  for (int i = 0; i < windows->space; i++) {
    all *= tap_count(windows, i);
    spread = spread || windows->reach[i].period > 1;
  }
  if (all <= FEW || (spread && all <= SOME))
    return 0;
  return tap_count(windows, (int)last) <= LONG ? (int)last : windows->space;
}

static void make_tile(Lower *lower, Windows *windows, LExpr *first, LExpr *column, int rows, int width) {
  const Node *node = windows->node;
  LExpr *i, *j;
  LLocal *acc = nest_local(lower, "acc", nest_sum_type(node), 2, rows, width, nest_identity(lower, node));
  add_taps(lower, windows, 0, unrolled_from(windows), first, column, rows, width, acc);
  nest_tile(lower, rows, width, &i, &j);
  windows->result[windows->lead + windows->space - 1] = output_of(lower, windows, first, i);
  windows->result[node->type.rank - 1] = nest_add(lower, column, j);
  nest_know(lower, node, windows->result, nest_as_result(lower, node, lx_local(lower->arena, acc, i, j)));
  nest_finish(lower, windows->result, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// ---- a line of outputs
// Tiles of so many outputs from `first` on, side by side along the line's part of the columns.
static void make_columns(Lower *lower, Windows *windows, LExpr *first, int rows) {
  const Type *out = &windows->node->type;
  int64_t columns = out->dim[out->rank - 1], blocks = columns / windows->width / windows->parts;
  LExpr *from = nest_mul(lower, windows->part, nest_i64(lower, blocks)),
        *to = nest_add(lower, from, nest_i64(lower, blocks));
  if (blocks) {
    LExpr *block = nest_loop(lower, LS_FOR, "block", from, to, 1);
    make_tile(lower, windows, first, nest_mul(lower, block, nest_i64(lower, windows->width)), rows, windows->width);
    nest_close(lower);
  }
  int width;
  for (int64_t at = blocks * windows->parts * windows->width; at < columns; at += width) {
    width = nest_piece(columns - at);
    make_tile(lower, windows, first, nest_i64(lower, at), rows, width);
  }
}

// Tiles from number `from` to before `to`, each of `rows` outputs.
static void make_tiles(Lower *lower, Windows *windows, int64_t from, int64_t to, int rows) {
  if (from >= to)
    return;
  LExpr *tile = nest_loop(lower, LS_FOR, "tile", nest_i64(lower, from), nest_i64(lower, to), 1);
  int64_t each = rows * windows->reach[windows->space - 1].period;
  make_columns(lower, windows, nest_mul(lower, tile, nest_i64(lower, each)), rows);
  nest_close(lower);
}

// Tiles at the borders, where something may be outside, those between them, and one of what is left.
static void make_phase(Lower *lower, Windows *windows) {
  const Reach *reach = &windows->reach[windows->space - 1];
  int rows = (int)nest_even(reach->steps, windows->rows), rest = (int)(reach->steps % rows);
  int64_t whole = reach->steps / rows, low = nest_ceil_div(reach->low[windows->phase], rows),
          high = reach->high[windows->phase] / rows;
  low = low < whole ? low : whole;
  high = nest_at_least(high, low);
  make_tiles(lower, windows, 0, low, rows);
  make_tiles(lower, windows, low, high, rows);
  make_tiles(lower, windows, high, whole, rows);
  if (rest)
    make_columns(lower, windows, nest_i64(lower, whole * rows * reach->period), rest);
}

static void make_line(Lower *lower, Windows *windows) {
  for (windows->phase = 0; windows->phase < windows->reach[windows->space - 1].period; windows->phase++)
    make_phase(lower, windows);
}

// ---- lines
// The places in the dimensions of space but the last: a step of its phase in each.
typedef struct Line {
  LExpr *step[MAX_SPACE];
  int phase[MAX_SPACE];
} Line;

static void set_place(Lower *lower, Windows *windows, const Line *line, int dim, LExpr *step) {
  LExpr *place = nest_step(lower, step, windows->reach[dim].period, nest_i64(lower, line->phase[dim]));
  windows->index[windows->lead + dim] = windows->result[windows->lead + dim] = place;
}

// Does the line see nothing outside?
static LExpr *is_within(Lower *lower, const Windows *windows, const Line *line) {
  LExpr *within = lx_int(lower->arena, L_BOOL, 1);
  for (int i = 0; i < windows->space - 1; i++) {
    const Reach *reach = &windows->reach[i];
    int64_t low = reach->low[line->phase[i]], high = reach->high[line->phase[i]];
    LExpr *above = lx_binary(lower->arena, LX_GE, line->step[i], nest_i64(lower, low));
    LExpr *below = lx_binary(lower->arena, LX_LT, line->step[i], nest_i64(lower, high));
    LExpr *both = low < high ? lx_binary(lower->arena, LX_AND, above, below) : lx_int(lower->arena, L_BOOL, 0);
    within = lx_binary(lower->arena, LX_AND, within, both);
  }
  return within;
}

// The line's step of a dimension, known to see nothing outside.
static LExpr *inner_step(Lower *lower, const Windows *windows, const Line *line, int dim) {
  const Reach *reach = &windows->reach[dim];
  int64_t low = reach->low[line->phase[dim]], high = reach->high[line->phase[dim]];
  LExpr *step = lx_binary(lower->arena, LX_MAX, line->step[dim], nest_i64(lower, low));
  return nest_let(lower, "inner", nest_min(lower, step, nest_i64(lower, high - 1)));
}

static void make_side(Lower *lower, Windows *windows, const Line *line, bool within) {
  for (int i = 0; i < windows->space - 1; i++)
    set_place(lower, windows, line, i, within ? inner_step(lower, windows, line, i) : line->step[i]);
  make_line(lower, windows);
}

// Lines that see nothing outside have code of their own, in which that is known.
static void make_either(Lower *lower, Windows *windows, const Line *line) {
  LExpr *within = is_within(lower, windows, line);
  if (within->op == LX_CONST) {
    make_side(lower, windows, line, within->integer);
    return;
  }
  within = nest_let(lower, "within", within);
  nest_if(lower, within);
  make_side(lower, windows, line, true);
  nest_close(lower);
  nest_if(lower, lx_unary(lower->arena, LX_NOT, within));
  make_side(lower, windows, line, false);
  nest_close(lower);
}

// Lines of all phases of dimensions from `dim` on.
static void make_lines(Lower *lower, Windows *windows, int dim, Line *line) {
  if (dim == windows->space - 1) {
    make_either(lower, windows, line);
    return;
  }
  for (int phase = 0; phase < windows->reach[dim].period; phase++) {
    line->phase[dim] = phase;
    make_lines(lower, windows, dim + 1, line);
  }
}

// How many parts a line's columns are cut into: where there are few lines, as many as keep threads busy.
static int64_t column_parts(const Windows *windows, int64_t lines, int64_t columns) {
  enum { ENOUGH = 32 };
  int64_t blocks = columns / windows->width, most = ENOUGH / nest_at_least(lines, 1), parts = 1;
  for (int64_t i = 2; i <= most && columns % windows->width == 0; i++)
    parts = blocks % i == 0 ? i : parts;
  return parts;
}

bool nest_window(Lower *lower) {
  enum { OPERATIONS = 16384 }; // of a round, about
  Windows windows;
  if (!windows_of(lower, &windows))
    return false;
  const Type *out = &windows.node->type;
  int count = 0, scopes;
  Dim dims[MAX_RANK];
  LExpr *index[MAX_RANK];
  for (int i = 0; i < windows.lead; i++)
    dims[count++] = out->dim[i];
  for (int i = 0; i < windows.space - 1; i++)
    dims[count++] = windows.reach[i].steps;
  bool shared = lower->out->work >= SHARED_WORK;
  windows.parts = shared ? column_parts(&windows, nest_capacity(lower, dims, count), out->dim[out->rank - 1]) : 1;
  dims[count++] = windows.parts;
  LExpr *number = nest_rounds_over(lower, "line", dims, count, OPERATIONS, shared, &scopes);
  nest_unravel(lower, number, dims, NULL, count, index);
  for (int i = 0; i < count; i++)
    index[i] = nest_let(lower, i < windows.lead ? "sample" : i + 1 < count ? "p" : "part", index[i]);
  for (int i = 0; i < windows.lead; i++)
    windows.index[i] = windows.result[i] = index[i];
  windows.part = index[count - 1];
  Line line = {0};
  for (int i = 0; i < windows.space - 1; i++)
    line.step[i] = index[windows.lead + i];
  make_lines(lower, &windows, 0, &line);
  nest_close_all(lower, scopes);
  return true;
}

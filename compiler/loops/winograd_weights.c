// Weights of minimal filtering: from taps to places, a panel of nr outputs at a time.
#include "loops/nest_winograd.h"

bool winograd_near(Lower *lower, const Winograd *w) {
  enum { LARGE = 32 << 20 };
  const Conv *conv = &w->conv;
  int64_t bytes = winograd_places(w) * conv->in * conv->out * ltype_bytes(conv->type);
  return !nest_steady(lower, conv->node->inputs[1]) || bytes > LARGE;
}

LBuffer *winograd_turned(Lower *lower, const Winograd *w) {
  int64_t each = WINOGRAD_WEIGHTS * WINOGRAD_PART * w->conv.nr;
  return conv_turned(lower, &w->conv) ? winograd_scratch(lower, w, "turned_w", each) : NULL;
}

// c: counted from the part's first channel on.
static LExpr *turned_at(Lower *lower, const Winograd *w, LExpr *tap, LExpr *c, LExpr *j) {
  LExpr *row = nest_step(lower, nest_step(lower, w->share, WINOGRAD_WEIGHTS, tap), WINOGRAD_PART, c);
  return nest_step(lower, row, w->conv.nr, j);
}

// Weights that lie along channels in memory (a gradient's, which are turned): copied, so that they lie along outputs.
static void copy_turned(Lower *lower, const Winograd *w, const WinogradPanel *panel) {
  const Conv *conv = &w->conv;
  bool squares = conv->in % TURN_SIZE == 0 && conv->nr % TURN_SIZE == 0;
  int step = squares ? TURN_SIZE : 1;
  LExpr *zero = nest_i64(lower, 0), *three = nest_i64(lower, WINOGRAD_TAPS), *index[4];
  LExpr *channels = lx_binary(lower->arena, LX_SUB, panel->to, panel->from);
  index[0] = nest_loop(lower, LS_FOR, "r", zero, three, 1);
  index[1] = nest_loop(lower, LS_FOR, "q", zero, three, 1);
  LExpr *j = nest_loop(lower, LS_FOR, "j", zero, nest_i64(lower, conv->nr), step);
  LExpr *c = nest_loop(lower, squares ? LS_FOR : LS_SIMD, "c", zero, channels, step);
  index[2] = nest_add(lower, panel->from, c);
  index[3] = nest_add(lower, panel->column, j);
  LExpr *at = turned_at(lower, w, nest_step(lower, index[0], WINOGRAD_TAPS, index[1]), c, j);
  LExpr *value = conv_weight(lower, conv, index);
  if (squares)
    nest_turn(lower, panel->turned, at, conv->nr, value, conv_turned(lower, conv));
  else
    nest_put(lower, panel->turned, at, value);
  nest_close_all(lower, 4);
}

typedef struct Taps {
  const Winograd *w;
  const WinogradPanel *panel;
  LExpr *c;
} Taps;

static LExpr *load_tap(Lower *lower, const void *context, LExpr *r, LExpr *q, LExpr *j) {
  const Taps *taps = context;
  const WinogradPanel *panel = taps->panel;
  LExpr *index[4] = {r, q, taps->c, nest_add(lower, panel->column, j)};
  if (!panel->turned)
    return conv_weight(lower, &taps->w->conv, index);
  LExpr *tap = nest_step(lower, r, WINOGRAD_TAPS, q), *own = lx_binary(lower->arena, LX_SUB, taps->c, panel->from);
  return lx_load(lower->arena, panel->turned, turned_at(lower, taps->w, tap, own, j));
}

// A line of places after the other: stores to all of them at a time would each miss the first cache.
void winograd_pack(Lower *lower, const Winograd *w, const WinogradPanel *panel) {
  if (panel->turned)
    copy_turned(lower, w, panel);
  for (int line = 0; line < w->n; line++) {
    Taps taps = {w, panel, nest_loop(lower, LS_FOR, "channel", panel->from, panel->to, 1)};
    WinogradTransform transform = {
        .matrix = winograd_w, .m = w->m, .in = WINOGRAD_TAPS, .out = w->n, .channels = w->conv.nr};
    transform.load = load_tap;
    transform.context = &taps;
    transform.to = panel->plane;
    LExpr *row = nest_mul(lower, taps.c, nest_i64(lower, w->conv.nr));
    transform.to.at = nest_let(lower, "at", nest_add(lower, panel->plane.at, row));
    winograd_transform_line(lower, &transform, line);
    nest_close(lower);
  }
}

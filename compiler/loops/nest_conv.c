// Convolutions, directly: no matrix of windows is made. Outputs are taken in blocks of samples, or of lines within a sample,
// whose part of x stays in the second cache while all panels of nr channels pass. A register tile is a box of mr neighbouring
// outputs by nr channels, summed over taps and channels of the input in one chain. Weights are packed in panels, in which
// a tile finds its elements side by side. The kernel's further nodes (bias, activation) are computed from the finished
// tile. Where windows are spread (the gradient of strided ones, transposed convolutions), outputs that see the same taps
// are computed together, one phase after the other.
#include "loops/nest_direct.h"

#include <string.h>

#include "graph/ops.h"

typedef struct Panel {
  LExpr *group, *start; // where its weights lie, from its first column on
  LExpr *column;        // its first output channel
  int width;
} Panel;

static int64_t depth(const Conv *conv) {
  return conv_taps(conv, 0) * conv->in;
}

// Where the panel of a group begins; panels lie one after another, the last one as wide as it is.
static LExpr *panel_start(Lower *lower, const Conv *conv, LExpr *group, LExpr *panel) {
  LExpr *of_group = nest_mul(lower, group, nest_i64(lower, depth(conv) * conv->out));
  return nest_add(lower, of_group, nest_mul(lower, panel, nest_i64(lower, depth(conv) * conv->nr)));
}

// ---- packing
static void pack_panel(Lower *lower, const Direct *direct, LExpr *group, LExpr *start, LExpr *column, int width) {
  const Conv *conv = &direct->conv;
  LExpr *index[MAX_RANK], *zero = nest_i64(lower, 0), *k = zero;
  int taps = conv->attr->space;
  for (int i = 0; i < taps; i++) {
    int64_t size = conv->attr->window[i].size;
    index[i] = nest_loop(lower, LS_FOR, "r", zero, nest_i64(lower, size), 1);
    k = nest_add(lower, nest_mul(lower, k, nest_i64(lower, size)), index[i]);
  }
  LExpr *in = nest_i64(lower, conv->in), *wide = nest_i64(lower, width);
  bool squares = direct->turned && conv->in % TURN_SIZE == 0 && width % TURN_SIZE == 0;
  int step = squares ? TURN_SIZE : 1;
  index[taps] = nest_loop(lower, LS_FOR, "c", zero, in, step);
  k = nest_add(lower, nest_mul(lower, k, in), index[taps]);
  LExpr *j = nest_loop(lower, squares ? LS_FOR : LS_SIMD, "j", zero, wide, step);
  LExpr *first = nest_add(lower, nest_mul(lower, group, nest_i64(lower, conv->out)), column);
  index[taps + 1] = nest_add(lower, first, j);
  LExpr *at = nest_add(lower, start, nest_add(lower, nest_mul(lower, k, wide), j));
  LExpr *value = conv_weight(lower, conv, index);
  if (squares)
    nest_turn(lower, direct->packed, at, width, value, direct->turned);
  else
    nest_put(lower, direct->packed, at, value);
  nest_close_all(lower, taps + 2);
}

// Calls `body` for the whole panels and for the last, narrower one, each under its condition.
typedef void PanelBody(Lower *lower, Direct *direct, const Panel *panel);

static void each_panel(Lower *lower, Direct *direct, LExpr *group, LExpr *number, PanelBody *body) {
  const Conv *conv = &direct->conv;
  int64_t whole = conv->out / conv->nr;
  int rest = (int)(conv->out % conv->nr);
  for (int last = 0; last <= 1; last++) {
    if (!nest_part(lower, number, whole, rest, last))
      continue;
    LExpr *own = last ? nest_i64(lower, whole) : number;
    Panel panel = {.group = group, .width = last ? rest : conv->nr};
    panel.start = nest_let(lower, "panel", panel_start(lower, conv, group, own));
    panel.column = nest_let(lower, "o0", nest_mul(lower, own, nest_i64(lower, conv->nr)));
    body(lower, direct, &panel);
    nest_part_end(lower, whole, rest);
  }
}

static void pack_body(Lower *lower, Direct *direct, const Panel *panel) {
  pack_panel(lower, direct, panel->group, panel->start, panel->column, panel->width);
}

static void pack_all(Lower *lower, Direct *direct, bool shared) {
  const Conv *conv = &direct->conv;
  LExpr *panels = nest_i64(lower, conv_panel_count(conv));
  LExpr *tasks = nest_i64(lower, conv->groups * conv_panel_count(conv));
  LExpr *task = nest_loop(lower, shared ? LS_PARALLEL : LS_FOR, "task", nest_i64(lower, 0), tasks, 1);
  LExpr *group = conv->groups == 1 ? nest_i64(lower, 0) : nest_let(lower, "group", nest_div(lower, task, panels));
  LExpr *number = conv->groups == 1 ? task : nest_let(lower, "number", lx_binary(lower->arena, LX_MOD, task, panels));
  each_panel(lower, direct, group, number, pack_body);
  nest_close(lower);
}

// Once for a series of calls, if the weights stay the same; else at each call, in scratch memory.
static void pack(Lower *lower, Direct *direct, bool shared) {
  const Conv *conv = &direct->conv;
  int64_t length = depth(conv) * conv->out * conv->groups;
  direct->turned = conv_turned(lower, conv);
  if (nest_steady(lower, conv->node->inputs[1])) {
    Lower ahead = nest_ahead_begin(lower, "packed_w", conv->type, length, &direct->packed);
    pack_all(&ahead, direct, length >= SHARED_WORK);
    direct->packed = nest_ahead_end(lower, &ahead);
    return;
  }
  direct->packed = nest_scratch(lower, "packed_w", conv->type, length);
  pack_all(lower, direct, shared);
  lower->out->barrier_inside = shared && length > 0;
}

// ---- one tile
typedef struct Tile {
  const Panel *panel;
  int shift, cols;               // its first column in the panel
  int samples, size[MAX_SPACE];  // rows are numbered along the last dimension first
  LExpr *sample, *at[MAX_SPACE]; // its first output, counted in the phase
} Tile;

static int tile_rows(const Direct *direct, const Tile *tile) {
  int rows = tile->samples;
  for (int d = 0; d < direct->conv.space; d++)
    rows *= tile->size[d];
  return rows;
}

// Sample and output of row i.
static LExpr *row_outputs(Lower *lower, const Direct *direct, const Tile *tile, LExpr *i, LExpr **output) {
  int rows = tile_rows(direct, tile);
  for (int d = direct->conv.space - 1; d >= 0; d--) {
    LExpr *size = nest_i64(lower, tile->size[d]);
    output[d] = tile->at[d];
    if (tile->size[d] == 1)
      continue;
    output[d] = nest_add(lower, tile->at[d], rows == tile->size[d] ? i : lx_binary(lower->arena, LX_MOD, i, size));
    rows /= tile->size[d];
    i = nest_div(lower, i, size);
  }
  return rows > 1 ? nest_add(lower, tile->sample, i) : tile->sample;
}

// Output p of a phase, among all.
static LExpr *output_of(Lower *lower, const Phase *phase, LExpr *p) {
  return nest_add(lower, nest_mul(lower, p, nest_i64(lower, phase->step)), nest_i64(lower, phase->first));
}

static LExpr *place_of(Lower *lower, const Direct *direct, int d, LExpr *p, LExpr *r) {
  return nest_add(lower, conv_place(lower, &direct->conv, d, p, r), nest_i64(lower, direct->phase[d].shift));
}

// The indices of a sample, or of a row.
static void sample_index(Lower *lower, const Direct *direct, LExpr *sample, LExpr **index) {
  nest_unravel(lower, sample, direct->grid, NULL, direct->conv.lead, index);
}

// The next panel's weights, while the tiles of this one are summed.
static void prefetch_panel(Lower *lower, const Direct *direct, const Tile *tile, LExpr *k) {
  const Conv *conv = &direct->conv;
  NextPanel panel = {.packed = direct->packed,
                     .rows = tile_rows(direct, tile),
                     .all = direct->samples,
                     .rounds = depth(conv),
                     .length = depth(conv) * conv->nr};
  panel.next = nest_add(lower, tile->panel->start, nest_i64(lower, panel.length));
  panel.done = lx_binary(lower->arena, LX_SUB, tile->sample, direct->sample);
  for (int d = 0; d < conv->space; d++) {
    int64_t count = d == 0 ? direct->lines : direct->phase[d].count;
    LExpr *at = d == 0 ? lx_binary(lower->arena, LX_SUB, tile->at[d], direct->line) : tile->at[d];
    panel.done = nest_add(lower, nest_mul(lower, panel.done, nest_i64(lower, count)), at);
    panel.all *= count;
  }
  nest_prefetch_panel(lower, &panel, k);
}

// acc[i, j] over all taps and channels.
static LLocal *sum_tile(Lower *lower, Direct *direct, const Tile *tile) {
  const Conv *conv = &direct->conv;
  int last = conv->space - 1, rows = tile_rows(direct, tile);
  LExpr *zero = nest_i64(lower, 0), *tap[MAX_SPACE], *i, *j, *k = zero, *output[MAX_SPACE], *place[MAX_SPACE];
  LLocal *acc = nest_local(lower, "acc", conv->type, 2, rows, tile->cols, lx_real(lower->arena, conv->type, 0));
  int loops = 0, taps = conv->folded ? last : conv->space;
  for (int d = 0; d < taps; d++, loops++) {
    const Phase *phase = &direct->phase[d];
    tap[d] = nest_loop(lower, LS_FOR, "r", zero, nest_i64(lower, phase->taps), 1);
    LExpr *own = nest_add(lower, nest_mul(lower, tap[d], nest_i64(lower, phase->step)), nest_i64(lower, phase->tap));
    k = nest_add(lower, nest_mul(lower, k, nest_i64(lower, conv->attr->window[d].size)), own);
  }
  int64_t run = conv->folded ? conv->attr->window[last].size * conv->in : conv->in;
  LExpr *c = nest_loop(lower, LS_FOR, "c", zero, nest_i64(lower, run), 1);
  k = nest_add(lower, nest_mul(lower, k, nest_i64(lower, run)), c);
  prefetch_panel(lower, direct, tile, k);
  nest_tile(lower, rows, tile->cols, &i, &j);
  LExpr *sample = row_outputs(lower, direct, tile, i, output);
  for (int d = 0; d < conv->space; d++)
    place[d] = place_of(lower, direct, d, output[d], d < taps ? tap[d] : zero);
  LExpr *channel = nest_add(lower, nest_mul(lower, tile->panel->group, nest_i64(lower, conv->in)), c);
  LExpr *x = conv_x(lower, conv, sample, place, channel);
  LExpr *at = nest_add(lower, nest_mul(lower, k, nest_i64(lower, tile->panel->width)), j);
  LExpr *start = nest_add(lower, tile->panel->start, nest_i64(lower, tile->shift));
  LExpr *w = lx_load(lower->arena, direct->packed, nest_add(lower, start, at));
  nest_set(lower, acc, i, j, lx_fma(lower->arena, x, w, lx_local(lower->arena, acc, i, j)));
  nest_close_all(lower, loops + 2);
  return acc;
}

static void make_tile(Lower *lower, Direct *direct, const Tile *tile) {
  const Conv *conv = &direct->conv;
  LExpr *index[MAX_RANK], *output[MAX_SPACE], *i, *j;
  LLocal *acc = sum_tile(lower, direct, tile);
  nest_tile(lower, tile_rows(direct, tile), tile->cols, &i, &j);
  sample_index(lower, direct, row_outputs(lower, direct, tile, i, output), index);
  for (int d = 0; d < conv->attr->space; d++) {
    LExpr **p = &index[conv->lead + conv->space - conv->attr->space + d];
    *p = output_of(lower, &direct->phase[d], direct->rows ? *p : output[d]);
  }
  LExpr *column = nest_add(lower, tile->panel->column, nest_i64(lower, tile->shift));
  column = nest_add(lower, nest_mul(lower, tile->panel->group, nest_i64(lower, conv->out)), column);
  index[conv->lead + conv->space] = nest_add(lower, column, j);
  nest_know(lower, conv->node, index, lx_local(lower->arena, acc, i, j));
  nest_finish(lower, index, 0, lower->kernel->nodes.count);
  nest_close(lower);
}

// ---- the tiles of a block in one panel: along each dimension whole ones, and one of what is left
static void tiles_along(Lower *lower, Direct *direct, Tile *tile, int d) {
  if (d == direct->conv.space) {
    make_tile(lower, direct, tile);
    return;
  }
  int64_t count = direct->phase[d].count, size = direct->tile_size[d], whole = count / size * size;
  bool cut = d == 0 && direct->lines < count; // into blocks of lines
  LExpr *from = nest_i64(lower, 0), *to = nest_i64(lower, whole);
  if (cut) {
    from = direct->line;
    to = nest_min(lower, nest_add(lower, from, nest_i64(lower, direct->lines)), to);
  }
  if (whole) {
    tile->size[d] = (int)size;
    tile->at[d] = nest_loop(lower, LS_FOR, d == direct->conv.space - 1 ? "q0" : "p0", from, to, size);
    tiles_along(lower, direct, tile, d + 1);
    nest_close(lower);
  }
  if (whole == count)
    return;
  if (cut)
    nest_if(lower, lx_binary(lower->arena, LX_EQ, from, nest_i64(lower, (count - 1) / direct->lines * direct->lines)));
  tile->size[d] = (int)(count - whole);
  tile->at[d] = nest_i64(lower, whole);
  tiles_along(lower, direct, tile, d + 1);
  if (cut)
    nest_close(lower);
}

static void tiles_of_samples(Lower *lower, Direct *direct, Tile *tile, LExpr *from, LExpr *to, int samples) {
  tile->samples = samples;
  tile->sample = nest_loop(lower, LS_FOR, "b", from, to, samples);
  tiles_along(lower, direct, tile, 0);
  nest_close(lower);
}

// Whole tiles, then one of what is left of the full batch; of a smaller one, tiles of four samples and of one.
static void samples_of_block(Lower *lower, Direct *direct, Tile *tile) {
  const Conv *conv = &direct->conv;
  int64_t samples = nest_capacity(lower, direct->grid, conv->lead);
  int rest = (int)(samples % direct->tile_samples);
  bool known = nest_static(direct->grid, conv->lead);
  const int heights[] = {direct->tile_samples, rest, known ? 0 : 4, known ? 0 : 1};
  LExpr *from = direct->sample;
  int least = direct->tile_samples + 1;
  for (int i = 0; i < 4; i++) {
    if (!heights[i] || heights[i] >= least)
      continue;
    least = heights[i];
    LExpr *each = nest_i64(lower, heights[i]), *to = direct->end;
    if (heights[i] > 1) {
      LExpr *count = nest_div(lower, lx_binary(lower->arena, LX_SUB, to, from), each);
      to = nest_let(lower, "whole", nest_add(lower, from, nest_mul(lower, count, each)));
    }
    tiles_of_samples(lower, direct, tile, from, to, heights[i]);
    from = to;
  }
}

static void panel_body(Lower *lower, Direct *direct, const Panel *panel) {
  for (int shift = 0, cols; shift < panel->width; shift += cols) {
    cols = nest_piece(panel->width - shift);
    Tile tile = {.panel = panel, .shift = shift, .cols = cols};
    samples_of_block(lower, direct, &tile);
  }
}

// The block's rows of x, side by side.
static void copy_rows(Lower *lower, Direct *direct, LExpr *share) {
  Conv *conv = &direct->conv;
  LExpr *index[MAX_RANK], *zero = nest_i64(lower, 0), *pitch = nest_i64(lower, conv->pitch);
  conv->first_sample = direct->sample;
  conv->base = nest_let(lower, "piece", nest_mul(lower, share, nest_i64(lower, direct->copied * conv->pitch)));
  LExpr *b = nest_loop(lower, LS_FOR, "b", direct->sample, direct->end, 1);
  sample_index(lower, direct, b, index);
  for (int d = 0; d < conv->attr->space; d++) {
    LExpr **p = &index[conv->lead - conv->attr->space + d];
    *p = nest_let(lower, "place", place_of(lower, direct, d, *p, zero));
  }
  LExpr *row = nest_mul(lower, lx_binary(lower->arena, LX_SUB, b, direct->sample), pitch);
  LExpr *at = nest_let(lower, "at", nest_add(lower, conv->base, row));
  LExpr *c = nest_loop(lower, LS_SIMD, "c", zero, nest_i64(lower, conv->in * conv->groups), 1);
  index[conv->lead] = c;
  nest_put(lower, conv->image, nest_add(lower, at, c), lower_value(lower, conv->x, index));
  nest_close_all(lower, 2);
}

// ---- blocks, and in each the panels of all groups
static void convolve(Lower *lower, Direct *direct) {
  Conv *conv = &direct->conv;
  int64_t lines = nest_ceil_div(direct->phase[0].count, direct->lines);
  LExpr *of_sample = nest_i64(lower, lines), *panels = nest_i64(lower, conv_panel_count(conv)),
        *zero = nest_i64(lower, 0);
  LExpr *samples = nest_count(lower, direct->grid, conv->lead), *each = nest_i64(lower, direct->samples);
  LExpr *blocks = nest_div(lower, nest_add(lower, samples, nest_i64(lower, direct->samples - 1)), each);
  Shares shares;
  LExpr *share = nest_dealt_shares(lower, &shares, nest_mul(lower, blocks, of_sample),
                                   conv->groups * conv_panel_count(conv), direct->shares);
  LExpr *block = nest_share_things(lower, &shares);
  direct->sample = nest_let(lower, "b0", nest_mul(lower, nest_div(lower, block, of_sample), each));
  direct->end = nest_add(lower, direct->sample, each);
  if (direct->samples > 1)
    direct->end = nest_let(lower, "end", nest_min(lower, direct->end, samples));
  LExpr *line = lines > 1 ? lx_binary(lower->arena, LX_MOD, block, of_sample) : zero;
  direct->line = nest_let(lower, "p0", nest_mul(lower, line, nest_i64(lower, direct->lines)));
  if (direct->apart)
    copy_rows(lower, direct, share);
  else
    conv_copy(lower, conv, share, direct->sample, place_of(lower, direct, 0, direct->line, zero));
  LExpr *part = nest_share_parts(lower, &shares), *group = zero, *number = part;
  if (conv->groups > 1) {
    group = nest_let(lower, "group", nest_div(lower, part, panels));
    number = nest_let(lower, "number", lx_binary(lower->arena, LX_MOD, part, panels));
  }
  each_panel(lower, direct, group, number, panel_body);
  nest_close_all(lower, 3);
}

// ---- phases
// Phase number `at` of dimension d: outputs at, at + step, …
static Phase phase_of(const Conv *conv, int d, int64_t at) {
  const Window *w = &conv->attr->window[d];
  if (!conv->view.phased)
    return (Phase){1, 0, conv->view.outputs[d], 0, w->size, 0};
  int64_t step = w->spread, tap = ((w->before - at) % step + step) % step;
  return (Phase){.step = step,
                 .first = at,
                 .count = nest_ceil_div(conv->view.outputs[d] - at, step),
                 .tap = tap,
                 .taps = nest_ceil_div(w->size - tap, step),
                 .shift = (at + tap - w->before) / step + conv->view.window[d].before};
}

// ---- outputs that see no tap
// Sums of nothing: all channels of an output together, since they lie together and there are no weights to keep.
static void make_unseen(Lower *lower, Direct *direct) {
  enum { OPERATIONS = 4096 };
  const Conv *conv = &direct->conv;
  int count = conv->lead + conv->space, scopes;
  LExpr *index[MAX_RANK];
  Dim dims[MAX_RANK];
  for (int i = 0; i < count; i++)
    dims[i] = i < conv->lead ? conv->x->type.dim[i] : (Dim)direct->phase[i - conv->lead].count;
  LExpr *number = nest_rounds_over(lower, "output", dims, count, OPERATIONS, direct->shares > 0, &scopes);
  nest_unravel(lower, number, dims, NULL, count, index);
  for (int d = 0; d < conv->space; d++) {
    LExpr **p = &index[conv->lead + d];
    *p = nest_let(lower, "p", output_of(lower, &direct->phase[d], *p));
  }
  ConvRow row = {.channel = nest_i64(lower, 0), .count = conv->out * conv->groups};
  conv_finish(lower, conv, &row, index);
  nest_close_all(lower, scopes);
}

// ---- phases and their tiles
static void begin_phase(const Lower *lower, Direct *direct) {
  Conv *conv = &direct->conv;
  memcpy(direct->grid, conv->x->type.dim, sizeof direct->grid);
  direct->apart = false;
  for (int d = 0; d < conv->attr->space && direct->rows; d++) {
    const Phase *phase = &direct->phase[d];
    bool all = conv->attr->window[d].stride == 1 && phase->shift == 0 && phase->count == direct->grid[conv->lead + d];
    direct->apart = direct->apart || !all;
    direct->grid[conv->lead + d] = phase->count;
  }
  if (direct->rows) {
    conv->lead += conv->space;
    conv->space = 0;
  }
  int64_t row = conv->in * conv->groups;
  conv->pitch = direct->apart ? conv_row(conv, row) : row;
  direct_choose_tile(lower, direct);
}

static void end_phase(Direct *direct) {
  Conv *conv = &direct->conv;
  conv->lead -= conv->attr->space - conv->space;
  conv->space = conv->attr->space;
}

typedef void PhaseBody(Lower *lower, Direct *direct);

// `unseen`, or NULL: for outputs that see no tap.
static void each_phase(Lower *lower, Direct *direct, int d, PhaseBody *body, PhaseBody *unseen) {
  const Conv *conv = &direct->conv;
  if (d == conv->space) {
    begin_phase(lower, direct);
    direct_choose_block(lower, direct);
    body(lower, direct);
    end_phase(direct);
    return;
  }
  int64_t phases = conv->view.phased ? conv->attr->window[d].spread : 1;
  for (int64_t at = 0; at < phases && at < conv->view.outputs[d]; at++) {
    direct->phase[d] = phase_of(conv, d, at);
    if (direct->phase[d].taps > 0) {
      each_phase(lower, direct, d + 1, body, unseen);
    } else if (unseen) {
      for (int inner = d + 1; inner < conv->space; inner++)
        direct->phase[inner] = (Phase){.step = 1, .count = conv->view.outputs[inner]};
      unseen(lower, direct);
    }
  }
}

// The piece of the image that is enough for every phase.
static void widen_piece(Lower *lower, Direct *direct) {
  (void)lower;
  Conv *conv = &direct->conv;
  direct->copied = direct->apart ? direct->samples : 0;
  int64_t lines = direct_lines_seen(direct, direct->lines);
  conv->samples = nest_at_least(conv->samples, direct->samples);
  conv->lines = nest_at_least(conv->lines, lines);
}

// Rows that are no neighbours in x are copied, which is worth it where its lines do not hold whole tiles.
static bool is_rows(const Lower *lower, const Conv *conv) {
  bool worth = conv->view.outputs[conv->space - 1] % nest_tile_most(lower) != 0, neighbours = true;
  for (int d = 0; d < conv->space; d++)
    neighbours = neighbours && conv->attr->window[d].stride == 1;
  return conv->view.inside && conv_taps(conv, 0) == 1 && nest_in_memory(lower, conv->x) && (neighbours || worth);
}

// Memory for what each share copies of x, if it does.
static void make_piece(Lower *lower, Direct *direct, bool shared) {
  Conv *conv = &direct->conv;
  int64_t rows = direct->copied * conv->pitch, bytes = rows * ltype_bytes(conv->type);
  if (shared)
    direct->shares = nest_most_shares(rows ? bytes : conv_piece_bytes(conv, conv->samples, conv->lines));
  if (rows)
    conv->image = nest_scratch(lower, "image", conv->type, rows * nest_at_least(direct->shares, 1));
  else
    conv_image(lower, conv, conv->samples, conv->lines, direct->shares);
}

void nest_conv(Lower *lower) {
  const Node *node = lower->kernel->root;
  Direct direct = {.conv = conv_of(lower, node)};
  Conv *conv = &direct.conv;
  lower->out->work = nest_work(lower);
  bool shared = nest_shares_scratch(lower);
  direct.rows = is_rows(lower, conv);
  conv->folded = conv->folded && !direct.rows;
  for (int d = 0; d < conv->space; d++)
    direct.phase[d] = phase_of(conv, d, 0);
  begin_phase(lower, &direct);
  Tile tile = {.samples = direct.tile_samples};
  for (int d = 0; d < conv->space; d++)
    tile.size[d] = direct.tile_size[d];
  nest_tile_size(lower, conv->type, tile_rows(&direct, &tile), conv->out, &conv->mr, &conv->nr);
  end_phase(&direct);
  each_phase(lower, &direct, 0, widen_piece, NULL);
  pack(lower, &direct, shared);
  make_piece(lower, &direct, shared);
  each_phase(lower, &direct, 0, convolve, make_unseen);
}

// What the nest of direct convolutions shares with the choice of its tiles and blocks. Private to nest_conv.c and conv_block.c.
#pragma once
#include "loops/nest_conv.h"

// The outputs first + step * p for p below count, and the taps tap + step * r for r below taps that they see: at place
// p * stride + r * dilation + shift of the image. Windows that are not spread have one phase, of all.
typedef struct Phase {
  int64_t step, first, count, tap, taps, shift;
} Phase;

typedef struct Direct {
  Conv conv;
  Phase phase[MAX_SPACE];
  bool rows;      // windows are single elements of x: in a phase, space is but more samples, without tiles of its own
  bool apart;     // but they are not neighbours in memory: a block's are copied
  int64_t copied; // rows of such a copy
  Dim grid[MAX_RANK]; // what samples are counted through: x's leading dimensions, with `rows` the phase's outputs too
  LBuffer *packed;    // weights: for each group and panel [taps.., channels, width]
  int64_t turned;     // conv_turned
  int64_t samples, lines; // of a block; lines of the first dimension
  int64_t shares;         // 0: one thread does it
  int tile_samples;       // of a tile, and its size along each dimension
  int tile_size[MAX_SPACE];
  LExpr *sample, *line, *end; // the present block's first ones, and the sample behind it
} Direct;

// Panels of nr channels, of one group.
int64_t conv_panel_count(const Conv *conv);
// The tile of a phase: part of a row of outputs; where rows are short, whole rows; where all of space is, samples.
void direct_choose_tile(const Lower *lower, Direct *direct);
// Blocks whose part of x fills a quarter of the second cache, or less if there are few.
void direct_choose_block(const Lower *lower, Direct *direct);
// Image lines that a block of so many lines of outputs sees.
int64_t direct_lines_seen(const Direct *direct, int64_t lines);

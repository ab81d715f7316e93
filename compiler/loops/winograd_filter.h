// What both orders of minimal filtering share: products and outputs of a block of tiles. Private to nest_winograd*.c and
// winograd_filter.c.
#pragma once
#include "loops/nest_winograd.h"

typedef struct Filter {
  Winograd w;
  bool x_first; // x of all blocks is brought into places before any is multiplied
  bool near;    // weights are brought into places where they are multiplied
  // Weights [parts, places, panels, channels, nr], in the order in which they are read; near: of a panel and `depth` channels, for
  // each share. turned: see WinogradPanel.
  LBuffer *weights, *turned;
  LBuffer *places;                   // x of a block, for each share: [places, tiles, row]; x first: of all blocks
  LBuffer *sums;                     // of a part: [places, tiles, outputs]
  LBuffer *result;                   // of a tile: [m * m, outputs]
  int64_t row;                       // of `places`: the channels
  int64_t outputs;                   // of a part
  int64_t depth;                     // channels that are multiplied at a time
  int64_t apart_w, apart_x, apart_y; // of `weights`, `places` and `sums`: elements from one place to the next
  LExpr *part, *column;              // the present part, its first output
  LExpr *channel;                    // the first of those multiplied
  LExpr *tile;                       // x first: the number of the present block's first tile
} Filter;

// Where the weights of a place and the panel that begins with output `column` of the present part lie.
LExpr *filter_panel_at(Lower *lower, const Filter *filter, LExpr *place, LExpr *column);
// Brings the channels [from, to), WINOGRAD_PART at most, into places; at: where channel 0 would lie.
void filter_pack(Lower *lower, const Filter *filter, LExpr *from, LExpr *to, LExpr *at);
// Brings all weights into places: once for a series of calls, if they stay the same; else at each call, in scratch memory.
void filter_pack_all(Lower *lower, Filter *filter);
// How far places lie apart, and how many threads there is memory for, where x is brought into places for so many tiles at a
// time and copied for so many of its lines.
void filter_choose_memory(Lower *lower, Filter *filter, int64_t tiles, int64_t lines);
// Memory for sums and outputs.
void filter_take_memory(Lower *lower, Filter *filter);
// Copies x of a block, and brings it into places.
void filter_transform_x(Lower *lower, Filter *filter, Winograd *block);
// Multiplies the present block with the present part.
void filter_multiply(Lower *lower, const Filter *filter);
// The outputs of the present block and part.
void filter_finish(Lower *lower, const Filter *filter);

void winograd_weights_first(Lower *lower, Filter *filter);
void winograd_x_first(Lower *lower, Filter *filter);

// What the nests of minimal filtering share: tiles, blocks of them, weights. Private to nest_winograd*.c and winograd_*.c.
#pragma once
#include "loops/nest_conv.h"
#include "loops/winograd.h"

typedef struct Winograd {
  Conv conv;
  int m, n;               // outputs and places of a tile, along each dimension
  int64_t down, across;   // tiles of a sample
  int64_t samples, lines; // of a block; lines of tiles
  int64_t tiles;          // of a block
  int64_t shares;         // 0: one thread does it
  LBuffer *half;          // of transforms, for each share
  // Of the present block: its first sample and line of tiles, and those behind the last; whose scratch memory it uses.
  LExpr *sample, *end, *line, *bottom, *share;
  bool numbered; // tiles are numbered through all samples, not from the block's first one on
} Winograd;

typedef struct WinogradTile {
  LExpr *sample, *p, *q; // tile p, q of a sample
  LExpr *number;
} WinogradTile;

enum { WINOGRAD_PLACES = WINOGRAD_MOST * WINOGRAD_MOST, WINOGRAD_WEIGHTS = WINOGRAD_TAPS * WINOGRAD_TAPS };

// Its sizes, without blocks. Panels of two vectors, or of one, so that none is narrower.
Winograd winograd_of(Lower *lower, const Node *node);
int64_t winograd_places(const Winograd *w); // of a tile
// Whole samples, or lines of one, with at most so many tiles, if a line has no more.
void winograd_choose_block(const Lower *lower, Winograd *w, int64_t tiles);
int64_t winograd_lines(const Winograd *w); // of x under a block
// Tiles of all samples, were the last block whole.
int64_t winograd_numbered(const Lower *lower, const Winograd *w);
LExpr *winograd_blocks(Lower *lower, const Winograd *w);
void winograd_open_block(Lower *lower, Winograd *w, LExpr *block); // makes it the present one
// Opens loops over the tiles of the present block, closed by three calls of nest_close.
WinogradTile winograd_open_tiles(Lower *lower, const Winograd *w);
// The same, and copies what the tiles of each sample read.
WinogradTile winograd_open_copied(Lower *lower, Winograd *w);
// Copies what the tiles of the present block read, of `sample`.
void winograd_copy(Lower *lower, Winograd *w, LExpr *sample);
// x in the places of a tile, as they are or a line of them.
void winograd_transform_x(Lower *lower, const Winograd *w, const WinogradTile *tile, LExpr *line,
                          const WinogradPlane *to);
// dL/dy of a tile and panel in the places of a tile.
void winograd_transform_dy(Lower *lower, const Winograd *w, const WinogradTile *tile, LExpr *panel, LExpr *line,
                           const WinogradPlane *to);
// Are weights brought into places where they are multiplied? Those that stay the same are brought there ahead, unless their way
// from memory would take longer.
bool winograd_near(Lower *lower, const Winograd *w);
// Weights of some channels and a panel of nr outputs.
enum { WINOGRAD_PART = 64 }; // channels at most
typedef struct WinogradPanel {
  LBuffer *turned;     // for each share: [taps, channels, nr]; NULL: weights are read where they lie
  LExpr *column;       // the first output
  LExpr *from, *to;    // channels
  WinogradPlane plane; // where channel 0 would go; channels follow each other, nr elements each
} WinogradPanel;
LBuffer *winograd_turned(Lower *lower, const Winograd *w);                       // memory for that
void winograd_pack(Lower *lower, const Winograd *w, const WinogradPanel *panel); // brings them into places
// Scratch memory of so many elements for each share.
LBuffer *winograd_scratch(Lower *lower, const Winograd *w, const char *name, int64_t length);
// A transform of `channels` channels, in the present share's memory.
WinogradTransform winograd_begin(Lower *lower, const Winograd *w, WinogradRow *matrix, int in, int out,
                                 int64_t channels);
// Rounds that are dealt to threads; makes the one's scratch memory the present one.
LExpr *winograd_open_rounds(Lower *lower, Winograd *w, const char *name, LExpr *count);

// The two orders of the weights' gradient.
void winograd_weight_lines(Lower *lower);
void winograd_weight_few(Lower *lower);

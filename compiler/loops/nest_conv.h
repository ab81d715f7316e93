// What the nests of convolutions share: sizes, and x with all that windows reach beyond it. Private to nest_conv*.c.
#pragma once
#include "loops/nest.h"
#include "passes/conv_view.h"

// y[p, o] = sum over taps r and channels c of x[p * stride + r * dilation - before, c] * w[r, c, o], space channels last.
typedef struct Conv {
  const Node *node, *x;
  const Attr *attr;
  ConvView view;
  int space, lead;         // dimensions of space, and before it
  int64_t groups, in, out; // groups, channels of one, outputs of one
  LType type;
  int64_t pitch;          // of the image: elements from one place to the next
  LBuffer *image;         // of a piece of x, with zeros around and between it, for each share; NULL: x itself will do
  int64_t samples, lines; // of the piece; lines of the first dimension of space
  LExpr *first_sample, *first_line,
      *base;   // where the present piece begins in all of the image, and its share's in memory
  bool folded; // the last tap and the channel count as one number: neighbours in memory
  int mr, nr;  // the register tile
} Conv;

// Of a conv or a conv_weight.
Conv conv_of(Lower *lower, const Node *node);
// Where windows leave x, makes scratch memory for pieces of an image, which has zeros there, of so many samples and lines, one
// for each share (0: one); the bytes it takes.
void conv_image(Lower *lower, Conv *conv, int64_t samples, int64_t lines, int64_t shares);
// The weight at [taps.., channel, output]: a load where it lies in memory.
LExpr *conv_weight(Lower *lower, const Conv *conv, LExpr *const *index);
// Where weights lie along channels in memory (a gradient's, which are turned): the distance of neighbouring outputs; else 0.
int64_t conv_turned(Lower *lower, const Conv *conv);
int64_t conv_piece_bytes(const Conv *conv, int64_t samples, int64_t lines); // 0: there is no image
// Copies the piece that begins at a sample and a line of the image, if there is an image.
void conv_copy(Lower *lower, Conv *conv, LExpr *share, LExpr *sample, LExpr *line);
// Rows of so many elements, made longer where they would fall on each other in a cache.
int64_t conv_row(const Conv *conv, int64_t length);
// Where x of a sample under a window lies in the image, from channel 0 on.
LExpr *conv_image_at(Lower *lower, const Conv *conv, LExpr *sample, LExpr *const *place);
// x of a sample under a window. place: of the window's tap, one a dimension of space; the last is a count of channels too if
// `folded`.
LExpr *conv_x(Lower *lower, const Conv *conv, LExpr *sample, LExpr *const *place, LExpr *channel);
// The samples of all leading dimensions, and the indices of one.
LExpr *conv_samples(Lower *lower, const Conv *conv);
void conv_lead(Lower *lower, const Conv *conv, LExpr *sample, LExpr **index);
int64_t conv_taps(const Conv *conv, int from); // the product of window sizes of dimensions `from` on
// What a dimension of output p and tap r reads: p * stride + r * dilation.
LExpr *conv_place(Lower *lower, const Conv *conv, int dim, LExpr *output, LExpr *tap);

// Neighbouring channels of one output (of a gradient: of one tap and input channel).
typedef struct ConvRow {
  LBuffer *sums; // over all taps; NULL: zeros
  LExpr *at;     // where those of the row begin
  LExpr *channel;
  int64_t count; // of channels, from that one on
} ConvRow;

// Computes the kernel's nodes for the row; all indices but the last stand in `index`.
void conv_finish(Lower *lower, const Conv *conv, const ConvRow *row, LExpr **index);

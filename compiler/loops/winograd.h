// Minimal filtering: m outputs of a window of 3 taps from m + 2 products instead of 3 m, by values of polynomials at m + 1 places
// and infinity. Along two dimensions m * m outputs take (m + 2)² products. With x, w and y seen as such values,
// y = Aᵀ ((G w) · (Bᵀ x)), and the gradient of w is Gᵀ ((A dL/dy) · (Bᵀ x)). (Winograd, "Arithmetic complexity of computations",
// 1980; Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016.) m is 2, at 0, ±1, or 4, at 0, ±3/4, ±3/2:
// exact in binary, and with less error than whole numbers (Barabasz and others, "Error analysis and improving the accuracy of
// Winograd convolution", 2020).
#pragma once
#include "loops/nest.h"

enum { WINOGRAD_TAPS = 3, WINOGRAD_MOST = 6 };

// Element `row` of a product with one of the matrices above.
typedef LExpr *WinogradRow(Lower *lower, int m, LExpr *const *in, int row);
LExpr *winograd_x(Lower *lower, int m, LExpr *const *in, int row);  // Bᵀ: m + 2 to m + 2
LExpr *winograd_w(Lower *lower, int m, LExpr *const *in, int row);  // G: 3 to m + 2
LExpr *winograd_y(Lower *lower, int m, LExpr *const *in, int row);  // Aᵀ: m + 2 to m
LExpr *winograd_dw(Lower *lower, int m, LExpr *const *in, int row); // Gᵀ: m + 2 to 3
LExpr *winograd_dy(Lower *lower, int m, LExpr *const *in, int row); // A: m to m + 2

// Where the results of a tile go: element i, j of channel c at `at` + i * down + j * across + c.
typedef struct WinogradPlane {
  LBuffer *buffer;
  LExpr *at;
  int64_t down, across;
} WinogradPlane;

// Element i, j of channel c of what is transformed; i is a constant.
typedef LExpr *WinogradLoad(Lower *lower, const void *context, LExpr *i, LExpr *j, LExpr *c);

typedef struct WinogradTransform {
  WinogradRow *matrix;
  int m, in, out; // the matrix is [out, in]
  WinogradLoad *load;
  const void *context;
  int64_t channels;
  LExpr *line;   // the one row of results that is wanted, which becomes row 0; NULL: all
  LBuffer *half; // what is between the two dimensions: WINOGRAD_HALF elements
  LExpr *half_at;
  WinogradPlane to;
} WinogradTransform;
enum { WINOGRAD_HALF = WINOGRAD_MOST * WINOGRAD_MOST * SMALL_TILE };

// The same matrix along both dimensions, for each channel, some vectors of channels at a time.
void winograd_transform(Lower *lower, const WinogradTransform *transform);
// One line of it, for all channels, without what is between the dimensions.
void winograd_transform_line(Lower *lower, const WinogradTransform *transform, int line);

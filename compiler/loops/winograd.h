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
// The same matrix along both dimensions: row-major from in * in values to out * out. What lies between them becomes lets.
void winograd_plane(Lower *lower, WinogradRow *matrix, int m, int in, int out, LExpr *const *values, LExpr **results);
// Row `row` of that alone, out values.
void winograd_line(Lower *lower, WinogradRow *matrix, int m, int in, int out, LExpr *const *values, int row,
                   LExpr **results);

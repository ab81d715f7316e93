// The few SVG elements that charts are made of. Places are in pixels from the upper left corner.
#pragma once
#include <stdio.h>

// Any bytes as characters of XML: control characters and what is no UTF-8 become blanks, a long text is cut.
void nnrt_svg_escape(FILE *out, const char *text);
// `attributes` begins with a blank, or is "".
void nnrt_svg_text(FILE *out, double x, double y, const char *attributes, const char *text);
void nnrt_svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *colour);

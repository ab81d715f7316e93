// Names of tensors, net.block_0.w, and patterns over them, in which `*` stands for any characters.
#pragma once
#include <stdbool.h>

enum { NNRT_MOST_STARS = 16 }; // of a pattern; one with more fits nothing

// `name` lies within `part`: it is `part`, or begins with it and a dot.
bool nnrt_name_within(const char *name, const char *part);
// The pattern fits the name or a part that it lies in.
bool nnrt_name_fits(const char *pattern, const char *name);
int nnrt_name_stars(const char *pattern);

// The name with what fits `pattern` replaced by `with`: the whole name if there are stars, each of `with` standing for
// what the one of `pattern` stood for; else the part `pattern` at its beginning. The caller frees it. NULL: it does not
// fit.
char *nnrt_name_replace(const char *name, const char *pattern, const char *with);

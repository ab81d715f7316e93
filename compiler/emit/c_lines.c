// #line directives, for -g: each line of a kernel is told to be the .nn line that the kernel came from, so that a
// debugger stops there and shows it; what stands between kernels is told to be the C file's own.
#include "emit/c.h"

// What is being written, and the number of the line it has come to.
typedef struct Lines {
  Text *out;
  int line;
} Lines;

static void add(Lines *lines, const char *text, size_t length) {
  text_printf(lines->out, "%.*s", (int)length, text);
  for (size_t i = 0; i < length; i++)
    lines->line += text[i] == '\n';
}

static void add_directive(Lines *lines, int line, const char *path) {
  text_printf(lines->out, "#line %d ", line);
  c_string(lines->out, path);
  text_add(lines->out, "\n");
  lines->line++;
}

// Compilers go on counting behind a directive, so there is one before each line but comments and other directives.
static void add_kernel(Lines *lines, const CStretch *stretch, const char *text) {
  const char *at = text + stretch->begin, *end = text + stretch->end;
  while (at < end) {
    size_t length = strcspn(at, "\n") + 1;
    if (!strchr("#/\n", *at))
      add_directive(lines, stretch->span.line, stretch->span.source->path);
    add(lines, at, length);
    at += length;
  }
}

void c_add_with_lines(Text *out, const CEmit *emit, const char *path) {
  const char *text = text_string(emit->out);
  Lines lines = {out, 1};
  for (const char *at = text_string(out); *at; at++)
    lines.line += *at == '\n';
  size_t done = 0;
  for (int i = 0; i < emit->kernels.count; i++) {
    const CStretch *stretch = &emit->kernels.data[i];
    if (!stretch->span.source)
      continue;
    add(&lines, text + done, stretch->begin - done);
    add_kernel(&lines, stretch, text);
    add_directive(&lines, lines.line + 1, path);
    done = stretch->end;
  }
  text_add(out, text + done);
}

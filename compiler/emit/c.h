// The C emitter's own: what its files share while one module is printed.
#pragma once
#include "base/text.h"
#include "emit/manifest.h"
#include "loops/loops.h"

// Small functions that generated code calls; printed once, and only where used.
typedef enum CHelper {
  CH_BITS, // for each type: bits_u32 of an f32 and so on
  CH_MAX = CH_BITS + 8,
  CH_MIN = CH_MAX + 8,
  CH_HSUM = CH_MIN + 8,
  CH_HMAX = CH_HSUM + 8,
  CH_HMIN = CH_HMAX + 8,
  CH_VECTOR = CH_HMIN + 8, // the vector type of a real type, and its operations
  CH_SPLAT = CH_VECTOR + 2,
  CH_LOAD = CH_SPLAT + 2,
  CH_LOAD_PART = CH_LOAD + 2,
  CH_STORE = CH_LOAD_PART + 2,
  CH_STORE_PART = CH_STORE + 2,
  CH_FMA = CH_STORE_PART + 2,
  CH_VSELECT = CH_FMA + 2,
  CH_VMAX = CH_VSELECT + 2,
  CH_VMIN = CH_VMAX + 2,
  CH_VABS = CH_VMIN + 2,
  CH_TURN = CH_VABS + 2,
  CH_IN_A_ROW = CH_TURN + 2,
  CH_COUNT
} CHelper;

typedef struct CName {
  const char *from, *to;
} CName;

// A local kept in vector registers, and the array its elements were last written to for element-wise readers.
typedef struct CVectorLocal {
  const LLocal *local;
  const char *elements; // NULL: no such array in scope
  const LStmt *reader;  // the statement it was written for
  int copies;
} CVectorLocal;

// Where a kernel stands in the text printed so far, and where it comes from.
typedef struct CStretch {
  size_t begin, end;
  Span span;
} CStretch;

typedef struct CEmit {
  Text *out;
  Arena *arena;
  const LoopModule *module;
  int depth;  // of indentation
  bool index; // printing an index: integers that do not overflow
  bool alone; // no team ever runs the kernel being printed
  bool used[CH_COUNT];
  VEC(CName) names;
  VEC(const LVar *) dead;        // lets of the kernel that nothing uses
  VEC(CVectorLocal) vectors;     // of the kernel
  const LStmt *tile;             // the tile being printed in vectors, NULL: scalar code
  VEC(const LVar *) vector_lets; // its lets that are vectors
  VEC(CStretch) kernels;         // those printed
  VEC(const LLoop *) loops;      // around the call being printed
  int calls;                     // of the entry, printed so far
} CEmit;

extern const char *const c_types[]; // by LType
extern const char *const c_short[]; // f32 …

// The identifier for a name of the loop language.
const char *c_name(CEmit *emit, const char *name);
void c_line(CEmit *emit, const char *format, ...)
    __attribute__((format(printf, 2, 3))); // indentation and text, no newline
void c_comment(CEmit *emit, const char *comment);
void c_string(Text *out, const char *string);

// ---- emit_c.c: a whole file; `contract` declares NnrtFrame; `path` is its name, for #line directives, NULL: without
void c_file(Text *out, const LoopModule *loops, const Manifest *manifest, const char *contract, bool is_static,
            const char *path);

// An element in memory as a constant.
void c_number(Text *out, LType type, const uint8_t *from);

// ---- c_expr.c
void c_expr(CEmit *emit, const LExpr *expr);
void c_index(CEmit *emit, const LExpr *expr);
void c_place(CEmit *emit, const LBuffer *buffer, const LExpr *index); // an element of memory: x[i], or x_at[i]
void c_constant(Text *out, LType type, double real, int64_t integer);
void c_real(Text *out, LType type, double value);

// ---- c_tile.c: tiles in vector registers
void c_find_vectors(CEmit *emit, const LKernel *kernel);
bool c_tile_is_vector(CEmit *emit, const LStmt *tile);
CVectorLocal *c_vector_local(const CEmit *emit, const LLocal *local);
void c_declare_vector(CEmit *emit, const LStmt *local);
void c_copy_elements(CEmit *emit, const LStmt *reader);   // before a statement that reads elements of vector locals
void c_forget_elements(CEmit *emit, const LStmt *reader); // and after it
void c_print_tile(CEmit *emit, const LStmt *tile);
void c_vector_expr(CEmit *emit, const LExpr *expr); // a vector or a scalar that its context takes for one
bool c_is_vector(const CEmit *emit, const LExpr *expr);

// ---- c_stmt.c
bool c_is_dead(const CEmit *emit, const LVar *let);
void c_body(CEmit *emit, const LBody *body);
void c_kernel(CEmit *emit, const LKernel *kernel, bool is_static);
void c_function(CEmit *emit, const LFunction *function);

// ---- c_lines.c: what was printed, with #line directives, at the end of `out`, which is the beginning of the file
void c_add_with_lines(Text *out, const CEmit *emit, const char *path);

// ---- c_helper.c
void c_helpers(Text *out, const bool *used);

// ---- c_module.c
const char *c_entry_name(CEmit *emit, const LEntry *entry);
void c_module(CEmit *emit, const Manifest *manifest);

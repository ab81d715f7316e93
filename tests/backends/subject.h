// Functions under test and the ways to compile them. A Subject is a graph with values for its inputs; all subjects of a
// test become entries of one LoopModule, which a Way (passes left out, target) and a Backend turn into code. Every Code
// must give the bits of every other. NaNs are equal to each other: which one an operation gives, IEEE 754 leaves open.
#pragma once
#include "graph/op_cases.h"
#include "graph/ops.h"
#include "loops/schedule.h"
#include "nnrt.h"
#include "sanitized.h"

// Element `at` of input `input`.
typedef struct Element {
  double real;
  int64_t whole;
} Element;

typedef enum Values { VALUES_PLAIN, VALUES_SPECIAL, VALUES_COUNT } Values;

typedef struct Subject Subject;
struct Subject {
  const char *label; // for messages
  const char *entry; // a C identifier
  int index;         // in Subjects.all
  Graph *graph;
  int64_t state_bytes;
  const OpCase *op_case;      // where plain values come from it
  bool pairs;                 // special values: every pair of two of them
  const double *const *given; // plain values of each input, if not NULL
  struct Memory *inputs, *outputs, *state;
};

typedef struct Subjects {
  Arena *arena;
  VEC(Subject *) all;
} Subjects;

Subjects subjects_new(void);
void subjects_free(Subjects *subjects);
// The graph must live as long as the subjects. Nothing is done for a graph that is NULL.
Subject *subject_add(Subjects *subjects, const char *label, Graph *graph, int64_t state_bytes, const OpCase *op_case);
Element subject_value(const Subject *subject, Values values, int input, int64_t at);

// The same graph with another type for all that is of type `from`; slots lie twice as far apart. NULL if an operation
// does not take it; `lenient`: unary ones become a negation.
Graph *graph_with_elem(const Graph *graph, ElemType from, ElemType to, bool lenient);

typedef struct Way {
  const char *label;
  bool no_fold, no_simplify, no_cse, no_dce, no_fuse, no_order, no_plan;
  bool single;     // no team of threads, whatever the work; else always a team
  const char *cpu; // what the schedule, and the C compiler's code, is made for; NULL: this machine
} Way;

extern const Way plain_way;   // no pass at all: what the others are compared with
extern const Way every_way[]; // of compiling for the JIT; the last WAYS_FOR_OTHERS are for other processors
enum { EVERY_WAY = 13, WAYS_FOR_OTHERS = 3 };
// Ways for the C backends: this machine, and the oldest of its kind, where fma is a function of libm.
extern const Way c_ways[];
extern const int c_way_count;

typedef enum Backend { BACKEND_JIT, BACKEND_GCC, BACKEND_CLANG } Backend;

// Compiled subjects. NULL, and nothing is tested, only where the C compiler cannot be had.
typedef struct Code Code;
Code *code_new(const Subjects *subjects, const Way *way, Backend backend);
void code_free(Code *code);

typedef struct Call {
  int64_t n; // batch count
  Values values;
  int threads;
} Call;

// What a call left: state and outputs, as elements in row-major order of the batch count.
typedef struct Outcome {
  uint8_t **outputs;
  uint8_t *state;
} Outcome;

Outcome code_run(const Code *code, Arena *arena, Subject *subject, Call call);
// The same with one element of an input changed.
Outcome code_run_changed(const Code *code, Arena *arena, Subject *subject, Call call, int input, int64_t at, double to);
double outcome_real(const Outcome *outcome, const Subject *subject, int output, int64_t at);

typedef struct Build {
  Backend backend;
  int count;
  const Way *ways;
} Build;

// Compiles the subjects in all these ways and runs them, on one thread and two, for several batch counts, with plain
// and (on one thread) special values; the results are held against those of the plain way by the JIT.
void expect_same_everywhere(const Subjects *subjects, int count, const Build *builds);
#define EXPECT_SAME(subjects, ...)                                                                                     \
  expect_same_everywhere((subjects), sizeof((Build[]){__VA_ARGS__}) / sizeof(Build), (Build[]){__VA_ARGS__})

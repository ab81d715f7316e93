// What a file means, after elaboration: graphs and settings. From here on no name is looked up any more.
#pragma once
#include "graph/graph.h"
#include "nnrt.h"

// An `expect` of a test: the values compared, as outputs of the test's graph.
typedef struct Expectation {
  Span span;
  const char *text;   // the condition as written
  int output;         // graph output that holds the condition (bool[])
  int left, right;    // outputs with the two sides of a comparison or of close(a, b), -1 if there are none
  const char *failed; // known at compile time to be false: what was found, "4 == 5"; else NULL
  bool constant;      // known at compile time (true unless `failed`); no outputs
} Expectation;

typedef struct TestBlock {
  const char *name;
  Span span;
  Graph *graph; // no inputs; NULL if every expectation is constant
  VEC(Expectation) expectations;
} TestBlock;

// The step of a train block once so many epochs are done: `unfreeze`.
typedef struct TrainPhase {
  int64_t epochs;
  Graph *train;
} TrainPhase;

typedef struct TrainBlock {
  const char *name;
  Span span;
  NnrtTrain settings; // all but the functions, data and predict
  const NnrtData *data;
  Graph *train, *eval;    // eval NULL never: the same step with training off
  VEC(TrainPhase) phases; // by epochs; inputs and outputs are those of `train`
  int64_t memory;         // bytes that the values of a step may take; 0: any
  Span memory_span;
  bool *higher_is_better; // for each output of `eval`, whose outputs are those of `train`
  int predict;            // index in Program.predicts, -1
} TrainBlock;

typedef struct PredictBlock {
  const char *model;
  Span span;
  Graph *graph;
  Graph *step; // for one element of a sequence (passes/passes.h); compile makes it, NULL: none
  NnrtTask task;
  const NnrtData *data;
} PredictBlock;

typedef struct Program {
  Arena *arena;
  const char *name; // from the file's name
  const char *file;
  VEC(Slot *) slots;
  Graph *init; // an update for each slot that does not start at zero
  VEC(NnrtData *) data;
  VEC(TrainBlock *) trains;
  VEC(PredictBlock *) predicts;
  VEC(TestBlock *) tests;
} Program;

// The contract between generated code and the runtime. Generated code exports one NnrtModule; the runtime drives it.
// The JIT hands the same structure over from memory.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define NNRT_ABI 4
enum { NNRT_MAX_RANK = 8 };

typedef enum NnrtType { NNRT_F32, NNRT_F64, NNRT_I32, NNRT_I64, NNRT_U8, NNRT_BOOL } NnrtType;

// What a compiled function works on. Arena and state are aligned to 64 bytes.
typedef struct NnrtFrame {
  uint8_t *state; // parameters, states, optimizer slots: NnrtTensor.offset
  uint8_t *arena; // NnrtModule.arena_bytes; between calls only what `prepare` of the same function left counts
  const void *const *inputs; // one pointer for each NnrtFunction.inputs: count rows, dense
  void *const *outputs;      // one for each NnrtFunction.outputs
  int64_t clock[5]; // step (from 0), epoch (from 0), seed, last step of the run (0: unknown), batch count of this call
  int threads;      // size of the team, at least 1
} NnrtFrame;

typedef void NnrtRun(const NnrtFrame *frame);

// ---- threads (threads.c). Code of the LLVM backend calls both; C code begins its team by an OpenMP pragma.
void nnrt_parallel(int threads, void (*body)(const NnrtFrame *, int thread, int threads), const NnrtFrame *frame);
// How many threads will come to each barrier: C code says so before its team begins, and 1 when it is over.
void nnrt_team(int threads);
// Of how many threads is the team that the caller is of?
int nnrt_threads(void);
// All threads of the team have come here before any goes on. Alone, it does nothing.
void nnrt_barrier(void);
// The caller's number in its team, from 0.
int nnrt_thread(void);
// Begins a loop of `rounds` independent rounds that every thread of the team comes to: gives the caller's first one, nnrt_next
// the next, -1: there are none left. Each thread has a stretch of the rounds, and then takes rounds that others have not
// begun. `threads`: only so many of them take part; 0: all.
int64_t nnrt_deal(int64_t rounds, int threads);
int64_t nnrt_next(void);

// ---- check builds (--check-nan): code says after each kernel what it wrote, from one thread or from each for its share, and
// before a barrier lets a reader go on. `kernel` is an index in NnrtModule.kernels. Remembers the first value not finite.
void nnrt_check(const NnrtFrame *frame, int kernel, const void *data, NnrtType type, int64_t count);

// ---- profiles (`nnc profile`): each thread of the team says when call number `call` of its function is over for all, -1
// before the first. The time since the last such word of thread 0 is the call's.
void nnrt_profile(int thread, int call);

// METRIC: what a metric counts along a part of the data.
typedef enum NnrtTensorKind { NNRT_PARAM, NNRT_STATE, NNRT_OPTIMIZER, NNRT_METRIC } NnrtTensorKind;

typedef struct NnrtTensor {
  const char *name; // classifier.dense_0.w
  NnrtType type;
  int rank;
  int64_t dim[NNRT_MAX_RANK];
  NnrtTensorKind kind;
  int64_t offset, bytes; // in the state block
  const char *layer;     // of the prelude that declares it (dense, conv2d); NULL: none
} NnrtTensor;

// An input or output of a function. dim[0] == -1: a row for each sample of the batch.
typedef struct NnrtValue {
  const char *name; // x, y, loss, accuracy, val.…
  NnrtType type;
  int rank;
  int64_t dim[NNRT_MAX_RANK];
  bool whole; // an output: of all samples of the part so far, not of this batch
} NnrtValue;

typedef struct NnrtFunction {
  NnrtRun *run; // NULL: there is no such function
  // Before a series of calls, and again after the state has changed or another function ran; NULL: nothing.
  NnrtRun *prepare;
  int input_count, output_count;
  const NnrtValue *inputs, *outputs;
  // Where the state block holds what metrics count, zero before a part's first batch, or what a stream keeps, zero before
  // its first element.
  int64_t kept_offset, kept_bytes;
} NnrtFunction;

// ---- data pipelines. A call of the source or of a transform with its arguments as written, defaults left out.
typedef enum NnrtArgKind { NNRT_ARG_INT, NNRT_ARG_REAL, NNRT_ARG_BOOL, NNRT_ARG_STR, NNRT_ARG_LIST } NnrtArgKind;

typedef struct NnrtArg {
  const char *name; // NULL: positional
  NnrtArgKind kind;
  int64_t integer;  // INT, BOOL
  double real;      // REAL, and INT as well
  const char *text; // STR
  int count;        // LIST
  const struct NnrtArg *items;
  int line, column; // where the source says it, for messages
} NnrtArg;

typedef struct NnrtDataCall {
  const char *name; // csv, idx, xor, split, scale …
  int arg_count;
  const NnrtArg *args;
  int line, column;
} NnrtDataCall;

typedef struct NnrtData {
  const char *name; // digits
  const char *file; // the .nn file, for messages; paths in arguments are relative to its folder
  int call_count;   // the source, then transforms in order
  const NnrtDataCall *calls;
} NnrtData;

// What `save` of a train block asks for.
typedef enum NnrtSave { NNRT_SAVE_NEVER, NNRT_SAVE_BEST, NNRT_SAVE_EVERY } NnrtSave;

// `load`: a file of tensors to begin with. A tensor of the file is looked for here by its name without `part`, renamed,
// behind `into`.
typedef struct NnrtRename {
  const char *from, *to; // `*` stands for any characters, the same on both sides; without it, a part at the beginning
} NnrtRename;

typedef struct NnrtWeights {
  const char *path; // relative to the .nn file
  const char *only; // pattern of the names here that it fills, NULL: all; of several files, the first that fits counts
  const char *into; // the part of the model that it fills, NULL: any
  const char *part; // the part of the file that is taken, NULL: all
  int rename_count;
  const NnrtRename *renames; // each of what the one before it gave
  bool pytorch;              // kernels are [out, in, …], to be turned to […, in, out]
} NnrtWeights;

// The step of a block once so many epochs are done: more is trained than before.
typedef struct NnrtPhase {
  int64_t epochs;
  NnrtFunction train; // inputs and outputs as those of the block's `train`
} NnrtPhase;

typedef struct NnrtTrain {
  const char *name;     // "train" if unnamed
  const NnrtData *data; // NULL: the step takes no samples
  // Inputs: the samples' parts in order (x, y); outputs: scalars f32 or f64; output 0 is the loss.
  NnrtFunction train, eval;
  const bool *higher_is_better;       // for each output
  int64_t seed, batch, epochs, steps; // batch -1: all; epochs 0: `steps` counts
  NnrtSave save;
  const char *save_to;    // checkpoint's path, relative to the .nn file
  const char *save_value; // BEST: "val.loss"
  int64_t save_every;     // EVERY: epochs
  const char *log;        // CSV of epochs, or NULL
  int64_t patience;       // early stop: epochs without progress, 0: never
  const char *patience_value;
  int predict;      // index in NnrtModule.predicts, -1: none
  int64_t capacity; // most samples the functions take in a call; 0: `batch`
  int load_count;
  const NnrtWeights *loads;
  int phase_count;
  const NnrtPhase *phases; // by epochs
} NnrtTrain;

typedef enum NnrtTask { NNRT_VALUES, NNRT_CLASSES, NNRT_BINARY } NnrtTask;

// A model's forward pass with training off. Inputs: the model's; outputs: its results, classification as probabilities.
typedef struct NnrtPredict {
  const char *model;
  NnrtFunction function;
  NnrtFunction step; // the same for one sample, one element of its sequence a call; clock[0] is its place
  int64_t batch;
  NnrtTask task;        // CLASSES: output 0 holds a probability for each class; BINARY: one probability
  const NnrtData *data; // that it was trained on (codings, scalings, class names), or NULL
} NnrtPredict;

// From code back to source.
typedef struct NnrtKernel {
  const char *name;
  int line;
  const char *file;
} NnrtKernel;

typedef struct NnrtModule {
  int abi; // NNRT_ABI
  const char *name, *file;
  uint64_t fingerprint; // of tensors' names, types and shapes; a checkpoint holds it
  int64_t state_bytes, arena_bytes;
  int tensor_count, train_count, predict_count, kernel_count;
  const NnrtTensor *tensors;
  const NnrtTrain *trains;
  const NnrtPredict *predicts;
  const NnrtKernel *kernels;
  NnrtFunction init; // fills parameters and states; clock[2] is the seed
} NnrtModule;

// The whole program of an executable made by `nnc build`: train, eval, predict, --help.
int nnrt_main(const NnrtModule *module, int argc, char **argv);

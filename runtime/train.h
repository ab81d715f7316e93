// Driving a module: training, evaluation, prediction, generated text, checkpoints. Used by executables (nnrt_main) and by `nnc run`.
#pragma once
#include "error.h"
#include "nnrt.h"
#include "sample.h"

typedef struct NnrtOptions {
  const char *block;      // which train block; NULL: the first
  const char *checkpoint; // --checkpoint: file for save, resume, eval, predict; NULL: what the block says
  const char *input;      // predict: the file
  const char *output;     // predict: where to write, NULL: standard output
  const char *plot;       // predict: the SVG file to draw results in, NULL: none
  bool resume, quiet, check_nan;
  bool no_save;
  int threads;                        // 0: as many as cores (OMP_NUM_THREADS if set)
  int64_t seed, epochs, steps, batch; // -1: what the block says; batch only smaller than compiled
  const char *prompt;                 // generate: how the text begins
  NnrtSampling sampling;              // generate
  int64_t length;                     // generate: tokens
  double save_pause; // least seconds between two checkpoints of quick epochs; 0: one second, or 20 times what one costs
  double (*clock)(void); // seconds since the process began, for "first step after … s"; NULL: since the call
} NnrtOptions;

// Each returns the exit status: 0, or 1 after a message on standard error.
int nnrt_train(const NnrtModule *module, const NnrtOptions *options);
int nnrt_eval(const NnrtModule *module, const NnrtOptions *options);
int nnrt_predict(const NnrtModule *module, const NnrtOptions *options);
int nnrt_generate(const NnrtModule *module, const NnrtOptions *options);

// The options of each command as argp parsers; their input is the NnrtOptions to fill, nnrt_options_init first. They take no
// arguments, so that a command line with commands and arguments of its own can have them as children.
struct argp;
extern const struct argp nnrt_train_argp, nnrt_eval_argp, nnrt_predict_argp, nnrt_generate_argp;
extern const struct argp nnrt_sampling_argp; // those that generate has alone; a part of nnrt_generate_argp
void nnrt_options_init(NnrtOptions *options);

// The whole number that `text` says, from `least` to `most`; any other text ends the process with a message on --OPTION.
struct argp_state;
int64_t nnrt_option_count(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most);
enum { NNRT_MOST_THREADS = 4096 };

// A data set being opened while something else (compilation) goes on; nnrt_train and its like use what was begun here.
// Only hides latency: without it they open the data themselves.
void nnrt_data_begin(const NnrtData *data);

// Prediction, between the tables of predict.c, the images of predict_image.c and the charts of predict_plot.c.
#pragma once
#include "run.h"

typedef struct Prediction {
  const NnrtModule *module;
  const NnrtPredict *model;
  const NnrtOptions *options;
  NnrtFrame base;
  NnrtDataset *data, *rows; // what the model was trained on, or NULL; the file
  NnrtPart part;
  NnrtCall call;
  FILE *out;
  struct NnrtChart *chart; // of --plot, or NULL
} Prediction;

// The model that --block or nothing names, in `model` (NULL with a message: there is none), and the block that trains it, or
// NULL.
const NnrtTrain *nnrt_choose_model(const NnrtModule *module, const char *block, const NnrtPredict **model,
                                   NnrtError *error);

// Each form of the results: nnrt_predicts_… says whether it is the one, nnrt_write_… writes the result of sample `row`,
// which is at `index` of the call; for row -1 what stands above all of them. False with a message if something cannot
// be read or written.

// Name or number of a class, quoted as a CSV needs it.
void nnrt_write_class(const Prediction *run, int64_t number);

// Images come in, and each result is one: [h, w, 1 or 3], or classes of places, [h, w, classes].
bool nnrt_predicts_images(const Prediction *run);
// A PNG file each: NAME.png in the folder --output, or
// NAME.predicted.png here. Values become bytes by the scale that made those of the samples; classes are grey values.
bool nnrt_write_image(const Prediction *run, int64_t row, int64_t index, NnrtError *error);

// One image, of which a class is asked for: a table of the most probable ones.
bool nnrt_predicts_one_image(const Prediction *run);
bool nnrt_write_probabilities(const Prediction *run, int64_t row, int64_t index, NnrtError *error);

// The model was trained on boxes of images, images come in, and its result is a grid [rows, columns, 5 boxes +
// classes].
bool nnrt_predicts_boxes(const Prediction *run);
// The boxes found, as lines of a CSV, in pixels of the file's image.
bool nnrt_write_boxes(const Prediction *run, int64_t row, int64_t index, NnrtError *error);
// The file's name without its folder, or the sample's number from 1 on.
void nnrt_write_row_name(const Prediction *run, int64_t row);
// Quoted as a CSV needs it.
void nnrt_write_text(FILE *out, const char *text);
// Element `element` of a result of so many `elements`, which is at `index` of the call: what is like the targets is in the
// file's own units.
double nnrt_predicted(const Prediction *run, int output, int64_t elements, int64_t index, int64_t element);

// The chart of --plot. Before the samples: reads what the file holds of the targets, opens the file to be drawn. False
// with a message, also if the model's results cannot be drawn.
bool nnrt_chart_begin(Prediction *run, NnrtError *error);
// Takes down the result of sample `row`, which is at `index` of the call.
void nnrt_chart_take(Prediction *run, int64_t row, int64_t index);
// Draws, if all went well so far (`whole`), and frees the chart, however far it was begun. False if not all is well; no
// file is left then.
bool nnrt_chart_end(Prediction *run, bool whole, NnrtError *error);

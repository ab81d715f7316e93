// Prediction, between the tables of predict.c and the images of predict_image.c.
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
} Prediction;

// Name or number of a class, quoted as a CSV needs it.
void nnrt_write_class(const Prediction *run, int64_t number);

// Images come in, and each result is one: [h, w, 1 or 3], or classes of places, [h, w, classes].
bool nnrt_predicts_images(const Prediction *run);
// Writes the result of sample `row`, at `index` of the call, as a PNG file: NAME.png in the folder --output, or
// NAME.predicted.png here. Values become bytes by the scale that made those of the samples; classes are grey values.
bool nnrt_write_image(const Prediction *run, int64_t row, int64_t index, NnrtError *error);

// One image, of which a class is asked for: a table of the most probable ones.
bool nnrt_predicts_one_image(const Prediction *run);
void nnrt_write_probabilities(const Prediction *run);

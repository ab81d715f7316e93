// `nnc build --embed DIR`: DIR/NAME.c and DIR/NAME.h with the weights of a checkpoint inside.
#include "emit/embed.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "load.h"
#include "session/session.h"

static const char *identifier(Arena *arena, const char *name) {
  char *copy = arena_printf(arena, "%s%s", isdigit((unsigned char)name[0]) ? "_" : "", name);
  for (char *at = copy; *at; at++)
    if (!isalnum((unsigned char)*at))
      *at = '_';
  return copy;
}

static bool write_text(const char *path, const Text *text, NnrtError *error) {
  FILE *file = fopen(path, "w");
  bool good = file && fputs(text_string(text), file) >= 0;
  if (file && fclose(file) != 0)
    good = false;
  return good || nnrt_fail(error, "%s: cannot write: %s", path, strerror(errno));
}

// The weights: from --weights, or from where the first train block saves, or from what it loads.
static bool read_weights(const NnrtModule *module, const BuildOptions *options, uint8_t *state, NnrtError *error) {
  const NnrtTrain *train = module->train_count ? &module->trains[0] : NULL;
  char *path = options->weights ? strdup(options->weights) : train ? nnrt_checkpoint_path(module, train, NULL) : NULL;
  if (!path && train && train->load_count)
    return nnrt_load(module, train, state, true, stderr, error);
  if (!path)
    return nnrt_fail(error,
                     "--embed: which weights? name a checkpoint with --weights; this file's training saves none");
  bool good =
      nnrt_checkpoint_read(module, train ? train->name : NULL, state, NULL, path, NNRT_LOAD_WEIGHTS, stderr, error);
  free(path);
  return good;
}

static void name_classes(Arena *arena, EmbedFunction *function) {
  NnrtError error = {0};
  NnrtDataset *data =
      function->predict->data ? nnrt_data_open(function->predict->data, NNRT_DATA_SHAPES, &error) : NULL;
  if (!data)
    return;
  const NnrtSampleInfo *info = nnrt_data_info(data);
  function->class_count = info->class_count;
  if (info->class_names) {
    const char **names = arena_array(arena, const char *, info->class_count + 1);
    for (int i = 0; i < info->class_count; i++)
      names[i] = arena_strndup(arena, info->class_names[i], strlen(info->class_names[i]));
    function->classes = names;
  }
  nnrt_data_close(data);
}

int session_embed(Arena *arena, const Compilation *compilation, const BuildOptions *options) {
  const NnrtModule *module = &compilation->manifest->module;
  NnrtError error = {0};
  EmbedFunction *functions = arena_array(arena, EmbedFunction, module->predict_count + 1);
  for (int i = 0; i < module->predict_count; i++) {
    functions[i].predict = &module->predicts[i];
    functions[i].entry = manifest_entry_of(compilation->manifest, &module->predicts[i].function);
    name_classes(arena, &functions[i]);
  }
  uint8_t *state = arena_alloc(arena, (size_t)module->state_bytes + 64);
  Embed embed = {.name = identifier(arena, module->name),
                 .loops = compilation->loops,
                 .module = module,
                 .state = state,
                 .function_count = module->predict_count,
                 .functions = functions};
  Text header = text_new(arena), source = text_new(arena);
  bool good = module->predict_count > 0 || nnrt_fail(&error, "--embed: no model is trained in this file");
  good = good && read_weights(module, options, state, &error);
  if (good && mkdir(options->embed, 0777) != 0 && errno != EEXIST)
    good = nnrt_fail(&error, "%s: cannot make the folder: %s", options->embed, strerror(errno));
  if (good) {
    embed_header(&header, &embed);
    embed_source(&source, &embed);
    good = write_text(arena_printf(arena, "%s/%s.h", options->embed, embed.name), &header, &error) &&
           write_text(arena_printf(arena, "%s/%s.c", options->embed, embed.name), &source, &error);
  }
  if (!good)
    fprintf(stderr, "nnc: %s\n", error.text);
  return good ? 0 : 1;
}

// The tokens that lie in a checkpoint's metadata: what its weights know the text as.
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "tensor_file.h"

static const char *const keys[2] = {"tokens", "target_tokens"};

bool nnrt_checkpoint_tokens(const char *path, bool target, NnrtTokens **tokens, NnrtError *error) {
  NnrtTensorFile file;
  *tokens = NULL;
  bool read = nnrt_tensors_open(&file, path, error);
  const char *text = read ? json_string_value(json_object_get(file.metadata, keys[target])) : NULL;
  if (text && !(*tokens = nnrt_tokens_parse(text)))
    read = nnrt_fail(error, "%s: its `%s` are damaged", path, keys[target]);
  nnrt_tensors_close(&file);
  return read;
}

// 1: the same, 0: others, -1: no memory. A file without them may have come from elsewhere.
static int same_tokens(const NnrtTensorFile *file, const char *key, const NnrtTokens *tokens) {
  const char *text = json_string_value(json_object_get(file->metadata, key));
  char *now = text && tokens ? nnrt_tokens_json(tokens) : NULL;
  int same = !text || !tokens ? 1 : now ? !strcmp(text, now) : -1;
  free(now);
  return same;
}

bool nnrt_checkpoint_fits(const char *path, const NnrtDataset *data, const char *name, NnrtError *error) {
  const NnrtTokens *tokens[2] = {nnrt_data_tokens(data), nnrt_data_target_tokens(data)};
  if (!tokens[0])
    return true;
  NnrtTensorFile file;
  bool fits = nnrt_tensors_open(&file, path, error);
  for (int i = 0; fits && i < 2; i++) {
    int same = same_tokens(&file, keys[i], tokens[i]);
    if (same < 1)
      fits = same < 0 ? nnrt_fail(error, "%s: not enough memory", path)
                      : nnrt_fail(error,
                                  "%s was trained on other tokens than data `%s` has now: its file, vocabulary or "
                                  "split has changed since",
                                  path, name);
  }
  nnrt_tensors_close(&file);
  return fits;
}

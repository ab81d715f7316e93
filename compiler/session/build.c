// Executables: by way of C, or an object file from LLVM; and a pair of files to embed.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emit/emit.h"
#include "session/object.h"
#include "session/session.h"

static int report(const NnrtError *error) {
  fprintf(stderr, "nnc: %s\n", error->text);
  return 1;
}

static int build_object(Arena *arena, const Compilation *compilation, const BuildOptions *options, const char *output) {
  NnrtError error = {0};
  const char *folder = cc_make_folder(arena, &error);
  if (!folder)
    return report(&error);
  const char *object = arena_printf(arena, "%s/%s.o", folder, compilation->program->name);
  char *problem = NULL;
  bool good = object_write(compilation->loops, compilation->manifest, options->cc.cpu, object, &problem);
  if (!good)
    nnrt_fail(&error, "LLVM: %s", problem);
  good = good && cc_link(arena, object, &options->cc, output, &error);
  cc_remove_folder(folder);
  return good ? 0 : report(&error);
}

// The executable is put in the place of what is there, which must not be a folder or a device.
static bool check_output(Arena *arena, const char *path) {
  const char *slash = strrchr(path, '/'), *reason = NULL;
  const char *folder = !slash ? "." : slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
  struct stat there;
  if (access(folder, W_OK | X_OK) != 0)
    reason = strerror(errno);
  else if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
    reason = S_ISDIR(there.st_mode) ? "it is a folder" : "it is no regular file";
  if (reason)
    fprintf(stderr, "nnc: cannot write %s: %s; name another file with -o\n", path, reason);
  return !reason;
}

// Whether the program reads image files; only such a one writes any.
static bool needs_images(const Program *program) {
  for (int i = 0; i < program->data.count; i++)
    if (!strcmp(program->data.data[i]->calls[0].name, "images"))
      return true;
  return false;
}

int session_build(Arena *arena, const Compilation *compilation, const BuildOptions *asked) {
  const Program *program = compilation->program;
  BuildOptions with_images = *asked;
  with_images.cc.images = needs_images(program);
  const BuildOptions *options = &with_images;
  if (!program->trains.count && !program->predicts.count) {
    fprintf(stderr, "nnc: %s has no train block and no model: there is nothing to build\n", program->file);
    return 1;
  }
  if (options->embed)
    return session_embed(arena, compilation, options);
  const char *output = options->output ? options->output : compilation->program->name;
  if (!check_output(arena, output))
    return 1;
  if (options->llvm)
    return build_object(arena, compilation, options, output);
  NnrtError error = {0};
  Text text = text_new(arena);
  (options->cc.debug ? emit_c_debug : emit_c)(&text, compilation->loops, compilation->manifest);
  bool good = cc_compile(arena, text_string(&text), compilation->program->name, &options->cc, output, &error);
  return good ? 0 : report(&error);
}

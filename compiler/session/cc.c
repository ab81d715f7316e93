// Runs the C compiler on emitted code in a folder of its own, without a shell in between.
#include "session/cc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "session/embedded.h"

#ifndef NNC_LINK_FLAGS
#define NNC_LINK_FLAGS "" // a sanitizer's, where the embedded runtime was built with one
#endif

extern char **environ;

typedef VEC(char *) Args;

static void add(Arena *arena, Args *args, const char *arg) {
  vec_push(arena, args, arena_strndup(arena, arg, strlen(arg)));
}

// "ccache gcc" is two arguments.
static void add_words(Arena *arena, Args *args, const char *words) {
  while (*words) {
    size_t length = strcspn(words, " ");
    if (length)
      vec_push(arena, args, arena_strndup(arena, words, length));
    words += length + strspn(words + length, " ");
  }
}

// What the compiler says goes to the file `said`.
static bool run(Arena *arena, const Args *args, const char *said, NnrtError *error) {
  Args all = {0};
  for (int i = 0; i < args->count; i++)
    vec_push(arena, &all, args->data[i]);
  vec_push(arena, &all, NULL);
  const char *command = all.data[0];
  posix_spawn_file_actions_t actions;
  pid_t child;
  int status;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  int failed = posix_spawnp(&child, command, &actions, NULL, all.data, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed)
    return nnrt_fail(error, "cannot run the C compiler `%s`: %s; install gcc, or name another with --cc", command,
                     strerror(failed));
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return nnrt_fail(error, "the C compiler `%s` was lost: %s", command, strerror(errno));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return nnrt_fail(error, "the C compiler `%s` failed", command);
  return true;
}

static bool has_died(const char *said) {
  char line[1024];
  bool died = false;
  FILE *file = fopen(said, "r");
  while (file && !died && fgets(line, sizeof line, file))
    died = strstr(line, "internal compiler error");
  if (file)
    fclose(file);
  return died;
}

static void show(const char *said) {
  FILE *file = fopen(said, "r");
  for (int c; file && (c = getc(file)) != EOF;)
    putc(c, stderr);
  if (file)
    fclose(file);
}

// Compilers have faults, most of them where they make vectors of loops: gcc 12 dies of some minima of comparisons. Without
// vectors but those that are written out the code has the same bits, and is made.
static bool run_or_again(Arena *arena, Args *args, const char *folder, NnrtError *error) {
  const char *said = arena_printf(arena, "%s/said", folder);
  bool good = run(arena, args, said, error);
  if (!good && has_died(said)) {
    add(arena, args, "-fno-tree-vectorize");
    good = run(arena, args, said, error);
  }
  show(said);
  return good;
}

static bool write_file(const char *path, const void *data, size_t bytes, NnrtError *error) {
  FILE *file = fopen(path, "wb");
  bool good = file && fwrite(data, 1, bytes, file) == bytes;
  if (file && fclose(file) != 0)
    good = false;
  return good || nnrt_fail(error, "%s: cannot write: %s", path, strerror(errno));
}

static bool write_embedded(Arena *arena, const char *folder, Embedded file, NnrtError *error) {
  return write_file(arena_printf(arena, "%s/%s", folder, file.name), file.data, file.bytes, error);
}

const char *cc_make_folder(Arena *arena, NnrtError *error) {
  const char *base = getenv("TMPDIR");
  char *folder = arena_printf(arena, "%s/nnc-XXXXXX", base && *base ? base : "/tmp");
  if (mkdtemp(folder))
    return folder;
  nnrt_fail(error, "%s: cannot make a folder: %s", folder, strerror(errno));
  return NULL;
}

void cc_remove_folder(const char *folder) {
  DIR *dir = opendir(folder);
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (entry->d_name[0] != '.')
      unlinkat(dirfd(dir), entry->d_name, 0);
  if (dir)
    closedir(dir);
  rmdir(folder);
}

// The flags change no value: no contraction, errno and the exception flags are nobody's concern. Warnings about generated
// code are nothing that a user could heed (gcc 12 sees overflow in loops of constant bounds); the tests of the C backend
// look at them.
static void add_flags(Arena *arena, Args *args, const char *folder, const CcOptions *options) {
  add_words(arena, args, "-std=c11 -O3 -w -ffp-contract=off -fno-math-errno -fno-trapping-math -fwrapv -fopenmp");
  add(arena, args, arena_printf(arena, "-march=%s", options->cpu ? options->cpu : "native"));
  add(arena, args, arena_printf(arena, "-I%s", folder));
  add_words(arena, args, options->debug ? "-g" : "-s -ffunction-sections -Wl,--gc-sections");
  if (!options->shared)
    add_words(arena, args, NNC_LINK_FLAGS);
}

// Writes the archives an executable is linked with into the folder and names them, in the order of their needs. The
// runtime refers to the codec weakly: what takes it in is the wish for it.
static bool add_runtime(Arena *arena, Args *args, const char *folder, const CcOptions *options, NnrtError *error) {
  const Embedded archives[] = {embedded_runtime(), embedded_json(), embedded_image(), embedded_png(), embedded_jpeg()};
  for (int i = 0; i < (options->images ? 5 : 2); i++) {
    if (!write_embedded(arena, folder, archives[i], error))
      return false;
    add(arena, args, arena_printf(arena, "%s/%s", folder, archives[i].name));
  }
  add_words(arena, args, options->images ? "-Wl,-u,nnrt_codec -lz -lm -lpthread -ldl" : "-lz -lm -lpthread -ldl");
  return true;
}

static const char *compiler_command(const CcOptions *options) {
  const char *environment = getenv("CC");
  return options->cc ? options->cc : environment && *environment ? environment : "cc";
}

// Makes `output` from `input`, which is a C file or an object, by way of a file in `folder`.
static bool make(Arena *arena, const char *folder, const char *input, const CcOptions *options, const char *output,
                 NnrtError *error) {
  if (!write_embedded(arena, folder, embedded_contract(), error))
    return false;
  // Made beside the target under another name, so that a failed link leaves no half of an executable.
  const char *made = arena_printf(arena, "%s.%ld.tmp", output, (long)getpid());
  Args args = {0};
  add_words(arena, &args, compiler_command(options));
  add_flags(arena, &args, folder, options);
  if (options->shared)
    add_words(arena, &args, "-shared -fPIC");
  add(arena, &args, input);
  if (!options->shared && !add_runtime(arena, &args, folder, options, error))
    return false;
  add_words(arena, &args, "-lm -o");
  add(arena, &args, made);
  if (!run_or_again(arena, &args, folder, error)) {
    unlink(made);
    return false;
  }
  if (rename(made, output) == 0)
    return true;
  unlink(made);
  return nnrt_fail(error, "%s: cannot write: %s", output, strerror(errno));
}

bool cc_compile(Arena *arena, const char *text, const char *stem, const CcOptions *options, const char *output,
                NnrtError *error) {
  const char *folder = cc_make_folder(arena, error);
  if (!folder)
    return false;
  const char *path = arena_printf(arena, "%s/%s.c", folder, stem);
  bool good = write_file(path, text, strlen(text), error) && make(arena, folder, path, options, output, error);
  cc_remove_folder(folder);
  return good;
}

bool cc_link(Arena *arena, const char *object, const CcOptions *options, const char *output, NnrtError *error) {
  const char *folder = cc_make_folder(arena, error);
  if (!folder)
    return false;
  bool good = make(arena, folder, object, options, output, error);
  cc_remove_folder(folder);
  return good;
}

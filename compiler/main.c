// nnc: does what the command line says.
#include <string.h>
#include <time.h>

#include "options.h"
#include "output.h"
#include "session/show.h"

static double monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double begun;
static double seconds(void) {
  return monotonic() - begun;
}

// The train block of that name, or NULL: it was a model's, which then is alone in the program.
static const char *trained_by(const Program *program, const char *name) {
  const PredictBlock *first = program->predicts.count ? program->predicts.data[0] : NULL;
  return name && !program->trains.count && first && strcmp(first->model, name) == 0 ? NULL : name;
}

static int execute(CommandLine *line, const Compilation *compilation) {
  switch (line->command) {
  case COMMAND_RUN:
    return session_run(line->arena, compilation, SESSION_TRAIN, &line->run);
  case COMMAND_EVAL:
    return session_run(line->arena, compilation, SESSION_EVAL, &line->run);
  case COMMAND_PREDICT:
    line->run.block = trained_by(compilation->program, line->arguments[2]);
    return session_run(line->arena, compilation, SESSION_PREDICT, &line->run);
  case COMMAND_GENERATE:
    return session_run(line->arena, compilation, SESSION_GENERATE, &line->run);
  case COMMAND_TEST:
    return session_test(line->arena, compilation, &line->build.cc);
  case COMMAND_BUILD:
    return session_build(line->arena, compilation, &line->build);
  case COMMAND_EMIT:
    show_stage(line->arena, compilation, line->arguments[0], &line->build.cc);
    return 0;
  case COMMAND_PLAN:
    show_plan(line->arena, compilation);
    return 0;
  case COMMAND_PROFILE:
    return session_profile(line->arena, compilation,
                           &(ProfileOptions){line->c && !line->build.llvm ? &line->build.cc : NULL, line->svg},
                           &line->run);
  case COMMAND_CHECK: // what is wrong has been said
    return 0;
  case COMMAND_MODELS:
    show_models(line->arena, compilation->program);
    return 0;
  case COMMAND_COUNT:
    break;
  }
  return 1;
}

// What the command needs compiled.
static void choose_entries(CommandLine *line) {
  Command command = line->command;
  CompileOptions *compile = &line->compile;
  compile->override_count = line->overrides.count;
  compile->overrides = line->overrides.data;
  bool generates = command == COMMAND_GENERATE, exports = command == COMMAND_BUILD || command == COMMAND_EMIT;
  compile->training = command != COMMAND_PREDICT && !generates && command != COMMAND_TEST && !line->build.embed;
  compile->prediction = command == COMMAND_PREDICT || exports;
  compile->generation = generates || (exports && !line->build.embed);
  compile->check_only = command == COMMAND_CHECK;
  compile->tests = command == COMMAND_TEST || command == COMMAND_CHECK;
  compile->no_init = compile->tests; // a test computes initial values itself
  compile->models_only = command == COMMAND_MODELS;
  compile->single = line->build.embed != NULL;
  compile->no_prepare = compile->no_prepare || line->build.embed; // its functions are called one by one
  compile->syntax_only = command == COMMAND_EMIT && strcmp(line->arguments[0], "ast") == 0;
  if (command == COMMAND_RUN || command == COMMAND_EVAL)
    compile->block = line->run.block = line->arguments[1];
  bool shows = command == COMMAND_EMIT || command == COMMAND_PLAN;
  const char *named = command == COMMAND_EMIT || command == COMMAND_PREDICT ? line->arguments[2]
                      : command == COMMAND_PLAN || command == COMMAND_BUILD ? line->arguments[1]
                                                                            : NULL;
  if (named) {
    *(command == COMMAND_PREDICT ? &compile->model : &compile->block) = named;
    compile->prediction = compile->no_init = true;
    compile->training = compile->training && shows;
  }
  if (command == COMMAND_PROFILE) {
    compile->profile = true;
    compile->block = line->run.block = line->arguments[1];
    compile->prediction = line->arguments[1] != NULL;
  }
  if (compile->prediction)
    compile->batch = line->run.batch;
  if (command == COMMAND_PREDICT)
    line->run.input = line->arguments[1];
  if (command == COMMAND_GENERATE)
    line->run.block = line->arguments[1];
}

// What is named beside the file; for run, eval and profile that is seen to when they start, and so it is for predict where
// there are train blocks.
static bool is_there(const CommandLine *line, const Compilation *compilation) {
  const Program *program = compilation->program;
  const char *name = line->compile.block;
  bool missing = compilation->functions.count == 0;
  if (line->command == COMMAND_RUN || line->command == COMMAND_EVAL || line->command == COMMAND_PROFILE)
    return true;
  if (line->command == COMMAND_PREDICT) {
    name = line->arguments[2];
    missing = !program->trains.count && trained_by(program, name);
  }
  if (!name || line->compile.syntax_only || !missing)
    return true;
  fprintf(stderr, "nnc: %s has no %smodel with inputs named `%s`\n", program->file,
          line->compile.training ? "train block and no " : "", name);
  return false;
}

int main(int argc, char **argv) {
  begun = monotonic();
  nnrt_watch_output();
  Arena *arena = arena_new();
  Diag *diag = diag_new(arena);
  CommandLine line = {.arena = arena};
  options_parse(argc, argv, &line);
  line.run.clock = seconds;
  choose_entries(&line);
  if (line.command == COMMAND_EMIT && !show_knows(line.arguments[0])) {
    fprintf(stderr, "nnc: there is no stage `%s`; the stages are ast, graph, kernels, loops, c, llvm and asm\n",
            line.arguments[0]);
    arena_free(arena);
    return 1;
  }
  const char *path = line.arguments[line.command == COMMAND_EMIT ? 1 : 0];
  const Compilation *compilation = compile(arena, diag, path, &line.compile);
  diag_print(diag, stderr);
  for (int i = 0; compilation && i < compilation->notes.count; i++)
    fprintf(stderr, "%s\n", compilation->notes.data[i]);
  int status = compilation && is_there(&line, compilation) ? execute(&line, compilation) : 1;
  arena_free(arena);
  return status;
}

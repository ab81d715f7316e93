// The command line: commands, their arguments and options, and what is said of wrong ones.
#include "options.h"

#include <argp.h>
#include <string.h>

#include "loops/schedule.h"

const char *argp_program_version = "nnc " NNC_VERSION;

static const struct {
  const char *name, *arguments;
  int least, most;
} commands[COMMAND_COUNT] = {[COMMAND_RUN] = {"run", "FILE [BLOCK]", 1, 2},
                             [COMMAND_EVAL] = {"eval", "FILE [BLOCK]", 1, 2},
                             [COMMAND_PREDICT] = {"predict", "FILE INPUT [NAME]", 2, 3},
                             [COMMAND_GENERATE] = {"generate", "FILE [BLOCK]", 1, 2},
                             [COMMAND_CHECK] = {"check", "FILE", 1, 1},
                             [COMMAND_TEST] = {"test", "FILE", 1, 1},
                             [COMMAND_BUILD] = {"build", "FILE [NAME] -o EXE", 1, 2},
                             [COMMAND_EMIT] = {"emit", "STAGE FILE [NAME]", 2, 3},
                             [COMMAND_PLAN] = {"plan", "FILE [NAME]", 1, 2},
                             [COMMAND_PROFILE] = {"profile", "FILE [NAME]", 1, 2},
                             [COMMAND_MODELS] = {"models", "FILE", 1, 1}};

enum Key {
  KEY_SET = 256,
  KEY_DISABLE,
  KEY_CC,
  KEY_CPU,
  KEY_BACKEND,
  KEY_EMBED,
  KEY_WEIGHTS,
  KEY_RESUME,
  KEY_CHECKPOINT,
  KEY_SEED,
  KEY_EPOCHS,
  KEY_STEPS,
  KEY_BATCH,
  KEY_THREADS,
  KEY_CHECK_NAN,
  KEY_NO_SAVE,
  KEY_PLOT,
  KEY_SVG
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "Compiling:", 1},
    {"set", KEY_SET, "NAME=VALUE", 0, "give the constant NAME another value", 0},
    {"disable", KEY_DISABLE, "PASS", 0,
     "leave out fold, simplify, cse, dce, fuse, order, plan, prepare, hoist or stream, and results stay the same; or "
     "norm, which folds normalisation into the weights of convolutions that are not being trained, or winograd, which "
     "computes large 3x3 convolutions with fewer multiplications; without these, results differ in their last digits",
     0},
    {"target-cpu", KEY_CPU, "CPU", 0, "compile for this processor (default: native)", 0},
    {0, 0, 0, 0, "Building:", 2},
    {"output", 'o', "FILE", 0, "the executable of `build`, the file `predict` writes to", 0},
    {"cc", KEY_CC, "CC", 0, "the C compiler (default: $CC, else cc)", 0},
    {"backend", KEY_BACKEND, "c|llvm", 0,
     "by way of C (default), or straight to an object file; `profile` has the JIT by default", 0},
    {"debug", 'g', 0, 0, "for a debugger: keep symbols, and in C the lines of the .nn file", 0},
    {"embed", KEY_EMBED, "DIR", 0, "write NAME.c and NAME.h for prediction alone, with the weights inside", 0},
    {"weights", KEY_WEIGHTS, "FILE", 0, "the checkpoint whose weights --embed takes", 0},
    {0, 0, 0, 0, "Running:", 3},
    {"resume", KEY_RESUME, 0, 0, "go on where the last run stopped", 0},
    {"checkpoint", KEY_CHECKPOINT, "FILE", 0,
     "the checkpoint to save to, resume from, evaluate, predict or generate with", 0},
    {"no-save", KEY_NO_SAVE, 0, 0, "write no checkpoint", 0},
    {"plot", KEY_PLOT, "FILE", 0,
     "of `predict`: draw a series and its forecasts, or results against targets, in FILE, as SVG", 0},
    {"seed", KEY_SEED, "N", 0, "another seed", 0},
    {"epochs", KEY_EPOCHS, "N", 0, "another number of epochs", 0},
    {"steps", KEY_STEPS, "N", 0, "stop after so many steps; of `profile`: time so many", 0},
    {"batch", KEY_BATCH, "N", 0, "so many samples at once; of training, fewer than it says", 0},
    {"threads", KEY_THREADS, "N", 0, "threads (default: one a core)", 0},
    {"check-nan", KEY_CHECK_NAN, 0, 0, "name the first tensor that is not finite", 0},
    {"quiet", 'q', 0, 0, "say nothing but errors", 0},
    {"svg", KEY_SVG, "FILE", 0, "where `profile` draws the roofline", 0},
    {0}};

// The commands that take an option; those that are not here are for all, or of generated text.
#define OF(command) (1u << COMMAND_##command)
static const struct {
  int key;
  unsigned commands;
} takers[] = {{'o', OF(PREDICT) | OF(BUILD)},
              {KEY_CC, OF(TEST) | OF(BUILD) | OF(PROFILE)},
              {KEY_BACKEND, OF(BUILD) | OF(PROFILE)},
              {'g', OF(BUILD) | OF(EMIT)},
              {KEY_EMBED, OF(BUILD)},
              {KEY_WEIGHTS, OF(BUILD)},
              {KEY_RESUME, OF(RUN)},
              {KEY_CHECKPOINT, OF(RUN) | OF(EVAL) | OF(PREDICT) | OF(GENERATE)},
              {KEY_NO_SAVE, OF(RUN)},
              {KEY_PLOT, OF(PREDICT)},
              {KEY_SEED, OF(RUN) | OF(GENERATE)},
              {KEY_EPOCHS, OF(RUN)},
              {KEY_STEPS, OF(RUN) | OF(PROFILE)},
              {KEY_BATCH, OF(RUN) | OF(EVAL) | OF(PREDICT) | OF(BUILD) | OF(EMIT) | OF(PLAN) | OF(PROFILE)},
              {KEY_THREADS, OF(RUN) | OF(EVAL) | OF(PREDICT) | OF(GENERATE) | OF(PROFILE)},
              {KEY_CHECK_NAN, OF(RUN) | OF(EVAL) | OF(BUILD) | OF(EMIT)},
              {KEY_SVG, OF(PROFILE)}};

enum { MOST_BATCH = 1 << 24 };
static const int64_t most_count = INT64_MAX / 2;

static const char *parse_cpu(struct argp_state *state, const char *name) {
  Target target;
  if (!target_parse(name, &target))
    argp_error(state,
               "--target-cpu: `%s` is no processor that nnc knows; some that it does are native, x86-64-v2, "
               "x86-64-v3, x86-64-v4, haswell, skylake-avx512 and znver4",
               name);
  return name;
}

static void parse_set(struct argp_state *state, CommandLine *line, const char *text) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text)
    argp_error(state, "--set: `%s` should read NAME=VALUE", text);
  else
    vec_push(line->arena, &line->overrides,
             (ConstOverride){.name = arena_strndup(line->arena, text, (size_t)(equals - text)), .value = equals + 1});
}

static void parse_command(struct argp_state *state, CommandLine *line, const char *name) {
  const char *names[COMMAND_COUNT];
  for (int i = 0; i < COMMAND_COUNT; i++) {
    names[i] = commands[i].name;
    if (strcmp(name, names[i]) == 0)
      line->command = (Command)i, line->argument_count = 0;
  }
  if (line->argument_count == 0)
    return;
  const char *near = diag_nearest(name, names, COMMAND_COUNT);
  if (near)
    argp_error(state, "there is no command `%s`; did you mean `%s`?", name, near);
  argp_error(state,
             "there is no command `%s`; the commands are run, eval, predict, generate, test, build, emit, plan, "
             "profile and models",
             name);
}

static void parse_argument(struct argp_state *state, CommandLine *line, const char *text) {
  if (line->argument_count < 0)
    parse_command(state, line, text);
  else if (line->argument_count == commands[line->command].most)
    argp_error(state, "one argument too many: `%s`; nnc %s %s", text, commands[line->command].name,
               commands[line->command].arguments);
  else
    line->arguments[line->argument_count++] = text;
}

static const char *name_in(const struct argp_option *list, int key) {
  for (; list->name || list->doc; list++)
    if (list->name && list->key == key)
      return list->name;
  return NULL;
}

static unsigned commands_of(int key) {
  for (size_t i = 0; i < sizeof takers / sizeof *takers; i++)
    if (takers[i].key == key)
      return takers[i].commands;
  return name_in(nnrt_sampling_argp.options, key) ? OF(GENERATE) : ~0u;
}

// An option that the command would not look at is an error, so that nobody believes it was obeyed.
static void check_taken(struct argp_state *state, const CommandLine *line, int key) {
  unsigned takes = commands_of(key);
  if (takes >> line->command & 1)
    return;
  const char *own = name_in(options, key), *name = own ? own : name_in(nnrt_sampling_argp.options, key);
  Text names = text_new(line->arena);
  for (int command = 0; command < COMMAND_COUNT; command++)
    if (takes >> command & 1)
      text_printf(&names, "%s%s", names.length ? ", " : "", commands[command].name);
  argp_error(state, "`%s` takes no --%s; it is of %s", commands[line->command].name, name, text_string(&names));
}

static void note_key(CommandLine *line, int key) {
  if (key > 0 && key < ARGP_KEY_END) // an option, not one of argp's own events
    vec_push(line->arena, &line->keys, key);
}

// The options of generated text are the runtime's.
static error_t parse_sampling(int key, char *text, struct argp_state *state) {
  CommandLine *line = state->input;
  note_key(line, key);
  state->input = &line->run;
  error_t error = nnrt_sampling_argp.parser(key, text, state);
  state->input = line;
  return error;
}

static error_t parse_option(int key, char *text, struct argp_state *state) {
  CommandLine *line = state->input;
  note_key(line, key);
  switch (key) {
  case ARGP_KEY_INIT:
    state->child_inputs[0] = line;
    break;
  case KEY_SET:
    parse_set(state, line, text);
    break;
  case KEY_DISABLE:
    if (!compile_disable(&line->compile, text))
      argp_error(state,
                 "--disable: there is no pass `%s`; the passes are fold, simplify, cse, dce, fuse, order, plan, "
                 "prepare, hoist, stream, norm and winograd",
                 text);
    break;
  case KEY_CPU:
    line->build.cc.cpu = line->compile.cpu = parse_cpu(state, text);
    break;
  case KEY_CC:
    line->build.cc.cc = text;
    line->c = true;
    break;
  case KEY_BACKEND:
    line->build.llvm = strcmp(text, "llvm") == 0;
    line->c = !line->build.llvm;
    if (line->c && strcmp(text, "c") != 0)
      argp_error(state, "--backend: `%s` is neither c nor llvm", text);
    break;
  case 'g':
    line->build.cc.debug = true;
    break;
  case 'o':
    line->build.output = line->run.output = text;
    break;
  case KEY_EMBED:
    line->build.embed = text;
    break;
  case KEY_WEIGHTS:
    line->build.weights = text;
    break;
  case KEY_RESUME:
    line->run.resume = true;
    break;
  case KEY_CHECKPOINT:
    line->run.checkpoint = text;
    break;
  case KEY_NO_SAVE:
    line->run.no_save = true;
    break;
  case KEY_PLOT:
    line->run.plot = text;
    break;
  case KEY_SEED:
    line->run.seed = nnrt_option_count(state, "seed", text, 0, most_count);
    break;
  case KEY_EPOCHS:
    line->run.epochs = nnrt_option_count(state, "epochs", text, 1, most_count);
    break;
  case KEY_STEPS:
    line->run.steps = nnrt_option_count(state, "steps", text, 1, most_count);
    break;
  case KEY_BATCH:
    line->run.batch = nnrt_option_count(state, "batch", text, 1, MOST_BATCH);
    break;
  case KEY_THREADS:
    line->run.threads = (int)nnrt_option_count(state, "threads", text, 1, NNRT_MOST_THREADS);
    break;
  case KEY_SVG:
    line->svg = text;
    break;
  case KEY_CHECK_NAN:
    line->run.check_nan = line->compile.check = true;
    break;
  case 'q':
    line->run.quiet = true;
    break;
  case ARGP_KEY_ARG:
    parse_argument(state, line, text);
    break;
  case ARGP_KEY_END:
    if (line->argument_count < 0)
      argp_error(state, "which command? run, eval, predict, generate, test, build, emit, plan, profile or models");
    else if (line->argument_count < commands[line->command].least)
      argp_error(state, "nnc %s %s", commands[line->command].name, commands[line->command].arguments);
    for (int i = 0; i < line->keys.count; i++)
      check_taken(state, line, line->keys.data[i]);
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static struct argp sampling = {.parser = parse_sampling};
static const struct argp_child children[] = {{&sampling, 0, "Generating text:", 4}, {0}};

static const struct argp parser = {
    options,
    parse_option,
    "run FILE [BLOCK]\neval FILE [BLOCK]\npredict FILE INPUT [NAME]\ngenerate FILE [BLOCK]\ncheck FILE\ntest "
    "FILE\nbuild "
    "FILE [NAME] -o EXE\nemit STAGE FILE [NAME]\nplan FILE [NAME]\nprofile FILE [NAME]\nmodels FILE",
    "A compiler for neural networks.\v"
    "run      train at once\n"
    "eval     losses and metrics of the checkpoint on validation and test samples\n"
    "predict  results of the checkpoint for the samples of a file\n"
    "generate text from the checkpoint of a model trained on text\n"
    "check    find what is wrong with the file, and compile nothing\n"
    "test     run the `test` blocks on both backends\n"
    "build    make an executable that has train, eval, predict and generate\n"
    "emit     print a stage: ast, graph, kernels, loops, c, llvm or asm\n"
    "plan     the map of the arena, parameters and multiply-adds of a step\n"
    "profile  time, operations, bytes and fraction of the roofline of each kernel of a step\n"
    "models   parameters, states and multiply-adds of each model\n"
    "NAME is a train block or a model of the file; without it emit and plan show all that is compiled, and profile "
    "takes "
    "the first train block. predict takes the model of a train block; it and build take a model by its own name as if "
    "nothing trained it: its results are as they come",
    children,
    0,
    0};

void options_parse(int argc, char **argv, CommandLine *line) {
  line->argument_count = -1;
  nnrt_options_init(&line->run);
  sampling.options = nnrt_sampling_argp.options;
  argp_parse(&parser, argc, argv, 0, NULL, line);
}

// The command line of an executable: `digits train`, `digits eval`, `digits predict FILE`, `digits generate`,
// `digits info`.
#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "state.h"
#include "train.h"

typedef struct CommandLine {
  const NnrtModule *module;
  const struct Command *command;
  NnrtOptions options;
} CommandLine;

typedef struct Command {
  const char *name, *arguments, *summary;
  const struct argp *options;
  int (*run)(const NnrtModule *module, const NnrtOptions *options);
  bool takes_file;
} Command;

static void print_data(const NnrtData *data) {
  printf("  data %s:", data->name);
  for (int i = 0; i < data->call_count; i++)
    printf("%s %s", i ? " |>" : "", data->calls[i].name);
  putchar('\n');
}

static int print_info(const NnrtModule *module, const NnrtOptions *options) {
  (void)options;
  static const char *const kinds[] = {"param", "state", "optimizer", "metric"};
  int64_t parameters = 0;
  for (int i = 0; i < module->tensor_count; i++)
    if (module->tensors[i].kind == NNRT_PARAM)
      parameters += nnrt_elements(module->tensors[i].rank, module->tensors[i].dim);
  printf("%s, from %s\nfingerprint %016" PRIx64 "\n%" PRId64 " parameters, %" PRId64 " bytes of state, %" PRId64
         " bytes of arena\n",
         module->name, module->file, module->fingerprint, parameters, module->state_bytes, module->arena_bytes);
  for (int i = 0; i < module->train_count; i++) {
    const NnrtTrain *train = &module->trains[i];
    printf("train block %s: seed %" PRId64, train->name, train->seed);
    if (train->save_to)
      printf(", saves %s", train->save_to);
    putchar('\n');
    if (train->data)
      print_data(train->data);
  }
  for (int i = 0; i < module->tensor_count; i++) {
    char text[NNRT_SHAPE_TEXT];
    const NnrtTensor *tensor = &module->tensors[i];
    printf("%-9s  %s  %s\n", kinds[tensor->kind], tensor->name,
           nnrt_shape_text(text, tensor->type, tensor->rank, tensor->dim));
  }
  return 0;
}

static const Command commands[] = {
    {"train", "[BLOCK]", "Trains, with progress, checkpoints and a final test.", &nnrt_train_argp, nnrt_train, false},
    {"eval", "[BLOCK]", "Loss and metrics of the checkpoint on validation and test samples.", &nnrt_eval_argp,
     nnrt_eval, false},
    {"predict", "FILE [BLOCK]", "Results of the checkpoint for the samples of FILE, as CSV.", &nnrt_predict_argp,
     nnrt_predict, true},
    {"generate", "[BLOCK]", "Text from the checkpoint of a model trained on text.", &nnrt_generate_argp, nnrt_generate,
     false},
    {"info", "", "What this program holds: blocks, parameters, sizes.", NULL, print_info, false}};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void take_argument(CommandLine *line, struct argp_state *state, const char *text) {
  bool file = line->command->takes_file && !line->options.input;
  if (file)
    line->options.input = text;
  else if (!line->options.block && *line->command->arguments)
    line->options.block = text;
  else
    argp_error(state, "one argument too many: `%s`", text);
}

static error_t parse_arguments(int key, char *text, struct argp_state *state) {
  CommandLine *line = state->input;
  switch (key) {
  case ARGP_KEY_INIT:
    if (line->command->options)
      state->child_inputs[0] = &line->options;
    break;
  case ARGP_KEY_ARG:
    take_argument(line, state, text);
    break;
  case ARGP_KEY_END:
    if (line->command->takes_file && !line->options.input)
      argp_error(state, "which file?");
    break;
  default:
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

// "digits train", so that messages and --help name the command.
static char *full_name(const char *program, const char *command) {
  size_t size = strlen(program) + strlen(command) + 2;
  char *name = malloc(size);
  if (!name)
    abort();
  snprintf(name, size, "%s %s", program, command);
  return name;
}

static int run_command(const NnrtModule *module, const Command *command, const char *program, int argc, char **argv) {
  CommandLine line = {.module = module, .command = command};
  nnrt_options_init(&line.options);
  const struct argp_child children[] = {{.argp = command->options}, {0}};
  const struct argp parser = {.parser = parse_arguments,
                              .args_doc = command->arguments,
                              .doc = command->summary,
                              .children = command->options ? children : NULL};
  char *word = argv[0], *name = full_name(program, command->name);
  argv[0] = name;
  error_t failed = argp_parse(&parser, argc, argv, 0, NULL, &line);
  int status = failed ? 1 : command->run(module, &line.options);
  argv[0] = word;
  free(name);
  return status;
}

static void print_help(const NnrtModule *module, const char *program, FILE *out) {
  fprintf(out, "%s, a neural network compiled from %s\n\n", module->name, module->file);
  for (int i = 0; i < COMMANDS; i++)
    fprintf(out, "  %s %-8s %-12s  %s\n", program, commands[i].name, commands[i].arguments, commands[i].summary);
  fprintf(out, "\n`%s COMMAND --help` lists the options of a command.\n", program);
}

int nnrt_main(const NnrtModule *module, int argc, char **argv) {
  const char *program = argc > 0 ? argv[0] : module->name, *word = argc > 1 ? argv[1] : NULL;
  argp_err_exit_status = 2;
  nnrt_watch_output();
  nnrt_paths_of_program();
  if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0)) {
    print_help(module, program, stdout);
    return 0;
  }
  if (word && (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)) {
    printf("%s %016" PRIx64 " (runtime %d)\n", module->name, module->fingerprint, NNRT_ABI);
    return 0;
  }
  const char *names[COMMANDS];
  for (int i = 0; i < COMMANDS; i++) {
    names[i] = commands[i].name;
    if (word && strcmp(word, commands[i].name) == 0)
      return run_command(module, &commands[i], program, argc - 1, argv + 1);
  }
  if (!word) {
    print_help(module, program, stderr);
    return 2;
  }
  const char *near = nnrt_nearest(word, names, COMMANDS);
  fprintf(stderr, "%s: there is no command `%s`%s%s%s\nTry `%s --help`.\n", program, word,
          near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "", program);
  return 2;
}

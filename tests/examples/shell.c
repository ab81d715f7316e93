// Commands in a scratch folder: see shell.h.
#include "shell.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Shell *shell_open(void) {
  Shell *shell = calloc(1, sizeof *shell);
  strcpy(shell->folder, "/tmp/nnc-test-XXXXXX");
  if (!mkdtemp(shell->folder))
    abort();
  shell_run(shell, "cd %s/examples && cp *.nn *.csv *.txt \"$OLDPWD\"", NNC_SOURCE_DIR);
  return shell;
}

void shell_close(Shell *shell) {
  shell_run(shell, "rm -rf \"$PWD\"");
  free(shell);
}

int shell_run(Shell *shell, const char *format, ...) {
  char command[4096], line[8192];
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof command, format, args);
  va_end(args);
  snprintf(line, sizeof line, "cd %s && export NNC_CACHE=off && NNC=%s && { %s\n} 2>&1", shell->folder, NNC_BINARY,
           command);
  FILE *pipe = popen(line, "r");
  size_t length = pipe ? fread(shell->output, 1, sizeof shell->output - 1, pipe) : 0;
  shell->output[length] = 0;
  int status = pipe ? pclose(pipe) : -1;
  shell->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return shell->status;
}

bool shell_printed(const Shell *shell, const char *text) {
  return strstr(shell->output, text) != NULL;
}

double shell_number(const Shell *shell, const char *key) {
  double value = NAN;
  size_t length = strlen(key);
  for (const char *at = shell->output; (at = strstr(at, key)); at += length)
    if (at[length] == ' ')
      value = strtod(at + length, NULL);
  return value;
}

bool shell_same_files(Shell *shell, const char *a, const char *b) {
  return shell_run(shell, "cmp %s %s", a, b) == 0;
}

const char *shell_data(void) {
  static const char beside[] = NNC_SOURCE_DIR "/../shared/data";
  const char *named = getenv("NNC_DATA");
  return named && *named ? named : access(beside, R_OK) == 0 ? beside : NULL;
}

void shell_must_run(Shell *shell, const char *command) {
  cr_assert(shell_run(shell, "%s", command) == 0, "%s\n%s", command, shell->output);
}

void shell_says(const char *command, int status, const char *text) {
  Shell *shell = shell_open();
  shell_run(shell, "%s", command);
  cr_expect_eq(shell->status, status, "%s: exit status %d\n%s", command, shell->status, shell->output);
  cr_expect(shell_printed(shell, text), "%s: `%s` is not in\n%s", command, text, shell->output);
  shell_close(shell);
}

void shell_write(Shell *shell, const char *name, const char *content) {
  char path[200];
  snprintf(path, sizeof path, "%s/%s", shell->folder, name);
  FILE *file = fopen(path, "w");
  cr_assert(file, "%s", path);
  fputs(content, file);
  fclose(file);
}

// Running commands in a scratch folder of the test's own.
#pragma once
#include <stdbool.h>

#include "sanitized.h"

typedef struct Shell {
  char folder[64];    // removed by shell_close
  char output[65536]; // of the last command, standard output and error together
  int status;
} Shell;

// A fresh folder that holds copies of examples/*.nn and *.csv.
Shell *shell_open(void);
void shell_close(Shell *shell);

// Runs a command there, with $NNC the compiler. The exit status, or 128 plus the signal.
int shell_run(Shell *shell, const char *format, ...) __attribute__((format(printf, 2, 3)));
void shell_must_run(Shell *shell, const char *command); // fails the test with its output if it does not end well
// A command in a folder of its own must end with that status and print the text.
void shell_says(const char *command, int status, const char *text);
void shell_write(Shell *shell, const char *name, const char *content); // a file there
bool shell_printed(const Shell *shell, const char *text);
// The number after the last `key` followed by a space, NaN if there is none.
double shell_number(const Shell *shell, const char *key);
// True if the two files hold the same bytes (and exist).
bool shell_same_files(Shell *shell, const char *a, const char *b);
// Where the larger data sets are: $NNC_DATA, or a folder beside the project; NULL if they are nowhere.
const char *shell_data(void);

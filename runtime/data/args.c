// Arguments of sources and transforms: binds those of a call to a parameter table, checks names and kinds, and says
// what is wrong where the declaration says it, with the nearest name as a hint.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"

bool nnrt_fail_at(const NnrtOpening *opening, const NnrtArg *arg, const char *format, ...) {
  char text[sizeof opening->error->text];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  nnrt_fail(opening->error, "%s", text);
  opening->error->file = opening->data->file;
  opening->error->line = arg ? arg->line : opening->call ? opening->call->line : 0;
  opening->error->column = arg ? arg->column : opening->call ? opening->call->column : 0;
  return false;
}

bool nnrt_fail_memory(const NnrtOpening *opening) {
  return nnrt_fail_at(opening, NULL, "not enough memory for data `%s`", opening->data->name);
}

bool nnrt_fail_from(const NnrtOpening *opening, const NnrtArg *arg) {
  if (!opening->error->line) {
    opening->error->line = arg ? arg->line : opening->call->line;
    opening->error->column = arg ? arg->column : opening->call->column;
  }
  return false;
}

// Insertions, deletions, substitutions and swaps of neighbours (Damerau 1964, optimal string alignment).
static int distance(const char *a, const char *b) {
  enum { LONGEST = 40 };
  size_t m = strlen(a), n = strlen(b);
  if (m > LONGEST || n > LONGEST)
    return LONGEST;
  int d[LONGEST + 1][LONGEST + 1];
  for (size_t i = 0; i <= m; i++)
    for (size_t j = 0; j <= n; j++) {
      if (!i || !j) {
        d[i][j] = (int)(i + j);
        continue;
      }
      int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best)
        best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best)
        best = d[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
        best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  return d[m][n];
}

const char *nnrt_mean_hint(char room[96], const char *name, const char *const *candidates, int count) {
  int best = (int)(strlen(name) + 2) / 3 + 1;
  room[0] = 0;
  for (int i = 0; i < count && candidates[i]; i++) {
    int far = distance(name, candidates[i]);
    if (far < best && far < (int)strlen(candidates[i])) {
      best = far;
      snprintf(room, 96, "; did you mean `%s`?", candidates[i]);
    }
  }
  return room;
}

static const char *kind_name(const NnrtArg *arg) {
  switch (arg->kind) {
  case NNRT_ARG_INT:
    return "a whole number";
  case NNRT_ARG_REAL:
    return "a real number";
  case NNRT_ARG_BOOL:
    return "true or false";
  case NNRT_ARG_STR:
    return "a text";
  case NNRT_ARG_LIST:
    return "a list";
  }
  return "a value";
}

static bool fits(const NnrtArg *arg, unsigned takes) {
  switch (arg->kind) {
  case NNRT_ARG_INT:
    return takes & (NNRT_TAKES_INT | NNRT_TAKES_REAL);
  case NNRT_ARG_REAL:
    return takes & NNRT_TAKES_REAL;
  case NNRT_ARG_BOOL:
    return takes & NNRT_TAKES_BOOL;
  case NNRT_ARG_STR:
    return takes & NNRT_TAKES_STR;
  case NNRT_ARG_LIST:
    if (takes & NNRT_TAKES_LIST)
      return true;
    for (int i = 0; i < arg->count; i++)
      if (arg->items[i].kind != NNRT_ARG_STR)
        return false;
    return takes & NNRT_TAKES_STRS;
  }
  return false;
}

static void describe(unsigned takes, char room[96]) {
  static const struct {
    unsigned takes;
    const char *name;
  } names[] = {{NNRT_TAKES_REAL, "a number"}, {NNRT_TAKES_INT, "a whole number"},   {NNRT_TAKES_BOOL, "true or false"},
               {NNRT_TAKES_STR, "a text"},    {NNRT_TAKES_STRS, "a list of texts"}, {NNRT_TAKES_LIST, "a list"}};
  room[0] = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (takes & names[i].takes) {
      size_t used = strlen(room);
      snprintf(room + used, 96 - used, "%s%s", used ? " or " : "", names[i].name);
    }
}

static int find_param(const NnrtOpening *opening, const NnrtParam *params, const NnrtArg *arg, int position) {
  const char *names[NNRT_MAX_PARAMS];
  int count = 0, by_position = 0;
  for (; params[count].name; count++) {
    names[count] = params[count].name;
    by_position += !params[count].named;
  }
  if (!arg->name) {
    if (position < by_position)
      return position;
    if (!count)
      nnrt_fail_at(opening, arg, "`%s` takes no arguments", opening->call->name);
    else if (!by_position)
      nnrt_fail_at(opening, arg, "`%s` takes named arguments only, as `%s: …`", opening->call->name, names[0]);
    else
      nnrt_fail_at(opening, arg, "`%s` takes %d argument%s by position; others need their name", opening->call->name,
                   by_position, by_position == 1 ? "" : "s");
    return -1;
  }
  for (int i = 0; i < count; i++)
    if (!strcmp(arg->name, names[i]))
      return i;
  char hint[96];
  nnrt_fail_at(opening, arg, "`%s` has no argument `%s`%s", opening->call->name, arg->name,
               nnrt_mean_hint(hint, arg->name, names, count));
  return -1;
}

bool nnrt_bind(NnrtOpening *opening, const NnrtParam *params, const NnrtArg *args[NNRT_MAX_PARAMS]) {
  const NnrtDataCall *call = opening->call;
  int position = 0;
  for (int i = 0; i < NNRT_MAX_PARAMS; i++)
    args[i] = NULL;
  for (int i = 0; i < call->arg_count; i++) {
    const NnrtArg *arg = &call->args[i];
    int at = find_param(opening, params, arg, position);
    if (at < 0)
      return false;
    position += !arg->name;
    if (args[at])
      return nnrt_fail_at(opening, arg, "argument `%s` of `%s` is given twice", params[at].name, call->name);
    if (!fits(arg, params[at].takes)) {
      char wanted[96];
      describe(params[at].takes, wanted);
      return nnrt_fail_at(opening, arg, "argument `%s` of `%s` is %s, not %s", params[at].name, call->name, wanted,
                          kind_name(arg));
    }
    args[at] = arg;
  }
  for (int i = 0; params[i].name; i++)
    if (params[i].required && !args[i])
      return nnrt_fail_at(opening, NULL, "`%s` needs its argument `%s`", call->name, params[i].name);
  return true;
}

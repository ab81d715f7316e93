// Progress of a run, in ASCII: one bar that is redrawn on a terminal, one line for an epoch.
#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE = 1024, BAR = 24, LINES_IN_ALL = 100 };

const char *nnrt_plain_name(const char *name) {
  return strncmp(name, "val.", 4) == 0 ? name + 4 : name;
}

static int append(char *text, int at, int size, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int append(char *text, int at, int size, const char *format, ...) {
  if (at >= size)
    return size;
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text + at, (size_t)(size - at), format, args);
  va_end(args);
  return at + length < size ? at + length : size;
}

int nnrt_means_text(char *text, int size, const NnrtCall *call, const char *prefix) {
  int at = 0;
  for (int i = 0; i < call->function->output_count; i++) {
    double value = nnrt_call_mean(call, i), magnitude = fabs(value);
    bool plain = value == 0 || (magnitude >= 1e-3 && magnitude < 1e5) || !isfinite(value);
    at = append(text, at, size, plain ? "  %s%s %.4f" : "  %s%s %.3e", prefix,
                nnrt_plain_name(call->function->outputs[i].name), value);
  }
  return at;
}

// 28,400
static int append_grouped(char *text, int at, int size, double value) {
  int64_t number = value < 9e17 ? (int64_t)value : 0;
  if (number < 1000)
    return append(text, at, size, "%" PRId64, number);
  at = append_grouped(text, at, size, (double)(number / 1000));
  return append(text, at, size, ",%03" PRId64, number % 1000);
}

static int append_left(char *text, int at, int size, double seconds) {
  int64_t left = seconds < 1e9 ? (int64_t)(seconds + 0.5) : 0;
  if (left >= 3600)
    return append(text, at, size, "  %" PRId64 ":%02" PRId64 ":%02" PRId64 " left", left / 3600, left / 60 % 60,
                  left % 60);
  return append(text, at, size, "  %" PRId64 ":%02" PRId64 " left", left / 60, left % 60);
}

static int append_speed(char *text, int at, int size, int64_t samples, double seconds, const char *what) {
  at = append(text, at, size, "  ");
  at = append_grouped(text, at, size, (double)samples / (seconds > 1e-9 ? seconds : 1e-9));
  return append(text, at, size, " %s/s", what);
}

static int columns(void) {
  struct winsize window;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
  return known && window.ws_col < LINE ? window.ws_col - 1 : 79;
}

static const char *counted(const NnrtCall *step) {
  return step->function->input_count > 0 ? "samples" : "steps";
}

void nnrt_progress_bar(NnrtProgress *progress, const NnrtCall *step, int64_t epoch, int64_t epoch_step, int64_t at,
                       double now) {
  if (progress->quiet || !progress->terminal || now - progress->shown < 0.1)
    return;
  progress->shown = now;
  char text[LINE], bar[BAR + 1];
  int64_t full = progress->epoch_steps > 0 ? epoch_step * BAR / progress->epoch_steps : 0;
  for (int i = 0; i < BAR; i++)
    bar[i] = i < full ? '#' : '.';
  bar[BAR] = '\0';
  int length = append(text, 0, LINE, "%s %" PRId64 "/%" PRId64 " [%s] %" PRId64 "/%" PRId64, progress->unit, epoch + 1,
                      progress->epochs, bar, epoch_step, progress->epoch_steps);
  length += nnrt_means_text(text + length, LINE - length, step, "");
  length = append_speed(text, length, LINE, progress->epoch_samples, now - progress->epoch_began, counted(step));
  double done = (double)(at - progress->first_step), left = (double)(progress->last_step - at);
  if (done > 0)
    append_left(text, length, LINE, left * (now - progress->began) / done);
  printf("\r%.*s\x1b[K", columns(), text);
  fflush(stdout);
}

void nnrt_progress_clear(NnrtProgress *progress) {
  if (!progress->quiet && progress->terminal && progress->shown > 0)
    printf("\r\x1b[K");
  fflush(stdout);
}

void nnrt_progress_epoch(NnrtProgress *progress, const NnrtCall *step, const NnrtCall *val, int64_t epoch,
                         double trained, double now) {
  int64_t every = (progress->epochs + LINES_IN_ALL - 1) / LINES_IN_ALL;
  bool due = epoch % every == 0 || epoch == progress->epochs || epoch == 1 || now - progress->line_shown >= 1;
  if (progress->quiet || !due)
    return;
  progress->line_shown = now;
  char text[LINE];
  int at = append(text, 0, LINE, "%s %" PRId64 "/%" PRId64, progress->unit, epoch, progress->epochs);
  at += nnrt_means_text(text + at, LINE - at, step, "");
  if (val)
    at += nnrt_means_text(text + at, LINE - at, val, "val.");
  at = append_speed(text, at, LINE, progress->epoch_samples, trained, counted(step));
  append(text, at, LINE, "  %.1f s", now - progress->epoch_began);
  nnrt_progress_clear(progress);
  puts(text);
  fflush(stdout);
}

// A profile as text: a line for each kernel, the longest first, then the step as a whole and the machine.
#include "session/profile.h"

double profile_operations(const Work *work) {
  return work->operations[0] + work->operations[1];
}

double profile_limit(const Machine *machine, const Work *work) {
  double computing = work->operations[0] / machine->peak[0] + work->operations[1] / machine->peak[1];
  double moving = (double)work->bytes / machine->bandwidth;
  return computing > moving ? computing : moving;
}

static void add_rate(Text *out, double operations, double seconds) {
  if (operations > 0 && seconds > 0)
    text_printf(out, " %8.2f", 1e-9 * operations / seconds);
  else
    text_printf(out, " %8s", "-");
}

static void add_fraction(Text *out, double limit, double seconds) {
  if (limit > 0 && seconds > 0)
    text_printf(out, " %6.1f %%", 100 * limit / seconds);
  else
    text_printf(out, " %8s", "-");
}

static void add_row(Text *out, const Profile *profile, const ProfileRow *row, int name_width) {
  double operations = row->calls * profile_operations(&row->work);
  bool whole = row->calls == (double)(int64_t)row->calls;
  text_printf(out, "%6.2f %% %11.2f", 100 * row->seconds / profile->step, 1e6 * row->seconds);
  text_printf(out, whole ? " %7.0f" : " %7.1f", row->calls);
  add_rate(out, operations, row->seconds);
  text_printf(out, " %10.3f", 1e-6 * row->calls * (double)row->work.bytes);
  add_fraction(out, row->calls * profile_limit(&profile->machine, &row->work), row->seconds);
  if (*row->place)
    text_printf(out, "  %-*s  %s\n", name_width, row->name, row->place);
  else
    text_printf(out, "  %s\n", row->name);
}

typedef struct Sum {
  double seconds, operations, computing, bytes;
} Sum;

static Sum sum_of(const Profile *profile) {
  Sum sum = {0};
  for (int i = 0; i < profile->row_count; i++) {
    const ProfileRow *row = &profile->rows[i];
    sum.seconds += row->seconds;
    sum.bytes += row->calls * (double)row->work.bytes;
    sum.operations += row->calls * profile_operations(&row->work);
    for (int k = 0; k < 2; k++)
      sum.computing += row->calls * row->work.operations[k] / profile->machine.peak[k];
  }
  return sum;
}

static void add_line(Text *out, double step, double seconds, const char *what) {
  text_printf(out, "%6.2f %% %11.2f %7s %8s %10s %8s  %s\n", 100 * seconds / step, 1e6 * seconds, "", "", "", "", what);
}

static void add_sum(Text *out, const Profile *profile) {
  Sum sum = sum_of(profile);
  text_printf(out, "%6.2f %% %11.2f %7s", 100 * sum.seconds / profile->step, 1e6 * sum.seconds, "");
  add_rate(out, sum.operations, sum.seconds);
  text_printf(out, " %10.3f %8s  sum of %d kernel%s\n", 1e-6 * sum.bytes, "", profile->row_count,
              profile->row_count == 1 ? "" : "s");
  add_line(out, profile->step, profile->step - sum.seconds,
           "beside them: looking at the clock, the team's beginning and end");
  add_line(out, profile->step, profile->step, "the step, with a barrier and a look at the clock after each kernel");
  text_printf(out, "%8s %11.2f %7s", "", 1e6 * profile->plain, "");
  add_rate(out, sum.operations, profile->plain);
  text_printf(out, " %10s", "");
  add_fraction(out, sum.computing, profile->plain);
  text_add(out, "  the step without them; the fraction is that of the peak\n");
}

static void add_machine(Text *out, const Profile *profile) {
  const Machine *machine = &profile->machine;
  text_printf(out, "peak %.1f GFLOP/s on f32, %.1f on f64", 1e-9 * machine->peak[0], 1e-9 * machine->peak[1]);
  text_printf(out, "; memory %.2f GB/s, over %.0f MB: measured now, with %d thread%s\n", 1e-9 * machine->bandwidth,
              1e-6 * machine->bytes, machine->threads, machine->threads == 1 ? "" : "s");
  text_add(out,
           "FLOP: operations on reals, 2 for each multiply-add. MB: what a kernel reads and writes, each value once; "
           "from caches it comes\nfaster than from memory, so small kernels may pass 100 % of the roofline, "
           "min(peak, memory x FLOP / bytes).\n");
}

void profile_table(Text *out, const Profile *profile) {
  int width = 6;
  for (int i = 0; i < profile->row_count; i++) {
    int length = (int)strlen(profile->rows[i].name);
    width = length > width ? length : width;
  }
  const Machine *machine = &profile->machine;
  text_printf(out, "%s of %s through %s: batch %lld, %d thread%s, %lld step%s\n\n", profile->function, profile->file,
              profile->through, (long long)profile->batch, machine->threads, machine->threads == 1 ? "" : "s",
              (long long)profile->steps, profile->steps == 1 ? "" : "s");
  text_printf(out, "%8s %11s %7s %8s %10s %8s  %-*s  %s\n", "share", "us", "calls", "GFLOP/s", "MB", "roofline", width,
              "kernel", "where");
  for (int i = 0; i < profile->row_count; i++)
    add_row(out, profile, &profile->rows[i], width);
  add_sum(out, profile);
  text_add(out, "\n");
  add_machine(out, profile);
}

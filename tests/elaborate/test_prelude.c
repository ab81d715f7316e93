// The prelude's numbers, by `nnc test`, which also holds both backends against each other.
#include "elab_helper.h"
#include "sanitized.h"

#include <stdio.h>
#include <stdlib.h>

Test(prelude, values, .timeout = 300) {
  skip_with_sanitizers();
  int status = system(NNC_BINARY " test " NNC_SOURCE_DIR "/tests/elaborate/prelude_values.nn >&2");
  cr_expect_eq(status, 0);
}

Test(prelude, attention, .timeout = 300) {
  skip_with_sanitizers();
  int status = system(NNC_BINARY " test " NNC_SOURCE_DIR "/tests/elaborate/attention_values.nn >&2");
  cr_expect_eq(status, 0);
}

// With passes left out as well: none of them changes a bit.
Test(prelude, scans, .timeout = 300) {
  skip_with_sanitizers();
  static const char *const ways[] = {"", "--disable hoist --disable prepare --disable fuse --disable order "
                                         "--disable plan --disable dce --disable cse"};
  for (int i = 0; i < 2; i++) {
    char command[1024];
    snprintf(command, sizeof command, "%s test %s %s/tests/elaborate/scan_values.nn >&2", NNC_BINARY, ways[i],
             NNC_SOURCE_DIR);
    cr_expect_eq(system(command), 0, "%s", ways[i]);
  }
}

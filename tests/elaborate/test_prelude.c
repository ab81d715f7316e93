// The prelude's numbers, by `nnc test`, which also holds both backends against each other.
#include "elab_helper.h"

#include <stdlib.h>

Test(prelude, values, .timeout = 120) {
  int status = system(NNC_BINARY " test " NNC_SOURCE_DIR "/tests/elaborate/prelude_values.nn >&2");
  cr_expect_eq(status, 0);
}

Test(prelude, attention, .timeout = 120) {
  int status = system(NNC_BINARY " test " NNC_SOURCE_DIR "/tests/elaborate/attention_values.nn >&2");
  cr_expect_eq(status, 0);
}

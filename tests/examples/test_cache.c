// Compiled code kept on disk: found again, told apart, never trusted.
#include <criterion/criterion.h>

#include "shell.h"

#define RUN "NNC_CACHE=$PWD/kept $NNC run xor.nn --quiet --steps 20 --checkpoint xor.safetensors"

static void open_and_run(Shell **shell) {
  *shell = shell_open();
  shell_must_run(*shell, RUN " && cp xor.safetensors first && ls kept/*.code && ls -i kept > before");
}

Test(cache, compiled_code_is_found_again) {
  Shell *shell;
  open_and_run(&shell);
  shell_must_run(shell, RUN " && ls -i kept > after && cmp before after && cmp xor.safetensors first");
  shell_close(shell);
}

Test(cache, another_program_has_files_of_its_own) {
  Shell *shell;
  open_and_run(&shell);
  shell_must_run(shell, "sed -i 's/tanh/sigmoid/' xor.nn && " RUN " && ls -i kept > after && ! cmp -s before after");
  cr_assert(!shell_same_files(shell, "xor.safetensors", "first"));
  shell_close(shell);
}

Test(cache, damaged_files_are_made_anew) {
  Shell *shell;
  open_and_run(&shell);
  static const char *const damages[] = {"truncate -s 100", "truncate -s -1", "truncate -s 0",
                                        "dd conv=notrunc if=/dev/zero bs=1 count=400 seek=60 status=none of=",
                                        "dd conv=notrunc if=/dev/zero bs=1 count=9 seek=6000 status=none of="};
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    const char *between = i < 3 ? " " : "";
    cr_assert(shell_run(shell, "for file in kept/*.code; do %s%s$file; done && " RUN, damages[i], between) == 0,
              "%s\n%s", damages[i], shell->output);
    cr_assert(shell_same_files(shell, "xor.safetensors", "first"), "%s", damages[i]);
    shell_must_run(shell, "for file in kept/*.code; do test $(stat -c %s $file) -gt 1000 || exit 1; done");
  }
  shell_close(shell);
}

Test(cache, runs_may_share_it) {
  Shell *shell = shell_open();
  shell_must_run(shell,
                 "for i in 1 2 3 4; do mkdir $i && cp xor.* $i && (cd $i && NNC_CACHE=$OLDPWD/kept $NNC run xor.nn "
                 "--quiet --steps 20 --checkpoint out) & done; wait; cmp 1/out 2/out && cmp 1/out 3/out && "
                 "cmp 1/out 4/out && ! ls kept | grep -v '\\.code$'");
  shell_close(shell);
}

Test(cache, it_can_be_left_out) {
  Shell *shell = shell_open();
  shell_must_run(shell,
                 "export HOME=$PWD && unset XDG_CACHE_HOME && $NNC run xor.nn --quiet --steps 2 && ! test -e .cache && "
                 "NNC_CACHE=/proc/none $NNC run xor.nn --quiet --steps 2 && NNC_CACHE= $NNC run xor.nn --quiet "
                 "--steps 2 && ls .cache/nnc/*.code && XDG_CACHE_HOME=$PWD/other NNC_CACHE= $NNC run xor.nn --quiet "
                 "--steps 2 && ls other/nnc/*.code");
  shell_close(shell);
}

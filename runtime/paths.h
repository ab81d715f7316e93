// Where files are that a .nn file names: beside it, or beside an executable made from it.
#pragma once
#include <stdbool.h>

#include "nnrt.h"

// For an executable to call first: what is not where the .nn file says is looked for in the executable's folder.
void nnrt_paths_of_program(void);

// Each result is the caller's to free.
char *nnrt_beside(const char *file, const char *path); // `path` as seen from the folder of `file`
char *nnrt_beside_program(const char *path); // NULL: this is no executable of its own, or the path is absolute
// A file to be read: beside `file`, or beside the program if it is only there. A `file` of "" is no place to start from:
// the path is as the user gave it.
char *nnrt_locate(const char *file, const char *path);
// A file to be written: beside `file`, or beside the program if that folder is not there.
char *nnrt_place(const char *file, const char *path);

// The checkpoint of a block, to write: `chosen` (--checkpoint) if there is one, else what the block says; NULL if neither
// does.
char *nnrt_checkpoint_path(const NnrtModule *module, const NnrtTrain *train, const char *chosen);
// The same to read, `last`: for its .last file. Located as other files are.
char *nnrt_checkpoint_locate(const NnrtModule *module, const NnrtTrain *train, const char *chosen, bool last);
// NAME.last.safetensors beside NAME.safetensors: the exact end of a run, to resume from.
char *nnrt_last_path(const char *path);

#include "session/session.h"
int session_embed(Arena *arena, const Compilation *compilation, const BuildOptions *options) { (void)arena; (void)compilation; (void)options; return 1; }

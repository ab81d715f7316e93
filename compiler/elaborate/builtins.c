// Builtin functions by name, and the names that the language reserves for what is not built yet.
#include "elaborate/internal.h"

const Builtin *builtin_list(int family, int *count) {
  static const struct {
    const Builtin *list;
    const int *count;
  } families[] = {{builtins_math, &builtins_math_count},
                  {builtins_shape, &builtins_shape_count},
                  {builtins_value, &builtins_value_count},
                  {builtins_window, &builtins_window_count},
                  {builtins_attention, &builtins_attention_count}};
  if (family >= (int)(sizeof families / sizeof *families))
    return NULL;
  *count = *families[family].count;
  return families[family].list;
}

bool builtin_flag(Elab *e, const BuiltinCall *c, int at, const char *name, bool *out) {
  *out = false;
  if (!c->args[at])
    return true;
  if (c->args[at]->kind != V_BOOL) {
    elab_error(e, c->spans[at], "`%s` must be a bool, but this is %s", name, value_kind(e, c->args[at]));
    return false;
  }
  *out = c->args[at]->as.integer != 0;
  return true;
}

bool builtin_later(const char *name) {
  static const char *const later[] = {"gradient"};
  for (size_t i = 0; i < sizeof later / sizeof *later; i++)
    if (same_name(later[i], name))
      return true;
  return false;
}

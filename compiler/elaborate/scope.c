// Names: blocks see and rebind what is bound around them, up to the body they belong to; then come the file's own
// declarations, its imports, and the prelude.
#include "elaborate/internal.h"

Scope *scope_push(Elab *e) {
  Scope *scope = arena_new_of(e->arena, Scope);
  scope->parent = e->frame->scope;
  e->frame->scope = scope;
  return scope;
}

void scope_pop(Elab *e) {
  e->frame->scope = e->frame->scope->parent;
}

Frame *frame_push(Elab *e, Module *module, const Decl *decl, Span call, const char *path) {
  Frame *frame = arena_new_of(e->arena, Frame);
  frame->caller = e->frame;
  frame->module = module;
  frame->decl = decl;
  frame->call = call;
  frame->path = path;
  frame->scope = arena_new_of(e->arena, Scope);
  frame->is_optimizer = e->frame && e->frame->is_optimizer;
  frame->is_metric = e->frame && e->frame->is_metric;
  e->frame = frame;
  return frame;
}

void frame_pop(Elab *e) {
  e->frame = e->frame->caller;
}

static Binding *find_in(Scope *scope, const char *name) {
  for (int i = 0; i < scope->bindings.count; i++)
    if (same_name(scope->bindings.data[i].name, name))
      return &scope->bindings.data[i];
  return NULL;
}

Binding *scope_find(const Frame *frame, const char *name) {
  for (Scope *scope = frame->scope; scope; scope = scope->parent) {
    Binding *found = find_in(scope, name);
    if (found)
      return found;
  }
  return NULL;
}

static void bind(Elab *e, const char *name, Binding binding) {
  Binding *old = find_in(e->frame->scope, name);
  if (old)
    *old = binding;
  else
    vec_push(e->arena, &e->frame->scope->bindings, binding);
}

void scope_bind(Elab *e, const char *name, Value *value) {
  bind(e, name, (Binding){.name = name, .value = value});
}

void scope_bind_slot(Elab *e, const char *name, Slot *slot) {
  bind(e, name, (Binding){.name = name, .slot = slot});
}

void scope_assign(Elab *e, const char *name, Value *value) {
  Binding *found = scope_find(e->frame, name);
  if (found)
    *found = (Binding){.name = name, .value = value};
  else
    scope_bind(e, name, value);
}

Global *scope_own(const Module *module, const char *name) {
  const int *index = names_find(&module->names, name);
  return index ? module->globals.data[*index] : NULL;
}

Global *scope_global(const Module *module, const Elab *e, const char *name) {
  Global *found = scope_own(module, name);
  for (int i = 0; !found && i < module->imports.count; i++)
    found = scope_own(module->imports.data[i], name);
  return found || module == e->prelude || !e->prelude ? found : scope_own(e->prelude, name);
}

typedef VEC(const char *) Names;

static void module_names(Elab *e, const Module *module, bool callables_only, Names *names) {
  for (int i = 0; i < module->globals.count; i++) {
    const Decl *decl = module->globals.data[i]->decl;
    if (!callables_only || decl->kind == DECL_LAYER || decl->kind == DECL_MODEL)
      vec_push(e->arena, names, decl->name.text);
  }
}

void scope_suggest(Elab *e, const char *name, bool callables_only) {
  static const char *const clocks[] = {"step", "epoch", "last_step", "training"};
  Names names = {0};
  for (int i = 0; i < 4 && !callables_only; i++)
    vec_push(e->arena, &names, clocks[i]);
  for (Scope *scope = e->frame->scope; scope; scope = scope->parent)
    for (int i = 0; i < scope->bindings.count; i++)
      if (!callables_only || (scope->bindings.data[i].value && scope->bindings.data[i].value->kind == V_LAYER))
        vec_push(e->arena, &names, scope->bindings.data[i].name);
  module_names(e, e->frame->module, callables_only, &names);
  for (int i = 0; i < e->frame->module->imports.count; i++)
    module_names(e, e->frame->module->imports.data[i], callables_only, &names);
  if (e->prelude)
    module_names(e, e->prelude, callables_only, &names);
  int count;
  for (int family = 0; builtin_list(family, &count); family++)
    for (int i = 0; i < count; i++)
      vec_push(e->arena, &names, builtin_list(family, &count)[i].name);
  elab_suggest(e, name, names.data, names.count);
}

// Files: their declarations, what they import, and constants. A name means what its own file says, then what the files
// it imports say, then the prelude; so a file can replace a prelude layer for itself, and the prelude stays whole.
#include "elaborate/internal.h"

#include <errno.h>
#include <stdlib.h>

static const char *canonical(Elab *e, const char *path) {
  char *real = realpath(path, NULL);
  const char *result = arena_printf(e->arena, "%s", real ? real : path);
  free(real);
  return result;
}

static const char *beside(Elab *e, const char *file, const char *path) {
  const char *slash = strrchr(file, '/');
  if (!slash || path[0] == '/')
    return path;
  return arena_printf(e->arena, "%.*s/%s", (int)(slash - file), file, path);
}

static void declare(Elab *e, Module *module, const Decl *decl) {
  const Global *first = scope_own(module, decl->name.text);
  if (first) {
    elab_error(e, decl->name.span, "`%s` is declared twice", decl->name.text);
    diag_note(e->diag, first->decl->name.span, "first here");
    return;
  }
  Global *global = arena_new_of(e->arena, Global);
  global->decl = decl;
  global->module = module;
  *names_at(e->arena, &module->names, decl->name.text) = module->globals.count;
  vec_push(e->arena, &module->globals, global);
}

static void check_formals(Elab *e, const Decl *decl) {
  for (int i = 0; i < decl->formals.count; i++)
    for (int k = 0; k < i; k++)
      if (!strcmp(decl->formals.data[i].name.text, decl->formals.data[k].name.text)) {
        elab_error(e, decl->formals.data[i].name.span, "`%s` has two arguments named `%s`", decl->name.text,
                   decl->formals.data[i].name.text);
        break;
      }
}

static void check_clashes(Elab *e, Module *module, const Module *imported, const Decl *import) {
  for (int i = 0; i < imported->globals.count; i++) {
    const Decl *theirs = imported->globals.data[i]->decl;
    const Global *clash = scope_own(module, theirs->name.text);
    for (int k = 0; !clash && k < module->imports.count; k++)
      clash = scope_own(module->imports.data[k], theirs->name.text);
    if (!clash)
      continue;
    elab_error(e, import->span, "`%s` comes with this import, but there is one already", theirs->name.text);
    diag_note(e->diag, theirs->name.span, "the imported one");
    diag_note(e->diag, clash->decl->name.span, "the other");
  }
}

static void import(Elab *e, Module *module, const Decl *decl) {
  if (decl->value->kind != EXPR_STR) {
    elab_error(e, decl->value->span, "`import` needs a file's name: import \"blocks.nn\"");
    return;
  }
  const char *path = beside(e, module->file->source->path, decl->value->name.text), *real = canonical(e, path);
  Module *imported = NULL;
  for (int i = 0; i < e->modules.count; i++)
    if (!strcmp(e->modules.data[i]->path, real))
      imported = e->modules.data[i];
  if (imported && imported->loading) {
    elab_error(e, decl->span, imported == module ? "a file imports itself" : "files import each other in a circle");
    return;
  }
  for (int i = 0; i < module->imports.count; i++)
    if (module->imports.data[i] == imported)
      return;
  if (!imported) {
    Source *source = source_read(e->arena, path);
    if (!source) {
      elab_error(e, decl->value->span, "cannot read \"%s\": %s", path, strerror(errno));
      module->broken = true;
      return;
    }
    imported = module_load(e, parse_file(e->arena, e->diag, source), path, false);
  }
  check_clashes(e, module, imported, decl);
  vec_push(e->arena, &module->imports, imported);
}

Module *module_load(Elab *e, const File *file, const char *path, bool is_prelude) {
  Module *module = arena_new_of(e->arena, Module);
  module->file = file;
  module->path = is_prelude ? "" : canonical(e, path);
  module->loading = true;
  vec_push(e->arena, &e->modules, module);
  for (int i = 0; i < file->decls.count; i++) {
    const Decl *decl = file->decls.data[i];
    if (decl->kind == DECL_CONST || decl->kind == DECL_LAYER || decl->kind == DECL_MODEL || decl->kind == DECL_DATA) {
      declare(e, module, decl);
      check_formals(e, decl);
    }
  }
  for (int i = 0; i < file->decls.count; i++)
    if (file->decls.data[i]->kind == DECL_IMPORT)
      import(e, module, file->decls.data[i]);
  module->loading = false;
  return module;
}

// ---- constants

static Value *checked_const(Elab *e, const Global *global, Value *v) {
  if (v->kind == V_TENSOR || v->kind == V_DIM || v->kind == V_NONE)
    return elab_fail(e, global->decl->value->span, "a constant must be known at compile time, but this is %s",
                     value_kind(e, v));
  return v;
}

Value *const_value(Elab *e, Global *global, Span span) {
  if (global->state == GLOBAL_DONE)
    return global->value;
  if (global->state == GLOBAL_BUSY)
    return elab_fail(e, span, "the constant `%s` depends on itself", global->decl->name.text);
  global->state = GLOBAL_BUSY;
  Frame *frame = e->frame;
  Arena *arena = e->arena;
  e->frame = NULL;
  e->arena = e->program->arena;
  frame_push(e, global->module, NULL, global->decl->span, "");
  const Expr *expr = global->override ? global->override : global->decl->value;
  global->value = checked_const(e, global, eval_expr(e, expr));
  e->frame = frame;
  e->arena = arena;
  global->state = GLOBAL_DONE;
  return global->value;
}

static Global *const_named(Elab *e, const char *name) {
  for (int i = 0; i < e->modules.count; i++) {
    if (e->modules.data[i] == e->prelude)
      continue;
    Global *global = scope_own(e->modules.data[i], name);
    if (global && global->decl->kind == DECL_CONST)
      return global;
  }
  return NULL;
}

static void override_const(Elab *e, const ConstOverride *override) {
  Global *global = const_named(e, override->name);
  if (global) {
    const char *path = arena_printf(e->arena, "--set %s", override->name);
    const Expr *expr = parse_expr(e->arena, e->diag, source_from_string(e->arena, path, override->value));
    global->override = expr ? expr : global->override;
    return;
  }
  diag_error(e->diag, (Span){0}, "--set %s: there is no constant `%s`", override->name, override->name);
  VEC(const char *) names = {0};
  for (int i = 0; i < e->modules.count; i++)
    for (int k = 0; k < e->modules.data[i]->globals.count; k++)
      if (e->modules.data[i] != e->prelude && e->modules.data[i]->globals.data[k]->decl->kind == DECL_CONST)
        vec_push(e->arena, &names, e->modules.data[i]->globals.data[k]->decl->name.text);
  elab_suggest(e, override->name, names.data, names.count);
}

void const_overrides(Elab *e) {
  for (int i = 0; i < e->options->override_count; i++)
    override_const(e, &e->options->overrides[i]);
}

// The way through a program: files, constants, data, training, prediction, what nothing uses, tests.
#include "elaborate/internal.h"

#include <ctype.h>

static const char *program_name(Arena *arena, const char *path) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  size_t length = strlen(base);
  if (length > 3 && !strcmp(base + length - 3, ".nn"))
    length -= 3;
  char *name = arena_strndup(arena, base, length);
  for (char *c = name; *c; c++)
    if (!isalnum((unsigned char)*c))
      *c = '_';
  return *name && !isdigit((unsigned char)*name) ? name : arena_printf(arena, "nn_%s", name);
}

static void constants(Elab *e) {
  const_overrides(e);
  for (int i = 0; i < e->modules.count; i++)
    for (int k = 0; k < e->modules.data[i]->globals.count; k++) {
      Global *global = e->modules.data[i]->globals.data[k];
      if (global->decl->kind == DECL_CONST && e->modules.data[i] != e->prelude)
        const_value(e, global, global->decl->span);
    }
}

static void data_sets(Elab *e) {
  for (int i = 0; i < e->modules.count; i++)
    for (int k = 0; k < e->modules.data[i]->globals.count; k++)
      if (e->modules.data[i]->globals.data[k]->decl->kind == DECL_DATA)
        data_declare(e, e->modules.data[i]->globals.data[k]);
}

static void each(Elab *e, DeclKind kind, void (*visit)(Elab *, Module *, const Decl *)) {
  const File *file = e->main->file;
  for (int i = 0; i < file->decls.count; i++)
    if (file->decls.data[i]->kind == kind)
      visit(e, e->main, file->decls.data[i]);
}

static void run_declaration(Elab *e, Module *module, const Decl *decl) {
  (void)module;
  elab_not_built(e, decl->span, "a `run` block");
}

static bool has_inputs(const Decl *decl) {
  for (int i = 0; i < decl->formals.count; i++)
    if (!decl->formals.data[i].standard)
      return true;
  return false;
}

static bool declares(const Elab *e, DeclKind kind) {
  for (int i = 0; i < e->main->file->decls.count; i++)
    if (e->main->file->decls.data[i]->kind == kind)
      return true;
  return false;
}

static Global *own_model(const Elab *e, const char *name) {
  for (int i = 0; name && i < e->main->globals.count; i++) {
    const Decl *decl = e->main->globals.data[i]->decl;
    if (decl->kind == DECL_MODEL && !strcmp(decl->name.text, name))
      return e->main->globals.data[i];
  }
  return NULL;
}

// A predict block for each model that was trained; for each of the file's models if none was, unless nobody asks for it.
static void predictions(Elab *e) {
  bool every = e->options->every_model || (!declares(e, DECL_TRAIN) && !e->options->check);
  for (int i = 0; every && i < e->main->globals.count; i++)
    if (e->main->globals.data[i]->decl->kind == DECL_MODEL)
      model_use(e, e->main->globals.data[i]);
  for (int i = 0; i < e->uses.count; i++) {
    const ModelUse *use = &e->uses.data[i];
    PredictBlock *block = has_inputs(use->model->decl) ? model_predict(e, use) : NULL;
    if (!block)
      continue;
    for (int k = 0; k < e->program->trains.count; k++)
      if (e->mains.data[k] == use->model) {
        e->program->trains.data[k]->predict = e->program->predicts.count;
        e->program->trains.data[k]->settings.predict = e->program->predicts.count;
      }
    vec_push(e->arena, &e->program->predicts, block);
  }
}

// A model that nothing trains is checked all the same.
static void check_unused(Elab *e) {
  for (int i = 0; i < e->main->globals.count; i++) {
    Global *global = e->main->globals.data[i];
    bool used = global->decl->kind != DECL_MODEL;
    for (int k = 0; !used && k < e->uses.count; k++)
      used = e->uses.data[k].model == global;
    if (!used)
      model_size(e, global);
  }
}

static void one_model(Elab *e, Global *model) {
  PredictBlock *block = model_predict(e, model_use(e, model));
  if (block)
    vec_push(e->arena, &e->program->predicts, block);
}

static void whole_file(Elab *e) {
  each(e, DECL_RUN, run_declaration);
  each(e, DECL_TRAIN, train_declaration);
  if (!diag_errors(e->diag))
    predictions(e);
  check_unused(e);
  if (e->options->tests)
    each(e, DECL_TEST, test_declaration);
}

Program *elaborate(Arena *arena, Diag *diag, const File *prelude, const File *file, const ElaborateOptions *options) {
  Elab *e = arena_new_of(arena, Elab);
  Program *program = arena_new_of(arena, Program);
  *e = (Elab){.arena = arena, .diag = diag, .options = options, .program = program, .misread = diag_errors(diag) > 0};
  program->arena = arena;
  program->file = file->source->path;
  program->name = program_name(arena, program->file);
  e->table.init = builder_new(e, BUILD_INIT, "init", 0, &e->table);
  e->builder = builder_new(e, BUILD_CHECK, "constants", 0, &e->table);
  e->prelude = module_load(e, prelude, "", true);
  e->main = module_load(e, file, program->file, false);
  constants(e);
  data_sets(e);
  Global *alone = own_model(e, options->model);
  if (alone)
    one_model(e, alone);
  else
    whole_file(e);
  if (e->spare)
    arena_free(e->spare);
  program->init = e->table.init->graph;
  for (int i = 0; i < e->table.slots.count; i++)
    vec_push(arena, &program->slots, e->table.slots.data[i]);
  return diag_errors(diag) ? NULL : program;
}

int64_t program_numbers(const Program *program, const char *path, SlotKind kind) {
  int64_t count = 0;
  for (int i = 0; i < program->slots.count; i++)
    if (program->slots.data[i]->kind == kind && path_within(program->slots.data[i]->name, path))
      count += type_count(&program->slots.data[i]->type, 0);
  return count;
}

// The settings of a train block: read, checked, and turned into what the runtime needs to know.
#include "elaborate/internal.h"

typedef struct Setting Setting;
typedef void ReadSetting(Elab *e, TrainSetup *setup, const Expr *value, const Setting *setting);
struct Setting {
  const char *name;
  ReadSetting *read;
  bool step_too; // has a meaning beside a written-out step
};

static Global *named_global(Elab *e, const Expr *value, DeclKind kind, const char *what) {
  Global *global = value->kind == EXPR_NAME ? scope_global(e->frame->module, e, value->name.text) : NULL;
  if (global && global->decl->kind == kind)
    return global;
  if (value->kind != EXPR_NAME) {
    elab_error(e, value->span, "the name of a %s is needed here", what);
    if (value->kind == EXPR_STR)
      elab_hint_quotes(e, eval_expr(e, value));
    return NULL;
  }
  if (global)
    elab_error(e, value->span, "`%s` is no %s", value->name.text, what);
  else
    elab_error(e, value->span, "unknown %s `%s`", what, value->name.text);
  VEC(const char *) names = {0};
  for (int i = 0; i < e->modules.count; i++)
    for (int k = 0; k < e->modules.data[i]->globals.count; k++)
      if (e->modules.data[i]->globals.data[k]->decl->kind == kind)
        vec_push(e->arena, &names, e->modules.data[i]->globals.data[k]->decl->name.text);
  elab_suggest(e, value->name.text, names.data, names.count);
  return NULL;
}

static void read_model(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)setting;
  s->model = named_global(e, value, DECL_MODEL, "model");
  s->model_span = value->span;
}

static void read_data(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)setting;
  s->data = named_global(e, value, DECL_DATA, "data set");
}

static void read_expr(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)e;
  if (!strcmp(setting->name, "loss"))
    s->loss = value;
  else if (!strcmp(setting->name, "optimizer"))
    s->optimizer = value;
  else
    s->metrics = value;
}

int64_t setting_number(Elab *e, const Expr *value, const char *name, int64_t least, int64_t most) {
  int64_t number;
  if (!eval_int(e, value, arena_printf(e->arena, "`%s`", name), &number))
    return least;
  if (number >= least && number <= most)
    return number;
  elab_error(e, value->span, "`%s` must be from %lld to %lld, not %lld", name, (long long)least, (long long)most,
             (long long)number);
  return least;
}

bool is_word(const Expr *value, const char *word) {
  return value->kind == EXPR_NAME && !strcmp(value->name.text, word);
}

static void read_batch(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  s->settings.batch = is_word(value, "all") ? -1 : setting_number(e, value, setting->name, 1, 1 << 24);
}

static void read_number(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  if (!strcmp(setting->name, "epochs"))
    s->settings.epochs = setting_number(e, value, setting->name, 1, (int64_t)1 << 40);
  else if (!strcmp(setting->name, "steps"))
    s->settings.steps = setting_number(e, value, setting->name, 1, (int64_t)1 << 40);
  else
    s->settings.seed = setting_number(e, value, setting->name, 0, INT64_MAX);
}

const char *string_of(Elab *e, const Expr *value, const char *what) {
  Value *v = eval_expr(e, value);
  if (v->kind == V_STR && *v->as.text)
    return v->as.text;
  if (v->kind != V_POISON)
    elab_error(e, value->span, "%s must be a string, but this is %s", what, value_kind(e, v));
  return NULL;
}

static void read_text(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  s->settings.log = string_of(e, value, arena_printf(e->arena, "`%s`", setting->name));
}

static void read_clip(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)setting;
  Value *v = eval_expr(e, value);
  if (value_is_number(v) && value_real(v) > 0) {
    s->has_clip = true;
    s->clip_norm = value_real(v);
  } else if (v->kind != V_POISON) {
    elab_error(e, value->span, "`clip` is the largest norm of all gradients together, a number above 0, but this is %s",
               value_kind(e, v));
  }
}

// save: best(val.loss, to: "best.safetensors"), every(5, to: "…")
static void read_saving(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)setting;
  read_save(e, s, value);
}

// early_stop: patience(5, val.loss)
static void read_stopping(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)setting;
  read_early_stop(e, s, value);
}

static void read_loads(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)setting;
  read_load(e, s, value);
}

// freeze: [backbone], or patterns: ["backbone.block_*"]
static void read_freeze(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  read_patterns(e, setting->name, value, &s->frozen);
}

// unfreeze: after(5, [backbone])
static void read_thaws(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  (void)setting;
  read_unfreeze(e, s, value);
}

// memory: 200MB
static void read_memory(Elab *e, TrainSetup *s, const Expr *value, const Setting *setting) {
  s->memory = setting_number(e, value, setting->name, 1, INT64_MAX);
  s->memory_span = value->span;
}

static const Setting settings[] = {
    {"model", read_model, false},        {"data", read_data, true},     {"loss", read_expr, false},
    {"optimizer", read_expr, false},     {"batch", read_batch, true},   {"epochs", read_number, true},
    {"steps", read_number, true},        {"seed", read_number, true},   {"metrics", read_expr, false},
    {"save", read_saving, true},         {"load", read_loads, true},    {"log", read_text, true},
    {"early_stop", read_stopping, true}, {"clip", read_clip, true},     {"freeze", read_freeze, true},
    {"unfreeze", read_thaws, true},      {"memory", read_memory, true},
};
enum { SETTING_COUNT = sizeof settings / sizeof *settings };

static void unknown_setting(Elab *e, Name name) {
  const char *names[SETTING_COUNT];
  for (int i = 0; i < SETTING_COUNT; i++)
    names[i] = settings[i].name;
  elab_error(e, name.span, "unknown setting `%s`", name.text);
  elab_suggest(e, name.text, names, SETTING_COUNT);
}

static const Expr *setting_given(const Decl *decl, const char *name) {
  for (int i = 0; i < decl->settings.count; i++)
    if (decl->settings.data[i].name.text && !strcmp(decl->settings.data[i].name.text, name))
      return decl->settings.data[i].value;
  return NULL;
}

static void read_one(Elab *e, TrainSetup *s, int index) {
  Arg arg = s->decl->settings.data[index];
  if (!arg.name.text)
    return;
  if (setting_given(s->decl, arg.name.text) != arg.value) {
    elab_error(e, arg.name.span, "`%s` is set twice", arg.name.text);
    return;
  }
  for (int i = 0; i < SETTING_COUNT; i++)
    if (!strcmp(settings[i].name, arg.name.text)) {
      if (s->decl->step && !settings[i].step_too)
        elab_error(e, arg.name.span, "`%s` has no meaning beside a `step`, which says all that is done", arg.name.text);
      else
        settings[i].read(e, s, arg.value, &settings[i]);
      return;
    }
  unknown_setting(e, arg.name);
}

// How long the run is: epochs, or steps, which are all there is without data.
static void read_length(Elab *e, TrainSetup *s) {
  const Expr *steps = setting_given(s->decl, "steps"), *epochs = setting_given(s->decl, "epochs");
  bool with_data = !s->decl->step || setting_given(s->decl, "data");
  if (steps && epochs)
    elab_error(e, steps->span, "`steps` and `epochs` exclude each other");
  else if (epochs && !with_data) {
    elab_error(e, epochs->span, "without `data` there are no epochs");
    diag_hint(e->diag, "write steps: %lld", (long long)s->settings.epochs);
  }
  if (!steps && !epochs)
    *(with_data ? &s->settings.epochs : &s->settings.steps) = 1;
}

// False if the block cannot be built.
static bool train_settings(Elab *e, TrainSetup *s) {
  static const char *const needed[] = {"model", "data", "loss", "optimizer"};
  const Decl *decl = s->decl;
  int errors = diag_errors(e->diag);
  s->settings.name = s->name;
  s->settings.batch = 32;
  for (int i = 0; i < decl->settings.count; i++)
    read_one(e, s, i);
  Text missing = text_new(e->arena);
  for (int i = 0; !decl->step && i < 4; i++)
    if (!setting_given(decl, needed[i]))
      text_printf(&missing, "%s`%s`", missing.length ? ", no " : "", needed[i]);
  // A setting that could not be read may be the one that is missing.
  if (missing.length && !e->misread && errors == diag_errors(e->diag)) {
    elab_error(e, decl->span, "this train block has no %s", text_string(&missing));
    diag_hint(e->diag, "a train block has model, data, loss and optimizer, or a `step` that says what is done");
  }
  read_length(e, s);
  return !missing.length && errors == diag_errors(e->diag);
}

// ---- the block

static bool name_taken(Elab *e, const Decl *decl, const char *name) {
  for (int i = 0; i < e->program->trains.count; i++)
    if (!strcmp(e->program->trains.data[i]->name, name)) {
      elab_error(e, decl->span, "there are two train blocks named `%s`", name);
      diag_note(e->diag, e->program->trains.data[i]->span, "the first");
      return true;
    }
  return false;
}

static const Formal *only_input(const Global *model) {
  const Formal *found = NULL;
  for (int i = 0; i < model->decl->formals.count; i++)
    if (!model->decl->formals.data[i].standard) {
      if (found)
        return NULL;
      found = &model->decl->formals.data[i];
    }
  return found;
}

static bool takes_samples(Elab *e, Global *model, const DataFacts *facts) {
  const Formal *input = only_input(model);
  Type type;
  return facts && facts->known && input && input->type && model_input_type(e, model, input, &type) &&
         data_sample_fits(&facts->x, &type);
}

// Every model that was called gets a predict block; the one that takes the data's samples is the block's own.
static Global *note_models(Elab *e, TrainSetup *s, const Builder *train) {
  const DataFacts *facts = s->data ? s->data->facts : NULL;
  Global *own = s->model;
  for (int i = 0; !own && i < train->models.count; i++)
    if (takes_samples(e, train->models.data[i], facts))
      own = train->models.data[i];
  for (int i = 0; i < train->models.count; i++) {
    ModelUse *use = model_use(e, train->models.data[i]);
    if (train->graph->batch > use->batch)
      use->batch = train->graph->batch;
    if (train->models.data[i] == own && s->data)
      use->data = s->data->data;
  }
  return own ? own : train->models.count ? train->models.data[0] : NULL;
}

static void check_name(Elab *e, const Expr *expr) {
  const Expr *callee = expr->kind == EXPR_CALL ? expr->left : expr;
  if (callee->kind == EXPR_NAME)
    eval_name_as(e, callee->name, "layer");
}

// The names in settings that are not looked at because of an error in another.
static void check_names(Elab *e, const TrainSetup *s) {
  const Expr *const exprs[] = {s->loss, s->optimizer, s->metrics};
  for (int i = 0; i < 3; i++)
    if (exprs[i] && exprs[i]->kind == EXPR_LIST)
      for (int k = 0; k < exprs[i]->items.count; k++)
        check_name(e, exprs[i]->items.data[k]);
    else if (exprs[i])
      check_name(e, exprs[i]);
}

void train_declaration(Elab *e, Module *module, const Decl *decl) {
  TrainSetup *setup = arena_new_of(e->arena, TrainSetup);
  setup->decl = decl;
  setup->module = module;
  setup->name = decl->name.text ? decl->name.text : "train";
  if (name_taken(e, decl, setup->name))
    return;
  frame_push(e, module, NULL, decl->span, "");
  bool complete = train_settings(e, setup);
  TrainBlock *block = arena_new_of(e->arena, TrainBlock);
  block->name = setup->name;
  block->span = decl->span;
  block->predict = -1;
  if (!complete)
    check_names(e, setup);
  else if (step_graphs(e, setup, block)) {
    check_frozen(e, setup);
    check_slots_named(e, "load", &setup->loaded);
    check_watched(e, setup, block, setup->save_value, setup->settings.save_value);
    check_watched(e, setup, block, setup->patience_value, setup->settings.patience_value);
    block->settings = setup->settings;
    block->settings.load_count = setup->loads.count;
    block->settings.loads = setup->loads.data;
    block->memory = setup->memory;
    block->memory_span = setup->memory_span;
    block->data = setup->data ? setup->data->data : NULL;
    block->settings.data = block->data;
    vec_push(e->arena, &e->mains, note_models(e, setup, setup->built));
    vec_push(e->arena, &e->program->trains, block);
  }
  frame_pop(e);
}

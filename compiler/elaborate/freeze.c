// What is not trained: `freeze` and `unfreeze` of a train block, by patterns over names. A frozen parameter gets no
// gradient and no optimizer state; in a call that is frozen as a whole `training` is false and `:=` does nothing, so that
// a normalisation uses and keeps its stored statistics. After each `unfreeze` the step is another graph: its phase.
#include "elaborate/internal.h"

#include "names.h"

static bool any_fits(const Patterns *patterns, const char *name) {
  for (int i = 0; i < patterns->count; i++)
    if (nnrt_name_fits(patterns->data[i].text, name))
      return true;
  return false;
}

// The phase from which on what is frozen at first is trained; 0: never.
static int thawed_from(const TrainSetup *setup, const char *name) {
  for (int i = 0; i < setup->thaws.count; i++)
    if (!setup->thaws.data[i].patterns.count || any_fits(&setup->thaws.data[i].patterns, name))
      return i + 1;
  return 0;
}

bool slot_frozen(Elab *e, const char *name) {
  const TrainSetup *setup = e->builder->train;
  if (!setup || !any_fits(&setup->frozen, name))
    return false;
  int from = thawed_from(setup, name);
  return !from || from > e->builder->phase;
}

int slot_thawed(Elab *e, const char *name) {
  const TrainSetup *setup = e->builder->train;
  return setup && any_fits(&setup->frozen, name) ? thawed_from(setup, name) : 0;
}

// The dot behind its path lets a pattern for all that is in it fit too: net.norm_0.*
bool call_frozen(Elab *e) {
  const Frame *frame = e->frame;
  return frame && *frame->path && !frame->is_optimizer && e->builder->train &&
         slot_frozen(e, arena_printf(e->arena, "%s.", frame->path));
}

// ---- the settings

// A model, a part of one, a pattern, or a list of them.
bool read_patterns(Elab *e, const char *setting, const Expr *value, Patterns *out) {
  Value *v = eval_expr(e, value);
  if (v->kind == V_POISON)
    return false;
  int count = v->kind == V_LIST ? v->as.list.count : 1;
  for (int i = 0; i < count; i++) {
    const Value *item = v->kind == V_LIST ? v->as.list.items[i] : v;
    if (item->kind != V_MODEL && item->kind != V_STR) {
      elab_error(e, value->span, "`%s` takes models, parts of them, or patterns, but this is %s", setting,
                 value_kind(e, item));
      return false;
    }
    bool listed = value->kind == EXPR_LIST && value->items.count == count;
    Pattern pattern = {item->kind == V_STR ? item->as.text : item->as.model.path,
                       listed ? value->items.data[i]->span : value->span};
    vec_push(e->arena, out, pattern);
  }
  return true;
}

static bool is_after(const Expr *value) {
  if (value->kind != EXPR_CALL || value->left->kind != EXPR_NAME || strcmp(value->left->name.text, "after") != 0 ||
      value->args.count < 1 || value->args.count > 2)
    return false;
  for (int i = 0; i < value->args.count; i++)
    if (value->args.data[i].name.text)
      return false;
  return true;
}

static void read_thaw(Elab *e, TrainSetup *s, const Expr *value) {
  if (!is_after(value)) {
    elab_error(e, value->span, "`unfreeze` is after(5, [net.backbone]): epochs, and what is trained from then on");
    diag_hint(e->diag, "after(5) alone unfreezes everything, and a list of them goes on step by step");
    return;
  }
  const Expr *count = value->args.data[0].value;
  Thaw thaw = {.span = value->span};
  if (!eval_int(e, count, "`after`", &thaw.epochs))
    return;
  int64_t least = s->thaws.count ? s->thaws.data[s->thaws.count - 1].epochs + 1 : 1;
  if (thaw.epochs < least) {
    elab_error(e, count->span, "`unfreeze` after %lld epochs must be %s", (long long)thaw.epochs,
               s->thaws.count ? "later than the one before it" : "after 1 epoch or more");
    return;
  }
  if (value->args.count == 1 || read_patterns(e, "unfreeze", value->args.data[1].value, &thaw.patterns))
    vec_push(e->arena, &s->thaws, thaw);
}

void read_unfreeze(Elab *e, TrainSetup *s, const Expr *value) {
  if (value->kind == EXPR_LIST)
    for (int i = 0; i < value->items.count; i++)
      read_thaw(e, s, value->items.data[i]);
  else
    read_thaw(e, s, value);
}

// ---- checks, once all names are known

static void unmatched(Elab *e, const char *setting, const char *kind, const Pattern *pattern, const TrainSetup *setup) {
  VEC(const char *) names = {0};
  for (int i = 0; i < e->table.slots.count; i++) {
    const Slot *slot = e->table.slots.data[i];
    if (slot->kind == SLOT_PARAM && (!setup || any_fits(&setup->frozen, slot->name)))
      vec_push(e->arena, &names, slot->name);
  }
  elab_error(e, pattern->span, "`%s`: no %s is named `%s`", setting, kind, pattern->text);
  if (diag_nearest(pattern->text, names.data, names.count))
    elab_suggest(e, pattern->text, names.data, names.count);
  else if (names.count)
    diag_hint(e->diag, "the first %s is %s", kind, names.data[0]);
}

// A parameter, or a state: a normalisation may have nothing else. `among`: NULL, or what else must name it.
static bool names_slot(Elab *e, const Pattern *pattern, const Patterns *among) {
  for (int i = 0; i < e->table.slots.count; i++) {
    const Slot *slot = e->table.slots.data[i];
    if (slot->kind != SLOT_OPTIMIZER && nnrt_name_fits(pattern->text, slot->name) &&
        (!among || any_fits(among, slot->name)))
      return true;
  }
  return false;
}

void check_slots_named(Elab *e, const char *setting, const Patterns *patterns) {
  for (int i = 0; i < patterns->count; i++)
    if (!names_slot(e, &patterns->data[i], NULL))
      unmatched(e, setting, "parameter", &patterns->data[i], NULL);
}

static void check_thaw(Elab *e, const TrainSetup *setup, const Thaw *thaw) {
  int64_t epochs = setup->settings.epochs;
  if (!setup->frozen.count)
    elab_error(e, thaw->span, "`unfreeze` without `freeze`: nothing is frozen");
  else if (!setup->data)
    elab_error(e, thaw->span, "`unfreeze` counts epochs, but this train block has no `data`");
  else if (epochs && thaw->epochs >= epochs)
    elab_error(e, thaw->span, "`unfreeze` after %lld epochs, but the run has %lld", (long long)thaw->epochs,
               (long long)epochs);
  else
    for (int i = 0; i < thaw->patterns.count; i++)
      if (!names_slot(e, &thaw->patterns.data[i], &setup->frozen))
        unmatched(e, "unfreeze", "frozen parameter", &thaw->patterns.data[i], setup);
}

void check_frozen(Elab *e, const TrainSetup *setup) {
  check_slots_named(e, "freeze", &setup->frozen);
  for (int i = 0; i < setup->thaws.count; i++)
    check_thaw(e, setup, &setup->thaws.data[i]);
}

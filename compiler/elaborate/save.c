// When a run saves and when it stops, and the reported values it decides by.
#include "elaborate/internal.h"

// val.loss, accuracy; train.loss is loss.
static const char *watched_name(Elab *e, const Expr *expr) {
  Text text = text_new(e->arena);
  expr_print(&text, expr);
  const char *name = text_string(&text);
  return strncmp(name, "train.", 6) ? name : name + 6;
}

// save: best(val.loss, to: "best.safetensors"), every(5, to: "…")
void read_save(Elab *e, TrainSetup *s, const Expr *value) {
  const char *name = value->kind == EXPR_CALL && value->left->kind == EXPR_NAME ? value->left->name.text : "";
  bool best = !strcmp(name, "best");
  if (!best && strcmp(name, "every") != 0) {
    elab_error(e, value->span, "`save` is best(val.loss, to: \"…\") or every(5, to: \"…\")");
    return;
  }
  const Expr *what = NULL;
  bool has_to = false;
  for (int i = 0; i < value->args.count; i++) {
    const Arg *arg = &value->args.data[i];
    if (arg->name.text && !strcmp(arg->name.text, "to") && (has_to = true))
      s->settings.save_to = string_of(e, arg->value, "`to`");
    else if (arg->name.text)
      elab_error(e, arg->name.span, "`%s` has no argument `%s`", name, arg->name.text);
    else if (what)
      elab_error(e, arg->value->span, "`%s` takes one value and `to`", name);
    else
      what = arg->value;
  }
  if (!what || !s->settings.save_to) {
    if (what && !has_to)
      elab_error(e, value->span, "`%s` needs a file's name: `to: \"…\"`", name);
    else if (!what)
      elab_error(e, value->span, best ? "`best` needs a value, such as val.loss" : "`every` needs a number of epochs");
    return;
  }
  s->settings.save = best ? NNRT_SAVE_BEST : NNRT_SAVE_EVERY;
  if (best) {
    s->save_value = what;
    s->settings.save_value = watched_name(e, what);
  } else
    s->settings.save_every = setting_number(e, what, "every", 1, (int64_t)1 << 40);
}

// early_stop: patience(5, val.loss)
void read_early_stop(Elab *e, TrainSetup *s, const Expr *value) {
  bool shaped = value->kind == EXPR_CALL && is_word(value->left, "patience") && value->args.count == 2 &&
                !value->args.data[0].name.text && !value->args.data[1].name.text;
  if (!shaped) {
    elab_error(e, value->span,
               "`early_stop` is patience(5, val.loss): epochs without progress, and the value that is watched");
    return;
  }
  s->settings.patience = setting_number(e, value->args.data[0].value, "patience", 1, (int64_t)1 << 40);
  s->patience_value = value->args.data[1].value;
  s->settings.patience_value = watched_name(e, s->patience_value);
}

static void not_reported(Elab *e, const TrainBlock *block, const Expr *expr, const char *text) {
  VEC(const char *) names = {0};
  for (int i = 0; i < block->eval->outputs.count; i++)
    vec_push(e->arena, &names, arena_printf(e->arena, "val.%s", block->eval->outputs.data[i].name));
  elab_error(e, expr->span, "nothing named `%s` is reported", text);
  if (diag_nearest(text, names.data, names.count)) {
    elab_suggest(e, text, names.data, names.count);
    return;
  }
  Text reported = text_new(e->arena);
  for (int i = 0; i < names.count; i++)
    text_printf(&reported, "%s%s", i ? ", " : "", names.data[i]);
  diag_hint(e->diag, "what is reported: %s; `metrics: [accuracy]` reports more", text_string(&reported));
}

static bool is_reported(const TrainBlock *block, const char *name) {
  for (int i = 0; i < block->eval->outputs.count; i++)
    if (!strcmp(block->eval->outputs.data[i].name, name))
      return true;
  return false;
}

void check_watched(Elab *e, const TrainSetup *setup, const TrainBlock *block, const Expr *expr, const char *text) {
  if (!expr)
    return;
  bool val = !strncmp(text, "val.", 4), test = !strncmp(text, "test.", 5);
  const char *name = text + (val ? 4 : test ? 5 : 0);
  if (!is_reported(block, name)) {
    not_reported(e, block, expr, text);
  } else if (test) {
    elab_error(e, expr->span, "`%s` is only known at the end of a run: nothing can be decided by it", text);
    diag_hint(e->diag, "write val.%s", name);
  } else if (val && !setup->data) {
    elab_error(e, expr->span, "there is no `%s`: this train block has no `data`", text);
    diag_hint(e->diag, "write %s, the value of the training step", name);
  } else if (val && setup->data->facts->val_count == 0) {
    elab_error(e, expr->span, "there is no `%s`: data `%s` has no validation samples", text,
               setup->data->decl->name.text);
    diag_hint(e->diag, "write |> split(val: 0.1) behind the data's source, or %s here", name);
  }
}

// `load` of a train block: a checkpoint, from(…) a checkpoint with what of it goes where, or a list of such by pattern.
#include "elaborate/internal.h"

#include "names.h"

// net.backbone or "net.backbone": a part of the model, which must exist.
static const char *read_into(Elab *e, TrainSetup *s, const Expr *value) {
  Patterns parts = {0};
  if (!read_patterns(e, "into", value, &parts))
    return NULL;
  if (parts.count != 1 || nnrt_name_stars(parts.data[0].text)) {
    elab_error(e, value->span, "`into` is one part of the model, such as net.backbone");
    return NULL;
  }
  vec_push(e->arena, &s->loaded, parts.data[0]);
  return parts.data[0].text;
}

static void read_renames(Elab *e, const Expr *value, NnrtWeights *weights) {
  if (value->kind != EXPR_MAP) {
    elab_error(e, value->span, "`rename` is a list of names in the file and here: [\"*.weight\": \"*.w\"]");
    return;
  }
  NnrtRename *renames = arena_array(e->arena, NnrtRename, value->args.count + 1);
  for (int i = 0; i < value->args.count; i++) {
    const Arg *arg = &value->args.data[i];
    const char *to = string_of(e, arg->value, "a name here");
    int stars = nnrt_name_stars(arg->name.text);
    if (!to)
      return;
    if (stars != nnrt_name_stars(to)) {
      elab_error(e, arg->value->span, "`%s` and `%s` must have as many `*`", arg->name.text, to);
      diag_hint(e->diag, "each `*` on the right stands for what the one on the left stands for");
      return;
    }
    if (stars > NNRT_MOST_STARS) {
      elab_error(e, arg->name.span, "a pattern has at most %d `*`", (int)NNRT_MOST_STARS);
      return;
    }
    renames[i] = (NnrtRename){arg->name.text, to};
  }
  weights->rename_count = value->args.count;
  weights->renames = renames;
}

static void read_layout(Elab *e, const Expr *value, NnrtWeights *weights) {
  weights->pytorch = value->kind == EXPR_NAME && !strcmp(value->name.text, "pytorch");
  if (weights->pytorch)
    return;
  elab_error(e, value->span, "the only other layout is pytorch: kernels as [out, in, …]");
  if (value->kind == EXPR_STR)
    diag_hint(e->diag, "write pytorch, without quotes");
}

static void read_option(Elab *e, TrainSetup *s, const Arg *arg, NnrtWeights *weights) {
  static const char *const names[] = {"into", "part", "rename", "layout"};
  if (!strcmp(arg->name.text, "into"))
    weights->into = read_into(e, s, arg->value);
  else if (!strcmp(arg->name.text, "part"))
    weights->part = string_of(e, arg->value, "`part`");
  else if (!strcmp(arg->name.text, "rename"))
    read_renames(e, arg->value, weights);
  else if (!strcmp(arg->name.text, "layout"))
    read_layout(e, arg->value, weights);
  else {
    elab_error(e, arg->name.span, "`from` has no argument `%s`", arg->name.text);
    elab_suggest(e, arg->name.text, names, 4);
  }
}

// "file.safetensors" or from("file.safetensors", into: net.backbone, …).
static void read_file(Elab *e, TrainSetup *s, const Expr *value, const char *only) {
  NnrtWeights weights = {.only = only};
  bool from = value->kind == EXPR_CALL && value->left->kind == EXPR_NAME && !strcmp(value->left->name.text, "from");
  if (!from) {
    weights.path = string_of(e, value, "`load`");
  } else if (!value->args.count || value->args.data[0].name.text) {
    elab_error(e, value->span, "`from` needs a file's name: from(\"file.safetensors\", into: net.backbone)");
    return;
  } else {
    weights.path = string_of(e, value->args.data[0].value, "a file");
    for (int i = 1; i < value->args.count; i++)
      if (value->args.data[i].name.text)
        read_option(e, s, &value->args.data[i], &weights);
      else
        elab_error(e, value->args.data[i].value->span, "`from` takes one file; the rest has names, such as `into:`");
  }
  if (weights.path)
    vec_push(e->arena, &s->loads, weights);
}

void read_load(Elab *e, TrainSetup *s, const Expr *value) {
  if (value->kind == EXPR_LIST) {
    elab_error(e, value->span, "a list of files says what each is for: [\"net.backbone.*\": \"file.safetensors\"]");
    return;
  }
  if (value->kind != EXPR_MAP) {
    read_file(e, s, value, NULL);
    return;
  }
  for (int i = 0; i < value->args.count; i++) {
    const Name pattern = value->args.data[i].name;
    vec_push(e->arena, &s->loaded, ((Pattern){pattern.text, pattern.span}));
    read_file(e, s, value->args.data[i].value, pattern.text);
  }
}

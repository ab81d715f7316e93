// Builtin functions that move windows over space: window, conv, conv_transpose. Channels come last, space before them;
// sizes, strides, dilations and paddings are one number for all dimensions of space, or a list. Here padding becomes a
// number of places, and the output's size follows from it.
#include "elaborate/internal.h"

#include <math.h>

enum { MOST_WINDOW = 1 << 24 };

// "each(3, 2)" is [3, 3]; a list must have that many items.
static bool each_of(Elab *e, Span span, const char *what, const Value *v, int count, int64_t least, int64_t *out) {
  if (value_is_list(v) && value_count(v) != count) {
    elab_error(e, span, "`%s` has %lld items, but there are %d dimensions of space", what, (long long)value_count(v),
               count);
    return false;
  }
  for (int i = 0; i < count; i++) {
    const Value *item = value_is_list(v) ? value_item(e, v, i) : v;
    if (!value_as_int(e, span, item, arena_printf(e->arena, "`%s`", what), &out[i]))
      return false;
    if (out[i] < least || out[i] > MOST_WINDOW) {
      elab_error(e, span, "`%s` must be %s, not %lld", what,
                 out[i] > 0 ? "at most 2^24" : arena_printf(e->arena, "%lld or more", (long long)least),
                 (long long)out[i]);
      return false;
    }
  }
  return true;
}

static Value *call_each(Elab *e, const BuiltinCall *c) {
  int64_t count;
  if (!value_as_int(e, c->spans[1], c->args[1], "the number of items", &count))
    return value_poison(e);
  if (count < 0 || count > MAX_ITEMS)
    return elab_fail(e, c->spans[1], "a list of %lld items", (long long)count);
  if (value_is_list(c->args[0])) {
    if (value_count(c->args[0]) == count)
      return c->args[0];
    return elab_fail(e, c->spans[0], "a list of %lld items where %lld are needed", (long long)value_count(c->args[0]),
                     (long long)count);
  }
  Value **items = arena_array(e->arena, Value *, count + 1);
  for (int i = 0; i < count; i++)
    items[i] = c->args[0];
  return value_list(e, V_LIST, (int)count, items);
}

// ---- padding
typedef enum PadRule { PAD_GIVEN, PAD_SAME } PadRule;

typedef struct Padding {
  PadRule rule;
  int64_t before[MAX_SPACE], after[MAX_SPACE];
} Padding;

// "valid", "same", a number, a list of numbers, or a list of pairs [before, after].
static bool padding_of(Elab *e, Span span, const Value *v, int space, Padding *padding) {
  *padding = (Padding){.rule = PAD_GIVEN};
  if (!v)
    return true;
  if (v->kind == V_STR) {
    if (!strcmp(v->as.text, "same"))
      padding->rule = PAD_SAME;
    else if (strcmp(v->as.text, "valid") != 0) {
      elab_error(e, span, "`padding` is `valid`, `same`, a number, or a list, not \"%s\"", v->as.text);
      return false;
    }
    return true;
  }
  bool pairs = value_is_list(v) && value_count(v) > 0 && value_is_list(value_item(e, v, 0));
  if (!pairs) {
    if (!each_of(e, span, "padding", v, space, 0, padding->before))
      return false;
    memcpy(padding->after, padding->before, sizeof padding->after);
    return true;
  }
  if (value_count(v) != space) {
    elab_error(e, span, "`padding` has %lld pairs, but there are %d dimensions of space", (long long)value_count(v),
               space);
    return false;
  }
  for (int i = 0; i < space; i++) {
    int64_t pair[2];
    if (!each_of(e, span, "padding", value_item(e, v, i), 2, 0, pair))
      return false;
    padding->before[i] = pair[0];
    padding->after[i] = pair[1];
  }
  return true;
}

// ---- windows over x
typedef struct Space {
  int count, lead; // dimensions of space, and before it
  Window window[MAX_SPACE];
  Dim out[MAX_SPACE];
} Space;

// Rounded up, a last window may hang over the end, but must begin before it (as in PyTorch).
static int64_t output_size(int64_t in, const Window *w, int64_t after, bool ceil) {
  int64_t room = in + w->before + after - w->dilation * (w->size - 1) - 1;
  if (room < 0)
    return 0;
  int64_t out = room / w->stride + 1;
  if (ceil && room % w->stride && out * w->stride < in + w->before)
    out++;
  return out;
}

static bool window_fits(Elab *e, Span span, const Type *x, const Space *s, int i, int64_t after) {
  const Window *w = &s->window[i];
  int64_t in = x->dim[s->lead + i], reach = w->dilation * (w->size - 1) + 1;
  if (s->out[i] > 0)
    return true;
  elab_error(e, span, "a window of %lld does not fit into %s: dimension %d has %lld places and padding %lld + %lld",
             (long long)reach, type_text(e->arena, x), s->lead + i, (long long)in, (long long)w->before,
             (long long)after);
  diag_hint(e->diag,
            "outputs = (N + P - F) / S + 1 = (%lld + %lld - %lld) / %lld + 1, rounded down, must be at least 1",
            (long long)in, (long long)(w->before + after), (long long)reach, (long long)w->stride);
  return false;
}

// The dimensions of space of x: all but the channels and what stands before.
static bool space_of(Elab *e, Span span, const Type *x, int count, Space *s) {
  *s = (Space){.count = count, .lead = x->rank - count - 1};
  for (int i = 0; s->lead >= 0 && i < count; i++) {
    if (x->dim[s->lead + i] >= 0)
      continue;
    elab_error(e, span, "a window cannot move along the batch, dimension %d of %s", s->lead + i,
               type_text(e->arena, x));
    return false;
  }
  if (count >= 1 && count <= MAX_SPACE && s->lead >= 0)
    return true;
  elab_error(e, span, "windows over %d dimensions of space need an input [.., space.., channels], but this is %s",
             count, type_text(e->arena, x));
  return false;
}

typedef struct WindowArgs {
  int stride, padding, dilation; // places among the call's arguments
} WindowArgs;

// Fills s->window but for sizes, and s->out.
static bool place_windows(Elab *e, const BuiltinCall *c, WindowArgs at, const Type *x, bool ceil, Space *s) {
  int64_t stride[MAX_SPACE] = {1, 1, 1}, dilation[MAX_SPACE] = {1, 1, 1};
  Padding padding;
  if ((c->args[at.stride] && !each_of(e, c->spans[at.stride], "stride", c->args[at.stride], s->count, 1, stride)) ||
      (c->args[at.dilation] &&
       !each_of(e, c->spans[at.dilation], "dilation", c->args[at.dilation], s->count, 1, dilation)) ||
      !padding_of(e, c->spans[at.padding], c->args[at.padding], s->count, &padding))
    return false;
  for (int i = 0; i < s->count; i++) {
    Window *w = &s->window[i];
    int64_t in = x->dim[s->lead + i], reach = dilation[i] * (w->size - 1) + 1;
    *w = (Window){w->size, stride[i], dilation[i], padding.before[i], 1};
    if (padding.rule == PAD_SAME) {
      int64_t outputs = (in + stride[i] - 1) / stride[i], missing = (outputs - 1) * stride[i] + reach - in;
      w->before = missing > 0 ? missing / 2 : 0;
      padding.after[i] = missing > 0 ? missing - missing / 2 : 0;
    }
    s->out[i] = output_size(in, w, padding.after[i], ceil);
    if (!window_fits(e, c->span, x, s, i, padding.after[i]))
      return false;
  }
  return true;
}

static Attr attr_of(const Space *s) {
  Attr attr = {.space = s->count};
  memcpy(attr.window, s->window, sizeof attr.window);
  return attr;
}

// What stands outside; for whole numbers an int, or -inf and inf for the least and the largest.
static bool fill_of(Elab *e, Span span, const Value *fill, ElemType elem, Attr *attr) {
  static const int64_t least[] = {[I32] = INT32_MIN, [I64] = INT64_MIN, [U8] = 0, [BOOL] = 0};
  static const int64_t most[] = {[I32] = INT32_MAX, [I64] = INT64_MAX, [U8] = UINT8_MAX, [BOOL] = 1};
  if (elem_is_real(elem) && value_is_number(fill)) {
    attr->real = value_real(fill);
    return true;
  }
  if (fill->kind == V_FLOAT && isinf(fill->as.real))
    attr->integer = fill->as.real < 0 ? least[elem] : most[elem];
  else if (fill->kind == V_INT && fill->as.integer >= least[elem] && fill->as.integer <= most[elem])
    attr->integer = fill->as.integer;
  else {
    elab_error(e, span, "`fill` must be a number of the tensor's type %s, but this is %s", elem_name(elem),
               value_kind(e, fill));
    return false;
  }
  return true;
}

// window(x, size, stride, padding, dilation, ceil, fill): the taps of each output, as dimensions before the channels.
static Value *call_window(Elab *e, const BuiltinCall *c) {
  enum { SIZE = 1, STRIDE, PADDING, DILATION, CEIL, FILL };
  Node *x = tensor_of(e, c->spans[0], c->args[0], NULL);
  Space s;
  bool ceil;
  if (!x || !builtin_flag(e, c, CEIL, "ceil", &ceil))
    return value_poison(e);
  const Value *size = c->args[SIZE];
  int count =
      value_is_list(size) ? (int)(value_count(size) > MAX_RANK ? MAX_RANK : value_count(size)) : x->type.rank - 2;
  int64_t sizes[MAX_RANK];
  if (!space_of(e, c->spans[0], &x->type, count, &s) || !each_of(e, c->spans[SIZE], "size", size, count, 1, sizes))
    return value_poison(e);
  for (int i = 0; i < count; i++)
    s.window[i].size = sizes[i];
  if (!place_windows(e, c, (WindowArgs){STRIDE, PADDING, DILATION}, &x->type, ceil, &s))
    return value_poison(e);
  if (x->type.rank + count > MAX_RANK)
    return elab_fail(e, c->span, "windows of %s would have more than %d dimensions", type_text(e->arena, &x->type),
                     (int)MAX_RANK);
  Attr attr = attr_of(&s);
  if (c->args[FILL] && !fill_of(e, c->spans[FILL], c->args[FILL], x->type.elem, &attr))
    return value_poison(e);
  Type type = {.elem = x->type.elem, .rank = x->type.rank + count};
  for (int i = 0; i < s.lead; i++)
    type.dim[i] = x->type.dim[i];
  for (int i = 0; i < count; i++) {
    type.dim[s.lead + i] = s.out[i];
    type.dim[s.lead + count + i] = sizes[i];
  }
  type.dim[type.rank - 1] = x->type.dim[x->type.rank - 1];
  return value_tensor(e, tensor_op(e, c->span, OP_window, 1, &x, &attr, &type));
}

// ---- convolution
typedef struct ConvArgs {
  Node *x, *w;
  Space space;
  int64_t groups;
} ConvArgs;

static bool conv_args(Elab *e, const BuiltinCall *c, int groups_at, ConvArgs *args) {
  args->x = tensor_of(e, c->spans[0], c->args[0], NULL);
  args->w = args->x ? tensor_of(e, c->spans[1], c->args[1], &args->x->type.elem) : NULL;
  args->groups = 1;
  if (!args->w)
    return false;
  if (args->w->type.rank < 3) {
    elab_error(e, c->spans[1], "weights are [taps.., channels, outputs], but these are %s",
               type_text(e->arena, &args->w->type));
    return false;
  }
  int count = args->w->type.rank - 2;
  if (!space_of(e, c->spans[0], &args->x->type, count, &args->space))
    return false;
  for (int i = 0; i < count; i++)
    args->space.window[i].size = args->w->type.dim[i];
  const Value *groups = c->args[groups_at];
  return !groups || value_as_int(e, c->spans[groups_at], groups, "the number of groups", &args->groups);
}

static Value *make_conv(Elab *e, const BuiltinCall *c, const ConvArgs *args) {
  Attr attr = attr_of(&args->space);
  attr.groups = args->groups;
  Type shape = args->x->type, type;
  for (int i = 0; i < args->space.count; i++)
    shape.dim[args->space.lead + i] = args->space.out[i];
  shape.dim[shape.rank - 1] = args->w->type.dim[args->w->type.rank - 1];
  const char *wrong = graph_check(e->arena, OP_conv, 2, (Node *[]){args->x, args->w}, &attr, &shape, &type);
  if (wrong)
    return elab_fail(e, c->span, "%s", wrong);
  tensor_stamp(e, c->span);
  return value_tensor(e, graph_conv(e->builder->graph, args->x, args->w, &attr, &shape));
}

static Value *call_conv(Elab *e, const BuiltinCall *c) {
  enum { STRIDE = 2, PADDING, DILATION, GROUPS };
  ConvArgs args;
  if (!conv_args(e, c, GROUPS, &args) ||
      !place_windows(e, c, (WindowArgs){STRIDE, PADDING, DILATION}, &args.x->type, false, &args.space))
    return value_poison(e);
  return make_conv(e, c, &args);
}

// The transpose of a convolution from outputs to inputs: each input spreads over a window of outputs. Weights are [taps..,
// channels / groups, outputs] here too. Padding takes away from the outputs; `same` leaves stride times the inputs.
static bool place_transposed(Elab *e, const BuiltinCall *c, WindowArgs at, int extra_at, const Type *x, Space *s) {
  int64_t stride[MAX_SPACE] = {1, 1, 1}, dilation[MAX_SPACE] = {1, 1, 1}, extra[MAX_SPACE] = {0};
  Padding padding;
  if ((c->args[at.stride] && !each_of(e, c->spans[at.stride], "stride", c->args[at.stride], s->count, 1, stride)) ||
      (c->args[at.dilation] &&
       !each_of(e, c->spans[at.dilation], "dilation", c->args[at.dilation], s->count, 1, dilation)) ||
      (c->args[extra_at] && !each_of(e, c->spans[extra_at], "output_padding", c->args[extra_at], s->count, 0, extra)) ||
      !padding_of(e, c->spans[at.padding], c->args[at.padding], s->count, &padding))
    return false;
  for (int i = 0; i < s->count; i++) {
    Window *w = &s->window[i];
    int64_t in = x->dim[s->lead + i], reach = dilation[i] * (w->size - 1) + 1, before = padding.before[i];
    int64_t out = (in - 1) * stride[i] + reach - before - padding.after[i] + extra[i];
    if (padding.rule == PAD_SAME) {
      out = in * stride[i];
      before = reach > stride[i] ? (reach - stride[i]) / 2 : 0;
    }
    if (out < 1) {
      elab_error(e, c->span, "padding %lld + %lld leaves nothing of dimension %d", (long long)padding.before[i],
                 (long long)padding.after[i], s->lead + i);
      diag_hint(e->diag, "outputs = (N - 1) * S + F - P = (%lld - 1) * %lld + %lld - %lld", (long long)in,
                (long long)stride[i], (long long)reach, (long long)(before + padding.after[i]));
      return false;
    }
    *w = (Window){w->size, 1, dilation[i], reach - 1 - before, stride[i]};
    s->out[i] = out;
  }
  return true;
}

static Value *call_conv_transpose(Elab *e, const BuiltinCall *c) {
  enum { STRIDE = 2, PADDING, OUTPUT_PADDING, DILATION, GROUPS };
  ConvArgs args;
  if (!conv_args(e, c, GROUPS, &args) ||
      !place_transposed(e, c, (WindowArgs){STRIDE, PADDING, DILATION}, OUTPUT_PADDING, &args.x->type, &args.space))
    return value_poison(e);
  Attr turn = {.axis_count = args.space.count};
  for (int i = 0; i < args.space.count; i++)
    turn.axis[i] = i;
  args.w = tensor_op(e, c->span, OP_reverse, 1, &args.w, &turn, NULL);
  return args.w ? make_conv(e, c, &args) : value_poison(e);
}

const Builtin builtins_window[] = {
    {"each", "value count", call_each, 0},
    {"window", "x size stride? padding? dilation? ceil? fill?", call_window, 0},
    {"conv", "x w stride? padding? dilation? groups?", call_conv, 0},
    {"conv_transpose", "x w stride? padding? output_padding? dilation? groups?", call_conv_transpose, 0},
};
const int builtins_window_count = (int)(sizeof builtins_window / sizeof *builtins_window);

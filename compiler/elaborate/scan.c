// scan xt in x along -2 with h = …, c = … { … yield h }: the body is run once, on placeholders, in the graph at work; what
// came to depend on them is taken out as the body of a scan (graph/extract.c).
#include "elaborate/internal.h"

typedef struct ScanBody {
  struct ScanBody *around;
  const Frame *frame;
  const Builder *builder;
  VEC(Node *) yielded;
  bool yields, wrong;
} ScanBody;

typedef VEC(Node *) Nodes;
typedef VEC(const char *) Labels;

typedef struct Recurrence {
  const Expr *expr;
  const Scan *scan;
  int axis;       // of the input, along which it goes
  int64_t length; // 0: not known yet
  bool reverse;
  Node *lengths; // of each sample, or NULL
  Node *count;   // of the steps that the longest has
  Nodes inits, sequences, placeholders;
  Labels names;       // of the placeholders
  Node *item, *index; // placeholders of an element and of its number, or NULL
} Recurrence;

bool scan_forbids(Elab *e, Span span, const char *what) {
  if (!e->scan || e->scan->builder != e->builder)
    return false;
  elab_error(e, span, "%s cannot stand in a scan", what);
  diag_hint(e->diag, "carry the value (`with total = …`) and use it behind the scan");
  return true;
}

static Node *placeholder(Elab *e, Recurrence *r, Span span, const Type *type, const char *name) {
  Attr attr = {.index = -1};
  Node *node = tensor_op(e, span, OP_input, 0, NULL, &attr, type);
  vec_push(e->arena, &r->placeholders, node);
  vec_push(e->arena, &r->names, name);
  return node;
}

// ---- the head
static bool set_length(Elab *e, Recurrence *r, Span span, int64_t length) {
  if (length < 1) {
    elab_error(e, span, "a scan takes at least one step, not %lld", (long long)length);
    return false;
  }
  r->length = length;
  return true;
}

static bool read_option(Elab *e, Recurrence *r, const Arg *option) {
  Value *v = eval_expr(e, option->value);
  Span span = option->value->span;
  if (v->kind == V_POISON)
    return false;
  if (!strcmp(option->name.text, "reverse")) {
    if (v->kind != V_BOOL) {
      elab_error(e, span, "`reverse` is true or false, not %s", value_kind(e, v));
      return false;
    }
    r->reverse = v->as.integer != 0;
    return true;
  }
  if (!strcmp(option->name.text, "steps")) {
    int64_t steps;
    if (r->scan->input) {
      elab_error(e, option->name.span, "a scan takes as many steps as its input has");
      diag_hint(e->diag, "take a part of it: x[:, :10]");
      return false;
    }
    return value_as_int(e, span, v, "`steps`", &steps) && set_length(e, r, span, steps);
  }
  if (!strcmp(option->name.text, "lengths")) {
    if (v->kind == V_NONE)
      return true;
    ElemType elem = I64;
    r->lengths = tensor_of(e, span, v, &elem);
    if (r->lengths && elem_is_real(r->lengths->type.elem)) {
      elab_error(e, span, "lengths are whole numbers, not %s", type_text(e->arena, &r->lengths->type));
      return false;
    }
    r->lengths = r->lengths ? tensor_cast(e, span, r->lengths, I64) : NULL;
    return r->lengths != NULL;
  }
  static const char *const known[] = {"reverse", "steps", "lengths"};
  elab_error(e, option->name.span, "a scan has no option `%s`", option->name.text);
  elab_suggest(e, option->name.text, known, 3);
  return false;
}

static bool all_whole(Elab *e, const Value *v) {
  for (int64_t i = 0; i < value_count(v) && i < MAX_ITEMS; i++)
    if (value_item(e, v, i)->kind != V_INT)
      return false;
  return true;
}

// The first dimension behind the batch, if nothing else is said.
static bool read_axis(Elab *e, Recurrence *r, Node *x) {
  const Scan *scan = r->scan;
  if (x->type.rank == 0) {
    elab_error(e, scan->input->span, "a scalar has nothing to scan along");
    return false;
  }
  r->axis = x->type.dim[0] < 0 && x->type.rank > 1;
  if (scan->axis && !value_as_axis(e, scan->axis->span, eval_expr(e, scan->axis), x->type.rank, &r->axis))
    return false;
  if (x->type.dim[r->axis] >= 0)
    return true;
  elab_error(e, scan->axis ? scan->axis->span : scan->input->span,
             "a scan cannot go along the batch, whose size is known only at run time");
  diag_hint(e->diag, "samples do not depend on each other; write `along 1` for the first dimension behind the batch");
  return false;
}

static Node *with_axis_first(Elab *e, Span span, Node *x, int axis) {
  Attr attr = {.axis_count = x->type.rank};
  for (int i = 0; i < x->type.rank; i++)
    attr.axis[i] = i == 0 ? axis : i <= axis ? i - 1 : i;
  return axis == 0 ? x : tensor_op(e, span, OP_transpose, 1, &x, &attr, NULL);
}

static bool read_input(Elab *e, Recurrence *r) {
  const Expr *input = r->scan->input;
  if (!input)
    return true;
  Value *v = eval_expr(e, input);
  ElemType whole = I64;
  Node *x = tensor_of(e, input->span, v, value_is_list(v) && all_whole(e, v) ? &whole : NULL);
  if (!x || !read_axis(e, r, x) || !set_length(e, r, input->span, x->type.dim[r->axis]))
    return false;
  x = with_axis_first(e, input->span, x, r->axis);
  vec_push(e->arena, &r->sequences, x);
  return x != NULL;
}

static bool read_head(Elab *e, Recurrence *r) {
  const Scan *scan = r->scan;
  bool fine = true;
  for (int i = 0; i < scan->options.count; i++)
    fine = read_option(e, r, &scan->options.data[i]) && fine;
  fine = fine && read_input(e, r);
  for (int i = 0; i < scan->carried.count && fine; i++) {
    const Arg *item = &scan->carried.data[i];
    for (int k = 0; k < i; k++)
      if (!strcmp(scan->carried.data[k].name.text, item->name.text)) {
        elab_error(e, item->name.span, "`%s` is carried twice", item->name.text);
        fine = false;
      }
    Node *init = tensor_of(e, item->value->span, eval_expr(e, item->value), NULL);
    vec_push(e->arena, &r->inits, init);
    fine = fine && init;
  }
  if (!fine)
    return false;
  if (!r->length) {
    elab_error(e, r->expr->span, "how many steps does this scan take?");
    diag_hint(e->diag, "write `scan i in 0..10 with …`, or `scan with …, steps: 10`");
    return false;
  }
  return true;
}

// ---- the body
static void bind_placeholders(Elab *e, Recurrence *r) {
  const Scan *scan = r->scan;
  for (int i = 0; i < r->inits.count; i++) {
    const Name *name = &scan->carried.data[i].name;
    Node *node = placeholder(e, r, name->span, &r->inits.data[i]->type, name->text);
    scope_bind(e, name->text, value_tensor(e, node));
  }
  if (scan->input) {
    Type type = scan_step_type(&r->sequences.data[0]->type);
    r->item = placeholder(e, r, scan->item.span, &type, scan->item.text);
    bool counted = r->sequences.data[0]->op == OP_constant;
    scope_bind(e, scan->item.text, counted ? value_weak(e, r->item) : value_tensor(e, r->item));
  }
  if (r->lengths) {
    Type type = type_scalar(I64);
    r->index = placeholder(e, r, r->expr->span, &type, "index");
  }
}

void scan_yield(Elab *e, const Stmt *stmt) {
  ScanBody *body = e->scan;
  Value *v = eval_expr(e, stmt->value);
  if (!body || body->frame != e->frame) {
    elab_error(e, stmt->span, "`yield` stands only in the body of a scan");
    return;
  }
  if (body->yields) {
    elab_error(e, stmt->span, "a scan yields once a step");
    diag_hint(e->diag, "several values are yielded together: yield (a, b)");
    return;
  }
  body->yields = true;
  int count = v->kind == V_TUPLE ? (int)value_count(v) : 1;
  for (int i = 0; i < count; i++) {
    Node *node = tensor_of(e, stmt->value->span, v->kind == V_TUPLE ? value_item(e, v, i) : v, NULL);
    body->wrong = body->wrong || !node;
    vec_push(e->arena, &body->yielded, node);
  }
}

// What is carried next: what the names mean at the end of the body.
static bool read_next(Elab *e, Recurrence *r, Nodes *next) {
  const Scan *scan = r->scan;
  for (int i = 0; i < scan->carried.count; i++) {
    const Arg *item = &scan->carried.data[i];
    const Type *type = &r->inits.data[i]->type;
    const Binding *binding = scope_find(e->frame, item->name.text);
    ElemType elem = type->elem;
    Node *node = binding->value ? tensor_of(e, item->name.span, binding->value, &elem) : NULL;
    if (!node)
      return false;
    if (!type_equal(&node->type, type)) {
      elab_error(e, item->name.span, "`%s` is %s at first and %s after a step", item->name.text,
                 type_text(e->arena, type), type_text(e->arena, &node->type));
      diag_hint(e->diag, "what is carried keeps its shape: begin with zeros(shape)");
      return false;
    }
    vec_push(e->arena, next, node);
  }
  return true;
}

// Behind a sample's end what is carried stays as it is, and what is yielded is zero.
static Node *within(Elab *e, Recurrence *r, Node *value, Node *otherwise) {
  Span span = r->expr->span;
  Node *mask = tensor_binary(e, span, OP_lt, r->index, r->lengths);
  if (!mask || !value)
    return NULL;
  Type shape = mask->type, leading = value->type;
  leading.elem = BOOL;
  leading.rank = shape.rank;
  if (value->type.rank < shape.rank || !type_equal(&shape, &leading)) {
    elab_error(e, span, "lengths %s do not fit %s", type_text(e->arena, &r->lengths->type),
               type_text(e->arena, &value->type));
    return NULL;
  }
  while (shape.rank < value->type.rank)
    shape.dim[shape.rank++] = 1;
  mask = tensor_op(e, span, OP_reshape, 1, &mask, NULL, &shape);
  Type full = value->type;
  full.elem = BOOL;
  mask = mask ? tensor_op(e, span, OP_broadcast, 1, &mask, NULL, &full) : NULL;
  Node *inputs[] = {mask, value, otherwise};
  return mask && otherwise ? tensor_op(e, span, OP_select, 3, inputs, NULL, NULL) : NULL;
}

static Node *zeros_like(Elab *e, Span span, const Node *node) {
  Attr attr = {0};
  return tensor_op(e, span, OP_constant, 0, NULL, &attr, &node->type);
}

static bool mask_steps(Elab *e, Recurrence *r, Nodes *outputs) {
  for (int i = 0; i < outputs->count && r->lengths; i++) {
    Node *value = outputs->data[i];
    Node *otherwise = i < r->inits.count ? r->placeholders.data[i] : zeros_like(e, r->expr->span, value);
    outputs->data[i] = within(e, r, value, otherwise);
    if (!outputs->data[i])
      return false;
  }
  return true;
}

static bool too_deep(Elab *e, Span span) {
  int depth = 0;
  for (const ScanBody *around = e->scan; around; around = around->around)
    depth += around->builder == e->builder;
  if (depth < MAX_NESTED_SCANS)
    return false;
  elab_error(e, span, "scans are nested more than %d deep", (int)MAX_NESTED_SCANS);
  return true;
}

static bool run_scan_body(Elab *e, Recurrence *r, Nodes *outputs) {
  ScanBody body = {.around = e->scan, .frame = e->frame, .builder = e->builder};
  if (too_deep(e, r->expr->span))
    return false;
  e->scan = &body;
  scope_push(e);
  bind_placeholders(e, r);
  int errors = diag_errors(e->diag);
  run_block(e, r->scan->body, false);
  bool fine = !body.wrong && diag_errors(e->diag) == errors && read_next(e, r, outputs);
  if (e->frame->returned) {
    elab_error(e, r->expr->span, "`return` cannot leave a scan");
    fine = false;
  }
  scope_pop(e);
  e->scan = body.around;
  for (int i = 0; i < body.yielded.count; i++)
    vec_push(e->arena, outputs, body.yielded.data[i]);
  if (fine && outputs->count == 0) {
    elab_error(e, r->expr->span, "this scan neither carries nor yields anything");
    fine = false;
  }
  return fine && mask_steps(e, r, outputs);
}

// ---- the results
// Stacked steps, with the steps where the input has them; without an input behind the batch.
static Node *steps_in_place(Elab *e, const Recurrence *r, Node *stacked) {
  int axis = r->axis;
  if (!r->scan->input || r->sequences.data[0]->type.rank == 1)
    axis = stacked->type.rank > 1 && stacked->type.dim[1] < 0;
  axis = axis < stacked->type.rank ? axis : stacked->type.rank - 1;
  Attr attr = {.axis_count = stacked->type.rank};
  for (int i = 0; i < stacked->type.rank; i++)
    attr.axis[i] = i < axis ? i + 1 : i == axis ? 0 : i;
  return axis == 0 ? stacked : tensor_op(e, r->expr->span, OP_transpose, 1, &stacked, &attr, NULL);
}

static Value *results(Elab *e, const Recurrence *r, Node *scan, int outputs, bool all) {
  VEC(Value *) values = {0};
  int carried = r->inits.count;
  for (int i = carried; i < outputs; i++) {
    Node *result = tensor_op(e, r->expr->span, OP_scan_result, 1, &scan, &(Attr){.index = i}, NULL);
    result = result ? steps_in_place(e, r, result) : NULL;
    vec_push(e->arena, &values, result ? value_tensor(e, result) : value_poison(e));
  }
  for (int i = 0; i < carried && (all || outputs == carried); i++) {
    Node *result = tensor_op(e, r->expr->span, OP_scan_result, 1, &scan, &(Attr){.index = i}, NULL);
    vec_push(e->arena, &values, result ? value_tensor(e, result) : value_poison(e));
  }
  return values.count == 1 && !all ? values.data[0] : value_list(e, V_TUPLE, values.count, values.data);
}

static const char *const *output_names(Elab *e, const Recurrence *r, int count) {
  const char **names = arena_array(e->arena, const char *, count + 1);
  for (int i = 0; i < count; i++)
    names[i] = i < r->inits.count ? r->scan->carried.data[i].name.text : "step";
  return names;
}

// Which step it is, for the masks, and how many the longest sample has.
static void count_steps(Elab *e, Recurrence *r) {
  Span span = r->expr->span;
  Attr attr = {.axis_count = 1};
  Type type = {.elem = I64, .rank = 1, .dim = {r->length}};
  vec_push(e->arena, &r->sequences, tensor_op(e, span, OP_iota, 0, NULL, &attr, &type));
  tensor_stamp(e, span);
  if (tensor_here(e, r->lengths))
    r->count = graph_scan_count(e->builder->graph, r->lengths, r->length);
}

static void add_inputs(Elab *e, Nodes *inputs, int count, Node *const *nodes) {
  for (int i = 0; i < count; i++)
    vec_push(e->arena, inputs, nodes[i]);
}

static Node *make_scan(Elab *e, const Recurrence *r, const Extract *what, Graph *body) {
  Nodes inputs = {0};
  add_inputs(e, &inputs, r->inits.count, r->inits.data);
  add_inputs(e, &inputs, r->sequences.count, r->sequences.data);
  add_inputs(e, &inputs, what->draws.count, what->draws.data);
  add_inputs(e, &inputs, what->captured.count, what->captured.data);
  add_inputs(e, &inputs, r->count != NULL, &r->count);
  if (r->count)
    vec_push(e->arena, &body->inputs, ((GraphInput){"count", r->count->type}));
  GraphScan scan = {.body = body,
                    .carried = r->inits.count,
                    .sequences = r->sequences.count + what->draws.count,
                    .length = r->length,
                    .reverse = r->reverse,
                    .counted = r->count != NULL};
  Attr attr = {.scan = arena_copy(e->arena, &scan, sizeof scan)};
  return tensor_op(e, r->expr->span, OP_scan, inputs.count, inputs.data, &attr, NULL);
}

Value *eval_scan(Elab *e, const Expr *expr, bool all) {
  Recurrence r = {.expr = expr, .scan = expr->scan};
  Nodes outputs = {0};
  if (!read_head(e, &r))
    return value_poison(e);
  if (r.lengths)
    count_steps(e, &r);
  Graph *graph = e->builder->graph;
  int first = graph->nodes.count;
  if (!run_scan_body(e, &r, &outputs))
    return value_poison(e);
  Extract what = {.name = "body",
                  .first = first,
                  .length = r.length,
                  .placeholder_count = r.placeholders.count,
                  .placeholders = r.placeholders.data,
                  .names = r.names.data,
                  .output_count = outputs.count,
                  .outputs = outputs.data,
                  .output_names = output_names(e, &r, outputs.count)};
  Graph *body = graph_extract(graph, &what);
  Node *node = make_scan(e, &r, &what, body);
  return node ? results(e, &r, node, outputs.count, all) : value_poison(e);
}

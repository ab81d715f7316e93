// Kernels ahead: what a kernel makes of values that stay the same from call to call (passes/prepare.c), packed weights above all,
// goes into a kernel of its own, which runs before a series of calls.
#include "loops/nest.h"

bool nest_steady(const Lower *lower, const Node *node) {
  return lower->prepared_bytes && lower->graph->steady && lower->graph->steady[node->id];
}

Lower nest_ahead_begin(const Lower *lower, const char *name, LType type, int64_t length, LBuffer **buffer) {
  Arena *arena = lower->arena;
  LKernel *out = arena_new_of(arena, LKernel);
  *out = (LKernel){.name = arena_printf(arena, "%s_%s", lower->out->name, name),
                   .comment = lower->out->comment,
                   .span = lower->out->span,
                   .n = lvar_new(arena, "n", L_I64),
                   .work = length};
  Lower ahead = {.arena = arena,
                 .module = lower->module,
                 .graph = lower->graph,
                 .kernel = lower->kernel,
                 .target = lower->target,
                 .readers = lower->readers,
                 .out = out,
                 .flat = -1};
  nest_name(&ahead, "n");
  nest_begin_top(&ahead);
  *buffer = nest_memory(&ahead, name, type, length, SPACE_PREPARED, *lower->prepared_bytes);
  (*buffer)->read = false;
  *lower->prepared_bytes += whole_lines(lbuffer_bytes(*buffer));
  return ahead;
}

static bool expr_uses(const LExpr *expr, const LBuffer *buffer) {
  bool found = expr && expr->buffer == buffer;
  for (int i = 0; expr && i < expr->arg_count && !found; i++)
    found = expr_uses(expr->args[i], buffer);
  return found;
}

static bool body_uses(const LBody *body, const LBuffer *buffer) {
  for (int i = 0; i < body->count; i++) {
    const LStmt *stmt = body->data[i];
    if (stmt->buffer == buffer || expr_uses(stmt->value, buffer) || expr_uses(stmt->from, buffer) ||
        expr_uses(stmt->to, buffer) || expr_uses(stmt->index[0], buffer) || expr_uses(stmt->index[1], buffer) ||
        body_uses(&stmt->body, buffer))
      return true;
  }
  return false;
}

void nest_drop_unused(Lower *lower) {
  int kept = 0;
  for (int i = 0; i < lower->out->buffers.count; i++)
    if (body_uses(&lower->out->body, lower->out->buffers.data[i])) {
      lower->out->buffers.data[kept] = lower->out->buffers.data[i];
      lower->places.data[kept++] = lower->places.data[i];
    }
  lower->out->buffers.count = lower->places.count = kept;
}

LBuffer *nest_ahead_end(Lower *lower, Lower *ahead) {
  vec_push(lower->arena, &lower->ahead, (Ahead){ahead->out, ahead->places.data, ahead->scratch_bytes});
  const LBuffer *made = ahead->out->buffers.data[0];
  LBuffer *buffer =
      nest_memory(lower, made->name, made->type, made->length, SPACE_PREPARED, ahead->places.data[0].offset);
  buffer->written = false;
  return buffer;
}

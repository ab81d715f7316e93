// Errors of the user's program: placed where the user can mend them, with the layer calls that led there.
// A fault found inside the prelude is shown at the call in the user's file; the prelude's line follows as a note.
#include "elaborate/internal.h"

bool elab_in_prelude(const Elab *e, Span span) {
  return span.source && e->prelude && span.source == e->prelude->file->source;
}

Span elab_user_span(const Elab *e, Span span) {
  for (const Frame *frame = e->frame; frame && elab_in_prelude(e, span); frame = frame->caller)
    if (frame->decl)
      span = frame->call;
  return span;
}

static bool span_equal(Span a, Span b) {
  return a.source == b.source && a.line == b.line && a.column == b.column;
}

static void note_calls(Elab *e, Span shown) {
  int notes = 0;
  for (const Frame *frame = e->frame; frame && notes < 8; frame = frame->caller)
    if (frame->decl && frame->call.source && !elab_in_prelude(e, frame->call) && !span_equal(frame->call, shown) &&
        !span_equal(frame->call, frame->decl->name.span)) { // a model run by itself, to check it
      diag_note(e->diag, frame->call, "in the call to `%s` here", frame->decl->name.text);
      notes++;
    }
}

static void report(Elab *e, Span span, const char *format, va_list args) {
  Span shown = elab_user_span(e, span);
  diag_verror(e->diag, shown, format, args);
  if (!span_equal(shown, span)) {
    const Frame *inner = e->frame;
    while (inner && !inner->decl)
      inner = inner->caller;
    if (inner)
      diag_note(e->diag, span, "in `%s`, which says", inner->decl->name.text);
  }
  note_calls(e, shown);
}

void elab_error(Elab *e, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  report(e, span, format, args);
  va_end(args);
}

Value *elab_fail(Elab *e, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  report(e, span, format, args);
  va_end(args);
  return value_poison(e);
}

void elab_suggest(Elab *e, const char *name, const char *const *candidates, int count) {
  const char *near = diag_nearest(name, candidates, count);
  if (near)
    diag_hint(e->diag, "did you mean `%s`?", near);
}

void elab_hint_quotes(Elab *e, const Value *v) {
  if (v->kind == V_STR && (scope_global(e->frame->module, e, v->as.text) || value_builtin(e, v->as.text)))
    diag_hint(e->diag, "write %s, without quotes", v->as.text);
}

void elab_not_built(Elab *e, Span span, const char *what) {
  elab_error(e, span, "%s is not built yet", what);
}

// A loop module as one C11 file for gcc and clang, meant to be read: functions and kernels under the .nn lines they
// came from, constants as arrays of numbers, each entry a list of calls under one parallel region. With a manifest, the
// tables of NnrtModule and main() follow (c_module.c). Nothing is decided here: statements are printed as they come.
#include <ctype.h>
#include <inttypes.h>

#include "emit/c.h"
#include "emit/emit.h"

const char *const c_types[] = {"float", "double", "int32_t", "int64_t", "uint8_t", "bool", "uint32_t", "uint64_t"};
const char *const c_short[] = {"f32", "f64", "i32", "i64", "u8", "bool", "u32", "u64"};

// Names that C, its library as used here, or this emitter has taken.
static bool is_taken(const char *name) {
  static const char *const words[] = {
      "auto",       "break",  "case",      "char",   "const",  "continue", "default", "do",     "double",   "else",
      "enum",       "extern", "float",     "for",    "goto",   "if",       "inline",  "int",    "long",     "register",
      "restrict",   "return", "short",     "signed", "sizeof", "static",   "struct",  "switch", "typedef",  "union",
      "unsigned",   "void",   "volatile",  "while",  "asm",    "bool",     "true",    "false",  "main",     "frame",
      "arena",      "state",  "constants", "fma",    "div",    "random",   "select",  "fmaf",   "sqrt",     "sqrtf",
      "floor",      "floorf", "fabs",      "fabsf",  "memcpy", "exp",      "log",     "tanh",   "erf",      "sin",
      "cos",        "pow",    "abs",       "index",  "round",  "y0",       "y1",      "j0",     "j1",       "gamma",
      "time",       "read",   "write",     "linux",  "unix",   "VECTOR",   "UNROLL",  "NAN",    "INFINITY", "F32V",
      "F64V",       "f32v",   "f64v",      "f32mem", "f64mem", "f32mask",  "f64mask", "stdin",  "stdout",   "stderr",
      "errno",      "NULL",   "assert",    "ceil",   "trunc",  "tan",      "sinh",    "cosh",   "exp2",     "log2",
      "log10",      "log1p",  "expm1",     "hypot",  "div",    "ldiv",     "random",  "select", "max",      "min",
      "nnrt_module"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(name, words[i]) == 0)
      return true;
  return false;
}

static bool is_given(const CEmit *emit, const char *name) {
  for (int i = 0; i < emit->names.count; i++)
    if (strcmp(emit->names.data[i].to, name) == 0)
      return true;
  return false;
}

const char *c_name(CEmit *emit, const char *name) {
  for (int i = 0; i < emit->names.count; i++)
    if (strcmp(emit->names.data[i].from, name) == 0)
      return emit->names.data[i].to;
  const char *lead = isdigit((unsigned char)name[0]) || !name[0] ? "_" : "";
  char *plain = arena_printf(emit->arena, "%s%s", lead, name);
  for (char *at = plain; *at; at++)
    if (!isalnum((unsigned char)*at))
      *at = '_';
  char *unique = plain;
  for (int i = 2; is_taken(unique) || is_given(emit, unique); i++)
    unique = arena_printf(emit->arena, "%s_%d", plain, i);
  vec_push(emit->arena, &emit->names, (CName){name, unique});
  return unique;
}

void c_line(CEmit *emit, const char *format, ...) {
  va_list args;
  va_start(args, format);
  text_printf(emit->out, "%*s%s", 2 * emit->depth, "", arena_vprintf(emit->arena, format, args));
  va_end(args);
}

void c_comment(CEmit *emit, const char *comment) {
  for (const char *line = comment; line && *line;) {
    size_t length = strcspn(line, "\n");
    bool joins = length > 0 && strchr("\\/", line[length - 1]); // a backslash or ??/ would take in the next line
    text_printf(emit->out, "// %.*s%s\n", (int)length, line, joins ? " ." : "");
    line += length + (line[length] == '\n');
  }
}

void c_string(Text *out, const char *string) {
  if (!string) {
    text_add(out, "NULL");
    return;
  }
  text_add(out, "\"");
  for (const unsigned char *at = (const unsigned char *)string; *at; at++) {
    if (*at == '"' || *at == '\\' || *at == '?')
      text_printf(out, "\\%c", *at);
    else if (isprint(*at))
      text_printf(out, "%c", *at);
    else
      text_printf(out, "\\%03o", *at);
  }
  text_add(out, "\"");
}

static bool is_wanted(const LEntry *entry, const Manifest *manifest) {
  if (!manifest)
    return true;
  for (int i = 0; i < manifest->entries.count; i++)
    if (manifest->entries.data[i].entry == entry ||
        (manifest->entries.data[i].entry && manifest->entries.data[i].entry->prepare == entry))
      return true;
  return false;
}

// A dense constant that a kernel reads: as an array of numbers of the kernel's type.
typedef struct Constant {
  int64_t offset, length;
  LType type;
} Constant;

typedef VEC(Constant) Constants;

static void add_constant(CEmit *emit, Constants *constants, LPlace place, const LBuffer *buffer) {
  int64_t bytes = lplace_extent(&place, lbuffer_bytes(buffer)), length = bytes / ltype_bytes(buffer->type);
  for (int i = 0; i < constants->count; i++) {
    Constant *constant = &constants->data[i];
    if (constant->offset == place.offset) {
      if (bytes > constant->length * ltype_bytes(constant->type))
        *constant = (Constant){place.offset, length, buffer->type};
      return;
    }
  }
  vec_push(emit->arena, constants, (Constant){place.offset, length, buffer->type});
}

void c_number(Text *out, LType type, const uint8_t *from) {
  union {
    float f32;
    double f64;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
  } value = {.i64 = 0};
  int bytes = ltype_bytes(type);
  memcpy(&value, from, (size_t)bytes);
  if (type == L_F32)
    c_constant(out, type, (double)value.f32, 0);
  else if (type == L_F64)
    c_constant(out, type, value.f64, 0);
  else
    c_constant(out, type, 0, bytes == 1 ? value.u8 : bytes == 4 ? value.i32 : value.i64);
}

static void print_constant(CEmit *emit, const Constant *constant) {
  LType type = constant->type;
  text_printf(emit->out, "static const _Alignas(64) %s constant_%" PRId64 "[%" PRId64 "] = {", c_types[type],
              constant->offset, constant->length);
  for (int64_t i = 0; i < constant->length; i++) {
    text_add(emit->out, i % 10 == 0 ? "\n  " : " ");
    c_number(emit->out, type, emit->module->constants + constant->offset + i * ltype_bytes(type));
    text_add(emit->out, ",");
  }
  text_add(emit->out, "\n};\n\n");
}

typedef struct Collector {
  CEmit *emit;
  Constants *constants;
} Collector;

static void collect_constants(void *context, const LCall *call) {
  Collector *collector = context;
  for (int b = 0; b < call->kernel->buffers.count; b++)
    if (call->places[b].space == SPACE_CONSTANT)
      add_constant(collector->emit, collector->constants, call->places[b], call->kernel->buffers.data[b]);
}

static void print_constants(CEmit *emit, const Manifest *manifest) {
  Constants constants = {0};
  Collector collector = {emit, &constants};
  for (int e = 0; e < emit->module->entries.count; e++)
    if (is_wanted(emit->module->entries.data[e], manifest))
      loops_visit(&emit->module->entries.data[e]->calls, collect_constants, &collector);
  for (int i = 0; i < constants.count; i++)
    print_constant(emit, &constants.data[i]);
}

// " + step_0 * 4096": how far the loops around a call move a place.
static void print_strides(CEmit *emit, const LPlace *place) {
  for (int i = 0; i < MAX_LOOPS && place->strides[i].loop; i++) {
    const LStride *stride = &place->strides[i];
    int depth = 0;
    while (emit->loops.data[depth] != stride->loop)
      depth++;
    const char *round = arena_printf(emit->arena, "step_%d", depth);
    if (stride->turns)
      round = arena_printf(emit->arena, stride->next ? "(%s + 1) %% 2" : "%s %% 2", round);
    else if (stride->loop->reverse && stride->loop->count)
      round = arena_printf(emit->arena, "(steps_%d - 1 - %s)", depth, round);
    else if (stride->loop->reverse)
      round = arena_printf(emit->arena, "(%" PRId64 " - %s)", stride->loop->length - 1, round);
    text_printf(emit->out, " + %s * %" PRId64, round, stride->bytes);
  }
}

static void print_place(CEmit *emit, LPlace place, const LBuffer *buffer) {
  const char *constant = buffer->written ? "" : "const ", *type = c_types[buffer->type];
  bool moves = place.strides[0].loop || place.offset;
  switch (place.space) {
  case SPACE_ARENA:
  case SPACE_STATE:
    text_printf(emit->out, "(%s%s *)(%s + %" PRId64, constant, type, place.space == SPACE_ARENA ? "arena" : "state",
                place.offset);
    print_strides(emit, &place);
    text_add(emit->out, ")");
    break;
  case SPACE_INPUT:
  case SPACE_OUTPUT:
    constant = place.space == SPACE_INPUT ? "const " : constant;
    text_printf(emit->out, "(%s%s *)", constant, type);
    if (moves)
      text_printf(emit->out, "((%suint8_t *)", constant);
    text_printf(emit->out, "frame->%s[%d]", place.space == SPACE_INPUT ? "inputs" : "outputs", place.index);
    if (moves) {
      text_printf(emit->out, " + %" PRId64, place.offset);
      print_strides(emit, &place);
      text_add(emit->out, ")");
    }
    break;
  case SPACE_CLOCK:
    text_printf(emit->out, "(const %s *)frame->clock", type);
    break;
  case SPACE_CONSTANT:
    if (!place.strides[0].loop) {
      text_printf(emit->out, "(const %s *)constant_%" PRId64, type, place.offset);
      break;
    }
    text_printf(emit->out, "(const %s *)((const uint8_t *)constant_%" PRId64, type, place.offset);
    print_strides(emit, &place);
    text_add(emit->out, ")");
    break;
  case SPACE_PREPARED: // the schedule has moved them
  case SPACE_SCRATCH:
    break;
  }
}

static void print_call(CEmit *emit, const LCall *call) {
  c_line(emit, "%s(", c_name(emit, call->kernel->name));
  for (int b = 0; b < call->kernel->buffers.count; b++) {
    print_place(emit, call->places[b], call->kernel->buffers.data[b]);
    text_add(emit->out, ", ");
  }
  text_add(emit->out, "n);\n");
}

static int kernel_index(const CEmit *emit, const LKernel *kernel) {
  int index = 0;
  while (emit->module->kernels.data[index] != kernel)
    index++;
  return index;
}

// What the call has written, to the runtime's look for the first value that is not finite.
static void print_checks(CEmit *emit, const LCall *call) {
  for (int b = 0; b < call->kernel->buffers.count; b++) {
    const LBuffer *buffer = call->kernel->buffers.data[b];
    if (!buffer->written || buffer->sample < 0 || (buffer->type != L_F32 && buffer->type != L_F64))
      continue;
    c_line(emit, "nnrt_check(frame, %d, ", kernel_index(emit, call->kernel));
    print_place(emit, call->places[b], buffer);
    text_printf(emit->out, ", %s, ", buffer->type == L_F32 ? "NNRT_F32" : "NNRT_F64");
    text_printf(emit->out, buffer->sample ? "n * %" PRId64 ");\n" : "%" PRId64 ");\n",
                buffer->sample ? buffer->sample : buffer->length);
  }
}

// All threads are done with the call, -1: with what came before the first.
static void print_profile(CEmit *emit, const LEntry *entry, int call) {
  if (entry->parallel)
    c_line(emit, "nnrt_barrier();\n");
  c_line(emit, "nnrt_profile(%s, %d);\n", entry->parallel ? "nnrt_thread()" : "0", call);
}

const char *c_entry_name(CEmit *emit, const LEntry *entry) {
  return arena_printf(emit->arena, "%s_run", c_name(emit, entry->name));
}

static void print_calls(CEmit *emit, const LEntry *entry, const LCalls *calls);

static void print_loop(CEmit *emit, const LEntry *entry, const LLoop *loop) {
  int depth = emit->loops.count;
  c_line(emit, "for (int64_t step_%d = 0", depth);
  if (loop->count) {
    text_printf(emit->out, ", steps_%d = *", depth);
    print_place(emit, *loop->count, &(LBuffer){.type = L_I64, .read = true});
    text_printf(emit->out, "; step_%d < steps_%d; ", depth, depth);
  } else {
    text_printf(emit->out, "; step_%d < %" PRId64 "; ", depth, loop->length);
  }
  text_printf(emit->out, "step_%d++) {\n", depth);
  vec_push(emit->arena, &emit->loops, loop);
  emit->depth++;
  print_calls(emit, entry, &loop->calls);
  emit->depth--;
  emit->loops.count--;
  c_line(emit, "}\n");
}

static void print_calls(CEmit *emit, const LEntry *entry, const LCalls *calls) {
  for (int c = 0; c < calls->count; c++) {
    const LCall *call = &calls->data[c];
    if (entry->parallel && call->barrier && !entry->profile)
      c_line(emit, "nnrt_barrier();\n");
    if (call->loop) {
      print_loop(emit, entry, call->loop);
      continue;
    }
    print_call(emit, call);
    if (entry->check)
      print_checks(emit, call);
    if (entry->profile)
      print_profile(emit, entry, emit->calls++);
  }
}

static void print_entry(CEmit *emit, const LEntry *entry, bool is_static) {
  text_printf(emit->out, "%svoid %s(const NnrtFrame *frame) {\n", is_static ? "static " : "",
              c_entry_name(emit, entry));
  emit->depth = 1;
  if (entry->calls.count > 0)
    c_line(emit, "const int64_t n = frame->clock[4];\n");
  else
    c_line(emit, "(void)frame;\n");
  if (loops_touch(entry, SPACE_ARENA))
    c_line(emit, "uint8_t *const arena = frame->arena;\n");
  if (loops_touch(entry, SPACE_STATE))
    c_line(emit, "uint8_t *const state = frame->state;\n");
  if (entry->parallel && entry->calls.count > 0) {
    text_add(emit->out, "#ifdef _OPENMP\n");
    c_line(emit, "nnrt_team(frame->threads);\n");
    text_add(emit->out, "#endif\n");
    text_add(emit->out, "#pragma omp parallel num_threads(frame->threads) if (frame->threads > 1)\n");
    c_line(emit, "{\n");
    emit->depth++;
  }
  emit->calls = 0;
  if (entry->profile)
    print_profile(emit, entry, -1);
  print_calls(emit, entry, &entry->calls);
  if (emit->depth > 1) {
    c_line(emit, "nnrt_barrier(); // all arrive together, so that the join does not spin\n");
    emit->depth--;
    c_line(emit, "}\n");
    c_line(emit, "nnrt_team(1);\n");
  }
  emit->depth = 0;
  text_add(emit->out, "}\n\n");
}

// Does an entry that is printed call the kernel, and, if `parallel`, one that has a team? Kernels of a module without entries
// are printed for others to call.
static bool is_called(const LoopModule *module, const LKernel *kernel, const Manifest *manifest, bool parallel) {
  for (int e = 0; e < module->entries.count; e++) {
    const LEntry *entry = module->entries.data[e];
    if (is_wanted(entry, manifest) && (entry->parallel || !parallel) && loops_use(entry, kernel))
      return true;
  }
  return module->entries.count == 0;
}

static void print_kernels(CEmit *emit, const Manifest *manifest) {
  const LoopModule *module = emit->module;
  for (int i = 0; i < module->kernels.count; i++) {
    const LKernel *kernel = module->kernels.data[i];
    if (!is_called(module, kernel, manifest, false))
      continue;
    size_t begin = emit->out->length;
    emit->alone = !is_called(module, kernel, manifest, true);
    c_kernel(emit, kernel, module->entries.count > 0);
    vec_push(emit->arena, &emit->kernels, (CStretch){begin, emit->out->length, kernel->span});
  }
}

static void mark_expr(const LExpr *expr, const LoopModule *module, bool *used) {
  if (!expr)
    return;
  for (int i = 0; expr->op == LX_CALL && i < module->functions.count; i++)
    used[i] = used[i] || module->functions.data[i] == expr->function;
  for (int i = 0; i < expr->arg_count; i++)
    mark_expr(expr->args[i], module, used);
}

static void mark_body(const LBody *body, const LoopModule *module, bool *used) {
  for (int i = 0; i < body->count; i++) {
    const LStmt *stmt = body->data[i];
    mark_expr(stmt->value, module, used);
    mark_expr(stmt->index[0], module, used);
    mark_expr(stmt->index[1], module, used);
    mark_expr(stmt->from, module, used);
    mark_expr(stmt->to, module, used);
    mark_body(&stmt->body, module, used);
  }
}

// The functions that printed kernels call, directly or not: a caller stands after what it calls.
static void print_functions(CEmit *emit, const Manifest *manifest) {
  const LoopModule *module = emit->module;
  bool *used = arena_array(emit->arena, bool, module->functions.count + 1);
  for (int i = 0; i < module->kernels.count; i++)
    if (is_called(module, module->kernels.data[i], manifest, false))
      mark_body(&module->kernels.data[i]->body, module, used);
  for (int i = module->functions.count - 1; i >= 0; i--) {
    const LFunction *function = module->functions.data[i];
    for (int l = 0; used[i] && l < function->lets.count; l++)
      mark_expr(function->lets.data[l]->value, module, used);
    if (used[i])
      mark_expr(function->result, module, used);
  }
  for (int i = 0; i < module->functions.count; i++)
    if (used[i])
      c_function(emit, module->functions.data[i]);
}

static const char head[] = "#include <math.h>\n"
                           "#include <string.h>\n\n";
static const char pragmas[] =
    "#ifndef _OPENMP\n"
    "#pragma GCC diagnostic ignored \"-Wunknown-pragmas\"\n"
    "#endif\n"
    "#ifdef __clang__ // a loop that stays scalar is no fault\n"
    "#pragma clang diagnostic ignored \"-Wpass-failed\"\n"
    "#else\n"
    "// gcc 12 with AVX-512 stores {1, 1, 1, 0} as all ones by a memcpy made of a loop,\n"
    "#pragma GCC optimize(\"no-tree-loop-distribute-patterns\")\n"
    "// and keeps constants of one loop in registers that the sums of another need.\n"
    "#pragma GCC optimize(\"no-gcse\", \"no-move-loop-invariants\")\n"
    "#if defined(__znver3__) && defined(__AVX512F__)\n"
    "// A later Zen it takes for a Zen 3, and would read a value from memory again for each use.\n"
    "#pragma GCC target(\"tune=icelake-server,prefer-vector-width=512\")\n"
    "#endif\n"
    "#endif\n\n";

static const char *module_name(const LoopModule *loops) {
  return loops->name ? loops->name : "module";
}

void c_file(Text *out, const LoopModule *loops, const Manifest *manifest, const char *contract, bool is_static,
            const char *path) {
  Text body = text_new(out->arena);
  CEmit emit = {.out = &body, .arena = out->arena, .module = loops};
  print_functions(&emit, manifest);
  print_constants(&emit, manifest);
  print_kernels(&emit, manifest);
  for (int i = 0; i < loops->entries.count; i++)
    if (is_wanted(loops->entries.data[i], manifest))
      print_entry(&emit, loops->entries.data[i], is_static);
  if (manifest)
    c_module(&emit, manifest);
  text_printf(out, "// %s: made by nnc, %s\n", module_name(loops),
              "for -std=c11 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -fwrapv -fopenmp.");
  text_add(out, head);
  text_add(out, contract);
  text_add(out, pragmas);
  c_helpers(out, emit.used);
  if (path)
    c_add_with_lines(out, &emit, path);
  else
    text_add(out, text_string(&body));
}

static const char contract_file[] = "#include \"nnrt.h\"\n\n";

void emit_c(Text *out, const LoopModule *loops, const struct Manifest *manifest) {
  c_file(out, loops, manifest, contract_file, manifest != NULL, NULL);
}

void emit_c_debug(Text *out, const LoopModule *loops, const struct Manifest *manifest) {
  c_file(out, loops, manifest, contract_file, manifest != NULL, arena_printf(out->arena, "%s.c", module_name(loops)));
}

// Register tiles. A local that is only ever set by tiles, whole rows at a time, is kept in variables of vector type:
// then no compiler can leave it in memory, which costs a factor of twenty. The vector is as wide as the CPU that the C
// is compiled for has it; columns run in steps of its lanes, and rows and columns are unrolled:
//     UNROLL for (int64_t i = 0; i < 14; i++)
//       UNROLL for (int64_t j = 0; j < 32; j += F32V)
//         acc[i][j / F32V] = fma_f32v(splat_f32v(x[i * 64 + k]), load_f32v(&w[k * 32 + j]), acc[i][j / F32V]);
// Whoever reads its elements one by one (an epilogue with exp, a horizontal sum) gets a copy of it in an array.
// All other tiles are plain loops.
#include "emit/c.h"

CVectorLocal *c_vector_local(const CEmit *emit, const LLocal *local) {
  for (int i = 0; i < emit->vectors.count; i++)
    if (emit->vectors.data[i].local == local)
      return &emit->vectors.data[i];
  return NULL;
}

// Does the value differ from column to column?
static bool varies(const CEmit *emit, const LStmt *tile, const LExpr *expr) {
  if (lx_mentions(expr, tile->col_var))
    return true;
  for (int i = 0; i < emit->vector_lets.count; i++)
    if (lx_mentions(expr, emit->vector_lets.data[i]))
      return true;
  return false;
}

bool c_is_vector(const CEmit *emit, const LExpr *expr) {
  return varies(emit, emit->tile, expr);
}

static bool reads_vector(const CEmit *emit, const LExpr *expr) {
  if (expr->local && c_vector_local(emit, expr->local))
    return true;
  for (int i = 0; i < expr->arg_count; i++)
    if (reads_vector(emit, expr->args[i]))
      return true;
  return false;
}

static bool is_var(const LExpr *expr, const LVar *var) {
  return expr && expr->op == LX_VAR && expr->var == var;
}

// Is local[row, column] this tile's own element of a vector local?
static bool is_own_element(const CEmit *emit, const LStmt *tile, const LLocal *local, const LExpr *row,
                           const LExpr *col) {
  if (!c_vector_local(emit, local) || local->dim[local->rank - 1] != tile->cols)
    return false;
  if (local->rank == 1)
    return tile->rows == 1 && is_var(row, tile->col_var);
  if (!is_var(col, tile->col_var))
    return false;
  return (is_var(row, tile->row_var) && local->dim[0] == tile->rows) || (row->op == LX_CONST && tile->rows == 1);
}

// The address runs along the columns, one element each.
static bool is_row(const CEmit *emit, const LStmt *tile, const LExpr *index) {
  int64_t stride;
  for (int i = 0; i < emit->vector_lets.count; i++)
    if (lx_mentions(index, emit->vector_lets.data[i]))
      return false;
  return !reads_vector(emit, index) && lx_stride(index, tile->col_var, &stride) && stride == 1;
}

static bool fits(const CEmit *emit, const LStmt *tile, LType type, const LExpr *expr);

static bool is_real(LType type) {
  return type == L_F32 || type == L_F64;
}

static bool fits_operation(const CEmit *emit, const LStmt *tile, LType type, const LExpr *expr) {
  for (int i = 0; i < expr->arg_count; i++)
    if (!fits(emit, tile, type, expr->args[i]))
      return false;
  return true;
}

// Conditions are masks, and must all be so: none of them may be the same for all columns.
static bool fits_condition(const CEmit *emit, const LStmt *tile, LType type, const LExpr *expr) {
  for (int i = 0; i < expr->arg_count; i++)
    if (!varies(emit, tile, expr->args[i]) || !fits(emit, tile, type, expr->args[i]))
      return false;
  return true;
}

// A condition that is the same for all columns chooses between whole vectors.
static bool fits_select(const CEmit *emit, const LStmt *tile, LType type, const LExpr *expr) {
  const LExpr *condition = expr->args[0];
  bool fit = varies(emit, tile, condition) ? fits(emit, tile, type, condition) : !reads_vector(emit, condition);
  return fit && fits(emit, tile, type, expr->args[1]) && fits(emit, tile, type, expr->args[2]);
}

// Can the value be computed in vectors of `type`, conditions in masks of the same width?
static bool fits(const CEmit *emit, const LStmt *tile, LType type, const LExpr *expr) {
  if (!varies(emit, tile, expr))
    return !reads_vector(emit, expr) && expr->type == type;
  switch (expr->op) {
  case LX_VAR:
    return expr->var != tile->col_var && expr->type == type;
  case LX_LOAD:
    return expr->type == type && is_row(emit, tile, expr->args[0]);
  case LX_LOCAL:
    return expr->type == type && is_own_element(emit, tile, expr->local, expr->args[0], expr->args[1]);
  case LX_ADD:
  case LX_SUB:
  case LX_MUL:
  case LX_DIV:
  case LX_NEG:
  case LX_FMA:
  case LX_ABS:
  case LX_MAX:
  case LX_MIN:
    return expr->type == type && fits_operation(emit, tile, type, expr);
  case LX_SELECT:
    return expr->type == type && fits_select(emit, tile, type, expr);
  case LX_EQ:
  case LX_NE:
  case LX_LT:
  case LX_LE:
  case LX_GT:
  case LX_GE:
    return expr->args[0]->type == type && fits_operation(emit, tile, type, expr);
  case LX_AND:
  case LX_OR:
  case LX_NOT:
    return expr->type == L_BOOL && fits_condition(emit, tile, type, expr);
  default:
    return false;
  }
}

static bool touches_vector(const CEmit *emit, const LStmt *tile) {
  for (int i = 0; i < tile->body.count; i++) {
    const LStmt *stmt = tile->body.data[i];
    if ((stmt->kind == LS_SET && c_vector_local(emit, stmt->local)) || reads_vector(emit, stmt->value))
      return true;
  }
  return false;
}

// The type that all of the tile is computed in: that of the first vector local in it.
static bool tile_type(const CEmit *emit, const LStmt *tile, LType *type) {
  for (int i = 0; i < tile->body.count; i++)
    if (tile->body.data[i]->kind != LS_LET) {
      *type = tile->body.data[i]->kind == LS_SET ? tile->body.data[i]->local->type : tile->body.data[i]->buffer->type;
      return touches_vector(emit, tile) && is_real(*type);
    }
  return false;
}

static bool fits_stmt(CEmit *emit, const LStmt *tile, LType type, const LStmt *stmt) {
  bool known = varies(emit, tile, stmt->value);
  if (!(known ? fits(emit, tile, type, stmt->value) : !reads_vector(emit, stmt->value)))
    return false;
  if (stmt->kind == LS_LET) {
    if (known && stmt->value->type != type)
      return false;
    if (known)
      vec_push(emit->arena, &emit->vector_lets, stmt->var);
    return true;
  }
  if (stmt->value->type != type)
    return false;
  return stmt->kind == LS_SET ? is_own_element(emit, tile, stmt->local, stmt->index[0], stmt->index[1])
                              : is_row(emit, tile, stmt->index[0]);
}

bool c_tile_is_vector(CEmit *emit, const LStmt *tile) {
  LType type;
  bool all = tile_type(emit, tile, &type);
  emit->vector_lets.count = 0;
  for (int i = 0; all && i < tile->body.count; i++)
    all = fits_stmt(emit, tile, type, tile->body.data[i]);
  emit->vector_lets.count = 0;
  return all;
}

static void drop_vector(CEmit *emit, const LLocal *local) {
  for (int i = 0; i < emit->vectors.count; i++)
    if (emit->vectors.data[i].local == local)
      emit->vectors.data[i--] = emit->vectors.data[--emit->vectors.count];
}

static void collect_locals(CEmit *emit, const LBody *body) {
  for (int i = 0; i < body->count; i++) {
    const LStmt *stmt = body->data[i];
    if (stmt->kind == LS_LOCAL && is_real(stmt->local->type) && stmt->local->dim[stmt->local->rank - 1] >= 4)
      vec_push(emit->arena, &emit->vectors, (CVectorLocal){.local = stmt->local});
    collect_locals(emit, &stmt->body);
  }
}

static bool sets(const LStmt *stmt, const LLocal *local) {
  if (stmt->kind == LS_SET && stmt->local == local)
    return true;
  for (int i = 0; i < stmt->body.count; i++)
    if (sets(stmt->body.data[i], local))
      return true;
  return false;
}

static bool expr_reads(const LExpr *expr, const LLocal *local) {
  if (!expr)
    return false;
  bool found = expr->local == local;
  for (int i = 0; i < expr->arg_count; i++)
    found = found || expr_reads(expr->args[i], local);
  return found;
}

static bool head_reads(const LStmt *stmt, const LLocal *local) {
  return expr_reads(stmt->value, local) || expr_reads(stmt->index[0], local) || expr_reads(stmt->index[1], local) ||
         expr_reads(stmt->from, local) || expr_reads(stmt->to, local);
}

// Drops what is set otherwise than by vector tiles, or in a loop whose head reads it; true if anything was.
static bool drop_locals(CEmit *emit, const LBody *body) {
  int before = emit->vectors.count;
  for (int i = 0; i < body->count; i++) {
    const LStmt *stmt = body->data[i];
    if (stmt->kind == LS_SET) {
      drop_vector(emit, stmt->local);
    } else if (stmt->kind != LS_TILE) {
      for (int v = emit->vectors.count - 1; v >= 0; v--)
        if (head_reads(stmt, emit->vectors.data[v].local) && sets(stmt, emit->vectors.data[v].local))
          drop_vector(emit, emit->vectors.data[v].local);
      drop_locals(emit, &stmt->body);
    } else if (!c_tile_is_vector(emit, stmt)) {
      for (int j = 0; j < stmt->body.count; j++)
        if (stmt->body.data[j]->kind == LS_SET)
          drop_vector(emit, stmt->body.data[j]->local);
    }
  }
  return emit->vectors.count < before;
}

void c_find_vectors(CEmit *emit, const LKernel *kernel) {
  emit->vectors.count = 0;
  collect_locals(emit, &kernel->body);
  while (emit->vectors.count > 0 && drop_locals(emit, &kernel->body))
    continue;
}

// Columns fill vectors of any target's width.
static bool is_even(LType type, int cols) {
  return cols % (64 / ltype_bytes(type)) == 0;
}

static const char *lanes(LType type) {
  return type == L_F32 ? "F32V" : "F64V";
}

// A helper for vectors of this type, noted as used; `helper` is that of f32, f64's comes next.
static const char *vector_helper(CEmit *emit, const char *name, CHelper helper, LType type) {
  emit->used[CH_VECTOR + (int)type] = true;
  emit->used[(int)helper + (int)type] = true;
  return arena_printf(emit->arena, "%s_%sv", name, c_short[type]);
}

static void unrolled(CEmit *emit, const LVar *var, int to, const char *step) {
  c_line(emit, "UNROLL\n");
  const char *name = c_name(emit, var->name);
  c_line(emit, "for (int64_t %s = 0; %s < %d; %s%s)", name, name, to, name, step);
}

void c_declare_vector(CEmit *emit, const LStmt *stmt) {
  const LLocal *local = stmt->local;
  CVectorLocal *vector = c_vector_local(emit, local);
  vector->elements = NULL;
  emit->used[CH_VECTOR + (int)local->type] = true;
  int cols = local->dim[local->rank - 1];
  const char *name = c_name(emit, local->name), *count = lanes(local->type);
  const char *vectors = is_even(local->type, cols)
                            ? arena_printf(emit->arena, "%d / %s", cols, count)
                            : arena_printf(emit->arena, "(%d + %s - 1) / %s", cols, count, count);
  const char *rows = local->rank == 2 ? arena_printf(emit->arena, "[%d]", local->dim[0]) : "";
  bool zero = stmt->value->real == 0 && !__builtin_signbit(stmt->value->real);
  c_line(emit, "%sv %s%s[%s]%s;", c_short[local->type], name, rows, vectors, zero ? " = {0}" : "");
  text_printf(emit->out, "  // %s[%d%s%s]\n", c_short[local->type], local->dim[0], local->rank == 2 ? ", " : "",
              local->rank == 2 ? arena_printf(emit->arena, "%d", cols) : "");
  if (zero)
    return;
  const char *splat = vector_helper(emit, "splat", CH_SPLAT, local->type);
  if (local->rank == 2) {
    c_line(emit, "UNROLL\n");
    c_line(emit, "for (int i_ = 0; i_ < %d; i_++)\n", local->dim[0]);
    emit->depth++;
  }
  c_line(emit, "UNROLL\n");
  c_line(emit, "for (int j_ = 0; j_ < %s; j_++)\n", vectors);
  c_line(emit, "  %s%s[j_] = %s(", name, local->rank == 2 ? "[i_]" : "", splat);
  c_constant(emit->out, local->type, stmt->value->real, 0);
  text_add(emit->out, ");\n");
  emit->depth -= local->rank == 2;
}

// Does it read the local element by element?
static bool reads_elements(CEmit *emit, const LStmt *stmt, const LLocal *local) {
  if (stmt->kind == LS_TILE && c_tile_is_vector(emit, stmt))
    return false;
  if (head_reads(stmt, local))
    return true;
  for (int i = 0; i < stmt->body.count; i++)
    if (reads_elements(emit, stmt->body.data[i], local))
      return true;
  return false;
}

static void copy_elements(CEmit *emit, CVectorLocal *vector) {
  const LLocal *local = vector->local;
  LType type = local->type;
  int cols = local->dim[local->rank - 1], width = 64 / ltype_bytes(type), room = (cols + width - 1) / width * width;
  const char *name = c_name(emit, local->name), *count = lanes(type);
  const char *store = vector_helper(emit, "store", CH_STORE, type);
  vector->elements = ++vector->copies == 1 ? arena_printf(emit->arena, "%s_at", name)
                                           : arena_printf(emit->arena, "%s_at%d", name, vector->copies);
  if (local->rank == 1) {
    c_line(emit, "%s %s[%d];\n", c_types[type], vector->elements, room);
    c_line(emit, "UNROLL\n");
    c_line(emit, "for (int j_ = 0; j_ < %d; j_ += %s)\n", cols, count);
    c_line(emit, "  %s(&%s[j_], %s[j_ / %s]);\n", store, vector->elements, name, count);
    return;
  }
  c_line(emit, "%s %s[%d][%d];\n", c_types[type], vector->elements, local->dim[0], room);
  c_line(emit, "UNROLL\n");
  c_line(emit, "for (int i_ = 0; i_ < %d; i_++)\n", local->dim[0]);
  emit->depth++;
  c_line(emit, "UNROLL\n");
  c_line(emit, "for (int j_ = 0; j_ < %d; j_ += %s)\n", cols, count);
  c_line(emit, "  %s(&%s[i_][j_], %s[i_][j_ / %s]);\n", store, vector->elements, name, count);
  emit->depth--;
}

void c_copy_elements(CEmit *emit, const LStmt *reader) {
  for (int i = 0; i < emit->vectors.count; i++) {
    CVectorLocal *vector = &emit->vectors.data[i];
    if (vector->elements || sets(reader, vector->local) || !reads_elements(emit, reader, vector->local))
      continue;
    copy_elements(emit, vector);
    vector->reader = reader;
  }
}

void c_forget_elements(CEmit *emit, const LStmt *reader) {
  for (int i = 0; i < emit->vectors.count; i++)
    if (emit->vectors.data[i].reader == reader)
      emit->vectors.data[i].elements = NULL;
}

// An operand that must be a vector.
static void print_wide(CEmit *emit, LType type, const LExpr *expr) {
  if (c_is_vector(emit, expr)) {
    c_vector_expr(emit, expr);
    return;
  }
  text_printf(emit->out, "%s(", vector_helper(emit, "splat", CH_SPLAT, type));
  c_expr(emit, expr);
  text_add(emit->out, ")");
}

static void print_wide_call(CEmit *emit, const char *name, CHelper helper, LType type, const LExpr *expr) {
  text_printf(emit->out, "%s(", vector_helper(emit, name, helper, type));
  for (int i = 0; i < expr->arg_count; i++) {
    text_add(emit->out, i ? ", " : "");
    print_wide(emit, type, expr->args[i]);
  }
  text_add(emit->out, ")");
}

// The vector of a row that begins at buffer[index], or as much of it as the tile has columns.
static void print_address(CEmit *emit, const LBuffer *buffer, const LExpr *index) {
  text_add(emit->out, "&");
  c_place(emit, buffer, index);
}

static void print_rest(CEmit *emit) {
  text_printf(emit->out, ", %d - %s", emit->tile->cols, c_name(emit, emit->tile->col_var->name));
}

static void print_load(CEmit *emit, const LExpr *expr) {
  bool whole = is_even(expr->type, emit->tile->cols);
  text_printf(emit->out, "%s(",
              whole ? vector_helper(emit, "load", CH_LOAD, expr->type)
                    : vector_helper(emit, "load_part", CH_LOAD_PART, expr->type));
  print_address(emit, expr->buffer, expr->args[0]);
  if (!whole)
    print_rest(emit);
  text_add(emit->out, ")");
}

static void print_element(CEmit *emit, const LLocal *local, const LExpr *row) {
  text_add(emit->out, c_name(emit, local->name));
  if (local->rank == 2) {
    text_add(emit->out, "[");
    c_index(emit, row);
    text_add(emit->out, "]");
  }
  text_printf(emit->out, "[%s / %s]", c_name(emit, emit->tile->col_var->name), lanes(local->type));
}

static void print_infix(CEmit *emit, const LExpr *expr, const char *sign, bool wide, LType type) {
  for (int i = 0; i < 2; i++) {
    const LExpr *arg = expr->args[i];
    bool plain = arg->op == LX_VAR || arg->op == LX_LOAD || arg->op == LX_LOCAL || arg->op == LX_CONST ||
                 arg->op == LX_CALL || arg->op == LX_FMA;
    text_add(emit->out, i ? sign : "");
    text_add(emit->out, plain ? "" : "(");
    if (wide)
      print_wide(emit, type, arg);
    else if (c_is_vector(emit, arg))
      c_vector_expr(emit, arg);
    else
      c_expr(emit, arg);
    text_add(emit->out, plain ? "" : ")");
  }
}

// A condition that is the same for all columns.
static void print_choice(CEmit *emit, LType type, const LExpr *expr) {
  bool joined = expr->args[0]->op == LX_AND || expr->args[0]->op == LX_OR;
  text_add(emit->out, joined ? "(" : "");
  c_expr(emit, expr->args[0]);
  text_add(emit->out, joined ? ") ? " : " ? ");
  print_wide(emit, type, expr->args[1]);
  text_add(emit->out, " : ");
  print_wide(emit, type, expr->args[2]);
}

static const char *const signs[] = {
    [LX_ADD] = " + ", [LX_SUB] = " - ", [LX_MUL] = " * ", [LX_DIV] = " / ", [LX_EQ] = " == ", [LX_NE] = " != ",
    [LX_LT] = " < ",  [LX_LE] = " <= ", [LX_GT] = " > ",  [LX_GE] = " >= ", [LX_AND] = " & ", [LX_OR] = " | "};

void c_vector_expr(CEmit *emit, const LExpr *expr) {
  LType type = expr->type;
  switch (expr->op) {
  case LX_VAR:
    text_add(emit->out, c_name(emit, expr->var->name));
    break;
  case LX_LOAD:
    print_load(emit, expr);
    break;
  case LX_LOCAL:
    print_element(emit, expr->local, expr->args[0]);
    break;
  case LX_FMA:
    print_wide_call(emit, "fma", CH_FMA, type, expr);
    break;
  case LX_MAX:
    print_wide_call(emit, "max", CH_VMAX, type, expr);
    break;
  case LX_MIN:
    print_wide_call(emit, "min", CH_VMIN, type, expr);
    break;
  case LX_ABS:
    print_wide_call(emit, "abs", CH_VABS, type, expr);
    break;
  case LX_SELECT:
    if (c_is_vector(emit, expr->args[0]))
      print_wide_call(emit, "select", CH_VSELECT, type, expr);
    else
      print_choice(emit, type, expr);
    break;
  case LX_NEG:
  case LX_NOT:
    text_add(emit->out, expr->op == LX_NEG ? "-(" : "~(");
    c_vector_expr(emit, expr->args[0]);
    text_add(emit->out, ")");
    break;
  default:
    print_infix(emit, expr, signs[expr->op], type == L_BOOL, expr->args[0]->type);
  }
}

static void print_stmt(CEmit *emit, const LStmt *stmt) {
  bool varies_here = c_is_vector(emit, stmt->value);
  LType type = stmt->value->type;
  if (stmt->kind == LS_LET) {
    c_line(emit, "const %s%s %s = ", varies_here ? c_short[type] : c_types[type], varies_here ? "v" : "",
           c_name(emit, stmt->var->name));
    if (varies_here)
      c_vector_expr(emit, stmt->value);
    else if (type == L_I64)
      c_index(emit, stmt->value);
    else
      c_expr(emit, stmt->value);
    text_add(emit->out, ";\n");
    if (varies_here)
      vec_push(emit->arena, &emit->vector_lets, stmt->var);
    return;
  }
  if (stmt->kind == LS_SET) {
    c_line(emit, "%s", "");
    print_element(emit, stmt->local, stmt->index[0]);
    text_add(emit->out, " = ");
    print_wide(emit, type, stmt->value);
    text_add(emit->out, ";\n");
    return;
  }
  bool whole = is_even(type, emit->tile->cols);
  c_line(emit, "%s(",
         whole ? vector_helper(emit, "store", CH_STORE, type) : vector_helper(emit, "store_part", CH_STORE_PART, type));
  print_address(emit, stmt->buffer, stmt->index[0]);
  text_add(emit->out, ", ");
  print_wide(emit, type, stmt->value);
  if (!whole)
    print_rest(emit);
  text_add(emit->out, ");\n");
}

void c_print_tile(CEmit *emit, const LStmt *tile) {
  LType type = L_F32;
  tile_type(emit, tile, &type);
  emit->tile = tile;
  emit->vector_lets.count = 0;
  if (tile->row_var) {
    unrolled(emit, tile->row_var, tile->rows, "++");
    text_add(emit->out, "\n");
    emit->depth++;
  }
  unrolled(emit, tile->col_var, tile->cols, type == L_F32 ? " += F32V" : " += F64V");
  bool braces = tile->body.count > 1;
  text_add(emit->out, braces ? " {\n" : "\n");
  emit->depth++;
  for (int i = 0; i < tile->body.count; i++)
    if (tile->body.data[i]->kind != LS_LET || !c_is_dead(emit, tile->body.data[i]->var))
      print_stmt(emit, tile->body.data[i]);
  emit->depth--;
  if (braces)
    c_line(emit, "}\n");
  emit->depth -= tile->row_var != NULL;
  emit->tile = NULL;
  emit->vector_lets.count = 0;
}

// exp, log, tanh, erf, sin, cos and pow as compiled code, in f32 and f64, on grids over all numbers: the same bits from
// the JIT, gcc and clang, with fma in hardware and in software, and at most 2 ULP from the true value.
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "subject.h"

enum { COUNT = 100003, FUNCTIONS = 6 }; // the last vector is not full

static const Op functions[FUNCTIONS] = {OP_exp, OP_log, OP_tanh, OP_erf, OP_sin, OP_cos};

static const double corners[] = {NAN,
                                 INFINITY,
                                 -INFINITY,
                                 0,
                                 -0.0,
                                 1,
                                 -1,
                                 2,
                                 -3,
                                 0.5,
                                 -0.5,
                                 5e-324,
                                 -1e-310,
                                 1e-40,
                                 -0x1p-149,
                                 0x1p-126,
                                 3.4e38,
                                 1.7e308,
                                 -1.7e308,
                                 709.78,
                                 709.79,
                                 -745.1,
                                 -745.2,
                                 88.72,
                                 88.73,
                                 -103.9,
                                 -104,
                                 1e22,
                                 -1e300,
                                 0x1p24,
                                 0x1p53,
                                 1e-8,
                                 -1e-4,
                                 0x1.921fb54442d18p+0,
                                 0x1.921fb6p+0,
                                 0x1.6a09e667f3bcdp-1,
                                 19.06,
                                 9.01,
                                 5.92,
                                 3.83,
                                 1e5,
                                 0x1.fffffep-1,
                                 1.0000000000000002};
enum { CORNERS = sizeof corners / sizeof *corners };

static uint64_t random_bits(uint64_t *state) { // Marsaglia's xorshift64
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

// All exponents alike, and a third each of moderate and small numbers.
static double any_f64(uint64_t *state) {
  uint64_t bits = random_bits(state);
  double x;
  memcpy(&x, &bits, sizeof x);
  return bits % 3 == 0 ? x : (double)(int64_t)bits * (bits % 3 == 1 ? 0x1p-58 : 0x1p-63);
}

static double any_f32(int i, uint64_t *state) {
  uint32_t bits = (uint32_t)i * 42949u + (uint32_t)(random_bits(state) % 42949);
  float x;
  memcpy(&x, &bits, sizeof x);
  return (double)x;
}

static double *unary_grid(Arena *arena, ElemType elem) {
  double *grid = arena_array(arena, double, COUNT);
  uint64_t state = 88172645463325252u;
  for (int i = 0; i < COUNT; i++)
    grid[i] = i < CORNERS ? corners[i] : elem == F32 ? any_f32(i, &state) : any_f64(&state);
  return grid;
}

// Bases and exponents: pairs of corners, then powers that neither vanish nor overflow, bases near 1, whole exponents.
static void pow_grids(Arena *arena, ElemType elem, double **base, double **exponent) {
  double range = elem == F32 ? 87 : 708;
  uint64_t state = 1234567890123u;
  *base = arena_array(arena, double, COUNT);
  *exponent = arena_array(arena, double, COUNT);
  for (int i = 0; i < COUNT; i++) {
    double x = any_f64(&state), y = (double)(int64_t)random_bits(&state) * 0x1p-63;
    if (i < CORNERS * CORNERS)
      x = corners[i / CORNERS], y = corners[i % CORNERS];
    else if (i % 4 == 0)
      x = 1 + x * 0x1p-8, y *= range;
    else if (i % 4 == 1)
      y = floor(y * 40);
    else
      x = fabs(x), y *= range / log(x);
    (*base)[i] = elem == F32 ? (double)(float)x : x;
    (*exponent)[i] = elem == F32 ? (double)(float)y : y;
  }
}

static Subjects math_subjects(void) {
  Subjects subjects = subjects_new();
  Arena *arena = subjects.arena;
  for (ElemType elem = F32; elem <= F64; elem++) {
    Type type = {.elem = elem, .rank = 1, .dim = {COUNT}};
    Graph *unary = graph_new(arena, "unary", 0), *power = graph_new(arena, "power", 0);
    Node *x = graph_input(unary, "x", type), *a = graph_input(power, "a", type), *b = graph_input(power, "b", type);
    for (int i = 0; i < FUNCTIONS; i++)
      vec_push(arena, &unary->outputs, (GraphOutput){op_name(functions[i]), graph_unary(unary, functions[i], x)});
    vec_push(arena, &power->outputs, (GraphOutput){"pow", graph_binary(power, OP_pow, a, b)});
    double **grids = arena_array(arena, double *, 3);
    grids[0] = unary_grid(arena, elem);
    pow_grids(arena, elem, &grids[1], &grids[2]);
    subject_add(&subjects, elem_name(elem), unary, 0, NULL)->given = (const double *const *)grids;
    subject_add(&subjects, elem_name(elem), power, 0, NULL)->given = (const double *const *)grids + 1;
  }
  return subjects;
}

Test(math, same_bits, .timeout = 600) {
  Subjects subjects = math_subjects();
  EXPECT_SAME(&subjects, {BACKEND_JIT, 2, every_way}, {BACKEND_GCC, c_way_count, c_ways},
              {BACKEND_CLANG, c_way_count, c_ways});
  subjects_free(&subjects);
}

// ---- accuracy
// Distance in ULP of the element type; huge where NaN, infinity or sign differ.
static double distance(double found, long double truth, ElemType elem) {
  int bits = elem == F32 ? 24 : 53, least = elem == F32 ? -125 : -1021, exponent;
  double rounded = elem == F32 ? (double)(float)truth : (double)truth;
  if (isnan(rounded) || isnan(found))
    return isnan(rounded) && isnan(found) ? 0 : 1e9;
  if (found == 0 && rounded == 0)
    return !signbit(found) == !signbit(rounded) ? 0 : 1e9;
  if (isinf(rounded) || isinf(found))
    return found == rounded ? 0 : 1e9;
  frexpl(truth, &exponent);
  return (double)(fabsl((long double)found - truth) / ldexpl(1, (exponent < least ? least : exponent) - bits));
}

static long double truth_of(Op op, long double x, long double y) {
  switch (op) {
  case OP_exp:
    return expl(x);
  case OP_log:
    return logl(x);
  case OP_tanh:
    return tanhl(x);
  case OP_erf:
    return erfl(x);
  case OP_sin:
    return sinl(x);
  case OP_cos:
    return cosl(x);
  default:
    return powl(x, y);
  }
}

static void expect_accurate(const Subject *subject, const Outcome *outcome, int output, Op op) {
  ElemType elem = subject->graph->inputs.data[0].type.elem;
  bool two = subject->graph->inputs.count > 1;
  double worst = 0;
  int at = 0;
  for (int i = 0; i < COUNT; i++) {
    double x = subject->given[0][i], y = two ? subject->given[1][i] : 0;
    if (elem == F32) // the corners that f32 cannot hold
      x = (double)(float)x, y = (double)(float)y;
    double error =
        distance(outcome_real(outcome, subject, output, i), truth_of(op, (long double)x, (long double)y), elem);
    if (error > worst) {
      worst = error;
      at = i;
    }
  }
  cr_expect(worst <= 2, "%s in %s: %g ULP for %a, %a: %a", op_name(op), elem_name(elem), worst, subject->given[0][at],
            two ? subject->given[1][at] : 0, outcome_real(outcome, subject, output, at));
}

Test(math, accuracy, .timeout = 600) {
  Subjects subjects = math_subjects();
  Code *code = code_new(&subjects, &every_way[0], BACKEND_JIT);
  for (int i = 0; i < subjects.all.count; i++) {
    Subject *subject = subjects.all.data[i];
    Outcome outcome = code_run(code, subjects.arena, subject, (Call){0, VALUES_PLAIN, 1});
    for (int k = 0; k < subject->graph->outputs.count; k++)
      expect_accurate(subject, &outcome, k, subject->graph->inputs.count > 1 ? OP_pow : functions[k]);
  }
  code_free(code);
  subjects_free(&subjects);
}

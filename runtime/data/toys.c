// The toy sets. xor, circle, spiral, gauss are TensorFlow Playground's (playground.tensorflow.org, dataset.ts), class 1
// its positive one; moons is scikit-learn's make_moons; sine is y = sin(x). u(a, b): uniform; g(s): normal, deviation s.
//   xor     x0, x1 = u(-5, 5), moved 0.3 off the axes; class (x0 + e)(x1 + e) >= 0, each e = u(-5, 5) noise
//   circle  class 1: radius u(0, 2.5), class 0: radius u(3.5, 5), any angle; the class is then that of the point moved
//           by e = u(-5, 5) noise along each axis: 1 if nearer than 2.5 to the middle
//   spiral  i-th of n/2: radius r = 5 i/(n/2), angle a = 3.5 pi i/(n/2), + pi for class 0;
//           x = (r sin a, r cos a) + u(-1, 1) noise
//   gauss   class 1 around (2, 2), class 0 around (-2, -2), variance 0.5 + 7 noise
//   moons   class 0 (cos a, sin a), class 1 (1 - cos a, 0.5 - sin a), a even over 0 … pi; + g(noise)
//   sine    x = u(-pi, pi), y = sin(x) + g(noise)
// All in double by portable.h, then rounded, so that a seed means the same samples everywhere.
#include <math.h>
#include <string.h>

#include "data/dataset.h"
#include "data/portable.h"
#include "random.h"

enum { COUNT, NOISE, SEED };
enum { MOST_SAMPLES = 10000000 };

const NnrtParam nnrt_toy_params[] = {{"n", NNRT_TAKES_INT, false, false},
                                     {"noise", NNRT_TAKES_REAL, true, false},
                                     {"seed", NNRT_TAKES_INT, true, false},
                                     {0}};

typedef struct Toy {
  int64_t i, n; // this sample of so many
  double noise;
  uint64_t seed, element;
  double x[2], y;
} Toy;

static const uint64_t stream = (uint64_t)0x70 << 56;

static double uniform(Toy *toy, double low, double high) {
  return low + (high - low) * nnrt_uniform(toy->seed, stream, &toy->element);
}

static double normal(Toy *toy, double deviation) {
  return deviation * nnrt_normal(toy->seed, stream, &toy->element);
}

// The sample's place within its class: the first (n + 1) / 2 are of one class, the others of the other.
static int64_t place(const Toy *toy, int64_t *of, bool *second) {
  int64_t half = (toy->n + 1) / 2;
  *second = toy->i >= half;
  *of = *second ? toy->n - half : half;
  return *second ? toy->i - half : toy->i;
}

static void xor_sample(Toy *toy) {
  double moved[2];
  for (int k = 0; k < 2; k++) {
    toy->x[k] = uniform(toy, -5, 5);
    toy->x[k] += toy->x[k] > 0 ? 0.3 : -0.3;
  }
  for (int k = 0; k < 2; k++)
    moved[k] = toy->x[k] + uniform(toy, -5, 5) * toy->noise;
  toy->y = moved[0] * moved[1] >= 0;
}

static void circle_sample(Toy *toy) {
  int64_t of;
  bool outside;
  place(toy, &of, &outside);
  double radius = outside ? uniform(toy, 3.5, 5) : uniform(toy, 0, 2.5);
  double angle = uniform(toy, 0, 2 * NNRT_PI);
  toy->x[0] = radius * nnrt_sin(angle);
  toy->x[1] = radius * nnrt_cos(angle);
  double a = toy->x[0] + uniform(toy, -5, 5) * toy->noise, b = toy->x[1] + uniform(toy, -5, 5) * toy->noise;
  toy->y = sqrt(a * a + b * b) < 2.5;
}

static void spiral_sample(Toy *toy) {
  int64_t of;
  bool second;
  double part = (double)place(toy, &of, &second);
  part /= (double)of;
  double angle = 3.5 * NNRT_PI * part + (second ? NNRT_PI : 0);
  toy->x[0] = 5 * part * nnrt_sin(angle) + uniform(toy, -1, 1) * toy->noise;
  toy->x[1] = 5 * part * nnrt_cos(angle) + uniform(toy, -1, 1) * toy->noise;
  toy->y = !second;
}

static void gauss_sample(Toy *toy) {
  int64_t of;
  bool second;
  place(toy, &of, &second);
  double deviation = sqrt(0.5 + 7 * toy->noise);
  for (int k = 0; k < 2; k++)
    toy->x[k] = (second ? -2 : 2) + normal(toy, deviation);
  toy->y = !second;
}

static void moons_sample(Toy *toy) {
  int64_t of;
  bool second;
  double at = (double)place(toy, &of, &second);
  double angle = of > 1 ? NNRT_PI * at / (double)(of - 1) : 0;
  toy->x[0] = second ? 1 - nnrt_cos(angle) : nnrt_cos(angle);
  toy->x[1] = second ? 0.5 - nnrt_sin(angle) : nnrt_sin(angle);
  for (int k = 0; k < 2; k++)
    toy->x[k] += normal(toy, toy->noise);
  toy->y = second;
}

static void sine_sample(Toy *toy) {
  toy->x[0] = uniform(toy, -NNRT_PI, NNRT_PI);
  toy->y = nnrt_sin(toy->x[0]) + normal(toy, toy->noise);
}

static const struct {
  const char *name;
  void (*sample)(Toy *toy);
} toys[] = {{"xor", xor_sample},     {"circle", circle_sample}, {"spiral", spiral_sample},
            {"gauss", gauss_sample}, {"moons", moons_sample},   {"sine", sine_sample}};

static bool generate(NnrtOpening *opening, NnrtDataset *set, Toy *toy, void (*sample)(Toy *)) {
  bool real = set->target_width;
  set->floats = nnrt_data_alloc(set, set->rows * set->width, sizeof *set->floats);
  if (real)
    set->targets = nnrt_data_alloc(set, set->rows, sizeof *set->targets);
  else
    set->classes = nnrt_data_alloc(set, set->rows, sizeof *set->classes);
  if (!set->floats || !(real ? (void *)set->targets : (void *)set->classes))
    return nnrt_fail_memory(opening);
  for (toy->i = 0; toy->i < set->rows; toy->i++) {
    sample(toy);
    for (int64_t k = 0; k < set->width; k++)
      set->floats[toy->i * set->width + k] = (float)toy->x[k];
    if (real)
      set->targets[toy->i] = (float)toy->y;
    else
      set->classes[toy->i] = toy->y > 0.5;
  }
  return true;
}

bool nnrt_toy_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  Toy toy = {.n = args[COUNT] ? args[COUNT]->integer : 500,
             .noise = args[NOISE] ? args[NOISE]->real : 0,
             .seed = args[SEED] ? (uint64_t)args[SEED]->integer : 0};
  if (toy.n < 2 || toy.n > MOST_SAMPLES)
    return nnrt_fail_at(opening, args[COUNT], "`n` of `%s` is from 2 to %d, not %lld", opening->call->name,
                        MOST_SAMPLES, (long long)toy.n);
  if (!(toy.noise >= 0 && toy.noise <= 1e6))
    return nnrt_fail_at(opening, args[NOISE], "`noise` of `%s` is 0 or more, not %g", opening->call->name, toy.noise);
  size_t kind = 0;
  while (strcmp(toys[kind].name, opening->call->name))
    kind++;
  bool sine = toys[kind].sample == sine_sample;
  nnrt_set_x(set, 1, (const int64_t[]){sine ? 1 : 2});
  if (sine)
    nnrt_set_y_target(set, 1);
  else
    nnrt_set_y_class(set, 2, NULL);
  set->rows = toy.n;
  for (int i = 0; i < 3; i++)
    set->info.count[i] = 0;
  if (!nnrt_set_part(set, NNRT_PART_TRAIN, 0, toy.n))
    return nnrt_fail_memory(opening);
  return set->depth != NNRT_DATA_FULL || generate(opening, set, &toy, toys[kind].sample);
}

// sin and cos for every argument, after M. Payne and R. Hanek ("Radian reduction for trigonometric functions", 1983),
// in floating point: |x| times 2/pi, cut in words short enough that every product is exact (f32: 24 + 29 bits in f64;
// f64: 53-bit words whose products are split in two by fma). Of each product only the remainder by 4 quarter turns
// counts, and what is left is summed with the nearest integers taken off as they appear. Words of 2/pi too high to
// matter to a large argument are skipped by selects: a barrel shifter over the list of words, which shrinks the
// argument to match.
#include "loops/mathlib_build.h"

// 2/pi = sum of word[i] * 2^(-29 i), and of word[i] * 2^(-53 i).
static const double words_29[] = {0x1.45f306dp-1, 0x1.9391054p-1, 0x1.4fe13abp-1, 0x1.d1f534dp-1,
                                  0x1.b81b6c5p-1, 0x1.5993c4p-3,  0x1.c820ff2p-1};
static const double words_53[] = {
    0x1.45f306dc9c882p-1, 0x1.4a7f09d5f47d4p-1, 0x1.a6ee06db14accp-1, 0x1.3c439041fe516p-1, 0x1.d5ef5de2b0db8p-3,
    0x1.2371d2126e970p-2, 0x1.924bba8274600p-8, 0x1.21cfe1deb1cb1p-1, 0x1.4d39f74411af8p-3, 0x1.4baed1213a671p-1,
    0x1.8135a2fbf209cp-1, 0x1.91d639835339fp-1, 0x1.272117e2ef7e4p-2, 0x1.41d8ffc4bffeep-2, 0x1.02cc07f79788cp-1,
    0x1.6b414da3eda6cp-2, 0x1.fb3c9f2c26dd2p-2, 0x1.d18fd9a797fa8p-1, 0x1.6ba93dd63f5f2p-1, 0x1.f17b3d0739f78p-1,
    0x1.4a525d4d7f6bfp-1, 0x1.88fc6ae842b00p-2, 0x1.98237e3db5d5fp-1};

// |x| and the words that its size leaves: skipping k words divides it by 2^(width k). A word may go if its product's
// last bit is worth at least 4: |x| >= 2^(least + width k).
static LExpr *align_words(Math *m, LExpr *size, LExpr **words, int kept, int count, int stages, int width, int least) {
  for (int skip = 1 << (stages - 1); skip > 0; skip /= 2) {
    LExpr *bound = m_real(m, __builtin_ldexp(1, least + width * skip));
    LExpr *large = m_let(m, "large", m_is(m, LX_GE, size, bound));
    LExpr *smaller = m_mul(m, size, m_real(m, __builtin_ldexp(1, -width * skip)));
    size = m_let(m, "scaled", m_select(m, large, smaller, size));
    for (int i = 0; i < kept + skip - 1; i++) {
      LExpr *later = i + skip < count ? words[i + skip] : m_real(m, 0);
      LExpr *now = i < count ? words[i] : m_real(m, 0);
      words[i] = m_let(m, "word", m_select(m, large, later, now));
    }
    count = kept + skip - 1;
  }
  return size;
}

// The remainder of p by 4 with the sign of p. Exact, as truncation is; rounding to the nearest would not be.
static LExpr *modulo_4(Math *m, LExpr *p) {
  LExpr *whole = m_floor(m, m_mul(m, m_abs(m, p), m_real(m, 0.25)));
  return m_let(m, "part", m_fma(m, m_real(m, -4), m_with_sign(m, whole, p), p));
}

// A sum of quarter turns: whole ones, and a fraction in [-1/2, 1/2] in two parts.
typedef struct Quarters {
  LExpr *whole;
  Pair fraction;
} Quarters;

// Adds a part and takes off the nearest integer.
static void add_part(Math *m, Quarters *sum, LExpr *part, bool twofold) {
  LExpr *magic = m_real(m, 0x1.8p52);
  if (!sum->whole) {
    sum->fraction = (Pair){part, m_real(m, 0)};
  } else if (twofold) {
    Pair s = m_two_sum(m, "sum", sum->fraction.high, part);
    sum->fraction = m_two_sum(m, "turn", s.high, m_let(m, "low", m_add(m, sum->fraction.low, s.low)));
  } else {
    sum->fraction.high = m_let(m, "sum", m_add(m, sum->fraction.high, part));
  }
  LExpr *nearest = m_let(m, "nearest", m_sub(m, m_add(m, sum->fraction.high, magic), magic));
  sum->fraction.high = m_let(m, "fraction", m_sub(m, sum->fraction.high, nearest));
  sum->whole = sum->whole ? m_let(m, "whole", m_add(m, sum->whole, nearest)) : nearest;
}

// An error of 2^-62 of a quarter turn: no f32 comes nearer than 2^-30 to a multiple of one.
static Quarters reduce_f32(Math *m, LExpr *size) {
  LExpr *words[7];
  for (int i = 0; i < 7; i++)
    words[i] = m_real(m, words_29[i]);
  size = align_words(m, size, words, 4, 7, 2, 29, 25);
  Quarters sum = {0};
  for (int i = 0; i < 4; i++) {
    LExpr *p = m_let(m, "p", m_mul(m, m_mul(m, size, m_real(m, __builtin_ldexp(1, -29 * i))), words[i]));
    add_part(m, &sum, i < 2 ? modulo_4(m, p) : p, false);
  }
  return sum;
}

// The words kept reach 2^-158 of a quarter turn; no f64 comes nearer than 2^-62 to a multiple of one.
static Quarters reduce_f64(Math *m, LExpr *size) {
  enum { COUNT = sizeof words_53 / sizeof *words_53 };
  LExpr *words[COUNT];
  for (int i = 0; i < COUNT; i++)
    words[i] = m_real(m, words_53[i]);
  size = align_words(m, size, words, 5, COUNT, 5, 53, 54);
  Quarters sum = {0};
  for (int i = 0; i < 5; i++) {
    LExpr *factor = m_let(m, "factor", m_mul(m, size, m_real(m, __builtin_ldexp(1, -53 * i))));
    LExpr *p = m_let(m, "p", m_mul(m, factor, words[i]));
    LExpr *rest = m_let(m, "rest", m_fma(m, factor, words[i], m_neg(m, p)));
    add_part(m, &sum, i < 2 ? modulo_4(m, p) : p, true);
    add_part(m, &sum, i < 1 ? modulo_4(m, rest) : rest, true);
  }
  return sum;
}

// (sin(r) / r - 1) / r^2 and (cos(r) - 1 + r^2 / 2) / r^4 by r^2 for |r| <= pi/4: tests/reference/minimax.py.
static const double sin_f32[] = {-0x1.555556p-3, 0x1.111108p-7, -0x1.a00f9ep-13, 0x1.6cd85ap-19};
static const double cos_f32[] = {0x1.555556p-5, -0x1.6c16b8p-10, 0x1.a0112p-16, -0x1.242ad6p-22};
static const double sin_f64[] = {-0x1.5555555555549p-3, 0x1.111111110f87dp-7,   -0x1.a01a019c1203ep-13,
                                 0x1.71de35781738ap-19, -0x1.ae5e668924500p-26, 0x1.5d931889cb40fp-33};
static const double cos_f64[] = {0x1.555555555554cp-5,   -0x1.6c16c16c15181p-10, 0x1.a01a019cb219cp-16,
                                 -0x1.27e4f80a35eccp-22, 0x1.1ee9ec1a0d307p-29,  -0x1.8faeb6a0a6376p-37};

static LExpr *sin_near(Math *m, Pair r, LExpr *z) {
  bool single = m->type == L_F32;
  LExpr *tail = single ? m_horner(m, z, sin_f32, 4) : m_horner(m, z, sin_f64, 6);
  LExpr *cube = m_mul(m, z, r.high);
  if (single)
    return m_fma(m, cube, tail, r.high);
  LExpr *low = m_mul(m, r.low, m_fma(m, z, m_real(m, -0.5), m_real(m, 1)));
  return m_add(m, r.high, m_fma(m, cube, tail, low));
}

// 1 - z/2 is rounded first and its error added again (fdlibm's k_cos.c).
static LExpr *cos_near(Math *m, Pair r, LExpr *z) {
  bool single = m->type == L_F32;
  LExpr *tail = single ? m_horner(m, z, cos_f32, 4) : m_horner(m, z, cos_f64, 6);
  LExpr *one = m_real(m, 1);
  LExpr *half = m_let(m, "half", m_mul(m, z, m_real(m, 0.5)));
  LExpr *rounded = m_let(m, "rounded", m_sub(m, one, half));
  LExpr *error = m_sub(m, m_sub(m, one, rounded), half);
  LExpr *low = single ? error : m_fma(m, m_neg(m, r.high), r.low, error);
  return m_add(m, rounded, m_fma(m, m_mul(m, z, z), tail, low));
}

// The angle in [-pi/4, pi/4]; an argument that lies there already is its own.
static Pair angle(Math *m, Quarters q, LExpr *size, LType type) {
  LExpr *half_pi = m_real(m, 0x1.921fb54442d18p+0);
  LExpr *inside = m_let(m, "inside", m_is(m, LX_LT, size, m_real(m, 0.78515625)));
  LExpr *high = m_let(m, "turned", m_mul(m, q.fraction.high, half_pi));
  LExpr *own = m_select(m, inside, size, high);
  if (type == L_F32)
    return (Pair){m_let(m, "r", m_cast(m, own, type)), NULL};
  LExpr *error = m_fma(m, q.fraction.high, half_pi, m_neg(m, high));
  LExpr *more = m_fma(m, q.fraction.low, half_pi, error);
  LExpr *low = m_fma(m, q.fraction.high, m_real(m, 0x1.1a62633145c07p-54), more);
  return (Pair){m_let(m, "r", own), m_let(m, "r_low", m_select(m, inside, m_real(m, 0), low))};
}

// sin is cos a quarter turn later: the quadrant's lowest bit says which polynomial, the next one the sign.
static void build(LoopModule *module, LType type, bool cosine) {
  Math m = math_new(
      module, cosine ? "cos" : "sin", type,
      cosine ? "cos x within 1.5 ULP for every x: Payne and Hanek's reduction in floating point, then a polynomial.\n"
             : "sin x within 1.5 ULP for every x: Payne and Hanek's reduction in floating point, then a polynomial.\n");
  bool single = type == L_F32;
  LExpr *x = m_param(&m, "x", type);
  m.type = L_F64;
  LExpr *size = m_let(&m, "size", m_abs(&m, m_cast(&m, x, L_F64)));
  Quarters q = single ? reduce_f32(&m, size) : reduce_f64(&m, size);
  Pair r = angle(&m, q, size, type);
  LExpr *inside = m_is(&m, LX_LT, size, m_real(&m, 0.78515625));
  LExpr *whole = m_select(&m, inside, m_real(&m, 0), q.whole);
  LExpr *count = m_bits(&m, m_add(&m, whole, m_real(&m, cosine ? 0x1.8p52 + 1 : 0x1.8p52)));
  m.type = type;
  LExpr *quadrant = m_let(&m, "quadrant", m_cast(&m, count, single ? L_U32 : L_U64));
  LExpr *z = m_let(&m, "z", m_mul(&m, r.high, r.high));
  LExpr *odd = m_is(&m, LX_NE, m_and(&m, quadrant, m_uint(&m, 1)), m_uint(&m, 0));
  LExpr *value = m_let(&m, "value", m_select(&m, odd, cos_near(&m, r, z), sin_near(&m, r, z)));
  LExpr *sign = m_shift(&m, LX_SHL, m_and(&m, quadrant, m_uint(&m, 2)), single ? 30 : 62);
  if (!cosine)
    sign = m_xor(&m, sign, m_and(&m, m_bits(&m, x), m_uint(&m, UINT64_C(1) << (single ? 31 : 63))));
  math_end(&m, m_of_bits(&m, m_xor(&m, m_bits(&m, value), sign)));
}

void math_sin(LoopModule *module, LType type) {
  build(module, type, false);
}
void math_cos(LoopModule *module, LType type) {
  build(module, type, true);
}

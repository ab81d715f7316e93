// Philox4x32-10 in the loop language (J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011): a number for each (seed, stream, step, element), in any order and on any thread. Key:
// seed low, seed high. Counter: element low, element high ^ stream high, step low, stream low. f32 takes 24 bits of the
// first word, f64 27 of the first and 26 of the second.
#include "loops/mathlib_build.h"

static LExpr *low_word(Math *m, LExpr *wide) {
  return m_cast(m, m_and(m, wide, lx_int(m->arena, L_U64, 0xffffffff)), L_U32);
}
static LExpr *high_word(Math *m, LExpr *wide) {
  return m_cast(m, m_shift(m, LX_SHR, wide, 32), L_U32);
}
static LExpr *word(Math *m, uint32_t value) {
  return lx_int(m->arena, L_U32, value);
}

static LExpr *named(Math *m, const char *name, int round, LExpr *value) {
  return m_let(m, arena_printf(m->arena, "%s%d", name, round), value);
}

static void philox_round(Math *m, int round, LExpr *c[4], LExpr *const key[2]) {
  LExpr *first = named(m, "p", round, m_mul(m, m_cast(m, c[0], L_U64), lx_int(m->arena, L_U64, 0xD2511F53)));
  LExpr *second = named(m, "q", round, m_mul(m, m_cast(m, c[2], L_U64), lx_int(m->arena, L_U64, 0xCD9E8D57)));
  LExpr *a = m_xor(m, m_xor(m, high_word(m, second), c[1]), key[0]);
  LExpr *b = m_xor(m, m_xor(m, high_word(m, first), c[3]), key[1]);
  c[0] = named(m, "a", round, a);
  c[1] = named(m, "b", round, low_word(m, second));
  c[2] = named(m, "c", round, b);
  c[3] = named(m, "d", round, low_word(m, first));
}

static LExpr *uniform_of_words(Math *m, LExpr *const words[4]) {
  if (m->type == L_F32) {
    LExpr *bits = m_cast(m, m_shift(m, LX_SHR, words[0], 8), L_I32);
    return m_mul(m, m_cast(m, bits, L_F32), m_real(m, 0x1p-24));
  }
  LExpr *high = m_cast(m, m_cast(m, m_shift(m, LX_SHR, words[0], 5), L_I32), L_F64);
  LExpr *low = m_cast(m, m_cast(m, m_shift(m, LX_SHR, words[1], 6), L_I32), L_F64);
  return m_mul(m, m_fma(m, high, m_real(m, 0x1p26), low), m_real(m, 0x1p-53));
}

LFunction *mathlib_uniform(LoopModule *module, LType type) {
  const char *name = type == L_F32 ? "uniform_f32" : "uniform_f64";
  for (int i = 0; i < module->functions.count; i++)
    if (strcmp(module->functions.data[i]->name, name) == 0)
      return module->functions.data[i];
  Math m = math_new(module, "uniform", type, "Uniform in [0, 1) by Philox4x32-10 (Salmon et al., SC 2011).\n");
  LExpr *seed = m_param(&m, "seed", L_U64), *stream = m_param(&m, "stream", L_U64);
  LExpr *step = m_param(&m, "step", L_U64), *element = m_param(&m, "element", L_U64);
  LExpr *c[4] = {low_word(&m, element), m_xor(&m, high_word(&m, element), high_word(&m, stream)), low_word(&m, step),
                 low_word(&m, stream)};
  LExpr *low = m_let(&m, "key_low", low_word(&m, seed)), *high = m_let(&m, "key_high", high_word(&m, seed));
  for (uint32_t round = 0; round < 10; round++) {
    LExpr *key[2] = {m_add(&m, low, word(&m, round * 0x9E3779B9u)), m_add(&m, high, word(&m, round * 0xBB67AE85u))};
    philox_round(&m, (int)round, c, key);
  }
  return math_end(&m, uniform_of_words(&m, c));
}

// The small functions under generated C: maximum and minimum by the loop language's rule, bits of numbers, trees over
// 16 lanes, and vectors as wide as the CPU has them. Templates below: $t the C type, $s its short name, $u what its
// bits are taken from, $i the mask's integer, $l the lanes, $p and $k the suffixes of x86's intrinsics and masks, $f
// and $z its fma and -0, $n the function's name, $o its operator.
#include "emit/c.h"

static const char bits[] = "static inline $t bits_$s($u from) {\n"
                           "  $t to;\n"
                           "  memcpy(&to, &from, sizeof to);\n"
                           "  return to;\n"
                           "}\n\n";

// b != b: a NaN on the right passes through, one on the left is what a comparison leaves.
static const char real_extreme[] = "static inline $t $n_$s($t a, $t b) { return ((b $o a) | (b != b)) ? b : a; }\n\n";
static const char integer_extreme[] = "static inline $t $n_$s($t a, $t b) { return a $o b ? a : b; }\n\n";

static const char sum[] = "static inline $t hsum_$s(const $t *lane) {\n"
                          "  $t t[8];\n"
                          "  for (int i = 0; i < 8; i++)\n"
                          "    t[i] = lane[i] + lane[i + 8];\n"
                          "  for (int width = 4; width > 0; width /= 2)\n"
                          "    for (int i = 0; i < width; i++)\n"
                          "      t[i] = t[i] + t[i + width];\n"
                          "  return t[0];\n"
                          "}\n\n";
static const char tree[] = "static inline $t h$n_$s(const $t *lane) {\n"
                           "  $t t[8];\n"
                           "  for (int i = 0; i < 8; i++)\n"
                           "    t[i] = $n_$s(lane[i], lane[i + 8]);\n"
                           "  for (int width = 4; width > 0; width /= 2)\n"
                           "    for (int i = 0; i < width; i++)\n"
                           "      t[i] = $n_$s(t[i], t[i + width]);\n"
                           "  return t[0];\n"
                           "}\n\n";

static const char width[] =
    "// Vectors as wide as this CPU's; loops over them are unrolled, so that they stay in registers.\n"
    "#if defined(__AVX512F__)\n"
    "#define VECTOR 64\n"
    "#elif defined(__AVX__)\n"
    "#define VECTOR 32\n"
    "#else\n"
    "#define VECTOR 16\n"
    "#endif\n"
    "#if defined(__AVX__)\n"
    "#include <immintrin.h>\n"
    "#elif defined(__aarch64__)\n"
    "#include <arm_neon.h>\n"
    "#endif\n"
    "#if defined(__clang__)\n"
    "#define UNROLL _Pragma(\"clang loop unroll(full)\")\n"
    "#else\n"
    "#define UNROLL _Pragma(\"GCC unroll 64\")\n"
    "#endif\n\n";

static const char in_a_row[] = "// So many rounds of the loop in a row.\n"
                               "#define PRAGMA(text) _Pragma(#text)\n"
                               "#if defined(__clang__)\n"
                               "#define IN_A_ROW(rounds) PRAGMA(clang loop unroll_count(rounds))\n"
                               "#else\n"
                               "#define IN_A_ROW(rounds) PRAGMA(GCC unroll rounds)\n"
                               "#endif\n\n";

static const char vector[] = "typedef $t $sv __attribute__((vector_size(VECTOR)));\n"
                             "typedef $i $smask __attribute__((vector_size(VECTOR)));\n"
                             "typedef $t $smem __attribute__((vector_size(VECTOR), aligned(sizeof($t)), may_alias));\n"
                             "enum { $l = VECTOR / sizeof($t) };\n\n";

static const char splat[] = "static inline $sv splat_$sv($t x) { return x - ($sv){0}; } // x - 0 is x, -0 too\n\n";
static const char load[] = "static inline $sv load_$sv(const $t *p) { return *(const $smem *)p; }\n\n";
static const char store[] = "static inline void store_$sv($t *p, $sv x) { *($smem *)p = x; }\n\n";

static const char load_part[] =
    "static inline $sv load_part_$sv(const $t *p, int64_t count) {\n"
    "  if (count >= (int64_t)$l)\n"
    "    return *(const $smem *)p;\n"
    "#if defined(__AVX512F__)\n"
    "  __mmask$k part = (__mmask$k)((1u << count) - 1);\n"
    "  __asm__(\"\" : \"+Yk\"(part)); // gcc 12 reads beyond a part that it knows, if nothing uses that\n"
    "  return _mm512_maskz_loadu_$p(part, p);\n"
    "#else\n"
    "  $sv x = {0};\n"
    "  memcpy(&x, p, (size_t)count * sizeof($t));\n"
    "  return x;\n"
    "#endif\n"
    "}\n\n";
static const char store_part[] = "static inline void store_part_$sv($t *p, $sv x, int64_t count) {\n"
                                 "  if (count >= (int64_t)$l) {\n"
                                 "    *($smem *)p = x;\n"
                                 "    return;\n"
                                 "  }\n"
                                 "#if defined(__AVX512F__)\n"
                                 "  _mm512_mask_storeu_$p(p, (__mmask$k)((1u << count) - 1), x);\n"
                                 "#else\n"
                                 "  memcpy(p, &x, (size_t)count * sizeof($t));\n"
                                 "#endif\n"
                                 "}\n\n";

static const char fused[] = "static inline $sv fma_$sv($sv a, $sv b, $sv c) {\n"
                            "#if defined(__AVX512F__)\n"
                            "  return _mm512_fmadd_$p(a, b, c);\n"
                            "#elif defined(__AVX__) && defined(__FMA__)\n"
                            "  return _mm256_fmadd_$p(a, b, c);\n"
                            "#elif defined(__aarch64__)\n"
                            "  return vfmaq_$s(c, a, b);\n"
                            "#else\n"
                            "  for (int i = 0; i < (int)$l; i++)\n"
                            "    c[i] = $f(a[i], b[i], c[i]);\n"
                            "  return c;\n"
                            "#endif\n"
                            "}\n\n";

static const char select[] = "static inline $sv select_$sv($smask mask, $sv a, $sv b) {\n"
                             "  return ($sv)((mask & ($smask)a) | (~mask & ($smask)b));\n"
                             "}\n\n";
// x86's instruction gives its second operand where they are equal or one is NaN.
static const char vector_extreme[] = "static inline $sv $n_$sv($sv a, $sv b) {\n"
                                     "#if defined(__AVX512F__)\n"
                                     "  const $sv number = _mm512_$n_$p(b, a);\n"
                                     "#elif defined(__AVX__)\n"
                                     "  const $sv number = _mm256_$n_$p(b, a);\n"
                                     "#else\n"
                                     "  const $sv number = select_$sv(($smask)(b $o a), b, a);\n"
                                     "#endif\n"
                                     "  return select_$sv(($smask)(b != b), b, number);\n"
                                     "}\n\n";
static const char vector_abs[] = "static inline $sv abs_$sv($sv a) {\n"
                                 "  return ($sv)(($smask)a & ~($smask)splat_$sv($z));\n"
                                 "}\n\n";

// Halves of two vectors, element by element in turn. Each round of them brings the vectors of both halves together; after
// log2($l) rounds element i of vector j is j of i.
static const char turn_round[] = "static inline void turn_round_$s($sv *to, const $sv *from) {\n"
                                 "  UNROLL\n"
                                 "  for (int i = 0; i < (int)$l / 2; i++) {\n"
                                 "    to[2 * i] = __builtin_shufflevector(from[i], from[i + $l / 2], LOW_$s);\n"
                                 "    to[2 * i + 1] = __builtin_shufflevector(from[i], from[i + $l / 2], HIGH_$s);\n"
                                 "  }\n"
                                 "}\n";
static const char turn[] =
    "static inline void turn_$s($t *restrict to, int64_t to_row, const $t *restrict from, int64_t from_row) {\n"
    "#if defined(LOW_$s)\n"
    "  for (int i = 0; i < 16; i += $l)\n"
    "    for (int j = 0; j < 16; j += $l) {\n"
    "      $sv a[$l], b[$l];\n"
    "      const bool odd = $l == 8 || $l == 2;\n"
    "      UNROLL\n"
    "      for (int k = 0; k < (int)$l; k++)\n"
    "        *(odd ? &b[k] : &a[k]) = *(const $smem *)&from[(j + k) * from_row + i];\n"
    "      if (odd)\n"
    "        turn_round_$s(a, b);\n"
    "      for (int round = $l; round >= 4; round /= 4) {\n"
    "        turn_round_$s(b, a);\n"
    "        turn_round_$s(a, b);\n"
    "      }\n"
    "      UNROLL\n"
    "      for (int k = 0; k < (int)$l; k++)\n"
    "        *($smem *)&to[(i + k) * to_row + j] = a[k];\n"
    "    }\n"
    "#else\n"
    "  for (int i = 0; i < 16; i++)\n"
    "    for (int j = 0; j < 16; j++)\n"
    "      to[i * to_row + j] = from[j * from_row + i];\n"
    "#endif\n"
    "}\n\n";

typedef struct Words {
  LType type;
  const char *name, *sign;
} Words;

static const char *word(char letter, const Words *words) {
  LType type = words->type;
  bool single = type == L_F32, wide = ltype_bytes(type) == 8;
  switch (letter) {
  case 't':
    return c_types[type];
  case 's':
    return c_short[type];
  case 'u':
    return c_types[single ? L_U32 : type == L_F64 ? L_U64 : wide ? L_F64 : L_F32];
  case 'i':
    return single ? "int32_t" : "int64_t";
  case 'l':
    return single ? "F32V" : "F64V";
  case 'p':
    return single ? "ps" : "pd";
  case 'k':
    return single ? "16" : "8";
  case 'f':
    return single ? "fmaf" : "fma";
  case 'z':
    return single ? "-0.0f" : "-0.0";
  case 'n':
    return words->name;
  default:
    return words->sign;
  }
}

static void print(Text *out, const char *template, Words words) {
  while (*template) {
    size_t plain = strcspn(template, "$");
    text_printf(out, "%.*s", (int)plain, template);
    template += plain;
    if (*template) {
      text_add(out, word(template[1], &words));
      template += 2;
    }
  }
}

static void scalar_helpers(Text *out, const bool *used, LType type) {
  bool real = type == L_F32 || type == L_F64;
  const char *extreme = real ? real_extreme : integer_extreme;
  if (used[CH_BITS + (int)type])
    print(out, bits, (Words){type, "", ""});
  if (used[CH_MAX + (int)type] || used[CH_HMAX + (int)type])
    print(out, extreme, (Words){type, "max", ">"});
  if (used[CH_MIN + (int)type] || used[CH_HMIN + (int)type])
    print(out, extreme, (Words){type, "min", "<"});
  if (used[CH_HSUM + (int)type])
    print(out, sum, (Words){type, "", ""});
  if (used[CH_HMAX + (int)type])
    print(out, tree, (Words){type, "max", ">"});
  if (used[CH_HMIN + (int)type])
    print(out, tree, (Words){type, "min", "<"});
}

static void half_order(Text *out, int lanes, bool upper) {
  for (int i = 0; i < lanes; i++)
    text_printf(out, "%s%d", i ? ", " : " ", (upper ? lanes / 2 : 0) + i / 2 + (i % 2 ? lanes : 0));
  text_add(out, "\n");
}

// Older compilers have no shuffle that all know.
static void turn_helpers(Text *out, LType type) {
  Words words = {type, "", ""};
  text_add(out, "#if defined(__has_builtin)\n#if __has_builtin(__builtin_shufflevector)\n");
  for (int bytes = 64; bytes >= 16; bytes /= 2) {
    text_printf(out, bytes == 64 ? "#if VECTOR == 64\n" : bytes == 32 ? "#elif VECTOR == 32\n" : "#else\n");
    for (int upper = 0; upper < 2; upper++) {
      text_printf(out, "#define %s_%s", upper ? "HIGH" : "LOW", c_short[type]);
      half_order(out, bytes / ltype_bytes(type), upper);
    }
  }
  text_add(out, "#endif\n");
  print(out, turn_round, words);
  text_add(out, "#endif\n#endif\n\n");
  print(out, turn, words);
}

static void vector_helpers(Text *out, const bool *used, LType type) {
  const struct {
    bool needed;
    const char *template;
    Words words;
  } table[] = {
      {used[CH_VECTOR + (int)type], vector, {type, "", ""}},
      {used[CH_SPLAT + (int)type] || used[CH_VABS + (int)type], splat, {type, "", ""}},
      {used[CH_LOAD + (int)type], load, {type, "", ""}},
      {used[CH_LOAD_PART + (int)type], load_part, {type, "", ""}},
      {used[CH_STORE + (int)type], store, {type, "", ""}},
      {used[CH_STORE_PART + (int)type], store_part, {type, "", ""}},
      {used[CH_FMA + (int)type], fused, {type, "", ""}},
      {used[CH_VSELECT + (int)type] || used[CH_VMAX + (int)type] || used[CH_VMIN + (int)type], select, {type, "", ""}},
      {used[CH_VMAX + (int)type], vector_extreme, {type, "max", ">"}},
      {used[CH_VMIN + (int)type], vector_extreme, {type, "min", "<"}},
      {used[CH_VABS + (int)type], vector_abs, {type, "", ""}},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (table[i].needed)
      print(out, table[i].template, table[i].words);
  if (used[CH_TURN + (int)type])
    turn_helpers(out, type);
}

void c_helpers(Text *out, const bool *used) {
  if (used[CH_VECTOR] || used[CH_VECTOR + 1])
    text_add(out, width);
  if (used[CH_IN_A_ROW])
    text_add(out, in_a_row);
  for (int type = L_F32; type <= L_U64; type++)
    scalar_helpers(out, used, (LType)type);
  for (int type = L_F32; type <= L_F64; type++)
    vector_helpers(out, used, (LType)type);
}

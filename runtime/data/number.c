// Cells as numbers. Exact: up to 15 digits and powers of ten up to 22 need one correctly rounded operation (Clinger,
// "How to read floating point numbers accurately", PLDI 1990); others go to strtod, which rounds correctly too (the
// runtime stays in the C locale).
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "data/csv.h"

typedef struct Scan {
  const char *at, *end;
  uint64_t mantissa;
  int digits;   // in mantissa, leading zeros not counted
  int exponent; // of ten
  bool any, commas, exact;
} Scan;

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static void add_digit(Scan *scan, char c, int point) {
  scan->any = true;
  if (scan->mantissa || c != '0')
    scan->digits += scan->digits < 16;
  if (scan->digits > 15)
    scan->exact = false;
  else {
    scan->mantissa = scan->mantissa * 10 + (uint64_t)(c - '0');
    scan->exponent -= scan->exponent > -10000 ? point : 0;
  }
}

static bool comma_group(const Scan *scan, int before) {
  const char *at = scan->at;
  return scan->end - at >= 4 && *at == ',' && before > 0 && (scan->commas ? before == 3 : before <= 3) &&
         is_digit(at[1]) && is_digit(at[2]) && is_digit(at[3]) && (scan->end - at == 4 || !is_digit(at[4]));
}

static void scan_digits(Scan *scan, bool grouped) {
  for (int before = 0; scan->at < scan->end;) {
    if (is_digit(*scan->at)) {
      add_digit(scan, *scan->at++, 0);
      before += before < 4;
    } else if (grouped && comma_group(scan, before)) {
      scan->commas = true;
      scan->at++;
      before = 0;
    } else
      break;
  }
  if (scan->at < scan->end && *scan->at == '.')
    for (scan->at++; scan->at < scan->end && is_digit(*scan->at); scan->at++)
      add_digit(scan, *scan->at, 1);
}

static bool scan_exponent(Scan *scan) {
  if (scan->at == scan->end || (*scan->at != 'e' && *scan->at != 'E'))
    return true;
  scan->at++;
  bool minus = scan->at < scan->end && *scan->at == '-';
  if (scan->at < scan->end && (minus || *scan->at == '+'))
    scan->at++;
  if (scan->at == scan->end)
    return false;
  int power = 0;
  for (; scan->at < scan->end && is_digit(*scan->at); scan->at++)
    power = power < 10000 ? power * 10 + (*scan->at - '0') : power;
  if (!is_digit(scan->at[-1]))
    return false;
  if (scan->exponent > -10000) // longer ones are not exact, and strtod reads them
    scan->exponent += minus ? -power : power;
  return true;
}

static double slow(const NnrtCell *cell, const Scan *scan) {
  if (!scan->commas)
    return strtod(cell->text, NULL);
  char plain[128], *to = plain;
  for (size_t i = 0; i < cell->length && to < plain + sizeof plain - 1; i++)
    if (cell->text[i] != ',')
      *to++ = cell->text[i];
  *to = 0;
  return strtod(plain, NULL);
}

// Without regard to the case of ASCII letters; `word` is in small ones.
static bool is_word(const NnrtCell *cell, const char *word) {
  size_t i = 0;
  while (i < cell->length && word[i] && (cell->text[i] == word[i] || cell->text[i] == word[i] - 'a' + 'A'))
    i++;
  return i == cell->length && !word[i];
}

// Most cells by far: up to 15 digits and nothing else.
static bool few_digits(const NnrtCell *cell, double *value) {
  uint64_t sum = 0;
  if (!cell->length || cell->length > 15)
    return false;
  for (size_t i = 0; i < cell->length; i++) {
    if (!is_digit(cell->text[i]))
      return false;
    sum = sum * 10 + (uint64_t)(cell->text[i] - '0');
  }
  *value = (double)sum;
  return true;
}

NnrtNumber nnrt_parse_number(const NnrtCell *cell, double *value) {
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (few_digits(cell, value))
    return NNRT_NUMBER;
  Scan scan = {.at = cell->text, .end = cell->text + cell->length, .exact = true};
  if (scan.at == scan.end)
    return NNRT_NOT_A_NUMBER;
  bool minus = *scan.at == '-';
  scan.at += minus || *scan.at == '+';
  NnrtCell rest = {.text = scan.at, .length = (size_t)(scan.end - scan.at)};
  scan_digits(&scan, cell->quoted);
  if (!scan.any)
    return is_word(&rest, "inf") || is_word(&rest, "infinity") ? NNRT_TOO_LARGE : NNRT_NOT_A_NUMBER;
  if (!scan_exponent(&scan) || scan.at != scan.end || (scan.commas && cell->length > 100))
    return NNRT_NOT_A_NUMBER;
  double size = (double)scan.mantissa;
  if (scan.exact && scan.exponent >= 0 && scan.exponent <= 22)
    size *= ten[scan.exponent];
  else if (scan.exact && scan.exponent < 0 && scan.exponent >= -22)
    size /= ten[-scan.exponent];
  else
    size = fabs(slow(cell, &scan));
  *value = minus ? -size : size;
  return size <= FLT_MAX ? NNRT_NUMBER : NNRT_TOO_LARGE;
}

bool nnrt_is_missing(const NnrtCell *cell) {
  if (cell->length > 4 || (cell->length && is_digit(*cell->text)))
    return false;
  if (!cell->length || (cell->length == 1 && *cell->text == '?'))
    return true;
  return is_word(cell, "na") || is_word(cell, "nan") || is_word(cell, "n/a") || is_word(cell, "null");
}
